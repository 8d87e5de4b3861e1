"""What floats suggest for bounds by Lagrange multipliers: mu and lambda for rows of cells, and what the bounds then are.

The notation is that of ``multipliers``. Whatever is suggested gives a valid bound; a poor suggestion costs time, or leaves a row
unsettled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..numbers.spans import Span

Array: TypeAlias = NDArray[np.float64]

HALVINGS = 12  # of an interval that holds lambda
AGAIN = 8  # of one around the lambda of the row that a row was divided from
NEAR, FARTHER = 0.05, 4.0  # how far from the latter one looks at first, relative to it, and how much farther each time
TRIES, STEP = 5, 0.04  # values of r where the other weights differ; how far from the last one the next is then
LEAST = -0.2  # r
ROUNDING = 1e-14
MASSES = (("left", "right"), ("low", "high"))
SHARES = (("first", "last"), ("least", "most"))


class Rows(NamedTuple):
    """Cells: t in [left, right], tau in [low, high]; the largest receiver has a share of t in [first, last], the next one in
    [least, most]. What was found where they were divided from: r, lambda and the bound in the middle (NaN: nothing yet)."""

    left: Array
    right: Array
    low: Array
    high: Array
    first: Array
    last: Array
    least: Array
    most: Array
    share: Array
    price: Array
    middle: Array

    @classmethod
    def fresh(cls, *ends: Array) -> Rows:
        """Rows of which nothing is known yet."""
        unknown = np.full(len(ends[0]), np.nan)
        return cls._make([*ends, unknown, unknown, unknown])

    @property
    def tau(self) -> Array:
        """The middles of tau."""
        return self.low + (self.high - self.low) / 2

    def unknown(self) -> Rows:
        """These, of which nothing is known."""
        nothing = np.full(len(self.left), np.nan)
        return self._replace(share=nothing, price=nothing, middle=nothing)

    def some(self, index: NDArray[np.intp] | slice) -> Rows:
        """Some of them."""
        return Rows._make(part[index] for part in self)

    def joined(self, others: Rows) -> Rows:
        """These and others."""
        return Rows._make(np.concatenate(pair) for pair in zip(self, others, strict=True))

    def reach(self, group: int) -> tuple[Array, Array]:
        """Between which masses a class of that group has its own."""
        nothing, more = np.zeros(len(self.left)), 1 + ROUNDING
        rest = self.right - self.first * self.left * (1 - ROUNDING)  # of all but the largest
        if group == 0:
            return self.first * self.left * (1 - ROUNDING), np.minimum(self.last * self.right * more, 1.0)
        most = np.minimum(np.minimum(self.last, self.most) * self.right, rest) * more
        if group == 1:
            return np.minimum(self.least * self.left * (1 - ROUNDING), most), np.minimum(most, 1.0)
        most = np.minimum(most, np.maximum(rest * more - self.least * self.left, 0.0) * more)
        return nothing, np.minimum(most, 1.0)

    def at_shares(self) -> Rows:
        """The rows at the middles of the shares."""
        rows = self
        for start, stop in SHARES:
            a, b = getattr(rows, start), getattr(rows, stop)
            rows = rows._replace(**dict.fromkeys((start, stop), a + (b - a) / 2))
        return rows

    def halves(self, ends: tuple[str, str]) -> tuple[Rows, NDArray[np.intp]]:
        """Each divided in two between these ends, and of which row each is a part; what no shares of a whole can be is left out."""
        start, stop = ends
        a, b = getattr(self, start), getattr(self, stop)
        middle = a + (b - a) / 2
        rows = self._replace(**{stop: middle}).joined(self._replace(**{start: middle}))
        possible = np.flatnonzero((rows.least <= rows.last) & (rows.first + rows.least <= 1 + ROUNDING))
        return rows.some(possible), possible % max(1, len(a))


class Masses(NamedTuple):
    """The middles of t, what the vertex adds there, H there and at the lower ends, and the slopes of the two over the cells."""

    middle: Array
    here: Span
    kept: Span
    most: Span
    slope: Span
    fall: Span

    def some(self, index: NDArray[np.intp]) -> Masses:
        """Some of them."""
        return Masses._make(part[index] for part in self)


class Hints(NamedTuple):
    """r, mu = beta (1 - r) / H and lambda; the bound in the middle of t and tau, and what it loses over each of them."""

    share: Array
    mu: Array
    price: Array
    middle: Array
    by_t: Array
    by_tau: Array

    @property
    def least(self) -> Array:
        """The bound over the row."""
        return self.middle - self.by_t - self.by_tau

    def some(self, index: NDArray[np.intp]) -> Hints:
        """Some of them."""
        return Hints._make(part[index] for part in self)


class Group(NamedTuple):
    """Classes of one weight: d, how many there are, and what each adds at the nodes."""

    step: float
    times: int
    rise: Array


@dataclass(frozen=True)
class Prices:
    """The terms of one excess in floats."""

    nodes: Array
    y: Array
    groups: list[Group]
    gain: float  # beta

    def hints(self, rows: Rows, at: Masses) -> Hints:
        """mu and lambda that make the bound large in the middle of each row, and what it is with them.

        Where the other weights are equal r = tau / d is the best one. Else the bound is concave in mu, and its slope says where to
        look.
        """
        known = not np.isnan(rows.price).any()
        t, tau, kept, price = at.middle, rows.tau, at.kept.low, rows.price
        share = np.clip(tau / self.groups[0].step, 0.0, 1.0)
        tries = (2 if known else TRIES) if self.groups[-1].step > self.groups[0].step else 1
        if known and tries > 1:
            share = rows.share
        low, high = np.full(len(t), LEAST), np.ones(len(t))
        best = Hints(*np.full((6, len(t)), -np.inf))
        for _ in range(tries):
            mu = np.maximum(
                self.gain * (1 - share) / kept, 0.0
            )  # H of floats may be below 0 where it is tiny, and mu must not be
            tables = self._tables(rows, tau, mu)
            price = _price(tables, t, price)
            value, slope = self._value(tables, at, tau, mu, price)
            better = value > best.middle
            best = Hints._make(
                np.where(better, new, old) for new, old in zip((share, mu, price, value, t, t), best, strict=True)
            )
            low, high = np.where(slope > 0, low, share), np.where(slope > 0, share, high)
            share = np.clip(share - STEP * np.sign(slope), LEAST, 1.0) if known else low + (high - low) / 2
        ends = [self._value(self._tables(rows, end, best.mu), at, end, *best[1:3])[0] for end in (rows.low, rows.high)]
        return best._replace(by_t=_lost(rows, at, best), by_tau=best.middle - np.minimum(*ends))

    def _value(self, tables: list[Table], at: Masses, tau: Array, mu: Array, price: Array) -> tuple[Array, Array]:
        """The bound in the middles of t, and its slope in mu."""
        found = at.here.low + self.gain * tau - mu * tau * at.kept.low + price * at.middle
        slope = -tau * at.kept.low
        for table in tables:
            _, least, y = table.lowest(price)
            found, slope = found + table.times * least, slope + table.times * table.step * y
        return found, slope

    def _tables(self, rows: Rows, tau: Array, mu: Array) -> list[Table]:
        """What the classes add; those of one weight between the same ends together."""
        found: list[Table] = []
        last = None
        for i, group in enumerate(self.groups):
            reach = rows.reach(i)
            if last is not None and group.step == self.groups[i - 1].step and all(map(np.array_equal, reach, last)):
                found[-1] = found[-1]._replace(times=found[-1].times + group.times)
            else:
                found.append(self._table(group, reach, tau, mu))
            last = reach
        return found

    def _table(self, group: Group, reach: tuple[Array, Array], tau: Array, mu: Array) -> Table:
        first, last = reach
        step = group.step - tau
        value = group.rise + (mu * step)[:, None] * self.y
        begin, end = np.searchsorted(self.nodes, first), np.searchsorted(self.nodes, last, side="right")
        places = np.arange(len(self.nodes))
        value[(places < begin[:, None]) | (places >= end[:, None]) | np.isnan(value)] = np.inf
        ends = []
        for x in reach:
            y = np.interp(x, self.nodes, self.y)
            ends.append((x, np.interp(x, self.nodes, group.rise) + mu * step * y, y))
        return Table(self.nodes, value, self.y, ends, group.times, step)


class Table(NamedTuple):
    """What each of ``times`` classes adds where it has the mass x; infinite where it may not have it."""

    x: Array
    value: Array
    y: Array
    ends: list[tuple[Array, Array, Array]]  # x, value and y at the ends of what it may have
    times: int
    step: Array  # d - tau

    def lowest(self, price: Array) -> tuple[Array, Array, Array]:
        """Where value - price x is least, by the parabola through three points; the value there, and y near it."""
        lines = price[:, None] * self.x
        np.subtract(self.value, lines, out=lines)
        every, best = np.arange(len(price)), lines.argmin(-1)
        middle = np.clip(best, 1, len(self.x) - 2)
        a, b, c = (self.x[middle + i] for i in (-1, 0, 1))
        p, q, r = (lines[every, middle + i] for i in (-1, 0, 1))
        left, right = (q - p) / (b - a), (r - q) / (c - b)
        bend = (right - left) / (c - a)
        vertex = (a + b) / 2 - left / 2 / bend
        curved = (best == middle) & (bend > 0) & (bend < np.inf) & (a < vertex) & (vertex < c)
        x = np.where(curved, vertex, self.x[best])
        least = np.where(curved, p + (vertex - a) * (left + bend * (vertex - b)), lines[every, best])
        y = self.y[best]
        for at, value, z in self.ends:
            end = value - price * at
            x, y, least = np.where(end < least, at, x), np.where(end < least, z, y), np.minimum(end, least)
        return x, least, y

    def steepest(self) -> Array:
        """The largest slope of every row."""
        slope = np.abs(np.diff(self.value) / np.diff(self.x))
        return np.asarray(np.where(np.isfinite(slope), slope, 1.0).max(-1, initial=1.0))


def _price(tables: list[Table], t: Array, known: Array) -> Array:
    """lambda for which the masses that the minima take sum up to t: anew, or from near a ``known`` one on."""

    def over(price: Array) -> NDArray[np.bool_]:
        return np.asarray(sum(table.times * table.lowest(price)[0] for table in tables) > t)

    if np.isnan(known).any():
        high = np.arcsinh(2 * np.max([table.steepest() for table in tables], axis=0))
        low = -high
        for _ in range(HALVINGS):
            middle = low + (high - low) / 2
            above = over(np.sinh(middle))
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.asarray(np.sinh(low + (high - low) / 2))
    price, away = known, NEAR * np.abs(known) + 1e-9
    low, high = np.full(len(t), -np.inf), np.full(len(t), np.inf)
    for _ in range(AGAIN):
        above = over(price)
        low, high = np.where(above, low, price), np.where(above, price, high)
        between = np.isfinite(high - low)
        price = np.where(between, low + (high - low) / 2, np.where(above, high - away, low + away))
        away = away * FARTHER
    return price


def _lost(rows: Rows, at: Masses, hints: Hints) -> Array:
    """What the bound may lose over t, by the better one of the two forms of ``multipliers``."""
    weight, away = hints.mu * rows.tau, (rows.right - rows.left) / 2
    low, high = at.slope.low + hints.price, at.slope.high + hints.price
    with_fall = np.maximum(np.abs(low - weight * at.fall.high), np.abs(high - weight * at.fall.low))
    without = np.maximum(np.abs(low), np.abs(high))
    return np.asarray(np.fmin(away * with_fall, away * without + weight * (at.most.high - at.kept.low)))
