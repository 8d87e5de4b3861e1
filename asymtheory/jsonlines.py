"""Files of JSON lines, one object a line, as text or compressed (``.gz``): how the rooms hand results to each other."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any, TypeAlias

from .errors import InputError

JsonValue: TypeAlias = Any
"""A value of a JSON or TOML file: a text, a number, true or false, None, or a list or table of such values."""
Json = dict[str, JsonValue]
"""An object of JSON: names to texts, numbers, truth values, None, lists and further objects."""


def read(path: str | os.PathLike[str], what: str = "results") -> list[Json]:
    """The objects of a file in its order. A last line that was torn off (broken, and without its newline) is left out.

    ``what`` says in messages what the file is. Raises InputError where it cannot be read, and for any other line that is not a
    JSON object, with its number.
    """
    file = Path(path)
    found: list[Json] = []
    try:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                value = _value(line)
                if isinstance(value, dict):
                    found.append(value)
                elif line.endswith("\n"):
                    raise InputError(f"{what} {file}, line {number}: is not JSON (an object a line is needed)")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f"{what} {file}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
