"""The one exception that people see: bad input, in one line."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 600
"""Characters of a message at most: what was given may be a megabyte."""


class InputError(ValueError):
    """Input that cannot be used. The message is one line: what was given, what is allowed, what to do.

    Its text may come from a file: control characters and line ends are shown as ``?``, and of a very long text the
    middle is left out, so that no message writes to a terminal what it should not.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message), LONGEST))


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
