"""The grammar of plans: a TOML file of ``[defaults]`` and a list of entries, whose lists are grids, read with every line to blame.

:mod:`.plan` makes runs of it, :mod:`.confirm_plan` designs; what a file may say is :class:`Reader`'s. Settings from outside
(``--set``) and a choice (``--only``) are read by the same rules. Paths in a file are relative to its folder, those from outside
and those of the package's own plans to the current one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import product
from math import prod
from pathlib import Path
from typing import ClassVar

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.numbers.text import plain
from asymtheory.reading.documents import NotTOML, parse_toml, read_text

from ..data.sets import EMBEDDED
from ..run.checks import Check, FieldError, limited, whole
from ..run.config import (
    CHECKS,
    CLEAN,
    ORDER,
    PUBLISHED,
    TABLES,
    Noise,
    TrainConfig,
    check_given,
    named_in,
)
from ..run.recipes import recipe
from .shipped import DESIGNS, PLANS

SET, ONLY = "--set", "--only"
MULTIPLES = "times_threshold"
MOST_SEEDS = 10_000  # of a plan: each is a run of its own, listed before any is made
FOLLOW = "seed"
"""``noise.seed = "seed"``: every run draws its noisy labels by its own seed."""
SEEDS = ("seed", "noise.seed")
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

Grid = dict[str, list[JsonValue]]
Place = tuple[JsonValue, ...]


def parse_settings(texts: Iterable[str], option: str = SET) -> Json:
    """``KEY=VALUE`` (``epochs=40``, ``noise.eta=[0.2,0.4]``) as a table; what is not TOML is a text (``dataset=digits``)."""
    found: Json = {}
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
        try:
            table[names[-1]] = _value(value.strip())
        except InputError as error:
            raise InputError(f"{option} {key}: {error}") from None
    return found


def _value(text: str, inside: bool = True) -> JsonValue:
    """TOML, or a text, or a list of either: ``[ce, agce]``, for a shell takes the quotes away."""
    try:
        return parse_toml(f"x = {text}", text)["x"]
    except NotTOML:
        if inside and text.startswith("[") and text.endswith("]"):
            return [_value(part.strip(), inside=False) for part in text[1:-1].split(",")]
        return text


class Reader:
    """One file, and the lines to blame. ``entries``: what its list is called; ``own``: keys beside the settings of a run."""

    entries: ClassVar[str] = "runs"
    own: ClassVar[Mapping[str, Check]] = {}

    def __init__(
        self, path: str | os.PathLike[str], settings: Mapping[str, JsonValue], only: Mapping[str, JsonValue]
    ) -> None:
        self.path = os.fspath(path)
        self.shipped = Path(path).parent in (PLANS, DESIGNS)  # the files that these name are in the current folder
        self.source = read_text(path, "plan")
        self.found = parse_toml(self.source, f"plan {path}")
        self.lines = _lines(self.source, self.entries)
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
        """The grids of every entry, with the defaults, without what is given from outside."""
        list_name = self.entries
        for name in self.found:
            if name not in ("defaults", list_name):
                hint = nearest(name, ("defaults", list_name))
                raise self.refuse((name,), f"{name!r} is neither [defaults] nor [[{list_name}]]{hint}")
        defaults, entries = self.found.get("defaults", {}), self.found.get(list_name, [])
        if not isinstance(defaults, dict):
            raise self.refuse(("defaults",), "defaults is a table, written [defaults]")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.refuse((list_name,), f"{list_name} is a list of tables, each written [[{list_name}]]")
        if not entries:
            hint = f'add a [[{list_name}]] table, such as one with loss = "amse"'
            raise self.refuse((), f"it has no {list_name}; {hint}")
        shared = self.grid(defaults, ("defaults",))
        outside = {name: values for name, values in self.settings.items() if name not in HOME}
        for index, entry in enumerate(entries):
            yield without(_merged(shared, self.grid(entry, (list_name, index))), outside, OUTSIDE)

    def sizes(self) -> Iterator[int]:
        """How many combinations the grids have."""
        for grid in self.grids():
            yield prod(map(len, [*grid.values(), *self.settings.values()]))

    # ------------------------------------------------------------------------------------------------ one entry

    def grid(self, table: Mapping[str, JsonValue], place: Place) -> Grid:
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
                number = self.checked(limited(whole(1), MOST_SEEDS), name, value, (*place, name))
                found[name] = list(range(number))
            elif name in ORDER:
                found[name] = self.values(value, name, (*place, name))
            elif name in self.own:
                given = self.listed(value, name, (*place, name))
                found[name] = [self.checked(self.own[name], name, each, (*place, name)) for each in given]
            else:
                known = (*ORDER, "seeds", *self.own)
                raise self.refuse((*place, name), f"{name!r} is not a setting{nearest(name, known)}")
        if "seed" in found and "seeds" in found:
            raise self.refuse((*place, "seeds"), "seed is given too; leave one of the two out")
        return found

    def named(self, value: JsonValue, place: Place) -> JsonValue:
        """A loss by its name, or with parameters: ``gce:q=0.7``."""
        name, colon, rest = value.partition(":") if isinstance(value, str) else (value, "", "")
        name = self.checked(_check, "loss", name, place)
        if not colon:
            return name
        values: Json = {}
        for setting in rest.split(","):
            key, equals, number = (part.strip() for part in setting.partition("="))
            if not equals or not key or key in values:
                raise self.refuse(place, f"loss {value!r}: NAME:PARAMETER=VALUE,... is needed, each parameter once")
            values[key] = self.checked(_check, f"parameters.{key}", number, place)
        return Several({"loss": name, **{f"parameters.{key}": number for key, number in values.items()}}, value)

    def noises_of(self, value: list[JsonValue], place: Place) -> list[JsonValue]:
        """Tables of noise, each a grid of its own: ``[{ kind = "none" }, { kind = "symmetric", eta = [0.4, 0.6] }]``."""
        found = []
        for table in self.listed(value, "noise", place):
            if not isinstance(table, dict) or "kind" not in table:
                raise self.refuse(place, 'noise: a list of tables is needed, such as { kind = "symmetric", eta = 0.4 }')
            grid = self.noise(table, place[:-1])
            for values in product(*grid.values()):
                text = " ".join(map(written, values))
                found.append(Several(dict(zip(grid, values, strict=True)), text))
        return found

    def noise(self, table: Mapping[str, JsonValue], place: Place) -> Grid:
        keys = [each.name for each in fields(Noise)]
        for name in table:
            if name not in keys:
                hint = nearest(name, keys)
                raise self.refuse(
                    (*place, "noise", name), f"{name!r} is not a setting of noise ({', '.join(keys)}){hint}"
                )
        return {
            f"noise.{name}": [FOLLOW]
            if name == "seed" and value == FOLLOW
            else self.values(value, f"noise.{name}", (*place, "noise", name))
            for name, value in table.items()
        }

    def parameters(self, table: Mapping[str, JsonValue], place: Place, prefix: str = "") -> Grid:
        """``agce.a = 3`` without quotes is a table in TOML; here it is the parameter a of the term agce."""
        found: Grid = {}
        for name, value in table.items():
            key, where = prefix + name, (*place, "parameters", *(prefix + name).split("."))
            if isinstance(value, dict) and MULTIPLES in value:
                if len(value) > 1:
                    raise self.refuse(where, f"parameters.{key}: {MULTIPLES} must be alone in its braces")
                factors = self.values(value[MULTIPLES], f"parameters.{key}", where)
                if any(factor <= 0 for factor in factors):
                    raise self.refuse(where, f"parameters.{key}: multiples of the threshold must be > 0")
                found[f"parameters.{key}"] = [Multiple(factor) for factor in factors]
            elif isinstance(value, dict):
                for inner in value:
                    if hint := nearest(inner, (MULTIPLES,)):
                        raise self.refuse(where, f"parameters.{key}: {inner!r} is not known here{hint}")
                found |= self.parameters(value, place, f"{key}.")
            else:
                found[f"parameters.{key}"] = self.values(value, f"parameters.{key}", where)
        return found

    def values(self, value: JsonValue, key: str, place: Place) -> list[JsonValue]:
        """A grid of one setting; a value that is not a list is a grid of one."""
        found = [self.checked(_check, key, each, place) for each in self.listed(value, key, place)]
        return found if place[0] in (SET, ONLY) or self.shipped else [named_in(self.path, key, each) for each in found]

    def listed(self, value: JsonValue, key: str, place: Place) -> list[JsonValue]:
        given = value if isinstance(value, list) else [value]
        if not given:
            raise self.refuse(place, f"{key} = []: an empty list makes no runs; leave the key out or give a value")
        return given

    def checked(self, check: JsonValue, key: str, value: JsonValue, place: Place) -> JsonValue:
        try:
            return check(key, value)
        except InputError as error:
            raise self.refuse(place, str(error)) from None

    # ------------------------------------------------------------------------------------------- combinations

    def combinations(self, grid: Grid) -> Iterator[tuple[str, Json, Json]]:
        """Every combination that is asked for: what tells it from the others in words, its settings, and those from outside."""
        several = [name for name, values in grid.items() if len(values) > 1]
        outer = [name for name, values in self.settings.items() if len(values) > 1]
        for inside in product(*grid.values()):
            chosen = dict(zip(grid, inside, strict=True))
            if not self.asked_for(flat(chosen)):
                continue
            for outside in product(*self.settings.values()):
                wanted = dict(zip(self.settings, outside, strict=True))
                pairs = [(name, chosen[name]) for name in several] + [(name, wanted[name]) for name in outer]
                words = (f"{'seed' if name == 'seeds' else name} = {written(value)}" for name, value in pairs)
                yield ", ".join(words), flat(chosen), flat(wanted)

    def impossible(self, index: int, run: str, error: InputError) -> InputError:
        """An error about one combination of an entry, at the line of the setting that is to blame where it has one."""
        place: Place = (self.entries, index)
        if isinstance(error, FieldError) and (*place, *error.key.split(".")) in self.lines:
            place = (*place, *error.key.split("."))
        what = self.entries.removesuffix("s")
        return self.refuse(place, f"{f'the {what} {run}: ' if run else ''}{error}")

    def nothing(self) -> InputError:
        """Nothing of the plan is asked for."""
        given = ", ".join(f"{name} = {' or '.join(map(written, values))}" for name, values in self.only.items())
        return InputError(f"{ONLY}: none of the {self.entries} of plan {self.path} has {given}")

    def asked_for(self, run: Mapping[str, JsonValue]) -> bool:
        """Is one of the values of every ``only`` setting the run's own?"""
        own = {**run, "dataset": dataset_of(run)}
        return all(
            any(flat({name: value}).items() <= own.items() for value in values) for name, values in self.only.items()
        )

    def moved(self, run: Json, wanted: Json) -> Json:
        """The settings of a run under those from outside; on another data set without what belongs to its own."""
        if run.get("noise.kind") == CLEAN:
            wanted = {name: value for name, value in wanted.items() if name not in _NOISE}
        found = {**run, **wanted}
        if "recipe" in wanted and "dataset" not in wanted:
            found.pop("dataset", None)
        if dataset_of(found) == dataset_of(run):
            return found
        if "subset" not in wanted:
            found.pop("subset", None)
        if "recipe" in found and "recipe" not in wanted:
            asked = {name: value for name, value in found.items() if name.partition(".")[0] not in ("dataset", "noise")}
            at_home = TrainConfig.resolve(nested(asked))
            if at_home.loss is not None:
                printed = {f"parameters.{name}": value for name, value in at_home.parameters.items()}
                multiples = {name: value for name, value in found.items() if isinstance(value, Multiple)}
                found |= {"loss": at_home.loss, **printed, **multiples}
            if found.get("regularisation") == PUBLISHED:
                found |= {"regularisation": at_home.regularisation, "strength": at_home.strength}
            del found["recipe"]
        return found


@dataclass(frozen=True)
class Multiple:
    """A multiple of the threshold."""

    factor: Fraction


@dataclass(frozen=True)
class Several:
    """Settings that are one value of a grid: a loss with its parameters, a noise with its rate. ``text``: for people."""

    settings: Mapping[str, JsonValue]
    text: str


def flat(chosen: Mapping[str, JsonValue]) -> Json:
    """Single settings by dotted key; those that were given together go before those that were not."""
    found: Json = {}
    for name, value in chosen.items():
        if not isinstance(value, Several):
            found["seed" if name == "seeds" else name] = value
    for value in chosen.values():
        if isinstance(value, Several):
            found.update(value.settings)
    return found


def nested(settings: Mapping[str, JsonValue]) -> Json:
    """The settings as :meth:`.config.TrainConfig.resolve` takes them, without multiples of a threshold."""
    given: Json = {}
    for name, value in settings.items():
        table, _, key = name.partition(".")
        if isinstance(value, Multiple):
            continue
        if key:
            given.setdefault(table, {})[key] = value
        else:
            given[name] = value
    return given


def dataset_of(run: Mapping[str, JsonValue]) -> str:
    """The data set of a run, by its own word or by its recipe's."""
    found = run.get("dataset") or (recipe(run["recipe"]).dataset if "recipe" in run else EMBEDDED)
    return str(found)


def _check(key: str, value: JsonValue) -> JsonValue:
    """A single value of a setting by its dotted key."""
    if key.startswith("parameters."):
        return TrainConfig(loss="ce", parameters={key.removeprefix("parameters."): value}).parameters[
            key.removeprefix("parameters.")
        ]
    return CHECKS[key](key, value) if key.startswith("noise.") else check_given(key, value)


def _merged(shared: Grid, own: Grid) -> Grid:
    """The defaults under an entry's own settings."""
    kept = without(shared, own, EXCLUSIVE)
    if not own.keys().isdisjoint(_NOISE):
        kept.pop("noise", None)
    return {**kept, **own}


def without(grid: Grid, given: Grid, exclusive: Exclusive) -> Grid:
    """What is left of settings when others are given: those are replaced, and what they exclude is dropped."""
    tops = {name.partition(".")[0] for name in given}
    excluded = {name for names, others in exclusive if tops.intersection(names) for name in others}
    replaced = {*given, *(_NOISE if "noise" in given else ())}
    return {n: values for n, values in grid.items() if n not in replaced and n.partition(".")[0] not in excluded}


def _table(place: Place, name: str) -> str:
    """How settings of a table are given there."""
    return f"{name}.KEY=VALUE" if place[0] in (SET, ONLY) else f"[{place[0]}.{name}]"


def written(value: JsonValue) -> str:
    if isinstance(value, Multiple):
        return f"{plain(value.factor)} x threshold"
    if isinstance(value, Several):
        return value.text
    return plain(value) if isinstance(value, Fraction) else str(value)


def _lines(source: str, list_name: str) -> dict[Place, int]:
    """Where every table and key stands: ("runs", 1, "noise", "eta") -> line. Keys inside braces have the line of their table."""
    found: dict[Place, int] = {}
    current: Place = ()
    entries = -1
    for count, line in enumerate(source.splitlines(), 1):
        if header := re.match(r"\s*+(\[\[?)([^\[\]]++)\]\]?\s*+(#.*)?$", line):
            names = _dotted(header[2])
            if names[0] == list_name:
                entries += header[1] == "[[" and len(names) == 1
                found.setdefault((list_name,), count)
                current = (list_name, max(entries, 0), *names[1:])
            else:
                current = names
            found.setdefault(current, count)
        elif entry := re.match(r"""((?:[A-Za-z0-9_.\- \t]|"[^"]*"|'[^']*')++)=""", line):  # possessive: long lines too
            names = _dotted(entry[1])
            for length in range(1, len(names) + 1):
                found.setdefault((*current, *names[:length]), count)
    return found


def _dotted(text: str) -> tuple[str, ...]:
    """``noise."eta"`` as names; quoted dots split too, as parameters of a term are written."""
    return tuple(part for part in re.sub(r"[\"']", "", text).replace(" ", "").split(".") if part)
