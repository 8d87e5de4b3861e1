"""Exact minimisers of the weighted risk against SLSQP one by one: python benchmarks/minimisers.py"""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
from _timing import Table, interleaved, once, show
from numpy.typing import NDArray
from scipy.optimize import minimize

from asymtheory import build, minimise
from asymtheory.asymmetry.risk import weighted_risk
from asymtheory.losses import Loss

PROBLEMS, SAMPLE, REPEAT, LARGE = 10**4, 20, 3, 10**5
LOSSES: tuple[tuple[str, dict[str, str]], ...] = (
    ("ce", {}), ("fl", {}), ("gce", {}), ("sce", {}), ("agce", {}), ("aul", {}), ("ael", {}), ("mse", {}), ("amse", {"a": "3"}),
    ("amse", {"a": "3", "q": "1.5"}), ("amse", {"a": "3", "q": "3"}), ("taylor-ce", {}), ("phuber-ce", {}), ("mae", {}),
    ("jal-ce", {"a": "3"}), ("nce+agce", {"a": "1", "q": "0.5"}),
)  # fmt: skip


def slsqp(loss: Loss, w: NDArray[np.float64]) -> float:
    """The rival: a general constrained solver with the value only, from the barycentre."""
    K = len(w)
    with np.errstate(all="ignore"):
        found = minimize(
            lambda u: float(weighted_risk(loss, w, u)), np.full(K, 1 / K), method="SLSQP", bounds=[(1e-9, 1.0)] * K,
            constraints={"type": "eq", "fun": lambda u: u.sum() - 1}, options={"maxiter": 200, "ftol": 1e-12},
        )  # fmt: skip
    u = np.clip(found.x, 0, None)
    return float(weighted_risk(loss, w, u / u.sum()))


def slsqp_of_all(loss: Loss, weights: NDArray[np.float64]) -> list[float]:
    """The rival's risk of each row of weights."""
    return [slsqp(loss, w) for w in weights]


def measure(problems: int = PROBLEMS, sample: int = SAMPLE, repeat: int = REPEAT, large: int = LARGE) -> Table:
    """Dirichlet(1) weights; "worse by" is the largest excess of our objective over SLSQP's, negative where ours is better.

    It is left out where the minimum is a limit that is not attained (sums with NCE).
    """
    generator = np.random.default_rng(0)
    many, one = generator.dirichlet(np.ones(10), problems), generator.dirichlet(np.ones(large))
    rows = []
    for name, fixed in LOSSES:
        loss = build(name, **{p: Fraction(v) for p, v in fixed.items()})
        times = interleaved({"many": partial(minimise, loss, many), "one": partial(minimise, loss, one)}, repeat)
        rival, seconds = once(partial(slsqp_of_all, loss, many[:sample]))
        found = minimise(loss, many)
        excess = (found.value[:sample] - np.array(rival)).max()
        ratio = seconds / sample * problems / times["many"].best
        gap = "" if found.gap is None else f"{found.gap.max():.1e}"
        worse = "" if np.isnan(excess) else f"{excess:.1e}"
        rows.append((str(loss), str(times["many"]), f"{ratio:,.0f}", worse, gap, show(times["one"].best)))
    return Table(
        f"Exact minimisers: {problems:,} problems with K = 10 in one call, and one with K = {large:,}",
        f"under 0.1 s each, at least 1000 times SLSQP ({sample} problems in the same run) at equal or better objective",
        ("loss", "all problems", "ratio to SLSQP", "worse by", "largest gap", f"K = {large:,}"),
        tuple(rows),
    )


if __name__ == "__main__":
    print(measure())
