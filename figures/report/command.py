"""``asymtheory report``: one HTML file for a label noise."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from asymtheory.commands.options import ANSWERED, NOISE_HELP, Parser, classes_given, rate_given, say_reading
from asymtheory.errors import InputError, printable
from asymtheory.noise import NoiseModel, resolve
from asymtheory.numbers.text import plain
from asymtheory.writing import check_writable, write_file

from .. import gallery
from .collect import Progress, collect, steps
from .page import page
from .panel import DEFAULT_NOISE


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(prog="asymtheory report", description="Write one self-contained HTML report for a noise model.")
    parser.add_argument("--out", default="report.html", metavar="FILE", help="the file to write (default report.html)")
    parser.add_argument("--noise", metavar="KIND", help=NOISE_HELP + "; with no option at all: K = 10, eta = 0.8")
    parser.add_argument("--K", metavar="N", help="number of classes")
    parser.add_argument("--eta", metavar="X", help="noise rate in [0, 1]; decimals are exact (0.8 is 4/5)")
    parser.add_argument("--quick", action="store_true", help="fewer draws in figures, a tenth of the ledger's searches")
    parser.add_argument(
        "--ledger", action="store_true", help="judge every claim of the papers now (minutes); else those on record"
    )
    parser.add_argument("--figures", metavar="NAME[,NAME...]", help="these figures alone, or none (default: all)")
    return parser


def report(arguments: list[str]) -> int:
    """``asymtheory report``: write the HTML report."""
    options = build_parser().parse_args(arguments)
    out, figures = Path(options.out), _names(options.figures)
    noise, given = _noise(options)
    say_reading("report", noise)
    check_writable(out, "--out")
    with _bar(steps(figures, options.ledger)) as progress:
        found = collect(noise, given, quick=options.quick, judged=options.ledger, figures=figures, progress=progress)
        write_file(out, page(found), "--out")
    print(f"{printable(str(out), 300)} ({out.stat().st_size / 1e6:.1f} MB)")
    return ANSWERED


def _noise(options: argparse.Namespace) -> tuple[NoiseModel, str]:
    """The noise model, and the options that name it."""
    K, eta = classes_given(options.K), rate_given(options.eta)
    kind = options.noise or "symmetric"
    if options.noise is None and K is None and eta is None:
        kind, K, eta = DEFAULT_NOISE
    parts = [f"--noise {shlex.quote(kind)}"]
    parts += [f"--K {K}"] * (K is not None) + [f"--eta {plain(eta)}"] * (eta is not None)
    return resolve(kind, K, eta), " ".join(parts)


def _names(text: str | None) -> list[str] | None:
    """The figures asked for; None for all."""
    if text is None:
        return None
    found = [] if text.strip() == "none" else list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in found:
        try:
            gallery.find(name)
        except InputError as error:
            raise InputError(f"--figures: {error}") from None
    return found


@contextmanager
def _bar(total: int) -> Iterator[Progress]:
    """A progress bar on standard error when a person watches."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with tqdm(total=total, unit="step", leave=False) as bar:

        def progress(done: str) -> None:
            bar.set_postfix_str(done)
            bar.update()

        yield progress
