"""Losses for torch: fused, by name, with the theory they rest on."""

from .build import BelowThreshold, build_loss
from .module import RobustLoss

__all__ = ["BelowThreshold", "RobustLoss", "build_loss"]
