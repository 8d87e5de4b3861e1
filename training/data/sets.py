"""Data sets as tensors: CIFAR-10 and -100, MNIST, Fashion-MNIST from their official files, and scikit-learn's digits.

>>> from asymtheory_training.data import load_dataset
>>> digits = load_dataset("digits")
>>> digits.train_images.shape, digits.K
(torch.Size([1442, 1, 8, 8]), 10)
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json, JsonValue

from . import formats
from .fetch import Description, OfficialFile, Version, describe, descriptions, find

EMBEDDED = "digits"
DATASETS = (EMBEDDED, "mnist", "fashion-mnist", "cifar10", "cifar100")
"""Every name that :func:`load_dataset` knows; ``digits`` needs no files."""
IN_FILES = ("webvision", "clothing1m", "animal10n", "folder")
"""Sets whose images stay in files: :func:`.folders.load_folders`."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification set whose images stay on one device as uint8, or features of images (:mod:`.features`).

    `train_images`, `test_images`: uint8 (N, C, H, W), values 0..255; features are float16 (N, D, 1, 1) and have no mean and std
    (None), and may have no test set. `train_labels`, `test_labels`: int64 (N,) in
    0..K-1. `mean`, `std`: of the training images in [0, 1], one a channel (see :func:`.augment.normalise`).
    `augmentation`: the kind that published training uses (see :func:`.augment.augment`). `source`: a citation.
    `trusted`: are the labels the true ones?
    """

    name: str
    K: int
    class_names: tuple[str, ...]
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor | None
    test_labels: torch.Tensor | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    augmentation: str
    source: str = ""
    trusted: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        C, H, W = self.train_images.shape[1:]
        return C, H, W

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.train_images.device

    def to(self, device: str | torch.device) -> Dataset:
        """The same set on another device."""
        names = ("train_images", "train_labels", "test_images", "test_labels")
        found = {name: getattr(self, name) for name in names}
        return replace(self, **{name: each.to(device) for name, each in found.items() if each is not None})

    def subset(self, samples: int) -> Dataset:
        """The same set with the first training images of every class only, `samples` in all, in their order.

        Classes keep their shares: class k contributes its largest-remainder part of `samples`. More than there are, or
        fewer than K, raises InputError.
        """
        return self.take(subset_indices(self.train_labels.cpu().numpy(), self.K, samples))

    def take(self, indices: npt.NDArray[np.int64]) -> Dataset:
        """The same set with the training samples at `indices` only."""
        chosen = torch.from_numpy(indices).to(self.device)
        return replace(self, train_images=self.train_images[chosen], train_labels=self.train_labels[chosen])


def subset_indices(labels: npt.NDArray[np.int64], K: int, samples: int) -> npt.NDArray[np.int64]:
    """Ascending indices of the first samples of every class, `samples` in all; see :meth:`Dataset.subset`."""
    if not K <= samples <= len(labels):
        raise InputError(f"subset {samples}: a whole number in {K}..{len(labels)} is needed (at least one a class)")
    sizes = np.bincount(labels, minlength=K)
    parts = sizes * samples // len(labels)
    rest = sizes * samples % len(labels)
    parts[np.argsort(-rest, kind="stable")[: samples - parts.sum()]] += 1
    return np.sort(np.concatenate([np.flatnonzero(labels == k)[: parts[k]] for k in range(K)]))


def check_name(name: str) -> None:
    """InputError for a name that is none of a data set."""
    known = (*DATASETS, *IN_FILES)
    if name not in known:
        raise InputError(f"dataset {name!r}: unknown ({', '.join(known)}){nearest(name, known)}")


def load_dataset(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    device: str | torch.device = "cpu",
) -> Dataset:
    """The data set `name` on `device`.

    `digits` comes with scikit-learn. The others are read from `data_dir` (default: the folder that ASYMTHEORY_DATA names,
    or the user's cache), where the official files, their usual folders or the official archive may lie; `download`
    fetches what is missing. Every file is checked against its official MD5. An unknown name, and files that are missing,
    truncated or damaged, raise InputError.
    """
    if name == "features":
        raise InputError("dataset 'features': name its file with --data; asymtheory_training.features reads it")
    if name in IN_FILES:
        raise InputError(f"dataset {name!r}: its images stay in files; asymtheory_training.folders reads it")
    check_name(name)
    if name == EMBEDDED:
        return _digits().to(device)
    description = describe(name)
    version, paths = find(description, data_dir, download)
    return read(description, version, paths).to(device)


def read(description: Description, version: Version, paths: Json) -> Dataset:
    """The data set in files that were found and checked (:func:`.fetch.find`)."""
    facts, K = description, len(description.classes)
    tensors: list[torch.Tensor] = []
    for files in (version.train, version.test):
        images, labels = _split(version, files, paths)
        source = ", ".join(str(paths[file.name]) for file in files)
        if images.shape[1:] != facts.shape or len(images) != len(labels):
            expected = f"(N, {', '.join(map(str, facts.shape))})"
            raise InputError(f"{source}: images {images.shape} and {len(labels)} labels; expected images {expected}")
        tensors += [torch.from_numpy(images), torch.from_numpy(formats.label_array(labels, source, K=K))]
    train_images, train_labels, test_images, test_labels = tensors
    return Dataset(
        facts.name, K, facts.classes, train_images, train_labels, test_images, test_labels,
        mean=facts.mean, std=facts.std, augmentation=facts.augmentation, source=facts.source,
    )  # fmt: skip


def _split(version: Version, files: tuple[OfficialFile, ...], paths: Json) -> tuple[JsonValue, JsonValue]:
    """Images and labels of the training or the test files."""
    if version.format == "idx":
        pictures, classes = (formats.read_idx(paths[file.name]) for file in files)
        return pictures[:, None], classes
    if version.format == "cifar-binary":
        batches = [formats.read_cifar_binary(paths[file.name], version.options["label_bytes"]) for file in files]
    else:
        batches = [formats.read_cifar_python(paths[file.name], version.options["label_key"]) for file in files]
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


DIGITS_MEAN, DIGITS_STD = (0.3052,), (0.3760,)


def _digits() -> Dataset:
    """scikit-learn's 1,797 digits of 8 x 8 pixels: in every class each fifth, in file order, is a test image.

    The file holds the digits writer by writer, so both parts hold the same writers. Its values 0..16 become 0..255.
    """
    from sklearn.datasets import load_digits  # scikit-learn is loaded for its digits alone

    bunch = load_digits()
    images = torch.from_numpy(np.rint(bunch.images * (255 / 16)).astype(np.uint8))[:, None]
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    test = torch.zeros(len(labels), dtype=torch.bool)
    for k in range(10):
        test[torch.nonzero(labels == k)[4::5, 0]] = True
    return Dataset(
        EMBEDDED, 10, tuple(map(str, range(10))), images[~test], labels[~test], images[test], labels[test],
        mean=DIGITS_MEAN, std=DIGITS_STD, augmentation="none", source="Alpaydin and Kaynak 1998, by scikit-learn",
    )  # fmt: skip


def normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """(mean, std) of a data set by its name; None for a name that is not known here."""
    if name == EMBEDDED:
        return DIGITS_MEAN, DIGITS_STD
    known = descriptions().get(name)
    return None if known is None else (known.mean, known.std)
