"""`tune` with arms in batches against arms one by one: python benchmarks/tuning.py [--samples N] [--epochs N] [--repeat N]

The whole search (arms for symmetric noise of rate 0.4, successive halving, held-out labels) on random features that tell ten
classes apart, in turns, on one thread. Both take the same steps up to rounding, which in float32 may turn a prediction.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fractions import Fraction
from time import process_time

import torch
from _timing import Table, show
from asymtheory_training.data.inputs import Images
from asymtheory_training.data.labels import make_labels
from asymtheory_training.run.config import Settings
from asymtheory_training.run.models import build_model
from asymtheory_training.tune import Tuned
from asymtheory_training.tune.space import arms
from asymtheory_training.tune.tune import Search

from asymtheory.noise import resolve

K, D = 10, 128
MODELS = {
    "linear": ("linear", 1.0), "64 hidden units": ("mlp1", 0.25), "256 hidden units": ("mlp1", 1.0),
    "two layers of 256": ("mlp", 1.0),
}  # fmt: skip


def search(model: str, samples: int, epochs: int, precision: str) -> Callable[[bool], tuple[Search, Tuned]]:
    """A search, stacked or not; the arms, which take a second or two, are found once."""
    random = torch.Generator().manual_seed(0)
    true = torch.arange(samples) % K
    images = torch.randn(K, D, generator=random)[true] + 2 * torch.randn(samples, D, generator=random)
    noise = resolve("symmetric", K, Fraction(2, 5))
    given = torch.tensor(make_labels(true.numpy(), noise, K=K, seed=0).labels)
    (name, width), tried = MODELS[model], arms(noise, K)
    settings = Settings(epochs=epochs, batch=128, threads=1, precision=precision)

    def run(stack: bool) -> tuple[Search, Tuned]:
        made = Search(
            lambda: build_model(name, K, (1, 1, D), width, seed=0), Images(images[:, None, None]), given, tried, settings, K, noise,
            stack=stack,
        )  # fmt: skip
        return made, made.run(None, None, False, False)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--precision", default="float32", choices=("float32", "float64"))
    options = parser.parse_args()
    rows = []
    for model in MODELS:
        run = search(model, options.samples, options.epochs, options.precision)
        seconds: dict[bool, float] = {}
        for _ in range(options.repeat):
            found = {}
            for stack in (True, False):
                start = process_time()
                found[stack] = run(stack)
                seconds[stack] = min(process_time() - start, seconds.get(stack, float("inf")))
        (one, chosen), (other, also) = found[True], found[False]
        pairs = list(zip(one.courses, other.courses, strict=True))
        same = sum(x.held == y.held for x, y in pairs)
        rows.append(
            (
                model, f"{chosen.epochs}", show(seconds[True]), show(seconds[False]), f"{seconds[False] / seconds[True]:.1f}",
                "yes" if str(chosen.best) == str(also.best) else "no", f"{same} of {len(pairs)}",
            )
        )  # fmt: skip
    head = ("model", "epochs of all arms", "in batches", "one by one", "ratio", "same choice", "arms with equal curves")
    title = f"tune on {options.samples:,} x {D} features: processor time of the search, one thread, {options.precision}"
    print(Table(title, "the same answers in less time", head, tuple(rows)))


if __name__ == "__main__":
    main()
