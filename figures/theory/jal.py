"""Figures of JAL (Wang et al., ICCV 2025): the gradients of AMSE (Supp. A)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from asymtheory import build, solve, symmetric
from asymtheory.numbers.text import plain

from .. import style
from ..gallery import check_count, figure
from ..results import Floats
from .gradients import by_logit, by_probability, with_equal_rest


@dataclass(frozen=True, eq=False)
class Pulls:
    """AMSE with q = 2 on K classes, the other classes equal; one row for each a."""

    a: tuple[Fraction, ...]
    f_y: Floats  # (P,)
    own: Floats  # (A, P) -dL/df_y
    other: Floats  # (A, P) dL/df_k, k != y, over f_k = (1 - f_y) / (K - 1)
    weight: Floats  # (A, P) -dL/df_y in units of its value at f_y -> 0: the weight of a sample
    logit: Floats  # (A, P) -dL/dz_y after the softmax, in units of its largest value
    mae: Floats  # (P,) the same of MAE
    threshold: Fraction  # the least a for symmetric noise of 0.8


def jal_gradients_data(K: int = 10, points: int = 301) -> Pulls:
    """Every derivative from the core's definitions, at a = 1 (MSE), 2, the threshold for symmetric 0.8, and 30 (JAL Table 8).

    K >= 6: on fewer classes symmetric noise of 0.8 leaves no dominant class.
    """
    check_count("K", K, 6, 1000)
    check_count("points", points, 3)
    least = solve(build("amse"), symmetric(K, Fraction(4, 5))).pieces[0].low
    assert least is not None
    assert least.number is not None
    threshold = least.number
    a = (Fraction(1), Fraction(2), threshold, Fraction(30))
    f_y = np.linspace(1e-6, 1 - 1e-6, points)
    p = with_equal_rest(K, p_y=f_y)
    losses = [build("amse", a=value) for value in a]
    by_p = np.stack([by_probability(loss, p) for loss in losses])
    own, logit = -by_p[..., 0], np.stack([-by_logit(loss, p)[..., 0] for loss in [*losses, build("mae")]])
    logit = logit / logit.max(axis=1, keepdims=True)
    return Pulls(a, f_y, own, by_p[..., 1], own / own[:, :1], logit[:-1], logit[-1], threshold)


@figure(
    "jal-gradients",
    "Gradients of AMSE ($q = 2$): what $a$ changes",
    "JAL Supp. A",
    note="The supplement speaks of derivatives before the softmax, (a) and (b). After it, (c), samples of middling confidence "
    "weigh most whatever a is, and a large a gives the weights of MAE.",
)
def jal_gradients(*, width: float = 6.75, K: int = 10, points: int = 301) -> Figure:
    """(a) Derivatives before the softmax: of the labelled class -(2/K)(a - f_y), of the others the same for every a.
    (b) The weight of a sample against one of confidence 0: as a grows, confident samples gain. (c) The derivative by the
    logit z_y, in units of its largest value, beside that of MAE. One a is the threshold for symmetric noise of 0.8.
    """
    data = jal_gradients_data(K, points)
    drawn, (first, second, third) = style.grid(width, 3, aspect=0.55 if width < 4.2 else 0.9, extra=0.75)
    look, mae = style.look("amse"), style.look("mae")
    handles = []
    patterns = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))
    for i, (a, colour, dashes) in enumerate(zip(data.a, style.shades(look.colour, 4), patterns, strict=True)):
        line: style.Keywords = {"color": colour, "linestyle": dashes}
        first.plot(data.f_y, data.own[i], **line)
        second.plot(data.f_y, data.weight[i], **line)
        third.plot(data.f_y, data.logit[i], **line)
        named = {data.threshold: ": threshold, symmetric 0.8", Fraction(1): ": MSE"}.get(a, "")
        handles.append(Line2D([], [], **line, label=f"$a = {plain(a)}${named}"))
    (other,) = first.plot(data.f_y, data.other[0], color=style.SOFT, linewidth=0.8)
    other.set_label(r"$\partial L / \partial f_k$, every $a$")
    second.axhline(1, **mae.line())
    third.plot(data.f_y, data.mae, **mae.line())
    style.log_ticks(first, "y")
    first.set(ylabel=r"$|\partial L / \partial f_y|$, $|\partial L / \partial f_k|$", ylim=(2e-3, 2 * data.own.max()))
    first.set_title("before the softmax")
    second.set(ylabel=r"$\partial L / \partial f_y$ over its value at 0")
    second.set_title("weight of a sample")
    third.set(ylabel=r"$\partial L / \partial z_y$ over its largest")
    third.set_title("after the softmax")
    for panel in (first, second, third):
        panel.set(xlabel="$f_y$", xlim=(0, 1))
    style.letters((first, second, third))
    style.legend(drawn, [*handles, other, Line2D([], [], **mae.line(label="MAE"))])
    return drawn
