"""What tests/test_training_distributed.py has trained by one process and by two; run as a script, this is one of the two."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from asymtheory_training.data.inputs import Data, Images
from asymtheory_training.data.sets import load_dataset
from asymtheory_training.distributed import current, together
from asymtheory_training.run import checkpoint
from asymtheory_training.run import run as runs
from asymtheory_training.run.config import Settings, TrainConfig
from asymtheory_training.run.loop import Trainer
from asymtheory_training.run.models import build_model
from asymtheory_training.run.record import Epoch
from asymtheory_training.run.run import run
from PIL import Image
from torch import nn

CLASSES = 3


class Stop(Exception):
    """Ends a run between two epochs, as a kill would."""


def make_folder(root: Path) -> Path:
    """CLASSES class folders of 9 training and 3 test images of differing sizes; the label is the brightest channel."""
    random = np.random.default_rng(0)
    for part, count in (("train", 9), ("test", 3)):
        for label in range(CLASSES):
            folder = root / part / f"class{label}"
            folder.mkdir(parents=True)
            for i in range(count):
                height, width = random.integers(10, 20, 2)
                pixels = random.integers(0, 120, (height, width, 3), dtype=np.uint8)
                pixels[..., label] += 100
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


def folder_run(root: Path, **changes: Any) -> TrainConfig:
    """A network with batch norms on images from files, in batches that two processes cannot halve."""
    settings = {
        "dataset": "folder", "data_dir": str(root), "loss": "ce", "model": "cnn4", "width": 0.1, "image_size": 8,
        "epochs": 4, "batch": 7, "rate": 0.05, "schedule": "cosine", "precision": "float64", "workers": 0, "device": "cpu",
        "noise": {"kind": "symmetric", "eta": "1/3"}, **changes,
    }  # fmt: skip
    return TrainConfig.resolve(settings)


def stop_after(epochs: int) -> Any:
    """For ``on_epoch``: raises :class:`Stop`."""

    def look(epoch: Epoch) -> None:
        if epoch.epoch == epochs:
            raise Stop

    return look


def cropped() -> dict[str, Any]:
    """The state of a network trained on tensors that are cropped and flipped at random; L1 norm, frozen measurement."""
    digits = load_dataset("digits")
    images = Images(digits.train_images[:101], digits.mean, digits.std, "crop-flip")
    labels = digits.train_labels[:101]
    test = Images(digits.test_images[:51], digits.mean, digits.std)
    settings = Settings(
        epochs=2, batch=25, rate=0.05, regularisation="l1", strength=1e-4, precision="float64", device="cpu", measure="frozen",
        clip=0.5,
    )  # fmt: skip
    data = Data(images, labels, labels, test=test, test_labels=digits.test_labels[:51], balanced=8)
    trainer = Trainer(build_model("cnn4", 10, (1, 8, 8), 0.1, 0), nn.CrossEntropyLoss(), data, settings, current())
    for _ in trainer.remaining():
        trainer.epoch()
    return trainer.state()


def refuse(*arguments: Any) -> None:
    raise AssertionError("the second process writes")


def work(folder: Path) -> int:
    """In each of two processes: train, go on with what one process began, then meet an image that cannot be read."""
    state = cropped()
    if current().leads:
        torch.save(state, folder / "cropped.pt")
    else:  # only the first process writes
        runs._record = checkpoint.save = refuse
    run(folder_run(folder / "images", workers=1), folder / "resumed", resume=True)
    print("the second process is not heard")
    print("nor is its standard error", file=sys.stderr)
    run(folder_run(folder / "damaged"), folder / "failed")
    return 0


if __name__ == "__main__":
    sys.exit(together(lambda: work(Path(sys.argv[1]))))
