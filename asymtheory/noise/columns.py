"""Columns of labels and tables of probabilities: from files, and from what Python people hold them in.

A source of labels is a list, an array, a column of pandas, polars or pyarrow, or ``FILE`` or ``FILE:NAME`` (a column of a
.csv, .tsv or .parquet, an array of an .npz, a key of a .json; the colon is needed only where several could be meant). Labels
are whole numbers 0..K-1 or class names; names keep their place in sorted order. A clean label may be missing (empty, NA,
NaN, null, ? or -1), and a clean file may hold two columns ``index,label`` for the samples that have one.

Probabilities are tables (N, K): arrays, data frames, or files; a .npy file stays on the disk (memory-mapped), and whoever
reads it streams it.
"""

from __future__ import annotations

import json
import math
import numbers
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import InputError, nearest

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-1"})
NOISY = ("noisy", "noisy_label", "noisy_labels", "label", "labels", "given", "given_label", "target")
CLEAN = ("clean", "clean_label", "clean_labels", "true", "true_label", "label", "labels")
PROBABILITIES = ("probs", "probabilities", "pred_probs", "posteriors", "counts", "votes")
NAMES = ("names", "classes", "class_names")
LABEL_FILES = (".csv", ".json", ".npy", ".npz", ".parquet", ".tsv", ".txt")
PROBABILITY_FILES = (".csv", ".npy", ".npz", ".parquet", ".tsv")
TABLES_EXTRA = "pip install 'asymtheory[tables]'"
CHUNK_CELLS = 2**21
"""Cells of a table that are looked at in one go: temporaries stay small, and a mapped file streams."""


@dataclass(frozen=True)
class Column:
    """Labels as they were given: ``codes`` into ``values`` (whole numbers, or class names), -1 where missing."""

    codes: Array
    values: tuple[Any, ...]
    source: str
    names: tuple[str, ...] | None = None  # of the classes 0..K-1, where the file lists them

    @property
    def named(self) -> bool:
        """Are the labels class names?"""
        return any(isinstance(value, str) for value in self.values)


# ------------------------------------------------------------------------------------------------ labels


def read_labels(source: Any, what: str, known: Sequence[str], size: int | None = None) -> Column:
    """One column of labels. ``what`` names it in errors ("--labels"), ``known`` are the names tried in a file of several.

    ``size``: with it the column may have gaps, and a file may hold ``index,label`` for some of that many samples.
    """
    if isinstance(source, str | os.PathLike):
        return _labels_of_file(os.fspath(source), what, known, size)
    return _column(source, what, size is not None)


def _labels_of_file(spec: str, what: str, known: Sequence[str], size: int | None) -> Column:
    path, name = split_spec(spec)
    columns, names = _columns_of(path, what)
    if size is not None and name is None and set(columns) == {"index", "label"}:
        return _scattered(columns, path, size)
    chosen = _choose(columns, name, known, path, what)
    found = _column(columns[chosen], f"{path}{f': {chosen}' if chosen else ''}", size is not None)
    return found if names is None or found.named else replace(found, names=names)


def split_spec(spec: str) -> tuple[str, str | None]:
    """``file.npz:worse_label`` as a path and the name of a column; a path that exists is taken whole."""
    path, colon, name = spec.rpartition(":")
    if not colon or os.path.exists(spec) or not os.path.splitext(path)[1]:
        return spec, None
    return path, name


def _choose(columns: Mapping[str, Any], name: str | None, known: Sequence[str], path: str, what: str) -> str:
    if name is not None:
        if name not in columns:
            raise InputError(f"{path} has no {name!r} (it has: {', '.join(columns)}){nearest(name, columns)}")
        return name
    if len(columns) == 1:
        return next(iter(columns))
    found = [key for key in known if key in columns]
    if not found:
        raise InputError(f"{path} holds {', '.join(columns)}: say which is meant, {what} {path}:NAME")
    return found[0]


def _columns_of(path: str, what: str) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    """The columns of a file by name (one without a name is ''), and the class names that it lists, if it does."""
    suffix = _checked(path, what, LABEL_FILES)
    if suffix == ".parquet":
        table = _parquet(path)
        return {column: table.column(column) for column in table.column_names}, None
    if suffix == ".json":
        return _with_names(_json_columns(path))
    if suffix in (".npy", ".npz"):
        return _with_names(_arrays(path))
    return _text_columns(path), None


def _with_names(columns: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    """Take the list of class names out of the columns."""
    for key in NAMES:
        if key in columns and len(columns) > 1:
            cells = list(columns.pop(key))
            return columns, tuple(map(str, cells)) if all(isinstance(cell, str) for cell in cells) else None
    return columns, None


def _text_columns(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = file.read().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(f"{path}: holds no labels")
    delimiter = next((mark for mark in ",;\t" if mark in lines[0]), None)
    if delimiter is None:
        cells = [line.strip() for line in lines]
        header = _is_header(cells)
        return {cells[0]: cells[1:]} if header else {"": cells}
    import csv

    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num} is not CSV ({error})") from error
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise InputError(f"{path}: ragged table: line {number} has {len(row)} entries, the header has {width}")
    if any(_whole(cell) is not None for cell in rows[0]):
        raise InputError(f"{path}: {width} columns without a header line; name them (such as clean,noisy)")
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


def _is_header(cells: Sequence[str]) -> bool:
    """Is the first cell the column's name: a word over numbers, or one of the usual names?"""
    first = cells[0].lower()
    if first in MISSING or _whole(first) is not None:
        return False
    over_numbers = len(cells) > 1 and all(_whole(cell) is not None or cell.lower() in MISSING for cell in cells[1:])
    return over_numbers or first in (*NOISY, *CLEAN)


def _json_columns(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8-sig") as file:
        try:
            data = json.load(file)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"{path}: is not JSON ({error})") from error
    if isinstance(data, list):
        return {"": data}
    if not isinstance(data, Mapping):
        raise InputError(f"{path}: a list of labels or an object of such lists is needed, got {type(data).__name__}")
    found = {key: value for key, value in data.items() if isinstance(value, list)}
    if not found:
        raise InputError(f"{path}: holds no list of labels")
    return found


def _scattered(columns: Mapping[str, Any], path: str, size: int) -> Column:
    """``index,label`` for some of ``size`` samples as a column with gaps."""
    import numpy as np

    index, label = (_column(columns[name], f"{path}: {name}", False) for name in ("index", "label"))
    if index.named:
        raise InputError(f"{path}: index must hold whole numbers, got {index.values[0]!r}")
    places = np.asarray(index.values)[index.codes]
    outside = places[(places < 0) | (places >= size)]
    if len(outside):
        raise InputError(f"{path}: index {outside[0]} is outside 0..{size - 1} (there are {size} labels)")
    if len(np.unique(places)) < len(places):
        raise InputError(f"{path}: an index is given twice")
    codes = np.full(size, -1, dtype=np.int64)
    codes[places] = label.codes
    return Column(codes, label.values, path)


def _column(data: Any, source: str, gaps: bool) -> Column:
    """A column of anything list-like. Whole numbers (also as floats or text) or class names, never both."""
    import numpy as np

    if isinstance(data, str | bytes | Mapping):
        raise InputError(f"{source}: a list or array of labels is needed, got {type(data).__name__}")
    array = _as_array(data, source)
    if array.ndim != 1:
        raise InputError(f"{source}: labels have shape {array.shape}; one axis is needed")
    if not len(array):
        raise InputError(f"{source}: no labels given")
    if array.dtype.kind == "b":
        raise InputError(f"{source}: labels are of type bool; whole numbers or class names are needed")
    if array.dtype.kind == "f":
        array = _whole_floats(array, source)
    if array.dtype.kind in "iu":
        return _numbers(array, source, gaps)
    cells = [None if _is_gap(cell) else cell for cell in array.tolist()]
    odd = next((cell for cell in cells if not isinstance(cell, str | bytes | numbers.Real | None)), None)
    if odd is not None:
        raise InputError(f"{source}: {str(odd)[:40]!r} is no label; whole numbers or class names are needed")
    distinct: dict[Any, Any] = {cell: _label(cell, source) for cell in dict.fromkeys(cells) if cell is not None}
    kinds = {type(value) for value in distinct.values()}
    if kinds == {int, str}:
        first = {kind: next(c for c, v in distinct.items() if type(v) is kind) for kind in (int, str)}
        places = {kind: cells.index(cell) for kind, cell in first.items()}
        raise InputError(
            f"{source}: mixed labels: {first[int]!r} at position {places[int]} is a number, {first[str]!r} at "
            f"{places[str]} a name; use one or the other"
        )
    if None in cells and not gaps:
        raise InputError(f"{source}: position {cells.index(None)} has no label")
    if kinds == {int}:
        return _numbers(
            np.array([-1 if cell is None else distinct[cell] for cell in cells], dtype=np.int64), source, gaps
        )
    values = tuple(sorted(set(distinct.values())))
    place = {value: i for i, value in enumerate(values)}
    lookup = {cell: place[value] for cell, value in distinct.items()} | {None: -1}
    return Column(np.array([lookup[cell] for cell in cells], dtype=np.int64), values, source)


def _as_array(data: Any, source: str) -> Array:
    import numpy as np

    if hasattr(data, "to_pylist"):  # pyarrow
        data = data.to_pylist()
    elif hasattr(data, "to_numpy"):  # pandas, polars
        data = data.to_numpy()
    if np.ma.isMaskedArray(data):
        data = np.array([None if hidden else x for x, hidden in zip(data, np.ma.getmaskarray(data), strict=True)])
    if isinstance(data, np.ndarray):
        return data
    if not isinstance(data, Iterable):
        raise InputError(f"{source}: a list or array of labels is needed, got {type(data).__name__}")
    cells = list(data)
    if any(isinstance(cell, bool) for cell in cells):
        raise InputError(f"{source}: {next(c for c in cells if isinstance(c, bool))} is no label; give whole numbers")
    if all(type(cell) is int for cell in cells):
        try:
            return np.array(cells, dtype=np.int64)
        except OverflowError:
            raise InputError(f"{source}: label {max(cells, key=abs)} is no class number") from None
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _whole_floats(array: Array, source: str) -> Array:
    """Floats that are whole numbers, NaN where missing (a pandas column with gaps), as integers with -1."""
    import numpy as np

    empty = np.isnan(array)
    wrong = ~empty & (array != np.rint(array))
    if wrong.any():
        place = int(wrong.argmax())
        raise InputError(f"{source}: {array[place]} at position {place} is no whole number")
    return np.where(empty, -1, array).astype(np.int64)


def _numbers(array: Array, source: str, gaps: bool) -> Column:
    import numpy as np

    array = array.astype(np.int64, copy=False)
    least = -1 if gaps else 0
    if array.min() < least:
        place = int(array.argmin())
        raise InputError(f"{source}: label {array[place]} at position {place} is below 0")
    return Column(array, tuple(range(int(array.max()) + 1)), source)


def _is_gap(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return cell is None or type(cell).__name__ == "NAType" or (isinstance(cell, float) and cell != cell)  # pandas.NA


def _label(cell: Any, source: str) -> int | str:
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    if isinstance(cell, str):
        number = _whole(cell)
        return cell.strip() if number is None else number
    if isinstance(cell, numbers.Real) and not isinstance(cell, bool):
        value = float(cell)
        if math.isfinite(value) and value == int(value):
            return int(value)
    raise InputError(f"{source}: {str(cell)[:40]!r} is no label; whole numbers or class names are needed")


def _whole(text: str) -> int | None:
    """The whole number that a cell is (``7``, ``7.0``), or None."""
    text = text.strip()
    body = text.removeprefix("-").removesuffix(".0")
    return int(text.removesuffix(".0")) if body.isascii() and body.isdigit() and len(body) < 16 else None


def align(columns: Sequence[Column], K: int | None, names: Sequence[str] | None) -> tuple[list[Array], int, Any]:
    """The columns over one set of classes: arrays of 0..K-1 (-1: missing), K, and the class names or None.

    ``names`` (the columns of the probabilities, or the file's own list) fix the order. Class names in one column and
    numbers in another, a label outside 0..K-1 or an unknown name raise InputError.
    """
    import numpy as np

    if len({column.named for column in columns}) > 1:
        one = next(column for column in columns if column.named)
        two = next(column for column in columns if not column.named)
        raise InputError(f"mixed labels: {one.source} holds class names, {two.source} whole numbers")
    if columns[0].named:
        order = sorted({value for column in columns for value in column.values}) if names is None else list(names)
        place = {value: i for i, value in enumerate(order)}
        for column in columns:
            for value in column.values:
                if value not in place:
                    raise InputError(
                        f"{column.source}: {value!r} is none of the classes ({', '.join(order[:10])}"
                        f"{', ...' if len(order) > 10 else ''}){nearest(value, order)}"
                    )
        if K is not None and K != len(order):
            raise InputError(f"--K {K}: the labels name {len(order)} classes")
        tables = (np.array([place[value] for value in column.values] + [-1]) for column in columns)
        return (
            [table[column.codes] for table, column in zip(tables, columns, strict=True)],
            len(order),
            tuple(order),
        )
    names = next((column.names for column in columns if column.names is not None), None) if names is None else names
    largest = max(len(column.values) for column in columns)
    count = K if K is not None else len(names) if names is not None else largest
    for column in columns:
        if len(column.values) > count:
            place_ = int((column.codes >= count).argmax())
            raise InputError(
                f"{column.source}: label {column.codes[place_]} at position {place_} is outside 0..{count - 1}"
            )
    if count < 2:
        raise InputError(f"{columns[0].source}: all labels are 0; at least 2 classes are needed")
    return [column.codes for column in columns], count, None if names is None else tuple(names)


# ----------------------------------------------------------------------------------------- probabilities


def read_probabilities(source: Any, what: str) -> tuple[Any, tuple[str, ...] | None, str]:
    """(table (N, K), class names or None, source): an array, a data frame or a file; .npy files are memory-mapped.

    Entries are not looked at yet (see ``check_rows``); shape and type are.
    """
    import numpy as np

    names: Any = None
    if isinstance(source, str | os.PathLike):
        table, names, where = _probabilities_of_file(os.fspath(source), what)
    else:
        where = what
        if hasattr(source, "to_numpy"):
            names = getattr(source, "columns", None)
            source = source.to_numpy()
        try:
            table = np.asarray(source)
        except ValueError:
            raise InputError(f"{where}: ragged table: its rows differ in length") from None
    if table.ndim != 2:
        raise InputError(f"{where}: array of shape {table.shape}; two axes (samples, classes) are needed")
    if table.dtype.kind not in "iuf":
        raise InputError(f"{where}: array of {table.dtype}; numbers are needed")
    if not len(table):
        raise InputError(f"{where}: the table is empty")
    if table.shape[1] < 2:
        raise InputError(f"{where}: {table.shape[1]} column; at least 2 classes are needed")
    return table, _class_names(names, table.shape[1]), where


def _class_names(names: Any, K: int) -> tuple[str, ...] | None:
    """Column heads as class names, unless they are 0..K-1."""
    if names is None or len(names) != K:
        return None
    heads = tuple(str(name) for name in names)
    return None if heads == tuple(map(str, range(K))) else heads


def _probabilities_of_file(spec: str, what: str) -> tuple[Any, Any, str]:
    import numpy as np

    path, name = split_spec(spec)
    suffix = _checked(path, what, PROBABILITY_FILES)
    if suffix == ".parquet":
        table = _parquet(path)
        try:
            columns = [table.column(head).to_numpy() for head in table.column_names]
            return np.column_stack(columns), table.column_names, path
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: a column is no column of numbers ({error})") from error
    if suffix in (".npy", ".npz"):
        arrays = _arrays(path, mapped=True)
        names = next(
            (arrays.pop(key).tolist() for key in NAMES if key in arrays and arrays[key].dtype.kind == "U"), None
        )
        chosen = _choose(arrays, name, PROBABILITIES, path, what)
        return arrays[chosen], names, path
    return _text_table(path)


def _text_table(path: str) -> tuple[Any, Any, str]:
    import numpy as np

    with open(path, encoding="utf-8-sig") as file:
        first = next((line for line in file if line.strip() and not line.startswith("#")), "")
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    heads = [cell.strip().strip('"') for cell in first.strip().split(delimiter)]
    positions = heads == list(map(str, range(len(heads)))) and len(heads) > 2
    header = positions or not any(_is_number(cell) for cell in heads)
    try:
        table = np.loadtxt(path, delimiter=delimiter, skiprows=int(header), ndmin=2, comments="#", encoding="utf-8-sig")
    except ValueError as error:
        raise InputError(f"{path}: is no table of numbers ({str(error).split('; use')[0]})") from error
    return table, heads if header else None, path


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def chunks(table: Any) -> Iterable[tuple[int, Any]]:
    """(first row, float64 rows) of a table in pieces that fit the cache."""
    import numpy as np

    rows = max(1, CHUNK_CELLS // table.shape[1])
    for start in range(0, len(table), rows):
        yield start, np.array(table[start : start + rows], dtype=np.float64)


def check_rows(part: Any, start: int, kind: str, source: str, sums_to_one: bool = True, tolerance: float = 1e-3) -> Any:
    """Row sums of a piece of a table; InputError names the row (from 0) of NaN, a negative entry or a wrong sum."""
    import numpy as np

    totals = part.sum(axis=1)
    if not np.isfinite(totals).all():
        i, j = np.argwhere(~np.isfinite(part))[0]
        raise InputError(f"{source}: row {start + i}, column {j} is {part[i, j]}; {kind} must be finite numbers")
    if part.min() < 0:
        i, j = np.argwhere(part < 0)[0]
        raise InputError(f"{source}: row {start + i}, column {j} is {part[i, j]:.6g}; {kind} must be >= 0")
    if sums_to_one:
        wrong = np.abs(totals - 1) > tolerance
        if wrong.any():
            i = int(wrong.argmax())
            raise InputError(f"{source}: row {start + i} sums to {totals[i]:.9g}; {kind} must sum to 1 in every row")
    elif not totals.all():
        raise InputError(f"{source}: row {start + int(totals.argmin())} is all 0; it needs a positive entry")
    return totals


def tolerance_of(table: Any) -> float:
    """How far a row of probabilities may be from 1: what rounding in the table's own type explains, generously."""
    return 1e-2 if table.dtype.itemsize <= 2 else 1e-3


# ------------------------------------------------------------------------------------------------- files


def _checked(path: str, what: str, allowed: Sequence[str]) -> str:
    """The suffix of a readable file of an allowed type that fits the memory."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in (".pt", ".pth", ".pkl", ".pickle"):
        raise InputError(
            f"{path}: pickles are not loaded here; `asymtheory labels --human FILE --column NAME --out labels.csv` reads "
            "CIFAR-N's files and writes clean and noisy labels"
        )
    if suffix not in allowed:
        raise InputError(
            f"{what} {path}: unknown file type {suffix or 'without suffix'}; allowed: {', '.join(allowed)}"
        )
    try:
        size = os.stat(path).st_size
    except FileNotFoundError:
        raise InputError(f"{what} {path}: no such file") from None
    except OSError as error:
        raise InputError(f"{what} {path}: cannot be read ({error.strerror or error})") from error
    if os.path.isdir(path):
        raise InputError(f"{what} {path}: is a directory; a file is needed")
    if size == 0:
        raise InputError(f"{path}: the file is empty")
    if suffix not in (".npy", ".npz", ".parquet"):  # those say what they hold; text takes about three times its size
        check_room(path, 3 * size)
    return suffix


def check_room(path: str, needed: float) -> None:
    """InputError where ``needed`` bytes are more than the memory that is free."""
    room = available_memory()
    if needed > room:
        raise InputError(
            f"{path}: needs about {needed / 2**30:.3g} GiB of memory, {room / 2**30:.3g} GiB are free; "
            "save probabilities as .npy (they are streamed), or take a part of the samples"
        )


def available_memory() -> float:
    """Bytes that can still be taken, as the system says; infinite where it does not."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(float(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return float("inf")


def _arrays(path: str, mapped: bool = False) -> dict[str, Any]:
    """The arrays of a .npy (as '') or .npz; pickles are refused, and what does not fit the memory."""
    import zipfile

    import numpy as np

    try:
        if path.lower().endswith(".npy"):
            loaded = np.load(path, mmap_mode="r", allow_pickle=False)
            if not mapped:
                check_room(path, loaded.nbytes)
            return {"": loaded}
        with zipfile.ZipFile(path) as archive:
            check_room(path, sum(entry.file_size for entry in archive.infolist()))
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail in numpy, zipfile or zlib, each with errors of its own
        why = "holds pickled objects, which are never loaded" if "pickle" in str(error) else "is damaged"
        raise InputError(f"{path}: {why} ({type(error).__name__}); a plain array of numbers is needed") from error


def _parquet(path: str) -> Any:
    """The table of a Parquet file, through pyarrow."""
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(f"{path}: Parquet needs an extra: {TABLES_EXTRA} ({error})") from error
    try:
        groups = parquet.ParquetFile(path).metadata
        check_room(path, 2 * sum(groups.row_group(i).total_byte_size for i in range(groups.num_row_groups)))
        return parquet.read_table(path)
    except InputError:
        raise
    except Exception as error:  # pyarrow's errors share no base class
        raise InputError(f"{path}: is not a Parquet file ({type(error).__name__})") from error


def parquet_columns(path: str) -> tuple[list[str], list[list[Any]]]:
    """Heads and columns of a small Parquet table, as Python numbers (for ``readers``)."""
    table = _parquet(path)
    return list(table.column_names), [column.to_pylist() for column in table.columns]
