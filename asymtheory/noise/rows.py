"""Class weights: one row for every true class, and the model that holds the rows.

A row ``w`` gives the relative frequency of every label among the samples of one true class ``m``; the weighted risk of
that class is ``F_w(u) = sum_k w_k L(u, k)``. Everything later asks two numbers of a row, with ``w_n`` the largest other
weight and ``W`` the sum of all: the clean level ``c = w_m / w_n`` and the margin ``(w_m - w_n) / W``. Labels dominate
cleanly when ``w_m > w_n`` in every row.

Numbers stay exact: integer and Fraction weights give clean levels and margins that are Fractions.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, overload

from ..answers import Answer
from ..errors import InputError, printable
from ..layout import table
from ..numbers.text import Number, as_exact, as_float, divide, show

if TYPE_CHECKING:
    import numpy as np

    from ..jsonlines import Json

    Array = np.ndarray[Any, np.dtype[Any]]


# ---------------------------------------------------------------------------------------------------------- row, model
@dataclass(frozen=True)
class Row:
    """Class weights of one true class, or of one sample.

    `weights` are ``w_0..w_{K-1} >= 0``, not all zero; their scale is irrelevant to every condition and is kept.
    `target` is the index of the true class (for posteriors and bare weights: of the largest weight).
    All properties are exact when the weights are integers or Fractions. Bad weights raise InputError.
    """

    weights: tuple[Number, ...]
    target: int

    def __post_init__(self) -> None:
        count = len(self.weights)
        if count < 2:
            raise InputError(f"{count} weight{'' if count == 1 else 's'} given; at least 2 classes are needed")
        if not 0 <= self.target < count:
            raise InputError(f"target {self.target} is outside 0..{count - 1}")
        for start, _, value in self._runs:
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"weight {start} is {value}; weights must be finite numbers")
            if value < 0:
                raise InputError(f"weight {start} is {show(value)}; weights must be >= 0")
        if self.total == 0:
            raise InputError("all weights are 0; at least one must be positive")
        if self.total == math.inf:
            raise InputError("the sum of the weights is too large for floating point; scale them down")

    @cached_property
    def _runs(self) -> list[tuple[int, int, Number]]:
        """(start, length, value) of stretches that share one number object: a row of K = 10^5 has two of them."""
        runs, start = [], 0
        for _, same in groupby(self.weights, key=id):
            value, *rest = same
            runs.append((start, len(rest) + 1, value))
            start += len(rest) + 1
        return runs

    @cached_property
    def _others(self) -> list[tuple[int, Number]]:
        """(first index, value) of every stretch of weights, the target left out."""
        others = []
        for start, count, value in self._runs:
            if start == self.target:
                if count > 1:
                    others.append((start + 1, value))
            else:
                others.append((start, value))
        return others

    @cached_property
    def total(self) -> Number:
        """``W = sum_k w_k``."""
        if any(isinstance(value, float) for _, _, value in self._runs):
            try:
                return math.fsum(value * count for _, count, value in self._runs)
            except OverflowError:
                return math.inf
        return sum(value * count for _, count, value in self._runs)

    @property
    def top(self) -> Number:
        """``w_m``, the weight of the target."""
        return self.weights[self.target]

    @cached_property
    def runner_up(self) -> int:
        """Index ``n`` of the largest weight among the others (the first one if several are equal)."""
        return max(self._others, key=operator.itemgetter(1))[0]

    @property
    def second(self) -> Number:
        """``w_n``, the largest other weight."""
        return self.weights[self.runner_up]

    @property
    def dominant(self) -> bool:
        """``w_m > w_n``: the true label is the unique most frequent one."""
        return self.top > self.second

    @property
    def clean_level(self) -> Number:
        """``w_m / w_n``; ``math.inf`` when no other class has weight."""
        return divide(self.top, self.second) if self.second else math.inf

    @property
    def margin(self) -> Number:
        """``(w_m - w_n) / W``, in [-1, 1]."""
        return divide(self.top - self.second, self.total)

    @cached_property
    def uniform_rest(self) -> bool:
        """All weights other than the target's are equal (normalised losses need it)."""
        first = self._others[0][1]
        return all(value == first for _, value in self._others)


@dataclass(frozen=True)
class NoiseModel(Answer):
    """One row of class weights for every true class (or sample), and what follows from it.

    `kind`: ``symmetric``, ``uniform``, ``pair``, ``mnist``, ``cifar10``, ``cifar100``, ``cifar100-blocks``,
    ``cifar10n-*``, ``map``, ``matrix``, ``labels``, ``posteriors`` or ``weights``.
    `classes`: K. `rate`: the realised noise rate, one minus the mean diagonal (weighted by the class counts where they
    are known); None for posteriors and bare weights. `representative`: all K rows are the same up to relabelling and
    only the one of class 0 is stored. `source`: a file or a citation. `reading`: how a file was read, in one line.
    """

    kind: str
    rows: Sequence[Row]
    classes: int
    rate: Number | None
    names: tuple[str, ...] | None = None
    representative: bool = False
    source: str | None = None
    samples: tuple[int, ...] | None = None
    reading: str | None = field(default=None, compare=False)
    eta: Number | None = field(
        default=None, compare=False
    )  # the rate as it was given, where the realised one is another

    @property
    def rate_text(self) -> str:
        """The realised rate, after the one that was given where that is another: ``0.2 on average, eta = 0.4``."""
        if self.rate is None:
            return "-"
        return show(self.rate) if self.eta is None else f"{show(self.rate)} on average (eta = {show(self.eta)})"

    @cached_property
    def worst(self) -> int:
        """Index of the row with the least margin."""
        return min(range(len(self.rows)), key=lambda i: self.rows[i].margin)

    @cached_property
    def worst_clean(self) -> int:
        """Index of the row with the least clean level."""
        return min(range(len(self.rows)), key=lambda i: self.rows[i].clean_level)

    @cached_property
    def failures(self) -> tuple[tuple[int, int], ...]:
        """(row, other class) of every row whose target does not have the unique largest weight."""
        return tuple((i, row.runner_up) for i, row in enumerate(self.rows) if not row.dominant)

    @property
    def margin(self) -> Number:
        """``min (w_m - w_n) / W`` over the rows."""
        return self.worst_row().margin

    @property
    def clean_level(self) -> Number:
        """``min w_m / w_n`` over the rows; ``math.inf`` when nothing is noisy."""
        return self.rows[self.worst_clean].clean_level

    @property
    def dominant(self) -> bool:
        """Clean labels dominate: in every row the target has the unique largest weight."""
        return not self.failures

    def worst_row(self) -> Row:
        """The row with the least margin."""
        return self.rows[self.worst]

    def class_name(self, index: int) -> str:
        """``9 (truck)``, or ``9`` when classes have no names."""
        return f"{index} ({self.names[index]})" if self.names else str(index)

    def row_name(self, index: int) -> str:
        """What row `index` belongs to: a class, a sample, or every class."""
        if self.representative:
            return "every class"
        if self.kind == "posteriors":
            return f"sample {index}"
        return "class " + self.class_name(self.rows[index].target if self.kind == "weights" else index)

    def _binding(self, index: int) -> Json:
        row = self.rows[index]
        return {
            "row": index,
            "target": row.target,
            "runner_up": row.runner_up,
            "target_name": self.names[row.target] if self.names else None,
            "runner_up_name": self.names[row.runner_up] if self.names else None,
            "top": as_float(row.top),
            "second": as_float(row.second),
            "total": as_float(row.total),
        }

    def to_dict(self) -> Json:
        """The same facts for JSON; an infinite clean level is null, exact values are beside it as text."""
        return {
            "kind": self.kind,
            "classes": self.classes,
            "rows": len(self.rows),
            "representative": self.representative,
            "rate": as_float(self.rate),
            "eta": as_float(self.rate if self.eta is None else self.eta),
            "clean_level": as_float(self.clean_level),
            "margin": as_float(self.margin),
            "exact": {
                "rate": as_exact(self.rate),
                "clean_level": as_exact(self.clean_level),
                "margin": as_exact(self.margin),
            },
            "dominant": self.dominant,
            "failures": [list(pair) for pair in self.failures],
            "worst": self._binding(self.worst),
            "worst_clean": self._binding(self.worst_clean),
            "names": list(self.names) if self.names else None,
            "source": self.source,
            "reading": self.reading,
        }

    def __str__(self) -> str:
        return _table_text(self)


class SampleRows(Sequence[Row]):
    """The rows of a posterior array, each made when asked for."""

    def __init__(self, array: Array) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> SampleRows: ...

    def __getitem__(self, index: int | slice) -> Row | SampleRows:
        if isinstance(index, slice):
            return SampleRows(self._array[index])
        values = self._array[index]
        return Row(tuple(values.tolist()), int(values.argmax()))


@dataclass(frozen=True, eq=False)
class Posteriors(NoiseModel):
    """Per-sample class weights as one numpy array (N, K); rows are made on demand, minima are found vectorised."""

    array: Array = None  # type: ignore[assignment]

    @cached_property
    def _summary(self) -> tuple[Array, Array, Array]:
        import numpy as np  # late: the module is on the start-up path

        pair = np.partition(self.array, self.classes - 2, axis=1)[:, -2:]
        top, second = pair[:, 1].astype(np.float64), pair[:, 0].astype(np.float64)
        margin = (top - second) / self.array.sum(axis=1, dtype=np.float64)
        with np.errstate(divide="ignore", over="ignore"):
            clean = top / second
        # compared in the array's own type: large integers may differ by less than a float can tell
        return margin, clean, np.flatnonzero(pair[:, 1] == pair[:, 0])

    @cached_property
    def worst(self) -> int:
        return int(self._summary[0].argmin())

    @cached_property
    def worst_clean(self) -> int:
        return int(self._summary[1].argmin())

    @cached_property
    def failures(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, self.rows[i].runner_up) for i in self._summary[2].tolist())


def _table_text(model: NoiseModel, most: int = 20) -> str:
    """A readable table: the summary, then at most `most` rows, those of least margin if there are more."""
    worst, clean = model.worst_row(), model.rows[model.worst_clean]
    rate = "" if model.rate is None else f", noise rate {model.rate_text}"
    samples = f"{len(model.rows)} samples, " if model.kind == "posteriors" else ""
    lines = [f"{model.kind}: {samples}{model.classes} classes{rate}"]
    if model.source:
        lines.append(f"  source       {printable(model.source, 200)}")
    if model.reading:
        lines.append(f"  read as      {printable(model.reading, 300)}")
    level_of, margin_of = _against(model, model.worst_clean, clean), _against(model, model.worst, worst)
    lines.append(f"  clean level  {show(model.clean_level)}  least w_m / w_n, {level_of}")
    lines.append(f"  margin       {show(model.margin)}  least (w_m - w_n) / W, {margin_of}")
    if model.dominant:
        lines.append("  dominant     yes: in every row the true class has the largest weight")
    else:
        row, other = model.failures[0]
        more = f" and {len(model.failures) - 1} more" if len(model.failures) > 1 else ""
        lines.append(f"  dominant     no: {model.row_name(row)} against {model.class_name(other)}{more}")
    if model.representative or len(model.rows) == 1:
        return "\n".join(lines)
    order: Iterable[int] = range(len(model.rows))
    if len(model.rows) > most:
        if isinstance(model, Posteriors):
            order = model._summary[0].argsort(kind="stable")[:most].tolist()
        else:
            order = sorted(order, key=lambda i: model.rows[i].margin)[:most]
        lines.append(f"  the {most} rows of least margin:")
    cells = [("row", "kept", "largest other", "weight", "clean level", "margin")]
    for i in order:
        row_ = model.rows[i]
        share = [divide(row_.top, row_.total), divide(row_.second, row_.total), row_.clean_level, row_.margin]
        kept, second, level, margin = map(show, share)
        cells.append((model.row_name(i), kept, model.class_name(row_.runner_up), second, level, margin))
    return "\n".join([*lines, *table(cells, indent="  ", drop=("weight", "clean level"))])


def _against(model: NoiseModel, index: int, row: Row) -> str:
    if model.representative:
        return "the same for every class"
    return f"{model.row_name(index)} against {model.class_name(row.runner_up)}"
