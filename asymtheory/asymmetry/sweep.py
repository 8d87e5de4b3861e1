"""Verdicts over boxes of one parameter: many enclosures at once, by spans in the parameter and in the mass that leaves the vertex.

For a box [low, high] of the parameter and t = s / (tip - floor) in (0, 1], the share of the mass that has left,

* yes: the lower bound of the excess (``transfer``) is positive on every cell of t, for every parameter in the box. Next to t = 0
  the slope of the bound is enclosed over [0, delta]; on cells above it the bound, directly and in mean value forms in t and in the
  parameter. Where that fails, the share of the mass that the largest receiver has is divided into intervals, too;
* no: a transfer of the mass s to the largest other weights, s suggested by floats, has an excess that is negative for every
  parameter in the box; or its slope at t = 0 is.

All is outward rounded (``numbers.spans``). What neither settles is 0, or UNPROVED: smaller boxes may be settled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from operator import truediv
from typing import NamedTuple, TypeAlias

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from ..losses.base import MIXED, Loss
from ..noise.rows import Row
from ..numbers.backends import Backend, arb_, numpy_
from ..numbers.germ import BITS
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.spans import Span, spans
from .local_search import search_point
from .multipliers import Multipliers
from .transfer import NEAREST as LENGTHS
from .transfer import Division, Receivers, Spread, Transfer

Array: TypeAlias = NDArray[np.float64]
Verdicts: TypeAlias = NDArray[np.int8]  # 1 yes, -1 no, 0 not settled
UNPROVED = -2  # a no in floats that is not certified

NEAREST = 52  # bits: the cells of t begin at 2^-NEAREST
FARTHEST = 44  # bits: the last cells end at 1, next to which what the vertex keeps comes down to p_min
LONGEST = LENGTHS[0]  # germs are tried on (0, 2^-LONGEST] and on shorter stretches
CELLS = np.exp2(np.concatenate([np.arange(-NEAREST, -12, 0.5), np.linspace(-12, 0, 161)[:-1]]))
CELLS = np.concatenate([CELLS, 1 - np.exp2(-np.arange(6.0, FARTHEST + 1, 2)), [1.0]])
LEFT, RIGHT = CELLS[:-1], CELLS[1:]
DIVISIONS, DIVIDED, GROWTH, ROOM = 5, 3, 2.5, 60  # of cells that are not settled; how many parts may be left
CLOSER = 9.0  # how much nearer, at best, a round brings a bound: a third of the width, to second order
NEAR = np.exp2([-2.0, -4.0, -7.0, -12.0, -18.0, -26.0, -34.0, -NEAREST])  # how far the slope at 0 may be tried
SHARES = np.concatenate(
    [np.geomspace(1e-12, 1e-3, 40), np.geomspace(1e-3, 0.05, 40)[1:], np.linspace(0.05, 1, 130)[1:]]
)
ZOOMS, FINER = 2, np.linspace(0.0, 1.0, 17)  # around the least excess in floats
PARTS = 8  # of a cell, where chords are looked at more closely
MOST_SPREADS = 1500  # failing cells at once, of the boxes with the fewest
MOST_GERMS = 60  # boxes at once
GROUPS = (1, 2, 3, 5, 10, 20)  # how many classes may receive the mass
SMALL = 1e-6  # share of the mass for which a negative excess may be rounding: it is looked at in Arb
ROUNDING = 1e-14  # of an excess, relative to the largest one
TOGETHER = 1000  # cells at most over which, and in whose middles, a bound is enclosed at once: as many operations, on more numbers
PLACES = 5  # of the shares of a delivery
CHUNK = 2**17  # enclosures at once


@dataclass(frozen=True)
class Sweep:
    """One loss on one row, its parameter free (or none)."""

    loss: Loss
    transfer: Transfer  # at some value of the parameter
    parameter: str | None

    @classmethod
    def of(cls, loss: Loss, row: Row, parameter: str | None = None) -> Sweep:
        """The loss with a sample value of the parameter; the shapes of its terms are taken to be those at the sample."""
        return cls(loss, Transfer.of(loss, row), parameter)

    def _at(self, value: Scalar) -> Transfer:
        return self.transfer if self.parameter is None else self.transfer.at(self.loss._with(**{self.parameter: value}))

    def point(self) -> bool | None:
        """The verdict for the loss as it is."""
        nothing = np.zeros(1)
        return {1: True, -1: False}.get(int(self.verdicts(nothing, nothing, closely=True)[0]))

    def missing(self) -> str:
        """What keeps the loss as it is from being certified, seen where that is farthest from it."""
        nothing, every = np.zeros(1), np.ones(1, dtype=bool)
        with np.errstate(all="ignore"):
            found = self._suggested(nothing)
            share, count = float(found.share[0]), int(found.receivers[0])
            if found.least[0] < 0 and not (share < SMALL and self._misseen(0.0, share, count)):
                classes = "one class" if count == 1 else f"{count} classes"
                return f"floats see less risk where {share:.3g} of the mass has gone to {classes}, but by too little for a point"
            if not self.transfer.bounded:
                return "the base of a normalised term is neither convex nor concave, and the risk has no lower bound"
            start = self._start(nothing, nothing, every)
            holds, least = start.above(self._above(nothing, nothing, start))
            cells = Cells.of(~holds, self.transfer.profile.K - 1)
            values = self._at_points(nothing, nothing, cells, least)
        text = "next to the vertex no lower bound of the excess is certified"
        if start.reach[0] > 0 and len(values):
            worst = int(np.nan_to_num(values, nan=-np.inf).argmin())
            share = float(cells.left[worst] + cells.right[worst]) / 2
            where = f"{f'{share:.3g}' if share < 0.9995 else 'all'} of the mass has left the vertex"
            positive = f"positive at single masses, but over no range where about {where}"
            text = (
                f"the lower bound of the excess is {positive if values[worst] > 0 else f'not positive where {where}'}"
            )
        return f"{text}; {self._bend()}" if self.transfer.mixed else text

    def _bend(self) -> str:
        """Where floats see the first change of curvature of phi_n, of which chords alone are known."""
        second, xp = float(self.transfer.second), numpy_()
        with np.errstate(all="ignore"):
            own, other = (self.transfer.profile.jet(side, SHARES[:-1], xp, 2)[2] for side in ("active", "passive"))
            signs = np.sign(np.broadcast_to(second * own + (1 - second) * other, SHARES[:-1].shape))
        change = np.flatnonzero(signs[1:] * signs[:-1] < 0)
        place = (
            f"changes its curvature near u = {SHARES[change[0] + 1]:.3g}"
            if len(change)
            else "has no curvature that is known"
        )
        return f"phi_k {place}, so that only its chords count"

    def at(self, value: float) -> Sweep:
        """The loss at one value of the parameter."""
        exact = Fraction(value)
        loss = self.loss if self.parameter is None else self.loss._with(**{self.parameter: exact})
        return Sweep(loss, self._at(exact), None)

    @property
    def multiplied(self) -> bool:
        """Is there a bound by multipliers (``multipliers``)?"""
        return Multipliers.of(self.transfer) is not None

    def verdicts(self, low: Array, high: Array, thorough: bool = True, closely: bool = False) -> Verdicts:
        """What is certified for every parameter in each box [low, high], or UNPROVED; ``thorough``: cells are divided, too;
        ``closely``: at last multipliers are tried, which take long."""
        found = np.zeros(len(low), dtype=np.int8)
        step = max(1, CHUNK // (2 * len(CELLS)))
        for start in range(0, len(low), step):
            part = slice(start, start + step)
            found[part] = self._some(low[part], high[part], thorough, closely)
        return found

    def _some(self, low: Array, high: Array, thorough: bool, closely: bool) -> Verdicts:
        result = np.zeros(len(low), dtype=np.int8)
        with np.errstate(all="ignore"):
            found = self._suggested(_inside(low, high))
            for size in np.unique(found.receivers[found.least < 0]):
                rest = np.flatnonzero((found.receivers == size) & (found.least < 0))
                result[rest] = -self._less(low[rest], high[rest], found.share[rest], int(size)).astype(np.int8)
            rest = np.flatnonzero(result == 0)
            if len(rest):
                result[rest] = -self._falls(low[rest], high[rest]).astype(np.int8)
            doubted = (result == 0) & (found.least < 0)
            for row in np.flatnonzero(doubted & (found.share < SMALL))[:MOST_GERMS].tolist():
                doubted[row] = not self._misseen(_inside(low, high)[row], found.share[row], int(found.receivers[row]))
            result[doubted] = UNPROVED  # where floats see less risk a yes is out of reach
            rest = np.flatnonzero(result == 0)
            if len(rest) and self.transfer.bounded:
                result[rest] = self._yes(low[rest], high[rest], found.known[rest], thorough, closely)
        return result

    def _misseen(self, value: float, share: float, count: int) -> bool:
        """Do floats see less risk where so small a share goes to ``count`` classes, but by rounding alone?"""
        xp, at = arb_(), self._at(Fraction(value))
        with ctx.workprec(BITS):
            return bool(at.sent(at.whole(xp) * share, count, xp) > 0)

    def floats(self, value: Array) -> Verdicts:
        """What transfers say in floats at values of the parameter: -1 where one has less risk, else 1. It proves nothing."""
        with np.errstate(all="ignore"):
            return np.where(self._suggested(value).least < 0, -1, 1).astype(np.int8)

    def sampled(self, edge: float, last: float, verdict: int) -> bool:
        """Does the verdict hold at samples between two values, of which the second may be infinite? This proves nothing.

        For a no, a transfer that is certified in Arb to have less risk; for a yes, none that has in floats, but by rounding.
        """
        far = last if np.isfinite(last) else np.copysign(2.0**30, edge)
        values = edge + (far - edge) * np.exp2(-np.arange(1.0, 30.0, 7.0))
        with np.errstate(all="ignore"):
            found = self._suggested(values)
        if verdict > 0:
            less = zip(
                values.tolist(), found.share.tolist(), found.receivers.tolist(), found.least.tolist(), strict=True
            )
            return bool(found.known.all()) and all(least >= 0 or self._misseen(*how) for *how, least in less)
        return all(self._certified_less(Fraction(value)) for value in values.tolist())

    def _certified_less(self, value: Fraction) -> bool:
        xp, at = arb_(), self._at(value)
        if at.falls():
            return True
        with ctx.workprec(BITS):
            whole = at.whole(xp)
            return any(
                at.sent(whole * share, size, xp) < 0
                for size in self._groups
                for share in (0.5, 0.9, 0.1, 1e-2, 1e-4, 1.0)
            )

    @cached_property
    def _groups(self) -> list[int]:
        K = self.transfer.profile.K
        return sorted({min(size, K - 1) for size in (*GROUPS, K - 1)})

    def _suggested(self, value: Array) -> Suggested:
        """The least excess of a transfer, in floats (0 for none below 0), its share t, and how many classes receive it."""
        xp = numpy_()
        least, share = np.zeros(len(value)), np.ones(len(value))
        count = np.ones(len(value), dtype=np.int64)
        at = self._at(value[:, None])
        end = at.whole(xp)
        sizes = np.array(self._groups)[:, None, None]
        each, rows = np.arange(len(sizes))[:, None], np.arange(len(value))
        excess = np.broadcast_to(at.sent(SHARES * end, sizes, xp), (len(sizes), len(value), len(SHARES)))
        # where all has left, NCE of two classes has a limit alone
        known = (np.isfinite(excess) | (SHARES == 1)).all((0, -1))
        noise = ROUNDING * (np.abs(np.where(np.isfinite(excess), excess, 0.0)).max(-1) + at.size() / 10)
        grid = np.broadcast_to(SHARES, excess.shape)
        for zoom in range(ZOOMS + 1):
            excess = np.where(np.isfinite(excess), excess, np.inf)
            best = excess.argmin(-1)
            # where none is negative, by the mass: a fall shows beside small values next to 0
            steepest = ((excess + noise[..., None]) / grid).argmin(-1)
            best = np.where(excess.min(-1) < -noise, best, steepest)
            found, where = excess[each, rows, best], grid[each, rows, best]
            found = np.where(found < -noise, found, 0.0)
            group = found.argmin(0)
            better = found[group, rows] < least
            least, share = np.where(better, found[group, rows], least), np.where(better, where[group, rows], share)
            count = np.where(better, sizes.ravel()[group], count)
            if zoom < ZOOMS:
                before, after = (
                    grid[each, rows, np.maximum(best - 1, 0)],
                    grid[each, rows, np.minimum(best + 1, grid.shape[-1] - 1)],
                )
                grid = before[..., None] + (after - before)[..., None] * FINER
                excess = np.broadcast_to(at.sent(grid * end, sizes, xp), grid.shape)
        return Suggested(least, share, count, known)

    # ------------------------------------------------------------------------------------------------------- yes

    def _yes(
        self, low: Array, high: Array, likely: NDArray[np.bool_], thorough: bool, closely: bool
    ) -> NDArray[np.bool_]:
        """Is the lower bound of the excess positive for every t in (0, 1]? Where that is ``likely`` more is tried."""
        reach, local, chord = self._start(low, high, likely)
        found = reach > 0
        rows = np.flatnonzero(found)
        if len(rows):
            starts = Start(reach[rows], local[rows], chord[rows])
            bounds = self._above(low[rows], high[rows], starts)
            holds, least = starts.above(bounds)
            failing = ~holds
            again = np.flatnonzero(failing.any(-1) & (high > low)[rows])
            if len(again):
                box, cell = np.nonzero(failing[again])
                if self.transfer.mixed:  # all chords count
                    box, cell = np.ix_(np.arange(len(again)), np.arange(len(LEFT)))
                drifted = self._drifted(
                    Span(low[rows[again[box]]], high[rows[again[box]]]), LEFT[cell], RIGHT[cell], None
                )
                better = [bound[again] for bound in bounds]
                for whole, moved in zip(better, drifted, strict=True):
                    whole[box, cell] = np.fmax(whole[box, cell], moved)
                holds, least[again] = starts.some(again).above(better)
                failing[again] = ~holds
            again = np.flatnonzero(failing.any(-1) & likely[rows] & thorough)
            if len(again):
                again = again[np.argsort(failing[again].sum(-1), kind="stable")]
                again = again[np.cumsum(failing[again].sum(-1)) <= MOST_SPREADS]
                if self.transfer.mixed and self.transfer.profile.K > 2:
                    finer = self._least_chords(low[rows[again]], high[rows[again]], starts.some(again))
                    least[again] = np.maximum(least[again], finer)
                failing[again] = self._divided(low[rows[again]], high[rows[again]], failing[again], least[again])
            for i in np.flatnonzero(failing.any(-1) & likely[rows] & closely).tolist():
                bound, cells = Multipliers.of(self._at(Span(low[rows[i]], high[rows[i]]))), failing[i]
                failing[i] = bound is None or not bound.positive(
                    LEFT[cells], RIGHT[cells], single=bool(low[rows[i]] == high[rows[i]])
                )
            found[rows] = ~failing.any(-1)
        return found

    def _start(self, low: Array, high: Array, likely: NDArray[np.bool_]) -> Start:
        """How far from t = 0 the slope of the bound settles it, or its germ."""
        at = self._at(Span(low[:, None], high[:, None]))
        near, chord = (_part(part, "slope").low for part in self._bounds(at, Span(0.0, NEAR), _by_value))
        shape = (len(low), len(NEAR))
        near, chord = np.broadcast_to(near, shape), np.broadcast_to(chord, shape)
        fine = near + chord > 0
        reach = np.where(fine, NEAR, 0.0).max(-1)  # the slope settles (0, reach]
        pick, every = np.where(fine, NEAR, 0.0).argmax(-1), np.arange(len(low))
        local, chord = near[every, pick], chord[every, pick]
        lost = np.flatnonzero((reach == 0) & (~np.isfinite(local + chord) | self.transfer.felt) & likely)[:MOST_GERMS]
        for row in lost:  # infinite slopes meet: the leading power decides, in Arb
            reach[row], local[row], chord[row] = self._near(float(low[row]), float(high[row]))
        return Start(reach, local, chord)

    def _near(self, low: float, high: float) -> tuple[float, float, float]:
        """How far from t = 0 the germ of the bound is positive, 0 for its slope, and the least chord of terms of unknown shape."""
        if not np.isfinite(high - low):
            return 0.0, 0.0, 0.0
        at = self._at(arb(low) if low == high else arb(low).union(arb(high)))
        known = any(start <= low and high <= end for start, end in self._long_germs)
        bits = LONGEST if known else at.settled_near()
        if bits == LONGEST and not known:
            self._long_germs.append((low, high))
        chord = None if bits is None else at.least_chord(bits)
        if bits is None or chord is None or not at.positive_between(bits, NEAREST):
            return 0.0, 0.0, 0.0
        return 2.0 ** -min(bits, NEAREST), 0.0, chord

    @cached_property
    def _long_germs(self) -> list[tuple[float, float]]:
        """Boxes for which germs settle the longest stretch that is tried, as they do for all parts of these."""
        return []

    def _above(self, low: Array, high: Array, start: Start) -> list[Array]:
        """Lower bounds, divided by t, on the cells of t above where the slope settles it: directly and by the slopes from 0."""
        shape, middle = (len(low), len(LEFT)), LEFT + (RIGHT - LEFT) / 2
        at = self._at(Span(low[:, None], high[:, None]))
        bounds = []
        for whole, point, first in zip(
            self._bounds(at, Span(LEFT, RIGHT)),
            self._values(at, middle),
            (start.local, start.chord),
            strict=True,
        ):
            climbed = _climbed(np.broadcast_to(_part(whole, "slope").low, shape), start.reach, first)
            direct = _over_t(whole, point, LEFT, RIGHT)
            bounds.append(np.fmax(direct, np.where(climbed > 0, climbed / RIGHT, climbed / LEFT)))
        return bounds

    def _least_chords(self, low: Array, high: Array, start: Start) -> Array:
        """The least chords of terms of unknown shape up to each cell, from parts of the cells."""
        edges = LEFT[:, None] + (RIGHT - LEFT)[:, None] * np.linspace(0, 1, PARTS + 1)
        edges[:, -1] = RIGHT
        left, right = edges[:, :-1].ravel(), edges[:, 1:].ravel()
        middle, at, xp = left + (right - left) / 2, self._at(Span(low[:, None], high[:, None])), spans()
        whole = at.by_others(Jet(xp, Span(left, right), Span(1.0, 1.0)) * at.whole(xp), xp, MIXED)
        found = _over_t(whole, at.by_others(Span.of(middle) * at.whole(xp), xp, MIXED), left, right)
        chord = np.broadcast_to(found, (len(low), PARTS * len(LEFT))).reshape(len(low), len(LEFT), PARTS).min(-1)
        settled = np.where(RIGHT <= start.reach[:, None], np.inf, chord)
        return np.minimum.accumulate(np.minimum(settled, start.chord[:, None]), axis=-1)

    def _divided(self, low: Array, high: Array, failing: NDArray[np.bool_], least: Array) -> NDArray[np.bool_]:
        """Which cells still fail when they are divided: by the share of the mass that the largest receiver has, and by the mass.

        ``least``: of the terms of unknown shape the least chords up to each cell, for what the others receive. A box is given up
        where the bound at a point of a cell is not positive, or so much larger than over the cell that divisions cannot help.
        """
        cells = Cells.of(failing, self.transfer.profile.K - 1)
        most, result = ROOM + GROWTH * failing.sum(-1), np.zeros(failing.shape, dtype=bool)
        wide, shared = np.zeros(len(failing), dtype=bool), self.transfer.coupled
        wide[cells.box[~(self._at_points(low, high, cells, least, everywhere=True) > 0)]] = True
        result[wide], cells = failing[wide], cells.some(~wide[cells.box])
        for rounds in reversed(range(DIVISIONS)):
            if not len(cells.box):
                break
            cells = cells.by_share().by_mass() if self.transfer.coupled else cells.by_mass().by_mass()
            bound, shared = self._bound(low, high, cells, least, shared)
            left = ~(bound > 0)
            cells, bound = cells.some(left), bound[left]
            reached = self._at_points(low, high, cells, least)
            hopeless = np.bincount(cells.box, minlength=len(failing)) > most
            hopeless[cells.box[~(reached - bound <= CLOSER**rounds * reached)]] = True
            result[hopeless] = failing[hopeless]
            cells = cells.some(~hopeless[cells.box])
        result[cells.box, cells.cell] = True
        return result

    def _bound(self, low: Array, high: Array, cells: Cells, least: Array, shared: bool) -> tuple[Array, bool]:
        """Lower bounds on these cells of the boxes, divided by t, ``shared`` among them; and whether that settles any."""

        def bound(part: Cells, found: list[Array]) -> Array:
            return self._with_chords(found[0], found[1], part, least)

        def over(part: Cells, box: Span) -> list[Array]:
            return self._over(box, part.left, part.right, self._spread(part))

        found = bound(cells, over(cells, Span(low[cells.box], high[cells.box])))
        rest = np.flatnonzero(~(found > 0) & (low < high)[cells.box])
        if len(rest):
            part = cells.some(rest)
            middle = low[part.box] + (high[part.box] - low[part.box]) / 2
            there = over(part, Span(middle, middle))
            reached = bound(part, there)
            # where it is not positive no slope in the parameter helps; it says at least how far off the bound may be
            found[rest] = np.fmax(found[rest], np.minimum(reached, 0.0))
            hopeful = np.flatnonzero(reached > 0)
            if len(hopeful):
                rest, part = rest[hopeful], part.some(hopeful)
                box = Span(low[part.box], high[part.box])
                moved = self._moved(box, part.left, part.right, self._spread(part), [x[hopeful] for x in there])
                found[rest] = np.fmax(found[rest], bound(part, moved))
        rest = np.flatnonzero(~(found > 0))
        if shared and len(rest):
            part = cells.some(rest)
            found[rest] = np.fmax(
                found[rest], self._shared(Span(low[part.box], high[part.box]), part, part.chord(least))
            )
            shared = bool((found[rest] > 0).any())
        return found, shared

    def _with_chords(self, known: Array, apart: Array, cells: Cells, least: Array) -> Array:
        """The bound of ``Transfer.bounds`` over cells, by the chords of others or of all receivers, whichever is the better one."""
        if not self.transfer.mixed:
            return known
        found = known + cells.chords(least)
        return np.fmax(found, apart + cells.chord(least, every=True)) if self.transfer.coupled else found

    def _at_points(self, low: Array, high: Array, cells: Cells, least: Array, everywhere: bool = False) -> Array:
        """The least of the bound at points of cells, in the middles of boxes or ``everywhere`` in them: no division exceeds it."""
        if not len(cells.box):
            return np.zeros(0)
        points = cells.points(self.transfer.coupled)
        box = Span(low[points.box], high[points.box])
        middle = Span.of(_inside(box.low, box.high))
        parts = self._at_mass(middle, points)
        if everywhere and self.parameter is not None:
            away = Span(box.low - middle.low, box.high - middle.low)
            moved = self._at_mass(Jet(spans(), box, Span(1.0, 1.0)), points)
            parts = [
                Span.of(np.fmax((Span.of(part) + _part(whole, "slope") * away).low, _part(whole, "value").low))
                for part, whole in zip(parts, moved, strict=True)
            ]
        known, apart = ((Span.of(part) / Span.of(points.left)).high for part in parts)
        found = self._with_chords(known, apart, points, least)
        return np.asarray(found.reshape(-1, len(cells.box)).min(0))

    def _at_mass(self, value: Scalar, points: Cells) -> list[Scalar]:
        """The bounds for parameters at points of the mass and of the share."""
        return list(self._values(self._at(value), points.left, self._spread(points)))

    def _spread(self, cells: Cells) -> Spread | None:
        return Spread(cells.first, cells.last) if self.transfer.coupled else None

    def _over(self, value: Span, left: Array, right: Array, spread: Spread | None = None) -> list[Array]:
        """Lower bounds over cells, divided by t, of what is known and of the terms of unknown shape."""
        at, middle = self._at(value), left + (right - left) / 2
        if left.size > TOGETHER or left.shape != value.shape:
            pairs = zip(
                self._bounds(at, Span(left, right), spread=spread),
                self._values(at, middle, spread),
                strict=True,
            )
            return [_over_t(whole, point, left, right) for whole, point in pairs]
        both = self._bounds(at, Span(np.stack([left, middle]), np.stack([right, middle])), spread=spread)
        return [_over_t(*_rows(part), left, right) for part in both]

    def _drifted(self, box: Span, left: Array, right: Array, spread: Spread | None) -> list[Array]:
        """The same in the mean value form in the parameter: at its middle, and how far the bound may move from there."""
        middle = box.low + (box.high - box.low) / 2
        return self._moved(box, left, right, spread, self._over(Span(middle, middle), left, right, spread))

    def _moved(self, box: Span, left: Array, right: Array, spread: Spread | None, found: list[Array]) -> list[Array]:
        """``found`` in the middle of the parameter, less how far it may fall in the box."""
        xp, middle = spans(), box.low + (box.high - box.low) / 2
        at = self._at(Jet(xp, box, Span(1.0, 1.0)))
        s, kept = at.masses(Span(left, right), xp)
        moved = at.bounds(s, xp, spread=spread, kept=kept)
        away = Span(box.low - middle, box.high - middle) / Span(left, right)
        return [(Span(low, low) + _part(part, "slope") * away).low for low, part in zip(found, moved, strict=True)]

    def _shared(self, box: Span, cells: Cells, chord: Array) -> Array:
        """The same from one end of the largest receiver's shares, and how far the bound may fall from there.

        ``chord``: the least one of the terms of unknown shape where others receive the mass.
        """
        xp, one = spans(), Span(1.0, 1.0)
        at = self._at(box)
        t, shares = Span(cells.left, cells.right), Span(cells.first, cells.last)
        s, kept = at.masses(t, xp)
        moved = at.bounds(s, xp, spread=Spread(cells.first, cells.last, Jet(xp, shares, one)), kept=kept)[0]
        slope = _part(moved, "slope") / t
        others: Array = chord if self.transfer.mixed else np.zeros(1)
        slope = slope - Span(others, others)
        last = slope.high <= -slope.low
        share = np.where(last, cells.last, cells.first)
        fall = np.maximum(np.where(last, slope.high, -slope.low), 0.0)
        found = self._over(box, cells.left, cells.right, Spread(share, share, Span(share, share)))[0]
        rest = Span(others, others) * (1 - Span(share, share))
        return np.asarray((Span(found, found) + rest - Span(fall, fall) * (shares - shares.low).high).low)

    def _bounds(
        self, at: Transfer, t: Span, quotient: Division = truediv, spread: Spread | None = None
    ) -> tuple[Scalar, Scalar]:
        """(what is known at t, the terms of unknown shape where one class receives all), as jets in t."""
        xp = spans()
        one = Span(1.0, 1.0)
        s, kept = at.masses(Jet(xp, t, one), xp)
        return at.bounds(s, xp, quotient, spread, kept)

    def _values(self, at: Transfer, t: Array, spread: Spread | None = None) -> tuple[Scalar, Scalar]:
        """The same at points, without slopes."""
        xp = spans()
        s, kept = at.masses(Span.of(t), xp)
        return at.bounds(s, xp, spread=spread, kept=kept)

    # -------------------------------------------------------------------------------------------------------- no

    def _less(self, low: Array, high: Array, share: Array, count: int) -> NDArray[np.bool_]:
        """Is the excess of a transfer of that share of the mass to ``count`` classes negative?"""
        xp = spans()

        def excess(parameter: Scalar) -> Scalar:
            at = self._at(parameter)
            return at.sent(Span(share, share) * at.whole(xp), count, xp)

        return self._negative(excess, low, high)

    def _negative(self, excess: Callable[[Scalar], Scalar], low: Array, high: Array) -> NDArray[np.bool_]:
        """Is an excess, a function of the parameter, negative for every one of each box?"""
        xp, middle = spans(), low + (high - low) / 2
        whole = Span.of(excess(Span(low, high)))
        negative = np.broadcast_to(whole.high < 0, low.shape)
        if self.parameter is None or negative.all():
            return np.asarray(negative)
        slope = _part(excess(Jet(xp, Span(low, high), Span(1.0, 1.0))), "slope")  # in the parameter
        mean = Span.of(excess(Span(middle, middle))) + slope * Span(low - middle, high - middle)
        return np.asarray(negative | np.broadcast_to(mean.high < 0, low.shape))

    def delivery(self, value: float) -> Delivery | None:
        """A way to spread mass that a search finds to have less risk at this value of the parameter, in floats; else None."""
        loss = self.loss if self.parameter is None else self.loss._with(**{self.parameter: Fraction(value)})
        at = self._at(Fraction(value))
        w = np.array([float(x) for x in at.weights])
        floor = float(at.floor)
        with np.errstate(all="ignore"):
            sent = np.maximum(search_point(loss, w) - floor, 0.0)
        whole, mass = 1 - len(w) * floor, float(sent.sum() - sent[at.target])
        shares = (
            {k: Fraction(round(x, PLACES)) for k, x in enumerate((sent / mass).tolist()) if k != at.target}
            if mass
            else {}
        )
        shares = {k: x for k, x in shares.items() if x}
        left = [x for k, x in enumerate(at.weights) if k != at.target and k not in shares]
        known = not left or min(left) == min(
            at.others
        )  # of NCE: the least limit, where a class of least weight stays at 0
        if not shares or not known:
            return None
        total = sum(shares.values())
        together: dict[Fraction, list[Fraction]] = {}
        for k, x in shares.items():
            together.setdefault(x / total, []).append(at.weights[k])
        parts = tuple((sum(weights, Fraction(0)), len(weights), x) for x, weights in together.items())
        found = Delivery(min(mass / whole, 1.0), parts)
        return found if self.excess(found, value) < 0 else None

    def excess(self, delivery: Delivery, value: float) -> float:
        """The excess of such a delivery, in floats."""
        with np.errstate(all="ignore"):
            return float(self._delivered(delivery, np.float64(value), numpy_()))

    def less(self, delivery: Delivery, low: Array, high: Array) -> NDArray[np.bool_]:
        """Is its excess certified to be negative for every parameter of each box?"""
        with np.errstate(all="ignore"):
            found = self._negative(lambda value: self._delivered(delivery, value, spans()), low, high).copy()
        with ctx.workprec(BITS):  # where floats cancel
            for i in np.flatnonzero(~found & np.isfinite(high - low)).tolist():
                found[i] = self._delivered(delivery, arb(low[i]).union(arb(high[i])), arb_()) < 0
        return found

    def _delivered(self, delivery: Delivery, value: Scalar, xp: Backend) -> Scalar:
        at = self._at(value)
        s = at.whole(xp) * xp.number(Fraction(delivery.share))
        receivers = [Receivers(weights, count, s * xp.number(share)) for weights, count, share in delivery.parts]
        return at.delivered(s, receivers, xp)

    def _falls(self, low: Array, high: Array) -> NDArray[np.bool_]:
        """Does the excess fall as soon as mass leaves for class n, or for all classes?"""
        xp = spans()
        at = self._at(Span(low, high))
        end = at.whole(xp)
        found = np.zeros(len(low), dtype=bool)
        for count in {1, self._groups[-1]}:
            excess = at.sent(Jet(xp, Span(0.0, CELLS[0]), Span(1.0, 1.0)) * end, count, xp)
            found |= np.broadcast_to(_part(excess, "slope").high < 0, low.shape)
        return found


class Cells(NamedTuple):
    """Parts of cells of boxes: the mass t in [left, right], of which the largest receiver has a share in [first, last]."""

    box: NDArray[np.intp]
    cell: NDArray[np.intp]
    left: Array
    right: Array
    first: Array
    last: Array

    @classmethod
    def of(cls, chosen: NDArray[np.bool_], receivers: int) -> Cells:
        """Whole cells."""
        box, cell = np.nonzero(chosen)
        return cls(box, cell, LEFT[cell], RIGHT[cell], np.full(len(box), 1 / receivers), np.ones(len(box)))

    def some(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> Cells:
        """Some of them."""
        return Cells._make(part[index] for part in self)

    def points(self, shares: bool) -> Cells:
        """The middle of the mass of each, with the least, the middle and the largest of its ``shares``."""
        t, middle = self.left + (self.right - self.left) / 2, self.first + (self.last - self.first) / 2
        points = [self._replace(left=t, right=t, first=x, last=x) for x in (self.first, middle, self.last)]
        return Cells._make(map(np.concatenate, zip(*points, strict=True))) if shares else points[0]

    def by_share(self) -> Cells:
        """Each divided by the share."""
        again = Cells._make(np.repeat(part, DIVIDED) for part in self)
        step, index = (again.last - again.first) / DIVIDED, np.tile(np.arange(DIVIDED), len(self.box))
        first = again.first + step * index
        return again._replace(
            first=first, last=np.where(index == DIVIDED - 1, again.last, again.first + step * (index + 1))
        )

    def by_mass(self) -> Cells:
        """Each divided by the mass."""
        middle = self.left + (self.right - self.left) / 2
        below, above = self._replace(right=middle), self._replace(left=middle)
        return Cells._make(np.concatenate(pair) for pair in zip(below, above, strict=True))

    def chord(self, least: Array, every: bool = False) -> Array:
        """The least chord of the terms of unknown shape up to what receivers beside the largest have, or what ``every`` one has."""
        most = self.last if every else np.minimum(self.last, 1 - self.first)
        reach = np.searchsorted(RIGHT, self.right * most)
        found: Array = least[self.box, np.minimum(reach, self.cell)]
        return found - 1e-14 * np.abs(found)

    def chords(self, least: Array) -> Array:
        """What these terms add at least, divided by t, for the receivers beside the largest, of which none receives more."""
        chord = self.chord(least)
        return np.asarray(
            np.where(chord < 0, chord * (1 - self.first), chord * (1 - self.last)) - 1e-14 * np.abs(chord)
        )


class Delivery(NamedTuple):
    """A share of the mass, and how it is spread: (weights together, how many classes, the share of it that each receives)."""

    share: float
    parts: tuple[tuple[Fraction, int, Fraction], ...]


class Suggested(NamedTuple):
    """Transfers of least excess, for every box."""

    least: Array
    share: Array
    receivers: NDArray[np.int64]
    known: NDArray[np.bool_]  # is every excess finite, but where all the mass has left?


def _inside(low: Array, high: Array) -> Array:
    """A value in each box, which may be unbounded."""
    middle = low + (high - low) / 2
    far = np.where(
        np.isfinite(low),
        np.maximum(2 * np.abs(low), low + 1),
        np.where(np.isfinite(high), high - np.abs(high) - 1, 0.0),
    )
    return np.where(np.isfinite(middle), middle, far)


class Start(NamedTuple):
    """Where the slopes settle the bound, for every box: (0, reach], with the least slopes there."""

    reach: Array
    local: Array
    chord: Array

    def some(self, index: NDArray[np.intp]) -> Start:
        """Those of some boxes."""
        return Start._make(part[index] for part in self)

    def above(self, bounds: list[Array]) -> tuple[NDArray[np.bool_], Array]:
        """Is the bound positive on the cells of t above ``reach``? And the least chords up to each cell."""
        settled = RIGHT <= self.reach[:, None]
        local, chord = bounds
        least = np.minimum.accumulate(np.minimum(np.where(settled, np.inf, chord), self.chord[:, None]), axis=-1)
        return np.asarray(settled | (local > -least + 1e-14 * np.abs(least))), least  # both are rounded


def _over_t(whole: Scalar, point: Scalar, left: Array, right: Array) -> Array:
    """Lower bounds over cells of a function divided by t: directly, and in mean value forms of it and of the quotient.

    ``whole``: its jets over the cells, ``point``: its values in their middles.
    """
    middle, box = left + (right - left) / 2, Span(left, right)
    value, slope, here = _part(whole, "value"), _part(whole, "slope"), _part(point, "value")
    away = Span(left - middle, right - middle)
    best = np.fmax(value.low, (here + slope * away).low)
    quotient = here / Span(middle, middle) + (slope - value / box) / box * away
    return np.fmax(np.where(best > 0, best / right, best / left), quotient.low)


def _rows(both: Scalar) -> tuple[Scalar, Scalar]:
    """The first row of a jet of two rows of spans, and the values of the second; or a constant, twice."""
    if not isinstance(both, Jet):
        return both, both
    (whole, point), (slope, _) = (
        (part[0], part[1]) if len(part.shape) == 2 else (part, part) for part in (both.value, Span.of(both.slope))
    )
    return Jet(both.xp, whole, slope), point


def _climbed(slope: Array, reach: Array, first: Array) -> Array:
    """Lower bounds over cells from the least slopes on the way there, from 0 at t = 0 on: ``first`` up to ``reach``."""
    step = np.where(RIGHT <= reach[:, None], first[:, None], slope) * (RIGHT - LEFT)
    start = first[:, None] * LEFT[0]
    total = start + np.cumsum(step, axis=-1)
    size = np.abs(start) + np.cumsum(np.abs(step), axis=-1)
    before = np.concatenate([np.broadcast_to(start, (len(step), 1)), total[:, :-1]], axis=-1)
    found = before + np.minimum(step, 0.0) - 1e-13 * size
    return np.where(np.isfinite(found), found, -np.inf)


def _by_value(top: Scalar, bottom: Scalar) -> Scalar:
    """A quotient whose numerator is 0 at t = 0: the slope of its chord from there is (slope of the numerator's) / denominator."""
    if not isinstance(top, Jet):
        return top / bottom
    value = bottom.value if isinstance(bottom, Jet) else bottom
    return Jet(top.xp, top.value / value, top.slope / value)


def _part(x: Scalar, part: str) -> Span:
    """The value or the slope of a jet, or of a constant."""
    return Span.of(getattr(x, part) if isinstance(x, Jet) else x if part == "value" else 0.0)
