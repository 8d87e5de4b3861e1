"""The one exception that people see: bad input, in one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

LONGEST = 600
"""Characters of a message at most: what was given may be a megabyte."""


class InputError(ValueError):
    """Input that cannot be used. The message is one line: what was given, what is allowed, what to do.

    Its text may come from a file: control characters and line ends are shown as ``?``, and of a very long text the
    middle is left out, so that no message writes to a terminal what it should not.

    Messages are written in the words of the command line (``--K 1: ...``). Read in Python they speak of arguments
    (``K = 1: ...``), read inside ``of_options()``, as by every command, of options.
    """

    options = False
    """Is the reader at the command line?"""

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message), LONGEST))

    def __str__(self) -> str:
        text = super().__str__()
        return text if InputError.options or "--" not in text else of_arguments(text)


class of_options:  # a function to its users, a class because contextlib is not on the start-up path
    """``with of_options():`` messages that are read inside speak of options of the command line."""

    def __enter__(self) -> None:
        self.before = InputError.options
        InputError.options = True

    def __exit__(self, *error: object) -> None:
        InputError.options = self.before


ARGUMENTS = {"solve": "parameter", "set": "", "symbolic": "", "domain": "domains:", "sweep": "values", "out": "folder"}
"""Options whose argument in Python has another name; of ``--set a=3`` the assignment alone is left."""
OPTION = r"(?<![\w-])--([A-Za-z][\w-]*)(:? ?)"
VALUE = r"(?=([^\s:'\"]+): )"
"""What a message was given, before its colon."""


def of_arguments(text: str) -> str:
    """A message in the words of Python: ``--K 1: ...`` as ``K = 1: ...``, ``--loss 'x'`` as ``loss 'x'``, ``--set a`` as ``a``."""
    import re  # late: this module is on the start-up path

    def argument(found: re.Match[str]) -> str:
        option, after, value = found.groups()
        if "asymtheory " in text[: found.start()].rpartition("(")[2].rpartition(";")[2]:
            return found.group()  # a command that is named
        name = ARGUMENTS.get(option, option.replace("-", "_"))
        if not name:
            return ""
        return f"{name} = " if value is not None and after == " " else name + after

    return re.sub(f"{OPTION}(?:{VALUE})?", argument, text)


def printable(text: str, most: int = 100) -> str:
    """Text of a file for people: on one line, without control characters, at most `most` characters (the middle goes first)."""
    if len(text) > most:
        kept = most - 3
        text = f"{text[: kept - kept // 3]}...{text[len(text) - kept // 3 :]}"
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint ``; did you mean 'x'?`` for a mistyped name, or ``''`` when nothing is near."""
    from difflib import get_close_matches

    if len(name) > 100:
        return ""
    as_written = {k.lower(): k for k in known}
    match = get_close_matches(name.lower(), list(as_written), n=1, cutoff=0.5)
    return f"; did you mean {as_written[match[0]]!r}?" if match else ""
