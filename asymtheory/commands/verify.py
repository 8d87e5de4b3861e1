"""``asymtheory verify``: the ledger, every claim of the four papers judged by computation; or the claims of your own file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..claims.files import load
from ..claims.ledger import REFUTED, UNDECIDED, Effort, Row, changed, judge_claim, record, select, verify
from ..claims.report import FORMATS, render, with_progress
from ..errors import InputError, nearest
from ..formal.development import MACHINE_NUMBERS, ProofRefused, compiled
from .options import (
    ANSWERED,
    MOST_PROCESSES,
    NO,
    count_given,
    say,
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--paper", nargs="+", default=[], metavar="P", help="alf, apl, anl or jal")
    parser.add_argument("--claim", nargs="+", default=[], metavar="ID", help="single claims, with their full evidence")
    parser.add_argument("--quick", action="store_true", help="a tenth of the searches")
    parser.add_argument("--format", default=None, metavar="F", help="table (default), json, markdown, latex")
    parser.add_argument("--seed", default="0", metavar="N", help="of the searches; verdicts do not depend on it")
    parser.add_argument("--workers", default=None, metavar="N", help="processes (default: one a core)")
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="your own claims: a .toml of numbers, or a .py of judges, which is run as code (trust it)",
    )
    parser.add_argument("--record", action="store_true", help="put these verdicts on record")
    parser.add_argument("--proofs", action="store_true", help="have Coq compile the theorems that the verdicts name")


def run(given: argparse.Namespace) -> int:
    """Judge the claims and print them; 1 where a verdict differs from the one on record."""
    form = given.format or ("json" if given.json else "table")
    if form not in FORMATS:
        raise InputError(f"--format {form!r}: not a format ({', '.join(FORMATS)}){nearest(form, FORMATS)}")
    workers = count_given(given.workers, "--workers", 1, MOST_PROCESSES) if given.workers is not None else None
    if given.file is not None:
        return _own(given, form)
    if given.proofs and not _proofs():
        return NO
    ids = select(given.paper, given.claim)
    effort = Effort(quick=given.quick, seed=count_given(given.seed, "--seed", least=0))
    rows = list(with_progress(verify(ids, effort, workers), len(ids)))
    _show(rows, form, full=bool(given.claim))
    if given.record:
        record(rows)
        return ANSWERED
    lines = changed(rows)
    for line in lines:
        print(f"asymtheory verify: changed: {line}", file=sys.stderr)
    return NO if lines else ANSWERED


def _proofs() -> bool:
    """Compile the Coq development, or find it compiled; says what its theorems assume, or which file Coq refused."""
    try:
        folder, assumed = compiled()
    except ProofRefused as error:
        print(f"asymtheory verify: Coq refused {error}", file=sys.stderr)
        return False
    axioms = sorted({axiom for each in assumed.values() for axiom in each})
    reals = [axiom for axiom in axioms if not axiom.startswith(MACHINE_NUMBERS)]
    print(
        f"Coq compiled {folder}: {len(assumed)} main theorems, which assume {', '.join(reals)}"
        f" (and machine numbers where a number is evaluated)",
        file=sys.stderr,
    )
    return True


def _show(rows: Sequence[Row], form: str, full: bool) -> None:
    """Print the rows: at the width of the terminal for people, as they are for programs."""
    if form == "table":
        say(lambda: render(rows, form, full))
    else:
        print(render(rows, form, full))


def _own(given: argparse.Namespace, form: str) -> int:
    """Judge the claims of a file; 1 where one is refuted or undecided, or its control is not refuted."""
    for flag in ("paper", "record", "workers", "proofs"):
        if getattr(given, flag):
            raise InputError(f"--{flag} is for the ledger of the four papers: leave it out with --file")
    entries = load(Path(given.file))
    known = {entry.id for entry in entries}
    for name in given.claim:
        if name not in known:
            raise InputError(f"--claim {name!r}: the file has no such claim{nearest(name, known)}")
    chosen = [entry for entry in entries if not given.claim or entry.id in given.claim]
    effort = Effort(quick=given.quick, seed=count_given(given.seed, "--seed", least=0))
    rows = list(with_progress((judge_claim(entry, effort) for entry in chosen), len(chosen)))
    _show(rows, form, full=bool(given.claim))
    held = all(row.finding.verdict not in (REFUTED, UNDECIDED) and row.control is REFUTED for row in rows)
    return ANSWERED if held else NO
