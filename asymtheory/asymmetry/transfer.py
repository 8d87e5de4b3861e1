"""The excess risk over the vertex, bounded below in one variable: the mass s that leaves the clean class.

Write f for the smallest entry that the domain allows (0, or p_min), v for the vertex with u_m = tip = 1 - (K - 1) f, and
s = tip - u_m > 0 for the mass that has left it. For every u with that s the excess F(u) - F(v) is at least the sum of

* separable part: ``G(s) + H(s)`` with G(s) = phi_m(tip - s) - phi_m(tip) and, for h(x) = phi_n(f + x) - phi_n(f), which is least
  for the largest other weight, H(s) = J h(s/J) for the terms that are convex (J = K - 1 classes receive the mass: Jensen), h(s) for
  those that are concave (h is subadditive), and s times the least chord h(x)/x, 0 < x <= s, for those that are neither;
* NCE, NFL (on the whole simplex): at least their infimum min_k w_k, which is the limit at v; for K = 2 exactly
  ``(w_m - w_n) g(1 - s) / (g(1 - s) + g(s))``;
* NGCE (and NCE and NFL on u_k >= p_min), with mean w' of the other weights and y(x) = g(f) - g(f + x) concave:
  ``((w_m - w') g(tip - s) - (w_n - w') J y(s / J)) / sum g``, less its value at v, with J the number of classes with w_k > w'; the
  sum of the g lies between its values for even and for concentrated mass (``Rivals.one``: where n is the only such class it is the
  latter). Where y is convex (g concave, in a formula) the sum of the y is largest for concentrated mass: J = 1 in the numerator,
  and the ends of the denominator change places. A g that is neither has no bound here (``bounded``);
* NNCE, NNFL: ``(w_m - w_n) r / (r + g(f) - g(tip - s))``, r = g(f) - g(f + s), for the flipped base is concave and 0 at f.

Where the mass goes to one class n alone the same expressions (J = 1, the denominator for concentrated mass) are its excess exactly,
so next to the vertex the leading term of that germ decides: a negative one proves a no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from operator import truediv
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from ..losses.base import CONCAVE, CONVEX, LINEAR, MIXED, Loss
from ..losses.profile import Profile
from ..noise.rows import Row
from ..numbers.backends import Backend, arb_, numpy_
from ..numbers.germ import BITS, Germ, NoGerm, ball, germs
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.spans import Span
from .rules.base import endless, felt_by_two

Ball: TypeAlias = Scalar
Shape: TypeAlias = int | str | None
Array: TypeAlias = NDArray[np.float64]
Division: TypeAlias = Callable[[Scalar, Scalar], Scalar]

ENDS = Fraction(0), Fraction(1)
SPLITS = 600  # cells at most
NEAREST = (16, 30, 60, 120, 400)  # bits: how near to the vertex the germs take over
LOWEST = arb(-10) ** 301
NARROWEST = 1e-9  # relative width below which a cell is not divided


@dataclass(frozen=True)
class Transfer:
    """The excess of one loss on one row; parameters of the loss may be Arb balls."""

    profile: Profile
    weights: tuple[Fraction, ...]  # of total 1
    target: int
    shapes: Mapping[str, list[int | None]]  # of every term of either side; linear ones count as convex
    endless: tuple[bool, ...]  # of every normalised term: is its base infinite at 0?
    bases: tuple[int | None, ...]  # the shape of every such base
    rivals: Rivals
    origin: Transfer | None = (
        None  # the same excess for other parameters, which knows the ends of terms that have none of these
    )

    @classmethod
    def of(cls, loss: Loss, row: Row) -> Transfer:
        """The excess for a row of exact weights (floats count as the numbers they are)."""
        total = (
            Fraction(row.total)
            if not isinstance(row.total, float)
            else sum((Fraction(w) for w in row.weights), Fraction(0))
        )
        shares = tuple(Fraction(w) / total for w in row.weights)
        profile = Profile.of(loss, len(shares))
        curves = profile.shapes()
        shapes = {
            side: [CONVEX if curve[i] == LINEAR else curve[i] for curve in curves]
            for i, side in enumerate(("active", "passive"))
        }
        bases = [atom for _, atom in profile.normalised]
        return cls(
            profile,
            shares,
            row.target,
            shapes,
            tuple(endless(atom) for atom in bases),
            tuple(atom.base.curvature()[0] for atom in bases),
            Rivals(tuple(w for k, w in enumerate(shares) if k != row.target)),
        )

    def at(self, loss: Loss) -> Transfer:
        """The same excess for the loss with other parameters, in any number system, between two kinks: shapes stay."""
        return replace(self, profile=Profile.of(loss, self.profile.K), origin=self.origin or self)

    @property
    def others(self) -> tuple[Fraction, ...]:
        """The weights of the other classes."""
        return self.rivals.weights

    @cached_property
    def floor(self) -> Scalar:
        """f, the smallest entry."""
        return self.profile.negative[0][1].p_min if self.profile.negative else ENDS[0]  # all have the same

    @cached_property
    def tip(self) -> Scalar:
        """The largest entry, at the vertex."""
        if self.origin is not None and self.floor is self.origin.floor:
            return self.origin.tip
        return 1 - (self.profile.K - 1) * self.floor

    def whole(self, xp: Backend) -> Scalar:
        """All the mass that can leave the vertex, tip - f."""
        return _number(xp, self.tip - self.floor)

    def size(self) -> Scalar:
        """How large the terms are at the ends of [0, 1], in floats: what an excess is the difference of."""
        xp, total = numpy_(), np.zeros(1)
        for i, (coefficient, _) in enumerate(self.profile.separable):
            for side in self.shapes:
                for end in ENDS:
                    value = np.abs(self._start(i, side, end, xp) * _product(xp, coefficient, Fraction(1)))
                    total = total + np.where(np.isfinite(value), value, 0.0)
        return np.reshape(total, -1)

    # ------------------------------------------------------------------------------------------- its parts

    @property
    def second(self) -> Fraction:
        """w_n, the largest other weight."""
        return self.rivals.falling[0]

    @property
    def third(self) -> Fraction:
        """The largest weight of the classes beside m and n; w_n where there is none."""
        return self.rivals.falling[1] if self.profile.K > 2 else self.second

    def received(self, x: Scalar, xp: Backend, shape: Shape = "all") -> Scalar:
        """``phi_n(f + x) - phi_n(f)``, of all terms or of those of one shape."""
        return self.phi((self.second, 1 - self.second), x + _number(xp, self.floor), self.floor, xp, shape)

    def by_others(self, x: Scalar, xp: Backend, shape: Shape = "all", spread: bool = False) -> Scalar:
        """A lower bound of it for every class but m and n, by the third largest weight; the passive part by the second largest one
        unless ``lead`` knows what n receives (``spread``)."""
        shares = self.third, 1 - (self.third if spread else self.second)
        return self.phi(shares, x + _number(xp, self.floor), self.floor, xp, shape)

    def lead(self, x: Scalar, xp: Backend, spread: bool = False) -> Scalar:
        """How much less than ``by_others`` class n receives, <= 0 and falling in x."""
        step = self.second - self.third
        if not step:
            return 0
        return self.phi((step, -step if spread else Fraction(0)), x + _number(xp, self.floor), self.floor, xp, "all")

    def given(self, kept: Scalar, xp: Backend) -> Scalar:
        """``G(s) = phi_m(kept) - phi_m(tip)``, kept = tip - s."""
        top = self.weights[self.target]
        return self.phi((top, 1 - top), kept, self.tip, xp, "all")

    def kept(self, s: Scalar, xp: Backend) -> Scalar:
        """What the vertex keeps where the mass s has left."""
        return _number(xp, self.tip) - s

    def masses(self, t: Scalar, xp: Backend) -> tuple[Scalar, Scalar]:
        """The mass that has left where t is its share of all that can leave, and what is kept: never below f, whatever f may be."""
        whole = self.whole(xp)
        return t * whole, (1 - t) * whole + _number(xp, self.floor)

    def phi(self, shares: tuple[Fraction, Fraction], u: Scalar, start: Fraction, xp: Backend, shape: Shape) -> Scalar:
        """What ``shares`` of active and passive rise by from ``start`` to u."""
        result: Scalar = 0
        logu: Scalar = None
        for side, share in zip(("active", "passive"), shares, strict=True):
            for i, (coefficient, _) in enumerate(self.profile.separable):
                if shape != "all" and self.shapes[side][i] != shape:
                    continue
                logu = xp.log(u) if logu is None else logu
                value = getattr(self._atom(i, xp), side)(u, logu, xp)
                if not isinstance(value, int):
                    # an infinite value at the end is left downwards
                    infinite = isinstance(value, Germ) and value.infinite
                    step = -value if infinite else value - self._start(i, side, start, xp)
                    result = result + step * _product(xp, coefficient, share)
        return result

    @cached_property
    def mixed(self) -> bool:
        """Is the shape of some term not known?"""
        return MIXED in self.shapes["active"] or MIXED in self.shapes["passive"]

    def _start(self, i: int, side: str, start: Fraction, xp: Backend) -> Scalar:
        """The value of one side of a term at an end; the limit where the formula has no value there (u log u at 0)."""
        key = i, side, id(start), xp  # it is kept beside its value
        if key not in self._starts:
            shared = self._unchanged(i) if isinstance(start, Fraction) else None
            value = self._start_of(i, side, start, xp) if shared is None else shared._start(i, side, start, xp)
            self._starts[key] = value, start
        return self._starts[key][0]

    def _unchanged(self, i: int) -> Transfer | None:
        """Where a separable term is the same as for other parameters: what knows it already."""
        terms = self.origin.profile.separable if self.origin is not None else ()
        return self.origin if i < len(terms) and terms[i][1] is self.profile.separable[i][1] else None

    @cached_property
    def _starts(self) -> dict[tuple[int, str, int, Backend], tuple[Scalar, Scalar]]:
        return {}

    @cached_property
    def _atoms(self) -> dict[tuple[int, Backend], Any]:
        return {}

    def _atom(self, i: int, xp: Backend) -> Any:
        """A separable term in a number system."""
        if (i, xp) not in self._atoms:
            shared = self._unchanged(i)
            self._atoms[i, xp] = self.profile.separable[i][1].on(xp) if shared is None else shared._atom(i, xp)
        return self._atoms[i, xp]

    def _start_of(self, i: int, side: str, start: Fraction, xp: Backend) -> Scalar:
        at = _number(xp, start)
        at = np.float64(at) if isinstance(at, float) else at  # whose powers overflow to infinity
        atom = self._atom(i, xp)
        value = getattr(atom, side)(at, xp.log(at), xp)
        if isinstance(value, arb) and not value.is_finite():
            near = germs(60)
            try:
                u = near.near(start, 1 if start == 0 else -1)
                limit = near.number(getattr(self._atom(i, near), side)(u, near.log(u), near))
            except NoGerm:
                return value
            return value if limit.infinite else ball(limit.x0)
        return value

    @property
    def coupled(self) -> bool:
        """Does it matter how the mass is spread: for two terms in opposite ways, for one of unknown shape, or for the classes?"""
        shapes = {*self.shapes["active"], *self.shapes["passive"]}
        bounded = self.profile.normalised and (self.profile.negative or not all(self.endless))
        others = CONCAVE in shapes or self.profile.negative or bounded or self.third < self.second
        return self.profile.K > 2 and (self.mixed or (CONVEX in shapes and bool(others)))

    @cached_property
    def felt(self) -> bool:
        """With two classes, may a normalised term of endless base rise from the vertex like the mass, which an enclosure of slopes
        does not see?"""
        atoms = (
            (atom for _, atom in self.profile.normalised) if self.profile.K == 2 and not self.profile.negative else ()
        )
        return any(infinite and felt_by_two(atom) for atom, infinite in zip(atoms, self.endless, strict=False))

    @property
    def bounded(self) -> bool:
        """Is there a lower bound: is the shape of the base of every normalised term known, where it matters?"""
        on_simplex = not self.profile.negative
        return all(
            shape is not MIXED or (infinite and on_simplex)
            for shape, infinite in zip(self.bases, self.endless, strict=True)
        )

    def normalised(
        self,
        s: Scalar,
        xp: Backend,
        alone: bool,
        quotient: Division = truediv,
        spread: Spread | None = None,
        kept: Scalar = None,
    ) -> Scalar:
        """Lower bound of what the normalised terms add, exactly so where the mass goes to n alone (``alone``).

        ``quotient`` divides where the numerator is 0 at the vertex. ``spread``: the share that the largest receiver has.
        """
        result: Scalar = 0
        top, second, K = self.weights[self.target], self.second, self.profile.K
        low, tip = _number(xp, self.floor), _number(xp, self.tip)
        kept = self.kept(s, xp) if kept is None else kept

        for (coefficient, atom), infinite, shape in zip(self.profile.normalised, self.endless, self.bases, strict=True):
            base = atom.base.on(xp)
            if infinite and not self.profile.negative:
                if K == 2:
                    own = _at(base, kept, xp)
                    result = result + quotient(own, own + _at(base, s, xp)) * _product(xp, coefficient, top - second)
                continue
            mean = self.rivals.mean
            concave = shape == CONCAVE
            many = 1 if alone or concave else max(1, self.rivals.above)
            start = _at(base, low, xp)
            own = _at(base, kept, xp)
            fall = (start - _at(base, low + s / many, xp)) * _number(xp, many * (second - mean)) if second > mean else 0
            top_part = own * _number(xp, top - mean) - (0 if isinstance(fall, int) else fall)
            one_way = alone or second == mean or (self.rivals.one and not concave)
            heaped = own + start * (K - 1) - _heaped(_fall(base, start, low, xp), s, None if concave else spread)
            even = heaped if alone or (one_way and not concave) else own + _at(base, s / (K - 1) + low, xp) * (K - 1)
            most, fewest = (even, heaped) if concave else (heaped, even)
            divide = truediv if self.profile.negative else quotient
            part = divide(top_part, most) if one_way else self._least(top_part, most, fewest, divide)
            if self.profile.negative:  # else g(tip) = g(1) = 0
                end = _at(base, tip, xp)
                part = part - end * _number(xp, top - mean) / (end + start * (K - 1))
            result = result + part * _number(xp, coefficient)
        return result + self._opposed(s, xp, quotient, spread, kept)

    def _opposed(self, s: Scalar, xp: Backend, quotient: Division, spread: Spread | None, kept: Scalar) -> Scalar:
        """Lower bound of what the normalised negative terms add, as in :meth:`normalised`."""
        result: Scalar = 0
        top, second, low = self.weights[self.target], self.second, _number(xp, self.floor)
        for coefficient, negative in self.profile.negative:
            base = negative.base.on(xp)
            start = _at(base, low, xp)
            rise, left = _heaped(_fall(base, start, low, xp), s, spread), start - _at(base, kept, xp)
            counted = second if spread is None else self.third
            # by the share only the fall of ``rise`` counts, and stands once
            exactly = spread is not None and spread.share is not None
            part = 1 - left / (rise + left) if exactly else quotient(rise, rise + left)
            part = part * _product(xp, coefficient, top - counted)
            if counted < second and spread is not None:  # what n receives counts less
                own = _fall(base, start, low, xp)(s * spread.part)
                part = part - quotient(own, rise + left) * _product(xp, coefficient, second - self.third)
            result = result + part
        return result

    @staticmethod
    def _least(top: Scalar, most: Scalar, fewest: Scalar, divide: Division) -> Scalar:
        """The numerator over the denominator that makes it least."""
        value: Scalar = getattr(top, "value", top)
        if isinstance(value, np.ndarray):
            return np.minimum(top / most, top / fewest)
        if not isinstance(value, Span) and value > 0:
            return divide(top, most)
        if not isinstance(value, Span) and value < 0:
            return divide(top, fewest)
        return _hull(divide(top, most), divide(top, fewest))

    # ------------------------------------------------------------------------------------ exactly, on some points

    def sent(self, s: Scalar, count: Scalar, xp: Backend) -> Scalar:
        """The excess where the mass s goes evenly to the ``count`` largest other weights; of NCE and NFL its least limit.

        In floats ``count`` may be an array of whole numbers.
        """
        return self.delivered(s, (Receivers(self._together(count), count, s / count),), xp)

    def delivered(self, s: Scalar, receivers: Sequence[Receivers], xp: Backend) -> Scalar:
        """The excess where these classes receive the mass s; of NCE and NFL its least limit."""
        low, tip, top = _number(xp, self.floor), _number(xp, self.tip), self.weights[self.target]
        left = self.profile.K - 1 - sum(part.many for part in receivers)
        rest = self.rivals.sums[-1] - sum((part.weights for part in receivers), Fraction(0))
        result: Scalar = 0
        if self.profile.separable:
            result = self.given(self.kept(s, xp), xp)
            for weights, count, each in receivers:
                result = result + self.phi((weights, count - weights), each + low, self.floor, xp, "all")

        def at(base: Any, u: Scalar) -> Scalar:
            return base.active(u, xp.log(u), xp)

        for (coefficient, atom), infinite in zip(self.profile.normalised, self.endless, strict=True):
            base = atom.base.on(xp)
            limit = infinite and not self.profile.negative
            if limit and np.all(left != 0):
                continue  # a class of least weight stays at 0: the infimum
            own = at(base, tip - s)
            above, below = own * _number(xp, top), own
            for weights, count, each in receivers:
                part = at(base, each + low)
                above, below = above + part * _number(xp, weights), below + part * count
            vertex: Scalar = _number(xp, min(self.weights))
            if not infinite or self.profile.negative:
                start, end = at(base, low), at(base, tip)
                above, below = above + start * _number(xp, rest), below + start * left
                vertex = (end * _number(xp, top) + start * _number(xp, self.rivals.sums[-1])) / (
                    end + start * (self.profile.K - 1)
                )
            added = (above / below - vertex) * _number(xp, coefficient)
            result = result + (np.where(left == 0, added, 0.0) if limit and isinstance(left, np.ndarray) else added)
        for coefficient, negative in self.profile.negative:
            base = negative.base.on(xp)
            start = at(base, low)
            rises: Scalar = 0
            gain: Scalar = 0
            for weights, count, each in receivers:
                rise = start - at(base, each + low)
                rises, gain = rises + rise * count, gain + rise * _number(xp, count * top - weights)
            result = result + gain / (rises + (start - at(base, tip - s))) * _number(xp, coefficient)
        return result

    def _together(self, count: Scalar) -> Scalar:
        """The sum of so many of the largest other weights, an array of fractions for an array."""
        sums = self.rivals.sums
        if isinstance(count, np.ndarray):
            return np.array([sums[n - 1] for n in count.ravel().tolist()], dtype=object).reshape(count.shape)
        return sums[count - 1]

    # ------------------------------------------------------------------------------------------ next to the vertex

    def alone(self, bits: int) -> Germ:
        """The germ of the excess where the mass goes to class n alone; its sign is the first-order verdict. May raise NoGerm."""
        xp = germs(bits)
        with ctx.workprec(BITS):
            s = xp.near(Fraction(0), 1)
            parts = xp.number(self.normalised(s, xp, alone=True))
            if self.profile.separable:
                parts = (
                    parts + self._vanishing(self.received(s, xp)) + self._vanishing(self.given(self.kept(s, xp), xp))
                )
            return self._vanishing(parts)

    @staticmethod
    def _vanishing(germ: Germ) -> Germ:
        """Without its limit, which is 0 where it is finite (only balls do not show it)."""
        return germ if germ.infinite else Germ(germ.xp, Fraction(0), germ.c, germ.r, germ.k)

    def least(self, bits: int) -> Germ:
        """The germ of the lower bound for all ways to spread the mass. May raise NoGerm."""
        xp = germs(bits)
        with ctx.workprec(BITS):
            s = xp.near(Fraction(0), 1)
            parts = xp.number(self.normalised(s, xp, alone=False))
            if self.profile.separable:
                parts = (
                    parts
                    + self._spread(self._vanishing(self.received(s, xp)))
                    + self._vanishing(self.given(self.kept(s, xp), xp))
                )
            return self._vanishing(parts)

    def _spread(self, germ: Germ) -> Germ:
        """Lower bound of ``sum_k h(x_k)`` over x_k of sum s, from h(x) in x^r L^k [c]. May raise NoGerm."""
        if germ.constant or self.profile.K == 2:
            return germ
        order = germ.r, germ.k, germ.xp.length
        if germ.c >= 0:
            factor = self._fewest(*order)
        elif germ.c <= 0:
            factor = self._most(*order)
        else:
            factor = self._fewest(*order).union(self._most(*order))
        return Germ(germ.xp, germ.x0, germ.c * factor, germ.r, germ.k)

    def _fewest(self, r: Fraction, k: Fraction, length: Ball) -> Ball:
        """A lower bound of ``sum_k f(x_k) / f(s)`` for f(x) = x^r L^k, L = log(1/x) >= length, and x_k of sum s."""
        J = arb(self.profile.K - 1)
        if k < 0:  # convex for r >= 1: Jensen; else the largest part, at least s / J, alone
            return J ** (ball(1 - r) if r >= 1 else ball(-r)) * (1 + J.log() / length) ** ball(k)
        return J ** ball(1 - r) if r > 1 else arb(1)  # L grows where x falls; a power is convex, or subadditive

    def _most(self, r: Fraction, k: Fraction, length: Ball) -> Ball:
        """An upper bound of the same; NoGerm where s is not small enough for one.

        f(x) / x rises where (r - 1) L >= k: then one part is most. Where f is concave Jensen bounds it; its second derivative has
        the sign of ``r (r - 1) - (2 r - 1) k / L + k (k - 1) / L^2``.
        """
        J = arb(self.profile.K - 1)
        if r >= 1 and (k <= 0 or (r > 1 and length * ball(r - 1) >= ball(k))):
            return arb(1)
        bend = ball(r * (r - 1)) - ball((2 * r - 1) * k) / length + ball(max(k * (k - 1), Fraction(0))) / length**2
        if r > 1 or not bend <= 0:
            raise NoGerm("mass that is not small enough to know how its spread counts")
        return J ** ball(1 - r) * (1 + J.log() / length) ** abs(ball(k))

    # -------------------------------------------------------------------------------------------- the certificate

    def proves(self) -> bool:
        """Is the lower bound positive for every s in (0, tip - f]? Then v is the only minimiser."""
        with ctx.workprec(BITS):
            start = self.settled_near() if self.bounded else None
            return start is not None and self._promising() and self._positive_from(arb(2) ** -start)

    def settled_near(self) -> int | None:
        """The least number of bits (of those tried) such that the lower bound is positive on (0, 2^-bits]."""
        with ctx.workprec(BITS):
            if not self._positive_near(NEAREST[-1]):  # what holds on a longer stretch holds on the shortest
                return None
            return next((bits for bits in NEAREST if self._positive_near(bits)), None)

    def least_chord(self, bits: int) -> float | None:
        """A lower bound of the chords of the terms of unknown shape on (0, 2^-bits]; None where there is none."""
        with ctx.workprec(BITS):
            chord = self._chord_near(arb(2) ** -bits)
        return (
            None if chord is None or not chord.is_finite() else float(chord.lower()) - 1e-12 * abs(float(chord.lower()))
        )

    def positive_between(self, bits: int, nearest: int) -> bool:
        """Is the lower bound positive from s = 2^-bits to 2^-nearest (if that is more)? Not asked of terms of unknown shape."""
        with ctx.workprec(BITS):
            start, end = (arb(2) ** -power for power in (bits, nearest))
            return bits <= nearest or (
                not self.mixed and end < ball(self.whole(arb_())) and self._positive_from(start, end)
            )

    def _positive_near(self, bits: int) -> bool:
        try:
            germ = self.least(bits)
        except (ArithmeticError, TypeError, ValueError):
            return False
        return not germ.infinite and germ.sign == 1

    def falls(self) -> bool:
        """Is it proved that the risk falls as soon as mass leaves the vertex for class n, or is infinite at the vertex?"""
        for bits in NEAREST:
            try:
                if self.alone(bits).sign == -1:
                    return True
            except NoGerm:
                continue
        return False

    def _positive_from(self, start: Ball, end: Ball | None = None) -> bool:
        """Is the bound, divided by s, positive on cells from ``start`` to ``end`` (or all there is)?

        Failing cells are divided, unless the bound of one is not even positive in its middle.
        """
        cells = self._octaves(start, ball(self.tip - self.floor) if end is None else end)
        known = [self._cell(*cell) for cell in cells]
        first = self._chord_near(start)
        while True:  # SPLITS cells at most
            failing = self._failing(known, first)
            if not failing:
                return True
            hopeless = not self.mixed and not all(known[i].middle > 0 for i in failing)
            if hopeless or len(cells) + len(failing) > SPLITS:
                return False
            fresh_cells, fresh = [], []
            for i, (low, high) in enumerate(cells):
                if i not in failing:
                    fresh_cells.append((low, high))
                    fresh.append(known[i])
                    continue
                if float((high - low) / high) < NARROWEST:
                    return False
                middle = ((low + high) / 2).mid()
                for part in ((low, middle), (middle, high)):
                    fresh_cells.append(part)
                    fresh.append(self._cell(*part))
            cells, known = fresh_cells, fresh

    def _failing(self, known: list[Bounds], first: Ball | None) -> set[int]:
        """Cells whose bound is not positive, with those that hold the least chord up to them."""
        failing: set[int] = set()
        least, holder = first, -1
        for i, cell in enumerate(known):
            if least is not None and not cell.mixed >= least:
                least, holder = cell.mixed, i
            if not cell.local > (0 if least is None else -least) or least is None:
                failing |= {i} | ({holder} if holder >= 0 else set())
        return failing

    def _promising(self) -> bool:
        """Is the bound positive, in floats on a grid? If not there is nothing to certify."""
        end = float(self.tip - self.floor)
        s = end * np.concatenate([np.geomspace(1e-6, 1e-2, 60), np.linspace(1e-2, 1, 300)[1:]])
        with np.errstate(all="ignore"):
            local, chord = self._chords(s, numpy_())
            least = np.minimum.accumulate(np.broadcast_to(np.asarray(chord, dtype=float), s.shape))
            bound = local + least
        return not bool((bound[np.isfinite(bound)] <= 0).any())

    @staticmethod
    def _octaves(start: Ball, end: Ball) -> list[tuple[Ball, Ball]]:
        cells, low = [], start.mid()
        while low < end:  # start > 0: it doubles
            high = low * 2
            if not high < end:
                high = end
            cells.append((low, high))
            if not high < end:
                break
            low = high
        return cells

    def _chord_near(self, start: Ball) -> Ball | None:
        """A lower bound of the chords of the terms of unknown shape up to ``start``; None where there is none."""
        if not self.mixed or self.profile.K == 2:
            return arb(0)
        bits = round(float(-start.log() / arb(2).log()))
        germ = self._vanishing(self.by_others(germs(bits).near(Fraction(0), 1), germs(bits), MIXED))
        try:
            return germ.c * germ.xp.small(germ.r - 1, germ.k)
        except NoGerm:
            return arb(0) if germ.c >= 0 else None

    def _cell(self, low: Ball, high: Ball) -> Bounds:
        """Lower ends of the bound over a cell, the better of a direct and of a centred enclosure; and in its middle."""
        xp = arb_()
        centre = ((low + high) / 2).mid()
        box = arb(centre, (high - low) / 2)
        found, middles = [], []
        # as jets, for their powers know that a ball may end at 0
        over, at = (self._chords(Jet(xp, u, arb(1)), xp) for u in (box, centre))
        for whole, middle in zip(over, at, strict=True):
            direct = xp.number(getattr(whole, "value", whole))
            middles.append(xp.number(getattr(middle, "value", middle)))
            centred = middles[-1] + xp.number(getattr(whole, "slope", 0)) * (box - centre)
            options = [bound.lower() for bound in (direct, centred) if bound.is_finite()]
            found.append(max(options, key=float) if options else LOWEST)
        return Bounds(found[0], found[1], middles[0])

    def _chords(self, s: Scalar, xp: Backend) -> tuple[Scalar, Scalar]:
        """``bounds`` divided by s."""
        rest, chord = self.bounds(s, xp)
        return rest / s, chord / s if not isinstance(chord, int) else 0

    def bounds(
        self,
        s: Scalar,
        xp: Backend,
        quotient: Division = truediv,
        spread: Spread | None = None,
        kept: Scalar = None,
    ) -> tuple[Scalar, Scalar]:
        """(what is known at s, h of the terms of unknown shape): the excess is at least the first, plus s times the least chord
        h(x)/x of the second on (0, s]. With a ``spread`` the largest receiver's share of these terms is in the first, beside the
        chords of what the others receive; the second is then the first without it, beside the chords of what all receive.
        ``kept``: tip - s, if the caller knows it better (``masses``).
        """
        kept = self.kept(s, xp) if kept is None else kept
        rest, chord = self.normalised(s, xp, alone=False, quotient=quotient, spread=spread, kept=kept), 0
        if self.profile.separable:
            J = self.profile.K - 1
            rest = rest + self.given(kept, xp)
            if J == 1:
                return rest + self.received(s, xp), chord
            known = spread is not None
            largest = s if spread is None else s * spread.part
            rest = rest + self.lead(largest, xp, known)
            rest = rest + _heaped(lambda x: self.by_others(x, xp, CONCAVE, known), s, spread)
            if spread is None:
                rest = rest + self.by_others(s / J, xp, CONVEX) * J
                chord = self.by_others(s, xp, MIXED)
            else:  # of sequences with a largest part of s * low at least this one is the most even
                least = Span.of(spread.low) if spread.share is None else spread.share
                others, most = s * ((1 - least) / (J - 1)), s * least
                rest = (
                    rest + self.by_others(most, xp, CONVEX, known) + self.by_others(others, xp, CONVEX, known) * (J - 1)
                )
                rest, chord = rest + self.by_others(largest, xp, MIXED, known), rest
        return rest, chord


@dataclass(frozen=True)
class Rivals:
    """The weights of the other classes."""

    weights: tuple[Fraction, ...]

    @cached_property
    def falling(self) -> list[Fraction]:
        """The largest first."""
        return sorted(self.weights, reverse=True)

    @cached_property
    def sums(self) -> list[Fraction]:
        """The sum of the largest, of the two largest and so on."""
        return list(accumulate(self.falling))

    @cached_property
    def mean(self) -> Fraction:
        """w', their mean."""
        return self.sums[-1] / len(self.weights)

    @cached_property
    def above(self) -> int:
        """How many are above it?"""
        return sum(w > self.mean for w in self.weights)

    @cached_property
    def one(self) -> bool:
        """Is the bound of an NGCE term least where one class takes all the mass?

        With n alone above the mean w' and y = g(f) - g, the term is ``(d_m g_m - d_n y_n + sum |d_k| y_k) / (b - sum y_k)`` over
        the other k, b = g_m + (K - 1) g(f) - y_n >= (K - 2) g(f). Where the numerator without the sum is negative, -a >= -d_n g(f),
        the fraction grows with every y_k if |d_k| b >= a, which holds if |d_k| (K - 2) >= d_n.
        """
        least = min((self.mean - w for w in self.weights if w <= self.mean), default=Fraction(0))
        return self.above == 1 and least * (len(self.weights) - 1) >= self.falling[0] - self.mean


class Receivers(NamedTuple):
    """Classes that receive the same mass each: their weights together, and how many they are."""

    weights: Scalar  # fractions, as an array where ``many`` is one
    many: Scalar
    each: Scalar


class Spread(NamedTuple):
    """The largest receiver has at least ``low`` and at most ``high`` of the mass; arrays. ``share``: exactly this much, a number in
    [low, high], so that the bound can be derived by it."""

    low: Array
    high: Array
    share: Scalar = None

    @property
    def part(self) -> Scalar:
        """What the largest receiver has."""
        return Span(self.low, self.high) if self.share is None else self.share


def _at(base: Any, u: Scalar, xp: Backend) -> Scalar:
    return base.active(u, xp.log(u), xp)


def _fall(base: Any, start: Scalar, low: Scalar, xp: Backend) -> Callable[[Scalar], Scalar]:
    """How far the base falls from ``start``, its value at ``low``, with x more."""
    return lambda x: start - _at(base, low + x, xp)


def _heaped(rise: Callable[[Scalar], Scalar], s: Scalar, spread: Spread | None) -> Scalar:
    """The least sum of a concave function, 0 at 0, over parts of s: all in one, or as many as fit of the largest size."""
    if spread is None:
        return rise(s)
    whole = np.floor(1 / spread.high)
    if spread.share is not None:
        left = 1 - spread.share * Span.of(whole)
        # nothing is known where different numbers of parts fit, or as many as fill it to rounding
        full = (whole > 1) & (Span.of(getattr(left, "value", left)).low < 0)
        lost = np.where((np.floor(1 / spread.low) != whole) | full, np.inf, 0.0)
        unknown: Scalar = Span(-lost, lost)
        if isinstance(left, Jet):
            unknown = Jet(left.xp, unknown, unknown)
        return rise(s * spread.share) * Span.of(whole) + rise(_at_least_nothing(left * s)) + unknown
    rest = 1 - whole * spread.high
    small = Span(np.maximum(rest - 1e-15, 0.0), np.maximum(rest + 1e-15, 0.0))
    return rise(s * Span.of(spread.high)) * Span.of(whole) + rise(s * small)


def _at_least_nothing(mass: Scalar) -> Scalar:
    """A mass, which is not negative, without what rounding has below 0."""
    if isinstance(mass, Jet):
        return Jet(mass.xp, _at_least_nothing(mass.value), mass.slope)
    return Span(np.maximum(mass.low, 0.0), np.maximum(mass.high, 0.0))


def _number(xp: Backend, x: Scalar) -> Scalar:
    """An exact number in the number system of ``xp``; one that is there already stays."""
    if isinstance(x, np.ndarray):
        return x.astype(float)  # of fractions
    return xp.number(x) if type(x) in (int, Fraction) else x


def _product(xp: Backend, coefficient: Scalar, share: Fraction) -> Scalar:
    """A coefficient, exact or in the number system of ``xp``, times an exact share."""
    exact = type(coefficient) in (int, Fraction)
    if isinstance(share, np.ndarray):  # of fractions
        return (coefficient * share).astype(float) if exact else coefficient * share.astype(float)
    return xp.number(coefficient * share) if exact else coefficient * xp.number(share)


class Bounds(NamedTuple):
    """Lower bounds over one cell, divided by s: of what is local, and of the chord of the terms of unknown shape."""

    local: Ball
    mixed: Ball
    middle: Ball  # what is local in the middle of the cell


def _hull(one: Scalar, two: Scalar) -> Scalar:
    """The enclosure of two balls, jets of balls, or germs of one order."""
    jet = one if isinstance(one, Jet) else two
    if isinstance(jet, Jet):
        (a, b), (c, d) = ((x.value, x.slope) if isinstance(x, Jet) else (x, x * 0) for x in (one, two))
        return Jet(jet.xp, _hull(a, c), _hull(b, d))
    if isinstance(one, Germ):
        if (one.r, one.k) != (two.r, two.k):
            raise NoGerm("two bounds of different order")
        return Germ(one.xp, one.x0, one.c.union(two.c), one.r, one.k)
    return one.union(two)
