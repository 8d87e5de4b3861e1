"""A plan of many runs: a TOML file with grids, and the runs that it means.

    [defaults]                      # settings of every run, keys as in the file of `asymtheory train --config`
    dataset = "digits"
    epochs = 30
    [defaults.noise]
    kind = "symmetric"
    eta = [0.4, 0.6]                # a list is a grid: every combination is a run

    [[runs]]
    loss = ["amse", "ael"]
    seeds = 3                       # seed = 0, 1, 2
    [runs.parameters]
    a = { times_threshold = ["1/2", 1, 2] }   # multiples of the threshold on this run's noise, found by the core

Values that belong together share one place of a grid: ``loss = ["ce", "gce:q=0.7"]`` names parameters with a loss,
``noise = [{ kind = "none" }, { kind = "symmetric", eta = [0.4, 0.6] }]`` rates with a kind. An entry of ``[[runs]]`` goes before
the defaults, key by key; settings from outside (``--set``: ``dataset=digits``) go before both. What a run is called
is its :func:`run_key`: a hash of all that its result depends on, so the same run has the same key in every plan.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.noise import NoiseModel
from asymtheory.reading.limits import COUNTS, most
from asymtheory.threshold import Threshold, solve

from ..data.fetch import descriptions
from ..data.formats import fingerprint
from ..data.instance_noise import INSTANCE
from ..data.labels import noise_model
from ..data.sets import EMBEDDED, check_name
from ..run.config import CLEAN, ELSEWHERE, TABLES, Noise, TrainConfig
from ..run.device import check_device
from ..run.models import build_model
from ..run.record import describe
from ..run.run import Prepared, loss_of
from .grammar import FOLLOW, SEEDS, Grid, Multiple, Reader, nested

SCHEMA = 1
"""Version of what a run is: raised when the same settings give another result, so that no old line passes for it."""
MOST = 100_000  # runs of one plan
PLAIN = ("dataset", "loss", "model", "noise.kind", "noise.mode")  # settings whose values say enough


def run_key(config: TrainConfig) -> str:
    """SHA-256 of all that the result of a run depends on, in hexadecimal.

    All settings but those that say where it runs, the bytes of a file of labels or of a noise matrix in the place of its name,
    and :data:`SCHEMA`. Raises InputError for a file that cannot be read.
    """
    facts = {
        name: value
        for name, value in config.to_dict().items()
        if name not in ELSEWHERE and value not in (None, False)  # a new setting that is not used changes no key
    }
    if config.labels is not None:
        facts["labels"] = fingerprint("labels", config.labels)
    if config.data is not None:
        facts["data"] = fingerprint("data", config.data)
    if os.path.isfile(config.noise.kind):
        facts["noise"] = {**facts["noise"], "kind": fingerprint("noise.kind", config.noise.kind)}
    canonical = json.dumps({"schema": SCHEMA, **facts}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """One run of a plan. ``multiples``: of the threshold, by parameter; ``line``: of its entry in the file."""

    config: TrainConfig
    multiples: Mapping[str, Fraction]
    line: int

    @cached_property
    def key(self) -> str:
        return run_key(self.config)

    @cached_property
    def settings(self) -> Json:
        """Every setting by its dotted name, such as ``parameters.a``."""
        flat = {}
        for name, value in self.config.to_dict().items():
            flat.update({f"{name}.{key}": each for key, each in value.items()} if name in TABLES else {name: value})
        return flat


@dataclass(frozen=True, eq=False)
class Plan:
    """The runs of a plan, in the order of the file, each once; ``repeated`` counts those that were named again."""

    path: str
    points: tuple[PlannedRun, ...]
    repeated: int = 0

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The settings that tell the runs apart: data, loss, its parameters, noise, the others, the seeds."""
        names = dict.fromkeys(name for point in self.points for name in point.settings)
        found = [name for name in names if len({str(point.settings.get(name)) for point in self.points}) > 1]
        return tuple(sorted(found, key=_rank))

    def label(self, point: PlannedRun, seed: bool = True) -> str:
        """A run in words: what it does not share with all others, ``amse, a 1.8, eta 0.4, seed 0``."""
        shown = {
            name.replace("noise.eta", "eta"): point.settings.get(name)
            for name in self.varied
            if seed or name not in SEEDS
        }
        words = [
            str(value) if name in PLAIN else f"{name.removeprefix('parameters.')} {_short(value)}"
            for name, value in shown.items()
            if value is not None
        ]
        return ", ".join(words) or describe(point.config)


def _rank(name: str) -> int:
    """The place of a setting in a label."""
    order = ("dataset", "loss", "formula", "passive", "parameters", "noise")
    first = name.partition(".")[0]
    return len(order) + 1 if name in SEEDS else order.index(first) if first in order else len(order)


def _short(value: object) -> str:
    """A value for a label: numbers to six digits."""
    if isinstance(value, str) and re.fullmatch(r"-?\d+/\d+", value) and len(value) > 8:
        value = float(Fraction(value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read_plan(
    path: str | os.PathLike[str],
    settings: Mapping[str, JsonValue] | None = None,
    only: Mapping[str, JsonValue] | None = None,
) -> Plan:
    """The runs of a file. Raises InputError, with the line, for anything in it that cannot be meant.

    ``only`` (a table as in ``[defaults]``) leaves out the runs to which the file gives another value, one that is in none of its
    lists. ``settings`` (such a table too) go before those of the file, for every run that is left; a list is one more grid. Clean
    runs stay clean. A run that so moves to another data set leaves its recipe, and the subset, which are of the first: it keeps
    loss, parameters and the penalty that the recipe's paper had for this loss ("published"), and takes network, epochs and
    optimiser from the data set where the file does not give them.
    """
    return _Runs(path, settings or {}, only or {}).plan()


def size(path: str | os.PathLike[str]) -> int:
    """How many runs a file means, found from its grids alone: no data, labels or thresholds are looked at."""
    return sum(_Runs(path, {}, {}).sizes())


class _Runs(Reader):
    """A file of runs."""

    def __init__(
        self, path: str | os.PathLike[str], settings: Mapping[str, JsonValue], only: Mapping[str, JsonValue]
    ) -> None:
        super().__init__(path, settings, only)
        self.models: set[tuple[str, float]] = set()
        self.thresholds: dict[Hashable, Threshold] = {}
        self.noises: dict[Hashable, NoiseModel | None] = {}

    def plan(self) -> Plan:
        total = 0
        for index, size in enumerate(self.sizes()):
            total += size
            if total > most(MOST):
                raise self.refuse(("runs", index), f"more than {most(MOST):,} runs; split the plan, or set {COUNTS}=N")
        points: dict[str, PlannedRun] = {}
        count = 0
        for index, grid in enumerate(self.grids()):
            for point in self.points(grid, index):
                points.setdefault(point.key, point)
                count += 1
        if not points:
            raise self.nothing()
        return Plan(self.path, tuple(points.values()), count - len(points))

    def points(self, grid: Grid, index: int) -> Iterator[PlannedRun]:
        """Every combination as a run; one that cannot be is named."""
        multiples = [name for name, values in {**grid, **self.settings}.items() if isinstance(values[0], Multiple)]
        if len(multiples) > 1:
            names = " and ".join(multiples)
            raise self.refuse(
                ("runs", index), f"{names}: only one parameter of a run can be a multiple of its threshold"
            )
        for run, inside, outside in self.combinations(grid):
            try:
                config, factors = self.configured(inside, outside)
                self.possible(config)
                point = PlannedRun(config, factors, self.lines.get(("runs", index), 0))
                _ = point.key  # reads the files of labels and noise
            except InputError as error:
                raise self.impossible(index, run, error) from None
            yield point

    def configured(self, inside: Json, outside: Json) -> tuple[TrainConfig, dict[str, Fraction]]:
        """The configuration of one combination, multiples of the threshold put in."""
        run = self.moved(inside, outside)
        if run.get("noise.seed") == FOLLOW:
            run["noise.seed"] = run.get("seed", 0)
        given = nested(run)
        multiple = [(name, value.factor) for name, value in run.items() if isinstance(value, Multiple)]
        if not multiple:
            return TrainConfig.resolve(given), {}
        ((name, factor),) = multiple
        name = name.removeprefix("parameters.")
        held = given.get("parameters", {})
        # a formula has no defaults: any value will do to find the threshold of the parameter
        start = {name: Fraction(1)} if "formula" in given else {}
        value = self.threshold(TrainConfig.resolve({**given, "parameters": {**held, **start}}), name) * factor
        if value.denominator > 10**12:
            value = Fraction(repr(float(value)))
        return TrainConfig.resolve({**given, "parameters": {**held, name: value}}), {name: factor}

    def threshold(self, config: TrainConfig, name: str) -> Fraction:
        """The least (or largest) value of a parameter at which the loss is asymmetric on the run's noise.

        Exact where the core knows it, else the end of the enclosure on the asymmetric side.
        """
        noise = self.noise_of(config)
        if noise is None:
            raise InputError(f"parameters.{name}: clean labels have no threshold; name a noise")
        loss = config.core_loss()
        known = (str(loss), tuple(sorted(loss.parameters.items())), name, id(noise))
        if known not in self.thresholds:
            self.thresholds[known] = solve(loss, noise, name)
        found = self.thresholds[known]
        end, piece = found.end, found.feasible
        if end is None or piece is None or found.status != "threshold":
            answer = found.answer if noise.dominant else "never: a wrong label is the most frequent one of a class"
            raise InputError(f"parameters.{name}: has no threshold on this noise ({answer}); give values instead")
        if end.number is not None:
            return end.number
        return Fraction(repr(end.high if end is piece.low else end.low))

    def noise_of(self, config: TrainConfig) -> NoiseModel | None:
        """The noise model of a run's labels; None for clean ones."""
        key = (config.dataset, config.data, config.data_dir, config.subset, config.labels, config.column, config.noise)
        if key not in self.noises:
            if config.labels is not None or config.noise.kind in INSTANCE:  # estimated from the labels themselves
                self.noises[key] = Prepared.of(config).noise
            elif config.noise.kind == CLEAN:
                self.noises[key] = None
            else:
                self.noises[key] = noise_model(config.noise.kind, classes_of(config), config.noise.eta)
        return self.noises[key]

    def possible(self, config: TrainConfig) -> None:
        """Refuse, before anything is trained, what could not be: loss, parameters, noise, network and device are tried."""
        check_device(config.device)
        if config.data is None:
            check_name(config.dataset)
        loss_of(config)
        if (config.model, config.width) not in self.models:
            build_model(config.model, 2, (3, 64, 64), config.width, seed=0)
            self.models.add((config.model, config.width))
        if config.labels is None and config.noise.kind not in INSTANCE:
            self.noise_of(config)
        elif config.labels is not None:
            with suppress(InputError):  # the data may lie elsewhere; else how the file is read is said once, here
                self.noise_of(config)


def classes_of(config: TrainConfig) -> int:
    """The number of classes, without reading the images where the name says it."""
    known = descriptions().get(config.dataset)
    if known is not None:
        return len(known.classes)
    return 10 if config.dataset == EMBEDDED else images_of(config).dataset.K


def images_of(config: TrainConfig) -> Prepared:
    """The data of a run with their own labels. Raises InputError for data that are not there, and too large a subset."""
    return Prepared.of(replace(config, labels=None, column=None, noise=Noise()))
