"""What is trained to confirm a threshold: grids of a parameter around it, the design that all models share, and the groups in
which they are trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b

from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.losses import Loss, build
from asymtheory.noise import FAMILIES, NoiseModel
from asymtheory.numbers.text import plain
from asymtheory.threshold import solve

from ..data.formats import fingerprint
from ..run.config import CLEAN, ELSEWHERE, Noise, TrainConfig
from ..run.models import STACKED
from ..run.run import Prepared

REGIMES = ("population", "fixed")
FILES = ("data", "labels")  # settings that name a file on which the result depends
EVALUATIONS = 20  # of the test set, over a training
FARTHEST = 8.0  # the grid reaches from a* / 8 to 8 a*
FORMAT = 1

LOSSES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("agce", {"q": "1/2"}), ("agce", {"q": "3/2"}), ("aul", {"p": "2"}), ("aul", {"p": "1/2"}), ("ael", {}),
    ("amse", {"q": "1"}), ("amse", {"q": "2"}), ("amse", {"q": "3"}), ("jal-ce", {}), ("nce+agce", {}),
    ("ce", {}), ("mae", {}),
)  # fmt: skip
"""The losses of the study; CE (never robust) and MAE (symmetric) are its ends."""


def settle(given: Mapping[str, JsonValue], regime: str, quick: bool = False) -> TrainConfig:
    """The configuration of a design from what was ``given`` (keys as in the TOML file of a run).

    What is not given: digits, a perceptron (an 8-layer CNN for pictures in colour), symmetric noise, a rate of 0.4, no penalty in
    the population regime, some 20 evaluations, and the rest from the data set. ``quick``: a tenth of the epochs.
    """
    noise = {} if "labels" in given else {"kind": "symmetric"}
    found = {**given, "noise": {**noise, **given.get("noise", {})}}
    if found["noise"].get("kind") in FAMILIES and "eta" not in found["noise"]:
        found["noise"]["eta"] = Fraction(2, 5)
    dataset = found.get("dataset", "digits")
    if "data" not in found:
        found.setdefault("model", "mlp" if dataset in ("digits", "mnist", "fashion-mnist") else "cnn8")
    if dataset == "digits":
        found.setdefault("width", 0.5)  # a minute for the whole grid
    if regime == "population" and "regularisation" not in found and "strength" not in found:
        found["regularisation"] = "none"
    epochs = TrainConfig.resolve(found).epochs
    if quick and "epochs" not in found:
        epochs = max(1, epochs // 10)
    if quick or "evaluate" not in found:
        found["evaluate"] = max(1, epochs // EVALUATIONS)
    return TrainConfig.resolve({**found, "epochs": epochs})


def losses(names: Sequence[tuple[str, Mapping[str, JsonValue]]]) -> list[Loss]:
    """Losses by name and fixed parameters; numbers may be texts such as "1/2"."""
    return [build(name, **{key: Fraction(value) for key, value in given.items()}) for name, given in names]


# -------------------------------------------------------------------------------------------------------------- the grid


@dataclass(frozen=True)
class Grid:
    """Values of a loss's main parameter around its threshold on a noise.

    ``status`` is that of :func:`asymtheory.solve`. Where there is no threshold the grid lies around the loss's own value, and
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
    def fixed(self) -> Json:
        """The other parameters."""
        return {name: plain(value) for name, value in self.loss.parameters.items() if name != self.parameter}


def _factor(step: int, half: int) -> Fraction:
    """8^(step/half) as a short decimal; exact at the ends and in the middle."""
    if not step:
        return Fraction(1)
    return Fraction(f"{FARTHEST ** (step / half):.6g}")


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
        if self.config.labels is not None and self.regime != "fixed":
            raise InputError(
                f"--labels {self.config.labels}: these are fixed; in the population regime labels are drawn from a noise, which "
                "--noise FILE reads off such a file"
            )
        if self.config.noise.kind == CLEAN and self.config.labels is None:
            raise InputError("--noise none: there is nothing to confirm on clean labels; name a noise")
        if self.expected and self.regime == "fixed":
            raise InputError("--expected goes with --regime population: in the other every image has its one label")

    @property
    def labels(self) -> str:
        return "fixed" if self.regime == "fixed" else "expected" if self.expected else "redrawn"

    def for_seed(self, seed: int) -> TrainConfig:
        """The configuration of one model."""
        if self.config.labels is not None:  # the same for all seeds
            return replace(self.config, seed=seed)
        mode = "exact" if self.regime == "fixed" else "redrawn"
        noise = self.config.noise
        return replace(self.config, seed=seed, noise=Noise(noise.kind, noise.eta, mode, seed))

    @property
    def stacks(self) -> bool:
        """Are models trained as one batch? Perceptrons and linear classifiers are; other networks one by one."""
        return self.config.model in STACKED

    def scale(self, loss: Loss) -> float:
        """The factor of the loss."""
        return self.K / fitting_slope(loss, self.K).unfitted if self.equalise else 1.0

    @property
    def K(self) -> int:
        return prepared(self, self.seeds[0]).dataset.K

    @property
    def noise(self) -> NoiseModel:
        found = prepared(self, self.seeds[0]).noise
        assert found is not None
        return found

    def facts(self) -> Json:
        """What every result of the design depends on beside its loss and seed."""
        beside = {*ELSEWHERE, "loss", "parameters", "seed", "probe"}
        config = {name: value for name, value in self.config.to_dict().items() if name not in beside}
        config["noise"] = {name: value for name, value in config["noise"].items() if name not in ("mode", "seed")}
        config = {name: value for name, value in config.items() if name != "data" or value is not None}
        for name in FILES:  # what is in them counts, not where they lie
            if config.get(name) is not None:
                config[name] = fingerprint(name, config[name])
        return {**config, "format": FORMAT, "labels": self.labels, "equalise": self.equalise}


_KEPT: dict[str, Prepared] = {}


def prepared(design: Design, seed: int) -> Prepared:
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


# ---------------------------------------------------------------------------------------------------------------- groups


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

    def facts(self) -> Json:
        losses = [[member.name, {n: str(v) for n, v in member.parameters.items()}] for member in self.members]
        return {**self.design.facts(), "losses": losses, "seeds": list(self.seeds)}

    @property
    def key(self) -> str:
        """All that the result depends on, in 16 hexadecimal digits."""
        return blake2b(json.dumps(self.facts(), sort_keys=True).encode(), digest_size=8).hexdigest()

    @property
    def steps(self) -> int:
        """The steps of a progress bar: epochs times models."""
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
