"""Binary classification calibration: H, H^-, the psi transform and the excess-risk bound of ALF Theorem 2.

On two classes every separable loss is pointwise, ``l(v) = active(v) + passive(1 - v)`` with v the probability of the
labelled class. For a posterior eta of class 1 the conditional risk of predicting v for class 1 is

    C(eta, v) = eta l(v) + (1 - eta) l(1 - v),     theta = 2 eta - 1,
    H(eta)  = inf_v C(eta, v),     H^-(eta) = inf of C(eta, v) over (v - 1/2) theta <= 0,
    psi~(theta) = H^-((1 + theta)/2) - H((1 + theta)/2),     psi = the largest convex minorant of psi~ on [-1, 1],

and ``psi(R01 - R01*) <= R_l - R_l*`` for every distribution and every prediction, the best bound that depends on these
two excess risks alone (Bartlett, Jordan & McAuliffe 2006, Theorem 1; v = 1/2 counts as an error, as there).

For l nonincreasing with l(1) < l(0) < inf, d = l(0) - l(1) and m = (l(0) + l(1))/2:

* l is calibrated when l(v) > l(1 - v) for all v < 1/2 and l'(1/2) < 0: if the best wrong v lies below 1/2, its mirror
  image gains theta (l(v) - l(1 - v)); if it is 1/2, a step to the right gains. No asymmetry is needed.
* A strictly decreasing l is completely asymmetric on two classes iff ``l(v) + l(1 - v) >= 2 m`` for all v, that is
  H(1/2) = m. Then H = m - |theta| d / 2, psi~ is concave on [0, 1], and ``psi(theta) = |theta| (l(1/2) - l(1))``. As
  l(1/2) >= m, this implies Theorem 2; the least constant is 1 / (l(1/2) - l(1)), equal to 2/d iff l(1/2) = m.
* A convex l that is not affine has l(1/2) < m, so that eta = 1 and v next to 1/2 violate Theorem 2's inequality.
* Strict asymmetry as printed (the risk falls whenever u_t grows) forces, as theta -> 0, that l(v) + l(1 - v) does not
  increase; being its own mirror image it is constant. On two classes the hypothesis of Theorem 2 thus holds only for
  symmetric losses; its conclusion needs complete asymmetry alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from ..answers import Answer
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import CONCAVE, CONVEX, LINEAR, Loss
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..numbers.backends import FLOAT, INTERVAL, numpy_
from ..numbers.interval import Interval
from ..numbers.scalar import Scalar

Array = np.ndarray[Any, np.dtype[np.float64]]
Triple = tuple[Interval, Interval, Interval]

HALF = 0.5
NEAR = 2.0**-40  # width of the boxes that give the one-sided derivatives at 1/2
TOLERANCE = 1e-12  # gap at which the search stops, relative to max(1, |l(1/2)|)
ROUNDS, MOST_BOXES = 14, 1500
ENDLESS = "l(0) is infinite: 2 / (l(0) - l(1)) = 0 bounds nothing"
BELOW = "l(1/2) is below the mean of l(0) and l(1), so eta = 1 with v next to 1/2 violates it"


@dataclass(frozen=True, eq=False)
class Calibration(Answer):
    """H, H^- and psi of one loss on a grid of posteriors; arrays of equal length, read-only.

    Beside rounding (a few units of 1e-16, relative to l), H and H_minus lie in [value - error, value] and psi lies in
    [value - psi_error, value + error]. Both errors are 0 where the form is closed.
    """

    loss: str
    method: str  # "linear", "concave", "convex" (exact) or "search" (certified)
    eta: Array
    H: Array
    H_minus: Array
    psi_tilde: Array
    psi: Array
    minimiser: Array  # a v that attains H
    gap_half: float  # C(1/2, 1/2) - H(1/2): by how much an undecided prediction is not optimal at eta = 1/2
    error: float
    psi_error: float
    calibrated: bool | None  # None: not settled
    reason: str
    witness: float | None  # an eta > 1/2 with H^- = H where calibrated is False

    @property
    def theta(self) -> Array:
        """2 eta - 1, the argument of psi."""
        return 2 * self.eta - 1

    def to_dict(self) -> Json:
        """Plain lists and numbers."""
        arrays = ("eta", "H", "H_minus", "psi_tilde", "psi", "minimiser")
        plain = ("loss", "method", "gap_half", "error", "psi_error", "calibrated", "reason", "witness")
        return {name: getattr(self, name).tolist() for name in arrays} | {name: getattr(self, name) for name in plain}

    def __str__(self) -> str:
        answer = {True: "classification-calibrated", False: "not classification-calibrated", None: "undecided"}
        lines = [f"{self.loss}: {answer[self.calibrated]}", f"  why     {self.reason}", f"  method  {self.method}"]
        if self.error or self.psi_error:
            lines[-1] += f", H and H^- within {self.error:.1e}, psi within {self.psi_error:.1e}"
        lines.append("  eta       H          H^-        psi~       psi        v")
        rows = np.unique(np.linspace(0, len(self.eta) - 1, 9).round().astype(int))
        for i in rows:
            columns = (self.H[i], self.H_minus[i], self.psi_tilde[i], self.psi[i], self.minimiser[i])
            lines.append(f"  {self.eta[i]:<8.4g}" + "".join(f"  {x:<9.6g}" for x in columns))
        return "\n".join(lines)


@dataclass(frozen=True)
class Witness:
    """One input point: posterior eta, prediction v < 1/2, and both excess risks there."""

    eta: float
    v: float
    excess_01: float
    excess_loss: float


@dataclass(frozen=True)
class ExcessRiskBound(Answer):
    """``R01 - R01* <= constant (R_l - R_l*)`` with ALF Theorem 2's constant 2 / (l(0) - l(1)): is it true of this loss?

    ``least`` is the least constant of any linear bound, inf where there is none, None where it is not settled.
    ``constant`` is inf for an infinite l(0), where the printed formula would claim that every excess error is 0.
    The two hypotheses are those on two classes, with the definitions as printed in ALF Definition 2.
    """

    loss: str
    constant: float
    holds: bool | None
    reason: str
    least: float | None
    completely_asymmetric: bool | None
    strictly_asymmetric: bool | None
    witness: Witness | None

    def to_dict(self) -> Json:
        """Plain numbers; an infinite constant is None under ``constant`` and "inf" under ``least``."""
        return {
            "loss": self.loss,
            "constant": self.constant if self.constant < np.inf else None,
            "holds": self.holds,
            "reason": self.reason,
            "least": "inf" if self.least == np.inf else self.least,
            "completely_asymmetric": self.completely_asymmetric,
            "strictly_asymmetric": self.strictly_asymmetric,
            "witness": None if self.witness is None else vars(self.witness).copy(),
        }

    def __str__(self) -> str:
        answer = {True: "holds", False: "does not hold", None: "undecided"}
        yes = {True: "yes", False: "no", None: "undecided"}
        least = "not settled" if self.least is None else f"{self.least:.10g}"
        least = "none: no linear bound holds" if self.least == np.inf else least
        claim = f"R01 - R01* <= {self.constant:.10g} (R - R*) {answer[self.holds]}"
        lines = [
            f"{self.loss}: {claim if self.constant < np.inf else 'ALF Theorem 2 gives no bound'}",
            f"  why                    {self.reason}",
            f"  least constant         {least}",
            f"  completely asymmetric  {yes[self.completely_asymmetric]} (two classes)",
            f"  strictly asymmetric    {yes[self.strictly_asymmetric]} (two classes)",
        ]
        if self.witness is not None:
            w = self.witness
            lines.append(
                f"  witness                eta = {w.eta:.6g}, v = {w.v:.6g}: excess error {w.excess_01:.6g}, "
                f"excess risk {w.excess_loss:.6g}"
            )
        return "\n".join(lines)


def calibrate(loss: Loss | str, eta: Scalar = None, **parameters: Scalar) -> Calibration:
    """H, H^-, psi~ and psi at posteriors ``eta`` in [0, 1] (a number or a vector; default 401 equal steps).

    Exact for losses that are convex, linear or concave on two classes (one root of a monotone function, or the ends of
    the interval); else a search certified by interval enclosures of l, l' and l''. Raises InputError for a loss that is
    not separable and for eta outside [0, 1]. Source: Bartlett, Jordan & McAuliffe 2006, Def. 2; ALF Theorem 1, Fig. 1.

        >>> calibrate("agce", a=1, q=2).calibrated
        True

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    pointwise = _Pointwise.of(loss)
    points = _posteriors(eta)
    folded = np.maximum(points, 1 - points)  # C(1 - eta, 1 - v) = C(eta, v)
    shape = pointwise.shape
    error = psi_error = 0.0
    if shape == CONVEX:
        H, v = pointwise.least_convex(folded)
        H_minus = np.full_like(H, pointwise.value(HALF))
        psi_tilde = psi = H_minus - H
        gap_half = 0.0
    elif shape in (LINEAR, CONCAVE):
        H, H_minus, v, psi = pointwise.least_concave(folded)
        psi_tilde = H_minus - H
        mean = (pointwise.value(0.0) + pointwise.value(1.0)) / 2
        gap_half = max(0.0, float(pointwise.value(HALF) - mean))
    else:
        nodes = np.unique(np.concatenate([folded, 1 - np.linspace(1, 0, 513) ** 4 / 2]))
        search = _search(pointwise, nodes)
        envelope, psi_error = _envelope(pointwise, nodes, search)
        at = np.searchsorted(nodes, folded)
        H, H_minus, v, psi = search.H[at], search.H_minus[at], search.v[at], envelope[at]
        psi_tilde, error = H_minus - H, search.error
        gap_half = max(0.0, float(pointwise.value(HALF) - search.H[0]))
    calibrated, reason, witness = _calibrated(pointwise)
    arrays = points, H, H_minus, np.maximum(psi_tilde, 0.0), np.clip(psi, 0.0, None), np.where(points < HALF, 1 - v, v)
    for array in arrays:
        array.setflags(write=False)
    method = "search" if shape is None else {LINEAR: "linear", CONCAVE: "concave", CONVEX: "convex"}[shape]
    return Calibration(str(loss), method, *arrays, gap_half, error, psi_error, calibrated, reason, witness)


def excess_risk_bound(loss: Loss | str, **parameters: Scalar) -> ExcessRiskBound:
    """ALF Theorem 2's constant 2 / (l(0) - l(1)), whether its inequality holds for this loss, and the least constant.

    The inequality holds for all distributions iff ``psi~(theta) >= theta (l(0) - l(1)) / 2`` on [0, 1]. Raises
    InputError for a loss that is not separable, and where l(0) > l(1) fails.

        >>> float(excess_risk_bound("mae").constant)
        1.0

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    pointwise = _Pointwise.of(loss)
    zero, half, one = (pointwise.at(v) for v in (0.0, HALF, 1.0))
    if (zero - one).high <= 0 or not (zero - one).low > 0:
        raise InputError(f"{loss}: Theorem 2 needs l(0) > l(1), got l(0) = {zero.low:.6g} and l(1) = {one.low:.6g}")
    d = pointwise.value(0.0) - pointwise.value(1.0)
    constant = 2 / d if d < np.inf else np.inf
    vertex_least = 1 / (pointwise.value(HALF) - pointwise.value(1.0))
    if pointwise.shape == LINEAR:
        reason = "l is affine: psi(theta) = |theta| (l(0) - l(1)) / 2, with equality in Theorem 2"
        return ExcessRiskBound(str(loss), constant, True, reason, constant, True, True, None)
    if pointwise.shape == CONCAVE:
        reason = "l is concave: psi(theta) = |theta| (l(1/2) - l(1)), and l(1/2) is above the mean of l(0) and l(1)"
        return ExcessRiskBound(str(loss), constant, True, reason, vertex_least, True, False, None)
    if pointwise.shape == CONVEX:
        reason = ENDLESS if d == np.inf else "l is convex and not affine: " + BELOW
        least = pointwise.least_constant_convex()
        return ExcessRiskBound(str(loss), constant, False, reason, least, False, False, pointwise.violation(d))
    return _bound_by_search(pointwise, constant, d, vertex_least, zero + one - half * 2)


# ----------------------------------------------------------------------------------------- the profile


@dataclass(frozen=True)
class _Pointwise:
    """``l(v) = active(v) + passive(1 - v)`` and its derivatives; s = 1 - v is passed beside v to keep its digits."""

    loss: Loss
    profile: Profile
    boxes: dict[tuple[float, float], Triple] = field(default_factory=dict)

    @classmethod
    def of(cls, loss: Loss) -> _Pointwise:
        profile = Profile.of(loss, 2)
        if not profile.is_separable:
            parts = (*profile.normalised, *profile.negative, *profile.clipped)
            raise InputError(
                f"calibration needs a loss of the form l(u_y); {parts[0][1].title} (in {loss.name}) is not"
            )
        pointwise = cls(loss, profile)
        if pointwise.shape is not None and pointwise.end_slopes[1 if pointwise.shape == CONVEX else 0] > 0:
            raise InputError(f"calibration needs a loss that decreases in u_y; {loss.name} does not")
        return pointwise

    @property
    def shape(self) -> int | None:
        return self.profile.shape()

    def values(self, v: Array, s: Array) -> Array:
        xp = numpy_()
        with np.errstate(all="ignore"):
            active = self.profile.part("active", v, np.log(v), xp)
            passive = self.profile.part("passive", s, np.log(s), xp)
            return np.asarray(active + passive + np.zeros_like(v))

    def slopes(self, v: Array, s: Array) -> Array:
        """l'(v) for v > 0; at v = 1 the limit."""
        xp = numpy_()
        with np.errstate(all="ignore"):
            active, passive = self.profile.jet("active", v, xp)[1], self.profile.jet("passive", s, xp)[1]
            return np.where(v == 1, self.end_slopes[1], active - passive + np.zeros_like(v))

    @property
    def end_slopes(self) -> tuple[float, float]:
        """(l'(0), l'(1)), possibly -inf."""
        ends = self.profile.slopes(FLOAT)
        return ends.active0 - ends.passive1, ends.active1 - ends.passive0

    def risk(self, eta: Array, v: Array, s: Array) -> Array:
        """C(eta, v), where 0 times an infinite loss is 0."""
        return _mix(eta, self.values(v, s), self.values(s, v))

    def value(self, v: float) -> Scalar:
        """l(v) for one v."""
        return self.values(np.array([v]), np.array([1 - v]))[0]

    def at(self, v: float) -> Interval:
        """l(v) enclosed; v and 1 - v exact in floating point."""
        both = ((side, Interval(x, x)) for side, x in (("active", v), ("passive", 1 - v)))
        parts = [self.profile.part(side, x, INTERVAL.log(x), INTERVAL) for side, x in both]
        return Interval.of(0) + parts[0] + parts[1]

    def box(self, low: float, high: float) -> Triple:
        """(l, l', l'') enclosed on [low, high]."""
        if (low, high) not in self.boxes:
            a = self.profile.jet("active", Interval(low, high), INTERVAL, 2)
            p = self.profile.jet("passive", Interval(1 - high, 1 - low), INTERVAL, 2)
            value, slope, curvature = a[0] + p[0], a[1] - p[1], a[2] + p[2]
            self.boxes[low, high] = Interval.of(value), Interval.of(slope), Interval.of(curvature)
        return self.boxes[low, high]

    def beside_half(self) -> tuple[Triple, Triple]:
        """Enclosures just left and just right of 1/2; 1/2 itself is left out so that a kink there shows."""
        return self.box(HALF - NEAR, HALF), self.box(HALF + 2.0**-52, HALF + NEAR)

    # ------------------------------------------------------------------------------------- closed forms

    def least_convex(self, eta: Array) -> tuple[Array, Array]:
        """(H, minimiser) for convex l and eta >= 1/2: the root of the nondecreasing dC/dv, or v = 1."""
        s = _bisect(
            lambda s: eta * self.slopes(1 - s, s) - (1 - eta) * self.slopes(s, 1 - s),
            np.zeros_like(eta),
            HALF + 0 * eta,
        )
        s = np.where(eta == 1, 0.0, np.where(eta == HALF, HALF, s))  # s = 2^-73 stands for the vertex: v = 1 in float64
        return self.risk(eta, 1 - s, s), 1 - s

    def least_concave(self, eta: Array) -> tuple[Array, Array, Array, Array]:
        """(H, H^-, minimiser, psi) for concave or affine l and eta >= 1/2: ends of [0, 1], and of [0, 1/2]."""
        zero, half, one = (self.value(v) for v in (0.0, HALF, 1.0))
        H, wrong = eta * one + (1 - eta) * zero, eta * zero + (1 - eta) * one
        return H, np.minimum(half, wrong), np.ones_like(eta), (2 * eta - 1) * (half - one)

    def least_constant_convex(self) -> float:
        """1 / psi'(0+), where psi'(0+) = (l(1 - v) - l(v)) / 2 at the largest v with l(v) + l(1 - v) least."""
        if self.beside_half()[1][2].low > 0:
            return float(np.inf)  # l'' > 0 right of 1/2: the only minimiser at eta = 1/2 is v = 1/2
        slack = 1e-13 * abs(float(self.slopes(np.array([HALF]), np.array([HALF]))[0]))
        s = _bisect(lambda s: self.slopes(1 - s, s) - self.slopes(s, 1 - s) - slack, np.zeros(1), np.array([HALF]))
        gain = float((self.values(s, 1 - s) - self.values(1 - s, s))[0])
        return 2 / gain if s[0] < HALF - 1e-6 and gain > 0 else float(np.inf)

    def violation(self, d: float) -> Witness | None:
        """eta = 1 and a v < 1/2 with excess error 1 > (2/d) times the excess risk, if l(1/2) allows one."""
        for v in HALF - 2.0 ** -np.arange(3, 40):
            excess = float(self.value(float(v)) - self.value(1.0))
            if excess < d / 2 * (1 - 1e-12):
                return Witness(1.0, float(v), 1.0, excess)
        return None


def _posteriors(eta: Scalar) -> Array:
    if eta is None:
        return np.linspace(0, 1, 401)
    try:
        points = np.atleast_1d(np.array(eta, dtype=float))
    except (TypeError, ValueError):
        raise InputError(f"eta must be a number or a vector of numbers in [0, 1], got {eta!r}") from None
    if points.ndim > 1 or points.size == 0:
        raise InputError(f"eta must be a number or a non-empty vector, got an array of shape {points.shape}")
    outside = points[~((points >= 0) & (points <= 1))]
    if outside.size:
        raise InputError(f"eta must lie in [0, 1], got {outside[0]:g}")
    return points


def _mix(eta: Array, x: Array, y: Array) -> Array:
    """``eta x + (1 - eta) y`` where weight 0 removes an infinite term."""
    with np.errstate(all="ignore"):
        return np.where(eta == 0, 0.0, eta * x) + np.where(eta == 1, 0.0, (1 - eta) * y)


def _bisect(function: Callable[[Array], Array], low: Array, high: Array, steps: int = 72) -> Array:
    """Where a nonincreasing function changes from > 0 (or NaN) at ``low`` to <= 0 at ``high``; the end that is <= 0."""
    for _ in range(steps):
        middle = (low + high) / 2
        positive = ~(function(middle) <= 0)
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    return high


# -------------------------------------------------------------------------------------------- certified


@dataclass(frozen=True)
class _Found:
    H: Array
    H_minus: Array
    v: Array
    error: float


def _first_edges() -> Array:
    """Symmetric dyadic edges, geometric towards 0 and 1, so that v and 1 - v are both exact."""
    left = np.concatenate([[0.0], 2.0 ** np.arange(-50, -6), np.arange(2, 65) / 128])
    return np.concatenate([left, 1 - left[-2::-1]])


def _search(pointwise: _Pointwise, eta: Array) -> _Found:
    """Global minima of C(eta, .) for eta >= 1/2 on [0, 1] and on [0, 1/2], with bounds from enclosures of l, l', l''.

    On a box where C is monotone or concave the minimum is at an end; where it is convex it is a root; the rest is
    bounded below by the mean value theorem and split until the bound is within TOLERANCE.
    """
    edges = _first_edges()
    tolerance = TOLERANCE * max(1.0, abs(pointwise.value(HALF)))
    for _ in range(ROUNDS):
        upper, lower, place = _boxes(pointwise, eta, edges)
        half = (len(edges) - 1) // 2
        best, best_wrong = upper.min(1), upper[:, :half].min(1)
        error = max(float((best - lower.min(1)).max()), float((best_wrong - lower[:, :half].min(1)).max()))
        doubtful = lower < best[:, None] - tolerance
        doubtful[:, :half] |= lower[:, :half] < best_wrong[:, None] - tolerance
        split = doubtful.any(0)
        middles = ((edges[:-1] + edges[1:]) / 2)[:half][(split | split[::-1])[:half]]
        middles = middles[1 - (1 - middles) == middles]  # else v and 1 - v would no longer mirror each other
        if error <= tolerance or len(middles) == 0 or len(edges) + 2 * len(middles) > MOST_BOXES:
            break
        edges = np.union1d(edges, np.concatenate([middles, 1 - middles]))
    return _Found(best, best_wrong, place[np.arange(len(eta)), upper.argmin(1)], error)


def _boxes(pointwise: _Pointwise, eta: Array, edges: Array) -> tuple[Array, Array, Array]:
    """(attained value, lower bound, where attained) of C on each box, for each eta: arrays (eta, boxes)."""
    enclosed = [pointwise.box(float(a), float(b)) for a, b in pairwise(edges)]
    value, slope_low, slope_high, bend_low, bend_high = (
        np.array([get(t) for t in enclosed])
        for get in (
            lambda t: t[0].low,
            lambda t: t[1].low,
            lambda t: t[1].high,
            lambda t: t[2].low,
            lambda t: t[2].high,
        )
    )
    column, mirrored = eta[:, None], slice(None, None, -1)
    at_edges = pointwise.values(edges, 1 - edges)
    ends = _mix(column, at_edges, at_edges[mirrored])
    upper = np.minimum(ends[:, :-1], ends[:, 1:])
    place = np.where(ends[:, :-1] <= ends[:, 1:], edges[:-1], edges[1:])
    falling = _mix(column, slope_high, -slope_low[mirrored])
    rising = _mix(column, slope_low, -slope_high[mirrored])
    settled = (falling <= 0) | (rising >= 0) | (_mix(column, bend_high, bend_high[mirrored]) <= 0)
    bowl = ~settled & (_mix(column, bend_low, bend_low[mirrored]) >= 0)
    lower = np.where(settled, upper, np.maximum(_mix(column, value, value[mirrored]), -np.inf))
    row, box = np.nonzero(bowl)
    if len(row):
        weight, start, width = eta[row], edges[box], np.diff(edges)[box]
        rest = 1 - start

        def descent(t: Array) -> Array:
            v, s = start + t * width, rest - t * width
            return -_mix(weight, pointwise.slopes(v, s), -pointwise.slopes(s, v))

        t = _bisect(descent, np.zeros(len(row)), np.ones(len(row)), 60)
        inside = pointwise.risk(weight, start + t * width, rest - t * width)
        better = inside < upper[row, box]
        place[row, box] = np.where(better, start + t * width, place[row, box])
        upper[row, box] = lower[row, box] = np.minimum(inside, upper[row, box])
    open_ = ~settled & ~bowl
    middle = (edges[:-1] + edges[1:]) / 2
    steepest = np.maximum(np.abs(falling), np.abs(rising)) * np.diff(edges) / 2
    with np.errstate(invalid="ignore"):
        mean_value = pointwise.risk(column, middle[None, :], 1 - middle[None, :]) - steepest
    lower = np.where(open_, np.fmax(lower, mean_value), lower)
    return upper, np.minimum(lower, upper), place


def _envelope(pointwise: _Pointwise, eta: Array, found: _Found) -> tuple[Array, float]:
    """(psi at the nodes, its error): the lower convex hull of psi~, and by how much psi~ can dip below it in between.

    H^- is concave in theta, so its chord bounds it below; H is concave and each minimiser gives a line above it, so it
    exceeds its chord by at most the height of the triangle under two such lines.
    """
    theta = 2 * eta - 1
    values = np.maximum(found.H_minus - found.H, 0.0)
    hull: list[int] = []
    for i in range(len(theta)):
        while len(hull) > 1:  # loses one each time
            a, b = hull[-2], hull[-1]
            if (values[b] - values[a]) * (theta[i] - theta[a]) < (values[i] - values[a]) * (theta[b] - theta[a]):
                break
            hull.pop()
        hull.append(i)
    v = found.v
    lines = (pointwise.values(v, 1 - v) - pointwise.values(1 - v, v)) / 2
    step = np.diff(theta)
    chord = np.diff(found.H) / step
    above, below = np.maximum(lines[:-1] - chord, 0.0), np.maximum(chord - lines[1:], 0.0)
    with np.errstate(all="ignore"):
        height = (
            np.where(np.isinf(below), above, np.where(above + below > 0, above * below / (above + below), 0.0)) * step
        )
    return np.interp(theta, theta[hull], values[hull]), float(height.max()) + 2 * found.error


# --------------------------------------------------------------------------------------------- verdicts


def _calibrated(pointwise: _Pointwise) -> tuple[bool | None, str, float | None]:
    """(verdict, reason, witness); l counts as differentiable at 1/2 unless enclosures on its two sides are apart."""
    left, right = (triple[1] for triple in pointwise.beside_half())
    if pointwise.shape in (LINEAR, CONCAVE):
        drop = (pointwise.at(0.0) - pointwise.at(1.0)).sign
        word = "affine" if pointwise.shape == LINEAR else "concave"
        if drop == 1:
            return True, f"l is {word} with l(0) > l(1), so H < H^- off eta = 1/2", None
        return (None if drop is None else False), f"l is {word}, and l(0) > l(1) fails", (None if drop is None else 1.0)
    if left.high < right.low:
        if pointwise.shape == CONVEX:
            steep, flat = abs(left.high), max(0.0, -right.low)
            return False, "l is convex with a kink at 1/2, where v = 1/2 stays optimal", steep / (steep + flat)
        return None, "l has a kink at 1/2", None
    if pointwise.shape == CONVEX:
        if max(left.high, right.high) < 0:
            return True, "l is convex with l'(1/2) < 0 and no kink there", None
        if right.low >= 0:
            return False, "l is convex, and constant from 1/2 on", 1.0
        return None, "the sign of l'(1/2) is not settled", None
    if _mirror_gains(pointwise):
        return True, "l(v) > l(1 - v) for all v < 1/2 and l'(1/2) < 0 (certified by enclosures)", None
    return None, "that l(v) > l(1 - v) for all v < 1/2 and l'(1/2) < 0 could not be certified", None


def _mirror_gains(pointwise: _Pointwise) -> bool:
    """Certify l(v) > l(1 - v) for v < 1/2 and l'(1/2) < 0: slopes next to 1/2, values further out."""
    edges = _first_edges()
    enclosed = [pointwise.box(float(a), float(b)) for a, b in pairwise(edges)]
    half, near = len(enclosed) // 2, True
    for i in reversed(range(half)):
        mirror = enclosed[-1 - i]
        near = near and enclosed[i][1].high < 0 and mirror[1].high < 0
        if not (near or enclosed[i][0].low > mirror[0].high):
            return False
    return True  # the two boxes that meet at 1/2 share l(1/2), so that only their slopes can have passed


def _bound_by_search(
    pointwise: _Pointwise, constant: float, d: float, vertex_least: float, dip: Interval
) -> ExcessRiskBound:
    """Neither convex nor concave: certify l(v) + l(1 - v) >= l(0) + l(1), or refute psi~ >= theta d / 2 at a point."""
    name, edges = str(pointwise.loss), _first_edges()
    strict, complete = _sum_verdicts(pointwise, edges) if d < np.inf else (False, False)
    if complete and _mirror_gains(pointwise):
        reason = "l(v) + l(1 - v) >= l(0) + l(1) for all v (certified): psi(theta) = |theta| (l(1/2) - l(1))"
        return ExcessRiskBound(name, constant, True, reason, vertex_least, True, strict, None)
    complete = False if complete is False else None
    if dip.low > 0:
        reason = ENDLESS if d == np.inf else BELOW
        return ExcessRiskBound(name, constant, False, reason, None, False, False, pointwise.violation(d))
    theta = np.linspace(0, 1, 513)[1:]
    found = _search(pointwise, (1 + theta) / 2)
    excess = found.H_minus - found.H + found.error
    worst = int(np.argmin(excess / theta))
    if excess[worst] < theta[worst] * d / 2 * (1 - 1e-9):
        eta = float((1 + theta[worst]) / 2)
        reason = f"psi~({theta[worst]:.6g}) is below theta (l(0) - l(1)) / 2 (certified)"
        witness = _wrong_side(pointwise, eta, float(found.H[worst] - found.error), theta[worst] * d / 2)
        return ExcessRiskBound(name, constant, False, reason, None, False, False, witness)
    reason = f"no theta of 512 violates it: psi~ / theta >= {float((excess / theta).min()):.6g}, needed {d / 2:.6g}"
    return ExcessRiskBound(name, constant, None, reason, None, complete, strict, None)


def _sum_verdicts(pointwise: _Pointwise, edges: Array) -> tuple[bool | None, bool | None]:
    """(is l(v) + l(1 - v) constant, is it never below l(0) + l(1)): False and True are certified, None not settled."""
    ends = pointwise.at(0.0) + pointwise.at(1.0)
    constant: bool | None = None
    for v in edges[(edges > 0) & (edges <= HALF)]:
        excess = pointwise.at(float(v)) + pointwise.at(1 - float(v)) - ends
        if excess.high < 0:
            return False, False
        if excess.low > 0:
            constant = False
    rising = True  # from v = 0 on, as long as the derivative l'(v) - l'(1 - v) is certified >= 0
    for a, b in _refined(edges[edges <= HALF], 8):
        left, right = pointwise.box(a, b), pointwise.box(1 - b, 1 - a)
        rising = rising and (left[1] - right[1]).low >= 0
        if not (rising or (left[0] + right[0] - ends).low >= 0 or _ends_suffice(pointwise, left, right, a, b, ends)):
            return constant, None
    return constant, True


def _ends_suffice(pointwise: _Pointwise, left: Triple, right: Triple, a: float, b: float, ends: Interval) -> bool:
    """Is l(v) + l(1 - v) concave on [a, b] with both ends above, or falling with its right end above?"""
    if (left[2] + right[2]).high > 0 and (left[1] - right[1]).high > 0:
        return False
    return all((pointwise.at(v) + pointwise.at(1 - v) - ends).low >= 0 for v in (a, b))


def _refined(edges: Array, parts: int) -> list[tuple[float, float]]:
    """Boxes between the edges, each wide one (>= 1/128) cut into equal parts."""
    cuts: list[float] = []
    for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        n = parts if b - a >= 1 / 128 else 1
        cuts += [a + (b - a) * k / n for k in range(n)]
    return list(zip(cuts, [*cuts[1:], HALF], strict=True))


def _wrong_side(pointwise: _Pointwise, eta: float, least: float, target: float) -> Witness | None:
    """A v < 1/2 on the grid of the search whose excess risk at eta is below ``target``."""
    v = np.unique(np.concatenate([np.arange(1, 4096) / 8192, HALF - 2.0 ** -np.arange(14, 40)]))
    excess = pointwise.risk(np.full_like(v, eta), v, 1 - v) - least
    i = int(np.argmin(excess))
    return Witness(eta, float(v[i]), 2 * eta - 1, float(excess[i])) if excess[i] < target else None
