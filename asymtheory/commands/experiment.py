"""``asymtheory experiment``: gradient descent on weighted risks, beside the exact minimisers."""

from __future__ import annotations

import argparse
import sys

from ..errors import InputError, nearest
from ..experiments.sweep import parse_sweep
from ..experiments.weighted_risk import EXPERIMENTS, WeightedRiskExperiment, with_progress
from ..numbers.text import parse_number
from .options import (
    ANSWERED,
    MOST_PROCESSES,
    classes_given,
    count_given,
    loss_given,
    loss_options,
    print_json,
    say,
)

COUNTS = ("draws", "starts", "seed", "steps")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("name", metavar="NAME", type=_experiment_name, help="weighted-risk (ALF Sec. 4.1, Fig. 2)")
    loss_options(parser)
    parser.add_argument("--sweep", metavar="NAME=LOW:HIGH:COUNT[:log]", help="parameter values: even, or geometric")
    parser.add_argument("--K", metavar="N", default="10", help="number of classes (default 10)")
    parser.add_argument("--draws", metavar="N", default="200", help="weight vectors (default 200)")
    parser.add_argument("--starts", metavar="N", default="8", help="logit vectors for each (default 8)")
    parser.add_argument("--seed", metavar="N", default="0", help="of weights and logits")
    parser.add_argument(
        "--optimiser", metavar="NAME", default="adam", help="adam (default), gd: plain gradient descent"
    )
    parser.add_argument("--steps", metavar="N", default="250", help="at most (default 250)")
    parser.add_argument("--step-size", metavar="X", help="of the descent (default: adam 0.2, gd 0.5)")
    parser.add_argument(
        "--draw-from",
        metavar="NAME",
        default="uniform",
        help="of the class weights: each uniform on (0, 1], or dirichlet",
    )
    parser.add_argument("--scale", metavar="X", default="1", help="z ~ N(0, X^2 I) (default 1)")
    parser.add_argument("--out", metavar="DIR", help="keep experiment.json, rows.jsonl and arrays.npz there")
    parser.add_argument("--resume", action="store_true", help="go on with what DIR holds")
    parser.add_argument("--workers", metavar="N", help="threads (default: one a core where that saves time)")
    parser.add_argument("--engine", metavar="NAME", default="numpy", help="numpy (default), or torch if installed")


def _experiment_name(name: str) -> str:
    if name not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        hint = nearest(name, EXPERIMENTS)
        raise argparse.ArgumentTypeError(f"{name!r} is not an experiment (known: {known}){hint}")
    return name


def run(given: argparse.Namespace) -> int:
    """Run the experiment, print its summary and keep its files."""
    if given.resume and given.out is None:
        raise InputError("--resume goes with --out")
    given.solve, values = (None, ()) if given.sweep is None else parse_sweep(given.sweep)
    loss, parameters = loss_given(given)
    if given.solve in parameters:
        raise InputError(f"--set {given.solve}: leave it out when --sweep {given.solve} asks for it")
    counts = {name: count_given(getattr(given, name), f"--{name}", 0 if name == "seed" else 1) for name in COUNTS}
    rate = None if given.step_size is None else float(parse_number(given.step_size, "--step-size"))
    recipe = WeightedRiskExperiment(
        loss, given.solve, values, K=classes_given(given.K) or 10, optimiser=given.optimiser, rate=rate,
        weights=given.draw_from, scale=float(parse_number(given.scale, "--scale")), engine=given.engine, **counts,
    )  # fmt: skip
    workers = None if given.workers is None else count_given(given.workers, "--workers", 1, MOST_PROCESSES)
    try:
        result = with_progress(recipe, given.out, given.resume, workers)
    except KeyboardInterrupt:
        kept = "" if given.out is None else f"; what is done is kept in {given.out}, --resume goes on with it"
        print(f"asymtheory experiment: stopped{kept}", file=sys.stderr)
        return 130
    if given.json:
        print_json(result.to_dict())
    else:
        say(result)
    return ANSWERED
