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
from ..asymmetry.simplex_search import NUMERIC
from ..asymmetry.sweep import Sweep
from ..asymmetry.weighted import limit_risk
from ..losses.base import Loss, Sum, coefficient_name
from ..losses.profile import Profile
from ..noise.rows import Row
from ..numbers.scalar import Scalar
from .inequality import Isolated
from .pieces import End, Piece, open_end
from .sweeping import ASIDE, Run, cause, change_between, is_narrow, less_to

WIDTHS = (1e-7, 1e-5, 1e-4, 4e-4, 9e-4)  # relative distance of the certified points on both sides of an end
FAR = 1e6  # how far beyond an end, or from 1, a value inside is looked for
# how far beyond an end that a grid of transfers sees that of all of them is looked for
ABOVE, BELOW = (1.01, 1.1, 2.0, 10.0, 100.0), (0.99, 0.9, 0.5, 0.1, 0.01)
# relative widths between which an end is made narrower, and how often that is tried
SHARPER, CLOSE, REFINED = 1e-8, 1e-4, 3
# values between an end and one inside that are tried at once, and how often it is halved by close looks
BETWEEN, HALVINGS = 12, 2


@dataclass(frozen=True)
class Mixing:
    """``rest + t * term`` on one row."""

    loss: Sum
    parameter: str
    row: Row
    possible: tuple[Piece, ...] = ()  # outside of these no weight works; nothing is known where there are none

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

    def solve(self) -> Isolated | None:
        """The feasible weights; None where neither a weight that works nor points against all of them are certified, or an end is
        between nothing that is."""
        rest = self.rest
        if rest is None:
            return None
        low, high, points = self._suggested(rest)
        if not low < high:
            return Isolated((), True, "") if self._never(rest, points) else None
        inside = self._inside(low, high)
        if inside is None:
            return None
        ends: list[End | None] = []
        notes = []
        for at, part, upper in ((low, rest, False), (high, self.term, True)):
            if self._never_below(part):
                ends.append(None if upper else open_end(Fraction(0)))
                continue
            found = self._end(at, inside, upper)
            if found is None:
                return None
            gap, failed = found
            ends.append(End(gap.low + (gap.high - gap.low) / 2, gap.low, gap.high, False))
            if not is_narrow(gap.low, gap.high):
                where = f"nothing is certified between {gap.low:.6g} and {gap.high:.6g}"
                notes.append(f"{where}: {cause(self.sweep, gap, failed)}")
        return Isolated((Piece(*ends),), not notes, "; ".join(notes))

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

    def _end(self, at: float, inside: float, upper: bool) -> tuple[Run, float | None] | None:
        """An end of the interval, between a weight that works and one that does not, both certified; and one that is not, of those
        that were looked at closely."""
        edge = self._edge(upper)
        tries = self._suspected(at, inside, upper, edge)
        outward = 1 if upper else -1
        for t in tries:
            out, good = ([t * (1 + sign * width) for width in WIDTHS] for sign in (outward, -outward))
            looked = good[-1]
            good += np.geomspace(looked, inside, BETWEEN)[1:].tolist()
            said = self.verdicts([*out, *good])
            fails = [edge[0]] if edge is not None and t == edge[1] else []
            fails += [x for x, holds in zip(out, said, strict=False) if holds is False]
            if not fails and t == tries[-1]:
                fails = [x for x in out[2:] if self.verdict(x) is False][:1]
            if fails:
                break
        else:
            return None
        bad, best = fails[0], self._first(good, said[len(out) :], inside)
        if not at * BELOW[0] <= t <= at * ABOVE[0]:  # the grid does not see what decides
            bad, best = self._refined(bad, best)
        failed = None
        if not is_narrow(*sorted((bad, best))):
            best, failed = (looked, None) if self._works(looked) else (best, looked)
        if not is_narrow(*sorted((bad, best))):  # from afar a search finds more
            reach = less_to(self.sweep, fails[-1], best)
            if abs(best - reach) < abs(best - bad):
                bad, failed = reach, None
            best, failed = self._nearer(bad, best, failed)
        return Run(0, *sorted((best, bad))), failed

    def _suspected(self, at: float, inside: float, upper: bool, edge: tuple[float, float] | None) -> list[float]:
        """Where the end may be: as floats see it, if that is not beyond ``edge``, and there."""
        seen = [] if at in (0, math.inf) else [self._sharpened(at, inside, upper)]
        if edge is None:
            return seen
        return [*(t for t in seen if (t < edge[1] if upper else t > edge[1])), edge[1]]

    def _edge(self, upper: bool) -> tuple[float, float] | None:
        """Where an inequality ends that is necessary: a weight from which on outwards none works, and one up to which some may."""
        if len(self.possible) != 1:
            return None
        end = self.possible[0].high if upper else self.possible[0].low
        if end is None or end.log10 is not None or not 0 < end.value < math.inf:
            return None
        return (end.high, end.low) if upper else (end.low, end.high)

    def _first(self, values: list[float], said: list[bool | None], inside: float) -> float:
        """The first of some values that is certified to work, or one between it and the one before; the last one is ``inside``."""
        first = next((i for i, holds in enumerate(said) if holds), len(values) - 1)
        if first < len(WIDTHS):
            return values[first]
        finer = np.geomspace(values[first - 1], values[first], BETWEEN)[1:-1].tolist()
        return next((t for t, holds in zip(finer, self.verdicts(finer), strict=True) if holds), values[first])

    def _refined(self, bad: float, best: float) -> tuple[float, float]:
        """The same two, nearer to each other as far as boxes certify values between them; what is far apart costs too much."""
        for _ in range(REFINED):
            if not SHARPER * best < abs(best - bad) < CLOSE * best:
                break
            values = np.linspace(bad, best, BETWEEN).tolist()
            said = [False, *self.verdicts(values[1:-1]), True]
            last = max(i for i, holds in enumerate(said) if holds is False)
            first = min(i for i, holds in enumerate(said) if holds)
            if first - last == len(values) - 1:
                break
            bad, best = values[last], values[first]
        return bad, best

    def _nearer(self, bad: float, best: float, failed: float | None) -> tuple[float, float | None]:
        """A weight next to ``bad`` that works, or by halves; and one that is not certified (``failed``: is known not to be)."""
        if is_narrow(*sorted((bad, best))):
            return best, None
        if failed is None:
            failed = bad + math.copysign(ASIDE * bad, best - bad)
            if self._works(failed):
                return failed, None
        for _ in range(HALVINGS):
            middle = math.sqrt(bad * best)
            if not self._works(middle):
                return best, middle
            best = middle
        return best, failed

    def _works(self, t: float) -> bool:
        """Is one weight certified to work? Where there are multipliers, no other certificate says more than they do."""
        return bool(self.sweep.at(t).point() if self.sweep.multiplied else self.verdict(t))

    def _sharpened(self, at: float, inside: float, upper: bool) -> float:
        """The end as transfers of mass see it in floats, from where a grid of them does."""
        out = at * np.array(ABOVE if upper else BELOW)
        less = np.flatnonzero(self.sweep.floats(out) < 0)
        if not len(less):
            return at
        low, high = (np.array([end]) for end in sorted((inside, float(out[less[0]]))))
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
    if decision.holds is not None:
        return decision.holds
    found, _, method = search(loss, row, decision, thorough)
    if method == NUMERIC:  # not proved
        return None if loss.joint else Sweep.of(loss, row).point()
    return found.holds


def _fraction(ball: Scalar) -> Fraction:
    exact = arb(ball).mid()
    return Fraction(float(exact))
