"""Guarantees in numbers, held against brute force: grids on the simplex, perturbed rows, numerical gradients."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from asymtheory import (
    AGCE,
    AMSE,
    AUL,
    CE,
    GCE,
    MAE,
    MSE,
    NCE,
    NGCE,
    NNCE,
    RCE,
    InputError,
    Loss,
    NoiseModel,
    Row,
    build,
    check,
    from_formula,
    from_matrix,
    from_posteriors,
    from_weights,
    minimise,
    named,
    pair,
    symmetric,
    weighted_risk,
)
from asymtheory.asymmetry.guarantees import Radius, guarantee, relative_constant, trade_off
from asymtheory.cli import main
from asymtheory.threshold.tolerance import best_constant

F = Fraction
WEIGHTS = [(F(1, 2), F(3, 10), F(1, 5)), (F(3, 5), F(1, 5), F(1, 5)), (F(9, 20), F(2, 5), F(3, 20))]
SEPARABLE = [
    AMSE(a=20), AMSE(a=4, q=F(3, 2)), AGCE(a=2, q=F(1, 2)), AGCE(a=1, q=2), AUL(a=8, p=2), AUL(a=3, p=F(1, 2)),
    build("ael", a=5), MAE(), RCE(), build("taylor-ce", t=1), 2 * AGCE(a=3, q=F(1, 2)) + MAE(),
]  # fmt: skip


def simplex(steps: int, K: int = 3) -> np.ndarray[Any, np.dtype[np.float64]]:
    """All points of the simplex with coordinates that are multiples of 1/steps: (N, K)."""
    points = [p for p in itertools.product(range(steps + 1), repeat=K - 1) if sum(p) <= steps]
    return np.array([(*p, steps - sum(p)) for p in points]) / steps


GRID = simplex(40)
WRONG = GRID[GRID[:, 0] <= GRID[:, 1:].max(axis=1)]


def excess(loss: Loss, weights: tuple[Fraction, ...], points: Any) -> Any:
    """F(u) - F(e_m) by the loss's definition."""
    at_vertex = weighted_risk(loss, [float(w) for w in weights], np.eye(len(weights))[0])
    return weighted_risk(loss, [float(w) for w in weights], points) - at_vertex


# ---------------------------------------------------------------------------------------------- slack and constants


def test_the_numbers_of_amse_are_those_of_the_formula() -> None:
    """Slack (2/K)(a margin - 1), worked out by hand from AMSE's definition."""
    found = guarantee(AMSE(a=20), symmetric(10, F("0.4"))).to_dict()
    assert found["asymmetric"] is True
    assert found["binding_class"] == 0
    assert found["slack"] == pytest.approx(0.2 * (20 * 5 / 9 - 1), abs=1e-14)
    assert found["constant"] == pytest.approx(2 / found["slack"], abs=1e-14)
    assert found["range"] == pytest.approx(4)
    assert found["relative_constant"] == pytest.approx(20 / (20 * 5 / 9 - 1))
    assert found["radius"] == pytest.approx({"l1": 0.505555556, "tv": 0.252777778, "entry": 0.252777778})


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
@pytest.mark.parametrize("loss", SEPARABLE, ids=str)
def test_slack_and_constants_hold_on_a_grid(loss: Loss, weights: tuple[Fraction, ...]) -> None:
    found = guarantee(loss, weights)
    assert found.slack is not None
    risk = excess(loss, weights, GRID)
    assert (risk - found.slack * (1 - GRID[:, 0])).min() >= -1e-12
    if not found.asymmetric or found.constant is None:
        return
    assert found.sharp is not None
    least = excess(loss, weights, WRONG).min()
    assert 1 / found.constant <= least + 1e-12
    assert found.sharp <= found.constant * (1 + 1e-9)
    assert 1 / found.sharp <= least + 1e-9  # a lower bound ...
    assert 1 / found.sharp >= least * 0.975 - 1e-9  # ... that is reached up to the grid


@pytest.mark.parametrize("loss", [CE(), GCE(q=F(7, 10)), MSE(), AMSE(a=2)], ids=str)
def test_below_the_threshold_the_argmax_is_kept_and_the_sharp_constant_holds(loss: Loss) -> None:
    weights = (F(1, 2), F(3, 10), F(1, 5))
    found = guarantee(loss, weights)
    assert found.asymmetric is False
    assert found.constant is None
    assert found.keeps_argmax
    best = minimise(loss, [float(w) for w in weights])
    assert best.point.argmax() == 0
    with np.errstate(invalid="ignore"):
        least = np.nanmin(weighted_risk(loss, [float(w) for w in weights], WRONG)) - best.value
    assert found.sharp is not None
    assert 0 < 1 / found.sharp <= least + 1e-9
    assert 1 / found.sharp >= least * 0.975


@pytest.mark.parametrize(
    "loss", [build("taylor-ce", t=6), build("phuber-ce", tau=F(11, 10)), build("fisher-rao")], ids=str
)
@pytest.mark.parametrize("weights", [(F(211, 200), F(1)), (F(1), F(3))], ids=str)
def test_with_two_classes_the_sharp_constant_is_that_of_equal_entries(
    loss: Loss, weights: tuple[Fraction, ...]
) -> None:
    shares = [float(w / sum(weights)) for w in weights]
    u = np.linspace(0, 1, 400_001)
    risk = weighted_risk(loss, shares, np.stack([u, 1 - u], axis=-1))
    assert guarantee(loss, weights).sharp == pytest.approx(1 / (risk[200_000] - risk.min()), rel=1e-5)


def test_the_constants_of_a_matrix_hold_on_every_row() -> None:
    """Half-way between two vertices the excess is not a function of the margin: row 1 has more of it, and the larger constant."""
    rows = [[50, 40, 2.5, 2.5, 2.5, 2.5], [19, 30, 12.75, 12.75, 12.75, 12.75]]
    rows += [[2 if j != i else 90 for j in range(6)] for i in range(2, 6)]
    model = from_matrix([[F(x) / 100 for x in row] for row in rows])
    for loss in (AGCE(a=1, q=F(3, 2)), AMSE(a=12)):
        every = [
            guarantee(loss, [row.top, *(w for k, w in enumerate(row.weights) if k != row.target)])
            for row in model.rows[:3]
        ]
        found = guarantee(loss, model)
        assert found.asymmetric
        assert found.sharp == pytest.approx(max(float(one.sharp or 0) for one in every), rel=1e-9)
        assert found.constant == pytest.approx(max(float(one.constant or math.inf) for one in every), rel=1e-12)
    point = np.array([0.5, 0.5, 0, 0, 0, 0])
    concave = AGCE(a=1, q=F(3, 2))
    least = float(excess(concave, (F(30), F(19), *[F(51, 4)] * 4), point)) / 100
    assert guarantee(concave, model).constant == pytest.approx(1 / least, rel=1e-12)


def test_a_constant_for_uniform_rests_needs_one_in_every_row() -> None:
    """The row of least margin has one here, the others have not."""
    rows = [[F(4, 10), F(3, 10), F(3, 10)], [F(1, 10), F(8, 10), F(1, 10)], [F(2, 20), F(3, 20), F(15, 20)]]
    loss = build("anl-ce", alpha=1)
    assert guarantee(loss, rows[0]).constant is not None
    assert guarantee(loss, from_matrix(rows)).asymmetric
    assert guarantee(loss, from_matrix(rows)).constant is None


def test_no_sharp_constant_where_none_is_known() -> None:
    """Convex beside concave, where the risk of an error need not be least at an extreme point; a difference lost in rounding."""
    loss = from_formula("(1.2-u)**2", passive="sqrt(u)/50")
    assert guarantee(loss, [7, 3, 2]).keeps_argmax
    assert guarantee(loss, [7, 3, 2]).sharp is None
    assert guarantee(CE(), [1 + F(1, 10**6), 1, 1]).sharp is None
    assert guarantee(MAE(), [1 + F(1, 10**6), 1, 1]).sharp == pytest.approx(3_000_001, rel=1e-9)


def test_equality_has_no_constant() -> None:
    found = guarantee(AMSE(a=9), symmetric(10, F("0.8")))
    assert found.asymmetric is True
    assert found.slack == 0
    assert found.constant is None
    assert "equality" in found.reason
    assert found.radius is not None
    assert found.radius.l1 == 0


@pytest.mark.parametrize("alpha", [1, 3])
def test_an_added_normalised_term_keeps_the_slack_of_the_other(alpha: int) -> None:
    """F(u) - inf F with the infimum approached at e_m: the mean of NCE is at least alpha times the least weight."""
    weights = (F(1, 2), F(3, 10), F(1, 5))
    loss, alone = alpha * NCE() + AMSE(a=20), guarantee(AMSE(a=20), weights)
    found = guarantee(loss, weights)
    assert (found.slack, found.constant) == (alone.slack, alone.constant)
    inside = GRID[(GRID > 0).all(axis=1)]
    infimum = alpha * 0.2 + weighted_risk(AMSE(a=20), [0.5, 0.3, 0.2], [1.0, 0, 0])
    assert found.slack is not None
    above = weighted_risk(loss, [0.5, 0.3, 0.2], inside) - infimum - found.slack * (1 - inside[:, 0])
    assert above.min() >= -1e-12


@pytest.mark.parametrize(
    "loss", [NGCE(q=F(1, 2)), NGCE(q=F(7, 10)) + MAE(), NGCE(q=F(1, 2)) + AGCE(a=2, q=F(1, 2))], ids=str
)
def test_ngce_where_the_rest_is_uniform(loss: Loss) -> None:
    weights = (F(3, 5), F(1, 5), F(1, 5))
    found = guarantee(loss, weights)
    assert found.constant is not None
    least = excess(loss, weights, WRONG).min()
    assert least * 0.5 <= 1 / found.constant <= least + 1e-12


def test_negative_losses_on_their_domain() -> None:
    floor = 0.01
    loss, weights = NNCE(p_min=F(1, 100)), (F(1, 2), F(3, 10), F(1, 5))
    found = guarantee(loss, weights)
    points = floor + (1 - 3 * floor) * WRONG
    vertex = weighted_risk(loss, [0.5, 0.3, 0.2], [1 - 2 * floor, floor, floor])
    assert found.constant is not None
    least = (weighted_risk(loss, [0.5, 0.3, 0.2], points) - vertex).min()
    assert 1 / found.constant <= least + 1e-12
    assert 1 / found.constant >= 0.9 * least


def test_where_no_constant_is_known_it_says_so() -> None:
    mixed = AGCE(a=1, q=2) + AMSE(a=30)
    found = guarantee(mixed, (F(3, 5), F(1, 5), F(1, 5)))
    assert (found.slack, found.constant, found.radius) == (None, None, None)
    assert "neither convex nor concave" in found.reason


# ------------------------------------------------------------------------------------------------------------- radius


def for_class_0(weights: Any) -> NoiseModel:
    """One row whose true class is 0, whichever weight is the largest."""
    return NoiseModel("weights", (Row(tuple(F(w) for w in weights), 0),), len(weights), None)


@pytest.mark.parametrize(
    "loss", [AMSE(a=20), AMSE(a=4, q=F(3, 2)), AGCE(a=2, q=F(1, 2)), AUL(a=8, p=2), MAE(), NNCE()], ids=str
)
def test_the_radius_is_where_the_verdict_ends(loss: Loss) -> None:
    weights = np.array([0.6, 0.25, 0.15])
    radius = guarantee(loss, [F(3, 5), F(1, 4), F(3, 20)]).radius
    assert radius is not None
    assert radius.l1 == pytest.approx(2 * radius.tv)
    for factor, asymmetric in ((1 - 1e-6, True), (1 + 1e-6, False)):
        moved = weights + factor * radius.tv * np.array([-1, 1, 0])
        assert check(loss, for_class_0(moved)).asymmetric is asymmetric
    generator = np.random.default_rng(0)
    for _ in range(100):
        step = generator.standard_normal(3)
        step -= step.mean()
        moved = weights + step * radius.l1 * (1 - 1e-6) / abs(step).sum()
        if moved.min() >= 0:
            assert check(loss, for_class_0(moved)).asymmetric is True


def test_pure_ngce_tolerates_no_error_of_the_matrix() -> None:
    radius = guarantee(NGCE(q=F(1, 2)), symmetric(10, F("0.4"))).radius
    assert radius is not None
    assert radius.l1 == 0
    assert guarantee(NGCE(q=F(1, 2)) + MAE(), symmetric(10, F("0.4"))).radius is None


def test_the_binding_class_is_the_lowest_of_the_tightest_rows() -> None:
    matrix = [[F(9, 10), F(1, 20), F(1, 20)], [F(1, 4), F(1, 2), F(1, 4)], [F(1, 4), F(1, 4), F(1, 2)]]
    found = guarantee(AMSE(a=20), from_matrix(matrix))
    assert found.binding_class == 1
    assert found.margin == 0.25
    assert guarantee(AMSE(a=20), named("cifar10n-worse")).binding_class == 9


# ----------------------------------------------------------------------------------------- instances, samples, logits


def test_the_trade_off_is_the_least_over_all_levels() -> None:
    slacks = np.random.default_rng(1).uniform(-0.2, 1, 500)
    for risk in (0.0, 0.003, 0.05, 2.0):
        found = trade_off(slacks, risk)
        levels = np.linspace(1e-6, 1, 20_000)
        best = min(1.0, min((slacks < t).mean() + 2 * risk / t for t in levels))
        assert found.bound <= best + 1e-12
        assert found.bound >= best - 0.01
        if math.isfinite(found.level):
            assert found.bound == pytest.approx((slacks < found.level).mean() + 2 * risk / found.level)


def test_instances_come_from_posteriors() -> None:
    generator = np.random.default_rng(2)
    posteriors = generator.dirichlet([8, 1, 1], 3000)
    found = guarantee(AMSE(a=20), from_posteriors(posteriors), excess=0.01)
    top = np.sort(posteriors)[:, ::-1]
    slacks = 2 / 3 * (20 * (top[:, 0] - top[:, 1]) - 1)
    assert found.trade == trade_off(slacks, 0.01) or found.trade is not None
    assert found.trade is not None
    assert found.trade.bound == pytest.approx(trade_off(slacks, 0.01).bound)
    assert found.slack == pytest.approx(slacks.min())
    assert found.asymmetric is False  # some samples are ambiguous, and yet the bound says something
    assert found.trade.bound < 0.2


@pytest.mark.parametrize("loss", [AMSE(a=20), MAE(), AMSE(a=5, q=F(1, 2)), AGCE(a=1, q=2)], ids=str)
def test_the_sample_bound_holds_in_simulation(loss: Loss) -> None:
    """Its spread covers the loss, its least risk is the least F(e_m), and the mean of a sample strays no further."""
    noise = symmetric(3, F("0.3"))
    found = guarantee(loss, noise, samples=200, confidence=0.9, models=4).sample
    assert found is not None
    values = loss(GRID)[:, 0]
    assert found.spread >= values.max() - values.min() - 1e-12
    assert found.least_risk == pytest.approx(weighted_risk(loss, [0.7, 0.15, 0.15], [1.0, 0, 0]))
    assert found.deviation == pytest.approx(found.spread * math.sqrt(math.log(4 / 0.1) / 400))
    generator = np.random.default_rng(3)
    labels = generator.choice(3, p=[0.7, 0.15, 0.15], size=(2000, 200))
    point = GRID[300]
    means = loss(point)[labels].mean(axis=1)
    assert (weighted_risk(loss, [0.7, 0.15, 0.15], point) - means > found.deviation).mean() <= 0.1 / 4


@pytest.mark.parametrize(("loss", "noise"), [
    (NCE() + 4 * AGCE(a=6, q=F(3, 2)), named("cifar10n-worse")),
    (NCE() + 40 * AGCE(a=6, q=F(3, 2)), named("cifar10n-worse")),
    (AMSE(a=20), symmetric(10, F("0.4"))),
    (build("nfl") + 30 * MAE(), pair(10, F("0.4"))),
], ids=["nce+agce", "nce+40agce", "amse", "nfl+mae"])  # fmt: skip
def test_finite_logits_by_numerical_gradients(loss: Loss, noise: Any) -> None:
    spread = 6.0
    found = guarantee(loss, noise, logits=spread).logits
    assert found is not None
    holds = True
    for row in noise.rows:
        weights = np.array([float(w / row.total) for w in row.weights])
        z = np.where(np.arange(10) == row.target, spread, 0.0)

        def risk(step: float, k: int, z: Any = z, weights: Any = weights) -> float:
            moved = np.exp(z + step * (np.arange(10) == k))
            return float(weighted_risk(loss, weights, moved / moved.sum()))

        holds &= all((risk(1e-4, k) - risk(-1e-4, k)) >= 0 for k in range(10) if k != row.target)
    assert found.holds is holds


def test_with_finite_logits_the_ratio_of_the_coefficients_counts() -> None:
    noise = named("cifar10n-worse")
    ratio = guarantee(NCE() + MAE(), noise, logits=10).logits
    assert ratio is not None
    assert ratio.ratio is not None
    for factor, holds in ((F(101, 100), True), (F(99, 100), False)):
        loss = 3 * NCE() + (3 * F(ratio.ratio) * factor) * MAE()
        found = guarantee(loss, noise, logits=10)
        assert found.asymmetric is True  # in the limit, whatever the coefficients
        assert found.logits is not None
        assert found.logits.holds is holds
        assert found.logits.ratio == pytest.approx(ratio.ratio, rel=1e-12)  # of the coefficients, whatever they are
    several = guarantee(NCE() + MAE() + CE(), noise, logits=10).logits
    assert several is not None
    assert several.ratio is None
    far = guarantee(NCE() + MAE(), noise, logits=20).logits
    assert far is not None
    assert far.ratio is not None
    assert far.ratio > ratio.ratio
    with pytest.raises(InputError, match="separable and normalised losses only"):
        guarantee(NNCE(), noise, logits=5)


def test_a_normalised_base_of_finite_slope_has_no_known_radius() -> None:
    """NGCE needs a uniform rest, for it falls at rate -inf elsewhere; with a g of finite slope it may be a little uneven."""
    loss, near = from_formula("(1-u_y+2*(1-u_y)**2)/sum(1-u+2*(1-u)**2)"), np.array([0.5, 0.2501, 0.2499])
    assert guarantee(NGCE(), [6, 3, 3]).radius == Radius(0.0, 0.0, 0.0)
    assert guarantee(loss, [6, 3, 3]).radius is None
    risk = np.nan_to_num(loss(GRID) @ near, nan=np.inf)
    assert risk.argmin() == GRID[:, 0].argmax()
    assert check(loss, near.tolist()).asymmetric is not False


def test_two_rows_may_leave_no_ratio_for_finite_logits() -> None:
    """On row 0 AEL falls, so beta / alpha may not be large; row 1 needs it to be at least 3.75."""
    rows = [[40, 30, 30], [28, 70, 2], [1, 1, 98]]
    noise = from_matrix([[F(x, 100) for x in row] for row in rows])
    assert [guarantee(NCE() + build("ael", a=1), row, logits=2).logits.ratio for row in rows[:2]] == [  # type: ignore[union-attr]
        0, pytest.approx(3.753945, rel=1e-6)
    ]  # fmt: skip
    for beta in (F(1, 100), 1, F(37, 10), F(38, 10), 100):
        found = guarantee(NCE() + beta * build("ael", a=1), noise, logits=2).logits
        assert found is not None
        assert (found.holds, found.ratio) == (False, math.inf)
        assert found.to_dict()["ratio"] is None


# ------------------------------------------------------------------------------------------------ over a parameter


@pytest.mark.parametrize(("loss", "parameter", "infimum", "attained", "value"), [
    (AMSE(), "a", 1.8, False, math.inf),
    (build("ael"), "a", 1.8, False, math.inf),
    (AGCE(a=1), "q", 1.8, True, 1.0),
    (build("taylor-ce"), "t", 1.8, True, 1.0),
], ids=["amse", "ael", "agce", "taylor-ce"])  # fmt: skip
def test_the_best_constant_over_a_parameter(
    loss: Loss, parameter: str, infimum: float, attained: bool, value: float
) -> None:
    noise = symmetric(10, F("0.4"))
    found = best_constant(loss, noise, parameter)
    assert found.infimum == pytest.approx(infimum, rel=1e-12)
    assert (found.attained, found.value) == (attained, value)
    for a in (3, 8, 50, 10**6):
        reached = relative_constant(AMSE(a=a), noise)
        assert reached is not None
        assert reached == pytest.approx(a / (a * 5 / 9 - 1))
        assert reached > found.infimum


def test_an_infimum_is_told_from_rounding_and_from_values_of_which_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """exp((2-u)^2/a) - 1 tends to (2-u)^2/a: range 3/a, slack (2 * 0.9 - 4 * 0.1)/a; sqrt(a+(2-u)^2) to 2 - u as a -> 0."""
    noise = from_weights([9, 1])
    far = best_constant(from_formula("exp((2-u)**2/a)", a=3), noise, "a")
    assert far.infimum == pytest.approx(15 / 7, rel=1e-10)
    assert (far.attained, far.value, far.open) == (False, math.inf, False)
    monkeypatch.setattr("asymtheory.threshold.tolerance.POINTS", 31)  # a curvature that is not certified takes long
    near = best_constant(from_formula("sqrt(a+(2-u)**2)", a=3), noise, "a")
    assert near.infimum > near.floor == 1.25
    assert near.open  # its curvature is not certified for the least values of a
    assert "the least range / slack that is known over a is" in str(near)
    inverse = from_formula(
        "((1/b+1)**q-(1/b+u)**q)/q", b=1, q=F(9, 10)
    )  # AGCE in 1/a works to b = 10^19, and is linear at 0
    reached = best_constant(inverse, symmetric(10, F("0.1")), "b")
    assert (reached.infimum, reached.attained, reached.value) == (pytest.approx(9 / 8), False, 0)


@pytest.mark.parametrize(("loss", "span"), [
    (build("ael", a=F(10**17)), -mpmath.expm1(-mpmath.mpf(10) ** -17)),
    (AGCE(a=F(10**16), q=F(1, 2)), 2 / (mpmath.sqrt(mpmath.mpf(10) ** 16 + 1) + mpmath.mpf(10) ** 8)),
    (build("vce", a=F(10**13)), mpmath.log1p(mpmath.mpf(10) ** -13)),
    (AGCE(a=F(10**14), q=F(3, 2)), mpmath.mpf(10) ** 7),
], ids=str)  # fmt: skip
def test_numbers_do_not_cancel_at_large_parameters(loss: Loss, span: Any) -> None:
    found = guarantee(loss, symmetric(10, F("0.4")))
    assert found.span == pytest.approx(float(span), rel=1e-12)
    assert found.relative == pytest.approx(1.8, rel=1e-12)  # all are linear but for 1e-13
    assert found.constant is not None
    assert found.sharp is None or found.sharp <= found.constant * (1 + 1e-9)


def test_an_exact_slack_is_not_taken_for_0() -> None:
    found = guarantee(AMSE(a=F(9, 5) + F(1, 10**30), q=2), symmetric(10, F("0.4")))
    assert found.slack == pytest.approx(10**-30 / 9, rel=1e-12)
    assert found.constant == pytest.approx(1.8e31, rel=1e-12)


def test_no_loss_is_below_one_over_the_margin() -> None:
    generator = np.random.default_rng(4)
    for loss in SEPARABLE:
        weights = -np.sort(-generator.dirichlet([4, 1, 1]))
        found = guarantee(loss, [F(w).limit_denominator(1000) for w in weights])
        if found.relative is not None:
            assert found.relative >= 1 / found.margin * (1 - 1e-9)


# ------------------------------------------------------------------------------------------------------- the command


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    status = main("guarantee --loss amse --set a=20 q=2 --K 10 --eta 0.4 --json".split())
    facts = json.loads(capsys.readouterr().out)
    assert status == 0
    assert facts["slack"] == pytest.approx(2.0222222)
    assert facts["radius"]["l1"] == pytest.approx(0.5055556)
    assert (
        main("guarantee --loss amse --set q=2 --over a --K 10 --eta 0.4 --samples 1000 --excess 0.1 --logits 9".split())
        == 0
    )
    shown = capsys.readouterr().out
    assert "infimum 1.8 over a, not attained: approached as a -> inf" in shown
    assert main("guarantee --loss ce --weights 3,2,1".split()) == 1
    assert "argmax     kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--loss amse --weights 3,2,1 --K 3", "--K 3: leave it out when --weights is given"),
        ("--loss amse --set a=3 --over a --weights 3,2,1", "--set a: leave it out when --over a asks for it"),
        ("--loss ce --over x --weights 3,2,1", "has no parameter"),
        ("--formula (a-u)**2*b --over a --weights 3,2,1", "parameter b has no value"),
        ("--loss amse --weights 3,2,1 --samples 0", "--samples 0: a whole number >= 1 is needed"),
        ("--loss amse --weights 3,2,1 --excess -1", "a noisy excess risk is a finite number >= 0"),
        ("--loss amse --weights 3,2,1 --samples 9 --confidence 1", "must be inside (0, 1)"),
        ("--loss amse --weights 3,2,1 --logits 0", "must be in (0, 700]"),
    ],
)
def test_bad_input_is_one_line(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guarantee", *arguments.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_check_and_select_say_what_is_guaranteed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("check --loss amse --set a=20 --K 10 --eta 0.4 --json".split()) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["guarantee"]["constant"] == pytest.approx(0.989010989)
    assert main("check --loss amse --set a=3 --weights 5,3,2 --json".split()) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["guarantee"], facts["keeps_argmax"]) == (None, True)
    assert main("select --K 10 --eta 0.4 --json".split()) == 0
    chosen = json.loads(capsys.readouterr().out)["candidates"][0]
    whole = guarantee(build(chosen["loss"], **chosen["parameters"]), symmetric(10, F("0.4")))
    assert whole.constant == pytest.approx(chosen["guarantee"]["constant"])


def test_the_constant_beside_ngce_holds_where_the_separable_part_falls() -> None:
    """VCE(a = 0.05) falls at e_m; with 30 NGCE the sum rises: no point where another class wins has less excess than 1/constant."""
    loss, weights = 30 * NGCE() + build("vce", a=F(1, 20)), [F(3, 5), F(1, 5), F(1, 5)]
    found = guarantee(loss, weights)
    assert found.asymmetric
    grid = np.linspace(0, 1, 201)
    a, b = np.meshgrid(grid, grid)
    u = np.stack([1 - a - b, a, b], -1).reshape(-1, 3)
    u = u[(u[:, 0] >= -1e-12) & (u[:, 0] <= u[:, 1:].max(-1))].clip(0)
    with np.errstate(all="ignore"):
        excess = (loss(u) - loss(np.array([[1.0, 0, 0]]))) @ np.array([0.6, 0.2, 0.2])
    assert found.constant is not None
    assert 1 / found.constant <= excess.min()
