"""All images of a data set through a backbone, once: a file of features that :mod:`asymtheory_training.data.features` reads.

What is there is kept: features are appended to ``FILE.part`` as they come, and the same command goes on after the last whole
image. The finished file has the recipe and checksums of labels and features in it.
"""

from __future__ import annotations

import io
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json
from asymtheory.reading.documents import parse_json
from asymtheory.shapes import has_shape
from asymtheory.writing import without_links, write_file

from ..data.features import features_checksum
from ..data.labels import checksum
from ..data.sets import Dataset
from .backbones import Backbone
from .device import using

Half = npt.NDArray[np.float16]

BATCH = 32  # images: their activations stay in the cache of a core, where 128 take twice as long
AHEAD = 2  # batches a thread that are under way


def extract(
    dataset: Dataset,
    backbone: Backbone,
    out: str | os.PathLike[str],
    *,
    batch: int = BATCH,
    threads: int = 1,
    begin: Callable[[int, int], object] = lambda total, done: None,
    tick: Callable[[int], object] = lambda images: None,
) -> Json:
    """Write the features of training and test images to ``out`` (.npz); returns the recipe that the file holds.

    ``batch`` images at once on each of so many ``threads``. ``begin`` is called with the number of images and of those that an
    earlier run left, ``tick`` with further ones. Raises InputError for a path that cannot be written.
    """
    target = Path(out)
    if target.suffix.lower() != ".npz":
        raise InputError(f"--out {target}: features are written to a .npz file")
    parts = [each for each in (dataset.train_images, dataset.test_images) if each is not None]
    total = sum(len(part) for part in parts)
    recipe = _recipe(dataset, backbone)
    with _Part(target, recipe) as kept:
        begin(total, kept.rows)
        for rows in features(parts, backbone, kept.rows, batch, threads):
            kept.append(rows)
            tick(len(rows))
        every = kept.read()
    if not np.isfinite(every).all():
        raise InputError(
            f"--backbone {backbone.name}: gives numbers that are not finite, or too large for two bytes, at --size {backbone.size}"
        )
    train, test = every[: len(dataset.train_images)], every[len(dataset.train_images) :]
    arrays = {
        "train": train,
        "train_labels": dataset.train_labels.numpy(),
        "class_names": np.array(dataset.class_names),
    }
    if dataset.test_labels is not None:
        arrays |= {"test": test, "test_labels": dataset.test_labels.numpy()}
    recipe = {**recipe, "features": every.shape[1], "features_checksum": features_checksum(train, test)}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays, recipe=np.array(json.dumps(recipe)))
    write_file(target, file.getvalue())
    _Part.path_of(target).unlink(missing_ok=True)
    return recipe


def features(parts: list[Tensor], backbone: Backbone, done: int, batch: int, threads: int) -> Iterator[Half]:
    """Features of uint8 images in their order, from the image ``done`` on, batch by batch.

    Each thread computes batches of its own: small operations that several threads share leave them waiting for each other.
    """
    with (
        using(1),
        torch.inference_mode(),
        ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        under_way: deque[Future[Half]] = deque()
        try:
            for images in _batches(parts, done, batch):
                under_way.append(pool.submit(_one, backbone, images))
                if len(under_way) >= AHEAD * threads:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def _one(backbone: Backbone, images: Tensor) -> Half:
    with torch.inference_mode():  # of this thread
        colour = images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1)
        found: Half = backbone(colour).half().numpy()
        return found


def _batches(parts: list[Tensor], done: int, batch: int) -> Iterator[Tensor]:
    for part in parts:
        for start in range(min(done, len(part)), len(part), batch):
            yield part[start : start + batch]
        done = max(0, done - len(part))


def _recipe(dataset: Dataset, backbone: Backbone) -> Json:
    """All that the features depend on."""
    return {
        "dataset": dataset.name,
        "images": len(dataset.train_images),
        "test_images": 0 if dataset.test_images is None else len(dataset.test_images),
        **backbone.recipe(),
        "dtype": "float16",
        "train_labels_checksum": checksum(dataset.train_labels.numpy()),
        **({} if dataset.test_labels is None else {"test_labels_checksum": checksum(dataset.test_labels.numpy())}),
        "torch": torch.__version__,
    }


LONGEST_HEAD = 2**16  # bytes of the first line of a part


class _Part:
    """``FILE.part``: a line with the recipe and the number of features, then rows of float16.

    A file of another recipe is begun anew.
    """

    def __init__(self, target: Path, recipe: Json) -> None:
        self.path, self.recipe = self.path_of(target), recipe
        self.head, self.width, self.rows = b"", 0, 0

    @staticmethod
    def path_of(target: Path) -> Path:
        return target.with_name(f"{target.name}.part")

    def __enter__(self) -> _Part:
        try:
            self.file = open(self.path, "a+b", opener=without_links)
            self.file.seek(0)
            self.head = self.file.readline(LONGEST_HEAD)
            self.width = _width(self.head, self.recipe)
            if self.width:
                size = os.fstat(self.file.fileno()).st_size - len(self.head)
                self.rows = size // (2 * self.width)
                self.file.truncate(len(self.head) + 2 * self.width * self.rows)  # half an image, where a disk was full
            else:
                self.head = b""
                self.file.truncate(0)
        except OSError as error:
            raise InputError(f"--out {self.path}: cannot be written ({error.strerror or error})") from None
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def append(self, rows: Half) -> None:
        try:
            if not self.head:
                self.width = rows.shape[1]
                self.head = json.dumps({"recipe": self.recipe, "features": self.width}).encode() + b"\n"
                self.file.write(self.head)
            self.file.write(rows.tobytes())
            self.file.flush()
        except OSError as error:
            raise InputError(f"--out {self.path}: cannot be written ({error.strerror or error})") from None
        self.rows += len(rows)

    def read(self) -> Half:
        self.file.seek(len(self.head))
        return np.frombuffer(self.file.read(), np.float16).reshape(-1, self.width)


def _width(head: bytes, recipe: Json) -> int:
    """The number of features that the first line of a part names, 0 where it is of another recipe."""
    try:
        facts = parse_json(head, "part")
        known = has_shape(facts, {"features": int, "recipe": dict}) and facts["features"] > 0
        return facts["features"] if known and facts["recipe"] == json.loads(json.dumps(recipe)) else 0
    except InputError:
        return 0
