"""The noise of a data set and how well it is known.

What the theory asks of a row of class weights is two shares, ``w_m / W`` (the true class) and ``w_n / W`` (the largest other
one), and every rule is monotone in both (docs/theory.md). So what is not known about a row is a box

    w_m / W in [top_low, top_high],    w_n / W in [second_low, second_high],

and its worst corner (top_low, second_high) decides for all matrices in it. Four kinds of input, four kinds of box:

* a noise model, a matrix: taken as given, no box;
* noisy labels with clean ones: the counts of a row are multinomial, so every entry is binomial; Clopper-Pearson intervals,
  with the level shared out evenly (Bonferroni) over both sides of all K^2 entries and of the noise rate. All intervals hold
  together with probability at least ``confidence``, for any true matrix, if the samples with a clean label are a random
  draw within each class;
* noisy labels with out-of-sample predicted probabilities: confident learning (Northcutt et al. 2021) through cleanlab, and
  a bootstrap over the samples: studentised, one factor for the shares of all rows and the noise rate together. The box
  covers what resampling shows; the bias of confident learning is not in it;
* per-sample posteriors: every sample is a row, taken as given.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from ..answers import Answer
from ..errors import InputError
from ..jsonlines import Json
from ..numbers.text import as_float, show
from ..reading.labels import Codes, Column, align, read_labels, read_pair
from ..reading.limits import check_room
from ..reading.probabilities import check_rows, chunks, likelier_order, read_probabilities, tolerance_of
from . import models as noise
from .files import of_object
from .models import LabelsLike, TableLike
from .resolve import load
from .rows import NoiseModel, Row

Array = np.ndarray[Any, Any]

ESTIMATE_EXTRA = "pip install 'asymtheory[estimate]'"
REPLICATES = 200
BOOTSTRAP_CELLS = 10**6
"""Cells (samples times classes) of one bootstrap draw; of more samples a smaller draw is taken and its spread scaled."""
FEW = 100
"""Samples of one class with fewer clean labels (or confident samples) than this are warned about."""


@dataclass(frozen=True)
class Range:
    """A number and, where it is estimated, an interval around it (NaN-free; infinities allowed)."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """The facts for JSON, which has no infinity: None then. ``low`` and ``high`` only where estimated."""
        ends = {} if self.low is None else {"low": as_float(self.low), "high": as_float(self.high)}
        return {"value": as_float(self.value), **ends}

    def __str__(self) -> str:
        text = show(self.value)
        return text if self.low is None else f"{text} [{show(self.low)}, {show(self.high)}]"


@dataclass(frozen=True)
class Boxes:
    """The shares, for every row, of the true class and of its largest rival, each in [low, high] (arrays (R,))."""

    top_low: Array
    top_high: Array
    second_low: Array
    second_high: Array

    def corner(self, K: int, worst: bool) -> tuple[Array, Array]:
        """(top, second) of the worst or of the best matrix: the box cut to what K shares that sum to 1 can be."""
        top, second = (self.top_low, self.second_high) if worst else (self.top_high, self.second_low)
        if worst:
            second = np.minimum(second, 1 - top)
            return np.maximum(top, 1 - (K - 1) * second), second
        top = np.minimum(top, 1 - second)
        return top, np.maximum(second, (1 - top) / (K - 1))


@dataclass(frozen=True)
class NoiseEstimate(Answer):
    """A noise model, what follows from it with intervals, and the shares that conditions are decided on.

    ``unit``: what a row is, "class" or "sample". ``top``, ``second``: shares (R,) of the point estimate; ``target``,
    ``rival``: class indices (R,); ``mass``: the share of all data each row stands for, (R,), summing to 1. ``uniform``: is
    the rest of every row uniform? ``boxes``: None where the noise is taken as given.
    """

    noise: NoiseModel
    unit: str
    top: Array
    second: Array
    target: Array
    rival: Array
    mass: Array
    uniform: bool
    method: str
    rate: Range | None
    confidence: float | None = None
    boxes: Boxes | None = None
    samples: tuple[int, ...] | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def K(self) -> int:
        return self.noise.classes

    @cached_property
    def binding(self) -> int:
        """The row of least margin."""
        return int((self.top - self.second).argmin())

    def corner(self, worst: bool = True) -> tuple[Array, Array]:
        """The shares (top, second) of the worst (best) matrix that the estimate allows; the estimate's own if known."""
        return (self.top, self.second) if self.boxes is None else self.boxes.corner(self.K, worst)

    @cached_property
    def deciding(self) -> tuple[tuple[Array, Array], ...]:
        """(top, second) of the rows that imply all others: of the estimate, its worst and its best corner."""
        found = []
        for top, second in ((self.top, self.second), self.corner(), self.corner(worst=False)):
            kept = hull(top, second)
            found.append((top[kept], second[kept]))
        return tuple(found)

    @cached_property
    def in_order(self) -> tuple[Array, Array]:
        """Clean levels and margins of the rows, each sorted."""
        with np.errstate(divide="ignore", invalid="ignore"):
            levels = np.where(self.second > 0, self.top / self.second, math.inf)
        return np.sort(levels), np.sort(self.top - self.second)

    @property
    def margin(self) -> Range:
        """The least ``(w_m - w_n) / W`` over the rows."""
        return self._range(lambda top, second: float((top - second).min()))

    @property
    def clean_level(self) -> Range:
        """The least ``w_m / w_n`` over the rows; inf where nothing is noisy."""

        def least(top: Array, second: Array) -> float:
            with np.errstate(divide="ignore", invalid="ignore"):
                return float(np.where(second > 0, top / second, math.inf).min())

        return self._range(least)

    def _range(self, of: Callable[[Array, Array], float]) -> Range:
        value = of(self.top, self.second)
        if self.boxes is None:
            return Range(value)
        return Range(value, of(*self.corner()), of(*self.corner(worst=False)))

    @cached_property
    def failures(self) -> tuple[int, ...]:
        """Rows whose true class does not have the unique largest share, by the point estimate."""
        return tuple(np.flatnonzero(self.top <= self.second).tolist())

    @property
    def dominant(self) -> bool:
        """Does the true class dominate in every row, by the point estimate?"""
        return not self.failures

    def row_name(self, index: int) -> str:
        """``truck`` (or ``class 9``, ``sample 17``); "every class" where one row stands for all."""
        if self.unit == "sample":
            return f"sample {index}"
        if self.noise.representative:
            return "every class"
        return self.class_name(int(self.target[index]))

    def class_name(self, index: int) -> str:
        """The class's name, or ``class 9``."""
        return self.noise.names[index] if self.noise.names else f"class {index}"

    @property
    def given(self) -> bool:
        """Is the noise a model with exact rows, taken as given?"""
        return self.boxes is None and self.unit == "class"

    def to_dict(self) -> Json:
        """The facts of the noise for JSON (rate, clean level and margin are beside it)."""
        return {
            "kind": self.noise.kind,
            "classes": self.K,
            "names": None if self.noise.names is None else list(self.noise.names),
            "rows": len(self.top),
            "unit": self.unit,
            "source": self.noise.source,
            "method": self.method,
            "estimated": self.boxes is not None,
            "confidence": self.confidence,
            "clean_samples": None if self.samples is None else list(self.samples),
        }


def hull(top: Array, second: Array) -> list[int]:
    """Rows that imply all others: vertices of the hull towards small ``top`` and large ``second``.

    ``A top - B second`` with A, B >= 0 is least over all rows at one of them, whatever A and B.
    """
    order = np.lexsort((-second, top))
    record = np.maximum.accumulate(second[order])
    order = order[np.concatenate([[True], record[1:] > record[:-1]])]  # the others are dominated by an earlier row
    kept: list[int] = []
    for i in order.tolist():
        while len(kept) > 1:  # loses one each time
            a, b = kept[-2], kept[-1]
            turn = (top[b] - top[a]) * (second[i] - second[a]) - (second[b] - second[a]) * (top[i] - top[a])
            if turn < 0:
                break
            kept.pop()
        kept.append(i)
    return kept


# ----------------------------------------------------------------------------------------------- as given


def known(model: NoiseModel) -> NoiseEstimate:
    """A noise model that is taken as given."""
    if model.kind == "posteriors" and hasattr(model, "array"):
        return from_sample_posteriors(model.array, model.names, model.source or "posteriors", model.reading)
    rows = model.rows
    totals = [row.total for row in rows]
    top = np.array([float(row.top / W) for row, W in zip(rows, totals, strict=True)])
    second = np.array([float(row.second / W) for row, W in zip(rows, totals, strict=True)])
    unit = "sample" if model.kind == "posteriors" else "class"
    return NoiseEstimate(
        noise=model, unit=unit, top=top, second=second, target=np.array([row.target for row in rows]),
        rival=np.array([row.runner_up for row in rows]), mass=np.full(len(rows), 1 / len(rows)),
        uniform=all(row.uniform_rest for row in rows), method="taken as given",
        rate=None if model.rate is None else Range(float(model.rate)),
    )  # fmt: skip


def from_transition(source: TableLike | str | os.PathLike[str], confidence: float = 0.95) -> NoiseEstimate:
    """A transition matrix (a file, an array, nested lists), taken as given; a table of counts is an estimate.

    ``source`` may be anything that :mod:`asymtheory.reading` takes; per-sample posteriors are refused (they are not a matrix).
    """
    check_confidence(confidence)
    path = isinstance(source, str | os.PathLike)
    model = load(source) if isinstance(source, str | os.PathLike) else of_object(source, "--transition")
    if model.kind == "posteriors":
        raise InputError(f"--transition {source if path else ''}: is not a square matrix; use --posteriors for samples")
    if model.samples is None:
        return known(model)
    counts = [
        [round(weight * size) for weight in row.weights] for row, size in zip(model.rows, model.samples, strict=True)
    ]
    return counted(model, counts, confidence, f"counted over {sum(model.samples)} samples")


def from_sample_posteriors(
    table: Array, names: Sequence[str] | None = None, source: str = "posteriors", reading: str | None = None
) -> NoiseEstimate:
    """Per-sample class weights (N, K), streamed: rows of probabilities (each sums to 1), or whole numbers (votes).

    The target of a sample is its largest weight. The noise rate is the mean weight of the other classes: what a label drawn
    from each sample's weights would get wrong. InputError names the row (from 0) of a bad entry or sum.
    """
    N, K = table.shape
    votes, tolerance = table.dtype.kind in "iu", tolerance_of(table)
    top, second = np.empty(N), np.empty(N)
    target, rival = np.empty(N, dtype=np.int32), np.empty(N, dtype=np.int32)
    for start, part in chunks(table):
        totals = check_rows(part, start, "votes" if votes else "posteriors", source, not votes, tolerance)
        here, rows = slice(start, start + len(part)), np.arange(len(part))
        target[here] = first = part.argmax(axis=1)
        top[here] = part[rows, first] / totals
        part[rows, first] = -1
        rival[here] = other = part.argmax(axis=1)
        second[here] = part[rows, other] / totals
    binding = int((top - second).argmin())
    row = Row(tuple(np.asarray(table[binding], dtype=float).tolist()), int(target[binding]))
    model = NoiseModel(
        "posteriors", (row,), K, None, None if names is None else tuple(names), source=source, reading=reading
    )
    return NoiseEstimate(
        noise=model, unit="sample", top=top, second=second, target=target, rival=rival,
        mass=np.full(N, 1 / N), uniform=K == 2, method=f"{N} samples, each taken as given",
        rate=Range(float(1 - top.mean())),
    )  # fmt: skip


# ----------------------------------------------------------------------------------------- noisy and clean labels


def from_clean_labels(
    noisy: LabelsLike,
    clean: LabelsLike,
    confidence: float = 0.95,
    K: int | None = None,
    names: Sequence[str] | None = None,
) -> NoiseEstimate:
    """The matrix ``P(label | class)`` from samples with a noisy and a clean label, with Clopper-Pearson intervals.

    ``noisy`` and ``clean`` are whatever :mod:`asymtheory.reading` takes, of the same samples; clean labels may be missing.
    The true matrix, its margin, clean level and noise rate lie in their intervals together with probability at least
    ``confidence``. InputError for lengths that differ, a label that never occurs, a class without a clean sample.
    """
    check_confidence(confidence)
    pair = read_pair(noisy, clean, K, names)
    given, true = pair.sources
    _every_class_occurs(pair.noisy, pair.K, pair.names, given.where, "label {} never occurs among the noisy labels")
    have = pair.clean >= 0
    if not have.any():
        raise InputError(f"{true.where}: holds no clean label")
    _every_class_occurs(pair.clean[have], pair.K, pair.names, true.where, "class {} has no clean sample")
    part, total = int(have.sum()), len(have)
    model = replace(noise.from_codes(pair.clean, pair.noisy, pair.K, pair.names, given.source), reading=pair.reading)
    counts = np.bincount(pair.clean[have] * pair.K + pair.noisy[have], minlength=pair.K**2).reshape(pair.K, pair.K)
    text = f"counted over {part} samples with a clean label" + (f" (of {total})" if part < total else "")
    return counted(model, counts, confidence, text)


def _every_class_occurs(labels: Codes, K: int, names: Sequence[str] | None, source: str, text: str) -> None:
    if K > noise.MAX_COUNTED_CLASSES:
        raise InputError(f"{source}: labels of {K} classes; at most {noise.MAX_COUNTED_CLASSES} are counted")
    absent = np.flatnonzero(np.bincount(labels, minlength=K) == 0)
    if len(absent):
        which = f"{absent[0]} ({names[absent[0]]})" if names else str(absent[0])
        more = f", nor do {len(absent) - 1} more" if len(absent) > 1 and "never" in text else ""
        raise InputError(f"{source}: {text.format(which)}{more}; every class 0..{K - 1} is needed")


def check_confidence(confidence: float) -> float:
    """A confidence in (0, 1), else InputError."""
    if not isinstance(confidence, int | float) or isinstance(confidence, bool) or not 0 < confidence < 1:
        raise InputError(f"--confidence {confidence}: must be in (0, 1), such as 0.95")
    return float(confidence)


def counted(model: NoiseModel, counts: TableLike, confidence: float, text: str) -> NoiseEstimate:
    """The estimate that counts (K, K) give, rows true classes, with Clopper-Pearson intervals; `text` says what was counted."""
    counts, K = np.asarray(counts), len(counts)
    rows, sizes = np.arange(K), counts.sum(axis=1)
    own = counts[rows, rows]
    others = counts.copy()
    others[rows, rows] = -1
    rival = others.argmax(axis=1)
    second = others[rows, rival]
    # the largest upper (lower) end of a row's entries is that of its largest count, so only these need their intervals
    level = (1 - confidence) / (2 * (K * K + 1))
    boxes = Boxes(*clopper_pearson(own, sizes, level), *clopper_pearson(second, sizes, level))
    low, high = (float(end) for end in clopper_pearson(sizes.sum() - own.sum(), sizes.sum(), level))
    few = int(sizes.argmin())
    warnings: tuple[str, ...] = ()
    if sizes[few] < FEW:
        name = model.class_name(few)
        warnings = (f"few samples: class {name} has {sizes[few]} clean labels; the intervals are wide",)
    return NoiseEstimate(
        noise=model, unit="class", top=own / sizes, second=second / sizes, target=rows, rival=rival,
        mass=sizes / sizes.sum(), uniform=K == 2,
        method=f"{text}; Clopper-Pearson intervals, all together at {confidence:g} (Bonferroni)",
        rate=Range(1 - own.sum() / sizes.sum(), low, high), confidence=confidence, boxes=boxes,
        samples=tuple(sizes.tolist()), warnings=warnings,
    )  # fmt: skip


def clopper_pearson(successes: ArrayLike, trials: ArrayLike, level: float) -> tuple[Array, Array]:
    """Exact binomial limits (low, high) of a probability, each missed with probability at most ``level``; arrays (R,)."""
    x, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    low = np.where(x > 0, betaincinv(np.maximum(x, 1e-300), n - x + 1, level), 0.0)
    high = np.where(x < n, betaincinv(x + 1, np.maximum(n - x, 1e-300), 1 - level), 1.0)
    return low, high


# ---------------------------------------------------------------------------------------- confident learning


def from_predictions(
    noisy: LabelsLike,
    probabilities: TableLike,
    confidence: float = 0.95,
    K: int | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> NoiseEstimate:
    """The matrix from noisy labels and out-of-sample predicted probabilities (N, K), by confident learning.

    Intervals are a bootstrap over the samples, for the shares of all rows and the noise rate together; how far confident
    learning itself is off (it counts what the classifier gets wrong as label noise, and the reverse) is not in them.
    InputError for lengths that differ, rows that do not sum to 1, a label that never occurs, or a missing cleanlab.
    """
    return from_predicted(read_predicted(noisy, probabilities, K), confidence, replicates, seed)


@dataclass(frozen=True, eq=False)
class Predicted:
    """Noisy labels with probabilities of the same samples: ``labels`` (N,) of 0..K-1, ``table`` (N, K) in float64.

    ``given``: the labels as they were read; ``source``: of the table; ``hint``: of an order of the columns that fits better;
    ``reading``: how all was read.
    """

    labels: Array
    table: Array
    names: tuple[str, ...] | None
    given: Column
    source: str
    hint: str | None
    reading: str


def read_predicted(noisy: LabelsLike, probabilities: TableLike, K: int | None = None) -> Predicted:
    """Read both; InputError as :func:`from_predictions` says."""
    found = read_probabilities(probabilities, "--probs")
    table, heads, where = found.table, found.names, found.source
    given = read_labels(noisy, "--labels")
    if len(given.codes) != len(table):
        raise InputError(
            f"{where} has {len(table)} rows, {given.source} {len(given.codes)} labels; they must be of the same samples"
        )
    if (given.codes < 0).any():
        raise InputError(f"{given.where}: position {int((given.codes < 0).argmax())} has no label")
    if K is not None and K != table.shape[1]:
        raise InputError(f"--K {K}: {where} has {table.shape[1]} columns")
    check_room(where, 4.0 * table.size * 8)
    (labels,), K, names, based = align((given,), table.shape[1], heads if given.named else None)
    names = heads or names
    _every_class_occurs(labels, K, names, given.where, "label {} never occurs")
    for start, part in chunks(table):
        check_rows(part, start, "probabilities", where, tolerance=tolerance_of(table))
    by_name = given.named and heads is not None
    hint = None if by_name else likelier_order(labels, table, names)
    kept = "the sorted names" if given.named else "the labels"
    order = "classes of the columns by name" if by_name else f"columns in the order of {kept}"
    said = "; ".join(
        part for part in (f"noisy labels = {given.place} of {given.source}", found.reading, order, based) if part
    )
    return Predicted(labels, np.asarray(table, dtype=np.float64), names, given, where, hint, said)


def from_predicted(
    found: Predicted, confidence: float = 0.95, replicates: int = REPLICATES, seed: int = 0
) -> NoiseEstimate:
    """:func:`from_predictions` of what was read."""
    check_confidence(confidence)
    labels, table, names, where, hint = found.labels, found.table, found.names, found.source, found.hint
    joint = _confident_joint(labels, table)
    empty = np.flatnonzero(joint.sum(axis=0) == 0)
    if len(empty):
        name = names[empty[0]] if names else empty[0]
        raise InputError(
            f"{where}: no sample is confidently of class {name}; the probabilities cannot tell it apart"
            + ("" if hint is None else f" ({hint})")
        )
    matrix, shares = _channel(joint)
    draws = _bootstrap(labels, table, replicates, seed)
    model = replace(noise.from_matrix(matrix, names, where, "estimated"), rate=float(1 - shares @ matrix.diagonal()))
    model = replace(model, reading=found.reading)
    made = _from_draws(model, matrix, shares, draws, confidence, len(labels))
    return (
        made
        if hint is None
        else replace(made, warnings=(f"--probs: {hint}; name the columns, or reorder them", *made.warnings))
    )


def _confident_joint(labels: Array, table: Array) -> Array:
    """cleanlab's joint (K, K) of given label (rows) and estimated true class (columns), summing to N."""
    try:
        count = import_module("cleanlab.count")
    except ImportError as error:
        raise InputError(
            f"--probs: estimating noise without clean labels needs an extra: {ESTIMATE_EXTRA} ({error})"
        ) from error
    return np.asarray(count.compute_confident_joint(labels, table, calibrate=True), dtype=float)


def _channel(joint: Array) -> tuple[Array, Array]:
    """P(label | class) with classes as rows, and P(class), from a joint (label, class)."""
    totals = joint.sum(axis=0)
    return (joint / totals).T, totals / totals.sum()


@dataclass(frozen=True)
class _Draws:
    """Bootstrap replicates of matrices (B, K, K) and class shares (B, K); ``shrink`` scales their spread to N samples."""

    matrices: Array
    shares: Array
    shrink: float


def _bootstrap(labels: Array, table: Array, replicates: int, seed: int) -> _Draws:
    generator = np.random.default_rng(seed)
    N, K = table.shape
    size = min(N, max(200 * K, BOOTSTRAP_CELLS // K))
    matrices: list[Array] = []
    shares: list[Array] = []
    for _ in range(4 * replicates):
        drawn = generator.integers(0, N, size)
        joint = _confident_joint(labels[drawn], table[drawn]) if len(np.unique(labels[drawn])) == K else None
        if joint is None or joint.sum(axis=0).min() == 0:
            continue  # a draw without a class has no confident joint
        matrix, share = _channel(joint)
        matrices.append(matrix)
        shares.append(share)
        if len(matrices) == replicates:
            break
    else:
        raise InputError(f"--labels: some class has too few of the {N} samples for a bootstrap; use --clean labels")
    return _Draws(np.array(matrices), np.array(shares), math.sqrt(size / N))


def _from_draws(
    model: NoiseModel, matrix: Array, shares: Array, draws: _Draws, confidence: float, N: int
) -> NoiseEstimate:
    K, rows = len(matrix), np.arange(len(matrix))

    def shape(matrices: Array) -> tuple[Array, Array]:
        others = matrices.copy()
        others[..., rows, rows] = -1
        return matrices[..., rows, rows], others.max(axis=-1)

    top, second = shape(matrix)
    tops, seconds = shape(draws.matrices)
    rates = 1 - (draws.shares * tops).sum(axis=1)
    rate = 1 - float(shares @ top)
    point = np.concatenate([top, second, [rate]])
    spread = (np.concatenate([tops, seconds, rates[:, None]], axis=1) - point) * draws.shrink
    error = np.maximum(spread.std(axis=0), 1e-12)
    factor = float(np.quantile(np.abs(spread / error).max(axis=1), confidence))
    low, high = np.clip(point - factor * error, 0, 1), np.clip(point + factor * error, 0, 1)
    confident = shares * N
    few = int(confident.argmin())
    warnings: tuple[str, ...] = (
        "estimated without clean labels: the bootstrap interval does not cover the bias of confident learning "
        "(classifier errors count as label noise); check the binding class on some clean labels",
    )
    if confident[few] < FEW:
        warnings += (f"few samples: about {confident[few]:.0f} samples are of class {model.class_name(few)}",)
    others = matrix.copy()
    others[rows, rows] = -1
    return NoiseEstimate(
        noise=model, unit="class", top=top, second=second, target=rows, rival=others.argmax(axis=1), mass=shares,
        uniform=K == 2, confidence=confidence, samples=None, warnings=warnings,
        method=f"confident learning (cleanlab) on {N} samples; bootstrap of {len(tops)} draws, all intervals together",
        boxes=Boxes(low[:K], high[:K], low[K : 2 * K], high[K : 2 * K]),
        rate=Range(rate, float(low[-1]), float(high[-1])),
    )  # fmt: skip
