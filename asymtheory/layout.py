"""Text for people at the width that they have: tables that wrap or leave columns out with a word, lines that wrap, colours.

A width is in force only while :func:`say` makes an answer's text for a terminal, or where COLUMNS is set. Elsewhere, in a pipe,
a file or a notebook, every table has its full width. On the command line's start-up path: nothing is imported but os and sys.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: ContextVar[int | None] = ContextVar("width", default=None)
"""The columns that a text may take; None: as many as it needs."""
NARROWEST, LEAST_CELL = 20, 12
GAP = "  "
CODES = {"bold": "1", "red": "31", "yellow": "33"}


def columns(stream: TextIO | None = None) -> int | None:
    """The columns of a stream: COLUMNS where that is set, else those of the terminal; None where it is not a terminal."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given) > 0:
        return max(NARROWEST, int(given))
    try:
        return max(NARROWEST, os.get_terminal_size((stream or sys.stdout).fileno()).columns)
    except (OSError, ValueError, AttributeError):
        return None


def table(
    rows: Sequence[Sequence[str]],
    *,
    right: frozenset[int] = frozenset(),
    indent: str = "",
    drop: Sequence[str] = (),
    width: int | None = None,
) -> list[str]:
    """Lines of a table whose first row is its head.

    ``right``: columns that are aligned to the right. Where the width (default: the one in force) is too small, cells wrap at
    spaces; where that does not do, whole columns go, those with the heads ``drop`` first and then the last ones, and a line
    says which.
    """
    if not rows:
        return []
    cells = [list(row) for row in rows]
    width = width or WIDTH.get()
    gone: list[str] = []
    right_heads = {cells[0][i] for i in right if i < len(cells[0])}
    first = [head for head in drop if head in cells[0]]
    while width is not None and _least(cells, indent) > width and len(cells[0]) > 2:
        place = cells[0].index(first.pop(0)) if first else len(cells[0]) - 1
        gone.append(cells[0][place])
        cells = [row[:place] + row[place + 1 :] for row in cells]
    widths = _widths(cells, indent, width)
    lines = []
    for row in cells:
        parts = [wrap(cell, w) if w < len(cell) else [cell] for cell, w in zip(row, widths, strict=True)]
        for i in range(max(map(len, parts))):
            line = [part[i] if i < len(part) else "" for part in parts]
            shown = [
                c.rjust(w) if head in right_heads else c.ljust(w)
                for c, w, head in zip(line, widths, cells[0], strict=True)
            ]
            lines.append((indent + GAP.join(shown)).rstrip())
    if gone:
        lines += wrap(
            f"{indent}(left out at {width} columns: {', '.join(gone)}; a pipe, --json or a wider window has them)",
            width,
        )
    return lines


def _words(cells: list[list[str]]) -> list[int]:
    """The width of every column below which a word is cut; long words may be."""
    return [
        max(min(max(map(len, cell.split()), default=0), LEAST_CELL) for cell in column)
        for column in zip(*cells, strict=True)
    ]


def _least(cells: list[list[str]], indent: str) -> int:
    """The least width of the table."""
    words = _words(cells)
    return len(indent) + sum(words) + len(GAP) * (len(words) - 1)


def _widths(cells: list[list[str]], indent: str, width: int | None) -> list[int]:
    """Natural widths; where they are too many, the widest columns give way first."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if width is None:
        return widths
    least = _words(cells)
    over = len(indent) + sum(widths) + len(GAP) * (len(widths) - 1) - width
    while over > 0:
        place = max(range(len(widths)), key=lambda i: (widths[i] - least[i], widths[i]))
        if widths[place] <= 1:  # two columns that do not fit stay as they are
            break
        widths[place] -= 1
        over -= 1
    return widths


def wrap(text: str, width: int | None, hang: int = 0) -> list[str]:
    """A line at most ``width`` wide, cut at spaces (inside a word only where it does not fit); further lines hang."""
    if width is None or len(text) <= width:
        return [text]
    import textwrap  # late: most lines fit

    start = len(text) - len(text.lstrip(" "))
    return textwrap.wrap(
        text[start:],
        width,
        initial_indent=text[:start],
        subsequent_indent=" " * min(max(hang, start), width // 2),
        break_on_hyphens=False,
    ) or [""]


def lines_fitted(text: str, width: int | None) -> str:
    """Every line within the width; what follows a label and two spaces hangs beneath itself."""
    if width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in wrap(line, width, _hang(line)))


def _hang(line: str) -> int:
    """Where the text after a short label starts: ``  binding   every class`` gives 12."""
    start = len(line) - len(line.lstrip(" "))
    label = line.find(GAP, start)
    if label < 0 or label - start > 16:
        return start + 2 if start < 8 else start
    return len(line) - len(line[label:].lstrip(" "))


def coloured(stream: TextIO) -> bool:
    """May a stream have colours: a terminal, and NO_COLOR (no-color.org) not set."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, colour: str, stream: TextIO) -> str:
    """A text in a colour, where the stream may have one."""
    return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if coloured(stream) else text


def say(answer: object) -> None:
    """Print an answer for people: at the width of the terminal, its first line bold and its warnings yellow on one.

    A function is called for its text while the width is in force.
    """
    width = columns()
    token = WIDTH.set(width)
    try:
        text = lines_fitted(str(answer() if callable(answer) else answer), width)
    finally:
        WIDTH.reset(token)
    if not coloured(sys.stdout):
        print(text)
        return
    for i, line in enumerate(text.split("\n")):
        colour = "bold" if i == 0 else "yellow" if line.startswith("warning:") else None
        print(paint(line, colour, sys.stdout) if colour else line)
