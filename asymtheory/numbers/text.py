"""Reading and showing numbers: exact values of what people type, and text for what is printed."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import TypeAlias

from ..errors import InputError
from .scalar import Scalar


def exact(value: Scalar) -> Scalar:
    """A number as typed: 0.7 becomes 7/10. What is not a real number (a symbol, an interval) passes through."""
    if isinstance(value, bool):
        raise InputError(f"a number is needed, got {value}")
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, (Real, Decimal)):
        number = value if isinstance(value, Decimal) else float(value)
        if number != number or number in (float("inf"), float("-inf")):
            raise InputError(f"a finite number is needed, got {number}")
        return Fraction(str(number))
    if value is None or isinstance(value, (str, bytes, complex)):
        raise InputError(f"a number is needed, got {value!r}")
    return value


def plain(number: Scalar) -> str:
    """A number as a person writes it: 0.5, 30, 1e-07, or 16/65 where the decimal does not end."""
    if not isinstance(number, Fraction):
        return f"{number:.10g}" if isinstance(number, float) else str(number)
    if number.denominator == 1 and abs(number) < 10**16:
        return str(number.numerator)
    try:
        text = repr(float(number))
    except OverflowError:
        return str(number)
    return text if Fraction(text) == number else str(number)


Number: TypeAlias = Fraction | float | int

MAX_EXPONENT = 300

LARGEST = 10**MAX_EXPONENT
"""No weight may exceed it: sums and ratios must still be representable as floats for display."""

# ------------------------------------------------------------------------------------------------------------- numbers
_DECIMAL = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d+))?"

_NUMBER = re.compile(rf"\s*({_DECIMAL})(?:\s*/\s*({_DECIMAL}))?\s*", re.ASCII)


def parse_number(text: str, name: str | None = None) -> Fraction:
    """The exact value of ``0.8`` (= 4/5), ``4/5`` or ``1e-3``.

    `name` is what an error calls the number, for example ``--eta``. NaN, infinity, empty text and exponents beyond
    +-300 raise InputError (a huge exponent would build a number of that many digits).
    """
    where = f"{name} " if name else ""
    match = _NUMBER.fullmatch(text) if len(text) <= 1000 else None
    if match is None:
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise InputError(f"{where}{shown!r} is not a finite number; write it like 0.8, 4/5 or 1e-3")
    top, top_exponent, bottom, bottom_exponent = match.groups()
    for exponent in (top_exponent, bottom_exponent):
        if exponent and (len(exponent) > 6 or abs(int(exponent)) > MAX_EXPONENT):
            raise InputError(f"{where}{text!r} has an exponent outside -{MAX_EXPONENT}..{MAX_EXPONENT}")
    divisor = Fraction(bottom or 1)
    if divisor == 0:
        raise InputError(f"{where}{text!r} divides by zero; write a number like 0.8, 4/5 or 1e-3")
    value = Fraction(top) / divisor
    if abs(value) > LARGEST:
        raise InputError(f"{where}{text[:40]!r} is too large; at most 1e{MAX_EXPONENT} is allowed")
    return value


def as_number(value: Scalar, where: Callable[[], str]) -> Number:
    """`value` as a Fraction, int or finite float; numpy and decimal scalars are converted, text and bools refused."""
    kind = type(value)
    if kind is Fraction:
        return value
    if isinstance(value, bool):
        raise InputError(f"{where()} is {value}, not a number")
    if kind is int or isinstance(value, numbers.Integral):
        if not -LARGEST <= value <= LARGEST:
            raise InputError(f"{where()} is too large; at most 1e{MAX_EXPONENT} is allowed")
        return int(value)
    if isinstance(value, numbers.Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, numbers.Real):
        real = float(value)
        if not math.isfinite(real):
            raise InputError(f"{where()} is {real}; weights must be finite numbers")
        return real
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InputError(f"{where()} is {value}; weights must be finite numbers")
        return Fraction(value)
    raise InputError(f"{where()} is {str(value)[:40]!r}, not a number")


def divide(a: Scalar, b: Scalar) -> Number:
    """``a / b``, exact when both are integers or Fractions."""
    return Fraction(a, b) if isinstance(a, int) and isinstance(b, int) else a / b


def as_float(value: Number | None) -> float | None:
    """The number for JSON, which has no infinity: a finite float, or None."""
    if value is None:
        return None
    try:
        real = float(value)
    except OverflowError:
        return None
    return real if math.isfinite(real) else None


def as_exact(value: Number | None) -> str | None:
    """The exact number for JSON, beside :func:`as_float`: ``4/5`` for a Fraction or an int, None for a float."""
    return str(value) if isinstance(value, (Fraction, int)) else None


def show(value: Number | None, digits: int = 6) -> str:
    """A short text of a number for people: that many significant digits, ``inf``, or ``-`` for None."""
    if value is None:
        return "-"
    try:
        return f"{float(value):.{digits}g}"
    except OverflowError:
        return "inf"


def number(value: Scalar) -> Scalar:
    """A parameter for JSON: whole numbers as int, else float."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    return value


def plural(count: int, what: str) -> str:
    """``1 epoch``, ``3 epochs``: a count and its noun."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def is_number(text: str) -> bool:
    """Is it a number as :func:`parse_number` reads it (0.8, 4/5, 1e-3), whatever its size?"""
    return len(text) <= 1000 and _NUMBER.fullmatch(text) is not None
