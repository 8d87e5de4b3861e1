"""The loop against a plain one written out, what it measures, and what survives: kills, full disks, damaged files, NaN."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asymtheory_training import fit
from asymtheory_training.data import inputs
from asymtheory_training.data.inputs import Data, Images, batches, shuffled, stream
from asymtheory_training.data.labels import Redrawn
from asymtheory_training.data.sets import load_dataset
from asymtheory_training.run import checkpoint, loop, record
from asymtheory_training.run import run as runs
from asymtheory_training.run.config import Noise, Settings, TrainConfig
from asymtheory_training.run.evaluation import fitted
from asymtheory_training.run.loop import DivergedError, Trainer
from asymtheory_training.run.record import Epoch, Fitted, History
from asymtheory_training.run.run import Prepared, run, theory, trained_model
from asymtheory_training.run.sgd import SGD
from torch import Tensor, nn
from torch.nn import functional as F

from asymtheory.cli import main
from asymtheory.errors import InputError

ROOT = Path(__file__).parents[2]


def toy(samples: int = 75, wrong: float = 0.3, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (N, 6) of three classes, their labels, and the same with some of them wrong; float64."""
    random = torch.Generator().manual_seed(seed)
    true = torch.randint(3, (samples,), generator=random)
    x = torch.randn(samples, 6, generator=random, dtype=torch.float64)
    x[torch.arange(samples), true] += 2
    flipped = torch.rand(samples, generator=random) < wrong
    return x, torch.where(flipped, (true + 1) % 3, true), true


def small(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 3)]
        return nn.Sequential(*layers).double()


def weights(model: nn.Module) -> list[Tensor]:
    return [value.clone() for value in model.state_dict().values()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


# ------------------------------------------------------------------------------------- the same as a plain torch loop


def plain_loop(model: nn.Module, x: Tensor, y: Tensor, settings: Settings) -> list[tuple[float, float]]:
    """The loop of the published code: torch's SGD and cosine schedule, the L1 norm inside the loss, clipping after it."""
    decay = settings.strength if settings.regularisation == "l2" else 0.0
    optimiser = torch.optim.SGD(
        model.parameters(), settings.rate, settings.momentum, weight_decay=decay, nesterov=settings.nesterov
    )
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs)
    seen = []
    for epoch in range(settings.epochs):
        losses, norms = [], []
        for part in batches(shuffled(len(x), settings.seed, epoch), settings.batch):
            optimiser.zero_grad()
            value = F.cross_entropy(model(x[part]), y[part])
            penalty = sum(p.abs().sum() for p in model.parameters())
            (value + (settings.strength * penalty if settings.regularisation == "l1" else 0)).backward()
            norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), settings.clip)))
            losses.append(value.item() * len(part))
            optimiser.step()
        scheduler.step()
        seen.append((sum(losses) / len(x), sum(norms) / len(norms)))
    return seen


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"regularisation": "l2", "strength": 0.1},
        {"regularisation": "l1", "strength": 0.05},
        {"nesterov": True, "clip": 0.2},
        {"clip": float("inf"), "momentum": 0.0},
    ],
    ids=str,
)
def test_a_run_is_the_plain_loop(options: dict[str, Any]) -> None:
    x, y, _ = toy()
    settings = Settings(epochs=4, batch=16, rate=0.1, seed=3, device="cpu", precision="float64", **options)
    expected, ours = small(), small()
    curve = plain_loop(expected, x, y, settings)
    trainer = Trainer(ours, nn.CrossEntropyLoss(), Data(Images(x), y), settings)
    for _ in trainer.remaining():
        trainer.epoch()
    for a, b in zip(weights(ours), weights(expected), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose([e.loss for e in trainer.curve], [loss for loss, _ in curve], rtol=1e-12)
    np.testing.assert_allclose([e.gradient for e in trainer.curve], [norm for _, norm in curve], rtol=1e-12)
    assert [e.clipped > 0 for e in trainer.curve] == [settings.clip < 1] * 4


class Late(nn.Module):
    """A layer that is first used in the third batch, and one that never is."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.late, self.never = small(), nn.Linear(3, 3).double(), nn.Linear(3, 3).double()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.late(self.body(x)) if self.calls > 2 else self.body(x)


def test_a_weight_may_get_its_first_gradient_late() -> None:
    """torch.optim.SGD(fused=True) raises a TypeError there; without fused it is what is expected."""
    x, y, _ = toy()
    settings = Settings(epochs=2, batch=16, rate=0.1, precision="float64", strength=0.01, regularisation="l2")
    expected = Late()
    ours = Late()
    ours.load_state_dict(expected.state_dict())
    plain_loop(expected, x, y, settings)
    trainer = Trainer(ours, nn.CrossEntropyLoss(), Data(Images(x), y), settings)
    trainer.setup = replace(trainer.setup, threads=1)
    ours.calls = 0  # one image was looked at to choose the threads
    for _ in trainer.remaining():
        trainer.epoch()
    for a, b in zip(weights(ours), weights(expected), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_state_of_the_optimiser_is_that_of_torch(momentum: float) -> None:
    """Older checkpoints hold the state of torch's own."""
    w = [torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)]
    kept = torch.optim.SGD(w, 0.1, momentum)
    (w[0] * torch.tensor([1.0, 2.0, 3.0])).sum().backward()  # the second has none yet
    kept.step()
    ours = SGD(w, Settings(momentum=momentum))
    ours.velocities = [None if v is None else v + 7 for v in ours.velocities]
    ours.load_state_dict(kept.state_dict())
    wanted = [torch.tensor([1.0, 2.0, 3.0]), torch.zeros(2)] if momentum else [None, None]
    torch.testing.assert_close(ours.velocities, wanted, rtol=0, atol=0)
    if momentum:
        again = torch.optim.SGD(w, 0.1, momentum)
        again.load_state_dict({**again.state_dict(), **ours.state_dict()})
        assert torch.equal(again.state[w[0]]["momentum_buffer"], torch.tensor([1.0, 2.0, 3.0]))


def test_the_penalty_reaches_every_parameter() -> None:
    x, y, _ = toy()
    for norm in ("l1", "l2"):
        free, bound = small(), small()
        for model, options in ((free, {}), (bound, {"regularisation": norm, "strength": 0.5})):
            fit(
                model,
                nn.CrossEntropyLoss(),
                x,
                y,
                epochs=1,
                batch=75,
                precision="float64",
                clip=float("inf"),
                **options,
            )
        moved = [not torch.equal(a, b) for a, b in zip(free.parameters(), bound.parameters(), strict=True)]
        start = [bool(p.any()) for p in small().parameters()]
        assert moved == start  # biases and batch norms too; sign(0) = 0 leaves a zero where it is


def test_every_sample_once_an_epoch_and_no_batch_of_one() -> None:
    for count, size in ((129, 128), (128, 128), (10, 3), (257, 128), (2, 2), (1, 2)):
        order = shuffled(count, 0, 0)
        parts = batches(order, size)
        assert torch.equal(torch.cat(parts), order)
        assert torch.equal(order.sort().values, torch.arange(count))
        assert count == 1 or min(map(len, parts)) > 1
        assert all(len(part) == size for part in parts[:-1])


def test_orders_depend_on_seed_and_epoch_alone() -> None:
    torch.manual_seed(0)
    first = shuffled(50, 1, 2)
    torch.manual_seed(1)
    assert torch.equal(shuffled(50, 1, 2), first)
    assert not torch.equal(shuffled(50, 1, 3), first)
    assert not torch.equal(shuffled(50, 2, 2), first)
    seeds = {stream(seed, epoch, purpose) for seed in range(9) for epoch in range(9) for purpose in ("order", "labels")}
    assert len(seeds) == 162
    assert all(0 <= seed < 2**63 for seed in seeds)


# ------------------------------------------------------------------------------------------------- what is measured


def test_the_five_accuracies_by_hand() -> None:
    true = torch.tensor([0, 0, 1, 1, 2, 2, 2, 0])
    given = torch.tensor([0, 1, 1, 2, 2, 0, 1, 2])  # 0, 2, 4 are clean
    predicted = torch.tensor([0, 1, 0, 1, 2, 0, 2, 1])
    (found,) = fitted(predicted, given, true)
    assert found == Fitted(train=4 / 8, true=4 / 8, clean=2 / 3, memorised=2 / 5, recovered=2 / 5)
    two = fitted(torch.stack([predicted, given]), given, true)
    assert two == [found, Fitted(1.0, 3 / 8, 1.0, 1.0, 0.0)]
    assert fitted(predicted, true, true) == [Fitted(4 / 8, 4 / 8, 4 / 8, None, None)]
    assert fitted(predicted, given, None) == [Fitted(4 / 8)]


def test_frozen_and_final_are_of_the_weights_at_the_end() -> None:
    x, y, true = toy()
    model = small(dropout=0.5)
    history = fit(
        model, nn.CrossEntropyLoss(), x, y, true=true, test=(x, true), epochs=3, batch=16, rate=0.1,
        precision="float64", measure="frozen",
    )  # fmt: skip
    assert not model.training
    predicted = model(x).argmax(1)
    clean = y == true
    expected = Fitted(
        (predicted == y).double().mean().item(),
        (predicted == true).double().mean().item(),
        (predicted == y)[clean].double().mean().item(),
        (predicted == y)[~clean].double().mean().item(),
        (predicted == true)[~clean].double().mean().item(),
    )
    for name, value in vars(expected).items():
        assert getattr(history.final, name) == pytest.approx(value)
        assert getattr(history.last.fitted, name) == pytest.approx(value)
    assert history.last.test == pytest.approx(expected.true)
    running = fit(small(dropout=0.5), nn.CrossEntropyLoss(), x, y, epochs=3, batch=16, rate=0.1, precision="float64")
    assert running.last.fitted.train != pytest.approx(expected.train)


def test_last_and_best_epoch() -> None:
    def epoch(number: int, test: float | None) -> Epoch:
        return Epoch(number, 0.1, 1.0, Fitted(0.5), test, 1.0, 0.0, 2.0, 100.0)

    curve = (epoch(1, 0.3), epoch(2, 0.8), epoch(3, None), epoch(4, 0.8), epoch(5, 0.6))
    history = History(curve, Fitted(0.5))
    assert (history.last.epoch, history.best.epoch) == (5, 2)
    assert history.images_per_second == 100.0
    assert History((epoch(1, None),), Fitted(0.5)).best.epoch == 1
    assert [Epoch.from_dict(e.facts()) for e in curve] == list(curve)
    assert "epoch" in str(history)


def test_the_test_set_is_looked_at_as_often_as_asked() -> None:
    x, y, _ = toy()
    history = fit(small(), nn.CrossEntropyLoss(), x, y, test=(x, y), epochs=5, evaluate=2, precision="float64")
    assert [epoch.test is not None for epoch in history.curve] == [False, True, False, True, True]


def test_augmentation_is_for_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = load_dataset("digits")
    calls = []

    def augment(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
        calls.append((len(images), kind))
        return 255 - images

    monkeypatch.setattr(inputs, "augment", augment)
    kept = Images(digits.train_images[:100], digits.mean, digits.std, "crop-flip")
    data = Data(kept, digits.train_labels[:100], None, None, kept, digits.train_labels[:100])
    trainer = Trainer(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), nn.CrossEntropyLoss(), data, Settings(epochs=1, batch=64)
    )
    trainer.epoch()
    trainer.history()
    assert calls == [(64, "crop-flip"), (36, "crop-flip")]


def test_images_are_normalised_once_or_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = load_dataset("digits")
    images = Images(digits.train_images, digits.mean, digits.std)
    expected = (digits.train_images[:5].float() / 255 - digits.mean[0]) / digits.std[0]
    for room in (2**29, 0):
        monkeypatch.setattr(inputs, "RESIDENT", room)
        ready = images.to(torch.device("cpu"), torch.float32)
        assert (ready.mean is None) == (room > 0)
        torch.testing.assert_close(ready.batch(torch.arange(5), torch.float32), expected)


def test_redrawn_labels_are_new_in_every_epoch_and_the_same_in_every_run() -> None:
    x, y, true = toy(300)
    redraw = Redrawn("symmetric", 3, 0.5)
    data = Data(Images(x), y, true, redraw)
    first, second = data.labels_in(0, 7), data.labels_in(1, 7)
    assert not torch.equal(first, second)
    assert torch.equal(data.labels_in(0, 7), first)
    assert abs((first != true).double().mean().item() - 0.5) < 0.12
    history = fit(
        small(), nn.CrossEntropyLoss(), x, None, true=true, redraw=redraw, epochs=3, batch=32, rate=0.05,
        seed=7, precision="float64",
    )  # fmt: skip
    given = data.labels_in(2, 7)
    assert history.final.memorised is not None
    assert history.final.train < 0.7  # nobody can fit labels that change
    assert history.final.train == pytest.approx(
        history.final.clean * (given == true).double().mean().item()  # type: ignore[operator]
        + history.final.memorised * (given != true).double().mean().item()
    )


# ----------------------------------------------------------------------------------------------------- fit, as a user


def test_fit_trains_a_users_model_and_leaves_the_rest_alone() -> None:
    from asymtheory_training import build_loss

    x, y, true = toy(400, wrong=0.35)
    model, threads = small(), torch.get_num_threads()
    torch.manual_seed(11)
    state = torch.random.get_rng_state()
    seen: list[int] = []
    history = fit(
        model, build_loss("jal-ce", a=30), x.float(), y, true=true, test=(x.float(), true), epochs=15, rate=0.05, batch=32,
        threads=1, on_epoch=lambda epoch: seen.append(epoch.epoch),
    )  # fmt: skip
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert seen == list(range(1, 16))
    assert next(model.parameters()).dtype == torch.float32
    assert history.last.test is not None
    assert history.last.test > 0.8
    assert history.final.memorised is not None
    assert history.final.memorised < 0.3
    assert history.images_per_second > 0


def test_the_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    block, *_ = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/training/python.md").read_text(), re.S | re.M)
    names: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        exec(block, names)
    assert names["history"].last.test > 0.9
    assert names["history"].final.memorised < 0.2
    assert "memorised" in capsys.readouterr().out


def test_dropout_is_a_function_of_the_seed() -> None:
    x, y, _ = toy()
    found = []
    for outside, seed in ((0, 1), (5, 1), (5, 2)):
        torch.manual_seed(outside)
        model = small(dropout=0.5)
        fit(model, nn.CrossEntropyLoss(), x, y, epochs=2, batch=16, seed=seed, precision="float64")
        found.append(weights(model))
    assert same(found[0], found[1])
    assert not same(found[1], found[2])


def test_other_precisions_run() -> None:
    x, y, _ = toy()
    for precision, dtype in (("bfloat16", torch.float32), ("float32", torch.float32), ("float64", torch.float64)):
        model = small()
        history = fit(model, nn.CrossEntropyLoss(), x, y, epochs=2, batch=16, precision=precision)
        assert next(model.parameters()).dtype == dtype
        assert history.last.loss < 2
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    trainer = Trainer(network, nn.CrossEntropyLoss(), Data(Images(torch.zeros(4, 1, 8, 8)), y[:4]), Settings())
    assert trainer.setup.channels_last
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)


class Follows(nn.Module):
    """Cross entropy that notes what it is told, and remembers how often it saw each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(0))
        self.begun: list[tuple[int, int, int]] = []
        self.drawn: list[float] = []

    def follow(self, labels: Tensor) -> None:
        self.seen = torch.zeros(len(labels))

    def begin(self, epoch: int, epochs: int, labels: Tensor, generator: torch.Generator) -> None:
        self.begun.append((epoch, epochs, len(labels)))
        self.labels = labels
        self.drawn.append(torch.rand(1, generator=generator).item())

    def forward(self, logits: Tensor, labels: Tensor, indices: Tensor) -> Tensor:
        assert torch.equal(self.labels[indices], labels)
        self.seen[indices] += 1
        return F.cross_entropy(logits, labels)


def test_a_loss_that_follows_its_samples_is_told_and_resumed() -> None:
    x, y, _ = toy()
    settings = Settings(epochs=3, batch=16, precision="float64")
    first = Trainer(small(), Follows(), Data(Images(x), y), settings)
    for _ in range(2):
        first.epoch()
    assert isinstance(first.loss, Follows)
    assert first.loss.begun == [(0, 3, 75), (1, 3, 75)]
    assert len(set(first.loss.drawn)) == 2
    second = Trainer(small(), Follows(), Data(Images(x), y), settings)
    second.restore(first.state())
    second.epoch()
    assert torch.equal(second.loss.seen, torch.full((75,), 3.0))  # type: ignore[arg-type]
    first.epoch()
    assert same(weights(first.model), weights(second.model))


BAD_FITS: list[tuple[dict[str, Any], str]] = [
    ({"labels": torch.full((75,), 0.5)}, "labels: 0.5 at position 0 is not a whole number"),
    ({"labels": torch.zeros(74, dtype=torch.int64)}, "74 labels for 75 images"),
    ({"labels": None}, "labels are needed"),
    ({"true": torch.zeros(3, dtype=torch.int64)}, "3 true labels for 75 images"),
    ({"redraw": Redrawn("symmetric", 3, 0.5)}, "redrawn from the true ones"),
    ({"device": "cuda:99"}, "--device cuda:99: cannot be used"),
    ({"device": "abacus"}, "--device abacus: cannot be used"),
    ({"device": "meta"}, "--device meta: cannot be used"),
    ({"rate": -1}, "rate -1: a number > 0 is needed"),
    ({"model": nn.ReLU()}, "no parameters to train"),
    ({"images": torch.zeros(1, 6), "labels": torch.zeros(1, dtype=torch.int64)}, "at least 2 are needed"),
]


@pytest.mark.parametrize(("changed", "message"), BAD_FITS)
def test_bad_input_to_fit(changed: dict[str, Any], message: str) -> None:
    x, y, _ = toy()
    arguments: dict[str, Any] = {"model": small(), "loss": nn.CrossEntropyLoss(), "images": x, "labels": y, **changed}
    with pytest.raises(InputError, match=message):
        fit(**arguments)


# ----------------------------------------------------------------------------------------------- the loss becomes NaN


class Explodes(nn.Module):
    """Cross entropy that is NaN on its n-th call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        self.at -= 1
        return F.cross_entropy(logits, labels) * (float("nan") if self.at == 0 else 1)


def test_a_loss_that_is_not_finite_stops_at_its_batch() -> None:
    x, y, _ = toy()  # five batches of 16
    with pytest.raises(DivergedError, match="the loss is nan in epoch 3, batch 2") as caught:
        fit(small(), Explodes(12), x, y, epochs=5, batch=16, precision="float64")
    assert (caught.value.epoch, caught.value.batch) == (3, 2)


class Steep(nn.Module):
    """Cross entropy whose value is right and whose gradient is NaN on its n-th call, as that of a square root at 0."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        self.at -= 1
        zero = (logits.sum() * 0).sqrt() * 0 if self.at == 0 else 0
        return F.cross_entropy(logits, labels) + zero


@pytest.mark.parametrize("call", [7, 10])
def test_a_gradient_that_is_not_finite_stops_at_its_batch(call: int) -> None:
    """In the last batch of an epoch it would leave NaN weights behind a finite curve, and those in a checkpoint."""
    x, y, _ = toy()  # five batches of 16
    with pytest.raises(DivergedError, match=f"the gradient's norm is nan in epoch 2, batch {call - 5}"):
        fit(small(), Steep(call), x, y, epochs=2, batch=16, precision="float64")


def test_long_epochs_are_looked_at_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOOK", 2)
    x, y, _ = toy()
    steps: list[int] = []
    trainer = Trainer(small(), Explodes(4), Data(Images(x), y), Settings(batch=16, precision="float64"))
    with pytest.raises(DivergedError, match="epoch 1, batch 4"):
        trainer.epoch(lambda: steps.append(1))
    assert len(steps) == 3


def test_the_last_checkpoint_is_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "SHARE", 0)
    monkeypatch.setattr(runs, "loss_of", lambda config: Explodes(3 * 2 + 1))
    line = f"train --subset 200 --width 0.1 --epochs 4 --out {tmp_path}"  # two batches an epoch
    assert main(line.split()) == 1
    said = capsys.readouterr().err
    assert "the loss is nan in epoch 4, batch 1" in said
    assert f"--resume --out {tmp_path}" in said
    assert said.count("\n") == 1
    kept = checkpoint.load(tmp_path / "checkpoint.pt")
    assert kept["epoch"] == 3
    assert all(bool(torch.isfinite(value).all()) for value in kept["model"].values())


# -------------------------------------------------------------------------------------------- checkpoints, resumption

TINY: dict[str, Any] = {
    "dataset": "digits", "loss": "jal-ce", "model": "cnn4", "width": 0.1, "epochs": 6, "subset": 150, "batch": 32,
    "threads": 1, "noise": {"kind": "symmetric", "eta": Fraction(2, 5)},
}  # fmt: skip


def tiny(**changed: Any) -> TrainConfig:
    return TrainConfig.resolve({**TINY, **changed})


class Stop(Exception):
    pass


def stopped_after(epochs: int) -> Any:
    def look(epoch: Epoch) -> None:
        if epoch.epoch == epochs:
            raise Stop

    return look


@pytest.mark.parametrize("mode", ["exact", "redrawn"])
def test_a_resumed_run_is_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setattr(runs, "SHARE", 0)
    config = tiny(noise={**TINY["noise"], "mode": mode}, regularisation="l1", strength=1e-5)
    whole = run(config, tmp_path / "whole")
    for epochs in (2, 5):
        with pytest.raises(Stop):
            run(config, tmp_path / "parts", resume=True, on_epoch=stopped_after(epochs))
        assert not (tmp_path / "parts/result.jsonl").exists()
    parts = run(config, tmp_path / "parts", resume=True)
    a, b = (checkpoint.load(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert a["model"].keys() == b["model"].keys()
    assert same(list(a["model"].values()), list(b["model"].values()))
    for one, other in zip(a["optimiser"]["state"].values(), b["optimiser"]["state"].values(), strict=True):
        assert torch.equal(one["momentum_buffer"], other["momentum_buffer"])
    clock = ("seconds", "images_per_second")
    curves = [
        [{k: v for k, v in e.facts().items() if k not in clock} for e in result.history.curve]
        for result in (whole, parts)
    ]
    assert curves[0] == curves[1]
    assert whole.history.final == parts.history.final
    assert len(record.read(tmp_path / "parts/result.jsonl")) == 1
    run(config, tmp_path / "parts", resume=True)  # nothing left to train, and nothing is written twice
    assert len(record.read(tmp_path / "parts/result.jsonl")) == 1
    model, read = trained_model(tmp_path / "parts")
    assert read == config
    assert same(list(model.state_dict().values()), list(a["model"].values()))


# One interpreter that has loaded everything by a first run; the runs after it are forks of it, which it stops.
FORKS = """
import contextlib, io, os, signal, sys, time
from pathlib import Path
from asymtheory.cli import main
from asymtheory_training.run import run as runs
runs.SHARE = 0
with contextlib.redirect_stdout(io.StringIO()):
    assert main("train --subset 100 --epochs 1 --width 0.1".split()) == 0

def stopped(arguments, kept, delay, how):
    "Exit status of a run that is stopped so long after it wrote a checkpoint."
    before = kept.stat().st_mtime_ns if kept.exists() else 0
    child = os.fork()
    if not child:
        os._exit(main(["train", *arguments]))
    deadline = time.monotonic() + 60
    while not kept.exists() or kept.stat().st_mtime_ns == before:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(child, how)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def forks(script: str, *arguments: str) -> tuple[str, str]:
    """Output and error output of a script that follows FORKS."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS + script, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


KILLS = """
out = sys.argv[2]
for delay in (0.0, 0.007, 0.02, 0.05):
    arguments = ["--config", sys.argv[1], "--out", out, "--resume"]
    print(stopped(arguments, Path(out) / "checkpoint.pt", delay, signal.SIGKILL))
"""


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_to_the_same_weights(tmp_path: Path) -> None:
    config = tiny(epochs=60, width=0.2)
    (tmp_path / "run.toml").write_text(config.to_toml())
    run(config, tmp_path / "whole")
    out, _ = forks(KILLS, str(tmp_path / "run.toml"), str(tmp_path / "killed"))
    assert out.split() == [str(-signal.SIGKILL)] * 4
    assert checkpoint.load(tmp_path / "killed/checkpoint.pt")["epoch"] < config.epochs
    run(config, tmp_path / "killed", resume=True)
    a, b = (checkpoint.load(tmp_path / name / "checkpoint.pt")["model"] for name in ("whole", "killed"))
    assert same(list(a.values()), list(b.values()))


def test_checkpoints_take_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []

    def save(path: Path, content: dict[str, Any]) -> None:
        time.sleep(0.02)
        saved.append(content["epoch"])

    monkeypatch.setattr(checkpoint, "save", save)
    run(tiny(epochs=30), tmp_path)
    assert saved[0] == 1
    assert saved[-1] == 30
    assert len(saved) < 15


OTHER = [
    ({"epochs": 7}, "epochs 6 there, 7 here"),
    ({"loss": "ce", "seed": 4}, "loss jal-ce there, ce here, seed 0 there, 4 here"),
    ({"parameters": {"a": 5}}, "parameters.a not given there, 5 here"),
    (
        {"noise": {"kind": "pair", "eta": Fraction(1, 5)}},
        "noise.kind symmetric there, pair here, noise.eta 0.4 there, 0.2 here",
    ),
]


@pytest.mark.parametrize(("changed", "message"), OTHER)
def test_a_checkpoint_of_another_configuration_is_refused(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(Stop):
        run(tiny(), tmp_path, on_epoch=stopped_after(1))
    with pytest.raises(InputError) as caught:
        run(tiny(**changed), tmp_path, resume=True)
    assert str(caught.value) == f"--resume: the checkpoint is of another configuration: {message}"
    with pytest.raises(InputError, match="holds a run already; go on with --resume"):
        run(tiny(), tmp_path)
    run(tiny(device="cpu", threads=1), tmp_path, resume=True)  # where it runs may differ


def test_other_labels_in_the_same_file_are_noticed(tmp_path: Path) -> None:
    labels = load_dataset("digits").train_labels.numpy().copy()
    np.save(tmp_path / "noisy.npy", labels)
    config = tiny(noise={}, labels=str(tmp_path / "noisy.npy"), subset=None, epochs=2)
    with pytest.raises(Stop):
        run(config, tmp_path / "run", on_epoch=stopped_after(1))
    labels[3] = (labels[3] + 1) % 10
    np.save(tmp_path / "noisy.npy", labels)
    with pytest.raises(InputError, match=r"of another configuration: labels .* there, .* here"):
        run(config, tmp_path / "run", resume=True)


@pytest.mark.parametrize("damage", ["cut", "text", "version", "bit"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"epoch": 1, "model": {"w": torch.ones(100)}})
    content = path.read_bytes()
    if damage == "version":
        torch.save({"format": 99}, path)
    elif damage == "bit":
        weight = content.index(torch.ones(100).numpy().tobytes())
        path.write_bytes(content[:weight] + b"\1" + content[weight + 1 :])
        assert torch.load(path)["model"]["w"][0] != 1  # torch itself does not notice
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"hello")
    with pytest.raises(InputError, match="delete it to start again"):
        run(tiny(), tmp_path, resume=True)
    with pytest.raises(InputError, match="holds no checkpoint"):
        trained_model(tmp_path / "nowhere")


def test_a_full_disk_leaves_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "SHARE", 0)
    real, count = os.fsync, [0]

    def full(descriptor: int) -> None:
        count[0] += 1
        if count[0] > 8:  # the configuration and some checkpoints went well: a file and its folder each
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert main(f"train --subset 100 --width 0.1 --epochs 9 --out {tmp_path}".split()) == 2
    said = capsys.readouterr().err
    assert (
        "the checkpoint after epoch 4 cannot be written (No space left on device); the previous checkpoint is intact"
        in said
    )
    assert said.count("\n") == 1
    assert checkpoint.load(tmp_path / "checkpoint.pt")["epoch"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "checkpoint.pt", "config.toml"]
    monkeypatch.setattr(os, "fsync", real)
    assert main(f"train --resume --out {tmp_path}".split()) == 0


def test_what_a_kill_left_of_a_checkpoint_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    (tmp_path / ".checkpoint.pt.999.part").write_bytes(b"half")
    (tmp_path / "other.part").write_bytes(b"")
    checkpoint.save(path, {"epoch": 1})
    assert sorted(each.name for each in tmp_path.iterdir()) == ["checkpoint.pt", "other.part"]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with record.locked(tmp_path), pytest.raises(InputError, match="another run is writing there"):
        run(tiny(), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be used"):
        run(tiny(), tmp_path / "file")


INTERRUPT = """
out = sys.argv[1]
arguments = ["--epochs", "5000", "--subset", "100", "--out", out]
print(stopped(arguments, Path(out) / "checkpoint.pt", 0.05, signal.SIGINT))
"""


@pytest.mark.slow
def test_ctrl_c_finishes_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    out, err = forks(INTERRUPT, str(tmp_path))
    assert out == "130\n"
    said = (
        rf"asymtheory train: stopped after epoch \d+ of 5000; `asymtheory train --resume --out {tmp_path}` goes on .*\n"
    )
    assert re.fullmatch(said, err)
    assert checkpoint.load(tmp_path / "checkpoint.pt")["epoch"] > 0


# --------------------------------------------------------------------------------------------------- results, records


def test_the_line_of_a_run_says_everything(tmp_path: Path) -> None:
    config = tiny()
    result = run(config, results=tmp_path / "deep/runs.jsonl")
    (facts,) = record.read(tmp_path / "deep/runs.jsonl")
    assert facts == json.loads(json.dumps(result.to_dict()))
    assert TrainConfig.resolve(facts["config"]) == config
    assert facts["id"] == config.key()
    assert facts["labels"]["count"] == 150
    assert facts["labels"]["wrong"] == 60
    assert re.fullmatch("[0-9a-f]{16}", facts["labels"]["checksum"])
    assert set(facts["versions"]) >= {"python", "torch", "numpy"}
    assert facts["git"] is None or re.fullmatch(r"[0-9a-f]{12}\+?", facts["git"])
    assert facts["device"]["type"] == "cpu"
    assert len(facts["curve"]) == 6
    assert facts["curve"][-1] == facts["last"]
    assert facts["best"]["test"] == max(epoch["test"] for epoch in facts["curve"])
    assert facts["images_per_second"] > 0
    assert facts["theory"]["asymmetric"] is True
    assert facts["theory"]["answer"] == "a >= 1.8"
    assert facts["parameters"] == sum(p.numel() for p in Prepared.of(config).trainer(nn.CrossEntropyLoss()).weights)


def test_seeds_change_weights_and_order_but_not_the_labels() -> None:
    first, second, third = run(tiny(epochs=1)), run(tiny(epochs=1, seed=1)), run(tiny(epochs=1))
    assert first.labels == second.labels
    assert first.last.loss != second.last.loss
    assert first.last.loss == third.last.loss
    other = run(tiny(epochs=1, noise={**TINY["noise"], "seed": 1}))
    assert other.labels["checksum"] != first.labels["checksum"]


THEORY = [
    ("amse", {"a": 1}, "symmetric", "4/5", False, "a >= 9"),
    ("amse", {"a": 9}, "symmetric", "4/5", True, "a >= 9"),
    ("ce", {}, "pair", "2/5", False, None),
    ("mae", {}, "pair", "2/5", True, None),
    ("amse", {"a": 30}, "cifar10n-worse", None, True, "a >= 5000/1343 (3.72301)"),
    ("mae", {}, "symmetric", "19/20", False, None),
]


@pytest.mark.parametrize(("loss", "parameters", "kind", "eta", "asymmetric", "answer"), THEORY)
def test_theory_is_the_cores_verdict(
    loss: str, parameters: dict[str, int], kind: str, eta: str | None, asymmetric: bool, answer: str | None
) -> None:
    given = {"loss": loss, "parameters": parameters, "noise": {"kind": kind, "eta": eta}}
    prepared = Prepared.of(TrainConfig.resolve(given))
    facts = theory(prepared.config, prepared.noise)
    assert facts is not None
    assert facts["asymmetric"] is asymmetric
    assert facts["answer"] == answer
    assert theory(prepared.config, None) is None


def test_lines_are_appended_whole_by_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: record.append(path, {"i": i, "text": "x" * 5000}), range(60)))
    assert sorted(line["i"] for line in record.read(path)) == list(range(60))


def test_a_torn_last_line_is_repaired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.jsonl"
    record.append(path, {"i": 0})
    with path.open("a") as file:
        file.write('{"i": 1, "te')
    assert record.read(path) == [{"i": 0}]
    record.append(path, {"i": 2})
    assert "a torn last line (12 bytes) is removed" in capsys.readouterr().err
    assert record.read(path) == [{"i": 0}, {"i": 2}]
    path.write_text('{"i": 0}\n{"i": 1}')  # whole, without its newline
    record.append(path, {"i": 2})
    assert record.read(path) == [{"i": 0}, {"i": 1}, {"i": 2}]
    assert capsys.readouterr().err == ""
    path.write_text('{"i": 0}\nnonsense\n{"i": 1}\n')
    with pytest.raises(InputError, match="line 2: is not JSON"):
        record.read(path)


def test_a_line_that_cannot_be_written_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.jsonl"
    record.append(path, {"i": 0})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"the line cannot be written \(No space left on device\)"):
        record.append(path, {"i": 1})
    assert path.read_text() == '{"i": 0}\n'
    with pytest.raises(InputError, match="cannot be read"):
        record.read(tmp_path / "none.jsonl")


# ------------------------------------------------------------------------------------------------------ the command


def test_out_of_the_box(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = f"train --dataset digits --noise symmetric --eta 0.4 --loss jal-ce --set a=30 --out {tmp_path / 'run'}"
    assert main(line.split()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "asymmetric on this noise with a = 30; it takes a >= 1.8" in out
    assert "577 wrong" in out
    (facts,) = record.read(tmp_path / "run/result.jsonl")
    assert facts["last"]["test"] > 0.93
    assert facts["final"]["memorised"] < 0.1
    assert f"{100 * facts['last']['test']:.2f} % last epoch" in out
    assert main(f"train --resume --out {tmp_path / 'run'}".split()) == 0
    again, _ = capsys.readouterr()
    assert again.splitlines()[:-1] == out.splitlines()[:-1]  # but the seconds


def test_the_command_line_goes_before_the_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    line = "train --recipe jal-cifar10 --noise pair --eta 1/3 --clip inf --set a=20 --dry-run --write-config"
    assert main([*line.split(), str(path)]) == 0
    assert capsys.readouterr().out == path.read_text()
    config = TrainConfig.from_toml(path)
    assert config.noise == Noise("pair", Fraction(1, 3))
    assert config.clip == float("inf")
    assert config.parameters["a"] == 20

    def resolved(options: str) -> dict[str, Any]:
        assert main(["train", "--config", str(path), "--dry-run", "--json", *options.split()]) == 0
        facts: dict[str, Any] = json.loads(capsys.readouterr().out)
        return facts

    assert resolved("--epochs 3 --seed 5")["epochs"] == 3
    assert resolved("--set a=7")["parameters"] == {"alpha": 1, "beta": 1, "a": 7, "q": 2}
    assert resolved("--loss gce")["parameters"] == {"q": 0.9}  # JAL Table 8, and nothing of the old loss
    assert resolved("--noise none")["noise"] == {"kind": "none", "eta": None, "mode": "exact", "seed": 0}
    assert resolved("--noise-seed 4")["noise"] == {"kind": "pair", "eta": "1/3", "mode": "exact", "seed": 4}
    assert resolved("--labels x.npy")["noise"]["kind"] == "none"
    assert resolved("--regularisation none")["strength"] == 0
    assert resolved("--formula -log(u)")["loss"] is None


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("train --recipe list".split()) == 0
    assert "jal-cifar100: cifar100, loss jal-ce" in capsys.readouterr().out


def test_json_and_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    line = "train --formula ((a+1)**q-(a+u)**q)/q --set a=1 q=0.5 --noise uniform --eta 0.5 --noise-mode iid"
    assert main([*line.split(), *"--subset 100 --width 0.1 --epochs 2 --json".split()]) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert err == ""
    assert facts["config"]["formula"] == "((a+1)**q-(a+u)**q)/q"
    assert facts["theory"]["asymmetric"] is True
    assert len(facts["curve"]) == 2


REFUSALS = [
    ("--epochs 0", "--epochs 0: a whole number >= 1 is needed"),
    ("--epochs two", "--epochs 'two' is not a finite number"),
    ("--eta 0.4", "--eta 0.4: noise.kind must name a noise"),
    ("--noise symmetric", "needs eta"),
    ("--noise symetric --eta 0.4", "did you mean 'symmetric'"),
    ("--loss jal-cee", "did you mean 'jal-ce'"),
    ("--loss jal-ce --set b=3", "no parameter 'b'"),
    ("--loss jal-ce --set a=0.5", "a"),
    ("--set a=1 a=2", "--set a is given twice"),
    ("--set a", "NAME=VALUE is needed"),
    ("--dataset digit", "did you mean 'digits'"),
    ("--model cnn5", "--model 'cnn5': not a model"),
    ("--model cnn8 --width 0", "--width 0: a number > 0 is needed"),
    ("--subset 5", "subset 5: a whole number in 10..1442 is needed"),
    ("--resume", "--resume goes with --out"),
    ("--tensorboard", "--tensorboard goes with --out"),
    ("--regularisation published", "--regularisation 'published': a recipe is needed"),
    ("--recipe jal", "recipe 'jal': not a recipe"),
    ("--config /nowhere/run.toml", "--config /nowhere/run.toml: cannot be read"),
    ("--labels /nowhere/noisy.npy", "/nowhere/noisy.npy"),
    ("--dataset mnist --data-dir /nowhere", "/nowhere"),
    ("--device cuda:99", "--device cuda:99: cannot be used"),
    (
        "--write-config /nowhere/run.toml --dry-run",
        "--write-config /nowhere/run.toml: there is no folder /nowhere",
    ),
    ("--schedule step", "--schedule 'step': cosine, constant, step"),
]


@pytest.mark.parametrize(("options", "message"), REFUSALS)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], options: str, message: str) -> None:
    assert main(["train", *options.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("asymtheory train: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("module", ["torch._inductor.exc", "builtins"])
def test_a_network_that_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """What the compiler raises, a machine without a C++ compiler for one; an error of the network itself is left as it is."""
    failing = type("InvalidCxxCompiler", (RuntimeError,), {"__module__": module})

    def compiled(forward: object, mode: str) -> Any:
        def run(*inputs: object) -> object:
            raise failing("no compiler\nmore")

        return run

    monkeypatch.setattr(torch, "compile", compiled)
    error, message = (
        (failing, "no compiler") if module == "builtins" else (InputError, r"compile on: .* \(no compiler\)")
    )
    with pytest.raises(error, match=message):
        run(tiny(epochs=1, compile="on"))


def test_tensorboard_logs_or_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    added: list[tuple[str, float, int]] = []
    writer = types.SimpleNamespace(add_scalar=lambda *a: added.append(a), flush=lambda: None)
    fake = types.SimpleNamespace(SummaryWriter=lambda folder, purge_step: writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    result = run(tiny(epochs=2), tmp_path / "with", tensorboard=True)
    assert ("test", result.last.test, 2) in [(name, pytest.approx(value, rel=1e-4), at) for name, value, at in added]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run(tiny(epochs=1), tmp_path / "without", tensorboard=True)
    assert capsys.readouterr().err == "asymtheory train: no TensorBoard logs: pip install tensorboard\n"


def test_tensorboard_reads_what_is_written(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    result = run(tiny(epochs=2), tmp_path, tensorboard=True)
    found = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(each.step, each.value) for each in found.Scalars("loss")] == [
        (epoch.epoch, pytest.approx(epoch.loss, rel=1e-5)) for epoch in result.history.curve
    ]
