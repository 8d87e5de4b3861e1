"""Truncated GCE with a weight for every sample: samples that lose more than the cut-off are left out for some epochs."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor

from asymtheory.errors import InputError
from asymtheory.losses import at_least, between
from asymtheory.losses.domain import Domain
from asymtheory.numbers.scalar import Scalar
from asymtheory.numbers.text import plain

from .baselines import BaselineLoss
from .reference import probabilities, wide

OPEN_UNIT = between(0, 1, low_closed=False, high_closed=False)
Q = between(0, 1, low_closed=False, high_closed=True)
SHARE = Domain(Fraction(0), Fraction(1))


class PrunedGCE(BaselineLoss):
    """``w_i (L_q(u_i) - L_q(k))`` with ``L_q(u) = (1 - u_y^q)/q`` and a weight w_i in {0, 1} for every sample.

    For fixed predictions the weights that minimise the sum are 1 where ``L_q(u_i) <= L_q(k)``, that is ``u_y >= k``, which makes it
    the core's ``truncated-gce`` less a constant. Weights and network are minimised in turn: from the share ``start`` of the
    run on, every ``every`` epochs the weights are set anew, by the probability that each sample had when it was last seen in
    training. Before that all weights are 1. ``L_q(k)`` is a constant for the network, and is left out of the value.

    In a loop of your own call ``begin(epoch, epochs, labels)`` before every epoch and ``loss(logits, labels, indices)`` in it;
    ``fit``, ``run`` and ``asymtheory train --loss pruned-gce`` do so themselves, and a resumed run goes on with its weights. The
    result is the weighted mean over a batch, 0 where every sample is left out.

    Source: Zhang & Sabuncu 2018 (NeurIPS), Sec. 3.3 (text not at hand), and public code: weights from epoch 40 of 120, every 10
    epochs. They are set there by a pass over the training set with the best network so far; here by what was seen on the way.
    """

    title = "pruned GCE"
    last: Tensor
    weights: Tensor

    def __init__(
        self,
        q: Scalar = Fraction(7, 10),
        k: Scalar = Fraction(1, 2),
        start: Scalar = Fraction(1, 3),
        every: Scalar = 10,
    ) -> None:
        super().__init__()
        self.q = float(Q.check("pruned-gce", "q", q))
        self.k = float(OPEN_UNIT.check("pruned-gce", "k", k))
        self.start = SHARE.check("pruned-gce", "start", start)
        self.every = int(at_least(1, integer=True).check("pruned-gce", "every", every))
        self.register_buffer("last", torch.zeros(0))  # u_y of each sample when it was last seen, NaN: never
        self.register_buffer("weights", torch.zeros(0))
        self._labels: Tensor | None = None

    def follow(self, labels: Tensor) -> None:
        """Make room for what is remembered of these samples; before a state dict is loaded. ``labels`` (N,), as given."""
        if labels.dim() != 1 or labels.is_floating_point():
            raise InputError(f"pruned-gce: integer labels (N,) are needed, got {labels.dtype} {tuple(labels.shape)}")
        self.last = torch.full((len(labels),), math.nan, device=labels.device)
        self.weights = torch.ones(len(labels), device=labels.device)
        self._labels = labels

    def begin(self, epoch: int, epochs: int, labels: Tensor, generator: torch.Generator | None = None) -> None:
        """Start epoch 0, ..., epochs - 1; nothing is drawn from ``generator``."""
        if self._labels is None:
            self.follow(labels)
        elif not torch.equal(self._labels, labels):
            raise InputError("pruned-gce: labels changed; it follows the loss of one label (not of redrawn ones)")
        if epoch == 0:  # another training with the same loss
            self.last.fill_(math.nan)
            self.weights.fill_(1)
        first = math.ceil(self.start * epochs)
        if epoch > 0 and epoch >= first and (epoch - first) % self.every == 0:
            self.weights = (~(self.last < self.k)).to(self.weights)  # nothing is held against a sample never seen

    def forward(self, logits: Tensor, labels: Tensor, indices: Tensor) -> Tensor:
        """The loss of a batch: logits (n, K), given labels (n,), and where the samples are in the training set (n,)."""
        if logits.dim() != 2 or labels.shape != logits.shape[:1] or indices.shape != labels.shape:
            shapes = ", ".join(str(tuple(x.shape)) for x in (logits, labels, indices))
            raise InputError(f"pruned-gce: logits (n, K), labels (n,) and indices (n,) are needed, got {shapes}")
        if not len(self.weights):
            raise InputError("pruned-gce: begin(epoch, epochs, labels) comes before the first batch of an epoch")
        logu = probabilities(wide(logits)).logu.gather(1, labels[:, None])[:, 0]
        self.last[indices] = logu.detach().exp().float()
        weights = self.weights[indices].to(logu.dtype)
        return (weights * -torch.expm1(logu * self.q) / self.q).sum() / weights.sum().clamp_min(1)

    def extra_repr(self) -> str:
        return f"q={self.q:g}, k={self.k:g}, start={plain(self.start)}, every={self.every}"
