"""Columns of labels: from cells to class numbers, one meaning for every format.

Labels are whole numbers 0..K-1 (also as floats or text: ``7``, ``7.0``, ``1.000e+01``), whole numbers 1..K, which are said to be
K classes, or class names, which keep their place in sorted order. A clean label may be missing: an empty cell, NaN, null, ?
or -1, and the words NA, null and none, unless they are a class of the noisy labels too.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, nearest, printable
from ..numbers.text import is_number
from .arrays import host
from .objects import read
from .roles import find, role
from .table import Cells, Table

Codes: TypeAlias = np.ndarray[Any, np.dtype[Any]]

WORDS = frozenset({"na", "n/a", "nan", "null", "none"})
"""Words that are missing values, or the name of a class ("no tumour")."""

LONGEST_NAME = 100


@dataclass(frozen=True, eq=False)
class Column:
    """Labels as they were given: ``codes`` into ``values`` (whole numbers, or class names), -1 where missing.

    ``place``: which column of ``source`` they are, for people. ``names``: of the classes 0..K-1, where the source lists them.
    ``keys``: what the source calls the samples. ``doubtful``: those of the values that may be missing ones. ``gaps``: how many
    cells were read as missing, by text.
    """

    codes: Codes
    values: Sequence[Any]
    source: str
    place: str = ""
    names: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None
    doubtful: frozenset[str] = frozenset()
    gaps: Mapping[str, int] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Are the labels class names?"""
        return not isinstance(self.values, range)

    @property
    def where(self) -> str:
        """The source and the column, for messages."""
        return f"{self.source}: {self.place}" if self.place and self.place != "the column" else self.source


@dataclass(frozen=True, eq=False)
class Pair:
    """Noisy and clean labels of the same samples over one set of classes; ``clean`` is -1 where it is not known.

    ``reading``: one line that says how they were read.
    """

    noisy: Codes
    clean: Codes
    K: int
    names: tuple[str, ...] | None
    sources: tuple[Column, Column]
    reading: str


# ------------------------------------------------------------------------------------------------- which column it is


def read_labels(source: Any, what: str, side: str = "noisy", size: int | None = None) -> Column:
    """One column of labels, ``side`` "noisy" or "clean", from whatever :mod:`.objects` and :mod:`.files` read.

    `what` (``--labels``) names it in messages. `size`: the number of samples, where there may be labels for some of them only
    (columns ``index,label``). InputError for several columns that could be meant, and for cells that are not labels.
    """
    table, name = read(source, what)
    if size is not None and name is None and {head.lower() for head in table.columns} == {"index", "label"}:
        return _scattered(table, size)
    return column_of(table, name, what, side)


def column_of(table: Table, name: str | None, what: str, side: str) -> Column:
    """The column of a table that holds the noisy (clean) labels, or the one with that name."""
    chosen = choose(table, name, what, side)
    found = column(table.columns[chosen], f"{table.source}: {chosen}" if table.headed and chosen else table.source)
    keys = table.keys()
    cells = None if keys is None or keys[0] == chosen else tuple(map(str, host(keys[1])))
    return replace(
        found,
        source=table.source,
        place=table.place(chosen),
        names=table.classes if not found.named else None,
        keys=cells,
    )


def choose(table: Table, name: str | None, what: str, side: str) -> str:
    """The head of the column of noisy (clean) labels: the named one, the only one, or the one whose name says so."""
    if name is not None:
        return table.named(name)
    heads = [head for head in table.label_columns() if not _is_grid(table.columns[head])]
    if table.grids and not heads:
        grid = next(iter(table.grids.values()))
        if not len(grid):
            raise InputError(f"{table.source}: no labels given")
        shape = getattr(grid, "shape", None) or (len(grid), "...")
        raise InputError(f"{table.source}: labels have shape {shape}; one axis is needed")
    if not heads:
        raise InputError(f"{table.source}: holds no labels (it holds: {table.listed()})")
    if len(heads) == 1:
        return heads[0]
    if len(find(heads, "annotation")) > 1:
        raise InputError(
            f"{table.source}: holds the labels of {len(find(heads, 'annotation'))} annotators; give them with --annotators, or "
            f"name one, {what} {table.source}:{heads[0]}"
        )
    other = "clean" if side == "noisy" else "noisy"
    own = find(heads, side) or find(heads, "label") or [head for head in heads if role(head) != other]
    if len(own) != 1:
        if not table.headed:
            raise InputError(
                f"{table.source}: {len(heads)} columns without a header line; say which is meant, {what} {table.source}:1, or "
                "name them (such as clean,noisy)"
            )
        raise InputError(f"{table.source} holds {table.listed()}: say which is meant, {what} {table.source}:NAME")
    return own[0]


def _is_grid(cells: Cells) -> bool:
    return getattr(cells, "ndim", 1) != 1


def _scattered(table: Table, size: int) -> Column:
    """``index,label`` for some of ``size`` samples as a column with gaps."""
    heads = {head.lower(): head for head in table.columns}
    index, label = (column(table.columns[heads[name]], f"{table.source}: {name}") for name in ("index", "label"))
    if index.named:
        raise InputError(f"{table.source}: index must hold whole numbers, got {index.values[0]!r}")
    places = index.codes
    outside = places[(places < 0) | (places >= size)]
    if len(outside):
        raise InputError(f"{table.source}: index {outside[0]} is outside 0..{size - 1} (there are {size} labels)")
    if len(np.unique(places)) < len(places):
        raise InputError(f"{table.source}: an index is given twice")
    codes = np.full(size, -1, dtype=np.int64)
    codes[places] = label.codes
    return replace(label, codes=codes, source=table.source, place=table.place(heads["label"]))


# ------------------------------------------------------------------------------------------------- cells to class numbers


def column(data: Any, source: str) -> Column:
    """A column of anything list-like: whole numbers (also as floats or text), or class names, never both."""
    if isinstance(data, str | bytes | Mapping):
        raise InputError(f"{source}: a list or array of labels is needed, got {type(data).__name__}")
    array = _as_array(host(data), source)
    if array.ndim != 1:
        raise InputError(f"{source}: labels have shape {array.shape}; one axis is needed")
    if not len(array):
        raise InputError(f"{source}: no labels given")
    if array.dtype.kind == "b":
        raise InputError(f"{source}: labels are of type bool; whole numbers or class names are needed")
    if array.dtype.kind == "f":
        array = _whole_floats(array, source)
    if array.dtype.kind in "iu":
        return _of_numbers(array, source, {})
    if array.dtype.kind not in "OUS":
        raise InputError(f"{source}: labels are of type {array.dtype}; whole numbers or class names are needed")
    return _of_cells(array.tolist(), source)


def _of_cells(cells: list[Any], source: str) -> Column:
    """A column of text and other cells, each distinct one looked at once."""
    odd = next((cell for cell in cells if not isinstance(cell, str | bytes | numbers.Real | None)), None)
    if odd is not None:
        raise InputError(
            f"{source}: {printable(str(odd), 40)!r} is not a label; whole numbers or class names are needed"
        )
    cells = [None if _empty(cell) else cell for cell in cells]
    distinct = {cell: _label(cell, source) for cell in dict.fromkeys(cells) if cell is not None}
    doubtful = {cell for cell, value in distinct.items() if isinstance(value, str) and value.lower() in WORDS}
    sure = {type(value) for cell, value in distinct.items() if cell not in doubtful}
    if sure == {int, str}:
        first = {
            kind: next(c for c, v in distinct.items() if type(v) is kind and c not in doubtful) for kind in (int, str)
        }
        places = {kind: cells.index(cell) for kind, cell in first.items()}
        raise InputError(
            f"{source}: mixed labels: {first[int]!r} at position {places[int]} is a number, {first[str]!r} at "
            f"{places[str]} a name; use one or the other"
        )
    gaps: dict[str, int] = {"": cells.count(None)} if None in cells else {}
    if sure <= {int}:  # words among numbers are gaps
        for cell in doubtful:
            gaps[str(cell).strip()] = cells.count(cell)
        codes = [-1 if cell is None or cell in doubtful else distinct[cell] for cell in cells]
        if sure or not doubtful:
            return _of_numbers(np.array(codes, dtype=np.int64), source, gaps)
    values = tuple(sorted(set(distinct.values())))
    place = {value: i for i, value in enumerate(values)}
    lookup: dict[Any, int] = {cell: place[value] for cell, value in distinct.items()} | {None: -1}
    words = frozenset(str(distinct[cell]) for cell in doubtful)
    return Column(np.array([lookup[cell] for cell in cells], dtype=np.int64), values, source, doubtful=words, gaps=gaps)


def _as_array(data: Any, source: str) -> Codes:
    if isinstance(data, np.ndarray):
        return data
    if not hasattr(data, "__iter__"):
        raise InputError(f"{source}: a list or array of labels is needed, got {type(data).__name__}")
    cells = [host(cell) for cell in data]
    if any(isinstance(cell, bool) for cell in cells):
        shown = next(cell for cell in cells if isinstance(cell, bool))
        raise InputError(f"{source}: {shown} is not a label; give whole numbers or class names")
    if cells and all(type(cell) is int for cell in cells):
        try:
            return np.array(cells, dtype=np.int64)
        except OverflowError:
            raise InputError(f"{source}: label {_short(max(cells, key=abs))} is not a class number") from None
    array = np.empty(len(cells), dtype=object)
    array[:] = [
        cell.item() if isinstance(cell, np.generic) or getattr(cell, "ndim", None) == 0 else cell for cell in cells
    ]
    return array


def _short(value: int) -> str:
    """A whole number for a message, without writing out a huge one."""
    return str(value) if value.bit_length() < 200 else f"of {value.bit_length()} bits"


def _whole_floats(array: Codes, source: str) -> Codes:
    """Floats that are whole numbers, NaN where missing (a pandas column with gaps), as integers with -1."""
    empty = np.isnan(array)
    wrong = ~empty & ((array != np.rint(array)) | (np.abs(array) >= 2**53))
    if wrong.any():
        place = int(wrong.argmax())
        raise InputError(f"{source}: {array[place]} at position {place} is not a whole number")
    return np.where(empty, -1, array).astype(np.int64)


def _of_numbers(array: Codes, source: str, gaps: Mapping[str, int]) -> Column:
    if array.dtype.kind == "u" and array.size and int(array.max()) > 2**62:
        raise InputError(f"{source}: label {array.max()} is not a class number")
    array = array.astype(np.int64, copy=False)
    if array.min() < -1:
        place = int(array.argmin())
        raise InputError(f"{source}: label {array[place]} at position {place} is below 0")
    missing = int((array < 0).sum()) - sum(gaps.values())
    found = {**gaps, **({"-1": missing} if missing > 0 else {})}
    return Column(array, range(int(array.max()) + 1), source, gaps=found)


def _empty(cell: Any) -> bool:
    """Is it a cell without a label, whatever the others are?"""
    if isinstance(cell, str):
        return cell.strip() in ("", "?", "-1")
    if cell is None or type(cell).__name__ == "NAType":  # pandas.NA
        return True
    return isinstance(cell, float) and cell != cell


def _label(cell: Any, source: str) -> int | str:
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    if isinstance(cell, str):
        number = whole(cell)
        if number is None and is_number(cell.strip()):
            raise InputError(
                f"{source}: {printable(cell, 40)!r} is not a label; whole numbers or class names are needed"
            )
        return printable(cell.strip(), LONGEST_NAME) if number is None else number
    if isinstance(cell, numbers.Real) and not isinstance(cell, bool):
        if isinstance(cell, numbers.Rational):
            if int(cell.denominator) == 1 and abs(int(cell.numerator)) < 2**62:
                return int(cell.numerator)
        elif math.isfinite(value := float(cell)) and value == int(value) and abs(value) < 2**53:
            return int(value)
        raise InputError(f"{source}: {_shown(cell)} is not a label; whole numbers or class names are needed")
    raise InputError(f"{source}: {printable(str(cell), 40)!r} is not a label; whole numbers or class names are needed")


def _shown(cell: numbers.Real) -> str:
    if isinstance(cell, numbers.Rational) and max(abs(int(cell.numerator)), int(cell.denominator)).bit_length() > 200:
        return "a number of many digits"
    return printable(str(cell), 40)


def whole(text: str) -> int | None:
    """The whole number that a cell is (``7``, ``7.0``, ``1.000e+01``), or None."""
    text = text.strip()
    if not text.isascii() or len(text) > 40:
        return None
    if text.isdigit() or (text[:1] == "-" and text[1:].isdigit()):
        return int(text) if len(text) < 19 else None
    if not set(text) <= set("0123456789.eE+-") or not any(letter.isdigit() for letter in text):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if math.isfinite(value) and value == int(value) and abs(value) < 2**53 else None


# ---------------------------------------------------------------------------------------------------- over one set of classes


def read_pair(noisy: Any, clean: Any, K: int | None = None, names: Sequence[str] | None = None) -> Pair:
    """Noisy and clean labels of the same samples, from two sources or from two columns of one.

    Samples are matched by their ids (or paths) where both sources have them, else by their order. InputError for the same
    column twice, for lengths or ids that differ, and for labels that do not fit together.
    """
    given = read_labels(noisy, "--labels", "noisy")
    true = read_labels(clean, "--clean", "clean", len(given.codes))
    if (given.source, given.place) == (true.source, true.place) and noisy is not clean and _is_path(noisy):
        raise InputError(
            f"{given.source}: --labels and --clean are the same column; name them, --labels {given.source}:NAME --clean "
            f"{given.source}:NAME"
        )
    return pair(given, true, K, names)


def _is_path(source: Any) -> bool:
    return isinstance(source, str) or hasattr(source, "__fspath__")


def pair(given: Column, true: Column, K: int | None = None, names: Sequence[str] | None = None) -> Pair:
    """Two columns as labels of the same samples over one set of classes."""
    empty = int((given.codes < 0).sum())
    if empty:
        place = int((given.codes < 0).argmax())
        raise InputError(f"{given.where}: position {place} has no label ({empty} in all)")
    true, matched = _matched(given, true)
    if len(given.codes) != len(true.codes):
        raise InputError(
            f"{true.where} has {len(true.codes)} labels, {given.where} {len(given.codes)}; they must be of the same "
            "samples (leave clean labels empty where there is none, or give index,label)"
        )
    given, true, said = _settled(given, true)
    (labels, truth), count, heads, based = align((given, true), K, names)
    parts = [f"noisy = {_side(given, true)}, clean = {_side(true, given)}, {count} classes", matched, based, said]
    return Pair(labels, truth, count, heads, (given, true), "label pairs: " + "; ".join(part for part in parts if part))


def _side(own: Column, other: Column) -> str:
    """A column for the sentence, with its source where the other one comes from elsewhere."""
    if own.source == other.source:
        return own.place
    return f"{own.place} of {own.source}" if own.place and not own.source.startswith("--") else own.source


def _matched(given: Column, true: Column) -> tuple[Column, str]:
    """The clean column in the order of the noisy one, by the names of the samples where both have them."""
    if given.keys is None or true.keys is None or given.keys == true.keys:
        return true, ""
    if len(set(given.keys)) < len(given.keys) or len(set(true.keys)) < len(true.keys):
        return true, ""  # not names of samples
    place = {key: i for i, key in enumerate(true.keys)}
    strangers = [key for key in true.keys if key not in set(given.keys)]
    if strangers:
        raise InputError(
            f"{true.where}: sample {printable(strangers[0], 40)!r} is not among the samples of {given.source}"
            f"{f' (nor are {len(strangers) - 1} more)' if len(strangers) > 1 else ''}"
        )
    codes = np.array([true.codes[place[key]] if key in place else -1 for key in given.keys], dtype=np.int64)
    return replace(true, codes=codes, keys=given.keys), "samples matched by their names"


def _settled(given: Column, true: Column) -> tuple[Column, Column, str]:
    """Words that may be missing values or a class (none, NA, null): a class where the noisy labels have them."""
    said = []
    both = given.doubtful & frozenset(map(str, true.values if true.named else ()))
    for word in sorted(given.doubtful):
        where = "on both sides" if word in both else "among the noisy labels"
        said.append(f"`{word}` is a class, for it occurs {where}")
    lost = true.doubtful - given.doubtful
    if lost:
        counts = {str(word): int((true.codes == true.values.index(word)).sum()) for word in sorted(lost)}
        kept = [value for value in true.values if value not in lost]
        new = {value: i for i, value in enumerate(kept)}
        table = np.array([new.get(value, -1) for value in true.values] + [-1])
        true = replace(true, codes=table[true.codes], values=tuple(kept), gaps={**true.gaps, **counts})
        listed = ", ".join(f"`{word}` ({n} cells)" for word, n in counts.items())
        said.append(f"{listed} read as missing clean labels; rename the word where it is a class")
    missing = int((true.codes < 0).sum())
    if missing and not lost:
        said.append(f"{missing} samples without a clean label")
    return given, true, "; ".join(said)


def align(
    columns: Sequence[Column], K: int | None, names: Sequence[str] | None
) -> tuple[list[Codes], int, tuple[str, ...] | None, str]:
    """The columns over one set of classes: arrays of 0..K-1 (-1: missing), K, the class names or None, and what to say.

    ``names`` (the columns of the probabilities, or the file's own list) fix the order. Whole numbers 1..K, where 0 never
    occurs, are K classes. Class names in one column and numbers in another, a label outside 0..K-1 or an unknown name raise
    InputError.
    """
    if len({column.named for column in columns}) > 1:
        one = next(column for column in columns if column.named)
        two = next(column for column in columns if not column.named)
        raise InputError(f"mixed labels: {one.where} holds class names, {two.where} whole numbers")
    if columns[0].named:
        return (*_by_name(columns, K, names), "")
    listed = next((column.names for column in columns if column.names is not None), None) if names is None else names
    largest = max(len(column.values) for column in columns) - 1
    if _from_one(columns, largest, K if listed is None else len(listed)):
        heads = tuple(str(i) for i in range(1, largest + 1)) if listed is None else tuple(listed)
        said = f"labels 1..{largest} are {largest} classes (0 never occurs)"
        return [np.maximum(column.codes - 1, -1) for column in columns], largest, heads, said
    count = K if K is not None else len(listed) if listed is not None else largest + 1
    for column in columns:
        if len(column.values) > count:
            place = int((column.codes >= count).argmax())
            hint = ""
            if len(column.values) == count + 1 and not (column.codes == 0).any():
                hint = f"; labels 1..{count} count from 1: subtract 1, for the classes here count from 0"
            raise InputError(
                f"{column.where}: label {column.codes[place]} at position {place} is outside 0..{count - 1}{hint}"
            )
    if count < 2:
        raise InputError(f"{columns[0].where}: all labels are 0; at least 2 classes are needed")
    return [column.codes for column in columns], count, None if listed is None else tuple(map(str, listed)), ""


def _from_one(columns: Sequence[Column], largest: int, K: int | None) -> bool:
    """Do the labels count from 1: 0 never occurs, 1 does, and the largest is K?"""
    known = [column.codes[column.codes >= 0] for column in columns]
    least = min((int(codes.min()) for codes in known if len(codes)), default=0)
    return least == 1 and largest >= 2 and K in (None, largest)


def _by_name(
    columns: Sequence[Column], K: int | None, names: Sequence[str] | None
) -> tuple[list[Codes], int, tuple[str, ...]]:
    order = sorted({str(value) for column in columns for value in column.values}) if names is None else list(names)
    place = {value: i for i, value in enumerate(order)}
    for column in columns:
        for value in column.values:
            if value not in place:
                raise InputError(
                    f"{column.where}: {value!r} is none of the classes ({', '.join(order[:10])}"
                    f"{', ...' if len(order) > 10 else ''}){nearest(value, order)}"
                )
    if K is not None and K != len(order):
        raise InputError(f"--K {K}: the labels name {len(order)} classes")
    tables = (np.array([place[value] for value in column.values] + [-1]) for column in columns)
    return [table[column.codes] for table, column in zip(tables, columns, strict=True)], len(order), tuple(order)
