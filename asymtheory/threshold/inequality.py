"""Where an inequality in one parameter holds: pieces of an open interval, their ends enclosed and named."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from ..losses.domain import Domain
from ..numbers.backends import INTERVAL, POLY
from ..numbers.exact import Poly
from ..numbers.interval import Interval
from ..numbers.text import plain
from .isolate import LARGEST, SMALLEST, Inequality, Segment, run, segments, sign_at
from .names import rational_end, root
from .pieces import Piece, open_end

LEAST_RATE = 2.0**-48  # of noise: 1 - eta loses smaller ones


class Isolated(NamedTuple):
    """Where an inequality holds, whether every value got a sign, and what is to be said of it (what is not known)."""

    pieces: tuple[Piece, ...]
    settled: bool
    note: str = ""


def isolate(
    inequality: Inequality,
    domain: Domain,
    closed: bool,
    named: bool = True,
    smallest: float = SMALLEST,
    monotone: bool = False,
) -> Isolated:
    """Where ``inequality(value, xp) >= 0`` (> 0 unless closed) on an open domain, by certified signs.

    Between SMALLEST and LARGEST (or next to a finite end) by enclosures of boxes; beyond these the sign is that of the leading
    term there (``beyond``), and a change in between is bisected. Where no leading term is found the last sign is taken to
    continue. ``monotone``: the caller knows that the inequality is monotone, so that two signs leave one change between them.
    Ends get exact names if ``named``.
    """
    polynomial = run(inequality, Poly.variable(), POLY)
    if isinstance(polynomial, Poly) and polynomial.coefficients == ():  # identically zero: there is no sign to isolate
        return Isolated(((Piece(open_end(domain.low), open_end(domain.high)),) if closed else ()), True)
    if isinstance(polynomial, Poly) and polynomial.degree == 1:
        return Isolated(_linear(polynomial, domain, closed, named), True)
    # the inequality may jump at an end of the open domain (AMSE at q = 1): start next to it
    start = -LARGEST if domain.low is None else math.nextafter(float(domain.low), math.inf) if domain.low else smallest
    stop = LARGEST if domain.high is None else math.nextafter(float(domain.high), -math.inf)
    start, before, early = _beyond(inequality, domain.low, start, upwards=False)
    stop, after, late = _beyond(inequality, domain.high, stop, upwards=True)
    found = [*before, *segments(inequality, start, stop), *after]
    pieces = []
    for i, (sign, left, right) in enumerate(found):
        if sign != 1:
            continue
        low, high = open_end(domain.low), open_end(domain.high)
        if i > 0:
            previous = found[i - 1]
            low = root(inequality, previous[1] if previous[0] is None else left, left, closed, named)
        if i < len(found) - 1:
            following = found[i + 1]
            high = root(inequality, right, following[2] if following[0] is None else right, closed, named)
        pieces.append(Piece(low, high))
    note = "; ".join(filter(None, (early, late)))
    return Isolated(tuple(pieces), not note and not _lost(found, monotone), note)


def _lost(found: list[Segment], monotone: bool) -> bool:
    """Is there a stretch without a sign that is wider than an enclosure of one change may be?"""
    around = [None, *(sign for sign, _, _ in found), None]
    return any(
        here is None
        and not (monotone and before and before == -(after or 0))
        and high - low > (1e-3 if before and before == -(after or 0) else 1e-9) * max(abs(low), abs(high))
        for before, after, (here, low, high) in zip(around, around[2:], found, strict=False)
    )


def _beyond(
    inequality: Inequality, end: Fraction | None, scanned: float, upwards: bool
) -> tuple[float, list[Segment], str]:
    """(where to scan from or to, segments outside of that, what is not known) at one end of an open domain."""
    if scanned == LEAST_RATE and end == 0:  # of a noise rate: 1 - eta loses smaller ones
        return scanned, [], ""
    here = sign_at(inequality, scanned)
    if here is not None and Interval.of(inequality(_outside(end, scanned, upwards), INTERVAL)).sign == here:
        return scanned, [], ""  # one enclosure of all of it
    from .beyond import FARTHEST, changes_by, sign_beyond  # late: the start-up of a linear `bound` has no need of germs

    sign = sign_beyond(inequality, end, upwards)
    if here is None or sign is None or sign == here:
        return scanned, [], ""
    if end is not None and end != 0:  # between an end and the float next to it
        outside = [(sign, float(end), float(end)), (None, float(end), scanned)]
        return scanned, outside if not upwards else [(None, scanned, float(end)), (sign, float(end), float(end))], ""
    other = changes_by(inequality, scanned, end, here)
    if other is not None:
        return other, [], ""
    place = f"{'beyond' if end is None else 'below'} 2^{FARTHEST if end is None else -FARTHEST}"
    return scanned, [], f"its sign changes {place}, which floats do not reach"


def _outside(end: Fraction | None, scanned: float, upwards: bool) -> Interval:
    """All values between the last one scanned and an end."""
    if end is None:
        return Interval(scanned, math.inf) if upwards else Interval(-math.inf, scanned)
    around = Interval.of(end)
    return Interval(scanned, around.high) if upwards else Interval(around.low, scanned)


def _linear(polynomial: Poly, domain: Domain, closed: bool, named: bool) -> tuple[Piece, ...]:
    """``isolate`` for a polynomial of degree 1: its one root is a fraction, and no interval is needed."""
    constant, slope = polynomial.coefficients or ()
    value, whole = -constant / slope, Piece(open_end(domain.low), open_end(domain.high))
    if domain.low is not None and value <= domain.low:
        return (whole,) if slope > 0 else ()
    if domain.high is not None and value >= domain.high:
        return (whole,) if slope < 0 else ()
    end = rational_end(value, closed, plain(value) if named else None)
    return (Piece(end, whole.high) if slope > 0 else Piece(whole.low, end),)
