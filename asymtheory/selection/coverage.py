"""How much of a noise a loss is asymmetric on, as its parameter grows.

Where no parameter covers every row, the share of classes, samples or probability mass that it covers is the answer. Rows
are decided in floats, many at once: (1) of docs/theory.md reads ``A w_m/W - B w_n/W >= C`` with three numbers of the loss.
Equality is given a relative 1e-12. Coverage need not grow with the parameter: feasible sets are unions of intervals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..asymmetry.fitting import fitting_slope, led_by_nce
from ..asymmetry.rules import is_pointed, rule
from ..asymmetry.rules.base import ROUNDING
from ..jsonlines import Json
from ..losses.base import Loss
from ..losses.domain import Domain
from ..noise.estimate import NoiseEstimate
from ..numbers.backends import FLOAT

Array: TypeAlias = NDArray[np.float64]

POINTS = 25  # of a curve, besides those asked for
NEAR, FAR = 2.0**-10, 2.0**10  # of a curve: its distance from a finite end of the domain, and its length
MOST_COUNT = 16


def covers(loss: Loss, K: int, top: Array, second: Array, uniform: bool) -> tuple[NDArray[np.bool_], bool]:
    """Rows (R,) on which a loss is proved asymmetric, and whether the others are proved not to be.

    ``top``, ``second``: shares ``w_m / W`` and ``w_n / W``; ``uniform``: the rest of every row is uniform.
    """
    what = rule(loss, K, uniform)
    plane = what.half_plane(FLOAT)
    holds = np.zeros(len(top), dtype=bool) if plane is None else plane.holds(top, second) & (top > second)
    if is_pointed(loss):
        holds = holds | (second == 0)
    return holds, not what.searched and (not what.sufficient_only or bool(holds.all()))


@dataclass(frozen=True)
class Share:
    """How much of the noise a loss covers: of the rows (classes or samples) and of the probability mass.

    ``guaranteed`` is the share of rows at the worst corner of an estimate, at its confidence; that of the rows itself where
    the noise is taken as given. None: the loss is decided by a search, which was not made here.
    """

    rows: float | None
    mass: float | None
    guaranteed: float | None

    @property
    def complete(self) -> bool:
        return self.guaranteed == 1

    def to_dict(self, unit: str) -> Json:
        return {_plural(unit): self.rows, "mass": self.mass, "guaranteed": self.guaranteed}


def _plural(unit: str) -> str:
    return {"class": "classes", "sample": "samples"}[unit]


@dataclass(frozen=True)
class CurvePoint:
    """One value of a parameter: what it covers and what it costs (see ``slopes``)."""

    exact: Fraction
    share: Share
    slope: float  # the fitting ratio
    led: bool = False  # by an NCE term, see ``slopes.led_by_nce``

    @property
    def value(self) -> float:
        return float(self.exact)

    def to_dict(self, unit: str) -> Json:
        return {
            "value": self.value,
            **self.share.to_dict(unit),
            "slope": self.slope if math.isfinite(self.slope) else None,
        }


def share(loss: Loss, estimate: NoiseEstimate) -> Share:
    """What a loss with its parameters covers."""
    if estimate.unit == "sample":
        found = _share_of_samples(loss, estimate)
        if found is not None:
            return Share(found, found, found)
    holds, settled = covers(loss, estimate.K, estimate.top, estimate.second, estimate.uniform)
    if not settled:
        return Share(None, None, None)
    rows = float(holds.mean())
    if estimate.boxes is None:
        return Share(rows, _mass(holds, estimate), rows)
    worst, settled = covers(loss, estimate.K, *estimate.corner(), estimate.uniform)
    return Share(rows, _mass(holds, estimate), float(worst.mean()) if settled else None)


def _share_of_samples(loss: Loss, estimate: NoiseEstimate) -> float | None:
    """The same for a million samples, by a binary search: where clean level or margin alone decide; else None."""
    what, count = rule(loss, estimate.K, estimate.uniform), len(estimate.top)
    levels, margins = estimate.in_order
    dominant = count - int(np.searchsorted(margins, 0.0, side="right"))
    if what.verdict:
        return dominant / count
    plane = None if what.sufficient_only else what.half_plane(FLOAT)
    if plane is None or not all(map(math.isfinite, (plane.top, plane.second, plane.total))) or plane.top <= 0:
        return None
    A, B, C = plane.top, plane.second, plane.total
    slack = ROUNDING * (A + abs(B) + abs(C))
    if C == 0:
        enough = count - int(np.searchsorted(levels, (B - slack) / A))
    elif abs(A - B) <= 1e-14 * A:
        enough = count - int(np.searchsorted(margins, (C - slack) / A))
    else:
        return None
    return min(enough, dominant) / count


def _mass(holds: NDArray[np.bool_], estimate: NoiseEstimate) -> float:
    return 1.0 if holds.all() else float(estimate.mass[holds].sum())


def missed(loss: Loss, estimate: NoiseEstimate) -> list[int]:
    """Rows that a loss does not cover, by the point estimate."""
    holds, _ = covers(loss, estimate.K, estimate.top, estimate.second, estimate.uniform)
    return np.flatnonzero(~holds).tolist()


def curve(
    loss: Loss, parameter: str, estimate: NoiseEstimate, values: Iterable[Fraction] = ()
) -> tuple[CurvePoint, ...]:
    """Coverage and price along a parameter: on a grid over its domain, and at ``values``, in order."""
    points = []
    for value in sorted({*_grid(loss.domains[parameter]), *values}):
        at = loss._with(**{parameter: value})
        ratio = fitting_slope(at, estimate.K).ratio
        points.append(CurvePoint(value, share(at, estimate), ratio, led_by_nce(at, estimate.K)))
    return tuple(points)


def _grid(domain: Domain) -> Sequence[Fraction]:
    """Values over a domain: geometric distances from its finite end, even steps between two, whole numbers."""
    low, high = domain.low, domain.high
    if domain.integer:
        start = int(low or 0)
        return [Fraction(k) for k in range(start, start + MOST_COUNT) if high is None or k <= high]
    if low is not None and high is not None:
        steps = [low + (high - low) * k / (POINTS - 1) for k in range(POINTS)]
    elif low is not None:
        steps = [low, *(low + x for x in _away())]
    elif high is not None:
        steps = [*(high - x for x in _away()), high]
    else:
        steps = [Fraction(k - POINTS // 2) for k in range(POINTS)]
    return [value for value in steps if value in domain]


def _away() -> list[Fraction]:
    """Distances from an end of a domain."""
    return [Fraction(NEAR * (FAR / NEAR) ** (k / (POINTS - 2))).limit_denominator(10**6) for k in range(POINTS - 1)]
