"""Risk landscapes on the simplex of three classes: contours of the weighted risk, its minimiser, and gradient flow.

Ternary coordinates: the clean class is the upper corner, its runner-up the lower left one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.tri import Triangulation
from scipy.integrate import LSODA

from asymtheory import NCE, Loss, build, from_weights, minimise, solve, weighted_risk
from asymtheory.asymmetry.rules import endless
from asymtheory.errors import InputError
from asymtheory.experiments.descent import Objective
from asymtheory.losses.profile import Profile
from asymtheory.noise import parse_number

from .. import style
from ..gallery import figure
from ..results import Floats

CORNERS = np.array([[0.5, np.sqrt(0.75)], [0.0, 0.0], [1.0, 0.0]])  # of classes 1, 2, 3 in the plane
BELOW, ABOVE = 0.4, 3.0  # parameters drawn, as multiples of the threshold
CONTOURS = (0.0, 0.01, 0.03, 0.06, 0.1, 0.16, 0.24, 0.34, 0.46, 0.6, 0.78, 1.0)  # shares of the range of the risk
STARTS = 8  # flow starts at the inner points of a lattice with this many steps along an edge
TIMES = np.geomspace(1e-2, 1e9, 320)  # at which flow lines are drawn; the last is so late that all of them have arrived
MOST_STEPS = 3000  # of the flow; a smooth risk takes some hundreds


@dataclass(frozen=True)
class Landscape:
    """One loss on weights (3,), largest first: risk on a lattice, where it is least, and lines of steepest descent.

    ``points`` (N, 3) and ``risk`` (N,), NaN where the loss has no value; ``minimiser`` (3,) where there is one, else None and
    ``edge`` are the two ends of the edge along which the infimum is approached everywhere; ``lines`` are arrays (n, 3).
    """

    loss: Loss
    weights: Floats
    points: Floats
    triangles: Floats
    risk: Floats
    minimiser: Floats | None
    edge: Floats | None
    lines: tuple[Floats, ...]


def plane(u: Any) -> Floats:
    """Points (..., 3) of the simplex in the plane, (..., 2)."""
    return np.asarray(u) @ CORNERS


@cache
def lattice(count: int) -> tuple[Floats, Floats]:
    """The points of the simplex whose entries are multiples of 1/count, (N, 3), and the small triangles between them."""
    index: dict[tuple[int, int], int] = {}
    points: list[tuple[int, int, int]] = []
    for i in range(count + 1):
        for j in range(count + 1 - i):
            index[i, j] = len(points)
            points.append((i, j, count - i - j))
    up = [(index[i, j], index[i + 1, j], index[i, j + 1]) for i, j in index if i + j < count]
    down = [(index[i + 1, j], index[i, j + 1], index[i + 1, j + 1]) for i, j in index if i + j < count - 1]
    return np.array(points) / count, np.array(up + down)


def landscape_data(loss: Loss, weights: Any, count: int = 80) -> Landscape:
    """The landscape of a loss on three weights, largest first; the lattice has ``count`` steps along an edge."""
    w = np.array([float(value) for value in weights])
    if w.shape != (3,) or (np.diff(w) > 0).any():
        raise InputError(f"a landscape needs three weights, largest first (given: {', '.join(f'{x:g}' for x in w)})")
    points, triangles = lattice(count)
    starts = lattice(STARTS)[0]
    lines = flow(loss, w, starts[(starts > 0).all(1)])
    least = None if _without_minimiser(loss) else minimise(loss, w).point
    edge = np.delete(np.eye(3), int(w.argmin()), axis=0) if least is None else None
    return Landscape(loss, w, points, triangles, weighted_risk(loss, w, points), least, edge, lines)


def _without_minimiser(loss: Loss) -> bool:
    """NCE and NFL alone: the risk tends to min w wherever the class of least weight tends to 0 (docs/theory.md, section 3)."""
    profile = Profile.of(loss, 3)
    return not (profile.separable or profile.negative or profile.clipped) and all(
        endless(atom) for _, atom in profile.normalised
    )


def flow(loss: Loss, weights: Floats, starts: Floats, times: Floats = TIMES) -> tuple[Floats, ...]:
    """Gradient flow of F_w on softmax logits, dz/dt = -dF/dz, from ``starts`` (B, K) inside the simplex, as paths of u.

    The whole batch is one system of equations for LSODA (stiff next to a curved valley), to 1e-6 relative. Returns B
    arrays (n, K): the start, then u at ``times`` (n - 1,), per unit of weight.
    """
    objective, shape = Objective(loss, len(weights)), starts.T.shape
    w = np.repeat(np.asarray(weights)[:, None] / np.sum(weights), len(starts), axis=1)
    total = w.sum(0)

    def down(_: float, z: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return -objective.gradient(z.reshape(shape), w, total)[2].ravel()

    t = np.append(0.0, times)
    z = _followed(down, np.log(starts.T).ravel(), t)
    z = z.reshape(*shape, len(t))
    with np.errstate(all="ignore"):
        u = objective.gradient(z.reshape(shape[0], -1), np.repeat(w, len(t), 1), np.repeat(total, len(t)))[0]
    return tuple(np.moveaxis(u.reshape(z.shape), 0, -1))


def _followed(down: Callable[[float, Floats], Floats], start: Floats, times: Floats) -> Floats:
    """The solution at ``times`` (M,), as columns; where a gradient that jumps takes more than MOST_STEPS steps, it ends there."""
    solver = LSODA(down, 0.0, start, times[-1], rtol=1e-6, atol=1e-8)
    found = [start]
    for _ in range(MOST_STEPS):
        if solver.status != "running" or len(found) == len(times):
            break
        solver.step()
        if times[len(found)] <= solver.t:
            between = solver.dense_output()
            found += [between(t) for t in times[len(found) :] if t <= solver.t]
    return np.stack([*found, *[solver.y] * (len(times) - len(found))], -1)


@figure(
    "landscape",
    "Risk landscapes on three classes: below, at and above the threshold, and of NCE",
    "minimisers and thresholds of this package; NCE: docs/theory.md, section 3",
)
def landscape(*, width: float = 6.75, loss: Loss | None = None, weights: str = "0.5,0.3,0.2") -> Figure:
    """Weighted risk on the simplex of three classes (shaded and contoured in shares of its range), with the exact minimiser
    and gradient flow on softmax logits (dz/dt = -dF/dz, arrows, up to t = 10^9), for AMSE unless another loss is given: below
    its threshold the minimiser lies inside, at and above it at the vertex of the clean class. NCE has no unique minimiser: its
    risk tends to the infimum along the whole edge on which the class of least weight has probability 0, though the flow,
    which slides along that edge in the end, tends to one point of it (circle).

    That point is u_k = (w_k - w_3) / (w_1 + w_2 - 2 w_3): with v = -log u_3 -> inf the risk is
    w_3 + sum_k (w_k - w_3) (-log u_k) / v + o(1/v), and at any v the cross entropy with weights w_k - w_3 is least there.
    """
    drawn_loss = build("amse") if loss is None else loss
    w = [parse_number(part.strip(), "weights") for part in weights.split(",")]
    panels = [(landscape_data(at, w), title) for at, title in around_threshold(drawn_loss, w, named=loss is None)]
    panels.append((landscape_data(NCE(), w), "NCE: a whole edge"))
    across = style.columns(len(panels), width, 1.5)
    rows = -(-len(panels) // across)
    drawn = style.canvas(width, rows * (width / across * 0.78 + 0.2) + 0.9)
    axes = drawn.subplots(rows, across, squeeze=False).ravel().tolist()
    colours = ListedColormap(_shades(len(CONTOURS) - 1))
    norm = BoundaryNorm(CONTOURS, colours.N)
    for panel, (data, title) in zip(axes, panels, strict=False):
        _draw(panel, data, colours, norm)
        panel.set_title(title)
    for empty in axes[len(panels) :]:
        empty.set_axis_off()
    style.letters(axes[: len(panels)])
    bar = drawn.colorbar(
        ScalarMappable(norm, colours), ax=axes, location="bottom", aspect=40, fraction=0.06, pad=0.02, shrink=0.8
    )
    bar.set_label(r"weighted risk, share of its range: $(F_w-\min F_w)/(\max F_w-\min F_w)$")
    bar.set_ticks(CONTOURS, labels=[f"{share:g}" for share in CONTOURS])
    bar.ax.grid(False)
    handles = [
        Line2D([], [], **_MINIMISER, linestyle="", label="exact minimiser"),
        Line2D([], [], **_EDGE, label="infimum, approached all along the edge"),
        Line2D([], [], **_FLOW, marker=">", markersize=3, label="gradient flow on softmax logits"),
        Line2D([], [], **_END, linestyle="", label="where the flow on the edge ends"),
    ]
    style.legend(drawn, handles)
    if loss is not None:
        style.title(
            drawn, f"Risk landscapes on three classes: {style.loss_title(loss, [loss.main] if loss.main else [])}"
        )
    return drawn


def around_threshold(loss: Loss, weights: Any, *, named: bool = True) -> list[tuple[Loss, str]]:
    """The loss below, at and above the threshold of its main parameter on these weights, with titles; alone if it has none.

    ``named``: the first title says which loss it is, where no title above all panels does.
    """
    found = solve(loss, from_weights(weights))
    if found.end is None or loss.main is None:
        return [(loss, f"{style.loss_title(loss)}: {found.answer}" if named else found.answer)]
    name, at, domain = loss.main, found.end.number or found.end.value, loss.domains[loss.main]
    low = max(BELOW * float(at), float(domain.low if domain.low is not None else 0))
    sign, first = style.symbol(name), style.loss_title(loss, (name,))
    before = f"{first}, " if named else ""
    return [
        (loss.replace(**{name: low}), f"{before}${sign}={low:.4g}<{sign}^*$"),
        (loss.replace(**{name: at}), f"${sign}={float(at):.4g}={sign}^*$"),
        (loss.replace(**{name: float(at) * ABOVE}), f"${sign}={float(at) * ABOVE:.4g}>{sign}^*$"),
    ]


_MINIMISER: style.Keywords = {
    "marker": "*", "markersize": 7, "color": "#cf5002", "markeredgecolor": "white", "markeredgewidth": 0.3,
}  # fmt: skip
_EDGE: style.Keywords = {"color": "#cf5002", "linewidth": 2.4, "solid_capstyle": "round"}
_END: style.Keywords = {
    "marker": "o", "markersize": 3.5, "color": "black", "markerfacecolor": "white", "markeredgewidth": 0.7,
}  # fmt: skip
_FLOW: style.Keywords = {"color": "black", "linewidth": 0.5}


def _shades(count: int) -> Floats:
    """A colour map from light (little risk) to a blue-grey that black lines are still seen on."""
    return np.asarray(colormaps["cividis"](np.linspace(1, 0.3, count)))


def _draw(panel: Axes, data: Landscape, colours: Any, norm: Any) -> None:
    x, y = plane(data.points).T
    risk = np.where(np.isfinite(data.risk), data.risk, np.nan)
    share = (risk - np.nanmin(risk)) / (np.nanmax(risk) - np.nanmin(risk))
    mesh = Triangulation(x, y, data.triangles)
    mesh.set_mask(np.isnan(share)[data.triangles].any(1))
    filled = np.where(np.isnan(share), 0.0, share)
    panel.tricontourf(mesh, filled, levels=CONTOURS, cmap=colours, norm=norm)
    edges = ["#404040" if i < len(CONTOURS) / 2 else "white" for i in range(1, len(CONTOURS) - 1)]  # light, dark shades
    panel.tricontour(mesh, filled, levels=CONTOURS[1:-1], colors=edges, linewidths=0.3)
    panel.plot(*plane(np.eye(3)[[0, 1, 2, 0]]).T, color=style.INK, linewidth=0.7)
    if data.minimiser is not None:
        panel.plot(*plane(data.minimiser), **_MINIMISER, clip_on=False)
    if data.edge is not None:
        panel.plot(*plane(data.edge).T, **_EDGE, clip_on=False)
    for path in data.lines:  # over the marks, so that each is seen to arrive
        _draw_line(panel, plane(path))
    if data.edge is not None:
        panel.plot(*plane(np.mean([path[-1] for path in data.lines], 0)), **_END, zorder=4)
    _draw_axes(panel, data.weights)


def _draw_line(panel: Axes, line: Floats) -> None:
    """A path with an arrow head at a third of its length."""
    panel.plot(*line.T, **_FLOW)
    along = np.append(0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1)))
    if along[-1] < 0.05:
        return
    middle = along[-1] / 3
    tail, head = (tuple(float(np.interp(middle + d, along, part)) for part in line.T) for d in (-0.01, 0.01))
    arrow = {"arrowstyle": "-|>,head_width=0.12,head_length=0.24", "color": "black", "linewidth": 0.5}
    panel.annotate("", (head[0], head[1]), (tail[0], tail[1]), arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0})


def _draw_axes(panel: Axes, weights: Floats) -> None:
    """Corners with their weights, marks at the quarters of each edge; numbers on the left one, where u_1 rises."""
    centre = CORNERS.mean(0)
    for start, end in pairwise([*CORNERS, CORNERS[0]]):
        outward = (start + end) / 2 - centre
        outward = outward / np.linalg.norm(outward)
        for share in (0.25, 0.5, 0.75):
            at = start + share * (end - start)
            panel.plot(*np.array([at, at + 0.02 * outward]).T, color=style.INK, linewidth=0.5, clip_on=False)
    for share in (0.25, 0.5, 0.75):
        x, y = plane([share, 1 - share, 0])
        text = f"$u_1={share:g}$" if share == 0.5 else f"{share:g}"
        panel.annotate(text, (x, y), xytext=(-4, 1), textcoords="offset points", ha="right", va="center", fontsize=6)
    places: tuple[tuple[str, str, tuple[int, int]], ...] = (
        ("left", "center", (7, -1)),
        ("left", "top", (-6, -4)),
        ("right", "top", (6, -4)),
    )
    for k, (across, upright, shift) in enumerate(places):
        panel.annotate(
            f"$e_{k + 1}$: $w_{k + 1}={weights[k]:.3g}$", (CORNERS[k, 0], CORNERS[k, 1]), xytext=shift, textcoords="offset points",
            ha=across, va=upright, fontsize=7, annotation_clip=False,
        )  # fmt: skip
    panel.set(aspect="equal", xlim=(-0.12, 1.12), ylim=(-0.1, np.sqrt(0.75) + 0.04))
    panel.set_axis_off()
