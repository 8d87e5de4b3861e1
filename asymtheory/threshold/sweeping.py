"""The feasible values of a parameter where no rule decides: boxes of it, each certified yes or no, divided until they meet.

``Sweep`` certifies a box; boxes that are not settled are divided, so that next to a change they shrink with the distance to it.
What is left there is the enclosure of an end. Boxes reach from 2^-30 to 2^30 of the distance to a finite end, or of 1, and the last
one goes on to the end itself or to infinity. Where those far out are not certified (floats overflow), the verdict next to them is
taken to continue if samples agree, and the answer says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..asymmetry.sweep import UNPROVED, Delivery, Sweep, Verdicts
from ..losses.domain import Domain
from ..numbers.scalar import Scalar
from .inequality import Isolated
from .pieces import SHARP, End, Piece, open_end

Array: TypeAlias = NDArray[np.float64]
Known: TypeAlias = Callable[[Array, Array], Verdicts]

BITS = 30  # how far out boxes reach
NARROW = 2.0**-26  # relative width at which a box is not divided
GRADES = 24  # bits: how near to a change boxes come
DEPTH, DEEPER = 6, 10  # how often a box is halved, and one in which floats see less risk
COARSE = 2  # from here on cells of the mass are divided, too
FRONT, NESTED = (
    2,
    13,
)  # of boxes that are an end already: how many on either side are divided first, and into how many parts
MOST = 600  # boxes, those of a no not counted
FAR = 2.0**9  # from here on, or as near to a finite end, what is not certified is taken to continue
MOST_CHANGES = 6
PARTS, ROUNDS = 16, 10
TINY = 2.0**-1020
# of boxes that are looked at closely: how far from a no they begin, how much farther each ends, how wide and how many they are,
# and for how many one counts that is not settled
ASIDE, LEAST_GROWTH, WIDEST, MOST_CLOSELY, FAILURE = 9e-4, 1.25, 0.12, 40, 8
# of points of less risk: how many are looked for, how many boxes each is certified on, and how far it has to lead at least
MOST_POINTS, POINTS, LEAST_GAIN = 8, 8, 1e-4
# of boxes by which a gap is entered next to a yes: how many at once, how often, how often not all are certified, and how wide they
# are at least (relatively)
FEW, MANY, MOST_ENTRIES, MOST_FAILURES, LEAST_STEP = 8, 64, 32, 6, 1e-5


@dataclass(frozen=True)
class Run:
    """Neighbouring boxes of one verdict."""

    verdict: int
    low: float
    high: float


def swept(sweep: Sweep, opened: Domain, known: Known, ends: tuple[float, ...] = (), affine: bool = False) -> Isolated:
    """Feasible values on an open interval; ``known`` gives what first-order conditions have settled, up to ``ends``.

    ``affine``: the excess is affine in the parameter at every point, so that all between two values that work do.
    """
    edges = _edges(opened)
    changes = _changes(sweep, edges)
    edges = _graded(edges, np.array([*changes[known(changes, changes) == 0], *ends]))
    nothing = np.zeros(len(edges) - 1, dtype=np.int8)
    boxes = Boxes(edges[:-1], edges[1:], nothing, nothing.astype(np.int64), nothing.astype(bool))
    fresh, kept, tried, doubted, again, most = boxes, boxes.some(boxes.depth > 0), 0, 0, True, FRONT
    while again:
        found = known(fresh.low, fresh.high)
        for thorough in (False, True):
            left = np.flatnonzero((found == 0) & ((fresh.depth >= COARSE) == thorough))
            found[left] = sweep.verdicts(fresh.low[left], fresh.high[left], thorough)
            tried += int((found[left] >= 0).sum())  # a no is found soon
        less = found == UNPROVED
        doubted += int(less.sum())
        found[less] = 0
        boxes = kept.joined(fresh._replace(found=found, less=less))
        divided = boxes.divisible(opened, kept.found) & np.where(boxes.less, doubted < 2 * MOST, tried < MOST)
        inner, outer = boxes.fronts(divided, _far(boxes.low, boxes.high, opened), most)
        most *= 1 + bool(outer.any())  # where a look at few was of use, at more next time
        # what is not divided now stays as it is
        boxes = boxes._replace(depth=np.where(divided | inner, boxes.depth, DEEPER))
        kept, divided = boxes.some(~divided | inner), divided & ~inner
        fresh = boxes.some(divided & (outer == 0)).halves()
        for side in (1, -1):
            fresh = fresh.joined(boxes.some(divided & (outer == side)).towards(side))
        again = bool(len(fresh.low))
    runs = _between(_runs(boxes)) if affine else _entered(sweep, _runs(boxes))
    return _read(opened, *_continued(sweep, _closer(sweep, runs, affine), opened), partial(cause, sweep))


class Boxes(NamedTuple):
    """Boxes in order, with what is certified of them and how often they have been divided."""

    low: Array
    high: Array
    found: Verdicts
    depth: NDArray[np.int64]
    less: NDArray[np.bool_]  # do floats see less risk where nothing is certified?

    def some(self, index: NDArray[np.bool_]) -> Boxes:
        """Some of them."""
        return Boxes._make(part[index] for part in self)

    def joined(self, others: Boxes) -> Boxes:
        """These and others, in order."""
        order = np.argsort(np.concatenate([self.low, others.low]), kind="stable")
        return Boxes._make(np.concatenate([self[i], others[i]])[order] for i in range(len(self)))

    def divisible(self, opened: Domain, settled: Verdicts) -> NDArray[np.bool_]:
        """Which boxes are to be divided further; ``settled``: what was certified before them."""
        middle = _middle(self.low, self.high)
        again = (self.found == 0) & (self.low < middle) & (middle < self.high)
        again &= self.depth < np.where(self.less, DEEPER, DEPTH)
        again &= ~_no_wider(self.low, self.high, NARROW)
        if settled.any():
            # where nothing is certified far out, only what is next to a settled box is divided further
            first, last = self._settled_between()
            again &= ~_far(self.low, self.high, opened) | ((self.high >= first) & (self.low <= last))
        return again

    def fronts(
        self, divided: NDArray[np.bool_], far: NDArray[np.bool_], most: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which boxes need no more division, and which get parts that are narrower downwards (-1) or upwards (1).

        Between different verdicts nothing is decided unless the outermost unsettled boxes are settled: where a thorough look at
        these failed, few inner ones are divided with them. Where all are together as narrow as an end, only the ``most`` outermost
        are divided (if they are among ``divided``), towards the verdict. ``far`` out, next to the last verdict, away from it.
        """
        inner, outer = np.zeros(len(self.low), dtype=bool), np.zeros(len(self.low), dtype=np.int64)
        for start, stop in self._unsettled():
            narrow, depth = is_narrow(self.low[start], self.high[stop - 1]), self.depth[[start, stop - 1]].min()
            size = most if narrow else max(FRONT, (stop - start) >> (2 + max(0, depth - COARSE)))
            same = self.found[start - 1] == self.found[stop]
            if same or stop - start <= 2 * size or not (narrow or depth >= COARSE):
                continue
            inner[start:stop] = True
            for edge, front, side in (
                (start, slice(start, start + size), -1),
                (stop - 1, slice(stop - size, stop), 1),
            ):
                if divided[edge]:
                    inner[front], outer[front] = False, side if narrow else 0
        if self.found.any():
            first, last = self._settled_between()
            outer[divided & far & (self.high == first)], outer[divided & far & (self.low == last)] = -1, 1
        return inner, outer

    def _unsettled(self) -> list[tuple[int, int]]:
        """Runs of unsettled boxes between settled ones; those that are one end together, with what is between them, unless both
        verdicts next to one are no (a no is found soon)."""
        change = np.flatnonzero(np.diff((self.found == 0).astype(np.int8))) + 1
        runs: list[tuple[int, int]] = []
        for start, stop in zip(change[:-1].tolist(), change[1:].tolist(), strict=True):
            if self.found[start] == 0:
                joins = bool(runs) and is_narrow(self.low[runs[-1][0]], self.high[stop - 1])
                joins = joins and not any(
                    self.found[a - 1] == self.found[b] == -1 for a, b in (runs[-1], (start, stop))
                )
                runs.append((runs.pop()[0] if joins else start, stop))
        return runs

    def _settled_between(self) -> tuple[float, float]:
        """The ends of the lowest and of the highest box with a verdict."""
        return float(self.low[self.found != 0].min()), float(self.high[self.found != 0].max())

    def halves(self) -> Boxes:
        """Each divided in two."""
        middle, depth = _middle(self.low, self.high), self.depth + 1
        return self._replace(high=middle, depth=depth).joined(self._replace(low=middle, depth=depth))

    def towards(self, side: int) -> Boxes:
        """Each divided so that parts are ever narrower towards the lower (-1) or the upper end."""
        steps = np.concatenate([[0.0], np.exp2(np.arange(1.0 - NESTED, 1.0) / 2)])
        steps = steps if side < 0 else 1 - steps[::-1]
        edges = self.low[:, None] + (self.high - self.low)[:, None] * steps
        edges[:, 0], edges[:, -1] = self.low, self.high
        low, high = edges[:, :-1].ravel(), edges[:, 1:].ravel()
        parts = Boxes(
            low, high, np.repeat(self.found, NESTED), np.full(low.shape, DEEPER), np.repeat(self.less, NESTED)
        )
        return parts.some(low < high)


def _changes(sweep: Sweep, edges: Array) -> Array:
    """Where floats see the verdict change, to within rounding."""
    inner = edges[np.isfinite(edges)]
    values = np.unique(np.concatenate([inner, *(inner[:-1] + np.diff(inner) * k / 4 for k in (1, 2, 3))]))
    signs = sweep.floats(values)
    at = np.flatnonzero(signs[1:] != signs[:-1])[:MOST_CHANGES]
    return change_between(sweep, values[at], values[at + 1], signs[at])


def change_between(sweep: Sweep, low: Array, high: Array, first: Verdicts) -> Array:
    """Where floats see the verdict change from ``first`` at low, to within rounding: intervals are divided again and again."""
    every = np.arange(len(low))
    for _ in range(ROUNDS if len(low) else 0):
        wide = ((low > 0) & (high > 4 * low))[:, None]
        edges = np.where(wide, np.geomspace(np.maximum(low, TINY), np.maximum(high, TINY), PARTS + 1, axis=-1), 0.0)
        edges = np.where(wide, edges, np.linspace(low, high, PARTS + 1, axis=-1))
        edges[:, 0], edges[:, -1] = low, high
        same = sweep.floats(edges[:, 1:-1].ravel()).reshape(len(low), -1) == first[:, None]
        last = np.where(same.all(-1), PARTS - 1, same.argmin(-1))  # the part that ends where the first differs
        low, high = edges[every, last], edges[every, last + 1]
    return low + (high - low) / 2


def _graded(edges: Array, changes: Array) -> Array:
    """Edges that close in on the changes: boxes there are as wide as they are far away."""
    steps = np.exp2(-np.arange(2.0, GRADES + 1))
    found = [edges]
    for change in changes:
        size = abs(change) or 1.0
        near = np.concatenate([change - size * steps, [change], change + size * steps])
        gap = edges[np.isfinite(edges)]
        found.append(near[(near > gap[0]) & (near < gap[-1])])
    return np.unique(np.concatenate(found))


def ends_of(pieces: tuple[Piece, ...]) -> tuple[float, ...]:
    """Where what an inequality says begins and ends."""
    ends = [end for piece in pieces for end in (piece.low, piece.high) if end is not None and end.log10 is None]
    return tuple(dict.fromkeys(x for end in ends for x in (end.low, end.high)))


def within(pieces: tuple[Piece, ...], inside: int, outside: int) -> Known:
    """Verdicts known from the pieces on which an inequality holds: ``inside`` them, ``outside`` of them (0: nothing is known)."""
    ends = [
        (
            -math.inf if p.low is None else (p.low.low, p.low.high),
            math.inf if p.high is None else (p.high.low, p.high.high),
        )
        for p in pieces
    ]
    pairs = [((a, a) if isinstance(a, float) else a, (b, b) if isinstance(b, float) else b) for a, b in ends]

    def known(low: Array, high: Array) -> Verdicts:
        found = np.full(len(low), outside, dtype=np.int8)
        for (start, started), (stop, stopped) in pairs:
            touches = (high > start) & (low < stopped)
            found[touches & (found == outside)] = 0
            found[(low >= started) & (high <= stop)] = inside
        return found

    return known


def either(one: Known, two: Known) -> Known:
    """What one of two knows."""

    def known(low: Array, high: Array) -> Verdicts:
        found = one(low, high)
        return np.where(found == 0, two(low, high), found)

    return known


def _edges(opened: Domain) -> Array:
    """Edges of the first boxes: finer towards the ends of the interval."""
    powers = np.exp2(np.arange(-BITS, BITS + 1.0))
    if opened.low is None and opened.high is None:
        return np.concatenate([[-np.inf], -powers[::-1], [0.0], powers, [np.inf]])
    if opened.low is not None and opened.high is not None:
        low, high = _inward(opened)
        steps = (high - low) * np.exp2(np.arange(-BITS, 0.0))
        return np.unique(np.concatenate([[low], low + steps, high - steps[::-1], [high]]))
    if opened.high is None:
        low = _inward(opened)[0]
        return np.unique(np.concatenate([[low], low + powers, [np.inf]]))
    high = _inward(opened)[1]
    return np.unique(np.concatenate([[-np.inf], high - powers[::-1], [high]]))


def _inward(opened: Domain) -> tuple[float, float]:
    """The ends as floats that are not outside."""
    low = -math.inf if opened.low is None else float(opened.low)
    high = math.inf if opened.high is None else float(opened.high)
    if opened.low is not None and low < opened.low:
        low = math.nextafter(low, math.inf)
    if opened.high is not None and high > opened.high:
        high = math.nextafter(high, -math.inf)
    return low, high


def _far(low: Array, high: Array, opened: Domain) -> NDArray[np.bool_]:
    """Which boxes lie FAR out, or as near to a finite end?"""
    ends = [float(end) for end in (opened.low, opened.high) if end is not None]
    far = (low >= FAR) | (high <= -FAR) if len(ends) < 2 else np.zeros(len(low), dtype=bool)
    for end in ends:
        far |= np.maximum(np.abs(low - end), np.abs(high - end)) <= max(1.0, abs(end)) / FAR
    return far


def _middle(low: Array, high: Array) -> Array:
    with np.errstate(all="ignore"):
        wide = (low > 0) & (high > 4 * low)
        mean = np.where(wide, np.sqrt(low) * np.sqrt(high), low + (high - low) / 2)
        return np.where(np.isfinite(mean), mean, low)


def _runs(boxes: Boxes) -> list[Run]:
    runs = []
    for verdict, group in groupby(zip(*(part.tolist() for part in boxes[:3]), strict=True), key=lambda box: box[2]):
        members = list(group)
        runs.append(Run(verdict, members[0][0], members[-1][1]))
    return runs


def _between(runs: list[Run]) -> list[Run]:
    """Runs with all between two values that work as one."""
    inside = [i for i, run in enumerate(runs) if run.verdict == 1]
    if not inside:
        return runs
    first, last = inside[0], inside[-1]
    return [*runs[:first], Run(1, runs[first].low, runs[last].high), *runs[last + 1 :]]


def _entered(sweep: Sweep, runs: list[Run]) -> list[Run]:
    """Runs whose gaps next to a yes are entered from there by few boxes at a time, as wide as they may be.

    Where many boxes are asked at once, only those of the fewest open cells are looked at thoroughly.
    """
    result = list(runs)
    ends = [
        each for before, each, after in zip(runs, runs[1:], runs[2:], strict=False) if before.verdict != after.verdict
    ]
    ends = [each for each in ends if not each.verdict]
    for i in range(1, len(runs) - 1):
        gap = result[i]
        if gap.verdict or math.inf in (abs(gap.low), abs(gap.high)):
            continue
        if any(is_narrow(min(gap.low, end.low), max(gap.high, end.high)) for end in ends):  # a part of an end as it is
            continue
        if result[i - 1].verdict == 1:
            gap = Run(0, _certified_to(sweep, gap.low, gap.high), gap.high)
            result[i - 1] = Run(1, result[i - 1].low, gap.low)
        if runs[i + 1].verdict == 1 and gap.low < gap.high:
            gap = Run(0, gap.low, _certified_to(sweep, gap.high, gap.low))
            result[i + 1] = Run(1, gap.high, runs[i + 1].high)
        result[i] = gap
        if result[i - 1].verdict == result[i + 1].verdict == 1 and gap.low < gap.high:
            break  # nothing closes this one
    return _joined([run for run in result if run.low < run.high])


def _joined(runs: list[Run]) -> list[Run]:
    """Neighbours of one verdict as one."""
    result: list[Run] = []
    for run in runs:
        if result and result[-1].verdict == run.verdict:
            run = Run(run.verdict, result.pop().low, run.high)
        result.append(run)
    return result


def _certified_to(sweep: Sweep, start: float, stop: float) -> float:
    """How far a yes is certified from ``start`` on towards ``stop``: by boxes that are more, then wider, as long as all are.

    Where some are not, and ``stop`` is too far away for the pace, it is given up.
    """
    at, count, failures = start, FEW, 0
    step = (stop - start) / count
    for entries in reversed(range(MOST_ENTRIES)):
        edges = at + step * np.arange(count + 1)
        edges = np.append(edges[np.abs(edges - start) < abs(stop - start)], stop)[: count + 1]
        low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
        known = sweep.verdicts(low, high) == 1
        settled = len(known) if known.all() else int(known.argmin())
        at = float(edges[settled])
        if at == stop:
            break
        if settled == len(known):
            count, step = min(2 * count, MANY), step * (2.0 if count == MANY else 1.0)
        elif settled <= 1:
            count, step = FEW, step * (0.5 if settled else 0.25)
        hopeless = abs(step) * max(settled, FEW) * entries < abs(stop - at)  # at this pace
        failures += settled < len(known)
        if abs(step) < LEAST_STEP * max(abs(at), abs(stop)) or failures > MOST_FAILURES:
            break
        if settled < len(known) and hopeless:
            break
    return at


def _closer(sweep: Sweep, runs: list[Run], affine: bool) -> list[Run]:
    """Runs whose gaps between a no and a yes are closed: by a close look, or from the no on by points that a search finds."""
    result = list(runs)
    for i in range(1, len(runs) - 1):
        before, gap, after = result[i - 1 : i + 2]
        if gap.verdict or before.verdict * after.verdict != -1 or is_narrow(gap.low, gap.high):
            continue
        upwards = before.verdict < 0
        start, stop = (gap.low, gap.high) if upwards else (gap.high, gap.low)
        looked = start
        if sweep.multiplied and not affine:
            stop = _closely_from(sweep, start, stop)
        if not is_narrow(*sorted((start, stop))):
            start = less_to(sweep, start, stop)
        if affine and not is_narrow(*sorted((start, stop))):
            near = start + math.copysign(ASIDE * abs(start), stop - start)
            stop = near if abs(near - start) < abs(stop - start) and _works(sweep, near) else stop
        elif sweep.multiplied and start != looked and not is_narrow(*sorted((start, stop))):
            stop = _closely_from(sweep, start, stop)
        low, high = (start, stop) if upwards else (stop, start)
        result[i - 1 : i + 2] = (
            Run(before.verdict, before.low, low),
            Run(0, low, high),
            Run(after.verdict, high, after.high),
        )
    return result


def _works(sweep: Sweep, value: float) -> bool:
    """Is a value certified to work, looked at closely?"""
    at = np.array([value])
    return bool(sweep.verdicts(at, at, closely=True)[0] == 1)


def less_to(sweep: Sweep, start: float, stop: float) -> float:
    """How far a no is certified from ``start`` on towards ``stop``, by points that a search finds.

    Each is used as far as its excess is negative; there the next one is looked for.
    """
    at = start
    for _ in range(MOST_POINTS):
        delivery = sweep.delivery(at)
        reach = at if delivery is None else _negative_to(sweep, delivery, at, stop)
        aside = reach + (start - reach) * 2.0**-40  # what floats see to be negative is certified next to it
        if delivery is None or abs(reach - at) <= LEAST_GAIN * abs(at):
            break
        edges = np.linspace(at, aside, POINTS + 1)
        low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
        known = sweep.less(delivery, low, high)
        settled = len(known) if known.all() else int(known.argmin())
        at = float(edges[settled])
        if not settled:
            break
    return at


def _negative_to(sweep: Sweep, delivery: Delivery, at: float, stop: float) -> float:
    """Up to where the excess of a delivery is negative in floats, towards ``stop``."""
    if sweep.excess(delivery, stop) < 0:
        return stop
    inside, outside = at, stop
    while abs(outside - inside) > LEAST_GAIN / 8 * abs(inside):
        middle = inside + (outside - inside) / 2
        inside, outside = (middle, outside) if sweep.excess(delivery, middle) < 0 else (inside, middle)
    return inside


def _closely_from(sweep: Sweep, start: float, stop: float) -> float:
    """How near to ``start``, next to a no, boxes that are looked at closely prove a yes that is certified from ``stop`` on.

    They begin there, as wide as they are far away, or less where they are not settled.
    """
    at, growth, most = start + math.copysign(ASIDE * abs(start), stop - start), 4.0, 4.0
    first, tries = at, MOST_CLOSELY
    while at != stop and tries:
        to = start + (at - start) * growth
        to = at + math.copysign(min(abs(to - at), WIDEST * abs(at)), to - at)
        to = stop if abs(to - start) >= abs(stop - start) else to
        low, high = (np.array([x]) for x in sorted((at, to)))
        settled = sweep.verdicts(low, high, thorough=False, closely=True)[0] == 1
        tries = max(0, tries - (1 if settled else FAILURE))
        if settled:
            at, growth = to, min(most, 2 * growth)
        elif growth > LEAST_GROWTH:
            most = max(LEAST_GROWTH, growth / 2)
            growth = max(LEAST_GROWTH, growth / 4)
        else:
            break
    return first if at == stop else stop


def _continued(sweep: Sweep, runs: list[Run], opened: Domain) -> tuple[list[Run], list[str]]:
    """Runs with the verdict taken to continue over unsettled boxes far out, and what is to be said of that.

    Only from FAR on (or as near to a finite end), where all that is settled beyond agrees and ``Sweep.sampled`` does, too.
    """
    notes = []
    for upper in (True, False):
        outward = runs if upper else runs[::-1]  # from the inside to this end
        end = opened.high if upper else opened.low
        for i, run in enumerate(outward):
            edge = run.low if upper else run.high
            beyond = abs(edge) >= FAR if end is None else abs(edge - float(end)) <= max(1.0, abs(float(end))) / FAR
            verdict = outward[i - 1].verdict if i else 0
            rest = {each.verdict for each in outward[i:]} - {0}
            if run.verdict != 0 or not beyond or not verdict or not rest <= {verdict}:
                continue
            last = outward[-1].high if upper else outward[-1].low
            proved = _proved(sweep, edge, last, verdict)
            if proved or sweep.sampled(edge, last, verdict):
                before = outward[i - 1]
                whole = Run(verdict, before.low, last) if upper else Run(verdict, last, before.high)
                runs = [*outward[: i - 1], whole] if upper else [*outward[: i - 1], whole][::-1]
                side = "beyond" if upper else "below"
                if not proved:
                    notes.append(
                        f"{side} {edge:.3g} the verdict next to it is taken to continue: samples agree, no proof"
                    )
            break
    return runs, notes


def _proved(sweep: Sweep, edge: float, last: float, verdict: int) -> bool:
    """Is the verdict certified between two values, of which the second may be infinite, on boxes that are looked at thoroughly?"""
    steps = np.exp2(np.arange(0.0, BITS + 1))
    edges = np.append(edge * steps if math.isinf(last) else last + (edge - last) / steps, last)
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    parts = slice(-1, None), slice(-1)  # the outermost one first, which decides most often
    return all((sweep.verdicts(low[part], high[part]) == verdict).all() for part in parts)


def _gathered(runs: list[Run]) -> list[Run]:
    """Unsettled runs that lie as near to each other as an end may be wide, as one, with what is between them."""
    result: list[Run] = []
    for run in runs:
        if run.verdict == 0:
            first = next(
                (i for i, each in enumerate(result) if each.verdict == 0 and is_narrow(each.low, run.high)), len(result)
            )
            run = Run(0, result[first].low if first < len(result) else run.low, run.high)
            del result[first:]
        result.append(run)
    return result


def is_narrow(low: float, high: float) -> bool:
    """Is an interval as narrow as an end that counts as known?"""
    return bool(_no_wider(low, high, SHARP))


def _no_wider(low: Scalar, high: Scalar, width: float) -> Scalar:
    """Are intervals at most so wide, relative to their ends?"""
    return high - low <= width * np.maximum(np.abs(low), np.abs(high))


def cause(sweep: Sweep, gap: Run, failed: float | None = None) -> str:
    """What is missing on a run that is not settled, seen at a value in it, or at one that is known not to be certified."""
    value = _inner(gap.low, gap.high) if failed is None else failed
    if sweep.floats(np.array([value]))[0] < 0:
        return f"floats see less risk there (at {value:.4g}), but by too little for a point to be certified"
    if failed is None and sweep.at(value).point():
        varies = "the bound of the excess, or the powers with which it leaves the vertex, vary too much over one"
        return f"single values are certified (as {value:.4g}), but no range of them: {varies}"
    return f"floats see no point of less risk there, but the lower bound of the excess is not positive (at {value:.4g})"


def _inner(low: float, high: float) -> float:
    """A value between two ends, of which one may be infinite."""
    if math.isinf(high):
        return 2 * max(low, 1.0) if math.isfinite(low) else 0.0
    return float(_middle(np.array([low]), np.array([high]))[0]) if math.isfinite(low) else 2 * min(high, -1.0)


def _read(opened: Domain, runs: list[Run], notes: list[str], missing: Callable[[Run], str]) -> Isolated:
    """Pieces from runs in order: an unsettled one between two verdicts, if narrow, is an end. ``missing``: why."""
    runs = _gathered(runs)
    pieces, gaps, start = [], [], open_end(opened.low)
    for i, run in enumerate(runs):
        before = runs[i - 1].verdict if i else None
        after = runs[i + 1].verdict if i + 1 < len(runs) else None
        if run.verdict == 0:
            if not before or not after or before == after or not is_narrow(run.low, run.high):
                gaps.append(run)
            end = End(run.low + (run.high - run.low) / 2, run.low, run.high, False)
            if before == 1:
                pieces.append(Piece(start, end))
            start = end
        elif i and before != 0:  # two verdicts that touch
            end = End(run.low, run.low, run.low, False)
            if before == 1:
                pieces.append(Piece(start, end))
            start = end
    if runs[-1].verdict == 1:
        pieces.append(Piece(start, open_end(opened.high)))
    if gaps:
        where = f"nothing is certified between {gaps[0].low:.6g} and {gaps[-1].high:.6g}"
        notes.append(f"{where if len(gaps) == 1 else f'{where}, in {len(gaps)} places'}: {missing(gaps[0])}")
    return Isolated(tuple(pieces), not gaps, "; ".join(notes))
