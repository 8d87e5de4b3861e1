"""The loss that a caller names, with parameters for the noise where none are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import numpy as np
from torch import Tensor, nn

from asymtheory.errors import InputError
from asymtheory.losses import Loss
from asymtheory.noise import NoiseModel, from_matrix, from_weights, resolve
from asymtheory.numbers.scalar import Scalar
from asymtheory.numbers.text import Number
from asymtheory.selection.select import select

from ..losses.build import build_loss, warn_below_threshold
from ..losses.module import RobustLoss
from ..losses.registry import baseline, check_spelling


def noise_of(noise: str | NoiseModel | Iterable[Scalar] | None, eta: Number | None, K: int) -> NoiseModel | None:
    """A noise model on K classes: a kind with its rate, a file, a model, a matrix, the class weights of one row; or None."""
    if noise is None and eta is None:
        return None
    if noise is None or isinstance(noise, str):
        return resolve(noise or "symmetric", K, eta)
    if eta is not None:
        raise InputError("eta goes with a kind of noise, such as noise='symmetric'; this noise has its own rate")
    if isinstance(noise, NoiseModel):
        model = noise
    else:
        rows = noise if isinstance(noise, np.ndarray) else list(noise)
        model = from_matrix(rows) if np.ndim(rows[0]) == 1 else from_weights(rows)
    if model.classes != K:
        raise InputError(f"noise: it is of {model.classes} classes, the model has {K} outputs")
    return model


AnyLoss: TypeAlias = nn.Module | Callable[[Tensor, Tensor], Tensor] | Loss | str
"""A loss as people give it: a module or a function of logits and labels, a loss of the core, a name."""


class _Function(nn.Module):
    """A function of logits and labels, such as ``torch.nn.functional.cross_entropy``, as a loss module."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.function(logits, labels)


def chosen_loss(
    loss: AnyLoss | None,
    K: int,
    parameters: Mapping[str, Scalar] | None = None,
    formula: str | None = None,
    passive: str | None = None,
    noise: str | NoiseModel | Iterable[Scalar] | None = None,
    eta: Number | None = None,
    ignore_index: int | None = None,
) -> nn.Module:
    """The torch loss on K classes; a name without parameters has those that ``select`` recommends on the noise, if one is given.

    A BelowThreshold warning where the loss is not asymmetric on the noise. InputError for a noise beside a loss that the
    theory does not judge, and for parameters beside a module, which has its own.
    """
    model = noise_of(noise, eta, K)
    if callable(loss) and not isinstance(loss, nn.Module | Loss | type):
        loss = _Function(loss)
    if isinstance(loss, nn.Module):
        if parameters or formula or passive:
            raise InputError("parameters, formula and passive make a loss; this one is a module and has its own")
        if model is not None:
            if not isinstance(loss, RobustLoss):
                raise InputError(
                    f"noise: {type(loss).__name__} is not a loss of the theory; give its name, or leave noise out"
                )
            warn_below_threshold(loss.loss, model)
        return loss
    if loss is not None and not isinstance(loss, str | Loss):
        raise InputError(
            f"a loss is a name such as 'jal-ce', a loss of asymtheory, a module or a function, got {type(loss).__name__}"
        )
    if (
        model is not None
        and isinstance(loss, str)
        and parameters is None
        and formula is None
        and baseline(loss) is None
    ):
        check_spelling(loss)
        loss = select(model, losses=[loss]).best.loss
    left_out = -100 if ignore_index is None else ignore_index
    return build_loss(loss, formula=formula, passive=passive, noise=model, ignore_index=left_out, **(parameters or {}))
