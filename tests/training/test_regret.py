"""The regret benchmark scores the search that ``tune`` makes, and the ranking that ``select`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

from asymtheory_training.data.inputs import Images  # noqa: E402
from asymtheory_training.run.config import Settings  # noqa: E402
from asymtheory_training.tune import space  # noqa: E402
from asymtheory_training.tune.space import Arm, arms  # noqa: E402
from asymtheory_training.tune.tune import Search  # noqa: E402

from asymtheory.noise import NoiseModel, resolve  # noqa: E402
from asymtheory.selection.advice import UNKNOWN, Advised, Run, advise, recorded  # noqa: E402

if TYPE_CHECKING:
    from _regret_rules import Judged, Line, Task

ROOT = Path(__file__).parents[2]
SCORES = ROOT / "results" / "regret-scores.jsonl.gz"
DIGITS = ("digits", "symmetric 0.4", 0)
RUN = Run(inputs=64, epochs=20, samples=1298)
"""Of digits."""
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
    from _regret_rules import arms_of, in_order

    task, noise = digits(tasks), resolve("symmetric", 10, Fraction(2, 5))
    for found, tried in (
        (arms_of(task, ramps=True), unordered(noise)),
        (in_order(task, expected_of(tasks, task)), arms(noise, 10, run=RUN)),
    ):
        assert len(found) == len(tried)
        for line, arm in zip((task.lines[place] for place in found), tried, strict=True):
            assert (line["loss"], line["rate"], line["until"]) == (arm.loss.name, arm.rate, arm.until)
            assert line["parameters"] == pytest.approx({k: float(v) for k, v in arm.loss.parameters.items()})


def unordered(noise: NoiseModel) -> list[Arm]:
    """The arms before anything is expected of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "beforehand", lambda expected: range(len(expected)))
        return arms(noise, 10)


def expected_of(tasks: list[Task], task: Task) -> dict[str, float]:
    """What the tasks that are not set aside let expect of recipes, as in advice.json."""
    from _regret_rules import by_label, fitted, size_of, sizes

    known = [each for each in tasks if each.complete and not each.apart and not each.aside]
    return by_label(fitted(known, size_of), task, sizes(known))


@pytest.mark.parametrize("name", ["pair 0.4", "map 0.4", "symmetric 0.8"])
def test_its_choice_is_that_of_the_search_that_tune_makes(name: str, tasks: list[Task]) -> None:
    """A search whose arms score what was recorded cuts and chooses as the page says."""
    from _regret_rules import in_order, searched, with_scores

    (task,) = with_scores([task for task in tasks if (task.data, task.noise, task.seed) == ("digits", name, 0)], SCORES)
    known = expected_of(tasks, task)
    kind, _, rate = name.partition(" ")
    noise, epochs = resolve("mnist" if kind == "map" else kind, 10, Fraction(rate)), task.held.shape[1]
    tried, labels = arms(noise, 10, run=RUN), torch.arange(1440) % 10
    arms_in_order = [task.labels[place] for place in in_order(task, known)]
    for budget in (3, 10, 20, 40):
        images, settings = Images(labels[:, None].float()), Settings(epochs=epochs)
        search = Recorded(lambda: torch.nn.Linear(1, 10), images, labels, tried, settings, 10, noise)
        search.judged, search.names = task.judged, arms_in_order
        found = search.run(budget * epochs, None, False, False)
        place, spent = searched(task, budget, known)
        assert (arms_in_order[found.order[0]], found.epochs) == (task.labels[place], spent), budget


def test_the_page_says_how_far_arms_stray(tasks: list[Task]) -> None:
    """What tune's two constants stand for is computed from the results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        from _regret_page import stray
        from _regret_rules import with_scores

    known = [task for task in tasks if task.complete and not task.apart and not task.aside and task.seed == 0]
    assert stray(with_scores(known, SCORES)) in (ROOT / "docs" / "regret.md").read_text().splitlines()


class Recorded(Search):
    """A search whose arms are not trained: their scores are those of the results."""

    judged: Judged | None = None
    names: Sequence[str] = ()

    def _advance(self, places: Sequence[int], until: int, bar: object) -> None:
        assert self.judged is not None
        for place in places:
            label, course = self.names[place], self.courses[place]
            course.held += [self.judged.score(label, until)] * (until - len(course.held))
            course.errors = [self.judged.error(label)] * until


def test_select_names_the_recipes_that_the_benchmark_scores(tasks: list[Task]) -> None:
    """advice.json is what was learnt: the first recipes by the noise alone and by the size are those of the rules."""
    from _regret_rules import CAUTION, fitted, size_of

    task = digits(tasks)
    known = [each for each in tasks if each.complete and not each.apart and not each.aside]
    assert len(known) == recorded()[1]["runs"]
    by_noise = sorted(fitted(known), key=lambda each: each.deficit(0) + CAUTION * each.worst)
    by_size = sorted(fitted(known, size_of), key=lambda each: each.deficit(size_of(task)))
    noise = resolve("symmetric", 10, Fraction(2, 5))
    for run, expected in ((UNKNOWN, by_noise), (RUN, by_size)):
        ranked = advise(noise, run).ranked
        for line, advised in zip(expected[:FIRST], ranked[:FIRST], strict=True):
            assert same(task.lines[task.labels.index(line.label)], advised)


def same(line: Line, advised: Advised) -> bool:
    """Is a candidate the recipe?"""
    own = {name: float(value) for name, value in advised.loss.parameters.items()}
    recipe = (advised.loss.name, advised.recipe.rate, advised.recipe.until)
    return (line["loss"], line["rate"], line["until"]) == recipe and line["parameters"] == pytest.approx(own)
