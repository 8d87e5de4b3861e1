"""No rule decides: a certified search (``certificates.search``), which may stay undecided but never guesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...losses.base import Loss
from .base import Minimum, Rule

if TYPE_CHECKING:
    from ..newton import Array


@dataclass(frozen=True)
class Search(Rule):
    """Neither the form of the loss nor an inequality decides."""

    name = "search"
    method = "no proof; search only"

    def minimiser(self, w: Array) -> Minimum:
        return searched(self.loss, w)


def searched(loss: Loss, w: Array) -> Minimum:
    """The best points that a search finds, one for each row of weights; it proves nothing."""
    import numpy as np  # late: rules are on the start-up path of `bound`

    from ..local_search import search_point

    points = np.array([search_point(loss, row) for row in w])
    return Minimum(points, None, "search: transfers between two classes, local descent", False)
