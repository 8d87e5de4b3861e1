"""Thresholds: the worked examples, closed forms of the papers as references, and a naive verdict in high precision."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any, ClassVar, Self
from unittest.mock import Mock

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asymtheory import noise
from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.risk import minimise
from asymtheory.asymmetry.rules import decide
from asymtheory.errors import InputError
from asymtheory.losses import AEL, AGCE, AMSE, AUL, CONVEX, GCE, LINEAR, MAE, NCE, Loss, Separable, build, names
from asymtheory.losses.domain import Domain, at_least
from asymtheory.losses.profile import Profile
from asymtheory.noise import NoiseModel, Row, from_weights, symmetric
from asymtheory.numbers.backends import FLOAT, INTERVAL
from asymtheory.numbers.exact import simplest
from asymtheory.threshold import End, Piece, Threshold, solve, solve_rate
from asymtheory.threshold.inequality import isolate
from asymtheory.threshold.isolate import _bisected
from asymtheory.threshold.pieces import intersect, outward, with_point
from asymtheory.threshold.rates import Rates

mp = mpmath.mp.clone()  # a context of our own: the global one belongs to everyone
mp.prec = 400
FEW = settings(max_examples=40, deadline=None, derandomize=True)

F = Fraction


def mpf(x: Any) -> Any:
    return mp.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mp.mpf(x)


def model_of(weights: list[Any]) -> NoiseModel:
    return from_weights([F(w) for w in weights])


# -------------------------------------------------------------------------------------------- the examples

TEN = symmetric(10, F("0.8"))
EXAMPLES: list[tuple[str, dict[str, Any], NoiseModel, str | None, str, str | None]] = [
    ("agce", {"q": F(1, 2)}, TEN, None, "a >= 16/65 (0.246154)", "16/65"),
    ("aul", {"p": 2}, TEN, None, "a >= 1.8", "1.8"),
    ("aul", {"p": 3}, TEN, None, "a >= 3", "3"),
    ("ael", {}, TEN, None, "a >= 1/log(9/4) (1.23315)", "1/log(9/4)"),
    ("amse", {}, TEN, None, "a >= 9", "9"),
    ("amse", {"q": 3}, TEN, None, "a >= (9 + 6*sqrt(6))/5 (4.73939)", "(9 + 6*sqrt(6))/5"),
    ("amse", {"q": 1}, TEN, None, "always: any a", None),
    ("amse", {}, noise.named("cifar10n-worse"), None, "a >= 5000/1343 (3.72301)", "5000/1343"),
    ("amse", {"a": 9}, TEN, "q", "q <= 1 or 2 <= q <= 7.884928621", "2"),
    ("taylor-ce", {}, TEN, None, "t <= 2", "2"),
    ("phuber-ce", {}, TEN, None, "tau <= 2.25", "2.25"),
    ("gce", {}, TEN, None, "q = 1", None),
    ("ce", {}, TEN, None, "never", None),
    ("mae", {}, TEN, None, "always", None),
    ("jal-ce", {}, noise.pair(10, F("0.4")), None, "a >= 5", "5"),
    ("jal-ce", {}, TEN, "alpha", "always: any alpha", None),
    ("nce", {}, TEN, None, "never", None),
    ("nnce", {}, TEN, None, "always", None),
    ("agce", {"a": 1}, TEN, "q", "always: any q", None),
    ("agce", {"a": 0}, TEN, "q", "q >= 1", "1"),
    ("aul", {"a": 1}, TEN, "p", "p <= 1", "1"),
    ("amse", {"a": 1}, TEN, "q", "q <= 1", "1"),
    ("mse", {}, TEN, None, "never", None),
    ("logitclip-ce", {}, noise.pair(10, F("0.4")), None, "never: no tau works", None),
]


@pytest.mark.parametrize(("name", "parameters", "model", "parameter", "answer", "exact"), EXAMPLES)
def test_worked_examples(
    name: str, parameters: dict[str, Any], model: NoiseModel, parameter: str | None, answer: str, exact: str | None
) -> None:
    found = solve(build(name, **parameters), model, parameter)
    assert found.answer == answer
    if found.status == "threshold" and exact is not None and found.end is not None:
        assert exact in (found.end.exact, *(piece.high.exact for piece in found.pieces if piece.high))
    assert answer in str(found)


def test_the_noise_rate_amse_tolerates() -> None:
    found = solve_rate(AMSE(a=20), "symmetric", 100)
    assert found.answer == "eta <= 0.9405"
    assert found.to_dict()["enclosure"] == pytest.approx([0.9405, 0.9405])
    assert found.to_dict()["noise"]["rate"] == pytest.approx(0.9405)


def test_gce_is_linear_at_q_1_only() -> None:
    (piece,) = solve(GCE(), TEN).pieces
    assert 1 in piece
    assert F(999_999, 10**6) not in piece


# ------------------------------------------------------------------------ closed forms as references

LEVEL, REST = F(9, 4), F(4)  # clean level c, and sum of the other weights over w_n


def amse_root(low: float, high: float, slack: Callable[[Any], Any]) -> Any:
    return mp.findroot(slack, (low, high), solver="anderson", tol=mp.mpf(10) ** -90)


def agce_a(c: Any, q: Any) -> Any:
    """ALF Cor. 1 solved for a."""
    return 1 / (c ** (1 / (1 - q)) - 1)


def agce_q(c: Any, a: Any) -> Any:
    return 1 - mp.log(c) / mp.log((a + 1) / a)


def aul_a(c: Any, p: Any) -> Any:
    """ALF Cor. 2 solved for a."""
    x = c ** (1 / (p - 1))
    return x / (x - 1)


def aul_p(c: Any, a: Any) -> Any:
    return 1 + mp.log(c) / mp.log(a / (a - 1))


def ael_a(c: Any, _: Any) -> Any:
    """ALF Cor. 3."""
    return 1 / mp.log(c)


def clip_tau(c: Any, _: Any) -> Any:
    return mp.log(c) * mp.sqrt(mp.mpf(9) / 10)


CLOSED: list[tuple[str, str, dict[str, Any], Callable[[Any, Any], Any], str | None]] = [
    *(("agce", "a", {"q": q}, agce_a, "q") for q in (F(1, 100), F(1, 10), F(1, 3), F(7, 10), F(99, 100))),
    *(("agce", "q", {"a": a}, agce_q, "a") for a in (F(1, 10), F(1, 4), F(3, 4))),
    *(("aul", "a", {"p": p}, aul_a, "p") for p in (F(11, 10), F(3, 2), F(5, 2), F(6))),
    *(("aul", "p", {"a": a}, aul_p, "a") for a in (F(101, 100), F(2), F(63, 10), F(1000))),
    ("ael", "a", {}, ael_a, None),
    ("logitclip-ce", "tau", {}, clip_tau, None),
]


@pytest.mark.parametrize("rate", [F("0.05"), F("0.8"), F("0.88")])
@pytest.mark.parametrize(("name", "parameter", "fixed", "form", "other"), CLOSED)
def test_enclosures_hold_the_papers_closed_forms(
    name: str, parameter: str, fixed: dict[str, Any], form: Callable[[Any, Any], Any], other: str | None, rate: Fraction
) -> None:
    model = symmetric(10, rate)
    found = solve(build(name, **fixed), model, parameter)
    root = form(mpf(F(model.clean_level)), mpf(fixed[other]) if other else None)
    if found.status == "always":  # the root lies outside the domain
        domain = build(name).domains[parameter]
        assert root <= (domain.low or 0)
        return
    assert found.status == "threshold"
    end = found.end
    if end is None:  # AUL with a - 1 = 5e-23: no float lies between the domain's end and the root
        assert found.answer == "a > 1"
        assert 0 < root - 1 < 1e-16
        return
    low, high = found.to_dict()["enclosure"]
    assert mpf(low) <= root <= mpf(high)
    assert high - low <= 1e-10 * abs(low)
    assert end.closed
    assert low <= end.value <= high


WEIGHTS_4_1 = ([5, 3, 2], [30, 1, 20, 9], [7, 6], [1000, 999, 998])


@pytest.mark.parametrize(
    ("q", "weights"),
    [(F(11, 10), WEIGHTS_4_1[3])]
    + [(q, w) for q in (F(6, 5), F(3, 2), F(2), F(27, 10), F(4)) for w in WEIGHTS_4_1[:3]]
    + [(F(20), WEIGHTS_4_1[0])],
)
def test_amse_encloses_theorem_4_1(q: Fraction, weights: list[int]) -> None:
    top, second, rest = weights[0], max(weights[1:]), sum(weights[1:])

    def slack(a: Any) -> Any:
        """JAL Thm 4.1: w_m (a-1)^(q-1) >= w_n a^(q-1) + sum of the others."""
        return top * (mpf(a) - 1) ** mpf(q - 1) - second * mpf(a) ** mpf(q - 1) - rest

    found = solve(AMSE(q=q), model_of(weights), "a")
    assert found.status == "threshold"
    (piece,) = found.pieces
    assert piece.high is None
    assert piece.low is not None
    low, high = found.to_dict()["enclosure"]
    below, above = mpf(low) * (1 - mp.mpf(10) ** -14), mpf(high) * (1 + mp.mpf(10) ** -14)
    assert slack(below) <= 0 <= slack(above)
    assert high - low <= 1e-10 * low


@pytest.mark.parametrize(("a", "rate"), [(9, "0.8"), (30, "0.8"), (30, "0.4"), (3, "0.5"), (30, "0.3")])
def test_amse_in_q_changes_sign_at_every_end(a: int, rate: str) -> None:
    row = symmetric(10, F(rate)).rows[0]
    top, second, rest = (mpf(F(x)) for x in (row.top, row.second, row.total - row.top))  # type: ignore[operator]

    def slack(q: Any) -> Any:
        return top * (mp.mpf(a) - 1) ** (mpf(q) - 1) - second * mp.mpf(a) ** (mpf(q) - 1) - rest

    found = solve(AMSE(a=a), symmetric(10, F(rate)), "q")
    ends = [
        end for piece in found.pieces for end in (piece.low, piece.high) if end and not end.of_domain and end.value != 1
    ]
    assert ends
    for end in ends:
        assert end.high - end.low <= 1e-10 * end.low
        assert slack(end.low * (1 - 1e-13)) * slack(end.high * (1 + 1e-13)) < 0
    inside = np.concatenate([np.linspace(1.001, 10, 200), np.linspace(10, 200, 200)])
    for q in inside:
        if all(abs(q - end.value) > 1e-9 * q for end in ends):
            assert any(q in piece for piece in found.pieces) == bool(slack(q) >= 0)


# ------------------------------------------------------------------------- a naive verdict, in 400 bits

NAIVE: dict[str, Callable[..., tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    "agce": lambda a, q: (lambda u: ((a + 1) ** q - (a + u) ** q) / q, lambda u: mp.mpf(0)),
    "aul": lambda a, p: (lambda u: ((a - u) ** p - (a - 1) ** p) / p, lambda u: mp.mpf(0)),
    "ael": lambda a: (lambda u: mp.exp(-u / a), lambda u: mp.mpf(0)),
    "amse": lambda a, q: (lambda u: abs(a - u) ** q, lambda u: u**q),
    "phuber-ce": lambda tau: (lambda u: -mp.log(u) if u > 1 / tau else 1 + mp.log(tau) - tau * u, lambda u: mp.mpf(0)),
}


def naive_verdict(name: str, parameters: dict[str, Fraction], weights: list[Any]) -> bool:
    """Does moving a little or all of the mass from e_m to another class never lower the risk? (convex or concave phi_k)."""
    active, passive = NAIVE[name](**{p: mpf(v) for p, v in parameters.items()})
    w = [mpf(x) for x in weights]

    def excess(n: int, t: Any) -> Any:
        total = sum(w)
        at = {0: 1 - t, n: t}
        return sum(
            w[k] * (active(u) - active(mp.mpf(k == 0))) + (total - w[k]) * (passive(u) - passive(mp.mpf(k == 0)))
            for k, u in at.items()
        )

    small = mp.mpf(2) ** -150
    return all(excess(n, small) >= 0 and excess(n, mp.mpf(1)) > 0 for n in range(1, len(w)))


rational = st.fractions(F(1, 50), 8, max_denominator=60)
FAMILY: dict[str, tuple[str, dict[str, Any]]] = {
    "agce/a": ("a", {"q": rational}),
    "agce/q": ("q", {"a": rational}),
    "aul/a": ("a", {"p": rational}),
    "aul/p": ("p", {"a": st.fractions(1, 8, max_denominator=60)}),
    "ael/a": ("a", {}),
    "amse/a": ("a", {"q": rational}),
    "phuber-ce/tau": ("tau", {}),
}


@st.composite
def dominant_weights(draw: st.DrawFn) -> list[int]:
    rest = draw(st.lists(st.integers(0, 40), min_size=1, max_size=5))
    assume(max(rest) > 0)
    return [max(rest) + draw(st.integers(1, 60)), *rest]


@pytest.mark.parametrize("which", FAMILY)
@given(data=st.data())
@settings(max_examples=8, deadline=None, derandomize=True)
def test_feasible_values_are_those_of_the_naive_verdict(which: str, data: st.DataObject) -> None:
    name = which.split("/")[0]
    parameter, others = FAMILY[which]
    weights = data.draw(dominant_weights())
    fixed = {p: data.draw(s) for p, s in others.items()}
    loss = build(name, **fixed)
    found = solve(loss, model_of(weights), parameter)
    domain = loss.domains[parameter]
    values = [data.draw(rational) for _ in range(3)]
    for piece in found.pieces:
        for end in (piece.low, piece.high):
            if end is not None:
                # around an end; at it where it is known exactly
                values += [F(end.low) * (1 - F(1, 10**7)), F(end.high) * (1 + F(1, 10**7))]
                values += [end.number] if end.number is not None else []
    for value in values:
        if value in domain:
            claimed = any(value in piece for piece in found.pieces)
            assert claimed == naive_verdict(name, {**fixed, parameter: value}, weights), (value, found.answer, weights)


@given(data=st.data())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_threshold_and_minimiser_agree(data: st.DataObject) -> None:
    """Below a threshold the exact minimiser is not the vertex, at and above it is: interval arithmetic against Newton."""
    which = data.draw(st.sampled_from(["agce/a", "aul/a", "ael/a", "amse/a", "phuber-ce/tau", "aul/p", "agce/q"]))
    parameter, others = FAMILY[which]
    fixed = {p: data.draw(s) for p, s in others.items()}
    if data.draw(st.booleans()):
        rate = data.draw(st.fractions(F(1, 20), F(1, 2) - F(1, 50), max_denominator=50))
        model = symmetric(data.draw(st.integers(2, 12)), rate)
    else:
        model = model_of(data.draw(dominant_weights()))
    loss = build(which.split("/")[0], **fixed)
    found = solve(loss, model, parameter)
    weights = [float(w) for w in model.rows[0].weights]
    target = model.rows[0].target
    for piece in found.pieces:
        for end, outwards in ((piece.low, -1), (piece.high, 1)):
            if end is None or end.of_domain or end.value == 1:
                continue
            step = F(1, 10**6) * F(end.value)
            inside, outside = F(end.value) - outwards * step, F(end.value) + outwards * step
            if inside in loss.domains[parameter] and inside in piece:
                assert minimise(loss.replace(**{parameter: inside}), weights).point[target] == 1
            if outside in loss.domains[parameter]:
                point = minimise(loss.replace(**{parameter: outside}), weights).point
                assert point[target] < 1, (loss, found.answer)
            if end.number is not None and end.closed:
                assert check(loss.replace(**{parameter: end.number}), model).asymmetric


# --------------------------------------------------------------------------------------- noise rates

RATES: list[tuple[Loss, str, int | None, Callable[[int], Any]]] = [
    (AMSE(a=20), "symmetric", 100, lambda K: mp.mpf(K - 1) / K * (1 - mp.mpf(1) / 20)),
    (AMSE(a=20), "uniform", 100, lambda K: 1 - mp.mpf(1) / 20),
    (AMSE(a=20), "pair", 10, lambda K: (1 - mp.mpf(1) / 20) / 2),
    (AMSE(a=20), "cifar10", None, lambda K: (1 - mp.mpf(1) / 20) / 2),
    (AMSE(a=20), "mnist", None, lambda K: (1 - mp.mpf(1) / 20) / 2),
    (AMSE(a=20), "cifar100", None, lambda K: (1 - mp.mpf(1) / 20) / 2),
    (AEL(a=2), "pair", 7, lambda K: 1 / (1 + mp.exp(mp.mpf(1) / 2))),
    (AGCE(a=F(1, 2), q=F(1, 2)), "symmetric", 10, lambda K: (K - 1) / (K - 1 + mp.sqrt(3))),
    (AUL(a=2, p=F(5, 2)), "symmetric", 10, lambda K: (K - 1) / (K - 1 + mp.mpf(2) ** mp.mpf("1.5"))),
    (MAE(), "symmetric", 10, lambda K: mp.mpf("0.9")),
    (MAE(), "uniform", 10, lambda K: mp.mpf(1)),
    (build("taylor-ce", t=3), "pair", 4, lambda K: mp.mpf(1) / 4),
    (build("phuber-ce", tau=F(5, 2)), "pair", 4, lambda K: mp.mpf(2) / 7),
    (build("jal-ce", a=5), "pair", 10, lambda K: mp.mpf("0.4")),
    (AEL(a=F(3, 100)), "symmetric", 10, lambda K: 9 / (9 + mp.exp(mp.mpf(100) / 3))),
    (build("logitclip-ce", tau=1), "symmetric", 10, lambda K: 9 / (9 + mp.exp(mp.sqrt(mp.mpf(10) / 9)))),
]


@pytest.mark.parametrize(("loss", "kind", "K", "form"), RATES)
def test_noise_rates(loss: Loss, kind: str, K: int | None, form: Callable[[int], Any]) -> None:
    found = solve_rate(loss, kind, K)
    (piece,) = found.pieces
    assert piece.low is not None
    assert piece.high is not None
    assert (piece.low.value, piece.low.closed) == (0, True)
    root = form(found.noise.classes)
    assert mpf(piece.high.low) <= root <= mpf(piece.high.high)
    assert piece.high.high - piece.high.low <= 1e-10 * piece.high.value
    assert piece.high.closed == (not isinstance(loss, MAE))  # dominance itself is strict
    assert 0 in piece
    assert 1 not in piece


@pytest.mark.parametrize("name", ["ce", "fl", "mse", "gce", "sce"])
def test_losses_that_stand_no_noise(name: str) -> None:
    assert solve_rate(build(name), "symmetric", 7).answer == "eta = 0"


def test_normalised_losses_alone_stand_none_or_all() -> None:
    assert solve_rate(NCE(), "symmetric", 7).status == "never"
    assert solve_rate(build("nnce"), "pair", 7).answer == "eta < 0.5"
    assert solve_rate(build("ngce"), "symmetric", 7).answer == "eta < 6/7 (0.857143)"
    assert solve_rate(build("ngce"), "pair", 7).answer == "eta = 0"


@pytest.mark.parametrize(
    ("loss", "kind", "K", "answer"),
    [
        (build("anl-ce"), "pair", 10, "eta < 0.453928"),
        (14 * build("fisher-rao") + F("0.14") * build("nnce"), "uniform", 3, "eta < 0.09498"),
        (build("sr"), "pair", 10, "eta = 0"),
        (build("truncated-gce", k=F("0.0562"), q=F("0.959")), "uniform", 4, "eta < 1"),
    ],
)
def test_rates_that_no_rule_settles_are_halved(loss: Loss, kind: str, K: int, answer: str) -> None:
    """Certified at rates on both sides of the end, which reaches to where clean labels dominate no more or is as narrow as any."""
    found = solve_rate(loss, kind, K)
    assert (found.status, found.answer) == ("threshold", answer)
    high = found.pieces[0].high
    assert high is not None
    assert high.high - high.low <= 1e-3 * high.high
    for rate, holds in ((0.5 * high.low, True), (high.low, True), (max(1.01 * high.high, 1e-3), False)):
        model = noise.family(kind, K)(F(min(rate, 1.0)))
        assert check(loss, model).asymmetric == holds if model.dominant else not holds


def test_rates_that_are_not_settled_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rates, "holds", lambda self, rate: rate == 0 or (None if rate < 0.1 else False))
    found = solve_rate(build("sr"), "pair", 4)
    assert found.status == "undecided"
    assert "nothing is certified between 0 and 0.1" in found.condition
    assert "no lower bound of the excess is certified (at " in found.condition


def test_a_rate_needs_a_family() -> None:
    with pytest.raises(InputError, match="cifar10n-worse"):
        solve_rate(AMSE(), "cifar10n-worse", None)
    with pytest.raises(InputError, match="solve_rate"):
        solve(AMSE(), TEN, "eta")


# ------------------------------------------------------------------------------- whole-number parameters


class Valley(Separable):
    """Feasible where |n - 65| <= 10 (c - 1): slope 1 + |n - 65|/10 at 0, 1 at 1."""

    name, title = "valley", "valley"
    domains: ClassVar = {"n": at_least(0, integer=True)}
    defaults: ClassVar = {"n": F(0)}
    main = "n"
    n: Any

    def active(self, p: Any, logp: Any, xp: Any) -> Any:
        bend = xp.number(abs(F(self.n) - 65) / 20)
        return (1 - p) + (1 - p) ** 2 * bend

    def on(self, xp: Any) -> Self:
        return self

    def curvature(self) -> tuple[int | None, int | None]:
        return (LINEAR if self.n == 65 else CONVEX), LINEAR


class Cropped(Valley):
    domains: ClassVar = {"n": Domain(F(0), F(70), integer=True)}


def test_runs_of_whole_numbers() -> None:
    # c = 9/4: |n - 65| <= 12.5
    found = solve(Valley(), TEN)
    assert found.answer == "53 <= n <= 77"
    (piece,) = found.pieces
    assert all((n in piece) == (53 <= n <= 77) for n in range(150))
    assert solve(Cropped(), TEN).answer == "n >= 53"
    assert solve(Cropped(), TEN).pieces[0].high == End.at(F(70), True, of_domain=True)
    assert solve(Valley(), symmetric(10, F("0.1"))).answer == "n <= 865"  # c = 81, |n - 65| <= 800
    assert solve(Valley(), symmetric(10, F(0))).answer == "always: any n"


@pytest.mark.parametrize(
    ("weights", "answer"),
    [([9, 4], "t <= 2"), ([3, 1], "t <= 3"), ([301, 100], "t <= 3"), ([17, 1], "t <= 17"), ([33, 2], "t <= 16"),
     ([101, 100], "t = 1"), ([500, 1], "t <= 500"), ([20001, 2], "t <= 10000")],
)  # fmt: skip
def test_taylor_terms(weights: list[int], answer: str) -> None:
    found = solve(build("taylor-ce"), model_of(weights))
    assert found.answer == answer
    assert found.status == "threshold"


def test_taylor_with_many_classes_is_not_always() -> None:
    assert solve(build("taylor-ce"), symmetric(1000, F("0.9"))).answer == "t <= 111"
    assert solve(build("taylor-ce"), symmetric(1000, F(0))).answer == "always: any t"


# -------------------------------------------------------------------------- every loss, several models

MODELS = {
    "symmetric": TEN,
    "uniform": noise.uniform(4, F(1, 2)),
    "two classes": noise.pair(2, F(2, 5)),
    "map": noise.mnist(F(3, 10)),
    "measured": noise.named("cifar10n-aggre"),
    "clean": symmetric(5, F(0)),
    "no clean label": symmetric(5, F(1)),
    "floats": from_weights([0.5, 0.3, 0.2]),
    "some zero": model_of([6, 4, 0, 0]),
}


@pytest.mark.parametrize("name", list(names()))
def test_every_loss_answers_on_every_model(name: str) -> None:
    loss = build(name)
    for label, model in MODELS.items():
        found = solve(loss, model)
        facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert str(found)
        assert {
            "loss", "parameter", "status", "feasible", "exact", "enclosure", "fixed", "noise", "clean_level", "margin",
            "binding_class", "condition",
        } <= set(facts)  # fmt: skip
        assert facts["loss"] == name
        assert facts["parameter"] == loss.main
        assert facts["status"] in ("threshold", "always", "never", "undecided")
        assert set(facts["noise"]) == {"kind", "classes", "rate"}
        assert (facts["feasible"] is None) == (not found.pieces)
        if facts["feasible"] is not None:
            assert set(facts["feasible"]) == {"low", "high", "low_closed", "high_closed"}
        if facts["status"] == "threshold" and facts["enclosure"] is not None:
            low, high = facts["enclosure"]
            assert low <= high <= low * (1 + 1e-10) or low == high
        if label == "no clean label":
            assert facts["status"] == "never"
            assert "unique largest" in facts["condition"]
        if label == "clean":
            only = {"label-smoothing": "r = 0", "cdpo": "e = 0", "rdpo": "e = 0"}.get(
                name
            )  # elsewhere least inside, or not at all
            status = "never" if name in ("nce", "nfl") else "always" if only is None else "threshold"
            assert facts["status"] == status
            assert only is None or found.answer == only
        if label == "floats":
            assert facts["exact"] is None or len(facts["exact"]) < 25
        # a parameter in the feasible interval passes the check, one outside does not
        if found.parameter is not None and facts["status"] in ("threshold", "always") and name != "logitclip-ce":
            given_ = loss.parameters[found.parameter]
            verdict = all(bool(decide(loss, row).holds) for row in model.rows)
            assert any(given_ in piece for piece in found.pieces) == verdict


# ---------------------------------------------------------------------------------- found while testing


def test_a_weight_that_moves_nothing_is_settled_at_equality() -> None:
    """At a = 9 the KKT inequality is an equality for every alpha and beta of JAL-CE."""
    for parameter in ("alpha", "beta"):
        assert solve(build("jal-ce", a=9), TEN, parameter).status == "always"
        assert solve(build("jal-ce", a=F("8.999999")), TEN, parameter).status == "never"
    assert solve(build("jal-fl", a=9), TEN, "gamma").status == "always"
    assert solve(1 * AGCE(a=F(16, 65), q=F(1, 2)), TEN, "alpha").status == "always"  # equality of surds


def test_the_parameter_of_one_term_keeps_its_kinks() -> None:
    loss = AGCE(a=F(1, 10), q=F(1, 2)) + 0.01 * MAE()
    whole, own = solve(loss, TEN, "q"), solve(loss, TEN, "agce.q")
    assert whole.pieces == own.pieces
    assert own.status == "threshold"


def test_a_shared_parameter_stays_in_the_domains_of_all_terms() -> None:
    found = solve(AGCE(a=2, q=F(1, 2)) + AMSE(a=2), TEN, "a")
    (piece,) = found.pieces
    assert piece.low is not None
    assert piece.low.value > 1
    assert solve(AGCE(a=2, q=2) + AMSE(a=2, q=1), TEN, "a").status == "always"
    assert solve(AGCE(a=2, q=2) + AMSE(a=2, q=1), TEN, "a").pieces[0].low == End.at(F(1), True, of_domain=True)


def test_p_min_leaves_room_for_all_classes() -> None:
    found = solve(build("nnce"), TEN, "p_min")
    assert found.status == "always"
    (piece,) = found.pieces
    assert F(1, 11) in piece
    assert F(1, 10) not in piece


@pytest.mark.parametrize(
    ("loss", "rate", "value"),
    [
        (AMSE(), "0.8999999999", 9e9),
        (AMSE(), "0.89999999999999999999", 9e19),
        (AGCE(q=F(99, 100)), "0.8", float(1 / (mp.mpf(9) / 4) ** 100)),
        (AEL(), "0.89999999999999", 9e12),
        (AUL(a=1000), "0.05", 5140.0922960380737),
    ],
)
def test_thresholds_far_out(loss: Loss, rate: str, value: float) -> None:
    found = solve(loss, symmetric(10, F(rate)), "p" if isinstance(loss, AUL) else "a")
    assert found.status == "threshold"
    assert found.end is not None
    assert found.end.value == pytest.approx(value, rel=1e-9)
    low, high = found.to_dict()["enclosure"]
    assert low <= found.end.value <= high


def test_rows_of_floats_get_no_exact_name_but_an_enclosure() -> None:
    rng = np.random.default_rng(0)
    for loss in (AMSE(), AGCE(q=F(1, 2)), AUL(p=2), AMSE(q=3)):
        found = solve(loss, from_weights(rng.dirichlet([5, 2, 2])))
        if found.status == "threshold":
            facts = found.to_dict()
            assert facts["exact"] is None
            low, high = facts["enclosure"]
            assert 0 < high - low < 1e-10 * high


def test_fractions_with_large_denominators() -> None:
    weights = [F(10**30 + 57, 10**31), F(10**29 + 3, 10**31 + 9), F(7, 10**17)]
    found = solve(AMSE(), from_weights(weights))
    exact = sum(weights) / (weights[0] - weights[1])
    assert found.end is not None
    assert found.end.number == exact
    assert exact in found.pieces[0]
    assert exact - F(1, 10**40) not in found.pieces[0]


def test_equality_is_feasible_and_a_hair_less_is_not() -> None:
    (piece,) = solve(AMSE(), TEN).pieces
    assert 9 in piece
    assert 9 - F(1, 10**30) not in piece


def test_worst_row_binds() -> None:
    found = solve(AMSE(), noise.named("cifar10n-worse"))
    assert found.binding_row == 9
    assert found.to_dict()["rival_class"] == 1
    assert found.noise.row_name(9) == "class 9 (truck)"


def test_ten_thousand_posteriors_at_once() -> None:
    rng = np.random.default_rng(0)
    posteriors = rng.dirichlet(np.ones(10), size=10_000)
    posteriors[:, 0] += 0.02 + posteriors.max(1)
    posteriors /= posteriors.sum(1, keepdims=True)
    model = noise.from_posteriors(posteriors)
    found = solve(AMSE(), model)
    ordered = np.sort(posteriors, axis=1)
    assert found.end is not None
    assert found.end.value == pytest.approx(float((1 / (ordered[:, -1] - ordered[:, -2])).max()), rel=1e-9)
    assert found.end.exact is None


def test_unknown_parameters_are_named() -> None:
    with pytest.raises(InputError, match="amse has no parameter 'aa'"):
        solve(AMSE(), TEN, "aa")


# ------------------------------------------------------------------------------------------- machinery


@given(st.fractions(-20, 20, max_denominator=500), st.fractions(0, 1, max_denominator=500))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_simplest_fraction_has_the_least_denominator(low: Fraction, width: Fraction) -> None:
    high = low + width
    best = simplest(low, high)
    assert low <= best <= high
    for d in range(1, best.denominator):
        assert math.floor(high * d) < low * d  # no multiple of 1/d inside


ends = st.one_of(st.none(), st.builds(End.at, st.integers(0, 8).map(F), st.booleans()))


@st.composite
def piece_lists(draw: st.DrawFn) -> tuple[Piece, ...]:
    """Disjoint pieces in order."""
    cuts = sorted(draw(st.sets(st.integers(0, 8), min_size=2, max_size=6)))
    cuts = cuts[: len(cuts) // 2 * 2]
    return tuple(
        Piece(End.at(F(a), draw(st.booleans())), End.at(F(b), draw(st.booleans())))
        for a, b in zip(cuts[::2], cuts[1::2], strict=True)
    )


PROBES = [F(k, 2) for k in range(-1, 19)]


@given(piece_lists(), piece_lists())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_intersections_are_intersections(a: tuple[Piece, ...], b: tuple[Piece, ...]) -> None:
    both = intersect(a, b)
    for x in PROBES:
        assert any(x in p for p in both) == (any(x in p for p in a) and any(x in p for p in b))


@given(piece_lists(), st.integers(0, 8), st.booleans())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_adding_or_removing_a_point(pieces: tuple[Piece, ...], point: int, feasible: bool) -> None:
    inner = any(p.low is not None and p.high is not None and p.low.key() < point < p.high.key() for p in pieces)
    assume(not inner)  # pieces are split at the points in question
    changed = with_point(pieces, F(point), feasible, Domain(F(0), F(8)))
    for x in PROBES:
        assert any(x in p for p in changed) == (feasible if x == point else any(x in p for p in pieces))


def test_describe() -> None:
    one, two = End.at(F(1), True), End.at(F(5, 2), False)
    own = End.at(F(0), False, of_domain=True)
    assert Piece(one, two).describe("q") == "1 <= q < 2.5"
    assert Piece(own, one).describe("q") == "q <= 1"
    assert Piece(two, None).describe("q") == "q > 2.5"
    assert Piece(one, one).describe("q") == "q = 1"
    assert Piece(None, None).describe("q") == "any q"


@pytest.mark.parametrize("root", [2.0, math.sqrt(2.0), 1.25, 2.999])
def test_a_root_at_a_middle_of_the_bisection_is_narrowed_all_the_same(root: float) -> None:
    """At the root the sign is lost; the box must not stop there, nor trust the estimate."""

    def point(x: float) -> int | None:
        return None if x == root else -1 if x < root else 1

    for estimate in (lambda x: x - root, lambda x: math.nan, lambda x: 1.0, lambda x: -1.0):
        segments = _bisected(point, estimate, 1.0, 3.0, (-1, 1))
        assert [sign for sign, _, _ in segments] == [-1, None, 1]
        (_, _, a), (_, low, high), (_, b, _) = segments
        assert a == low <= root <= high == b
        assert high - low < 1e-10


def test_what_no_sign_settles_is_undecided() -> None:
    """0 times something that no polynomial shows to be 0: neither sign holds anywhere."""

    def inequality(x: Any, xp: Any) -> Any:
        return xp.exp(xp.log(x)) - x

    found = isolate(inequality, Domain(F(1), F(2), False, False), True)
    pieces, certain = found.pieces, found.settled
    assert pieces == ()
    assert not certain


@pytest.mark.parametrize(("monotone", "most"), [(False, 200), (True, 40)])
def test_a_change_below_the_values_scanned_is_found_by_signs_where_there_is_one_only(monotone: bool, most: int) -> None:
    asked = []

    def inequality(x: Any, xp: Any) -> Any:
        asked.append(x)
        return x * xp.exp(xp.number(F(1))) - xp.number(F(3, 2**93))

    found = isolate(inequality, Domain(F(0), None, False, False), False, monotone=monotone)
    (piece,) = found.pieces
    assert found.settled
    assert piece.low is not None
    assert piece.low.low <= 3 * 2.0**-93 / math.e <= piece.low.high
    assert len(asked) < most


def test_what_is_infinite_at_every_value_is_not_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """AMSE at q < 1 has an infinite slope at 0, so that neither first order nor the slopes of lines tell one a from another."""
    isolated = Mock(side_effect=isolate)
    module = importlib.import_module("asymtheory.threshold.solve")  # the package's attribute is the function
    monkeypatch.setattr(module, "isolate", isolated)
    found = solve(F("0.14") * AMSE(a=2, q=F("0.05")) + 14 * AMSE(a=3, q=30), from_weights([5, 1, 1]), "a")
    assert (found.status, isolated.call_count) == ("threshold", 1)


def test_ends_of_a_term_are_computed_once_in_each_number_system(monkeypatch: pytest.MonkeyPatch) -> None:
    active = Mock(side_effect=AMSE.active)
    monkeypatch.setattr(AMSE, "active", lambda *args: active(*args))
    term = AMSE(a=3, q=2)
    found = [Profile.of(weight * term + MAE(), 4).slopes(xp) for weight in (1, 2, 5) for xp in (FLOAT, INTERVAL)]
    assert active.call_count == 4
    assert [slopes.active0 for slopes in found[::2]] == [-2.5, -4.0, -8.5]
    assert Profile.of(AMSE(a=4, q=2), 4).slopes(FLOAT).active0 == -2


def test_an_inequality_that_vanishes_everywhere_holds_everywhere() -> None:
    domain = Domain(F(1), F(2), False, False)
    for closed in (True, False):
        found = isolate(lambda x, xp: x - x, domain, closed)
        pieces, certain = found.pieces, found.settled
        assert certain
        assert len(pieces) == closed


def test_result_is_frozen_and_readable() -> None:
    found = solve(AMSE(), TEN)
    assert isinstance(found, Threshold)
    with pytest.raises(AttributeError):
        found.status = "never"  # type: ignore[misc]
    assert "w_m = 0.2" in str(found)
    assert found.fixed() == {"q": 2}
    assert isinstance(found.noise.rows[0], Row)


def test_an_enclosure_is_printed_rounded_outwards() -> None:
    """To 15 digits the lower end is rounded down and the upper one up, for floats of every size."""
    rng = np.random.default_rng(0)
    sizes = np.concatenate([10.0 ** rng.uniform(-300, 300, 300), rng.uniform(0, 10, 300), [5e-324, 0.1, 1.0]])
    for x in (*sizes.tolist(), *(-sizes).tolist(), 0.0):
        low, high = (Decimal(outward(x, rounding)) for rounding in (ROUND_FLOOR, ROUND_CEILING))
        assert low <= Decimal(x) <= high
        assert high - low <= abs(Decimal(x)) * Decimal("1.1e-14")
    found = solve("aul", symmetric(3, F("0.3")), "a", p=F("2.7"))
    assert found.end is not None
    text = str(found).split("within    [")[1].split("]")[0].split(", ")
    assert Decimal(text[0]) <= Decimal(found.end.low) < Decimal(found.end.high) <= Decimal(text[1])
