"""The command ``asymtheory tune``: loss, parameter and learning rate by a few short runs, without one clean label."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from asymtheory.commands.options import ANSWERED, Parser, count_given, print_json, say
from asymtheory.errors import InputError, printable
from asymtheory.noise import NoiseModel, resolve
from asymtheory.numbers.text import parse_number
from asymtheory.selection.advice import Run
from asymtheory.writing import write_file

from ..run.config import CLEAN, TrainConfig, read_toml
from .options import add_settings, chosen, errors_name, say_readings, settings_given

if TYPE_CHECKING:
    from ..tune.tune import Search, Tuned

# Modules that load torch are imported by the functions that need them: torch takes seconds, and --help should not wait.

STOPPED = 130
SETTINGS = chosen(
    dataset=None, labels=None, column=None, noise=None, eta=None, model=None, width=None, subset=None, epochs=None, batch=None,
    momentum=None, clip=None, schedule=None, regularisation=None, strength=None, seed=None, device=None, precision=None,
    threads=None, data_dir=None,
)  # fmt: skip


def tune(arguments: list[str]) -> int:
    """``asymtheory tune``; returns the exit status (130 for Ctrl-C)."""
    options = build_parser().parse_args(arguments)
    with errors_name(SETTINGS):
        given = settings_given(options, SETTINGS)
        base = TrainConfig.resolve(
            {**({} if options.config is None else read_toml(options.config)), **given, "loss": "ce"}
        )
    if options.resume and options.out is None:
        raise InputError("--resume goes with --out")
    say_readings("tune")
    budget, seconds = _budget(options.budget)
    search, K = _search(base, options)
    try:
        found = search.run(budget, seconds, options.resume, options.progress or sys.stderr.isatty())
    except KeyboardInterrupt:
        rest = "nothing is kept without --out" if options.out is None else "the same command with --resume goes on"
        print(f"asymtheory tune: stopped; {rest}", file=sys.stderr)
        return STOPPED
    path = _written(found, base, K, options)
    if options.json:
        print_json(found.to_dict())
    else:
        say(found)
        print(
            f"written: {path}; asymtheory train --config {path} trains it" if path else "--write-config FILE keeps it"
        )
    return ANSWERED


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(
        prog="asymtheory tune",
        description="Find the loss, the value of its parameter and the learning rate for noisy labels: losses that tolerate "
        "the noise, at equal initial slope, by successive halving on held-out noisy labels. No clean label is looked at.",
    )
    add_settings(parser, SETTINGS)
    parser.add_argument("--expect", metavar="KIND[:ETA]", help="the noise of --labels: a kind, or a file with a matrix")
    parser.add_argument(
        "--losses", metavar="LIST", help="losses to try beside CE, such as amse,agce:q=1/2 (default: 12)"
    )
    parser.add_argument("--rates", metavar="LIST", help="learning rates of CE (default: 0.002,0.008,0.032,0.128)")
    parser.add_argument("--budget", metavar="N[s]", help="epochs of all runs together, or seconds, as in 600s")
    parser.add_argument("--config", metavar="FILE", help="settings in TOML; options on the command line go before it")
    parser.add_argument("--out", metavar="DIR", help="folder of the search; run.toml is written into it")
    parser.add_argument("--resume", action="store_true", help="go on with the search in --out")
    parser.add_argument("--no-stack", action="store_true", help="train perceptrons one by one too, not as one batch")
    parser.add_argument("--write-config", metavar="FILE", help="write the chosen run for `asymtheory train --config`")
    parser.add_argument("--progress", action="store_true", help="a bar even where standard error is not a terminal")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    return parser


def _budget(text: str | None) -> tuple[int | None, float | None]:
    """(epochs, seconds)."""
    if text is None:
        return None, None
    if text.endswith("s"):
        seconds = float(parse_number(text[:-1], "--budget"))
        if seconds <= 0:
            raise InputError(f"--budget {text}: a time > 0 is needed, such as 600s")
        return None, seconds
    return count_given(text, "--budget", least=1), None


def _search(base: TrainConfig, options: argparse.Namespace) -> tuple[Search, int]:
    """The search over the data set's training images with the labels to be fitted, and the number of classes."""
    from ..data.inputs import HELD_OUT, Images
    from ..data.instance_noise import INSTANCE
    from ..run.run import Prepared
    from ..tune.space import FAMILIES, RATES, arms
    from ..tune.tune import Search

    rates = RATES if options.rates is None else [float(parse_number(x, "--rates")) for x in options.rates.split(",")]
    losses = FAMILIES if options.losses is None else _listed(options.losses)
    prepared = Prepared.of(base)
    images, K = prepared.data.images, prepared.dataset.K
    if not isinstance(images, Images):
        raise InputError(f"--dataset {base.dataset}: its images stay in files; tune needs a set that lies in memory")
    if base.noise.mode == "redrawn":
        raise InputError("--noise-mode redrawn: labels are held out, so they must be fixed")
    noise = _expected(base, options, K, prepared.noise)
    out = None if options.out is None else Path(options.out)
    make: Callable[[], object] = prepared.model
    run = Run(images.tensor[0].numel(), base.epochs, round((1 - HELD_OUT) * len(images.tensor)))
    tried, stack = arms(noise, K, losses, rates, run), not options.no_stack
    drawn = base.labels is None and base.noise.kind not in INSTANCE  # from the rows of its matrix
    found = Search(make, images, prepared.data.given, tried, base, K, noise, out=out, stack=stack, drawn=drawn)  # type: ignore[arg-type]
    return found, K


def _listed(text: str) -> list[str]:
    """Losses between commas; a part without a name belongs to the loss before it (``agce:q=1/2,a=2``)."""
    found: list[str] = []
    for part in text.split(","):
        if "=" in part and ":" not in part and found:
            found[-1] += f",{part}"
        else:
            found.append(part.strip())
    return found


def _expected(base: TrainConfig, options: argparse.Namespace, K: int, own: NoiseModel | None) -> NoiseModel | None:
    """What the theory may know of the noise: its name, never the true labels."""
    if options.expect is not None:
        if base.labels is None:
            raise InputError("--expect goes with --labels; the noise of --noise is known")
        kind, colon, rate = options.expect.partition(":")
        if colon and not os.path.exists(options.expect):
            return resolve(kind, K, parse_number(rate, "--expect"))
        return resolve(options.expect, K, None)
    if base.labels is not None:
        raise InputError(
            "--labels: say what is expected of their noise, such as --expect symmetric:0.4 or a matrix's file"
        )
    return None if base.noise.kind == CLEAN else own


def _written(found: Tuned, base: TrainConfig, K: int, options: argparse.Namespace) -> str | None:
    """run.toml of the choice, in --write-config or in the folder of the search."""
    path = options.write_config or (None if options.out is None else os.path.join(options.out, "run.toml"))
    if path is None:
        return None
    write_file(path, found.best.config(base, K).to_toml(Path(path).parent), "--write-config")
    return printable(str(path), 300)
