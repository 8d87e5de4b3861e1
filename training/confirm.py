"""Do networks do what the theory says of their loss? Models over a grid of parameters around the exact threshold, measured.

Two regimes, never in one table:

* *population*: the noisy label is drawn anew at every visit of an image (or the loss is its expectation over the labels:
  ``expected``). This is the risk that the theory speaks of. It predicts the whole softmax vector at an image of class i: the
  exact minimiser of the risk weighted by row i of the noise (:func:`asymtheory.minimise`), a vertex from the threshold on.
* *fixed*: one noisy label an image, as everyone trains. The theory says nothing of finite samples; what is measured is
  memorisation, the drop from the best to the last test accuracy, and the probabilities of clean and corrupted samples.

Losses are scaled (``equalise``) such that each has the slope of cross entropy, K, at the uniform prediction of an untrained
network: ``scale = K / s(1/K)`` (:mod:`asymtheory.slopes`). The minimiser of a risk does not depend on the scale of the loss, but
the speed of training does: without it a large parameter trains slower or faster, and that is what one would see.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asymtheory.domain import plain
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build
from asymtheory.noise import FAMILIES, NoiseModel, family
from asymtheory.ratio import asymmetry_ratio
from asymtheory.risk import minimise
from asymtheory.slopes import fitting_slope
from asymtheory.threshold import solve, solve_rate

from .checkpoint import replace_file
from .config import CLEAN, ELSEWHERE, Noise, TrainConfig
from .labels import transition
from .loop import DivergedError, Images, Trainer, fitted, using
from .losses import build_loss
from .record import append, locked, read, revision, versions
from .runs import Prepared
from .stack import Family, StackedTrainer

Floats = npt.NDArray[np.float64]

REGIMES = ("population", "fixed")
FARTHEST = 8.0  # the grid reaches from a* / 8 to 8 a*
QUANTILES = (0.05, 0.25, 0.75, 0.95)
BINS = 20  # of the histograms of p in [0, 1]
REPLICATES = 400  # of a bootstrap
LEVEL = 0.95  # of an interval
FORMAT = 1
GROUPS = "groups.jsonl"

LOSSES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("agce", {"q": "1/2"}), ("agce", {"q": "3/2"}), ("aul", {"p": "2"}), ("aul", {"p": "1/2"}), ("ael", {}),
    ("amse", {"q": "1"}), ("amse", {"q": "2"}), ("amse", {"q": "3"}), ("jal-ce", {}), ("nce+agce", {}),
    ("ce", {}), ("mae", {}),
)  # fmt: skip
"""The losses of the study; CE (never robust) and MAE (symmetric) are its ends."""


# -------------------------------------------------------------------------------------------------------------- the grid


@dataclass(frozen=True)
class Grid:
    """Values of a loss's main parameter around its threshold on a noise.

    ``status`` is that of :func:`asymtheory.solve`. Where there is no threshold the grid stands around the loss's own value, and
    ``threshold`` is None. ``outside``: values that the parameter's domain does not have; where these were dropped and the
    domain has a least value, that one is in the grid instead.
    """

    loss: Loss
    parameter: str | None
    threshold: Fraction | None
    status: str
    values: tuple[Fraction, ...]
    outside: tuple[Fraction, ...] = ()

    @classmethod
    def of(cls, loss: Loss, noise: NoiseModel, count: int = 9) -> Grid:
        """``count`` (odd) values from a*/8 to 8a*, a* in the middle, geometric. A loss without parameter has one model."""
        if loss.main is None:
            return cls(loss, None, None, "no parameter", ())
        name, found = loss.main, solve(loss, noise)
        end = found.end if found.status == "threshold" else None
        threshold = None
        if end is not None and end.value > 0:
            # a float next to an irrational threshold: the end of the enclosure on the feasible side
            low = found.feasible is not None and found.feasible.low is end
            threshold = end.number if end.number is not None else Fraction(end.high if low else end.low)
        centre = Fraction(loss.parameters[name]) if threshold is None else threshold
        half, domain = count // 2, loss.domains[name]
        wanted = [centre * _factor(step, half) for step in range(-half, half + 1)]
        if domain.integer:
            wanted = sorted({Fraction(round(value)) for value in wanted})
        values = [value for value in wanted if value in domain]
        outside = tuple(value for value in wanted if value not in domain)
        if threshold is not None and domain.low is not None and domain.low in domain:
            least = Fraction(domain.low)
            if any(value < least for value in outside) and least not in values:
                values = [least, *values]
        return cls(loss, name, threshold, found.status, tuple(values), outside)

    @property
    def members(self) -> list[Loss]:
        if self.parameter is None:
            return [self.loss]
        return [self.loss.replace(**{self.parameter: value}) for value in self.values]

    @property
    def fixed(self) -> dict[str, Any]:
        """The other parameters."""
        return {name: plain(value) for name, value in self.loss.parameters.items() if name != self.parameter}


def _factor(step: int, half: int) -> Fraction:
    """8^(step/half) as a short decimal; exact at the ends and in the middle."""
    if not step:
        return Fraction(1)
    return Fraction(f"{FARTHEST ** (step / half):.6g}")


def level(loss: Loss, noise: NoiseModel) -> float | None:
    """How far the noise is from the worst that the loss stands: >= 1 is asymmetric.

    ``c r`` (clean level times asymmetry ratio) for losses ``l(u_y)``. For others, on a noise family, c over the clean level
    at the highest rate of the family that the loss stands: the same number where both exist. None elsewhere.
    """
    clean = float(noise.clean_level)
    try:
        ratio = asymmetry_ratio(loss, noise.classes).r
        return clean * (ratio.low + ratio.high) / 2
    except InputError:
        pass
    if noise.kind not in FAMILIES or not math.isfinite(clean):
        return None
    try:
        found = solve_rate(loss, noise.kind, noise.classes)
    except InputError:
        return None
    piece = found.feasible
    if piece is None:
        return 0.0
    if piece.high is None:
        return None
    most = min(piece.high.value, 1.0)
    needed = float(family(noise.kind, noise.classes)(Fraction(most)).clean_level) if most > 0 else math.inf
    return clean / needed


# ------------------------------------------------------------------------------------------------------------ the design


@dataclass(frozen=True, kw_only=True)
class Design:
    """What is trained: data, noise, network and optimiser of ``config`` (its loss and seed are not looked at), and the regime.

    ``seeds``: each is a seed of the weights and order and, in the fixed regime, of the noisy labels, which all losses share.
    """

    config: TrainConfig
    regime: str
    seeds: tuple[int, ...] = (0, 1, 2)
    expected: bool = False
    equalise: bool = True
    count: int = 9

    def __post_init__(self) -> None:
        if self.regime not in REGIMES:
            raise InputError(f"--regime {self.regime!r}: {' or '.join(REGIMES)} is needed")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise InputError("seeds: at least one is needed, and no seed twice")
        if self.count < 3 or self.count % 2 == 0:
            raise InputError(
                f"--values {self.count}: an odd number >= 3 is needed, so that the threshold is one of them"
            )
        if self.config.noise.kind == CLEAN:
            raise InputError("--noise none: there is nothing to confirm on clean labels; name a noise")
        if self.expected and self.regime == "fixed":
            raise InputError("--expected goes with --regime population: in the other every image has its one label")

    @property
    def labels(self) -> str:
        return "fixed" if self.regime == "fixed" else "expected" if self.expected else "redrawn"

    def for_seed(self, seed: int) -> TrainConfig:
        """The configuration of one model."""
        mode = "exact" if self.regime == "fixed" else "redrawn"
        noise = self.config.noise
        return replace(self.config, seed=seed, noise=Noise(noise.kind, noise.eta, mode, seed))

    @property
    def stacks(self) -> bool:
        """Are models trained as one batch? Perceptrons are; other networks one by one."""
        return self.config.model == "mlp"

    def scale(self, loss: Loss) -> float:
        """The factor of the loss."""
        return self.K / fitting_slope(loss, self.K).unfitted if self.equalise else 1.0

    @property
    def K(self) -> int:
        return _prepared(self, self.seeds[0]).dataset.K

    @property
    def noise(self) -> NoiseModel:
        found = _prepared(self, self.seeds[0]).noise
        assert found is not None
        return found

    def facts(self) -> dict[str, Any]:
        """What every result of the design depends on beside its loss and seed."""
        config = {n: v for n, v in self.config.to_dict().items() if n not in (*ELSEWHERE, "loss", "parameters", "seed")}
        config["noise"] = {name: value for name, value in config["noise"].items() if name not in ("mode", "seed")}
        return {**config, "format": FORMAT, "labels": self.labels, "equalise": self.equalise}


_KEPT: dict[str, Prepared] = {}


def _prepared(design: Design, seed: int) -> Prepared:
    """Data and labels of one seed; the last few are kept."""
    config = design.for_seed(seed)
    key = (
        config.key() if design.regime == "fixed" else replace(config, seed=0, noise=replace(config.noise, seed=0)).key()
    )
    if key not in _KEPT:
        while len(_KEPT) >= 32:
            _KEPT.pop(next(iter(_KEPT)))
        found = Prepared.of(config)
        if found.data.true is None or found.data.test is None or found.noise is None:
            raise InputError(f"--dataset {config.dataset}: true labels and a test set are needed to confirm anything")
        _KEPT[key] = found
    return _KEPT[key]


# --------------------------------------------------------------------------------------------------------------- a group


@dataclass(frozen=True)
class Group:
    """What is trained in one go and kept under one key: all values and seeds of a loss (a stack), or one model."""

    design: Design
    grid: Grid
    values: tuple[int, ...]  # places in the grid
    seeds: tuple[int, ...]

    @property
    def members(self) -> list[Loss]:
        members = self.grid.members
        return [members[place] for place in self.values]

    def facts(self) -> dict[str, Any]:
        losses = [[member.name, {n: str(v) for n, v in member.parameters.items()}] for member in self.members]
        return {**self.design.facts(), "losses": losses, "seeds": list(self.seeds)}

    @property
    def key(self) -> str:
        """All that the result depends on, in 16 hexadecimal digits."""
        return blake2b(json.dumps(self.facts(), sort_keys=True).encode(), digest_size=8).hexdigest()

    @property
    def steps(self) -> int:
        """For a progress bar: epochs times models."""
        return len(self.values) * len(self.seeds) * self.design.config.epochs


def groups(design: Design, grids: Sequence[Grid]) -> list[Group]:
    """The groups of a design in the order in which they are trained."""
    found = []
    for grid in grids:
        places = tuple(range(len(grid.members)))
        if design.stacks:
            found.append(Group(design, grid, places, design.seeds))
        else:
            found += [Group(design, grid, (place,), (seed,)) for place in places for seed in design.seeds]
    return found


@dataclass(frozen=True, eq=False)
class Outcome:
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

    def save(self, path: Path) -> None:
        file = io.BytesIO()
        arrays = {name: getattr(self, name) for name in self.ARRAYS}
        for name in ("train", "test", "vectors", "histograms"):
            arrays[name] = arrays[name].astype(np.float32)
        np.savez_compressed(file, **arrays)
        try:
            replace_file(path, file.getvalue())
        except OSError as error:
            raise InputError(f"--out {path.parent}: cannot be written ({error.strerror or error})") from None

    @classmethod
    def load(cls, path: Path, epochs: list[int], seconds: float) -> Outcome:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in cls.ARRAYS}
        floats = {name: value.astype(float) for name, value in arrays.items() if name != "diverged"}
        return cls(**floats, diverged=arrays["diverged"], epochs=epochs, seconds=seconds)


def train(group: Group, tick: Callable[[int], Any] = lambda models: None) -> Outcome:
    """Train and measure the models of a group; ``tick`` is called after every epoch with the models that it was of."""
    return _stacked(group, tick) if group.design.stacks else _single(group, tick)


def _tested(design: Design, epoch: int) -> bool:
    config = design.config
    return epoch % config.evaluate == 0 or epoch == config.epochs


def _stacked(group: Group, tick: Callable[[int], Any]) -> Outcome:
    design, start = group.design, perf_counter()
    prepared = [_prepared(design, seed) for seed in group.seeds]
    members = group.members
    shared = Family(
        group.grid.loss,
        group.grid.parameter,
        [group.grid.values[place] for place in group.values] if group.grid.parameter else (),
        [design.scale(member) for member in members],
    )
    data = prepared[0].data
    fixed = design.regime == "fixed"
    given = torch.stack([each.data.given for each in prepared]) if fixed else None
    rows = torch.tensor(transition(design.noise)) if design.expected else None
    if design.expected:
        data = replace(data, redraw=None)
    trainer = StackedTrainer(
        shared, data, design.config, group.seeds, K=design.K, width=design.config.width, given=given, rows=rows
    )
    epochs, curve = [], []
    for _ in trainer.remaining():
        trainer.epoch()
        if _tested(design, trainer.done):
            epochs.append(trainer.done)
            curve.append(trainer.test() or [math.nan] * len(trainer))
        tick(len(trainer))

    def logits(images: Any) -> Iterator[tuple[slice, Tensor]]:
        return trainer.predict(images)

    shape = (len(group.seeds), len(members))
    labels = trainer.given if fixed else None
    found = _measured(logits, trainer.data, labels, design.K, shape)
    diverged = np.array(trainer.diverged).reshape(shape)
    return Outcome(
        **found, curve=np.array(curve).T.reshape(*shape, -1), epochs=epochs, diverged=diverged,
        seconds=perf_counter() - start,
    )  # fmt: skip


def _single(group: Group, tick: Callable[[int], Any]) -> Outcome:
    """One model of any network, by the loop's trainer."""
    design, start = group.design, perf_counter()
    if design.expected:
        raise InputError(f"--expected: only stacked models (mlp) have it, not {design.config.model}")
    (seed,), (loss,) = group.seeds, group.members
    prepared = _prepared(design, seed)
    prepared = replace(prepared, config=design.for_seed(seed))
    trainer = prepared.trainer(build_loss(Fraction(design.scale(loss)) * loss))
    epochs, curve, diverged = [], [], False
    try:
        for _ in trainer.remaining():
            epoch = trainer.epoch()
            if epoch.test is not None:
                epochs.append(epoch.epoch)
                curve.append(epoch.test)
            tick(1)
    except DivergedError:
        diverged = True
    fixed = design.regime == "fixed"
    labels = trainer.data.given[None] if fixed else None
    trainer.model.eval()
    found = _measured(lambda images: _logits(trainer, images), trainer.data, labels, design.K, (1, 1))
    return Outcome(
        **found, curve=np.array(curve).reshape(1, 1, -1), epochs=epochs, diverged=np.array([[diverged]]),
        seconds=perf_counter() - start,
    )  # fmt: skip


@torch.no_grad()
def _logits(trainer: Trainer, images: Any) -> Iterator[tuple[slice, Tensor]]:
    setup = trainer.setup
    with using(setup.threads), setup.computing():
        for begin in range(0, len(images), images.evaluation):
            part = slice(begin, min(begin + images.evaluation, len(images)))
            yield part, trainer.model(setup.inputs(images.batch(part, setup.dtype))).float()[None]


@torch.no_grad()
def _measured(
    logits: Callable[[Any], Iterator[tuple[slice, Tensor]]],
    data: Any,
    given: Tensor | None,
    K: int,
    shape: tuple[int, int],
) -> dict[str, Any]:
    """The arrays of an :class:`Outcome` from logits (M, n, K); ``given``: labels (S, N) in the fixed regime."""
    S, V = shape
    M, true = S * V, data.true
    images: dict[str, Any] = {"train": data.images, "test": data.test}
    if isinstance(data.images, Images):
        images["train"] = replace(data.images, kind="none")
    found: dict[str, Any] = {}
    for name, labels in (("train", true), ("test", data.test_labels)):
        p = torch.empty(M, len(labels), dtype=torch.float64)
        sums, predicted = torch.zeros(M, K, K, dtype=torch.float64), torch.empty(M, len(labels), dtype=torch.int64)
        bins = torch.zeros(M, 2, BINS, dtype=torch.float64)
        for part, z in logits(images[name]):
            u, own = torch.softmax(z.double(), -1).cpu(), labels[part].cpu()
            p[:, part] = u[:, torch.arange(len(own)), own]
            predicted[:, part] = z.argmax(-1).cpu()
            sums.index_add_(1, own, u)
            if given is not None and name == "train":
                label = given[:, part].cpu().repeat_interleave(V, 0)
                q = u.gather(-1, label[..., None])[..., 0].nan_to_num(0.0)
                place = (q * BINS).long().clamp(max=BINS - 1) + BINS * (label != own)
                bins.view(M, -1).scatter_add_(1, place, torch.ones_like(q))
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


# ----------------------------------------------------------------------------------------------------------------- rows


def interval(p: Floats, seed: int = 0, replicates: int = REPLICATES) -> Floats:
    """Bootstrap interval (95 %) of the mean over seeds and images of p (S, V, N): (V, 2).

    Seeds and images are drawn with replacement, each by itself (the images of a replicate are the same for all seeds and
    values). With one seed it is an interval over images only.
    """
    random = np.random.default_rng(seed)
    S, V, N = p.shape
    means = np.empty((replicates, V))
    for b in range(replicates):
        images = np.bincount(random.integers(N, size=N), minlength=N) / N
        drawn = np.bincount(random.integers(S, size=S), minlength=S) / S
        means[b] = drawn @ (p @ images)
    tail = (1 - LEVEL) / 2
    return np.quantile(means, [tail, 1 - tail], axis=0).T


def rows(grid: Grid, design: Design, outcomes: Sequence[tuple[Group, Outcome]]) -> list[dict[str, Any]]:
    """One row a value of the grid, from the outcomes of its groups (together: every seed and value once)."""
    seeds, count = list(design.seeds), len(grid.members)
    whole = _joined(design, count, outcomes)
    prepared = _prepared(design, seeds[0])
    true = prepared.data.true
    assert true is not None
    labels, noise, weights = true.cpu().numpy(), design.noise, transition(design.noise)
    test_labels = prepared.dataset.test_labels.cpu().numpy()
    around_train, around_test = interval(whole.train), interval(whole.test)
    found = []
    for v, member in enumerate(grid.members):
        value = None if grid.parameter is None else member.parameters[grid.parameter]
        exact = minimise(member, weights)
        own = np.diag(exact.point)
        mean = float(own[labels].mean())
        deviation = whole.train[:, v] - own[labels]
        off = interval(deviation[:, None])[0]
        measured, test = whole.train[:, v], whole.test[:, v]
        vectors = whole.vectors[:, v].mean(0)
        curve = whole.curve[:, v]
        shares = whole.shares[:, v]
        slope = fitting_slope(member, design.K)
        fixed = design.regime == "fixed"
        row = {
            "loss": grid.loss.name,
            "parameter": grid.parameter,
            "value": None if value is None else float(value),
            "threshold": None if grid.threshold is None else float(grid.threshold),
            "regime": design.regime,
            "exact": mean,
            "measured": measured.mean(),
            "low": around_train[v, 0],
            "high": around_train[v, 1],
            "memorised": shares[:, 1].mean() if fixed else None,
            "last": curve[:, -1].mean() if curve.shape[1] else None,
            "best": curve.max(1).mean() if curve.shape[1] else None,
            "seeds": len(seeds),
            # further facts
            "fixed": grid.fixed,
            "status": grid.status,
            "outside": [float(each) for each in grid.outside],
            "factor": None if grid.threshold is None or value is None else float(value / grid.threshold),
            "dataset": design.config.dataset,
            "noise": str(Noise(design.config.noise.kind, design.config.noise.eta)),
            "labels": design.labels,
            "deviation": deviation.mean(),
            "deviation_low": off[0],
            "deviation_high": off[1],
            "median": np.median(measured),
            "quantiles": dict(zip(map(str, QUANTILES), np.quantile(measured, QUANTILES).tolist(), strict=True)),
            "test": {
                "exact": own[test_labels].mean(),
                "measured": test.mean(),
                "low": around_test[v, 0],
                "high": around_test[v, 1],
                "median": np.median(test),
                "quantiles": dict(zip(map(str, QUANTILES), np.quantile(test, QUANTILES).tolist(), strict=True)),
            },
            "distance": 0.5 * np.abs(vectors - exact.point).sum(1).mean(),
            "vectors": None if noise.representative else {"exact": exact.point, "measured": vectors},
            "classes": {"exact": own, "measured": np.diag(vectors)},
            "clean": shares[:, 0].mean() if fixed else None,
            "recovered": shares[:, 2].mean() if fixed else None,
            "drop": (curve.max(1) - curve[:, -1]).mean() if curve.shape[1] else None,
            "histograms": dict(zip(("clean", "corrupted"), whole.histograms[:, v].sum(0), strict=True))
            if fixed
            else None,
            "level": level(member, noise),
            "equalised": design.equalise,
            "scale": design.scale(member),
            "slope_ratio": slope.ratio,
            "method": exact.method,
            "proved": exact.exact,
            "diverged": int(whole.diverged[:, v].sum()),
            "by_seed": {
                "measured": measured.mean(1),
                "memorised": shares[:, 1] if fixed else None,
                "last": curve[:, -1] if curve.shape[1] else None,
                "drop": curve.max(1) - curve[:, -1] if curve.shape[1] else None,
            },
            "images": len(labels),
            "model": design.config.model,
            "width": design.config.width,
            "epochs": design.config.epochs,
            "regularisation": design.config.regularisation,
            "strength": design.config.strength,
        }
        found.append(_json(row))
    return found


def _joined(design: Design, count: int, outcomes: Sequence[tuple[Group, Outcome]]) -> Outcome:
    """Groups of one grid put together: (S, V, ...)."""
    first = outcomes[0][1]
    S = len(design.seeds)
    longest = max(len(outcome.epochs) for _, outcome in outcomes)
    arrays: dict[str, Any] = {}
    for name in Outcome.ARRAYS:
        part = getattr(first, name)
        tail = (longest,) if name == "curve" else part.shape[2:]
        arrays[name] = np.full((S, count, *tail), False if name == "diverged" else np.nan, dtype=part.dtype)
        for group, outcome in outcomes:
            places = np.ix_([design.seeds.index(seed) for seed in group.seeds], list(group.values))
            each = getattr(outcome, name)
            if name == "curve" and each.shape[2] < longest:  # stopped early: diverged
                each = np.pad(each, ((0, 0), (0, 0), (0, longest - each.shape[2])), constant_values=np.nan)
            arrays[name][places] = each
    return Outcome(**arrays, epochs=list(range(longest)), seconds=sum(outcome.seconds for _, outcome in outcomes))


def _json(value: Any) -> Any:
    """For JSON: plain numbers, six digits, None for what is not finite."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    return value


# ------------------------------------------------------------------------------------------------------------ everything


def losses(names: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Loss]:
    """Losses by name and fixed parameters; numbers may be texts such as "1/2"."""
    return [build(name, **{key: Fraction(value) for key, value in given.items()}) for name, given in names]


def confirm(
    design: Design,
    chosen: Sequence[Loss],
    out: Path | None = None,
    bar: Callable[[int], Any] = lambda models: None,
    begin: Callable[[list[Group], int], Any] = lambda all_groups, done: None,
) -> list[dict[str, Any]]:
    """Train what is not in ``out`` yet and return the rows.

    ``out``: a folder with one line a trained group in ``groups.jsonl``, its arrays in KEY.npz; groups that are there are not
    trained again. ``begin`` gets all groups and the units of progress that lie in ``out``; ``bar`` is called with further units.
    """
    grids = [Grid.of(loss, design.noise, design.count) for loss in chosen]
    todo = groups(design, grids)
    with ExitStack() as stack:
        kept: dict[str, dict[str, Any]] = {}
        if out is not None:
            try:
                out.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(out))
            except OSError as error:
                raise InputError(f"--out {out}: cannot be used ({error.strerror or error})") from None
            if (out / GROUPS).exists():
                kept = {line["key"]: line for line in read(out / GROUPS)}
        have = {key for key in kept if out is not None and (out / f"{key}.npz").exists()}
        begin(todo, sum(group.steps for group in todo if group.key in have))
        results: dict[int, list[tuple[Group, Outcome]]] = {}
        for group in todo:
            key = group.key
            if key in have:
                assert out is not None
                outcome = Outcome.load(out / f"{key}.npz", kept[key]["tested"], kept[key]["seconds"])
            else:
                outcome = train(group, bar)
                if out is not None:
                    outcome.save(out / f"{key}.npz")  # the arrays first: a line promises that they are there
                    append(out / GROUPS, _line(group, key, outcome))
            results.setdefault(grids.index(group.grid), []).append((group, outcome))
    return [row for place, found in results.items() for row in rows(grids[place], design, found)]


def _line(group: Group, key: str, outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = _json(
        {
            "key": key,
            **group.facts(),
            "tested": outcome.epochs,
            "seconds": outcome.seconds,
            "device": group.design.config.device,
            "versions": versions(),
            "git": revision(),
        }
    )
    return facts
