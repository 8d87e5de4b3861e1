"""Is the vertex e_m the only minimiser of the weighted risk of any loss? A certified search over boxes of the simplex.

A box of the simplex is ruled out by one of two bounds, both in outward-rounded intervals, of F(u) - F(e_m):

* the values of F on the box;
* the slopes of F on the segments from e_m into the box, for ``F(u) - F(e_m) >= sum_k u_k min(dF/du_k - dF/du_m)``: it needs no
  margin at e_m itself, and holds next to it at any scale;
What is left is halved. Classes of equal weight are interchangeable, so only points on which their probabilities fall are
looked at. Before that, a risk that is the sum of a convex and a concave part is settled by a tangent and chords. The answer is
yes, no with a point of certified less risk, or undecided; never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ..losses.base import Loss
from ..losses.joint import JointFormula
from ..losses.shapes import convex_and_concave
from ..noise.rows import Row
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.spans import Array, Span, spans
from .local_search import search_point
from .weighted import weighted_risk

MOST_CLASSES = 10  # beyond, a yes is numeric
MOST_BOXES = 60_000
WORK = 1_200_000  # boxes times classes times directions
BATCH = 60_000  # the same, at once
ROUNDING = 4e-16  # of sums of at most MOST_CLASSES floats in [0, 1], relative to 1

CERTIFIED = "certified: bounds of the risk over boxes of the simplex (intervals)"
LESS = "certified: a point of less risk than the vertex (intervals)"
FALLS = "certified: the risk falls as soon as mass leaves the vertex (intervals)"
SHAPES = "certified: the tangent of the convex part and the chords of the concave part at e_m rise (intervals)"
NUMERIC = "numeric: a search found no point of less risk than the vertex; not proved"
OPEN = "undecided: {}; the search found no point of less risk"
NO_VALUE = "the risk at e_m is not known to be finite"
TOO_LITTLE = "floats see less risk than at e_m, but by too little for a point"


def decide_by_search(loss: Loss, row: Row) -> tuple[bool | None, Array | None, str]:
    """(verdict, point of less risk, method) on one row. Beyond ``MOST_CLASSES`` classes a yes is numeric, and says so."""
    search = SimplexSearch.of(loss, row)
    weights = np.array([float(w) for w in row.weights]) / float(row.total)
    point = search_point(loss, weights)
    if search.less_at(point):
        return False, point, LESS
    if loss.jumps:  # as where u_y >= max(u): at a tie both branches may be taken at once
        for tied in search.ties(weights):
            if search.less_at(tied):
                return False, tied, LESS
    if search.falls():
        return False, None, FALLS
    if search.shapes_prove():
        return True, None, SHAPES
    if len(weights) > MOST_CLASSES:
        vertex = np.eye(len(weights))[row.target]
        best, least = (float(weighted_risk(loss, weights, u)) for u in (point, vertex))
        if not np.isfinite(least):  # as of a logarithm: what floats see next to it says nothing
            return None, None, OPEN.format(NO_VALUE)
        return (
            (None, None, OPEN.format(TOO_LITTLE)) if best < least - 1e-12 * (1 + abs(least)) else (True, None, NUMERIC)
        )
    if search.proves():
        return True, None, CERTIFIED
    return (False, search.found, LESS) if search.found is not None else (None, None, OPEN.format(search.missing))


@dataclass
class SimplexSearch:
    """The weighted risk of a loss on one row, on arrays of boxes (N, K)."""

    loss: Loss
    weights: Span  # (labels,), of the labels whose weight is not 0
    labels: Array
    target: int
    groups: tuple[tuple[int, ...], ...]  # of other classes with equal weights
    jumps: bool
    found: Array | None = field(default=None)
    missing: str = ""  # where nothing is proved, and no point found

    @classmethod
    def of(cls, loss: Loss, row: Row) -> SimplexSearch:
        K, whole = len(row.weights), Fraction(row.total)
        shares = [Fraction(w) / whole for w in row.weights]
        labels = [k for k in range(K) if shares[k] != 0]
        balls = [Span.of(shares[k]) for k in labels]
        weights = Span(np.array([b.low for b in balls]), np.array([b.high for b in balls]))
        equal: dict[Fraction, list[int]] = {}
        for k in (k for k in range(K) if k != row.target):
            equal.setdefault(shares[k], []).append(k)
        return cls(
            loss, weights, np.array(labels), row.target, tuple(tuple(group) for group in equal.values()), loss.jumps
        )

    @property
    def K(self) -> int:
        return sum(map(len, self.groups)) + 1

    def risk(self, u: Scalar, loss: Loss | None = None) -> Scalar:
        """F over boxes (..., K), or over jets of boxes."""
        xp = spans(self.jumps)
        with np.errstate(all="ignore"):
            values = (loss or self.loss).at(self.K).on(xp).labels(u, xp.log(u), xp)
            parts = (values.value, values.slope) if isinstance(values, Jet) else (values,)
            sums = [(part[..., self.labels] * self.weights).sum(-1) for part in parts]
        return Jet(xp, *sums) if isinstance(values, Jet) else sums[0]

    def slopes(self, low: Array, high: Array, loss: Loss | None = None) -> Span:
        """Slopes of F from e_m towards each other class, over boxes (N, K): (N, K - 1)."""
        K = self.K
        others = [k for k in range(K) if k != self.target]
        direction = np.zeros((1, K - 1, K))
        direction[:, :, self.target] = -1.0
        for i, k in enumerate(others):
            direction[:, i, k] = 1.0
        u = Jet(spans(self.jumps), Span(low[:, None, :], high[:, None, :]), Span(direction, direction))
        found = self.risk(u, loss)
        slope = found.slope
        shape = (len(low), K - 1)
        return Span(np.broadcast_to(slope.low, shape), np.broadcast_to(slope.high, shape))

    def vertex(self) -> tuple[Array, Span]:
        e = np.eye(self.K)[None, self.target]
        return e, self.risk(Span(e, e))

    def less_at(self, point: Array) -> bool:
        """Is the risk at a point certainly less than at the vertex?"""
        low, high = self._whole(np.where(point > 1e-25, point, 0.0)[None])
        return bool(self.risk(Span(low, high)).high[0] < self.vertex()[1].low[0])

    def ties(self, weights: Array) -> list[Array]:
        """Points at which 2, 4 or 8 classes of the largest weights have the same probability, exactly."""
        order = np.argsort(-weights)
        found = []
        for count in (2, 4, 8):
            if count <= len(weights):
                found.append(np.where(np.isin(np.arange(len(weights)), order[:count]), 1 / count, 0.0))
        return found

    def falls(self) -> bool:
        """Is a slope at the vertex itself certainly below 0? Not where branches may jump there."""
        e, _ = self.vertex()
        return not self.jumps and bool((self.slopes(e, e).high < 0).any())

    def shapes_prove(self) -> bool:
        """With F = A + B, A convex and B concave: ``F(u) - F(e_m) >= sum_k u_k [dA/du_k - dA/du_m + B(e_k) - B(e_m)]``; all > 0?"""
        if not isinstance(self.loss, JointFormula):
            return False
        parts = convex_and_concave(self.loss, self.K)
        if parts is None:
            return False
        convex, concave = parts
        e = np.eye(self.K)
        others = np.arange(self.K) != self.target
        total = Span(np.zeros(self.K - 1), np.zeros(self.K - 1))
        if convex is not None:
            total = total + self.slopes(e[None, self.target], e[None, self.target], convex)[0]
        if concave is not None:
            at = self.risk(Span(e, e), concave)
            total = total + (at[others] - at[self.target])
        return bool((total.low > 0).all())

    def _whole(self, others: Array) -> tuple[Array, Array]:
        """Points (N, K) as boxes whose largest entry is 1 less the others, enclosed."""
        low, high = others.copy(), others.copy()
        at = others.argmax(-1)
        rows = np.arange(len(others))
        low[rows, at] = 0.0
        rest = 1 - low.sum(-1)
        dyadic = (others * 2.0**20 % 1 == 0).all(-1)
        tied = dyadic & (rest == others[rows, at])  # exactly: a tie stays one
        slack = np.where(tied, 0.0, ROUNDING * self.K)
        low[rows, at] = np.maximum(rest - slack, 0.0)
        high[rows, at] = np.minimum(rest + slack, 1.0)
        return low, high

    def proves(self) -> bool:
        """Is F(u) > F(e_m) certain at every other u? Leaves a point of less risk in ``found`` where one comes by, or else says what
        is ``missing``."""
        K, at_vertex = self.K, self.vertex()[1]
        if not np.isfinite([at_vertex.low[0], at_vertex.high[0]]).all():
            self.missing = NO_VALUE
            return False
        low, high = np.zeros((1, K)), np.ones((1, K))
        work, most = 0, min(MOST_BOXES, WORK // (K * (K - 1)))
        size = min(2000, max(16, BATCH // (K * (K - 1))))
        while len(low):  # `most` boxes at most
            # the last are the smallest: what cannot be settled is met early
            now_low, now_high = self._tightened(low[-size:], high[-size:])
            low, high = low[:-size], high[:-size]
            work += len(now_low)
            if work > most:
                least = (now_high - now_low).max(-1).argmin() if len(now_low) else None
                place = (
                    ""
                    if least is None
                    else " (u_m from {:.4g} to {:.4g})".format(*(x[least, self.target] for x in (now_low, now_high)))
                )
                self.missing = f"{most} boxes of the simplex do not settle the risk, and small ones are left{place}"
                return False
            if not len(now_low):
                continue
            left_low, left_high, slope = self._left(now_low, now_high, at_vertex)
            if self.found is not None:
                return False
            if not len(left_low):
                continue
            halves = self._halved(left_low, left_high, slope)
            low, high = np.vstack([low, halves[0]]), np.vstack([high, halves[1]])
        return True

    def _tightened(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Boxes cut to the simplex and to the order of equal classes; the empty ones are gone."""
        low, high = low.copy(), high.copy()
        for group in self.groups:
            for one, two in pairwise(group):
                high[:, two] = np.minimum(high[:, two], high[:, one])
            for one, two in reversed([*pairwise(group)]):
                low[:, one] = np.maximum(low[:, one], low[:, two])
        slack = ROUNDING * self.K
        high = np.minimum(high, 1 - (low.sum(-1, keepdims=True) - low) + slack)
        low = np.maximum(low, 1 - (high.sum(-1, keepdims=True) - high) - slack)
        keep = (low <= high).all(-1) & (low.sum(-1) <= 1 + slack) & (high.sum(-1) >= 1 - slack)
        return np.clip(low[keep], 0.0, 1.0), np.clip(high[keep], 0.0, 1.0)

    def _left(self, low: Array, high: Array, at_vertex: Span) -> tuple[Array, Array, Span]:
        """The boxes that no bound settles, with their slopes."""
        open_ = ~(self.risk(Span(low, high)).low > at_vertex.high)
        low, high = low[open_], high[open_]
        if not len(low):
            return low, high, Span(low[:, 1:], high[:, 1:])
        others = np.arange(self.K) != self.target
        star_low, star_high = np.where(others, 0.0, low), np.where(others, high, 1.0)
        slope = self.slopes(star_low, star_high)
        mass = np.where(slope.low >= 0, low[:, others], high[:, others])
        with np.errstate(invalid="ignore", over="ignore"):
            gain = np.where(mass == 0, 0.0, mass * slope.low)
        rises = (slope.low > 0).all(-1) | (gain.sum(-1) > 1e-14 * np.abs(gain).sum(-1))
        low, high, slope = low[~rises], high[~rises], slope[~rises]
        if not len(low):
            return low, high, slope
        centre_low, centre_high = self._whole((low + high) / 2 / ((low + high) / 2).sum(-1, keepdims=True))
        here = self.risk(Span(centre_low, centre_high))
        less = here.high < at_vertex.low
        if less.any():
            self.found = ((centre_low + centre_high) / 2)[less.argmax()]
        return low, high, slope

    def _halved(self, low: Array, high: Array, slope: Span) -> tuple[Array, Array]:
        """Each box in two, across the class on which F changes most."""
        others = np.flatnonzero(np.arange(self.K) != self.target)
        with np.errstate(invalid="ignore"):
            change = np.nan_to_num(np.maximum(np.abs(slope.low), np.abs(slope.high)), nan=1e300, posinf=1e300)
        width = (high - low)[:, others]
        score = np.where(width < width.max(-1, keepdims=True) / 4, -1.0, width * change)
        cut = others[score.argmax(-1)]
        rows = np.arange(len(low))
        middle = (low[rows, cut] + high[rows, cut]) / 2
        left, right = high.copy(), low.copy()
        left[rows, cut] = right[rows, cut] = middle
        return np.vstack([low, right]), np.vstack([left, high])
