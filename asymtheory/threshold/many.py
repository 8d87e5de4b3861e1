"""Thresholds for a million (K, eta) pairs at once.

The KKT inequality ``w_n active0 + (W - w_n) passive0 >= w_m active1 + (W - w_m) passive1`` (slopes at 0 and at 1, see
``profile``) is linear in the weights. Solved for the clean level c = w_m / w_n, with rivals = (W - w_m) / w_n, it reads

    c >= needed(theta) = (passive0 - active0 + rivals (passive1 - passive0)) / (passive0 - active1).

So each parameter value needs some clean level, and a threshold is the inverse of that function at the clean level of
the noise: a table gives the start, Newton's method on the inequality itself the rest. No closed form of a paper is used.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..asymmetry.rules import Rule, endless, is_pointed, rule
from ..errors import InputError
from ..losses.base import Loss, unknown_parameter
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..noise.models import MAX_CLASSES, worst_weights
from ..numbers.backends import numpy_
from ..numbers.scalar import Scalar
from .ranges import ranges

Array: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]

CHUNK = 2**15  # pairs at a time: temporaries stay in the cache, and numpy lets chunks run on all cores
STEP = 1 / 32  # of a table, in units of e-folds of the parameter
# of a table: its distance from a finite end, from 0, and its far end
NEAREST, SMALLEST, LARGEST = 2.0**-50, 2.0**-200, 2.0**60
MOST_COUNT = 2**16
SPREAD = ("symmetric", "uniform")  # noise with K - 1 equal rivals; the other kinds have one
NEWTON_STEPS = 2
ROUNDING = 1e-12  # relative: differences of a clean level that are left to rounding
LEAST = math.log(ROUNDING)
RATE_BITS = 12  # of a rate in a sort
COARSE = 32  # nodes of a table from one that is looked at first to the next


def solve_many(
    loss: Loss | str,
    K: ArrayLike,
    eta: ArrayLike,
    parameter: str | None = None,
    kind: str = "symmetric",
    **parameters: Scalar,
) -> Array:
    """The threshold of one parameter for every pair of ``K`` and ``eta``: float64, of the shape they broadcast to.

    ``K`` (whole numbers >= 2) and ``eta`` (rates in [0, 1]) are array-likes; ``parameter`` defaults to the loss's main
    one; ``kind`` is a noise family with a rate: "symmetric", "uniform", "pair" or a class map.

    The value is the *least* feasible one (infimum) where larger values need less clean labels (AGCE a and q, AUL a,
    AEL a, AMSE a), else the *greatest* (AUL p, Taylor-CE t, PHuber-CE tau). Where every value works it is that end of
    the domain (0, 1, inf); where none does, or the clean label does not dominate, NaN. The relative error is below 1e-9
    wherever c - 1 > 1e-6 (nearer to c = 1 the inequality cancels in float64). Values beyond 2^60, and counts above
    2^16, are not looked at. Raises InputError for a bad K, eta, kind or parameter, for losses that no proof decides,
    and where the feasible values do not reach to one end of the domain (use ``solve``).

        >>> solve_many("amse", [2, 10], 0.25).round(9).tolist()
        [2.0, 1.384615385]

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    name = loss.main if parameter is None else parameter
    if name is None:
        raise InputError(f"{loss.name} has no parameter to solve for")
    if name not in loss.domains:
        raise InputError(unknown_parameter(loss.name, name, loss.domains))
    classes, rates = np.broadcast_arrays(_checked(K, "K", 2, math.inf), _checked(eta, "eta", 0, 1))
    shape, classes, rates = classes.shape, classes.ravel(), rates.ravel()
    result = np.full(len(rates), np.nan)
    for count, pairs in _same_table(loss, classes, kind) if is_pointed(loss) else ():
        result[pairs] = _Table(loss, name, count, kind).invert(classes[pairs], rates[pairs])
    return result.reshape(shape)


def _checked(values: ArrayLike, name: str, low: float, high: float) -> Array:
    array = np.asarray(values)
    whole = name == "K"
    text = "whole numbers >= 2 are needed" if whole else "noise rates in [0, 1] are needed"
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name} of type {array.dtype}: {text}")
    wrong = ~((array >= low) & (array <= high))
    if array.dtype.kind == "f":
        wrong |= np.isinf(array) | (whole and array != np.rint(array))
    if wrong.any():
        raise InputError(f"{name} = {array[wrong][0]}: {text}")
    return array.astype(np.int64 if whole else float, copy=False)


def _same_table(loss: Loss, classes: Counts, kind: str) -> Iterator[tuple[int, Scalar]]:
    """(K, pairs) that one table serves: all, unless K changes the loss itself (the relative weight of its terms)."""
    if not len(classes):
        return
    profile = Profile.of(loss, int(classes[0]))
    worst_weights(
        kind, int(classes.max()), Fraction(0)
    )  # refuses an unknown kind, or a K that does not fit a class map
    finite = any(not endless(atom) for _, atom in profile.normalised)
    if (
        len(profile.separable) <= 1
        and not (finite and profile.separable)
        and (kind in SPREAD or not (profile.normalised or profile.negative))
    ):
        yield int(classes.max()), slice(None)
    else:
        for count in np.unique(classes):
            yield int(count), classes == count


@dataclass(frozen=True)
class _Stretch:
    """A point or an open interval of the domain; needed(theta) = base + rivals * spread, tabulated at theta(t)."""

    rule: Rule
    low: float
    high: float
    t: Array  # equidistant nodes; a single one where what is needed is constant
    base: Array
    spread: Array

    def end(self, falls: bool) -> float:
        """The end that needs the cleanest labels."""
        return self.low if falls else self.high


class _Table:
    """The clean level that each value of a parameter needs, and its inverse."""

    def __init__(self, loss: Loss, parameter: str, K: int, kind: str) -> None:
        self.loss, self.parameter, self.K, self.kind = loss, parameter, K, kind
        self.many = kind in SPREAD
        cut = ranges(loss, parameter, K)
        self.whole = cut.domain.integer
        if self.whole:
            counts: Array = np.arange(int(cut.domain.low or 0), MOST_COUNT + 1)  # type: ignore[assignment]
            what = self._rule(Fraction(int(counts[1])))
            self.stretches = [_Stretch(what, counts[0], math.inf, counts, *self._needed(what, counts))]
        else:
            pieces = [(k, k) for k in cut.points] + cut.intervals
            self.stretches = sorted((self._stretch(*piece) for piece in pieces), key=lambda s: (s.low, s.high))
        bases, spreads = (np.concatenate([getattr(s, part) for s in self.stretches]) for part in ("base", "spread"))
        self.falls = all((x[1:] <= x[:-1] * (1 + 1e-9)).all() for x in (bases, spreads))
        if not self.falls and not all((x[1:] >= x[:-1] * (1 - 1e-9)).all() for x in (bases, spreads)):
            raise InputError(
                f"{loss.name}: the feasible {parameter} may lie between two thresholds; use solve for each pair"
            )

    def _stretch(self, low: Fraction | None, high: Fraction | None) -> _Stretch:
        ends = -math.inf if low is None else float(low), math.inf if high is None else float(high)
        t = np.zeros(1) if ends[0] == ends[1] else _nodes(*ends)
        theta = np.full(1, ends[0]) if ends[0] == ends[1] else _theta(*ends, t)
        what = self._rule(Fraction(float(theta[len(theta) // 2])))
        base, spread = self._needed(what, theta)
        nodes = slice(None) if (base != base[0]).any() or (spread != spread[0]).any() else slice(1)
        return _Stretch(what, *ends, t[nodes], base[nodes], spread[nodes])

    def _rule(self, value: Fraction) -> Rule:
        return rule(self.loss._with(**{self.parameter: value}), self.K, self.many or self.K == 2)

    def _needed(self, what: Rule, theta: Array) -> tuple[Array, Array]:
        """(base, spread) at parameter values; infinite where no clean level is enough."""
        with np.errstate(all="ignore"):
            levels = what.at(**{self.parameter: theta}).levels(numpy_())
        if levels is None:
            raise InputError(
                f"{self.loss.name} on {self.kind} noise has no vectorised threshold ({what.reason}); use solve"
            )
        base, spread = (np.broadcast_to(np.asarray(part, dtype=float), theta.shape) for part in levels)
        return np.where(base == base, base, np.inf), np.where(spread == spread, spread, 0.0)

    # ------------------------------------------------------------------------------------- its inverse

    def invert(self, classes: Counts, rates: Array) -> Array:
        """Thresholds for arrays (N,) of K and eta, in chunks on all cores."""
        several = self.many and np.ptp(classes) > 0 and any(s.spread.any() for s in self.stretches)
        order = _order(classes, rates) if several else None  # one table per K, looked up in turn
        result = np.empty(len(rates))

        def chunk(start: int) -> None:
            pairs = slice(start, start + CHUNK) if order is None else order[start : start + CHUNK]
            own = classes[pairs]
            with np.errstate(all="ignore"):
                top, second, _ = worst_weights(self.kind, own if self.many else None, rates[pairs])
                rivals = np.full(len(own), 1.0 if not self.many else own - 1.0 if several else float(own[0] - 1))
                result[pairs] = self._values(top / second, rivals)

        starts = range(0, len(rates), CHUNK)
        if len(starts) == 1:
            chunk(0)
        else:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(chunk, starts))
        return result

    def _values(self, level: Array, rivals: Array) -> Array:
        """Thresholds at clean levels; ``rivals`` is sorted. From the easy end on, harder stretches win."""
        value = np.full(level.shape, np.nan)
        for s in reversed(self.stretches) if self.falls else self.stretches:
            if self.whole:
                found = self._count(s, level, rivals)
            elif len(s.t) > 1:
                found = self._root(s, level, rivals)
            else:
                found = np.where(level >= s.base + rivals * s.spread, s.end(self.falls), np.nan)
            value = np.where(found == found, found, value)
        return np.where(level > 1 + 1e-15, value, np.nan)

    def _count(self, s: _Stretch, level: Array, rivals: Array) -> Array:
        """The whole number at the threshold, by searching the table itself."""
        value = np.empty_like(level)
        for run in _runs(rivals):
            needed = (s.base + rivals[run.start] * s.spread)[:: -1 if self.falls else 1]
            enough = np.searchsorted(needed, level[run] * (1 + ROUNDING), side="right")
            ends = (s.t[::-1], s.t[0]) if self.falls else (s.t, math.inf)
            value[run] = np.concatenate([[np.nan], ends[0][:-1], [ends[1]]])[enough]
        return value

    def _root(self, s: _Stretch, level: Array, rivals: Array) -> Array:
        """Invert needed(theta) in the coordinates t and log log needed, in which it is nearly straight at both ends."""
        aim = np.log(np.log(np.fmax(level, 1.0)))
        t, rate = np.empty_like(aim), np.empty_like(aim)
        base, spread, nodes = (part[:: -1 if self.falls else 1] for part in (s.base, s.spread, s.t))
        step = nodes[1] - nodes[0]
        for run in _runs(rivals):
            part = _reached(base, spread, rivals[run.start], aim[run])
            height, at = _height(base[part], spread[part], rivals[run.start]), nodes[part]
            known = (height > LEAST) & (height < np.inf)
            height, at = height[known], at[known]
            if not len(height):  # no clean level is enough at any value
                t[run], rate[run] = nodes[0], -np.inf
                continue
            rise = height[2:] - height[:-2]
            rates = np.zeros_like(at)  # dt / dheight
            np.divide(2 * step, rise, out=rates[1:-1], where=rise > 0)
            t[run] = np.interp(aim[run], height, at)
            rate[run] = np.interp(aim[run], height, rates, left=-np.inf, right=np.inf)
        below, above = rate == -np.inf, rate == np.inf  # the table's ends
        rate[below | above] = 0.0
        for _ in range(NEWTON_STEPS):
            base, spread = self._needed(s.rule, _theta(s.low, s.high, t))
            miss = (aim - np.log(np.log(base + rivals * spread))) * rate
            t = np.where(np.abs(miss) < 1, t + miss, t)  # larger only where the table is flat to rounding
        return np.where(above, s.end(self.falls), np.where(below, np.nan, _theta(s.low, s.high, t)))


def _order(classes: Counts, rates: Array) -> Counts:
    """Indices by class and, nearly, by rate within it (a search for the next pair then ends next to the last one).

    Whole numbers that carry their index are sorted, several times as fast as an ``argsort``.
    """
    index = len(classes).bit_length()
    bits = min(RATE_BITS, 63 - index - MAX_CLASSES.bit_length())
    keys = (classes << bits) + (rates * (2**bits - 1)).astype(np.int64)
    keys = (keys << index) + np.arange(len(classes))
    keys.sort()
    return keys & (2**index - 1)


def _height(base: Array, spread: Array, rivals: Array) -> Array:
    """log log of the clean level that is needed."""
    return np.log(np.log(base + rivals * spread))


def _reached(base: Array, spread: Array, rivals: Array, aim: Array) -> slice:
    """The part of a table (rising with the index) that holds all aims: most tables reach much farther."""
    coarse = _height(base[::COARSE], spread[::COARSE], rivals)
    coarse = np.where(coarse > LEAST, coarse, -np.inf)
    inside = aim[(aim > LEAST) & (aim < np.inf)]
    if not len(inside):
        return slice(None)
    low, high = np.searchsorted(coarse, (inside.min(), inside.max()))
    return slice(max(0, (low - 2) * COARSE), (high + 2) * COARSE)


def _runs(values: Array) -> Iterator[slice]:
    """Slices of equal neighbours."""
    cuts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return (slice(*ends) for ends in pairwise(cuts))


def _theta(low: float, high: float, t: Array) -> Array:
    """Coordinates in which both ends of an open interval are at infinity."""
    if low > -math.inf:
        return low + (np.exp(t) if high == math.inf else (high - low) / (1 + np.exp(-t)))
    return np.sinh(t) if high == math.inf else high - np.exp(-t)


def _nodes(low: float, high: float) -> Array:
    """Equidistant t over an open interval."""
    near, far = (math.log(SMALLEST if end == 0 else NEAREST) for end in (low, high)), math.log(LARGEST)
    left, right = near
    return np.arange(left if low > -math.inf else -far, far if high == math.inf else -right, STEP)
