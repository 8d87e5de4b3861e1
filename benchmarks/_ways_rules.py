"""What the ways are worth: gains over the best constant setting of any loss, and the one recipe that is chosen."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import _regret_rules as regret
import numpy as np

RESULTS, CHOSEN, REGRET = (
    Path(__file__).parents[1] / "results" / f"{name}.jsonl.gz" for name in ("ways", "ways-chosen", "regret")
)
DATA = ("cifar10-hidden", "cifar10-linear", "mnist", "digits", "satimage", "texture", "letter")
Line = dict[str, object]
Recipe = tuple[str, str]
"""The loss at the end, and the way there."""


@dataclass(frozen=True, eq=False)
class Task:
    """A task with one line a way and rate; ``constant`` is the clean test accuracy, on the second half of the test samples, of the
    best constant setting of any loss, which is chosen on the first half."""

    data: str
    noise: str
    aside: bool
    lines: list[Line]
    constant: float
    memorising: dict[float, float]  # by rate: share of the wrong training labels that CE predicts in the end

    @cached_property
    def accuracies(self) -> dict[tuple[str, str, float], float]:
        """Clean test accuracy on the second half, by end, way and rate."""
        return {(str(x["end"]), str(x["way"]), number(x["rate"])): number(x["second"]) for x in self.lines}

    @cached_property
    def runs(self) -> dict[Recipe, list[Line]]:
        """The lines of each recipe."""
        found: dict[Recipe, list[Line]] = {}
        for line in self.lines:
            found.setdefault((str(line["end"]), str(line["way"])), []).append(line)
        return found

    def gain(self, recipe: Recipe, rate: float | None) -> float:
        """Points above the best constant setting, at a rate, or (None) at that of the highest held-out noisy accuracy; NaN where
        the task does not have it."""
        own = [x for x in self.runs.get(recipe, ()) if rate in (None, x["rate"])]
        if not own:
            return float("nan")
        best = max(own, key=lambda x: number(x["held"]))
        return 100 * (number(best["second"]) - self.constant)


def number(value: object) -> float:
    """A number of a line."""
    assert isinstance(value, int | float)
    return float(value)


def read() -> list[Task]:
    """The tasks with results of both benchmarks, of the first seed; those set aside have the lines of the chosen recipes."""
    own: dict[tuple[str, str], list[Line]] = {}
    for line in (*_lines(RESULTS), *(each for each in _lines(CHOSEN) if each["aside"])):
        if line["seed"] == 0:
            own.setdefault((str(line["data"]), str(line["noise"])), []).append(line)
    best: dict[tuple[str, str], tuple[float, float]] = {}
    memorising: dict[tuple[str, str], dict[float, float]] = {}
    for line in (line for task in measured() for line in task.lines):
        key = str(line["data"]), str(line["noise"])
        if line["kind"] not in ("grid", "raw"):
            continue
        best[key] = max(best.get(key, (-1.0, 0.0)), (number(line["first"]), number(line["second"])))
        if line["loss"] == "ce" and line["rate"] is not None:
            memorising.setdefault(key, {})[number(line["rate"])] = number(line["memorised"])
    return [
        Task(*key, bool(lines[0]["aside"]), lines, best[key][1], memorising[key])
        for key, lines in own.items()
        if key in best
    ]


def _lines(path: Path) -> list[Line]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()] if path.exists() else []


@cache
def measured() -> list[regret.Task]:
    """The tasks with noise of the regret benchmark, of the first seed, of the data sets that it had when the ways were trained."""
    return [task for task in regret.read([REGRET]) if task.seed == 0 and not task.apart and task.data in DATA]


def recipes(tasks: Sequence[Task]) -> list[Recipe]:
    """All recipes of the tasks, in the order of their lines."""
    return list(dict.fromkeys((str(x["end"]), str(x["way"])) for task in tasks for x in task.lines))


def rates(tasks: Sequence[Task]) -> list[float]:
    """All rates."""
    return sorted({number(x["rate"]) for task in tasks for x in task.lines})


def ranked(tasks: Iterable[Task]) -> list[tuple[Recipe, float | None, list[float]]]:
    """Every recipe at every rate and at the rate by held-out labels (None), with its gains on the tasks that are not set aside; the
    highest mean gain first, the data sets counting the same."""
    inside = [task for task in tasks if not task.aside]
    found = [
        (recipe, rate, [task.gain(recipe, rate) for task in inside])
        for recipe in recipes(inside)
        for rate in (*rates(inside), None)
    ]
    return sorted(found, key=lambda each: -average(inside, each[2]))


def average(tasks: Sequence[Task], gains: Sequence[float]) -> float:
    """The mean gain, in which data sets count the same, however many tasks they have."""
    sets = [task.data for task in tasks]
    return float(np.average(gains, weights=[1 / sets.count(name) for name in sets]))


def chosen(tasks: Iterable[Task]) -> list[Recipe]:
    """The recipes that are tried on the tasks set aside: the first at one rate, and the first with a rate by held-out labels."""
    order = ranked(tasks)
    first = next(recipe for recipe, rate, _ in order if rate is not None)
    second = next(recipe for recipe, rate, _ in order if rate is None)
    return list(dict.fromkeys((first, second)))


# ------------------------------------------------------------------------------------------------------------- in tune


class Wider(regret.Task):
    """A task of the regret benchmark with runs of a chosen recipe beside its candidates; the best is that of the candidates."""

    candidates: int = 0

    @cached_property
    def deficits(self) -> regret.Floats:
        first, second = (np.array([line[name] for line in self.lines], dtype=float) for name in ("first", "second"))
        return 100 * (second[first[: self.candidates].argmax()] - second)


def wider(task: regret.Task, lines: Iterable[Line]) -> Wider:
    """The task with the chosen runs, as arms that tune would try."""
    own = [
        {
            **line,
            "kind": "start",
            "candidate": f"start: {line['end']}, {line['way']}, {line['rate']}",
            "held": line["curve"],
        }
        for line in lines
        if (line["data"], line["noise"], line["seed"]) == (task.data, task.noise, task.seed)
    ]
    base = task.lines[0]
    shared = {name: base[name] for name in ("held_out", "spread", "margin")}
    found = Wider(task.data, task.noise, task.seed, task.aside, [*task.lines, *({**each, **shared} for each in own)])
    object.__setattr__(found, "candidates", len(task.lines))
    return found


def runs_of(recipe: Recipe) -> list[Line]:
    """The lines of a chosen recipe on all tasks."""
    return [line for line in _lines(CHOSEN) if (line["end"], line["way"]) == recipe]


def alone(task: Wider) -> float:
    """The deficit where the recipe's four rates are all that is trained, and held-out accuracy chooses."""
    places = range(task.candidates, len(task.lines))
    return float(task.deficits[max(places, key=lambda place: task.held[place, -1])])
