"""What a training run is: every setting with its check, and the TOML file that holds them.

Numbers that people type stay exact (parameters of the loss, the noise rate); rates and strengths of the optimiser are floats.
A setting that is not given comes from the recipe, else from the data set (see :mod:`.recipes`); what was resolved is written
out in full, so a file written by ``--write-config`` says everything and reads back as the same configuration.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from hashlib import blake2b
from typing import TYPE_CHECKING

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.losses import build
from asymtheory.losses.formula import from_formula
from asymtheory.numbers.text import plain
from asymtheory.reading.documents import parse_toml, read_text

from .checks import Check, FieldError, choice, exact_number, limited, noise_rate, number, shown, text, truth, whole
from .recipes import DEFAULTS, recipe
from .schedule import Schedule, leads_alone
from .toml import beside, blame, flattened, is_path, line_of, toml_key, toml_value, written

if TYPE_CHECKING:
    from asymtheory.losses import Loss

FEATURES = "features"
"""The data set whose numbers lie in a file of the user's."""
CLEAN = "none"
"""The noise kind of a run on clean labels."""
PENALTIES = ("none", "l1", "l2", "jacobian")
PUBLISHED = "published"
"""The regularisation that the recipe's paper used for the loss at hand."""


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
    ``schedule``: of the learning rate, and of the loss: a parameter that is led along a ramp, or another loss at first
    (:mod:`.schedule`).
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
    "data": text(optional=True),
    "loss": text(optional=True, name=True),
    "formula": text(optional=True),
    "passive": text(optional=True),
    "recipe": text(optional=True, name=True),
    "labels": text(optional=True),
    "column": text(optional=True),
    "model": text(name=True),
    "width": limited(number(0, positive=True), 1000),
    "pretrained": truth,
    "epochs": whole(1),
    "batch": whole(2),
    "rate": number(0, positive=True),
    "momentum": number(0, 1),
    "nesterov": truth,
    "schedule": lambda key, value: Schedule.parse(value, key).text,
    "clip": number(0, positive=True, infinite=True),
    "regularisation": choice(*PENALTIES),
    "strength": number(0),
    "seed": whole(0, greatest=2**63 - 1),
    "device": text(name=True),
    "precision": choice("auto", "float32", "float64", "bfloat16"),
    "channels_last": choice("auto", "on", "off"),
    "compile": choice("off", "on", "graphs"),
    "evaluate": whole(1),
    "measure": choice("running", "frozen"),
    "probe": truth,
    "threads": limited(whole(1, optional=True), 4096),
    "subset": whole(1, optional=True),
    "balanced": whole(1, optional=True),
    "image_size": limited(whole(8, optional=True), 4096),
    "ilsvrc_dir": text(optional=True),
    "workers": limited(whole(0, optional=True), 4096),
    "data_dir": text(optional=True),
    "download": truth,
    "noise.kind": text(),
    "noise.eta": noise_rate,
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

    ``data``: the file of the data set ``features`` (:mod:`asymtheory_training.data.features`). ``loss`` with ``parameters``, or
    ``formula`` (and ``passive``) with them. ``labels``: a file of noisy labels (and the ``column``
    of one that has several), instead of ``noise``. ``subset``: so many training images, the first of each class. ``balanced``: an
    epoch sees so many images of each class, drawn anew. ``pretrained``: start from ImageNet weights. Sets in files have an
    ``image_size`` for the network, decoding processes (``workers``) and, for WebVision, a second test set (``ilsvrc_dir``).
    ``probe``: look inside the network at a few moments (see :mod:`.probe`); what is trained stays the same.
    Raises InputError (a :class:`FieldError` where one setting is to blame) for values out of range and settings that exclude
    each other.
    """

    dataset: str = "digits"
    data: str | None = None
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
        values = {name: exact_number(f"parameters.{name}", value) for name, value in self.parameters.items()}
        object.__setattr__(self, "parameters", values)
        if (self.loss is None) == (self.formula is None):
            given = "both are given" if self.loss else "neither is given"
            raise FieldError("loss", shown(self.loss or ""), f"name a loss or a formula, one of the two ({given})")
        if (self.dataset == FEATURES) != (self.data is not None):
            raise FieldError("data", shown(self.data or ""), f"a file goes with dataset {FEATURES!r}, and only with it")
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
        usual = FEATURES if "data" in given else chosen.dataset if chosen else "digits"
        dataset = CHECKS["dataset"]("dataset", given.get("dataset", usual))
        base = dict(chosen.values if chosen else DEFAULTS.get(dataset, DEFAULTS["cifar10"]))
        values = {**base, **given, "dataset": dataset}
        values["noise"] = Noise(**given.get("noise", {}))
        values["schedule"] = _with_rate(values["schedule"], base["schedule"])
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
        found["parameters"] = {name: written(value) for name, value in self.parameters.items()}
        found["noise"] = {each.name: written(getattr(self.noise, each.name)) for each in fields(self.noise)}
        return {name: found[name] for name in ORDER}

    def to_toml(self, folder: str | os.PathLike[str] = "") -> str:
        """The file that reads back as this configuration, from `folder` (default: the current one): see :func:`beside`."""
        flat = {**self.to_dict(), "clip": self.clip}
        flat |= {name: beside("", flat[name], folder) for name in PATHS if flat[name] is not None}
        flat["noise"] |= {"kind": beside("", self.noise.kind, folder) if is_path(self.noise.kind) else self.noise.kind}
        tables: dict[str, Json] = {name: flat.pop(name) for name in TABLES}
        lines = [f"{name} = {toml_value(value)}" for name, value in flat.items() if value is not None]
        for name, table in tables.items():
            if name == "noise" and self.labels is not None:
                continue
            entries = [f"{toml_key(key)} = {toml_value(value)}" for key, value in table.items() if value is not None]
            lines += ["", f"[{name}]", *entries] if entries else []
        return "\n".join(lines) + "\n"

    def key(self) -> str:
        """What the run is, in 16 hexadecimal digits: all settings that its result depends on."""
        unused = [name for name in LATER if not getattr(self, name)]
        facts = {name: value for name, value in self.to_dict().items() if name not in (*ELSEWHERE, *unused)}
        return blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()


def _with_rate(schedule: JsonValue, usual: str) -> str:
    """The schedule as text; one that names a way of the loss alone leaves the rate as is usual."""
    alone = "rate" not in schedule if isinstance(schedule, Mapping) else leads_alone(str(schedule))
    found = Schedule.parse(schedule)
    return f"{usual}+{found.way}" if alone else found.text


ORDER = (
    "dataset", "data", "recipe", "loss", "formula", "passive", "labels", "column", "model", "width", "pretrained", "epochs",
    "batch", "rate", "momentum", "nesterov", "schedule", "clip", "regularisation", "strength", "seed", "subset", "balanced",
    "image_size", "device", "precision", "channels_last", "compile", "threads", "workers", "evaluate", "measure", "probe",
    "data_dir", "ilsvrc_dir", "download", "parameters", "noise",
)  # fmt: skip
LATER = ("probe", "data")
"""Settings that came later: where they are not used the key of a run is as it was without them."""
TABLES = ("parameters", "noise")
ELSEWHERE = ("device", "threads", "workers", "data_dir", "ilsvrc_dir", "download")
"""Settings that say where a run happens, not what it is: a run may be resumed with others."""


PATHS = ("data", "labels", "data_dir", "ilsvrc_dir")
"""Settings that are paths, and so may be a ``noise.kind`` (:func:`is_path`). In a file they are relative to its folder."""


# ------------------------------------------------------------------------------------------------------------ TOML


def named_in(path: str | os.PathLike[str], key: str, value: JsonValue) -> JsonValue:
    """A setting as the file `path` names it: a path in it is relative to its folder."""
    if not isinstance(value, str) or not (key in PATHS or (key == "noise.kind" and is_path(value))):
        return value
    return beside(os.path.dirname(path), value)


def read_toml(path: str | os.PathLike[str]) -> Json:
    """What a file gives, each value checked by itself; an unknown key is named with its line and the nearest key.

    Paths in it are relative to its folder, and come back relative to the current one.
    """
    source = read_text(path, "--config")
    found = parse_toml(source, f"--config {path}")
    for table in TABLES:
        if table in found and not isinstance(found[table], dict):
            raise InputError(f"--config {path}{line_of(source, table)}: {table} is a table, written [{table}]")
    known = {name for name in ORDER if name not in TABLES}
    for name in found:
        if name not in known and name not in TABLES:
            hint = nearest(name, ORDER)
            raise InputError(f"--config {path}{line_of(source, name)}: {name!r} is not a setting{hint}")
    noise = found.get("noise", {})
    keys = [each.name for each in fields(Noise)]
    for name in noise:
        if name not in keys:
            where = line_of(source, name, "noise")
            raise InputError(
                f"--config {path}{where}: {name!r} is not a setting of [noise] ({', '.join(keys)}){nearest(name, keys)}"
            )
    with blame(path):
        values: Json = {name: check_given(name, found[name]) for name in found if name not in TABLES}
        values = {name: named_in(path, name, value) for name, value in values.items()}
        if noise:
            checked = {name: CHECKS[f"noise.{name}"](f"noise.{name}", value) for name, value in noise.items()}
            values["noise"] = {name: named_in(path, f"noise.{name}", value) for name, value in checked.items()}
        if "parameters" in found:
            flat = flattened(found["parameters"])
            values["parameters"] = {name: exact_number(f"parameters.{name}", value) for name, value in flat.items()}
    return values
