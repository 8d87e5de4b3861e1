"""Studies of thresholds from a file: a list of designs with their losses, counted, estimated and trained one after another.

    [defaults]                        # settings of every design, keys as in the file of `asymtheory train --config`
    dataset = "cifar10"
    seeds = 3                         # seeds 0, 1, 2 of every design
    loss = ["amse", "agce:q=1/2"]     # the losses of every design

    [[designs]]
    regime = ["population", "fixed"]  # a list of anything but losses and seeds is a grid: each combination is a design
    noise = [{ kind = "symmetric", eta = [0.4, 0.8] }, { kind = "cifar10n-worse" }]

Beside the settings of training there are ``regime``, ``values`` (of the parameter), ``expected`` and ``equalise``, all with the
meaning and the defaults that they have for `asymtheory confirm`.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from hashlib import blake2b
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import ClassVar

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.losses import Loss, build
from asymtheory.numbers.scalar import Scalar
from asymtheory.numbers.text import plain

from ..data.instance_noise import INSTANCE
from ..data.labels import noise_model
from ..run.checks import Check, choice, truth, whole
from ..run.config import TrainConfig
from ..sweep.estimate import Cost, measure, measured_steps, shape_of
from ..sweep.grammar import Reader, Several, flat, nested
from ..sweep.plan import classes_of
from .design import LOSSES, REGIMES, Design, Grid, Group, groups, losses, settle
from .models import stacked
from .study import lines_of

SEEDS = ("seed", "seeds")
TOGETHER = ("loss", *SEEDS)  # what the models of a design share out; no grids
WITHOUT = ("formula", "passive", "probe", "noise.mode", "noise.seed")


@dataclass(frozen=True)
class Study:
    """A design, its losses, and the name of its folder."""

    design: Design
    losses: tuple[Loss, ...]

    @property
    def name(self) -> str:
        """Data, regime, noise, and six digits of all that the results depend on but losses and seeds."""
        config, noise = self.design.config, self.design.config.noise
        rate = "" if noise.eta is None else f"-{plain(noise.eta)}"
        kind = Path(noise.kind).stem if config.labels is None else config.column or Path(config.labels).stem
        data = config.dataset if config.data is None else Path(config.data).stem
        digest = blake2b(repr(sorted(self.design.facts().items())).encode(), digest_size=3).hexdigest()
        return f"{data}-{self.design.regime}-{kind}{rate}-{digest}"

    def groups(self) -> list[Group]:
        """What is to be trained; no images are read where the name of the noise says enough."""
        config, count = self.design.config, self.design.count
        if config.labels is not None or config.noise.kind in INSTANCE:
            return groups(self.design, [Grid.of(loss, self.design.noise, count) for loss in self.losses])
        noise = (config.noise.kind, classes_of(config), config.noise.eta)
        return groups(self.design, [_grid(loss, noise, count) for loss in self.losses])


@cache
def _grid(loss: Loss, noise: tuple[str, int, Fraction | None], count: int) -> Grid:
    """The same in both regimes."""
    return Grid.of(loss, noise_model(*noise), count)


def read_studies(
    path: str | os.PathLike[str],
    settings: Mapping[str, JsonValue] | None = None,
    only: Mapping[str, JsonValue] | None = None,
) -> list[Study]:
    """The designs of a file, in its order, each once; ``settings`` and ``only`` as in :func:`.plan.read_plan`.

    Raises InputError, with the line, for anything that cannot be meant.
    """
    return _Designs(path, settings or {}, only or {}).studies()


class _Designs(Reader):
    """A file of designs."""

    entries: ClassVar[str] = "designs"
    own: ClassVar[Mapping[str, Check]] = {
        "regime": choice(*REGIMES),
        "values": whole(3),
        "expected": truth,
        "equalise": truth,
    }

    def __init__(
        self, path: str | os.PathLike[str], settings: Mapping[str, JsonValue], only: Mapping[str, JsonValue]
    ) -> None:
        super().__init__(path, settings, only)
        self.together = {name: self.settings.pop(name) for name in TOGETHER if name in self.settings}
        self.only_losses = [flat({"loss": value}) for value in self.only.pop("loss", [])]

    def studies(self) -> list[Study]:
        found: dict[str, Study] = {}
        for index, grid in enumerate(self.grids()):
            for name in (*grid, *self.settings):
                if name in WITHOUT or name.startswith("parameters."):
                    raise self.refuse((self.entries, index), f"{name} is not a setting of a design")
            together = {name: grid.pop(name) for name in TOGETHER if name in grid}
            if not self.together.keys().isdisjoint(SEEDS):
                together = {name: values for name, values in together.items() if name not in SEEDS}
            together |= self.together
            grid.setdefault("regime", [REGIMES[0]])
            for words, inside, outside in self.combinations(grid):
                try:
                    study = self.study(inside, outside, together)
                except InputError as error:
                    raise self.impossible(index, words, error) from None
                if study.losses:
                    found.setdefault(study.name, study)
        if not found:
            raise self.nothing()
        return list(found.values())

    def study(self, inside: Json, outside: Json, together: Mapping[str, JsonValue]) -> Study:
        """One design; ``together``: its losses and seeds as in the file."""
        whole_design = {name: value for name, value in {**inside, **outside}.items() if name in self.own}
        training = self.moved(
            *({name: value for name, value in part.items() if name not in self.own} for part in (inside, outside))
        )
        given = {name: value for name, value in nested(training).items() if name not in ("loss", "parameters")}
        regime = whole_design.get("regime", REGIMES[0])
        design = Design(
            config=settle(given, regime),
            regime=regime,
            seeds=tuple(together.get("seeds") or together.get("seed") or range(3)),
            expected=whole_design.get("expected", False),
            equalise=whole_design.get("equalise", True),
            count=whole_design.get("values", 9),
        )
        return Study(design, tuple(dict.fromkeys(self.built(together.get("loss", ["amse"])))))

    def built(self, values: Sequence[Scalar]) -> list[Loss]:
        """Losses as the file names them, and among them those of ``--only``."""
        found = []
        for value in values:
            named = flat({"loss": value})
            if self.only_losses and not any(wanted.items() <= named.items() for wanted in self.only_losses):
                continue
            parameters = {name.removeprefix("parameters."): each for name, each in named.items() if name != "loss"}
            if named["loss"] == "all" and not isinstance(value, Several):
                found += losses(LOSSES)
            else:
                found.append(build(named["loss"], **parameters))
        return found


# ------------------------------------------------------------------------------------------------------ how long it takes


@dataclass(frozen=True)
class Load:
    """A study's work: ``models`` in all, ``done`` of them in the folder, ``seconds`` for the rest (None: ``unknown`` says why)."""

    study: Study
    models: int
    done: int
    seconds: float | None
    unknown: str = ""

    def to_dict(self) -> Json:
        design = self.study.design
        return {
            "name": self.study.name, "losses": [str(loss) for loss in self.study.losses], "models": self.models,
            "done": self.done, "seconds": self.seconds, "design": {**design.facts(), "regime": design.regime},
        }  # fmt: skip


def loads(studies: Sequence[Study], out: Path, threads: int) -> list[Load]:
    """What every study takes: groups that ``out`` has are not counted, and tell how long the others will take; where there are
    none a few steps of a shape are measured now."""
    costs: dict[Hashable, Cost | str] = {}
    found = []
    for study in studies:
        everything = study.groups()
        kept = _kept(out / study.name)
        todo = [group for group in everything if group.key not in kept]
        models = {True: 0, False: 0}
        for group in everything:
            models[group.key in kept] += len(group.members) * len(group.seeds)
        seconds, unknown = 0.0, ""
        past = [kept[group.key] / len(group.members) for group in everything if group.key in kept]
        for group in todo:
            if past:
                seconds += median(past) * len(group.members)
                continue
            shape = (shape_of(group.design.config.to_dict()), len(group.members), len(group.seeds))
            if shape not in costs:
                costs[shape] = _cost(group, threads)
            cost = costs[shape]
            if isinstance(cost, str):
                unknown = cost
            else:
                seconds += cost.of(group.design.config.epochs)
        found.append(Load(study, sum(models.values()), models[True], None if unknown else seconds, unknown))
    return found


def _kept(folder: Path) -> dict[str, float]:
    """Seconds by key of the groups that a folder has."""
    return {key: line["seconds"] for key, line in lines_of(folder).items() if (folder / f"{key}.npz").exists()}


def _cost(group: Group, threads: int) -> Cost | str:
    """Measured now, or why it cannot be."""
    try:
        if not group.design.stacks:
            config: TrainConfig = group.design.for_seed(group.seeds[0])
            return measure([config], threads)
        start = perf_counter()
        trainer = stacked([group])
        fixed = perf_counter() - start
        return Cost(fixed, measured_steps(trainer, trainer.device) * trainer.steps, "measured now")
    except InputError as error:
        return str(error)
