"""Closed forms, found by sympy, of the ends of a threshold."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import sympy as sp

from ..asymmetry.binding import binding_rows
from ..asymmetry.rules import by_equality, rule
from ..errors import InputError
from ..losses.base import Loss
from ..noise.models import FIXED_CLASSES, worst_weights
from ..noise.rows import Row
from ..numbers.backends import sympy_
from ..numbers.scalar import Scalar
from .names import _written
from .pieces import RATE, End, Piece, Threshold
from .roots import DEGREE, Ratios, cleared_of_roots, roots, tidy
from .symbolic import Open, middle_of, opened_ranges, rate_given, rational

LONGEST = 100  # characters of a name for a number


def exact_end(
    loss: Loss, noise_row: Row | tuple[str, int | None], parameter: str, low: float, high: float
) -> str | None:
    """A closed form of the threshold of ``parameter`` that lies in the enclosure [low, high], or None.

    For the noise rate (``parameter="eta"``) ``noise_row`` is the family and its K. The form solves the deciding
    equation on exact weights by the strategies of this module and matches the enclosure, and the equation, at 30
    digits. Floating-point weights have no closed form: None.
    """

    if parameter == RATE:
        if isinstance(noise_row, Row):
            raise InputError("--exact: a noise rate needs the noise kind and K, not one row")
        kind, K = noise_row
        parameters: dict[str, Scalar] = {}
        classes: int = FIXED_CLASSES.get(kind) or int(K or 0)
        unknown = rate_given((), {}, RATE)
        weights = tuple(map(sympy_().number, worst_weights(kind, classes, unknown.value)))
        uniform = kind in ("symmetric", "uniform") or classes == 2
        at = loss
    else:
        if not isinstance(noise_row, Row):
            raise InputError(f"--exact: {parameter} needs the weights of one row")
        if any(isinstance(w, float) for w in noise_row.weights):
            return None  # a closed form of rounded weights says nothing
        if parameter not in loss.domains or loss.domains[parameter].integer:
            return None
        chosen = _range_around(loss, parameter, len(noise_row.weights), low, high)
        if chosen is None:
            return None
        unknown, classes, uniform = chosen, len(noise_row.weights), noise_row.uniform_rest
        weights = tuple(rational(w) for w in (noise_row.top, noise_row.second, noise_row.total))
        parameters = {parameter: unknown.value}
        at = loss._with(**{parameter: middle_of(unknown)})
    what = rule(at, classes, uniform)
    if not what.inequality:
        return None
    left = what.at(classes, **parameters).formula(*weights)
    if not left.has(unknown.symbol):
        return None
    names = Ratios(lambda ratio: bool(ratio > 1), plain_numbers=True)
    for root in roots(left, unknown.symbol, names) or ():
        form = unknown.value.subs(unknown.symbol, root)
        value = form.subs(names.values).evalf(30)
        if not value.is_real or not _in(value, low, high):
            continue
        if not _vanishes(left, unknown.symbol, root.subs(names.values)):
            continue
        return re.sub(r"\(\((\d+/\d+)\)\)", r"(\1)", str(tidy(form)))
    return _root_of(left, unknown, low, high)


def _vanishes(left: Scalar, x: Scalar, root: Scalar) -> bool:
    """Do the terms of left cancel at x = root, to 25 digits?"""
    terms = [term.subs(x, root.evalf(45)).evalf(40) for term in sp.Add.make_args(sp.expand_mul(left))]
    return bool(abs(sum(terms)) <= sp.Rational(1, 10**25) * sum(abs(term) for term in terms))


def _root_of(left: Scalar, unknown: Open, low: float, high: float) -> str | None:
    """``root of ... = 0``: an irreducible integer polynomial with a root inside the enclosure, free of radicals."""
    top = cleared_of_roots(sp.together(left).as_numer_denom()[0], unknown.symbol)
    if top is None or not top.is_polynomial(unknown.symbol):
        return None
    polynomial = sp.Poly(top.subs(*unknown.back()), unknown.shown)
    if polynomial.domain not in (sp.ZZ, sp.QQ) or polynomial.degree() > DEGREE:
        return None
    for factor, _ in polynomial.factor_list()[1]:
        found = [root for root in factor.nroots(40) if root.is_real and _in(root, low, high)]
        # a root that only the cleared equation has is none of the condition
        if any(_vanishes(left, unknown.symbol, unknown.sign * (root - rational(unknown.start))) for root in found):
            whole = [int(c) for c in reversed(factor.clear_denoms(convert=True)[1].all_coeffs())]
            return "root of " + _written(whole) + " = 0"
    return None


def _range_around(loss: Loss, parameter: str, K: int, low: float, high: float) -> Open | None:
    """The range of one curvature that holds the enclosure."""
    for opened in opened_ranges(loss, parameter, K):
        start, stop = opened.piece.low, opened.piece.high
        if (start is None or start.value <= low) and (stop is None or high <= stop.value):
            return opened
    return None


def _in(value: Scalar, low: float, high: float) -> bool:
    slack = abs(rational(high)) * rational(Fraction(1, 2**46))
    return bool(rational(low) - slack <= value <= rational(high) + slack)


def name_ends(threshold: Threshold) -> Threshold:
    """The same threshold with closed forms for its ends where ``exact_end`` finds one (``bound --exact``)."""
    if threshold.parameter is None:
        return threshold
    noise = threshold.noise
    rows: list[Scalar] = [(noise.kind, noise.classes)]
    if threshold.parameter != RATE:
        all_differ = by_equality(threshold.loss, noise.classes)
        rows = [row for _, row in binding_rows(noise, all_differ)] if noise.dominant else []

    def named(end: End | None) -> End | None:
        if end is None or end.of_domain or (end.exact is not None and not end.exact.startswith("root of")):
            return end
        forms = (exact_end(threshold.loss, row, str(threshold.parameter), end.low, end.high) for row in rows)
        form = next((f for f in forms if f is not None and len(f) <= LONGEST), None)
        return end if form is None else replace(end, exact=form)

    return replace(threshold, pieces=tuple(Piece(named(p.low), named(p.high)) for p in threshold.pieces))
