"""Certifies the curvature of a term over its whole domain."""

from __future__ import annotations

from ..numbers.boxes import Curve
from .base import CONCAVE, CONVEX, LINEAR, MIXED

NEAR_ONE = 2.0**-30


def certify_curvature(curve: Curve) -> int | None:
    """Shape of a continuous function on [0, 1] by enclosures of its second derivative over boxes.

    1 convex and not linear on [1 - 2^-30, 1], 0 linear, -1 concave, None neither or not proved. Inside the box around
    the cut of a ``split`` nothing is proved, because the slope may jump there.
    """
    signs = curve.signs(2)
    if signs.complete and signs.proved == {0} and not signs.weak:
        return LINEAR
    if signs.never(-1) and 1 in signs.proved:
        low, high = (curve.box(u, u)[1] for u in (1 - NEAR_ONE, 1.0))
        return CONVEX if high.low > low.high or curve.box(1 - NEAR_ONE, 1.0)[2].low > 0 else MIXED
    return CONCAVE if signs.never(1) and -1 in signs.proved else MIXED
