"""Which arms to begin with, to keep and to choose: held-out scores, drawn towards what was measured on other data.

Two arms differ on the held-out labels by what they are worth and by chance. In clean points the chance in their difference has
the variance ``SHARE * error^2``: ``error`` is the standard error of one score (:mod:`.soundness`), and two networks that are judged
on the same samples share most of theirs. What an arm is worth is expected from the regret benchmark
(:mod:`asymtheory.selection.advice`) up to ``RESIDUAL`` points. The most likely deficit of an arm weighs both,

    deficit_i  ~  (best held-out - held-out_i) / slope + SHARE * (error / RESIDUAL)^2 * expected_i,

so on symmetric noise of rate 0.2 the held-out labels decide, and at 0.8, where one standard error is worth ten points or more, what
was measured elsewhere does. It decides which arms a rung keeps, and the last choice; before anything is trained, what is
expected is all that is known. Both numbers were medians over 70 of the tasks that were not set aside when they were chosen;
docs/regret.md has those of all.

On clean labels nothing but chance speaks against CE: there another loss is taken only if it is better by more than one standard
error of a held-out accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

SHARE = 0.1
"""Of the variance of one accuracy, what is left in the difference of two arms."""
RESIDUAL = 1.8
"""Points by which an arm strays from what is expected of it."""


def beforehand(expected: Sequence[float | None]) -> list[int]:
    """The places of arms by what is expected of them, the best first; one of which nothing is known counts as the mean of the
    others, and of equal ones the first is first."""
    known = _filled(expected)
    return sorted(range(len(known)), key=lambda place: (known[place], place))


def deficits(held: Sequence[float], expected: Sequence[float | None], slope: float, error: float) -> list[float]:
    """The likeliest points of each arm below the best one; NaN where the score is.

    ``held``: scores on held-out noisy labels, as shares; ``expected``: points below the best that are expected of each, None
    where it was not measured (then it counts as the mean of the others); ``slope``: of a score, that a clean point is worth;
    ``error``: one standard error of a score as a share of clean accuracy. Without any expectation, and where ``slope``
    is not above 0, the scores decide alone.
    """
    weighs = slope > 0 and math.isfinite(error)
    pull = SHARE * (100 * error / RESIDUAL) ** 2 if weighs else 0.0
    best = max((x for x in held if x == x), default=math.nan)
    return [
        100 * (best - score) / (slope if slope > 0 else 1.0) + pull * own
        for score, own in zip(held, _filled(expected), strict=True)
    ]


def _filled(expected: Sequence[float | None]) -> list[float]:
    known = [each for each in expected if each is not None]
    usual = sum(known) / len(known) if known else 0.0
    return [usual if each is None else each for each in expected]


def order(
    held: Sequence[float],
    expected: Sequence[float | None],
    slope: float,
    error: float,
    usual_ones: Collection[int] = (),
) -> list[int]:
    """The places of arms, the likeliest best first (see :func:`deficits`); NaN is last.

    ``usual_ones``: places of which the best is first unless another arm is better by more than ``error``.
    """
    lost = deficits(held, expected, slope, error)
    found = sorted(range(len(held)), key=lambda place: (lost[place] != lost[place], lost[place], place))
    kept = next((place for place in found if place in usual_ones), found[0])
    if held[found[0]] - held[kept] <= error:
        found.remove(kept)
        found.insert(0, kept)
    return found
