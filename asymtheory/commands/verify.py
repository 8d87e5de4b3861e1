"""``asymtheory verify``: the ledger, every claim of the four papers judged by computation."""

from __future__ import annotations

import argparse
import sys

from ..claims.ledger import Effort, changed, record, select, verify
from ..claims.report import FORMATS, render, with_progress
from ..errors import InputError, nearest
from .options import ANSWERED, NO, count_given


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--paper", nargs="+", default=[], metavar="P", help="alf, apl, anl or jal")
    parser.add_argument("--claim", nargs="+", default=[], metavar="ID", help="single claims, with their full evidence")
    parser.add_argument("--quick", action="store_true", help="a tenth of the searches")
    parser.add_argument("--format", default=None, metavar="F", help="table (default), json, markdown, latex")
    parser.add_argument("--seed", default="0", metavar="N", help="of the searches; verdicts do not depend on it")
    parser.add_argument("--workers", default=None, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--record", action="store_true", help="put these verdicts on record")


def run(given: argparse.Namespace) -> int:
    """Judge the claims and print them; 1 where a verdict differs from the one on record."""
    form = given.format or ("json" if given.json else "table")
    if form not in FORMATS:
        raise InputError(f"--format {form!r}: not a format ({', '.join(FORMATS)}){nearest(form, FORMATS)}")
    workers = count_given(given.workers, "--workers", least=1) if given.workers is not None else None
    ids = select(given.paper, given.claim)
    effort = Effort(quick=given.quick, seed=count_given(given.seed, "--seed", least=0))
    rows = list(with_progress(verify(ids, effort, workers), len(ids)))
    print(render(rows, form, full=bool(given.claim)))
    if given.record:
        record(rows)
        return ANSWERED
    lines = changed(rows)
    for line in lines:
        print(f"asymtheory verify: changed: {line}", file=sys.stderr)
    return NO if lines else ANSWERED
