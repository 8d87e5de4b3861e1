"""Archives of arrays (.npz) that the package wrote itself, read back with every array of the shape that it must have."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from struct import error as StructError
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .limits import open_regular

HEAD = 2**12
"""Bytes that an array takes beside its numbers, at most."""


def read_npz(
    path: str | os.PathLike[str], expected: Mapping[str, tuple[str, tuple[int, ...]]]
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an archive by name, as ``expected``: kinds (``f`` floats, ``b`` truth values, ``iu`` whole numbers) and shape.

    InputError for an archive that is damaged (checksums are compared), lacks an array, or has one of another kind or shape;
    nothing is unpacked that is larger than what is expected.
    """
    found = {}
    try:
        with open_regular(path, str(path)) as file, zipfile.ZipFile(file) as archive:
            for name, (kinds, shape) in expected.items():
                entry = archive.getinfo(f"{name}.npy")
                if entry.file_size > HEAD + 16 * math.prod(shape):
                    raise InputError(f"{path}: {name} is too large for the shape {shape}")
                array: npt.NDArray[Any] = np.lib.format.read_array(io.BytesIO(archive.read(entry)), allow_pickle=False)
                if array.shape != shape or array.dtype.kind not in kinds:
                    raise InputError(
                        f"{path}: {name} has the shape {array.shape} of {array.dtype}, not {shape} of {kinds}"
                    )
                found[name] = array
    except InputError:
        raise
    except KeyError:
        raise InputError(f"{path}: has no array {name}") from None
    except (
        OSError,
        ValueError,
        TypeError,
        EOFError,
        RuntimeError,
        StructError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(
            f"{path}: cannot be read as an archive of arrays, it may be damaged ({type(error).__name__})"
        ) from None
    return found
