"""``asymtheory guarantee``: what a loss guarantees on a noise, in numbers."""

from __future__ import annotations

import argparse

from ..asymmetry.guarantees import guarantee
from ..errors import InputError
from ..noise.models import from_weights
from ..noise.resolve import resolve
from ..numbers.text import parse_number
from ..threshold.tolerance import best_constant
from .options import (
    ANSWERED,
    NO,
    classes_given,
    count_given,
    loss_given,
    loss_options,
    noise_options,
    print_json,
    rate_given,
    say,
    say_reading,
)
from .words import explained


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    loss_options(parser)
    noise_options(parser)
    parser.add_argument("--weights", metavar="W1,W2,...", help="class weights, instead of a noise model")
    parser.add_argument(
        "--excess", metavar="X", help="a noisy excess risk: the best trade-off over the rows or samples"
    )
    parser.add_argument("--samples", metavar="N", help="held-out noisy labels: the bound that they give")
    parser.add_argument(
        "--models", metavar="N", default="1", help="with --samples: networks judged on them (default 1)"
    )
    parser.add_argument("--confidence", metavar="X", default="0.95", help="with --samples: of the bound (default 0.95)")
    parser.add_argument("--logits", metavar="B", help="logits that differ by at most B: is the condition still met?")
    parser.add_argument("--over", metavar="NAME", help="the infimum of range / slack over this parameter")


def run(given: argparse.Namespace) -> int:
    """Print the guarantee; 0 where the loss is asymmetric, 1 where it is not or stays undecided."""
    loss, parameters = loss_given(given)
    if given.over is not None and given.over in parameters:
        raise InputError(f"--set {given.over}: leave it out when --over {given.over} asks for it")
    if given.weights is not None:
        for flag in ("K", "eta"):
            if getattr(given, flag) is not None:
                raise InputError(f"--{flag} {getattr(given, flag)}: leave it out when --weights is given")
        noise = from_weights([parse_number(part, "--weights") for part in given.weights.split(",")])
    else:
        noise = resolve(given.noise, classes_given(given.K), rate_given(given.eta))
        say_reading("guarantee", noise)
    answer = guarantee(
        loss,
        noise,
        excess=_number(given.excess, "--excess"),
        samples=None if given.samples is None else count_given(given.samples, "--samples", least=1),
        models=count_given(given.models, "--models", least=1),
        confidence=float(parse_number(given.confidence, "--confidence")),
        logits=_number(given.logits, "--logits"),
    )
    best = None if given.over is None else best_constant(loss, noise, given.over)
    if given.json:
        print_json(answer.to_dict() | ({} if best is None else {"best": best.to_dict()}))
    else:
        say(lambda: explained(str(answer if best is None else f"{answer}\n{best}")))
    return ANSWERED if answer.asymmetric else NO


def _number(text: str | None, option: str) -> float | None:
    return None if text is None else float(parse_number(text, option))
