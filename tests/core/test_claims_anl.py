"""The ANL claims: all registered, controls refuted, verdicts free of the seed, counterexamples re-evaluated here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from fractions import Fraction as Q
from typing import Any

import numpy as np
import pytest

from asymtheory import losses
from asymtheory.asymmetry.certificates import active_negative
from asymtheory.asymmetry.risk import minimise
from asymtheory.claims import anl
from asymtheory.claims.ledger import PROVED, REFUTED, Effort, catalogue
from asymtheory.losses import build
from asymtheory.losses.profile import Profile

from .claim_checks import against, catalogued, check_control, check_finding, check_quick, judged, printed, registered

pytestmark = pytest.mark.xdist_group("claims_anl")

P = 1e-7

VERDICTS = {
    "anl-eq3": REFUTED,
    "anl-scaled-mae": PROVED,
    "anl-eq8": PROVED,
    "anl-thm1": PROVED,
    "anl-eq14": PROVED,
    "anl-eq15": REFUTED,
    "anl-eq25": PROVED,
    "anl-thm2": REFUTED,
    "anl-thm3": PROVED,
    "anl-passive": REFUTED,
    "anl-tolerance": REFUTED,
    "anl-normalisation": REFUTED,
    "anl-mae-necessary": PROVED,
    "anl-eq20": PROVED,
    "anl-eq22-23": PROVED,
    "anl-nnlf-tolerant": PROVED,
    "anl-pmin": PROVED,
}


def test_registers_the_catalogue() -> None:
    assert catalogued("anl") == registered("anl")


def test_no_verdict_is_missing_here() -> None:
    assert set(VERDICTS) == registered("anl")


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str) -> None:
    check_finding(judged(name), VERDICTS[name], 200, corrected=(PROVED,))
    assert json.loads(json.dumps(judged(name).counterexample)) == judged(name).counterexample


@pytest.mark.parametrize("name", VERDICTS)
def test_quick_and_another_seed_agree(name: str) -> None:
    check_quick(name, VERDICTS[name], seeds=(1, 20231210))


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("quick", [False, True])
def test_control_is_refuted(name: str, quick: bool) -> None:
    check_control(name, Effort(quick=quick))


# --------------------------------------------------------------------- counterexamples, by plain arithmetic


def nnce(p: Sequence[float], y: int, p_min: float = P) -> float:
    h = [math.log(x / p_min) for x in p]
    return 1 - h[y] / sum(h)


def nce(p: Sequence[float], y: int) -> float:
    return math.log(p[y]) / sum(map(math.log, p))


def difference(f: Callable[[list[float]], float], p: Sequence[float], j: int, step: float = 1e-5) -> float:
    up, down = ([x + s * p[j] * (k == j) for k, x in enumerate(p)] for s in (step, -step))
    return (f(up) - f(down)) / (2 * step * p[j])


def test_the_printed_nce_is_negative() -> None:
    point = against("anl-eq3")
    p = [float(Q(x)) for x in point["p"]]
    printed = -math.log(p[0]) / sum(math.log(x) for x in p)
    assert printed == float(Q(point["claimed"])) == -0.5
    assert nce(p, 0) == float(Q(point["NCE"])) == 0.5


def test_the_printed_branch_of_equation_15() -> None:
    point = against("anl-eq15")
    p = [float(Q(x)) for x in point["p"]]
    h = math.log(0.5) + 7 * math.log(10)
    assert point["claimed"] == pytest.approx(-2 / (2 * h) ** 2, rel=1e-12)
    assert point["dNNCE/dp_j"] == pytest.approx(-2 * h / (2 * h) ** 2, rel=1e-12)
    assert difference(lambda q: nnce(q, 0), p, 0) == pytest.approx(point["dNNCE/dp_j"], rel=1e-7)
    assert point["dNNCE/dp_j"] / point["claimed"] == pytest.approx(15.4249, abs=1e-4)


def test_both_slopes_vanish_at_the_boundary() -> None:
    point = against("anl-thm2")
    p = [float(Q(x)) for x in point["p"]]
    assert p[0] == P
    assert p[1] < p[2]
    for j in (1, 2):  # A + log p_y = 0, so NNCE = 1 whatever the other p_k are
        assert difference(lambda q: nnce(q, 0), p, j) == pytest.approx(0, abs=1e-12)
    below = [1e-8, 0.3, 0.7 - 1e-8]
    assert difference(lambda q: nnce(q, 0), below, 1) < difference(lambda q: nnce(q, 0), below, 2) < 0


def test_theorem_2_and_3_on_random_points() -> None:
    draw = np.random.default_rng(5)
    for K in (3, 4, 10):
        for _ in range(40):
            p = np.maximum(draw.dirichlet(np.full(K, draw.choice([0.1, 1.0, 10.0]))), 1e-6)
            p /= p.sum()
            slopes = [difference(lambda q: nnce(q, 0), p.tolist(), j) for j in range(1, K)]
            order = np.argsort(p[1:])
            apart = np.diff(p[1:][order]) > 1e-6 * p[1:][order][1:]
            assert (np.diff(np.array(slopes)[order])[apart] < 0).all()
            y = int(p.argmax())
            j, *rest = (k for k in range(K) if k != y)
            better = p.copy()
            taken = draw.random(len(rest)) * (p[rest] - P)
            better[rest] -= taken
            better[y] += taken.sum()
            gain = [difference(lambda q, y=y: nnce(q, y), q.tolist(), j) for q in (better, p)]
            assert gain[0] > gain[1] * (1 + 1e-9)


def test_theorem_3_fails_below_p_min() -> None:
    one, two = [0.75, 0.25, 1e-41], [0.5, 0.25, 0.25]
    assert sum(math.log(x / P) for x in one) < 0
    slopes = [difference(lambda q: nnce(q, 0), p, 1) for p in (one, two)]
    assert slopes[0] < slopes[1]
    assert f"{slopes[0]:.5f} < {slopes[1]:.5f}" in " ".join(judged("anl-thm3").details)


def test_flipping_a_loss_with_constant_sum_returns_it() -> None:
    point = against("anl-passive")
    bounds = [nce([float(Q(x)) for x in p], 0) for p in point["Eq. 7 at"]]
    assert bounds == pytest.approx(point["A"], abs=1e-6)
    assert bounds[0] > 1.8 * bounds[1]
    u = [Q(1, 2), Q(1, 4), Q(1, 4)]
    logs = [1, 2, 2]  # -log_2 u: NCE is 1/5, 2/5, 2/5
    each = [Q(x, sum(logs)) for x in logs]
    assert point["flipped with A = 1 at"] == [str(x) for x in u]
    assert Q(point["sum_{k != y} (1 - NCE_k)"]) == (1 - each[1]) + (1 - each[2]) == 1 + each[0]


def anl_risk(w: Sequence[float], u: Sequence[float], alpha: float, beta: float) -> float:
    return sum(x * (alpha * nce(u, k) + beta * nnce(u, k)) for k, x in enumerate(w))


def test_anl_prefers_two_classes() -> None:
    point = against("anl-tolerance")
    w, u = ([float(Q(x)) for x in point[key]] for key in ("w", "u"))
    assert w == [0.6, 0.4, 0.0]
    assert sum(u) == pytest.approx(1, abs=1e-15)
    vertex = [1 - 2 * P, P, P]
    assert anl_risk(w, u, 1, 1) == pytest.approx(point["risk at u"], abs=1e-9)
    assert anl_risk(w, vertex, 1, 1) == pytest.approx(point["risk at the cut-off vertex"], abs=1e-9)
    # by hand, with g(p_min) = 16.12: NCE 0.693/17.50 against 0.4/2, NNCE 1/2 against 0.4
    assert point["risk at u"] == pytest.approx(math.log(2) / (2 * math.log(2) + 16.118) + 0.5, abs=1e-4)
    assert point["risk at the cut-off vertex"] == pytest.approx(0.2 + 0.4, abs=1e-6)


@pytest.mark.parametrize(("K", "alpha", "beta"), [(50, 20, 1), (14, 5, 0.1)])
def test_two_published_settings_fail_on_pair_noise(K: int, alpha: float, beta: float) -> None:
    w = [0.6, 0.4, *[0.0] * (K - 2)]
    vertex, two = [1 - (K - 1) * P, *[P] * (K - 1)], [0.5, 0.5 - (K - 2) * P, *[P] * (K - 2)]
    assert anl_risk(w, two, alpha, beta) < anl_risk(w, vertex, alpha, beta) - 0.04
    found = minimise(build("anl-ce", alpha=alpha, beta=beta), w)
    assert found.point.max() < 0.9
    assert found.point.argmax() == 0  # the decision survives
    settings = " ".join(judged("anl-tolerance").details)
    assert f"K = {K}, {anl_risk(w, two, alpha, beta):.4f} < {anl_risk(w, vertex, alpha, beta):.4f}" in settings


def test_the_transition_tends_to_the_closed_form() -> None:
    """alpha/beta = (K-1)(w_m - 1/2)/(1 - w_m) = 9/4 for K = 10, pair 0.4, as p_min -> 0."""
    p, w = Q(1, 10**200), [Q(3, 5), Q(2, 5), *[Q(0)] * 8]
    kept, lost = (build("anl-ce", alpha=a, beta=1).replace(p_min=p) for a in (Q(11, 5), Q(23, 10)))
    here, vertex = anl.ball_risks(lost, w, [Q(1, 2), Q(1, 2) - 8 * p, *[p] * 8], p)
    assert here < vertex
    assert active_negative(Profile.of(kept, 10), w, 0)


def test_decisions_survive_on_any_weights() -> None:
    draw = np.random.default_rng(2)
    for K in (3, 5):
        w = np.sort(draw.dirichlet(np.ones(K), 4), axis=-1)[:, ::-1]
        for alpha in (0.2, 1, 100):
            points = minimise(build("anl-ce", alpha=alpha, beta=1), w).point
            assert (points.argmax(-1) == 0).all()


# --------------------------------------------------------------------------------------- the judges can refute


def test_a_broken_normalisation_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    def labels(self: Any, p: Any, logp: Any, xp: Any) -> Any:
        each = self.flipped(p, logp, xp)
        return 1 - each / (losses.total(each) * 2)

    monkeypatch.setattr(losses.NormalisedNegative, "labels", labels)
    for name in ("anl-thm1", "anl-eq25"):
        assert printed(name).verdict is REFUTED


def test_a_concave_base_reverses_theorem_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses.NNCE, "base", property(lambda self: losses.AGCE(a=1, q=2)))  # |slope| 1 + p grows with p
    judge = catalogue()["anl-thm2"].judge
    assert judge((">", "p_y > p_min"), Effort(quick=True)).verdict is REFUTED


def test_a_wrong_mae_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses.MAE, "active", lambda self, p, logp, xp: 1 - p * 2)
    for name in ("anl-eq14", "anl-scaled-mae"):
        assert printed(name).verdict is REFUTED
