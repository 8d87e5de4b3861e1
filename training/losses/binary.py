"""Robust losses on problems with one logit: binary labels, and several labels that are each there or not.

A logit z is the two logits (0, z) of "absent" and "present": sigmoid(z) is the probability of class 1, and every loss of the
core is one on K = 2 classes. So all thresholds hold, label by label, on the flips of that label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from asymtheory.asymmetry.condition import Condition, check
from asymtheory.errors import InputError
from asymtheory.losses import Loss
from asymtheory.noise import NoiseModel
from asymtheory.numbers.scalar import Scalar

from .build import build_loss
from .module import REDUCTIONS, RobustLoss, described
from .reference import precision, present, wide


class BinaryLoss(nn.Module):
    """A loss on one logit a sample: that of ``build_loss`` on the logits (0, z), class 1 being the label 1.

    Call it with logits of any shape and targets of the same shape: integers or booleans, or probabilities in [0, 1] of
    class 1, as ``torch.nn.BCEWithLogitsLoss`` takes them. ``BinaryLoss("ce")`` is that loss. ``weight`` (2,) weighs the
    classes 0 and 1; other options and the parameters are those of :func:`build_loss`. With ``noise``, a model of two classes
    (class 0 first), a parameter at which the loss is not asymmetric gives a BelowThreshold warning.

    Returns a scalar, or for reduction "none" one value a logit, in float32 at least. Raises InputError for what does not fit.
    """

    def __init__(
        self,
        loss: str | Loss = "amse",
        *,
        weight: Tensor | None = None,
        reduction: str = "mean",
        noise: NoiseModel | Iterable[Scalar] | None = None,
        **parameters: Scalar,
    ) -> None:
        super().__init__()
        if isinstance(noise, NoiseModel) and noise.classes != 2:
            raise InputError(f"noise: a model of two classes is needed for one logit, got {noise.classes}")
        robust = build_loss(loss, weight=weight, reduction=reduction, noise=noise, **parameters)
        if not isinstance(robust, RobustLoss):
            raise InputError(f"{robust} is not a loss of the softmax alone, so it is not one of a logit")
        if weight is not None and len(weight) != 2:
            raise InputError(f"weight: two numbers are needed, of the classes 0 and 1, got {described(weight)}")
        self.robust = robust

    def forward(self, logit: Tensor, target: Tensor) -> Tensor:
        """The loss of the logits."""
        value = self.robust(_two(logit), _two_targets(logit, target))
        return value.reshape(logit.shape) if self.robust.reduction == "none" else value

    def asymmetric_on(self, noise: NoiseModel | Iterable[Scalar]) -> Condition:
        """Is the loss asymmetric on ``noise``, a model of two classes (or weights)? Asks the core."""
        return check(self.robust.loss, noise)


class MultiLabelLoss(nn.Module):
    """Several labels a sample, each present or absent: the mean over labels of a loss on K = 2 per label.

    Call it with logits (N, L), or (N, L, d1, ...), and targets of that shape, 0 or 1 or probabilities. ``loss`` is one loss for
    all labels, or a sequence of L losses (names or losses of the core), so that each label has the parameter that its own flips
    need: ``[solve(...) for ...]`` over ``from_matrix`` of each label's 2 x 2 matrix. ``MultiLabelLoss("ce")`` is
    ``torch.nn.MultiLabelSoftMarginLoss``. ``pos_weight`` (L,) multiplies the loss of a present label.

    ``ignore`` is a target that marks a label as not known, such as -1: it counts nowhere. ``reduction`` "none" gives the losses
    in the shape of the logits, "sum" their sum, "mean" the mean over those that count. Raises InputError for what does not fit.
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        loss: str | Loss | Sequence[str | Loss] = "amse",
        *,
        pos_weight: Tensor | None = None,
        ignore: float | None = None,
        reduction: str = "mean",
        **parameters: Scalar,
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise InputError(f"reduction {reduction!r} is not one of {', '.join(REDUCTIONS)}")
        losses = [loss] if isinstance(loss, str | Loss) else list(loss)
        if not losses:
            raise InputError("loss: one loss, or one for each label, is needed")
        parts = [BinaryLoss(each, reduction="none", **parameters) for each in losses]
        self.losses = [part.robust.loss for part in parts]
        self.parts = nn.ModuleList(parts)
        self.register_buffer("pos_weight", pos_weight, persistent=False)
        self.ignore, self.reduction = ignore, reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of all labels."""
        labels = self._checked(logits, target)
        counts = torch.ones_like(target, dtype=torch.bool) if self.ignore is None else target != self.ignore
        known = torch.where(counts, target, torch.zeros_like(target))
        if len(self.parts) == 1:
            each = self.parts[0](logits, known)
        else:
            each = torch.stack([self.parts[k](logits[:, k], known[:, k]) for k in range(labels)], 1)
        if self.pos_weight is not None:
            present = known.to(each.dtype)
            shape = (1, labels, *[1] * (logits.dim() - 2))
            each = each * (1 + (self.pos_weight.to(each).reshape(shape) - 1) * present)
        each = each * counts
        if self.reduction == "none":
            return each
        return each.sum() if self.reduction == "sum" else each.sum() / counts.sum()

    def _checked(self, logits: Tensor, target: Tensor) -> int:
        if logits.dim() < 2 or target.shape != logits.shape:
            raise InputError(
                f"logits (N, L) and targets of that shape are needed, got {described(logits)} and {described(target)}"
            )
        labels = logits.shape[1]
        if len(self.parts) not in (1, labels):
            raise InputError(f"logits have {labels} labels, but there are {len(self.parts)} losses")
        if self.pos_weight is not None and self.pos_weight.shape != (labels,):
            raise InputError(f"pos_weight: ({labels},) is needed, got {described(self.pos_weight)}")
        return labels

    def asymmetric_on(self, noises: NoiseModel | Sequence[NoiseModel]) -> tuple[Condition, ...]:
        """Is the loss of each label asymmetric on its own flips? ``noises``: one model of two classes, or one a label."""
        models = [noises] if isinstance(noises, NoiseModel) else list(noises)
        count = max(len(models), len(self.losses))
        if len(models) not in (1, count) or len(self.losses) not in (1, count):
            raise InputError(
                f"there are {len(self.losses)} losses and {len(models)} noise models: one each, or one for all"
            )
        pairs = zip(self.losses * (count // len(self.losses)), models * (count // len(models)), strict=True)
        return tuple(check(loss, model) for loss, model in pairs)


def binary_loss(
    logit: Tensor, target: Tensor, *, loss: str | Loss = "amse", reduction: str = "mean", **parameters: Scalar
) -> Tensor:
    """``BinaryLoss(loss, reduction=reduction, **parameters)(logit, target)``."""
    return BinaryLoss(loss, reduction=reduction, **parameters)(logit, target)


def _two(logit: Tensor) -> Tensor:
    """Logits (0, z), one row a logit; InputError for what is not a logit."""
    if not logit.is_floating_point():
        raise InputError(f"logit: a floating-point tensor is needed, got {described(logit)}")
    z = -present(-wide(logit))  # +inf is a class that is not there, as -inf is
    return torch.stack([torch.zeros_like(z), z], -1).reshape(-1, 2)


def _two_targets(logit: Tensor, target: Tensor) -> Tensor:
    """Labels 0 and 1 as they are, probabilities of class 1 as pairs."""
    if target.shape != logit.shape:
        raise InputError(f"target: the shape of the logits {tuple(logit.shape)} is needed, got {described(target)}")
    looks = target.is_cpu and not torch.compiler.is_compiling()
    if looks and bool(((target < 0) | (target > 1)).any()):
        raise InputError("target: 0 and 1, or probabilities in [0, 1], are needed")
    if not target.is_floating_point():
        return target.reshape(-1).long()
    present = target.to(precision(logit)).reshape(-1)
    return torch.stack([1 - present, present], -1)
