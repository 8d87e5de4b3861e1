"""Minimisers of ``sum_k phi_k(u_k)`` on the simplex for convex phi_k, one problem or many at once.

Vertices that satisfy the KKT inequality are recognised at once; elsewhere projected Newton (each step solves its separable
quadratic model exactly by water filling), and bisection of the multiplier where a phi_k has flat pieces.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..losses.profile import Profile
from ..numbers.backends import FLOAT, numpy_
from ..numbers.scalar import Scalar

Array: TypeAlias = NDArray[np.float64]

TOLERANCE = 1e-13  # of the duality gap, relative to the spread of the slopes
NEWTON_STEPS = 60
KEPT = 0.05  # share of an entry that one Newton step keeps at least, where the curvature is infinite at 0
PART = 2**15  # entries of a batch that one thread works on at a time
LARGEST = 1000  # classes tried first
LEAST = 1e-290  # an entry of positive weight where the slope at 0 is infinite
EXACT_CONVEX = "KKT: projected Newton with exact water filling"


def one_hot(w: Array) -> Array:
    """The vertex of the largest weight of each row (B, K)."""
    points = np.zeros_like(w)
    points[np.arange(len(w)), w.argmax(-1)] = 1.0
    return points


def phi(profile: Profile, w: Array, u: Array) -> tuple[Array, Array, Array]:
    """(value, slope, curvature) of ``phi_k(u_k)`` for weights of total 1; a weight 0 removes an infinite term."""
    xp = numpy_()
    with np.errstate(all="ignore"):
        active = profile.jet("active", u, xp, order=2)
        own = _products(w, active)
        if all(atom.curvature()[1] == 0 for _, atom in profile.separable) and not np.any(active[0] != active[0]):
            passive_slope = profile.jet("passive", np.zeros(1), xp)[1]
            if passive_slope != 0:
                rest = (1 - w) * passive_slope
                own[0] += rest * u
                own[1] += rest
        else:
            for part, other in zip(own, _products(1 - w, profile.jet("passive", u, xp, order=2)), strict=True):
                part += other
    return own[0], own[1], own[2]


def _products(w: Array, parts: tuple[Scalar, ...]) -> list[Array]:
    """w times each part, and 0 where w is."""
    return [w * part for part in parts] if w.min() > 0 else [np.where(w > 0, w * part, 0.0) for part in parts]


def minimise_convex(profile: Profile, w: Array) -> tuple[Array, Array]:
    """Points (B, K) and gaps (B,) for convex phi_k; weights of total 1."""
    count = len(w)
    order = np.argpartition(w, -2, axis=-1)[:, -2:]
    two = np.take_along_axis(w, order, -1)
    top, second = two.max(-1), two.min(-1)
    slopes = profile.slopes(FLOAT)
    with np.errstate(invalid="ignore"):
        at_zero = np.where(second > 0, second * slopes.active0, 0.0) + (1 - second) * slopes.passive0
        at_one = top * slopes.active1 + np.where(top < 1, (1 - top) * slopes.passive1, 0.0)
    vertex = (at_zero >= at_one) | (second == 0)
    points, gap = one_hot(w), np.zeros(count)
    todo = np.flatnonzero(~vertex)
    if len(todo):
        points[todo], gap[todo], scale = _newton_on_largest(profile, w[todo])
        stuck = todo[~(gap[todo] <= 1e-9 * np.maximum(1.0, scale))]
        if len(stuck):
            points[stuck], gap[stuck] = _bisected(profile, w[stuck])
    return points, np.maximum(gap, 0.0)  # below 0 by rounding only


def _newton_on_largest(profile: Profile, w: Array) -> tuple[Array, Array, Array]:
    """``_newton`` for many classes: those of the largest weights first, for phi_k'(0) falls with w_k, the rest at 0.

    Where the next class still pulls (the gap says so) all classes are used.
    """
    slopes = profile.slopes(FLOAT)
    if w.shape[-1] <= 2 * LARGEST or not math.isfinite(slopes.active0):
        return _newton_in_parts(profile, w)
    order = np.argpartition(-w, LARGEST, axis=-1)[:, : LARGEST + 1]
    some, after = order[:, :-1], np.take_along_axis(w, order, -1)[:, -1]
    largest = np.take_along_axis(w, some, -1)
    found, gaps, sizes = _newton_in_parts(profile, largest)
    least = phi(profile, largest, found)[1].min(-1)
    gaps = gaps + np.maximum(0.0, least - (after * slopes.active0 + (1 - after) * slopes.passive0))
    points = np.zeros_like(w)
    np.put_along_axis(points, some, found, -1)
    more = np.flatnonzero(~(gaps <= 1e-12 * sizes))
    if len(more):
        points[more], gaps[more], sizes[more] = _newton_in_parts(profile, w[more])
    return points, gaps, sizes


def _newton_in_parts(profile: Profile, w: Array) -> tuple[Array, Array, Array]:
    """``_newton`` on parts of the batch that fit in the cache, on all cores (numpy lets threads run at once)."""
    hold_memory()
    parts = np.array_split(w, math.ceil(w.size / PART)) if len(w) > 1 else [w]
    if len(parts) == 1:
        return _newton(profile, w)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        solved = list(pool.map(lambda part: _newton(profile, part), parts))
    points, gaps, sizes = (np.concatenate(each) for each in zip(*solved, strict=True))
    return points, gaps, sizes


def hold_memory() -> None:
    """Make and free 16 MB: from then on glibc keeps what arrays free for the next ones, a quarter to a half of the time."""
    np.empty(2**21)


def _start(profile: Profile, w: Array) -> Array:
    """Where Newton starts on (K, B) weights: inside, on the side of the larger weights.

    With an infinite slope at 0 the small entries go as a power of their weights, the one for which ``active'`` is
    locally ``-u ** -order``: CE and GCE start at their minimiser.
    """
    even = 1 / len(w)
    if math.isfinite(profile.slopes(FLOAT).active0):
        return 0.5 * w / w.sum(0) + 0.5 * even
    _, slope, curve = profile.jet("active", even, FLOAT, order=2)
    order = -even * curve / slope if slope else 0.0
    if not 0 < order < math.inf:  # slopes that floats do not resolve: CE with a large bias of the logit
        return 0.5 * w / w.sum(0) + 0.5 * even
    u = np.maximum((w / w.max(0)) ** (1 / order), np.where(w > 0, LEAST, 0.0))
    return u / u.sum(0)


def _newton(profile: Profile, weights: Array) -> tuple[Array, Array, Array]:
    """Projected Newton on (B, K) problems: points, gaps, size of the slopes. Problems leave as they converge.

    Where the curvature is infinite at 0 (GCE, CE, AMSE with q < 2) an entry keeps a twentieth of itself per step, so
    that it can come back; where it is infinite at 1 (AUL with a = 1, p < 2) so does its distance from 1. Flat pieces
    (PHuber-CE) get a floor on the curvature that falls tenfold per step.

    Inside, arrays are (K, B): sums over the classes then add whole rows, ten times as fast as along short ones.
    """
    points, gaps = np.empty_like(weights), np.full(len(weights), np.inf)
    w = np.ascontiguousarray(weights.T)
    rows, u = np.arange(w.shape[1]), _start(profile, w)
    keeps, keeps_top = (
        0.0 if np.isfinite(phi(profile, np.full((2, 1), 0.5), np.full((2, 1), end))[2]).all() else KEPT
        for end in (0.0, 1.0)
    )
    value, slope, curve = phi(profile, w, u)
    objective = value.sum(0)
    best = np.full(len(rows), np.inf)
    scale = size = np.abs(slope * u).sum(0) + 1e-300
    for iteration in range(NEWTON_STEPS):
        gap = duality_gap(u, slope)
        better = np.flatnonzero(gap < best)
        best[better] = gaps[rows[better]] = gap[better]
        points[rows[better]] = u[:, better].T
        keep = np.flatnonzero(gap > TOLERANCE * scale)
        if not len(keep):
            break
        if len(keep) < len(rows):
            rows, best, scale, objective = rows[keep], best[keep], scale[keep], objective[keep]
            w, u, slope, curve = (np.take(x, keep, 1) for x in (w, u, slope, curve))
        stiff = np.maximum(curve, scale * 10.0 ** -min(2 + iteration, 10))
        target = np.maximum(_water_filling(u, slope, stiff), keeps * u)
        target /= target.sum(0)
        if keeps_top:
            with np.errstate(invalid="ignore", divide="ignore"):
                share = np.where(target > u, (1 - keeps_top) * (1 - u) / (target - u), 1.0).min(0)
            target = u + np.minimum(share, 1.0) * (target - u)
        before, length, decrease = u, 1.0, np.where(u != target, slope * (target - u), 0.0).sum(0)
        most = objective + 1e-14 * (1 + np.abs(objective))
        u, (value, slope, curve) = target.copy(), phi(profile, w, target)
        objective = value.sum(0)
        for _ in range(30):
            bad = np.flatnonzero(~(objective <= most + 0.1 * length * decrease))
            if not len(bad):
                break
            length *= 0.5
            u[:, bad] = before[:, bad] + length * (target[:, bad] - before[:, bad])
            value, slope[:, bad], curve[:, bad] = phi(profile, w[:, bad], u[:, bad])
            objective[bad] = value.sum(0)
    return points, gaps, size


def duality_gap(u: Array, slope: Array) -> Array:
    """``sum u_k phi_k' - min_k phi_k'`` >= F(u) - min F for convex F and u of sum 1; classes on the first axis."""
    with np.errstate(invalid="ignore"):
        return np.where(u > 0, u * slope, 0.0).sum(0) - slope.min(0)


def _water_filling(u: Array, slope: Array, stiff: Array) -> Array:
    """Minimise the separable quadratic model over the simplex: ``max(0, centre + multiplier * rate)``, summing to 1."""
    rate = 1.0 / stiff
    with np.errstate(invalid="ignore"):
        slope = slope - np.where(u > 0, u * slope, 0.0).sum(0)  # the same minimum with less rounding
        centre = np.where(rate > 0, u - slope * rate, u)
    centres, rates = centre, rate  # of the entries above 0, else 0
    for _ in range(len(u)):
        multiplier = (1 - centres.sum(0)) / np.maximum(rates.sum(0), 1e-300)
        target = centres + multiplier * rates
        out = target < 0
        if not out.any() or not (target > 0).any(0).all():
            break
        centres, rates = np.where(out, 0.0, centres), np.where(out, 0.0, rates)
    return np.maximum(target, 0.0)


def _bisected(profile: Profile, w: Array) -> tuple[Array, Array]:
    """Bisection of the multiplier with phi_k' inverted by bisection; flat pieces are filled in proportion."""

    def filled(multiplier: Array, strict: bool) -> Array:
        low, high = np.zeros_like(w), np.ones_like(w)
        for _ in range(70):
            middle = 0.5 * (low + high)
            slope = phi(profile, w, middle)[1]
            below = slope < multiplier if strict else slope <= multiplier
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        edge = phi(profile, w, np.full_like(w, 1e-300))[1]
        return np.where(edge < multiplier if strict else edge <= multiplier, low, 0.0)

    low = np.nanmin(
        np.where(np.isfinite(ends := phi(profile, w, np.full_like(w, 1e-12))[1]), ends, -1e12), -1, keepdims=True
    )
    high = phi(profile, w, np.ones_like(w))[1].max(-1, keepdims=True)
    for _ in range(70):
        middle = 0.5 * (low + high)
        over = filled(middle, strict=True).sum(-1, keepdims=True) > 1
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    less, more = filled(low, strict=True), filled(high, strict=False)
    room, extra = 1 - less.sum(-1, keepdims=True), (more - less).sum(-1, keepdims=True)
    u = less + np.where(extra > 0, np.clip(room / np.where(extra > 0, extra, 1.0), 0, 1), 0.0) * (more - less)
    with np.errstate(invalid="ignore"):  # where slopes overflow no entry may be filled: NaN, whose gap says so
        u /= u.sum(-1, keepdims=True)
    return u, np.maximum(duality_gap(u.T, phi(profile, w, u)[1].T), 0.0)
