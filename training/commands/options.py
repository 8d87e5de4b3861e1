"""The options of commands that are settings of a run: each defined once, checked as in the TOML file, errors naming the option."""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from asymtheory.commands.options import NOISE_HELP
from asymtheory.errors import LONGEST, InputError, printable
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.noise import parse_number

from ..run.checks import FieldError
from ..run.config import check_given


@dataclass(frozen=True)
class Option:
    """``flag`` gives a value to ``setting``; ``exact``: its text is a number, taken as it is typed (0.4 is 2/5)."""

    flag: str
    setting: str
    metavar: str
    help: str
    default: str = ""
    exact: bool = False

    @property
    def name(self) -> str:
        """The name of its attribute, as argparse makes it."""
        return self.flag.removeprefix("--").replace("-", "_")

    def __str__(self) -> str:
        return f"{self.help} (default: {self.default})" if self.default else self.help


def _number(flag: str, setting: str, metavar: str, text: str, default: str = "") -> Option:
    return Option(flag, setting, metavar, text, default, exact=True)


_NOISES = NOISE_HELP.replace(" (default)", "")

OPTIONS: Mapping[str, Option] = {option.flag: option for option in (
    Option("--dataset", "dataset", "NAME", "digits (needs no files), mnist, fashion-mnist, cifar10, cifar100; webvision, "
           "clothing1m, animal10n or folder, whose images you bring (docs/large-sets.md)", "digits"),
    Option("--data", "data", "FILE", "features of images, from `asymtheory features` or your own (.npz, .npy, .pt, .parquet): "
           "the data set features"),
    Option("--loss", "loss", "NAME", "a name from `asymtheory losses`, a sum x+y, or a baseline such as nlnl (docs/baselines.md)"),
    Option("--formula", "formula", "TEXT", "your own loss in u and named parameters, instead of --loss"),
    Option("--passive", "passive", "TEXT", "with --formula: the term of each other class, such as u**2"),
    Option("--recipe", "recipe", "NAME", "settings of a paper, such as jal-cifar10; `list` shows them all"),
    Option("--labels", "labels", "FILE", "noisy labels of the training set (see `asymtheory labels`), instead of --noise"),
    Option("--column", "column", "NAME", "with --labels: which labels, where the file has several"),
    Option("--noise", "noise.kind", "KIND", f"{_NOISES}; idn or idn-jal", "none"),
    _number("--eta", "noise.eta", "X", "noise rate in [0, 1]; decimals are exact (0.4 is 2/5)"),
    Option("--noise-mode", "noise.mode", "MODE", "exact counts, iid, or redrawn at every visit of an image", "exact"),
    _number("--noise-seed", "noise.seed", "N", "of the noisy labels alone: runs of several --seed share them", "0"),
    Option("--model", "model", "NAME", "linear, mlp1 (one hidden layer), mlp (two), cnn4, cnn8, resnet34, resnet50 or vgg19-bn"),
    _number("--width", "width", "X", "multiplies every hidden width of the model"),
    _number("--epochs", "epochs", "N", "passes over the training set"),
    _number("--batch", "batch", "N", "images a step"),
    _number("--rate", "rate", "X", "initial learning rate"),
    _number("--momentum", "momentum", "X", "of SGD"),
    _number("--clip", "clip", "X", "the gradient's norm is cut to it; inf for never"),
    Option("--schedule", "schedule", "TEXT", "of the rate: cosine, constant, step:EPOCHS:FACTOR or drop:FACTOR:SHARE,...; with "
           "+ramp:PARAMETER:FROM:TO:UNTIL a parameter of the loss moves over that share of the steps, with +start:LOSS:UNTIL "
           "another loss leads to it; :held-out or :vertices after either ends it by a signal"),
    Option("--regularisation", "regularisation", "NORM",
           "none, l1, l2, jacobian, or published: what the recipe's paper did for this loss"),
    _number("--strength", "strength", "X", "of the regularisation: weight decay, or lambda of the L1 norm or of the Jacobian"),
    _number("--seed", "seed", "N", "of weights, order and augmentation", "0"),
    _number("--subset", "subset", "N", "train on the first images of every class only, N in all"),
    _number("--balanced", "balanced", "N", "an epoch sees N images of every class, as labelled, drawn anew each time"),
    _number("--image-size", "image_size", "N", "side of the network's inputs, for sets in files", "224; animal10n 64"),
    Option("--device", "device", "NAME", "auto, cpu, cuda, cuda:1, ...", "auto"),
    Option("--precision", "precision", "TYPE", "auto, float32, float64 or bfloat16", "auto"),
    Option("--channels-last", "channels_last", "WORD", "auto, on or off", "auto"),
    Option("--compile", "compile", "WORD", "off, on (torch.compile) or graphs (CUDA graphs)", "off"),
    _number("--threads", "threads", "N", "of a CPU", "one for a small model, else all"),
    _number("--workers", "workers", "N", "processes that decode images, for sets in files", "one a core, at most 16"),
    _number("--evaluate", "evaluate", "N", "test set every N epochs", "1"),
    Option("--measure", "measure", "WORD", "the training set while an epoch is running, or frozen after it", "running"),
    Option("--ilsvrc-dir", "ilsvrc_dir", "DIR", "with webvision: ILSVRC12's validation set in class folders, a second test set"),
    Option("--data-dir", "data_dir", "DIR", "the folder of the data set's files", "$ASYMTHEORY_DATA, or a cache"),
)}  # fmt: skip
"""Every option that is a setting with a value, by its flag, with the defaults of `asymtheory train`."""


def chosen(**defaults: str | None) -> tuple[Option, ...]:
    """Some of the options, by name; those for which a default is told have that one in the place of train's."""
    by_name = {option.name: option for option in OPTIONS.values()}
    return tuple(
        by_name[name] if default is None else replace(by_name[name], default=default)
        for name, default in defaults.items()
    )


def add_settings(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Each as an option of the command."""
    for option in options:
        parser.add_argument(option.flag, metavar=option.metavar, help=str(option).replace("%", "%%"))


def settings_given(given: argparse.Namespace, options: Iterable[Option]) -> Json:
    """What the command line sets, keys as in the TOML file, each value checked by itself."""
    found: Json = {}
    for option in options:
        text = getattr(given, option.name)
        if text is None:
            continue
        value: JsonValue = text
        if option.exact:
            forever = option.setting == "clip" and text in ("inf", "none")
            value = math.inf if forever else parse_number(text, option.flag)
        with errors_name([option]):
            value = check_given(option.setting, value)
        table, _, name = option.setting.rpartition(".")
        (found.setdefault(table, {}) if table else found)[name] = value
    return found


@contextmanager
def errors_name(options: Iterable[Option]) -> Iterator[None]:
    """A setting's error as that of its option; parameters are those of --set."""
    try:
        yield
    except FieldError as error:
        flags = {option.setting: option.flag for option in options}
        table, _, name = error.key.rpartition(".")
        flag = flags.get(error.key) or (f"--set {name}" if table == "parameters" else error.key)
        raise InputError(f"{flag}{str(error).removeprefix(error.key)}") from None


class _Readings(logging.Handler):
    """Says each message once a command, on the standard error of that moment."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.command, self.said = "", set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self.said:
            self.said.add(text)
            print(printable(f"asymtheory {self.command}: {text}", LONGEST), file=sys.stderr)


_READINGS = _Readings()


def say_readings(command: str) -> None:
    """From now on how files of labels and noise are read goes to standard error, one line each."""
    log = logging.getLogger("asymtheory")
    log.setLevel(logging.INFO)
    if _READINGS not in log.handlers:
        log.addHandler(_READINGS)
    _READINGS.command, _READINGS.said = command, set()
