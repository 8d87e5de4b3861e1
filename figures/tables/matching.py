"""Which runs measure a cell of a table: the same loss with the same parameters on the same noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json
from asymtheory.losses import Loss, build
from asymtheory.losses.published import Setting
from asymtheory.numbers.text import plain

from ..results import CLASSES, CLEAN, Run, Where
from .accuracies import Accuracy, Measured
from .published import HUMAN, Column, published

Asked = Loss | tuple[str, dict[str, Fraction]]
"""The loss that a cell asks for: one of the core, or name and all parameters of a baseline outside it."""


SETTINGS = ("epochs", "batch", "rate", "momentum", "nesterov", "schedule", "clip")


def have_as_many_classes(dataset: str, other: str) -> bool:
    """Have two data sets as many classes, as far as is known? Else a run on one says nothing of a table of the other."""
    return CLASSES.get(dataset, CLASSES[other]) == CLASSES[other]


def parameters_of(row: Json, count: int) -> list[dict[str, str]]:
    """The loss's parameters in each of ``count`` cells: the row's, and what a cell changes (``parameters_at``, by its place)."""
    return [{**row["parameters"], **row.get("parameters_at", {}).get(str(i), {})} for i in range(count)]


@cache
def loss_asked(name: str, parameters: tuple[tuple[str, str], ...], dataset: str) -> Asked:
    """A loss of the core; for a baseline outside it (name, all parameters)."""
    values = {key: Fraction(text) for key, text in parameters}
    try:
        return Setting(name, dataset, values, {}, "").build()  # without the terms that the paper switches off
    except InputError:
        return name, {**_defaults(name), **values}


def _defaults(baseline: str) -> dict[str, Fraction]:
    """The defaults of a baseline's parameters: what training takes for those that a line does not name."""
    return {key: Fraction(text) for key, text in published()["baselines"].get(baseline, {}).items()}


def all_parameters(run: Run) -> dict[str, Fraction]:
    return {**_defaults(run.loss), **run.parameters}


def measures(run: Run, loss: Asked) -> bool:
    if isinstance(loss, tuple):
        return run.config["loss"] == loss[0] and all_parameters(run) == loss[1]
    return run.config["loss"] is not None and _built(run) == loss


def _built(run: Run) -> Loss | None:
    values = tuple(sorted((name, str(value)) for name, value in run.config["parameters"].items()))
    return _build(run.config["loss"], values)


@cache
def _build(name: str, values: tuple[tuple[str, str], ...]) -> Loss | None:
    try:
        return build(name, **{key: Fraction(text) for key, text in values})
    except InputError:
        return None


def noise_of(run: Run) -> Column:
    """(kind, rate) of a run's labels, or (human, column) for the labels of a file; a rate of 0 means clean labels."""
    if run.config.get("labels") is not None:
        column = run.config.get("column")
        return HUMAN, None if column is None else str(column).removesuffix("_label").replace("random_label", "random")
    kind, rate = run.noise
    if kind == CLEAN or rate == 0:
        return CLEAN, None
    return kind, None if rate is None else str(rate)


def show_column(column: Column) -> str:
    return " ".join(part for part in column if part is not None)


def fits_column(noise: Column, kinds: Sequence[str], column: Column) -> bool:
    (kind, rate), asked = noise, column[1]
    if kind not in kinds:
        return False
    if kind == HUMAN or rate is None or asked is None:
        return rate == asked
    return Fraction(rate) == Fraction(asked)


def measured_at(where: Where, runs: Sequence[Run]) -> Measured:
    return Measured(
        where, Accuracy.of([100 * run.last() for run in runs]), Accuracy.of([100 * run.best() for run in runs])
    )


def show_network(model: str, width: float) -> str:
    return model if width == 1 else f"{model} (width {width:g})"


def show_setting(value: object) -> str:
    """A setting as people read it: a clip of None means that nothing is clipped."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def show_parameters(parameters: Mapping[str, Fraction]) -> str:
    return ", ".join(f"{name} = {plain(value)}" for name, value in parameters.items()) or "no parameters"
