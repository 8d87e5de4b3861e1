"""Sums ``S = x + x^2/2 + ... + x^n/n`` of x in [0, 1] in number systems of intervals, without n steps that each lose a little.

S rises with x, and so does its slope ``1 + x + ... + x^(n-1) = (1 - x^n) / (1 - x)``: spans, balls and germs are enclosed by the
values at their ends. What of an interval lies outside [0, 1] is left out; the caller knows that x does not.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from .scalar import Scalar


@lru_cache(256)
def harmonic(last: int, first: int = 1) -> Fraction:
    """``1/first + ... + 1/last``, by halves: so few sums have long terms."""
    if last - first < 8:
        return sum((Fraction(1, j) for j in range(first, last + 1)), Fraction(0))
    middle = (first + last) // 2
    return harmonic(middle, first) + harmonic(last, middle + 1)


def summed(x: Scalar) -> bool:
    """Is there a short way for this number: a span, a ball or a germ of balls?"""
    return bool(getattr(x, "sums_powers", hasattr(x, "mid_rad_10exp")))


def power_sum(x: Scalar, n: int) -> Scalar:
    """S of such a number."""
    return x.power_sum(n) if hasattr(x, "power_sum") else _over_ends(x, lambda end: _by_horner(end, n))


def geometric_sum(x: Scalar, n: int) -> Scalar:
    """The slope of S, of a span or a ball."""
    if hasattr(x, "geometric_sum"):
        return x.geometric_sum(n)
    return _over_ends(x, lambda end: (1 - end**n) / (1 - end) if end < 1 else end * 0 + n)


def _over_ends(x: Scalar, function: Callable[[Scalar], Scalar]) -> Scalar:
    """A rising function over an Arb ball."""
    low, high = x.lower(), x.upper()
    return function(low if low > 0 else low * 0).union(function(high if high < 1 else high * 0 + 1))


def _by_horner(x: Scalar, n: int) -> Scalar:
    one = x * 0 + 1
    result = one / n
    for j in range(n - 1, 0, -1):
        result = result * x + one / j
    return result * x
