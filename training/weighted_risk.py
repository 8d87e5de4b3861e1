"""The weighted-risk experiment on torch tensors: ``asymtheory experiment weighted-risk --engine torch``.

The steps are those of ``asymtheory.experiments.descent``, in float64. The gradient is not: there it is written by hand from the
losses' slopes, here torch differentiates the losses' definitions on log-softmax (``reference``), so that each checks the
other. It runs on the GPU if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asymtheory.experiments.descent import BETAS, CHECK, EPSILON, FLAT, SETTLED, SMALLEST, Descent, Objective
from asymtheory.losses import Loss, build

from .losses.reference import clipped, label_losses

BLOCK = 2**24 if torch.cuda.is_available() else 2**16  # numbers in one array of the program

Array = np.ndarray[Any, Any]


class Risk:
    """``F(z) = sum_k w_k L(u, k)`` for many problems, tensors (B, K); u is softmax(z), moved to where the loss lives."""

    def __init__(self, loss: Loss, K: int) -> None:
        self.objective = Objective(loss, K)  # refuses what K has no room for
        clip = self.objective.profile.clipped
        self.loss = float(clip[0][0]) * build("ce") if clip else loss  # clipped logits: cross entropy on other points

    def gradient(self, z: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(u, g, dF/dz) at logits z: g = dF/du up to a constant in each row."""
        z = z.detach().requires_grad_(True)
        floor, tau = self.objective.floor, self.objective.tau
        logits = clipped(z, tau) if tau < float("inf") else z
        if floor:
            logits = torch.log(floor + self.objective.room * torch.softmax(z, -1))
        risk = (w * label_losses(self.loss, logits)).sum()
        along, slope = torch.autograd.grad(risk, (logits, z))
        u = torch.softmax(logits.detach(), -1)
        return u, along / u.clamp_min(SMALLEST), slope  # dF/dlogits = u (g - sum u g)


def descend(
    loss: Loss, w: Array, z: Array, how: Descent, stopped: Callable[[], bool]
) -> tuple[Array, Array, Array, Array] | None:
    """``asymtheory.experiments.descent.descend``: arrays (K, B) in; points (K, B), gradient norms, steps, attracted (B,) out."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    weights, logits = (torch.tensor(x.T, dtype=torch.float64, device=device) for x in (w, z))
    count, K = logits.shape
    risk, total = Risk(loss, K), weights.sum(-1)
    points, norms = torch.empty_like(logits), torch.empty_like(total)
    made = torch.empty(count, dtype=torch.int32, device=device)
    drawn = torch.empty(count, dtype=torch.bool, device=device)
    rows, over = torch.arange(count, device=device), torch.zeros(count, dtype=torch.bool, device=device)
    first, second = torch.zeros_like(logits), torch.zeros_like(logits)
    for step in range(how.steps + 1):
        u, g, slope = risk.gradient(logits, weights)
        last = step == how.steps
        if last or (step and step % CHECK == 0):
            norm = torch.linalg.vector_norm(slope, dim=-1) / total
            largest, top = u.max(-1, keepdim=True)
            attracted = g.gather(-1, top)[:, 0] <= g.amin(-1)
            ends = ~over & (((largest[:, 0] >= 1 - SETTLED) & attracted) | ~(norm > FLAT) | last)
            out = rows[ends]
            points[out], norms[out], drawn[out] = u[ends], norm[ends], attracted[ends]
            made[out] = step
            over |= ends
            if over.all():
                break
            if 8 * int(over.sum()) >= len(over):
                rows, weights, total, logits, slope, first, second, over = (
                    x[~over] for x in (rows, weights, total, logits, slope, first, second, over)
                )
            if stopped():
                return None
        logits = logits - (_adam(slope, first, second, step + 1, how) if how.optimiser == "adam" else how.rate * slope)
    return points.T.cpu().numpy(), norms.cpu().numpy(), made.cpu().numpy(), drawn.cpu().numpy()


def _adam(slope: Tensor, first: Tensor, second: Tensor, step: int, how: Descent) -> Tensor:
    """The step of Adam; the moments are changed in place."""
    one, two = BETAS
    first.mul_(one).add_(slope, alpha=1 - one)
    second.mul_(two).addcmul_(slope, slope, value=1 - two)
    return how.pace(step) * (first / (1 - one**step)) / ((second / (1 - two**step)).sqrt() + EPSILON)


def made_with() -> dict[str, str]:
    """What the numbers depend on beside the recipe: the version of torch, and the device."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {"torch": torch.__version__, "device": device}
