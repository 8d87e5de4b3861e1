"""Losses beside the four papers: thresholds by hand, limits of families, the rule of logarithms against brute force, and
names that are not losses.

Seen failing: with the coefficients of robust DPO for K = 2 at other K, and with the sign of a negative coefficient left out of
the shape of a sum.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from asymtheory import losses
from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.ratio import asymmetry_ratio
from asymtheory.asymmetry.risk import minimise, weighted_risk
from asymtheory.errors import InputError
from asymtheory.losses import build
from asymtheory.losses.newer import ELSEWHERE, NEWER
from asymtheory.losses.profile import Profile
from asymtheory.noise.models import symmetric
from asymtheory.numbers.backends import FLOAT, INTERVAL
from asymtheory.threshold.many import solve_many
from asymtheory.threshold.solve import solve

NOISY = symmetric(10, F(4, 5))  # clean level 9/4


@pytest.mark.parametrize(
    ("name", "fixed", "answer"),
    [
        ("vce", {}, "a >= 0.8"),
        ("log-mixture", {}, "a >= 4/9 (0.444444)"),
        ("ogc-ce", {}, "p0 >= 4/9 (0.444444)"),
        ("dal", {}, "q >= 1"),
        ("logit-bias-mae", {}, f"eps <= {math.log(9 / 4) / 2:.10g}"),
        ("js", {}, "never: no pi1 works"),
        ("bi-tempered", {}, "never: no t works"),
        ("alpha-loss", {}, "never: no order works"),
        ("logit-bias-ce", {}, "never: no eps works"),
        ("cdpo", {}, "never: no e works"),
        ("dft", {}, "always"),
        ("vel", {}, "a >= 1/log(9/4) (1.23315)"),
        ("vsl", {}, "a >= 1.8"),
        ("ogc-fl", {}, "never"),
        ("fisher-rao", {}, "never"),
        ("ropo", {}, "never"),
    ],
)
def test_thresholds_by_hand(name: str, fixed: dict[str, Any], answer: str) -> None:
    found = solve(build(name, **fixed), NOISY).answer
    assert found == answer or (name == "logit-bias-mae" and found.startswith("eps <= log(3/2)"))


@pytest.mark.parametrize("q", [F(1, 5), F(7, 10)])
def test_the_clipped_gce_needs_the_slope_at_its_threshold(q: F) -> None:
    end = solve(build("ogc-gce", q=q), NOISY, "p0").end
    assert end is not None
    assert end.value == pytest.approx((9 / 4) ** (1 / (float(q) - 1)), rel=1e-9)


@pytest.mark.parametrize(
    "name", ["vce", "log-mixture", "ogc-ce", "ogc-gce", "logit-bias-mae", "js", "bi-tempered", "logit-bias-ce"]
)
def test_thresholds_of_arrays_are_those_of_pairs(name: str) -> None:
    loss, rates = build(name), (F(1, 20), F(2, 5))
    many = solve_many(loss, [2, 10], [[float(eta)] for eta in rates])
    ends = [[solve(loss, symmetric(K, eta)).end for K in (2, 10)] for eta in rates]
    one = [[math.nan if end is None else end.value for end in row] for row in ends]
    np.testing.assert_allclose(many, one, rtol=1e-9)


def test_ratios_by_hand() -> None:
    for name, given, value in (
        ("vce", {"a": 2}, 2 / 3), ("log-mixture", {"a": F(2, 3)}, 2 / 3), ("ogc-ce", {"p0": F(1, 4)}, 1 / 4),
        ("logit-bias-mae", {"eps": F(1, 2)}, math.exp(-1)), ("js", {}, 0.0), ("dal", {"q": 2}, 1.0),
        ("vel", {"a": 2}, math.exp(-1 / 2)), ("vsl", {"a": 4}, 3 / 4), ("fisher-rao", {}, 0.0), ("ogc-fl", {}, 0.0),
        ("ropo", {}, 0.0),
    ):  # fmt: skip
        r = asymmetry_ratio(build(name, **given)).r
        assert r.low - 1e-12 <= value <= r.high + 1e-12, name


def test_fisher_rao_by_its_angle() -> None:
    """With u = cos(t)^2 its slope is -2t/sin(2t), which grows with u: convex, from -inf to -1."""
    slopes = []
    for t in np.linspace(1.5, 0.05, 40):
        value, slope, _ = Profile.of(build("fisher-rao"), 3).jet("active", math.cos(t) ** 2, FLOAT)
        assert value == pytest.approx(t**2, rel=1e-12)
        assert slope == pytest.approx(-2 * t / math.sin(2 * t), rel=1e-9)
        slopes.append(slope)
    assert slopes == sorted(slopes)
    ends = Profile.of(build("fisher-rao"), 3).slopes(INTERVAL)
    assert ends.active0.high == -math.inf
    assert ends.active1.low < -1 < ends.active1.high


def test_clipping_the_focal_loss_leaves_its_flat_end() -> None:
    for gamma, tolerant in ((0, True), (F(1, 2), False), (2, False)):
        assert check(build("ogc-fl", p0=F(1, 2), gamma=gamma), [6, 2, 2]).asymmetric is tolerant, gamma
    u = np.random.default_rng(4).dirichlet(np.ones(3), 20)
    np.testing.assert_allclose(build("ogc-fl", p0=F(1, 3), gamma=0)(u), build("ogc-ce", p0=F(1, 3))(u), rtol=1e-12)
    np.testing.assert_allclose(build("vsl", a=3)(u), 2 * build("aul", a=3, p=2)(u), rtol=1e-12)


def test_members_of_families_coincide() -> None:
    u = np.random.default_rng(0).dirichlet(np.ones(4), 20)
    a = F(2, 3)
    vce, mixture = build("vce", a=a / (1 - a))(u), build("log-mixture", a=a)(u)
    np.testing.assert_allclose(np.ptp(vce - mixture), 0, atol=1e-12)  # equal up to a constant
    np.testing.assert_allclose(build("bi-tempered", t=0)(u), 2 * build("mse")(u), rtol=1e-12)
    np.testing.assert_allclose(build("alpha-loss", order=F(10, 3))(u), build("gce", q=F(7, 10))(u), rtol=1e-12)
    np.testing.assert_allclose(build("ogc-ce", p0=F(1, 4))(u), build("phuber-ce", tau=4)(u), rtol=1e-12)
    np.testing.assert_allclose(build("agce", a=2, q=F(1, 10**7))(u), build("vce", a=2)(u), rtol=1e-5)
    np.testing.assert_allclose(
        build("label-smoothing", r=F(1, 5) * F(4, 3))(u), build("cdpo", e=F(1, 5))(u), rtol=1e-12
    )
    e = F(1, 5)
    np.testing.assert_allclose(
        build("label-smoothing", r=-2 * e / (1 - 2 * e))(u[:, :2]), build("rdpo", e=e)(u[:, :2]), rtol=1e-12
    )


def test_robust_dpo_averages_to_the_clean_loss() -> None:
    for K, e in ((2, F(1, 5)), (4, F(2, 5))):
        u = np.random.default_rng(1).dirichlet(np.ones(K), 10)
        values = build("rdpo", e=e)(u)
        flipped = [float(e) / (K - 1)] * (K - 1)
        averaged = values @ np.array([1 - float(e), *flipped])
        np.testing.assert_allclose(averaged, -np.log(u[:, 0]), rtol=1e-12)


@pytest.mark.parametrize("eta", [F(1, 10), F(1, 5), F(2, 5)])
def test_two_sided_logarithms_on_two_classes(eta: F) -> None:
    assert solve(build("rdpo"), symmetric(2, eta)).end.number == eta  # type: ignore[union-attr]
    assert solve(build("label-smoothing"), symmetric(2, eta)).end.number == -2 * eta / (1 - 2 * eta)  # type: ignore[union-attr]


def test_the_rule_of_logarithms_against_a_grid() -> None:
    """On a grid that goes down to e^-40 the risk is least next to e_1 exactly where the rule says yes."""
    near = 1 / (1 + np.exp(np.linspace(-40, 40, 4001)))
    u = np.stack([near, 1 / (1 + np.exp(-np.linspace(-40, 40, 4001)))], -1)
    for r, eta in itertools.product((-4, -1, F(-1, 2), F(-1, 10), F(1, 10)), (F(1, 10), F(3, 10), F(9, 20))):
        loss, w = build("label-smoothing", r=r), [1 - eta, eta]
        risk = weighted_risk(loss, [float(x) for x in w], u)
        assert bool(near[int(np.argmin(risk))] > 1 - 1e-15) is bool(check(loss, w).asymmetric), (r, eta)


def test_label_smoothing_on_more_classes() -> None:
    w = [F(3, 5), F(1, 5), F(1, 5)]
    assert check(build("label-smoothing"), w).asymmetric is False
    smooth = minimise(build("label-smoothing", r=F(1, 10)), [0.6, 0.2, 0.2])
    np.testing.assert_allclose(smooth.point, [0.9 * x + 0.1 / 3 for x in (0.6, 0.2, 0.2)], rtol=1e-9)
    exact = F(-3, 2)  # (1-r)/5 + r/3 = 0
    assert check(build("label-smoothing", r=exact), w).asymmetric is True  # the backward-corrected loss: -log u_1 alone
    assert (
        check(build("label-smoothing", r=exact - F(1, 100)), w).asymmetric is False
    )  # unbounded below on the boundary
    assert check(build("label-smoothing", r=exact + F(1, 100)), w).asymmetric is False


@pytest.mark.parametrize("loss", [cls() for cls in NEWER], ids=lambda loss: loss.name)
def test_verdicts_do_not_contradict_a_search(loss: losses.Loss) -> None:
    """A yes: no random point has less risk than one next to e_1. A no: the minimiser found is not e_1."""
    rng = np.random.default_rng(3)
    for w in ([6, 3, 1], [2, 1, 1], [7, 1]):
        verdict = check(loss, w)
        K = len(w)
        vertex = np.full(K, 1e-12)
        vertex[0] = 1 - (K - 1) * 1e-12
        points = np.concatenate([rng.dirichlet(np.full(K, c), 4000) for c in (0.1, 0.5, 1, 4)])
        points = (points + 1e-9) / (1 + K * 1e-9)
        least = float(np.min(weighted_risk(loss, w, points)))
        at_vertex = float(weighted_risk(loss, w, vertex))
        if verdict.asymmetric:
            assert at_vertex <= least + 1e-6 * (1 + abs(least)), w
        elif verdict.asymmetric is False and verdict.minimiser is not None:
            assert verdict.minimiser[0] < 1


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_not_a_loss_is_said(name: str) -> None:
    with pytest.raises(InputError, match="is not a loss of one prediction and one label") as caught:
        build(name)
    assert str(caught.value).count("\n") == 0


def test_sr_refuses_what_would_increase() -> None:
    with pytest.raises(InputError, match="would increase"):
        build("sr", lam=3, p=F(1, 2))
