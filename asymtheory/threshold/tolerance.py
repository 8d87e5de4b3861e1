"""The best tolerance constant that a parameter can reach: the infimum of range / slack, and whether a value attains it.

Range / slack is what a noisy excess risk, as a share of what a confident mistake costs, is multiplied with (twice) to bound
the clean error. By convexity ``slack <= margin x range``, with equality iff the risk is linear along the edge from e_m to e_n.
So 1 / margin is the least that any loss can have: concave and linear losses attain it, strictly convex ones do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from ..asymmetry.guarantees import relative_constant
from ..errors import InputError
from ..losses.base import CONVEX, Loss
from ..losses.profile import Profile
from ..noise.rows import NoiseModel
from .pieces import Piece
from .solve import solve

POINTS = 121
"""Parameter values that are tried on every range, evenly in the logarithm of the distance to its open ends."""
FARTHEST = 2.0**40
CLOSE = 1e-9
"""An infimum this close to 1 / margin, in proportion, is taken for it: the theorem bounds it from below."""


@dataclass(frozen=True)
class BestConstant:
    """The infimum of range / slack over a parameter on a noise.

    ``infimum``: 1 / margin where that is approached or attained, else the least value found (a numerical search over the
    values for which the loss is asymmetric). ``attained``: does a value of the parameter reach it? ``value``: one that does,
    or where the infimum is approached (inf allowed).
    """

    parameter: str
    infimum: float
    attained: bool
    value: float
    floor: float

    def to_dict(self) -> dict[str, float | str | bool | None]:
        return {
            "parameter": self.parameter,
            "infimum": self.infimum,
            "attained": self.attained,
            "value": self.value if math.isfinite(self.value) else None,
            "floor": self.floor,
        }

    def __str__(self) -> str:
        how = f"attained at {self.parameter} = {self.value:.6g}" if self.attained else self._approached
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
        raise InputError(f"--over {parameter}: no value of {parameter} makes {loss.title} asymmetric on this noise")
    floor = 1 / float(noise.margin)

    def relative(value: float) -> float:
        found = relative_constant(loss.replace(**{parameter: value}), noise)
        return math.inf if found is None else found

    tried = [(relative(value), value, end) for piece in threshold.pieces for value, end in _values(piece)]
    least, value, end = min(tried, key=lambda t: t[0])
    if math.isinf(least):
        raise InputError(f"--over {parameter}: {loss.title} has no constant of this kind (it is not separable, or unbounded)")
    if least <= floor * (1 + CLOSE):
        shape = Profile.of(loss.replace(**{parameter: value}), noise.classes).shape()
        return BestConstant(parameter, floor, shape != CONVEX, value if end is None or shape != CONVEX else end, floor)
    if end is not None:  # the least of all lies next to an open end, so the infimum is approached there
        return BestConstant(parameter, least, False, end, floor)
    values = sorted(v for _, v, _ in tried)
    place = values.index(value)
    around = values[max(place - 1, 0)], values[min(place + 1, len(values) - 1)]
    refined = minimize_scalar(relative, bounds=around, method="bounded", options={"xatol": 1e-12 * max(1.0, value)})
    if refined.fun < least:
        least, value = float(refined.fun), float(refined.x)
    return BestConstant(parameter, least, True, value, floor)


def _values(piece: Piece) -> list[tuple[float, float | None]]:
    """Values of a range, each with the open end that it is the nearest to (of the outermost ones alone)."""
    low = piece.low.value if piece.low is not None else 0.0
    high = piece.high.value if piece.high is not None else math.inf
    if low == high:
        return [(low, None)]
    if math.isinf(high):
        steps = np.geomspace(2.0**-20, FARTHEST, POINTS)
        inner = [low + step * max(1.0, abs(low)) for step in steps]
    else:
        share = np.geomspace(1e-9, 0.5, POINTS // 2)
        inner = [low + s * (high - low) for s in share] + [high - s * (high - low) for s in share[::-1]]
    found: list[tuple[float, float | None]] = [(float(v), None) for v in inner]
    found[0] = found[0][0], low
    found[-1] = found[-1][0], high
    return found
