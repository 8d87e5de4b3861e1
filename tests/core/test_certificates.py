"""The dual certificate for ANL: never a wrong yes, yes on the papers' settings, and a broken bound is caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction as Q
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from asymtheory import from_formula
from asymtheory.asymmetry import certificates, simplex_search
from asymtheory.asymmetry.certificates import active_negative
from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.risk import weighted_risk
from asymtheory.claims.anl import CLASSES
from asymtheory.losses import Loss, build
from asymtheory.losses.profile import Profile
from asymtheory.losses.published import published_settings
from asymtheory.noise import cifar10, from_weights, named, pair

pytestmark = pytest.mark.xdist_group("certificates")

P = 1e-7


def certified(loss: Loss, weights: Any, target: int = 0) -> bool:
    return active_negative(Profile.of(loss, len(weights)), weights, target)


# -------------------------------------------------------------------------------------------- brute force


@cache
def levels(K: int) -> np.ndarray[Any, Any]:
    """Points with p_min, and one or two groups of equal entries in any share: what a minimiser on few weights looks like."""
    shares = np.concatenate(
        [[0.0], np.geomspace(1e-6, 1e-2, 8), np.linspace(0.02, 0.98, 41), 1 - np.geomspace(1e-6, 1e-2, 8)]
    )
    points = []
    for size in range(1, K):
        for low in combinations(range(K), size):
            rest = [k for k in range(K) if k not in low]
            for split in range(1, len(rest) + 1):
                for first in combinations(rest, split):
                    second = [k for k in rest if k not in first]
                    u = np.zeros((len(shares) if second else 1, K))
                    u[:, first] = (1 - shares[:, None] if second else 1.0) / len(first)
                    if second:
                        u[:, second] = shares[:, None] / len(second)
                    points.append(u)
    return P + (1 - K * P) * np.concatenate(points)


def deficit(loss: Loss, weights: Any) -> float:
    """The least ``F(u) - F(vertex)`` found: dense two- and three-level points, random points, local descent from the best."""
    w = np.array([float(x) for x in weights])
    w /= w.sum()
    K = len(w)
    vertex = np.full(K, P)
    vertex[0] = 1 - (K - 1) * P
    top = float(weighted_risk(loss, w, vertex))
    points = np.concatenate([levels(K), P + (1 - K * P) * np.random.default_rng(K).dirichlet(np.full(K, 0.4), 3000)])
    values = weighted_risk(loss, w, points) - top
    far = np.abs(points - vertex).max(-1) > 1e-9
    least = float(values[far].min())

    def objective(z: np.ndarray[Any, Any]) -> float:
        e = np.exp(z - z.max())
        return float(weighted_risk(loss, w, P + (1 - K * P) * e / e.sum())) - top

    for start in points[far][np.argsort(values[far])[:3]]:
        inside = np.maximum((start - P) / (1 - K * P), 1e-12)
        least = min(least, float(minimize(objective, np.log(inside), method="L-BFGS-B").fun))
    return least


def cases() -> Iterator[tuple[Loss, list[Q]]]:
    draw = np.random.default_rng(11)
    for K, name in product((3, 4, 5, 6), ("anl-ce", "anl-fl")):
        for ratio in (Q(1, 5), Q(1, 2), Q(1), Q(2), Q(5), Q(30)):
            rows = [[Q(60), Q(40), *[Q(0)] * (K - 2)]]
            for spread in (0.3, 3.0):
                w = np.sort(np.round(1000 * draw.dirichlet(np.full(K, spread))))[::-1]
                w[0] += 1
                rows.append([Q(int(x)) for x in w])
            for w in rows:
                yield build(name, alpha=ratio, beta=1), w


def false_yes() -> tuple[int, int, int]:
    """(certified, refuted by brute force, certified although refuted)."""
    yes = no = wrong = 0
    for loss, w in cases():
        held, lower = certified(loss, w), deficit(loss, w) < -1e-9
        yes, no, wrong = yes + held, no + lower, wrong + (held and lower)
    return yes, no, wrong


def test_never_a_wrong_yes() -> None:
    yes, no, wrong = false_yes()
    assert wrong == 0
    assert yes > 30  # and both answers occur
    assert no > 30
    assert yes + no > 0.9 * len(list(cases()))  # few cases stay open between the two


def test_close_to_the_transition() -> None:
    """Pair 0.4: brute force finds nothing where it says yes, and finds a point a few per cent further."""
    for K in (3, 5):
        w, low, high = [Q(3, 5), Q(2, 5), *[Q(0)] * (K - 2)], Q(0), Q(8)
        for _ in range(12):
            middle = (low + high) / 2
            low, high = (middle, high) if certified(build("anl-ce", alpha=middle, beta=1), w) else (low, middle)
        assert low > 0
        assert deficit(build("anl-ce", alpha=low, beta=1), w) >= -1e-9
        assert deficit(build("anl-ce", alpha=high * Q(103, 100), beta=1), w) < 0


# ------------------------------------------------------------------------------------------ the papers' settings


@pytest.mark.parametrize("setting", [*published_settings("anl-ce"), *published_settings("anl-fl")], ids=str)
def test_published_settings_on_pair_noise(setting: Any) -> None:
    K = CLASSES[setting.dataset]
    loss, row = setting.build(), pair(K, Q(2, 5)).rows[0]
    lost = setting.dataset in ("webvision", "clothing1m")  # alpha/beta = 20 and 50
    assert certified(loss, row.weights, row.target) is not lost


def test_every_row_of_cifar10n() -> None:
    loss = build("anl-ce")  # alpha = beta = 5
    for kind in ("aggre", "random1", "random2", "random3", "worse"):
        assert all(certified(loss, row.weights, row.target) for row in named(f"cifar10n-{kind}").rows), kind
    assert all(certified(loss, row.weights, row.target) for row in cifar10(Q(2, 5)).rows)


# ---------------------------------------------------------------------------------------------- invariance


@pytest.mark.parametrize("ratio", [Q(1, 4), Q(2), Q(20)])
def test_order_and_scale_of_the_weights_do_not_matter(ratio: Q) -> None:
    w = [Q(50), Q(25), Q(12), Q(8), Q(5)]
    loss = build("anl-ce", alpha=ratio, beta=1)
    answer = certified(loss, w)
    draw = np.random.default_rng(0)
    for _ in range(5):
        order = draw.permutation(5).tolist()
        assert certified(loss, [w[k] for k in order], order.index(0)) is answer
    for factor in (Q(1, 100), Q(7), Q(10**12)):
        assert certified(loss, [x * factor for x in w]) is answer
        assert certified(build("anl-ce", alpha=ratio * factor, beta=factor), w) is answer


def test_other_losses_get_no_answer() -> None:
    w = [Q(3), Q(1), Q(1)]
    for loss in (build("nce"), build("nnce"), build("nce+rce"), build("nce") + build("nnfl")):
        assert certified(loss, w) is False


# ------------------------------------------------------------------------------------------- it can be wrong


def raised(lines: Callable[..., Any]) -> Callable[..., Any]:
    """Lines lifted by 0.5: no longer lower bounds."""
    return lambda *a: [(touch, slope, constant + 0.5) for touch, slope, constant in lines(*a)]


def test_the_excess_of_a_part_is_that_over_the_vertex_of_the_sum() -> None:
    """CE is infinite at e_m, and finite at the vertex that NNCE cuts off, from where its risk rises here."""
    p, weights, t = Q(32, 100), (Q(1, 2), Q(2, 5), Q(1, 10)), Q(1, 50)
    ce, whole = build("ce"), build("nnce", p_min=p) + build("ce")
    row = from_weights(weights).rows[0]
    at = np.array([float(x) for x in (1 - 2 * p - t, p + t, p)])
    rise = -np.log(at) @ [0.5, 0.4, 0.1] + np.log([0.36, 0.32, 0.32]) @ [0.5, 0.4, 0.1]
    assert rise > 0
    assert [float(x) for x in certificates.excesses(ce, row, at, whole)] == pytest.approx([rise, rise], rel=1e-9)
    assert not any(x > 0 for x in certificates.excesses(ce, row, at))  # from e_m, where CE is infinite, nothing is seen


def test_the_reason_of_a_cut_off_vertex_does_not_say_that_every_term_is_least_there() -> None:
    """AUL alone falls from the vertex towards n here; with NNCE beside it the sum is least there."""
    p = Q(32, 100)
    aul = build("aul", a=1, p=8)
    found = check(Q(1, 100) * build("nnce", p_min=p) + aul, [5, 4, 1])
    assert found.asymmetric is True
    assert "if phi_m'(1) <= phi_n'(0), else a search decides" in found.reason
    near = np.array([[0.36, 0.32, 0.32], [0.35, 0.33, 0.32]])
    risk = weighted_risk(aul, [0.5, 0.4, 0.1], near)
    assert risk[1] < risk[0]


@pytest.mark.parametrize(
    ("loss", "weights", "cause"),
    [
        (Q("0.19") * build("gce", q=Q("0.758")) + Q("0.09") * build("amse", a=Q("4.7"), q=Q("0.3")), [1, 1, 1, 1, Q("1.101")],
         "the lower bound of the excess is not positive where all of the mass has left the vertex; the search"),
        (from_formula("0.22*((1-u)/(1+g*u))+0.13*((1-u)**p)", "u", g=Q("3.76"), p=Q("0.283")), [8, 14, 2, 2, 6, 10, 2, 7, 10, 4],
         "not positive where 0.677 of the mass has left the vertex; phi_k changes its curvature near u = 0.676"),
        (from_formula("0.28*((1-u)**p)+0.83*(u*log(u)-(1+u)*log(1+u))", p=Q("0.83")),
         map(Q, ("0.233", "0.826", "0.0806", "26.334", "0.924")),
         "next to the vertex no lower bound of the excess is certified; phi_k changes its curvature near u = 0.89"),
        (from_formula("sqrt(sum((u-u_y)**2))+c*(1-u_y)", c=Q("3.9")), map(Q, ("0.991", "0.805", "5.46", "0.0193", "0.118")),
         "500 boxes of the simplex do not settle the risk, and small ones are left (u_m from "),
    ],
)  # fmt: skip
def test_what_stays_undecided_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, loss: Loss, weights: list[Any], cause: str
) -> None:
    """Where the bound is least, and where nothing is known of the shape."""
    monkeypatch.setattr(simplex_search, "MOST_BOXES", 500)
    found = check(loss, weights)
    assert found.asymmetric is None
    assert found.method.startswith("undecided: ")
    assert cause in found.method
    assert found.to_dict()["method"] == found.method


@pytest.mark.slow
def test_a_broken_bound_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "_lines", raised(certificates._lines))
    assert false_yes()[2] > 0
