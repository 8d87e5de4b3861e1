"""Rows of ``asymtheory confirm`` as studies: what was trained alike, on one noise in one regime, loss by loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json
from asymtheory.losses import Loss, build
from asymtheory.noise import KINDS, NoiseModel, resolve

from .. import style
from ..results import Floats, Measurement, NothingMeasured, Results, Where
from .series import short

_WEIGHTS = ("alpha", "beta")  # of a sum's terms
_ALIKE = ("labels", "equalised", "regularisation", "strength", "batch", "rate")  # the last two older rows do not have


@dataclass(frozen=True, eq=False)
class Subject:
    """The rows of one loss, by the value of its parameter. ``place``: how many of its family come before it."""

    title: str
    rows: tuple[Measurement, ...]
    place: int = 0

    @property
    def name(self) -> str:
        return str(self.rows[0]["loss"])

    @property
    def parameter(self) -> str | None:
        found: str | None = self.rows[0]["parameter"]
        return found

    @property
    def threshold(self) -> float | None:
        found: float | None = self.rows[0]["threshold"]
        return found

    @property
    def factors(self) -> Floats:
        """Values as multiples of the threshold; as they are where there is none."""
        return np.array([row["value"] if row["factor"] is None else row["factor"] for row in self.rows], dtype=float)

    def read(self, *path: str) -> Floats:
        """A figure of every row, such as ("test", "measured"); NaN where there is none."""
        return np.array([_number(row, path) for row in self.rows], dtype=float)

    def by_seed(self, what: str) -> Floats:
        """(V, S); NaN where a seed has none."""
        most = max(row["seeds"] for row in self.rows)
        found = np.full((len(self.rows), most), np.nan)
        for v, row in enumerate(self.rows):
            values = row["by_seed"][what]
            if values is not None:
                found[v, : len(values)] = [np.nan if x is None else x for x in values]
        return found

    def nearest(self, factor: float) -> Measurement:
        """The row whose factor is nearest on a log axis."""
        return self.rows[int(np.abs(np.log(self.factors / factor)).argmin())]

    def at(self, value: float) -> Loss:
        """The loss at a value of its parameter."""
        first = self.rows[0]
        given = {name: Fraction(str(each)) for name, each in first["fixed"].items()}
        assert self.parameter is not None
        return build(self.name, **given, **{self.parameter: value})

    def line(self) -> style.Keywords:
        """Colour and dashes of the family; of several of one family the later ones are lighter and thinner."""
        look = style.look(self.name)
        colour = style.shades(look.colour, 4)[1 + min(self.place, 2)] if self.place else look.colour
        return look.line(color=colour, linewidth=max(1.2 - 0.25 * self.place, 0.6))

    def mark(self) -> style.Keywords:
        """The family's marker; hollow for all but the first of a family."""
        colour = self.line()["color"]
        hollow = {"markerfacecolor": "white"} if self.place else {}
        return {"marker": style.look(self.name).marker, "color": colour, **hollow}


@dataclass(frozen=True, eq=False)
class Study:
    """What was trained alike on one noise in one regime."""

    regime: str
    noise: str
    labels: str
    where: Where
    subjects: tuple[Subject, ...]

    @property
    def around(self) -> list[Subject]:
        """Losses with a threshold."""
        return [subject for subject in self.subjects if subject.threshold is not None]

    @property
    def ends(self) -> list[Subject]:
        """Losses without a parameter."""
        return [subject for subject in self.subjects if subject.parameter is None]

    @property
    def always(self) -> list[Subject]:
        """Losses with a parameter but no threshold: asymmetric at every value, or at none."""
        return [subject for subject in self.subjects if subject.threshold is None and subject.parameter is not None]

    @property
    def equalised(self) -> bool:
        """Were the losses scaled to one initial slope?"""
        return bool(self.subjects[0].rows[0]["equalised"])

    @property
    def K(self) -> int:
        return len(self.subjects[0].rows[0]["classes"]["exact"])

    @cached_property
    def model(self) -> NoiseModel | None:
        """The noise, if it is one that the core knows by name."""
        kind, _, rate = self.noise.partition(" ")
        return resolve(kind, self.K, Fraction(rate) if rate else None) if kind in KINDS else None

    @property
    def dataset_noise(self) -> str:
        return f"{self.where.dataset}, {self.noise}"

    @property
    def seeds(self) -> set[int]:
        """How many of them rows have."""
        return {row["seeds"] for subject in self.subjects for row in subject.rows}


def studies(
    results: Results, regime: str, dataset: str | None = None, noise: str | None = None, *, vectors: bool = False
) -> list[Study]:
    """The studies of the place that has most rows (of those that agree with ``dataset`` and ``noise``), one for each noise.

    Symmetric noise comes first, the others by name. ``vectors``: only those whose rows have whole vectors.
    Raises NothingMeasured, naming what to run, where there is none.
    """
    every = [row for row in results.rows if row["regime"] == regime and row["measured"] is not None]
    if vectors:
        every = [row for row in every if row["vectors"] is not None]
    kept = [row for row in every if dataset in (None, row["dataset"]) and noise in (None, row["noise"])]
    if not kept:
        raise _nothing(results, regime, every, dataset, noise, vectors)
    places: dict[tuple[Where, *tuple[object, ...]], list[Measurement]] = {}
    for row in kept:
        places.setdefault((_where(row), *(row.get(name) for name in _ALIKE)), []).append(row)
    most = max(places, key=lambda place: (len(places[place]), place[0].images * place[0].epochs, str(place)))
    by_noise: dict[str, list[Measurement]] = {}
    for row in places[most]:
        by_noise.setdefault(row["noise"], []).append(row)
    found = [Study(regime, name, rows[0]["labels"], most[0], tuple(_subjects(rows))) for name, rows in by_noise.items()]
    return sorted(found, key=lambda study: (not study.noise.startswith("symmetric"), study.noise))


def fullest(found: Sequence[Study]) -> Study:
    """The study that has most rows, of equals the first: what a figure of one noise shows where none was named."""
    return max(found, key=lambda study: sum(len(subject.rows) for subject in study.subjects))


def also(results: Results, shown: Sequence[Study]) -> str:
    """``Also measured: mnist pair 0.4.`` for what these studies leave out of their regime; empty where there is nothing."""
    there = {(study.where, study.noise, study.labels) for study in shown}
    others = {(_where(row), row["noise"], row["labels"]) for row in results.rows if row["regime"] == shown[0].regime}
    left = sorted({f"{where.dataset} {noise}" for where, noise, labels in others - there})
    return f"Also measured: {', '.join(left)}." if left else ""


def _subjects(rows: Sequence[Measurement]) -> list[Subject]:
    by_loss: dict[tuple[str, str], dict[Any, Measurement]] = {}
    for row in rows:  # of one value measured twice, what has more seeds, else the last
        own = by_loss.setdefault((row["loss"], str(sorted(row["fixed"].items()))), {})
        if row["value"] not in own or own[row["value"]]["seeds"] <= row["seeds"]:
            own[row["value"]] = row
    found: list[Subject] = []
    titles = [title_of(next(iter(own.values()))) for own in by_loss.values()]
    for own, title in zip(by_loss.values(), titles, strict=True):
        first = next(iter(own.values()))
        name = title if titles.count(title) == 1 else title_of(first, weights=True)
        ordered = tuple(own[value] for value in sorted(own, key=lambda value: value or 0.0))
        family = style.family(first["loss"])
        found.append(Subject(name, ordered, sum(style.family(each.name) == family for each in found)))
    return found


def title_of(row: Measurement, weights: bool = False) -> str:
    """``AMSE, $q = 2$``: the loss and the parameters that do not vary; a sum's weights only where they are asked for."""
    given = {name: Fraction(str(value)) for name, value in row["fixed"].items()}
    shown = [
        f"${style.symbol(name)} = {short(value)}$" for name, value in given.items() if weights or name not in _WEIGHTS
    ]
    return ", ".join([build(row["loss"], **given).title, *shown])


def _where(row: Measurement) -> Where:
    return Where(row["dataset"], row["model"], float(row["width"]), row["images"], row["epochs"])


def _number(row: Json, path: Sequence[str]) -> float:
    found: Any = row
    for name in path:
        found = None if found is None else found.get(name)
    return np.nan if found is None else float(found)


def _nothing(
    results: Results, regime: str, every: Sequence[Measurement], dataset: str | None, noise: str | None, vectors: bool
) -> NothingMeasured | InputError:
    for name, given in (("dataset", dataset), ("noise", noise)):
        known = sorted({row[name] for row in every})
        if given is not None and known and given not in known:
            return NothingMeasured(
                f"results {results.folder}: {name} {given!r} was not measured in the {regime} regime "
                f"(measured: {', '.join(known)}){nearest(given, known)}"
            )
    if dataset is not None and noise is not None and every:
        return NothingMeasured(f"results {results.folder}: {dataset} was not measured on {noise}")
    kind = " on a noise whose rows differ, as --noise pair" if vectors else ""
    return NothingMeasured(
        f"results {results.folder}: no rows of `asymtheory confirm --regime {regime} --out DIR`{kind}; run it and copy "
        "DIR/rows.jsonl there, or name another place with results=PATH"
    )
