"""Many small models as one batch, against the same models one after another: python benchmarks/stack.py [--threads N]

Both train the same networks on the same images with the loop's settings; "one by one" is the loop's own trainer, which is
within a few per cent of a bare forward-backward-step (benchmarks/loop.py).
"""

from __future__ import annotations

import argparse
from fractions import Fraction

import torch
from _timing import Table, interleaved, show
from asymtheory_training.data.inputs import Data, Images
from asymtheory_training.losses.build import build_loss
from asymtheory_training.run.config import Settings
from asymtheory_training.run.loop import Trainer
from asymtheory_training.run.models import build_model
from asymtheory_training.run.stack import Family, StackedTrainer

from asymtheory.losses import build

CASES = (
    # shape, images, models
    ((1, 8, 8), 1442, 9),
    ((1, 8, 8), 1442, 27),
    ((1, 28, 28), 1280, 9),
    ((1, 28, 28), 1280, 27),
)


def measure(threads: int, repeat: int = 3) -> Table:
    """Seconds of one epoch of all models together."""
    rows = []
    settings = Settings(epochs=10**6, rate=1e-3, clip=5.0, evaluate=10**6, threads=threads)
    for shape, count, models in CASES:
        random = torch.Generator().manual_seed(0)
        pixels = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=random)
        labels = torch.randint(10, (count,), generator=random)
        data = Data(Images(pixels, (0.5,), (0.25,)), labels, labels)
        values = [Fraction(9 + v, 9) for v in range(models)]
        stack = StackedTrainer(Family(build("amse"), "a", values), data, settings, [0], K=10)
        single = [
            Trainer(build_model("mlp", 10, shape, 1.0, 0), build_loss("amse", a=value), data, settings)
            for value in values
        ]

        def each(trainers: list[Trainer] = single) -> None:
            for trainer in trainers:
                trainer.epoch()

        times = interleaved({"stacked": stack.epoch, "one by one": each}, repeat)
        together, apart = times["stacked"], times["one by one"]
        rows.append(
            (
                f"{models} mlp, {'x'.join(map(str, shape))}",
                str(together),
                str(apart),
                f"{apart.best / together.best:.2f} ({apart.median / together.median:.2f})",
                f"{models * count / together.best:,.0f}",
                show(together.best / models),
            )
        )
    return Table(
        f"Stacked models: an epoch of all of them, AMSE, batches of 128, {threads} thread{'s' if threads > 1 else ''}",
        "no slower than one by one; best of the epochs, in brackets the median",
        ("models", "stacked", "one by one", "one by one / stacked", "images/s of all", "an epoch of one"),
        tuple(rows),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of both (default: all cores)")
    torch.set_num_threads(parser.parse_args().threads)
    print(measure(parser.parse_args().threads))


if __name__ == "__main__":
    main()
