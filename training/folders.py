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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from asymtheory.errors import InputError, nearest

from . import transforms
from .augment import normalise
from .data import subset_indices
from .distributed import ALONE, World

Labels = npt.NDArray[np.int64]
Names = npt.NDArray[np.bytes_]
Visit = tuple[int, int]
"""(seed, epoch): what the random changes of an image depend on, beside its index."""

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLOTHING = (0.6959, 0.6537, 0.6371), (0.3113, 0.3192, 0.3214)  # of published Clothing1M code (eps-softmax, DivideMix)
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
MOST_WORKERS = 16
CPU = torch.device("cpu")
ANIMALS = ("cat", "lynx", "wolf", "coyote", "cheetah", "jaguar", "chimpanzee", "orangutan", "hamster", "guinea pig")
GARMENTS = (
    "T-shirt", "Shirt", "Knitwear", "Chiffon", "Sweater", "Hoodie", "Windbreaker", "Jacket", "Down Coat", "Suit", "Shawl",
    "Dress", "Vest", "Underwear",
)  # fmt: skip
WEBVISION_CLASSES, MINI = 1000, 50


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
        """So many of them only."""
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
        """With the first training images of every class only, as :meth:`.data.Dataset.subset` takes them."""
        chosen = subset_indices(self.train_labels.numpy(), self.K, samples)
        return replace(self, train=self.train.take(chosen), train_labels=self.train_labels[torch.from_numpy(chosen)])


@dataclass(frozen=True, eq=False)
class Listed:
    """Images and labels as a list gives them, before it is known how they are decoded."""

    names: list[bytes]
    labels: list[int]
    listing: str = ""
    lines: list[int] | None = None


@dataclass(frozen=True, eq=False)
class Contents:
    """What the files of a data set say."""

    class_names: tuple[str, ...]
    train: Listed
    test: Listed
    source: str
    trusted: bool = False


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
        base = Path(ilsvrc_dir)
        second, second_labels = images(_ilsvrc(base, root, K), base)
    train, train_labels = images(contents.train, root)
    test, test_labels = images(contents.test, root)
    return FolderSet(
        name, K, contents.class_names, train, train_labels, test, test_labels, contents.trusted, second, second_labels,
        contents.source,
    )  # fmt: skip


def check_name(name: str) -> str:
    """InputError for a name that is none."""
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
    for folder in (Path(base), Path(base) / known.name):
        if any((folder / mark).exists() for mark in known.marks):
            return folder
    raise InputError(f"--data-dir {base}: holds no {' and no '.join(known.marks)}, so it is no {known.name}")


# ------------------------------------------------------------------------------------------------------------ lists


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers; a name that is not UTF-8 comes through as it is."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline=None) as file:
            yield from ((count, line.strip()) for count, line in enumerate(file, 1) if line.strip())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _pairs(path: Path, K: int) -> Iterator[tuple[int, str, int]]:
    """(line number, name, label) of a list with lines ``NAME LABEL``, labels in 0..K-1."""
    for count, line in _lines(path):
        name, _, text = line.rpartition(" ")
        if not name or not (text.isascii() and text.isdigit()):
            shown = line if len(line) <= 60 else line[:57] + "..."
            raise InputError(f"{path}, line {count}: {shown!r} is not a file name, a space and a class number")
        label = int(text)
        if label >= K:
            raise InputError(f"{path}, line {count}: class {label} of {name.strip()} is outside 0..{K - 1}")
        yield count, name.strip(), label


def _listed(path: Path, entries: Iterable[tuple[int, str, int]]) -> Listed:
    """The entries (line, name, label) of a list, of which there must be some."""
    kept = list(entries)
    if not kept:
        raise InputError(f"{path}: lists no image of the classes that are used")
    lines, names, labels = zip(*kept, strict=True)
    return Listed([os.fsencode(name) for name in names], list(labels), str(path), list(lines))


def _files(root: Path, folder: str) -> list[str]:
    """Names of the images in a folder, sorted; hidden files and other files are left out."""
    try:
        names = sorted(os.listdir(root / folder))
    except OSError as error:
        raise InputError(f"{root / folder}: cannot be read ({error.strerror or error})") from None
    return [name for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]


def _webvision(root: Path) -> Contents:
    info = root / "info"
    lists = info / "train_filelist_google.txt", info / "val_filelist.txt"
    train, test = (
        _listed(path, (entry for entry in _pairs(path, WEBVISION_CLASSES) if entry[2] < MINI)) for path in lists
    )
    test = replace(test, names=[b"val_images_256/" + name for name in test.names])
    names = tuple(name for _, name in _synsets(root)) or tuple(map(str, range(MINI)))
    return Contents(names, train, test, "Li et al. 2017, first 50 classes of the Google part (Jiang et al. 2018)")


def _synsets(root: Path) -> list[tuple[str, str]]:
    """(WordNet id, name) of the classes that are used, from info/synsets.txt; empty where there is no such file."""
    path = root / "info" / "synsets.txt"
    if not path.exists():
        return []
    found = []
    for count, line in _lines(path):
        wnid, _, name = line.partition(" ")
        if not (len(wnid) == 9 and wnid[0] == "n" and wnid[1:].isdigit()):
            raise InputError(f"{path}, line {count}: {wnid!r} is not a WordNet id such as n01440764")
        found.append((wnid, name or wnid))
    if len(found) < MINI:
        raise InputError(f"{path}: {len(found)} classes; the first {MINI} are needed")
    return found[:MINI]


def _ilsvrc(folder: Path, root: Path, K: int) -> Listed:
    """The validation images of ILSVRC12 in the folders of classes 0..K-1."""
    ids = [wnid for wnid, _ in _synsets(root)]
    by_number = not ids or not (folder / ids[0]).is_dir()
    names, labels = [], []
    for label, inside in enumerate(map(str, range(K)) if by_number else ids):
        if not (folder / inside).is_dir():
            needed = f"one folder for every class, named by WordNet id (those of {root}/info/synsets.txt) or 0..{K - 1}"
            raise InputError(f"--ilsvrc-dir {folder}: holds no folder {inside}; {needed}, is needed")
        found = _files(folder, inside)
        names += [os.fsencode(f"{inside}/{name}") for name in found]
        labels += [label] * len(found)
    if not names:
        raise InputError(f"--ilsvrc-dir {folder}: its folders hold no images")
    return Listed(names, labels)


def _clothing1m(root: Path) -> Contents:
    folder = root / "annotations" if (root / "annotations").is_dir() else root

    def keys(keys_name: str, labels_name: str) -> Listed:
        path, known = folder / keys_name, folder / labels_name
        labels = {name: label for _, name, label in _pairs(known, len(GARMENTS))}

        def entries() -> Iterator[tuple[int, str, int]]:
            for count, name in _lines(path):
                if name not in labels:
                    raise InputError(f"{path}, line {count}: {name} has no label in {known.name}")
                yield count, name, labels[name]

        return _listed(path, entries())

    train = keys("noisy_train_key_list.txt", "noisy_label_kv.txt")
    test = keys("clean_test_key_list.txt", "clean_label_kv.txt")
    return Contents(GARMENTS, train, test, "Xiao et al. 2015")


def _animal10n(root: Path) -> Contents:
    def part(folder: str) -> Listed:
        names, labels = [], []
        for name in _files(root, folder):
            text = name.split("_")[0]
            if not (text.isascii() and text.isdigit() and int(text) < len(ANIMALS)):
                raise InputError(
                    f"{root / folder / name}: its name does not begin with a class 0..{len(ANIMALS) - 1} and _"
                )
            names.append(os.fsencode(f"{folder}/{name}"))
            labels.append(int(text))
        if not names:
            raise InputError(f"{root / folder}: holds no images")
        return Listed(names, labels)

    return Contents(ANIMALS, part("training"), part("testing"), "Song et al. 2019 (SELFIE)")


def _folder(root: Path) -> Contents:
    held = "test" if (root / "test").is_dir() else "val"
    classes = _classes(root / "train")

    def part(folder: str) -> Listed:
        if _classes(root / folder) != classes:
            differing = sorted(set(_classes(root / folder)) ^ set(classes))
            raise InputError(f"{root}: train and {folder} hold different classes ({', '.join(differing[:3])})")
        names, labels = [], []
        for label, name in enumerate(classes):
            found = _files(root / folder, name)
            if not found:
                raise InputError(f"{root / folder / name}: holds no images")
            names += [os.fsencode(f"{folder}/{name}/{each}") for each in found]
            labels += [label] * len(found)
        return Listed(names, labels)

    if len(classes) < 2:
        raise InputError(f"{root / 'train'}: {len(classes)} class folders; at least 2 are needed")
    return Contents(classes, part("train"), part(held), str(root), trusted=True)


def _classes(folder: Path) -> tuple[str, ...]:
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror or error})") from None


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
            "webvision", _webvision, ("info/train_filelist_google.txt",), "resized-crop-flip-jitter", 224, IMAGENET
        ),
        Known(
            "clothing1m", _clothing1m, ("annotations/noisy_train_key_list.txt", "noisy_train_key_list.txt"),
            "square-crop-flip", 224, CLOTHING,
        ),
        Known("animal10n", _animal10n, ("training",), "flip", 64, IMAGENET),
        Known("folder", _folder, ("train",), "resized-crop-flip", 224, IMAGENET),
    )
}  # fmt: skip
"""The sets of :func:`load_folders`. Normalisation is the published code's; of Animal-10N, ImageNet's (its paper says nothing)."""
