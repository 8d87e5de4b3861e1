"""The loss, its parameter and the learning rate, found by a few short runs without one clean label."""

from .tune import Tuned, tune

__all__ = ["Tuned", "tune"]


def __dir__() -> list[str]:
    return sorted(__all__)
