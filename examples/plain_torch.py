"""A robust loss in a loop of plain torch: digits with 40 % wrong labels, in seconds.

    python examples/plain_torch.py [LOSS]          # jal-ce if none is named

``build_loss`` gives a module that is called like ``torch.nn.CrossEntropyLoss``.
"""

from __future__ import annotations

import sys

import torch
from asymtheory_training import build_loss, build_model
from asymtheory_training.data.labels import make_labels
from asymtheory_training.data.sets import load_dataset
from torch.utils.data import DataLoader, TensorDataset


def main(name: str = "jal-ce", epochs: int = 30) -> float:
    """Train, print and return the accuracy on the test set."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # more would only wait for each other on a model this small
    digits = load_dataset("digits")
    noisy = make_labels(digits.train_labels.numpy(), "symmetric", K=10, eta=0.4)
    x, x_test = (images.float() / 255 - 0.5 for images in (digits.train_images, digits.test_images))
    batches = DataLoader(TensorDataset(x, torch.tensor(noisy.labels)), batch_size=64, shuffle=True)

    model = build_model("mlp", K=10, shape=digits.shape)  # or any module of your own
    loss = build_loss(name)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for inputs, labels in batches:
            optimiser.zero_grad()
            loss(model(inputs), labels).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
        schedule.step()

    model.eval()
    with torch.no_grad():
        accuracy = (model(x_test).argmax(1) == digits.test_labels).double().mean().item()
    print(f"{name}: {100 * accuracy:.1f} % of the test set, trained on {noisy.rate:.0%} wrong labels")
    return accuracy


if __name__ == "__main__":
    main(*sys.argv[1:2])
