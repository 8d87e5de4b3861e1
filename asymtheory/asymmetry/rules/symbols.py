"""The KKT slack in symbols: end slopes of a loss as sympy expressions, as limits where the formula has no value there."""

from __future__ import annotations

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
    direct = sp.sympify(profile.jet(side, sp.Integer(at), xp)[1])
    lost = direct.has(sp.nan, sp.zoo, sp.Sum) or any(p.base == 0 for p in direct.atoms(sp.Pow))
    if not lost:
        return _branches(direct)
    u = sp.Symbol("u", positive=True)
    general = sp.sympify(profile.jet(side, u, xp)[1]).doit()
    return sp.limit(_branches(general), u, at, "+" if at == 0 else "-")


def _branches(expression: Scalar) -> Scalar:
    """Choose the branch of a Piecewise whose conditions are settled by the signs of the symbols."""

    def settle(relation: Scalar) -> Scalar:
        difference = sp.together(relation.gts - relation.lts)
        if difference.is_nonnegative:
            return sp.true if not relation.rel_op.strip("<>") == "" or difference.is_positive else relation
        return sp.false if difference.is_negative else relation

    relations = {r: settle(r) for r in expression.atoms(sp.Ge, sp.Le, sp.Gt, sp.Lt)}
    return expression.subs(relations) if relations else expression
