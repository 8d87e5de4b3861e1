"""The plot of ``asymtheory select``: what losses cover of a noise, against what that costs and against their parameter."""

from __future__ import annotations

import math
import os
from io import BytesIO
from itertools import pairwise

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asymtheory.errors import InputError
from asymtheory.escapes import mathtext
from asymtheory.noise import from_weights
from asymtheory.noise.estimate import NoiseEstimate
from asymtheory.numbers.text import plain
from asymtheory.selection.candidates import Candidate
from asymtheory.selection.select import Selection
from asymtheory.threshold import solve
from asymtheory.writing import write_file

from .. import style

MOST = 6  # losses drawn
MOST_ROWS = 200  # classes whose thresholds are solved one by one
FARTHEST = 100.0  # fitting ratios beyond it are not shown
MARGIN = 0.04  # of the vertical axis, below 0 and above 1


def drawn(selection: Selection) -> list[Candidate]:
    """The candidates that are drawn: the first ones that have a curve, one of each family of losses."""
    found: dict[str, Candidate] = {}
    for candidate in selection.candidates:
        if any(point.share.rows is not None for point in candidate.curve):
            found.setdefault(style.family(candidate.loss.name), candidate)
    return list(found.values())[:MOST]


def curves(candidate: Candidate) -> tuple[list[float], list[float], list[float]]:
    """(parameter, fitting ratio, share covered) along a candidate's curve; the ratio is NaN where an NCE term leads."""
    points = [point for point in candidate.curve if point.share.guaranteed is not None and point.slope > 0]
    ratios = [math.nan if point.led or math.isinf(point.slope) else point.slope for point in points]
    return [point.value for point in points], ratios, [float(point.share.guaranteed or 0) for point in points]


def steps(candidate: Candidate, known: NoiseEstimate) -> tuple[list[float], list[float]]:
    """(parameter, share covered), with a step at the exact threshold of every row.

    On the curve's own values where the noise is estimated, and for samples, of which there may be a million.
    """
    values, _, shares = curves(candidate)
    loss, parameter = candidate.loss, candidate.parameter
    if parameter is None or not values or known.boxes is not None or known.unit != "class" or known.K > MOST_ROWS:
        return values, shares
    answers = [solve(loss, from_weights(row.weights), parameter) for row in known.noise.rows if row.dominant]
    pieces = [answer.pieces for answer in answers]
    ends = [end.key() for each in pieces for piece in each for end in (piece.low, piece.high) if end is not None]
    at = sorted({values[0], values[-1], *(end for end in ends if values[0] <= end <= values[-1])})
    between = [(low + high) / 2 for low, high in pairwise(at)] or [at[0]]  # no threshold lies between two of them
    shares = [
        sum(any(value in piece for piece in each) for each in pieces) / len(known.noise.rows) for value in between
    ]
    return [float(value) for value in at], [*shares, shares[-1]][: len(at)]


def selection_figure(selection: Selection, width: float = 6.75) -> Figure:
    """Two panels: (a) the frontier of coverage and fitting ratio along each parameter, (b) coverage by parameter.

    A marker is the recommended value; (a) leaves out where the NCE term of a sum leads. Where the noise is estimated the
    coverage is that at the confidence.
    """
    chosen = drawn(selection)
    if not chosen:
        raise InputError("--plot: none of these losses has a parameter to draw")
    known = selection.estimate
    unit = {"class": "classes", "sample": "samples"}[known.unit]
    sure = "" if known.boxes is None else f" ({100 * (known.confidence or 0):g} % sure)"
    with style.context():
        figure, (frontier, coverage) = style.grid(width, 2, least=2.4, extra=0.9)
        handles: list[Artist] = []
        for candidate in chosen:
            handles.append(_draw(frontier, coverage, candidate, known))
        frontier.axvline(1, **style.THRESHOLD)
        frontier.set_xlim(0.5, FARTHEST)
        style.log_ticks(frontier, "x", (0.5, 1, 2, 5, 10, 20, 50, 100))
        frontier.set_xlabel("fitting ratio  s(1/K) / s(0.99)")
        style.log_ticks(coverage, "x")
        coverage.set_xlabel("parameter, from its least value")
        for axes, name in ((frontier, "What fitting costs"), (coverage, "What the parameter does")):
            axes.set_title(name, loc="left")
            axes.set_ylim(-MARGIN, 1 + MARGIN)
            axes.set_ylabel(f"share of {unit} covered{sure}")
        style.letters((frontier, coverage))
        style.legend(figure, handles)
        rate = "" if known.rate is None else f", noise rate {known.rate.value:.3g}"
        style.title(figure, f"Asymmetric on how much of the noise: {mathtext(known.noise.kind)}, K = {known.K}{rate}")
    return figure


def _draw(frontier: Axes, coverage: Axes, candidate: Candidate, known: NoiseEstimate) -> Artist:
    loss, parameter = candidate.loss, candidate.parameter
    assert parameter is not None
    look = style.look(loss.name)
    _, slopes, shares = curves(candidate)
    domain = loss.domains[parameter]
    start = float(domain.low) if domain.low is not None else 0.0
    label = f"{loss.title}: {parameter} = {plain(loss.parameters[parameter])}"
    frontier.plot(slopes, shares, drawstyle="steps-pre", **look.line())
    away = [(v - start, s) for v, s in zip(*steps(candidate, known), strict=True) if v > start]
    coverage.plot([x for x, _ in away], [s for _, s in away], drawstyle="steps-post", **look.line())
    mark: style.Keywords = {
        "color": look.colour,
        "marker": look.marker,
        "linestyle": "none",
        "clip_on": False,
        "zorder": 3,
    }
    here = float(candidate.coverage.guaranteed or 0)
    if candidate.slope.ratio <= FARTHEST:
        frontier.plot([candidate.slope.ratio], [here], **mark)
    chosen = float(loss.parameters[parameter]) - start
    if chosen > 0:
        coverage.plot([chosen], [here], **mark)
    (handle,) = coverage.plot([], [], label=label, marker=look.marker, **look.line())
    return handle


def plot(selection: Selection, path: str, width: float = 6.75) -> None:
    """Draw a selection to a .pdf, .png or .svg, whole or not at all. Raises InputError where it cannot be written."""
    figure = selection_figure(selection, style.inches(width))
    suffix = os.path.splitext(path)[1].lower().removeprefix(".")
    data = BytesIO()
    with style.context():
        figure.savefig(data, format=suffix, dpi=200 if suffix == "png" else "figure")
    write_file(path, data.getvalue(), "--plot")
