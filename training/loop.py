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
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import blake2b
from time import perf_counter
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from asymtheory.errors import InputError, nearest

from .augment import augment, normalise
from .config import Settings
from .distributed import ALONE, World, parallel
from .jacobian import directions, squared_norm, watched
from .record import Epoch, Fitted, History

RESIDENT = 2**29  # bytes of normalised images that are kept instead of being made anew in every epoch
LOOK = 256  # steps between two looks at whether the loss is still finite
EVALUATION = 512  # images in one batch without gradients
SMALL = 10**8  # floating-point operations of a forward pass below which one thread is faster than two


class DivergedError(InputError):
    """The loss became NaN or infinite. ``epoch`` and ``batch`` count from 1; the last checkpoint is from before."""

    def __init__(self, epoch: int, batch: int, value: float) -> None:
        super().__init__(
            f"the loss is {value} in epoch {epoch}, batch {batch}: training stops there, and weights are kept as they were "
            f"after an earlier epoch, if at all; a lower rate or a lower clip may help"
        )
        self.epoch, self.batch, self.value = epoch, batch, value


# -------------------------------------------------------------------------------------------- what is random, and how


def stream(seed: int, epoch: int, purpose: str) -> int:
    """The seed of one generator: a function of (seed, epoch, purpose) that neighbours do not share."""
    return int.from_bytes(blake2b(f"{purpose}/{seed}/{epoch}".encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, epoch: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose in one epoch."""
    return torch.Generator(device).manual_seed(stream(seed, epoch, purpose))


def batches(order: Tensor, size: int) -> list[Tensor]:
    """The order cut into batches; a last batch of one sample joins the one before, for batch norms need two."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def shuffled(samples: int, seed: int, epoch: int) -> Tensor:
    """The order of the samples in an epoch, drawn on the CPU: the same on every device."""
    return torch.randperm(samples, generator=generator(seed, epoch, "order"))


# ------------------------------------------------------------------------------------------------------------ data


class Redraw(Protocol):
    """Fresh noisy labels for true ones, such as :class:`asymtheory_training.labels.Redrawn`."""

    def draw(self, clean_labels: Tensor, generator: torch.Generator) -> Tensor: ...


class Following(Protocol):
    """A loss that follows every sample through training, such as NLNL: it is told of epochs and gets the samples' places.

    ``follow`` makes room for what is remembered (before a state dict is loaded), ``begin`` starts epoch 0..epochs-1; both get
    the labels (N,) of the whole training set. It is then called with logits, labels and indices (n,) into that set.
    """

    def follow(self, labels: Tensor) -> None: ...

    def begin(self, epoch: int, epochs: int, labels: Tensor, generator: torch.Generator) -> None: ...


class Inputs(Protocol):
    """What the loop asks of images: :class:`Images` on the device, or :class:`.folders.FolderImages` in files."""

    @property
    def evaluation(self) -> int:
        """How many in a batch without gradients."""
        ...

    def __len__(self) -> int: ...

    def to(self, device: torch.device, dtype: torch.dtype) -> Inputs: ...

    def first(self, count: int) -> Inputs: ...

    def batch(self, which: Tensor | slice, dtype: torch.dtype) -> Tensor:
        """Network inputs of some, without chance."""
        ...

    def visits(
        self, parts: Sequence[Tensor], dtype: torch.dtype, visit: tuple[int, int] | None = None, world: World = ALONE
    ) -> Iterator[Tensor]:
        """This process's share of the batches ``parts`` of indices; at random for a ``visit`` (seed, epoch)."""
        ...


@dataclass(frozen=True, eq=False)
class Images:
    """Inputs on the device: uint8 images that are augmented and normalised on the way, or floats that are taken as they are.

    ``mean`` and ``std``: None for floats. ``kind``: of augmentation, "none" for none.
    """

    tensor: Tensor
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    kind: str = "none"

    evaluation = EVALUATION

    def __len__(self) -> int:
        return len(self.tensor)

    def first(self, count: int) -> Images:
        """So many of them only."""
        return replace(self, tensor=self.tensor[:count])

    def to(self, device: torch.device, dtype: torch.dtype) -> Images:
        """On the device; normalised once and for all where nothing is random and they are not too large."""
        tensor = self.tensor.to(device)
        if self.mean is None or self.std is None:
            return replace(self, tensor=tensor.to(dtype) if tensor.is_floating_point() else tensor)
        if self.kind == "none" and tensor.numel() * dtype.itemsize <= RESIDENT:
            return Images(normalise(tensor, self.mean, self.std, dtype))
        return replace(self, tensor=tensor)

    def visits(
        self, parts: Sequence[Tensor], dtype: torch.dtype, visit: tuple[int, int] | None = None, world: World = ALONE
    ) -> Iterator[Tensor]:
        """Network inputs batch by batch, this process's share; augmented for a ``visit`` (seed, epoch).

        The random numbers are those of the whole batch, whoever takes which part of it.
        """
        random = None if visit is None else generator(*visit, "augmentation", self.tensor.device)
        for part in parts:
            yield self.batch(part, dtype, random, world.share(len(part)) if world.size > 1 else None)

    def batch(
        self,
        which: Tensor | slice,
        dtype: torch.dtype,
        random: torch.Generator | None = None,
        share: slice | None = None,
    ) -> Tensor:
        """Network inputs; augmented when a generator is given; of a batch that is shared, one part."""
        found = self.tensor[which] if isinstance(which, slice) else self.tensor.index_select(0, which)
        if random is not None and self.kind != "none":
            found = augment(found, self.kind, random)
        if share is not None:
            found = found[share]
        if self.mean is None or self.std is None:
            return found
        return normalise(found, self.mean, self.std, dtype)


@dataclass(frozen=True, eq=False)
class Data:
    """What a model is trained and tested on. Labels are int64 (N,).

    ``given`` are the labels to fit, ``true`` the clean ones where they are known. With ``redraw`` every epoch, and so every
    visit of an image, gets a label of its own drawn from the noise for its true class; ``given`` is then not looked at.
    ``second`` is another test set. ``balanced``: an epoch sees so many images of every given class, drawn anew each time.
    """

    images: Inputs
    given: Tensor
    true: Tensor | None = None
    redraw: Redraw | None = None
    test: Inputs | None = None
    test_labels: Tensor | None = None
    second: Inputs | None = None
    second_labels: Tensor | None = None
    balanced: int | None = None

    def __post_init__(self) -> None:
        for what, labels, images in (
            ("labels", self.given, self.images),
            ("true labels", self.true, self.images),
            ("test labels", self.test_labels, self.test),
            ("labels of the second test set", self.second_labels, self.second),
        ):
            if labels is None:
                continue
            if labels.ndim != 1 or labels.dtype != torch.int64:
                raise InputError(
                    f"{what} of shape {tuple(labels.shape)} and {labels.dtype}: int64 of shape (N,) is needed"
                )
            if images is not None and len(labels) != len(images):
                raise InputError(f"{len(labels)} {what} for {len(images)} images")
        if len(self.images) < 2:
            raise InputError(f"{len(self.images)} training images: at least 2 are needed")
        if (self.test is None) != (self.test_labels is None) or (self.second is None) != (self.second_labels is None):
            raise InputError("test images and test labels go together")
        if self.redraw is not None and self.true is None:
            raise InputError("labels are redrawn from the true ones: these are needed")
        if self.balanced is not None:
            least, label = (each.item() for each in self._sizes().min(0))
            if least < self.balanced:
                raise InputError(f"--balanced {self.balanced}: class {label} has {least} images only")

    def _sizes(self) -> Tensor:
        """How many images every given class has."""
        return torch.bincount(self.given)

    @property
    def visited(self) -> int:
        """How many images an epoch sees."""
        return len(self.images) if self.balanced is None else self.balanced * len(self._sizes())

    def order(self, seed: int, epoch: int) -> Tensor:
        """The images of an epoch in their order, (N,) or, where it is balanced, a part of them; on the CPU."""
        order = shuffled(len(self.images), seed, epoch)
        if self.balanced is None:
            return order
        labels = self.given.cpu()[order]
        by_class = labels.argsort(stable=True)
        ascending = labels[by_class]
        place = torch.arange(len(order)) - torch.searchsorted(ascending, ascending)  # of an image in its class
        return order[by_class[place < self.balanced].sort().values]

    def to(self, device: torch.device, dtype: torch.dtype) -> Data:
        """The same on a device, images ready for a network of that type."""

        def moved(labels: Tensor | None) -> Tensor | None:
            return None if labels is None else labels.to(device)

        return Data(
            self.images.to(device, dtype), self.given.to(device), moved(self.true), self.redraw,
            None if self.test is None else self.test.to(device, dtype), moved(self.test_labels),
            None if self.second is None else self.second.to(device, dtype), moved(self.second_labels), self.balanced,
        )  # fmt: skip

    def labels_in(self, epoch: int, seed: int) -> Tensor:
        """The labels to fit in an epoch."""
        if self.redraw is None:
            return self.given
        assert self.true is not None
        return self.redraw.draw(self.true, generator(seed, epoch, "labels"))


def fitted(predicted: Tensor, given: Tensor, true: Tensor | None) -> list[Fitted]:
    """Predictions (..., N) against labels, one :class:`Fitted` for each leading index (models of a stack)."""
    predicted = predicted.reshape(-1, predicted.shape[-1])
    hit = predicted == given
    if true is None:
        return [Fitted(share) for share in hit.double().mean(1).tolist()]
    right, clean = predicted == true, given == true
    wrong = ~clean
    columns = (hit, right, hit & clean, hit & wrong, right & wrong)
    counts = torch.stack([each.sum(1) for each in columns], 1).tolist()
    parts = torch.stack([clean.expand_as(hit).sum(1), wrong.expand_as(hit).sum(1)], 1).tolist()
    count = predicted.shape[1]

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    return [
        Fitted(row[0] / count, row[1] / count, share(row[2], kept), share(row[3], lost), share(row[4], lost))
        for row, (kept, lost) in zip(counts, parts, strict=True)
    ]


# --------------------------------------------------------------------------------------------------- device, precision


def find_device(name: str) -> torch.device:
    """``auto`` (a CUDA device if there is one), ``cpu``, ``cuda``, ``cuda:1``, ...; InputError for what is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        here = "cpu" + "".join(f", cuda:{i}" for i in range(torch.cuda.device_count()))
        raise InputError(f"--device {name}: cannot be used (here: auto, {here})") from None
    return device


@dataclass(frozen=True)
class Setup:
    """How a model is computed: ``auto`` resolved for the device.

    ``auto`` is float32 on a CPU, where bfloat16 was half as fast on one machine and 2.6 times as fast on another (one with
    bfloat16 instructions), and bfloat16 autocast on a GPU. channels_last gains a fifth to a third (benchmarks/loop.py).
    """

    device: torch.device
    dtype: torch.dtype  # of weights and inputs
    autocast: torch.dtype | None
    channels_last: bool
    threads: int

    @classmethod
    def of(cls, settings: Settings, model: nn.Module, images: Inputs, world: World = ALONE) -> Setup:
        device = world.device(find_device(settings.device))
        precision = settings.precision
        if precision == "auto":
            bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
            precision = "bfloat16" if bf16 else "float32"
        convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
        return cls(
            device,
            torch.float64 if precision == "float64" else torch.float32,
            torch.bfloat16 if precision == "bfloat16" else None,
            settings.channels_last == "on" or (settings.channels_last == "auto" and convolves),
            settings.threads
            or (1 if device.type == "cpu" and _small(model, images, settings) else torch.get_num_threads()),
        )

    def computing(self) -> Any:
        """The context of a forward pass."""
        return nullcontext() if self.autocast is None else torch.autocast(self.device.type, dtype=self.autocast)

    def inputs(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last and x.ndim == 4 else x

    def to_dict(self) -> dict[str, Any]:
        cuda = self.device.type == "cuda"
        return {
            "type": self.device.type,
            "name": torch.cuda.get_device_name(self.device) if cuda else f"cpu ({plural(self.threads, 'thread')})",
            "threads": self.threads,
            "precision": str(self.autocast or self.dtype).removeprefix("torch."),
            "channels_last": self.channels_last,
        }


def _small(model: nn.Module, images: Inputs, settings: Settings) -> bool:
    """Does a forward pass of one batch take so little that threads would mostly wait for each other?"""
    first = next(model.parameters(), None)
    if first is None or first.device.type != "cpu":
        return False
    training = model.training
    model.eval()
    try:
        x = images.batch(slice(0, 1), first.dtype).to(first.device)
        with torch.no_grad(), FlopCounterMode(display=False) as counted:
            model(x.to(first.dtype) if x.is_floating_point() else x)
    finally:
        model.train(training)
    return counted.get_total_flops() * settings.batch < SMALL


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Torch's CPU threads inside; their number is as it was outside."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


@torch.no_grad()
def predict(model: nn.Module, images: Inputs, setup: Setup, batch: int | None = None, world: World = ALONE) -> Tensor:
    """The class of the largest logit for every image, (N,), in evaluation mode; the model's mode is restored.

    Several processes share the batches out, and each gets the whole answer.
    """
    training = model.training
    model.eval()
    parts = list(torch.arange(len(images), device=setup.device).split(batch or images.evaluation))[
        world.rank :: world.size
    ]
    try:
        with setup.computing():
            found = [model(setup.inputs(x)).argmax(-1) for x in images.visits(parts, setup.dtype)]
    finally:
        model.train(training)
    if world.size == 1:
        return torch.cat(found, -1)
    answer = torch.zeros(len(images), dtype=torch.int64, device=setup.device)
    for part, classes in zip(parts, found, strict=True):
        answer[part] = classes
    return world.sum(answer)


# ------------------------------------------------------------------------------------------------------------- trainer


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
        self.loss = loss.to(setup.device)
        self.data = data.to(setup.device, setup.dtype)
        self.forward: Callable[[Tensor], Tensor] = through
        if settings.compile != "off":
            mode = "reduce-overhead" if settings.compile == "graphs" else "default"
            self.forward = torch.compile(through, mode=mode)
        self.weights: list[Tensor] = [p for part in (self.model, loss) for p in part.parameters() if p.requires_grad]
        if not self.weights:
            raise InputError("the model has no parameters to train")
        self.optimiser = torch.optim.SGD(
            self.weights,
            lr=settings.rate,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=settings.strength if settings.regularisation == "l2" else 0.0,
            fused=setup.device.type in ("cpu", "cuda"),
        )
        self.following: Following | None = cast(Following, loss) if hasattr(loss, "begin") else None
        if self.following is not None:
            self.following.follow(self.data.given)
        self.l1 = settings.strength if settings.regularisation == "l1" else 0.0
        self.jacobian = settings.strength if settings.regularisation == "jacobian" else 0.0
        self.random = generator(settings.seed, 0, "jacobian", setup.device)
        self.done = 0
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
        value: Tensor = self.loss(scores, y) if self.following is None else self.loss(scores, y, which)
        if weight != 1:
            value = value * weight
        penalised = value
        if self.jacobian:
            penalised = value + self.jacobian / 2 * squared_norm(scores, x, directions(scores, self.random))
        penalised.backward()
        trained = [p for p in self.weights if p.grad is not None]
        gradients = [p.grad for p in trained if p.grad is not None]
        if self.l1:  # published code has the norm inside the loss, so its gradient is clipped with the rest
            with torch.no_grad():
                torch._foreach_add_(gradients, torch._foreach_sign(trained), alpha=self.l1)
        norm = nn.utils.get_total_norm(gradients)
        # on a CPU reading the norm costs nothing and mostly spares a pass over the gradients; a GPU would have to wait
        if norm.item() > self.settings.clip if norm.device.type == "cpu" else self.settings.clip < math.inf:
            nn.utils.clip_grads_with_norm_(trained, self.settings.clip, norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return logits.detach(), value.detach(), norm

    def epoch(self, tick: Callable[[], Any] = lambda: None) -> Epoch:
        """Train one more epoch and measure; ``tick`` is called after every step. Raises :class:`DivergedError`."""
        with using(self.setup.threads):
            return self._epoch(tick)

    def _epoch(self, tick: Callable[[], Any]) -> Epoch:
        settings, data, world, number = self.settings, self.data, self.world, self.done
        device, rate = self.setup.device, settings.rate_in(number)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.model.train()
        self.loss.train()
        start = perf_counter()
        given = data.labels_in(number, settings.seed)
        if self.following is not None:
            own = generator(settings.seed, number, "loss", device)
            self.following.begin(number, settings.epochs, given, own)
        order = data.order(settings.seed, number).to(device)
        parts = batches(order, settings.batch)
        inputs = data.images.visits(parts, self.setup.dtype, (settings.seed, number), world)
        self.random = generator(settings.seed, number, "jacobian", device)
        predicted = torch.zeros_like(given)
        losses: list[Tensor] = []
        norms: list[Tensor] = []
        purpose = f"model/{world.rank}" if world.rank else "model"  # no two processes drop the same units
        with seeded(stream(settings.seed, number, purpose), device):
            for part, x in zip(parts, inputs, strict=True):
                weight = 1.0
                if world.size > 1:
                    weight, part = world.weight(len(part)), part[world.share(len(part))]
                logits, loss, norm = self.step(x, given[part], part, weight)
                predicted[part] = logits.argmax(-1)
                losses.append(loss)
                norms.append(norm)
                if len(losses) % LOOK == 0:
                    self._finite(losses)
                tick()
        means = self._finite(losses)
        world.sum(predicted)
        sizes = torch.tensor([float(len(part)) for part in parts], device=device)
        gathered = torch.stack([means.float(), torch.stack(norms).float()])
        mean_loss = float((gathered[0] * sizes).sum() / sizes.sum())
        mean_norm, clipped = gathered[1].mean().item(), (gathered[1] > settings.clip).double().mean().item()
        seconds = perf_counter() - start
        self.done += 1
        if settings.measure == "frozen":
            predicted = predict(self.model, data.images, self.setup, world=world)
        if len(order) < len(given):
            seen = order.sort().values
            (found,) = fitted(predicted[seen], given[seen], None if data.true is None else data.true[seen])
        else:
            (found,) = fitted(predicted, given, data.true)
        due = self.done % settings.evaluate == 0 or self.done == settings.epochs
        test, second = (self.test(), self.second()) if due else (None, None)
        speed = len(order) / seconds
        result = Epoch(self.done, rate, mean_loss, found, test, mean_norm, clipped, seconds, speed, second)
        self.curve.append(result)
        return result

    def _finite(self, losses: list[Tensor]) -> Tensor:
        """The losses of the batches so far, over all processes; every one of them stops where one is not finite."""
        values = self.world.sum(torch.stack(losses)) / self.world.size
        good = torch.isfinite(values)
        if not bool(good.all()):
            batch = int((~good).int().argmax())
            raise DivergedError(self.done + 1, batch + 1, float(values[batch]))
        return values

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

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on, and the curve."""
        return {
            "epoch": self.done,
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "curve": [epoch.facts() for epoch in self.curve],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a :meth:`state`, which is copied: a state is a view of the trainer it was taken from."""
        self.model.load_state_dict(state["model"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(deepcopy(state["optimiser"]))
        self.curve = [Epoch.from_dict(facts) for facts in state["curve"]]
        self.done = int(state["epoch"])

    def remaining(self) -> Iterator[int]:
        """The epochs still to train, from 0; :meth:`epoch` trains the next one."""
        while self.done < self.settings.epochs:
            yield self.done


class seeded:
    """Torch's own generators at a seed inside, and as they were outside: for dropout in a user's model."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.generators = [torch.default_generator]
        if device.type == "cuda":
            index = torch.cuda.current_device() if device.index is None else device.index
            self.generators.append(torch.cuda.default_generators[index])

    def __enter__(self) -> None:
        self.states = [each.get_state() for each in self.generators]
        for each in self.generators:
            each.manual_seed(self.seed)

    def __exit__(self, *error: object) -> None:
        for each, state in zip(self.generators, self.states, strict=True):
            each.set_state(state)


# ----------------------------------------------------------------------------------------------------------------- fit


def fit(
    model: nn.Module,
    loss: nn.Module,
    images: Tensor,
    labels: Tensor | None,
    *,
    true: Tensor | None = None,
    test: tuple[Tensor, Tensor] | None = None,
    redraw: Redraw | None = None,
    progress: bool = False,
    on_epoch: Callable[[Epoch], Any] | None = None,
    **settings: Any,
) -> History:
    """Train your own model on your own tensors, in place; the model is then on the device and in evaluation mode.

    ``images`` (N, ...) go to the model as they are, floats or token numbers; ``labels`` int64 (N,). ``true`` labels, where you
    know them, tell the clean part from the corrupted. ``settings`` are those of :class:`.config.Settings`: ``epochs``,
    ``batch``, ``rate``, ``regularisation``, ``seed``, ``device``, ... Raises InputError for data that do not fit together and
    :class:`DivergedError` when the loss is no longer finite.
    """
    unknown = [name for name in settings if name not in Settings.__dataclass_fields__]
    if unknown:
        raise InputError(f"fit has no setting {unknown[0]!r}{nearest(unknown[0], Settings.__dataclass_fields__)}")
    if labels is None and true is None:
        raise InputError("labels are needed (or true ones, with redraw)")
    given = labels if labels is not None else true
    assert given is not None
    test_images, test_labels = test if test is not None else (None, None)
    data = Data(Images(images), given, true, redraw, None if test_images is None else Images(test_images), test_labels)
    trainer = Trainer(model, loss, data, Settings(**settings))
    with Progress(trainer, progress) as bar:
        for _ in trainer.remaining():
            epoch = trainer.epoch(bar.tick)
            bar.show(epoch)
            if on_epoch is not None:
                on_epoch(epoch)
    model.eval()
    return trainer.history()


class Progress:
    """A bar on standard error over the steps of a run, or nothing."""

    def __init__(self, trainer: Trainer, wanted: bool) -> None:
        self.bar: Any = None
        if wanted:
            from tqdm import tqdm

            total, done = trainer.steps * trainer.settings.epochs, trainer.steps * trainer.done
            self.bar = tqdm(total=total, initial=done, unit="step", leave=False, dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def tick(self) -> None:
        if self.bar is not None:
            self.bar.update()

    def show(self, epoch: Epoch) -> None:
        """The epoch's figures beside the bar."""
        if self.bar is not None:
            test = {} if epoch.test is None else {"test": f"{epoch.test:.4f}"}
            self.bar.set_postfix({"epoch": epoch.epoch, "loss": f"{epoch.loss:.4g}", **test})
