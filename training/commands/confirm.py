"""The command ``asymtheory confirm``: train over a grid around the threshold, print rows and what they say."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asymtheory import layout
from asymtheory.commands.options import ANSWERED, Parser, print_json, say
from asymtheory.contract import check_row
from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue, numbered
from asymtheory.noise import parse_number
from asymtheory.numbers.text import plural
from asymtheory.reading.limits import at_most, most
from asymtheory.writing import check_writable, write_file

from ..run.config import TrainConfig
from .options import add_settings, chosen, errors_name, say_readings, settings_given

if TYPE_CHECKING:
    from asymtheory.losses import Loss

    from ..confirm.design import Design, Group
    from ..confirm.plan import Study

# Modules that load torch are imported by the functions that need them: torch takes seconds, and --help should not wait.

STOPPED = 130
ROWS = "rows.jsonl"
WITH_PLAN = ("plan", "set", "only", "dry_run", "out", "results", "progress", "json")  # options

SETTINGS = chosen(
    dataset=None, data=None, labels=None, column=None, noise="symmetric", eta="0.4 where the noise has a rate",
    model="linear for features; mlp, trained as one batch like linear and mlp1; for pictures in colour cnn8, one by one",
    width="1; digits 0.5", subset=None,
    epochs=None, batch=None, rate=None, clip=None, schedule=None, regularisation="none for population, else the data set's",
    strength=None, evaluate="about 20 times in all", device=None, precision="auto: float32 for mlp", threads="one for mlp",
    data_dir=None,
)  # fmt: skip


def confirm(arguments: list[str]) -> int:
    """``asymtheory confirm``; returns the exit status (130 for Ctrl-C)."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    say_readings("confirm")
    if options.plan is not None:
        return _plan(options, parser)
    for option in ("set", "only", "dry_run", "results"):
        if getattr(options, option):
            raise InputError(f"--{option.replace('_', '-')} goes with --plan")
    from ..confirm.design import LOSSES, Design, losses
    from ..confirm.summary import summarise

    design = Design(
        config=_config(options), regime=options.regime, seeds=tuple(range(_whole(options.seeds, "--seeds", 1))),
        expected=options.expected, equalise=not options.no_equalise, count=_whole(options.values, "--values", 3),
    )  # fmt: skip
    names = options.loss or ["amse"]
    chosen = losses(LOSSES if names == ["all"] else [_named(name) for name in names])
    out = None if options.out is None else Path(options.out)
    rows = _trained(design, chosen, out, out, options.progress)
    if rows is None:
        return STOPPED
    if out is not None:
        write_file(out / ROWS, _lines(rows), "--out")
    summary = summarise(rows)
    if options.json:
        print_json({"rows": rows, "summary": summary})
    else:
        say(lambda: _shown(design.facts(), rows, summary))
    return ANSWERED


def _trained(
    design: Design, chosen: Sequence[Loss], out: Path | None, again: Path | None, progress: bool
) -> list[Json] | None:
    """The rows of a design, kept in ``out``; None after Ctrl-C, when it was said that ``again`` has what is there."""
    from ..confirm.study import confirm as run

    bar: Any = None

    def begin(groups: list[Group], done: int) -> None:
        nonlocal bar
        if progress or sys.stderr.isatty():
            from tqdm import tqdm

            total = sum(group.steps for group in groups)
            bar = tqdm(total=total, initial=done, unit="epoch", leave=False, dynamic_ncols=True)

    try:
        rows = run(design, chosen, out, lambda models: bar.update(models) if bar is not None else None, begin)
    except KeyboardInterrupt:
        where = (
            "nothing is kept without --out" if again is None else f"the same command goes on with what is in {again}"
        )
        print(f"asymtheory confirm: stopped; {where}", file=sys.stderr)
        return None
    finally:
        if bar is not None:
            bar.close()
    return rows


def _plan(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """``--plan``: every design of a file, each in its own folder; the rows of all that is there in one file beside them.

    A folder keeps the rows of losses that were trained before and are not asked for now.
    """
    for option, value in vars(options).items():
        if option not in WITH_PLAN and value != parser.get_default(option):
            raise InputError(f"--{option.replace('_', '-')}: --plan has it in its file; --set KEY=VALUE changes that")
    from ..confirm.plan import read_studies
    from ..confirm.summary import summarise
    from ..sweep.grammar import ONLY, SET, parse_settings
    from ..sweep.shipped import DESIGNS, find, results_of

    path = find(options.plan, DESIGNS)
    studies = read_studies(path, parse_settings(options.set, SET), parse_settings(options.only, ONLY))
    out = results_of(options.plan, path) if options.out is None else Path(options.out)
    if options.dry_run:
        return _dry_run(studies, out, options.json)
    if options.results is not None:
        check_writable(options.results, "--results")
    everything: list[Json] = []
    for study in studies:
        rows = _trained(study.design, study.losses, out / study.name, out, options.progress)
        if rows is None:
            return STOPPED
        file = out / study.name / ROWS
        write_file(file, _lines(_others(file, rows) + rows), "--out")
        together = [row for file in sorted(out.glob(f"*/{ROWS}")) for row in _rows(file)]
        write_file(out / ROWS, _lines(together), "--out")
        if options.results is not None:
            write_file(options.results, _condensed(together, options.results), "--results")
        summary = summarise(rows)
        everything.append({"name": study.name, "rows": rows, "summary": summary})
        if not options.json:
            print(f"{study.name}\n{_shown(study.design.facts(), rows, summary)}\n", flush=True)
    if options.json:
        print_json({"folder": str(out), "designs": everything})
    return ANSWERED


def _dry_run(studies: Sequence[Study], out: Path, as_json: bool) -> int:
    """How many models, and about how long."""
    from joblib import cpu_count

    from ..confirm.plan import loads
    from ..sweep.estimate import duration

    found = loads(studies, out, cpu_count())
    models, done = sum(load.models for load in found), sum(load.done for load in found)
    known = [load.seconds for load in found if load.seconds is not None]
    if as_json:
        seconds = sum(known) if len(known) == len(found) else None
        facts = {"folder": str(out), "models": models, "done": done, "seconds": seconds}
        print_json({**facts, "designs": [load.to_dict() for load in found]})
        return ANSWERED
    width = max(len(load.study.name) for load in found)
    for load in found:
        time = "" if load.seconds is None else f", about {duration(load.seconds)}"
        state = "done" if load.done == load.models else f"{load.done} done{time}"
        losses = len(load.study.losses)
        counts = f"{losses} losses" if losses > 1 else "1 loss"
        print(f"{load.study.name:<{width}}  {counts:>9}  {plural(load.models, 'model'):>11}  {state}")
    whole = len(known) == len(found) and models > done
    total = f", about {duration(sum(known))} one after another" if whole else ""
    print(f"{plural(len(found), 'design')}, {plural(models, 'model')}, {models - done} to train{total}")
    for unknown in dict.fromkeys(load.unknown for load in found if load.unknown):
        print(f"time not measured: {unknown}")
    return ANSWERED


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(
        prog="asymtheory confirm",
        description="Train networks over a grid of loss parameters around the exact threshold, a*/8 to 8a*, and compare "
        "with the theory. Without options: AMSE on scikit-learn's digits with symmetric noise 0.4, labels redrawn.",
    )
    parser.add_argument(
        "--regime",
        default="population",
        metavar="NAME",
        help="population (default): the label is redrawn at every visit; fixed: one label an image",
    )
    parser.add_argument(
        "--loss",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="names with fixed parameters, as in amse agce:q=1/2 ce (default amse), or all: the study's",
    )
    parser.add_argument("--seeds", default=None, metavar="N", help="seeds 0..N-1 (default 3)")
    parser.add_argument("--values", default=None, metavar="N", help="of the parameter, odd (default 9)")
    add_settings(parser, SETTINGS)
    parser.add_argument("--expected", action="store_true", help="population: the expected loss instead of drawn labels")
    parser.add_argument(
        "--no-equalise", action="store_true", help="losses as they are, not scaled to one initial slope"
    )
    parser.add_argument("--quick", action="store_true", help="seconds: one seed, 5 values, a tenth of the epochs")
    parser.add_argument(
        "--plan",
        metavar="PLAN",
        help="instead of all these: a TOML file of designs (docs/confirmation.md), or confirm-grid, the "
        "study at full size",
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="with --plan: settings of all designs",
    )  # fmt: skip
    parser.add_argument(
        "--only", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="with --plan: only the designs to which it "
        "gives these values, such as regime=fixed noise.eta=0.8, and losses, as in loss=[amse,ce]",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="with --plan: count the models and estimate the time")
    parser.add_argument("--out", metavar="DIR", help="keep what is trained there, and go on with what is there")
    parser.add_argument(
        "--results", metavar="FILE", help="with --plan: also the rows of all that --out has, small enough to be kept: without "
        "histograms, compressed where the name ends in .gz",
    )  # fmt: skip
    parser.add_argument(
        "--progress", action="store_true", help="a progress bar even where standard error is not a terminal"
    )
    parser.add_argument("--json", action="store_true", help="rows and summary as JSON")
    return parser


def _config(options: argparse.Namespace) -> TrainConfig:
    """The configuration of the command line; what is not given is the data set's."""
    from ..confirm.design import settle

    given = settings_given(options, SETTINGS)
    with errors_name(SETTINGS):
        config = settle(given, options.regime, options.quick)
    if options.seeds is None:
        options.seeds = "1" if options.quick else "3"
    if options.values is None:
        options.values = "5" if options.quick else "9"
    return config


MOST_GIVEN = 10_000
"""Seeds, and values of a parameter, at most: each is a model that is trained."""


def _whole(text: str, option: str, least: int) -> int:
    number = parse_number(text, option)
    if number.denominator != 1 or number < least:
        raise InputError(f"{option} {text}: a whole number >= {least} is needed")
    if number > most(MOST_GIVEN):
        raise InputError(f"{option} {text}: {at_most(MOST_GIVEN)}")
    return int(number)


def _named(text: str) -> tuple[str, Json]:
    """``agce:q=1/2,a=3`` as a name and its parameters."""
    name, _, rest = text.partition(":")
    values: Json = {}
    for setting in rest.split(",") if rest else []:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise InputError(f"--loss {text!r}: NAME:PARAMETER=VALUE,... is needed")
        values[key] = parse_number(value, f"--loss {name}:{key}")
    return name, values


def _rows(path: Path) -> list[Json]:
    """The rows of another design of the plan, as they were written."""
    found = numbered(path, "rows")
    for where, row in found:
        check_row(row, where)
    return [row for _, row in found]


def _others(path: Path, rows: Sequence[Json]) -> list[Json]:
    """The rows that a design's file has of other losses than these."""
    if not path.exists():
        return []
    now = [(row["loss"], row["fixed"]) for row in rows]
    return [row for row in _rows(path) if (row["loss"], row["fixed"]) not in now]


def _condensed(rows: Sequence[Json], path: str) -> bytes:
    """Lines without histograms, compressed where the name ends in .gz; the same rows give the same bytes."""
    lines = _lines([{**row, "histograms": None} for row in rows]).encode()
    return gzip.compress(lines, mtime=0) if path.endswith(".gz") else lines


def _lines(rows: Sequence[Mapping[str, JsonValue]]) -> str:
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)


POPULATION = ("value", "a/a*", "exact", "measured", "low", "high", "median", "test", "scale")
FIXED = ("value", "a/a*", "c r", "memorised", "clean", "last", "best", "drop", "scale")


def _shown(
    facts: Mapping[str, JsonValue], rows: Sequence[Mapping[str, JsonValue]], summary: Mapping[str, JsonValue]
) -> str:
    """Table and sentences for people."""
    from ..confirm.summary import name_of

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
    lines += layout.table(table, right=frozenset(range(1, len(table[0]))), indent="  ")
    return "\n".join([*lines, "", *summary["says"]])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
