"""Rows of a confirmation: what the models of one loss did at each value of its parameter, beside what the theory says.

A row is a plain dictionary, made from the arrays that training left and from nothing else: the rows of a finished ``--out``
folder are made again without training. Each function here makes one part of it; :func:`rows` puts them together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.asymmetry.risk import Minimiser, minimise
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.losses import Loss

from ..data.labels import transition
from ..run.config import Noise
from .design import Design, Grid, Group, prepared
from .level import level
from .models import Trained
from .summary import transitions

Floats = npt.NDArray[np.float64]

QUANTILES = (0.05, 0.25, 0.75, 0.95)
REPLICATES = 400  # of a bootstrap
TOGETHER = 50  # replicates that are computed at once
LEVEL = 0.95  # of an interval


def rows(grid: Grid, design: Design, outcomes: Sequence[tuple[Group, Trained]]) -> list[Json]:
    """One row a value of the grid, from the outcomes of its groups (together: every seed and value once).

    Numbers are rounded to six digits; what is not finite is None.
    """
    whole = joined(design, len(grid.members), outcomes)
    weights = transition(design.noise)
    exact = [minimise(member, weights) for member in grid.members]
    own = np.stack([np.diag(each.point) for each in exact])  # (V, K): u_m of every class
    train, test = Truth.of(design, own, "train"), Truth.of(design, own, "test")
    around = {"train": interval(whole.train), "test": interval(whole.test), "off": interval(whole.train, train.at)}
    found = []
    for v, member in enumerate(grid.members):
        fitted = _probability(whole.train[:, v], train.exact[v], around["train"][v])
        shares, curve = _shares(design, whole, v), _accuracy(whole, v)
        row = {
            **_value(grid, member),
            "regime": design.regime,
            **{name: fitted.pop(name) for name in ("exact", "measured", "low", "high")},
            "memorised": shares["memorised"],
            "last": curve["last"],
            "best": curve["best"],
            "seeds": len(design.seeds),
            # further facts
            **fitted,
            **_deviation(train.off(whole.train[:, v], v), around["off"][v]),
            "test": _probability(whole.test[:, v], test.exact[v], around["test"][v]),
            **_classes(design, whole.vectors[:, v].mean(0), exact[v]),
            **_lost(whole.vectors[:, v], whole.train[:, v], train, v),
            **shares,
            **curve,
            "by_seed": _by_seed(design, whole, v),
            **_grid(grid, member),
            **_scaling(design, member),
            "level": level(member, design.noise),
            "diverged": int(whole.diverged[:, v].sum()),
            **_where(design, len(train.labels)),
        }
        found.append(rounded(row))
    found_at = rounded(transitions(found))
    return [{**row, "transition": found_at} for row in found]


@dataclass(frozen=True, eq=False)
class Truth:
    """True labels of one part of the data, and u_m of the exact minimiser at its images."""

    labels: npt.NDArray[np.int64]
    at: Floats  # (V, N)

    @classmethod
    def of(cls, design: Design, own: Floats, part: str) -> Truth:
        dataset = prepared(design, design.seeds[0]).dataset
        labels = dataset.train_labels if part == "train" else dataset.test_labels
        assert labels is not None  # of data without them nothing is confirmed: `prepared`
        return cls(labels.cpu().numpy(), own[:, labels.cpu().numpy()])

    @property
    def exact(self) -> Floats:
        """Mean over the images, (V,)."""
        return self.at.mean(1)

    def off(self, p: Floats, v: int) -> Floats:
        """Measured minus exact, of one value: (S, N)."""
        return p - self.at[v]


def _value(grid: Grid, member: Loss) -> Json:
    return {
        "loss": grid.loss.name,
        "parameter": grid.parameter,
        "value": None if grid.parameter is None else float(member.parameters[grid.parameter]),
        "threshold": None if grid.threshold is None else float(grid.threshold),
    }


def _grid(grid: Grid, member: Loss) -> Json:
    """The other parameters, where the value lies in the grid, and what the grid left out."""
    factor = None
    if grid.parameter is not None and grid.threshold is not None:
        factor = float(member.parameters[grid.parameter] / grid.threshold)
    return {
        "fixed": grid.fixed,
        "status": grid.status,
        "outside": [float(value) for value in grid.outside],
        "factor": factor,
    }


def _probability(p: Floats, exact: float, around: Floats) -> Json:
    """p of the true class over seeds and images, p (S, N)."""
    return {
        "exact": exact,
        "measured": p.mean(),
        "low": around[0],
        "high": around[1],
        "median": np.median(p),
        "quantiles": dict(zip(map(str, QUANTILES), np.quantile(p, QUANTILES).tolist(), strict=True)),
    }


def _deviation(off: Floats, around: Floats) -> Json:
    return {"deviation": off.mean(), "deviation_low": around[0], "deviation_high": around[1]}


def _classes(design: Design, vectors: Floats, exact: Minimiser) -> Json:
    """Mean softmax vectors of the true classes (K, K) beside the minimisers; whole where the wrong classes differ."""
    alike = all(row.uniform_rest for row in design.noise.rows)
    return {
        "distance": 0.5 * np.abs(vectors - exact.point).sum(1).mean(),
        "vectors": None if alike else {"exact": exact.point, "measured": vectors},
        "classes": {"exact": np.diag(exact.point), "measured": np.diag(vectors)},
        "method": exact.method,
        "proved": exact.exact,
    }


def _lost(vectors: Floats, p: Floats, truth: Truth, v: int) -> Json:
    """Classes that a seed takes for another one: their mean softmax vector (S, K, K) is largest elsewhere.

    ``lost`` is their number in each class, over the seeds; ``kept`` is p of the true class (S, N) and its exact value without
    them. Every vertex is a stationary point of the softmax, so a class that was once taken for another one may stay so.
    """
    lost = vectors.argmax(-1) != np.arange(vectors.shape[-1])
    kept = ~lost[:, truth.labels]
    exact = np.broadcast_to(truth.at[v], p.shape)
    some = kept.any()
    return {
        "lost": lost.sum(0),
        "kept": {"exact": exact[kept].mean(), "measured": p[kept].mean()} if some else None,
    }


def _shares(design: Design, whole: Trained, v: int) -> Json:
    """What was fitted of the given labels: fixed regime only."""
    if design.regime != "fixed":
        return dict.fromkeys(("clean", "memorised", "recovered", "histograms"))
    mean = whole.shares[:, v].mean(0)
    histograms = dict(zip(("clean", "corrupted"), whole.histograms[:, v].sum(0), strict=True))
    return {"clean": mean[0], "memorised": mean[1], "recovered": mean[2], "histograms": histograms}


def _accuracy(whole: Trained, v: int) -> Json:
    """Test accuracy over the epochs: of every seed, and the mean over seeds."""
    curve = whole.curve[:, v]
    if not curve.shape[1]:
        return dict.fromkeys(("last", "best", "drop", "curve"))
    return {
        "last": curve[:, -1].mean(),
        "best": curve.max(1).mean(),
        "drop": _drop(curve).mean(),
        "curve": {"epochs": whole.epochs, "test": curve.mean(0), "by_seed": curve},
    }


def _drop(curve: Floats) -> Floats:
    """The drop from the best to the last test accuracy, of every seed."""
    return curve.max(1) - curve[:, -1]


def _by_seed(design: Design, whole: Trained, v: int) -> Json:
    curve = whole.curve[:, v]
    tested = curve.shape[1] > 0
    return {
        "measured": whole.train[:, v].mean(1),
        "memorised": whole.shares[:, v, 1] if design.regime == "fixed" else None,
        "last": curve[:, -1] if tested else None,
        "drop": _drop(curve) if tested else None,
    }


def _scaling(design: Design, member: Loss) -> Json:
    return {
        "equalised": design.equalise,
        "scale": design.scale(member),
        "slope_ratio": fitting_slope(member, design.K).ratio,
    }


def noise_of(design: Design) -> str:
    """The noise in words: its name and rate, or the column (else the file) of labels that were given."""
    config = design.config
    if config.labels is None:
        return str(Noise(config.noise.kind, config.noise.eta))
    return f"labels {config.column or Path(config.labels).stem}"


def dataset_of(design: Design) -> str:
    """The name of the data set; of features that of their file, ``cifar10-features`` for cifar10.npz."""
    config = design.config
    if config.data is None:
        return config.dataset
    stem = Path(config.data).stem
    return stem if stem.endswith(config.dataset) else f"{stem}-{config.dataset}"


def _where(design: Design, images: int) -> Json:
    config = design.config
    return {
        "dataset": dataset_of(design),
        "noise": noise_of(design),
        "labels": design.labels,
        "images": images,
        "model": config.model,
        "width": config.width,
        "epochs": config.epochs,
        "batch": config.batch,
        "rate": config.rate,
        "regularisation": config.regularisation,
        "strength": config.strength,
    }


# ------------------------------------------------------------------------------------------------------------ arithmetic


def interval(p: Floats, minus: Floats | None = None, seed: int = 0, replicates: int = REPLICATES) -> Floats:
    """Bootstrap interval (95 %) of the mean over seeds and images of p (S, V, N), or of p - ``minus`` (V, N): (V, 2).

    Seeds and images are drawn with replacement, each by itself (the images of a replicate are the same for all seeds and
    values). With one seed it is an interval over images only; with few it is too narrow where seeds differ more than images: of
    three (normal) seeds it covers the mean of all seeds two times in three, not 95 times in a hundred.
    """
    S, V, N = p.shape
    images, drawn = _drawn(S, N, seed, replicates)
    means = np.empty((replicates, V))
    for start in range(0, replicates, TOGETHER):
        some = slice(start, start + TOGETHER)
        counts = images[some].astype(np.float64).T
        means[some] = np.einsum("bs,svb->bv", drawn[some] / S, p @ counts) / N
        if minus is not None:
            means[some] -= (minus @ counts).T / N
    tail = (1 - LEVEL) / 2
    return np.quantile(means, [tail, 1 - tail], axis=0).T


@lru_cache(maxsize=4)
def _drawn(S: int, N: int, seed: int, replicates: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """How often every image (replicates, N) and every seed (replicates, S) is drawn."""
    random = np.random.default_rng(seed)
    images, seeds = np.empty((replicates, N), dtype=np.uint8), np.empty((replicates, S), dtype=np.int64)
    for b in range(replicates):
        images[b] = np.bincount(random.integers(N, size=N), minlength=N)
        seeds[b] = np.bincount(random.integers(S, size=S), minlength=S)
    return images, seeds


def joined(design: Design, count: int, outcomes: Sequence[tuple[Group, Trained]]) -> Trained:
    """Groups of one grid put together: (S, V, ...)."""
    first = outcomes[0][1]
    S = len(design.seeds)
    epochs = max((outcome.epochs for _, outcome in outcomes), key=len)
    arrays: Json = {}
    for name in Trained.ARRAYS:
        part = getattr(first, name)
        tail = (len(epochs),) if name == "curve" else part.shape[2:]
        arrays[name] = np.full((S, count, *tail), False if name == "diverged" else np.nan, dtype=part.dtype)
        for group, outcome in outcomes:
            places = np.ix_([design.seeds.index(seed) for seed in group.seeds], list(group.values))
            each = getattr(outcome, name)
            if name == "curve" and each.shape[2] < len(epochs):  # stopped early: diverged
                missing = len(epochs) - each.shape[2]
                each = np.pad(each, ((0, 0), (0, 0), (0, missing)), constant_values=np.nan)
            arrays[name][places] = each
    return Trained(**arrays, epochs=epochs, seconds=sum(outcome.seconds for _, outcome in outcomes))


def rounded(value: JsonValue) -> JsonValue:
    """The value for JSON: plain numbers, six digits, None for what is not finite."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value
