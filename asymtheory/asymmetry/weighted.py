"""The weighted risk of a loss in floats."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..losses.base import Loss
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..numbers.scalar import Scalar
from .rules.base import endless

Array: TypeAlias = NDArray[np.float64]


def weighted_risk(loss: Loss | str, weights: ArrayLike, u: ArrayLike, **parameters: Scalar) -> Scalar:
    """``F_w(u) = sum_k w_k L(u, k)`` in float64; weights and u are array-likes (..., K) that broadcast. 0 * inf counts as 0.

    At points of the boundary where an NCE or NFL term has no value (it depends on the path) the result is NaN or one of its
    limits; ``limit_risk`` gives the least of them.

        >>> float(weighted_risk("mae", [3, 1], [0.75, 0.25]))
        3.0

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    w, values = np.asarray(weights, dtype=float), loss(u)
    with np.errstate(invalid="ignore"):
        return np.where(w == 0, 0.0, w * values).sum(-1)


def limit_risk(loss: Loss, w: Array, u: Array) -> Array:
    """The least limit of ``F_w`` at points (B, K) for weights (B, K): where some u_k are 0, an NCE or NFL term may take the least
    weight of their classes (let these u_k go to 0 one far faster than the others). Equal to ``weighted_risk`` elsewhere.
    """
    if loss.joint:
        return np.asarray(weighted_risk(loss, w, u))
    profile = Profile.of(loss, w.shape[-1])
    limits = [float(c) for c, atom in profile.normalised if endless(atom)] if not profile.negative else []
    if not limits:
        return np.asarray(weighted_risk(loss, w, u))
    result = np.zeros(len(w))
    for coefficient, atom in loss.terms():
        endless_term = any(atom is other for _, other in profile.normalised if endless(other))
        values = weighted_risk(atom, w, u)
        if endless_term:
            at_zero = u == 0
            least = np.where(at_zero, w, np.inf).min(-1)
            values = np.where(at_zero.any(-1), least, values)
        result = result + float(coefficient) * values
    return result
