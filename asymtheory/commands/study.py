"""``asymtheory study``: from one loss to a folder with its theorem, table, figures, torch module, plan and references."""

from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

from ..noise.resolve import resolve
from ..study import facts, write
from ..study.facts import steps
from ..study.files import steps as files
from .options import (
    ANSWERED,
    classes_given,
    loss_given,
    loss_options,
    noise_options,
    print_json,
    rate_given,
    say_reading,
)

USUAL = ("10", "0.4")
"""K and eta of symmetric noise where nothing is said of the noise."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    loss_options(parser)
    noise_options(parser)
    parser.add_argument("--solve", metavar="NAME", help="the parameter that thresholds are for; default: the main one")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to write; README.md in it is the index")


def run(given: argparse.Namespace) -> int:
    """Compute and write the study; one line at the end."""
    loss, _ = loss_given(given)
    K, eta = given.K, given.eta
    if given.noise == "symmetric" and K is None and eta is None:
        K, eta = USUAL
    noise = resolve(given.noise, classes_given(K), rate_given(eta))
    say_reading("study", noise)
    parameter = given.solve
    quiet = not sys.stderr.isatty()
    with tqdm(total=steps() + files(), desc="study", leave=False, disable=quiet) as bar:

        def told(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        found = facts(loss, noise, parameter, told)
        written = write(found, given.out, told)
    if given.json:
        print_json(found.to_dict())
    print(f"asymtheory study: {written}", file=sys.stderr if given.json else sys.stdout)
    return ANSWERED
