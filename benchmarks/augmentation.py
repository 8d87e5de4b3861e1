"""Batched augmentation against the loop that published training runs: one image at a time with Pillow.

    python benchmarks/augmentation.py

The loop is what torchvision's RandomCrop(32, padding=4), RandomHorizontalFlip and RandomRotation(20) do with Pillow images,
followed by ToTensor and Normalize, in one process without a DataLoader. Both sides start from the same bytes and end in a
normalised float32 batch; the numbers are drawn inside the timing. Rivals are timed in turns in one run, on one thread.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import numpy as np
import torch
from _timing import Table, interleaved, show
from asymtheory_training.data.augment import augment, normalise
from asymtheory_training.data.fetch import Description, describe
from PIL import Image, ImageOps

KINDS = {"crop-flip": "cifar10", "crop-flip-rotate": "cifar100"}
BATCHES = (128, 1024)


def batched(batch: torch.Tensor, kind: str, generator: torch.Generator, facts: Description) -> torch.Tensor:
    """The augmentation and normalisation that training uses."""
    return normalise(augment(batch, kind, generator), facts.mean, facts.std)


def with_pillow(images: np.ndarray[Any, Any], kind: str, mean: Any, std: Any) -> torch.Tensor:
    """The same augmentation and normalisation, image by image; `images` (N, H, W, 3)."""
    done = []
    for image in images:
        picture = ImageOps.expand(Image.fromarray(image), border=4, fill=0)
        top, left = random.randrange(9), random.randrange(9)
        picture = picture.crop((left, top, left + 32, top + 32))
        if random.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if kind == "crop-flip-rotate":
            picture = picture.rotate(random.uniform(-20, 20), resample=Image.Resampling.NEAREST)
        tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        done.append(tensor.sub_(mean).div_(std))
    return torch.stack(done)


def measure(repeat: int = 15) -> Table:
    """Microseconds an image of both, and their ratio, for both kinds and two batch sizes."""
    torch.set_num_threads(1)
    rows = []
    for kind, dataset in KINDS.items():
        facts = describe(dataset)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (facts.mean, facts.std))
        for count in BATCHES:
            pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
            batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
            generator = torch.Generator().manual_seed(0)
            times = interleaved(
                {
                    "ours": partial(batched, batch, kind, generator, facts),
                    "loop": partial(with_pillow, pixels, kind, mean, std),
                },
                repeat,
            )
            ours, loop = times["ours"].best, times["loop"].best
            cells = (kind, str(count), show(ours / count), show(loop / count), f"{loop / ours:.1f}")
            rows.append(cells)
    return Table(
        "Augmentation on the CPU, time an image",
        "faster than one image at a time with Pillow",
        ("augmentation", "batch", "batched", "Pillow loop", "ratio"),
        tuple(rows),
    )


if __name__ == "__main__":
    print(measure())
