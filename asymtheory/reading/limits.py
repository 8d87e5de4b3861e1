"""How much a file may take: only regular files, only what fits the memory, and no archive that unpacks to gigabytes.

The limits can be raised: ``ASYMTHEORY_MEMORY=16GiB`` allows that much for one file, packed or not; ``ASYMTHEORY_COUNTS=1000000`` so
many of anything that is counted.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
from typing import BinaryIO

from ..errors import InputError

MEMORY = "ASYMTHEORY_MEMORY"
"""The environment variable that raises (or lowers) the limits."""

UNPACKED = 2**30
"""Bytes that a file may unpack to, where that is more than ``RATIO`` times its size."""

RATIO = 20

COUNTS = "ASYMTHEORY_COUNTS"
"""The environment variable that raises the limits on counts (seeds, runs, columns, threads, width)."""

MOST_CELLS = 100_000
"""Cells of one line of text: no table of classes is wider."""

IRREGULAR = "is not a regular file but a device, pipe or socket; copy what it holds to a file"

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def most(usual: int) -> int:
    """How many of something are allowed: ``usual``, or more where the environment variable says so. InputError for no number."""
    text = os.environ.get(COUNTS, "").strip()
    if not text:
        return usual
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise InputError(f"{COUNTS}={text}: a whole number such as 1000000 is needed")
    return max(usual, int(text))


def at_most(usual: int) -> str:
    """The same in words, for messages."""
    return f"at most {most(usual)} is allowed (set {COUNTS}=N to allow more)"


def allowed_memory() -> float | None:
    """Bytes that the environment variable allows; None where it is not set. InputError for what is not a size."""
    text = os.environ.get(MEMORY, "").strip().lower()
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]?)(?:i?b)?", text, re.ASCII)
    if match is None:
        raise InputError(f"{MEMORY}={text}: a size such as 16GiB is needed")
    return float(match[1]) * _UNITS[match[2]]


def available_memory() -> float:
    """Bytes that can still be taken, as the system says; infinite where it does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(float(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return float("inf")


def check_room(source: str, needed: float) -> None:
    """InputError where `needed` bytes are more than the memory that is free, or than ``ASYMTHEORY_MEMORY`` allows."""
    limit, free = allowed_memory(), available_memory()
    room, what = (free, "are free") if limit is None else (limit, f"are allowed by {MEMORY}")
    if needed > room:
        raise InputError(
            f"{source}: needs about {needed / 2**30:.3g} GiB of memory, {room / 2**30:.3g} GiB {what}; "
            "save probabilities as .npy (they are streamed), or take a part of the samples"
        )


def check_unpacked(source: str, packed: int, unpacked: float) -> None:
    """InputError where a small file would unpack to more than a gigabyte, or to more than the memory has."""
    if allowed_memory() is None and unpacked > UNPACKED and unpacked > RATIO * packed:
        raise InputError(
            f"{source}: {packed / 2**20:.3g} MiB would unpack to {unpacked / 2**30:.3g} GiB; at most 1 GiB is unpacked from "
            f"a file that small (set {MEMORY}=16GiB to allow more)"
        )
    check_room(source, unpacked)


def gunzip(source: str, data: bytes) -> bytes:
    """The contents of gzip data, which may be no more than a gigabyte or ``RATIO`` times its size."""
    most = allowed_memory() or max(UNPACKED, RATIO * len(data))
    with gzip.open(io.BytesIO(data)) as file:
        unpacked = file.read(int(most) + 1)
    if len(unpacked) > most:
        check_unpacked(source, len(data), max(len(unpacked), UNPACKED + 1.0))
    return unpacked


def check_regular(path: str, where: str, allowed: str = "") -> int:
    """The size of a regular file; InputError for no file, a folder, a device, a pipe, and an empty file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise InputError(f"{where}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{where}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{where}: is a directory; a file{allowed} is needed")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{where}: {IRREGULAR}")
    if found.st_size == 0:
        raise InputError(f"{where}: the file is empty")
    return found.st_size


def open_regular(path: str | os.PathLike[str], where: str) -> BinaryIO:
    """A regular file to read, empty or not; InputError for what cannot be opened, and for what could wait or never end."""
    try:
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{where}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(f"{where}: {IRREGULAR}")
    return file


def read_bytes(path: str, times: float = 1) -> bytes:
    """The bytes of a regular file whose contents will take `times` its size in memory."""
    check_room(path, times * check_regular(path, path))
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
