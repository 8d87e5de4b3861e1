"""Every positive root of an equation as a formula, and the shortest of several equivalent forms.

The solver only rewrites an equation into one with at least the same roots, so it ends and loses none:

* polynomials by factors of degree one and two;
* two terms, ``A g(x) = B h(x)``: logarithms of both sides, then a power (a rational equation) or a quotient of logs;
* roots with small denominators: cleared of radicals, then as a polynomial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy as sp
from sympy.solvers.solvers import unrad

from ..numbers.scalar import Scalar

DEGREE = 8  # of polynomials that are factored
SIMPLIFIED = 60  # operations up to which simplify is tried
RADICALS = 6  # common denominator of exponents that are cleared


class Ratios:
    """Symbols that stand for a ratio of coefficients, so that nobody multiplies it out inside a power or a log."""

    def __init__(self, large: Callable[[Scalar], bool], plain_numbers: bool = False) -> None:
        self.large = large  # is the ratio above 1? Then it is the one to show, else its inverse
        self.plain_numbers = plain_numbers  # a rational keeps its digits as the symbol's name: (9/4)**(10/3)
        self.values: dict[Scalar, Scalar] = {}

    def stand_in(self, ratio: Scalar) -> Scalar:
        if self.plain_numbers and not ratio.is_Rational:
            return ratio
        text = f"r{len(self.values)}'" if not self.plain_numbers else str(ratio) if ratio.is_Integer else f"({ratio})"
        symbol = sp.Symbol(text, positive=True)
        self.values[symbol] = ratio
        return symbol


def roots(f: Scalar, x: Scalar, names: Ratios) -> list[Scalar] | None:
    """A list that holds every positive root of f in x, or None where no strategy applies."""
    f = sp.together(f).as_numer_denom()[0]
    if not f.has(x):
        return []
    for strategy in (_polynomial, lambda f, x: _two_terms(f, x, names), _radicals):
        found = strategy(f, x)
        if found is not None:
            return list(found)
    return None


def _polynomial(f: Scalar, x: Scalar) -> list[Scalar] | None:
    if not f.is_polynomial(x):
        return None
    found: list[Scalar] = []
    if sp.degree(f, x) > DEGREE:
        return None
    for factor, _ in sp.factor_list(f)[1]:
        if not factor.has(x):
            continue
        coefficients = sp.Poly(factor, x).all_coeffs()
        if len(coefficients) == 2:
            found.append(-coefficients[1] / coefficients[0])
        elif len(coefficients) == 3:
            a, b, c = coefficients
            square = sp.sqrt(sp.factor(b**2 - 4 * a * c))
            found += [(-b + square) / (2 * a), (-b - square) / (2 * a)]
        else:
            return None
    return found


def _groups(f: Scalar, x: Scalar) -> dict[Scalar, Scalar]:
    """The terms of f by what depends on x: {g(x): coefficient}."""
    groups: dict[Scalar, Scalar] = {}
    for term in sp.Add.make_args(sp.expand_mul(f)):
        # 2**(x + 1) as 2 * 2**x, so that the coefficient holds all that does not depend on x
        coefficient, power = sp.expand_power_exp(sp.powsimp(term)).as_independent(x, as_Add=False)
        groups[power] = groups.get(power, 0) + coefficient
    return groups


def _two_terms(f: Scalar, x: Scalar, names: Ratios) -> list[Scalar] | None:
    """``A g(x) + B h(x) = 0`` for products g, h of powers and exponentials: ``log(g/h) = log(-B/A)``."""
    groups = _groups(f, x)
    if len(groups) == 1:
        return []
    if len(groups) != 2:
        return None
    (g, a), (h, b) = groups.items()
    ratio = sp.factor(-b / a)
    if ratio.is_negative:
        return []
    if not names.large(ratio):
        g, h, ratio = h, g, 1 / ratio
    ratio = names.stand_in(ratio)
    left = sp.expand_log(sp.log(g), force=True) - sp.expand_log(sp.log(h), force=True)
    logs = [log for log in left.atoms(sp.log) if log.has(x)]
    if not logs:
        return _polynomial(sp.together(left - sp.log(ratio)).as_numer_denom()[0], x)
    left = sp.expand_mul(left)
    weights = [left.coeff(log) for log in logs]
    constant = sp.expand_mul(left - sum(w * log for w, log in zip(weights, logs, strict=True)))
    if constant.has(x) or any(w.has(x) for w in weights):
        return None
    relative = [sp.simplify(w / weights[0]) for w in weights]
    if not all(r.is_Rational for r in relative):
        return None
    scale = sp.ilcm(1, *(r.q for r in relative))
    level = sp.Dummy("v", positive=True)
    product = sp.Mul(*(log.args[0] ** (r * scale) for r, log in zip(relative, logs, strict=True)))
    found = _polynomial(sp.together(product - level).as_numer_denom()[0], x)
    if found is None:
        return None
    value = (ratio * sp.exp(-constant)) ** sp.simplify(scale / weights[0])
    return [root.subs(level, value) for root in found]


def _radicals(f: Scalar, x: Scalar) -> list[Scalar] | None:
    """Clear roots of x with small denominators (squaring keeps every root; the caller sorts out the new ones)."""
    cleared = cleared_of_roots(f, x)
    return None if cleared is None else _polynomial(cleared, x)


def cleared_of_roots(f: Scalar, x: Scalar) -> Scalar:
    """A polynomial in x that vanishes wherever f does, or None."""
    powers = [p for p in f.atoms(sp.Pow) if p.has(x)]
    functions = [g for g in f.atoms(sp.Function) if g.has(x)]
    if functions or not powers or any(p.exp.has(x) or not p.exp.is_Rational for p in powers):
        return None
    if sp.ilcm(1, *(p.exp.q for p in powers)) > RADICALS or max(abs(p.exp) for p in powers) > DEGREE:
        return None
    try:
        cleared = unrad(f, x)
    except (NotImplementedError, ValueError):
        return None
    if cleared is None or not cleared[1]:
        return None if cleared is None else cleared[0]
    helper, relation = cleared[1]  # a polynomial in a root of x
    return sp.resultant(cleared[0], relation, helper) if cleared[0].free_symbols == {helper} else None


def tidy(expression: Scalar, at: Mapping[Scalar, Scalar] | None = None) -> Scalar:
    """The shortest of a few equivalent forms; numerators and denominators positive at the values ``at``, if given."""
    if expression.is_Atom:
        return expression
    forms = [expression, sp.together(expression), sp.factor(expression), _one_log(expression)]
    if expression.count_ops() < SIMPLIFIED:
        forms.append(sp.simplify(expression))
    forms += [_turned(form, at) for form in forms]
    for form in dict.fromkeys(forms):
        top, bottom = form.as_numer_denom()
        if sp.expand_mul(bottom) != 1:
            for sign in (1, -1):
                forms.append(_collected(sign * top, at) / _collected(sign * bottom, at))
        else:
            forms.append(_collected(form, at))
    return min(dict.fromkeys(forms), key=lambda form: untidiness(form, at))


def ordered(left: Scalar, x: Scalar, back: list[tuple[Scalar, Scalar]], at: Mapping[Scalar, Scalar]) -> Scalar:
    """A sum of tidy coefficients times what depends on x."""
    pairs = [
        (tidy(c.subs(back, simultaneous=True), at), p.subs(back, simultaneous=True))
        for p, c in _groups(left, x).items()
    ]
    return sp.Add(*(c * p for c, p in pairs))


def _turned(form: Scalar, at: Mapping[Scalar, Scalar] | None) -> Scalar:
    """``(K - 1)*(1 - eta)`` from ``(1 - K)*(eta - 1)``: factors of the sign that they have at the values ``at``."""
    sign, factors = sp.Integer(1), []  # multiplied at the end: sympy multiplies a lone sum out with its sign
    for factor in sp.Mul.make_args(form):
        base, power = factor.as_base_exp()
        value = base.subs(at or {})
        turn = base.is_Add and power.is_integer and value.is_number and value.is_negative
        sign *= (-1) ** power if turn else 1
        factors.append((-base) ** power if turn else factor)
    return sp.Mul(sign, *factors)


def _one_log(expression: Scalar) -> Scalar:
    """``log((a + 1)/a)`` from ``log(a + 1) - log(a)``."""

    def signs(total: Scalar) -> list[tuple[Scalar, Scalar]]:
        return [term.as_coeff_Mul() for term in total.args]

    return expression.replace(
        lambda e: e.is_Add and all(abs(sign) == 1 and isinstance(log, sp.log) for sign, log in signs(e)),
        lambda e: sp.log(sp.together(sp.Mul(*(log.args[0] ** sign for sign, log in signs(e))))),
    )


def _collected(expression: Scalar, at: Mapping[Scalar, Scalar] | None) -> Scalar:
    """``K*(1 - eta) - 1`` from ``-K*eta + K - 1``, where that is shorter."""
    expanded = sp.expand_mul(expression)
    forms = [expression, expanded, *(sp.collect(expanded, s) for s in sorted(expanded.free_symbols, key=str))]
    return min(forms, key=lambda form: untidiness(form, at))


def untidiness(expression: Scalar, at: Mapping[Scalar, Scalar] | None) -> tuple[int, int, str]:
    """Operations, with extra for negative factors, powers of one base side by side, and a leading minus sign."""
    text, extra = str(expression), 0
    for product in {expression, *expression.atoms(sp.Mul)}:
        factors = [f.as_base_exp() for f in sp.Mul.make_args(product)]
        extra += 3 * (len(factors) - len({base for base, _ in factors}))
        if at:
            sums = (base.subs(at) for base, _ in factors if base.is_Add)
            extra += 2 * sum(1 for value in sums if value.is_number and value.is_negative)
    return expression.count_ops() + extra + 2 * text.startswith("-") + text.count("(-"), len(text), text
