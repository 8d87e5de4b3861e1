"""What to train with, before any training: loss, value, learning rate and path, by what was measured on other noisy data.

The theory says which losses tolerate a noise; it does not say which of them trains best. That was measured: the regret
benchmark (benchmarks/regret.py, docs/regret.md) trained some 250 recipes on each of its tasks. A recipe is a loss, its parameter as
a multiple of its threshold on the noise at hand, a learning rate at one initial slope for all losses, and perhaps a ramp of the
parameter. The points by which a recipe falls short of the best one are modelled by a straight line in one number of the noise,

    deficit = base + slope * spread,    spread = max_i (max_j T_ij - min_j T_ij) / (1 - T_ii)   over j != i,

which is 0 where wrong labels go to all other classes alike (symmetric noise) and 1 where they all go to one (pairs, class maps).
The lines were fitted on the tasks that were not set aside, and are kept in ``advice.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from ..asymmetry.condition import check
from ..asymmetry.fitting import fitting_slope
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import Loss
from ..losses.registry import build
from ..noise.rows import NoiseModel
from ..numbers.text import plain
from ..threshold.solve import solve

NEAR = 1.0
"""Points that a faster fit may cost at most."""
SHOWN = 5


@dataclass(frozen=True)
class Recipe:
    """A way to train that was measured. ``factor``: the main parameter over its threshold (None: the parameters as they are);
    ``rate``: at the initial slope of CE; ``until`` > 0: the parameter is led from 1 over this share of the steps.

    ``base`` and ``slope`` of the line; ``worst`` deficit of the measured tasks with evenly spread noise and of the others.
    """

    loss: str
    parameters: dict[str, str]
    factor: str | None
    rate: float
    until: float
    base: float
    slope: float
    worst: tuple[float, float]

    def deficit(self, spread: float) -> float:
        """Points below the best recipe that are expected on a noise of this spread; at least 0."""
        return max(0.0, self.base + self.slope * spread)

    def risk(self, spread: float) -> float:
        """The worst deficit seen, between that on even and on uneven noise."""
        return (1 - spread) * self.worst[0] + spread * self.worst[1]

    def on(self, noise: NoiseModel) -> Loss | None:
        """The loss with its parameters on a noise; None where it has no threshold there, or no such value."""
        loss = build(self.loss, **{name: Fraction(value) for name, value in self.parameters.items()})
        if self.factor is None or loss.main is None:
            return loss
        found = solve(loss, noise)
        if found.status != "threshold" or found.end is None or found.end.value <= 0:
            return None
        end = Fraction(found.end.number if found.end.number is not None else found.end.high)
        value = Fraction(self.factor) * end
        return loss.replace(**{loss.main: value}) if value in loss.domains[loss.main] else None


@dataclass(frozen=True)
class Advised:
    """A recipe on the noise at hand. ``raw_rate`` is that of the unscaled loss; ``feasible``: does it tolerate the noise?"""

    recipe: Recipe
    loss: Loss
    feasible: bool | None
    fitting: float
    raw_rate: float
    deficit: float
    risk: float

    @property
    def schedule(self) -> str:
        """As ``asymtheory train --schedule`` takes it."""
        ramp = "" if not self.recipe.until else f"+ramp:{self.loss.main}:1::{self.recipe.until:g}"
        return f"cosine{ramp}"

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {_short(value)}" for name, value in self.loss.parameters.items())
        led = (
            f", {self.loss.main} led from 1 over {100 * self.recipe.until:g} % of the steps"
            if self.recipe.until
            else ""
        )
        return f"{self.loss.title}{f' ({values})' if values else ''}{led}, rate {self.recipe.rate:g} (raw {self.raw_rate:.3g})"

    def to_dict(self) -> Json:
        """For JSON."""
        return {
            "loss": self.loss.name,
            "parameters": {name: float(value) for name, value in self.loss.parameters.items()},
            "rate": self.recipe.rate,
            "raw_rate": self.raw_rate,
            "schedule": self.schedule,
            "asymmetric": self.feasible,
            "deficit": round(self.deficit, 2),
            "worst": round(self.risk, 2),
        }


@dataclass(frozen=True)
class Advice:
    """``ranked`` by expected deficit; ``safest``: the least worst deficit; ``fastest``: of the losses that tolerate the noise and
    are not led, the one with the largest fitting ratio within NEAR points of the best of them (None: there is none)."""

    ranked: tuple[Advised, ...]
    safest: Advised
    fastest: Advised | None
    spread: float
    facts: Json

    def to_dict(self) -> Json:
        """For JSON."""
        return {
            "spread": round(self.spread, 4),
            "safest": self.safest.to_dict(),
            "fastest": None if self.fastest is None else self.fastest.to_dict(),
            "ranked": [each.to_dict() for each in self.ranked],
            "measured": self.facts,
        }

    def __str__(self) -> str:
        lines = [
            f"safest       {self.safest}",
            f"             fell short of the best by {self.safest.risk:.1f} points in the worst task of this spread, "
            f"by {self.safest.deficit:.1f} on average",
        ]
        if self.fastest is not None:
            lines += [
                f"fastest fit  {self.fastest}",
                f"             tolerates the noise, fitting ratio {self.fastest.fitting:.3g}; {self.fastest.deficit:.1f} points "
                "on average",
            ]
        lines += ["", "expected points below the best, and the worst seen:"]
        lines += [f"{each.deficit:6.1f} {each.risk:6.1f}  {each}" for each in self.ranked[:SHOWN]]
        return "\n".join([*lines, "", self._measured()])

    def _measured(self) -> str:
        facts = self.facts
        return (
            f"measured on {facts['tasks']} tasks of {len(facts['sets'])} data sets (docs/regret.md): spread of this noise "
            f"{self.spread:.2f}; rates are those of CE with SGD, momentum 0.9, batches of 128; left out of the fit, a data set had "
            f"a median regret of {facts['left_out']['median']:.1f} and a worst one of {facts['left_out']['worst']:.1f} points"
        )


def _short(value: Fraction) -> str:
    text = plain(value)
    return text if len(text) <= 8 else f"{float(value):.4g}"


@cache
def recorded() -> tuple[tuple[Recipe, ...], Json]:
    """The recipes that were measured, and the facts of the measurement."""
    content = json.loads(Path(__file__).with_name("advice.json").read_text(encoding="utf-8"))
    recipes = tuple(Recipe(**{**each, "worst": tuple(each["worst"])}) for each in content.pop("recipes"))
    return recipes, content


def spread(noise: NoiseModel) -> float:
    """``max_i (max_j T_ij - min_j T_ij) / (1 - T_ii)`` over the wrong classes j of class i; 0 without noise and for two classes."""
    found = 0.0
    for row in noise.rows:
        total = float(row.total)
        wrong = [float(w) / total for j, w in enumerate(row.weights) if j != row.target]
        rate = sum(wrong)
        if rate > 0:
            found = max(found, (max(wrong) - min(wrong)) / rate)
    return min(1.0, found)


def advise(noise: NoiseModel) -> Advice:
    """Rank the measured recipes for a noise with one row a class.

    Raises InputError for a noise whose true labels are not the most frequent ones in every class, on which no loss has a threshold.
    """
    if not noise.dominant:
        raise InputError(
            "no advice: in some class the true label is not the most frequent one, so no loss tolerates the noise"
        )
    recipes, facts = recorded()
    at = spread(noise)
    ranked = sorted(_advised(recipes, noise, at), key=lambda each: each.deficit)
    if not ranked:
        raise InputError("no advice: none of the measured recipes has a value on this noise")
    safest = min(ranked, key=lambda each: (each.risk, each.deficit))
    plainly = [each for each in ranked if each.feasible and not each.recipe.until]
    fast = [each for each in plainly if each.deficit <= plainly[0].deficit + NEAR]
    fastest = max(fast, key=lambda each: each.fitting, default=None)
    return Advice(tuple(ranked), safest, fastest, at, facts)


def _advised(recipes: tuple[Recipe, ...], noise: NoiseModel, at: float) -> Iterator[Advised]:
    K, known = noise.classes, {}
    for recipe in recipes:
        key = (recipe.loss, tuple(recipe.parameters.items()), recipe.factor)
        if key not in known:
            loss = recipe.on(noise)
            known[key] = None if loss is None else (loss, check(loss, noise).asymmetric, fitting_slope(loss, K))
        found = known[key]
        if found is not None:
            loss, feasible, slope = found
            raw = recipe.rate * K / slope.unfitted
            yield Advised(recipe, loss, feasible, slope.ratio, raw, recipe.deficit(at), recipe.risk(at))
