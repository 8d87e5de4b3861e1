"""``asymtheory noise``: a noise model, its rate, clean level, margin and dominance; or the list of models."""

from __future__ import annotations

import argparse

from ..layout import table
from ..noise.models import KINDS
from ..noise.resolve import resolve
from .options import (
    ANSWERED,
    NOISE_HELP,
    classes_given,
    print_json,
    rate_given,
    say,
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME|FILE", help=NOISE_HELP + "; without it: the list")
    parser.add_argument("--K", metavar="N", help="number of classes")
    parser.add_argument("--eta", metavar="X", help="noise rate in [0, 1]")


def run(given: argparse.Namespace) -> int:
    """Print the noise model, or the list of models."""
    if given.name is None:
        if given.json:
            print_json(KINDS)
        else:
            say(lambda: "\n".join(table(list(KINDS.items()))))
        return ANSWERED
    model = resolve(given.name, classes_given(given.K), rate_given(given.eta))
    if given.json:
        print_json(model.to_dict())
    else:
        say(model)
    return ANSWERED
