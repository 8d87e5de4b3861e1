"""The process of a stack: its runs trained as one batch (:mod:`.stack`), each with the line that it has alone, up to rounding.

Curve, best, last and final are measured as for a single run. ``device`` of such a line says how many were ``stacked``; its seconds
are the stack's, shared out equally. Checkpoints are those of a single run (:class:`.runs.Keeper`), one for the whole stack.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from asymtheory.jsonlines import Json, JsonValue
from asymtheory.numbers.text import plural
from asymtheory.shapes import Shape
from asymtheory.writing import replace_file

from ..run import checkpoint
from ..run.config import TrainConfig
from ..run.evaluation import fitted
from ..run.loop import DivergedError
from ..run.record import EPOCH, Epoch, Fitted, History, RunResult, revision, versions
from ..run.run import Keeper, Prepared, theory
from ..run.stack import Family, Seen, StackedTrainer
from .flow import ONE, Outcome, Reporter, Task, held, intact, let_go
from .stack_find import MEMBERS, STACK, family_of


def execute_stack(*tasks: Task) -> list[Outcome]:
    """Train all of them, from their checkpoint if there is one.

    An error comes back as the outcome of each, a loss that diverged as that of its run alone.
    """
    with ONE:
        try:
            return _outcomes(tasks)
        except Exception as error:  # as for a single run: many errors cannot be pickled
            return [Outcome.of(error) for _ in tasks]
        finally:
            let_go()


def _outcomes(tasks: Sequence[Task]) -> list[Outcome]:
    for task in tasks:
        task.place.mkdir(exist_ok=True)
    keys, reporters = [task.key for task in tasks], [Reporter(task) for task in tasks]
    folder = tasks[-1].place / STACK
    folder.mkdir(exist_ok=True)
    with held(folder):
        start, started, before = perf_counter(), datetime.now(UTC).isoformat(timespec="seconds"), 0.0
        training = StackTraining([task.config for task in tasks])
        state = _kept(folder / checkpoint.NAME, keys)
        replace_file(folder / MEMBERS, json.dumps(keys).encode())
        if state is not None:
            training.restore(state)
            started, before = state["started"], state["seconds"]
        keeper = Keeper(folder, training.settings, training.prepared[0], started, before - start)
        keeper.facts["members"] = keys
        while training.done < training.settings.epochs:
            training.epoch()
            keeper.after(training)
            for reporter, curve in zip(reporters, training.curves, strict=True):
                reporter(curve[-1])
        final = training.final()
        return training.outcomes(final, started, before + perf_counter() - start)


KEPT: Shape = {
    **checkpoint.TRAINING, "curves": [[EPOCH]], "diverged": dict, "members": [str], "started": str, "seconds": float,
}  # fmt: skip
"""The checkpoint of a stack."""


def _kept(path: Path, keys: Sequence[str]) -> Mapping[str, JsonValue] | None:
    """The checkpoint of these very runs; one of other runs is removed."""
    state = intact(path, KEPT)
    if state is not None and state["members"] != keys:
        path.unlink()
        return None
    return state


class StackTraining:
    """Runs trained and measured together, between two epochs: the first values of all, seed by seed (:func:`.stacks`)."""

    def __init__(self, configs: Sequence[TrainConfig]) -> None:
        self.configs = configs
        self.settings = first = configs[0]  # alike but for seeds and parameters
        seeds = list(dict.fromkeys((config.seed, config.noise.seed) for config in configs))
        self.values = len(configs) // len(seeds)
        own = {config.noise.seed: config for config in configs}  # nothing else in the data depends on the run
        labels = {seed: Prepared.of(config) for seed, config in own.items()}
        self.prepared = [labels[seed] for _, seed in seeds]
        family = family_of(first)
        assert family is not None
        loss, main = family
        values = [] if main is None else [config.core_loss().parameters[main] for config in configs[: self.values]]
        self.trainer = StackedTrainer(
            Family(loss, main, values), self.prepared[0].data, first, [seed for seed, _ in seeds],
            K=self.prepared[0].dataset.K, model=first.model, width=first.width,
            given=torch.stack([each.data.given for each in self.prepared]),
        )  # fmt: skip
        self.curves: list[list[Epoch]] = [[] for _ in configs]
        self.diverged: dict[int, str] = {}  # what was said of it

    @property
    def done(self) -> int:
        """Epochs."""
        return self.trainer.done

    def state(self) -> Json:
        """All that the next epoch depends on, and what was measured."""
        return {
            "epoch": self.done,
            "model": self.trainer.model.state_dict(),
            "optimiser": self.trainer.optimiser.state_dict(),
            "curves": [[epoch.facts() for epoch in curve] for curve in self.curves],
            "diverged": self.diverged,
        }

    def restore(self, state: Mapping[str, JsonValue]) -> None:
        """Go back to a :meth:`state` that was read from a checkpoint."""
        with checkpoint.restoring(state["epoch"], self.settings.epochs):
            self.trainer.model.load_state_dict(state["model"])
            checkpoint.check_optimiser(state["optimiser"], self.trainer.optimiser.state_dict())
            self.trainer.optimiser.load_state_dict(state["optimiser"])
            self.curves = [[Epoch.from_dict(facts) for facts in curve] for curve in state["curves"]]
            for curve in self.curves:
                checkpoint.check_curve(curve, state["epoch"])
            if len(self.curves) != len(self.configs):
                raise ValueError(f"it is of {len(self.curves)} runs, not {len(self.configs)}")
        self.trainer.done = state["epoch"]
        self.diverged = dict(state["diverged"])

    def epoch(self) -> None:
        """Train one more epoch of all runs and measure it."""
        start, number = perf_counter(), self.done
        seen = self.trainer.watched()
        seconds = (perf_counter() - start) / len(self.configs)
        due = self.done % self.settings.evaluate == 0 or self.done == self.settings.epochs
        self._note(number, seen, seconds, self.trainer.test() if due else None)

    def _note(self, number: int, seen: Seen, seconds: float, test: list[float] | None) -> None:
        """The epoch ``number`` (from 0) of every run, with the arithmetic of :class:`.loop.Trainer`."""
        settings = self.settings
        means, gradients, clipped = (each.tolist() for each in seen.means(settings.clip))
        finite = seen.losses.isfinite() & seen.norms.isfinite()
        for place in (~finite.all(0)).nonzero()[:, 0].tolist():
            batch = int((~finite[:, place]).int().argmax())
            loss, norm = float(seen.losses[batch, place]), float(seen.norms[batch, place])
            what = (loss, "loss") if not math.isfinite(loss) else (norm, "gradient's norm")
            self.diverged.setdefault(place, str(DivergedError(number + 1, batch + 1, *what)))
        speed = seen.predicted.shape[1] / seconds
        for place, found in enumerate(self.counted(seen.predicted, number)):
            tested = None if test is None else test[place]
            figures = (means[place], found, tested, gradients[place], clipped[place], seconds, speed)
            self.curves[place].append(Epoch(number + 1, settings.rate_in(number), *figures))

    def counted(self, predicted: Tensor, number: int) -> list[Fitted]:
        """Predictions (M, N) against the labels of an epoch."""
        data, found = self.trainer.data, []
        for place, seed in enumerate(self.trainer.seeds):
            given = self.trainer.given[place] if data.redraw is None else data.labels_in(number, seed)
            found += fitted(predicted[place * self.values : (place + 1) * self.values], given, data.true)
        return found

    def final(self) -> list[Fitted]:
        """The training set under the last weights, of every run."""
        with torch.no_grad():
            classes = [logits.argmax(-1) for _, logits in self.trainer.predict(self.trainer.images)]
        return self.counted(torch.cat(classes, 1), self.settings.epochs - 1)

    def outcomes(self, final: Sequence[Fitted], started: str, seconds: float) -> list[Outcome]:
        """Every run's line, or how its loss diverged; ``seconds`` of all together."""
        weights = sum(weight[0].numel() for weight in self.trainer.weights)
        found = []
        for place, config in enumerate(self.configs):
            if place in self.diverged:
                found.append(Outcome(error=DivergedError.__name__, message=self.diverged[place]))
                continue
            prepared = self.prepared[place // self.values]
            result = RunResult(
                config, History(tuple(self.curves[place]), final[place]), prepared.facts, theory(config, prepared.noise),
                self._device(), weights, started, seconds / len(self.configs), versions(), revision(),
            )  # fmt: skip
            found.append(Outcome(result.to_dict()))
        return found

    def _device(self) -> Json:
        """The device as :meth:`.loop.Setup.to_dict` says it, and how many were trained together."""
        trainer = self.trainer
        cuda = trainer.device.type == "cuda"
        return {
            "type": trainer.device.type,
            "name": torch.cuda.get_device_name(trainer.device)
            if cuda
            else f"cpu ({plural(trainer.threads, 'thread')})",
            "threads": trainer.threads,
            "precision": str(trainer.dtype).removeprefix("torch."),
            "channels_last": False,
            "processes": 1,
            "stacked": len(self.configs),
        }
