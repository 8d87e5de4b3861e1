"""What a training run is: every setting with its check, and the TOML file that holds them.

Numbers that people type stay exact (parameters of the loss, the noise rate); rates and strengths of the optimiser are floats.
A setting that is not given comes from the recipe, else from the data set (see :mod:`.recipes`); what was resolved is written
out in full, so a file written by ``--write-config`` says everything and reads back as the same configuration.
"""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.losses import build
from asymtheory.losses.formula import from_formula
from asymtheory.noise import check_rate, parse_number
from asymtheory.numbers.text import exact, plain

from .recipes import DEFAULTS, recipe

if TYPE_CHECKING:
    from asymtheory.losses import Loss

CLEAN = "none"
"""The noise kind of a run on clean labels."""
PENALTIES = ("none", "l1", "l2", "jacobian")
PUBLISHED = "published"
"""The regularisation that the recipe's paper used for the loss at hand."""


class FieldError(InputError):
    """A value that its setting does not admit; ``key`` is the setting, as in ``epochs`` or ``noise.eta``."""

    def __init__(self, key: str, value: JsonValue, needed: str) -> None:
        super().__init__(f"{key} {value}: {needed}")
        self.key = key


# ------------------------------------------------------------------------------------------------- checks of values

Check = Callable[[str, JsonValue], JsonValue]


def whole(least: int, optional: bool = False) -> Check:
    """A whole number; None too where it is ``optional``."""

    def check(key: str, value: JsonValue) -> int | None:
        if optional and value is None:
            return None
        number = value if isinstance(value, int | float | Fraction | Decimal) and not isinstance(value, bool) else None
        if number is None or not math.isfinite(number) or number != int(number) or number < least:
            raise FieldError(key, _shown(value), f"a whole number >= {least} is needed")
        return int(number)

    return check


def number(least: float, below: float = math.inf, positive: bool = False, infinite: bool = False) -> Check:
    """A number in [least, below), or (least, below) if ``positive``; infinity only where it means something."""
    low = f"> {least:g}" if positive else f">= {least:g}"
    needed = f"a number {low}{f' and < {below:g}' if below < math.inf else ''} is needed"

    def check(key: str, value: JsonValue) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | Fraction | Decimal):
            raise FieldError(key, _shown(value), needed)
        real = float(value)
        if math.isnan(real) or real < least or (positive and real == least) or not (real < below or infinite):
            raise FieldError(key, _shown(value), needed)
        return real

    return check


def choice(*allowed: str) -> Check:
    """One of some words; ``true`` and ``false`` are ``on`` and ``off`` where those are allowed."""

    def check(key: str, value: JsonValue) -> str:
        word = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
        key_word = word.strip().lower() if isinstance(word, str) else ""
        if key_word not in allowed:
            raise FieldError(key, _shown(value), f"one of {', '.join(allowed)} is needed{nearest(key_word, allowed)}")
        return key_word

    return check


def truth(key: str, value: JsonValue) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise FieldError(key, _shown(value), "true or false is needed")
    return value


def text(optional: bool = False, name: bool = False) -> Check:
    """Text that is not empty; a ``name`` is lower case."""

    def check(key: str, value: JsonValue) -> str | None:
        if optional and value is None:
            return None
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise FieldError(key, _shown(value), "a text in quotes is needed")
        return value.strip().lower().replace("_", "-") if name else value

    return check


def _schedule(key: str, value: JsonValue) -> str:
    return Schedule.parse(value, key).text


def _exact(key: str, value: JsonValue) -> Fraction:
    """A number, or a text such as "3/5", as typed."""
    try:
        found = parse_number(value, key) if isinstance(value, str) else exact(value)
    except InputError as error:
        raise FieldError(key, _shown(value), str(error).removeprefix(f"{key} ")) from None
    if not isinstance(found, Fraction):
        raise FieldError(key, _shown(value), "a number is needed")
    return found


def _rate(key: str, value: JsonValue) -> Fraction | None:
    if value is None:
        return None
    rate = _exact(key, value)
    if not 0 <= rate <= 1:
        raise FieldError(key, _shown(value), "a noise rate in [0, 1] is needed")
    return Fraction(check_rate(rate))


def _shown(value: JsonValue) -> str:
    """A value as it stood in the file or on the command line."""
    if isinstance(value, Fraction):
        return plain(value)
    shown = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


# ------------------------------------------------------------------------------------------------------- schedules


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the epochs, as a factor of the initial one; it changes between epochs, as in the papers.

    ``cosine`` (to 0), ``constant``, ``step:N:F`` (times F after every N epochs: WebVision is ``step:1:0.97``) and
    ``drop:F:X,Y`` (times F at the shares X, Y, ... of the run: Animal-10N is ``drop:0.2:0.5,0.75``).
    """

    text: str
    kind: str
    factor: float = 1.0
    at: tuple[float, ...] = ()

    @classmethod
    def parse(cls, value: JsonValue, key: str = "schedule") -> Schedule:
        """Raises InputError for text that is no schedule."""
        needed = "cosine, constant, step:EPOCHS:FACTOR or drop:FACTOR:SHARE,... is needed"
        if not isinstance(value, str):
            raise FieldError(key, _shown(value), needed)
        kind, *rest = value.strip().lower().split(":")
        try:
            if kind in ("cosine", "constant") and not rest:
                return cls(kind, kind)
            if kind == "step" and len(rest) == 2:
                every, factor = float(int(rest[0])), float(rest[1])
                if every >= 1 and 0 < factor < math.inf:
                    return cls(f"step:{rest[0]}:{rest[1]}", kind, factor, (every,))
            if kind == "drop" and len(rest) == 2:
                factor, shares = float(rest[0]), tuple(float(share) for share in rest[1].split(","))
                if 0 < factor < math.inf and all(0 <= share <= 1 for share in shares):
                    return cls(f"drop:{rest[0]}:{rest[1]}", kind, factor, shares)
        except ValueError:
            pass
        raise FieldError(key, _shown(value), needed + nearest(kind, ("cosine", "constant", "step", "drop")))

    def at_epoch(self, epoch: int, epochs: int) -> float:
        """Factor in epoch 0..epochs-1."""
        if self.kind == "cosine":
            return (1 + math.cos(math.pi * epoch / epochs)) / 2
        if self.kind == "step":
            return float(self.factor ** (epoch // self.at[0]))
        return float(self.factor ** sum(epoch >= share * epochs for share in self.at))


# -------------------------------------------------------------------------------------------------------- settings


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a model is trained, whatever the data; ``fit`` takes these by name.

    ``clip``: the gradient's norm is cut to it, infinity for never. ``regularisation``: ``none``, ``l2`` (``strength`` / 2 *
    ||w||^2, as SGD's weight decay: added after clipping), ``l1`` (``strength`` * ||w||_1, whose gradient strength * sign(w)
    is added before clipping), both over *all* trained parameters, biases and batch norms too, as published code does; or
    ``jacobian`` (``strength`` / 2 * mean ||d logits / d input||^2, before clipping: :mod:`.jacobian`).
    ``precision``: ``float32``, ``float64``, ``bfloat16`` (autocast) or ``auto``. ``compile``: ``off``, ``on`` or ``graphs``
    (CUDA graphs by torch.compile). ``evaluate``: the test set every so many epochs, and after the last. ``measure``: accuracy
    on the training set as the epoch ``running`` (free; the weights change meanwhile) or ``frozen`` (one more pass after it).
    ``threads``: of a CPU; None takes one for a small model, for which more only wait for each other, else all.
    """

    epochs: int = 60
    batch: int = 128
    rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    schedule: str = "cosine"
    clip: float = 5.0
    regularisation: str = "none"
    strength: float = 0.0
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    channels_last: str = "auto"
    compile: str = "off"
    evaluate: int = 1
    measure: str = "running"
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in (each.name for each in fields(self)):
            if name in CHECKS:
                object.__setattr__(self, name, CHECKS[name](name, getattr(self, name)))
        if self.regularisation == "none" and self.strength:
            raise FieldError(
                "strength", f"{self.strength:g}", 'regularisation is "none"; name l1, l2 or jacobian, or leave it out'
            )
        if self.regularisation != "none" and not self.strength:
            raise FieldError("regularisation", repr(self.regularisation), "strength must be a number > 0 as well")
        if self.regularisation == "jacobian" and self.compile != "off":
            needed = 'regularisation "jacobian" differentiates twice, which torch.compile cannot: off is needed'
            raise FieldError("compile", repr(self.compile), needed)
        if self.nesterov and not self.momentum:
            raise FieldError("nesterov", "true", "momentum must be > 0")

    def rate_in(self, epoch: int) -> float:
        """The learning rate in epoch 0..epochs-1."""
        return self.rate * Schedule.parse(self.schedule).at_epoch(epoch, self.epochs)


CHECKS: dict[str, Check] = {
    "dataset": text(name=True),
    "loss": text(optional=True, name=True),
    "formula": text(optional=True),
    "passive": text(optional=True),
    "recipe": text(optional=True, name=True),
    "labels": text(optional=True),
    "column": text(optional=True),
    "model": text(name=True),
    "width": number(0, positive=True),
    "pretrained": truth,
    "epochs": whole(1),
    "batch": whole(2),
    "rate": number(0, positive=True),
    "momentum": number(0, 1),
    "nesterov": truth,
    "schedule": _schedule,
    "clip": number(0, positive=True, infinite=True),
    "regularisation": choice(*PENALTIES),
    "strength": number(0),
    "seed": whole(0),
    "device": text(name=True),
    "precision": choice("auto", "float32", "float64", "bfloat16"),
    "channels_last": choice("auto", "on", "off"),
    "compile": choice("off", "on", "graphs"),
    "evaluate": whole(1),
    "measure": choice("running", "frozen"),
    "probe": truth,
    "threads": whole(1, optional=True),
    "subset": whole(1, optional=True),
    "balanced": whole(1, optional=True),
    "image_size": whole(8, optional=True),
    "ilsvrc_dir": text(optional=True),
    "workers": whole(0, optional=True),
    "data_dir": text(optional=True),
    "download": truth,
    "noise.kind": text(),
    "noise.eta": _rate,
    "noise.mode": choice("exact", "iid", "redrawn"),
    "noise.seed": whole(0),
}
"""The check of every setting by its key: what it admits, and the form in which it is kept."""


def check_given(key: str, value: JsonValue) -> JsonValue:
    """A setting as it may be given: ``regularisation`` may be "published" until a recipe says what that is."""
    if key == "regularisation":
        return choice(*PENALTIES, PUBLISHED)(key, value)
    return CHECKS[key](key, value)


@dataclass(frozen=True)
class Noise:
    """The label noise of a run: a kind that ``asymtheory noise`` knows (or a file with a matrix), and how it is drawn.

    ``mode``: ``exact`` counts for every class, ``iid`` flips, or ``redrawn``: a fresh noisy label at every visit of an image
    (the population regime of the theory). ``seed`` is that of the labels alone: runs of several seeds share them.
    """

    kind: str = CLEAN
    eta: Fraction | None = None
    mode: str = "exact"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (each.name for each in fields(self)):
            object.__setattr__(self, name, CHECKS[f"noise.{name}"](f"noise.{name}", getattr(self, name)))
        if self.kind.strip().lower() == CLEAN:
            object.__setattr__(self, "kind", CLEAN)
            if self.eta:
                raise FieldError("noise.eta", plain(self.eta), "noise.kind must name a noise, such as symmetric")

    def __str__(self) -> str:
        rate = "" if self.eta is None else f" {plain(self.eta)}"
        return f"{self.kind}{rate}{'' if self.kind == CLEAN or self.mode == 'exact' else f' ({self.mode})'}"


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Settings):
    """A run: data, labels, loss, network and :class:`Settings`.

    ``loss`` with ``parameters``, or ``formula`` (and ``passive``) with them. ``labels``: a file of noisy labels (and the ``column``
    of one that has several), instead of ``noise``. ``subset``: so many training images, the first of each class. ``balanced``: an
    epoch sees so many images of each class, drawn anew. ``pretrained``: start from ImageNet weights. Sets in files have an
    ``image_size`` for the network, decoding processes (``workers``) and, for WebVision, a second test set (``ilsvrc_dir``).
    ``probe``: look inside the network at a few moments (see :mod:`.probe`); what is trained stays the same.
    Raises InputError (a :class:`FieldError` where one setting is to blame) for values out of range and settings that exclude
    each other.
    """

    dataset: str = "digits"
    loss: str | None = None
    formula: str | None = None
    passive: str | None = None
    recipe: str | None = None
    labels: str | None = None
    column: str | None = None
    model: str = "mlp"
    width: float = 1.0
    pretrained: bool = False
    subset: int | None = None
    balanced: int | None = None
    image_size: int | None = None
    ilsvrc_dir: str | None = None
    workers: int | None = None
    probe: bool = False
    data_dir: str | None = None
    download: bool = False
    parameters: Mapping[str, Fraction] = field(default_factory=dict, hash=False)
    noise: Noise = Noise()

    def __post_init__(self) -> None:
        super().__post_init__()
        values = {name: _exact(f"parameters.{name}", value) for name, value in self.parameters.items()}
        object.__setattr__(self, "parameters", values)
        if (self.loss is None) == (self.formula is None):
            given = "both are given" if self.loss else "neither is given"
            raise FieldError("loss", _shown(self.loss or ""), f"name a loss or a formula, one of the two ({given})")
        if self.passive is not None and self.formula is None:
            raise FieldError("passive", repr(self.passive), "it goes with formula")
        if self.column is not None and self.labels is None:
            raise FieldError("column", repr(self.column), "it goes with labels")
        if self.labels is not None and self.noise.kind != CLEAN:
            raise FieldError("labels", repr(self.labels), f"noise {self.noise} is given too; leave one of the two out")

    @classmethod
    def resolve(cls, given: Mapping[str, JsonValue]) -> TrainConfig:
        """The configuration of what was ``given`` (keys as in the TOML file): the rest from the recipe or the data set.

        ``regularisation = "published"`` becomes what the recipe's paper did for this loss. None stands for a setting that
        was not given, but in ``clip`` for infinity, as :meth:`to_dict` writes it.
        """
        endless = {"clip": math.inf} if given.get("clip", 0) is None else {}
        given = {name: value for name, value in given.items() if value is not None} | endless
        chosen = recipe(CHECKS["recipe"]("recipe", given["recipe"])) if "recipe" in given else None
        dataset = CHECKS["dataset"]("dataset", given.get("dataset", chosen.dataset if chosen else "digits"))
        base = dict(chosen.values if chosen else DEFAULTS.get(dataset, DEFAULTS["cifar10"]))
        values = {**base, **given, "dataset": dataset}
        values["noise"] = Noise(**given.get("noise", {}))
        norm = given.get("regularisation", base["regularisation"])
        if norm == "none" or (norm != base["regularisation"] and "strength" not in given):
            values["strength"] = given.get("strength", 0.0)
        if "formula" not in given:
            values["loss"] = CHECKS["loss"]("loss", given.get("loss", chosen.loss if chosen else "ce"))
            setting = chosen.setting(values["loss"]) if chosen else None
            if setting is not None:
                built = setting.build()  # without the terms that the paper switches off
                values["loss"] = built.name
                values["parameters"] = {**built.parameters, **given.get("parameters", {})}
        if norm == PUBLISHED:
            if chosen is None or "strength" in given:
                raise FieldError("regularisation", repr(PUBLISHED), "a recipe is needed, and no strength")
            values["regularisation"], values["strength"] = "none", 0.0
            from ..losses.registry import baseline  # needs torch

            other = values.get("loss") is not None and baseline(values["loss"]) is not None
            loss = None if other else cls(**values).core_loss()
            values["regularisation"], values["strength"] = chosen.penalty(loss)
        return cls(**values)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> TrainConfig:
        """Read a file; an error names the line."""
        given = read_toml(path)
        with blame(path):
            return cls.resolve(given)

    def core_loss(self) -> Loss:
        """The loss as the core knows it (thresholds, verdicts); InputError for one that it does not have."""
        if self.formula is not None:
            values: Json = dict(self.parameters)
            return from_formula(self.formula, self.passive, **values)
        assert self.loss is not None
        return build(self.loss, **self.parameters)

    def to_dict(self) -> Json:
        """All settings for JSON, in the form of the TOML file; infinity is null."""
        found: Json = {}
        for name in (each.name for each in fields(self)):
            value = getattr(self, name)
            found[name] = None if isinstance(value, float) and math.isinf(value) else value
        found["parameters"] = {name: _written(value) for name, value in self.parameters.items()}
        found["noise"] = {each.name: _written(getattr(self.noise, each.name)) for each in fields(self.noise)}
        return {name: found[name] for name in ORDER}

    def to_toml(self, folder: str | os.PathLike[str] = "") -> str:
        """The file that reads back as this configuration, from `folder` (default: the current one): see :func:`beside`."""
        flat = {**self.to_dict(), "clip": self.clip}
        flat |= {name: beside("", flat[name], folder) for name in PATHS if flat[name] is not None}
        flat["noise"] |= {"kind": beside("", self.noise.kind, folder) if is_path(self.noise.kind) else self.noise.kind}
        tables: dict[str, Json] = {name: flat.pop(name) for name in TABLES}
        lines = [f"{name} = {_toml(value)}" for name, value in flat.items() if value is not None]
        for name, table in tables.items():
            if name == "noise" and self.labels is not None:
                continue
            entries = [f"{_toml_key(key)} = {_toml(value)}" for key, value in table.items() if value is not None]
            lines += ["", f"[{name}]", *entries] if entries else []
        return "\n".join(lines) + "\n"

    def key(self) -> str:
        """What the run is, in 16 hexadecimal digits: all settings that its result depends on."""
        unused = () if self.probe else ("probe",)  # it came later: runs without it keep their keys
        facts = {name: value for name, value in self.to_dict().items() if name not in (*ELSEWHERE, *unused)}
        return blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()


ORDER = (
    "dataset", "recipe", "loss", "formula", "passive", "labels", "column", "model", "width", "pretrained", "epochs", "batch",
    "rate", "momentum", "nesterov", "schedule", "clip", "regularisation", "strength", "seed", "subset", "balanced",
    "image_size", "device", "precision", "channels_last", "compile", "threads", "workers", "evaluate", "measure", "probe",
    "data_dir", "ilsvrc_dir", "download", "parameters", "noise",
)  # fmt: skip
TABLES = ("parameters", "noise")
ELSEWHERE = ("device", "threads", "workers", "data_dir", "ilsvrc_dir", "download")
"""Settings that say where a run happens, not what it is: a run may be resumed with others."""


PATHS = ("labels", "data_dir", "ilsvrc_dir")
"""Settings that are paths, and so may be a ``noise.kind`` (:func:`is_path`). In a file they are relative to its folder."""


# ------------------------------------------------------------------------------------------------------------ TOML


def is_path(kind: str) -> bool:
    """Is this noise a file? Names of noise hold neither a point nor a slash."""
    return "." in kind or "/" in kind or os.sep in kind


def beside(folder: str | os.PathLike[str], path: str, reader: str | os.PathLike[str] = "") -> str:
    """`path`, which is relative to `folder`, as it is written relative to the folder `reader`; both default to the current one.

    Absolute paths stay, ``~`` is the home folder. Links among the folders are followed, so that ``..`` means what it says.
    """
    path = os.path.expanduser(path)
    if os.path.isabs(path) or os.path.realpath(folder) == os.path.realpath(reader):
        return path
    above, name = os.path.split(os.path.join(folder, path))
    return os.path.relpath(os.path.join(os.path.realpath(above), name), os.path.realpath(reader))


def named_in(path: str | os.PathLike[str], key: str, value: JsonValue) -> JsonValue:
    """A setting as the file `path` names it: a path in it is relative to its folder."""
    if not isinstance(value, str) or not (key in PATHS or (key == "noise.kind" and is_path(value))):
        return value
    return beside(os.path.dirname(path), value)


def read_toml(path: str | os.PathLike[str]) -> Json:
    """What a file gives, each value checked by itself; an unknown key is named with its line and the nearest key.

    Paths in it are relative to its folder, and come back relative to the current one.
    """
    try:
        source = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"--config {path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise InputError(f"--config {path}: is not UTF-8 text") from None
    try:
        found = tomllib.loads(source, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"--config {path}: {error}") from None
    for table in TABLES:
        if table in found and not isinstance(found[table], dict):
            raise InputError(f"--config {path}{_line(source, table)}: {table} is a table, written [{table}]")
    known = {name for name in ORDER if name not in TABLES}
    for name in found:
        if name not in known and name not in TABLES:
            hint = nearest(name, ORDER)
            raise InputError(f"--config {path}{_line(source, name)}: {name!r} is not a setting{hint}")
    noise = found.get("noise", {})
    keys = [each.name for each in fields(Noise)]
    for name in noise:
        if name not in keys:
            where = _line(source, name, "noise")
            raise InputError(f"--config {path}{where}: {name!r} is not a setting of [noise] ({', '.join(keys)})"
                             f"{nearest(name, keys)}")  # fmt: skip
    with blame(path):
        values: Json = {name: check_given(name, found[name]) for name in found if name not in TABLES}
        values = {name: named_in(path, name, value) for name, value in values.items()}
        if noise:
            checked = {name: CHECKS[f"noise.{name}"](f"noise.{name}", value) for name, value in noise.items()}
            values["noise"] = {name: named_in(path, f"noise.{name}", value) for name, value in checked.items()}
        if "parameters" in found:
            flat = _flattened(found["parameters"])
            values["parameters"] = {name: _exact(f"parameters.{name}", value) for name, value in flat.items()}
    return values


class blame:
    """Names the file and the line of the setting that a :class:`FieldError` is about."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, FieldError):
            table, _, name = error.key.rpartition(".")
            source = Path(self.path).read_text(encoding="utf-8")
            raise InputError(f"--config {self.path}{_line(source, name, table)}: {error}") from None
        if isinstance(error, InputError) and not str(error).startswith("--config"):
            raise InputError(f"--config {self.path}: {error}") from None


def _flattened(table: Mapping[str, JsonValue]) -> Json:
    """``agce.a = 3`` without quotes is a table in TOML; here it is the parameter a of the term agce."""
    flat: Json = {}
    for name, value in table.items():
        inner = _flattened(value) if isinstance(value, dict) else {"": value}
        flat.update({f"{name}.{key}" if key else name: each for key, each in inner.items()})
    return flat


def _line(source: str, name: str, table: str = "") -> str:
    """``, line 7`` where a key (or the header of a table) stands in a file, or nothing if it is not found."""
    current = ""
    for count, line in enumerate(source.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            current = header[1].strip("\"'")
            if not table and current.split(".")[0].strip() == name:
                return f", line {count}"
        elif current == table and re.match(rf"""\s*["']?{re.escape(name)}["']?\s*[=.]""", line):
            return f", line {count}"
    return ""


def _written(value: JsonValue) -> JsonValue:
    """An exact number as JSON and TOML have it: an int, a float that is exactly the decimal, or a text "1/3"."""
    if not isinstance(value, Fraction):
        return value
    if value.denominator == 1:
        return int(value)
    return float(value) if Fraction(repr(float(value))) == value else str(value)


def _toml(value: JsonValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
