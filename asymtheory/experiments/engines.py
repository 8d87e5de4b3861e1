"""Engines of the descent: numpy, which is always there, and those that packages register."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any, Protocol

import numpy as np

from ..errors import InputError, nearest
from ..losses.base import Loss
from . import descent
from .descent import Descent

Array = np.ndarray[Any, Any]

NUMPY, ENGINES = "numpy", "asymtheory.engines"  # the engine that is always there; where packages register others


class Engine(Protocol):
    """A module that descends: ``descent`` (numpy) says what each of these is and returns."""

    BLOCK: int

    def descend(
        self, loss: Loss, w: Array, z: Array, how: Descent, stopped: Callable[[], bool]
    ) -> tuple[Array, Array, Array, Array] | None: ...

    def made_with(self) -> dict[str, str]: ...


def engine(name: str) -> Engine:
    """The engine of that name. Raises InputError for an unknown one, and where its package is not installed."""
    if name == NUMPY:
        return descent
    found = {entry.name: entry for entry in metadata.entry_points(group=ENGINES)}
    if name not in found:
        known = [NUMPY, *found]
        raise InputError(f"engine {name!r}: one of {', '.join(known)} is needed{nearest(name, known)}")
    try:
        loaded: Engine = found[name].load()
    except ImportError as error:
        raise InputError(f"engine {name!r} needs an extra: pip install 'asymtheory[training]' ({error})") from error
    return loaded
