"""Parameters of a loss: exact values in an interval that validates itself."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

from .errors import InputError


def exact(value: Any) -> Any:
    """A number as typed: 0.7 becomes 7/10. Anything that is no real number (a symbol, an interval) passes through."""
    if isinstance(value, bool):
        raise InputError(f"a number is needed, got {value}")
    if isinstance(value, Rational):
        return Fraction(value.numerator, value.denominator)
    if isinstance(value, Real):
        number = float(value)
        if number != number or number in (float("inf"), float("-inf")):
            raise InputError(f"a finite number is needed, got {number}")
        return Fraction(repr(number))
    return value


@dataclass(frozen=True)
class Domain:
    """An interval of allowed values. ``None`` is no end; ``integer`` admits whole numbers only."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_closed: bool = True
    high_closed: bool = True
    integer: bool = False

    def __contains__(self, value: Any) -> bool:
        if self.low is not None and (value < self.low or (value == self.low and not self.low_closed)):
            return False
        if self.high is not None and (value > self.high or (value == self.high and not self.high_closed)):
            return False
        return not self.integer or value == int(value)

    def __str__(self) -> str:
        left = "(-inf" if self.low is None else ("[" if self.low_closed else "(") + plain(self.low)
        right = "inf)" if self.high is None else plain(self.high) + ("]" if self.high_closed else ")")
        return f"{left}, {right}" + (", whole numbers" if self.integer else "")

    def check(self, owner: str, name: str, value: Any) -> Any:
        """The exact value, or InputError naming the parameter, the value and the domain."""
        number = exact(value)
        if isinstance(number, Fraction) and number not in self:
            raise InputError(f"{owner}: {name} = {plain(number)} is outside its domain {self}")
        return number


def at_least(low: Any, *, integer: bool = False) -> Domain:
    return Domain(low=Fraction(low), integer=integer)


def above(low: Any) -> Domain:
    return Domain(low=Fraction(low), low_closed=False)


def between(low: Any, high: Any, *, low_closed: bool, high_closed: bool) -> Domain:
    return Domain(Fraction(low), Fraction(high), low_closed, high_closed)


def below(high: Any) -> Domain:
    return Domain(high=Fraction(high), high_closed=False)


def plain(number: Any) -> str:
    """A number as a person writes it: 0.5, 30, 1e-07, or 16/65 where the decimal does not end."""
    if not isinstance(number, Fraction):
        return f"{number:.10g}" if isinstance(number, float) else str(number)
    if number.denominator == 1 and abs(number) < 10**16:
        return str(number.numerator)
    text = repr(float(number))
    return text if Fraction(text) == number else f"{number.numerator}/{number.denominator}"
