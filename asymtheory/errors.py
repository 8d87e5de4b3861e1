"""The one exception that people see: bad input, in one line."""

from __future__ import annotations

from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used. The message is one line: what was given, what is allowed, what to do."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint ``; did you mean 'x'?`` for a mistyped name, or ``''`` when nothing is near."""
    from difflib import get_close_matches

    as_written = {k.lower(): k for k in known}
    match = get_close_matches(name.lower(), list(as_written), n=1, cutoff=0.5)
    return f"; did you mean {as_written[match[0]]!r}?" if match else ""
