"""The noise rates that a loss tolerates where no rule decides: certified verdicts at single rates, halved until they meet.

Every row of a family is affine in its rate, and so is the excess of the risk over the vertex at every point. The rates with a
positive excess at one point form an interval, hence those with one at every point, too: between two rates that work all do, and
beyond one that does not, seen from one that does, none does. See docs/theory/decided.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

from ..asymmetry.binding import binding_rows, rows_by_all_weights
from ..asymmetry.rules import by_equality, decide
from ..asymmetry.sweep import Sweep
from ..losses.base import Loss
from ..losses.profile import Profile
from ..noise.rows import NoiseModel, Row
from .inequality import Isolated
from .mixing import settled
from .pieces import End, Piece, open_end
from .sweeping import is_narrow

LEAST = 1e-10  # rates below it are not told from 0
MOST = 60  # rates that are asked at one end
SHARPER = 1e-6  # relative width at which an end is not divided further
APART = 8  # how much narrower than all what is left is on either side of rates that are not settled
# where a rate that works is looked for, as a share of the largest one that leaves clean labels dominant
INSIDE = (0.5, 0.1, 0.9, 0.99, 1e-3)


@dataclass(frozen=True)
class Rates:
    """One loss on one family of noise."""

    loss: Loss
    build: Callable[[Fraction], NoiseModel]
    end: Fraction  # up to here clean labels dominate, and not at it

    @cached_property
    def by_equality(self) -> bool:
        """Does a yes need an equality in the weights, so that no row implies another one?"""
        return by_equality(self.loss, self.build(Fraction(0)).classes)

    def holds(self, rate: float) -> bool | None:
        """Asymmetric at this rate, on every row? Certified, or None."""
        model = self.build(Fraction(rate))
        by_rules = [decide(self.loss, row).holds for _, row in binding_rows(model, self.by_equality)]
        if None not in by_rules or False in by_rules:
            return False not in by_rules
        verdicts = []
        for row in self._rows(model):
            verdicts.append(settled(self.loss, row, thorough=False))
            if verdicts[-1] is False:
                return False
        return None if None in verdicts else True

    def _rows(self, model: NoiseModel) -> list[Row]:
        return [row for _, row in rows_by_all_weights(model, ordered=False)]

    def solve(self) -> Isolated:
        """The rates that work, beside 0 itself; not settled where a certificate is missing."""
        if not self._affine:
            return Isolated((), False, "the infimum of a normalised term at e_m is not affine in the rate")
        holds, end = cache(self.holds), float(self.end)
        end = math.nextafter(end, math.inf) if end < self.end else end
        inside = next((x for x in (0.0, *(end * share for share in INSIDE)) if holds(x)), None)
        if inside is None:
            return Isolated((), False, f"no rate is certified to work: {self._missing(end * INSIDE[0])}")
        if inside == 0 and holds(LEAST) is False:
            return Isolated((), True, f"from {LEAST:.3g} on none works; smaller rates are not told from 0")
        found = [] if inside == 0 or holds(LEAST) else [self._between(holds, inside, 0.0)]
        found.append(self._between(holds, inside, end))
        low, high = found[0][0] if len(found) > 1 else open_end(Fraction(0)), found[-1][0]
        notes = [note for _, note in found if note]
        return Isolated((Piece(low, high),), not notes, "; ".join(notes))

    def _between(self, holds: Callable[[float], bool | None], works: float, fails: float) -> tuple[End, str]:
        """The end between a rate that works and one that does not, and what is missing where it is not narrow."""
        # the outermost rates that are not settled: next to one that works, and next to one that does not
        unknown: tuple[float, float] | None = None
        for _ in range(MOST):
            narrow = is_narrow(*sorted((works, fails)))
            if abs(fails - works) <= SHARPER * max(works, fails) or (narrow and unknown):
                break
            start, stop = works, fails
            if unknown is not None:
                sides = (works, unknown[0]), (unknown[1], fails)
                start, stop = max(sides, key=lambda side: abs(side[1] - side[0]))
                if abs(stop - start) * APART <= abs(fails - works):
                    break
            rate = (start + stop) / 2
            said = holds(rate)
            if said is None:
                near, far = unknown or (rate, rate)
                unknown = (rate, far) if start == works else (near, rate)
            works, fails = (rate if said else works), (rate if said is False else fails)
        low, high = sorted((works, fails))
        end = End(low + (high - low) / 2, low, high, False)
        if is_narrow(low, high):
            return end, ""
        where = f"nothing is certified between {low:.6g} and {high:.6g}"
        return end, f"{where}: {self._missing(unknown[0] if unknown else end.value)}"

    def _missing(self, rate: float) -> str:
        """What is missing at a rate that is not settled, on the first row that is not."""
        rows = self._rows(self.build(Fraction(rate)))
        row = next((row for row in rows if settled(self.loss, row, thorough=False) is None), rows[0])
        return f"{Sweep.of(self.loss, row).missing()} (at {rate:.4g})"

    @property
    def _affine(self) -> bool:
        """Is the infimum of NCE and NFL at e_m, the least weight, that of one class at every rate?"""
        first, last = self.build(Fraction(0)), self.build(self.end)
        if not Profile.of(self.loss, first.classes).normalised:
            return True
        pairs = zip(first.rows, last.rows, strict=True)
        return all(
            any(w == min(a.weights) and v == min(b.weights) for w, v in zip(a.weights, b.weights, strict=True))
            for a, b in pairs
        )
