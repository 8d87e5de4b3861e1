"""What the judges share: exact risks, proofs of identity, rival points, regimes of curvature, numbers for a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import ClassVar

import numpy as np
import sympy as sp

from ..asymmetry.risk import minimise
from ..losses.base import CONCAVE, CONVEX, LINEAR, MIXED, Curvature, Loss, Normalised, Separable
from ..losses.domain import above
from ..losses.papers import AEL, AGCE, AUL
from ..losses.profile import Profile
from ..numbers.backends import Backend, arb_, sympy_
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from .ledger import Corrected, Evidence, Finding

Q = Fraction
INF = math.inf

PAIR = AUL(a=2, p=2)  # r = 1/2


class Bent(Separable):
    """A decreasing loss of two slopes: -steep on [0, 1/2], -flat on [1/2, 1]. It attains its ratio flat/steep."""

    name, title = "bent", "bent"
    formula = "flat (1 - u_y) if u_y > 1/2 else (steep + flat)/2 - steep u_y"
    source = "a counterexample of this ledger"
    domains: ClassVar = {"steep": above(0), "flat": above(0)}
    defaults: ClassVar = {"steep": Q(2), "flat": Q(1)}
    steep: Scalar
    flat: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Scalar) -> Scalar:
        half = xp.number(Q(1, 2))
        return xp.split(p, half, (self.steep + self.flat) * half - p * self.steep, (1 - p) * self.flat)

    def curvature(self) -> Curvature:
        return MIXED, LINEAR  # convex, but not strictly so next to 1


def labels(loss: Loss, u: Sequence[Scalar], xp: Backend | None = None, along: int | None = None) -> list[Scalar]:
    """``L(u, k)`` for every label k from the core, in the number system ``xp`` (None: sympy, exactly).

    ``along = j`` gives jets whose slope is the derivative in u_j; a label whose value u_j does not enter keeps a number.
    """
    xp = sympy_() if xp is None else xp
    p, logp = np.empty(len(u), dtype=object), np.empty(len(u), dtype=object)
    for k, x in enumerate(u):
        p[k] = xp.variable(xp.number(x)) if k == along else xp.number(x)
        logp[k] = xp.log(p[k])
    values = np.broadcast_to(loss.on(xp).labels(p, logp, xp), p.shape)
    return [x if isinstance(x, Jet) else xp.number(x) for x in values]


def summand(loss: Loss, own: bool) -> sp.Expr:
    """The k-th summand of the loss as the paper writes it, at k = y or k != y; common denominators left out."""
    xp, p = sympy_(), sp.Symbol("p", positive=True)
    base: Scalar = loss.base if isinstance(loss, Normalised) else loss  # a Separable on any backend
    return xp.number((base.on(xp).active if own else base.on(xp).passive)(p, sp.log(p), xp))


def zero(expression: Scalar) -> bool:
    """Is a sympy expression in positive symbols identically 0? Only a proof counts."""
    return bool(sp.simplify(sp.cancel(sp.together(sp.expand_log(sp.sympify(expression), force=True)))) == 0)


def simplex(K: int) -> list[sp.Expr]:
    """Symbols p_1..p_{K-1} > 0 and the last entry 1 - p_1 - ... of a point of the simplex."""
    free = list(sp.symbols(f"p1:{K}", positive=True))
    return [*free, 1 - sum(free)]


def numbers(values: Sequence[Scalar]) -> list[float]:
    """The values as floats."""
    return [float(x) for x in values]


def rational(u: Sequence[Scalar]) -> list[str]:
    """The values as fractions, in text."""
    return [str(Fraction(x)) for x in u]


def risk(loss: Loss, weights: Sequence[Scalar], u: Sequence[Scalar]) -> Scalar:
    """``sum_k w_k L(u, k)``: a Fraction where exact arithmetic reaches it, else an Arb ball; a weight 0 removes its term."""
    for xp in (sympy_(), arb_()):
        total = xp.number(Q(0))
        for w, x in zip(weights, labels(loss, u, xp), strict=True):
            total = total + xp.number(Q(w)) * x if w else total
        if getattr(total, "is_Rational", False):
            return Q(int(total.p), int(total.q))
    return total


def excess(loss: Loss, weights: Sequence[Scalar], u: Sequence[Fraction]) -> Scalar:
    """``F_w(u) - F_w(e_1)``, a Fraction or a ball."""
    here, there = risk(loss, weights, u), risk(loss, weights, vertex(len(u)))
    if isinstance(here, Fraction) and isinstance(there, Fraction):
        return here - there
    return arb_().number(here) - arb_().number(there)


def vertex(K: int, k: int = 0) -> tuple[Fraction, ...]:
    return tuple(Q(int(j == k)) for j in range(K))


def on_two(K: int, share: Fraction) -> tuple[Fraction, ...]:
    """Class 0 with 1 - share, class 1 with share."""
    return (1 - share, share, *[Q(0)] * (K - 2))


def number(x: Scalar) -> Scalar:
    """A risk for a report: exact where rational and short."""
    if isinstance(x, Fraction):
        return str(x) if x.denominator < 10**6 else float(x)
    return float(x)


def against(loss: Loss, weights: Sequence[Scalar], u: Sequence[Fraction], **more: Scalar) -> Evidence:
    """A counterexample: a point with no more risk than the vertex of the largest weight (class 0)."""
    return {
        "loss": str(loss),
        "w": [str(w) for w in weights],
        "u": [str(x) for x in u],
        "risk at u": number(risk(loss, weights, u)),
        "risk at e_1": number(risk(loss, weights, vertex(len(u)))),
        **more,
    }


def rival(loss: Loss, weights: Sequence[Scalar]) -> tuple[Fraction, ...] | None:
    """A point u != e_1 with ``F(u) <= F(e_1)``, certified: transfers to class 2, then the core's minimiser."""
    K = len(weights)
    found = minimise(loss, [float(w) for w in weights]).point
    point = [Q(float(x)).limit_denominator(10**6) for x in found]
    point[0] += 1 - sum(point)
    candidates = [tuple(point), *(on_two(K, Q(1, 2**k)) for k in range(1, 30))]
    return next((u for u in candidates if u != vertex(K) and min(u) >= 0 and excess(loss, weights, u) <= 0), None)


def weights(c: Scalar, K: int) -> list[Fraction]:
    """Class 0 with weight c, all others 1."""
    return [Q(c), *[Q(1)] * (K - 1)]


def same(x: Scalar, y: Scalar) -> bool:
    """Are two positive expressions equal (by logarithms)?"""
    x, y = sp.sympify(x), sp.sympify(y)
    difference = sp.expand_log(sp.log(sp.factor(x)) - sp.log(sp.factor(y)), force=True)
    return sp.simplify(difference) == 0


class Regime:
    """A family of losses ``l(u_y)`` with symbols for its parameters, on the range where its curvature has one sign.

    ``parameters`` are written in positive symbols, so that signs are decided; ``shown`` puts the paper's letters back.
    """

    def __init__(self, text: str, loss: Loss, u: Scalar, parameters: Evidence, back: dict[Scalar, Scalar]) -> None:
        import sympy as sp

        self.text, self.parameters, self.back = text, tuple(parameters.values()), back
        profile, xp = Profile.of(loss._with(**parameters), 2), sympy_()
        bend = sp.simplify(profile.jet("active", u, xp, 2)[2])
        self.shape = CONVEX if bend.is_positive else CONCAVE if bend.is_negative else LINEAR if bend == 0 else MIXED
        slopes = profile.slopes(xp)
        self.l1_over_l0 = sp.simplify(slopes.active1 / slopes.active0)

    def ratio(self, part: str) -> Scalar:
        """r_pointwise, r or r_upper, from the end slopes: both means of -l' lie between its values at the ends."""
        if self.shape == CONVEX:
            return self.l1_over_l0
        return 1 / self.l1_over_l0 if self.shape == CONCAVE and part == "r_pointwise" else 1

    def shown(self, expression: Scalar) -> str:
        import sympy as sp

        return str(sp.factor(sp.sympify(expression).subs(self.back, simultaneous=True)))


@cache
def agce() -> tuple[Regime, ...]:
    a, s, u = sp.symbols("a s u", positive=True)
    q = sp.Symbol("q")
    ranges: Scalar = (("q < 1", 1 - s, {s: 1 - q}), ("q = 1", sp.Integer(1), {}), ("q > 1", 1 + s, {s: q - 1}))
    return tuple(Regime(text, AGCE(), u, {"a": a, "q": value}, back) for text, value, back in ranges)


@cache
def aul() -> tuple[Regime, ...]:
    b, s, v = sp.symbols("b s v", positive=True)  # a = 1 + b, u = 1 - v: a - u is seen to be positive
    a, p = sp.symbols("a p")
    ranges: Scalar = (("p > 1", 1 + s, {s: p - 1}), ("p = 1", sp.Integer(1), {}), ("p < 1", 1 - s, {s: 1 - p}))
    return tuple(Regime(t, AUL(), 1 - v, {"a": 1 + b, "p": x}, {b: a - 1, **back}) for t, x, back in ranges)


@cache
def ael() -> tuple[Regime, ...]:
    a, u = sp.symbols("a u", positive=True)
    return (Regime("every a", AEL(), u, {"a": a}, {}),)


FAMILIES: dict[str, tuple[Callable[[], tuple[Regime, ...]], Callable[..., Loss], tuple[tuple[Scalar, ...], ...]]] = {
    "AGCE": (
        agce,
        lambda a, q: AGCE(a=a, q=q),
        tuple(
            (a, q)
            for q in (2, Q(3, 2), Q(1, 2), Q(1, 100), Q(99, 100), 1, Q(101, 100), 30)
            for a in (1, Q(1, 1000), 50)
        ),
    ),
    "AUL": (
        aul,
        lambda a, p: AUL(a=a, p=p),
        tuple(
            (a, p) for p in (Q(1, 2), 2, Q(1, 100), Q(99, 100), 1, Q(101, 100), 3, 8) for a in (2, Q(1001, 1000), 50)
        ),
    ),
    "AEL": (ael, lambda a: AEL(a=a), ((1,), (Q(1, 50),), (Q(1, 2),), (5,), (1000,))),
}


def text(row: Sequence[Scalar]) -> str:
    return "(" + ", ".join(str(float(x)) if x.denominator in (10, 5, 2) else str(x) for x in row) + ")"


def corrected(statement: str, finding: Finding) -> Corrected:
    """The nearest statement that holds, with the verdict and the evidence that its judge found."""
    return Corrected(statement, finding.verdict, finding.evidence)
