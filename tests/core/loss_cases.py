"""Losses of each shape, and the points of the simplex where a risk is tried: what verdicts and minimisers are tested on alike.

A module adds the cases that only it asks about.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asymtheory.losses import AGCE, AMSE, AUL, CE, FL, GCE, MAE, MSE, RCE, build

CONVEX = [CE(), FL(gamma=2), GCE(q=0.7), MSE(), build("sce")]
# concave or linear: every unique largest weight has its vertex as the minimiser
FLAT = [MAE(), RCE(), AGCE(a=0.6, q=2), AUL(a=2, p=0.5), AUL(a=1, p=0.5), AMSE(a=1, q=0.5)]
# neither convex nor concave: searched
MIXED = [AGCE(a=0.1, q=3) + AMSE(a=2), AMSE(a=1, q=0.5) + AMSE(a=2)]


def simplex_grid(n: int) -> Any:
    """All points of the 3-class simplex with denominators n."""
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1))
    keep = i + j <= n
    i, j = i[keep], j[keep]
    return np.stack([i, j, n - i - j], -1) / n


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
