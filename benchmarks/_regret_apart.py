"""Tasks of the regret benchmark that are reported apart: labels without noise, all images at full width, longer runs, and data sets
that were set aside last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from _regret_rules import (
    LONG,
    Task,
    at_lower_rate,
    by_mean,
    by_optuna,
    by_size,
    ce_of,
    expected,
    one_for_all,
    recipe_by_size,
    summary,
)
from _regret_rules import tuned as halving
from asymtheory_training.tune.halving import afforded, best
from asymtheory_training.tune.settle import order
from asymtheory_training.tune.space import arms
from scipy.stats import spearmanr

Rule: TypeAlias = Callable[[Task], float]
Learn: TypeAlias = Callable[[Sequence[Task]], Rule]
MOST = 0.5
"""Points below CE that are allowed without noise."""
SMALL, WHOLE = "cifar10-hidden", "cifar10-whole"
"""The data at 5,000 images that has the candidates of those at 50,000."""


# ------------------------------------------------------------------------------------------------------ without noise


def ce_tuned(task: Task) -> int:
    """The place of CE at the rate that is best on held-out labels, after whole runs at all four."""
    places = [place for place, line in enumerate(task.lines) if line["loss"] == "ce" and line["rate"] is not None]
    return max(places, key=lambda place: task.held[place, -1])


def tried(task: Task) -> list[int]:
    """What ``tune`` tries on clean labels, in its order."""

    def key(loss: object, parameters: dict[str, object], rate: object) -> tuple[object, ...]:
        return loss, tuple(sorted((name, round(float(str(value)), 6)) for name, value in parameters.items())), rate

    places = {
        key(line["loss"], line["parameters"], line["rate"]): place  # type: ignore[arg-type]
        for place, line in enumerate(task.lines)
    }
    K = int(str(task.lines[0]["K"]))
    return [
        places[key(arm.loss.name, {name: float(value) for name, value in arm.loss.parameters.items()}, arm.rate)]
        for arm in arms(None, K)
    ]


def tuned(task: Task, budget: float, careful: bool = True) -> int:
    """The place that ``tune`` chooses with so many whole runs; not ``careful``: by held-out accuracy alone, as it was."""
    places, epochs = tried(task), task.held.shape[1]
    plan = afforded(len(places), epochs, round(budget * epochs))
    alive, before = places[: plan[0].arms], 0

    def usual() -> list[int]:
        return [index for index, place in enumerate(alive) if careful and task.lines[place]["loss"] == "ce"]

    for rung in plan:
        scores = [task.held[place, before - 1] if before else 0.0 for place in alive]
        alive = [alive[index] for index in best(scores, rung.arms, usual())]
        before = rung.until
    held = [float(task.held[place, -1]) for place in alive]
    top = max(held)
    error = (top * (1 - top) / float(str(task.lines[0]["held_out"]))) ** 0.5
    return alive[order(held, [None] * len(alive), 1.0, error, usual())[0]]


def below_ce(task: Task, place: int) -> float:
    """Points below CE, tuned the same way; negative where it is above."""
    return float(task.deficits[place] - task.deficits[ce_tuned(task)])


def _rules(training: Sequence[Task]) -> list[tuple[str, Callable[[Task], int]]]:
    """What is compared on clean labels: name, and the place that a rule chooses."""

    def others(task: Task) -> list[Task]:
        return [other for other in training if other.set != task.set]

    return [
        ("`select`", lambda task: task.labels.index(ce_of(others(task)))),
        ("the recipe of the least mean", lambda task: task.labels.index(by_mean(others(task))[0][0])),
        ("`tune`, 10 runs", lambda task: tuned(task, 10)),
        ("`tune`, 20 runs", lambda task: tuned(task, 20)),
        ("held-out labels alone, 20 runs", lambda task: tuned(task, 20, careful=False)),
    ]


def without_noise(tasks: Sequence[Task]) -> list[str]:
    """The section on clean labels."""
    if not tasks:
        return []
    rules = _rules([task for task in tasks if not task.aside])
    seeds = sorted({task.seed for task in tasks})
    lines = [
        "## Without noise",
        "",
        "Points below CE on clean labels, CE at the best of the four rates by held-out labels (whole runs): mean and worst",
        f"of the seeds {', '.join(map(str, seeds))}; {MOST:g} points are allowed. `select` takes CE at the rate of the least mean",
        "on the data sets that are neither set aside nor the one at hand; `tune` takes another loss than CE only if it is",
        "better by more than one standard error. Both rules were chosen on the data sets that are not set aside, against",
        "the recipe of the least mean, whatever its loss, and held-out labels alone (the second and the last column).",
        "",
        f"| data | {' | '.join(name for name, _ in rules)} |",
        f"|---|{'---|' * len(rules)}",
    ]
    beyond = dict.fromkeys((name for name, _ in rules), 0)
    others = dict(beyond)
    for data in sorted(
        {task.data for task in tasks}, key=lambda data: (any(t.aside for t in tasks if t.data == data), data)
    ):
        own = [task for task in tasks if task.data == data]
        cells = []
        for name, rule in rules:
            chosen = [rule(task) for task in own]
            costs = [below_ce(task, place) for task, place in zip(own, chosen, strict=True)]
            lost = [cost > MOST for cost in costs]
            beyond[name] += sum(lost)
            others[name] += sum(
                task.lines[place]["loss"] != "ce" for task, place, bad in zip(own, chosen, lost, strict=True) if bad
            )
            cells.append(f"{np.mean(costs):.1f}, {max(costs):.1f}")
        lines.append(f"| {data}{' (set aside)' if own[0].aside else ''} | {' | '.join(cells)} |")
    lines += [
        f"| more than {MOST:g} below, of {len(tasks)} runs | {' | '.join(str(count) for count in beyond.values())} |",
        f"| of these, with another loss than CE | {' | '.join(str(count) for count in others.values())} |",
    ]
    return [*lines, ""]


# ------------------------------------------------------------------------------------------------------- other seeds


def other_seeds(everything: Sequence[Task], known: Sequence[Task]) -> list[str]:
    """The section on tasks that were trained with another seed of weights, order and labels too."""
    first = {(task.data, task.noise): task for task in everything if task.seed == 0 and not task.apart}
    again = [task for task in everything if task.seed and not task.apart and task.complete]
    if not again:
        return []
    lines = [
        "## Another seed",
        "",
        f"{len(again)} of the tasks ({sum(task.aside for task in again)} of them set aside) with another seed of weights, order,",
        "labels and held-out samples (human and CIFAR-10's instance-dependent labels are what they are). Median, mean and worst on",
        "seed 0 and on seed 1, and how far the two regrets of a task are apart, on average.",
        "",
        "| rule | set aside: seed 0 | seed 1 | apart | others: seed 0 | seed 1 | apart |",
        f"|---|{'---|' * 6}",
    ]
    for name, learn in (
        ("CE, raw", None), ("one recipe for all", one_for_all), ("`select`, the noise alone", expected),
        ("`select`, with the size", by_size),
        ("`tune`, budget 20", halving(20)), ("`tune` by noisy accuracy, budget 20", halving(20, by="noisy")),
        ("Optuna (TPE), 80 trials", None),
    ):  # fmt: skip
        rules: dict[str, Callable[[Task], float]] = {}

        def cost(task: Task, name: str = name, learn: Learn | None = learn, rules: dict[str, Rule] = rules) -> float:
            if learn is None:
                return task.of("raw: ce(), raw") if name.startswith("CE") else by_optuna(task, 80)
            key = "" if task.aside else task.set
            if key not in rules:
                rules[key] = learn([other for other in known if task.aside or other.set != task.set])
            return rules[key](task)

        cells = []
        for aside in (True, False):
            own = [task for task in again if task.aside == aside]
            both = [cost(first[task.data, task.noise]) for task in own], [cost(task) for task in own]
            cells += [", ".join(f"{x:.1f}" for x in summary(costs)) if own else "-" for costs in both]
            cells.append(f"{np.mean(np.abs(np.subtract(both[0], both[1]))):.1f}" if own else "-")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


# ------------------------------------------------------------------------------------------------------- set aside last


def fresh_sets(everything: Sequence[Task], known: Sequence[Task]) -> list[str]:
    """The section on data sets that had not been trained when all was chosen, and from which nothing is learnt."""
    tasks = [task for task in everything if task.fresh and task.complete]
    if not tasks:
        return []
    sets = sorted({task.data for task in tasks})
    lines = [
        "## Data sets that nobody had seen",
        "",
        f"{len(tasks)} tasks of {len(sets)} data sets (numbers, classes: fashion, the pixels of Fashion-MNIST, 64, 10; speakers,",
        "moments of spoken vowels, 12, 9, tested on other utterances; vehicle, 18, 4, with 600 samples), set aside in",
        "`regret.toml` before any of them was trained, and scored when everything on this page had been chosen; one seed.",
        "Median, mean and worst regret, and the medians by data set.",
        "",
        f"| rule | runs | median | mean | worst | {' | '.join(sets)} |",
        f"|---|---|---|---|---|{'---|' * len(sets)}",
    ]
    rules: list[tuple[str, str, Rule]] = [
        ("CE, raw", "1", lambda task: task.of("raw: ce(), raw")),
        ("GCE 0.7, equalised, 0.032", "1", lambda task: task.of("grid: gce(q=0.7), 0.032")),
        ("JAL-CE, raw", "1", lambda task: task.of("raw: jal-ce(alpha=1,beta=1,a=30,q=2), raw")),
        ("one recipe for all", "1", one_for_all(known)),
        ("**`select`**, the noise alone", "1", expected(known)),
        ("**`select`**, with the size", "1", by_size(known)),
        *((f"**`tune`**, budget {budget}", f"{budget}", halving(budget)(known)) for budget in (3, 10, 20, 40)),
        ("`tune` by noisy accuracy, budget 20", "20", halving(20, by="noisy")(known)),
        *((f"Optuna (TPE), {n} trials", f"{n}", lambda task, n=n: by_optuna(task, n)) for n in (20, 80)),
    ]
    for name, runs, rule in rules:
        costs = {id(task): rule(task) for task in tasks}
        by_set = [summary([costs[id(task)] for task in tasks if task.data == data])[0] for data in sets]
        cells = " | ".join(f"{x:.1f}" for x in (*summary(list(costs.values())), *by_set))
        lines.append(f"| {name} | {runs} | {cells} |")
    return [*lines, ""]


# ----------------------------------------------------------------------------------------------------------- longer runs


def long_runs(everything: Sequence[Task], known: Sequence[Task]) -> list[str]:
    """The section on runs of three to four times as many epochs on the same samples: is a lower rate needed?"""
    tasks = sorted((task for task in everything if task.data.endswith(LONG)), key=lambda task: (task.data, task.noise))
    if not tasks:
        return []
    lines = [
        "## Longer runs",
        "",
        "The same samples for 32 or 40 epochs, from which nothing is learnt: what `select` advises by the size of the samples,",
        "from the other data sets, at its rate and at a quarter of it, which is about what it says when it is told the epochs.",
        "",
        "| task | recipe | at its rate | at a quarter |",
        "|---|---|---|---|",
    ]
    columns: tuple[list[float], list[float]] = [], []
    for task in tasks:
        others = [other for other in known if other.set != task.set]
        label = recipe_by_size(others)(task)
        costs = task.of(label), task.of(at_lower_rate(label))
        for column, cost in zip(columns, costs, strict=True):
            column.append(cost)
        name = f"{task.data.removesuffix(LONG)}, {task.noise}"
        lines.append(f"| {name} | {label.partition(': ')[2]} | {costs[0]:.1f} | {costs[1]:.1f} |")
    means = [summary(column) for column in columns]
    lines.append(f"| mean, worst | | {' | '.join(f'{mean:.1f}, {worst:.1f}' for _, mean, worst in means)} |")
    return [*lines, ""]


# -------------------------------------------------------------------------------------------------- does it carry over


def all_images(whole: Sequence[Task], others: Sequence[Task], training: Sequence[Task]) -> list[str]:
    """The section on 50,000 images: does the order at 5,000 carry over? ``training``: tasks that ``select`` learns from."""
    rows = []
    for task in whole:
        small = next((t for t in others if (t.data, t.noise, t.seed) == (SMALL, task.noise, task.seed)), None)
        if small is not None:
            rows.append(_carried(task, small, training))
    if not rows:
        return []
    facts = whole[0].lines[0]
    return [
        "## Does the order carry over?",
        "",
        f"All of CIFAR-10 ({int(str(facts['train'])):,} images to train on, 1,280 features, 256 hidden units, "
        f"{facts['epochs']} epochs), {len(whole[0].lines)}",
        "candidates: eight losses at four rates. Spearman: their clean accuracies here against those at 4,500 images, 128",
        "components and 64 hidden units with the same noise; in brackets the losses' means over the rates, and the rates' means",
        "over the losses. The other columns are regrets here, against the best of these candidates: of the small task's best, of",
        "the small task's best on held-out noisy labels, of the first choice of `select`, without and with the size, of the best",
        "here on held-out noisy labels, and of CE at its best rate.",
        "",
        "| noise | Spearman | small task's best | on small held-out labels | `select` | with the size | on held-out labels | CE |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _carried(task: Task, small: Task, training: Sequence[Task]) -> str:
    """A row: the candidates of the whole set, also of the small one."""
    places = [small.labels.index(label) for label in task.labels]
    here, there = ([float(str(line["first"])) + float(str(line["second"])) for line in t.lines] for t in (task, small))
    there = [there[place] for place in places]

    def agreement(key: Callable[[int], object]) -> float:
        groups = sorted({key(index) for index in range(len(here))}, key=str)
        means = [
            [np.mean([values[i] for i in range(len(here)) if key(i) == group]) for group in groups]
            for values in (here, there)
        ]
        return float(spearmanr(*means).statistic)

    losses = agreement(lambda index: task.labels[index].rpartition(", ")[0])
    rates = agreement(lambda index: task.lines[index]["rate"])
    held = [small.held[place, -1] for place in places]
    first = [float(str(small.lines[place]["first"])) for place in places]
    ce = [cost for cost, line in zip(task.deficits, task.lines, strict=True) if line["loss"] == "ce"]
    rules = (expected(training, only=task.labels), by_size(training, only=task.labels))
    costs = (
        task.deficits[int(np.argmax(first))], task.deficits[int(np.argmax(held))], *(rule(task) for rule in rules),
        task.deficits[int(task.held[:, -1].argmax())], min(ce),
    )  # fmt: skip
    name = f"{task.noise} (set aside)" if task.aside else task.noise
    order = f"{spearmanr(here, there).statistic:.2f} ({losses:.2f}; {rates:.2f})"
    return f"| {name} | {order} | {' | '.join(f'{float(cost):.1f}' for cost in costs)} |"
