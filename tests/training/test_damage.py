"""Folders of training that were damaged, edited or made to mislead: refused in one line, or made again and said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asymtheory_training.run import checkpoint
from asymtheory_training.run.record import locked
from asymtheory_training.sweep.flow import Store

from asymtheory.cli import main
from asymtheory.errors import InputError

CONFIRM = (
    "confirm --loss mae --dataset digits --width 0.125 --subset 100 --epochs 1 --seeds 1 --values 3 --json".split()
)
TRAIN = "train --subset 100 --width 0.1 --epochs 2 --loss mae".split()


def said(capsys: pytest.CaptureFixture[str], arguments: list[str], status: int = 2) -> str:
    """Standard error of a command that is refused: one line."""
    assert main(arguments) == status
    out, err = capsys.readouterr()
    if status == 2:
        assert out == ""
        assert err.count("\n") == 1
        assert err[:-1].isprintable()
    return err


# ----------------------------------------------------------------------------------------------------------- confirm


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished folder, and what the command printed."""
    import contextlib
    import io

    folder, out = tmp_path_factory.mktemp("confirm"), io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([*CONFIRM, "--out", str(folder)]) == 0
    return folder, out.getvalue()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def change(path: Path, **changes: Any) -> None:
    """The same archive with some arrays changed, or left out where None."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays = {name: value for name, value in {**arrays, **changes}.items() if value is not None}
    np.savez_compressed(path, **arrays)


ARCHIVES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "bit": flip,
    "not an archive": lambda path: path.write_bytes(b"hello" * 99),
    "array missing": lambda path: change(path, shares=None),
    "wrong shape": lambda path: change(path, train=np.zeros((1, 1, 9), dtype=np.float32)),
    "wrong kind": lambda path: change(path, curve=np.full((1, 1, 1), "x")),
    "other numbers": lambda path: change(path, curve=np.full((1, 1, 1), 0.25)),
    "objects": lambda path: np.savez(path, train=np.array([{}], dtype=object), allow_pickle=True),
}


@pytest.mark.parametrize("damage", ARCHIVES)
def test_a_damaged_archive_is_made_again_and_said(
    damage: str, confirmed: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(confirmed[0], folder)
    (archive,) = folder.glob("*.npz")
    ARCHIVES[damage](archive)
    assert main([*CONFIRM, "--out", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert err.startswith(f"asymtheory confirm: {archive}: ")
    assert err.endswith("; its group is trained again\n")
    assert err.count("\n") == 1
    assert out == confirmed[1]  # a stack gives the same numbers each time
    assert main([*CONFIRM, "--out", str(folder)]) == 0
    assert capsys.readouterr() == (confirmed[1], "")


LINES = [
    ("{}", "key is missing"),
    ('{"key": 3, "tested": [1], "seconds": 1}', "key is 3; a text is needed"),
    ('{"key": "a", "tested": ["x"], "seconds": 1}', "tested[0] is 'x'; a whole number is needed"),
    ('{"key": "a", "tested": [1], "seconds": "long"}', "seconds is 'long'; a finite number is needed"),
    ('{"key": "a", "tested": [1], "seconds": 1e999}', "seconds is inf; a finite number is needed"),
    ('{"key": "a", "tested": [1], "seconds": NaN}', "NaN is not a finite number"),
    ("[" * 100_000, "is nested too deeply"),
    ('{"key": ' + "9" * 5000 + "}", "Exceeds the limit"),
    ("[1]", "is not JSON (an object a line is needed)"),
    ('{"key": "\x1b[2J"', "is not JSON (an object a line is needed)"),
]


@pytest.mark.parametrize(("line", "message"), LINES, ids=range(len(LINES)))
def test_a_line_of_a_group_that_is_none_is_named(
    line: str, message: str, confirmed: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(confirmed[0] / "groups.jsonl", tmp_path)
    with open(tmp_path / "groups.jsonl", "a") as file:
        file.write(line + "\n")
    err = said(capsys, [*CONFIRM, "--out", str(tmp_path)])
    assert f"{tmp_path}/groups.jsonl, line 2: " in err
    assert message in err


# -------------------------------------------------------------------------------------------------------- checkpoints


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    assert main([*TRAIN, "--out", str(folder)]) == 0
    return folder


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def remove(state: dict[str, Any]) -> None:
        for name in path[:-1]:
            state = state[name]
        del state[path[-1]]

    return remove


def put(value: Any, *path: Any) -> Callable[[dict[str, Any]], None]:
    def replace(state: dict[str, Any]) -> None:
        for name in path[:-1]:
            state = state[name]
        state[path[-1]] = value

    return replace


CHECKPOINTS: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    *((without(part), f"{part} is missing") for part in ("model", "optimiser", "curve", "epoch", "config", "labels")),
    (without("seconds"), "seconds is missing"),
    (without("optimiser", "state"), "optimiser.state is missing"),
    (without("optimiser", "state", 0), "it has the velocities of 5 weights, not of 6"),
    (without("curve", 0, "loss"), "curve[0].loss is missing"),
    (put("fast", "curve", 0, "loss"), "curve[0].loss is 'fast'"),
    (put([], "curve"), "its curve has 0 epochs, its weights are of epoch 2"),
    (put(-5, "epoch"), "the checkpoint is of epoch -5 of 2"),
    (put(99, "epoch"), "the checkpoint is of epoch 99 of 2"),
    (put(1.5, "epoch"), "epoch is 1.5; a whole number is needed"),
    (put({}, "model"), "does not fit this run"),
    (
        put(torch.zeros(2, 2), "optimiser", "state", 0, "momentum_buffer"),
        "the velocity of weight 0 has the shape (2, 2)",
    ),
    (put(7, "optimiser", "state", 0, "momentum_buffer"), "does not fit this run"),
    (put({"labels": None}, "config"), "the checkpoint is of another configuration"),
    (put("x", "config"), "config is 'x'; an object is needed"),
]


@pytest.mark.parametrize(("damage", "message"), CHECKPOINTS, ids=range(len(CHECKPOINTS)))
def test_a_checkpoint_that_does_not_fit_is_refused(
    damage: Callable[[dict[str, Any]], None],
    message: str,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = torch.load(trained / "checkpoint.pt", weights_only=True)
    damage(state)
    torch.save(state, tmp_path / "checkpoint.pt")
    err = said(capsys, [*TRAIN, "--resume", "--out", str(tmp_path)])
    assert message in err
    assert "another configuration" in err or err.endswith("delete it to start again\n")


def test_a_checkpoint_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asymtheory.reading.limits.UNPACKED", 2**20)
    with zipfile.ZipFile(tmp_path / "checkpoint.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(2**21))
    with pytest.raises(InputError, match=r"would unpack to .*ASYMTHEORY_MEMORY"):
        checkpoint.load(tmp_path / "checkpoint.pt")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a regular file"):
        checkpoint.load(tmp_path / "pipe")


# --------------------------------------------------------------------------------------------------------- settings


SETTINGS = [
    ("a = " + "[" * 100_000, "is nested too deeply"),
    ("a = " + "9" * 5000, "Exceeds the limit"),
    ("a" * 5 + ".a" * 20_000 + " = 1", "is nested too deeply"),
    ("epochs = 1e999999999999", "1e999999999999 has too many digits, or too large an exponent"),
    ("epochs = nan", "a whole number >= 1 is needed"),
    ("epochs = 2\nrate = inf", "rate"),
    ("loss = \"\x1b[2J\"", "Illegal character"),
    ('loss = "\\u001b[2J"', "loss '\\x1b[2J': a text in quotes without control characters is needed"),
    (" " * 60_000 + "x", "Expected"),
    ("#" + "x" * 5_000_000, "at most 2 MiB are read"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), SETTINGS, ids=range(len(SETTINGS)))
def test_settings_of_any_kind_are_refused_in_a_line(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.toml").write_text(text + "\n")
    (tmp_path / "plan.toml").write_text("[defaults]\n" + text + "\n[[runs]]\nseeds = 1\n")
    (tmp_path / "designs.toml").write_text("[defaults]\n" + text + "\n[[designs]]\nseeds = 1\n")
    for arguments in (
        ["train", "--config", str(tmp_path / "x.toml")],
        ["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out")],
        ["confirm", "--plan", str(tmp_path / "designs.toml"), "--out", str(tmp_path / "out")],
    ):
        assert message in said(capsys, arguments)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs=" + "[" * 60_000, "is nested too deeply"),
        ("epochs=" + "9" * 5000, "Exceeds the limit"),
        ("loss=" + "[" * 20_000 + "]" * 20_000, "is nested too deeply"),
        ("seeds=1000000000", "seeds 1000000000: at most 10000 is allowed"),
        ("parameters.a={times_threshold=1e400}", "parameters.a"),
        ("x" * 100_000 + "=1", "is not a setting"),
    ],
    ids=range(6),
)
def test_settings_of_the_command_line_are_refused_in_a_line(
    setting: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--set", "--only"):
        for arguments in (["sweep", "jal-table3"], ["confirm", "--plan", "confirm-grid"]):
            arguments = [*arguments, option, setting, "--out", str(tmp_path / "out"), "--dry-run"]
            assert message in said(capsys, arguments)


# ------------------------------------------------------------------------------------------------- folders of sweeps

PLAN = '[defaults]\nsubset = 100\nwidth = 0.1\nepochs = {}\n[[runs]]\nloss = "mae"\n'


def test_a_folder_of_a_sweep_that_misleads_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.format(1))
    out = tmp_path / "out"
    arguments = ["sweep", str(tmp_path / "plan.toml"), "--out", str(out)]
    (out / ".sweep-x").mkdir(parents=True)
    assert "out: .sweep-x is not a sweep's mark and cannot be removed (Is a directory)" in said(capsys, arguments)
    (out / ".sweep-x").rmdir()
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (out / ".lock").unlink()
    (out / ".lock").symlink_to(precious)
    assert f"{out}/.lock cannot be used as a lock" in said(capsys, arguments)
    assert precious.read_text() == "kept"
    (out / ".lock").unlink()
    for line, message in (("{", "is not JSON"), ('{"key": "a"}', "is missing"), ('{"key": 3}', "key is 3")):
        (out / "results.jsonl").write_text(line + "\n")
        err = said(capsys, arguments)
        assert "results.jsonl, line 1: " in err
        assert message in err


@pytest.mark.parametrize("name", [".lock", "checkpoint.pt", "config.toml"])
def test_links_in_a_folder_are_not_followed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").write_text("kept")
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(tmp_path / "precious")
    part = out / f".{name}.{os.getpid()}.part"
    part.symlink_to(tmp_path / "precious")
    main([*TRAIN, "--out", str(out)])
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_lock_may_be_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    with locked(tmp_path), pytest.raises(InputError, match="another sweep is writing there"), Store.hold(tmp_path):
        pass


@pytest.mark.slow
def test_processes_end_with_a_sweep_that_was_killed(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("looks into /proc")
    (tmp_path / "plan.toml").write_text(PLAN.format(100_000).replace("width = 0.1", "width = 0.1\nbatch = 50"))
    command = [sys.executable, "-m", "asymtheory", "sweep", str(tmp_path / "plan.toml")]
    command += ["--out", str(tmp_path / "out"), "--jobs", "2"]
    sweep = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def children() -> list[int]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[1]) == sweep.pid and words[0] != "Z":
                found.append(int(stat.parent.name))
        return found

    def until(true: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not true() and time.monotonic() < end:
            time.sleep(0.1)
        return true()

    try:
        assert until(lambda: any((tmp_path / "out").glob("runs/*/progress.json")), 100)
        workers = children()
        assert workers
    finally:
        os.kill(sweep.pid, signal.SIGKILL)
        sweep.wait()
    assert until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 20)
