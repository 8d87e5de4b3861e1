"""The official file formats of the data sets: CIFAR binary and python versions, MNIST's idx. Files of labels are read by
:mod:`asymtheory.reading`.

Every reader checks what it reads and raises InputError that names the file, what was expected and what was found.
Images come as uint8 arrays (N, C, H, W), labels as int64 arrays (N,).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asymtheory.errors import InputError, printable
from asymtheory.reading import unpickle
from asymtheory.reading.arrays import host
from asymtheory.reading.limits import check_regular, gunzip

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


# --------------------------------------------------------------------------------------------------------------- files
def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The contents of a file, unpacked if its name ends in ``.gz``."""
    source = os.fspath(path)
    check_regular(source, source)
    try:
        data = Path(source).read_bytes()
        return gunzip(source, data) if source.endswith(".gz") else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{source}: is truncated or not a gzip file ({error})") from error
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror or error})") from error


def fingerprint(what: str, path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; a file that cannot be read raises InputError naming the setting ``what``."""
    try:
        state = os.stat(path)
        return _sha256(os.fspath(path), state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise InputError(f"{what} {path}: cannot be read ({error.strerror or error})") from None


@lru_cache(maxsize=64)
def _sha256(path: str, changed: int, size: int) -> str:
    """The SHA-256 of the file as it was at that time; the arguments name its state."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -------------------------------------------------------------------------------------------------------------- images
def read_cifar_binary(
    path: str | os.PathLike[str], label_bytes: int, records: int | None = None
) -> tuple[Images, Labels]:
    """Images (N, 3, 32, 32) and labels of a CIFAR binary file: records of `label_bytes` labels and 3072 pixels.

    CIFAR-10 has one label byte, CIFAR-100 two (coarse, fine), of which the last is returned. A length that is not a whole
    number of records, or not the expected number of `records`, raises InputError.
    """
    data = read_bytes(path)
    length = 3072 + label_bytes
    if len(data) % length or not data or (records is not None and len(data) != records * length):
        expected = f"{records * length} bytes ({records} records)" if records else f"records of {length} bytes"
        raise InputError(f"{os.fspath(path)}: has {len(data)} bytes; expected {expected}")
    table = np.frombuffer(data, np.uint8).reshape(-1, length)
    images = table[:, label_bytes:].reshape(-1, 3, 32, 32).copy()
    return images, table[:, label_bytes - 1].astype(np.int64)


def read_cifar_python(path: str | os.PathLike[str], label_key: str) -> tuple[Images, Labels]:
    """Images (N, 3, 32, 32) and labels of a file of the CIFAR python version (a pickle, read without running it).

    `label_key` is ``labels`` for CIFAR-10 and ``fine_labels`` for CIFAR-100.
    """
    source = os.fspath(path)
    content = unpickle.loads(read_bytes(path), source)
    if not isinstance(content, dict):
        raise InputError(f"{source}: holds a {type(content).__name__}; a CIFAR batch is a dict")
    table = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in content.items()}
    if "data" not in table or label_key not in table:
        held = printable(", ".join(map(str, table))) or "nothing"
        raise InputError(f"{source}: holds {held}; data and {label_key} are needed")
    data, labels = table["data"], table[label_key]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        shape = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{source}: data is {shape}; uint8 of shape (N, 3072) is needed")
    return data.reshape(-1, 3, 32, 32), label_array(labels, f"{source}: {label_key}", length=len(data))


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """The array of an idx file (MNIST, Fashion-MNIST), packed with gzip or not: unsigned bytes of 1 to 4 axes."""
    source, data = os.fspath(path), read_bytes(path)
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 4:
        raise InputError(f"{source}: is not an idx file of bytes (it starts with {data[:4].hex(' ') or 'nothing'})")
    head = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, head, 4))
    expected = head + int(np.prod(shape, dtype=object))
    if len(data) != expected:
        raise InputError(f"{source}: has {len(data)} bytes; its header {shape} asks for {expected}")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape).copy()


# -------------------------------------------------------------------------------------------------------------- labels
def label_array(values: npt.ArrayLike, source: str, *, K: int | None = None, length: int | None = None) -> Labels:
    """`values` (list, array or tensor) as an int64 array (N,).

    Not one axis of whole numbers, a label outside 0..K-1, or not `length` of them raise InputError that names `source`,
    and the position of the first bad label.
    """
    try:
        array = np.asarray(host(values))
    except ValueError as error:  # ragged
        raise InputError(f"{source}: labels are not a flat list of whole numbers") from error
    if array.ndim != 1 or array.dtype.kind not in "iu":
        shown = f"{array.dtype} of shape {array.shape}"
        raise InputError(f"{source}: labels are {shown}; one axis of whole numbers is needed")
    if length is not None and len(array) != length:
        raise InputError(f"{source}: {len(array)} labels for {length} samples; there must be one label a sample")
    bad = (array < 0) | (array > np.iinfo(np.int64).max if K is None else array >= K)
    if bad.any():
        i = int(bad.argmax())
        allowed = "not negative" if K is None else f"in 0..{K - 1}"
        raise InputError(f"{source}: label {array[i]} at position {i}; labels must be {allowed}")
    return array.astype(np.int64)
