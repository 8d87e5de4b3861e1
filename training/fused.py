"""Every loss of the core in one pass over the logits, with the gradient by hand.

With ``u = softmax(z)`` and ``s_k = u_k dL/du_k`` the gradient in the logits is ``s_j - u_j sum_k s_k``. What a loss puts into s:

* its separable part a number at the label, and ``2 p2 u_k^2`` everywhere where the passive part has a term ``p2 u^2``;
* NCE a number per row, NNCE a number per row on the entries above p_min, both a number at the label;
* a normalised loss on another base, and a passive part that is no polynomial, one more elementwise field.

So without such fields the gradient of any sum is ``u_j (k u_j + A) + B`` per row plus an entry at the label. ``Plan`` finds
these parts in a loss; no formula is written a second time: polynomials come from running the core's lines on its
exact polynomials, all other values and slopes from running them on jets in log u.

Rows are worked in blocks that stay in the processor's cache, and what is kept for the backward pass is one (N, K)
tensor: the gradient of each row's own loss. A second derivative, if asked for, is that of ``reference``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from asymtheory.backends import FLOAT, POLY
from asymtheory.errors import InputError
from asymtheory.exact import Poly
from asymtheory.formula import Formula
from asymtheory.jet import Jet
from asymtheory.losses import CE, Loss, Separable
from asymtheory.profile import Profile
from torch import Tensor

from .reference import TORCH, Monomial, Point, as_tensor, clipped, is_focal, label_losses, precision, wide

BLOCK = 2**16  # elements of a block for each thread: a few temporaries of it stay in the cache of one core
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
            self._rest[exponent] = rest**exponent if above is None else above / rest
        return self._rest[exponent]

    def log(self, a: float, b: float) -> Tensor:
        return self.logu * a + torch.log(self.rest) * b if b else self.logu * a


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
    active: tuple[tuple[float, Separable], ...]  # at the label, by jets
    polynomial: tuple[float, ...]  # at the label, in 1 - u_y, from the constant term up; holds all constants of a row
    logarithm: float  # coefficient of log u_y
    square: float  # coefficient of sum_k u_k^2
    passive: tuple[tuple[float, Separable], ...]  # over all classes and, with a minus, at the label, by jets
    ratios: tuple[_Ratio, ...]
    negatives: tuple[_Negative, ...]
    clip: float | None  # greatest norm of the logits; they are clipped before, and `loss` is that of clipped logits

    @classmethod
    def of(cls, loss: Loss, K: int, *, detach: bool = False, inward: bool = True) -> Plan | None:
        """The parts of a loss; None where its slope at u_y = 1 is infinite (AUL a = 1, p < 1) and `reference` is exact."""
        profile = Profile.of(loss, K)
        if not all(math.isfinite(_slope_at_one(c, atom)) for c, atom in profile.separable):
            return None
        active, passive = [], []
        polynomial, logarithm, square = Poly(()), 0.0, Fraction(0)
        one_less = 1 - Poly.variable()
        for coefficient, atom in profile.separable:
            own = POLY.number(atom.on(POLY).active(one_less, Poly.unknown(), POLY))  # type: ignore[attr-defined]
            if own.coefficients is not None and own.degree <= DEGREE:
                polynomial += own * coefficient
            elif isinstance(atom, CE):
                logarithm -= float(coefficient)
            else:
                active.append((float(coefficient), atom.on(TORCH)))
            if type(atom).passive is Separable.passive or (isinstance(atom, Formula) and atom.texts[1] is None):
                continue
            other = POLY.number(atom.on(POLY).passive(Poly.variable(), Poly.unknown(), POLY))  # type: ignore[attr-defined]
            if other.coefficients is not None and other.degree <= 2:
                # sum_{k != y} P(u_k) = K p0 + p1 + p2 sum_k u_k^2 - P(u_y)
                p0, p1, p2 = (*other.coefficients, 0, 0, 0)[:3]
                at_label = POLY.number(atom.on(POLY).passive(one_less, Poly.unknown(), POLY))  # type: ignore[attr-defined]
                polynomial += (Poly.of(K * p0 + p1) - at_label) * coefficient
                square += p2 * coefficient
            else:
                passive.append((float(coefficient), atom.on(TORCH)))
        clip = None
        for coefficient, atom in profile.clipped:
            loss, logarithm, clip = coefficient * CE(), -float(coefficient), float(atom.tau)
        ratios = tuple(_Ratio(float(c), _base(atom)) for c, atom in profile.normalised)
        negatives = tuple(_negative(c, atom, K, detach) for c, atom in profile.negative)
        coefficients = tuple(float(c) for c in polynomial.coefficients or ())
        return cls(
            loss, detach, inward, tuple(active), coefficients, logarithm, float(square), tuple(passive), ratios,
            negatives, clip,
        )  # fmt: skip


def _slope_at_one(coefficient: Any, atom: Separable) -> float:
    try:
        return float(Profile(2, ((coefficient, atom),), (), (), ()).slopes(FLOAT).active1)
    except (ArithmeticError, ValueError):
        return math.inf


def _base(atom: Any) -> Separable | None:
    return None if isinstance(atom.base, CE) else atom.base.on(TORCH)


def _negative(coefficient: Any, atom: Any, K: int, detach: bool) -> _Negative:
    p_min = float(atom.p_min)
    if K * p_min >= 1:
        raise InputError(f"{atom.name}: p_min = {p_min:g} is not below 1/K = {1 / K:g} for {K} classes")
    at = torch.tensor([math.log(p_min)], dtype=torch.float64)
    top, slope = _jet(atom.base.on(TORCH), "active", _Point(at, at.exp()), detach)
    return _Negative(float(coefficient), _base(atom), float(top), math.log(p_min), float(slope))


def _jet(atom: Separable, side: str, at: Point, detach: bool) -> tuple[Any, Any]:
    """Value and slope in log u of ``active`` or ``passive``: tensors, or numbers where they are constant."""
    u = Monomial(at)
    p: Any = u if detach and is_focal(atom) else Jet(TORCH, u, u)
    found = getattr(atom, side)(p, Jet(TORCH, at.logu, 1.0), TORCH)
    return (as_tensor(found.value), as_tensor(found.slope)) if isinstance(found, Jet) else (as_tensor(found), 0.0)


# ----------------------------------------------------------------------------------------------------- one block


def _sum(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True)


def _block(plan: Plan, logu: Tensor, u: Tensor, label: Tensor, soft: bool, gradient: bool) -> Tensor:
    """Losses (n, 1) of some rows; ``u`` (n, K) is turned into the gradient in the logits if asked for.

    ``label`` is the label's index (n, 1), or, when ``soft``, the weight of every label (n, K). Quantities "at the label"
    are (n, 1), or (n, K) when soft.
    """

    def own(x: Tensor) -> Tensor:
        return x if soft else x.gather(-1, label)

    def expected(x: Any) -> Any:
        return _sum(label * x) if soft else x

    own_log = own(logu)
    at = _Point(own_log, u if soft else own_log.exp())
    value, slope = _separable(plan, at)
    mass = _sum(label) if soft else 1.0
    row: Any = 0.0  # of the value
    everywhere: Any = None  # of s, the same on all entries of a row
    through: Any = 0.0  # sum_k s_k
    fields: list[tuple[Tensor, Tensor]] = []  # of s: (elementwise, its coefficient by row)
    bases: dict[Any, tuple[Tensor, Tensor]] = {}

    def based(base: Separable) -> tuple[Tensor, Tensor]:
        if base not in bases:
            bases[base] = _jet(base, "active", _Point(logu, u), plan.detach)
        return bases[base]

    if plan.square:
        squares = _sum(u * u) * mass
        row = plan.square * squares
        through = 2 * row
    for coefficient, atom in plan.passive:
        height, field = _jet(atom, "passive", _Point(logu, u), plan.detach)
        row = row + coefficient * mass * _sum(height)
        value, slope = value - coefficient * own(height), slope - coefficient * own(field)
        weight = torch.full_like(own_log[..., :1], coefficient) * mass
        fields.append((field, weight))
        through = through + weight * _sum(field)
    for ratio in plan.ratios:
        height, field = (logu, None) if ratio.base is None else based(ratio.base)
        inverse = ratio.weight / _sum(height)
        share = inverse * own(height)
        value = value + share
        slope = slope + (inverse if field is None else inverse * own(field))
        if gradient:
            weight = expected(share) * inverse * (-1 / ratio.weight)
            if field is None:
                everywhere = weight if everywhere is None else everywhere + weight
            else:
                fields.append((field, weight))
                through = through + weight * _sum(field)
    for negative in plan.negatives:
        height, field = (logu, None) if negative.base is None else based(negative.base)
        above = (height + negative.top if field is None else negative.top - height).clamp_(min=0)
        inverse = negative.weight / _sum(above)
        share = inverse * own(above)
        value = value + (negative.weight - share)
        if gradient:
            inside = above.sign_()
            if field is None:
                slope = slope - (inverse if plan.inward else inverse * own(inside))
                weight = expected(share) * inverse * (1 / negative.weight)
                field = inside
            else:
                own_slope = own(field)
                outside = negative.slope if plan.inward else 0.0
                slope = slope + inverse * torch.where(own(inside) > 0, own_slope, outside)
                weight = expected(share) * inverse * (-1 / negative.weight)
                field = inside.mul_(field)
            fields.append((field, weight))
            through = through + weight * _sum(field)
    if gradient:
        _gradient(plan, u, label, soft, slope, through + expected(slope), everywhere, mass, fields)
    return row + expected(value) if isinstance(value, Tensor) else row + expected(torch.full_like(own_log, value))


def _separable(plan: Plan, at: _Point) -> tuple[Any, Any]:
    """Value and slope in log u of the separable part at the label, of all but the sum over classes."""
    value: Any = 0.0
    slope: Any = 0.0
    if len(plan.polynomial) > 1:
        *lower, leading = plan.polynomial
        rest = 1 - at.u
        value, steep = leading, 0.0
        for coefficient in reversed(lower):  # Horner, with the derivative in 1 - u
            steep = steep * rest + value if isinstance(steep, Tensor) or steep else value
            value = value * rest + coefficient if coefficient else value * rest
        slope = at.u * (-steep)
    elif plan.polynomial:
        value = plan.polynomial[0]
    if plan.logarithm:
        value, slope = value + at.logu * plan.logarithm, slope + plan.logarithm
    for coefficient, atom in plan.active:
        height, steep = _jet(atom, "active", at, plan.detach)
        if coefficient != 1:
            height, steep = height * coefficient, steep * coefficient
        value, slope = value + height, slope + steep
    return value, slope


def _gradient(
    plan: Plan,
    u: Tensor,
    label: Tensor,
    soft: bool,
    slope: Any,
    through: Any,
    everywhere: Tensor | None,
    mass: Any,
    fields: list[tuple[Tensor, Tensor]],
) -> None:
    """Overwrite u with ``s_j - u_j sum_k s_k``; ``slope`` is s at the label, ``through`` what else is known of its sum."""
    if not isinstance(slope, Tensor):
        slope = u.new_full((len(u), 1), slope)
    if not isinstance(through, Tensor):
        through = u.new_full((len(u), 1), through)
    if everywhere is not None:
        through = through + everywhere * u.shape[-1]
    inner: Any = -through
    if plan.square:
        inner = torch.add(inner, u, alpha=2 * plan.square) if not soft else inner + u * (2 * plan.square * mass)
    if everywhere is None:
        u.mul_(inner)
    else:
        torch.addcmul(everywhere, u, inner, out=u)
    for field, weight in fields:
        u.addcmul_(field, weight)
    if soft:
        u.add_(label * slope)
    else:
        u.scatter_add_(-1, label, slope)


def row_losses(plan: Plan, logits: Tensor, label: Tensor, soft: bool, gradient: bool) -> tuple[Tensor, Tensor | None]:
    """Losses (N,) of rows (N, K) and, if asked for, the gradient (N, K) of each row's loss; float32 at least."""
    n, k = logits.shape
    dtype = precision(logits)
    size = BLOCK * torch.get_num_threads() if logits.device.type == "cpu" else BLOCK_DEVICE
    step = max(1, size // k)
    if n <= step:
        logu = torch.log_softmax(logits, -1, dtype=dtype)
        u = logu.exp()
        return _block(plan, logu, u, label, soft, gradient).squeeze(-1), u if gradient else None
    losses = logits.new_empty(n, dtype=dtype)
    slopes = logits.new_empty((n, k), dtype=dtype) if gradient else None
    for start in range(0, n, step):
        rows = slice(start, start + step)
        logu = torch.log_softmax(logits[rows], -1, dtype=dtype)
        u = logu.exp() if slopes is None else torch.exp(logu, out=slopes[rows])
        losses[rows] = _block(plan, logu, u, label[rows], soft, gradient).squeeze(-1)
    return losses, slopes


# ------------------------------------------------------------------------------------------------------- autograd


@dataclass(frozen=True)
class Reduction:
    """How row losses become the result: "none", "sum" or "mean", as in cross_entropy."""

    kind: str
    soft: bool

    def __call__(self, losses: Tensor, scale: Tensor | None, total: Any) -> Tensor:
        """``scale`` (N,): the weight of each row, 0 where it is ignored; ``total``: what a mean divides by.

        A mean over no rows is NaN with gradient 0, as in cross_entropy.
        """
        if scale is not None:
            losses = losses * scale
        if self.kind == "none":
            return losses
        if self.kind == "sum" or not isinstance(total, Tensor):
            return losses.sum() / (1.0 if self.kind == "sum" else total)
        return torch.where(total == 0, math.nan, losses.sum() / off_zero(total))


def off_zero(total: Any) -> Any:
    """A divisor that may be a tensor and 0."""
    return total.clamp(min=torch.finfo(torch.float32).tiny) if isinstance(total, Tensor) else total


def reference_losses(
    loss: Loss, logits: Tensor, label: Tensor, soft: bool, detach: bool = False, inward: bool = True
) -> Tensor:
    """Losses (N,) of rows (N, K) by the core's definition, differentiated by torch."""
    each = label_losses(loss, logits, detach_modulation=detach, inward=inward)
    return (each * label).sum(-1) if soft else each.gather(-1, label).squeeze(-1)


class Fused(torch.autograd.Function):
    """Reduced losses of rows (N, K); saves the gradient of each row, and the logits for a second derivative."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, logits: Tensor, label: Tensor, scale: Tensor | None, total: Any, plan: Plan, reduction: Reduction
    ) -> Tensor:
        gradient = ctx.needs_input_grad[0]
        losses, slopes = row_losses(plan, logits, label, reduction.soft, gradient)
        if gradient:
            ctx.save_for_backward(logits, label, scale, slopes)
            ctx.rest = total, plan, reduction
        return reduction(losses, scale, total)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        logits, label, scale, slopes = ctx.saved_tensors
        total, plan, reduction = ctx.rest
        if torch.is_grad_enabled():  # create_graph: a second derivative will be taken
            losses = reference_losses(plan.loss, logits, label, reduction.soft, plan.detach, plan.inward)
            value = reduction(losses, scale, total)
            (slope,) = torch.autograd.grad(value, logits, upstream, create_graph=True)
            return slope, None, None, None, None, None
        factor = upstream
        if reduction.kind == "mean":
            factor = factor / off_zero(total)
        if scale is not None:
            factor = factor * scale
        if factor.dim():
            factor = factor.unsqueeze(-1)
        if slopes.dtype == logits.dtype:
            return slopes * factor, None, None, None, None, None
        return torch.mul(slopes, factor, out=torch.empty_like(logits)), None, None, None, None, None


def fused_losses(
    plan: Plan, logits: Tensor, label: Tensor, scale: Tensor | None, total: Any, reduction: Reduction
) -> Tensor:
    """Reduced losses of rows (N, K) by ``Fused``; logits are clipped before, where the loss asks for it."""
    if plan.clip is not None:
        logits = clipped(wide(logits), plan.clip)
    return Fused.apply(logits, label, scale, total, plan, reduction)
