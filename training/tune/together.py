"""Arms of a search that are trained as one batch: their networks are perceptrons of one shape (:mod:`..run.stack`).

Losses, values, learning rates, clips and penalties differ; images, their order and the schedule are shared. Each arm takes the
steps that it takes alone, up to rounding, and its state is the one that a run alone goes on from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TypeAlias

from torch import Tensor, nn

from asymtheory.jsonlines import Json, JsonValue

from ..data.inputs import Data, Images
from ..losses.build import build_loss
from ..run.config import Settings
from ..run.device import find_device
from ..run.evaluation import fitted
from ..run.lead import Lead
from ..run.record import Epoch
from ..run.schedule import Schedule
from ..run.stack import TYPES, Families, Family, Own, StackedTrainer, is_perceptron
from .space import Arm

LARGEST = 16
"""Arms in one batch: more gain nothing (benchmarks/tuning.py)."""


def can_stack(model: nn.Module, data: Data, settings: Settings) -> bool:
    """Can arms with this network be trained as one batch, with the answers that each has alone?"""
    images = data.images
    if not isinstance(images, Images) or not is_perceptron(model):
        return False
    flat = images.tensor.ndim == 2 or any(isinstance(module, nn.Flatten) for module in model.modules())
    precise = settings.precision != "auto" or find_device(settings.device).type == "cpu"
    plain = settings.compile == "off" and settings.regularisation != "jacobian" and settings.measure == "running"
    plain = plain and Schedule.parse(settings.schedule).way is None
    return flat and plain and precise and settings.precision in TYPES and data.ignore is None


def batches_of(places: Sequence[int], arms: Sequence[Arm], done: Sequence[int]) -> list[list[int]]:
    """Places of arms in batches, losses of one form side by side; ``done``: epochs of each arm.

    Arms of one batch are trained as far, and led along one ramp or not at all.
    """
    groups: dict[object, list[int]] = {}
    for place in sorted(places, key=lambda place: (str(_form(arms[place])), place)):
        arm = arms[place]
        groups.setdefault((done[place], arm.until and arm.loss.main, arm.until), []).append(place)
    return [group[start : start + LARGEST] for group in groups.values() for start in range(0, len(group), LARGEST)]


Form: TypeAlias = tuple[str, tuple[tuple[str, str], ...], bool]


def _form(arm: Arm) -> Form:
    """What arms of one family share: the loss without the values that may differ in a batch; does its parameter vary?"""
    loss = arm.loss
    varies = loss.main is not None and not loss.domains[loss.main].integer
    rest = sorted((name, str(value)) for name, value in loss.parameters.items() if not (varies and name == loss.main))
    return loss.name, tuple(rest), varies


class Together:
    """Arms in training as one batch, between two epochs; ``networks`` and ``states`` (None: from the start) are those of the arms.

    Arms of one form are neighbours, as :func:`batches_of` has them.
    """

    def __init__(
        self,
        arms: Sequence[Arm],
        networks: Sequence[nn.Module],
        states: Sequence[Mapping[str, JsonValue] | None],
        data: Data,
        settings: Settings,
        K: int,
    ) -> None:
        self.arms = arms
        self.settings = [arm.settings(settings, K) for arm in arms]
        own = Own(*([float(getattr(each, name)) for each in self.settings] for name in ("rate", "clip", "strength")))
        for network, state in zip(networks, states, strict=True):
            if state is not None:
                network.to(TYPES[settings.precision]).load_state_dict(state["model"])  # else rounded on the way
        shared = replace(settings, rate=1.0, schedule=self.settings[0].schedule)
        self.trainer = StackedTrainer(_families(arms), data, shared, [settings.seed], K=K, networks=networks, own=own)
        self.trainer.done = 0 if states[0] is None else int(states[0]["epoch"])
        self.curves: list[list[JsonValue]] = [[] if state is None else list(state["curve"]) for state in states]
        for place, state in enumerate(states):
            if state is not None and settings.momentum:
                self._velocities(place, state["optimiser"]["state"], networks[place])

    def _velocities(self, index: int, kept: Mapping[int, JsonValue], network: nn.Module) -> None:
        """Those of one arm, which are in the order of its network's weights, into the batch."""
        order = {name: place for place, (name, _) in enumerate(network.named_parameters())}
        model, velocities = self.trainer.model, self.trainer.optimiser.velocities
        for place, layer in enumerate(model.names):
            weight, bias = velocities[place], velocities[place + len(model.names)]
            assert weight is not None
            assert bias is not None
            weight[index].copy_(kept[order[f"{layer}.weight"]]["momentum_buffer"])
            bias[index, :, 0].copy_(kept[order[f"{layer}.bias"]]["momentum_buffer"])

    @property
    def done(self) -> int:
        """Epochs trained."""
        return self.trainer.done

    def epoch(self) -> tuple[Tensor, list[bool]]:
        """Train one more epoch: the class that every arm gives each test image (M, N); are its losses and gradients finite?"""
        start, trainer, number = perf_counter(), self.trainer, self.trainer.done
        seen = trainer.watched()
        seconds = (perf_counter() - start) / len(self.arms)
        classes = trainer.classes()
        assert trainer.data.test_labels is not None
        tested = (classes == trainer.data.test_labels).double().mean(1).tolist()
        finite = (seen.losses.isfinite() & seen.norms.isfinite()).all(0).tolist()
        means, gradients, clipped = (each.tolist() for each in seen.means(trainer.clip))
        counted = fitted(seen.predicted, trainer.given[0], trainer.data.true)
        speed = len(trainer.images) / max(seconds, 1e-9)
        for place, curve in enumerate(self.curves):
            figures = (means[place], counted[place], tested[place], gradients[place], clipped[place], seconds, speed)
            curve.append(Epoch(number + 1, self.settings[place].rate_in(number), *figures).facts())
        return classes, finite

    def state(self, index: int) -> Json:
        """The state of one arm, as :meth:`..run.loop.Trainer.state` has it."""
        trainer, arm = self.trainer, self.arms[index]
        loss: nn.Module = build_loss(arm.loss)
        way = Schedule.parse(self.settings[index].schedule).way
        if way is not None:
            loss = Lead(loss, way).loss
        model = trainer.model.member(index)
        velocities = [each for each in trainer.optimiser.velocities if each is not None]
        kept = trainer.model.named(velocities, index) if velocities else {}
        return {
            "epoch": trainer.done,
            "model": model,
            "loss": loss.state_dict(),
            "optimiser": {
                "state": {place: {"momentum_buffer": kept[name]} for place, name in enumerate(model) if kept}
            },
            "curve": list(self.curves[index]),
        }


def _families(arms: Sequence[Arm]) -> Families:
    """The losses of a batch: values of one parameter are one family, else equal losses are."""
    groups: dict[Form, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(_form(arm), []).append(arm)
    families = []
    for (_, _, varies), members in groups.items():
        loss = members[0].loss
        if varies:
            assert loss.main is not None
            families.append(Family(loss, loss.main, [arm.loss.parameters[loss.main] for arm in members]))
        else:
            families.append(Family.repeated(loss, [1.0] * len(members)))
    return Families(families)
