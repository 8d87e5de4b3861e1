"""Arrays in files: .npy, .npz, Parquet, and what ``torch.save`` wrote; no pickle is ever run."""

from __future__ import annotations

import io
import os
import zipfile
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, printable
from .limits import check_room, check_unpacked, read_bytes
from .unpickle import loads_torch

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

TABLES_EXTRA = "pip install 'asymtheory[tables]'"

_PICKLED = "holds pickled objects, which are never loaded; save a plain array of numbers"


def load_npy(path: str) -> Array:
    """The array of a .npy file, memory-mapped."""
    _check_magic(path)
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged head can fail anywhere
        pickled = "pickle" in str(error) or "object" in str(error).lower()
        raise InputError(f"{path}: {_PICKLED if pickled else f'is damaged ({type(error).__name__})'}") from error
    if not isinstance(loaded, np.ndarray):
        raise InputError(f"{path}: is an archive of arrays; its name must end in .npz")
    if loaded.dtype.kind == "O":
        raise InputError(f"{path}: {_PICKLED}")
    if loaded.ndim < 2:
        check_room(path, loaded.nbytes)
        return np.array(loaded)
    return loaded


def load_npz(path: str) -> dict[str, Array]:
    """The arrays of a .npz file by name."""
    _check_magic(path)
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(path, os.stat(path).st_size, sum(entry.file_size for entry in archive.infolist()))
            # what the archive says of its sizes may be a lie: no entry is read beyond them
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except InputError:
        raise
    except Exception as error:  # a damaged archive can fail in numpy, zipfile or zlib, each with errors of its own
        pickled = "pickle" in str(error)
        raise InputError(f"{path}: {_PICKLED if pickled else f'is damaged ({type(error).__name__})'}") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy hands out what is not a .npy inside the archive as bytes
            raise InputError(f"{path}: entry {printable(key, 40)!r} is not an array")
    return arrays


def _check_magic(path: str) -> None:
    with open(path, "rb") as file:
        start = file.read(6)
    if start != b"\x93NUMPY" and not start.startswith(b"PK"):
        raise InputError(f"{path}: is not a .npy or .npz file (arrays only; pickles are never loaded)")


def load_torch(path: str) -> dict[str, Array]:
    """Arrays and tensors that ``torch.save`` wrote, by name; a bare one is named ``""``, those of a list 0, 1, ..."""
    data = read_bytes(path, 3)
    if data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                check_unpacked(path, len(data), sum(entry.file_size for entry in archive.infolist()))
        except zipfile.BadZipFile as error:
            raise InputError(f"{path}: is not a readable archive of torch ({type(error).__name__})") from error
    content = loads_torch(data, path)
    if isinstance(content, np.ndarray):
        return {"": content}
    if isinstance(content, list | tuple):
        if content and all(isinstance(each, np.ndarray) for each in content):
            return {str(i): each for i, each in enumerate(content)}
        return {"": _list(content, path)}
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}; a dict of label arrays is needed")
    found = {}
    for key, value in content.items():
        name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        if isinstance(value, np.ndarray):
            found[name] = value
        elif isinstance(value, list | tuple) and value:
            found[name] = _list(value, path)
    if not found:
        raise InputError(f"{path}: holds no arrays of labels")
    return found


def _list(values: list[Any] | tuple[Any, ...], path: str) -> Array:
    """A list of numbers or names as an array."""
    cells = [cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in values]
    try:
        array = np.array(cells)
    except (ValueError, OverflowError):
        raise InputError(f"{path}: holds a list that is not one of labels or rows") from None
    if array.dtype.kind == "O":
        raise InputError(f"{path}: holds a list of other things than labels")
    return array


def load_parquet(path: str) -> dict[str, Any]:
    """The columns of a Parquet file, through pyarrow."""
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(f"{path}: Parquet needs an extra: {TABLES_EXTRA} ({error})") from error
    try:
        groups = parquet.ParquetFile(path).metadata
        unpacked = 2 * sum(groups.row_group(i).total_byte_size for i in range(groups.num_row_groups))
        check_unpacked(path, os.stat(path).st_size, unpacked)
        return arrow_columns(parquet.read_table(path))
    except InputError:
        raise
    except Exception as error:  # pyarrow's errors share no base class
        raise InputError(f"{path}: is not a Parquet file ({type(error).__name__})") from error


def arrow_columns(table: Any) -> dict[str, Any]:
    """The columns of a pyarrow table: arrays where they hold numbers without gaps, lists elsewhere."""
    found: dict[str, Any] = {}
    for head, column in zip(table.column_names, table.columns, strict=True):
        numeric = str(column.type).startswith(("int", "uint", "float", "double", "half"))
        name = head if head not in found else f"{head}.{len(found)}"
        found[name] = column.to_numpy() if numeric and not column.null_count else column.to_pylist()
    return found


def host(data: Any) -> Any:
    """A tensor as an array on this machine (detached, bfloat16 as float32); anything else as it is."""
    if not hasattr(data, "detach"):
        return data
    tensor = data.detach().cpu()
    if getattr(tensor, "is_sparse", False):
        tensor = tensor.to_dense()
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    return tensor.numpy()


def check_copied(source: str, array: Array, times: float) -> None:
    """InputError where `times` the array does not fit the memory."""
    check_room(source, times * array.nbytes)
