"""A loss that moves while a network trains, at one initial slope: in a parameter, or away from another loss.

The minimiser of the risk moves continuously from inside the simplex to the vertex as the parameter goes to its threshold
(:mod:`asymtheory.experiments.path`); a network that is led along that path need not choose a vertex early. Values of the parameter
differ in the slope that an untrained network sees, which acts as a learning rate: the loss is scaled so that this slope,
``s(1/K)`` of :func:`asymtheory.asymmetry.fitting.fitting_slope`, is at every value the one that it ends with.

A start from another loss is ``(1 - s) c first + s last`` with s from 0 to 1 and ``c = s_last(1/K) / s_first(1/K)``. From MSE to
AMSE with q = 2 this is a ramp too: MSE is ``sum_k u_k^2 - 2 u_y + 1``, AMSE is ``sum_k u_k^2 - 2 a u_y + a^2`` and c = a, so the
mixture is, up to a factor and a constant, AMSE at ``1 / (1 - s + s / a)``.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor, nn

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


class StartedLoss(nn.Module):
    """``(1 - s) c first + s last``: two losses of the core on logits, with one initial slope; :meth:`move` sets the weight s.

    ``last`` is the loss that remains, whose options (weight, ignore_index, reduction, ...) hold for both. The weight and the
    factor c are buffers; once s is 1 the first loss is no longer computed.
    """

    part: Tensor
    scale: Tensor

    def __init__(self, last: RobustLoss, first: Loss) -> None:
        super().__init__()
        self.first = RobustLoss(
            first, weight=last.weight, ignore_index=last.ignore_index, reduction=last.reduction,
            detach_modulation=last.detach_modulation, floor=last.floor, fused=last.fused, classes=last.classes,
        )  # fmt: skip
        self.last = last
        self.register_buffer("part", torch.tensor(0.0, dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(1.0, dtype=torch.float64))
        self.arrived = False
        self._ratios: dict[int, float] = {}

    @property
    def reduction(self) -> str:
        return self.last.reduction

    @property
    def ignore_index(self) -> int:
        return self.last.ignore_index

    def move(self, part: float, K: int) -> None:
        """Set the weight s of the loss that remains, in [0, 1], for K classes."""
        if K not in self._ratios:
            self._ratios[K] = equal_slope(self.first.loss, self.last.loss, K)
        self.part.fill_(part)
        self.scale.fill_(self._ratios[K])
        self.arrived = part >= 1

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss: a scalar, or for reduction "none" one value a label."""
        last: Tensor = self.last(logits, target)
        if self.arrived:
            return last
        first, part, scale = self.first(logits, target), self.part.to(last), self.scale.to(last)
        return (1 - part) * scale * first + part * last


def equal_slope(first: Loss, last: Loss, K: int) -> float:
    """``s_last(1/K) / s_first(1/K)``: the factor that gives the first loss the initial slope of the last one."""
    return fitting_slope(last, K).unfitted / fitting_slope(first, K).unfitted


@lru_cache(2**12)  # runs that differ in their rate ask for the same ones at every step
def slope_ratio(loss: Loss, parameter: str, value: float, end: float, K: int) -> float:
    """``s_end(1/K) / s_value(1/K)``: the factor that keeps a loss's initial slope. InputError for values outside the domain."""
    if value == end:
        return 1.0
    now, last = (loss.replace(**{parameter: Fraction(each)}) for each in (value, end))
    return equal_slope(now, last, K)
