"""Robust losses on preferences: two answers, of which one was chosen, and perhaps by mistake.

A margin m, of rewards or of log-ratios as in DPO, is the two logits (m, 0) of "the chosen answer is better": its
probability is sigmoid(m), and every loss of the core is one on K = 2 classes. Flipped preferences are symmetric label noise.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError
from asymtheory.losses import Loss, build
from asymtheory.noise import NoiseModel, symmetric
from asymtheory.numbers.text import Number, as_number
from asymtheory.threshold import Threshold, solve

from .build import build_loss
from .module import RobustLoss, described
from .reference import precision, present, wide


def preference_loss(
    margin: Tensor,
    preference: Tensor | float | None = None,
    *,
    loss: str | Loss = "agce",
    eta: Number | None = None,
    reduction: str = "mean",
    **parameters: Any,
) -> Tensor:
    """``PreferenceLoss(loss, eta=eta, reduction=reduction, **parameters)(margin, preference)``.

    preference_loss(0.1 * (chosen_log_ratio - rejected_log_ratio), loss="agce", a=0.2, q=0.6, eta=0.3)
    """
    return PreferenceLoss(loss, eta=eta, reduction=reduction, **parameters)(margin, preference)


def preference_threshold(
    loss: str | Loss = "agce", eta: Number = 0.2, parameter: str | None = None, **parameters: Any
) -> Threshold:
    """The values of a parameter (default: the loss's main one) for which the loss is asymmetric with a share eta of flipped pairs.

    With these the expected loss falls as the margin grows for the better answer, so that training does not stop at a
    margin that speaks of doubt. Asks the core: ``solve`` on two classes with weights (1 - eta, eta). Raises InputError for unknown
    losses and parameters, and for eta outside [0, 1/2).
    """
    core = loss.replace(**parameters) if isinstance(loss, Loss) else build(loss, **parameters)
    return solve(core, _flipped(eta), parameter)


def _flipped(eta: Number) -> NoiseModel:
    if not 0 <= as_number(eta, lambda: "eta") < 1 / 2:
        raise InputError(f"eta = {eta} is not a share of flipped preferences in [0, 1/2)")
    return symmetric(2, eta)


class PreferenceLoss(nn.Module):
    """A loss on margins: that of ``build_loss`` on the logits (margin, 0) with the first class as label.

    Call it with margins of any shape, ``r(chosen) - r(rejected)`` of a reward model, or for DPO
    ``beta * (log p(chosen) / p_0(chosen) - log p(rejected) / p_0(rejected))``, and, if it is not certain, with the
    probability in [0, 1] that the chosen answer is better: a number or a tensor of the shape of the margins. "ce" is then
    DPO's loss (with ``preference=1 - epsilon`` that of conservative DPO), "unhinged" and "mae" are linear in sigmoid(margin).

    With ``eta``, the share of pairs that were chosen the wrong way, a parameter at which the loss is not asymmetric gives a
    BelowThreshold warning that names the threshold (:func:`preference_threshold`). Options are those of ``build_loss``.

    Returns a scalar, or for reduction "none" one value a pair, in float32 at least. Raises InputError for what does not fit.
    """

    def __init__(
        self, loss: str | Loss = "agce", *, eta: Number | None = None, reduction: str = "mean", **parameters: Any
    ) -> None:
        super().__init__()
        noise = None if eta is None else _flipped(eta)
        robust = build_loss(loss, noise=noise, reduction=reduction, **parameters)
        if not isinstance(robust, RobustLoss):
            raise InputError(f"{robust} is not a loss of the softmax alone, so it is not one of a margin")
        self.robust = robust

    def forward(self, margin: Tensor, preference: Tensor | float | None = None) -> Tensor:
        """The loss of the margins."""
        if not margin.is_floating_point():
            raise InputError(f"margin: a floating-point tensor is needed, got {described(margin)}")
        z = -present(-wide(margin))  # +inf is a class that is not there, as -inf is
        logits = torch.stack([z, torch.zeros_like(z)], -1).reshape(-1, 2)
        if preference is None:
            target = torch.zeros(len(logits), dtype=torch.int64, device=margin.device)
        else:
            first = torch.as_tensor(preference, dtype=precision(margin), device=margin.device)
            if first.dim() and first.shape != margin.shape:
                raise InputError(
                    f"preference: a number or a tensor {tuple(margin.shape)} is needed, got {described(first)}"
                )
            if first.is_cpu and not torch.compiler.is_compiling() and bool(((first < 0) | (first > 1)).any()):
                raise InputError("preference: a probability is outside [0, 1]")
            first = first.expand(margin.shape).reshape(-1)
            target = torch.stack([first, 1 - first], -1)
        value = self.robust(logits, target)
        return value.reshape(margin.shape) if self.robust.reduction == "none" else value
