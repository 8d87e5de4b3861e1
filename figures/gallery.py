"""The gallery: figures by name, each with its title, its source and its recipe, drawn in the style and written to files.

A figure is a function that returns a ``matplotlib.figure.Figure``; beside it is a function that computes what is
drawn, so that the numbers can be tested against the core without looking at a picture:

    @figure("alf-fig1", "Classification calibration of completely asymmetric losses", "ALF Fig. 1")
    def alf_fig1(*, width: float = 3.25, points: int = 401) -> Figure:
        \"\"\"What is shown, in a sentence or two: the figure's caption.\"\"\"
        data = alf_fig1_data(points)
        ...

Inside, ``width`` is in inches; callers may also name a venue (``style.WIDTHS``). Other keyword parameters are the figure's
options: their annotations (int, float, str, Fraction, Loss) say how text from the command line is read.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import wraps
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from matplotlib.figure import Figure

from asymtheory import __version__, build
from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json
from asymtheory.losses import Loss
from asymtheory.writing import check_writable, write_files

from . import style

# the modules of this package that define figures, in the order in which they are listed
MODULES: tuple[str, ...] = (
    "theory.alf",
    "theory.anl",
    "theory.jal",
    "theory.calibration",
    "theory.phase",
    "theory.path",
    "theory.landscape",
    "theory.atlas",
    "theory.coverage",
    "theory.human",
    "measured.curves",
    "measured.runs",
    "measured.inside",
    "measured.answer",
    "measured.confirmation",
    "measured.memorisation",
)
FORMATS = ("pdf", "png", "svg")
DPI = 300

Option = int | float | str | Fraction | Loss | None
"""The value of a figure's option; each figure annotates which of these it takes."""
Options = dict[str, Option]
"""Options of a figure by name."""

Maker = Callable[..., "Figure"]


@dataclass(frozen=True)
class Entry:
    """A figure of the gallery. ``note``: where the printed figure cannot be right, or what is added to it."""

    name: str
    title: str
    source: str
    note: str
    make: Maker
    parameters: dict[str, inspect.Parameter]

    @property
    def caption(self) -> str:
        """What is shown, and the note, in one paragraph."""
        shown = " ".join((inspect.getdoc(self.make) or "").split("\n\n")[0].split())
        return f"{shown} {self.note}".strip()

    @property
    def measured(self) -> bool:
        """Drawn from results of training; without any it raises :class:`.results.NothingMeasured`."""
        return "results" in self.parameters


@dataclass(frozen=True)
class Recipe:
    """What makes the same figure again; every file carries it."""

    name: str
    title: str
    source: str
    caption: str
    width: float  # inches
    options: dict[str, str]  # those that were given, as text

    @property
    def stem(self) -> str:
        """The file name without its ending: the figure's name, and the loss where one was given."""
        loss = self.options.get("loss")
        kept = "".join(c if c.isalnum() or c in "-+._" else "-" for c in loss.lower()) if loss else ""
        while "--" in kept:
            kept = kept.replace("--", "-")
        return f"{self.name}-{kept.strip('-')[:80]}" if kept else self.name

    def to_dict(self) -> Json:
        made_with = {"asymtheory": __version__}
        return {
            "figure": self.name,
            "width_in": self.width,
            "options": self.options,
            "source": self.source,
            **made_with,
        }


_entries: dict[str, Entry] = {}
_recipes: WeakKeyDictionary[Figure, Recipe] = WeakKeyDictionary()
_remarks: WeakKeyDictionary[Figure, str] = WeakKeyDictionary()


def remark(drawn: Figure, text: str) -> None:
    """End the caption of a figure that is being drawn with what only its data can say: where it was measured, what is missing."""
    _remarks[drawn] = f"{_remarks.get(drawn, '')} {text}".strip()


def figure(name: str, title: str, source: str, *, note: str = "") -> Callable[[Maker], Maker]:
    """Register a figure. The function it returns draws in the style, sets the title and remembers the recipe."""

    def register(function: Maker) -> Maker:
        parameters = {p.name: p for p in inspect.signature(function).parameters.values() if p.kind == p.KEYWORD_ONLY}
        del parameters["width"]

        @wraps(function)
        def make(*, width: str | float = "column", **options: Option) -> Figure:
            for option in options:
                if option not in parameters:
                    has = ", ".join(parameters) or "none"
                    raise InputError(f"{name} has no option {option!r} (it has: {has}){nearest(option, parameters)}")
            wide = style.inches(width)
            with style.context():
                drawn = function(width=wide, **options)
                if not drawn.get_suptitle():
                    style.title(drawn, title)
            given = {option: _text(value) for option, value in options.items()}
            caption = f"{_entries[name].caption} {_remarks.get(drawn, '')}".strip()
            _recipes[drawn] = Recipe(name, title, source, caption, wide, given)
            return drawn

        if name in _entries and _entries[name].make.__module__ != function.__module__:
            raise ValueError(f"two figures are named {name!r}")
        _entries[name] = Entry(name, title, source, note, make, parameters)
        return make

    return register


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def entries() -> dict[str, Entry]:
    """All figures by name, in the order of MODULES whatever was imported first."""
    own = [import_module(f".{module}", __package__).__name__ for module in MODULES]
    return {e.name: e for module in own for e in _entries.values() if e.make.__module__ == module}


def names() -> list[str]:
    """The names of all figures: the papers' first."""
    return list(entries())


def find(name: str) -> Entry:
    """One figure; raises InputError for an unknown name, with the near ones."""
    known = entries()
    if name not in known:
        near = get_close_matches(name.lower(), list(known), n=3, cutoff=0.4)
        near = near or [other for other in known if name.lower() in other]
        hint = f"; near: {', '.join(near)}" if near else ""
        raise InputError(f"{name!r} is not a figure{hint} (asymtheory figure --list lists them)")
    return known[name]


def make(name: str, *, width: str | float = "column", **options: Option) -> Figure:
    """Draw a figure by name; ``width`` in inches or by venue. Raises InputError for what it does not know."""
    return find(name).make(width=width, **options)


def recipe(drawn: Figure) -> Recipe:
    """The recipe of a figure that this gallery made."""
    if drawn not in _recipes:
        raise InputError("this figure was not made by the gallery: it has no recipe")
    return _recipes[drawn]


def read_option(name: str, parameter: str, text: str) -> Option:
    """Text from the command line as the type that the figure's parameter is annotated with."""
    entry = find(name)
    if parameter not in entry.parameters:
        has = ", ".join(entry.parameters) or "none"
        raise InputError(f"{name} has no option {parameter!r} (it has: {has}){nearest(parameter, entry.parameters)}")
    kind = str(entry.parameters[parameter].annotation).split("|")[0].strip()
    if kind == "Loss":
        return build(text)
    readers: dict[str, Callable[[str], Option]] = {"int": int, "float": float, "Fraction": Fraction, "str": str}
    try:
        return readers[kind](text)
    except (ValueError, ZeroDivisionError):
        what = {"int": "a whole number", "float": "a number", "Fraction": "a number"}[kind]
        raise InputError(f"{name}: option {parameter} = {text!r}: {what} is needed") from None


def check_count(option: str, value: int, least: int, most: int = 100_000) -> int:
    """A whole number in a range that can be drawn; else InputError."""
    if not least <= value <= most:
        raise InputError(f"option {option} = {value}: a whole number from {least} to {most} is needed")
    return value


# ---------------------------------------------------------------------------------------------------- files


def render(drawn: Figure, form: str, *, dpi: int = DPI) -> bytes:
    """The figure as a pdf, png or svg file with its recipe inside; the same figure gives the same bytes.

    ``dpi`` (50 to 1200) is for png; the other formats are vectors.
    """
    return _render(drawn, (form,), dpi)[0]


def _render(drawn: Figure, formats: Sequence[str], dpi: int) -> list[bytes]:
    """Each format with one and the same layout: found once, so that no format differs from the others."""
    for form in formats:
        check_format(form)
    check_dpi(dpi)
    made, layout = recipe(drawn), drawn.get_layout_engine()
    files = []
    with style.context():
        drawn.draw_without_rendering()
        drawn.set_layout_engine("none")
        try:
            for form in formats:
                buffer = BytesIO()
                drawn.savefig(buffer, format=form, dpi=dpi if form == "png" else DPI, metadata=_metadata(made, form))
                files.append(buffer.getvalue())
        finally:
            drawn.set_layout_engine(layout or "none")
    return files


def _metadata(made: Recipe, form: str) -> dict[str, Any]:
    """What a file says of itself. No dates: they would differ from run to run."""
    facts = json.dumps(made.to_dict(), sort_keys=True)
    title, subject = _ascii(made.title), f"{made.source}. {_ascii(made.caption)}"
    if form == "pdf":
        return {
            "Title": title,
            "Subject": subject,
            "Keywords": facts,
            "Creator": f"asymtheory {__version__}",
            "CreationDate": None,
        }
    if form == "svg":
        return {
            "Title": title, "Description": f"{subject} Recipe: {facts}", "Source": made.source, "Keywords": [facts],
            "Creator": f"asymtheory {__version__}", "Date": None,
        }  # fmt: skip
    return {
        "Title": title,
        "Description": subject,
        "Source": made.source,
        "Recipe": facts,
        "Software": f"asymtheory {__version__}",
    }


def plain_text(text: str) -> str:
    """Without the marks of mathematical text."""
    return text.replace("$", "").replace("\\", "")


def _ascii(text: str) -> str:
    """The text in ASCII, for metadata."""
    return plain_text(text).encode("ascii", "replace").decode()


def check_format(form: str) -> str:
    """The format if it is known; else InputError."""
    if form not in FORMATS:
        raise InputError(f"--format {form!r}: one of {', '.join(FORMATS)} is needed{nearest(form, FORMATS)}")
    return form


def check_dpi(dpi: int) -> int:
    """Dots per inch of a png file; InputError outside 50 to 1200."""
    if not 50 <= dpi <= 1200:
        raise InputError(f"--dpi {dpi}: a whole number from 50 to 1200 is needed")
    return dpi


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder, made if it is missing and tried for writing; InputError if it cannot be used."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written to ({error.strerror or error})") from None
    check_writable(path / "figure", "--out")
    return path


def save(
    name_or_figure: str | Figure,
    folder: str | os.PathLike[str],
    formats: Sequence[str] = ("pdf",),
    *,
    width: str | float = "column",
    dpi: int = DPI,
    **options: Option,
) -> list[Path]:
    """Write a figure, by name or as made, to ``folder/STEM.FORMAT``; returns the paths.

    Files appear whole or not at all. Raises InputError for an unknown name, option, width, format or dpi, and for a folder
    that cannot be written to, before anything is drawn.
    """
    for form in formats:
        check_format(form)
    check_dpi(dpi)
    path = check_folder(folder)
    drawn = make(name_or_figure, width=width, **options) if isinstance(name_or_figure, str) else name_or_figure
    stem = recipe(drawn).stem
    paths = [path / f"{stem}.{form}" for form in formats]
    write_files(dict(zip(paths, _render(drawn, formats, dpi), strict=True)), "--out")
    return paths
