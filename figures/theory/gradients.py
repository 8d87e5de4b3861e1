"""Gradients of a loss of the core with respect to probabilities and to logits, from its definition alone.

``dL(p, y)/dp_j`` is taken with the p_k as free variables, before the softmax, as the papers print it. The derivative is
the imaginary part of L(p + i h e_j) / h: no difference is formed, so that h = 1e-40 leaves only rounding.
"""

from __future__ import annotations

import numpy as np

from asymtheory.losses import Loss
from asymtheory.numbers.backends import numpy_

from ..results import Floats

STEP = 1e-40


def by_probability(loss: Loss, p: Floats, y: int = 0) -> Floats:
    """``dL(p, y)/dp_j`` for points p of shape (..., K) with 0 < p_k: an array (..., K)."""
    xp = numpy_()
    there = loss.on(xp)
    slopes = np.empty(p.shape)
    for j in range(p.shape[-1]):
        moved = p.astype(complex)
        moved[..., j] += 1j * STEP
        with np.errstate(all="ignore"):
            slopes[..., j] = np.imag(there.labels(moved, np.log(moved), xp)[..., y]) / STEP
    return slopes


def by_logit(loss: Loss, p: Floats, y: int = 0) -> Floats:
    """``dL(softmax(z), y)/dz_j = p_j (g_j - sum_i p_i g_i)`` with g from ``by_probability``: an array (..., K)."""
    g = by_probability(loss, p, y)
    slopes: Floats = p * (g - (p * g).sum(-1, keepdims=True))
    return slopes


def with_equal_rest(K: int, **given: Floats | float) -> Floats:
    """Points of the simplex with y = 0 at ``p_y``, and j = 1 at ``p_j`` if that is given; the rest is shared equally."""
    first = np.asarray(given["p_y"], dtype=float)
    fixed = [first] if "p_j" not in given else list(np.broadcast_arrays(first, np.asarray(given["p_j"], dtype=float)))
    rest = (1 - sum(fixed)) / (K - len(fixed))
    return np.stack([*fixed, *[rest] * (K - len(fixed))], axis=-1)
