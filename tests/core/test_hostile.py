"""Hostile input: bisections end, messages stay one printable line, devices and bombs are refused, links are not followed."""

from __future__ import annotations

import os
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest

from asymtheory import InputError, load
from asymtheory.cli import main
from asymtheory.errors import LONGEST


@pytest.mark.parametrize("domain", ["-1:1", "-1:inf", "-2:3", ":"])
def test_a_change_at_zero_is_found(domain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bound", "--formula", "1-a*u", "--domain", f"a={domain}", "--K", "10", "--eta", "0.4"]) == 0
    assert "any a" in capsys.readouterr().out


@pytest.mark.parametrize("argument", ["x" * 100_000, "a\x1b[2Jb", "two\nlines"])
def test_an_argument_is_not_echoed_whole(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["noise", argument],
        ["bound", "--loss", argument],
        ["select", "--labels", argument, "--clean", "x.csv"],
    ):
        assert main(arguments) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert err[:-1].isprintable()
        assert len(err) < LONGEST + 40


def test_names_from_a_file_do_not_write_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("a\x1b[2J,b\n0.9,0.1\n0.2,0.8\n")
    assert main(["noise", str(tmp_path / "t.csv")]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_json_with_nan_names_the_file_once(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("[[NaN,0.2],[0.3,0.7]]")
    with pytest.raises(InputError) as found:
        load(path)
    assert str(found.value) == f"{path}: NaN is not a finite number"


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("pipe.csv", "zero.csv"):
        with pytest.raises(InputError, match="is not a regular file but a device, pipe or socket"):
            load(tmp_path / name)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("counts.npy", "w", force_zip64=True) as entry,
    ):
        np.lib.format.write_array_header_1_0(entry, {"descr": "<f8", "fortran_order": False, "shape": (2**14, 2**14)})
        for _ in range(2**7 + 1):
            entry.write(bytes(2**23))
    with pytest.raises(InputError, match=r"would unpack to .* GiB; at most 1 GiB .*ASYMTHEORY_MEMORY"):
        load(tmp_path / "b.npz")


def test_a_lock_is_no_way_to_another_file(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from asymtheory_training.run.record import locked

    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match="cannot be used as a lock"), locked(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


@pytest.mark.parametrize("option", ["--width", "--threads"])
def test_counts_have_a_limit(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert main(["train", option, "100000", "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith(f"asymtheory train: {option} 100000: ")


def test_hostile_input_is_answered_or_refused_in_one_line() -> None:
    pytest.importorskip("torch")
    run = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "robustness.py"))["run"]
    counts, bad = run(150)
    assert bad == []
    assert {how for _, how in counts} == {"answered", "refused"}
    assert len({area for area, _ in counts}) == 8
