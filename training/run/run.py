"""From a configuration to a result: data, labels, network, training, the folder of the run and its line in a results file.

    result = run(TrainConfig.resolve({"loss": "jal-ce", "noise": {"kind": "symmetric", "eta": "0.4"}}))
    print(result.last.test, result.history.final.memorised)

The folder (``out``) holds ``config.toml`` (every setting), ``checkpoint.pt`` and ``result.jsonl``; see :mod:`.checkpoint` for what
a run killed at any moment continues from. Checkpoints are taken after every epoch as long as that costs less than a twentieth
of the time, else as often as that allows.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from asymtheory.asymmetry.condition import check
from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue, read
from asymtheory.noise import NoiseModel
from asymtheory.numbers.text import plain
from asymtheory.threshold import solve
from asymtheory.writing import replace_file

from ..data.features import load_features
from ..data.fetch import descriptions
from ..data.inputs import Data, Images, Inputs, stream
from ..data.instance_noise import INSTANCE
from ..data.labels import NoisyLabels, Redrawn, checksum, make_labels, noise_model
from ..data.sets import EMBEDDED, IN_FILES, Dataset, check_name, load_dataset, subset_indices
from ..distributed import ALONE, World, current
from ..losses.build import build_loss
from ..losses.registry import head_of
from ..losses.student import StudentLoss
from . import checkpoint
from .config import CLEAN, ELSEWHERE, Settings, TrainConfig
from .device import check_device
from .loop import Trainer
from .models import Network, build_model, parameters
from .probe import Probe
from .progress import Progress
from .record import Epoch, RunResult, append, locked, revision, versions

if TYPE_CHECKING:
    from ..data.folders import FolderSet

SHARE = 20  # a checkpoint may take 1/20 of the time between two of them
CONFIG, LINE = "config.toml", "result.jsonl"
CHECKSUM = 16  # hexadecimal digits of a SHA-256 that are kept

LOG = logging.getLogger("asymtheory")
"""Says how files of labels and noise were read (level INFO)."""


def run(
    config: TrainConfig,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    results: str | os.PathLike[str] | None = None,
    progress: bool = False,
    tensorboard: bool = False,
    on_epoch: Callable[[Epoch], object] | None = None,
) -> RunResult:
    """Train as configured.

    ``out``: the folder of the run; ``resume`` goes on with what it holds (from the start, if it holds nothing). ``results``: the
    file that gets the run's line (default: ``result.jsonl`` in ``out``). ``on_epoch`` is called with every :class:`Epoch`.
    Where torchrun started several processes, each of them calls this, and the first one writes.
    Raises InputError for bad input, also for a checkpoint of another configuration (naming the settings that differ), and
    :class:`.loop.DivergedError` when the loss is no longer finite.
    """
    loss, world = loss_of(config), current()
    with ExitStack() as stack:
        folder = None if out is None else Path(out)
        if folder is not None and world.leads:
            _open(folder, config, resume, stack)
        start = perf_counter()
        prepared, trainer = _ready(config, loss, world)
        probe = Probe(trainer) if config.probe and world.leads else None
        started, before = datetime.now(UTC).isoformat(timespec="seconds"), 0.0
        if folder is not None and resume:
            state = world.from_leader(lambda: _kept(folder, config, prepared))
            if state is not None:
                trainer.restore(state)
                if probe is not None:
                    with checkpoint.restoring(state["epoch"], config.epochs):
                        probe.restore(state["probe"])
                started, before = state["started"], state["seconds"]
        keeper = Keeper(folder if world.leads else None, config, prepared, started, before - start)
        writer = Writer(folder, trainer.done) if tensorboard and world.leads else None
        bar = stack.enter_context(Progress(trainer, progress and world.leads))
        for _ in trainer.remaining():
            epoch = trainer.epoch(bar.tick)
            if probe is not None:
                probe.after()
            keeper.after(trainer, probe)
            bar.show(epoch)
            if writer is not None:
                writer.add(epoch)
            if on_epoch is not None:
                on_epoch(epoch)
        device = {**trainer.setup.to_dict(), "processes": world.size}
        result = RunResult(
            config, trainer.history(), prepared.facts, theory(config, prepared.noise) if world.leads else None, device,
            parameters(trainer.model), started, perf_counter() - start + before, versions(), revision(),
            None if probe is None else probe.result(),
        )  # fmt: skip
        if world.leads:
            _record(result, results if results is not None else None if folder is None else folder / LINE)
        return result


def _ready(config: TrainConfig, loss: nn.Module, world: World) -> tuple[Prepared, Trainer]:
    """Data and trainer; what has to be fetched first is fetched by one process."""
    if not config.download:
        prepared = Prepared.of(config, world)
        return prepared, prepared.trainer(loss, world)
    with world.leader_first():
        prepared, model = Prepared.of(config, world), None
        if config.pretrained:
            model = prepared.model()
    return prepared, prepared.trainer(loss, world, model)


def possible(config: TrainConfig) -> None:
    """Refuse before training what could not be: data set, loss, parameters, noise, network and device by name."""
    check_device(config.device)  # whether it is there is for the machine that trains
    if config.data is None:
        check_name(config.dataset)
    loss_of(config)
    known = descriptions().get(config.dataset)
    K = len(known.classes) if known is not None else 10 if config.dataset == EMBEDDED else None
    if K is not None and config.labels is None and config.noise.kind not in (*INSTANCE, CLEAN):
        noise_model(config.noise.kind, K, config.noise.eta)
    if config.dataset not in IN_FILES:  # whose networks may need an extra that only the machine that trains has
        build_model(config.model, 2, (3, 64, 64), config.width, seed=0, head=head_of(config.loss))


def loss_of(config: TrainConfig) -> nn.Module:
    """The loss of a configuration as a torch module; InputError for an unknown name or parameter and a formula that is not one."""
    if config.formula is not None:
        return build_loss(config.core_loss())
    values: Json = dict(config.parameters)
    return build_loss(config.loss, **values)


# ----------------------------------------------------------------------------------------------------- what is trained


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data and labels of a configuration. ``facts`` describe the labels, ``noise`` is the model that they were drawn from."""

    config: TrainConfig
    dataset: Dataset | FolderSet
    data: Data
    facts: Mapping[str, JsonValue]
    noise: NoiseModel | None

    @classmethod
    def of(cls, config: TrainConfig, world: World = ALONE) -> Prepared:
        """Load and corrupt; nothing here depends on ``config.seed``, so runs of several seeds share their labels."""
        dataset = _load(config, world)
        if not dataset.trusted:
            return cls._as_collected(config, dataset)
        noisy = None
        if config.labels is not None:  # of the whole training set, or of the subset
            kept = dataset if config.subset is None else dataset.subset(config.subset)
            noisy = _from_file(config, dataset, kept)
        if config.subset is not None:
            dataset = dataset.subset(config.subset)
        true, noise, redraw = dataset.train_labels, None, None
        kind, eta = config.noise.kind, config.noise.eta
        if config.noise.mode == "redrawn" and kind != CLEAN:
            redraw = Redrawn(kind, dataset.K, eta)
            noise, facts = redraw.model, _redrawn_facts(true.numpy(), redraw)
        elif kind != CLEAN:
            noisy = make_labels(
                true.numpy(), kind, K=dataset.K, eta=eta, seed=config.noise.seed, mode=config.noise.mode,
                name=dataset.name, **_pixels(dataset, kind),
            )  # fmt: skip
            noise = noisy.model(dataset.class_names) if kind in INSTANCE else noise_model(kind, dataset.K, eta)
        elif noisy is not None:
            noise = noisy.model(dataset.class_names)
        else:
            facts = {"count": len(true), "wrong": 0, "rate": 0.0, "checksum": checksum(true.numpy())[:CHECKSUM]}
        for said in (noise, noisy):
            if said is not None and said.reading:
                LOG.info("%s read as %s", config.labels or kind, said.reading)
        if noisy is not None:
            wrong = int(noisy.corrupted.sum())
            facts = {"count": len(true), "wrong": wrong, "rate": noisy.rate, "checksum": noisy.checksum[:CHECKSUM]}
        given = true if noisy is None else torch.tensor(noisy.labels)
        images, test = _inputs(dataset)
        data = Data(images, given, true, redraw, test, dataset.test_labels, balanced=config.balanced)
        return cls(config, dataset, data, facts, noise)

    @classmethod
    def _as_collected(cls, config: TrainConfig, dataset: Dataset | FolderSet) -> Prepared:
        """A set whose labels are noisy already, nobody knows where: they are trained on as they are."""
        own = config.data is not None  # features, whose labels are those of the file
        if config.noise.kind != CLEAN or (config.labels is not None and not own):
            given = f"--labels {config.labels}" if config.labels is not None else f"--noise {config.noise.kind}"
            raise InputError(f"{given}: the labels of {dataset.name} are noisy as they were collected; leave it out")
        if config.probe:
            raise InputError(f"--probe: which labels of {dataset.name} are wrong is not known; leave it out")
        if config.subset is not None:
            dataset = dataset.subset(config.subset)
        labels, (images, test) = dataset.train_labels, _inputs(dataset)
        second = (None, None) if isinstance(dataset, Dataset) else (dataset.second, dataset.second_labels)
        data = Data(images, labels, None, None, test, dataset.test_labels, *second, config.balanced)
        digest = checksum(labels.numpy())[:CHECKSUM]
        facts = {"count": len(labels), "wrong": None, "rate": None, "checksum": digest, "kind": "as collected"}
        return cls(config, dataset, data, facts, None)

    def model(self) -> Network:
        """The network before training: the same in every process."""
        config, dataset = self.config, self.dataset
        seed = stream(config.seed, 0, "weights")
        return build_model(
            config.model, dataset.K, dataset.shape, config.width, seed, config.pretrained, config.download,
            head_of(config.loss),
        )  # fmt: skip

    def trainer(self, loss: nn.Module, world: World = ALONE, model: Network | None = None) -> Trainer:
        """A fresh model (or the one given) and its trainer."""
        model = self.model() if model is None else model
        if isinstance(loss, StudentLoss):
            loss.bind(model)
        return Trainer(model, loss, self.data, self.config, world)


def _load(config: TrainConfig, world: World) -> Dataset | FolderSet:
    """The data set, on the device or in files."""
    if config.dataset in IN_FILES:
        try:
            from ..data.folders import load_folders  # Pillow may be missing
        except ImportError as error:
            raise InputError(
                f"dataset {config.dataset}: its images need Pillow: pip install pillow ({error})"
            ) from None
        return load_folders(
            config.dataset, config.data_dir, config.image_size, config.workers, config.ilsvrc_dir, world
        )
    for name in ("image_size", "ilsvrc_dir", "workers"):
        if getattr(config, name) is not None:
            option = f"--{name.replace('_', '-')} {getattr(config, name)}"
            raise InputError(
                f"{option}: goes with the sets in files ({', '.join(IN_FILES)}), not with {config.dataset}"
            )
    if config.data is not None:
        return load_features(config.data, config.labels, config.column)
    return load_dataset(config.dataset, config.data_dir, config.download)


def _inputs(dataset: Dataset | FolderSet) -> tuple[Inputs, Inputs | None]:
    """Training and test images, as the loop takes them."""
    if not isinstance(dataset, Dataset):
        return dataset.train, dataset.test
    images = Images(dataset.train_images, dataset.mean, dataset.std, dataset.augmentation)
    return images, None if dataset.test_images is None else Images(dataset.test_images, dataset.mean, dataset.std)


def _pixels(dataset: Dataset | FolderSet, kind: str) -> Json:
    """What noise that depends on the image is made from; images in files are too many for it."""
    if not isinstance(dataset, Dataset):
        if kind in INSTANCE:
            raise InputError(f"--noise {kind}: needs the pixels of all images; those of {dataset.name} are in files")
        return {}
    if dataset.mean is None and kind in INSTANCE:
        raise InputError(
            f"--noise {kind}: needs the pixels of all images, and features have none; give such labels by --labels"
        )
    return {"images": dataset.train_images, "mean": dataset.mean, "std": dataset.std}


def _from_file(config: TrainConfig, whole: Dataset | FolderSet, kept: Dataset | FolderSet) -> NoisyLabels:
    """Labels of a file for the training images that are kept; it may hold those of the whole set."""
    assert config.labels is not None
    load = partial(
        NoisyLabels.load, config.labels, K=whole.K, column=config.column, name=whole.name, names=whole.class_names
    )
    try:
        noisy = load(whole.train_labels.numpy())
    except InputError:
        if config.subset is None:
            raise
        return load(kept.train_labels.numpy())
    if config.subset is None:
        return noisy
    return noisy.take(subset_indices(whole.train_labels.numpy(), whole.K, config.subset))


def _redrawn_facts(true: npt.NDArray[np.int64], redraw: Redrawn) -> Json:
    """Redrawn labels have an expected rate and no checksum: that of the true ones stands for them."""
    rate = float((1 - redraw.matrix.diagonal()[true]).mean())
    return {"count": len(true), "wrong": None, "rate": rate, "checksum": checksum(true)[:CHECKSUM]}


# -------------------------------------------------------------------------------------------------------- the folder


def _open(folder: Path, config: TrainConfig, resume: bool, stack: ExitStack) -> Path:
    """Make the folder, hold it, and write the configuration into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(locked(folder))
        if (folder / checkpoint.NAME).exists():
            if not resume:
                raise InputError(f"--out {folder}: holds a run already; go on with --resume, or name another folder")
        else:
            replace_file(folder / CONFIG, config.to_toml(folder).encode())
    except OSError as error:
        raise InputError(f"--out {folder}: cannot be used ({error.strerror or error})") from None
    return folder


def _kept(folder: Path, config: TrainConfig, prepared: Prepared) -> Json | None:
    """The checkpoint in the folder, of this very configuration; None where there is none yet."""
    if not (folder / checkpoint.NAME).exists():
        return None
    state = checkpoint.load(folder / checkpoint.NAME, checkpoint.RUN)
    _same(state, config, prepared)
    return state


def _same(state: Mapping[str, JsonValue], config: TrainConfig, prepared: Prepared) -> None:
    """Refuse a checkpoint of another run."""
    there, here = (
        {name: value for name, value in facts.items() if name not in ELSEWHERE}
        for facts in (
            {"probe": False, "data": None, **state["config"]},
            config.to_dict(),
        )  # older checkpoints lack both
    )
    if there["labels"] and here["labels"]:
        # what is in the file counts, not where it lies: its checksum is compared below
        there["labels"] = here["labels"]
    differing = checkpoint.differences(there, here)
    if not differing:
        differing = checkpoint.differences({"labels": state["labels"]}, {"labels": prepared.facts["checksum"]})
    if differing:
        raise InputError(f"--resume: the checkpoint is of another configuration: {', '.join(differing)}")


class InTraining(Protocol):
    """What a checkpoint is taken of, between two epochs: a :class:`.loop.Trainer`, or a stack of runs."""

    @property
    def settings(self) -> Settings: ...

    @property
    def done(self) -> int:
        """Epochs."""
        ...

    def state(self) -> Json: ...


class Keeper:
    """Takes checkpoints: after every epoch, unless that would cost more than a share of the time; always after the last."""

    def __init__(
        self, folder: Path | None, config: TrainConfig, prepared: Prepared, started: str, since: float
    ) -> None:
        self.path = None if folder is None else folder / checkpoint.NAME
        self.facts = {
            "config": config.to_dict(), "labels": prepared.facts["checksum"], "started": started,
            "K": prepared.dataset.K, "shape": list(prepared.dataset.shape), "versions": versions(),
        }  # fmt: skip
        self.since = since  # added to the clock it gives the seconds of the run, those before a resumption included
        self.took = 0.0
        self.last = -float("inf")

    def after(self, trainer: InTraining, probe: Probe | None = None) -> None:
        """Called between two epochs. Raises InputError when the checkpoint cannot be written."""
        now = perf_counter()
        due = now - self.last >= SHARE * self.took or trainer.done == trainer.settings.epochs
        if self.path is None or not due:
            return
        seen = {} if probe is None else {"probe": probe.state()}
        checkpoint.save(self.path, {**self.facts, "seconds": now + self.since, **trainer.state(), **seen})
        self.last = perf_counter()
        self.took = self.last - now


def trained_model(out: str | os.PathLike[str]) -> tuple[Network, TrainConfig]:
    """The network in the folder of a run, after its last checkpoint and in evaluation mode, and the configuration."""
    path = Path(out)
    state = checkpoint.load(path / checkpoint.NAME, checkpoint.RUN)
    with checkpoint.restoring(state["epoch"], state["epoch"]):
        config = TrainConfig.resolve(state["config"])
        model = build_model(config.model, state["K"], state["shape"], config.width, head=head_of(config.loss))
        model.load_state_dict(state["model"])
    return model.eval(), config


def _record(result: RunResult, path: str | os.PathLike[str] | None) -> None:
    """Append the line, unless this very run (resumed after its end) is in the file."""
    if path is None:
        return
    mine = (result.id, result.started)
    if Path(path).exists() and any((line.get("id"), line.get("started")) == mine for line in read(path)):
        return
    append(path, result.to_dict())


class Writer:
    """TensorBoard logs in ``out/tensorboard``; says so, once, and does nothing where TensorBoard is not installed."""

    def __init__(self, folder: Path | None, done: int) -> None:
        self.writer: Any = None
        if folder is None:
            raise InputError("--tensorboard goes with --out: the logs go into that folder")
        try:
            from torch.utils.tensorboard import SummaryWriter  # may be missing
        except ImportError:
            print("asymtheory train: no TensorBoard logs: pip install tensorboard", file=sys.stderr)
            return
        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def add(self, epoch: Epoch) -> None:
        """All figures of an epoch, flushed."""
        if self.writer is not None:
            for name, value in epoch.to_dict().items():
                if value is not None and name != "epoch":
                    self.writer.add_scalar(name, value, epoch.epoch)
            self.writer.flush()


# --------------------------------------------------------------------------------------------------------- the theory


def theory(config: TrainConfig, noise: NoiseModel | None) -> Json | None:
    """What the core says of this loss on this noise: asymmetric or not, the threshold of its main parameter, and why.

    None for clean labels and for a loss that the core does not have. ``says`` are lines for people.
    """
    if noise is None:
        return None
    try:
        loss = config.core_loss()
    except InputError:
        return None
    verdict = check(loss, noise)
    word = {True: "asymmetric", False: "not asymmetric", None: "undecided"}[verdict.asymmetric]
    facts: Json = {"asymmetric": verdict.asymmetric, "parameter": None, "value": None, "answer": None}
    says = f"{word} on this noise"
    if not noise.dominant:
        says += f": in {noise.row_name(noise.failures[0][0])} the true label is not the most frequent one"
    elif loss.main is not None:
        threshold = solve(loss, noise)
        value = loss.parameters[loss.main]
        facts |= {"parameter": loss.main, "value": float(value), "answer": threshold.answer}
        says += f" with {loss.main} = {plain(value)}; it takes {threshold.answer}"
    return {**facts, "because": verdict.reason, "says": [says, f"because {verdict.reason}"]}
