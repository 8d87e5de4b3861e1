"""Rigorous answers where no rule decides: proofs in Arb, points certified to have less risk, or "undecided"."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses.base import Loss
from ..losses.profile import Profile
from ..noise.rows import Row
from ..numbers.backends import INTERVAL, Backend, arb_, numpy_
from ..numbers.germ import Germs, germs
from ..numbers.interval import Interval
from ..numbers.scalar import Scalar
from .local_search import search_point, transfers
from .rules import Decision, endless
from .rules.joint import Joint
from .simplex_search import decide_by_search
from .sweep import Sweep

LINES = 240  # dual lines tried
BOXES = 4000
NEAR = 100  # bits: how near to 0 limits are looked at


FALLS = "certified: the risk falls as soon as mass leaves the vertex (its leading term there)"
RISES = "certified: lower bounds of the risk by the mass that leaves the vertex (intervals, Arb)"
LINES_BELOW = "certified: lines below the risk that meet it at the cut-off vertex only (Arb)"
CHORDS = "certified: a common chord slope separates the two classes (intervals)"
LESS = "certified: a point of less risk than the vertex (Arb)"
UNBOUNDED = "proved: the risk is unbounded below as u_k -> 0 for another class, wherever the other entries are"
INFINITE = "proved: the risk is infinite at e_m, and finite inside: phi_k is infinite at 0 for another class"
AT_THE_VERTEX = "proved: with two classes the risk is unbounded below in the limit at e_m alone"
OPEN = "undecided: {}; the search found no point of less risk"


def search(
    loss: Loss, row: Row, decision: Decision, thorough: bool = True
) -> tuple[Decision, NDArray[np.float64] | None, str]:
    """Settle a row that no rule settles: by a proof, by a point certified to have less risk, or leave it undecided.

    ``thorough``: at last a local descent looks for such a point, and what stays undecided says what is missing.
    """
    if isinstance(decision.rule, Joint):
        verdict, at, how = decide_by_search(loss, row)
        return Decision(verdict, decision.gap, decision.rule), at, how
    profile = Profile.of(loss, len(row.weights))
    sweep = Sweep.of(loss, row)
    transfer = sweep.transfer
    weights = np.array([float(x) for x in row.weights]) / float(row.total)
    # a chord proof is about the separable part: what is added must be least at e_m, too
    least = all(endless(atom) for _, atom in profile.normalised) or row.uniform_rest
    holds: bool | None = None
    point: NDArray[np.float64] | None = None
    if (ends := _by_ends(profile, row)) is not None:
        holds, method = ends
    elif transfer.falls():
        holds, method = False, FALLS
    elif _certified_less(loss, row, point := transfers(loss, weights)):
        holds, method = False, LESS
    elif sweep.point() or transfer.proves():
        holds, point, method = True, None, RISES
    elif profile.separable and least and not profile.negative and _chords_prove(profile, row):
        holds, point, method = True, None, CHORDS
    elif profile.negative and profile.normalised and active_negative(profile, row.weights, row.target):
        holds, point, method = True, None, LINES_BELOW
    elif not thorough:
        point, method = None, ""
    else:
        point = search_point(loss, weights)
        holds, method = (False, LESS) if _certified_less(loss, row, point) else (None, OPEN.format(sweep.missing()))
    gap = decision.gap  # of an inequality that did not decide: shown where it does not deny the verdict
    return (
        Decision(holds, None if holds is not None and gap and (gap > 0) != holds else gap, decision.rule),
        point,
        method,
    )


def _by_ends(profile: Profile, row: Row) -> tuple[bool, str] | None:
    """What the limits of phi_k at u_k = 0 of the classes k != m settle, where one is infinite; None where none is found to be.

    With three classes or more a limit of -inf leaves the other entries free: the risk is unbounded below away from e_m, too. With
    two it is so at e_m alone, unless that of m is. Without one a limit of +inf makes the risk infinite at e_m, and finite inside.
    """
    if profile.negative or profile.clipped or not profile.separable:
        return None
    K, total = len(row.weights), Fraction(row.total)
    xp = germs(NEAR)
    u = xp.near(Fraction(0), 1)
    limits: dict[bool, set[int | None]] = {
        True: set(),
        False: set(),
    }  # signs of infinite limits: of the target, of the others
    try:
        active, passive = (profile.part(side, u, xp.log(u), xp) for side in ("active", "passive"))
        for k, w in enumerate(row.weights):
            share = Fraction(w) / total
            germ = xp.number(active * share + passive * (1 - share))
            if germ.infinite:
                limits[k == row.target].add(germ.sign)
    except (ArithmeticError, TypeError, ValueError):
        return None
    others = limits[False]
    if None in others or not others:
        return None
    if -1 in others:
        if K > 2:
            return False, UNBOUNDED
        return (True, AT_THE_VERTEX) if limits[True] <= {1} and _finite_at_1(profile, row, xp) else None
    return (False, INFINITE)


def _finite_at_1(profile: Profile, row: Row, xp: Germs) -> bool:
    """Is the limit of phi_m at u_m = 1 certainly finite?"""
    u = xp.near(Fraction(1), -1)
    share = Fraction(row.top) / Fraction(row.total)
    try:
        active, passive = (profile.part(side, u, xp.log(u), xp) for side in ("active", "passive"))
        return not xp.number(active * share + passive * (1 - share)).infinite
    except (ArithmeticError, TypeError, ValueError):
        return False


def _chords_prove(profile: Profile, row: Row) -> bool:
    """Is there a slope s with phi_n(x) - phi_n(0) > s x and phi_m(1 - x) - phi_m(1) > -s x for all x in (0, 1]?

    It proves F(u) - F(e_m) = sum_{k != m} [phi_k(u_k) - phi_k(0)] + [phi_m(u_m) - phi_m(1)]
    > s (sum_{k != m} u_k - (1 - u_m)) = 0, for the chords of phi_k from 0 are least for the largest weight.
    Checked by intervals on boxes (slopes may be infinite at 0 and 1, which intervals hold and Arb's balls do not); next
    to x = 0 by the slope.
    """
    exact_top, exact_second = (Fraction(w) / Fraction(row.total) for w in (row.top, row.second))
    top, second = float(exact_top), float(exact_second)

    def phi(weight: Fraction, x: Interval, slope: bool) -> Interval:
        own, other = (profile.jet(side, x, INTERVAL)[1 if slope else 0] for side in ("active", "passive"))
        return Interval.of(own * Interval.of(weight) + other * Interval.of(1 - weight))

    grid = np.linspace(0, 1, 2001)[1:]
    u = np.stack([grid, 1 - grid])
    with np.errstate(all="ignore"):
        a, p = (profile.jet(side, u, numpy_())[0] for side in ("active", "passive"))
        ends = [
            [profile.jet(side, np.array([x]), numpy_())[0][0] for side in ("active", "passive")] for x in (0.0, 1.0)
        ]
        rise = (second * a[0] + (1 - second) * p[0] - second * ends[0][0] - (1 - second) * ends[0][1]) / grid
        fall = (top * ends[1][0] + (1 - top) * ends[1][1] - top * a[1] - (1 - top) * p[1]) / grid
    low, high = np.max(fall), np.min(rise)
    if not low < high:
        return False
    s = float((low + high) / 2)
    zero, one = phi(exact_second, Interval(0.0, 0.0), False), phi(exact_top, Interval(1.0, 1.0), False)
    stack = [(0.0, 1.0)]
    for _ in range(4000):
        if not stack:
            return True
        left, right = stack.pop()
        box = Interval(left, right)
        rest = Interval(
            math.nextafter(1 - right, 0.0), min(1.0, math.nextafter(1 - left, 2.0))
        )  # 1 - box, inside [0, 1]
        if left == 0.0:  # mean value: the chord slope lies among the slopes on [0, right]
            settled = phi(exact_second, box, True).low > s and phi(exact_top, rest, True).high < s
        else:
            above = phi(exact_second, box, False) - zero - box * s, phi(exact_top, rest, False) - one + box * s
            settled = min(above[0].low, above[1].low) > 0
        if not settled:
            middle = (left + right) / 2 if left else right / 4
            if right - left < 1e-9:
                return False
            stack += [(middle, right), (left, middle)]
    return False


def _certified_less(loss: Loss, row: Row, point: NDArray[np.float64]) -> bool:
    """Is the risk at ``point``, or in the limit there, less than at the vertex? Proved in Arb, on exact points."""
    return any(excess < 0 for excess in excesses(loss, row, point))


def excesses(loss: Loss, row: Row, point: NDArray[np.float64], within: Loss | None = None) -> Iterator[Scalar]:
    """``F(u) - F(vertex)`` in Arb at exact points next to ``point``, with the least limit where a normalised term has none.

    Two readings of the point: what is nearly 0 may have to be 0, and may not. ``within``: the sum that ``loss`` is a part of, whose
    vertex is meant; it may be cut off where that of the part alone is not.
    """
    K, weights = len(row.weights), [Fraction(w) for w in row.weights]
    profile = Profile.of(loss, K)
    floor = max((atom.p_min for _, atom in Profile.of(within or loss, K).negative), default=Fraction(0))
    vertex = [floor] * K
    vertex[row.target] = 1 - (K - 1) * floor
    at_vertex = _infimum(profile, weights, vertex)
    for least in (0.0, 1e-12):
        u = [max(Fraction(x) if x > least else Fraction(0), floor) for x in point.tolist()]
        largest = u.index(max(u))
        u[largest] += 1 - sum(u)
        if u[largest] >= floor:
            yield _infimum(profile, weights, u) - at_vertex


def _infimum(profile: Profile, weights: list[Fraction], u: list[Fraction]) -> Scalar:
    """F(u) in Arb. NCE and NFL at the boundary count with their least limit: the least weight of the classes at 0."""
    xp = arb_()
    nothing = xp.number(Fraction(0))
    balls, p = [xp.number(w) for w in weights], [xp.number(x) for x in u]
    result = nothing

    def average(values: list[Scalar]) -> Scalar:
        return sum((w * v for w, v in zip(balls, values, strict=True)), start=nothing) / sum(values, start=nothing)

    if profile.separable:
        active, passive = ([profile.jet(side, x, xp)[0] for x in p] for side in ("active", "passive"))
        rest = sum(passive, start=nothing)
        for w, own, other in zip(balls, active, passive, strict=True):
            result += w * (own + rest - other) if w != 0 else nothing
    for coefficient, atom in profile.normalised:
        at_zero = [w for w, x in zip(weights, u, strict=True) if x == 0]
        if at_zero and endless(atom):
            term = xp.number(min(at_zero))
        else:
            base: Any = atom.base.on(xp)
            term = average([base.active(x, xp.log(x), xp) for x in p])
        result += term * xp.number(coefficient)
    for coefficient, negative in profile.negative:
        bound: Any = negative.on(xp)
        flipped = [bound.flipped(x, xp.log(x), xp) for x in p]
        result += (sum(balls, start=nothing) - average(flipped)) * xp.number(coefficient)
    return result


def active_negative(profile: Profile, weights: Sequence[Scalar], target: int) -> bool:
    """Is the cut-off vertex the only minimiser of ``alpha N + beta NN``, N = normalised g, NN = normalised negative g?

    ANL-CE and ANL-FL (ANL Eq. 11). With g_k = g(u_k), T = sum w_k g_k and G = sum g_k, for weights of total 1,

        F = alpha T/G + beta (1 - (B - T)/(K B - G)),

    which increases with T. g is convex and decreasing, so {g : sum g^-1(g_k) <= 1} is convex, and weak duality gives for any
    nu < w_m and mu > 0 the line ``T >= nu G + sum_k min_u [(w_k - nu) g(u) + mu u] - mu``. The line that touches at the vertex
    leaves a linear inequality next to it; further lines cover the rest of the range of G, checked in Arb.
    """
    xp = arb_()
    base = _common_base(profile)
    if base is None:
        return False
    alpha = xp.number(sum((Fraction(c) for c, _ in profile.normalised), start=Fraction(0)))
    beta = xp.number(sum((Fraction(c) for c, _ in profile.negative), start=Fraction(0)))
    K, whole = len(weights), sum(map(Fraction, weights), start=Fraction(0))
    shares = [Fraction(w) / whole for w in weights]
    p = Fraction(profile.negative[0][1].p_min)
    cut = _jet(base, xp.number(p), xp)
    tip = _jet(base, xp.number(1 - (K - 1) * p), xp)
    B, steep, flat = cut.value, -cut.slope, -tip.slope
    top, second = xp.number(shares[target]), xp.number(max(share for k, share in enumerate(shares) if k != target))
    G_vertex = (K - 1) * B + tip.value
    T_vertex = top * tip.value + (1 - top) * B

    def total(T: Scalar, G: Scalar) -> Scalar:
        return alpha * T / G + beta * (1 - (B - T) / (K * B - G))

    vertex = total(T_vertex, G_vertex)
    nu = (second * steep - top * flat) / (steep - flat)
    gain, loss = beta * (top - nu), alpha * (nu * G_vertex - T_vertex)
    least = K * _jet(base, xp.number(Fraction(1, K)), xp).value  # G is convex in u: least where all are equal
    reach = (gain * G_vertex**2 - loss * (B - tip.value)) / (gain * G_vertex + loss)
    if not (gain > 0 and reach > 0):
        return False
    start = (G_vertex - reach / 2 if loss > 0 else least).lower()
    if start <= least:
        return True
    lines = _lines(base, shares, p, xp)
    boxes = [(float(least.lower()), float(start.upper()) + 1e-9)]
    for _ in range(BOXES):
        if not boxes:
            return True
        low, high = boxes.pop()
        G = xp.number(low).union(xp.number(high))
        if any(total(slope * G + constant, G) > vertex for slope, constant in _nearest(lines, (low + high) / 2)):
            continue
        if high - low < 1e-6:
            return False
        boxes += [(low, (low + high) / 2), ((low + high) / 2, high)]
    return False


def _common_base(profile: Profile) -> Any:
    """The base loss that all terms share, if there is nothing else in the sum."""
    bases: set[Any] = {atom.base for _, atom in profile.normalised} | {atom.base for _, atom in profile.negative}
    return (
        bases.pop() if len(bases) == 1 and not profile.separable and profile.normalised and profile.negative else None
    )


def _jet(base: Any, u: Scalar, xp: Backend) -> Scalar:
    x = xp.variable(u)
    return base.on(xp).active(x, xp.log(x), xp)


Line = tuple[float, Scalar, Scalar]  # the G at which it touches, then slope and constant of T >= slope G + constant


def _lines(base: Any, shares: list[Fraction], p: Fraction, xp: Backend) -> list[Line]:
    """Valid lines: nu on a grid, mu and the touching point u in floats; the constants are enclosed in Arb.

    Any u gives a valid line (where w_k > nu the tangent at u bounds a convex function from below); a good one a tight line.
    """
    counts = Counter(shares)
    distinct = np.array([float(share) for share in counts])
    number = np.array(list(counts.values()))
    grid = np.geomspace(float(p), 1.0, 8001)
    with np.errstate(all="ignore"):
        steep = np.maximum.accumulate(np.nan_to_num(-_jet(base, grid, numpy_()).slope)[::-1])[::-1]  # decreasing in u
    nu = (distinct.max() - np.geomspace(1e-6, 1e2, LINES))[:, None]
    low, high = np.full_like(nu, 1e-12), np.full_like(nu, 1e12)
    for _ in range(100):
        mu = np.sqrt(low * high)
        with np.errstate(all="ignore"):
            wanted = np.where(distinct > nu, mu / (distinct - nu), np.inf)
        u = np.clip(np.interp(-wanted, -steep, grid), float(p), 1.0)
        over = (u * number).sum(-1, keepdims=True) > 1
        low, high = np.where(over, mu, low), np.where(over, high, mu)
    floor, found = xp.number(p), []
    for row, (slope_float, price_float) in zip(u, np.hstack([nu, mu]).tolist(), strict=True):
        slope, price, touch = xp.number(slope_float), xp.number(price_float), 0.0
        constant = -price
        for share, times, point in zip(counts, counts.values(), row.tolist(), strict=True):
            at = xp.number(point) if point > p else floor
            here, above = _jet(base, at, xp), xp.number(share) - slope
            touch += times * float(here.value)
            part = above * here.value + price * at
            if above > 0:
                tilt = above * here.slope + price
                part += min((tilt * (floor - at)).lower(), (tilt * (1 - at)).lower())
            else:  # increasing in u: least at p
                part = above * _jet(base, floor, xp).value + price * floor
            constant += times * part
        found.append((touch, slope, constant))
    return sorted(found, key=lambda line: line[0])


def _nearest(lines: list[Line], G: float) -> list[tuple[Scalar, Scalar]]:
    closest = sorted(lines, key=lambda line: abs(line[0] - G))[:4]
    return [(slope, constant) for _, slope, constant in closest]
