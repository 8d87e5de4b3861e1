"""The training loop: one model, one loss, tensors that stay on the device.

    history = fit(model, build_loss("jal-ce", a=30), images, labels, test=(test_images, test_labels), epochs=30)

It is the plain loop of the papers (SGD, cosine schedule, clipped gradients) plus what a study of label noise must know: after
every epoch the accuracy against given and against true labels, on the clean and on the corrupted part. Nothing is read back
from the device during an epoch: predictions, losses and norms are gathered there and fetched once.

Everything random in an epoch comes from generators seeded by (seed, epoch): the order of the images, augmentation, redrawn
labels, dropout, directions of a Jacobian penalty. So an epoch depends on the weights it starts from and on nothing else, and a
run resumed between two epochs continues bit for bit (on a CPU, with the same number of threads).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import mul
from time import perf_counter
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue

from ..data.inputs import Data, Inputs, batches, generator, stream
from ..distributed import ALONE, World, parallel
from ..losses.module import RobustLoss
from ..losses.moving import MovingLoss
from .config import Settings
from .device import Setup, seeded, using
from .evaluation import fitted, predict
from .jacobian import directions, squared_norm, watched
from .record import Epoch, History
from .schedule import Ramp, Schedule
from .sgd import SGD, clipped

LOOK = 256  # steps between two looks at whether the loss is still finite


class DivergedError(InputError):
    """The loss, or ``what`` it names, became NaN or infinite. ``epoch`` and ``batch`` count from 1.

    The last checkpoint is from before.
    """

    def __init__(self, epoch: int, batch: int, value: float, what: str = "loss") -> None:
        super().__init__(
            f"the {what} is {value} in epoch {epoch}, batch {batch}: training stops there, and weights are kept as they were "
            f"after an earlier epoch, if at all; a lower rate or a lower clip may help"
        )
        self.epoch, self.batch, self.value = epoch, batch, value


class Following(Protocol):
    """A loss that follows every sample through training, such as NLNL: it is told of epochs and gets the samples' places.

    ``follow`` makes room for what is remembered (before a state dict is loaded), ``begin`` starts epoch 0..epochs-1; both get
    the labels (N,) of the whole training set. It is then called with logits, labels and indices (n,) into that set.
    """

    def follow(self, labels: Tensor) -> None: ...

    def begin(self, epoch: int, epochs: int, labels: Tensor, generator: torch.Generator) -> None: ...


def led(loss: nn.Module, ramp: Ramp) -> MovingLoss:
    """The loss with a parameter that moves along the ramp and ends where the ramp ends, else at the loss's own value."""
    if not isinstance(loss, RobustLoss):
        raise InputError(f"schedule {ramp}: the loss has no parameter of the core that could move")
    moving = MovingLoss(loss, ramp.parameter)
    moving.loss.replace(**{ramp.parameter: ramp.start})  # InputError outside the domain
    if ramp.end is not None:
        moving.loss = moving.loss.replace(**{ramp.parameter: ramp.end})
    return moving


class Trainer:
    """A model in training, between two epochs. ``step`` by ``step`` it is :meth:`epoch`; :meth:`state` is a checkpoint.

    With a ``world`` of several processes each of them has a trainer, and all do the same things in the same order.
    """

    def __init__(self, model: nn.Module, loss: nn.Module, data: Data, settings: Settings, world: World = ALONE) -> None:
        self.settings = settings
        self.world = world
        self.setup = setup = Setup.of(settings, model, data.images, world)
        if world.size > 1:
            world.check_batches(data.visited, settings.batch)
            if settings.regularisation == "jacobian":
                raise InputError('regularisation "jacobian" differentiates twice: it is trained in one process only')
            if hasattr(loss, "begin") or any(True for _ in loss.parameters()):
                raise InputError(
                    "a loss that follows its samples or has weights of its own is trained in one process only"
                )
        self.model = model.to(setup.device, setup.dtype)
        if setup.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model, through = parallel(self.model, world, setup.device)
        self.ramp = Schedule.parse(settings.schedule).ramp
        if self.ramp is not None:
            loss = led(loss, self.ramp)
        self.loss = loss.to(setup.device)
        self.data = data.to(setup.device, setup.dtype)
        self.forward: Callable[[Tensor], Tensor] = through
        if settings.compile != "off":
            mode = "reduce-overhead" if settings.compile == "graphs" else "default"
            self.forward = torch.compile(through, mode=mode)
        self.weights: list[Tensor] = [p for part in (self.model, loss) for p in part.parameters() if p.requires_grad]
        if not self.weights:
            raise InputError("the model has no parameters to train")
        self.optimiser = SGD(self.weights, settings)
        self.following: Following | None = cast(Following, loss) if hasattr(loss, "begin") else None
        if self.following is not None:
            self.following.follow(self.data.given)
        self.jacobian = settings.strength if settings.regularisation == "jacobian" else 0.0
        self.random = generator(settings.seed, 0, "jacobian", setup.device)
        self.done = self.taken = 0  # epochs; steps
        self.curve: list[Epoch] = []

    @property
    def steps(self) -> int:
        """How many an epoch has."""
        return len(batches(torch.arange(self.data.visited), self.settings.batch))

    def step(self, x: Tensor, y: Tensor, which: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """One step on a batch of inputs: (logits, loss, norm of the gradient before clipping), all on the device.

        ``which``: the batch's places in the training set, for a loss that follows its samples. ``weight``: of this process's part
        of the batch, see :meth:`.distributed.World.weight`.
        """
        x = self.setup.inputs(x)
        if self.jacobian:
            x = watched(x)
        with self.setup.computing():
            logits = self.forward(x)
        scores = logits if self.setup.autocast is None else logits.float()
        if self.ramp is not None:
            self._move(self.ramp, scores.shape[1])
        value: Tensor = self.loss(scores, y) if self.following is None else self.loss(scores, y, which)
        if weight != 1:
            value = value * weight
        penalised = value
        if self.jacobian:
            penalised = value + self.jacobian / 2 * squared_norm(scores, x, directions(scores, self.random))
        penalised.backward()
        norm = self.optimiser.step(lambda gradients: clipped(gradients, self.settings.clip))
        self.taken += 1
        return logits.detach(), value.detach(), norm

    def _move(self, ramp: Ramp, K: int) -> None:
        """Set the parameter of the loss for the next step; what it is depends on the number of steps that were taken alone."""
        loss = cast(MovingLoss, self.loss)
        end = float(loss.loss.parameters[ramp.parameter])
        loss.move(ramp.at(self.taken / (self.steps * self.settings.epochs), end), end, K)

    def epoch(self, tick: Callable[[], object] = lambda: None) -> Epoch:
        """Train one more epoch and measure; ``tick`` is called after every step. Raises :class:`DivergedError`."""
        with using(self.setup.threads):
            return self._epoch(tick)

    def _epoch(self, tick: Callable[[], object]) -> Epoch:
        settings, data, number = self.settings, self.data, self.done
        start = perf_counter()
        given = data.labels_in(number, settings.seed)
        order = data.order(settings.seed, number).to(self.setup.device)
        labels, true = given[order], None if data.true is None else data.true[order]
        predicted, losses, norms, sizes = self._train(order, given, labels, tick)
        loss, norm = sum(map(mul, losses, sizes)) / sum(sizes), sum(norms) / len(norms)
        share = sum(each > settings.clip for each in norms) / len(norms)
        seconds = perf_counter() - start
        self.done += 1
        if settings.measure == "frozen":
            predicted = predict(self.model, data.images, self.setup, world=self.world)[order]
        (found,) = fitted(predicted, labels, true)
        due = self.done % settings.evaluate == 0 or self.done == settings.epochs
        test, second = (self.test(), self.second()) if due else (None, None)
        speed = len(order) / seconds
        result = Epoch(self.done, self.optimiser.rate, loss, found, test, norm, share, seconds, speed, second)
        self.curve.append(result)
        return result

    def _train(
        self, order: Tensor, given: Tensor, labels: Tensor, tick: Callable[[], object]
    ) -> tuple[Tensor, list[float], list[float], list[int]]:
        """The steps of the next epoch over the images in this order, with those labels in that order.

        Returns the classes as the model saw them (n,) and, of every step, loss, norm of the gradient and size of the batch.
        """
        settings, world, device, number = self.settings, self.world, self.setup.device, self.done
        self.optimiser.rate = settings.rate_in(number)
        self.model.train()
        self.loss.train()
        if self.following is not None:
            own = generator(settings.seed, number, "loss", device)
            self.following.begin(number, settings.epochs, given, own)
        self.random = generator(settings.seed, number, "jacobian", device)
        parts, targets = batches(order, settings.batch), batches(labels, settings.batch)
        inputs = self.data.images.visits(parts, self.setup.dtype, (settings.seed, number), world)
        sizes = [len(part) for part in parts]
        weights = [1.0] * len(parts)
        if world.size > 1:
            weights = [world.weight(size) for size in sizes]
            parts, targets = ([part[world.share(len(part))] for part in each] for each in (parts, targets))
        classes: list[Tensor] = []
        losses: list[Tensor] = []
        norms: list[Tensor] = []
        purpose = f"model/{world.rank}" if world.rank else "model"  # no two processes drop the same units
        with seeded(stream(settings.seed, number, purpose), device):
            for x, y, which, weight in zip(inputs, targets, parts, weights, strict=True):
                logits, loss, norm = self.step(x, y, which, weight)
                classes.append(logits.argmax(-1))
                losses.append(loss)
                norms.append(norm)
                if len(losses) % LOOK == 0:
                    self._finite(losses[-LOOK:], norms[-LOOK:], len(losses) - LOOK)
                tick()
        values, magnitudes = self._finite(losses, norms)
        predicted = torch.cat(classes)
        if world.size > 1:
            places = batches(torch.arange(len(order), device=device), settings.batch)
            mine = torch.cat([part[world.share(len(part))] for part in places])
            predicted = world.sum(torch.zeros_like(order).index_copy_(0, mine, predicted))
        return predicted, values, magnitudes, sizes

    def _finite(
        self, losses: Sequence[Tensor], norms: Sequence[Tensor], before: int = 0
    ) -> tuple[list[float], list[float]]:
        """Losses of the batches over all processes, and norms of the gradients; every process stops where one is not finite.

        ``before``: how many batches of the epoch came before these. A norm that is not finite makes the weights NaN.
        """
        seen = torch.stack([*losses, *norms])  # fetched at once; a norm is that of all processes already
        if self.world.size > 1:
            self.world.sum(seen[: len(losses)]).div_(self.world.size)
        values = seen.tolist()
        values, magnitudes = values[: len(losses)], values[len(losses) :]
        for batch, (value, norm) in enumerate(zip(values, magnitudes, strict=True), before + 1):
            if not math.isfinite(value):
                raise DivergedError(self.done + 1, batch, value)
            if not math.isfinite(norm):
                raise DivergedError(self.done + 1, batch, norm, "gradient's norm")
        return values, magnitudes

    def test(self) -> float | None:
        """Accuracy on the test set now, None without one."""
        return self._accuracy(self.data.test, self.data.test_labels)

    def second(self) -> float | None:
        """Accuracy on the second test set now, None without one."""
        return self._accuracy(self.data.second, self.data.second_labels)

    def _accuracy(self, images: Inputs | None, labels: Tensor | None) -> float | None:
        if images is None or labels is None:
            return None
        return fitted(predict(self.model, images, self.setup, world=self.world), labels, None)[0].train

    def history(self) -> History:
        """The curve so far, with the training set under the present weights against the labels of the last epoch."""
        given = self.data.labels_in(max(self.done - 1, 0), self.settings.seed)
        with using(self.setup.threads):
            predicted = predict(self.model, self.data.images, self.setup, world=self.world)
        (final,) = fitted(predicted, given, self.data.true)
        return History(tuple(self.curve), final)

    def state(self) -> Json:
        """All that the next epoch depends on, and the curve."""
        return {
            "epoch": self.done,
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "curve": [epoch.facts() for epoch in self.curve],
        }

    def restore(self, state: Mapping[str, JsonValue]) -> None:
        """Go back to a :meth:`state`, which is copied: a state is a view of the trainer it was taken from."""
        self.model.load_state_dict(state["model"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.curve = [Epoch.from_dict(facts) for facts in state["curve"]]
        self.done = int(state["epoch"])
        self.taken = self.done * self.steps

    def remaining(self) -> Iterator[int]:
        """The epochs still to train, from 0; :meth:`epoch` trains the next one."""
        while self.done < self.settings.epochs:
            yield self.done
