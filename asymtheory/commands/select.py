"""``asymtheory select``: options, output, and the files that it writes (a run's configuration, a plot)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata

from ..errors import InputError, nearest, printable
from ..losses.base import Loss
from ..losses.registry import names
from ..noise.models import check_classes
from ..noise.relabel import LEAST, Relabelling, relabelling
from ..numbers.text import parse_number
from ..selection.advice import Advice, Run, advise
from ..selection.select import Selection, select
from ..writing import check_writable, write_file
from .options import (
    count_given,
    formula_options,
    loss_given,
    say,
)

FORMATS = ("table", "json", "markdown")
PLOTS = "asymtheory.plots"
"""The entry-point group of plots: ``selection`` is called with the selection and the file to write."""
PLOT_FILES = (".pdf", ".png", ".svg")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--noise", metavar="KIND", help="symmetric (with --K and --eta), pair, ..., cifar10n-worse, ..."
    )
    parser.add_argument("--K", metavar="N", help="number of classes")
    parser.add_argument("--eta", metavar="X", help="noise rate in [0, 1]; decimals are exact (0.8 is 4/5)")
    parser.add_argument("--transition", metavar="FILE", help="a row-stochastic matrix, or a table of counts")
    parser.add_argument(
        "--labels",
        metavar="FILE[:NAME]",
        help="noisy labels: .csv, .tsv, .txt, .json, .jsonl, .npy, .npz, .parquet, .pt",
    )
    parser.add_argument("--clean", metavar="FILE[:NAME]", help="with --labels: clean labels, for all or some samples")
    parser.add_argument("--probs", metavar="FILE", help="with --labels: out-of-sample predicted probabilities (N, K)")
    parser.add_argument(
        "--features",
        metavar="FILE[:NAME]",
        help="with --labels: numbers of every sample (N, d), as your network gets them: give the probabilities where --clean and "
        "--probs are not given, and --inputs",
    )
    _of_the_run(parser)
    parser.add_argument(
        "--relabel",
        metavar="N",
        help="with --labels and --probs or --features: choose N samples to have relabelled for the binding row, and say what "
        "that gains",
    )
    parser.add_argument(
        "--write-relabel",
        metavar="FILE",
        help="with --relabel: the samples as index,label,row,weight; fill labels in, give it back by --clean beside these",
    )
    parser.add_argument("--posteriors", metavar="FILE", help="class weights of every sample (N, K), or votes")
    parser.add_argument(
        "--annotators", metavar="FILE", help="labels of several annotators: a column each, or item,annotator,label"
    )
    parser.add_argument(
        "--aggregate", metavar="NAME", default="votes", help="with --annotators: votes (default), majority, dawid-skene"
    )
    parser.add_argument("--annotator", metavar="NAME", help="with --annotators: the noise of this one's labels")
    parser.add_argument(
        "--losses",
        metavar="NAME[,NAME...]",
        help="rank these alone; `all` is every registered loss, also those left out",
    )
    formula_options(parser)
    parser.add_argument("--solve", metavar="NAME", help="with --formula: its parameter to solve for")
    parser.add_argument(
        "--confidence", metavar="X", default="0.95", help="of the intervals of an estimate (default 0.95)"
    )
    parser.add_argument(
        "--advice",
        action="store_true",
        help="the ranking of all recipes that were measured on noise like this, too (docs/regret.md)",
    )
    parser.add_argument("--format", metavar="F", help="table (default), json, markdown")
    parser.add_argument("--plot", metavar="FILE", help="draw frontier and coverage (.pdf, .png, .svg)")
    parser.add_argument("--write-config", metavar="FILE", help="write run.toml for `asymtheory train --config`")
    parser.add_argument("--dataset", metavar="NAME", help="with --write-config: the data set to train on")


def _of_the_run(parser: argparse.ArgumentParser) -> None:
    """What the learning rate depends on beside the noise."""
    parser.add_argument(
        "--inputs",
        metavar="N",
        help="how many numbers a sample has, as your network gets it: the more, the lower the learning rate",
    )
    parser.add_argument(
        "--epochs",
        metavar="N",
        help="how long you train: the learning rate is lowered for runs longer than those measured",
    )


def run(given: argparse.Namespace) -> int:
    """Run the command: 0 where some loss is asymmetric on all of the noise, 1 where none is."""
    form = given.format or ("json" if given.json else "table")
    if form not in FORMATS:
        raise InputError(f"--format {form!r}: not a format ({', '.join(FORMATS)}){nearest(form, FORMATS)}")
    if given.dataset is not None and given.write_config is None:
        raise InputError("--dataset goes with --write-config")
    draw = None if given.plot is None else _plot(given.plot)
    wanted, run = _count_of_relabel(given), _run(given)
    for option, path in (
        ("--plot", given.plot),
        ("--write-config", given.write_config),
        ("--write-relabel", given.write_relabel),
    ):
        if path is not None:
            check_writable(path, option)
    losses, also = _losses(given)
    K = None if given.K is None else parse_number(given.K, "--K")
    if K is not None and K.denominator != 1:
        raise InputError(f"--K {given.K}: the number of classes must be a whole number >= 2")
    chosen = select(
        given.noise, K=None if K is None else check_classes(int(K), "--K"),
        eta=None if given.eta is None else parse_number(given.eta, "--eta"),
        transition=given.transition, labels=given.labels, clean=given.clean, probs=given.probs, features=given.features,
        posteriors=given.posteriors, annotators=given.annotators, aggregate=given.aggregate, annotator=given.annotator,
        confidence=float(parse_number(given.confidence, "--confidence")), losses=losses, also=also,
    )  # fmt: skip
    if given.write_config is not None:
        text = chosen.config(dataset=given.dataset, folder=os.path.dirname(given.write_config))
        write_file(given.write_config, text, "--write-config")
    if draw is not None:
        draw(chosen, given.plot)
    advice = _advice(chosen, run, given.advice)
    plan = None if wanted is None else _plan(given, wanted, chosen)
    if plan is not None and given.write_relabel is not None:
        write_file(given.write_relabel, plan.csv(), "--write-relabel")
    if form == "table":
        say(lambda: _rendered(chosen, form, advice, given.advice, plan))
    else:
        print(_rendered(chosen, form, advice, given.advice, plan))
    for option, path in (
        ("plot", given.plot),
        ("configuration", given.write_config),
        ("samples to relabel", given.write_relabel),
    ):
        if path is not None:
            print(f"asymtheory select: {option} written to {printable(path, 300)}", file=sys.stderr)
    return 0 if any(candidate.feasible for candidate in chosen.candidates) else 1


def _count_of_relabel(given: argparse.Namespace) -> int | None:
    """The number of --relabel; InputError where it does not go with what is given."""
    if given.relabel is None:
        if given.write_relabel is not None:
            raise InputError("--write-relabel goes with --relabel")
        return None
    if given.labels is None or (given.probs is None and given.features is None):
        raise InputError("--relabel goes with --labels and --probs or --features, from which the samples are chosen")
    return count_given(given.relabel, "--relabel", LEAST)


def _run(given: argparse.Namespace) -> Run:
    """What --inputs and --epochs say of the data and of the run."""
    if given.inputs is not None and given.features is not None:
        raise InputError("--inputs goes without --features, whose columns tell how many numbers a sample has")
    inputs = None if given.inputs is None else count_given(given.inputs, "--inputs", least=1)
    return Run(inputs, None if given.epochs is None else count_given(given.epochs, "--epochs", least=1))


def _plan(given: argparse.Namespace, wanted: int, chosen: Selection) -> Relabelling:
    """The samples of --relabel."""
    probs = given.probs
    if probs is None:
        assert chosen.flow is not None
        probs = chosen.flow.probabilities
    return relabelling(given.labels, probs, wanted, chosen.estimate)


def _losses(given: argparse.Namespace) -> tuple[list[str] | None, list[Loss]]:
    """What --losses restricts to, and the loss of --formula that is ranked beside them."""
    losses = None
    if given.losses is not None:
        losses = list(names()) if given.losses.strip().lower() == "all" else given.losses.split(",")
    if given.formula is None:
        for option in ("passive", "set", "domain", "solve"):
            if getattr(given, option):
                raise InputError(f"--{option} goes with --formula")
        return losses, []
    return losses, [loss_given(given)[0]]


def _advice(chosen: Selection, run: Run, asked: bool) -> Advice | None:
    """What trained best on noise like this, where that was measured; InputError where it was asked for and is not there."""
    if chosen.estimate.unit == "class" and (asked or chosen.estimate.noise.dominant):
        if chosen.flow is not None:
            run = replace(run, inputs=chosen.flow.inputs, samples=len(chosen.flow.probabilities))
        return advise(chosen.estimate.noise, run)
    if asked:
        raise InputError("--advice: was measured for noise with one row a class, not for --posteriors")
    return None


def _rendered(chosen: Selection, form: str, advice: Advice | None, ranking: bool, plan: Relabelling | None) -> str:
    if form == "json":
        also = {} if advice is None else {"advice": advice.to_dict()}
        also |= {} if plan is None else {"relabel": plan.to_dict()}
        return json.dumps({**chosen.to_dict(), **also}, indent=2)
    answers = None if advice is None else str(advice) if ranking else advice.answers()
    if plan is not None:
        answers = str(plan) if answers is None else f"{plan}\n\n{answers}"
    if form == "markdown":
        return chosen.markdown() + ("" if answers is None else f"\n\n## What trained best\n\n```\n{answers}\n```")
    return str(chosen) if answers is None else f"{answers}\n\n{chosen}"


def _plot(path: str) -> Callable[[Selection, str], None]:
    """The function that draws a selection; it lives in the figures, which the core reaches by its entry point only."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in PLOT_FILES:
        raise InputError(f"--plot {path}: the file must end in one of {', '.join(PLOT_FILES)}")
    install = "--plot needs an extra: pip install 'asymtheory[figures]'"
    found = [entry for entry in metadata.entry_points(group=PLOTS) if entry.name == "selection"]
    if not found:
        raise InputError(install)
    try:
        draw: Callable[[Selection, str], None] = found[0].load()
    except ImportError as error:
        raise InputError(f"{install} ({error})") from error
    return draw
