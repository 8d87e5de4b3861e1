"""Every figure of the gallery, drawn once in a column from what the repository holds: what a reader's eye would trip over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from asymtheory_figures import gallery, style
from asymtheory_figures.theory import alf
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from .figure_checks import every_axes, fig2_data, fig2_exponents_data, outside, overlaps, unlabelled

PAGE = 8.5  # inches
FLOOR = 3.0  # of a line's contrast with white paper (WCAG 2.2, 1.4.11)
QUICK: dict[str, dict[str, Any]] = {key: {"draws": 24, "starts": 2} for key in ("alf-fig2", "alf-fig2-exponents")}
RESULTS = str(Path(__file__).parents[2] / "results")


def contrast(colour: Any, opacity: float | None = None) -> float:
    """With white, of a colour laid over it."""
    red, green, blue, own = to_rgba(colour)
    share = own if opacity is None else own * opacity
    parts = np.array([red, green, blue]) * share + (1 - share)
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05))


def faint(figure: Figure) -> list[str]:
    """Lines and outlines of marks on white paper that are fainter than the floor; marks on maps stand on other colours."""
    found = []
    for panel in every_axes(figure):
        if panel.images or any(isinstance(each, ContourSet) for each in panel.collections):
            continue
        seen: list[Any] = [
            (line.get_color() if drawn(line) else line.get_markeredgecolor(), line.get_alpha()) for line in panel.lines
        ]
        for group in panel.collections:
            if isinstance(group, LineCollection):
                seen += [(colour, None) for colour in group.get_colors()]
        found += [
            f"{panel.get_title(loc='left')}: {colour} {contrast(colour, opacity):.2f}"
            for colour, opacity in seen
            if not white(colour) and contrast(colour, opacity) < FLOOR
        ]
    return found


def drawn(line: Any) -> bool:
    return line.get_linestyle() not in ("None", "none", "") and len(line.get_xdata()) > 1


def white(colour: Any) -> bool:
    """The rim that lifts a mark off what lies below it."""
    return bool(np.all(np.array(to_rgba(colour)) == 1))


@pytest.mark.parametrize("name", gallery.names())
def test_a_figure_can_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alf, "alf_fig2_data", fig2_data)
    monkeypatch.setattr(alf, "alf_fig2_exponents_data", fig2_exponents_data)
    measured = gallery.find(name).measured
    figure = gallery.make(name, **QUICK.get(name, {}), **({"results": RESULTS} if measured else {}))
    with style.context():
        assert overlaps(figure) == outside(figure) == unlabelled(figure) == faint(figure) == []
        assert orphans(figure) == []
    assert figure.get_figwidth() == style.WIDTHS["column"]
    assert figure.get_figheight() <= PAGE
    if "digits" in figure.get_suptitle():
        said = " ".join(
            [figure.get_suptitle(), *(text.get_text() for each in figure.legends for text in each.get_texts())]
        )
        assert "toy size" in said.replace("\n", " ")
    assert [panel.get_label() for panel in figure.axes if bar_without_unit(panel)] == []


def orphans(figure: Figure) -> list[str]:
    """Title lines much shorter than the longest: a word left alone."""
    lines = figure.get_suptitle().split("\n")
    wide = [style.text_width(line, 9) for line in lines]
    return [line for line, width in zip(lines, wide, strict=True) if width < 0.5 * max(wide)]


def bar_without_unit(panel: Axes) -> bool:
    return panel.get_label() == "<colorbar>" and not (panel.get_xlabel() or panel.get_ylabel())


def test_what_is_faint_or_alone_is_seen() -> None:
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)
    with style.context():
        figure = style.canvas(3.25, 2.5)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#f49cc3", label="pink")
        axes.errorbar([0, 1], [0, 1], 0.1, linestyle="none", color="#34a3e2")
        axes.plot([0, 1], [1, 0], color="black", alpha=0.3)
        figure.suptitle("A title that is long enough for more\nlines")
        assert len(faint(figure)) == 4  # two error bars
        assert orphans(figure) == ["lines"]
        axes.clear()
        axes.plot([0, 1], [0, 1], color=style.FAMILIES["ael"].colour)
        assert faint(figure) == []
