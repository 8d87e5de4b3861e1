"""The files of a study: each whole or not at all, the index last."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from ..answers import Answer
from ..errors import InputError
from ..losses.base import Loss
from ..noise.rows import NoiseModel
from ..writing import write_file
from . import bibliography, tables, training
from .facts import Facts
from .proposition import proposition

PLOTS, CHECKS = "asymtheory.plots", "asymtheory.checks"
"""Entry-point groups: ``study`` draws the figures of a loss, ``gradient`` checks the gradient of its torch module."""


class Draw(Protocol):
    """What draws: yields each figure's name with its files, or with the reason why it cannot be drawn."""

    def __call__(self, loss: Loss, noise: NoiseModel, folder: Path) -> Iterator[tuple[str, list[Path] | str]]: ...


@dataclass(frozen=True)
class Written(Answer):
    """What a study wrote: its folder, the files with what they are, and what could not be made, with the reason."""

    folder: Path
    files: tuple[tuple[str, str], ...]
    missing: tuple[tuple[str, str], ...]
    gradient: str

    def __str__(self) -> str:
        left = f"; not made: {', '.join(name for name, _ in self.missing)}" if self.missing else ""
        return f"study written to {self.folder}: {len(self.files)} files, start with README.md{left}"


def steps() -> int:
    """How many times ``write`` says that it went on."""
    return len(FIGURES) + 2


FIGURES = ("phase", "path", "landscape", "calibration")


def write(found: Facts, folder: str | os.PathLike[str], told: Callable[[str], None] = lambda what: None) -> Written:
    """Write everything to a folder, which is made; files of an earlier study there are replaced. InputError where it cannot be."""
    path = _folder(folder)
    missing: list[tuple[str, str]] = []
    gradient = _gradient(found.loss, missing)
    told("gradient")
    figures: list[tuple[str, str]] = []
    for name, done in _figures(found, path, missing):
        if isinstance(done, str):
            missing.append((name, done))
        else:
            figures += [(f"{file.name}", f"figure {name}") for file in done]
        told(name)
    texts = {
        "facts.json": (json.dumps(found.to_dict(), indent=2) + "\n", "all facts, for programs"),
        "proposition.tex": (proposition(found), "the condition as a proposition with a proof skeleton"),
        "table.tex": (tables.latex_table(found), "thresholds over noises, LaTeX"),
        "table.md": (tables.markdown_table(found), "thresholds over noises, Markdown"),
        "references.bib": (bibliography.bibtex(found), "what it rests on"),
        "main.tex": (tables.document(found, _drawn(figures)), "a document that holds all of it"),
        "loss.py": (training.module(found), "the loss as a torch module"),
        "plan.toml": (training.plan(found), "a plan for asymtheory sweep"),
    }
    for name, (text, _) in texts.items():
        write_file(path / name, text, "--out")
    files = [(name, what) for name, (_, what) in texts.items()] + figures
    write_file(path / "README.md", tables.index(found, files, missing, gradient), "--out")
    told("index")
    return Written(path, (("README.md", "the index"), *files), tuple(missing), gradient)


def _drawn(figures: list[tuple[str, str]]) -> list[str]:
    return [name for name, _ in figures if name.endswith(".pdf")]


def _folder(folder: str | os.PathLike[str]) -> Path:
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: cannot be a folder ({error.strerror or error})") from None
    return path


def _figures(found: Facts, path: Path, missing: list[tuple[str, str]]) -> Iterator[tuple[str, list[Path] | str]]:
    draw: Draw | None = _plugin(PLOTS, "study", "figures", missing)
    if draw is not None:
        yield from draw(found.loss, found.noise, path)


def _gradient(loss: Loss, missing: list[tuple[str, str]]) -> str:
    check: Callable[[Loss], object] | None = _plugin(CHECKS, "gradient", "training", missing)
    return "" if check is None else str(check(loss))


def _plugin(group: str, name: str, extra: str, missing: list[tuple[str, str]]) -> Any:
    """What another package offers under that name; None, with the install line noted, where it is not there."""
    what = {"study": "figures", "gradient": "check of the gradient"}[name]
    install = f"needs an extra: pip install 'asymtheory[{extra}]'"
    for entry in metadata.entry_points(group=group):
        if entry.name == name:
            try:
                return entry.load()
            except ImportError as error:
                missing.append((what, f"{install} ({error})"))
                return None
    missing.append((what, install))
    return None
