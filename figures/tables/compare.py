"""The papers' tables of test accuracies, with what was measured here beside what was published.

``published.json`` holds the printed figures, each table with its set-up (network, epochs, penalty by loss, ...) and where that
is known from. A cell of a table is a loss with the paper's parameters on one noise. What was measured of it stands beside it
only if data set, network, width, images and epochs are the paper's; anything else stands under its own
:class:`~asymtheory_figures.results.Where`. How the measured runs differ from the paper's set-up is read from their own lines.

>>> table = compare("jal-table3", load("results"))
>>> table.sections[0].rows[0].cells[1].measured
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from statistics import mean, stdev

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json
from asymtheory.losses import Loss, build
from asymtheory.losses.published import Setting
from asymtheory.numbers.text import plain

from ..results import CLASSES, CLEAN, Results, Run, Where, repetitions

DATA = Path(__file__).with_name("published.json")
PLACES = 3  # other places than the paper's that a table shows
HUMAN = "human"

Column = tuple[str, str | None]
"""(kind, rate) of the noise as a table names it: none, symmetric, asymmetric, instance with a rate; human with a column's name."""

Asked = Loss | tuple[str, dict[str, Fraction]]
"""The loss that a cell asks for: one of the core, or name and all parameters of a baseline outside it."""


@cache
def published() -> Json:
    """All of ``published.json``: papers, set-ups, tables."""
    with DATA.open(encoding="utf-8") as file:
        found: Json = json.load(file)
    return found


def names() -> list[str]:
    """The tables by name, ``alf-table1`` and so on."""
    return list(published()["tables"])


def find(name: str) -> str:
    """The table of that name, also as it is cited ("ALF Table 1"); InputError with the nearest name otherwise."""
    key = "".join(each for each in name.lower() if each.isalnum())
    for known in names():
        if key == known.replace("-", ""):
            return known
    raise InputError(f"{name!r} is not a table{nearest(name.lower(), names())} (asymtheory table --list shows them)")


# ------------------------------------------------------------------------------------------------------- accuracies


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
        """From "90.48 ± 0.11"; papers do not say whether they divide by n or n - 1."""
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
class Row:
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
    rows: tuple[Row, ...]

    @property
    def home(self) -> Where:
        """Where the paper measured."""
        return _home(self.dataset, self.setup)

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
    """A table of a paper, with everything that stands below it.

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


# --------------------------------------------------------------------------------------------------------- compare


def compare(name: str, results: Results | None = None, dataset: str | None = None) -> Table:
    """A table with what ``results`` measured of it.

    ``dataset``: one of the table's, for its rows alone; or another one on which runs were made, for those alone beside the
    table. Runs whose labels are redrawn at every visit are no measurement of a table and are left out. InputError for an
    unknown table, or a data set that is neither.
    """
    name = find(name)
    found = published()["tables"][name]
    own = [section["dataset"] for section in found["sections"]]
    usable = [] if results is None else [run for run in results.runs if _usable(run)]
    others = {run.dataset for run in usable} - set(own)
    if dataset is not None and dataset not in own and dataset not in others:
        beside = f"; measured beside it: {', '.join(sorted(others))}" if others else ""
        raise InputError(f"--dataset {dataset}: {name} has {', '.join(own)}{beside}{nearest(dataset, [*own, *others])}")
    builders = [
        _Builder(
            found, section, usable, results.places if results else _nowhere, dataset if dataset in others else None
        )
        for section in found["sections"]
        if dataset not in own or dataset == section["dataset"]
    ]
    sections = tuple(builder.section() for builder in builders)
    setups = published()["setups"][found["paper"]]
    return Table(
        name, found["paper"], found["source"], found["what"], found["runs"], setups["source"],
        None if results is None else results.folder, sections,
        tuple(dict.fromkeys(where for section in sections for where in section.places)),
        tuple(each for builder in builders for each in builder.deviations()),
        tuple(_notes(name, f"{found['paper']} {found['source']}", setups["notes"], sections)),
        tuple(line for builder in builders for line in builder.left_out()),
        found["plan"],
    )  # fmt: skip


def _nowhere(runs: Iterable[Run], prefer: str) -> list[Where]:
    return []


def _home(dataset: str, setup: Json) -> Where:
    return Where(dataset, setup["model"], float(setup["width"]), setup["images"], setup["epochs"])


def _usable(run: Run) -> bool:
    return run.config["noise"]["mode"] != "redrawn" and not math.isnan(run.last())


def _notes(table: str, own: str, notes: Sequence[Json], sections: Sequence[Section]) -> Iterator[str]:
    """The notes of a set-up that are about something that is shown, and those of rows and cells; ``own``: the table as cited."""
    for note in notes:
        about = [section for section in sections if note.get("dataset") in (None, section.dataset)]
        kinds = {kind for section in about for kind, _ in section.columns}
        methods = [row.method for section in about for row in section.rows if row.method in note.get("methods", ())]
        if table not in note.get("tables", (table,)) or not about:
            continue
        if ("noise" in note and note["noise"] not in kinds) or ("methods" in note and not methods):
            continue
        who = [note["dataset"]] if "dataset" in note else []
        who += [", ".join(dict.fromkeys(methods))] if methods else []
        yield f"{', '.join(who)}: {note['text']}" if who else note["text"]
    for section in sections:
        for row in section.rows:
            if row.note:
                yield f"{section.dataset}, {row.method}: {row.note}"
        moved = {cell.source: row.method for row in section.rows for cell in row.cells if cell.source != own}
        for source, method in moved.items():
            yield f"{section.dataset}, {method}: a figure that the text at hand has lost is taken from {source}"


@dataclass(frozen=True)
class _Cell:
    """What was measured of one row and one noise: the chosen experiment of each place, and how many were passed over."""

    chosen: dict[Where, list[Run]]
    beside: int


class _Builder:
    """One data set of a table: which runs belong to which cell."""

    def __init__(
        self,
        table: Json,
        section: Json,
        runs: Sequence[Run],
        places: Callable[[Iterable[Run], str], list[Where]],
        only: str | None,
    ) -> None:
        self.table, self.given = table, section
        self.dataset: str = section["dataset"]
        self.setups = published()["setups"][table["paper"]]
        self.setup: Json = self.setups["datasets"][self.dataset]
        self.home = _home(self.dataset, self.setup)
        self.columns: list[Column] = [(kind, rate) for kind, rate in section["columns"]]
        own = {each["dataset"] for each in table["sections"]} - {self.dataset}
        self.runs = [run for run in runs if run.dataset not in own and _as_many(run.dataset, self.dataset)]
        noises = [(run, _noise(run)) for run in self.runs]
        self.fitting = [
            [run for run, noise in noises if _fits(noise, kinds, column)]
            for column, kinds in zip(self.columns, map(self.kinds, self.columns), strict=True)
        ]
        self.parameters = [_parameters(row, len(self.columns)) for row in section["rows"]]
        self.losses = [
            [_loss_of(row["loss"], tuple(given.items()), self.dataset) for given in parameters]
            for row, parameters in zip(section["rows"], self.parameters, strict=True)
        ]
        self.cells = [[*self._cells(losses)] for losses in self.losses]
        met = (run for row in self.cells for cell in row for group in cell.chosen.values() for run in group)
        other = [w for w in places(met, self.dataset) if w != self.home and only in (None, w.dataset)]
        self.places, self.unseen = other[:PLACES], other[PLACES:]

    def _cells(self, losses: Sequence[Asked]) -> Iterator[_Cell]:
        """At each place the experiment that is nearest to the paper's set-up; of several the one with the most seeds."""
        for column, loss, fitting in zip(self.columns, losses, self.fitting, strict=True):
            at: dict[Where, list[list[Run]]] = {}
            for group in repetitions(run for run in fitting if _is(run, loss)):
                at.setdefault(group[0].where, []).append(group)
            chosen = {where: min(groups, key=self._distance(loss, column)) for where, groups in at.items()}
            yield _Cell(chosen, sum(len(groups) - 1 for groups in at.values()))

    def _distance(self, loss: Asked, column: Column) -> Callable[[list[Run]], tuple[int, int, str]]:
        return lambda runs: (len(self._differences(runs, loss, column)), -len(runs), runs[0].experiment)

    def kinds(self, column: Column) -> list[str]:
        """The noise kinds of training that a column may mean: first what the paper's code did, then what its text says."""
        known = published()["noise"].get(column[0])
        if isinstance(known, dict):
            return list(known[self.dataset])
        return list(known or [column[0]])

    def section(self) -> Section:
        own = f"{self.table['paper']} {self.table['source']}"
        rows = []
        for given, parameters, cells in zip(self.given["rows"], self.parameters, self.cells, strict=True):
            made = []
            for i, (column, text, cell) in enumerate(zip(self.columns, given["cells"], cells, strict=True)):
                found = {where: _measured(where, runs) for where, runs in cell.chosen.items()}
                printed = None if text is None else Accuracy.parse(text, self.table["runs"])
                source = given.get("elsewhere", {}).get(str(i), own)
                beside = {where: found[where] for where in self.places if where in found}
                made.append(Cell(column, parameters[i], printed, source, found.get(self.home), beside))
            rows.append(Row(given["method"], given["loss"], given["settings"], given.get("note", ""), tuple(made)))
        return Section(self.dataset, self.setup, tuple(self.columns), tuple(rows))

    # ------------------------------------------------------------------------------------------------ differences

    def _differences(self, runs: Sequence[Run], loss: Asked, column: Column) -> list[tuple[str, str, str]]:
        """(setting, here, in the paper) of an experiment where the two differ; what a line does not say is not judged."""
        run, config, setup = runs[0], runs[0].config, self.setup
        norm, strength = run.penalty
        asked = self._penalty(loss)
        pairs: list[tuple[str, str, str]] = [
            ("data set", run.dataset, self.dataset),
            (
                "network",
                _network(config["model"], float(config["width"])),
                _network(setup["model"], float(setup["width"])),
            ),
            ("images", f"{run.images:,}", f"{setup['images']:,}"),
            *((name, _shown(config[name]), _shown(setup[name])) for name in _SETTINGS if name in config),
            ("penalty", norm if norm == "none" else f"{norm} {strength:g}", f"{asked[0]} {asked[1]:g}"),
            ("noise", _noise(run)[0], self.kinds(column)[0]),
        ]
        if "precision" in run.line.get("device", {}):
            pairs.append(("precision", run.line["device"]["precision"], setup["precision"]))
        if len(runs) > 1 and self.setups["labels"] is not None and column[0] in ("symmetric", "asymmetric"):
            seeds = {each.config["noise"]["seed"] for each in runs}
            pairs.append(("noisy labels", "by seed" if len(seeds) > 1 else "shared", self.setups["labels"]))
        return [(name, here, paper) for name, here, paper in pairs if here != paper]

    def _penalty(self, loss: Asked) -> tuple[str, float]:
        """What the paper penalised the weights with for this loss."""
        atoms = {atom.name for _, atom in loss.terms()} if isinstance(loss, Loss) else set()
        for each in self.setup["penalties"]:
            if "with" not in each or atoms & set(each["with"]):
                return each["norm"], float(each["strength"])
        return "none", 0.0

    def deviations(self) -> Iterator[Deviation]:
        """Of the paper's place first, then of the others, in the order of the settings."""
        for where in (self.home, *self.places):
            methods: dict[tuple[str, str, str], dict[str, None]] = {}
            measured: dict[str, None] = {}
            for given, losses, cells in zip(self.given["rows"], self.losses, self.cells, strict=True):
                for column, loss, cell in zip(self.columns, losses, cells, strict=True):
                    if where in cell.chosen:
                        measured[given["method"]] = None
                        for difference in self._differences(cell.chosen[where], loss, column):
                            methods.setdefault(difference, {})[given["method"]] = None
            for (setting, here, paper), who in methods.items():
                named = () if len(who) == len(measured) else tuple(who)
                yield Deviation(where, self.dataset, setting, here, paper, named)

    def left_out(self) -> Iterator[str]:
        """What was measured and is not in the table: other parameters, further places, experiments less like the paper's."""
        for given, parameters, cells in zip(self.given["rows"], self.parameters, self.cells, strict=True):
            for asked in (each for i, each in enumerate(parameters) if each not in parameters[:i]):
                at = [i for i, each in enumerate(parameters) if each == asked]
                if any(cells[i].chosen for i in at):
                    continue
                others = [
                    run for i in at for run in self.fitting[i]
                    if run.dataset == self.dataset and run.loss == given["loss"]
                ]  # fmt: skip
                if others:
                    here = dict.fromkeys(_values(_all_parameters(run)) for run in others)
                    table = _values({**_all_parameters(others[0]), **{k: Fraction(v) for k, v in asked.items()}})
                    shown = "; ".join(list(here)[:3]) + ("; ..." if len(here) > 3 else "")
                    own = "" if len(at) == len(cells) else f" on {', '.join(_said(self.columns[i]) for i in at)}"
                    yield f"{self.dataset}, {given['method']}{own}: runs with {shown} (the table's: {table})"
        if self.unseen:
            yield f"{self.dataset}: {len(self.unseen)} further places (--dataset names one)"
        count = sum(cell.beside for row in self.cells for cell in row)
        if count:
            yield f"{self.dataset}: {count} experiment{'s' * (count > 1)} of cells that another, more like the paper's, stands in"


_SETTINGS = ("epochs", "batch", "rate", "momentum", "nesterov", "schedule", "clip")


def _as_many(dataset: str, other: str) -> bool:
    """Have two data sets as many classes, as far as is known? Else a run on one says nothing of a table of the other."""
    return CLASSES.get(dataset, CLASSES[other]) == CLASSES[other]


def _parameters(row: Json, count: int) -> list[dict[str, str]]:
    """Of the loss in each of ``count`` cells: the row's, and what a cell has otherwise (``parameters_at``, by its place)."""
    return [{**row["parameters"], **row.get("parameters_at", {}).get(str(i), {})} for i in range(count)]


@cache
def _loss_of(name: str, parameters: tuple[tuple[str, str], ...], dataset: str) -> Asked:
    """A loss of the core; for a baseline outside it (name, all parameters)."""
    values = {key: Fraction(text) for key, text in parameters}
    try:
        return Setting(name, dataset, values, {}, "").build()  # without the terms that the paper switches off
    except InputError:
        return name, {**_defaults(name), **values}


def _defaults(baseline: str) -> dict[str, Fraction]:
    """Of a baseline's parameters; what training takes for those that a line does not name."""
    return {key: Fraction(text) for key, text in published()["baselines"].get(baseline, {}).items()}


def _all_parameters(run: Run) -> dict[str, Fraction]:
    return {**_defaults(run.loss), **run.parameters}


def _is(run: Run, loss: Asked) -> bool:
    if isinstance(loss, tuple):
        return run.config["loss"] == loss[0] and _all_parameters(run) == loss[1]
    return run.config["loss"] is not None and _built(run) == loss


def _built(run: Run) -> Loss | None:
    values = tuple(sorted((name, str(value)) for name, value in run.config["parameters"].items()))
    return _build(run.config["loss"], values)


@cache
def _build(name: str, values: tuple[tuple[str, str], ...]) -> Loss | None:
    try:
        return build(name, **{key: Fraction(text) for key, text in values})
    except InputError:
        return None


def _noise(run: Run) -> Column:
    """(kind, rate) of a run's labels, or (human, column) for the labels of a file; a rate of 0 is no noise."""
    if run.config.get("labels") is not None:
        column = run.config.get("column")
        return HUMAN, None if column is None else str(column).removesuffix("_label").replace("random_label", "random")
    kind, rate = run.noise
    if kind == CLEAN or rate == 0:
        return CLEAN, None
    return kind, None if rate is None else str(rate)


def _said(column: Column) -> str:
    return " ".join(part for part in column if part is not None)


def _fits(noise: Column, kinds: Sequence[str], column: Column) -> bool:
    (kind, rate), asked = noise, column[1]
    if kind not in kinds:
        return False
    if kind == HUMAN or rate is None or asked is None:
        return rate == asked
    return Fraction(rate) == Fraction(asked)


def _measured(where: Where, runs: Sequence[Run]) -> Measured:
    return Measured(
        where, Accuracy.of([100 * run.last() for run in runs]), Accuracy.of([100 * run.best() for run in runs])
    )


def _network(model: str, width: float) -> str:
    return model if width == 1 else f"{model} (width {width:g})"


def _shown(value: object) -> str:
    """A setting as people read it: a clip of None is no clipping."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _values(parameters: Mapping[str, Fraction]) -> str:
    return ", ".join(f"{name} = {plain(value)}" for name, value in parameters.items()) or "no parameters"
