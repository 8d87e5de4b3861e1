"""A robust loss in a LightningModule: digits with 40 % wrong labels. Needs ``pip install lightning``.

python examples/lightning_module.py [LOSS]     # jal-ce if none is named
"""

from __future__ import annotations

import sys
from typing import Any

import lightning
import torch
from asymtheory_training import build_loss, build_model
from asymtheory_training.data.labels import make_labels
from asymtheory_training.data.sets import load_dataset
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class Classifier(lightning.LightningModule):
    def __init__(self, model: torch.nn.Module, loss: str, **parameters: Any) -> None:
        super().__init__()
        self.model = model
        self.loss = build_loss(loss, **parameters)

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        inputs, labels = batch
        return self.loss(self.model(inputs), labels)

    def test_step(self, batch: list[Tensor], index: int) -> None:
        inputs, labels = batch
        self.log("accuracy", (self.model(inputs).argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        return [optimiser], [torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.trainer.max_epochs)]


def main(name: str = "jal-ce", epochs: int = 30) -> float:
    """Train, print and return the accuracy on the test set."""
    lightning.seed_everything(0, verbose=False)
    torch.set_num_threads(1)  # more would only wait for each other on a model this small
    digits = load_dataset("digits")
    noisy = make_labels(digits.train_labels.numpy(), "symmetric", K=10, eta=0.4)
    x, x_test = (images.float() / 255 - 0.5 for images in (digits.train_images, digits.test_images))
    batches = DataLoader(TensorDataset(x, torch.tensor(noisy.labels)), batch_size=64, shuffle=True)
    test = DataLoader(TensorDataset(x_test, digits.test_labels), batch_size=len(x_test))

    module = Classifier(build_model("mlp", K=10, shape=digits.shape), name)
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = lightning.Trainer(max_epochs=epochs, accelerator="cpu", gradient_clip_val=5.0, **quiet)
    trainer.fit(module, batches)
    accuracy = trainer.test(module, test, verbose=False)[0]["accuracy"]
    print(f"{name}: {100 * accuracy:.1f} % of the test set, trained on {noisy.rate:.0%} wrong labels")
    return accuracy


if __name__ == "__main__":
    main(*sys.argv[1:2])
