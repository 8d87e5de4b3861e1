"""Help texts: every command has examples, and every example is one that the command understands."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
from collections.abc import Callable
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


@pytest.fixture
def completion(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[[str], Path]:
    """The script of a shell, in a file."""

    def script(shell: str) -> Path:
        pytest.importorskip("shtab", reason="the extra completion is not installed")
        assert cli.main(["completion", shell]) == 0
        (tmp_path / shell).write_text(capsys.readouterr().out)
        return tmp_path / shell

    return script


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_script_has_every_name(shell: str, completion: Callable[[str], Path]) -> None:
    script = completion(shell).read_text()
    named = (*catalogue.COMMANDS, *catalogue.FURTHER, "--write-config", "jal-ce", "cifar10n-worse")
    assert [name for name in named if name not in script] == []


def test_bash_completes_what_is_typed(completion: Callable[[str], Path]) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash on this machine")
    typed = {
        "asymtheory bo": ["bound"],
        "asymtheory se": ["select"],
        "asymtheory bound --symb": ["--symbolic"],
        "asymtheory bound --loss jal-": ["jal-ce", "jal-fl"],
        "asymtheory select --noise cifar10n-w": ["cifar10n-worse"],
        "asymtheory completion z": [],
    }
    # as bash itself does it: the function that `complete` has registered, with the words and the place of the cursor
    ask = "source ./bash; f=$(complete -p asymtheory | sed 's/.*-F \\([^ ]*\\).*/\\1/'); " + " ".join(
        f"COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=(); "
        f"$f asymtheory '{line.split()[-1]}' '{line.split()[-2]}'; echo ${{COMPREPLY[@]}};"
        for line in typed
    )
    folder = completion("bash").parent
    found = subprocess.run(["bash", "--norc", "-c", ask], cwd=folder, capture_output=True, text=True, check=True)
    assert [line.split() for line in found.stdout.splitlines()] == list(typed.values())


def test_zsh_reads_the_script(completion: Callable[[str], Path]) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("no zsh on this machine")
    script = completion("zsh")
    subprocess.run(["zsh", "-n", script.name], cwd=script.parent, check=True)
    # as its completion system finds it: a file of the function's name, whose first line names the command
    assert script.read_text().startswith("#compdef asymtheory\n")
    script.rename(script.parent / "_asymtheory")
    ask = "fpath=($PWD $fpath); autoload -Uz +X _asymtheory && whence -w _asymtheory"
    found = subprocess.run(["zsh", "-f", "-c", ask], cwd=script.parent, capture_output=True, text=True)
    assert found.stdout == "_asymtheory: function\n", found.stderr
