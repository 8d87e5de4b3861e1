"""How a loss is best led to its end: python benchmarks/ways.py train | collect | chosen | page

``train`` trains every way to every end (_ways_runs.py) at four rates on the tasks of the regret benchmark that are not set
aside, each task once, also over sessions; ``collect`` adds what is finished to results/ways.jsonl.gz. ``chosen`` trains the
recipes that were chosen there on all tasks, those set aside included (``collect``: results/ways-chosen.jsonl.gz), and ``page``
writes docs/training/ways.md and its figure:

    python benchmarks/ways.py train --features cifar10.npz --data-dir DIR --labels DIR --out ways-runs
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import process_time

from _regret_tasks import Sources, Task, prepare, tasks
from _ways_page import figure, written
from _ways_rules import CHOSEN, RESULTS, chosen, read
from _ways_runs import candidates, train
from tqdm import tqdm

from asymtheory.writing import replace_file

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "training" / "ways.md"


def run(options: argparse.Namespace) -> None:
    """Train what is missing in the folder; the tasks that are set aside, and curves, of the chosen recipes alone."""
    sources = Sources(Path(options.features), Path(options.data_dir), Path(options.labels))
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    last = options.do == "chosen"
    recipes = chosen(read()) if last else None
    todo = [
        (task, folder / f"{task.data} {task.noise} {options.seed}{' chosen' if last else ''}.jsonl".replace(" ", "_"))
        for task in tasks()
        if "ramps" in task.parts
        if (last or not task.aside) and (options.only is None or options.only in str(task))
    ]
    done = {(line["data"], line["noise"], line["seed"]) for line in lines_of(CHOSEN if last else RESULTS)}
    todo = [
        (task, path) for task, path in todo if not path.exists() and (task.data, task.noise, options.seed) not in done
    ]
    for task, path in tqdm(todo, unit="task", file=sys.stderr, mininterval=30):
        replace_file(
            path, "".join(json.dumps(line) + "\n" for line in _lines(task, sources, options.seed, recipes)).encode()
        )


def _lines(
    task: Task, sources: Sources, seed: int, recipes: Iterable[tuple[str, str]] | None
) -> list[dict[str, object]]:
    start = process_time()
    prepared = prepare(task, sources, seed)
    kept = [each for each in candidates(prepared.noise) if recipes is None or (each.end, each.way) in set(recipes)]
    found = train(task, prepared, seed, kept)
    first, second = found.right[:, ::2].mean(1), found.right[:, 1::2].mean(1)
    lines: list[dict[str, object]] = [
        {
            "data": task.data, "noise": task.noise, "aside": task.aside, "seed": seed, "end": member.end, "way": member.way,
            "rate": member.rate, "held": round(float(found.held[place, -1]), 4), "first": round(float(first[place]), 5),
            "second": round(float(second[place]), 5), "memorised": _number(found.memorised[place]),
            "ended": _number(found.ended[place]), "lost": int(found.lost[place]),
        }
        for place, member in enumerate(found.members)
    ]  # fmt: skip
    if recipes is not None:
        for place, line in enumerate(lines):
            line["curve"] = [round(float(x), 4) for x in found.held[place]]
    lines[0]["seconds"] = round(process_time() - start, 1)
    return lines


def _number(value: float) -> float | None:
    return None if value != value else round(float(value), 4)


def lines_of(path: Path) -> list[dict[str, object]]:
    """The lines of a results file; none where it is not there yet."""
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()] if path.exists() else []


def collect(options: argparse.Namespace) -> None:
    """Add the finished tasks to the results."""
    for results, pattern in ((RESULTS, "*[0-9].jsonl"), (CHOSEN, "*_chosen.jsonl")):
        found = lines_of(results)
        before = {(line["data"], line["noise"], line["seed"]) for line in found}
        for path in sorted(Path(options.out).glob(pattern)):
            new: Sequence[dict[str, object]] = [json.loads(line) for line in path.read_text().splitlines()]
            found += [line for line in new if (line["data"], line["noise"], line["seed"]) not in before]
        results.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in found).encode(), 9, mtime=0))
        print(f"{results.name}: {len(found)} lines, {results.stat().st_size} bytes")


def page(_: argparse.Namespace) -> None:
    """Write docs/training/ways.md and its figure."""
    found = read()
    PAGE.write_text(written(found), encoding="utf-8")
    figure(found, PAGE.with_suffix(".png"))
    print(PAGE.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("do", choices=("train", "collect", "chosen", "page"))
    parser.add_argument("--features", default="cifar10.npz", help="the file of asymtheory features --dataset cifar10")
    parser.add_argument("--data-dir", default="data", help="the official MNIST files")
    parser.add_argument("--labels", default="labels", help="cifar10n_labels.npz and cifar10_idn_labels.npz")
    parser.add_argument("--out", default="ways-runs", help="folder of the finished tasks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="tasks whose name has this in it")
    options = parser.parse_args()
    {"train": run, "chosen": run, "collect": collect, "page": page}[options.do](options)


if __name__ == "__main__":
    main()
