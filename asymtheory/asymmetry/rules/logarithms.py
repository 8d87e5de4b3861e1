"""Losses with a cross entropy of every class: what the logarithms do next to u_k = 0 decides; docs/theory.md, section 3.

Label smoothing, the two-sided losses of preferences, and their sums with other losses: ``F_w = -sum_k c_k log u_k + bounded``
next to the boundary, ``c_k = own w_k + every W``. A class k != m with c_k > 0 makes the risk infinite at e_m. One with c_k < 0
makes it unbounded below as u_k -> 0: on two classes that is u -> e_m, on more the other entries are free. So e_m is the limit of
every minimising sequence iff c_n < 0 and K = 2, or all these c_k are exactly 0 and what is left, which now has a term
``-c_m log u_m``, is least at e_m.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from ...losses.base import CONVEX, MIXED, Loss
from ...losses.newer import Logarithms as LogarithmsOfAll
from ...losses.newer import Spread
from ...losses.papers import CE
from ...losses.profile import Profile
from ...noise.rows import Row
from ...numbers.backends import FLOAT, Backend
from ...numbers.scalar import Scalar
from .base import Decision, Minimum, Rule, endless
from .search import searched

if TYPE_CHECKING:
    from ..newton import Array

INSIDE = (
    "-log u_k has a coefficient own w_k + every W for each class: e_m is the minimiser only where all but its own are exactly 0,"
    " at one value of the parameter and where the other weights are equal"
)
LIMIT = "unbounded below or least as u_n -> 0: every minimising sequence tends to e_m iff own w_n + every W <= 0"
LIMIT_OF_SUM = (
    "unbounded below as u_n -> 0 where own w_n + every W < 0: every minimising sequence tends to e_m;"
    " the risk is infinite at e_m where it is > 0"
)
INFINITE = "the risk is infinite at e_m, and finite inside: -log u_k has a positive coefficient for another class"
UNBOUNDED = "the risk is unbounded below as u_k -> 0 for another class, wherever the other entries are"
VANISH = "the coefficients of all other classes vanish: the risk is a multiple of -log u_m"
VANISH_IN_SUM = "the coefficients of all other classes vanish, and what is left is least at e_m"
LEFT = "the coefficients of all other classes vanish, and what is left falls when mass moves from e_m to the runner-up"
OPEN = "the coefficients of all other classes vanish: what is left is not settled here"


def by_equality(loss: Loss, K: int) -> bool:
    """Is a yes one about an equality, that all coefficients but one vanish: on three classes or more?"""
    return K > 2 and any(isinstance(atom, LogarithmsOfAll) for _, atom in loss.terms())


def applies(profile: Profile) -> bool:
    """Is there a cross entropy of all classes among the terms, and is every other term one or bounded next to u_k = 0?"""
    atoms = [atom for _, atom in profile.separable]
    return any(type(atom) is Spread for atom in atoms) and all(
        atom.pole != (0, 0) or Profile(profile.K, ((Fraction(1), atom),), (), (), ()).bounded for atom in atoms
    )


class Logarithms(Rule):
    """On three classes or more: e_m is the minimiser at most where all other coefficients vanish."""

    name = "logarithms"
    verdict: ClassVar[bool | None] = False
    at_zero: ClassVar[bool] = True

    def coefficients(self, xp: Backend) -> tuple[Scalar, Scalar]:
        """(own, every) in the numbers of ``xp``."""
        own = every = xp.number(Fraction(0))
        for coefficient, atom in self.profile.separable:
            active, passive = atom.pole
            value = xp.number(coefficient) if isinstance(coefficient, Fraction) else coefficient
            own, every = own + value * (active - passive), every + value * passive
        return own, every

    def slack(self, top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
        """``-c_n``: where it is exactly 0 a yes is possible."""
        own, every = self.coefficients(xp)
        return -(own * second + every * total)

    def decide(self, row: Row) -> Decision:
        if not row.dominant or not all(isinstance(c, (int, Fraction)) for c, _ in self.profile.separable):
            return super().decide(row)
        own, every = (sum(side, Fraction(0)) for side in zip(*self._poles(), strict=True))
        others = [own * Fraction(w) + every * Fraction(row.total) for k, w in enumerate(row.weights) if k != row.target]
        gap = -float(max(others)) / float(row.total)
        if not any(others):
            return self._without_logarithms(row, own * Fraction(row.top) + every * Fraction(row.total))
        if min(others) < 0:
            return Decision(True, gap, self) if self.K == 2 else Decision(False, None, self, UNBOUNDED)
        return Decision(False, gap if self.K == 2 else None, self, "" if self.K == 2 else INFINITE)

    def _poles(self) -> list[tuple[Fraction, Fraction]]:
        """What each term adds to (own, every)."""
        return [(c * (atom.pole[0] - atom.pole[1]), c * atom.pole[1]) for c, atom in self.profile.separable]

    @property
    def alone(self) -> bool:
        """Is nothing left where the coefficients of all other classes vanish, whatever the exact value at which they do?"""
        return all(type(atom) in (CE, Spread) for _, atom in self.profile.separable) and not self.profile.normalised

    def _without_logarithms(self, row: Row, own: Fraction) -> Decision:
        """The row where all other coefficients vanish: the risk is ``-c_m log u_m`` and that of the other terms."""
        terms = [(c, atom, atom.without_pole()) for c, atom in self.profile.separable if type(atom) not in (CE, Spread)]
        rest = tuple((c, left) for c, _, left in terms if left is not None)
        if not terms:
            return Decision(True, 0.0, self, VANISH)
        part = Profile(self.K, rest, (), (), ())
        shape, shapes = part.shape(), part.shapes()
        if len(rest) < len(terms) or any(MIXED in each for each in shapes):
            return Decision(None, None, self, OPEN)

        def slack(top: Scalar, second: Scalar, total: Scalar, xp: Backend) -> Scalar:
            lines = part.slopes(xp) if shape == CONVEX else part.lines(shapes, xp)
            return lines.slack(top, second, total) + xp.number(own)  # -c_m log u_m has the slope -c_m at 1

        sign, value = self._sign(row, slack)
        if shape != CONVEX:  # lines below terms of both shapes: enough for a yes
            return Decision(True, value, self, VANISH_IN_SUM) if sign == 1 else Decision(None, value, self, OPEN)
        if sign is None or (sign < 0 and not all(endless(atom) for _, atom in self.profile.normalised)):
            return Decision(None, value, self, OPEN)
        return Decision(sign >= 0, value, self, VANISH_IN_SUM if sign >= 0 else LEFT)

    def minimiser(self, w: Array) -> Minimum:
        import numpy as np  # late: rules are on the start-up path of `bound`

        own, every = self.coefficients(FLOAT)
        c = own * w + every * w.sum(-1, keepdims=True)
        inside = bool((c >= 0).all())
        if inside and not (
            self.profile.is_separable and all(type(a) in (CE, Spread) for _, a in self.profile.separable)
        ):
            return searched(self.loss, w)
        points = np.where(c > 0, c, 0.0)
        low = np.where(c < 0, 0.0, 1.0)  # unbounded below where a class of negative coefficient goes to 0
        points = points / points.sum(-1, keepdims=True) * low
        points /= points.sum(-1, keepdims=True)
        text = "in closed form, c / sum c" if inside else "unbounded below as the entries shown as 0 tend to 0"
        return Minimum(points, None, text, inside)


class TwoLogarithms(Logarithms):
    """On two classes: every minimising sequence tends to e_m where ``own w_n + every W < 0``, and where it is 0 as on more."""

    verdict = None
    inequality = True
    closed = True
    method = "sign of the other class's coefficient isolated by interval arithmetic over the domain"
    at_vertex = (
        "the other class's coefficient is not positive: the risk is least, or unbounded below, in the limit at e_m"
    )
