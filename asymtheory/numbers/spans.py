"""Arrays of float intervals with outward rounding: thousands of enclosures at once.

``Span`` holds the lower and the upper ends as upper bounds of -x and of x in one array, so that one operation that is rounded
upwards (``rounding``) gives both ends of a result. Sums, products and quotients are exact where floats are; NumPy's exp, log and
power, whose vectorised forms may err by up to four units in the last place, are widened by sixteen. An interval that is lost
(0 * inf, a logarithm across 0) becomes the whole line, so nothing that is certified rests on it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache, lru_cache, partial, reduce
from math import factorial, isfinite
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .backends import ELEMENTARY, Backend, plain_deficit
from .interval import Interval
from .jet import Jet, yields_to_jets
from .rounding import product_up, quotient_up, sum_up
from .scalar import Scalar

Array: TypeAlias = NDArray[np.float64]

LIBRARY = 2.0**-48
TINY = 2.0**-1020  # what a library function may have lost that flushes what is below the least normal number
LARGEST, INFINITE = np.finfo(float).max, np.array(np.inf)
FUNCTIONS = {name: getattr(np, name.replace("a", "arc", 1) if name[0] == "a" else name) for name in ELEMENTARY}
NAME = "span"
TAYLOR = [
    (k + 1) / factorial(k + 2) for k in range(20)
]  # of the slope of (e^x - 1) / x; the rest is below 2^-60 for |x| <= 1


class Span:
    """Closed intervals ``[low, high]`` of extended reals, elementwise."""

    __slots__ = ("_side", "outer", "point")
    __array_ufunc__ = None  # numpy must hand `array * span` to __rmul__

    def __init__(self, low: ArrayLike, high: ArrayLike) -> None:
        below, above = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
        self.point = high is low  # one number each?
        self._side: int | None = None
        self.outer: Array = np.empty((2, *(below.shape if self.point else np.broadcast(below, above).shape)))
        self.outer[0], self.outer[1] = -below, above

    @classmethod
    def around(cls, outer: Array, point: bool = False, side: int | None = None) -> Span:
        """The intervals whose members x are bounded by -x <= outer[0] and x <= outer[1]; what is known of them."""
        span = object.__new__(cls)
        span.outer, span.point, span._side = outer, point, side
        return span

    @classmethod
    def of(cls, x: Scalar) -> Span:
        """The narrowest span here around a number, or around every number of a float array."""
        kind = type(x)
        if kind is Span:
            return x
        if kind is Fraction or kind is int:
            return _enclosed(x.numerator, x.denominator)
        return cls(x.low, x.high) if kind is Interval else cls(x, x)

    @property
    def low(self) -> Array:
        """The lower ends."""
        return np.asarray(0.0 - self.outer[0])

    @property
    def high(self) -> Array:
        """The upper ends."""
        return np.asarray(self.outer[1])

    def __repr__(self) -> str:
        return f"Span({self.low!r}, {self.high!r})"

    def __getitem__(self, index: Scalar) -> Span:
        return Span.around(self.outer[:, *index] if isinstance(index, tuple) else self.outer[:, index], self.point)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""
        return self.outer.shape[1:]

    @property
    def sign(self) -> int | None:
        """1, 0 or -1 where every interval has that sign, else None."""
        if (self.outer[0] < 0).all():
            return 1
        if (self.outer[1] < 0).all():
            return -1
        return None if self.outer.any() else 0

    @property
    def side(self) -> int:
        """1 where no lower end is below 0, -1 where no upper end is above it, 0 where neither is so."""
        if self._side is None:
            below, above = np.maximum.reduce(self.outer.reshape(2, -1), 1, initial=-np.inf).tolist()
            self._side = 1 if below <= 0 else -1 if above <= 0 else 0
        return self._side

    def union(self, other: Scalar) -> Span:
        """The least spans that hold both."""
        return Span.around(np.maximum(*_aligned(self, Span.of(other))))

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
        return Span.around(self.outer[::-1], self.point, self._side and -self._side)

    @yields_to_jets
    def __add__(self, other: Scalar) -> Span:
        o = Span.of(other)
        return self if _exactly(o, 0) else _sum(self, o)

    __radd__ = __add__

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Span:
        return _sum(self, -Span.of(other))

    def __rsub__(self, other: Scalar) -> Span:
        return _sum(Span.of(other), -self)

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Span:
        o = Span.of(other)
        if _exactly(o, 1):
            return self
        return -self if _exactly(o, -1) else _product(self, o)

    __rmul__ = __mul__

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Span:
        return _quotient(self, Span.of(other))

    def __rtruediv__(self, other: Scalar) -> Span:
        return Span.of(other) / self

    @yields_to_jets
    def __pow__(self, exponent: Scalar) -> Span:
        e = Span.of(exponent)
        if e.outer.ndim == 1:
            number = float(e.outer[1])
            if number == -e.outer[0] and number.is_integer() and abs(number) < 2**53:
                return self._whole_power(int(number))
        return _power(self, e)

    def _whole_power(self, n: int) -> Span:
        if n == 0:
            return Span.of(np.ones(self.shape))
        if n < 0:
            return Span(1.0, 1.0) / self._whole_power(-n)
        if n == 1:
            return self
        base = self if n % 2 or self.side == 1 else self._size()
        if n == 2:
            return _product(base, base)
        ends = base.outer * _signs(base.outer.ndim)
        found = _widened(ends**n, ends * ends == np.abs(ends), zero=False)  # 0 and 1, or infinite
        if base.side == 1:
            np.minimum(found[:1], 0.0, out=found[:1])
            return Span.around(found, side=1)
        return Span.around(np.where(ends * _signs(ends.ndim) <= 0, np.minimum(found, 0.0), found))

    def exp(self) -> Span:
        """The exponential, which is never 0."""
        found = _widened(np.exp(self.outer * _signs(self.outer.ndim)), zero=False)
        np.minimum(found[:1], 0.0, out=found[:1])
        return Span.around(found, side=1)

    def log(self) -> Span:
        """The natural logarithm."""
        return self._rising(np.log)

    def _rising(self, function: Callable[[Array], Array], least: float = -np.inf, most: float = np.inf) -> Span:
        """An increasing function with values in [least, most], 0 only where it is so exactly; the whole range where it has none."""
        values = function(self.outer * _signs(self.outer.ndim))
        found = _widened(values)
        if least > -np.inf:
            np.minimum(found[:1], -least, out=found[:1])
        if most < np.inf:
            np.minimum(found[1:], most, out=found[1:])
        return Span.around(found)

    def apply(self, name: str) -> Span:
        """sinh, cosh, tanh, asin, acos or atan. What leaves [-1, 1] by rounding alone counts as inside for asin and acos."""
        if name == "cosh":  # even
            return self._size()._rising(np.cosh, 1.0)
        if name == "acos":
            return -self.inside()._rising(lambda x: -np.arccos(x))
        x = self.inside() if name == "asin" else self
        return x._rising(FUNCTIONS[name], -1.0, 1.0) if name == "tanh" else x._rising(FUNCTIONS[name])

    def growth(self) -> Span:
        """``(e^x - 1) / x``, 1 at 0: increasing and convex."""
        return self._rising(_growth, 0.0)

    def growth_slope(self) -> Span:
        """Its slope, which increases, too. The slope's formula cancels by a factor of four at most: it is widened by that."""
        return self._rising(_growth_slope, 0.0) * Span(1 - 4 * LIBRARY, 1 + 4 * LIBRARY)

    def meet(self, other: Span) -> Span:
        """What two enclosures of the same numbers have in common."""
        return Span.around(np.fmin(*_aligned(self, other)))

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

    sums_powers = True

    def power_sum(self, n: int) -> Span:
        """``x + x^2/2 + ... + x^n/n`` on [0, 1], where it rises: in floats, whose errors add up to at most 2 n + 2 roundings."""
        x = self.within(0.0, 1.0)
        ends = np.array([x.low, x.high])
        found = np.full(ends.shape, 1.0 / n)
        for j in range(n - 1, 0, -1):
            np.multiply(found, ends, out=found)
            np.add(found, 1.0 / j, out=found)
        found *= ends
        slack = found * ((2 * n + 16) * 2.0**-53) + np.where(ends > 0, TINY, 0.0)
        return Span(np.maximum(found[0] - slack[0], 0.0), found[1] + slack[1])

    def geometric_sum(self, n: int) -> Span:
        """``1 + x + ... + x^(n-1) = (1 - x^n) / (1 - x)`` on [0, 1], where it rises."""
        x = self.within(0.0, 1.0)
        ends = np.array([x.low, x.high])
        rest = 1.0 - ends
        found = np.where(rest > 0, -np.expm1(n * np.log1p(-rest)) / rest, float(n))
        slack = found * 2.0**-44
        return Span(np.maximum(found[0] - slack[0], 1.0), np.minimum(found[1] + slack[1], n))

    def xlogx(self) -> Span:
        """``x log x`` on x >= 0: 0 at 0, convex, least at 1/e with the value -1/e."""
        ends = [np.where(x <= 0, 0.0, x * np.log(np.maximum(x, TINY))) for x in (self.low, self.high)]
        values = np.array([np.minimum(*ends), np.maximum(*ends)])
        found = Span.around(_widened(values))
        bottom = (self.low <= 0.368) & (self.high >= 0.367)
        low = np.where(bottom, -np.exp(-1.0) * (1 + LIBRARY), found.low)
        return Span(np.where(self.low < 0, -np.inf, low), np.where(self.low < 0, np.inf, found.high))


@lru_cache(4096)
def _enclosed(numerator: int, denominator: int) -> Span:
    """The narrowest span around a fraction; exact parameters are met again and again (and a fraction's own hash is slow)."""
    around = Interval.of(Fraction(numerator, denominator))
    return Span(around.low, around.low if around.low == around.high else around.high)


@cache
def _signs(dimensions: int) -> Array:
    """What an ``outer`` of so many dimensions is multiplied by to give lower and upper ends, or the reverse."""
    return np.reshape([-1.0, 1.0], (2, *[1] * (dimensions - 1)))


def _exactly(x: Span, value: int) -> bool:
    """Is x one interval that holds this number alone?"""
    return x.outer.ndim == 1 and bool(x.outer[1] == value and x.outer[0] == -value)


def _aligned(x: Span, y: Span) -> tuple[Array, Array]:
    """The upper bounds of both, so that shapes broadcast from the right as those of arrays do."""
    a, b = x.outer, y.outer
    if a.ndim < b.ndim:
        a = a.reshape(2, *[1] * (b.ndim - a.ndim), *a.shape[1:])
    elif b.ndim < a.ndim:
        b = b.reshape(2, *[1] * (a.ndim - b.ndim), *b.shape[1:])
    return a, b


def _widened(values: Array, exact: Array | None = None, zero: bool = True) -> Array:
    """Upper bounds of -x and of x from what a library rounded the ends to; not wider than to 0, or where it is ``exact``, as a
    ``zero`` may be (else it may be something too small)."""
    signed, size = values * _signs(values.ndim), np.abs(values)
    slack = size * LIBRARY
    slack += TINY
    small = not np.minimum.reduce(size, None, initial=np.inf) > 2 * TINY
    if exact is not None:
        np.copyto(slack, 0.0, where=exact)
    if small and zero:
        np.copyto(slack, 0.0, where=size == 0)
    found = np.add(signed, slack, out=slack)
    if small:
        found = np.where(signed < 0, np.minimum(found, 0.0), found)
    return _bounded(found, signed)


def _finite(x: Array) -> bool:
    """Are all numbers finite? (A sum that overflows says no, too, and costs time, but nothing else.)"""
    return isfinite(np.add.reduce(x, None))


def _bounded(found: Array, rounded: Array) -> Array:
    """Upper bounds, widened from ``rounded``: infinite where the latter are not numbers, finite where they overflowed below."""
    if _finite(found):
        return found
    return np.where(np.isnan(rounded).any(0), np.inf, np.where(rounded == -np.inf, -LARGEST, found))


def _sum(x: Span, y: Span) -> Span:
    found = sum_up(*_aligned(x, y))
    side = x._side if x._side == y._side else None
    return Span.around(np.fmin(found, INFINITE, out=found), side=side or None)  # inf - inf is lost


def _product(x: Span, y: Span) -> Span:
    if not x.side:
        x, y = y, x
    s, t = x.side, y.side
    negative = (s < 0) != (t < 0)  # of what has a side the absolute values are multiplied
    a, b = _aligned(-x if s < 0 else x, -y if t < 0 else y)
    if t:
        result = product_up(a, b[1:] if y.point else np.abs(b))
        found = [result]
    else:
        found = [product_up(end, b) for end in _ends(x, a)]
        if not s:
            found += [product_up(-end, b[::-1]) for end in _ends(x, a)]
        result = reduce(np.maximum, found)
    side: int | None = s * t or None
    if not _finite(result):  # an infinite end bounds finite members: its product with 0 is 0
        infinite = ((a == -np.inf) | (b == -np.inf)).any(0)
        result = reduce(np.maximum, [np.where(np.isnan(part) & ~infinite, 0.0, part) for part in found])
        result, side = _bounded(result, result), None
    return Span.around(result[::-1] if negative else result, side=side)


def _ends(x: Span, outer: Array) -> tuple[Array, ...]:
    """The upper and the lower ends, once where they are the same."""
    return (outer[1],) if x.point else (outer[1], -outer[0])


def _quotient(x: Span, y: Span) -> Span:
    if y.side < 0:
        return _quotient(-x, -y)
    if y.side:
        negative = x.side < 0
        a, b = _aligned(-x if negative else x, y)
        if x.side:
            found = quotient_up(a, b[1:] if y.point else np.abs(b[::-1]))
        else:
            found = reduce(np.maximum, [quotient_up(a, np.abs(end)) for end in _ends(y, b)])  # not by -0.0: 2 / 0 shows
        finite = _finite(found)
        if finite or b[0].all():
            found = found if finite else _bounded(found, found)
            return Span.around(found[::-1] if negative else found, side=(x.side or None) if finite else None)
    a, b = _aligned(x, y)
    below, above = -b[0], b[1]
    found = reduce(np.maximum, [quotient_up(part, end) for part in (a, -a[::-1]) for end in _ends(y, b)])
    lost = (below <= 0) & (above >= 0)
    if lost.any():  # a divisor that ends at 0 leaves one bound
        found = np.where(lost, np.where((below == 0) & (above > 0) & (a < 0), quotient_up(a, above), np.inf), found)
    return Span.around(_bounded(found, found))


def _power(x: Span, e: Span) -> Span:
    """``x ** e`` for x >= 0; the whole line elsewhere. e log x is bilinear, so the extremes lie at the corners: where e has one
    sign, at one that is known for each end."""
    a, b = _aligned(x, e)
    base, exponents = np.maximum(a * _signs(a.ndim), 0.0), b * _signs(b.ndim)
    if e.side:
        base = base if e.side > 0 else base[::-1]
        pairs = [(base, exponents if e.point else np.where(base < 1, exponents[::-1], exponents))]
    else:
        pairs = [(part, end) for part in (base, base[::-1]) for end in (exponents, exponents[::-1])]
    corners = []
    for part, end in pairs:
        values = np.power(part, end)
        corner = values * (_signs(values.ndim) + LIBRARY)
        corner += TINY
        exact = (part * part == part) | (end == 1)  # 0 and 1 to a power, too
        if exact.any():
            np.copyto(corner, values * _signs(values.ndim), where=exact)
        corners.append(_bounded(corner, values * _signs(values.ndim)))
    found = reduce(np.maximum, corners)
    np.minimum(found[:1], 0.0, out=found[:1])
    if x.side == 1:
        return Span.around(found, side=1)
    return Span.around(np.where(a[0] > 0, np.inf, found))


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
            functions={name: partial(lambda name, x: Span.of(x).apply(name), name) for name in ELEMENTARY}
            | {"growth": lambda x: Span.of(x).growth(), "growth'": lambda x: Span.of(x).growth_slope()},
            one_less_square=lambda x: Span.of(x).one_less_square(),
            xlogx=lambda x, _: Span.of(x).xlogx(),
        )

    def deficit(self, p: Scalar, logp: Scalar, q: Scalar) -> Scalar:
        """``(1 - p^q) / q`` by its formula, which knows p once, and as ``-log p`` times a growth, which does not cancel."""
        plain = plain_deficit(p, logp, q)
        if getattr(plain, "curvature", None) is not None:
            return plain
        return _meet(plain, -logp * self.apply("growth", q * logp))

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


def _meet(one: Scalar, two: Scalar) -> Scalar:
    """What two enclosures have in common: of values, and of slopes where they are jets."""
    if isinstance(one, Jet):
        return Jet(one.xp, _meet(one.value, two.value), _meet(one.slope, two.slope))
    return Span.of(one).meet(Span.of(two))


def _growth(x: Array) -> Array:
    """``(e^x - 1) / x``."""
    grown = np.divide(np.expm1(x), x, out=np.ones_like(x), where=x != 0)
    return np.where(np.isinf(x), np.where(x < 0, 0.0, np.inf), grown)


def _growth_slope(x: Array) -> Array:
    """``(x e^x - e^x + 1) / x^2``: next to 0 by its series."""
    near = np.abs(x) <= 1
    found = np.empty_like(x)
    found[near] = _horner(TAYLOR, x[near])
    x = x[~near]
    far = np.where(x > 0, (x * np.exp(x) - np.expm1(x)) / (x * x), (1 - np.exp(x) * (1 - x)) / (x * x))
    found[~near] = np.where(np.isnan(far), np.where(x < 0, 0.0, np.inf), far)
    return found


def _horner(coefficients: list[float], x: Array) -> Array:
    found = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        found *= x
        found += coefficient
    return found


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
