"""Normalised negative losses live on u_k >= p_min: every term is least at the cut-off vertex of the largest weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
