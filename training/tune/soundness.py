"""What accuracy on noisy labels tells of clean accuracy, and how far.

**The estimate.** Let T be the noise's matrix (rows true, columns given), with an inverse. A network that says p of a sample with
the noisy label y earns ``(T^-1)_yp``, and its score is the mean over the held-out samples. Where the noise depends on the class
alone, a sample of class k has the label y with probability ``T_ky``, whatever the network says of it, and

    sum_y T_ky (T^-1)_yp = [k = p],

so the score is right on average for the clean accuracy of every network: wrong answers that agree with the noise earn nothing.
Its standard error is that of a mean, and says what the inverse costs. (With the same inverse Patrini et al. 2017 correct losses
"backward".)

* Symmetric noise: the score is affine in the noisy accuracy A', which is ``A' = eta/(K-1) + (1 - eta - eta/(K-1)) A``.
* Pair noise, class maps: it ranks networks otherwise than A' does, which rewards those that make the labels' own mistakes.
* Noise that depends on the sample: it is wrong as far as T does not describe it, and the inverse magnifies that.

**Where the noise may depend on the sample**, as that of labels which people gave, or T has no inverse (pair noise of rate 1/2, K
even), A' is left. With a share ``c_i`` of class i right, between the least and
the largest ``T_ij`` of a row,

    sum_i pi_i (c_i T_ii + (1 - c_i) min_j T_ij)  <=  A'  <=  sum_i pi_i (c_i T_ii + (1 - c_i) max_j T_ij),

so a point of A' is worth at most ``1 / min_i (T_ii - max_j T_ij)`` clean points, and wrong answers that agree with the noise are
rewarded by up to ``max_i (max_j T_ij - min_j T_ij)`` each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from asymtheory.noise import FAMILIES, NoiseModel

from ..data.labels import transition

SINGULAR = 1e-6
"""A matrix whose singular values are further apart than this ratio has no inverse here: the estimate would be chance alone."""
DIGITS = 10
"""To which scores are rounded, so that networks with the same answers tie."""
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Soundness:
    """``slope``: noisy points that a clean point is worth at least; ``reward``: noisy points that a wrong answer can earn more than
    another wrong one, 0 for symmetric noise; ``samples``: held-out labels; ``inverse``: that of the noise's matrix (K, K), None
    where there is none or the noise may depend on the sample."""

    slope: float
    reward: float
    samples: int
    inverse: Floats | None = field(default=None, compare=False, repr=False)

    @property
    def worth(self) -> float:
        """Of the score: what a clean point is worth in it."""
        return self.slope if self.inverse is None else 1.0

    @property
    def says(self) -> str:
        """What the score is."""
        return "noisy accuracy" if self.inverse is None else "clean accuracy, estimated"

    @property
    def checksum(self) -> str:
        """Of the inverse: scores of one matrix are not compared with those of another."""
        rows = b"" if self.inverse is None else (self.inverse.round(6) + 0.0).tobytes()
        return blake2b(rows, digest_size=8).hexdigest()

    @cached_property
    def largest(self) -> float:
        """The largest standard error of a score: half the range of what a sample earns, over the root of their number."""
        earned = 1.0 if self.inverse is None else float(self.inverse.max() - self.inverse.min())
        return earned / 2 / math.sqrt(self.samples)

    def scores(self, classes: Labels, labels: Labels) -> tuple[list[float], list[float]]:
        """Scores, and their standard errors, of networks that say ``classes`` (M, N) of samples with noisy ``labels`` (N,)."""
        earned = np.equal(classes, labels) * 1.0 if self.inverse is None else self.inverse[labels, classes]
        errors = earned.std(-1) / math.sqrt(earned.shape[-1])
        return earned.mean(-1).round(DIGITS).tolist(), errors.tolist()

    def in_clean(self, error: float) -> float:
        """A standard error of a score as a share of clean accuracy; infinite where the score tells nothing of it."""
        return error / self.worth if self.worth > 0 else math.inf

    def to_dict(self) -> dict[str, float | int | str]:
        """The facts for JSON."""
        return {
            "slope": self.slope, "reward": self.reward, "samples": self.samples, "score": self.says, "says": str(self),
        }  # fmt: skip

    def __str__(self) -> str:
        if self.inverse is not None and self.reward < 1e-9:
            return f"noisy validation is sound: noisy accuracy is affine in clean accuracy, slope {self.slope:.3g}"
        if self.inverse is not None:
            found = (
                "noisy validation is sound where the noise depends on the class alone: the estimate is right on average"
            )
            return (
                found if self.slope > 0 else f"{found}; but in some class the true label is not the most frequent one"
            )
        if self.slope <= 0:
            return "noisy validation is not sound here: in some class the true label is not the most frequent one"
        return (
            f"noisy validation is sound up to {self.reward:.3g}: a wrong answer that agrees with the noise earns that much, "
            f"a right one at least {self.slope:.3g} more than any wrong one"
        )


def soundness(noise: NoiseModel, samples: int, drawn: bool = False) -> Soundness:
    """What noisy validation on so many held-out labels is worth on a noise with one row a class.

    ``drawn``: were the labels drawn from it? Else the inverse is used for models of classes (symmetric, uniform, pair, class maps),
    not for a matrix, which is the mean of whatever the labels depend on.
    """
    T, by_class = transition(noise), drawn or noise.kind in (*FAMILIES, "map")
    slopes, rewards = [], []
    for i, row in enumerate(T):
        wrong = [float(x) for j, x in enumerate(row) if j != i]
        slopes.append(float(row[i]) - max(wrong))
        rewards.append(max(wrong) - min(wrong))
    sizes = np.linalg.svd(T, compute_uv=False)
    invertible = by_class and sizes[-1] > SINGULAR * sizes[0]
    inverse: Floats | None = np.linalg.inv(T).astype(np.float64) if invertible else None
    return Soundness(min(slopes), max(rewards), samples, inverse)


def without_noise(K: int, samples: int) -> Soundness:
    """Held-out labels that are clean: the score is the accuracy."""
    return Soundness(1.0, 0.0, samples, np.eye(K))
