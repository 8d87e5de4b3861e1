"""Training throughput of a device: the 8-layer CNN on CIFAR-shaped images, one run and several runs at once.

    python benchmarks/device.py [--device cuda] [--images N] [--seconds S] [--at-once 1,2,4,8] [--compile] [--json FILE]

The rival is the loop that published training runs: a DataLoader, one image at a time with Pillow, eager float32, `loss.item()` in
every step. Ours keeps the images on the device and augments batches. The ceiling is a matrix product measured on the same device
in the same type; a network's share of it is its counted floating-point operations an image times images a second. The last
figure is what a whole column of the papers' CIFAR-10 tables takes: 10 losses x 8 noises x 3 seeds x 120 epochs x 50,000 images.
The defaults are for a GPU; on a CPU: --device cpu --width 0.25 --images 640 --seconds 3 --at-once 1,2 --workers 0.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch
from _timing import Table
from asymtheory_training import Data, Images, Settings, Trainer, build_loss, build_model
from augmentation import with_pillow
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

MEAN = STD = (0.5, 0.5, 0.5)
COLUMN = 10 * 8 * 3 * 120 * 50_000  # images of a column of a table
SIDE = {"cuda": 8192, "cpu": 1024}  # of the matrices whose product is the ceiling
SETTINGS = Settings(epochs=10**6, rate=1e-3, clip=5.0, regularisation="l2", strength=1e-4, evaluate=10**6)


def pixels(count: int) -> tuple[Tensor, Tensor]:
    """Random bytes (N, 3, 32, 32) and labels."""
    random = torch.Generator().manual_seed(0)
    return (
        torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=random),
        torch.randint(10, (count,), generator=random),
    )


def wait(device: str) -> None:
    """Until the device has done what it was asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


# ------------------------------------------------------------------------------------------------------------- the rival


class Pictures(Dataset[tuple[Tensor, int]]):
    """CIFAR as torchvision gives it: an image at a time."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images.permute(0, 2, 3, 1).contiguous().numpy(), labels.tolist()
        self.mean, self.std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return with_pillow(self.images[index : index + 1], "crop-flip", self.mean, self.std)[0], self.labels[index]


def published(device: str, width: float, images: Tensor, labels: Tensor, seconds: float, workers: int) -> float:
    """Images a second of the published loop."""
    model = build_model("cnn8", 10, (3, 32, 32), width, seed=0).to(device)
    loss = build_loss("jal-ce")
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
    loader = DataLoader(
        Pictures(images, labels),
        batch_size=SETTINGS.batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    model.train()

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    start, seen, warm = time.perf_counter(), 0, 3
    for x, y in batches():
        optimiser.zero_grad()
        value = loss(model(x.to(device)), y.to(device))
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        value.item()
        if warm:
            warm -= 1
            start, seen = time.perf_counter(), 0
            continue
        seen += len(y)
        if time.perf_counter() - start > seconds:
            break
    return seen / (time.perf_counter() - start)


# -------------------------------------------------------------------------------------------------------------------- ours


def trainer(settings: Settings, width: float, images: Tensor, labels: Tensor) -> Trainer:
    model = build_model("cnn8", 10, (3, 32, 32), width, seed=0)
    return Trainer(model, build_loss("jal-ce"), Data(Images(images, MEAN, STD, "crop-flip"), labels, labels), settings)


def throughput(own: Trainer, count: int, seconds: float, barrier: Barrier | None = None) -> float:
    """Images a second over whole epochs, after one that is not counted."""
    device = str(own.setup.device)
    own.epoch()
    wait(device)
    if barrier is not None:
        barrier.wait()
    start, epochs = time.perf_counter(), 0
    while not epochs or time.perf_counter() - start < seconds:
        own.epoch()
        wait(device)
        epochs += 1
    return epochs * count / (time.perf_counter() - start)


def _one_of_several(settings: Settings, width: float, count: int, seconds: float, barrier: Any, answers: Any) -> None:
    answers.put(throughput(trainer(settings, width, *pixels(count)), count, seconds, barrier))


def together(settings: Settings, width: float, count: int, seconds: float, runs: int) -> float:
    """Images a second of ``runs`` processes on one device, all training at the same time."""
    context = torch.multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(runs), context.Queue()
    arguments = (settings, width, count, seconds, barrier, answers)
    working = [context.Process(target=_one_of_several, args=arguments) for _ in range(runs)]
    for process in working:
        process.start()
    found = [answers.get() for _ in working]
    for process in working:
        process.join()
    return sum(found)


# ------------------------------------------------------------------------------------------------------------- the ceiling


def operations(width: float) -> float:
    """Floating-point operations of a training step, an image."""
    model = build_model("cnn8", 10, (3, 32, 32), width, seed=0)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(8, 3, 32, 32)).sum().backward()
    return float(counter.get_total_flops()) / 8


def ceiling(device: str, dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Floating-point operations a second of a large matrix product."""
    side = SIDE["cuda" if device.startswith("cuda") else "cpu"]
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3):
        a @ b
    wait(device)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        a @ b
        wait(device)
        done += 1
    return done * 2 * side**3 / (time.perf_counter() - start)


# -------------------------------------------------------------------------------------------------------------------- all


def variants(device: str, compiled: bool) -> dict[str, Settings]:
    """What the loop can be told, from the plainest on."""
    plain = replace(SETTINGS, device=device, precision="float32", channels_last="off")
    fast = replace(plain, precision="bfloat16", channels_last="on")
    found = {"float32": plain, "channels_last": replace(plain, channels_last="on"), "bfloat16": fast}
    if compiled:
        found |= {"compile": replace(fast, compile="on"), "graphs": replace(fast, compile="graphs")}
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures, for a table and a file."""
    device, count = options.device, options.images
    images, labels = pixels(count)
    rival = published(device, options.width, images, labels, options.seconds, options.workers)
    single = {
        name: throughput(trainer(settings, options.width, images, labels), count, options.seconds)
        for name, settings in variants(device, options.compile).items()
    }
    best = max(single, key=lambda name: single[name])
    settings = variants(device, options.compile)[best]
    several = {
        runs: together(settings, options.width, count, options.seconds, runs) for runs in options.at_once if runs > 1
    }
    card = max([single[best], *several.values()])
    dtype = torch.float32 if settings.precision == "float32" else torch.bfloat16
    top, each = ceiling(device, dtype), operations(options.width)
    name = torch.cuda.get_device_name() if device.startswith("cuda") else f"cpu, {torch.get_num_threads()} threads"
    return {
        "device": name, "torch": torch.__version__, "width": options.width, "images": count, "published": rival,
        "single": single, "best": best, "at_once": several, "card": card, "operations_an_image": each, "ceiling": top,
        "share": card * each / top, "column_hours": COLUMN / card / 3600,
    }  # fmt: skip


def table(facts: dict[str, Any]) -> Table:
    rival = facts["published"]
    rows = [("published loop", f"{rival:,.0f}", "1.0")]
    rows += [(f"ours, {name}", f"{speed:,.0f}", f"{speed / rival:.1f}") for name, speed in facts["single"].items()]
    rows += [
        (f"ours, {facts['best']}, {runs} runs at once", f"{speed:,.0f}", f"{speed / rival:.1f}")
        for runs, speed in facts["at_once"].items()
    ]
    return Table(
        f"8-layer CNN, width {facts['width']:g}, images a second on {facts['device']}",
        f"10 times the published loop. The most reaches {100 * facts['share']:.1f} % of a matrix product's "
        f"{facts['ceiling'] / 1e12:.2f} Tflop/s; a column of 240 full runs takes {facts['column_hours']:,.1f} h at that "
        "rate and this width",
        ("loop", "images/s", "ratio"),
        tuple(rows),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--width", type=float, default=1.0, help="of the network (default 1: the papers')")
    parser.add_argument("--images", type=int, default=50_000, help="of the training set (default 50,000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement (default 20)")
    parser.add_argument("--at-once", default="1,2,4,8", type=lambda text: [int(part) for part in text.split(",")])
    parser.add_argument("--workers", type=int, default=4, help="of the published loop's DataLoader (default 4)")
    parser.add_argument("--compile", action="store_true", help="torch.compile and CUDA graphs, too")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    facts = measure(options)
    print(table(facts))
    if options.json:
        Path(options.json).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
