"""What a loss puts at one entry: values and slopes in log u of parts of the core's losses, with few operations.

No formula is written a second time but the focal one: a line of the core is run on ``Curve.identity()`` to see whether it
has the form of a curve, and otherwise on jets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from asymtheory.losses import FL, Separable
from asymtheory.numbers.backends import Backend
from asymtheory.numbers.jet import Jet
from asymtheory.numbers.scalar import Scalar

from .reference import STEEPEST, TORCH, Monomial, Probabilities, as_tensor, ends, is_focal, may_leave

Scratch = Sequence[Tensor | None]  # tensors that may be overwritten, or None: fresh ones are made


class LabelProbabilities(Probabilities):
    """Probabilities whose powers are computed once. ``1 - u`` is kept off 0, where a slope may be ``inf * 0``."""

    logu: Scalar  # a tensor, or None where no term asks for it

    def __init__(self, logu: Tensor | None, u: Tensor | None = None) -> None:
        self.logu, self._u = logu, u
        self._rest: dict[float, Tensor] = {}

    @property
    def u(self) -> Tensor:
        if self._u is None:
            self._u = torch.exp(self.logu)
        return self._u

    @property
    def rest(self) -> Tensor:
        if 1.0 not in self._rest:
            self._rest[1.0] = (1 - self.u).clamp_(min=torch.finfo(self.u.dtype).tiny)
        return self._rest[1.0]

    def power(self, exponent: float) -> Tensor:
        return self.u if exponent == 1 else torch.exp(self.logu * exponent)

    def rest_power(self, exponent: float) -> Tensor:
        rest = self.rest
        if exponent not in self._rest:
            above = self._rest.get(exponent + 1)  # a slope asks for one power less than the value did
            if above is not None:
                self._rest[exponent] = above / rest
            elif exponent in (0.5, 2.0, 3.0):  # the general power of torch takes ten times as long as exp and log
                self._rest[exponent] = rest**exponent
            else:
                self._rest[exponent] = rest.log().mul_(exponent).exp_()
        return self._rest[exponent]

    def log(self, a: float, b: float) -> Tensor:
        return self.logu * a + torch.log(self.rest) * b if b else self.logu * a


@dataclass(frozen=True)
class Curve:
    """``constant + factor * f(shift + scale u)`` with f a power, or the exponential or logarithm of that name.

    GCE, AGCE, AUL, AMSE and AEL come out in this form when their line is run on ``Curve.identity()``, and are then
    evaluated with fewer operations than a jet takes. Arithmetic that leaves the form raises TypeError.
    """

    constant: Scalar
    factor: Scalar
    shift: Scalar
    scale: Scalar
    f: Scalar

    @classmethod
    def identity(cls) -> Curve:
        return cls(0, 1, 0, 1, 1)

    def __add__(self, other: Scalar) -> Curve:
        if not isinstance(other, Real):
            return NotImplemented
        if self.f == 1:
            return Curve(0, 1, self.shift + other, self.scale, 1)
        return Curve(self.constant + other, self.factor, self.shift, self.scale, self.f)

    __radd__ = __add__

    def __mul__(self, other: Scalar) -> Curve:
        if not isinstance(other, Real):
            return NotImplemented
        if self.f == 1:
            return Curve(0, 1, self.shift * other, self.scale * other, 1)
        return Curve(self.constant * other, self.factor * other, self.shift, self.scale, self.f)

    __rmul__ = __mul__

    def __neg__(self) -> Curve:
        return self * -1

    def __sub__(self, other: Scalar) -> Curve:
        return self + -other

    def __rsub__(self, other: Scalar) -> Curve:
        return -self + other

    def __truediv__(self, other: Scalar) -> Curve:
        return self * (1 / other) if isinstance(other, Real) else NotImplemented

    def __pow__(self, exponent: Scalar) -> Curve:
        if self.f != 1 or not isinstance(exponent, Real):
            return NotImplemented
        return self if exponent == 1 else Curve(0, 1, self.shift, self.scale, exponent)

    def of(self, f: str) -> Curve:
        if self.f != 1:
            raise TypeError(f"{f} of a power")
        return Curve(0, 1, self.shift, self.scale, f)

    def in_floats(self) -> Curve | None:
        """The polynomial in floats, for evaluation; None where it would not be exact or finite on all of (0, 1]."""
        numbers = (self.constant, self.factor, self.shift, self.scale)
        if not all(isinstance(x, Real) and math.isfinite(x) for x in numbers):
            return None
        constant, factor, shift, scale = map(float, numbers)
        if self.f == "log":
            return Curve(constant + factor * math.log(scale), factor, 0.0, 1.0, "log") if shift == 0 < scale else None
        if self.f == "exp":
            return Curve(constant, factor, shift, scale, "exp")
        f = float(self.f)
        if (shift == 0 and scale <= 0) or (f < 1 and shift + scale <= 0):
            return None
        return Curve(constant, factor, shift, scale, f)

    @property
    def logs(self) -> bool:
        """Is it computed from log u?"""
        return self.f == "log" or (self.shift == 0 and self.f not in (1, "exp"))

    def at(
        self, point: LabelProbabilities, scratch: Scratch = (None, None), *, unit: float = 1.0, own: bool = False
    ) -> tuple[Tensor, Tensor | float]:
        """Value, and ``unit`` times the slope in log u, in tensors of their own."""
        factor, scale, shift = self.factor, self.scale, self.shift
        slope: Tensor | float
        if self.f == "exp":
            value = times(torch.exp(plus(shift, point.u, scale)), factor)
            slope = (value * point.u).mul_(scale * unit)
        elif self.f == "log":
            value, slope = point.logu * factor, factor * unit
        elif self.f == 1:
            value, slope = plus(shift, point.u, scale), point.u * (scale * unit)
        elif shift == 0:  # a power of u itself: in logarithms, for u may be below the smallest number
            value = torch.mul(point.logu, self.f, out=scratch[0]).exp_()
            if (factor := factor * scale**self.f) != 1:
                value.mul_(factor)
            slope = torch.mul(value, self.f * unit, out=scratch[1])
            return value.add_(self.constant) if self.constant else value, slope
        else:
            base = (
                plus(shift, point.u, scale) if scale > 0 else plus(shift + scale, 1 - point.u, -scale)
            )  # no cancellation
            steep = base ** (self.f - 1)
            value = steep * base
            slope = (steep * point.u).mul_(factor * self.f * scale * unit)
            return plus(self.constant, value, factor), slope
        return value + self.constant if self.constant else value, slope


@dataclass(frozen=True)
class Hinge:
    """One curve up to ``cut``, another above."""

    cut: Scalar
    below: Curve
    above: Curve

    def __mul__(self, other: Scalar) -> Hinge:
        return Hinge(self.cut, self.below * other, self.above * other) if isinstance(other, Real) else NotImplemented

    def in_floats(self) -> Hinge | None:
        below, above = self.below.in_floats(), self.above.in_floats()
        return Hinge(float(self.cut), below, above) if below is not None and above is not None else None

    @property
    def logs(self) -> bool:
        return self.below.logs or self.above.logs

    def at(
        self, point: LabelProbabilities, scratch: Scratch = (None, None), *, unit: float = 1.0, own: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Value and slope, as :meth:`Curve.at` gives them."""
        low = point.u <= self.cut
        (value, slope), (other, steep) = self.below.at(point, unit=unit), self.above.at(point, unit=unit)
        return torch.where(low, value, other), torch.where(low, slope, steep)


def _split(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Hinge:
    if x != Curve.identity() or not isinstance(cut, Real) or not all(isinstance(y, Curve) for y in (below, above)):
        return _refuse()
    return Hinge(cut, below, above)


def _refuse(*_: Scalar) -> Scalar:
    raise TypeError("not of the form of a curve")


def _log(x: Scalar) -> Scalar:
    return x.of("log") if isinstance(x, Curve) else math.log(x)


def _exp(x: Scalar) -> Scalar:
    return x.of("exp") if isinstance(x, Curve) else math.exp(x)


_CURVE = Backend("curve", lambda x: x, _log, _exp, lambda x, e: x**e, split=_split, xlogx=_refuse)


@dataclass(frozen=True)
class Focal:
    """``coefficient`` times the focal loss. The one formula written twice: as jets it takes twice the time."""

    coefficient: float
    gamma: float
    detach: bool

    logs = True

    def at(
        self, point: LabelProbabilities, scratch: Scratch = (None, None), *, unit: float = 1.0, own: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Value and slope, as :meth:`Curve.at` gives them; the value overwrites ``log u`` if the term is told that it owns it.

        ``v = (1-u)^gamma log u`` has the slope ``(1-u)^gamma - gamma u v / (1-u)``.
        """
        u, gamma = point.u, self.gamma
        one = torch.tensor(1 + torch.finfo(u.dtype).eps, dtype=u.dtype)  # off 0 by as little as u is exact to
        rest = torch.sub(one, u, out=scratch[0])
        if gamma == 0.5:
            slope = torch.sqrt(rest, out=scratch[1])
        elif gamma == 2:
            slope = torch.square(rest, out=scratch[1])
        else:
            slope = torch.log(rest, out=scratch[1]).mul_(gamma).exp_()
        value = torch.mul(slope, point.logu, out=point.logu if own else None)
        if gamma and not self.detach:
            slope.addcmul_(torch.div(value, rest, out=rest), u, value=-gamma)
        if self.coefficient != -1:
            value.mul_(-self.coefficient)
        if self.coefficient * unit != -1:
            slope.mul_(-self.coefficient * unit)
        return value, slope


class Jets:
    """``coefficient`` times a side, ``active`` or ``passive``, of a loss of any form."""

    logs = True

    def __init__(self, coefficient: float, atom: Separable, side: str, detach: bool) -> None:
        def on_entries(logu: Tensor, u: Tensor, unit: float) -> tuple[Tensor, Tensor]:
            at = Monomial(LabelProbabilities(logu, u))
            p: Scalar = at if detach and is_focal(atom) else Jet(TORCH, at, at)
            found = getattr(atom, side)(p, Jet(TORCH, logu, 1.0), TORCH)
            value, slope = (found.value, found.slope) if isinstance(found, Jet) else (found, 0.0)
            return _filled(value, coefficient, u), _filled(slope, coefficient * unit, u)

        self.on_entries = on_entries  # of tensors and numbers alone: a compiler can take it as it is, see ``losses``

    def at(
        self, point: LabelProbabilities, scratch: Scratch = (None, None), *, unit: float = 1.0, own: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Value and slope, as :meth:`Curve.at` gives them."""
        return self.on_entries(point.logu, point.u, unit)


@dataclass(frozen=True)
class Held:
    """A term of a formula that leaves the numbers, such as 1/u: beyond its ends it stays there, see :func:`.reference.held`."""

    term: Curve | Hinge | Jets
    ends: Mapping[torch.dtype, tuple[float, float]]

    logs = True

    def at(
        self, point: LabelProbabilities, scratch: Scratch = (None, None), *, unit: float = 1.0, own: bool = False
    ) -> tuple[Tensor, Tensor | float]:
        """Value and slope, as :meth:`Curve.at` gives them."""
        low, high = self.ends[point.logu.dtype]
        return self.term.at(LabelProbabilities(point.logu.clamp(low, math.log1p(-math.exp(high)))), unit=unit)


def _filled(x: Scalar, factor: float, like: Tensor) -> Tensor:
    x = as_tensor(x)
    return x * factor if isinstance(x, Tensor) else torch.full_like(like, float(x) * factor)


Term = Curve | Hinge | Focal | Jets | Held


def term(coefficient: float, atom: Separable, side: str = "active", *, detach: bool = False) -> Term:
    """``coefficient`` times a side of a loss in the form that takes the fewest operations."""
    if isinstance(atom, FL):
        return Focal(coefficient, float(atom.gamma), detach)
    try:
        u = Curve.identity()
        found = getattr(atom.on(_CURVE), side)(u, u.of("log"), _CURVE) * coefficient
        curve = found.in_floats() if isinstance(found, Curve | Hinge) else None
    except (TypeError, ArithmeticError, ValueError):
        curve = None
    on_torch: Scalar = atom.on(TORCH)
    found = curve or Jets(coefficient, on_torch, side, detach)
    own = {dtype: ends(atom, dtype) for dtype in STEEPEST} if may_leave(atom) else {}
    return Held(found, own) if any(end > -math.inf for pair in own.values() for end in pair) else found


def times(x: Scalar, factor: float) -> Scalar:
    """``x * factor`` with no operation for 1."""
    return x if factor == 1 else -x if factor == -1 else x * factor


def plus(total: Scalar, x: Scalar, factor: float = 1.0) -> Scalar:
    """``total + factor * x`` in one operation; both are tensors or numbers."""
    if not isinstance(x, Tensor):
        return total + factor * x
    if isinstance(total, Tensor):
        return torch.add(total, x, alpha=factor)
    return torch.rsub(x, total, alpha=-factor) if total else times(x, factor)
