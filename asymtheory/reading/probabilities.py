"""Tables of probabilities and votes, (N, K): read, checked row by row, streamed in pieces; and the order of their classes.

A table in a .npy file stays on the disk (memory-mapped), and whoever reads it streams it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..errors import InputError, nearest, printable
from .arrays import Array
from .kinds import KEYS, class_heads, numbers_of, split_kind, without_index
from .labels import Codes
from .objects import read
from .roles import plain
from .table import Grid, Table

CHUNK_CELLS = 2**21
"""Cells of a table that are looked at in one go: temporaries stay small, and a mapped file streams."""

KNOWN = frozenset(name for name, kind in KEYS.items() if kind in ("posteriors", "votes")) | {"counts"}
"""Names of entries that hold probabilities or votes."""


@dataclass(frozen=True, eq=False)
class Probabilities:
    """A table (N, K) of numbers, its class names or None, where it is from, and one line that says how it was read.

    Entries are not looked at yet (see :func:`check_rows`); shape and type are. Whole numbers are of an integer type: votes.
    """

    table: Array
    names: tuple[str, ...] | None
    source: str
    reading: str

    @property
    def votes(self) -> bool:
        """Are the entries whole numbers?"""
        return self.table.dtype.kind in "iu"


def read_probabilities(source: Any, what: str) -> Probabilities:
    """An array, a data frame, a tensor, nested lists or a file (also ``FILE:NAME``) as a table of probabilities or votes.

    InputError for what is not a table of numbers of two axes, and for fewer than two columns.
    """
    if isinstance(source, str):
        source = split_kind(source)[1]
    table, name = read(source, what)
    if table.grids and (name is None or name in table.grids):
        grid, names, left = _grid(table, name, what), table.classes, ""
    elif not table.tabular and len(table.columns) == 1 and name is None:
        shape = f"({len(next(iter(table.columns.values())))},)"
        raise InputError(f"{table.source}: array of shape {shape}; two axes (samples, classes) are needed")
    elif not table.tabular or name is not None:
        raise InputError(f"{table.source}: holds {table.listed()}; a table (samples, classes) is needed")
    else:
        table, left = without_index(table)
        grid, names = numbers_of(table), class_heads(table)
    array = _array(grid, table.source)
    if names is not None and len(names) != array.shape[1]:
        names = None
    kind = "votes" if array.dtype.kind in "iu" else "probabilities"
    said = f"{kind}, {len(array)} samples, {array.shape[1]} classes{f', {left} left out' if left else ''}"
    return Probabilities(array, names, table.source, f"{said}{f', classes {_listed(names)}' if names else ''}")


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def _grid(table: Table, name: str | None, what: str) -> Grid:
    if name is not None:
        return table.grids[name]
    known = [key for key in table.grids if plain(key) in KNOWN]
    if len(table.grids) > 1 and len(known) != 1:
        raise InputError(
            f"{table.source} holds {table.listed()}: say which is meant, {what} {table.source}:NAME"
            f"{nearest('probs', table.grids)}"
        )
    return table.grids[known[0] if known else next(iter(table.grids))]


def _array(grid: Grid, source: str) -> Array:
    """A table as an array of numbers of two axes; whole numbers as integers, whatever they were written as."""
    if not isinstance(grid, np.ndarray):
        rows = list(grid)
        if len({len(row) if hasattr(row, "__len__") else -1 for row in rows}) > 1:
            raise InputError(f"{source}: ragged table: its rows differ in length")
        try:
            grid = np.array([[float(cell) for cell in row] for row in rows], dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"{source}: holds a cell that is not a number; numbers are needed") from None
        except OverflowError:
            raise InputError(f"{source}: holds a number that is too large for floating point") from None
        if grid.ndim == 2 and grid.size and _whole(grid):
            grid = grid.astype(np.int64)
    if grid.ndim != 2:
        raise InputError(f"{source}: array of shape {grid.shape}; two axes (samples, classes) are needed")
    if grid.dtype.kind not in "iuf":
        raise InputError(f"{source}: array of {grid.dtype}; numbers are needed")
    if not len(grid):
        raise InputError(f"{source}: the table is empty")
    if grid.shape[1] < 2:
        raise InputError(f"{source}: {grid.shape[1]} column; at least 2 classes are needed")
    return grid


def _whole(grid: Array) -> bool:
    """Are all entries whole, and is some row not a distribution?"""
    finite = bool(np.isfinite(grid).all()) and bool((np.abs(grid) < 2**53).all())
    return finite and bool((grid == np.rint(grid)).all()) and bool((grid.sum(axis=1) != 1).any())


def as_votes(found: Probabilities) -> Probabilities:
    """Whole floats as the votes they are: an array that a float format holds."""
    if (
        found.table.dtype.kind != "f"
        or found.table.size > 10 * CHUNK_CELLS
        or not _whole(np.asarray(found.table, float))
    ):
        return found
    return replace(
        found,
        table=np.asarray(found.table).astype(np.int64),
        reading=found.reading.replace("probabilities", "votes", 1),
    )


def chunks(table: Array) -> Iterator[tuple[int, Array]]:
    """(first row, float64 rows) of a table in pieces that fit the cache."""
    rows = max(1, CHUNK_CELLS // table.shape[1])
    for start in range(0, len(table), rows):
        yield start, np.array(table[start : start + rows], dtype=np.float64)


def check_rows(
    part: Array, start: int, kind: str, source: str, sums_to_one: bool = True, tolerance: float = 1e-3
) -> Array:
    """Row sums of a piece of a table; InputError names the row (from 0) of NaN, a negative entry or a wrong sum."""
    with np.errstate(over="ignore", invalid="ignore"):
        totals: Array = part.sum(axis=1)
    if not np.isfinite(totals).all():
        if np.isfinite(part).all():
            i = int((~np.isfinite(totals)).argmax())
            raise InputError(f"{source}: row {start + i} sums to more than floating point holds; scale it down")
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


def tolerance_of(table: Array) -> float:
    """How far a row of probabilities may be from 1: what rounding in the table's own type explains, generously."""
    return 1e-2 if table.dtype.itemsize <= 2 else 1e-3


# ------------------------------------------------------------------------------------------------- the order of the classes


def likelier_order(labels: Codes, table: Array, names: Sequence[str] | None) -> str | None:
    """A hint, where another order of the columns explains the labels much better; None where none does.

    The share of samples whose label is not the class of the largest probability, in the order of the columns and after the
    permutation of the columns for which it is least.
    """
    K = table.shape[1]
    if K > 1000:
        return None
    counts = np.zeros(K * K, dtype=np.int64)
    for start, part in chunks(table):
        counts += np.bincount(labels[start : start + len(part)] * K + part.argmax(axis=1), minlength=K * K)
    agreed = counts.reshape(K, K)
    rows, columns = linear_sum_assignment(-agreed)
    now, best = 1 - agreed.trace() / len(labels), 1 - agreed[rows, columns].sum() / len(labels)
    if best > now / 2 or now - best < 0.2:
        return None
    order = [""] * K
    for label, place in zip(rows.tolist(), columns.tolist(), strict=True):
        order[place] = printable(names[label], 30) if names is not None else str(label)
    shown = ", ".join(order[:10]) + (", ..." if K > 10 else "")
    return f"row order {shown} looks likelier: rate {best:.2g} instead of {now:.2g}"
