"""Robust losses fused with the last linear layer: the logits of a vocabulary are never whole in memory.

``chunks`` makes losses and gradients in one pass; this module gives them to torch: its autograd, compiler and autocast.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from asymtheory.errors import InputError
from asymtheory.losses import Loss

from .build import build_loss
from .chunks import Job, Pass, one_pass
from .fused import off_zero, reference_losses
from .module import RobustLoss, check_rows, described, transformed
from .parts import has_plan
from .reference import precision


class TokenStatistics(NamedTuple):
    """What the model says at each label, each of hidden's leading shape; without gradient, NaN where no label counts."""

    loss: Tensor  # before token weights
    probability: Tensor  # p_y; for probabilities as labels sum_k t_k p_k
    entropy: Tensor  # of the model's distribution, in nats


# ------------------------------------------------------------------------------------------------- what users call


def linear_loss(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    loss: str | Loss = "agce",
    *,
    bias: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    shift: bool | int = False,
    token_weight: Tensor | None = None,
    statistics: bool = False,
    chunk: int | None = None,
    detach_modulation: bool = False,
    floor: str = "inward",
    **parameters: Any,
) -> Any:
    """The loss of the logits ``hidden @ weight.T + bias`` without ever holding them: for vocabularies.

        linear_loss(hidden, lm_head.weight, labels, "agce", a=0.1, q=0.6, shift=True)

    The same as ``build_loss(loss, **parameters)(F.linear(hidden, weight, bias), labels)``; see :class:`RobustLinearLoss`,
    which is built once and called often, for shapes, options, results and errors.
    """
    module = _built(
        loss,
        ignore_index=ignore_index,
        reduction=reduction,
        shift=shift,
        statistics=statistics,
        chunk=chunk,
        detach_modulation=detach_modulation,
        floor=floor,
        **parameters,
    )
    return module(hidden, weight, labels, bias=bias, token_weight=token_weight)


def _built(loss: str | Loss, **options: Any) -> RobustLinearLoss:
    """A module for ``linear_loss``, made once for the same options."""
    try:
        return _kept(loss, **options)
    except TypeError:  # a value that cannot be hashed; what is wrong with it is said here
        return RobustLinearLoss(loss, **options)


# the mark of torch.compiler.disable, which itself would import all of the compiler: a graph calls it as it is
_built._torchdynamo_disable = True  # type: ignore[attr-defined]


@lru_cache(maxsize=64)
def _kept(loss: str | Loss, **options: Any) -> RobustLinearLoss:
    return RobustLinearLoss(loss, **options)


class RobustLinearLoss(nn.Module):
    """A robust loss fused with the linear layer before it. It has no parameters: the layer's are given with each call.

    ``module(hidden, weight, labels, bias=None, token_weight=None)`` takes

    * hidden (N, d) or (B, T, d), the states before the last layer, with any number of leading axes;
    * weight (K, d) and bias (K,) of that layer; a frozen one (``requires_grad=False``) gets no gradient and no memory for it;
    * integer labels of hidden's leading shape, or probabilities with an axis K more: ``sum_k t_k L(softmax(z), k)``;
    * token_weight of hidden's leading shape, a mask for one: each label's loss is multiplied by its weight.

    ``loss`` and its parameters are those of ``build_loss``, with ``detach_modulation`` and ``floor``; ``noise`` too, which warns of
    a parameter below the threshold. ``shift=True`` trains position t on label t + 1 of the last leading axis (``shift=s``: t + s),
    as causal language models do; labels and token weights are then given unshifted. Labels ``ignore_index`` count for
    nothing, and cost nothing: their rows are left out of the products.

    ``reduction`` is "mean" (divides by the number of labels that are not ignored, with token weights by the sum of theirs;
    NaN with gradient 0 if there are none), "sum" or "none" (of hidden's leading shape, 0 where ignored). For "mean" and
    "sum" gradients are made in the forward pass; for "none" the backward pass makes the logits again.

    ``statistics=True`` returns ``(loss, TokenStatistics)``: each label's loss, its probability and the entropy of the row.

    ``chunk`` is the number of rows whose logits exist at a time. It is chosen if it is not given: half of d, so that the logits
    of a chunk take half the memory of the layer's gradient, but at least 128 rows and at most 1/16 of the memory.

    Logits, losses and sums over chunks are float32 (float64 for float64 states). float16 and bfloat16 layers are multiplied in
    float32 on the CPU, and in their own type elsewhere or as autocast says; each gradient has the type of its tensor.

    Raises InputError for shapes and types that do not fit, and on the CPU for labels outside 0..K-1.
    """

    def __init__(
        self,
        loss: str | Loss = "agce",
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        shift: bool | int = False,
        statistics: bool = False,
        chunk: int | None = None,
        detach_modulation: bool = False,
        floor: str = "inward",
        **parameters: Any,
    ) -> None:
        super().__init__()
        robust = build_loss(
            loss,
            ignore_index=ignore_index,
            reduction=reduction,
            detach_modulation=detach_modulation,
            floor=floor,
            **parameters,
        )
        if not isinstance(robust, RobustLoss):
            raise InputError(f"{robust} is not a loss of the softmax alone, so it cannot be fused with a linear layer")
        if robust.weight is not None:
            raise InputError(
                "weight of classes: give token_weight=class_weight[labels] instead, a weight for each label"
            )
        if not isinstance(shift, int) or shift < 0:
            raise InputError(f"shift {shift!r} is not True, False or a number of positions from 0 up")
        if chunk is not None and (not isinstance(chunk, int) or chunk < 1):
            raise InputError(f"chunk {chunk!r} is not a number of rows from 1 up")
        self.robust = robust
        self.shift = int(shift)
        self.statistics = bool(statistics)
        self.chunk = chunk
        loss = self.robust.loss
        self._planned = not (loss.joint or loss.by_classes) and has_plan(loss)
        self._jobs: dict[tuple[bool, torch.dtype | None], Job] = {}

    def forward(
        self,
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        bias: Tensor | None = None,
        token_weight: Tensor | None = None,
    ) -> Any:
        """The loss, or with ``statistics`` the pair (loss, TokenStatistics)."""
        soft = _checked(hidden, weight, labels, bias, token_weight)
        if self.robust.classes not in (None, len(weight)):
            raise InputError(
                f"weight {tuple(weight.shape)} has K = {len(weight)} classes; the loss was built for {self.robust.classes}"
            )
        leading, K = hidden.shape[:-1], len(weight)
        rows = hidden.reshape(-1, hidden.shape[-1])
        target = labels.reshape(len(rows), K) if soft else labels.reshape(-1)
        scale = None if token_weight is None else token_weight.reshape(-1)
        length = leading[-1] if leading else 1
        job = self._job(soft, _product_type(hidden))
        if transformed() or (soft and labels.requires_grad) or (torch.compiler.is_compiling() and not self._planned):
            value, *tokens = whole_losses(job, rows, weight, bias, target, scale, length)
        else:
            value, *tokens = FusedLinear.apply(rows, weight, bias, target, scale, job, length)
        if self.robust.reduction == "none":
            value = value.reshape(leading)
        if not self.statistics:
            return value
        return value, TokenStatistics(*(x.reshape(leading) for x in tokens))

    def _job(self, soft: bool, products: torch.dtype | None) -> Job:
        if torch.compiler.is_compiling() or (soft, products) not in self._jobs:
            self._make_job(soft, products)
        return self._jobs[soft, products]

    def _make_job(self, soft: bool, products: torch.dtype | None) -> bool:
        """Once. torch.compile runs this as it is: its graph holds the number of the job."""
        if (soft, products) not in self._jobs:
            number = next(_NUMBERS)
            job = Job(number, self.robust, soft, self.shift, self.statistics, self.chunk, products)
            self._jobs[soft, products] = _JOBS[number] = job
        return True

    # the mark of torch.compiler.assume_constant_result, which itself would import all of the compiler
    _make_job._dynamo_marked_constant = True  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_jobs": {}}

    def extra_repr(self) -> str:
        options = {"shift": 0, "statistics": False, "chunk": None}
        return ", ".join(
            f"{name}={getattr(self, name)!r}" for name, usual in options.items() if getattr(self, name) != usual
        )


def _checked(hidden: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None, token_weight: Tensor | None) -> bool:
    """Are the labels probabilities? InputError for shapes and types that do not fit."""
    if hidden.dim() == 0 or not hidden.is_floating_point():
        raise InputError(f"hidden: floating-point states (N, d) or (B, T, d) are needed, got {described(hidden)}")
    *leading, d = hidden.shape
    if weight.dim() != 2 or weight.shape[1] != d or not weight.is_floating_point():
        raise InputError(
            f"weight: floating-point (K, {d}) is needed for hidden {tuple(hidden.shape)}, got {described(weight)}"
        )
    if hasattr(weight, "full_tensor"):
        raise InputError("weight is a DTensor, of which each process holds a part: give weight.full_tensor()")
    K = len(weight)
    if K < 2:
        raise InputError(f"weight {tuple(weight.shape)} has K = {K} classes; at least 2 are needed")
    if bias is not None and (bias.shape != (K,) or not bias.is_floating_point()):
        raise InputError(f"bias: floating-point ({K},) is needed, got {described(bias)}")
    soft = labels.is_floating_point()
    if list(labels.shape) != ([*leading, K] if soft else leading) or labels.dtype == torch.bool or labels.is_complex():
        need = f"integer labels {tuple(leading)} or probabilities {(*leading, K)}"
        raise InputError(f"hidden {tuple(hidden.shape)} needs {need}, got {described(labels)}")
    if token_weight is not None and (list(token_weight.shape) != leading or token_weight.is_complex()):
        raise InputError(f"token_weight: {tuple(leading)} is needed, one weight a label, got {described(token_weight)}")
    if token_weight is not None and token_weight.requires_grad:
        raise InputError("token_weight gets no gradient: detach it, or multiply the losses of reduction='none' by it")
    if soft and not transformed():
        check_rows(labels, -1, None if token_weight is None else token_weight != 0)
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and (given.dtype == torch.float64) != (hidden.dtype == torch.float64):
            raise InputError(
                f"hidden is {described(hidden)}, but {name} is {described(given)}: give both in one precision"
            )
    return soft


# ------------------------------------------------------------------------------------------------------- autograd


class FusedLinear(torch.autograd.Function):
    """Reduced losses of rows (N, d) and the statistics of ``Pass``; keeps the gradients, which backward hands on."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        target: Tensor,
        scale: Tensor | None,
        job: Job,
        length: int,
    ) -> tuple[Tensor, ...]:
        each = job.robust.reduction == "none"
        wanted: tuple[bool, bool, bool] = ctx.needs_input_grad[:3]
        now = (
            (False, False, False) if each else wanted
        )  # of losses that are not reduced, upstream gives each its own factor
        found = _run(job, hidden, weight, bias, target, scale, length, now)
        compiling = torch.compiler.is_compiling()
        ctx.save_for_backward(hidden, weight, bias, target, scale, *(found.gradients if compiling else []))
        ctx.gradients = None if compiling or each else found.gradients
        ctx.rest = job, length, wanted
        ctx.mark_non_differentiable(*found.tokens)
        return _reduced(found, job.robust.reduction), *found.tokens

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, target, scale, *compiled = ctx.saved_tensors
        job, length, wanted = ctx.rest
        inputs = hidden, weight, bias
        twice = torch.is_grad_enabled()  # create_graph: a second derivative will be taken
        if twice or (upstream.dim() and _batched(upstream)):
            with torch.enable_grad():
                value = whole_losses(job, hidden, weight, bias, target, scale, length)[0]
            asked = [x for x, want in zip(inputs, wanted, strict=True) if want]
            slopes = iter(torch.autograd.grad(value, asked, upstream, create_graph=twice))
            return *(next(slopes) if want else None for want in wanted), None, None, None, None
        gradients, ctx.gradients = compiled or ctx.gradients, None  # given away: no second (K, d) tensor is needed
        factor = upstream if not upstream.dim() else None
        if job.robust.reduction == "none":
            gradients = _run(job, *inputs, target, scale, length, wanted, upstream).gradients
        elif gradients is None:  # backward again, with retain_graph
            gradients = _run(job, *inputs, target, scale, length, wanted).gradients
        scaled = [_scaled(x, factor, like) for x, like in zip(gradients, inputs, strict=True)]
        return *scaled, None, None, None, None


def _scaled(x: Tensor | None, factor: Tensor | None, like: Tensor | None) -> Tensor | None:
    """Times ``factor``, in place where that is allowed, in the type of ``like``."""
    if x is None or like is None:
        return None
    if factor is not None:
        if torch.compiler.is_compiling() or _batched(factor):
            x = x * factor
        elif not factor.is_cpu or factor.item() != 1:  # on the CPU a look at the factor costs no waiting
            x.mul_(factor)
    return x.to(like.dtype)


def _batched(x: Tensor) -> bool:
    """Inside ``is_grads_batched``, where nothing may be written in place?"""
    return not torch.compiler.is_compiling() and torch._C._functorch.is_legacy_batchedtensor(x)


def _reduced(found: Pass, reduction: str) -> Tensor:
    if reduction == "none":
        return found.losses
    value = found.losses.sum()
    return value if reduction == "sum" else torch.where(found.total == 0, math.nan, value / off_zero(found.total))


def whole_losses(
    job: Job,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    scale: Tensor | None,
    length: int,
) -> tuple[Tensor, ...]:
    """What ``FusedLinear`` gives, by the core's definition on whole logits, differentiated by torch.

    For second derivatives, torch.func, and labels that need a gradient.
    """
    robust, wide = job.robust, precision(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        logits = linear(hidden.to(wide), weight.to(wide), None if bias is None else bias.to(wide))
        counts = torch.arange(len(hidden), device=hidden.device) % max(length, 1) < length - job.shift
        label = target.roll(-job.shift, 0)
        if job.soft:
            label = label.to(wide)
        else:
            counts = counts & (label != robust.ignore_index)
            label = torch.where(counts, label, 0).long().unsqueeze(-1)
        each = reference_losses(robust.loss, logits, label, job.soft, robust.detach_modulation, robust.inward).squeeze(
            -1
        )
        weights = counts.to(wide) if scale is None else scale.roll(-job.shift).to(wide) * counts
        tokens = []
        if job.statistics:
            u = torch.softmax(logits.detach(), -1)
            probability = (u * label.detach()).sum(-1) if job.soft else u.gather(-1, label).squeeze(-1)
            tokens = [each.detach(), probability, torch.special.entr(u).sum(-1)]
            tokens = [torch.where(counts, x, math.nan) for x in tokens]
        found = Pass(each * weights, weights.sum(), tokens, [])
    return _reduced(found, robust.reduction), *found.tokens


# ------------------------------------------------------------------------------------------- autocast and compiler


def _product_type(hidden: Tensor) -> torch.dtype | None:
    """The type in which matrices are multiplied, or None for that of the logits.

    bfloat16 where autocast says so, or where the states have it, but on the CPU, where float32 is as fast. float16 would lose
    small gradients before a loss scale reaches them.
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device)
    else:
        kind = torch.float32 if device == "cpu" else hidden.dtype
    return kind if kind == torch.bfloat16 and hidden.dtype != torch.float64 else None


# A compiled graph knows a job by its number; the module that was compiled keeps it.
_NUMBERS = count()  # one is taken at a time
_JOBS: WeakValueDictionary[int, Job] = WeakValueDictionary()


def _run(
    job: Job,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    scale: Tensor | None,
    length: int,
    wanted: tuple[bool, bool, bool],
    upstream: Tensor | None = None,
) -> Pass:
    """``one_pass``; to a compiler it is one operation."""
    if not torch.compiler.is_compiling():
        with torch.autocast(hidden.device.type, enabled=False):
            return one_pass(job, hidden, weight, bias, target, scale, length, wanted, upstream)
    losses, total, *rest = _operation(hidden, weight, bias, target, scale, upstream, job.number, length, *wanted)
    gradients = [x if want else None for x, want in zip(rest[3:], wanted, strict=True)]
    return Pass(losses, total, rest[:3] if job.statistics else [], gradients)


@torch.library.custom_op("asymtheory::linear_pass", mutates_args=())
def _operation(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    scale: Tensor | None,
    upstream: Tensor | None,
    number: int,
    length: int,
    of_hidden: bool,
    of_weight: bool,
    of_bias: bool,
) -> list[Tensor]:
    """Losses, total, statistics, gradients of ``one_pass``; tensors without elements for what is not asked for."""
    with torch.autocast(hidden.device.type, enabled=False):
        found = one_pass(
            _JOBS[number], hidden, weight, bias, target, scale, length, (of_hidden, of_weight, of_bias), upstream
        )
    tokens = found.tokens or [hidden.new_empty(0) for _ in range(3)]
    gradients = [hidden.new_empty(0) if x is None else x for x in found.gradients]
    return [found.losses, found.total, *tokens, *gradients]


@_operation.register_fake
def _(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    scale: Tensor | None,
    upstream: Tensor | None,
    number: int,
    length: int,
    of_hidden: bool,
    of_weight: bool,
    of_bias: bool,
) -> list[Tensor]:
    wide, n = precision(hidden), len(hidden)
    told = n if _JOBS[number].statistics else 0
    tokens = [hidden.new_empty(told, dtype=wide) for _ in range(3)]
    gradients = [
        x.new_empty(x.shape, dtype=wide if x.dtype == torch.float16 else x.dtype)
        if x is not None and want
        else hidden.new_empty(0)
        for x, want in ((hidden, of_hidden), (weight, of_weight), (bias, of_bias))
    ]
    return [hidden.new_empty(n, dtype=wide), hidden.new_empty((), dtype=wide), *tokens, *gradients]
