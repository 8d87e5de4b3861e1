"""What Python people hold labels and tables in, as a :class:`~asymtheory.reading.table.Table`.

pandas, polars and pyarrow frames and columns, numpy arrays, torch tensors, lists, mappings of lists, lists of records. A frame
is a table of rows, whatever its library, and never transposed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import InputError, printable
from .arrays import arrow_columns, host
from .files import of_entries, of_values, read_file
from .table import Table, unique


def read(source: Any, what: str) -> tuple[Table, str | None]:
    """What a source holds, and the column that its spec names: ``FILE``, ``FILE:NAME``, or an object in memory.

    `what` (``--labels``) is what messages call an object in memory, and is written before the path of a file. InputError for the
    name of a column of what is one array without a name.
    """
    if not isinstance(source, str | os.PathLike):
        return of_object(source, what), None
    table, name = read_file(source, what)
    if name is not None and [*table.columns, *table.grids] == [""] and not (table.columns and name == "1"):
        raise InputError(
            f"{what} {table.source}: holds one array, which has no name: give the file without :{printable(name, 40)}"
        )
    return table, name


def of_object(data: Any, source: str) -> Table:
    """What an object in memory holds. InputError for one that is neither a table nor a column."""
    data = host(data)
    if hasattr(data, "column_names") and hasattr(data, "to_pylist"):  # pyarrow
        return Table(source, arrow_columns(data), tabular=True)
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):  # pandas, polars
        return _frame(data, source)
    if hasattr(data, "to_pylist"):
        return Table(source, {"": data.to_pylist()}, headed=False)
    if hasattr(data, "to_numpy"):
        return Table(source, {"": _with_gaps(data)}, headed=False)
    if np.ma.isMaskedArray(data):
        data = np.array([None if hidden else x for x, hidden in zip(data, np.ma.getmaskarray(data), strict=True)])
    if isinstance(data, np.ndarray):
        if data.ndim == 1:
            return Table(source, {"": data}, headed=False)
        return Table(source, grids={"": data}, headed=False)
    if isinstance(data, Mapping):
        return of_entries({key: _entry(value) for key, value in data.items()}, source)
    if isinstance(data, str | bytes) or not isinstance(data, Iterable):
        raise InputError(f"{source}: a list or array of labels or rows is needed, got {type(data).__name__}")
    return of_values([_entry(each) for each in data], source)


def _entry(value: Any) -> Any:
    value = host(value)
    if hasattr(value, "to_pylist"):
        return value.to_pylist()
    if hasattr(value, "to_numpy"):
        return _with_gaps(value)
    return list(value) if isinstance(value, tuple | range) else value


def _frame(data: Any, source: str) -> Table:
    """A pandas or polars frame; a pandas index that is not 0, 1, 2, ... names the rows."""
    heads = unique(data.columns, source)
    columns = {head: _with_gaps(_column(data, i)) for i, head in enumerate(heads)}
    index = getattr(data, "index", None)
    rows = None if index is None or type(index).__name__ == "RangeIndex" else list(index)
    headed = heads != [str(i) for i in range(len(heads))]
    return Table(source, columns, tabular=True, headed=headed, index=rows)


def _column(data: Any, i: int) -> Any:
    return data.iloc[:, i] if hasattr(data, "iloc") else data.to_series(i)


def _with_gaps(column: Any) -> Any:
    """A column of a frame as an array of numbers, or a list where it holds text or gaps."""
    array = np.asarray(column.to_numpy())
    if array.dtype.kind in "iufb":
        return array
    return [None if type(cell).__name__ == "NAType" else cell for cell in array.tolist()]
