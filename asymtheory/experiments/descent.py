"""Gradient descent on softmax logits for many problems at once: numpy, with the gradient written by hand.

For the weighted risk ``F(z) = sum_i w_i L(softmax(z), i)``, p = softmax(z),

    dF/dz_j = p_j (g_j - sum_i p_i g_i),   g_k = phi_k'(p_k) + sum_terms c (w_k - R) / S * base'(p_k),

where phi_k belongs to the separable part and R = sum w base / S, S = sum base to a normalised term; slopes are jets of
the losses' definitions. Losses that live on u_k >= p_min are run on u = p_min + (1 - K p_min) softmax(z), clipped logits on
z scaled down to ||z|| <= tau.

``BLOCK`` and ``descend`` are what an engine of ``experiments`` is; another one registers a module with the same two names
as an entry point in the group ``asymtheory.engines``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from ..errors import InputError
from ..losses.base import Loss
from ..losses.profile import Profile
from ..numbers.backends import Backend, numpy_
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar

Array = np.ndarray[Any, Any]

BLOCK = 2**16  # numbers in one array of the program: what a step touches stays in a core's cache
BETAS, EPSILON = (0.8, 0.9), 1e-12  # of Adam; a short memory: entries that tend to 0 keep their pace
SETTLED = 1e-4  # a start this near to a vertex that attracts it stops
FLAT = 1e-9  # so does one whose gradient norm, per unit of total weight, is below this
CHECK = 10  # steps between two looks at who stops
SMALLEST, BELOW_ONE = 1e-300, 1 - 2.0**-52  # of a probability: no 0 * inf when softmax saturates


@dataclass(frozen=True)
class Descent:
    """How to descend: "adam" (step size falling along a cosine to 0) or "gd" (constant), from the step size ``rate``."""

    optimiser: str
    rate: float
    steps: int

    def pace(self, step: int) -> float:
        """Adam's step size at a step, from 1."""
        return 0.5 * self.rate * (1 + math.cos(math.pi * (step - 1) / self.steps))


# ------------------------------------------------------------------------------------------- the gradient


class Later:
    """``scale * array + shift``, computed when asked for.

    A jet's value, which a slope need not depend on, mostly is not asked for; and a chain of numbers that multiply, divide
    and shift an array (``-p``, ``a - p``, ``q * x / q``) is one pass over it, or none.
    """

    __slots__ = ("_array", "_scale", "_shift", "_source")
    __array_ufunc__ = None  # `array * later` must call __rmul__

    def __init__(self, source: _Source, scale: float = 1.0, shift: float = 0.0) -> None:
        self._source, self._scale, self._shift = source, scale, shift
        self._array: Scalar = None

    def now(self) -> Scalar:
        """The array; computed once."""
        if self._array is None:
            array, scale, shift = self._source.now(), self._scale, self._shift
            if scale == -1:
                array = shift - array if shift else -array
            else:
                array = array if scale == 1 else array * scale
                array = array if shift == 0 else array + shift
            self._array = array
        return self._array

    def __add__(self, other: Scalar) -> Scalar:
        if isinstance(other, (int, float)):
            return Later(self._source, self._scale, self._shift + other) if other else self
        return NotImplemented if isinstance(other, Jet) else _apply(operator.add, self, other)

    __radd__ = __add__

    def __mul__(self, other: Scalar) -> Scalar:
        if isinstance(other, (int, float)):
            return self if other == 1 else Later(self._source, self._scale * other, self._shift * other)
        return NotImplemented if isinstance(other, Jet) else _apply(operator.mul, self, other)

    __rmul__ = __mul__

    def __neg__(self) -> Scalar:
        return Later(self._source, -self._scale, -self._shift)

    def __sub__(self, other: Scalar) -> Scalar:
        return NotImplemented if isinstance(other, Jet) else self + (-other)

    def __rsub__(self, other: Scalar) -> Scalar:
        return (-self) + other

    def __truediv__(self, other: Scalar) -> Scalar:
        if isinstance(other, (int, float)) and other:
            return self if other == 1 else Later(self._source, self._scale / other, self._shift / other)
        return NotImplemented if isinstance(other, Jet) else _apply(operator.truediv, self, other)

    def __rtruediv__(self, other: Scalar) -> Scalar:
        return _apply(operator.truediv, other, self)

    def __pow__(self, exponent: Scalar) -> Scalar:
        return NotImplemented if isinstance(exponent, Jet) else _apply(_power, self, exponent)

    @property
    def shape(self) -> Scalar:
        return self.now().shape

    def __eq__(self, other: object) -> Scalar:
        return self.now() == _now(other)

    def __ne__(self, other: object) -> Scalar:
        return self.now() != _now(other)

    def __lt__(self, other: Scalar) -> Scalar:
        return self.now() < _now(other)

    def __gt__(self, other: Scalar) -> Scalar:
        return self.now() > _now(other)

    __hash__ = None  # type: ignore[assignment]


class _Source:
    """An array that is computed when first asked for."""

    __slots__ = ("_array", "_make")

    def __init__(self, make: Callable[[], Scalar]) -> None:
        self._make: Callable[[], Scalar] | None = make
        self._array: Scalar = None

    def now(self) -> Scalar:
        if self._make is not None:
            self._array, self._make = self._make(), None
        return self._array


def later(make: Callable[[], Scalar]) -> Later:
    """The array that ``make`` returns, computed when asked for."""
    return Later(_Source(make))


def _now(x: Scalar) -> Scalar:
    return x.now() if isinstance(x, Later) else x


def _apply(function: Callable[..., Scalar], *arguments: Scalar) -> Scalar:
    """The function now if all arguments are known, else when its value is asked for."""
    if any(isinstance(x, Later) for x in arguments):
        return later(lambda: function(*map(_now, arguments)))
    return function(*arguments)


def _power(x: Scalar, exponent: Scalar) -> Scalar:
    """x to the power, by square roots and products for the exponents that come up most."""
    if isinstance(exponent, (int, float)) and isinstance(x, np.ndarray):
        if exponent == -1:
            return np.reciprocal(x)
        if exponent == 1:
            return x
        if exponent == 2:
            return x * x
        if abs(exponent) == 0.5:
            return np.sqrt(x) if exponent > 0 else np.reciprocal(np.sqrt(x))
    return np.power(x, exponent)


@cache
def _array() -> Backend:
    """The numpy backend, on arrays that are computed when asked for."""
    xp = numpy_()
    functions = (xp._log, xp._exp, _power, xp._divide, xp._split, xp._xlogx)
    log, exp, power, divide, split, xlogx = (partial(_apply, function) for function in functions)
    elementary = {name: partial(_apply, function) for name, function in xp._functions.items()}
    return Backend(xp.name, xp.number, log, exp, power, divide, split, functions=elementary, xlogx=xlogx)


class Objective:
    """``F(z) = sum_i w_i L(softmax(z), i)`` and its gradient for many problems: arrays (K, B), a column a problem."""

    def __init__(self, loss: Loss, K: int) -> None:
        self.profile = Profile.of(loss, K)
        self.floor = max((float(atom.p_min) for _, atom in self.profile.negative), default=0.0)
        if self.floor * K >= 1:
            raise InputError(f"{loss.name}: p_min = {self.floor:g} leaves no room for {K} classes")
        self.room = 1 - K * self.floor
        self.tau = float(self.profile.clipped[0][1].tau) if self.profile.clipped else math.inf
        self._atoms: list[tuple[float, Scalar]] = [(float(c), atom.on(_array())) for c, atom in self.profile.separable]

    def __call__(self, z: Array, w: Array) -> Array:
        """F at logits z for weights w: (B,)."""
        with np.errstate(all="ignore"):
            _, u, make, _ = self._softmax(z)
            logu = make()
            active, passive = (self._values(side, u, logu) for side in ("active", "passive"))
            value: Array = (w * (active - passive) + w.sum(0) * passive).sum(0)
            for coefficient, base in self._ratios(u, logu):
                ratio = (w * base).sum(0) / base.sum(0)
                value = value + (coefficient * ratio if coefficient > 0 else coefficient * (ratio - w.sum(0)))
        return value

    def _values(self, side: str, u: Scalar, logu: Scalar) -> Scalar:
        """The separable part's active or passive; of clipped logits, which are cross entropy on their own points, too."""
        if self.profile.clipped and side == "active":
            return logu * -float(self.profile.clipped[0][0])
        result: Scalar = 0
        for coefficient, atom in self._atoms:  # `Profile.part`, with the numbers made once
            value = getattr(atom, side)(u, logu, _array())
            result = result if isinstance(value, int) else result + value * coefficient
        return result

    def gradient(self, z: Array, w: Array, total: Array) -> tuple[Array, Array, Array]:
        """(p, g, dF/dz) at logits z: p the point of the simplex, g = dF/du up to a constant in each column.

        ``total`` is w.sum(0). Floating-point warnings are the caller's to silence.
        """
        p, u, logu, pull = self._softmax(z)
        xp = _array()
        x, logx = Jet(xp, later(lambda: u), 1.0), Jet(xp, later(logu), later(lambda: np.reciprocal(u)))
        if self.profile.clipped:
            g = w / u
            g *= -float(self.profile.clipped[0][0])
        else:
            own, other = (_slope(self._values(side, x, logx)) for side in ("active", "passive"))
            g = w * own if isinstance(other, float) and other == 0 else w * (own - other)
            if isinstance(other, np.ndarray):  # a constant slope moves every g_k alike
                g += total * other
        for coefficient, base in self._ratios(x, logx):
            value = _now(base.value)
            size = np.add.reduce(value, axis=0)
            mean = np.add.reduce(w * value, axis=0) / size
            g += (w - mean) * (coefficient / size) * _now(base.slope)
        slope = p * g
        slope -= p * np.add.reduce(slope, axis=0)
        if self.floor:
            slope *= self.room
        return u, g, slope if pull is None else pull(slope)

    def _softmax(self, z: Array) -> tuple[Array, Array, Callable[[], Array], Callable[[Array], Array] | None]:
        """(softmax, u, how to make log u, chain rule of clipped logits or None)."""
        pull = None
        if self.tau < math.inf:
            norm = np.sqrt(np.add.reduce(z * z, axis=0))
            scale = np.minimum(self.tau / norm, 1.0)
            direction = np.where(norm > self.tau, z / norm, 0.0)
            z = z * scale
            pull = lambda slope: scale * (slope - direction * np.add.reduce(direction * slope, axis=0))  # noqa: E731
        shifted = z - np.maximum.reduce(z, axis=0)
        p = np.exp(shifted)
        size = np.add.reduce(p, axis=0)
        p *= BELOW_ONE / size
        np.maximum(p, SMALLEST, out=p)
        if not self.floor:
            return p, p, lambda: shifted - np.log(size), pull
        u = self.floor + self.room * p
        return p, u, lambda: np.log(u), pull

    def _ratios(self, x: Scalar, logx: Scalar) -> Iterator[tuple[float, Scalar]]:
        """(coefficient, base) of terms ``coefficient * sum_i w_i base_i / sum_i base_i``; < 0 for the negative ones."""
        xp = _array()
        for coefficient, atom in self.profile.normalised:
            base: Scalar = atom.base.on(xp)
            yield float(coefficient), base.active(x, logx, xp)
        for coefficient, negative in self.profile.negative:
            bound: Scalar = negative.on(xp)
            yield -float(coefficient), bound.flipped(x, logx, xp)


def _slope(term: Scalar) -> Scalar:
    return _now(term.slope) if isinstance(term, Jet) else 0.0


# ------------------------------------------------------------------------------------------------ descent


def descend(
    loss: Loss, w: Array, z: Array, how: Descent, stopped: Callable[[], bool]
) -> tuple[Array, Array, Array, Array] | None:
    """Descend from logits z (K, B) at weights w (K, B): points (K, B); gradient norms per unit of weight, steps, and
    whether the class of the largest probability has the least slope, so that its vertex attracts (B,).

    A problem is over when it rests, or is next to a vertex that attracts it; the batch is cut when an eighth of it is
    over. None if ``stopped`` says so.
    Every operation is elementwise or a sum over classes in order, so that no problem feels the others.
    """
    objective = Objective(loss, len(z))
    count = z.shape[1]
    points, norms, made, drawn = (
        np.empty_like(z),
        np.empty(count),
        np.empty(count, dtype=np.int32),
        np.empty(count, dtype=bool),
    )
    rows, over = np.arange(count), np.zeros(count, dtype=bool)
    if count == 1:  # a lone column would be summed in another order
        rows, over = np.repeat(rows, 2), np.repeat(over, 2)
        w, z = np.repeat(w, 2, axis=1), np.repeat(z, 2, axis=1)
    z, total = z.copy(), w.sum(axis=0)
    adam = how.optimiser == "adam"
    first, second = np.zeros_like(z), np.zeros_like(z)
    with np.errstate(all="ignore"):
        for step in range(how.steps + 1):
            p, g, slope = objective.gradient(z, w, total)
            last = step == how.steps
            if last or (step and step % CHECK == 0):
                norm = np.sqrt(np.add.reduce(slope * slope, axis=0)) / total
                near, attracted = _next_to_a_vertex(p, g)
                ends = ~over & ((near & attracted) | ~(norm > FLAT) | last)  # overflow (NaN) ends, too
                out = rows[ends]
                points[:, out], norms[out], made[out], drawn[out] = p[:, ends], norm[ends], step, attracted[ends]
                over |= ends
                if over.all():
                    break
                if 8 * np.count_nonzero(over) >= len(over):
                    keep = np.flatnonzero(~over)
                    keep = np.repeat(keep, 2) if len(keep) == 1 else keep
                    rows, over, total = rows[keep], over[keep], total[keep]
                    w, z, slope, first, second = (np.take(x, keep, axis=1) for x in (w, z, slope, first, second))
                if stopped():
                    return None
            if adam:
                z -= _adam(slope, first, second, step + 1, how)
            else:
                slope *= how.rate
                z -= slope
    return points, norms, made, drawn


def _next_to_a_vertex(p: Array, g: Array) -> tuple[Array, Array]:
    """(a probability is nearly 1, the largest probability has the smallest slope) for each column.

    With both, the vertex attracts: mass moved there from any other class lowers F. Without the second a start only
    passes by, slowly, for softmax is flat there.
    """
    columns = np.arange(p.shape[1])
    top = p.argmax(axis=0)
    return p[top, columns] >= 1 - SETTLED, g[top, columns] <= g.min(axis=0)


def _adam(slope: Array, first: Array, second: Array, step: int, how: Descent) -> Array:
    """The step of Adam; the moments are kept without their factors 1 - beta. Overwrites slope."""
    one, two = BETAS
    first *= one
    first += slope
    second *= two
    slope *= slope
    second += slope
    # first (1 - one) / (1 - one^t) over sqrt(second (1 - two) / (1 - two^t)) + epsilon
    size = math.sqrt((1 - two) / (1 - two**step))
    np.sqrt(second, out=slope)
    slope += EPSILON / size
    np.divide(first, slope, out=slope)
    slope *= how.pace(step) * (1 - one) / (1 - one**step) / size
    return slope


def made_with() -> dict[str, str]:
    """What the numbers depend on beside the recipe: the version of numpy."""
    return {"numpy": np.__version__}
