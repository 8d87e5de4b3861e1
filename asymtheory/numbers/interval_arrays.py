"""Arrays of float intervals with outward rounding: thousands of boxes at once, for the search over the simplex.

The bounds are those of ``interval``: sums are exact where floats say so (by the error of the sum), products and quotients are
widened by one unit in the last place, the functions of numpy by 2^-48, which is many times their documented error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .backends import ELEMENTARY, INTERVAL, Backend
from .interval import Interval
from .jet import Jet, yields_to_jets
from .scalar import Scalar

Array: TypeAlias = NDArray[np.float64]
LIBRARY = 2.0**-48
TINY = 5e-324
INF = math.inf


def _down(x: Array) -> Array:
    return np.where(np.isnan(x), -INF, np.nextafter(x, -INF))


def _up(x: Array) -> Array:
    return np.where(np.isnan(x), INF, np.nextafter(x, INF))


def _sum(x: Array, y: Array) -> tuple[Array, Array]:
    """The sum rounded down and up; exact where it is exact in floats."""
    total = x + y
    part = total - x
    exact = (x - (total - part)) + (y - part) == 0
    exact |= np.isinf(x) ^ np.isinf(y)
    return np.where(exact, total, _down(total)), np.where(exact, total, _up(total))


class Intervals:
    """An array of intervals [low, high] of extended reals."""

    __slots__ = ("high", "low")
    __array_ufunc__ = None  # numpy must hand `array * intervals` to __rmul__

    def __init__(self, low: Any, high: Any) -> None:
        self.low, self.high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)

    @classmethod
    def of(cls, x: Scalar) -> Intervals:
        """Exact numbers, floats and arrays of floats as intervals."""
        if isinstance(x, Intervals):
            return x
        if isinstance(x, int | float | np.ndarray | np.number):
            return cls(x, x)
        around = x if isinstance(x, Interval) else INTERVAL.number(x)
        return cls(around.low, around.high)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.low.shape

    def __getitem__(self, index: Any) -> Intervals:
        return Intervals(self.low[index], self.high[index])

    def union(self, other: Intervals) -> Intervals:
        return Intervals(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def sum(self, axis: int, keepdims: bool = False) -> Intervals:
        """Sum along an axis, rounded outward."""
        result = self[..., 0]
        for k in range(1, self.shape[-1]):
            result = result + self[..., k]
        assert axis == -1
        return result[..., None] if keepdims else result

    def greatest(self) -> Intervals:
        """The maximum over the last axis, kept."""
        return Intervals(self.low.max(-1, keepdims=True), self.high.max(-1, keepdims=True))

    def __neg__(self) -> Intervals:
        return Intervals(-self.high, -self.low)

    @yields_to_jets
    def __add__(self, other: Scalar) -> Intervals:
        o = Intervals.of(other)
        return Intervals(_sum(self.low, o.low)[0], _sum(self.high, o.high)[1])

    __radd__ = __add__

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Intervals:
        return self + -Intervals.of(other)

    def __rsub__(self, other: Scalar) -> Intervals:
        return Intervals.of(other) + -self

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Intervals:
        if isinstance(other, int | float) and other in (1, -1):
            return self if other == 1 else -self
        o = Intervals.of(other)
        corners = []
        for x in (self.low, self.high):
            for y in (o.low, o.high):
                with np.errstate(invalid="ignore", over="ignore", under="ignore"):
                    corners.append(_kept(x * y, x, y))
        found = _hull(corners)
        unknown = (_infinite(self) & (o.low <= 0) & (o.high >= 0)) | (_infinite(o) & (self.low <= 0) & (self.high >= 0))
        low = np.where(_one_sign(self, o), np.maximum(found.low, 0.0), found.low)
        return Intervals(np.where(unknown, -INF, low), np.where(unknown, INF, found.high))

    __rmul__ = __mul__

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Intervals:
        o = Intervals.of(other)
        with np.errstate(all="ignore"):
            corners = [
                _kept(x / y, x, np.where(np.isinf(y), 0.0, 1 / y))
                for x in (self.low, self.high)
                for y in (o.low, o.high)
            ]
            off = (o.low > 0) | (o.high < 0)
            found = _hull(corners)
            above = (o.low == 0) & (o.high > 0)  # a divisor that tends to 0 from above
            least = np.where(self.low > 0, np.maximum(_down(self.low / o.high), 0.0), -INF)
            most = np.where(self.high < 0, np.minimum(_up(self.high / o.high), 0.0), INF)
        low = np.where(_one_sign(self, o), np.maximum(found.low, 0.0), found.low)
        low = np.where(off, low, np.where(above, least, -INF))
        high = np.where(off, found.high, np.where(above, most, INF))
        return Intervals(low, high)

    def __rtruediv__(self, other: Scalar) -> Intervals:
        return Intervals.of(other) / self

    @yields_to_jets
    def __pow__(self, exponent: Scalar) -> Intervals:
        e = Intervals.of(exponent)
        single = float(e.low) if e.low.ndim == 0 and e.low == e.high else None
        if single == 0:
            return Intervals(np.ones(self.shape), np.ones(self.shape))
        if single is not None and single.is_integer() and (self.low < 0).any():
            if single < 0:
                return 1 / self**-single
            size = Intervals(
                np.where(self.low > 0, self.low, np.where(self.high < 0, -self.high, 0.0)),
                np.maximum(-self.low, self.high),
            )
            if single % 2 == 0:
                return size**single
            ends = [Intervals(np.abs(x), np.abs(x)) ** single for x in (self.low, self.high)]
            return Intervals(
                np.where(self.low < 0, -ends[0].high, ends[0].low), np.where(self.high < 0, -ends[1].low, ends[1].high)
            )
        with np.errstate(all="ignore"):
            corners = [np.power(x, y) for x in (self.low, self.high) for y in (e.low, e.high)]
        exact = [
            np.broadcast_to((x == 0) | (x == 1) | (y == 1), c.shape)
            for (x, y), c in zip([(x, y) for x in (self.low, self.high) for y in (e.low, e.high)], corners, strict=True)
        ]
        low, high = (np.full(corners[0].shape, end) for end in (INF, -INF))
        for corner, known in zip(corners, exact, strict=True):
            slack = np.where(known, 0.0, np.abs(corner) * LIBRARY + TINY)
            low, high = np.minimum(low, np.maximum(corner - slack, 0.0)), np.maximum(high, corner + slack)
        unknown = (self.low < 0) | np.isnan(low) | np.isnan(high)
        return Intervals(np.where(unknown, -INF, low), np.where(unknown, INF, high))

    def exp(self) -> Intervals:
        found = self._rising(np.exp)
        return Intervals(np.maximum(found.low, 0.0), found.high)

    def log(self) -> Intervals:
        return self._rising(np.log)

    def _rising(self, function: Callable[[Array], Array]) -> Intervals:
        with np.errstate(all="ignore"):
            low, high = function(self.low), function(self.high)
        with np.errstate(invalid="ignore"):
            low = np.where(low == 0, low, low - np.where(np.isinf(low), 0.0, np.abs(low) * LIBRARY + TINY))
            high = np.where(high == 0, high, high + np.where(np.isinf(high), 0.0, np.abs(high) * LIBRARY + TINY))
        low, high = np.where(low == INF, 1e308, low), np.where(high == -INF, -1e308, high)
        return Intervals(np.where(np.isnan(low), -INF, low), np.where(np.isnan(high), INF, high))

    def apply(self, name: str) -> Intervals:
        """sinh, cosh, tanh, asin, acos or atan."""
        if name == "cosh":
            low = np.where((self.low > 0) | (self.high < 0), np.minimum(np.abs(self.low), np.abs(self.high)), 0.0)
            found = Intervals(low, np.maximum(np.abs(self.low), np.abs(self.high)))._rising(np.cosh)
            return Intervals(np.maximum(found.low, 1.0), found.high)
        if name in ("asin", "acos"):
            x = self.inside()
            return x._rising(np.arcsin) if name == "asin" else x._falling(np.arccos)
        found = self._rising({"sinh": np.sinh, "tanh": np.tanh, "atan": np.arctan}[name])
        return Intervals(np.maximum(found.low, -1.0), np.minimum(found.high, 1.0)) if name == "tanh" else found

    def _falling(self, function: Callable[[Array], Array]) -> Intervals:
        return -self._rising(lambda x: -function(x))

    def inside(self) -> Intervals:
        """The part in [-1, 1], where no more than rounding lies outside; NaN elsewhere."""
        wild = (self.low < -1 - 2.0**-24) | (self.high > 1 + 2.0**-24)
        low, high = (np.where(wild, np.nan, np.clip(x, -1.0, 1.0)) for x in (self.low, self.high))
        return Intervals(low, high)

    def one_less_square(self) -> Intervals:
        """``1 - x^2``."""
        x = self.inside()
        size = Intervals(np.where(x.low > 0, x.low, np.where(x.high < 0, -x.high, 0.0)), np.maximum(-x.low, x.high))
        return (1 - size) * (1 + size)


def _infinite(x: Intervals) -> NDArray[np.bool_]:
    """Is every member infinite?"""
    return np.asarray((x.low == INF) | (x.high == -INF))


def _one_sign(x: Intervals, y: Intervals) -> NDArray[np.bool_]:
    return np.asarray(((x.low >= 0) & (y.low >= 0)) | ((x.high <= 0) & (y.high <= 0)))


def _kept(result: Array, x: Array, y: Array) -> Array:
    """A product of ends: 0 where one of them is 0 (an infinite end bounds finite members), and not 0 by underflow."""
    tiny = np.copysign(TINY, x) * np.copysign(1.0, y)
    return np.where((x == 0) | (y == 0), 0.0, np.where(result == 0, tiny, result))


def _hull(corners: list[Array]) -> Intervals:
    lost = np.isnan(corners[0])
    for corner in corners[1:]:
        lost = lost | np.isnan(corner)
    with np.errstate(invalid="ignore"):
        low = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3]))
        high = np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3]))
    low, high = np.where(low == 0, low, _down(low)), np.where(high == 0, high, _up(high))
    return Intervals(np.where(lost, -INF, low), np.where(lost, INF, high))


class IntervalArrays(Backend):
    """The number system of arrays of intervals. ``jumps``: branches need not meet, so a slope between them is not bounded."""

    def __init__(self, jumps: bool) -> None:
        self.jumps = jumps
        super().__init__(
            "interval arrays", Intervals.of, lambda x: Intervals.of(x).log(), lambda x: Intervals.of(x).exp(),
            lambda x, e: Intervals.of(x) ** e, lambda x, y: Intervals.of(x) / Intervals.of(y), self._choose,
            functions={name: partial(lambda name, x: Intervals.of(x).apply(name), name) for name in ELEMENTARY},
            one_less_square=lambda x: Intervals.of(x).one_less_square(),
        )  # fmt: skip

    def _choose(self, x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Intervals:
        x, cut, below, above = map(Intervals.of, (x, cut, below, above))
        least, most = x.high <= cut.low, x.low > cut.high
        both = below.union(above)
        return Intervals(
            np.where(least, below.low, np.where(most, above.low, both.low)),
            np.where(least, below.high, np.where(most, above.high, both.high)),
        )

    def split(self, x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        found = super().split(x, cut, below, above)
        if not self.jumps or not isinstance(found, Jet):
            return found
        value, edge = x.value, Intervals.of(cut)
        open_ = (value.high > edge.low) & (value.low <= edge.high)
        slope = Intervals.of(found.slope)
        return Jet(self, found.value, Intervals(np.where(open_, -INF, slope.low), np.where(open_, INF, slope.high)))


@cache
def interval_arrays(jumps: bool = False) -> IntervalArrays:
    """The number system of arrays of intervals."""
    return IntervalArrays(jumps)
