"""The minimiser of the weighted cross entropy on clipped logits."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


def minimise_clipped(tau: float, w: Array) -> Array:
    """Minimise ``-sum w_k log u_k`` over u = softmax(z), ||z||_2 <= tau, for weights of total 1."""

    def softmax(z: Array) -> Array:
        e = np.exp(z - z.max())
        return e / e.sum()

    if (w > 0).all():
        free = np.log(w) - np.log(w).mean()
        if np.linalg.norm(free) <= tau:
            return w
    low, high = 0.0, 2.0 / tau  # z = (w - p) / mu and ||w - p|| <= sqrt(2)
    z = np.zeros_like(w)
    for _ in range(
        100
    ):  # the multiplier mu of ||z|| <= tau: z(mu) solves softmax(z) - w + mu z = 0, ||z|| falls with mu
        mu = 0.5 * (low + high)
        for _ in range(100):
            p = softmax(z)
            gradient = p - w + mu * z
            diagonal = p + mu
            q = p / diagonal
            step = gradient / diagonal + q * (p @ (gradient / diagonal)) / (1 - p @ q)
            z = z - step * min(1.0, 2.0 / (np.abs(step).max() + 1e-300))
            if np.abs(step).max() <= 1e-15 * (1 + np.abs(z).max()):
                break
        low, high = (mu, high) if np.linalg.norm(z) > tau else (low, mu)
        if high - low <= 1e-16 * high:
            break
    return softmax(z * (tau / (np.linalg.norm(z) or 1.0)))  # z is 0 where tau is below what floats tell apart
