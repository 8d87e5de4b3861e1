"""Thresholds: the values of a parameter, or the noise rates, for which a loss is asymmetric."""

from .pieces import (
    RATE,
    End,
    Piece,
    Threshold,
)
from .solve import (
    solve,
    solve_rate,
)

__all__ = [
    "RATE",
    "End",
    "Piece",
    "Threshold",
    "solve",
    "solve_rate",
]


def __dir__() -> list[str]:
    return sorted(__all__)
