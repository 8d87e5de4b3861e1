"""What a network predicts, and how that agrees with given and with true labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..data.inputs import Inputs
from ..distributed import ALONE, World
from .device import Setup
from .record import Fitted


def fitted(predicted: Tensor, given: Tensor, true: Tensor | None) -> list[Fitted]:
    """Predictions (..., N) against labels, one :class:`Fitted` for each leading index (models of a stack)."""
    predicted = predicted.reshape(-1, predicted.shape[-1])
    models, count = predicted.shape
    hit = predicted == given
    if true is None:
        return [Fitted(each / count) for each in hit.sum(1).tolist()]
    facts = torch.stack([hit, predicted == true, (given == true).expand(models, -1)], 1).double()
    pairs = facts @ facts.mT  # how often two of the three are true together, all in one pass

    def share(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    return [
        Fitted(
            hits / count,
            rights / count,
            share(kept, clean),
            share(hits - kept, count - clean),
            share(rights - known, count - clean),
        )
        for (hits, _, kept), (_, rights, known), (_, _, clean) in pairs.tolist()
    ]


@torch.no_grad()
def predict(model: nn.Module, images: Inputs, setup: Setup, batch: int | None = None, world: World = ALONE) -> Tensor:
    """The class of the largest logit for every image, (N,), in evaluation mode; the model's mode is restored.

    Several processes share the batches out, and each gets the whole answer.
    """
    training = model.training
    model.eval()
    parts = list(torch.arange(len(images), device=setup.device).split(batch or images.evaluation))[
        world.rank :: world.size
    ]
    try:
        with setup.computing():
            found = [model(setup.inputs(x)).argmax(-1) for x in images.visits(parts, setup.dtype)]
    finally:
        model.train(training)
    if world.size == 1:
        return torch.cat(found, -1)
    answer = torch.zeros(len(images), dtype=torch.int64, device=setup.device)
    for part, classes in zip(parts, found, strict=True):
        answer[part] = classes
    return world.sum(answer)
