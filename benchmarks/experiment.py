"""The weighted-risk experiment of ALF Fig. 2 against the same steps one problem at a time, in the same run.

    python benchmarks/experiment.py [--draws 200] [--starts 8] [--values 40] [--workers N]

Three losses (AGCE q = 0.5, AUL p = 2, AEL) x 40 parameter values x 200 draws x 8 starts, K = 10; targets: 20 s, and 100
times less per problem and step than one problem at a time. That is timed twice: by the same program, called for each
problem, and by plain numpy with each loss's slope typed in by hand, the least that one problem can cost a step.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from asymtheory.experiments.descent import BETAS, EPSILON, descend
from asymtheory.experiments.sweep import parse_sweep
from asymtheory.experiments.weighted_risk import WeightedRiskExperiment
from asymtheory.losses import build

CASES: list[tuple[str, dict[str, Any], str, Callable[[Any, float], Any]]] = [
    ("agce", {"q": Fraction(1, 2)}, "a=0.05:2", lambda u, a: -((a + u) ** -0.5)),
    ("aul", {"p": Fraction(2)}, "a=1.05:6", lambda u, a: u - a),
    ("ael", {}, "a=0.05:4", lambda u, a: np.exp(-u / a) / -a),
]


def one_problem(
    slope: Callable[[Any, float], Any], a: float, w: Any, z: Any, experiment: WeightedRiskExperiment
) -> Any:
    """Adam on one vector of logits; returns softmax(z) after all steps."""
    z, first, second = z.copy(), np.zeros_like(z), np.zeros_like(z)
    one, two = BETAS
    assert experiment.rate is not None
    for step in range(1, experiment.steps + 1):
        p = np.exp(z - z.max())
        p /= p.sum()
        g = w * slope(p, a)
        g = p * (g - p @ g)
        first = one * first + (1 - one) * g
        second = two * second + (1 - two) * g * g
        rate = 0.5 * experiment.rate * (1 + math.cos(math.pi * (step - 1) / experiment.steps))
        z -= rate * (first / (1 - one**step)) / (np.sqrt(second / (1 - two**step)) + EPSILON)
    p = np.exp(z - z.max())
    return p / p.sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("draws", 200), ("starts", 8), ("values", 40)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--workers", type=int, default=None)
    options = parser.parse_args()
    total, ratios, by_hand = 0.0, [], []
    for name, settings, sweep, slope in CASES:
        parameter, values = parse_sweep(f"{sweep}:{options.values}")
        experiment = WeightedRiskExperiment(
            build(name, **settings), parameter, values, draws=options.draws, starts=options.starts
        )
        w, z = experiment.sample()
        index, problems = options.values // 2, 40

        began = time.perf_counter()
        result = experiment.run(workers=options.workers)
        batched = time.perf_counter() - began
        each = batched / result.steps.sum()

        began = time.perf_counter()
        alone = [one_problem(slope, float(values[index]), w[d], z[d, 0], experiment) for d in range(problems)]
        single = (time.perf_counter() - began) / (problems * experiment.steps)

        columns, starts = w[:problems].T, z[:problems, 0].T
        loss = experiment.losses[index]
        began, made = time.perf_counter(), 0
        for d in range(problems):
            found = descend(loss, columns[:, [d]], starts[:, [d]], experiment.descent, lambda: False)
            assert found is not None
            made += int(found[2][0])
        same = (time.perf_counter() - began) / made

        reached = [p[m] for p, m in zip(alone, result.top, strict=False)]
        # a start that has stopped stays where it stopped
        assert np.abs(np.array(reached) - result.reached[index, :problems, 0]).max() < 1e-3
        total += batched
        ratios.append(same / each)
        by_hand.append(single / each)
        print(
            f"{name:5} {batched:6.2f} s, {each * 1e9:6.0f} ns a problem and step; alone {same * 1e9:7.0f} ns "
            f"({ratios[-1]:.0f} times), typed in by hand {single * 1e9:7.0f} ns ({by_hand[-1]:.0f} times); "
            f"steps {result.steps.mean():.0f} of {experiment.steps}"
        )
    print(
        f"total {total:.1f} s (target 20 s), median ratio {statistics.median(ratios):.0f} (target 100), "
        f"by hand {statistics.median(by_hand):.0f}"
    )


if __name__ == "__main__":
    main()
