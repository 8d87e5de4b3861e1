"""GJS: the generalised Jensen-Shannon divergence of the label and the predictions for several views of a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from asymtheory.errors import InputError
from asymtheory.losses import between
from asymtheory.numbers.scalar import Scalar

from .baselines import BaselineLoss
from .fused import Reduction
from .module import REDUCTIONS, described
from .reference import present, wide

OPEN_UNIT = between(0, 1, low_closed=False, high_closed=False)


class GJS(BaselineLoss):
    """``(H(m) - sum_j pi_j H(u_j)) / Z`` of views u_1, ..., u_M of a sample, ``m = pi1 e_y + sum_j pi_j u_j``.

    H is the entropy, ``pi_j = (1 - pi1)/M`` and ``Z = -(1 - pi1) log(1 - pi1)``, 0 < pi1 < 1. It is small where the views agree
    with the label and with each other: with M = 1 it is the core's ``js``, with M views of one and the same u too.

    Call it with the logits of M >= 2 views, a sequence of tensors (N, K) or one tensor (M, N, K), and integer labels (N,)::

        loss = build_loss("gjs", pi1=0.5)
        loss([model(weak(x)), model(strong(x))], y).backward()

    ``ignore_index`` and ``reduction`` ("none": one value a sample) as in ``cross_entropy``; at least float32. The consistency of
    views is not a function of one u, so no threshold is defined for it; for equal views that of ``js`` holds: never while w_n > 0.
    Source: Englesson & Azizpour 2021 (NeurIPS); the text was not at hand, the formula is its definition.
    """

    title = "GJS"

    def __init__(self, pi1: Scalar = Fraction(1, 2), *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__()
        self.pi1 = float(OPEN_UNIT.check("gjs", "pi1", pi1))
        if reduction not in REDUCTIONS:
            raise InputError(f"reduction {reduction!r} is not one of {', '.join(REDUCTIONS)}")
        self.ignore_index, self.reduction = int(ignore_index), reduction

    def forward(self, views: Sequence[Tensor] | Tensor, target: Tensor) -> Tensor:
        """The loss of the logits of all views."""
        logits = self._checked(views, target)
        kept = target != self.ignore_index
        label = torch.where(kept, target, 0).long().unsqueeze(-1)
        logu = torch.log_softmax(present(wide(logits)), -1)  # (M, N, K)
        u = logu.exp()
        share = (1 - self.pi1) / len(logits)
        mean = u.sum(0) * share
        mean = mean.scatter_add(-1, label, torch.full_like(mean[:, :1], self.pi1))
        entropies = _entropy(mean, _safe_log(mean)) - share * _entropy(u, logu).sum(0)
        each = entropies / -((1 - self.pi1) * math.log1p(-self.pi1)) * kept
        return Reduction(self.reduction)(each.unsqueeze(-1), kept.unsqueeze(-1))

    def _checked(self, views: Sequence[Tensor] | Tensor, target: Tensor) -> Tensor:
        """The logits (M, N, K), or InputError."""
        if isinstance(views, Tensor) and views.dim() != 3:
            raise InputError(
                "gjs compares several views of each sample: logits [(N, K), (N, K), ...] or (M, N, K) are needed, got "
                f"{described(views)} (asymtheory train makes one view; js is the loss of one)"
            )
        shapes = {tuple(view.shape) for view in views}
        if len(shapes) != 1 or len(views) < 2:
            raise InputError(f"gjs: at least two views (N, K) of one shape are needed, got {len(views)}: {shapes}")
        logits = views if isinstance(views, Tensor) else torch.stack(tuple(views))
        if logits.dim() != 3 or not logits.is_floating_point() or logits.shape[-1] < 2:
            raise InputError(f"gjs: floating-point logits (N, K) of each view are needed, got {described(logits[0])}")
        if target.shape != logits.shape[1:2] or target.is_floating_point():
            raise InputError(f"gjs: integer labels ({logits.shape[1]},) are needed, got {described(target)}")
        K = logits.shape[-1]
        if target.is_cpu and bool((((target < 0) | (target >= K)) & (target != self.ignore_index)).any()):
            raise InputError(f"gjs: a label is outside 0..{K - 1} (ignore_index is {self.ignore_index})")
        return logits

    def extra_repr(self) -> str:
        return f"pi1={self.pi1:g}"


def _safe_log(x: Tensor) -> Tensor:
    """log x, and 0 with no gradient where x is 0: x log x is 0 there."""
    return torch.where(x > 0, x, 1).log()


def _entropy(u: Tensor, logu: Tensor) -> Tensor:
    return -(u * logu).sum(-1)
