"""Lower bounds of the excess of sums with a normalised negative term, by Lagrange multipliers: tight however the mass is spread.

All masses are shares of what can leave the vertex: t has left it, x_k of it goes to class k, and the sum of the x_k is t. With
y(x) = g(f) - g(f + x), R = sum y(x_k), H = g(f) - g(kept) and d_k = w_m - w_k the excess is

    G(t) + sum h_k(x_k) + beta tau,    tau = sum d_k y(x_k) / (R + H),

so for every number mu >= 0 and every number lambda, if tau is the value of that quotient,

    G(t) + lambda t - mu tau H(t) + beta tau + sum_k min_x [h_k(x) + mu (d_k - tau) y(x) - lambda x]

is a lower bound: what was added is 0 for the x at hand. For fixed mu and lambda it is concave in tau, and so least at an end of an
interval of tau. The minima are taken over cells of x, on which convex terms lie above their tangent and concave ones above their
chord. Floats suggest mu and lambda (``prices``), which need not be the best ones. Cells of (t, tau, share of the largest receiver,
share of the next one) that are not settled are divided. See docs/theory/decided.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..losses.base import CONCAVE, CONVEX, MIXED
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.spans import Span, spans
from .prices import MASSES, ROUNDING, SHARES, Group, Hints, Masses, Prices, Rows
from .transfer import Transfer

Array: TypeAlias = NDArray[np.float64]

FINE, FINEST = 32, 128  # nodes of x in an octave: at first, and where cells of x are what is lost
ROUGH, SMOOTH = 4, 16  # the same of what floats suggest
BELOW = 10  # octaves of x below the smallest entry, in units of which the terms change
FARTHEST = 52  # octaves at most
GROUPS = 6  # different weights of the other classes
QUOTIENTS = 3  # intervals of tau at first
MOST_ROWS, MOST_OF_BOX = 4000, 1500  # until a value, or a box of values, is given up; rows of three groups
ROWS = 512  # at once
LOWEST = -1e300  # where no bound is known


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

    def _nodes(self, per_octave: int) -> Array:
        """Ends of cells of x."""
        smallest = float(Span.of(self.transfer.floor).low)
        octaves = min(FARTHEST, BELOW - int(np.floor(np.log2(max(smallest, 2.0**-FARTHEST)))))
        steps = np.exp2(np.arange(-octaves * per_octave, 1) / per_octave)
        return np.concatenate([[0.0], steps])

    def _near(self, x: Scalar) -> Scalar:
        return self._base(Span.of(self.transfer.floor)) - self._base(self._entry(x))

    @cached_property
    def fine(self) -> list[tuple[Lines, Lines]]:
        """Of every group, the lines below h and y, and those below h and above y."""
        return self._lines(self._nodes(FINE))

    @cached_property
    def finest(self) -> list[tuple[Lines, Lines]]:
        """The same on many more cells."""
        return self._lines(self._nodes(FINEST))

    def _lines(self, nodes: Array) -> list[tuple[Lines, Lines]]:
        chord = self._near(Span.of(nodes)).low  # y is concave: above its chord, and below its tangent
        left, right = _tangents(lambda x: -self._near(x), nodes)
        found = {}
        for weight, _ in self.groups:
            rise = self._rise(weight, nodes)
            below = Lines.of(nodes, rise, (chord[:-1], chord[1:]), np.minimum)
            found[weight] = below, Lines.of(nodes, rise, (-left, -right), np.maximum)
        return [found[weight] for weight, _ in self.groups]

    def _rise(self, weight: Fraction, nodes: Array) -> tuple[Array, Array]:
        """Lower bounds, linear on every cell, of what a class of this weight adds: at the cell's ends."""
        xp, at = spans(), self.transfer
        shares = weight, 1 - weight

        def part(x: Scalar, shape: int | None) -> Scalar:
            return at.phi(shares, self._entry(x), at.floor, xp, shape)

        left, right = (np.asarray(x) for x in _tangents(lambda x: part(x, CONVEX), nodes))
        concave = np.broadcast_to(Span.of(part(Span.of(nodes), CONCAVE)).low, nodes.shape)
        mixed: Array | float = 0.0
        if at.mixed:
            mixed = Span.of(part(Span(nodes[:-1], nodes[1:]), MIXED)).low
        return left + concave[:-1] + mixed, right + concave[1:] + mixed

    @cached_property
    def rough(self) -> Prices:
        """The terms in floats."""
        return self._prices(self._nodes(ROUGH))

    @cached_property
    def smooth(self) -> Prices:
        """The same at more nodes."""
        return self._prices(self._nodes(SMOOTH))

    def _prices(self, nodes: Array) -> Prices:
        at, x = self.transfer, Span.of(nodes)

        def middles(found: Scalar) -> Array:
            part = Span.of(found)
            return np.broadcast_to(part.low + (part.high - part.low) / 2, nodes.shape)

        rises = {w: middles(at.phi((w, 1 - w), self._entry(x), at.floor, spans(), "all")) for w, _ in self.groups}
        groups = [Group(float(self._step(weight)), times, rises[weight]) for weight, times in self.groups]
        return Prices(nodes, middles(self._near(x)), groups, float(self.gain.low))

    # ---------------------------------------------------------------------------------------------------- the bound

    def positive(self, left: Array, right: Array, single: bool = True) -> bool:
        """Is the excess certified to be positive on all these cells of t, for every parameter of the box?

        ``single``: the box is one value, and more work is worth while. Rows of the least bound come first. The bound is certified
        where floats see it positive; where that fails, both go on with more nodes of x. All is given up where floats see none
        at a point of a row, or where what is lost over t and tau does not explain that a bound is not certified.
        """
        most, spent = (MOST_ROWS if single else MOST_OF_BOX) * 3 // len(self.groups), 0
        with np.errstate(all="ignore"):
            rows, prices, lines = self._first(left, right), self.rough, self.fine
            while len(rows.left) and spent < most:
                order = np.argsort(rows.middle, kind="stable")
                now, later = rows.some(order[:ROWS]), rows.some(order[ROWS:])
                at = self._masses(now)
                hints = prices.hints(now, at)
                found, likely = np.full(len(now.left), -np.inf), np.flatnonzero(hints.least > 0)
                found[likely] = self._bound(now.some(likely), at.some(likely), hints.some(likely), lines)
                rest = np.flatnonzero(~(found > 0))
                failed = likely[~(found[likely] > 0)]
                spent += len(now.left)
                if len(failed) and prices is self.rough:
                    prices, lines, rows = self.smooth, self.finest, later.joined(now.some(rest))
                    continue
                if ((found + hints.by_t + hints.by_tau)[failed] <= 0).any():
                    return False
                parts = (
                    self._divided(now.some(rest), at.some(rest), hints.some(rest), prices)
                    if len(rest)
                    else now.some(rest)
                )
                if parts is None:
                    return False
                rows = later.joined(parts)
        return not len(rows.left)

    def bound(self, rows: Rows) -> Array:
        """The lower bound over each row."""
        with np.errstate(all="ignore"):
            at = self._masses(rows)
            return self._bound(rows, at, self.rough.hints(rows, at), self.fine)

    def _divided(self, rows: Rows, at: Masses, hints: Hints, prices: Prices) -> Rows | None:
        """The rows, each divided in two; None where one has no positive bound at a point.

        By t or tau, by which more is lost, where the bound is positive in the middle; elsewhere by the share by which floats see
        more gained.
        """
        ways = np.where(hints.by_t >= hints.by_tau, 0, 1)
        low = np.flatnonzero(~(hints.middle > 0))
        rows = rows._replace(share=hints.share, price=hints.price, middle=hints.middle)
        if len(low):
            lower, here = rows.some(low), at.some(low)
            if not (prices.hints(lower.at_shares(), here).middle > 0).all():
                return None
            least = np.full((len(SHARES), len(low)), np.inf)
            for way, ends in enumerate(SHARES):
                parts, parent = lower.halves(ends)
                np.minimum.at(least[way], parent, prices.hints(parts, here.some(parent)).middle)
            ways[low] = len(MASSES) + np.where(least < np.inf, least, -np.inf).argmax(0)
        return reduce(
            Rows.joined,
            (rows.some(np.flatnonzero(ways == way)).halves(ends)[0] for way, ends in enumerate((*MASSES, *SHARES))),
        )

    def _first(self, left: Array, right: Array) -> Rows:
        """Cells of t with intervals of tau, from the least that it can be."""
        start = Span.of(left)
        y, kept = self._near(start), self._kept(start)
        d = [float(self._step(weight)) for weight, _ in self.groups]
        least = np.maximum((y.low / (y.high + kept.high)) * d[0] * (1 - ROUNDING), 0.0)
        steps = np.linspace(0, 1, QUOTIENTS + 1)
        edges = least[:, None] + (max(d) * (1 + ROUNDING) - least)[:, None] * steps
        edges[:, 0], edges[:, -1] = least, max(d) * (1 + ROUNDING)
        cells = [np.repeat(x, QUOTIENTS) for x in (left, right)]
        nothing = np.zeros(len(cells[0]))
        even = nothing + 1 / (self.transfer.profile.K - 1) * (1 - ROUNDING)
        between = edges[:, :-1].ravel(), edges[:, 1:].ravel()
        return Rows.fresh(cells[0], cells[1], *between, even, nothing + 1, nothing, nothing + 1)

    def _step(self, weight: Fraction) -> Fraction:
        return self.transfer.weights[self.transfer.target] - weight

    def _kept(self, t: Scalar) -> Scalar:
        """H, by what the vertex keeps where t has left."""
        kept = self.transfer.masses(t, spans())[1]
        return self._base(Span.of(self.transfer.floor)) - self._base(kept)

    def _given(self, t: Scalar) -> Scalar:
        xp = spans()
        return self.transfer.given(self.transfer.masses(t, xp)[1], xp)

    def _masses(self, rows: Rows) -> Masses:
        """What the vertex adds, and H, in and around the middles of t."""
        middle = rows.left + (rows.right - rows.left) / 2
        here, kept = (f(Span.of(middle)) for f in (self._given, self._kept))
        box = Jet(spans(), Span(rows.left, rows.right), Span.of(1.0))
        slope, fall = (f(box).slope for f in (self._given, self._kept))
        most = self._kept(Span.of(rows.left))
        return Masses(middle, *(_broadcast(Span.of(part), middle.shape) for part in (here, kept, most, slope, fall)))

    def _bound(self, rows: Rows, at: Masses, hints: Hints, lines: list[tuple[Lines, Lines]]) -> Array:
        """The lower bound over each row."""
        mu, price = hints.mu, hints.price
        away = np.maximum(rows.right - at.middle, at.middle - rows.left)
        least = np.full(len(mu), np.inf)
        reach = [rows.reach(i) for i in range(len(self.groups))]
        for tau in (rows.low, rows.high):
            weight = Span.of(mu) * Span.of(tau)
            own = at.here + Span.of(price) * Span.of(at.middle) + self.gain * Span.of(tau)
            moved = at.slope + Span.of(price)
            # H falls in t: it is at most what it is at the lower end, which is better where it falls steeply
            total = Span.of(
                np.fmax(
                    (own - weight * at.kept - _drop(moved - weight * at.fall, away)).low,
                    (own - weight * at.most - _drop(moved, away)).low,
                )
            )
            for (group, times), ends, pair in zip(self.groups, reach, lines, strict=True):
                total = total + Span.of(_least(pair, mu, float(self._step(group)) - tau, price, *ends)) * times
            least = np.minimum(least, np.where(np.isnan(total.low), -np.inf, total.low))
        return least


class Lines(NamedTuple):
    """Lines below h, and below or above y, on cells of x: at the ends of the cells, and the worse ones where two cells meet."""

    nodes: Array
    ends: tuple[tuple[Array, Array], tuple[Array, Array]]  # of h and y, at the left ends and at the right ones
    table: Array  # of h and y at the nodes, and -x
    sizes: tuple[Array, Array]  # the largest |h| and |y| up to each node

    @classmethod
    def of(cls, nodes: Array, rise: tuple[Array, Array], fall: tuple[Array, Array], worse: np.ufunc) -> Lines:
        """The lines by what is known at the left and at the right ends of cells; where that is not finite nothing is known."""
        lost = ~np.isfinite(rise[0] + rise[1] + fall[0] + fall[1])
        h, y = ([np.where(lost, instead, end) for end in ends] for ends, instead in ((rise, LOWEST), (fall, 0.0)))
        at = [
            np.concatenate([z[0][:1], choose(z[0][1:], z[1][:-1]), z[1][-1:]])
            for z, choose in ((h, np.minimum), (y, worse))
        ]
        sizes = [np.maximum.accumulate(np.where(z == LOWEST, 0.0, np.abs(z))) for z in at]
        return cls(nodes, ((h[0], y[0]), (h[1], y[1])), np.array([*at, -nodes]), (sizes[0], sizes[1]))

    def least(self, scale: Array, error: Array, price: Array, first: Array, last: Array) -> Array:
        """Lower bounds of min over x in [first, last] of h + scale y - price x; ``error``: how far off the scales may be."""
        nodes, every = self.nodes, np.arange(len(scale))
        begin = np.clip(np.searchsorted(nodes, first, side="right") - 1, 0, len(nodes) - 2)
        end = np.clip(np.searchsorted(nodes, last, side="left") - 1, begin, len(nodes) - 2)
        start, stop = int(begin.min()), int(end.max()) + 2
        values = np.stack([np.ones(len(scale)), scale, price], axis=-1) @ self.table[:, start:stop]
        between = (
            every * (stop - start) - start + np.stack([begin + 1, end + 1])
        )  # the nodes inside; none within one cell
        best = np.where(begin == end, np.inf, np.minimum.reduceat(values.ravel(), between.T.ravel())[::2])
        for cell, x in ((begin, first), (end, last)):  # in a cell that is cut the bound is linear up to the cut
            one, two = (h[cell] + scale * y[cell] - price * nodes[cell + i] for i, (h, y) in enumerate(self.ends))
            part = np.clip((x - nodes[cell]) / (nodes[cell + 1] - nodes[cell]), 0.0, 1.0)
            best = np.minimum(best, one + (two - one) * part)
        h, y = (size[end + 1] for size in self.sizes)
        slack = ROUNDING * (h + np.abs(scale) * y + np.abs(price) * nodes[end + 1]) + error * y
        return np.where(np.isnan(best - slack), -np.inf, best - slack)


def _least(lines: tuple[Lines, Lines], mu: Array, step: Array, price: Array, first: Array, last: Array) -> Array:
    """Lower bounds of min over x in [first, last] of h(x) + mu step y(x) - price x."""
    scale, found = mu * step, np.full(len(mu), -np.inf)
    error = ROUNDING * mu * (np.abs(step) + 1.0)  # of the product of two floats, and of d
    for side, chosen in zip(lines, (scale >= 0, scale < 0), strict=True):
        some = np.flatnonzero(chosen)
        if len(some):
            found[some] = side.least(*(part[some] for part in (scale, error, price, first, last)))
    return found


def _tangents(function: Callable[[Scalar], Scalar], nodes: Array) -> tuple[Array, Array]:
    """Lower bounds at the ends of cells of tangents, at their middles, of a convex function."""
    left, right = nodes[:-1], nodes[1:]
    middle = left + (right - left) / 2
    found = function(Jet(spans(), Span.of(middle), Span.of(1.0)))
    if not isinstance(found, Jet):
        return (np.broadcast_to(Span.of(found).low, left.shape),) * 2
    value, slope = Span.of(found.value), Span.of(found.slope)
    ends = [(value + slope * (Span.of(x) - Span.of(middle))).low for x in (left, right)]
    return np.broadcast_to(ends[0], left.shape), np.broadcast_to(ends[1], left.shape)


def _drop(slope: Span, away: Array) -> Span:
    """How far a function of such slopes may fall as far ``away``."""
    return Span.of(np.maximum(np.abs(slope.low), np.abs(slope.high))) * Span.of(away)


def _broadcast(x: Span, shape: tuple[int, ...]) -> Span:
    return x if x.shape == shape else Span(np.broadcast_to(x.low, shape), np.broadcast_to(x.high, shape))
