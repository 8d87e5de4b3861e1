"""What the figures of ``asymtheory confirm`` share: the axis and the colours of a/a*, where something was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from asymtheory.escapes import mathtext

from .. import style
from ..gallery import remark
from ..results import Results, said_seeds
from .curve_panels import PAGE
from .studies import Study, also

SOURCE = "this package: asymtheory confirm"
FACTORS = {0.125: "1/8", 0.25: "1/4", 0.5: "1/2", 1.0: "1", 2.0: "2", 4.0: "4", 8.0: "8"}
LEAST = 1.45  # inches below which a panel goes to the next row
LOWEST = 1.35  # inches of a panel's height with its title and label


def factor_colour(factor: float) -> Any:
    """The colour of a/a* from 1/8 to 8, dark to light; what is lighter than a contrast of 3:1 on white is left out."""
    share = (np.log2(min(max(factor, 1 / 8), 8)) + 3) / 6
    return colormaps["plasma"](0.02 + 0.58 * share)


def pairs(
    width: float, count: int, *, upper: float, lower: float, extra: float
) -> tuple[Figure, list[tuple[Axes, Axes]], int]:
    """``count`` panels, each with a lower one below it: the figure, the pairs, and how many are side by side.

    Heights as shares of a panel's width; the last pair takes what is left of its row. ``extra``: inches of each row beside.
    """
    across = style.columns(count, width, LEAST)
    rows = -(-count // across)
    wanted, room = width / across * (upper + lower), (PAGE - 0.75) / rows - extra
    upper, lower = (upper * min(1, room / wanted), lower * min(1, room / wanted))
    drawn = style.canvas(width, rows * (width / across * (upper + lower) + extra) + 0.75)
    grid = drawn.add_gridspec(2 * rows, across, height_ratios=[upper, lower] * rows)
    found = []
    for i in range(count):
        row, column = divmod(i, across)
        place: Any = slice(column, across if i == count - 1 else column + 1)
        found.append((drawn.add_subplot(grid[2 * row, place]), drawn.add_subplot(grid[2 * row + 1, place])))
    return drawn, found, across


def page_aspect(width: float, across: int, rows: int, aspect: float, extra: float) -> float:
    """A panel's height over its width: ``aspect``, less where its rows would not fit on a page, but never too low to be read."""
    return max(min(aspect, (PAGE - extra) / rows * across / width), LOWEST * across / width)


def factor_bar(drawn: Figure, axes: Sequence[Axes]) -> None:
    """One colour bar of a/a* below all panels."""
    colours = LinearSegmentedColormap.from_list("factors", [factor_colour(2**e) for e in np.linspace(-3, 3, 65)])
    bar = drawn.colorbar(
        ScalarMappable(LogNorm(1 / 8, 8), colours), ax=list(axes), location="bottom", aspect=50, fraction=0.03, pad=0.02,
        shrink=0.7,
    )  # fmt: skip
    bar.set_label("$a / a^*$")
    bar.ax.minorticks_off()
    bar.set_ticks(list(FACTORS), labels=list(FACTORS.values()))
    bar.ax.grid(False)


def over_factors(axes: Axes) -> None:
    """A logarithmic axis of a/a*, the threshold marked."""
    axes.set_xscale("log")
    axes.set_xticks(list(FACTORS), labels=["" if factor in (0.25, 4) else text for factor, text in FACTORS.items()])
    axes.minorticks_off()
    axes.set_xlim(1 / 9.5, 9.5)


def say_where(drawn: Figure, title: str, found: Results, shown: Sequence[Study]) -> None:
    """The title says where it was measured, the end of the caption what else was."""
    first, noises = shown[0], ", ".join(study.noise for study in shown)
    place = mathtext(f"{first.where.dataset}, {noises} noise")
    size = "; toy size" * first.where.toy
    style.title(drawn, f"{title} ({place}){size}")
    trained = "losses scaled to one initial slope" if first.equalised else "losses not scaled"
    seeds = said_seeds(set.union(*(study.seeds for study in shown)))
    said = f"Measured on {first.where}; {noises}, labels {first.labels}; {seeds}; {trained}. {also(found, shown)}"
    remark(drawn, said.strip())
