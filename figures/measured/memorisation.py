"""Figures of ``asymtheory confirm`` with fixed labels, where the theory is silent: what networks memorise below and above the
threshold, and whether the losses lie on one curve over c r."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.optimize import isotonic_regression
from scipy.stats import spearmanr

from asymtheory.errors import InputError, nearest
from asymtheory.escapes import mathtext

from .. import style
from ..gallery import figure
from ..results import FOLDER, Floats, Measurement, NothingMeasured, load
from .curve_panels import BAND, label_rows
from .studies import Study, Subject, fullest, studies
from .study_panels import SOURCE, factor_bar, factor_colour, over_factors, page_aspect, say_where

MEMORISED = "Fixed labels: what is memorised, below and above the threshold of each loss"
COLLAPSE = "Fixed labels: do all losses lie on one curve over $c\\,r$?"
FLOOR = 1 / 32  # levels below are drawn beside 0, left of the break of the axis
TICKS = (0.03125, 0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32)
"""Of the level's axis, where they fit between 0 and the noise's own clean level."""
APART = 0.34  # inches between them
HISTOGRAMS = "Fixed labels: probability of the given label, clean and corrupted images"
CURVES = "Fixed labels: test accuracy over epochs, below and above the threshold"
SIDES = (8**-0.5, 1.0, 8**0.5)  # of the threshold: below, at, above


MOST_ROWS = 5  # of noises that one page holds; the caption names the others


@figure("confirm-memorised", MEMORISED, SOURCE)
def confirm_memorised(
    *, width: float = 6.75, results: str = FOLDER, dataset: str | None = None, noise: str | None = None
) -> Figure:
    """Share of the corrupted training images that end fitted to their wrong label, mean over seeds (bands: lowest to highest), for
    all losses on one axis; a row for each noise. Left over a/a*; large markers: where an isotonic fit passes the middle between
    its ends, with its 95 % bootstrap interval over seeds; short lines at the edges: losses without a parameter. Right: the same
    over c r, clean level times asymmetry ratio, and for losses without a ratio clean level over the clean level of the most noise
    of the same kind that they tolerate: asymmetric from 1 on (dashed). The last tick is c, the level of a loss with r = 1, which
    no loss exceeds; losses of level 0 (they tolerate no noise) and below 1/32 are drawn left of the axis's break.
    """
    found = load(results)
    shown = studies(found, "fixed", dataset, noise)[:MOST_ROWS]
    aspect = page_aspect(width, 2, len(shown), 0.62 if width >= 4.5 else 0.9, 0.85)
    drawn, axes = style.grid(width, 2 * len(shown), aspect=aspect, least=width / 2, extra=0.85)
    for row, study in enumerate(shown):
        left, right = axes[2 * row], axes[2 * row + 1]
        _memorised_over_factors(left, study)
        for subject in study.subjects:
            _over_level(right, subject, "memorised", zero_at(study), joined=True)
        _level_axis(right, study, width / 2 - 0.5)
        left.axvline(1, **style.THRESHOLD)
        left.set_xlabel("$a / a^*$")
        for panel in (left, right):
            panel.set_title(mathtext(study.noise))
    label_rows(axes, MEASURES["memorised"])
    _one_scale(axes)
    style.letters(axes)
    say_where(drawn, MEMORISED, found, shown)
    style.legend(drawn, [*_loss_handles(shown), *_sign_handles()])
    return drawn


def _sign_handles() -> list[Artist]:
    """What is not a loss's own line."""
    big: style.Keywords = {"marker": "o", "markersize": 6.5, "markeredgecolor": "white", "markeredgewidth": 0.7}
    return [
        Line2D([], [], color=style.SOFT, linewidth=2.2, **big, label="halfway, 95 % interval"),
        Patch(color=style.SOFT, alpha=0.4, linewidth=0, label="range of the seeds"),
        Line2D([], [], **style.THRESHOLD, label="threshold"),
        Line2D([], [], color=style.INK, marker=0, markersize=6, linestyle="none", label="at an edge: no parameter"),
    ]


def _memorised_over_factors(axes: Axes, study: Study) -> None:
    for subject in study.around:
        values = 100 * subject.by_seed("memorised")
        middle, x = values.mean(1), subject.factors
        line = subject.line()
        axes.plot(x, middle, **line, **_small(subject))
        axes.fill_between(x, values.min(1), values.max(1), color=line["color"], alpha=BAND, linewidth=0)
        turn = halfway(subject, "memorised")
        if turn is not None:
            at, low, high = turn
            y = float(np.interp(np.log(at), np.log(x), middle))
            if low is not None and high is not None:
                axes.plot([low, high], [y, y], color=line["color"], linewidth=2.2, solid_capstyle="butt", zorder=3.5)
            big = {**subject.mark(), "markersize": 6.5, "markeredgecolor": "white", "markeredgewidth": 0.7}
            if big["marker"] == "x":
                big["marker"] = "s"
            axes.plot([at], [y], linestyle="none", **{**big, "markerfacecolor": line["color"]}, zorder=4)
    over_factors(axes)
    for subject in study.ends:
        y = 100 * float(subject.by_seed("memorised").mean())
        for start in (0, 0.96):
            axes.plot([start, start + 0.04], [y, y], transform=axes.get_yaxis_transform(), **subject.line())


def halfway(subject: Subject, what: str) -> tuple[float, float | None, float | None] | None:
    """Where the loss's curve turns, as a factor of the threshold, and its interval; None where it has no transition."""
    found = (subject.rows[0].get("transition") or {}).get(what)
    if found is None or found["factor"] is None:
        return None
    return found["factor"], found["low"], found["high"]


def _small(subject: Subject) -> style.Keywords:
    return {name: value for name, value in subject.mark().items() if name != "color"} | {"markersize": 2.6}


def _levels(study: Study) -> Floats:
    """The level of every value of every loss, in their order."""
    return np.concatenate([subject.read("level") for subject in study.subjects])


def zero_at(study: Study) -> float:
    """Where on a logarithmic axis losses of level 0 (and below the floor) are drawn: well left of the others."""
    every = _levels(study)
    shown = every[np.isfinite(every) & (every >= FLOOR)]
    return float(shown.min()) / 3 if len(shown) else FLOOR / 3


def _level_axis(axes: Axes, study: Study, room: float) -> None:
    """A logarithmic axis of c r, ``room`` inches long, with a place for 0, the threshold at 1, and a tick at the noise's clean
    level c: the greatest.
    """
    zero, every = zero_at(study), _levels(study)
    greatest = float(np.nanmax(every)) if np.isfinite(every).any() else 1.0
    apart = APART * np.log(greatest / zero) / room
    taken, inside = [zero, greatest], []
    for tick in sorted((tick for tick in TICKS if zero < tick < greatest), key=lambda tick: abs(np.log(tick))):
        if min(abs(np.log(tick / other)) for other in taken) > apart:
            taken.append(tick)
            inside.append(tick)
    inside.sort()
    style.log_ticks(axes, "x", [zero, *inside, greatest])
    names = [
        "<1/32" if ((every > 0) & (every < FLOOR)).any() else "0",
        *(str(Fraction(tick).limit_denominator(64)) for tick in inside),
        f"{greatest:.3g}",
    ]
    axes.set_xticks([zero, *inside, greatest], labels=names)
    axes.set_xlim(zero / 1.35, greatest * 1.35)
    for at in (1.5 * zero, 1.7 * zero):  # the break
        axes.plot(
            [at, at * 1.08],
            [-0.03, 0.03],
            transform=axes.get_xaxis_transform(),
            color=style.INK,
            linewidth=0.6,
            clip_on=False,
        )
    axes.axvline(1, **style.THRESHOLD)
    axes.set_xlabel("level $c\\,r$ (last tick: $c$)")


def _over_level(axes: Axes, subject: Subject, what: str, zero: float, *, joined: bool) -> None:
    """A percentage over the level (0 at ``zero``); the range over seeds as a bar, or as a band of the line that joins them."""
    x, values = subject.read("level"), 100 * subject.by_seed(what)
    kept = np.isfinite(x) & np.isfinite(values).all(1)
    if not kept.any():
        return
    order = np.argsort(x[kept])
    x, values = x[kept][order], values[kept][order]
    middle, none = values.mean(1), x < FLOOR
    x = np.where(none, zero, x)
    if joined and (~none).sum() > 1:
        band = values[~none].min(1), values[~none].max(1)
        axes.plot(x[~none], middle[~none], **subject.line(), **_small(subject))
        axes.fill_between(x[~none], *band, color=subject.line()["color"], alpha=BAND, linewidth=0)
        x, middle, values = x[none], middle[none], values[none]
    around = np.clip([middle - values.min(1), values.max(1) - middle], 0, None)
    mark: style.Keywords = {**subject.mark(), "markersize": 4.2 if joined else 3.2}
    axes.errorbar(x, middle, around, linestyle="none", elinewidth=0.6, **mark)


MEASURES = {"last": "last accuracy (%)", "drop": "drop (points)", "memorised": "memorised (%)"}
"""What is drawn over the level: test accuracy, its drop from the best epoch, the share of the corrupted images."""


def _points(study: Study, what: str) -> list[tuple[float, float]]:
    """(level, mean over seeds) of every value of every loss that has both."""
    return [
        (float(level), float(value))
        for subject in study.subjects
        for level, value in zip(subject.read("level"), subject.by_seed(what).mean(1), strict=True)
        if np.isfinite(level) and np.isfinite(value)
    ]


def rank(study: Study, what: str) -> tuple[float, int] | None:
    """Spearman's correlation of the level with a figure over all values of all losses, and their number; None below four."""
    pairs = _points(study, what)
    if len(pairs) < 4:
        return None
    rho = float(spearmanr(*zip(*pairs, strict=True)).statistic)
    return (rho, len(pairs)) if np.isfinite(rho) else None


def explained(study: Study, what: str) -> float | None:
    """The share of the variance of a figure, over all values of all losses, that the best monotone curve over the level explains.

    1 where all losses lie on one monotone curve; None below four points or where nothing varies. Falling curves for the drop
    and the memorised share, rising ones for accuracy; points of one level share a value.
    """
    pairs = _points(study, what)
    if len(pairs) < 4:
        return None
    levels, values = np.array(sorted(pairs)).T
    if np.ptp(values) == 0:
        return None
    each, counts = np.unique(levels, return_counts=True)
    means = np.array([values[levels == level].mean() for level in each])
    fitted = isotonic_regression(means, weights=counts, increasing=what == "last").x
    left = float(((values - np.repeat(fitted, counts)) ** 2).sum())
    return 1 - left / float(((values - values.mean()) ** 2).sum())


_NAMED = {"last": "of last accuracy", "drop": "of its drop", "memorised": "of what is memorised"}


def _answer(shown: Sequence[Study]) -> str:
    """The figure's answer in a sentence; nothing where too little was measured."""
    said = []
    for what, name in _NAMED.items():
        found = [share for study in shown if (share := explained(study, what)) is not None]
        if found:
            low, high = round(100 * min(found)), round(100 * max(found))
            said.append(f"{low if low == high else f'{low} to {high}'} % {name}")
    return f"A monotone curve explains {', '.join(said)}" if said else ""


@figure("confirm-collapse", COLLAPSE, SOURCE)
def confirm_collapse(
    *, width: float = 6.75, results: str = FOLDER, dataset: str | None = None, noise: str | None = None
) -> Figure:
    """Last test accuracy, its drop from the best epoch and the memorised share over c r (see confirm-memorised) for every value of
    every loss, mean over seeds; bars: lowest to highest seed; a row for each noise (in a column: the noise of which most was
    measured). Dashed: asymmetric from there on. In the title: the share of the variance over all points that the best monotone
    curve explains; above the panels: Spearman's rank correlation with c r. The last tick is c, the level of a loss with r = 1;
    losses of level 0 (they tolerate no noise) and below 1/32 are drawn left of the break.
    """
    found = load(results)
    across = 3 if width >= 5.4 else 1
    shown = studies(found, "fixed", dataset, noise)
    shown = shown if across == 3 else [fullest(shown)]
    aspect = page_aspect(width, across, 3 // across * len(shown), 0.85 if across == 3 else 0.55, 0.8)
    drawn, axes = style.grid(width, 3 * len(shown), aspect=aspect, extra=0.8, least=width / across)
    wanted = [(study, what) for study in shown for what in MEASURES]
    for panel, (study, what) in zip(axes, wanted, strict=True):
        for subject in study.subjects:
            _over_level(panel, subject, what, zero_at(study), joined=False)
        _level_axis(panel, study, width / across - 0.5)
        panel.set_ylabel(MEASURES[what])
        correlation = rank(study, what)
        said = "" if correlation is None else f": $\\rho = {correlation[0]:+.2f}$"
        panel.set_title(f"{mathtext(study.noise)}{said}")
    style.letters(axes)
    say_where(drawn, f"{COLLAPSE} {_answer(shown)}".rstrip(), found, shown)
    style.legend(drawn, _loss_handles(shown, lines=False))
    return drawn


@figure("confirm-histograms", HISTOGRAMS, SOURCE)
def confirm_histograms(
    *, width: float = 6.75, results: str = FOLDER, dataset: str | None = None, noise: str | None = None,
    loss: str | None = None,
) -> Figure:  # fmt: skip
    """Softmax probability of the given label on the training images after the last epoch, share of each part in 20 bins, all seeds:
    filled: images with their true label; outlined: corrupted ones. Columns: the values of a nearest to a*/2.8, a* and 2.8 a*.
    """
    found = load(results)
    found = replace(found, rows=tuple(row for row in found.rows if row.get("histograms") is not None))
    if not found.rows:
        raise NothingMeasured(
            "no study here has the histograms of its training images; condensed results leave them out, `confirm` writes them"
        )
    study = fullest(studies(found, "fixed", dataset, noise))
    subjects = _named(study, loss)
    drawn = style.canvas(width, len(subjects) * max(0.85, width / 3 * 0.42) + 0.85)
    axes = drawn.subplots(len(subjects), len(SIDES), squeeze=False, sharex=True, sharey=True)
    for line, subject in zip(axes, subjects, strict=True):
        for column, (panel, side) in enumerate(zip(line, SIDES, strict=True)):
            row = subject.nearest(side)
            _histogram(panel, subject, row)
            title = f"$a = {row['factor']:.3g}\\,a^*$" if row["factor"] != 1 else "$a = a^*$"
            panel.set_title(f"{subject.title}: {title}" if width >= 5 else title)
            if column == 0:
                panel.set_ylabel("share" if width >= 5 else subject.title)
    for panel in axes[-1]:
        panel.set_xlabel("$p$ of the given label")
    drawn.align_ylabels()
    say_where(drawn, HISTOGRAMS, found, [study])
    style.legend(drawn, _histogram_handles())
    return drawn


def _named(study: Study, loss: str | None) -> list[Subject]:
    """The losses with a threshold, or those of one name."""
    names = sorted({subject.name for subject in study.around})
    if not names:
        raise NothingMeasured(f"on {study.dataset_noise} no loss was measured that has a threshold there")
    if loss is not None and loss not in names:
        known = ", ".join(names)
        raise InputError(f"option loss = {loss!r}: measured with a threshold: {known}{nearest(loss, names)}")
    return [subject for subject in study.around if loss in (None, subject.name)]


def _histogram(axes: Axes, subject: Subject, row: Measurement) -> None:
    for part, filled in (("clean", True), ("corrupted", False)):
        counts = np.array(row["histograms"][part])
        if not counts.sum():
            continue
        edges = np.linspace(0, 1, len(counts) + 1)
        colour = subject.line()["color"] if filled else style.INK
        axes.stairs(
            counts / counts.sum(), edges, fill=filled, color=colour, alpha=0.55 if filled else 1,
            linewidth=0 if filled else 0.9,
        )  # fmt: skip
    axes.set_xlim(0, 1)


def _histogram_handles() -> list[Artist]:
    return [
        Patch(color=style.SOFT, alpha=0.55, linewidth=0, label="true label given"),
        Line2D([], [], color=style.INK, linewidth=0.9, label="wrong label given"),
    ]


@figure("confirm-curves", CURVES, SOURCE)
def confirm_curves(
    *, width: float = 6.75, results: str = FOLDER, dataset: str | None = None, noise: str | None = None
) -> Figure:
    """Test accuracy over epochs, mean over seeds, a panel a loss, a line a value of its parameter: dashed below the threshold,
    heavy at it, solid above it. Last panel: losses without a parameter.
    """
    found = load(results)
    study = fullest(studies(found, "fixed", dataset, noise))
    subjects = _named(study, None)
    count = len(subjects) + bool(study.ends)
    drawn, axes = style.grid(width, count, least=1.55, aspect=0.8, extra=1.15, sharey=True)
    across = style.columns(count, width, 1.55)
    for subject, panel in zip(subjects, axes, strict=False):
        for row in subject.rows:
            epochs, mean = _curve(row)
            colour, at = factor_colour(row["factor"]), row["factor"] == 1
            dashes: Any = (0, (3, 1.2)) if row["factor"] < 1 else "-"
            panel.plot(epochs, mean, color=colour, linestyle=dashes, linewidth=2 if at else 1, zorder=3 if at else 2)
        panel.set_title(subject.title)
    if study.ends:
        panel = axes[count - 1]
        for subject in study.ends:
            panel.plot(*_curve(subject.rows[0]), **subject.line(), label=subject.title)
        panel.set_title("no parameter")
    for i, panel in enumerate(axes):
        panel.set_xlabel("epoch")
        panel.set_ylabel("test accuracy (%)" if i % across == 0 else "")
    style.letters(axes)
    factor_bar(drawn, axes)
    style.legend(drawn, [*(axes[count - 1].lines if study.ends else ()), *_side_handles()])
    say_where(drawn, CURVES, found, [study])
    return drawn


def _side_handles() -> list[Artist]:
    colour = style.SOFT
    return [
        Line2D([], [], color=colour, linestyle=(0, (3, 1.2)), linewidth=1, label="below the threshold"),
        Line2D([], [], color=colour, linewidth=2, label="at it"),
        Line2D([], [], color=colour, linewidth=1, label="above it"),
    ]


def _curve(row: Measurement) -> tuple[Floats, Floats]:
    """Epochs and test accuracy in per cent; nothing for rows from before curves were kept."""
    curve = row.get("curve") or {"epochs": [], "test": []}
    return np.array(curve["epochs"], dtype=float), 100 * np.array(curve["test"], dtype=float)


def _one_scale(axes: Sequence[Axes]) -> None:
    low, high = min(axes_.get_ylim()[0] for axes_ in axes), max(axes_.get_ylim()[1] for axes_ in axes)
    for panel in axes:
        panel.set_ylim(low, high)


def _loss_handles(shown: Sequence[Study], lines: bool = True) -> list[Artist]:
    """One entry for each loss of any of the studies."""
    subjects = {subject.title: subject for study in shown for subject in study.subjects}
    looks = {
        title: {**each.line(), **_small(each)} if lines else {**each.mark(), "linestyle": "none"}
        for title, each in subjects.items()
    }
    return [Line2D([], [], label=title, **look) for title, look in looks.items()]
