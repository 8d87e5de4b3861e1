"""Text that says settings and facts, JSON and TOML: read whole within a limit, every way in which it can be wrong in one line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from ..errors import InputError, printable
from .limits import MEMORY, allowed_memory, open_regular

LARGEST = 2 * 2**20
"""Bytes of a plan, a configuration or a journal, at most (``ASYMTHEORY_MEMORY`` allows more)."""

DEEPEST = 100
"""Lists inside lists, at most."""


_NAME = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_MANY_NAMES = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_NAME}[ \t]*+\.[ \t]*+){{{DEEPEST}}}")


class NotJSON(InputError):
    """Text that is not JSON at all."""


class NotTOML(InputError):
    """Text that is not TOML at all."""


def read_text(path: str | os.PathLike[str], what: str) -> str:
    """The text of a file of settings, UTF-8; ``what`` (``plan``, ``--config``) stands before its name in messages."""
    where = f"{what} {os.fspath(path)}".strip()
    most = allowed_memory() or LARGEST
    try:
        with open_regular(path, where) as file:
            content = file.read(int(most) + 1)
        if len(content) > most:
            raise InputError(f"{where}: at most {most / 2**20:.3g} MiB are read (set {MEMORY}=1GiB to allow more)")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise InputError(f"{where}: is not UTF-8 text") from None


def parse_json(text: str | bytes, where: str, most: int = LARGEST, real: Callable[[str], Any] = float) -> Any:
    """What JSON text says; InputError for what is not JSON, is nested deeply, or has endless numbers.

    ``real`` makes numbers with a point of their text; NaN and infinity are not JSON.
    """

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not a finite number")

    if len(text) > most:
        raise InputError(f"{where}: has {len(text)} characters; at most {most} are read")
    try:
        found = json.loads(text, parse_float=real, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise NotJSON(f"{where}: is not JSON ({error})") from error
    except UnicodeDecodeError:
        raise InputError(f"{where}: is not UTF-8 text") from None
    except (RecursionError, MemoryError):
        raise InputError(f"{where}: is nested too deeply") from None
    except ValueError as error:  # a number out of range, an integer of thousands of digits
        raise InputError(f"{where}: {str(error).split(';')[0]}") from error
    _check_depth(found, where)
    return found


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """What TOML text says, decimals exact; InputError for what is not TOML, is nested deeply, or has endless numbers."""
    import tomllib  # at start-up nothing needs it

    if _MANY_NAMES.search(text):  # each name of a key takes as long as all before it
        raise InputError(f"{where}: a key of more than {DEEPEST} names is nested too deeply")
    try:
        found = tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        raise NotTOML(f"{where}: {error}") from None
    except (RecursionError, MemoryError):
        raise InputError(f"{where}: is nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits, an exponent of thousands
        raise InputError(f"{where}: {str(error).split(';')[0]}") from None
    _check_depth(found, where)
    return found


def _decimal(text: str) -> Decimal:
    """A decimal as it stands; InputError for more digits and larger exponents than :func:`..numbers.text.parse_number` takes."""
    try:
        found = Decimal(text)
    except InvalidOperation:  # an exponent of 20 digits
        raise InputError(f"{printable(text, 40)} is not a number that can be used") from None
    if found.is_finite() and (
        len(text) > 1000 or max(abs(found.adjusted()), abs(int(found.as_tuple().exponent))) > 1300
    ):
        raise InputError(f"{printable(text, 40)} has too many digits, or too large an exponent")
    return found


def _check_depth(value: object, where: str) -> None:
    """InputError for lists inside lists beyond what is written of anything here."""
    level, depth = [value], 0
    while level:  # one level deeper each time
        depth += 1
        if depth > DEEPEST:
            raise InputError(f"{where}: is nested too deeply")
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [item for each in inner for item in each if isinstance(item, dict | list)]
