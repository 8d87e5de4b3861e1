"""Functions next to an end of [0, 1], enclosed with their leading power: what is left when slopes are infinite or 0 * inf.

A germ says of a function of e, for every e in (0, delta],

    f(e) in x0 + e^r L^k [c],    L = log(1/e),

with exact x0 (a Fraction, or a ball), exact exponents r and k, and a ball c (Arb or an interval of floats). Where e^r L^k tends to
0 the limit at the end is x0; where it grows without bound x0 is 0 and the sign of c is that of the infinity. Sums, products, powers
and logarithms of germs are germs, so every loss runs on them: with u = e at one end and u = 1 - e at the other its germ holds the
value there, the exponent with which it leaves it, and rigorous bounds on the whole stretch. A function that has no such form raises
NoGerm. On a stretch [2^-far, 2^-bits] that does not reach the end the same form encloses a function far more narrowly than balls
do: what leads is taken together before it is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, partial
from math import inf
from typing import TypeAlias

from .backends import ELEMENTARY, Backend, arb_
from .harmonic import geometric_sum, harmonic, power_sum
from .interval import Interval
from .jet import yields_to_jets
from .scalar import Scalar

Real: TypeAlias = Scalar
"""A Fraction where it is exact, else a ball."""

BITS = 128
IMMENSE = 10**330  # a power that stands for infinity: no parameter is as large
FAST = 16  # of an exponential that vanishes faster than every power, the power that is kept


class NoGerm(ArithmeticError):
    """The function has no leading power that these rules find."""


@dataclass(frozen=True)
class Balls:
    """What a germ asks of the balls that it holds beside their arithmetic."""

    of: Callable[[Real], Scalar]
    sign: Callable[[Scalar], int | None]
    apply: Callable[[str, Scalar], Scalar]
    unknown: Scalar
    """The ball that holds every number."""


FLOATS = Balls(Interval.of, lambda x: x.sign, lambda name, x: x.apply(name), Interval(-inf, inf))
"""Intervals of floats: at once there, and enough for most questions."""


@cache
def arb_balls() -> Balls:
    """The balls of Arb, to BITS bits where its context says so."""
    number = arb_().number
    sign = lambda x: 1 if x > 0 else -1 if x < 0 else 0 if x == 0 else None  # noqa: E731
    return Balls(number, sign, arb_().apply, number("nan"))


def in_arb(bits: int = 0) -> AbstractContextManager[object]:
    """Arb at BITS bits, and as many more as 1 - 2^-bits needs."""
    from flint import ctx  # late: not on the start-up path of `bound`

    return ctx.workprec(BITS + bits)


def ball(x: Real) -> Scalar:
    """An Arb ball around a number."""
    return arb_balls().of(x)


def _is(x: Real, value: int) -> bool:
    """Is x exactly this whole number?"""
    return isinstance(x, Fraction) and x == value


class Germ:
    """``x0 + e^r L^k [c]`` on (0, delta]; c = 0 for a constant."""

    __slots__ = ("c", "k", "r", "x0", "xp")

    def __init__(
        self, xp: Germs, x0: Real, c: Scalar = 0, r: Fraction = Fraction(1), k: Fraction = Fraction(0)
    ) -> None:
        if not (isinstance(c, int) and c == 0) and r == 0 and k == 0:
            x0, c = xp.both(x0, c, lambda a, b: a + b), 0
        self.xp, self.x0, self.c, self.r, self.k = xp, x0, c, r, k
        if self.infinite and not _is(x0, 0):
            self.x0, self.c = Fraction(0), c + self.xp.ball(x0) * xp.small(-r, -k)

    @property
    def constant(self) -> bool:
        """Is there nothing but x0?"""
        return isinstance(self.c, int)

    @property
    def infinite(self) -> bool:
        """Does it grow without bound as e -> 0?"""
        return not self.constant and (self.r < 0 or (self.r == 0 and self.k > 0))

    @property
    def tail(self) -> Scalar:
        """The ball that holds ``f - x0`` on all of (0, delta]; the whole line where it grows without bound."""
        if self.constant:
            return self.xp.ball(0)
        if self.infinite and self.xp.least is None:
            return self.xp.balls.unknown
        return self.c * self.xp.small(self.r, self.k)

    @property
    def sign(self) -> int | None:
        """The sign on all of (0, delta], None where it is not certain."""
        if not self.constant and (self.infinite or _is(self.x0, 0)):
            return self.xp.balls.sign(self.c) or None
        if self.constant and _is(self.x0, 0):
            return 0
        return self.xp.balls.sign(self.xp.ball(self.x0) + self.tail) or None

    def __gt__(self, other: Scalar) -> bool:
        return (self - other).sign == 1

    def __lt__(self, other: Scalar) -> bool:
        return (self - other).sign == -1

    def __repr__(self) -> str:
        return f"Germ({self.x0} + e^{self.r} L^{self.k} {self.c})"

    @yields_to_jets
    def __add__(self, other: Scalar) -> Germ:
        y = self.xp.number(other)
        x0 = self.xp.both(self.x0, y.x0, lambda a, b: a + b)
        c, r, k = self.xp.sum((self.c, self.r, self.k), (y.c, y.r, y.k))
        return Germ(self.xp, x0, c, r, k)

    __radd__ = __add__

    def __neg__(self) -> Germ:
        return Germ(self.xp, -self.x0, -self.c, self.r, self.k)

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Germ:
        return self + (-self.xp.number(other))

    def __rsub__(self, other: Scalar) -> Germ:
        return self.xp.number(other) + (-self)

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Germ:
        y = self.xp.number(other)
        for one, two in ((self, y), (y, self)):
            if not one.constant and one.r < -IMMENSE:  # infinity, times the sign of the other
                return Germ(
                    self.xp, Fraction(0), one.c * (self.xp.balls.unknown if two.sign is None else two.sign), one.r
                )
        tail: tuple[Scalar, Fraction, Fraction] = (0, Fraction(1), Fraction(0))
        for c, r, k in (
            (self._times(y.x0), self.r, self.k),
            (y._times(self.x0), y.r, y.k),
            (0 if self.constant or y.constant else self.c * y.c, self.r + y.r, self.k + y.k),
        ):
            tail = self.xp.sum(tail, (c, r, k))
        nothing = _is(self.x0, 0) or _is(y.x0, 0)
        return Germ(self.xp, Fraction(0) if nothing else self.xp.both(self.x0, y.x0, lambda a, b: a * b), *tail)

    __rmul__ = __mul__

    def _times(self, x: Real) -> Scalar:
        return 0 if self.constant or _is(x, 0) else self.c * self.xp.ball(x)

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Germ:
        return self * self.xp.number(other).reciprocal()

    def __rtruediv__(self, other: Scalar) -> Germ:
        return self.xp.number(other) * self.reciprocal()

    def reciprocal(self) -> Germ:
        """``1 / f``."""
        return self._power(Fraction(-1))

    def _around(self) -> Scalar:
        """The ball that holds f and its limit, for mean values lie between them; without 0 where something is divided by it."""
        return self.xp.ball(self.x0) + (self.tail if self.xp.least is None else self.tail.union(self.xp.ball(0)))

    def _power(self, e: Fraction) -> Germ:
        if e in (0, 1):
            return self if e else Germ(self.xp, Fraction(1))
        whole = e.denominator == 1
        power = self.xp.ball(e) if not whole else int(e)
        if _is(self.x0, 0) or self.infinite:
            if self.constant:
                if e < 0:
                    return self.xp.undefined
                return Germ(self.xp, Fraction(0))
            if self.xp.balls.sign(self.c) not in ((1, -1) if whole else (1,)):
                raise NoGerm("a power of something whose sign is not known")
            return Germ(self.xp, Fraction(0), self.c**power, self.r * e, self.k * e)
        around = self._around()
        if self.xp.balls.sign(around) not in ((1, -1) if whole else (1,)):
            raise NoGerm("a power of something whose sign is not known")
        if _is(self.x0, 1):
            x0: Real = Fraction(1)
        else:
            x0 = (
                self.x0 ** int(e)
                if isinstance(self.x0, Fraction) and whole and abs(e) < 64
                else self.xp.ball(self.x0) ** power
            )
        slope = self.xp.ball(e) * around ** (power - 1)
        return Germ(self.xp, x0, 0 if self.constant else self.c * slope, self.r, self.k)

    @property
    def sums_powers(self) -> bool:
        """Has ``power_sum`` a short way here: does the germ hold balls of Arb, and does it not grow?"""
        return not self.infinite and hasattr(self.xp.ball(0), "mid_rad_10exp")

    def power_sum(self, n: int) -> Germ:
        """``x + x^2/2 + ... + x^n/n`` on [0, 1]: its limit, and mean values of its slope beside it."""
        x0: Real = (
            Fraction(0) if _is(self.x0, 0) else harmonic(n) if _is(self.x0, 1) else power_sum(self.xp.ball(self.x0), n)
        )
        return Germ(self.xp, x0, 0 if self.constant else self.c * geometric_sum(self._around(), n), self.r, self.k)

    @yields_to_jets
    def __pow__(self, exponent: Scalar) -> Germ:
        e = self.xp.number(exponent)
        if isinstance(e.x0, Fraction) and e.constant:
            return self._power(e.x0)
        if self.constant and _is(self.x0, 0) and e.sign:  # 0 ** e, exactly
            return Germ(self.xp, Fraction(0)) if e.sign > 0 else self.xp.immense
        try:
            whole = e.x0 if isinstance(e.x0, Fraction) and e.x0.denominator == 1 and not e.infinite else Fraction(0)
            rest = ((e - whole) * self.log()).exp()
            return rest * self._power(whole) if whole else rest  # so that an exact value at the end stays exact
        except NoGerm:  # an exponent that is not exact: without a sign, but it may stand in a branch that is not taken
            return self.xp.undefined

    def __rpow__(self, base: Scalar) -> Germ:
        return self.xp.number(base) ** self

    def log(self) -> Germ:
        """The natural logarithm."""
        if _is(self.x0, 0) or self.infinite:
            if self.constant:
                return self.xp.undefined
            if self.xp.balls.sign(self.c) != 1 or self.r == 0 or self.k != 0:
                raise NoGerm("a logarithm of something whose sign or order is not known")
            # L >= length > 0, so that log c / L lies between 0 and log c / length
            part = self.c.log() / self.xp.length
            part = part.union(self.xp.ball(0) if self.xp.longest is None else self.c.log() / self.xp.longest)
            return Germ(self.xp, Fraction(0), self.xp.ball(-self.r) + part, Fraction(0), Fraction(1))
        around = self._around()
        if self.xp.balls.sign(around) != 1:
            raise NoGerm("a logarithm of something whose sign is not known")
        x0: Real = Fraction(0) if _is(self.x0, 1) else self.xp.ball(self.x0).log()
        return Germ(self.xp, x0, 0 if self.constant else self.c / around, self.r, self.k)

    def exp(self) -> Germ:
        """The exponential."""
        if self.infinite:
            return self._vanishing_exponential()
        around = self._around().exp()
        x0: Real = Fraction(1) if _is(self.x0, 0) else self.xp.ball(self.x0).exp()
        return Germ(self.xp, x0, 0 if self.constant else self.c * around, self.r, self.k)

    def _vanishing_exponential(self) -> Germ:
        """``exp(c e^r)`` for r < 0 and c < 0: at most a multiple of e^FAST, the least one such that both meet at delta.

        In L it is ``-C exp(R L) + FAST L`` with C = -c and R = -r that is largest at delta where ``C R exp(R L) > FAST`` there.
        """
        xp, size, power = self.xp, -self.c, self.xp.ball(-self.r)
        steep = size * (power * xp.length).exp()
        if self.k != 0 or xp.balls.sign(size) != 1 or xp.balls.sign(steep * power - FAST) != 1:
            raise NoGerm("an exponential of something infinite")
        return Germ(xp, Fraction(0), xp.ball(0).union((FAST * xp.length - steep).exp()), Fraction(FAST))

    def atan(self) -> Germ:
        """The inverse tangent."""
        if self.infinite:
            if self.sign is None:
                raise NoGerm("an inverse tangent of something whose sign is not known")
            right = self.xp.balls.apply("atan", self.xp.ball(1)) * (2 * self.sign)
            return self.xp.number(right) - self.reciprocal().atan()
        around = self._around()
        x0: Real = Fraction(0) if _is(self.x0, 0) else self.xp.balls.apply("atan", self.xp.ball(self.x0))
        return Germ(self.xp, x0, 0 if self.constant else self.c / (1 + around * around), self.r, self.k)

    def apply(self, name: str) -> Germ:
        """sinh, cosh, tanh, asin, acos or atan."""
        if name == "atan":
            return self.atan()
        if self.infinite:
            raise NoGerm(f"{name} of something infinite")
        if name == "cosh":
            half = (self * Fraction(1, 2)).apply("sinh")
            return half * half * 2 + 1  # 1 + 2 sinh^2(x/2): no power is lost at 0
        if name == "tanh":
            return self.apply("sinh") / self.apply("cosh")
        if name == "sinh":
            around = self._around()
            return self._moved(name, self.xp.balls.apply("cosh", around))
        if name == "asin" and _is(self.x0, 0):
            return self._moved(name, self._steepness())
        right = self.xp.balls.apply("atan", self.xp.ball(1)) * 2
        return self._arccosine() if name == "acos" else self.xp.number(right) - self._arccosine()

    def _moved(self, name: str, slope: Scalar) -> Germ:
        """A function with the slopes of a ball around, by the mean value."""
        x0: Real = (
            Fraction(0) if _is(self.x0, 0) and name != "acos" else self.xp.balls.apply(name, self.xp.ball(self.x0))
        )
        return Germ(self.xp, x0, 0 if self.constant else self.c * slope, self.r, self.k)

    def _steepness(self) -> Scalar:
        """``(1 - f^2)^(-1/2)``: the slope of asin."""
        around = self._around()
        rest = 1 - around * around
        if self.xp.balls.sign(rest) != 1:
            raise NoGerm("asin or acos next to where its slope is infinite")
        return rest ** self.xp.ball(Fraction(-1, 2))

    def _arccosine(self) -> Germ:
        if _is(self.x0, -1):
            return self.xp.number(self.xp.balls.apply("atan", self.xp.ball(1)) * 4) - (-self)._arccosine()
        if not _is(self.x0, 1):
            return self._moved("acos", -self._steepness())
        if self.constant:
            return Germ(self.xp, Fraction(0))
        fall = (
            self.xp.number(Fraction(1)) - self
        )  # acos(1 - t) = sqrt(2 t) s(t), s rises from 1 and is below (1 - t/2)^(-1/2)
        rest = 1 - fall.tail / 2
        if self.xp.balls.sign(fall.c) != 1 or self.xp.balls.sign(rest) != 1:
            raise NoGerm("acos of something that is not known to be below 1")
        root = (fall * 2)._power(Fraction(1, 2))
        stretch = self.xp.ball(1).union(rest ** self.xp.ball(Fraction(-1, 2)))
        return Germ(self.xp, root.x0, root.c * stretch, root.r, root.k)


Tail: TypeAlias = tuple[Scalar, Fraction, Fraction]


class Germs(Backend):
    """The number system of germs on (0, 2^-bits], bits >= 2, or on [2^-far, 2^-bits]."""

    def __init__(self, bits: float, balls: Balls, far: float | None = None) -> None:
        self.balls = balls
        self.delta = self._half_to(bits)
        self.length = -self.delta.log()
        self.least = None if far is None else self._half_to(far)
        self.longest = None if self.least is None else -self.least.log()
        super().__init__(
            "germ",
            self._number,
            lambda x: x.log() if isinstance(x, Germ) else self._number(x).log(),
            lambda x: x.exp() if isinstance(x, Germ) else self._number(x).exp(),
            lambda x, e: self._number(x) ** e,
            lambda x, y: self._number(x) / self._number(y),
            self._choose,
            functions={name: partial(self._applied, name) for name in ELEMENTARY},
        )

    def _half_to(self, bits: float) -> Scalar:
        """The ball around 2^-bits."""
        if isinstance(bits, int) and bits <= 1000:
            return self.ball(Fraction(1, 2**bits))
        power = int(bits) if bits == int(bits) else self.ball(Fraction(bits))
        return 1 / self.ball(2) ** power

    def _applied(self, name: str, x: Scalar) -> Germ:
        return self._number(x).apply(name)

    def _number(self, x: Scalar) -> Germ:
        if isinstance(x, Germ):
            return x
        if isinstance(x, int):
            return Germ(self, Fraction(x))
        return Germ(self, x if isinstance(x, Fraction) or type(x) is type(self.delta) else Fraction(x))

    def ball(self, x: Real) -> Scalar:
        """A ball around a number."""
        return self.balls.of(x)

    def both(self, x: Real, y: Real, operation: Callable[[Scalar, Scalar], Scalar]) -> Real:
        """What an operation gives: exactly if it can, else as a ball."""
        if isinstance(x, Fraction) and isinstance(y, Fraction):
            return operation(x, y)
        return operation(self.ball(x), self.ball(y))

    @property
    def undefined(self) -> Germ:
        """What 1/0 and log 0 give: something without a sign, whatever it meets."""
        return Germ(self, Fraction(0), self.balls.unknown, Fraction(-1))

    @property
    def immense(self) -> Germ:
        """Positive infinity: more than every power that occurs (``sum`` knows that less another one it has no sign)."""
        return Germ(self, Fraction(0), self.ball(1), Fraction(-2 * IMMENSE))

    def small(self, r: Fraction, k: Fraction) -> Scalar:
        """The ball that holds ``e^r L^k`` on the stretch; NoGerm where it is not bounded."""
        if r == 0 and k == 0:
            return self.ball(1)
        if self.least is not None:
            return self._between(r, k)
        if r < 0 or (r == 0 and k > 0):
            raise NoGerm("a power that is not bounded")
        if r > 0 and k > 0 and self.balls.sign(self.ball(k / r) - self.length) == 1:  # the largest value lies inside
            most = (self.ball(k / r) ** self.ball(k)) * (-self.ball(k)).exp()
        else:
            most = self.delta ** self.ball(r) * self.length ** self.ball(k)
        return self.ball(0).union(most)

    def _between(self, r: Fraction, k: Fraction) -> Scalar:
        """The same on a stretch that does not reach the end: from the values at its ends, and where the slope is 0 inside."""
        power, logs = self.ball(r), self.ball(k)
        found = (self.delta**power * self.length**logs).union(self.least**power * self.longest**logs)
        if r == 0 or not k / r > 0:  # monotone
            return found
        turn = self.ball(k / r)  # the length at which the slope is 0
        outside = self.balls.sign(turn - self.length) == -1 or self.balls.sign(turn - self.longest) == 1
        return found if outside else found.union(turn**logs * (-logs).exp())

    def sum(self, one: Tail, two: Tail) -> Tail:
        """Two tails as one: the slower one leads, the other is bounded by it."""
        for left, right in ((one, two), (two, one)):
            if isinstance(right[0], int):  # nothing
                return left
        if max(one[1], two[1]) < -IMMENSE and self.balls.sign(one[0]) != self.balls.sign(two[0]):
            return self.balls.unknown, one[1], one[2]
        if (one[1], one[2]) == (two[1], two[2]):
            return one[0] + two[0], one[1], one[2]
        if (one[1], -one[2]) > (two[1], -two[2]):
            one, two = two, one
        return one[0] + two[0] * self.small(two[1] - one[1], two[2] - one[2]), one[1], one[2]

    def _choose(self, x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        sign = (self._number(x) - self._number(cut)).sign
        if sign is None:
            raise NoGerm("a branch that changes next to the end")
        return self._number(below if sign <= 0 else above)

    def near(self, point: Real, side: int) -> Germ:
        """``point + side * e``."""
        return Germ(self, point, self.ball(side))


@lru_cache(16)
def germs(bits: int, balls: Balls | None = None) -> Germs:
    """The number system of germs on (0, 2^-bits], with balls of Arb unless others are given."""
    return Germs(bits, balls or arb_balls())


def germs_between(bits: float, far: float, balls: Balls) -> Germs:
    """The number system of germs on [2^-far, 2^-bits]."""
    return Germs(bits, balls, far)
