"""Training your own model on your own tensors, in one call."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import JsonValue

from ..data.inputs import Data, Images, Redraw
from .config import Settings
from .loop import Trainer
from .progress import Progress
from .record import Epoch, History


def fit(
    model: nn.Module,
    loss: nn.Module,
    images: Tensor,
    labels: Tensor | None,
    *,
    true: Tensor | None = None,
    test: tuple[Tensor, Tensor] | None = None,
    redraw: Redraw | None = None,
    progress: bool = False,
    on_epoch: Callable[[Epoch], object] | None = None,
    **settings: JsonValue,
) -> History:
    """Train your own model on your own tensors, in place; the model is then on the device and in evaluation mode.

    ``images`` (N, ...) go to the model as they are, floats or token numbers; ``labels`` int64 (N,). ``true`` labels, where you
    know them, tell the clean part from the corrupted. ``settings`` are those of :class:`.config.Settings`: ``epochs``,
    ``batch``, ``rate``, ``regularisation``, ``seed``, ``device``, ... Raises InputError for data that do not fit together and
    :class:`DivergedError` when the loss is no longer finite.
    """
    unknown = [name for name in settings if name not in Settings.__dataclass_fields__]
    if unknown:
        raise InputError(f"fit has no setting {unknown[0]!r}{nearest(unknown[0], Settings.__dataclass_fields__)}")
    if labels is None and true is None:
        raise InputError("labels are needed (or true ones, with redraw)")
    given = labels if labels is not None else true
    assert given is not None
    test_images, test_labels = test if test is not None else (None, None)
    data = Data(Images(images), given, true, redraw, None if test_images is None else Images(test_images), test_labels)
    trainer = Trainer(model, loss, data, Settings(**settings))
    with Progress(trainer, progress) as bar:
        for _ in trainer.remaining():
            epoch = trainer.epoch(bar.tick)
            bar.show(epoch)
            if on_epoch is not None:
                on_epoch(epoch)
    model.eval()
    return trainer.history()
