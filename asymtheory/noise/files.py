"""Noise from files.

=====  ==============================================================================================================
.csv   rows of numbers (comma, semicolon or tab), decimals exact; a first line of class names is allowed, lines that
       start with ``#`` are skipped; two columns headed ``clean,noisy`` are a label pair
.json  a list of rows, or an object with ``counts``, ``T``, ``transition``, ``matrix`` or ``posteriors`` (and
       ``classes`` or ``names``), or with ``clean`` and ``noisy``; decimals exact
.npy   one array of numbers; pickled objects are refused, never loaded
.npz   one array, or one of the names above, or a label pair ``clean`` and ``noisy`` (also ``clean_label`` and
       ``noisy_label``)
.parquet  columns of numbers under the names of the classes, or ``clean`` and ``noisy`` (needs pyarrow, extra ``tables``)
=====  ==============================================================================================================

A table of K rows and K columns is a table of counts if all entries are whole and some row does not sum to 1, and a
transition matrix otherwise; N rows and K != N columns are per-sample posteriors. So are ``counts`` of more rows than
columns: votes of annotators, as CIFAR-10H has them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from ..errors import InputError
from ..numbers.text import parse_number
from . import models as noise
from .columns import parquet_columns
from .models import EXACT_CELLS
from .rows import NoiseModel

TABLES = ("counts", "T", "transition", "matrix", "posteriors")
CLEAN, NOISY = ("clean", "clean_label"), ("noisy", "noisy_label")


def read(path: str | os.PathLike[str]) -> NoiseModel:
    """The noise in the file at `path`; a file that cannot be used raises InputError with one line."""
    source = os.fspath(path)
    suffix = os.path.splitext(source)[1].lower()
    if os.path.isdir(source):
        raise InputError(f"{source}: is a directory; a file ({', '.join(READERS)}) is needed")
    if suffix not in READERS:
        raise InputError(f"{source}: unknown file type {suffix or 'without suffix'}; allowed: {', '.join(READERS)}")
    try:
        if os.stat(source).st_size == 0:
            raise InputError(f"{source}: the file is empty")
        return READERS[suffix](source)
    except FileNotFoundError as error:
        raise InputError(f"{source}: no such file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: is not a UTF-8 text file") from error
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror or error})") from error


# -------------------------------------------------------------------------------------------------------- from a table
def model_of(table: Any, source: str, names: Any = None, key: str | None = None) -> NoiseModel:
    """The noise that a table (lists or an array) stands for; `key` is the name it had in the file, which may decide."""
    if key == "posteriors":
        return noise.from_posteriors(table, names, source)
    shape = getattr(table, "shape", None)
    if shape is None:
        rows = list(table)
        widths = {len(row) if isinstance(row, list) else -1 for row in rows}
        shape = (len(rows), *widths) if len(widths) == 1 else None  # ragged: from_matrix says where
    if key == "counts" and not (shape is not None and len(shape) == 2 and shape[0] > shape[1] > 1):
        return noise.from_counts(table, names, source)
    if shape is not None and len(shape) == 2 and shape[0] != shape[1] and shape[0] > 0 and shape[1] > 1:
        return noise.from_posteriors(table, names, source)
    return noise.from_counts(table, names, source) if _holds_counts(table) else noise.from_matrix(table, names, source)


def _holds_counts(table: Any) -> bool:
    """All entries whole, and some row does not sum to 1 (an identity matrix is a transition matrix)."""
    rows = table.tolist() if hasattr(table, "tolist") else table
    try:
        whole = all(value == int(value) for row in rows for value in row)
        return whole and any(sum(row) != 1 for row in rows)
    except (TypeError, ValueError, OverflowError):  # text, nan, inf: refused later, with its place
        return False


def _find(keys: Any, source: str) -> tuple[str, ...]:
    """The table's key, or the keys of the label pair, among the `keys` of a JSON object or .npz."""
    for key in TABLES:
        if key in keys:
            return (key,)
    clean, noisy = ([name for name in names if name in keys] for names in (CLEAN, NOISY))
    if clean and noisy:
        return (clean[0], noisy[0])
    found = ", ".join(map(str, keys)) or "nothing"
    raise InputError(f"{source}: holds {found}; needed is one of {', '.join(TABLES)}, or both clean and noisy")


# ---------------------------------------------------------------------------------------------------------------- text
def _csv(source: str) -> NoiseModel:
    import csv

    with open(source, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    sample = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = next((mark for mark in ",;\t" if mark in sample), ",")
    reader = csv.reader((line for line in text.splitlines()), delimiter=delimiter, strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
                lines.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise InputError(f"{source}: line {reader.line_num} is not CSV ({error})") from error
    if not lines:
        raise InputError(f"{source}: holds no numbers")
    header, lines = _split_header(lines)
    if not lines:
        raise InputError(f"{source}: holds a header line but no numbers")
    pair = header is not None and sorted(header) == ["clean", "noisy"]
    width = len(lines[0][1]) if header is None else len(header)
    for number, cells in lines:
        if len(cells) != width:
            first = f"line {lines[0][0]}" if header is None else "the header"
            raise InputError(f"{source}: ragged table: line {number} has {len(cells)} entries, {first} has {width}")
    large = len(lines) * width > EXACT_CELLS and len(lines) != width and not pair
    parse = float if large else _cached(parse_number)
    table: list[list[Any]] = []
    for number, cells in lines:
        row = []
        for column, cell in enumerate(cells, 1):
            try:
                row.append(parse(cell))
            except ValueError as error:
                raise InputError(
                    f"{source}: line {number}, column {column}: {cell[:40]!r} is not a finite number; "
                    "write it like 0.8, 4/5 or 1e-3"
                ) from error
        table.append(row)
    if pair and header is not None:
        clean, noisy = ([_whole(row[header.index(name)]) for row in table] for name in ("clean", "noisy"))
        return noise.from_labels(clean, noisy, source=source)
    return model_of(table, source, header)


def _split_header(lines: list[tuple[int, list[str]]]) -> tuple[list[str] | None, list[tuple[int, list[str]]]]:
    """The class names of the first line, if it is a header, and the lines of numbers."""
    first = lines[0][1]
    positions = [str(i) for i in range(len(first))]  # what pandas writes over a table without names
    if first[0] == "" and (first[1:] == positions[:-1] or not any(map(_is_number, first[1:]))) and len(first) > 2:
        return first[1:], [(number, cells[1:]) for number, cells in lines[1:]]  # and its index as a first column
    if first == positions and len(first) > 2 and len(lines) == len(first) + 1:
        return first, lines[1:]  # in any other place 0,1,2 may be the weights of a sample
    if any(map(_is_number, first)):  # one bad cell among numbers is a typing error, not a header
        return None, lines
    return first, lines[1:]


def _is_number(cell: str) -> bool:
    try:
        parse_number(cell)
    except InputError:
        return cell.lower().lstrip("+-") in ("nan", "inf", "infinity", "")
    return True


def _whole(value: Any) -> Any:
    """A label parsed as a Fraction becomes an int; anything else stays, to be refused with its place."""
    return int(value) if value == int(value) else value


def _cached(parse: Callable[[str], Fraction]) -> Callable[[str], Fraction]:
    known: dict[str, Fraction] = {}

    def parsed(text: str) -> Fraction:
        value = known.get(text)
        if value is None:
            value = known[text] = parse(text)
        return value

    return parsed


def _json(source: str) -> NoiseModel:
    def refuse(constant: str) -> Any:
        raise InputError(f"{constant} is not a finite number")

    with open(source, encoding="utf-8-sig") as file:
        text = file.read()
    try:
        data = json.loads(text, parse_float=_cached(parse_number), parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise InputError(f"{source}: is not JSON ({error})") from error
    except RecursionError as error:
        raise InputError(f"{source}: is nested too deeply for a table") from error
    except ValueError as error:  # a number out of range, an integer of thousands of digits
        raise InputError(f"{source}: {str(error).split(';')[0]}") from error
    if isinstance(data, list):
        return model_of(data, source)
    if not isinstance(data, Mapping):
        raise InputError(f"{source}: a list of rows or an object is needed, got {type(data).__name__}")
    names = data.get("names", data.get("classes"))
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        names = None  # "classes": 10 is a count; the table has it too
    found = _find(data, source)
    if len(found) == 2:
        return noise.from_labels(data[found[0]], data[found[1]], len(names) if names else None, names, source)
    table = data[found[0]]
    if not isinstance(table, list):
        raise InputError(f"{source}: {found[0]} must be a list of rows, got {type(table).__name__}")
    return model_of(table, source, names, found[0])


# -------------------------------------------------------------------------------------------------------------- arrays
def _numpy(source: str) -> NoiseModel:
    import numpy as np

    with open(source, "rb") as file:
        start = file.read(6)
        if start != b"\x93NUMPY" and not start.startswith(b"PK"):
            raise InputError(f"{source}: is not a .npy or .npz file (arrays only; pickles are never loaded)")
        file.seek(0)
        try:
            loaded = np.load(file, allow_pickle=False)
            arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
        except Exception as error:  # a damaged file can fail in numpy, zipfile or zlib, each with errors of its own
            if "pickle" in str(error):
                reason = "holds pickled objects, which are never loaded; save a plain array of numbers"
            else:
                reason = f"is damaged ({type(error).__name__})"
            raise InputError(f"{source}: {reason}") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy hands out what is no .npy inside the archive as bytes
            raise InputError(f"{source}: entry {key!r} is not an array")
    names = next((arrays.pop(key).tolist() for key in ("names", "classes") if _is_text(arrays.get(key))), None)
    if len(arrays) == 1 and (key := next(iter(arrays))) not in (*CLEAN, *NOISY):
        return _array(arrays[key], source, names, key)
    found = _find(arrays, source)
    if len(found) == 2:
        return noise.from_labels(arrays[found[0]], arrays[found[1]], len(names) if names else None, names, source)
    return _array(arrays[found[0]], source, names, found[0])


def _is_text(array: Any) -> bool:
    return array is not None and array.dtype.kind == "U"


def _array(array: Any, source: str, names: Any, key: str) -> NoiseModel:
    if array.dtype.kind not in "iuf":
        raise InputError(f"{source}: array of {array.dtype}; numbers are needed")
    if array.ndim != 2:
        raise InputError(f"{source}: array of shape {array.shape}; two axes are needed (a table)")
    return model_of(array, source, names, key)


# --------------------------------------------------------------------------------------------------------------- Parquet
def _parquet(source: str) -> NoiseModel:
    heads, values = parquet_columns(source)
    if sorted(heads) == ["clean", "noisy"]:
        clean, noisy = (values[heads.index(name)] for name in ("clean", "noisy"))
        return noise.from_labels(clean, noisy, source=source)
    rows = [list(row) for row in zip(*values, strict=True)]
    plain = heads == [str(i) for i in range(len(heads))]  # what pandas calls columns without names
    return model_of(rows, source, None if plain else heads)


READERS: dict[str, Callable[[str], NoiseModel]] = {
    ".csv": _csv, ".json": _json, ".npy": _numpy, ".npz": _numpy, ".parquet": _parquet,
}  # fmt: skip
