"""How far a noise is from the worst of its kind that a loss tolerates: one axis for all losses.

A noise with rows ``T_i`` belongs to the family "more or less of the same", ``T(s) = I + s (T - I)``: each class loses s times as
many labels, to the same classes in the same proportions. T(0) is clean, T(1) the noise itself; symmetric, uniform, pair and
map noise of rate eta give their own family, T(s) having the rate s eta. If e_i minimises the loss of label i and the risk of
row i, it minimises every mixture of the two, so the s that a loss tolerates are an interval from 0 to some s*, and

    level(loss, T) = c(T) / c(T(s*)),    c(T) = min_i T_ii / max_{k != i} T_ik  (the clean level).

It is >= 1 exactly where the loss is asymmetric on T. For losses ``l(u_y)`` it is c r, clean level times asymmetry ratio (ALF,
Theorems 6 and 8): such a loss tolerates T(s) iff c(T(s)) r >= 1, so c(T(s*)) = 1/r. A loss that tolerates no noise has the level 0.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.ratio import asymmetry_ratio
from asymtheory.errors import InputError
from asymtheory.losses import Loss
from asymtheory.noise import NoiseModel, Row

STEPS = 36  # halvings of the interval in which s* lies
NEAR = 1e-6  # an undecided check ends the search; this close to s*, as a share of it, what was found is kept


def level(loss: Loss, noise: NoiseModel) -> float | None:
    """c(T) / c(T(s*)), >= 0; None for labels without noise, and where a check is undecided.

    By the asymmetry ratio where the loss has one; else s* is found by halving, each step a certified
    :func:`asymtheory.check` on exact weights.
    """
    clean = noise.clean_level
    if math.isinf(clean):
        return None
    try:
        ratio = asymmetry_ratio(loss, noise.classes).r
        return float(clean) * (ratio.low + ratio.high) / 2
    except InputError:  # not of the form l(u_y)
        pass
    most = _most(loss, noise)
    if most is None:
        return None
    return float(clean / amplified(noise, most).clean_level) if most else 0.0


def amplified(noise: NoiseModel, s: Fraction) -> NoiseModel:
    """``T(s) = I + s (T - I)``, exact; s >= 0 such that no weight becomes negative."""
    rows = []
    for row in noise.rows:
        total = Fraction(row.total)
        known: dict[int, Fraction] = {}  # equal weights stay one object, as Row needs them
        mixed = [known.setdefault(id(w), s * Fraction(w) / total) for w in row.weights]
        mixed[row.target] = 1 - s * (1 - Fraction(row.top) / total)
        rows.append(Row(tuple(mixed), row.target))
    return replace(noise, kind="matrix", rows=tuple(rows), rate=None, samples=None, source=None)


def _tie(noise: NoiseModel) -> Fraction:
    """The s at which the first class is no longer the most frequent one of its row: 1 - s eta_i = s max_k T_ik."""
    shares = (
        (1 - Fraction(row.top) / Fraction(row.total), Fraction(row.second) / Fraction(row.total)) for row in noise.rows
    )
    return min(1 / (wrong + second) for wrong, second in shares if second)


def _most(loss: Loss, noise: NoiseModel) -> Fraction | None:
    """The largest s found to be tolerated, at most 2^-36 of the tie below s*; 0 where none is, None where s* is open."""
    tie = _tie(noise)
    low, high = Fraction(0), Fraction(1)  # in units of the tie
    for _ in range(STEPS):
        middle = (low + high) / 2
        tolerated = check(loss, amplified(noise, middle * tie)).asymmetric
        if tolerated is None:
            return low * tie if high - low <= NEAR * high else None
        low, high = (middle, high) if tolerated else (low, middle)
    return low * tie
