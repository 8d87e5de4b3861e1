"""The folder of a weighted-risk experiment: its recipe, its arrays, and a line for each parameter value."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..reading.archives import read_npz
from ..reading.documents import parse_json, read_text
from ..shapes import check_shape
from ..writing import replace_file
from .engines import engine
from .result import WeightedRiskResult

RESUMED = ("exact", "done", "reached", "largest", "gradient", "outcome", "steps")
"""Arrays of a result that are read back."""


class Store:
    """A folder with ``experiment.json`` (the recipe), ``arrays.npz`` and ``rows.jsonl`` (a line a parameter value).

    Files are replaced whole, so that a reader or a crash never meets half a file; the arrays are what ``--resume`` reads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe, self.arrays, self.lines = (folder / n for n in ("experiment.json", "arrays.npz", "rows.jsonl"))

    def open(self, result: WeightedRiskResult, resume: bool) -> None:
        """Make the folder and write the recipe, or read what is done of the same recipe into ``result``."""
        recipe = result.experiment.to_dict()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.recipe.exists():
                if not resume:
                    raise InputError(
                        f"--out {self.folder}: holds results already; go on with --resume, or name another folder"
                    )
                self._read(result, recipe)
            elif self.arrays.exists() or self.lines.exists():
                raise InputError(f"--out {self.folder}: holds other files of these names; name another folder")
            else:
                facts = {"experiment": "weighted-risk", "recipe": recipe, "made_with": _made_with(result)}
                replace_file(self.recipe, json.dumps(facts, indent=2).encode() + b"\n")
        except OSError as error:
            raise InputError(f"--out {self.folder}: cannot be used ({error.strerror or error})") from None

    def _read(self, result: WeightedRiskResult, recipe: Mapping[str, Any]) -> None:
        try:
            before = parse_json(read_text(self.recipe, "--resume:"), f"--resume: {self.recipe}")
            check_shape(before, {"recipe": dict}, f"--resume: {self.recipe}")
        except InputError as error:
            raise InputError(f"{error}; it is not the recipe of an experiment") from None
        before = before["recipe"]
        differing = [name for name in {**recipe, **before} if recipe.get(name) != before.get(name)]
        if differing:
            what = ", ".join(f"{n} {_short(before.get(n))} there, {_short(recipe.get(n))} here" for n in differing)
            raise InputError(f"--resume: {self.folder} has another recipe: {what}")
        if not self.arrays.exists():
            return
        own = {name: getattr(result, name) for name in RESUMED}
        try:
            kept = read_npz(self.arrays, {name: (array.dtype.kind, array.shape) for name, array in own.items()})
        except InputError as error:
            raise InputError(f"--resume: {error}; delete the folder to start again") from None
        for name, array in own.items():
            array[...] = kept[name]

    def save(self, result: WeightedRiskResult) -> None:
        """Write the values that are done."""
        buffer = io.BytesIO()
        write: Any = np.savez  # its stub takes every name for an option
        write(buffer, **result.arrays())
        try:
            replace_file(self.arrays, buffer.getvalue())
            replace_file(self.lines, "".join(json.dumps(row) + "\n" for row in result.rows()).encode())
        except OSError as error:
            raise InputError(f"--out {self.folder}: cannot be written ({error.strerror or error})") from None


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _made_with(result: WeightedRiskResult) -> dict[str, str]:
    found = {}
    with suppress(metadata.PackageNotFoundError):  # run from a checkout
        found["asymtheory"] = metadata.version("asymtheory")
    return found | engine(result.experiment.engine).made_with()
