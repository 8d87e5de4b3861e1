"""Arrays of float intervals with outward rounding: thousands of enclosures at once.

``Span`` holds two arrays, the lower and the upper ends. Sums, products and quotients err by half a unit in the last place and are
widened by one; NumPy's exp, log and power, whose vectorised forms may err by up to four units, by sixteen. An interval that is lost
(0 * inf, a logarithm across 0) becomes the whole line, so nothing that is certified rests on it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache, lru_cache, partial
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .backends import ELEMENTARY, Backend
from .interval import Interval
from .jet import Jet, yields_to_jets
from .scalar import Scalar

Array: TypeAlias = NDArray[np.float64]

ARITHMETIC = 2.0**-52
LIBRARY = 2.0**-48
TINY = 2.0**-1000  # what may have been lost below the least normal number, and more
LARGEST = np.finfo(float).max
FUNCTIONS = {name: getattr(np, name.replace("a", "arc", 1) if name[0] == "a" else name) for name in ELEMENTARY}


class Span:
    """Closed intervals ``[low, high]`` of extended reals, elementwise."""

    __slots__ = ("high", "low")
    __array_ufunc__ = None  # numpy must hand `array * span` to __rmul__

    def __init__(self, low: ArrayLike, high: ArrayLike) -> None:
        self.low: Array = np.asarray(low, dtype=float)
        self.high: Array = np.asarray(high, dtype=float)

    @classmethod
    def of(cls, x: Scalar) -> Span:
        """The narrowest span here around a number, or around every number of a float array."""
        if isinstance(x, Span):
            return x
        if isinstance(x, Fraction):
            return _enclosed(x)
        if isinstance(x, Interval):
            return cls(x.low, x.high)
        return cls(x, x)

    def __repr__(self) -> str:
        return f"Span({self.low!r}, {self.high!r})"

    def __getitem__(self, index: Scalar) -> Span:
        return Span(self.low[index], self.high[index])

    @property
    def sign(self) -> int | None:
        """1, 0 or -1 where every interval has that sign, else None."""
        if (self.low > 0).all():
            return 1
        if (self.high < 0).all():
            return -1
        return 0 if not (self.low.any() or self.high.any()) else None

    def hull(self, other: Scalar) -> Span:
        """The least spans that hold both."""
        o = Span.of(other)
        return Span(np.minimum(self.low, o.low), np.maximum(self.high, o.high))

    def within(self, low: float, high: float) -> Span:
        """The part in [low, high], where every member is known to lie."""
        return Span(np.clip(self.low, low, high), np.clip(self.high, low, high))

    def __neg__(self) -> Span:
        return Span(-self.high, -self.low)

    @yields_to_jets
    def __add__(self, other: Scalar) -> Span:
        o = Span.of(other)
        if _exactly(o, 0):
            return self
        return _outward(self.low + o.low, self.high + o.high, ARITHMETIC)

    __radd__ = __add__

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Span:
        o = Span.of(other)
        return _outward(self.low - o.high, self.high - o.low, ARITHMETIC)

    def __rsub__(self, other: Scalar) -> Span:
        return Span.of(other) - self

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Span:
        o = Span.of(other)
        if _exactly(o, 1):
            return self
        if o.low.ndim == o.high.ndim == 0 and o.low == o.high and np.isfinite(o.low) and o.low != 0:
            ends = self.low * o.low, self.high * o.low
            if all(end.all() for end in ends):  # nothing underflowed
                return _outward(*(ends if o.low > 0 else ends[::-1]), ARITHMETIC)
        return _hulled(np.multiply, self, o)

    __rmul__ = __mul__

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Span:
        o = Span.of(other)
        found = _hulled(np.divide, self, o)
        lost = (o.low <= 0) & (o.high >= 0)
        if lost.any():  # a divisor that ends at 0 leaves one bound
            one_sided = (o.low == 0) & (o.high > 0)
            low = np.where(one_sided & (self.low > 0), _lower(self.low / o.high), -np.inf)
            high = np.where(one_sided & (self.high < 0), -_lower(-self.high / o.high), np.inf)
            return Span(np.where(lost, low, found.low), np.where(lost, high, found.high))
        return found

    def __rtruediv__(self, other: Scalar) -> Span:
        return Span.of(other) / self

    @yields_to_jets
    def __pow__(self, exponent: Scalar) -> Span:
        if isinstance(exponent, (int, Fraction)) and exponent == int(exponent):
            return self._whole_power(int(exponent))
        e = Span.of(exponent)
        found = _hulled(np.power, self, e, LIBRARY)  # e log x is bilinear, so the extremes lie at the corners
        one = (self.low == 1) & (self.high == 1)
        if one.any():
            found = Span(np.where(one, 1.0, found.low), np.where(one, 1.0, found.high))
        lost = self.low < 0
        return Span(np.where(lost, -np.inf, found.low), np.where(lost, np.inf, found.high)) if lost.any() else found

    def _whole_power(self, n: int) -> Span:
        if n == 0:
            return Span(np.ones_like(self.low), np.ones_like(self.low))
        if n < 0:
            return Span.of(1.0) / self._whole_power(-n)
        if n == 1:
            return self
        low, high = self.low, self.high
        if n % 2 == 0:
            least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
            low, high = least, np.maximum(np.abs(low), np.abs(high))
        return _outward(_kept(low**n, low), _kept(high**n, high), LIBRARY)

    def exp(self) -> Span:
        """The exponential."""
        return _outward(np.exp(self.low), np.maximum(np.exp(self.high), TINY), LIBRARY)

    def log(self) -> Span:
        """The natural logarithm."""
        found = _outward(np.log(np.maximum(self.low, 0.0)), np.log(np.maximum(self.high, 0.0)), LIBRARY)
        lost = self.low < 0
        return Span(np.where(lost, -np.inf, found.low), np.where(lost, np.inf, found.high)) if lost.any() else found

    def apply(self, name: str) -> Span:
        """sinh, cosh, tanh, asin, acos or atan. What leaves [-1, 1] by rounding alone counts as inside for asin and acos."""
        low, high = self.low, self.high
        lost = np.zeros(np.broadcast_shapes(low.shape, high.shape), dtype=bool)
        if name in ("asin", "acos"):
            lost = (low < -1 - LIBRARY) | (high > 1 + LIBRARY)
            low, high = np.clip(low, -1.0, 1.0), np.clip(high, -1.0, 1.0)
        if name == "cosh":  # even
            low, high = (
                np.where((low <= 0) & (high >= 0), 0.0, np.minimum(abs(low), abs(high))),
                np.maximum(abs(low), abs(high)),
            )
        ends = (FUNCTIONS[name](low), FUNCTIONS[name](high))
        found = _outward(*(ends[::-1] if name == "acos" else ends), LIBRARY)
        return Span(np.where(lost, -np.inf, found.low), np.where(lost, np.inf, found.high)) if lost.any() else found

    def xlogx(self) -> Span:
        """``x log x`` on x >= 0: 0 at 0, convex, least at 1/e with the value -1/e."""
        ends = [np.where(x <= 0, 0.0, x * np.log(np.maximum(x, TINY))) for x in (self.low, self.high)]
        found = _outward(np.minimum(*ends), np.maximum(*ends), LIBRARY)
        bottom = (self.low <= 0.368) & (self.high >= 0.367)
        low = np.where(bottom, -np.exp(-1.0) * (1 + LIBRARY), found.low)
        return Span(np.where(self.low < 0, -np.inf, low), np.where(self.low < 0, np.inf, found.high))


@lru_cache(4096)
def _enclosed(x: Fraction) -> Span:
    """The narrowest span around a fraction; exact parameters are met again and again."""
    around = Interval.of(x)
    return Span(around.low, around.high)


def _exactly(x: Span, value: int) -> bool:
    """Is x one interval that holds this number alone?"""
    return x.low.ndim == x.high.ndim == 0 and bool(x.low == x.high == value)


def _lower(x: Array) -> Array:
    """A lower bound of what was rounded to x >= 0."""
    return np.maximum(np.minimum(x, LARGEST) * (1 - 2 * ARITHMETIC) - TINY, 0.0)


def _kept(x: Array, *operands: Array) -> Array:
    """x, with what underflowed to 0 (no operand is 0) replaced by something that bounds it and has its sign."""
    if x.all():
        return x
    lost = x == 0
    for operand in operands:
        lost = lost & (operand != 0)
    return np.where(lost, np.copysign(TINY, x), x)


def _outward(low: Array, high: Array, by: float) -> Span:
    """Ends that were rounded, widened (0 is kept); those that are not numbers become infinite."""
    down, up = low - (np.abs(low) * by + TINY), high + (np.abs(high) * by + TINY)
    down, up = np.where(low >= 0, np.maximum(down, 0.0), down), np.where(high <= 0, np.minimum(up, 0.0), up)
    if not (np.isfinite(down).all() and np.isfinite(up).all()):
        lost = np.isnan(low) | np.isnan(high)
        down = np.where(lost, -np.inf, np.where(low == np.inf, LARGEST, np.where(low == -np.inf, -np.inf, down)))
        up = np.where(lost, np.inf, np.where(high == -np.inf, -LARGEST, np.where(high == np.inf, np.inf, up)))
    return Span(down, up)


def _hulled(function: Callable[[Array, Array], Array], x: Span, y: Span, by: float = ARITHMETIC) -> Span:
    """The spans of a function that is monotone in each argument, over its corners."""
    corners = []
    for a in (x.low, x.high):
        for b in (y.low, y.high):
            corner = _kept(function(a, b), a) if function is np.power else function(a, b)
            corners.append(corner if function is np.power else _kept(corner, a, b))
    if function is np.multiply:  # an infinite end bounds finite members: its product with 0 is 0
        infinite = (x.low == np.inf) | (x.high == -np.inf) | (y.low == np.inf) | (y.high == -np.inf)
        corners = [np.where(np.isnan(c) & ~infinite, 0.0, c) for c in corners]
    low = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3]))
    high = np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3]))
    return _outward(low, high, by)


def _split(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Span | Jet:
    jets = [part for part in (x, cut, below, above) if isinstance(part, Jet)]
    if (
        jets
    ):  # in a parameter, in which a loss is continuous: where both branches are possible, its slope lies in their hull
        xp = jets[0].xp
        parts = [part if isinstance(part, Jet) else Jet(xp, part, 0.0) for part in (x, cut, below, above)]
        at, edge, low, high = parts
        slope = _branch(at.value, edge.value, low.slope, high.slope)
        return Jet(xp, _branch(at.value, edge.value, low.value, high.value), slope)
    return _branch(x, cut, below, above)


def _branch(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Span:
    """``below`` where x <= cut, ``above`` where x > cut, their hull where neither is certain."""
    at, edge, low, high = (Span.of(part) for part in (x, cut, below, above))
    both = low.hull(high)
    under, over = at.high <= edge.low, at.low > edge.high
    return Span(
        np.where(under, low.low, np.where(over, high.low, both.low)),
        np.where(under, low.high, np.where(over, high.high, both.high)),
    )


@cache
def spans() -> Backend:
    """The number system of spans; callers wrap evaluation in ``numpy.errstate``."""
    return Backend(
        "span",
        Span.of,
        lambda x: Span.of(x).log(),
        lambda x: Span.of(x).exp(),
        lambda x, e: Span.of(x) ** e,
        lambda x, y: Span.of(x) / y,
        _split,
        functions={name: partial(lambda name, x: Span.of(x).apply(name), name) for name in ELEMENTARY},
        xlogx=lambda x, _: Span.of(x).xlogx(),
    )
