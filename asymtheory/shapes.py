"""What a value of a file must look like before anything is computed from it: a file may be damaged, or edited by hand.

A shape is written as the value looks::

    RUN = {"config": {"dataset": str, "loss": (str, None), "width": float}, "curve": [{"epoch": int, "test": (float, None)}]}

``str``, ``bool``, ``list`` and ``dict`` are values of that kind, ``int`` whole numbers, ``float`` finite numbers (1 and 1.0),
another class its objects; a list of one shape holds any number of such values, a dict has at least these names (those
with a ``?`` behind them may be missing); a tuple lists alternatives, None among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, TypeAlias

from .errors import InputError, printable

Shape: TypeAlias = Any
"""A class, None, a list of one shape, a dict of shapes, or a tuple of alternatives."""

_WORDS = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    list: "a list",
    dict: "an object",
}


def check_shape(value: object, shape: Shape, where: str) -> None:
    """InputError, with ``where`` and the place inside the value, for one that has not this shape."""
    problem = _problem(value, shape, "")
    if problem is not None:
        raise InputError(f"{where}: {problem}")


def has_shape(value: object, shape: Shape) -> bool:
    """Does the value have this shape?"""
    return _problem(value, shape, "") is None


def compiled(shape: Shape) -> Callable[[object], bool]:
    """:func:`has_shape` of one shape for many values: five times as fast, without words."""
    if isinstance(shape, tuple):
        if shape == (float, None):
            return lambda value: value is None or _is(value, float)
        alternatives = [compiled(each) for each in shape]
        return lambda value: any(fits(value) for fits in alternatives)
    if isinstance(shape, list):
        inner = compiled(shape[0])
        return lambda value: isinstance(value, list) and all(map(inner, value))
    if isinstance(shape, dict):
        parts = [(*_named(name), compiled(each)) for name, each in shape.items()]
        return lambda value: (
            isinstance(value, dict)
            and all(fits(value[name]) if name in value else not needed for name, needed, fits in parts)
        )
    return lambda value: _is(value, shape)


def _problem(value: object, shape: Shape, place: str) -> str | None:
    """What is wrong, in words; None where nothing is."""
    if isinstance(shape, tuple):
        found = [_problem(value, each, place) for each in shape]
        return None if None in found else found[0]
    if isinstance(shape, dict) and isinstance(value, Mapping):
        for word, inner in shape.items():
            name, needed = _named(word)
            if name not in value:
                if needed:
                    return f"{_at(place, name)} is missing"
                continue
            problem = _problem(value[name], inner, _at(place, name))
            if problem is not None:
                return problem
        return None
    if isinstance(shape, list) and isinstance(value, list):
        return next(
            (p for i, each in enumerate(value) if (p := _problem(each, shape[0], f"{place}[{i}]")) is not None), None
        )
    if _is(value, shape):
        return None
    kind = type(shape) if isinstance(shape, list | dict) else shape
    wanted = "null" if kind is None else _WORDS.get(kind, f"a {getattr(kind, '__name__', kind)}")
    return f"{place or 'it'} is {_shown(value)}; {wanted} is needed"


def _is(value: Any, shape: Shape) -> bool:
    kind = type(value)
    if shape is float:
        return kind is int or (kind is float and isfinite(value))
    if shape is int:
        return kind is int
    return value is None if shape is None else isinstance(shape, type) and isinstance(value, shape)


def _named(name: str) -> tuple[str, bool]:
    """A name of a shape, and whether it is needed."""
    return name.removesuffix("?"), not name.endswith("?")


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return f"{_WORDS[type(value)]} of {len(value)}"
    text = "null" if value is None else repr(value) if isinstance(value, str | float | bool) else type(value).__name__
    return printable(str(value) if isinstance(value, int) and abs(value) < 10**20 else text, 40)
