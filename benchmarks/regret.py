"""How far a choice of loss, value and learning rate falls short of the best: python benchmarks/regret.py train | collect | page

``train`` runs the candidates of every task (regret.toml), each task and seed once, and goes on where it was stopped:

    python benchmarks/regret.py train --features cifar10.npz --data-dir DIR --labels DIR --out runs [--seeds 3] [--only mnist]

``collect`` puts the lines of all tasks into one file (results/regret.jsonl.gz); ``page`` writes docs/regret.md from it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from time import process_time

from _regret_runs import BATCH, train
from _regret_tasks import Sources, prepare, tasks
from asymtheory_training.run.checkpoint import replace_file
from tqdm import tqdm

RESULTS = Path(__file__).parents[1] / "results" / "regret.jsonl.gz"


def run(options: argparse.Namespace) -> None:
    """Train what is missing in the folder."""
    sources = Sources(Path(options.features), Path(options.data_dir), Path(options.labels))
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    todo = [
        (task, seed, folder / f"{task.data} {task.noise} {seed}.jsonl".replace(" ", "_"))
        for seed in range(options.seeds)
        for task in tasks()
        if options.only is None or options.only in str(task)
    ]
    for task, seed, path in tqdm([each for each in todo if not each[2].exists()], unit="task", file=sys.stderr):
        start = process_time()
        prepared = prepare(task, sources, seed)
        found = train(task, prepared, seed)
        first = found.right[:, ::2].mean(1), found.right[:, 1::2].mean(1)
        lines = []
        for place, candidate in enumerate(found.candidates):
            lines.append({
                "data": task.data, "noise": task.noise, "aside": task.aside, "seed": seed, "K": prepared.table.K,
                "train": len(prepared.train), "held_out": len(prepared.held), "test": len(prepared.table.test_y),
                "candidate": candidate.label, "kind": candidate.kind, "loss": candidate.name,
                "parameters": {k: float(v) for k, v in candidate.loss.parameters.items()},
                "factor": None if candidate.factor is None else float(candidate.factor), "rate": candidate.rate,
                "until": candidate.until, "epochs": task.epochs, "batch": BATCH,
                "held": [round(float(x), 4) for x in found.held[place]],
                "first": round(float(first[0][place]), 5), "second": round(float(first[1][place]), 5),
                "memorised": None if found.memorised[place] != found.memorised[place] else round(float(found.memorised[place]), 4),
            })  # fmt: skip
        lines[0]["seconds"] = round(process_time() - start, 1)
        replace_file(path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def collect(options: argparse.Namespace) -> None:
    """One file of all lines."""
    parts = sorted(Path(options.out).glob("*.jsonl"))
    content = b"".join(part.read_bytes() for part in parts)
    RESULTS.write_bytes(gzip.compress(content, 9, mtime=0))
    print(f"{RESULTS}: {len(parts)} tasks, {content.count(b'{')} lines")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("do", choices=("train", "collect"))
    parser.add_argument("--features", default="cifar10.npz", help="the file of asymtheory features --dataset cifar10")
    parser.add_argument("--data-dir", default="data", help="the official MNIST files")
    parser.add_argument("--labels", default="labels", help="cifar10n_labels.npz and cifar10_idn_labels.npz")
    parser.add_argument("--out", default="regret-runs", help="folder of the finished tasks")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="tasks whose name has this in it")
    options = parser.parse_args()
    (run if options.do == "train" else collect)(options)


if __name__ == "__main__":
    main()
