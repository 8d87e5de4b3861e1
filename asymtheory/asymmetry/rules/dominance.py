"""Every phi_k is linear or concave: the minimum is at a vertex, so a unique largest weight suffices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...numbers.backends import Backend
from ...numbers.scalar import Scalar
from .base import EXACT_VERTEX, HalfPlane, Minimum, Rule, endless

if TYPE_CHECKING:
    from ..newton import Array


class Dominance(Rule):
    """Asymmetric on every row with a unique largest weight."""

    name = "dominance"
    verdict = True

    def half_plane(self, xp: Backend) -> HalfPlane:
        return HalfPlane(1.0, 1.0, 0.0)

    def levels(self, xp: Backend) -> tuple[Scalar, Scalar]:
        return 1.0, 0.0

    def minimiser(self, w: Array) -> Minimum:
        import numpy as np  # late: rules are on the start-up path of `bound`

        from ..newton import one_hot

        profile = self.profile
        limit = any(endless(atom) for _, atom in profile.normalised)
        method = EXACT_VERTEX + ("; the normalised term is least there in the limit" if limit else "")
        return Minimum(one_hot(w), np.zeros(len(w)) if profile.is_separable else None, method, True)
