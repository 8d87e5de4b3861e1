"""Noise that depends on the image: the part-dependent noise of Xia et al. (2020), and what published JAL code makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from asymtheory.errors import InputError
from asymtheory.numbers.text import Number

from .formats import Labels

Floats = npt.NDArray[np.float64]
Draw = Callable[[str, int], Floats]
"""So many numbers in (0, 1) of a named stream: :func:`.labels.uniforms` of one seed and kind."""

INSTANCE: dict[str, str] = {
    "idn": "depends on the image: its own flip rate from a truncated normal around eta (Xia et al. 2020)",
    "idn-jal": "depends on the image: every image equally likely to flip, the target depends on it (published JAL code)",
}
"""The kinds of noise that need images, beside those of :mod:`asymtheory.noise`."""
SPREAD = 0.1
"""Standard deviation of the flip rates of ``idn``."""


def instance_dependent(
    clean: Labels,
    K: int,
    eta: Number,
    kind: str,
    mode: str,
    images: npt.ArrayLike | None,
    mean: Sequence[float],
    std: Sequence[float],
    draw: Draw,
) -> Labels:
    """Part-dependent noise of Xia et al. (2020, Algorithm 2), from images without augmentation.

    ``idn``: image i has its own flip rate ``q_i``, drawn from N(eta, 0.1^2) truncated to [0, 1]. Its wrong label is drawn
    with probabilities ``softmax(x_i W_y)`` without the true class y: x_i the normalised image as a vector, W_y (pixels, K)
    standard normal, one for every class. ``idn-jal``: ``q_i = eta`` for all (published JAL code).

    mode ``iid``: image i flips with probability ``q_i``. mode ``exact``: exactly ``eta N`` images flip (rounded half up),
    those of smallest ``u_i / q_i`` with ``u_i`` uniform (sequential Poisson sampling, Ohlsson 1998: shares close to ``q_i``).
    The mean of a truncated normal is eta only at 1/2: 0.206 at 0.2; mode exact does not inherit that.

    `draw`: the uniform numbers of a named stream: ``flip`` and ``rate`` decide who flips, ``target`` where to, ``weights of
    class y`` are W_y. W is rounded to multiples of 2^-20: with byte images every product and sum is then exact in float64,
    so that labels do not depend on the number of threads or the order of summation.
    """
    pixels = _byte_images(images, len(clean))
    N, C = pixels.shape[:2]
    if len(mean) != C or len(std) != C:
        raise InputError(f"mean and std have {len(mean)} and {len(std)} entries for images of {C} channels")
    number, rate = draw("flip", N), float(eta)
    score = number / _flip_rates(rate, draw("rate", N)) if kind == "idn" else number
    if mode == "iid":
        flipped = np.flatnonzero(score < (1.0 if kind == "idn" else rate))
    else:
        flipped = np.argsort(score, kind="stable")[: int(Fraction(eta) * N + Fraction(1, 2))]
    target = draw("target", N)
    labels = clean.copy()
    for y in range(K):
        members = flipped[clean[flipped] == y]
        if len(members):
            labels[members] = _targets(pixels[members], y, K, draw, target[members], mean, std)
    return labels


def _byte_images(images: npt.ArrayLike | None, samples: int) -> npt.NDArray[np.uint8]:
    if images is None:
        raise InputError("instance-dependent noise needs images (uint8, N x C x H x W)")
    array = images.detach().cpu().numpy() if hasattr(images, "detach") else np.asarray(images)
    if array.dtype != np.uint8 or array.ndim != 4 or len(array) != samples:
        raise InputError(
            f"images are {array.dtype} of shape {array.shape}; uint8 of shape ({samples}, C, H, W) is needed"
        )
    return array


def _flip_rates(eta: float, numbers: Floats) -> Floats:
    """Quantiles of N(eta, SPREAD^2) truncated to [0, 1]; at least the smallest positive float."""
    low, high = ndtr((0 - eta) / SPREAD), ndtr((1 - eta) / SPREAD)
    rates = eta + SPREAD * ndtri(low + (high - low) * numbers)
    return np.clip(rates, np.finfo(np.float64).tiny, 1.0)


def _targets(
    pixels: npt.NDArray[np.uint8],
    y: int,
    K: int,
    draw: Draw,
    numbers: Floats,
    mean: Sequence[float],
    std: Sequence[float],
) -> Labels:
    """Wrong labels of images of class y, by inverting the cumulative softmax of their scores."""
    N, C, H, W = pixels.shape
    weights = _class_weights(y, draw, C * H * W, K).reshape(C, H * W, K)
    scores = np.zeros((N, K))
    for c in range(C):
        exact = pixels[:, c].reshape(N, -1).astype(np.float64) @ weights[c]  # multiples of 2^-20 below 2^33
        scores += exact / (255 * std[c]) - weights[c].sum(axis=0) * (mean[c] / std[c])
    scores[:, y] = -np.inf
    cumulative = np.cumsum(np.exp(scores - scores.max(axis=1, keepdims=True)), axis=1)
    # the other classes fill (0, 1): a class of probability zero, y among them, ends where the one before it ends
    cumulative /= cumulative[:, -1:]
    return (cumulative <= numbers[:, None]).sum(axis=1)


def _class_weights(y: int, draw: Draw, pixels: int, K: int) -> Floats:
    """W_y (pixels, K): standard normal numbers, rounded to multiples of 2^-20."""
    normal = ndtri(draw(f"weights of class {y}", pixels * K)).reshape(pixels, K)
    return np.rint(normal * 2.0**20) * 2.0**-20
