"""Runs of a sweep that are small perceptrons and differ in their seeds and one parameter of their loss: one stacked batch.

:func:`stacks` finds them among the runs of a plan, :func:`execute_stack` trains a stack in a process (:mod:`.stack`) and gives
every run the line that it has alone, up to rounding: curve, best, last, final, all measured in the same way. ``device`` of such a
line says how many were ``stacked``; its seconds are the stack's, shared out equally. A stack has no checkpoint: one that was
stopped starts again. Of a stack whose process died the runs are trained one by one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from asymtheory.losses import Loss

from . import checkpoint
from .baselines import baseline
from .config import TrainConfig
from .data import IN_FILES
from .loop import DivergedError, find_device, fitted
from .plan import Point
from .record import Epoch, History, RunResult, revision, versions
from .runs import Prepared, theory
from .stack import Family, Seen, StackedTrainer
from .sweep import NAME, ONE, RUNS, LocalEngine, Outcome, Reporter, Task

LARGEST = 64  # runs in one batch: more gain nothing and hold everything up that is waiting for their lines
BESIDE = ("seed", "parameters")  # settings in which the runs of a stack may differ

Where = tuple[int, int]  # seed of a run, seed of its labels


# ------------------------------------------------------------------------------------------------- which runs those are


def family_of(config: TrainConfig) -> tuple[Loss, str | None] | None:
    """The loss of a run that can be stacked and the parameter that may vary in the stack; None for other runs."""
    if (
        config.model != "mlp" or config.dataset in IN_FILES or config.formula is not None or config.probe
        or config.balanced is not None or config.pretrained or config.measure != "running" or config.compile != "off"
        or config.regularisation == "jacobian"
    ):  # fmt: skip
        return None
    alone = config.precision == "bfloat16" or (
        config.precision == "auto"
        and find_device(config.device).type == "cuda"  # bfloat16 there, and float32 in a stack
    )
    assert config.loss is not None
    if alone or baseline(config.loss) is not None:
        return None
    loss = config.core_loss()
    varies = loss.main is not None and not loss.domains[loss.main].integer
    return loss, loss.main if varies else None


def stacks(points: Sequence[Point], folder: Path, jobs: int) -> list[tuple[Point, ...]]:
    """Runs that are trained together, each once: every seed with every value, the values of a seed side by side.

    Those that have a checkpoint in ``folder`` go on alone. There are as many stacks as ``jobs`` where there are runs enough.
    """
    alike: dict[str, dict[Any, dict[Where, Point]]] = {}
    for point in points:
        config = point.config
        found = family_of(config)
        if found is None or (folder / RUNS / point.key[:NAME] / checkpoint.NAME).exists():
            continue
        loss, main = found
        facts = {name: value for name, value in config.to_dict().items() if name not in BESIDE}
        facts["noise"] = {name: value for name, value in facts["noise"].items() if name != "seed"}
        rest = {name: str(value) for name, value in loss.parameters.items() if name != main}
        value = None if main is None else loss.parameters[main]
        by_value = alike.setdefault(json.dumps([facts, rest], sort_keys=True), {})
        by_value.setdefault(value, {})[config.seed, config.noise.seed] = point
    blocks = []
    for by_value in alike.values():
        shared: dict[tuple[Where, ...], list[Any]] = {}  # values that have the same seeds
        for value, by_seed in by_value.items():
            shared.setdefault(tuple(sorted(by_seed)), []).append(value)
        blocks += [
            [[by_value[value][where] for value in values] for where in seeds] for seeds, values in shared.items()
        ]
    wanted = -(-jobs // max(1, len(blocks)))
    return [stack for block in blocks for stack in _cut(block, wanted) if len(stack) > 1]


def _cut(block: list[list[Point]], wanted: int) -> list[tuple[Point, ...]]:
    """A block (seeds, values) in ``wanted`` parts, more where it is large: by seeds, which share their images, then by values."""
    seeds, values = len(block), len(block[0])
    rows = max(1, min(-(-seeds // min(wanted, seeds)), LARGEST // values))
    columns = min(LARGEST // rows, -(-values // -(-wanted // seeds)))
    return [
        tuple(point for row in block[i : i + rows] for point in row[j : j + columns])
        for i in range(0, seeds, rows)
        for j in range(0, values, columns)
    ]


# ------------------------------------------------------------------------------------------------ in the process of a stack


def execute_stack(*tasks: Task) -> list[Outcome]:
    """Train all of them; an error comes back as the outcome of each, a loss that diverged as that of its run alone."""
    with ONE:
        try:
            return _Training(tasks).outcomes()
        except Exception as error:  # as for a single run: many errors cannot be pickled
            return [Outcome(error=type(error).__name__, message=str(error) or repr(error)) for _ in tasks]


class _Training:
    """A stack being trained and measured."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.configs = [task.config for task in tasks]
        self.started, self.since = datetime.now(UTC).isoformat(timespec="seconds"), perf_counter()
        first = self.configs[0]
        seeds = list(dict.fromkeys((config.seed, config.noise.seed) for config in self.configs))
        self.values = len(tasks) // len(seeds)
        own = {config.noise.seed: config for config in self.configs}  # nothing else in the data depends on the run
        labels = {seed: Prepared.of(config) for seed, config in own.items()}
        self.prepared = [labels[config.noise.seed] for config in self.configs[:: self.values]]
        found = family_of(first)
        assert found is not None
        loss, main = found
        values = [] if main is None else [c.core_loss().parameters[main] for c in self.configs[: self.values]]
        self.trainer = StackedTrainer(
            Family(loss, main, values), self.prepared[0].data, first, [seed for seed, _ in seeds],
            K=self.prepared[0].dataset.K, width=first.width, given=torch.stack([each.data.given for each in self.prepared]),
        )  # fmt: skip
        self.curves: list[list[Epoch]] = [[] for _ in tasks]
        self.diverged: dict[int, DivergedError] = {}

    def outcomes(self) -> list[Outcome]:
        trainer, config = self.trainer, self.configs[0]
        with suppress(OSError):
            for task in self.tasks:
                task.place.mkdir(exist_ok=True)
        reporters = [Reporter(task) for task in self.tasks]
        for number in trainer.remaining():
            start = perf_counter()
            seen = trainer.watched()
            seconds = (perf_counter() - start) / len(self.tasks)
            due = trainer.done % config.evaluate == 0 or trainer.done == config.epochs
            self.note(number, seen, seconds, trainer.test() if due else None)
            for reporter, curve in zip(reporters, self.curves, strict=True):
                reporter(curve[-1])
        images = trainer.data.images
        with torch.no_grad():
            classes = [logits.argmax(-1) for _, logits in trainer.predict(images)]  # type: ignore[arg-type]
        final = self.fitted(torch.cat(classes, 1), config.epochs - 1)
        seconds = (perf_counter() - self.since) / len(self.tasks)
        return [self.outcome(place, fit, seconds) for place, fit in enumerate(final)]

    def note(self, number: int, seen: Seen, seconds: float, test: list[float] | None) -> None:
        """The epoch ``number`` (from 0) of every run, with the arithmetic of :class:`.loop.Trainer`."""
        config = self.configs[0]
        sizes, losses, norms = seen.sizes.float(), seen.losses.float(), seen.norms.float()
        means = ((losses * sizes[:, None]).sum(0) / sizes.sum()).tolist()
        gradients, clipped = norms.mean(0).tolist(), (norms > config.clip).double().mean(0).tolist()
        finite = torch.isfinite(seen.losses)
        for place in (~finite.all(0)).nonzero()[:, 0].tolist():
            batch = int((~finite[:, place]).int().argmax())
            self.diverged.setdefault(place, DivergedError(number + 1, batch + 1, float(seen.losses[batch, place])))
        speed = seen.predicted.shape[1] / seconds
        for place, found in enumerate(self.fitted(seen.predicted, number)):
            tested = None if test is None else test[place]
            figures = (means[place], found, tested, gradients[place], clipped[place], seconds, speed)
            self.curves[place].append(Epoch(number + 1, config.rate_in(number), *figures))

    def fitted(self, predicted: Tensor, number: int) -> list[Any]:
        """Predictions (M, N) against the labels of an epoch."""
        data, found = self.trainer.data, []
        for place, seed in enumerate(self.trainer.seeds):
            given = self.trainer.given[place] if data.redraw is None else data.labels_in(number, seed)
            found += fitted(predicted[place * self.values : (place + 1) * self.values], given, data.true)
        return found

    def outcome(self, place: int, final: Any, seconds: float) -> Outcome:
        if place in self.diverged:
            return Outcome(error=DivergedError.__name__, message=str(self.diverged[place]))
        config, prepared = self.configs[place], self.prepared[place // self.values]
        weights = sum(weight[0].numel() for weight in self.trainer.weights)
        result = RunResult(
            config, History(tuple(self.curves[place]), final), prepared.facts, theory(config, prepared.noise),
            self.device(), weights, self.started, seconds, versions(), revision(),
        )  # fmt: skip
        return Outcome(result.to_dict())

    def device(self) -> dict[str, Any]:
        """As :meth:`.loop.Setup.to_dict` says it, and how many were trained together."""
        trainer = self.trainer
        cuda = trainer.device.type == "cuda"
        return {
            "type": trainer.device.type,
            "name": torch.cuda.get_device_name(trainer.device) if cuda else f"cpu ({trainer.threads} thread)",
            "threads": trainer.threads,
            "precision": str(trainer.dtype).removeprefix("torch."),
            "channels_last": False,
            "processes": 1,
            "stacked": len(self.tasks),
        }


# ------------------------------------------------------------------------------------------------------------- the engine


@dataclass(eq=False)
class _Stack:
    """A stack and, once it is on its way, the futures of its runs; ``handed``: those that the sweep has."""

    points: tuple[Point, ...]
    futures: dict[str, Future[Outcome]] = field(default_factory=dict)
    handed: set[str] = field(default_factory=set)

    @property
    def flying(self) -> bool:
        return any(not future.done() for future in self.futures.values())

    def share(self, done: Future[list[Outcome]]) -> None:
        """What came of the stack, to the futures of its runs."""
        error = None if done.cancelled() else done.exception()
        for place, future in enumerate(self.futures.values()):
            if done.cancelled():
                future.cancel()
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result()[place])


class StackingEngine:
    """A :class:`.sweep.LocalEngine` that trains the runs of a stack together when the first of them is submitted.

    A run that is submitted again, for its process died or was out of memory, is trained alone.
    """

    def __init__(self, engine: LocalEngine, found: Sequence[Sequence[Point]]) -> None:
        self.engine = engine
        self.stacks = [_Stack(tuple(points)) for points in found]
        self.of = {point.key: stack for stack in self.stacks for point in stack.points}

    @property
    def slots(self) -> int | None:
        """A stack takes the place of one run."""
        assert self.engine.slots is not None
        return self.engine.slots + sum(len(stack.points) - 1 for stack in self.stacks if stack.flying)

    def submit(self, task: Task) -> Future[Outcome]:
        stack = self.of.get(task.key)
        if stack is None or task.key in stack.handed:
            return self.engine.submit(task)
        if not stack.futures:
            tasks = [replace(task, key=point.key, config=point.config) for point in stack.points]
            started = self.engine.call(execute_stack, *tasks)
            stack.futures = {each.key: Future() for each in tasks}
            started.add_done_callback(stack.share)
        stack.handed.add(task.key)
        future = stack.futures[task.key]
        if future.done() and (future.cancelled() or future.exception() is not None):
            return self.engine.submit(task)
        return future

    def renew(self) -> None:
        self.engine.renew()

    def close(self, now: bool) -> None:
        self.engine.close(now)


def ordered(points: Sequence[Point], found: Sequence[Sequence[Point]]) -> list[Point]:
    """The runs in their order, those of a stack side by side where the first of them stands."""
    of = {point.key: stack for stack in found for point in stack}
    return list({each.key: each for point in points for each in of.get(point.key, (point,))}.values())


def with_stacks(engine: LocalEngine, points: Sequence[Point], folder: Path) -> tuple[StackingEngine, list[Point], int]:
    """An engine that stacks, the runs in the order for it, and how many of them are in stacks."""
    found = stacks(points, folder, engine.slots or 1)
    return StackingEngine(engine, found), ordered(points, found), sum(map(len, found))
