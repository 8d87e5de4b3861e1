"""The KKT slack in symbols: end slopes of a loss as sympy expressions, as limits where the formula has no value there."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from ...errors import InputError
from ...losses.profile import Profile, Slopes
from ...numbers.backends import sympy_
from ...numbers.scalar import Scalar


def slack(profile: Profile, top: Scalar, second: Scalar, total: Scalar) -> Scalar:
    """``phi_n'(0) - phi_m'(1)`` for positive weights; ``oo`` or ``-oo`` where an infinite slope settles its sign.

    Raises InputError where infinite slopes compete.
    """
    slopes = end_slopes(profile)
    ends = {-sp.oo: slopes.active0 == -sp.oo or slopes.passive1 == sp.oo, sp.oo: slopes.active1 == -sp.oo}
    if all(ends.values()):
        raise InputError(f"{'+'.join(atom.name for _, atom in profile.separable)}: infinite slopes compete; no formula")
    return next((end for end, infinite in ends.items() if infinite), None) or slopes.slack(top, second, total)


def end_slopes(profile: Profile) -> Slopes:
    """The four end slopes of the separable part in symbols; limits where the formula has no value there."""
    return Slopes(*(_slope(profile, side, at) for side in ("active", "passive") for at in (0, 1)))


def _slope(profile: Profile, side: str, at: int) -> Scalar:
    """The slope of one side at u = 0 or 1: by substitution where the formula has a value there, else as a limit."""
    xp = sympy_()
    if (side, at) == ("active", 0) and any(atom.steep_at_zero for _, atom in profile.separable):
        return -sp.oo
    inside = _inside(profile)
    direct = _branches(sp.sympify(profile.jet(side, sp.Integer(at), xp)[1]), inside)
    lost = direct.has(sp.nan, sp.zoo, sp.Sum) or any(p.base == 0 for p in direct.atoms(sp.Pow))
    if not lost:
        return direct
    u = sp.Symbol("u", positive=True)
    general = sp.sympify(profile.jet(side, u, xp)[1]).doit()
    try:
        return sp.limit(_branches(general, inside, {u: at}), u, at, "+" if at == 0 else "-")
    except NotImplementedError:
        name = "+".join(atom.name for _, atom in profile.separable)
        raise InputError(f"{name}: the slope at u = {at} has no formula that is found") from None


def _inside(profile: Profile) -> list[Scalar]:
    """What is positive because parameters lie inside their domains: symbols know of one end at most."""
    found = []
    for _, atom in profile.separable:
        for name, domain in atom.domains.items():
            value = sp.sympify(sympy_().number(atom.parameters[name]))
            found += [value - sympy_().number(domain.low)] if domain.low is not None else []
            found += [sympy_().number(domain.high) - value] if domain.high is not None else []
    return found


def _branches(expression: Scalar, positive: list[Scalar], near: Mapping[Scalar, int] | None = None) -> Scalar:
    """Choose the branch of a Piecewise whose conditions are settled by the signs of the symbols, or by what is ``positive``.

    ``near``: a symbol and the number that it is next to, where a condition is settled if it is strictly so at that number.
    """

    def settle(relation: Scalar) -> Scalar:
        difference = sp.together((relation.gts - relation.lts).subs(near or {}))
        if difference.is_positive or any(sp.expand(difference - known) == 0 for known in positive):
            return sp.true
        if difference.is_negative or any(sp.expand(difference + known) == 0 for known in positive):
            return sp.false
        return sp.true if difference.is_nonnegative and "=" in relation.rel_op and not near else relation

    relations = {r: settle(r) for r in expression.atoms(sp.Ge, sp.Le, sp.Gt, sp.Lt)}
    return expression.subs(relations) if relations else expression
