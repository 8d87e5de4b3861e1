"""A search for the least weighted risk where no rule gives the minimiser: transfers, then local descent. It proves nothing."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..losses.base import Loss, NormalisedNegative
from .weighted import weighted_risk

Array: TypeAlias = NDArray[np.float64]


def _floor(loss: Loss) -> float:
    """The smallest u_k of the loss's domain: p_min of a normalised negative term, else a number that stands for 0."""
    return max((float(atom.p_min) for _, atom in loss.terms() if isinstance(atom, NormalisedNegative)), default=1e-30)


SHARES = np.unique(np.concatenate([np.geomspace(1e-12, 1, 200), np.linspace(1e-3, 1, 300)]))
STEP, MOST = 1e-8, 15000  # of a descent: of the differences that it follows, and how many risks it may ask for
ZOOMS, ZOOMED, REFINED = 4, 60, 6  # rounds and points of the refinement of a transfer, and how many are refined


def transfer_points(loss: Loss, w: Array) -> Array:
    """The vertex, transfers from the largest weight to one, two, ... other classes, and to all evenly: points (N, K)."""
    vertex = np.eye(len(w))[int(w.argmax())][None]
    return np.concatenate([_inside(loss, vertex), *(_moved(loss, w, aim, SHARES) for aim in _aims(w))])


def _aims(w: Array) -> list[Array]:
    """Where mass may go: to each of the largest other weights, to several of them evenly, to all classes."""
    K, top = len(w), int(w.argmax())
    others = [int(k) for k in np.argsort(-w) if k != top]
    groups = [[k] for k in others[:12]] + [others[:size] for size in (2, 3, 5, 10, K - 1) if 1 < size < K]
    aims = []
    for group in groups:
        aim = np.zeros(K)
        aim[group] = 1 / len(group)
        aims.append(aim)
    return [*aims, np.full(K, 1 / K)]


def _moved(loss: Loss, w: Array, aim: Array, share: Array) -> Array:
    """Points with a share of the mass moved from the largest weight to an aim."""
    vertex = np.eye(len(w))[int(w.argmax())]
    return _inside(loss, (1 - share)[:, None] * vertex + share[:, None] * aim)


def _inside(loss: Loss, u: Array) -> Array:
    """Points of the simplex as points of the loss's domain."""
    floor = _floor(loss)
    return np.asarray(floor + (1 - u.shape[-1] * floor) * u)


def transfers(loss: Loss, w: Array) -> Array:
    """The best of ``transfer_points``, the share of the mass refined around the least minima on the way to each aim."""

    def values(points: Array) -> Array:
        found = weighted_risk(loss, w, points)
        return np.where(np.isfinite(found), found, np.inf)

    minima: list[tuple[float, int, Array]] = []
    for aim in _aims(w):
        risk = values(_moved(loss, w, aim, SHARES))
        inner = 1 + np.flatnonzero((risk[1:-1] <= risk[:-2]) & (risk[1:-1] <= risk[2:]))
        minima += [(float(risk[at]), int(at), aim) for at in (*inner.tolist(), 0, len(SHARES) - 1)]
    best, least = SHARES[:0], np.inf
    for _, at, aim in sorted(minima, key=lambda each: each[0])[:REFINED]:
        share = SHARES
        for _ in range(ZOOMS):
            share = np.linspace(share[max(at - 1, 0)], share[min(at + 1, len(share) - 1)], ZOOMED)
            points = _moved(loss, w, aim, share)
            risk = values(points)
            at = int(risk.argmin())
        if best.size == 0 or risk[at] < least:
            best, least = points[at], float(risk[at])
    return best


def search_point(loss: Loss, w: Array) -> Array:
    """The best of ``transfers`` and of local descent from there."""
    from scipy.optimize import minimize  # late: its start takes longer than most searches, which do not come here

    K = len(w)

    def inside(u: Array) -> Array:
        return _inside(loss, u)

    best, vertex = transfers(loss, w), _inside(loss, np.eye(K)[int(w.argmax())])
    if not float(weighted_risk(loss, w, best)) < float(weighted_risk(loss, w, vertex)):
        best = vertex

    def objective(z: Array) -> tuple[float, Array]:
        """The risk at softmax(z), and its differences in every direction, all at once."""
        moved = np.vstack([z, z + np.diag(np.where(z + STEP == z, STEP * np.abs(z), STEP))])
        e = np.exp(moved - moved.max(-1, keepdims=True))
        risk = weighted_risk(loss, w, inside(e / e.sum(-1, keepdims=True)))
        risk = np.where(np.isfinite(risk), risk, 1e300)
        return float(risk[0]), (risk[1:] - risk[0]) / (moved[1:].diagonal() - z)

    most = {"maxfun": MOST // (K + 1)}
    for start in (best, inside(w), inside(0.5 * w + 0.5 / K)) if K <= 50 else ():
        found = minimize(objective, np.log(np.maximum(start, 1e-300)), jac=True, method="L-BFGS-B", options=most)
        if found.fun < float(weighted_risk(loss, w, best)):
            e = np.exp(found.x - found.x.max())
            best = inside(e / e.sum())
    return best
