"""Hostile names in every writer: what a reader of the file, a browser, a spreadsheet or a terminal would do with them."""

from __future__ import annotations

import csv
import io
import json
import os
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from asymtheory import escapes
from asymtheory.cli import main
from asymtheory.errors import LONGEST
from asymtheory.reading.text import parse
from asymtheory.writing import check_writable, replace_file, write_file, write_files

HOSTILE = (
    "--><meta http-equiv=refresh content=0>", "<script>alert(1)</script>", "age<5", "a|b", "two\nlines", "\x1b[2Jred",
    "[x](javascript:alert(1))", "=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "$x$", r"$\frac{", r"\input{x}", "100 %",
    "\u202eabc", "a`b`", "{x}", "#1", "&amp;", "~^_",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_a_name(name: str) -> None:
    for written in (
        escapes.latex(name),
        escapes.markdown(name),
        escapes.markdown(name, formulas=True),
        escapes.mathtext(name),
    ):
        assert written.isprintable()
    tex = (
        escapes.latex(name)
        .replace(r"\textbackslash{}", "")
        .replace(r"\textasciitilde{}", "")
        .replace(r"\textasciicircum{}", "")
    )
    for mark in "%#&_{}~^":
        assert mark not in tex.replace("\\" + mark, "")
    shown = escapes.markdown(name)
    assert "](" not in shown
    assert "|" not in shown.replace(r"\|", "")
    assert not any(f"<{letter}" in shown for letter in "abcdefghijklmnopqrstuvwxyz/!?")
    cell = str(escapes.spreadsheet(name))
    assert cell.lstrip()[0] not in "=+-@"
    assert cell.isprintable()


@pytest.mark.parametrize("number", ["-1.5", "+3", "1e-5", "-.5", 2, None, 0.25])
def test_numbers_stay_numbers_in_a_spreadsheet(number: object) -> None:
    assert escapes.spreadsheet(number) == number


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)


def pairs(folder: Path, names: tuple[str, str]) -> Path:
    """Label pairs of two classes, mostly right."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(("clean", "noisy"))
    writer.writerows([(name, name) for name in names] * 8 + [(names[0], names[1]), (names[1], names[0])])
    (folder / "names.csv").write_text(buffer.getvalue())
    return folder / "names.csv"


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "#1"])  # which would be a comment in the file
def test_every_command_writes_a_hostile_class_on_lines_of_its_own(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "asymtheory.selection.select.names_compared", lambda: ("mae", "amse")
    )  # what is ranked has no part in it
    file = pairs(tmp_path, (name, "dog"))
    config = tmp_path / "run.toml"
    for arguments in (
        ["noise", str(file)],
        ["bound", "--loss", "mae", "--noise", str(file)],
        ["check", "--loss", "mae", "--noise", str(file)],
        ["guarantee", "--loss", "mae", "--noise", str(file)],
        ["select", "--noise", str(file), "--write-config", str(config), "--dataset", "digits"],
        ["select", "--noise", str(file), "--format", "markdown"],
        ["select", "--noise", str(file), "--format", "json"],
    ):
        assert main(arguments) in (0, 1), arguments
        out, err = capsys.readouterr()
        assert all(line.isprintable() for line in (out + err).split("\n"))
        if "markdown" in arguments:
            assert "](" not in out
            assert not any(tag in out for tag in ("<meta", "<script"))
        if "json" in arguments:
            json.loads(out)
    tomllib.loads(config.read_text())


def test_a_report_has_no_tag_of_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    reports = []
    for names in (("cat", "dog"), (HOSTILE[0] + HOSTILE[1], HOSTILE[2] + "</title></style>")):
        out = tmp_path / "report.html"
        assert main(["report", "--noise", str(pairs(tmp_path, names)), "--figures", "none", "--out", str(out)]) == 0
        assert "names.csv read as label pairs: " in capsys.readouterr().err
        tags = Tags()
        tags.feed(out.read_text(encoding="utf-8"))
        reports.append(tags.found)
    assert reports[0] == reports[1]


# ---------------------------------------------------------------------------------------------------------- writing


def test_a_file_is_written_whole_and_nothing_else(tmp_path: Path) -> None:
    precious, target = tmp_path / "precious", tmp_path / "out"
    precious.write_text("kept")
    (tmp_path / f".out.{os.getpid()}.part").symlink_to(precious)
    replace_file(target, b"one")
    replace_file(target, b"two")
    target.unlink()
    target.symlink_to(precious)
    write_file(target, "three")  # the link is replaced
    check_writable(tmp_path / "new", "--out")
    assert precious.read_text() == "kept"
    assert target.read_text() == "three"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "precious"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "out").write_text("before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"^--out .*second: cannot be written \(No space left on device\)$"):
        write_files({tmp_path / "second": b"2", tmp_path / "out": b"1"}, "--out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "before"


@pytest.mark.parametrize(
    "arguments",
    [
        "select --K 10 --eta 0.1 --write-config {}",
        "report --figures none --out {}",
        "check --loss mae --weights 0.6,0.4 --certificate {}.v",
    ],
)
def test_commands_do_not_replace_devices_or_folders(
    arguments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.v").symlink_to("/dev/full")
    for target in ("/dev/full", str(tmp_path)) if not arguments.endswith(".v") else (str(tmp_path / "x"),):
        assert main(arguments.format(target).split()) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not Path("/dev/full").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["x.v"]


# ------------------------------------------------------------------------------------------------------------ limits


def test_limits_can_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "1," * 100_001 + "1\n"
    with pytest.raises(
        ValueError, match=r"a line holds 100002 cells; at most 100000 is allowed \(set ASYMTHEORY_COUNTS=N"
    ):
        parse(line, "x.csv", None)
    monkeypatch.setenv("ASYMTHEORY_COUNTS", "200000")
    assert parse(line, "x.csv", None).width == 100_002
    monkeypatch.setenv("ASYMTHEORY_COUNTS", "many")
    with pytest.raises(ValueError, match="ASYMTHEORY_COUNTS=many: a whole number such as 1000000 is needed"):
        parse(line, "x.csv", None)


COMMANDS = (
    "bound check guarantee ratio noise losses select experiment verify figure report table train sweep confirm tune labels"
).split()


@pytest.mark.parametrize("command", COMMANDS)
def test_long_arguments_are_shortened_in_every_message(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    for arguments in (["x" * 100_000], ["--set", "x" * 100_000], ["--" + "y" * 100_000], ["x", "--K", "9" * 100_000]):
        assert main([command, *arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err) < LONGEST + 60
        assert err.count("\n") == 1
        assert err[:-1].isprintable()
