"""What people give to train on, as the loop takes it: arrays, lists, frames, data sets, loaders, batches of any form.

Inputs are arrays (N, ...) of torch, numpy, lists, pandas or polars: floats go to the model in its type, bytes divided by 255,
other whole numbers (tokens) as they are. A tuple, or a mapping of names to arrays such as a tokeniser gives, are several inputs:
``model(*x)`` or ``model(**x)``. Data sets are of torch or of ``datasets``, or a list of samples; batches come
from a DataLoader, an IterableDataset or another iterable, in its size and order. A sample, or a batch, is ``(input, label)``,
``(input, ..., label)``, ``({...}, label)``, or a mapping with an entry ``labels``, ``label``, ``target`` or ``y``.

A model returns logits (N, K) or (N, K, d1, ...), alone, first in a tuple, or under the name ``logits``; (N, T, K), as models of
transformers have it, is told by the shape of the labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, Subset, default_collate

from asymtheory.errors import InputError, printable
from asymtheory.reading.labels import Column, align, column, read_labels

from ..distributed import ALONE, World
from ..losses.module import MULTI_HOT, check_rows
from .inputs import EVALUATION, Batch, Images, mapped
from .workers import worker_start

LABELS = ("labels", "label", "label_ids", "targets", "target", "y")
"""What the label is called in a sample that is a mapping."""
NONE = -1
"""A label that is missing, as the reader of labels has it."""


# ------------------------------------------------------------------------------------------------------------ inputs


def tensor_of(x: object, what: str) -> Tensor:
    """Numbers of any library as a tensor: (N, ...). InputError for what does not hold numbers of one shape."""
    if isinstance(x, Tensor):
        found = x.detach().to_dense() if x.layout != torch.strided else x.detach()
    else:
        if hasattr(x, "toarray"):  # a sparse matrix of scipy
            x = x.toarray()
        elif hasattr(x, "to_numpy"):  # pandas, polars, pyarrow
            x = x.to_numpy()
        try:
            if isinstance(x, Sequence) and len(x) and all(isinstance(each, Tensor) for each in x):
                found = torch.stack([each.detach() for each in x])
            else:
                found = _tensor_of_array(np.asarray(x), what)
        except (RuntimeError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{what}: numbers of one shape are needed ({printable(str(error), 150)})") from None
    if found.is_complex() or not found.ndim:
        raise InputError(f"{what}: {found.dtype} of shape {tuple(found.shape)}; real numbers (N, ...) are needed")
    return found.to(torch.float32) if found.dtype == torch.bool else found


def _tensor_of_array(array: np.ndarray[Any, Any], what: str) -> Tensor:
    if array.dtype.kind == "O":
        array = array.astype(float)
    if array.dtype.kind not in "iufb":
        text = "; text goes through a tokeniser first" if array.dtype.kind in "US" else ""
        raise InputError(f"{what}: {array.dtype} of shape {array.shape}; numbers are needed{text}")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def inputs_of(x: object, what: str = "images") -> Images | Several:
    """Inputs of one kind or of several: an array, a tuple of arrays, or a mapping of names to arrays."""
    if isinstance(x, Mapping):
        return Several(
            {str(name): tensor_of(each, f"{what}: {name}") for name, each in x.items() if not _is_text(each)}
        )
    if isinstance(x, tuple):
        return Several(tuple(tensor_of(each, f"{what}: part {i}") for i, each in enumerate(x)))
    return Images(tensor_of(x, what))


def _is_text(x: object) -> bool:
    return isinstance(x, list | tuple) and len(x) > 0 and isinstance(x[0], str)


@dataclass(frozen=True, eq=False)
class Several:
    """Inputs of several parts, a tuple or a mapping of tensors (N, ...), on the device."""

    parts: Batch

    evaluation = EVALUATION

    def __post_init__(self) -> None:
        sizes = {len(each) for each in self._tensors()}
        if len(sizes) != 1:
            shapes = ", ".join(str(tuple(each.shape)) for each in self._tensors()) or "nothing"
            raise InputError(f"inputs of several parts are of the same samples: got {shapes}")

    def _tensors(self) -> list[Tensor]:
        return list(self.parts.values() if isinstance(self.parts, Mapping) else self.parts)

    def __len__(self) -> int:
        return len(self._tensors()[0])

    def first(self, count: int) -> Several:
        """The first ``count`` of them only."""
        return Several(mapped(lambda x: x[:count], self.parts))

    def to(self, device: torch.device, dtype: torch.dtype) -> Several:
        """The parts on the device."""
        return Several(mapped(lambda x: x.to(device), self.parts))

    def batch(self, which: Tensor | slice, dtype: torch.dtype) -> Batch:
        """Network inputs of some."""
        return mapped(lambda x: Images(x).batch(which, dtype), self.parts)

    def visits(
        self, parts: Sequence[Tensor], dtype: torch.dtype, visit: tuple[int, int] | None = None, world: World = ALONE
    ) -> Iterator[Batch]:
        """Network inputs batch by batch, this process's share."""
        for part in parts:
            yield self.batch(part[world.share(len(part))] if world.size > 1 else part, dtype)


Collate = Callable[[list[Any]], Any]


@dataclass(frozen=True, eq=False)
class Samples:
    """A map-style data set: its samples are read when a batch needs them. ``bare``: are they inputs alone, without a label?"""

    dataset: Any
    collate: Collate
    workers: int = 0
    bare: bool = False
    device: torch.device | None = None

    evaluation = EVALUATION

    def __len__(self) -> int:
        return len(self.dataset)

    def first(self, count: int) -> Samples:
        """The first ``count`` of them only."""
        return replace(self, dataset=Subset(self.dataset, range(count)))

    def to(self, device: torch.device, dtype: torch.dtype) -> Samples:
        """Batches will be on the device."""
        return replace(self, device=device)

    def batch(self, which: Tensor | slice, dtype: torch.dtype) -> Batch:
        """Network inputs of some."""
        index = range(len(self))[which] if isinstance(which, slice) else which.tolist()
        return next(self.visits([torch.tensor(list(index))], dtype))

    def visits(
        self, parts: Sequence[Tensor], dtype: torch.dtype, visit: tuple[int, int] | None = None, world: World = ALONE
    ) -> Iterator[Batch]:
        """Network inputs batch by batch, this process's share."""
        own = [part[world.share(len(part))] if world.size > 1 else part for part in parts]
        for batch in self._loaded([part.tolist() for part in own]):
            yield on_device(split(batch, self.bare)[0], self.device, dtype)

    def _loaded(self, parts: list[list[int]]) -> Iterable[Any]:
        return DataLoader(
            self.dataset, batch_sampler=parts, collate_fn=_Named(self.collate), num_workers=self.workers,
            **worker_start(self.workers),
        )  # fmt: skip

    def labels(self) -> Any:
        """The labels of all samples, read once: a tensor, or a list of class names."""
        parts = [list(part) for part in np.array_split(np.arange(len(self)), -(-len(self) // EVALUATION) or 1)]
        return joined([split(batch)[1] for batch in self._loaded(parts)])


@dataclass(frozen=True)
class _Named:
    """A collate function whose complaints about samples of different shapes are for people; worker processes can take it."""

    collate: Collate

    def __call__(self, samples: list[Any]) -> Any:
        try:
            return self.collate(samples)
        except (RuntimeError, TypeError, KeyError) as error:
            raise InputError(
                f"the samples cannot be put into one batch ({printable(str(error), 160)}): make them tensors of one shape, or "
                "give a DataLoader with a collate_fn"
            ) from None


def collate_samples(samples: list[Any]) -> Any:
    """torch's default_collate, for which lists of numbers in samples are arrays of their own."""
    return default_collate([_with_arrays(each) for each in samples])


def _with_arrays(sample: Any) -> Any:
    if isinstance(sample, Mapping):
        return {name: _with_arrays(each) for name, each in sample.items() if each is not None}
    if isinstance(sample, list) and sample and not isinstance(sample[0], str | Tensor | Mapping):
        return np.asarray(sample)
    return type(sample)(map(_with_arrays, sample)) if type(sample) is tuple else sample


def on_device(x: Batch, device: torch.device | None, dtype: torch.dtype) -> Batch:
    """A batch as the network takes it: bytes in [0, 1], floats of the network's type, other whole numbers as they are."""
    return mapped(lambda part: Images(part.to(device)).batch(slice(None), dtype), x)


def split(batch: Any, bare: bool = False) -> tuple[Batch, Any]:
    """Inputs and labels of a batch of a loader, see the module; labels None where it has none, or where it is ``bare``."""
    if isinstance(batch, Mapping):
        label = next((name for name in LABELS if name in batch), None)
        inputs = {str(name): each for name, each in batch.items() if name != label and isinstance(each, Tensor)}
        if not inputs:
            raise InputError(f"a batch of {', '.join(map(str, batch)) or 'nothing'}: none of it is a tensor of inputs")
        return inputs, None if label is None else batch[label]
    if isinstance(batch, tuple | list) and len(batch) > 1 and not bare:
        *parts, labels = batch
        inner = parts[0] if len(parts) == 1 else tuple(parts)
        if isinstance(inner, Mapping):
            inner = {str(name): each for name, each in inner.items() if isinstance(each, Tensor)}
        return _checked(tuple(inner) if isinstance(inner, list) else inner), labels
    if isinstance(batch, tuple | list):
        return _checked(tuple(batch) if len(batch) > 1 else batch[0] if batch else None), None
    return _checked(batch), None


def _checked(x: Any) -> Batch:
    if isinstance(x, Tensor) or (isinstance(x, Mapping) and x) or (isinstance(x, tuple) and all(map(_is_tensor, x))):
        return x
    kind = type(x[0] if isinstance(x, tuple) and x else x).__name__
    raise InputError(f"a batch of inputs holds {kind}; tensors are needed, or a collate_fn that makes them")


def _is_tensor(x: object) -> bool:
    return isinstance(x, Tensor)


def joined(parts: list[Any]) -> Any:
    """Labels of batches one after the other: a tensor, or a list of class names."""
    if any(part is None for part in parts):
        raise InputError(
            "the samples have no labels: (input, label) or a mapping with an entry `labels`, or give labels="
        )
    if all(isinstance(part, Tensor) for part in parts):
        return torch.cat(parts)
    return [each for part in parts for each in (part.tolist() if isinstance(part, Tensor) else part)]


Indexed: TypeAlias = Images | Several | Samples
"""Inputs that are read by number."""


# ------------------------------------------------------------------------------------------------------------ sources


def source_of(x: object, labels: object, workers: int = 0, what: str = "images") -> tuple[Indexed | Iterable[Any], Any]:
    """(inputs by index, or an iterable of batches; their labels, None where the batches have them).

    What is not an array, a tuple or a mapping of arrays, a frame or a list of numbers is a data set, or batches.
    """
    if isinstance(x, DataLoader | IterableDataset) or (isinstance(x, Iterable) and not hasattr(x, "__getitem__")):
        if labels is not None:
            raise InputError("labels go with inputs in a fixed order; the batches of a loader bring their own")
        if isinstance(x, Iterator):
            raise InputError("an iterator is gone through once, but every epoch needs its batches; give a DataLoader")
        return (DataLoader(x, batch_size=None) if isinstance(x, IterableDataset) else x), None
    if hasattr(x, "to_pylist") and hasattr(x, "to_pandas"):  # a table of pyarrow
        x = x.to_pandas()
    if _is_dataset(x, labels):
        if not len(x):  # type: ignore[arg-type]
            raise InputError("the data set is empty")
        bare = labels is not None and not _has_label(x[0])  # type: ignore[index]
        samples = Samples(x, collate_samples, workers, bare)
        return samples, samples.labels() if labels is None else labels
    if labels is None and isinstance(x, Mapping):
        name = next((name for name in LABELS if name in x), None)
        if name is not None:
            x, labels = {key: each for key, each in x.items() if key != name}, x[name]
    return inputs_of(x, what), labels


def _is_dataset(x: object, labels: object) -> bool:
    if isinstance(x, list):  # of samples with their labels, or of numbers
        if labels is None and x and _is_batch(x[0]):
            raise InputError(
                "a list of batches cannot be told from samples; give a DataLoader(batches, batch_size=None)"
            )
        return labels is None and len(x) > 0 and isinstance(x[0], tuple | Mapping)
    array = isinstance(x, Tensor | np.ndarray | tuple | Mapping) or hasattr(x, "to_numpy") or hasattr(x, "toarray")
    return not array and hasattr(x, "__getitem__") and hasattr(x, "__len__") and not isinstance(x, str | bytes)


def _is_batch(sample: object) -> bool:
    """Is a pair one of tensors of as many inputs as labels?"""
    if not isinstance(sample, tuple | list) or len(sample) != 2 or not all(map(_is_tensor, sample)):
        return False
    inputs, labels = sample
    return bool(labels.ndim == 1 and inputs.ndim > 1 and len(inputs) == len(labels) and not labels.is_floating_point())


def batch_of(batch: Any) -> tuple[Batch, Any]:
    """Inputs and labels of a batch of a loader; InputError where it has no labels."""
    x, labels = split(batch)
    if labels is None:
        raise InputError("a batch has no labels: (inputs, labels) or a mapping with an entry `labels` is needed")
    return x, labels


def _has_label(sample: object) -> bool:
    if isinstance(sample, Mapping):
        return any(name in sample for name in LABELS)
    return isinstance(sample, tuple | list) and len(sample) > 1


def test_of(test: object) -> tuple[Indexed, Any] | None:
    """A test set: (inputs, labels), or a data set, or a loader, whose order does not matter."""
    if test is None:
        return None
    if isinstance(test, tuple | list) and len(test) == 2 and not isinstance(test[0], tuple | Mapping | int | float):
        return inputs_of(test[0], "test"), test[1]
    if isinstance(test, tuple) and len(test) == 2 and isinstance(test[0], tuple | Mapping):
        return inputs_of(test[0], "test"), test[1]
    if isinstance(test, DataLoader) and not isinstance(test.dataset, IterableDataset) and test.batch_size is not None:
        collate = collate_samples if test.collate_fn is default_collate else test.collate_fn
        samples = Samples(test.dataset, collate, test.num_workers)
        return samples, samples.labels()
    found, labels = source_of(test, None, what="test")
    if isinstance(found, Indexed) and labels is not None:
        return found, labels
    if isinstance(found, Indexed):
        raise InputError("test: (inputs, labels), a data set or a DataLoader is needed")
    parts = [batch_of(batch) for batch in found]
    if not parts:
        raise InputError("test: there is no batch")
    first = parts[0][0]
    if isinstance(first, Mapping):
        whole: Batch = {name: torch.cat([x[name] for x, _ in parts]) for name in first}  # type: ignore[call-overload, index]
    elif isinstance(first, tuple):
        whole = tuple(torch.cat(each) for each in zip(*(x for x, _ in parts), strict=True))
    else:
        whole = torch.cat([x for x, _ in parts])  # type: ignore[misc]
    return inputs_of(whole, "test"), joined([y for _, y in parts])


# ------------------------------------------------------------------------------------------------------------ labels


@dataclass(frozen=True)
class Labelling:
    """The classes of a task and what marks a missing label: how labels of any kind become class numbers.

    ``shape``: of the model's logits, (n, K, d1, ...). ``classes``: names in order, or None for numbers.
    """

    shape: tuple[int, ...]
    ignore: int
    classes: tuple[str, ...] | None = None

    @property
    def K(self) -> int:
        return self.shape[1]

    def read(self, labels: dict[str, Any]) -> tuple[dict[str, Tensor], Labelling, str]:
        """Labels of the same classes by what they are called, as int64 tensors, or probabilities (N, K).

        Also the labelling with the names that were found, and what is to be said of the reading.
        """
        plain: dict[str, Tensor] = {}
        columns: dict[str, Column] = {}
        for what, given in labels.items():
            found = self._of(given, what)
            if isinstance(found, Column):
                columns[what] = found
            else:
                plain[what] = found
        named = any(each.named for each in columns.values())
        codes, count, heads, said = (
            align(list(columns.values()), None if named else self.K, self.classes) if columns else ([], 0, None, "")
        )
        if count > self.K:
            raise InputError(
                f"the labels name {count} classes ({', '.join((heads or ())[:5])}, ...); the model has {self.K} outputs"
            )
        for what, each in zip(columns, codes, strict=True):
            plain[what] = torch.from_numpy(np.where(each < 0, self.ignore, each).astype(np.int64))
        if named and heads is not None:
            said = ", ".join(f"{name} = {k}" for k, name in enumerate(heads[:20])) + (
                ", ..." if len(heads) > 20 else ""
            )
        return plain, replace(self, classes=heads if named else self.classes), said

    def _of(self, given: Any, what: str) -> Tensor | Column:
        x = given.detach().cpu() if isinstance(given, Tensor) else given
        if isinstance(x, str) or hasattr(x, "__fspath__") or hasattr(x, "columns"):
            return self._soft(x, what) if _is_wide(x) else read_labels(x, what)
        if not isinstance(x, Tensor):
            x = _array(x, what)
            if not isinstance(x, Tensor):
                return column(x, what)
        if x.ndim == 2 and x.shape[1] == 1 and len(self.shape) == 2:
            x = x[:, 0]  # a column
        if x.ndim == 2 and len(self.shape) == 2:
            return self._soft(x, what)
        if x.dtype == torch.bool or x.is_complex() or not x.ndim:
            raise InputError(
                f"{what}: {x.dtype} of shape {tuple(x.shape)}; whole numbers 0..{self.K - 1} or class names are needed"
            )
        if x.is_floating_point():
            x = torch.where(x == self.ignore, torch.nan, x.double())
            if x.ndim == 1:
                return column(x.numpy(), what)
            raise InputError(f"{what}: {x.dtype} of shape {tuple(x.shape)}; whole numbers are needed")
        x = torch.where(x.long() == self.ignore, NONE, x.long())
        if x.ndim > 1:
            self._fits(x, what)
            return torch.where(x == NONE, self.ignore, x)
        return column(x.numpy(), what)

    def _fits(self, x: Tensor, what: str) -> None:
        """Labels of every place: (N, d1, ...) for logits (n, K, d1, ...)."""
        wanted = self.shape[2:]
        if tuple(x.shape[1:]) != tuple(wanted):
            places = "".join(f", {d}" for d in wanted)
            raise InputError(f"{what} of shape {tuple(x.shape)}: (N{places}) is needed for logits {self.shape}")
        wrong = (x < NONE) | (x >= self.K)
        if bool(wrong.any()):
            raise InputError(
                f"{what}: label {x[wrong][0].item()} is outside 0..{self.K - 1}; ignore_index is {self.ignore}"
            )

    def _soft(self, given: Any, what: str) -> Tensor:
        x = tensor_of(given, what)
        if x.shape[1] != self.K:
            raise InputError(
                f"{what} of shape {tuple(x.shape)}: (N,), or probabilities (N, {self.K}) for the model's outputs"
            )
        try:
            check_rows(x.double(), 1)
        except InputError as error:
            raise InputError(f"{what}: {error}") from None
        return x if x.is_floating_point() else x.argmax(1)

    def of_batch(self, labels: Any) -> Tensor:
        """Labels of one batch of a loader."""
        if not isinstance(labels, Tensor) and self.classes is not None:
            known = {name: k for k, name in enumerate(self.classes)}
            strangers = [each for each in labels if isinstance(each, str) and each not in known]
            if strangers:
                raise InputError(
                    f"label {printable(strangers[0], 40)!r} is none of the classes ({', '.join(self.classes[:10])})"
                )
            return torch.tensor([known.get(each, self.ignore) for each in labels])
        if not isinstance(labels, Tensor):
            labels = tensor_of(labels, "labels")
        found = self._of(labels, "labels")
        if isinstance(found, Tensor):
            return found
        codes = torch.from_numpy(found.codes.astype(np.int64))
        if bool((codes >= self.K).any()):
            raise InputError(f"label {int(codes.max())} is outside 0..{self.K - 1}: the model has {self.K} outputs")
        return torch.where(codes < 0, self.ignore, codes)


def _is_wide(x: Any) -> bool:
    return len(getattr(x, "columns", ())) > 1 and all(np.asarray(x.to_numpy()).dtype.kind in "iuf" for _ in (0,))


def _array(x: Any, what: str) -> Tensor | Any:
    """A tensor where it holds numbers without gaps, else what the reader of labels takes."""
    if isinstance(x, list | tuple) and len(x) and isinstance(x[0], Tensor):
        return tensor_of(list(x), what)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x)
    except ValueError:
        raise InputError(f"{what}: the rows have different lengths; {MULTI_HOT}") from None
    return tensor_of(array, what) if array.dtype.kind in "iuf" and array.ndim else x
