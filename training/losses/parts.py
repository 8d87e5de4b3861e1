"""A loss on K classes, taken apart for one pass over the logits: which terms it puts at a label, on a row, on every entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from asymtheory.errors import InputError
from asymtheory.losses import CE, Loss, Separable
from asymtheory.losses.formula import Formula
from asymtheory.losses.profile import NEXT_TO_ONE, Profile
from asymtheory.numbers.backends import FLOAT, POLY
from asymtheory.numbers.exact import Poly
from asymtheory.numbers.jet import Jet
from asymtheory.numbers.scalar import Scalar

from .reference import is_focal
from .terms import Held, Term, term

DEGREE = 4  # of a polynomial at the label; a higher one is a power and stays one


@dataclass(frozen=True)
class Ratio:
    """``weight * base(u_y) / sum_k base(u_k)``; base is an index of ``FusedPlan.bases``, None is -log u."""

    weight: float
    base: int | None


@dataclass(frozen=True)
class Negative:
    """``-weight * h_y / sum_k h_k`` with ``h = top - base`` down to p_min; base as in ``Ratio``."""

    weight: float
    base: int | None
    top: float
    floor: float  # log p_min
    slope: float  # of base in log u at p_min


@dataclass(frozen=True)
class FusedPlan:
    """A loss on K classes, taken apart for one pass."""

    loss: Loss
    detach: bool
    inward: bool
    active: tuple[Term, ...]  # at the label
    polynomial: tuple[float, ...]  # at the label, in 1 - u_y, from the constant term up; holds all constants
    logarithm: float  # coefficient of log u_y
    square: float  # coefficient of sum_k u_k^2
    passive: tuple[Term, ...]  # over all classes and, with a minus, at the label
    ratios: tuple[Ratio, ...]
    negatives: tuple[Negative, ...]  # at most one
    bases: tuple[Term, ...]  # of ratios and negatives, other than -log u, with a minus
    logarithmic: bool  # is there NCE?
    at_label: bool  # does a term need u_y or its logarithm?
    logs: bool  # does one need the logarithm of any entry?
    elementwise: bool  # does a term need more of an entry than a product with a number of its row?
    own: bool  # does one base alone need log u of all entries, so that it may overwrite them?
    clip: float | None  # greatest norm of the logits; they are clipped before, and `loss` is that of clipped logits

    @property
    def temporaries(self) -> int:
        """Tensors of the size of the logits that are written beside the gradient."""
        return 3 if self.bases else int(self.logs or bool(self.square))

    @property
    def wary(self) -> bool:
        """May a logit of -inf spoil the gradient though the losses are finite? It is looked for then; else a loss tells of it."""
        return self.elementwise or bool(self.negatives) or any(isinstance(part, Held) for part in self.active)

    @classmethod
    def of(cls, loss: Loss, K: int, *, detach: bool = False, inward: bool = True) -> FusedPlan | None:
        """The parts of a loss; None where its slope at u_y = 1 is infinite (AUL a = 1, p < 1) and `reference` is exact."""
        if not has_plan(loss, K):
            return None
        profile = Profile.of(loss, K)
        active: list[Term] = []
        passive: list[Term] = []
        polynomial, logarithm, square = Poly(()), 0.0, Fraction(0)
        one_less = 1 - Poly.variable()
        for coefficient, atom in profile.separable:
            own = _polynomial(atom.on(POLY).active, one_less)
            if own.coefficients is not None and own.degree <= DEGREE:
                polynomial += own * coefficient
            elif isinstance(atom, CE):
                logarithm -= float(coefficient)
            else:
                active.append(term(float(coefficient), atom, detach=detach))
            other = _polynomial(atom.on(POLY).passive, Poly.variable())
            if other.coefficients is not None and other.degree <= 2:
                # sum_{k != y} P(u_k) = K p0 + p1 + p2 sum_k u_k^2 - P(u_y)
                coefficients: tuple[Scalar, ...] = (*other.coefficients, 0, 0, 0)
                p0, p1, p2 = coefficients[:3]
                at_label = _polynomial(atom.on(POLY).passive, one_less)
                polynomial += (Poly.of(K * p0 + p1) - at_label) * coefficient
                square += p2 * coefficient
            else:
                passive.append(term(float(coefficient), atom, "passive", detach=detach))
        clip = None
        for coefficient, clipped_ce in profile.clipped:
            loss, logarithm, clip = coefficient * CE(), -float(coefficient), float(clipped_ce.tau)
        normalised: list[Scalar] = [atom for _, atom in (*profile.normalised, *profile.negative)]
        bases = list(dict.fromkeys(atom.base for atom in normalised if not isinstance(atom.base, CE)))
        where = {base: index for index, base in enumerate(bases)}
        logarithmic = any(isinstance(atom.base, CE) for _, atom in profile.normalised)
        negatives: list[Negative] = []
        if profile.negative:  # one loss, though it may be there more than once: Profile sees to that
            weight, lone = sum(coefficient for coefficient, _ in profile.negative), profile.negative[0][1]
            negatives = [_negative(weight, lone, where.get(lone.base), K, detach)]
            polynomial += weight  # of weight * (1 - ...)
        return cls(
            loss=loss,
            detach=detach,
            inward=inward,
            active=tuple(active),
            polynomial=tuple(float(c) for c in polynomial.coefficients or ()),
            logarithm=logarithm,
            square=float(square),
            passive=tuple(passive),
            ratios=tuple(Ratio(float(c), where.get(atom.base)) for c, atom in profile.normalised),
            negatives=tuple(negatives),
            bases=tuple(term(-1.0, base, detach=detach) for base in bases),
            logarithmic=logarithmic,
            at_label=bool(logarithm or logarithmic or active or passive or polynomial.degree),
            logs=bool(logarithm or normalised or passive or any(part.logs for part in active)),
            elementwise=bool(bases or passive),
            own=len(bases) <= 1 and not passive and not any(isinstance(atom.base, CE) for atom in normalised),
            clip=clip,
        )


def has_plan(loss: Loss, K: int = 2) -> bool:
    """Is there a ``FusedPlan`` of the loss? Not where its slope at u_y = 1 is infinite, nor for arcs, see ``reference``."""
    separable = [atom for _, atom in Profile.of(loss, K).separable]
    if any(isinstance(atom, Formula) and atom.has_arcs for atom in separable):
        return False
    return all(math.isfinite(_slope_at_one(atom)) for atom in separable)


def _polynomial(side: Callable[..., object], u: Poly) -> Poly:
    return POLY.number(side(u, Poly.unknown(), POLY))


def _slope_at_one(atom: Separable) -> float:
    """Slope of the active part at u = 1, or next to it where it is 0 * inf there (FL: it is 0)."""
    profile = Profile(2, ((1, atom),), (), (), ())
    try:
        at_one = profile.jet("active", 1.0, FLOAT)[1]
        return at_one if at_one == at_one else profile.jet("active", float(NEXT_TO_ONE), FLOAT)[1]
    except (ArithmeticError, ValueError):
        return math.inf


def _negative(coefficient: Scalar, atom: Scalar, base: int | None, K: int, detach: bool) -> Negative:
    p_min = float(atom.p_min)
    if K * p_min >= 1:
        raise InputError(f"{atom.name}: p_min = {p_min:g} is not below 1/K = {1 / K:g} for {K} classes")
    p: Scalar = p_min if detach and is_focal(atom) else Jet(FLOAT, p_min, p_min)
    at_floor = atom.base.on(FLOAT).active(p, Jet(FLOAT, math.log(p_min), 1.0), FLOAT)
    return Negative(float(coefficient), base, at_floor.value, math.log(p_min), at_floor.slope)
