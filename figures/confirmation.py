"""Figures of ``asymtheory confirm``: networks on both sides of the exact threshold, beside the exact minimiser.

Nothing here is fitted to agree: markers are measured, dashed lines are exact, and each figure says where it was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asymtheory.errors import InputError, nearest
from asymtheory.risk import minimise

from . import style
from .gallery import figure, remark
from .results import FOLDER, Floats, NothingMeasured, Results, Row, load
from .studies import Study, Subject, also, studies

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOURCE = "this package: asymtheory confirm"
POPULATION = "Labels redrawn at every visit: $p$ of the true class, measured and exact"
CLASSES = "Labels redrawn at every visit: whole softmax vectors, measured and exact"
MEMORISED = "Fixed labels: what is memorised, below and above the threshold of each loss"
COLLAPSE = "Fixed labels: do all losses lie on one curve over $c\\,r$?"
HISTOGRAMS = "Fixed labels: probability of the given label, clean and corrupted images"
CURVES = "Fixed labels: test accuracy over epochs, below and above the threshold"
FACTORS = {0.125: "1/8", 0.25: "1/4", 0.5: "1/2", 1.0: "1", 2.0: "2", 4.0: "4", 8.0: "8"}
DENSE = 97  # points of an exact curve
BAND = 0.18  # opacity of what lies between the lowest and the highest seed
EXACT: dict[str, Any] = {"color": style.INK, "linewidth": 0.9, "linestyle": (0, (4, 1.6)), "zorder": 2.5}
SIDES = (8**-0.5, 1.0, 8**0.5)  # of the threshold: below, at, above


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
    measured = subject.read("value")
    between = np.geomspace(measured[0], measured[-1], DENSE)[1:-1]
    values = np.unique(np.concatenate([between, measured]))  # the ends as they are: one may be the domain's
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
    study = studies(found, "population", dataset, noise)[0]
    rest = [*study.always, *study.ends]
    count = len(study.around) + bool(rest)
    across = style.columns(count, width, 1.45)
    lines = -(-count // across)
    drawn = style.canvas(width, lines * (width / across * 0.95 + 0.35) + 0.75)
    axes = drawn.subplots(2 * lines, across, squeeze=False, height_ratios=[3, 1.2] * lines)
    pairs = [(axes[2 * row, column], axes[2 * row + 1, column]) for row in range(lines) for column in range(across)]
    for i, (upper, lower) in enumerate(pairs):
        if i >= count:
            upper.set_axis_off()
            lower.set_axis_off()
            continue
        if i < len(study.around):
            subject = study.around[i]
            upper.plot(*exact_curve(study, subject), **EXACT)
            _probabilities(upper, subject, subject.factors)
            _deviations(lower, subject, subject.factors)
            for panel in (upper, lower):
                _over_factors(panel)
            lower.set_xlabel("$a / a^*$")
            upper.set_title(subject.title)
        else:
            _without_threshold(upper, lower, rest)
            upper.set_title("no threshold")
        upper.set_ylim(-0.04, 1.06)
        upper.tick_params(labelbottom=False)
        if i % across == 0:
            upper.set_ylabel("$p$ of the true class")
            lower.set_ylabel("deviation")
        else:
            upper.tick_params(labelleft=False)
    for i, (_, lower) in enumerate(pairs[:count]):  # one scale, but for the losses without a threshold
        last = i == len(study.around)
        lower.set_ylim(_extent(rest if last else study.around))
        lower.tick_params(labelleft=last or i % across == 0)
    style.letters([upper for upper, _ in pairs[:count]])
    _measured(drawn, POPULATION, found, [study])
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


def _without_threshold(upper: Axes, lower: Axes, subjects: Sequence[Subject]) -> None:
    """A place each; the values of a grid side by side within it."""
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
    for panel in (upper, lower):
        panel.set_xticks(range(len(subjects)), names)
        panel.set_xlim(-0.6, len(subjects) - 0.4)
    lower.set_xlabel("loss")


def _extent(subjects: Sequence[Subject]) -> tuple[float, float]:
    """Of all deviations and 0, with a margin."""
    low = min(float(np.nanmin(subject.read("deviation_low"))) for subject in subjects)
    high = max(float(np.nanmax(subject.read("deviation_high"))) for subject in subjects)
    room = 0.12 * (max(high, 0) - min(low, 0))
    return min(low, 0) - room, max(high, 0) + room


def _population_handles() -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colour = style.SOFT
    return [
        Line2D([], [], **EXACT, label="exact minimiser $u_m$"),
        Line2D([], [], color=colour, marker="o", linestyle="none", label="mean, training images"),
        Line2D([], [], color=colour, marker="+", linestyle="none", label="mean, test images"),
        Line2D(
            [],
            [],
            color=style.INK,
            marker="o",
            markerfacecolor="white",
            linestyle="none",
            label="mean without lost classes",
        ),
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
    study = studies(found, "population", dataset, noise, vectors=True)[0]
    shown = [*study.around, *study.ends]
    across = style.columns(len(shown), width, 1.45)
    lines = -(-len(shown) // across)
    drawn = style.canvas(width, lines * (width / across * 1.5 + 0.3) + 0.75)
    axes = drawn.subplots(2 * lines, across, squeeze=False, height_ratios=[3, 1.5] * lines)
    pairs = [(axes[2 * row, column], axes[2 * row + 1, column]) for row in range(lines) for column in range(across)]
    limit = 1.15 * max(float(np.abs(_class_deviations(row)).max()) for subject in shown for row in _below(subject))
    for i, (upper, lower) in enumerate(pairs):
        if i >= len(shown):
            upper.set_axis_off()
            lower.set_axis_off()
            continue
        subject = shown[i]
        upper.plot([0, 1], [0, 1], **EXACT)
        lower.axhline(0, **EXACT)
        for row in _below(subject):
            _vectors(upper, lower, subject, row)
        upper.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xlabel="exact", title=subject.title)
        lower.set(ylim=(-limit, limit), xlabel="true class")
        lower.set_xticks(range(study.K) if study.K <= 10 else range(0, study.K, study.K // 5))
        for panel, label in ((upper, "measured"), (lower, "deviation")):
            panel.set_ylabel(label if i % across == 0 else "")
            panel.tick_params(labelleft=i % across == 0)
    _factor_bar(drawn, axes.ravel().tolist())
    style.letters([upper for upper, _ in pairs[: len(shown)]])
    _measured(drawn, CLASSES, found, [study])
    return drawn


def _below(subject: Subject) -> list[Row]:
    """The rows up to the threshold; all of a loss without one."""
    if subject.threshold is None:
        return list(subject.rows)
    return [row for row in subject.rows if row["factor"] <= 1]


def _class_deviations(row: Row) -> Floats:
    classes = row["classes"]
    return np.subtract(classes["measured"], classes["exact"])


def _vectors(upper: Axes, lower: Axes, subject: Subject, row: Row) -> None:
    exact, measured = np.array(row["vectors"]["exact"]), np.array(row["vectors"]["measured"])
    true = np.eye(len(exact), dtype=bool)
    colour = subject.line()["color"] if row["factor"] is None else factor_colour(row["factor"])
    marker = style.look(subject.name).marker
    dot: dict[str, Any] = {"linestyle": "none", "color": colour, "markersize": 2.6, "clip_on": False}
    upper.plot(exact[~true], measured[~true], marker="o", markerfacecolor="none", zorder=2.6, **dot)
    upper.plot(exact[true], measured[true], marker=marker, zorder=3, **dot)
    lower.plot(range(len(exact)), _class_deviations(row), marker=marker, color=colour, linewidth=0.6, markersize=2.6)


# -------------------------------------------------------------------------------------------------------- fixed labels


@figure("confirm-memorised", MEMORISED, SOURCE)
def confirm_memorised(
    *, width: float = 6.75, results: str = FOLDER, dataset: str | None = None, noise: str | None = None
) -> Figure:
    """Share of the corrupted training images that end fitted to their wrong label, mean over seeds (bands: lowest to highest), for
    all losses on one axis; a row for each noise. Left over a/a*; large markers: where an isotonic fit passes the middle between
    its ends, with its 95 % bootstrap interval over seeds; short lines at the edges: losses without a parameter. Right: the same
    over c r, clean level times asymmetry ratio, and for losses without a ratio clean level over the clean level of the most noise
    of the same kind that they stand: asymmetric from 1 on (dashed).
    """
    found = load(results)
    shown = studies(found, "fixed", dataset, noise)
    across = 2 if width >= 4.5 else 1
    drawn, axes = style.grid(
        width, 2 * len(shown), aspect=0.62 if across == 2 else 0.7, least=width / across, extra=0.85
    )
    for row, study in enumerate(shown):
        left, right = axes[2 * row], axes[2 * row + 1]
        _memorised_over_factors(left, study)
        for subject in study.subjects:
            _over_level(right, subject, "memorised", joined=True)
        right.axvline(1, **style.THRESHOLD)
        left.axvline(1, **style.THRESHOLD)
        right.set_xlabel("level $c\\,r$")
        left.set_xlabel("$a / a^*$")
        for panel in (left, right):
            panel.set_ylabel("corrupted images memorised (%)")
            panel.set_title(study.noise)
    _one_scale(axes)
    style.letters(axes)
    _measured(drawn, MEMORISED, found, shown)
    style.legend(drawn, _loss_handles(shown))
    return drawn


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
    _over_factors(axes)
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


def _small(subject: Subject) -> dict[str, Any]:
    return {name: value for name, value in subject.mark().items() if name != "color"} | {"markersize": 2.6}


def _over_level(axes: Axes, subject: Subject, what: str, *, joined: bool) -> None:
    """A percentage over the level; the range over seeds as a bar, or as a band of the line that joins them."""
    x, values = subject.read("level"), 100 * subject.by_seed(what)
    kept = np.isfinite(x) & np.isfinite(values).all(1)
    if not kept.any():
        return
    order = np.argsort(x[kept])
    x, values = x[kept][order], values[kept][order]
    middle = values.mean(1)
    if joined and len(x) > 1:
        axes.plot(x, middle, **subject.line(), **_small(subject))
        axes.fill_between(x, values.min(1), values.max(1), color=subject.line()["color"], alpha=BAND, linewidth=0)
        return
    around = np.clip([middle - values.min(1), values.max(1) - middle], 0, None)
    mark: dict[str, Any] = {**subject.mark(), "markersize": 4.2 if joined else 3.2}
    axes.errorbar(x, middle, around, linestyle="none", elinewidth=0.6, **mark)


MEASURES = {
    "last": "last test accuracy (%)",
    "drop": "drop from the best epoch (points)",
    "memorised": "corrupted images memorised (%)",
}


def rank(study: Study, what: str) -> tuple[float, int] | None:
    """Spearman's correlation of the level with a figure over all values of all losses, and their number; None below four."""
    from scipy.stats import spearmanr

    pairs = [
        (level, value)
        for subject in study.subjects
        for level, value in zip(subject.read("level"), subject.by_seed(what).mean(1), strict=True)
        if np.isfinite(level) and np.isfinite(value)
    ]
    if len(pairs) < 4:
        return None
    rho = float(spearmanr(*zip(*pairs, strict=True)).statistic)
    return (rho, len(pairs)) if np.isfinite(rho) else None


@figure("confirm-collapse", COLLAPSE, SOURCE)
def confirm_collapse(
    *, width: float = 6.75, results: str = FOLDER, dataset: str | None = None, noise: str | None = None
) -> Figure:
    """Last test accuracy, its drop from the best epoch and the memorised share over c r (see confirm-memorised) for every value of
    every loss, mean over seeds; bars: lowest to highest seed; a row for each noise. Dashed: asymmetric from there on. In the
    titles: Spearman's rank correlation with c r over all points.
    """
    found = load(results)
    shown = studies(found, "fixed", dataset, noise)
    across = 3 if width >= 5.4 else 1
    drawn, axes = style.grid(
        width, 3 * len(shown), aspect=0.85 if across == 3 else 0.55, extra=0.8, least=width / across
    )
    wanted = [(study, what) for study in shown for what in MEASURES]
    for panel, (study, what) in zip(axes, wanted, strict=True):
        for subject in study.subjects:
            _over_level(panel, subject, what, joined=False)
        panel.axvline(1, **style.THRESHOLD)
        panel.set(xlabel="level $c\\,r$", ylabel=MEASURES[what])
        correlation = rank(study, what)
        said = "" if correlation is None else f": $\\rho = {correlation[0]:+.2f}$"
        panel.set_title(f"{study.noise}{said}")
    style.letters(axes)
    _measured(drawn, COLLAPSE, found, shown)
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
    study = studies(found, "fixed", dataset, noise)[0]
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
    _measured(drawn, HISTOGRAMS, found, [study])
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


def _histogram(axes: Axes, subject: Subject, row: Row) -> None:
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
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

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
    study = studies(found, "fixed", dataset, noise)[0]
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
        style.legend_below(panel, columns=2)
    for i, panel in enumerate(axes):
        panel.set_xlabel("epoch")
        panel.set_ylabel("test accuracy (%)" if i % across == 0 else "")
    style.letters(axes)
    _factor_bar(drawn, axes)
    _measured(drawn, CURVES, found, [study])
    return drawn


def _curve(row: Row) -> tuple[Floats, Floats]:
    """Epochs and test accuracy in per cent; nothing for rows from before curves were kept."""
    curve = row.get("curve") or {"epochs": [], "test": []}
    return np.array(curve["epochs"], dtype=float), 100 * np.array(curve["test"], dtype=float)


# ------------------------------------------------------------------------------------------------------------ everywhere


def factor_colour(factor: float) -> Any:
    """Of a/a* from 1/8 to 8, dark to light; the lightest yellow is left out."""
    from matplotlib import colormaps

    share = (np.log2(min(max(factor, 1 / 8), 8)) + 3) / 6
    return colormaps["cividis"](0.88 * share)


def _factor_bar(drawn: Figure, axes: Sequence[Axes]) -> None:
    """One colour bar of a/a* below all panels."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    colours = LinearSegmentedColormap.from_list("factors", [factor_colour(2**e) for e in np.linspace(-3, 3, 65)])
    bar = drawn.colorbar(
        ScalarMappable(LogNorm(1 / 8, 8), colours), ax=list(axes), location="bottom", aspect=50, fraction=0.03, pad=0.02,
        shrink=0.7,
    )  # fmt: skip
    bar.set_label("$a / a^*$")
    bar.ax.minorticks_off()
    bar.set_ticks(list(FACTORS), labels=list(FACTORS.values()))
    bar.ax.grid(False)


def _over_factors(axes: Axes) -> None:
    """A logarithmic axis of a/a*, the threshold marked."""
    axes.set_xscale("log")
    axes.set_xticks(list(FACTORS), labels=["" if factor in (0.25, 4) else text for factor, text in FACTORS.items()])
    axes.minorticks_off()
    axes.set_xlim(1 / 9.5, 9.5)


def _one_scale(axes: Sequence[Axes]) -> None:
    low, high = min(axes_.get_ylim()[0] for axes_ in axes), max(axes_.get_ylim()[1] for axes_ in axes)
    for panel in axes:
        panel.set_ylim(low, high)


def _loss_handles(shown: Sequence[Study], lines: bool = True) -> list[Artist]:
    """One entry for each loss of any of the studies."""
    from matplotlib.lines import Line2D

    subjects = {subject.title: subject for study in shown for subject in study.subjects}
    looks = {
        title: {**each.line(), **_small(each)} if lines else {**each.mark(), "linestyle": "none"}
        for title, each in subjects.items()
    }
    return [Line2D([], [], label=title, **look) for title, look in looks.items()]


def _measured(drawn: Figure, title: str, found: Results, shown: Sequence[Study]) -> None:
    """The title says where it was measured, the end of the caption what else was."""
    first, noises = shown[0], " and ".join(study.noise for study in shown)
    style.title(drawn, f"{title} ({first.where.dataset}, {noises} noise)")
    trained = "losses scaled to one initial slope" if first.equalised else "losses not scaled"
    remark(
        drawn, f"{first.where}; {noises}, labels {first.labels}; {first.seeds}; {trained}. {also(found, shown)}".strip()
    )
