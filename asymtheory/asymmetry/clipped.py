"""The minimiser of the weighted cross entropy on clipped logits."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import wrightomega

Array: TypeAlias = NDArray[np.float64]

LEAST = -690.0  # log mu: less is not told from 0 by floats


def minimise_clipped(tau: float, w: Array) -> Array:
    """Minimise ``-sum w_k log u_k`` over u = softmax(z), ||z||_2 <= tau, for weights of total 1.

    Where the clip binds, ``u - w + mu z = 0`` with a multiplier mu > 0. With L = log sum exp(z) this is ``mu z_k + exp(z_k - L) =
    w_k``, which Wright's omega solves: ``z_k = w_k / mu - omega(w_k / mu - L - log mu)``. L is where the z sum up to 0, as the
    equations do; they rise with L, and ``||z||`` falls with mu.
    """
    if (w > 0).all():
        free = np.log(w) - np.log(w).mean()
        if np.linalg.norm(free) <= tau:
            return w

    def logits(log_mu: float) -> Array:
        steep = w / math.exp(log_mu)

        def at(L: float) -> Array:
            found = wrightomega(steep - L - log_mu)
            with np.errstate(
                divide="ignore"
            ):  # omega + log omega is its argument; either form cancels where the other does not
                return np.where(found < 1, steep - found, L + log_mu + np.log(found))

        high = 1.0
        while at(high).sum() < 0:
            high *= 2
        return at(brentq(lambda L: float(at(L).sum()), 0.0, high, xtol=1e-15))

    def excess(log_mu: float) -> float:
        return float(np.linalg.norm(logits(log_mu))) - tau

    low, high = LEAST, min(math.log(2) - math.log(tau), -LEAST)  # z = (w - u) / mu and ||w - u|| <= sqrt(2)
    if excess(low) <= 0:
        high = low
    elif excess(high) >= 0:
        low = high
    z = logits(low if low == high else brentq(excess, low, high, xtol=1e-15))
    z = z * (tau / (np.linalg.norm(z) or 1.0))  # z is 0 where tau is below what floats tell apart
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())
