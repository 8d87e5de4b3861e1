"""Which way a loss pulls a sample whose wrong class is ahead, and what it would settle for with logits that are bounded.

The theory says where the weighted risk ``F_w(u) = sum_k w_k L(u, k)`` is least. A network gets there along its logits, and a loss
whose minimiser is the vertex e_m may still pull a sample towards another vertex on the way. Two numbers say so, for the logits z of
one sample whose labels have the weights w:

* the *pull* towards the class m against a class n, ``(-dF/dz_m) - (-dF/dz_n)``: how fast gradient descent on the logits lets m
  gain on n;
* the minimiser of the risk among logits whose spread, largest less least, is at most t: where a network that is not yet certain, or
  is held back by a penalty, would settle.

Both are given at equal initial slope (that of CE), so that losses can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.losses import Loss
from asymtheory.numbers.scalar import Scalar

from .reference import label_losses


def risk(loss: Loss, weights: Tensor, logits: Tensor) -> Tensor:
    """The weighted risk at logits (..., K), scaled to CE's initial slope; weights (K,)."""
    K = logits.shape[-1]
    return (label_losses(loss, logits) * weights).sum(-1) * K / fitting_slope(loss, K).unfitted


def pull(loss: Loss, weights: Sequence[Scalar], gaps: Sequence[float]) -> list[float]:
    """The pull towards the class of the largest weight where that of the second largest is ahead of all others by these gaps.

    All other logits are 0. Negative: the sample is driven on towards the wrong class.
    """
    w, m, n = _ordered(weights)
    z = torch.zeros(len(gaps), len(w), dtype=torch.float64)
    z[:, n] = torch.tensor(gaps, dtype=torch.float64)
    z.requires_grad_()
    (slope,) = torch.autograd.grad(risk(loss, w, z).sum(), z)
    return (slope[:, n] - slope[:, m]).tolist()


def reversal(loss: Loss, weights: Sequence[Scalar], most: float = 14.0, steps: int = 1400) -> list[tuple[float, float]]:
    """The stretches of gaps in (0, most] over which the pull is negative, found on an even grid of so many steps."""
    gaps = [most * (step + 1) / steps for step in range(steps)]
    found: list[tuple[float, float]] = []
    before = False
    for gap, value in zip(gaps, pull(loss, weights, gaps), strict=True):
        if value < 0:
            found[len(found) - before :] = [(found[-1][0] if before else gap, gap)]
        before = value < 0
    return found


def bounded(
    loss: Loss, weights: Sequence[Scalar], spreads: Sequence[float], points: int = 41
) -> list[tuple[float, float]]:
    """For each spread t: the logits of the two heaviest classes at the least risk with logits in [0, t], as shares of t.

    Searched on a grid of ``points`` a side; the other classes share one logit, which is right where their weights are equal.
    """
    w, m, n = _ordered(weights)
    side = torch.linspace(0, 1, points, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side, side)
    grid = grid[(grid.amax(1) == 1) & (grid.amin(1) == 0)]
    shares = grid[:, 2:].repeat(1, len(w))
    shares[:, m], shares[:, n] = grid[:, 0], grid[:, 1]
    return [tuple(grid[risk(loss, w, spread * shares).argmin(), :2].tolist()) for spread in spreads]


def _ordered(weights: Sequence[Scalar]) -> tuple[Tensor, int, int]:
    w = torch.tensor([float(x) for x in weights], dtype=torch.float64)
    m, n = w.argsort(descending=True, stable=True)[:2].tolist()
    return w / w.sum(), m, n
