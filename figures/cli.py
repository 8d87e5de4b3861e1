"""The commands ``asymtheory figure``, ``asymtheory report`` and ``asymtheory table``.

asymtheory figure --list
asymtheory figure alf-fig1 alf-fig2 --out figures --format pdf,svg --width icml-column
asymtheory figure calibration --loss agce --set a=1 q=2
asymtheory figure --all --out figures
asymtheory figure path --animate gif --width full
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from tqdm import tqdm

from asymtheory.commands.options import ANSWERED, join_formulas, loss_given, print_json
from asymtheory.errors import InputError, nearest

from . import animation, gallery, style, workers
from .gallery import Options
from .options import parser_by_name, wants_list
from .results import FOLDER, NothingMeasured


@dataclass(frozen=True)
class Job:
    """One figure to be written, by a process of its own perhaps."""

    name: str
    folder: Path
    formats: tuple[str, ...]
    width: str | float
    dpi: int
    options: Options
    named: bool  # asked for by name, not among all

    def run(self) -> list[Path] | NothingMeasured:
        """The files; of a figure that nobody named and for which nothing was measured, what it lacks."""
        try:
            return gallery.save(self.name, self.folder, self.formats, width=self.width, dpi=self.dpi, **self.options)
        except NothingMeasured as error:
            if self.named:
                raise
            return error


def figure(arguments: Sequence[str]) -> int:
    """``asymtheory figure``: list figures, or write some or all of them."""
    options = build_parser().parse_args(join_formulas(list(arguments)))
    if wants_list(options):
        return _list(options)
    if options.animate is not None:
        return _animate(options)
    if options.small:
        raise InputError("--small goes with --animate")
    jobs = _jobs(options)
    count = None if options.formula is None else 1  # a formula's loss does not travel to other processes
    for job, done in _drawn(jobs, count):
        if isinstance(done, NothingMeasured):
            tqdm.write(f"asymtheory figure: {job.name} is left out: {done}", file=sys.stderr)
            continue
        for path in done:
            tqdm.write(str(path))
    return ANSWERED


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    summary = "Draw the papers' figures, and the ones they should have had, from the core."
    parser = parser_by_name("figure", summary, "name, source, title, options")
    parser.add_argument(
        "--all", action="store_true", help="all figures for which there is something to draw, on all cores"
    )
    parser.add_argument("--out", default=".", metavar="DIR", help="folder for the files (default: this one)")
    parser.add_argument("--format", default="pdf", metavar="F[,F...]", help="pdf (default), png, svg")
    widths = ", ".join(style.WIDTHS)
    parser.add_argument("--width", default="column", metavar="W", help=f"inches, or one of {widths}")
    parser.add_argument("--animate", metavar="F", help="the figure path in motion: gif, svg, or mp4 (needs ffmpeg)")
    parser.add_argument("--small", action="store_true", help="with --animate: fewer frames at fewer dots per inch")
    parser.add_argument("--dpi", type=int, metavar="N", help="of png files (default 300) and animations (130)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--loss", metavar="NAME", help="for figures of one loss: a name from `asymtheory losses`")
    which.add_argument("--formula", metavar="TEXT", help="for figures of one loss: your own formula in u")
    parser.add_argument("--passive", metavar="TEXT", help="with --formula: the term of each other class")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="parameters of the loss"
    )
    parser.add_argument(
        "--domain", nargs="+", action="extend", default=[], metavar="NAME=LOW:HIGH", help="with --formula"
    )
    parser.add_argument(
        "--option",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="options of a figure (see --list)",
    )
    parser.add_argument("--json", action="store_true", help="with --list: as JSON")
    return parser


def _list(options: argparse.Namespace) -> int:
    found = list(gallery.entries().values())
    if options.json:
        print_json([
            {"name": e.name, "title": gallery.plain_text(e.title), "source": e.source, "caption": e.caption,
             "options": list(e.parameters)}
            for e in found
        ])  # fmt: skip
        return ANSWERED
    wide = max(len(e.name) for e in found) + 2
    for e in found:
        takes = "; needs results of training" * e.measured
        takes += f"; options: {', '.join(e.parameters)}" if e.parameters else ""
        title, source = (wrap(text, 120 - wide) for text in (gallery.plain_text(e.title), e.source + takes))
        for start, line in zip([e.name] + [""] * (len(title) + len(source)), [*title, *source], strict=False):
            print(f"{start:<{wide}}{line}")
    return ANSWERED


def _jobs(options: argparse.Namespace) -> list[Job]:
    """What is asked for, checked before anything is drawn."""
    if options.all and options.names:
        raise InputError(f"--all goes without names (given: {', '.join(options.names)})")
    if not options.all and not options.names:
        raise InputError("a figure's name or --all is needed (asymtheory figure --list lists them)")
    names = gallery.names() if options.all else list(dict.fromkeys(options.names))
    for name in names:
        gallery.find(name)
    forms = tuple(dict.fromkeys(gallery.check_format(form.strip().lower()) for form in options.format.split(",")))
    style.inches(options.width)
    dpi = gallery.DPI if options.dpi is None else gallery.check_dpi(options.dpi)
    given = _options(options, names)
    folder = gallery.check_folder(options.out)
    return [Job(name, folder, forms, options.width, dpi, given[name], not options.all) for name in names]


def _animate(options: argparse.Namespace) -> int:
    """``--animate``: the figure ``path`` as a film."""
    if options.all or options.names != ["path"]:
        raise InputError("--animate goes with the figure path alone: asymtheory figure path --animate gif")
    animation.check(options.animate)
    frames = animation.SMALL_FRAMES if options.small else animation.FRAMES
    dpi = options.dpi or (animation.SMALL_DPI if options.small else animation.DPI)
    gallery.check_dpi(dpi)
    settings = [setting for setting in options.option if not setting.startswith(("frames=", "results="))]
    own = dict(setting.split("=", 1) for setting in options.option if setting not in settings)
    options.option = settings
    given: dict[str, Any] = dict(_options(options, ["path"])["path"])
    if "here" in given:
        raise InputError("--animate has no option 'here': the place moves")
    if "frames" in own and not own["frames"].isdecimal():
        raise InputError(f"--option frames={own['frames']}: a whole number is needed")
    made = animation.film(
        style.inches(options.width), **given, frames=int(own.get("frames", frames)), results=own.get("results", FOLDER)
    )
    loss = f"-{given['loss'].name}" if "loss" in given else ""
    print(animation.save(made, Path(options.out) / f"path{loss}.{options.animate}", options.animate, dpi))
    return ANSWERED


def _options(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Options]:
    """The options of each figure; each must be known to every figure that is named, with --all to one of them."""
    given: dict[str, Options] = {name: {} for name in names}
    if options.loss is None and options.formula is None and options.set:
        raise InputError(f"--set {options.set[0]!r} goes with --loss or --formula")
    if options.loss is not None or options.formula is not None or options.passive or options.domain:
        loss, _ = loss_given(options)
        for name in names:
            if "loss" not in gallery.find(name).parameters:
                takes = ", ".join(e.name for e in gallery.entries().values() if "loss" in e.parameters)
                raise InputError(f"{name} is not a figure of one loss; --loss goes with {takes}")
            given[name]["loss"] = loss
    for setting in options.option:
        option, equals, text = setting.partition("=")
        if not equals or not option:
            raise InputError(f"--option {setting!r}: NAME=VALUE is needed")
        takers = [name for name in names if option in gallery.find(name).parameters] if options.all else names
        if not takers:
            known = {parameter for name in names for parameter in gallery.find(name).parameters}
            raise InputError(f"--option {option}: none of the figures has it{nearest(option, known)}")
        for name in takers:
            if option in given[name]:
                raise InputError(f"--option {option} is given twice")
            given[name][option] = gallery.read_option(name, option, text)
    return given


def _drawn(jobs: Sequence[Job], count: int | None = None) -> Iterator[tuple[Job, list[Path] | NothingMeasured]]:
    """Each job with what came of it as it finishes, in ``count`` processes; what is finished stays when it is interrupted."""
    work = workers.run([(job.run, ()) for job in jobs], count)
    try:
        with closing(work), tqdm(total=len(jobs), unit="figure", leave=False, disable=not sys.stderr.isatty()) as bar:
            for position, done in work:
                bar.update()
                yield jobs[position], done
    except BaseException:
        for job in jobs:  # what they had not finished writing
            for part in job.folder.glob(f".{job.name}*.part"):
                with suppress(OSError):
                    part.unlink()
        raise
