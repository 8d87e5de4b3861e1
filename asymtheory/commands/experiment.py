"""``asymtheory experiment``: gradient descent on weighted risks, beside the exact minimisers."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..errors import InputError, nearest
from .options import _COUNTS, ANSWERED, _classes, _count, _loss, _loss_options, _print_json


def _experiment_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=_experiment_name, help="weighted-risk (ALF Sec. 4.1, Fig. 2)")
    _loss_options(parser)
    parser.add_argument("--sweep", metavar="NAME=LOW:HIGH:COUNT[:log]", help="parameter values: even, or geometric")
    parser.add_argument("--K", metavar="N", default="10", help="number of classes (default 10)")
    parser.add_argument("--draws", metavar="N", default="200", help="weight vectors (default 200)")
    parser.add_argument("--starts", metavar="N", default="8", help="logit vectors for each (default 8)")
    parser.add_argument("--seed", metavar="N", default="0", help="of weights and logits")
    parser.add_argument(
        "--optimiser", metavar="NAME", default="adam", help="adam (default), gd: plain gradient descent"
    )
    parser.add_argument("--steps", metavar="N", default="250", help="at most (default 250)")
    parser.add_argument("--rate", metavar="X", help="step size (default: adam 0.2, gd 0.5)")
    parser.add_argument("--weights", metavar="NAME", default="uniform", help="each uniform on (0, 1], or dirichlet")
    parser.add_argument("--scale", metavar="X", default="1", help="z ~ N(0, X^2 I) (default 1)")
    parser.add_argument("--out", metavar="DIR", help="keep experiment.json, rows.jsonl and arrays.npz there")
    parser.add_argument("--resume", action="store_true", help="go on with what DIR holds")
    parser.add_argument("--workers", metavar="N", help="threads (default: one a core where that saves time)")
    parser.add_argument("--engine", metavar="NAME", default="numpy", help="numpy (default), or torch if installed")


def _experiment_name(name: str) -> str:
    from ..experiments.weighted_risk import EXPERIMENTS

    if name not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        hint = nearest(name, EXPERIMENTS)
        raise argparse.ArgumentTypeError(f"{name!r} is not an experiment (known: {known}){hint}")
    return name


def _experiment(options: argparse.Namespace) -> int:
    from ..experiments.weighted_risk import WeightedRiskExperiment, parse_sweep, with_progress
    from ..numbers.text import parse_number

    if options.resume and options.out is None:
        raise InputError("--resume goes with --out")
    options.solve, values = (None, ()) if options.sweep is None else parse_sweep(options.sweep)
    loss, given = _loss(options)
    if options.solve in given:
        raise InputError(f"--set {options.solve}: leave it out when --sweep {options.solve} asks for it")
    counts: dict[str, Any] = {
        name: _count(getattr(options, name), f"--{name}", 0 if name == "seed" else 1) for name in _COUNTS
    }
    rate = None if options.rate is None else float(parse_number(options.rate, "--rate"))
    recipe = WeightedRiskExperiment(
        loss, options.solve, values, K=_classes(options.K) or 10, optimiser=options.optimiser, rate=rate,
        weights=options.weights, scale=float(parse_number(options.scale, "--scale")), engine=options.engine, **counts,
    )  # fmt: skip
    workers = None if options.workers is None else _count(options.workers, "--workers", least=1)
    try:
        result = with_progress(recipe, options.out, options.resume, workers)
    except KeyboardInterrupt:
        kept = "" if options.out is None else f"; what is done is kept in {options.out}, --resume goes on with it"
        print(f"asymtheory experiment: stopped{kept}", file=sys.stderr)
        return 130
    if options.json:
        _print_json(result.to_dict())
    else:
        print(result)
    return ANSWERED
