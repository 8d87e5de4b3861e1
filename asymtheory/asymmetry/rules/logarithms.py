"""Cross entropies of every class: ``F_w = -sum_k c_k log u_k``, ``c_k = own w_k + every W``; see docs/theory.md, section 3.

Label smoothing, and the two-sided losses of preferences (every < 0). With all c_k > 0 the minimiser is ``c / sum c``, inside the
simplex. With c_k = 0 for all k != m it is e_m. With some c_k < 0 the risk is unbounded below as u_k -> 0: on two classes that is
u -> e_m, so every minimising sequence tends to e_m iff c_n <= 0; on more, u_k -> 0 leaves the other entries free.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from ...losses.newer import Spread
from ...losses.papers import CE
from ...losses.profile import Profile
from ...noise.rows import Row
from ...numbers.backends import FLOAT, Backend
from ...numbers.scalar import Scalar
from .base import Decision, Minimum, Rule

if TYPE_CHECKING:
    from ..newton import Array

INSIDE = (
    "-log u_k has a coefficient own w_k + every W for each class: e_m is the minimiser only where all but its own are exactly 0,"
    " at one value of the parameter and where the other weights are equal"
)
LIMIT = "unbounded below or least as u_n -> 0: every minimising sequence tends to e_m iff own w_n + every W <= 0"


def applies(profile: Profile) -> bool:
    """Is the loss made of cross entropies of the label and of all classes alone, with some of the latter?"""
    atoms = [atom for _, atom in profile.separable]
    return (
        profile.is_separable
        and all(type(atom) in (CE, Spread) for atom in atoms)
        and any(type(atom) is Spread for atom in atoms)
    )


@dataclass(frozen=True)
class Logarithms(Rule):
    """On three classes or more: e_m is the minimiser exactly where all other coefficients vanish."""

    name = "logarithms"
    verdict: ClassVar[bool | None] = False

    def coefficients(self, xp: Backend) -> tuple[Scalar, Scalar]:
        """(own, every) in the numbers of ``xp``."""
        own = every = xp.number(Fraction(0))
        for coefficient, atom in self.profile.separable:
            value = xp.number(coefficient) if isinstance(coefficient, Fraction) else coefficient
            if type(atom) is Spread:
                every = every + value
            else:
                own = own + value
        return own, every

    def decide(self, row: Row) -> Decision:
        decision = super().decide(row)
        if decision.note:
            return decision
        parts = {type(atom): coefficient for coefficient, atom in self.profile.separable}
        own, every = (parts.get(kind, Fraction(0)) for kind in (CE, Spread))
        if not all(isinstance(x, (int, Fraction)) for x in (own, every)):
            return decision
        others = [Fraction(w) for k, w in enumerate(row.weights) if k != row.target]
        if all(own * w + every * Fraction(row.total) == 0 for w in others):
            return Decision(
                True, 0.0, self, "the coefficients of all other classes vanish: the risk is a multiple of -log u_m"
            )
        return decision

    def minimiser(self, w: Array) -> Minimum:
        import numpy as np  # late: rules are on the start-up path of `bound`

        own, every = self.coefficients(FLOAT)
        c = own * w + every * w.sum(-1, keepdims=True)
        points = np.where(c > 0, c, 0.0)
        inside = bool((c >= 0).all())
        low = np.where(c < 0, 0.0, 1.0)  # unbounded below where a class of negative coefficient goes to 0
        points = points / points.sum(-1, keepdims=True) * low
        points /= points.sum(-1, keepdims=True)
        text = "in closed form, c / sum c" if inside else "unbounded below as the entries shown as 0 tend to 0"
        return Minimum(points, None, text, inside)


@dataclass(frozen=True)
class TwoLogarithms(Logarithms):
    """On two classes: every minimising sequence tends to e_m iff ``own w_n + every W <= 0``."""

    verdict = None
    inequality = True
    closed = True
    method = "sign of the other class's coefficient isolated by interval arithmetic over the domain"
    at_vertex = (
        "the other class's coefficient is not positive: the risk is least, or unbounded below, in the limit at e_m"
    )

    def slack(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        own, every = self.coefficients(xp)
        return -(own * second + every * total)

    def decide(self, row: Row) -> Decision:
        return Rule.decide(self, row)
