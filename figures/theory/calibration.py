"""Binary classification calibration of any loss l(v): H, H^-, the psi transform and the gap at eta = 1/2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from asymtheory.asymmetry.calibration import Calibration, ExcessRiskBound, calibrate, excess_risk_bound
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build

from .. import style
from ..gallery import check_count, figure

VERDICTS = {
    True: "is classification-calibrated",
    False: "is not classification-calibrated",
    None: "may be classification-calibrated: not settled",
}


@dataclass(frozen=True, eq=False)
class Curves:
    """The calibration of a loss, and ALF Theorem 2's bound where it has one (else None)."""

    curve: Calibration
    bound: ExcessRiskBound | None
    undecided: float  # C(1/2, 1/2) = l(1/2)


def calibration_data(loss: Loss, points: int = 401) -> Curves:
    """H, H^-, psi~ and psi of the core on equal steps of eta; raises InputError for a loss that is not l(u_y)."""
    curve = calibrate(loss, np.linspace(0, 1, check_count("points", points, 3)))
    half = calibrate(loss, 0.5)
    try:
        bound = excess_risk_bound(loss)
    except InputError:
        bound = None
    return Curves(curve, bound, float(half.H[0]) + half.gap_half)


@figure(
    "calibration",
    "Classification calibration",
    "ALF Theorem 1 and 2, Fig. 1; Bartlett et al. 2006",
)
def calibration(*, width: float = 6.75, loss: Loss | None = None, points: int = 401) -> Figure:
    """(a) Least conditional risk H and least conditional risk of a wrong decision H^- against the posterior eta; the gap at
    1/2 is by how much an undecided prediction is not optimal there. (b) psi~ = H^- - H, its largest convex minorant psi, and
    what ALF Theorem 2 says psi is at least; where that line is above psi, the theorem fails. AGCE (a = 1, q = 2) by default.
    """
    chosen = build("agce", a=1, q=2) if loss is None else loss
    data = calibration_data(chosen, points)
    curve, look = data.curve, style.look(chosen.name)
    side = width >= 3
    drawn, (first, second) = style.grid(
        width, 2, aspect=0.66 if width > 4.5 else 1.05, least=1.5 if side else 9, extra=1.1
    )
    first.plot(curve.eta, curve.H, color=look.colour, label="$H$")
    first.plot(curve.eta, curve.H_minus, color=look.colour, linestyle=(0, (5, 1.5)), label="$H^-$")
    least = data.undecided - curve.gap_half
    label = rf"gap at $\eta = 1/2$: {curve.gap_half:.3g}"
    first.plot(
        [0.5, 0.5], [least, data.undecided], color=style.SOFT, marker="_", markersize=6, linewidth=0.8, label=label
    )
    first.set(xlabel=r"$\eta$", ylabel=r"$H_\ell(\eta)$, $H_\ell^-(\eta)$", xlim=(0, 1))
    first.set_title("conditional risk")
    right = curve.theta >= 0
    theta = curve.theta[right]
    tone = style.shades(look.colour, 3)[2]
    second.plot(theta, curve.psi[right], color=tone, linewidth=2.4, label=r"$\psi$")
    label = r"$\tilde\psi = H^- - H$"
    second.plot(theta, curve.psi_tilde[right], color=look.colour, linestyle=(0, (5, 1.5)), label=label)
    if data.bound is not None and np.isfinite(data.bound.constant):
        answer = {True: "holds", False: "fails", None: "undecided"}[data.bound.holds]
        second.plot(theta, theta / data.bound.constant, **style.THRESHOLD, label=f"Theorem 2: {answer}")
    second.set(xlabel=r"$\theta = 2\eta - 1$", ylabel=r"$\psi(\theta)$", xlim=(0, 1))
    second.set_title(r"$\psi$ transform")
    for panel in (first, second):
        style.legend_below(panel)
    style.letters((first, second))
    style.title(drawn, f"{style.loss_title(chosen)} {VERDICTS[curve.calibrated]}")
    return drawn
