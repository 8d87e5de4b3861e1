"""A torch loss by name, with its parameters, and a warning where the theory does not cover them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from asymtheory.asymmetry.condition import check
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build
from asymtheory.losses.domain import Domain
from asymtheory.losses.formula import from_formula
from asymtheory.noise import NoiseModel, from_weights
from asymtheory.numbers.scalar import Scalar
from asymtheory.numbers.text import plain
from asymtheory.threshold import solve

from .module import RobustLoss
from .registry import baseline, check_spelling

if TYPE_CHECKING:
    from .baselines import BaselineLoss


class BelowThreshold(UserWarning):
    """A loss was built with a parameter at which it is not asymmetric on the noise that the user named."""


def build_loss(
    loss: str | Loss | None = None,
    *,
    formula: str | None = None,
    passive: str | None = None,
    domains: Mapping[str, Domain] | None = None,
    noise: NoiseModel | Iterable[Scalar] | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    detach_modulation: bool = False,
    floor: str = "inward",
    fused: bool = True,
    **parameters: Scalar,
) -> RobustLoss | BaselineLoss:
    """A torch loss from a registered name, a sum ``"x+y"``, a loss of the core, or a formula.

        build_loss("jal-ce", alpha=1, beta=1, a=30)
        build_loss("nce+agce", reduction="none")
        build_loss(formula="((a+1)**q-(a+u)**q)/q", a=1, q=0.5)

    Names, parameters and their domains are the core's (``asymtheory losses``); a parameter that is not given keeps the
    core's default, which is the papers' CIFAR-10 setting (``published_settings`` has those of other data sets and the
    few on which papers differ). ``passive`` and ``domains`` belong to a formula: see ``asymtheory.from_formula``.
    Baselines that are not losses on the simplex ("nlnl", "nls", "ece+mae", ...) have names too: see :mod:`.baselines`.

    With ``noise`` (a noise model, or the class weights of one row) the loss accepts logits of that many classes only, and
    a parameter at which it is not asymmetric on this noise gives a BelowThreshold warning that names the threshold.

    Raises InputError for unknown names and parameters, values outside their domain, and a formula that is not a loss.
    """
    if (loss is None) == (formula is None):
        raise InputError("a loss is needed: a name such as 'jal-ce', or formula='...' (one of them)")
    if formula is None and (passive is not None or domains is not None):
        raise InputError("passive and domains belong to a formula: give formula='...' instead of a name")
    options: dict[str, Any] = {
        "weight": weight, "ignore_index": ignore_index, "reduction": reduction, "detach_modulation": detach_modulation,
        "floor": floor, "fused": fused,
    }  # fmt: skip
    other = baseline(loss) if isinstance(loss, str) else None
    if other is not None:
        if noise is not None:
            raise InputError(f"{other.name} is not a loss on the simplex: no threshold on a noise model is defined")
        return other.build(parameters, options)
    core = (
        _core_loss(loss, parameters)
        if formula is None
        else from_formula(formula, passive, domains=domains, **parameters)
    )
    model = noise if noise is None or isinstance(noise, NoiseModel) else from_weights(noise)
    module = RobustLoss(core, classes=None if model is None else model.classes, **options)
    if model is not None:
        warn_below_threshold(core, model)
    return module


def _core_loss(loss: str | Loss | None, parameters: Mapping[str, Scalar]) -> Loss:
    """The core's loss of that name, or the loss itself, with the parameters that are given."""
    if isinstance(loss, Loss):
        return loss.replace(**parameters) if parameters else loss
    if not isinstance(loss, str):
        raise InputError(f"a loss is a name or a Loss of asymtheory, got {type(loss).__name__}")
    try:
        return build(loss, **parameters)
    except InputError:
        check_spelling(loss)
        raise


def warn_below_threshold(loss: Loss, noise: NoiseModel) -> None:
    """Warn when the loss has a parameter to choose and, as it is chosen, is not asymmetric on the noise."""
    if loss.main is None or check(loss, noise).asymmetric is not False:
        return
    value = plain(loss.parameters[loss.main])
    warnings.warn(
        f"{loss.name} with {loss.main} = {value} is not asymmetric on this noise; it is for: {solve(loss, noise).answer}",
        BelowThreshold,
        stacklevel=3,
    )
