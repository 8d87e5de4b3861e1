"""Phase diagrams: how large the parameter of a loss must be on K classes with symmetric noise of rate eta.

The losses and their parameters come from the registry and from the hyper-parameters that the papers print; losses whose
thresholds are the same numbers (AMSE, JAL-CE, JAL-FL) share one diagram.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullFormatter

from asymtheory import Loss, Setting, build, check, pair, published_settings, solve_many, solve_rate, symmetric
from asymtheory.errors import InputError
from asymtheory.losses.registry import names_of_papers

from .. import style
from ..gallery import figure
from ..results import Floats

# the papers' data sets (of WebVision the first 50 classes), and the rates of synthetic noise in their tables
CLASSES = {"mnist": 10, "cifar10": 10, "cifar100": 100, "webvision": 50, "clothing1m": 14, "animal10n": 10}
SYNTHETIC = ("mnist", "cifar10", "cifar100")
RATES = {
    "symmetric": tuple(Fraction(k, 10) for k in (2, 4, 6, 8)),  # ANL Table 5, JAL Table 3
    "pair": tuple(Fraction(k, 10) for k in (1, 2, 3, 4)),  # their asymmetric noise: (w_m, w_n) of a flipped class
}
PROBE = np.array([[3], [10], [100]]), np.array([[0.1, 0.3, 0.5, 0.6]])  # (K, eta) on which losses are compared
MOST_CLASSES = 1000
LEAST, WIDE = 1.6, 2.0  # inches of a panel: at least, and from which on it has more contours
STAGGER = 0.26  # of the panel, between the labels of neighbouring contours
NEAR = 1.6  # factor between numbers of classes whose marks would lie over each other
DODGE = 12.0  # points between the marks of such settings


@dataclass(frozen=True)
class Family:
    """Losses that need the same values of one parameter, and what the papers set for them."""

    loss: Loss
    parameter: str
    least: bool  # the threshold is the least value that works; else the greatest
    members: tuple[str, ...]  # names in the registry
    settings: tuple[Setting, ...]

    @property
    def atom(self) -> Loss:
        """The term of the loss that the parameter belongs to."""
        return next(atom for _, atom in self.loss.terms() if self.parameter in atom.parameters)

    @property
    def title(self) -> str:
        """``AGCE, q = 0.2``: the term and its other parameters."""
        return style.loss_title(self.atom, (self.parameter,))


@dataclass(frozen=True)
class Phase:
    """Thresholds ``values[i, j]`` at noise rate ``rates[i, j]`` on ``classes[j]`` classes, (M, N)."""

    family: Family
    classes: Floats
    rates: Floats
    values: Floats


@dataclass(frozen=True)
class Mark:
    """A published setting on one noise: does it satisfy the condition there (judged by ``check``)?"""

    setting: Setting
    K: int
    eta: Fraction
    value: float  # of the parameter
    holds: bool


@cache
def families() -> tuple[Family, ...]:
    """Every loss of the four papers, and every published setting, whose main parameter has a threshold that moves with eta.

    Left out are losses that are asymmetric for any value (AGCE with q >= 1, AUL with p <= 1) or for none (GCE with q < 1),
    and clipped logits, whose thresholds are not vectorised.
    """
    found: dict[tuple[object, ...], Family] = {}
    given: list[tuple[Loss, str, Setting | None]] = [(build(name), name, None) for name in names_of_papers()]
    given += [(setting.build(), setting.loss, setting) for setting in published_settings()]
    for loss, name, setting in given:
        if loss.main is None:
            continue
        try:
            values = solve_many(loss, *PROBE)
        except InputError:
            continue
        if np.isnan(values).any() or np.ptp(values) == 0:
            continue
        key = (loss.main, *(float(f"{value:.9g}") for value in values.flat))
        old = found.get(key) or Family(loss, loss.main, bool(values[0, -1] > values[0, 0]), (), ())
        members = old.members if name in old.members else (*old.members, name)
        found[key] = replace(old, members=members, settings=old.settings + ((setting,) if setting else ()))
    return tuple(sorted(found.values(), key=lambda f: (not f.least, f.atom.name)))


def phase_data(family: Family, classes: Sequence[int] | None = None, points: int = 120) -> Phase:
    """The threshold of a family for K from 2 to 1000 (unless given), each with ``points`` noise rates below (K - 1)/K.

    From there on the clean label is not the most frequent one, and no value works.
    """
    if classes is None:
        classes = np.unique(np.rint(np.geomspace(2, MOST_CLASSES, 90)).astype(int)).tolist()
    count = np.array(classes)[None, :]
    # denser towards the boundary, where thresholds diverge
    share = 1 - (1 - np.linspace(0.002, 0.99, points)) ** 2
    rates = share[:, None] * (1 - 1 / count)
    return Phase(family, count[0], rates, solve_many(family.loss, count, rates, family.parameter))


def levels(data: Phase, count: int = 6) -> list[float]:
    """Values for contour lines: short numbers at equal parts of the area of the diagram."""
    low = float(data.family.atom.domains[data.family.parameter].low or 0)
    weights = np.gradient(data.rates, axis=0) * np.gradient(np.log(data.classes))
    order = np.argsort(data.values, axis=None)
    total = np.cumsum(weights.flat[order])
    cuts = np.searchsorted(total, total[-1] * (np.arange(count) + 0.7) / (count + 0.4))
    found = data.values.flat[order[cuts]].tolist()
    return sorted({_short(v) if v >= 2 * low else low + _short(v - low) for v in found if v > low})


def _short(value: float) -> float:
    """The nearest number of the form 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(f"{min((1, 2, 5, 10), key=lambda m: abs(np.log(value / (m * power)))) * power:.1g}")


def marks(family: Family, kind: str = "symmetric") -> list[Mark]:
    """The published settings of a family on the synthetic noise of the papers, each value once per data set."""
    noise = {"symmetric": symmetric, "pair": pair}[kind]
    result = []
    for setting, value in _settings(family):
        if setting.dataset in SYNTHETIC:
            K, loss = CLASSES[setting.dataset], setting.build()
            for eta in RATES[kind]:
                result.append(Mark(setting, K, eta, value, check(loss, noise(K, eta)).asymmetric is True))
    return result


def limits(family: Family) -> list[tuple[Setting, float, float]]:
    """(setting, value, the greatest rate of symmetric noise that it tolerates on its number of classes)."""
    result = []
    for setting, value in _settings(family):
        end = solve_rate(setting.build(), "symmetric", CLASSES[setting.dataset]).end
        if end is not None:
            result.append((setting, value, end.value))
    return result


def _settings(family: Family) -> list[tuple[Setting, float]]:
    kept: dict[tuple[str, float], Setting] = {}
    for setting in family.settings:
        value = float(setting.build().parameters[family.parameter])
        kept.setdefault((setting.dataset, value), setting)
    return [(setting, value) for (_, value), setting in kept.items()]


_LOOKS: dict[bool, style.Keywords] = {
    True: {"marker": "o", "markersize": 3.8, "markerfacecolor": "white"},
    False: {"marker": "X", "markersize": 6, "markeredgecolor": "black", "markeredgewidth": 0.5},
}
_LIMIT: style.Keywords = {
    "linestyle": "", "marker": "_", "markersize": 9, "color": "white", "markeredgewidth": 1.2,
    "path_effects": [withStroke(linewidth=2.6, foreground="black")],
}  # fmt: skip


def family_of(loss: Loss) -> Family:
    """The family of a loss, with its settings; one of its own for a loss that is not in the registry."""
    if loss.main is None:
        raise InputError(f"{loss.title} has no parameter that a threshold is for")
    values = solve_many(loss, *PROBE)
    if np.isnan(values).any() or np.ptp(values) == 0:
        raise InputError(f"{loss} has no threshold that moves with the noise")
    for family in families():
        if family.parameter == loss.main and np.allclose(solve_many(family.loss, *PROBE), values, rtol=1e-9):
            return family
    return Family(loss, loss.main, bool(values[0, -1] > values[0, 0]), (loss.name,), ())


def read_here(text: str) -> tuple[int, float] | None:
    """``10,0.4``: a number of classes and a noise rate; nothing for an empty text."""
    if not text:
        return None
    K, _, eta = text.partition(",")
    try:
        found = int(K), float(eta)
    except ValueError:
        raise InputError(f"here {text!r}: a number of classes and a noise rate such as 10,0.4 are needed") from None
    if not (2 <= found[0] <= MOST_CLASSES and 0 <= found[1] <= 1):
        raise InputError(f"here {text!r}: from 2 to {MOST_CLASSES} classes and a rate in [0, 1] are needed")
    return found


def _one_map(width: float, family: Family, here: tuple[int, float] | None) -> Figure:
    """The map of one family, with the reader's noise."""
    drawn, (panel,) = style.grid(width, 1, aspect=0.62, least=width, extra=0.75)
    _draw_map(panel, phase_data(family), 6)
    _draw_marks(panel, family)
    panel.set_ylabel(r"noise rate $\eta$")
    if here is not None:
        style.here(panel, *here)
    handles: list[Artist] = [*_mark_handles()] if family.settings else []
    style.legend(drawn, handles + ([Line2D([], [], **style.HERE, label="you are here")] if here else []))
    return drawn


@figure(
    "phase",
    "What noise asks of the parameter: thresholds over the number of classes and the noise rate",
    "thresholds of this package; settings of ANL Table 4, JAL Table 8 and JAL Sec. 4.3",
)
def phase(*, width: float = 6.75, loss: Loss | None = None, here: str = "") -> Figure:
    """The least parameter (of Taylor-CE and PHuber-CE the greatest) with which a loss is asymmetric, on K classes with
    symmetric noise of rate eta; in the hatched part no loss can be, for the clean label is not the most frequent one.
    Circles are the papers' own settings (numbers: their value) that satisfy the condition at their noise rates, crosses those
    that do not; a bar is the greatest rate that a setting tolerates. Last panel: the same for pair flips, where K does not matter.

    With a loss there is its panel alone, and ``here=K,eta`` marks a noise.
    """
    if loss is not None:
        return _one_map(width, family_of(loss), read_here(here))
    shown = families()
    published = [family for family in shown if family.settings]
    across = style.columns(len(shown) + 1, width, LEAST)
    drawn, axes = style.grid(width, len(shown) + 1, aspect=0.86, least=LEAST, extra=0.8)
    for panel, family in zip(axes, shown, strict=False):
        _draw_map(panel, phase_data(family), 6 if width / across > WIDE else 4)
        _draw_marks(panel, family)
        if axes.index(panel) % across == 0:
            panel.set_ylabel(r"noise rate $\eta$")
    _draw_pairs(axes[-1], published)
    style.letters(axes)
    handles: list[Artist] = [
        *_mark_handles(),
        *(Line2D([], [], **_line(family, published), label=family.title) for family in published),
    ]
    style.legend(drawn, handles)
    return drawn


def _mark_handles() -> list[Artist]:
    """What the signs on a map mean."""
    return [
        Line2D(
            [], [], **_LOOKS[True], markeredgecolor="black", linestyle="", label="published setting: condition holds"
        ),
        Line2D(
            [], [], **_LOOKS[False], markerfacecolor="black", linestyle="", label="published setting: condition fails"
        ),
        Line2D([], [], **_LIMIT, label="greatest rate that a setting tolerates"),
        Patch(facecolor="white", edgecolor="#707070", hatch="//////", label=r"$\eta\geq(K-1)/K$: none is asymmetric"),
        Patch(facecolor=colormaps["cividis"](1.0), label="yellow: asks most of the parameter"),
    ]


def _line(family: Family, among: Sequence[Family]) -> style.Keywords:
    """The look of the family; the second of the same name is thinner."""
    same = [other for other in among if other.atom.name == family.atom.name]
    return style.look(family.atom.name).line(linewidth=1.4 - 0.7 * same.index(family))


def _draw_map(panel: Axes, data: Phase, count: int) -> None:
    cuts = levels(data, count)
    x = np.broadcast_to(data.classes, data.rates.shape)
    share = np.linspace(
        0.15, 1, len(cuts) + 1
    )  # yellow asks most: the largest of least values, the least of greatest ones
    share = share if data.family.least else share[::-1]
    values = np.minimum(data.values, 1e200)  # a count of terms without bound is inf
    panel.contourf(x, data.rates, values, levels=cuts, colors=colormaps["cividis"](share), extend="both")
    edges = ["white" if (share[i] + share[i + 1]) / 2 < 0.55 else "black" for i in range(len(cuts))]
    lines = panel.contour(x, data.rates, values, levels=cuts, colors=edges, linewidths=0.4)
    panel.set(xscale="log", xlim=(2, MOST_CLASSES), ylim=(0, 1))  # labels turn with the axes
    panel.clabel(lines, fmt=_number, fontsize=6, inline_spacing=1.5, manual=_label_places(data, cuts))
    panel.fill_between(
        data.classes,
        1 - 1 / data.classes,
        1,
        facecolor="white",
        edgecolor="#707070",
        hatch="//////",
        linewidth=0.4,
        zorder=2,
    )
    sign = style.symbol(data.family.parameter)
    title = f"{data.family.title}: {'least' if data.family.least else 'greatest'} ${sign}$"
    panel.set(xlabel="classes $K$", title=title)
    panel.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    panel.set_xticks([2, 10, 100, 1000], ["2", "10", "100", "1000"])
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.grid(False)


def _number(value: float) -> str:
    if value >= 1e-3:
        return f"{value:.9g}"
    digits, _, power = f"{value:.0e}".partition("e")
    return f"$10^{{{int(power)}}}$" if digits == "1" else f"${digits}\\cdot 10^{{{int(power)}}}$"


def _label_places(data: Phase, cuts: Sequence[float]) -> list[tuple[float, float]]:
    """Where contour lines run along the diagonal of the panel, in turn below and above it, beside the settings."""
    share = np.log(data.classes / 2) / np.log(MOST_CLASSES / 2)
    taken = [np.log(CLASSES[setting.dataset] / 2) / np.log(MOST_CLASSES / 2) for setting, _ in _settings(data.family)]
    places = []
    for i, cut in enumerate(cuts):
        aim = 1 + STAGGER * (i % 2 - 0.5)
        best, place = np.inf, None
        for j, x in enumerate(share):
            column = data.values[:, j]
            above = column >= cut if data.family.least else column <= cut
            if 0.05 < x < 0.95 and above.any() and not above[0] and min([1.0, *(abs(x - t) for t in taken)]) > 0.09:
                y = float(data.rates[int(above.argmax()), j])
                if abs(x + y - aim) < best and y > 0.04:
                    best, place = abs(x + y - aim), (float(data.classes[j]), y)
        if place is not None:
            places.append(place)
    return places


def _draw_marks(panel: Axes, family: Family) -> None:
    """Published settings at their number of classes; those that are near each other side by side, in points."""
    places = _dodged(family)

    def at(setting: Setting, value: float) -> tuple[int, style.Keywords]:
        shift = places[setting.dataset, value]
        return CLASSES[setting.dataset], {"transform": style.shifted(panel, shift)}

    for mark in marks(family):
        K, place = at(mark.setting, mark.value)
        colour: style.Keywords = {"markeredgecolor": "black"} if mark.holds else {"markerfacecolor": "black"}
        panel.plot(K, float(mark.eta), **_LOOKS[mark.holds], **colour, **place, zorder=4)
    for setting, value, eta in limits(family):
        K, place = at(setting, value)
        panel.plot(K, eta, **_LIMIT, **place, zorder=3)
        below = float(RATES["symmetric"][0]) if setting.dataset in SYNTHETIC else eta
        panel.annotate(
            f"{value:g}", (K, below), xytext=(places[setting.dataset, value], -4), textcoords="offset points", ha="center",
            va="top", fontsize=6.5, color="black", zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
        )  # fmt: skip


def _dodged(family: Family) -> dict[tuple[str, float], float]:
    """Points by which a setting (data set, value) is moved from its number of classes: those near each other side by side."""
    groups: list[list[tuple[str, float]]] = []
    keys = [(setting.dataset, value) for setting, value in _settings(family)]
    for key in sorted(keys, key=lambda key: (CLASSES[key[0]], key[1])):
        if groups and CLASSES[key[0]] <= NEAR * CLASSES[groups[-1][-1][0]]:
            groups[-1].append(key)
        else:
            groups.append([key])
    return {key: DODGE * (i - (len(group) - 1) / 2) for group in groups for i, key in enumerate(group)}


def _draw_pairs(panel: Axes, shown: Sequence[Family]) -> None:
    rates = np.linspace(0.002, 0.498, 249)
    for family in shown:
        line = _line(family, shown)
        panel.plot(rates, solve_many(family.loss, 10, rates, family.parameter, kind="pair"), **line)
        for mark in marks(family, "pair"):
            colour = {"markeredgecolor": line["color"]} if mark.holds else {"markerfacecolor": line["color"]}
            panel.plot(float(mark.eta), mark.value, **_LOOKS[mark.holds] | colour, zorder=4 if mark.holds else 5)
    panel.set(ylim=(0.1, 300), xlim=(0, 0.5), xlabel=r"noise rate $\eta$", ylabel="$a$")
    panel.set_title("pair flips, any $K$: least $a$")
    style.log_ticks(panel, "y")
