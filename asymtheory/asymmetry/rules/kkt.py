"""Every phi_k is convex: the vertex e_m is the minimiser iff it satisfies the KKT conditions, ``phi_m'(1) <= phi_n'(0)``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...losses.profile import Profile
from ...numbers.backends import FLOAT, Backend
from ...numbers.scalar import Scalar
from .base import HalfPlane, Minimum, Rule
from .search import searched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..newton import Array

NEGLIGIBLE = 1e-10  # excess of the separable part, per unit of weight, that counts as none


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
        """Projected Newton on the separable part; an NCE or NFL term adds its infimum where the least weight's entry is 0."""
        from ..newton import EXACT_CONVEX, minimise_convex  # late: numpy is not on the start-up path of `bound`

        if self.sufficient_only:
            return searched(self.loss, w)
        points, gap = minimise_convex(Profile(self.K, self.profile.separable, (), (), ()), w)
        if self.profile.is_separable:
            return Minimum(points, gap, EXACT_CONVEX, True)
        inside = ~(points == 0).any(-1)
        if inside.any():
            points, gap, close = self._on_the_face(w, points, gap, inside)
            if not close:
                return searched(self.loss, w)
        return Minimum(points, gap, f"{EXACT_CONVEX}; the normalised term is least there in the limit", True)

    def _on_the_face(self, w: Array, points: Array, gap: Array, inside: NDArray[np.bool_]) -> tuple[Array, Array, bool]:
        """Where the separable part is least inside, its least point with the entry of the least weight at 0, and its excess there.

        The normalised term is at its infimum there, so the excess bounds the gap of the sum. The last result: is it negligible?
        """
        from ..newton import minimise_convex, phi  # late: numpy is not on the start-up path of `bound`

        part = Profile(self.K, self.profile.separable, (), (), ())
        if self.K == 2 or math.isinf(part.jet("active", 0.0, FLOAT)[0]):
            return points, gap, False
        points, gap = points.copy(), gap.copy()
        for row in inside.nonzero()[0]:
            least = int(w[row].argmin())
            kept = [k for k in range(self.K) if k != least]
            before = phi(part, w[row : row + 1], points[row : row + 1])[0].sum()
            points[row] = 0.0
            points[row, kept] = minimise_convex(part, w[row : row + 1, kept])[0][0]
            after = phi(part, w[row : row + 1], points[row : row + 1])[0].sum()
            gap[row] += max(0.0, float(after - before))
        return points, gap, bool((gap[inside] <= NEGLIGIBLE).all())
