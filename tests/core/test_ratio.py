"""Asymmetry ratios: enclosures against the papers' closed forms, against brute force, and route against route.

The closed forms of ALF stand here only. Brute force can refute an enclosure's lower end (a sampled ratio below it)
and, on smooth losses, its upper end (a dense grid whose least ratio is clearly apart from it).
"""

from __future__ import annotations

import json
import math
from fractions import Fraction
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asymtheory.asymmetry.ratio import CLOSED, SEARCHED, Part, Ratio, Whole, asymmetry_ratio, pointwise_profile
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
    NGCE,
    NMAE,
    NRCE,
    RCE,
    Loss,
    PHuberCE,
    Separable,
    TaylorCE,
    Unhinged,
    build,
)
from asymtheory.losses.curvature import certify_curvature
from asymtheory.numbers.boxes import Curve, infimum
from asymtheory.numbers.interval import Interval

F = Fraction
WIDTH = 1e-10
THREE = ("r_pointwise", "r", "r_upper")


def values(loss: Loss, u: Any, K: int = 3) -> np.ndarray:
    """l(u_y) from the loss itself: the labelled class has u, another the rest (passive parts are linear)."""
    u = np.asarray(u, dtype=float)
    points = np.stack([u, 1 - u, *[np.zeros_like(u)] * (K - 2)], axis=-1)
    with np.errstate(all="ignore"):
        return loss(points)[..., 0]


def sampled(loss: Loss, rng: np.random.Generator, n: int = 4000) -> dict[str, np.ndarray]:
    """Ratios at random transfers, drawn also near the corners; steps that rounding would spoil are left out."""
    sharp = rng.random((3, n)) ** rng.choice([1, 4], size=(3, n))
    flip = rng.random(n) < 0.5
    u2 = np.where(flip, sharp[0], 1 - sharp[0])
    u1 = np.where(rng.random(n) < 0.5, sharp[1], 1 - sharp[1]) * (1 - u2)
    du = sharp[2] * u2

    def quotient(u1: Any, u2: Any, du: Any) -> Any:
        keep = du > 1e-4
        u1, u2, du = u1[keep], u2[keep], du[keep]
        gain = values(loss, u1) - values(loss, np.minimum(u1 + du, 1))
        cost = values(loss, u2 - du) - values(loss, u2)
        found = gain / cost
        return found[np.isfinite(found) & (cost > 1e-5)]

    with np.errstate(invalid="ignore"):
        return {"r_pointwise": quotient(u1, u2, du), "r": quotient(u1, u2, u2), "r_upper": quotient(1 - u2, u2, u2)}


def ends(found: Ratio) -> list[tuple[float, float]]:
    return [(getattr(found, name).low, getattr(found, name).high) for name in THREE]


# ------------------------------------------------------------------------------------------- closed forms

# loss, r of the papers (ALF Sec. 3.4, Corollaries 1-3), r_pointwise where Definition 3 as printed gives another value
PAPERS: list[tuple[Loss, float, float | None]] = [
    (CE(), 0, None), (FL(), 0, None), (FL(gamma=2), 0, None), (build("sce"), 0, None),
    *[(GCE(q=q), 0, None) for q in (F(1, 10), F(7, 10), F(99, 100))], (GCE(q=1), 1, None),
    *[
        (AGCE(a=a, q=q), (a / (a + 1)) ** (1 - q), None)
        for a, q in ((F(3, 5), F(3, 5)), (F(1), F(1, 2)), (F(1, 10), F(1, 10)), (F(6), F(1)), (F(0), F(1, 2)))
    ],
    *[(AGCE(a=a, q=q), 1, (a / (a + 1)) ** (q - 1)) for a, q in ((F(6), F(3, 2)), (F(1), F(2)), (F(0), F(2)))],
    *[
        (AUL(a=a, p=p), ((a - 1) / a) ** (p - 1), None)
        for a, p in ((F(11, 2), F(3)), (F(63, 10), F(3, 2)), (F(2), F(1)), (F(1), F(2)), (F(1), F(3, 2)))
    ],
    *[(AUL(a=a, p=p), 1, ((a - 1) / a) ** (1 - p)) for a, p in ((F(2), F(1, 2)), (F(1), F(1, 2)), (F(5), F(1, 10)))],
    *[(AEL(a=a), math.exp(-1 / a), None) for a in (F(5, 2), F(1, 10), F(5))],
    *[(TaylorCE(t=t), 1 / t, None) for t in (1, 2, 5)], *[(PHuberCE(tau=t), 1 / t, None) for t in (1, 2, 10)],
    *[(loss, 1, None) for loss in (MAE(), NMAE(), RCE(), NRCE(), Unhinged(), NGCE(q=1), AMSE(q=1))],
]  # fmt: skip


@pytest.mark.parametrize(("loss", "r", "printed"), PAPERS, ids=[repr(case[0]) for case in PAPERS])
def test_enclosures_hold_the_closed_forms(loss, r, printed):
    found = asymmetry_ratio(loss)
    expected = {"r": float(r), "r_upper": float(r), "r_pointwise": float(r if printed is None else printed)}
    for name in THREE:
        part = getattr(found, name)
        assert part.high - part.low <= 3e-16
        assert part.method == CLOSED
        assert part.low * (1 - 1e-15) <= expected[name] <= part.high * (1 + 1e-15)
    assert (found.r.low, found.r.high) == (1, 1) or expected["r"] < 1
    assert 0 < found.r.low or expected["r"] == 0


def test_rational_ratios_are_enclosed_exactly():
    for loss, exact in ((TaylorCE(t=3), F(1, 3)), (PHuberCE(tau=7), F(1, 7)), (AUL(a=F(11, 2), p=3), F(81, 121))):
        part = asymmetry_ratio(loss).r
        assert F(part.low) <= exact <= F(part.high)
        assert part.low < part.high
    half = asymmetry_ratio(TaylorCE(t=2)).r
    assert half.low == half.high == 0.5


def test_definition_3_as_printed_is_not_the_ratio_of_the_corollaries():
    found = asymmetry_ratio(AGCE(a=1, q=2))  # l' is -(1 + u): a part of u2 = 1 costs 2 du and gains 1 du
    assert (found.r_pointwise.low, found.r_pointwise.high) == (0.5, 0.5)
    assert found.r.low == found.r_upper.high == 1
    loss, u2, du = AGCE(a=1, q=2), 1.0, 1e-3
    gain, cost = -np.diff(values(loss, [0, du]))[0], -np.diff(values(loss, [u2 - du, u2]))[0]
    assert gain / cost == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("loss", "r_at", "pointwise_at", "upper_at"),
    [
        (GCE(), ("u1 -> 1, u2 -> 0", False), ("u1 -> 1, u2 -> 0", False), ("u1 = 1 - u2 -> 1", False)),
        (CE(), *[("every u1 > 0 and u2 > 0, as l(0) = inf", True)] * 3),
        (MAE(), *[("every u1, u2, du", True)] * 3),
        (AGCE(q=2), ("u1 = 0, every u2", True), ("u1 = 0, u2 = 1, du -> 0", False), ("u1 = 0, u2 = 1", True)),
    ],
)
def test_the_place_is_named(loss, r_at, pointwise_at, upper_at):
    found = asymmetry_ratio(loss)
    for part, expected in ((found.r, r_at), (found.r_pointwise, pointwise_at), (found.r_upper, upper_at)):
        assert (part.at, part.attained) == expected


# -------------------------------------------------------------------------------------------- brute force

numbers = st.integers(1, 40).map(lambda n: F(n, 10))
atoms = st.one_of(
    st.builds(lambda a, q: AGCE(a=a, q=q), numbers, numbers),
    st.builds(lambda a, p: AUL(a=1 + a, p=p), numbers, numbers),
    st.builds(lambda a: AEL(a=a), numbers),
    st.builds(lambda t: TaylorCE(t=t), st.integers(1, 6)),
    st.builds(lambda t: PHuberCE(tau=t), numbers.map(lambda n: 1 + n)),
    st.just(MAE()),
)
singular = st.one_of(
    st.builds(lambda q: GCE(q=q), numbers.map(lambda n: n / 4)),
    st.builds(lambda q: AGCE(a=0, q=q), numbers),
    st.builds(lambda p: AUL(a=1, p=p), numbers),
    st.just(CE()),
)


@settings(max_examples=60, deadline=None)
@given(loss=st.one_of(atoms, singular), seed=st.integers(0, 2**32 - 1))
def test_no_sampled_ratio_is_below_the_enclosure_of_one_loss(loss, seed):
    found, samples = asymmetry_ratio(loss, 3), sampled(loss, np.random.default_rng(seed))
    for name in THREE:
        part = getattr(found, name)
        assert 0 <= part.low <= part.high <= 1
        assert part.high - part.low <= WIDTH
        assert samples[name].min() >= part.low - 1e-7
    assert ends(found) == sorted(ends(found))


concave = st.one_of(
    st.builds(lambda a, q: AGCE(a=a, q=1 + q), numbers, numbers),
    st.builds(lambda a, p: AUL(a=1 + a, p=p / 5), numbers, numbers.filter(lambda n: n < 5)),
)
convex = st.one_of(
    st.builds(lambda a, p: AUL(a=1 + a, p=1 + p), numbers, numbers),
    st.builds(lambda a: AEL(a=a), numbers),
    st.builds(lambda t: TaylorCE(t=t), st.integers(2, 6)),
)


@settings(max_examples=15, deadline=None)
@given(left=concave, right=convex, weight=numbers, seed=st.integers(0, 2**32 - 1))
def test_no_sampled_ratio_is_below_the_enclosure_of_a_sum(left, right, weight, seed):
    loss = left + weight * right
    found, samples = asymmetry_ratio(loss, 3), sampled(loss, np.random.default_rng(seed))
    for name in THREE:
        part = getattr(found, name)
        assert 0 <= part.low <= part.high <= 1
        assert samples[name].min() >= part.low - 1e-7
    for (low, _), (_, high) in zip(ends(found), ends(found)[1:], strict=False):
        assert low <= high  # the enclosures cannot contradict r_pointwise <= r <= r_upper


# r_pointwise, r and r_upper of sums that are neither convex nor concave
MIXED: list[Loss] = [
    AGCE(a=F(1, 10), q=3) + AEL(a=F(1, 2)),
    F(3, 10) * AGCE(a=0, q=3) + 1 * AEL(a=F(1, 2)),
    AUL(a=F(6, 5), p=F(1, 2)) + AUL(a=F(6, 5), p=3),
    AGCE(a=F(1, 20), q=F(5, 2)) + F(1, 10) * TaylorCE(t=8),
    MAE() + (AEL(a=F(1, 5)) + AGCE(a=0, q=2)),
    AUL(a=1, p=F(1, 2)) + AUL(a=1, p=3),
]


def dense(loss: Loss, n: int = 2**11) -> dict[str, float]:
    """Least ratios on a grid: Definition 3 by prefix minima and maxima of differences, the others as written."""
    u = np.arange(n + 1) / n
    l = values(loss, u)  # noqa: E741
    steep = -np.diff(l)
    least, most = np.minimum.accumulate(steep), np.maximum.accumulate(steep)
    found = {"r_pointwise": (least / most[::-1]).min(), "r_upper": ((l[:-1] - l[-1]) / (l[0] - l[:0:-1])).min()}
    found["r"] = min(((l[: n - k + 1] - l[k:]) / (l[0] - l[k])).min() for k in range(1, n + 1))
    return found


@pytest.mark.parametrize("loss", MIXED, ids=repr)
def test_mixed_curvature_is_settled_by_branch_and_bound(loss):
    found, grid = asymmetry_ratio(loss, 3), dense(loss)
    assert pointwise_profile(loss).shape() is None
    for name in THREE:
        part = getattr(found, name)
        assert part.high - part.low <= WIDTH
        if part.high > 0:
            assert part.method == SEARCHED
            assert part.low == pytest.approx(grid[name], abs=2e-3)
        assert grid[name] >= part.low - 1e-9
    for lower, upper in zip(ends(found), ends(found)[1:], strict=False):
        assert lower[0] <= upper[1]


@pytest.fixture
def few_boxes(monkeypatch):
    """Give up early: for infima that are attained on a whole segment, where no number of boxes reaches the width."""
    monkeypatch.setattr(import_module("asymtheory.asymmetry.ratio"), "MOST_BOXES", {1: 200, 2: 300})


@pytest.mark.usefixtures("few_boxes")
def test_a_mixed_ratio_in_closed_form():
    # l' = -(2/5 + u - u^2) decreases away from 1/2: least 2/5 at both ends, greatest 13/20
    found = asymmetry_ratio(Cubic(F(2, 5)))
    for part, exact in ((found.r_pointwise, F(8, 13)), (found.r, F(1)), (found.r_upper, F(1))):
        assert F(part.low) <= exact <= F(part.high)
    assert found.r_pointwise.high - found.r_pointwise.low <= WIDTH
    # l' = -(13/20 - u + u^2): least 2/5 at 1/2, greatest 13/20 at u2 -> 0, for the whole transfer too
    found = asymmetry_ratio(Cubic(F(13, 20), -1))
    for part in (found.r_pointwise, found.r):
        assert F(part.low) <= F(8, 13) <= F(part.high)
        assert part.high - part.low <= WIDTH
        assert part.at.startswith("u1 -> 0.5")
        assert not part.attained


class ThirdParty(Separable):
    """A loss whose author did not say what shape it has."""

    name, title, formula, source = "third-party", "third-party", "none", "nowhere"

    def curvature(self):
        return None, 0


class Cubic(ThirdParty):
    """l with l' = -(base + bend (u - u^2))."""

    domains: ClassVar = {}

    def __init__(self, base, bend=1):
        super().__init__()
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "bend", bend)

    def _with(self, **values):
        return self

    def active(self, p, logp, xp):
        base, bend = xp.number(F(self.base)), xp.number(F(self.bend))
        return -(p * base) - (p * p * bend) / xp.number(F(2)) + (p * p * p * bend) / xp.number(F(3))


# ------------------------------------------------------------------------------------- route against route

SEARCHABLE = [
    AGCE(), AGCE(a=6, q=F(3, 2)), AGCE(a=0, q=2), AUL(), AUL(a=1, p=2), AUL(a=1, p=F(1, 2)), AEL(), TaylorCE(), MAE(),
    GCE(), CE(), FL(), build("sce"), Unhinged(), PHuberCE(tau=10), AEL() + MAE(), F(1, 2) * AGCE(q=2) + MAE(),
]  # fmt: skip


@pytest.mark.parametrize("loss", SEARCHABLE, ids=repr)
def test_branch_and_bound_agrees_with_the_end_slopes(loss):
    exact, found = asymmetry_ratio(loss), asymmetry_ratio(loss, search=True)
    for name in THREE:
        closed, boxed = getattr(exact, name), getattr(found, name)
        assert boxed.method != closed.method
        assert boxed.high - boxed.low <= WIDTH
        assert max(closed.low, boxed.low) <= min(closed.high, boxed.high)


@pytest.mark.usefixtures("few_boxes")
def test_a_width_that_is_not_reached_is_reported():
    # l(0) - l(u) = l(1 - u) - l(1), so r_upper = 1 on a whole segment, and its ends have infinite slopes
    found = asymmetry_ratio(AUL(a=1, p=F(1, 2)) + GCE(q=F(1, 2)))
    assert found.r.high == found.r_pointwise.high == 0
    assert found.r_upper.high == 1
    assert found.r_upper.low < 1 - WIDTH
    assert str(found.r_upper).startswith("[")


class Bowl:
    """(x - 1/3)^2 + (y - 2)^2 / 10 + 1 on [0, 1]^2: least 1.1 at x = 1/3, y = 1."""

    def point(self, at):
        return self.box([Interval(x, x) for x in at])[0]

    def box(self, box):
        x, y = box[0] - F(1, 3), box[1] - 2
        return x * x + y * y / 10 + 1, (x * 2, y / 5)


def test_branch_and_bound_on_a_known_function():
    found = infimum(Bowl(), [Interval(0.0, 1.0)] * 2, 1e-12, 1000)
    assert found.low <= 1.1 <= found.high
    assert found.high - found.low <= 1e-12
    assert found.at == (pytest.approx(1 / 3, abs=1e-5), 1.0)
    assert found.boxes < 200
    rough = infimum(Bowl(), [Interval(0.0, 1.0)] * 2, 1e-12, 3)
    assert rough.low <= 1.1 <= rough.high
    assert rough.high - rough.low > 1e-6


def differences(f, t, h, step=1e-5):
    """Central differences of f in t and in h."""
    return [(f(t + dt, h + dh) - f(t - dt, h - dh)) / (2 * step) for dt, dh in ((step, 0.0), (0.0, step))]


@pytest.mark.parametrize("kind", [Part, Whole])
@pytest.mark.parametrize(
    "loss", [AGCE(a=F(1, 10), q=3) + AEL(a=F(1, 2)), AUL(a=1, p=3), AGCE(a=0, q=2), MIXED[2]], ids=repr
)
def test_boxes_hold_the_objective_and_its_derivatives(kind, loss):
    rng, objective = np.random.default_rng(7), kind(pointwise_profile(loss).curve)

    def steep(u):  # -l' by central differences would lose digits: from the interval at a point, which is narrow
        return objective.g(u, u)[0].low

    def f(t, h):
        if kind is Part:
            return steep(t * (1 - h)) / steep(h)
        l = values(loss, np.array([t * (1 - h), t * (1 - h) + h, 0.0, h]))  # noqa: E741
        return (l[0] - l[1]) / (l[2] - l[3])

    for width in np.repeat([0.9, 0.3, 0.05, 0.01, 0.001], 12):
        low = rng.random(2) * (1 - width) * rng.choice([0, 1], size=2, p=[0.25, 0.75])
        box = [Interval(float(x), float(x + width)) for x in low]
        value, partials = objective.box(box)
        for t, h in low + width * rng.uniform(0.02, 0.98, size=(8, 2)):
            if min(t, 1 - t, h, 1 - h) < 0.01:  # floats cancel there
                continue
            for found in (value, objective.point([t, h])):
                assert found.low - 1e-8 <= f(t, h) <= found.high + 1e-8
            for partial, slope in zip(partials, differences(f, t, h), strict=True):
                assert partial.low - 1e-4 * (1 + abs(slope)) <= slope <= partial.high + 1e-4 * (1 + abs(slope))


# ---------------------------------------------------------------------------------------------- curvature

DECLARED = [
    CE(), FL(gamma=2), GCE(), GCE(q=1), AGCE(), AGCE(q=1), AGCE(q=2), AGCE(a=0, q=3), AUL(), AUL(p=1),
    AUL(p=F(1, 2)), AUL(a=1, p=2), AUL(a=1, p=F(1, 2)), AEL(), Unhinged(), TaylorCE(), TaylorCE(t=1), MAE(), RCE(),
    NRCE(), NGCE(q=1),
]  # fmt: skip


@pytest.mark.parametrize("loss", DECLARED, ids=repr)
def test_declared_curvature_is_certified(loss):
    pointwise = pointwise_profile(loss)
    assert certify_curvature(pointwise.curve) == pointwise.shape()


@pytest.mark.parametrize("loss", [*MIXED, Cubic(F(2, 5)), PHuberCE(tau=2)], ids=repr)
def test_no_curvature_is_certified_for_neither_nor_across_a_cut(loss):
    assert certify_curvature(pointwise_profile(loss).curve) is None


class Kinked(ThirdParty):
    """Linear on both sides of 1/2, steeper above: concave, with second derivative 0 wherever there is one."""

    def active(self, p, logp, xp):
        cut = xp.number(F(1, 2))
        return xp.split(p, cut, -p, xp.number(F(1)) - p * xp.number(F(3)))


def test_a_kink_is_no_straight_line():
    assert certify_curvature(Curve(lambda xp: Kinked().on(xp).active)) is None
    found = asymmetry_ratio(Kinked())
    assert found.r_pointwise.low == pytest.approx(1 / 3, abs=1e-9)
    assert found.r_pointwise.high == pytest.approx(1 / 3, abs=1e-9)
    assert found.r.low <= 1 <= found.r.high
    assert found.r.high - found.r.low < 1e-2


def test_a_sum_that_is_convex_after_all_is_certified():
    loss = CE() + AGCE(a=6, q=F(3, 2))  # 1/u^2 outweighs the concave term
    assert loss.terms()[0][1].curvature()[0] == 1
    assert loss.terms()[1][1].curvature()[0] == -1
    assert pointwise_profile(loss).shape() == 1
    assert asymmetry_ratio(loss).r.method == CLOSED


class Corner(ThirdParty):
    """-sqrt(1 - u) log((1 + u)/2): convex, with 0 * inf in the slope at u = 1, whose limit is 0."""

    def active(self, p, logp, xp):
        return -((1 - p) ** xp.number(F(1, 2)) * xp.log((p + 1) / xp.number(F(2))))

    def curvature(self):
        return 1, 0


def test_zero_times_infinity_at_an_end_has_its_limit():
    for part in (asymmetry_ratio(Corner()).r, asymmetry_ratio(Corner()).r_pointwise):
        assert part.low == 0
        assert part.high <= WIDTH


# ------------------------------------------------------------------------------------- sums, K, bad input


def test_linear_passive_parts_count_as_active():
    # MAE = 2 (1 - u), AEL' = -exp(-u/a)/a: (exp(-1/a)/a + 2) / (1/a + 2)
    part = asymmetry_ratio(AEL(a=2) + MAE()).r
    assert part.low - 1e-15 <= (math.exp(-0.5) / 2 + 2) / 2.5 <= part.high + 1e-15
    rce = asymmetry_ratio(AEL(a=2) + RCE(A=-2)).r
    assert (rce.low, rce.high) == (part.low, part.high)


def test_classes_matter_only_through_the_scale_of_a_term():
    few, many = (asymmetry_ratio(AEL(a=2) + NMAE(), K) for K in (2, 100))
    assert few.r.low > many.r.high
    assert asymmetry_ratio(AGCE(), 2) == asymmetry_ratio(AGCE(), 100)


class Rising(ThirdParty):
    def active(self, p, logp, xp):
        return (p - xp.number(F(1, 2))) ** 2


class Flat(ThirdParty):
    def active(self, p, logp, xp):
        return p * 0

    def curvature(self):
        return 0, 0


class Bent(ThirdParty):
    """Decreases, then increases near 1; neither convex nor concave."""

    def active(self, p, logp, xp):
        return -p + p * p * p * p * xp.number(F(2)) - p * p * p

    def curvature(self):
        return None, 0


class Wavy(ThirdParty):
    """Passive part of undeclared shape, which is not linear."""

    def active(self, p, logp, xp):
        return -p

    def passive(self, p, logp, xp):
        return p * p

    def curvature(self):
        return 0, None


class Straight(Wavy):
    """Passive part of undeclared shape, which is linear."""

    def passive(self, p, logp, xp):
        return p * 3 + 1


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (build("nce"), r"^nce has no asymmetry ratio .*: nce is divided by its sum over all classes$"),
        (build("nce+agce"), r"^nce\+agce has no asymmetry ratio .*: nce is divided by its sum"),
        (build("anl-ce"), r"^anl-ce has no asymmetry ratio .* is divided by its sum"),
        (build("nnce"), r"^nnce .*: nnce is divided by its sum"),
        (build("ngce", q=F(1, 2)), r"^ngce .*: ngce is divided by its sum"),
        (build("amse"), r"^amse .*: amse depends on the other u_k too, through a passive part that is not linear$"),
        (build("mse"), r"^mse .*: mse depends on the other u_k"),
        (AEL() + AMSE(), r"^ael\+amse .*: amse depends on the other u_k"),
        (build("logitclip-ce"), r"^logitclip-ce .*: its domain is not the simplex"),
        (Wavy(), r"^third-party .*: third-party depends on the other u_k"),
        (Rising(), r"^third-party has no asymmetry ratio: it does not decrease in u_y on all of \[0, 1\]$"),
        (Flat(), r"does not decrease in u_y"),
        (Bent(), r"does not decrease in u_y"),
    ],
)
def test_losses_without_a_ratio_say_why_in_one_line(loss, message):
    with pytest.raises(InputError, match=message) as raised:
        asymmetry_ratio(loss)
    assert "\n" not in str(raised.value)


def test_an_undeclared_linear_passive_part_is_certified():
    assert asymmetry_ratio(Straight()).r.low == 1


def test_one_class_is_refused():
    with pytest.raises(InputError, match=r"^K = 1 is too few classes; a ratio needs at least 2$"):
        asymmetry_ratio(AGCE(), 1)


# ------------------------------------------------------------------------------------------------- output


def test_json_contract():
    found = json.loads(json.dumps(asymmetry_ratio(build("aul", a=F(63, 10), p=F(3, 2))).to_dict()))
    assert list(found) == ["loss", "parameters", "r", "r_pointwise", "r_upper"]
    assert (found["loss"], found["parameters"]) == ("aul", {"a": 6.3, "p": 1.5})
    for name in THREE:
        assert list(found[name]) == ["low", "high", "at", "method"]
        assert found[name]["low"] <= (5.3 / 6.3) ** 0.5 <= found[name]["high"]
    assert asymmetry_ratio(TaylorCE(t=3)).to_dict()["parameters"] == {"t": 3}


def test_printed_table():
    lines = str(asymmetry_ratio(AUL(a=F(63, 10), p=F(3, 2)))).splitlines()
    assert lines[0] == "AUL(a=6.3, p=1.5)"
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["r", "0.9172076326"],
        ["r_pointwise", "0.9172076326"],
        ["r_upper", "0.9172076326"],
    ]
    assert lines[4].split(maxsplit=1) == ["method", CLOSED]
    assert len(lines) == 5
