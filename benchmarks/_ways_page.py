"""The page docs/training/ways.md and its figure, from results/ways.jsonl.gz and results/regret.jsonl.gz."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import _regret_rules as regret
import numpy as np
from _ways_rules import Recipe, Task, alone, average, measured, number, ranked, recipes, runs_of, wider
from asymtheory_figures import style
from matplotlib.lines import Line2D

CONSTANT = "constant"
BINS = ((0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 1.0))
"""Shares of the wrong training labels that CE predicts in the end, at the same rate: how fast the network memorises."""
SLACK = -0.5
"""Points below the best constant setting that a recipe may lose."""


def paragraph(text: str) -> list[str]:
    """Its lines."""
    return textwrap.wrap(text, 130, break_long_words=False, break_on_hyphens=False)


def said(recipe: Recipe) -> str:
    """A recipe in words."""
    end, way = recipe
    return f"{end.upper().replace(' AT ', ' at ')}{' a*' if ' at ' in end else ''}, {worded(way)}"


def worded(way: str) -> str:
    """A way in words."""
    if way == CONSTANT:
        return way
    kind, *entries = way.split(":")
    signal = entries.pop() if entries[-1].isalpha() or "-" in entries[-1] else ""
    share = f"{100 * float(entries[-1]):g} %"
    what = f"ramp {share}" if kind == "ramp" else f"{entries[0].upper()} start {share}"
    return what + (f" or {signal}" if signal else "")


def written(tasks: Sequence[Task]) -> str:
    """The whole page."""
    inside, aside = ([task for task in tasks if task.aside == where] for where in (False, True))
    runs = sum(len(task.lines) for task in inside)
    lines = [
        "# How a loss is best led to its end",
        "",
        *paragraph(
            "Written by `python benchmarks/ways.py page` from `results/ways.jsonl.gz` and `results/regret.jsonl.gz`. The tasks are "
            f"those of the [regret benchmark](../regret.md) that were not set aside: {len(inside)} of "
            f"{sum(not task.aside for task in measured())}, {runs:,} runs of one seed. A *way* is a schedule of the loss ([what "
            "they are](tuning.md)): none, a ramp of a from 1, or a start from CE or MSE, over a share of the steps or until a "
            "signal; each at four learning rates of equal initial slope. *Gain*: points of clean test accuracy (last epoch) "
            "above the best constant setting of any loss, value and rate of the regret benchmark (ANL-CE included). That one is "
            "known only when some 200 were trained; it is chosen on one half of the test samples, and both are scored on the other."
        ),
        "",
        *_short(inside, aside),
        "",
        *_ranking(inside),
        "",
        *_memorising(inside),
        "",
        *_signals(inside),
        "",
        *_aside(inside, aside),
        "",
        *_tuned(inside),
    ]
    return "\n".join(lines) + "\n"


def _cells(tasks: Sequence[Task], gains: Sequence[float]) -> str:
    below = sum(gain < SLACK for gain in gains)
    return f"{np.median(gains):+.1f} | {average(tasks, gains):+.1f} | {min(gains):+.1f} | {below} of {len(gains)}"


def _short(inside: Sequence[Task], aside: Sequence[Task]) -> list[str]:
    """What the tables say."""
    order = ranked(inside)

    def best(held: bool, *kinds: str) -> str:
        recipe, _, gains = next(
            each for each in order if (each[1] is None) == held and (not kinds or _group(each[0]) in kinds)
        )
        return f"{said(recipe)} ({average(inside, gains):+.1f})"

    ramps = [name for name in GROUPS if "ramp" in name and "signal" not in name]
    signals = [name for name in GROUPS if "signal" in name]
    longest = []
    for place, (low, high) in enumerate(BINS):
        shares = [("mae", f"start:ce:{share}") for share in ("0.03", "0.1", "0.3")]
        top = max(shares, key=lambda recipe: by_memory(inside, recipe)[place][0])
        longest.append(
            f"{100 * float(top[1].rpartition(':')[2]):g} % where CE memorises {100 * low:.0f} to {100 * high:.0f} %"
        )
    points = [
        "In brackets: mean gain in points, on the tasks that are not set aside.",
        f"At one rate for all the best recipe is {best(False)}, the best constant one {best(False, CONSTANT)}.",
        f"With a rate by held-out noisy labels, of four, it is {best(True)}, against {best(True, CONSTANT)}, the best ramp of a "
        f"fixed length {best(True, *ramps)} and the best way that a signal ends {best(True, *signals)}. Neither signal beats a "
        "fixed share.",
        "At the same rate ways over a fixed share are on average above the same loss held constant, however fast the network "
        "memorises; ANL-CE, which leads itself, gains little. A start from CE that waits for the vertices loses where CE memorises "
        f"25 to 50 % of the wrong labels. Of three lengths, the start from CE to MAE gains most with {'; '.join(longest)}.",
        *_verdict(order, aside),
        "`tune` does not offer these starts: among its arms they do not lower its regret at every budget (last table).",
    ]
    lines = ["## In short", ""]
    for text in points:
        first, *rest = paragraph(text)
        lines += [f"* {first}", *(f"  {each}" for each in rest)]
    return lines


def _verdict(order: Sequence[tuple[Recipe, float | None, list[float]]], aside: Sequence[Task]) -> list[str]:
    """What came of the recipes on the tasks that are set aside."""
    if not aside:
        return []
    parts = []
    for held in (False, True):
        recipe, rate, _ = next(each for each in order if (each[1] is None) == held)
        gains: dict[str, list[float]] = {task.data: [] for task in aside}
        for task in aside:
            gains[task.data].append(task.gain(recipe, rate))
        means = ", ".join(f"{name} {np.mean(each):+.1f}" for name, each in sorted(gains.items()))
        parts.append(f"{said(recipe)}{'' if rate else ', rate by held-out labels'}: {means}")
    return [
        f"On the tasks set aside the goal is **not** met. Mean gains by data set: {'; '.join(parts)}. On letter, with 26 classes "
        "and 8 epochs, both fall short at each of the four rates."
    ]


def _ranking(inside: Sequence[Task]) -> list[str]:
    order = ranked(inside)
    lines = [
        "## Which way wins",
        "",
        "The best ten recipes at one rate, then the best five at the rate, of four, with the highest accuracy on held-out noisy",
        "labels; by their mean gain, in which data sets count the same.",
        "",
        "| recipe | rate | median gain | mean | least | below by more than 0.5 |",
        "|---|---|---|---|---|---|",
    ]
    fixed = [each for each in order if each[1] is not None][:10]
    found = [each for each in order if each[1] is None][:5]
    for recipe, rate, gains in (*fixed, *found):
        lines.append(f"| {said(recipe)} | {'held-out' if rate is None else f'{rate:g}'} | {_cells(inside, gains)} |")
    lines += [
        "",
        "The best of each kind, at one rate and at that of held-out labels:",
        "",
        "| kind | recipe | rate | median gain | mean | least | below by more than 0.5 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in GROUPS:
        for held in (False, True):
            recipe, rate, gains = next(each for each in order if _group(each[0]) == name and (each[1] is None) == held)
            at = "held-out" if rate is None else f"{rate:g}"
            lines.append(f"| {name} | {said(recipe)} | {at} | {_cells(inside, gains)} |")
    return lines


GROUPS = (
    "constant",
    "short ramp",
    "ramp 10 %",
    "ramp 30 % or more",
    "ramp ended by a signal",
    "CE start",
    "CE start ended by a signal",
    "MSE start",
)


def _group(recipe: Recipe) -> str:
    words = worded(recipe[1])
    if words == CONSTANT:
        return words
    signal = " or " in words
    if words.startswith("ramp"):
        if signal:
            return "ramp ended by a signal"
        return {"ramp 3 %": "short ramp", "ramp 10 %": "ramp 10 %"}.get(words, "ramp 30 % or more")
    return words.partition(" ")[0] + " start" + (" ended by a signal" if signal else "")


# --------------------------------------------------------------------------------- how fast the network memorises


def by_memory(tasks: Sequence[Task], recipe: Recipe) -> list[tuple[float, int]]:
    """For each of BINS: the mean gain over the same loss held constant at the same rate, and over how many (task, rate) it is."""
    cells: list[list[float]] = [[] for _ in BINS]
    for task in tasks:
        for rate, memorised in task.memorising.items():
            own, still = (task.accuracies.get((recipe[0], way, rate)) for way in (recipe[1], CONSTANT))
            if own is None or still is None:
                continue
            for cell, (low, high) in zip(cells, BINS, strict=True):
                if low <= memorised < high:
                    cell.append(100 * (own - still))
    return [(float(np.mean(cell)) if cell else float("nan"), len(cell)) for cell in cells]


def _memorising(inside: Sequence[Task]) -> list[str]:
    names = [f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in BINS]
    counts = [count for _, count in by_memory(inside, (recipes(inside)[0][0], CONSTANT))]
    lines = [
        "## When a way wins: how fast the network memorises",
        "",
        "![Gain of each way over the same loss held constant, against the share of wrong labels that CE memorises](ways.png)",
        "",
        "Mean points above *the same loss held constant at the same rate*, by the share of the wrong training labels that CE has",
        "memorised at that rate in the end, which is how fast the network memorises against the length of the run",
        f"({', '.join(map(str, counts))} pairs of task and rate).",
        "",
        f"| way | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for recipe in sorted(recipes(inside), key=lambda each: each[0]):
        if recipe[1] != CONSTANT:
            cells = " | ".join(f"{gain:+.1f}" if gain == gain else "-" for gain, _ in by_memory(inside, recipe))
            lines.append(f"| {said(recipe)} | {cells} |")
    return lines


def _signals(inside: Sequence[Task]) -> list[str]:
    lines = [
        "## When signals come",
        "",
        "| recipe | runs that it ended | median share of the steps |",
        "|---|---|---|",
    ]
    for recipe in recipes(inside):
        own = [x for task in inside for x in task.lines if (x["end"], x["way"]) == recipe]
        ended = [number(x["ended"]) for x in own if x["ended"] is not None]
        if ended:
            lines.append(f"| {said(recipe)} | {100 * len(ended) / len(own):.0f} % | {np.median(ended):.2f} |")
    return lines


def _aside(inside: Sequence[Task], aside: Sequence[Task]) -> list[str]:
    """What was chosen, tried once."""
    order = ranked(inside)
    choices = [next(each for each in order if (each[1] is None) == held) for held in (False, True)]
    lines = ["## On the tasks set aside", ""]
    if not aside:
        return [*lines, "Not trained yet: `ways.py chosen`."]
    lines += [
        *paragraph(
            f"The best recipe at one rate and the best with a rate by held-out labels, chosen on the {len(inside)} tasks above, "
            f"were then trained once on the {len(aside)} tasks that are set aside. The goal: never more than 0.5 points below the "
            "best constant setting, and on average above it."
        ),
        "",
        "| recipe | rate | median gain | mean | least | below by more than 0.5 | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for recipe, rate, _ in choices:
        gains = [task.gain(recipe, rate) for task in aside]
        goal = "met" if min(gains) >= SLACK and average(aside, gains) > 0 else "**not met**"
        lines.append(
            f"| {said(recipe)} | {'held-out' if rate is None else f'{rate:g}'} | {_cells(aside, gains)} | {goal} |"
        )
    names = [said(recipe) + ("" if rate else ", rate by held-out labels") for recipe, rate, _ in choices]
    lines += ["", f"| task | {' | '.join(names)} |", f"|---|{'---|' * len(choices)}"]
    for task in sorted(aside, key=lambda each: (each.data, each.noise)):
        cells = " | ".join(f"{task.gain(recipe, rate):+.1f}" for recipe, rate, _ in choices)
        lines.append(f"| {task.data}, {task.noise} | {cells} |")
    return lines


def _tuned(inside: Sequence[Task]) -> list[str]:
    """What the recipe would be worth to ``tune``."""
    recipe = next(each for each in ranked(inside) if each[1] is None)[0]
    lines = ["## As arms of `tune`", ""]
    runs = runs_of(recipe)
    if not runs:
        return [*lines, "Not trained yet: `ways.py chosen`."]
    tasks = measured()
    training = [task for task in tasks if not task.aside]
    lines += [
        *paragraph(
            "Regret of `tune` by noisy accuracy on the same tasks, as on [its page](../regret.md), without and with the four "
            f"rates of {said(recipe)} among its arms, and of these four runs alone with held-out labels to choose. What `tune` "
            "expects of its arms is learnt on the tasks that are not set aside, without the data set at hand."
        ),
        "",
        "| rule | runs | set aside: median | mean | worst | others: median | mean | worst |",
        "|---|---|---|---|---|---|---|---|",
    ]
    sets, wide = {task.set for task in tasks}, {id(task): wider(task, runs) for task in tasks}
    found: dict[tuple[int, str], tuple[list[float], list[float]]] = {}
    for name in sorted(sets):
        others = [task for task in training if task.set != name]
        both = (others, [wide[id(task)] for task in others])
        rules = {budget: [regret.tuned(budget)(known) for known in both] for budget in (4, 10, 20, 40)}
        for task in (each for each in tasks if each.set == name):
            own = wide[id(task)]
            costs = {(4, "these four runs alone"): alone(own)}
            for budget, (plain, with_arms) in rules.items():
                costs[budget, f"`tune`, budget {budget}"] = plain(task)
                costs[budget, f"`tune` with these arms, budget {budget}"] = with_arms(own)
            for key, cost in costs.items():
                outside, inner = found.setdefault(key, ([], []))
                (outside if task.aside else inner).append(cost)
    for (budget, label), (outside, inner) in sorted(found.items(), key=lambda each: each[0][0]):
        cells = " | ".join(f"{x:.1f}" for x in (*regret.summary(outside), *regret.summary(inner)))
        lines.append(f"| {label} | {budget} | {cells} |")
    return lines


# --------------------------------------------------------------------------------------------------------- the figure


DRAWN: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "amse at 8",
        (
            ("ramp:a:1::0.03", "#7a9bc4", "o"), ("ramp:a:1::0.1", "#3f6ca8", "s"), ("ramp:a:1::0.3", "#2a3479", "^"),
            ("ramp:a:1::1:held-out", "#3b7d4f", "D"), ("start:mse:0.3", "#8a6bb0", "v"),
        ),
    ),
    (
        "mae",
        (
            ("start:ce:0.03", "#e0a06a", "o"), ("start:ce:0.1", "#cf5002", "s"), ("start:ce:0.3", "#7d2f00", "^"),
            ("start:ce:1:held-out", "#3b7d4f", "D"), ("start:ce:1:vertices", "#777777", "v"),
        ),
    ),
)  # fmt: skip


def figure(tasks: Sequence[Task], path: Path) -> None:
    """Gain over the same loss held constant, against how fast the network memorises."""
    inside = [task for task in tasks if not task.aside]
    with style.context():
        drawn, axes = style.grid(6.75, len(DRAWN), aspect=0.75, least=2.8, extra=1.0, sharey=True)
        for panel, (end, ways) in zip(axes, DRAWN, strict=True):
            for way, colour, marker in ways:
                gains = [gain for gain, _ in by_memory(inside, (end, way))]
                panel.plot(range(len(BINS)), gains, color=colour, marker=marker, markersize=4, linewidth=1.2)
            panel.axhline(0, color="#444444", linewidth=0.8)
            panel.set_xticks(range(len(BINS)), [f"{100 * low:.0f}-{100 * high:.0f}" for low, high in BINS])
            panel.margins(x=0.09)
            panel.set_title(said((end, CONSTANT)).partition(",")[0])
            panel.set_xlabel("wrong labels memorised by CE (%)")
            panel.legend(
                [Line2D([], [], color=colour, marker=marker, markersize=4) for _, colour, marker in ways],
                [worded(way) for way, *_ in ways], fontsize=7, loc="best",
            )  # fmt: skip
        axes[0].set_ylabel("points above the loss held constant")
        drawn.savefig(path, dpi=200)
