"""Pickles that hold arrays, text and bytes in lists and dicts, and nothing else.

The python versions of CIFAR and some label files are pickles, and a pickle is a program. Here no name in it is ever
imported: the few names that arrays and bytes need are answered by stand-ins that collect a shape, a type and the raw bytes, from
which arrays of plain numbers are built afterwards. Any other name is refused before anything runs.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from asymtheory.errors import InputError

CODES = frozenset({"b1", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f4", "f8"})
"""Types of array that are admitted: truth values, integers and floats."""


class _Refused(Exception):
    """What the pickle asks for and does not get."""


class _Frozen:
    """No attribute can be set, so that no pickle can change what the next one meets."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise _Refused(f"a state for {type(self).__name__}")


class _NdarrayClass(_Frozen):
    """Stands for ``numpy.ndarray``, which appears only as an argument."""

    __slots__ = ()


class _Type:
    """Stands for a numpy dtype: its code, and its byte order, which comes as state."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or _text(state[1]) not in ("<", ">", "|", "="):
            raise _Refused("a type of array with fields or an unknown byte order")
        self.order = _text(state[1])

    def dtype(self) -> np.dtype[np.generic]:
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for an array, whose shape, type and bytes come as state."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: npt.NDArray[np.generic] | None = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise _Refused("an array with an unknown state")
        _, shape, kind, fortran, raw = state
        self.value = _array(raw, kind, shape, "F" if fortran else "C")


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _array(raw: object, kind: object, shape: object, order: object) -> npt.NDArray[np.generic]:
    if isinstance(raw, str):  # what Python 2 wrote, read as text
        raw = raw.encode("latin-1")
    if not isinstance(kind, _Type) or not isinstance(raw, bytes | bytearray):
        raise _Refused("an array of objects")
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise _Refused("an array without a shape")
    dtype = kind.dtype()
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise _Refused(f"an array of shape {shape} made of {len(raw)} bytes")
    if order not in ("C", "F"):
        raise _Refused("an array of unknown order")
    return np.frombuffer(bytes(raw), dtype).reshape(shape, order=order).astype(dtype.newbyteorder("="))


class _Reconstruct(_Frozen):
    """``numpy.core.multiarray._reconstruct(ndarray, (0,), b'b')``: an empty array that waits for its state."""

    __slots__ = ()

    def __call__(self, *ignored: object) -> _Array:
        return _Array()


class _Dtype(_Frozen):
    """``numpy.dtype('u1', 0, 1)``."""

    __slots__ = ()

    def __call__(self, code: object, *ignored: object) -> _Type:
        if _text(code) not in CODES:
            raise _Refused(f"an array of type {_text(code)[:20]!r}")
        return _Type(_text(code))


class _FromBuffer(_Frozen):
    """``numpy.core.numeric._frombuffer(bytes, dtype, shape, order)`` of pickle protocol 5."""

    __slots__ = ()

    def __call__(self, raw: object, kind: object, shape: object, order: object, *ignored: object) -> _Array:
        made = _Array()
        made.value = _array(raw, kind, shape, order)
        return made


class _Encode(_Frozen):
    """``_codecs.encode(text, 'latin1')``: how protocol 2 writes bytes."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise _Refused("bytes in an unknown encoding")
        return text.encode("latin-1")


class _Bytes(_Frozen):
    """``bytes()``: how protocol 2 writes no bytes at all."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


STAND_INS: dict[tuple[str, str], type[_Frozen]] = {
    ("numpy", "ndarray"): _NdarrayClass,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encode,
    ("__builtin__", "bytes"): _Bytes,
    ("builtins", "bytes"): _Bytes,
} | {
    (f"numpy.{core}.{module}", name): stand_in
    for core in ("core", "_core")
    for module, name, stand_in in (
        ("multiarray", "_reconstruct", _Reconstruct),
        ("numeric", "_frombuffer", _FromBuffer),
    )
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        stand_in = STAND_INS.get((module, name))
        if stand_in is None:
            raise _Refused(printable(f"{module}.{name}"))
        return stand_in()

    def persistent_load(self, pid: object) -> Any:
        raise _Refused("an object stored elsewhere")


def loads(data: bytes, source: str = "pickle", before: int = 0) -> Any:
    """What the pickle `data` holds: arrays of numbers, bytes, text, numbers and None, in lists, tuples and dicts.

    `before`: so many other pickles stand before it. Strings written by Python 2 come back as bytes. Anything else in it, and
    a damaged pickle, raises InputError that names `source`; no code of the pickle runs.
    """
    stream = io.BytesIO(data)
    try:
        for _ in range(before):
            _Unpickler(stream, encoding="bytes").load()
        return _plain(_Unpickler(stream, encoding="bytes").load(), {})
    except _Refused as error:
        raise InputError(f"{source}: the pickle asks for {error}; only arrays of numbers and text are read") from None
    except Exception as error:  # a damaged pickle can fail anywhere, a bomb with MemoryError
        raise InputError(f"{source}: is not a readable pickle ({type(error).__name__})") from error


def loads_torch(data: bytes, source: str = "file") -> Any:
    """What ``torch.save`` wrote, if it holds no tensors: :func:`loads` of the pickle in its archive, or of the fourth one of
    the old format (a magic number, a version and facts of the machine stand before it)."""
    if not data.startswith(b"PK"):
        return loads(data, source, before=3)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            held = archive.read(name)
    except Exception as error:  # a damaged archive can fail anywhere
        raise InputError(f"{source}: is not a readable archive of torch ({type(error).__name__})") from error
    return loads(held, source)


def printable(text: str, most: int = 100) -> str:
    """Text of a file for a message: on one line, without control characters, not too long."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def _plain(value: object, done: dict[int, Any]) -> Any:
    """`value` with the collected arrays in place. `done` holds what was met: shared parts are copied once, and a
    container that is met again while it is being copied holds itself."""
    if value is None or isinstance(value, bool | int | float | str | bytes | bytearray):
        return value
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if not isinstance(value, dict | list | tuple):
        raise _Refused(f"a bare {type(value).__name__.lstrip('_').lower()}")
    if id(value) not in done:
        done[id(value)] = _OPEN
        if isinstance(value, dict):
            done[id(value)] = {_plain(key, done): _plain(item, done) for key, item in value.items()}
        else:
            done[id(value)] = type(value)([_plain(item, done) for item in value])
    if done[id(value)] is _OPEN:
        raise _Refused("a container that holds itself")
    return done[id(value)]


_OPEN = object()
