"""How far a choice of loss, value and rate falls short of the best: python benchmarks/regret.py train | collect | votes | score |
learn | page

``train`` runs the candidates of every task (regret.toml), each task and seed once, also over sessions: what the results hold
already is not trained again, and a stopped run goes on:

    python benchmarks/regret.py train --features cifar10.npz --data-dir DIR --labels DIR --out runs [--seeds 3] [--only mnist]

``collect`` adds the finished tasks to one file (results/regret.jsonl.gz). ``votes`` trains the arms of ``asymtheory tune`` on every
task in that file again, into a folder of its own (--out), and keeps what they say of every held-out sample; ``score`` writes what
``tune`` sees of them (results/regret-scores.jsonl.gz). ``learn`` writes what ``asymtheory select`` knows from the tasks that are
not set aside, and ``page`` writes docs/regret.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from time import process_time

from _regret_page import written
from _regret_rules import (
    CAUTION,
    by_mean,
    by_size,
    ce_by_mean,
    expected,
    fitted,
    left_out,
    read,
    size_of,
    summary,
    with_scores,
)
from _regret_rules import Task as Measured
from _regret_runs import BATCH, PARTS, candidates, train
from _regret_tasks import Sources, Task, prepare, tasks
from _regret_votes import facts_of, kept, votes_of
from tqdm import tqdm

from asymtheory.losses import build
from asymtheory.selection.advice import spread
from asymtheory.writing import replace_file

KEPT = 24
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "regret.jsonl.gz"
SCORES = ROOT / "results" / "regret-scores.jsonl.gz"
ADVICE = ROOT / "asymtheory" / "selection" / "advice.json"
PAGE = ROOT / "docs" / "regret.md"


def run(options: argparse.Namespace) -> None:
    """Train what is missing in the folder."""
    sources = Sources(Path(options.features), Path(options.data_dir), Path(options.labels))
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    todo = [
        (task, seed, folder / f"{task.data} {task.noise} {seed} {options.part}.jsonl".replace(" ", "_"))
        for seed in range(options.seeds)
        for task in tasks()
        if options.part in task.parts
        and (options.only is None or options.only in str(task))
        and (task.aside or not options.aside)
    ]
    lines = (
        [json.loads(line) for line in gzip.decompress(RESULTS.read_bytes()).splitlines()] if RESULTS.exists() else []
    )
    done = {(line["data"], line["noise"], line["seed"]) for line in lines if line["part"] == options.part}
    todo = [each for each in todo if not each[2].exists() and (each[0].data, each[0].noise, each[1]) not in done]
    for task, seed, path in tqdm(todo, unit="task", file=sys.stderr):
        start = process_time()
        prepared = prepare(task, sources, seed)
        found = train(task, prepared, seed, list(candidates(prepared.noise, options.part)))
        first = found.right[:, ::2].mean(1), found.right[:, 1::2].mean(1)
        found_lines = []
        for place, candidate in enumerate(found.candidates):
            found_lines.append({
                "data": task.data, "noise": task.noise, "aside": task.aside, "seed": seed, "K": prepared.table.K,
                "train": len(prepared.train), "held_out": len(prepared.held), "test": len(prepared.table.test_y),
                **facts_of(candidate), "epochs": task.epochs, "batch": BATCH,
                "held": [round(float(x), 4) for x in found.held[place]],
                "first": round(float(first[0][place]), 5), "second": round(float(first[1][place]), 5),
                "memorised": None if found.memorised[place] != found.memorised[place] else round(float(found.memorised[place]), 4),
            })  # fmt: skip
        found_lines[0]["seconds"] = round(process_time() - start, 1)
        replace_file(path, "".join(json.dumps(line) + "\n" for line in found_lines).encode())


def votes(options: argparse.Namespace) -> None:
    """Train the arms of ``tune`` again where that is missing in the folder, and keep what they say of every held-out sample.

    Only tasks that are not set aside, or with --aside those, of which the results hold all candidates.
    """
    known = _complete()
    sources = Sources(Path(options.features), Path(options.data_dir), Path(options.labels))
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    todo = [
        (task, seed, path)
        for seed in range(options.seeds)
        for task in tasks()
        if "ramps" in task.parts
        and (options.only is None or options.only in str(task))
        and task.aside == options.aside
        and (task.data, task.noise, seed) in known
        and not (path := folder / f"{task.data} {task.noise} {seed}.npz".replace(" ", "_")).exists()
    ]
    for task, seed, path in tqdm(todo, unit="task", file=sys.stderr):
        votes_of(task, sources, seed).save(path)


def _complete() -> set[tuple[str, str, int]]:
    """The tasks of which the results hold all candidates."""
    return {(task.data, task.noise, task.seed) for task in read([RESULTS]) if task.complete}


def score(options: argparse.Namespace) -> None:
    """Write what ``tune`` sees of its arms, by the votes that the folder holds."""
    known = _complete()
    votes = [each for each in kept(Path(options.out)) if (each.data, each.noise, each.seed) in known]
    lines = [json.dumps(each.judged()) + "\n" for each in votes]
    SCORES.write_bytes(gzip.compress("".join(lines).encode(), 9, mtime=0))
    print(f"{SCORES.name}: {len(lines)} tasks, {SCORES.stat().st_size} bytes")


def collect(options: argparse.Namespace) -> None:
    """One file of all lines, each with the spread and the margin of its task's noise, and how many numbers a sample has."""
    sources = Sources(Path(options.features), Path(options.data_dir), Path(options.labels))
    found = (
        [json.loads(line) for line in gzip.decompress(RESULTS.read_bytes()).splitlines()] if RESULTS.exists() else []
    )
    before = {(line["data"], line["noise"], line["seed"], line["part"]) for line in found}
    facts: dict[tuple[str, str], dict[str, float]] = {}

    def of_task(data: str, noise: str) -> dict[str, float]:
        if (data, noise) not in facts:
            given = prepare(Task(data, noise), sources, 0)
            margin = min(float(row.top - row.second) / float(row.total) for row in given.noise.rows)
            facts[data, noise] = {
                "spread": round(spread(given.noise), 4), "margin": round(margin, 4), "inputs": given.table.x.shape[1],
            }  # fmt: skip
        return facts[data, noise]

    for path in tqdm(sorted(Path(options.out).glob("*.jsonl")), unit="file", file=sys.stderr):
        part = next((part for part in PARTS if path.stem.endswith(part)), "all")
        for line in map(json.loads, path.read_text().splitlines()):
            if (line["data"], line["noise"], line["seed"], part) not in before:
                found.append({**line, "part": part, **of_task(line["data"], line["noise"])})
    content = "".join(json.dumps(line) + "\n" for line in found).encode()
    RESULTS.write_bytes(gzip.compress(content, 9, mtime=0))
    print(f"{RESULTS.name}: {len(found)} lines, {RESULTS.stat().st_size} bytes")


def learn(options: argparse.Namespace) -> None:
    """Write asymtheory/selection/advice.json from the tasks that are not set aside, of all seeds."""
    everything = [task for task in read([RESULTS]) if not task.aside]
    known = [task for task in everything if task.complete and not task.apart]
    training = [task for task in known if task.seed == 0]
    by_label = {str(line["candidate"]): line for task in training for line in task.lines}
    by_size_of = {each.label: each for each in fitted(known, size_of)}
    recipes = []
    for each in sorted(fitted(known), key=lambda each: min(each.deficit(0), each.deficit(1))):
        line = by_label[each.label]
        parameters: dict[str, float] = line["parameters"]  # type: ignore[assignment]
        main = build(str(line["loss"])).main
        kept = {
            k: str(Fraction(str(v)).limit_denominator(10**9))
            for k, v in parameters.items()
            if line["factor"] is None or k != main
        }
        factor = None if line["factor"] is None else str(Fraction(float(str(line["factor"]))).limit_denominator(100))
        size_line = by_size_of[each.label]
        recipes.append({
            "loss": line["loss"], "parameters": kept, "factor": factor, "rate": line["rate"], "until": line["until"],
            "base": round(each.base, 3), "slope": round(each.slope, 3), "worst": round(each.worst, 2),
            "by_size": [round(size_line.base, 3), round(size_line.slope, 3)],
        })  # fmt: skip
    scored = {name: summary(left_out(training, rule, known)) for name, rule in (("", expected), ("_by_size", by_size))}
    facts: dict[str, object] = {
        "tasks": len(training),
        "runs": len(known),
        "sets": sorted({task.set for task in training}),
        "caution": CAUTION,
        "sizes": [min(task.inputs for task in known), max(task.inputs for task in known)],
        **{f"left_out{name}": {"median": round(x[0], 2), "worst": round(x[2], 2)} for name, x in scored.items()},
        "recipes": recipes,
        "clean": without_noise([task for task in everything if task.noise == "clean"]),
    }
    ADVICE.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"{ADVICE.name}: {len(recipes)} recipes from {len(known)} tasks and seeds")
    for name, (middle, mean, worst) in scored.items():
        print(f"left out{name}: median {middle:.2f}, mean {mean:.2f}, worst {worst:.2f}")


def without_noise(tasks: Sequence[Measured]) -> dict[str, object]:
    """What ``select`` knows of clean labels: the recipes of the least mean deficits, the ``KEPT`` best."""
    line = {str(each["candidate"]): each for each in tasks[0].lines}
    known = [each for each in by_mean(tasks) if line[each[0]]["factor"] is None][:KEPT]
    recipes = [
        {
            "loss": line[label]["loss"],
            "parameters": {k: str(Fraction(str(v)).limit_denominator(10**9)) for k, v in line[label]["parameters"].items()},  # type: ignore[attr-defined]
            "factor": None, "rate": line[label]["rate"], "until": 0.0,
            "base": round(mean, 3), "slope": 0.0, "worst": round(worst, 2),
        }
        for label, mean, worst in known
    ]  # fmt: skip
    costs = left_out(tasks, ce_by_mean)
    middle, _, worst = summary(costs)
    return {
        "tasks": len({task.data for task in tasks}),
        "sets": sorted({task.set for task in tasks}),
        "left_out": {"median": round(middle, 2), "worst": round(worst, 2)},
        "recipes": recipes,
    }


def page(_: argparse.Namespace) -> None:
    """Write docs/regret.md."""
    PAGE.write_text(written(with_scores(read([RESULTS]), SCORES)), encoding="utf-8")
    print(PAGE.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("do", choices=("train", "votes", "score", "collect", "learn", "page"))
    parser.add_argument("--features", default="cifar10.npz", help="the file of asymtheory features --dataset cifar10")
    parser.add_argument("--data-dir", default="data", help="the official MNIST files")
    parser.add_argument("--labels", default="labels", help="cifar10n_labels.npz and cifar10_idn_labels.npz")
    parser.add_argument("--out", default="regret-runs", help="folder of the finished tasks")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, default="all", help="which candidates (default: all)")
    parser.add_argument("--aside", action="store_true", help="only tasks that are set aside")
    parser.add_argument("--only", help="tasks whose name has this in it")
    options = parser.parse_args()
    {"train": run, "votes": votes, "score": score, "collect": collect, "learn": learn, "page": page}[options.do](
        options
    )


if __name__ == "__main__":
    main()
