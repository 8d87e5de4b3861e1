"""Asymmetry ratios with enclosures against a prefix minimum on a grid: python benchmarks/ratio.py"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from _timing import Table, interleaved, show

from asymtheory import asymmetry_ratio, build, from_formula
from asymtheory.asymmetry.ratio import pointwise_profile
from asymtheory.losses import Loss
from asymtheory.numbers.backends import numpy_

POINTS, REPEAT = 1025, 5
LOSSES: tuple[tuple[str, dict[str, str]], ...] = (
    ("ce", {}), ("fl", {}), ("gce", {}), ("sce", {}), ("mae", {}), ("rce", {}), ("unhinged", {}), ("agce", {}),
    ("agce", {"a": "6", "q": "1.5"}), ("aul", {"a": "6.3", "p": "1.5"}), ("aul", {"a": "2", "p": "0.5"}), ("ael", {}),
    ("taylor-ce", {}), ("phuber-ce", {}), ("agce+aul", {"q": "1.5"}),
)  # fmt: skip

FORMULAS: tuple[tuple[str, dict[str, str]], ...] = (
    ("((a+1)**q-(a+u)**q)/q", {"a": "1", "q": "0.5"}), ("1-tanh(3*u)", {}), ("acos(u)", {}), ("-log(u+1/K)", {}),
    ("where(u<1/2,3/4-u,(1-u)**2)", {}), ("max(1-2*u,(1-u)/2)", {}), ("1/(1+exp(8*(u-0.4)))", {}),
)  # fmt: skip
"""One's own losses; the last two are neither convex nor concave on [0, 1] as far as boxes show, so all is searched."""


def on_grid(loss: Loss) -> float:
    """The rival: ``inf l'(x) / l'(y)`` over x + y <= 1 (Cauchy) on a grid, no enclosure. Slopes by numpy, as for us."""
    xp, u = numpy_(), np.linspace(0, 1, POINTS)
    with np.errstate(all="ignore"):
        x = xp.variable(u)
        steep = -pointwise_profile(loss).on(xp)(x, xp.log(x), xp).slope
        steepest = np.maximum.accumulate(np.broadcast_to(steep, u.shape))[::-1]  # for y <= 1 - x
        return float(np.nanmin(steep / steepest))


def measure(repeat: int = REPEAT) -> Table:
    rows = []
    for name, fixed in (*LOSSES, *FORMULAS):
        values = {p: Fraction(v) for p, v in fixed.items()}
        loss = from_formula(name, **values) if (name, fixed) in FORMULAS else build(name, **values)
        runs = {
            "us": lambda loss=loss: asymmetry_ratio(loss),
            "searched": lambda loss=loss: asymmetry_ratio(loss, search=True),
            "grid": lambda loss=loss: on_grid(loss),
        }
        times = interleaved(runs, repeat)
        found = asymmetry_ratio(loss)
        width = max(e.high - e.low for e in (found.r, found.r_pointwise, found.r_upper))
        low, high, rival = found.r_pointwise.low, found.r_pointwise.high, on_grid(loss)
        error = 0.0 if low <= rival <= high else min(abs(rival - low), abs(rival - high))
        rows.append(
            (
                str(loss), str(times["us"]), show(times["searched"].best), show(times["grid"].best), f"{low:.6g}", f"{width:.1e}",
                "no value" if math.isnan(error) else f"{error:.1e}",
            )
        )  # fmt: skip
    return Table(
        "Asymmetry ratios: r, r_pointwise and r_upper with enclosures",
        f"under 20 ms; rival: r_pointwise alone on {POINTS} points, without an enclosure",
        (
            "loss",
            "all three",
            "by branch and bound alone",
            "grid",
            "r_pointwise",
            "widest enclosure",
            "error of the grid",
        ),
        tuple(rows),
    )


if __name__ == "__main__":
    print(measure())
