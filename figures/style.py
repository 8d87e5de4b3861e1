"""How every figure looks: the style sheet, the widths of the venues, one look for each loss, titles and legends that fit.

Nothing here touches pyplot; ``context()`` applies the style to what is drawn inside it and puts everything back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import rc_params_from_file, rcParams, rcParamsDefault
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation, Transform

from asymtheory.errors import InputError, nearest
from asymtheory.losses import Loss
from asymtheory.losses.formula import Formula
from asymtheory.losses.mathematics import definition
from asymtheory.numbers.text import plain

Keywords = dict[str, Any]
"""Keyword arguments of a matplotlib artist; matplotlib names no type for them."""
Dashes = str | tuple[float, tuple[float, ...]]
"""A line style: its name, or (offset, lengths of dashes and gaps in line widths)."""
Colour = str | tuple[float, ...]
"""A colour: its name, its hex digits, or red, green, blue (and opacity) from 0 to 1."""

SHEET = Path(__file__).with_name("paper.mplstyle")

# inches, from the venues' author kits
WIDTHS = {
    "column": 3.25, "full": 6.75,
    "icml-column": 3.25, "icml": 6.75,
    "neurips": 5.5, "iclr": 5.5,
    "iccv-column": 3.25, "iccv": 6.875, "cvpr-column": 3.25, "cvpr": 6.875,
    "jmlr": 6.0, "pami-column": 3.5, "pami": 7.16,
}  # fmt: skip
NARROWEST, WIDEST = 3.0, 20.0
PANEL = 1.8  # inches below which a panel of a row goes to the next row


@dataclass(frozen=True)
class Look:
    """Colour, dash pattern and marker of a family of losses: told apart by each of the three alone."""

    colour: str
    dashes: Dashes
    marker: str

    def line(self, **more: Any) -> Keywords:
        """Keywords for ``Axes.plot``."""
        return {"color": self.colour, "linestyle": self.dashes, **more}


# Lightness L* from 0 to 61 (a contrast of 3:1 on white) in steps of at least 4.5, and CIE76 distances of at least 16 to a
# protanope, a deuteranope and a tritanope (Machado et al. 2009): tests/figures/test_gallery.py computes both.
FAMILIES = {
    "ce": Look("#000000", "-", "o"),
    "agce": Look("#28105c", "-", "s"),
    "amse": Look("#701727", (0, (5, 1.5)), "^"),
    "nce": Look("#00334b", (0, (1, 1)), "P"),
    "jal": Look("#54319a", (0, (6, 1.2, 1, 1.2)), "v"),
    "aul": Look("#9d2700", (0, (3, 1)), "D"),
    "mae": Look("#6d6a69", (0, (8, 2)), "x"),
    "anl": Look("#267cb7", (0, (4, 1, 1, 1, 1, 1)), "X"),
    "gce": Look("#b1772a", (0, (2, 1.5)), "<"),
    "ael": Look("#ac8b7c", (0, (5, 1, 2, 1)), ">"),
}
# which family an atom of the core belongs to; a loss that is not here looks like cross entropy
_FAMILY_OF = {
    "agce": "agce", "aul": "aul", "ael": "ael", "amse": "amse", "mse": "amse", "gce": "gce",
    "mae": "mae", "rce": "mae", "nmae": "mae", "nrce": "mae", "unhinged": "mae",
    "nce": "nce", "nfl": "nce", "ngce": "nce", "nnce": "anl", "nnfl": "anl",
    "jal-ce": "jal", "jal-fl": "jal", "anl-ce": "anl", "anl-fl": "anl",
}  # fmt: skip
# of a sum, the term that gives it its name among the families
_LEADS = ("agce", "aul", "ael", "amse", "anl", "gce", "mae", "nce", "ce")

THRESHOLD: Keywords = {
    "color": "#404040",
    "linewidth": 0.8,
    "linestyle": (0, (4, 2)),
}  # exact values are drawn like this
HERE: Keywords = {
    "marker": "*",
    "markersize": 11,
    "linestyle": "none",
    "markerfacecolor": "#d81b60",
    "markeredgecolor": "#202020",
}
BELOW = 0.36  # inches from an axis to what is placed under its label
INK, SOFT = "#202020", "#707070"  # text, and what is less important


def family(name: str) -> str:
    """The family of a loss by its name in the core; a sum belongs to its asymmetric (else passive) term."""
    if name in _FAMILY_OF:
        return _FAMILY_OF[name]
    found = {_FAMILY_OF.get(atom, "ce") for atom in name.split("+")}
    return next(lead for lead in _LEADS if lead in found)


def look(name: str) -> Look:
    """The one look of a loss, by its name in the core (``agce``, ``nce+mae``, ``jal-ce``)."""
    return FAMILIES[family(name)]


_SYMBOLS = {
    "alpha": r"\alpha",
    "beta": r"\beta",
    "gamma": r"\gamma",
    "p_min": r"p_{\min}",
    "tau": r"\tau",
    "strength": r"\delta",
}


def symbol(parameter: str) -> str:
    """A parameter in mathematical text; upright where its name is not one of a letter, digits and an index."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)?", parameter):
        return _SYMBOLS.get(parameter, parameter)
    upright = "".join(c if c.isascii() and c.isalnum() else r"\_" for c in parameter)
    return rf"\mathrm{{{upright}}}"


def loss_title(loss: Loss, hidden: Collection[str] = ()) -> str:
    """A loss in a title: ``AGCE, $q=0.5$`` without the parameters in ``hidden``; one's own formula as mathematics, ``$L=...$``.

    In a formula the parameters in ``hidden`` are letters and the others have their values. What matplotlib cannot set as
    mathematics, or what is too long for a title, is called "own loss".
    """
    if any(isinstance(atom, Formula) for _, atom in loss.terms()):
        text = definition(loss, hidden)
        return f"$L={text}$" if len(text) <= LONGEST_FORMULA and _sets(text) else "own loss"
    values = [f"${symbol(p)}={plain(v)}$" for p, v in loss.parameters.items() if p not in hidden and "." not in p]
    return ", ".join([loss.title, *values])


LONGEST_FORMULA = 140
"""Characters of LaTeX that a title has room for."""


def _sets(text: str) -> bool:
    """Can matplotlib set it as mathematics?"""
    try:
        MathTextParser("path").parse(f"${text}$")
    except ValueError:
        return False
    return True


def context() -> AbstractContextManager[None]:
    """The style sheet for what is drawn and saved inside; matplotlib's settings are as before afterwards."""
    # from the defaults, so that a user's matplotlibrc changes nothing; the backend is theirs
    settings = {k: v for k, v in rcParamsDefault.items() if not k.startswith(("backend", "date.epoch", "interactive"))}
    settings |= rc_params_from_file(SHEET, fail_on_error=True, use_default_template=False)
    return matplotlib.rc_context(settings)


def inches(width: str | float) -> float:
    """A venue's width by name, or a number of inches. Raises InputError for an unknown name and outside 3 to 20."""
    if isinstance(width, str) and width in WIDTHS:
        return WIDTHS[width]
    try:
        value = float(width)
    except ValueError:
        allowed = ", ".join(WIDTHS)
        raise InputError(f"--width {width!r}: one of {allowed}, or inches{nearest(str(width), WIDTHS)}") from None
    if not NARROWEST <= value <= WIDEST:
        raise InputError(f"--width {width}: between {NARROWEST:g} and {WIDEST:g} inches are needed")
    return value


def columns(count: int, width: float, least: float = PANEL) -> int:
    """How many of ``count`` panels fit side by side, such that full rows come out where possible."""
    most = max(1, min(count, int(width / least + 1e-9)))
    rows = -(-count // most)
    return -(-count // rows)


def canvas(width: float, height: float) -> Figure:
    """An empty figure in inches, with a layout in which titles, labels and legends keep clear of each other."""
    return Figure(figsize=(width, height), layout="constrained")


def grid(
    width: float, count: int, *, aspect: float = 0.72, least: float = PANEL, extra: float = 0.55, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels in as many columns as fit (each ``least`` inches wide, height ``aspect`` of its width).

    ``extra`` inches of height are for the title and the legend. Keywords go to ``Figure.subplots``.
    """
    across = columns(count, width, least)
    rows = -(-count // across)
    figure = canvas(width, rows * (width / across) * aspect + extra)
    axes = figure.subplots(rows, across, squeeze=False, **subplots).ravel().tolist()
    for empty in axes[count:]:
        empty.set_axis_off()
    return figure, axes[:count]


def title(figure: Figure, text: str) -> None:
    """The figure's title at the left, broken into lines that fit its width."""
    room = 0.96 * figure.get_figwidth() - 0.06  # letters are wider on a coarse screen than in print
    figure.suptitle(wrapped(text, room, _size("title")), x=0.02, ha="left")


def _size(what: str) -> float:
    """Points of the title or the legend in the style."""
    return float(rcParams["figure.titlesize"] if what == "title" else rcParams["legend.fontsize"])


def wrapped(text: str, width: float, size: float) -> str:
    """``text`` of ``size`` points in the fewest lines of at most ``width`` inches, of even length; ``$...$`` stays whole."""
    words: list[str] = []
    for part in text.split(" "):
        if words and (words[-1].count("$") - words[-1].count(r"\$")) % 2:
            words[-1] += " " + part
        else:
            words.append(part)
    fewest = _filled(words, width, size)
    if len(fewest) == 1:
        return fewest[0]
    # as even as they come in as many lines, so that no word is left alone at the end
    low, high = width / len(fewest), width
    while high - low > 0.02:
        middle = (low + high) / 2
        low, high = (low, middle) if len(_filled(words, middle, size)) == len(fewest) else (middle, high)
    return "\n".join(_filled(words, high, size))


def _filled(words: Sequence[str], width: float, size: float) -> list[str]:
    """Lines that are filled one after another."""
    lines = [words[0]]
    for word in words[1:]:
        if text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


def text_width(text: str, size: float) -> float:
    """Inches that one line takes in the style's font."""
    return _width(text, size, tuple(rcParams["font.family"]), rcParams["mathtext.fontset"])


@lru_cache(maxsize=4096)
def _width(text: str, size: float, *_: object) -> float:
    # the corners of the outlines' curves bound them; the exact extent takes ten times as long
    vertices = TextPath((0, 0), text, prop=FontProperties(size=size)).vertices
    return float(vertices[:, 0].max()) / 72 if len(vertices) else 0.0


def legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str] | None = None) -> None:
    """One legend for all panels below them, outside of the data, in as many columns as fit the figure's width."""
    size = _size("legend")
    names = [str(handle.get_label()) for handle in handles] if labels is None else list(labels)
    room = figure.get_figwidth() - 0.1
    handle = (rcParams["legend.handlelength"] + rcParams["legend.handletextpad"]) * size / 72
    gap = rcParams["legend.columnspacing"] * size / 72
    widths = [handle + text_width(name, size) for name in names]
    for across in range(len(names), 0, -1):
        rows, longer = divmod(len(names), across)  # entries fill the columns one after another, the first ones longer
        ends = list(accumulate(rows + (column < longer) for column in range(across)))
        total = sum(max(widths[start:end]) for start, end in pairwise([0, *ends]))
        if total + gap * (across - 1) <= room:
            break
    figure.legend(handles, names, loc="outside lower center", ncols=across)


def letters(axes: Iterable[Axes]) -> None:
    """(a), (b), ... before the panels' titles."""
    for letter, panel in zip("abcdefghijklmnop", axes, strict=False):
        panel.set_title(f"({letter}) {panel.get_title(loc='left')}".rstrip(), loc="left")


def threshold(axes: Axes, at: float, label: str, *, side: str = "right", height: float = 0.04) -> None:
    """A vertical line at an exact threshold, with its name beside it (``height`` from the bottom, in axes units)."""
    axes.axvline(at, **THRESHOLD)
    shift = 3 if side == "right" else -3
    axes.annotate(
        label, (at, height), xycoords=("data", "axes fraction"), xytext=(shift, 0), textcoords="offset points",
        ha="left" if side == "right" else "right", va="bottom", fontsize=7, color=INK,
    )  # fmt: skip


def here(axes: Axes, x: float, y: float) -> None:
    """The place of the reader's own setting or noise."""
    axes.plot([x], [y], **HERE, zorder=6, clip_on=False)


def shifted(axes: Axes, points: float) -> Transform:
    """Data coordinates, moved to the right by points: marks that share a place side by side at any scale."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return axes.transData + ScaledTranslation(points / 72, 0, figure.dpi_scale_trans)


def legend_below(axes: Axes, columns: int = 1, **more: Any) -> None:
    """A panel's own legend under its x label, where no data can be; the layout makes room for it."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    below = axes.transAxes + ScaledTranslation(0, -BELOW, figure.dpi_scale_trans)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=columns, **more)


def legend_beside(axes: Axes, **more: Any) -> None:
    """A panel's own legend to the right of it; the layout makes room for it."""
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), **more)


LIGHTEST = 61.0
"""L* of the lightest line on white paper: a contrast of 3:1."""


def shades(colour: str, count: int) -> list[tuple[float, float, float]]:
    """``count`` tones of a colour from dark to light, for one loss with several parameters; none is too light to be seen."""
    darkest = 0.3 * lightness(colour)
    if count == 1:
        return [_tone(colour, darkest)]
    return [_tone(colour, darkest + (LIGHTEST - darkest) * i / (count - 1)) for i in range(count)]


def _tone(colour: str, level: float) -> tuple[float, float, float]:
    """The colour mixed with black or white to a lightness L*."""
    parts, end = to_rgb(colour), 0.0 if level < lightness(colour) else 1.0
    low, high = 0.0, 1.0
    for _ in range(30):  # the share of black or white
        share = (low + high) / 2
        made = tuple(part + (end - part) * share for part in parts)
        if (lightness(made) > level) == (end == 0.0):
            low = share
        else:
            high = share
    red, green, blue = made
    return red, green, blue


def lightness(colour: Colour) -> float:
    """CIE L* of an sRGB colour, 0 (black) to 100 (white): what is left of it in grey."""
    parts = to_rgb(colour) if isinstance(colour, str) else colour[:3]
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return float(116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance)


def log_ticks(axes: Axes, which: str, ticks: Sequence[float] | None = None) -> None:
    """A logarithmic axis (x or y) with plain numbers at ``ticks``; else at powers of ten, on a short axis at 2 and 5, too."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    if ticks is not None:
        axis.set_major_locator(FixedLocator(list(ticks)))
        axis.set_minor_locator(FixedLocator([]))
    else:
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 60 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.10g}"))
    axis.set_minor_formatter(NullFormatter())
