"""Rigorous "yes" answers for losses that no closed rule covers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .backends import arb_, numpy_
from .profile import Profile

LINES = 240  # dual lines tried
BOXES = 4000


def active_negative(profile: Profile, weights: Sequence[Any], target: int) -> bool:
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

    def total(T: Any, G: Any) -> Any:
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
    bases = {atom.base for _, atom in (*profile.normalised, *profile.negative)}
    return (
        bases.pop() if len(bases) == 1 and not profile.separable and profile.normalised and profile.negative else None
    )


def _jet(base: Any, u: Any, xp: Any) -> Any:
    x = xp.variable(u)
    return base.on(xp).active(x, xp.log(x), xp)


Line = tuple[float, Any, Any]  # the G at which it touches, then slope and constant of T >= slope G + constant


def _lines(base: Any, shares: list[Fraction], p: Fraction, xp: Any) -> list[Line]:
    """Valid lines: nu on a grid, mu and the touching point u in floats; the constants are enclosed in Arb.

    Any u gives a valid line (where w_k > nu the tangent at u bounds a convex function from below); a good one a tight line.
    """
    import numpy as np

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


def _nearest(lines: list[Line], G: float) -> list[tuple[Any, Any]]:
    closest = sorted(lines, key=lambda line: abs(line[0] - G))[:4]
    return [(slope, constant) for _, slope, constant in closest]
