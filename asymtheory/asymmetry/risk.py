"""The exact minimiser of the weighted risk ``F_w(u) = sum_k w_k L(u, k)`` on the simplex, one problem or many at once.

What finds it is the rule for the loss (``rules``): projected Newton where every phi_k is convex, the vertex of the largest weight
where every one is linear or concave, their own arguments for normalised and clipped losses; else a search, and the method
says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..answers import Answer
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import Loss
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..numbers.scalar import Scalar
from .newton import Array
from .rules import rule
from .weighted import limit_risk, weighted_risk

__all__ = ["Minimiser", "minimise", "weighted_risk"]


@dataclass(frozen=True)
class Minimiser(Answer):
    """Minimiser(s) of the weighted risk: ``point`` (K,) or (B, K), ``value`` and ``gap`` scalar or (B,).

    ``gap`` is a bound on value - inf F (duality, up to rounding), or None where the method gives none. ``exact`` is False
    where a search found the point. With an NCE or NFL term the minimum is an infimum that is approached and not attained: then
    ``value`` is that infimum, and ``point`` where it is approached.
    """

    point: Array
    value: Scalar
    gap: Scalar
    method: str
    exact: bool

    def to_dict(self) -> Json:
        return {
            "point": self.point.tolist(),
            "value": getattr(self.value, "tolist", lambda: self.value)(),
            "gap": getattr(self.gap, "tolist", lambda: self.gap)(),
            "method": self.method,
            "exact": self.exact,
        }


def minimise(loss: Loss | str, weights: ArrayLike, **parameters: Scalar) -> Minimiser:
    """Minimise the weighted risk over the simplex for weights (K,) or (B, K), nonnegative, not all zero in a row.

    Raises InputError for weights that are negative, not finite, all zero, or of another shape.

        >>> minimise("amse", [5, 3, 2], a=2).point.round(4).tolist()
        [0.6667, 0.2667, 0.0667]

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    w = np.asarray(weights, dtype=float)
    if w.ndim not in (1, 2) or w.shape[-1] < 2:
        raise InputError(f"weights of shape {w.shape}: (K,) or (B, K) with K >= 2 is needed")
    if not np.isfinite(w).all() or (w < 0).any() or (w.sum(-1) <= 0).any():
        raise InputError("weights must be finite, >= 0 and not all 0 in a row")
    rows = np.atleast_2d(w)
    shares = rows / rows.sum(-1, keepdims=True)
    found = rule(loss, w.shape[-1], _uniform(loss, shares)).minimiser(shares)
    points, gap = found.points, found.gap
    values = limit_risk(loss, rows, points)
    if w.ndim == 1:
        return Minimiser(points[0], float(values[0]), None if gap is None else float(gap[0]), found.method, found.exact)
    return Minimiser(points, values, gap, found.method, found.exact)


def _uniform(loss: Loss, shares: Array) -> bool:
    """Are all weights but the largest equal on every row? Looked at only where the loss depends on it."""
    if loss.joint or Profile.of(loss, shares.shape[-1]).is_separable:
        return False
    return all(np.ptp(np.delete(row, row.argmax())) == 0 for row in shares)
