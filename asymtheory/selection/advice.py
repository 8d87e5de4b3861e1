"""What to train with, before any training: loss, value, learning rate and path, by what was measured on other noisy data.

The theory says which losses tolerate a noise; it does not say which of them trains best. That was measured: the regret
benchmark (benchmarks/regret.py, docs/regret.md) trained some 250 recipes on each of its tasks. A recipe is a loss, its parameter as
a multiple of its threshold on the noise at hand, a learning rate at one initial slope for all losses, and perhaps a ramp of the
parameter. The points by which a recipe falls short of the best one are modelled by a straight line in one number of the noise,

    deficit = base + slope * spread,    spread = max_i (max_j T_ij - min_j T_ij) / (1 - T_ii)   over j != i,

which is 0 where wrong labels go to all other classes alike (symmetric noise) and 1 where they all go to one (pairs, class maps).
Which learning rate the data need the noise cannot tell. A step of SGD moves what a network says of a sample x by rate * ||x||^2 and
more, so samples of many numbers need lower rates; where their number d is known, the line is one in log2 d (features of mean square
1). The lines were fitted on the tasks that were not set aside, and are kept in ``advice.json``. Labels without noise were
measured apart: there a recipe's deficit is its mean over the tasks.

The measured runs had some 10 epochs or some 250 steps. Steps are needed to fit, and visits of the same sample to memorise; a
run that has more of both by a factor r is advised the rate / r (``Run.longer``; docs/regret.md has what that is worth).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from ..answers import Answer
from ..asymmetry.fitting import FittingSlope, fitting_slope
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import Loss
from ..losses.registry import build
from ..noise.rows import NoiseModel
from ..numbers.text import plain
from ..threshold.pieces import Threshold
from ..threshold.solve import solve
from .recommended import ENOUGH, share_left

BATCH = 128
EPOCHS, STEPS = 10, 250
"""About what the measured runs had (8 to 40 epochs, 200 to 360 steps): a run is longer if it has more of both."""
LONGEST = 4
"""By so many times the longest measured runs were longer, by which the advice on long runs is judged."""
NEAR = 1.0
"""Points that a faster fit may cost at most."""
SHOWN = 5


@dataclass(frozen=True)
class Run:
    """What is known of the data and of the length of a run, None where it is not: how many numbers a sample has, as the network
    gets it (``inputs``), ``epochs``, and training ``samples``."""

    inputs: int | None = None
    epochs: int | None = None
    samples: int | None = None

    @property
    def longer(self) -> float:
        """By how many times the run is longer than the measured ones, in epochs and in steps of 128 samples; at least 1."""
        if self.epochs is None:
            return 1.0
        visits = self.epochs / EPOCHS
        steps = visits if self.samples is None else self.epochs * math.ceil(self.samples / BATCH) / STEPS
        return max(1.0, min(visits, steps))


UNKNOWN = Run()
"""A run of which nothing is known."""


@dataclass(frozen=True)
class Recipe:
    """A way to train that was measured. ``factor``: the main parameter over its threshold (None: the parameters as they are);
    ``rate``: at the initial slope of CE; ``until`` > 0: the parameter is led from 1 over this share of the steps.

    ``base`` and ``slope`` of the line in the spread; ``by_size``: the same of that in log2 of how many numbers a sample has, None
    on clean labels; ``worst``: deficit of all measured tasks.
    """

    loss: str
    parameters: dict[str, str]
    factor: str | None
    rate: float
    until: float
    base: float
    slope: float
    worst: float
    by_size: Sequence[float] | None = None

    def line(self, spread: float, size: float | None = None) -> float:
        """Points below the best recipe by the line in the size, or in the spread where that is not known; may be below 0."""
        if size is None or self.by_size is None:
            return self.base + self.slope * spread
        base, slope = self.by_size
        return base + slope * size

    @property
    def given(self) -> Loss:
        """The loss with the parameters that the recipe fixes."""
        return build(self.loss, **{name: Fraction(value) for name, value in self.parameters.items()})

    def at(self, found: Threshold) -> Loss | None:
        """The loss with its parameters, given its threshold on a noise; None where there is none, or no such value."""
        loss = self.given
        if self.factor is None or loss.main is None:
            return loss
        if found.status != "threshold" or found.end is None or found.end.value <= 0:
            return None
        end = Fraction(found.end.number if found.end.number is not None else found.end.high)
        value = Fraction(self.factor) * end
        return loss.replace(**{loss.main: value}) if value in loss.domains[loss.main] else None


@dataclass(frozen=True)
class Advised:
    """A recipe on the noise at hand. ``rate``: for the length of the run, at the initial slope of CE; ``raw_rate``: that of the
    unscaled loss; ``feasible``: does it tolerate the noise?

    ``deficit``: points below the best recipe that are expected, at least 0; ``rank``: what recipes are ordered by, least first.
    """

    recipe: Recipe
    loss: Loss
    feasible: bool | None
    fitting: float
    rate: float
    raw_rate: float
    deficit: float
    rank: float

    @property
    def schedule(self) -> str:
        """The ramp as ``asymtheory train --schedule`` takes it."""
        ramp = "" if not self.recipe.until else f"+ramp:{self.loss.main}:1::{self.recipe.until:g}"
        return f"cosine{ramp}"

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {_short(value)}" for name, value in self.loss.parameters.items())
        led = (
            f", {self.loss.main} led from 1 over {100 * self.recipe.until:g} % of the steps"
            if self.recipe.until
            else ""
        )
        rate = f"learning rate {self.rate:.3g} (raw {self.raw_rate:.3g})"
        return f"{self.loss.title}{f' ({values})' if values else ''}{led}, {rate}"

    def to_dict(self) -> Json:
        """The facts for JSON."""
        return {
            "loss": self.loss.name,
            "parameters": {name: float(value) for name, value in self.loss.parameters.items()},
            "rate": self.rate,
            "raw_rate": self.raw_rate,
            "schedule": self.schedule,
            "asymmetric": self.feasible,
            "deficit": round(self.deficit, 2),
            "worst": round(self.recipe.worst, 2),
        }


@dataclass(frozen=True)
class Advice(Answer):
    """What was measured, for a noise.

    ``ranked`` by the deficit that is expected, where only the noise is known with a tenth of the worst one beside it;
    ``safest``: the first of them, printed as *expected* where the size ranks; ``fastest``: of the losses that tolerate the noise,
    bear half of the error that any loss can, and are not led, the one with the largest fitting ratio within NEAR points of the
    first of them (None: there is none).
    ``run``: what is known of the data and of the run; ``size``: log2 of how many numbers a sample has, or of the nearest number
    measured, None where it is not known and on clean labels, where it decides nothing. ``noisy``: not for clean labels, where
    ``safest`` is CE at the rate of the least mean deficit and there is no ``fastest``.
    """

    ranked: tuple[Advised, ...]
    safest: Advised
    fastest: Advised | None
    spread: float
    facts: Json
    noisy: bool = True
    run: Run = UNKNOWN
    size: float | None = None

    @property
    def longer(self) -> float:
        """What the measured rates are divided by: only wrong labels can be memorised in a longer run, so 1 without noise."""
        return self.run.longer if self.noisy else 1.0

    def to_dict(self) -> Json:
        """The facts for JSON."""
        return {
            "spread": round(self.spread, 4),
            "inputs": self.run.inputs,
            "longer": round(self.longer, 3),
            "safest": self.safest.to_dict(),
            "fastest": None if self.fastest is None else self.fastest.to_dict(),
            "ranked": [each.to_dict() for each in self.ranked],
            "measured": self.facts,
        }

    def answers(self) -> str:
        """The two answers, what they cost, and what that rests on."""
        name = "expected" if self.size is not None else "safest"  # by the size the worst task does not count
        lines = [
            f"{name:<13}{self.safest}",
            f"             on average {self.safest.deficit:.1f} points below the best recipe, in the worst of the measured tasks "
            f"{self.safest.recipe.worst:.1f}",
        ]
        if self.fastest is not None:
            lines += [
                f"fastest fit  {self.fastest}",
                f"             tolerates the noise, fitting ratio {self.fastest.fitting:.3g}; on average "
                f"{self.fastest.deficit:.1f} points below",
            ]
        facts = self.facts
        left_out = facts["left_out_by_size" if self.size is not None else "left_out"]
        of = "without noise" if not self.noisy else f"for noise of spread {self.spread:.2f}"
        of = of if self.size is None else f"for samples of {self.run.inputs:,} numbers"
        lines += [
            f"measured     on {facts['tasks']} tasks of {len(facts['sets'])} data sets, {of} (docs/regret.md); "
            "on a data set left out",
            f"             the first choice was {left_out['median']:.1f} points below the best in the median, "
            f"{left_out['worst']:.1f} in the worst task",
            "rates        of the loss scaled to the initial slope of CE (raw: unscaled), SGD with momentum 0.9, batches of 128,",
            f"             {self._length()}; `asymtheory tune` finds one for your data",
        ]
        if self.noisy and self.size is None:
            lines.append(
                "             with --features or --inputs N the rate is that which samples of so many numbers need"
            )
        return "\n".join(lines)

    def _length(self) -> str:
        if not self.noisy:
            return f"some {EPOCHS} epochs or {STEPS} steps"
        if self.run.epochs is None:
            return f"some {EPOCHS} epochs or {STEPS} steps (--epochs for others)"
        if self.longer == 1:
            return f"{self.run.epochs} epochs"
        beyond = "" if self.longer <= LONGEST else f"; beyond 1/{LONGEST} nothing was measured"
        return f"{self.run.epochs} epochs (1/{self.longer:.3g} of the measured rates{beyond})"

    def __str__(self) -> str:
        lines = [self.answers(), "", "expected points below the best, and the worst seen:"]
        shown = (f"{each.deficit:6.1f} {each.recipe.worst:6.1f}  {each}" for each in self.ranked[:SHOWN])
        return "\n".join([*lines, *shown])


def _short(value: Fraction) -> str:
    text = plain(value)
    return text if len(text) <= 8 else f"{float(value):.4g}"


@cache
def recorded(noisy: bool = True) -> tuple[tuple[Recipe, ...], Json]:
    """The recipes that were measured on noisy labels, or on clean ones, and the facts of the measurement."""
    content = json.loads(Path(__file__).with_name("advice.json").read_text(encoding="utf-8"))
    clean = content.pop("clean")
    content = content if noisy else clean
    return tuple(Recipe(**each) for each in content.pop("recipes")), content


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


def advise(noise: NoiseModel, run: Run = UNKNOWN) -> Advice:
    """Rank the measured recipes for a noise with one row a class; ``run``: what is known of the data and of the run.

    A size of the samples outside of those that were measured is taken for the nearest of them; on clean labels it decides
    nothing.

    Raises InputError for a noise whose true labels are not the most frequent ones in every class, on which no loss has a threshold.
    """
    if not noise.dominant:
        raise InputError(
            "no advice: in some class the true label is not the most frequent one, so no loss tolerates the noise"
        )
    noisy = any(float(row.top) < float(row.total) for row in noise.rows)
    recipes, facts = recorded(noisy)
    at = spread(noise)
    size = None
    if noisy and run.inputs is not None:
        low, high = facts["sizes"]
        size = math.log2(min(max(run.inputs, low), high))
    caution = float(facts["caution"]) if noisy and size is None else 0.0
    ranked = sorted(
        _advised(recipes, noise, at, size, caution, run.longer if noisy else 1.0), key=lambda each: each.rank
    )
    if not ranked:
        raise InputError("no advice: none of the measured recipes has a value on this noise")
    safest = ranked[0] if noisy else min(_of_ce(ranked), key=lambda each: each.deficit)
    plainly = [each for each in ranked if noisy and each.feasible and not each.recipe.until and _bears(each, noise)]
    fast = [each for each in plainly if each.deficit <= plainly[0].deficit + NEAR]
    fastest = max(fast, key=lambda each: each.fitting, default=None)
    return Advice(tuple(ranked), safest, fastest, at, facts, noisy, run, size)


def _of_ce(ranked: Sequence[Advised]) -> list[Advised]:
    """Those of CE, which stands on clean labels: no other loss was better there by more than chance."""
    return [each for each in ranked if each.recipe.loss == "ce"]


def _bears(advised: Advised, noise: NoiseModel) -> bool:
    """Not at the threshold itself: what is recommended bears half of the error that any loss can."""
    left = share_left(advised.loss, noise)
    return left is not None and left >= ENOUGH


def _advised(
    recipes: tuple[Recipe, ...], noise: NoiseModel, at: float, size: float | None, caution: float, longer: float
) -> Iterator[Advised]:
    K = noise.classes
    thresholds: dict[object, Threshold] = {}
    known: dict[object, tuple[Loss, bool | None, FittingSlope] | None] = {}
    for recipe in recipes:
        fixed = (recipe.loss, tuple(recipe.parameters.items()))
        if fixed not in thresholds:
            thresholds[fixed] = solve(recipe.given, noise)
        found = thresholds[fixed]
        key = (*fixed, recipe.factor)
        if key not in known:
            loss = recipe.at(found)
            known[key] = None if loss is None else (loss, _tolerates(loss, found), fitting_slope(loss, K))
        if (judged := known[key]) is not None:
            loss, feasible, slope = judged
            rate = recipe.rate / longer
            raw, lost = rate * K / slope.unfitted, recipe.line(at, size)
            yield Advised(recipe, loss, feasible, slope.ratio, rate, raw, max(0.0, lost), lost + caution * recipe.worst)


def _tolerates(loss: Loss, found: Threshold) -> bool | None:
    """Is a loss asymmetric where its threshold was found? None where that is undecided."""
    if found.status == "undecided":
        return None
    if found.status == "threshold" and found.parameter is not None:
        return any(loss.parameters[found.parameter] in piece for piece in found.pieces)
    return found.status == "always"
