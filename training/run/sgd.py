"""Stochastic gradient descent as the loop steps it, and clipped gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from asymtheory.jsonlines import Json, JsonValue

from .config import Settings


def clipped(gradients: list[Tensor], limit: float) -> Tensor:
    """The norm of all gradients together; where it is larger than ``limit`` they are scaled down to that, in place."""
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    # on a CPU reading the norm costs nothing and mostly spares a pass over the gradients; a GPU would have to wait
    if norm.item() > limit if norm.device.type == "cpu" else limit < math.inf:
        torch._foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp(max=1.0))  # as torch.nn.utils has it
    return norm


class SGD:
    """Gradient descent with momentum, as the settings have it; weights that have no gradient are left as they are.

        v <- momentum v + g + decay w,    w <- w - rate v    (Nesterov: w - rate (g + decay w + momentum v))

    g: the gradient, for an L1 norm with strength * sign(w) added, then clipped; decay: the strength of an L2 norm.

    It is torch's own fused step, called without ``torch.optim.SGD`` around it: that takes a tenth of a small model's step, and
    cannot begin with a weight whose first gradient comes late (TypeError).
    """

    def __init__(self, weights: Sequence[Tensor], settings: Settings) -> None:
        self.weights = list(weights)
        self.settings = settings
        self.rate = settings.rate
        self.fused = all(weight.device.type in ("cpu", "cuda") for weight in self.weights)
        self.velocities: list[Tensor | None] = [
            torch.zeros_like(weight) if settings.momentum else None for weight in self.weights
        ]

    def start(self, rate: float) -> None:
        """The learning rate of the next epoch."""
        self.rate = rate

    def finish(self, loss: float) -> None:
        """The end of an epoch: nothing, for the rate comes from outside."""

    @torch.no_grad()
    def step(self, clip: Callable[[list[Tensor]], Tensor]) -> Tensor:
        """A step along the gradients, which are then gone; what ``clip`` returns, which is given them and may scale them."""
        settings, weights, gradients, velocities = self.settings, [], [], []
        for weight, velocity in zip(self.weights, self.velocities, strict=True):
            gradient = weight.grad
            if gradient is not None:
                weights.append(weight)
                gradients.append(gradient)
                velocities.append(velocity)
                weight.grad = None
        # published code has the L1 norm inside the loss, so its gradient is clipped too
        if settings.regularisation == "l1":
            torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=settings.strength)
        norm = clip(gradients)
        sgd(
            weights,
            gradients,
            velocities,
            lr=self.rate,
            momentum=settings.momentum,
            dampening=0.0,
            nesterov=settings.nesterov,
            weight_decay=settings.strength if settings.regularisation == "l2" else 0.0,
            maximize=False,
            fused=self.fused,
        )
        return norm

    def state_dict(self) -> Json:
        """The velocities, as ``torch.optim.SGD`` has them in its own."""
        return {"state": {i: {"momentum_buffer": v} for i, v in enumerate(self.velocities) if v is not None}}

    def load_state_dict(self, state: Mapping[str, JsonValue]) -> None:
        """Copy what a state dict holds; ValueError for one of other weights."""
        for place, velocity in enumerate(self.velocities):
            kept = state["state"].get(place, {}).get("momentum_buffer")
            if velocity is None:
                continue
            if kept is None:  # of a weight whose first gradient is still to come
                velocity.zero_()
                continue
            if kept.shape != velocity.shape:  # copied as it is: nothing is spread over a larger weight
                raise ValueError(f"the velocity of weight {place} has the shape {tuple(kept.shape)}")
            velocity.copy_(kept)


class StackedSGD(SGD):
    """The same for weights (M, ...) of M models, each with a learning rate and a strength of the regularisation of its own.

    ``rates``, ``strengths``: (M, 1, 1). The rate of the settings is a factor of all rates.
    """

    def __init__(self, weights: Sequence[Tensor], settings: Settings, rates: Tensor, strengths: Tensor) -> None:
        super().__init__(weights, settings)
        self.rates, self.strengths = rates, strengths

    @torch.no_grad()
    def step(self, clip: Callable[[list[Tensor]], Tensor]) -> Tensor:
        settings, gradients = self.settings, []
        for weight in self.weights:
            assert weight.grad is not None
            gradients.append(weight.grad)
            weight.grad = None
        if settings.regularisation == "l1":
            for weight, gradient in zip(self.weights, gradients, strict=True):
                gradient.addcmul_(weight.sign(), self.strengths)
        norm = clip(gradients)
        for weight, gradient, velocity in zip(self.weights, gradients, self.velocities, strict=True):
            if settings.regularisation == "l2":
                gradient.addcmul_(weight, self.strengths)
            if velocity is not None:
                velocity.mul_(settings.momentum).add_(gradient)
                gradient = gradient.add_(velocity, alpha=settings.momentum) if settings.nesterov else velocity
            weight.addcmul_(gradient, self.rates, value=-self.rate)
        return norm
