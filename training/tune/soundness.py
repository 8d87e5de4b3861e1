"""Why, and how far, accuracy on noisy labels tells which network is better on clean ones.

Let a network be right on a share ``c_i`` of class i. On labels with the matrix T (rows true, columns given) its accuracy is

    A' = sum_i pi_i (c_i T_ii + sum_{j != i} P(it says j | i) T_ij),

where a wrong answer j agrees with the noisy label with probability T_ij. Between the least and the largest ``T_ij`` of a row,

    sum_i pi_i (c_i T_ii + (1 - c_i) min_j T_ij)  <=  A'  <=  sum_i pi_i (c_i T_ii + (1 - c_i) max_j T_ij).

* Symmetric noise: both sides are equal, and ``A' = eta/(K-1) + (1 - eta - eta/(K-1)) A`` is affine and rising in the clean
  accuracy A: of two networks the better one on noisy labels is the better one, but for chance.
* Any other noise: a point of A' is worth at most ``1 / min_i (T_ii - max_j T_ij)`` clean points, and wrong answers that agree
  with the noise are rewarded by up to ``max_i (max_j T_ij - min_j T_ij)`` each. Where that is large (pair noise) a network that
  makes the labels' own mistakes looks better than it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from asymtheory.noise import NoiseModel

from ..data.labels import transition


@dataclass(frozen=True)
class Soundness:
    """``slope``: noisy points that a clean point is worth at least; ``reward``: noisy points that a wrong answer can earn more than
    another wrong one, 0 for symmetric noise; ``samples``: held-out labels."""

    slope: float
    reward: float
    samples: int

    def error(self, accuracy: float) -> float:
        """One standard error of a noisy accuracy, as a share of clean accuracy; infinite where the slope is 0."""
        spread = math.sqrt(max(accuracy * (1 - accuracy), 0.0) / self.samples)
        return spread / self.slope if self.slope > 0 else math.inf

    def __str__(self) -> str:
        if self.slope <= 0:
            return "noisy validation is not sound here: in some class the true label is not the most frequent one"
        if self.reward < 1e-9:
            return f"noisy validation is sound: noisy accuracy is affine in clean accuracy, slope {self.slope:.3g}"
        return (
            f"noisy validation is sound up to {self.reward:.3g}: a wrong answer that agrees with the noise earns that much, "
            f"a right one at least {self.slope:.3g} more than any wrong one"
        )


def soundness(noise: NoiseModel, samples: int) -> Soundness:
    """What noisy validation on so many held-out labels is worth on a noise with one row a class."""
    T = transition(noise)
    slopes, rewards = [], []
    for i, row in enumerate(T):
        wrong = [float(x) for j, x in enumerate(row) if j != i]
        slopes.append(float(row[i]) - max(wrong))
        rewards.append(max(wrong) - min(wrong))
    return Soundness(min(slopes), max(rewards), samples)
