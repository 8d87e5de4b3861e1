"""Pickles that hold arrays, tensors, text and bytes in lists and dicts, and nothing else.

The python versions of CIFAR and some label files are pickles, and a pickle is a program. Here no name in it is ever
imported: the few names that arrays, tensors and bytes need are answered by stand-ins that collect a shape, a type and the raw
bytes, from which arrays of plain numbers are built afterwards. Any other name is refused before anything runs.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError, printable

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


class _Storage(_Frozen):
    """Stands for a type of storage, ``torch.LongStorage`` and its like, which appears in the references to storages."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


class _Tensor(_Frozen):
    """``torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)``."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, size: Any, stride: Any, *ignored: Any) -> _Array:
        if not isinstance(storage, np.ndarray):
            raise _Refused("a tensor without a storage")
        whole = all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride))
        if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride) or not whole:
            raise _Refused("a tensor without a shape")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if 0 not in size and (last >= len(storage) or math.prod(size) > len(storage)):
            raise _Refused(f"a tensor of shape {size} in a storage of {len(storage)} numbers")
        made = _Array()
        steps = tuple(step * storage.itemsize for step in stride)
        empty = 0 in size
        made.value = (
            np.zeros(size, storage.dtype)
            if empty
            else np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)
        )
        return made


class _Ordered(_Frozen):
    """``collections.OrderedDict()``: the hooks of a tensor, of which it has none, or a state."""

    __slots__ = ()

    def __call__(self, *ignored: Any) -> dict[Any, Any]:
        return {}


STORAGES = {
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": "bf", "LongStorage": "i8",
    "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "b1",
}  # fmt: skip

STAND_INS: dict[tuple[str, str], type[_Frozen]] = {
    ("numpy", "ndarray"): _NdarrayClass,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encode,
    ("__builtin__", "bytes"): _Bytes,
    ("builtins", "bytes"): _Bytes,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("collections", "OrderedDict"): _Ordered,
} | {
    (f"numpy.{core}.{module}", name): stand_in
    for core in ("core", "_core")
    for module, name, stand_in in (
        ("multiarray", "_reconstruct", _Reconstruct),
        ("numeric", "_frombuffer", _FromBuffer),
    )
}


class _Unpickler(pickle.Unpickler):
    """An unpickler that imports nothing; ``storages`` is the archive that holds the numbers of tensors, if there is one."""

    storages: zipfile.ZipFile | None = None
    folder = ""
    later: dict[str, np.ndarray[Any, Any]] | None = None  # storages of the old format, which come after the pickle
    most = 0

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return _Storage(STORAGES[name])
        stand_in = STAND_INS.get((module, name))
        if stand_in is None:
            raise _Refused(printable(f"{module}.{name}"))
        return stand_in()

    def persistent_load(self, pid: Any) -> Any:
        known = isinstance(pid, tuple) and len(pid) >= 5 and isinstance(pid[1], _Storage)
        if not known or (self.storages is None and self.later is None):
            raise _Refused("an object stored elsewhere")
        if self.later is not None:
            return self._filled_later(_text(pid[2]), pid[1].kind, pid[4])
        assert self.storages is not None
        raw = self.storages.read(f"{self.folder}data/{_text(pid[2])}")
        kind = pid[1].kind
        if kind == "bf":  # the upper half of a float32
            return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(raw, f"<{kind}")

    def _filled_later(self, key: str, kind: str, count: Any) -> np.ndarray[Any, Any]:
        assert self.later is not None
        if not isinstance(count, int) or not 0 <= count <= self.most or kind == "bf":
            raise _Refused(f"a storage of {count} numbers")
        if key not in self.later:
            self.later[key] = np.zeros(count, f"<{kind}")
        return self.later[key]


def loads(data: bytes, source: str = "pickle", before: int = 0) -> Any:
    """What the pickle `data` holds: arrays of numbers, bytes, text, numbers and None, in lists, tuples and dicts.

    `before`: so many other pickles stand before it. Strings written by Python 2 come back as bytes. Anything else in it, and
    a damaged pickle, raises InputError that names `source`; no code of the pickle runs.
    """
    stream = io.BytesIO(data)

    def load() -> Any:
        for _ in range(before):
            _Unpickler(stream, encoding="bytes").load()
        return _Unpickler(stream, encoding="bytes").load()

    return _loaded(load, source)


def _loaded(load: Callable[[], Any], source: str) -> Any:
    try:
        return _plain(load(), {})
    except _Refused as error:
        raise InputError(f"{source}: the pickle asks for {error}; only arrays of numbers and text are read") from None
    except Exception as error:  # a damaged pickle can fail anywhere, a bomb with MemoryError
        raise InputError(f"{source}: is not a readable pickle ({type(error).__name__})") from error


def _load_old(data: bytes) -> Any:
    """The object of torch's old format: its storages are filled once they have been read."""
    stream = io.BytesIO(data)
    for _ in range(3):
        _Unpickler(stream, encoding="bytes").load()
    unpickler = _Unpickler(stream, encoding="bytes")
    unpickler.later, unpickler.most = {}, len(data)
    found = unpickler.load()
    if unpickler.later:
        for key in _Unpickler(stream, encoding="bytes").load():
            storage = unpickler.later[_text(key)]
            count = int.from_bytes(stream.read(8), "little")
            if count != len(storage):
                raise _Refused(f"a storage of {count} numbers")
            storage[:] = np.frombuffer(stream.read(storage.nbytes), storage.dtype)
    return found


def loads_torch(data: bytes, source: str = "file") -> Any:
    """What ``torch.save`` wrote: :func:`loads` of the pickle in its archive, or of the fourth pickle of the old format (a magic
    number, a version and facts of the machine stand before it, storages after it); tensors as arrays."""
    if not data.startswith(b"PK"):
        return _loaded(lambda: _load_old(data), source)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            unpickler = _Unpickler(io.BytesIO(archive.read(name)), encoding="bytes")
            unpickler.storages, unpickler.folder = archive, name.removesuffix("data.pkl")
            return _loaded(unpickler.load, source)
    except InputError:
        raise
    except Exception as error:  # a damaged archive can fail anywhere
        raise InputError(f"{source}: is not a readable archive of torch ({type(error).__name__})") from error


def _plain(value: object, done: dict[int, Any]) -> Any:
    """`value` with the collected arrays in place. `done` holds what was met: shared parts are copied once, and a
    container that is met again while it is being copied holds itself."""
    if value is None or isinstance(value, bool | int | float | str | bytes | bytearray):
        return value
    if isinstance(value, _Array) and value.value is not None:
        return value.value.copy()
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
