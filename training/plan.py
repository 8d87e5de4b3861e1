"""A plan of many runs: a TOML file with grids, and the runs that it means.

    [defaults]                      # settings of every run, keys as in the file of `asymtheory train --config`
    dataset = "digits"
    epochs = 30
    [defaults.noise]
    kind = "symmetric"
    eta = [0.4, 0.6]                # a list is a grid: every combination is a run

    [[runs]]
    loss = ["amse", "ael"]
    seeds = 3                       # seed = 0, 1, 2
    [runs.parameters]
    a = { times_threshold = ["1/2", 1, 2] }   # multiples of the threshold on this run's noise, found by the core

Values that belong together stand in one place of a grid: ``loss = ["ce", "gce:q=0.7"]`` names parameters with a loss,
``noise = [{ kind = "none" }, { kind = "symmetric", eta = [0.4, 0.6] }]`` rates with a kind. An entry of ``[[runs]]`` goes before
the defaults, key by key; settings from outside (:func:`parse_settings`: ``dataset=digits``) go before both. What a run is called
is its :func:`run_key`: a hash of all that its result depends on, so the same run has the same key in every plan.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from asymtheory.domain import plain
from asymtheory.errors import InputError, nearest
from asymtheory.noise import NoiseModel
from asymtheory.threshold import Threshold, solve

from .config import (
    CHECKS,
    CLEAN,
    ELSEWHERE,
    ORDER,
    PUBLISHED,
    TABLES,
    FieldError,
    Noise,
    TrainConfig,
    check_given,
    whole,
)
from .data import EMBEDDED
from .fetch import descriptions
from .labels import INSTANCE, noise_model
from .models import build_model
from .recipes import recipe
from .record import describe
from .runs import Prepared, loss_of

SCHEMA = 1
"""Of what a run is: raised when the same settings come to mean another result, so that no old line passes for it."""
MULTIPLES = "times_threshold"
FOLLOW = "seed"
"""``noise.seed = "seed"``: every run draws its noisy labels by its own seed."""
SEEDS = ("seed", "noise.seed")
MOST = 100_000  # runs of one plan
SET, ONLY = "--set", "--only"
PLAIN = ("dataset", "loss", "model", "noise.kind", "noise.mode")  # settings whose values say enough
Exclusive = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
EXCLUSIVE: Exclusive = (
    (("loss",), ("formula", "passive")),
    (("formula",), ("loss", "passive")),
    (("labels",), ("noise",)),
    (("noise",), ("labels", "column")),
    (("seed",), ("seeds",)),
    (("seeds",), ("seed",)),
)
"""What an entry gives takes away these of the defaults, which it excludes."""
OUTSIDE: Exclusive = (*EXCLUSIVE, (("loss", "formula"), ("parameters",)))
"""The same for settings from outside: parameters go with their loss."""
HOME = ("dataset", "recipe")  # these of the file are still looked at when others are given from outside
_NOISE = ("noise.kind", "noise.eta")  # what a list of noises says

Grid = dict[str, list[Any]]
Place = tuple[Any, ...]


def run_key(config: TrainConfig) -> str:
    """SHA-256 of all that the result of a run depends on, in hexadecimal.

    All settings but those that say where it runs, the bytes of a file of labels or of a noise matrix in the place of its name,
    and :data:`SCHEMA`. Raises InputError for a file that cannot be read.
    """
    facts = {
        name: value for name, value in config.to_dict().items()
        if name not in ELSEWHERE and value not in (None, False)  # a new setting that is not used changes no key
    }  # fmt: skip
    if config.labels is not None:
        facts["labels"] = _digest("labels", config.labels)
    if os.path.isfile(config.noise.kind):
        facts["noise"] = {**facts["noise"], "kind": _digest("noise.kind", config.noise.kind)}
    canonical = json.dumps({"schema": SCHEMA, **facts}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _digest(what: str, path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{what} {path}: cannot be read ({error.strerror or error})") from None


@dataclass(frozen=True, eq=False)
class Point:
    """One run of a plan. ``multiples``: of the threshold, by parameter; ``line``: of its entry in the file."""

    config: TrainConfig
    multiples: Mapping[str, Fraction]
    line: int

    @cached_property
    def key(self) -> str:
        return run_key(self.config)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Every setting by its dotted name, such as ``parameters.a``."""
        flat = {}
        for name, value in self.config.to_dict().items():
            flat.update({f"{name}.{key}": each for key, each in value.items()} if name in TABLES else {name: value})
        return flat


@dataclass(frozen=True, eq=False)
class Plan:
    """The runs of a plan, in the order of the file, each once; ``repeated`` counts those that were named again."""

    path: str
    points: tuple[Point, ...]
    repeated: int = 0

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The settings that tell the runs apart: data, loss, its parameters, noise, the others, the seeds."""
        names = dict.fromkeys(name for point in self.points for name in point.settings)
        found = [name for name in names if len({str(point.settings.get(name)) for point in self.points}) > 1]
        return tuple(sorted(found, key=_rank))

    def label(self, point: Point, seed: bool = True) -> str:
        """A run in words: what it does not share with all others, ``amse, a 1.8, eta 0.4, seed 0``."""
        shown = {
            name.replace("noise.eta", "eta"): point.settings.get(name)
            for name in self.varied
            if seed or name not in SEEDS
        }
        words = [
            str(value) if name in PLAIN else f"{name.removeprefix('parameters.')} {_short(value)}"
            for name, value in shown.items()
            if value is not None
        ]
        return ", ".join(words) or describe(point.config)


def _rank(name: str) -> int:
    """Where a setting stands in a label."""
    order = ("dataset", "loss", "formula", "passive", "parameters", "noise")
    first = name.partition(".")[0]
    return len(order) + 1 if name in SEEDS else order.index(first) if first in order else len(order)


def _short(value: Any) -> str:
    """A value for a label: numbers to six digits."""
    if isinstance(value, str) and re.fullmatch(r"-?\d+/\d+", value) and len(value) > 8:
        value = float(Fraction(value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read_plan(
    path: str | os.PathLike[str], settings: Mapping[str, Any] | None = None, only: Mapping[str, Any] | None = None
) -> Plan:
    """The runs of a file. Raises InputError, with the line, for anything in it that cannot be meant.

    ``only`` (a table as in ``[defaults]``) leaves out the runs to which the file gives another value, one that is in none of its
    lists. ``settings`` (such a table too) go before those of the file, for every run that is left; a list is one more grid. Clean
    runs stay clean. A run that so moves to another data set leaves its recipe, and the subset, which are of the first: it keeps
    loss, parameters and the penalty that the recipe's paper had for this loss ("published"), and takes network, epochs and
    optimiser from the data set where the file does not give them.
    """
    return _Reader(path, settings or {}, only or {}).plan()


def size(path: str | os.PathLike[str]) -> int:
    """How many runs a file means, found from its grids alone: no data, labels or thresholds are looked at."""
    return sum(_Reader(path, {}, {}).sizes())


def parse_settings(texts: Iterable[str], option: str = SET) -> dict[str, Any]:
    """``KEY=VALUE`` (``epochs=40``, ``noise.eta=[0.2,0.4]``) as a table; a value that is no TOML is a text (``dataset=digits``)."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        names = [name.strip() for name in key.split(".")]
        if not equals or not value.strip() or not all(names):
            raise InputError(f"{option} {text!r}: KEY=VALUE is needed, such as epochs=40 or noise.eta=[0.2,0.4]")
        table = found
        for name in names[:-1]:
            inner = table.setdefault(name, {})
            if not isinstance(inner, dict):
                raise InputError(f"{option} {key}: {name} is given a value already")
            table = inner
        if names[-1] in table:
            raise InputError(f"{option} {key}: given twice")
        table[names[-1]] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    """TOML, or a text, or a list of either: ``[ce, agce]``, for a shell takes the quotes away."""
    try:
        return tomllib.loads(f"x = {text}", parse_float=Decimal)["x"]
    except tomllib.TOMLDecodeError:
        if text.startswith("[") and text.endswith("]"):
            return [_value(part.strip()) for part in text[1:-1].split(",")]
        return text


class _Reader:
    """One file, and the lines to blame."""

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any], only: Mapping[str, Any]) -> None:
        self.path = os.fspath(path)
        try:
            self.source = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"plan {path}: cannot be read ({error.strerror or error})") from None
        except UnicodeDecodeError:
            raise InputError(f"plan {path}: is not UTF-8 text") from None
        try:
            self.found = tomllib.loads(self.source, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"plan {path}: {error}") from None
        self.lines = _lines(self.source)
        self.models: set[tuple[str, float]] = set()
        self.thresholds: dict[Any, Threshold] = {}
        self.noises: dict[Any, NoiseModel | None] = {}
        self.settings, self.only = self.grid(settings, (SET,)), self.grid(only, (ONLY,))

    def refuse(self, place: Place, text: str) -> InputError:
        """The error at a place in the file, or at the innermost one around it that has a line."""
        if place and place[0] in (SET, ONLY):
            return InputError(f"{place[0]} {text}")
        while place and place not in self.lines:
            place = place[:-1]
        line = f", line {self.lines[place]}" if place else ""
        return InputError(f"plan {self.path}{line}: {text}")

    def grids(self) -> Iterator[Grid]:
        """Of every entry, with the defaults, without what is given from outside."""
        for name in self.found:
            if name not in ("defaults", "runs"):
                hint = nearest(name, ("defaults", "runs"))
                raise self.refuse((name,), f"{name!r} is neither [defaults] nor [[runs]]{hint}")
        defaults, entries = self.found.get("defaults", {}), self.found.get("runs", [])
        if not isinstance(defaults, dict):
            raise self.refuse(("defaults",), "defaults is a table, written [defaults]")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.refuse(("runs",), "runs is a list of tables, each written [[runs]]")
        if not entries:
            raise self.refuse((), 'it has no runs; add a [[runs]] table, such as one with loss = "amse"')
        shared = self.grid(defaults, ("defaults",))
        outside = {name: values for name, values in self.settings.items() if name not in HOME}
        for index, entry in enumerate(entries):
            yield _without(_merged(shared, self.grid(entry, ("runs", index))), outside, OUTSIDE)

    def sizes(self) -> Iterator[int]:
        """How many combinations the grids have."""
        for grid in self.grids():
            yield prod(map(len, [*grid.values(), *self.settings.values()]))

    def plan(self) -> Plan:
        total = 0
        for index, size in enumerate(self.sizes()):
            total += size
            if total > MOST:
                raise self.refuse(("runs", index), f"more than {MOST:,} runs; split the plan")
        points: dict[str, Point] = {}
        count = 0
        for index, grid in enumerate(self.grids()):
            for point in self.points(grid, index):
                points.setdefault(point.key, point)
                count += 1
        if not points:
            given = ", ".join(f"{name} = {' or '.join(map(_written, values))}" for name, values in self.only.items())
            raise InputError(f"{ONLY}: no run of plan {self.path} has {given}")
        return Plan(self.path, tuple(points.values()), count - len(points))

    # ------------------------------------------------------------------------------------------------ one entry

    def grid(self, table: Mapping[str, Any], place: Place) -> Grid:
        """Dotted key -> its values, each checked by itself."""
        found: Grid = {}
        for name, value in table.items():
            if name == "loss":
                found[name] = [self.named(each, (*place, name)) for each in self.listed(value, name, (*place, name))]
            elif name == "noise" and isinstance(value, list):
                found[name] = self.noises_of(value, (*place, name))
            elif name in TABLES:
                if not isinstance(value, dict):
                    raise self.refuse((*place, name), f"{name} is a table, written {_table(place, name)}")
                found |= self.parameters(value, place) if name == "parameters" else self.noise(value, place)
            elif name == "seeds":
                number = self.checked(lambda key, each: whole(1)(key, each), name, value, (*place, name))
                found[name] = list(range(number))
            elif name in ORDER:
                found[name] = self.values(value, name, (*place, name))
            else:
                raise self.refuse((*place, name), f"{name!r} is not a setting{nearest(name, (*ORDER, 'seeds'))}")
        if "seed" in found and "seeds" in found:
            raise self.refuse((*place, "seeds"), "seed is given too; leave one of the two out")
        return found

    def named(self, value: Any, place: Place) -> Any:
        """A loss by its name, or with parameters: ``gce:q=0.7``."""
        name, colon, rest = value.partition(":") if isinstance(value, str) else (value, "", "")
        name = self.checked(_check, "loss", name, place)
        if not colon:
            return name
        values: dict[str, Any] = {}
        for setting in rest.split(","):
            key, equals, number = (part.strip() for part in setting.partition("="))
            if not equals or not key or key in values:
                raise self.refuse(place, f"loss {value!r}: NAME:PARAMETER=VALUE,... is needed, each parameter once")
            values[key] = self.checked(_check, f"parameters.{key}", number, place)
        return _Several({"loss": name, **{f"parameters.{key}": number for key, number in values.items()}}, value)

    def noises_of(self, value: list[Any], place: Place) -> list[Any]:
        """Tables of noise, each a grid of its own: ``[{ kind = "none" }, { kind = "symmetric", eta = [0.4, 0.6] }]``."""
        found = []
        for table in self.listed(value, "noise", place):
            if not isinstance(table, dict) or "kind" not in table:
                raise self.refuse(place, 'noise: a list of tables is needed, such as { kind = "symmetric", eta = 0.4 }')
            grid = self.noise(table, place[:-1])
            for values in product(*grid.values()):
                text = " ".join(map(_written, values))
                found.append(_Several(dict(zip(grid, values, strict=True)), text))
        return found

    def noise(self, table: Mapping[str, Any], place: Place) -> Grid:
        keys = [each.name for each in fields(Noise)]
        for name in table:
            if name not in keys:
                hint = nearest(name, keys)
                raise self.refuse(
                    (*place, "noise", name), f"{name!r} is not a setting of noise ({', '.join(keys)}){hint}"
                )
        return {
            f"noise.{name}": [FOLLOW] if name == "seed" and value == FOLLOW
            else self.values(value, f"noise.{name}", (*place, "noise", name))
            for name, value in table.items()
        }  # fmt: skip

    def parameters(self, table: Mapping[str, Any], place: Place, prefix: str = "") -> Grid:
        """``agce.a = 3`` without quotes is a table in TOML; here it is the parameter a of the term agce."""
        found: Grid = {}
        for name, value in table.items():
            key, where = prefix + name, (*place, "parameters", *(prefix + name).split("."))
            if isinstance(value, dict) and MULTIPLES in value:
                if len(value) > 1:
                    raise self.refuse(where, f"parameters.{key}: {MULTIPLES} stands alone in its braces")
                factors = self.values(value[MULTIPLES], f"parameters.{key}", where)
                if any(factor <= 0 for factor in factors):
                    raise self.refuse(where, f"parameters.{key}: multiples of the threshold must be > 0")
                found[f"parameters.{key}"] = [_Multiple(factor) for factor in factors]
            elif isinstance(value, dict):
                for inner in value:
                    if hint := nearest(inner, (MULTIPLES,)):
                        raise self.refuse(where, f"parameters.{key}: {inner!r} is not known here{hint}")
                found |= self.parameters(value, place, f"{key}.")
            else:
                found[f"parameters.{key}"] = self.values(value, f"parameters.{key}", where)
        return found

    def values(self, value: Any, key: str, place: Place) -> list[Any]:
        """A grid of one setting; a value that is no list is a grid of one."""
        return [self.checked(_check, key, each, place) for each in self.listed(value, key, place)]

    def listed(self, value: Any, key: str, place: Place) -> list[Any]:
        given = value if isinstance(value, list) else [value]
        if not given:
            raise self.refuse(place, f"{key} = []: an empty list makes no runs; leave the key out or give a value")
        return given

    def checked(self, check: Any, key: str, value: Any, place: Place) -> Any:
        try:
            return check(key, value)
        except InputError as error:
            raise self.refuse(place, str(error)) from None

    # ------------------------------------------------------------------------------------------- combinations

    def points(self, grid: Grid, index: int) -> Iterator[Point]:
        """Every combination as a run; one that cannot be is named."""
        grid = {**grid, **{f"{SET} {name}": values for name, values in self.settings.items()}}
        multiples = [name for name, values in grid.items() if isinstance(values[0], _Multiple)]
        if len(multiples) > 1:
            names = " and ".join(multiples)
            raise self.refuse(
                ("runs", index), f"{names}: only one parameter of a run can be a multiple of its threshold"
            )
        several = [name for name, values in grid.items() if len(values) > 1]
        for values in product(*grid.values()):
            chosen = dict(zip(grid, values, strict=True))
            try:
                configured = self.configured(chosen)
                if configured is None:
                    continue
                config, factors = configured
                self.possible(config)
                point = Point(config, factors, self.lines.get(("runs", index), 0))
                _ = point.key  # reads the files of labels and noise
            except InputError as error:
                run = ", ".join(
                    f"{'seed' if name == 'seeds' else name.removeprefix(f'{SET} ')} = {_written(chosen[name])}"
                    for name in several
                )
                place: Place = ("runs", index)
                if isinstance(error, FieldError) and (*place, *error.key.split(".")) in self.lines:
                    place = (*place, *error.key.split("."))
                raise self.refuse(place, f"{f'the run {run}: ' if run else ''}{error}") from None
            yield point

    def configured(self, chosen: Mapping[str, Any]) -> tuple[TrainConfig, dict[str, Fraction]] | None:
        """The configuration of one combination, multiples of the threshold put in; None for one that is left out."""
        flat = _flat({name: value for name, value in chosen.items() if not name.startswith(SET)})
        if not self.asked_for(flat):
            return None
        flat = self.moved(flat, _flat({n.removeprefix(f"{SET} "): v for n, v in chosen.items() if n.startswith(SET)}))
        if flat.get("noise.seed") == FOLLOW:
            flat["noise.seed"] = flat.get("seed", 0)
        given = _nested(flat)
        multiple = [(name, value.factor) for name, value in flat.items() if isinstance(value, _Multiple)]
        if not multiple:
            return TrainConfig.resolve(given), {}
        ((name, factor),) = multiple
        name = name.removeprefix("parameters.")
        held = given.get("parameters", {})
        # a formula has no defaults: any value will do to find the threshold of the parameter
        start = {name: Fraction(1)} if "formula" in given else {}
        value = self.threshold(TrainConfig.resolve({**given, "parameters": {**held, **start}}), name) * factor
        if value.denominator > 10**12:
            value = Fraction(repr(float(value)))
        return TrainConfig.resolve({**given, "parameters": {**held, name: value}}), {name: factor}

    def asked_for(self, flat: Mapping[str, Any]) -> bool:
        """Is one of the values of every ``only`` setting the run's own?"""
        own = {**flat, "dataset": _dataset(flat)}
        return all(
            any(_flat({name: value}).items() <= own.items() for value in values) for name, values in self.only.items()
        )

    def moved(self, flat: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        """The settings of a run under those from outside; on another data set without what belongs to its own."""
        if flat.get("noise.kind") == CLEAN:
            wanted = {name: value for name, value in wanted.items() if name not in _NOISE}
        found = {**flat, **wanted}
        if "recipe" in wanted and "dataset" not in wanted:
            found.pop("dataset", None)
        if _dataset(found) == _dataset(flat):
            return found
        if "subset" not in wanted:
            found.pop("subset", None)
        if "recipe" in found and "recipe" not in wanted:
            asked = {name: value for name, value in found.items() if name.partition(".")[0] not in ("dataset", "noise")}
            at_home = TrainConfig.resolve(_nested(asked))
            if at_home.loss is not None:
                printed = {f"parameters.{name}": value for name, value in at_home.parameters.items()}
                multiples = {name: value for name, value in found.items() if isinstance(value, _Multiple)}
                found |= {"loss": at_home.loss, **printed, **multiples}
            if found.get("regularisation") == PUBLISHED:
                found |= {"regularisation": at_home.regularisation, "strength": at_home.strength}
            del found["recipe"]
        return found

    def threshold(self, config: TrainConfig, name: str) -> Fraction:
        """The least (or largest) value of a parameter at which the loss is asymmetric on the run's noise.

        Exact where the core knows it, else the end of the enclosure on the asymmetric side.
        """
        noise = self.noise_of(config)
        if noise is None:
            raise InputError(f"parameters.{name}: clean labels have no threshold; name a noise")
        loss = config.core_loss()
        known = (str(loss), tuple(sorted(loss.parameters.items())), name, id(noise))
        if known not in self.thresholds:
            self.thresholds[known] = solve(loss, noise, name)
        found = self.thresholds[known]
        end, piece = found.end, found.feasible
        if end is None or piece is None or found.status != "threshold":
            answer = found.answer if noise.dominant else "never: a wrong label is the most frequent one of a class"
            raise InputError(f"parameters.{name}: has no threshold on this noise ({answer}); give values instead")
        if end.number is not None:
            return end.number
        return Fraction(repr(end.high if end is piece.low else end.low))

    def noise_of(self, config: TrainConfig) -> NoiseModel | None:
        """The noise model of a run's labels; None for clean ones."""
        key = (config.dataset, config.data_dir, config.subset, config.labels, config.column, config.noise)
        if key not in self.noises:
            if config.labels is not None or config.noise.kind in INSTANCE:  # estimated from the labels themselves
                self.noises[key] = Prepared.of(config).noise
            elif config.noise.kind == CLEAN:
                self.noises[key] = None
            else:
                self.noises[key] = noise_model(config.noise.kind, _classes(config), config.noise.eta)
        return self.noises[key]

    def possible(self, config: TrainConfig) -> None:
        """Refuse, before anything is trained, what could not be: loss, parameters, noise and network are tried."""
        loss_of(config)
        if (config.model, config.width) not in self.models:
            build_model(config.model, 2, (3, 64, 64), config.width, seed=0)
            self.models.add((config.model, config.width))
        if config.labels is None and config.noise.kind not in INSTANCE:
            self.noise_of(config)


@dataclass(frozen=True)
class _Multiple:
    """So many times the threshold."""

    factor: Fraction


@dataclass(frozen=True)
class _Several:
    """Settings that are one value of a grid: a loss with its parameters, a noise with its rate. ``text``: for people."""

    settings: Mapping[str, Any]
    text: str


def _flat(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Single settings by dotted key; those that were given together go before those that were not."""
    flat: dict[str, Any] = {}
    for name, value in chosen.items():
        if not isinstance(value, _Several):
            flat["seed" if name == "seeds" else name] = value
    for value in chosen.values():
        if isinstance(value, _Several):
            flat.update(value.settings)
    return flat


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """As :meth:`.config.TrainConfig.resolve` takes them, without multiples of a threshold."""
    given: dict[str, Any] = {}
    for name, value in flat.items():
        table, _, key = name.partition(".")
        if isinstance(value, _Multiple):
            continue
        if key:
            given.setdefault(table, {})[key] = value
        else:
            given[name] = value
    return given


def _dataset(flat: Mapping[str, Any]) -> str:
    """Of a run, by its own word or by its recipe's."""
    found = flat.get("dataset") or (recipe(flat["recipe"]).dataset if "recipe" in flat else EMBEDDED)
    return str(found)


def _check(key: str, value: Any) -> Any:
    """A single value of a setting by its dotted key."""
    if key.startswith("parameters."):
        return TrainConfig(loss="ce", parameters={key.removeprefix("parameters."): value}).parameters[
            key.removeprefix("parameters.")
        ]
    return CHECKS[key](key, value) if key.startswith("noise.") else check_given(key, value)


def _classes(config: TrainConfig) -> int:
    """The number of classes, without reading the images where the name says it."""
    known = descriptions().get(config.dataset)
    if known is not None:
        return len(known.classes)
    return 10 if config.dataset == EMBEDDED else images_of(config).dataset.K


def images_of(config: TrainConfig) -> Prepared:
    """The data of a run with their own labels. Raises InputError for data that are not there, and too large a subset."""
    return Prepared.of(replace(config, labels=None, column=None, noise=Noise()))


def _merged(shared: Grid, own: Grid) -> Grid:
    """The defaults under an entry's own settings."""
    kept = _without(shared, own, EXCLUSIVE)
    if not own.keys().isdisjoint(_NOISE):
        kept.pop("noise", None)
    return {**kept, **own}


def _without(grid: Grid, given: Grid, exclusive: Exclusive) -> Grid:
    """What is left of settings when others are given: those are replaced, and what they exclude is dropped."""
    tops = {name.partition(".")[0] for name in given}
    excluded = {name for names, others in exclusive if tops.intersection(names) for name in others}
    replaced = {*given, *(_NOISE if "noise" in given else ())}
    return {n: values for n, values in grid.items() if n not in replaced and n.partition(".")[0] not in excluded}


def _table(place: Place, name: str) -> str:
    """How settings of a table are given there."""
    return f"{name}.KEY=VALUE" if place[0] in (SET, ONLY) else f"[{place[0]}.{name}]"


def _written(value: Any) -> str:
    if isinstance(value, _Multiple):
        return f"{plain(value.factor)} x threshold"
    if isinstance(value, _Several):
        return value.text
    return plain(value) if isinstance(value, Fraction) else str(value)


def _lines(source: str) -> dict[Place, int]:
    """Where every table and key stands: ("runs", 1, "noise", "eta") -> line. Keys inside braces have the line of their table."""
    found: dict[Place, int] = {}
    current: Place = ()
    entries = -1
    for count, line in enumerate(source.splitlines(), 1):
        if header := re.match(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$", line):
            names = _dotted(header[2])
            if names[0] == "runs":
                entries += header[1] == "[[" and len(names) == 1
                found.setdefault(("runs",), count)
                current = ("runs", max(entries, 0), *names[1:])
            else:
                current = names
            found.setdefault(current, count)
        elif entry := re.match(r"""\s*((?:[A-Za-z0-9_.\- \t]|"[^"]*"|'[^']*')+?)\s*=""", line):
            names = _dotted(entry[1])
            for length in range(1, len(names) + 1):
                found.setdefault((*current, *names[:length]), count)
    return found


def _dotted(text: str) -> tuple[str, ...]:
    """``noise."eta"`` as names; quoted dots split too, as parameters of a term are written."""
    return tuple(part for part in re.sub(r"[\"']", "", text).replace(" ", "").split(".") if part)
