"""Features of images as a data set: frozen numbers that a backbone made once, or anybody's embeddings, with their labels.

    train = load_features("cifar10.npz")                      # what `asymtheory features` wrote
    train = load_features("mine.parquet", labels="noisy.csv")  # one row an image; labels in a file of their own

A file holds a matrix (N, D) of numbers, one row an image:

``.npz``, ``.pt``  ``train``; where there are any, ``test``, ``train_labels``, ``test_labels``, ``class_names``, ``recipe`` (JSON)
``.npy``           the training images' features alone
``.parquet``       a column ``features`` (or ``embedding``) of lists, or columns of numbers; ``label``; ``split`` (train or test)

Every feature is shifted and scaled by the mean and the standard deviation that it has on the training images.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from asymtheory.errors import InputError, printable
from asymtheory.reading.documents import parse_json
from asymtheory.reading.files import read_file
from asymtheory.reading.labels import align, choose, column_of
from asymtheory.reading.limits import check_regular, check_unpacked
from asymtheory.reading.roles import find

from . import formats
from .labels import checksum
from .sets import Dataset

Floats = npt.NDArray[np.floating[Any]]

NAMES = ("train", "features", "embeddings", "embedding", "x")
"""What the training features may be called in a file of several arrays; the first that is there is taken."""
COLUMNS = ("features", "embedding", "embeddings")
FEATURE_FILES = (".npz", ".npy", ".pt", ".parquet")
TABLES_INSTALL = "pip install 'asymtheory[tables]'"
FEW = 2**22  # numbers that are looked at together for one that is not finite


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """What a file holds: features (N, D) of any floating type, labels int64 (N,) where it has them, and how they were made."""

    train: Floats
    train_labels: formats.Labels | None = None
    test: Floats | None = None
    test_labels: formats.Labels | None = None
    class_names: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)


def load_features(
    path: str | os.PathLike[str], labels: str | os.PathLike[str] | None = None, column: str | None = None
) -> Dataset:
    """The features of a file as a data set; images are float16 (N, D, 1, 1), standardised by the training images.

    Where the file has no labels of its training images they are read from the file ``labels`` (:mod:`asymtheory.reading`): its
    clean labels if it has them, else the others as they are, which is then known (``trusted`` is False). Raises InputError for a
    file that cannot be read or holds something else, rows that differ in number, a single row or column, and a number that is not
    finite (its place is named).
    """
    source = os.fspath(path)
    try:
        stamp = os.stat(source)
    except OSError as error:
        raise InputError(f"--data {source}: cannot be read ({error.strerror or error})") from None
    held = _standardised(source, stamp.st_mtime_ns, stamp.st_size)
    found, trusted, names = held.file, True, held.file.class_names
    train_labels = found.train_labels
    if train_labels is None:
        train_labels, trusted = _labels_of(source, labels, column, len(found.train))
    K = max(
        len(names), int(train_labels.max()) + 1, 0 if found.test_labels is None else int(found.test_labels.max()) + 1
    )
    tested = held.test is not None and found.test_labels is not None
    return Dataset(
        "features", K, names if len(names) == K else tuple(map(str, range(K))),
        held.train, torch.from_numpy(train_labels),
        held.test if tested else None, torch.from_numpy(found.test_labels) if tested else None,
        mean=None, std=None, augmentation="none", source=str(found.recipe.get("backbone", source)), trusted=trusted,
    )  # fmt: skip


def _labels_of(
    source: str, labels: str | os.PathLike[str] | None, column: str | None, count: int
) -> tuple[formats.Labels, bool]:
    """Labels for features that came without: (labels, are they the true ones?)."""
    if labels is None:
        raise InputError(f"--data {source}: holds no labels of its {count} images; name a file of them with --labels")
    table, spec = read_file(labels, "--labels")
    clean = find(table.columns, "clean") if table.headed else []
    trusted = len(clean) == 1 and column is None and spec is None
    head = clean[0] if trusted else choose(table, column or spec, "--labels", "noisy")
    given = column_of(table, head, "--labels", "clean" if trusted else "noisy")
    if len(given.codes) != count:
        raise InputError(
            f"{given.where}: {len(given.codes)} labels for {count} samples; there must be one label a sample"
        )
    if (given.codes < 0).any():
        raise InputError(f"{given.where}: position {int((given.codes < 0).argmax())} has no label")
    (codes,), _, _, _ = align((given,), None, None)
    return codes, trusted


# --------------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, eq=False)
class _Held:
    """A file and its features as the network gets them, shared by all runs of a process."""

    file: FeatureFile
    train: torch.Tensor
    test: torch.Tensor | None


@lru_cache(maxsize=2)
def _standardised(source: str, changed: int, size: int) -> _Held:
    """The file at ``source`` as it was at that time; the arguments name its state."""
    file = read_features(source)
    train = torch.from_numpy(file.train.astype(np.float32))
    mean, std = train.mean(0), train.std(0, correction=0)
    std = torch.where(std > 0, std, 1.0)

    def ready(x: torch.Tensor) -> torch.Tensor:
        return x.sub_(mean).div_(std).half()[:, :, None, None]

    test = None if file.test is None else ready(torch.from_numpy(file.test.astype(np.float32)))
    return _Held(file, ready(train), test)


def read_features(path: str | os.PathLike[str]) -> FeatureFile:
    """What a file of features holds, as it is written there; see :func:`load_features` for what is refused."""
    source = os.fspath(path)
    suffix = Path(source).suffix.lower()
    if suffix not in FEATURE_FILES:
        raise InputError(
            f"--data {source}: unknown type of feature file {suffix!r}; allowed: {', '.join(FEATURE_FILES)}"
        )
    _check_size(source)
    found = {".npz": _npz, ".npy": _npy, ".pt": _pt, ".parquet": _parquet}[suffix](source)
    name = next((name for name in NAMES if name in found), None)
    if name is None:
        raise InputError(f"--data {source}: holds {', '.join(found) or 'nothing'}; an array named {NAMES[0]} is needed")
    train = _matrix(found[name], f"{source}: {name}")
    test = None if found.get("test") is None else _matrix(found["test"], f"{source}: test", train.shape[1])
    labels = {
        part: None if found.get(key) is None else formats.label_array(found[key], f"{source}: {key}", length=len(rows))
        for part, key, rows in (
            ("train", "train_labels" if "train_labels" in found else "labels", train),
            ("test", "test_labels", test),
        )
        if rows is not None
    }
    recipe = _recipe(found.get("recipe"), source)
    file = FeatureFile(
        train,
        labels["train"],
        test,
        labels.get("test"),
        tuple(printable(str(name)) for name in found.get("class_names", ())),
        recipe,
    )
    _check(file, source)
    return file


def _check_size(source: str) -> None:
    """InputError for what is not a regular file, and where the arrays would not fit into the memory."""
    size = check_regular(source, f"--data {source}")
    try:
        with zipfile.ZipFile(source) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError):  # not an archive, or a damaged one: its reader says so
        unpacked = size
    check_unpacked(f"--data {source}", size, unpacked)


def _matrix(values: Any, source: str, width: int | None = None) -> Floats:
    """``values`` as a matrix of finite numbers; ``width``: the columns that it must have."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    array = np.asarray(values)
    if array.ndim == 4 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(
            f"--data {source}: is {array.dtype} of shape {array.shape}; numbers of shape (images, features) are needed"
        )
    if min(array.shape) < 2:
        raise InputError(
            f"--data {source}: {array.shape[0]} images of {array.shape[1]} features; at least 2 of each are needed"
        )
    if width is not None and array.shape[1] != width:
        raise InputError(f"--data {source}: {array.shape[1]} features an image; the training images have {width}")
    if array.dtype.kind != "f":
        array = array.astype(np.float32)
    rows = max(1, FEW // array.shape[1])
    for start in range(0, len(array), rows):
        bad = ~np.isfinite(array[start : start + rows])
        if bad.any():
            row, feature = (int(place[0]) for place in np.nonzero(bad))
            value = array[start + row, feature]
            raise InputError(
                f"--data {source}: feature {feature} of image {start + row} is {value}; finite numbers are needed"
            )
    return array


def _recipe(text: Any, source: str) -> dict[str, Any]:
    if text is None:
        return {}
    found = parse_json(str(text), f"--data {source}: its recipe")
    if not isinstance(found, dict):
        raise InputError(f"--data {source}: its recipe is not a JSON object")
    return found


def _check(file: FeatureFile, source: str) -> None:
    """Is the file as it was written? Of files that say what they must hold."""
    for name, held in (("train_labels_checksum", file.train_labels), ("test_labels_checksum", file.test_labels)):
        promised = file.recipe.get(name)
        if promised is not None and (held is None or checksum(held) != promised):
            raise InputError(
                f"--data {source}: its labels are not those of its recipe ({name} {str(promised)[:12]}...)"
            )
    promised = file.recipe.get("features_checksum")
    if promised is not None and features_checksum(file.train, file.test) != promised:
        raise InputError(f"--data {source}: its features are not those of its recipe ({str(promised)[:12]}...)")


def features_checksum(train: Floats, test: Floats | None) -> str:
    """SHA-256 of the features' bytes, training images first, in hexadecimal."""
    digest = hashlib.sha256(np.ascontiguousarray(train).tobytes())
    if test is not None:
        digest.update(np.ascontiguousarray(test).tobytes())
    return digest.hexdigest()


def _npz(source: str) -> dict[str, Any]:
    try:
        with open(source, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # numpy, zipfile and zlib each have errors of their own
        reason = "holds pickled objects" if "pickle" in str(error) else f"is damaged ({type(error).__name__})"
        raise InputError(f"--data {source}: {reason}; plain arrays are needed") from None


def _npy(source: str) -> dict[str, Any]:
    try:
        with open(source, "rb") as file:
            return {"train": np.load(file, allow_pickle=False)}
    except Exception as error:
        reason = "holds pickled objects" if "pickle" in str(error) else f"is damaged ({type(error).__name__})"
        raise InputError(f"--data {source}: {reason}; a plain array is needed") from None


def _pt(source: str) -> dict[str, Any]:
    try:
        content = torch.load(io.BytesIO(formats.read_bytes(source)), map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception:  # pickle, zip and torch each have errors of their own, some of many lines
        raise InputError(
            f"--data {source}: is not a file of tensors (torch.load with weights_only refuses it)"
        ) from None
    if isinstance(content, torch.Tensor):
        return {"train": content}
    if not isinstance(content, dict):
        raise InputError(f"--data {source}: holds a {type(content).__name__}; a tensor or a dict of tensors is needed")
    return {str(name): value for name, value in content.items()}


def _parquet(source: str) -> dict[str, Any]:
    try:
        from pyarrow import parquet  # an extra
    except ImportError:
        raise InputError(f"--data {source}: reading Parquet needs pyarrow: {TABLES_INSTALL}") from None
    try:
        table = parquet.read_table(source)
    except Exception as error:  # pyarrow's errors, of many kinds
        raise InputError(f"--data {source}: is not a Parquet file ({type(error).__name__})") from None
    columns = {name: table.column(name) for name in table.column_names}
    labels, split = columns.pop("label", None), columns.pop("split", None)
    listed = next((columns[name] for name in COLUMNS if name in columns), None)
    try:
        if listed is not None:
            matrix = np.stack([np.asarray(row, dtype=np.float32) for row in listed.to_pylist()])
        else:
            matrix = np.stack([column.to_numpy().astype(np.float32) for column in columns.values()], 1)
    except (ValueError, TypeError):
        raise InputError(
            f"--data {source}: its columns are not numbers, or its lists differ in length; a column {COLUMNS[0]} of lists, or "
            "columns of numbers, are needed"
        ) from None
    testing = (
        np.zeros(len(matrix), dtype=bool)
        if split is None
        else np.array([str(each) == "test" for each in split.to_pylist()])
    )
    found: dict[str, Any] = {"train": matrix[~testing]}
    if testing.any():
        found["test"] = matrix[testing]
    if labels is not None:
        given = np.array(labels.to_pylist())
        found["train_labels"] = given[~testing]
        if testing.any():
            found["test_labels"] = given[testing]
    return found
