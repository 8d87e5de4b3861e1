"""Kinds of thresholds that were undecided once: each has the value that a search of its own finds."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import mpmath
import numpy as np
import pytest

from asymtheory import InputError, build, check, from_formula, guarantee, solve
from asymtheory.asymmetry.sweep import Sweep
from asymtheory.losses import AGCE, AMSE, AUL, MSE, NCE, NNCE, NNFL, Loss
from asymtheory.losses.domain import Domain
from asymtheory.noise import NoiseModel, from_matrix, from_weights, pair, symmetric
from asymtheory.numbers.spans import Span
from asymtheory.threshold import sweeping
from asymtheory.threshold.mixing import settled

T = np.concatenate([np.geomspace(1e-12, 1e-2, 2000), np.linspace(1e-2, 1, 4001)])


def excess(loss: Loss, weights: list[float], floor: float, lead: float = 1.0, keep: int = 0) -> float:
    """The least excess over the vertex, relative to the terms, where n gets a share ``lead`` of the mass and all others, but
    ``keep``, the rest evenly."""
    K = len(weights)
    aim = np.array([0.0, lead, *[(1 - lead) / max(1, K - 2 - keep)] * (K - 2 - keep), *[0.0] * keep])
    u = floor + (1 - K * floor) * ((1 - T)[:, None] * np.eye(K)[0] + T[:, None] * aim)
    vertex = floor + (1 - K * floor) * np.eye(K)[0]
    with np.errstate(all="ignore"):
        rows = np.where(np.array(weights) == 0, 0.0, (loss(u) - loss(vertex)) * np.array(weights))
    found, size = rows.sum(-1), max(1.0, float(np.nan_to_num(np.abs(loss(vertex)), posinf=0.0).max()))
    return float(found[np.isfinite(found)].min()) / size


def ordered(noise: NoiseModel) -> list[float]:
    return sorted((float(w) for w in noise.rows[0].weights), reverse=True)


def test_first_order_at_the_cut_off_vertex_reaches_to_infinity() -> None:
    """AMSE in q beside NNCE: its powers overflow far out, and a grid of transfers sees the end."""
    loss, noise = F("0.63") * NNCE() + F("3.5") * AMSE(a=10), symmetric(4, F("0.271"))
    found = solve(loss, noise, "q")
    assert (found.status, len(found.pieces), found.condition.count("no proof")) == ("threshold", 1, 0)
    end = found.pieces[0].high
    assert end is not None
    for value, holds in ((end.low * (1 - 1e-4), True), (end.high * (1 + 1e-4), False)):
        assert (excess(loss.replace(q=F(value)), ordered(noise), 1e-7) >= -1e-12) == holds


def test_gaps_between_two_values_that_work_are_entered() -> None:
    """NNFL beside MSE has every gamma; no grid sees less risk at any of the values where boxes had been given up."""
    weights = [F("3.18634"), F("0.509"), F("0.426"), F("0.175"), F("0.0628")]
    loss = F("0.086") * NNFL(gamma=2) + F("1.5") * MSE()
    assert solve(loss, from_weights(weights), "gamma").status == "always"
    for gamma in ("0.001", "0.2", "4", "5.5"):
        for lead in (1.0, 0.5, 0.25):
            assert excess(loss.replace(gamma=F(gamma)), [float(w) for w in weights], 1e-7, lead) > -1e-12


def test_a_weight_whose_end_a_grid_of_transfers_misses_is_bracketed() -> None:
    """VSL beside AMSE on one rival of 19: the grid sees the end 3 % too early, and nothing is assumed far out."""
    loss, weights = (
        F("0.18") * build("vsl", a=10) + F("0.11") * AMSE(a=F("4.31"), q=F("0.0512")),
        [F("1.0451"), 1, *[0] * 18],
    )
    found = solve(loss, from_weights(weights), "alpha")
    assert (found.status, "no proof" in found.condition) == ("threshold", False)
    end = found.pieces[0].high
    assert end is not None
    assert end.high - end.low < 1e-5 * end.high
    for value, holds in ((end.low * (1 - 1e-3), True), (end.high * (1 + 1e-3), False)):
        assert (excess(loss.replace(alpha=F(value)), [float(w) for w in weights], 0.0) >= -1e-12) == holds


def test_a_numeric_yes_is_no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond ten classes a search over the simplex proves no yes; a normalised formula may have another proof."""
    loss, row = from_formula("(1-u_y**q)/sum(1-u**q)", q=F("1.32")), pair(12, F("0.4")).rows[0]
    assert settled(loss, row) is True
    monkeypatch.setattr(Sweep, "point", lambda self: None)
    assert settled(loss, row) is None


def test_first_order_ends_a_weight_where_floats_see_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """AUL at a small p beside AEL: floats see less risk at weights that work, by rounding. No boxes are asked."""
    monkeypatch.setattr(sweeping, "swept", None)
    loss = F("0.09") * AUL(a=F("1.628"), p=F("0.0148")) + F("6.1") * build("ael", a=F("0.0344"))
    weights = [F("0.8076001"), F("0.797"), F("0.18"), F("0.135")]
    found = solve(loss, from_weights(weights), "alpha")
    end = found.end
    assert end is not None
    assert end.high - end.low < 1e-7 * end.high
    assert check(loss.replace(alpha=F(end.low * (1 - 1e-4))), weights).asymmetric is False


def test_mass_that_is_spread_unevenly_proves_a_no() -> None:
    """Conservative DPO beside NNCE on a pair flip: what has less risk gives n 0.3 of the mass and 48 classes the rest, so evenly
    spread mass does not show it; next to that end a value is certified to work."""
    loss, noise = F("0.72") * build("cdpo", e=F("0.292")) + 18 * NNCE(), pair(50, F("0.161"))
    weights = ordered(noise)
    at = loss.replace(alpha=F("3.3"))
    assert excess(at, weights, 1e-7, 0.3054) < -1e-3
    assert min(excess(at, weights, 1e-7, lead) for lead in (1.0, 1 / 49)) > -1e-12
    sweep = Sweep.of(loss.at(50), noise.rows[0], "alpha")
    delivery = sweep.delivery(3.3)
    assert delivery is not None
    assert sweep.less(delivery, np.array([3.29]), np.array([3.31])).all()
    assert not sweep.less(delivery, np.array([3.2]), np.array([3.21])).any()
    assert sweep.verdicts(np.array([3.2422]), np.array([3.2422]), closely=True).tolist() == [1]


def test_truncated_gce_is_least_at_the_vertex_from_one_half_on() -> None:
    """One entry at most exceeds k >= 1/2. Below there is an end, where a grid of transfers of all but the least weight sees it."""
    loss, noise = F("1.1") * NCE() + F("0.085") * build("truncated-gce", k=F("0.5"), q=F("0.657")), pair(10, F("0.233"))
    found = solve(loss, noise, "k")
    assert found.status == "threshold"
    (piece,) = found.pieces
    assert piece.high is not None
    assert piece.high.of_domain
    assert piece.low is not None
    alone = build("truncated-gce", k=F("0.5"), q=F("0.657"))  # NCE is at its infimum where a class of weight 0 has none
    for value, holds in ((piece.low.low * (1 - 1e-3), False), (piece.low.high * (1 + 1e-3), True)):
        worst = min(
            excess(alone.replace(k=F(value)), ordered(noise), 0.0, lead, keep=1) for lead in (1.0, 0.99, 0.9, 0.5)
        )
        assert (worst >= -1e-12) == holds
    rng = np.random.default_rng(0)
    u = np.concatenate([rng.dirichlet(np.full(3, x), 4000) for x in (0.05, 0.3, 1.0)])
    weights = np.array([0.34, 0.335, 0.325])
    for k in ("0.5", "0.8"):
        cut = build("truncated-gce", k=F(k), q=F("0.3"))
        assert check(cut, [F(340), F(335), F(325)]).asymmetric is True
        assert ((cut(u) - cut(np.eye(3)[0])) @ weights > -1e-15).all()


@pytest.mark.parametrize(
    ("other", "parameter"),
    [(AGCE(a=F("1.5")), "q"), (AGCE(q=10), "a"), (AUL(a=F("1.01")), "p")],
    ids=["agce-q", "agce-a", "aul-p"],
)
def test_a_fixed_infinite_slope_settles_a_parameter_of_a_concave_term(other: Loss, parameter: str) -> None:
    """Fisher-Rao falls towards another class like sqrt(s), and the slope of the other term at 1 is finite for each value."""
    loss, noise = F("0.33") * other + F("0.72") * build("fisher-rao"), pair(10, F("0.211"))
    assert solve(loss, noise, parameter).status == "never"
    for value in ("0.2", "1.1"):
        assert excess(loss.replace(**{parameter: F(value)}), ordered(noise), 0.0) < 0


def test_an_infinite_slope_of_a_concave_term_is_not_forgotten() -> None:
    """AUL at a = 1, p < 1 rises from the vertex like s^p, faster than Fisher-Rao falls for p < 1/2."""
    found = solve(F("3") * AUL(a=1, p=F("0.3")) + F("0.1") * build("fisher-rao"), pair(3, F("0.1")), "beta")
    assert found.status != "never"


def test_logarithms_of_two_losses_vanish_at_a_value_without_a_name() -> None:
    """cDPO and rDPO of one e: c_n(e) has one zero; there the risk is a multiple of -log u_m, whatever its digits are."""
    loss, noise = F("0.064") * build("cdpo") + F("0.67") * build("rdpo"), symmetric(3, F("0.19"))
    found = solve(loss, noise, "e")

    def coefficient(e: float) -> float:
        own = 0.064 * (1 - 1.5 * e) + 0.67 / (1 - 1.5 * e)
        return own * 0.095 + 0.032 * e - 0.335 * e / (1 - 1.5 * e)

    assert found.status == "threshold"
    (piece,) = found.pieces
    assert piece.low is not None
    assert piece.low == piece.high
    assert coefficient(piece.low.low - 1e-9) > 0 > coefficient(piece.low.high + 1e-9)


def test_a_bias_of_the_logit_beside_label_smoothing_has_one_value() -> None:
    """Without its -log u the biased CE is log(1 + (e^eps - 1) u), which rises; -c_m log u_m outweighs it here."""
    loss, noise = (
        19 * build("logit-bias-ce", eps=F("1.5")) + F("5.6") * build("label-smoothing"),
        symmetric(20, F("0.172")),
    )
    found = solve(loss, noise, "r")
    w, (piece,) = F("0.172") / 19, found.pieces
    r = F("24.6") * w / (F("5.6") * w - F("0.28"))  # (19 + 5.6 (1 - r)) w_n + 0.28 r = 0
    assert piece.low is not None
    assert (found.status, piece.low.number) == ("threshold", r)
    u = np.array(
        [(1 - s, *[s / 19] * 19) for s in np.linspace(0.001, 0.9, 400)] + [(1 - s, s, *[0.0] * 18) for s in T[1:-1]]
    )
    with np.errstate(all="ignore"):
        # c_n is 0 but for rounding: the logarithms of the other classes are left out
        own = 19 * (0.828 - float(w)) + 5.6 * (1 - float(r)) * (0.828 - float(w))
        bias = np.log(1 + (np.exp(1.5) - 1) * u) - 1.5
        risk = -own * np.log(u[:, 0]) + 19 * (bias @ np.array([0.828, *[float(w)] * 19]))
    assert (risk > 19 * (0.172 * -1.5)).all()  # its value at the vertex


def test_a_long_taylor_series_is_not_summed_exactly() -> None:
    """Taylor-CE beside NNCE on 50 classes: t = 1 alone, seen by a grid of transfers at t = 2 and 40."""
    loss, noise = F("0.37") * NNCE() + F("2.3") * build("taylor-ce"), pair(50, F("0.442"))
    assert solve(loss, noise, "t").answer == "t = 1"
    for t, holds in ((1, True), (2, False), (40, False)):
        assert (excess(loss.replace(t=t), ordered(noise), 1e-7) >= -1e-12) == holds


def test_truncated_gce_has_its_limit_at_q_0() -> None:
    """(1 - u^q)/q cancels in floats as q -> 0; (1 - e^x)/x does not. So every q works here, and nothing is assumed."""
    loss = F("0.47") * build("logit-bias-mae", eps=F("0.5")) + F("5.7") * build("truncated-gce", k=F("0.7"), q=F("0.2"))
    noise = pair(3, F("0.297"))
    found = solve(loss, noise, "q")
    assert (found.status, "no proof" in found.condition) == ("always", False)
    for q in ("1e-3", "1e-6", "0.5"):
        for lead in (1.0, 0.5):
            assert excess(loss.replace(q=F(q)), ordered(noise), 0.0, lead) > -1e-12


def test_spans_hold_the_growth_of_an_exponential() -> None:
    """(e^x - 1)/x and its slope, against 50 digits."""
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [-np.exp(rng.uniform(-60, 7, 80)), np.exp(rng.uniform(-60, 6, 80)), [-1.0, 1.0, 0.0, -0.9999, 1.0001]]
    )
    with np.errstate(all="ignore"):
        found = Span.of(x).growth(), Span.of(x).growth_slope()
    with mpmath.workdps(60):
        for i, at in enumerate(map(mpmath.mpf, x.tolist())):
            value = mpmath.expm1(at) / at if at else mpmath.mpf(1)
            slope = (at * mpmath.exp(at) - mpmath.expm1(at)) / at**2 if abs(at) > 1e-9 else 0.5 + at / 3 + at**2 / 8
            for span, true in zip(found, (value, slope), strict=True):
                assert span.low[i] <= true <= span.high[i]
                assert span.high[i] - span.low[i] <= 1e-12 * true


def test_a_tail_that_begins_before_the_domain_holds_on_all_of_it() -> None:
    """The chords of AGCE beside VEL have their sign proved from q = 2^4 on, and are asked for from 19.9 on."""
    loss = F("5.2") * AGCE(a=3) + 17 * build("vel", a=1)
    noise = symmetric(50, F("0.175"))
    assert solve(loss, noise, "q").status == "always"
    for q in ("3", "40"):
        assert excess(loss.replace(**{"agce.q": F(q)}), ordered(noise), 0.0, 1.0) >= -1e-12


def test_a_narrow_gap_between_two_values_that_work_is_closed() -> None:
    """VEL beside AGCE of one a: a sliver next to the end of what lines prove had been left open. Even transfers see the end."""
    loss, noise = F("3.8") * build("vel", a=F("18.8")) + F("1.6") * AGCE(a=1, q=F("2.93")), symmetric(20, F("0.871"))
    found = solve(loss, noise, "a")
    assert (found.status, len(found.pieces)) == ("threshold", 1)
    end = found.pieces[0].low
    assert end is not None
    for value, holds in ((end.low * (1 - 1e-3), False), (end.high * (1 + 1e-3), True)):
        at = loss.replace(a=F(value))
        assert (min(excess(at, ordered(noise), 0.0, lead) for lead in (1.0, 0.5, 1 / 19)) >= -1e-12) == holds


def test_less_risk_that_floats_see_by_rounding_alone_does_not_stop_a_proof() -> None:
    """AGCE of 93.6^3 beside PHuber-CE: next to the vertex floats see an excess of -2e-9, which is positive in exact numbers."""
    loss, noise = 30 * AGCE(a=F("93.6"), q=3) + F("5.8") * build("phuber-ce", tau=2), symmetric(20, F("0.732"))
    sweep = Sweep.of(loss.at(20), noise.rows[0], "tau")
    at = np.array([275000.0])
    assert sweep.floats(at).tolist() == [-1]
    assert sweep.verdicts(at, at).tolist() == [1]
    with mpmath.workdps(40):
        w, n, (a, tau) = mpmath.mpf("0.268"), mpmath.mpf("0.732") / 19, (mpmath.mpf("93.6"), mpmath.mpf(275000))

        def term(u: mpmath.mpf) -> mpmath.mpf:
            cut = -mpmath.log(u) if u * tau > 1 else 1 + mpmath.log(tau) - tau * u
            return 10 * ((a + 1) ** 3 - (a + u) ** 3) + mpmath.mpf("5.8") * cut

        for s in (mpmath.mpf(10) ** -k for k in (12, 9, 6, 5, 4, 2)):
            for count in (1, 19):
                rest = (19 - count) * n * term(mpmath.mpf(0))
                assert w * term(1 - s) + count * n * term(s / count) + rest > w * term(mpmath.mpf(1)) + 19 * n * term(
                    mpmath.mpf(0)
                )


def test_what_stays_undecided_says_what_is_missing() -> None:
    """AMSE beside NGCE of one q < 1: both leave the vertex with the power q; each value has its proof, no range has."""
    loss = F("0.053") * build("ngce", q=F("0.5")) + F("4.4") * AMSE(a=F("3.73"), q=F("0.5"))
    found = solve(loss, pair(3, F("0.25")), "q")
    assert found.status == "undecided"
    assert "single values are certified (as 0.5), but no range of them" in found.condition
    assert check(loss, pair(3, F("0.25"))).asymmetric is True


@pytest.mark.parametrize(
    ("active", "passive", "weights", "holds"),
    [
        ("-log(u)", "log(u)", [5, 3, 2], False),
        ("-log(u)", "log(u)", [6, 4], True),  # phi_n = 2 log u, phi_m = -2 log u: least in the limit at e_m
        ("-log(u)", "log(u)/3", [6, 3, 2], False),  # +inf of the second class beside -inf of the third
        ("-2*log(u)", "log(u)", [6, 4], False),
        ("1/u", "-1/(2*u)", [6, 5], False),
        ("-log(u)", "2*log(u)", [6, 4], None),  # -inf for both
    ],
)
def test_infinite_limits_at_0_settle_formulas(
    active: str, passive: str, weights: list[int], holds: bool | None
) -> None:
    """Numerically: is there less risk, by as much as we like, where an entry of another class goes to 0 and the others stay?"""
    loss = from_formula(active, passive)
    assert check(loss, weights).asymmetric is holds
    near, K = np.array([1e-50, 1e-100, 1e-200]), len(weights)
    w = np.array(weights)

    def risk(k: int) -> Any:
        u = np.full((3, K), 1 / (K - 1)) * (1 - near[:, None])
        u[:, k] = near
        return np.diff(loss(u) @ w)  # as the entry falls

    falls = [bool((risk(k) < 0).all()) for k in range(K)]
    if holds is None:
        assert all(falls)
    elif K == 2:
        assert falls == [False, holds]
    else:
        assert any(falls[1:])


POWER = mpmath.mpf(3) / 10
BASES: dict[str, Any] = {
    "(1-u)**0.3": lambda u: (1 - u) ** POWER,
    "(1-u)**0.3*(1-log(u))": lambda u: (1 - u) ** POWER * (1 - mpmath.log(u)),
}


@pytest.mark.parametrize(("base", "end"), [("(1-u)**0.3", 57.658), ("(1-u)**0.3*(1-log(u))", 16.222)])
def test_a_normalised_term_may_rise_as_steeply_as_another_falls(base: str, end: float) -> None:
    """Its base has an infinite slope at 1. Two classes, GCE beside it, in 50 digits: at e_m mass x leaves, from 1e-40 on."""
    normalised = from_formula(f"{base.replace('u', 'u_y')}/sum({base})")
    loss, weights = 50 * normalised + F(1, 10) * build("gce", q=F(1, 2)), from_weights([F(7, 10), F(3, 10)])
    (piece,) = solve(loss, weights, "beta").pieces
    assert piece.high is not None
    assert piece.high.value == pytest.approx(end, rel=1e-4)
    assert check(loss, weights).asymmetric is True

    def excess_at(x: Any, beta: Any) -> Any:
        u, phi = (1 - x, x), BASES[base]
        whole = sum(map(phi, u))
        terms = [phi(v) / whole for v in u]
        gce = [2 * (1 - mpmath.sqrt(v)) for v in u]
        return (
            50 * (mpmath.mpf(7) * terms[0] + 3 * terms[1]) / 10
            + beta * (7 * gce[0] + 3 * gce[1]) / 10
            - 15
            - beta * 6 / 10
        )

    with mpmath.workdps(50):
        masses = [mpmath.mpf(10) ** (-mpmath.mpf(k) / 4) for k in range(1, 160)] + [
            mpmath.mpf(k) / 400 for k in range(1, 400)
        ]
        assert min(excess_at(x, mpmath.mpf(end) * mpmath.mpf("0.999")) for x in masses) > 0
        assert min(excess_at(x, mpmath.mpf(end) * mpmath.mpf("1.001")) for x in masses) < 0


def test_infinite_parts_are_looked_at_at_both_ends() -> None:
    """An active part of inf at 0 beside a passive one of -inf settles nothing, and with two classes phi_m at 1 counts, too."""
    loss = from_formula("-log(u)", "log(u)-2*log(1-u)")  # phi_m = inf at 1: near e_m the risk is -log x
    assert check(loss, from_weights([2, 1])).asymmetric is False
    near = np.array([1e-3, 1e-6, 1e-9])
    assert (np.diff(loss(np.stack([1 - near, near], -1)) @ [2, 1]) > 0).all()
    cancels = from_formula("c*(1-u)-log(u)", "log(u)", c=2)  # their logarithms cancel in part: check says yes
    noise = from_weights([4, 1])
    assert check(cancels, noise).asymmetric is True
    assert solve(cancels, noise, "c").status != "never"


def test_a_loss_that_vanishes_at_the_cut_stops_no_search() -> None:
    loss = build("nnfl", p_min=F(1, 1000), gamma=F(1, 2)) + build("cdpo", e=F(2, 5))
    assert solve(loss, from_weights([14, F(700007, 50000), 13]), "gamma").status == "never"


def test_a_narrow_domain_is_not_left() -> None:
    """(1-u)^2 a + (1-u) (a/10 + a^2): phi is convex, of slope -(a/10 + a^2) at 1 and -(2.1 a + a^2) at 0, so a > 1.5 is needed."""
    domains = {"a": Domain(F(0), F(1, 10**11), low_closed=False, high_closed=False)}
    loss = from_formula("(1-u)**2*a + (1-u)*(a/10+a**2)", a=F(1, 10**12), domains=domains)
    assert solve(loss, symmetric(3, F(2, 5)), "a").status == "never"


def test_a_yes_by_an_equality_is_broken_by_cleaner_labels() -> None:
    """At r = -3/2 label smoothing is a multiple of -log u_m on the first row; on the others the risk has no lower bound."""
    rows = [[F(6, 10), F(2, 10), F(2, 10)], [F(1, 10), F(8, 10), F(1, 10)], [F(1, 10), F(1, 10), F(8, 10)]]
    noise = from_matrix(rows)
    for loss in (build("label-smoothing", r=F(-3, 2)), build("label-smoothing", r=F(-3, 2)) + F(1, 10) * build("mae")):
        assert check(loss, rows[0]).asymmetric is True
        assert [check(loss, row).asymmetric for row in (*rows[1:], noise)] == [False] * 3
        assert solve(loss, noise, "r").status == "never"
    risks = loss(np.array([[0.5, 0.5 - tiny, tiny] for tiny in (1e-3, 1e-30, 1e-300)])) @ [float(w) for w in rows[1]]
    assert risks[0] > risks[1] + 5 > risks[2] + 50  # away from the vertex of class 1


@pytest.mark.parametrize(("base", "weight"), [("1-log(u)", 0.01), ("1/u", 0.01), ("u**-0.5", 0.01)])
def test_a_base_above_0_at_1_is_felt_by_two_classes(base: str, weight: float) -> None:
    """g(1-s) / (g(1-s) + g(s)) is like g(1) / g(s): beside little AEL, which alone is not asymmetric, e_m is the minimiser."""
    part, g = build("ael", a=F(1, 10)), from_formula(base)
    loss, w = F(weight) * part + from_formula(f"({base.replace('u', 'u_y')})/sum({base})"), np.array([0.6, 0.4])
    assert check(part, [6, 4]).asymmetric is False
    s = np.geomspace(1e-9, 1 - 1e-9, 4000)
    u = np.stack([1 - s, s], -1)
    high = g(u)
    rises = 0.2 * high[:, 0] / high.sum(-1)
    needed = float((-(part(u) @ w - float(part(np.array([1.0, 0.0])) @ w)) / rises).max())
    assert weight * needed < 1
    assert check(loss, [6, 4]).asymmetric is True
    (piece,) = solve(
        part + from_formula(f"({base.replace('u', 'u_y')})/sum({base})"), from_weights([6, 4]), "beta"
    ).pieces
    assert piece.low is not None
    assert piece.low.value == pytest.approx(needed, rel=1e-3)
    assert guarantee(loss, [6, 4]).slack is None


def test_a_formula_that_does_not_separate_beside_other_losses() -> None:
    joint = from_formula("(2-u**2)/sum(2-u**2)")
    assert check(build("mae") + joint, [6, 4]).asymmetric is True
    assert check(AMSE(a=2) + joint, [6, 4, 1]).asymmetric is False
    many = [30, *[4 + k % 3 for k in range(24)]]
    assert check(build("label-smoothing", r=F(-1, 5)) + joint, many).asymmetric is not True  # no lower bound at u_k = 0
    for other in (NNCE(p_min=F(1, 100)), build("logitclip-ce", tau=1)):
        with pytest.raises(InputError, match="lives on its own domain"):
            check(other + joint, [6, 4])


def test_a_formula_may_jump_in_its_parameter() -> None:
    """-A' at 0 is 8 and at 1 is 6 for a < 2.5, enough at c = 3/2; then 4r + 1 and 2r + 1, r = a/(1+a) > 1/2, which is not."""
    weights = from_weights([3, 2, 1])
    fails = from_formula(
        "where(a<2.5,(1-u)*(3-u),(1-u)*(3-u)*a/(1+a)+1-u)", a=1
    )  # no change of curvature cuts it at 2.5
    assert solve(fails, weights, "a").status == "never"
    jumps = from_formula("where(a<2.5,(1-u)*(7-u),(1-u)*(3-u)*a/(1+a)+1-u)", a=1)
    found = solve(jumps, weights, "a")
    assert found.status == "threshold"
    assert found.answer == "a < 2.5"
    assert [check(jumps.replace(a=a), weights).asymmetric for a in (F(12, 5), F(5, 2))] == [True, False]
    (piece,) = solve(from_formula(jumps.texts[0].replace("a<2.5", "a<=2.5"), a=1), weights, "a").pieces
    assert piece.high is not None
    assert (piece.high.value, piece.high.closed) == (2.5, True)
    smooth = from_formula("where(u<0.5,exp(a*(1-u)),exp(a*(1-u)))", a=1)  # whose end is no jump
    assert solve(smooth, from_weights([6, 3, 1]), "a").answer == "a <= log(2) (0.693147)"


def test_every_end_has_its_enclosure() -> None:
    """DAL beside a clipped focal loss: q from 1 to an end that boxes know to a thousandth."""
    loss = F("8.08") * build("dal") + F("3.98") * build("ogc-fl", p0=F("0.466"), gamma=F("0.252"))
    facts = solve(loss, from_weights([113, 50, 47, 42, 35, 2]), "q").to_dict()
    (piece,), (ends,) = facts["pieces"], facts["enclosures"]
    assert ends[0] == [1, 1]
    assert ends[1][0] < piece["high"] < ends[1][1]
    assert ends[1][1] - ends[1][0] <= 1e-3 * ends[1][1]
