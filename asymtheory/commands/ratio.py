"""``asymtheory ratio``: the asymmetry ratio of a loss in its three readings, as enclosures."""

from __future__ import annotations

import argparse

from ..asymmetry.ratio import asymmetry_ratio
from .options import (
    ANSWERED,
    loss_given,
    loss_options,
    print_json,
    say,
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    loss_options(parser)


def run(given: argparse.Namespace) -> int:
    """Print the ratios."""
    answer = asymmetry_ratio(loss_given(given)[0])
    if given.json:
        print_json(answer.to_dict())
    else:
        say(answer)
    return ANSWERED
