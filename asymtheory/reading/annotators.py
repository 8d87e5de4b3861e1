"""The labels of several annotators: a column each, or one line ``item,annotator,label`` for each label."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError, printable
from .kinds import split_kind
from .labels import Codes, Column, align, column
from .objects import read
from .roles import find, role
from .table import Table


@dataclass(frozen=True, eq=False)
class Annotations:
    """What every annotator said of every item.

    ``labels``: (N, A), classes 0..K-1, -1 where an annotator did not label an item. ``annotators``: their names.
    ``items``: the names of the items, or None. ``names``: of the classes, or None. ``reading``: one line for people.
    """

    labels: Codes
    K: int
    annotators: tuple[str, ...]
    items: tuple[str, ...] | None
    names: tuple[str, ...] | None
    source: str
    reading: str

    @cached_property
    def votes(self) -> Codes:
        """(N, K): how many annotators gave each class to an item."""
        counts = np.zeros((len(self.labels), self.K), dtype=np.int64)
        for own in self.labels.T:
            have = own >= 0
            counts[np.flatnonzero(have), own[have]] += 1
        return counts

    @cached_property
    def majority(self) -> Codes:
        """(N,): the class with most votes; -1 where two have the same number."""
        top = self.votes.max(axis=1, keepdims=True)
        tied = (self.votes == top).sum(axis=1) > 1
        return np.where(tied, -1, self.votes.argmax(axis=1))

    def annotator(self, name: str) -> int:
        """The place of an annotator by name, or by number from 1."""
        if name in self.annotators:
            return self.annotators.index(name)
        if name.isascii() and name.isdigit() and 1 <= int(name) <= len(self.annotators):
            return int(name) - 1
        shown = ", ".join(self.annotators[:10])
        raise InputError(f"--annotator {printable(name, 40)!r}: {self.source} has {shown}")


def read_annotators(source: Any, what: str = "--annotators", K: int | None = None) -> Annotations:
    """The labels of annotators from a file (``FILE``, also ``annotators:FILE``) or an object in memory."""
    if isinstance(source, str | os.PathLike):
        source = split_kind(os.fspath(source))[1]
    table, _ = read(source, what)
    return of_table(table, K)


def of_table(table: Table, K: int | None = None) -> Annotations:
    """The labels of annotators that a table holds, wide (a column each) or long (item, annotator, label)."""
    if table.grids and len(table.grids) == 1:
        grid = np.asarray(next(iter(table.grids.values())))
        if grid.ndim != 2:
            raise InputError(f"{table.source}: labels of annotators have shape {grid.shape}; two axes are needed")
        table = Table(
            table.source,
            {str(j + 1): grid[:, j] for j in range(grid.shape[1])},
            headed=False,
            tabular=True,
            classes=table.classes,
        )
    heads = table.heads
    if table.headed and find(heads, "annotator"):
        return _long(table, K)
    return _wide(table, K)


def _wide(table: Table, K: int | None) -> Annotations:
    heads = [head for head in table.heads if not table.headed or role(head) not in ("index", "item", "clean")]
    if len(heads) < 2:
        raise InputError(
            f"{table.source} holds {table.listed()}: labels of at least 2 annotators are needed, a column each, or columns item, "
            "annotator and label"
        )
    columns = [column(table.columns[head], f"{table.source}: {head}") for head in heads]
    codes, count, names, based = align(columns, K, table.classes)
    labels = np.stack(codes, axis=1)
    _check_labelled(labels, table.source)
    keys = [head for head in table.heads if table.headed and role(head) in ("index", "item")]
    items = tuple(map(str, table.columns[keys[0]])) if len(keys) == 1 else None
    annotators = tuple(printable(head) for head in heads) if table.headed else tuple(map(str, range(1, len(heads) + 1)))
    return _made(labels, count, annotators, items, names, table.source, "a column each", based)


def _long(table: Table, K: int | None) -> Annotations:
    heads = table.heads
    who = find(heads, "annotator")
    what = find(heads, "label") or find(heads, "noisy")
    which = find(heads, "item") or find(heads, "index")
    if len(who) != 1 or len(what) != 1 or len(which) != 1:
        raise InputError(
            f"{table.source} holds {table.listed()}: columns item, annotator and label are needed, one of each"
        )
    given: Column = column(table.columns[what[0]], f"{table.source}: {what[0]}")
    (codes,), count, names, based = align([given], K, table.classes)
    items, item = np.unique(np.array([str(cell) for cell in table.columns[which[0]]]), return_inverse=True)
    people, person = np.unique(np.array([str(cell) for cell in table.columns[who[0]]]), return_inverse=True)
    if len(items) * len(people) > 10**8:
        raise InputError(f"{table.source}: {len(items)} items of {len(people)} annotators are too many for a table")
    labels = np.full((len(items), len(people)), -1, dtype=np.int64)
    labels[item, person] = codes
    if len(np.unique(item * len(people) + person)) < len(codes):
        raise InputError(f"{table.source}: an annotator labels the same item twice; keep one label of each")
    _check_labelled(labels, table.source)
    annotators = tuple(printable(str(name)) for name in people)
    return _made(
        labels, count, annotators, tuple(map(str, items)), names, table.source, "item, annotator, label", based
    )


def _check_labelled(labels: Codes, source: str) -> None:
    empty = (labels < 0).all(axis=1)
    if empty.any():
        raise InputError(f"{source}: item {int(empty.argmax())} has no label of any annotator")


def _made(
    labels: Codes,
    K: int,
    annotators: tuple[str, ...],
    items: tuple[str, ...] | None,
    names: tuple[str, ...] | None,
    source: str,
    form: str,
    based: str,
) -> Annotations:
    reading = f"labels of {len(annotators)} annotators ({form}), {len(labels)} items, {K} classes{f'; {based}' if based else ''}"
    return Annotations(labels, K, annotators, items, names, source, reading)
