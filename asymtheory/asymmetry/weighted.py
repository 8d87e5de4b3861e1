"""The weighted risk of a loss in floats."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..losses.base import Loss

Array: TypeAlias = NDArray[np.float64]


def weighted_risk(loss: Loss, weights: ArrayLike, u: ArrayLike) -> Any:
    """``F_w(u) = sum_k w_k L(u, k)`` in float64; weights and u are array-likes (..., K) that broadcast. 0 * inf counts as 0."""
    w, values = np.asarray(weights, dtype=float), loss(u)
    with np.errstate(invalid="ignore"):
        return np.where(w == 0, 0.0, w * values).sum(-1)
