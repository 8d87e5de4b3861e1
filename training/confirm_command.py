"""The command ``asymtheory confirm``: train over a grid around the threshold, print rows and what they say."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asymtheory.cli import ANSWERED, NOISE_HELP, _Parser, _print_json
from asymtheory.errors import InputError
from asymtheory.noise import parse_number

from .config import TrainConfig
from .options import by_setting, errors_name, settings_given

STOPPED = 130
ROWS = "rows.jsonl"

# option -> (setting, metavar, help); checked as in the TOML file of a run
SETTINGS: dict[str, tuple[str, str, str]] = {
    "--dataset": (
        "dataset",
        "NAME",
        "digits (default; needs no files), mnist, cifar10, or any other that training knows",
    ),
    "--noise": ("noise.kind", "KIND", f"{NOISE_HELP}"),
    "--eta": ("noise.eta", "X", "noise rate in [0, 1]; decimals are exact (default 0.4 where the noise has a rate)"),
    "--model": ("model", "NAME", "mlp (trained as one batch; default, except on cifar10: cnn8) or another, one by one"),
    "--width": ("width", "X", "multiplies every hidden width of the model"),
    "--subset": ("subset", "N", "train on the first images of every class only, N in all"),
    "--epochs": ("epochs", "N", "passes over the training set"),
    "--batch": ("batch", "N", "images a step"),
    "--rate": ("rate", "X", "initial learning rate"),
    "--clip": ("clip", "X", "the gradient's norm is cut to it; inf for never"),
    "--schedule": ("schedule", "TEXT", "cosine, constant, step:EPOCHS:FACTOR or drop:FACTOR:SHARE,..."),
    "--regularisation": (
        "regularisation",
        "NORM",
        "none, l1 or l2 (default: none for population, else the data set's)",
    ),
    "--strength": ("strength", "X", "of the regularisation"),
    "--evaluate": ("evaluate", "N", "test set every N epochs (default: about 20 times in all)"),
    "--device": ("device", "NAME", "auto (default), cpu, cuda, cuda:1, ..."),
    "--precision": ("precision", "TYPE", "auto (default: float32) or float64"),
    "--threads": ("threads", "N", "of a CPU (default: one for stacked models)"),
    "--data-dir": ("data_dir", "DIR", "the folder of the data set's files (default: $ASYMTHEORY_DATA, or a cache)"),
}
NUMBERS = {
    "--eta", "--width", "--subset", "--epochs", "--batch", "--rate", "--clip", "--strength", "--evaluate", "--threads"
}  # fmt: skip
EVALUATIONS = 20


def confirm(arguments: list[str]) -> int:
    """``asymtheory confirm``; returns the exit status (130 for Ctrl-C)."""
    options = _parser().parse_args(arguments)
    from .confirm import confirm as run
    from .confirm_design import LOSSES, Design, Group, losses
    from .confirm_summary import summarise

    design = Design(
        config=_config(options), regime=options.regime, seeds=tuple(range(_whole(options.seeds, "--seeds", 1))),
        expected=options.expected, equalise=not options.no_equalise, count=_whole(options.values, "--values", 3),
    )  # fmt: skip
    names = options.loss or ["amse"]
    chosen = losses(LOSSES if names == ["all"] else [_named(name) for name in names])
    bar: Any = None

    def begin(groups: list[Group], done: int) -> None:
        nonlocal bar
        if options.progress or sys.stderr.isatty():
            from tqdm import tqdm

            total = sum(group.steps for group in groups)
            bar = tqdm(total=total, initial=done, unit="epoch", leave=False, dynamic_ncols=True)

    out = None if options.out is None else Path(options.out)
    try:
        rows = run(design, chosen, out, lambda models: bar.update(models) if bar is not None else None, begin)
    except KeyboardInterrupt:
        where = "nothing is kept without --out" if out is None else f"the same command goes on with what is in {out}"
        print(f"asymtheory confirm: stopped; {where}", file=sys.stderr)
        return STOPPED
    finally:
        if bar is not None:
            bar.close()
    summary = summarise(rows)
    if out is not None:
        _write(out / ROWS, rows)
    if options.json:
        _print_json({"rows": rows, "summary": summary})
    else:
        print(_shown(design.facts(), rows, summary))
    return ANSWERED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="asymtheory confirm",
        description="Train networks over a grid of loss parameters around the exact threshold, a*/8 to 8a*, and compare "
        "with the theory. Without options: AMSE on scikit-learn's digits with symmetric noise 0.4, labels redrawn.",
    )
    parser.add_argument(
        "--regime", default="population", metavar="NAME", help="population (default): the label is redrawn at every visit; "
        "fixed: one label an image",
    )  # fmt: skip
    parser.add_argument(
        "--loss", nargs="+", action="extend", metavar="NAME", help="names with fixed parameters, as in amse agce:q=1/2 ce "
        "(default amse), or all: the study's",
    )  # fmt: skip
    parser.add_argument("--seeds", default=None, metavar="N", help="seeds 0..N-1 (default 3)")
    parser.add_argument("--values", default=None, metavar="N", help="of the parameter, odd (default 9)")
    for option, (_, metavar, text) in SETTINGS.items():
        parser.add_argument(option, metavar=metavar, help=text.replace("%", "%%"))
    parser.add_argument("--expected", action="store_true", help="population: the expected loss instead of drawn labels")
    parser.add_argument(
        "--no-equalise", action="store_true", help="losses as they are, not scaled to one initial slope"
    )
    parser.add_argument("--quick", action="store_true", help="seconds: one seed, 5 values, a tenth of the epochs")
    parser.add_argument("--out", metavar="DIR", help="keep what is trained there, and go on with what is there")
    parser.add_argument(
        "--progress", action="store_true", help="a progress bar even where standard error is no terminal"
    )
    parser.add_argument("--json", action="store_true", help="rows and summary as JSON")
    return parser


def _config(options: argparse.Namespace) -> TrainConfig:
    """The configuration of the command line; what is not given is the data set's."""
    given = settings_given(options, SETTINGS, NUMBERS)
    given["noise"] = {"kind": "symmetric", **given.get("noise", {})}
    from asymtheory.noise import FAMILIES

    if given["noise"]["kind"] in FAMILIES and "eta" not in given["noise"]:
        given["noise"]["eta"] = parse_number("0.4", "--eta")
    dataset = given.get("dataset", "digits")
    given.setdefault("model", "mlp" if dataset in ("digits", "mnist", "fashion-mnist") else "cnn8")
    if dataset == "digits":
        given.setdefault("width", 0.5)  # a minute for the whole grid
    if options.regime == "population" and "regularisation" not in given and "strength" not in given:
        given["regularisation"] = "none"
    with errors_name(by_setting(SETTINGS)):
        config = TrainConfig.resolve(given)
        epochs = config.epochs
        if options.quick and options.epochs is None:
            epochs = max(1, config.epochs // 10)
        if options.evaluate is None or options.quick:
            given["evaluate"] = max(1, epochs // EVALUATIONS)
        config = TrainConfig.resolve({**given, "epochs": epochs})
    if options.seeds is None:
        options.seeds = "1" if options.quick else "3"
    if options.values is None:
        options.values = "5" if options.quick else "9"
    return config


def _whole(text: str, option: str, least: int) -> int:
    number = parse_number(text, option)
    if number.denominator != 1 or number < least:
        raise InputError(f"{option} {text}: a whole number >= {least} is needed")
    return int(number)


def _named(text: str) -> tuple[str, dict[str, Any]]:
    """``agce:q=1/2,a=3`` as a name and its parameters."""
    name, _, rest = text.partition(":")
    values: dict[str, Any] = {}
    for setting in rest.split(",") if rest else []:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise InputError(f"--loss {text!r}: NAME:PARAMETER=VALUE,... is needed")
        values[key] = parse_number(value, f"--loss {name}:{key}")
    return name, values


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from .checkpoint import replace_file

    try:
        replace_file(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode())
    except OSError as error:
        raise InputError(f"--out {path.parent}: cannot be written ({error.strerror or error})") from None


POPULATION = ("value", "a/a*", "exact", "measured", "low", "high", "median", "test", "scale")
FIXED = ("value", "a/a*", "c r", "memorised", "clean", "last", "best", "drop", "scale")


def _shown(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """Table and sentences for people."""
    from .confirm_summary import name_of
    from .loop import plural

    head = POPULATION if summary["regime"] == "population" else FIXED
    first = rows[0]
    lines = [
        f"{summary['regime']} regime ({facts['labels']} labels): {first['dataset']}, {first['images']} images, "
        f"{first['noise']}; {first['model']}, {plural(first['epochs'], 'epoch')}, {plural(first['seeds'], 'seed')}"
    ]
    if facts["equalise"]:
        lines.append("losses scaled to the initial slope of cross entropy")
    table: list[tuple[str, ...]] = [("loss", *head)]
    last = ""
    for row in rows:
        name = name_of(row)
        if summary["regime"] == "population":
            cells = [row["exact"], row["measured"], row["low"], row["high"], row["median"], row["test"]["measured"]]
            texts = ["-" if x is None else f"{x:.4f}" for x in cells]
        else:
            cells = [row["memorised"], row["clean"], row["last"], row["best"], row["drop"]]
            texts = [_number(row["level"]), *("-" if x is None else f"{100 * x:.1f} %" for x in cells)]
        table.append(
            ("" if name == last else name, _number(row["value"]), _number(row["factor"]), *texts, f"{row['scale']:.3g}")
        )
        last = name
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for each in table:
        lines.append(
            "  "
            + each[0].ljust(widths[0])
            + "".join("  " + c.rjust(w) for c, w in zip(each[1:], widths[1:], strict=True))
        )
    return "\n".join([*lines, "", *summary["says"]])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
