"""What is worth trying on a noise: losses that tolerate it, values above their thresholds, learning rates at equal initial slope.

Two losses differ in the slope that an untrained network sees, and that slope acts as a learning rate. An arm's ``rate`` is that
of CE; the loss is trained at ``rate * scale`` with ``scale = K / s(1/K)``, and the gradient's clip and the weights' penalty are
divided by the scale, so that the run is the one of the scaled loss at ``rate``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build
from asymtheory.noise import NoiseModel
from asymtheory.numbers.text import plain
from asymtheory.threshold import solve

from ..run.config import Settings, TrainConfig

RATES = (0.002, 0.008, 0.032, 0.128)
"""Learning rates of CE; an arm of every loss and value has each of them."""
ABOVE = (Fraction(1), Fraction(3))
"""Multiples of its threshold that a parameter takes."""
FAMILIES = (
    "amse", "agce:q=1/2", "agce:q=3/2", "aul:p=2", "ael", "jal-ce", "nce+agce", "nce+rce", "mae", "gce:q=7/10", "gce:q=9/10",
    "anl-ce",
)  # fmt: skip
"""Losses that are tried where they tolerate the noise. CE is always tried: without noise nothing else is needed."""


Chosen = TypeVar("Chosen", bound=Settings)


@dataclass(frozen=True)
class Arm:
    """One way to train: a loss with its parameters, the rate that CE would have, and why it is tried."""

    loss: Loss
    rate: float
    because: str

    def scale(self, K: int) -> float:
        """The factor that gives the loss the initial slope of CE."""
        return K / fitting_slope(self.loss, K).unfitted

    def settings(self, base: Chosen, K: int) -> Chosen:
        """The settings of a run of the unscaled loss that is that of the scaled one at ``rate``."""
        scale = self.scale(K)
        return replace(base, rate=self.rate * scale, clip=base.clip / scale, strength=base.strength / scale)

    def config(self, base: TrainConfig, K: int) -> TrainConfig:
        """The run as a configuration."""
        own = {name: Fraction(value) for name, value in self.loss.parameters.items()}
        return replace(self.settings(base, K), loss=self.loss.name, formula=None, passive=None, parameters=own)

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {_short(value)}" for name, value in self.loss.parameters.items())
        return f"{self.loss.name}{f' ({values})' if values else ''} at rate {self.rate:g}"


def _short(value: Fraction) -> str:
    text = plain(value)
    return text if len(text) <= 8 else f"{float(value):.4g}"


def arms(
    noise: NoiseModel | None, K: int, losses: Iterable[str] = FAMILIES, rates: Sequence[float] = RATES
) -> list[Arm]:
    """The arms for a noise (None: the labels are clean), those of CE first; rates from the middle outwards.

    A loss is named as in a plan, ``agce:q=1/2``. One that tolerates the noise at no value is left out. Raises InputError for an
    unknown loss, and for rates that are not positive.
    """
    if not rates or any(not 0 < rate < float("inf") for rate in rates):
        raise InputError("rates: at least one, each a number > 0, is needed")
    chosen = [(build("ce"), "never worse than CE"), *(each for name in losses for each in _tolerant(name, noise))]
    middle = (len(rates) - 1) / 2
    ordered = sorted(rates, key=lambda rate: abs(sorted(rates).index(rate) - middle))
    for loss, _ in chosen:
        if noise is not None and noise.classes != K:
            raise InputError(f"the noise has {noise.classes} classes, the data have {K}")
        fitting_slope(loss, K)
    return [Arm(loss, rate, because) for rate in ordered for loss, because in chosen]


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
    found = solve(loss, noise)
    if found.status == "threshold" and found.end is not None and found.end.value > 0:
        end = Fraction(found.end.number if found.end.number is not None else found.end.high)
        for factor in ABOVE:
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
