"""The weighted risk and its minimiser: against loops, grids, SLSQP, projections and duality."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from asymtheory.asymmetry.newton import duality_gap, phi
from asymtheory.asymmetry.risk import minimise, weighted_risk
from asymtheory.cli import main
from asymtheory.errors import InputError
from asymtheory.losses import (
    AEL,
    AGCE,
    AMSE,
    AUL,
    CE,
    CONVEX,
    FL,
    GCE,
    MAE,
    MSE,
    NCE,
    NFL,
    NGCE,
    NNCE,
    LogitClipCE,
    Loss,
    PHuberCE,
    TaylorCE,
    build,
    names,
)
from asymtheory.losses.profile import Profile

from . import loss_cases as cases

FEW = settings(max_examples=40, deadline=None, derandomize=True)

CONVEX_LOSSES = [
    *cases.CONVEX, FL(gamma=0.5), GCE(q=0.05), AGCE(a=0.2, q=0.5), AGCE(a=0.01, q=0.1), AUL(a=1.5, p=2), AUL(a=1, p=1.2),
    AUL(a=1, p=3), AEL(a=0.3), AMSE(a=3), AMSE(a=1.5, q=1.1), AMSE(a=4, q=1.5), AMSE(a=1, q=1.5), AMSE(a=3, q=3),
    AMSE(a=2, q=7.5), TaylorCE(t=2), TaylorCE(t=6), PHuberCE(tau=3), PHuberCE(tau=30), 0.3 * CE() + 2 * AMSE(a=2),
    AGCE(a=0.2, q=0.5) + MAE(),
]  # fmt: skip
FLAT_LOSSES = [*cases.FLAT, AMSE(a=4, q=1), GCE(q=1)]
MIXED_LOSSES = [*cases.MIXED, AUL(a=1, p=0.5) + 0.2 * CE()]


def weights_of(seed: int, K: int, count: int | None = None) -> Any:
    """Random weights from nearly equal to nearly clean, some of them 0."""
    rng = np.random.default_rng(seed)
    w = rng.gamma(rng.choice([0.2, 1.0, 20.0]), size=(count or 1, K)) + 1e-12
    w[rng.random(w.shape) < 0.15] = 0.0
    w[:, 0] += 1e-3
    return w if count else w[0]


GRID = cases.simplex_grid(150)


# ----------------------------------------------------------------------------------------------- risk


def test_risk_is_the_weighted_sum_of_the_losses() -> None:
    u, w = np.array([0.5, 0.3, 0.2]), np.array([3.0, 1.0, 2.0])
    expected = -3 * math.log(0.5) - math.log(0.3) - 2 * math.log(0.2)
    assert weighted_risk(CE(), w, u) == pytest.approx(expected, rel=1e-14)
    mse = sum(w[k] * sum((float(i == k) - u[i]) ** 2 for i in range(3)) / 3 for k in range(3))
    assert weighted_risk(MSE(), w, u) == pytest.approx(mse, rel=1e-14)


def test_risk_broadcasts_and_counts_zero_times_infinity_as_zero() -> None:
    w = np.array([[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_array_equal(weighted_risk(CE(), w, np.array([1.0, 0.0])), [0.0, math.inf])
    assert weighted_risk(CE(), np.ones(4), np.full((5, 4), 0.25)).shape == (5,)


# --------------------------------------------------------------------------------------- convex losses


@pytest.mark.parametrize("loss", CONVEX_LOSSES, ids=repr)
def test_convex_no_grid_point_is_better_and_the_gap_bounds_the_excess(loss: Loss) -> None:
    for seed in range(12):
        w = weights_of(seed, 3)
        w /= w.sum()
        found = minimise(loss, w)
        assert found.exact
        assert found.point.min() >= 0
        assert found.point.sum() == pytest.approx(1, abs=1e-12)
        value = float(weighted_risk(loss, w, found.point))
        assert value == pytest.approx(found.value, rel=1e-12, abs=1e-12)
        scale = max(1.0, abs(value))
        # around the found point on several scales, and all over the simplex
        near = found.point + np.concatenate([(GRID - found.point) * s for s in (0.1, 1e-3, 1e-6)])
        best = float(np.nanmin(weighted_risk(loss, w, np.concatenate([GRID, near]))))
        assert value <= best + 1e-10 * scale
        assert 0 <= found.gap <= 1e-9 * scale
        assert value - best <= found.gap + 1e-13 * scale


@pytest.mark.parametrize("loss", [loss for loss in CONVEX_LOSSES if loss != AMSE(a=2, q=7.5)], ids=repr)
@pytest.mark.parametrize("K", [2, 4, 7])
def test_convex_never_worse_than_slsqp(loss: Loss, K: int) -> None:
    for seed in range(3):
        w = weights_of(seed, K)
        w /= w.sum()
        found = minimise(loss, w)

        def objective(u: Any, w: Any = w) -> float:
            inside = np.clip(u, 1e-12, None)
            return float(weighted_risk(loss, w, inside / inside.sum()))

        rival = minimize(
            objective, np.full(K, 1 / K), method="SLSQP", bounds=[(0, 1)] * K,
            constraints={"type": "eq", "fun": lambda u: u.sum() - 1}, options={"ftol": 1e-12, "maxiter": 200},
        )  # fmt: skip
        assert float(weighted_risk(loss, w, found.point)) <= objective(rival.x) + 1e-9 * max(1, abs(rival.fun))


@pytest.mark.parametrize("loss", CONVEX_LOSSES, ids=repr)
def test_batched_is_single_permuted_and_free_of_scale(loss: Loss) -> None:
    w = weights_of(5, 6, 20)
    batch = minimise(loss, w)
    assert batch.point.shape == (20, 6)
    assert batch.value.shape == batch.gap.shape == (20,)
    order = np.random.default_rng(1).permutation(6)
    permuted, scaled = minimise(loss, w[:, order]), minimise(loss, 7.5 * w)
    flat = isinstance(loss, PHuberCE)  # its linear pieces leave a choice
    for i in range(20):
        single = minimise(loss, w[i])
        assert single.value == pytest.approx(batch.value[i], rel=1e-9, abs=1e-12)
        assert permuted.value[i] == pytest.approx(batch.value[i], rel=1e-9, abs=1e-12)
        assert scaled.value[i] == pytest.approx(7.5 * batch.value[i], rel=1e-9, abs=1e-12)
    if not flat:
        np.testing.assert_allclose(permuted.point, batch.point[:, order], atol=2e-4)


@pytest.mark.parametrize("loss", CONVEX_LOSSES, ids=repr)
def test_the_duality_gap_bounds_the_excess_anywhere(loss: Loss) -> None:
    rng = np.random.default_rng(4)
    w = weights_of(8, 5, 40)
    w /= w.sum(-1, keepdims=True)
    u = rng.dirichlet(np.ones(5), 40)
    profile = Profile.of(loss, 5)
    value, slope, _ = phi(profile, w, u)
    bound = duality_gap(u.T, slope.T)  # classes on the first axis
    true = value.sum(-1) - phi(profile, w, minimise(loss, w).point)[0].sum(-1)
    assert (true <= bound + 1e-12 * np.abs(bound)).all()


def projection(v: Any) -> Any:
    """Euclidean projection on the simplex, by sorting."""
    ordered = np.sort(v)[::-1]
    sums = np.cumsum(ordered) - 1
    count = np.flatnonzero(ordered - sums / np.arange(1, len(v) + 1) > 0)[-1] + 1
    return np.maximum(v - sums[count - 1] / count, 0)


@given(st.integers(0, 10**6), st.integers(2, 30), st.floats(1, 60))
@FEW
def test_amse_is_the_projection_of_its_scaled_weights(seed: int, K: int, a: float) -> None:
    w = weights_of(seed, K)
    found = minimise(AMSE(a=a), w)
    np.testing.assert_allclose(found.point, projection(a * w / w.sum()), atol=1e-9)


def test_cross_entropy_gives_the_weights_back() -> None:
    w = weights_of(3, 9)
    np.testing.assert_allclose(minimise(CE(), w).point, w / w.sum(), atol=1e-9)


def test_hundred_thousand_classes_in_one_problem() -> None:
    w = np.random.default_rng(0).random(100_000)
    for loss in (CE(), AMSE(a=3), AGCE(a=0.2, q=0.5)):
        found = minimise(loss, w)
        assert found.point.sum() == pytest.approx(1, abs=1e-9)
        assert 0 <= found.gap < 1e-9


def test_flat_pieces_are_filled() -> None:
    # below u = 1/tau every phi_k of PHuber-CE is linear: equal weights leave a choice, any of them is optimal
    for w in ([3.0, 3.0, 1.0], [1.0] * 6, [5.0, 4.999, 0.0, 0.0]):
        found = minimise(PHuberCE(tau=30), w)
        assert found.gap < 1e-9
        assert found.point.sum() == pytest.approx(1, abs=1e-12)


@given(st.sampled_from(CONVEX_LOSSES), st.integers(0, 10**6), st.integers(2, 12))
@FEW
def test_vertex_exactly_where_the_slopes_say_so(loss: Loss, seed: int, K: int) -> None:
    """Moving a little mass off the returned vertex never helps; where another point is returned the vertex is worse."""
    w = np.sort(weights_of(seed, K))[::-1] / weights_of(seed, K).sum()
    found = minimise(loss, w)
    vertex = np.eye(K)[0]
    if found.point[0] == 1:
        moved = vertex + 1e-4 * (np.eye(K)[1:] - vertex)
        assert (weighted_risk(loss, w, moved) >= weighted_risk(loss, w, vertex) - 1e-13).all()
    elif found.point[0] < 1 - 1e-5:
        assert weighted_risk(loss, w, found.point) < weighted_risk(loss, w, vertex)


# ---------------------------------------------------------------------------------------- other shapes


@pytest.mark.parametrize("loss", FLAT_LOSSES, ids=repr)
def test_concave_and_linear_losses_sit_at_the_vertex(loss: Loss) -> None:
    for seed in range(8):
        w = weights_of(seed, 3)
        found = minimise(loss, w)
        assert found.exact
        assert found.point.tolist() == np.eye(3)[w.argmax()].tolist()
        assert found.value <= np.nanmin(weighted_risk(loss, w, GRID)) + 1e-12


@pytest.mark.parametrize("loss", MIXED_LOSSES, ids=repr)
def test_mixed_shapes_are_searched_and_say_so(loss: Loss) -> None:
    for seed in range(6):
        w = weights_of(seed, 3)
        found = minimise(loss, w)
        assert not found.exact
        assert found.gap is None
        assert "search" in found.method
        assert found.value <= np.nanmin(weighted_risk(loss, w, GRID)) + 1e-6 * abs(found.value)


@pytest.mark.parametrize("loss", [NGCE(q=0.7), NGCE(q=0.2), NGCE(q=0.5) + MAE(), NGCE(q=0.5) + AMSE(a=20)], ids=repr)
def test_ngce_vertex_for_a_uniform_rest_and_not_elsewhere(loss: Loss) -> None:
    assert minimise(loss, [0.5, 0.25, 0.25]).point == pytest.approx([1, 0, 0], abs=1e-9)
    skewed = minimise(loss, [0.5, 0.3, 0.2])
    assert skewed.value <= np.nanmin(weighted_risk(loss, np.array([0.5, 0.3, 0.2]), GRID)) + 1e-7
    assert skewed.point[0] < 1


def test_nnce_has_its_cut_off_vertex() -> None:
    found = minimise(NNCE(p_min=0.01), [[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    np.testing.assert_allclose(found.point, [[0.01, 0.98, 0.01], [0.98, 0.01, 0.01]])
    cut = 0.01 + 0.97 * GRID
    assert found.exact
    assert found.value[0] <= np.nanmin(weighted_risk(NNCE(p_min=0.01), np.array([0.2, 0.5, 0.3]), cut)) + 1e-12


def test_p_min_must_leave_room_for_the_classes() -> None:
    with pytest.raises(InputError, match=r"nnce: p_min = 0.5 is outside \(0, 1/3\)"):
        minimise(NNCE(p_min=0.5), [0.5, 0.3, 0.2])


@pytest.mark.parametrize("extra", [AMSE(a=5), AMSE(a=3), MAE(), AGCE(a=6, q=1.5), AEL(a=5)], ids=repr)
def test_nce_added_is_least_in_the_limit_where_the_rest_is(extra: Loss) -> None:
    """No point has less risk than the limit: S at its minimiser plus the least weight (K = 3, one class at 0 there)."""
    w = np.array([0.5, 0.3, 0.2])
    for normalised in (NCE(), NFL(gamma=0.5)):
        found = minimise(normalised + extra, w)
        alone = minimise(extra, w)
        assert (alone.point == 0).any()
        np.testing.assert_allclose(found.point, alone.point, atol=1e-9)
        inside = 1e-9 + (1 - 3e-9) * GRID
        assert np.nanmin(weighted_risk(normalised + extra, w, inside)) >= alone.value + w.min() - 1e-9


def test_nce_alone_has_an_infimum_only() -> None:
    found = minimise(NCE(), [0.5, 0.3, 0.2])
    assert "not attained" in found.method
    near = np.array([0.5, 0.5, 1e-200])
    assert weighted_risk(NCE(), [0.5, 0.3, 0.2], near) == pytest.approx(0.2, abs=1e-3)


# -------------------------------------------------------------------------------------- clipped logits


@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0, 2.5, 8.0])
@pytest.mark.parametrize("w", [[0.5, 0.3, 0.2], [0.34, 0.33, 0.33], [0.9, 0.1, 0.0], [1.0, 0.0, 0.0], [0.6, 0.4]])
def test_clipped_logits_against_the_ball(tau: float, w: list[float]) -> None:
    found = minimise(LogitClipCE(tau=tau), w)
    z = np.log(found.point)
    assert np.linalg.norm(z - z.mean()) <= tau * (1 + 1e-9)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(20_000, len(w)))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    samples = np.concatenate([tau * direction, tau * rng.random((20_000, 1)) * direction])
    assert found.value <= weighted_risk(CE(), np.array(w), cases.softmax(samples)).min() + 1e-12


def test_clipped_logits_with_many_classes_reach_the_rim_of_the_ball() -> None:
    """The multiplier can exceed twice the largest weight over tau plus one when the weight is spread over many classes."""
    w = np.zeros(10_000)
    w[:100] = 0.01
    point = minimise(LogitClipCE(tau=0.01), w).point
    z = np.log(point)
    assert np.linalg.norm(z - z.mean()) == pytest.approx(0.01, rel=1e-6)
    assert z[0] - z[-1] == pytest.approx(0.01 / math.sqrt(100 * 0.99), rel=1e-3)


# ----------------------------------------------------------------------------- every registered loss


@pytest.mark.parametrize("name", list(names()))
def test_every_loss_has_a_minimiser_that_no_sampled_point_beats(name: str) -> None:
    loss, w = build(name), np.array([0.45, 0.3, 0.25])
    found = minimise(loss, w)
    assert found.point.sum() == pytest.approx(1, abs=1e-9)
    assert found.point.min() >= 0
    profile = Profile.of(loss, 3)
    if profile.clipped or "not attained" in found.method:
        return
    floor = float(profile.negative[0][1].p_min) if profile.negative else 1e-12
    inside = floor + (1 - 3 * floor) * GRID
    limit = 0.0
    if profile.normalised and (found.point <= 1e-12).any() and not profile.negative and not name.startswith("ngce"):
        limit = float(min(w)) * float(profile.normalised[0][0])
        separable = np.where(found.point > 0, found.point, 0)
        alone = [term for term in loss.terms() if term[1].name not in ("nce", "nfl")]
        value = sum(float(c) * float(weighted_risk(atom, w, separable)) for c, atom in alone)
    else:
        value = float(weighted_risk(loss, w, found.point))
    assert value + limit <= np.nanmin(weighted_risk(loss, w, inside)) + 1e-6


def test_minimiser_prints_and_converts() -> None:
    one, many = minimise(AMSE(a=2), [0.5, 0.3, 0.2]).to_dict(), minimise(AMSE(a=2), [[0.5, 0.3, 0.2]] * 2).to_dict()
    assert set(one) == {"point", "value", "gap", "method", "exact"}
    assert isinstance(one["value"], float)
    assert isinstance(one["point"][0], float)
    assert many["value"] == [one["value"]] * 2
    assert minimise(NGCE(), [0.5, 0.3, 0.2]).to_dict()["gap"] is None


def test_fractions_and_integers_are_weights_too() -> None:
    assert minimise(AMSE(a=4), [Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)]).point.tolist() == [1, 0, 0]
    assert minimise(AMSE(a=4), [2, 1, 1]).point.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, -0.1], "finite, >= 0"),
        ([0.5, math.nan], "finite"),
        ([0.5, math.inf], "finite"),
        ([0.0, 0.0], "not all 0"),
        ([1.0], r"shape \(1,\)"),
        ([[[0.5, 0.5]]], r"shape \(1, 1, 2\)"),
        ([[0.5, 0.5], [0.0, 0.0]], "not all 0"),
    ],
)
def test_bad_weights_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        minimise(MAE(), weights)


def test_shapes_of_the_convex_list_are_convex() -> None:
    assert {Profile.of(loss, 3).shape() for loss in CONVEX_LOSSES} == {CONVEX}


@pytest.mark.parametrize(
    "words",
    [
        "amse --set a=9 q=500 --weights 6,3,1",
        "fl --weights 1e9,1e-9",
        "fisher-rao --weights 1e9,1e-9",
        "logit-bias-ce --set eps=54.7 --weights 5,3,2,1,1",
    ],
)
def test_extreme_weights_and_parameters_give_no_warning(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--loss", *words.split()]) in (0, 1)  # a warning is an error here
    assert capsys.readouterr().err == ""
