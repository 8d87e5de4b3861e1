"""Successive halving (Jamieson and Talwalkar 2016): many arms for a few epochs, the best third of them for three times as many.

An arm is trained as part of one run of full length: its learning rate follows the schedule of all epochs, and an arm that is kept
goes on where it was. So the last rung has whole runs, and what they cost is counted once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

FACTOR = 3


@dataclass(frozen=True)
class Rung:
    """A rung: ``arms`` runs are trained until this epoch (counted from the start of a run)."""

    arms: int
    until: int


def rungs(arms: int, epochs: int, factor: int = FACTOR) -> list[Rung]:
    """The rungs for a number of arms >= 1 and runs of ``epochs``: each keeps one arm in ``factor``, for so many times longer."""
    levels = 1
    while factor**levels <= epochs and factor ** (levels - 1) < arms:
        levels += 1
    return [Rung(-(-arms // factor**place), epochs // factor ** (levels - 1 - place)) for place in range(levels)]


def cost(plan: Sequence[Rung]) -> int:
    """Epochs of all arms together."""
    before, total = 0, 0
    for rung in plan:
        total += rung.arms * (rung.until - before)
        before = rung.until
    return total


def afforded(arms: int, epochs: int, budget: int | None, factor: int = FACTOR) -> list[Rung]:
    """The rungs with as many arms, at most ``arms``, as a budget of epochs pays for; at least one arm is trained."""
    while arms > 1 and budget is not None and cost(rungs(arms, epochs, factor)) > budget:
        arms -= 1
    return rungs(arms, epochs, factor)


def best(scores: Sequence[float], count: int, one_of: Collection[int] = ()) -> list[int]:
    """The places of the highest scores, best first; NaN is the lowest, and of equal ones the first wins.

    The best of ``one_of`` is always among them, as the last where it would not be.
    """
    order = sorted(range(len(scores)), key=lambda place: (scores[place] != scores[place], -scores[place], place))
    kept = order[:count]
    if one_of and not any(place in one_of for place in kept):
        kept[-1] = next(place for place in order if place in one_of)
    return kept
