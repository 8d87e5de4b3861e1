"""Where images go while a network trains: python benchmarks/vertices.py train | collect | page

``train`` trains one hidden layer on 10,000 CIFAR-10 features with losses that tolerate the noise and notes, over the steps, the
share of images near their own vertex, near that of the class their labels are confused with, and near none; some runs change the
loss after 30 % of the steps. ``collect`` writes results/vertices.jsonl.gz, ``page`` docs/training/vertices.md and its figure:

    python benchmarks/vertices.py train --features cifar10.npz --out vertices-runs
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from _regret_runs import BATCH, around, classes_of
from _regret_tasks import SEED, scaled
from _vertices_page import figure, written
from _ways_runs import CONSTANT, Leading, Led, lost
from asymtheory_training.data.inputs import Data, Images
from asymtheory_training.data.labels import make_labels, transition
from asymtheory_training.run.config import Settings
from asymtheory_training.run.lead import NEAR
from asymtheory_training.run.stack import Families, StackedTrainer
from tqdm import tqdm

from asymtheory.losses import build
from asymtheory.noise import NoiseModel, resolve
from asymtheory.writing import replace_file

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "vertices.jsonl.gz"
PAGE = ROOT / "docs" / "training" / "vertices.md"
NOISES = (("pair", "pair"), ("map", "cifar10"))
RATE = Fraction(2, 5)
RATES = (0.002, 0.008)
TRAIN, WATCHED, COMPONENTS, WIDTH, EPOCHS = 10_000, 2_000, 256, 256, 20
AFTER = 0.3
"""The share of the steps after which a run that changes its loss changes it."""
MOMENTS = 30

LOSSES: tuple[tuple[str, str, str | None, str], ...] = (
    ("CE", "ce", None, CONSTANT), ("MAE", "mae", None, CONSTANT), ("NCE", "nce", None, CONSTANT),
    ("NCE+RCE", "nce+rce", None, CONSTANT), ("ANL-CE", "anl-ce", None, CONSTANT), ("JAL-CE 8 a*", "jal-ce", "8", CONSTANT),
    ("AMSE 8 a*", "amse", "8", CONSTANT), ("AMSE led to 8 a*", "amse", "8", "ramp:a:1::0.3"),
    ("NCE, then MAE", "mae", None, "start:nce:0.3"), ("MAE, then NCE", "nce", None, "start:mae:0.3"),
    ("MAE, then NCE+RCE", "nce+rce", None, "start:mae:0.3"), ("MAE, then ANL-CE", "anl-ce", None, "start:mae:0.3"),
    ("ANL-CE, then MAE", "mae", None, "start:anl-ce:0.3"),
)  # fmt: skip
"""(what it is called, loss, multiple of its threshold, way); "then" is a change at once, not the mixture of a start."""


def members(noise: NoiseModel, rates: Sequence[float]) -> list[tuple[str, Led]]:
    """What is trained on a noise, by name."""
    found = []
    for called, name, factor, way in LOSSES:
        loss = build(name) if factor is None else around(build(name), noise, (Fraction(factor),))[0][1]
        found += [(called, Led(called, loss, way, rate)) for rate in rates]
    return found


def train(options: argparse.Namespace) -> None:
    """Train what is missing in the folder, a file for each noise and rate."""
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(options.features) as file:
        places = np.sort(np.random.default_rng(SEED).permutation(len(file["train_labels"]))[:TRAIN])
        x, test = file["train"][places].astype(np.float32), file["test"].astype(np.float32)
        y, test_y = file["train_labels"][places].astype(np.int64), file["test_labels"].astype(np.int64)
    x, test = scaled(x, test, COMPONENTS, columns=False)
    todo = [(kind, spec, rate) for kind, spec in NOISES for rate in RATES]
    todo = [each for each in todo if not (folder / f"{each[0]} {each[2]}.jsonl").exists()]
    for kind, spec, rate in tqdm(todo, unit="stack", file=sys.stderr, mininterval=30):
        noise = resolve(spec, 10, RATE)
        given = make_labels(y, noise, K=10, seed=0).labels
        test_set = Images(torch.tensor(test)[:, None, None])
        data = Data(
            Images(torch.tensor(x)[:, None, None]),
            torch.tensor(given),
            torch.tensor(y),
            None,
            test_set,
            torch.tensor(test_y),
        )
        lines = _trained(kind, noise, rate, data)
        replace_file(folder / f"{kind} {rate}.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())


def _trained(kind: str, noise: NoiseModel, rate: float, data: Data) -> list[dict[str, object]]:
    """The runs of one noise and rate, side by side."""
    assert data.true is not None
    assert isinstance(data.test, Images)
    assert data.test_labels is not None
    steps = EPOCHS * math.ceil(TRAIN / BATCH)
    chosen = members(noise, (rate,))
    families = [Leading([each], 10, steps) for _, each in chosen]
    for (called, _), family in zip(chosen, families, strict=True):
        if "then" in called:
            family.weight[:, 0] = np.arange(steps + 1) >= AFTER * steps
    settings = Settings(epochs=EPOCHS, batch=BATCH, rate=1.0, clip=math.inf, threads=1)
    trainer = StackedTrainer(Families(families), data, settings, [0], K=10, model="mlp1", width=WIDTH / 256)
    partner = torch.tensor([confused(noise, k) for k in range(10)])
    moved = partner[data.true] != data.true  # images of classes whose labels are noisy
    watched = torch.nonzero(moved).flatten()[:WATCHED]
    own, other = data.true[watched], partner[data.true[watched]]
    assert isinstance(data.images, Images)
    images = Images(data.images.tensor[watched])
    moments = set(np.unique(np.geomspace(4, steps, MOMENTS).round().astype(int)).tolist())
    seen: list[list[list[float]]] = []

    def look() -> None:
        if families[0].taken in moments:
            u = torch.cat([logits.softmax(-1) for _, logits in trainer.predict(images)], 1)
            near = [
                (u.gather(2, each.expand(len(u), -1)[..., None])[..., 0] >= NEAR).float().mean(1)
                for each in (own, other)
            ]
            near.append((u.amax(2) >= NEAR).float().mean(1) - near[0] - near[1])
            seen.append([[round(float(part[place]), 4) for part in near] for place in range(len(u))])

    for _ in trainer.remaining():
        trainer.epoch(look)
    predicted, answers = classes_of(trainer, data.test).numpy(), data.test_labels.numpy()
    return [
        {
            "noise": kind, "rate": rate, "loss": called, "at": sorted(moments), "steps": steps,
            "near": [each[place] for each in seen], "test": round(float((predicted[place] == answers).mean()), 4),
            "lost": lost(predicted[place], answers, 10),
        }
        for place, (called, _) in enumerate(chosen)
    ]  # fmt: skip


def confused(noise: NoiseModel, k: int) -> int:
    """The class that the labels of class k are most often changed to; k itself where they are not."""
    row = [float(x) for x in transition(noise)[k]]
    row[k] = 0.0
    return int(np.argmax(row)) if max(row) > 0 else k


def collect(options: argparse.Namespace) -> None:
    """One file of all finished lines."""
    content = "".join(path.read_text() for path in sorted(Path(options.out).glob("*.jsonl"))).encode()
    RESULTS.write_bytes(gzip.compress(content, 9, mtime=0))
    print(f"{RESULTS.name}: {RESULTS.stat().st_size} bytes")


def page(_: argparse.Namespace) -> None:
    """Write docs/training/vertices.md and its figure."""
    lines = [json.loads(line) for line in gzip.decompress(RESULTS.read_bytes()).splitlines()]
    PAGE.write_text(written(lines), encoding="utf-8")
    figure(lines, PAGE.with_suffix(".png"))
    print(PAGE.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("do", choices=("train", "collect", "page"))
    parser.add_argument("--features", default="cifar10.npz", help="the file of asymtheory features --dataset cifar10")
    parser.add_argument("--out", default="vertices-runs", help="folder of the finished stacks")
    options = parser.parse_args()
    {"train": train, "collect": collect, "page": page}[options.do](options)


if __name__ == "__main__":
    main()
