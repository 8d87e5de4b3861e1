"""Checks of settings: what a value must be, the form in which it is kept, and the error that names the setting."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import JsonValue
from asymtheory.noise import check_rate, parse_number
from asymtheory.numbers.text import exact, plain
from asymtheory.reading.limits import at_most, most


class FieldError(InputError):
    """A value that its setting does not admit; ``key`` is the setting, as in ``epochs`` or ``noise.eta``."""

    def __init__(self, key: str, value: JsonValue, needed: str) -> None:
        super().__init__(f"{key} {value}: {needed}")
        self.key = key


Check = Callable[[str, JsonValue], JsonValue]


MOST = 10**12
"""Whole numbers at most, where nothing smaller is said: what counts something is far below it."""


def whole(least: int, optional: bool = False, greatest: int = MOST) -> Check:
    """A whole number in [least, greatest]; None too where it is ``optional``."""

    def check(key: str, value: JsonValue) -> int | None:
        if optional and value is None:
            return None
        number = value if isinstance(value, int | float | Fraction | Decimal) and not isinstance(value, bool) else None
        if isinstance(number, Decimal) and not number.is_finite():
            number = None
        if number is None or not -(10**300) < number < 10**300 or number != int(number) or number < least:
            raise FieldError(key, shown(value), f"a whole number >= {least} is needed")
        if number > greatest:
            raise FieldError(key, shown(value), f"at most {greatest} is allowed")
        return int(number)

    return check


def number(least: float, below: float = math.inf, positive: bool = False, infinite: bool = False) -> Check:
    """A number in [least, below), or (least, below) if ``positive``; infinity only where it means something."""
    low = f"> {least:g}" if positive else f">= {least:g}"
    needed = f"a number {low}{f' and < {below:g}' if below < math.inf else ''} is needed"

    def check(key: str, value: JsonValue) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | Fraction | Decimal):
            raise FieldError(key, shown(value), needed)
        try:
            real = float(value)
        except OverflowError:
            raise FieldError(key, shown(value), needed) from None
        if math.isnan(real) or real < least or (positive and real == least) or not (real < below or infinite):
            raise FieldError(key, shown(value), needed)
        return real

    return check


def limited(check: Check, usual: int) -> Check:
    """The same with a limit, which ``ASYMTHEORY_COUNTS`` raises."""

    def checked(key: str, value: JsonValue) -> JsonValue:
        found = check(key, value)
        if found is not None and found > most(usual):
            raise FieldError(key, shown(value), at_most(usual))
        return found

    return checked


def choice(*allowed: str) -> Check:
    """One of some words; ``true`` and ``false`` are ``on`` and ``off`` where those are allowed."""

    def check(key: str, value: JsonValue) -> str:
        word = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
        key_word = word.strip().lower() if isinstance(word, str) else ""
        if key_word not in allowed:
            raise FieldError(key, shown(value), f"one of {', '.join(allowed)} is needed{nearest(key_word, allowed)}")
        return key_word

    return check


def truth(key: str, value: JsonValue) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise FieldError(key, shown(value), "true or false is needed")
    return value


def text(optional: bool = False, name: bool = False) -> Check:
    """Text that is not empty; a ``name`` is lower case."""

    def check(key: str, value: JsonValue) -> str | None:
        if optional and value is None:
            return None
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise FieldError(key, shown(value), "a text in quotes is needed")
        if not value.isprintable():  # it is printed, and written into files
            raise FieldError(key, shown(value), "a text in quotes without control characters is needed")
        return value.strip().lower().replace("_", "-") if name else value

    return check


def exact_number(key: str, value: JsonValue) -> Fraction:
    """A number, or a text such as "3/5", as typed."""
    try:
        found = parse_number(value, key) if isinstance(value, str) else exact(value)
    except InputError as error:
        raise FieldError(key, shown(value), str(error).removeprefix(f"{key} ")) from None
    if not isinstance(found, Fraction):
        raise FieldError(key, shown(value), "a number is needed")
    return found


def noise_rate(key: str, value: JsonValue) -> Fraction | None:
    if value is None:
        return None
    rate = exact_number(key, value)
    if not 0 <= rate <= 1:
        raise FieldError(key, shown(value), "a noise rate in [0, 1] is needed")
    return Fraction(check_rate(rate))


def shown(value: JsonValue) -> str:
    """A value as it was in the file or on the command line."""
    if isinstance(value, Fraction):
        return plain(value)
    shown = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
