"""Which samples to have relabelled, so that one row of the matrix is known, and what their clean labels say of it.

From noisy labels y and out-of-sample probabilities the noise is estimated by confident learning, whose bias no resampling shows.
A few clean labels cure that where it matters: in the binding row, that of a class i with the margin ``M = T_ii - T_ir``. With
``q_n = P(class i | probabilities, label)`` the sizes of the row's entries are, for any labels and any q,

    N_j = sum_n [y_n = j] q_n  +  E sum_{drawn n} (1 / pi_n) [y_n = j] ([true_n = i] - q_n),

where pi_n is the chance that sample n is drawn (the difference estimator of survey sampling, Cassel, Särndal and Wretman 1976;
"prediction-powered" in Angelopoulos et al. 2023). So a drawn sample only has to correct q_n, and samples whose class is sure
already need not be looked at. The variance of M is least for

    pi_n  ~  |c_n| sqrt(q_n (1 - q_n)),    c_n = ([y_n = i] - [y_n = r] - M) / N_i    (Neyman 1934),

to which a share ``EVEN`` of equal chances is added, for q may be wrong where it looks sure. The estimate is right on average
whatever q is; its interval is that of Clopper and Pearson at the effective number of samples (Korn and Graubard 1998), an
approximation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..answers import Answer
from ..errors import InputError, printable
from ..jsonlines import Json
from ..numbers.text import show
from ..reading.arrays import host
from ..reading.labels import align, column
from ..reading.objects import read
from ..reading.table import Table
from .estimate import (
    REPLICATES,
    Array,
    Boxes,
    NoiseEstimate,
    Predicted,
    Range,
    check_confidence,
    clopper_pearson,
    from_predicted,
    read_predicted,
)
from .models import LabelsLike, TableLike, from_matrix

EVEN = 0.1
"""This share of the samples is drawn with equal chances."""
UNSURE = 0.2
"""This share of a classifier's probability is taken to be spread evenly over the classes: most are too sure. Both shares were
chosen on CIFAR-10N's aggregate and random labels."""
USUAL = 0.95
"""The confidence of what is expected, where the estimate has none."""
LEAST = 20
"""Fewer clean labels of a row are not taken for an estimate."""


@dataclass(frozen=True)
class Relabelling(Answer):
    """Samples to have relabelled for one row, and what that is expected to gain.

    ``row``: the class whose row it is; ``rival``: its largest wrong one. ``places``: of the samples (from 0), ascending;
    ``weights``: ``1 / (N p_n)``, p_n the chance of each draw to be this sample. ``margin``: as estimated before. ``expected``:
    standard error of the margin after relabelling, by the probabilities; ``random``: that of counting as many samples drawn at
    random; ``before``: the half-width of the interval now, in which the bias is not; ``after``: the expected one.
    """

    row: int
    rival: int
    names: tuple[str, str]
    places: tuple[int, ...]
    weights: tuple[float, ...]
    samples: int
    margin: float
    before: float
    after: float
    expected: float
    random: float

    def __str__(self) -> str:
        return "\n".join(
            [
                f"relabel      {len(self.places)} of {self.samples} samples, for {self.names[0]} against {self.names[1]}: "
                f"margin {show(self.margin, 3)} +- {show(self.before, 2)}, and a bias that no resampling shows",
                f"gain         a standard error of {show(self.expected, 2)} is expected, and an interval of "
                f"+- {show(self.after, 2)} in which the bias is; at random and counted, a standard error of {show(self.random, 2)}",
            ]
        )

    def to_dict(self) -> Json:
        """The facts for JSON."""
        return {
            "row": self.row,
            "rival": self.rival,
            "samples": list(self.places),
            "margin": self.margin,
            "half_width": self.before,
            "expected_half_width": self.after,
            "expected_error": self.expected,
            "random_error": self.random,
        }

    def csv(self) -> str:
        """``index,label,row,weight``: labels are to be filled in; the other columns belong to the estimate."""
        lines = [f"{place},,{self.row},{weight:.6g}" for place, weight in zip(self.places, self.weights, strict=True)]
        return "\n".join(["index,label,row,weight", *lines]) + "\n"


def relabelling(
    noisy: LabelsLike, probabilities: TableLike, count: int, found: NoiseEstimate | None = None, seed: int = 0,
    row: int | None = None,
) -> Relabelling:  # fmt: skip
    """Draw ``count`` samples to have relabelled for a row (default: the binding one) of an estimate (default: that of the labels).

    ``noisy`` and ``probabilities`` are what :func:`.estimate.from_predictions` takes. InputError for a count that is not in 20..N,
    for a row that is not one of the classes, and where no sample is in doubt.

        >>> import numpy as np
        >>> given = np.repeat([0, 1], 50)
        >>> from asymtheory.noise.estimate import from_transition
        >>> known = from_transition([[0.7, 0.3], [0.2, 0.8]])
        >>> plan = relabelling(given, np.where(given[:, None] == [0, 1], 0.7, 0.3), 30, known)
        >>> len(plan.places), plan.names
        (30, ('class 0', 'class 1'))
    """
    both = read_predicted(noisy, probabilities)
    return drawn(from_predicted(both) if found is None else found, both, count, seed, row)


def drawn(found: NoiseEstimate, both: Predicted, count: int, seed: int = 0, row: int | None = None) -> Relabelling:
    """:func:`relabelling` of what was read."""
    N, labels = len(both.labels), both.labels
    if not LEAST <= count <= N:
        raise InputError(f"--relabel {count}: a number in {LEAST}..{N} is needed")
    row = found.binding if row is None else row
    if not 0 <= row < found.K:
        raise InputError(f"row {row}: a class in 0..{found.K - 1} is needed")
    rival = int(found.rival[row])
    q = posterior(found, labels, both.table, row)
    top, second = float(found.top[row]), float(found.second[row])
    margin = top - second
    slope = ((labels == row) * 1.0 - (labels == rival) * 1.0 - margin) / q.sum()
    doubt = np.abs(slope) * np.sqrt(q * (1 - q))
    if not doubt.sum() > 0:
        raise InputError(f"--relabel: no sample of row {row} is in doubt: its class is sure by --probs")
    chance = chances(doubt, count)
    places = np.sort(_systematic(chance, np.random.default_rng(seed)))
    variance = float(((1 / chance - 1) * doubt**2).sum())
    counted = (top + second - margin**2) / (count * max(float(found.mass[row]), 1e-12))
    (low_top, high_second), (high_top, low_second) = found.corner(), found.corner(worst=False)
    width = float(high_top[row] - low_second[row] - low_top[row] + high_second[row]) / 2
    after = _expected_width(found, labels, q, chance, row)
    return Relabelling(
        row, rival, (found.class_name(row), found.class_name(rival)), tuple(places.tolist()),
        tuple((count / (N * chance[places])).tolist()), N, margin, width, after, math.sqrt(variance), math.sqrt(counted),
    )  # fmt: skip


def _expected_width(found: NoiseEstimate, labels: Array, q: Array, chance: Array, row: int) -> float:
    """Half the width of the margin's interval that :func:`with_relabelled` is expected to give."""
    shares = _matrix(found)[row]
    moved = ((labels[:, None] == np.arange(found.K)) - shares) / q.sum()
    level = (1 - (found.confidence or USUAL)) / (4 * found.K)
    low, high = _interval(shares, (q * (1 - q) / chance) @ moved**2, level)
    others = np.arange(found.K) != row
    return float(high[row] - low[row] + high[others].max() - low[others].max()) / 2


def posterior(found: NoiseEstimate, labels: Array, probabilities: Array, row: int) -> Array:
    """``P(true class = row | probabilities, label)`` of every sample, (N,).

    The probabilities are of the noisy label, ``p = t T`` with those of the true class t; so ``t = p T^-1``, cut at 0 and mixed
    with even ones (UNSURE), and by Bayes ``q_i ~ t_i T_iy``.
    """
    T = _matrix(found)
    clean = np.maximum(probabilities @ np.linalg.pinv(T), 1e-12)
    clean = (1 - UNSURE) * clean / clean.sum(axis=1, keepdims=True) + UNSURE / found.K
    joint = clean * T[:, labels].T
    total = joint.sum(axis=1)
    return np.where(total > 0, joint[:, row] / np.maximum(total, 1e-300), found.mass[row])


def _matrix(found: NoiseEstimate) -> Array:
    rows = [np.array([float(w) for w in row.weights]) / float(row.total) for row in found.noise.rows]
    return np.stack(rows)


def chances(doubt: Array, count: int) -> Array:
    """Of every sample to be drawn, (N,) in (0, 1], summing to ``count``: in proportion to the doubt, and a share of all alike."""
    wanted = (1 - EVEN) * doubt / doubt.sum() + EVEN / len(doubt)
    found, free = np.minimum(1.0, count * wanted), np.ones(len(doubt), dtype=bool)
    while True:  # what is sure to be drawn leaves room for the others; each time at least one more is sure
        free &= found < 1
        room = count - int((~free).sum())
        scaled = room * wanted[free] / wanted[free].sum()
        found[free] = np.minimum(1.0, scaled)
        if not (scaled >= 1).any():
            return found


def _systematic(chance: Array, random: np.random.Generator) -> Array:
    """Places of a draw of fixed size with these chances: one in every unit of their sum, in a random order (Madow 1949)."""
    order = random.permutation(len(chance))
    steps = np.floor(np.cumsum(chance[order]) + random.random())
    return order[np.diff(steps, prepend=0.0) > 0]


# ----------------------------------------------------------------------------------------------- what comes back


HEADS = ("index", "label", "row", "weight")


@dataclass(frozen=True, eq=False)
class Relabelled:
    """Clean labels that came back: of samples ``places`` the class ``clean``, drawn for ``row`` with ``weight`` (all (n,))."""

    places: Array
    clean: Array
    row: Array
    weight: Array


def read_relabelled(table: Table, both: Predicted) -> Relabelled:
    """The clean labels in a table ``index,label,row,weight``.

    Lines without a label are left out. InputError for places, rows and weights that cannot be, and where nothing is filled in.
    """
    heads, where = {head.lower(): head for head in table.columns}, table.source
    index, label, row = (column(table.columns[heads[head]], f"{where}: {head}") for head in HEADS[:3])
    _, clean = align((both.given, label), both.table.shape[1], both.names)[0]
    weight = np.array([_weight(cell, where) for cell in host(table.columns[heads["weight"]])])
    known = clean >= 0
    if not known.any():
        raise InputError(f"{where}: no label is filled in")
    for what, codes, count in (("index", index, len(both.labels)), ("row", row, both.table.shape[1])):
        outside = np.flatnonzero((codes.codes < 0) | (codes.codes >= count))
        if codes.named or len(outside):
            shown = codes.values[0] if codes.named else codes.codes[outside[0]]
            raise InputError(f"{where}: {what} {shown} is not in 0..{count - 1}")
    places, rows = index.codes[known], row.codes[known]
    if len(np.unique(np.stack([places, rows]), axis=1).T) < len(places):
        raise InputError(f"{where}: an index is given twice for one row")
    return Relabelled(places, clean[known], rows, weight[known])


def _weight(cell: object, where: str) -> float:
    try:
        value = float(str(cell))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"{where}: the weight {printable(str(cell), 40)!r} is not a number > 0")
    return value


def is_relabelled(clean: LabelsLike) -> bool:
    """Is it a table of :func:`relabelling` (and not clean labels of samples that somebody else chose)?"""
    return _drawn_here(*read(clean, "--clean"))


def _drawn_here(table: Table, name: str | None) -> bool:
    return name is None and {head.lower() for head in table.columns} == set(HEADS)


def from_relabelled(
    noisy: LabelsLike, probabilities: TableLike, clean: LabelsLike, confidence: float = 0.95, K: int | None = None,
    replicates: int = REPLICATES, seed: int = 0,
) -> NoiseEstimate:  # fmt: skip
    """The estimate from noisy labels and probabilities with the clean labels of the samples that :func:`relabelling` drew.

    ``clean`` is its table with labels filled in, all or some of them. The rows that samples were drawn for are those of the clean
    labels; the others are as :func:`.estimate.from_predictions` has them. Intervals hold together at about ``confidence``: half
    of what may fail is for the bootstrap of the other rows, half for these. InputError for another table, and for a row with fewer
    than 20 clean labels.
    """
    check_confidence(confidence)
    table, name = read(clean, "--clean")
    if not _drawn_here(table, name):
        raise InputError(
            "--labels needs --clean (clean labels) or --probs (out-of-sample probabilities): one of them, not both, unless "
            "--clean is a table index,label,row,weight that --relabel made"
        )
    both = read_predicted(noisy, probabilities, K)
    back = read_relabelled(table, both)
    return with_relabelled(from_predicted(both, (1 + confidence) / 2, replicates, seed), both, back, confidence)


def with_relabelled(found: NoiseEstimate, both: Predicted, back: Relabelled, confidence: float) -> NoiseEstimate:
    """An estimate with the rows of clean labels; see :func:`from_relabelled`."""
    rows = np.unique(back.row).tolist()
    assert found.boxes is not None
    level = (1 - confidence) / (4 * found.K * len(rows))  # half of 1 - confidence, two sides of K entries of each row
    matrix, boxes = _matrix(found), found.boxes
    ends = [end.copy() for end in (boxes.top_low, boxes.top_high, boxes.second_low, boxes.second_high)]
    for row in rows:
        here = back.row == row
        if here.sum() < LEAST:
            raise InputError(
                f"--clean: {here.sum()} clean labels for {found.class_name(row)}; at least {LEAST} are needed"
            )
        q = posterior(found, both.labels, both.table, row)
        shares, low, high = _row(row, q, both.labels, back, here, found.K, level)
        matrix[row] = shares
        others = np.arange(found.K) != row
        for end, value in zip(ends, (low[row], high[row], low[others].max(), high[others].max()), strict=True):
            end[row] = value
    return replace(_estimate(found, matrix, Boxes(*ends), rows, len(back.places)), confidence=confidence)


def _row(
    row: int, q: Array, labels: Array, back: Relabelled, here: Array, K: int, level: float
) -> tuple[Array, Array, Array]:
    """(shares, low, high) of the entries of a row, (K,) each."""
    places, n = back.places[here], int(here.sum())
    weight = back.weight[here] * len(labels) / n
    surprise = (back.clean[here] == row) - q[places]
    given = labels[places]
    sizes = np.bincount(labels, q, K) + np.bincount(given, weight * surprise, K)
    sizes = np.maximum(sizes, 0.0)
    shares = sizes / sizes.sum()
    # of every entry's share: what a drawn sample adds to it
    moved = ((given[:, None] == np.arange(K)) - shares) / sizes.sum()
    added = weight[:, None] * moved * surprise[:, None]
    variance = ((added - added.mean(axis=0)) ** 2).sum(axis=0) * n / (n - 1)
    believed = (weight[:, None] ** 2 * moved**2 * (q * (1 - q))[places][:, None]).sum(axis=0)
    # few surprises, or none, are not taken for certainty
    return shares, *_interval(shares, np.maximum(variance, believed), level)


def _interval(shares: Array, variance: Array, level: float) -> tuple[Array, Array]:
    """Clopper and Pearson's limits at the number of samples that has this variance, for a rare entry at one error above 0."""
    error = np.sqrt(np.clip(variance, 1e-12, 0.25))
    likely = np.clip(shares, error, 1 - error)
    trials = likely * (1 - likely) / error**2
    return clopper_pearson(shares * trials, trials, level)


def _estimate(found: NoiseEstimate, matrix: Array, boxes: Boxes, rows: Sequence[int], count: int) -> NoiseEstimate:
    """The estimate with another matrix."""
    places = np.arange(found.K)
    top = matrix[places, places]
    others = matrix.copy()
    others[places, places] = -1
    rate, change = 1 - float(found.mass @ top), float(found.mass @ (top - found.top))
    old: Any = found.rate
    ends = [min(1.0, max(0.0, end - change)) for end in (old.low, old.high)]
    names = found.noise.names
    model = from_matrix(matrix.tolist(), names, found.noise.source or "--probs", found.noise.kind)
    said = ", ".join(found.class_name(row) for row in rows)
    return replace(
        found,
        noise=replace(model, rate=rate, reading=found.noise.reading),
        top=top, second=others.max(axis=1), rival=others.argmax(axis=1), boxes=boxes,
        rate=Range(rate, min(ends[0], rate), max(ends[1], rate)),
        method=f"{found.method}; the row of {said} by {count} relabelled samples (difference estimator, effective Clopper-Pearson)",
    )  # fmt: skip
