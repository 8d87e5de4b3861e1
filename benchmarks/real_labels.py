"""Human label noise with and without clean labels: how far the recommended parameter moves.

    python benchmarks/real_labels.py LABELS CIFAR10 [--write docs/real-labels.json] [--cache PATCHES.npy]
    python benchmarks/real_labels.py LABELS --features cifar10.npz [--linear] [--write docs/real-labels-features.json]

LABELS is a folder with cifar10n_labels.npz (clean_label, aggre_label, random_label1, ..., worse_label) and cifar10h.npz (counts);
CIFAR10 is the folder of the official binary version (data_batch_1.bin, ..., test_batch.bin). For the five CIFAR-10N sets and
for one vote an image of CIFAR-10H the true matrix is counted, and estimated from the noisy labels and the out-of-sample
probabilities of a quick classifier alone (needs cleanlab): random patches (Coates & Ng 2011; 400 whitened 6 x 6 filters,
soft rectification, pooled in quarters), softmax regression by Adam, five-fold cross-validation. About 10 minutes on one core.
With --features the softmax regression is on frozen features instead (the file that `asymtheory features --dataset cifar10` makes);
with --linear, too, least squares in closed form, as `asymtheory select --features` has it, takes its place.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _timing import Table

from asymtheory import select
from asymtheory.jsonlines import Json
from asymtheory.noise.estimate import from_clean_labels, from_predictions
from asymtheory.noise.flow import linear_flow

FILTERS, PATCH, STRIDE, PATCHES = 400, 6, 2, 50_000
FOLDS, EPOCHS, BATCH, RATE, DECAY = 5, 12, 500, 2e-3, 3e-4
SETS = ("aggre_label", "random_label1", "random_label2", "random_label3", "worse_label")
LOSSES = ("amse", "agce", "ael")


def images(folder: Path, files: list[str]) -> np.ndarray:
    """(N, 32, 32, 3) in [0, 1] from the official binary version."""
    rows = np.concatenate([np.fromfile(folder / name, dtype=np.uint8).reshape(-1, 3073) for name in files])
    return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype(np.float32) / 255


def patches_of(batch: np.ndarray, stride: int) -> np.ndarray:
    """(N, H, W, 108): contrast-normalised patches."""
    windows = np.lib.stride_tricks.sliding_window_view(batch, (PATCH, PATCH), axis=(1, 2))[:, ::stride, ::stride]
    flat = windows.reshape(*windows.shape[:3], -1)
    flat = flat - flat.mean(-1, keepdims=True)
    return flat / np.sqrt((flat**2).mean(-1, keepdims=True) + 10 / 255**2)


def features(train: np.ndarray, rest: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random-patch features (N, 8 FILTERS) of two sets; filters and whitening come from the first."""
    generator = np.random.default_rng(seed)
    chosen = train[generator.integers(0, len(train), PATCHES // 10)]
    sample = patches_of(chosen, 3).reshape(-1, PATCH * PATCH * 3)
    sample = sample[generator.permutation(len(sample))[:PATCHES]]
    mean = sample.mean(0)
    values, vectors = np.linalg.eigh(np.cov(sample.T))
    whiten = (vectors / np.sqrt(values + 0.1)) @ vectors.T
    filters = (sample[:FILTERS] - mean) @ whiten
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    weights, bias = (whiten @ filters.T).astype(np.float32), (-(mean @ whiten) @ filters.T).astype(np.float32)

    def extract(data: np.ndarray) -> np.ndarray:
        found = np.empty((len(data), 8 * FILTERS), dtype=np.float32)
        for start in range(0, len(data), 250):
            raw = patches_of(data[start : start + 250], STRIDE).astype(np.float32) @ weights + bias
            half = raw.shape[1] // 2
            for k, quarter in enumerate(
                (raw[:, :half, :half], raw[:, :half, half:], raw[:, half:, :half], raw[:, half:, half:])
            ):
                both = np.maximum(quarter - 0.25, 0).mean((1, 2)), np.maximum(-quarter - 0.25, 0).mean((1, 2))
                found[start : start + 250, 2 * k * FILTERS : 2 * (k + 1) * FILTERS] = np.concatenate(both, axis=1)
        return found

    first, second = extract(train), extract(rest)
    return standardised(first, second)


def standardised(train: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both shifted and scaled by mean and deviation of the first."""
    centre, spread = train.mean(0), train.std(0) + 1e-3
    return (train - centre) / spread, (rest - centre) / spread


def frozen(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (60,000, D) of a file that `asymtheory features` made, training images first, and the test images' classes."""
    with np.load(path) as content:
        train, rest = (content[name].astype(np.float32) for name in ("train", "test"))
        classes = content["test_labels"].astype(int)
    return np.concatenate(standardised(train, rest)), classes


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def fit(x: np.ndarray, y: np.ndarray, K: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Softmax regression by Adam with a falling rate; (weights, bias)."""
    generator = np.random.default_rng(seed)
    theta = np.zeros((x.shape[1] + 1, K), dtype=np.float32)
    first, second, step = np.zeros_like(theta), np.zeros_like(theta), 0
    total = EPOCHS * -(-len(x) // BATCH)
    for _ in range(EPOCHS):
        order = generator.permutation(len(x))
        for start in range(0, len(x), BATCH):
            batch = order[start : start + BATCH]
            p = softmax(x[batch] @ theta[:-1] + theta[-1])
            p[np.arange(len(batch)), y[batch]] -= 1
            gradient = np.concatenate([x[batch].T @ p / len(batch) + DECAY * theta[:-1], p.mean(0, keepdims=True)])
            step += 1
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            scaled = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
            theta -= RATE * (1 - (step - 1) / total) * scaled
    return theta[:-1], theta[-1]


def out_of_sample(x: np.ndarray, y: np.ndarray, K: int) -> np.ndarray:
    """Predicted probabilities (N, K), each by a classifier that has not seen the sample."""
    fold = np.random.default_rng(1).permutation(len(x)) % FOLDS
    found = np.empty((len(x), K))
    for k in range(FOLDS):
        weights, bias = fit(x[fold != k], y[fold != k], K, seed=k)
        found[fold == k] = softmax((x[fold == k] @ weights + bias).astype(np.float64))
    return found


def compare(name: str, noisy: np.ndarray, clean: np.ndarray, p: np.ndarray) -> Json:
    """True and estimated noise, and what is recommended from each."""
    true, found = from_clean_labels(noisy, clean), from_predictions(noisy, p)
    assert true.rate is not None
    assert found.rate is not None
    row: Json = {
        "set": name,
        "samples": len(noisy),
        "accuracy": float((p.argmax(1) == clean).mean()),
        "rate": [true.rate.value, found.rate.value],
        "margin": [true.margin.to_dict(), found.margin.to_dict()],
        "clean_level": [true.clean_level.to_dict(), found.clean_level.to_dict()],
        "binding": [[int(e.target[e.binding]), int(e.rival[e.binding])] for e in (true, found)],
        "largest_entry_error": float(
            max(
                abs(float(a) - float(b))
                for r, s in zip(true.noise.rows, found.noise.rows, strict=True)
                for a, b in zip(r.weights, s.weights, strict=True)
            )
        ),
    }
    counted = select(labels=noisy, clean=clean, losses=LOSSES)
    learned = select(labels=noisy, probs=p, losses=LOSSES)
    for loss in LOSSES:
        both = [next(c for c in s.candidates if c.loss.name == loss) for s in (counted, learned)]
        row[loss] = [c.end.to_dict() if c.end else None for c in both]
    return row


def table(rows: list[Json]) -> Table:
    head = ("set", "accuracy", "noise rate", "margin", "binding", "AMSE a >=", "AGCE a >=", "AEL a >=")

    def pair(values: Sequence[Json | float | None]) -> str:
        return " / ".join("none" if v is None else f"{v['value'] if isinstance(v, dict) else v:.3g}" for v in values)

    cells = [
        (
            row["set"], f"{row['accuracy']:.3f}", pair(row["rate"]), pair(row["margin"]),
            " / ".join(f"{a}->{b}" for a, b in row["binding"]), *(pair(row[loss]) for loss in LOSSES),
        )
        for row in rows
    ]  # fmt: skip
    return Table("Human labels: counted / estimated without clean labels", "none; evidence", head, tuple(cells))


def few_clean(human: Any, sizes: Sequence[int] = (500, 1000, 2500, 5000, 50_000), draws: int = 20) -> Table:
    """AMSE's threshold on "worse" from some clean labels: the median of draws, and how often the true one was covered."""
    noisy, clean = human["worse_label"].astype(int), human["clean_label"].astype(int)
    true = from_clean_labels(noisy, clean).margin.value
    generator, rows = np.random.default_rng(3), []
    for size in sizes:
        found = []
        for _ in range(draws if size < len(noisy) else 1):
            chosen = generator.permutation(len(noisy))[:size]
            found.append(from_clean_labels(noisy[chosen], clean[chosen]).margin)
        low, value, high = (float(np.median([getattr(m, end) for m in found])) for end in ("low", "value", "high"))
        hits = sum(m.low is not None and m.high is not None and m.low <= true <= m.high for m in found)
        needed = f"{1 / low:.3g}" if low > 0 else "none"
        rows.append((f"{size}", f"{value:.3f} [{low:.3f}, {high:.3f}]", f"{hits} of {len(found)}", needed))
    head = ("clean labels", "margin at 0.95 (median)", "true margin inside", "AMSE a >= at 0.95")
    return Table(f"CIFAR-10N worse, some clean labels (true: a >= {1 / true:.3g})", "none; evidence", head, tuple(rows))


def _rounded(facts: Any) -> Any:
    """Floats to five decimals."""
    if isinstance(facts, dict):
        return {key: _rounded(value) for key, value in facts.items()}
    if isinstance(facts, list):
        return [_rounded(value) for value in facts]
    return round(facts, 5) if isinstance(facts, float) else facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument(
        "cifar10", type=Path, nargs="?", help="folder of the binary version; not needed with --features"
    )
    parser.add_argument("--write", type=Path, help="keep the figures as JSON")
    parser.add_argument("--few-clean-only", action="store_true", help="the second table alone, which takes seconds")
    parser.add_argument("--features", type=Path, help="features of all images, instead of random patches")
    parser.add_argument(
        "--linear", action="store_true", help="with --features: the linear model of `select --features`"
    )
    parser.add_argument("--cache", type=Path, help="keep the features of the images there, or take them from there")
    given = parser.parse_args()
    if given.linear and not given.features:
        parser.error("--linear goes with --features")
    if not (given.features or given.few_clean_only or given.cifar10):
        parser.error("CIFAR10, the folder of the binary version, or --features is needed")
    start = time.perf_counter()
    human = np.load(given.labels / "cifar10n_labels.npz")
    if not given.linear:
        print(few_clean(human), flush=True)
    if given.few_clean_only:
        return
    if given.features:
        x, true_test = frozen(given.features)
    elif given.cache and given.cache.exists():
        x = np.load(given.cache)
    else:
        names = [f"data_batch_{i}.bin" for i in range(1, 6)]
        x = np.concatenate(features(images(given.cifar10, names), images(given.cifar10, ["test_batch.bin"])))
        if given.cache:
            np.save(given.cache, x)
    print(f"features: {time.perf_counter() - start:.0f} s", flush=True)
    votes = np.load(given.labels / "cifar10h.npz")["counts"]
    if not given.features:
        true_test = np.fromfile(given.cifar10 / "test_batch.bin", dtype=np.uint8).reshape(-1, 3073)[:, 0].astype(int)
    generator = np.random.default_rng(2)
    vote = (votes.cumsum(1) > generator.integers(0, votes.sum(1))[:, None]).argmax(1)
    clean = human["clean_label"].astype(int)
    tasks = [
        ("CIFAR-10N " + s.removesuffix("_label").replace("_label", " "), human[s].astype(int), clean, x[:50_000])
        for s in SETS
    ]
    tasks.append(("CIFAR-10H, one vote", vote, true_test, x[50_000:]))
    rows = []
    for name, noisy, truth, inputs in tasks:
        p = linear_flow(inputs, noisy, 10).probabilities if given.linear else out_of_sample(inputs, noisy, 10)
        rows.append(compare(name, noisy, truth, p))
        print(f"{name}: {time.perf_counter() - start:.0f} s", json.dumps(rows[-1]), flush=True)
    print(table(rows))
    if given.write:
        partial = given.write.with_suffix(".part")
        lines = ",\n".join(" " + json.dumps(_rounded(row)) for row in rows)
        partial.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        os.replace(partial, given.write)


if __name__ == "__main__":
    main()
