"""How long a sweep will take: from the lines of runs of the same shape, else from a few steps measured now.

A shape is all that the time of an epoch depends on: data, network, batch, precision, penalty, what is measured, and how many runs
are trained together. The estimate is rough: it takes as many of them at once as asked for, each as fast as one alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from time import perf_counter

import torch

from asymtheory.errors import InputError
from asymtheory.jsonlines import JsonValue
from asymtheory.numbers.text import plural

from ..data.inputs import Inputs, batches
from ..run.config import TrainConfig
from ..run.device import find_device, using
from ..run.loop import Trainer
from ..run.run import Prepared, loss_of
from ..run.stack import StackedTrainer
from .plan import PlannedRun
from .stack_run import StackTraining

SHAPE = (
    "dataset", "model", "width", "batch", "subset", "balanced", "image_size", "precision", "channels_last", "compile",
    "regularisation", "evaluate", "measure",
)  # fmt: skip
STEPS, WARM = 8, 2  # steps that are measured, after those that are not
LONG = 5.0  # seconds after which enough is measured

Together = Sequence[PlannedRun]
"""A run, or the runs of a stack."""
Shape = tuple[JsonValue, ...]


def shape_of(config: Mapping[str, JsonValue], together: int = 1) -> Shape:
    """The settings that tell how long an epoch takes, and the number of runs that share it."""
    return (*(config.get(name) for name in SHAPE), together)


@dataclass(frozen=True)
class Cost:
    """Seconds that a run takes before and after its epochs, and for each of them; ``source`` says where they are from."""

    fixed: float
    epoch: float
    source: str

    def of(self, epochs: int) -> float:
        """Seconds of a whole run."""
        return self.fixed + epochs * self.epoch


@dataclass(frozen=True)
class Estimate:
    """Seconds for all runs of a sweep, ``jobs`` at once, and what the runs (or stacks of runs) of every shape cost.

    ``unknown``: why a shape could not be measured; the seconds then are those of the others.
    """

    seconds: float
    jobs: int
    costs: Mapping[Shape, Cost]
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = []
        for shape, cost in self.costs.items():
            *settings, together = shape
            named = dict(zip(SHAPE, settings, strict=True))
            stack = f" for {together} runs in a stack" if together > 1 else ""
            shown.append(f"{named['dataset']} {named['model']}: {cost.epoch:.2g} s an epoch{stack}, {cost.source}")
        known = [f"about {duration(self.seconds)} with {self.jobs} at once"] if self.costs else ["no estimate"]
        return "\n".join([*known, *(f"  {text}" for text in (*shown, *self.unknown))])


def estimate(work: Sequence[Together], lines: Iterable[Mapping[str, JsonValue]], jobs: int, threads: int) -> Estimate:
    """The time of the runs and stacks that are still to be trained, with the ``lines`` of those that were."""
    past: dict[tuple[str, Shape], list[float]] = {}
    for line in lines:
        config, device = line.get("config", {}), line.get("device", {})
        if config.get("epochs"):
            shape = shape_of(config, device.get("stacked", 1))
            past.setdefault((device.get("type"), shape), []).append(line["seconds"] / config["epochs"])
    costs: dict[Shape, Cost] = {}
    unknown: dict[Shape, str] = {}
    seconds = []
    for points in work:
        config = points[0].config
        shape = shape_of(config.to_dict(), len(points))
        if shape not in costs and shape not in unknown:
            try:
                if known := past.get((find_device(config.device).type, shape)):
                    source = f"from {plural(len(known), 'finished run')}"
                    costs[shape] = Cost(0.0, median(known) * len(points), source)  # a line has its share of the seconds
                else:
                    costs[shape] = measure([point.config for point in points], threads)
            except InputError as error:
                unknown[shape] = f"{config.dataset} {config.model}: not measured: {error}"
        if shape in costs:
            seconds.append(costs[shape].of(config.epochs))
    whole = max(sum(seconds) / jobs, max(seconds, default=0.0))
    return Estimate(whole, jobs, costs, tuple(dict.fromkeys(unknown.values())))


def measure(configs: Sequence[TrainConfig], threads: int) -> Cost:
    """The time of a run or a stack: the preparation timed, a few training steps and what follows an epoch scaled up."""
    with using(threads):
        start = perf_counter()
        if len(configs) > 1:
            training = StackTraining(configs)
            fixed = perf_counter() - start
            epoch = _stacked_epoch(training)
            start = perf_counter()
            training.final()
            return Cost(fixed + perf_counter() - start, epoch, "measured now")
        trainer = Prepared.of(configs[0]).trainer(loss_of(configs[0]))
        fixed = perf_counter() - start
        with using(trainer.setup.threads):
            # in the end the whole training set is looked at once more
            return Cost(fixed + _pass(trainer, trainer.data.images), _epoch(trainer), "measured now")


def _stacked_epoch(training: StackTraining) -> float:
    """Seconds: the median step of the first few, the test set, and the rest of an epoch: counting what was predicted."""
    trainer = training.trainer
    steps = measured_steps(trainer, trainer.device) * trainer.steps
    start = perf_counter()
    trainer.test()
    _wait(trainer.device)
    tested = (perf_counter() - start) / training.settings.evaluate
    start = perf_counter()
    training.counted(torch.zeros(len(trainer), len(trainer.images), dtype=torch.int64, device=trainer.device), 0)
    return steps + tested + perf_counter() - start


def _epoch(trainer: Trainer) -> float:
    """Seconds: the median step of the first few, and what is predicted after an epoch."""
    data, settings = trainer.data, trainer.settings
    steps = len(batches(torch.arange(data.visited), settings.batch))
    return measured_steps(trainer, trainer.setup.device) * steps + sum(
        _pass(trainer, images) * share
        for images, share in ((data.test, 1 / settings.evaluate), (data.images, float(settings.measure == "frozen")))
        if images is not None
    )


def measured_steps(trainer: Trainer | StackedTrainer, device: torch.device) -> float:
    """Seconds of a training step: the first few of a trainer, which is of no other use afterwards."""
    watch = _Watch(device)
    with suppress(_EnoughError):
        while True:  # a small set has few steps in an epoch; the watch ends it after some steps
            trainer.epoch(watch)
    return watch.step


class _EnoughError(Exception):
    """Ends an epoch when enough of its steps are measured."""


class _Watch:
    """Called after every step."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.at: list[float] = []

    def __call__(self) -> None:
        _wait(self.device)
        self.at.append(perf_counter())
        if len(self.at) > WARM + STEPS or (len(self.at) > WARM and self.at[-1] - self.at[0] > LONG):
            raise _EnoughError

    @property
    def step(self) -> float:
        """Seconds of a step: the median of those after the first ones, which are slower."""
        return median(after - before for before, after in pairwise(self.at[WARM - 1 :]))


@torch.no_grad()
def _pass(trainer: Trainer, images: Inputs) -> float:
    """Seconds to predict all images, from one part of them."""
    count = min(len(images), images.evaluation)
    model, setup = trainer.model, trainer.setup
    start = perf_counter()
    model.eval()
    with setup.computing():
        model(setup.inputs(images.batch(slice(0, count), setup.dtype)))
    _wait(setup.device)
    return (perf_counter() - start) * len(images) / count


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 5 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
