"""The training loop against a bare one on the same model: python benchmarks/loop.py [--compile]

The bare loop is forward, loss, backward and torch's SGD step on batches that lie ready: nothing is shuffled, augmented, clipped or
measured. The second has torch's fused SGD, the fastest that can be written with an optimiser of torch; the third clips as well, and
so does the work of our step. The published style adds what the four repositories do: a DataLoader, clipped gradients and
`loss.item()` in every step. A ratio is the median over the epochs, each against the rival's epoch beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import median
from time import process_time
from typing import Any

import torch
from _timing import Table, Time, show
from asymtheory_training import Data, Images, Settings, Trainer, build_loss, build_model
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

IMAGES = 15000  # of each case and loop, so that all take about as long to be sure of
CASES = (
    # model, width, shape, images, augmentation
    ("mlp", 1.0, (1, 8, 8), 1442, "none"),
    ("mlp", 1.0, (1, 28, 28), 2560, "none"),
    ("cnn4", 1.0, (1, 28, 28), 640, "none"),
    ("cnn8", 0.25, (3, 32, 32), 640, "crop-flip"),
    ("cnn8", 0.5, (3, 32, 32), 384, "crop-flip"),
)
SETTINGS = Settings(epochs=1000, rate=1e-3, clip=5.0, regularisation="l2", strength=1e-4, evaluate=1000, threads=1)


def pictures(shape: tuple[int, int, int], count: int, kind: str) -> tuple[Images, Tensor]:
    """Random images as the data sets hold them, and random labels."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=random)
    return Images(pixels, (0.5,) * shape[0], (0.25,) * shape[0], kind), torch.randint(10, (count,), generator=random)


def ours(name: str, width: float, images: Images, labels: Tensor, settings: Settings) -> Trainer:
    model = build_model(name, 10, tuple(images.tensor.shape[1:]), width, seed=0)
    return Trainer(model, build_loss("jal-ce"), Data(images, labels, labels), settings)


def interleaved(runs: Mapping[str, Callable[[], Any]], repeat: int) -> dict[str, list[float]]:
    """Seconds of the processor of every run, in turns: on one thread they hold on a busy machine too."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeat + 1):
        for name, run in runs.items():
            start = process_time()
            run()
            if turn:
                taken[name].append(process_time() - start)
    return taken


def bare(
    trainer: Trainer, model: nn.Module, labels: Tensor, fused: bool | None = None, clip: bool = False
) -> Callable[[], None]:
    """An epoch of steps on normalised batches in the memory format of the model."""
    loss, setup = build_loss("jal-ce"), trainer.setup
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, fused=fused)
    parts = torch.arange(len(labels)).split(SETTINGS.batch)
    ready = [(setup.inputs(trainer.data.images.batch(part, setup.dtype)), labels[part]) for part in parts]

    def epoch() -> None:
        model.train()
        for x, y in ready:
            loss(model(x), y).backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), SETTINGS.clip)
            optimiser.step()
            optimiser.zero_grad()

    return epoch


def published(trainer: Trainer, model: nn.Module, labels: Tensor) -> Callable[[], None]:
    """An epoch in the style of the published code, without its image decoding and augmentation."""
    loss, setup = build_loss("jal-ce"), trainer.setup
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
    inputs = trainer.data.images.batch(torch.arange(len(labels)), setup.dtype)
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=SETTINGS.batch, shuffle=True)

    def epoch() -> None:
        model.train()
        total, right = 0.0, 0
        for x, y in loader:
            optimiser.zero_grad()
            logits = model(setup.inputs(x))
            value = loss(logits, y)
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), SETTINGS.clip)
            optimiser.step()
            total += value.item()
            right += (logits.argmax(1) == y).sum().item()

    return epoch


def measure(seen: int = IMAGES) -> Table:
    """Each loop trains a model of its own, all from the same weights; a run is an epoch."""
    rows = []
    for name, width, shape, count, kind in CASES:
        images, labels = pictures(shape, count, kind)
        trainer, *others = (ours(name, width, images, labels, SETTINGS) for _ in range(5))
        rivals = [(other, other.model, labels) for other in others]
        loops = {
            "bare": bare(*rivals[0]),
            "ours": trainer.epoch,
            "fused": bare(*rivals[1], fused=True),
            "clipped": bare(*rivals[2], fused=True, clip=True),
            "published": published(*rivals[3]),
        }
        times = interleaved(loops, max(9, seen // (count * max(1, round(shape[0] * width * 4)))))
        steps = -(-count // SETTINGS.batch)
        rows.append(
            (
                f"{name}, width {width:g}, {'x'.join(map(str, shape))}{'' if kind == 'none' else ', ' + kind}",
                *(str(Time(min(times[loop]) / steps, median(times[loop]) / steps)) for loop in ("bare", "ours")),
                *(_ratio(times["ours"], times[rival]) for rival in ("bare", "fused", "clipped")),
                _ratio(times["published"], times["bare"]),
                f"{count / median(times['ours']):,.0f}",
            )
        )
    return Table(
        "Training loop: a step of 128 images, JAL-CE, SGD with momentum, one thread, seconds of the processor",
        "at most 1.05 times a bare forward-backward-step on the same model (medians of epochs that were timed side by side)",
        (
            "model", "bare step", "our step", "ours / bare", "ours / bare, fused", "ours / bare, fused, clipped",
            "published style / bare", "our images/s",
        ),
        tuple(rows),
    )  # fmt: skip


def options(repeat: int = 4, compiled: bool = False) -> Table:
    """What the options of the loop are worth on this machine."""
    variants = {
        "float32": replace(SETTINGS, channels_last="off"),
        "channels_last": replace(SETTINGS, channels_last="on"),
        "bfloat16": replace(SETTINGS, channels_last="on", precision="bfloat16"),
        **({"compile": replace(SETTINGS, channels_last="on", compile="on")} if compiled else {}),
    }
    rows = []
    for name, width, shape, count, kind in CASES[2:]:
        images, labels = pictures(shape, count, kind)
        trainers = {key: ours(name, width, images, labels, settings) for key, settings in variants.items()}
        times = interleaved({key: trainer.epoch for key, trainer in trainers.items()}, repeat)
        plain = times["float32"]
        rows.append((f"{name}, width {width:g}", show(median(plain)), *(_ratio(plain, times[k]) for k in variants)))
    return Table(
        "Options of the loop: how many times as fast",
        "defaults are what is faster",
        ("model", "epoch in float32", *variants),
        tuple(rows),
    )


def _ratio(one: list[float], other: list[float]) -> str:
    return f"{median(a / b for a, b in zip(one, other, strict=True)):.2f}"


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compile", action="store_true", help="torch.compile as well (a minute, and a C++ compiler)")
    arguments = parser.parse_args()
    print(measure(), flush=True)
    print(f"\n{options(compiled=arguments.compile)}")


if __name__ == "__main__":
    main()
