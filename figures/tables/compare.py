"""The papers' tables of test accuracies, with what was measured here beside what was published.

``published.json`` holds the printed figures, each table with its set-up (network, epochs, penalty by loss, ...) and where that
is known from. A cell of a table is a loss with the paper's parameters on one noise. What was measured of it is shown beside it
only if data set, network, width, images and epochs are the paper's; anything else is shown under its own
:class:`~asymtheory_figures.results.Where`. How the measured runs differ from the paper's set-up is read from their own lines.

>>> table = compare("jal-table3", load("results"))
>>> table.sections[0].rows[0].cells[1].measured
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json
from asymtheory.losses import Loss

from ..results import Results, Run, Where, repetitions
from .accuracies import Accuracy, Cell, Deviation, Method, Section, Table, home_of
from .matching import (
    SETTINGS,
    Asked,
    all_parameters,
    fits_column,
    have_as_many_classes,
    loss_asked,
    measured_at,
    measures,
    noise_of,
    parameters_of,
    show_column,
    show_network,
    show_parameters,
    show_setting,
)
from .published import Column, find, published

PLACES = 3  # other places than the paper's that a table shows


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
        self.home = home_of(self.dataset, self.setup)
        self.columns: list[Column] = [(kind, rate) for kind, rate in section["columns"]]
        own = {each["dataset"] for each in table["sections"]} - {self.dataset}
        self.runs = [run for run in runs if run.dataset not in own and have_as_many_classes(run.dataset, self.dataset)]
        noises = [(run, noise_of(run)) for run in self.runs]
        self.fitting = [
            [run for run, noise in noises if fits_column(noise, kinds, column)]
            for column, kinds in zip(self.columns, map(self.kinds, self.columns), strict=True)
        ]
        self.parameters = [parameters_of(row, len(self.columns)) for row in section["rows"]]
        self.losses = [
            [loss_asked(row["loss"], tuple(given.items()), self.dataset) for given in parameters]
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
            for group in repetitions(run for run in fitting if measures(run, loss)):
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
                found = {where: measured_at(where, runs) for where, runs in cell.chosen.items()}
                printed = None if text is None else Accuracy.parse(text, self.table["runs"])
                source = given.get("elsewhere", {}).get(str(i), own)
                beside = {where: found[where] for where in self.places if where in found}
                made.append(Cell(column, parameters[i], printed, source, found.get(self.home), beside))
            rows.append(Method(given["method"], given["loss"], given["settings"], given.get("note", ""), tuple(made)))
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
                show_network(config["model"], float(config["width"])),
                show_network(setup["model"], float(setup["width"])),
            ),
            ("images", f"{run.images:,}", f"{setup['images']:,}"),
            *((name, show_setting(config[name]), show_setting(setup[name])) for name in SETTINGS if name in config),
            ("penalty", norm if norm == "none" else f"{norm} {strength:g}", f"{asked[0]} {asked[1]:g}"),
            ("noise", noise_of(run)[0], self.kinds(column)[0]),
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
        """The deviations: of the paper's place first, then of the others, in the order of the settings."""
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
                    run
                    for i in at
                    for run in self.fitting[i]
                    if run.dataset == self.dataset and run.loss == given["loss"]
                ]
                if others:
                    here = dict.fromkeys(show_parameters(all_parameters(run)) for run in others)
                    table = show_parameters({**all_parameters(others[0]), **{k: Fraction(v) for k, v in asked.items()}})
                    shown = "; ".join(list(here)[:3]) + ("; ..." if len(here) > 3 else "")
                    own = "" if len(at) == len(cells) else f" on {', '.join(show_column(self.columns[i]) for i in at)}"
                    yield f"{self.dataset}, {given['method']}{own}: runs with {shown} (the table's: {table})"
        if self.unseen:
            yield f"{self.dataset}: {len(self.unseen)} further places (--dataset names one)"
        count = sum(cell.beside for row in self.cells for cell in row)
        if count:
            several = "s" * (count > 1)
            yield f"{self.dataset}: {count} experiment{several} of cells for which another one is more like the paper's"
