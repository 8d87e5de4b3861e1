"""Options of a command that are settings of a run: read, and checked as in the TOML file, errors naming the option."""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from asymtheory.errors import InputError
from asymtheory.noise import parse_number

from .config import FieldError, check_given

Options = Mapping[str, tuple[str, str, str]]
"""Option, such as --eta -> (setting, such as noise.eta; metavar; help)."""


def settings_given(given: argparse.Namespace, options: Options, numbers: Collection[str]) -> dict[str, Any]:
    """What the command line sets, keys as in the TOML file; ``numbers`` are the options whose text is an exact number."""
    found: dict[str, Any] = {}
    for option, (setting, *_) in options.items():
        text = getattr(given, option[2:].replace("-", "_"))
        if text is None:
            continue
        value: Any = text
        if option in numbers:
            value = math.inf if setting == "clip" and text in ("inf", "none") else parse_number(text, option)
        with errors_name({setting: option}):
            value = check_given(setting, value)
        table, _, name = setting.rpartition(".")
        (found.setdefault(table, {}) if table else found)[name] = value
    return found


@contextmanager
def errors_name(options: Mapping[str, str]) -> Iterator[None]:
    """A setting's error as that of its option; ``options`` maps settings to options, parameters are those of --set."""
    try:
        yield
    except FieldError as error:
        table, _, name = error.key.rpartition(".")
        option = options.get(error.key) or (f"--set {name}" if table == "parameters" else error.key)
        raise InputError(f"{option}{str(error).removeprefix(error.key)}") from None


def by_setting(options: Options) -> dict[str, str]:
    """Setting -> option."""
    return {setting: option for option, (setting, *_) in options.items()}
