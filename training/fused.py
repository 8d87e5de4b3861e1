"""Every loss of the core in one pass over the logits, with the gradient by hand.

With ``u = softmax(z)`` and ``s_k = u_k dL/du_k`` the gradient in the logits is ``s_j - u_j sum_k s_k``. What a loss puts into s:

* its separable part a number at the label, and ``2 p2 u_k^2`` everywhere where the passive part has a term ``p2 u^2``;
* NCE a number per row, NNCE a number per row on the entries above p_min, both a number at the label;
* a normalised loss on another base, and a passive part that is no polynomial, one more elementwise field.

So without such fields the gradient of any sum is ``u_j (k u_j + A) + B`` per row plus an entry at the label. ``parts`` finds
these parts in a loss; no formula is written a second time: polynomials come from running the core's lines on its
exact polynomials, all other values and slopes from running them on curves or on jets in log u (``terms``).

Rows are worked in blocks, so that temporaries stay small and in the cache, in memory that one call leaves to the next; what
is kept for the backward pass is one (N, K) tensor: the gradient of each row's own loss. A second derivative, if asked
for, is that of ``reference``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from asymtheory.losses import Loss

from .parts import Negative, Plan, Ratio
from .reference import clipped, label_losses, precision, wide
from .terms import Focal, LabelPoint, Scratch, Term, times

# Elements of a block of rows on the CPU, for each thread of torch: what is written on them fits in the cache of a core.
BLOCK = 2**18
BLOCK_ELEMENTWISE = 2**17  # where a loss needs more temporaries
BLOCK_LARGEST = 2**20  # of all threads together
BLOCK_DEVICE = 2**24  # elsewhere (a GPU): large enough that a launch costs nothing, small enough for the memory


# ----------------------------------------------------------------------------------------------------- one block


@dataclass(frozen=True)
class _Labels:
    """What the loss of a row is taken at: one label, an index (n, 1), or a weight for every label (n, K).

    Quantities "at the label" are then (n, 1) or (n, K).
    """

    given: Tensor
    soft: bool
    scale: Any = None  # of the gradient of each row (n, 1), a number for all, or none

    @property
    def unit(self) -> float:
        """The scale that all rows share."""
        return self.scale if isinstance(self.scale, float) else 1.0

    def of(self, x: Tensor) -> Tensor:
        """Entries of x (n, K) at the label."""
        return x if self.soft else x.gather(-1, self.given)

    def expected(self, x: Any) -> Any:
        """The sum over labels (n, 1) of a quantity at the label."""
        return _sum(self.given * x) if self.soft else x

    def scaled(self, x: Tensor) -> Tensor:
        """x by row, with the scale that rows do not share."""
        return x * self.scale if isinstance(self.scale, Tensor) else x

    def __getitem__(self, rows: slice) -> _Labels:
        scale = self.scale[rows] if isinstance(self.scale, Tensor) else self.scale
        return _Labels(self.given[rows], self.soft, scale)


@dataclass(slots=True)
class _Softmax:
    """Softmax of a block: log u and u where a plan is elementwise, else with the mass of a row still in it.

    ``logu - size`` and ``u * inverse`` are then cheaper on what becomes of them than on (n, K).
    """

    logu: Tensor
    u: Tensor
    size: Tensor
    inverse: Tensor
    at: LabelPoint  # log u and u at the label, proper


@dataclass(slots=True)
class _Sums:
    """What the terms of a loss add up to, by row (n, 1) or a number; ``value`` and ``slope``: at the label.

    The last six are of the gradient, with the scale that all rows share.
    """

    value: Any
    slope: Any  # s at the label
    row: Any = 0.0  # part of the value, the same for all labels
    constant: Any = 0.0  # part of s, the same on a row
    square: Any = 0.0  # part of s: square * u^2
    through: Any = 0.0  # sum_k s_k, without constant, fields and label
    factors: dict[int, Any] = field(default_factory=dict)  # parts of s: of the slopes of each base
    fields: list[tuple[Tensor, Any]] = field(default_factory=list)  # more of them, with factors by row or None


def _sum(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True)


def _plus(total: Any, x: Any, factor: float = 1.0) -> Any:
    """``total + factor * x`` in one operation, where total may still be 0.0 and x a number."""
    if isinstance(x, Tensor) and isinstance(total, Tensor):
        return torch.add(total, x, alpha=factor)
    return times(x, factor) if isinstance(total, float) and total == 0 else total + times(x, factor)


def _block(
    plan: Plan,
    logits: Tensor,
    labels: _Labels,
    gradient: bool,
    out: Tensor | None = None,
    scratch: Scratch = (None, None, None),
) -> tuple[Tensor, Tensor]:
    """Losses (n, 1) of rows of logits (n, K), and the gradient (n, K) in ``out``; with no ``gradient`` that is nothing."""
    rows = _softmax(plan, logits, labels, out, scratch[0])
    sums = _separable(plan, rows.at)
    if plan.square:
        _add_squares(plan, rows, sums, labels)
    for passive in plan.passive:
        _add_passive(passive, rows, sums, labels)
    bottom = _sum(rows.logu) if plan.logarithmic else None  # now: what follows may overwrite log u
    bases = [_based(plan, base, rows, scratch[1:]) for base in plan.bases]
    for ratio in plan.ratios:
        _add_ratio(plan, ratio, rows, sums, labels, bottom, bases)
    for negative in plan.negatives:
        _add_negative(plan, negative, rows, sums, labels, bases)
    value = sums.value if isinstance(sums.value, Tensor) else torch.full_like(rows.at.logu, sums.value)
    losses = _plus(sums.row, labels.expected(value))
    if gradient:
        sums.fields += [(bases[index][1], factor) for index, factor in sums.factors.items()]
        spare = bases[0][0] if bases else None if plan.negatives else rows.logu  # has been used
        _write_gradient(plan, rows, sums, labels, spare)
    return losses, rows.u


def _softmax(plan: Plan, logits: Tensor, labels: _Labels, out: Tensor | None, scratch: Tensor | None) -> _Softmax:
    logu = torch.sub(logits, logits.amax(-1, keepdim=True), out=scratch)
    u = torch.exp(logu, out=out)
    mass = _sum(u)
    size, inverse = mass.log(), mass.reciprocal_()
    if plan.elementwise:
        at = LabelPoint(labels.of(logu.sub_(size)), labels.of(u.mul_(inverse)))
    else:
        own = labels.of(logu) - size
        at = LabelPoint(own, own.exp())
    return _Softmax(logu, u, size, inverse, at)


def _separable(plan: Plan, at: LabelPoint) -> _Sums:
    """Value and slope in log u of the separable part at the label, of all but the sum over classes."""
    value: Any = 0.0
    slope: Any = 0.0
    if plan.polynomial:
        *lower, value = plan.polynomial
        rest = 1 - at.u if lower else at.u
        for coefficient in reversed(lower):  # Horner, with the derivative in 1 - u
            slope = _plus(value, slope * rest) if isinstance(slope, Tensor) or slope else value
            value = value * rest + coefficient if coefficient else value * rest
        slope = at.u * -slope if lower else 0.0
    if plan.logarithm:
        value, slope = _plus(value, at.logu, plan.logarithm), slope + plan.logarithm
    for active in plan.active:
        height, steep = active.at(at)
        value, slope = _plus(value, height), _plus(slope, steep)
    return _Sums(value, slope)


def _add_squares(plan: Plan, rows: _Softmax, sums: _Sums, labels: _Labels) -> None:
    """``plan.square`` times the sum of u_k^2."""
    norm = torch.linalg.vector_norm(rows.u, dim=-1, keepdim=True)
    root = norm if plan.elementwise else norm.mul_(rows.inverse)
    whole, twice = root * root, 2 * plan.square * labels.unit
    square = torch.full_like(whole, twice) if plan.elementwise else rows.inverse * rows.inverse * twice
    if labels.soft:  # it holds for one label
        weight = _sum(labels.given)
        whole, square = whole * weight, square * weight
    sums.row, sums.through, sums.square = whole * plan.square, whole * twice, square


def _add_passive(passive: Term, rows: _Softmax, sums: _Sums, labels: _Labels) -> None:
    """A term over all classes but the label."""
    height, slopes = passive.at(LabelPoint(rows.logu, rows.u))
    if not isinstance(slopes, Tensor):  # the same everywhere
        slopes = torch.full_like(height, slopes)
    sums.value = _plus(sums.value, labels.of(height), -1.0)
    sums.slope = _plus(sums.slope, labels.of(slopes), -1.0)
    whole, factor = _sum(height), torch.full_like(rows.size, labels.unit)
    if labels.soft:
        weight = _sum(labels.given)
        whole, factor = whole * weight, factor * weight
    sums.row = _plus(sums.row, whole)
    sums.fields.append((slopes, factor))


def _based(plan: Plan, base: Term, rows: _Softmax, scratch: Scratch) -> tuple[Tensor, Tensor]:
    """Minus a base of a normalised loss on all entries, and minus its slope in log u, in tensors of their own."""
    point = LabelPoint(rows.logu, rows.u)
    if len(plan.bases) > 1:
        scratch = (None, None)
    height, slopes = base.at(point, scratch, plan.own) if isinstance(base, Focal) else base.at(point, scratch)
    return height, slopes if isinstance(slopes, Tensor) else torch.full_like(height, slopes)


def _add_ratio(
    plan: Plan,
    ratio: Ratio,
    rows: _Softmax,
    sums: _Sums,
    labels: _Labels,
    bottom: Tensor | None,
    bases: list[tuple[Tensor, Tensor]],
) -> None:
    """``bottom`` is the sum of ``rows.logu``."""
    if ratio.base is None:
        assert bottom is not None
        inside = (bottom if plan.elementwise else torch.add(bottom, rows.size, alpha=-rows.u.shape[-1])).reciprocal()
        share, steep = rows.at.logu * inside, inside
    else:
        height, slopes = bases[ratio.base]
        inside = _sum(height).reciprocal_()
        share, steep = labels.of(height) * inside, labels.of(slopes) * inside
    sums.value = _plus(sums.value, share, ratio.weight)
    sums.slope = _plus(sums.slope, steep, ratio.weight)
    common, factor = labels.expected(share) * inside, -ratio.weight * labels.unit
    if ratio.base is None:
        sums.constant = _plus(sums.constant, common, factor)
    else:
        sums.factors[ratio.base] = _plus(sums.factors.get(ratio.base, 0.0), common, factor)


def _add_negative(
    plan: Plan, negative: Negative, rows: _Softmax, sums: _Sums, labels: _Labels, bases: list[tuple[Tensor, Tensor]]
) -> None:
    """The only one, and the last: it overwrites what it is made of."""
    if negative.base is None:
        above = rows.logu.add_(negative.top if plan.elementwise else negative.top - rows.size)
    else:
        above = bases[negative.base][0].add_(negative.top)
    above.clamp_(min=0)
    inside = _sum(above).reciprocal_()
    share = labels.of(above) * inside
    sums.value = _plus(_plus(sums.value, negative.weight), share, -negative.weight)
    common = times(labels.expected(share) * inside, negative.weight * labels.unit)
    mask = above.sign_()
    if negative.base is None:
        steep = inside if plan.inward else inside * labels.of(mask)
        sums.fields.append((mask, common))
    else:
        slopes = bases[negative.base][1]
        outside = -negative.slope if plan.inward else 0.0
        steep = inside * torch.where(labels.of(mask) > 0, labels.of(slopes), outside)
        other = sums.factors.pop(negative.base, None)  # of a ratio on the same base
        if other is None:
            sums.fields.append((slopes.mul_(mask), common))
        else:
            sums.fields.append((slopes.mul_(mask.mul_(common).add_(other)), None))
    sums.slope = _plus(sums.slope, steep, -negative.weight)


def _write_gradient(plan: Plan, rows: _Softmax, sums: _Sums, labels: _Labels, spare: Tensor | None) -> None:
    """``(s_j - u_j sum_k s_k)`` times the scale, over u; ``spare`` may be overwritten."""
    u = rows.u
    slope = times(sums.slope, labels.unit)
    if labels.soft:
        slope = labels.given * slope
    elif not isinstance(slope, Tensor):
        slope = torch.full_like(rows.size, slope)
    through = _plus(sums.through, _sum(slope) if labels.soft else slope)
    constant = sums.constant
    if isinstance(constant, Tensor):
        through = torch.add(through, constant, alpha=u.shape[-1])
    for slopes, factor in sums.fields:
        through = through + _sum(slopes) if factor is None else torch.addcmul(through, _sum(slopes), factor)
    inner = labels.scaled(through)
    inner = inner.neg() if plan.elementwise else (inner * rows.inverse).neg_()
    if isinstance(sums.square, Tensor):
        u.mul_(torch.mul(u, labels.scaled(sums.square), out=spare).add_(inner))
    else:
        u.mul_(inner)
    if isinstance(constant, Tensor):
        u.add_(labels.scaled(constant))
    for slopes, factor in sums.fields:
        if factor is None:
            u.add_(labels.scaled(slopes))
        else:
            u.addcmul_(slopes, labels.scaled(factor))
    if labels.soft:
        u.add_(labels.scaled(slope))
    else:
        u.scatter_add_(-1, labels.given, labels.scaled(slope))


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


def row_losses(plan: Plan, logits: Tensor, labels: _Labels, gradient: bool) -> tuple[Tensor, Tensor | None]:
    """Losses (N,) of rows (N, K) and, if asked for, the gradient (N, K) of the loss of each row."""
    n, k = logits.shape
    # a compiler makes blocks of its own
    count = 1 if torch.compiler.is_compiling() else max(1, -(-n * k // _block_size(plan, logits)))
    step = max(1, -(-n // count))
    buffer: Tensor | None = None
    slopes: Tensor | None
    temporaries = 3 if plan.bases else 1
    if logits.is_cpu and step * k >= _Memory.SMALLEST and type(logits) is Tensor and not torch.compiler.is_compiling():
        buffer = _MEMORY.take(precision(logits), temporaries * step * k)

    def scratch(rows: int) -> Scratch:
        return (None,) * 3 if buffer is None else buffer[: temporaries * rows * k].view(temporaries, rows, k).unbind(0)

    if step >= n:
        losses, slopes = _block(plan, wide(logits), labels, gradient, None, scratch(n))
    else:
        slopes = logits.new_empty(n, k, dtype=precision(logits)) if gradient else None
        parts = []
        for start in range(0, n, step):
            rows = slice(start, start + step)
            out = None if slopes is None else slopes[rows]
            parts.append(
                _block(plan, wide(logits[rows]), labels[rows], gradient, out, scratch(min(step, n - start)))[0]
            )
        losses = torch.cat(parts)
    if buffer is not None:
        _MEMORY.give_back(buffer)
    return losses.squeeze(-1), slopes if gradient else None


def _block_size(plan: Plan, logits: Tensor) -> int:
    """Elements of a block."""
    if not logits.is_cpu:
        return BLOCK_DEVICE
    return min(BLOCK_LARGEST, (BLOCK_ELEMENTWISE if plan.elementwise else BLOCK) * torch.get_num_threads())


# ------------------------------------------------------------------------------------------------------- autograd


@dataclass(frozen=True)
class Reduction:
    """How row losses become the result, as in cross_entropy."""

    kind: str  # none, sum or mean

    def __call__(self, losses: Tensor, scale: Tensor | None, total: Any) -> Tensor:
        """``scale`` (N,) is the weight of each row, 0 where it is ignored; a mean divides by ``total``.

        A mean over no rows is NaN with gradient 0.
        """
        if scale is not None:
            losses = losses * scale
        if self.kind == "none":
            return losses
        if self.kind == "sum":
            return losses.sum()
        if not (losses.requires_grad and isinstance(total, Tensor)):
            return losses.sum() / total
        return torch.where(total == 0, math.nan, losses.sum() / _off_zero(total))

    def of_rows(self, scale: Tensor | None, total: Any, dtype: torch.dtype) -> Any:
        """What the gradient of each row is multiplied by: (N, 1), a number, or None."""
        if scale is None:
            return 1 / total if self.kind == "mean" else None
        rows = scale.to(dtype).unsqueeze(-1)
        return rows / _off_zero(total) if self.kind == "mean" else rows


def _off_zero(total: Any) -> Any:
    """A divisor that, as a tensor, may be 0: a count, or a sum of weights."""
    if not isinstance(total, Tensor):
        return total
    return total.clamp(min=torch.finfo(total.dtype).tiny if total.is_floating_point() else 1)


def reference_losses(
    loss: Loss, logits: Tensor, label: Tensor, soft: bool, detach: bool = False, inward: bool = True
) -> Tensor:
    """Losses (N,) of rows (N, K) by the core's definition, differentiated by torch."""
    each = label_losses(loss, logits, detach_modulation=detach, inward=inward)
    return (each * label).sum(-1) if soft else each.gather(-1, label).squeeze(-1)


class Fused(torch.autograd.Function):
    """Reduced losses of rows (N, K); keeps the gradient of each row, and the logits for a second derivative."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        label: Tensor,
        scale: Tensor | None,
        total: Any,
        soft: bool,
        plan: Plan,
        reduction: Reduction,
    ) -> Tensor:
        gradient = ctx.needs_input_grad[0]
        rows = reduction.of_rows(scale, total, precision(logits)) if gradient else None
        losses, slopes = row_losses(plan, logits, _Labels(label, soft, rows), gradient)
        if gradient:
            compiling = torch.compiler.is_compiling()
            ctx.save_for_backward(logits, label, scale, *([slopes] if compiling else []))
            ctx.slopes = None if compiling else slopes
            ctx.rest = total, soft, plan, reduction
        return reduction(losses, scale, total)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, label, scale, *compiled = ctx.saved_tensors
        total, soft, plan, reduction = ctx.rest
        if torch.is_grad_enabled():  # create_graph: a second derivative will be taken
            value = reduction(reference_losses(plan.loss, logits, label, soft, plan.detach, plan.inward), scale, total)
            (slope,) = torch.autograd.grad(value, logits, upstream, create_graph=True)
            return slope, None, None, None, None, None, None
        factor = upstream if reduction.kind != "none" else upstream.unsqueeze(-1)
        if compiled:
            return (compiled[0] * factor).to(logits.dtype), None, None, None, None, None, None
        slopes, ctx.slopes = ctx.slopes, None  # given away, so that no second (N, K) tensor is needed
        if slopes is None:  # backward again, with retain_graph
            rows = reduction.of_rows(scale, total, precision(logits))
            slopes = row_losses(plan, logits, _Labels(label, soft, rows), True)[1]
        if slopes.dtype != logits.dtype:
            slopes = torch.mul(slopes, factor, out=torch.empty_like(logits))
        elif factor.dim() or not factor.is_cpu or factor != 1:  # on the CPU a look at the factor costs no waiting
            slopes.mul_(factor)
        return slopes, None, None, None, None, None, None


def fused_losses(
    plan: Plan, logits: Tensor, label: Tensor, scale: Tensor | None, total: Any, soft: bool, reduction: Reduction
) -> Tensor:
    """Reduced losses of rows (N, K) by ``Fused``; logits are clipped before, where the loss asks for it."""
    if plan.clip is not None:
        logits = clipped(wide(logits), plan.clip)
    return Fused.apply(logits, label, scale, total, soft, plan, reduction)
