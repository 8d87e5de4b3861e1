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
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..asymmetry.sweep import Sweep, Verdicts
from ..losses.domain import Domain
from .inequality import Isolated
from .pieces import SHARP, End, Piece, open_end

Array: TypeAlias = NDArray[np.float64]
Known: TypeAlias = Callable[[Array, Array], Verdicts]

BITS = 30  # how far out boxes reach
NARROW = 2.0**-26  # relative width at which a box is not divided
GRADES = 24  # bits: how near to a change boxes come
DEPTH = 6  # how often a box is halved
COARSE = 2  # from here on cells of the mass are divided, too
MOST = 600  # boxes, those of a no not counted
FAR = 2.0**9  # from here on, or as near to a finite end, what is not certified is taken to continue
MOST_CHANGES = 6
BISECTIONS = 40


@dataclass(frozen=True)
class Run:
    """Neighbouring boxes of one verdict."""

    verdict: int
    low: float
    high: float


def swept(sweep: Sweep, opened: Domain, known: Known, ends: tuple[float, ...] = ()) -> Isolated:
    """Feasible values on an open interval; ``known`` gives what first-order conditions have settled, up to ``ends``."""
    edges = _edges(opened)
    changes = _changes(sweep, edges)
    edges = _graded(edges, np.array([*changes[known(changes, changes) == 0], *ends]))
    low, high = edges[:-1], edges[1:]
    settled: list[tuple[Array, Array, Verdicts]] = []
    tried = 0
    for depth in range(DEPTH + 1):
        found = known(low, high)
        left = np.flatnonzero(found == 0)
        found[left] = sweep.verdicts(low[left], high[left], depth >= COARSE)
        tried += int((found[left] >= 0).sum())  # a no is found soon
        middle = _middle(low, high)
        again = (found == 0) & (low < middle) & (middle < high) & (depth < DEPTH) & (tried < MOST)
        again &= ~(high - low <= NARROW * np.maximum(np.abs(low), np.abs(high)))
        if done := [part for each in settled for part in (each[0][each[2] != 0], each[1][each[2] != 0]) if len(part)]:
            # where nothing is certified far out, only what is next to a settled box is divided further
            first, last = min(map(np.min, done)), max(map(np.max, done))
            again &= ~_far(low, high, opened) | ((high >= first) & (low <= last))
        settled.append((low[~again], high[~again], found[~again]))
        low, high = np.concatenate([low[again], middle[again]]), np.concatenate([middle[again], high[again]])
    return _read(opened, *_continued(sweep, _runs(settled), opened))


def _changes(sweep: Sweep, edges: Array) -> Array:
    """Where floats see the verdict change, to within rounding."""
    inner = edges[np.isfinite(edges)]
    values = np.unique(np.concatenate([inner, *(inner[:-1] + np.diff(inner) * k / 4 for k in (1, 2, 3))]))
    signs = sweep.floats(values)
    at = np.flatnonzero(signs[1:] != signs[:-1])[:MOST_CHANGES]
    low, high, first = values[at], values[at + 1], signs[at]
    for _ in range(BISECTIONS if len(at) else 0):
        middle = _middle(low, high)
        same = sweep.floats(middle) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
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
            found[touches] = 0
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


def _runs(settled: list[tuple[Array, Array, Verdicts]]) -> list[Run]:
    low, high, found = (np.concatenate(part) for part in zip(*settled, strict=True))
    order = np.argsort(low, kind="stable")
    boxes = zip(found[order].tolist(), low[order].tolist(), high[order].tolist(), strict=True)
    runs = []
    for verdict, group in groupby(boxes, key=lambda box: box[0]):
        members = list(group)
        runs.append(Run(verdict, members[0][1], members[-1][2]))
    return runs


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
            if sweep.sampled(edge, last, verdict):
                before = outward[i - 1]
                whole = Run(verdict, before.low, last) if upper else Run(verdict, last, before.high)
                runs = [*outward[: i - 1], whole] if upper else [*outward[: i - 1], whole][::-1]
                side = "beyond" if upper else "below"
                notes.append(f"{side} {edge:.3g} the verdict next to it is taken to continue: samples agree, no proof")
            break
    return runs, notes


def _gathered(runs: list[Run]) -> list[Run]:
    """Unsettled runs that lie as near to each other as an end may be wide, as one, with what is between them."""
    result: list[Run] = []
    for run in runs:
        if run.verdict == 0:
            first = next(
                (i for i, each in enumerate(result) if each.verdict == 0 and _narrow(each.low, run.high)), len(result)
            )
            run = Run(0, result[first].low if first < len(result) else run.low, run.high)
            del result[first:]
        result.append(run)
    return result


def _narrow(low: float, high: float) -> bool:
    """Is an interval as narrow as an end that counts as known?"""
    return high - low <= SHARP * max(abs(low), abs(high))


def _read(opened: Domain, runs: list[Run], notes: list[str]) -> Isolated:
    """Pieces from runs in order: an unsettled one between two verdicts, if narrow, is an end."""
    runs = _gathered(runs)
    pieces, gaps, start = [], [], open_end(opened.low)
    for i, run in enumerate(runs):
        before = runs[i - 1].verdict if i else None
        after = runs[i + 1].verdict if i + 1 < len(runs) else None
        if run.verdict == 0:
            if not before or not after or before == after or not _narrow(run.low, run.high):
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
        notes.append(where if len(gaps) == 1 else f"{where}, in {len(gaps)} places")
    return Isolated(tuple(pieces), not gaps, "; ".join(notes))
