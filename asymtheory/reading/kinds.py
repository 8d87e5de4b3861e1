"""What a table means: label pairs, a transition matrix, counts, posteriors, votes, or the labels of annotators.

The names of columns and entries decide where they say it, then the numbers; where two readings are possible both are named and
none is taken. ``KIND:FILE`` says which is meant (``votes:table.csv``). Every reading is one sentence that commands print.

The module imports no array library, for a text file with a transition matrix is read on the start-up path of
``asymtheory bound``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ..errors import InputError, nearest, printable
from ..numbers.text import is_number, parse_number
from .files import TABLES, read_file
from .roles import find, plain, role
from .table import Cells, Grid, Table
from .text import GAPS

KINDS = {
    "pairs": "a column of noisy and one of clean labels",
    "matrix": "a transition matrix, rows true classes",
    "counts": "a table of counts, rows true classes, columns labels",
    "posteriors": "class weights of every sample",
    "votes": "how many annotators gave each class to a sample",
    "annotators": "a column of labels for every annotator, or item,annotator,label",
}
"""What a file may be said to be, as ``KIND:FILE``."""

KEYS = {
    "counts": "counts", "confusion": "counts", "confusion_matrix": "counts", "crosstab": "counts", "t": "matrix",
    "transition": "matrix", "transition_matrix": "matrix", "matrix": "matrix", "posteriors": "posteriors",
    "posterior": "posteriors", "probs": "posteriors", "probabilities": "posteriors", "pred_probs": "posteriors",
    "votes": "votes", "annotators": "annotators", "annotations": "annotators",
}  # fmt: skip
"""Names of entries and files that say what a table is."""

TOTALS = frozenset({"all", "total", "totals", "sum", "margin", "margins", "grand_total"})

EXACT_CELLS = 20_000
"""Tables of samples up to this many cells keep their exact decimals, larger ones are read as floats."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What a table was read as.

    ``kind``: a key of ``KINDS``. ``grid``: the numbers, where it is a table, ``names`` its class names (None: numbers).
    ``table``: the columns, where it is pairs or annotators. ``sentence``: how it was read, for people.
    """

    kind: str
    sentence: str
    source: str
    grid: Grid = None
    names: tuple[str, ...] | None = None
    table: Table | None = None


def split_kind(spec: str) -> tuple[str | None, str]:
    """``votes:table.csv`` as the kind that is meant and the file."""
    kind, colon, path = spec.partition(":")
    return (kind, path) if colon and path and kind in KINDS else (None, spec)


def read_noise_file(spec: str | os.PathLike[str]) -> Reading:
    """What a file of noise means: ``FILE``, ``KIND:FILE``, or ``FILE:NAME`` for one table of several."""
    kind, path = split_kind(os.fspath(spec))
    table, name = read_file(path)
    if name is not None:
        if name not in table.grids:
            raise InputError(
                f"{table.source}: {printable(name, 40)!r} is not a table in it (it holds: {table.listed()})"
                f"{nearest(name, table.grids)}; one column of labels is not yet a noise: give two, clean and noisy"
            )
        table = replace(table, grids={name: table.grids[name]}, columns={})
    return recognise(table, kind, plain(os.path.splitext(os.path.basename(table.source))[0]))


def recognise(table: Table, kind: str | None = None, stem: str = "") -> Reading:
    """What a table means. `kind`: what it is said to be. `stem`: the name of its file, which may say it, too."""
    if kind in ("pairs", "annotators"):
        return Reading(kind, "", table.source, table=table)
    if table.grids:
        return _of_grids(table, kind, stem)
    if not table.columns:
        raise InputError(f"{table.source}: holds {table.listed()}; needed is {_needed()}")
    if not table.tabular or table.listing:
        return _of_columns(table)
    return _of_rows(table, kind, stem)


def _needed() -> str:
    return f"one of {', '.join(TABLES)}, or both clean and noisy"


# --------------------------------------------------------------------------------------- named tables and named columns


def _of_grids(table: Table, kind: str | None, stem: str) -> Reading:
    """An entry whose name says what it is, or the only one there is."""
    known = [key for key in TABLES if key in table.grids]
    key = known[0] if known else next(iter(table.grids)) if len(table.grids) == 1 else None
    if key is None or (not known and _pair_heads(table) is not None):
        return _of_columns(table)
    grid = table.grids[key]
    names = table.classes
    said = kind or KEYS.get(plain(key)) or KEYS.get(stem)
    if not key and table.index is not None:
        names = None
    return _numbers(table.source, grid, names, said, f"{key}, " if key else "", forced=kind is not None)


def _of_columns(table: Table) -> Reading:
    """A label pair among named columns; InputError that lists what there is."""
    if _pair_heads(table) is None:
        if len(find(table.columns, "annotation")) > 1:
            return Reading("annotators", "", table.source, table=table)
        held = table.listed()
        if not table.headed and len(table.columns) == 1:
            cells = next(iter(table.columns.values()))
            shape = getattr(cells, "shape", None)
            if shape is not None and cells.dtype.kind == "V":
                raise InputError(f"{table.source}: array of {cells.dtype}; numbers are needed")
            if shape is not None:
                raise InputError(f"{table.source}: array of shape {shape}; two axes are needed (a table)")
            raise InputError(
                f"{table.source}: row 0 is {printable(str(cells[0]), 40)!r}, not a row of numbers; a table with two axes is "
                "needed (for labels: select --labels FILE --clean FILE)"
            )
        if table.listing:
            held = "lines PATH LABEL, one label a sample"
            raise InputError(
                f"{table.source}: holds {held}; a noise needs the clean labels, too: asymtheory select --labels "
                f"{table.source} --clean FILE (samples are matched by their paths)"
            )
        raise InputError(f"{table.source}: holds {held}; needed is {_needed()}")
    return Reading("pairs", "", table.source, table=table)


def _pair_heads(table: Table) -> tuple[str, str] | None:
    """The columns of noisy and clean labels, where the names say which they are."""
    if not table.headed:
        return None
    heads = table.label_columns()
    noisy, clean, either = (find(heads, side) for side in ("noisy", "clean", "label"))
    if len(noisy) > 1:
        noisy = [head for head in noisy if plain(head) in ("noisy", "noisy_label", "given", "given_label")]
    if len(clean) > 1:
        clean = [head for head in clean if plain(head) in ("clean", "clean_label", "true", "true_label")]
    if len(clean) == 1 and not noisy:
        noisy = either if len(either) == 1 else []
        others = [head for head in heads if head != clean[0]]
        noisy = noisy or (others if len(others) == 1 and table.tabular else [])
    if len(noisy) == 1 and not clean:
        clean = either if len(either) == 1 else []
    return (noisy[0], clean[0]) if len(noisy) == len(clean) == 1 and noisy != clean else None


def pair_heads(table: Table) -> tuple[str, str]:
    """The columns of noisy and clean labels; InputError where the names do not say which they are."""
    found = _pair_heads(table)
    if found is None:
        raise InputError(
            f"{table.source} holds {table.listed()}: which are the noisy and the clean labels is not said; name them noisy and "
            f"clean, or give asymtheory select --labels {table.source}:NAME --clean {table.source}:NAME"
        )
    return found


# ------------------------------------------------------------------------------------------------------- rows of cells


def _of_rows(table: Table, kind: str | None, stem: str) -> Reading:
    """A table of columns: pairs and annotators by their names, else numbers with or without names of classes."""
    source = table.source
    if kind is None:
        heads = table.heads
        if table.headed and (len(find(heads, "annotation")) > 1 or _is_long(heads)):
            return Reading("annotators", "", source, table=table)
        if _pair_heads(table) is not None:
            return Reading("pairs", "", source, table=table)
        if len(heads) == 1 or (table.headed and len(table.label_columns()) == 1 and not _numeric(table, heads)):
            return _one_column(table)
    said = kind or KEYS.get(stem)
    rows = _row_names(table)
    if rows is not None:
        return _crosstab(table, rows, kind)
    table, left = without_index(table)
    if not _numeric(table, table.heads):
        _refuse_words(table)
    grid = numbers_of(table)
    names = class_heads(table)
    ahead = f"{left} left out, " if left else ""
    return _numbers(source, grid, names, said, ahead, forced=kind is not None)


def _one_column(table: Table) -> Reading:
    heads = table.heads
    if len(heads) == 1 and _numeric(table, heads):
        raise InputError(f"{table.source}: 1 column; at least 2 classes are needed")
    raise InputError(
        f"{table.source}: holds one column of labels ({table.place(table.label_columns()[-1])}); a noise needs the clean labels, "
        f"too: asymtheory select --labels {table.source} --clean FILE"
    )


def _is_long(heads: Sequence[str]) -> bool:
    """Are they item, annotator, label?"""
    return bool(find(heads, "annotator")) and len(find(heads, "label") or find(heads, "noisy")) == 1 and len(heads) >= 3


def _numeric(table: Table, heads: Sequence[str]) -> bool:
    """Do the first cells of these columns hold numbers?"""
    return all(_is_number_cell(cell) for head in heads for cell in list(table.columns[head][:40]))


def _is_number_cell(cell: Any) -> bool:
    if isinstance(cell, str):
        return is_number(cell) or cell.strip().lower().lstrip("+-") in ("nan", "inf", "infinity", "")
    return cell is None or not isinstance(cell, bytes | list | dict)


def _refuse_words(table: Table) -> None:
    """InputError that names the first cell that is not a number, or the columns of labels that lack names."""
    words = [head for head in table.heads if not _numeric(table, [head])]
    if len(words) == len(table.columns) and not any(
        is_number(cell) for head in words for cell in table.columns[head][:40] if isinstance(cell, str)
    ):
        raise InputError(
            f"{table.source} holds {len(words)} columns of words ({table.listed()}): which are the noisy and the clean labels "
            f"is not said; name them noisy and clean, or give asymtheory select --labels {table.source}:NAME --clean "
            f"{table.source}:NAME"
        )
    numbers_of(table)


def without_index(table: Table) -> tuple[Table, str]:
    """The table without the column that only counts or names its rows, and what was left out."""
    heads = table.heads
    if len(heads) < 3 and not (table.headed and heads[0] == "" and len(heads) > 1):
        found = [head for head in find(heads, "index") if head] if table.headed and len(heads) > 2 else []
    else:
        found = find(heads, "index") if table.headed else []
    if not found and not table.headed and len(heads) > 2:
        first = list(table.columns[heads[0]])
        if all(isinstance(cell, str) and not is_number(cell) for cell in first[:40]) and _numeric(table, heads[1:]):
            found = heads[:1]
    if not found and table.headed and len(heads) > 2:
        first = list(table.columns[heads[0]])
        if all(isinstance(cell, str) and not is_number(cell) for cell in first[:40]) and len(set(first)) == len(first):
            found = heads[:1]
    for head in found:
        cells = list(table.columns[head])
        if len(set(map(str, cells))) < len(cells) or len(table.columns) < 3:
            continue
        left = f"index `{printable(head, 40)}`" if head and table.headed else "the index column"
        return table.without(head), left
    return table, ""


def class_heads(table: Table) -> tuple[str, ...] | None:
    """The heads as class names, unless they are 0..K-1 or there are none."""
    if table.classes is not None:
        return table.classes
    heads = tuple(printable(head) for head in table.heads)
    return None if not table.headed or heads == tuple(map(str, range(len(heads)))) else heads


def numbers_of(table: Table) -> Grid:
    """The cells of a table as rows of numbers: arrays stacked, text exact where it is not too large.

    A comma in a cell is a decimal one. InputError names the line and column of a cell that is not a number.
    """
    columns = list(table.columns.values())
    if all(getattr(cells, "dtype", None) is not None and cells.dtype.kind in "iufb" for cells in columns):
        from .arrays import np  # late: arrays are not on the start-up path

        return np.column_stack(columns)
    length = len(columns[0])
    exact = length * len(columns) <= EXACT_CELLS or length == len(columns)
    commas = any(isinstance(cell, str) and "," in cell for cells in columns for cell in cells[:40])
    known: dict[str, Any] = {}
    convert: Callable[[str], Any] = parse_number if exact else float
    grid: list[list[Any]] = []
    for i in range(length):
        row = []
        for j, cells in enumerate(columns):
            cell = cells[i]
            if isinstance(cell, str):
                value = known.get(cell)
                if value is None:
                    value = _converted(cell.replace(",", ".") if commas else cell, convert, table, i, j)
                    if len(known) < EXACT_CELLS:
                        known[cell] = value
                row.append(value)
            else:
                row.append(cell)
        grid.append(row)
    return grid


def _converted(cell: str, convert: Callable[[str], Any], table: Table, i: int, j: int) -> Any:
    try:
        return convert(cell)
    except ValueError:
        line = table.lines[i] if table.lines is not None else i + 1
        raise InputError(
            f"{table.source}: line {line}, column {j + 1}: {printable(cell, 40)!r} is not a finite number; "
            "write it like 0.8, 4/5 or 1e-3"
        ) from None


# ------------------------------------------------------------------------------------------- rows that have names (crosstabs)


def _row_names(table: Table) -> list[str] | None:
    """The names of the rows, where most of them are names of columns, too; None where there are none."""
    if table.index is not None:
        return (
            [str(name) for name in table.index] if _crossed([str(n) for n in table.index], table.heads, table) else None
        )
    if not table.headed or len(table.columns) < 3:
        return None
    first, *heads = table.heads
    names = [str(cell) for cell in table.columns[first]]
    return names if _crossed(names, heads, table) else None


def _crossed(names: Sequence[str], heads: Sequence[str], table: Table) -> bool:
    rows, columns = ({name for name in each if plain(name) not in TOTALS} for each in (names, heads))
    if len(names) != len(set(names)) or not columns or not rows:
        return False
    if len(rows & columns) < 2 or 2 * len(rows & columns) < len(rows | columns):
        return False
    numbered = all(name.isdigit() for name in rows | columns)
    if (
        numbered and rows != columns
    ):  # an index 0, 1, 2 over classes 0, 1, 2: only whole counts with a named corner are crossed
        corner = plain(table.heads[0]) if table.index is None else ""
        return corner not in ("", "index", "id") and len(rows) < 2 * len(columns)
    return True


def _crosstab(table: Table, names: list[str], kind: str | None) -> Reading:
    """A table of true classes by labels, as pandas.crosstab writes it: rows and columns matched, totals left out."""
    body = table if table.index is not None else table.without(table.heads[0])
    corner = "" if table.index is not None else table.heads[0]
    heads = body.heads
    grid = [list(row) for row in numbers_of(body)]
    said = ["rows matched to columns by name"] if names != heads else []
    if plain(names[-1]) in TOTALS or plain(heads[-1]) in TOTALS:
        grid, names, heads, left = _without_totals(grid, names, heads, table.source)
        said += [left] if left else []
    if role(corner) == "noisy":
        grid, names, heads = [list(column) for column in zip(*grid, strict=True)], heads, names
        said.append(f"transposed: its rows are the `{printable(corner, 40)}` labels")
    classes = _order(names, heads)
    missing = [name for name in classes if name not in heads]
    absent = [name for name in classes if name not in names]
    if absent:
        raise InputError(
            f"{table.source}: class {printable(absent[0], 40)} has a column but no row: no sample of it is there to count; every "
            "class needs at least one"
        )
    if missing:
        said.append(f"class {', '.join(printable(name, 40) for name in missing[:5])} is never given")
    place = {head: i for i, head in enumerate(heads)}
    row_of = dict(zip(names, grid, strict=True))
    square = [[row_of[name][place[other]] if other in place else 0 for other in classes] for name in classes]
    named = tuple(printable(name) for name in classes)
    found = kind or ("counts" if _holds_counts(square) else "matrix")
    what = "a table of counts" if found == "counts" else "a transition matrix"
    sentence = f"{what}, rows true classes, columns labels, {len(classes)} classes"
    plain_names = None if list(named) == [str(i) for i in range(len(named))] else named
    return Reading(found, "; ".join([sentence, *said]), table.source, square, plain_names)


def _order(names: Sequence[str], heads: Sequence[str]) -> list[str]:
    """The classes in the order of the columns, where all are there, else of the rows."""
    if set(names) <= set(heads):
        return list(heads)
    return list(names) + [head for head in heads if head not in names]


def _without_totals(
    grid: list[list[Any]], names: list[str], heads: list[str], source: str
) -> tuple[list[list[Any]], list[str], list[str], str]:
    """The table without a last row or column of totals, where they are the sums; a class of that name stays."""
    left = []
    if plain(heads[-1]) in TOTALS and all(_close(row[-1], sum(row[:-1])) for row in grid):
        left.append(f"column `{printable(heads[-1], 40)}`")
        grid, heads = [row[:-1] for row in grid], heads[:-1]
    if plain(names[-1]) in TOTALS and all(_close(column[-1], sum(column[:-1])) for column in zip(*grid, strict=True)):
        left.append(f"row `{printable(names[-1], 40)}`")
        grid, names = grid[:-1], names[:-1]
    for what, each in (("column", heads), ("row", names)):
        if plain(each[-1]) in TOTALS and not left:
            raise InputError(
                f"{source}: {what} {printable(each[-1], 40)!r} is called a total but is not the sum of the others"
            )
    return grid, names, heads, f"totals left out ({' and '.join(left)})" if left else ""


def _close(a: Any, b: Any) -> bool:
    return abs(a - b) <= Fraction(1, 10**6) * max(1, abs(b))


# ------------------------------------------------------------------------------------------------------ what numbers mean


def _numbers(
    source: str, grid: Grid, names: tuple[str, ...] | None, said: str | None, ahead: str, forced: bool = False
) -> Reading:
    """A table of numbers by its name, its shape and its entries."""
    shape = _shape(grid)

    def reading(kind: str, sentence: str) -> Reading:
        named = f", classes {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else ""
        return Reading(kind, f"{sentence}{named}" if not ahead else f"{ahead}{sentence}{named}", source, grid, names)

    if shape is None and hasattr(grid, "dtype"):
        if grid.dtype.kind not in "iuf":
            raise InputError(f"{source}: array of {grid.dtype}; numbers are needed")
        raise InputError(f"{source}: array of shape {grid.shape}; two axes are needed (a table)")
    if shape is None:
        return reading("matrix", "a transition matrix")  # refused, with its place, where the rows are looked at
    rows, width = shape
    tall = rows > width > 1
    if said == "counts" and tall and not forced:
        said = "votes"  # as CIFAR-10H has them
    if said == "matrix" and not forced and rows != width and width > 1:
        said = None
    if said == "counts":
        return reading("counts", "a table of counts, rows true classes, columns labels")
    if said == "matrix":
        if not forced and _holds_counts(grid):
            return reading("counts", "a table of counts, rows true classes, columns labels")
        return reading("matrix", "a transition matrix, rows true classes, columns labels")
    if said == "votes":
        return reading("votes", f"votes, {rows} samples, {width} classes")
    if said == "posteriors":
        if not _whole_grid(grid):
            return reading("posteriors", f"posteriors, {rows} samples, {width} classes")
        return reading("votes", f"votes, {rows} samples, {width} classes")
    if rows == width:
        if _holds_counts(grid):
            return reading("counts", "a table of counts, rows true classes, columns labels")
        return reading("matrix", "a transition matrix, rows true classes, columns labels")
    if not rows or width < 2 or not _whole_grid(grid):
        return reading("posteriors", f"posteriors, {rows} samples, {width} classes")
    _refuse_if_open(source, grid, names, rows, width)
    return reading("votes", f"votes, {rows} samples, {width} classes")


def _refuse_if_open(source: str, grid: Grid, names: tuple[str, ...] | None, rows: int, width: int) -> None:
    """InputError where whole numbers may be votes, or labels: two columns, or columns that may be annotators."""
    if width == 2 and not _one_hot(grid):
        raise InputError(
            f"{source}: {rows} rows of two whole numbers may be label pairs or votes for two classes; write pairs:{source} (with "
            f"columns named clean and noisy) or votes:{source}"
        )
    sums = {int(sum(row)) for row in _rows(grid)[:1000]}
    largest = max(max(row) for row in _rows(grid)[:1000])
    if names is None and len(sums) > 1 and largest <= MOST_LABELS:
        raise InputError(
            f"{source}: {rows} rows of {width} whole numbers may be votes for {width} classes or the labels of {width} annotators; "
            f"write votes:{source} or annotators:{source}"
        )


MOST_LABELS = 20
"""Whole numbers up to this may be the labels of annotators, where nothing says that they are votes."""


def _rows(grid: Grid) -> list[list[Any]]:
    return grid.tolist() if hasattr(grid, "tolist") else grid


def _shape(grid: Grid) -> tuple[int, int] | None:
    """Rows and columns; None for a ragged list or an array of other axes."""
    shape = getattr(grid, "shape", None)
    if shape is None:
        widths = {len(row) if isinstance(row, list | tuple) else -1 for row in grid}
        return (len(grid), widths.pop()) if len(widths) == 1 and -1 not in widths else None
    return shape if len(shape) == 2 and grid.dtype.kind in "iuf" else None


def _one_hot(grid: Grid) -> bool:
    return all(sum(row) == 1 for row in _rows(grid))


def _whole_grid(grid: Grid) -> bool:
    """Are all entries whole numbers?"""
    if hasattr(grid, "dtype"):
        return grid.dtype.kind in "iu" or (grid.dtype.kind == "f" and bool((grid == grid.round()).all()))
    try:
        return all(value == int(value) for row in grid for value in row)
    except (TypeError, ValueError, OverflowError):  # text, nan, inf: refused later, with its place
        return False


def _holds_counts(grid: Grid) -> bool:
    """All entries whole, and some row does not sum to 1 (an identity matrix is a transition matrix)."""
    try:
        return _whole_grid(grid) and any(sum(row) != 1 for row in _rows(grid))
    except TypeError:
        return False


def is_gap(cell: Cells) -> bool:
    """Is a cell without a value?"""
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in GAPS) or cell != cell
