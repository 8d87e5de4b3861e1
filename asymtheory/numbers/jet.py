"""Truncated Taylor arithmetic: value, slope and curvature in u, over any number system."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from math import inf
from typing import TypeAlias

from .scalar import Scalar


def yields_to_jets(operator: Callable[[Scalar, Scalar], Scalar]) -> Callable[[Scalar, Scalar], Scalar]:
    """Let ``number <op> jet`` fall through to the jet's reflected operator."""

    @wraps(operator)
    def scalar_operator(self: Scalar, other: Scalar) -> Scalar:
        return NotImplemented if isinstance(other, Jet) else operator(self, other)

    return scalar_operator


class Jet:
    """Value, first and (if asked for) second derivative in u, propagated by the chain rule.

    The number system may itself be jets in something else (a parameter of the loss): ``xp.level`` tells the two apart.
    Constants stay plain numbers, so a structural zero never meets an infinity; what is left as NaN is a genuine
    0 * inf at a corner, and the caller takes the limit.
    """

    __slots__ = ("curvature", "slope", "value", "xp")
    __array_ufunc__ = None  # numpy must hand `array * jet` to __rmul__

    def __init__(self, xp: Scalar, value: Scalar, slope: Scalar, curvature: Scalar = None) -> None:
        self.xp = xp
        self.value = value
        self.slope = slope
        self.curvature = curvature

    def _new(self, value: Scalar, slope: Scalar, curvature: Scalar) -> Jet:
        return Jet(self.xp, value, slope, None if self.curvature is None else curvature())

    def _outranked(self, other: Scalar) -> bool:
        """Is ``other`` a jet over jets like this one (it then takes this one as a scalar)?"""
        return isinstance(other, Jet) and other.xp.level > self.xp.level

    def _peer(self, other: Scalar) -> bool:
        return isinstance(other, Jet) and other.xp.level == self.xp.level

    def __add__(self, other: Scalar) -> Jet:
        if self._peer(other):
            return self._new(
                self.value + other.value, self.slope + other.slope, lambda: self.curvature + other.curvature
            )
        if self._outranked(other):
            return other.__add__(self)
        return self._new(self.value + other, self.slope, lambda: self.curvature)

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return self._new(-self.value, -self.slope, lambda: -self.curvature)

    def __sub__(self, other: Scalar) -> Jet:
        return self + (-other)

    def __rsub__(self, other: Scalar) -> Jet:
        return (-self) + other

    def __mul__(self, other: Scalar) -> Jet:
        if self._peer(other):
            return self._new(
                self.value * other.value,
                self._slope_of_product(other),
                lambda: self.curvature * other.value + self.slope * other.slope * 2 + self.value * other.curvature,
            )
        if self._outranked(other):
            return other.__mul__(self)
        return self._new(self.value * other, self.slope * other, lambda: self.curvature * other)

    __rmul__ = __mul__

    def _slope_of_product(self, other: Jet) -> Scalar:
        """Where both vanish and one has a finite slope it is 0, however steep the other one is: ``(1-u)^g log u`` at u = 1."""
        if _vanishes(self.value) and _vanishes(other.value) and (_finite(self.slope) or _finite(other.slope)):
            return self.value
        return self.slope * other.value + self.value * other.slope

    def __truediv__(self, other: Scalar) -> Jet:
        if self._peer(other) or self._outranked(other):
            return self * other._reciprocal()
        divide = self.xp._divide
        return self._new(divide(self.value, other), divide(self.slope, other), lambda: divide(self.curvature, other))

    def __rtruediv__(self, other: Scalar) -> Jet:
        return self._reciprocal() * other

    def _reciprocal(self) -> Jet:
        inverse = self.xp._divide(self.xp.number(1), self.value)
        square = inverse * inverse
        return self._new(
            inverse,
            -(self.slope * square),
            lambda: self.slope * self.slope * square * inverse * 2 - self.curvature * square,
        )

    def __pow__(self, exponent: Scalar) -> Jet:
        if self._peer(exponent) or self._outranked(exponent):
            return (exponent * self.log()).exp()
        power = self.xp._power
        if isinstance(exponent, (int, float, Fraction)) and exponent in (0, 1):
            # constants and u itself have no slope or curvature that could meet an infinity
            one = power(self.value, 0)
            return self if exponent == 1 else self._new(one, one - one, lambda: one - one)
        first = exponent * power(self.value, exponent - 1)
        return self._new(
            power(self.value, exponent),
            first * self.slope,
            lambda: (
                exponent * (exponent - 1) * power(self.value, exponent - 2) * self.slope * self.slope
                + first * self.curvature
            ),
        )

    def __rpow__(self, base: Scalar) -> Jet:
        return (self * self.xp._log(base)).exp()

    def log(self) -> Jet:
        inverse = self.xp._divide(self.xp.number(1), self.value)
        return self._new(
            self.xp._log(self.value),
            self.slope * inverse,
            lambda: self.curvature * inverse - self.slope * self.slope * inverse * inverse,
        )

    def exp(self) -> Jet:
        value = self.xp._exp(self.value)
        return self._new(value, value * self.slope, lambda: value * (self.curvature + self.slope * self.slope))

    def sum(self, axis: int, keepdims: bool = False) -> Jet:
        """Sum along an axis of arrays."""
        value, slope = (part.sum(axis, keepdims=keepdims) for part in (self.value, self.slope))
        return self._new(value, slope, lambda: self.curvature.sum(axis, keepdims=keepdims))

    def apply(self, name: str) -> Jet:
        """One of the elementary functions of the number system (sinh, cosh, tanh, asin, acos, atan), by its derivatives."""
        xp, x = self.xp, self.value
        value = xp.apply(name, x)
        if name == "atan":
            return self._arctangent(value)
        first, second = _SLOPES[name](xp, x, value)
        return self._new(value, first * self.slope, lambda: second() * self.slope * self.slope + first * self.curvature)

    def _arctangent(self, value: Scalar) -> Jet:
        divide, below = self.xp._divide, self.value * self.value + 1
        first = divide(self.slope, below)  # at an infinite value inf / inf, which is lost, and not inf * 0, which is 0
        return self._new(value, first, lambda: divide(self.curvature, below) - first * first * self.value * 2)


def _vanishes(x: Scalar) -> bool:
    """Is a float, an interval, a germ or a sum of exponentials exactly 0?"""
    return x == 0.0 if isinstance(x, float) else hasattr(x, "infinite") and x.sign == 0


def _finite(x: Scalar) -> bool:
    """Is one of these, or the jet of an interval, bounded?"""
    x = getattr(x, "value", x)
    if hasattr(x, "infinite") and not hasattr(x, "low"):
        return not x.infinite
    low, high = (x, x) if isinstance(x, float) else (getattr(x, "low", -inf), getattr(x, "high", inf))
    return bool(-inf < low and high < inf)


Slopes: TypeAlias = tuple[Scalar, Callable[[], Scalar]]  # the first derivative, and what computes the second


def _of_tanh(xp: Scalar, x: Scalar, value: Scalar) -> Slopes:
    first = xp._power(xp.apply("cosh", x), -2)
    return first, lambda: value * first * -2


def _of_asin(xp: Scalar, x: Scalar, _: Scalar) -> Slopes:
    rest = xp._one_less_square(x)
    return xp._power(rest, -half(xp)), lambda: x * xp._power(rest, -3 * half(xp))


def _of_acos(xp: Scalar, x: Scalar, value: Scalar) -> Slopes:
    first, second = _of_asin(xp, x, value)
    return -first, lambda: -second()


def half(xp: Scalar) -> Scalar:
    return xp.number(Fraction(1, 2))


def _of_growth(xp: Scalar, x: Scalar, _: Scalar) -> Slopes:
    return xp.apply("growth'", x), lambda: xp.apply("growth''", x)


_SLOPES: dict[str, Callable[[Scalar, Scalar, Scalar], Slopes]] = {
    "sinh": lambda xp, x, value: (xp.apply("cosh", x), lambda: value),
    "cosh": lambda xp, x, value: (xp.apply("sinh", x), lambda: value),
    "tanh": _of_tanh,
    "growth": _of_growth,
    "asin": _of_asin,
    "acos": _of_acos,
}
