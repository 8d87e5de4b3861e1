"""Feasible values of a parameter in floats, for noise that is estimated or has a row for every sample.

``threshold.solve`` certifies its ends by interval arithmetic on exact rows. Where the rows are themselves confidence limits,
or a million samples, that says more than is known and takes long. Here the deciding inequality
``A w_m/W - B w_n/W >= C`` is evaluated for many values of the parameter at once, on a grid over its domain, and each change
is bisected to the last bits. A gap between two neighbouring points of the grid (they lie a factor of 2^(1/2) apart) would go
unseen; the inequalities of the registered losses have none.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..asymmetry.rules import HalfPlane, rule
from ..losses.base import Loss
from ..losses.domain import Domain
from ..noise.rows import NoiseModel
from ..numbers.backends import numpy_
from ..threshold.pieces import End, Piece, Threshold
from ..threshold.ranges import Ranges, ranges
from .coverage import covers

Array: TypeAlias = NDArray[np.float64]

OCTAVES, STEPS = 60, 2  # of the grid: from 2^-60 to 2^60, and how many points to an octave
MOST_COUNT = 4096
METHOD = "floats on a grid over the domain, ends bisected"


def feasible(
    loss: Loss, parameter: str | None, model: NoiseModel, top: Array, second: Array, uniform: bool
) -> Threshold:
    """Like ``threshold.solve``, on rows that are known by their shares (R,) only; ``model`` is what the answer names.

    Of many rows give the ``estimate.hull`` only, which implies the others. ``uniform``: the rest of every row is uniform. A
    loss that depends on more than the two shares gets "undecided" where a search would be needed, and "never" where only an
    exactly uniform rest would do.
    """
    K = model.classes
    cut = None if parameter is None else ranges(loss, parameter, K)
    at = loss if cut is None else loss._with(**{str(parameter): _within(cut.domain)})
    what = rule(at, K, uniform)

    def answer(status: str, pieces: tuple[Piece, ...] = ()) -> Threshold:
        return Threshold(loss, parameter, status, pieces, model, model.worst, what.reason, METHOD)

    if not (top > second).all():
        return answer("never")
    if parameter is None or cut is None or not (what.inequality or what.verdict):
        holds, settled = covers(loss, K, top, second, uniform)
        return answer("always" if holds.all() else "never" if settled else "undecided")
    pieces = _pieces(_Test(loss, parameter, K, top, second, uniform, cut), cut)
    whole = len(pieces) == 1 and all(e is None or e.of_domain for e in (pieces[0].low, pieces[0].high))
    return answer("always" if whole else "threshold" if pieces else "never", pieces)


def _within(domain: Domain) -> Fraction:
    """A value inside a domain, off its ends and kinks."""
    away = Fraction(2 if domain.integer else 97, 1 if domain.integer else 71)
    if domain.low is None:
        return (domain.high or Fraction(0)) - away
    return domain.low + away if domain.high is None else (domain.low + domain.high * 2) / 3


class _Test:
    """Is the loss asymmetric on all rows, for an array of parameter values?"""

    def __init__(
        self, loss: Loss, parameter: str, K: int, top: Array, second: Array, uniform: bool, cut: Ranges
    ) -> None:
        self.loss, self.parameter, self.K = loss, parameter, K
        self.top, self.second, self.uniform = top, second, uniform
        self.cut = cut

    def __call__(self, theta: Array) -> NDArray[np.bool_]:
        result = np.zeros(len(theta), dtype=bool)
        cuts = [-math.inf, *map(float, self.cut.points), math.inf]
        for low, high in pairwise(cuts):
            inside = (theta > low) & (theta < high)
            if inside.any():
                result[inside] = self._between(theta[inside])
        for point in self.cut.points:
            at = theta == float(point)
            result[at] = at.any() and self._one(point)
        return result

    def _one(self, value: Fraction) -> bool:
        at = self.loss._with(**{self.parameter: value})
        return bool(covers(at, self.K, self.top, self.second, self.uniform)[0].all())

    def _between(self, theta: Array) -> NDArray[np.bool_]:
        """Values between two kinks, where one rule decides."""
        what = rule(self.loss._with(**{self.parameter: Fraction(theta[len(theta) // 2])}), self.K, self.uniform)
        if what.verdict:
            return np.ones(len(theta), dtype=bool)
        values = theta.astype(np.int64) if self.cut.domain.integer else theta
        with np.errstate(all="ignore"):
            plane = what.at(**{self.parameter: values}).half_plane(numpy_())
        if plane is None:
            return np.array([self._one(Fraction(value)) for value in theta])
        columns = HalfPlane(*(np.broadcast_to(np.asarray(x, dtype=float), theta.shape)[:, None] for x in plane))
        return np.asarray((columns.holds(self.top, self.second) | (self.second == 0)).all(axis=1))


def _pieces(test: _Test, cut: Ranges) -> tuple[Piece, ...]:
    domain = cut.domain
    theta = _grid(cut)
    holds = test(theta)
    edges = np.flatnonzero(holds[1:] != holds[:-1])
    exact = {float(k): k for k in (*cut.kinks, domain.low, domain.high) if k is not None}
    ends = [_change(test, float(theta[i]), float(theta[i + 1]), bool(holds[i]), domain, exact) for i in edges]
    pieces: list[Piece] = []
    low = _outer(domain, lower=True)
    inside = bool(holds[0])
    for end in ends:
        if inside:
            pieces.append(Piece(low, end))
        low, inside = end, not inside
    if inside:
        pieces.append(Piece(low, _outer(domain, lower=False)))
    return tuple(pieces)


def _grid(cut: Ranges) -> Array:
    """Values over a domain, its closed ends and the kinks among them."""
    domain = cut.domain
    if domain.integer:
        start = int(domain.low or 0)
        return np.arange(start, start + MOST_COUNT, dtype=float)
    away = 2.0 ** (np.arange(-OCTAVES * STEPS, OCTAVES * STEPS + 1) / STEPS)
    low, high = (None if end is None else float(end) for end in (domain.low, domain.high))
    if low is not None and high is not None:
        share = 1 / (1 + 1 / away)
        grid = low + (high - low) * share
    elif low is not None:
        grid = low + away
    else:
        grid = np.concatenate([-away, [0.0], away]) if high is None else high - away
    near = 2.0 ** -np.arange(1, 40)
    grid = np.concatenate([grid, *(float(kink) * (1 + side * near) for kink in cut.kinks for side in (1, -1))])
    grid = np.unique(np.concatenate([grid, [float(point) for point in cut.points]]))
    inside = np.ones(len(grid), dtype=bool)
    if low is not None:
        inside &= (grid >= low) if domain.low_closed else (grid > low)
    if high is not None:
        inside &= (grid <= high) if domain.high_closed else (grid < high)
    return grid[inside]


def _change(
    test: _Test, left: float, right: float, holds_left: bool, domain: Domain, exact: dict[float, Fraction]
) -> End:
    """The end between two neighbours of which one holds; closed, and on the side that holds."""
    if domain.integer:
        return End.at(Fraction(left if holds_left else right), True)
    while left < (middle := _between(left, right)) < right:
        same = bool(test(np.array([middle]))[0]) == holds_left
        left, right = (middle, right) if same else (left, middle)
    value, other = (left, right) if holds_left else (right, left)
    for point, number in exact.items():
        if value == point:
            return End.at(number, True, of_domain=number == (domain.high if holds_left else domain.low))
        if other == point:
            return End.at(number, False)
    return End(value, min(left, right), max(left, right), True)


def _between(left: float, right: float) -> float:
    return math.sqrt(left * right) if 0 < 4 * left < right else (left + right) / 2


def _outer(domain: Domain, lower: bool) -> End | None:
    limit, closed = (domain.low, domain.low_closed) if lower else (domain.high, domain.high_closed)
    return None if limit is None else End.at(limit, closed, of_domain=True)
