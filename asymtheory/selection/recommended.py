"""Which value of a parameter is recommended, among those for which a loss is asymmetric on a noise.

The threshold itself is a poor choice: there the slack is 0, the constant of the tolerance bound is infinite, and the least error
in the noise matrix undoes the verdict. What a value leaves is measured by the radius of :mod:`asymtheory.asymmetry.guarantees`:
how wrong an entry of the binding row may be. No loss can bear more than half the margin (beyond it the clean class is no longer
the likeliest one), so the radius is taken as a share of that, which does not depend on the scale of the loss. Away from the
threshold the share grows and the fitting ratio falls: the value nearest to the threshold that leaves the share ``ENOUGH`` is
taken. For AMSE with q = 2 and its sums that is twice the threshold, where range / slack is twice its infimum 1 / margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

from ..asymmetry.guarantees import tolerance
from ..losses.base import Loss
from ..noise.rows import NoiseModel
from ..threshold.pieces import End, Piece

ENOUGH = 0.5
"""A recommended value leaves this share of the error that any loss can bear, where some value does."""
DIGITS = (2, 3, 4, 6, 9, 12)
"""Significant digits that are tried, fewest first."""
DOUBLINGS, HALVINGS = 48, 12


def share_left(loss: Loss, noise: NoiseModel) -> float | None:
    """How wrong an entry of the binding row may be, as a share (0 to 1) of half the margin, the most that any loss can bear.

    None where the form of the loss has no such number. The loss must be asymmetric on the noise.
    """
    radius = tolerance(loss, noise).radius
    return None if radius is None else 2 * radius.entry / float(noise.margin)


def leaves_enough(loss: Loss, noise: NoiseModel) -> bool:
    """Does a loss leave ``ENOUGH``? Where its form has no such number there is nothing to ask for."""
    left = share_left(loss, noise)
    return left is None or left >= ENOUGH


def rounded(value: Fraction, digits: int, up: bool) -> Fraction:
    """The next decimal of so many significant digits, upwards or downwards."""
    if value == 0:
        return value
    unit = Fraction(10) ** (math.floor(math.log10(abs(value))) - digits + 1)
    return (math.ceil(value / unit) if up else math.floor(value / unit)) * unit


def values_inside(loss: Loss, parameter: str, piece: Piece, noise: NoiseModel | None) -> list[Fraction]:
    """A value for every end of a feasible piece that is a threshold: the nearest one of few digits that leaves enough, or the
    one that leaves most where none does.

    The piece may be that of a worse noise, such as a corner of an estimate. Without a noise (None) nothing is asked for: the
    nearest value.
    """
    found = []
    for end, up in ((piece.low, True), (piece.high, False)):
        if end is None or (end.of_domain and not _alone(piece)):
            continue
        outer = Fraction(end.high if up else end.low) if end.number is None else end.number
        tries = (rounded(outer, digits, up) for digits in DIGITS)
        value = next((value for value in tries if value in piece and (end.closed or value != outer)), None)
        if value is not None:
            found.append(value if noise is None else _with_margin(loss, parameter, piece, noise, outer, value, up))
    return found


def _with_margin(
    loss: Loss, parameter: str, piece: Piece, noise: NoiseModel, outer: Fraction, nearest: Fraction, up: bool
) -> Fraction:
    """A value of the piece, as far from the one nearest to a threshold (``outer``) as it takes."""
    domain, left = loss.domains[parameter], dict[Fraction, float]()

    def enough(value: Fraction) -> bool:
        if value not in left:
            share = share_left(loss.replace(**{parameter: value}), noise)
            left[value] = 1.0 if share is None else share
        return left[value] >= ENOUGH

    if enough(nearest):
        return nearest
    short = nearest
    for far in _walk(outer, piece, up):
        if domain.integer:
            far = Fraction(math.ceil(far) if up else math.floor(far))
        if far not in piece or far not in domain:
            continue
        if enough(far):
            if domain.integer:
                return far
            return _between(short, far, up, lambda value: value in piece and value in domain and enough(value))
        short = far
    return max(left, key=lambda value: left[value])


def _walk(outer: Fraction, piece: Piece, up: bool) -> Iterator[Fraction]:
    """Values ever further from a threshold: the distance doubles up to the piece's other end, then halves towards that."""
    other: End | None = piece.high if up else piece.low
    far = None if other is None else Fraction(other.value)
    step, last = abs(outer) / 16 or Fraction(1, 16), outer
    for _ in range(DOUBLINGS):
        value = outer + step if up else outer - step
        if far is not None and (value >= far if up else value <= far):
            break
        yield value
        step, last = 2 * step, value
    if far is not None:
        yield from (last + (far - last) * (1 - Fraction(1, 2**j)) for j in range(1, HALVINGS))
        yield far


def _between(short: Fraction, far: Fraction, up: bool, enough: Callable[[Fraction], bool]) -> Fraction:
    """A value of few digits near the first after ``short``, which is not enough, on the way to ``far``, which is."""
    near = far
    for _ in range(HALVINGS):
        middle = (short + near) / 2
        short, near = (short, middle) if enough(middle) else (middle, near)
    tries = (rounded(near, digits, up) for digits in DIGITS)
    return next((value for value in tries if enough(value)), far)


def _alone(piece: Piece) -> bool:
    """Is the piece one point?"""
    return piece.low is not None and piece.high is not None and piece.low.key() == piece.high.key()
