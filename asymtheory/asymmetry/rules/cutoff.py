"""Normalised negative losses live on u_k >= p_min: every term is least at the cut-off vertex of the largest weight."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ...losses.profile import Profile
from ...numbers.backends import Backend
from ...numbers.scalar import Scalar
from .base import CUT_OFF, Minimum
from .dominance import Dominance

if TYPE_CHECKING:
    from ..newton import Array


class CutOff(Dominance):
    """Asymmetric on every row with a unique largest weight; the minimiser has u_k = p_min for all k but the largest."""

    at_vertex = CUT_OFF

    def minimiser(self, w: Array) -> Minimum:
        import numpy as np  # late: rules are on the start-up path of `bound`

        points = np.full_like(w, self.floor)
        points[np.arange(len(w)), w.argmax(-1)] = 1 - (self.K - 1) * self.floor
        return Minimum(points, None, self.at_vertex, True)


def first_order(profile: Profile, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
    """How fast the risk rises from the cut-off vertex towards class n, for separable beside normalised negative terms.

    With f = p_min, the vertex's entry tip = 1 - (K - 1) f and the base g this is
    ``phi_n'(f) - phi_m'(tip) - beta (w_m - w_n) g'(f) / (g(f) - g(tip))``. It is affine and falling in w_n, so it is least for the
    largest other weight, and no way to leave the vertex rises more slowly: a negative value proves a no.
    """
    floor = profile.negative[0][1].p_min
    floor = xp.number(floor) if isinstance(floor, Fraction) else floor
    tip = 1 - floor * (profile.K - 1)
    active = [profile.jet("active", u, xp)[1] for u in (floor, tip)]
    passive = [profile.jet("passive", u, xp)[1] for u in (floor, tip)]
    rise = second * active[0] + (total - second) * passive[0] - top * active[1] - (total - top) * passive[1]
    for coefficient, atom in profile.negative:
        base = atom.base.on(xp)
        low, high = (xp.variable(u) for u in (floor, tip))
        low, high = (base.active(u, xp.log(u), xp) for u in (low, high))
        weight = xp.number(coefficient) if isinstance(coefficient, Fraction) else coefficient
        rise = rise - weight * (top - second) * low.slope / (low.value - high.value)
    return rise
