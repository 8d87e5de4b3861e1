"""Help texts: every command has examples, and every example is one that the command understands."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from asymtheory import cli
from asymtheory.commands import catalogue
from asymtheory.commands.parsers import whole

LINES = [(name, line) for name, lines in catalogue.EXAMPLES.items() for line in lines]


@pytest.fixture(scope="module")
def everything() -> argparse.ArgumentParser:
    return whole()


def test_every_command_has_examples() -> None:
    assert set(catalogue.EXAMPLES) - {"labels inspect"} == {*catalogue.COMMANDS, *catalogue.FURTHER}
    assert all(line.startswith(name) for name, line in LINES)
    assert set(catalogue.FIRST) <= {line for _, line in LINES}
    assert all(len(text) <= 62 for text in {**catalogue.COMMANDS, **catalogue.FURTHER}.values())


@pytest.mark.parametrize(("name", "line"), LINES, ids=[line for _, line in LINES])
def test_an_example_is_understood(name: str, line: str, everything: argparse.ArgumentParser) -> None:
    if name == "labels inspect" or line.startswith("labels inspect"):
        pytest.skip("labels reads its second word itself")
    everything.parse_args(shlex.split(line.split(" > ")[0]))


def test_the_help_of_a_command_ends_with_its_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("", *catalogue.EXAMPLES):
        with pytest.raises(SystemExit):
            cli.main([*name.split(), "--help"])
        last = catalogue.EXAMPLES[name][-1] if name else catalogue.FIRST[-1]
        assert capsys.readouterr().out.rstrip().endswith(f"  asymtheory {last}"), name


def test_the_help_names_every_command_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main([]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for name, text in {**catalogue.COMMANDS, **catalogue.FURTHER}.items():
        assert any(line.startswith(f"{name} {text}") for line in lines), name


@pytest.mark.parametrize(
    "line",
    ["select --K 10 --eta 0.4 --losses amse,jal-ce", "losses", "losses agce", "noise", "noise cifar10n-worse",
     "bound --loss agce --solve q --set a=0.5 --K 10 --eta 0.2,0.4", "bound --loss amse --noise cifar10n-worse",
     "check --loss jal-ce --set a=5 --noise cifar10n-worse", "ratio --loss aul", "verify --claim jal-thm41 --quick",
     "guarantee --loss amse --set a=30 --K 10 --eta 0.4"],
)  # fmt: skip
def test_an_answer_keeps_to_the_width(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = 60
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("asymtheory.atlas.names", lambda: ("ce", "agce", "jal-fl", "taylor-ce"))
    cli.main(line.split())
    narrow = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) <= columns
    monkeypatch.delenv("COLUMNS")  # a pipe has the full width
    cli.main(line.split())
    wide = capsys.readouterr().out
    lost = {word for word in wide.split() if len(word) < columns - 20} - set(narrow.split())
    assert not lost or "left out at" in narrow, lost


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    cli.main("bound --loss amse --K 10 --eta 0.8".split())
    assert "\x1b[1m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    cli.main("bound --loss amse --K 10 --eta 0.8".split())
    assert "\x1b" not in capsys.readouterr().out


def test_words_are_explained_where_they_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main("bound --loss amse --K 10 --eta 0.8".split())
    answer, _, words = capsys.readouterr().out.partition("words:\n")
    assert "phi_k" in answer
    for word in ("phi_k", "binding", "clean level"):
        assert f"  {word} " in words


@pytest.mark.parametrize(
    "command", ["bound --loss amse", "noise", "check --loss amse --set a=9", "select --losses amse"]
)
def test_the_rate_that_was_typed_is_kept(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, *rest = command.split()
    cli.main([name, *(["cifar10"] if name == "noise" else ["--noise", "cifar10"]), "--eta", "0.4", *rest])
    out = capsys.readouterr().out
    assert name == "check" or "0.2 on average (eta = 0.4)" in out


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_shell_completes(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("shtab", reason="the extra completion is not installed")
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(
        name in script
        for name in (*catalogue.COMMANDS, *catalogue.FURTHER, "--write-config", "jal-ce", "cifar10n-worse")
    )
    if shell == "bash" and shutil.which("bash"):
        (tmp_path / "script").write_text(script)
        ask = (
            "source ./script; COMP_WORDS=(asymtheory bo); COMP_CWORD=1; "
            "_shtab_asymtheory asymtheory bo asymtheory; echo ${COMPREPLY[@]}"
        )
        found = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert found.stdout.split() == ["bound"]
