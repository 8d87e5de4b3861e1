"""Files of JSON lines, one object a line, as text or compressed (``.gz``): how the rooms hand results to each other."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from .errors import InputError
from .reading.documents import NotJSON, parse_json
from .reading.limits import MEMORY, UNPACKED, allowed_memory, at_most, most, open_regular

JsonValue: TypeAlias = Any
"""A value of a JSON or TOML file: a text, a number, true or false, None, or a list or table of such values."""
Json = dict[str, JsonValue]
"""An object of JSON: names to texts, numbers, truth values, None, lists and further objects."""

MOST_LINES = 1_000_000

VALUE = 100
"""Bytes of memory that a value of JSON takes, about; its text comes twice on top."""


def read(path: str | os.PathLike[str], what: str = "results") -> list[Json]:
    """The objects of a file in its order. A last line that was torn off (broken, and without its newline) is left out.

    ``what`` says in messages what the file is. Raises InputError where it cannot be read, for any other line that is not a
    JSON object, with its number, and for a file whose objects would take more than a gigabyte of memory
    (``ASYMTHEORY_MEMORY=16GiB`` allows more).
    """
    return [value for _, value in numbered(path, what)]


def numbered(path: str | os.PathLike[str], what: str = "results") -> list[tuple[str, Json]]:
    """The same, each with its place for messages, ``results runs.jsonl, line 3``."""
    file, where = Path(path), f"{what} {path}"
    found: list[tuple[str, Json]] = []
    for number, line in enumerate(_lines(file, where), 1):
        place = f"{where}, line {number}"
        try:
            value = parse_json(line, place, most=len(line))
        except NotJSON:
            value = None
        if isinstance(value, dict):
            found.append((place, value))
        elif line.endswith("\n"):  # else it was torn off
            raise InputError(f"{place}: is not JSON (an object a line is needed)")
    return found


def _lines(file: Path, where: str) -> Iterator[str]:
    """The lines with their ends, as long as what they hold stays within the limit."""
    allowed = room = allowed_memory() or UNPACKED
    try:
        with open_regular(file, where) as stored, gzip.open(stored) if file.suffix == ".gz" else stored as lines:
            count = 0
            while line := lines.readline(int(room) + 1):  # every line takes from the room
                count += 1
                if count > most(MOST_LINES):
                    raise InputError(f"{where}: line {count}: {at_most(MOST_LINES)}")
                room -= 2 * len(line) + VALUE * (1 + sum(map(line.count, (b",", b":", b"[", b"{"))))
                if room < 0:
                    raise InputError(
                        f"{where}: holds more than {allowed / 2**30:.3g} GiB of memory takes (set {MEMORY}=16GiB to allow more)"
                    )
                yield line.decode()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f"{where}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
