"""Noise-robust losses as torch modules: ``build_loss("jal-ce", a=30)`` is used like ``torch.nn.CrossEntropyLoss``."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from asymtheory.asymmetry.condition import Condition, check
from asymtheory.errors import InputError
from asymtheory.jsonlines import Json
from asymtheory.losses import Loss
from asymtheory.losses.profile import Profile
from asymtheory.noise import NoiseModel
from asymtheory.numbers.scalar import Scalar

from .fused import Reduction, fused_losses, reference_losses
from .parts import FusedPlan
from .reference import precision
from .terms import Jets

REDUCTIONS = ("none", "mean", "sum")

FLOORS = ("inward", "flat")


class RobustLoss(nn.Module):
    """A loss of the core on logits. ``build_loss`` makes one from a name or a formula.

    Call it with logits (N, K), (N, K, d1, ...) or (K,) and a target, K >= 2:

    * integer labels in 0..K-1 of shape (N,), (N, d1, ...) or (): ``L(softmax(z), y)``;
    * probabilities of the shape of the logits: the expected loss ``sum_k t_k L(softmax(z), k)``. Each row sums to 1; on the CPU
      other rows, such as multi-hot labels, raise InputError.

    A logit of -inf is a class that is not there: losses have their limits, the gradient is finite, and 0 there.

    ``reduction``, ``weight`` (K,) and ``ignore_index`` mean what they mean in ``torch.nn.functional.cross_entropy``: a mean with
    weights divides by the sum of the labels' weights (by N for probabilities, whose weight multiplies t_k, and for which
    ``ignore_index`` is not used), a mean over ignored labels only is NaN. The result is float32 for float16 and bfloat16
    logits, in and out of autocast, else of the type of the logits.

    ``detach_modulation=True`` treats the factor ``(1 - u)^gamma`` of FL, NFL and NNFL as a constant in the gradient, as published
    code does; the gradient is then not that of the value. It changes no other loss.

    ``floor`` says how NNCE and NNFL, defined for u_k >= p_min, go on below: their value is that at p_min. With "inward" a label
    below p_min keeps the slope it has at p_min and so is pulled back; with "flat", as in published code, its gradient is 0.

    ``fused=False`` has torch differentiate the core's definition: slower, for comparison.

    On the CPU a label outside 0..K-1 raises InputError with its value and position; on a GPU torch's own device assertion
    stops the program, for a check would wait for the device.
    """

    weight: Tensor | None

    def __init__(
        self,
        loss: Loss,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        detach_modulation: bool = False,
        floor: str = "inward",
        fused: bool = True,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise InputError(f"reduction {reduction!r} is not one of {', '.join(REDUCTIONS)}")
        if floor not in FLOORS:
            raise InputError(f"floor {floor!r} is not one of {', '.join(FLOORS)}")
        if not loss.joint and (classes is not None or not loss.by_classes):
            Profile.of(loss, classes or 2)  # a loss of another form is refused here, not at the first batch
        if weight is not None:
            weight = torch.as_tensor(weight)
            if weight.dim() != 1 or not weight.is_floating_point():
                raise InputError(f"weight: a floating-point tensor (K,) is needed, got {described(weight)}")
            if classes not in (None, len(weight)):
                raise InputError(f"weight has {len(weight)} entries, but there are {classes} classes")
        self.loss = loss
        self.register_buffer("weight", weight, persistent=False)
        self.ignore_index = int(ignore_index)
        self.reduction = reduction
        self.detach_modulation = bool(detach_modulation)
        self.floor = floor
        self.fused = bool(fused)
        self.classes = classes
        self._plans: dict[int, FusedPlan | None] = {}
        self._ignoring = False  # was a label to be ignored ever seen? It says what to try first, and changes no result

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss: a scalar, or for reduction "none" one value a label."""
        K, soft = self._checked(logits, target)
        if soft or not target.is_cpu or type(target) is not Tensor or torch.compiler.is_compiling() or transformed():
            return self._value(logits, target, K, soft, masked=not soft)
        # A label out of range stops torch's gather, one to be ignored too: so none is looked for until one was seen.
        masked = self.weight is not None or self.ignore_index >= 0 or (self._ignoring and not bool((target >= 0).all()))
        try:
            return self._value(logits, target, K, soft, masked)
        except (RuntimeError, IndexError):
            self._refuse_labels(target, K)
            if masked or not bool((target.long() == self.ignore_index).any()):
                raise
        self._ignoring = True
        return self._value(logits, target, K, soft, masked=True)

    def _checked(self, logits: Tensor, target: Tensor) -> tuple[int, bool]:
        """(K, are the targets probabilities), or InputError for shapes and types that do not fit."""
        shape = logits.shape
        if not shape or not logits.is_floating_point():
            what = "floating-point logits (N, K), (N, K, d1, ...) or (K,) are needed"
            raise InputError(f"{what}, got {described(logits)}")
        K = shape[0 if len(shape) == 1 else 1]
        if K < 2:
            raise InputError(f"logits {tuple(shape)} have K = {K} classes; at least 2 are needed")
        if self.classes not in (None, K):
            raise InputError(f"logits {tuple(shape)} have K = {K} classes; the loss was built for {self.classes}")
        if self.weight is not None and len(self.weight) != K:
            raise InputError(f"logits {tuple(shape)} have K = {K} classes, weight has {len(self.weight)} entries")
        soft = target.is_floating_point()
        wanted = shape if soft else _labels_shape(shape)
        if target.shape != wanted or target.dtype == torch.bool or target.is_complex():
            need = f"integer labels {_labels_shape(shape)} or probabilities {tuple(shape)}"
            many = f": {MULTI_HOT}" if target.shape == shape and not soft else ""
            raise InputError(f"logits {tuple(shape)} need {need}, got {described(target)}{many}")
        if soft and not transformed():
            check_rows(target.reshape(1, -1) if target.dim() == 1 else target, 1)
        return K, soft

    def _value(self, logits: Tensor, target: Tensor, K: int, soft: bool, masked: bool) -> Tensor:
        """``masked``: some labels may be ignored or weigh more than others."""
        rows = logits if logits.dim() == 2 else _rows(logits, K)
        scale: Tensor | None = None
        if soft:
            label = (target if target.dim() == 2 else _rows(target, K)).to(precision(rows))
            if self.weight is not None:
                label = label * self.weight.to(label.dtype)
        else:
            label = target.reshape(-1, 1).long()
            if masked:
                scale = label != self.ignore_index
                label = label * scale
                if self.weight is not None:
                    scale = self.weight[label].to(precision(rows)) * scale
        value = self._reduced(rows, label, scale, soft, K)
        if self.reduction == "none" and logits.dim() != 2:
            return value.reshape(logits.shape[:0] if logits.dim() == 1 else (logits.shape[0], *logits.shape[2:]))
        return value

    def _reduced(self, rows: Tensor, label: Tensor, scale: Tensor | None, soft: bool, K: int) -> Tensor:
        reduction = Reduction(self.reduction)
        plan = self.plan(K) if self.fused and not transformed() else None
        if plan is not None and not (soft and label.requires_grad):
            return fused_losses(plan, rows, label, scale, soft, reduction)
        return reduction(reference_losses(self.loss, rows, label, soft, self.detach_modulation, self.inward), scale)

    @property
    def inward(self) -> bool:
        return self.floor == "inward"

    def plan(self, K: int) -> FusedPlan | None:
        if torch.compiler.is_compiling() or K not in self._plans:
            self._make_plan(K)
        return self._plans[K]

    def _make_plan(self, K: int) -> bool:
        """Plan the loss on K classes, once. torch.compile runs this as it is: a graph holds the plan, not how it was found."""
        if K not in self._plans:
            self._plans[K] = (
                None
                if self.loss.joint
                else FusedPlan.of(self.loss, K, detach=self.detach_modulation, inward=self.inward)
            )
        plan = self._plans[K]
        if plan is not None and "torch._dynamo" in sys.modules:
            for part in (*plan.active, *plan.passive, *plan.bases):
                part = getattr(part, "term", part)
                if isinstance(part, Jets):  # the compiler cannot follow it, but may record what it does
                    torch.compiler.allow_in_graph(part.on_entries)
        return True

    # the mark of torch.compiler.assume_constant_result, which itself would import all of the compiler with every loss
    _make_plan._dynamo_marked_constant = True  # type: ignore[attr-defined]

    def _refuse_labels(self, target: Tensor, K: int) -> None:
        """InputError naming the first label outside 0..K-1, if there is one."""
        if target.is_floating_point():
            return
        target = target.long()
        wrong = (((target < 0) | (target >= K)) & (target != self.ignore_index)).nonzero()
        if len(wrong):
            at = tuple(wrong[0].tolist())
            where = f" at position {at[0] if len(at) == 1 else at}" if at else ""
            raise InputError(
                f"label {target[at].item()}{where} is outside 0..{K - 1} ({len(wrong)} such labels; "
                f"ignore_index is {self.ignore_index})"
            ) from None

    def asymmetric_on(self, noise: NoiseModel | Iterable[Scalar]) -> Condition:
        """Is the loss, with its parameters, asymmetric on ``noise`` (a noise model or class weights)? Asks the core."""
        return check(self.loss, noise)

    def extra_repr(self) -> str:
        parts = [str(self.loss)]
        if self.weight is not None:
            parts.append(f"weight=({len(self.weight)},)")
        options = {
            "ignore_index": -100,
            "reduction": "mean",
            "detach_modulation": False,
            "floor": "inward",
            "fused": True,
        }
        parts += [f"{name}={getattr(self, name)!r}" for name, usual in options.items() if getattr(self, name) != usual]
        return ", ".join(parts)

    def __getstate__(self) -> Json:
        return {**self.__dict__, "_plans": {}}


MULTI_HOT = (
    "several labels a sample (multi-hot) are another task, that of MultiLabelLoss; here a sample has one of K classes"
)


def check_rows(target: Tensor, axis: int, counted: Tensor | None = None) -> None:
    """InputError unless probabilities sum to 1 along the axis of the classes; on the CPU, for it is a look at them.

    1 within 0.01, for those of 16 bits. ``counted``: rows that matter, where not all do.
    """
    if not target.is_cpu or type(target) is not Tensor or torch.compiler.is_compiling() or not target.numel():
        return
    sums = target.detach().sum(axis, dtype=precision(target))
    wrong = ~((sums - 1).abs() <= 0.01)
    if counted is not None:
        wrong &= counted
    if bool(wrong.any()):
        at = tuple(wrong.nonzero()[0].tolist())
        where = at[0] if len(at) == 1 else at
        raise InputError(
            f"probabilities of row {where} sum to {sums[at].item():.4g}, not to 1: {MULTI_HOT}; give one label a sample, or "
            "divide each row by its sum"
        )


def transformed() -> bool:
    """Inside torch.func (vmap, grad, ...)? The reference is made of torch's own operations, which all transforms know."""
    active = getattr(torch._C, "_are_functorch_transforms_active", None)
    return active is not None and not torch.compiler.is_compiling() and active()


def _rows(x: Tensor, K: int) -> Tensor:
    """(K,) or (N, K, d1, ...) as rows (M, K)."""
    return x.unsqueeze(0) if x.dim() == 1 else x.movedim(1, -1).reshape(-1, K)


def described(x: Tensor) -> str:
    return f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}"


def _labels_shape(shape: torch.Size) -> tuple[int, ...]:
    return () if len(shape) == 1 else (*shape[:1], *shape[2:])
