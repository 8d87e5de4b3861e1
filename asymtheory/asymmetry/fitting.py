"""The price of robustness: how a loss pulls on samples that are not fitted yet, against samples that are.

Along the even path ``u(t)``: ``u_y = t`` and ``u_k = (1 - t) / (K - 1)`` for every other class, the slope is

    s(t) = - d/dt L(u(t), y).

Raising the logit of the label alone moves u along this path, and ``-dL/dz_y = t (1 - t) s(t)``. An untrained network sits at
t = 1/K (*unfitted*), a fitted sample near t = 1; *fitted* here is t = 0.99, for at t = 1 the slopes of normalised losses are
infinite or 0, and no softmax gets there. The *ratio* s(1/K) / s(0.99) does not depend on the scale of the loss (which is a
learning rate): 0.99 K for CE, 1 for MAE and the unhinged loss, below 1 for concave losses. It is what a loss pays for its
tolerance: for a convex active loss the clean level c >= s(0) / s(1) is needed (ALF Theorem 6), and this ratio is nearly the
same number. JAL (Supp. A) puts it so: with a larger a "the weight of high-confidence (clean) samples in the gradient
increases, while the weight of low-confidence (noisy) samples decreases"; ALF (Sec. 4.2) trades a lower ratio r for fitting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..answers import Answer
from ..jsonlines import Json
from ..losses.base import Loss, Normalised, Sum
from ..losses.papers import CE, FL
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..noise.models import check_classes
from ..numbers.backends import FLOAT
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.text import as_float

FITTED = 0.99


@dataclass(frozen=True)
class FittingSlope(Answer):
    """Slopes of one loss along the even path, K classes; ``fitted_at`` is 0.99, or the most that the loss's domain allows."""

    loss: str
    K: int
    unfitted: float  # s(1/K) >= 0
    fitted: float  # s(fitted_at) >= 0
    fitted_at: float = FITTED

    @property
    def ratio(self) -> float:
        """``s(1/K) / s(fitted_at)``: the emphasis on what is not fitted yet; inf where a fitted sample pulls no more."""
        if self.fitted == 0:
            return math.inf if self.unfitted else math.nan
        return self.unfitted / self.fitted

    @property
    def logit(self) -> float:
        """``-dL/dz_y`` of an untrained network (uniform prediction): ``s(1/K) (1/K) (1 - 1/K)``."""
        return self.unfitted * (1 - 1 / self.K) / self.K

    def to_dict(self) -> Json:
        """The facts for JSON, which has neither infinity nor NaN: None then."""
        return {
            "unfitted": as_float(self.unfitted),
            "fitted": as_float(self.fitted),
            "ratio": as_float(self.ratio),
            "logit": as_float(self.logit),
            "fitted_at": self.fitted_at,
        }

    def __str__(self) -> str:
        return (
            f"{self.loss}, K = {self.K}: slope {self.unfitted:.4g} unfitted (u_y = 1/K), {self.fitted:.4g} fitted "
            f"(u_y = {self.fitted_at:.4g}), ratio {self.ratio:.4g}"
        )


def fitting_slope(loss: Loss | str, K: int = 10, **parameters: Scalar) -> FittingSlope:
    """The slopes of a loss with its parameters on K >= 2 classes (a whole number; else InputError).

        >>> round(fitting_slope("ce", K=10).ratio, 9)
        9.9

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    K = check_classes(K)
    profile = Profile.of(loss, K)
    fitted = FITTED
    if profile.clipped:
        ((_, atom),) = profile.clipped
        reach = float(atom.tau) * math.sqrt(K / (K - 1))  # largest gap of the logits with ||z||_2 <= tau
        fitted = min(FITTED, 1 / (1 + (K - 1) * math.exp(-reach)))
    return FittingSlope(str(loss), K, _slope(profile, 1 / K), _slope(profile, fitted), fitted)


def led_by_nce(loss: Loss, K: int) -> bool:
    """Does the NCE (or NFL) term of a sum pull more on unfitted samples than the rest, which makes the sum asymmetric?

    The sum is asymmetric in the limit whatever its coefficients (docs/theory.md, section 3); then that limit is far away.
    """
    terms = [(c, atom) for c, atom in loss.terms() if isinstance(atom, Normalised) and isinstance(atom.base, CE | FL)]
    if not terms or len(terms) == len(loss.terms()):
        return False
    return fitting_slope(Sum(tuple(terms)), K).unfitted > fitting_slope(loss, K).unfitted / 2


def _slope(profile: Profile, t: float) -> float:
    """s(t), from jets in t."""
    K = profile.K
    own, other = Jet(FLOAT, t, 1.0), Jet(FLOAT, (1 - t) / (K - 1), -1.0 / (K - 1))
    value = 1 / t if profile.clipped else 0.0  # inside its domain a clipped loss is cross entropy
    for coefficient, atom in profile.separable:
        on: Any = atom.on(FLOAT)
        for u, side, count in ((own, on.active, 1), (other, on.passive, K - 1)):
            value -= float(coefficient) * count * getattr(side(u, u.log(), FLOAT), "slope", 0.0)
    for coefficient, normalised in profile.normalised:
        base: Any = normalised.base.on(FLOAT)
        top, rest = (base.active(u, u.log(), FLOAT) for u in (own, other))
        value -= float(coefficient) * (top / (top + rest * float(K - 1))).slope
    for coefficient, negative in profile.negative:
        flipped: Any = negative.on(FLOAT)
        top, rest = (flipped.flipped(u, u.log(), FLOAT) for u in (own, other))
        value += float(coefficient) * (top / (top + rest * float(K - 1))).slope
    return value
