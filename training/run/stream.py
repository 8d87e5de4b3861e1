"""Training on batches as they come: a DataLoader, an IterableDataset, anything that gives batches epoch after epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import replace

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError

from ..data.given import Labelling, batch_of, on_device
from ..data.inputs import Data
from .calls import Call, likeliest
from .config import Settings
from .device import using
from .loop import Trainer, Visit, hard
from .optimiser import Optimiser
from .schedule import HELD_OUT, Schedule


class StreamTrainer(Trainer):
    """A :class:`Trainer` whose batches, their size and their order are those of a loader.

    ``data`` has the loader's first batch and the test set. Samples have no place: a loss that follows them is refused.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: nn.Module,
        batches: Iterable[object],
        labelling: Labelling,
        data: Data,
        settings: Settings,
        *,
        call: Call,
        optimiser: Callable[[Sequence[Tensor]], Optimiser] | None = None,
    ) -> None:
        self.batches, self.labelling = batches, labelling
        way = Schedule.parse(settings.schedule).way
        if way is not None and way.signal == HELD_OUT:
            raise InputError(f"schedule {way}: samples are held out by number: give a data set or arrays, not a loader")
        super().__init__(model, loss, replace(data, ignore=labelling.ignore), settings, call=call, optimiser=optimiser)
        if self.following is not None:
            raise InputError(
                "a loss that follows its samples needs them by number: give a data set or arrays, not a loader"
            )
        if way is not None and self.steps is None:
            raise InputError(f"schedule {way}: it is a share of the steps, whose number this iterable does not tell")
        self._labels: list[Tensor] = []

    @property
    def steps(self) -> int | None:
        try:
            return len(self.batches) if isinstance(self.batches, Sized) else None
        except TypeError:  # a DataLoader of an IterableDataset
            return None

    def _read(self) -> Iterator[tuple[object, Tensor]]:
        """The batches on the device, with class numbers."""
        found = False
        for batch in self.batches:
            found = True
            x, labels = batch_of(batch)
            yield on_device(x, self.setup.device, self.setup.dtype), self.labelling.of_batch(labels)
        if not found:
            raise InputError("an epoch without a batch: every epoch needs its batches")

    def _visits(self, number: int) -> Iterator[Visit]:
        self._labels = []
        sampler = getattr(self.batches, "sampler", None)
        if sampler is not None and hasattr(sampler, "set_epoch"):
            sampler.set_epoch(number)
        for x, y in self._read():
            count = len(y) if y.is_floating_point() else int((y != self.labelling.ignore).sum())
            y = y.to(self.setup.device)
            self._labels.append(hard(y))
            yield x, y, torch.arange(len(y), device=y.device), 1.0, count  # type: ignore[misc]

    def _labels_of(self, predicted: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        return predicted, torch.cat(self._labels), None

    @torch.no_grad()
    def _frozen(self) -> tuple[Tensor, Tensor, Tensor | None]:
        classes, labels = [], []
        training = self.model.training
        self.model.eval()
        try:
            with using(self.setup.threads), self.setup.computing():
                for x, y in self._read():
                    classes.append(likeliest(self.call(self.model, self.setup.inputs(x))))  # type: ignore[arg-type]
                    labels.append(hard(y).to(self.setup.device))
        finally:
            self.model.train(training)
        return torch.cat(classes), torch.cat(labels), None
