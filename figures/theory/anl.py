"""Figures of ANL (Ye et al., NeurIPS 2023): vertical flipping, and the gradients of NNCE against those of MAE."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from asymtheory.asymmetry.ratio import pointwise_profile
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build
from asymtheory.numbers.backends import numpy_

from .. import style
from ..gallery import check_count, figure
from ..results import Floats
from .gradients import by_probability, with_equal_rest


@dataclass(frozen=True, eq=False)
class Flip:
    """An active loss and its flipped form ``A - L`` over p(k|x) from p_min to 1."""

    p: Floats
    loss: Floats
    flipped: Floats
    A: float


def anl_fig1_data(loss: Loss, p_min: Fraction = Fraction(1, 10**7), points: int = 400) -> Flip:
    """l and A - l with A = l(p_min) (ANL Eq. 7) for a loss l(u_y) of the core; p is denser near p_min."""
    if not 0 < p_min < Fraction(1, 2):
        raise InputError(f"option p_min = {float(p_min):g}: between 0 and 1/2 is needed")
    xp, low = numpy_(), float(p_min)
    p = np.unique(np.concatenate([np.geomspace(low, 1, points), np.linspace(low, 1, points)]))
    try:
        formula = pointwise_profile(loss).on(xp)
    except InputError:
        raise InputError(f"anl-fig1 flips losses of the form l(p_k); {loss.name} is none") from None
    value = np.asarray(formula(p, np.log(p), xp), dtype=float)
    A = float(value[0])
    return Flip(p, value, A - value, A)


@figure(
    "anl-fig1",
    "Vertical flipping",
    "ANL Fig. 1, Eq. 6 and 7",
    note="It turns every active loss l(p_k) that falls strictly into a passive one; normalised losses it does not.",
)
def anl_fig1(*, width: float = 3.25, loss: Loss | None = None, p_min: Fraction = Fraction(1, 10**7)) -> Figure:
    """An active loss L(f(x), k) (cross entropy unless another is given) and A - L(f(x), k), its mirror image at loss = A/2.

    A = L at p(k|x) = p_min, so that the flipped loss is 0 there and rises with p(k|x): it asks for p(k|x) = p_min.
    """
    active = build("ce") if loss is None else loss
    data = anl_fig1_data(active, p_min)
    drawn = style.canvas(width, 0.55 + 0.62 * min(width, 4.5))
    axes = drawn.subplots()
    (straight,) = axes.plot(data.p, data.loss, **style.look(active.name).line(), label=rf"$L(f(x), k)$: {active.title}")
    (flipped,) = axes.plot(data.p, data.flipped, **style.look("nnce").line(), label=r"$A - L(f(x), k)$")
    axis = axes.axhline(data.A / 2, **style.THRESHOLD, label=rf"axis $A/2$, $A = {data.A:.4g}$")
    for at in (0.25, 0.75):
        top, bottom = (float(np.interp(at, data.p, y)) for y in (data.flipped, data.loss))
        axes.annotate("", (at, top), (at, bottom), arrowprops={"arrowstyle": "<->", "color": style.SOFT, "lw": 0.6})
    axes.set(xlabel=r"$p(k|x)$", ylabel="loss", xlim=(-0.02, 1.02))
    style.legend(drawn, [straight, flipped, axis])
    return drawn


# -------------------------------------------------------------------------------------------- Section 3.3

K = 10
CONFIDENCES = (0.2, 0.5, 0.8)
DECADES = (1e-4, 1e-3, 1e-2, 0.1, 1)


@dataclass(frozen=True, eq=False)
class Gradients:
    """Derivatives of NNCE and MAE before the softmax, K = 10, classes other than y and j sharing what is left equally."""

    p_j: dict[float, Floats]  # by p_y: the values of p_j < 1 - p_y
    other: dict[float, Floats]  # by p_y: dNNCE/dp_j there
    p_y: Floats
    own: Floats  # -dNNCE/dp_y over p_y, j = any other class
    printed: Floats  # the same by the second line of ANL Eq. 15
    mae: tuple[float, float]  # (dMAE/dp_j, -dMAE/dp_y), constant
    map_j: Floats  # (G, G) values of p_j of the map: for each p_y of equal ratio, as far as the simplex goes
    map_y: Floats  # (G, 1) values of p_y
    field: Floats  # (G, G) dNNCE/dp_j there


def anl_gradients_data(points: int = 160) -> Gradients:
    """Every derivative from the core's definitions (``gradients.by_probability``)."""
    check_count("points", points, 10)
    nnce, mae = build("nnce"), build("mae")
    p_j = {c: np.geomspace(1e-4, 0.97 * (1 - c), points) for c in CONFIDENCES}
    other = {c: by_probability(nnce, with_equal_rest(K, p_y=c, p_j=x))[..., 1] for c, x in p_j.items()}
    p_y = np.geomspace(1e-4, 0.97, points)
    own = with_equal_rest(K, p_y=p_y)
    flat = by_probability(mae, own)
    assert np.ptp(flat[..., 0]) == np.ptp(flat[..., 1]) == 0
    A = -np.log(float(nnce.p_min))  # type: ignore[attr-defined]
    printed = 1 / (p_y * (A + np.log(own)).sum(-1) ** 2)
    map_y = np.linspace(0.005, 0.99, points)[:, None]
    map_j = np.geomspace(1e-4, 0.995 - map_y[:, 0], points, axis=1)  # up to the edge, which is drawn as a smooth one
    field = by_probability(nnce, with_equal_rest(K, p_y=map_y, p_j=map_j))[..., 1]
    slopes = -by_probability(nnce, own)[..., 0]
    return Gradients(p_j, other, p_y, slopes, printed, (float(flat[0, 1]), -float(flat[0, 0])), map_j, map_y, field)


@figure(
    "anl-gradients",
    "Gradients of NNCE against MAE",
    "ANL Sec. 3.3, Eq. 14 and 15",
    note="Drawn by differentiating the definitions. The second line of Eq. 15 as printed lacks the factor "
    "sum_{k != y} (A + log p_k); Eq. 25 of the appendix has it. Its curve is shown dotted.",
)
def anl_gradients(*, width: float = 6.75, points: int = 160) -> Figure:
    """Derivatives with respect to the probabilities before the softmax, K = 10. (a) of the other classes over p_j: NNCE falls
    like 1/p_j (Theorem 2) and grows with p_y (Theorem 3), MAE is 1. (b) of the labelled class over p_y. (c) dNNCE/dp_j over
    the plane of p_j and p_y: it exceeds the 1 of MAE only where p_j is below about 0.001, left of the white line.
    """
    data = anl_gradients_data(points)
    drawn, (first, second, third) = style.grid(width, 3, aspect=0.55 if width < 4.2 else 0.85, extra=0.7)
    nnce, mae = style.look("nnce"), style.look("mae")
    for (confidence, x), colour in zip(data.p_j.items(), style.shades(nnce.colour, 3), strict=True):
        first.plot(x, data.other[confidence], color=colour, label=f"(a) NNCE, $p_y = {confidence:g}$")
    first.axhline(data.mae[0], **mae.line())
    first.set(xlabel="$p_j$", ylabel=r"$\partial L / \partial p_j$, $j \neq y$")
    second.plot(data.p_y, data.own, color=nnce.colour, label="(b) NNCE")
    second.plot(data.p_y, data.printed, color=nnce.colour, linestyle=":", label="(b) NNCE, Eq. 15 as printed")
    second.axhline(data.mae[1], **mae.line(label="MAE"))
    second.set(xlabel="$p_y$", ylabel=r"$-\,\partial L / \partial p_y$")
    for panel in (first, second):
        panel.set_xlim(1e-4, 1)
        style.log_ticks(panel, "x", DECADES)
        style.log_ticks(panel, "y")
    _draw_field(drawn, third, data)
    for panel, name in zip((first, second, third), ("other classes", "labelled class", "other classes"), strict=True):
        panel.set_title(name)
    style.letters((first, second, third))
    style.legend(drawn, [*first.lines[: len(CONFIDENCES)], *second.lines])
    return drawn


def _draw_field(drawn: Figure, panel: Axes, data: Gradients) -> None:
    height = np.log10(data.field)
    plane = data.map_j, np.broadcast_to(data.map_y, data.map_j.shape)
    shown = panel.contourf(*plane, height, levels=np.arange(-3.0, 1.01, 0.25), extend="both")
    panel.contour(*plane, height, levels=[0.0], colors="white", linewidths=1.2)
    bar = drawn.colorbar(shown, ax=panel, aspect=18, pad=0.02)
    bar.set_label(r"$\partial L / \partial p_j$ of NNCE (white: 1)")
    bar.set_ticks([-3, -2, -1, 0, 1])
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{10.0**x:g}"))
    panel.set(xlabel="$p_j$", ylabel="$p_y$", xlim=(1e-4, 1), ylim=(0, 1))
    style.log_ticks(panel, "x", DECADES)
    panel.grid(False)
