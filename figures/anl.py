"""Figures of ANL (Ye et al., NeurIPS 2023): vertical flipping, and the gradients of NNCE against those of MAE."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from asymtheory.backends import numpy_
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build
from asymtheory.ratio import pointwise_profile

from . import style
from .gallery import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Flip:
    """An active loss and its flipped form ``A - L`` over p(k|x) from p_min to 1."""

    p: Array
    loss: Array
    flipped: Array
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
    "anl-fig1", "Vertical flipping", "ANL Fig. 1, Eq. 6 and 7",
    note="It turns every active loss l(p_k) that falls strictly into a passive one; normalised losses it does not.",
)  # fmt: skip
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
