"""The feasible weights of one term in a sum where no rule decides: the loss is ``rest + t * term``, t > 0.

The excess of its risk over the vertex is affine in t at every point, so the feasible t form an interval: a yes at one t, and a no
at two others around it, settle everything outside of the enclosures of its ends. A point where neither part exceeds the vertex
proves that no t works. Each yes and no is a certificate (``certificates.search``); floats only suggest where to look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..asymmetry.certificates import excesses, search
from ..asymmetry.local_search import transfer_points
from ..asymmetry.rules import decide, endless
from ..asymmetry.sweep import Sweep
from ..asymmetry.weighted import limit_risk
from ..losses.base import Loss, Sum, coefficient_name
from ..losses.profile import Profile
from ..noise.rows import Row
from ..numbers.scalar import Scalar
from .inequality import Isolated
from .pieces import SHARP, End, Piece, open_end
from .sweeping import change_between

WIDTHS = (1e-7, 1e-5, 1e-4, 4e-4, 9e-4)  # relative distance of the certified points on both sides of an end
FAR = 1e6  # how far beyond an end, or from 1, a value inside is looked for


@dataclass(frozen=True)
class Mixing:
    """``rest + t * term`` on one row."""

    loss: Sum
    parameter: str
    row: Row

    @property
    def term(self) -> Loss:
        """The term whose weight is open."""
        return Sum(tuple((Fraction(1), atom) for i, (_, atom) in enumerate(self.loss.terms()) if self._open(i)))

    @property
    def rest(self) -> Loss | None:
        """The other terms."""
        terms = tuple((c, atom) for i, (c, atom) in enumerate(self.loss.terms()) if not self._open(i))
        return Sum(terms) if terms else None

    def _open(self, i: int) -> bool:
        return coefficient_name(i) == self.parameter

    @cached_property
    def sweep(self) -> Sweep:
        """What certifies many weights at once."""
        return Sweep.of(self.loss, self.row, self.parameter)

    def verdicts(self, values: list[float]) -> list[bool | None]:
        """Asymmetric with these weights? Certified, or None."""
        t = np.array(values)
        return [{1: True, -1: False}.get(int(v)) for v in self.sweep.verdicts(t, t)]

    def verdict(self, t: float) -> bool | None:
        """The same for one weight, by every certificate there is."""
        return settled(self.loss._with(**{self.parameter: Fraction(t)}), self.row, thorough=False)

    def solve(self) -> Isolated:
        """The feasible weights; not settled where a certificate is missing."""
        rest = self.rest
        if rest is None:
            return Isolated((), False)
        low, high, points = self._suggested(rest)
        if not low < high:
            return Isolated((), self._never(rest, points), "")
        inside = self._inside(low, high)
        if inside is None:
            return Isolated((), False, "no weight was certified to work")
        lower = open_end(Fraction(0)) if self._never_below(rest) else self._end(low, inside, upper=False)
        upper = None if self._never_below(self.term) else self._end(high, inside, upper=True)
        for end in (lower, upper):
            if end is not None and end.high - end.low > SHARP * abs(end.value):
                return Isolated((Piece(lower, upper),), False, f"an end lies between {end.low:.6g} and {end.high:.6g}")
        if lower is None or (upper is None and not self._never_below(self.term)):
            return Isolated((Piece(lower, upper),), False, "an end of the feasible weights was not certified")
        return Isolated((Piece(lower, upper),), True)

    def _suggested(self, rest: Loss) -> tuple[float, float, list[NDArray[np.float64]]]:
        """Floats: the feasible interval as transfers see it, and the points that bound it."""
        w = np.array([float(x) for x in self.row.weights]) / float(self.row.total)
        points = transfer_points(self.loss, w)
        rows = np.broadcast_to(w, points.shape)
        with np.errstate(all="ignore"):
            base, term = (limit_risk(part, rows, points) for part in (rest, self.term))
            base, term = base - base[0], term - term[0]
            bound = -base / term
        tiny = 1e-13 * (1 + np.abs(base))
        low = np.where((base < -tiny) & (term > 0), bound, 0.0)
        high = np.where((term < 0) & (base >= 0), bound, np.inf)
        hopeless = (base < -tiny) & (term <= 0)
        if hopeless.any():
            return math.inf, 0.0, [points[int(np.argmin(np.where(hopeless, base, np.inf)))]]
        ends = [points[int(np.nanargmax(low))], points[int(np.nanargmin(high))]]
        return float(np.nanmax(low)), float(np.nanmin(high)), ends

    def _inside(self, low: float, high: float) -> float | None:
        """A weight that is certified to work."""
        if low == 0 and high == math.inf:
            tries = [1.0, 1e-3, 1e3]
        elif high == math.inf:
            tries = [2 * low, low * (1 + 1e-3), 100 * low, FAR * low]
        elif low == 0:
            tries = [high / 2, high * (1 - 1e-3), high / 100, high / FAR]
        else:
            tries = [math.sqrt(low * high), (low + high) / 2]
        tries = [t for t in tries if t > 0]
        found = next((t for t, holds in zip(tries, self.verdicts(tries), strict=True) if holds), None)
        return found if found is not None else next((t for t in tries if self.verdict(t)), None)

    def _never_below(self, part: Loss) -> bool:
        """Is the excess of one part never negative (then the feasible weights reach to its end)?"""
        profile = Profile.of(part, len(self.row.weights))
        if Profile.of(self.loss, len(self.row.weights)).negative and not profile.negative:
            return False  # its least value on u_k >= p_min is another question
        if profile.normalised and not profile.separable and not profile.negative:
            if all(endless(atom) for _, atom in profile.normalised):
                return True  # at e_m an average of the weights has its infimum
        return bool(settled(part, self.row))

    def _end(self, at: float, inside: float, upper: bool) -> End | None:
        """An end of the interval, between a weight that works and one that does not, both certified."""
        if at in (0, math.inf):
            return None
        at = self._sharpened(at, inside, upper)
        outward = 1 if upper else -1
        out, good = ([at * (1 + sign * width) for width in WIDTHS] for sign in (outward, -outward))
        said = self.verdicts([*out, *good])
        bad = next((t for t, holds in zip(out, said, strict=False) if holds is False), None)
        best = next((t for t, holds in zip(good, said[len(out) :], strict=True) if holds), None)
        if bad is None:
            bad = next((t for t in out[2:] if self.verdict(t) is False), None)
        if best is None:
            best = next((t for t in good[:2:-1] if self.verdict(t)), inside)  # from afar: what fails takes long
        if bad is None:
            return None
        low, high = sorted((best, bad))
        return End(low + (high - low) / 2, low, high, False)

    def _sharpened(self, at: float, inside: float, upper: bool) -> float:
        """The end as transfers of mass see it in floats, from where a grid of them does."""
        out = at * (1 + (1 if upper else -1) * 1e-2)
        low, high = (np.array([end]) for end in sorted((inside, out)))
        return float(change_between(self.sweep, low, high, np.array([1 if upper else -1], dtype=np.int8))[0])

    def _never(self, rest: Loss, points: list[NDArray[np.float64]]) -> bool:
        """Do the points prove a no for every weight?"""
        below, above = Fraction(0), None  # no for t < below, and for t > above
        for point in points:
            parts = (excesses(part, self.row, point, self.loss) for part in (rest, self.term))
            for base, term in zip(*parts, strict=True):
                if base < 0 and term <= 0:
                    return True
                if base < 0 and term > 0:
                    below = max(below, _fraction((-base / term).lower()))
                if term < 0 and base > 0:
                    bound = _fraction((base / -term).upper())
                    above = bound if above is None else min(above, bound)
        return above is not None and above < below


def settled(loss: Loss, row: Row, thorough: bool = True) -> bool | None:
    """Asymmetric on one row, by a rule or by a certificate; None where neither says."""
    decision = decide(loss, row)
    return decision.holds if decision.holds is not None else search(loss, row, decision, thorough)[0].holds


def _fraction(ball: Scalar) -> Fraction:
    exact = arb(ball).mid()
    return Fraction(float(exact))
