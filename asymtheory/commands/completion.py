"""``asymtheory completion``: the script with which a shell completes commands, options and names.

The script holds all of it, so that pressing TAB starts no Python; it is written again after an update.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from ..errors import InputError, nearest
from ..losses.registry import names
from ..noise.models import KINDS
from .options import ANSWERED

SHELLS = ("bash", "zsh")
FILES = ("FILE", "DIR", "PATH", "PLAN")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("shell", metavar="SHELL", help="bash or zsh")


def run(given: argparse.Namespace) -> int:
    """Print the script."""
    if given.shell not in SHELLS:
        raise InputError(f"{given.shell!r}: bash or zsh is needed{nearest(given.shell, SHELLS)}")
    try:
        import shtab  # of the extra `completion`
    except ImportError as error:
        raise InputError(f"completion needs an extra: pip install 'asymtheory[completion]' ({error})") from error
    from .parsers import whole  # late: it imports every command

    parser = whole()
    for action in _actions(parser):
        if found := _values(action):
            action.choices = found  # this parser is never used to read a command line
        elif str(action.metavar).split("[")[0] in FILES:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=given.shell))
    return ANSWERED


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option of a parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)
        else:
            yield action


def _values(action: argparse.Action) -> Iterable[str] | None:
    """The names that an option takes, where they are known."""
    if "--loss" in action.option_strings:
        return list(names())
    if "--noise" in action.option_strings:
        return list(KINDS)
    return None
