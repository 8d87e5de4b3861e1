"""The official lists of the large sets, read line by line: which images there are, and the label of each.

Every line is checked; what is wrong raises InputError that names file and line. No image is opened here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from asymtheory.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
ANIMALS = ("cat", "lynx", "wolf", "coyote", "cheetah", "jaguar", "chimpanzee", "orangutan", "hamster", "guinea pig")
GARMENTS = (
    "T-shirt", "Shirt", "Knitwear", "Chiffon", "Sweater", "Hoodie", "Windbreaker", "Jacket", "Down Coat", "Suit", "Shawl",
    "Dress", "Vest", "Underwear",
)  # fmt: skip
WEBVISION_CLASSES, MINI = 1000, 50


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


def webvision(root: Path) -> Contents:
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


def ilsvrc(folder: Path, root: Path, K: int) -> Listed:
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


def clothing1m(root: Path) -> Contents:
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


def animal10n(root: Path) -> Contents:
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


def class_folders(root: Path) -> Contents:
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
