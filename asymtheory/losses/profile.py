"""A loss seen from the simplex: its separable part, its normalised terms, and the slopes that decide.

For ``L(u, y) = active(u_y) + sum_{k != y} passive(u_k)`` and weights w with total W the weighted risk separates,

    F_w(u) = sum_k w_k L(u, k) = sum_k phi_k(u_k),   phi_k = w_k active + (W - w_k) passive,

so that four numbers (the slopes of active and passive at 0 and at 1) and three weights (w_m, w_n, W) settle the convex case.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import InputError
from ..numbers.backends import DUAL, FLOAT, INTERVAL, Backend
from ..numbers.interval import Interval
from ..numbers.scalar import Scalar
from .base import (
    CONCAVE,
    CONVEX,
    LINEAR,
    MIXED,
    Curvature,
    Loss,
    Normalised,
    NormalisedNegative,
    Separable,
    sign_of_factor,
)
from .papers import LogitClipCE

if TYPE_CHECKING:
    from ..numbers.germ import Germ

FLOATS = (FLOAT, INTERVAL, DUAL)
NEXT_TO_ONE = Fraction(2**40 - 1, 2**40)


@dataclass(frozen=True)
class Profile:
    """A loss on K classes, sorted by form. Coefficients include the factor in K."""

    K: int
    separable: tuple[tuple[Scalar, Separable], ...]
    normalised: tuple[tuple[Scalar, Normalised], ...]
    negative: tuple[tuple[Scalar, NormalisedNegative], ...]
    clipped: tuple[tuple[Scalar, LogitClipCE], ...]

    @classmethod
    def of(cls, loss: Loss, K: int) -> Profile:
        """Sort the terms. A normalised linear base (NGCE at q = 1) has a constant denominator and counts as separable."""
        separable: list[tuple[Scalar, Separable]] = []
        normalised: list[tuple[Scalar, Normalised]] = []
        negative: list[tuple[Scalar, NormalisedNegative]] = []
        clipped: list[tuple[Scalar, LogitClipCE]] = []
        parts = ((_product(c, own), part) for c, atom in loss.terms() for own, part in atom.parts(K))
        for coefficient, atom in parts:
            if isinstance(atom, Separable):
                separable.append((_scaled(coefficient, atom.scale(K)), atom))
            elif isinstance(atom, Normalised):
                if atom.base.curvature()[0] == LINEAR:
                    separable.append((_scaled(coefficient, Fraction(1) / (K - 1)), atom.base))
                else:
                    normalised.append((coefficient, atom))
            elif isinstance(atom, NormalisedNegative):
                negative.append((coefficient, atom))
            elif isinstance(atom, LogitClipCE):
                clipped.append((coefficient, atom))
            else:
                raise InputError(
                    f"{atom.name}: a loss must be Separable, Normalised, NormalisedNegative or LogitClipCE"
                )
        if clipped and (separable or normalised or negative or len(clipped) > 1):
            raise InputError("logitclip-ce lives on its own domain and cannot be summed with another loss")
        if any(not _same(negative[0][1], atom) for _, atom in negative[1:]):
            raise InputError("two different normalised negative losses cannot be summed: their domains differ")
        return cls(K, tuple(separable), tuple(normalised), tuple(negative), tuple(clipped))

    @property
    def is_separable(self) -> bool:
        return not (self.normalised or self.negative or self.clipped)

    @property
    def bounded(self) -> bool:
        """Is the separable part finite at u = 0?"""
        values = (self.jet(side, 0.0, FLOAT)[0] for side in ("active", "passive"))
        return all(abs(value) < float("inf") for value in values)

    def part(self, side: str, u: Scalar, logu: Scalar, xp: Backend) -> Scalar:
        """The separable part's ``active`` or ``passive`` at u (array, jet, symbol, ball)."""
        return self._sum((getattr(atom.on(xp), side)(u, logu, xp) for _, atom in self.separable), xp)

    def _sum(self, values: Iterable[Scalar], xp: Backend) -> Scalar:
        """The values of the terms, each times its coefficient."""
        result: Scalar = 0
        for (coefficient, _), value in zip(self.separable, values, strict=True):
            if not isinstance(value, int):
                result = result + value * (xp.number(coefficient) if isinstance(coefficient, Fraction) else coefficient)
        return result

    def jet(self, side: str, u: Scalar, xp: Backend, order: int = 1) -> tuple[Scalar, Scalar, Scalar]:
        """(value, slope, curvature or None) of ``active`` or ``passive`` at u."""
        x = xp.variable(u, order)
        result: Scalar = 0
        if side == "active" or self._passive:
            result = self.part(side, x, xp.log(x), xp)
        return _derived(result, x)

    def _at_end(self, side: str, end: int, xp: Backend) -> tuple[Scalar, Scalar]:
        """(value, slope) of ``active`` or ``passive`` at u = 0 or 1."""
        result: Scalar = 0
        if side == "active" or self._passive:
            result = self._sum((_at_end(Same(atom), side, end, xp) for _, atom in self.separable), xp)
        return _derived(result, _end(xp, end)[0])[:2]

    @property
    def _passive(self) -> bool:
        """Has a term a passive part?"""
        return any(type(atom).passive is not Separable.passive for _, atom in self.separable)

    def curvature(self) -> tuple[int | None, int | None]:
        """Shape of the separable part's (active, passive): the common sign, or None when terms disagree."""
        shapes = self.shapes()
        return _join([a for a, _ in shapes]), _join([p for _, p in shapes])

    def shapes(self) -> list[Curvature]:
        """The shape of (active, passive) of every separable term, its coefficient's sign counted in."""
        return [_signed(coefficient, atom.curvature()) for coefficient, atom in self.separable]

    def shape(self) -> int | None:
        """The common shape of every phi_k: 1 convex, 0 linear, -1 concave, None neither."""
        return _join(list(self.curvature()))

    @property
    def least_at_vertex(self) -> bool:
        """Is every separable term least at the vertex of a unique largest weight: concave, linear, or known to be?"""
        known = [sign_of_factor(c) == 1 and atom.least_at_vertex for c, atom in self.separable]
        shapes = [shape for shape, least in zip(self.shapes(), known, strict=True) if not least]
        return all(_join([shape[i] for shape in shapes]) in (LINEAR, CONCAVE) for i in (0, 1))

    def slopes(self, xp: Backend) -> Slopes:
        """End slopes of the separable part, in the number system of ``xp``; limits where the formula gives 0 * inf."""
        active0, active1, passive0, passive1 = (
            self._at_end(side, end, xp)[1] for side in ("active", "passive") for end in (0, 1)
        )
        if _lost(active1) and self.shape() == CONVEX and _endless(active0):
            # A decreasing convex function: its slope at 1 lies between the slope next to 1 and 0. The focal loss with
            # 0 < gamma < 1 comes here; its slope at 0 is -inf, so the lower bound settles the condition.
            near = self.jet("active", xp.number(NEXT_TO_ONE), xp)[1]
            active1 = near if xp is FLOAT else Interval(near.low, 0.0)
        found = (active0, active1, passive0, passive1)
        if xp is FLOAT or xp is INTERVAL:
            ends = (("active", 0), ("active", 1), ("passive", 0), ("passive", 1))
            found = tuple(
                self._limit(*end, slope, xp) if _lost(slope) else slope for end, slope in zip(ends, found, strict=True)
            )
        return Slopes(*found)

    def lines(self, shapes: Sequence[Curvature], xp: Backend, chords: bool = True) -> Slopes:
        """Slopes of lines through the ends that lie below the separable part: tangents of convex terms, chords of concave ones.

        ``shapes``: the shape of (active, passive) of every term, of which none may be MIXED. Without ``chords`` concave terms have
        their slopes at the other end, which are no better: their leading powers do not cancel where a chord's do.
        """
        total: list[Scalar] = [0, 0, 0, 0]
        for term, shape in zip(self.separable, shapes, strict=True):
            part = Profile(self.K, (term,), (), (), ())
            ends = part.slopes(xp)
            found = [ends.active0, ends.active1, ends.passive0, ends.passive1]
            for i, side in enumerate(("active", "passive")):
                if shape[i] == CONCAVE and not chords:
                    found[2 * i : 2 * i + 2] = found[2 * i : 2 * i + 2][::-1]
                elif shape[i] == CONCAVE:
                    rise = part._at_end(side, 1, xp)[0] - part._at_end(side, 0, xp)[0]
                    found[2 * i : 2 * i + 2] = rise, rise
            total = [a + b for a, b in zip(total, found, strict=True)]
        return Slopes(*total)

    def pull(self, xp: Backend) -> Scalar:
        """The slope at u_m = 1 of the normalised terms of finite base g, where the other weights are equal, per unit of w_m - w_n.

        Such a term is ``(w_m - w_n) L(u, m)`` and a constant, and L leaves e_m with the slope ``-g'(1) / ((K - 1) g(0)) >= 0``.
        """
        zero, one = _end(xp, 0), _end(xp, 1)
        result: Scalar = 0
        for coefficient, atom in self.normalised:
            base = atom.base.on(xp)
            start, end = base.active(*zero, xp), base.active(*one, xp)
            weight = xp.number(coefficient) if isinstance(coefficient, Fraction) else coefficient
            result = result - weight * end.slope / (start.value * (self.K - 1))
        return result

    def germ(self, side: str, end: int) -> Germ:
        """The separable part's ``active`` or ``passive`` next to u = 0 or 1, with its leading power. Raises NoGerm."""
        from ..numbers.germ import NoGerm, germs  # late: flint is not on the start-up path of `bound`

        near = germs(100)
        u = near.near(Fraction(end), -1 if end else 1)
        try:
            germ: Germ = near.number(self.part(side, u, near.log(u), near))
        except (TypeError, ValueError) as error:  # parameters that are not exact numbers
            raise NoGerm(str(error)) from None
        return germ

    def _limit(self, side: str, end: int, slope: Scalar, xp: Backend) -> Scalar:
        """The slope at an end where the formula has none there (0 * inf, as u log u): its limit, by the leading power."""
        from ..numbers.boxes import outward  # late: flint is not on the start-up path of `bound`
        from ..numbers.germ import ball

        try:
            germ = self.germ(side, end)
        except ArithmeticError:
            return slope
        if germ.constant or (germ.r > 1 and not germ.infinite):
            limit = Interval(0.0, 0.0)
        elif germ.r == 1 and germ.k == 0:
            limit = outward(ball(germ.c)) or slope
        elif germ.sign is None and not (germ.c > 0 or germ.c < 0):
            return slope
        else:
            steep = (
                float("inf") if bool(germ.c > 0) != germ.infinite else -float("inf")
            )  # an infinite value is left downwards
            limit = Interval(steep, steep)
        limit = -limit if end else limit
        return limit if xp is INTERVAL else (limit.low + limit.high) / 2


def _same(one: Loss, two: Loss) -> bool:
    """Have two losses one form and the same parameters? An array of intervals is known by its identity."""
    pairs = zip(one.parameters.values(), two.parameters.values(), strict=False)
    return type(one) is type(two) and all(x is y or (not hasattr(x, "shape") and bool(x == y)) for x, y in pairs)


def _scaled(coefficient: Scalar, factor: Scalar) -> Scalar:
    """A coefficient of any number system times a fraction; Arb takes whole numbers only."""
    if isinstance(coefficient, Fraction) or not isinstance(factor, Fraction):
        return coefficient * factor
    return coefficient if factor == 1 else coefficient * factor.numerator / factor.denominator


def _product(one: Scalar, two: Scalar) -> Scalar:
    """The product of two coefficients, of which at most one is of another number system than fractions."""
    return _scaled(one, two) if isinstance(two, Fraction) else _scaled(two, one)


def _lost(slope: Scalar) -> bool:
    """Has the formula no slope there?"""
    if isinstance(slope, Interval):
        return slope.low == -float("inf") and slope.high == float("inf")
    return isinstance(slope, float) and slope != slope


def _endless(slope: Scalar) -> bool:
    """Is the slope -inf, or was it lost where an infinite one may be meant?"""
    low = slope.low if isinstance(slope, Interval) else slope
    return not (isinstance(low, float) and math.isfinite(low))


@lru_cache(64)
def _end(xp: Backend, end: int) -> tuple[Scalar, Scalar]:
    """u = 0 or 1 as the variable of a jet, and its logarithm, which are needed at every value of a parameter."""
    x = xp.variable(xp.number(Fraction(end)))
    return x, xp.log(x)


class Same:
    """A loss that is equal to itself only: losses never change, and to compare parameters takes long."""

    def __init__(self, atom: Separable) -> None:
        self.atom = atom

    def __hash__(self) -> int:
        return id(self.atom)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.atom is other.atom


def _at_end(term: Same, side: str, end: int, xp: Backend) -> Scalar:
    """``active`` or ``passive`` of a term at u = 0 or 1, as a jet (or 0)."""
    return _at_end_in_floats(term, side, end, xp) if xp in FLOATS else _computed_at_end(term, side, end, xp)


def _computed_at_end(term: Same, side: str, end: int, xp: Backend) -> Scalar:
    return getattr(term.atom.on(xp), side)(*_end(xp, end), xp)


_at_end_in_floats = lru_cache(64)(_computed_at_end)  # not in Arb, whose precision may change


def _derived(result: Scalar, x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """(value, slope, curvature or None) of a function of the jet x; of a constant, where it is a whole number."""
    if isinstance(result, int):
        zero = x.value * 0
        return zero, zero, None if x.curvature is None else zero
    return result.value, result.slope, result.curvature


@dataclass(frozen=True)
class Slopes:
    """Slopes of active and passive at u = 0 and u = 1; active's are <= 0, passive's >= 0."""

    active0: Scalar
    active1: Scalar
    passive0: Scalar
    passive1: Scalar

    def slack(self, top: Scalar, second: Scalar, total: Scalar) -> Scalar:
        """``phi_n'(0) - phi_m'(1)`` for the weights w_m = top, w_n = second, W = total.

        With all phi_k convex the vertex e_m minimises the weighted risk iff this is >= 0 (KKT), because
        phi_k'(0) = w_k (active0 - passive0) + W passive0 is least for the largest w_k.
        """
        at_zero = _times(second, self.active0) + _times(total - second, self.passive0)
        at_one = _times(top, self.active1) + _times(total - top, self.passive1)
        return at_zero - at_one


def _times(weight: Scalar, slope: Scalar) -> Scalar:
    """Weight times slope, where a weight that is exactly 0 removes the term even at an infinite slope."""
    return weight * slope if not (isinstance(weight, (int, float, Fraction)) and weight == 0) else 0


def _signed(coefficient: Scalar, shape: Curvature) -> Curvature:
    """The shape of a multiple: a negative coefficient turns it over, one of unknown sign leaves nothing but linearity."""
    sign = sign_of_factor(coefficient)
    if sign is None and isinstance(coefficient, Interval):
        return (LINEAR if shape[0] == LINEAR else MIXED), (LINEAR if shape[1] == LINEAR else MIXED)
    if sign == -1:
        return (None if shape[0] is None else -shape[0]), (None if shape[1] is None else -shape[1])
    return shape


def _join(signs: list[int | None]) -> int | None:
    if MIXED in signs or (CONVEX in signs and CONCAVE in signs):
        return MIXED
    return CONVEX if CONVEX in signs else CONCAVE if CONCAVE in signs else LINEAR
