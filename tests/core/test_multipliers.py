"""Bounds by Lagrange multipliers of sums with a normalised negative term, and thresholds that they settle."""

from __future__ import annotations

from fractions import Fraction as F
from typing import TypeAlias
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray

from asymtheory import build, solve
from asymtheory.asymmetry.multipliers import Multipliers
from asymtheory.asymmetry.prices import Rows
from asymtheory.asymmetry.sweep import Sweep
from asymtheory.losses import AEL, AMSE, CE, FL, NNCE, NNFL, Loss
from asymtheory.noise import NoiseModel, from_weights, pair, symmetric
from asymtheory.threshold import sweeping

Array: TypeAlias = NDArray[np.float64]

DIFFERENT = from_weights([F("3.36"), *map(F, (3, 3, 3, 3, 3, 2, 2, 1, 1, 1, 1)), *[F(0)] * 8])
BESIDE = {"rdpo": build("rdpo", e=F("0.276")), "logit-bias": build("logit-bias-ce", eps=10), "ce": CE()}


def excess(loss: Loss, weights: list[float], floor: float, receivers: int) -> float:
    """The least excess over the cut-off vertex where so many of the largest other classes share the mass evenly, on a fine grid."""
    K = len(weights)
    t = np.concatenate([np.geomspace(1e-9, 1e-2, 4000), np.linspace(1e-2, 1, 20001)])[:, None]
    aim = np.array([0.0] + [1 / receivers] * receivers + [0.0] * (K - 1 - receivers))
    vertex = np.eye(K)[0]
    u = floor + (1 - K * floor) * ((1 - t) * vertex + t * aim)
    return float(((loss(u) - loss(floor + (1 - K * floor) * vertex)) @ np.array(weights)).min())


@pytest.mark.parametrize(
    ("loss", "parameter", "noise", "receivers", "below"),
    [
        (F("0.077") * NNCE() + F("0.12") * BESIDE["rdpo"], "alpha", symmetric(5, F("0.693")), 4, False),
        (F("9.3") * NNFL(gamma=2) + F("0.11") * BESIDE["logit-bias"], "alpha", pair(3, F("0.141")), 1, False),
        (F("1.3") * NNFL(gamma=F("1.5")) + F("7.3") * AEL(a=F("0.3")), "beta", symmetric(10, F("0.25")), 1, True),
        (F("0.079") * NNCE() + F("0.064") * build("vsl", a=F("2.87")), "alpha", DIFFERENT, 1, False),
    ],
)
def test_a_threshold_is_where_a_grid_sees_it(
    loss: Loss, parameter: str, noise: NoiseModel, receivers: int, below: bool
) -> None:
    """Mass that goes evenly to so many classes decides: a grid of it has less risk just outside of the end, and none inside."""
    found = solve(loss, noise, parameter)
    assert found.status == "threshold"
    end = found.pieces[0].high if below else found.end
    assert end is not None
    assert end.high - end.low <= 1e-3 * end.value
    row = noise.rows[0]
    weights = sorted((float(w) for w in row.weights), reverse=True)
    for value, holds in ((end.low * (1 - 1e-4), below), (end.high * (1 + 1e-4), not below)):
        at = found.loss.replace(**{parameter: F(value)})
        assert (excess(at, weights, 1e-7, receivers) >= 0) == holds


def test_a_bias_of_the_logit_has_its_end_and_nothing_is_assumed_beyond() -> None:
    """CE with a biased logit beside NNCE on two classes: e^eps would cancel in its logarithm, and overflow from 710 on."""
    loss = F("0.24") * NNCE() + F("0.14") * build("logit-bias-ce", eps=1)
    found = solve(loss, from_weights([F("0.9421"), F("0.0579")]), "eps")
    assert (found.status, "no proof" in found.condition) == ("threshold", False)
    assert found.end is not None
    for value, holds in ((found.end.low * (1 - 1e-4), False), (found.end.high * (1 + 1e-4), True), (600.0, True)):
        assert (excess(loss.replace(eps=F(value)), [0.9421, 0.0579], 1e-7, 1) >= 0) == holds


def test_between_weights_that_work_and_that_do_not_single_ones_are_asked() -> None:
    """What is left undecided of CE with a biased logit beside NNCE is narrow, and said with a weight that is not certified."""
    loss = F("0.35") * BESIDE["logit-bias"].replace(eps=F("20.6")) + F("0.28") * NNCE()
    found = solve(loss, from_weights([F("2.59"), 0, 1, 0]), "beta")
    assert (found.status, "is not positive (at 0.03972)" in found.condition) == ("undecided", True)
    (piece,) = found.pieces
    assert piece.low is not None
    assert 0.0396 < piece.low.low < piece.low.high < 0.06


def test_boxes_next_to_a_no_do_not_grow_again_where_they_failed() -> None:
    """Of boxes that are settled up to 1.4 times as far out as they begin, all are looked at in time."""
    asked = []

    def verdicts(low: Array, high: Array, **_: bool) -> list[int]:
        asked.append((low[0], high[0]))
        return [1 if high[0] - 1 <= 1.4 * (low[0] - 1) else 0]

    assert sweeping._closely_from(Mock(verdicts=verdicts), 1.0, 1.04) == 1 + sweeping.ASIDE
    assert len(asked) < 25


def test_boxes_of_p_min_are_settled_next_to_their_end() -> None:
    """NNFL beside CE on 50 classes: the end is 1.0075e-5 on a grid of mass that goes to all classes evenly."""
    loss, row = 14 * NNFL(gamma=2) + F("0.75") * CE(), symmetric(50, F("0.717")).rows[0]
    weights = [0.283] + [0.717 / 49] * 49
    assert excess(loss.replace(p_min=F("1.007e-5")), weights, 1.007e-5, 49) < 0
    assert excess(loss.replace(p_min=F("1.009e-5")), weights, 1.009e-5, 49) > 0
    sweep = Sweep.of(loss.at(50), row, "p_min")
    assert sweep.verdicts(np.array([1.009e-5]), np.array([1.011e-5]), closely=True).tolist() == [1]
    assert sweep.verdicts(np.array([1.003e-5]), np.array([1.0045e-5]), closely=True).tolist() == [-1]


@pytest.mark.parametrize("weights", [[5, 4, 0, 0], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0.5]])
@pytest.mark.parametrize(
    ("loss", "negative"),
    [
        (2 * NNCE(p_min=F(1, 1000)) + CE(), NNCE(p_min=F(1, 1000))),
        (NNFL(p_min=F(1, 50)) + AMSE(a=2, q=F(1, 2)) + FL(gamma=2), NNFL(p_min=F(1, 50))),
    ],
)
def test_the_bound_holds_at_random_points(loss: Loss, negative: Loss, weights: list[float]) -> None:
    """The row whose intervals hold t, the quotient tau and the two largest shares of a point has a bound below its excess."""
    rng = np.random.default_rng(len(weights))
    sweep = Sweep.of(loss.at(len(weights)), from_weights(weights).rows[0])
    bound = Multipliers.of(sweep.transfer)
    assert bound is not None
    w, K = np.array(weights) / sum(weights), len(weights)
    floor, tip = float(sweep.transfer.floor), float(sweep.transfer.tip)
    u = np.concatenate([rng.dirichlet(np.full(K, x), 40) for x in (0.1, 0.5, 2.0)])
    u[:, 1:] = np.sort(u[:, 1:])[:, ::-1]  # at a minimum the receipts are ordered as the weights
    u = floor + (1 - K * floor) * u
    vertex = np.where(np.arange(K) == 0, tip, floor)
    x = (u[:, 1:] - floor) / (tip - u[:, :1])
    known = (tip - u[:, 0]) / (tip - floor), (negative(u) - negative(vertex)) @ w, x[:, 0], x[:, 1]
    wide = 1 + 0.05 * rng.random((4, len(u)))
    ends = [end for y, a in zip(known, wide, strict=True) for end in (y / a, np.minimum(1.0, y * a))]
    least = bound.bound(Rows.fresh(*ends))
    assert (least <= (loss(u) - loss(vertex)) @ w + 1e-9).all()
    assert np.isfinite(least).mean() > 0.9


@pytest.mark.parametrize("side", [0, 1])
def test_lines_are_below_the_terms_they_stand_for(side: int) -> None:
    """For random multipliers and intervals, also within one cell: never above the least value on a fine grid, and close to it."""
    loss = 2 * NNCE(p_min=F(1, 1000)) + CE() + AMSE(a=2, q=F(1, 2))
    bound = Multipliers.of(Sweep.of(loss.at(4), from_weights([5, 3, 1, 1]).rows[0]).transfer)
    assert bound is not None
    rng, lines = np.random.default_rng(side), bound.fine[1][side]
    first = rng.random(200)
    last = np.minimum(1.0, first + rng.choice([1e-3, 0.03, 0.5], 200))
    scale, price = rng.random(200) * 3 * (-1) ** side, rng.normal(size=200) * 5
    least = lines.least(scale, 0 * scale, price, first, last)
    x, nodes = np.linspace(first, last, 300), bound._nodes(4000)
    h, y = (np.interp(x, nodes, z) for z in bound._lines(nodes)[1][side].table[:2])
    values = (h + scale * y - price * x).min(0)
    assert (least <= values + 1e-6).all()
    assert (least >= values - 1e-2 * (1 + np.abs(price))).all()
