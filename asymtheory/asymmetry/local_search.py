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


def transfer_points(loss: Loss, w: Array) -> Array:
    """The vertex, transfers from the largest weight to one, two, ... other classes, and to all evenly: points (N, K)."""
    K, floor = len(w), _floor(loss)
    share = np.concatenate([np.geomspace(1e-12, 1e-3, 40), np.linspace(1e-3, 1, 400)[1:]])
    top = int(w.argmax())
    others = [int(k) for k in np.argsort(-w) if k != top]
    candidates = [np.eye(K)[top][None]]
    for group in [[k] for k in others[:12]] + [others[:size] for size in (2, 3, 5, 10, K - 1) if 1 < size < K]:
        moved = np.zeros((len(share), K))
        moved[:, top] = 1 - share
        moved[:, group] = (share / len(group))[:, None]
        candidates.append(moved)
    candidates.append(np.stack([(1 - s) * np.eye(K)[top] + s / K for s in share]))
    return np.asarray(floor + (1 - K * floor) * np.concatenate(candidates))


def transfers(loss: Loss, w: Array) -> Array:
    """The best of ``transfer_points``."""
    points = transfer_points(loss, w)
    values = weighted_risk(loss, w, points)
    best: Array = points[int(np.where(np.isfinite(values), values, np.inf).argmin())]
    return best


def search_point(loss: Loss, w: Array) -> Array:
    """The best of ``transfers`` and of local descent from there."""
    K, floor = len(w), _floor(loss)

    def inside(u: Array) -> Array:
        return floor + (1 - K * floor) * u

    best = transfers(loss, w)

    def objective(z: Array) -> float:
        e = np.exp(z - z.max())
        value = float(weighted_risk(loss, w, inside(e / e.sum())))
        return value if np.isfinite(value) else 1e300

    for start in (best, inside(w), inside(0.5 * w + 0.5 / K)) if K <= 50 else ():
        found = minimize(objective, np.log(np.maximum(start, 1e-300)), method="L-BFGS-B")
        if found.fun < float(weighted_risk(loss, w, best)):
            e = np.exp(found.x - found.x.max())
            best = inside(e / e.sum())
    return best
