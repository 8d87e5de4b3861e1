"""Verdicts: every rule against an adversary who looks for a counterexample, and the search against brute force."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asymtheory import noise
from asymtheory.asymmetry import certificates
from asymtheory.asymmetry.binding import binding_rows, distinct_rows, rows_by_all_weights
from asymtheory.asymmetry.condition import Condition, check
from asymtheory.asymmetry.risk import minimise, weighted_risk
from asymtheory.asymmetry.rules import Decision, Rule, decide, endless, rule
from asymtheory.asymmetry.rules.clip import Clip, ClipApart
from asymtheory.asymmetry.rules.cutoff import CutOff
from asymtheory.asymmetry.rules.dominance import Dominance
from asymtheory.asymmetry.rules.kkt import KKT
from asymtheory.asymmetry.rules.never import Never, NoMinimiser
from asymtheory.asymmetry.rules.search import Search
from asymtheory.errors import InputError
from asymtheory.losses import (
    AEL,
    AGCE,
    AMSE,
    AUL,
    CE,
    GCE,
    LINEAR,
    MAE,
    MIXED,
    NCE,
    NFL,
    NGCE,
    NNCE,
    NNFL,
    RCE,
    LogitClipCE,
    Loss,
    PHuberCE,
    Separable,
    TaylorCE,
    Unhinged,
    build,
    names,
)
from asymtheory.losses.profile import Profile
from asymtheory.noise import NoiseModel, Row, from_matrix, from_weights, symmetric
from asymtheory.numbers.backends import FLOAT
from asymtheory.threshold import solve

from . import loss_cases as cases

F = Fraction
mp = mpmath.mp.clone()  # a context of our own: the global one belongs to everyone
mp.prec = 200
FEW = settings(max_examples=60, deadline=None, derandomize=True)

CONVEX_LOSSES = [
    *cases.CONVEX, AGCE(a=0.6, q=0.6), AGCE(a=5, q=0.3), AUL(a=5.5, p=3), AUL(a=1, p=1.5), AEL(a=2.5), AEL(a=0.4),
    AMSE(a=30), AMSE(a=4), AMSE(a=3, q=1.5), AMSE(a=6, q=3), TaylorCE(t=3), PHuberCE(tau=2), AMSE(a=3) + MAE(),
    2 * AGCE(a=0.2, q=0.5) + 0.1 * RCE(),
]  # fmt: skip
FLAT_LOSSES = [*cases.FLAT, Unhinged(), AMSE(a=2, q=1)]
ENDLESS = [NCE() + loss for loss in (AMSE(a=30), AMSE(a=4), AGCE(a=6, q=1.5), AUL(a=6.3, p=1.5), MAE(), AEL(a=5))] + [
    NFL(gamma=0.5) + AMSE(a=4),
    NFL(gamma=2) + RCE(),
    0.1 * NCE() + 3 * AGCE(a=0.3, q=0.5),
]
FINITE = [NGCE(q=0.7), NGCE(q=0.3), NGCE(q=0.5) + MAE(), NGCE(q=0.7) + 10 * AMSE(a=20), NGCE(q=0.7) + NCE()]
NEGATIVE = [
    NNCE(p_min=0.001), NNFL(gamma=0.5, p_min=0.001), NNCE(p_min=0.01) + MAE(), NNCE(p_min=0.01) + AGCE(a=6, q=1.5),
    NNCE(p_min=0.01) + AMSE(a=5), 5 * NCE() + 5 * NNCE(p_min=0.001), NFL(gamma=0.5) + NNFL(gamma=0.5, p_min=0.001),
]  # fmt: skip
MIXED_LOSSES = [
    *cases.MIXED,
    AGCE(a=0.1, q=3) + 5 * AMSE(a=20),
    AUL(a=1, p=0.5) + 0.2 * AUL(a=1.2, p=3),
    3 * AUL(a=1, p=0.5) + AEL(a=0.4),
    NCE() + AGCE(a=0.1, q=3) + AMSE(a=2),
]


def row_of(weights: list[Any]) -> Row:
    return Row(tuple(F(w) for w in weights), max(range(len(weights)), key=lambda k: weights[k]))


@st.composite
def weights(draw: st.DrawFn, least: int = 2, most: int = 6) -> list[int]:
    """Whole weights, the largest first and unique; sometimes all others are equal."""
    K = draw(st.integers(least, most))
    rest = (
        [draw(st.integers(1, 30))] * (K - 1)
        if draw(st.booleans())
        else draw(st.lists(st.integers(0, 30), min_size=K - 1, max_size=K - 1))
    )
    return [max(rest) + draw(st.integers(1, 40)), *rest]


def adversary(K: int, seed: int) -> Any:
    """Points of the simplex: everywhere, on faces, and ever closer to the vertex e_0 in many directions."""
    rng = np.random.default_rng(seed)
    spread = np.concatenate([rng.dirichlet(np.full(K, alpha), 150) for alpha in (0.1, 0.5, 1, 5)])
    directions = np.concatenate([np.eye(K)[1:], rng.dirichlet(np.full(K - 1, 0.3), 20) @ np.eye(K)[1:]])
    steps = np.geomspace(1e-12, 1, 80)[:, None, None]
    near = (1 - steps) * np.eye(K)[0] + steps * directions
    return np.concatenate([spread, near.reshape(-1, K)])


def excess(loss: Loss, w: Any, points: Any) -> Any:
    """Risk above that of the (cut-off) vertex; NCE and NFL count there with their least limit, the least weight."""
    profile, K = Profile.of(loss, len(w)), len(w)
    floor = float(profile.negative[0][1].p_min) if profile.negative else 0.0
    u = floor + (1 - K * floor) * points
    vertex = floor + (1 - K * floor) * np.eye(K)[0]
    if floor or not any(endless(atom) for _, atom in profile.normalised):
        with np.errstate(invalid="ignore"):  # where both are infinite (CE on the boundary)
            return weighted_risk(loss, w, u) - weighted_risk(loss, w, vertex)
    inside = 1e-15 + (1 - K * 1e-15) * u
    least, result = float(min(w)), 0.0
    for c, atom in loss.terms():
        if isinstance(atom, NCE | NFL):
            result = result + float(c) * (weighted_risk(atom, w, inside) - least)
        else:
            result = result + float(c) * (weighted_risk(atom, w, u) - weighted_risk(atom, w, vertex))
    return result


# ------------------------------------------------------------------------------------------------ rules


@pytest.mark.parametrize("loss", CONVEX_LOSSES + FLAT_LOSSES + ENDLESS + FINITE + NEGATIVE, ids=repr)
@given(w=weights(), seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_no_point_contradicts_a_yes(loss: Loss, w: list[int], seed: int) -> None:
    decision = decide(loss, row_of(w))
    if decision.holds:
        share = np.array(w) / sum(w)
        above = excess(loss, share, adversary(len(w), seed))
        assert np.nanmin(above) >= -1e-12 * max(1.0, float(np.nanmax(np.abs(above[np.isfinite(above)]))))
        far = adversary(len(w), seed)[:, 0] < 0.5
        assert np.nanmin(above[far]) > 0


@pytest.mark.parametrize("loss", CONVEX_LOSSES + FINITE[:4], ids=repr)
@given(w=weights(), seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_a_no_has_a_point_of_less_risk(loss: Loss, w: list[int], seed: int) -> None:
    decision = decide(loss, row_of(w))
    slack = decision.gap
    if decision.holds is False and (slack is None or slack < -1e-4):
        share = np.array(w) / sum(w)
        assert np.nanmin(excess(loss, share, adversary(len(w), seed))) < 0


def test_every_kind_of_no_and_yes_is_met() -> None:
    """The lists above are no empty promise: each rule gives both answers somewhere, where it can."""
    draws = [[5, 3, 2], [9, 1, 1], [5, 4, 4], [40, 1], [3, 2, 0, 0], [20, 1, 1, 1, 1]]
    for losses, expected in (
        (CONVEX_LOSSES, {True, False}),
        (FLAT_LOSSES, {True}),
        (ENDLESS, {True, False}),
        (FINITE, {True, False}),
        (NEGATIVE, {True, None}),
    ):
        assert {decide(loss, row_of(w)).holds for loss in losses for w in draws} == expected


KINDS = [
    ("ce", KKT, KKT), ("mae", Dominance, Dominance), ("amse", KKT, KKT), ("nce", NoMinimiser, NoMinimiser),
    ("nfl", NoMinimiser, NoMinimiser),
    ("ngce", Dominance, Never), ("nnce", CutOff, CutOff), ("nnfl", CutOff, CutOff), ("logitclip-ce", Clip, ClipApart),
    ("nce+mae", Dominance, Dominance), ("nce+agce", Dominance, Dominance), ("nce+aul", KKT, KKT), ("jal-ce", KKT, KKT),
    ("jal-fl", KKT, KKT), ("anl-ce", CutOff, Search), ("anl-fl", CutOff, Search), ("ngce+mae", Dominance, Never),
    ("ngce+rce", Dominance, Never), ("taylor-ce", KKT, KKT), ("unhinged", Dominance, Dominance), ("sce", KKT, KKT),
]  # fmt: skip


@pytest.mark.parametrize(("name", "uniform", "other"), KINDS)
def test_which_rule_decides(name: str, uniform: type[Rule], other: type[Rule]) -> None:
    assert type(rule(build(name), 5, True)) is uniform
    assert type(rule(build(name), 5, False)) is other


def test_ngce_at_q_1_is_linear() -> None:
    assert rule(NGCE(q=1), 5, False).verdict is True
    assert check(NGCE(q=1), [5, 3, 2]).asymmetric


@given(w=weights(3), q=st.sampled_from([0.05, 0.3, 0.7, 0.95]))
@FEW
def test_ngce_if_and_only_if_the_rest_is_uniform(w: list[int], q: float) -> None:
    """Otherwise the risk falls from e_m towards the runner-up at rate -inf: seen in high precision at a tiny step."""
    expected = len(set(w[1:])) == 1 or max(w[1:]) == 0
    assert decide(NGCE(q=q), row_of(w)).holds is expected
    n = max(range(1, len(w)), key=lambda k: w[k])
    step, q_ = mp.mpf(10) ** -45, mp.mpf(q)
    u = [1 - step if k == 0 else step if k == n else mp.mpf(0) for k in range(len(w))]
    g = [(1 - x**q_) / q_ for x in u]
    at_vertex = mp.mpf(sum(w[1:])) / (len(w) - 1)
    moved = sum(a * b for a, b in zip(w, g, strict=True)) / sum(g)
    # q = 0.95 falls at rate step^0.95 against a rise of order step: seen where the weights differ enough
    if not expected and (q < 0.9 or w[n] > 1.2 * at_vertex):
        assert moved < at_vertex
    if expected:
        assert moved >= at_vertex


def test_the_limit_of_nce_is_no_obstacle_and_no_help() -> None:
    """JAL-CE: the infimum at e_m is S(e_m) + min w; with S not asymmetric a point near the minimiser of S goes below it."""
    w = [mp.mpf(x) for x in ("0.5", "0.3", "0.2")]

    def risk_of(u: list[Any], logs: list[Any], a: int) -> Any:
        squares = [sum((a * (i == k) - u[i]) ** 2 for i in range(3)) / 3 for k in range(3)]
        return sum(w[k] * (logs[k] / sum(logs) + squares[k]) for k in range(3))

    tiny = -(mp.mpf(10) ** 50)  # log u_3: the class of least weight takes the normalised term
    for a, expected in ((3, False), (5, True), (6, True)):
        assert check(NCE() + AMSE(a=a), [5, 3, 2]).asymmetric is expected
        near_vertex = [mp.mpf(1) - mp.mpf(10) ** -60, mp.mpf(10) ** -60, mp.mpf(0)]
        limit = risk_of(near_vertex, [mp.log(near_vertex[0]), mp.log(near_vertex[1]), tiny], a)
        rivals = []
        for t in np.geomspace(1e-6, 0.9, 60):
            u = [1 - mp.mpf(t), mp.mpf(t), mp.mpf(0)]
            rivals.append(risk_of(u, [mp.log(u[0]), mp.log(u[1]), tiny], a))
        assert (min(rivals) < limit - mp.mpf(10) ** -40) is not expected


def test_nce_with_two_classes_costs_less_than_the_slope_gains() -> None:
    w = [mp.mpf("0.6"), mp.mpf("0.4")]
    for a, expected in ((4, False), (5, True)):
        assert check(NCE() + AMSE(a=a), [6, 4]).asymmetric is expected
        t = mp.mpf(10) ** -50
        logs = [mp.log(1 - t), mp.log(t)]
        nce = sum(x * log / sum(logs) for x, log in zip(w, logs, strict=True)) - w[1]
        square = w[0] * ((a - 1 + t) ** 2 + t**2 - (a - 1) ** 2) + w[1] * ((a - t) ** 2 + (1 - t) ** 2 - a**2 - 1)
        assert (nce + square / 2 < 0) is not expected


@pytest.mark.parametrize("tau", [0.01, 1, 40, 90, 250])
def test_the_minimiser_on_clipped_logits_where_a_weight_is_0(tau: float) -> None:
    """z is (a, a, -2 a), on the sphere: a = tau / sqrt(6). Once NaN from tau = 40 on."""
    found = minimise(LogitClipCE(tau=tau), [1, 1, 0]).point
    assert found[2] == pytest.approx(1 / (1 + 2 * math.exp(3 * tau / math.sqrt(6))), rel=1e-9)
    assert found[:2] == pytest.approx([(1 - found[2]) / 2] * 2, rel=1e-12)


@given(w=weights(2, 5), tau=st.sampled_from([0.1, 0.5, 1.0, 1.5, 2.5, 4.0]))
@FEW
def test_clipped_logits_against_the_ball(w: list[int], tau: float) -> None:
    """Asymmetric iff the minimiser of the loss of the top class, tau (e_m - 1/K) / |.|, minimises the weighted risk."""
    K = len(w)
    z = np.eye(K)[0] - 1 / K
    own = cases.softmax(tau * z / np.linalg.norm(z))
    best = minimise(LogitClipCE(tau=tau), w).value
    loss_there = float(weighted_risk(CE(), np.array(w), own))
    decision = decide(LogitClipCE(tau=tau), row_of(w))
    if decision.holds:
        assert loss_there <= best + 1e-9 * sum(w)
        direction = np.random.default_rng(0).normal(size=(3000, K))
        direction *= tau / np.linalg.norm(direction, axis=-1, keepdims=True)
        assert loss_there <= weighted_risk(CE(), np.array(w), cases.softmax(direction)).min() + 1e-12
    elif decision.gap is None or decision.gap < -1e-3:
        assert loss_there > best


# ------------------------------------------------------------------------------------- rows that bind


@given(
    st.lists(weights(3, 3), min_size=1, max_size=12), st.sampled_from(CONVEX_LOSSES + FLAT_LOSSES + ENDLESS + FINITE)
)
@FEW
def test_binding_rows_decide_for_all(rows: list[list[int]], loss: Loss) -> None:
    model = NoiseModel("matrix", tuple(row_of(w) for w in rows), 3, None)
    every = [decide(loss, row) for row in model.rows]
    bound = [decide(loss, row) for _, row in binding_rows(model)]
    assert all(d.holds for d in every) == all(d.holds for d in bound)
    assert len(bound) <= len(every)
    slacks, kept = ([d.gap for d in ds if d.gap is not None and isinstance(d.rule, KKT)] for ds in (every, bound))
    if slacks:
        assert min(kept) <= min(slacks) + 1e-12 * abs(min(slacks)) or min(slacks) == -math.inf


@given(st.lists(weights(3, 4), min_size=1, max_size=12))
@FEW
def test_binding_rows_are_the_minimal_ones(rows: list[list[int]]) -> None:
    """The sweep against the definition, all pairs."""
    model = NoiseModel("matrix", tuple(row_of(w) for w in rows), 4, None)
    shares = [(row.top / row.total, row.second / row.total, row.uniform_rest) for row in model.rows]
    expected = {s for s in shares if not any(t != s and t[2] == s[2] and t[0] <= s[0] and t[1] >= s[1] for t in shares)}
    kept = [shares[index] for index, _ in binding_rows(model)]
    assert len(kept) == len(set(kept))
    assert set(kept) == expected


def test_slack_is_monotone_in_both_shares() -> None:
    rng = np.random.default_rng(0)
    for loss in CONVEX_LOSSES:
        for _ in range(20):
            second, top = sorted(rng.uniform(0.01, 0.5, 2))
            less, more = F(second) * F(9, 10), F(top) + F(1, 50)
            K = 12

            def slack(top: Any, second: Any, loss: Loss = loss, K: int = K) -> float:
                slopes = Profile.of(loss, K).slopes(FLOAT)
                return float(slopes.slack(float(top), float(second), 1.0))

            at = slack(top, second)
            assert slack(more, second) >= at
            assert slack(top, less) >= at


def test_distinct_rows_ignore_order_and_scale_only() -> None:
    rows = [row_of(w) for w in ([5, 3, 2], [10, 4, 6], [5, 2, 3], [2, 5, 3], [5, 3, 1], [5, 3, 2])]
    model = NoiseModel("matrix", tuple(rows), 3, None)
    assert [index for index, _ in distinct_rows(model)] == [0, 4]


@given(st.lists(weights(4, 4), min_size=2, max_size=8), st.integers(0, 2**32 - 1))
@FEW
def test_rows_that_all_weights_leave_out_are_implied(rows: list[list[int]], seed: int) -> None:
    """At every point whose entries are ordered as the weights some row that is kept has no more excess, for AMSE and AUL alike."""
    model = NoiseModel("matrix", tuple(row_of(w) for w in rows), 4, None)
    shares = [sorted((w / row.total for w in row.weights), reverse=True) for row in model.rows]
    kept = [index for index, _ in rows_by_all_weights(model, ordered=True)]
    rng = np.random.default_rng(seed)
    t = rng.uniform(0.01, 1, (40, 1))
    u = np.concatenate([1 - t, -np.sort(-rng.dirichlet(np.full(3, 0.6), 40)) * t], axis=1)
    vertex = np.array([1.0, 0.0, 0.0, 0.0])
    for loss in (AMSE(a=F(11, 10), q=3), AUL(a=1, p=F(1, 2))):
        at, start = ([weighted_risk(loss, [float(x) for x in w], points) for w in shares] for points in (u, vertex))
        excess = np.array(at) - np.array(start)[:, None]
        assert (excess[kept].min(0) <= excess.min(0) + 1e-9).all()


def test_a_threshold_on_a_matrix_is_that_of_all_its_rows() -> None:
    """Row 0 implies row 1 by the two largest weights, but not by three: in row 1 mass that goes to two classes lowers the risk."""
    first, second = [F(x, 100) for x in (40, 30, 15, 15)], [F(x, 100) for x in (29, 40, 29, 2)]
    model = from_matrix([first, second, [0, 0, 1, 0], [0, 0, 0, 1]])
    loss = AUL(a=1, p=F(1, 2)) + AMSE(a=F(11, 10), q=3)
    assert [index for index, _ in binding_rows(model)] == [0, 2]
    assert {index for index, _ in rows_by_all_weights(model, ordered=True)} >= {0, 1}
    assert check(loss.replace(beta=2), from_weights(first)).asymmetric is True
    assert check(loss.replace(beta=2), model).asymmetric is False
    assert not any(F(2) in piece for piece in solve(loss, model, "beta").pieces)


def test_where_all_rows_hold_the_one_of_least_margin_binds() -> None:
    """Found by a search, or by the form of the loss: without a slack that could be compared."""
    model = from_matrix(
        [[F(9, 10), F(8, 100), F(2, 100)], [F(3, 10), F(6, 10), F(1, 10)], [F(1, 10), F(2, 10), F(7, 10)]]
    )
    for loss in (build("anl-ce"), build("mae") + build("dal", q=2)):
        assert check(loss, model).asymmetric is True
        assert check(loss, model).row == 1
        assert solve(loss, model, None if loss.main is None else loss.main).binding_row == 1


def test_a_search_looks_at_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows with the same two largest weights and another rest need two searches."""
    seen = []

    def search(loss: Loss, row: Row, decision: Decision) -> Any:
        seen.append(row)
        return Decision(True, decision.gap, decision.rule), None, "pretended"

    monkeypatch.setattr(certificates, "search", search)
    matrix = [[F(w, 10) for w in line] for line in ([5, 3, 2, 0], [3, 5, 1, 1], [2, 0, 5, 3], [0, 0, 0, 10])]
    found = check(build("anl-ce"), from_matrix(matrix))
    assert len(seen) == 2
    assert found.asymmetric
    assert found.method == "pretended"


# ----------------------------------------------------------------------------------------- the search


GRID = cases.simplex_grid(200)


@pytest.mark.parametrize("loss", MIXED_LOSSES, ids=repr)
def test_mixed_sums_are_certified_rightly(loss: Loss) -> None:
    verdicts = []
    for w in ([5, 3, 2], [9, 2, 1], [20, 1, 1], [8, 7, 1], [6, 5, 5], [30, 1, 0], [40, 39, 39]):
        found = check(loss, w)
        share = np.array(w) / sum(w)
        above = excess(loss, share, np.concatenate([GRID, adversary(3, 1)]))
        verdicts.append(found.asymmetric)
        if found.asymmetric:
            assert np.nanmin(above) >= -1e-12
            assert found.minimiser == (1, 0, 0)
        elif found.asymmetric is False:
            assert np.nanmin(above) < 0
            assert "certified" in found.method
            assert found.minimiser is not None
            assert float(excess(loss, share, np.array(found.minimiser))) < 1e-12
    assert verdicts.count(None) <= 2


class Dip(Separable):
    """1 - u with a dip of width 1e-4 between the points of any coarse grid."""

    name, title = "dip", "dip"

    def active(self, p: Any, logp: Any, xp: Any) -> Any:
        away = (p - xp.number(F(50025, 100_000))) * 20_000
        return (1 - p) - xp.exp(-(away * away)) * xp.number(F(9, 10))

    def curvature(self) -> tuple[int | None, int | None]:
        return MIXED, LINEAR


def test_a_dip_between_grid_points_is_no_yes() -> None:
    w, bottom = np.array([0.6, 0.4]), np.array([0.49975, 0.50025])
    assert weighted_risk(Dip(), w, bottom) < weighted_risk(Dip(), w, np.array([1.0, 0.0]))
    assert check(Dip(), [6, 4]).asymmetric is not True


def test_both_answers_come_out_of_the_search() -> None:
    found = {check(loss, w).asymmetric for loss in MIXED_LOSSES for w in ([20, 1, 1], [6, 5, 5])}
    assert {True, False} <= found


@pytest.mark.parametrize("factor", [F(1, 10), 1, 100])
def test_a_chord_proof_of_one_term_does_not_speak_for_ngce(factor: Any) -> None:
    """AMSE with q < 1 alone is asymmetric, NGCE pulls towards the runner-up where the rest differs."""
    loss = factor * NGCE(q=0.3) + AMSE(a=1, q=0.2)
    assert rule(loss, 3, False).searched
    found = check(loss, [5, 3, 2])
    above = excess(loss, np.array([0.5, 0.3, 0.2]), np.concatenate([GRID, adversary(3, 2)]))
    assert found.asymmetric is not (np.nanmin(above) < 0)
    if factor == 100:
        assert found.asymmetric is False


@pytest.mark.parametrize("loss", NEGATIVE[5:], ids=repr)
@pytest.mark.parametrize("w", [[5, 3, 2], [9, 2, 1], [6, 4, 0, 0], [40, 39, 38], [40, 39, 1]])
def test_anl_on_its_cut_off_simplex(loss: Loss, w: list[int]) -> None:
    found = check(loss, w)
    above = excess(loss, np.array(w) / sum(w), adversary(len(w), 3))
    if found.asymmetric:
        assert np.nanmin(above) >= -1e-12
        assert found.minimiser is not None
        floor = float(Profile.of(loss, len(w)).negative[0][1].p_min)
        assert found.minimiser[1:] == (floor,) * (len(w) - 1)
    elif found.asymmetric is False:
        assert found.minimiser is not None
        assert weighted_risk(loss, np.array(w), np.array(found.minimiser)) < weighted_risk(
            loss, np.array(w), np.where(np.arange(len(w)) == 0, 1 - (len(w) - 1) * 0.001, 0.001)
        )


# ------------------------------------------------------------------------------------ at the boundary

TEN = symmetric(10, F("0.8"))  # c = 9/4, margin 1/9
EQUAL: list[tuple[Loss, str, Fraction]] = [
    (AMSE(a=9), "a", F(9)),
    (AUL(a=F(9, 5), p=2), "a", F(9, 5)),
    (AGCE(a=F(16, 65), q=F(1, 2)), "a", F(16, 65)),
    (NCE() + AMSE(a=9), "a", F(9)),
    (0.3 * AMSE(a=9), "a", F(9)),
]


@pytest.mark.parametrize(("loss", "parameter", "value"), EQUAL)
def test_equality_counts_where_the_loss_is_strictly_convex(loss: Loss, parameter: str, value: Fraction) -> None:
    at = check(loss, TEN)
    assert at.asymmetric
    assert at.slack == 0
    assert at.minimiser == (1, *[0] * 9)
    assert check(loss.replace(**{parameter: value - F(1, 10**25)}), TEN).asymmetric is False
    assert check(loss.replace(**{parameter: value + F(1, 10**25)}), TEN).asymmetric
    assert check(loss.replace(**{parameter: value - F(1, 10**25)}), TEN).slack <= 0  # type: ignore[operator]


def test_equality_with_whole_and_clipped_parameters() -> None:
    assert check(TaylorCE(t=3), [3, 1]).asymmetric
    assert check(TaylorCE(t=4), [3, 1]).asymmetric is False
    assert check(PHuberCE(tau=F(9, 4)), TEN).asymmetric
    assert check(PHuberCE(tau=F(9, 4) + F(1, 10**20)), TEN).asymmetric is False


def test_ties_are_refused_or_a_no() -> None:
    with pytest.raises(InputError, match="unique largest"):
        check(MAE(), [1, 1])
    half = from_matrix([[F(1, 2), F(1, 2)], [F(0), F(1)]])
    for name in names():
        assert check(build(name), half).asymmetric is False


def test_a_matrix_whose_target_is_not_largest_is_a_no() -> None:
    found = check(MAE(), from_matrix([[0.4, 0.6], [0.1, 0.9]]))
    assert found.asymmetric is False
    assert found.row == 0
    assert "unique largest" in found.reason


SPREAD = (
    "label-smoothing",
    "cdpo",
    "rdpo",
)  # a cross entropy of every class: on three classes or more not least at e_m


@pytest.mark.parametrize("name", [n for n in names() if n not in ("nce", "nfl", *SPREAD)])
def test_clean_labels_suit_every_loss_with_one_minimiser(name: str) -> None:
    for model in (symmetric(4, F(0)), symmetric(2, F(0)), from_weights([1, 0, 0]), noise.pair(2, F(0))):
        assert check(build(name), model).asymmetric


@pytest.mark.parametrize("name", SPREAD)
def test_what_pulls_at_every_class_does_not_end_at_the_vertex_of_clean_labels(name: str) -> None:
    assert check(build(name), symmetric(4, F(0))).asymmetric is False


def test_nce_alone_has_many_minimisers_even_with_clean_labels() -> None:
    for name in ("nce", "nfl"):
        assert check(build(name), symmetric(4, F(0))).asymmetric is False


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (AMSE(a=1, q=F(1, 2)), True), (AMSE(a=1, q=1), True), (AMSE(a=1, q=2), False), (AMSE(a=1, q=F(3, 2)), False),
        (AUL(a=1, p=F(1, 2)), True), (AUL(a=1, p=1), True), (AUL(a=1, p=2), False), (AGCE(a=0, q=F(1, 2)), False),
        (AGCE(a=0, q=1), True), (AGCE(a=0, q=2), True), (GCE(q=1), True), (PHuberCE(tau=1), True), (TaylorCE(t=1), True),
    ],
    ids=repr,
)  # fmt: skip
def test_corners_of_the_parameters(loss: Loss, expected: bool) -> None:
    for w in ([3, 2], [5, 3, 2], [10, 1, 0, 0]):
        assert check(loss, w).asymmetric is expected


def test_two_classes_with_pair_noise() -> None:
    assert check(AMSE(a=5), noise.pair(2, F("0.4"))).asymmetric
    assert check(AMSE(a=F("4.99")), noise.pair(2, F("0.4"))).asymmetric is False


# ---------------------------------------------------------------------------------- what is returned


@pytest.mark.parametrize("name", list(names()))
def test_contract_of_check(name: str) -> None:
    for model in (TEN, from_weights([0.5, 0.3, 0.2]), noise.mnist(F(3, 10)), symmetric(3, F(1))):
        found = check(build(name), model)
        facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert {"asymmetric", "minimiser", "slack", "method"} <= set(facts)
        assert facts["asymmetric"] in (True, False, None)
        assert facts["minimiser"] is None or len(facts["minimiser"]) == model.classes
        if facts["slack"] is not None and facts["asymmetric"] is not None and name not in ("anl-ce", "anl-fl"):
            assert (facts["slack"] >= 0) or not facts["asymmetric"]
        if facts["minimiser"] is not None:
            assert sum(facts["minimiser"]) == pytest.approx(1, abs=1e-9)
        assert str(found).startswith(str(build(name)))
        assert found.method
        assert found.reason


def test_the_minimiser_of_a_no_has_less_risk_than_the_vertex() -> None:
    found = check(AMSE(a=3), [5, 3, 2])
    assert found.asymmetric is False
    assert found.minimiser == pytest.approx((0.8, 0.2, 0.0), abs=1e-12)
    assert found.slack == pytest.approx(-4 / 15)


def test_the_row_with_the_least_slack_is_reported() -> None:
    found = check(AMSE(a=3), noise.named("cifar10n-worse"))
    assert (found.row, found.rival, found.asymmetric) == (9, 1, False)
    assert check(AMSE(a=4), noise.named("cifar10n-worse")).row == 9


def test_result_is_frozen() -> None:
    found = check(MAE(), [2, 1])
    assert isinstance(found, Condition)
    with pytest.raises(AttributeError):
        found.asymmetric = False  # type: ignore[misc]


# ------------------------------------------------------------------------------------------ large input


def test_ten_thousand_posteriors_at_once() -> None:
    rng = np.random.default_rng(0)
    posteriors = rng.dirichlet(np.ones(10), size=10_000)
    posteriors[:, 0] += posteriors.max(1) + 0.01
    posteriors /= posteriors.sum(1, keepdims=True)
    model = noise.from_posteriors(posteriors)
    found = check(AMSE(a=30), model)
    ordered = np.sort(posteriors, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    assert found.asymmetric is bool((30 * margins >= 1).all())


def test_huge_parameters_are_decided() -> None:
    assert check(AMSE(a=30, q=10**9), TEN).asymmetric is False
    assert check(AMSE(a=30, q=F(1001, 2)), TEN).asymmetric is False
    assert check(AMSE(a=10**9, q=F(10**7) + F(1, 2)), TEN).asymmetric
    assert check(AUL(a=F(11, 10), p=10**8), TEN).asymmetric is False
    assert check(AEL(a=F(1, 10**6)), TEN).asymmetric is False


def test_fractions_with_large_denominators() -> None:
    row = [F(10**40 + 7, 3 * 10**40), F(10**40 - 13, 3 * 10**40), F(1, 7)]
    least = sum(row) / (row[0] - row[1])
    assert check(AMSE(a=least), row).asymmetric
    assert check(AMSE(a=least - F(1, 10**9)), row).asymmetric is False


def test_float_weights_decide_as_the_floats_they_are() -> None:
    w = np.array([0.2, *[0.8 / 9] * 9])
    assert check(AMSE(a=9.1), w).asymmetric
    assert check(AMSE(a=8.9), w).asymmetric is False


def test_a_hundred_thousand_classes() -> None:
    assert check(MAE(), symmetric(10**5, F(1, 2))).asymmetric
    assert check(AMSE(a=3), symmetric(10**5, F(1, 2))).asymmetric
    assert check(AMSE(a=F(3, 2)), symmetric(10**5, F(1, 2))).asymmetric is False


def test_p_min_must_leave_room() -> None:
    with pytest.raises(InputError, match="p_min"):
        check(NNCE(p_min=0.5), [5, 3, 2])
