"""What a network predicts, and how that agrees with given and with true labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..data.inputs import Inputs
from ..distributed import ALONE, World
from .calls import PLAIN, Call, likeliest
from .device import Setup
from .record import Fitted

UNSEEN = -1
"""The prediction for a sample that was not shown to the network."""


def fitted(predicted: Tensor, given: Tensor, true: Tensor | None, ignore: int | None = None) -> list[Fitted]:
    """Predictions (..., N) against labels, one :class:`Fitted` for each leading index (models of a stack).

    Labels equal to ``ignore`` count for nothing: ``train`` is a share of the given ones, ``true`` of the true ones that there
    are, and the other three of the samples that have both.
    """
    if ignore is not None:
        return [_fitted_of_known(predicted.reshape(-1), given.reshape(-1), true, ignore)]
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


def _fitted_of_known(predicted: Tensor, given: Tensor, true: Tensor | None, ignore: int) -> Fitted:
    """:func:`fitted` of one model, (N,), where labels are missing."""

    def share(hits: Tensor, of: Tensor) -> float | None:
        count = int(of.sum())
        return int((hits & of).sum()) / count if count else None

    labelled = given != ignore
    train = share(predicted == given, labelled)
    if true is None:
        return Fitted(math.nan if train is None else train)
    true = true.reshape(-1)
    known = (true != ignore) & (predicted != UNSEEN)
    both, right = labelled & known, given == true
    return Fitted(
        math.nan if train is None else train,
        share(predicted == true, known),
        share(predicted == given, both & right),
        share(predicted == given, both & ~right),
        share(predicted == true, both & ~right),
    )


@torch.no_grad()
def predict(
    model: nn.Module,
    images: Inputs,
    setup: Setup,
    batch: int | None = None,
    world: World = ALONE,
    call: Call = PLAIN,
    which: Tensor | None = None,
) -> Tensor:
    """The class of the largest logit for every image, (N,), in evaluation mode; the model's mode is restored.

    Several processes share the batches out, and each gets the whole answer. ``which``: for these images only, in one process.
    """
    training = model.training
    model.eval()
    places = torch.arange(len(images), device=setup.device) if which is None else which
    parts = list(places.split(batch or images.evaluation))[world.rank :: world.size]
    try:
        with setup.computing():
            found = [likeliest(call(model, setup.inputs(x))) for x in images.visits(parts, setup.dtype)]
    finally:
        model.train(training)
    if world.size == 1:
        return torch.cat(found)
    answer = torch.zeros(len(images), dtype=torch.int64, device=setup.device)
    for part, classes in zip(parts, found, strict=True):
        answer[part] = classes
    return world.sum(answer)
