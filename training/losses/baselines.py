"""Baselines of the papers' tables that are not losses on the simplex: LogitClip, label smoothing, epsilon-softmax, NLNL, LT-APL.

``build_loss("nlnl")`` and ``asymtheory train --loss nlnl`` find them by name beside the losses of the core; docs/baselines.md
lists them all, with sources and with what published code does differently. Three change what a loss is given, and so work with
any loss: ``LogitClip`` and ``EpsilonSoftmax`` change the logits, ``LabelSmoothing`` the target. ``NLNL`` follows every sample
through training. LT-APL needs a last layer of its own: :mod:`.student`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Tensor, nn

from asymtheory.asymmetry.condition import Condition
from asymtheory.errors import InputError
from asymtheory.losses import build
from asymtheory.losses.domain import Domain, above, at_least, between
from asymtheory.numbers.scalar import Scalar
from asymtheory.numbers.text import plain

from .module import RobustLoss
from .reference import clipped, precision, present, probabilities, wide

PHASES = ("NL", "SelNL", "SelPL")

_ANY = Domain(high=Fraction(1))

_SHARE = between(0, 1, low_closed=True, high_closed=True)


class BaselineLoss(nn.Module):
    """A baseline that is not a function of (u, y) on the simplex, so that the core cannot judge it."""

    title = "this baseline"

    def asymmetric_on(self, noise: Scalar) -> Condition:
        """Refused: the theory of the core is of losses on the simplex."""
        raise InputError(f"{self.title} is not a loss on the simplex: whether it is asymmetric is not defined")


class LogitClip(BaselineLoss):
    """Any loss on clipped logits: ``loss(z * min(1, tau / ||z||_2), y)``, the norm taken over the classes.

    ``loss``: a module that takes logits (N, K), (N, K, d1, ...) or (K,) and a target. tau > 0. With cross entropy it is the
    core's ``logitclip-ce``, CE+LC in JAL's tables. Source: Wei et al. 2023 (ICML); JAL Sec. 5.1.
    """

    title = "LogitClip"

    def __init__(self, loss: nn.Module, tau: Scalar = Fraction(5, 2)) -> None:
        super().__init__()
        self.loss = loss
        self.tau = float(above(0).check("logitclip", "tau", tau))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return self.loss(_over_classes(lambda z: clipped(z, self.tau), logits), target)

    def extra_repr(self) -> str:
        return f"tau={self.tau:g}"


class EpsilonSoftmax(BaselineLoss):
    """Any loss on epsilon-softmax: ``(u + m e_t) / (1 + m)`` with t = argmax u in place of u = softmax(z).

    The output is within ``sqrt(2) / (1 + m)`` of a one-hot vector, whatever the logits. It is handed to ``loss`` as logits,
    its logarithms, so that no probability is rounded to 0. m >= 0. Source: Wang et al. 2024 (NeurIPS), and its code.
    """

    title = "epsilon-softmax"

    def __init__(self, loss: nn.Module, m: Scalar = 10**5) -> None:
        super().__init__()
        self.loss = loss
        self.m = float(at_least(0).check("epsilon-softmax", "m", m))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return self.loss(_over_classes(self._sharpened, logits), target)

    def _sharpened(self, z: Tensor) -> Tensor:
        logu = torch.log_softmax(z, -1)
        top = z.argmax(-1, keepdim=True)
        largest = torch.log1p(torch.expm1(logu.gather(-1, top)) / (1 + self.m))  # (u + m)/(1 + m) = 1 - (1 - u)/(1 + m)
        return (logu - math.log1p(self.m)).scatter(-1, top, largest)

    def extra_repr(self) -> str:
        return f"m={self.m:g}"


class LabelSmoothing(BaselineLoss):
    """Any loss of the core with smoothed labels: ``(1 - r) L(u, y) + (r / K) sum_k L(u, k)``, r <= 1.

    r > 0 is label smoothing, r < 0 negative label smoothing (NLS), which is not bounded below: it rewards confidence without
    end, and its authors start it from a network trained with cross entropy. Shapes, ``weight``, ``ignore_index`` and
    ``reduction`` as in ``torch.nn.functional.cross_entropy`` with its ``label_smoothing`` (which is this for cross entropy and
    0 <= r <= 1). Source: Wei et al. 2022 (ICML), and its code.
    """

    title = "label smoothing"

    def __init__(self, r: Scalar = Fraction(1, 10), loss: str = "ce", **options: Scalar) -> None:
        super().__init__()
        self.r = float(_ANY.check("label smoothing", "r", r))
        self.reduction = options.pop("reduction", "mean")
        RobustLoss(build(loss), reduction=self.reduction)  # checks the word
        self.each = RobustLoss(build(loss), reduction="none", **options)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        K, soft = self.each._checked(logits, target)
        axis = 0 if logits.dim() == 1 else 1
        if soft:
            hard = target.to(precision(logits))
            scale = torch.ones_like(hard.select(axis, 0))
        else:
            kept = target != self.each.ignore_index
            label = torch.where(kept, target, 0).long()
            hard = torch.zeros_like(logits, dtype=precision(logits))
            try:
                hard = hard.scatter(axis, label.unsqueeze(axis), kept.to(hard).unsqueeze(axis))
            except RuntimeError:  # a label out of range
                self.each._refuse_labels(target, K)
                raise
            scale = kept.to(hard) if self.each.weight is None else kept * self.each.weight.to(hard)[label]
        smoothed = (1 - self.r) * hard + (self.r / K) * hard.sum(axis, keepdim=True)
        each = self.each._value(logits, smoothed, K, soft=True, masked=False)  # rows of ignored labels sum to 0
        if self.reduction == "none":
            return each
        return each.sum() if self.reduction == "sum" else each.sum() / scale.sum()

    def extra_repr(self) -> str:
        return f"r={self.r:g}"


class WeightedSum(BaselineLoss):
    """``alpha * first + beta * second`` of two modules; coefficients > 0."""

    def __init__(self, first: nn.Module, second: nn.Module, alpha: Scalar, beta: Scalar, title: str) -> None:
        super().__init__()
        self.first, self.second, self.title = first, second, title
        self.alpha = float(above(0).check(title, "alpha", alpha))
        self.beta = float(above(0).check(title, "beta", beta))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return self.alpha * self.first(logits, target) + self.beta * self.second(logits, target)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha:g}, beta={self.beta:g}"


def _over_classes(change: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    """A function of the last axis on logits (N, K), (N, K, d1, ...) or (K,), in float32 at least."""
    z = present(wide(logits))
    return change(z) if z.dim() <= 2 else change(z.movedim(1, -1)).movedim(-1, 1)


class NLNL(BaselineLoss):
    """Negative learning for noisy labels: says what a sample is *not*, and trusts the labels that survive it.

    A complementary label c, drawn anew at every visit among the other classes, is right more often than the given label y is.
    Three phases, a third of the run each unless told otherwise:

    * NL: every sample, ``-log(1 - u_c)``;
    * SelNL: the same for the samples whose label y has a mean probability of at least 1/K;
    * SelPL: cross entropy ``-log u_y`` for those at which it is at least ``gamma``.

    The mean is over the probabilities that the sample had in training in the last ``history`` epochs (in those it was seen in),
    and decides for a whole epoch. A class of n samples has weight n_max / n, with n_max the size of the largest. The result is
    the mean over the samples that count (in SelPL weighted), and 0 with a gradient of 0 in a batch without any.

    In a loop of your own, with the index of each sample beside its label::

        loss = NLNL()
        for epoch in range(epochs):
            loss.begin(epoch, epochs, labels)           # (N,), of the whole training set
            for x, y, index in loader:
                loss(model(x), y, index).backward()

    ``fit``, ``run`` and ``asymtheory train --loss nlnl`` do this themselves. What was seen is in the state dict, so a resumed
    run goes on as if it had not been stopped.

    ``complements``: complementary labels at a visit, drawn with replacement and summed (the authors: 1, on CIFAR-100 110);
    ``gamma`` in [0, 1]; ``selnl``, ``selpl``: the shares of the run at which these phases begin, 1 for never.

    Source: Kim et al. 2019 (ICCV), and the authors' code (main_NL.py, then main_PL.py: 720 epochs a phase at a constant rate
    of 0.02). They clamp 1 - u at 1e-5, where the gradient vanishes; here nothing is clamped.
    """

    title = "NLNL"
    record: Tensor

    def __init__(
        self,
        complements: Scalar = 1,
        gamma: Scalar = Fraction(1, 2),
        history: Scalar = 10,
        selnl: Scalar = Fraction(1, 3),
        selpl: Scalar = Fraction(2, 3),
    ) -> None:
        super().__init__()
        count = at_least(1, integer=True)
        self.complements = int(count.check("nlnl", "complements", complements))
        self.history = int(count.check("nlnl", "history", history))
        self.gamma = float(_SHARE.check("nlnl", "gamma", gamma))
        self.starts = _SHARE.check("nlnl", "selnl", selnl), _SHARE.check("nlnl", "selpl", selpl)
        if self.starts[0] > self.starts[1]:
            first, second = map(plain, self.starts)
            raise InputError(f"nlnl: selnl = {first} is after selpl = {second}; SelNL comes before SelPL")
        self.register_buffer(
            "record", torch.zeros(0, self.history)
        )  # u_y of each sample in the last epochs, NaN: not seen
        self.phase = PHASES[0]
        self.epoch = 0
        self._labels: Tensor | None = None
        self._generator: torch.Generator | None = None
        self._confidence = torch.zeros(0)  # mean of the record of every sample
        self._weights = torch.zeros(0)  # of every class

    def follow(self, labels: Tensor) -> None:
        """Make room for what is remembered of these samples; before a state dict is loaded. ``labels`` (N,), as given."""
        if labels.dim() != 1 or labels.is_floating_point():
            raise InputError(f"nlnl: integer labels (N,) are needed, got {labels.dtype} {tuple(labels.shape)}")
        self.record = torch.full((len(labels), self.history), math.nan, device=labels.device)
        self._labels = labels

    def begin(self, epoch: int, epochs: int, labels: Tensor, generator: torch.Generator | None = None) -> None:
        """Start epoch 0, ..., epochs - 1. ``generator``, on the device of the labels, draws the complementary labels."""
        if self._labels is None:
            self.follow(labels)
        elif not torch.equal(self._labels, labels):
            raise InputError(
                "nlnl: labels changed; it follows what the network makes of one label (not of redrawn ones)"
            )
        if epoch == 0:
            self.record.fill_(math.nan)  # another training with the same loss
        self.epoch, self._generator = epoch, generator
        self.phase = PHASES[sum(epoch >= start * epochs for start in self.starts)]
        counts = labels.bincount()
        self._weights = counts.max() / counts.clamp_min(1)
        self._confidence = self.record.nanmean(1)

    def forward(self, logits: Tensor, labels: Tensor, indices: Tensor) -> Tensor:
        """The loss of a batch: logits (n, K), given labels (n,), and where the samples are in the training set (n,)."""
        if logits.dim() != 2 or labels.shape != logits.shape[:1] or indices.shape != labels.shape:
            shapes = ", ".join(str(tuple(x.shape)) for x in (logits, labels, indices))
            raise InputError(f"nlnl: logits (n, K), labels (n,) and indices (n,) are needed, got {shapes}")
        if not len(self._weights):
            raise InputError("nlnl: begin(epoch, epochs, labels) comes before the first batch of an epoch")
        n, K = logits.shape
        at = probabilities(wide(logits))
        own = at.logu.gather(1, labels[:, None])[:, 0]
        least = self.gamma if self.phase == "SelPL" else 0.0 if self.phase == "NL" else 1 / K
        weights = self._weights[labels].to(own.dtype)
        kept = (~(self._confidence[indices] < least)).to(own.dtype)  # nothing is held against a sample never seen
        self.record[indices, self.epoch % self.history] = own.detach().exp().float()
        if self.phase == "SelPL":
            return -(weights * kept * own).sum() / (weights * kept).sum().clamp_min(1)  # every weight is at least 1
        apart = torch.randint(1, K, (n, self.complements), generator=self._generator, device=labels.device)
        negative = at.log_rest.gather(1, (labels[:, None] + apart) % K).sum(1)
        return -(weights * kept * negative).sum() / kept.sum().clamp_min(1)

    def extra_repr(self) -> str:
        starts = ", ".join(
            f"{name}={plain(start)}" for name, start in zip(("selnl", "selpl"), self.starts, strict=True)
        )
        return f"complements={self.complements}, gamma={self.gamma:g}, history={self.history}, {starts}"
