"""Drawing what was gathered from runs: curves over epochs, accuracy over the strength of a penalty, maps over two weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from asymtheory.numbers.text import plain

from .. import style
from ..results import CLEAN, Where, said_seeds
from .series import MAPS, STRENGTH, Line, Noise, Panel, Shown, Values, short

# what a run measured every epoch: name, axis label, and the factor of the axis
MEASURES: Mapping[str, tuple[str, str, float]] = {
    "test": ("test", "test accuracy (%)", 100),
    "train": ("training, given labels", "training accuracy (%)", 100),
    "true": ("training, true labels", "accuracy on true labels (%)", 100),
    "clean": ("training, clean", "accuracy on the clean part (%)", 100),
    "memorised": ("training, corrupted: wrong label fitted", "corrupted part memorised (%)", 100),
    "recovered": ("training, corrupted: true label", "corrupted part recovered (%)", 100),
    "second": ("second test set", "accuracy on the second test set (%)", 100),
    "loss": ("training loss", "training loss", 1),
    "gradient": ("gradient norm", "gradient norm", 1),
    "clipped": ("clipped steps", "steps clipped (%)", 100),
    "rate": ("learning rate", "learning rate", 1),
}
# of the three lines of one loss: told apart by colour, lightness and dashes
_MEASURE_LOOKS = {"test": "ce", "clean": "anl", "memorised": "amse"}
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)), (0, (2, 1.5)))
_BELOW, _UNDECIDED = (0, (3, 1.2)), (0, (1, 1))
BAND = 0.18  # opacity of what lies between the lowest and the highest seed
ENTRY = 0.135  # inches of one line of a legend
LOWEST = 1.05  # inches of a panel's height with its title and label
TALLEST = 3.6  # inches of a panel's width beyond which it gets no higher
PAGE = 8.5  # inches that a figure of several rows keeps to where its panels can be read at that height
APART = 0.03  # decades between the ranges of two penalties at one strength
SEVERAL = 4  # penalties that a caption names
LEAST_SPAN = 10.0  # points of accuracy that an axis shows at least, so that chance does not look like an effect


def epochs(shown: Sequence[Shown], width: float, least: float) -> Figure:
    """A panel each, all on one scale: the mean over seeds, and a band from the lowest to the highest."""
    columns = min(_columns(panel, width, len(shown), least) for panel in shown)
    beneath = 0.0 if _same_labels(shown) else max(_rows(panel, columns) for panel in shown) * ENTRY + 0.06
    extra = 0.75 + 0.12 * (len(shown) == 1)
    across = width / style.columns(len(shown), width, least)
    rows = -(-len(shown) // style.columns(len(shown), width, least))
    height = max(min(0.74 * min(across, TALLEST), (PAGE - extra) / rows - beneath), LOWEST)
    aspect = (height + beneath) / across
    drawn, axes = style.grid(width, len(shown), aspect=aspect, least=least, extra=extra, sharey=True)
    for panel, looks, ax in zip(shown, _looks(shown), axes, strict=True):
        for line, look in zip(panel.lines, looks, strict=True):
            factor = MEASURES[line.series.what][2]
            ax.plot(line.epochs, factor * line.mean, **look, label=_label(panel, line))
            if len(line.runs) > 1:
                low, high = factor * line.low, factor * line.high
                ax.fill_between(line.epochs, low, high, color=look["color"], alpha=BAND, linewidth=0)
        ax.set_xlabel("epoch")
        ax.set_title(_title(panel))
        if beneath:
            heading = _heading(panel)
            style.legend_below(ax, columns, **({"title": heading, "title_fontsize": 7} if heading else {}))
    label_rows(axes, _y_label(shown))
    if not beneath:
        style.legend(drawn, axes[0].lines)
    elif any(line.level for panel in shown for line in panel.lines):
        style.legend(drawn, _sides(shown))
    return drawn


def strengths(shown: Sequence[Shown], width: float, least: float) -> Figure:
    """Accuracy over the strength of each norm: the last epoch with the range of the seeds, and dotted the best one. Levels are
    runs without a strength.
    """
    across = width / style.columns(len(shown), width, least)
    aspect = 0.74 * min(across, TALLEST) / across
    drawn, axes = style.grid(width, len(shown), aspect=aspect, least=least, extra=0.9, sharey=True)
    for panel, ax in zip(shown, axes, strict=True):
        names = _series_names(panel)
        for place, (look, name) in enumerate(zip(_strength_looks(panel), names, strict=True)):
            lines = panel.over(name)
            if not lines[0].series.over:
                (level,) = lines
                ax.axhline(100 * level.last, **look, label=name)
                if len(level.runs) > 1:
                    ax.axhspan(100 * level.low[-1], 100 * level.high[-1], color=look["color"], alpha=BAND, linewidth=0)
                continue
            shift = 10 ** (APART * (place - (len(names) - 1) / 2))  # else one range would hide another
            x = [shift * float(line.values[0]) for line in lines]
            ax.plot(x, [100 * line.last for line in lines], **look, marker="o", label=name)
            ax.plot(x, [100 * line.best for line in lines], color=look["color"], linestyle=":", linewidth=0.9)
            for at, line in zip(x, lines, strict=True):
                if len(line.runs) > 1:
                    ax.plot([at, at], [100 * line.low[-1], 100 * line.high[-1]], color=look["color"], linewidth=0.8)
        ax.set_xscale("log")
        ax.set_xlabel(rf"strength ${style.symbol(STRENGTH)}$ of the penalty")
        ax.set_title(_title(panel))
    low, high = axes[0].get_ylim()
    if high - low < LEAST_SPAN:
        middle = (low + high) / 2
        axes[0].set_ylim(middle - LEAST_SPAN / 2, middle + LEAST_SPAN / 2)
    label_rows(axes, "test accuracy (%)")
    named = {
        str(line.get_label()): line for ax in axes for line in ax.lines if not str(line.get_label()).startswith("_")
    }
    best = Line2D([], [], color=style.SOFT, linestyle=":", linewidth=0.9, label="best epoch")
    style.legend(drawn, [*named.values(), best])
    return drawn


def maps(shown: Sequence[Shown], width: float, least: float) -> Figure:
    """The last epoch's accuracy for every pair of weights, in percent; one colour scale for all panels of a measure."""
    rows = max(len({line.values[0] for line in panel.lines}) for panel in shown)
    across = width / style.columns(len(shown), width, least)
    drawn, axes = style.grid(width, len(shown), aspect=(0.2 * rows + 0.45) / across + 0.04, least=least, extra=0.95)
    for panel, ax in zip(shown, axes, strict=True):
        alphas, betas = (sorted({line.values[i] for line in panel.lines}) for i in (0, 1))
        cells = np.full((len(alphas), len(betas)), np.nan)
        for line in panel.lines:
            cells[alphas.index(line.values[0]), betas.index(line.values[1])] = 100 * line.last
        image = ax.imshow(cells, vmin=0, vmax=100, aspect="auto", origin="lower")
        for (i, j), value in np.ndenumerate(cells):
            said = "-" if np.isnan(value) else f"{value:.0f}" if value >= 99.95 else f"{value:.1f}"
            light = not np.isnan(value) and value > 55  # cividis is light there
            colour = style.INK if light or np.isnan(value) else "white"
            ax.text(j, i, said, ha="center", va="center", fontsize=7, color=colour)
        ax.set_xticks(range(len(betas)), [plain(beta) for beta in betas])
        ax.set_yticks(range(len(alphas)), [plain(alpha) for alpha in alphas])
        first, second = panel.lines[0].series.over
        ax.set(xlabel=f"${style.symbol(second)}$", ylabel=f"${style.symbol(first)}$")
        ax.set_title(_title(panel))
        ax.grid(False)
    bar = drawn.colorbar(image, ax=axes, location="bottom", aspect=50, fraction=0.03, pad=0.02, shrink=0.8)
    one = len({line.series.what for panel in shown for line in panel.lines}) == 1
    bar.set_label(_y_label(shown) if one else "share of the images that a title names (%)")
    bar.ax.grid(False)
    return drawn


DRAW = {"epochs": epochs, "strengths": strengths, "maps": maps}


# ------------------------------------------------------------------------------------------------------- words


# what a seed's figures became, by kind of figure
_MEANS = {
    "epochs": "Lines are means over seeds, bands reach from the lowest to the highest.",
    "strengths": "Points are means over seeds, bars and bands reach from the lowest to the highest.",
    "maps": "Figures are means over seeds.",
}


def noise_words(noise: Noise) -> str:
    """``symmetric noise 0.4``, ``class-dependent noise 0.4 of the cifar10 map``, ``clean labels``; kinds without a rate."""
    kind, rate = noise
    if kind == CLEAN:
        return "clean labels"
    if kind in MAPS:
        return f"class-dependent noise {rate} of the {kind} map"
    return f"{kind} noise {rate}" if rate else kind


def seeds(lines: Sequence[Line]) -> str:
    return said_seeds(len(line.runs) for line in lines)


def measured(shown: Sequence[Shown], asked: Sequence[Panel] = (), kind: str = "") -> str:
    """A caption's sentence: where and with how many seeds, what is drawn of these (``kind``: of :data:`DRAW`), the penalties of the
    losses, and which series, and panels of ``asked``, are missing.
    """
    places: dict[Where, dict[Noise, list[Line]]] = {}
    for panel in shown:
        places.setdefault(panel.where, {}).setdefault(panel.noise, []).extend(panel.lines)
    at = "; ".join(
        f"{where}: {', '.join(f'{noise_words(noise)} ({seeds(lines)})' for noise, lines in noises.items())}"
        for where, noises in places.items()
    )
    parts = [f"Measured on {at}."]
    every = [line for panel in shown for line in panel.lines]
    if kind and any(len(line.runs) > 1 for line in every):
        parts.append(_MEANS[kind])
    if used := _penalties(every):
        parts.append(f"Penalties: {used}.")
    there = {panel.title.removeprefix(f"{panel.where.dataset}: ") for panel in shown}
    gone = [f"{name} ({panel.title})" if panel.title else name for panel in shown for name in panel.missing]
    gone += [panel.title for panel in asked if panel.title and panel.title not in there]
    if gone:
        parts.append(f"Not measured: {', '.join(dict.fromkeys(gone))}.")
    return " ".join(parts)


def _penalties(lines: Sequence[Line]) -> str:
    """The norms and strengths that the runs were trained with, except those that are on an axis over the strength."""
    used: dict[str, list[Line]] = {}
    for line in lines:
        norm, strength = line.runs[0].penalty
        if STRENGTH not in line.series.over:
            used.setdefault("none" if norm == "none" else f"{norm} {strength:g}", []).append(line)
    on_an_axis = any(STRENGTH in line.series.over for line in lines)
    if on_an_axis:
        used.pop("none", None)  # a level that is named so
    elif len(used) < 2:
        return "".join(used)
    if len(used) > SEVERAL:  # where they are what is compared, labels name them
        return ""
    by_set = [{line.runs[0].dataset for line in group} for group in used.values()]
    if len(used) > 1 and sum(map(len, by_set)) == len(set.union(*by_set)):  # one for each data set
        return "; ".join(f"{penalty} ({', '.join(sets)})" for penalty, sets in zip(used, by_set, strict=True))
    names = (dict.fromkeys(line.series.label for line in group) for group in used.values())
    return "; ".join(f"{penalty} ({', '.join(group)})" for penalty, group in zip(used, names, strict=True))


def _y_label(shown: Sequence[Shown]) -> str:
    whats = list(dict.fromkeys(line.series.what for panel in shown for line in panel.lines))
    return MEASURES[whats[0]][1] if len(whats) == 1 else "accuracy (%)"


def _title(panel: Shown) -> str:
    """The panel's title, and the exact threshold where it has one."""
    found = panel.threshold
    if found is None:
        return panel.title
    name = style.symbol(str(found.parameter))
    if found.status == "threshold" and found.end is not None:
        end = found.end
        if end.number is not None:
            return rf"{panel.title}: ${name}^\ast = {short(end.number)}$"
        return rf"{panel.title}: ${name}^\ast = {end.value:.4g}$"
    if found.status == "undecided":
        return panel.title
    return f"{panel.title}: {'any' if found.status == 'always' else 'no'} ${name}$"


def label_rows(axes: Sequence[Axes], text: str) -> None:
    """The y label beside the first panel of every row; the panels share their scale."""
    for ax in axes:
        spec = ax.get_subplotspec()
        if spec is not None and spec.is_first_col():
            ax.set_ylabel(text)


# ------------------------------------------------------------------------------------------------------- looks


Name = tuple[str, Any, Values, int]
"""A line wherever it is drawn: its family, the parameters whose values it has (else its label), the values, and which of several
such lines in a panel."""


def _looks(shown: Sequence[Shown]) -> list[list[style.Keywords]]:
    """Colour and dashes of each line of each panel. Losses of one family get tones of its colour, the same in all panels for one
    value; sides of a threshold their own dashes.
    """
    families = _families([panel for panel in shown if not _by_measure(panel)])
    return [
        [style.FAMILIES[_MEASURE_LOOKS.get(line.series.what, "mae")].line() for line in panel.lines]
        if _by_measure(panel)
        else [_look(line, name, families[name[0]]) for line, name in zip(panel.lines, _names(panel), strict=True)]
        for panel in shown
    ]


def _look(line: Line, name: Name, family: Sequence[Name]) -> style.Keywords:
    own, count, place = style.FAMILIES[name[0]], len(family), family.index(name)
    colour: Any = own.colour if count == 1 else style.shades(own.colour, count)[place]
    dashes = own.dashes if count == 1 else _DASHES[place % len(_DASHES)]
    if line.level is not None:
        dashes = {True: "-", False: _BELOW, None: _UNDECIDED}[line.level.asymmetric]
    return {"color": colour, "linestyle": dashes}


def _families(shown: Sequence[Shown]) -> dict[str, list[Name]]:
    """The lines of each family that all panels have together: loss by loss, by value."""
    loss: dict[Name, str] = {}
    for panel in shown:
        for name, line in zip(_names(panel), panel.lines, strict=True):
            loss.setdefault(name, line.series.loss)
    order = list(dict.fromkeys(loss.values()))
    families: dict[str, list[Name]] = {}
    for name in sorted(loss, key=lambda name: (order.index(loss[name]), name[2])):
        families.setdefault(name[0], []).append(name)
    return families


def _names(panel: Shown) -> list[Name]:
    met: Counter[tuple[str, Any, Values]] = Counter()
    found = []
    for line in panel.lines:
        own = (line.series.look or style.family(line.series.loss), line.series.over or line.label, line.values)
        met[own] += 1
        found.append((*own, met[own]))
    return found


def _by_measure(panel: Shown) -> bool:
    return len({line.series.what for line in panel.lines}) > 1


def _series_names(panel: Shown) -> list[str]:
    return list(dict.fromkeys(line.series.label for line in panel.lines))


def _strength_looks(panel: Shown) -> list[style.Keywords]:
    return [
        style.FAMILIES[series.look or style.family(series.loss)].line()
        for series in (panel.over(name)[0].series for name in _series_names(panel))
    ]


def _label(panel: Shown, line: Line) -> str:
    """The label in the legend. Where the legend is headed by the parameter, its value alone, and c r in brackets."""
    if _by_measure(panel):
        return MEASURES[line.series.what][0]
    if line.level is None or not _heading(panel):
        return line.label
    value = f"${short(line.values[0])}$"
    return value if line.level.product is None else f"{value} ({line.level.product:.3g})"


def _heading(panel: Shown) -> str:
    """The heading of a panel's legend: the parameter, and c r where its lines have one."""
    names = {line.series.over for line in panel.lines}
    if len(names) != 1 or not (over := next(iter(names))) or not any(line.level for line in panel.lines):
        return ""
    product = any(line.level is not None and line.level.product is not None for line in panel.lines)
    return f"${style.symbol(over[0])}$" + (r" ($c\,r$)" if product else "")


def _sides(shown: Sequence[Shown]) -> list[Artist]:
    """What the dashes mean, as far as they occur."""
    found = {line.level.asymmetric for panel in shown for line in panel.lines if line.level is not None}
    said: dict[bool | None, tuple[Any, str]] = {
        True: ("-", "asymmetric on this noise"),
        False: (_BELOW, "not asymmetric"),
        None: (_UNDECIDED, "undecided"),
    }
    return [
        Line2D([], [], color=style.SOFT, linestyle=dashes, label=text)
        for verdict, (dashes, text) in said.items()
        if verdict in found
    ]


def _same_labels(shown: Sequence[Shown]) -> bool:
    """Whether one legend does for all panels."""
    if any(line.level for panel in shown for line in panel.lines):
        return False
    return len({tuple(_label(panel, line) for line in panel.lines) for panel in shown}) == 1


def _columns(panel: Shown, width: float, count: int, least: float) -> int:
    """The columns of a panel's legend: as many as the panel's width holds."""
    room = width / style.columns(count, width, least) - 0.45
    widest = max(style.text_width(_label(panel, line), 7) for line in panel.lines) + 0.4
    return max(1, min(len(panel.lines), int(room / widest)))


def _rows(panel: Shown, columns: int) -> int:
    return -(-len(panel.lines) // columns) + bool(_heading(panel))
