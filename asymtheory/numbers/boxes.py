"""Rigorous bounds: a function of one variable on boxes of [0, 1], and the infimum of an objective by branch and bound.

Values come from Arb balls (python-flint) at 128 bits; where a ball has no finite value (a box that touches the end at
which a logarithm or a negative power is infinite) from the float intervals, which know infinities. Both round outward.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from math import inf
from typing import Protocol

from flint import arb, ctx

from .backends import INTERVAL, Backend, arb_
from .germ import Germ, ball, germs
from .interval import Interval
from .scalar import Scalar

BITS = 128
ANYTHING = Interval(-inf, inf)
SMALLEST_SIDE = 2.0**-60  # boxes are not divided below this

Formula = Callable[[Scalar, Scalar, Backend], Scalar]  # (u, log u, xp) -> value, parameters already on xp


class Watched(Backend):
    """A backend that remembers whether a box straddled the cut of a ``split``: the slope may jump there."""

    def __init__(self, xp: Backend) -> None:
        self.__dict__.update(xp.__dict__)
        self.straddled = False

    def split(self, x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        inner = getattr(x, "value", x)
        side = self._split(inner, getattr(cut, "value", cut), self.number(0), self.number(1))
        self.straddled |= not (side.low == side.high if isinstance(side, Interval) else bool(side.is_exact()))
        return super().split(x, cut, below, above)


class Curve:
    """A function on [0, 1], given as one formula for every number system, with its first two derivatives enclosed.

    ``on(xp)`` returns the formula with its parameters in the number system ``xp``. The function must be continuous.
    """

    def __init__(self, on: Callable[[Backend], Formula]) -> None:
        with ctx.workprec(BITS):
            self._balls = Watched(arb_())
            self._in_balls = on(self._balls)
        self._floats = Watched(INTERVAL)
        self._on = on
        self._in_floats: Formula | None = None
        self._known: dict[tuple[float, float], tuple[Interval, Interval, Interval]] = {}
        self._drops: dict[tuple[float, float], Interval] = {}

    def _jet(self, xp: Watched, formula: Formula, u: Scalar) -> tuple[Scalar, Scalar, Scalar]:
        xp.straddled = False
        x = xp.variable(u, 2)
        result = formula(x, xp.log(x), xp)
        if not hasattr(result, "slope"):
            zero = u * 0
            return zero + xp.number(result), zero, zero
        return result.value, result.slope, result.curvature

    def box(self, low: float, high: float) -> tuple[Interval, Interval, Interval]:
        """Enclosures of value, slope and curvature over [low, high]; the whole line where nothing is known."""
        known = self._known.get((low, high))
        if known is None:
            known = self._known[low, high] = self._box(low, high)
        return known

    def _box(self, low: float, high: float) -> tuple[Interval, Interval, Interval]:
        with ctx.workprec(BITS):
            u = arb(low) if low == high else arb(low).union(arb(high))
            jet = [outward(part) for part in self._jet(self._balls, self._in_balls, u)]
        straddled = self._balls.straddled
        # a ball that should end at 0 or 1 reaches beyond, for its radius is rounded; the intervals end exactly there
        at_end = {low, high} & {0.0, 1.0}
        if any(part is None or (at_end and part.low < 0 < part.high) for part in jet):
            if self._in_floats is None:
                self._in_floats = self._on(self._floats)
            other = self._jet(self._floats, self._in_floats, Interval(low, high))
            straddled |= self._floats.straddled
            jet = [_both(part, INTERVAL.number(also)) for part, also in zip(jet, other, strict=True)]
        value, slope, curvature = (ANYTHING if part is None else part for part in jet)
        if (
            at_end
            and not straddled
            and any(part.low == -inf and part.high == inf for part in (value, slope, curvature))
        ):
            value, slope, curvature = (
                meet(part, near) for part, near in zip((value, slope, curvature), self._next_to(low, high), strict=True)
            )
        return value, slope, ANYTHING if straddled else curvature

    def _next_to(self, low: float, high: float) -> tuple[Interval, Interval, Interval]:
        """Enclosures over a box at an end of [0, 1] where the formula meets 0 * inf (u log u), by its leading powers there."""
        if low == 0.0 and high == 1.0:
            return ANYTHING, ANYTHING, ANYTHING
        end = 0 if low == 0.0 else 1
        width = high - low
        with ctx.workprec(BITS):
            xp = germs(max(2, -math.frexp(width)[1]) if width else 100)
            if width and not arb(width) <= xp.delta:
                return ANYTHING, ANYTHING, ANYTHING
            u = xp.variable(xp.near(Fraction(end), -1 if end else 1), 2)
            try:
                found = self._on(xp)(u, xp.log(u), xp)
                parts = [xp.number(part) for part in (found.value, found.slope, found.curvature)]
            except (ArithmeticError, AttributeError, TypeError, ValueError):
                return ANYTHING, ANYTHING, ANYTHING
            value, slope, curvature = (_over(part, low == high) for part in parts)
        return value, slope, curvature

    def drop(self, t: float, h: float) -> Interval:
        """``f(u) - f(u + h)`` at u = t (1 - h), for t and h in [0, 1]; no argument is rounded to a float."""
        if (t, h) not in self._drops:
            self._drops[t, h] = self._drop(t, h)
        return self._drops[t, h]

    def _drop(self, t: float, h: float) -> Interval:
        with ctx.workprec(BITS):
            start = (1 - arb(h)) * t
            end = start + h
            before, after = self._value(start), self._value(end)
            if before is not None and after is not None:
                return outward(before - after) or ANYTHING
            at, to = (outward(u) or ANYTHING for u in (start, end))
        return self.box(max(at.low, 0.0), at.high)[0] - self.box(to.low, min(to.high, 1.0))[0]

    def _value(self, u: Scalar) -> Scalar:
        value = self._balls.number(self._in_balls(u, self._balls.log(u), self._balls))
        return value if value.is_finite() else None

    def slope(self, end: int) -> tuple[Scalar, Interval]:
        """Slope at u = 0 or 1: as a ball if it is finite and the formula reaches it, else None; and as an interval."""
        with ctx.workprec(BITS):
            ball = self._jet(self._balls, self._in_balls, arb(end))[1]
        return (ball if ball.is_finite() else None), self.box(float(end), float(end))[1]

    def slope_next_to(self, end: int) -> Interval:
        """Slope at 2^-100 from u = 0 or 1, nearer than floats reach."""
        with ctx.workprec(BITS):
            step = arb(2) ** -100
            return outward(self._jet(self._balls, self._in_balls, 1 - step if end else step)[1]) or ANYTHING

    def signs(self, derivative: int, most: int = 400) -> Signs:
        """Signs of the first or second derivative on [0, 1]; undecided boxes are halved, at most ``most`` in total."""
        proved: set[int] = set()
        weak: set[int] = set()
        waiting, complete = [(0.0, 1.0)], True
        for u in (0.0625, 0.5, 0.9375):  # a function with both signs shows it here, most often
            if sign := self.box(u, u)[derivative].sign:
                proved.add(sign)
        while waiting and not {1, -1} <= proved:  # `most` divisions
            low, high = waiting.pop()
            part = self.box(low, high)[derivative]
            if part.sign is not None:
                proved.add(part.sign)
            elif part.low == 0 or part.high == 0:
                weak.add(1 if part.low == 0 else -1)
            elif most <= 0 or high - low <= SMALLEST_SIDE:
                complete = False
            else:
                most -= 1
                middle = (low + high) / 2
                waiting += [(low, middle), (middle, high)]
        return Signs(frozenset(proved), frozenset(weak), complete and not waiting)


@dataclass(frozen=True)
class Signs:
    """Signs that a function takes on [0, 1]: some box or point has exactly that sign (0: identically zero on a box);
    weakly, with zeros; and whether no box is left undecided."""

    proved: frozenset[int]
    weak: frozenset[int]
    complete: bool

    def never(self, sign: int) -> bool:
        """Is it proved that the function does not have this sign anywhere?"""
        return self.complete and sign not in self.proved | self.weak


def _over(germ: Germ, limit: bool) -> Interval:
    """The interval of a germ on [0, delta], its limit at the end among it; or that limit alone."""
    if limit and germ.infinite and germ.c != 0:
        return Interval(inf, inf) if germ.c > 0 else Interval(-inf, -inf)
    if limit and not germ.infinite:
        return outward(ball(germ.x0)) or ANYTHING
    if not germ.infinite:
        return outward(ball(germ.x0) + germ.tail) or ANYTHING
    grows = germ.c * germ.xp.delta ** ball(germ.r) * germ.xp.length ** ball(germ.k)  # least in size at delta
    least = outward(grows)
    if least is None or least.sign is None:
        return ANYTHING
    return Interval(least.low, inf) if least.low > 0 else Interval(-inf, least.high)


def outward(ball: Scalar) -> Interval | None:
    """The float interval around a ball; None for a ball that is not finite."""
    if not ball.is_finite():
        return None
    low, high = ball.lower(), ball.upper()
    return Interval(_beyond(low, -inf), _beyond(high, inf))


def _beyond(end: Scalar, direction: float) -> float:
    value = float(end)
    if arb(value) == end:
        return value
    inside = arb(value) > end if direction < 0 else arb(value) < end
    return math.nextafter(value, direction) if inside else value


def _both(part: Interval | None, also: Interval) -> Interval:
    if also.low != also.low or also.high != also.high:
        also = ANYTHING
    return also if part is None else Interval(max(part.low, also.low), min(part.high, also.high))


def meet(left: Interval, right: Interval) -> Interval:
    """Intersection of two enclosures of the same quantity."""
    return Interval(max(left.low, right.low), min(left.high, right.high))


class Objective(Protocol):
    """What is minimised over a product of intervals."""

    def point(self, at: Sequence[float]) -> Interval:
        """Enclosure of the value at a point."""

    def box(self, box: Sequence[Interval]) -> tuple[Interval, Sequence[Interval]]:
        """Enclosures of the value and of the partial derivatives over a box."""


@dataclass(frozen=True)
class Infimum:
    """``low <= infimum <= high``; the objective is at most ``high`` at ``at``. ``boxes`` counts the work."""

    low: float
    high: float
    at: tuple[float, ...]
    boxes: int


def infimum(objective: Objective, start: Sequence[Interval], tolerance: float, most: int) -> Infimum:
    """Best-first branch and bound: monotone directions collapse to a face, other boxes get the mean-value form.

    Ends at the tolerance or after ``most`` boxes, with the width that is reached then.
    """
    best, at, done, tie = inf, tuple(side.low for side in start), inf, count()  # the numbers only order ties
    heap: list[tuple[float, int, list[Interval]]] = []
    boxes = 0

    def visit(box: list[Interval]) -> None:
        nonlocal best, at, done, boxes
        boxes += 1
        value, partials = objective.box(box)
        for _ in box:  # a face may be monotone where its box was not
            faces = [_face(side, partial) for side, partial in zip(box, partials, strict=True)]
            if all(face is side for face, side in zip(faces, box, strict=True)):
                break
            box = faces
            value, partials = objective.box(box)
        centre = tuple(_middle(side) for side in box)
        here = objective.point(centre)
        if here.high < best:
            best, at = here.high, centre
        mean = here
        for side, partial, middle in zip(box, partials, centre, strict=True):
            if side.low < side.high:
                mean = mean + partial * Interval(side.low - middle, side.high - middle)
        low = max(value.low, mean.low)
        if all(side.high - side.low <= SMALLEST_SIDE for side in box):
            done = min(done, low)
        elif low < best:
            heapq.heappush(heap, (low, next(tie), box))

    visit(list(start))
    while heap and boxes < most and best - min(heap[0][0], done) > tolerance:
        box = heapq.heappop(heap)[2]
        longest = max(range(len(box)), key=lambda i: box[i].high - box[i].low)
        middle = _middle(box[longest])
        for half in (Interval(box[longest].low, middle), Interval(middle, box[longest].high)):
            visit([*box[:longest], half, *box[longest + 1 :]])
    return Infimum(min([best, done, *(low for low, _, _ in heap[:1])]), best, at, boxes)


def _middle(side: Interval) -> float:
    return side.low if side.low == side.high else (side.low + side.high) / 2


def _face(side: Interval, partial: Interval) -> Interval:
    """The end of a side at which a monotone objective is least, or the side itself."""
    if side.low == side.high:
        return side
    if partial.low >= 0:
        return Interval(side.low, side.low)
    return Interval(side.high, side.high) if partial.high <= 0 else side
