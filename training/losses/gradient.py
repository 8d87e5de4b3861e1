"""Is the gradient of a torch loss that of its definition? Finite differences of the core's own numbers say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from asymtheory.errors import InputError
from asymtheory.losses import Loss

from .module import RobustLoss

STEP = 1e-6
TOLERANCE = 1e-6
POINTS, CLASSES = 24, 5
SPREADS = (0.5, 2.0, 5.0)  # of the logits: from undecided to sure of one class


@dataclass(frozen=True)
class GradientCheck:
    """The largest differences, relative to 1 + |gradient|, over random logits in float64."""

    points: int
    classes: int
    to_differences: float  # fused gradient against central differences of the core's values
    to_torch: float  # fused gradient against torch's own differentiation of the definition

    @property
    def agrees(self) -> bool:
        """Is every difference below 1e-6?"""
        return max(self.to_differences, self.to_torch) < TOLERANCE

    def __str__(self) -> str:
        word = "agrees with" if self.agrees else "DIFFERS FROM"
        return (
            f"{word} its definition at {self.points} points of {self.classes} classes: to {self.to_differences:.1e} of central "
            f"differences, to {self.to_torch:.1e} of torch's own"
        )


def check_gradient(loss: Loss, *, points: int = POINTS, classes: int = CLASSES, seed: int = 0) -> GradientCheck:
    """Compare the gradient of ``RobustLoss(loss)`` in the logits with central differences of the core's definition.

    ``points`` rows of ``classes`` logits, of three spreads, each with one label; steps of 1e-6. InputError for ``points`` < 3.
    """
    if points < len(SPREADS):
        raise InputError(f"points = {points}: at least {len(SPREADS)} are needed")
    rng = np.random.default_rng(seed)
    spread = np.resize(SPREADS, points)[:, None]
    z = rng.normal(size=(points, classes)) * spread
    y = rng.integers(classes, size=points)

    def value(logits: np.ndarray) -> np.ndarray:
        shifted = logits - logits.max(-1, keepdims=True)
        u = np.exp(shifted) / np.exp(shifted).sum(-1, keepdims=True)
        return np.take_along_axis(loss(u), y[:, None], -1)[:, 0]

    steps = STEP * np.eye(classes)
    wanted = np.stack([(value(z + step) - value(z - step)) / (2 * STEP) for step in steps], -1)
    fused, plain = (_gradient(RobustLoss(loss, reduction="sum", fused=on), z, y) for on in (True, False))
    scale = 1 + np.abs(wanted)
    return GradientCheck(
        points, classes, float((np.abs(fused - wanted) / scale).max()), float((np.abs(fused - plain) / scale).max())
    )


def _gradient(module: RobustLoss, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    logits = torch.tensor(z, requires_grad=True)
    (found,) = torch.autograd.grad(module(logits, torch.tensor(y)), logits)
    return found.numpy()
