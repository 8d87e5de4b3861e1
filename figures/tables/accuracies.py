"""A table with its parts: accuracies, cells, methods, data sets, and how a run deviates from the paper's set-up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

from asymtheory.jsonlines import Json

from ..results import Where
from .published import Column


@dataclass(frozen=True)
class Accuracy:
    """Test accuracy in percent over ``runs`` runs; ``std`` divides by runs - 1 and is None of a single run."""

    mean: float
    std: float | None
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Accuracy:
        return cls(mean(values), stdev(values) if len(values) > 1 else None, len(values))

    @classmethod
    def parse(cls, text: str, runs: int) -> Accuracy:
        """The mean and deviation of a text such as "90.48 ± 0.11"; papers do not say whether they divide by n or n - 1."""
        middle, _, spread = text.partition(" ± ")
        return cls(float(middle), float(spread), runs)

    def units(self, other: Accuracy) -> float | None:
        """``(mean - other mean) / s``, s the pooled standard deviation; None unless both have two runs, and s > 0."""
        if self.std is None or other.std is None or min(self.runs, other.runs) < 2:
            return None
        squares = (self.runs - 1) * self.std**2 + (other.runs - 1) * other.std**2
        pooled = math.sqrt(squares / (self.runs + other.runs - 2))
        return (self.mean - other.mean) / pooled if pooled else None

    def to_dict(self) -> Json:
        return {"mean": self.mean, "std": self.std, "runs": self.runs}

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.std is None else f"{self.mean:.2f} ± {self.std:.2f}"


@dataclass(frozen=True)
class Measured:
    """One experiment: the last epoch, as the papers report, and the best one, which is chosen by the test labels."""

    where: Where
    last: Accuracy
    best: Accuracy

    def to_dict(self) -> Json:
        return {"where": str(self.where), "last": self.last.to_dict(), "best": self.best.to_dict()}


@dataclass(frozen=True)
class Cell:
    """A method on one noise: as published, as measured in the paper's set-up, and what was measured elsewhere.

    ``parameters``: of the method's loss on this noise, as texts of exact numbers.
    """

    column: Column
    parameters: Mapping[str, str]
    published: Accuracy | None
    source: str
    measured: Measured | None = None
    elsewhere: Mapping[Where, Measured] = field(default_factory=dict)

    @property
    def difference(self) -> float | None:
        """Measured minus published, in percentage points; None where one of them is missing."""
        if self.measured is None or self.published is None:
            return None
        return self.measured.last.mean - self.published.mean

    @property
    def units(self) -> float | None:
        """The same in units of the pooled standard deviation, where both sides have two runs."""
        if self.measured is None or self.published is None:
            return None
        return self.measured.last.units(self.published)

    def to_dict(self) -> Json:
        return {
            "noise": self.column[0],
            "rate": self.column[1],
            "parameters": dict(self.parameters),
            "published": None if self.published is None else self.published.to_dict(),
            "source": self.source,
            "measured": None if self.measured is None else self.measured.to_dict(),
            "difference": self.difference,
            "units": self.units,
            "elsewhere": [found.to_dict() for found in self.elsewhere.values()],
        }


@dataclass(frozen=True)
class Method:
    """A method of a table. ``loss``: its name for training; ``settings`` says where the parameters of its cells are from."""

    method: str
    loss: str
    settings: str | None
    note: str
    cells: tuple[Cell, ...]

    @property
    def measured(self) -> bool:
        return any(cell.measured or cell.elsewhere for cell in self.cells)

    def to_dict(self) -> Json:
        return {
            "method": self.method,
            "loss": self.loss,
            "settings": self.settings,
            "note": self.note,
            "cells": [cell.to_dict() for cell in self.cells],
        }


@dataclass(frozen=True)
class Deviation:
    """What the measured runs did otherwise than the paper; ``methods`` are those it holds for, empty for all of the place."""

    where: Where
    dataset: str
    setting: str
    here: str
    paper: str
    methods: tuple[str, ...]

    def to_dict(self) -> Json:
        return {
            "where": str(self.where),
            "dataset": self.dataset,
            "setting": self.setting,
            "here": self.here,
            "paper": self.paper,
            "methods": list(self.methods),
        }

    def __str__(self) -> str:
        only = f" for {', '.join(self.methods)}" if self.methods else ""
        return f"{self.setting} {self.here}{only} (paper: {self.paper})"


@dataclass(frozen=True)
class Section:
    """The rows of one data set."""

    dataset: str
    setup: Json
    columns: tuple[Column, ...]
    rows: tuple[Method, ...]

    @property
    def home(self) -> Where:
        """Where the paper measured."""
        return home_of(self.dataset, self.setup)

    @property
    def measured(self) -> bool:
        return any(cell.measured for row in self.rows for cell in row.cells)

    @property
    def places(self) -> list[Where]:
        """Other places than the paper's that have something to show here, in the table's order."""
        return list(dict.fromkeys(where for row in self.rows for cell in row.cells for where in cell.elsewhere))

    def to_dict(self) -> Json:
        return {"dataset": self.dataset, "setup": dict(self.setup), "rows": [row.to_dict() for row in self.rows]}


@dataclass(frozen=True)
class Table:
    """A table of a paper, with everything that is printed below it.

    ``folder``: where the runs were read from, None for nowhere. ``notes`` are about the published figures; ``left_out`` says what
    was measured and is not in the table. ``plan``: the sweep that measures all of it, if there is one.
    """

    name: str
    paper: str
    source: str
    what: str
    runs: int
    setup_source: str
    folder: str | None
    sections: tuple[Section, ...]
    places: tuple[Where, ...]
    deviations: tuple[Deviation, ...]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    plan: str | None

    @property
    def title(self) -> str:
        return f"{self.paper} {self.source}: {self.what}. Test accuracy (%), last epoch, mean ± std"

    @property
    def measured(self) -> bool:
        return any(row.measured for section in self.sections for row in section.rows)

    def to_dict(self) -> Json:
        return {
            "table": self.name,
            "title": self.title,
            "runs": self.runs,
            "setup_source": self.setup_source,
            "results": self.folder,
            "places": [str(where) for where in self.places],
            "sections": [section.to_dict() for section in self.sections],
            "deviations": [each.to_dict() for each in self.deviations],
            "notes": list(self.notes),
            "left_out": list(self.left_out),
            "plan": self.plan,
        }


def home_of(dataset: str, setup: Json) -> Where:
    return Where(dataset, setup["model"], float(setup["width"]), setup["images"], setup["epochs"])
