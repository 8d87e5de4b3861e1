"""A million (K, eta) pairs at once against `solve` one by one: python benchmarks/thresholds.py"""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
from _timing import Table, interleaved, once, show
from numpy.typing import NDArray

from asymtheory import build, solve, symmetric
from asymtheory.losses import Loss
from asymtheory.threshold import Threshold
from asymtheory.threshold.many import solve_many

PAIRS, SAMPLE, REPEAT = 10**6, 50, 5
CASES: tuple[tuple[str, dict[str, str], str], ...] = (
    ("agce", {"q": "0.5"}, "a"),
    ("agce", {"a": "1"}, "q"),
    ("aul", {"p": "1.5"}, "a"),
    ("aul", {"a": "6.3"}, "p"),
    ("ael", {}, "a"),
    ("amse", {}, "a"),
    ("amse", {"q": "1.5"}, "a"),
    ("taylor-ce", {}, "t"),
    ("phuber-ce", {}, "tau"),
    ("jal-ce", {}, "a"),
)


def one_by_one(loss: Loss, parameter: str, K: NDArray[np.int64], eta: NDArray[np.float64]) -> list[Threshold]:
    """The rival: a certified threshold for each pair of a class count and a rate."""
    return [solve(loss, symmetric(int(k), Fraction(x)), parameter) for k, x in zip(K, eta, strict=True)]


def measure(pairs: int = PAIRS, sample: int = SAMPLE, repeat: int = REPEAT) -> Table:
    """K from 2 to 1000 and all rates at which the clean labels dominate."""
    generator = np.random.default_rng(0)
    K = generator.integers(2, 1001, pairs)
    eta = generator.uniform(0, 1, pairs) * (K - 1) / K
    rows = []
    for name, fixed, parameter in CASES:
        loss = build(name, **{p: Fraction(v) for p, v in fixed.items()})
        all_at_once = interleaved({"": partial(solve_many, loss, K, eta, parameter)}, repeat)[""]
        answers, seconds = once(partial(one_by_one, loss, parameter, K[:sample], eta[:sample]))
        found = solve_many(loss, K[:sample], eta[:sample], parameter)
        differences = [
            abs(value / answer.end.value - 1)
            for value, answer in zip(found, answers, strict=True)
            if answer.status == "threshold" and answer.end is not None and answer.end.value
        ]
        each = seconds / sample
        rows.append(
            (
                f"{loss}, {parameter}",
                str(all_at_once),
                show(each),
                f"{each * pairs / all_at_once.best:,.0f}",
                f"{max(differences, default=0):.1e}",
            )
        )
    return Table(
        f"Thresholds: {pairs:,} pairs (K, eta) at once",
        f"under 0.2 s; rival: `solve` on {sample} of them in the same run, per pair",
        ("loss, parameter", "all pairs", "solve, one pair", "ratio", "largest relative difference"),
        tuple(rows),
    )


if __name__ == "__main__":
    print(measure())
