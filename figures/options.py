"""Parsers that the commands of the figures share."""

from __future__ import annotations

import argparse

from asymtheory.commands.options import Parser
from asymtheory.errors import InputError


def parser_by_name(command: str, summary: str, facts: str) -> argparse.ArgumentParser:
    """The parser of a command that shows things by name: ``asymtheory COMMAND NAME``, and ``--list`` with ``facts`` of each."""
    parser = Parser(prog=f"asymtheory {command}", description=summary)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{command}s by name (--list shows them)")
    parser.add_argument("--list", action="store_true", help=f"every {command}: {facts}")
    return parser


def wants_list(options: argparse.Namespace) -> bool:
    """Whether ``--list`` was given; InputError with names beside it."""
    if options.list and options.names:
        raise InputError(f"--list goes without names (given: {', '.join(options.names)})")
    return bool(options.list)
