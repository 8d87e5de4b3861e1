"""What a threshold is worth in numbers: the guarantee at a value above it, and the best constant over the parameter.

The best constant is the infimum of range / slack, and a value may or may not attain it.

Range / slack is what a noisy excess risk, as a share of what a confident mistake costs, is multiplied with (twice) to bound
the clean error. By convexity ``slack <= margin x range``, with equality iff the risk is linear along the edge from e_m to e_n.
So 1 / margin is the least that any loss can have: concave and linear losses attain it, strictly convex ones do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import minimize_scalar

from ..asymmetry.guarantees import Tolerance, relative_constant, tolerance
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import CONVEX, Loss
from ..losses.profile import Profile
from ..noise.rows import NoiseModel
from ..numbers.text import Number, plain
from .pieces import Piece, Threshold
from .solve import solve

POINTS = 121
"""Parameter values that are tried on every range."""
FARTHEST = 2.0**40
SAME = Fraction(1, 2**80)
"""In proportion: constants that differ by less are the same."""
CLOSE = 1e-9
"""An infimum this close to 1 / margin, in proportion, is taken for it: the theorem bounds it from below."""


@dataclass(frozen=True)
class BestConstant:
    """The infimum of range / slack over a parameter on a noise.

    ``infimum``: 1 / margin where that is approached or attained, else the least value found (a numerical search over the
    values for which the loss is asymmetric). ``attained``: does a value of the parameter reach it? ``value``: one that does,
    or where the infimum is approached (inf allowed). ``open``: are there values at which no such constant is known (neither
    convex nor concave, as far as is proved, or not known to work), so that a lower one may be missed?
    """

    parameter: str
    infimum: float
    attained: bool
    value: float
    floor: float
    open: bool = False

    def to_dict(self) -> dict[str, float | str | bool | None]:
        return {
            "parameter": self.parameter,
            "infimum": self.infimum,
            "attained": self.attained,
            "value": self.value if math.isfinite(self.value) else None,
            "floor": self.floor,
            "open": self.open,
        }

    def __str__(self) -> str:
        how = f"attained at {self.parameter} = {self.value:.6g}" if self.attained else self._approached
        if self.open:
            least = f"the least range / slack that is known over {self.parameter} is {self.infimum:.6g}, {how}"
            return f"  best       {least}; at some values of {self.parameter} none is known"
        return f"  best       range / slack has infimum {self.infimum:.6g} over {self.parameter}, {how}"

    @property
    def _approached(self) -> str:
        return f"not attained: approached as {self.parameter} -> {'inf' if math.isinf(self.value) else f'{self.value:.6g}'}"


def best_constant(loss: Loss, noise: NoiseModel, parameter: str) -> BestConstant:
    """The infimum of range / slack over the values of ``parameter`` for which ``loss`` is asymmetric on ``noise``.

    Raises InputError where no value makes it asymmetric, or where the form of the loss has no such constant.
    """
    threshold = solve(loss, noise, parameter)
    if not threshold.pieces:
        known = "is known to make" if threshold.status == "undecided" else "makes"
        raise InputError(f"--over {parameter}: no value of {parameter} {known} {loss.title} asymmetric on this noise")
    floor = 1 / float(noise.margin)

    def relative(value: float) -> Number | None:
        try:
            return relative_constant(loss.replace(**{parameter: value}), noise)
        except (OverflowError, ZeroDivisionError):  # floats end before the domain does
            return math.inf

    whole = any(atom.domains[parameter].integer for _, atom in loss.terms() if parameter in atom.domains)
    tried = [(relative(p.value), p) for piece in threshold.pieces for p in _places(piece, whole)]
    found = [(value, p) for value, p in tried if value is not None]
    least = min((value for value, _ in found), default=math.inf)
    if math.isinf(least):
        raise InputError(
            f"--over {parameter}: {loss.title} has no constant of this kind (it is not separable, or unbounded)"
        )
    ties = [place for value, place in found if value <= least * (1 + SAME)]
    place = min(ties, key=lambda p: abs(p.value - 1))  # of many that attain it the plainest
    if least <= floor * (1 + CLOSE):
        strict = Profile.of(loss.replace(**{parameter: place.value}), noise.classes).shape() == CONVEX
        return BestConstant(parameter, floor, not strict, place.end if strict else place.value, floor)
    missed = len(found) < len(tried) or threshold.status == "undecided"
    if place.outermost:  # the least of all lies next to an open end, so the infimum is approached there
        return BestConstant(parameter, float(least), False, place.end, floor, missed)
    value = place.value
    if not whole:
        around = sorted(p.value for _, p in tried)
        index = around.index(value)
        bounds = around[max(index - 1, 0)], around[min(index + 1, len(around) - 1)]

        def in_floats(value: float) -> float:
            number = relative(value)
            return math.inf if number is None else float(number)

        refined = minimize_scalar(
            in_floats, bounds=bounds, method="bounded", options={"xatol": 1e-12 * max(1.0, value)}
        )
        if refined.fun < float(least):
            least, value = refined.fun, float(refined.x)
    return BestConstant(parameter, float(least), True, value, floor, missed)


@dataclass(frozen=True)
class Guaranteed:
    """What a threshold's loss guarantees at one value that works: the constant and the radius there."""

    parameter: str | None
    value: float | None
    tolerance: Tolerance

    def to_dict(self) -> Json:
        at = {} if self.parameter is None else {self.parameter: self.value}
        return {"at": at, **self.tolerance.to_dict()}

    def __str__(self) -> str:
        at = "" if self.parameter is None else f"at {self.parameter} = {self.value:.6g}: "
        return f"  guarantee {at}{self.tolerance}"


def guaranteed(threshold: Threshold, at: Number | None = None) -> Guaranteed | None:
    """The guarantee at a value of the parameter; None where no value works.

    Without ``at``: twice as far out as the threshold where the values go on without end, else the middle of the widest range.
    Raises InputError for a value that does not work.
    """
    piece = threshold.feasible
    if piece is None or threshold.status not in ("threshold", "always"):
        return None
    if threshold.parameter is None:
        return Guaranteed(None, None, tolerance(threshold.loss, threshold.noise))
    if at is not None and not any(at in each for each in threshold.pieces):
        raise InputError(f"--at {plain(at)}: the loss is not asymmetric there ({threshold.answer})")
    if piece.low is not None and math.isinf(piece.low.high):
        raise InputError(
            f"--guarantee: every value that works is beyond the floats ({threshold.answer}): no number is computed there"
        )
    value = Fraction(_some(piece)) if at is None else Fraction(at)
    if threshold.loss.domains[threshold.parameter].integer:
        value = Fraction(math.ceil(value))
    loss = threshold.loss.replace(**{threshold.parameter: value})
    return Guaranteed(threshold.parameter, float(value), tolerance(loss, threshold.noise))


def _some(piece: Piece) -> float:
    """A plain value of a range, away from its ends."""
    if piece.low is None:
        return 1.0 if piece.high is None else piece.high.value - max(1.0, abs(piece.high.value))
    if piece.high is None:
        return piece.low.value + max(1.0, abs(piece.low.value))
    return (piece.low.value + piece.high.value) / 2


@dataclass(frozen=True)
class _Place:
    """A value to try, the end of its range that is the nearest, and whether it is the outermost one next to an open end."""

    value: float
    end: float
    outermost: bool = False


def _places(piece: Piece, whole: bool) -> list[_Place]:
    """Values of a range, evenly in the logarithm of the distance to its ends; every whole number up to POINTS of them."""
    low = piece.low.value if piece.low is not None else 0.0
    high = piece.high.value if piece.high is not None else math.inf
    if low == high:
        return [_Place(low, low)]
    if whole:
        start = math.ceil(low)
        return [_Place(float(n), low) for n in range(start, start + POINTS) if n in piece]
    if math.isinf(high):
        values = [low + float(step) * max(1.0, abs(low)) for step in np.geomspace(1 / FARTHEST, FARTHEST, POINTS)]
        places = [_Place(v, low if v - low < max(1.0, abs(low)) else high) for v in values]
    else:
        half = high / 2 - low / 2
        near, far = (_steps(end, half) for end in (low, high))
        places = [_Place(low + step, low) for step in near] + [_Place(high - step, high) for step in reversed(far)]
    closed = [end.value for end in (piece.low, piece.high) if end is not None and end.closed]
    first, last = places[0], places[-1]
    places[0] = _Place(first.value, first.end, low not in closed)
    places[-1] = _Place(last.value, last.end, high not in closed)
    return [*places, *(_Place(value, value) for value in closed)]


def _steps(end: float, half: float) -> list[float]:
    """Distances from an end of a range, to half of it: from a billionth of it on, or nearer where it is wide."""
    first = min(1e-9 * half, max(1.0, abs(end)) / FARTHEST)
    return [float(step) for step in np.geomspace(max(first, 2.0**-1000), half, POINTS // 2)]
