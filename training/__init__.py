"""Training with noise-robust losses: losses for torch, label noise, data, models and a loop.

Names load on first use, so that importing the package does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "losses.module": ("RobustLoss",),
    "losses.build": ("BelowThreshold", "build_loss"),
    "losses.linear": ("RobustLinearLoss", "TokenStatistics", "linear_loss"),
    "losses.native": ("use_native",),
    "losses.binary": ("BinaryLoss", "MultiLabelLoss", "binary_loss"),
    "losses.views": ("GJS",),
    "losses.preference": ("PreferenceLoss", "preference_loss", "preference_threshold"),
    "run.models": ("build_model",),
    "run.config": ("Noise", "Settings", "TrainConfig"),
    "run.record": ("Epoch", "History", "RunResult"),
    "data.inputs": ("Data", "Images"),
    "run.classifier": ("RobustClassifier",),
    "run.fit": ("fit",),
    "run.loop": ("DivergedError", "Trainer"),
    "run.run": ("run", "trained_model"),
}
_WHERE = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return list(__all__)
