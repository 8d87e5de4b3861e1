"""One figure that answers whether networks do what a threshold says: one loss, several noises, everything that was trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import style
from ..gallery import figure
from ..results import FOLDER, Measurement, NothingMeasured, load
from .study_panels import SOURCE, over_factors

ANSWER = "AMSE around its threshold: networks beside the exact minimiser"
NOISES = ("symmetric 0.8", "pair 0.4", "cifar10n-worse")
TITLES = {"cifar10n-worse": "CIFAR-10N"}
GIVEN = {"labels worse_label": "cifar10n-worse"}
"""Human labels as they are, beside the noise that has their matrix."""
PLACES = {
    ("cifar10-features", "linear"): ("CIFAR-10 features, linear", "o", "amse"),
    ("cifar10-features", "mlp1"): ("CIFAR-10 features, one hidden layer", "s", "agce"),
    ("mnist", "mlp"): ("MNIST, two hidden layers", "^", "nce"),
    ("digits", "mlp"): ("digits (toy size), two hidden layers", "D", "ce"),
    ("cifar10", "cnn8"): ("CIFAR-10, small CNN from scratch", "v", "gce"),
}
"""(data set, network): name, marker, and the loss whose colour it borrows, in the order in which they are shown."""


@figure("confirm-answer", ANSWER, SOURCE)
def confirm_answer(*, width: float = 6.75, results: str = FOLDER) -> Figure:
    """AMSE (q = 2) over a/a*, a column for each noise. Upper row, labels redrawn at every visit: mean probability of the true class
    on training images with its 95 % interval, dotted the median image, dashed the exact minimiser. Lower row, one fixed label an
    image: share of the corrupted images that end with their wrong label. Human labels (CIFAR-10N worse) are the real ones below,
    drawn from their matrix above.
    """
    rows = [
        row
        for row in load(results).rows
        if row["loss"] == "amse" and row["fixed"] == {"q": "2"} and row["labels"] != "expected"
    ]
    rows = [row for row in rows if row["factor"] is not None and _place(row) in PLACES]
    if not rows:
        raise NothingMeasured(
            f"results {results}: no rows of AMSE (q = 2) on {', '.join(sorted({d for d, _ in PLACES}))}"
        )
    rows = _at_one_rate(rows)
    drawn, axes = style.grid(width, 2 * len(NOISES), aspect=0.95, least=width / len(NOISES), extra=0.9)
    for column, noise in enumerate(NOISES):
        upper, lower = axes[column], axes[len(NOISES) + column]
        own = [row for row in rows if GIVEN.get(row["noise"], row["noise"]) == noise]
        for place in PLACES:
            there = [row for row in own if _place(row) == place]
            _probabilities(upper, [row for row in there if row["regime"] == "population"], place)
            fixed = [row for row in there if row["regime"] == "fixed"]
            _memorised(lower, [row for row in fixed if row["noise"] in GIVEN] or fixed, place)
        _exact(upper, [row for row in own if row["regime"] == "population"])
        upper.set_title(TITLES.get(noise, noise))
        upper.set_ylim(-0.03, 1.06)
        lower.set_ylim(-0.03, 1.06)
        for panel in (upper, lower):
            over_factors(panel)
            panel.axvline(1, **style.THRESHOLD)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel("$a / a^*$")
    axes[0].set_ylabel("$p$")
    axes[len(NOISES)].set_ylabel("memorised")
    style.letters(axes)
    shown = {_place(row) for row in rows}
    handles = [
        Line2D([], [], color=_colour(place), marker=marker, markersize=3, label=name)
        for place, (name, marker, _) in PLACES.items()
        if place in shown
    ]
    handles.append(Line2D([], [], color=style.INK, linewidth=0.9, linestyle=(0, (4, 1.6)), label="exact minimiser"))
    handles.append(Line2D([], [], color=style.INK, linewidth=0.8, linestyle=":", label="median image"))
    style.legend(drawn, handles)
    return drawn


def _at_one_rate(rows: Sequence[Measurement]) -> list[Measurement]:
    """The rows of every data set and network at the learning rate that most of them have."""
    rates = {place: Counter(row.get("rate") for row in rows if _place(row) == place) for place in PLACES}
    return [row for row in rows if row.get("rate") == rates[_place(row)].most_common(1)[0][0]]


def _place(row: Measurement) -> tuple[str, str]:
    return row["dataset"], row["model"]


def _colour(place: tuple[str, str]) -> str:
    return style.look(PLACES[place][2]).colour


def _ordered(rows: Sequence[Measurement]) -> list[Measurement]:
    return sorted(rows, key=lambda row: float(row["factor"]))


def _read(rows: Sequence[Measurement], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def _probabilities(axes: Axes, rows: Sequence[Measurement], place: tuple[str, str]) -> None:
    if not rows:
        return
    rows, colour = _ordered(rows), _colour(place)
    x, y = _read(rows, "factor"), np.array(_read(rows, "measured"))
    around = np.abs(np.array([_read(rows, "low"), _read(rows, "high")]) - y)
    axes.errorbar(
        x, y, around, color=colour, marker=PLACES[place][1], markersize=2.6, linewidth=0.9, elinewidth=0.7, zorder=3
    )
    axes.plot(x, _read(rows, "median"), color=colour, linewidth=0.8, linestyle=":", zorder=2)


def _memorised(axes: Axes, rows: Sequence[Measurement], place: tuple[str, str]) -> None:
    if rows:
        rows = _ordered(rows)
        axes.plot(
            _read(rows, "factor"),
            _read(rows, "memorised"),
            color=_colour(place),
            marker=PLACES[place][1],
            markersize=2.6,
            linewidth=0.9,
        )


def _exact(axes: Axes, rows: Sequence[Measurement]) -> None:
    """The exact curve: one for all that was trained on a noise, up to the shares of the classes."""
    by_factor = {round(float(row["factor"]), 3): float(row["exact"]) for row in rows}
    x = sorted(by_factor)
    axes.plot(x, [by_factor[each] for each in x], color=style.INK, linewidth=0.9, linestyle=(0, (4, 1.6)), zorder=4)
