"""What a model is trained on, and in which order: images on the device, their labels, the batches of an epoch.

Everything random in an epoch comes from generators seeded by (seed, epoch, purpose): the order of the images, augmentation,
redrawn labels. Nothing here depends on what ran before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from asymtheory.errors import InputError

from ..distributed import ALONE, World
from .augment import augment, normalise

RESIDENT = 2**29  # bytes of normalised images that are kept instead of being made anew in every epoch
EVALUATION = 512  # images in one batch without gradients
HELD_OUT = 0.1  # of the samples, where a signal or a search needs some that are not trained on

Batch: TypeAlias = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]
"""What a network is called with: a tensor, several, or several by name."""


def mapped(change: Callable[[Tensor], Tensor], x: Batch) -> Batch:
    """The same change of every tensor of a batch."""
    if isinstance(x, Tensor):
        return change(x)
    return {k: change(v) for k, v in x.items()} if isinstance(x, Mapping) else tuple(change(each) for each in x)


# -------------------------------------------------------------------------------------------- what is random, and how


def stream(seed: int, epoch: int, purpose: str) -> int:
    """The seed of one generator: a function of (seed, epoch, purpose) that neighbours do not share."""
    return int.from_bytes(blake2b(f"{purpose}/{seed}/{epoch}".encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, epoch: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose in one epoch."""
    return torch.Generator(device).manual_seed(stream(seed, epoch, purpose))


def batches(order: Tensor, size: int) -> list[Tensor]:
    """The order cut into batches; a last batch of one sample joins the one before, for batch norms need two."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def shuffled(samples: int, seed: int, epoch: int) -> Tensor:
    """The order of the samples in an epoch, drawn on the CPU: the same on every device."""
    return torch.randperm(samples, generator=generator(seed, epoch, "order"))


# ------------------------------------------------------------------------------------------------------------ data


class Redraw(Protocol):
    """Fresh noisy labels for true ones, such as :class:`asymtheory_training.data.labels.Redrawn`."""

    def draw(self, clean_labels: Tensor, generator: torch.Generator) -> Tensor: ...


class Inputs(Protocol):
    """What the loop asks of images: :class:`Images` on the device, or :class:`.folders.FolderImages` in files."""

    @property
    def evaluation(self) -> int:
        """How many in a batch without gradients."""
        ...

    def __len__(self) -> int: ...

    def to(self, device: torch.device, dtype: torch.dtype) -> Inputs: ...

    def first(self, count: int) -> Inputs: ...

    def batch(self, which: Tensor | slice, dtype: torch.dtype) -> Batch:
        """Network inputs of some, without chance."""
        ...

    def visits(
        self, parts: Sequence[Tensor], dtype: torch.dtype, visit: tuple[int, int] | None = None, world: World = ALONE
    ) -> Iterator[Batch]:
        """This process's share of the batches ``parts`` of indices; at random for a ``visit`` (seed, epoch)."""
        ...


@dataclass(frozen=True, eq=False)
class Images:
    """Inputs on the device: uint8 images that are augmented and normalised on the way, or floats that are taken as they are.

    Floats of two bytes stay such until they are a batch: half the memory to read. ``mean`` and ``std``: None for floats; bytes
    without them are divided by 255.
    ``kind``: of augmentation, "none" for none.
    """

    tensor: Tensor
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    kind: str = "none"

    evaluation = EVALUATION

    def __len__(self) -> int:
        return len(self.tensor)

    def first(self, count: int) -> Images:
        """The first ``count`` of them only."""
        return replace(self, tensor=self.tensor[:count])

    def to(self, device: torch.device, dtype: torch.dtype) -> Images:
        """The images on the device; normalised once and for all where nothing is random and they are not too large."""
        tensor = self.tensor.to(device)
        if self.mean is None or self.std is None:
            wide = tensor.is_floating_point() and tensor.dtype.itemsize > 2
            return replace(self, tensor=tensor.to(dtype) if wide else tensor)
        if self.kind == "none" and tensor.numel() * dtype.itemsize <= RESIDENT:
            return Images(normalise(tensor, self.mean, self.std, dtype))
        return replace(self, tensor=tensor)

    def visits(
        self, parts: Sequence[Tensor], dtype: torch.dtype, visit: tuple[int, int] | None = None, world: World = ALONE
    ) -> Iterator[Tensor]:
        """Network inputs batch by batch, this process's share; augmented for a ``visit`` (seed, epoch).

        The random numbers are those of the whole batch, whoever takes which part of it.
        """
        random = None if visit is None else generator(*visit, "augmentation", self.tensor.device)
        for part in parts:
            yield self.batch(part, dtype, random, world.share(len(part)) if world.size > 1 else None)

    def batch(
        self,
        which: Tensor | slice,
        dtype: torch.dtype,
        random: torch.Generator | None = None,
        share: slice | None = None,
    ) -> Tensor:
        """Network inputs; augmented when a generator is given; of a batch that is shared, one part."""
        found = self.tensor[which] if isinstance(which, slice) else self.tensor.index_select(0, which)
        if random is not None and self.kind != "none":
            found = augment(found, self.kind, random)
        if share is not None:
            found = found[share]
        if self.mean is None or self.std is None:
            if found.dtype == torch.uint8:
                return found.to(dtype).div_(255)
            return found.to(dtype) if found.is_floating_point() else found
        return normalise(found, self.mean, self.std, dtype)


@dataclass(frozen=True, eq=False)
class Data:
    """What a model is trained and tested on. Labels are int64 (N,), or (N, d1, ...) where every place has one.

    ``given`` may be probabilities (N, K). ``ignore`` is a label that is none: such samples (places) are neither trained on nor
    measured; None where all have one.

    ``given`` are the labels to fit, ``true`` the clean ones where they are known. With ``redraw`` every epoch, and so every
    visit of an image, gets a label of its own drawn from the noise for its true class; ``given`` is then not looked at.
    ``second`` is another test set. ``balanced``: an epoch sees so many images of every given class, drawn anew each time.
    ``held``: the places of samples that are never trained on.
    """

    images: Inputs
    given: Tensor
    true: Tensor | None = None
    redraw: Redraw | None = None
    test: Inputs | None = None
    test_labels: Tensor | None = None
    second: Inputs | None = None
    second_labels: Tensor | None = None
    balanced: int | None = None
    ignore: int | None = None
    held: Tensor | None = None

    def __post_init__(self) -> None:
        for what, labels, images in (
            ("labels", self.given, self.images),
            ("true labels", self.true, self.images),
            ("test labels", self.test_labels, self.test),
            ("labels of the second test set", self.second_labels, self.second),
        ):
            if labels is None:
                continue
            soft = labels is self.given and labels.ndim == 2 and labels.is_floating_point()
            if not soft and (not labels.ndim or labels.dtype != torch.int64):
                raise InputError(
                    f"{what} of shape {tuple(labels.shape)} and {labels.dtype}: int64 of shape (N,) is needed"
                )
            if images is not None and len(labels) != len(images):
                raise InputError(f"{len(labels)} {what} for {len(images)} images")
        if len(self.images) < 2:
            raise InputError(f"{len(self.images)} training images: at least 2 are needed")
        if (self.test is None) != (self.test_labels is None) or (self.second is None) != (self.second_labels is None):
            raise InputError("test images and test labels go together")
        if self.redraw is not None and self.true is None:
            raise InputError("labels are redrawn from the true ones: these are needed")
        if self.balanced is not None:
            least, label = (each.item() for each in self._sizes().min(0))
            if least < self.balanced:
                raise InputError(f"--balanced {self.balanced}: class {label} has {least} images only")

    def _sizes(self) -> Tensor:
        """How many images every given class has."""
        return torch.bincount(self.given)

    @property
    def visited(self) -> int:
        """How many images an epoch sees."""
        if self.balanced is not None:
            return self.balanced * len(self._sizes())
        return len(self.images) - (0 if self.held is None else len(self.held))

    def order(self, seed: int, epoch: int) -> Tensor:
        """The images of an epoch in their order, (N,) or, where it is balanced, a part of them; on the CPU."""
        order = shuffled(len(self.images), seed, epoch)
        if self.held is not None:
            order = order[~torch.isin(order, self.held.cpu())]
        if self.balanced is None:
            return order
        labels = self.given.cpu()[order]
        by_class = labels.argsort(stable=True)
        ascending = labels[by_class]
        place = torch.arange(len(order)) - torch.searchsorted(ascending, ascending)  # of an image in its class
        return order[by_class[place < self.balanced].sort().values]

    def to(self, device: torch.device, dtype: torch.dtype) -> Data:
        """The same on a device, images ready for a network of that type."""

        def moved(labels: Tensor | None) -> Tensor | None:
            return None if labels is None else labels.to(device)

        return Data(
            self.images.to(device, dtype), self.given.to(device), moved(self.true), self.redraw,
            None if self.test is None else self.test.to(device, dtype), moved(self.test_labels),
            None if self.second is None else self.second.to(device, dtype), moved(self.second_labels), self.balanced,
            self.ignore, moved(self.held),
        )  # fmt: skip

    def holding_out(self, seed: int) -> Data:
        """The same with a tenth of the samples, drawn by the seed, that are never trained on."""
        if self.balanced is not None:
            raise InputError(f"--balanced {self.balanced}: such an epoch has no place for samples that are held out")
        order = torch.randperm(len(self.images), generator=generator(seed, 0, "held out"))
        count = max(1, round(HELD_OUT * len(order)))
        if len(order) - count < 2:
            raise InputError(f"{len(order)} training images: too few to hold a tenth of them out")
        return replace(self, held=order[:count].sort().values)

    def labels_in(self, epoch: int, seed: int) -> Tensor:
        """The labels to fit in an epoch."""
        if self.redraw is None:
            return self.given
        assert self.true is not None
        return self.redraw.draw(self.true, generator(seed, epoch, "labels"))
