"""Text that holds a table: its encoding, what separates its cells, and whether its first line is a header.

Nothing here knows what the columns mean. The module imports no array library: a transition matrix in a text file is read on
the start-up path of ``asymtheory bound``.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import InputError, printable
from ..numbers.text import is_number
from .limits import MOST_CELLS, at_most, most
from .roles import ROLES, role

MARKS = "\t;,"
"""What may separate cells; the one that cuts the first lines into equally many cells is taken."""

SAMPLE = 40
"""Lines that are looked at to find out what separates the cells."""

GAPS = frozenset({"", "?", "-1", "na", "n/a", "nan", "null", "none"})
"""Cells that may stand for a missing value, in lower case."""

_BOMS = ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


@dataclass(frozen=True)
class Text:
    """The cells of a text by rows, all of one width, without the header line; the line of every row; the header.

    ``listing``: lines ``PATH LABEL``, as lists of images have them. ``comment``: the text after ``#`` in a first line.
    """

    rows: list[list[str]]
    lines: list[int]
    heads: list[str] | None
    listing: bool = False
    comment: str | None = None

    @property
    def width(self) -> int:
        """Cells in a row."""
        return len(self.rows[0]) if self.rows else len(self.heads or ())


# ------------------------------------------------------------------------------------------------------------ encoding


def decode(data: bytes, source: str) -> str:
    """UTF-8 text, with or without a byte-order mark. InputError names another encoding and the place of its first byte."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            raise InputError(
                f"{source}: is {name} text (byte-order mark at its first byte), not UTF-8; save it as UTF-8"
            )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: {_wrong_byte(data, error.start)}; save it as UTF-8") from None
    if "\0" in text:
        place = text.index("\0")
        line = text.count("\n", 0, place) + 1
        kind = "UTF-16 text without a byte-order mark" if data[1:2] == b"\0" or data[:1] == b"\0" else "not a text file"
        raise InputError(f"{source}: line {line} holds a zero byte: it is {kind}; save it as UTF-8")
    return text


def _wrong_byte(data: bytes, place: int) -> str:
    """What is wrong with the byte at `place`, and what it would be in the encoding that Windows programs use."""
    line = data.count(b"\n", 0, place) + 1
    column = place - (data.rfind(b"\n", 0, place) + 1) + 1
    letter = data[place : place + 1].decode("cp1252", "replace")
    guess = f"in cp1252 it is {letter!r}" if letter.isalpha() else "it may be cp1252 or a binary file"
    return f"is not UTF-8 text: byte 0x{data[place]:02x} at line {line}, column {column} ({guess})"


# --------------------------------------------------------------------------------------------------------------- cells


def parse(text: str, source: str, column: str | None = None) -> Text:
    """The table that a text holds. `column`: the one that was asked for by name, which then is in the header.

    Lines that start with ``#`` are left out, and blank ones, unless there is one cell a line: a missing label. InputError for
    no cells, rows of different width, cells that are not CSV, and a first line that may as well be a header as a label.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    numbered = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    comment = numbered[0][1][1:].strip() if numbered and numbered[0][1].startswith("#") else None
    sample = [line for _, line in numbered if not line.startswith("#")][:SAMPLE]
    if not sample:
        raise InputError(f"{source}: holds no numbers and no labels")
    mark = _mark(sample)
    if mark == " ":
        rows, lines, listing = _by_spaces(numbered, source)
    elif mark is None:
        last = numbered[-1][0]  # an empty line between labels is a missing label
        kept = [(n, line.strip().strip('"')) for n, line in enumerate(text.split("\n"), 1) if n <= last]
        kept = [(n, cell) for n, cell in kept if not cell.startswith("#") and (cell or n > numbered[0][0])]
        rows, lines, listing = [[cell] for _, cell in kept], [n for n, _ in kept], False
    else:
        rows, lines = _by_mark(text, mark, source)
        listing = False
    if not rows:  # quotes around nothing, lines of separators
        raise InputError(f"{source}: holds no numbers and no labels")
    _check_width(rows, lines, source)
    headed = not listing and _is_header(rows, source, column)
    heads = rows[0] if headed else None
    if headed and len(rows) == 1:
        raise InputError(f"{source}: holds a header line but no numbers and no labels below it")
    return Text(rows[1:] if headed else rows, lines[1:] if headed else lines, heads, listing, comment)


def _mark(sample: Sequence[str]) -> str | None:
    """What separates the cells: a mark, a space (for white space), or None for one cell a line."""
    present = [mark for mark in MARKS if any(mark in line for line in sample)]
    for mark in present:
        try:
            widths = {len(row) for row in csv.reader(sample, delimiter=mark, strict=True) if row}
        except csv.Error:
            continue
        if len(widths) == 1 and widths != {1}:
            return mark
    if present:
        first = [mark for mark in ",;\t" if mark in sample[0]]
        return (first or present)[0]
    parts = [line.split() for line in sample]
    widths = {len(row) for row in parts}
    numbers = all(is_number(cell) for row in parts[1:] or parts for cell in row)
    if len(widths) == 1 and widths != {1} and numbers:
        return " "
    return " " if len(parts) > 1 and all(map(_listed, sample)) else None


def _listed(line: str) -> bool:
    """Is it a line ``PATH LABEL``, the path being one by its slash or its suffix?"""
    path, _, label = line.strip().rpartition(" ")
    return bool(path and label) and ("/" in path or "\\" in path or re.search(r"\.[A-Za-z]\w{1,4}$", path) is not None)


def _by_spaces(numbered: Sequence[tuple[int, str]], source: str) -> tuple[list[list[str]], list[int], bool]:
    """Cells between white space; of a list of paths with labels, the path (which may hold spaces) and the label."""
    kept = [(n, line.strip()) for n, line in numbered if not line.startswith("#")]
    _check_cells(max(line.count(" ") for _, line in kept), source)
    listing = all(_listed(line) for _, line in kept)
    if listing:
        return [[part.strip() for part in line.rpartition(" ")[::2]] for _, line in kept], [n for n, _ in kept], True
    return [line.split() for _, line in kept], [n for n, _ in kept], False


def _by_mark(text: str, mark: str, source: str) -> tuple[list[list[str]], list[int]]:
    def lines() -> Iterator[str]:
        for line in text.split("\n"):
            if len(line) > most(MOST_CELLS):
                _check_cells(line.count(mark), source)
            yield line + "\n"

    reader = csv.reader(lines(), delimiter=mark, strict=True)
    rows, numbers = [], []
    try:
        for row in reader:
            if row and not row[0].startswith("#") and any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                numbers.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{source}: line {reader.line_num} is not CSV ({error})") from error
    return rows, numbers


def _check_cells(count: int, source: str) -> None:
    if count > most(MOST_CELLS):
        raise InputError(f"{source}: a line holds {count + 1} cells; {at_most(MOST_CELLS)}")


def _check_width(rows: Sequence[Sequence[str]], lines: Sequence[int], source: str) -> None:
    width = len(rows[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            raise InputError(f"{source}: ragged table: line {line} has {len(row)} entries, line {lines[0]} has {width}")


# -------------------------------------------------------------------------------------------------------------- header


def _is_header(rows: Sequence[Sequence[str]], source: str, column: str | None) -> bool:
    """Is the first row a header: words over numbers, known names, or cells that occur nowhere else?"""
    first = rows[0]
    if column is not None and column in first:
        return True
    if len(first) == 1:
        return _heads_a_column([row[0] for row in rows], source, column)
    numbers = [is_number(cell) or cell.lower().lstrip("+-") in ("nan", "inf", "infinity") for cell in first]
    if len(rows) == 1:
        return not any(numbers) and "" not in first
    body = rows[1:]
    if not any(numbers[1:]) and not numbers[0]:
        if "" in first[1:]:
            return False
        if any(role(cell) in ROLES for cell in first if cell):
            return True
        if all(is_number(cell) or cell.lower() in GAPS for row in body[:SAMPLE] for cell in row[1:]):
            return True
        return all(first[i] not in {row[i] for row in body} for i in range(len(first)))
    return _positions(first, body)


def _positions(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Is it 0,1,2,... (or 1,2,3,...), as pandas writes over columns without names, with or without a row index?"""
    own = first[1:] if not is_number(first[0]) else first
    if own not in ([str(i) for i in range(len(own))], [str(i + 1) for i in range(len(own))]):
        return _margins(own)
    if len(own) < len(first):
        return len(own) > 1
    return len(own) > 2 and len(body) == len(own)  # elsewhere 0,1,2 may be the weights of a sample


def _margins(own: Sequence[str]) -> bool:
    """Class numbers and a last column of totals."""
    return (
        len(own) > 2
        and not is_number(own[-1])
        and own[-1] != ""
        and all(cell.isascii() and cell.isdigit() for cell in own[:-1])
    )


def _heads_a_column(cells: Sequence[str], source: str, column: str | None) -> bool:
    """Is the first cell of one column its name? InputError where it may as well be a label."""
    first, rest = cells[0], cells[1:]
    if not rest or is_number(first) or first.lower() in GAPS:
        return False
    below = Counter(rest)
    if all(is_number(cell) or cell.lower() in GAPS for cell in below):
        return True
    if column == "1":
        return False
    known = role(first) in ROLES
    if first in below:
        return False
    if known or min(below.values()) > 1:
        return True
    raise InputError(
        f"{source}: the first line, {printable(first, 40)!r}, may be a header or a label: it occurs nowhere else. "
        f"Write {source}:{printable(first, 40)} if it is the column's name, {source}:1 if it is a label"
    )
