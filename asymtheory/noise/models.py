"""Noise models: from a name, a rate, a table, labels or a file to one row of class weights for every true class.

The rows and what follows from them (clean level, margin, dominance) are in :mod:`asymtheory.noise.rows`; files are read by
:mod:`asymtheory.noise.files`. Imports of numpy are late: the module is on the start-up path of ``asymtheory bound``.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import InputError, nearest
from ..numbers.scalar import Scalar
from ..numbers.text import Number, as_number, divide, parse_number, show
from .rows import NoiseModel, Posteriors, Row, SampleRows

if TYPE_CHECKING:
    from ..reading.labels import Codes

ROW_SUM_TOLERANCE = 1e-6

MAX_CLASSES = 10**7
"""Largest K of the analytic models; their one row is a tuple of K shared numbers."""

MAX_COUNTED_CLASSES = 5000
"""Largest K that labels are counted for (a K x K table is built)."""

EXACT_CELLS = 20_000
"""Nested sequences of posteriors up to this many numbers are kept as they are, larger ones become a float array."""

ZERO, ONE = Fraction(0), Fraction(1)

TableLike: TypeAlias = Any
"""A table of numbers: nested sequences, an array, a tensor or a data frame."""

LabelsLike: TypeAlias = Any
"""A column of labels: a sequence, an array, a tensor, or a column of a data frame."""

Weights: TypeAlias = tuple[Scalar, Scalar, Scalar]
"""(w_m, w_n, W): the weight of the true class, the largest other weight, and the sum of all."""


# -------------------------------------------------------------------------------------------------------------- checks
def check_classes(K: object, name: str = "K") -> int:
    """`K` as an int >= 2, else InputError that calls it `name`."""
    if isinstance(K, bool) or not isinstance(K, numbers.Integral):
        raise InputError(f"{name} {K}: the number of classes must be a whole number >= 2")
    classes = int(K)
    if classes < 2:
        raise InputError(f"{name} {K}: the number of classes must be >= 2")
    if classes > MAX_CLASSES:
        raise InputError(f"{name} {K}: the number of classes must be <= {MAX_CLASSES}")
    return classes


def check_rate(eta: object, name: str = "eta") -> Number:
    """A noise rate in [0, 1], also as text such as "0.8" or "4/5" (integers and text become Fractions), else InputError that
    calls it `name`."""
    if isinstance(eta, str):
        eta = parse_number(eta, name)
    try:
        value: Number = as_number(eta, lambda: "")
    except InputError:
        value = math.nan
    if not 0 <= value <= 1:
        shown = show(eta, 12) if isinstance(eta, Fraction) else eta  # 1.0000001 must not be shown as 1
        raise InputError(f"{name} {shown}: the noise rate must be in [0, 1]")
    return Fraction(value) if isinstance(value, int) else value


def _check_names(names: Sequence[str] | None, K: int, source: str | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or len(names) != K:
        raise InputError(f"{_at(source)}{len(names)} class names given for {K} classes")
    return tuple(str(name) for name in names)


def _at(source: str | None) -> str:
    return f"{source}: " if source else ""


def _named_row(i: int, names: Sequence[str] | None) -> str:
    return f"row {i} ({names[i]})" if names and not isinstance(names, str) and i < len(names) else f"row {i}"


def _table(data: TableLike, source: str | None, names: Sequence[str] | None = None) -> list[list[Number]]:
    """Nested sequences or an array as lists of equal length with finite entries >= 0; rows count from 0 in errors."""
    at = _at(source)
    data = _as_rows(data)
    if hasattr(data, "tolist"):
        if getattr(getattr(data, "dtype", None), "kind", "f") not in "iufO":
            raise InputError(f"{at}array of {data.dtype}; numbers are needed")
        data = data.tolist()
    if isinstance(data, (str, bytes, Mapping)) or not isinstance(data, Iterable):
        raise InputError(f"{at}a table (a sequence of rows of numbers) is needed, got {type(data).__name__}")
    rows: list[list[Number]] = []
    for i, row in enumerate(data):
        row = row.tolist() if hasattr(row, "tolist") else row
        if isinstance(row, (str, bytes, Mapping)) or not isinstance(row, Iterable):
            raise InputError(f"{at}row {i} is {str(row)[:40]!r}, not a row of numbers; a table with two axes is needed")
        rows.append(list(row))
    if not rows:
        raise InputError(f"{at}the table is empty")
    width = len(rows[0])
    for i, row in enumerate(rows):
        if len(row) != width:
            raise InputError(f"{at}ragged table: row {i} has {len(row)} entries, row 0 has {width} (rows count from 0)")
    if width < 2:
        raise InputError(f"{at}{width} column{'' if width == 1 else 's'}; at least 2 classes are needed")
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            entry: Number = as_number(value, lambda i=i, j=j: f"{at}{_named_row(i, names)}, column {j}")  # type: ignore[misc]
            row[j] = entry
            if entry < 0:
                raise InputError(f"{at}{_named_row(i, names)}, column {j} is {show(entry)}; entries must be >= 0")
    return rows


def _as_rows(data: TableLike) -> TableLike:
    """A tensor or a data frame as an array, rows as they are; anything else as it is."""
    if hasattr(data, "detach"):
        from ..reading.arrays import host  # late: the module is on the start-up path

        return host(data)
    return data.to_numpy() if hasattr(data, "to_numpy") else data


def _square(rows: list[list[Number]], source: str | None, what: str) -> int:
    if len(rows) != len(rows[0]):
        raise InputError(f"{_at(source)}{what} must be square, got {len(rows)} rows and {len(rows[0])} columns")
    return len(rows)


# -------------------------------------------------------------------------------------------------------- from numbers
def from_matrix(
    matrix: TableLike, names: Sequence[str] | None = None, source: str | None = None, kind: str = "matrix"
) -> NoiseModel:
    """A row-stochastic transition matrix, ``T[i][j] = P(label j | true class i)``.

    Any nested sequence or array: square, K >= 2, finite, >= 0, every row summing to 1 within 1e-6; else InputError that
    names the row (counted from 0). The noise rate is ``1 - mean_i T[i][i]``: classes are taken as equally frequent.

        >>> from_matrix([[0.75, 0.25], [0.25, 0.75]]).rate
        0.25
    """
    table = _table(matrix, source, names)
    K = _square(table, source, "a transition matrix")
    labels = _check_names(names, K, source)
    rows = []
    for i, values in enumerate(table):
        total: Scalar = sum(values)
        if abs(total - 1) > ROW_SUM_TOLERANCE:
            where = f"{_at(source)}{_named_row(i, labels)}"
            hint = "; its columns do: transpose it, rows are the true classes" if _by_columns(table) else ""
            raise InputError(f"{where} sums to {show(total, 9)}; every row must sum to 1 (within 1e-6){hint}")
        rows.append(Row(tuple(values), i))
    rate = 1 - divide(sum(divide(row.top, row.total) for row in rows), K)
    return NoiseModel(kind, tuple(rows), K, rate, labels, source=source)


def _by_columns(table: list[list[Number]]) -> bool:
    """Do all columns sum to 1?"""
    sums: list[Scalar] = [sum(column) for column in zip(*table, strict=True)]
    return all(abs(total - 1) <= ROW_SUM_TOLERANCE for total in sums)


def from_counts(
    counts: TableLike, names: Sequence[str] | None = None, source: str | None = None, kind: str = "labels"
) -> NoiseModel:
    """A K x K table of counts, ``counts[i][j]`` = samples of true class i with label j; rows become exact Fractions.

    Entries must be whole numbers >= 0 and every class needs a sample, else InputError. The noise rate is that of all
    samples together, so classes weigh by their counts.

        >>> from_counts([[90, 10], [30, 70]]).rows[1].weights
        (Fraction(3, 10), Fraction(7, 10))
    """
    table = _table(counts, source, names)
    K = _square(table, source, "a table of counts")
    labels = _check_names(names, K, source)
    rows, kept, sizes = [], 0, []
    for i, values in enumerate(table):
        for j, value in enumerate(values):
            if value != int(value):
                where = f"{_at(source)}{_named_row(i, labels)}, column {j}"
                raise InputError(f"{where} is {show(value)}; counts must be whole")
        whole = [int(value) for value in values]
        total = sum(whole)
        if total == 0:
            name = f"{i} ({labels[i]})" if labels else str(i)
            raise InputError(f"{_at(source)}class {name} has no sample; every class 0..{K - 1} needs at least one")
        shared = {count: Fraction(count, total) for count in set(whole)}  # few distinct counts: fast for K = 1000
        rows.append(Row(tuple(shared[count] for count in whole), i))
        kept += whole[i]
        sizes.append(total)
    rate = 1 - Fraction(kept, sum(sizes))
    return NoiseModel(kind, tuple(rows), K, rate, labels, source=source, samples=tuple(sizes))


def from_labels(
    clean: LabelsLike,
    noisy: LabelsLike,
    K: int | None = None,
    names: Sequence[str] | None = None,
    source: str | None = None,
) -> NoiseModel:
    """A label pair: `clean` and `noisy` labels of the same samples, counted into a matrix.

    Sequences, arrays, tensors or columns of a data frame, of integers in 0..K-1 (10^6 array labels take milliseconds), of
    1..K, of floats that are whole, or of class names. Samples without a clean label (None, NaN, -1) are left out. K defaults
    to the largest label plus one. Other values, lengths that differ or a class without a clean sample raise InputError.

        >>> from_labels(["cat", "cat", "dog"], ["cat", "dog", "dog"]).names
        ('cat', 'dog')
    """
    from ..reading.labels import Column, column_of, pair  # late: the module is on the start-up path
    from ..reading.objects import of_object

    def side(data: LabelsLike, what: str) -> Column:
        return column_of(of_object(data, f"{_at(source)}{what} labels"), None, "", what)

    if K is not None:
        K = check_classes(K)
    found = pair(side(noisy, "noisy"), side(clean, "clean"), K, names)
    return replace(from_codes(found.clean, found.noisy, found.K, found.names, source), reading=found.reading)


def from_codes(
    clean: Codes, noisy: Codes, K: int, names: Sequence[str] | None = None, source: str | None = None
) -> NoiseModel:
    """A label pair as integer arrays (N,) over classes 0..K-1, counted into a matrix; -1 in `clean`: not known, left out."""
    import numpy as np  # late: the module is on the start-up path

    if K > MAX_COUNTED_CLASSES:
        raise InputError(f"{_at(source)}labels of {K} classes; at most {MAX_COUNTED_CLASSES} are counted into a matrix")
    have = clean >= 0
    if not have.any():
        raise InputError(f"{_at(source)}holds no clean label")
    cells = clean[have].astype(np.int64) * K + noisy[have]
    return from_counts(np.bincount(cells, minlength=K * K).reshape(K, K), names, source)


def from_posteriors(array: TableLike, names: Sequence[str] | None = None, source: str | None = None) -> NoiseModel:
    """Per-sample weights, shape (N, K): posteriors, annotator votes, or any weights >= 0 (rows need not sum to 1).

    The target of a sample is its largest weight; a tie is kept and counts as not dominant. Arrays stay arrays (10^5
    samples are cheap); small nested sequences keep their exact numbers. The noise rate is not known: None.

        >>> from_posteriors([[3, 1, 1], [0, 4, 1]]).classes
        3
    """
    array = _as_rows(array)
    if hasattr(array, "dtype"):
        return _posterior_array(array, names, source)
    table = _table(array, source, names=None)
    if len(table) * len(table[0]) > EXACT_CELLS:
        import numpy as np

        return _posterior_array(np.array(table, dtype=np.float64), names, source)
    rows = []
    for i, values in enumerate(table):
        if not any(values):
            raise InputError(f"{_at(source)}row {i}: all weights are 0; at least one must be positive")
        rows.append(Row(tuple(values), values.index(max(values))))
    K = len(table[0])
    return NoiseModel("posteriors", tuple(rows), K, None, _check_names(names, K, source), source=source)


def _posterior_array(values: TableLike, names: Sequence[str] | None, source: str | None) -> Posteriors:
    import numpy as np

    at = _at(source)
    array = np.asarray(values)
    if array.ndim != 2:
        raise InputError(f"{at}posteriors have shape {array.shape}; two axes (samples, classes) are needed")
    if array.dtype.kind not in "iuf":
        raise InputError(f"{at}array of {array.dtype}; numbers are needed")
    if array.shape[0] == 0:
        raise InputError(f"{at}the table is empty")
    if array.shape[1] < 2:
        raise InputError(f"{at}posteriors have {array.shape[1]} columns; at least 2 classes are needed")
    # a private, unwritable copy: the cached minima must stay true
    array = array.astype(np.float64) if array.dtype.kind == "f" else array.copy()
    array.flags.writeable = False
    if not np.isfinite(array).all():
        i, j = np.argwhere(~np.isfinite(array))[0]
        raise InputError(f"{at}row {i}, column {j} is {array[i, j]}; weights must be finite numbers")
    if (array < 0).any():
        i, j = np.argwhere(array < 0)[0]
        raise InputError(f"{at}row {i}, column {j} is {show(array[i, j].item())}; entries must be >= 0")
    if not array.any(axis=1).all():
        i = int(array.any(axis=1).argmin())
        raise InputError(f"{at}row {i}: all weights are 0; at least one must be positive")
    with np.errstate(over="ignore"):
        largest = array.sum(axis=1, dtype=np.float64).max()
    if largest == np.inf:
        raise InputError(f"{at}the sum of the weights is too large for floating point; scale them down")
    K = array.shape[1]
    labels = _check_names(names, K, source)
    return Posteriors("posteriors", SampleRows(array), K, None, labels, source=source, array=array)


def from_weights(weights: Iterable[Number], names: Sequence[str] | None = None) -> NoiseModel:
    """Bare class weights, K >= 2 numbers >= 0 of any scale; the target is the largest.

    A tie for the largest weight, fewer than 2 weights, negative, NaN or only zero weights raise InputError.

        >>> from_weights([5, 3, 2]).rows[0].target
        0
    """
    weights = _as_rows(weights)
    if isinstance(weights, (str, bytes, Mapping)) or not isinstance(weights, Iterable):
        raise InputError("weights must be a sequence of numbers")
    values: list[Number] = [as_number(value, lambda i=i: f"weight {i}") for i, value in enumerate(weights)]  # type: ignore[misc]
    row = Row(tuple(values), values.index(max(values)) if values else 0)
    if not row.dominant:
        raise InputError(
            f"no unique largest weight: weights {row.target} and {row.runner_up} are both {show(row.top)}; "
            "the true class must have the largest weight"
        )
    return NoiseModel("weights", (row,), len(values), None, _check_names(names, len(values), None))


# ------------------------------------------------------------------------------------------ families in the noise rate
def symmetric_weights(K: Scalar, eta: Scalar) -> Weights:
    """(w_m, w_n, W) when the label goes to each of the K-1 others with probability ``eta / (K - 1)``.

    `K` and `eta` may be any number-like objects that add, multiply and divide with integers (a sympy symbol, say).
    """
    return 1 - eta, eta / (K - 1), 1


def uniform_weights(K: Scalar, eta: Scalar) -> Weights:
    """(w_m, w_n, W) when the label is drawn anew over all K classes with probability `eta`; arguments as above."""
    return 1 - eta + eta / K, eta / K, 1


def flip_weights(K: Scalar, eta: Scalar) -> Weights:
    """(w_m, w_n, W) of a class whose label goes to one other class with probability `eta`; arguments as above."""
    return 1 - eta, eta, 1


_MNIST = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}

_CIFAR10 = {9: 1, 2: 0, 3: 5, 5: 3, 4: 7}

FIXED_CLASSES: dict[str, int] = {"mnist": 10, "cifar10": 10, "cifar100": 100, "cifar100-blocks": 100}
"""The class count of the named class maps."""

KINDS: dict[str, str] = {
    "symmetric": "to each of the K-1 other classes with probability eta/(K-1)",
    "uniform": "drawn anew over all K classes with probability eta",
    "pair": "class i to class i+1 (mod K) with probability eta",
    "mnist": "7->1, 2->7, 5<->6, 3->8 with probability eta (10 classes)",
    "cifar10": "truck->automobile, bird->airplane, cat<->dog, deer->horse with probability eta (10 classes)",
    "cifar100": "to the next class of the same superclass, circular, with probability eta (100 classes)",
    "cifar100-blocks": "the map published code uses: circular in blocks of 5 consecutive label indices (100 classes)",
    "cifar10n-aggre": "human labels, majority of three annotators (CIFAR-10N, measured)",
    "cifar10n-random1": "human labels, first annotator (CIFAR-10N, measured)",
    "cifar10n-random2": "human labels, second annotator (CIFAR-10N, measured)",
    "cifar10n-random3": "human labels, third annotator (CIFAR-10N, measured)",
    "cifar10n-worse": "human labels, a wrong annotator wherever there is one (CIFAR-10N, measured)",
}
"""Every noise that has a name, with one line about it."""

MEASURED = tuple(kind for kind in KINDS if kind.startswith("cifar10n-"))

_WEIGHTS: Mapping[str, Callable[[Scalar, Scalar], Weights]] = {
    "symmetric": symmetric_weights,
    "uniform": uniform_weights,
    "pair": flip_weights,
} | dict.fromkeys(FIXED_CLASSES, flip_weights)

FAMILIES = tuple(_WEIGHTS)
"""The kinds that a noise rate parametrises."""


def check_family(kind: str, K: Scalar | None, name: str = "K") -> None:
    if kind not in _WEIGHTS:
        if kind in MEASURED:
            raise InputError(f"noise {kind!r} is measured: it has no rate to set; allowed: {', '.join(FAMILIES)}")
        raise InputError(f"unknown noise {kind!r}; allowed: {', '.join(FAMILIES)}{nearest(kind, FAMILIES)}")
    if kind in FIXED_CLASSES and K is not None and K != FIXED_CLASSES[kind]:
        raise InputError(f"{name} {K}: noise {kind!r} has {FIXED_CLASSES[kind]} classes")


def worst_weights(kind: str, K: Scalar, eta: Scalar) -> Weights:
    """(w_m, w_n, W) of the worst row of a family at noise rate `eta`.

    Nothing but ``+ - /`` with integers is done to `eta` (and to `K`, if it is a symbol), and the range of `eta` is not
    checked: Fractions stay exact, symbols stay symbols. For the class maps K may be None.
    """
    check_family(kind, K)
    if isinstance(K, int):
        check_classes(K)
    return _WEIGHTS[kind](K, Fraction(eta) if isinstance(eta, int) else eta)


def family(kind: str, K: int | None = None) -> Callable[[Number], NoiseModel]:
    """The noise model of `kind` with K classes as a function of its noise rate; the class maps need no K."""
    check_family(kind, K)
    if kind in FIXED_CLASSES:
        return {"mnist": mnist, "cifar10": cifar10, "cifar100": cifar100, "cifar100-blocks": cifar100_blocks}[kind]
    if K is None:
        raise InputError(f"noise {kind!r} needs K (the number of classes, a whole number >= 2)")
    classes = check_classes(K)
    build = {"symmetric": symmetric, "uniform": uniform, "pair": pair}[kind]
    return lambda eta: build(classes, eta)


def symmetric(K: int, eta: Number) -> NoiseModel:
    """Symmetric noise: to each of the K-1 *other* classes with probability ``eta / (K - 1)``.

    The noise rate is eta; clean labels dominate for ``eta < (K - 1) / K``. One representative row.

        >>> from fractions import Fraction
        >>> symmetric(10, Fraction(4, 5)).clean_level
        Fraction(9, 4)
    """
    K, eta = check_classes(K), check_rate(eta)
    top, rest, _ = symmetric_weights(K, eta)
    return NoiseModel("symmetric", (Row((top, *(rest,) * (K - 1)), 0),), K, eta, representative=True)


def uniform(K: int, eta: Number) -> NoiseModel:
    """Uniform noise: with probability eta the label is drawn anew over *all* K classes, the true one included.

    The noise rate is ``eta (K - 1) / K``: symmetric noise at that rate. One representative row.

        >>> float(uniform(10, 0.5).rate)
        0.45
    """
    K, eta = check_classes(K), check_rate(eta)
    top, rest, _ = uniform_weights(K, eta)
    return NoiseModel("uniform", (Row((top, *(rest,) * (K - 1)), 0),), K, eta - eta / K, representative=True)


def pair(K: int, eta: Number) -> NoiseModel:
    """Pair flip: class i to class ``i + 1 mod K`` with probability eta. One representative row.

    >>> pair(3, 0.25).rows[0].weights
    (0.75, 0.25, Fraction(0, 1))
    """
    K, eta = check_classes(K), check_rate(eta)
    top, other, _ = flip_weights(K, eta)
    return NoiseModel("pair", (Row((top, other, *(ZERO,) * (K - 2)), 0),), K, eta, representative=True)


def class_map(
    mapping: Mapping[int, int], K: int, eta: Number, kind: str = "map", names: Sequence[str] | None = None
) -> NoiseModel:
    """Class-dependent noise: class i becomes ``mapping[i]`` with probability eta; classes not in `mapping` stay clean.

    The noise rate is ``eta * len(mapping) / K`` (equally frequent classes). Indices outside 0..K-1 and a class mapped
    to itself raise InputError.

        >>> class_map({0: 1}, 3, 0.3).rows[0].runner_up
        1
    """
    K, eta = check_classes(K), check_rate(eta)
    for i, j in mapping.items():
        for index in (i, j):
            if isinstance(index, bool) or not isinstance(index, numbers.Integral) or not 0 <= index < K:
                raise InputError(f"class map {i}->{j}: {index!r} is not a class in 0..{K - 1}")
        if i == j:
            raise InputError(f"class map {i}->{j}: a class cannot be mapped to itself; leave it out")
    top, other, _ = flip_weights(K, eta)
    rows = []
    for i in range(K):
        weights: list[Number] = [ZERO] * K
        if i in mapping:
            weights[i], weights[mapping[i]] = top, other
        else:
            weights[i] = ONE
        rows.append(Row(tuple(weights), i))
    return NoiseModel(kind, tuple(rows), K, eta * len(mapping) / K, _check_names(names, K, None))


def mnist(eta: Number) -> NoiseModel:
    """MNIST map of the papers (APL 5.2): 7->1, 2->7, 5<->6, 3->8."""
    return class_map(_MNIST, 10, eta, "mnist")


def cifar10(eta: Number) -> NoiseModel:
    """CIFAR-10 map of the papers (APL 5.2): truck->automobile, bird->airplane, cat<->dog, deer->horse."""
    return class_map(_CIFAR10, 10, eta, "cifar10", _data("cifar10n.json")["classes"])


def cifar100_names() -> list[str]:
    """The 100 fine class names; the label index is the position in alphabetical order."""
    return sorted(chain.from_iterable(cifar100_superclasses().values()))


def cifar100_superclasses() -> dict[str, list[str]]:
    """The 20 superclasses of CIFAR-100, five fine classes each (Krizhevsky 2009), in the order of the coarse labels."""
    return _data("cifar100_superclasses.json")["superclasses"]


def cifar100(eta: Number) -> NoiseModel:
    """CIFAR-100 map as the papers describe it: to the next class, circular, within each of the 20 real superclasses."""
    names = cifar100_names()
    index = {name: i for i, name in enumerate(names)}
    mapping: dict[int, int] = {}
    for group in cifar100_superclasses().values():
        members = sorted(index[name] for name in group)
        mapping.update(zip(members, members[1:] + members[:1], strict=True))
    return class_map(mapping, 100, eta, "cifar100", names)


def cifar100_blocks(eta: Number) -> NoiseModel:
    """CIFAR-100 map as published code has it: i -> i+1, circular in blocks of five consecutive label indices.

    The indices are alphabetical, so a block is not a superclass (the first: apple, aquarium_fish, baby, bear, beaver).
    """
    mapping = {i: i - i % 5 + (i + 1) % 5 for i in range(100)}
    return class_map(mapping, 100, eta, "cifar100-blocks", cifar100_names())


# --------------------------------------------------------------------------------------------------- embedded, by name
def _data(name: str) -> Any:
    import json  # late: on the start-up path, and needed for measured noise alone

    with open(os.path.join(os.path.dirname(__file__), "data", name), encoding="utf-8") as file:
        return json.load(file)


def named(name: str) -> NoiseModel:
    """An embedded measured noise: ``cifar10n-aggre``, ``-random1``, ``-random2``, ``-random3`` or ``-worse``.

    Exact Fractions from the counts over the 50,000 training images (Wei et al. 2022, CC BY-NC 4.0).

        >>> float(named("cifar10n-worse").rate)
        0.40208
    """
    if name not in MEASURED:
        raise InputError(f"unknown noise {name!r}; allowed: {', '.join(MEASURED)}{nearest(name, MEASURED)}")
    data = _data("cifar10n.json")
    return from_counts(data["counts"][name], data["classes"], f"{data['source']}, {data['licence']}", name)
