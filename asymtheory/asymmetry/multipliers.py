"""Lower bounds of the excess of sums with a normalised negative term, by Lagrange multipliers: tight however the mass is spread.

All masses are shares of what can leave the vertex: t has left it, x_k of it goes to class k, and the sum of the x_k is t. With
y(x) = g(f) - g(f + x), R = sum y(x_k), H = g(f) - g(kept) and d_k = w_m - w_k the excess is

    G(t) + sum h_k(x_k) + beta tau,    tau = sum d_k y(x_k) / (R + H),

so for every number mu >= 0 and every number lambda, if tau is the value of that quotient,

    G(t) + lambda t - mu tau H(t) + beta tau + sum_k min_x [h_k(x) + mu (d_k - tau) y(x) - lambda x]

is a lower bound: what was added is 0 for the x at hand. For fixed mu and lambda it is concave in tau, and so least at an end of an
interval of tau. The minima are taken over cells of x, on which convex terms lie above their tangent and concave ones above their
chord. Floats suggest mu and lambda, which need not be the best ones. Cells of (t, tau, share of the largest receiver) that are not
settled are divided. See docs/theory/decided.md.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..losses.base import CONCAVE, CONVEX, MIXED
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.spans import Span, spans
from .transfer import Transfer

Array: TypeAlias = NDArray[np.float64]

PER_OCTAVE = 16  # nodes of x
BELOW = 10  # octaves of x below the smallest entry, in units of which the terms change
FARTHEST = 52  # octaves at most
ROUGH = 4  # every so many of them suggest multipliers
HALVINGS = 34  # of an interval that holds lambda
GROUPS = 6  # different weights of the other classes
QUOTIENTS = 3  # intervals of tau at first
GAIN = 1.5  # by how much the bound is to rise where shares are divided
MOST_ROWS, MOST_OF_BOX = 20000, 8000  # until a value, or a box of values, is given up; rows of three groups and one mu
ROWS = 512  # at once
TRIED = (0.0, 0.2, 0.4, 0.55, 0.7, 0.85, 0.95)  # r, where the other weights differ
ROUNDING = 1e-14
MASSES = (("left", "right"), ("low", "high"))  # what rows are divided by
SHARES = (("first", "last"), ("least", "most"))


@dataclass(frozen=True)
class Multipliers:
    """The bound for one box of the parameter."""

    transfer: Transfer  # its parameters may be spans of shape ()

    @classmethod
    def of(cls, transfer: Transfer) -> Multipliers | None:
        """The bound, where one is known: equal normalised negative terms of convex base beside separable terms."""
        profile = transfer.profile
        if not profile.negative or not profile.separable or profile.normalised or profile.K < 3:
            return None
        if any(negative.base.curvature()[0] != CONVEX for _, negative in profile.negative):
            return None
        return cls(transfer)

    # --------------------------------------------------------------------------------------------------- the terms

    @cached_property
    def groups(self) -> list[tuple[Fraction, int]]:
        """(weight, how many classes) of the receivers, the two largest ones first and alone.

        Of the others a smaller weight may count as a larger one, which makes the excess smaller.
        """
        others = sorted(self.transfer.others, reverse=True)
        found: list[tuple[Fraction, int]] = [(others[0], 1), (others[1], 1)]
        counted = Counter(others[2:])
        distinct = sorted(counted, reverse=True)
        step = -(-len(distinct) // GROUPS)
        for i in range(0, len(distinct), step or 1):
            found.append((distinct[i], sum(counted[w] for w in distinct[i : i + step])))
        return found

    @cached_property
    def gain(self) -> Span:
        """beta: the weight of the normalised negative terms."""
        result = Span.of(0.0)
        for coefficient, _ in self.transfer.profile.negative:
            result = result + Span.of(coefficient)
        return result

    def _base(self, u: Scalar) -> Scalar:
        xp = spans()
        return self.transfer.profile.negative[0][1].base.on(xp).active(u, xp.log(u), xp)

    def _entry(self, x: Scalar) -> Scalar:
        """f + x, where x is a share of the mass: between f and the tip, whatever f may be."""
        return (1 - x) * Span.of(self.transfer.floor) + x * Span.of(self.transfer.tip)

    @cached_property
    def nodes(self) -> Array:
        """Ends of the cells of x."""
        smallest = float(Span.of(self.transfer.floor).low)
        octaves = min(FARTHEST, BELOW - int(np.floor(np.log2(max(smallest, 2.0**-FARTHEST)))))
        steps = np.exp2(np.arange(-octaves * PER_OCTAVE, 1) / PER_OCTAVE)
        return np.concatenate([[0.0], steps])

    def _near(self, x: Scalar) -> Scalar:
        return self._base(Span.of(self.transfer.floor)) - self._base(self._entry(x))

    @cached_property
    def falls(self) -> tuple[Array, Array, Array, Array]:
        """Of y on every cell: lower bounds at its ends (the chord is below), and upper ones (a tangent is above)."""
        at = self._near(Span.of(self.nodes)).low
        left, right = self._tangents(lambda x: -self._near(x))
        return at[:-1], at[1:], -left, -right

    def _tangents(self, function: Scalar) -> tuple[Array, Array]:
        """Lower bounds at the ends of the cells of tangents, at their middles, of a convex function."""
        left, right = self.nodes[:-1], self.nodes[1:]
        middle = left + (right - left) / 2
        found = function(Jet(spans(), Span.of(middle), Span.of(1.0)))
        if not isinstance(found, Jet):
            return (np.broadcast_to(Span.of(found).low, left.shape),) * 2
        value, slope = Span.of(found.value), Span.of(found.slope)
        ends = [(value + slope * (Span.of(x) - Span.of(middle))).low for x in (left, right)]
        return np.broadcast_to(ends[0], left.shape), np.broadcast_to(ends[1], left.shape)

    def rises(self, weight: Fraction) -> tuple[Array, Array]:
        """Lower bounds, linear on every cell, of what a class of this weight adds: at the cell's ends."""
        xp, at = spans(), self.transfer
        shares = weight, 1 - weight

        def part(x: Scalar, shape: int | None) -> Scalar:
            return at.phi(shares, self._entry(x), at.floor, xp, shape)

        left, right = (np.asarray(x) for x in self._tangents(lambda x: part(x, CONVEX)))
        concave = np.broadcast_to(Span.of(part(Span.of(self.nodes), CONCAVE)).low, self.nodes.shape)
        mixed: Array | float = 0.0
        if at.mixed:
            mixed = Span.of(part(Span(self.nodes[:-1], self.nodes[1:]), MIXED)).low
        return left + concave[:-1] + mixed, right + concave[1:] + mixed

    @cached_property
    def risen(self) -> list[tuple[Array, Array]]:
        """``rises`` of every group."""
        return [self.rises(weight) for weight, _ in self.groups]

    # ---------------------------------------------------------------------------------------------------- the bound

    def positive(self, left: Array, right: Array, single: bool = True) -> bool:
        """Is the excess certified to be positive on all these cells of t, for every parameter of the box?

        ``single``: the box is one value, and more work is worth while.
        """
        most = (MOST_ROWS if single else MOST_OF_BOX) * 3 // (len(self.groups) * (len(TRIED) if self._ragged else 1))
        with np.errstate(all="ignore"):
            rows, spent = self._first(left, right), 0
        while spent < most:
            spent += len(rows.left)
            rows = rows.some(np.flatnonzero(~(self.bound(rows) > 0))).numbered()
            if not len(rows.left):
                return True
            whole = rows.at_middles(shares=False)
            here = self.bound(whole)
            if (self.bound(rows.some(np.flatnonzero(here <= 0)).at_middles(shares=True)) <= 0).any():
                break  # no division helps there
            # of what is lost, is it more by the shares or by t and tau?
            parts = whole.divided(SHARES)
            better = np.full(len(rows.left), np.inf)
            np.minimum.at(better, parts.parent.astype(np.intp), self.bound(parts))
            shares = (here <= 0) | (better > GAIN * here)
            spent += 2 * len(rows.left) + len(parts.left)
            apart = rows.some(np.flatnonzero(~shares)).divided(MASSES)
            rows = apart.joined(rows.some(np.flatnonzero(shares)).divided(SHARES))
        return False

    def bound(self, rows: Rows) -> Array:
        """The lower bound over each row."""
        with np.errstate(all="ignore"):
            parts = [self._bound(rows.some(slice(start, start + ROWS))) for start in range(0, len(rows.left), ROWS)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _first(self, left: Array, right: Array) -> Rows:
        """Cells of t with intervals of tau, from the least that it can be."""
        start = Span.of(left)
        y, kept = self._near(start), self._kept(start)
        d = [float(self._step(weight)) for weight, _ in self.groups]
        least = (y.low / (y.high + kept.high)) * d[0] * (1 - ROUNDING)
        steps = np.linspace(0, 1, QUOTIENTS + 1)
        edges = least[:, None] + (max(d) * (1 + ROUNDING) - least)[:, None] * steps
        edges[:, 0], edges[:, -1] = least, max(d) * (1 + ROUNDING)
        cells = [np.repeat(x, QUOTIENTS) for x in (left, right)]
        nothing = np.zeros(len(cells[0]))
        even = nothing + 1 / (self.transfer.profile.K - 1) * (1 - ROUNDING)
        between = edges[:, :-1].ravel(), edges[:, 1:].ravel()
        return Rows(cells[0], cells[1], *between, even, nothing + 1, nothing, nothing + 1, nothing)

    def _step(self, weight: Fraction) -> Fraction:
        return self.transfer.weights[self.transfer.target] - weight

    def _kept(self, t: Scalar) -> Scalar:
        """H, by what the vertex keeps where t has left."""
        kept = self.transfer.masses(t, spans())[1]
        return self._base(Span.of(self.transfer.floor)) - self._base(kept)

    def _given(self, t: Scalar) -> Scalar:
        xp = spans()
        return self.transfer.given(self.transfer.masses(t, xp)[1], xp)

    def _bound(self, rows: Rows) -> Array:
        """The lower bound over each."""
        middle = rows.left + (rows.right - rows.left) / 2
        one = Span.of(1.0)
        here, kept = (Span.of(f(Span.of(middle))) for f in (self._given, self._kept))
        box = Jet(spans(), Span(rows.left, rows.right), one)
        most = Span.of(self._kept(Span.of(rows.left)))
        slope, fall = (Span.of(f(box).slope) for f in (self._given, self._kept))
        mu, price = self._suggested(rows, middle, here.low, kept.low)
        away = np.maximum(rows.right - middle, middle - rows.left)
        least = np.full(len(middle), np.inf)
        for tau in (rows.low, rows.high):
            weight = Span.of(mu) * Span.of(tau)
            own = here + Span.of(price) * Span.of(middle) + self.gain * Span.of(tau)
            moved = slope + Span.of(price)
            # H falls in t: it is at most what it is at the lower end, which is better where it falls steeply
            total = Span.of(
                np.fmax(
                    (own - weight * kept - _drop(moved - weight * fall, away)).low,
                    (own - weight * most - _drop(moved, away)).low,
                )
            )
            for i, (group, times) in enumerate(self.groups):
                part = self._least(i, mu, float(self._step(group)) - tau, price, *rows.reach(i))
                total = total + Span.of(part) * times
            least = np.minimum(least, np.where(np.isnan(total.low), -np.inf, total.low))
        return least

    def _least(self, group: int, mu: Array, step: Array, price: Array, first: Array, last: Array) -> Array:
        """Lower bounds of min over x in [first, last] of h(x) + mu step y(x) - price x."""
        left, right = self.nodes[:-1], self.nodes[1:]
        begin = np.clip(np.searchsorted(self.nodes, first, side="right") - 1, 0, len(left) - 1)
        end = np.clip(np.searchsorted(self.nodes, last, side="left") - 1, begin, len(left) - 1)
        stop = int(end.max()) + 1
        start = int(begin.min())
        cells = slice(start, stop)
        scale = (mu * step)[:, None]
        # the product of two floats and the rounding of d_k count in what is taken off at the end
        up, slack = scale >= 0, ROUNDING * (np.abs(mu) * (np.abs(step) + 1.0))[:, None]
        ends = []
        for rise, low, high, x in zip(self.risen[group], self.falls[:2], self.falls[2:], (left, right), strict=True):
            term = scale * np.where(up, low[cells], high[cells])
            value = rise[cells] + term - price[:, None] * x[cells]
            size = np.abs(rise[cells]) + np.abs(term) + np.abs(price[:, None]) * x[cells]
            value = value - ROUNDING * size - slack * np.maximum(np.abs(low[cells]), np.abs(high[cells]))
            ends.append(np.where(np.isnan(value), -np.inf, value))
        low, high = first[:, None], last[:, None]
        inside = [(low <= x[cells]) & (x[cells] <= high) for x in (left, right)]
        best = [np.where(kept, end, np.inf).min(-1) for kept, end in zip(inside, ends, strict=True)]
        every = np.arange(len(price))
        for cell, place in ((begin, first), (end, last)):  # in a cell that is cut the bound is linear up to the cut
            one, two = (side[every, cell - start] for side in ends)
            share = np.clip((place - left[cell]) / (right[cell] - left[cell]), 0.0, 1.0)
            cut = one + (two - one) * share - ROUNDING * (np.abs(one) + np.abs(two))
            best.append(np.where(np.isnan(cut), -np.inf, cut))
        return np.asarray(np.min(best, axis=0))

    # --------------------------------------------------------------------------------------------- what floats suggest

    @property
    def _ragged(self) -> bool:
        return self.groups[-1][0] < self.groups[0][0]

    def _suggested(self, rows: Rows, t: Array, given: Array, kept: Array) -> tuple[Array, Array]:
        """mu and lambda that make the bound large in the middle of each row."""
        tau = rows.low + (rows.high - rows.low) / 2
        gain = float(self.gain.low)
        d = float(self._step(self.groups[0][0]))
        share = np.clip(tau / d, 0.0, 1.0)
        tried = [gain * (1 - share) / kept]
        if self._ragged:
            tried = [gain * (1 - s) / kept for s in TRIED] + tried
        best = np.full(len(t), -np.inf)
        chosen = [np.zeros(len(t)), np.zeros(len(t))]
        for mu in tried:
            price, value, fallen = self._price(rows, t, tau, mu)
            away = (rows.high - rows.low) / 2  # the bound moves with tau as gain - mu (R + H)
            value = value - mu * tau * kept - away * np.abs(gain - mu * (fallen + kept))
            better = value > best
            best = np.where(better, value, best)
            chosen = [np.where(better, new, old) for new, old in zip((mu, price), chosen, strict=True)]
        return np.maximum(chosen[0], 0.0), chosen[1]  # H of floats may be below 0 where it is tiny, and mu must not be

    def _price(self, rows: Rows, t: Array, tau: Array, mu: Array) -> tuple[Array, Array, Array]:
        """lambda for which the masses that the minima take sum up to t, the sum of minima with lambda t, and R there."""
        tables = [self._table(i, rows, tau, mu) for i in range(len(self.groups))]
        high = np.arcsinh(2 * np.max([table.steepest for table in tables], axis=0))
        low, every = -high, np.arange(len(t))
        for _ in range(HALVINGS):
            middle = low + (high - low) / 2
            price = np.sinh(middle)
            taken = np.zeros(len(t))
            for table in tables:
                taken += table.times * _lowest(table.x, table.value - price[:, None] * table.x)
            over = taken > t
            low, high = np.where(over, low, middle), np.where(over, middle, high)
        price = np.sinh(low + (high - low) / 2)
        total, fallen = price * t, np.zeros(len(t))
        for table in tables:
            lines = table.value - price[:, None] * table.x
            best = lines.argmin(-1)
            total += table.times * lines[every, best]
            fallen += table.times * table.y[every, best]
        return price, total, fallen

    def _table(self, group: int, rows: Rows, tau: Array, mu: Array) -> Table:
        """What a class of the group adds, in floats: at some nodes, and at last at the ends of what it may have."""
        (weight, times), nodes = self.groups[group], self.nodes[::-ROUGH][::-1]
        nodes = np.append(0.0, nodes) if nodes[0] else nodes
        first, last = (end[:, None] for end in rows.reach(group))
        shape = (len(tau), len(nodes))
        x = np.concatenate([np.broadcast_to(nodes, shape), first, last], axis=-1)
        rise, y = (
            np.concatenate([np.broadcast_to(z, shape), np.interp(first, nodes, z), np.interp(last, nodes, z)], axis=-1)
            for z in self._rough(weight, nodes)
        )
        value = rise + (mu * (float(self._step(weight)) - tau))[:, None] * y
        slope = np.abs(np.diff(value[:, :-2]) / np.diff(nodes))
        steepest = np.where(np.isfinite(slope), slope, 1.0).max(-1, initial=1.0)
        inside = (x >= first) & (x <= last) & ~np.isnan(value)
        return Table(x, np.where(inside, value, np.inf), y, times, steepest)

    def _rough(self, weight: Fraction, x: Array) -> tuple[Array, Array]:
        """What a class of this weight adds, and y, in floats."""
        if weight not in self._roughly:
            at, xp = self.transfer, spans()
            rise = at.phi((weight, 1 - weight), self._entry(Span.of(x)), at.floor, xp, "all")
            middles = [
                part.low + (part.high - part.low) / 2 for part in (Span.of(rise), Span.of(self._near(Span.of(x))))
            ]
            self._roughly[weight] = np.broadcast_to(middles[0], x.shape), np.broadcast_to(middles[1], x.shape)
        return self._roughly[weight]

    @cached_property
    def _roughly(self) -> dict[Fraction, tuple[Array, Array]]:
        return {}


class Table(NamedTuple):
    """What each of ``times`` classes adds where it has the mass x, in floats; infinite where it may not have it."""

    x: Array
    value: Array
    y: Array
    times: int
    steepest: Array  # the largest slope, of every row


def _lowest(x: Array, y: Array) -> Array:
    """Where y is least in every row: by the parabola through three points, which are in order but for the last two."""
    every, best = np.arange(len(y)), y.argmin(-1)
    middle = np.clip(best, 1, y.shape[-1] - 4)
    (a, b, c), (p, q, r) = ([z[every, middle - 1], z[every, middle], z[every, middle + 1]] for z in (x, y))
    left, right = (q - p) / (b - a), (r - q) / (c - b)
    vertex = (a + b) / 2 - left * (c - a) / 2 / (right - left)
    curved = (best == middle) & (right > left) & (a < vertex) & (vertex < c)
    return np.asarray(np.where(curved, vertex, x[every, best]))


def _drop(slope: Span, away: Array) -> Span:
    """How far a function of such slopes may fall as far ``away``."""
    return Span.of(np.maximum(np.abs(slope.low), np.abs(slope.high))) * Span.of(away)


class Rows(NamedTuple):
    """Cells: t in [left, right], tau in [low, high]; the largest receiver has a share of t in [first, last], the next one in
    [least, most]."""

    left: Array
    right: Array
    low: Array
    high: Array
    first: Array
    last: Array
    least: Array
    most: Array
    parent: Array  # of the row that it was divided from

    def numbered(self) -> Rows:
        """These, each with its own index."""
        return self._replace(parent=np.arange(len(self.left), dtype=float))

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

    def at_middles(self, shares: bool) -> Rows:
        """The rows at the middles of t and tau, and of the ``shares``, too."""
        rows = self
        for start, stop in (*MASSES, *SHARES) if shares else MASSES:
            a, b = getattr(rows, start), getattr(rows, stop)
            rows = rows._replace(**dict.fromkeys((start, stop), a + (b - a) / 2))
        return rows

    def divided(self, ends: tuple[tuple[str, str], ...]) -> Rows:
        """Each divided in two between each of these pairs of ends; what no shares of a whole can be is left out."""
        rows = self
        for start, stop in ends:
            a, b = getattr(rows, start), getattr(rows, stop)
            middle = a + (b - a) / 2
            rows = rows._replace(**{stop: middle}).joined(rows._replace(**{start: middle}))
        possible = (rows.least <= rows.last) & (rows.first + rows.least <= 1 + ROUNDING)
        return rows.some(np.flatnonzero(possible))
