"""``asymtheory check``: is a loss asymmetric on these weights, with the minimiser as a witness."""

from __future__ import annotations

import argparse

from ..asymmetry.condition import check
from ..asymmetry.guarantees import tolerance
from ..errors import InputError
from ..noise.models import from_weights
from ..noise.resolve import resolve
from ..numbers.text import parse_number
from .options import (
    ANSWERED,
    NO,
    certificate_option,
    classes_given,
    loss_given,
    loss_options,
    noise_options,
    print_json,
    rate_given,
    say,
    say_reading,
    write_certificate,
)
from .words import explained


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    loss_options(parser)
    noise_options(parser)
    parser.add_argument("--weights", metavar="W1,W2,...", help="class weights, instead of a noise model")
    certificate_option(parser, "the verdict")


def run(given: argparse.Namespace) -> int:
    """Print the answer; 0 where the loss is asymmetric, 1 where it is not or stays undecided."""
    loss, _ = loss_given(given)
    if given.weights is not None:
        for flag in ("K", "eta"):
            if getattr(given, flag) is not None:
                raise InputError(f"--{flag} {getattr(given, flag)}: leave it out when --weights is given")
        model = from_weights([parse_number(part, "--weights") for part in given.weights.split(",")])
    else:
        model = resolve(given.noise, classes_given(given.K), rate_given(given.eta))
    say_reading("check", model)
    answer = check(loss, model)
    numbers = tolerance(loss, model) if answer.asymmetric and not loss.joint else None
    if given.json:
        print_json({**answer.to_dict(), "guarantee": None if numbers is None else numbers.to_dict()})
    else:
        say(lambda: explained(str(answer if numbers is None else f"{answer}\n  guarantee  {numbers}")))
    if given.certificate is not None:
        from ..formal.certificate import certificate  # late: numpy and flint are for this option alone

        write_certificate(given.certificate, lambda: certificate(loss, model))
    return ANSWERED if answer.asymmetric else NO
