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
from dataclasses import dataclass
from operator import mul
from time import perf_counter
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue

from ..data.inputs import Batch, Data, Inputs, batches, generator, stream
from ..distributed import ALONE, World, parallel
from . import checkpoint
from .calls import PLAIN, Call, likeliest
from .config import Settings
from .device import Setup, compiled, seeded, using
from .evaluation import UNSEEN, fitted, predict
from .jacobian import directions, squared_norm, watched
from .lead import LOOKS, Lead, at_vertices
from .optimiser import Optimiser
from .record import Epoch, History
from .schedule import VERTICES, Schedule
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


Visit = tuple[Batch, Tensor, Tensor, float, int]
"""A batch: inputs, labels, places in the training set, weight of this process's part, and how many labels count."""


@dataclass(frozen=True)
class Seen:
    """An epoch of training: the classes that the model saw, with the labels; by step the loss, the norm and the labels' count."""

    predicted: Tensor
    labels: Tensor
    true: Tensor | None
    losses: list[float]
    norms: list[float]
    sizes: list[int]


def hard(labels: Tensor) -> Tensor:
    """Labels as they are; of probabilities (N, K) the likeliest."""
    return labels.argmax(1) if labels.is_floating_point() else labels


class Trainer:
    """A model in training, between two epochs. ``step`` by ``step`` it is :meth:`epoch`; :meth:`state` is a checkpoint.

    With a ``world`` of several processes each of them has a trainer, and all do the same things in the same order.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: nn.Module,
        data: Data,
        settings: Settings,
        world: World = ALONE,
        *,
        call: Call = PLAIN,
        optimiser: Callable[[Sequence[Tensor]], Optimiser] | None = None,
    ) -> None:
        self.settings = settings
        self.world = world
        self.call = call
        self.setup = setup = Setup.of(settings, model, data.images, world, call)
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
        way = Schedule.parse(settings.schedule).way
        self.lead = None if way is None else Lead(loss, way)
        if self.lead is not None:
            loss = self.lead.loss
            data = self._held_out(self.lead, data)
        self.loss = loss.to(setup.device)
        self.data = data.to(setup.device, setup.dtype)
        self.forward: Callable[..., object] = through
        if settings.compile != "off":
            self.forward = compiled(through, settings.compile)
        self.weights: list[Tensor] = [p for part in (self.model, loss) for p in part.parameters() if p.requires_grad]
        if not self.weights:
            raise InputError("the model has no parameters to train")
        self.optimiser: Optimiser = SGD(self.weights, settings) if optimiser is None else optimiser(self.weights)
        self.following: Following | None = cast(Following, loss) if hasattr(loss, "begin") else None
        if self.following is not None:
            self._follow(self.following)
        self.jacobian = settings.strength if settings.regularisation == "jacobian" else 0.0
        if self.jacobian and not isinstance(data.images.batch(slice(0, 1), setup.dtype), Tensor):
            raise InputError('regularisation "jacobian" is of one input; these are several')
        self.random = generator(settings.seed, 0, "jacobian", setup.device)
        self.done = self.taken = 0  # epochs; steps
        self.curve: list[Epoch] = []

    def _follow(self, loss: Following) -> None:
        given, ignore = self.data.given, self.data.ignore
        if given.ndim != 1 or (ignore is not None and bool((given == ignore).any())):
            raise InputError(
                "a loss that follows its samples needs one label of every sample: some are missing, or are not one"
            )
        loss.follow(given)

    @property
    def steps(self) -> int | None:
        """How many an epoch has; None where that is not known."""
        return len(batches(torch.arange(self.data.visited), self.settings.batch))

    def step(self, x: Batch, y: Tensor, which: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """One step on a batch of inputs: (logits, loss, norm of the gradient before clipping), all on the device.

        The loss is the mean over the labels that are not to be ignored, or the sum where the loss module says so.

        ``which``: the batch's places in the training set, for a loss that follows its samples. ``weight``: of this process's part
        of the batch, see :meth:`.distributed.World.weight`.
        """
        x = self.setup.inputs(x)
        if self.jacobian and isinstance(x, Tensor):
            x = watched(x)
        with self.setup.computing():
            logits = self.call(self.forward, x)
        scores = logits if self.setup.autocast is None else logits.float()
        if self.lead is not None:
            assert self.steps is not None
            self.lead.move(self.taken / (self.steps * self.settings.epochs), scores.shape[1])
        value = self._value(scores, y, which)
        if weight != 1:
            value = value * weight
        penalised = value
        if self.jacobian and isinstance(x, Tensor):
            penalised = value + self.jacobian / 2 * squared_norm(scores, x, directions(scores, self.random))
        penalised.backward()
        norm = self.optimiser.step(lambda gradients: clipped(gradients, self.settings.clip))
        self.taken += 1
        if self.lead is not None:
            self._look(self.lead, scores)
        return logits.detach(), value.detach(), norm

    def _value(self, scores: Tensor, y: Tensor, which: Tensor) -> Tensor:
        """The loss of the labels that count; the mean of what a loss without reduction gives."""
        if self.data.ignore is not None and y.ndim == 1:
            kept = y != self.data.ignore
            scores, y, which = scores[kept], y[kept], which[kept]
        try:
            value: Tensor = self.loss(scores, y) if self.following is None else self.loss(scores, y, which)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            if self.taken or isinstance(error, InputError):
                raise
            what = f"logits {tuple(scores.shape)} and labels {tuple(y.shape)} of {y.dtype}"
            raise InputError(f"the loss {type(self.loss).__name__} cannot be called with {what}: {error}") from error
        if not value.ndim:
            return value
        return value.sum() / (
            len(y) if y.is_floating_point() or self.data.ignore is None else (y != self.data.ignore).sum()
        )

    def _held_out(self, lead: Lead, data: Data) -> Data:
        """The data, with samples held out where the signal that ends the way needs them."""
        if lead.watch is not None and self.world.size > 1:
            raise InputError(f"schedule {lead.way}: a signal ends a way in one process only; leave it out")
        return data.holding_out(self.settings.seed) if lead.holds_out else data

    def _look(self, lead: Lead, logits: Tensor) -> None:
        """Look at the signal that may end the loss's way, LOOKS times over the run; what is seen depends on the weights alone."""
        watch = lead.watch
        assert self.steps is not None
        if watch is None or watch.ended or self.taken % max(1, self.steps * self.settings.epochs // LOOKS):
            return
        if watch.signal == VERTICES:
            watch.see(float(at_vertices(logits).mean()))
            return
        held, data = self.data.held, self.data
        assert held is not None
        labels = hard(data.labels_in(self.done, self.settings.seed))[held]
        hits = predict(self.model, data.images, self.setup, call=self.call, which=held) == labels
        watch.see(float((hits if data.ignore is None else hits[labels != data.ignore]).float().mean()))

    def epoch(self, tick: Callable[[], object] = lambda: None) -> Epoch:
        """Train one more epoch and measure; ``tick`` is called after every step. Raises :class:`DivergedError`."""
        with using(self.setup.threads):
            return self._epoch(tick)

    def _epoch(self, tick: Callable[[], object]) -> Epoch:
        settings = self.settings
        start = perf_counter()
        seen = self._train(tick)
        loss = sum(map(mul, seen.losses, seen.sizes)) / sum(seen.sizes)
        norm = sum(seen.norms) / len(seen.norms)
        share = sum(each > settings.clip for each in seen.norms) / len(seen.norms)
        seconds = perf_counter() - start
        rate = self.optimiser.rate
        self.optimiser.finish(loss)
        self.done += 1
        facts = self._frozen() if settings.measure == "frozen" else (seen.predicted, seen.labels, seen.true)
        (found,) = fitted(*facts, self.data.ignore)
        due = self.done % settings.evaluate == 0 or self.done == settings.epochs
        test, second = (self.test(), self.second()) if due else (None, None)
        speed = len(seen.labels) / seconds
        result = Epoch(self.done, rate, loss, found, test, norm, share, seconds, speed, second)
        self.curve.append(result)
        return result

    def _frozen(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Classes that the present weights predict, labels of the last epoch, true labels: of the training set, in one order."""
        given = hard(self.data.labels_in(max(self.done - 1, 0), self.settings.seed))
        with using(self.setup.threads):
            return self._predict(self.data.images), given, self.data.true

    def _predict(self, images: Inputs) -> Tensor:
        return predict(self.model, images, self.setup, world=self.world, call=self.call)

    def _train(self, tick: Callable[[], object]) -> Seen:
        """The steps of the next epoch; batches without a label are left out."""
        settings, device, number = self.settings, self.setup.device, self.done
        self.optimiser.start(settings.rate_in(number))
        self.model.train()
        self.loss.train()
        self.random = generator(settings.seed, number, "jacobian", device)
        classes: list[Tensor] = []
        losses: list[Tensor] = []
        norms: list[Tensor] = []
        sizes: list[int] = []
        total = getattr(self.loss, "reduction", None) == "sum"
        purpose = f"model/{self.world.rank}" if self.world.rank else "model"  # no two processes drop the same units
        visits = self._visits(number)
        with seeded(stream(settings.seed, number, purpose), device):
            for x, y, which, weight, count in visits:
                if not count:
                    classes.append(torch.full_like(hard(y), UNSEEN))
                    tick()
                    continue
                logits, loss, norm = self.step(x, y, which, weight)
                classes.append(likeliest(logits))
                losses.append(loss / count if total else loss)
                norms.append(norm)
                sizes.append(count)
                if len(losses) % LOOK == 0:
                    self._finite(losses[-LOOK:], norms[-LOOK:], len(losses) - LOOK)
                tick()
        if not losses:
            raise InputError("an epoch without a single label: there is nothing to train on")
        values, magnitudes = self._finite(losses, norms)
        return Seen(*self._labels_of(torch.cat(classes)), values, magnitudes, sizes)

    def _visits(self, number: int) -> Iterator[Visit]:
        """The batches of an epoch: this process's share of each, with the labels that it fits."""
        settings, world, data = self.settings, self.world, self.data
        given = data.labels_in(number, settings.seed)
        order = data.order(settings.seed, number).to(self.setup.device)
        self._now = order, given
        if self.following is not None:
            self.following.begin(
                number, settings.epochs, given, generator(settings.seed, number, "loss", self.setup.device)
            )
        parts, targets = batches(order, settings.batch), batches(given[order], settings.batch)
        inputs = data.images.visits(parts, self.setup.dtype, (settings.seed, number), world)
        sizes = [len(part) for part in parts]
        if data.ignore is not None and not given.is_floating_point():
            kept = batches((given != data.ignore).reshape(len(given), -1).sum(1).cpu()[order.cpu()], settings.batch)
            sizes = [int(part.sum()) for part in kept]
        weights = [1.0] * len(parts)
        if world.size > 1:
            weights = [world.weight(size) for size in sizes]
            parts, targets = ([part[world.share(len(part))] for part in each] for each in (parts, targets))
        return zip(inputs, targets, parts, weights, sizes, strict=True)

    def _labels_of(self, predicted: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Predictions of the epoch as they were made, with the labels and the true labels of the same samples."""
        (order, given), true, world = self._now, self.data.true, self.world
        if world.size > 1:
            places = batches(torch.arange(len(order), device=order.device), self.settings.batch)
            mine = torch.cat([part[world.share(len(part))] for part in places])
            predicted = world.sum(torch.zeros_like(order).index_copy_(0, mine, predicted))
        return predicted, hard(given)[order], None if true is None else true[order]

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

    def classes(self) -> Tensor:
        """The class of every test image now, (N,)."""
        assert self.data.test is not None
        with using(self.setup.threads):
            return self._predict(self.data.test)

    def second(self) -> float | None:
        """Accuracy on the second test set now, None without one."""
        return self._accuracy(self.data.second, self.data.second_labels)

    def _accuracy(self, images: Inputs | None, labels: Tensor | None) -> float | None:
        if images is None or labels is None:
            return None
        return fitted(self._predict(images), labels, None, self.data.ignore)[0].train

    def history(self) -> History:
        """The curve so far, with the training set under the present weights against the labels of the last epoch."""
        (final,) = fitted(*self._frozen(), self.data.ignore)
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
        with checkpoint.restoring(state["epoch"], self.settings.epochs):
            self.model.load_state_dict(state["model"])
            self.loss.load_state_dict(state["loss"])
            checkpoint.check_optimiser(state["optimiser"], self.optimiser.state_dict())
            self.optimiser.load_state_dict(state["optimiser"])
            self.curve = [Epoch.from_dict(facts) for facts in state["curve"]]
            checkpoint.check_curve(self.curve, state["epoch"])
        self.done = state["epoch"]
        self.taken = self.done * (self.steps or 0)

    def remaining(self) -> Iterator[int]:
        """The epochs still to train, from 0; :meth:`epoch` trains the next one."""
        while self.done < self.settings.epochs:
            yield self.done
