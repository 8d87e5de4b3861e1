"""What a report needs, computed: answers, figures, verdicts."""

from __future__ import annotations

import math
import os
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
from asymtheory.claims.ledger import Claim, Effort, Finding, Row, Verdict, catalogue, judge, recorded, select
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build, names
from asymtheory.losses.published import Setting, published_settings
from asymtheory.noise import NoiseModel, show
from asymtheory.numbers.text import Number, plain
from asymtheory.selection.candidates import Candidate
from asymtheory.selection.select import Selection
from asymtheory.selection.select import select as choose
from asymtheory.threshold import Threshold, solve
from asymtheory.threshold.pieces import Piece

from .. import gallery
from .. import workers as workers_
from .markup import from_mathtext, inline_svg, natural_width, typeset

MOST_SEARCHED = 50  # rows: more are not searched one by one for losses that no rule decides

MOST_SEARCHED_CLASSES = 200

FIGURE_WIDTH = 4.2  # inches: two panels side by side, and text that a telephone can still show

OWN_WIDTH = 3.4  # of the pictures of this noise: beside its matrix there are three in a row

QUICK_OPTIONS = {"draws": 20, "starts": 4}  # of figures that have them

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Published:
    """One published setting of a loss: its parameters, where it is printed, and whether it satisfies the condition.

    ``value`` is that of the loss's main parameter, for the bar of the table.
    """

    parameters: str
    sources: tuple[str, ...]
    holds: bool | None
    value: float | None


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
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A line of the ledger: a claim and its verdict on record; ``row`` has the evidence where it was judged for this report."""

    claim: Claim
    verdict: str
    row: Row | None


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
    """All that the page says. ``losses`` are in the order of the ``selection``; ``own`` are the pictures of this noise."""

    noise: NoiseModel
    given: str  # the noise as on the command line
    command: str
    losses: tuple[Verdicts, ...]
    selection: Selection
    ledger: tuple[Judged, ...]
    atlas: Atlas
    own: tuple[Picture, ...]
    pictures: tuple[Picture, ...]

    @property
    def best(self) -> Candidate | None:
        """What is recommended; None where no loss is asymmetric on every row."""
        return self.selection.best if self.selection.best.feasible and self.noise.dominant else None


def collect(
    noise: NoiseModel,
    given: str,
    *,
    quick: bool = False,
    judged: bool = False,
    figures: Sequence[str] | None = None,
    workers: int | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Compute everything. ``quick``: fewer draws in the figures that have draws, a tenth of the ledger's searches.

    ``given``: the options that name the noise; ``judged``: judge every claim of the ledger now, instead of showing the verdicts on
    record; ``figures``: names of the gallery (default: all but those of results; none: no pictures at all); ``workers``:
    processes (default: one a core); ``progress`` is told what is done, ``steps(figures, judged)`` times.
    """
    shown = default_figures() if figures is None else list(figures)
    claims = select() if judged else []
    tasks: list[workers_.Task] = [(atlas, (noise.classes,)), (_searches, (noise,))]
    tasks += [(_picture, (name, quick)) for name in shown]
    tasks += [(_claim_judged, (name, quick)) for name in claims]
    told = ["atlas", "published settings", *shown, *claims]
    done: list[Any] = [None] * len(tasks)
    cores = workers or os.cpu_count() or 1
    # this process has work of its own: without figures it is one of those that keep the cores busy
    with workers_.beside(
        tasks, 0 if cores == 1 else min(cores if shown or claims else cores - 1, len(tasks))
    ) as results:
        chosen = choose(noise=noise)
        progress("recommendation")
        own = []
        for task in _own_pictures(noise, chosen) if shown else ():
            own.append(_own_picture(*task))
            progress(task[0])
        for position, result in results:
            done[position] = result
            progress(told[position])
    verdicts = []
    for found in losses_on(noise, chosen, done[1]):
        verdicts.append(found)
        progress(found.loss.name)
    options = [given, *["--quick"] * quick, *["--ledger"] * judged]
    options += [f"--figures {','.join(shown) or 'none'}"] * (figures is not None)
    return Report(
        noise,
        given,
        f"asymtheory report {' '.join(options)}",
        ranked(verdicts, chosen),
        chosen,
        _ledger(claims, done[2 + len(shown) :]),
        done[0],
        tuple(picture for picture in own if picture is not None),
        tuple(done[2 : 2 + len(shown)]),
    )


def ranked(verdicts: Sequence[Verdicts], chosen: Selection) -> tuple[Verdicts, ...]:
    """The losses in the order in which ``asymtheory select`` ranks them."""
    place = {candidate.loss.name: i for i, candidate in enumerate(chosen.candidates)}
    return tuple(sorted(verdicts, key=lambda found: place.get(found.loss.name, len(place))))


def steps(figures: Sequence[str] | None, judged: bool = False) -> int:
    """How often ``collect`` reports progress, at most: the pictures of the noise need a recommendation."""
    shown = len(default_figures() if figures is None else figures)
    return 3 + shown + 2 * (shown > 0) + len(select() if judged else ()) + len(list(names()))


def default_figures() -> list[str]:
    """What needs nothing but the core; figures of training runs are there when they are named."""
    return [name for name, entry in gallery.entries().items() if not entry.measured]


def _ledger(claims: Sequence[str], judged: Sequence[tuple[Finding, Verdict, float]]) -> tuple[Judged, ...]:
    """Every claim with its verdict: of the judgement where there is one, else that on record."""
    known, record = catalogue(), recorded()
    if not claims:
        return tuple(Judged(known[name], record[name], None) for name in select() if name in record)
    rows = [Row(known[name], *found) for name, found in zip(claims, judged, strict=True)]
    return tuple(Judged(row.claim, str(row.finding.verdict), row) for row in rows)


OwnPicture = tuple[str, Loss, dict[str, str | float], str]
"""A picture of the reader's noise: figure, loss, options, caption."""


def _own_pictures(noise: NoiseModel, chosen: Selection) -> list[OwnPicture]:
    """The recommended loss on the row that binds, over its parameter and over symmetric noise."""
    best = chosen.best
    if not (best.feasible and noise.dominant) or best.parameter is None or best.threshold.status != "threshold":
        return []
    here = float(best.loss.parameters[best.parameter])
    index = min(best.threshold.binding_row, len(noise.rows) - 1)
    row, found = noise.rows[index], list[OwnPicture]()
    on = "every class" if noise.representative else binding_text(noise, index)
    if noise.classes <= MOST_SEARCHED_CLASSES:
        text = (
            f"The exact minimiser on the row that binds ({on}) over {best.parameter}: p_m of the true class reaches 1 at the "
            f"threshold and stays there. The star is the advised {best.parameter} = {here:g}."
        )
        found.append(("path", best.loss, {"weights": ",".join(plain(w) for w in row.weights), "here": here}, text))
    if noise.rate is not None and noise.classes <= 1000:
        end = best.threshold.end
        like = (
            ""
            if noise.kind == "symmetric" or end is None
            else (f" Yours is not symmetric: it asks for {best.threshold.answer}, whatever the line at the star says.")
        )
        at = f"K = {noise.classes} and rate {show(noise.rate)}"
        text = f"What symmetric noise asks of the parameter. The star is at your {at}.{like}"
        found.append(("phase", best.loss, {"here": f"{noise.classes},{float(noise.rate)!r}"}, text))
    return found


def _own_picture(name: str, loss: Loss, options: dict[str, str | float], caption: str) -> Picture | None:
    """A picture of the recommended loss; None where the figure has nothing to draw, such as a loss without a path."""
    try:
        return replace(_drawn(name, f"own-{name}", OWN_WIDTH, loss=loss, **options), caption=typeset(caption))
    except InputError:
        return None


def _claim_judged(identifier: str, quick: bool) -> tuple[Finding, Verdict, float]:
    """What a row of the ledger is made of; the claim itself holds functions, which do not travel between processes."""
    row = judge(identifier, Effort(quick=quick))
    return row.finding, row.control, row.seconds


def _picture(name: str, quick: bool) -> Picture:
    entry = gallery.find(name)
    options = {key: value for key, value in QUICK_OPTIONS.items() if quick and key in entry.parameters}
    return _drawn(name, f"figure-{name}", FIGURE_WIDTH, **options)


def _drawn(name: str, prefix: str, width: float, **options: gallery.Option) -> Picture:
    """A figure of the gallery as a part of a page; ``prefix`` keeps the ids of its parts apart from those of others."""
    entry = gallery.find(name)
    drawn = gallery.make(name, width=width, **options)
    source = gallery.render(drawn, "svg")
    title, caption = from_mathtext(entry.title), typeset(gallery.recipe(drawn).caption)
    svg = inline_svg(source, prefix, _bare(title), _bare(caption))
    return Picture(name, title, entry.source, caption, svg, natural_width(source))


def _bare(html: str) -> str:
    """HTML without tags, for titles and screen readers."""
    return unescape(re.sub(r"<[^>]+>", "", html))


def losses_on(
    noise: NoiseModel, chosen: Selection | None = None, searches: Searches | None = None
) -> Iterator[Verdicts]:
    """Every registered loss on the noise; what a recommendation or ``searches`` found of it already is not computed again.

    The rows that can bind are found once: a file may have many thousands.
    """
    binding = binding_rows(noise)
    reduced = replace(NoiseModel(noise.kind, (), noise.classes, noise.rate), rows=tuple(row for _, row in binding))
    searched = Searches(noise) if searches is None else searches
    known = {} if chosen is None else {candidate.loss.name: candidate for candidate in chosen.candidates}
    for name in names():
        loss = build(name)
        if name in known and known[name].threshold.status != "undecided":
            yield _from_candidate(loss, known[name], noise, searched)
            continue
        used = tuple(_published(loss, noise, reduced, searched))
        by_all = any(decide(loss, row).holds is None for row in reduced.rows)  # depends on all weights
        if loss.main is not None or not by_all:
            whole = by_all or searched.affordable
            answer = solve(loss, noise if whole else reduced)
            index = answer.binding_row if whole else binding[answer.binding_row][0]
            yield _verdicts(loss, answer, noise, index, used)
        elif searched.affordable:
            found = check(loss, noise)
            status = {True: "always", False: "never", None: "undecided"}[found.asymmetric]
            bound = _bound_by(noise, status, found.row)
            yield Verdicts(loss, _answers(status), status, _order(status, None), bound, found.reason, used)
        else:
            yield Verdicts(loss, "not searched", "undecided", math.inf, "", _TOO_MANY, used)


def _verdicts(loss: Loss, answer: Threshold, noise: NoiseModel, row: int, used: tuple[Published, ...]) -> Verdicts:
    """A loss whose threshold was solved."""
    at, order = _bound_by(noise, answer.status, row), _order(answer.status, answer)
    return Verdicts(loss, _answer(answer), answer.status, order, at, answer.condition, used, tuple(answer.pieces))


def _from_candidate(loss: Loss, candidate: Candidate, noise: NoiseModel, searched: Searches) -> Verdicts:
    """A loss as the recommendation judged it; published settings that it left open are searched where that is affordable."""
    used = []
    for setting in candidate.published:
        holds = setting.holds
        if holds is None:
            holds = searched.verdict(build(loss.name, **setting.parameters))
        text = ", ".join(f"{name} = {plain(value)}" for name, value in setting.parameters.items()) or "no parameters"
        value = None if loss.main is None else setting.parameters.get(loss.main)
        used.append(Published(text, setting.sources, holds, None if value is None else float(value)))
    return _verdicts(loss, candidate.threshold, noise, candidate.threshold.binding_row, tuple(used))


_TOO_MANY = "no rule decides, and the rows are too many to search each: asymtheory check does it for one row of weights"


class Searches:
    """Verdicts of losses that no rule decides, each found once: a factor before the whole loss changes none of them."""

    def __init__(self, noise: NoiseModel) -> None:
        self.noise = noise
        self.found: dict[str, bool | None] = {}

    @property
    def affordable(self) -> bool:
        """Is the noise small enough for a search of each of its rows?"""
        if self.noise.classes > MOST_SEARCHED_CLASSES or len(self.noise.rows) > 20 * MOST_SEARCHED:
            return False
        return len(distinct_rows(self.noise)) <= MOST_SEARCHED

    def verdict(self, loss: Loss) -> bool | None:
        """Is the loss asymmetric on every row? Where the row of least margin fails, that is the answer."""
        if not self.affordable:
            return None
        key = _up_to_a_factor(loss)
        if key not in self.found:
            self.found[key] = self._searched(loss)
        return self.found[key]

    def _searched(self, loss: Loss) -> bool | None:
        noise = self.noise
        if len(noise.rows) > 1 and noise.dominant and check(loss, noise.rows[noise.worst].weights).asymmetric is False:
            return False
        return check(loss, noise).asymmetric


def _up_to_a_factor(loss: Loss) -> str:
    """The same text for 5 NCE + 5 NNCE as for their plain sum."""
    first = abs(Fraction(loss.terms()[0][0]))
    return " ".join(f"{Fraction(factor) / first} {atom}" for factor, atom in loss.terms())


def _searches(noise: NoiseModel) -> Searches:
    """The searches that the published settings take, which need no recommendation."""
    found = Searches(noise)
    for name in names() if found.affordable else ():
        for setting in published_settings(name):
            loss = setting.build()
            if any(decide(loss, row).holds is None for _, row in binding_rows(noise)):
                found.verdict(loss)
    return found


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
    return binding_text(noise, index) if status == "threshold" or not noise.dominant else ""


def binding_text(noise: NoiseModel, index: int) -> str:
    row = noise.rows[index]
    return f"{noise.row_name(index)} against {noise.class_name(row.runner_up)}"


def _published(loss: Loss, noise: NoiseModel, reduced: NoiseModel, searched: Searches) -> Iterator[Published]:
    """The settings that the papers print for a loss, equal ones together."""
    same: dict[tuple[tuple[str, Number], ...], list[Setting]] = {}
    for setting in published_settings(loss.name):
        same.setdefault(tuple(setting.parameters.items()), []).append(setting)
    for parameters, settings in same.items():
        used = settings[0].build()
        verdicts = [decide(used, row).holds for row in reduced.rows]
        holds = False if False in verdicts else None if None in verdicts else True
        if holds is None:
            holds = searched.verdict(used)
        text = ", ".join(f"{name} = {plain(value)}" for name, value in parameters) or "no parameters"
        value = None if loss.main is None else used.parameters.get(loss.main)
        sources = tuple(f"{s.dataset}, {s.source}" for s in settings)
        yield Published(text, sources, holds, None if value is None else float(value))
