"""A robust loss in the Hugging Face Trainer: digits with 40 % wrong labels. Needs ``pip install 'transformers[torch]'``.

    python examples/hf_trainer.py [LOSS]           # jal-ce if none is named

The Trainer takes the loss as ``compute_loss_func``; the model, here a small one of our own, returns its logits. The batch of a step
is accumulated from two parts.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable

import torch
from asymtheory_training import build_loss, build_model
from asymtheory_training.data.labels import make_labels
from asymtheory_training.data.sets import load_dataset
from torch import Tensor
from transformers import Trainer, TrainingArguments


class Classifier(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        return {"logits": self.network(pixel_values)}


def for_trainer(name: str, **parameters: float) -> Callable[..., Tensor]:
    """A loss as the Trainer's ``compute_loss_func``: the sum over the labels of a part, over the number in all parts of the step.

    The Trainer adds the gradients of the parts that it accumulates and does not divide, so a mean over each part would be as
    many times too large as there are parts, and parts of few labels would count as much as those of many. Where it does not say
    how many labels there are (in evaluation), the part's own are counted. Labels of -100 are left out by both.
    """
    loss = build_loss(name, reduction="sum", **parameters)

    def robust(outputs: dict[str, Tensor], labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        count = (labels != -100).sum() if num_items_in_batch is None else num_items_in_batch
        return loss(outputs["logits"], labels) / count

    return robust


def main(name: str = "jal-ce", epochs: int = 30) -> float:
    """Train, print and return the accuracy on the test set."""
    torch.set_num_threads(1)  # more would only wait for each other on a model this small
    digits = load_dataset("digits")
    noisy = make_labels(digits.train_labels.numpy(), "symmetric", K=10, eta=0.4)
    x, x_test = (images.float() / 255 - 0.5 for images in (digits.train_images, digits.test_images))
    train = [{"pixel_values": image, "labels": int(label)} for image, label in zip(x, noisy.labels, strict=True)]
    test = [
        {"pixel_values": image, "labels": int(label)} for image, label in zip(x_test, digits.test_labels, strict=True)
    ]

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            Classifier(build_model("mlp", K=10, shape=digits.shape, seed=0)),
            TrainingArguments(
                folder, num_train_epochs=epochs, per_device_train_batch_size=32, gradient_accumulation_steps=2,
                learning_rate=1e-3, max_grad_norm=5.0,
                lr_scheduler_type="cosine", use_cpu=True, seed=0, save_strategy="no", report_to="none", disable_tqdm=True,
                logging_strategy="no",
            ),
            train_dataset=train,
            compute_loss_func=for_trainer(name),
        )  # fmt: skip
        trainer.train()
        predicted = trainer.predict(test)
    accuracy = float((predicted.predictions.argmax(1) == predicted.label_ids).mean())
    print(f"{name}: {100 * accuracy:.1f} % of the test set, trained on {noisy.rate:.0%} wrong labels")
    return accuracy


if __name__ == "__main__":
    main(*sys.argv[1:2])
