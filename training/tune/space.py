"""What is worth trying on a noise: losses that tolerate it, values above their thresholds, learning rates at equal initial slope.

Two losses differ in the slope that an untrained network sees, and that slope acts as a learning rate. An arm's ``rate`` is that
of CE; the loss is trained at ``rate * scale`` with ``scale = K / s(1/K)``, and the gradient's clip and the weights' penalty are
divided by the scale, so that the run is the one of the scaled loss at ``rate``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias, TypeVar

from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build
from asymtheory.noise import NoiseModel
from asymtheory.numbers.text import plain
from asymtheory.selection.advice import UNKNOWN, Run, advise
from asymtheory.threshold import solve

from ..run.config import Settings, TrainConfig
from ..run.schedule import RAMP, Schedule
from .settle import beforehand

RATES = (0.002, 0.008, 0.032, 0.128)
"""Learning rates of CE; an arm of every loss and value has each of them."""
FIRST = 0.032
"""The rate at which arms were best on average on the tasks that were not set aside (docs/regret.md): it and its neighbours are
tried first, so that a small budget has all losses at it."""
ABOVE = (Fraction(1), Fraction(3))
"""Multiples of its threshold that a parameter takes."""
FAMILIES = (
    "amse", "agce:q=1/2", "agce:q=3/2", "aul:p=2", "ael", "jal-ce", "nce+agce", "nce+rce", "mae", "gce:q=7/10", "gce:q=9/10",
    "anl-ce",
)  # fmt: skip
"""Losses that are tried where they tolerate the noise. CE is always tried: without noise nothing else is needed."""
CE = "ce"
LED = ("jal-ce", "amse")
LED_TO = (Fraction(3), Fraction(8))
UNTIL = 0.3
"""Losses whose parameter is also led from 1 to multiples of its threshold over this share of the steps (docs/regret.md)."""


Chosen = TypeVar("Chosen", bound=Settings)


@dataclass(frozen=True)
class Arm:
    """One way to train: a loss with its parameters, the rate that CE would have, and why it is tried."""

    loss: Loss
    rate: float
    because: str
    until: float = 0.0
    expected: float | None = None
    """Points below the best arm that are expected on the noise, by the regret benchmark; None where it was not measured."""

    def scale(self, K: int) -> float:
        """The factor that gives the loss the initial slope of CE."""
        return K / fitting_slope(self.loss, K).unfitted

    def settings(self, base: Chosen, K: int) -> Chosen:
        """The settings of a run of the unscaled loss that is that of the scaled one at ``rate``."""
        scale = self.scale(K)
        found = replace(base, rate=self.rate * scale, clip=base.clip / scale, strength=base.strength / scale)
        if not self.until:
            return found
        rate = Schedule.parse(base.schedule).text.partition("+")[0]
        return replace(found, schedule=f"{rate}+{RAMP}:{self.loss.main}:1::{self.until:g}")

    def config(self, base: TrainConfig, K: int) -> TrainConfig:
        """The run as a configuration."""
        own = {name: Fraction(value) for name, value in self.loss.parameters.items()}
        return replace(self.settings(base, K), loss=self.loss.name, formula=None, passive=None, parameters=own)

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {_short(value)}" for name, value in self.loss.parameters.items())
        led = " led" if self.until else ""
        return f"{self.loss.name}{f' ({values})' if values else ''}{led} at rate {self.rate:g}"


def _short(value: Fraction) -> str:
    text = plain(value)
    return text if len(text) <= 8 else f"{float(value):.4g}"


def arms(
    noise: NoiseModel | None,
    K: int,
    losses: Iterable[str] = FAMILIES,
    rates: Sequence[float] = RATES,
    run: Run = UNKNOWN,
) -> list[Arm]:
    """The arms for a noise, the best first by what is expected of them, else from the rate FIRST outwards; None: the labels are
    clean, and CE comes first at every rate. ``run``: what is known of the data and of the length of a whole run.

    A loss is named as in a plan, ``agce:q=1/2``. One that tolerates the noise at no value is left out. Raises InputError for an
    unknown loss, and for rates that are not positive.
    """
    if not rates or any(not 0 < rate < float("inf") for rate in rates):
        raise InputError("rates: at least one, each a number > 0, is needed")
    asked = list(losses)
    chosen = [(build(CE), "never worse than CE"), *(each for name in asked for each in _tolerant(name, noise))]
    ordered = sorted(rates, key=by_rate)
    for loss, _ in chosen:
        if noise is not None and noise.classes != K:
            raise InputError(f"the noise has {noise.classes} classes, the data have {K}")
        fitting_slope(loss, K)
    led = [each for name in LED if name in asked for each in _led(name, noise)]
    expectations = {} if noise is None else _expectations(noise, run, rates)
    found = [
        replace(arm, expected=expectations.get(_key(arm.loss, rate, arm.until)))
        for rate in ordered
        for arm in (
            *(Arm(loss, rate, because, UNTIL) for loss, because in led),
            *(Arm(loss, rate, because) for loss, because in chosen),
        )
    ]
    if noise is None:
        return sorted(found, key=lambda arm: arm.loss.name != CE)
    return [found[place] for place in beforehand([arm.expected for arm in found])]


def by_rate(rate: float) -> tuple[float, float]:
    """The order of rates: by their ratio to FIRST, and of two that are as far away the smaller one."""
    return round(abs(math.log(rate / FIRST)), 9), rate


Key: TypeAlias = tuple[str, tuple[tuple[str, float], ...], float, float]


def _key(loss: Loss, rate: float, until: float) -> Key:
    values = tuple(sorted((name, round(float(value), 9)) for name, value in loss.parameters.items()))
    return loss.name, values, rate, until


def _expectations(noise: NoiseModel, run: Run, rates: Sequence[float]) -> dict[Key, float]:
    """What is expected of every recipe that was measured, at the nearest of the rates (within a factor of two), where its loss
    has a value on the noise; nothing without advice."""
    try:
        advice = advise(noise, run)
    except InputError:
        return {}
    found: dict[Key, float] = {}
    for each in advice.ranked:
        rate = min(rates, key=lambda own: abs(math.log(own / each.rate)))
        if abs(math.log(rate / each.rate)) <= math.log(2) + 1e-9:
            found.setdefault(_key(each.loss, rate, each.recipe.until), each.deficit)
    return found


def _led(name: str, noise: NoiseModel | None) -> Iterator[tuple[Loss, str]]:
    """A loss at the values that its parameter is led to; nothing on clean labels."""
    if noise is None:
        return
    for member, because in _multiples(named(name), noise, LED_TO):
        yield member, f"{because}, led there from 1"


def _tolerant(name: str, noise: NoiseModel | None) -> Iterator[tuple[Loss, str]]:
    """A loss at values that tolerate the noise, each with the reason; as it is on clean labels and where it has no parameter."""
    loss = named(name)
    if noise is None or loss.main is None or name.partition(":")[2].startswith(f"{loss.main}="):
        verdict = None if noise is None else check(loss, noise).asymmetric
        if verdict is not False:
            yield (
                loss,
                "clean labels" if noise is None else "tolerates the noise" if verdict else "not decided by the theory",
            )
        return
    yield from _multiples(loss, noise, ABOVE)


def _multiples(loss: Loss, noise: NoiseModel, factors: Sequence[Fraction]) -> Iterator[tuple[Loss, str]]:
    """The loss at multiples of its threshold that tolerate the noise; as it is where every value does."""
    assert loss.main is not None
    found = solve(loss, noise)
    if found.status == "threshold" and found.end is not None and found.end.value > 0:
        end = Fraction(found.end.number if found.end.number is not None else found.end.high)
        for factor in factors:
            if (value := factor * end) in loss.domains[loss.main]:
                member = loss.replace(**{loss.main: value})
                if check(member, noise).asymmetric:
                    yield member, f"{loss.main} at {plain(factor)} times its threshold"
    elif found.status == "always":
        yield loss, "tolerates the noise at every value"


def named(text: str) -> Loss:
    """``agce`` or ``agce:q=1/2,a=2``."""
    name, colon, rest = text.partition(":")
    values = dict(part.split("=", 1) for part in rest.split(",")) if colon else {}
    return build(name, **{key: Fraction(value) for key, value in values.items()})
