"""Convex terms beside a normalised one of finite base (NGCE), the other weights equal: first order at the vertex decides.

With equal other weights a normalised term of base g is ``(w_m - w_n) L(u, m)`` and a constant. For convex g and u_m = 1 - s,
``L(u, m) >= g(1 - s) / ((K - 1) g(0)) >= s v`` with v = -g'(1) / ((K - 1) g(0)), the slope with which it leaves e_m. So the
excess is at least ``s (phi_n'(0) - phi_m'(1) + (w_m - w_n) v)``, and falls next to e_m where that is negative; see
docs/theory/normalised.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...numbers.backends import Backend, sympy_
from ...numbers.scalar import Scalar
from .base import HalfPlane, Minimum, Rule
from .kkt import KKT
from .search import searched

if TYPE_CHECKING:
    from ..newton import Array


class Beside(Rule):
    """The KKT slack of the convex terms and the slope of the normalised one."""

    name = "KKT beside a normalised term"
    method = KKT.method
    at_vertex = "first order at the vertex"
    inequality = True
    closed = True

    def slack(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        return self.profile.slopes(xp).slack(top, second, total) + (top - second) * self.profile.pull(xp)

    def half_plane(self, xp: Backend) -> HalfPlane:
        s, pull = self.profile.slopes(xp), self.profile.pull(xp)
        return HalfPlane(s.passive1 - s.active1 + pull, s.passive0 - s.active0 + pull, s.passive1 - s.passive0)

    def levels(self, xp: Backend) -> tuple[Scalar, Scalar]:
        s, pull = self.profile.slopes(xp), self.profile.pull(xp)
        bottom = s.passive0 - s.active1 + pull
        return (s.passive0 - s.active0 + pull) / bottom, (s.passive1 - s.passive0) / bottom

    def formula(self, top: Scalar, second: Scalar, total: Scalar) -> Scalar:
        from .symbols import slack  # late: sympy is not on the start-up path of `bound`

        return slack(self.profile, top, second, total) + (top - second) * self.profile.pull(sympy_())

    def minimiser(self, w: Array) -> Minimum:
        return searched(self.loss, w)
