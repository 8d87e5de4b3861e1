"""No rule decides: a certified search (``certificates.search``), which may stay undecided but never guesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...losses.base import Curvature, Loss
from ...noise.rows import Row
from ...numbers.backends import Backend
from ...numbers.scalar import Scalar
from .base import Decision, Minimum, Rule

FALLS = "to first order the risk falls when mass moves from e_m to the runner-up"
LINES = "tangents of the convex and chords of the concave terms bound the risk below"

if TYPE_CHECKING:
    from ..newton import Array


@dataclass(frozen=True)
class Search(Rule):
    """Neither the form of the loss nor one inequality decides.

    ``necessary``: the first-order condition at e_m must hold at least. ``shapes``: those of (active, passive) of every separable
    term, where each has one; then ``enough`` >= 0 suffices. ``finite``: is the base of a normalised term finite at 0? ``rises``:
    are the bases of such terms convex?
    """

    shapes: tuple[Curvature, ...] | None = None
    finite: bool = False
    rises: bool = False

    name = "search"
    method = "no proof; search only"

    def slack(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        """The first-order condition at e_m where it is necessary, else the margin."""
        if not self.necessary:
            return top - second
        found = self.profile.slopes(xp).slack(top, second, total)
        return found + (top - second) * self.profile.pull(xp) if self.finite else found

    def enough(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        """The slack of lines below all terms: tangents of convex ones, chords of concave ones. Where it is positive: yes.

        For each class k != m the terms exceed their value at 0 by at least their line, for m that at 1, as in the theorem.
        """
        return self._lines(top, second, total, xp, chords=True)

    def steeper(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        """``enough`` with the slopes of concave terms at their other ends in place of their chords: it suffices, too."""
        return self._lines(top, second, total, xp, chords=False)

    def _lines(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend, chords: bool) -> Scalar:
        assert self.shapes is not None
        found = self.profile.lines(self.shapes, xp, chords).slack(top, second, total)
        return found + (top - second) * self.profile.pull(xp) if self.finite and self.rises else found

    def decide(self, row: Row) -> Decision:
        """A no where the risk falls to first order at e_m, a yes where lines below it prove one; else left to the search."""
        found = super().decide(row)
        if found.holds is not None or not row.dominant:
            return found
        if self.necessary:
            sign, value = self._sign(row)
            if sign == -1:
                return Decision(False, value, self, f"{self.reason}; {FALLS}")
        if self.shapes is not None:
            sign, value = self._sign(row, self.enough)
            if sign == 1:
                return Decision(True, value, self, f"{self.reason}; {LINES}")
        return found

    def minimiser(self, w: Array) -> Minimum:
        return searched(self.loss, w)


def searched(loss: Loss, w: Array) -> Minimum:
    """The best points that a search finds, one for each row of weights; it proves nothing."""
    import numpy as np  # late: rules are on the start-up path of `bound`

    from ..local_search import search_point

    points = np.array([search_point(loss, row) for row in w])
    return Minimum(points, None, "search: transfers between two classes, local descent", False)
