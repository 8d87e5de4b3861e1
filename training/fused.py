"""Every loss of the core in one pass over the logits, with the gradient by hand.

With ``u = softmax(z)`` and ``s_k = u_k dL/du_k`` the gradient in the logits is ``s_j - u_j sum_k s_k``. What a loss puts into s:

* its separable part a number at the label, and ``2 p2 u_k^2`` everywhere where the passive part has a term ``p2 u^2``;
* NCE a number per row, NNCE a number per row on the entries above p_min, both a number at the label;
* a normalised loss on another base, and a passive part that is no polynomial, one more elementwise field.

So without such fields the gradient of any sum is ``u_j (k u_j + A) + B`` per row plus an entry at the label. ``Plan`` finds
these parts in a loss; no formula is written a second time: polynomials come from running the core's lines on its
exact polynomials, all other values and slopes from running them on jets in log u.

Rows are worked in blocks, so that temporaries stay small, and what is kept for the backward pass is one (N, K)
tensor: the gradient of each row's own loss. A second derivative, if asked for, is that of ``reference``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from asymtheory.backends import FLOAT, POLY, Backend
from asymtheory.errors import InputError
from asymtheory.exact import Poly
from asymtheory.jet import Jet
from asymtheory.losses import CE, FL, Loss, Separable
from asymtheory.profile import NEXT_TO_ONE, Profile

from .reference import TORCH, Monomial, Point, as_tensor, clipped, is_focal, label_losses, precision, wide

# Elements of a block of rows on the CPU. Small enough to be much less than a large batch, large enough for many threads: each
# operation on a block ends with all of them waiting for the last one, which on a busy machine takes long.
BLOCK = 2**20
BLOCK_ELEMENTWISE = 2**19  # where a loss needs more temporaries
BLOCK_DEVICE = 2**24  # elsewhere (a GPU): large enough that a launch costs nothing, small enough for the memory
DEGREE = 4  # of a polynomial at the label; a higher one is a power and stays one


class _Point(Point):
    """Probabilities whose powers are computed once. ``1 - u`` is kept off 0, where a slope may be ``inf * 0``."""

    def __init__(self, logu: Tensor, u: Tensor) -> None:
        self.logu, self.u = logu, u
        self._rest: dict[float, Tensor] = {}

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


class _Curve:
    """``constant + factor * f(shift + scale u)`` with f a power, or exp where ``exponent`` is None.

    GCE, AGCE, AUL, AMSE and AEL come out in this form when their line is run on ``_Curve.identity()``, and are then
    evaluated with fewer operations than a jet takes. Arithmetic that leaves the form raises TypeError.
    """

    def __init__(self, constant: Any, factor: Any, shift: Any, scale: Any, exponent: Any) -> None:
        self.constant, self.factor, self.shift, self.scale, self.exponent = constant, factor, shift, scale, exponent

    @classmethod
    def identity(cls) -> _Curve:
        return cls(0, 1, 0, 1, 1)

    @classmethod
    def of(cls, atom: Separable, coefficient: float) -> _Curve | None:
        """``coefficient * active``, if it has the form."""
        try:
            found = atom.on(_CURVE).active(cls.identity(), None, _CURVE) * coefficient  # type: ignore[attr-defined]
        except (TypeError, ArithmeticError, ValueError):
            return None
        numbers = (found.constant, found.factor, found.shift, found.scale) if isinstance(found, _Curve) else ()
        return found if numbers and all(isinstance(x, Real) and math.isfinite(x) for x in numbers) else None

    def __add__(self, other: Any) -> _Curve:
        if not isinstance(other, Real):
            return NotImplemented
        if self.exponent == 1:
            return _Curve(0, 1, self.shift + other, self.scale, 1)
        return _Curve(self.constant + other, self.factor, self.shift, self.scale, self.exponent)

    __radd__ = __add__

    def __mul__(self, other: Any) -> _Curve:
        if not isinstance(other, Real):
            return NotImplemented
        if self.exponent == 1:
            return _Curve(0, 1, self.shift * other, self.scale * other, 1)
        return _Curve(self.constant * other, self.factor * other, self.shift, self.scale, self.exponent)

    __rmul__ = __mul__

    def __neg__(self) -> _Curve:
        return self * -1

    def __sub__(self, other: Any) -> _Curve:
        return self + -other

    def __rsub__(self, other: Any) -> _Curve:
        return -self + other

    def __truediv__(self, other: Any) -> _Curve:
        return self * (1 / other) if isinstance(other, Real) else NotImplemented

    def __pow__(self, exponent: Any) -> _Curve:
        if self.exponent != 1 or not isinstance(exponent, Real):
            return NotImplemented
        return self if exponent == 1 else _Curve(0, 1, self.shift, self.scale, exponent)

    def exp(self) -> _Curve:
        if self.exponent != 1:
            raise TypeError("exp of a power")
        return _Curve(0, 1, self.shift, self.scale, None)

    def at(self, point: _Point) -> tuple[Tensor, Tensor]:
        """Value and slope in log u."""
        factor, shift, scale = float(self.factor), float(self.shift), float(self.scale)
        if self.exponent is None:
            value = torch.exp(point.u * scale + shift if shift else point.u * scale) * factor
            slope = value * point.u * scale
        elif shift == 0:  # a power of u itself: in logarithms, for u may be below the smallest number
            exponent = float(self.exponent)
            value = torch.exp(point.logu * exponent) * (factor * scale**exponent)
            slope = value * exponent
        else:
            exponent, one_more = float(self.exponent), float(self.shift + self.scale)
            base = point.u * scale + shift if scale > 0 else (1 - point.u) * -scale + one_more  # no cancellation
            steep = base ** (exponent - 1)
            value = steep * base * factor if factor != 1 else steep * base
            slope = steep * point.u * (factor * exponent * scale)
        return value + float(self.constant) if self.constant else value, slope


def _refuse(*_: Any) -> Any:
    raise TypeError("not of the form of a curve")


_CURVE = Backend("curve", lambda x: x, _refuse, _Curve.exp, lambda x, e: x**e, split=_refuse)


# ------------------------------------------------------------------------------------------- what a loss consists of


@dataclass(frozen=True)
class _Ratio:
    """``weight * base(u_y) / sum_k base(u_k)``; base None is -log u."""

    weight: float
    base: Separable | None


@dataclass(frozen=True)
class _Negative:
    """``weight * (1 - h_y / sum_k h_k)`` with ``h = top - base`` down to p_min; base None is -log u."""

    weight: float
    base: Separable | None
    top: float
    floor: float  # log p_min
    slope: float  # of base in log u at p_min


@dataclass(frozen=True)
class Plan:
    """A loss on K classes, taken apart for one pass."""

    loss: Loss
    detach: bool
    inward: bool
    curves: tuple[_Curve, ...]  # at the label
    active: tuple[tuple[float, Separable], ...]  # at the label, by jets
    polynomial: tuple[float, ...]  # at the label, in 1 - u_y, from the constant term up; holds all constants of a row
    logarithm: float  # coefficient of log u_y
    square: float  # coefficient of sum_k u_k^2
    passive: tuple[tuple[float, Separable], ...]  # over all classes and, with a minus, at the label, by jets
    ratios: tuple[_Ratio, ...]
    negatives: tuple[_Negative, ...]
    bases: tuple[Separable, ...]  # of ratios and negatives, other than -log u
    logarithmic: bool  # is there NCE?
    elementwise: bool  # does a term need more of an entry than a product with a number of its row?
    jets: bool  # is something evaluated on jets, which torch.compile does not follow?
    own: bool  # does one base alone need log u of all entries, so that it may overwrite them?
    clip: float | None  # greatest norm of the logits; they are clipped before, and `loss` is that of clipped logits

    @classmethod
    def of(cls, loss: Loss, K: int, *, detach: bool = False, inward: bool = True) -> Plan | None:
        """The parts of a loss; None where its slope at u_y = 1 is infinite (AUL a = 1, p < 1) and `reference` is exact."""
        profile = Profile.of(loss, K)
        if not all(math.isfinite(_slope_at_one(atom)) for _, atom in profile.separable):
            return None
        curves: list[_Curve] = []
        active: list[tuple[float, Separable]] = []
        passive: list[tuple[float, Separable]] = []
        polynomial, logarithm, square = Poly(()), 0.0, Fraction(0)
        one_less = 1 - Poly.variable()
        for coefficient, atom in profile.separable:
            own = POLY.number(atom.on(POLY).active(one_less, Poly.unknown(), POLY))  # type: ignore[attr-defined]
            if own.coefficients is not None and own.degree <= DEGREE:
                polynomial += own * coefficient
            elif isinstance(atom, CE):
                logarithm -= float(coefficient)
            elif (curve := _Curve.of(atom, float(coefficient))) is not None:
                curves.append(curve)
            else:
                active.append((float(coefficient), _on_torch(atom)))
            other = POLY.number(atom.on(POLY).passive(Poly.variable(), Poly.unknown(), POLY))  # type: ignore[attr-defined]
            if other.coefficients is not None and other.degree <= 2:
                # sum_{k != y} P(u_k) = K p0 + p1 + p2 sum_k u_k^2 - P(u_y)
                p0, p1, p2 = (*other.coefficients, 0, 0, 0)[:3]
                at_label = POLY.number(atom.on(POLY).passive(one_less, Poly.unknown(), POLY))  # type: ignore[attr-defined]
                polynomial += (Poly.of(K * p0 + p1) - at_label) * coefficient
                square += p2 * coefficient
            else:
                passive.append((float(coefficient), _on_torch(atom)))
        clip = None
        for coefficient, clipped_ce in profile.clipped:
            loss, logarithm, clip = coefficient * CE(), -float(coefficient), float(clipped_ce.tau)
        ratios = tuple(_Ratio(float(c), _base(ratio)) for c, ratio in profile.normalised)
        negatives = tuple(_negative(c, negative, K, detach) for c, negative in profile.negative)
        bases = tuple(
            dict.fromkeys(
                base for base in (*(r.base for r in ratios), *(n.base for n in negatives)) if base is not None
            )
        )
        logarithmic = any(ratio.base is None for ratio in ratios)
        own = len(bases) <= 1 and not logarithmic and all(negative.base is not None for negative in negatives)
        return cls(
            loss=loss,
            detach=detach,
            inward=inward,
            curves=tuple(curves),
            active=tuple(active),
            polynomial=tuple(float(c) for c in polynomial.coefficients or ()),
            logarithm=logarithm,
            square=float(square),
            passive=tuple(passive),
            ratios=ratios,
            negatives=negatives,
            bases=bases,
            logarithmic=logarithmic,
            elementwise=bool(bases or passive),
            jets=bool(passive) or not all(isinstance(part, FL) for part in (*bases, *(atom for _, atom in active))),
            own=own and not passive,
            clip=clip,
        )


def _slope_at_one(atom: Separable) -> float:
    """Slope of the active part at u = 1, or next to it where it is 0 * inf there (FL: it is 0)."""
    profile = Profile(2, ((1, atom),), (), (), ())
    try:
        at_one = profile.jet("active", 1.0, FLOAT)[1]
        return at_one if at_one == at_one else profile.jet("active", float(NEXT_TO_ONE), FLOAT)[1]
    except (ArithmeticError, ValueError):
        return math.inf


def _on_torch(atom: Separable) -> Separable:
    on: Any = atom.on(TORCH)
    return on


def _base(atom: Any) -> Separable | None:
    return None if isinstance(atom.base, CE) else _on_torch(atom.base)


def _negative(coefficient: Any, atom: Any, K: int, detach: bool) -> _Negative:
    p_min = float(atom.p_min)
    if K * p_min >= 1:
        raise InputError(f"{atom.name}: p_min = {p_min:g} is not below 1/K = {1 / K:g} for {K} classes")
    p: Any = p_min if detach and is_focal(atom) else Jet(FLOAT, p_min, p_min)
    at_floor = atom.base.on(FLOAT).active(p, Jet(FLOAT, math.log(p_min), 1.0), FLOAT)
    return _Negative(float(coefficient), _base(atom), at_floor.value, math.log(p_min), at_floor.slope)


def _jet(atom: Separable, side: str, at: Point, detach: bool) -> tuple[Any, Any]:
    """Value and slope in log u of ``active`` or ``passive``: tensors, or numbers where they are constant."""
    u = Monomial(at)
    p: Any = u if detach and is_focal(atom) else Jet(TORCH, u, u)
    found = getattr(atom, side)(p, Jet(TORCH, at.logu, 1.0), TORCH)
    return (as_tensor(found.value), as_tensor(found.slope)) if isinstance(found, Jet) else (as_tensor(found), 0.0)


def _focal(
    gamma: float, logu: Tensor, u: Tensor, detach: bool, scratch: Sequence[Tensor | None] = (None, None)
) -> tuple[Tensor, Tensor]:
    """Minus the focal loss of every entry, and minus its slope in log u; the tensor ``logu`` becomes the value.

    The one formula written twice: as jets it takes twice the time. ``v = (1-u)^gamma log u`` has the slope
    ``(1-u)^gamma - gamma u v / (1-u)``.
    """
    rest = torch.neg(u, out=scratch[0]).add_(1).clamp_(min=torch.finfo(u.dtype).tiny)
    if gamma == 0.5:
        power = torch.sqrt(rest, out=scratch[1])
    else:
        power = torch.log(rest, out=scratch[1]).mul_(gamma).exp_()
    value = torch.mul(power, logu, out=logu)
    if detach or not gamma:
        return value, power
    return value, power.sub_(torch.div(value, rest, out=rest).mul_(u), alpha=gamma)


# ----------------------------------------------------------------------------------------------------- one block


@dataclass(frozen=True)
class _Labels:
    """What the loss of a row is taken at: one label, an index (n, 1), or a weight for every label (n, K).

    Quantities "at the label" are then (n, 1) or (n, K).
    """

    given: Tensor
    soft: bool
    scale: Any = None  # of the gradient of each row (n, 1), a number for all, or none

    def of(self, x: Tensor) -> Tensor:
        """Entries of x (n, K) at the label."""
        return x if self.soft else x.gather(-1, self.given)

    def expected(self, x: Any) -> Any:
        """The sum over labels (n, 1) of a quantity at the label."""
        return _sum(self.given * x) if self.soft else x

    def __getitem__(self, rows: slice) -> _Labels:
        scale = self.scale[rows] if isinstance(self.scale, Tensor) else self.scale
        return _Labels(self.given[rows], self.soft, scale)


def _sum(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True)


def _plus(total: Any, x: Any, factor: float = 1.0) -> Any:
    """``total + factor * x`` in one operation, where total may still be 0.0 and x a number."""
    if isinstance(x, Tensor) and isinstance(total, Tensor):
        return torch.add(total, x, alpha=factor)
    scaled = x if factor == 1 else -x if factor == -1 else x * factor
    return scaled if isinstance(total, float) and total == 0 else total + scaled


def _block(
    plan: Plan,
    logits: Tensor,
    labels: _Labels,
    gradient: bool,
    out: Tensor | None = None,
    scratch: Sequence[Tensor | None] = (None, None, None),
) -> tuple[Tensor, Tensor]:
    """Losses (n, 1) of rows of logits (n, K), and the gradient (n, K) in ``out``; with no ``gradient`` that is nothing."""
    logu = torch.sub(logits, logits.amax(-1, keepdim=True), out=scratch[0])
    u = torch.exp(logu, out=out)
    mass = _sum(u)
    size, inverse = mass.log(), mass.reciprocal()
    if plan.elementwise:
        logu.sub_(size)
        u.mul_(inverse)
        at = _Point(labels.of(logu), labels.of(u))
    else:  # log u = logu - size, u = u * inverse: cheaper on what becomes of them than on (n, K)
        own = labels.of(logu) - size
        at = _Point(own, own.exp())
    value, slope = _separable(plan, at)
    row: Any = 0.0  # part of the value, the same for all labels
    constant: Any = 0.0  # part of s, the same on a row
    through: Any = 0.0  # sum_k s_k, without s at the label
    fields: list[tuple[Tensor, Any]] = []  # parts of s, elementwise, and their factors by row
    factors: dict[Separable, Any] = {}  # more of them: of the slopes of each base
    square: Any = 0.0  # part of s: square * u^2

    if plan.square:
        norm = torch.linalg.vector_norm(u, dim=-1, keepdim=True)
        root = norm if plan.elementwise else norm * inverse
        row = root * root * plan.square
        through = row * 2
        square = torch.full_like(mass, 2 * plan.square) if plan.elementwise else inverse * inverse * (2 * plan.square)
    for coefficient, atom in plan.passive:
        height, field = _jet(atom, "passive", _Point(logu, u), plan.detach)
        row = _plus(row, _sum(height), coefficient)
        value, slope = value - labels.of(height) * coefficient, slope - labels.of(field) * coefficient
        fields.append((field, coefficient))
    if labels.soft:  # each of these holds for one label
        weight = _sum(labels.given)
        row, through, fields = row * weight, through * weight, [(field, c * weight) for field, c in fields]
        square = square * weight if isinstance(square, Tensor) else square
    bottom: Any = _sum(logu) if plan.logarithmic else None
    bases = {
        base: _based(plan, base, logu, u, scratch[1:]) for base in plan.bases
    }  # may overwrite logu, if nothing else needs it
    for ratio in plan.ratios:
        if ratio.base is None:
            top, below, steep = at.logu, bottom if plan.elementwise else bottom.add(size, alpha=-u.shape[-1]), None
        else:
            height, field = bases[ratio.base]
            top, below, steep = labels.of(height), _sum(height), labels.of(field)
        inside = below.reciprocal()
        share = top * inside
        value = _plus(value, share, ratio.weight)
        slope = _plus(slope, inside if steep is None else inside * steep, ratio.weight)
        if gradient:
            common = labels.expected(share) * inside
            if ratio.base is None:
                constant = _plus(constant, common, -ratio.weight)
            else:
                factors[ratio.base] = _plus(factors.get(ratio.base, 0.0), common, -ratio.weight)
    for negative in plan.negatives:  # there is at most one; it may overwrite what it is made of
        if negative.base is None:
            above = logu.add_(negative.top) if plan.elementwise else logu.add_(negative.top - size)
        else:
            height, field = bases[negative.base]
            above = height.add_(negative.top)
        above.clamp_(min=0)
        inside = _sum(above).reciprocal_()
        share = labels.of(above) * inside
        value = _plus(value + negative.weight, share, -negative.weight)
        if gradient:
            common = labels.expected(share) * inside * negative.weight
            mask = above.sign_()
            if negative.base is None:
                slope = _plus(slope, inside if plan.inward else inside * labels.of(mask), -negative.weight)
                fields.append((mask, common))
            else:
                outside = -negative.slope if plan.inward else 0.0
                own_slope = torch.where(labels.of(mask) > 0, labels.of(field), outside)
                slope = _plus(slope, inside * own_slope, -negative.weight)
                factors[negative.base] = _plus(mask.mul_(common), factors.get(negative.base, 0.0))
    result = value if isinstance(value, Tensor) else torch.full_like(at.logu, value)
    result = _plus(row, labels.expected(result))
    if not gradient:
        return result, u

    # (s_j - u_j sum_k s_k) times the scale, written over u
    def scaled(x: Any) -> Any:
        return x if labels.scale is None or (isinstance(x, float) and x == 0) else x * labels.scale

    slope, constant, square, through = scaled(slope), scaled(constant), scaled(square), scaled(through)
    if not isinstance(slope, Tensor) or slope.shape != at.logu.shape:
        slope = torch.zeros_like(at.logu) + slope
    if labels.soft:
        slope = labels.given * slope
    through = _plus(through, _sum(slope) if labels.soft else slope)
    if not isinstance(constant, float):
        through = torch.add(through, constant, alpha=u.shape[-1])
    fields += [(bases[base][1], factor) for base, factor in factors.items()]
    alone = {id(logu), *(id(field) for _, field in bases.values())}  # tensors that nothing else holds
    parts = [torch.mul(field, scaled(factor), out=field if id(field) in alone else None) for field, factor in fields]
    for part in parts:
        through = through + _sum(part)
    inner = through.neg() if plan.elementwise else through.neg().mul_(inverse)
    if isinstance(square, float):
        u.mul_(inner)
    else:
        u.mul_(torch.mul(u, square, out=None if plan.negatives else logu).add_(inner))
    if not isinstance(constant, float):
        u.add_(constant)
    for part in parts:
        u.add_(part)
    if labels.soft:
        u.add_(slope)
    else:
        u.scatter_add_(-1, labels.given, slope)
    return result, u


def _based(
    plan: Plan, base: Separable, logu: Tensor, u: Tensor, scratch: Sequence[Tensor | None]
) -> tuple[Tensor, Tensor]:
    """Minus a base of a normalised loss on all entries, and minus its slope in log u, in tensors of their own."""
    if isinstance(base, FL):
        if len(plan.bases) > 1:
            scratch = (None, None)
        return _focal(base.gamma, logu if plan.own else logu.clone(), u, plan.detach, scratch)
    height, field = _jet(base, "active", _Point(logu, u), plan.detach)
    return -height, -field


def _separable(plan: Plan, at: _Point) -> tuple[Any, Any]:
    """Value and slope in log u of the separable part at the label, of all but the sum over classes."""
    value: Any = 0.0
    slope: Any = 0.0
    if plan.polynomial:
        *lower, value = plan.polynomial
        rest = 1 - at.u if lower else at.u
        for coefficient in reversed(lower):  # Horner, with the derivative in 1 - u
            slope = _plus(value, slope * rest) if isinstance(slope, Tensor) or slope else value
            value = value * rest + coefficient if coefficient else value * rest
        slope = at.u * -slope if lower else 0.0
    if plan.logarithm:
        value, slope = _plus(value, at.logu, plan.logarithm), slope + plan.logarithm
    for curve in plan.curves:
        height, steep = curve.at(at)
        value, slope = _plus(value, height), _plus(slope, steep)
    for coefficient, atom in plan.active:
        if isinstance(atom, FL):
            height, steep = _focal(atom.gamma, at.logu.clone(), at.u, plan.detach)
            coefficient = -coefficient
        else:
            height, steep = _jet(atom, "active", at, plan.detach)
        value, slope = _plus(value, height, coefficient), _plus(slope, steep, coefficient)
    return value, slope


def row_losses(plan: Plan, logits: Tensor, labels: _Labels, gradient: bool) -> tuple[Tensor, Tensor | None]:
    """Losses (N,) of rows (N, K) and, if asked for, the gradient (N, K) of the loss of each row."""
    n, k = logits.shape
    step = n if torch.compiler.is_compiling() else max(1, _block_size(plan, logits) // k)  # a compiler makes its own
    if n <= step:
        losses, slopes = _block(plan, wide(logits), labels, gradient)
        return losses.squeeze(-1), slopes if gradient else None
    dtype = precision(logits)
    losses = logits.new_empty(n, 1, dtype=dtype)
    kept = logits.new_empty(n, k, dtype=dtype) if gradient else None
    # fresh memory of this size would come from the system, page by page, for every block
    buffers = [logits.new_empty(step, k, dtype=dtype) for _ in range(3 if plan.bases else 1)]
    for start in range(0, n, step):
        rows = slice(start, start + step)
        scratch = [buffer[: n - start] for buffer in buffers]
        out = None if kept is None else kept[rows]
        losses[rows] = _block(plan, wide(logits[rows]), labels[rows], gradient, out, scratch)[0]
    return losses.squeeze(-1), kept


def _block_size(plan: Plan, logits: Tensor) -> int:
    """Elements of a block."""
    if not logits.is_cpu:
        return BLOCK_DEVICE
    return BLOCK_ELEMENTWISE if plan.elementwise else BLOCK


# ------------------------------------------------------------------------------------------------------- autograd


@dataclass(frozen=True)
class Reduction:
    """How row losses become the result, as in cross_entropy."""

    kind: str  # none, sum or mean

    def __call__(self, losses: Tensor, scale: Tensor | None, total: Any) -> Tensor:
        """``scale`` (N,) is the weight of each row, 0 where it is ignored; a mean divides by ``total``.

        A mean over no rows is NaN with gradient 0.
        """
        if scale is not None:
            losses = losses * scale
        if self.kind == "none":
            return losses
        if self.kind == "sum":
            return losses.sum()
        if not (losses.requires_grad and isinstance(total, Tensor)):
            return losses.sum() / total
        return torch.where(total == 0, math.nan, losses.sum() / _off_zero(total))

    def of_rows(self, scale: Tensor | None, total: Any, dtype: torch.dtype) -> Any:
        """What the gradient of each row is multiplied by: (N, 1), a number, or None."""
        if scale is None:
            return 1 / total if self.kind == "mean" else None
        rows = scale.to(dtype).unsqueeze(-1)
        return rows / _off_zero(total) if self.kind == "mean" else rows


def _off_zero(total: Any) -> Any:
    """A divisor that, as a tensor, may be 0: a count, or a sum of weights."""
    if not isinstance(total, Tensor):
        return total
    return total.clamp(min=torch.finfo(total.dtype).tiny if total.is_floating_point() else 1)


@torch.compiler.disable  # torch.compile does not follow the arithmetic of monomials: a graph break
def reference_losses(
    loss: Loss, logits: Tensor, label: Tensor, soft: bool, detach: bool = False, inward: bool = True
) -> Tensor:
    """Losses (N,) of rows (N, K) by the core's definition, differentiated by torch."""
    each = label_losses(loss, logits, detach_modulation=detach, inward=inward)
    return (each * label).sum(-1) if soft else each.gather(-1, label).squeeze(-1)


class Fused(torch.autograd.Function):
    """Reduced losses of rows (N, K); keeps the gradient of each row, and the logits for a second derivative."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        label: Tensor,
        scale: Tensor | None,
        total: Any,
        soft: bool,
        plan: Plan,
        reduction: Reduction,
    ) -> Tensor:
        gradient = ctx.needs_input_grad[0]
        rows = reduction.of_rows(scale, total, precision(logits)) if gradient else None
        losses, slopes = row_losses(plan, logits, _Labels(label, soft, rows), gradient)
        if gradient:
            compiling = torch.compiler.is_compiling()
            ctx.save_for_backward(logits, label, scale, *([slopes] if compiling else []))
            ctx.slopes = None if compiling else slopes
            ctx.rest = total, soft, plan, reduction
        return reduction(losses, scale, total)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, label, scale, *compiled = ctx.saved_tensors
        total, soft, plan, reduction = ctx.rest
        if torch.is_grad_enabled():  # create_graph: a second derivative will be taken
            value = reduction(reference_losses(plan.loss, logits, label, soft, plan.detach, plan.inward), scale, total)
            (slope,) = torch.autograd.grad(value, logits, upstream, create_graph=True)
            return slope, None, None, None, None, None, None
        factor = upstream if reduction.kind != "none" else upstream.unsqueeze(-1)
        if compiled:
            return (compiled[0] * factor).to(logits.dtype), None, None, None, None, None, None
        slopes, ctx.slopes = ctx.slopes, None  # given away, so that no second (N, K) tensor is needed
        if slopes is None:  # backward again, with retain_graph
            rows = reduction.of_rows(scale, total, precision(logits))
            slopes = row_losses(plan, logits, _Labels(label, soft, rows), True)[1]
        if slopes.dtype != logits.dtype:
            slopes = torch.mul(slopes, factor, out=torch.empty_like(logits))
        elif factor.dim() or not factor.is_cpu or factor != 1:  # on the CPU a look at the factor costs no waiting
            slopes.mul_(factor)
        return slopes, None, None, None, None, None, None


def fused_losses(
    plan: Plan, logits: Tensor, label: Tensor, scale: Tensor | None, total: Any, soft: bool, reduction: Reduction
) -> Tensor:
    """Reduced losses of rows (N, K) by ``Fused``; logits are clipped before, where the loss asks for it."""
    if plan.clip is not None:
        logits = clipped(wide(logits), plan.clip)
    apply = _apply_eagerly if plan.jets else Fused.apply
    return apply(logits, label, scale, total, soft, plan, reduction)


@torch.compiler.disable
def _apply_eagerly(*arguments: Any) -> Tensor:
    return Fused.apply(*arguments)
