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

    def put(self, index: NDArray[np.intp], others: Hints) -> None:
        """Others in the place of some of them."""
        for part, other in zip(self, others, strict=True):
            part[index] = other


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

        From those of the row that each was divided from; anew where they give nothing positive.
        """
        if np.isnan(rows.price).any():
            return self._hints(rows, at, False)
        hints = self._hints(rows, at, True)
        low = np.flatnonzero(~(hints.middle > 0))
        if len(low):
            anew = self._hints(rows.some(low), at.some(low), False)
            better = anew.middle > hints.middle[low]
            hints.put(low[better], anew.some(np.flatnonzero(better)))
        return hints

    def _hints(self, rows: Rows, at: Masses, known: bool) -> Hints:
        """Where the other weights are equal r = tau / d is the best one. Else the bound is concave in mu, and its slope says where
        to look."""
        places = self._places(rows)
        t, tau, kept = at.middle, rows.tau, at.kept.low
        price = rows.price if known else None
        share = np.clip(tau / self.groups[0].step, 0.0, 1.0)
        tries = (2 if known else TRIES) if self.groups[-1].step > self.groups[0].step else 1
        if known and tries > 1:
            share = rows.share
        low, high = np.full(len(t), LEAST), np.ones(len(t))
        best = Hints(*np.full((6, len(t)), -np.inf))
        for _ in range(tries):
            # H of floats may be below 0 where it is tiny, and mu must not be
            mu = np.where(kept > 0, np.maximum(self.gain * (1 - share) / kept, 0.0), 0.0)
            table = places.table(tau, mu)
            price = _price(table, t, price)
            value, slope = self._value(table, at, tau, mu, price)
            better = value > best.middle
            best = Hints._make(
                np.where(better, new, old) for new, old in zip((share, mu, price, value, t, t), best, strict=True)
            )
            low, high = np.where(slope > 0, low, share), np.where(slope > 0, share, high)
            share = np.clip(share - STEP * np.sign(slope), LEAST, 1.0) if known else low + (high - low) / 2
        ends = [self._value(places.table(end, best.mu), at, end, *best[1:3])[0] for end in (rows.low, rows.high)]
        return best._replace(by_t=_lost(rows, at, best), by_tau=best.middle - np.minimum(*ends))

    def _value(self, table: Table, at: Masses, tau: Array, mu: Array, price: Array) -> tuple[Array, Array]:
        """The bound in the middles of t, and its slope in mu."""
        _, least, y = table.lowest(price)
        found = at.here.low + self.gain * tau - mu * tau * at.kept.low + price * at.middle
        return found + (table.times * least).sum(0), (table.times * table.step * y).sum(0) - tau * at.kept.low

    def _places(self, rows: Rows) -> Places:
        """What masses the classes may have; those of one weight between the same ends together."""
        chosen: list[tuple[Group, int, tuple[Array, Array]]] = []
        for i, group in enumerate(self.groups):
            reach = rows.reach(i)
            if chosen and group.step == chosen[-1][0].step and all(map(np.array_equal, reach, chosen[-1][2])):
                chosen[-1] = (group, chosen[-1][1] + group.times, reach)
            else:
                chosen.append((group, group.times, reach))
        first, last = np.array([reach for _, _, reach in chosen]).transpose(1, 0, 2)
        begin, end = np.searchsorted(self.nodes, first), np.searchsorted(self.nodes, last, side="right")
        places = np.arange(len(self.nodes))
        outside = (places < begin[..., None]) | (places >= end[..., None])
        rises = np.array([group.rise for group, _, _ in chosen])
        ends = []
        for x in (first, last):
            rise = np.array(
                [np.interp(part, self.nodes, group.rise) for part, (group, _, _) in zip(x, chosen, strict=True)]
            )
            ends.append((x, rise, np.interp(x, self.nodes, self.y)))
        steps, times = np.array([(group.step, count) for group, count, _ in chosen]).T[..., None]
        return Places(
            self.nodes,
            np.where(outside | np.isnan(rises + self.y)[:, None], np.inf, rises[:, None]),
            np.nan_to_num(self.y),
            ends,
            times,
            steps,
        )


class Places(NamedTuple):
    """What the classes of each group add where one has the mass x, for rows: of h (groups, rows, nodes), infinite where it may not
    have it, and of y (nodes); x, h and y at the ends of what it may have (groups, rows); how many they are, and d (groups, 1)."""

    x: Array
    rise: Array
    y: Array
    ends: list[tuple[Array, Array, Array]]
    times: Array
    step: Array

    def table(self, tau: Array, mu: Array) -> Table:
        """h + mu (d - tau) y."""
        step = self.step - tau
        scale = mu * step
        ends = [(x, rise + scale * y, y) for x, rise, y in self.ends]
        return Table(self.x, self.rise + scale[..., None] * self.y, self.y, ends, self.times, step)


class Table(NamedTuple):
    """What each class adds where it has the mass x, as in ``Places``."""

    x: Array
    value: Array
    y: Array
    ends: list[tuple[Array, Array, Array]]
    times: Array
    step: Array  # d - tau

    def lowest(self, price: Array) -> tuple[Array, Array, Array]:
        """Where value - price x is least, by the parabola through three points; the value there, and y near it."""
        lines = self.value - price[:, None] * self.x
        size, best = len(self.x), lines.argmin(-1)
        middle = np.minimum(np.maximum(best, 1), size - 2)
        place = np.arange(best.size).reshape(best.shape) * size + middle
        a, b, c = (self.x[middle + i] for i in (-1, 0, 1))
        p, q, r = (lines.take(place + i) for i in (-1, 0, 1))
        left, right = (q - p) / (b - a), (r - q) / (c - b)
        bend = (right - left) / (c - a)
        vertex = (a + b) / 2 - left / 2 / bend
        curved = (best == middle) & (bend > 0) & (bend < np.inf) & (a < vertex) & (vertex < c)
        x = np.where(curved, vertex, self.x[best])
        least = np.where(curved, p + (vertex - a) * (left + bend * (vertex - b)), lines.take(place + best - middle))
        y = self.y[best]
        for at, value, z in self.ends:
            end = value - price * at
            x, y, least = np.where(end < least, at, x), np.where(end < least, z, y), np.minimum(end, least)
        return x, least, y

    def received(self, price: Array) -> Array:
        """The masses that the minima take together."""
        return np.asarray((self.times * self.lowest(price)[0]).sum(0))

    def steepest(self) -> Array:
        """The largest slope of every row."""
        slope = np.abs(np.diff(self.value) / np.diff(self.x))
        return np.asarray(np.where(np.isfinite(slope), slope, 1.0).max((0, -1), initial=1.0))


def _price(table: Table, t: Array, known: Array | None) -> Array:
    """lambda for which the masses that the minima take sum up to t: anew, or from near a ``known`` one on."""
    if known is None:
        high = np.arcsinh(2 * table.steepest())
        low = -high
        for _ in range(HALVINGS):
            middle = low + (high - low) / 2
            above = table.received(np.sinh(middle)) > t
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.asarray(np.sinh(low + (high - low) / 2))
    price, away = known, NEAR * np.abs(known) + 1e-9
    low, high = np.full(len(t), -np.inf), np.full(len(t), np.inf)
    for _ in range(AGAIN):
        above = table.received(price) > t
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
