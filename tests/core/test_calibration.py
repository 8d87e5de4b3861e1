"""Calibration: closed forms, brute force, the verdicts and ALF Theorem 2, each against formulas written here."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asymtheory import losses
from asymtheory.asymmetry.calibration import (
    Calibration,
    _ends_suffice,
    _Pointwise,
    _sum_verdicts,
    calibrate,
    excess_risk_bound,
)
from asymtheory.errors import InputError
from asymtheory.losses import (
    AEL,
    AGCE,
    AMSE,
    AUL,
    CE,
    FL,
    GCE,
    MAE,
    MSE,
    NCE,
    LogitClipCE,
    Loss,
    PHuberCE,
    Separable,
    TaylorCE,
    Unhinged,
)
from asymtheory.numbers.interval import Interval

UPPER = np.linspace(0.5, 1, 101)
ETA = np.concatenate([1 - UPPER[:0:-1], UPPER])  # symmetric to the last bit, for 1 - eta is exact from 1/2 on
FOLDED = np.maximum(ETA, 1 - ETA)
THETA = 2 * FOLDED - 1
CLOSE: dict[str, Any] = {"rtol": 0, "atol": 1e-13}

# mixed: neither convex nor concave on two classes
MIXED: dict[str, Loss] = {
    "agce+ce": 1 * AGCE(a=1, q=2) + Fraction(3, 10) * CE(),
    "agce+aul": 1 * AGCE(a=1, q=2) + 1 * AUL(a=2, p=3),
    "agce3+aul": 1 * AGCE(a=0, q=3) + Fraction(1, 20) * AUL(a=1.5, p=2),
    "agce3+mse": 1 * AGCE(a=0.5, q=3) + Fraction(2, 5) * MSE(),
    "aul+ael": 1 * AUL(a=1, p=0.25) + 1 * AEL(a=0.2),
    "amse+ce": 1 * AMSE(a=1.2, q=0.5) + 1 * CE(),
}
CONVEX: dict[str, Loss] = {
    "ce": CE(), "fl": FL(), "gce": GCE(), "mse": MSE(), "amse": AMSE(a=2, q=3), "agce": AGCE(a=1, q=0.5),
    "aul": AUL(a=2, p=3), "ael": AEL(a=1), "taylor": TaylorCE(t=4), "phuber": PHuberCE(tau=3),
    "sce": losses.build("sce"),
}  # fmt: skip
CONCAVE: dict[str, Loss] = {
    "agce": AGCE(a=1, q=2),
    "agce8": AGCE(a=0, q=8),
    "aul": AUL(a=1.5, p=0.5),
    "amse": AMSE(a=1, q=0.5),
    "sum": 2 * AGCE(a=0, q=3) + 1 * AUL(a=2, p=0.3) + 1 * MAE(),
}
AFFINE: dict[str, Loss] = {"mae": MAE(), "unhinged": Unhinged(), "rce": losses.build("rce"), "aul11": AUL(a=1, p=1)}
ALL = {
    f"{kind}-{k}": v
    for kind, group in zip("cvam", (CONVEX, CONCAVE, AFFINE, MIXED), strict=True)
    for k, v in group.items()
}


def naive(loss: Loss, v: np.ndarray) -> np.ndarray:
    """l(v) on two classes through the public evaluation of the loss, label 0 of (v, 1 - v)."""
    with np.errstate(all="ignore"):
        return loss(np.stack([v, 1 - v], -1))[..., 0]


def naive_risk(loss: Loss, eta: np.ndarray, v: np.ndarray) -> np.ndarray:
    """C on the grid (eta, v), with 0 inf = 0."""
    own, other = naive(loss, v), naive(loss, 1 - v)
    with np.errstate(all="ignore"):
        first, second = eta[:, None] * own, (1 - eta)[:, None] * other
    return np.where(eta[:, None] == 0, 0, first) + np.where(eta[:, None] == 1, 0, second)


class Custom(Separable):
    """A third-party loss: subclasses say active and the shape."""

    source = "test"
    shapes: tuple[int | None, int | None] = (1, 0)

    def curvature(self) -> tuple[int | None, int | None]:
        return self.shapes


class FlatAfterHalf(Custom):
    name, title, formula = "flat-after-half", "flat", "(1/2 - u)_+^2"

    def active(self, p: Any, logp: Any, xp: Any) -> Any:
        return xp.split(p, xp.number(Fraction(1, 2)), (xp.number(Fraction(1, 2)) - p) ** 2, p * 0)


class KinkAtHalf(Custom):
    name, title, formula = "kink-at-half", "kink", "slope -2 up to 1/2, -1 from there on"

    def active(self, p: Any, logp: Any, xp: Any) -> Any:
        half = xp.number(Fraction(1, 2))
        return xp.split(p, half, half * 3 - p * 2, 1 - p)


class Dip(Custom):
    """(1 - u) - 5000 x^2 (1/4 - x^2)^5, x = u - 1/2: l(1/2) = (l(0) + l(1))/2, yet l(v) + l(1 - v) dips in between."""

    name, title, formula = "dip", "dip", "see the docstring"
    shapes = (None, 0)
    size = 5000

    def active(self, p: Any, logp: Any, xp: Any) -> Any:
        square = (p - xp.number(Fraction(1, 2))) ** 2
        return 1 - p - square * (xp.number(Fraction(1, 4)) - square) ** 5 * xp.number(Fraction(self.size))


class EndDip(Custom):
    """(1 - u) - x^2 (1/4 - x^2), x = u - 1/2: the dip lies so far out that Theorem 2's inequality survives it."""

    name, title, formula = "end-dip", "end-dip", "see the docstring"
    shapes = (None, 0)

    def active(self, p: Any, logp: Any, xp: Any) -> Any:
        square = (p - xp.number(Fraction(1, 2))) ** 2
        return 1 - p - square * (xp.number(Fraction(1, 4)) - square)


class FlatUndeclared(FlatAfterHalf):
    name = "flat-undeclared"
    shapes = (None, 0)


class Wave(Custom):
    """1 - u + u (1 - u) (1 - 2u) (1 - 4u (1 - u)) * -20: decreases at 1/2 but l(v) < l(1 - v) further out."""

    name, title, formula = "wave", "wave", "see the docstring"
    shapes = (None, 0)

    def active(self, p: Any, logp: Any, xp: Any) -> Any:
        product = p * (1 - p)
        return 1 - p - product * (1 - p * 2) * (1 - product * 4) * 20


class Increasing(Custom):
    name, title, formula = "increasing", "increasing", "u^2"

    def active(self, p: Any, logp: Any, xp: Any) -> Any:
        return p**2


# --------------------------------------------------------------------------------------------- closed forms


def xlogx(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x * np.log(np.where(x > 0, x, 1)), 0)


def aul2(a: float) -> tuple[np.ndarray, np.ndarray]:
    """AUL at p = 2, minimised by hand: eta (a - v) = (1 - eta)(a - 1 + v), cut off at v = 1."""
    v = np.minimum(1, a * THETA + 1 - FOLDED)
    of = lambda u: ((a - u) ** 2 - (a - 1) ** 2) / 2  # noqa: E731
    return FOLDED * of(v) + (1 - FOLDED) * of(1 - v), np.full_like(v, of(0.5))


def gce(q: float) -> tuple[np.ndarray, np.ndarray]:
    """GCE: v / (1 - v) = (eta / (1 - eta))^(1 / (1 - q))."""
    with np.errstate(divide="ignore"):
        s = 1 / (1 + (FOLDED / (1 - FOLDED)) ** (1 / (1 - q)))
    return (1 - FOLDED * (1 - s) ** q - (1 - FOLDED) * s**q) / q, np.full_like(s, (1 - 0.5**q) / q)


def vertices(l0: float, half: float, l1: float) -> tuple[np.ndarray, np.ndarray]:
    return FOLDED * l1 + (1 - FOLDED) * l0, np.minimum(half, FOLDED * l0 + (1 - FOLDED) * l1)


CLOSED: dict[str, tuple[Loss, Callable[[], tuple[Any, Any]]]] = {
    "mae": (MAE(), lambda: (2 * np.minimum(ETA, 1 - ETA), np.minimum(1, 2 * FOLDED))),
    "ce": (CE(), lambda: (-xlogx(ETA) - xlogx(1 - ETA), np.full_like(ETA, np.log(2)))),
    "mse": (MSE(), lambda: (ETA * (1 - ETA), np.full_like(ETA, 0.25))),
    "aul p=2": (AUL(a=3, p=2), lambda: aul2(3)),
    "aul p=2, a=1.1": (AUL(a=1.1, p=2), lambda: aul2(1.1)),
    "gce q=0.7": (GCE(q=0.7), lambda: gce(0.7)),
    "gce q=0.02": (GCE(q=0.02), lambda: gce(0.02)),
    "alf fig 1, agce q=2": (AGCE(a=1, q=2), lambda: vertices(1.5, (4 - 2.25) / 2, 0)),
    "alf fig 1, aul p=1/2": (AUL(a=2, p=0.5), lambda: vertices(2 * (2**0.5 - 1), 2 * (1.5**0.5 - 1), 0)),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name: str) -> None:
    loss, reference = CLOSED[name]
    H, H_minus = reference()
    found = calibrate(loss, ETA)
    assert found.method != "search"
    assert found.error == found.psi_error == 0
    np.testing.assert_allclose(found.H, H, **CLOSE)
    np.testing.assert_allclose(found.H_minus, H_minus, **CLOSE)
    np.testing.assert_allclose(found.psi_tilde, H_minus - H, **CLOSE)


def test_cross_entropy_returns_the_posterior_down_to_tiny_ones() -> None:
    tiny = np.array([1e-12, 1e-9, 1e-6, 1e-3])
    found = calibrate(CE(), np.concatenate([tiny, 1 - tiny]))
    np.testing.assert_allclose(found.minimiser[:4], tiny, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.H[:4], -xlogx(tiny) - (1 - tiny) * np.log1p(-tiny), rtol=1e-12, atol=1e-14)


# ------------------------------------------------------------------------------------------ any separable loss


def properties(found: Calibration, loss: Loss, eta: np.ndarray) -> None:
    """What H, H^-, psi~ and psi must be, against a fine grid of predictions."""
    scale = 1e-12 * max(1.0, float(abs(naive(loss, np.array([0.5]))[0])))
    v = np.unique(np.concatenate([np.linspace(0, 1, 801), 10.0 ** -np.arange(3, 16), 1 - 10.0 ** -np.arange(3, 16)]))
    risk = naive_risk(loss, eta, v)
    wrong = np.where((v - 0.5) * (2 * eta[:, None] - 1) <= 0, risk, np.inf)
    assert np.all(found.H - found.error <= risk.min(1) + scale)
    assert np.all(found.H_minus - found.error <= wrong.min(1) + scale)
    # attained: at the minimiser given, and within what a step of 1/800 can miss
    attained = np.array([naive_risk(loss, eta[i : i + 1], found.minimiser[i : i + 1])[0, 0] for i in range(len(eta))])
    np.testing.assert_allclose(attained, found.H, rtol=1e-9, atol=1e3 * scale)
    near = np.where(np.isfinite(risk), risk, 0).max(1) * 0.03 + 1e-9
    assert np.all(risk.min(1) <= found.H + near)
    assert np.all(wrong.min(1) <= found.H_minus + near)
    assert np.all(found.H <= found.H_minus + scale)
    assert np.all(found.psi <= found.psi_tilde + found.error + scale)
    assert np.all(found.psi_tilde >= 0)
    assert np.all(found.psi >= 0)
    assert found.gap_half >= 0


@pytest.mark.parametrize("name", ALL)
def test_against_brute_force(name: str) -> None:
    found = calibrate(ALL[name], ETA)
    properties(found, ALL[name], ETA)
    assert found.error < 1e-7
    np.testing.assert_array_equal(found.H, found.H[::-1])
    np.testing.assert_array_equal(found.H_minus, found.H_minus[::-1])
    assert found.psi_tilde[100] <= found.error + 1e-15
    assert found.psi[100] <= found.error + 1e-15
    assert found.calibrated is True
    assert {"c": "convex", "v": "concave", "a": "linear", "m": "search"}[name[0]] == found.method


@pytest.mark.parametrize("name", ALL)
def test_psi_is_the_largest_convex_minorant(name: str) -> None:
    eta = np.linspace(0.5, 1, 101)
    found = calibrate(ALL[name], eta)
    slack = found.psi_error + 1e-12 * max(1.0, found.H_minus.max())
    assert np.all(np.diff(found.psi, 2) >= -slack)
    # a tangent of psi touches psi~ or the envelope could be raised: compare with the hull of psi~ by definition,
    # inf over two points of their chord
    x, y = found.theta, found.psi_tilde
    i, j, k = np.meshgrid(*[np.arange(101)] * 3, indexing="ij", sparse=True)
    inside = (i <= k) & (k <= j) & (i < j)
    share = np.where(i < j, (x[k] - x[i]) / np.where(i < j, x[j] - x[i], 1), 0)
    hull = np.where(inside, y[i] + share * (y[j] - y[i]), y[k] + 0 * i + 0 * j).min((0, 1))
    assert np.all(found.psi <= hull + slack)
    assert np.all(found.psi >= hull - slack - 1e-3 * y.max() * (found.method == "search"))
    if found.method == "convex":
        np.testing.assert_array_equal(found.psi, found.psi_tilde)


exponent = st.fractions(Fraction(1, 10), Fraction(4), max_denominator=50)
FAMILIES = st.one_of(
    st.builds(lambda a, q: AGCE(a=a, q=q), st.fractions(0, 5, max_denominator=50), exponent),
    st.builds(lambda a, p: AUL(a=a, p=p), st.fractions(1, 6, max_denominator=50), exponent),
    st.builds(lambda a, q: AMSE(a=a, q=q), st.fractions(1, 6, max_denominator=50), exponent),
    st.builds(lambda a: AEL(a=a), st.fractions(Fraction(1, 5), 5, max_denominator=50)),
    st.builds(lambda q: GCE(q=q), st.fractions(Fraction(1, 20), 1, max_denominator=50)),
    st.builds(lambda g: FL(gamma=g), st.fractions(0, 4, max_denominator=50)),
    st.builds(lambda t: PHuberCE(tau=t), st.fractions(1, 8, max_denominator=50)),
    st.builds(lambda t: TaylorCE(t=t), st.integers(1, 6)),
    st.sampled_from([CE(), MAE(), MSE(), Unhinged()]),
)
POSTERIOR = st.floats(0, 1).map(lambda x: round(x, 9))


@settings(max_examples=60, deadline=None)
@given(loss=FAMILIES, eta=st.lists(POSTERIOR, min_size=1, max_size=12))
def test_every_loss_of_the_families(loss: Loss, eta: list[float]) -> None:
    points = np.array(eta)
    found = calibrate(loss, points)
    properties(found, loss, points)
    assert found.calibrated is True
    np.testing.assert_allclose(calibrate(loss, 1 - points).H, found.H, rtol=1e-7, atol=1e-9)


@settings(max_examples=8, deadline=None)
@example(
    first=AGCE(a=0, q=0.1), second=AUL(a=1, p=Fraction(5, 44)), weight=Fraction(1, 10)
)  # infinite slopes at both ends
@given(first=FAMILIES, second=FAMILIES, weight=st.fractions(Fraction(1, 10), 3, max_denominator=20))
def test_sums(first: Loss, second: Loss, weight: Fraction) -> None:
    loss, points = 1 * first + weight * second, np.linspace(0, 1, 21)
    found = calibrate(loss, points)
    properties(found, loss, points)
    assert found.calibrated is not False


def test_a_loss_that_is_symmetric_but_not_affine() -> None:
    # 2 sqrt(1 - v) + 2 (1 - sqrt(v)): l(v) + l(1 - v) = 4, a case where interval bounds cancel badly
    loss = 1 * AUL(a=1, p=0.5) + 1 * GCE(q=0.5)
    found = calibrate(loss, ETA)
    assert 0 < found.error < 1e-3
    np.testing.assert_allclose(found.H, 4 * (1 - FOLDED), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.psi, 2 * THETA, rtol=0, atol=found.psi_error + 1e-12)
    bound = excess_risk_bound(loss)
    assert bound.holds is not False
    assert bound.strictly_asymmetric is not False
    assert bound.completely_asymmetric is not False


# ------------------------------------------------------------------------------------------------ verdicts


def test_gap_at_one_half() -> None:
    assert calibrate(CE()).gap_half == 0
    assert calibrate(MAE()).gap_half == 0
    assert calibrate(AGCE(a=1, q=2)).gap_half == pytest.approx(0.875 - 0.75, abs=1e-15)
    assert calibrate(MIXED["agce3+mse"]).gap_half == pytest.approx(0.15, abs=1e-12)


@pytest.mark.parametrize(("loss", "witness"), [(FlatAfterHalf(), 1.0), (KinkAtHalf(), 2 / 3)])
def test_losses_that_are_not_calibrated(loss: Loss, witness: float) -> None:
    found = calibrate(loss, [0.5, witness, 1])
    assert found.calibrated is False
    assert found.witness == pytest.approx(witness, abs=1e-9)
    risk = naive_risk(loss, np.array([found.witness]), np.linspace(0, 1, 1001))[0]
    assert risk[:501].min() <= risk.min() + 1e-12  # the wrong side does as well
    assert found.psi_tilde[1] == pytest.approx(0, abs=1e-12)
    assert "not classification-calibrated" in str(found)


@pytest.mark.parametrize("loss", [FlatUndeclared(), Wave()])
def test_what_cannot_be_certified_is_not_claimed(loss: Loss) -> None:
    found = calibrate(loss, [0.5, 0.8, 1])
    assert found.calibrated is None
    assert "could not be certified" in found.reason


def test_kink_is_calibrated_beyond_its_witness() -> None:
    found = calibrate(KinkAtHalf(), [0.7, 0.9])
    assert np.all(found.psi_tilde > 0.01)


# ------------------------------------------------------------------------------------------------ Theorem 2


def draws(seed: int, n: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    eta, v = rng.random(n), rng.random(n)
    eta[: n // 4] = rng.beta(0.1, 0.1, n // 4)
    v[n // 8 : n // 2] = 0.5 + rng.choice([-1, 1], 3 * n // 8) * 10 ** rng.uniform(-8, -0.5, 3 * n // 8)
    return eta, v


def excesses(loss: Loss, eta: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(excess error, excess risk) of predicting v at eta, pointwise."""
    with np.errstate(all="ignore"):
        risk = np.where(eta == 0, 0, eta * naive(loss, v)) + np.where(eta == 1, 0, (1 - eta) * naive(loss, 1 - v))
    wrong = (v - 0.5) * (2 * eta - 1) <= 0
    return np.abs(2 * eta - 1) * wrong, risk - calibrate(loss, eta).H


HOLDS = [*CONCAVE, *AFFINE, "agce3+aul", "agce3+mse", "aul+ael"]


@pytest.mark.parametrize("name", HOLDS)
def test_theorem_2_where_it_holds(name: str) -> None:
    loss = {**CONCAVE, **AFFINE, **MIXED}[name]
    bound = excess_risk_bound(loss)
    assert bound.holds is True
    assert bound.completely_asymmetric is True
    assert bound.least is not None
    assert bound.constant / 2 <= bound.least <= bound.constant * (1 + 1e-15)
    error, risk = excesses(loss, *draws(1, 1000 if name in MIXED else 20000))
    assert np.all(error <= bound.constant * risk + 1e-9)
    assert np.all(error <= bound.least * risk + 1e-9)
    # least: eta = 1 and v = 1/2 attain it
    l0, half, l1 = naive(loss, np.array([0, 0.5, 1]))
    assert bound.constant == pytest.approx(2 / (l0 - l1), rel=1e-12)
    assert bound.least * (half - l1) == pytest.approx(1, rel=1e-12)


def test_factor_two_is_least_for_symmetric_losses_only() -> None:
    for loss in AFFINE.values():
        bound = excess_risk_bound(loss)
        assert bound.least == bound.constant
        assert bound.strictly_asymmetric is True
    for loss in CONCAVE.values():
        bound = excess_risk_bound(loss)
        assert bound.least is not None
        assert bound.least < bound.constant * (1 - 1e-3)
        assert bound.strictly_asymmetric is False
    # it falls to one half of it as q grows
    steep = excess_risk_bound(AGCE(a=0, q=30))
    assert steep.least is not None
    assert steep.least / steep.constant == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("name", [*CONVEX, "agce+ce", "agce+aul", "amse+ce"])
def test_theorem_2_where_it_fails(name: str) -> None:
    loss = (MIXED if name in MIXED else CONVEX)[name]
    bound = excess_risk_bound(loss)
    assert bound.holds is False
    assert bound.completely_asymmetric is False  # so that the theorem's hypothesis fails too: no contradiction
    witness = bound.witness
    assert witness is not None
    error, risk = excesses(loss, np.array([witness.eta]), np.array([witness.v]))
    assert witness.v < 0.5
    assert error[0] == pytest.approx(witness.excess_01)
    assert risk[0] == pytest.approx(witness.excess_loss, rel=1e-9)
    l0, _, l1 = naive(loss, np.array([0, 0.5, 1]))
    assert error[0] > 2 / (l0 - l1) * risk[0]  # 2 / inf = 0 for an infinite l(0)
    assert bound.constant == (np.inf if l0 == np.inf else pytest.approx(2 / (l0 - l1), rel=1e-12))


def test_a_dip_between_the_ends_refutes_it_inside() -> None:
    bound = excess_risk_bound(Dip())
    assert bound.holds is False
    assert bound.completely_asymmetric is False
    assert bound.witness is not None
    assert bound.witness.eta < 1
    error, risk = excesses(Dip(), np.array([bound.witness.eta]), np.array([bound.witness.v]))
    assert error[0] > bound.constant * risk[0]
    half = naive(Dip(), np.array([0.5]))[0]
    assert 1 / (half - 0) == pytest.approx(bound.constant)  # at eta = 1 it would have passed
    assert calibrate(Dip()).calibrated is True


def test_the_inequality_can_outlive_complete_asymmetry() -> None:
    bound = excess_risk_bound(EndDip())
    assert bound.completely_asymmetric is False
    assert bound.strictly_asymmetric is False
    assert bound.holds is None  # searched, not proved
    assert calibrate(EndDip(), [0.51]).minimiser[0] < 1
    error, risk = excesses(EndDip(), *draws(3, 1000))
    assert np.all(error <= bound.constant * risk + 1e-9)


@pytest.mark.parametrize("loss", [Dip(), EndDip()])
def test_a_dip_that_no_grid_point_sees_is_not_certified_away(loss: Loss) -> None:
    coarse = np.array([0, 0.5])  # at both points l(v) + l(1 - v) = l(0) + l(1)
    assert _sum_verdicts(_Pointwise.of(loss), coarse) == (None, None)


def test_falling_below_the_ends_is_not_certified() -> None:
    pointwise = _Pointwise.of(MSE())  # l(v) + l(1 - v) = 1 - 2 v (1 - v) falls to 1/2
    left, right = pointwise.box(0.25, 0.375), pointwise.box(0.625, 0.75)
    assert (left[1] - right[1]).high < 0
    assert not _ends_suffice(pointwise, left, right, 0.25, 0.375, Interval(1, 1))
    assert _ends_suffice(pointwise, left, right, 0.25, 0.375, Interval(0.5, 0.5))


def test_least_constant_of_convex_losses() -> None:
    for loss in (CE(), MSE(), GCE(), AGCE(a=3, q=0.5), PHuberCE(tau=2), PHuberCE(tau=3)):
        assert excess_risk_bound(loss).least == np.inf
    bound = excess_risk_bound(PHuberCE(tau=1.5))  # affine up to 2/3: 2 / (l(1/3) - l(2/3)) = 2 / (2 - tau)
    assert bound.least == pytest.approx(4, rel=1e-9)
    assert bound.holds is False
    error, risk = excesses(PHuberCE(tau=1.5), *draws(2))
    assert np.all(error <= bound.least * risk + 1e-9)
    assert np.any(error > bound.constant * risk + 1e-3)


@settings(max_examples=40, deadline=None)
@given(loss=FAMILIES, eta=POSTERIOR, v=POSTERIOR)
def test_verdict_agrees_with_psi(loss: Loss, eta: float, v: float) -> None:
    bound, found = excess_risk_bound(loss), calibrate(loss)
    theta = np.abs(found.theta)
    if bound.holds:
        assert np.all(found.psi * bound.constant >= theta - 1e-9)
    else:
        assert np.any(found.psi * min(bound.constant, 1e9) < theta) or bound.constant == np.inf
    error, risk = excesses(loss, np.array([eta]), np.array([v]))
    assert np.interp(error[0], found.theta[200:], found.psi[200:]) <= risk[0] + 1e-4 * max(1.0, found.H_minus.max())


def test_complete_asymmetry_agrees_with_the_minimiser_at_the_vertex() -> None:
    for loss in ALL.values():
        right = calibrate(loss, [0.501, 0.55, 0.7, 0.9]).minimiser
        assert excess_risk_bound(loss).completely_asymmetric is bool(np.all(right == 1))


# ---------------------------------------------------------------------------------------- input and output


@pytest.mark.parametrize("loss", [NCE(), losses.build("jal-ce"), losses.build("nnce"), LogitClipCE()])
def test_losses_that_are_not_pointwise_are_refused(loss: Loss) -> None:
    with pytest.raises(InputError, match=r"form l\(u_y\)"):
        calibrate(loss)
    with pytest.raises(InputError, match=r"form l\(u_y\)"):
        excess_risk_bound(loss)


@pytest.mark.parametrize("eta", [-0.1, 1.5, float("nan"), float("inf"), [0.2, 2.0], [], [[0.5]], "half", [0.1, None]])
def test_posteriors_outside_are_refused(eta: Any) -> None:
    with pytest.raises(InputError, match="eta must"):
        calibrate(CE(), eta)


def test_increasing_losses_are_refused() -> None:
    with pytest.raises(InputError, match="decreases"):
        calibrate(Increasing())


def test_shapes_and_defaults() -> None:
    found = calibrate(CE())
    assert found.eta.shape == found.H.shape == (401,)
    assert calibrate(CE(), 0.25).H.shape == (1,)
    eta = np.array([0.5, 0.1])
    kept = calibrate(CE(), eta)
    eta[0] = 0.9
    assert kept.eta[0] == 0.5  # a copy
    with pytest.raises(ValueError, match="read-only"):
        kept.H[0] = 1


@pytest.mark.parametrize("loss", [CE(), MAE(), AGCE(a=1, q=2), MIXED["agce3+mse"], MIXED["agce+ce"]], ids=str)
def test_results_print_and_serialise(loss: Loss) -> None:
    found, bound = calibrate(loss, [0, 0.25, 1]), excess_risk_bound(loss)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["H"] == found.H.tolist()
    assert data["calibrated"] is True
    assert str(loss) in str(found)
    facts = json.loads(json.dumps(bound.to_dict(), allow_nan=False))
    assert facts["holds"] is bound.holds
    assert (facts["constant"] is None) == (bound.constant == np.inf)
    assert ("Theorem 2 gives no bound" in str(bound)) == (bound.constant == np.inf)
