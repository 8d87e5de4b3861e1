"""What the loop asks of an optimiser, and one of the user's own behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue

T = TypeVar("T")

Clip: TypeAlias = Callable[[list[Tensor]], Tensor]


class Optimiser(Protocol):
    """Steps along the gradients of its weights: :class:`.sgd.SGD`, or :class:`OwnOptimiser`."""

    @property
    def rate(self) -> float: ...

    def start(self, rate: float) -> None:
        """An epoch begins, for which the settings ask for this rate."""

    def step(self, clip: Clip) -> Tensor:
        """A step; ``clip`` gets the gradients, may scale them in place, and returns their norm."""
        ...

    def finish(self, loss: float) -> None:
        """An epoch of this mean loss is over."""

    def state_dict(self) -> Json: ...

    def load_state_dict(self, state: Mapping[str, JsonValue]) -> None: ...


MakeOptimiser: TypeAlias = Optimizer | Callable[[Sequence[Tensor]], Optimizer]
MakeScheduler: TypeAlias = LRScheduler | Callable[[Optimizer], LRScheduler]


class OwnOptimiser:
    """A torch optimiser and, perhaps, its scheduler: instances, or what makes them of the weights and of the optimiser.

    The scheduler steps at the end of every epoch, or of every step with ``every="step"``; a ReduceLROnPlateau is given the
    mean loss of the epoch. InputError for anything else, and for an optimiser that has none of the model's weights.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        optimiser: MakeOptimiser,
        scheduler: MakeScheduler | None = None,
        every: str = "epoch",
    ) -> None:
        self.optimiser = _made(optimiser, weights, Optimizer, "optimiser", "torch.optim.AdamW")
        if isinstance(self.optimiser, torch.optim.LBFGS):
            raise InputError("optimiser LBFGS evaluates the loss several times a step, which this loop does not")
        own = {id(weight) for weight in weights}
        self.weights = [weight for group in self.optimiser.param_groups for weight in group["params"]]
        if not any(id(weight) in own for weight in self.weights):
            raise InputError(
                "optimiser: it has none of the model's weights; make it of model.parameters(), or give its class"
            )
        kind = LRScheduler
        example = "lambda optimiser: torch.optim.lr_scheduler.StepLR(optimiser, 10)"
        self.scheduler = None if scheduler is None else _made(scheduler, self.optimiser, kind, "scheduler", example)
        if self.scheduler is not None and self.scheduler.optimizer is not self.optimiser:
            raise InputError("scheduler: it belongs to another optimiser than the one that is given")
        if isinstance(self.scheduler, ReduceLROnPlateau) and every == "step":
            raise InputError(
                'scheduler ReduceLROnPlateau looks at the loss of an epoch: scheduler_every="epoch" is needed'
            )
        self.every = every

    @property
    def rate(self) -> float:
        """The learning rate now, of the first group of weights."""
        return float(self.optimiser.param_groups[0]["lr"])

    def start(self, rate: float) -> None:
        """Nothing: the rate is the optimiser's own."""

    def step(self, clip: Clip) -> Tensor:
        """A step along the gradients, which are then gone; what ``clip`` returns, which is given them and may scale them."""
        norm = clip([weight.grad for weight in self.weights if weight.grad is not None])
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.scheduler is not None and self.every == "step":
            self.scheduler.step()
        return norm

    def finish(self, loss: float) -> None:
        """A step of the scheduler, where it is one of epochs."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(loss)
        elif self.scheduler is not None and self.every == "epoch":
            self.scheduler.step()

    def state_dict(self) -> Json:
        scheduler = None if self.scheduler is None else self.scheduler.state_dict()
        return {"optimiser": self.optimiser.state_dict(), "scheduler": scheduler}

    def load_state_dict(self, state: Mapping[str, JsonValue]) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])


def _made(given: T | Callable[..., T], of: object, kind: type[T], what: str, example: str) -> T:
    if isinstance(given, kind):
        return given
    if not callable(given):
        raise InputError(f"{what} {given!r}: an instance is needed, or what makes one, such as {example}")
    try:
        found = given(of)
    except TypeError as error:
        raise InputError(
            f"{what}: it cannot be made ({error}); give an instance, or what makes one, such as {example}"
        ) from None
    if not isinstance(found, kind):
        raise InputError(f"{what}: {type(found).__name__} was made; an instance of torch's {kind.__name__} is needed")
    return found
