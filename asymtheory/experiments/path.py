"""The path that exact minimisers take as a parameter moves: where it leads, how fast, and whether it ever turns back.

Write a separable weighted risk as ``sum_k phi_k(u_k)``, ``phi_k = w_k A + (W - w_k) P`` with the active part A, the passive part P
and convex ``phi_k``. On the classes S with u_k > 0 the minimiser has one slope, ``phi_k'(u_k; a) = mu``. Differentiated in a,

    du_k/da = (dmu/da - d_a phi_k') / phi_k'',    dmu/da = sum_S (d_a phi_k' / phi_k'') / sum_S (1 / phi_k''),

so the probability of the class m of the largest weight rises with a exactly where ``-d_a phi_m'(u_m)`` is at least the mean
of ``-d_a phi_k'(u_k)`` over S, weighted by ``1 / phi_k''``. As u_m is the largest entry, it rises on the whole path, for every K
and all weights, under either of two conditions (:func:`rises` checks them exactly):

* P = 0 and ``d_u d_a log(-A'(u; a)) >= 0``: then ``-d_a phi_k' = -mu d_a log(-A'(u_k; a))`` with mu < 0 is largest at u_m;
* ``d_a P' = 0``, and ``-d_a A'(u; a)`` is >= 0 and does not fall in u: then ``-d_a phi_k' = w_k (-d_a A'(u_k; a))`` is
  largest at m.

GCE, AGCE with q < 1, AUL with p > 1 and AEL satisfy the first, AMSE with 1 < q <= 2 the second. Where both fail the path is
searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy
from numpy.typing import ArrayLike

from ..asymmetry.newton import Array
from ..asymmetry.risk import minimise
from ..errors import InputError
from ..losses.base import Loss, Separable, unknown_parameter
from ..losses.profile import Profile
from ..numbers.backends import sympy_

INSIDE = 1e-9  # an entry below it counts as 0
FALL = 1e-8  # a fall of u_m that is larger than what the minimisers are exact to
TRIALS, STEPS = 200, 60
REACH = Fraction(100)
"""A search goes from the least value of a parameter to this one."""


@dataclass(frozen=True)
class Path:
    """Exact minimisers ``points`` (N, K) at ascending ``values`` (N,) of a parameter, and ``speed`` (N, K): du/da there.

    At a value where an entry leaves 0 or reaches it the speed is that of the side on which the minimiser's own zeros are.
    """

    loss: Loss
    parameter: str
    values: Array
    points: Array
    speed: Array

    @property
    def arrival(self) -> float | None:
        """The first of the values at which the minimiser is a vertex; None where it never is."""
        there = np.flatnonzero(self.points.max(1) >= 1 - INSIDE)
        return float(self.values[there[0]]) if len(there) else None


@dataclass(frozen=True)
class Rise:
    """Does the probability of the class of the largest weight rise with the parameter, from value to value?

    ``verdict``: ``proved`` (for every K and all weights), ``supported`` (searched, no fall found) or ``refuted``, with the weights
    and two values of ``counterexample`` between which it falls.
    """

    verdict: str
    because: str
    counterexample: tuple[tuple[float, ...], float, float] | None = None


def minimiser_path(loss: Loss, weights: ArrayLike, values: Sequence[float], parameter: str | None = None) -> Path:
    """The minimisers of the risk with weights (K,) at some values of a parameter (default: the loss's main one).

    Where the loss is concave the minimiser is a vertex and stays. Raises InputError for a loss that is not separable, or whose
    minimisers are known by a search only, and for an unknown parameter.
    """
    name, atom = _separable(loss, parameter)
    w = np.asarray(weights, dtype=float)
    each = np.asarray(sorted(values), dtype=float)
    found = [minimise(loss.replace(**{name: Fraction(value)}), w) for value in each]
    if not all(one.gap is not None for one in found):
        raise InputError(
            f"{loss}: its minimisers jump from vertex to vertex, so there is no path; a convex loss is needed"
        )
    points = np.array([one.point for one in found])
    return Path(loss, name, each, points, _speeds(atom, name, w / w.sum(), each, points))


def _separable(loss: Loss, parameter: str | None) -> tuple[str, Separable]:
    """The parameter's name and the one term of a separable loss."""
    name = loss.main if parameter is None else parameter
    if name is None or name not in loss.domains:
        raise InputError(unknown_parameter(loss.name, name or "", loss.domains))
    profile = Profile.of(loss, 2)
    if not profile.is_separable or len(profile.separable) != 1:
        raise InputError(
            f"{loss}: the path is known for separable losses of one term, such as amse, agce, aul, ael and gce"
        )
    return name, profile.separable[0][1]


def _parts(atom: Separable, name: str) -> tuple[sympy.Symbol, sympy.Symbol, sympy.Expr, sympy.Expr]:
    """u, the parameter, and the slopes A' and P' in u, as expressions in both."""
    u, a = sympy.symbols("u a", positive=True)
    xp = sympy_()
    on = atom.on(xp)._with(**{name: a})
    slopes = [sympy.diff(sympy.sympify(side(u, sympy.log(u), xp)), u) for side in (on.active, on.passive)]
    return u, a, slopes[0], slopes[1]


def _speeds(atom: Separable, name: str, w: Array, values: Array, points: Array) -> Array:
    u, a, active, passive = _parts(atom, name)
    rates = [[sympy.lambdify((u, a), sympy.diff(each, by), "numpy") for by in (u, a)] for each in (active, passive)]
    speed = np.zeros_like(points)
    for place, (value, point) in enumerate(zip(values, points, strict=True)):
        inside = point > INSIDE
        if inside.sum() < 2:
            continue  # a vertex stays
        top, rest, x = w[inside], 1 - w[inside], point[inside]
        with np.errstate(all="ignore"):
            curved, moved = (top * rates[0][by](x, value) + rest * rates[1][by](x, value) for by in (0, 1))
        level = (moved / curved).sum() / (1 / curved).sum()
        speed[place, inside] = (level - moved) / curved
    return speed


# ------------------------------------------------------------------------------------------------ does it turn back?


def rises(loss: Loss, parameter: str | None = None, seed: int = 0) -> Rise:
    """Whether the class of the largest weight gains at every step of the path; the other parameters are those of the loss.

    Proved by one of the two conditions above, by exact signs of the derivatives in the parameter's whole domain; else searched on
    random weights (K = 2 to 10) for a fall. Raises InputError as :func:`minimiser_path` does.
    """
    name, atom = _separable(loss, parameter)
    u, a, active, passive = _parts(atom, name)
    low = loss.domains[name].low
    least = 0 if low is None else sympy.Rational(str(low))
    if passive == 0:
        mixed = sympy.diff(sympy.log(-active), a, u)
        if _nonnegative(mixed, u, a, least):
            return Rise("proved", f"P = 0 and d_u d_a log(-A') = {sympy.factor(mixed)} >= 0")
    moved = -sympy.diff(active, a)
    if (
        sympy.diff(passive, a) == 0
        and _nonnegative(moved, u, a, least)
        and _nonnegative(sympy.diff(moved, u), u, a, least)
    ):
        return Rise("proved", f"d_a P' = 0 and -d_a A' = {sympy.factor(moved)} is >= 0 and does not fall in u")
    return _searched(loss, name, seed)


def _nonnegative(expression: sympy.Expr, u: sympy.Symbol, a: sympy.Symbol, least: sympy.Expr) -> bool:
    """Is it >= 0 for all u in (0, 1) and a above its least value? Decided by sympy's signs, with u or 1 - u as the unknown.

    Not for a loss in pieces: where they meet a derivative may jump, which the derivatives of the pieces do not show.
    """
    if expression.has(sympy.Piecewise):
        return False
    v, b = sympy.symbols("v b", positive=True)
    places = ({a: least + b}, {a: least + b, u: 1 - v}, {u: 1 / (1 + v), a: least + b})
    return any(
        sympy.factor(sympy.simplify(expression.subs(place, simultaneous=True))).is_nonnegative is True
        for place in places
    )


def _searched(loss: Loss, name: str, seed: int) -> Rise:
    random = np.random.default_rng(seed)
    domain = loss.domains[name]
    low = Fraction(0) if domain.low is None else Fraction(domain.low)
    high = REACH if domain.high is None else Fraction(domain.high)
    values = [low + (high - low) * Fraction(float(x)) for x in np.geomspace(1e-3, 1, STEPS)]
    losses = [loss.replace(**{name: value}) for value in values if value in domain]
    weights = [random.dirichlet(np.full(K, 0.7)) for K in random.integers(2, 11, TRIALS)]
    jumps = False
    for w in weights:
        found = [minimise(each, w) for each in losses]
        jumps |= not all(one.exact for one in found)
        top = np.array([one.point[w.argmax()] for one in found])
        falls = np.flatnonzero(np.diff(top) < -FALL)
        if len(falls):
            at = int(falls[0])
            before, after = (float(each.parameters[name]) for each in losses[at : at + 2])
            because = f"it falls from {top[at]:.6g} to {top[at + 1]:.6g}"
            return Rise("refuted", because, (tuple(map(float, w)), before, after))
    also = "; some minimisers were searched" if jumps else ""
    return Rise("supported", f"no fall on {TRIALS} random weights at {len(losses)} values{also}")
