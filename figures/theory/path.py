"""Minimiser paths: where the weighted risk is least while a parameter crosses its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from asymtheory import Loss, Row, build, from_weights, minimise, named, solve
from asymtheory.errors import InputError
from asymtheory.noise import MEASURED, parse_number

from .. import style
from ..gallery import figure
from ..results import Floats

CONVEX = (build("amse", q=2), build("amse", q=3), build("agce", q=Fraction(1, 2)), build("aul", p=3), build("ael"))
CONCAVE = build("agce", a=6, q=Fraction(3, 2))  # ANL Table 4, CIFAR-10
REACH = 6.0  # from a threshold a* a path is drawn between a*/6 and 6 a*, or from the end of the domain
RATE = "eta"
LEAST = 1.55  # inches of a panel


@dataclass(frozen=True)
class MinimiserPath:
    """Exact minimisers ``points`` (N, K) at ``values`` (N,) of a parameter (or of the noise rate), and the threshold.

    ``order`` are the classes from the largest weight to the least, ``inside`` says on which side of the threshold the loss
    is asymmetric ("above" or "below").
    """

    loss: Loss
    parameter: str
    values: Floats
    points: Floats
    threshold: float
    inside: str
    order: tuple[int, ...]

    @property
    def top(self) -> Floats:
        """p_m."""
        return self.points[:, self.order[0]]

    @property
    def second(self) -> Floats:
        """p_n of the runner-up."""
        return self.points[:, self.order[1]]

    @property
    def rest(self) -> Floats:
        """The sum of the other entries; 0 but for rounding where there are none."""
        return self.points[:, list(self.order[2:])].sum(1)


def path_data(loss: Loss, row: Row, points: int = 121) -> MinimiserPath:
    """The minimiser as the main parameter of ``loss`` crosses its threshold on the weights of ``row``.

    Values are spaced evenly in log(a - the domain's lower end) on both sides of the threshold, which is among them.
    Raises InputError where there is no threshold.
    """
    found = solve(loss, from_weights(row.weights))
    if found.end is None or found.feasible is None or loss.main is None:
        raise InputError(f"{loss} on these weights: {found.answer}; a path needs a threshold to cross")
    at = found.end.value
    least = float(loss.domains[loss.main].low or 0)
    values = np.geomspace(max(at / REACH, least + 1e-3 * (at - least)), at * REACH, points)
    values = np.unique(np.append(values, at))
    each = [minimise(loss.replace(**{loss.main: float(value)}), _floats(row)).point for value in values]
    inside = "above" if found.feasible.low is found.end else "below"
    return MinimiserPath(loss, loss.main, values, np.array(each), at, inside, _order(row))


def rate_data(loss: Loss, row: Row, points: int = 121) -> MinimiserPath:
    """The minimiser as the noise rate grows: w = (1 - eta) e_m + eta o, where o are the other weights of ``row``, scaled to 1.

    The threshold is where w_m = w_n, at eta = 1 / (1 + o_n): up to there every concave loss is asymmetric.
    """
    weights = _floats(row)
    others = weights / (weights.sum() - weights[row.target])
    others[row.target] = 0.0
    at = 1 / (1 + float(others.max()))
    rates = np.unique(np.append(np.linspace(0, 1, points), [at - 1e-9, at + 1e-9]))
    mixed = (1 - rates)[:, None] * np.eye(len(weights))[row.target] + rates[:, None] * others
    return MinimiserPath(loss, RATE, rates, minimise(loss, mixed).point, at, "below", _order(row))


def read_weights(text: str) -> Row:
    """``0.5,0.3,0.2``, or the name of a measured noise (``cifar10n-worse``), whose worst row is taken."""
    if "," not in text:
        if text.strip() not in MEASURED:
            raise InputError(f"weights {text!r}: numbers like 0.5,0.3,0.2 are needed, or one of {', '.join(MEASURED)}")
        return named(text.strip()).worst_row()
    return from_weights([parse_number(part.strip(), "weights") for part in text.split(",")]).rows[0]


def _floats(row: Row) -> Floats:
    return np.array([float(w) for w in row.weights])


def _order(row: Row) -> tuple[int, ...]:
    """The true class first, then the others from the largest weight to the least."""
    others = sorted((k for k in range(len(row.weights)) if k != row.target), key=lambda k: -row.weights[k])
    return (row.target, *others)


@figure(
    "path",
    "Minimiser paths: how the minimiser of the weighted risk reaches the vertex",
    "minimisers and thresholds of this package",
)
def path(
    *, width: float = 6.75, weights: str = "cifar10n-worse", loss: Loss | None = None, here: float | None = None
) -> Figure:
    """Entries of the exact minimiser of the weighted risk: of the clean class, of its runner-up, and the sum of the rest,
    on the worst class of CIFAR-10N "worse" (trucks, of which 28 % are labelled automobile) unless weights are given. Convex
    losses reach the vertex continuously at their threshold (dashed) and stay there (shaded: asymmetric). A concave loss is at
    a vertex for any a; it jumps to another one where the clean label is no longer the most frequent (last panel).

    With a loss there is one panel, and ``here`` marks a value of its parameter.
    """
    row = read_weights(weights)
    paths = (
        [path_data(each, row) for each in CONVEX] + [rate_data(CONCAVE, row)]
        if loss is None
        else [path_data(loss, row)]
    )
    aspect, least = (0.7, LEAST) if loss is None else (0.55, width)
    drawn, axes = style.grid(width, len(paths), aspect=aspect, least=least, extra=0.6, sharey=True)
    for panel, data in zip(axes, paths, strict=True):
        _draw(panel, data)
        if here is not None and data.values[0] <= here <= data.values[-1]:
            style.here(panel, here, float(np.interp(here, data.values, data.top)))
        if axes.index(panel) % style.columns(len(paths), width, LEAST) == 0:
            panel.set_ylabel("minimiser $p_k$")
    if len(axes) > 1:
        style.letters(axes)
    handles: list[Artist] = [
        *(Line2D([], [], **line, label=label) for line, label in LINES),
        Line2D([], [], **style.THRESHOLD, label="exact threshold"),
        Patch(facecolor=_SHADE, label="asymmetric"),
        *([Line2D([], [], **style.HERE, label="you are here")] if here is not None else []),
    ]
    style.legend(drawn, handles)
    return drawn


_SHADE = "#e9eef4"
LINES: tuple[tuple[style.Keywords, str], ...] = (
    ({"color": "#000000", "linestyle": "-", "linewidth": 1.3}, "$p_m$, clean class"),
    ({"color": "#cf5002", "linestyle": (0, (4, 1)), "linewidth": 1.2}, "$p_n$, runner-up"),
    ({"color": "#2a3479", "linestyle": (0, (1, 1)), "linewidth": 1.2}, "sum of the rest"),
)


def _draw(panel: Axes, data: MinimiserPath) -> None:
    for (line, _), values in zip(LINES, (data.top, data.second, data.rest), strict=True):
        if data.parameter != RATE:
            panel.plot(data.values, values, **line)
            continue
        for side in (data.values < data.threshold, data.values > data.threshold):  # a jump is not joined by a line
            panel.plot(data.values[side], values[side], **line)
    low, high = float(data.values[0]), float(data.values[-1])
    shade = (data.threshold, high) if data.inside == "above" else (low, data.threshold)
    panel.axvspan(*shade, color=_SHADE, linewidth=0, zorder=0)
    sign = r"\eta" if data.parameter == RATE else style.symbol(data.parameter)
    label, rate = f"${sign}^*={data.threshold:.4g}$", data.parameter == RATE
    style.threshold(panel, data.threshold, label, side="left" if rate else "right", height=0.45)
    hidden = [p for p in (data.parameter, data.loss.main) if p is not None]
    panel.set_title(style.loss_title(data.loss, hidden) + (": concave" if rate else ""))
    panel.set_xlabel(r"noise rate $\eta$" if rate else f"${sign}$")
    if rate:
        panel.set_xticks([0, 0.5, 1])
    else:
        panel.set_xscale("log")
        ticks = _ticks(low, high)
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.minorticks_off()
    panel.set(xlim=(low, high), ylim=(-0.03, 1.04))


def _ticks(low: float, high: float) -> Sequence[float]:
    return [m * 10.0**k for k in range(-3, 4) for m in (1, 2, 5) if low <= m * 10.0**k <= high]
