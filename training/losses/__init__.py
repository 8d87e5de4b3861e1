"""Losses for torch: fused, by name, with the theory they rest on."""

from .binary import BinaryLoss, MultiLabelLoss, binary_loss
from .build import BelowThreshold, build_loss
from .linear import RobustLinearLoss, TokenStatistics, linear_loss
from .module import RobustLoss
from .native import use_native
from .preference import PreferenceLoss, preference_loss, preference_threshold
from .views import GJS

__all__ = [
    "GJS",
    "BelowThreshold",
    "BinaryLoss",
    "MultiLabelLoss",
    "PreferenceLoss",
    "RobustLinearLoss",
    "RobustLoss",
    "TokenStatistics",
    "binary_loss",
    "build_loss",
    "linear_loss",
    "preference_loss",
    "preference_threshold",
    "use_native",
]


def __dir__() -> list[str]:
    return sorted(__all__)
