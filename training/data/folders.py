"""Large sets whose images stay in files: WebVision (mini), Clothing1M, Animal-10N, and any folder of class folders.

Their official lists are read and every line is checked; images are decoded where they are needed, by worker processes, into
bytes that are normalised on the device. :class:`FolderImages` is to the loop what :class:`.loop.Images` is for tensors.

    name        in the folder of the data set                                                          labels
    webvision   info/train_filelist_google.txt, info/val_filelist.txt, info/synsets.txt, google/...,   from web searches
                val_images_256/...; classes 0..49 (the papers' "mini" setting)
    clothing1m  [annotations/]noisy_train_key_list.txt, clean_test_key_list.txt, noisy_label_kv.txt,   from sellers' words
                clean_label_kv.txt, images/...
    animal10n   training/, testing/; the label is the first part of the file name: 3_00017.jpg         by people
    folder      train/CLASS/..., test/CLASS/... (or val/)                                              taken as true
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from asymtheory.errors import InputError, nearest

from ..distributed import ALONE, World
from . import list_files
from . import photographs as transforms
from .augment import normalise
from .list_files import Contents, Listed
from .sets import subset_indices
from .workers import worker_start

Labels = npt.NDArray[np.int64]
Names = npt.NDArray[np.bytes_]
Visit = tuple[int, int]
"""(seed, epoch): what the random changes of an image depend on, beside its index."""

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLOTHING = (0.6959, 0.6537, 0.6371), (0.3113, 0.3192, 0.3214)  # of published Clothing1M code (eps-softmax, DivideMix)
MOST_WORKERS = 16
CPU = torch.device("cpu")

# ------------------------------------------------------------------------------------------------------------ images


@dataclass(frozen=True, eq=False)
class FolderImages:
    """Images in files below `root`: RGB, size x size, normalised with `mean` and `std`.

    `names`: paths below `root`, as bytes (N,): a million of them are copied into no worker. `lines`: the line of each in the
    file `listing`, counted from 1; None where the folder itself is the list. `kind`: of augmentation, see
    :data:`.transforms.KINDS`. `workers`: processes that decode; 0 decodes in this one.
    """

    root: str
    names: Names
    listing: str
    lines: Labels | None
    kind: str
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    workers: int = 0
    device: torch.device = CPU

    evaluation = 128
    """Images in one batch without gradients: enough batches for all workers, even of small sets."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return 3, self.size, self.size

    def take(self, indices: Labels) -> FolderImages:
        """The images at `indices` only."""
        lines = None if self.lines is None else self.lines[indices]
        return replace(self, names=self.names[indices], lines=lines)

    def first(self, count: int) -> FolderImages:
        """The first ``count`` of them only."""
        return self.take(np.arange(min(count, len(self))))

    def to(self, device: torch.device, dtype: torch.dtype) -> FolderImages:
        """The same, handed over on a device."""
        return replace(self, device=device)

    def batch(self, which: Tensor | slice, dtype: torch.dtype) -> Tensor:
        """Network inputs without chance, decoded here and now."""
        indices = np.arange(len(self))[which if isinstance(which, slice) else which.cpu().numpy()]
        return self._inputs(torch.stack([self.pixels(int(i)) for i in indices]), dtype)

    def visits(
        self, parts: Sequence[Tensor], dtype: torch.dtype, visit: Visit | None = None, world: World = ALONE
    ) -> Iterator[Tensor]:
        """Network inputs of the batches `parts` of indices, this process's share of each, in their order.

        With `visit` the images are changed at random as their `kind` says. Raises InputError for an image that cannot be
        read, and names it with its line in the list.
        """
        shares = [part[world.share(len(part))].tolist() for part in parts]
        for pixels in _decoded(_Visits(self, visit), shares, self.workers, self.device.type == "cuda"):
            if isinstance(pixels, str):
                raise InputError(pixels)
            yield self._inputs(pixels, dtype)

    def _inputs(self, pixels: Tensor, dtype: torch.dtype) -> Tensor:
        return normalise(pixels.to(self.device, non_blocking=True), self.mean, self.std, dtype)

    def pixels(self, index: int, visit: Visit | None = None) -> Tensor:
        """One image as bytes (3, size, size)."""
        image = self.picture(index)
        if visit is None:
            image = transforms.for_testing(image, self.kind, self.size)
        else:
            image = transforms.for_training(image, self.kind, self.size, transforms.numbers(*visit, index))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)

    def picture(self, index: int) -> Image.Image:
        """The image as it is in its file, in RGB."""
        try:
            with Image.open(self.path(index)) as file:
                return file.convert("RGB")
        except FileNotFoundError:
            raise InputError(f"{self.where(index)}: there is no such image in {self.root}") from None
        except Image.UnidentifiedImageError:
            raise InputError(f"{self.where(index)}: is not an image that Pillow knows") from None
        except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
            raise InputError(f"{self.where(index)}: cannot be read as an image ({_first_line(error)})") from None

    def path(self, index: int) -> str:
        return os.path.join(self.root, os.fsdecode(self.names[index]))

    def where(self, index: int) -> str:
        """``LIST, line 7: google/q0001/a.jpg``, or the path where the folder itself is the list."""
        if self.lines is None:
            return self.path(index)
        return f"{self.listing}, line {self.lines[index]}: {os.fsdecode(self.names[index])}"

    def check_present(self) -> None:
        """InputError for the first image that is not there; every folder is listed once, no image is opened."""
        folders: dict[bytes, list[int]] = defaultdict(list)
        for index, name in enumerate(self.names):
            folders[os.path.dirname(name)].append(index)
        missing: list[int] = []
        for folder, members in folders.items():
            try:
                there = set(os.listdir(os.path.join(os.fsencode(self.root), folder)))
            except OSError:
                there = set()
            missing += [i for i in members if os.path.basename(self.names[i]) not in there]
        if missing:
            more = f" ({len(missing):,} of {len(self):,} are missing)" if len(missing) > 1 else ""
            raise InputError(f"{self.where(min(missing))}: there is no such image in {self.root}{more}")


class _Visits(torch.utils.data.Dataset[Any]):
    """What a worker is given: it answers a batch of indices with their bytes, or with the sentence that says what is wrong.

    A sentence, because torch would wrap an exception of a worker in the worker's traceback.
    """

    def __init__(self, images: FolderImages, visit: Visit | None) -> None:
        self.images, self.visit = images, visit

    def __getitem__(self, index: int) -> Tensor:
        return self.images.pixels(index, self.visit)

    def __getitems__(self, indices: list[int]) -> Tensor | str:
        try:
            return torch.stack([self[index] for index in indices])
        except InputError as error:
            return str(error)


def _whole(batch: Any) -> Any:
    """Batches come ready."""
    return batch


def _decoded(visits: _Visits, shares: list[list[int]], workers: int, pinned: bool) -> Iterator[Tensor | str]:
    """The batches in order, decoded ahead by `workers` processes."""
    loader = torch.utils.data.DataLoader(
        visits, batch_sampler=shares, num_workers=workers, collate_fn=_whole, pin_memory=pinned,
        **worker_start(workers),
        generator=torch.Generator().manual_seed(0),  # torch draws a number for the workers: not from the model's stream
    )  # fmt: skip
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise InputError(
            f"a process that decodes images died ({_first_line(error)}): fewer --workers need less memory, 0 decodes in the "
            f"training process itself"
        ) from None


def worker_count(asked: int | None, world: World = ALONE) -> int:
    """Decoding processes for each training process: as asked, else this machine's cores shared out, at most 16 each."""
    if asked is not None:
        return asked
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores // world.on_this_machine))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


# -------------------------------------------------------------------------------------------------------------- sets


@dataclass(frozen=True, eq=False)
class FolderSet:
    """A data set in files. `train_labels`, `test_labels`, `second_labels`: int64 (N,) in 0..K-1.

    `trusted`: the training labels are true, so that noise can be put on them; the others are noisy as collected, and their true
    labels are not known. `second`: another test set (WebVision: ILSVRC12), or None.
    """

    name: str
    K: int
    class_names: tuple[str, ...]
    train: FolderImages
    train_labels: Tensor
    test: FolderImages
    test_labels: Tensor
    trusted: bool = False
    second: FolderImages | None = None
    second_labels: Tensor | None = None
    source: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.train.shape

    def subset(self, samples: int) -> FolderSet:
        """The set with the first training images of every class only, as :meth:`.data.Dataset.subset` takes them."""
        chosen = subset_indices(self.train_labels.numpy(), self.K, samples)
        return replace(self, train=self.train.take(chosen), train_labels=self.train_labels[torch.from_numpy(chosen)])


def load_folders(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    workers: int | None = None,
    ilsvrc_dir: str | os.PathLike[str] | None = None,
    world: World = ALONE,
) -> FolderSet:
    """The set `name` in the folder `data_dir` (default: the one of that name in $ASYMTHEORY_DATA).

    `image_size`: side of the network's inputs (default 224, Animal-10N 64: the size of its images). `ilsvrc_dir`: the ILSVRC12
    validation set with one folder a class, named by WordNet id (n01440764) or by class number; WebVision's second test set.
    Everything that is wrong with the lists, and every missing image, raises InputError that names file and line.
    """
    known = FOLDERS[check_name(name)]
    if ilsvrc_dir is not None and name != "webvision":
        raise InputError(f"--ilsvrc-dir {ilsvrc_dir}: goes with --dataset webvision, not with {name}")
    root = _root(known, data_dir)
    contents = known.read(root)
    size, count = image_size or known.size, worker_count(workers, world)

    def images(listed: Listed, base: Path) -> tuple[FolderImages, Tensor]:
        lines = None if listed.lines is None else np.array(listed.lines, dtype=np.int64)
        names = np.array(listed.names, dtype=np.bytes_)
        found = FolderImages(str(base), names, listed.listing, lines, known.kind, size, *known.scale, count)
        found.check_present()
        return found, torch.tensor(listed.labels, dtype=torch.int64)

    K = len(contents.class_names)
    second, second_labels = None, None
    if ilsvrc_dir is not None:
        base = Path(ilsvrc_dir).expanduser()
        second, second_labels = images(list_files.ilsvrc(base, root, K), base)
    train, train_labels = images(contents.train, root)
    test, test_labels = images(contents.test, root)
    return FolderSet(
        name, K, contents.class_names, train, train_labels, test, test_labels, contents.trusted, second, second_labels,
        contents.source,
    )  # fmt: skip


def check_name(name: str) -> str:
    """InputError for an unknown name."""
    if name not in FOLDERS:
        raise InputError(f"dataset {name!r}: unknown ({', '.join(FOLDERS)}){nearest(name, FOLDERS)}")
    return name


def _root(known: Known, data_dir: str | os.PathLike[str] | None) -> Path:
    """The folder that holds the data set: the one given, or the one of its name inside."""
    base = os.environ.get("ASYMTHEORY_DATA") if data_dir is None else data_dir
    if base is None:
        raise InputError(
            f"dataset {known.name}: its images are yours to bring: --data-dir DIR with {known.marks[0]} in it"
        )
    above = Path(base).expanduser()
    for folder in (above, above / known.name):
        if any((folder / mark).exists() for mark in known.marks):
            return folder
    raise InputError(f"--data-dir {base}: holds no {' and no '.join(known.marks)}, so it is not {known.name}")


@dataclass(frozen=True)
class Known:
    """A set that can be read: how, how its images are prepared, and a file by which its folder is known."""

    name: str
    read: Callable[[Path], Contents]
    marks: tuple[str, ...]
    kind: str
    size: int
    scale: tuple[tuple[float, ...], tuple[float, ...]]


FOLDERS: dict[str, Known] = {
    known.name: known
    for known in (
        Known(
            "webvision", list_files.webvision, ("info/train_filelist_google.txt",), "resized-crop-flip-jitter", 224, IMAGENET
        ),
        Known(
            "clothing1m", list_files.clothing1m, ("annotations/noisy_train_key_list.txt", "noisy_train_key_list.txt"),
            "square-crop-flip", 224, CLOTHING,
        ),
        Known("animal10n", list_files.animal10n, ("training",), "flip", 64, IMAGENET),
        Known("folder", list_files.class_folders, ("train",), "resized-crop-flip", 224, IMAGENET),
    )
}  # fmt: skip
"""The sets of :func:`load_folders`. Normalisation is the published code's; of Animal-10N, ImageNet's (its paper says nothing)."""
