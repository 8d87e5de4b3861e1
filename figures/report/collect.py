"""What a report needs, computed: answers, figures, verdicts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from html import unescape
from typing import Any

from asymtheory.asymmetry.binding import binding_rows, distinct_rows
from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.rules import decide
from asymtheory.atlas import Atlas, atlas
from asymtheory.claims.ledger import Effort, Finding, Row, Verdict, catalogue, judge, select
from asymtheory.losses import Loss, build, names
from asymtheory.losses.published import Setting, published_settings
from asymtheory.noise import NoiseModel
from asymtheory.numbers.text import Number, plain
from asymtheory.threshold import Threshold, solve

from .. import gallery
from .. import workers as workers_
from .markup import from_mathtext, inline_svg, natural_width, typeset

DEFAULT_NOISE = ("symmetric", 10, Fraction(4, 5))  # when none is named

MOST_SEARCHED = 50  # rows: more are not searched one by one for losses that no rule decides

MOST_SEARCHED_CLASSES = 200

FIGURE_WIDTH = 4.2  # inches: two panels side by side, and text that a telephone can still show

QUICK_OPTIONS = {"draws": 20, "starts": 4}  # of figures that have them

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Published:
    """One published setting of a loss: its parameters, where it is printed, and whether it satisfies the condition."""

    parameters: str
    sources: tuple[str, ...]
    holds: bool | None


@dataclass(frozen=True)
class Verdicts:
    """One loss on the noise: the threshold of its main parameter, the row that binds, and the published settings."""

    loss: Loss
    answer: str
    status: str
    order: float  # sorts the table by the answer
    binding: str
    reason: str
    published: tuple[Published, ...]


@dataclass(frozen=True)
class Picture:
    """One figure of the gallery, ready to be put into the page."""

    name: str
    title: str
    source: str
    caption: str
    svg: str
    width: float  # points


@dataclass(frozen=True)
class Report:
    """All that the page says."""

    noise: NoiseModel
    given: str  # the noise as on the command line
    command: str
    losses: tuple[Verdicts, ...]
    ledger: tuple[Row, ...]
    atlas: Atlas
    pictures: tuple[Picture, ...]


def collect(
    noise: NoiseModel,
    given: str,
    *,
    quick: bool = False,
    figures: Sequence[str] | None = None,
    workers: int | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Compute everything. ``quick``: a tenth of the ledger's searches, fewer draws in the figures that have draws.

    ``given``: the options that name the noise; ``figures``: names (default: all but those of results); ``workers``: processes
    (default: one a core); ``progress`` is told what is done, ``steps(figures)`` times.
    """
    shown = default_figures() if figures is None else list(figures)
    claims = select()
    tasks: list[workers_.Task] = [(_picture, (name, quick)) for name in shown]
    tasks += [(_claim_judged, (name, quick)) for name in claims]
    done: list[Any] = [None] * len(tasks)
    for position, result in workers_.run(tasks, workers):
        done[position] = result
        progress((shown + claims)[position])
    known = catalogue()
    ledger = tuple(Row(known[name], *judged) for name, judged in zip(claims, done[len(shown) :], strict=True))
    verdicts = []
    for found in losses_on(noise):
        verdicts.append(found)
        progress(found.loss.name)
    options = [given, *["--quick"] * quick, *[f"--figures {','.join(shown) or 'none'}"] * (figures is not None)]
    command = f"asymtheory report {' '.join(options)}"
    return Report(noise, given, command, tuple(verdicts), ledger, atlas(noise.classes), tuple(done[: len(shown)]))


def steps(figures: Sequence[str] | None) -> int:
    """How often ``collect`` reports progress."""
    return len(select()) + len(default_figures() if figures is None else figures) + len(list(names()))


def default_figures() -> list[str]:
    """What needs nothing but the core; figures of training runs are there when they are named."""
    return [name for name, entry in gallery.entries().items() if not entry.measured]


def _claim_judged(identifier: str, quick: bool) -> tuple[Finding, Verdict, float]:
    """What a row of the ledger is made of; the claim itself holds functions, which do not travel between processes."""
    row = judge(identifier, Effort(quick=quick))
    return row.finding, row.control, row.seconds


def _picture(name: str, quick: bool) -> Picture:
    entry = gallery.find(name)
    options = {key: value for key, value in QUICK_OPTIONS.items() if quick and key in entry.parameters}
    drawn = gallery.make(name, width=FIGURE_WIDTH, **options)
    source = gallery.render(drawn, "svg")
    title, caption = from_mathtext(entry.title), typeset(gallery.recipe(drawn).caption)
    svg = inline_svg(source, f"figure-{name}", _bare(title), _bare(caption))
    return Picture(name, title, entry.source, caption, svg, natural_width(source))


def _bare(html: str) -> str:
    """HTML without tags, for titles and screen readers."""
    return unescape(re.sub(r"<[^>]+>", "", html))


def losses_on(noise: NoiseModel) -> Iterator[Verdicts]:
    """Every registered loss on the noise. The rows that can bind are found once: a file may have many thousands."""
    binding = binding_rows(noise)
    reduced = replace(NoiseModel(noise.kind, (), noise.classes, noise.rate), rows=tuple(row for _, row in binding))
    searched = _may_search(noise)
    for name in names():
        loss = build(name)
        needed = loss.main is None and any(decide(loss, row).holds is None for row in reduced.rows)
        used = tuple(_published(loss, noise, reduced, searched))
        if needed and searched:
            found = check(loss, noise)
            status = {True: "always", False: "never", None: "undecided"}[found.asymmetric]
            yield Verdicts(
                loss,
                _answers(status),
                status,
                _order(status, None),
                _bound_by(noise, status, found.row),
                found.reason,
                used,
            )
        elif needed:
            yield Verdicts(loss, "not searched", "undecided", math.inf, "", _TOO_MANY, used)
        else:
            answer = solve(loss, reduced)
            at = _bound_by(noise, answer.status, binding[answer.binding_row][0])
            yield Verdicts(
                loss, _answer(answer), answer.status, _order(answer.status, answer), at, answer.condition, used
            )


_TOO_MANY = "no rule decides, and the rows are too many to search each: asymtheory check does it for one row of weights"


def _may_search(noise: NoiseModel) -> bool:
    """Is the noise small enough for a search of each of its rows?"""
    if noise.classes > MOST_SEARCHED_CLASSES or len(noise.rows) > 20 * MOST_SEARCHED:
        return False
    return len(distinct_rows(noise)) <= MOST_SEARCHED


def _answers(status: str) -> str:
    return {"always": "always", "never": "never"}.get(status, "undecided")


def _answer(found: Threshold) -> str:
    """The answer without the name of the parameter where there is no threshold."""
    return found.answer if found.status == "threshold" else _answers(found.status)


def _order(status: str, found: Threshold | None) -> float:
    """Always first, then by the threshold, never last."""
    if status == "threshold" and found is not None and found.end is not None:
        return found.end.value
    return {"always": -1.0, "threshold": 1e300, "undecided": 1e301}.get(status, 1e302)


def _bound_by(noise: NoiseModel, status: str, index: int) -> str:
    """The row that the threshold is from; none has one where there is none."""
    return _binding(noise, index) if status == "threshold" or not noise.dominant else ""


def _binding(noise: NoiseModel, index: int) -> str:
    row = noise.rows[index]
    return f"{noise.row_name(index)} against {noise.class_name(row.runner_up)}"


def _published(loss: Loss, noise: NoiseModel, reduced: NoiseModel, searched: bool) -> Iterator[Published]:
    """The settings that the papers print for a loss, equal ones together."""
    same: dict[tuple[tuple[str, Number], ...], list[Setting]] = {}
    for setting in published_settings(loss.name):
        same.setdefault(tuple(setting.parameters.items()), []).append(setting)
    for parameters, settings in same.items():
        used = settings[0].build()
        verdicts = [decide(used, row).holds for row in reduced.rows]
        holds = False if False in verdicts else None if None in verdicts else True
        if holds is None and searched:
            holds = check(used, noise).asymmetric
        text = ", ".join(f"{name} = {plain(value)}" for name, value in parameters) or "no parameters"
        yield Published(text, tuple(f"{s.dataset}, {s.source}" for s in settings), holds)
