"""What a source holds, whatever its format: columns and tables by name.

The module imports no array library, for a text file with a transition matrix is read on the start-up path of
``asymtheory bound``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..errors import InputError, nearest, printable
from .roles import find, plain, role

Cells: TypeAlias = Any
"""One column: a list of cells (text, numbers, None) or an array of one axis."""

Grid: TypeAlias = Any
"""A table of numbers: a list of rows, or an array of two axes."""

CLASSES = ("names", "classes", "class_names")
"""Names of the entries of a JSON object or archive that list the names of the classes."""

SHOWN = 12
"""Columns that a message lists at most."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns and tables by name; a file without names has the columns 1, 2, ... or one table named ``""``.

    ``headed``: the names are the source's own. ``tabular``: the columns are those of one table, so that they can be taken
    together as rows. ``index``: the column before the rows (a data frame's index) and is not a column. ``lines``: the line
    of every row of a text. ``listing``: lines ``PATH LABEL``. ``others``: names of
    entries that are neither columns nor tables.
    """

    source: str
    columns: Mapping[str, Cells] = field(default_factory=dict)
    grids: Mapping[str, Grid] = field(default_factory=dict)
    headed: bool = True
    tabular: bool = False
    classes: tuple[str, ...] | None = None
    index: Cells | None = None
    lines: list[int] | None = None
    listing: bool = False
    recipe: Any = None
    others: tuple[str, ...] = ()

    @property
    def heads(self) -> list[str]:
        """The names of the columns."""
        return list(self.columns)

    def place(self, head: str) -> str:
        """A column for people: ``column 2 `obs` ``, or ``column 2`` where it has no name of its own."""
        if not self.tabular or not self.headed:
            name = f"`{printable(head, 40)}`" if self.headed and head else ""
            return name or ("the column" if len(self.columns) == 1 else f"column {self.heads.index(head) + 1}")
        return f"column {self.heads.index(head) + 1} `{printable(head, 40)}`"

    def listed(self) -> str:
        """The names of what it holds, for a message."""
        names = [printable(str(name), 40) for name in (*self.columns, *self.grids, *self.others) if name]
        more = f", ... ({len(names)} in all)" if len(names) > SHOWN else ""
        return ", ".join(names[:SHOWN]) + more or "nothing"

    def named(self, name: str) -> str:
        """The column that `name` asks for: its head, the head without ``_label``, or its number from 1."""
        if name in self.columns:
            return name
        alike = [head for head in self.columns if plain(head) in (plain(name), f"{plain(name)}_label")]
        alike = alike or [head for head in self.columns if plain(head) == plain(name).replace("random", "random_label")]
        if len(alike) == 1:
            return alike[0]
        if name.isascii() and name.isdigit() and 1 <= int(name) <= len(self.columns):
            return self.heads[int(name) - 1]
        raise InputError(
            f"{self.source}: has no column {printable(name, 40)!r} (it has: {self.listed()}){nearest(name, self.columns)}"
        )

    def keys(self) -> tuple[str, Cells] | None:
        """The column that names the samples (an id, a path) and its cells; None where there is none."""
        found = find(self.columns, "index") if self.headed else []
        if self.listing:
            found = self.heads[:1]
        return (found[0], self.columns[found[0]]) if len(found) == 1 and len(self.columns) > 1 else None

    def label_columns(self) -> list[str]:
        """The columns that may hold labels: neither an index nor the names of annotators or items."""
        if self.listing:
            return self.heads[1:]
        if not self.headed:
            return [head for head in self.heads if not _paths(self.columns[head])] or self.heads
        return [head for head in self.heads if role(head) not in ("index", "item", "annotator")] or self.heads

    def without(self, head: str) -> Table:
        """The table without one column."""
        return replace(self, columns={name: cells for name, cells in self.columns.items() if name != head})


def _paths(cells: Cells) -> bool:
    """Do the first cells look like paths of files, all of them different?"""
    first = list(cells[:40])
    return len(set(map(str, first))) == len(first) and all(
        isinstance(cell, str) and ("/" in cell or "\\" in cell or cell.lower().endswith(IMAGES)) for cell in first
    )


IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".npy", ".wav", ".txt")


def unique(heads: Iterable[object], source: str) -> list[str]:
    """The heads as text, each once; InputError for one that comes twice."""
    found = [str(head) for head in heads]
    twice = (
        next((head for i, head in enumerate(found) if head in found[:i]), None)
        if len(set(found)) < len(found)
        else None
    )
    if twice is not None:
        raise InputError(f"{source}: two columns are named {printable(twice, 40)!r}")
    return found


def same_length(columns: Mapping[str, Sequence[object]]) -> bool:
    """Have all columns as many cells?"""
    return len({len(cells) for cells in columns.values()}) == 1
