"""The parsers of the commands: of one alone, for start-up time, or of all of them, for completion."""

from __future__ import annotations

import argparse
from importlib import import_module

from .. import __version__
from .catalogue import COMMANDS, EXAMPLES, FIRST, FURTHER, examples
from .options import Parser

GROUP = "asymtheory.commands"
"""The entry points of commands that other packages bring."""


def extra_of(target: str) -> str:
    """The extra that brings an entry point's module: ``training`` for ``asymtheory_training.cli:train``."""
    return target.split(":")[0].split(".")[0].removeprefix("asymtheory_")


def _further() -> str:
    """The commands that extras and other packages bring, one a line, with what has to be installed for them."""
    from importlib.metadata import entry_points

    found = {entry.name: extra_of(entry.value) for entry in entry_points(group=GROUP)}
    order = [*(name for name in FURTHER if name in found), *sorted(set(found) - set(FURTHER))]
    lines: list[str] = []
    for extra in dict.fromkeys(found[name] for name in order):
        lines += ["", f"with the extra {extra}:"]
        lines += [f"  {name:<10}  {FURTHER.get(name, '')}".rstrip() for name in order if found[name] == extra]
    return "\n".join(lines[1:])


def top(**options: str | None) -> Parser:
    """The parser of the program itself."""
    parser = Parser(
        prog="asymtheory",
        description="Which hyper-parameters make a noise-robust loss asymmetric (hence noise-tolerant), exactly.",
        **options,
    )
    parser.add_argument("--version", action="version", version=f"asymtheory {__version__}")
    return parser


def parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; for a named command with that one alone, and with the usage text spelt out, for start-up time."""
    found = top(epilog=f"{_further()}\n\n{examples(*FIRST)}".strip() if command is None else None)
    commands = found.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser, prog=found.prog)
    for name, summary in COMMANDS.items():
        if command in (None, name):
            sub = commands.add_parser(name, help=summary, description=summary, epilog=examples(*EXAMPLES[name]))
            if name == command:
                _fill(sub, name)
    return found


def _fill(sub: argparse.ArgumentParser, name: str) -> None:
    """Give a command of the core its options."""
    module = import_module(f".{name}", __package__)
    module.options(sub)
    if name != "completion":
        sub.add_argument("--json", action="store_true", help="the same facts as JSON")
    sub.set_defaults(run=module.run)


def whole() -> argparse.ArgumentParser:
    """The parser of every command with all its options, those of the extras that are installed among them."""
    from importlib.metadata import entry_points

    found = top()
    commands = found.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser, prog=found.prog)
    for name, summary in COMMANDS.items():
        _fill(commands.add_parser(name, help=summary), name)
    for entry in entry_points(group=GROUP):
        try:
            build = getattr(import_module(entry.module), "build_parser", None)
        except ImportError:  # its extra is not installed
            continue
        if build is not None:
            commands.add_parser(
                entry.name, help=FURTHER.get(entry.name), parents=[build()], add_help=False, epilog=None
            )
    return found
