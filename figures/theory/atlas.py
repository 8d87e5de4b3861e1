"""The atlas: what a loss pays for its tolerance, for all registered losses and the papers' settings.

Abscissa: the fitting slope of ``asymtheory.asymmetry.fitting``, ``s(1/K) / s(0.99)``, with ``s(t) = -dL/du_y`` at u_y = t along the
even path: how hard an unfitted sample (u_y = 1/K) pulls against a fitted one. Ordinate: the asymmetry ratio r of ALF (whole
transfer), which only losses of the form l(u_y) have; the others are listed below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from asymtheory import Loss, asymmetry_ratio, build, published_settings
from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.atlas import asymmetric_on
from asymtheory.errors import InputError
from asymtheory.losses.registry import names_of_papers
from asymtheory.numbers.text import plain

from .. import style
from ..gallery import figure
from ..results import Floats

WIDE = 0.01  # of an enclosure that is drawn
LABEL = 6.5  # points
ALL_LABELS = 4.5  # inches of the figure from which on settings are labelled, too
# the families whose parameter is let run: from values that fit well to values that tolerate much
CURVES = (
    ("agce", np.geomspace(1e-3, 50, 40)),
    ("aul", 1 + np.geomspace(0.05, 50, 40)),
    ("ael", np.geomspace(0.2, 50, 40)),
    ("phuber-ce", np.geomspace(1, 30, 40)),
)


@dataclass(frozen=True)
class Place:
    """One loss in the atlas. ``low`` and ``high`` enclose r; both are None where ALF's Definition 3 does not apply."""

    loss: Loss
    names: tuple[str, ...]  # of all losses that fall on this place
    slope: float
    low: float | None
    high: float | None
    asymmetric: str
    published: bool

    @property
    def ratio(self) -> float | None:
        """The middle of the enclosure of r."""
        return None if self.low is None or self.high is None else (self.low + self.high) / 2


def atlas_data(K: int = 10) -> list[Place]:
    """Every registered loss at its defaults, then the asymmetric terms of published settings; coinciding ones as one place."""
    given = [(build(name), build(name).title, False) for name in names_of_papers()]
    for setting in published_settings():
        for _, atom in setting.build().terms():
            if atom.main is not None and atom.name in ("agce", "aul", "ael"):
                values = ", ".join(plain(value) for value in atom.parameters.values())
                given.append((atom, f"{atom.title} ({values})", True))
    found: dict[tuple[object, ...], Place] = {}
    for loss, title, published in given:
        place = _place(loss, title, published, K)
        key = (f"{place.slope:.9g}", place.low, place.high) if place.low is not None else (title,)
        if key in found:
            old = found[key]
            merged = old.names if title in old.names else (*old.names, title)
            place = Place(old.loss, merged, old.slope, old.low, old.high, old.asymmetric, old.published)
        found[key] = place
    return list(found.values())


def _place(loss: Loss, title: str, published: bool, K: int) -> Place:
    try:
        ratio = asymmetry_ratio(loss, K)
    except InputError:
        ratio = None
    low, high = (None, None) if ratio is None else (ratio.r.low, ratio.r.high)
    return Place(loss, (title,), fitting_slope(loss, K).ratio, low, high, asymmetric_on(loss, ratio), published)


def curve(name: str, values: Sequence[float] | Floats, K: int = 10) -> tuple[Floats, Floats]:
    """(fitting slope, r) of a loss as its main parameter runs over ``values``."""
    base = build(name)
    assert base.main is not None
    losses = [base.replace(**{base.main: float(value)}) for value in values]
    slopes = np.array([fitting_slope(loss, K).ratio for loss in losses])
    return slopes, np.array([asymmetry_ratio(loss, K).r.high for loss in losses])


@figure(
    "atlas",
    "Atlas: asymmetry ratio against fitting slope",
    "ratios and fitting slopes of this package; r: ALF Def. 3; slopes: after JAL Supp. A",
)
def atlas(*, width: float = 6.75, K: int = 10) -> Figure:
    """What a loss pays for its tolerance. Abscissa: fitting slope, how hard an unfitted sample pulls against a fitted one,
    s(1/K) / s(0.99) with s = -dL/du_y along the even path (1 for MAE, whatever the scale). Above: the asymmetry ratio r for
    losses of the form l(u_y), at their defaults (labelled), in the papers' settings (labelled by a, q or p from 4.5 inches
    on) and as the parameter runs (lines); bars are certified enclosures where they are wider than the marker. Below: losses
    that have no ratio, with the weights on which they are asymmetric (c = w_m/w_n, margin = (w_m - w_n)/W).
    """
    places = atlas_data(K)
    with_ratio = [place for place in places if place.ratio is not None]
    without = sorted((place for place in places if place.ratio is None), key=lambda place: place.slope)
    upper, lower = 0.42 * width + 0.9, 0.125 * len(without) + 0.55
    drawn = style.canvas(width, upper + lower + 0.3)
    above, below = drawn.subplots(2, 1, height_ratios=[upper, lower])
    curves = [curve(name, values, K) for name, values in CURVES]
    for (name, _), line in zip(CURVES, curves, strict=True):
        above.plot(*line, **style.look(name).line(linewidth=0.9), zorder=1)
    for place in with_ratio:
        _draw_place(above, place, place.ratio or 0.0)
    slopes = [place.slope for place in with_ratio]
    above.set(ylabel="asymmetry ratio $r$", ylim=(-0.09, 1.14), xscale="log", xlim=(min(slopes) / 2.5, max(slopes) * 2))
    above.set_xlabel(_ABSCISSA)
    above.set_title("losses of the form $l(u_y)$")
    _draw_list(below, without)
    style.letters((above, below))
    for panel in (above, below):
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    style.legend(drawn, _handles())
    style.title(drawn, f"Atlas: asymmetry ratio against fitting slope, $K={K}$")
    _label(
        above,
        [place for place in with_ratio if width >= ALL_LABELS or not place.published],
        with_ratio,
        np.concatenate([np.transpose(line) for line in curves]),
    )
    return drawn


_ABSCISSA = r"fitting slope $s(1/K)\,/\,s(0.99)$, $s(t)=-\partial L/\partial u_y$"


def _draw_list(panel: Axes, places: Sequence[Place]) -> None:
    """A row for each loss, with the weights on which it is asymmetric at the right, behind the last decade."""
    for row, place in enumerate(places):
        _draw_place(panel, place, row)
    slopes = [place.slope for place in places]
    low, high = min(slopes) / 1.6, max(slopes) * 2
    panel.set(xscale="log", xlim=(low, high * (high / low) ** 0.75), ylim=(-0.8, len(places) - 0.2), xlabel=_ABSCISSA)
    for row, place in enumerate(places):
        panel.annotate(
            place.asymmetric.replace(">=", "\u2265"),
            (high, row),
            va="center",
            fontsize=LABEL,
            color=style.INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
    powers = range(int(np.ceil(np.log10(low))), int(np.log10(high)) + 1)
    panel.set_xticks([10.0**power for power in powers])
    panel.minorticks_off()
    panel.set_yticks(range(len(places)), [place.names[0] for place in places], fontsize=LABEL)
    panel.set_ylabel("loss, default parameters")
    panel.tick_params(axis="y", length=0)
    panel.set_title("losses without a ratio; right: where asymmetric")


def _handles() -> list[Artist]:
    def one(label: str, **kind: Any) -> Line2D:
        return Line2D([], [], **{"color": style.INK, "linestyle": "", "marker": "o", **kind}, label=label)

    curves = []
    for name, _ in CURVES:
        loss, look = build(name), style.look(name)
        sign = {"tau": r"\tau"}.get(str(loss.main), loss.main)
        curves.append(one(f"{loss.title}, any ${sign}$", **look.line(linewidth=0.9), marker=look.marker))
    return [one("default parameters"), one("setting of a paper", markerfacecolor="white"), *curves]


def _draw_place(panel: Axes, place: Place, y: float) -> None:
    look = style.look(place.loss.name)
    face: style.Keywords = {"markerfacecolor": "white"} if place.published else {}
    panel.plot(
        place.slope,
        y,
        color=look.colour,
        marker=look.marker,
        markersize=4,
        linestyle="",
        zorder=3,
        clip_on=False,
        **face,
    )
    if place.low is not None and place.high is not None and place.high - place.low > WIDE:
        panel.plot([place.slope] * 2, [place.low, place.high], color=look.colour, linewidth=1, zorder=2)


def _label(panel: Axes, places: Sequence[Place], all_places: Sequence[Place], curves: Floats) -> None:
    """Names beside their points, where they cover neither another name nor a point; farther ones get a thin line."""
    figure = panel.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # the layout is needed to know what overlaps
    scale = figure.dpi / 72
    points = np.array([panel.transData.transform((place.slope, place.ratio or 0.0)) for place in places]) / scale
    markers = [(place.slope, place.ratio or 0.0) for place in all_places]
    avoid = panel.transData.transform(np.concatenate([curves, *[markers] * 3])) / scale  # rather a curve than a marker
    texts = [", ".join(name.split(" ", 1)[1] if place.published else name for name in place.names) for place in places]
    (left, bottom), (right, top) = (panel.transAxes.transform(corner) / scale for corner in ((0, 0), (1, 1)))
    sizes = [(72 * style.text_width(text, LABEL) + 2, LABEL + 0.5) for text in texts]
    corners = spread(points, sizes, (left, bottom, right, top), avoid)
    for place, text, size, point, corner in zip(places, texts, sizes, points, corners, strict=True):
        shift = corner + np.array(size) / 2 - point
        far = np.hypot(*(np.clip(point, corner, corner + size) - point)) > 8
        at, line = (place.slope, place.ratio or 0.0), {"arrowstyle": "-", "color": style.SOFT, "linewidth": 0.4}
        panel.annotate(
            text, at, xytext=(shift[0], shift[1]), textcoords="offset points", ha="center", va="center", fontsize=LABEL,
            color=style.INK, gid="label",
        )  # fmt: skip
        if far:
            end = np.clip(point, corner, corner + size) - point
            more = {"shrinkA": 0, "shrinkB": 2.5}
            panel.annotate("", at, xytext=(end[0], end[1]), textcoords="offset points", arrowprops=line | more)


def spread(
    points: Floats,
    sizes: Sequence[tuple[float, float]],
    box: tuple[float, float, float, float],
    avoid: Floats | None = None,
) -> Floats:
    """Lower left corners (N, 2) of N text boxes near their points such that no box covers another box or a point.

    Greedy, the most crowded points first: each box takes the nearest free place on rings around its point. Lengths are in
    points, ``box`` is (left, bottom, right, top). Points to ``avoid`` (M, 2), of curves, are
    covered, and lines from points to their boxes cross other things, where nothing else is free; boxes overlap only where
    there is no room.
    """
    placed = np.array([(x - 3, y - 3, x + 3, y + 3) for x, y in points])
    curves = np.zeros((0, 4)) if avoid is None else np.hstack([avoid - 1.5, avoid + 1.5])
    result = np.zeros((len(points), 2))
    near = np.sort(np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)), axis=1)
    ring, angle = (x.ravel() for x in np.meshgrid(np.arange(24), np.arange(24) * (2 * np.pi / 24), indexing="ij"))
    for i in np.argsort(near[:, : min(4, len(points))].sum(1), kind="stable"):
        half = np.array(sizes[i]) / 2
        away = np.stack([np.cos(angle), np.sin(angle)], 1) * (5 + 3 * ring[:, None] + half)
        low, high = points[i] + away - half, points[i] + away + half
        outside = (low < box[:2]).any(1) | (high > box[2:]).any(1)
        covered, crossed = (_overlaps(low, high, others) for others in (placed, curves))
        lines = points[i] + (np.clip(points[i], low, high) - points[i]) * np.linspace(0, 1, 9)[:, None, None]
        own = placed[np.arange(len(placed)) != i]
        hidden = ((lines[..., None, :] > own[:, :2]) & (lines[..., None, :] < own[:, 2:])).all(-1).any(0).sum(-1)
        cost = 1e9 * outside + 1e4 * covered + 30 * hidden + 10 * crossed + ring + 0.1 * np.abs(np.sin(angle))
        best = int(cost.argmin())
        placed = np.vstack([placed, [*low[best], *high[best]]])
        result[i] = low[best]
    return result


def _overlaps(low: Floats, high: Floats, others: Floats) -> Floats:
    """The area that each of the boxes (low, high), (N, 2) shares with others (M, 4): (N,)."""
    sides = np.minimum(high[:, None], others[None, :, 2:]) - np.maximum(low[:, None], others[None, :, :2])
    return np.asarray(np.maximum(sides, 0).prod(-1).sum(-1))
