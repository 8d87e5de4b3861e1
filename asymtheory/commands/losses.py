"""``asymtheory losses``: the atlas of losses, or the page of one."""

from __future__ import annotations

import argparse

from ..atlas import atlas, page
from .options import (
    ANSWERED,
    classes_given,
    print_json,
    say,
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="one loss with its settings in the papers; without it: all"
    )
    parser.add_argument(
        "--K", metavar="N", default="10", help="number of classes for the K-dependent columns (default 10)"
    )


def run(given: argparse.Namespace) -> int:
    """Print the atlas, or the page of one loss."""
    K = classes_given(given.K)
    assert K is not None
    answer = atlas(K) if given.name is None else page(given.name, K)
    if given.json:
        print_json(answer.to_dict())
    else:
        say(answer)
    return ANSWERED
