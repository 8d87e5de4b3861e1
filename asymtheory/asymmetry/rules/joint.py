"""Formulas that are not sums of functions of one probability each: a search over the simplex (``simplex_search``) decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...noise.rows import Row
from .base import Decision, Minimum, Rule
from .search import searched

if TYPE_CHECKING:
    from ..newton import Array

NOT_SEPARABLE = "the risk is not a sum of functions of one probability each"


@dataclass(frozen=True)
class Joint(Rule):
    """No form of the loss and no inequality decides."""

    name = "joint"
    method = "no proof; search only"

    def decide(self, row: Row) -> Decision:
        """Left to the search, unless the clean label does not have the largest weight."""
        if not row.dominant:
            margin = float((row.top - row.second) / row.total)
            return Decision(False, margin, self, "the clean label does not have the unique largest weight")
        return Decision(None, None, self)

    @property
    def floor(self) -> float:
        return 0.0

    def minimiser(self, w: Array) -> Minimum:
        return searched(self.loss, w)
