"""Help texts: every command has examples, and every example is one that the command understands."""

from __future__ import annotations

import shlex

import pytest

from asymtheory import cli

LINES = [(name, line) for name, lines in cli.EXAMPLES.items() for line in lines]


def test_every_command_has_examples() -> None:
    assert set(cli.EXAMPLES) == set(cli.COMMANDS)
    assert all(line.split()[0] == name for name, line in LINES)
    assert set(cli.FIRST) <= {line for _, line in LINES}


@pytest.mark.parametrize(("name", "line"), LINES, ids=[line for _, line in LINES])
def test_an_example_is_understood(name: str, line: str) -> None:
    options = cli._parser(name).parse_args(shlex.split(line))
    assert callable(options.run)


def test_the_help_of_a_command_ends_with_its_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, last in (([], cli.FIRST[-1]), (["bound"], cli.EXAMPLES["bound"][-1])):
        with pytest.raises(SystemExit):
            cli.main([*arguments, "--help"])
        assert capsys.readouterr().out.rstrip().endswith(f"  asymtheory {last}")
