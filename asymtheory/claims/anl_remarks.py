"""ANL (NeurIPS 2023): what the text says beside its theorems, and the lines of its derivations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import sympy as sp

from ..asymmetry.certificates import active_negative
from ..losses.papers import CE, MAE, MSE, NNCE
from ..losses.profile import Profile
from ..losses.registry import build
from ..noise.models import symmetric
from ..numbers.backends import arb_, sympy_
from ..numbers.scalar import Scalar
from . import tools
from .anl import P_MIN, Negative, ball_risks, flip_row, number, pair_loses, slope, symbols, uniform_proof
from .apl_remarks import EVEN, UNEVEN, constant_at_fixed_own, normalisation_makes_robust
from .ledger import PROVED, REFUTED, UNDECIDED, Effort, Evidence, Finding, claim
from .tools import Q, labels, zero


@claim(
    "anl-normalisation",
    "Sec. 2.2",
    "Normalisation can make any loss function robust to noisy labels, since the labels of L_norm sum to 1",
    printed=(True, Q(1)),
    falsified=(False, Q(21, 20)),
    falsification="rate bound times 1.05 in the corrected statement",
)
def normalisation(claimed: tuple[bool, Fraction], effort: Effort) -> Finding:
    return normalisation_makes_robust(
        claimed,
        effort,
        "The label sum of 1, and with it symmetric noise; the noise model of Eq. 1 holds asymmetric noise too.",
    )


def _factors_to_mae(claimed: tuple[str, ...]) -> Finding:
    """The factors to MAE on the simplex."""
    u = tools.simplex(3)
    factors = {name: sp.simplify(labels(build(name), u)[0] / labels(MAE(), u)[0]) for name in claimed}
    shares = [Q(int(x.p), int(x.q)) for x in (labels(MSE(), p)[0] / sum(labels(MSE(), p)) for p in (EVEN, UNEVEN))]
    details = (
        "'Current' is needed: the framework admits any robust passive loss. MSE normalised by Eq. 2 is one, and no "
        f"scaled MAE: {shares[0]} at (1/2, 1/4, 1/4), {shares[1]} at (1/2, 2/5, 1/10). NNLF and AMSE are two more.",
    )
    text = (
        f"factors to MAE on the simplex, K = 3: {', '.join(f'{name} {x}' for name, x in factors.items())}: Eq. 5 with "
        "another beta"
    )
    held = all(x.is_positive for x in factors.values()) and shares[0] != shares[1]
    return Finding(PROVED if held else UNDECIDED, "sympy on the simplex", text, details)


@claim(
    "anl-mae-necessary",
    "Eq. 5",
    "The passive losses of APL (MAE, RCE, NMAE, NRCE) are scaled MAE: MAE is a necessary component of the current APL",
    printed=("mae", "rce", "nmae", "nrce"),
    falsified=("mae", "rce", "amse"),
    falsification="AMSE put among the passive losses",
)
def mae_is_necessary(claimed: tuple[str, ...], effort: Effort) -> Finding:
    for name in claimed:
        loss = build(name)
        if not constant_at_fixed_own(loss):
            quotients = [str(labels(loss, u)[0] / labels(MAE(), u)[0]) for u in (EVEN, UNEVEN)]
            point: Evidence = {
                "loss": str(loss),
                "p": tools.rational(EVEN),
                "p'": tools.rational(UNEVEN),
                "quotients to MAE": quotients,
            }
            return Finding(
                REFUTED, "exact evaluation", f"{loss} is not a multiple of MAE: {quotients}", counterexample=point
            )
    return _factors_to_mae(claimed)


# ------------------------------------------------------------------------------------------------ derivations


def _proportional_to_eq_8() -> Finding:
    """The last form is proportional to Eq. 8."""
    core = labels(Negative(CE(), P_MIN), EVEN, sympy_())
    same = zero(2 * core[0] / sum(core) - labels(NNCE(), EVEN, sympy_())[0])
    details = (
        "q(k = j | x) may be read as the indicator of k = j or as the weight q(j | x): both double sums are (K-1) "
        "sum_k (A - L_k).",
        "The last step is 'proportional to' with the factor 1/(K-1), so Eq. 8 is K-1 times the normalised loss of "
        "Eq. 2.",
    )
    text = (
        "K = 2..5, every A - L_k a symbol: all four forms equal, factor 1/(K-1); each h_k is counted K-1 times, so "
        "any K"
    )
    return Finding(PROVED if same else UNDECIDED, "sympy", text, details)


@claim(
    "anl-eq20",
    "Eq. 20",
    "The four forms of Eq. 20 are equal, and proportional to 1 - (A - L_y) / sum_k (A - L_k)",
    printed=lambda K: Q(1, K - 1),
    falsified=lambda K: Q(1, K),
    falsification="factor 1/K in the last form",
)
def forms_of_nnlf(claimed: Callable[[int], Fraction], effort: Effort) -> Finding:
    for K in (2, 3, 4, 5):
        h = symbols(f"h1:{K + 1}")  # A - L_k
        q = [int(k == 0) for k in range(K)]
        first = sum((1 - q[k]) * h[k] for k in range(K))
        by_label = sum((1 - int(k == j)) * h[k] for j in range(K) for k in range(K))
        # q(k = j) read as the label's weight q(j)
        by_weight = sum((1 - q[j]) * h[k] for j in range(K) for k in range(K))
        forms = [first / by_label, first / by_weight, sum(h[1:]) / ((K - 1) * sum(h)), claimed(K) * (1 - h[0] / sum(h))]
        wrong = next((form for form in forms if not zero(form - forms[0])), None)
        if wrong is not None:
            at = {x: i + 1 for i, x in enumerate(h)}
            values = [str(sp.sympify(form).subs(at)) for form in forms]
            point: Evidence = {"K": K, "A - L_k": list(range(1, K + 1)), "forms": values}
            return Finding(
                REFUTED, "sympy", f"K = {K}, A - L = (1, ..., {K}): {', '.join(values)}", counterexample=point
            )
    return _proportional_to_eq_8()


def _stationary_point(D: Scalar, p: Scalar, c: Scalar, d: Scalar) -> tuple[bool, bool]:
    """Eq. 35: the stationary point of Eqs. 30-34, and their concavity."""
    many = 4
    each = sp.symbols(f"x1:{many}", positive=True)
    multiplier = sp.Symbol("l", positive=True)
    stationary = sp.solve([1 / (p - x) - multiplier for x in each] + [sum(each) - D], [*each, multiplier], dict=True)
    equal = len(stationary) == 1 and all(sp.simplify(stationary[0][x] - D / (many - 1)) == 0 for x in each)  # Eq. 35
    concave = sp.diff(sp.log(p + d - D), D, 2).subs(p, D + c).is_negative
    return equal, concave


def _steps_below_p_min() -> tuple[Scalar, tuple[str, ...]]:
    """What the steps need, and where Eq. 40 fails."""
    below = ((Q(3, 4) - Q(1, 10**41), Q(1, 4), Q(1, 10**41)), (Q(1, 2), Q(1, 4), Q(1, 4)))
    broken = [number(slope(NNCE(), u, 1, arb_())) for u in below]
    details = (
        "Eqs. 22 and 23 print '1/dp(j|x)' for 'd/dp(j|x)' in their second lines; values as for free p_k, sign of p_j "
        "- q_j.",
        "Eq. 29: a/b >= (a+c)/(b+c) for a >= b > 0, c = p_y - p_k >= 0. Eqs. 30-37: the objective is concave, so its "
        "stationary point d_k = D/(K-2) is the maximum; D/(K-2) <= p_y, as the p_k that give it are at most p_y. Eq. "
        "38: mean value theorem, strict.",
        "Eq. 40 goes from sum log p(x2) > sum log p(x1) to squares, which needs K A + sum log p(x1) > 0: true on u_k "
        f">= p_min, not said. Below p_min it fails: slopes {broken[0]:.5f} < {broken[1]:.5f} at (3/4 - 1e-41, 1/4, "
        "1e-41) and (1/2, 1/4, 1/4).",
    )
    return broken, details


@claim(
    "anl-eq22-23",
    "Eqs. 22-23; proof of Thm 3",
    "d MAE/dp_j is 1 for j != y and -1 for j = y; each line of the proof of Theorem 3 (Eqs. 29-40) follows",
    printed=1,
    falsified=-1,
    falsification="the fraction rule under Eq. 29 with c <= 0 in place of c >= 0",
)
def lines_of_derivations(claimed: int, effort: Effort) -> Finding:
    p, d, c, D = symbols("p d c D")
    if claimed < 0:
        point: Evidence = {"p_k": "1/2", "p_y": "3/10", "d_k": "1/10", "p_k/(p_k-d_k)": "5/4", "p_y/(p_y-d_k)": "3/2"}
        return Finding(
            REFUTED, "exact evaluation", "p_y = 3/10 < p_k = 1/2, d_k = 1/10: 5/4 >= 3/2 fails", counterexample=point
        )
    slopes = [slope(MAE(), symbols("p1 p2 p3"), j, sympy_()) for j in (0, 1)]
    # Eq. 29: p_k = p + d, p_k - d_k = p, p_y = p_k + c
    fraction = sp.factor((p + d) / p - (p + c + d) / (p + c)).is_positive
    equal, concave = _stationary_point(D, p, c, d)
    more = (
        sp.simplify(sp.diff(-sp.log(1 - 1 / (1 + p)) - 1 / (1 + p), p)).is_negative
        and sp.diff(D - sp.log(1 + D), D).is_positive
    )
    broken, details = _steps_below_p_min()
    held = slopes == [-1, 1] and fraction and equal and concave and more and broken[0] < broken[1]
    text = "slopes of MAE -1 and 1; the steps of Eqs. 29, 35, 38 by sympy; Eq. 40 holds on u_k >= p_min, where H > 0"
    return Finding(PROVED if held else UNDECIDED, "sympy on u_k >= p_min", text, details)


# ------------------------------------------------------------------------------------------------ tolerance, p_min


def _excess_of_nnlf() -> Finding:
    """F_w of NNLF less its value at the cut-off vertex is a sum of positive terms."""
    h = sp.symbols("h1:5", nonnegative=True)
    lead = sp.symbols("d2:5", positive=True)  # w_m - w_k
    top = sp.Symbol("w_m", positive=True)
    rows = (top, *(top - d for d in lead))
    total = sum(rows)
    risk = sum(weight * (1 - x / sum(h)) for weight, x in zip(rows, h, strict=True))
    excess = zero(risk - (total - top) - sum(d * x for d, x in zip(lead, h[1:], strict=True)) / sum(h))
    corner = [1 - 2 * P_MIN, P_MIN, P_MIN]
    bound = [sp.simplify(x) for x in labels(NNCE(), corner)]
    details = (
        "Ghosh et al.'s conditions for asymmetric noise hold: R(f*) = 0 and 0 <= L <= C/(K-1) = 1, taken at the "
        f"cut-off vertex: {bound}.",
        "Unlike NCE, whose values exceed 1/(K-1): the symmetry alone would not do ('since they are symmetric' is not "
        "the reason).",
        "On u_k >= p_min; below p_min the sum of the h_k has zeros and NNLF a pole (anl-thm1).",
    )
    text = (
        "F_w = W - w_m + sum_k (w_m - w_k) h_k/H >= W - w_m for h_k = A - L_k >= 0, equal only at the cut-off vertex: "
        "any weights, w_m largest"
    )
    return Finding(PROVED if excess and bound == [0, 1, 1] else UNDECIDED, "sympy on u_k >= p_min", text, details)


@claim(
    "anl-nnlf-tolerant",
    "Sec. 3.2",
    "NNLFs are tolerant to symmetric and to asymmetric noise, being symmetric",
    printed=Q(1),
    falsified=Q(21, 20),
    falsification="symmetric noise up to 1.05 (K-1)/K",
)
def negative_is_tolerant(claimed: Fraction, effort: Effort) -> Finding:
    K = 3
    rate = Q(K - 1, K) * (1 + claimed) / 2 if claimed > 1 else Q(K - 1, K) * Q(99, 100)
    w = [1 - rate, *[rate / (K - 1)] * (K - 1)]
    here, vertex = ball_risks(NNCE(), w, [P_MIN, 1 - 2 * P_MIN, P_MIN])
    if not here > vertex:
        point: Evidence = {
            "K": K,
            "eta": str(rate),
            "risk at the cut-off vertex of class 2": number(here),
            "of class 1": number(vertex),
        }
        return Finding(REFUTED, "Arb", f"K = 3, symmetric {rate}: class 2 has less noisy risk", counterexample=point)
    return _excess_of_nnlf()


RATIO = Q(5, 2)  # alpha/beta above 9/4, the limit as p_min -> 0 on pair flips at 0.4, K = 10


def _pair_flips_by_cut_off(floors: Sequence[Fraction]) -> Finding:
    """What is known of ANL-CE on a pair flip, by p_min."""
    verdicts: dict[str, str] = {}
    for floor in floors:
        loss = build("anl-ce", alpha=RATIO, beta=1, p_min=floor)
        certified = active_negative(Profile.of(loss, 10), flip_row(10, Q(2, 5)), 0)
        lost = pair_loses(RATIO, 10, Q(2, 5), floor)
        verdicts[f"1e-{len(str(floor.denominator)) - 1}"] = "lost" if lost else "certified" if certified else "open"
    mixed = {"lost", "certified"} <= set(verdicts.values())
    point: Evidence = {"alpha/beta": str(RATIO), "noise": "pair 0.4, K = 10", "verdicts by p_min": verdicts}
    return Finding(
        REFUTED if mixed else UNDECIDED,
        "Arb; dual certificates",
        f"pair 0.4, alpha/beta = {float(RATIO)}: {verdicts}",
        counterexample=point,
    )


@claim(
    "anl-pmin",
    "App. D.1",
    "p_min (1e-5 to 1e-9) does not significantly affect ANL-CE under symmetric noise 0.6: what it tolerates stays "
    "the same",
    printed="symmetric",
    falsified="pair",
    falsification="pair flips 0.4 in place of symmetric noise",
)
def cut_off(claimed: str, effort: Effort) -> Finding:
    floors = [Q(1, 10**k) for k in (5, 6, 7, 8, 9)]
    if claimed == "pair":
        return _pair_flips_by_cut_off(floors)
    row = symmetric(10, Q(3, 5)).rows[0].weights
    kept = []
    for floor in floors:
        here, vertex = ball_risks(build("anl-ce", p_min=floor), row, [floor, 1 - 9 * floor, *[floor] * 8], floor)
        kept.append(bool(here > vertex))
    even = [Q(1, 10)] * 10
    sizes = [abs(number(slope(NNCE(p_min=floor), even, 0, arb_()))) for floor in (floors[0], floors[-1])]
    details = (
        "Minimiser: the cut-off vertex itself, so p_y = 1 - (K-1) p_min; its class does not depend on p_min.",
        f"Gradient: at p_k = 1/10 the slope of NNCE in p_y is {sizes[0]:.4f} for 1e-5 and {sizes[1]:.4f} for 1e-9, a "
        f"factor {sizes[0] / sizes[1]:.2f}: a smaller p_min is a smaller beta.",
        "Thresholds of sums: on pair flips the largest tolerated alpha/beta does depend on p_min, towards (K-1)(w_m "
        "- 1/2)/(1 - w_m) as p_min -> 0 (the control, and anl-tolerance).",
        "That the accuracies of Fig. 7 do not differ is an experiment, not judged here.",
    )
    text = (
        "uniform rest: F = const + (w_m - w_n) L(u, m), both terms least at the cut-off vertex, with p_min a symbol; "
        "five values agree"
    )
    return Finding(PROVED if all(kept) and uniform_proof() else UNDECIDED, "sympy, p_min open; Arb", text, details)
