"""Verdicts and thresholds that were wrong or open once, each against a value that was found without the core."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction
from operator import add, mul, sub, truediv
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from flint import ctx

from asymtheory import build, check, from_formula, minimise, solve
from asymtheory.asymmetry.ratio import asymmetry_ratio
from asymtheory.asymmetry.sweep import Cells, Sweep
from asymtheory.asymmetry.transfer import Spread, Transfer
from asymtheory.cli import main
from asymtheory.errors import InputError
from asymtheory.losses import AGCE, AMSE, AUL, CE, FL, GCE, MAE, MSE, NCE, NFL, NGCE, NNCE, ClippedCE, Loss, PHuberCE
from asymtheory.losses.base import Separable
from asymtheory.losses.profile import Profile
from asymtheory.noise import cifar10, from_weights, pair, symmetric
from asymtheory.numbers.backends import ELEMENTARY, FLOAT, numpy_
from asymtheory.numbers.exponentials import sign_between
from asymtheory.numbers.germ import BITS, FLOATS, Germ, NoGerm, arb_balls, ball, germs, germs_between
from asymtheory.numbers.rounding import obeyed, processor, software
from asymtheory.numbers.spans import Span
from asymtheory.threshold.beyond import sign_beyond
from asymtheory.threshold.isolate import segments

F = Fraction
STEEP = NGCE(q=F(7, 10)) + 10 * AUL(a=1, p=F(3, 10))


# ---------------------------------------------------------------------------------------------------------- verdicts


def ngce_excess(s: Any, beta: Any, rise: Any, w: Any = (6, 3, 1), q: Any = "0.7") -> Any:
    """F(1 - s, s, 0) - F(e_1) of NGCE(q) + beta S for S(u, y) = rise(1 - u_y), in mpmath."""
    u, q = [1 - s, s, mp.mpf(0)], mp.mpf(q)
    g = [(1 - x**q) / q for x in u]
    part = sum(a * b for a, b in zip(w, g, strict=True)) / sum(g) - mp.mpf(w[1] + w[2]) / 2
    return part + beta * sum(a * (rise(1 - x) - rise(mp.mpf(k > 0))) for k, (a, x) in enumerate(zip(w, u, strict=True)))


@pytest.mark.parametrize(
    ("loss", "rise"),
    [
        (STEEP, lambda x: x ** mp.mpf("0.3") / mp.mpf("0.3")),
        (NGCE(q=F(7, 10)) + 10 * from_formula("sqrt(1-u)"), mp.sqrt),
    ],
)
def test_a_term_that_rises_faster_than_ngce_falls_keeps_the_vertex(loss: Loss, rise: Any) -> None:
    """F - F(e_1) rises like s^0.3 (s^0.5), NGCE falls like s^0.7."""
    with mp.workdps(80):
        assert all(ngce_excess(mp.mpf(10) ** -k, 10, rise) > 0 for k in np.linspace(0.01, 60, 200))
    found = check(loss, [6, 3, 1])
    assert found.asymmetric is True
    assert "certified" in found.method


@pytest.mark.parametrize("more", [NCE(), NFL(), NCE() + MAE()], ids=str)
def test_nce_does_not_hide_such_a_term(more: Loss) -> None:
    """NCE and NFL have their infimum at e_m: a sum with one more of them is asymmetric where the others are (above)."""
    found = check(more + NGCE(q=F(7, 10)) + 10 * from_formula("sqrt(1-u)"), [6, 3, 1])
    assert found.asymmetric is True
    assert "certified" in found.method
    slower = check(more + NGCE(q=F(3, 10)) + 10 * from_formula("sqrt(1-u)"), [6, 3, 1])
    assert slower.asymmetric is False


def test_nothing_is_left_between_the_germ_and_the_first_cell() -> None:
    """Two infinite slopes and a steep line: less risk than at e_1 only for masses around 2^-57, which no sample or cell sees."""
    loss = F("0.023983") * from_formula("(1-u)**0.3") + 3 * from_formula("1-u**0.4") + F(8457640000) * build("unhinged")

    def excess(s: Any) -> Any:
        steep = mp.mpf("0.023983") * (2 * s ** mp.mpf("0.3") + (1 - s) ** mp.mpf("0.3") - 1)
        fall = 3 * (2 * (1 - (1 - s) ** mp.mpf("0.4")) - s ** mp.mpf("0.4"))
        return steep + fall + 8457640000 * s

    with mp.workdps(60):
        assert excess(mp.mpf(2) ** -57) < 0
        assert all(excess(mp.mpf(2) ** -k) > 0 for k in (0, 20, 40, 50, 53, 61, 80, 120))
    assert Sweep.of(loss, from_weights([2, 1]).rows[0]).point() is not True


def test_a_parameter_of_a_normalised_formula_has_its_kinks(capsys: pytest.CaptureFixture[str]) -> None:
    """NGCE falls towards the runner-up like s^q: faster than every other term rises for q < 1; at q > 1 it has slope 0 there."""
    for text in ("(1-u_y**q)/sum(1-u**q)", "(1-u_y**q)/sum(1-u**q)+(1-u_y)/5"):
        loss = from_formula(text, solve="q")
        assert solve(loss, from_weights([5, 3, 1]), "q").answer == "q >= 1"
        assert solve(loss, from_weights([5, 3, 3]), "q").status == "always"
        for q in (F(9, 10), F(11, 10)):
            assert check(loss.replace(q=q), [5, 3, 1]).asymmetric is (q > 1)
    with pytest.raises(InputError, match="0 at u = 1 alone, at b = 2"):
        from_formula("(b-u_y**0.5)/sum(b-u**0.5)", b=1).replace(b=2)
    for text, given in (("(b-u_y**0.5)/sum(b-u**0.5)", "b=1"), ("log(b*u_y)/sum(log(b*u))", "b=0.5")):
        assert main(["bound", "--formula", text, "--solve", "b", "--set", given, "--K", "4", "--eta", "0.3"]) == 2
        assert "for every b in (0, inf)" in capsys.readouterr().err


def test_the_power_of_a_parameter_may_overflow() -> None:
    """6^1000 is beyond the floats; what is said needs no value of the loss there."""
    assert check(AGCE(a=5, q=1000), [5, 3, 2]).asymmetric is True
    assert check(AUL(a=5, p=1000), [5, 3, 2]).asymmetric is False
    assert check(AUL(a=5, p=1000) + MSE(), [5, 3, 2]).asymmetric is False
    assert check(AGCE(a=5, q=1000) + FL(), [5, 3, 2]).asymmetric is not True
    assert minimise(AGCE(a=5, q=1000), [5, 3, 2]).point.tolist() == [1, 0, 0]
    assert main(["check", "--loss", "vsl", "--set", "a=1e300", "--weights", "5,3"]) == 0  # (a - 1)^2
    found = check(build("ogc-fl", p0=1 - F(1, 10**20)), [5, 3])  # (1 - p0)^(gamma - 1), where 1 - p0 is 0 in floats
    assert found.asymmetric is False
    assert not found.slack or found.slack < 0
    assert check(build("logitclip-ce", tau=F(1, 10**300)), [5, 3]).asymmetric is True


def test_a_parameter_of_nfl_is_no_number_while_it_is_solved_for() -> None:
    """The excess of the rest is positive: gamma moves nothing (the least value of NFL is reached at e_m)."""
    rest = from_formula("(1-u)**3.5", "sqrt(u)")
    s = np.linspace(0, 1, 400)[1:]
    moved = 8 * s**3.5 + (1 - s) ** 3.5 - 1 + 9 * np.sqrt(s) + 2 * (np.sqrt(1 - s) - 1)  # to one class
    assert (moved > 0).all()
    assert solve(rest + NFL(), from_weights([8, 1, 1]), "gamma").status == "always"


def test_two_equal_negative_terms_are_one() -> None:
    parts = NNCE(p_min=F(1, 100)), GCE() + AGCE(q=2)
    for weights in ([5, 3, 1], [5, 3, 3]):
        one, two = 2 * parts[0] + parts[1], parts[0] + parts[0] + parts[1]
        assert check(one, weights).asymmetric is check(two, weights).asymmetric
        found = [solve(loss, from_weights(weights), "p_min") for loss in (one, two)]
        assert found[0].answer == found[1].answer


@pytest.mark.parametrize("passive", ["log(u)", "-1/u", "a*log(u)"])
def test_a_passive_part_without_a_lower_bound_is_unbounded_below_everywhere(passive: str) -> None:
    """F has the term (W - w_k) passive(u_k) for every class: -inf at (1/2, 1/2, 0) and, with two classes, at e_2, too."""
    loss = from_formula("1-u", passive, **({"a": 1} if "a*" in passive else {}))
    for weights in ([5, 3, 1], [20, 1, 1], [5, 3], [1, 0, 0]):
        assert check(loss, weights).asymmetric is False
    assert check(loss, [1, 0]).asymmetric is True  # -inf at e_1 alone
    if loss.parameters:
        assert solve(loss, from_weights([20, 1, 1]), "a").status == "never"


def test_mass_that_is_spread_counts_as_its_germ_says() -> None:
    """The least sum of h(x_k) over spreads of s, against powers with logarithms of both signs and every order."""
    rng = np.random.default_rng(3)
    transfer = Transfer.of(AGCE(q=2) + AMSE(a=2), from_weights([9, 5, 4, 3, 2, 1]).rows[0])
    known = 0
    for r in (F(1, 100), F(1, 2), F(1), F(21, 20), F(2)):
        for k in (F(-2), F(-1), F(0), F(1), F(2)):
            for sign in (1, -1):
                xp = germs(16)
                try:
                    bound = transfer._spread(Germ(xp, F(0), arb_balls().of(sign), r, k)).c
                except NoGerm:
                    continue
                known += 1
                for s in 2.0 ** -rng.uniform(16, 60, 40):
                    x = s * rng.dirichlet(np.full(5, rng.choice([0.03, 0.3, 30.0])))
                    x = x[x > 0]
                    total = sign * float((x ** float(r) * np.log(1 / x) ** float(k)).sum())
                    assert total >= float(bound.lower()) * s ** float(r) * np.log(1 / s) ** float(k) * (1 - sign * 1e-9)
    assert known > 40


def test_the_weight_of_that_term_has_a_threshold() -> None:
    found = solve(STEEP, from_weights([6, 3, 1]), "beta")
    assert found.status == "threshold"
    assert found.end is not None
    with mp.workdps(40):
        shares = [mp.mpf(10) ** -mp.mpf(k) for k in np.linspace(0.05, 8, 400)]

        def least(beta: Any) -> Any:
            return min(ngce_excess(s, beta, lambda x: x ** mp.mpf("0.3") / mp.mpf("0.3")) for s in shares)

        assert least(mp.mpf(found.end.value) * mp.mpf("0.999")) < 0 < least(mp.mpf(found.end.value) * mp.mpf("1.001"))


def test_a_slower_rise_does_not_help_ngce() -> None:
    assert check(NGCE(q=F(1, 5)) + 10 * AUL(a=1, p=F(3, 10)), [6, 3, 1]).asymmetric is False


@pytest.mark.parametrize(
    "loss",
    [
        CE() + AUL(),
        CE() + AGCE(a=1, q=2),
        FL(gamma=0),
        FL(gamma=0) + MAE(),
        F(1, 20) * CE() + NGCE(),
        CE() + AMSE(q=F(1, 2)),
    ],
    ids=str,
)
def test_an_infinite_risk_at_the_vertex_settles_it(loss: Loss) -> None:
    for weights in ([5, 3, 2], [9, 1, 1], [6, 4]):
        assert check(loss, weights).asymmetric is False


def test_an_infinite_risk_settles_every_value_of_a_parameter() -> None:
    assert solve(FL(), pair(3, F(6, 25)), "gamma").status == "never"
    assert solve(F("5.9") * NGCE() + F("0.051") * CE(), from_weights([2, 1, 1]), "alpha").status == "never"


def test_u_log_u_is_convex_with_an_infinite_slope() -> None:
    """The Jensen-Shannon loss: 0 * log 0 is 0, its slope at 0 is -inf."""
    loss = from_formula("u*log(u)-(1+u)*log(1+u)")
    assert loss.curvature()[0] == 1
    found = check(loss, [F(1, 2), F(3, 10), F(1, 5)])
    assert found.asymmetric is False
    assert found.slack == -math.inf
    ratio = asymmetry_ratio(loss)
    assert (ratio.r.low, ratio.r.high) == (0, 0)


def test_two_classes_leave_nce_one_limit() -> None:
    """K = 2: F = w_2 + (w_1 - w_2) L(u, 1) tends to its infimum next to e_1 alone; K >= 3 has other limits."""
    for loss in (NCE(), NFL()):
        found = check(loss, [6, 4])
        assert found.asymmetric is True
        assert found.minimiser == (1, 0)
        assert check(loss, [6, 3, 1]).asymmetric is False
    u = np.array([[1 - s, s] for s in np.linspace(1e-3, 1 - 1e-3, 200)])
    risk = NCE()(u) @ np.array([0.6, 0.4])
    assert (np.diff(risk) > 0).all()
    assert risk[0] > 0.4


def rising(loss: Loss, w: list[F]) -> bool:
    """Does F rise (to infinity) when the entry of class 2 goes from 1e-100 to 1e-300, the others being even? Else it falls."""
    u = np.full((2, len(w)), 1.0 / (len(w) - 1))
    u[:, 1] = 1e-100, 1e-300
    before, after = loss(u) @ np.array([float(x) for x in w])
    return bool(after > before)


@pytest.mark.parametrize(
    ("loss", "answer"),
    [
        (build("label-smoothing"), "r = -0.8"),
        (build("rdpo"), "e = 0.4"),
        (build("rdpo") + AUL(a=2, p=3), "e = 0.4"),
        (F(1, 10) * CE() + build("label-smoothing"), "r = -0.88"),
    ],
    ids=str,
)
def test_logarithms_of_every_class_leave_one_value(loss: Loss, answer: str) -> None:
    """All c_k = own w_k + every W, k != 1, vanish there; on either side the risk is unbounded below or infinite at e_1."""
    model = symmetric(10, F(2, 5))
    parameter = next(p for p in loss.domains if p in ("r", "e"))
    found = solve(loss, model, parameter)
    assert found.answer == answer
    assert found.end is not None
    at, row = found.end.number, model.rows[0]
    assert at is not None
    assert check(loss.replace(**{parameter: at}), model).asymmetric is True
    below, above = (loss.replace(**{parameter: at + step}) for step in (F(-1, 100), F(1, 100)))
    assert check(below, model).asymmetric is check(above, model).asymmetric is False
    assert {rising(each, list(row.weights)) for each in (below, above)} == {True, False}


def test_logarithms_of_every_class_on_clean_labels() -> None:
    """Label smoothing has its least value inside the simplex, or none, even where no label is wrong."""
    assert solve(build("label-smoothing"), from_weights([1, 0, 0])).answer == "r = 0"
    assert check(build("label-smoothing", r=F(1, 10)), [1, 0, 0]).asymmetric is False


def test_logarithms_leave_a_concave_norm_beside_them() -> None:
    """rDPO beside SR: at c_n = 0 the risk is lam sum u^p and -c_m log u_m, least at e_m alone; elsewhere the risk has a pole."""
    loss = F("6.5") * build("rdpo") + F("1.2") * build("sr", lam=1, p=F("0.582"))
    weights = [F("0.802"), F("0.099"), F("0.099")]
    found = solve(loss, from_weights(weights), "e")
    # own w_n + every W = 0 with own = 6.5/(1 - 3e/2) + 1.2 and every = -6.5 (e/2)/(1 - 3e/2)
    e = F("0.099") * F("7.7") / (F("3.25") + F("0.099") * F("1.8"))
    assert (found.status, found.end and found.end.number) == ("threshold", e)
    u = np.array([(i / 200, j / 200, (200 - i - j) / 200) for i in range(1, 199) for j in range(1, 200 - i)])
    risk = loss.replace(e=e)(u) @ np.array([0.802, 0.099, 0.099])
    assert risk.argmin() == np.argmax(u[:, 0])


@pytest.mark.parametrize(
    ("name", "parameter"), [("js", "pi1"), ("bi-tempered", "t"), ("alpha-loss", "order"), ("logit-bias-ce", "eps")]
)
def test_an_infinite_slope_that_the_parameter_moves_settles_every_value(name: str, parameter: str) -> None:
    """Nothing is assumed next to the ends of the parameter. Slopes grow by more each time u is squared."""
    found = solve(name, symmetric(5, F("0.3")), parameter)
    assert (found.status, "assumed" in found.condition) == ("never", False)
    for share in ("0.001", "0.3", "0.9", "0.999"):
        value = 1 / (1 - F(share)) if name == "alpha-loss" else 10 * F(share) if name == "logit-bias-ce" else F(share)
        loss = build(name).replace(**{parameter: value})
        assert isinstance(loss, Separable)
        assert loss.steep_at_zero
        near = [Profile.of(loss, 5).jet("active", u, FLOAT)[1] for u in (1e-37, 1e-74, 1e-148, 1e-296)]
        falls = -np.diff(near)
        assert (falls[1:] > 1.5 * falls[:-1]).all()


def test_a_sign_that_is_taken_from_its_neighbour_is_said_to_be_assumed() -> None:
    """Where the slack of rDPO tends to 0 next to the end of its domain."""
    assert "next to 0.5 its sign is assumed" in solve("rdpo", from_weights([3, 1]), "e").condition


def test_a_parameter_of_a_term_that_changes_nothing_has_every_value() -> None:
    """NFL in gamma beside truncated GCE on 20 classes: alone it is asymmetric there, on a grid of mass to 1 to 19 classes."""
    truncated = F("3.4") * build("truncated-gce", k=F("0.192"), q=F("0.145"))
    noise = symmetric(20, F("0.836"))
    assert solve(truncated + NFL(), noise, "gamma").status == "always"
    w = np.array([float(x) for x in noise.rows[0].weights])
    s = np.linspace(0, 1, 2001)[1:, None]
    for count in (1, 2, 5, 19):
        u = np.concatenate([1 - s, np.repeat(s / count, count, axis=-1), np.zeros((len(s), 19 - count))], axis=-1)
        assert (truncated(u) @ w > truncated(np.eye(20)[0]) @ w).all()


def test_what_logarithms_leave_is_bounded() -> None:
    """Every registered loss: A + pole log u is bounded next to 0, or A is finite there."""
    for loss in (CE(), FL(gamma=F(3, 2)), build("sr"), build("logit-bias-ce")):
        u = np.array([1e-100, 1e-300])
        rest = (
            loss.active(u, np.log(u), numpy_())
            if not loss.parameters
            else loss.on(numpy_()).active(u, np.log(u), numpy_())
        )
        assert np.ptp(rest + loss.pole[0] * np.log(u)) < 1e-6


# ------------------------------------------------------------------------------------------------------- minimisers


def test_an_underflowed_minimiser_does_not_pass_for_the_vertex() -> None:
    loss, weights = 10 * NCE() + 3 * GCE(q=F("0.95")), [3, 300, 3, 1]
    found = minimise(loss, weights)
    with mp.workdps(60):  # u_4 = exp(-1e9): the normalised term takes the least weight
        u = [mp.mpf("1e-40"), 1 - mp.mpf("2e-40"), mp.mpf("1e-40"), mp.mpf(0)]
        logs = [mp.log(x) if x else mp.mpf("-1e9") for x in u]
        nce = sum(w * log for w, log in zip(weights, logs, strict=True)) / sum(logs)
        gce = sum(w * (1 - x ** mp.mpf("0.95")) / mp.mpf("0.95") for w, x in zip(weights, u, strict=True))
        assert found.value == pytest.approx(float(10 * nce + 3 * gce), rel=1e-6)
    assert found.value < 32.714


def test_a_limit_has_its_value() -> None:
    found = minimise(NCE() + AGCE(a=F(1, 10), q=F(1, 2)), [6, 4, 1])
    with mp.workdps(60):
        logs = [mp.log(found.point[0]), mp.log(found.point[1]), mp.mpf("-1e12")]
        nce = sum(w * log for w, log in zip([6, 4, 1], logs, strict=True)) / sum(logs)
        agce = sum(
            w * 2 * (mp.sqrt(mp.mpf("1.1")) - mp.sqrt(mp.mpf("0.1") + mp.mpf(x)))
            for w, x in zip([6, 4, 1], found.point.tolist(), strict=True)
        )
        assert found.value == pytest.approx(float(nce + agce), rel=1e-9)
    assert found.value < 7.6506


# ----------------------------------------------------------------------------- thresholds from boxes of a parameter


def least_excess(loss: Loss, w: Any, floor: float) -> float:
    """min F(u) - F(vertex) over a grid of the simplex on three classes, in floats."""
    masses = np.concatenate([np.geomspace(1e-5, 0.05, 200), np.linspace(0.05, 1 - 1e-4, 250)])
    s, share = np.meshgrid(masses, np.linspace(0, 1, 101))
    u = floor + (1 - 3 * floor) * np.stack([1 - s, s * share, s * (1 - share)], -1).reshape(-1, 3)
    vertex = np.array([[1 - 2 * floor, floor, floor]])
    return float(((loss(u) - loss(vertex)) @ np.asarray(w, dtype=float)).min())


@pytest.mark.parametrize(
    ("loss", "parameter", "model", "floor"),
    [
        (NGCE(q=F(7, 10)) + AUL(a=2, p=2), "p", symmetric(3, F(2, 5)), 0.0),
        (4 * NNCE() + F(21, 100) * AUL(a=F(13, 4), p=2), "p", symmetric(3, F(2, 5)), 1e-7),
        (AGCE(a=F(1, 2), q=F(3, 2)) + F(19, 5) * AMSE(a=3), "amse.a", symmetric(3, F(2, 5)), 0.0),
        (
            F("5.4") * PHuberCE(tau=F("6.44")) + F("0.089") * AMSE(a=3, q=F("0.404")),
            "alpha",
            from_weights([638, 362, 0]),
            0.0,
        ),
        (F("7.2") * NNCE() + F("0.77") * build("vsl", a=F("1.0168")), "alpha", symmetric(3, F("0.0411")), 1e-7),
        (build("truncated-gce", k=F("0.108"), q=F("0.835")), "k", from_weights([1967, 1000, 1000]), 0.0),
        (F("0.39") * MSE() + F("0.065") * NNCE(), "alpha", pair(3, F("0.442")), 1e-7),
    ],
    ids=["NGCE+AUL", "NNCE+AUL", "AGCE+AMSE", "ragged convex+concave", "NNCE+VSL", "truncated GCE", "MSE+NNCE"],
)
def test_a_threshold_from_certified_boxes_is_where_a_grid_sees_it(
    loss: Loss, parameter: str, model: Any, floor: float
) -> None:
    found = solve(loss, model, parameter)
    assert found.status in ("threshold", "always")
    w = [float(x) for x in model.rows[0].weights]
    ends = [end for piece in found.pieces for end in (piece.low, piece.high) if end is not None and not end.of_domain]
    for end in (end for end in ends if end.low < end.high):
        values = (end.low * (1 - 2e-3), end.high * (1 + 2e-3))
        for value in values:
            holds = any(value in piece for piece in found.pieces)
            assert (least_excess(loss.replace(**{parameter: F(value)}), w, floor) >= -1e-12) == holds


@pytest.mark.parametrize("weights", [(F("0.4927552"), F("0.476")), (F("0.5"), F("0.3"), F("0.3"), F("0.3"))])
def test_first_order_decides_beside_ngce_where_the_rest_is_uniform(weights: tuple[F, ...]) -> None:
    """VCE and NGCE: the root of 0.77 (w_m/(1+a) - w_n/a) + 0.14 q (w_m-w_n)/(K-1), and the risk on both sides of it in mpmath."""
    found = solve(F("0.77") * build("vce") + F("0.14") * NGCE(q=F("0.027")), from_weights(weights), "a")
    with mp.workdps(40):
        top, second = (mp.mpf(w.numerator) / w.denominator for w in weights[:2])
        J, q, alpha, beta = len(weights) - 1, mp.mpf("0.027"), mp.mpf("0.77"), mp.mpf("0.14")
        true = mp.findroot(
            lambda a: alpha * (top / (1 + a) - second / a) + beta * q * (top - second) / J, (0.1, 40), solver="anderson"
        )
        assert found.end is not None
        assert found.end.value == pytest.approx(float(true), rel=1e-9)

    with mp.workdps(540):

        def excess(s: Any, a: Any) -> Any:
            """One class receives the mass: the concave sums of g are least there."""
            own, each = ((1 - u**q) / q for u in (1 - s, s))
            vce = alpha * (top * mp.log((1 + a) / (1 - s + a)) - second * mp.log((s + a) / a))
            return vce + beta * (top - second) * own / (own + each + (J - 1) / q)

        assert excess(mp.mpf(10) ** -500, true * (1 - mp.mpf("1e-3"))) < 0
        assert all(
            excess(mp.mpf(10) ** -k, true * (1 + mp.mpf("1e-9"))) > 0 for k in (500, 100, 10, 3, 1, mp.mpf("0.1"))
        )


def test_clipped_ce_beside_ngce_has_a_greatest_weight() -> None:
    """It was said to have none. Clipped CE has the slopes -1/p0 at 0 and -1 at 1, and up to that weight NGCE outweighs them."""
    weights = [F(1), F(1), F(1), F(1), F("1.158")]
    loss = ClippedCE(p0=F("0.51")) + F("1.6") * NGCE(q=F("0.517"))
    found = solve(loss, from_weights(weights), "alpha")
    assert found.end is not None
    # alpha (w_n / p0 - w_m) = beta (w_m - w_n) q / (K - 1)
    assert found.end.value == pytest.approx(1.6 * 0.158 * 0.517 / 4 / (1 / 0.51 - 1.158), rel=1e-9)
    moved = np.logspace(-6, 0, 200)[:, None] * [1, 0, 0, 0, -1] + [0, 0, 0, 0, 1]
    for factor, holds in ((F("0.98"), True), (F("1.02"), False)):
        part = loss.replace(alpha=F(found.end.value) * factor)
        excess = (part(moved) - part(np.eye(5)[4:])) @ np.asarray(weights, dtype=float)
        assert (excess.min() >= 0) == holds


def test_gamma_of_nfl_beside_a_term_of_unknown_shape_is_solved() -> None:
    """It ended in a traceback. At e_1 the infimum of NFL is the least weight, 1; elsewhere the risk is larger for every gamma."""
    term = build("truncated-gce")
    assert solve(NFL() + term, from_weights([2, 1, 1]), "gamma").status == "always"
    u = np.linspace(0, 1, 102)[1:-1, None] * [-1, 0.75, 0.25] + [1, 0, 0]
    for gamma in (F(1, 100), F(1), F(100)):
        assert ((NFL(gamma=gamma) + term)(u) @ [2, 1, 1] > 1 + term(np.eye(3)[:1]) @ [2, 1, 1]).all()


def test_tangents_and_chords_reach_to_infinity() -> None:
    """AGCE in q from 65 on beside VCE: its chord is (w_m - w_n) (2^q - 1)/q, that of VCE at least its slopes."""
    loss = F("0.76") * AGCE(a=1, q=81) + F("0.086") * build("vce", a=F("3.04"))
    found = solve(loss, from_weights([F("1.60797"), F("0.0687"), F("0.549"), F("0.651")]), "q")
    assert found.status == "always"
    assert "no proof" not in found.condition
    top, second, vce = 1.60797, 0.651, 1.60797 / 4.04 - 0.651 / 3.04
    assert all(0.76 * (top - second) * (2.0**q - 1) / q + 0.086 * vce > 0 for q in (1, 2, 65, 1000))


def test_the_slopes_of_concave_terms_reach_to_infinity_where_their_chords_cancel() -> None:
    """AGCE in a beside VSL: chords ((a+1)^8 - a^8)/8 cancel in their leading powers; slopes reach to infinity."""
    found = solve(F("2.1") * build("vsl", a=3) + F("3.6") * AGCE(a=1, q=8), from_weights([F("1.3"), 1]), "agce.a")
    assert (found.status, "no proof" in found.condition) == ("always", False)
    u = mp.linspace(0, 1, 201)
    for a in (mp.mpf(0), mp.mpf("0.3"), mp.mpf("0.6"), mp.mpf(10) ** 6):
        rise = [mp.mpf("2.1") * (3 - x) ** 2 + mp.mpf("0.45") * ((a + 1) ** 8 - (a + x) ** 8) for x in u]
        excess = [one - rise[0] + mp.mpf("1.3") * (two - rise[-1]) for one, two in zip(rise, rise[::-1], strict=True)]
        assert min(excess[1:]) > 0


@pytest.mark.parametrize("r", [F(-3), F(-40)])
def test_a_negative_coefficient_turns_a_shape_over(r: Fraction) -> None:
    """Of label smoothing with r < 0 every class has c_k log u_k, c_k > 0: concave, and least where one class takes all the mass."""
    loss = build("label-smoothing", r=r) + NNCE(p_min=F(1, 1000))
    transfer = Transfer.of(loss, from_weights([10, 1, 1, 1, 1]).rows[0])
    floor, tip = 0.001, 0.996
    for s in (0.001, 0.01, 0.1, 0.5):
        u = np.array([tip - s, floor + s, floor, floor, floor])
        excess = float((loss(u) - loss(np.array([tip, *[floor] * 4]))) @ (np.array([10, 1, 1, 1, 1]) / 14))
        local, chord = transfer._chords(np.array([s]), numpy_())
        assert float(np.sum(local) + np.sum(chord)) * s <= excess + 1e-12
    assert transfer.shapes["passive"][1] == -1


def test_a_steep_power_has_its_threshold_beside_a_concave_term() -> None:
    """AMSE(a, q = 30) alone needs w_m (a-1)^29 >= w_n a^29 + 1 - w_m; AMSE(a, q = 0.0489) adds less than a part in 10^3 of that."""
    loss = F("0.14") * AMSE(a=F("1.901"), q=F("0.0489")) + 14 * AMSE(a=F("3.77"), q=30)
    found = solve(loss, symmetric(50, F("0.217")), "a")
    top, second = 0.783, 0.217 / 49
    ends = [1.5, 40.0]
    for _ in range(60):
        middle = sum(ends) / 2
        ends[bool(top * (middle - 1) ** 29 >= second * middle**29 + 1 - top)] = middle
    assert found.end is not None
    assert found.end.value == pytest.approx(ends[1], rel=1e-3)


def test_the_bound_by_the_largest_share_holds_everywhere() -> None:
    """Random points against the bound whose fall with the largest receiver's share is enclosed."""
    rng = np.random.default_rng(4)
    losses = [
        AGCE(q=2) + AMSE(a=2),
        NNCE(p_min=F(1, 1000)) + AMSE(a=1),
        NGCE() + AMSE(q=F(1, 2)),
        AMSE(q=F(1, 2)) + AMSE(q=3),
    ]
    settled = 0
    for loss in losses:
        for K in (3, 4, 6):
            w = np.sort(rng.uniform(0.05, 1, K))[::-1]
            sweep = Sweep.of(loss, from_weights(w.tolist()).rows[0])
            floor, tip, nothing = float(sweep.transfer.floor), float(sweep.transfer.tip), np.zeros(1)
            vertex = np.where(np.arange(K) == 0, tip, floor)
            for _ in range(12):
                u = floor + (1 - K * floor) * rng.dirichlet(np.full(K, rng.choice([0.1, 0.5, 2.0])))
                t = (tip - u[0]) / (tip - floor)
                share, away = (u[1:].max() - floor) / (tip - u[0]), 0.1 * rng.random(4)
                at = [t * (1 - away[0] / 10), min(1.0, t * (1 + away[1] / 10))]
                shares = [max(1 / (K - 1), share - away[2]), min(1.0, share + away[3])]
                cell = Cells(np.array([0]), np.array([0]), *(np.array([x]) for x in (*at, *shares)))
                with np.errstate(all="ignore"):
                    bound = float(sweep._shared(Span(nothing, nothing), cell, nothing)[0])
                    excess = float((loss(u) - loss(vertex)) @ (w / w.sum()))
                settled += np.isfinite(bound)
                assert excess >= bound * at[int(bound < 0)] - 1e-9
    assert settled > 60


@pytest.mark.parametrize(
    ("loss", "parameter", "model", "boxes", "cells", "end", "width"),
    [
        (
            F("0.038") * AMSE(a=F("18.2"), q=F("0.601")) + 30 * build("ogc-ce", p0=F("0.0486")),
            "p0",
            pair(3, F("0.0607")),
            300,
            5000,
            0.0642475,
            6e-6,
        ),
        (
            build("truncated-gce", k=F(1, 2), q=F("0.916")),
            "k",
            from_weights([11, 0, 10]),
            400,
            18000,
            0.0186551671,
            2.5e-5,
        ),
    ],
    ids=["boxes between two yeses", "boxes of an end"],
)
def test_boxes_that_cannot_change_an_end_are_not_tried(
    loss: Loss,
    parameter: str,
    model: Any,
    boxes: int,
    cells: int,
    end: float,
    width: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried, divided = [], []

    class Counted(Sweep):
        def verdicts(self, low: Any, *rest: Any) -> Any:
            tried.append(len(low))
            return super().verdicts(low, *rest)

        def _bound(self, low: Any, high: Any, parts: Any, *rest: Any) -> Any:
            divided.append(len(parts.box))
            return super()._bound(low, high, parts, *rest)

    monkeypatch.setattr("asymtheory.asymmetry.sweep.Sweep", Counted)
    found = solve(loss, model, parameter).pieces[0].low
    assert found is not None
    assert found.low <= end <= found.high
    assert found.high - found.low <= width * end
    assert sum(tried) <= boxes
    assert sum(divided) <= cells


def test_a_box_is_not_divided_where_the_bound_fails_at_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    divided = []
    monkeypatch.setattr(Sweep, "_bound", lambda *given: divided.append(given))
    sweep = Sweep.of(14 * build("nnfl", gamma=2) + F("0.75") * CE(), symmetric(50, F("0.717")).rows[0], "p_min")
    assert sweep.verdicts(np.array([2e-5]), np.array([2.4e-5])).tolist() == [0]
    assert not divided


def test_a_wide_box_of_p_min_is_certified_up_to_all_the_mass() -> None:
    loss = F("0.05") * build("taylor-ce", t=2) + F("8.4") * build("nnfl", gamma=10)
    row = from_weights([24, 557, 209, *[160] * 17]).rows[0]
    assert Sweep.of(loss, row, "p_min").verdicts(np.array([0.01]), np.array([0.02])).tolist() == [1]


@pytest.mark.parametrize(
    ("loss", "parameter", "model", "answer", "value", "mass"),
    [
        (build("ogc-fl"), "p0", from_weights([8, 3, 5]), "never", F(1, 2), 1e-3),
        (build("ogc-fl", gamma=F(1, 2)), "p0", symmetric(3, F("0.3")), "never", F(1, 2), 1e-3),
        (build("ogc-fl"), "gamma", symmetric(3, F("0.3")), "gamma = 0", F(1), 1e-3),
        (build("fisher-rao") + F(1, 10) * NGCE(q=F("0.78")), "alpha", from_weights([9, 1]), "never", F(1, 1000), 1e-9),
        (
            F("8.3") * build("taylor-ce") + F("0.26") * AGCE(a=F("0.0531"), q=3),
            "t",
            symmetric(3, F("0.495")),
            "t <= 2",
            F(3),
            1e-2,
        ),
        (build("sr", lam=F(1, 3)) + build("vsl"), "a", from_weights([3, 1, 1]), "never", F(2), 0.0),
    ],
    ids=[
        "slope 0 at 1",
        "slope 0 at 1, gamma < 1",
        "every gamma > 0",
        "slope -inf beside NGCE",
        "whole numbers",
        "infinite at e_m",
    ],
)
def test_what_fails_has_a_point_of_less_risk(
    loss: Loss, parameter: str, model: Any, answer: str, value: F, mass: float
) -> None:
    """Beyond the answer a little mass that goes to the runner-up lowers the risk, in floats (at e_m it may be infinite)."""
    assert solve(loss, model, parameter).answer.startswith(answer)
    row, vertex = model.rows[0], np.eye(model.classes)[0]
    w = np.array([float(x) for x in row.weights])
    u = (1 - mass) * vertex + mass * np.eye(model.classes)[row.runner_up]
    at = loss.replace(**{parameter: value})
    assert float(at(vertex) @ w) == math.inf if mass == 0 else float((at(u) - at(vertex)) @ w) < 0


def test_one_change_between_whole_numbers_is_said_where_it_is_assumed() -> None:
    """Taylor-CE alone: c >= t is affine in t. Beside a concave term boxes decide, at the numbers that are tried."""
    alone = solve(build("taylor-ce"), symmetric(3, F("0.2")))
    assert (alone.answer, "assumed" in alone.condition) == ("t <= 8", False)
    beside = solve(F("8.3") * build("taylor-ce") + F("0.26") * AGCE(a=F("0.0531"), q=3), symmetric(3, F("0.495")), "t")
    assert "one change of the verdict at most is assumed" in beside.condition


def test_spans_are_exact_where_floats_are_and_keep_underflow() -> None:
    tenth, quarter = Span(np.array([0.1, 1.0]), np.array([0.1, 1.0])), Span(0.25, 0.25)
    exact = quarter - Span(1.0, 1.0) + 2
    assert (float(exact.low), float(exact.high)) == (1.25, 1.25)
    inexact = tenth + 0.2
    assert inexact.low[0] < inexact.high[0]
    assert F(inexact.low[0]) <= F(0.1) + F(0.2) <= F(inexact.high[0])
    with np.errstate(all="ignore"):
        small = (Span(-800.0, -750.0).exp(), Span(1e-200, 1e-190) * 1e-200, Span(1e-200, 1e-190) / 1e200)
        for part in small:
            assert part.low <= 0 < part.high
        square = Span(np.array([-3.0, -2.0]), np.array([2.0, -1.0])) ** Span(2.0, 2.0)
        infinite = Span(np.inf, np.inf) - 1
    assert (square.low[0], square.low[1] <= 1, square.high[0] >= 9) == (0, True, True)
    assert (infinite.low, infinite.high) == (np.inf, np.inf)


@pytest.mark.parametrize("rounded", [software, processor() or software], ids=["software", "processor"])
def test_what_is_rounded_upwards_is_an_upper_bound(rounded: Any) -> None:
    """Against fractions, and at most one float above the exact result; then floats round to nearest again."""
    rng = np.random.default_rng(2)
    x, y = rng.choice([-1.0, 1.0], (2, 300)) * 2.0 ** rng.integers(-30, 30, (2, 300)) * rng.uniform(1, 2, (2, 300))
    x[:60], y[:30] = np.round(x[:60]), np.ldexp(1.0, rng.integers(-1070, 3, 30))
    for operation, exact in (np.add, F.__add__), (np.multiply, F.__mul__), (np.divide, F.__truediv__):
        with np.errstate(all="ignore"):
            found, nearest = rounded(operation, x, y), operation(x, y)
        for above, near, a, b in zip(found.tolist(), nearest.tolist(), x.tolist(), y.tolist(), strict=True):
            true = exact(F(a), F(b))
            assert above == near == math.inf or true <= F(above)
            assert near <= above <= math.nextafter(near, math.inf)
            assert above == near or operation is not np.add or F(near) < true
    assert obeyed(rounded) == (rounded is not software)
    assert 1 + 2.0**-60 == 1


def test_spans_hold_every_result() -> None:
    """Random intervals against mpmath: members of the operands go to members of the result, next to 0, 1 and overflow too."""
    rng = np.random.default_rng(1)
    n = 400
    ends = rng.uniform(-1, 1, (2, n)) * 10.0 ** rng.uniform(-8, 3, (2, n))
    ends[:, :40] = rng.choice([0.0, 1.0, -1.0, 1e-200, -1e-200, 1e200, 5e-320], (2, 40))
    x = Span(ends.min(0), ends.max(0))
    y = Span(x.low[::-1], x.high[::-1])
    with np.errstate(all="ignore"):
        results = [x + y, x - y, x * y, x / y, x**2, x**3, x.exp(), x.log(), x.xlogx(), *map(x.apply, ELEMENTARY), x**y]
    with mp.workdps(40):
        for i in range(n):
            for u, v in ((x.low[i], y.high[i]), (x.high[i], y.low[i]), ((x.low[i] + x.high[i]) / 2, y.low[i])):
                a, b, big = mp.mpf(float(u)), mp.mpf(float(v)), abs(u) < 600
                power = a > 0 and abs(v) < 300
                true = [a + b, a - b, a * b, a / b if b else None, a * a, a**3, mp.exp(a) if big else None]
                true += [mp.log(a), a * mp.log(a)] if a > 0 else [None, None]
                true += [getattr(mp, name)(a) if big else None for name in ("sinh", "cosh", "tanh")]
                true += [mp.asin(a), mp.acos(a)] if max(-x.low[i], x.high[i]) <= 1 else [None, None]
                true += [mp.atan(a), a**b if power else None]
                for result, value in zip(results, true, strict=True):
                    if value is not None:
                        assert mp.mpf(float(result.low[i])) <= value <= mp.mpf(float(result.high[i]))


def test_a_germ_of_a_box_is_not_asked_for_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where infinite slopes meet; a part gets what a sweep that has not seen the whole finds."""
    loss = F("1.7") * AUL(a=1, p=F("0.15")) + 22 * build("js", pi1=F("0.48"))
    sweep, fresh = (Sweep.of(loss, pair(50, F("0.4")).rows[0], "pi1") for _ in range(2))
    whole, half, asked = (0.25, 0.5), (0.25, 0.375), []
    germs_of = Transfer.settled_near

    def counted(transfer: Transfer) -> int | None:
        asked.append(transfer)
        return germs_of(transfer)

    monkeypatch.setattr(Transfer, "settled_near", counted)
    assert sweep._near(*whole)[0] == 2.0**-16
    assert len(asked) == 1
    part = sweep._near(*half)
    assert len(asked) == 1
    assert part == fresh._near(*half)
    sweep._near(0.25, 0.625)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("loss", "parameter"),
    [
        (build("label-smoothing", r=F(3, 10)) + 2 * NNCE(p_min=F("1e-7")), "p_min"),
        (build("truncated-gce", k=F("0.3"), q=F("0.4")) + MSE(), "q"),
        (NGCE(q=F("0.6")) + 3 * AUL(a=1, p=F("0.4")), "alpha"),
        (AGCE(a=2, q=3) + 5 * PHuberCE(tau=3), "tau"),
    ],
)
def test_cells_and_their_middles_are_enclosed_at_once_or_apart(
    monkeypatch: pytest.MonkeyPatch, loss: Loss, parameter: str
) -> None:
    sweep, n = Sweep.of(loss, from_weights([6, 3, 2, 1]).rows[0], parameter), 40
    left = np.linspace(0.01, 0.97, n)
    low = np.full(n, float(loss.parameters[parameter]))
    box, shares = Span(low, low * (1 + 1e-3)), (np.linspace(0.4, 0.9, n), np.linspace(0.45, 0.95, n))
    with np.errstate(all="ignore"):
        for spread in (None, Spread(*shares), Spread(*shares, Span(*shares))):
            at_once = sweep._over(box, left, left + 0.01, spread)
            with monkeypatch.context() as patch:
                patch.setattr("asymtheory.asymmetry.sweep.TOGETHER", 0)
                apart = sweep._over(box, left, left + 0.01, spread)
            for one, two in zip(at_once, apart, strict=True):
                assert np.allclose(one, two, rtol=1e-9, atol=1e-9)
            assert np.isfinite(at_once[0]).any()


def test_a_quotient_by_a_span_that_begins_at_0_of_either_sign_is_lost() -> None:
    """1 / -0.0 is -inf: what has no upper bound may not pass for what is bounded."""
    x = Span(np.array([-1.0, 1.0]), np.array([2.0, 2.0]))
    for zero, sign in itertools.product((0.0, -0.0), (1.0, -1.0)):
        with np.errstate(all="ignore"):
            found = x / (Span(np.array([zero, 1.0]), np.array([1.0, 2.0])) * sign)
        assert (found.low[0], found.high[0]) == (-math.inf, math.inf)
        assert [found.low[1], found.high[1]] == pytest.approx(sorted((0.5 * sign, 2 * sign)))


def test_spans_of_one_sign_have_short_ways_to_the_same_results() -> None:
    """Every pair of intervals between special ends, alone, is inside what it is among all others, whose signs differ."""
    ends = np.array([-np.inf, -2.0, -1.0, 0.0, 0.3, 1.0, 3.0, np.inf])
    low, high = (ends[i] for i in np.triu_indices(len(ends)))
    low, high = np.append(low, np.nan), np.append(high, np.nan)
    first, second = (i.ravel() for i in np.indices((len(low), len(low))))
    x, y = Span(low[first], high[first]), Span(low[second], high[second])
    with np.errstate(all="ignore"):
        for operation in (mul, truediv, pow, add, sub):
            whole = operation(x, y)
            assert whole._side is None
            alone = [operation(x[i : i + 1], y[i : i + 1]) for i in range(len(first))]
            assert all((part.outer <= whole.outer[:, [i]]).all() for i, part in enumerate(alone)), operation
    tight = Span(np.array([0.5]), np.array([2.0])) ** Span(np.array([2.5]), np.array([3.5]))
    assert (tight.low[0], tight.high[0]) == (pytest.approx(0.5**3.5, rel=1e-12), pytest.approx(2.0**3.5, rel=1e-12))


# -------------------------------------------------------------------------------------------- thresholds far away


def test_many_boxes_are_halved_at_once() -> None:
    """Powers that cancel need thousands of boxes; the signs are those around the one root, found with few evaluations."""
    calls = []

    def inequality(x: Any, xp: Any) -> Any:
        calls.append(xp.name)
        return (x + 1) ** 10 - (x + xp.number(F(9, 10))) ** 10 - 1000

    (first, _, before), (_, low, high), (last, after, _) = segments(inequality, 2.0**-60, 100.0)
    assert (first, before, after, last) == (-1, low, high, 1)
    assert inequality(F(low), FLOAT) < 0 < inequality(F(high), FLOAT)
    assert high < low * (1 + 1e-12)
    assert calls.count("interval") + calls.count("interval with parameter slope") < 400


@pytest.mark.parametrize("power", [18, 100])
def test_an_immense_power_has_its_threshold_or_none_is_given(power: int) -> None:
    """AMSE in a: w_m (1 - 1/a)^(q-1) >= w_n, so a = q / log(w_m / w_n) for large q; nothing far below it may be called the end."""
    found = solve(AMSE(q=F(10) ** power), symmetric(10, F(4, 5)), "a")
    if power <= 50:
        assert found.end is not None
        assert found.end.value == pytest.approx(10.0**power / math.log(0.2 / (0.8 / 9)), rel=1e-6)
    else:
        assert found.status == "undecided"
        assert "no sign is certified between" in found.condition


def test_a_branch_whose_value_is_not_known_has_no_slope_either() -> None:
    """PHuber-CE as a formula with its threshold in the condition: phi_n'(0) = -w_n tau >= phi_m'(1) = -w_m."""
    loss = from_formula("where(u<=1/tau,1+log(tau)-tau*u,-log(u))", tau=2)
    for top in (F("7.7"), F("15.3")):
        assert solve(loss, from_weights([top, 1, 1]), "tau").answer == f"tau <= {float(top)}"


def test_a_threshold_beyond_the_scanned_range_is_found() -> None:
    """AMSE, q = 1.003: w_m (a-1)^(q-1) = w_n a^(q-1) + (1 - w_m) at about (8 / (1 - 4/9))^(1000/3)."""
    found = solve(AMSE(q=F("1.003")), symmetric(10, F(4, 5)), "a")
    with mp.workdps(700):
        top, second = mp.mpf(1) / 5, mp.mpf(4) / 45

        def left(log10: Any) -> Any:
            a = mp.mpf(10) ** log10
            return top * (a - 1) ** mp.mpf("0.003") - second * a ** mp.mpf("0.003") - (1 - top)

        true = mp.findroot(left, (285, 287), solver="anderson")
    assert found.end is not None
    assert math.log10(found.end.value) == pytest.approx(float(true), rel=1e-12)
    assert float(true) == pytest.approx(285.777, abs=1e-3)


def test_a_threshold_next_to_zero_is_found() -> None:
    found = solve(AGCE(q=F("0.99")), symmetric(10, F(1, 100)), "a")
    level = 99 * 9  # c = w_m / w_n = 0.99 / (0.01 / 9); c^(1/(1-q)) = (a + 1)/a
    assert found.end is not None
    assert found.end.value == pytest.approx(1.02856e-295, rel=1e-5)
    exact = 1 / (F(level) ** 100 - 1)
    assert F(found.end.low) <= exact <= F(found.end.high)
    assert math.log10(found.end.value) == pytest.approx(-100 * math.log10(level), rel=1e-12)


@pytest.mark.parametrize(("excess", "kind"), [("1e-4", "large"), ("1e-6", "large"), ("-1e-4", "small")])
def test_a_threshold_beyond_the_floats_has_its_power_of_ten(excess: str, kind: str) -> None:
    """AMSE with t = q - 1 small: w_m (a-1)^t - w_n a^t = 1 - w_m, where (a-1)^t = a^t to 10^4 digits; AGCE: (1 + 1/a)^-t = c."""
    t = F(excess)
    model = pair(10, F("0.4999")) if kind == "large" else symmetric(10, F(1, 100))
    found = solve(AMSE(q=1 + t) if kind == "large" else AGCE(q=1 + t), model, "a")
    with mp.workdps(40):
        top, second = (mp.mpf(w.numerator) / w.denominator for w in (model.rows[0].top, model.rows[0].second))
        step = mp.mpf(t.numerator) / t.denominator
        true = mp.log10((1 - top) / (top - second)) / step if kind == "large" else mp.log10(top / second) / step
        assert found.end is not None
        assert found.end.log10 is not None
        low, high = found.end.log10
        assert low < true < high
        assert high - low < 1e-11 * abs(true)
    assert found.answer == f"a >= 10^{float(true):.6f}"
    assert (10**300 in found.feasible) == (kind == "small")  # type: ignore[operator]
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (facts["log10"], facts["enclosure"]) == ([low, high], None)


def test_a_guarantee_beyond_the_floats_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "bound",
        "--loss",
        "amse",
        "--set",
        "q=1.0001",
        "--noise",
        "pair",
        "--K",
        "10",
        "--eta",
        "0.4999",
        "--guarantee",
    ]
    assert main(command) == 2
    assert "beyond the floats (a >= 10^33978.531411)" in capsys.readouterr().err


def test_a_threshold_between_an_open_end_and_the_next_float() -> None:
    """AUL, p = 1.001: a / (a - 1) <= c^1000, so a = 1 + 10^-1130 or so."""
    found = solve(AUL(p=F("1.001")), symmetric(10, F(2, 5)), "a")
    assert found.end is not None
    assert (found.end.low, found.end.high) == (1.0, math.nextafter(1.0, 2.0))
    assert found.answer == "a >= 1.0000000000000002"
    assert "within    [1.0, 1.0000000000000002]" in str(found)


@pytest.mark.parametrize(("text", "answer"), [("log(1+a*(1-u)**2)", "never"), ("max(0,1-a*u)", "a <= 1")])
def test_first_order_comes_before_curvature(text: str, answer: str) -> None:
    assert solve(from_formula(text, a=1), symmetric(10, F(2, 5)), "a").answer.startswith(answer)


def test_a_weight_that_needs_arb() -> None:
    found = solve(F(1) * MAE() + AMSE(a=2, q=F(3, 2)), symmetric(10, F("0.899999999999")), "alpha")
    with mp.workdps(50):
        eta, K = mp.mpf("0.899999999999"), 10
        top, second, q = 1 - eta, eta / (K - 1), mp.mpf("1.5")
        fixed = -second * q * mp.sqrt(2) / K + top * q / K - (1 - top) * q / K
        true = -fixed / (2 * (top - second))
    assert found.end is not None
    assert found.end.value == pytest.approx(float(true), rel=1e-12)


# ----------------------------------------------------------------------------------------------- on the command line


def test_the_rate_that_was_given_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bound", "--loss", "amse", "--noise", "cifar10", "--eta", "0.1,0.4"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()[1:4]
    assert head.split()[:2] == ["eta", "average"]
    assert first.split()[:2] == ["0.1", "0.05"]
    assert second.split()[:2] == ["0.4", "0.2"]


def test_a_threshold_is_shown_with_its_guarantee(capsys: pytest.CaptureFixture[str]) -> None:
    """AMSE at a = 20, q = 2, K = 10, symmetric 0.4: slack (2/K)(a margin - 1), constant 2 / slack."""
    command = ["bound", "--loss", "amse", "--K", "10", "--eta", "0.4", "--guarantee", "--at", "20"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["guarantee"]
    assert found["at"] == {"a": 20}
    assert found["constant"] == pytest.approx(2 / (2 / 10 * (20 * 5 / 9 - 1)))
    assert found["radius"]["l1"] == pytest.approx(0.50556, abs=1e-5)
    assert main([*command[:-1], "1"]) == 2
    assert "not asymmetric there" in capsys.readouterr().err


def test_a_verdict_in_the_limit_says_so() -> None:
    for loss, weights, limit in (
        (NCE(), [6, 4], True),
        (NCE() + MAE(), [6, 3, 1], True),
        (NGCE(), [6, 2, 2], False),
        (MAE(), [6, 3, 1], False),
        (build("rdpo", e=F(9, 20)), [6, 4], True),  # unbounded below
    ):
        found = check(loss, weights)
        assert found.in_the_limit is limit
        assert found.to_dict()["in_the_limit"] is limit
        assert ("limit" in str(found).split("method")[0]) is limit


def test_p_min_has_its_formula(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bound", "--loss", "nnce", "--solve", "p_min", "--symbolic"]) == 0
    shown = capsys.readouterr().out
    assert "always: any p_min" in shown
    assert "0 < p_min < 1/K" in shown


def test_a_steep_term_keeps_every_row_of_a_class_map() -> None:
    assert check(STEEP, cifar10(F(2, 5))).asymmetric is True


# ------------------------------------------------------------------------------------------------------------ germs


@pytest.mark.parametrize("bits", [4, 20, 200])
@pytest.mark.parametrize(
    ("function", "power", "logs"),
    [
        (lambda u, log: u**2 * 3 + u, 1, 0),
        (lambda u, log: u * log(u), 1, 1),
        (lambda u, log: 1 / (u + 2) - F(1, 2), 1, 0),
        (lambda u, log: u ** F(3, 10) - 5 * u, F(3, 10), 0),
        (lambda u, log: log(1 + u) / (log(1 + u) - log(u)), 1, -1),
        (lambda u, log: log(u), 0, 1),
        (lambda u, log: (u * log(u)) ** 2 / (1 - 2 * log(u)) - 5 * u, 1, 0),
    ],
)
def test_germs_hold_the_function_on_the_whole_stretch(bits: int, function: Any, power: Any, logs: int) -> None:
    with ctx.workprec(BITS):
        xp = germs(bits)
        germ = xp.number(function(xp.near(F(0), 1), xp.log))
        assert (germ.r, germ.k) == (power, logs)
        with mp.workdps(800):
            for k in (bits, bits + 1, 2 * bits, 5 * bits):
                e = mp.mpf(2) ** -k
                value = function(e, mp.log) if power != F(3, 10) else e ** mp.mpf("0.3") - 5 * e
                scale = (value - mp.mpf(float(ball(germ.x0)))) / (e ** mp.mpf(float(germ.r)) * mp.log(1 / e) ** logs)
                assert float(germ.c.lower()) - 1e-12 <= float(scale) <= float(germ.c.upper()) + 1e-12


def test_germs_hold_the_function_on_a_stretch_of_it() -> None:
    """exp, log, atan and powers of e in [2^-b, 2^-a]: the mean value lies between the limit and the value, not on the stretch."""
    functions: list[tuple[Any, Any]] = [
        (lambda u, xp: xp.exp(-u) - xp.exp(3 * u), lambda u: mp.exp(-u) - mp.exp(3 * u)),
        (lambda u, xp: xp.log(1 + u) - u, lambda u: mp.log(1 + u) - u),
        (
            lambda u, xp: (1 / u - 1) ** F(1, 3) - 2 * u ** F(-1, 3) + 5,
            lambda u: mp.cbrt(1 / u - 1) - 2 / mp.cbrt(u) + 5,
        ),
        (lambda u, xp: xp.apply("atan", u + 1) * (2 - u) ** -3, lambda u: mp.atan(u + 1) * (2 - u) ** -3),
        (lambda u, xp: xp.log(u) * u**2 + 1 / (3 - xp.log(u)), lambda u: mp.log(u) * u**2 + 1 / (3 - mp.log(u))),
        (lambda u, xp: xp.exp(-1 / u) / u + u, lambda u: mp.exp(-1 / u) / u + u),
    ]
    for balls in (FLOATS, None):
        for near, far in ((2.5, 3.25), (5.0, 9.0), (20.0, 20.001)):
            with ctx.workprec(BITS), mp.workdps(50):
                xp = germs_between(near, far, balls or arb_balls())
                for function, value in functions[: 5 if near < 4 else 6]:  # exp(-1/e) falls fast from there on only
                    germ = xp.number(function(xp.near(F(0), 1), xp))
                    held = xp.ball(germ.x0) + germ.tail
                    low, high = (held.low, held.high) if balls else (float(held.lower()), float(held.upper()))
                    for bits in np.linspace(near, far, 7):
                        true = value(mp.mpf(2) ** -mp.mpf(bits))
                        assert low - 1e-15 * abs(low) <= true <= high + 1e-15 * abs(high)


def test_a_sum_of_exponentials_has_the_sign_of_its_leading_term() -> None:
    """Signs on [start, stop] and on [start, inf) against mpmath at many x; a sum that has no one sign gets none."""
    functions = [
        lambda x, xp: 3 * 29 ** (x - 1) - 2 * xp.number(30) ** (x - 1) - 5,
        lambda x, xp: x * xp.number(F(1, 3)) ** x - xp.number(F(1, 4)) ** (x + 2) * x**2,
        lambda x, xp: xp.exp(x * -2) * 7 - x / 10 + (xp.number(F(9, 2)) ** (2 * x)) / 2 ** xp.number(20),
    ]
    for function in functions:
        grid = np.geomspace(0.5, 300, 400)
        with mp.workdps(30):
            signs = [int(mp.sign(function(mp.mpf(float(x)), _Plain()))) for x in grid]
        for i in range(0, 399, 7):
            for j in (i + 5, 399):
                stop = math.inf if j == 399 else float(grid[min(j, 399)])
                said, seen = sign_between(function, float(grid[i]), stop), set(signs[i : j + 1])
                assert said is None or seen == {said}
        assert sign_between(function, 200.0) == signs[-1]


class _Plain:
    """mpmath as a number system."""

    number = staticmethod(lambda x: mp.mpf(x.numerator) / x.denominator)
    exp = staticmethod(mp.exp)


def test_a_germ_without_a_leading_power_is_refused() -> None:
    with ctx.workprec(BITS):
        xp = germs(20)
        with pytest.raises(NoGerm):
            xp.exp(xp.log(xp.near(F(0), 1)))
        assert isinstance(xp.near(F(0), 1), Germ)


def test_signs_at_infinity_are_those_of_the_leading_term() -> None:
    def inequality(value: Any, xp: Any) -> Any:
        return (value - 1) ** F(1, 1000) - 5

    assert sign_beyond(inequality, None, True).sign == 1
    assert sign_beyond(lambda v, xp: 3 - v, None, True).sign == -1
    assert sign_beyond(lambda v, xp: v ** F(1, 2) - 1, F(0), False).sign == -1


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_by_the_mass_that_left_holds_everywhere(seed: int) -> None:
    """The excess at random points is at least the bound at their s, for separable sums, NGCE sums and p_min."""
    rng = np.random.default_rng(seed)
    K = int(rng.integers(2, 6))
    w = np.sort(rng.uniform(0.05, 1, K))[::-1]
    concave = [from_formula(f"(1-u_y**{q})/sum(1-u**{q})") + part for q, part in ((2, MAE()), (3, GCE()))]
    losses = [AGCE(q=2) + AMSE(a=2), NGCE() + AUL(), NNCE(p_min=F(1, 100)) + GCE(), NGCE() + GCE(), *concave]
    loss = losses[seed % len(losses)]
    transfer = Transfer.of(loss, from_weights(w.tolist()).rows[0])
    floor, tip, shares = float(transfer.floor), float(transfer.tip), w / w.sum()
    vertex = np.where(np.arange(K) == 0, tip, floor)
    spread = rng.dirichlet(np.full(K, 0.5), 60)
    heaped = np.eye(K)[0] * spread[:20, :1] + np.eye(K)[1] * (1 - spread[:20, :1])
    for u in floor + (1 - K * floor) * np.vstack([spread, heaped]):
        s = tip - u[0]
        with np.errstate(all="ignore"):
            local, chord = transfer._chords(np.array([s]), numpy_())
            excess = float((loss(u) - loss(vertex)) @ shares)
        assert excess >= float(np.sum(local) + np.sum(chord)) * s - 1e-9
