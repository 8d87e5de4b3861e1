"""Float intervals with outward rounding: certificates on a path that must start without numpy.

Every operation returns an interval that contains all results on all members. IEEE addition, multiplication and division
err by at most half a unit in the last place and are widened by at least one; the C library's exp, log and pow, whose
documented error in glibc is below one unit, by at least four.
"""

from __future__ import annotations

import math
from fractions import Fraction
from math import inf
from typing import Any

from .jet import yields_to_jets

ARITHMETIC = 2.0**-52  # relative widening of + - * /
LIBRARY = 2.0**-50  # relative widening of exp, log, pow
TINY = 5e-324


def _down(x: float, by: float) -> float:
    return x if x in (inf, -inf) else x - abs(x) * by


def _up(x: float, by: float) -> float:
    return x if x in (inf, -inf) else x + abs(x) * by


class Interval:
    """The closed interval [low, high] of extended reals, 0 <= width."""

    __slots__ = ("high", "low")

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    @classmethod
    def of(cls, x: Any) -> Interval:
        """The narrowest interval here around an exact number."""
        if isinstance(x, Interval):
            return x
        value = float(x)
        if isinstance(x, Fraction) and Fraction(value) != x:
            return cls(_down(value, ARITHMETIC), _up(value, ARITHMETIC))
        return cls(value, value)

    def __repr__(self) -> str:
        return f"[{self.low!r}, {self.high!r}]"

    @property
    def sign(self) -> int | None:
        """1, 0 or -1 when the whole interval has that sign, else None (also for NaN)."""
        if self.low > 0:
            return 1
        if self.high < 0:
            return -1
        return 0 if self.low == self.high == 0 else None

    def union(self, other: Interval) -> Interval:
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    @yields_to_jets
    def __add__(self, other: Any) -> Interval:
        o = Interval.of(other)
        return Interval(_down(self.low + o.low, ARITHMETIC), _up(self.high + o.high, ARITHMETIC))

    __radd__ = __add__

    @yields_to_jets
    def __sub__(self, other: Any) -> Interval:
        return self + (-Interval.of(other))

    def __rsub__(self, other: Any) -> Interval:
        return Interval.of(other) + (-self)

    @yields_to_jets
    def __mul__(self, other: Any) -> Interval:
        o = Interval.of(other)
        for a, b in ((self, o), (o, self)):
            if a.low == a.high and a.low in (inf, -inf) and b.low <= 0 <= b.high:
                return Interval(-inf, inf)  # 0 * inf has no value
        return _hull([_product(x, y) for x in (self.low, self.high) for y in (o.low, o.high)], ARITHMETIC)

    __rmul__ = __mul__

    @yields_to_jets
    def __truediv__(self, other: Any) -> Interval:
        o = Interval.of(other)
        if o.low > 0 or o.high < 0:
            return _hull([_quotient(x, y) for x in (self.low, self.high) for y in (o.low, o.high)], ARITHMETIC)
        if o.low == 0 < o.high and self.low > 0:
            return Interval(_down(self.low / o.high, ARITHMETIC) if o.high < inf else 0.0, inf)
        if o.low == 0 < o.high and self.high < 0:
            return -((-self) / o)
        return Interval(-inf, inf)

    def __rtruediv__(self, other: Any) -> Interval:
        return Interval.of(other) / self

    def power(self, exponent: Any) -> Interval:
        """x ** e for x >= 0 (any e) or integer e; the exponent may be an interval."""
        e = Interval.of(exponent)
        if e.low == e.high and e.low == int(e.low) and self.low < 0:
            return self._integer_power(int(e.low))
        if self.low < 0:
            return Interval(-inf, inf)
        ends = [_power(x, y) for x in (self.low, self.high) for y in (e.low, e.high)]
        if e.low < 0 < e.high or (self.low < 1 < self.high):
            ends.append(1.0)  # the saddle of x ** e
        return _hull(ends, LIBRARY)

    @yields_to_jets
    def __pow__(self, exponent: Any) -> Interval:
        return self.power(exponent)

    def _integer_power(self, n: int) -> Interval:
        if n < 0:
            return Interval(1.0, 1.0) / self._integer_power(-n)
        result = Interval(1.0, 1.0)
        for _ in range(n):
            result = result * self
        return Interval(max(0.0, result.low), result.high) if n % 2 == 0 else result

    def exp(self) -> Interval:
        low, high = (math.exp(x) if x < 709.7 else inf for x in (self.low, self.high))
        return Interval(min(_down(low, LIBRARY), 1e308), _up(high, LIBRARY))

    def log(self) -> Interval:
        if self.low < 0:
            return Interval(-inf, inf)
        low, high = (-inf if x == 0 else math.log(x) if x < inf else inf for x in (self.low, self.high))
        return Interval(_down(low, LIBRARY), _up(high, LIBRARY))


def _product(x: float, y: float) -> float:
    if x == 0 or y == 0:
        return 0.0  # the end inf is a bound of finite members, whose product with 0 is 0
    return x * y or math.copysign(TINY, x) * math.copysign(1.0, y)


def _quotient(x: float, y: float) -> float:
    if x in (inf, -inf) and y in (inf, -inf):
        return math.nan
    return x / y


def _power(x: float, e: float) -> float:
    if x == 0:
        return inf if e < 0 else (1.0 if e == 0 else 0.0)
    try:
        return float(x**e)
    except OverflowError:
        return inf


def _hull(ends: list[float], by: float) -> Interval:
    if any(x != x for x in ends):
        return Interval(-inf, inf)
    return Interval(_down(min(ends), by), _up(max(ends), by))
