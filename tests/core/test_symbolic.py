"""Thresholds as formulas: against independent closed forms, and against a deliberately broken derivation."""

from __future__ import annotations

import random
from fractions import Fraction as F

import pytest
import sympy as sp

from asymtheory.asymmetry.rules.kkt import KKT
from asymtheory.errors import InputError
from asymtheory.losses import AEL, AGCE, AMSE, AUL, CE, GCE, LogitClipCE, PHuberCE, TaylorCE, build
from asymtheory.losses.domain import Domain
from asymtheory.noise import from_weights, named, symmetric
from asymtheory.threshold import solve, solve_rate, symbolic
from asymtheory.threshold.closed_form import exact_end, name_ends
from asymtheory.threshold.symbolic import VerificationError, derive, derive_for

K, eta, c, S, a, q, p, t, tau = (sp.Symbol(n, positive=True) for n in "K eta c S a q p t tau".split())
LEVEL = (K - 1) * (1 - eta) / eta  # clean level of symmetric noise

# what is derived -> relation and the closed form, written by hand: JAL Thm 4.1; ALF Cor. 1-3 with c r >= 1; the two
# slopes of Taylor-CE and PHuber-CE; logits of a clipped network
FORMULAS = [
    (AMSE(q=2), "a", "symmetric", ("K", "eta"), ">=", (K - 1) / (K - 1 - K * eta)),
    (AMSE(q=2), "a", "uniform", ("K", "eta"), ">=", 1 / (1 - eta)),
    (AMSE(q=2), "a", "pair", ("K", "eta"), ">=", 1 / (1 - 2 * eta)),
    (AMSE(q=2), "a", "cifar100", ("eta",), ">=", 1 / (1 - 2 * eta)),
    (AMSE(q=2), "a", None, ("c",), ">=", (c + S) / (c - 1)),
    (build("jal-ce"), "a", "symmetric", ("K", "eta"), ">=", (K - 1) / (K - 1 - K * eta)),
    (AMSE(q=2), "eta", "symmetric", ("K", "eta", "a"), "<=", (K - 1) / K * (1 - 1 / a)),
    (AGCE(q=F(7, 10)), "a", None, ("c",), ">=", 1 / (c ** sp.Rational(10, 3) - 1)),
    (AGCE(), "a", None, ("c", "q"), ">=", 1 / (c ** (1 / (1 - q)) - 1)),
    (AGCE(), "a", "symmetric", ("K", "eta", "q"), ">=", 1 / (LEVEL ** (1 / (1 - q)) - 1)),
    (AGCE(), "q", None, ("c", "a"), ">=", 1 - sp.log(c) / sp.log(1 + 1 / a)),
    (AGCE(), "eta", "symmetric", ("K", "a", "q"), "<=", (K - 1) / (K - 1 + (1 + 1 / a) ** (1 - q))),
    (AGCE(q=2), "eta", "symmetric", ("K",), "<", 1 - 1 / K),
    (AUL(), "a", None, ("c", "p"), ">=", 1 + 1 / (c ** (1 / (p - 1)) - 1)),
    (AUL(), "p", None, ("c", "a"), "<=", 1 + sp.log(c) / sp.log(a / (a - 1))),
    (AEL(), "a", None, ("c",), ">=", 1 / sp.log(c)),
    (AEL(), "a", "symmetric", ("K", "eta"), ">=", 1 / sp.log(LEVEL)),
    (AEL(), "eta", "symmetric", ("K", "a"), "<=", (K - 1) / (K - 1 + sp.exp(1 / a))),
    (TaylorCE(), "t", None, ("c",), "<=", c),
    (PHuberCE(), "tau", None, ("c",), "<=", c),
    (PHuberCE(), "tau", "symmetric", ("K", "eta"), "<=", LEVEL),
    (build("ogc-ce"), "p0", None, ("c",), ">=", 1 / c),
    (build("ogc-ce"), "p0", "symmetric", ("K", "eta"), ">=", 1 / LEVEL),
    (build("ogc-gce"), "p0", None, ("c",), ">=", c ** sp.Rational(-10, 3)),
    (LogitClipCE(), "tau", "symmetric", ("K", "eta"), "<=", sp.log(LEVEL) * sp.sqrt((K - 1) / K)),
    (LogitClipCE(), "tau", None, ("c",), "<=", sp.log(c) * sp.sqrt((K - 1) / K)),
]


def at_random(expression: sp.Expr, draw: random.Random) -> dict[sp.Symbol, sp.Rational]:
    ranges = {"K": (4, 40), "eta": (1, 40), "q": (10, 90), "p": (110, 500)}
    values = {}
    for symbol in sorted(expression.free_symbols, key=str):
        n = draw.randint(*ranges.get(str(symbol), (110, 900)))
        values[symbol] = sp.Integer(n) if str(symbol) == "K" else sp.Rational(n, 100)
    return values


@pytest.mark.parametrize(
    ("loss", "parameter", "kind", "leave", "relation", "closed"),
    FORMULAS,
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_formulas_of_the_papers(loss, parameter, kind, leave, relation, closed):
    answer = derive(loss, parameter, kind or "symmetric", leave)
    assert answer.solved
    assert answer.relation == relation
    assert answer.expression.free_symbols == closed.free_symbols
    assert answer.text == f"{parameter} {relation} {answer.expression}"
    draw = random.Random(7)
    for _ in range(5):
        values = at_random(closed, draw)
        assert abs((answer.expression - closed).subs(values).evalf(30)) < 1e-20, values
    for symbol in closed.free_symbols:
        assert sp.latex(symbol) in answer.latex
    assert r"\frac" in answer.latex or not answer.expression.as_numer_denom()[1].free_symbols


def test_the_text_reads_well():
    answer = derive(AMSE(), "a")
    assert answer.text == "a >= (K - 1)/(K*(1 - eta) - 1)"
    assert answer.latex == r"a \geq \frac{K - 1}{K \left(1 - \eta\right) - 1}"
    assert answer.assumptions == "a >= 1, whole K >= 2, 0 < eta < (K - 1)/K, q = 2"
    assert derive(AGCE(), "a", open=("c", "q")).assumptions == "0 < q < 1, a >= 0, c = w_m/w_n > 1; q >= 1: always"
    assert derive(AEL(), "a").text == "a >= 1/log((1 - eta)*(K - 1)/eta)"
    assert "S = (sum of w_i over i != m)/w_n >= 1" in derive(AMSE(), "a", open=("c",)).assumptions
    facts = answer.to_dict()
    assert facts["expression"] == "(K - 1)/(K*(1 - eta) - 1)"
    assert facts["relation"] == ">="
    assert facts["solved"] is True
    assert "because   every phi_k is convex" in str(answer)


def test_the_condition_decides_as_the_loss_does():
    condition = derive(AMSE(), "a").condition
    values = {K: 10, eta: sp.Rational(4, 5)}
    assert bool(condition.subs({**values, a: 9})) is True
    assert bool(condition.subs({**values, a: sp.Rational(899, 100)})) is False


def test_a_formula_and_a_number_agree_on_fixed_values():
    answer = derive(AMSE(), "a", fixed={"eta": F(4, 5)}, open=("K",))
    assert sp.simplify(answer.expression - 5 * (K - 1) / (K - 5)) == 0
    answer = derive(AGCE(q=F(1, 2)), "a", fixed={"eta": F(4, 5)}, open=("K",))
    assert "whole K >= 6" in answer.assumptions  # below, the clean label is not the likeliest
    assert answer.expression.subs(K, 10) == sp.Rational(16, 65)


def test_where_no_threshold_lies_the_form_of_the_loss_answers():
    assert derive(AGCE(), "a", open=("c", "q"), assume={"q": Domain(F(1), None)}).text == "always: any a"
    never = derive(GCE(), "q")
    assert never.text == "never: no q"
    assert never.assumptions.endswith("q = 1: always")
    assert never.latex == r"\text{never: no q}"
    assert derive(CE()).relation == "never"
    assert derive(build("mae")).relation == "always"
    assert derive(build("nfl"), "gamma", "pair").relation == "never"
    assert derive(build("anl-ce"), "alpha").relation == "always"
    assert derive(build("bi-tempered")).text == "never: no t"
    assert not derive(build("ogc-fl"), "p0").solved  # never, by a condition that is transcendental in p0


def test_sums_with_a_factor_in_K():
    # slopes of alpha MAE + beta AMSE by hand: (w_m - w_n) (2 alpha + 2 beta a / K) >= 2 beta / K
    answer = derive(build("mae+amse"), "a", open=("K", "eta", "alpha", "beta"))
    alpha, beta = sp.symbols("alpha beta", positive=True)
    margin = 1 - eta - eta / (K - 1)
    assert answer.relation == ">="
    assert sp.simplify(answer.expression - (1 / margin - alpha * K / beta)) == 0


def test_what_cannot_be_solved_is_answered_by_the_condition():
    answer = derive(AMSE(), "a", open=("K", "eta", "q"))
    assert answer.solved is False
    assert answer.relation == "undecided"
    assert answer.expression is None
    assert answer.text == str(answer.condition)
    by_hand = (1 - eta) * (a - 1) ** (q - 1) - eta / (K - 1) * a ** (q - 1) - eta
    values = {K: 7, eta: sp.Rational(1, 3), a: 5, q: sp.Rational(7, 4)}
    ratio = (answer.condition.lhs / by_hand).subs(values).evalf(30)
    assert abs(ratio - 6) < 1e-20  # equal up to the positive factor K - 1
    assert r"\geq 0" in answer.latex
    assert derive(AMSE(), "q").solved is False


@pytest.mark.parametrize(
    ("loss", "unknown", "wrong"),
    [
        (AMSE(), "a", lambda r: r * sp.Rational(21, 20)),
        (AMSE(), "eta", lambda r: 1 / r),
        (AGCE(), "a", lambda r: r + sp.Rational(1, 10**7)),
        (AEL(), "a", lambda r: -r),
    ],
)
def test_a_wrong_root_is_caught(monkeypatch, loss, unknown, wrong):
    right = symbolic.roots
    monkeypatch.setattr(symbolic, "roots", lambda f, x, names: [wrong(r) for r in right(f, x, names)])
    with pytest.raises(VerificationError):
        derive(loss, unknown)


def test_a_wrong_condition_or_verdict_is_caught(monkeypatch):
    right = KKT.formula
    monkeypatch.setattr(KKT, "formula", lambda *given: -right(*given))
    with pytest.raises(VerificationError, match="wrong sign"):
        derive(AMSE(), "a")
    with pytest.raises(VerificationError, match="wrong sign"):
        derive(AMSE(), "q")  # also where it is the condition that is answered
    monkeypatch.setattr(KKT, "formula", lambda *given: sp.oo)
    with pytest.raises(VerificationError, match="always was derived"):
        derive(GCE(), "q")
    monkeypatch.setattr(KKT, "formula", right)
    monkeypatch.setattr(symbolic, "roots", lambda f, x, names: [])
    with pytest.raises(VerificationError):
        derive(AEL(), "a")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"open": ("c", "eta")}, "either c or eta"),
        ({"open": ("K",)}, "eta must be open or given"),
        ({"open": ("eta",)}, "K must be open or given"),
        ({"open": ("K", "eta", "b")}, "no parameter 'b'"),
        ({"parameter": "z"}, "no parameter 'z'"),
        ({"kind": "cifar10n-worse"}, "has no formula in eta"),
        ({"open": ("K",), "fixed": {"eta": F(0)}}, r"in \(0, 1\]"),
        ({"open": ("K",), "fixed": {"eta": F(1)}}, "do not dominate"),
        ({"open": ("K", "eta", "q"), "assume": {"q": Domain(F(1, 2), F(2))}}, "no range of one curvature"),
    ],
)
def test_bad_input(given, message):
    with pytest.raises(InputError, match=message):
        derive(AGCE(), **{"parameter": "a", **given})


def test_defaults_of_the_command_line():
    assert derive_for(AMSE(), None, "symmetric").text == "a >= (K - 1)/(K*(1 - eta) - 1)"
    assert derive_for(AMSE(), "a", "symmetric", K=10).text == "a >= 9/(9 - 10*eta)"
    assert derive_for(AMSE(), "a", "cifar10").text == "a >= 1/(1 - 2*eta)"
    assert derive_for(AEL(), "a", "symmetric", leave_open=["c"]).text == "a >= 1/log(c)"
    with pytest.raises(InputError, match="nothing is left open"):
        derive_for(AMSE(), "a", "symmetric", K=10, eta=F(4, 5))
    with pytest.raises(InputError, match="--open K"):
        derive_for(AMSE(), "a", "symmetric", K=10, leave_open=["K"])


# ------------------------------------------------------------------------------------------------ names of numbers

EIGHTY = symmetric(10, F(4, 5))  # c = 9/4

NAMES = [
    (AGCE(q=F(7, 10)), "a", EIGHTY, "1/((9/4)**(10/3) - 1)"),
    (AGCE(a=F(1, 2)), "q", EIGHTY, "1 - log(9/4)/log(3)"),
    (AMSE(q=F(3, 2)), "a", EIGHTY, "81*(32*sqrt(1361) + 1617)/4225"),
    (LogitClipCE(), "tau", EIGHTY, "log(9/4)*sqrt(9/10)"),
    (AUL(a=3), "p", symmetric(10, F(3, 5)), "1 + log(6)/log(3/2)"),
    (AUL(p=F(5, 2)), "a", symmetric(10, F(3, 5)), "1/(1 - 6**(-2/3))"),
    (AGCE(q=F(7, 10)), "a", named("cifar10n-worse"), "1/((2753/1410)**(10/3) - 1)"),
]


@pytest.mark.parametrize(("loss", "parameter", "noise", "closed"), NAMES)
def test_closed_forms_that_arithmetic_cannot_name(loss, parameter, noise, closed):
    found = solve(loss, noise, parameter)
    assert found.end.exact is None
    named_ = name_ends(found)
    form = named_.end.exact
    assert form is not None
    exact = sp.sympify(form, rational=True)
    assert abs((exact - sp.sympify(closed, rational=True)).evalf(40)) < 1e-35
    assert found.end.low * (1 - 1e-13) <= exact.evalf(30) <= found.end.high * (1 + 1e-13)
    assert named_.to_dict()["exact"] == form
    assert named_.end.low == found.end.low


def test_noise_rates_get_names_too():
    named_ = name_ends(solve_rate(AEL(), "symmetric", 10))
    assert abs(sp.sympify(named_.end.exact) - 9 / (9 + sp.exp(sp.Rational(2, 5)))).evalf(30) < 1e-25
    named_ = name_ends(solve_rate(AMSE(q=F(3, 2)), "cifar10", 10))
    r = sp.sqrt(30)  # (1 - eta) sqrt(29) = eta sqrt(30) + eta
    assert abs(sp.sympify(named_.end.exact) - sp.sqrt(29) / (sp.sqrt(29) + r + 1)).evalf(30) < 1e-25


def test_roots_with_radicals_become_polynomials():
    found = solve(AMSE(q=F(4, 3)), EIGHTY, "a")
    form = name_ends(found).end.exact
    assert form.startswith("root of ")
    left = sp.sympify(form.removeprefix("root of ").removesuffix(" = 0").replace("^", "**"))
    (root,) = (r for r in sp.Poly(left).nroots(30) if r.is_real and abs(r - found.end.value) < 1e-6)
    gap = (root - 1) ** sp.Rational(1, 3) * F(1, 5) - root ** sp.Rational(1, 3) * F(4, 45) - F(4, 5)
    assert abs(gap) < 1e-20


def test_no_name_is_made_up():
    end = solve(AGCE(q=F(7, 10)), EIGHTY, "a").end
    row = EIGHTY.worst_row()
    assert exact_end(AGCE(q=F(7, 10)), row, "a", end.low, end.high) == "1/((9/4)**(10/3) - 1)"
    assert exact_end(AGCE(q=F(7, 10)), row, "a", end.low + 1e-9, end.high + 1e-9) is None
    assert exact_end(AGCE(q=F(69, 100)), row, "a", end.low, end.high) is None
    assert exact_end(AMSE(q=F(137, 100)), row, "a", 209.3440, 209.3441) is None  # a mixture of 37th powers
    assert exact_end(AMSE(), row, "q", 1.59109, 1.59110) is None  # transcendental
    assert exact_end(GCE(), row, "q", 0.5, 0.6) is None
    rounded = from_weights([0.7, 0.2, 0.1])
    assert exact_end(AGCE(q=F(7, 10)), rounded.worst_row(), "a", 0.01, 0.02) is None
    with pytest.raises(InputError, match="noise kind"):
        exact_end(AEL(), row, "eta", 0.1, 0.2)


def test_a_spurious_root_of_the_squared_equation_is_not_a_name():
    # clearing sqrt(a - 1)/5 - 4 sqrt(a)/45 - 4/5 = 0 of radicals adds a second root, which solves another equation
    other = sp.Rational(81, 4225) * (1617 - 32 * sp.sqrt(1361))
    at = float(other)
    assert exact_end(AMSE(q=F(3, 2)), EIGHTY.worst_row(), "a", at - 1e-9, at + 1e-9) is None


@pytest.mark.parametrize("name", ["rdpo", "label-smoothing"])
def test_a_single_value_that_works_is_not_denied(name: str) -> None:
    """On three classes or more these work where the other classes' coefficients vanish; symbols do not say where that is."""
    assert solve(build(name), symmetric(10, F(2, 5))).status == "threshold"
    assert derive(name).relation == "undecided"
    assert derive(name, fixed={"K": 2}, open=("eta",)).relation in (">=", "<=")
