"""Text of people and files inside other languages: each has one function here, which every writer uses.

A terminal, and every message: :func:`asymtheory.errors.printable`. HTML and SVG: :func:`html.escape`, ElementTree and matplotlib.
"""

from __future__ import annotations

import re

from .errors import LONGEST, printable

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$", "±": r"$\pm$",
    "†": r"$\dagger$",
}  # fmt: skip


def latex(text: str) -> str:
    """Text in LaTeX, on one line."""
    return "".join(_LATEX.get(letter, letter) for letter in one_line(text))


def markdown(text: str, formulas: bool = False) -> str:
    """Text in Markdown, on one line: cells, links and tags do not begin in it. ``formulas``: * and _ stay, as in a_b * c."""
    found = re.sub(
        r"<(?=[A-Za-z/!?])", "&lt;", one_line(text).replace("|", r"\|").replace("](", r"]\(").replace("]:", r"]\:")
    )
    return found if formulas else found.replace("*", r"\*").replace("_", r"\_")


def mathtext(text: str) -> str:
    """Text in a figure of matplotlib, where dollar signs begin mathematics."""
    return one_line(text).replace("$", r"\$")


def spreadsheet(cell: object) -> object:
    """A cell of a CSV file: a text that a spreadsheet would run (``=``, ``+``, ``-``, ``@`` first) gets an apostrophe before it."""
    if not isinstance(cell, str):
        return cell
    text = one_line(cell)
    return f"'{text}" if text.lstrip()[:1] in tuple("=+-@") and not _NUMBER.fullmatch(text) else text


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def one_line(text: str) -> str:
    """Without line ends and control characters, at whatever length."""
    return printable(text, max(LONGEST, len(text)))
