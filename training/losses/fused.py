"""Every loss of the core in one pass over the logits, with the gradient by hand.

With ``u = softmax(z)`` and ``s_k = u_k dL/du_k`` the gradient in the logits is ``s_j - u_j sum_k s_k``. What a loss puts into s:

* its separable part a number at the label, and ``2 p2 u_k^2`` everywhere where the passive part has a term ``p2 u^2``;
* NCE a number per row, NNCE a number per row on the entries above p_min, both a number at the label;
* a normalised loss on another base, and a passive part that is not a polynomial, one more elementwise field.

So without such fields the gradient of any sum is ``u_j (k u_j + A) + B`` per row plus an entry at the label. ``parts`` finds
these parts in a loss; no formula is written a second time: polynomials come from running the core's lines on its
exact polynomials, all other values and slopes from running them on curves or on jets in log u (``terms``).

Rows are worked in blocks, so that temporaries stay small and in the cache, in memory that one call leaves to the next; what
is kept for the backward pass is one (N, K) tensor: the gradient of each row's own loss. A second derivative, if asked
for, is that of ``reference``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from asymtheory.losses import Loss
from asymtheory.numbers.scalar import Scalar

from .parts import FusedPlan, Negative, Ratio
from .reference import ABSENT, clipped, label_losses, precision, wide
from .terms import LabelProbabilities, Scratch, Term, plus, times

# Elements of a block of rows on the CPU, for each thread of torch: few enough to be near, enough for what an operation costs
BLOCK = 2**18
BLOCK_LARGEST = 2**20  # of all threads together
BLOCK_DEVICE = 2**24  # elsewhere (a GPU): large enough that a launch costs nothing, small enough for the memory


# ----------------------------------------------------------------------------------------------------- one block


@dataclass(slots=True)
class Labels:
    """What the loss of a row is taken at: one label, an index (n, 1), or a weight for every label (n, K).

    Quantities "at the label" are then (n, 1) or (n, K).
    """

    given: Tensor
    soft: bool
    unit: float = 1.0  # the gradient of every row is multiplied by it
    rows: Tensor | None = None  # and by this one (n, 1) of its own

    def of(self, x: Tensor) -> Tensor:
        """Entries of x (n, K) at the label."""
        return x if self.soft else x.gather(-1, self.given)

    def expected(self, x: Scalar) -> Scalar:
        """The sum over labels (n, 1) of a quantity at the label."""
        return _sum(self.given * x) if self.soft else x

    def weighted(self, x: Scalar) -> Scalar:
        """The sum over labels of a quantity (n, 1) that is the same for all."""
        return _sum(self.given) * x if self.soft else x

    def __getitem__(self, rows: slice) -> Labels:
        own = None if self.rows is None else self.rows[rows]
        return Labels(self.given[rows], self.soft, self.unit, own)


@dataclass(slots=True)
class _Softmax:
    """Softmax of a block, computed as the plan needs it, with the fewest operations on (n, K).

    Three ways: no logarithm at all; log u on all entries; and log u but for a number by row, which is cheaper on what
    becomes of it: log u is then ``logu - size``, and u is ``u / mass`` where there is a mass.
    """

    logu: Tensor | None
    u: Tensor
    at: LabelProbabilities  # log u and u at the label, proper
    size: Tensor | None = None
    mass: Tensor | None = None


@dataclass(slots=True)
class _Sums:
    """What the terms of a loss add up to, by row (n, 1) or a number; ``value`` and ``slope``: at the label.

    All but the value are of the gradient and have the unit of the labels. What is taken from s at all entries: ``minus``,
    and ``field * factor`` for each of the fields (n, K).
    """

    value: Scalar
    slope: Scalar  # s at the label
    square: Scalar = 0.0  # part of s: square * u^2
    through: Scalar = 0.0  # sum_k s_k, without minus, fields and label
    minus: Scalar = 0.0
    factors: dict[int, Scalar] = field(default_factory=dict)  # those of the slopes of each base
    fields: list[tuple[Tensor, Scalar]] = field(default_factory=list)  # with a factor by row, or None


def _sum(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True)


# ``native.use_native`` puts its own version of ``block`` here, which answers None where it does not know how
NATIVE: Callable[..., tuple[Tensor, Tensor] | None] | None = None


def block(
    plan: FusedPlan,
    logits: Tensor,
    labels: Labels,
    gradient: bool,
    out: Tensor | None = None,
    scratch: Scratch = (None, None, None),
) -> tuple[Tensor, Tensor]:
    """Losses (n, 1) of rows of logits (n, K), and the gradient (n, K) in ``out``; with no ``gradient`` that is nothing.

    A logit of -inf is a class that is not there: the losses are their limits, and the gradient is 0 there.
    """
    if _may_be_looked_at(logits) and not (plan.wary or out is logits):
        found = _block(plan, logits, labels, gradient, out, scratch)
        if math.isfinite(found[0].sum().item()):  # a look at n numbers; n losses at most are as large as floats are
            return found
    absent = absent_classes(logits)
    if absent is None:
        return _block(plan, logits, labels, gradient, out, scratch)
    filled = logits.masked_fill(absent, ABSENT)
    filled.sub_(filled.amax(-1, keepdim=True))  # a row of absent classes alone is one of zeros
    losses, slopes = _block(plan, filled, labels, gradient, out, scratch)
    return losses, slopes.masked_fill_(absent, 0.0)


def absent_classes(logits: Tensor) -> Tensor | None:
    """Where logits are -inf; None where it is known, at no more than a look, that they are nowhere."""
    if _may_be_looked_at(logits) and not bool(logits.amin() == -math.inf):
        return None
    return logits == -math.inf


def _block(
    plan: FusedPlan, logits: Tensor, labels: Labels, gradient: bool, out: Tensor | None, scratch: Scratch
) -> tuple[Tensor, Tensor]:
    """``block`` of finite logits."""
    if NATIVE is not None and not torch.compiler.is_compiling():
        found = NATIVE(plan, logits, labels, gradient, out, scratch)
        if found is not None:
            return found
    rows = _softmax(plan, logits, labels, out, scratch[0])
    sums = separable(plan, rows.at, labels.unit)
    if plan.square:
        _add_squares(plan, rows, sums, labels)
    for passive in plan.passive:
        _add_passive(passive, rows, sums, labels)
    bottom = _sum_of_logs(rows) if plan.logarithmic else None  # now: what follows may overwrite log u
    bases = [_based(plan, base, rows, scratch[1:]) for base in plan.bases]
    for ratio in plan.ratios:
        _add_ratio(ratio, rows, sums, labels, bottom, bases)
    for negative in plan.negatives:
        _add_negative(plan, negative, rows, sums, labels, bases)
    value = sums.value if isinstance(sums.value, Tensor) else torch.full_like(labels.of(rows.u), sums.value)
    losses = labels.expected(value)
    if gradient:
        sums.fields += [(bases[index][1], factor) for index, factor in sums.factors.items()]
        spare = scratch[0] if rows.logu is None else bases[0][0] if bases else None if plan.negatives else rows.logu
        _write_gradient(rows, sums, labels, spare)
    return losses, rows.u


def _softmax(plan: FusedPlan, logits: Tensor, labels: Labels, out: Tensor | None, scratch: Tensor | None) -> _Softmax:
    if not plan.logs:
        u = torch.softmax(logits, -1, out=out)
        return _Softmax(None, u, LabelProbabilities(None, labels.of(u)))
    if plan.elementwise:
        logu = torch.log_softmax(logits, -1, out=scratch)
        u = torch.exp(logu, out=out)
        return _Softmax(logu, u, LabelProbabilities(labels.of(logu), labels.of(u)))
    logu = torch.sub(logits, logits.amax(-1, keepdim=True), out=scratch)
    u = torch.exp(logu, out=out)
    mass = _sum(u)
    size = mass.log()
    rows = _Softmax(logu, u, LabelProbabilities(labels.of(logu) - size if plan.at_label else None), size, mass)
    if plan.square:  # squares need u itself: dividing it once costs less than dividing its square
        u.mul_(mass.reciprocal_())
        rows.mass = None
    return rows


def _sum_of_logs(rows: _Softmax) -> Tensor:
    assert rows.logu is not None
    total = _sum(rows.logu)
    return total if rows.size is None else torch.add(total, rows.size, alpha=-rows.u.shape[-1])


def separable(plan: FusedPlan, at: LabelProbabilities, unit: float) -> _Sums:
    """Value and slope in log u of the separable part at the label, of all but the sum over classes."""
    value: Scalar = 0.0
    slope: Scalar = 0.0
    if len(plan.polynomial) <= 2:
        start, linear = (*plan.polynomial, 0.0, 0.0)[:2]
        value = plus(start + linear, at.u, -linear) if linear else start
        slope = at.u * (-linear * unit) if linear else 0.0
    else:
        *lower, before, slope = plan.polynomial
        rest = 1 - at.u
        value = plus(before, rest, slope)
        for coefficient in reversed(lower):  # Horner, with the derivative in 1 - u
            slope = torch.addcmul(value, slope, rest) if isinstance(slope, Tensor) else plus(value, rest, slope)
            value = plus(coefficient, value * rest)
        slope = (slope * at.u).mul_(-unit)
    if plan.logarithm:
        value, slope = plus(value, at.logu, plan.logarithm), slope + plan.logarithm * unit
    for active in plan.active:
        height, steep = active.at(at, unit=unit)
        value, slope = plus(value, height), plus(slope, steep)
    return _Sums(value, slope)


def _add_squares(plan: FusedPlan, rows: _Softmax, sums: _Sums, labels: Labels) -> None:
    """``plan.square`` times the sum of u_k^2."""
    whole = torch.linalg.vector_norm(rows.u, dim=-1, keepdim=True).square_()
    sums.value = plus(sums.value, whole, plan.square)
    sums.square = labels.weighted(2 * plan.square * labels.unit)
    sums.through = whole * sums.square


def _add_passive(passive: Term, rows: _Softmax, sums: _Sums, labels: Labels) -> None:
    """A term over all classes but the label."""
    height, slopes = passive.at(LabelProbabilities(rows.logu, rows.u))
    if not isinstance(slopes, Tensor):  # the same everywhere
        slopes = torch.full_like(height, slopes)
    sums.value = plus(plus(sums.value, labels.of(height), -1.0), _sum(height))
    sums.slope = plus(sums.slope, labels.of(slopes), -labels.unit)
    factor = labels.weighted(-labels.unit)
    sums.fields.append((slopes, factor if isinstance(factor, Tensor) else torch.full_like(slopes[:, :1], factor)))


def _based(plan: FusedPlan, base: Term, rows: _Softmax, scratch: Scratch) -> tuple[Tensor, Tensor]:
    """Minus a base of a normalised loss on all entries, and minus its slope in log u, in tensors of their own."""
    point = LabelProbabilities(rows.logu, rows.u)
    if len(plan.bases) > 1:
        scratch = (None, None)
    height, slopes = base.at(point, scratch, own=plan.own)
    return height, slopes if isinstance(slopes, Tensor) else torch.full_like(height, slopes)


def _add_ratio(
    ratio: Ratio,
    rows: _Softmax,
    sums: _Sums,
    labels: Labels,
    bottom: Tensor | None,
    bases: list[tuple[Tensor, Tensor]],
) -> None:
    """``bottom`` is the sum of log u."""
    weight = ratio.weight * labels.unit
    if ratio.base is None:
        assert bottom is not None
        inside = bottom.reciprocal()
        share = rows.at.logu * inside
        inside = steep = times(inside, weight)
    else:
        height, slopes = bases[ratio.base]
        inside = _sum(height).reciprocal_()
        share = labels.of(height) * inside
        inside = times(inside, weight)
        steep = labels.of(slopes) * inside
    sums.value = plus(sums.value, share, ratio.weight)
    sums.slope = plus(sums.slope, steep)
    common = labels.expected(share) * inside
    if ratio.base is None:
        sums.minus = plus(sums.minus, common)
    else:
        sums.factors[ratio.base] = plus(sums.factors.get(ratio.base, 0.0), common)


def _add_negative(
    plan: FusedPlan,
    negative: Negative,
    rows: _Softmax,
    sums: _Sums,
    labels: Labels,
    bases: list[tuple[Tensor, Tensor]],
) -> None:
    """The only one, and the last: it overwrites what it is made of. Its constant is in the polynomial."""
    if negative.base is not None:
        above = bases[negative.base][0].add_(negative.top)
    else:
        assert rows.logu is not None
        above = rows.logu.add_(negative.top if rows.size is None else negative.top - rows.size)
    if cut := not _known_positive(above):
        above.clamp_(min=0)
    inside = _sum(above).reciprocal_()
    share = labels.of(above) * inside
    mask = above.sign_() if cut else None
    sums.value = plus(sums.value, share, -negative.weight)
    inside = times(inside, -negative.weight * labels.unit)
    common = labels.expected(share) * inside
    here = None if mask is None else labels.of(mask)
    if negative.base is None:
        steep = inside if here is None or plan.inward else inside * here
        if mask is None:
            sums.minus = plus(sums.minus, common)
        else:
            sums.fields.append((mask, common))
    else:
        slopes = bases[negative.base][1]
        steep = labels.of(slopes)
        if here is not None:
            steep = torch.where(here > 0, steep, -negative.slope if plan.inward else 0.0)
        steep = inside * steep
        other = sums.factors.get(negative.base)  # of a ratio on the same base
        if mask is None:
            sums.factors[negative.base] = plus(0.0 if other is None else other, common)
        elif other is None:
            sums.fields.append((slopes.mul_(mask), common))
        else:
            del sums.factors[negative.base]
            sums.fields.append((slopes.mul_(mask.mul_(common).add_(other)), None))
    sums.slope = plus(sums.slope, steep)


def _known_positive(x: Tensor) -> bool:
    """Is it known, at no more than a look at x, that no entry is below 0? A look is free on the CPU alone."""
    return _may_be_looked_at(x) and bool(x.amin() >= 0)


def _may_be_looked_at(x: Tensor) -> bool:
    return x.is_cpu and type(x) is Tensor and not torch.compiler.is_compiling() and x.numel() > 0


def _write_gradient(rows: _Softmax, sums: _Sums, labels: Labels, spare: Tensor | None) -> None:
    """``s_j - u_j sum_k s_k`` over u; ``spare`` may be overwritten."""
    u, slope = rows.u, sums.slope
    if labels.soft:
        slope = labels.given * slope
    elif not isinstance(slope, Tensor):
        slope = torch.full_like(u[:, :1], slope)
    through = plus(sums.through, _sum(slope) if labels.soft else slope)
    if isinstance(sums.minus, Tensor):
        through = torch.add(through, sums.minus, alpha=-u.shape[-1])
    for slopes, factor in sums.fields:
        whole = _sum(slopes)
        through = through - whole if factor is None else torch.addcmul(through, whole, factor, value=-1)
    inner = through.neg() if rows.mass is None else torch.div(through, rows.mass).neg_()
    if isinstance(sums.square, Tensor):
        u.mul_(torch.mul(u, sums.square, out=spare).add_(inner))
    elif sums.square:
        u.mul_(torch.add(inner, u, alpha=sums.square, out=spare))
    else:
        u.mul_(inner)
    if isinstance(sums.minus, Tensor):
        u.sub_(sums.minus)
    for slopes, factor in sums.fields:
        if factor is None:
            u.sub_(slopes)
        else:
            u.addcmul_(slopes, factor, value=-1)
    if labels.soft:
        u.add_(slope)
    else:
        u.scatter_add_(-1, labels.given, slope)
    if labels.rows is not None:
        u.mul_(labels.rows)


# --------------------------------------------------------------------------------------------------- blocks of rows


class _Memory:
    """Temporaries of one call left to the next: fresh memory would come from the system, page by page, at every call.

    A call takes a buffer away and gives it back, so calls at the same time, or inside each other, never share one, and a call
    that fails gives none back. At most ``COUNT`` buffers of ``LARGEST`` elements are kept, for each of two types.
    """

    COUNT = 2
    LARGEST = 3 * BLOCK_LARGEST
    SMALLEST = 2**14  # elements of a block; below this the allocator has the memory at hand

    def __init__(self) -> None:
        self.free: dict[torch.dtype, list[Tensor]] = {torch.float32: [], torch.float64: []}

    def take(self, dtype: torch.dtype, size: int) -> Tensor:
        """A flat tensor of at least ``size`` elements."""
        try:
            found = self.free[dtype].pop()
        except IndexError:
            found = None
        if found is None or len(found) < size:
            with torch.inference_mode(False):  # a tensor made in that mode could not be written outside of it
                found = torch.empty(size, dtype=dtype, device="cpu")
        return found

    def give_back(self, buffer: Tensor) -> None:
        kept = self.free[buffer.dtype]
        if len(kept) < self.COUNT and len(buffer) <= self.LARGEST and type(buffer) is Tensor:
            kept.append(buffer)


_MEMORY = _Memory()


def row_losses(plan: FusedPlan, logits: Tensor, labels: Labels, gradient: bool) -> tuple[Tensor, Tensor | None]:
    """Losses (N, 1) of rows (N, K) and, if asked for, the gradient (N, K) of the loss of each row."""
    n, k = logits.shape
    slopes: Tensor | None
    if n * k <= _Memory.SMALLEST or torch.compiler.is_compiling():  # a compiler makes blocks of its own
        losses, slopes = block(plan, wide(logits), labels, gradient)
        return losses, slopes if gradient else None
    step = _rows_in_a_block(plan, logits)
    buffer = None
    if plan.temporaries and logits.is_cpu and type(logits) is Tensor:
        buffer = _MEMORY.take(precision(logits), plan.temporaries * step * k)

    def scratch(rows: int) -> Scratch:
        if buffer is None:
            return (None,) * 3
        own = buffer[: plan.temporaries * rows * k].view(plan.temporaries, rows, k).unbind(0)
        return (*own, None, None, None)[:3]

    if step >= n:
        losses, slopes = block(plan, wide(logits), labels, gradient, None, scratch(n))
    else:
        slopes = torch.empty(n, k, dtype=precision(logits), device=logits.device) if gradient else None
        parts = []
        for start in range(0, n, step):
            rows = slice(start, start + step)
            out = None if slopes is None else slopes[rows]
            own = scratch(min(step, n - start))
            parts.append(block(plan, wide(logits[rows]), labels[rows], gradient, out, own)[0])
        losses = torch.cat(parts)
    if buffer is not None:
        _MEMORY.give_back(buffer)
    return losses, slopes if gradient else None


def _rows_in_a_block(plan: FusedPlan, logits: Tensor) -> int:
    """Blocks of one size, nearly, and on the CPU of as many rows for each thread.

    Where there is more than one, what is written beside the gradient takes no more than another tensor of its size.
    """
    n, k = logits.shape
    if not logits.is_cpu:
        return -(-n // max(1, -(-n * k // BLOCK_DEVICE)))
    threads = torch.get_num_threads()
    count = -(-n * k // min(BLOCK_LARGEST, BLOCK * threads))
    if count > 1:
        count = max(count, plan.temporaries)
    step = -(-n // max(1, count))
    return min(n, -(-step // threads) * threads)


# ------------------------------------------------------------------------------------------------------- autograd


@dataclass(frozen=True)
class Reduction:
    """How row losses become the result, as in cross_entropy."""

    kind: str  # none, sum or mean

    def __call__(self, losses: Tensor, scale: Tensor | None) -> Tensor:
        """Losses (N, 1); ``scale`` (N, 1) is the weight of each row, 0 where it is ignored, and a mean divides by its sum.

        A mean over no rows is NaN with gradient 0.
        """
        if scale is not None:
            losses = losses * scale
        if self.kind == "none":
            return losses.squeeze(-1)
        if self.kind == "sum":
            return losses.sum()
        if scale is None:
            return losses.mean()
        total = scale.sum()
        return torch.where(total == 0, math.nan, losses.sum() / off_zero(total))

    def labels(self, label: Tensor, soft: bool, scale: Tensor | None, dtype: torch.dtype) -> Labels:
        """Labels of rows with what their gradients are multiplied by."""
        if scale is None:
            return Labels(label, soft, 1 / max(len(label), 1) if self.kind == "mean" else 1.0)
        rows = scale.to(dtype)
        return Labels(label, soft, rows=rows / off_zero(scale.sum()) if self.kind == "mean" else rows)


def off_zero(total: Tensor) -> Tensor:
    """A divisor that may be 0: a count, or a sum of weights."""
    return total.clamp(min=torch.finfo(total.dtype).tiny if total.is_floating_point() else 1)


def reference_losses(
    loss: Loss, logits: Tensor, label: Tensor, soft: bool, detach: bool = False, inward: bool = True
) -> Tensor:
    """Losses (N, 1) of rows (N, K) by the core's definition, differentiated by torch."""
    each = label_losses(loss, logits, detach_modulation=detach, inward=inward)
    return _sum(each * label) if soft else each.gather(-1, label)


class Fused(torch.autograd.Function):
    """Reduced losses of rows (N, K); keeps the gradient of each row, and the logits for a second derivative."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, label: Tensor, scale: Tensor | None, soft: bool, plan: FusedPlan, reduction: Reduction
    ) -> Tensor:
        gradient = ctx.needs_input_grad[0]
        labels = reduction.labels(label, soft, scale, precision(logits)) if gradient else Labels(label, soft)
        losses, slopes = row_losses(plan, logits, labels, gradient)
        if gradient:
            compiling = torch.compiler.is_compiling()
            ctx.save_for_backward(logits, label, scale, *([slopes] if compiling else []))
            ctx.slopes = None if compiling else slopes
            ctx.rest = soft, plan, reduction
        return reduction(losses, scale)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, label, scale, *compiled = ctx.saved_tensors
        soft, plan, reduction = ctx.rest
        if torch.is_grad_enabled():  # create_graph: a second derivative will be taken
            value = reduction(reference_losses(plan.loss, logits, label, soft, plan.detach, plan.inward), scale)
            (slope,) = torch.autograd.grad(value, logits, upstream, create_graph=True)
            return slope, None, None, None, None, None
        factor = upstream if reduction.kind != "none" else upstream.unsqueeze(-1)
        if compiled:
            return (compiled[0] * factor).to(logits.dtype), None, None, None, None, None
        slopes, ctx.slopes = ctx.slopes, None  # given away, so that no second (N, K) tensor is needed
        if slopes is None:  # backward again, with retain_graph
            slopes = row_losses(plan, logits, reduction.labels(label, soft, scale, precision(logits)), True)[1]
        if torch._C._functorch.is_legacy_batchedtensor(upstream):  # is_grads_batched: nothing may be written in place
            slopes = slopes * factor
        elif (
            factor.dim() or not factor.is_cpu or factor.item() != 1
        ):  # on the CPU a look at the factor costs no waiting
            slopes.mul_(factor)
        return slopes.to(logits.dtype), None, None, None, None, None


def fused_losses(
    plan: FusedPlan, logits: Tensor, label: Tensor, scale: Tensor | None, soft: bool, reduction: Reduction
) -> Tensor:
    """Reduced losses of rows (N, K) by ``Fused``; logits are clipped before, where the loss asks for it."""
    if plan.clip is not None:
        logits = clipped(wide(logits), plan.clip)
    return Fused.apply(logits, label, scale, soft, plan, reduction)
