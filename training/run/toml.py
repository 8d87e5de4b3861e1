"""TOML as configurations have it: the line of a key, how a value is written, and paths that are relative to the file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from fractions import Fraction
from types import TracebackType

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.reading.documents import read_text

from .checks import FieldError


def is_path(kind: str) -> bool:
    """Is this noise a file? Names of noise hold neither a point nor a slash."""
    return "." in kind or "/" in kind or os.sep in kind


def beside(folder: str | os.PathLike[str], path: str, reader: str | os.PathLike[str] = "") -> str:
    """`path`, which is relative to `folder`, as it is written relative to the folder `reader`; both default to the current one.

    Absolute paths stay, ``~`` is the home folder. Links among the folders are followed, so that ``..`` means what it says.
    """
    path = os.path.expanduser(path)
    if os.path.isabs(path) or os.path.realpath(folder) == os.path.realpath(reader):
        return path
    above, name = os.path.split(os.path.join(folder, path))
    return os.path.relpath(os.path.join(os.path.realpath(above), name), os.path.realpath(reader))


class blame:
    """Names the file and the line of the setting that a :class:`FieldError` is about."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, FieldError):
            table, _, name = error.key.rpartition(".")
            source = read_text(self.path, "--config")
            raise InputError(f"--config {self.path}{line_of(source, name, table)}: {error}") from None
        if isinstance(error, InputError) and not str(error).startswith("--config"):
            raise InputError(f"--config {self.path}: {error}") from None


def flattened(table: Mapping[str, JsonValue]) -> Json:
    """``agce.a = 3`` without quotes is a table in TOML; here it is the parameter a of the term agce."""
    flat: Json = {}
    for name, value in table.items():
        inner = flattened(value) if isinstance(value, dict) else {"": value}
        flat.update({f"{name}.{key}" if key else name: each for key, each in inner.items()})
    return flat


def line_of(source: str, name: str, table: str = "") -> str:
    """``, line 7`` for the line of a key (or of the header of a table) in a file, or nothing if it is not found."""
    current = ""
    for count, line in enumerate(source.splitlines(), 1):
        header = re.match(r"\s*+\[([^\[\]]++)\]", line)
        if header:
            current = header[1].strip().strip("\"'")
            if not table and current.split(".")[0].strip() == name:
                return f", line {count}"
        elif current == table and re.match(rf"""\s*["']?{re.escape(name)}["']?\s*[=.]""", line):
            return f", line {count}"
    return ""


def written(value: JsonValue) -> JsonValue:
    """An exact number as JSON and TOML have it: an int, a float that is exactly the decimal, or a text "1/3"."""
    if not isinstance(value, Fraction):
        return value
    if value.denominator == 1:
        return int(value)
    return float(value) if Fraction(repr(float(value))) == value else str(value)


def toml_value(value: JsonValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in text)
    return repr(value)


def toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)
