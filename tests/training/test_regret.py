"""The regret benchmark scores the search that ``tune`` makes, and the ranking that ``select`` prints."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from asymtheory_training.tune.space import arms

from asymtheory.noise import resolve
from asymtheory.selection.advice import Advised, advise, recorded

if TYPE_CHECKING:
    from _regret_rules import Line, Task

ROOT = Path(__file__).parents[2]
DIGITS = ("digits", "symmetric 0.4", 0)
FIRST = 6
"""Recipes that are compared, in their order."""


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    """All that was measured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        from _regret_rules import read  # beside the benchmarks only

        return read([ROOT / "results" / "regret.jsonl.gz"])


def digits(tasks: list[Task]) -> Task:
    return next(task for task in tasks if (task.data, task.noise, task.seed) == DIGITS)


def test_its_arms_are_those_of_tune_in_their_order(tasks: list[Task]) -> None:
    from _regret_rules import arms_of

    task = digits(tasks)
    found = [task.lines[place] for place in arms_of(task, ramps=True)]
    tried = arms(resolve("symmetric", 10, Fraction(2, 5)), 10)
    assert len(found) == len(tried)
    for line, arm in zip(found, tried, strict=True):
        assert (line["loss"], line["rate"], line["until"]) == (arm.loss.name, arm.rate, arm.until)
        assert line["parameters"] == pytest.approx({k: float(v) for k, v in arm.loss.parameters.items()})


def test_select_names_the_recipes_that_the_benchmark_scores(tasks: list[Task]) -> None:
    """advice.json is what was learnt: the first recipes by the noise alone and by the pace are those of the rules."""
    from _regret_rules import CAUTION, fitted, pace_of

    task = digits(tasks)
    known = [each for each in tasks if each.complete and not each.apart and not each.aside]
    assert len(known) == recorded()[1]["runs"]
    by_noise = sorted(fitted(known), key=lambda each: each.deficit(0) + CAUTION * each.worst)
    by_pace = sorted(fitted(known, pace_of), key=lambda each: each.deficit(task.pace))
    noise = resolve("symmetric", 10, Fraction(2, 5))
    for pace, expected in ((None, by_noise), (task.pace, by_pace)):
        ranked = advise(noise, pace).ranked
        for line, advised in zip(expected[:FIRST], ranked[:FIRST], strict=True):
            assert same(task.lines[task.labels.index(line.label)], advised)


def same(line: Line, advised: Advised) -> bool:
    """Is a candidate the recipe?"""
    own = {name: float(value) for name, value in advised.loss.parameters.items()}
    recipe = (advised.loss.name, advised.recipe.rate, advised.recipe.until)
    return (line["loss"], line["rate"], line["until"]) == recipe and line["parameters"] == pytest.approx(own)
