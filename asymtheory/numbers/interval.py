"""Float intervals with outward rounding: certificates on a path that must start without numpy.

Every operation returns an interval that contains all results on all members. IEEE addition, multiplication and division
err by at most half a unit in the last place and are widened by at least one; the C library's exp, log and pow, whose
documented error in glibc is below one unit, by at least four. A result of finite numbers that overflows is some number
beyond the largest float, one that underflows lies between 0 and the least: neither passes for an exact inf or 0.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from math import inf

from .jet import yields_to_jets
from .scalar import Scalar

ARITHMETIC = 2.0**-52  # relative widening of + - * /
LIBRARY = 2.0**-50  # relative widening of exp, log, pow
TINY = 5e-324
SLACK = 4 * TINY
LARGEST = sys.float_info.max


def _around(x: float, by: float, *operands: float) -> tuple[float, float]:
    """Bounds of the true result that was rounded to x; 0 is exact, inf is exact when some operand is infinite."""
    if x == 0:
        return 0.0, 0.0
    if x in (inf, -inf):
        overflow = not any(map(math.isinf, operands))
        return (min(x, LARGEST), max(x, -LARGEST)) if overflow else (x, x)
    if x > 0:
        slack = x * by + SLACK
        return (x - slack if x > slack else 0.0), x + slack
    slack = SLACK - x * by
    return x - slack, (x + slack if -x > slack else 0.0)


class Interval:
    """The closed interval [low, high] of extended reals, 0 <= width."""

    __slots__ = ("high", "low")

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    @classmethod
    def of(cls, x: Scalar) -> Interval:
        """The narrowest interval here around an exact number."""
        if isinstance(x, Interval):
            return x
        try:
            value = float(x)
        except OverflowError:
            value = inf if x > 0 else -inf
        if value == x:
            return cls(value, value)
        return cls(*_around(value or math.copysign(TINY, x), ARITHMETIC)) if value == value else cls(-inf, inf)

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

    @property
    def infinite(self) -> bool:
        return self.low == inf or self.high == -inf

    def union(self, other: Interval) -> Interval:
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    @yields_to_jets
    def __add__(self, other: Scalar) -> Interval:
        o = Interval.of(other)
        if o.low == o.high == 0:
            return self
        if self.low == self.high == 0:
            return o
        low, high = self.low + o.low, self.high + o.high
        if low != low or high != high:
            return Interval(-inf, inf)  # inf - inf has no value
        return Interval(_around(low, ARITHMETIC, self.low, o.low)[0], _around(high, ARITHMETIC, self.high, o.high)[1])

    __radd__ = __add__

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Interval:
        return self + (-Interval.of(other))

    def __rsub__(self, other: Scalar) -> Interval:
        return Interval.of(other) + (-self)

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Interval:
        o = Interval.of(other)
        if o.low == o.high == 1:  # of the variable of a jet, of most weights in a sum
            return self
        if (self.infinite and o.low <= 0 <= o.high) or (o.infinite and self.low <= 0 <= self.high):
            return Interval(-inf, inf)  # 0 * inf has no value
        return _hull(_product, (self.low, self.high), (o.low, o.high), ARITHMETIC)

    __rmul__ = __mul__

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Interval:
        o = Interval.of(other)
        if o.low > 0 or o.high < 0:
            return _hull(_quotient, (self.low, self.high), (o.low, o.high), ARITHMETIC)
        if o.low == 0 < o.high and self.low > 0:
            return Interval(_around(self.low / o.high, ARITHMETIC, self.low)[0] if o.high < inf else 0.0, inf)
        if o.low == 0 < o.high and self.high < 0:
            return -((-self) / o)
        return Interval(-inf, inf)

    def __rtruediv__(self, other: Scalar) -> Interval:
        return Interval.of(other) / self

    def power(self, exponent: Scalar) -> Interval:
        """x ** e for x >= 0 (any e) or integer e; the exponent may be an interval."""
        e = Interval.of(exponent)
        if e.low == e.high == 0 or self.low == self.high == 1:
            return Interval(1.0, 1.0)
        if e.low == e.high and e.low.is_integer() and self.low < 0:
            return self._integer_power(int(e.low))
        if self.low < 0:
            return Interval(-inf, inf)
        # e log x is bilinear in (e, log x), so the extremes lie at the corners
        return _hull(_power, (self.low, self.high), (e.low, e.high), LIBRARY)

    @yields_to_jets
    def __pow__(self, exponent: Scalar) -> Interval:
        return self.power(exponent)

    def _integer_power(self, n: int) -> Interval:
        if n < 0:
            return Interval(1.0, 1.0) / self._integer_power(-n)
        if n > 64:  # by the library: a loop of a billion products would not end
            ends = [Interval(abs(x), abs(x)).power(n) for x in (self.low, self.high)]
            low, high = (-end if x < 0 and n % 2 else end for x, end in zip((self.low, self.high), ends, strict=True))
            return low.union(high) if n % 2 or self.high <= 0 else low.union(high).union(Interval(0.0, 0.0))
        result = Interval(1.0, 1.0)
        for _ in range(n):
            result = result * self
        return Interval(max(0.0, result.low), result.high) if n % 2 == 0 else result

    def exp(self) -> Interval:
        return Interval(_exp(self.low)[0], _exp(self.high)[1])

    def log(self) -> Interval:
        if self.low < 0:
            return Interval(-inf, inf)
        low, high = (-inf if x == 0 else math.log(x) if x < inf else inf for x in (self.low, self.high))
        return Interval(_around(low, LIBRARY, -inf)[0], _around(high, LIBRARY, inf)[1])

    def apply(self, name: str) -> Interval:
        """sinh, cosh, tanh, asin, acos or atan. What leaves [-1, 1] by rounding alone counts as inside for asin and acos."""
        if name == "cosh":
            least = min(abs(self.low), abs(self.high)) if self.low > 0 or self.high < 0 else 0.0
            most = max(abs(self.low), abs(self.high))
            return Interval(max(1.0, _library(math.cosh, least)[0]), _library(math.cosh, most)[1])
        if name in ("asin", "acos"):
            inside = self.inside()
            if inside is None:
                return Interval(-inf, inf)
            ends = (inside.high, inside.low) if name == "acos" else (inside.low, inside.high)
        else:
            inside, ends = self, (self.low, self.high)
        function = getattr(math, name)
        found = Interval(_library(function, ends[0])[0], _library(function, ends[1])[1])
        return Interval(max(found.low, -1.0), min(found.high, 1.0)) if name == "tanh" else found

    def inside(self) -> Interval | None:
        """The part in [-1, 1]; None where more than rounding lies outside."""
        if not -1 - 2.0**-24 <= self.low <= self.high <= 1 + 2.0**-24:
            return None
        return Interval(min(max(self.low, -1.0), 1.0), min(max(self.high, -1.0), 1.0))

    def one_less_square(self) -> Interval:
        """``1 - x^2`` on [-1, 1], as a product that cancels nowhere."""
        x = self.inside()
        if x is None:
            return 1 - self.power(2)
        least = min(x.low, -x.high)  # even, and falls away from 0
        nearest = (
            Interval(x.low, x.low) if x.low > 0 else Interval(x.high, x.high) if x.high < 0 else Interval(0.0, 0.0)
        )
        ends = [(1 - end) * (1 + end) for end in (Interval(least, least), nearest)]
        return ends[0].union(ends[1])

    def xlogx(self) -> Interval:
        """``x log x`` on x >= 0: 0 at 0, convex, least at 1/e with the value -1/e."""
        if self.low < 0:
            return Interval(-inf, inf)
        ends = [Interval(0.0, 0.0) if x == 0 else Interval(x, x) * Interval(x, x).log() for x in (self.low, self.high)]
        hull = ends[0].union(ends[1])
        return hull.union(-Interval(-1.0, -1.0).exp()) if self.low <= 0.368 and self.high >= 0.367 else hull


def _product(x: float, y: float) -> float:
    if x == 0 or y == 0:
        return 0.0  # the end inf is a bound of finite members, whose product with 0 is 0
    return x * y or math.copysign(TINY, x) * math.copysign(1.0, y)


def _quotient(x: float, y: float) -> float:
    if x in (inf, -inf) and y in (inf, -inf):
        return math.nan
    if x == 0 or y in (inf, -inf):
        return 0.0
    return x / y or math.copysign(TINY, x) * math.copysign(1.0, y)


def _power(x: float, e: float) -> float:
    if x == 0:
        return inf if e < 0 else (1.0 if e == 0 else 0.0)
    try:
        return float(x**e) or (0.0 if inf in (x, abs(e)) else TINY)
    except OverflowError:
        return inf


def _library(function: Callable[[float], float], x: float) -> tuple[float, float]:
    """Bounds of a function of the C library at one number."""
    try:
        return _around(function(x), LIBRARY, x)
    except OverflowError:
        return (LARGEST, inf) if x > 0 or function is math.cosh else (-inf, -LARGEST)


def _exp(x: float) -> tuple[float, float]:
    if x in (inf, -inf):
        return (inf, inf) if x > 0 else (0.0, 0.0)
    return _around(math.exp(x) or TINY, LIBRARY) if x < 709.7 else (1e308, inf)


def _hull(
    function: Callable[[float, float], float], left: tuple[float, float], right: tuple[float, float], by: float
) -> Interval:
    """The interval of ``function`` over the corners; the whole line when one of them has no value."""
    low, high = inf, -inf
    for x in left if left[0] != left[1] else left[:1]:
        for y in right if right[0] != right[1] else right[:1]:
            value = function(x, y)
            if value != value:
                return Interval(-inf, inf)
            least, most = _around(value, by, x or inf, y)  # 0 ** -1 is an exact inf
            low, high = least if least < low else low, most if most > high else high
    return Interval(low, high)
