"""Files of labels and tables, by their suffix, as a :class:`~asymtheory.reading.table.Table`.

==================  ==================================================================================================
.csv .tsv .txt      cells separated by tabs, semicolons, commas or white space; a header is recognised; ``#`` starts a
                    comment; lines ``PATH LABEL``; decimals are exact (a decimal comma where semicolons separate)
.json               a list of labels, of rows or of records; an object of such lists; decimals exact
.jsonl .ndjson      a record, a row or a label a line
.npy .npz           arrays of numbers or text; .npy tables are memory-mapped; pickled objects are refused, never loaded
.parquet            columns (needs pyarrow, extra ``tables``)
.pt .pth            what ``torch.save`` wrote of arrays and tensors in a dict or list (CIFAR-N's files), read without torch
                    and without running the pickle
==================  ==================================================================================================

``FILE:NAME`` names a column of any of them, by its head or by its number from 1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from ..errors import InputError, printable
from ..numbers.text import parse_number
from .documents import parse_json
from .limits import check_regular, read_bytes
from .table import CLASSES, Cells, Grid, Table, same_length, unique
from .text import decode, parse

TEXT = (".csv", ".tsv", ".txt")
LINES = (".jsonl", ".ndjson")
ARRAYS = (".npy", ".npz")
TORCH = (".pt", ".pth")
FILES = (*TEXT, ".json", *LINES, *ARRAYS, ".parquet", *TORCH)
"""Suffixes of the files that are read."""

IN_MEMORY = 12
"""How many times its size the cells of a text take in memory, about."""


def looks_like_file(text: str) -> bool:
    """Does the text name a file: by a slash, by its suffix, or because there is one?"""
    path, _ = split_spec(text)
    try:
        exists = os.path.exists(path)
    except ValueError:  # a NUL in the name
        exists = False
    return "/" in text or os.sep in text or path.lower().endswith((*FILES, ".pkl")) or exists


def split_spec(spec: str) -> tuple[str, str | None]:
    """``file.npz:worse_label`` as a path and the name of a column; a path that exists is taken whole."""
    path, colon, name = spec.rpartition(":")
    if not colon or not name or os.path.splitext(path)[1].lower() not in FILES:
        return spec, None
    try:
        return (spec, None) if os.path.exists(spec) else (path, name)
    except ValueError:  # a NUL in the name
        return spec, None


def read_file(spec: str | os.PathLike[str], option: str = "") -> tuple[Table, str | None]:
    """What the file holds, and the name of the column where ``FILE:NAME`` gave one.

    `option` (``--labels``) is written before the path where the file cannot be opened at all. InputError names the file, and the
    line or the entry that cannot be used.
    """
    path, name = split_spec(os.fspath(spec))
    where = f"{option} {path}".strip()
    suffix = os.path.splitext(path)[1].lower()
    if os.path.isdir(path) or suffix in FILES:
        check_regular(path, where, f" ({', '.join(FILES)})")
    if suffix in (".pkl", ".pickle"):
        raise InputError(f"{where}: pickles are programs and are not loaded; allowed: {', '.join(FILES)}")
    if suffix not in FILES:
        raise InputError(f"{where}: unknown file type {suffix or 'without suffix'}; allowed: {', '.join(FILES)}")
    return _READERS[suffix](path, name), name


# ---------------------------------------------------------------------------------------------------------------- text


def _text(path: str, name: str | None) -> Table:
    found = parse(decode(read_bytes(path, IN_MEMORY), path), path, name)
    heads = found.heads or [str(i + 1) for i in range(found.width)]
    heads = unique([head or "" for head in heads], path)
    columns = {head: [row[i] for row in found.rows] for i, head in enumerate(heads)}
    recipe = None
    if found.comment is not None and found.comment.startswith("{"):
        recipe = _parsed(found.comment, f"{path}: line 1")
    return Table(
        path,
        columns,
        headed=found.heads is not None,
        tabular=True,
        lines=found.lines,
        listing=found.listing,
        recipe=recipe,
    )


# ---------------------------------------------------------------------------------------------------------------- JSON


def _parsed(text: str, source: str) -> Any:
    """What JSON text says, decimals exact."""
    return parse_json(text, source, len(text), _cached(parse_number))


def _cached(convert: Callable[[str], Fraction]) -> Callable[[str], Fraction]:
    known: dict[str, Fraction] = {}

    def converted(text: str) -> Fraction:
        value = known.get(text)
        if value is None:
            value = known[text] = convert(text)
        return value

    return converted


def _json(path: str, name: str | None) -> Table:
    return of_values(_parsed(decode(read_bytes(path, IN_MEMORY), path), path), path)


def _jsonl(path: str, name: str | None) -> Table:
    lines = decode(read_bytes(path, IN_MEMORY), path).split("\n")
    kept = [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if not kept:
        raise InputError(f"{path}: holds no numbers and no labels")
    return of_values([_parsed(line, f"{path}: line {n}") for n, line in kept], path)


def of_values(data: Any, source: str) -> Table:
    """A table of what JSON says or Python holds: a list of labels, of rows, of records, or a mapping of such lists."""
    if isinstance(data, Mapping):
        return of_entries(data, source)
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise InputError(f"{source}: a list of rows or an object is needed, got {type(data).__name__}")
    if data and all(isinstance(row, Mapping) for row in data):
        heads = unique(dict.fromkeys(key for row in data for key in row), source)
        return Table(source, {head: [row.get(head) for row in data] for head in heads}, tabular=True)
    if not data or any(_is_row(row) for row in data):
        return Table(source, grids={"": data}, headed=False)
    return Table(source, {"": data}, headed=False)


def of_entries(data: Mapping[Any, Any], source: str) -> Table:
    """A table of named lists and arrays: those of one axis are columns, those of two are tables."""
    columns: dict[str, Cells] = {}
    grids: dict[str, Grid] = {}
    classes, recipe = None, data.get("recipe")
    for key, value in data.items():
        head = str(key)
        if head == "recipe":
            continue
        axes = _axes(value)
        if head in CLASSES and axes == 1 and all(isinstance(cell, str) for cell in value) and len(data) > 1:
            classes = tuple(printable(str(cell)) for cell in value)
        elif axes == 1:
            columns[head] = value
        elif axes:
            grids[head] = value
        elif head in TABLES:
            raise InputError(f"{source}: {head} must be a list of rows, got {type(value).__name__}")
    others = tuple(str(key) for key in data if str(key) not in (*columns, *grids, "recipe"))
    return Table(source, columns, grids, classes=classes, recipe=recipe, others=others if classes is None else ())


TABLES = ("counts", "T", "transition", "matrix", "posteriors", "probs", "probabilities", "pred_probs", "votes")
"""Names that say what a table is."""


def _is_row(value: object) -> bool:
    return _axes(value) > 0


def _axes(value: object) -> int:
    """How many axes a list or array has: 0 for anything else, 2 for a list with a row in it."""
    axes = getattr(value, "ndim", None)
    if axes is not None:
        return int(axes)
    if not isinstance(value, list | tuple):
        return 0
    return 2 if any(isinstance(each, list | tuple) or getattr(each, "ndim", 0) for each in value) else 1


# -------------------------------------------------------------------------------------------- arrays, loaded when asked for


def _numpy(path: str, name: str | None) -> Table:
    from .arrays import load_npy, load_npz  # late: numpy is not on the start-up path

    loaded = {"": load_npy(path)} if path.lower().endswith(".npy") else load_npz(path)
    return _of_arrays(loaded, path)


def _torch(path: str, name: str | None) -> Table:
    from .arrays import load_torch  # late: numpy is not on the start-up path

    return _of_arrays(load_torch(path), path)


def _of_arrays(loaded: Mapping[str, Any], path: str) -> Table:
    recipe = loaded.get("recipe")
    entries = {key: value for key, value in loaded.items() if key != "recipe"}
    plain = {
        key: value.tolist() if key in CLASSES and value.ndim == 1 and value.dtype.kind == "U" else value
        for key, value in entries.items()
    }
    table = of_entries(plain, path)
    text = None if recipe is None or recipe.ndim else _parsed(str(recipe), f"{path}: recipe")
    headed = set(entries) != {""}
    return Table(path, table.columns, table.grids, headed=headed, classes=table.classes, recipe=text)


def _parquet(path: str, name: str | None) -> Table:
    from .arrays import load_parquet  # late: an extra

    columns = load_parquet(path)
    heads = unique(columns, path)
    plain = dict(zip(heads, columns.values(), strict=True))
    return Table(path, plain, tabular=bool(plain) and same_length(plain))


_READERS: dict[str, Callable[[str, str | None], Table]] = {
    **dict.fromkeys(TEXT, _text),
    **dict.fromkeys(LINES, _jsonl),
    **dict.fromkeys(ARRAYS, _numpy),
    **dict.fromkeys(TORCH, _torch),
    ".json": _json,
    ".parquet": _parquet,
}
