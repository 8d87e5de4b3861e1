"""What an inequality does beyond the values that were scanned: at infinity, and next to an open end of its domain.

The parameter is run through the inequality as a germ (1/e at infinity, end + e at a finite end), so that one evaluation holds for
all values from some place on. Where the sign there is another one, the change lies in between and is bisected in Arb.
"""

from __future__ import annotations

from fractions import Fraction

from ..numbers.germ import FLOATS, Germ, Germs, germs, in_arb
from .isolate import Inequality, sign_in_balls

LADDER = (30, 60, 200, 1000, 2**13, 2**17)  # bits: how far out a germ is tried
IN_FLOATS = (30, 60, 200)
FARTHEST = 1000  # bits: floats end a little farther out


def sign_beyond(inequality: Inequality, end: Fraction | None, upwards: bool) -> int | None:
    """The sign on all values from some place on towards an end (None: infinity), proved; None if none is found.

    ``upwards``: the end is the upper one. Intervals of floats are tried first: flint takes longer to load than they take.
    """
    for bits in IN_FLOATS:
        sign = _sign(inequality, end, upwards, germs(bits, FLOATS))
        if sign is not None:
            return sign
    with in_arb():
        signs = (_sign(inequality, end, upwards, germs(bits)) for bits in LADDER)
        return next((sign for sign in signs if sign is not None), None)


def _sign(inequality: Inequality, end: Fraction | None, upwards: bool, xp: Germs) -> int | None:
    try:
        return xp.number(inequality(_near(xp, end, upwards), xp)).sign
    except (ArithmeticError, TypeError, ValueError):
        return None


def _near(xp: Germs, end: Fraction | None, upwards: bool) -> Germ:
    side = -1 if upwards else 1
    if end is not None:
        return xp.near(end, side)
    return xp.near(Fraction(0), -side).reciprocal()


def changes_by(inequality: Inequality, scanned: float, end: Fraction | None, sign: int) -> float | None:
    """A value between the last one scanned and an infinite end, or 0, that has another sign than ``sign`` (proved); None if no
    float that is tried has."""
    for bits in (100, 200, 400, 700, FARTHEST):
        far = 2.0**bits if end is None else 2.0**-bits
        value = far if scanned > 0 else -far
        if (abs(value) > abs(scanned)) == (end is None) and sign_in_balls(inequality, value) == -sign:
            return value
    return None
