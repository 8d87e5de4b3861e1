"""Rules that choose a candidate of a task, and what their choices cost."""

from __future__ import annotations

import gzip
import json
import math
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
from asymtheory_training.tune.halving import afforded, best
from asymtheory_training.tune.settle import beforehand, deficits, order
from asymtheory_training.tune.space import ABOVE, CE, FAMILIES, LED, RATES, UNTIL, by_rate, named

from asymtheory.asymmetry.condition import check
from asymtheory.losses import Loss
from asymtheory.noise import resolve

Floats = npt.NDArray[np.float64]
Line = dict[str, object]
FRESH = tomllib.loads(Path(__file__).with_name("regret.toml").read_text(encoding="utf-8"))["fresh"]
LONG = "-long"
"""Ends the name of data that are trained on for longer, by which the advice on long runs is judged."""
CAUTION = 0.1
"""Of a recipe's worst deficit that is added to what is expected, where only the noise is known; chosen like RIDGE."""
RIDGE = 1.0
"""Pulls the slopes to 0; of 0, 0.1 and 1 the best on data sets that were left out, among the tasks that were not set aside."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What the inverse of the noise's matrix says of the arms of ``tune`` on a task, and what they are worth; arrays begin with
    the arms.

    ``scores``: clean accuracy as the held-out noisy labels tell it by the inverse, after each of ``epochs``, those that a rung can
    end with (M, len(epochs)); ``errors``: standard errors in the end; ``second``: clean accuracy on the second half of the test
    samples.
    """

    labels: list[str]
    epochs: list[int]
    scores: Floats
    errors: Floats
    second: Floats

    def score(self, label: str, epoch: int) -> float:
        """Of an arm after an epoch."""
        return float(self.scores[self.labels.index(label), self.epochs.index(epoch)])

    def error(self, label: str) -> float:
        """The standard error of its last score."""
        return float(self.errors[self.labels.index(label)])


@dataclass(frozen=True, eq=False)
class Task:
    """What all candidates of a task did, for one seed; arrays begin with the candidates."""

    data: str
    noise: str
    seed: int
    aside: bool
    lines: list[Line]
    judged: Judged | None = None

    @cached_property
    def labels(self) -> list[str]:
        """The candidates' names."""
        return [str(line["candidate"]) for line in self.lines]

    @cached_property
    def held(self) -> Floats:
        """Accuracy on held-out noisy labels after every epoch (M, E)."""
        return np.array([line["held"] for line in self.lines], dtype=float)

    @cached_property
    def deficits(self) -> Floats:
        """Points below the best candidate: that is chosen on one half of the test samples, and all are scored on the other."""
        first, second = (np.array([line[name] for line in self.lines], dtype=float) for name in ("first", "second"))
        return 100 * (second[first.argmax()] - second)

    @property
    def kind(self) -> str:
        """The kind of noise."""
        return self.noise.partition(" ")[0]

    @property
    def by_class(self) -> bool:
        """Do its labels depend on the class alone? Those that people gave, or that depend on the sample, do not."""
        return self.kind in ("symmetric", "pair", "map")

    @property
    def set(self) -> str:
        """The data set without its head."""
        return self.data.partition("-")[0]

    @property
    def apart(self) -> bool:
        """Is it reported apart: without noise, all images, long runs, or of a data set that was set aside last?"""
        return self.noise == "clean" or self.data.endswith(("-whole", LONG)) or self.fresh

    @property
    def fresh(self) -> bool:
        """Is it of a data set that was set aside last, before its tasks and the later ones were trained?"""
        return self.data in FRESH

    @property
    def spread(self) -> float:
        """Of the wrong labels (see asymtheory.selection.advice): 0 even, 1 all in one class."""
        return float(str(self.lines[0]["spread"]))

    @property
    def inputs(self) -> int:
        """Numbers that a sample has."""
        return int(str(self.lines[0]["inputs"]))

    @property
    def complete(self) -> bool:
        """Were all candidates trained on it, not ramps alone?"""
        return any(line["part"] == "all" for line in self.lines)

    @property
    def margin(self) -> float:
        """Least over the classes of the share of right labels less that of the largest rival: what a clean point is worth."""
        return float(str(self.lines[0]["margin"]))

    def of_arm(self, label: str) -> float:
        """The deficit of an arm of ``tune`` in the runs that were judged."""
        assert self.judged is not None
        first, second = (np.array([line[name] for line in self.lines], dtype=float) for name in ("first", "second"))
        return float(100 * (second[first.argmax()] - self.judged.second[self.judged.labels.index(label)]))

    def of(self, label: str) -> float:
        """The deficit of a candidate; NaN where the task does not have it."""
        return float(self.deficits[self.labels.index(label)]) if label in self.labels else float("nan")


def read(paths: Iterable[Path]) -> list[Task]:
    """The tasks in files of JSON lines."""
    found: dict[tuple[str, str, int], list[Line]] = {}
    for path in paths:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in map(json.loads, content.splitlines()):
            found.setdefault((line["data"], line["noise"], line["seed"]), []).append(line)
    return [Task(*key, bool(lines[0]["aside"]), lines) for key, lines in found.items()]


# -------------------------------------------------------------------------------------------------- before any training


def with_scores(tasks: Iterable[Task], path: Path) -> list[Task]:
    """The tasks, with what ``tune`` sees of its arms where that is in a file of JSON lines."""
    found: dict[tuple[str, str, int], Judged] = {}
    for line in map(json.loads, gzip.decompress(path.read_bytes()).splitlines()):
        arrays = (np.array(line[name], dtype=float) for name in ("scores", "errors", "second"))
        found[line["data"], line["noise"], line["seed"]] = Judged(line["candidates"], line["epochs"], *arrays)
    return [replace(task, judged=found.get((task.data, task.noise, task.seed))) for task in tasks]


Number = Callable[[Task], float]
"""What a task's recipes are told apart by, known before any training."""


def spread_of(task: Task) -> float:
    """Of the noise alone."""
    return task.spread


def size_of(task: Task) -> float:
    """Of the samples: log2 of how many numbers they have."""
    return math.log2(task.inputs)


@dataclass(frozen=True)
class Fitted:
    """The line ``base + slope * number`` of a recipe's deficits, and the worst of them."""

    label: str
    base: float
    slope: float
    worst: float

    def deficit(self, number: float) -> float:
        """What is expected where the task's number is this one."""
        return self.base + self.slope * number


def fitted(tasks: Sequence[Task], number: Number = spread_of) -> list[Fitted]:
    """The lines of all recipes (equalised rates) that every task has; data sets count the same, however many tasks they have."""
    sets = [task.data for task in tasks]
    weights = np.sqrt([1 / sets.count(name) for name in sets])
    numbers = np.array([number(task) for task in tasks])
    design = np.stack([np.ones(len(tasks)), numbers], 1) * weights[:, None]
    inverse = np.linalg.inv(design.T @ design + np.diag([0.0, RIDGE])) @ design.T
    shared = sorted(
        set.intersection(
            *({c for c, line in zip(t.labels, t.lines, strict=True) if line["rate"] is not None} for t in tasks)
        )
    )
    deficits = np.array([task.deficits[[task.labels.index(label) for label in shared]] for task in tasks])
    lines = inverse @ (deficits * weights[:, None])
    return [
        Fitted(label, float(base), float(slope), float(worst))
        for label, base, slope, worst in zip(shared, *lines, deficits.max(0), strict=True)
    ]


def expected(training: Sequence[Task], only: Sequence[str] | None = None) -> Callable[[Task], float]:
    """``select`` without features: the recipe of the least expected deficit and CAUTION of its worst, of the ``only`` ones."""
    lines = [each for each in fitted(training) if only is None or each.label in only]
    return lambda task: task.of(min(lines, key=lambda each: each.deficit(task.spread) + CAUTION * each.worst).label)


def by_size(training: Sequence[Task], only: Sequence[str] | None = None) -> Callable[[Task], float]:
    """``select`` that knows how many numbers a sample has: what :func:`recipe_by_size` costs."""
    recipe = recipe_by_size(training, only)
    return lambda task: task.of(recipe(task))


def recipe_by_size(training: Sequence[Task], only: Sequence[str] | None = None) -> Callable[[Task], str]:
    """The recipe of the least deficit that is expected of samples of so many numbers, or of the nearest number measured."""
    lines = [each for each in fitted(training, size_of) if only is None or each.label in only]
    within = sizes(training)

    def rule(task: Task) -> str:
        size = min(max(size_of(task), within[0]), within[1])
        return min(lines, key=lambda each: each.deficit(size)).label

    return rule


def sizes(training: Sequence[Task]) -> tuple[float, float]:
    """The least and the largest log2 of how many numbers a sample has."""
    found = [size_of(task) for task in training]
    return min(found), max(found)


def at_lower_rate(label: str) -> str:
    """The recipe at the next lower rate that was measured, or at the lowest."""
    name, _, rate = label.rpartition(", ")
    at = RATES.index(float(rate))
    return f"{name}, {RATES[max(0, at - 1)]:g}"


def least_worst(training: Sequence[Task]) -> Callable[[Task], float]:
    """The recipe whose worst deficit is the least."""
    return always(min(fitted(training), key=lambda each: each.worst).label)


def by_mean(tasks: Sequence[Task]) -> list[tuple[str, float, float]]:
    """(recipe, mean, worst) of the recipes of tasks without noise, the least mean first; data sets count the same."""
    sets = [task.data for task in tasks]
    weights = np.array([1 / sets.count(name) for name in sets])
    shared = [c for c, line in zip(tasks[0].labels, tasks[0].lines, strict=True) if line["rate"] is not None]
    found = []
    for label in shared:
        deficits = np.array([task.of(label) for task in tasks])
        found.append((label, float(deficits @ weights / weights.sum()), float(deficits.max())))
    return sorted(found, key=lambda each: each[1])


def ce_by_mean(tasks: Sequence[Task]) -> Callable[[Task], float]:
    """What ``select`` says of clean labels: CE at the rate of the least mean deficit."""
    return always(ce_of(tasks))


def ce_of(tasks: Sequence[Task]) -> str:
    """The recipe of CE with the least mean deficit."""
    return next(label for label, _, _ in by_mean(tasks) if label.startswith("grid: ce(), "))


def one_for_all(training: Sequence[Task]) -> Callable[[Task], float]:
    """The recipe of the least mean deficit, whatever the noise."""
    return always(
        min(fitted(training), key=lambda each: each.deficit(float(np.mean([task.spread for task in training])))).label
    )


def left_out(
    tasks: Sequence[Task], learn: Callable[[Sequence[Task]], Callable[[Task], float]], known: Sequence[Task] = ()
) -> list[float]:
    """The regret on every task of a rule that was learnt on the other data sets alone (both heads of one are one set), of the
    ``known`` tasks (by default of these)."""
    rules = {name: learn([other for other in known or tasks if other.set != name]) for name in {t.set for t in tasks}}
    return [rules[task.set](task) for task in tasks]


def always(label: str) -> Callable[[Task], float]:
    """One candidate for all tasks."""
    return lambda task: task.of(label)


def random_feasible(task: Task) -> float:
    """The mean over losses at or above their thresholds, at all rates."""
    chosen = [
        place
        for place, line in enumerate(task.lines)
        if line["kind"] == "grid" and line["factor"] is not None and float(str(line["factor"])) >= 1
    ]
    return float(task.deficits[chosen].mean())


# ------------------------------------------------------------------------------------------------- on held-out labels


def arms_of(task: Task, ramps: bool) -> list[int]:
    """The candidates that ``tune`` tries, in its order."""
    known = [(place, _as_arm(line)) for place, line in enumerate(task.lines)]
    found = [(by_rate(float(str(task.lines[place]["rate"]))), arm, place) for place, arm in known if arm is not None]
    return [place for _, arm, place in sorted(found) if ramps or arm[0] != LEADING]


LEADING, USUAL, TOLERANT = range(3)
"""Of the arms at one rate: led or started ones are first, then CE, then losses that tolerate the noise."""


@cache
def _losses() -> list[tuple[int, Loss]]:
    """The families of ``tune``, each with its place, without those that do not even tolerate the weakest noise (GCE below 1)."""
    weakest = resolve("symmetric", 10, Fraction(1, 5))
    own = [(place, named(name)) for place, name in enumerate(FAMILIES)]
    return [(place, loss) for place, loss in own if loss.name != "gce" or check(loss, weakest).asymmetric]


def _as_arm(line: Line) -> tuple[int, int, float] | None:
    """Where a candidate is among the arms of ``tune`` at its rate; None where it is none of them."""
    if (kind := line["kind"]) == "start":
        return LEADING, len(LED), 0.0
    name, factor = str(line["loss"]), float(str(line.get("factor") or 0))
    if kind == "ramp":
        return (LEADING, LED.index(name), factor) if line["until"] == UNTIL else None
    if kind != "grid" or factor not in (0, *map(float, ABOVE)):
        return None
    if name == CE:
        return USUAL, 0, 0.0
    given: dict[str, float] = line["parameters"]  # type: ignore[assignment]
    for place, own in _losses():
        if name == own.name and all(
            math.isclose(given[k], float(v)) for k, v in own.parameters.items() if not factor or k != own.main
        ):
            return None if factor != 1 and _as_it_is(line, own) else (TOLERANT, place, factor)
    return None


def _as_it_is(line: Line, own: Loss) -> bool:
    """Is a value that should be a multiple of a threshold one of the loss's own, for there is no threshold on the noise?"""
    given: dict[str, float] = line["parameters"]  # type: ignore[assignment]
    factor = float(str(line.get("factor") or 0))
    return bool(factor and own.main and math.isclose(given[own.main], factor * float(own.parameters[own.main])))


def _expects(line: Line) -> bool:
    """Does ``tune`` expect anything of an arm? Of a loss that has no threshold on the noise it does not."""
    if line["kind"] == "start":
        return True
    given: dict[str, float] = line["parameters"]  # type: ignore[assignment]
    alike = [
        own
        for _, own in _losses()
        if own.name == line["loss"]
        and all(math.isclose(given[k], float(v)) for k, v in own.parameters.items() if k != own.main)
    ]
    return not any(_as_it_is(line, own) for own in alike)


Score = Literal["tune", "noisy", "inverse"]
"""What arms are scored by: as in ``tune`` (by the inverse of the noise's matrix where labels depend on the class alone, else by
noisy accuracy), by noisy accuracy, or by the inverse on every noise."""


NOTHING: Mapping[str, float] = MappingProxyType({})
"""What is expected of recipes where nothing is."""


def judged_by(task: Task, by: Score) -> Judged | None:
    """The scores by the inverse, None where noisy accuracy decides."""
    return task.judged if by == "inverse" or (by == "tune" and task.by_class) else None


def expectations(task: Task, known: Mapping[str, float], places: Sequence[int]) -> list[float | None]:
    """What is expected of the candidates at these places."""
    return [known.get(task.labels[place]) if _expects(task.lines[place]) else None for place in places]


def in_order(task: Task, known: Mapping[str, float], ramps: bool = True) -> list[int]:
    """The arms of ``tune``, the best first by what is expected of them."""
    usual = arms_of(task, ramps)
    return [usual[index] for index in beforehand(expectations(task, known, usual))]


def by_label(lines: Sequence[Fitted], task: Task, within: tuple[float, float]) -> dict[str, float]:
    """The deficits that are expected of the recipes on a task, by the size of its samples."""
    size = min(max(size_of(task), within[0]), within[1])
    return {each.label: max(0.0, each.deficit(size)) for each in lines}


def searched(
    task: Task, budget: float, known: Mapping[str, float] = NOTHING, ramps: bool = True, by: Score = "tune"
) -> tuple[int, int]:
    """(chosen place, epochs trained) of successive halving on what was kept, with ``budget`` whole runs.

    ``known``: the deficits that are expected of recipes; without them arms come in their usual order and scores decide alone.
    """
    judged, epochs = judged_by(task, by), task.held.shape[1]

    def score(place: int, epoch: int) -> float:
        return float(task.held[place, epoch - 1]) if judged is None else judged.score(task.labels[place], epoch)

    def worth(places: Sequence[int], scores: Sequence[float]) -> tuple[float, float]:
        """What a point of a score is worth in clean points, and the standard error of the highest."""
        if judged is None:
            return task.margin, error_of(task, max(scores))
        return 1.0, judged.error(task.labels[places[scores.index(max(scores))]])

    places = in_order(task, known, ramps)
    plan = afforded(len(places), epochs, round(budget * epochs))
    alive, spent, before = list(places[: plan[0].arms]), 0, 0
    for rung in plan:
        if before:
            scores = [score(place, before) for place in alive]
            lost = deficits(scores, expectations(task, known, alive), *worth(alive, scores))
            alive = [alive[index] for index in best([-each for each in lost], rung.arms)]
        spent += len(alive) * (rung.until - before)
        before = rung.until
    held = [score(place, epochs) for place in alive]
    slope, error = worth(alive, held)
    return alive[order(held, expectations(task, known, alive), slope, error)[0]], spent


def halved(
    task: Task, budget: float, known: Mapping[str, float] = NOTHING, ramps: bool = True, by: Score = "tune"
) -> tuple[float, int]:
    """(deficit, epochs trained) of :func:`searched`."""
    place, spent = searched(task, budget, known, ramps, by)
    return float(task.deficits[place]) if judged_by(task, by) is None else task.of_arm(task.labels[place]), spent


def error_of(task: Task, accuracy: float | None = None) -> float:
    """One standard error of a held-out accuracy (by default the task's highest) as a share of clean accuracy."""
    held = float(task.held[:, -1].max()) if accuracy is None else accuracy
    return float(np.sqrt(held * (1 - held) / float(str(task.lines[0]["held_out"])))) / max(task.margin, 1e-9)


def strays(tasks: Sequence[Task], near: float = 5.0) -> tuple[float, float]:
    """What SHARE and RESIDUAL of ``tune`` (asymtheory_training.tune.settle) stand for, measured with data sets left out.

    Medians over the tasks: points by which arms stray from what is expected of them (robust standard deviation), and the variance
    of their scores about what they are worth over that of one score, of arms within ``near`` points of the best by expectation.
    """
    points, shares = [], []
    for name in sorted({task.set for task in tasks}):
        others = [task for task in tasks if task.set != name]
        lines, within = fitted(others, size_of), sizes(others)
        for task in tasks:
            if task.set != name or task.judged is None:
                continue
            known = by_label(lines, task, within)
            labels = [label for label in task.judged.labels if known.get(label, near) < near]
            worth = np.array([task.of_arm(label) for label in labels])
            strayed = worth - [known[label] for label in labels]
            points.append(1.4826 * float(np.median(abs(strayed - np.median(strayed)))))
            off = worth + [100 * task.judged.score(label, task.judged.epochs[-1]) for label in labels]
            error = 100 * float(np.mean([task.judged.error(label) for label in labels]))
            shares.append((float(np.std(off)) / error) ** 2)
    return float(np.median(points)), float(np.median(shares))


def tuned(budget: float, ramps: bool = True, by: Score = "tune") -> Callable[[Sequence[Task]], Callable[[Task], float]]:
    """``tune`` with a budget of whole runs, as a rule that learns what to expect."""

    def learn(training: Sequence[Task]) -> Callable[[Task], float]:
        lines, within = fitted(training, size_of), sizes(training)
        return lambda task: halved(task, budget, by_label(lines, task, within), ramps, by)[0]

    return learn


def by_optuna(task: Task, budget: float, seed: int = 0) -> float:
    """The deficit of TPE with ``budget`` whole runs over losses, values and rates, each trial a look at the held-out accuracy."""
    import optuna  # not needed for the other rules

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table: dict[tuple[str, str, float], int] = {}
    for place, line in enumerate(task.lines):
        if line["kind"] == "grid":
            label = str(line["candidate"])
            family, _, value = label.rpartition(", ")[0].partition(" at ")
            table[family, value or "own", float(str(line["rate"]))] = place
    families = sorted({key[0] for key in table})
    seen: list[int] = []

    def objective(trial: optuna.Trial) -> float:
        family = trial.suggest_categorical("loss", families)
        values = sorted({key[1] for key in table if key[0] == family})
        value = trial.suggest_categorical(f"value of {family}", values)
        rate = trial.suggest_categorical("rate", sorted({key[2] for key in table}))
        seen.append(table[family, value, rate])
        return float(task.held[seen[-1], -1])

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=max(1, round(budget)))
    return float(task.deficits[max(seen, key=lambda place: task.held[place, -1])])


def summary(costs: Iterable[float]) -> tuple[float, float, float]:
    """(median, mean, worst) of the costs that are known."""
    known = [cost for cost in costs if cost == cost]
    return float(np.median(known)), float(np.mean(known)), float(np.max(known))
