"""What can be checked of a figure without looking at it: nothing lies over anything else, nothing sticks out."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from asymtheory_figures.theory import alf
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_boxes: WeakKeyDictionary[Figure, list[tuple[str, Bbox]]] = WeakKeyDictionary()
# experiments, run once for whoever looks at them
fig2_data, fig2_exponents_data = cache(alf.alf_fig2_data), cache(alf.alf_fig2_exponents_data)
SLACK = 0.8  # pixels at 100 dpi by which boxes may touch


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text and legend that is drawn, with its box in pixels; a figure is drawn once for all checks."""
    if figure in _boxes:
        return _boxes[figure]
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()
    found: list[tuple[str, Any]] = []
    found += [(f"legend {i}", legend) for i, legend in enumerate(figure.legends)]
    found += [("suptitle", text) for text in figure.texts if text.get_text()]
    for panel in every_axes(figure):
        name = panel.get_title(loc="left") or panel.get_label() or "axes"
        for axis in (panel.xaxis, panel.yaxis):
            found += [(f"{name}: tick {text.get_text()}", text) for text in tick_labels(axis)]
            found.append((f"{name}: label", axis.label))
        for title in (panel._left_title, panel.title, panel._right_title):
            found.append((f"{name}: title", title))
        found += [(f"{name}: text {text.get_text()}", text) for text in panel.texts]
        if panel.get_legend() is not None:
            found.append((f"{name}: legend", panel.get_legend()))
    shown = [(name, a) for name, a in found if a.get_visible() and (not isinstance(a, Text) or a.get_text().strip())]
    _boxes[figure] = [(name, artist.get_window_extent(renderer)) for name, artist in shown]
    return _boxes[figure]


def every_axes(figure: Figure) -> list[Axes]:
    return [panel for panel in figure.get_axes() if panel.get_visible() and panel.axison]


def tick_labels(axis: Any) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    room = 1e-9 * (high - low)
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    inside = [tick for tick in ticks if low - room <= tick.get_loc() <= high + room]
    return [
        label for tick in inside for label in (tick.label1, tick.label2) if label.get_visible() and label.get_text()
    ]


def overlaps(figure: Figure) -> list[str]:
    """Pairs of texts or legends that lie over each other, and lines that run through a text or a legend."""
    named = boxes(figure)
    wrong = [f"{a} / {b}" for (a, x), (b, y) in combinations(named, 2) if meet(x, y)]
    for panel in every_axes(figure):
        candidates = [
            (name, Bbox.intersection(box, panel.bbox)) for name, box in named if "text" in name or "legend" in name
        ]
        inside = [(name, box) for name, box in candidates if box is not None]  # lines are clipped at the panel's frame
        for line in panel.lines:
            path = line.get_transform().transform_path(line.get_path())
            drawn = line.get_linestyle() not in ("None", "none", "")
            for name, box in inside:
                shrunk = Bbox.from_extents(box.x0 + SLACK, box.y0 + SLACK, box.x1 - SLACK, box.y1 - SLACK)
                dots = any(shrunk.contains(x, y) for x, y in np.asarray(path.vertices))
                if dots or (drawn and len(path.vertices) > 1 and path.intersects_bbox(shrunk, filled=False)):
                    wrong.append(f"{name} / a line of {panel.get_title(loc='left')}")
    return wrong


def meet(x: Bbox, y: Bbox) -> bool:
    wide, high = min(x.x1, y.x1) - max(x.x0, y.x0), min(x.y1, y.y1) - max(x.y0, y.y0)
    return wide > SLACK and high > SLACK


def outside(figure: Figure) -> list[str]:
    """What sticks out of the page."""
    page = figure.bbox
    room = 1.5
    return [
        name
        for name, box in boxes(figure)
        if box.x0 < page.x0 - room or box.y0 < page.y0 - room or box.x1 > page.x1 + room or box.y1 > page.y1 + room
    ]


def unlabelled(figure: Figure) -> list[str]:
    """What a reader needs and does not find: the title, an axis label of a panel with ticks."""
    boxes(figure)  # tick labels are made when the figure is drawn
    missing = [] if figure.get_suptitle() else ["title"]
    columns: dict[Any, list[bool]] = {}
    for panel in every_axes(figure):
        spec = panel.get_subplotspec()
        for axis in ("x", "y"):
            if tick_labels(getattr(panel, f"{axis}axis")):
                columns.setdefault((axis, spec.rowspan.start if spec and axis == "y" else id(panel)), []).append(
                    bool(getattr(panel, f"get_{axis}label")())
                )
    missing += [f"{axis} label" for (axis, _), labels in columns.items() if not any(labels)]
    return missing
