"""The command ``asymtheory table``: a paper's table of accuracies with what was measured beside what was published.

asymtheory table jal-table3 --dataset cifar10
asymtheory table alf-table1 --results results --format markdown
asymtheory table --list
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from asymtheory.commands.options import ANSWERED, say
from asymtheory.errors import InputError

from ..options import parser_by_name, wants_list
from ..results import FOLDER, Results, files, load
from .compare import compare
from .formats import FORMATS, show
from .published import names, published


def table(arguments: Sequence[str]) -> int:
    """Print one table, or the list of them; returns the exit status."""
    options = build_parser().parse_args(list(arguments))
    if wants_list(options):
        say(listing)
        return ANSWERED
    if len(options.names) != 1:
        given = f" (given: {', '.join(options.names)})" if options.names else ""
        raise InputError(f"one table's name is needed{given}; asymtheory table --list shows them")
    found = compare(options.names[0], _results(options.results), options.dataset)
    if options.format == "text":
        say(lambda: show(found, options.format, options.best).rstrip("\n"))
    else:
        print(show(found, options.format, options.best), end="")
    return ANSWERED


def listing() -> str:
    """Every table: name, where it is printed, what it shows."""
    lines = []
    for name in names():
        found = published()["tables"][name]
        sets = ", ".join(section["dataset"] for section in found["sections"])
        count = sum(
            cell is not None for section in found["sections"] for row in section["rows"] for cell in row["cells"]
        )
        where = f"{found['paper']} {found['source']}"
        lines.append(f"{name:<12}{where:<13}{found['what']} ({sets}; {count} figures)")
    return "\n".join(lines)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    summary = "A paper's table of test accuracies: measured beside published."
    parser = parser_by_name("table", summary, "name, paper, what it shows")
    parser.add_argument(
        "--results", metavar="PATH", help=f"folder or file of JSON lines (default: {FOLDER}, if it is there)"
    )
    parser.add_argument(
        "--dataset", metavar="D", help="the rows of one data set; or runs on another one, such as digits"
    )
    parser.add_argument("--format", choices=list(FORMATS), default="text", help="default: text")
    parser.add_argument("--best", action="store_true", help="the best epoch too (it is chosen by the test labels)")
    return parser


def _results(path: str | None) -> Results | None:
    """The runs that were asked for; without ``--results`` the default folder may be missing."""
    if path is None and not files(FOLDER):
        return None
    return load(path or FOLDER)
