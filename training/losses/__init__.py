"""Losses for torch: fused, by name, with the theory they rest on."""

from .build import BelowThreshold, build_loss
from .linear import RobustLinearLoss, TokenStatistics, linear_loss
from .module import RobustLoss

__all__ = ["BelowThreshold", "RobustLinearLoss", "RobustLoss", "TokenStatistics", "build_loss", "linear_loss"]
