"""Training groups of models and measuring what they ended with: as one batch (perceptrons), or one by the loop's trainer."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from hashlib import file_digest, sha256
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json
from asymtheory.reading.archives import read_npz
from asymtheory.writing import write_file

from ..data.inputs import Data, Images
from ..data.labels import transition
from ..losses.build import build_loss
from ..run import checkpoint
from ..run.device import using
from ..run.evaluation import fitted
from ..run.loop import DivergedError, Trainer
from ..run.run import CHECKSUM, Keeper
from ..run.stack import Families, Family, StackedTrainer
from .design import Design, Group, prepared

Floats = npt.NDArray[np.float64]

BINS = 20  # of the histograms of p in [0, 1]


@dataclass(frozen=True, eq=False)
class Trained:
    """What a group's models did. Arrays begin with (S, V): seeds, values.

    ``train``, ``test``: p of the true class for every image, (S, V, N). ``vectors``: mean softmax vector of the training images of
    every true class, (S, V, K, K). ``histograms``: of p of the *given* label, clean and corrupted samples, (S, V, 2, 20);
    zeros in the population regime. ``shares``: clean, memorised, recovered (S, V, 3), NaN where there is no such part.
    ``curve``: test accuracy (S, V, E) after the ``epochs`` listed. ``diverged``: (S, V).
    """

    train: Floats
    test: Floats
    vectors: Floats
    histograms: Floats
    shares: Floats
    curve: Floats
    epochs: list[int]
    diverged: npt.NDArray[np.bool_]
    seconds: float

    ARRAYS = ("train", "test", "vectors", "histograms", "shares", "curve", "diverged")

    def save(self, path: Path) -> str:
        """Write the arrays; the checksum of the file."""
        file = io.BytesIO()
        arrays = {name: getattr(self, name) for name in self.ARRAYS}
        for name in ("train", "test", "vectors", "histograms"):
            arrays[name] = arrays[name].astype(np.float32)
        np.savez_compressed(file, **arrays)
        write_file(path, file.getvalue(), "--out")
        return sha256(file.getvalue()).hexdigest()[:CHECKSUM]

    @classmethod
    def load(cls, path: Path, group: Group, line: Json) -> Trained:
        """The arrays of a group, whose line says which epochs were tested. InputError where they are not those of the line."""
        epochs, seconds = line["tested"], line["seconds"]
        models, K = (len(group.seeds), len(group.values)), group.design.K
        dataset = prepared(group.design, group.seeds[0]).dataset
        assert dataset.test_labels is not None  # of data without them nothing is confirmed: `prepared`
        shapes = {
            "train": (len(dataset.train_labels),), "test": (len(dataset.test_labels),), "vectors": (K, K),
            "histograms": (2, BINS), "shares": (3,), "curve": (len(epochs),), "diverged": (),
        }  # fmt: skip
        kinds = {name: "b" if name == "diverged" else "f" for name in cls.ARRAYS}
        arrays = read_npz(path, {name: (kinds[name], (*models, *shapes[name])) for name in cls.ARRAYS})
        with open(path, "rb") as file:
            own = file_digest(file, "sha256").hexdigest()[:CHECKSUM]
        if line.get("checksum", own) != own:  # older lines have none
            raise InputError(f"{path}: holds the arrays of another group, or was changed")
        floats = {name: value.astype(float) for name, value in arrays.items() if name != "diverged"}
        return cls(**floats, diverged=arrays["diverged"], epochs=epochs, seconds=seconds)


def train(
    together: Sequence[Group], tick: Callable[[int], object] = lambda models: None, out: Path | None = None
) -> list[Trained]:
    """Train and measure the models of groups of one design, as one batch where they can be stacked (else it is one group).

    ``tick`` is called after every epoch with the models that it was of. ``out``: a model that is trained by itself leaves
    checkpoints there and goes on from them, with the same result.
    """
    if together[0].design.stacks:
        return _stacked(together, tick)
    return [_single(group, tick, out) for group in together]


def _tested(design: Design, epoch: int) -> bool:
    config = design.config
    return epoch % config.evaluate == 0 or epoch == config.epochs


def stacked(together: Sequence[Group]) -> StackedTrainer:
    """The models of groups of one design, with the same seeds, as one batch, before training."""
    design, seeds = together[0].design, together[0].seeds
    by_seed = [prepared(design, seed) for seed in seeds]
    families = [
        Family(
            group.grid.loss,
            group.grid.parameter,
            [group.grid.values[place] for place in group.values] if group.grid.parameter else (),
            [design.scale(member) for member in group.members],
        )
        for group in together
    ]
    data = by_seed[0].data
    given = torch.stack([each.data.given for each in by_seed]) if design.regime == "fixed" else None
    rows = torch.tensor(transition(design.noise)) if design.expected else None
    if design.expected:
        data = replace(data, redraw=None)
    return StackedTrainer(
        Families(families), data, design.config, seeds, K=design.K, model=design.config.model, width=design.config.width,
        given=given, rows=rows,
    )  # fmt: skip


def _stacked(together: Sequence[Group], tick: Callable[[int], object]) -> list[Trained]:
    design, start = together[0].design, perf_counter()
    trainer = stacked(together)
    epochs, curve = [], []
    for _ in trainer.remaining():
        trainer.epoch()
        if _tested(design, trainer.done):
            epochs.append(trainer.done)
            curve.append(trainer.test() or [math.nan] * len(trainer))
        tick(len(trainer))

    def logits(images: Images) -> Iterator[tuple[slice, Tensor]]:
        return trainer.predict(images)

    sizes = [len(group.values) for group in together]
    shape = (len(together[0].seeds), sum(sizes))
    labels = trainer.given if design.regime == "fixed" else None
    found = measured(logits, trainer.data, labels, design.K, shape)
    found["curve"] = np.array(curve).T.reshape(*shape, -1)
    found["diverged"] = np.array(trainer.diverged).reshape(shape)
    ends = np.cumsum(sizes)
    seconds = perf_counter() - start
    return [
        Trained(
            **{name: array[:, end - size : end] for name, array in found.items()},
            epochs=epochs,
            seconds=seconds * size / sum(sizes),
        )
        for size, end in zip(sizes, ends, strict=True)
    ]


def _single(group: Group, tick: Callable[[int], object], out: Path | None) -> Trained:
    """One model of any network, by the loop's trainer."""
    design = group.design
    if design.expected:
        raise InputError(f"--expected: only stacked models (mlp) have it, not {design.config.model}")
    (seed,), (loss,) = group.seeds, group.members
    config = design.for_seed(seed)
    own = replace(prepared(design, seed), config=config)
    trainer = own.trainer(build_loss(Fraction(design.scale(loss)) * loss))
    folder = None if out is None else out / group.key
    start, before, diverged = perf_counter(), 0.0, False
    if folder is not None:
        folder.mkdir(exist_ok=True)
        if (folder / checkpoint.NAME).exists():
            state = checkpoint.load(folder / checkpoint.NAME, checkpoint.RUN)
            trainer.restore(state)
            before = state["seconds"]
            tick(trainer.done)
    keeper = Keeper(folder, config, own, datetime.now(UTC).isoformat(timespec="seconds"), before - start)
    try:
        for _ in trainer.remaining():
            trainer.epoch()
            keeper.after(trainer)
            tick(1)
    except DivergedError:
        diverged = True
    tested = [(epoch.epoch, epoch.test) for epoch in trainer.curve if epoch.test is not None]
    fixed = design.regime == "fixed"
    labels = trainer.data.given[None] if fixed else None
    trainer.model.eval()
    found = measured(lambda images: _logits(trainer, images), trainer.data, labels, design.K, (1, 1))
    return Trained(
        **found,
        curve=np.array([test for _, test in tested]).reshape(1, 1, -1),
        epochs=[epoch for epoch, _ in tested],
        diverged=np.array([[diverged]]),
        seconds=before + perf_counter() - start,
    )


@torch.no_grad()
def _logits(trainer: Trainer, images: Images) -> Iterator[tuple[slice, Tensor]]:
    setup = trainer.setup
    with using(setup.threads), setup.computing():
        for begin in range(0, len(images), images.evaluation):
            part = slice(begin, min(begin + images.evaluation, len(images)))
            yield part, trainer.model(setup.inputs(images.batch(part, setup.dtype))).float()[None]


@torch.no_grad()
def measured(
    logits: Callable[[Images], Iterator[tuple[slice, Tensor]]],
    data: Data,
    given: Tensor | None,
    K: int,
    shape: tuple[int, int],
) -> Json:
    """The arrays of an :class:`Trained` from logits (M, n, K); ``given``: labels (S, N) in the fixed regime."""
    S, V = shape
    M, true = S * V, data.true
    assert true is not None
    assert data.test_labels is not None
    images: Json = {"train": data.images, "test": data.test}
    if isinstance(data.images, Images):
        images["train"] = replace(data.images, kind="none")
    found: Json = {}
    for name, labels in (("train", true), ("test", data.test_labels)):
        p = torch.empty(M, len(labels), dtype=torch.float64)
        sums, predicted = torch.zeros(M, K, K, dtype=torch.float64), torch.empty(M, len(labels), dtype=torch.int64)
        bins = torch.zeros(M, 2, BINS, dtype=torch.float64)
        for part, z in logits(images[name]):
            own = labels[part].cpu()
            z = z.cpu().double()
            u = (z - z.amax(-1, keepdim=True)).exp()  # softmax; torch's own is slow where classes are few and lie apart
            u /= u.sum(-1, keepdim=True)
            p[:, part] = u.gather(-1, own[None, :, None].expand(M, -1, 1))[..., 0]
            sums += one_hot(own, K).to(u.dtype).mT @ u
            if given is not None and name == "train":
                predicted[:, part] = z.contiguous().argmax(-1)
                label = given[:, part].cpu().repeat_interleave(V, 0)
                q = u.gather(-1, label[..., None])[..., 0].nan_to_num(0.0)
                place = (q * BINS).long().clamp(max=BINS - 1) + BINS * (label != own)
                bins.view(M, -1).scatter_add_(1, place, torch.ones_like(q, dtype=torch.float64))
        found[name] = p.reshape(S, V, -1).numpy()
        if name == "train":
            counts = torch.bincount(labels.cpu(), minlength=K).clamp(min=1)
            found["vectors"] = (sums / counts[None, :, None]).reshape(S, V, K, K).numpy()
            found["histograms"] = bins.reshape(S, V, 2, BINS).numpy()
            parts = np.full((S, V, 3), np.nan)
            for s in range(S if given is not None else 0):
                assert given is not None
                for v, each in enumerate(fitted(predicted[s * V : (s + 1) * V], given[s].cpu(), true.cpu())):
                    parts[s, v] = [math.nan if x is None else x for x in (each.clean, each.memorised, each.recovered)]
            found["shares"] = parts
    return found
