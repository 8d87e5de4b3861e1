"""No rule decides: a certified search (``certificates.search``), which may stay undecided but never guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...losses.base import Loss
from ...noise.rows import Row
from ...numbers.backends import Backend
from ...numbers.scalar import Scalar
from .base import Decision, Minimum, Rule

FALLS = "to first order the risk falls when mass moves from e_m to the runner-up"

if TYPE_CHECKING:
    from ..newton import Array


class Search(Rule):
    """Neither the form of the loss nor an inequality decides; ``necessary`` where phi_n'(0) >= phi_m'(1) must hold at least."""

    name = "search"
    method = "no proof; search only"

    def slack(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        """The first-order condition at e_m where it is necessary, else the margin."""
        return self.profile.slopes(xp).slack(top, second, total) if self.necessary else top - second

    def decide(self, row: Row) -> Decision:
        """A no where the risk falls to first order at e_m; else left to the search."""
        found = super().decide(row)
        if found.holds is not None or not self.necessary:
            return found
        sign, value = self._sign(row)
        return Decision(False, value, self, f"{self.reason}; {FALLS}") if sign == -1 else found

    def minimiser(self, w: Array) -> Minimum:
        return searched(self.loss, w)


def searched(loss: Loss, w: Array) -> Minimum:
    """The best points that a search finds, one for each row of weights; it proves nothing."""
    import numpy as np  # late: rules are on the start-up path of `bound`

    from ..local_search import search_point

    points = np.array([search_point(loss, row) for row in w])
    return Minimum(points, None, "search: transfers between two classes, local descent", False)
