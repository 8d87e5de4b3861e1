"""How a loss is led to its end while a network trains: by the share of the steps that are done, or earlier by a signal."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json
from asymtheory.losses import build

from ..losses.module import RobustLoss
from ..losses.moving import MovingLoss, StartedLoss
from .schedule import HELD_OUT, VERTICES, Ramp, Way

LOOKS = 40
"""How often a signal is looked at over a run."""
PATIENCE = 4
"""Looks without a new best of the held-out accuracy, a tenth of the run, after which it has stopped rising."""
NEAR, MOST = 0.9, 0.5
"""A sample is at a vertex from this probability of a class on; the signal is that so many samples of a batch are."""


class Watch(nn.Module):
    """Looks at a signal of a run and says when it has come; its state is in the state dict.

    ``held-out``: accuracy on samples that are held out, with their noisy labels, had no new best in the last PATIENCE looks.
    ``vertices``: of the samples of the batch a share of at least MOST has a class of probability at least NEAR.
    """

    def __init__(self, signal: str) -> None:
        super().__init__()
        self.signal = signal
        self.best, self.since, self.ended = -math.inf, 0, False

    def see(self, value: float) -> None:
        """Look at the accuracy, or at the share, now."""
        if self.signal == VERTICES:
            self.ended = self.ended or value >= MOST
            return
        self.since = 0 if value > self.best else self.since + 1
        self.best = max(self.best, value)
        self.ended = self.ended or self.since >= PATIENCE

    def get_extra_state(self) -> Json:
        return {"best": self.best, "since": self.since, "ended": self.ended}

    def set_extra_state(self, state: Json) -> None:
        self.best, self.since, self.ended = float(state["best"]), int(state["since"]), bool(state["ended"])


@torch.no_grad()
def at_vertices(logits: Tensor, axis: int = 1) -> Tensor:
    """The share of samples whose likeliest class has a probability of at least NEAR; ``axis`` is that of the classes, the last
    that remains is that of the samples."""
    return (logits.detach().float().softmax(axis).amax(axis) >= NEAR).float().mean(-1)


class Lead:
    """A loss on its way: ``loss`` is the module to train with, ``watch`` the signal that may end the way, part of the module."""

    def __init__(self, loss: nn.Module, way: Way) -> None:
        if not isinstance(loss, RobustLoss):
            what = "has no parameter of the core that could move" if isinstance(way, Ramp) else "is not one of the core"
            raise InputError(f"schedule {way}: the loss {what}")
        self.way = way
        self.loss: MovingLoss | StartedLoss
        if isinstance(way, Ramp):
            self.loss = MovingLoss(loss, way.parameter)
            self.loss.loss.replace(**{way.parameter: way.start})  # InputError outside the domain
            if way.end is not None:
                self.loss.loss = self.loss.loss.replace(**{way.parameter: way.end})
        else:
            self.loss = StartedLoss(loss, build(way.loss))
        self.watch = None if way.signal is None else Watch(way.signal)
        if self.watch is not None:
            self.loss.add_module("watch", self.watch)

    @property
    def holds_out(self) -> bool:
        """Does the signal need samples that are held out?"""
        return self.way.signal == HELD_OUT

    def move(self, share: float, K: int) -> None:
        """Set the loss for the next step, when this ``share`` of all steps is done."""
        if self.watch is not None and self.watch.ended:
            share = 1.0
        if isinstance(self.loss, StartedLoss):
            assert not isinstance(self.way, Ramp)
            self.loss.move(self.way.part(share), K)
            return
        assert isinstance(self.way, Ramp)
        end = float(self.loss.loss.parameters[self.way.parameter])
        self.loss.move(self.way.at(share, end), end, K)
