"""Losses with a normalised term that are never asymmetric: no unique minimiser, or a fall towards another class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...numbers.backends import Backend
from ...numbers.scalar import Scalar
from .base import Minimum, Rule
from .search import searched

if TYPE_CHECKING:
    from ..newton import Array


class Never(Rule):
    """Asymmetric on no row; the minimiser has to be searched for."""

    name = "never"
    verdict = False

    def levels(self, xp: Backend) -> tuple[Scalar, Scalar]:
        return math.inf, 0.0

    def minimiser(self, w: Array) -> Minimum:
        return searched(self.loss, w)


class NoMinimiser(Never):
    """NCE and NFL alone: their weighted risk has an infimum that it approaches at several points and attains at none."""

    def minimiser(self, w: Array) -> Minimum:
        """Where the risk tends to min w: the class of least weight at 0, the others equal."""
        import numpy as np  # late: rules are on the start-up path of `bound`

        points = np.full_like(w, 1.0 / (w.shape[-1] - 1))
        points[np.arange(len(w)), w.argmin(-1)] = 0.0
        return Minimum(points, None, "infimum, approached here and at other points: not attained", True)
