"""Claims of APL: Normalized Loss Functions for Deep Learning with Noisy Labels (ICML 2020).

A normalised loss is written x_k = L_k / sum_j L_j. Most claims are identities in the probabilities and are decided by
sympy on the core's own definitions; the rest are inequalities on the simplex, refuted by rational points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, product
from math import prod

import numpy as np
import sympy as sp

from ..losses.base import CONVEX, Loss, Normalised
from ..losses.papers import CE, FL, GCE, MAE, MSE, NCE, NFL, NGCE, NMAE, NRCE, RCE, Unhinged
from ..losses.registry import build
from ..noise.models import worst_weights
from ..numbers.backends import sympy_
from ..numbers.scalar import Scalar
from .ledger import PROVED, REFUTED, SUPPORTED, UNDECIDED, Effort, Evidence, Finding, claim
from .tools import corrected, labels, numbers, rational, risk, simplex, summand, zero

BASES: tuple[Loss, ...] = (CE(), FL(), MAE(), RCE(), GCE())
NORMALISED: dict[str, Loss] = {"nce": NCE(), "nfl": NFL(), "nmae": NMAE(), "nrce": NRCE(), "ngce": NGCE()}


# ---------------------------------------------------------------------------------------------- helpers


def interior(rng: Scalar, K: int, count: int) -> Scalar:
    """Points of the open simplex: flat, close to a corner, and close to a face."""

    spread = rng.choice([0.01, 0.1, 1.0, 10.0], size=count)
    u = np.maximum(np.stack([rng.dirichlet(np.full(K, s)) for s in spread]), 1e-12)
    return u / u.sum(-1, keepdims=True)


# ------------------------------------------------------------------------------- Sec. 3.2: normalisation


def _shares(checked: int) -> Finding:
    """The five losses are nonnegative, so their shares are in [0, 1]."""
    shifted, reversed_ = _normalised_by_hand(9, Fraction(1, 2)), _normalised_by_hand(9, Fraction(1))
    return Finding(
        PROVED,
        "sympy: shares of nonnegative numbers",
        f"x/(x+r) with x, r >= 0 not both 0; needs L >= 0 (true of CE, FL, MAE, RCE, GCE); {checked} values of the "
        "five agree",
        (
            "'Any loss' is too much: a loss that takes negative values leaves [0, 1]. 1 - p_y - 1/2 has the "
            f"minimisers of MAE, and normalised at p = e_y (K = 10) it is {shifted}; 1 - p_y - 1 = -p_y normalised is "
            f"{reversed_} there, its maximum: p_y, which increases with p_y. Normalising is not invariant under "
            "adding a constant.",
            "At a vertex NCE and NFL are 0/inf and inf/inf: their limits there depend on the direction.",
        ),
    )


@claim(
    "apl-eq1",
    "Eq. 1",
    "L_norm = L(f,y) / sum_j L(f,j) lies in [0, 1], and sum_k L_norm(f,k) = 1",
    printed=(0, 1, 1),
    falsified=(0, Fraction(1, 2), 1),
    falsification="values in [0, 1/2]",
)
def normalisation(claimed: tuple[Scalar, Scalar, Scalar], effort: Effort) -> Finding:
    low, high, total = claimed
    x, y = sp.symbols("x y", nonnegative=True)  # L_y and the sum of the others, not both 0
    p, q = sp.symbols("p q", positive=True)
    cases = [(own, rest, own / (own + rest)) for own, rest in ((p, y), (x, q))]
    holds = all(zero(share + rest / (own + rest) - total) for own, rest, share in cases)
    holds = holds and low <= 0 and all(share.is_nonnegative for *_, share in cases)
    holds = holds and high >= 1 and all(sp.factor(1 - share).is_nonnegative for *_, share in cases)
    rng, checked = effort.rng(), 0
    for K, loss in product((2, 3, 10, 100), NORMALISED.values()):
        # an uneven point with short decimals comes first, for a counterexample that is checked by hand
        points = np.concatenate([[[0.1, *[0.9 / (K - 1)] * (K - 1)]], interior(rng, K, effort.draws(200))])
        values = loss(points)
        wrong = np.abs(values.sum(-1) - float(total)) > 1e-9
        wrong |= (values.min(-1) < low - 1e-12) | (values.max(-1) > high + 1e-12)
        checked += len(values)
        if wrong.any():
            u, at = (numbers(table[wrong.argmax()]) for table in (points, values))
            found = {"loss": str(loss), "p": u, "values": at}
            return Finding(REFUTED, "a point", f"{loss} takes the values {at} at {u}", counterexample=found)
    if not holds:
        return Finding(UNDECIDED, "sympy", "no proof for these bounds, and no point against them")
    return _shares(checked)


def _normalised_by_hand(others: int, shift: Fraction) -> Fraction:
    own = -shift  # 1 - p_k - shift at p = e_y
    return own / (own + others * (1 - shift))


@claim(
    "apl-eq2",
    "Eq. 2",
    "NCE = log_{prod_k p_k} p_y",
    printed=lambda p, y: (prod(p), p[y]),
    falsified=lambda p, y: (p[y], prod(p)),
    falsification="base and argument exchanged",
)
def nce_change_of_base(claimed: Callable[..., Scalar], effort: Effort) -> Finding:
    note = "the base prod p_k is in (0, 1), so the logarithm exists inside the simplex"
    return _as_logarithm(NCE(), CE(), claimed, note) or _logarithm_refuted(NCE(), claimed)


def _as_logarithm(loss: Loss, base: Loss, claimed: Callable[..., Scalar], note: str) -> Finding | None:
    """Is the loss ``log_b(x)`` for the claimed (b, x)? Symbolic for K = 2..5, each class its own symbol."""

    for K in (2, 3, 4, 5):
        p = list(sp.symbols(f"p1:{K + 1}", positive=True))
        b, x = claimed(p, 0)
        normalised = labels(base, p)[0] / sum(labels(base, p))
        if not zero(_logs(x) / _logs(b) - labels(loss, p)[0]) or not zero(labels(loss, p)[0] - normalised):
            return None
    return Finding(
        PROVED,
        "sympy, K = 2..5; a sum over classes, so any K",
        f"log x / log b equals the normalised {base.title}; {note}",
    )


def _logs(x: Scalar) -> Scalar:
    return sp.expand_log(sp.log(x), force=True)


def _logarithm_refuted(loss: Loss, claimed: Callable[..., Scalar]) -> Finding:
    p = [sp.Rational(4, 5), sp.Rational(1, 5)]
    b, x = claimed(p, 0)
    printed, true = float(sp.log(x) / sp.log(b)), float(labels(loss, p)[0])
    return Finding(
        REFUTED,
        "sympy, then one point",
        f"at p = (4/5, 1/5), y = 1: {loss.title} = {true:.6f}, the printed logarithm is {printed:.6f}",
        counterexample={
            "p": ["4/5", "1/5"],
            "parameters": str(loss),
            "base": float(b),
            "argument": float(x),
            "printed": printed,
            "true": true,
        },
    )


@claim(
    "apl-eq3",
    "Eq. 3",
    "NMAE = (1 - p_y)/(K-1) = MAE / (2(K-1))",
    printed=lambda K: 1 / (2 * (K - 1)),
    falsified=lambda K: 1 / (2 * K),
    falsification="K for K - 1",
)
def nmae(claimed: Callable[[Scalar], Scalar], effort: Effort) -> Finding:
    return _scaled(MAE(), NMAE(), claimed, Fraction(2))


def _scaled(loss: Loss, normalised: Loss, factor: Callable[[Scalar], Scalar], at_zero: Scalar) -> Finding:
    """Is loss / sum_j loss_j = (1 - p_y)/(K-1) = factor * loss, and is it the core's normalised loss?

    On the simplex these losses are at_zero * (1 - p_y); that is checked for K = 2..6, and the sum over labels,
    K - 1 times at_zero, follows with K a symbol.
    """

    K = sp.Symbol("K", positive=True)
    value = sympy_().number(at_zero)
    first = all(
        zero(x - value * (1 - p)) and zero(n - (1 - p) / (size - 1)) and zero(x / sum(values) - n)
        for size in range(2, 7)
        for p, x, n, values in [
            (u[0], labels(loss, u)[0], labels(normalised, u)[0], labels(loss, u)) for u in [simplex(size)]
        ]
    )
    if first and zero(factor(K) * value - 1 / (K - 1)):
        return Finding(
            PROVED,
            "sympy, K a symbol",
            f"{loss.title} = {at_zero} (1 - p_y) on the simplex, so its labels sum to {at_zero} (K-1)",
        )
    size, p = 10, [Fraction(1, 2), *[Fraction(1, 18)] * 9]
    own, true = labels(loss, p)[0], labels(normalised, p)[0]
    wrong = sympy_().number(factor(Fraction(size))) * own
    return Finding(
        REFUTED,
        "sympy, then one point",
        f"K = 10, p_y = 1/2: {loss.title} = {own}, times {factor(Fraction(size))} is {wrong}, but {normalised.title} "
        f"= {true}",
        (f"first equality, (1 - p_y)/(K-1): {'holds' if first else 'fails'}",),
        counterexample={
            "K": size,
            "p_y": "1/2",
            "loss": str(own),
            "factor": str(factor(Fraction(size))),
            "printed": str(wrong),
            "true": str(true),
        },
    )


_A = Fraction(-4)


@claim(
    "apl-eq4",
    "Eq. 4",
    "NRCE = (1 - p_y)/(K-1) = RCE / (A (K-1)), A = log 0 := -4",
    printed=lambda K: 1 / (_A * (K - 1)),
    falsified=lambda K: -1 / (_A * K),
    falsification="the corrected factor -1/(A(K-1)) with K for K - 1",
)
def nrce(claimed: Callable[[Scalar], Scalar], effort: Effort) -> Finding:
    finding = _scaled(RCE(A=_A), NRCE(), lambda K: sympy_().number(claimed(K)), -_A)
    if finding.verdict is PROVED:
        return finding
    right = _scaled(RCE(A=_A), NRCE(), lambda K: -1 / (sympy_().number(_A) * (K - 1)), -_A)
    return Finding(
        REFUTED,
        finding.method,
        f"the sign of A: {finding.evidence}",
        finding.details,
        finding.counterexample,
        corrected("NRCE = (1 - p_y)/(K-1) = -RCE / (A (K-1)), A < 0", right),
        "the first equality, and that NRCE is RCE up to a positive factor, -1/(A(K-1)): all later uses of NRCE stand",
    )


def _gamma_is_an_exponent(
    claimed: Callable[..., Scalar], gamma: Scalar, symbolic: Loss, fl: Loss, finding: Finding
) -> Finding:
    """(1-p)^gamma must be an exponent under the logarithm."""

    def powers(p: Scalar, y: int) -> Scalar:
        return prod(x ** ((1 - x) ** gamma) for x in p), p[y] ** ((1 - p[y]) ** gamma)

    right = _as_logarithm(symbolic, fl, powers, "gamma > 0 a symbol")
    assert right is not None
    half = _logarithm_refuted(NFL(gamma=1), lambda p, y: claimed(p, y, 1)).counterexample or {}
    return Finding(
        REFUTED,
        finding.method,
        finding.evidence + " (gamma = 2)",
        (
            f"gamma = 1, p = (4/5, 1/5): NFL = {half['true']:.4f}, printed {half['printed']:.4f}",
            "(1-p)^gamma stands as a factor under the logarithm; it must be an exponent. At gamma = 0 both forms are "
            "NCE.",
        ),
        finding.counterexample,
        corrected("NFL = log_b x with b = prod_k p_k^((1-p_k)^gamma), x = p_y^((1-p_y)^gamma)", right),
        "the first form of Eq. 5, which is what Eq. 1 defines and what is used later",
    )


@claim(
    "apl-eq5",
    "Eq. 5",
    "NFL = FL_y / sum_k FL_k = log_{prod_k (1-p_k)^gamma p_k} (1-p_y)^gamma p_y",
    printed=lambda p, y, g: (prod((1 - x) ** g * x for x in p), (1 - p[y]) ** g * p[y]),
    falsified=lambda p, y, g: (prod(x ** ((1 - x) ** g) for x in p), p[y] ** (1 - p[y])),
    falsification="the corrected form with (1 - p_y) for (1 - p_y)^gamma in the argument",
)
def nfl_forms(claimed: Callable[..., Scalar], effort: Effort) -> Finding:
    gamma = sp.Symbol("gamma", positive=True)
    symbolic, plain = NFL()._with(gamma=gamma), NFL(gamma=2)
    fl = FL()._with(gamma=gamma)
    proof = _as_logarithm(symbolic, fl, lambda p, y: claimed(p, y, gamma), "gamma > 0 a symbol")
    if proof:
        return proof
    finding = _logarithm_refuted(plain, lambda p, y: claimed(p, y, 2))

    return _gamma_is_an_exponent(claimed, gamma, symbolic, fl, finding)


# ---------------------------------------------------------------------------------- Sec. 3.3: tolerance


def _worse_than_uniform(claimed: Callable[[Scalar], Scalar]) -> Finding:
    """Beyond the rate the noisy risk of NMAE prefers another class."""
    size = 10
    rate = Fraction(claimed(Fraction(size))) - Fraction(1, 100)
    w = [1 - rate, *[rate / (size - 1)] * (size - 1)]
    points = [[Fraction(k == j) for k in range(size)] for j in (0, 1)]
    clean, noise = ([risk(NMAE(), weights, u) for u in points] for weights in ([1] + [0] * 9, w))
    return Finding(
        REFUTED,
        "sympy, then two points",
        f"K = 10, eta = {rate}: NMAE's noisy risk is {float(noise[0]):.4f} at e_y and {float(noise[1]):.4f} at e_k, "
        f"clean {clean[0]} and {clean[1]}",
        counterexample={
            "K": size,
            "eta": str(rate),
            "noisy risk at e_y, e_k": [str(x) for x in noise],
            "clean": [str(x) for x in clean],
        },
    )


@claim(
    "apl-lemma1",
    "Lemma 1",
    "any normalised loss is noise tolerant under symmetric noise if eta < (K-1)/K",
    printed=lambda K: (K - 1) / K,
    falsified=lambda K: Fraction(21, 20) * (K - 1) / K,
    falsification="rate bound times 1.05",
)
def symmetric_tolerance(claimed: Callable[[Scalar], Scalar], effort: Effort) -> Finding:
    K, eta, own = sp.symbols("K eta L_y", positive=True)
    top, second, _ = worst_weights("symmetric", K, eta)
    noisy = top * own + second * (1 - own)  # the other labels' losses sum to 1 - L_y
    factor = sp.diff(noisy, own)
    rates = sp.solve(factor, eta)  # the factor is linear and 1 at eta = 0
    sums = all(zero(sum(labels(loss, simplex(3))) - 1) for loss in NORMALISED.values())
    bound = sp.sympify(claimed(K))
    if sums and factor.subs(eta, 0) == 1 and rates == [sp.simplify(bound)]:
        return Finding(
            PROVED,
            "sympy, K and eta symbols",
            "R_eta = (1 - eta K/(K-1)) R + eta/(K-1) for every f, a positive factor iff eta < (K-1)/K: same minimisers",
            (
                "It holds in any class of functions, and the other way round too (R and R_eta have the same "
                "minimisers).",
                "Tolerant is not correct: the clean risk of NCE or NFL alone has no minimiser on the simplex, and "
                "minimising sequences need not predict y: L(p, y) -> 0 at p = (0.3, 0.7 - t, t) as t -> 0.",
            ),
        )
    return _worse_than_uniform(claimed)


def _excess_by_leads(K: int) -> bool:
    """Is ``R_eta(f) - R_eta(f*)`` the sum of (1 - eta_y - eta_yk) (1/(K-1) - L_k), each of them nonnegative?

    R(f*) = 0 makes the other labels' losses sum to 1; with the bound each is 1/(K-1).
    """
    room = sp.symbols(f"r1:{K}", nonnegative=True)  # bound - L_k for the other labels
    lead = sp.symbols(f"d1:{K}", positive=True)  # 1 - eta_y - eta_yk
    kept, bound = sp.Symbol("kept", positive=True), sp.Rational(1, K - 1)

    def noisy(others: Sequence[Scalar]) -> Scalar:
        return kept * (1 - sum(others)) + sum((kept - d) * x for d, x in zip(lead, others, strict=True))

    excess = sp.expand(noisy([bound - r for r in room]) - noisy([bound] * (K - 1)))
    return zero(excess - sum(d * r for d, r in zip(lead, room, strict=True))) and bool(excess.is_nonnegative)


def _two_functions(claimed: Callable[[int], Fraction]) -> Finding:
    """A class of two functions on which a wider bound fails."""
    bound = claimed(3)
    w, best = [Fraction(5, 10), Fraction(3, 10), Fraction(2, 10)], [Fraction(0), Fraction(1, 2), Fraction(1, 2)]
    other = [Fraction(0), 1 - bound, bound]
    risks = [sum(a * b for a, b in zip(w, values, strict=True)) for values in (best, other)]
    return Finding(
        REFUTED,
        "linear program over the values of L_norm",
        f"K = 3, noise (.5, .3, .2), a class of two functions with L_norm = (0, 1/2, 1/2) and {numbers(other)}: R = 0 "
        f"for both, R_eta = {float(risks[0])} and {float(risks[1])}",
        counterexample={"weights": rational(w), "f*": rational(best), "f": rational(other), "R_eta": rational(risks)},
    )


@claim(
    "apl-lemma2",
    "Lemma 2",
    "given R(f*) = 0 and 0 <= L_norm(f,k) <= 1/(K-1): noise tolerant under asymmetric noise with eta_jk < 1 - eta_j",
    printed=lambda K: Fraction(1, K - 1),
    falsified=lambda K: Fraction(21, 20) / (K - 1),
    falsification="bound times 1.05",
)
def asymmetric_tolerance(claimed: Callable[[int], Fraction], effort: Effort) -> Finding:
    if all(map(_excess_by_leads, (2, 3, 4, 7))) and all(claimed(K) == Fraction(1, K - 1) for K in (2, 3, 10, 100)):
        return Finding(
            PROVED,
            "sympy, K = 2, 3, 4, 7; linear in each class, so any K",
            "R_eta(f) - R_eta(f*) = E sum_k (1 - eta_y - eta_yk)(1/(K-1) - L(f,k)) >= 0, 0 only where L(f,k) = 1/(K-1)",
            (
                "So f* minimises the noisy risk, and every noisy minimiser has R = 0.",
                "Few losses meet the hypotheses: the bound holds for NMAE and NRCE but not for NCE, NFL, NGCE "
                "(apl-lemma2-condition).",
            ),
        )
    return _two_functions(claimed)


def _above_the_share(effort: Effort, found: Mapping[str, tuple[list[Fraction], float]], factor: Fraction) -> Finding:
    """Points at which a normalised loss exceeds the bound."""
    right = bounded_by_share((("nmae", "nrce"), Fraction(1)), effort) if found and factor == 1 else None
    name, (u, value) = next(iter(found.items()))
    convex = [n.upper() for n, x in NORMALISED.items() if isinstance(x, Normalised) and x.base.curvature()[0] == CONVEX]
    return Finding(
        REFUTED,
        "points with rational coordinates, K = 3",
        "; ".join(f"{n.upper()} = {x:.4f} at p = ({', '.join(rational(v))})" for n, (v, x) in found.items())
        + f" > {float(factor / 2)}",
        (
            "NCE and NFL come near 1 as p_y -> 0 with the others fixed; NGCE (q < 1) reaches 1/(K - (K-1)^(1-q)) at "
            "p_y = 0.",
            "Every strictly convex base g with g(1) = 0 fails for K = 3 (hence K > 3, other entries 0): at p = (0, "
            "s, 1-s) the bound says g(0) <= g(s) + g(1-s), but convexity says g(s) + g(1-s) < g(0) + g(1).",
            f"Strictly convex bases: {', '.join(convex)} (declared beside the formula, certified by the tests).",
        ),
        {"loss": name, "K": 3, "p": rational(u), "L_norm": value, "bound": float(factor / 2)},
        None
        if right is None
        else corrected("NMAE and NRCE satisfy it; for K >= 3 NCE, NFL, NGCE (q < 1) do not", right),
        "Lemma 2 stands but covers MAE and RCE only; for NCE, NFL, NGCE asymmetric noise has no proof in this paper "
        "(Lemma 1 stands)",
    )


@claim(
    "apl-lemma2-condition",
    "Sec. 3.3",
    "0 <= L_norm(f,k) <= 1/(K-1) for all k can be easily satisfied by a typical loss (NCE, NFL, NMAE, NRCE, NGCE)",
    printed=(("nce", "nfl", "nmae", "nrce", "ngce"), Fraction(1)),
    falsified=(("nmae", "nrce"), Fraction(19, 20)),
    falsification="NMAE and NRCE only, with a bound 5 % lower",
)
def bounded_by_share(claimed: tuple[tuple[str, ...], Fraction], effort: Effort) -> Finding:
    names, factor = claimed
    found: dict[str, tuple[list[Fraction], float]] = {}
    for name in names:
        for u in ([Fraction(1, 100), *[Fraction(99, 200)] * 2], [Fraction(0), Fraction(1, 2), Fraction(1, 2)]):
            at = labels(NORMALISED[name], u)[0] if name not in ("nce", "nfl") or min(u) > 0 else sp.Integer(0)
            if bool(at > sympy_().number(factor / 2)):
                found.setdefault(name, (u, float(at)))
    rest = [name for name in names if name not in found]
    affine = all(
        zero(labels(NORMALISED[n], simplex(K))[0] - (1 - simplex(K)[0]) / (K - 1)) for n in rest for K in (2, 3, 4, 5)
    )
    if not found and affine and factor >= 1:
        return Finding(PROVED, "sympy", "NMAE = NRCE = (1 - p_y)/(K-1), between 0 and 1/(K-1)")
    return _above_the_share(effort, found, factor)


# ------------------------------------------------------------------------------------- Sec. 4: APL losses

ACTIVE, PASSIVE = ("ce", "nce", "fl", "nfl"), ("mae", "nmae", "rce", "nrce")
NOISE = (Fraction(3, 5), Fraction(1, 5), Fraction(1, 5))  # symmetric noise 0.4, K = 3


def _balance_shifted(effort: Effort, found: tuple[Scalar, Scalar, Fraction, Fraction], positive: bool) -> Finding:
    """Two tolerant losses whose sum orders two points differently under noise."""
    u, v, alpha, beta = found
    terms = ((alpha, Unhinged()), (beta, MSE()))
    table = {
        f"{kind}, {loss.title}": [str(risk(loss, w, point)) for point in (u, v)]
        for kind, w in (("clean", (1, 0, 0)), ("noisy", NOISE))
        for _, loss in terms
    }
    sums = [
        [sum(Fraction(table[f"{kind}, {x.title}"][j]) * c for c, x in terms) for j in (0, 1)]
        for kind in ("clean", "noisy")
    ]
    right = sums_of_tolerant((True, True), effort) if positive else None
    return Finding(
        REFUTED,
        "exact risks of two constant predictions, K = 3, symmetric noise 0.4",
        f"K = 3: unhinged and MSE are tolerant on the class {{p, p'}}; {alpha} unhinged + {beta} MSE prefers p clean "
        f"({float(sums[0][0]):.3f} < {float(sums[0][1]):.3f}), p' noisy ({float(sums[1][1]):.3f} < {float(sums[1][0]):.3f})",
        ("Noise scales the differences of the two risks by different factors, so it shifts their balance.",),
        {"p": rational(u), "p'": rational(v), "alpha": str(alpha), "beta": str(beta), "w": rational(NOISE), **table},
        None
        if right is None
        else corrected(
            "if in addition both have a common clean minimiser in the class (or both are normalised and the noise is "
            "symmetric)",
            right,
        ),
        "all APL losses under symmetric noise: a sum of losses with constant label sum has one, so Lemma 1 covers it "
        "directly",
    )


@claim(
    "apl-lemma3",
    "Lemma 3",
    "for all alpha, beta > 0: if L_active and L_passive are noise tolerant, so is alpha L_active + beta L_passive",
    printed=(False, True),
    falsified=(True, False),
    falsification="the corrected statement (one common clean minimiser) with beta of either sign",
)
def sums_of_tolerant(claimed: tuple[bool, bool], effort: Effort) -> Finding:
    common, positive = claimed
    found = next(_order_reversed(Unhinged(), MSE(), common, positive), None)
    if found is None:
        return _shared_minimiser() if common and positive else Finding(SUPPORTED, "search", "no pair of points found")
    return _balance_shifted(effort, found, positive)


def _order_reversed(
    one: Loss, two: Loss, common: bool, positive: bool
) -> Iterator[tuple[Scalar, Scalar, Fraction, Fraction]]:
    """Pairs of grid points that both losses order alike with and without noise, and coefficients whose sum does not."""
    grid = [tuple(Fraction(x, 20) for x in (i, j, 20 - i - j)) for i in range(2, 19) for j in range(21 - i)]
    risks = [[[Fraction(risk(loss, w, u)) for w in ((1, 0, 0), NOISE)] for loss in (one, two)] for u in grid]
    for (u, ru), (v, rv) in combinations(zip(grid, risks, strict=True), 2):
        (c1, n1), (c2, n2) = ([y - x for x, y in zip(a, b, strict=True)] for a, b in zip(ru, rv, strict=True))
        if c1 * n1 <= 0 or c2 * n2 <= 0 or (c1 * c2 > 0) is not common:
            continue
        if c1 < 0:
            u, v, c1, n1, c2, n2 = v, u, -c1, -n1, -c2, -n2
        clean, noisy = abs(c2 / c1), abs(n2 / n1)  # alpha / |beta| at which the sum is indifferent
        reverse = clean < noisy if c2 < 0 else noisy > clean
        if reverse and (c2 < 0 or not positive):
            yield u, v, Fraction((clean + noisy) / 2).limit_denominator(20), Fraction(1) if c2 < 0 else Fraction(-1)


def _shared_minimiser() -> Finding:
    x, y = sp.symbols("x y", nonnegative=True)  # excess of the two risks of any f over f*; clean or noisy
    alpha, beta = sp.symbols("alpha beta", positive=True)
    assert (alpha * x + beta * y).is_nonnegative
    return Finding(
        PROVED,
        "sympy: signs",
        "f* minimises both noisy risks, so alpha x + beta y >= 0 for the excesses x, y >= 0 of any f, with 0 only "
        "where both are 0",
    )


@claim(
    "apl-table1",
    "Table 1",
    "by Definitions 1-2 CE, NCE, FL, NFL are active and MAE, NMAE, RCE, NRCE passive",
    printed=(ACTIVE, PASSIVE),
    falsified=(("ce", "nce", "fl", "mae"), ("nfl", "nmae", "rce", "nrce")),
    falsification="NFL and MAE change places",
)
def active_passive(claimed: tuple[tuple[str, ...], tuple[str, ...]], effort: Effort) -> Finding:
    active, passive = claimed
    rest = {name: summand(build(name), own=False) for name in (*active, *passive)}
    wrong = [name for name in active if rest[name] != 0] + [name for name in passive if rest[name] == 0]
    if wrong:
        shown = {name.upper(): str(rest[name]) for name in wrong}
        return Finding(REFUTED, "the k-th summand, k != y", f"summand at k != y: {shown}", counterexample=shown)
    u, v = [Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)], [Fraction(1, 2), Fraction(2, 5), Fraction(1, 10)]
    moved = [name.upper() for name in rest if not zero(labels(build(name), u)[0] - labels(build(name), v)[0])]
    nce = [float(labels(NCE(), point)[0]) for point in (u, v)]
    return Finding(
        PROVED,
        "the k-th summand of the loss as the paper writes it, sympy",
        "summands at k != y: 0 for CE, NCE, FL, NFL; MAE, RCE and their normalised forms have p_k > 0 inside the "
        "simplex",
        (
            "The type belongs to the formula, not to the loss: MAE = 2 (1 - p_y) and RCE = -A (1 - p_y) on the "
            "simplex (Eqs. 3, 4) are active when written so, and the definitions let any loss be written with all of "
            "it at k = y.",
            f"Second reading, does the value change with the other p_k at fixed p_y: yes for {', '.join(moved)} only. "
            f"NCE(1/2, 1/4, 1/4) = {nce[0]:.4f}, NCE(1/2, 2/5, 1/10) = {nce[1]:.4f}. In this reading six of the eight "
            "entries of Table 1 are the other way round.",
        ),
    )


def _q_at_three_points(effort: Effort, p: Scalar, own: Scalar, tilt: Fraction, kind: str) -> Finding:
    """Q at equal and at uneven p_k."""

    def q(first: Fraction) -> float:
        return float(sum(own.subs(p, sympy_().number(x)) for x in (first, Fraction(1, 2) - first)))

    here, equal, uneven = q(tilt / 4), q(Fraction(1, 4)), q(Fraction(49, 100))
    best = min(here, equal) if kind == "lowest" else max(here, uneven)
    right = q_term(("lowest", Fraction(1)), effort) if kind == "highest" else None
    return Finding(
        REFUTED if best != here else SUPPORTED,
        "three points, K = 3",
        f"p_y = 1/2: Q = {equal:.4f} at (1/4, 1/4), {uneven:.4f} at (0.49, 0.01), unbounded as one of them tends to 0",
        ("So at fixed p_y NCE = P/(P+Q) is highest where the others are equal, and falls as they become uneven.",),
        {
            "p_y": "1/2",
            "equal": equal,
            "at (0.49, 0.01)": uneven,
            "claimed point": [float(tilt / 4), float(Fraction(1, 2) - tilt / 4)],
            "Q there": here,
        },
        None if right is None else corrected("Q is lowest when all other p_k are equal (AM-GM)", right),
        "that NCE can fall while p_y stays fixed, the point of the section: by uneven other p_k (one of them near "
        "0), not by equal ones",
    )


@claim(
    "apl-q-term",
    "Sec. 4.2",
    "with p_y fixed, Q = -sum_{k != y} log p_k is highest when all other p_k are equal",
    printed=("highest", Fraction(1)),
    falsified=("lowest", Fraction(21, 20)),
    falsification="the corrected statement (lowest) with one of the other p_k 5 % above their mean",
)
def q_term(claimed: tuple[str, Fraction], effort: Effort) -> Finding:
    kind, tilt = claimed
    m, t, p = sp.symbols("m t p", positive=True)
    own = summand(CE(), True)
    above_tangent = own.subs(p, m * t) - own.subs(p, m) - sp.diff(own, p).subs(p, m) * (m * t - m)
    flat = all(zero(x.subs(t, 1)) for x in (above_tangent, sp.diff(above_tangent, t)))
    if kind == "lowest" and tilt == 1 and flat and sp.simplify(sp.diff(above_tangent, t, 2)).is_positive:
        return Finding(
            PROVED,
            "sympy",
            "-log p_k lies above its tangent at the mean m = (1 - p_y)/(K-1); the tangents add up to Q(m, ..., m)",
        )

    return _q_at_three_points(effort, p, own, tilt, kind)


def _nlnl(C: int) -> tuple[Evidence, Evidence]:
    """The readings: CE on complementary labels and RCE with A = -1 (three each); true label 0, complementary 1."""

    u, p = simplex(C), sp.Symbol("p", positive=True)
    own, away = summand(CE(), True), summand(RCE(A=-1), False)
    against = [own.subs(p, 1 - x) for x in u]  # -log(1 - p_k): what NLNL minimises for the complementary label k
    losses = {
        "one complementary label": against[1],
        "mean over complementary labels": sum(against[1:]) / (C - 1),
        "labels 1/(C-1) on all other classes": sum(own.subs(p, x) for k, x in enumerate(u) if k != 1) / (C - 1),
    }
    one_hot = labels(RCE(A=-1), u)
    rces = {
        "label y": one_hot[0],
        "complementary label": one_hot[1],
        "labels 1 on all other classes": away.subs(p, u[1]),
    }
    return losses, rces


def _printed_nlnl(summed: bool, values: Mapping[str, tuple[float, float]], right_: Finding | None) -> Finding:
    """The printed form against NLNL's loss at one point."""
    chosen = "mean over complementary labels; RCE: " + ("sum" if summed else "label y")
    one = values.get("one complementary label; RCE: labels 1 on all other classes", (0.0, 0.0))
    return Finding(
        REFUTED,
        f"sympy: {len(values)} readings of the two sides, none an identity; one point",
        f"C = 3, p = (.6, .3, .1), y = 1: mean of -log(1 - p_k) over k != y is {values[chosen][0]:.4f}; printed "
        f"{values[chosen][1]:.4f}",
        (
            f"NLNL's loss for the complementary label 2 is {one[0]:.4f}; with RCE for the label vector 1 - e_2 (RCE = "
            f"p_2) the printed form is {one[1]:.4f}: without a sum over the complementary labels the factor 1/(C-1) "
            "is too much.",
            "At C = 2 both sides are equal. For C > 2 prod (1 - p_k) > 1 - sum p_k: with RCE for the label y it is "
            "too large.",
        ),
        {
            "p": ["3/5", "3/10", "1/10"],
            f"{chosen}; CE, printed": list(values[chosen]),
            **({} if summed else {"one label; CE, printed": list(one)}),
        },
        None
        if right_ is None
        else corrected(
            "the mean of NLNL's loss over the complementary labels is -1/(C-1) sum_{k != y} log(1 - RCE_k), A = -1, "
            "RCE_k = p_k for the labels 1 - e_k",
            right_,
        ),
        "the remark only: nothing in the paper is built on it",
    )


@claim(
    "apl-nlnl",
    "Sec. 4.3",
    "on complementary labels the CE loss becomes -1/(C-1) log(1 - RCE) with A = -1",
    printed=(lambda C: Fraction(1, C - 1), False),
    falsified=(lambda C: Fraction(1, C), True),
    falsification="the corrected statement (a sum over complementary labels) with 1/C for 1/(C-1)",
)
def complementary(claimed: tuple[Callable[[int], Fraction], bool], effort: Effort) -> Finding:
    factor, summed = claimed
    at = {sp.Symbol("p1", positive=True): sp.Rational(3, 5), sp.Symbol("p2", positive=True): sp.Rational(3, 10)}
    values: dict[str, tuple[float, float]] = {}
    equal: dict[str, bool] = {}
    for C in (2, 3):
        losses, rces = _nlnl(C)
        if summed:  # RCE for the label vector 1 - e_k is p_k: one term for each complementary label k
            away = [summand(RCE(A=-1), False).subs(sp.Symbol("p", positive=True), x) for x in simplex(C)[1:]]
            losses, rces = {"mean over complementary labels": losses["mean over complementary labels"]}, {"sum": away}
        for (name, loss), (which, value) in product(losses.items(), rces.items()):
            terms = value if isinstance(value, list) else [value]
            right = -sympy_().number(factor(C)) * sum(sp.log(1 - x) for x in terms)
            same = abs(float((loss - right).subs(at))) < 1e-12 and zero(loss - right)
            key = f"{name}; RCE: {which}"
            equal[key] = equal.get(key, True) and same
            values[key] = (float(loss.subs(at)), float(right.subs(at)))
    good = [key for key, same in equal.items() if same]
    if good:
        return Finding(PROVED, "sympy, C = 2, 3; term by term, so any C", f"equal for {good[0]}")
    right_ = None if summed else complementary((factor, True), effort)
    return _printed_nlnl(summed, values, right_)


def _ngce_refuted(claimed: Callable[..., Scalar], K: int) -> Finding:
    """NGCE and the claimed formula at one point."""
    point = [sp.Rational(1, 4), sp.Rational(9, 16), *[sp.Rational(3, 16)] * (K - 2)]
    half = sp.Rational(1, 2)
    true, printed = labels(NGCE(q=half), point)[0], claimed(point, 0, half, K)
    return Finding(
        REFUTED,
        "sympy",
        f"NGCE = {float(true):.4f}, formula {float(printed):.4f}",
        counterexample={"rho": "1/2", "p": rational(point), "true": float(true), "printed": float(printed)},
    )


@claim(
    "apl-gce-limits",
    "Sec. 5.3",
    "GCE is MAE/unhinged at rho = 1 and CE as rho -> 0; NGCE = (1 - p_y^rho)/(K - sum_k p_k^rho)",
    printed=lambda u, y, rho, K: (1 - u[y] ** rho) / (K - sum(x**rho for x in u)),
    falsified=lambda u, y, rho, K: (1 - u[y] ** rho) / (K - 1 - sum(x**rho for x in u)),
    falsification="K - 1 for K in the denominator of NGCE",
)
def gce_limits(claimed: Callable[..., Scalar], effort: Effort) -> Finding:
    rho = sp.Symbol("rho", positive=True)
    gce, ngce = summand(GCE()._with(q=rho), True), NGCE()._with(q=rho)
    at_one = zero(gce.subs(rho, 1) - summand(Unhinged(), True))
    to_ce = zero(sp.limit(gce, rho, 0) - summand(CE(), True))
    for K in (2, 3, 4):
        u = list(sp.symbols(f"p1:{K + 1}", positive=True))
        formula = sympy_().number(claimed(u, 0, rho, K))
        if not zero(labels(ngce, u)[0] - formula) or not zero(
            labels(ngce, u)[0] - labels(GCE()._with(q=rho), u)[0] / sum(labels(GCE()._with(q=rho), u))
        ):
            return _ngce_refuted(claimed, K)
    if not (at_one and to_ce):
        wrong = {"GCE at rho = 1": str(gce.subs(rho, 1)), "limit at 0": str(sp.limit(gce, rho, 0))}
        return Finding(REFUTED, "sympy", f"{wrong}", counterexample=wrong)
    return Finding(
        PROVED,
        "sympy: value at rho = 1, limit at 0, NGCE for K = 2, 3, 4",
        "(1 - p^rho)/rho is 1 - p at rho = 1 and tends to -log p; the factors rho cancel in NGCE",
        (
            "rho = 1 is the unhinged loss, half of the paper's MAE = 2 (1 - p_y); NGCE is then NMAE, and tends to "
            "NCE as rho -> 0.",
        ),
    )
