"""What the regret benchmark trains on a task: candidates (loss, value, rate), all of one seed as a few batches of models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from _regret_tasks import Prepared, Task
from asymtheory_training.data.inputs import Data, Images
from asymtheory_training.run.config import Settings
from asymtheory_training.run.stack import Families, Family, StackedTrainer
from torch import Tensor

from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.losses import Loss, build
from asymtheory.noise import NoiseModel
from asymtheory.selection.select import select
from asymtheory.threshold import Threshold, solve

BATCH = 128
RATES = (0.002, 0.008, 0.032, 0.128)
"""Learning rates of losses at equal initial slope, that of CE."""
RAW_RATE, RAW_CLIP = 0.02, 5.0
"""How a loss is trained whose scale nobody touched: the rate of the issue's table, gradients clipped as in the papers."""
FACTORS = (Fraction(1, 3), Fraction(1), Fraction(3), Fraction(10))
UNTIL = (0.1, 0.3)
"""A ramp of the parameter lasts these shares of all steps."""

AROUND: tuple[tuple[str, dict[str, Fraction]], ...] = (
    ("agce", {"q": Fraction(1, 2)}), ("agce", {"q": Fraction(3, 2)}), ("aul", {"p": Fraction(2)}), ("ael", {}),
    ("amse", {"q": Fraction(2)}), ("jal-ce", {}), ("nce+agce", {}),
)  # fmt: skip
"""Losses whose main parameter takes values around its threshold on the task's noise."""
FIXED: tuple[tuple[str, dict[str, Fraction]], ...] = (
    ("ce", {}), ("mae", {}), ("mse", {}), ("nce", {}), ("sce", {}), ("nnce", {}), ("nce+mae", {}), ("nce+rce", {}),
    *(("gce", {"q": Fraction(q, 10)}) for q in (3, 5, 7, 9)), ("taylor-ce", {"t": Fraction(2)}),
    ("phuber-ce", {"tau": Fraction(10)}), ("logitclip-ce", {"tau": Fraction(5, 2)}),
    *(("anl-ce", {"alpha": Fraction(5), "beta": Fraction(beta)}) for beta in (1, 5)),
)  # fmt: skip
"""Losses at values of their own."""
PUBLISHED = ("ce", "mae", "gce", "sce", "nce+rce", "nce+agce", "anl-ce", "jal-ce")
"""Losses at the papers' values for CIFAR-10, as the registry has them, raw; equalised most of them are among the others."""
RAMPED: tuple[tuple[str, dict[str, Fraction]], ...] = (("amse", {"q": Fraction(2)}), ("jal-ce", {}))
RAMPED_TO = (Fraction(3), Fraction(8))
"""Losses whose parameter is led from 1 to so many times its threshold."""
PARTS = ("all", "ramps", "few")
"""``all``: every family, and the first loss led for the shares UNTIL; ``ramps``: both losses, led for longer too; ``few``: FEW."""
LONGER = (0.3, 0.6, 1.0)


FEW: tuple[tuple[str, dict[str, Fraction], Fraction | None, float], ...] = (
    ("ce", {}, None, 0.0), ("mae", {}, None, 0.0), ("gce", {"q": Fraction(7, 10)}, None, 0.0), ("nce+rce", {}, None, 0.0),
    ("anl-ce", {"alpha": Fraction(5), "beta": Fraction(5)}, None, 0.0), ("amse", {"q": Fraction(2)}, Fraction(3), 0.0),
    ("jal-ce", {}, Fraction(3), 0.0), ("jal-ce", {}, Fraction(8), 0.3),
)  # fmt: skip
"""Loss, fixed parameters, factor and ramp of what is trained on all images, at every rate; small tasks have all of them too."""


@dataclass(frozen=True)
class Candidate:
    """One way to train. ``factor``: the parameter over its threshold, where it was chosen so; ``rate`` None: raw, at RAW_RATE.

    ``until`` > 0: the parameter rises geometrically from 1 over this share of the steps, at equal initial slope.
    """

    kind: str  # grid, raw, select, ramp
    name: str
    loss: Loss
    factor: Fraction | None
    rate: float | None
    until: float = 0.0

    @property
    def label(self) -> str:
        """What names it in the results, whatever the task: loss, parameters or factor, rate."""
        held = {k: v for k, v in self.loss.parameters.items() if self.factor is None or k != self.loss.main}
        values = ",".join(f"{k}={float(v):g}" for k, v in held.items())
        at = "" if self.factor is None else f" at {float(self.factor):.3g}"
        ramp = f" ramp {self.until:g}" if self.until else ""
        rate = "raw" if self.rate is None else f"{self.rate:g}"
        name = "select" if self.kind == "select" else f"{self.name}({values})"
        return f"{self.kind}: {name}{at}{ramp}, {rate}"


def candidates(noise: NoiseModel, part: str = "all") -> Iterator[Candidate]:
    """The candidates of a part on a noise; values outside a parameter's domain are left out."""
    if part == "few":
        yield from _few(noise)
        return
    if noise.rate == 0:
        yield from _without_noise(noise)
        return
    if part == "ramps":
        for name, fixed in RAMPED:
            yield from _led(name, fixed, noise, tuple(u for u in LONGER if name != RAMPED[0][0] or u not in UNTIL))
        return
    grid: list[tuple[str, Loss, Fraction | None]] = [(name, build(name, **values), None) for name, values in FIXED]
    for name, values in AROUND:
        grid += [(name, loss, factor) for factor, loss in around(build(name, **values), noise, FACTORS)]
    for name, loss, factor in grid:
        yield from (Candidate("grid", name, loss, factor, rate) for rate in RATES)
    yield from (Candidate("raw", name, build(name), None, None) for name in PUBLISHED)
    yield from _led(*RAMPED[0], noise, UNTIL)
    best = select(noise).best.loss
    yield Candidate("select", best.name, best, None, None)


def _few(noise: NoiseModel) -> Iterator[Candidate]:
    for name, fixed, factor, until in FEW:
        loss = build(name, **fixed)
        if factor is not None:
            ((_, loss),) = around(loss, noise, (factor,))
        kind = "ramp" if until else "grid"
        yield from (Candidate(kind, name, loss, factor, rate, until) for rate in RATES)


def _without_noise(noise: NoiseModel) -> Iterator[Candidate]:
    """What ``tune`` tries on clean labels, losses as they are, and multiples of thresholds, where there are any."""
    grid: list[tuple[str, Loss, Fraction | None]] = [
        (name, build(name, **own), None) for name, own in (*FIXED, *AROUND)
    ]
    with_threshold = [(name, own) for name, own in AROUND if has_threshold(solve(build(name, **own), noise))]
    for name, own in with_threshold:
        grid += [(name, loss, factor) for factor, loss in around(build(name, **own), noise, FACTORS)]
    for name, loss, factor in grid:
        yield from (Candidate("grid", name, loss, factor, rate) for rate in RATES)
    yield from (each for led in RAMPED if led in with_threshold for each in _led(*led, noise, LONGER))


def _led(name: str, fixed: dict[str, Fraction], noise: NoiseModel, shares: Sequence[float]) -> Iterator[Candidate]:
    for factor, loss in around(build(name, **fixed), noise, RAMPED_TO):
        yield from (Candidate("ramp", name, loss, factor, rate, until) for until in shares for rate in RATES)


def around(loss: Loss, noise: NoiseModel, factors: Sequence[Fraction]) -> list[tuple[Fraction, Loss]]:
    """The loss at multiples of its parameter's threshold on a noise; of its own value where there is no threshold."""
    assert loss.main is not None
    found, centre = solve(loss, noise), Fraction(loss.parameters[loss.main])
    if has_threshold(found):
        assert found.end is not None
        centre = Fraction(found.end.number if found.end.number is not None else found.end.high)
    values = [(factor, factor * centre) for factor in factors]
    return [
        (factor, loss.replace(**{loss.main: value})) for factor, value in values if value in loss.domains[loss.main]
    ]


def has_threshold(found: Threshold) -> bool:
    """Is there one above 0, so that multiples of it are values?"""
    return found.status == "threshold" and found.end is not None and found.end.value > 0


@cache
def equal_scale(loss: Loss, K: int) -> float:
    """The factor that gives a loss the initial slope of CE."""
    return K / fitting_slope(loss, K).unfitted


class Led(Family):
    """One loss whose parameter moves from ``start`` to each of its values in the first steps of training, at equal initial slope.

    Every call is a step. Values rise geometrically and stay once they have arrived.
    """

    def __init__(self, loss: Loss, members: Sequence[Candidate], K: int, steps: int, start: float = 1.0) -> None:
        main = loss.main
        assert main is not None
        values = [member.loss.parameters[main] for member in members]
        super().__init__(loss, main, values, [1.0] * len(members))
        self.paths = np.empty((2, steps, len(members)))
        for place, member in enumerate(members):
            assert member.rate is not None
            until, end = max(1, round(member.until * steps)), float(values[place])
            moving = start * (end / start) ** np.minimum(1.0, np.arange(steps) / until)
            at = {
                value: equal_scale(loss.replace(**{main: Fraction(value)}), K) for value in np.unique(moving).tolist()
            }
            self.paths[0, :, place] = moving
            self.paths[1, :, place] = [member.rate * at[value] for value in moving.tolist()]
        self.taken = 0

    def at(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss, scale = self._tensors(logits)
        assert self.parameter is not None
        value, factor = (torch.from_numpy(path[self.taken]).to(scale) for path in self.paths)
        loss.parameters[self.parameter].copy_(value[:, None, None])
        scale.copy_(factor[:, None, None])
        self.taken += 1
        return super().at(logits, labels)


@dataclass(frozen=True, eq=False)
class Runs:
    """What the candidates of a task did, for one seed; arrays begin with the candidates.

    ``held``: accuracy on held-out noisy labels after every epoch (M, E); ``votes``: the classes of the held-out samples then
    (M, E, H); ``right``: is the test sample predicted right in the end (M, N)? ``memorised``: share of the wrong training labels
    that are predicted in the end, NaN where there are none.
    """

    candidates: list[Candidate]
    held: npt.NDArray[np.float32]
    votes: npt.NDArray[np.uint8]
    right: npt.NDArray[np.bool_]
    memorised: npt.NDArray[np.float32]


def train(task: Task, prepared: Prepared, seed: int, everything: Sequence[Candidate]) -> Runs:
    """Train candidates; those that are raw together, the others a few families at a time."""
    parts = [_train(task, prepared, seed, chunk) for chunk in _chunks(everything)]
    return Runs(
        [candidate for part in parts for candidate in part.candidates],
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("held", "votes", "right", "memorised")),
    )


def _chunks(everything: Sequence[Candidate], size: int = 32) -> Iterator[list[Candidate]]:
    """Candidates that are trained as one batch: raw ones apart, those of a family side by side."""

    def family(each: Candidate) -> tuple[bool, bool, str, tuple[tuple[str, str], ...]]:
        fixed = sorted((k, str(v)) for k, v in each.loss.parameters.items() if k != each.loss.main)
        return each.rate is None, each.until > 0, each.name, tuple(fixed)

    chunk: list[Candidate] = []
    for each in sorted(everything, key=family):
        if chunk and (len(chunk) >= size or family(chunk[-1])[0] != family(each)[0]):
            yield chunk
            chunk = []
        chunk.append(each)
    yield chunk


def _families(chunk: Sequence[Candidate], K: int, steps: int) -> tuple[Families, list[Candidate]]:
    """The losses of a batch of models, and the candidates in the order of the models."""
    groups: dict[tuple[bool, str, str], list[Candidate]] = {}
    for each in chunk:
        moves = _moves(each)  # values of one parameter are one family, else only equal losses are
        held = {k: v for k, v in each.loss.parameters.items() if not moves or k != each.loss.main}
        groups.setdefault((each.until > 0, each.name, str(sorted(held.items()))), []).append(each)
    families: list[Family] = []
    for (led, *_), members in groups.items():
        loss = members[0].loss
        scales = [1.0 if each.rate is None else each.rate * equal_scale(each.loss, K) for each in members]
        if led:
            families.append(Led(loss, members, K, steps))
        elif _moves(members[0]):
            assert loss.main is not None
            families.append(Family(loss, loss.main, [each.loss.parameters[loss.main] for each in members], scales))
        else:
            families.append(Family.repeated(loss, scales))
    return Families(families), [each for members in groups.values() for each in members]


def _moves(each: Candidate) -> bool:
    main = each.loss.main
    return main is not None and each.rate is not None and not each.loss.domains[main].integer


def _train(task: Task, prepared: Prepared, seed: int, chunk: Sequence[Candidate]) -> Runs:
    table, raw = prepared.table, chunk[0].rate is None
    x = torch.from_numpy(table.x)[:, None, None]  # (N, 1, 1, D): rows are pictures of one line
    train, held = torch.from_numpy(prepared.train), torch.from_numpy(prepared.held)
    given, true = torch.from_numpy(prepared.given), torch.from_numpy(table.y)
    test = Images(torch.from_numpy(table.test_x)[:, None, None])
    data = Data(Images(x[train]), given[train], true[train], None, test, torch.from_numpy(table.test_y))
    settings = Settings(
        epochs=task.epochs, batch=BATCH, rate=RAW_RATE if raw else 1.0, clip=RAW_CLIP if raw else math.inf,
        regularisation="none", seed=seed, threads=1,
    )  # fmt: skip
    steps = task.epochs * math.ceil(len(train) / BATCH)
    families, ordered = _families(chunk, table.K, steps)
    head = ("mlp1", task.width / 256) if task.width else ("linear", 1.0)
    trainer = StackedTrainer(families, data, settings, [seed], K=table.K, model=head[0], width=head[1])
    outside = Images(x[held])
    curve, votes = [], []
    for _ in trainer.remaining():
        trainer.epoch()
        said = classes_of(trainer, outside)
        curve.append((said == given[held]).float().mean(1).numpy())
        votes.append(said.to(torch.uint8).numpy())
    assert data.test_labels is not None
    right = classes_of(trainer, test) == data.test_labels
    wrong = given[train] != true[train]
    fitted = (classes_of(trainer, Images(x[train])) == given[train])[:, wrong].float().mean(1)
    return Runs(ordered, np.stack(curve, 1), np.stack(votes, 1), right.numpy(), fitted.numpy())


def classes_of(trainer: StackedTrainer, images: Images) -> Tensor:
    """The class that each model gives each image, (M, N)."""
    return torch.cat([logits.argmax(-1) for _, logits in trainer.predict(images)], 1)
