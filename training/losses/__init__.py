"""Losses for torch: fused, by name, with the theory they rest on."""

from .build import BelowThreshold, build_loss
from .linear import RobustLinearLoss, TokenStatistics, linear_loss
from .module import RobustLoss
from .native import use_native
from .preference import PreferenceLoss, preference_loss, preference_threshold

__all__ = [
    "BelowThreshold",
    "PreferenceLoss",
    "RobustLinearLoss",
    "RobustLoss",
    "TokenStatistics",
    "build_loss",
    "linear_loss",
    "preference_loss",
    "preference_threshold",
    "use_native",
]
