"""What a linear model makes of noisy labels, in closed form: out-of-sample probabilities.

Gradient flow of linear least squares, from weights 0 on centred features x (mean square 1) and centred one-hot labels y, is at
time t

    W(t) = Q diag((1 - exp(-lambda t)) / lambda) Q' C,    x'x / N = Q diag(lambda) Q',    C = x'y / N,

known for all t from one eigendecomposition. Early on it has the classes' means alone, in the end the noise of the labels, too. By
five folds every sample is predicted by a model that has not seen it, and the time is the one at which most noisy labels are
predicted right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..reading.features import read_features
from ..reading.labels import align, read_labels
from .models import LabelsLike, TableLike

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]
TIMES = 2.0 ** np.arange(-4.0, 16.25, 0.5)
FOLDS = 5
LEAST = 50
"""Fewer samples are not enough."""
MOST = 4096
"""Numbers a sample may have: the time goes with their cube."""
ENTRIES = 20_000_000
"""Samples times classes that are looked at in one go, at all times: some 3 GB."""
SMALLEST = 1e-4
"""Of a probability; least squares may go below 0."""


@dataclass(frozen=True, eq=False)
class LinearFlow:
    """``probabilities`` (N, K) of the noisy labels, out of sample, at the ``time``; ``right``: share of the noisy labels that are
    predicted right; ``inputs``: how many numbers a sample has."""

    probabilities: npt.NDArray[np.float64]
    time: float
    right: float
    inputs: int


def linear_flow(features: Floats, labels: Labels, K: int | None = None, seed: int = 0) -> LinearFlow:
    """The flow on ``features`` (N, d) and noisy ``labels`` (N,), whole numbers in 0..K-1; of times that are as good the first.

    ``seed`` is of the folds. Raises InputError for fewer than 50 samples, more than 4,096 features, more than twenty
    million samples times classes, numbers that are not finite, features that are all constant, and one class alone.

        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(300, 4))
        >>> easy, hard = linear_flow(x, (x[:, 0] > 0) * 1), linear_flow(x * [1, 1, 0.1, 0.1], (x[:, 2] > 0) * 1)
        >>> easy.time < hard.time
        True
    """
    x, y = features, labels
    _check(x, y)
    classes = int(y.max()) + 1 if K is None else K
    if len(y) * classes > ENTRIES:
        raise InputError(
            f"--features: {len(y):,} samples of {classes:,} classes are too many at once; at most {ENTRIES // classes:,} samples "
            f"of so many classes (take a random part of them, with its labels)"
        )
    fold = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    scores = np.empty((len(y), len(TIMES), classes), dtype=np.float32)
    for k in range(FOLDS):
        scores[fold == k] = _scores(x[fold != k], np.eye(classes)[y[fold != k]], x[fold == k])
    right = (scores.argmax(axis=2) == y[:, None]).mean(axis=0)
    best = int(right.argmax())
    kept = np.maximum(scores[:, best].astype(np.float64), SMALLEST)
    return LinearFlow(kept / kept.sum(axis=1, keepdims=True), float(TIMES[best]), float(right[best]), x.shape[1])


def flow_of(features: TableLike, noisy: LabelsLike, K: int | None = None) -> LinearFlow:
    """:func:`linear_flow` of features and labels as files or objects; classes in the order of the labels.

    InputError for lengths that differ and a sample without a label, too.
    """
    table, given = read_features(features), read_labels(noisy, "--labels")
    if len(given.codes) == len(table) and (given.codes < 0).any():
        raise InputError(f"{given.where}: position {int((given.codes < 0).argmax())} has no label")
    (codes,), classes, _, _ = align((given,), K, None)
    return linear_flow(table, codes, classes)


def _scores(x: Floats, one_hot: npt.NDArray[np.float64], held: Floats) -> Floats:
    """What models of the training samples x say of the held-out ones at each of TIMES, (n, T, K)."""
    centre = x.mean(axis=0, dtype=np.float64).astype(x.dtype)
    x, held = x - centre, held - centre
    scale = np.sqrt(np.mean(np.square(x), dtype=np.float64)).astype(x.dtype)
    if not scale > 0:
        raise InputError("--features: all features are constant, so they tell no class from another")
    x, held = x / scale, held / scale
    mean = one_hot.mean(axis=0)
    values, Q = np.linalg.eigh((x.T @ x / len(x)).astype(np.float64))
    values = np.maximum(values, 0.0)[:, None]
    grown = np.where(values * TIMES > 1e-9, -np.expm1(-values * TIMES) / np.maximum(values, 1e-300), TIMES)
    C = Q.T @ (x.T @ (one_hot - mean).astype(x.dtype) / len(x))
    weights = Q @ (grown[:, :, None] * C[:, None, :]).reshape(len(Q), -1)
    return (held @ weights.astype(x.dtype)).reshape(len(held), len(TIMES), -1) + mean.astype(x.dtype)


def _check(x: Floats, y: Labels) -> None:
    if x.ndim != 2 or len(x) != len(y):
        raise InputError(
            f"--features: array of shape {x.shape} for {len(y)} labels; a row of numbers for each of them is needed"
        )
    if x.dtype.kind != "f" or len(y) < LEAST:
        raise InputError(
            f"--features: {len(y)} samples of {x.dtype}; at least {LEAST}, of float32 or float64, are needed"
        )
    if x.shape[1] > MOST:
        raise InputError(
            f"--features: {x.shape[1]:,} numbers a sample; at most {MOST:,} (reduce them, by PCA for example)"
        )
    if not np.isfinite(x).all():
        raise InputError("--features: holds a number that is not finite")
    if int(y.min()) == int(y.max()):
        raise InputError("--features: all labels are of one class")
