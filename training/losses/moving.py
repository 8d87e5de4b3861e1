"""A loss whose parameter moves while a network trains, at one initial slope.

The minimiser of the risk moves continuously from inside the simplex to the vertex as the parameter goes to its threshold
(:mod:`asymtheory.experiments.path`); a network that is led along that path need not choose a vertex early. Values of the parameter
differ in the slope that an untrained network sees, which acts as a learning rate: the loss is scaled so that this slope,
``s(1/K)`` of :func:`asymtheory.asymmetry.fitting.fitting_slope`, is at every value the one that it ends with.
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.errors import InputError
from asymtheory.losses import Loss, unknown_parameter

from .fused import Reduction, reference_losses
from .module import RobustLoss


class MovingLoss(RobustLoss):
    """A loss of the core on logits, whose ``parameter`` is a tensor that :meth:`move` sets; else a :class:`RobustLoss`.

    ``value`` and ``scale`` are buffers: a state dict holds them, a compiled step reads them, and nothing is compiled again when
    they change. Raises InputError for a parameter that the loss does not have or that is a whole number.
    """

    value: Tensor
    scale: Tensor

    def __init__(self, loss: RobustLoss, parameter: str) -> None:
        core = loss.loss
        if parameter not in core.domains:
            raise InputError(f"schedule: {unknown_parameter(core.name, parameter, core.domains)}")
        if core.domains[parameter].integer:
            raise InputError(f"schedule: {parameter} of {core.name} is a whole number, which cannot move continuously")
        super().__init__(
            core, weight=loss.weight, ignore_index=loss.ignore_index, reduction=loss.reduction,
            detach_modulation=loss.detach_modulation, floor=loss.floor, fused=False, classes=loss.classes,
        )  # fmt: skip
        self.parameter = parameter
        self.register_buffer("value", torch.tensor(float(core.parameters[parameter]), dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(1.0, dtype=torch.float64))

    def move(self, value: float, end: float, K: int) -> None:
        """Set the parameter on K classes, at the initial slope that the loss has at ``end``; InputError outside its domain."""
        self.value.fill_(value)
        self.scale.fill_(slope_ratio(self.loss, self.parameter, value, end, K))

    def _reduced(self, rows: Tensor, label: Tensor, scale: Tensor | None, soft: bool, K: int) -> Tensor:
        loss = self.loss._with(**{self.parameter: self.value.to(rows.device)})
        losses = reference_losses(loss, rows, label, soft, self.detach_modulation, self.inward)
        return Reduction(self.reduction)(losses * self.scale.to(losses), scale)


def slope_ratio(loss: Loss, parameter: str, value: float, end: float, K: int) -> float:
    """``s_end(1/K) / s_value(1/K)``: the factor that keeps a loss's initial slope. InputError for values outside the domain."""
    if value == end:
        return 1.0
    last, now = (fitting_slope(loss.replace(**{parameter: Fraction(each)}), K).unfitted for each in (end, value))
    return last / now
