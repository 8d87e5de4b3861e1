"""Tables of features, (N, d): a row of numbers for every sample, from a file or an object in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError, nearest
from .kinds import numbers_of, without_index
from .objects import read
from .roles import plain
from .table import Grid, Table

NAMES = ("train", "features", "embeddings", "embedding", "x")
"""What the features may be called in a file of several arrays; the first that is there is taken."""


def read_features(source: Any, what: str = "--features") -> npt.NDArray[np.float32]:
    """An array, a data frame, a tensor, nested lists or a file (also ``FILE:NAME``) as features (N, d); further axes are flattened.

    A file of ``asymtheory features`` gives those of its training images. InputError for what is not a table of numbers.
    """
    table, name = read(source, what)
    rows = _grid(table, name, what)
    try:
        found = np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"{table.source}: is not a table of numbers, a row of the same length for every sample"
        ) from None
    if found.ndim < 2 or not found.size:
        raise InputError(f"{table.source}: array of shape {found.shape}; a row of numbers for every sample is needed")
    return found.reshape(len(found), -1)


def _grid(table: Table, name: str | None, what: str) -> Grid:
    """The array that is meant."""
    if name is not None and name in table.grids:
        return table.grids[name]
    if name is None and table.grids:
        known = {plain(key): key for key in reversed(list(table.grids))}
        chosen = next((known[key] for key in NAMES if key in known), None)
        if chosen is None and len(table.grids) > 1:
            raise InputError(f"{table.source} holds {table.listed()}: say which is meant, {what} {table.source}:NAME")
        return table.grids[next(iter(table.grids)) if chosen is None else chosen]
    if name is None and table.tabular:
        return numbers_of(without_index(table)[0])
    asked = "" if name is None else f"; it has no table {name!r}{nearest(name, table.grids)}"
    raise InputError(f"{table.source}: holds {table.listed()}; a table (samples, numbers) is needed{asked}")
