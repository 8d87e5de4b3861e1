"""Exact names for the end of a range: rationals, roots of integers, roots of polynomials."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from ..numbers.backends import EXACT, POLY
from ..numbers.exact import Exact, Poly, simplest, square_root
from ..numbers.scalar import Scalar
from ..numbers.text import plain
from .isolate import Inequality, refined, run
from .pieces import End


def root(inequality: Inequality, low: float, high: float, closed: bool, named: bool) -> End:
    """The end inside [low, high], named exactly if it can be."""
    low, high = refined(inequality, low, high)
    name = _exact_root(inequality, low, high) if named else None
    text, rational = name if name is not None else (None, None)
    if rational is None:
        return End((low + high) / 2, low, high, closed, text)
    return rational_end(rational, closed, text)


def rational_end(rational: Fraction, closed: bool, text: str | None) -> End:
    value = float(rational)
    if text is not None and Fraction(value) == rational:
        return End.at(rational, closed)
    low, high = math.nextafter(value, -math.inf), math.nextafter(value, math.inf)
    return End(value, low, high, closed, text, None if text is None else rational)


def _exact_root(inequality: Inequality, low: float, high: float) -> tuple[str, Fraction | None] | None:
    polynomial = run(inequality, Poly.variable(), POLY)
    if isinstance(polynomial, Poly) and polynomial.coefficients:
        return _root_of_polynomial(polynomial, low, high)
    for text, candidate, rational in _candidates(low, high):
        value = run(inequality, candidate, EXACT)
        if isinstance(value, Exact) and value.known and value.sign == 0:
            return text, rational
    return None


def _candidates(low: float, high: float) -> Iterator[tuple[str, Scalar, Fraction | None]]:
    """The simplest numbers of each form inside the enclosure; the caller verifies them."""
    rational = simplest(Fraction(low), Fraction(high))
    yield plain(rational), EXACT.number(rational), rational
    if low > 0 and 1 / low < 700:
        base = simplest(Fraction(math.exp(1 / high)), Fraction(math.exp(1 / low)), slack=Fraction(1, 2**48))
        if base > 1:
            yield f"1/log({base})", 1 / Exact.log_of(base), None
    if 0 < low and high < 700:
        base = simplest(Fraction(math.exp(low)), Fraction(math.exp(high)), slack=Fraction(1, 2**48))
        if base > 1:
            yield f"log({base})", Exact.log_of(base), None


def _root_of_polynomial(polynomial: Poly, low: float, high: float) -> tuple[str, Fraction | None] | None:
    coefficients = polynomial.coefficients or ()
    if polynomial.degree == 1:
        root = -coefficients[0] / coefficients[1]
        return plain(root), root
    rational = simplest(Fraction(low), Fraction(high))
    if polynomial(rational) == 0:
        return plain(rational), rational
    scale = math.lcm(*(c.denominator for c in coefficients))
    whole = [int(c * scale) for c in coefficients]
    whole = [c // math.gcd(*whole) * (1 if whole[-1] > 0 else -1) for c in whole]
    if polynomial.degree == 2:
        c, b, a = (Fraction(x) for x in whole)
        outside, inside = square_root(b * b - 4 * a * c)
        centre, spread = -b / (2 * a), outside / (2 * a)
        for sign in (1, -1):
            if low * (1 - 1e-9) <= float(centre) + sign * float(spread) * math.sqrt(inside) <= high * (1 + 1e-9):
                return _surd(centre, sign * spread, inside), None
    return "root of " + _written(whole) + " = 0", None


def _surd(centre: Fraction, spread: Fraction, inside: int) -> str:
    """``centre + spread sqrt(inside)`` over one denominator."""
    bottom = math.lcm(centre.denominator, spread.denominator)
    p, s = int(centre * bottom), int(spread * bottom)
    root = f"sqrt({inside})" if abs(s) == 1 else f"{abs(s)}*sqrt({inside})"
    top = (f"{p} {'+' if s > 0 else '-'} {root}") if p else ("" if s > 0 else "-") + root
    return top if bottom == 1 else f"({top})/{bottom}"


def _written(whole: list[int]) -> str:
    parts: list[str] = []
    for power in range(len(whole) - 1, -1, -1):
        c = whole[power]
        if not c:
            continue
        factor = "" if power == 0 else "t" if power == 1 else f"t^{power}"
        size = str(abs(c)) if abs(c) != 1 or not factor else ""
        sign = "-" if c < 0 else "+"
        parts.append((f"{sign} " if parts else "-" if c < 0 else "") + "*".join(x for x in (size, factor) if x))
    return " ".join(parts)
