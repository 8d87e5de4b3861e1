"""The asymmetry ratio of a loss ``L(u, i) = l(u_i)`` (ALF Sec. 3.4), as rigorous enclosures.

Moving mass from class 2 to class 1 changes l by a ratio whose infimum decides how clean the labels must be. Three
infima go by that name, and they differ:

* ``r_pointwise``, Definition 3 (Eq. 7) as printed, over u1 + u2 <= 1 and every part ``0 < du <= u2``. By Cauchy's mean
  value theorem it is ``inf l'(x) / l'(y)`` over x + y <= 1, without du and without 0/0;
* ``r``, the whole transfer ``du = u2``, which suffices for Theorem 6. ALF states its values (1 for AGCE with q > 1);
* ``r_upper``, Eq. 8 and Theorem 8: the whole transfer on u1 + u2 = 1.

``r_pointwise <= r <= r_upper <= 1``. Where l is convex all three are ``l'(1) / l'(0)``; where it is concave
``r_pointwise`` is ``l'(0) / l'(1)`` and the others are 1. Otherwise a branch and bound encloses them.

Why, with g = -l' >= 0: the ratio in Definition 3 is the mean of g over [u1, u1 + du] divided by its mean over
[u2 - du, u2]. A decreasing g has every mean between g(1) and g(0), and all three ratios tend to g(1)/g(0) as u1 -> 1.
For an increasing g the mean over [u1, u1 + u2] is at least that over [0, u2], with equality at u1 = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf
from typing import Any

from flint import ctx

from ..answers import Answer
from ..errors import InputError
from ..jsonlines import Json
from ..layout import table
from ..losses.base import CONVEX, LINEAR, MIXED, Loss
from ..losses.curvature import certify_curvature
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..numbers.backends import Backend
from ..numbers.boxes import BITS, Curve, Formula, Infimum, infimum, meet, outward
from ..numbers.interval import Interval
from ..numbers.scalar import Scalar
from ..numbers.text import number

WIDTH = 1e-10

MOST_BOXES = {1: 2000, 2: 1500}  # by dimension: at most about a second

CLOSED = "curvature: monotone slopes, exact end slopes"

SEARCHED = "branch and bound in Arb"

LIMIT = "limit at the ends: 0 is the least that a ratio can be"

CORNER = "u1 -> 1, u2 -> 0"


@dataclass(frozen=True)
class Enclosure:
    """``low <= infimum <= high``, certified; where it is attained (or only approached), and how it was found."""

    low: float
    high: float
    at: str
    method: str
    attained: bool

    def to_dict(self) -> Json:
        return {"low": self.low, "high": self.high, "at": self.at, "method": self.method}

    def __str__(self) -> str:
        if self.high - self.low <= WIDTH:
            return f"{(self.low + self.high) / 2:.10g}"
        return f"[{self.low:.10g}, {self.high:.10g}]"


@dataclass(frozen=True)
class Ratio(Answer):
    """The three infima for one loss. Prints as a small table."""

    loss: str
    parameters: dict[str, Scalar]
    r: Enclosure
    r_pointwise: Enclosure
    r_upper: Enclosure
    title: str

    def to_dict(self) -> Json:
        """The contract of ``ratio --json``."""
        return {
            "loss": self.loss,
            "parameters": {name: number(value) for name, value in self.parameters.items()},
            "r": self.r.to_dict(),
            "r_pointwise": self.r_pointwise.to_dict(),
            "r_upper": self.r_upper.to_dict(),
        }

    def __str__(self) -> str:
        rows = [
            ("r", self.r, "whole transfer: w_m/w_n >= 1/r suffices (ALF Theorem 6)"),
            ("r_pointwise", self.r_pointwise, "Definition 3 as printed"),
            ("r_upper", self.r_upper, "Eq. 8: w_m/w_n >= 1/r_upper is needed (Theorem 8)"),
        ]
        cells = [(name, str(found), found.at, why) for name, found, why in rows]
        lines = [self.title, *table(cells, indent="  ")]
        methods = dict.fromkeys(found.method for _, found, _ in rows)
        return "\n".join([*lines, f"  {'method':<13}{'; '.join(methods)}"])


def asymmetry_ratio(loss: Loss | str, K: int = 10, *, search: bool = False, **parameters: Scalar) -> Ratio:
    """The asymmetry ratios of a loss of the form ``l(u_y)``; K matters only to sums whose terms depend on it.

    ``search`` uses branch and bound even where the curvature settles the answer. Raises InputError for a loss that has
    no such form (normalised losses, nonlinear passive parts, clipped logits) or does not decrease in u_y.

        >>> asymmetry_ratio("agce", a=1, q=0.5).r.high
        0.7071067811865476

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    pointwise = pointwise_profile(loss, K)
    shape = None if search else pointwise.shape()
    if shape is None:
        infima = _searched(pointwise)
    elif shape == LINEAR:
        infima = _linear(pointwise)
    else:
        infima = _convex(pointwise) if shape == CONVEX else _concave(pointwise)
    r, r_pointwise, r_upper = infima
    return Ratio(loss.name, dict(loss.parameters), r, r_pointwise, r_upper, str(loss))


class Pointwise:
    """``l(u) = active(u) + beta (1 - u)``: what a separable loss with linear passive part ``beta u`` is on the simplex.

    Constants are dropped: no ratio depends on them.
    """

    def __init__(self, profile: Profile, name: str) -> None:
        self.profile = profile
        self.name = name

    def on(self, xp: Backend) -> Formula:
        """l as a formula ``(u, log u, xp)`` with its parameters in the number system ``xp``."""
        half = xp.number(Fraction(1, 2))
        terms = []
        for coefficient, atom in self.profile.separable:
            here: Any = atom.on(xp)
            x = xp.variable(half)
            passive = here.passive(x, xp.log(x), xp)
            terms.append((xp.number(coefficient), here, getattr(passive, "slope", 0)))

        def formula(u: Scalar, logu: Scalar, xp: Backend) -> Scalar:
            result: Scalar = 0
            for coefficient, here, beta in terms:
                result = result + (here.active(u, logu, xp) + (1 - u) * beta) * coefficient
            return result

        return formula

    @cached_property
    def curve(self) -> Curve:
        return Curve(self.on)

    def shape(self) -> int | None:
        """1 convex, 0 linear, -1 concave, None neither: as declared by the losses, else certified."""
        declared = self.profile.curvature()[0]
        return declared if declared is not MIXED else certify_curvature(self.curve)


def pointwise_profile(loss: Loss, K: int = 10) -> Pointwise:
    """The loss as a function of ``u_y`` alone, or InputError saying why it is none."""
    if K < 2:
        raise InputError(f"K = {K} is too few classes; a ratio needs at least 2")
    profile = Profile.of(loss, K)

    def refuse(why: str) -> InputError:
        return InputError(f"{loss.name} has no asymmetry ratio (ALF Definition 3 is for losses l(u_y)): {why}")

    if profile.clipped:
        raise refuse("its domain is not the simplex, and none of u_1, u_2 = 0 lies in it")
    for _, term in (*profile.normalised, *profile.negative):
        raise refuse(f"{term.name} is divided by its sum over all classes")
    for _, atom in profile.separable:
        declared = atom.curvature()[1]
        if declared is MIXED:
            declared = certify_curvature(Curve(lambda xp, atom=atom: atom.on(xp).passive))  # type: ignore[misc]
        if declared != LINEAR:
            raise refuse(f"{atom.name} depends on the other u_k too, through a passive part that is not linear")
    return Pointwise(profile, loss.name)


Infima = tuple[Enclosure, Enclosure, Enclosure]  # r, r_pointwise, r_upper


def _refuse_increasing(pointwise: Pointwise, steepest: Interval, flattest: Interval) -> None:
    """``steepest`` and ``flattest`` enclose the least and the greatest slope."""
    if flattest.low > 0 or (steepest.low >= 0 and flattest.high <= 0):
        raise InputError(f"{pointwise.name} has no asymmetry ratio: it does not decrease in u_y on all of [0, 1]")


def _linear(pointwise: Pointwise) -> Infima:
    slope = pointwise.curve.slope(0)[1]
    _refuse_increasing(pointwise, slope, slope)
    one = Enclosure(1.0, 1.0, "every u1, u2, du", CLOSED, True)
    return one, one, one


def _convex(pointwise: Pointwise) -> Infima:
    curve = pointwise.curve
    (ball0, slope0), (ball1, slope1) = curve.slope(0), curve.slope(1)
    _refuse_increasing(pointwise, slope0, slope1)
    if curve.box(0.0, 0.0)[0].low == inf:
        zero = Enclosure(0.0, 0.0, "every u1 > 0 and u2 > 0, as l(0) = inf", CLOSED, True)
        return zero, zero, zero
    if slope0.high == -inf:
        low, high = 0.0, 0.0  # l'(1) is finite: it lies between l'(1/2) and 0
    else:
        if ball1 is None:  # 0 * inf in the formula: -l'(1) lies between 0 and -l' next to 1
            slope1 = Interval(curve.slope_next_to(1).low, 0.0)
        low, high = _quotient(ball1, ball0, slope1, slope0)
    found = Enclosure(low, high, CORNER, CLOSED, False)
    return found, found, Enclosure(low, high, "u1 = 1 - u2 -> 1", CLOSED, False)


def _concave(pointwise: Pointwise) -> Infima:
    (ball0, slope0), (ball1, slope1) = (pointwise.curve.slope(end) for end in (0, 1))
    _refuse_increasing(pointwise, slope1, slope0)
    if ball0 is None and not slope0.low > -inf:  # -l'(0) lies between 0 and -l' next to 0
        slope0 = Interval(pointwise.curve.slope_next_to(0).low, 0.0)
    low, high = _quotient(ball0, ball1, slope0, slope1)
    return (
        Enclosure(1.0, 1.0, "u1 = 0, every u2", CLOSED, True),
        Enclosure(low, high, "u1 = 0, u2 = 1, du -> 0", CLOSED, False),
        Enclosure(1.0, 1.0, "u1 = 0, u2 = 1", CLOSED, True),
    )


def _quotient(top: Scalar, bottom: Scalar, wide_top: Interval, wide_bottom: Interval) -> tuple[float, float]:
    """Bounds of a ratio of slopes, which is known to lie in [0, 1]: from balls where both are finite."""
    if top is not None and bottom is not None:
        with ctx.workprec(BITS):
            found = outward(top / bottom)
    else:
        found = None
    found = found or _clip(-wide_top) / _clip(-wide_bottom)
    return max(found.low, 0.0), min(found.high, 1.0)


def _clip(steepness: Interval) -> Interval:
    """-l' where l is known to decrease."""
    return Interval(max(steepness.low, 0.0), max(steepness.high, 0.0))


class Transfer:
    """A ratio over the rectangle (t, h) in [0, 1]^2, where h = u2 and u1 = t (1 - h)."""

    def __init__(self, curve: Curve) -> None:
        self.curve = curve

    def g(self, low: float, high: float) -> tuple[Interval, Interval]:
        """Enclosures of g = -l' and of g' over a box."""
        _, slope, curvature = self.curve.box(max(low, 0.0), min(high, 1.0))
        return _clip(-slope), -curvature


class Part(Transfer):
    """``g(u1) / g(u2)``: Definition 3 after Cauchy's mean value theorem."""

    def point(self, at: Sequence[float]) -> Interval:
        return self.box([Interval(x, x) for x in at])[0]

    def box(self, box: Sequence[Interval]) -> tuple[Interval, Sequence[Interval]]:
        t, h = box
        rest = 1 - h
        u1 = t * rest
        g1, slope1 = self.g(u1.low, u1.high)
        g2, slope2 = self.g(h.low, h.high)
        by_t = _over(rest * slope1, g2)
        by_h = -_over(t * slope1 + _over(g1 * slope2, g2), g2)
        return _ratio(g1, g2), (by_t, by_h)


class Whole(Transfer):
    """``A(u1, h) / A(0, h)`` with A(a, h) the mean of g over [a, a + h], which has no 0/0 at h = 0."""

    def mean(self, t: float, h: float) -> Interval:
        """A(t (1 - h), h) at a point."""
        return self.g(t, t)[0] if h == 0 else _clip(self.curve.drop(t, h) / h)

    def point(self, at: Sequence[float]) -> Interval:
        t, h = at
        if t == 0:
            return Interval(1.0, 1.0)
        return _ratio(self.mean(t, h), self.mean(0.0, h))

    def box(self, box: Sequence[Interval]) -> tuple[Interval, Sequence[Interval]]:
        t, h = box
        nothing = Interval(0.0, 0.0)
        if t.high == 0:
            return Interval(1.0, 1.0), (nothing, nothing)
        rest = 1 - h
        u1, u3 = t * rest, Interval(t.low + h.low * (1 - t.low), t.high + h.high * (1 - t.high)) * ROUNDING
        over, slope_over = self.g(u1.low, u3.high)
        over0, slope_over0 = self.g(0.0, h.high)
        ct, ch = (side.low if side.low == side.high else (side.low + side.high) / 2 for side in box)
        # A over g': dA/da is the mean of g' over [a, a + h], dA/dh its mean with weight s on [0, 1]
        by_a = slope_over
        by_h = (slope_over * ((1 - t) * (1 - t)) - slope_over * (t * t)) / 2
        by_h0 = slope_over0 / 2
        if h.low > 0:
            (g1, _), (g2, _), (g3, _) = (self.g(part.low, part.high) for part in (u1, h, u3))
            by_a = meet(by_a, (g3 - g1) / h)
        else:
            g1 = g2 = g3 = ANY_STEEPNESS
        by_t = by_a * rest
        top, bottom = over, over0
        if h.low > 0:  # by values at the ends of the transfer alone, which slopes over all of it need not show
            top = meet(top, self.fall(u1, u3, h))
            bottom = meet(bottom, self.fall(Interval(0.0, 0.0), h, h))
            by_h = meet(by_h, (g1 * t + g3 * (1 - t) - top) / h)
            by_h0 = meet(by_h0, (g2 - bottom) / h)
        step_t, step_h = t - ct, h - ch
        top = meet(top, self.mean(ct, ch) + _times(by_t, step_t) + _times(by_h, step_h))
        bottom = meet(bottom, self.mean(0.0, ch) + _times(by_h0, step_h))
        return _ratio(top, bottom), (_over(by_t, bottom), _over(by_h - _over(top * by_h0, bottom), bottom))

    def fall(self, start: Interval, end: Interval, h: Interval) -> Interval:
        """Mean of g from a point of ``start`` to one of ``end``, h > 0 apart: by values of the decreasing l alone."""
        least = self.value(start.high) - self.value(end.low)
        most = self.value(start.low) - self.value(end.high)
        return _clip(Interval(least.low, most.high) / h)

    def value(self, u: float) -> Interval:
        inside = min(max(u, 0.0), 1.0)
        return self.curve.box(inside, inside)[0]


ANY_STEEPNESS = Interval(0.0, inf)

ROUNDING = Interval(1 - 2.0**-50, 1 + 2.0**-50)


def _times(partial: Interval, step: Interval) -> Interval:
    return partial * step if step.low < step.high else step


def _over(partial: Interval, steepness: Interval) -> Interval:
    """A quotient by something positive: where the bounds say nothing else, its sign is that of the numerator."""
    found = partial / steepness
    return Interval(
        max(found.low, 0.0) if partial.low >= 0 else found.low,
        min(found.high, 0.0) if partial.high <= 0 else found.high,
    )


def _ratio(top: Interval, bottom: Interval) -> Interval:
    """A ratio of non-negative quantities, where finite / inf = 0 and positive / 0 = inf."""
    if bottom.low == inf:
        return Interval(0.0, 0.0 if top.high < inf else inf)
    if bottom.high == 0 and top.low > 0:
        return Interval(inf, inf)
    found = top / bottom
    return Interval(max(found.low, 0.0), found.high)


def _searched(pointwise: Pointwise) -> Infima:
    curve = pointwise.curve
    slope = curve.signs(1)
    if 1 in slope.proved or -1 not in slope.proved:
        raise InputError(f"{pointwise.name} has no asymmetry ratio: it does not decrease in u_y on all of [0, 1]")
    zero = _zero(curve)
    unit, one = Interval(0.0, 1.0), Interval(1.0, 1.0)
    r_pointwise = zero[1] or _enclosure(infimum(Part(curve), [unit, unit], WIDTH / 2, MOST_BOXES[2]), _at_part)
    r = zero[0] or _enclosure(infimum(Whole(curve), [unit, unit], WIDTH / 2, MOST_BOXES[2]), _at_whole)
    r_upper = zero[2] or _enclosure(infimum(Whole(curve), [one, unit], WIDTH / 2, MOST_BOXES[1]), _at_whole)
    return r, r_pointwise, r_upper


def _zero(curve: Curve) -> tuple[Enclosure | None, Enclosure | None, Enclosure | None]:
    """Infima (r, r_pointwise, r_upper) that are 0 because of the slopes at the ends, which no box can show.

    A transfer from u2 -> 0 costs l'(0) per unit. With l'(0) = -inf every finite gain is nothing beside it (u1 = 1/2),
    and with l'(1) = 0 a gain at u1 -> 1 is nothing itself.
    """
    g0, g1 = (_clip(-curve.slope(end)[1]) for end in (0, 1))
    if curve.box(0.0, 0.0)[0].low == inf:
        zero = Enclosure(0.0, 0.0, "every u1 > 0 and u2 > 0, as l(0) = inf", LIMIT, True)
        return zero, zero, zero
    corner = Enclosure(0.0, 0.0, CORNER, LIMIT, False)
    if g0.low == inf:
        half = Enclosure(0.0, 0.0, "u1 = 1/2, u2 -> 0", LIMIT, False)
        return half, half, corner if g1.high < inf else None
    if g1.high == 0 and g0.low > 0:
        return corner, corner, corner
    if g0.high == 0:
        return None, Enclosure(0.0, 0.0, "u1 = 0, u2 > 0, du -> 0", LIMIT, False), None
    return None, None, None


def _enclosure(found: Infimum, at: Scalar) -> Enclosure:
    where, attained = at(*found.at)
    return Enclosure(max(found.low, 0.0), min(found.high, 1.0), where, SEARCHED, attained)


def _at_part(t: float, h: float) -> tuple[str, bool]:
    place = f"u1 -> {t:.6g}, u2 -> 0" if h == 0 else f"{_near('u1', t * (1 - h))}, {_near('u2', h)}"
    return f"{place}, du -> 0", False


def _at_whole(t: float, h: float) -> tuple[str, bool]:
    if t == 0:
        return "u1 = 0, every u2", True
    if h == 0:
        return f"u1 -> {t:.6g}, u2 -> 0", False
    return f"{_near('u1', t * (1 - h))}, {_near('u2', h)}", True


def _near(name: str, value: float) -> str:
    return f"{name} = {value:.6g}" if value in (0, 1) else f"{name} near {value:.6g}"
