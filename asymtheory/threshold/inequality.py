"""Where an inequality in one parameter holds: pieces of an open interval, their ends enclosed and named."""

from __future__ import annotations

import math

from ..losses.domain import Domain
from ..numbers.backends import POLY
from ..numbers.exact import Poly
from ..numbers.text import plain
from .isolate import LARGEST, SMALLEST, Inequality, farthest, run, segments
from .names import rational_end, root
from .pieces import Piece, open_end


def isolate(
    inequality: Inequality, domain: Domain, closed: bool, named: bool = True, smallest: float = SMALLEST
) -> tuple[tuple[Piece, ...], bool]:
    """Where ``inequality(value, xp) >= 0`` (> 0 unless closed) on an open domain, by certified signs.

    Beyond LARGEST and below SMALLEST (for a domain that starts at 0) a change of sign is looked for at a few points
    farther out; else, and where floats overflow, the last sign continues.
    The second result says whether every value got a sign. Ends get exact names if ``named``.
    """
    polynomial = run(inequality, Poly.variable(), POLY)
    if isinstance(polynomial, Poly) and polynomial.coefficients == ():  # identically zero: there is no sign to isolate
        return ((Piece(open_end(domain.low), open_end(domain.high)),) if closed else ()), True
    if isinstance(polynomial, Poly) and polynomial.degree == 1:
        return _linear(polynomial, domain, closed, named), True
    # the inequality may jump at an end of the open domain (AMSE at q = 1): start next to it
    start = -LARGEST if domain.low is None else math.nextafter(float(domain.low), math.inf) if domain.low else smallest
    stop = LARGEST if domain.high is None else math.nextafter(float(domain.high), -math.inf)
    if start == SMALLEST:
        start = farthest(inequality, start)
    if stop == LARGEST:
        stop = farthest(inequality, stop)
    found = segments(inequality, start, stop)
    pieces = []
    for i, (sign, left, right) in enumerate(found):
        if sign != 1:
            continue
        low, high = open_end(domain.low), open_end(domain.high)
        if i > 0:
            before = found[i - 1]
            low = root(inequality, before[1] if before[0] is None else left, left, closed, named)
        if i < len(found) - 1:
            after = found[i + 1]
            high = root(inequality, right, after[2] if after[0] is None else right, closed, named)
        pieces.append(Piece(low, high))
    around = [None, *(sign for sign, _, _ in found), None]
    lost = (
        here is None and high - low > (1e-3 if before and before == -(after or 0) else 1e-9) * max(abs(low), abs(high))
        for before, after, (here, low, high) in zip(around, around[2:], found, strict=False)
    )
    return tuple(pieces), not any(lost)


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
