"""What was measured: the runs and rows in ``results/*.jsonl``, the only thing that training hands to figures and tables.

A file holds lines of two kinds: *runs* of ``asymtheory train`` and ``sweep`` (with a curve, one figure an epoch) and *rows* of
``asymtheory confirm`` (a value of a loss's parameter, measured beside the theory). Runs that differ in nothing but their seeds
are repetitions of one experiment; :func:`repetitions` puts them together, :func:`mean` averages them.

>>> found = load("results")
>>> runs = found.select(dataset="digits", loss="amse", noise=("symmetric", "0.8"))
>>> epochs, middle, low, high = mean(runs, "test")
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asymtheory import contract, jsonlines
from asymtheory.errors import LONGEST, InputError, printable
from asymtheory.escapes import mathtext
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.losses import build

FOLDER = "results"
CLEAN = "none"
"""The kind of noise of runs on clean labels."""
CLASSES = {"digits": 10, "mnist": 10, "fashion-mnist": 10, "cifar10": 10, "cifar100": 100}
"""How many classes a data set has, where that is known here."""


class NothingMeasured(InputError):
    """No result of training that a figure or table could show; the message names what to run."""


Floats = npt.NDArray[np.float64]
Measurement = Json

# settings that say where and with which draw a run was made, not what was asked
_BESIDE = {
    "seed", "device", "threads", "data_dir", "download", "evaluate", "measure", "recipe", "workers", "ilsvrc_dir",
    "noise", "parameters", "probe",
}  # fmt: skip
# settings of what is compared
_LOSS = {"loss", "formula", "passive", "regularisation", "strength"}


@dataclass(frozen=True)
class Run:
    """One line of ``train`` or ``sweep``; ``line`` is all of it."""

    line: Json

    @property
    def config(self) -> Json:
        found: Json = self.line["config"]
        return found

    @property
    def dataset(self) -> str:
        return str(self.config["dataset"])

    @property
    def loss(self) -> str:
        """The name in the core, a baseline's name, or the formula."""
        return str(self.config["loss"] or self.config["formula"])

    @cached_property
    def parameters(self) -> dict[str, Fraction]:
        """All parameters of the loss, those that were left at their defaults too."""
        given = {name: Fraction(str(value)) for name, value in self.config["parameters"].items()}
        try:
            return {name: Fraction(value) for name, value in build(self.loss, **given).parameters.items()}
        except InputError:  # a formula, or a baseline that the core does not have
            return given

    @property
    def noise(self) -> tuple[str, Fraction | None]:
        """(kind, rate); the rate is None where the noise has none."""
        noise = self.config["noise"]
        return str(noise["kind"]), None if noise["eta"] is None else Fraction(str(noise["eta"]))

    @property
    def penalty(self) -> tuple[str, float]:
        """(norm, strength)."""
        return str(self.config["regularisation"]), float(self.config["strength"])

    @property
    def seed(self) -> int:
        return int(self.line["seed"])

    @property
    def images(self) -> int:
        """The number of images of the training set, as it was used."""
        return int(self.line["labels"]["count"])

    @property
    def where(self) -> Where:
        config = self.config
        return Where(self.dataset, str(config["model"]), float(config["width"]), self.images, int(config["epochs"]))

    def curve(self, what: str) -> tuple[Floats, Floats]:
        """Epochs and a figure of each (``test``, ``train``, ``clean``, ``memorised``, ``loss``, ...), where it was measured."""
        kept = [(epoch["epoch"], epoch[what]) for epoch in self.line["curve"] if epoch.get(what) is not None]
        epochs, values = zip(*kept, strict=True) if kept else ((), ())
        return np.array(epochs, dtype=float), np.array(values, dtype=float)

    def last(self, what: str = "test") -> float:
        """A figure of the last epoch; NaN where it was not measured."""
        value = self.line["last"].get(what)
        return math.nan if value is None else float(value)

    def best(self, what: str = "test") -> float:
        """The same of the epoch of the best test accuracy."""
        value = self.line["best"].get(what)
        return math.nan if value is None else float(value)

    @cached_property
    def settings(self) -> Json:
        """How it was trained whatever the loss: all settings but the loss, its penalty and the noise."""
        return {name: value for name, value in self.config.items() if name not in _BESIDE | _LOSS}

    @cached_property
    def setting(self) -> str:
        """The same with the images and the mode of the labels, as a text to compare by."""
        return json.dumps([self.settings, self.config["noise"]["mode"], self.images], sort_keys=True)

    @cached_property
    def experiment(self) -> str:
        """What was asked but for the seeds, as a text to compare by."""
        config = {name: value for name, value in self.config.items() if name not in _BESIDE}
        noise = {name: value for name, value in self.config["noise"].items() if name != "seed"}
        parameters = {name: str(value) for name, value in self.parameters.items()}
        return json.dumps([config, parameters, noise, self.images], sort_keys=True)


TOY = 10_000
"""Images below which a data set is called a toy; MNIST has 60,000, CIFAR-10 50,000."""


@dataclass(frozen=True, order=True)
class Where:
    """The data, network and noise on which something was measured."""

    dataset: str
    model: str
    width: float
    images: int
    epochs: int

    def __str__(self) -> str:
        width = "" if self.width == 1 else f" (width {self.width:g})"
        return f"{self.dataset}, {self.images:,} images, {self.model}{width}, {self.epochs} epochs"

    @property
    def toy(self) -> bool:
        """Are there so few images that a figure must say so? what is seen on them need not hold on the papers' data sets."""
        return self.images < TOY

    @property
    def heading(self) -> str:
        """The text for a figure's title."""
        return mathtext(f"{self} (toy size)" if self.toy else str(self))


@dataclass(frozen=True)
class Results:
    """All lines of a folder. ``folder`` is for messages."""

    folder: str
    runs: tuple[Run, ...]
    rows: tuple[Measurement, ...]

    def select(
        self,
        *,
        dataset: str | None = None,
        where: Where | None = None,
        loss: str | None = None,
        noise: tuple[str, str | Fraction | None] | None = None,
        mode: str | None = None,
        penalty: str | None = None,
        strength: float | None = None,
        **parameters: str | float | Fraction,
    ) -> list[Run]:
        """The runs that agree with all that is given; parameters of the loss as numbers or texts such as "1/2".

        ``mode``: of the noisy labels (exact, iid, redrawn). ``penalty``: none, l1 or l2.
        """
        wanted = {name: Fraction(str(value)) for name, value in parameters.items()}
        rate = None if noise is None or noise[1] is None else Fraction(str(noise[1]))
        return [
            run
            for run in self.runs
            if (dataset is None or run.dataset == dataset)
            and (where is None or run.where == where)
            and (loss is None or run.loss == loss)
            and (noise is None or run.noise == (noise[0], rate))
            and (mode is None or run.config["noise"]["mode"] == mode)
            and (penalty is None or run.penalty[0] == penalty)
            and (strength is None or run.penalty[1] == strength)
            and all(run.parameters.get(name) == value for name, value in wanted.items())
        ]

    def places(self, runs: Iterable[Run] | None = None, prefer: str | None = None) -> list[Where]:
        """Where runs were made: on the data set ``prefer`` first, then the most work (images, epochs and width squared)."""
        found = {run.where for run in (self.runs if runs is None else runs)}
        return sorted(found, key=lambda w: (w.dataset != prefer, -w.images * w.epochs * w.width**2, w))


def files(folder: str = FOLDER) -> list[Path]:
    """The files of results in a folder (``*.jsonl`` and ``*.jsonl.gz``), or the one file of that name."""
    path = Path(folder)
    return [path] if path.is_file() else sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")])


def load(folder: str = FOLDER) -> Results:
    """Read all :func:`files` of a folder, or one file.

    A line that two files hold is taken once, a torn last line is left out. :class:`NothingMeasured` where there is nothing to
    read, InputError where a line in the middle is broken or is not what training writes (:mod:`asymtheory.contract`).
    """
    found = files(folder)
    if not found:
        raise NothingMeasured(f"results {folder}: no *.jsonl there; name a folder or file with results=PATH")
    stamps = [(path.stat().st_mtime_ns, path.stat().st_size) for path in found]
    return _read(folder, tuple(zip(found, stamps, strict=True)))


@lru_cache(maxsize=2)  # all figures of a command read the same files
def _read(folder: str, found: tuple[tuple[Path, tuple[int, int]], ...]) -> Results:
    runs, rows, seen = [], [], set()
    for file, _ in found:
        for where, line in jsonlines.numbered(file):
            text = json.dumps(line, sort_keys=True)
            if text in seen:
                continue
            seen.add(text)
            if not text.isprintable() or "\\" in text:  # control characters are escaped in JSON
                line = _shown(line)
            if contract.is_run(line):
                contract.check_run(line, where)
                runs.append(Run(line))
            elif contract.is_row(line):
                contract.check_row(line, where)
                rows.append(line)
    return Results(folder, tuple(runs), tuple(rows))


def _shown(value: JsonValue) -> JsonValue:
    """The same with every text fit for a figure, a table or a terminal: on one line, without control characters."""
    if isinstance(value, str):
        return printable(value, LONGEST)
    if isinstance(value, dict):
        return {printable(name, LONGEST): _shown(each) for name, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list) else value


def said_seeds(counts: Iterable[int]) -> str:
    """``3 seeds``, or ``1 to 3 seeds`` where experiments differ in how many they have."""
    known = set(counts)
    least, most = min(known), max(known)
    return f"{'' if least == most else f'{least} to '}{most} seed{'' if most == 1 else 's'}"


def repetitions(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs of one experiment together, ordered by seed; of two with one seed the last one counts."""
    groups: dict[str, dict[int, Run]] = {}
    for run in runs:
        groups.setdefault(run.experiment, {})[run.seed] = run
    return [[group[seed] for seed in sorted(group)] for group in groups.values()]


def mean(runs: Sequence[Run], what: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Epochs, mean over the runs, and the lowest and highest of them, at the epochs that all of them measured."""
    curves = [dict(zip(*map(list, run.curve(what)), strict=True)) for run in runs]
    epochs = sorted(set.intersection(*map(set, curves))) if curves else []
    values = np.array([[curve[epoch] for epoch in epochs] for curve in curves]).reshape(len(curves), len(epochs))
    if not len(epochs):
        empty = np.empty(0)
        return empty, empty, empty, empty
    return np.array(epochs), values.mean(0), values.min(0), values.max(0)
