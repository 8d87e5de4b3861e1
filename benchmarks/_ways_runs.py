"""What the benchmark of ways trains on a task: losses that are led to their ends, each way at each rate, as batches of models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch
from _regret_runs import BATCH, RATES, around, classes_of, equal_scale
from _regret_tasks import Prepared, Task
from asymtheory_training.data.inputs import Data, Images
from asymtheory_training.losses.reference import given_losses
from asymtheory_training.run.config import Settings
from asymtheory_training.run.lead import LOOKS, Watch, at_vertices
from asymtheory_training.run.schedule import HELD_OUT, VERTICES, Ramp, Schedule, Start, Way
from asymtheory_training.run.stack import Families, Family, StackedTrainer
from torch import Tensor

from asymtheory.losses import Loss, build
from asymtheory.noise import NoiseModel

CONSTANT = "constant"
STARTS = ("start:ce:0.03", "start:ce:0.1", "start:ce:0.3", "start:ce:1:held-out", "start:ce:1:vertices")
RAMPS = (
    *(f"ramp:a:1::{share}" for share in ("0.03", "0.1", "0.3", "0.6")),
    *(f"ramp:a:1::{share}:{signal}" for share in ("0.3", "1") for signal in (HELD_OUT, VERTICES)),
)
FEWER = ("ramp:a:1::0.1", "ramp:a:1::0.3", "ramp:a:1::1:held-out", "ramp:a:1::1:vertices", "start:ce:0.1")
ENDS: tuple[tuple[str, Fraction | None, tuple[str, ...]], ...] = (
    ("amse", Fraction(8), (CONSTANT, *RAMPS, *STARTS, "start:mse:0.1", "start:mse:0.3")),
    ("jal-ce", Fraction(8), (CONSTANT, *FEWER)),
    ("mae", None, (CONSTANT, *STARTS)),
    ("anl-ce", None, (CONSTANT, *STARTS)),
)
"""Losses by name, the multiple of the threshold that the parameter ends at (None: as the registry has it), and the ways there."""
CHUNK = 40  # models of a batch


@dataclass(frozen=True)
class Led:
    """One way to train: the loss at its end, the way there as a schedule names it, and the rate at the initial slope of CE."""

    end: str
    loss: Loss
    way: str
    rate: float

    @property
    def led(self) -> Way | None:
        """None where the loss is constant."""
        return None if self.way == CONSTANT else Schedule.parse(self.way).way


def candidates(noise: NoiseModel) -> Iterator[Led]:
    """Every end with every way at every rate."""
    for name, factor, ways in ENDS:
        ends = [(None, build(name))] if factor is None else around(build(name), noise, (factor,))
        for at, loss in ends:
            end = name if at is None else f"{name} at {at}"
            yield from (Led(end, loss, way, rate) for way in ways for rate in RATES)


class Leading(Family):
    """Models that are led to one loss, each on its own way and at its own rate; every call is a step.

    A way that a signal ends goes to its end at once: ``watches`` has the signal of each model, None where there is none.
    """

    def __init__(self, members: Sequence[Led], K: int, steps: int) -> None:
        self.led = [member.led for member in members]
        loss, count = members[0].loss, len(members)
        moving = any(isinstance(way, Ramp) for way in self.led)
        name = loss.main if moving else None
        values = [member.loss.parameters[name] for member in members] if name is not None else []
        super().__init__(loss, name, values, [1.0] * count if name is not None else None)
        if name is None:
            self.members, self.scales = [loss] * count, [1.0] * count
        firsts = {way.loss for way in self.led if isinstance(way, Start)}
        assert len(firsts) <= 1
        self.first = build(firsts.pop()) if firsts else None
        self.steps, self.taken = steps, 0
        self.rates = np.array([member.rate for member in members])
        self.values, self.scale, self.weight = (np.ones((steps + 1, count)) for _ in range(3))
        self._plan(members, K)
        self.first_scale = self.rates * (0.0 if self.first is None else equal_scale(self.first, K))
        self.watches = [None if way is None or way.signal is None else Watch(way.signal) for way in self.led]
        self.ended = np.full(count, np.nan)

    def _plan(self, members: Sequence[Led], K: int) -> None:
        """The parameter, the factor of the loss and its weight before every step, and in the last row at the end."""
        for place, (member, way) in enumerate(zip(members, self.led, strict=True)):
            same = next((index for index in range(place) if self.led[index] == way), None)
            if same is not None:  # at another rate
                for path in (self.values, self.scale, self.weight):
                    path[:, place] = path[:, same]
                self.scale[:, place] *= member.rate / members[same].rate
                continue
            loss, name = member.loss, self.parameter
            if name is not None:
                self.values[:, place] = float(loss.parameters[name])
            self.scale[:, place] = member.rate * equal_scale(loss, K)
            for step in range(self.steps if way is not None else 0):
                if isinstance(way, Start):
                    self.weight[step, place] = way.part(step / self.steps)
                elif isinstance(way, Ramp) and step < way.until * self.steps:
                    value = way.at(step / self.steps, float(loss.parameters[way.parameter]))
                    self.values[step, place] = value
                    at = loss.replace(**{way.parameter: Fraction(value)})
                    self.scale[step, place] = member.rate * equal_scale(at, K)

    def at(self, logits: Tensor, labels: Tensor) -> Tensor:
        row = np.where(np.isnan(self.ended), self.taken, self.steps)
        value, factor, weight = (path[row, np.arange(len(row))] for path in (self.values, self.scale, self.weight))
        loss, scale = self._tensors(logits)
        if self.parameter is not None:
            loss.parameters[self.parameter].copy_(torch.from_numpy(value)[:, None, None])
        scale.copy_(torch.from_numpy(factor * weight)[:, None, None])
        found = super().at(logits, labels)
        if self.first is not None and (weight < 1).any():
            rest = torch.from_numpy((1 - weight) * self.first_scale).to(scale)[:, None]
            found = found + given_losses(self.first, logits, labels) * rest
        self.taken += 1
        if self.taken % every(self.steps) == 0 and any(
            each is not None and each.signal == VERTICES for each in self.watches
        ):
            self.look(VERTICES, at_vertices(logits, -1).tolist())
        return found

    def look(self, signal: str, seen: Sequence[float]) -> None:
        """What is seen of each model's signal now."""
        for place, watch in enumerate(self.watches):
            if watch is not None and watch.signal == signal and not watch.ended:
                watch.see(seen[place])
                if watch.ended:
                    self.ended[place] = self.taken / self.steps


def every(steps: int) -> int:
    """Steps between two looks at a signal."""
    return max(1, steps // LOOKS)


@dataclass(frozen=True, eq=False)
class Courses:
    """What the models did; arrays begin with them.

    ``held``: accuracy on held-out noisy labels after every epoch; ``right``: is the test sample predicted right in the end;
    ``memorised``: share of the wrong training labels that are predicted in the end; ``ended``: the share of the steps at which
    a signal ended the way, NaN where none did; ``lost``: classes of which most test samples of one predicted class are of
    another one, that is, whose commonest prediction is not the class itself.
    """

    members: list[Led]
    held: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    memorised: npt.NDArray[np.float32]
    ended: npt.NDArray[np.float64]
    lost: npt.NDArray[np.int64]


def train(task: Task, prepared: Prepared, seed: int, chosen: Sequence[Led]) -> Courses:
    """Train the candidates of a task, a batch of models at a time."""
    parts = [_train(task, prepared, seed, chunk) for chunk in _chunks(chosen)]
    names = ("held", "right", "memorised", "ended", "lost")
    return Courses(
        [member for part in parts for member in part.members],
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names),
    )


def _kind(member: Led) -> tuple[str, str]:
    """What one family shares: the loss at the end, and the one at first."""
    return member.end, member.led.loss if isinstance(member.led, Start) else ""


def _chunks(chosen: Sequence[Led]) -> Iterator[list[Led]]:
    ordered = sorted(chosen, key=_kind)
    yield from (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))


def _train(task: Task, prepared: Prepared, seed: int, chunk: Sequence[Led]) -> Courses:
    table = prepared.table
    x = torch.from_numpy(table.x)[:, None, None]  # (N, 1, 1, D): rows are pictures of one line
    train, held = torch.from_numpy(prepared.train), torch.from_numpy(prepared.held)
    given, true = torch.tensor(prepared.given), torch.tensor(table.y)
    test = Images(torch.from_numpy(table.test_x)[:, None, None])
    data = Data(Images(x[train]), given[train], true[train], None, test, torch.from_numpy(table.test_y))
    settings = Settings(epochs=task.epochs, batch=BATCH, rate=1.0, clip=math.inf, seed=seed, threads=1)
    steps = task.epochs * math.ceil(len(train) / BATCH)
    groups: dict[tuple[str, str], list[Led]] = {}
    for member in chunk:
        groups.setdefault(_kind(member), []).append(member)
    families = [Leading(members, table.K, steps) for members in groups.values()]
    head = ("mlp1", task.width / 256) if task.width else ("linear", 1.0)
    trainer = StackedTrainer(Families(families), data, settings, [seed], K=table.K, model=head[0], width=head[1])
    outside = Images(x[held])

    def held_out() -> npt.NDArray[np.float32]:
        return (classes_of(trainer, outside) == given[held]).float().mean(1).numpy()

    def look() -> None:
        if families[0].taken % every(steps) == 0:
            seen, start = held_out().tolist(), 0
            for family in families:
                family.look(HELD_OUT, seen[start : start + len(family)])
                start += len(family)

    watched = any(watch is not None and watch.signal == HELD_OUT for family in families for watch in family.watches)
    curve = []
    for _ in trainer.remaining():
        trainer.epoch(look if watched else lambda: None)
        curve.append(held_out())
    predicted, answers = classes_of(trainer, test).numpy(), table.test_y
    wrong = given[train] != true[train]
    fitted = (classes_of(trainer, Images(x[train])) == given[train])[:, wrong].float().mean(1)
    return Courses(
        [member for members in groups.values() for member in members], np.stack(curve, 1), predicted == answers,
        fitted.numpy(), np.concatenate([family.ended for family in families]),
        np.array([lost(each, answers, table.K) for each in predicted]),
    )  # fmt: skip


def lost(predicted: npt.NDArray[np.int64], true: npt.NDArray[np.int64], K: int) -> int:
    """How many classes are given to another one: their commonest prediction is not the class itself."""
    counts = np.zeros((K, K), dtype=np.int64)
    np.add.at(counts, (true, predicted), 1)
    return int((counts.argmax(1) != np.arange(K)).sum())
