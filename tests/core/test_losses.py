"""One battery for every registered loss.

The references are written from the papers, in plain Python over all K labels, and share no code with the package: each
loss is a sum over classes of the one-hot target against the prediction, as the papers print it.
"""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from asymtheory import losses
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
    NFL,
    NGCE,
    NMAE,
    NNCE,
    NNFL,
    NRCE,
    RCE,
    LogitClipCE,
    Loss,
    PHuberCE,
    Separable,
    Sum,
    TaylorCE,
    Unhinged,
    build,
    registry,
)
from asymtheory.losses.domain import above
from asymtheory.losses.newer import NEWER
from asymtheory.numbers.backends import EXACT, FLOAT, INTERVAL, POLY, Backend, arb_, numpy_, sympy_
from asymtheory.numbers.exact import UNKNOWN
from asymtheory.numbers.interval import Interval
from asymtheory.numbers.text import plain

F = Fraction
CLASSES = (2, 3, 10)

# ------------------------------------------------------------------------------- references from the papers


def one_hot(K, y):
    return [1.0 if k == y else 0.0 for k in range(K)]


def ce(u, y):  # APL Sec. 3.1: -sum_k q(k|x) log p(k|x)
    return -sum(q * math.log(p) for q, p in zip(one_hot(len(u), y), u, strict=True))


def fl(u, y, gamma):  # APL Sec. 3.1: -sum_k q(k|x) (1 - p(k|x))^gamma log p(k|x)
    return -sum(q * (1 - p) ** gamma * math.log(p) for q, p in zip(one_hot(len(u), y), u, strict=True))


def mae(u, y):  # APL Sec. 3.1: sum_k |p(k|x) - q(k|x)|
    return sum(abs(p - q) for q, p in zip(one_hot(len(u), y), u, strict=True))


def rce(u, y, A):  # APL Sec. 3.1: -sum_k p(k|x) log q(k|x), log 0 := A
    return -sum(p * (math.log(q) if q else A) for q, p in zip(one_hot(len(u), y), u, strict=True))


def gce(u, y, q):  # APL Sec. 5.3: sum_k q(k|x) (1 - p(k|x)^rho) / rho
    return sum(t * (1 - p**q) / q for t, p in zip(one_hot(len(u), y), u, strict=True))


def agce(u, y, a, q):  # ALF Cor. 1
    return ((a + 1) ** q - (a + u[y]) ** q) / q


def aul(u, y, a, p):  # ALF Cor. 2
    return ((a - u[y]) ** p - (a - 1) ** p) / p


def ael(u, y, a):  # ALF Cor. 3
    return math.exp(-u[y] / a)


def unhinged(u, y):  # ALF Cor. 2: AUL at a = 1 and p = 1
    return 1.0 - u[y]


def taylor(u, y, t):  # Feng et al. 2020: the Taylor polynomial of -log u_y about 1
    return sum((1 - u[y]) ** j / j for j in range(1, int(t) + 1))


def phuber(u, y, tau):  # Menon et al. 2020, Sec. 4: linear where the gradient of -log u_y would exceed tau
    return -math.log(u[y]) if u[y] > 1 / tau else -tau * u[y] + math.log(tau) + 1


def amse(u, y, a, q=2):  # JAL Eq. 7 and Thm 4.1: (1/K) sum_k |a e_k - f_k|^q
    return sum(abs(a * e - p) ** q / len(u) for e, p in zip(one_hot(len(u), y), u, strict=True))


def normalised(loss):  # APL Eq. 1
    return lambda u, y, **kw: loss(u, y, **kw) / sum(loss(u, j, **kw) for j in range(len(u)))


def normalised_negative(loss):  # ANL Eqs. 7 and 8
    def value(u, y, p_min, **kw):
        A = loss([p_min, 1 - p_min], 0, **kw)
        return 1 - (A - loss(u, y, **kw)) / sum(A - loss(u, k, **kw) for k in range(len(u)))

    return value


def js(u, y, pi1):  # Englesson & Azizpour 2021: H(m) - pi1 H(e_y) - (1 - pi1) H(u), over Z
    entropy = lambda v: -sum(x * math.log(x) for x in v if x > 0)  # noqa: E731
    m = [pi1 * e + (1 - pi1) * x for e, x in zip(one_hot(len(u), y), u, strict=True)]
    return (entropy(m) - (1 - pi1) * entropy(u)) / -((1 - pi1) * math.log(1 - pi1))


def bi_tempered(u, y, t):  # Amid et al. 2019: the Bregman divergence of the tempered logarithm, one-hot labels
    log_t = lambda x: (x ** (1 - t) - 1) / (1 - t)  # noqa: E731
    return -log_t(u[y]) - (1 - sum(x ** (2 - t) for x in u)) / (2 - t)


def alpha_loss(u, y, order):  # Sypherd et al. 2022
    return order / (order - 1) * (1 - u[y] ** ((order - 1) / order))


def tangent(value, slope, p0):
    return lambda u, y: value(u[y]) if u[y] > p0 else value(p0) + slope(p0) * (u[y] - p0)


def biased(u, y, eps):  # softmax with eps added to the logit of the label
    z = [math.log(x) + eps * e for x, e in zip(u, one_hot(len(u), y), strict=True)]
    return math.exp(z[y]) / sum(map(math.exp, z))


def smoothed(u, y, own, other):
    return -sum((own if k == y else other) * math.log(x) for k, x in enumerate(u))


def cdpo(u, y, e):
    return smoothed(u, y, 1 - e, e / (len(u) - 1))


def rdpo(u, y, e):  # unbiased: averaged over symmetric noise at rate e it is CE
    K = len(u)
    return (ce(u, y) - e / (K - 1) * sum(ce(u, k) for k in range(K))) / (1 - e * K / (K - 1))


REFERENCE = {
    "js": js, "bi-tempered": bi_tempered, "alpha-loss": alpha_loss,
    "fisher-rao": lambda u, y: math.acos(math.sqrt(u[y])) ** 2, "vel": ael,
    "vsl": lambda u, y, a: (a - u[y]) ** 2 - (a - 1) ** 2,
    "ogc-fl": lambda u, y, p0, gamma: tangent(
        lambda x: -((1 - x) ** gamma) * math.log(x),
        lambda x: gamma * (1 - x) ** (gamma - 1) * math.log(x) - (1 - x) ** gamma / x, p0,
    )(u, y),
    "vce": lambda u, y, a: math.log((1 + a) / (u[y] + a)), "log-mixture": lambda u, y, a: -math.log(a + (1 - a) * u[y]),
    "dal": lambda u, y, q: (1 - u[y] ** q) / q, "dft": lambda u, y: 1 - u[y],
    "ogc-ce": lambda u, y, p0: tangent(lambda x: -math.log(x), lambda x: -1 / x, p0)(u, y),
    "ogc-gce": lambda u, y, p0, q: tangent(lambda x: (1 - x**q) / q, lambda x: -(x ** (q - 1)), p0)(u, y),
    "truncated-gce": lambda u, y, k, q: (1 - max(u[y], k) ** q) / q,
    "logit-bias-mae": lambda u, y, eps: 2 * (1 - biased(u, y, eps)),
    "logit-bias-ce": lambda u, y, eps: -math.log(biased(u, y, eps)),
    "sr": lambda u, y, lam, p: -math.log(u[y]) + lam * sum(x**p for x in u),
    "label-smoothing": lambda u, y, r: smoothed(u, y, 1 - r + r / len(u), r / len(u)), "cdpo": cdpo, "rdpo": rdpo,
    "ce": ce, "fl": fl, "mae": mae, "rce": rce, "gce": gce, "agce": agce, "aul": aul, "ael": ael, "unhinged": unhinged,
    "taylor-ce": taylor, "phuber-ce": phuber, "amse": amse, "mse": partial(amse, a=1, q=2),
    "logitclip-ce": lambda u, y, tau: ce(u, y), "nce": normalised(ce), "nfl": normalised(fl), "nmae": normalised(mae),
    "nrce": partial(normalised(rce), A=-4), "ngce": normalised(gce),
    "nnce": normalised_negative(ce), "nnfl": normalised_negative(fl),
}  # fmt: skip

ATOM_CASES = {
    "js": [{"pi1": p} for p in (F(1, 100), F(1, 2), F(9, 10))], "bi-tempered": [{"t": t} for t in (0, F(1, 2), F(4, 5))],
    "alpha-loss": [{"order": x} for x in (F(11, 10), 2, 10)], "dft": [{}],
    "vce": [{"a": a} for a in (F(1, 100), 1, 20)], "log-mixture": [{"a": a} for a in (0, F(1, 10), F(2, 3))],
    "dal": [{"q": q} for q in (F(3, 5), 1, F(3, 2), 4)], "ogc-ce": [{"p0": p} for p in (F(1, 10), F(1, 2), 1)],
    "fisher-rao": [{}], "vel": [{"a": a} for a in (F(1, 2), 5)], "vsl": [{"a": a} for a in (1, F(3, 2), 20)],
    "ogc-fl": [{"p0": p, "gamma": g} for p in (F(1, 10), F(1, 2)) for g in (0, F(1, 2), 1, 2)],
    "ogc-gce": [{"p0": p, "q": q} for p in (F(1, 10), F(1, 2), 1) for q in (F(1, 5), F(7, 10))],
    "truncated-gce": [{"k": k, "q": q} for k in (F(1, 10), F(1, 2)) for q in (F(7, 10), 1)],
    "logit-bias-mae": [{"eps": x} for x in (0, F(1, 2), 3)], "logit-bias-ce": [{"eps": x} for x in (0, F(1, 2), 3)],
    "sr": [{"lam": x, "p": p} for x in (F(1, 2), F(11, 10)) for p in (F(1, 10), F(1, 2))],
    "label-smoothing": [{"r": r} for r in (-2, F(-1, 5), 0, F(1, 10), F(9, 10))],
    "cdpo": [{"e": e} for e in (0, F(1, 10), F(2, 5))], "rdpo": [{"e": e} for e in (0, F(1, 10), F(2, 5))],
    "ce": [{}], "mae": [{}], "mse": [{}], "unhinged": [{}], "nce": [{}], "nmae": [{}], "nrce": [{}],
    "fl": [{"gamma": g} for g in (0, F(1, 10), F(1, 2), 1, F(3, 2), 2, 5)],
    "nfl": [{"gamma": g} for g in (0, F(1, 2), 1, 3)],
    "rce": [{"A": A} for A in (-4, F(-1, 100), F(-921, 100))],
    "gce": [{"q": q} for q in (F(1, 1000), F(1, 3), F(1, 2), F(7, 10), F(999, 1000), 1)],
    "ngce": [{"q": q} for q in (F(1, 100), F(7, 10), 1)],
    "nnce": [{"p_min": p} for p in (F(1, 10**7), F(1, 10**4))],
    "nnfl": [{"gamma": g, "p_min": p} for g in (0, F(1, 2), 2) for p in (F(1, 10**7), F(1, 10**4))],
    "agce": [{"a": a, "q": q} for a in (0, F(1, 100000), F(3, 5), 6) for q in (F(1, 10), F(1, 2), 1, F(3, 2), 3)],
    "aul": [{"a": a, "p": p} for a in (1, F(11, 10), F(63, 10)) for p in (F(1, 10), 1, F(3, 2), 2, 3)],
    "ael": [{"a": a} for a in (F(1, 10), 1, F(5, 2), 100)],
    "amse": [{"a": a, "q": q} for a in (1, F(3, 2), 30) for q in (F(1, 2), 1, F(3, 2), 2, 3)],
    "taylor-ce": [{"t": t} for t in (1, 2, 3, 6)],
    "phuber-ce": [{"tau": tau} for tau in (1, F(3, 2), 2, 10)],
    "logitclip-ce": [{"tau": tau} for tau in (F(1, 2), F(5, 2))],
}  # fmt: skip

# name -> its terms (coefficient name, atom, the atom's parameters), the papers' CIFAR-10 values, and another setting
SUM_CASES: dict[str, Any] = {
    "ropo": ({"alpha": 1, "beta": 1}, ("ce", "unhinged"), {"alpha": F(1, 10)}),
    "sce": ({"alpha": F(1, 10), "beta": 1, "A": -4}, ("ce", "rce"), {"alpha": 6, "beta": F(1, 10)}),
    "nce+mae": ({"alpha": 1, "beta": 1}, ("nce", "mae"), {"alpha": 10, "beta": F(1, 10)}),
    "nce+rce": ({"alpha": 1, "beta": 1, "A": -4}, ("nce", "rce"), {"A": -1}),
    "nfl+mae": ({"alpha": 1, "beta": 1, "gamma": F(1, 2)}, ("nfl", "mae"), {"gamma": 2}),
    "nfl+rce": ({"alpha": 1, "beta": 1, "gamma": F(1, 2), "A": -4}, ("nfl", "rce"), {"alpha": 10, "gamma": 0}),
    "ngce+mae": ({"alpha": 1, "beta": 1, "q": F(7, 10)}, ("ngce", "mae"), {"q": 1}),
    "ngce+rce": ({"alpha": 1, "beta": 1, "q": F(7, 10), "A": -4}, ("ngce", "rce"), {"q": F(1, 2)}),
    "nce+agce": ({"alpha": 1, "beta": 4, "a": 6, "q": F(3, 2)}, ("nce", "agce"), {"beta": F(1, 10), "a": 2, "q": 3}),
    "nce+aul": ({"alpha": 1, "beta": 4, "a": F(63, 10), "p": F(3, 2)}, ("nce", "aul"), {"a": 6, "p": 3}),
    "nce+ael": ({"alpha": 1, "beta": 4, "a": 5}, ("nce", "ael"), {"a": F(3, 2)}),
    "anl-ce": ({"alpha": 5, "beta": 5, "p_min": F(1, 10**7)}, ("nce", "nnce"), {"alpha": 10, "beta": 1}),
    "anl-fl": ({"alpha": 5, "beta": 5, "gamma": F(1, 2), "p_min": F(1, 10**7)}, ("nfl", "nnfl"), {"gamma": 1}),
    "jal-ce": ({"alpha": 1, "beta": 1, "a": 30, "q": 2}, ("nce", "amse"), {"alpha": 5, "a": 20}),
    "jal-fl": ({"alpha": 1, "beta": 1, "a": 30, "q": 2, "gamma": F(1, 2)}, ("nfl", "amse"), {"beta": F(1, 10), "a": 5}),
}


def own(parameters, atom):
    return {p: float(v) for p, v in parameters.items() if p in losses.ATOMS[atom].domains}


def reference(name, parameters):
    """``(u, y) -> L(u, y)`` for a registered name."""
    if name in REFERENCE:
        return partial(REFERENCE[name], **own(parameters, name))
    defaults, (first, second), _ = SUM_CASES[name]
    values = {**defaults, **parameters}
    one, two = partial(REFERENCE[first], **own(values, first)), partial(REFERENCE[second], **own(values, second))
    return lambda u, y: float(values["alpha"]) * one(u, y) + float(values["beta"]) * two(u, y)


def cases():
    for name in losses.names():
        for parameters in ATOM_CASES[name] if name in ATOM_CASES else [{}, SUM_CASES[name][2]]:
            yield pytest.param(name, parameters, id="-".join([name, *(f"{k}={v}" for k, v in parameters.items())]))


every_case = pytest.mark.parametrize(("name", "parameters"), list(cases()))


def simplex(K, n=12, seed=0):
    """Random points of the simplex, from near its centre to near its boundary (no entry below 1e-6)."""
    rng = np.random.default_rng([seed, K])
    points = np.concatenate([rng.dirichlet([c] * K, n // 3) for c in (0.3, 1, 10)])
    return (points + 1e-6) / (1 + K * 1e-6)


def test_the_battery_knows_every_registered_loss():
    assert set(losses.names()) == set(ATOM_CASES) | set(SUM_CASES)
    assert set(ATOM_CASES) == set(REFERENCE) == set(losses.ATOMS)


@every_case
@pytest.mark.parametrize("K", CLASSES)
def test_values_are_those_of_the_papers(name, parameters, K):
    loss, expected = build(name, **parameters), reference(name, parameters)
    points = simplex(K)
    actual = loss(points)
    assert actual.shape == points.shape
    assert actual.dtype == np.float64
    for u, row in zip(points, actual, strict=True):
        np.testing.assert_allclose(row, [expected(list(u), y) for y in range(K)], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(loss(points.reshape(2, -1, K)), actual.reshape(2, -1, K))
    np.testing.assert_allclose(loss(list(points[0])), actual[0])


@pytest.mark.parametrize("name", SUM_CASES)
def test_named_sums_hold_the_papers_settings(name):
    loss, (parameters, _, _) = build(name), SUM_CASES[name]
    assert loss.parameters == parameters
    assert loss.name == name
    assert loss.source[:3] in {"APL", "ALF", "ANL", "JAL", "Wan", "ROP"}


# ------------------------------------------------------------------------------------------- family limits


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (GCE(q=1), F(1, 2) * MAE()), (AGCE(q=1, a=F(3, 5)), F(1, 2) * MAE()), (AGCE(q=1, a=0), Unhinged()),
        *[(AGCE(a=0, q=q), GCE(q=q)) for q in (F(1, 10), F(1, 2), F(7, 10), 1)],
        (AUL(a=1, p=1), Unhinged()), (AUL(a=5, p=1), Unhinged()), (AMSE(a=1, q=2), MSE()), (TaylorCE(t=1), Unhinged()),
        (FL(gamma=0), CE()), (NFL(gamma=0), NCE()), (NNFL(gamma=0), NNCE()), (NGCE(q=1), NMAE()), (NRCE(), NMAE()),
        *[(RCE(A=A), F(-A) / 2 * MAE()) for A in (-4, -1, F(-921, 100))],
        (PHuberCE(tau=1), Unhinged()), (LogitClipCE(), CE()),
        (build("sce", alpha=6, beta=F(1, 10)), 6 * CE() + F(1, 10) * RCE(A=-4)),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("K", CLASSES)
def test_family_members_coincide(left, right, K):
    np.testing.assert_allclose(left(simplex(K)), right(simplex(K)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("K", CLASSES)
def test_amse_at_q_1_is_mae_up_to_scale_and_shift(K):
    u = simplex(K)
    for a in (1, 2, 30):
        np.testing.assert_allclose(AMSE(a=a, q=1)(u), (MAE()(u) + a - 1) / K, rtol=1e-12)


@pytest.mark.parametrize(
    ("family", "limit", "rate"),
    [
        (lambda e: GCE(q=e), CE(), 1), (lambda e: FL(gamma=e), CE(), 1), (lambda e: NGCE(q=e), NCE(), 1),
        (lambda e: AGCE(a=e, q=F(1, 2)), GCE(q=F(1, 2)), 1), (lambda e: AUL(a=1 + e, p=2), AUL(a=1, p=2), 1),
        (lambda e: a_scaled(AEL(a=1 / e), 1 / e), Unhinged(), 1), (lambda e: PHuberCE(tau=1 / e), CE(), 0),
        (lambda e: TaylorCE(t=math.ceil(3 / e)), CE(), 0),
    ],
    ids=["gce", "fl", "ngce", "agce", "aul", "ael", "phuber", "taylor"],
)  # fmt: skip
def test_families_converge(family, limit, rate):
    """The distance to the limit falls with e, at its rate (0: faster than any power once 1/e is large)."""
    u = np.array([[0.2, 0.3, 0.5], [0.05, 0.9, 0.05]])
    target = limit(u)
    distance = [np.max(np.abs(family(e)(u) - target)) for e in (F(1, 50), F(1, 500))]
    assert distance[1] <= distance[0] / 9 if rate else distance[1] <= 1e-12
    assert distance[1] < 0.05


def a_scaled(ael_loss, a):
    """AEL shifted and scaled so that it is (1 - u_y) + O(1/a)."""
    return lambda u: float(a) * (ael_loss(u) - ael_loss(np.array([[1.0, 1.0]]))[0, 0])


# ----------------------------------------------------------------------------------------- sums over labels


@pytest.mark.parametrize("K", CLASSES)
@pytest.mark.parametrize(
    ("loss", "constant"),
    [
        (MAE(), lambda K: 2 * K - 2),
        (Unhinged(), lambda K: K - 1),
        *[(RCE(A=A), lambda K, A=A: -A * (K - 1)) for A in (-4, F(-1, 2))],
        *[(x, lambda K: 1) for x in (NCE(), NFL(gamma=0), NFL(gamma=2), NMAE(), NRCE(), NGCE(q=F(1, 10)), NGCE(q=1))],
        *[(x, lambda K: K - 1) for x in (NNCE(), NNCE(p_min=F(1, 1000)), NNFL(gamma=0), NNFL(gamma=2))],
        (build("nce+mae"), lambda K: 2 * K - 1),
        (build("anl-ce"), lambda K: 5 * K),
        (GCE(q=1), lambda K: K - 1),
        (AMSE(a=3, q=1), lambda K: 2 * (K - 1) / K + 2),
    ],
    ids=lambda x: str(x) if isinstance(x, Loss) else "",
)
def test_symmetric_losses_sum_to_their_constant(loss, constant, K):
    np.testing.assert_allclose(loss(simplex(K)).sum(-1), float(constant(K)), rtol=1e-10)


@pytest.mark.parametrize(
    "loss", [CE(), FL(), GCE(), AGCE(), AUL(), AEL(), MSE(), AMSE(), TaylorCE(), PHuberCE(), build("sce")], ids=str
)
def test_the_other_losses_do_not(loss):
    assert np.ptp(loss(simplex(3)).sum(-1)) > 1e-3


@pytest.mark.parametrize("loss", [NCE(), NFL(), NGCE(), NMAE(), NNCE(), NNFL()], ids=str)
def test_normalised_values_lie_between_0_and_1(loss):
    for K in CLASSES:
        values = loss(simplex(K))
        assert np.all((values >= 0) & (values <= 1))


@every_case
def test_the_label_with_more_mass_loses_less(name, parameters):
    u = simplex(3)
    values = build(name, **parameters)(u)
    if name == "truncated-gce":  # flat up to k: more mass does not lose more
        assert (np.diff(np.take_along_axis(values, np.argsort(u, -1), -1), axis=-1) <= 1e-15).all()
        return
    np.testing.assert_array_equal(np.argsort(u, -1), np.argsort(-values, -1, kind="stable"))


# -------------------------------------------------------------------------------------- agreement of backends


def separable_cases():
    for case in cases():
        name = case.values[0]
        if name in losses.ATOMS and issubclass(losses.ATOMS[name], Separable):
            yield case


every_separable = pytest.mark.parametrize(("name", "parameters"), list(separable_cases()))
SIDES = ("active", "passive")


def side(loss, which, u, xp):
    x = xp.number(u) if isinstance(u, Fraction) else u
    value = getattr(loss.on(xp), which)(x, xp.log(x), xp)
    return xp.number(F(0)) if isinstance(value, int) else value


def ball(x):
    return arb(fmpq(x.numerator, x.denominator))


def interval_holds(interval, enclosure, width=1e-10):
    """Both enclosures hold the same true number, so they overlap; the interval is at most ``width`` wide."""
    low, high = float(enclosure.lower()), float(enclosure.upper())
    return interval.low <= high and low <= interval.high and interval.high - interval.low <= width * (1 + abs(low))


def exact_value(x):
    """An Exact to a float, by its factors."""
    result = float(x.sign)
    for base, exponent in x.factors.items():
        atom = math.e if base == "e" else math.log(base[1]) if isinstance(base, tuple) else float(base)
        result *= atom ** float(exponent)
    return result


POINTS = [F(1, 10**6), F(1, 7), F(1, 3), F(1, 2), F(2, 3), F(9, 10), F(999999, 10**6)]


@cache
def symbolic(name, items):
    u = sp.Symbol("u", positive=True)
    loss, xp = build(name, **dict(items)), sympy_()
    return u, {which: sp.sympify(side(loss, which, u, xp)) for which in SIDES}


def check_backends(loss, which, u, expression=None, symbol=None):
    true = side(loss, which, u, arb_())
    assert true.is_finite()
    assert true.rad() <= 1e-9 * (1 + abs(float(true.mid())))
    number = float(true.mid())
    close = partial(pytest.approx, rel=1e-11, abs=1e-11)
    assert float(side(loss, which, float(u), FLOAT)) == close(number)
    vector = side(loss, which, np.array([float(u), 0.5]), numpy_())
    assert np.broadcast_to(vector, (2,))[0] == close(number)
    assert interval_holds(side(loss, which, u, INTERVAL), true)
    if expression is not None:
        value = expression.subs(symbol, sp.Rational(u.numerator, u.denominator)).evalf(40)
        assert arb(str(value), 1e-25).overlaps(true)
    monomial = side(loss, which, u, EXACT)
    assert not monomial.known or exact_value(monomial) == close(number)
    polynomial = side(loss, which, u, POLY).rational()
    assert polynomial is None or true.overlaps(ball(polynomial))
    return monomial.known, polynomial is not None


@every_separable
@pytest.mark.parametrize("which", SIDES)
def test_backends_agree(name, parameters, which):
    symbol, expressions = symbolic(name, tuple(parameters.items()))
    loss = build(name, **parameters)
    for u in POINTS:
        check_backends(loss, which, u, expressions[which], symbol)


@pytest.mark.parametrize("loss", [MAE(), RCE(), MSE(), AMSE(), TaylorCE(t=4), AGCE(a=1, q=3), AUL(a=2, p=2)], ids=str)
def test_rational_losses_are_exact_and_polynomial(loss):
    for which in SIDES:
        assert check_backends(loss, which, F(1, 3)) == (True, True)
        coefficients = side(loss, which, POLY.number(POLY._exp(POLY.number(F(0)))), POLY).coefficients
        assert coefficients is not None


def q_fraction(low, high):
    return st.fractions(low, high, max_denominator=50)


random_losses = st.one_of(
    st.builds(lambda g: FL(gamma=g), q_fraction(0, 6)),
    st.builds(lambda q: GCE(q=q), q_fraction(F(1, 50), 1)),
    st.builds(lambda a, q: AGCE(a=a, q=q), q_fraction(0, 20), q_fraction(F(1, 50), 5)),
    st.builds(lambda a, p: AUL(a=a, p=p), q_fraction(1, 20), q_fraction(F(1, 50), 5)),
    st.builds(lambda a: AEL(a=a), q_fraction(F(1, 5), 50)),
    st.builds(lambda a, q: AMSE(a=a, q=q), q_fraction(1, 50), q_fraction(F(1, 50), 4)),
    st.builds(lambda t: TaylorCE(t=t), st.integers(1, 8)),
    st.builds(lambda tau: PHuberCE(tau=tau), q_fraction(1, 50)),
    st.builds(lambda A: RCE(A=A), q_fraction(-10, F(-1, 50))),
)


@settings(max_examples=150, deadline=None)
@given(random_losses, st.fractions(F(1, 10**6), F(999999, 10**6), max_denominator=10**6), st.sampled_from(SIDES))
def test_backends_agree_anywhere(loss, u, which):
    check_backends(loss, which, u)


@pytest.mark.parametrize("name", [n for n in losses.names() if n not in ("mae", "unhinged")])
def test_labels_agree_over_arrays_of_any_number(name):
    """Floats, symbols and balls run through the same ``labels``, for the normalised losses and sums too."""
    loss, point = build(name), [F(1, 5), F(3, 10), F(1, 2)]
    expected = loss([float(p) for p in point])
    balls = np.array([ball(p) for p in point], dtype=object)
    enclosures = loss.on(arb_()).labels(balls, arb_().log(balls), arb_())
    symbols = np.array(sp.symbols("u0:3", positive=True), dtype=object)
    formulas = loss.on(sympy_()).labels(symbols, sympy_().log(symbols), sympy_())
    values = {s: sp.Rational(p.numerator, p.denominator) for s, p in zip(symbols, point, strict=True)}
    for enclosure, formula, number in zip(enclosures, formulas, expected, strict=True):
        assert float(enclosure.mid()) == pytest.approx(number, rel=1e-10)
        assert enclosure.overlaps(arb(str(sp.sympify(formula).subs(values).evalf(40)), 1e-25))


def test_corners_get_their_limit_and_nan_where_there_is_none():
    vertex = [1.0, 0.0, 0.0]
    np.testing.assert_array_equal(CE()(vertex), [0, np.inf, np.inf])
    np.testing.assert_array_equal(FL(gamma=F(1, 2))(vertex), [0, np.inf, np.inf])
    np.testing.assert_allclose(GCE(q=F(1, 2))(vertex), [0, 2, 2])
    np.testing.assert_allclose(MAE()(vertex), [0, 2, 2])
    np.testing.assert_allclose(AUL(a=1, p=F(1, 2))(vertex), [0, 2, 2])
    np.testing.assert_allclose(PHuberCE(tau=4)(vertex), [0, 1 + math.log(4), 1 + math.log(4)])
    np.testing.assert_allclose(NGCE(q=F(1, 2))(vertex), [0, 0.5, 0.5])
    assert np.isnan(NCE()(vertex)[1])


# ------------------------------------------------------------------------------------------------- jets


def jet(loss, which, u, xp, order=2):
    x = xp.variable(u, order)
    value = getattr(loss.on(xp), which)(x, xp.log(x), xp)
    if isinstance(value, int):
        zero = xp.number(F(0))
        return zero, zero, zero
    return value.value, value.slope, value.curvature


@every_separable
@pytest.mark.parametrize("which", SIDES)
def test_jets_are_the_derivatives(name, parameters, which):
    """Slope and curvature against sympy's diff, in floats, numpy, intervals, balls and exact numbers."""
    loss = build(name, **parameters)
    symbol, expressions = symbolic(name, tuple(parameters.items()))
    derivatives = [sp.diff(expressions[which], symbol, n) for n in range(3)]
    for u in (F(1, 1000), F(1, 3), F(7, 11), F(999, 1000)):
        balls = jet(loss, which, ball(u), arb_())
        floats = jet(loss, which, float(u), FLOAT)
        vectors = jet(loss, which, np.array([float(u)]), numpy_())
        intervals = jet(loss, which, INTERVAL.number(u), INTERVAL)
        exacts = jet(loss, which, EXACT.number(u), EXACT)
        for n, derivative in enumerate(derivatives):
            if parameters.get("tau") is not None and u == 1 / F(parameters["tau"]):
                continue  # the kink itself
            true = arb(str(derivative.subs(symbol, sp.Rational(u.numerator, u.denominator)).evalf(40)), 1e-20)
            number = float(true.mid())
            assert balls[n].overlaps(true), n
            assert floats[n] == pytest.approx(number, rel=1e-9, abs=1e-9), n
            assert float(np.broadcast_to(vectors[n], (1,))[0]) == pytest.approx(number, rel=1e-9, abs=1e-9), n
            cancels = name == "fisher-rao" and n == 2  # terms of 1/(1-u) next to 1
            assert interval_holds(intervals[n], true, 1e-8 if cancels else 1e-10), n
            assert not exacts[n].known or exact_value(exacts[n]) == pytest.approx(number, rel=1e-9, abs=1e-9), n


@every_separable
@pytest.mark.parametrize("which", SIDES)
def test_enclosures_of_a_box_hold_every_point_of_it(name, parameters, which):
    """Value, slope and curvature over a wide interval or ball contain those at points inside, corners included."""
    loss = build(name, **parameters)
    for low, high in ((F(0), F(1, 8)), (F(1, 8), F(1, 2)), (F(1, 3), F(3, 4)), (F(7, 8), F(1)), (F(0), F(1))):
        box = jet(loss, which, Interval(float(low), float(high)), INTERVAL)
        balls = jet(loss, which, ball(low).union(ball(high)), arb_())
        for t in (F(1, 1000), F(1, 5), F(1, 2), F(4, 5), F(999, 1000)):
            point = jet(loss, which, ball(low + (high - low) * t), arb_())
            for wide, round_, true in zip(box, balls, point, strict=True):
                value = float(true.mid())
                assert wide.low <= value <= wide.high
                assert round_.overlaps(true)


def test_enclosures_of_a_split_hold_both_branches():
    phuber = PHuberCE(tau=2)
    box = jet(phuber, "active", Interval(0.4, 0.6), INTERVAL)[2]
    assert box.low <= 0
    assert box.high >= 1 / 0.36
    assert jet(phuber, "active", ball(F(2, 5)).union(ball(F(3, 5))), arb_())[2].contains(0)


def test_sympy_jets_are_sympy_derivatives():
    u, xp = sp.Symbol("u", positive=True), sympy_()
    for loss in (FL(gamma=2), AGCE(), AUL(), AEL(), AMSE(q=3), TaylorCE(t=3)):
        value, slope, curvature = jet(loss, "active", u, xp)
        assert sp.simplify(slope - sp.diff(value, u)) == 0
        assert sp.simplify(curvature - sp.diff(value, u, 2)) == 0


def test_jets_at_the_corners():
    assert jet(CE(), "active", 0.0, FLOAT, 1)[1] == -math.inf
    assert jet(CE(), "active", 1.0, FLOAT)[1:] == (-1, 1)
    assert jet(FL(gamma=0), "active", 1.0, FLOAT)[1:] == (-1, 1)  # gamma = 0 is CE there too: no 0 * inf from (1-u)^0
    assert jet(GCE(q=1), "active", 0.0, FLOAT)[1:] == (-1, 0)
    assert jet(GCE(q=F(1, 2)), "active", 0.0, FLOAT, 1)[1] == -math.inf
    assert jet(AUL(a=1, p=2), "active", 1.0, FLOAT)[1:] == (0, 1)
    assert jet(AUL(a=1, p=1), "active", 1.0, FLOAT)[1:] == (-1, 0)
    assert jet(AUL(a=1, p=F(1, 2)), "active", 1.0, FLOAT, 1)[1] == -math.inf
    assert jet(AMSE(a=3, q=2), "passive", 0.0, FLOAT)[1:] == (0, 2)
    assert jet(AMSE(a=3, q=1), "passive", 0.0, FLOAT)[1:] == (1, 0)
    assert jet(AMSE(a=3, q=F(1, 2)), "passive", 0.0, FLOAT, 1)[1] == math.inf
    assert jet(PHuberCE(tau=5), "active", 0.0, FLOAT)[1:] == (-5, 0)
    assert jet(AEL(a=2), "active", 0.0, FLOAT)[1] == -0.5


# ----------------------------------------------------------------------- curvature and monotony, certified

A_THOUSANDTH = F(1, 1000)
# truncated GCE is neither convex nor concave; the curvature of Fisher-Rao cancels next to 1, and has a test of its own
NEWER_SHAPES = [
    loss.name for loss in NEWER if issubclass(loss, Separable) and loss.name not in ("truncated-gce", "fisher-rao")
]
SHAPE_CASES = [
    *[CE(), MAE(), NMAE(), NRCE(), RCE(), MSE(), Unhinged()],
    *[FL(gamma=g) for g in (0, F(1, 1000), F(1, 4), F(1, 2), F(999, 1000), 1, F(1001, 1000), F(3, 2), 2, 3, 8)],
    *[GCE(q=q) for q in (F(1, 100), F(1, 2), F(7, 10), F(999, 1000), 1)],
    *[AGCE(a=a, q=q) for a in (0, F(1, 100), 1, 10) for q in (F(1, 10), F(999, 1000), 1, F(1001, 1000), F(3, 2), 2, 3)],
    *[AUL(a=a, p=p) for a in (1, F(101, 100), 6) for p in (F(1, 10), F(999, 1000), 1, F(1001, 1000), F(3, 2), 2, 3)],
    *[AMSE(a=a, q=q) for a in (1, F(101, 100), 30) for q in (F(1, 10), F(999, 1000), 1, F(1001, 1000), F(3, 2), 2, 3)],
    *[AEL(a=a) for a in (F(1, 10), F(1, 2), 5)],
    *[TaylorCE(t=t) for t in (1, 2, 3, 7)],
    *[PHuberCE(tau=tau) for tau in (1, F(1001, 1000), 2, 10)],
    *[build(name, **given) for name in NEWER_SHAPES for given in ATOM_CASES[name]],
]


def certify(holds, low, high, depth=14):
    """``holds`` on balls that cover [low, high], halved where too wide to tell: True, or the box that fails."""
    boxes = [(low, high, 0)]
    while boxes:
        a, b, level = boxes.pop()
        if holds(ball(a).union(ball(b))):
            continue
        if level == depth:
            return float(a), float(b)
        middle = (a + b) / 2
        boxes += [(a, middle, level + 1), (middle, b, level + 1)]
    return True


def sign_is(value, sign, *, strict):
    if sign == 0:
        return value == 0 or (value.contains(0) and float(value.rad()) < 1e-12)
    return (value * sign > 0) if strict else (value * sign >= 0)


def near_ends():
    for k in (4, 6, 8, 10):
        yield from (F(1, 10**k), 1 - F(1, 10**k))


def join(loss):
    return 1 / loss.tau if isinstance(loss, PHuberCE) else loss.parameters.get("p0")


def pieces(loss):
    """The stretches on which the definition is one formula: PHuber-CE is linear up to 1/tau, OGC's losses up to p0."""
    low, high, gap = A_THOUSANDTH, 1 - A_THOUSANDTH, F(1, 10**9)
    cut = join(loss)
    if cut is not None and cut < 1:
        return [(a, b) for a, b in ((low, cut - gap), (cut + gap, high)) if a < b]
    return [(low, high)]


@pytest.mark.parametrize("loss", SHAPE_CASES, ids=str)
def test_declared_curvature_is_certified(loss):
    xp = arb_()
    for which, sign in zip(SIDES, loss.curvature(), strict=True):
        assert sign in (-1, 0, 1)
        linear_start = (
            isinstance(loss, (PHuberCE, losses.ClippedCE, losses.ClippedGCE, losses.ClippedFL)) and which == "active"
        )

        def holds(u, which=which, sign=sign, strict=not linear_start):
            return sign_is(jet(loss, which, u, xp)[2], sign, strict=strict)

        for low, high in pieces(loss):
            assert certify(holds, low, high) is True, which
        for u in near_ends():
            assert holds(ball(u)), (which, u)
            if sign and u > F(1, 2):  # "strictly so next to u = 1"
                assert sign_is(jet(loss, which, ball(u), xp)[2], sign, strict=True), (which, u)


def test_phuber_is_convex_across_its_join():
    for tau in (F(1001, 1000), F(2), F(10)):
        before, after = (
            jet(PHuberCE(tau=tau), "active", ball(1 / tau + d), arb_()) for d in (F(-1, 10**9), F(1, 10**9))
        )
        assert abs(float(after[0] - before[0])) < 1e-7
        assert 0 < float(after[1] - before[1]) < 1e-6


@pytest.mark.parametrize("loss", SHAPE_CASES, ids=str)
def test_active_decreases_and_passive_does_not(loss):
    xp = arb_()
    strictly = not isinstance(loss, (RCE, NRCE))  # their active part is 0

    def active_falls(u):
        return sign_is(jet(loss, "active", u, xp)[1], -1 if strictly else 0, strict=True)

    def passive_rises(u):
        return jet(loss, "passive", u, xp)[1] >= 0

    for holds in (active_falls, passive_rises):
        assert certify(holds, A_THOUSANDTH, 1 - A_THOUSANDTH) is True
        for u in near_ends():
            assert holds(ball(u)), u
    if not strictly:
        assert certify(lambda u: jet(loss, "passive", u, xp)[1] > 0, A_THOUSANDTH, 1 - A_THOUSANDTH) is True


def test_the_certificate_refutes_a_wrong_shape():
    xp = arb_()
    assert certify(lambda u: sign_is(jet(CE(), "active", u, xp)[2], -1, strict=True), A_THOUSANDTH, F(1, 2)) is not True
    wave = certify(lambda u: (u - ball(F(1, 3))) ** 2 * 9 > 1e-9, F(0), F(1))
    assert wave is not True
    assert wave[0] <= 1 / 3 + 1e-3


@pytest.mark.parametrize("name", [n for n in losses.ATOMS if issubclass(losses.ATOMS[n], Separable)])
def test_kinks_are_where_the_curvature_changes(name):
    """Crossing a declared kink changes the declared sign, or that the loss is least at the vertex; nothing else does."""
    loss = build(name)
    for parameter, points in loss.kinks.items():
        domain = loss.domains[parameter]
        for point in points:
            around = [F(point) + d for d in ((-1, 0, 1) if domain.integer else (F(-1, 10), 0, F(1, 10)))]
            there = [loss.replace(**{parameter: v}) for v in around if v in domain]
            signs = {each.curvature() for each in there}
            assert len(signs) == len(there) or [each.least_at_vertex for each in there] == [False, True, True]
    for parameter, domain in loss.domains.items():
        if parameter not in loss.kinks:
            values = [v for v in (F(-5), F(-1), F(0), F(1, 7), F(1, 2), F(1), F(3, 2), F(7)) if v in domain]
            assert len({loss.replace(**{parameter: v}).curvature() for v in values}) == 1


def test_curvature_in_other_number_systems():
    assert AGCE(q=F(1, 2)).on(EXACT).curvature() == (1, 0)
    assert AGCE(q=2).on(INTERVAL).curvature() == (-1, 0)
    assert AGCE(q=2).on(FLOAT).curvature() == (-1, 0)
    assert AGCE()._with(q=Interval(0.5, 2.0)).curvature() == (None, 0)
    assert AGCE()._with(q=sp.Symbol("q")).curvature() == (None, 0)
    assert AGCE()._with(q=UNKNOWN).curvature() == (None, 0)


# ------------------------------------------------------------------------------------ parameters and domains


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GCE(q=0), r"^gce: q = 0 is outside its domain \(0, 1\]$"),
        (lambda: GCE(q=1.5), r"^gce: q = 1\.5 is outside its domain \(0, 1\]$"),
        (lambda: FL(gamma=-0.5), r"^fl: gamma = -0\.5 is outside its domain \[0, inf\)$"),
        (lambda: NFL(gamma=-1), r"^nfl: gamma = -1 is outside its domain \[0, inf\)$"),
        (lambda: NGCE(q=2), r"^ngce: q = 2 is outside its domain \(0, 1\]$"),
        (lambda: AGCE(a=-1e-9), r"^agce: a = -1e-09 is outside its domain \[0, inf\)$"),
        (lambda: AGCE(q=0), r"^agce: q = 0 is outside its domain \(0, inf\)$"),
        (lambda: AUL(a=F(65, 66)), r"^aul: a = 65/66 is outside its domain \[1, inf\)$"),
        (lambda: AUL(p=-3), r"^aul: p = -3 is outside its domain \(0, inf\)$"),
        (lambda: AEL(a=0), r"^ael: a = 0 is outside its domain \(0, inf\)$"),
        (lambda: AMSE(a=0.9), r"^amse: a = 0\.9 is outside its domain \[1, inf\)$"),
        (lambda: AMSE(q=0), r"^amse: q = 0 is outside its domain \(0, inf\)$"),
        (lambda: RCE(A=0), r"^rce: A = 0 is outside its domain \(-inf, 0\)$"),
        (lambda: TaylorCE(t=0), r"^taylor-ce: t = 0 is outside its domain \[1, inf\), whole numbers$"),
        (lambda: TaylorCE(t=1.5), r"^taylor-ce: t = 1\.5 is outside its domain \[1, inf\), whole numbers$"),
        (lambda: PHuberCE(tau=0.5), r"^phuber-ce: tau = 0\.5 is outside its domain \[1, inf\)$"),
        (lambda: LogitClipCE(tau=0), r"^logitclip-ce: tau = 0 is outside its domain \(0, inf\)$"),
        (lambda: NNCE(p_min=0), r"^nnce: p_min = 0 is outside its domain \(0, 1\)$"),
        (lambda: NNFL(p_min=1), r"^nnfl: p_min = 1 is outside its domain \(0, 1\)$"),
        (lambda: GCE(q=math.nan), r"^gce: q: a finite number is needed, got nan; its domain is \(0, 1\]$"),
        (lambda: AGCE(a=math.inf), r"^agce: a: a finite number is needed, got inf; its domain is \[0, inf\)$"),
        (lambda: GCE(q="0.7"), r"^gce: q: a number is needed, got '0\.7'; its domain is \(0, 1\]$"),
        (lambda: GCE(q=True), r"^gce: q: a number is needed, got True; its domain is \(0, 1\]$"),
        (lambda: build("sce", alpha=0), r"^sce: alpha = 0 is outside its domain \(0, inf\)$"),
        (lambda: build("sce", beta=-1), r"^sce: beta = -1 is outside its domain \(0, inf\)$"),
        (lambda: build("jal-ce", a=0.5), r"^amse: a = 0\.5 is outside its domain \[1, inf\)$"),
        (lambda: -0.5 * CE(), r"^ce: alpha = -0\.5 is outside its domain \(0, inf\)$"),
        (lambda: CE() + 0 * RCE(), r"^rce: alpha = 0 is outside its domain \(0, inf\)$"),
        (lambda: math.nan * CE(), r"^a finite number is needed, got nan$"),
        (lambda: AGCE(b=1), r"^agce has no parameter 'b' \(it has: a, q\)$"),
        (lambda: NFL(gama=1), r"^nfl has no parameter 'gama' \(it has: gamma\); did you mean 'gamma'\?$"),
        (lambda: CE(q=1), r"^ce has no parameter 'q' \(it has: none\)$"),
        (lambda: build("rce", a=-4), r"^rce has no parameter 'a' \(it has: A\); did you mean 'A'\?$"),
        (lambda: build("sce", alhpa=1), r"^sce has no .* 'alhpa' \(it has: alpha, beta, A\); did you mean 'alpha'\?$"),
        (lambda: build("agcee"), r"^--loss 'agcee' is not a known loss; did you mean 'agce'\? \(.* lists them\)$"),
        (lambda: build("nce+agcee"), r"^--loss 'agcee' is not a known loss; did you mean 'agce'\?"),
        (lambda: build("qqq"), r"^--loss 'qqq' is not a known loss \(asymtheory losses lists them\)$"),
        (lambda: build(""), r"^--loss '' is not a known loss"),
        (lambda: build("nce+"), r"^--loss 'nce\+' is not a known loss"),
    ],
)
def test_bad_input_names_the_parameter_the_value_and_what_is_allowed(make, message):
    with pytest.raises(InputError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [n for n in losses.ATOMS if losses.ATOMS[n].domains])
def test_defaults_lie_inside_their_domains_and_the_open_ends_outside(name):
    loss = build(name)
    for parameter, domain in loss.domains.items():
        assert loss.parameters[parameter] in domain
        for end, closed in ((domain.low, domain.low_closed), (domain.high, domain.high_closed)):
            if end is not None and closed:
                assert loss.replace(**{parameter: end}).parameters[parameter] == end
            elif end is not None:
                with pytest.raises(InputError, match=f"{parameter} = {plain(end)} is outside"):
                    loss.replace(**{parameter: end})


@pytest.mark.parametrize("value", [0.7, F(7, 10), np.float64(0.7)])
def test_decimal_parameters_are_exact(value):
    assert GCE(q=value).q == F(7, 10)
    assert build("gce", q=value) == GCE(q=F(7, 10))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 6))
def test_every_decimal_parameter_is_exact(digits, places):
    assert AEL(a=float(f"{digits}e-{places}")).a == F(digits, 10**places)


@pytest.mark.parametrize("loss", [GCE(), build("jal-ce"), CE()], ids=str)
def test_losses_are_immutable(loss):
    for attribute in ("q", "alpha", "name", "anything"):
        with pytest.raises(AttributeError, match="is immutable; use replace"):
            setattr(loss, attribute, 1)


def test_replace_validates_and_with_does_not():
    loss = AGCE(a=1, q=F(1, 2))
    assert loss.replace(a=2) == AGCE(a=2, q=F(1, 2))
    assert loss == AGCE(a=1, q=F(1, 2))  # the first is unchanged
    with pytest.raises(InputError, match="a = -1"):
        loss.replace(a=-1)
    with pytest.raises(InputError, match="no parameter 'b'"):
        loss.replace(b=1)
    symbol = sp.Symbol("a")
    free = loss._with(a=symbol)
    assert free.a is symbol
    assert free.parameters == {"a": symbol, "q": F(1, 2)}
    assert loss._with(a=F(-1)).a == -1
    assert loss.replace() == loss


@pytest.mark.parametrize("name", list(losses.names()))
def test_equality_hash_copies_and_round_trip(name):
    loss, twin = build(name), build(name)
    assert loss == twin
    assert hash(loss) == hash(twin)
    assert copy.copy(loss) == copy.deepcopy(loss) == pickle.loads(pickle.dumps(loss)) == loss
    assert loss.replace(**loss.parameters) == loss
    assert eval(repr(loss), vars(losses)) == loss  # repr is code
    assert loss != (CE() if name != "ce" else FL(gamma=0))
    assert loss != name
    assert str(loss).startswith(loss.title)
    for parameter, value in loss.parameters.items():
        other = loss.replace(**{parameter: value / 2 if value < 1 else value + 1})
        assert other != loss
        assert other.parameters[parameter] != value


# ------------------------------------------------------------------------------------------- algebra of sums


def test_sums_by_operators_equal_sums_by_name():
    u = simplex(4)
    by_hand = 1 * NCE() + 1 * AMSE(a=30)
    assert by_hand == build("jal-ce")
    assert by_hand == NCE() + AMSE(a=30)
    np.testing.assert_array_equal(by_hand(u), build("jal-ce")(u))
    np.testing.assert_allclose(
        build("jal-ce", alpha=2, beta=0.5, a=9)(u), 2 * NCE()(u) + 0.5 * AMSE(a=9)(u), rtol=1e-14
    )
    assert 5 * NFL() + NNFL() * 5 == build("anl-fl")
    assert build("nce + ael") == build("NCE+AEL") == build("nce+ael")
    assert build("ce+rce") == CE() + RCE()
    np.testing.assert_allclose(build("ce+rce+mae", c3=3)(u), CE()(u) + RCE()(u) + 3 * MAE()(u))
    assert build("ce+sce").terms() == ((1, CE()), (F(1, 10), CE()), (1, RCE()))
    assert build("taylor_ce") == TaylorCE()
    assert build(" AGCE ") == AGCE()


def test_coefficients_are_decimals_through_products():
    assert (0.1 * (0.7 * CE())).parameters["alpha"] == F(7, 100)
    assert (2 * (NCE() + 0.3 * MAE())).terms() == ((2, NCE()), (F(3, 5), MAE()))
    assert ((0.1 * CE()) * 3).terms() == ((F(3, 10), CE()),)
    assert 2 * CE() != CE()
    assert 2 * CE() == CE() * 2


def test_alpha_scales_a_loss_that_is_no_sum():
    assert build("nce", alpha=10) == 10 * NCE()
    assert build("agce", alpha=2, a=3, q=2).terms() == ((2, AGCE(a=3, q=2)),)
    assert build("nce").parameters == {}
    with pytest.raises(InputError, match=r"nce: alpha = 0 is outside its domain \(0, inf\)"):
        build("nce", alpha=0)


def test_what_is_no_sum_of_losses_is_refused():
    for make in (lambda: CE() * RCE(), lambda: CE() + 3, lambda: 3 + CE(), lambda: CE() - RCE(), lambda: -CE()):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(InputError, match="a number is needed, got 'two'"):
        "two" * CE()


def test_shared_parameters_are_set_together_or_by_term():
    loss = build("anl-fl", gamma=2)
    assert [atom.gamma for _, atom in loss.terms()] == [2, 2]
    one = build("anl-fl", **{"nnfl.gamma": 3})
    assert [atom.gamma for _, atom in one.terms()] == [F(1, 2), 3]
    assert one.parameters == {"alpha": 5, "beta": 5, "gamma": F(1, 2), "nnfl.gamma": 3, "p_min": F(1, 10**7)}
    assert one.replace(**one.parameters) == one
    two = build("agce+aul")
    assert two.parameters == {"alpha": 1, "a": F(3, 5), "q": F(3, 5), "beta": 1, "aul.a": F(11, 2), "p": 3}
    assert [atom.a for _, atom in two.replace(**{"agce.a": 4}).terms()] == [4, F(11, 2)]
    assert [atom.a for _, atom in two.replace(a=7).terms()] == [7, 7]
    with pytest.raises(InputError, match=r"aul: a = 0\.5"):
        two.replace(a=0.5)  # inside AGCE's domain only
    assert two.replace(**{"agce.a": 0.5}).parameters["a"] == F(1, 2)


def test_sums_pass_symbols_and_intervals_through():
    beta, a = sp.symbols("beta a", positive=True)
    free = build("jal-ce")._with(beta=beta, a=a)
    u = np.array([sp.Rational(1, 2)] * 2, dtype=object)
    value = free.on(sympy_()).labels(u, sympy_().log(u), sympy_())[0]
    assert sp.simplify(value - (sp.Rational(1, 2) + beta * ((a - sp.Rational(1, 2)) ** 2 + sp.Rational(1, 4)) / 2)) == 0
    box = build("jal-ce")._with(a=Interval(29.0, 31.0)).on(INTERVAL)
    assert all(isinstance(c, Interval) for c, _ in box.terms())


def test_sums_describe_themselves():
    loss = build("jal-ce")
    assert loss.formula == "alpha NCE + beta AMSE"
    assert (loss.name, loss.title, loss.main) == ("jal-ce", "JAL-CE", "a")
    assert (CE() + RCE()).name == "ce+rce"
    assert (CE() + RCE() + MAE()).formula == "alpha CE + beta RCE + c3 MAE"
    assert str(loss) == "JAL-CE(alpha=1, beta=1, a=30, q=2)"
    assert repr(loss) == "1 * NCE() + 1 * AMSE(a=30, q=2)"
    assert build("sce", alpha=2).title == "SCE"
    assert dict(build("nce+agce").kinks) == {"q": (1,)}


# ------------------------------------------------------------------------------------------------- registry


class Sphere(Separable):
    """A third party's loss: 1 - u_y^2, times a."""

    name, title, formula, source = "my_Sphere", "sphere", "a (1 - u_y^2)", "here"
    domains = {"a": above(0)}  # noqa: RUF012
    defaults = {"a": F(1)}  # noqa: RUF012

    def active(self, p, logp, xp):
        return (1 - p**2) * self.a

    def curvature(self):
        return losses.CONCAVE, losses.LINEAR


@pytest.fixture
def clean_registry(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


@pytest.mark.usefixtures("clean_registry")
def test_registered_losses_are_built_by_name():
    assert losses.register(Sphere) is Sphere
    assert "my-sphere" in list(losses.names())
    assert build("my_sphere", a=2) == build("My-Sphere", a=2.0) == Sphere(a=2)
    np.testing.assert_allclose(build("my-sphere+ce", beta=2)([0.5, 0.5]), 0.75 + 2 * math.log(2))
    for taken in (Sphere, type("Again", (Sphere,), {"name": "agce"}), type("Again", (Sphere,), {"name": "JAL_CE"})):
        with pytest.raises(InputError, match="is already registered"):
            losses.register(taken)


@pytest.mark.usefixtures("clean_registry")
def test_entry_points_are_looked_up_on_a_miss(monkeypatch):
    from importlib import metadata

    calls = []

    class Entry:
        name = "ball_loss"

        def load(self):
            return Sphere

    def entry_points(*, group):
        calls.append(group)
        return [Entry()]

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    assert build("ce") == CE()
    assert calls == []
    assert build("ball-loss", a=3) == Sphere(a=3)
    assert calls == ["asymtheory.losses"]
    assert build("nce+ball_loss") == NCE() + Sphere()
    with pytest.raises(InputError, match="'ball-los' is not a known loss; did you mean 'ball-loss'"):
        build("ball-los")


@pytest.mark.parametrize("name", list(losses.names()))
def test_every_loss_says_what_it_is(name):
    loss = build(name)
    assert loss.formula
    assert loss.source
    assert loss.title
    assert type(loss).__doc__
    if not isinstance(loss, Sum):
        assert loss.name == name
        assert set(loss.defaults) == set(loss.domains)
        assert loss.main is None or loss.main in loss.domains


def test_unfinished_losses_say_so():
    class Blank(Separable):
        name = "blank"

    with pytest.raises(NotImplementedError, match=r"Blank does not define active\(\)"):
        Blank()([0.5, 0.5])
    with pytest.raises(NotImplementedError, match=r"Blank does not define curvature\(\)"):
        Blank().curvature()
    with pytest.raises(NotImplementedError, match=r"Loss does not define labels\(\)"):
        Loss().labels(None, None, None)


@pytest.mark.parametrize("t", [1, 2, 3, 50])
@pytest.mark.parametrize("xp", [FLOAT, INTERVAL, EXACT], ids=["float", "interval", "exact"])
def test_taylor_ce_at_its_ends_has_the_closed_values(t: int, xp: Backend) -> None:
    """At 0 the harmonic number, -t and t (t - 1) / 2; at 1 no value, the slope -1 and (from t = 2 on) the curvature 1."""
    harmonic = sum((Fraction(1, j) for j in range(1, t + 1)), Fraction(0))
    wanted: dict[int, tuple[Fraction | int, ...]] = {0: (harmonic, -t, t * (t - 1) // 2), 1: (0, -1, int(t > 1))}
    for end, parts in wanted.items():
        x = xp.variable(xp.number(Fraction(end)), 2)
        found = TaylorCE(t=t).active(x, None, xp)
        for have, want in zip((found.value, found.slope, found.curvature), parts, strict=True):
            rest = have - xp.number(Fraction(want))
            if isinstance(rest, Interval):
                assert -1e-12 < rest.low <= 0 <= rest.high < 1e-12
            else:
                assert abs(rest) < 1e-12 if isinstance(rest, float) else rest.sign == 0
