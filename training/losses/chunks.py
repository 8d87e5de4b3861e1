"""One pass over the last linear layer and a loss on its logits, in chunks of rows: the losses and all gradients.

A chunk's logits ``h W^T + b`` are made in one buffer (rows, K). Blocks of a few rows, which stay in the cache, are overwritten
with the gradient of their losses (``fused``), and two products use it up: ``g W`` for the states, ``g^T h``, summed over
chunks, for the layer. What a row is multiplied by goes into what is thin, (rows, d), never into (rows, K).

Where the type of the layer is not that of the logits, products are made in blocks of the vocabulary, whose copies are small.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from asymtheory.errors import InputError

from .fused import BLOCK, BLOCK_LARGEST, Labels, absent_classes, block, off_zero, reference_losses
from .module import RobustLoss
from .reference import ABSENT, precision, unit_of

LEAST_ROWS = 128  # of a chunk: products of fewer rows are slower
MEMORY_PART = 16  # a chunk takes at most one part in so many of the memory
ROOM = 0.15  # temporaries beside a chunk, in chunks

At = slice | Tensor  # rows of (N, d): a range, or positions


@dataclass(frozen=True, eq=False)
class Job:
    """What stays from batch to batch."""

    number: int
    robust: RobustLoss
    soft: bool  # are the labels probabilities?
    shift: int  # position t is trained on the label of t + shift
    statistics: bool
    chunk: int | None  # rows, or None: they are chosen
    products: torch.dtype | None  # the type in which matrices are multiplied, or None: that of the logits


@dataclass(slots=True)
class Pass:
    """What one pass finds of N rows. Gradients not asked for are None; float16 ones are still float32, for loss scaling."""

    losses: Tensor  # (N,), each times the weight of its label
    total: Tensor  # number of labels that count, or the sum of their weights
    tokens: list[Tensor]  # loss, probability, entropy (N,), or nothing
    gradients: list[Tensor | None]  # of hidden, weight, bias


def chunk_rows(n: int, d: int, K: int, item: int, device: torch.device) -> int:
    """Rows of a chunk: half of d, so its logits take half the memory of the layer's gradient; chunks of one size, nearly."""
    most = max(1, _memory(device) // MEMORY_PART // (K * item))
    rows = min(max(LEAST_ROWS, d // 2), most)
    return max(1, -(-n // max(1, -(-n // rows))))


def _memory(device: torch.device) -> int:
    """Bytes of memory that the device has."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return 2**33


def one_pass(
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
    """Losses of hidden (N, d) on labels (N,) or (N, K) with weights ``scale`` (N,), and the gradients that are asked for.

    Labels are shifted along an axis of ``length``. Gradients are of the losses' sum or, for the reduction "mean", of their
    mean; with ``upstream`` (N,) of the sum of its products with the losses.
    """
    wide, (n, d), K = precision(hidden), hidden.shape, len(weight)
    rows = _Rows(job, len(weight), target, scale, length, wide)
    total = rows.total()
    losses = torch.zeros(n, dtype=wide, device=hidden.device)
    tokens = [torch.full_like(losses, torch.nan) for _ in range(3 * job.statistics)]
    factor = None
    if any(wanted):
        factor = rows.weights(job.robust.reduction == "mean" and upstream is None, total, upstream)
    step = job.chunk or chunk_rows(rows.count, d, K, wide.itemsize, hidden.device)
    layer = _Layer(job, hidden, weight, bias, wanted, min(step, rows.count))
    logits = torch.empty(min(step, rows.count), K, dtype=wide, device=hidden.device)
    overwrite = _overwriter(job, logits)
    for start in range(0, rows.count, step):
        part = slice(start, min(start + step, rows.count))
        at = rows.positions(part)
        h, z = hidden[at], logits[: part.stop - start]
        layer.multiply(h, z)
        found = overwrite(z, partial(rows.labels, start), factor is not None)
        losses[at] = found[0] if rows.scale is None else found[0] * rows.scale[part]
        for kept, own in zip(tokens, found, strict=False):
            kept[at] = own
        if factor is not None:
            layer.multiply_back(z, h, factor[part], at)
    return Pass(losses, total, tokens, layer.finished())


# ------------------------------------------------------------------------------------------------ rows that count


class _Rows:
    """The rows whose labels count, in order, with their labels and weights."""

    def __init__(self, job: Job, K: int, target: Tensor, scale: Tensor | None, length: int, wide: torch.dtype) -> None:
        n, shift = len(target), job.shift
        counts = None
        if shift:
            counts = torch.arange(n, device=target.device) % max(length, 1) < length - shift
        if not job.soft:
            others = target.roll(-shift) != job.robust.ignore_index
            counts = others if counts is None else counts & others
        self.index = None if counts is None or bool(counts.all()) else counts.nonzero().squeeze(-1)
        self.count = n if self.index is None else len(self.index)
        own = None if self.index is None else self.index + shift  # positions of labels
        self.soft, self.target, self._own = job.soft, target, own
        if not job.soft:
            self.target = (target if own is None else target[own]).long().unsqueeze(-1)
            _refuse_labels(self.target, job, K)
        self.scale = None if scale is None else (scale if own is None else scale[own]).to(wide)
        self.device, self.wide = target.device, wide

    def positions(self, part: slice) -> At:
        return part if self.index is None else self.index[part]

    def labels(self, start: int, inner: slice) -> Labels:
        """The labels of a block ``inner`` of the chunk that begins with row ``start``."""
        part = slice(start + inner.start, start + inner.stop)
        if not self.soft:
            return Labels(self.target[part], False)
        return Labels(self.target[part if self._own is None else self._own[part]].to(self.wide), True)

    def total(self) -> Tensor:
        if self.scale is not None:
            return self.scale.sum()
        return torch.tensor(float(self.count), dtype=self.wide, device=self.device)

    def weights(self, mean: bool, total: Tensor, upstream: Tensor | None) -> Tensor:
        """What the gradient of each row is multiplied by."""
        found = torch.ones(self.count, dtype=self.wide, device=self.device) if self.scale is None else self.scale
        if upstream is not None:
            found = found * (upstream if self.index is None else upstream[self.index])
        return found / off_zero(total) if mean else found


def _refuse_labels(labels: Tensor, job: Job, K: int) -> None:
    """Refuse labels that are not classes, on the CPU alone.

    A look at a GPU's labels would have to wait for it, and its own assertion stops the program.
    """
    if not labels.is_cpu or not len(labels):
        return
    wrong = labels[(labels < 0) | (labels >= K)]
    if len(wrong):
        what = f"label {wrong[0].item()} is outside 0..{K - 1} ({len(wrong)} such labels"
        raise InputError(f"{what}; ignore_index is {job.robust.ignore_index})")


# ------------------------------------------------------------------------------------------------------ the layer


class _Layer:
    """The products with the weight (K, d), and the sums of gradients over chunks."""

    def __init__(
        self,
        job: Job,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        wanted: tuple[bool, bool, bool],
        rows: int,
    ) -> None:
        self.weight, self.bias, self.wide = weight, bias, precision(hidden)
        self.products = job.products or self.wide
        self.direct = self.products == self.wide == weight.dtype
        K, d = weight.shape
        columns = K if self.direct else max(1, int(ROOM / 4 * rows * K / (rows + d)))
        self.columns = [slice(k, min(k + columns, K)) for k in range(0, K, columns)]
        self.started = False  # are there sums?
        self.of_hidden, self.of_weight, self.of_bias = None, None, None
        if wanted[0]:  # rows that do not count keep 0
            kind = self.wide if hidden.dtype == torch.float16 else hidden.dtype
            self.of_hidden = torch.zeros(hidden.shape, dtype=kind, device=hidden.device)
        if wanted[1]:
            self.of_weight = torch.empty(K, d, dtype=self.wide, device=weight.device)
        if wanted[2]:
            self.of_bias = torch.zeros(K, dtype=self.wide, device=weight.device)

    def multiply(self, h: Tensor, out: Tensor) -> None:
        """``h W^T + b`` in ``out``."""
        h = h.to(self.products)
        for k in self.columns:
            w = self.weight[k].to(self.products)
            if self.products != self.wide:
                out[:, k] = torch.mm(h, w.t())
            elif self.bias is None:
                torch.mm(h, w.t(), out=out[:, k])
            else:
                torch.addmm(self.bias[k].to(self.wide), h, w.t(), out=out[:, k])
        if self.bias is not None and self.products != self.wide:
            out.add_(self.bias)

    def multiply_back(self, slopes: Tensor, h: Tensor, factor: Tensor, at: At) -> None:
        """Gradients from that of each row's own loss in its logits (rows, K); ``factor`` (rows,) multiplies rows."""
        if self.of_hidden is not None:
            self._add_to_hidden(slopes, factor, at)
        if self.of_weight is not None:
            scaled = (h.to(self.wide) * factor.unsqueeze(-1)).to(self.products)
            for k in self.columns:
                into = self.of_weight[k]
                if self.products != self.wide:
                    product = torch.mm(slopes[:, k].to(self.products).t(), scaled)
                    into = into.add_(product) if self.started else into.copy_(product)
                else:
                    torch.addmm(into, slopes[:, k].t(), scaled, beta=int(self.started), out=into)
            self.started = True
        if self.of_bias is not None:
            self.of_bias.addmv_(slopes.t(), factor)

    def _add_to_hidden(self, slopes: Tensor, factor: Tensor, at: At) -> None:
        assert self.of_hidden is not None
        if self.direct and isinstance(at, slice) and self.of_hidden.dtype == self.wide:
            torch.mm(slopes, self.weight, out=self.of_hidden[at]).mul_(factor.unsqueeze(-1))
            return
        total = torch.zeros(len(slopes), self.weight.shape[1], dtype=self.wide, device=slopes.device)
        for k in self.columns:
            w = self.weight[k].to(self.products)
            if self.products != self.wide:
                total += torch.mm(slopes[:, k].to(self.products), w)
            else:
                total.addmm_(slopes[:, k], w)
        self.of_hidden[at] = total.mul_(factor.unsqueeze(-1)).to(self.of_hidden.dtype)

    def finished(self) -> list[Tensor | None]:
        if self.of_weight is not None and not self.started:
            self.of_weight.zero_()
        return [
            self.of_hidden,
            _unless_float16(self.of_weight, self.weight),
            None if self.bias is None else _unless_float16(self.of_bias, self.bias),
        ]


def _unless_float16(x: Tensor | None, like: Tensor) -> Tensor | None:
    return x if x is None or like.dtype == torch.float16 else x.to(like.dtype)


# -------------------------------------------------------------------------------------------------- blocks of rows

Overwrite = Callable[[Tensor, Callable[[slice], Labels], bool], list[Tensor]]


def _overwriter(job: Job, chunk: Tensor) -> Overwrite:
    """A function that overwrites logits of up to a chunk's rows with the gradient of their losses.

    It returns the losses (n,) and, where statistics are wanted, the probabilities of the labels and the entropies.
    """
    plan, robust = job.robust.plan(chunk.shape[1]), job.robust
    scratch_tensors = 0 if plan is None else plan.temporaries
    others = 20 if plan is None else 5 * len(plan.passive) + 2 * (plan.clip is not None)
    rows = _rows_in_a_block(chunk, scratch_tensors + others + 2 * job.soft + 3 * job.statistics)
    buffer = chunk.new_empty(scratch_tensors, rows, chunk.shape[1])

    def losses(z: Tensor, labels: Labels, gradient: bool) -> Tensor:
        if plan is None:
            with torch.enable_grad():
                own = z.clone().requires_grad_(gradient)
                each = reference_losses(
                    robust.loss, own, labels.given, labels.soft, robust.detach_modulation, robust.inward
                )
                if gradient:
                    z.copy_(torch.autograd.grad(each.sum(), own)[0])
            return each.detach()
        scratch = (*(x[: len(z)] for x in buffer), None, None, None)[:3]
        if plan.clip is None:
            return block(plan, z, labels, gradient, z, scratch)[0]
        absent = absent_classes(z)
        if absent is not None:
            z.masked_fill_(absent, ABSENT)
        unit = unit_of(z)
        squares = (z.div_(unit) ** 2).sum(-1, keepdim=True)
        most = (plan.clip / unit) ** 2
        shrink = plan.clip * torch.rsqrt(squares.clamp_min(most))
        each, slopes = block(plan, z.mul_(shrink), labels, gradient, torch.empty_like(z), scratch)
        if gradient:  # of z * clip / |z|, where it is clipped
            along = (slopes * z).sum(-1, keepdim=True) / plan.clip**2
            z.mul_(along.neg_() * (squares > most)).add_(slopes).mul_(shrink / unit)
            if absent is not None:
                z.masked_fill_(absent, 0.0)
        return each

    def overwrite(z: Tensor, labels: Callable[[slice], Labels], gradient: bool) -> list[Tensor]:
        found: list[list[Tensor]] = []
        for start in range(0, len(z), rows):
            part = slice(start, min(start + rows, len(z)))
            own = labels(part)
            told = _told(z[part], own) if job.statistics else []
            found.append([losses(z[part], own, gradient), *told])
        return [torch.cat(column).squeeze(-1) for column in zip(*found, strict=True)]

    return overwrite


def _told(z: Tensor, labels: Labels) -> list[Tensor]:
    """Probability of the label (n, 1) and entropy of the row (n, 1)."""
    u = torch.softmax(z, -1)
    return [labels.expected(labels.of(u)), torch.special.entr(u).sum(-1, keepdim=True)]


def _rows_in_a_block(chunk: Tensor, temporaries: int) -> int:
    """The rows of a block: as many as stay in the cache, and as few as keep temporaries to their share of the chunk's memory."""
    n, K = chunk.shape
    most = min(BLOCK_LARGEST, BLOCK * torch.get_num_threads()) // K if chunk.is_cpu else n
    rows = max(1, min(n, most, int(ROOM * n / max(temporaries, 1))))
    threads = torch.get_num_threads()
    return rows - rows % threads if chunk.is_cpu and rows > threads else rows
