"""What every rule is: an object made once from a loss, the number of classes and the shape of the row of weights.

A rule answers for itself; nobody asks which one it is:

* ``decide(row)``: is the loss asymmetric on this row, exactly at the boundary where exact arithmetic reaches it;
* ``verdict``: the answer for every row with a unique largest weight, where the form of the loss alone gives it;
* ``inequality``: whether the sign of ``slack`` decides, and ``closed``: whether equality still holds;
* ``slack(w_m, w_n, W, xp)``: that quantity on any number system, ``at(...)``: the rule with parameters of the loss replaced by
  numbers of that system (intervals, polynomials, arrays, symbols), so that the slack is a function of the parameter too;
* ``half_plane(xp)`` and ``levels(xp)``: the same inequality as a half-plane in (w_m/W, w_n/W), and as the clean level needed;
* ``formula(w_m, w_n, W)``: the slack in symbols;
* ``minimiser(w)``: the minimiser of the weighted risk, ``vertex(target)``: the point that a yes is about;
* ``reason``: the rule in one sentence, ``method``: how a threshold is found with it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias, TypeVar

from ...losses.base import Loss, Normalised, Separable
from ...losses.profile import Profile
from ...noise.rows import Row
from ...numbers.backends import EXACT, FLOAT, INTERVAL, POLY, Backend, arb_, sympy_
from ...numbers.scalar import Scalar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..newton import Array

EXACT_VERTEX = "vertex of the largest weight"
CUT_OFF = "cut-off vertex of the largest weight"
BITS = 200  # of Arb, where floats overflow or cancel
ROUNDING = 1e-12  # relative, of an equality in floats
BY_FORM = "proof for the form of the loss"

AnyRule = TypeVar("AnyRule", bound="Rule")
Slack: TypeAlias = Callable[[Scalar, Scalar, Scalar, Backend], Scalar]  # of w_m, w_n and W


class HalfPlane(NamedTuple):
    """The inequality ``top * w_m - second * w_n >= total * W`` of a rule, its coefficients in one number system."""

    top: Scalar
    second: Scalar
    total: Scalar

    def holds(self, top: Array, second: Array) -> NDArray[np.bool_]:
        """Where it holds for shares ``w_m / W`` and ``w_n / W`` in floats; equality is given a relative 1e-12.

        The coefficients and the shares broadcast. A coefficient that is not finite holds nowhere.
        """
        import numpy as np  # late: rules are on the start-up path of `bound`

        own, rival, rest = (np.asarray(part, dtype=float) for part in (self.top, self.second, self.total))
        with np.errstate(all="ignore"):
            size = ROUNDING * (np.abs(own) * top + np.abs(rival) * second + np.abs(rest))
            return np.asarray((own * top - rival * second >= rest - size) & np.isfinite(own + rival + rest))


class Decision(NamedTuple):
    """The verdict on one row of weights: ``holds`` is None where a search would be needed."""

    holds: bool | None
    gap: float | None  # the slack divided by the total weight, where an inequality was looked at
    rule: Rule
    note: str = ""  # why, where it is not the rule itself that decides

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        return self.note or self.rule.reason

    @property
    def method(self) -> str:
        """How a threshold is found where this decides."""
        return BY_FORM if self.note else self.rule.method


class Minimum(NamedTuple):
    """Minimisers (B, K) of a batch of weighted risks, a bound on how far they are from the minimum, and how they were found."""

    points: Array
    gap: Array | None
    method: str
    exact: bool


@dataclass(frozen=True)
class Rule(ABC):
    """What decides for one loss on K classes and one shape of the row of weights (is all but the largest weight equal?)."""

    loss: Loss
    K: int
    reason: str
    sufficient_only: bool = False  # the slack settles "yes", but a negative one says nothing
    necessary: bool = False  # no inequality decides, but a negative slack says "no"

    name: ClassVar[str]
    method: ClassVar[str] = BY_FORM
    at_vertex: ClassVar[str] = EXACT_VERTEX  # how a vertex is known to be the minimiser where the rule says yes
    verdict: ClassVar[bool | None] = None
    inequality: ClassVar[bool] = False
    closed: ClassVar[bool] = False
    at_zero: ClassVar[bool] = (
        False  # where the slack is exactly 0 ``decide`` has to be asked; without ``inequality``, only there
    )

    @property
    def searched(self) -> bool:
        """Does neither the form of the loss nor an inequality decide?"""
        return self.verdict is None and not self.inequality

    @property
    def profile(self) -> Profile:
        """The loss seen from the simplex."""
        return Profile.of(self.loss, self.K)

    def at(self: AnyRule, K: Scalar = None, **parameters: Scalar) -> AnyRule:
        """The same rule with other parameters of the loss, in any number system and unchecked (and another K, or a symbol).

        The caller answers for it that the same rule applies there: between two kinks of the loss it does.
        """
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.__dict__["loss"] = self.loss._with(**parameters)
        if K is not None:
            copy.__dict__["K"] = K
        return copy

    def slack(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        """What must be >= 0 (> 0 unless ``closed``) for w_m = top, w_n = second, W = total; here the margin times W."""
        return top - second

    def half_plane(self, xp: Backend) -> HalfPlane | None:
        """The inequality as a half-plane in the weights; None where none decides."""
        return None

    def same_sign(self, **parameters: Scalar) -> bool:
        """Does the slack keep its sign on all weights when the loss gets these parameters, as far as its form shows?"""
        return False

    def levels(self, xp: Backend) -> tuple[Scalar, Scalar] | None:
        """(base, spread): it holds where ``w_m / w_n >= base + spread * (W - w_m) / w_n``; None where no such line decides."""
        return None

    def formula(self, top: Scalar, second: Scalar, total: Scalar) -> Scalar:
        """The slack as a sympy expression in symbols; ``oo`` or ``-oo`` where an infinite slope settles it."""
        return self.slack(top, second, total, sympy_())

    @abstractmethod
    def minimiser(self, w: Array) -> Minimum:
        """Minimisers of the weighted risk for rows of weights (B, K) of total 1."""

    def vertex(self, target: int) -> list[float] | None:
        """The point that is the minimiser where the verdict is yes: e_m, or the cut-off vertex; None for another point."""
        floor = self.floor
        return [1 - (self.K - 1) * floor if k == target else floor for k in range(self.K)]

    @property
    def floor(self) -> float:
        """The smallest u_k of the loss's domain: p_min of a normalised negative term, else 0."""
        return max((float(atom.p_min) for _, atom in self.profile.negative), default=0.0)

    # ----------------------------------------------------------------------------------------- deciding

    def decide(self, row: Row) -> Decision:
        """Settle one row without a search, exactly at the boundary where exact arithmetic reaches it."""
        if not row.dominant:
            margin = float((row.top - row.second) / row.total)
            return Decision(False, margin, self, "the clean label does not have the unique largest weight")
        if row.second == 0 and (is_pointed(self.loss) or (self.K == 2 and unbounded(self.profile))):
            return Decision(True, None, self, "all other weights are 0: the risk is a multiple of the loss itself")
        if self.verdict is False or self.searched:
            return Decision(self.verdict, None, self)
        sign, value = self._sign(row)
        holds = None if sign is None else sign > 0 or (sign == 0 and self.closed)
        return Decision(None if self.sufficient_only and not holds else holds, value, self)

    def _sign(self, row: Row, slack: Slack | None = None) -> tuple[int | None, float]:
        """The sign of the slack on a row (the rule's own, or another one), and the slack itself per unit of total weight."""
        slack = slack or self.slack
        top, second, total = row.top, row.second, row.total
        ball = slack(top, second, total, INTERVAL)
        low, high = (ball.low, ball.high) if hasattr(ball, "low") else (float(ball), float(ball))
        value = (low + high) / 2 if math.inf not in (abs(low), abs(high)) else (low if abs(low) == math.inf else high)
        sign = 1 if low > 0 else -1 if high < 0 else 0 if low == high == 0 else None
        if sign is None:
            top, second, total = Fraction(top), Fraction(second), Fraction(total)
            rational = POLY.number(slack(top, second, total, POLY)).rational()  # plain fractions, fast
            exact = EXACT.number(slack(top, second, total, EXACT) if rational is None else rational)
            sign = exact.sign if exact.known else _ball_sign(slack, top, second, total)
            if sign is not None:
                value = abs(value) * sign  # so that what is shown does not deny the verdict by rounding or overflow
        return sign, value / float(row.total)


def _ball_sign(slack: Slack, top: Fraction, second: Fraction, total: Fraction) -> int | None:
    """The sign in Arb, where floats overflow or cancel and no exact form is at hand; None next to 0."""
    from flint import ctx  # late: rules are on the start-up path of `bound`

    xp = arb_()
    with ctx.workprec(BITS):
        value = xp.number(slack(xp.number(top), xp.number(second), xp.number(total), xp))
        return 1 if value > 0 else -1 if value < 0 else None


def endless(atom: Normalised) -> bool:
    """Is the base of a normalised term infinite at 0 (NCE, NFL)? Its limit at the boundary then depends on the path."""
    zero = FLOAT.variable(0.0)
    base: Any = atom.base.on(FLOAT)
    return bool(base.active(zero, FLOAT.log(zero), FLOAT).value == math.inf)


def leaves_steeply(atom: Normalised) -> bool:
    """Is the slope of the base of a normalised term -inf at 0?"""
    zero = FLOAT.variable(0.0)
    base: Any = atom.base.on(FLOAT)
    return bool(base.active(zero, FLOAT.log(zero), FLOAT).slope == -math.inf)


def felt_by_two(atom: Normalised) -> bool:
    """With two classes, may a normalised term of endless base g rise from e_m like the mass s that leaves it, or faster?

    It is ``g(1-s) / (g(1-s) + g(s))`` times the margin: o(s) where g(1) = 0 and the slope of g at 1 is finite, but like
    ``g(1) / g(s)`` where g(1) > 0, and g(0) may be as little infinite as a logarithm.
    """
    part = Profile(2, ((Fraction(1), atom.base),), (), (), ())
    end = EXACT.number(part.jet("active", EXACT.number(Fraction(1)), EXACT)[0])
    if not (end.known and end.sign == 0):
        return True
    return not INTERVAL.number(part.slopes(INTERVAL).active1).low > -math.inf


def unbounded(profile: Profile) -> bool:
    """Is the separable part -inf wherever a u_k is 0? Of a user's formula the passive part may be, as log u."""
    if all(type(atom).passive is Separable.passive for _, atom in profile.separable):
        return False
    active, passive = (profile.jet(side, 0.0, FLOAT)[0] for side in ("active", "passive"))
    return bool(passive == -math.inf and abs(active) < math.inf)


def is_pointed(loss: Loss) -> bool:
    """Does L(., y) have a single minimiser? NCE and NFL alone do not: they vanish wherever another u_k -> 0."""
    profile = Profile.of(loss, 3)
    if unbounded(profile):
        return False
    return bool(profile.separable or profile.negative or profile.clipped) or not all(
        endless(atom) for _, atom in profile.normalised
    )
