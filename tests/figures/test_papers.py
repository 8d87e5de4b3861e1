"""The numbers that the papers' figures draw, against brute force and against what the papers say where they are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

pytest.importorskip("matplotlib")

from asymtheory_figures.theory import alf, anl, jal
from asymtheory_figures.theory.calibration import calibration_data
from asymtheory_figures.theory.gradients import by_logit, by_probability, with_equal_rest

from asymtheory import WeightedRiskResult, build
from asymtheory.errors import InputError
from asymtheory.experiments.result import MINIMISER, OTHER, VERTEX
from asymtheory.losses import Loss
from asymtheory.numbers.backends import numpy_

from .figure_checks import fig2_data, fig2_exponents_data

pytestmark = pytest.mark.xdist_group("papers")


def binary(loss: Loss, v: np.ndarray) -> np.ndarray:
    """l(v) on two classes, from the loss itself."""
    return loss(np.stack([v, 1 - v], axis=-1))[..., 0]


def brute(loss: Loss, eta: np.ndarray, steps: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """(H, H^-) as minima over a grid of predictions that holds 0, 1/2 and 1; 0 times an infinite loss is 0."""
    v = np.linspace(0, 1, steps + 1)
    with np.errstate(invalid="ignore"):
        risk = np.nan_to_num(eta[:, None] * binary(loss, v), nan=0.0, posinf=np.inf)
        risk = risk + np.nan_to_num((1 - eta[:, None]) * binary(loss, 1 - v), nan=0.0, posinf=np.inf)
    wrong = (v - 0.5) * (2 * eta[:, None] - 1) <= 0
    return risk.min(1), np.where(wrong, risk, np.inf).min(1)


# ------------------------------------------------------------------------------------------------ ALF Fig. 1


def test_calibration_curves_are_least_risks() -> None:
    data = alf.alf_fig1_data(41)
    assert {name: len(curves) for name, curves in data.items()} == {"agce": 3, "aul": 3}
    for name, curves in data.items():
        for curve, parameters in zip(curves, alf.CALIBRATED[name], strict=True):
            loss = build(name, **parameters)
            assert parameters["q" if name == "agce" else "p"] > 1 if name == "agce" else parameters["p"] < 1
            H, H_minus = brute(loss, curve.eta)  # concave: both minima lie on the grid
            np.testing.assert_allclose(curve.H, H, atol=1e-12)
            np.testing.assert_allclose(curve.H_minus, H_minus, atol=1e-12)
            off = curve.eta != 0.5
            assert (curve.H_minus - curve.H)[off].min() > 0.005
            np.testing.assert_allclose(curve.H_minus[~off], curve.H[~off], atol=1e-12)
            np.testing.assert_allclose(curve.H[~off] + curve.gap_half, binary(loss, np.array([0.5])), atol=1e-12)


# ------------------------------------------------------------------------------------------------ ALF Fig. 2


@pytest.fixture(scope="module")
def scales() -> list[alf.Sweep]:
    return fig2_data(24, 2)


@pytest.fixture(scope="module")
def exponents() -> list[alf.Sweep]:
    return fig2_exponents_data(24, 2)


# the corollaries of ALF, solved for the parameter: they are the core's claims to check, here its rivals
THRESHOLDS = {
    ("agce", "a"): lambda c: 1 / (c**2 - 1),  # q = 1/2
    ("aul", "a"): lambda c: c / (c - 1),  # p = 2
    ("ael", "a"): lambda c: 1 / np.log(c),
    ("agce", "q"): lambda c: 1 - np.log(c) / np.log(3),  # a = 1/2
    ("aul", "p"): lambda c: 1 + np.log(c) / np.log(2),  # a = 2
}


def test_thresholds_are_those_of_the_corollaries(scales: list[alf.Sweep], exponents: list[alf.Sweep]) -> None:
    assert [(s.loss.name, s.parameter) for s in [*scales, *exponents]] == list(THRESHOLDS)
    for one in [*scales, *exponents]:
        known = np.isfinite(one.result.threshold)
        assert known.sum() >= 12
        w = np.sort(one.result.weights, axis=-1)
        np.testing.assert_allclose(one.level, w[:, -1] / w[:, -2])
        expected = THRESHOLDS[one.loss.name, one.parameter](one.level[known])
        np.testing.assert_allclose(one.result.threshold[known], expected, rtol=1e-9)


def test_three_draws_of_different_clean_levels_are_shown(scales: list[alf.Sweep], exponents: list[alf.Sweep]) -> None:
    for one in [*scales, *exponents]:
        levels = one.level[one.shown]
        assert len(levels) == 3
        assert (np.diff(levels) > 0.05).all()
        for target, level in zip(alf.LEVELS, levels, strict=True):
            known = np.isfinite(one.result.threshold)
            assert abs(level - target) == abs(one.level[known] - target).min()


def test_the_line_is_the_exact_minimiser(scales: list[alf.Sweep], exponents: list[alf.Sweep]) -> None:
    for one in [*scales, *exponents]:
        at = np.searchsorted(one.fine, one.values)
        np.testing.assert_array_equal(one.fine[at], one.values)
        np.testing.assert_allclose(one.exact[at], one.result.exact[:, one.shown], atol=1e-9)
        for i, draw in enumerate(one.shown):
            star = one.result.threshold[draw]
            assert (one.fine == star).sum() == 1
            np.testing.assert_allclose(one.exact[one.fine == star, i], 1, atol=1e-9)
            asymmetric = one.fine <= star if one.parameter == "p" else one.fine >= star
            np.testing.assert_allclose(one.exact[asymmetric, i], 1, atol=1e-9)
            assert one.exact[~asymmetric, i].max() < 1 - 1e-6


def test_the_line_against_a_general_solver(scales: list[alf.Sweep]) -> None:
    one = scales[0]
    draw = one.shown[1]
    w, at = one.result.weights[draw], int(np.searchsorted(one.fine, one.result.threshold[draw]) // 2)
    loss = one.loss.replace(a=float(one.fine[at]))
    found = minimize(
        lambda u: float(w @ loss(np.abs(u))), np.full(10, 0.1), method="SLSQP", bounds=[(1e-12, 1)] * 10,
        constraints={"type": "eq", "fun": lambda u: u.sum() - 1}, options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert found.success
    np.testing.assert_allclose(found.x[w.argmax()], one.exact[at, 1], atol=2e-4)


def outcomes(result: WeightedRiskResult, chosen: np.ndarray) -> list[float]:
    return [float((result.outcome[chosen] == code).mean()) for code in (VERTEX, MINIMISER, OTHER)]


def test_shares_over_a_in_units_of_the_threshold(scales: list[alf.Sweep]) -> None:
    for one in scales:
        assert np.isclose(one.edges, 1).any()
        inside = np.isfinite(one.result.threshold)
        ratio = np.where(inside, one.values[:, None] / one.result.threshold, np.nan)
        for low, high, share in zip(one.edges[:-1], one.edges[1:], one.shares.T, strict=True):
            chosen = (ratio >= low) & (ratio < high)
            if chosen.any():
                np.testing.assert_allclose(share, outcomes(one.result, chosen))
            else:
                assert np.isnan(share).all()
        above, below = one.edges[:-1] >= 1 - 1e-9, one.edges[1:] <= 0.8
        assert one.shares[0, above].min() > 0.99  # asymmetric: all at e_m
        assert np.nanmin(one.shares[1, below]) > 0.95  # else inside, where the exact minimiser is
        assert np.nanmax(one.shares[2]) == 0  # convex: no other vertex


def test_concave_losses_lose_starts_to_other_vertices(exponents: list[alf.Sweep]) -> None:
    for one in exponents:
        for i, share in enumerate(one.shares.T):
            chosen = np.zeros(one.result.outcome.shape[:2], dtype=bool)
            chosen[i] = True
            np.testing.assert_allclose(share, outcomes(one.result, chosen))
        concave = one.values > 1.3 if one.parameter == "q" else one.values < 0.7
        convex = one.values < 1 if one.parameter == "q" else one.values > 1
        assert one.shares[2, concave].min() > 0.1
        assert one.shares[2, convex].max() == 0
        assert one.result.exact[concave].min() == 1  # the minimiser is e_m all the same


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(InputError, match="option draws = 3: a whole number from 10"):
        alf.alf_fig2_data(draws=3)


# ------------------------------------------------------------------------------------------------ ALF Fig. 4


def test_losses_their_shapes_and_ratios() -> None:
    ratios = {
        "agce": lambda a, q: (a / (a + 1)) ** (1 - q) if q < 1 else 1,
        "aul": lambda a, p: ((a - 1) / a) ** (p - 1) if p > 1 else 1,
        "ael": lambda a: np.exp(-1 / a),
    }
    data = alf.alf_fig4_data(101)
    assert list(data) == list(ratios)
    for name, curves in data.items():
        for curve in curves:
            np.testing.assert_allclose(curve.value, binary(curve.loss, curve.u), rtol=1e-12, atol=1e-14)
            values = {p: float(v) for p, v in curve.loss.parameters.items()}
            assert curve.r == pytest.approx(ratios[name](**values), abs=1e-9)
            bend = np.diff(curve.value, 2)
            if curve.shape == "linear":
                np.testing.assert_allclose(bend, 0, atol=1e-12)
            else:
                assert (bend[1:] > 0).all() if curve.shape == "convex" else (bend < 0).all()


# ------------------------------------------------------------------------------------------------ ANL


def test_flipping_is_a_reflection() -> None:
    data = anl.anl_fig1_data(build("ce"))
    assert (data.p[0], data.p[-1]) == (1e-7, 1)
    np.testing.assert_allclose(data.loss, -np.log(data.p), rtol=1e-12, atol=1e-15)
    assert pytest.approx(7 * np.log(10)) == data.A
    np.testing.assert_allclose((data.loss + data.flipped) / 2, data.A / 2)
    assert data.flipped[0] == 0
    assert (np.diff(data.flipped) > 0).all()
    nnce = build("nnce").on(numpy_())
    np.testing.assert_allclose(data.flipped, nnce.flipped(data.p, np.log(data.p), numpy_()), atol=1e-12)


def test_flipping_another_loss_and_what_cannot_be_flipped() -> None:
    data = anl.anl_fig1_data(build("mae"))
    np.testing.assert_allclose(data.loss, 2 * (1 - data.p), atol=1e-15)
    with pytest.raises(InputError, match=r"flips losses of the form l\(p_k\); nce is none"):
        anl.anl_fig1_data(build("nce"))
    with pytest.raises(InputError, match=r"p_min = 0\.5"):
        anl.anl_fig1_data(build("ce"), p_min=0.5)


def test_gradients_of_nnce_and_mae() -> None:
    data = anl.anl_gradients_data(40)
    A, K = 7 * np.log(10), anl.K
    assert data.mae == (1, 1)  # ANL Eq. 14
    for p_y, p_j in data.p_j.items():
        rest = (1 - p_y - p_j) / (K - 2)
        total = K * A + np.log(p_y) + np.log(p_j) + (K - 2) * np.log(rest)
        np.testing.assert_allclose(data.other[p_y], (A + np.log(p_y)) / p_j / total**2, rtol=1e-10)  # Eq. 15
    others = (K - 1) * (A + np.log((1 - data.p_y) / (K - 1)))
    total = others + A + np.log(data.p_y)
    np.testing.assert_allclose(data.own, others / data.p_y / total**2, rtol=1e-10)  # Eq. 25
    np.testing.assert_allclose(data.own / data.printed, others, rtol=1e-10)  # what Eq. 15 lacks


def test_map_of_the_gradient() -> None:
    data = anl.anl_gradients_data(40)
    np.testing.assert_allclose(data.map_j[:, 0], 1e-4)
    np.testing.assert_allclose(data.map_j[:, -1] + data.map_y[:, 0], 0.995)  # up to the edge of the simplex, nearly
    y, j = 20, 11
    point = with_equal_rest(anl.K, p_y=data.map_y[y, 0], p_j=data.map_j[y, j])
    up, down = point.copy(), point.copy()
    step = 1e-6 * point[1]
    up[1] += step
    down[1] -= step
    nnce = build("nnce")
    np.testing.assert_allclose(data.field[y, j], (nnce(up)[0] - nnce(down)[0]) / (2 * step), rtol=1e-5)
    larger = data.field > 1
    assert larger.any()
    assert not larger.all()
    assert data.map_j[larger].max() < 0.002  # the caption says: p_j below about 0.001


# ------------------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("name", ["ce", "fl", "amse", "agce", "aul", "nce", "nnfl", "jal-ce", "anl-ce", "phuber-ce"])
def test_gradients_against_differences(name: str) -> None:
    loss, random = build(name), np.random.default_rng(3)
    z = random.standard_normal((4, 5))
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    h = 1e-6
    for y in (0, 3):
        slopes, logits = by_probability(loss, p, y), by_logit(loss, p, y)
        for j in range(5):
            step = h * np.eye(5)[j]
            expected = (loss(p + step)[..., y] - loss(p - step)[..., y]) / (2 * h)
            np.testing.assert_allclose(slopes[..., j], expected, rtol=1e-6, atol=1e-7)
            moved = [np.exp(z + s * step) / np.exp(z + s * step).sum(-1, keepdims=True) for s in (1, -1)]
            expected = (loss(moved[0])[..., y] - loss(moved[1])[..., y]) / (2 * h)
            np.testing.assert_allclose(logits[..., j], expected, rtol=1e-6, atol=1e-7)


def test_points_with_an_equal_rest() -> None:
    points = with_equal_rest(5, p_y=np.array([0.2, 0.5]), p_j=0.1)
    np.testing.assert_allclose(points, [[0.2, 0.1, 0.7 / 3, 0.7 / 3, 0.7 / 3], [0.5, 0.1, 0.4 / 3, 0.4 / 3, 0.4 / 3]])
    np.testing.assert_allclose(with_equal_rest(3, p_y=0.5), [0.5, 0.25, 0.25])


# ------------------------------------------------------------------------------------------------ JAL Supp. A


def test_gradients_of_amse() -> None:
    data = jal.jal_gradients_data(points=21)
    assert data.a == (1, 2, 9, 30)
    assert data.threshold == 9  # JAL Sec. 4.3
    f_k = (1 - data.f_y) / 9
    for row, a in enumerate(data.a):
        np.testing.assert_allclose(data.own[row], 0.2 * (float(a) - data.f_y), rtol=1e-9)
        np.testing.assert_allclose(data.other[row], 0.2 * f_k, rtol=1e-9)  # the same for every a
        np.testing.assert_allclose(data.weight[row], (float(a) - data.f_y) / float(a), atol=2e-6)
        g = data.f_y * (-data.own[row] * (1 - data.f_y) - 0.2 * f_k * (1 - data.f_y))
        np.testing.assert_allclose(data.logit[row], g / g.min(), rtol=1e-6)
    np.testing.assert_allclose(data.mae, 4 * data.f_y * (1 - data.f_y), rtol=1e-9)
    distance = [float(abs(row - data.mae).max()) for row in data.logit]
    assert distance == sorted(distance, reverse=True)  # a large a gives the weights of MAE
    assert distance[-1] < 0.02 < 0.2 < distance[0]


def test_other_class_counts_have_their_own_threshold() -> None:
    assert jal.jal_gradients_data(K=20, points=5).threshold == pytest.approx(19 / 3)
    with pytest.raises(InputError, match="option K = 5"):
        jal.jal_gradients_data(K=5)


# ------------------------------------------------------------------------------------------------ calibration


@pytest.mark.parametrize(("name", "parameters"), [("ce", {}), ("gce", {}), ("agce", {"a": 1, "q": 2}), ("mae", {})])
def test_calibration_of_any_loss(name: str, parameters: dict[str, float]) -> None:
    loss = build(name, **parameters)
    data = calibration_data(loss, 21)
    H, H_minus = brute(loss, data.curve.eta)
    for exact, over_grid in ((data.curve.H, H), (data.curve.H_minus, H_minus)):
        assert (exact <= over_grid + 1e-12).all()
        np.testing.assert_allclose(exact, over_grid, atol=1e-4)
    assert data.undecided == pytest.approx(float(binary(loss, np.array([0.5]))[0]))
    assert (data.curve.psi <= data.curve.psi_tilde + 1e-12).all()
    assert data.bound is not None
    assert data.bound.holds is (name in ("agce", "mae"))
