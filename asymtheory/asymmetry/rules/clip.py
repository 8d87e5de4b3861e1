"""Cross entropy with clipped logits: only where all other weights are equal and the clip is tight enough."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ...numbers.backends import Backend
from ...numbers.scalar import Scalar
from .base import HalfPlane, Minimum, Rule
from .never import Never

if TYPE_CHECKING:
    from ..newton import Array


def _clipped_minimiser(rule: Rule, w: Array) -> Minimum:
    import numpy as np  # late: rules are on the start-up path of `bound`

    from ..clipped import minimise_clipped

    ((_, atom),) = rule.profile.clipped
    points = np.array([minimise_clipped(float(atom.tau), row) for row in w])
    return Minimum(points, None, "Newton on clipped logits", True)


class Clip(Rule):
    """The slack ``w_m - w_n exp(tau sqrt(K / (K - 1)))`` of the KKT conditions on the ball of logits."""

    name = "clip"
    method = "sign of the KKT inequality on the clipped domain isolated by interval arithmetic"
    inequality = True
    closed = True

    def _level(self, xp: Backend) -> Scalar:
        """``exp`` of the largest gap of two logits."""
        ((_, atom),) = self.loss.terms()
        bound: Any = atom.on(xp)
        return xp.exp(bound.tau * xp.number(1 + Fraction(1) / (self.K - 1)) ** Fraction(1, 2))

    def slack(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        return top - second * self._level(xp)

    def half_plane(self, xp: Backend) -> HalfPlane:
        return HalfPlane(1.0, self._level(xp), 0.0)

    def minimiser(self, w: Array) -> Minimum:
        return _clipped_minimiser(self, w)

    def vertex(self, target: int) -> None:
        return None


class ClipApart(Never):
    """The other weights differ, so the minimiser's other logits do, and the clip of the clean class has them equal."""

    def minimiser(self, w: Array) -> Minimum:
        return _clipped_minimiser(self, w)

    def vertex(self, target: int) -> None:
        return None
