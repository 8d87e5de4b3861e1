"""From the labels of several annotators to class weights of every item, and to the matrix of each annotator.

* votes: the share of the annotators who gave each class; items are taken as given;
* majority: the class with most votes, items with a tie left out; an annotator's matrix is counted against it;
* Dawid-Skene (1979): class shares, the matrix of every annotator and the posterior of every item by maximum likelihood (EM),
  through crowd-kit (the extra ``annotators``).

The majority includes the annotator who is judged by it, so that matrices counted against it are somewhat too clean.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from ..errors import InputError, nearest
from ..reading.annotators import Annotations
from . import estimate, models
from .estimate import NoiseEstimate

AGGREGATES = ("votes", "majority", "dawid-skene")
ANNOTATORS_EXTRA = "pip install 'asymtheory[annotators]'"
ITERATIONS = 200

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class DawidSkene:
    """Maximum likelihood of Dawid and Skene: ``posteriors`` (N, K) of the items, and ``matrices`` (A, K, K) of the annotators,
    rows true classes, columns labels, each row summing to 1."""

    posteriors: Floats
    matrices: Floats


def dawid_skene(given: Annotations) -> DawidSkene:
    """The model of Dawid and Skene, fitted by crowd-kit. InputError where that is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what crowd-kit imports
            aggregation = import_module("crowdkit.aggregation")
            frames = import_module("pandas")
    except ImportError as error:
        raise InputError(f"--aggregate dawid-skene needs an extra: {ANNOTATORS_EXTRA} ({error})") from error
    item, person = np.nonzero(given.labels >= 0)
    frame = frames.DataFrame({"task": item, "worker": person, "label": given.labels[item, person]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas' about its own future
        fitted = aggregation.DawidSkene(n_iter=ITERATIONS).fit(frame)
    K, A = given.K, len(given.annotators)
    posteriors = np.zeros((len(given.labels), K))
    probabilities = fitted.probas_
    posteriors[np.ix_(probabilities.index.astype(int), probabilities.columns.astype(int))] = probabilities.to_numpy()
    matrices = np.zeros((A, K, K))
    classes = fitted.errors_.columns.astype(int)
    for (worker, label), errors in zip(fitted.errors_.index, fitted.errors_.to_numpy(), strict=True):
        matrices[int(worker), classes, int(label)] = errors
    sums = matrices.sum(axis=2, keepdims=True)
    matrices = np.divide(matrices, sums, out=np.broadcast_to(np.eye(K), matrices.shape).copy(), where=sums > 0)
    return DawidSkene(posteriors / posteriors.sum(axis=1, keepdims=True), matrices)


def weights(given: Annotations, aggregate: str) -> Floats:
    """(N, K): class weights of every item by votes, majority (one class; rows of ties are left out) or Dawid-Skene."""
    if aggregate == "votes":
        return given.votes / given.votes.sum(axis=1, keepdims=True)
    if aggregate == "majority":
        sure = given.majority[given.majority >= 0]
        if not len(sure):
            raise InputError(f"{given.source}: every item is a tie; there is no majority")
        return np.eye(given.K)[sure]
    if aggregate == "dawid-skene":
        return dawid_skene(given).posteriors
    raise InputError(
        f"--aggregate {aggregate!r}: one of {', '.join(AGGREGATES)} is needed{nearest(str(aggregate), AGGREGATES)}"
    )


def estimated(given: Annotations, aggregate: str, annotator: str | None, confidence: float) -> NoiseEstimate:
    """The noise that the labels of annotators show: per item, or of one annotator's labels.

    Of one annotator: counted against the majority, with Clopper-Pearson intervals, for "votes" and "majority"; the matrix of
    the model, taken as given, for "dawid-skene".
    """
    estimate.check_confidence(confidence)
    if annotator is None:
        said = f"{given.reading}; {aggregate}"
        if aggregate == "majority":
            said += f" ({int((given.majority < 0).sum())} ties left out)"
        return estimate.from_sample_posteriors(weights(given, aggregate), given.names, given.source, said)
    which = given.annotator(annotator)
    name = given.annotators[which]
    if aggregate == "dawid-skene":
        model = models.from_matrix(dawid_skene(given).matrices[which], given.names, given.source, "annotator")
        return estimate.known(replace(model, reading=f"{given.reading}; the matrix of {name} by Dawid-Skene"))
    weights(given, aggregate)  # refuses an unknown aggregate
    have = (given.labels[:, which] >= 0) & (given.majority >= 0)
    if not have.any():
        raise InputError(f"{given.source}: {name} labels no item that has a majority")
    truth, labels = given.majority[have], given.labels[have, which]
    model = models.from_codes(truth, labels, given.K, given.names, given.source)
    model = replace(model, reading=f"{given.reading}; the labels of {name} against the majority")
    counts = np.bincount(truth * given.K + labels, minlength=given.K**2).reshape(given.K, given.K)
    return estimate.counted(
        model, counts, confidence, f"labels of {name} counted over {int(have.sum())} items with a majority"
    )
