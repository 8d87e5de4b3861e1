"""A parameter x > 0 as an exponent: sums of c x^j b^x, whose sign is found with the leading term taken out.

``Leadings(start, stop)`` is a number system of functions of x on [start, stop], each a sum of terms ``c x^j exp(l x)`` with
enclosed c and l. Its variable is x, constants are exact where they can be, and powers of constants with an exponent that is
affine in x stay in the system; everything else raises NoSum. The sign of a sum is that of its quotient by the term with the
largest l (of the largest j, where l is the same): between two ends by intervals, which do not grow as those of the sum itself
do; up to infinity where the others together are smaller at ``start`` and fall relative to it from there on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

from .backends import INTERVAL, Backend
from .interval import Interval
from .jet import yields_to_jets
from .scalar import Scalar

Real: TypeAlias = "Fraction | Interval"
Rate: TypeAlias = tuple[object, Fraction]
"""What x is multiplied by in an exponent: (b, share) for share log b, so that equal rates are known to be equal."""

STEADY: Rate = (Fraction(1), Fraction(1))


class NoSum(ArithmeticError):
    """The function is not such a sum."""


class Leading:
    """A sum of terms, by (rate, power): their coefficients."""

    __slots__ = ("start", "terms")

    def __init__(self, start: Interval, terms: dict[tuple[Rate, Fraction], Real]) -> None:
        self.start = start  # where x lies
        self.terms = {key: c for key, c in terms.items() if not (isinstance(c, Fraction) and c == 0)}

    @classmethod
    def of(cls, start: Interval, x: Scalar) -> Leading:
        """A constant."""
        if isinstance(x, Leading):
            return x
        value: Real = x if isinstance(x, Interval) else Fraction(x)
        return cls(start, {(STEADY, Fraction(0)): value})

    def constant(self) -> Real | None:
        """The number that it is, None where x is in it."""
        if not self.terms:
            return Fraction(0)
        (key, c), *others = self.terms.items()
        return c if not others and key == (STEADY, Fraction(0)) else None

    @property
    def infinite(self) -> bool:
        """Is a coefficient not known to be finite?"""
        return any(isinstance(c, Interval) and math.inf in (-c.low, c.high) for c in self.terms.values())

    @property
    def sign(self) -> int | None:
        """The sign for every x, None where it is not certain."""
        if not self.terms:
            return 0
        rates = {key: _rate(key[0]) for key in self.terms}
        first = max(self.terms, key=lambda key: (rates[key].low, key[1]))
        endless, x = self.start.high == math.inf, self.start
        lead, others = INTERVAL.number(self.terms[first]), Interval(0.0, 0.0)
        for key, c in self.terms.items():
            if key == first:
                continue
            slower = Interval(0.0, 0.0) if key[0] == first[0] else rates[key] - rates[first]
            power = INTERVAL.number(key[1] - first[1])
            if endless:
                x = Interval(x.low, x.low)
                if slower.high > 0 or (power.high > 0 and not (slower * x + power).high < 0):
                    return None  # it does not fall relative to the first
            part = INTERVAL.number(c) * (slower * x).exp() * x.power(power)
            others = others + (part.union(Interval(0.0, 0.0)) if endless else part)
        return (lead + others).sign

    def __gt__(self, other: Scalar) -> bool:
        return (self - other).sign == 1

    def __lt__(self, other: Scalar) -> bool:
        return (self - other).sign == -1

    @yields_to_jets
    def __add__(self, other: Scalar) -> Leading:
        found = dict(self.terms)
        for key, c in Leading.of(self.start, other).terms.items():
            found[key] = _sum(found[key], c) if key in found else c
        return Leading(self.start, found)

    __radd__ = __add__

    def __neg__(self) -> Leading:
        return Leading(self.start, {key: -c for key, c in self.terms.items()})

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Leading:
        return self + (-Leading.of(self.start, other))

    def __rsub__(self, other: Scalar) -> Leading:
        return Leading.of(self.start, other) - self

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Leading:
        by_number = Leading.of(self.start, other)
        if any(not one.terms and two.infinite for one, two in ((self, by_number), (by_number, self))):
            return self._unknown()  # 0 times what 1/0 gives
        result = Leading(self.start, {})
        for (rate, power), c in self.terms.items():
            for (by, more), d in by_number.terms.items():
                result = result + Leading(self.start, {(_joined(rate, by), power + more): _product(c, d)})
        return result

    __rmul__ = __mul__

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Leading:
        return self * Leading.of(self.start, other)._inverse()

    def __rtruediv__(self, other: Scalar) -> Leading:
        return Leading.of(self.start, other) * self._inverse()

    def _inverse(self) -> Leading:
        if not self.terms:
            return self._unknown()
        if len(self.terms) != 1:
            raise NoSum("a quotient by a sum")
        ((((base, share), power), c),) = self.terms.items()
        inverse = 1 / c if isinstance(c, Fraction) else 1 / INTERVAL.number(c)
        rate = STEADY if (base, share) == STEADY else (base, -share)
        return Leading(self.start, {(rate, -power): inverse})

    @yields_to_jets
    def __pow__(self, exponent: Scalar) -> Leading:
        e = Leading.of(self.start, exponent)
        base, fixed = self.constant(), e.constant()
        if isinstance(fixed, Fraction) and base is None and fixed.denominator == 1 and 0 <= fixed <= 4:
            result = Leading.of(self.start, Fraction(1))
            for _ in range(int(fixed)):
                result = result * self
            return result
        if base is None:
            raise NoSum("a power of something that is not a constant")
        if base == 0:
            slope, rest = e._affine()
            exponent = self.start * INTERVAL.number(slope) + INTERVAL.number(rest)
            return Leading(self.start, {}) if exponent.low > 0 else self._unknown()
        if base == 1:
            return Leading.of(self.start, Fraction(1))
        if fixed is not None:
            return Leading.of(self.start, INTERVAL.number(base).power(INTERVAL.number(fixed)))
        slope, rest = e._affine()
        number = INTERVAL.number(base)
        if not number.low > 0:
            raise NoSum("a power of something that is not known to be positive")
        key = base if isinstance(base, Fraction) else (number.low, number.high, object())
        return Leading(self.start, {((key, slope), Fraction(0)): number.power(INTERVAL.number(rest))})

    def __rpow__(self, base: Scalar) -> Leading:
        return Leading.of(self.start, base) ** self

    def _affine(self) -> tuple[Fraction, Real]:
        """(slope, constant) of an exact slope in x."""
        slope = self.terms.get((STEADY, Fraction(1)), Fraction(0))
        rest = self.terms.get((STEADY, Fraction(0)), Fraction(0))
        known = {(STEADY, Fraction(0)), (STEADY, Fraction(1))}
        if not isinstance(slope, Fraction) or self.terms.keys() - known:
            raise NoSum("an exponent that is not affine in x")
        return slope, rest

    def log(self) -> Leading:
        """The natural logarithm of a constant."""
        if not self.terms:
            return self._unknown()
        value = self.constant()
        if value is None or not INTERVAL.number(value).low > 0:
            raise NoSum("a logarithm of something that is not a positive constant")
        return Leading.of(self.start, Fraction(0) if value == 1 else INTERVAL.number(value).log())

    def _unknown(self) -> Leading:
        """What 1/0 and log 0 give: a constant without a sign."""
        return Leading.of(self.start, Interval(-math.inf, math.inf))

    def exp(self) -> Leading:
        """The exponential of a constant, or of something affine in x."""
        value = self.constant()
        if value is not None:
            return Leading.of(self.start, Fraction(1) if value == 0 else INTERVAL.number(value).exp())
        slope, rest = self._affine()
        return Leading(self.start, {((None, slope), Fraction(0)): INTERVAL.number(rest).exp()})


def _rate(rate: Rate) -> Interval:
    base, share = rate
    if base is None:
        return INTERVAL.number(share)
    number = Interval(*base[:2]) if isinstance(base, tuple) else INTERVAL.number(base)
    return Interval(0.0, 0.0) if base == 1 else number.log() * INTERVAL.number(share)


def _joined(one: Rate, two: Rate) -> Rate:
    """The rate of a product."""
    if STEADY in (one, two):
        return two if one == STEADY else one
    if one[0] != two[0]:
        raise NoSum("a product of powers of two bases")
    share = one[1] + two[1]
    return STEADY if share == 0 else (one[0], share)


def _sum(x: Real, y: Real) -> Real:
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return x + y
    return INTERVAL.number(x) + INTERVAL.number(y)


def _product(x: Real, y: Real) -> Real:
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return x * y
    if 0 in (x, y):
        return Fraction(0)
    return INTERVAL.number(x) * INTERVAL.number(y)


class Leadings(Backend):
    """The number system of such sums on [start, stop], 0 < start."""

    def __init__(self, start: float, stop: float = math.inf) -> None:
        self.start = Interval(start, stop)
        number = lambda x: Leading.of(self.start, x)  # noqa: E731
        super().__init__(
            "leading",
            number,
            lambda x: number(x).log(),
            lambda x: number(x).exp(),
            lambda x, e: number(x) ** e,
            lambda x, y: number(x) / y,
            self._choose,
        )

    @property
    def x(self) -> Leading:
        """The variable."""
        return Leading(self.start, {(STEADY, Fraction(1)): Fraction(1)})

    def _choose(self, x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        sign = (self.number(x) - cut).sign
        if sign is None:
            raise NoSum("a branch that changes")
        return self.number(below if sign <= 0 else above)


def sign_between(inequality: Callable[[Scalar, Scalar], Scalar], start: float, stop: float = math.inf) -> int | None:
    """The sign of ``inequality(x, xp)`` for every x in [start, stop], 0 < start, None where it is not certain.

    Raises NoSum where it is not such a sum.
    """
    xp = Leadings(start, stop)
    try:
        return xp.number(inequality(xp.x, xp)).sign or None
    except (AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise NoSum(str(error)) from None
