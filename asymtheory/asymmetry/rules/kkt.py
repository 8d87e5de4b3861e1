"""Every phi_k is convex: the vertex e_m is the minimiser iff it satisfies the KKT conditions, ``phi_m'(1) <= phi_n'(0)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...losses.profile import Profile
from ...numbers.backends import Backend
from ...numbers.scalar import Scalar
from .base import HalfPlane, Minimum, Rule
from .search import searched

if TYPE_CHECKING:
    from ..newton import Array


@dataclass(frozen=True)
class KKT(Rule):
    """The slack ``phi_n'(0) - phi_m'(1)``, four end slopes of the loss and three weights; see docs/theory.md, section 1."""

    name = "KKT"
    method = "sign of the KKT inequality isolated by interval arithmetic over the domain"
    at_vertex = "KKT at the vertex"
    inequality = True
    closed = True

    def slack(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        return self.profile.slopes(xp).slack(top, second, total)

    def half_plane(self, xp: Backend) -> HalfPlane:
        s = self.profile.slopes(xp)
        return HalfPlane(s.passive1 - s.active1, s.passive0 - s.active0, s.passive1 - s.passive0)

    def same_sign(self, **parameters: Scalar) -> bool:
        """Is the separable part the same up to a factor? The weight and the parameters of a normalised term never move it."""
        one, two = self.profile.separable, self.at(**parameters).profile.separable
        return one == two or (len(one) == len(two) == 1 and one[0][1] == two[0][1])

    def levels(self, xp: Backend) -> tuple[Scalar, Scalar] | None:
        if self.sufficient_only:
            return None
        s = self.profile.slopes(xp)
        bottom = s.passive0 - s.active1
        return (s.passive0 - s.active0) / bottom, (s.passive1 - s.passive0) / bottom

    def formula(self, top: Scalar, second: Scalar, total: Scalar) -> Scalar:
        from .symbols import slack  # late: sympy is not on the start-up path of `bound`

        return slack(self.profile, top, second, total)

    def minimiser(self, w: Array) -> Minimum:
        from ..newton import EXACT_CONVEX, minimise_convex  # late: numpy is not on the start-up path of `bound`

        profile = self.profile
        if profile.is_separable:
            points, gap = minimise_convex(profile, w)
            return Minimum(points, gap, EXACT_CONVEX, True)
        if not self.sufficient_only:
            points, gap = minimise_convex(Profile(profile.K, profile.separable, (), (), ()), w)
            if all((row == 0).any() for row in points) or (points.max(-1) == 1).all():
                return Minimum(points, gap, f"{EXACT_CONVEX}; the normalised term is least there in the limit", True)
        return searched(self.loss, w)
