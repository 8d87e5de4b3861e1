"""Many multilayer perceptrons of one shape as one batch: a loss parameter and a seed for each, everything else shared.

A small model leaves a machine idle: its matrices are too small for a core's caches to be of use, and most of a step goes into
starting operations. Here M models are one: weights (M, outputs, inputs), one ``baddbmm`` a layer, and the losses of one family
(one name, a value of its parameter for each model) as one program on logits (M, N, K), through the core's definition with a
tensor (M, 1, 1) in the place of the parameter. Models of one seed see the same images, which are read once. Gradients do not
mix: model m's loss depends on its own weights alone, its gradient is clipped by its own norm, and a model that becomes NaN
leaves the others as they are.

What is random is that of :mod:`.loop`: weights, order, augmentation and redrawn labels of a model are functions of its seed, so
a stacked model ends with the weights (up to rounding) that :class:`.loop.Trainer` gives it alone.

>>> family = Family(build("amse"), "a", [1.5, 1.8, 3.6])
>>> trainer = StackedTrainer(family, data, Settings(epochs=5), seeds=[0, 1], K=10)   # six models, seed-major
>>> for _ in trainer.remaining():
...     trainer.epoch()
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError
from asymtheory.losses import Loss, build, unknown_parameter
from asymtheory.numbers.scalar import Scalar

from ..data.inputs import EVALUATION, Data, Images, batches, generator, shuffled, stream
from ..losses.moving import equal_slope, slope_ratio
from ..losses.reference import given_losses, label_losses
from .config import Settings
from .device import find_device, using
from .models import STACKED, Network, build_model
from .schedule import Ramp, Schedule, Start, Way
from .sgd import SGD, StackedSGD

TYPES = {"auto": torch.float32, "float32": torch.float32, "float64": torch.float64}


class Family:
    """One loss at V values of one parameter, each with a factor: ``scales[v] * loss(parameter=values[v])``.

    ``parameter`` None (and no values) is the loss as it is, V = 1. ``scales``: default 1 each. A value outside the
    parameter's domain and an unknown parameter raise InputError.
    """

    def __init__(
        self, loss: Loss, parameter: str | None, values: Sequence[Scalar] = (), scales: Sequence[float] | None = None
    ) -> None:
        if parameter is not None and parameter not in loss.domains:
            raise InputError(unknown_parameter(loss.name, parameter, loss.domains))
        if (parameter is None) != (not len(values)):
            raise InputError(f"{loss.name}: a parameter and its values go together")
        self.loss, self.parameter = loss, parameter
        self.members = [loss] if parameter is None else [loss.replace(**{parameter: value}) for value in values]
        self.scales = [1.0] * len(self.members) if scales is None else [float(scale) for scale in scales]
        if len(self.scales) != len(self.members):
            raise InputError(f"{len(self.scales)} scales for {len(self.members)} losses")
        self._on: dict[tuple[torch.device, torch.dtype, int], tuple[Loss, Tensor]] = {}
        self._first: tuple[Loss, Tensor, float] | None = (
            None  # another loss, its factors (S * V, 1, 1), the weight of this one
        )

    @classmethod
    def repeated(cls, loss: Loss, scales: Sequence[float]) -> Family:
        """One loss as it is, once for every scale."""
        found = cls(loss, None)
        found.members, found.scales = [loss] * len(scales), [float(scale) for scale in scales]
        return found

    def __len__(self) -> int:
        return len(self.members)

    def __call__(self, logits: Tensor) -> Tensor:
        """Losses for every label, (S * V, N, K) in and out; model ``s * V + v`` has the v-th value."""
        loss, scale = self._tensors(logits)
        last = label_losses(loss, logits) * scale
        if self._first is None:
            return last
        first, factor, part = self._first
        return label_losses(first, logits) * factor + part * last

    def at(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Losses at one label each, (S * V, N, K) and (S * V, N) in, (S * V, N) out: those of a call, in fewer operations."""
        loss, scale = self._tensors(logits)
        last = given_losses(loss, logits, labels) * scale[..., 0]
        if self._first is None:
            return last
        first, factor, part = self._first
        return given_losses(first, logits, labels) * factor[..., 0] + part * last

    def _tensors(self, logits: Tensor) -> tuple[Loss, Tensor]:
        """The loss with a tensor in the place of its parameter, and the factors, both (S * V, 1, 1)."""
        key = (logits.device, logits.dtype, len(logits))
        if key not in self._on:
            copies = len(logits) // len(self)

            def spread(numbers: Sequence[Scalar]) -> Tensor:
                values = torch.tensor([float(x) for x in numbers], dtype=logits.dtype, device=logits.device)
                return values.repeat(copies)[:, None, None]

            loss = self.loss
            if self.parameter is not None:
                loss = loss._with(
                    **{self.parameter: spread([each.parameters[self.parameter] for each in self.members])}
                )
            self._on[key] = loss, spread(self.scales)
        return self._on[key]

    def move(self, way: Way, share: float, logits: Tensor) -> None:
        """Set the losses for the next step, each on its way to its end, at the initial slope that it has there.

        ``share`` of all steps is done; ``logits`` (S * V, N, K) are those of that step. InputError for a ramp of another
        parameter than the family's.
        """
        if isinstance(way, Start):
            self._start(way, share, logits)
        else:
            self._move(way, share, logits)

    def _start(self, start: Start, share: float, logits: Tensor) -> None:
        part, first = start.part(share), build(start.loss)
        if part >= 1:
            self._first = None
            return
        _, scale = self._tensors(logits)
        factors = [
            (1 - part) * own * equal_slope(first, member, logits.shape[-1])
            for own, member in zip(self.scales, self.members, strict=True)
        ]
        spread = torch.tensor(factors, dtype=scale.dtype, device=scale.device).repeat(len(scale) // len(self))
        self._first = first, spread[:, None, None], part

    def _move(self, ramp: Ramp, share: float, logits: Tensor) -> None:
        name = self.parameter
        if name != ramp.parameter:
            raise InputError(f"schedule {ramp}: {self.loss.name} has no values of {ramp.parameter} here")
        ends = [float(ramp.end if ramp.end is not None else member.parameters[name]) for member in self.members]
        now = [ramp.at(share, end) for end in ends]
        factors = [
            scale * slope_ratio(self.loss, name, value, end, logits.shape[-1])
            for scale, value, end in zip(self.scales, now, ends, strict=True)
        ]
        loss, scale = self._tensors(logits)
        for tensor, numbers in ((loss.parameters[name], now), (scale, factors)):
            tensor.copy_(torch.tensor(numbers, dtype=tensor.dtype).repeat(len(scale) // len(self))[:, None, None])


class Families:
    """Several families side by side, with the values of all as theirs: dozens of losses in one batch."""

    def __init__(self, families: Sequence[Family]) -> None:
        if not families:
            raise InputError("families: at least one is needed")
        self.families = tuple(families)
        self.members = [member for family in families for member in family.members]

    def __len__(self) -> int:
        return len(self.members)

    def __call__(self, logits: Tensor) -> Tensor:
        """Losses of all families; see :meth:`Family.__call__`."""
        found = [family(z.flatten(0, 1)).unflatten(0, (-1, len(family))) for family, z in self._parts(logits)]
        return torch.cat(found, 1).flatten(0, 1)

    def at(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Losses at one label each, of all families; see :meth:`Family.at`."""
        found = [
            family.at(z.flatten(0, 1), y.flatten(0, 1)).unflatten(0, (-1, len(family)))
            for (family, z), (_, y) in zip(self._parts(logits), self._parts(labels), strict=True)
        ]
        return torch.cat(found, 1).flatten(0, 1)

    def move(self, way: Way, share: float, logits: Tensor) -> None:
        """Move the losses of all families; see :meth:`Family.move`."""
        for family, z in self._parts(logits):
            family.move(way, share, z.flatten(0, 1))

    def _parts(self, models: Tensor) -> Iterator[tuple[Family, Tensor]]:
        """What belongs to each family of a tensor (S * V, ...), as (S, its values, ...)."""
        sizes = [len(family) for family in self.families]
        return zip(self.families, models.unflatten(0, (-1, len(self))).split(sizes, 1), strict=True)


def is_perceptron(model: nn.Module) -> bool:
    """Is it linear layers with ReLU between them and nothing else, all trained, so that it can be stacked?"""
    parts = [type(module) for module in model.modules()]
    chain = [kind for kind in parts if kind not in (Network, nn.Sequential)]
    if chain[:1] == [nn.Flatten]:
        chain = chain[1:]
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return (
        parts[0] in (Network, nn.Sequential)
        and len(chain) % 2 == 1
        and all(kind is (nn.ReLU if place % 2 else nn.Linear) for place, kind in enumerate(chain))
        and all(module.bias is not None for module in linear)
        and all(weight.requires_grad for weight in model.parameters())
    )


class StackedMLP(nn.Module):
    """M perceptrons (linear layers with ReLU between them; a linear classifier is one without) as one module.

    Inputs (G, N, D) are each shared by M / G neighbouring models, (N, D) by all; logits come as (M, N, K). Inside, the
    images are the last axis: weights (M, outputs, inputs) times (M, inputs, N). So the first layer of models that share their
    inputs is one matrix product, nothing is copied between layers, and whatever runs over classes runs over whole rows of images.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        layers = [list(model.named_modules()) for model in models]
        for _, module in layers[0]:
            if not isinstance(module, Network | nn.Sequential | nn.Flatten | nn.ReLU | nn.Linear):
                raise InputError(
                    f"a network with {type(module).__name__} cannot be stacked: {' and '.join(STACKED)} can"
                )
        self.names = [name for name, module in layers[0] if isinstance(module, nn.Linear)]
        found: Any = [[model.get_submodule(name) for model in models] for name in self.names]
        self.weights = nn.ParameterList(torch.stack([each.weight.detach() for each in layer]) for layer in found)
        self.biases = nn.ParameterList(torch.stack([each.bias.detach()[:, None] for each in layer]) for layer in found)

    def __len__(self) -> int:
        return len(self.weights[0])

    def forward(self, x: Tensor) -> Tensor:
        x = x.mT if x.ndim == 3 else x.mT[None]
        last = len(self.weights) - 1
        for depth, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            groups = len(x)
            found = torch.baddbmm(bias.view(groups, -1, 1), weight.view(groups, -1, weight.shape[2]), x)
            x = found.view(len(weight), weight.shape[1], x.shape[2])
            if depth < last:
                x = x.relu_()
        return x.mT

    def member(self, index: int) -> dict[str, Tensor]:
        """The state dict of one model, as the network that it was made from has it."""
        return self.named([*self.weights, *self.biases], index)

    def named(self, tensors: Sequence[Tensor], index: int) -> dict[str, Tensor]:
        """What one model has of tensors like the weights and then the biases, such as velocities, by the names of a state dict."""
        state = {}
        count = len(self.names)
        for name, weight, bias in zip(self.names, tensors[:count], tensors[count:], strict=True):
            state[f"{name}.weight"] = weight[index].detach().clone()
            state[f"{name}.bias"] = bias[index, :, 0].detach().clone()
        return state


@dataclass(frozen=True)
class Own:
    """What every model of a stack has of its own, in the order of the members: learning rate, clip of the gradient's norm, and
    strength of the regularisation."""

    rates: Sequence[float]
    clips: Sequence[float]
    strengths: Sequence[float]


@dataclass(frozen=True)
class Seen:
    """An epoch of a stack, step by step. ``predicted``: classes as it ran (M, N); ``losses`` and ``norms`` (of the gradients before
    clipping): (steps, M); ``sizes`` of the batches (steps,). All but the classes in float64."""

    predicted: Tensor
    losses: Tensor
    norms: Tensor
    sizes: Tensor

    def means(self, clip: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of every model (M,) the mean loss of an image, mean norm of a step's gradient, share of steps clipped to ``clip``
        (of all, or of each)."""
        return self.sizes @ self.losses / self.sizes.sum(), self.norms.mean(0), (self.norms > clip).double().mean(0)


def _check(model: str, settings: Settings) -> None:
    """InputError for networks and settings of which there are no stacks."""
    if model not in STACKED:
        raise InputError(f"--model {model}: only {', '.join(STACKED)} are trained as one batch")
    if settings.precision not in TYPES:
        raise InputError(f"precision {settings.precision!r}: models are stacked in {', '.join(TYPES)}")
    if settings.regularisation == "jacobian":
        raise InputError("regularisation 'jacobian': stacked models are trained with none, l1 or l2")
    way = Schedule.parse(settings.schedule).way
    if way is not None and way.signal is not None:
        raise InputError(f"schedule {way}: a signal comes to each model at a time of its own: train them one by one")


class StackedTrainer:
    """S seeds times V members of a family in training; model ``s * V + v`` has seed s and member v.

    ``data``: images, true labels, ``redraw`` and test set, shared by all. ``given``: labels (S, N) of the seeds, where they
    differ (default ``data.given`` for all). ``rows``: a matrix (K, K), the noise; with it the loss of an image is its
    expectation over the labels of its true class, ``sum_k rows[true, k] L(u, k)``, and no label is drawn.

    ``model``: one of :data:`.models.STACKED`. The weights of seed s are those of ``build_model(model, K, shape, width, ...)`` at
    that seed. ``networks``: perceptrons (:func:`is_perceptron`) to begin with instead, one for each model. ``own``: settings of
    each model, before which the settings' rate is a factor of all, and their clip and strength are not looked at.
    """

    def __init__(
        self,
        family: Family | Families,
        data: Data,
        settings: Settings,
        seeds: Sequence[int],
        *,
        K: int,
        model: str = "mlp",
        width: float = 1.0,
        given: Tensor | None = None,
        rows: Tensor | None = None,
        networks: Sequence[nn.Module] | None = None,
        own: Own | None = None,
    ) -> None:
        _check(model, settings)
        if data.balanced is not None:
            raise InputError(f"--balanced {data.balanced}: stacked models see every image in every epoch; leave it out")
        if not seeds:
            raise InputError("seeds: at least one is needed")
        if given is not None and given.shape != (len(seeds), len(data.images)):
            raise InputError(f"labels of shape {tuple(given.shape)}: {(len(seeds), len(data.images))} is needed")
        if rows is not None and (rows.shape != (K, K) or data.true is None):
            raise InputError(f"rows of shape {tuple(rows.shape)}: {(K, K)}, and true labels, are needed")
        self.family, self.settings, self.seeds, self.K = family, settings, tuple(seeds), K
        self.device, self.dtype = find_device(settings.device), TYPES[settings.precision]
        # a second thread waits for the first after each of many small operations: ten times as slow on a busy machine
        self.threads = settings.threads or 1
        self.data = data.to(self.device, self.dtype)
        self.given = self.data.given.expand(len(seeds), -1) if given is None else given.to(self.device)
        self.rows = None if rows is None else rows.to(self.device, self.dtype)
        if not isinstance(self.data.images, Images) or not isinstance(self.data.test, Images | None):
            raise InputError("images that do not lie in one tensor cannot be stacked: train on a smaller set")
        self.images, self.test_images = self.data.images, self.data.test
        shape = tuple(self.images.tensor.shape[1:])
        if networks is None:
            built = [build_model(model, K, shape, width, stream(seed, 0, "weights")) for seed in seeds]
            networks = [network for network in built for _ in range(len(family))]
        self.model = StackedMLP(networks).to(self.device, self.dtype)
        self.weights: list[Tensor] = list(self.model.parameters())
        self.clip: float | Tensor = settings.clip
        self.clipping = settings.clip < math.inf
        self.optimiser = SGD(self.weights, settings)
        if own is not None:
            rates, self.clip, strengths = (
                torch.tensor(numbers, dtype=self.dtype, device=self.device)
                for numbers in (own.rates, own.clips, own.strengths)
            )
            self.clipping = min(own.clips) < math.inf
            self.optimiser = StackedSGD(self.weights, settings, rates[:, None, None], strengths[:, None, None])
        self.way = Schedule.parse(settings.schedule).way
        self.done = 0

    def __len__(self) -> int:
        return len(self.model)

    @property
    def diverged(self) -> list[bool]:
        """Which models have weights that are not finite."""
        finite = torch.stack([weight.isfinite().flatten(1).all(1) for weight in self.weights]).all(0)
        return [not good for good in finite.tolist()]

    def step(self, x: Tensor, target: Tensor) -> Tensor:
        """One step on inputs (G, N, D), as the model takes them, and labels (M, N), or weights of the labels (M, N, K): each
        model's loss, (M,)."""
        return self._step(x, target)[1]

    def _step(self, x: Tensor, target: Tensor, taken: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """(logits, losses, norms of the gradients before clipping) of every model, after so many steps."""
        logits = self.model(x)
        if self.way is not None:
            self.family.move(self.way, taken / (self.steps * self.settings.epochs), logits)
        if target.is_floating_point():
            picked = (self.family(logits) * target).sum(-1)
        else:
            picked = self.family.at(logits, target)
        value = picked.mean(1)
        value.sum().backward()
        norms = self.optimiser.step(self._clipped)
        return logits.detach(), value.detach(), norms

    def _clipped(self, gradients: list[Tensor]) -> Tensor:
        """The norm of each model's gradients (M,), which are scaled down in place where it is larger than the settings' clip."""
        parts = torch.stack([torch.linalg.vector_norm(gradient, dim=(1, 2)) for gradient in gradients])
        norms = torch.linalg.vector_norm(parts, dim=0)
        # a look at the norms is free on a CPU, and spares a pass over all gradients where none is clipped
        if self.clipping and (self.device.type != "cpu" or bool((norms > self.clip).any())):
            factor = (self.clip / (norms + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_(gradients, [factor[:, None, None]] * len(gradients))
        return norms

    def epoch(self, tick: Callable[[], object] = lambda: None) -> Tensor:
        """Train one more epoch; the mean loss of every model, (M,), NaN for one that diverged."""
        with using(self.threads):
            return self._epoch(tick, watch=False).means(self.clip)[0]

    def watched(self, tick: Callable[[], object] = lambda: None) -> Seen:
        """Train one more epoch; all that was seen of it."""
        with using(self.threads):
            return self._epoch(tick, watch=True)

    def _epoch(self, tick: Callable[[], object], watch: bool) -> Seen:
        """``watch``: note the classes too."""
        settings, number, data = self.settings, self.done, self.data
        self.optimiser.rate = settings.rate_in(number)
        given = self.given
        if data.redraw is not None:
            given = torch.stack([data.labels_in(number, seed) for seed in self.seeds])
        orders = [
            batches(shuffled(len(data.images), seed, number).to(self.device), settings.batch) for seed in self.seeds
        ]
        randoms = [generator(seed, number, "augmentation", self.device) for seed in self.seeds]
        predicted = torch.zeros(len(self), len(data.images), dtype=torch.int64, device=self.device)
        losses: list[Tensor] = []
        norms: list[Tensor] = []
        sizes: list[int] = []
        for parts in zip(*orders, strict=True):
            x = self._inputs(parts, randoms)
            y = given.gather(1, torch.stack(parts))
            if self.rows is not None:
                assert data.true is not None
                y = self.rows[data.true[torch.stack(parts)]]
            logits, loss, norm = self._step(x, self._spread(y), number * len(orders[0]) + len(losses))
            if watch:
                predicted.scatter_(1, self._spread(torch.stack(parts)), logits.contiguous().argmax(-1))
            losses.append(loss)
            norms.append(norm)
            sizes.append(x.shape[1])
            tick()
        self.done += 1
        weights = torch.tensor(sizes, dtype=torch.float64, device=self.device)
        return Seen(predicted, torch.stack(losses).double(), torch.stack(norms).double(), weights)

    def _inputs(self, parts: Sequence[Tensor], randoms: Sequence[torch.Generator]) -> Tensor:
        """Inputs (S, n, D) of a batch of every seed."""
        if self.images.kind == "none":
            return self.images.batch(torch.cat(list(parts)), self.dtype).view(len(parts), len(parts[0]), -1)
        pairs = zip(parts, randoms, strict=True)
        return torch.stack([self.images.batch(part, self.dtype, random).flatten(1) for part, random in pairs])

    def _spread(self, each: Tensor) -> Tensor:
        """(S, ...) to (M, ...): what belongs to a seed, for all its models."""
        return each.repeat_interleave(len(self.family), 0) if len(self.family) > 1 else each

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return len(batches(torch.arange(len(self.data.images)), self.settings.batch))

    def remaining(self) -> Iterator[int]:
        """The epochs still to train, from 0; :meth:`epoch` trains the next one."""
        while self.done < self.settings.epochs:
            yield self.done

    @torch.no_grad()
    def predict(self, images: Images, size: int = EVALUATION) -> Iterator[tuple[slice, Tensor]]:
        """Logits (M, n, K) of slices of images that are not augmented; ``images`` is ``data.images`` or ``data.test``."""
        with using(self.threads):
            for start in range(0, len(images), size):
                part = slice(start, min(start + size, len(images)))
                yield part, self.model(images.batch(part, self.dtype).flatten(1))

    def classes(self) -> Tensor:
        """The class that every model gives each test image, (M, N)."""
        assert self.test_images is not None
        return torch.cat([logits.contiguous().argmax(-1) for _, logits in self.predict(self.test_images)], 1)

    def test(self) -> list[float] | None:
        """Every model's accuracy on the test set, None without one."""
        if self.test_images is None:
            return None
        assert self.data.test_labels is not None
        right = torch.zeros(len(self), dtype=torch.int64, device=self.device)
        for part, logits in self.predict(self.test_images):
            right += (logits.contiguous().argmax(-1) == self.data.test_labels[part]).sum(1)
        return (right.double() / len(self.test_images)).tolist()
