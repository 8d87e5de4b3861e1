"""Data sets, their files and their labels."""

from .labels import NoisyLabels, Redrawn, make_labels
from .sets import load_dataset

__all__ = ["NoisyLabels", "Redrawn", "load_dataset", "make_labels"]


def __dir__() -> list[str]:
    return sorted(__all__)
