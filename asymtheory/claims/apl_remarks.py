"""APL (ICML 2020): what the text says beside its lemmas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import sympy as sp

from ..asymmetry.condition import check
from ..asymmetry.risk import minimise
from ..losses.base import Loss
from ..losses.papers import AMSE, CE, GCE, MAE, NCE, NGCE, NRCE, RCE
from ..losses.registry import build
from ..noise.models import symmetric, worst_weights
from ..noise.rows import NoiseModel
from ..numbers.scalar import Scalar
from . import tools
from .apl import symmetric_tolerance
from .ledger import PROVED, REFUTED, UNDECIDED, Effort, Evidence, Finding, claim
from .tools import Q, labels, simplex, summand, zero

HALF, QUARTER = Q(1, 2), Q(1, 4)
EVEN, UNEVEN = (HALF, QUARTER, QUARTER), (HALF, Q(2, 5), Q(1, 10))  # the same p_y


def normalisation_makes_robust(claimed: tuple[bool, Fraction], effort: Effort, standing: str) -> Finding:
    """Is a normalised loss tolerant to symmetric noise and, where asked, to flips to one class as well?"""
    asymmetric, stretch = claimed
    alone = symmetric_tolerance(lambda K: stretch * (K - 1) / K, effort)
    if not asymmetric:
        return alone
    loss, w, u = NGCE(q=HALF), (Q(3, 5), Q(2, 5), Q(0)), tools.on_two(3, Q(81, 1681))
    if not tools.excess(loss, w, u) < 0:
        return Finding(UNDECIDED, "exact evaluation", "the point was to have less risk than e_1")
    point = tools.against(loss, w, u)
    negative = tools.on_two(3, Q(0))
    flipped = [-x for x in negative]  # 1 - p_k - 1 = -p_k: the minimisers of MAE, and negative values
    shares = [str(x / sum(flipped)) for x in flipped]
    details = (
        "Under symmetric noise it is true of every loss with L >= 0 (Lemma 1), in any class of functions: noisy and "
        "clean risk have the same minimisers.",
        "Under asymmetric noise, which Sec. 3.3 includes, f* = e_y has R(f*) = 0 and is still not the minimiser: the "
        "condition L <= 1/(K-1) of Lemma 2 fails for NCE, NFL and NGCE.",
        "'Any loss' needs L >= 0: -p_y = (1 - p_y) - 1 has the minimisers of MAE and becomes p_y: "
        f"{', '.join(shares)} at e_1, where it should be least.",
        "Robust is not correct: NCE and NFL alone attain their infimum nowhere, with or without noise.",
    )
    text = (
        f"NGCE(q=0.5), flips to one class at 0.4: risk {point['risk at u']} at {tools.text(u)}, {point['risk at e_1']} "
        "at e_1"
    )
    return Finding(
        REFUTED,
        "exact evaluation",
        text,
        details,
        point,
        tools.corrected("normalisation makes any nonnegative loss tolerant to symmetric noise, eta < (K-1)/K", alone),
        standing,
    )


@claim(
    "apl-headline",
    "Abstract, Sec. 3.2-3.3",
    "Any loss can be made robust to noisy labels (symmetric and asymmetric) by normalisation",
    printed=(True, Q(1)),
    falsified=(False, Q(21, 20)),
    falsification="rate bound times 1.05 in the corrected statement",
)
def headline(claimed: tuple[bool, Fraction], effort: Effort) -> Finding:
    return normalisation_makes_robust(claimed, effort, "Everything that the paper shows under symmetric noise.")


def _fifth_of_a_class(effort: Effort, lead: Fraction) -> Finding:
    """Symmetric noise 0.8 on ten classes meets the conditions."""
    w = [1 - Q(4, 5), *[Q(4, 45)] * 9]
    met = Q(4, 5) < Q(9, 10) and all(x < w[0] for x in w[1:])  # eta < (K-1)/K, and eta_k < 1 - eta
    fixed = majority(("plurality", Q(1)), effort)
    point: Evidence = {
        "K": 10,
        "eta": "4/5",
        "share of correct labels": str(w[0]),
        "of each other label": str(w[1]),
    }
    text = "K = 10, symmetric noise 0.8 meets both conditions, and correct labels are 20 % of their class"
    return Finding(
        REFUTED if met and w[0] < lead else UNDECIDED,
        "exact evaluation",
        text,
        (
            "Both papers train at this rate. The distinction matters: rates up to 0.9 are covered at K = 10, "
            "0.99 at K = 100.",
        ),
        point,
        tools.corrected("they require that correct labels are the plurality: more than any other label", fixed),
        "The conditions themselves, and the reading of 'majority' as the most frequent label.",
    )


@claim(
    "apl-majority",
    "Sec. 3.3",
    "The rate conditions of Lemmas 1 and 2 require that correct labels are the majority of the class",
    printed=("majority", HALF),
    falsified=("plurality", Q(21, 20)),
    falsification="in the corrected statement, 5 % more than any other label",
)
def majority(claimed: tuple[str, Fraction], effort: Effort) -> Finding:
    kind, lead = claimed
    if kind == "majority":
        return _fifth_of_a_class(effort, lead)
    K, eta = sp.symbols("K eta", positive=True)
    top, second, _ = worst_weights("symmetric", K, eta)
    limit = sp.solve(top - lead * second, eta)[0]
    if sp.simplify(limit - (K - 1) / K) != 0:
        rate = (Q(9, 10) + Q(sp.Rational(limit.subs(K, 10)).p, sp.Rational(limit.subs(K, 10)).q)) / 2
        point = {
            "K": 10,
            "eta": str(rate),
            "correct": str(1 - rate),
            "each other": str(rate / 9),
            "eta < (K-1)/K": True,
        }
        return Finding(
            REFUTED, "sympy", f"K = 10, eta = {rate} meets eta < (K-1)/K and has no such lead", counterexample=point
        )
    return Finding(
        PROVED, "sympy, K and eta open", "1 - eta > eta/(K-1) iff eta < (K-1)/K; eta_k < 1 - eta says it word for word"
    )


# ------------------------------------------------------------------------------------------------ Sec. 4: underfitting


def constant_at_fixed_own(loss: Loss) -> bool:
    """Does the loss depend on p_y alone on the simplex of three classes? A proof or nothing."""
    here, there = (sp.sympify(labels(loss, u)[0]) for u in (EVEN, UNEVEN))
    p = simplex(3)
    return abs(sp.N(here - there, 30)) < Q(1, 10**20) and zero(sp.diff(sp.sympify(labels(loss, p)[0]), p[1]))


def _depends_on_own_alone(effort: Effort, loss: Loss) -> Finding:
    """A loss of p_y alone on the simplex."""
    values = [str(labels(loss, u)[0]) for u in (EVEN, UNEVEN)]
    fixed = minimised_with_own_fixed(("nce", "nfl"), effort)
    point: Evidence = {"loss": str(loss), "p": tools.rational(EVEN), "p'": tools.rational(UNEVEN), "values": values}
    details = (
        "MAE = 2 (1 - p_y) and RCE = -A (1 - p_y) on the simplex (Eqs. 3 and 4): where p_y stays, they stay.",
        "What they share with NCE is a small slope where p_y is small, which is another issue.",
    )
    text = (
        f"{loss.title} is a function of p_y alone on the simplex: {values[0]} at (1/2, 1/4, 1/4) and at (1/2, 2/5, "
        "1/10)"
    )
    return Finding(
        REFUTED,
        "sympy",
        text,
        details,
        point,
        tools.corrected("NCE and NFL can be minimised with p_y fixed", fixed),
        "That MAE and RCE underfit in the experiments of Fig. 1.",
    )


@claim(
    "apl-mae-rce-similar",
    "Sec. 4.2",
    "MAE and RCE suffer from a similar issue: they can be minimised with p_y fixed",
    printed=("mae", "rce"),
    falsified=("nce", "nfl", "nrce"),
    falsification="NRCE put among the losses of the corrected statement",
)
def minimised_with_own_fixed(claimed: tuple[str, ...], effort: Effort) -> Finding:
    for name in claimed:
        loss = build(name)
        if not constant_at_fixed_own(loss):
            continue
        return _depends_on_own_alone(effort, loss)
    drops = [sp.N(labels(build(name), EVEN)[0] - labels(build(name), UNEVEN)[0], 30) for name in claimed]
    shown = ", ".join(f"{build(name).title} by {float(drop):.4f}" for name, drop in zip(claimed, drops, strict=True))
    held = all(drop > 0 for drop in drops)
    return Finding(
        PROVED if held else UNDECIDED,
        "sympy, 30 digits",
        f"from (1/2, 1/4, 1/4) to (1/2, 2/5, 1/10) they fall: {shown}",
    )


def sum_of_logs(u: tuple[Fraction, ...]) -> float:
    """``Q = -sum_{k != y} log p_k`` of Sec. 4.2."""
    return float(-sum(sp.log(sp.Rational(x.numerator, x.denominator)) for x in u[1:]))


def _moves_at_fixed_own(moving: Sequence[str]) -> Finding:
    """A loss that changes with the other p_k at fixed p_y."""
    values = [str(labels(build(moving[0]), u)[0]) for u in (EVEN, UNEVEN)]
    point: Evidence = {
        "loss": moving[0],
        "p": tools.rational(EVEN),
        "p'": tools.rational(UNEVEN),
        "values": values,
    }
    text = f"{moving[0]} changes with the other p_k at fixed p_y: {' and '.join(values)}"
    return Finding(REFUTED, "exact evaluation", text, counterexample=point)


def _q_rises(effort: Effort, moving: Sequence[str]) -> Finding:
    """NCE+MAE falls where Q rises."""
    both = NCE() + MAE()
    falls = [float(labels(both, u)[0]) for u in (EVEN, UNEVEN)]
    sums = [sum_of_logs(u) for u in (EVEN, UNEVEN)]
    fixed = passive_holds_q((("mae", "rce", "nmae", "nrce"), True), effort)
    amse = [str(labels(AMSE(a=30, q=2), u)[0]) for u in (EVEN, UNEVEN)]
    point = {"loss": "NCE+MAE", "p": tools.rational(EVEN), "p'": tools.rational(UNEVEN), "values": falls, "Q": sums}
    details = (
        "Lowering a p_k raises -log p_k: a loss that minimises other probabilities does not minimise Q.",
        f"A passive loss that changes at fixed p_y does: AMSE (a = 30, q = 2) goes from {amse[0]} to {amse[1]} and is "
        "least at equal p_k, where Q is least (apl-q-term).",
    )
    text = (
        f"p_y = 1/2: from (1/4, 1/4) to (2/5, 1/10) NCE+MAE falls, {falls[0]:.4f} to {falls[1]:.4f}, and Q rises, "
        f"{sums[0]:.4f} to {sums[1]:.4f}"
    )
    return Finding(
        REFUTED if falls[1] < falls[0] and sums[1] > sums[0] and not moving else UNDECIDED,
        "sympy, then two points",
        text,
        details,
        point,
        tools.corrected(
            "at fixed p_y the four passive losses add a constant: NCE+MAE orders points as NCE does", fixed
        ),
        "APL losses have a slope in p_y that does not vanish where Q is large: 2 beta of MAE beside that of NCE.",
    )


@claim(
    "apl-passive-q",
    "Sec. 4.2",
    "The passive loss minimises Q = -sum_{k != y} log p_k, so that Q will not increase when p_y is fixed",
    printed=(("mae", "rce"), False),
    falsified=(("mae", "amse"), True),
    falsification="AMSE put among the passive losses of the corrected statement",
)
def passive_holds_q(claimed: tuple[tuple[str, ...], bool], effort: Effort) -> Finding:
    passive, same_order = claimed
    moving = [name for name in passive if not constant_at_fixed_own(build(name))]
    if same_order:
        if moving:
            return _moves_at_fixed_own(moving)
        text = f"{', '.join(passive)}: functions of p_y alone on the simplex, so they add a constant at fixed p_y"
        return Finding(PROVED, "sympy", text)
    return _q_rises(effort, moving)


def _two_terms_of_mae(own: Scalar, other: Scalar, loss: Loss) -> Finding:
    """Both terms of the written form have a constant label sum."""
    p = simplex(3)
    symbol = sp.Symbol("p", positive=True)
    terms = [own.subs(symbol, p[0]), sum(other.subs(symbol, x) for x in p[1:])]
    sums = [
        sp.expand(sum(own.subs(symbol, x) for x in p)),
        sp.expand(sum(sum(other.subs(symbol, y) for y in p if y != x) for x in p)),
    ]
    tolerant = not any(total.free_symbols for total in sums)
    scaled = zero(terms[0] - terms[1])
    details = (
        "Passive by Definition 2 are all four APL losses, as the text says: a sum with one passive term has a "
        "nonzero summand at k != y.",
        f"On the simplex both terms are 1 - p_y (sympy: {scaled}): alpha (1 - p_y) + beta sum p_k = (alpha + beta)/2 "
        "MAE. 'With proper balancing the reformulated MAE can be a powerful new loss' is therefore a scaled MAE.",
    )
    text = (
        f"MAE = ({own}) + sum_(k != y) {other}: active and passive, both with a constant label sum "
        f"({', '.join(map(str, sums))} at K = 3)"
    )
    return Finding(
        PROVED if tolerant and zero(sum(terms) - labels(loss, p)[0]) else UNDECIDED,
        "summand by summand, sympy",
        text,
        details,
    )


@claim(
    "apl-mae-decomposes",
    "Sec. 4.2",
    "A single passive loss like MAE decomposes into an active and a passive term, which form an APL loss",
    printed="mae",
    falsified="ce",
    falsification="CE in place of MAE",
)
def mae_decomposes(claimed: str, effort: Effort) -> Finding:
    loss = build(claimed)
    own, other = summand(loss, own=True), summand(loss, own=False)
    if other == 0 or own == 0:
        point: Evidence = {"loss": loss.title, "term at k = y": str(own), "term at k != y": str(other)}
        return Finding(REFUTED, "summand by summand, sympy", f"{loss.title}: no passive term", counterexample=point)
    return _two_terms_of_mae(own, other, loss)


# ------------------------------------------------------------------------------------------------ Sec. 4.3, 5.1


def _normalised_sum(of_terms: Sequence[float], of_sum: Sequence[float]) -> Finding:
    """Eq. 1 applied to the sum is another loss."""
    quotients = [x / y for x, y in zip(of_terms, of_sum, strict=True)]
    point: Evidence = {
        "p": [tools.rational(EVEN), tools.rational(UNEVEN)],
        "NCE+RCE": of_terms,
        "SCE by Eq. 1": of_sum,
        "quotients": quotients,
    }
    text = (
        f"NCE+RCE over SCE by Eq. 1 is {quotients[0]:.4f} at (1/2, 1/4, 1/4) and {quotients[1]:.4f} at (1/2, 2/5, 1/10)"
    )
    return Finding(
        REFUTED if abs(quotients[0] - quotients[1]) > 1e-6 else UNDECIDED,
        "sympy, two points",
        text,
        counterexample=point,
    )


def _normalised_terms(p: Sequence[Scalar], of_sum: Sequence[float], of_terms: Sequence[float]) -> Finding:
    """Eq. 1 applied to each term."""
    ce, rce = labels(CE(), p), labels(RCE(), p)
    each = zero(ce[0] / sum(ce) - labels(NCE(), p)[0]) and zero(rce[0] / sum(rce) - labels(NRCE(), p)[0])
    scale = sp.simplify(labels(RCE(), p)[0] / labels(NRCE(), p)[0])
    constant = not any(sp.simplify(sum(labels(term, p))).free_symbols for term in (NCE(), RCE()))
    details = (
        f"Term by term: RCE is {scale} NRCE at K = 3, a factor for beta to take up. Eq. 1 applied to the sum is "
        f"another loss: {of_sum[0]:.4f} and {of_sum[1]:.4f} where NCE+RCE is {of_terms[0]:.4f} and {of_terms[1]:.4f}.",
        "The guarantee is that of Lemma 1 (symmetric noise). Beyond it minimising sequences of NCE+RCE still tend to "
        "e_y wherever its label is the most frequent one, for RCE has its minimum there (docs/theory.md, 3).",
    )
    text = (
        "normalised by Eq. 1 term by term, CE+RCE is NCE+NRCE, which is NCE+RCE with another beta; its label sum is "
        "constant"
    )
    return Finding(PROVED if each and constant and not scale.free_symbols else UNDECIDED, "sympy", text, details)


@claim(
    "apl-sce",
    "Sec. 4.3",
    "NCE+RCE can be seen as the normalised version of SCE (CE+RCE)",
    printed="terms",
    falsified="sum",
    falsification="Eq. 1 applied to the sum CE+RCE",
)
def normalised_sce(claimed: str, effort: Effort) -> Finding:
    p = [*sp.symbols("p1:3", positive=True), 1 - sum(sp.symbols("p1:3", positive=True))]
    target = labels(NCE(), p)[0] + labels(RCE(), p)[0]
    whole = [x + y for x, y in zip(labels(CE(), p), labels(RCE(), p), strict=True)]
    points = [{p[0]: sp.Rational(1, 2), p[1]: x} for x in (sp.Rational(1, 4), sp.Rational(2, 5))]
    of_sum = [float((whole[0] / sum(whole)).subs(point)) for point in points]
    of_terms = [float(target.subs(point)) for point in points]
    if claimed == "sum":
        return _normalised_sum(of_terms, of_sum)
    return _normalised_terms(p, of_sum, of_terms)


def _constant_against_moved(claimed: tuple[Fraction, ...], model: NoiseModel) -> Finding:
    """NCE+MAE has a constant label sum; GCE moves its minimiser."""
    total = sum(labels(NCE() + MAE(), simplex(3)))
    constant = zero(total - 5)  # 1 + 2 (K - 1)
    row = [float(w) for w in model.rows[0].weights]
    moved = minimise(GCE(q=Q(7, 10)), row).point[0]
    joint = check(NCE() + MAE(), model).asymmetric
    details = (
        f"GCE (rho = 0.7) under symmetric noise 0.2, K = 10: the noisy risk is least at p_y = {moved:.4f}, the clean "
        "risk at e_y.",
        "For every rho < 1 the slope of GCE is -inf at 0, so no noise with w_n > 0 leaves the minimiser at e_y "
        "(alf-gce-not); the argmax stays right, as the risk decreases in p_y.",
        "NCE+MAE: constant label sum, so Lemma 1 covers symmetric noise; under other noise minimising sequences tend "
        "to e_y, for MAE does.",
    )
    text = (
        "label sum of NCE+MAE constant (1 + 2(K-1)); GCE: exact condition fails under symmetric 0.2 for rho = "
        f"{', '.join(map(str, map(float, claimed)))}"
    )
    return Finding(PROVED if constant and joint else UNDECIDED, "sympy; KKT", text, details)


@claim(
    "apl-gce-nce-mae",
    "Sec. 4.3",
    "NCE+MAE is theoretically robust while GCE (rho < 1) is not",
    printed=(Q(1, 100), Q(1, 2), Q(7, 10), Q(99, 100)),
    falsified=(Q(1, 2), Q(1)),
    falsification="rho = 1 included",
)
def gce_is_not_robust(claimed: tuple[Fraction, ...], effort: Effort) -> Finding:
    model = symmetric(10, Q(1, 5))
    for rho in claimed:
        if check(GCE(q=rho), model).asymmetric:
            point: Evidence = {
                "loss": f"GCE(q={rho})",
                "noise": "symmetric 0.2, K = 10",
                "minimiser of the noisy risk": "e_y",
            }
            return Finding(
                REFUTED, "exact condition", f"GCE at rho = {rho} keeps its minimiser under noise", counterexample=point
            )
    return _constant_against_moved(claimed, model)


def momentum_step(
    weight: Scalar, velocity: Scalar, slope: Scalar, rate: Scalar, decay: Scalar
) -> tuple[Scalar, Scalar]:
    """One step of SGD as the papers use it: ``v = mu v + (g + decay w)``, ``w = w - rate v``."""
    velocity = sp.Symbol("mu", positive=True) * velocity + slope + decay * weight
    return weight - rate * velocity, velocity


def _one_step_with_decay(
    effort: Effort,
    w: Sequence[Fraction],
    v: Scalar,
    g: Scalar,
    s: Scalar,
    rate: Scalar,
    decay: Scalar,
    agree: Callable[[Scalar, Scalar], bool],
) -> Finding:
    """One step with weight decay, from either side."""
    numbers = {
        w: 1,
        v: 0,
        g: 1,
        s: 10,
        rate: sp.Rational(1, 100),
        decay: sp.Rational(1, 10000),
        sp.Symbol("mu", positive=True): 0,
    }
    left, right = (
        step[0].subs(numbers)
        for step in (momentum_step(w, s * v, s * g, rate, decay), momentum_step(w, v, g, s * rate, decay))
    )
    point: Evidence = {
        "w": 1,
        "gradient": 1,
        "scale": 10,
        "rate": "0.01",
        "weight decay": "1e-4",
        "scaled loss": str(left),
        "scaled rate": str(right),
    }
    fixed = scaling(("momentum",), effort)
    details = (
        "With weight decay the scaled loss needs s times the weight decay as well (sympy: "
        f"{agree(s * decay, decay)}), and with clipped gradients s times the bound, for min(1, sC/|s g|) s g = s "
        "min(1, C/|g|) g.",
        "The paper trains with weight decay 1e-3, 1e-4 and 1e-5 (Sec. 5.2), so there a scaled loss is also one with "
        "less weight decay; ANL and JAL clip gradients at norm 5, where a scaled loss is cut off and a scaled "
        "learning rate is not.",
    )
    text = (
        f"with weight decay 1e-4 and scale 10 one step from w = 1 leads to {left} for the scaled loss, {right} for the "
        "scaled rate"
    )
    return Finding(
        REFUTED if left != right else UNDECIDED,
        "sympy, one step",
        text,
        details,
        point,
        tools.corrected("it is for SGD with momentum, without weight decay and clipping", fixed),
        "The remark that scaling helps no more than a learning rate does: weight decay of 1e-4 is a small part of "
        "the step.",
    )


@claim(
    "apl-scaling",
    "Sec. 5.1",
    "Scaling the loss is equivalent to scaling the gradients, as scaling the learning rate is",
    printed=("momentum", "weight decay"),
    falsified=("weight decay",),
    falsification="weight decay kept in the corrected statement",
)
def scaling(claimed: tuple[str, ...], effort: Effort) -> Finding:
    w, v, g, s, rate, decay = sp.symbols("w v g s rate lambda", positive=True)

    def agree(own: Scalar, other: Scalar) -> bool:
        """Does a step on s L at ``rate`` equal one on L at ``s rate``, if the velocities were s : 1 before it?"""
        left, right = momentum_step(w, s * v, s * g, rate, own), momentum_step(w, v, g, s * rate, other)
        return bool(sp.expand(left[0] - right[0]) == 0 and sp.expand(left[1] - s * right[1]) == 0)

    if "weight decay" not in claimed:
        text = (
            "SGD with momentum, step by step: with velocities s : 1 both weights make the same step and keep the "
            "ratio s : 1"
        )
        return Finding(
            PROVED if agree(sp.Integer(0), sp.Integer(0)) else UNDECIDED, "sympy, by induction over the steps", text
        )
    return _one_step_with_decay(effort, w, v, g, s, rate, decay, agree)
