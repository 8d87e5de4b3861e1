"""Arrays of float intervals with outward rounding: thousands of enclosures at once.

``Span`` holds two arrays, the lower and the upper ends. Sums are exact where floats say so (by the error of the sum) and else
widened by one unit in the last place, as products and quotients are; NumPy's exp, log and power, whose vectorised forms may err by
up to four units, by sixteen. An interval that is lost (0 * inf, a logarithm across 0) becomes the whole line, so nothing that is
certified rests on it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache, lru_cache, partial, reduce
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
LEAST = 5e-324  # what underflow may have lost of a product or quotient
TINY = 2.0**-1020  # the same of a function that may flush what is below the least normal number
LARGEST = np.finfo(float).max
FUNCTIONS = {name: getattr(np, name.replace("a", "arc", 1) if name[0] == "a" else name) for name in ELEMENTARY}
NAME = "span"


class Span:
    """Closed intervals ``[low, high]`` of extended reals, elementwise."""

    __slots__ = ("high", "low")
    __array_ufunc__ = None  # numpy must hand `array * span` to __rmul__

    def __init__(self, low: ArrayLike, high: ArrayLike) -> None:
        self.low: Array = np.asarray(low, dtype=float)
        self.high: Array = self.low if high is low else np.asarray(high, dtype=float)

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
        low = self.low[index]
        return Span(low, low if self.low is self.high else self.high[index])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""
        return self.low.shape

    @property
    def sign(self) -> int | None:
        """1, 0 or -1 where every interval has that sign, else None."""
        if (self.low > 0).all():
            return 1
        if (self.high < 0).all():
            return -1
        return 0 if not (self.low.any() or self.high.any()) else None

    def union(self, other: Scalar) -> Span:
        """The least spans that hold both."""
        o = Span.of(other)
        return Span(np.minimum(self.low, o.low), np.maximum(self.high, o.high))

    def within(self, low: float, high: float) -> Span:
        """The part in [low, high], where every member is known to lie."""
        return Span(np.clip(self.low, low, high), np.clip(self.high, low, high))

    def sum(self, axis: int, keepdims: bool = False) -> Span:
        """The sum along the last axis."""
        assert axis == -1
        result = self[..., 0]
        for k in range(1, self.shape[-1]):
            result = result + self[..., k]
        return result[..., None] if keepdims else result

    def greatest(self) -> Span:
        """The maximum over the last axis, kept."""
        return Span(self.low.max(-1, keepdims=True), self.high.max(-1, keepdims=True))

    def __neg__(self) -> Span:
        low = -self.high
        return Span(low, low if self.low is self.high else -self.low)

    @yields_to_jets
    def __add__(self, other: Scalar) -> Span:
        o = Span.of(other)
        return self if _exactly(o, 0) else _sum(self.low, o.low, self.high, o.high)

    __radd__ = __add__

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Span:
        o = Span.of(other)
        return _sum(self.low, -o.high, self.high, -o.low)

    def __rsub__(self, other: Scalar) -> Span:
        return Span.of(other) - self

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Span:
        o = Span.of(other)
        if o.low is o.high and o.low.ndim == 0:
            return self._times(float(o.low))
        return _product(self, o)

    __rmul__ = __mul__

    def _times(self, number: float) -> Span:
        """The product with one number."""
        if abs(number) == 1:
            return self if number == 1 else -self
        ends = self.low * number, self.high * number
        if not (np.isfinite(number) and number and all(end.all() for end in ends)):  # something underflowed or is lost
            return _product(self, Span(number, number))
        return _outward(*(ends if number > 0 else ends[::-1]), ARITHMETIC, LEAST)

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Span:
        o = Span.of(other)
        if o.low.min(initial=np.inf) > 0 and self.low.min(initial=np.inf) >= 0:
            low, high = self.low / o.high, self.high / o.low
            return _outward(_kept(low, self.low), _kept(high, self.high), ARITHMETIC, LEAST)
        found = _hull([_kept(x / y, x) for x in _ends(self) for y in _ends(o)])
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
        e = Span.of(exponent)
        if e.low.ndim == e.high.ndim == 0 and e.low == e.high and float(e.low).is_integer() and abs(e.low) < 2**53:
            return self._whole_power(int(e.low))
        return _power(self, e)

    def _whole_power(self, n: int) -> Span:
        if n == 0:
            return Span(np.ones_like(self.low), np.ones_like(self.low))
        if n < 0:
            return Span(1.0, 1.0) / self._whole_power(-n)
        if n == 1:
            return self
        low, high = self.low, self.high
        if n % 2 == 0:
            least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
            low, high = least, np.maximum(np.abs(low), np.abs(high))
        if n == 2:  # correctly rounded
            return _outward(_kept(low * low, low), _kept(high * high, high), ARITHMETIC, LEAST)
        exact = [np.abs(end) == 1 for end in (low, high)]
        found = _outward(_kept(low**n, low), _kept(high**n, high), LIBRARY, TINY)
        return Span(np.where(exact[0], low**n, found.low), np.where(exact[1], high**n, found.high))

    def exp(self) -> Span:
        """The exponential, which is never 0."""
        found = self._rising(np.exp, 0.0)
        return Span(found.low, np.maximum(found.high, TINY))

    def log(self) -> Span:
        """The natural logarithm."""
        return self._rising(np.log)

    def _rising(self, function: Callable[[Array], Array], least: float = -np.inf, most: float = np.inf) -> Span:
        """An increasing function with values in [least, most]; the whole range where it has none."""
        low = function(self.low)
        found = _outward(low, low if self.low is self.high else function(self.high), LIBRARY, TINY)
        return Span(np.maximum(found.low, least), np.minimum(found.high, most))

    def apply(self, name: str) -> Span:
        """sinh, cosh, tanh, asin, acos or atan. What leaves [-1, 1] by rounding alone counts as inside for asin and acos."""
        if name == "cosh":  # even
            return self._size()._rising(np.cosh, 1.0)
        if name == "acos":
            return -self.inside()._rising(lambda x: -np.arccos(x))
        x = self.inside() if name == "asin" else self
        return x._rising(FUNCTIONS[name], -1.0, 1.0) if name == "tanh" else x._rising(FUNCTIONS[name])

    def _size(self) -> Span:
        """``|x|``."""
        low, high = np.abs(self.low), np.abs(self.high)
        return Span(np.where((self.low <= 0) & (self.high >= 0), 0.0, np.minimum(low, high)), np.maximum(low, high))

    def inside(self) -> Span:
        """The part in [-1, 1], where no more than rounding lies outside; NaN elsewhere."""
        wild = (self.low < -1 - 2.0**-24) | (self.high > 1 + 2.0**-24)
        return Span(*(np.where(wild, np.nan, np.clip(x, -1.0, 1.0)) for x in (self.low, self.high)))

    def one_less_square(self) -> Span:
        """``1 - x^2`` on [-1, 1], as a product that cancels nowhere."""
        size = self.inside()._size()
        return (1 - size) * (1 + size)

    def xlogx(self) -> Span:
        """``x log x`` on x >= 0: 0 at 0, convex, least at 1/e with the value -1/e."""
        ends = [np.where(x <= 0, 0.0, x * np.log(np.maximum(x, TINY))) for x in (self.low, self.high)]
        found = _outward(np.minimum(*ends), np.maximum(*ends), LIBRARY, TINY)
        bottom = (self.low <= 0.368) & (self.high >= 0.367)
        low = np.where(bottom, -np.exp(-1.0) * (1 + LIBRARY), found.low)
        return Span(np.where(self.low < 0, -np.inf, low), np.where(self.low < 0, np.inf, found.high))


@lru_cache(4096)
def _enclosed(x: Fraction) -> Span:
    """The narrowest span around a fraction; exact parameters are met again and again."""
    around = Interval.of(x)
    return Span(around.low, around.low if around.low == around.high else around.high)


def _exactly(x: Span, value: int) -> bool:
    """Is x one interval that holds this number alone?"""
    return x.low.ndim == x.high.ndim == 0 and bool(x.low == x.high == value)


def _ends(x: Span) -> tuple[Array, ...]:
    """The lower and the upper ends, once where they are the same."""
    return (x.low,) if x.low is x.high else (x.low, x.high)


def _lower(x: Array) -> Array:
    """A lower bound of what was rounded to x >= 0."""
    return np.maximum(np.minimum(x, LARGEST) * (1 - 2 * ARITHMETIC) - LEAST, 0.0)


def _kept(x: Array, *operands: Array) -> Array:
    """x, with what underflowed to 0 (no operand is 0) replaced by something that bounds it and has its sign."""
    if x.all():
        return x
    lost = x == 0
    for operand in operands:
        lost = lost & (operand != 0)
    return np.where(lost, np.copysign(LEAST, x), x)


def _sum(a: Array, b: Array, c: Array, d: Array) -> Span:
    """``[a + b, c + d]``, each end widened where its sum was rounded towards the inside."""
    low, error = _with_error(a, b)
    down = np.where(error >= 0, low, low - np.abs(low) * ARITHMETIC)
    high, error = _with_error(c, d)
    up = np.where(error <= 0, high, high + np.abs(high) * ARITHMETIC)
    if np.isfinite(down).all() and np.isfinite(up).all():
        return Span(down, up)
    infinite = np.isinf(a) | np.isinf(b), np.isinf(c) | np.isinf(d)
    down = np.where(infinite[0], low, np.where(np.isfinite(down), down, np.minimum(low, LARGEST)))
    up = np.where(infinite[1], high, np.where(np.isfinite(up), up, np.maximum(high, -LARGEST)))
    return Span(np.where(np.isnan(low), -np.inf, down), np.where(np.isnan(high), np.inf, up))


def _with_error(x: Array, y: Array) -> tuple[Array, Array]:
    """The sum as floats round it, and what is missing to the true one, exactly (NaN where something is infinite)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _outward(low: Array, high: Array, by: float, least: float) -> Span:
    """Ends that were rounded, widened (0 is kept); those that are not numbers become infinite."""
    down, up = low - (np.abs(low) * by + least), high + (np.abs(high) * by + least)
    down, up = np.where(low >= 0, np.maximum(down, 0.0), down), np.where(high <= 0, np.minimum(up, 0.0), up)
    if not (np.isfinite(down).all() and np.isfinite(up).all()):
        lost = np.isnan(low) | np.isnan(high)
        down = np.where(lost, -np.inf, np.where(low == np.inf, LARGEST, np.where(low == -np.inf, -np.inf, down)))
        up = np.where(lost, np.inf, np.where(high == -np.inf, -LARGEST, np.where(high == np.inf, np.inf, up)))
    return Span(down, up)


def _hull(corners: list[Array]) -> Span:
    """The spans of a function that is monotone in each argument, from its rounded values at the corners."""
    low = high = corners[0]
    for corner in corners[1:]:
        low, high = np.minimum(low, corner), np.maximum(high, corner)
    return _outward(low, high, ARITHMETIC, LEAST)


def _product(x: Span, y: Span) -> Span:
    if x.low.min(initial=np.inf) >= 0 and y.low.min(initial=np.inf) >= 0:
        corners = [_kept(x.low * y.low, x.low, y.low), _kept(x.high * y.high, x.high, y.high)]
    else:
        corners = [_kept(a * b, a, b) for a in _ends(x) for b in _ends(y)]
    if any(
        np.isnan(corner).any() for corner in corners
    ):  # an infinite end bounds finite members: its product with 0 is 0
        infinite = (x.low == np.inf) | (x.high == -np.inf) | (y.low == np.inf) | (y.high == -np.inf)
        corners = [np.where(np.isnan(c) & ~infinite, 0.0, c) for c in corners]
    return _hull(corners)


def _power(x: Span, e: Span) -> Span:
    """``x ** e`` for x >= 0; the whole line elsewhere. e log x is bilinear, so the extremes lie at the corners."""
    lost = x.low < 0
    base = Span(np.maximum(x.low, 0.0), x.high) if lost.any() else x
    if e.low.min(initial=np.inf) >= 0 and base.high.max(initial=0.0) <= 1:
        pairs = [(base.low, e.high), (base.high, e.low)]
    elif e.low is e.high or (e.low.min(initial=np.inf) >= 0 and base.low.min(initial=np.inf) >= 1):
        pairs = [(base.low, e.low), (base.high, e.high)]
    else:
        pairs = [(a, b) for a in _ends(base) for b in _ends(e)]
    downs, ups = [], []
    for a, b in pairs:
        corner = _kept(np.power(a, b), a)
        slack = np.where((a == 0) | (a == 1) | (b == 1), 0.0, np.abs(corner) * LIBRARY + TINY)
        downs.append(np.maximum(corner - slack, 0.0))
        ups.append(corner + slack)
    low, high = reduce(np.minimum, downs), reduce(np.maximum, ups)
    low = np.where(low == np.inf, LARGEST, low)
    lost = lost | np.isnan(low) | np.isnan(high)
    return Span(np.where(lost, -np.inf, low), np.where(lost, np.inf, high)) if lost.any() else Span(low, high)


class Spans(Backend):
    """The number system of spans. ``jumps``: branches need not meet, so a slope between them is not bounded."""

    def __init__(self, jumps: bool) -> None:
        self.jumps = jumps
        super().__init__(
            NAME,
            Span.of,
            lambda x: Span.of(x).log(),
            lambda x: Span.of(x).exp(),
            lambda x, e: Span.of(x) ** e,
            lambda x, y: Span.of(x) / y,
            functions={name: partial(lambda name, x: Span.of(x).apply(name), name) for name in ELEMENTARY},
            one_less_square=lambda x: Span.of(x).one_less_square(),
            xlogx=lambda x, _: Span.of(x).xlogx(),
        )

    def split(self, x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        """``below`` where x <= cut, ``above`` elsewhere; of jets, whose slope lies among both where both branches are possible."""
        if not any(isinstance(part, Jet) for part in (x, cut, below, above)):
            return _branch(x, cut, below, above)
        at, edge = (part.value if isinstance(part, Jet) else part for part in (x, cut))
        parts = ((part.value, part.slope) if isinstance(part, Jet) else (part, 0.0) for part in (below, above))
        values, slopes = zip(*parts, strict=True)
        slope = _branch(at, edge, *slopes)
        if self.jumps:
            place, edge = Span.of(at), Span.of(edge)
            open_ = (place.high > edge.low) & (place.low <= edge.high)
            slope = Span(np.where(open_, -np.inf, slope.low), np.where(open_, np.inf, slope.high))
        return Jet(self, _branch(at, edge, *values), slope)


def _branch(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Span:
    """``below`` where x <= cut, ``above`` where x > cut, their union where neither is certain."""
    at, edge, low, high = (Span.of(part) for part in (x, cut, below, above))
    both = low.union(high)
    under, over = at.high <= edge.low, at.low > edge.high
    return Span(
        np.where(under, low.low, np.where(over, high.low, both.low)),
        np.where(under, low.high, np.where(over, high.high, both.high)),
    )


@cache
def spans(jumps: bool = False) -> Spans:
    """The number system of spans; callers wrap evaluation in ``numpy.errstate``."""
    return Spans(jumps)
