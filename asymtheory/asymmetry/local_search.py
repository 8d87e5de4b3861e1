"""A search for the least weighted risk where no rule gives the minimiser: transfers, then local descent. It proves nothing."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..losses.base import Loss, NormalisedNegative
from .weighted import weighted_risk

Array: TypeAlias = NDArray[np.float64]


def _floor(loss: Loss) -> float:
    """The smallest u_k of the loss's domain: p_min of a normalised negative term, else a number that stands for 0."""
    return max((float(atom.p_min) for _, atom in loss.terms() if isinstance(atom, NormalisedNegative)), default=1e-30)


def search_point(loss: Loss, w: Array) -> Array:
    """Best of: vertices, transfers from the largest weight to each other class, and local descent from the best."""
    K, floor = len(w), _floor(loss)

    def inside(u: Array) -> Array:
        return floor + (1 - K * floor) * u

    share = np.concatenate([[0.0], np.geomspace(1e-9, 1e-3, 40), np.linspace(1e-3, 1, 400)[1:]])
    top, others = int(w.argmax()), np.argsort(-w)[1 : min(K, 12)]
    candidates = [np.eye(K)[top][None]]
    for other in others:
        moved = np.zeros((len(share), K))
        moved[:, top], moved[:, other] = 1 - share, share
        candidates.append(moved)
    candidates.append(np.stack([(1 - s) * np.eye(K)[top] + s / K for s in share]))
    points = inside(np.concatenate(candidates))
    values = weighted_risk(loss, w, points)
    values = np.where(np.isfinite(values), values, np.inf)
    best = points[int(values.argmin())]

    def objective(z: Array) -> float:
        e = np.exp(z - z.max())
        value = float(weighted_risk(loss, w, inside(e / e.sum())))
        return value if np.isfinite(value) else 1e300

    for start in (best, inside(w), inside(0.5 * w + 0.5 / K)) if K <= 50 else ():
        found = minimize(objective, np.log(start), method="L-BFGS-B")
        if found.fun < float(weighted_risk(loss, w, best)):
            e = np.exp(found.x - found.x.max())
            best = inside(e / e.sum())
    return best
