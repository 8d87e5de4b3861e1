"""Figures of ``asymtheory confirm`` with labels that are redrawn: networks below and above the threshold, and the exact minimiser.

Nothing here is fitted to agree: markers are measured, dashed lines are exact, and each figure says where it was measured.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from asymtheory.asymmetry.risk import minimise

from .. import style
from ..gallery import figure
from ..results import FOLDER, Floats, Measurement, load
from .curve_panels import BAND
from .studies import Study, Subject, fullest, studies
from .study_panels import SOURCE, factor_bar, factor_colour, over_factors, pairs, say_where

POPULATION = "Labels redrawn at every visit: $p$ of the true class, measured and exact"
CLASSES = "Labels redrawn at every visit: whole softmax vectors, measured and exact"
DENSE = 97  # points of an exact curve
EXACT: style.Keywords = {"color": style.INK, "linewidth": 0.9, "linestyle": (0, (4, 1.6)), "zorder": 2.5}


# ------------------------------------------------------------------------------------------------------------ population


def exact_curve(study: Study, subject: Subject) -> tuple[Floats, Floats]:
    """(factors, u_m of the exact minimiser): a dense curve where all classes are alike, else the values of the grid.

    Where classes differ u_m is their mean over the training images, which only the rows know.
    """
    model = study.model
    if model is None or not model.representative:
        return subject.factors, subject.read("exact")
    row = model.rows[0]
    weights = [float(w) for w in row.weights]
    grid = subject.read("value")
    between = np.geomspace(grid[0], grid[-1], DENSE)[1:-1]
    values = np.unique(np.concatenate([between, grid]))  # the ends as they are: one may be the domain's
    exact = np.array([minimise(subject.at(float(value)), weights).point[row.target] for value in values])
    return values / subject.threshold, exact


@figure("confirm-population", POPULATION, SOURCE)
def confirm_population(
    *, width: float = 6.75, results: str = FOLDER, dataset: str | None = None, noise: str | None = None
) -> Figure:
    """Softmax probability of the true class over a/a*, a panel a loss. Dashed: u_m of the exact minimiser. Filled markers: mean
    over training images and seeds with its 95 % bootstrap interval; circles: the same without the classes that a seed took for
    another one (drawn where there are any); crosses (+): over test images; thin line: median; bands: from the 25 to the 75 % and
    from the 5 to the 95 % quantile of the images. Below each panel: measured minus exact on training
    images with its interval. Last panel: losses without a threshold, at the values of their grid.
    """
    found = load(results)
    study = fullest(studies(found, "population", dataset, noise))
    rest = [*study.always, *study.ends]
    drawn, panels, across = pairs(width, len(study.around) + bool(rest), upper=0.68, lower=0.27, extra=0.35)
    for i, (upper, lower) in enumerate(panels):
        if i < len(study.around):
            subject = study.around[i]
            upper.plot(*exact_curve(study, subject), **EXACT)
            _probabilities(upper, subject, subject.factors)
            _deviations(lower, subject, subject.factors)
            for panel in (upper, lower):
                over_factors(panel)
            lower.set_xlabel("$a / a^*$")
            upper.set_title(subject.title)
        else:
            _without_threshold(upper, lower, rest, width / across * (across - i % across) - 0.45)
            upper.set_title("no threshold")
        upper.set_ylim(-0.04, 1.06)
        upper.tick_params(labelbottom=False)
        if i % across == 0:
            upper.set_ylabel("$p$ of the true class")
            lower.set_ylabel("deviation")
        else:
            upper.tick_params(labelleft=False)
    for i, (_, lower) in enumerate(panels):  # one scale, but for the losses without a threshold
        last = i == len(study.around)
        lower.set_ylim(_extent(rest if last else study.around))
        lower.tick_params(labelleft=last or i % across == 0)
    style.letters([upper for upper, _ in panels])
    say_where(drawn, POPULATION, found, [study])
    style.legend(drawn, _population_handles())
    return drawn


def _probabilities(axes: Axes, subject: Subject, x: Floats) -> None:
    """Mean with interval, median and bands of the training images; mean of the test images."""
    mark, colour = subject.mark(), subject.line()["color"]
    for low, high, opacity in (("0.05", "0.95", 0.10), ("0.25", "0.75", BAND)):
        edges = subject.read("quantiles", low), subject.read("quantiles", high)
        if len(x) > 1:
            axes.fill_between(x, *edges, color=colour, alpha=opacity, linewidth=0)
        else:
            axes.bar(x, edges[1] - edges[0], 0.34, edges[0], color=colour, alpha=opacity, linewidth=0)
    if len(x) > 1:
        axes.plot(x, subject.read("median"), color=colour, linewidth=0.6)
    axes.errorbar(x, subject.read("measured"), _around(subject), linestyle="none", elinewidth=0.8, **mark, zorder=3)
    lost = np.array([sum(row.get("lost", ())) > 0 for row in subject.rows])
    if lost.any():
        kept = subject.read("kept", "measured")[lost]
        axes.plot(x[lost], kept, linestyle="none", marker="o", color=style.INK, markerfacecolor="white", zorder=3.1)
    axes.plot(
        x, subject.read("test", "measured"), linestyle="none", marker="+", markersize=4.5, color=style.INK, zorder=3.2
    )


def _around(subject: Subject, name: str = "measured", low: str = "low", high: str = "high") -> Floats:
    middle = subject.read(name)
    return np.clip([middle - subject.read(low), subject.read(high) - middle], 0, None)


def _deviations(axes: Axes, subject: Subject, x: Floats) -> None:
    axes.axhline(0, **EXACT)
    around = _around(subject, "deviation", "deviation_low", "deviation_high")
    axes.errorbar(x, subject.read("deviation"), around, linestyle="none", elinewidth=0.8, **subject.mark(), zorder=3)


def _without_threshold(upper: Axes, lower: Axes, subjects: Sequence[Subject], room: float) -> None:
    """A place each in ``room`` inches; the values of a grid side by side within it."""
    for place, subject in enumerate(subjects):
        count = len(subject.rows)
        x = place + (np.linspace(-0.33, 0.33, count) if count > 1 else np.zeros(1))
        exact = subject.read("exact")
        for at, value in zip(x, exact, strict=True):
            half = 0.25 if count == 1 else 0.04
            upper.plot([at - half, at + half], [value, value], **{**EXACT, "linestyle": "-"})
        _probabilities(upper, subject, x)
        _deviations(lower, subject, x)
    names = [subject.title.replace(", ", "\n") for subject in subjects]
    widest = max(style.text_width(part, 8) for name in names for part in name.split("\n"))
    fits = widest + 0.05 <= room / len(subjects)
    if not fits:  # upright, one line each: its parameters only where they tell two apart
        heads = [subject.title.partition(", ")[0] for subject in subjects]
        names = [
            head if heads.count(head) == 1 else subject.title for head, subject in zip(heads, subjects, strict=True)
        ]
    for panel in (upper, lower):
        panel.set_xticks(range(len(subjects)), names, rotation=0 if fits else 90)
        panel.set_xlim(-0.6, len(subjects) - 0.4)
    lower.set_xlabel("loss")


def _extent(subjects: Sequence[Subject]) -> tuple[float, float]:
    """The range of all deviations and 0, with a margin."""
    low = min(float(np.nanmin(subject.read("deviation_low"))) for subject in subjects)
    high = max(float(np.nanmax(subject.read("deviation_high"))) for subject in subjects)
    room = 0.12 * (max(high, 0) - min(low, 0))
    return min(low, 0) - room, max(high, 0) + room


def _population_handles() -> list[Artist]:
    colour = style.SOFT
    dot: style.Keywords = {"linestyle": "none", "marker": "o"}
    return [
        Line2D([], [], **EXACT, label="exact minimiser $u_m$"),
        Line2D([], [], **{**EXACT, "linestyle": "-"}, marker=None, label="exact, at single values"),
        Line2D([], [], **dot, color=colour, label="mean, training images"),
        Line2D([], [], linestyle="none", marker="+", color=style.INK, label="mean, test images"),
        Line2D([], [], **dot, color=style.INK, markerfacecolor="white", label="mean without lost classes"),
        Line2D([], [], color=colour, linewidth=0.6, label="median"),
        Patch(color=colour, alpha=0.4, linewidth=0, label="quantiles 25-75 %"),
        Patch(color=colour, alpha=0.18, linewidth=0, label="5-95 %"),
    ]


# --------------------------------------------------------------------------------------------------------------- classes


@figure("confirm-classes", CLASSES, SOURCE)
def confirm_classes(
    *, width: float = 6.75, results: str = FOLDER, dataset: str | None = None, noise: str | None = None
) -> Figure:
    """Noise whose rows differ. Upper row: every entry of the mean softmax vector of every true class against the entry of the exact
    minimiser, at all values of a up to the threshold; filled markers: the true class, hollow ones: the other classes.
    Lower row: measured minus exact for the true class, class by class. Colours: a/a*.
    """
    found = load(results)
    study = fullest(studies(found, "population", dataset, noise, vectors=True))
    shown = [*study.around, *study.ends]
    drawn, panels, across = pairs(width, len(shown), upper=1, lower=0.5, extra=0.3)
    limit = 1.15 * max(float(np.abs(_class_deviations(row)).max()) for subject in shown for row in _below(subject))
    tick = float(f"{0.7 * limit:.1g}")
    for i, (subject, (upper, lower)) in enumerate(zip(shown, panels, strict=True)):
        upper.plot([0, 1], [0, 1], **EXACT)
        lower.axhline(0, **EXACT)
        for row in _below(subject):
            _vectors(upper, lower, subject, row)
        upper.set(
            xlim=(-0.04, 1.04),
            ylim=(-0.04, 1.04),
            xlabel="exact $p$",
            title=style.wrapped(subject.title, width / across - 0.65, 8),
        )
        lower.set(ylim=(-limit, limit), xlabel="true class")
        lower.set_yticks([-tick, tick])
        below, above = lower.get_yticklabels()  # apart in a low panel
        below.set_verticalalignment("top")
        above.set_verticalalignment("bottom")
        lower.set_xticks(range(study.K) if study.K <= 10 else range(0, study.K, study.K // 5))
        for panel, label in ((upper, "measured $p$"), (lower, "deviation")):
            panel.set_ylabel(label if i % across == 0 else "")
            panel.tick_params(labelleft=i % across == 0)
    factor_bar(drawn, [panel for pair in panels for panel in pair])
    style.letters([upper for upper, _ in panels])
    say_where(drawn, CLASSES, found, [study])
    style.legend(drawn, _class_handles())
    return drawn


def _class_handles() -> list[Artist]:
    dot: style.Keywords = {"linestyle": "none", "marker": "o", "color": style.SOFT, "markersize": 2.6}
    return [
        Line2D([], [], **dot, label="true class"),
        Line2D([], [], **dot, markerfacecolor="none", label="other classes"),
        Line2D([], [], **EXACT, label="measured = exact"),
    ]


def _below(subject: Subject) -> list[Measurement]:
    """The rows up to the threshold; all of a loss without one."""
    if subject.threshold is None:
        return list(subject.rows)
    return [row for row in subject.rows if row["factor"] <= 1]


def _class_deviations(row: Measurement) -> Floats:
    classes = row["classes"]
    return np.subtract(classes["measured"], classes["exact"])


def _vectors(upper: Axes, lower: Axes, subject: Subject, row: Measurement) -> None:
    exact, measured = np.array(row["vectors"]["exact"]), np.array(row["vectors"]["measured"])
    true = np.eye(len(exact), dtype=bool)
    colour = subject.line()["color"] if row["factor"] is None else factor_colour(row["factor"])
    marker = style.look(subject.name).marker
    dot: style.Keywords = {"linestyle": "none", "color": colour, "markersize": 2.6, "clip_on": False}
    upper.plot(exact[~true], measured[~true], marker="o", markerfacecolor="none", zorder=2.6, **dot)
    upper.plot(exact[true], measured[true], marker=marker, zorder=3, **dot)
    lower.plot(range(len(exact)), _class_deviations(row), marker=marker, color=colour, linewidth=0.6, markersize=2.6)
