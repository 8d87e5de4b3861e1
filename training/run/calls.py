"""How a model is called, whatever its inputs are, and where its answer holds the logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError

from ..data.inputs import Batch


@dataclass(frozen=True)
class Call:
    """Calls a model: ``model(x)`` for a tensor, ``model(*x)`` for a tuple, ``model(**x)`` for a mapping of names to tensors.

    ``names``: of the parameters of the model's forward, None where it takes any; other entries of a mapping are left out, as
    transformers' Trainer does, and a single entry that is not among them is given by its place. ``last``: are the classes the
    last axis of logits (N, T, K), as in models of transformers, instead of the second?
    """

    names: frozenset[str] | None = None
    last: bool = False

    @classmethod
    def of(cls, model: nn.Module) -> Call:
        kinds = inspect.signature(model.forward).parameters.values()
        if any(each.kind is each.VAR_KEYWORD for each in kinds):
            return cls()
        return cls(frozenset(each.name for each in kinds if each.kind is not each.VAR_POSITIONAL))

    def __call__(self, model: Callable[..., object], x: Batch) -> Tensor:
        """The logits (N, K) or (N, K, d1, ...)."""
        found = model(x) if isinstance(x, Tensor) else self._called(model, x)
        logits = found if isinstance(found, Tensor) else logits_in(found)
        return logits.movedim(-1, 1) if self.last else logits

    def _called(self, model: Callable[..., object], x: Batch) -> object:
        if not isinstance(x, Mapping):
            return model(*x)
        known = {name: each for name, each in x.items() if self.names is None or name in self.names}
        return model(*x.values()) if not known and len(x) == 1 else model(**known)


PLAIN = Call()
"""A model of tensors that returns logits (N, K)."""


def logits_in(found: object) -> Tensor:
    """The logits in what a model returned: a tensor, what is called ``logits`` (or ``out``), or the first of several."""
    for name in ("logits", "out"):
        inside = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
        if isinstance(inside, Tensor):
            return inside
    several = list(found.values()) if isinstance(found, Mapping) else found
    if isinstance(several, tuple | list) and several and isinstance(several[0], Tensor):
        if len(several) == 1 or not isinstance(found, Mapping):
            return several[0]
    held = f" of {', '.join(map(str, found))}" if isinstance(found, Mapping) else ""
    raise InputError(
        f"the model returned {type(found).__name__}{held}: logits are needed, as a tensor, as the first of a tuple, or "
        "under the name logits"
    )


def likeliest(logits: Tensor) -> Tensor:
    """The class of the largest logit: (N,), or (N, d1, ...)."""
    return torch.argmax(logits, 1 if logits.ndim > 2 else -1)
