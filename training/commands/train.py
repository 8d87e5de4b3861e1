"""The command ``asymtheory train``: train a network with a noise-robust loss on noisy labels, and say what came of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from asymtheory.commands.options import ANSWERED, NO, Parser, join_formulas, print_json, say
from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.noise import parse_number
from asymtheory.writing import write_file

from ..run.config import TrainConfig, read_toml
from .options import OPTIONS, add_settings, errors_name, say_readings, settings_given

# Modules that load torch are imported by the functions that need them: torch takes seconds, and --help should not wait.

STOPPED = 130


def train(arguments: list[str]) -> int:
    """``asymtheory train``; returns the exit status (1 for a loss that became NaN, 130 for Ctrl-C)."""
    options = build_parser().parse_args(join_formulas(arguments))
    if options.recipe == "list":
        from ..run.recipes import table

        say(table)
        return ANSWERED
    config = _configuration(options)
    if options.write_config is not None:
        write_file(options.write_config, config.to_toml(Path(options.write_config).parent), "--write-config")
    if options.dry_run:
        from ..run.run import possible

        possible(config)  # an unknown name or parameter is refused here too
        if options.json:
            print_json({"id": config.key(), **config.to_dict()})
        else:
            print(config.to_toml(), end="")
        return ANSWERED
    from ..run.loop import DivergedError
    from ..run.run import run

    last = [0]
    say_readings("train")
    try:
        result = run(
            config, options.out, options.resume, options.results, options.progress or sys.stderr.isatty(),
            options.tensorboard, on_epoch=lambda epoch: last.__setitem__(0, epoch.epoch),
        )  # fmt: skip
    except DivergedError as error:
        print(f"asymtheory train: {error}{_go_on(options.out)}", file=sys.stderr)
        return NO
    except KeyboardInterrupt:
        print(
            f"asymtheory train: stopped after epoch {last[0]} of {config.epochs}{_go_on(options.out)}", file=sys.stderr
        )
        return STOPPED
    if options.json:
        print_json(result.to_dict())
    else:
        say(result)
    return ANSWERED


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(
        prog="asymtheory train",
        description="Train a network with a noise-robust loss on noisy labels. Without options: a small network on "
        "scikit-learn's digits. What is not given comes from --config, else from --recipe, else from the data set.",
    )
    add_settings(parser, OPTIONS.values())
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="parameters; decimals are exact"
    )
    parser.add_argument("--pretrained", action="store_true", default=None, help="start from ImageNet weights")
    parser.add_argument("--probe", action="store_true", default=None, help="look inside: p, NNCE's gradients, t-SNE")
    parser.add_argument("--nesterov", action="store_true", default=None, help="Nesterov's momentum")
    parser.add_argument("--download", action="store_true", default=None, help="fetch what is missing: data, or weights")
    parser.add_argument("--config", metavar="FILE", help="settings in TOML; options on the command line go before it")
    parser.add_argument("--write-config", metavar="FILE", help="write all settings to a file that --config reads")
    parser.add_argument("--dry-run", action="store_true", help="print all settings, train nothing")
    parser.add_argument("--out", metavar="DIR", help="folder of the run: config.toml, checkpoint.pt, result.jsonl")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--results", metavar="FILE", help="append the result's JSON line there (default: in --out)")
    parser.add_argument("--tensorboard", action="store_true", help="TensorBoard logs in --out")
    parser.add_argument(
        "--progress", action="store_true", help="a progress bar even where standard error is not a terminal"
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    return parser


def _configuration(options: argparse.Namespace) -> TrainConfig:
    """The settings of the command line over those of the file (--config, or the one in --out when resuming)."""
    file = options.config
    if options.resume and options.out is None:
        raise InputError("--resume goes with --out")
    if options.resume and file is None and (Path(options.out) / "config.toml").exists():
        file = str(Path(options.out) / "config.toml")
    here = _given(options)
    with errors_name(OPTIONS.values()):
        return TrainConfig.resolve(here) if file is None else TrainConfig.resolve(_merged(read_toml(file), here))


def _given(options: argparse.Namespace) -> Json:
    """What the command line sets, keys as in the TOML file; each value checked by itself, errors name the option."""
    found = settings_given(options, OPTIONS.values())
    for name in ("nesterov", "download", "pretrained", "probe"):
        if getattr(options, name):
            found[name] = True
    parameters: dict[str, Fraction] = {}
    for each in options.set:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise InputError(f"--set {each!r}: NAME=VALUE is needed")
        if name in parameters:
            raise InputError(f"--set {name} is given twice")
        parameters[name] = parse_number(value, f"--set {name}")
    if parameters:
        found["parameters"] = parameters
    return found


def _merged(file: Mapping[str, JsonValue], here: Mapping[str, JsonValue]) -> Json:
    """The file's settings under those given here; another loss, noise or recipe takes none of what belonged to the old one."""
    kept = {name: dict(value) if isinstance(value, dict) else value for name, value in file.items()}
    if "loss" in here or "formula" in here:
        same = "loss" in here and here["loss"] == kept.get("loss")
        for name in ("loss", "formula", "passive", *(() if same else ("parameters",))):
            kept.pop(name, None)
    if here.get("regularisation") == "none":
        kept.pop("strength", None)
    if "labels" in here:
        kept.pop("noise", None)
        kept.pop("column", None)
    noise = here.get("noise", {})
    if noise:
        kept.pop("labels", None)
        kept.pop("column", None)
        if "kind" in noise:
            kept.get("noise", {}).pop("eta", None)
    merged = {**kept, **here}
    for table in ("noise", "parameters"):
        if table in kept and table in here:
            merged[table] = {**kept[table], **here[table]}
    return merged


def _go_on(out: str | None) -> str:
    """How a stopped run is resumed."""
    if out is None:
        return "; nothing is kept without --out"
    if not (Path(out) / "checkpoint.pt").exists():
        return f"; {out} holds no checkpoint yet"
    return f"; `asymtheory train --resume --out {out}` goes on from the last checkpoint"
