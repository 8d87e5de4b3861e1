"""What an inequality does beyond the values that were scanned: towards infinity, and next to an open end of its domain.

The parameter is run through the inequality as a germ (1/e at infinity, end + e at a finite end), so that one evaluation holds for
all values from some place on. Between that place and the last value scanned it is run as a germ on stretches of e, which are
divided until each has a sign: what is left holds the changes, however far beyond the floats they lie.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from fractions import Fraction
from itertools import pairwise
from math import inf
from typing import NamedTuple

from ..numbers.backends import INTERVAL, arb_
from ..numbers.exponentials import NoSum, sign_between
from ..numbers.germ import FLOATS, Balls, Germ, Germs, arb_balls, germs, germs_between, in_arb
from ..numbers.scalar import Scalar
from .isolate import Inequality

LADDER = (30, 60, 200, 1000, 2**13, 2**17, 2**21, 2**25)  # bits: how far out a germ is tried
IN_FLOATS = (30, 60, 200)
AS_EXPONENT = (4, 6, 8, 10, 14, 20, 30, 60)  # the same for a parameter that stands in exponents
PRECISE = 2**13  # bits: as far 1 +- e is told from 1, which immense powers of it need
FARTHEST = 1000  # bits: floats end a little farther out
NARROW = 2.0**-48  # relative width, in bits, at which a stretch is not divided
MOST = 1500  # stretches


class Tail(NamedTuple):
    """The sign on all values from 2^bits on (next to a finite end: nearer to it than 2^-bits), proved."""

    sign: int
    bits: int


class Change(NamedTuple):
    """The sign changes for some e in [2^-far, 2^-near]; ``single``: as narrow as that, from one sign to the other."""

    near: float
    far: float
    single: bool


class Stretch(NamedTuple):
    """The sign for e in [2^-far, 2^-near], proved; None where a change is left."""

    sign: int | None
    near: float
    far: float


def sign_beyond(inequality: Inequality, end: Fraction | None, upwards: bool) -> Tail | None:
    """The sign on all values from some place on towards an end (None: infinity), proved; None if none is found.

    ``upwards``: the end is the upper one. Intervals of floats are tried first: flint takes longer to load than they take.
    """
    for bits in IN_FLOATS:
        sign = _sign(inequality, end, upwards, germs(bits, FLOATS))
        if sign is not None:
            return Tail(sign, bits)
    if end is None and upwards:
        with suppress(NoSum):
            for bits in AS_EXPONENT:
                sign = sign_between(inequality, 2.0**bits)
                if sign is not None:
                    return Tail(sign, bits)
    for bits in LADDER:
        with in_arb(bits if bits <= PRECISE else 0):
            sign = _sign(inequality, end, upwards, germs(bits))
        if sign is not None:
            return Tail(sign, bits)
    return None


def changes(inequality: Inequality, end: Fraction | None, upwards: bool, near: float, tail: Tail) -> list[Change]:
    """Where the sign changes between e = 2^-near and the tail; everywhere else it is proved."""
    found = [*stretches(inequality, end, upwards, near, float(tail.bits)), Stretch(tail.sign, tail.bits, inf)]
    result = []
    for i, (sign, low, high) in enumerate(found):
        before, after = found[i - 1].sign if i else None, found[i + 1].sign if i + 1 < len(found) else None
        if sign is None:
            single = before is not None and after == -before and high - low <= 1e-9 * high
            result.append(Change(low, high, single))
        elif after == -sign:  # two proofs that touch
            result.append(Change(high, high, True))
    return result


def stretches(inequality: Inequality, end: Fraction | None, upwards: bool, near: float, far: float) -> list[Stretch]:
    """The signs for e from 2^-near to 2^-far, in this order; neighbours of one sign are one stretch."""
    balls, exactly = _balls(far)
    edges = [near]
    while edges[-1] < far:
        edges.append(min(2 * edges[-1], far))
    waiting, found = [*pairwise(edges)][::-1], []
    with exactly:
        for _ in range(MOST):
            if not waiting:
                break
            low, high = waiting.pop()
            sign = _sign_between(inequality, end, upwards, low, high, balls)
            if sign is not None or high - low <= NARROW * high:
                found.append(Stretch(sign, low, high))
            else:
                middle = low + (high - low) / 2
                waiting += [(middle, high), (low, middle)]
    return _merged([*found, *(Stretch(None, low, high) for low, high in reversed(waiting))])


def _balls(far: float) -> tuple[Balls, AbstractContextManager[object]]:
    """Balls in which 2^-far and the powers of it that occur are not lost."""
    return (FLOATS, nullcontext()) if far <= max(IN_FLOATS) else (arb_balls(), in_arb())


def _merged(found: list[Stretch]) -> list[Stretch]:
    result: list[Stretch] = []
    for each in found:
        if result and result[-1].sign == each.sign:
            result[-1] = Stretch(each.sign, result[-1].near, each.far)
        else:
            result.append(each)
    return result


def _sign_between(
    inequality: Inequality, end: Fraction | None, upwards: bool, near: float, far: float, balls: Balls
) -> int | None:
    """The sign on one stretch, by germs, or by balls alone."""
    xp = germs_between(near, far, balls)
    sign = _sign(inequality, end, upwards, xp)
    return sign if sign is not None else _sign_in_balls(inequality, end, upwards, xp)


def _sign_in_balls(inequality: Inequality, end: Fraction | None, upwards: bool, xp: Germs) -> int | None:
    assert xp.least is not None
    e: Scalar = xp.delta.union(xp.least)
    step = e if end is not None else xp.ball(1) / e
    step = step if upwards == (end is None) else -step
    plain = INTERVAL if xp.balls is FLOATS else arb_()
    try:
        value = plain.number(inequality(step if end is None else xp.ball(end) + step, plain))
    except (ArithmeticError, TypeError, ValueError):
        return None
    return xp.balls.sign(value) or None


def _sign(inequality: Inequality, end: Fraction | None, upwards: bool, xp: Germs) -> int | None:
    try:
        return xp.number(inequality(_near(xp, end, upwards), xp)).sign or None
    except (ArithmeticError, TypeError, ValueError):
        return None


def _near(xp: Germs, end: Fraction | None, upwards: bool) -> Germ:
    side = -1 if upwards else 1
    if end is not None:
        return xp.near(end, side)
    return xp.near(Fraction(0), -side).reciprocal()
