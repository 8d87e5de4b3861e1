"""The command line: ``asymtheory bound | ratio | check | minimise | noise | losses | select | study | experiment | verify``.

Exit status: 0 answered, 1 no parameter works (or a check failed), 2 bad input, which gets one line on standard error.
Other packages add commands through the entry-point group ``asymtheory.commands``; they are looked up only when named.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from .commands.catalogue import COMMANDS
from .commands.options import ANSWERED, BAD_INPUT, join_formulas
from .commands.parsers import GROUP, extra_of, parser
from .errors import LONGEST, InputError, nearest, of_options, printable
from .layout import paint


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    with of_options():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments[0] if arguments and not arguments[0].startswith("-") else None
    try:
        if command is not None and command not in COMMANDS:
            return _plugin(command, arguments[1:])
        # a process of its own: what it imports lives to its end, so the collector need not look through it
        if argv is None:
            gc.disable()
        reader = parser(command)
        if argv is None:
            gc.freeze()
            gc.enable()
        options = reader.parse_args(join_formulas(arguments))
        if command is None:
            reader.print_help()
            return ANSWERED if not arguments else BAD_INPUT
        return int(options.run(options))
    except InputError as error:
        where = paint(f"asymtheory{f' {command}' if command else ''}:", "red", sys.stderr)
        print(f"{where} {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return ANSWERED
    except OSError as error:  # a name that is too long, a folder that may not be entered
        print(printable(f"asymtheory: {error.filename or ''}: {error.strerror or error}", LONGEST), file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("asymtheory: stopped", file=sys.stderr)
        return 130


def _plugin(command: str, arguments: list[str]) -> int:
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if command not in found:
        raise InputError(
            f"{command!r} is not a command{nearest(command, [*COMMANDS, *found])} (asymtheory --help lists them)"
        )
    try:  # the command, too: what an extra brings may be imported at its first use
        return int(found[command].load()(arguments) or ANSWERED)
    except ImportError as error:
        extra = extra_of(found[command].value)
        raise InputError(f"{command} needs an extra: pip install 'asymtheory[{extra}]' ({error})") from error
