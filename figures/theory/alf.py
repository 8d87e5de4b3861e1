"""Figures of ALF (Zhou et al., ICML 2021): calibration curves, the weighted-risk experiment, the losses themselves."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from asymtheory import WeightedRiskExperiment, WeightedRiskResult, asymmetry_ratio, build, minimise
from asymtheory.asymmetry.calibration import Calibration, calibrate
from asymtheory.asymmetry.ratio import pointwise_profile
from asymtheory.experiments.result import MINIMISER, OTHER, VERTEX
from asymtheory.experiments.sweep import parse_sweep
from asymtheory.losses import CONCAVE, CONVEX, LINEAR, Loss
from asymtheory.numbers.backends import numpy_
from asymtheory.numbers.text import plain

from .. import style
from ..gallery import check_count, figure
from ..results import Floats

Q = Fraction

PATTERNS: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)))


def parameters(loss: Loss) -> str:
    """``a = 1, q = 3/2`` as mathematical text."""
    return ", ".join(f"${name} = {plain(value)}$" for name, value in loss.parameters.items())


# --------------------------------------------------------------------------------------------- Figure 1

CALIBRATED: dict[str, tuple[style.Keywords, ...]] = {
    "agce": (dict(a=1, q=2), dict(a=Q(1, 10), q=Q(3, 2)), dict(a=3, q=Q(5, 4))),
    "aul": (dict(a=2, p=Q(1, 2)), dict(a=Q(11, 10), p=Q(1, 10)), dict(a=Q(13, 10), p=Q(1, 4))),
}


def alf_fig1_data(points: int = 401) -> dict[str, list[Calibration]]:
    """H and H^- of AGCE with q > 1 and AUL with p < 1, as ``asymtheory.calibrate`` finds them, by loss."""
    eta = np.linspace(0, 1, check_count("points", points, 3))
    return {name: [calibrate(build(name, **set_), eta) for set_ in sets] for name, sets in CALIBRATED.items()}


@figure(
    "alf-fig1",
    "Classification calibration: $H^-$ lies above $H$",
    "ALF Fig. 1, Theorem 1",
    note="Added to the printed figure: the two curves meet at eta = 1/2 alone, and the risk l(1/2) of an undecided "
    "prediction there, which is not optimal for these losses.",
)
def alf_fig1(*, width: float = 3.25, points: int = 401) -> Figure:
    """Least conditional risk H (solid) and least conditional risk of a wrong decision H^- (dashed) against the posterior eta,
    for AGCE with q > 1 and AUL with p < 1; diamonds: the conditional risk of the undecided prediction 1/2 at eta = 1/2.
    """
    data = alf_fig1_data(points)
    drawn, axes = style.grid(width, 2, aspect=0.62 if width > 4 else 1.1, least=1.6, extra=1.0)
    for panel, (name, curves) in zip(axes, data.items(), strict=True):
        for curve, colour, set_ in zip(curves, style.shades(style.look(name).colour, 3), CALIBRATED[name], strict=True):
            loss = build(name, **set_)
            panel.plot(curve.eta, curve.H, color=colour, label=parameters(loss))
            panel.plot(curve.eta, curve.H_minus, color=colour, linestyle=PATTERNS[1], zorder=1.9)
            undecided = curve.H[curve.eta == 0.5] + curve.gap_half
            panel.plot([0.5] * len(undecided), undecided, marker="D", color=colour, linestyle="none", markersize=3)
        panel.set(xlabel=r"$\eta$", ylabel=r"$H_\ell(\eta)$, $H_\ell^-(\eta)$", xlim=(0, 1))
        panel.set_title(f"{build(name).title}, ${'q > 1' if name == 'agce' else 'p < 1'}$")
        style.legend_below(panel)
    style.letters(axes)
    style.legend(drawn, [
        Line2D([], [], color=style.INK, label="$H$"),
        Line2D([], [], color=style.INK, linestyle=PATTERNS[1], label="$H^-$"),
        Line2D([], [], color=style.INK, marker="D", markersize=3, linestyle="none", label=r"$C(1/2, 1/2) = \ell(1/2)$"),
    ])  # fmt: skip
    return drawn


# --------------------------------------------------------------------------------------------- Figure 2

SEED, DRAWS, STARTS = 0, 60, 4
# what is swept: (loss, what stays fixed, sweep as `asymtheory experiment weighted-risk --sweep` takes it)
SCALES: tuple[tuple[str, dict[str, Fraction], str], ...] = (
    ("agce", {"q": Q(1, 2)}, "a=0.05:20:33:log"),
    ("aul", {"p": Q(2)}, "a=1.1:40:33:log"),
    ("ael", {}, "a=0.2:40:33:log"),
)
EXPONENTS: tuple[tuple[str, dict[str, Fraction], str], ...] = (
    ("agce", {"a": Q(1, 2)}, "q=0.05:2:40"),
    ("aul", {"a": Q(2)}, "p=0.1:3:30"),
)
LEVELS = (1.05, 1.25, 1.6)  # p_m is shown for the draws whose w_m / w_n is nearest to these
DOT: style.Keywords = {"marker": "o", "markersize": 2.4, "linestyle": "none", "markerfacecolor": "white"}
FATES = (VERTEX, MINIMISER, OTHER)


@dataclass(frozen=True, eq=False)
class Sweep:
    """One sweep of the weighted-risk experiment, the draws of which p_m is shown, and what became of all starts."""

    result: WeightedRiskResult
    values: Floats  # (P,) the parameter
    level: Floats  # (D,) clean level w_m / w_n
    shown: Floats  # indices of draws, by rising clean level
    fine: Floats  # (F,) parameter values, the thresholds of the shown draws among them
    exact: Floats  # (F, S) p_m of the exact minimiser there, for the shown draws
    edges: Floats  # (B + 1,) bins of parameter value over the draw's threshold; empty: shares are by value
    shares: Floats  # (3, B or P) of starts: at e_m; at the minimiser inside; at another vertex. The rest still moves

    @property
    def loss(self) -> Loss:
        return self.result.experiment.loss

    @property
    def parameter(self) -> str:
        assert self.result.experiment.parameter is not None
        return self.result.experiment.parameter


def sweep(
    name: str, fixed: dict[str, Fraction], text: str, *, relative: bool, draws: int = DRAWS, starts: int = STARTS
) -> Sweep:
    """Run the experiment (ALF Sec. 4.1: K = 10, weights uniform on (0, 1]) and count what became of the starts.

    ``relative``: over value / threshold, for the draws whose threshold lies inside the sweep, in bins of equal ratio with
    an edge at 1; else over the values, for all draws.
    """
    check_count("draws", draws, 10)  # fewer may have no threshold inside the sweep
    check_count("starts", starts, 1)
    parameter, values = parse_sweep(text)
    experiment = WeightedRiskExperiment(build(name, **fixed), parameter, values, draws=draws, starts=starts, seed=SEED)
    result = experiment.run(workers=1)
    two = np.partition(result.weights, -2, axis=-1)[:, -2:]
    level, numbers = two[:, 1] / two[:, 0], np.array([float(v) for v in values])
    inside = np.flatnonzero(np.isfinite(result.threshold))
    shown = np.unique([inside[abs(level[inside] - target).argmin()] for target in LEVELS])
    shown = shown[np.argsort(level[shown])]
    spread = np.geomspace if relative else np.linspace
    fine = np.unique(np.concatenate([numbers, spread(numbers[0], numbers[-1], 41), result.threshold[shown]]))
    exact = exact_p_m(experiment.loss, parameter, fine, result.weights[shown])
    if not relative:
        shares = _shares(result.outcome.reshape(len(numbers), -1))
        return Sweep(result, numbers, level, shown, fine, exact, np.empty(0), shares)
    ratio = numbers[:, None] / result.threshold[None, inside]
    edges = np.geomspace(1 / 8, 8, 25)
    bins, outcome = np.digitize(ratio, edges) - 1, result.outcome[:, inside]
    shares = np.concatenate([_shares(outcome[bins == b].reshape(1, -1)) for b in range(len(edges) - 1)], axis=1)
    return Sweep(result, numbers, level, shown, fine, exact, edges, shares)


def exact_p_m(loss: Loss, parameter: str, values: Floats, weights: Floats) -> Floats:
    """p_m of the exact minimiser for each value (F,) and each row of weights (S, K): (F, S)."""
    top = weights.argmax(axis=-1)
    points = [minimise(loss.replace(**{parameter: float(value)}), weights).point for value in values]
    return np.stack([point[np.arange(len(top)), top] for point in points])


def _shares(outcome: Floats) -> Floats:
    """(rows, starts) of outcomes -> (3, rows) shares of the fates that are no movement."""
    return np.stack([(outcome == fate).mean(axis=1) if outcome.size else [np.nan] for fate in FATES])


def alf_fig2_data(draws: int = DRAWS, starts: int = STARTS) -> list[Sweep]:
    """The sweeps of a for AGCE (q = 1/2), AUL (p = 2) and AEL."""
    return [sweep(*row, relative=True, draws=draws, starts=starts) for row in SCALES]


def alf_fig2_exponents_data(draws: int = DRAWS, starts: int = STARTS) -> list[Sweep]:
    """The sweeps of q for AGCE (a = 1/2) and of p for AUL (a = 2), through the values at which convexity turns."""
    return [sweep(*row, relative=False, draws=draws, starts=starts) for row in EXPONENTS]


@figure(
    "alf-fig2",
    "Weighted risk: $p_m = 1$ exactly from $a^*$ on",
    "ALF Fig. 2, Sec. 4.1",
    note="Added to the printed figure: the exact minimiser below a*, where p_m is not 1 but known, and the fate of every "
    "start of every draw.",
)
def alf_fig2(*, width: float = 6.75, draws: int = DRAWS, starts: int = STARTS) -> Figure:
    """Minimising sum_i w_i L(softmax(z), i), K = 10. Above: p_m reached from each start (dots) and of the exact minimiser
    (lines) against a, for three draws of w, with the exact threshold a* of each. Below: the share of all starts that end at
    e_m, at the minimiser inside the simplex, at another vertex or still move, against a in units of the draw's own a*.
    """
    return _reached(width, alf_fig2_data(draws, starts))


@figure(
    "alf-fig2-exponents",
    "Asymmetric, but reached? Descent over the exponents $q$ and $p$",
    "ALF Fig. 2, Sec. 4.1; Cor. 1 and 2",
    note="Not in the paper. For q > 1 and p < 1 the risk has a local minimum at other vertices, too: the loss is asymmetric, "
    "and yet descent from random starts ends elsewhere more and more often.",
)
def alf_fig2_exponents(*, width: float = 6.75, draws: int = DRAWS, starts: int = STARTS) -> Figure:
    """As ALF Fig. 2, over the exponents q of AGCE and p of AUL. Above: three draws of w with their exact thresholds.
    Below: shares of all starts of all draws; the loss is concave in u_y for q > 1 and for p < 1.
    """
    return _reached(width, alf_fig2_exponents_data(draws, starts))


def _reached(width: float, sweeps: list[Sweep]) -> Figure:
    """Two panels a sweep: one above the other where there is room, side by side in a column."""
    across = width >= 1.6 * len(sweeps)
    shape = (2, len(sweeps)) if across else (len(sweeps), 2)
    height = 0.85 + (3.3 if across else 1.45 * len(sweeps))
    drawn = style.canvas(width, height)
    panels = drawn.subplots(*shape, squeeze=False, sharey="row" if across else False)
    if not across:
        panels = panels.T
    for column, one in enumerate(sweeps):
        _draw_reached(panels[0, column], one)
        _draw_shares(panels[1, column], one)
    if across:
        for panel in panels[:, 1:].ravel():
            panel.set_ylabel("")
    style.letters(panels.ravel() if across else panels.T.ravel())
    dots = Line2D([], [], **DOT, color=style.INK, label="$p_m$ reached, a start")
    line = Line2D([], [], color=style.INK, label="$p_m$ of the exact minimiser")
    star = Line2D([], [], **style.THRESHOLD, label="exact threshold of a draw, with its $w_m/w_n$")
    style.legend(drawn, [dots, line, star, *_fate_handles()])
    return drawn


def _draw_reached(panel: Axes, one: Sweep) -> None:
    loss, name = one.loss, one.parameter
    look = style.look(loss.name)
    panel.set(xlabel=f"${name}$", ylabel="$p_m$", ylim=(-0.04, 1.36), xlim=(one.values[0], one.values[-1]))
    panel.set_yticks([0, 0.5, 1])
    for i, (draw, colour) in enumerate(zip(one.shown, style.shades(look.colour, len(one.shown)), strict=True)):
        panel.plot(one.fine, one.exact[:, i], color=colour)
        x = np.repeat(one.values, one.result.reached.shape[2])
        points = np.unique(np.stack([x, one.result.reached[:, draw].ravel().round(3)]), axis=1)  # as many as are seen
        panel.plot(*points, **DOT, color=colour)
        at = float(one.result.threshold[draw])
        panel.axvline(at, **{**style.THRESHOLD, "color": colour})
        panel.annotate(
            f"{one.level[draw]:.2f}", (at, 1.07), xytext=(1, 0), textcoords="offset points", rotation=90, ha="left",
            va="bottom", fontsize=6, color=style.INK,
        )  # fmt: skip
    if name == "a":
        style.log_ticks(panel, "x")
    fixed = ", ".join(f"${p} = {plain(v)}$" for p, v in loss.parameters.items() if p != name)
    panel.set_title(f"{loss.title}{f', {fixed}' if fixed else ''}")


# share of starts: (name, colour, hatch), from the bottom
_FATES = (
    ("at $e_m$", "#00224e", ""),
    ("at the minimiser inside", "#a9bcd6", ""),
    ("at another vertex", "#e0a32e", "////"),
    ("still moving", "#ffffff", "...."),
)


def _fate_handles() -> list[Artist]:
    return [Patch(facecolor=c, hatch=h, edgecolor=style.INK, label=name) for name, c, h in _FATES]


def _draw_shares(panel: Axes, one: Sweep) -> None:
    """Stacked shares: in steps by bins of a / a*, or as areas over the exponents."""
    stepped = len(one.edges) > 0
    x, shares = (one.edges, one.shares[:, [*range(one.shares.shape[1]), -1]]) if stepped else (one.values, one.shares)
    edges = np.vstack([np.zeros(len(x)), np.cumsum(shares, axis=0), np.ones(len(x))])
    for low, high, (_, colour, hatch) in zip(edges[:-1], edges[1:], _FATES, strict=True):
        if (high > low + 1e-9).any():
            panel.fill_between(
                x, low, high, step="post" if stepped else None, facecolor=colour, hatch=hatch, edgecolor=style.INK,
                linewidth=0.3,
            )  # fmt: skip
    panel.axvline(1, **{**style.THRESHOLD, "color": "white"})
    if stepped:
        style.log_ticks(panel, "x", (0.25, 1, 4))
    name = one.parameter
    panel.set(xlabel=f"${name}\\,/\\,{name}^*$" if stepped else f"${name}$", ylabel="share of starts")
    panel.set(ylim=(0, 1), xlim=(x[0], x[-1]))
    panel.set_title("all draws")
    panel.grid(False)


# --------------------------------------------------------------------------------------------- Figure 4

DRAWN: dict[str, tuple[style.Keywords, ...]] = {
    "agce": (dict(a=0, q=Q(1, 2)), dict(a=1, q=Q(1, 2)), dict(a=1, q=1), dict(a=1, q=2), dict(a=1, q=3)),
    "aul": (dict(a=Q(11, 10), p=2), dict(a=2, p=2), dict(a=2, p=1), dict(a=2, p=Q(1, 2)), dict(a=Q(11, 10), p=Q(1, 2))),
    "ael": (dict(a=Q(1, 4)), dict(a=Q(1, 2)), dict(a=1), dict(a=Q(5, 2)), dict(a=10)),
}
SHAPES = {CONVEX: "convex", LINEAR: "linear", CONCAVE: "concave"}


@dataclass(frozen=True, eq=False)
class Curve:
    """l over u_y, its shape, and the asymmetry ratio r (whole transfer) as the core encloses it."""

    loss: Loss
    u: Floats
    value: Floats
    shape: str
    r: float


def alf_fig4_data(points: int = 401) -> dict[str, list[Curve]]:
    """l(u_y) of AGCE, AUL and AEL at several parameters, by loss."""
    xp, u = numpy_(), np.linspace(0, 1, check_count("points", points, 3))
    found: dict[str, list[Curve]] = {}
    for name, sets in DRAWN.items():
        for set_ in sets:
            loss = build(name, **set_)
            atom: Any = loss.on(xp)
            with np.errstate(divide="ignore"):
                value = np.asarray(atom.active(u, np.log(u), xp), dtype=float)
            r, shape = asymmetry_ratio(loss).r, pointwise_profile(loss).shape()
            assert shape is not None
            found.setdefault(name, []).append(Curve(loss, u, value, SHAPES[shape], (r.low + r.high) / 2))
    return found


@figure(
    "alf-fig4",
    "Asymmetric losses: convex and concave ones",
    "ALF Fig. 4, Sec. 3.4",
    note="Added to the printed figure: the asymmetry ratio r of each curve (whole transfer). r = 1 where l is linear or concave.",
)
def alf_fig4(*, width: float = 6.75, points: int = 401) -> Figure:
    """l(u_y) of AGCE, AUL and AEL. Solid: convex in u_y; dashed: linear; dotted: concave."""
    patterns = dict(zip(SHAPES.values(), PATTERNS, strict=True))
    beside = width < 4.2
    drawn, axes = style.grid(width, 3, aspect=0.43 if beside else 1.05, least=4.2 if beside else 1.4, extra=0.65)
    for panel, (name, curves) in zip(axes, alf_fig4_data(points).items(), strict=True):
        for curve, colour in zip(curves, style.shades(style.look(name).colour, len(curves)), strict=True):
            label = f"{parameters(curve.loss)}: $r = {curve.r:.3g}$"
            panel.plot(curve.u, curve.value, color=colour, linestyle=patterns[curve.shape], label=label)
        panel.set(xlabel="$u_y$", ylabel=r"$\ell(u_y)$", xlim=(0, 1))
        panel.set_title(build(name).title)
        (style.legend_beside if beside else style.legend_below)(panel)
    style.letters(axes)
    style.legend(drawn, [Line2D([], [], color=style.INK, linestyle=p, label=name) for name, p in patterns.items()])
    return drawn
