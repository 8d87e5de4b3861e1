"""Guarantees in numbers: how much clean error a noisy excess risk leaves, and how wrong the noise matrix may be.

Weights have total W = 1 here, ``m`` is the class of the largest weight and ``n`` that of the largest other one. Where every
phi_k is convex the proof of the separable-risk theorem gives

    F_w(u) - F_w(e_m) >= slack (1 - u_m),      slack = phi_n'(0) - phi_m'(1),

and an argmax other than m needs ``u_m <= 1/2``. So where the clean label is a function of x,

    clean error <= (2 / slack) x noisy excess risk,

the excess being taken over the pointwise minimum of the noisy risk and the slack as the least over x (elsewhere the bound is one
for the disagreement with the noisy Bayes class). Where every phi_k is concave or linear the constant is exact. Proofs of all
of it are in docs/theory.md, section 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

import numpy as np
from flint import ctx
from numpy.typing import ArrayLike, NDArray

from ..answers import Answer
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import CONCAVE, CONVEX, LINEAR, MIXED, Loss, Normalised
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..noise.models import from_weights
from ..noise.rows import NoiseModel, Posteriors, Row
from ..numbers.backends import FLOAT, POLY, Backend, arb_, numpy_
from ..numbers.scalar import Scalar
from ..numbers.text import Number
from .binding import distinct_rows
from .condition import Condition, check
from .ordering import keeps_order
from .risk import minimise
from .rules import endless, felt_by_two, leaves_steeply

Array: TypeAlias = NDArray[np.float64]

NOT_SEPARABLE = "no constant is known for this form of loss"
NEITHER = "phi_k is neither convex nor concave: a search proves the verdict, but gives no constant"
BESIDE = "the rest is uniform and every term convex: the risk rises at least as it does to first order at e_m"
MOST_ROWS, MOST_DISTINCT = 1000, 20
"""Rows of convex phi_k, and those that are looked at for the sharp constant: where more could have it, there is none here."""
MANY, ENOUGH = (200, 1000, 4000), 100
"""Bits that are tried in Arb, and those that a value must keep."""
KNOWN = 1e-9
"""Of a risk: what a difference of two must exceed, so that rounding changes it by a millionth at most."""
LARGEST = 2.0**1023
"""Of a number that is given."""
LOOKED_AT = [Fraction(k, 17) for k in range(1, 18)]
"""Probabilities at which floats are compared with Arb."""
EQUAL = 2.0**-90
"""Of a slack, relative to its parts: 0 but for the rounding of Arb."""
EQUALITY = "the condition holds with equality: the excess risk may vanish faster than 1 - u_m, so no constant exists"


@dataclass(frozen=True)
class Radius:
    """How far a row of the noise may be from the truth, with W = 1, such that the verdict stays asymmetric.

    ``l1``: sum of the absolute differences; ``tv``: total variation, half of it; ``entry``: the largest difference of a
    single entry. The verdict stays within the closed ball in the convex case and within the open ball otherwise.
    """

    l1: float
    tv: float
    entry: float

    def to_dict(self) -> dict[str, float]:
        return {"l1": self.l1, "tv": self.tv, "entry": self.entry}


@dataclass(frozen=True)
class Trade:
    """Instance-dependent noise: ``clean error <= below + (2 / level) x excess`` at the best level of the slack.

    ``below`` is the share of the samples whose slack is below ``level``; ``bound`` is the whole right-hand side.
    """

    excess: float
    level: float
    below: float
    bound: float

    def to_dict(self) -> dict[str, float]:
        return {"excess": self.excess, "level": self.level, "below": self.below, "bound": self.bound}


@dataclass(frozen=True)
class SampleBound:
    """What ``samples`` held-out noisy labels say, with probability ``confidence``, of each of ``models`` networks at once.

    ``clean error <= constant x (mean noisy loss - least_risk + deviation)``, with
    ``deviation = spread sqrt(log(models / (1 - confidence)) / (2 samples))`` (Hoeffding and a union bound: the complexity
    term is log(models), the logarithm of the size of a finite class; one network judged on labels it was not trained on has
    models = 1). ``least_risk`` is the least pointwise minimum of the noisy risk over the classes.
    """

    samples: int
    models: int
    confidence: float
    spread: float
    deviation: float
    least_risk: float

    def to_dict(self) -> dict[str, float]:
        return {
            "samples": self.samples,
            "models": self.models,
            "confidence": self.confidence,
            "spread": self.spread,
            "deviation": self.deviation,
            "least_risk": self.least_risk,
        }


@dataclass(frozen=True)
class FiniteLogits:
    """Logits with ``max z - min z <= spread``: is the point nearest to e_m a local minimum of the weighted risk?

    ``holds`` for the loss as given. ``ratio``: for ``alpha N + beta S`` with one normalised and one separable term, the least
    beta / alpha for which the first-order condition holds on every row (inf: for none); None for any other loss. The condition
    is necessary, not sufficient.
    """

    spread: float
    holds: bool
    ratio: float | None

    def to_dict(self) -> dict[str, float | bool | None]:
        ratio = None if self.ratio is None or math.isinf(self.ratio) else self.ratio
        return {"spread": self.spread, "holds": self.holds, "ratio": ratio}


@dataclass(frozen=True)
class Tolerance(Answer):
    """Constant and radius alone, for a loss that is known to be asymmetric: see :class:`Guarantee`."""

    constant: float | None
    radius: Radius | None

    def to_dict(self) -> Json:
        return {"constant": self.constant, "radius": None if self.radius is None else self.radius.to_dict()}

    def __str__(self) -> str:
        parts = []
        if self.constant is not None:
            parts.append(f"clean error <= {self.constant:.4g} x noisy excess risk")
        if self.radius is not None:
            parts.append(
                f"the binding row may be wrong by {self.radius.l1:.4g} in L1, {self.radius.entry:.4g} an entry"
            )
        return "; ".join(parts) or "no constant is known for this form of loss"


@dataclass(frozen=True)
class Guarantee(Answer):
    """What a loss guarantees on a noise, in numbers (W = 1). Printed as a small table; ``to_dict`` for JSON.

    * ``asymmetric``: the verdict of :func:`asymtheory.check`;
    * ``slack``: ``F(u) - F(e_m) >= slack (1 - u_m)`` on the binding row; negative below the threshold; None where the form of the
      loss has no such number;
    * ``constant``: clean error <= constant x noisy excess risk, on every row; None where there is none;
    * ``sharp``: the best such constant, one over the least excess risk at which another class can win on some row (numerically, for
      convex and concave phi_k); it exists below the threshold, too;
    * ``span``: L(e_k, y) - L(e_y, y), what a confident mistake costs (``range`` in JSON); ``relative`` = span / slack, free of
      scale and at least one over the margin for every loss;
    * ``radius``: how wrong the binding row may be;
    * ``keeps_argmax``: is the minimiser's argmax m on every row, vertex or not? None where it is not proved;
    * ``binding_class``: the true class whose row has the least slack, the lowest where rows tie.
    """

    loss: str
    asymmetric: bool | None
    slack: float | None
    constant: float | None
    sharp: float | None
    span: float | None
    relative: float | None
    radius: Radius | None
    keeps_argmax: bool | None
    binding_class: int
    margin: float
    reason: str
    names: tuple[str, ...] | None = None
    trade: Trade | None = None
    sample: SampleBound | None = None
    logits: FiniteLogits | None = None

    def to_dict(self) -> Json:
        return {
            "loss": self.loss,
            "asymmetric": self.asymmetric,
            "slack": _finite(self.slack),
            "constant": _finite(self.constant),
            "sharp_constant": _finite(self.sharp),
            "range": _finite(self.span),
            "relative_constant": _finite(self.relative),
            "radius": None if self.radius is None else self.radius.to_dict(),
            "keeps_argmax": self.keeps_argmax,
            "binding_class": self.binding_class,
            "margin": self.margin,
            "reason": self.reason,
            "instance": None if self.trade is None else self.trade.to_dict(),
            "sample": None if self.sample is None else self.sample.to_dict(),
            "logits": None if self.logits is None else self.logits.to_dict(),
        }

    def __str__(self) -> str:
        answer = {True: "asymmetric", False: "not asymmetric", None: "undecided"}[self.asymmetric]
        name = f" ({self.names[self.binding_class]})" if self.names else ""
        lines = [f"{self.loss}: {answer}", f"  binding    class {self.binding_class}{name}, margin {self.margin:.6g}"]
        if self.slack is not None:
            meaning = "F(u) - F(e_m) >= slack (1 - u_m)" if self.slack >= 0 else "below the threshold"
            lines.append(f"  slack      {self.slack:.6g}: {meaning}")
        if self.constant is not None:
            lines.append(f"  constant   {self.constant:.6g}: clean error <= constant x noisy excess risk")
        if self.sharp is not None:
            lines.append(f"  sharp      {self.sharp:.6g}: the least such constant (numerical)")
        if self.relative is not None and math.isfinite(self.relative):
            best = 1 / self.margin
            lines.append(f"  relative   {self.relative:.6g}: range / slack; no loss is below 1 / margin = {best:.6g}")
        if self.radius is not None:
            r = self.radius
            lines.append(
                f"  radius     the row may be wrong by {r.l1:.6g} in L1, {r.tv:.6g} in TV, {r.entry:.6g} an entry"
            )
        if self.keeps_argmax and not self.asymmetric:
            lines.append("  argmax     kept: the minimiser is not the vertex, but its largest entry is the clean class")
        lines += self._further()
        return "\n".join([*lines, f"  why        {self.reason}"])

    def _further(self) -> list[str]:
        lines = []
        if self.trade is not None:
            t = self.trade
            lines.append(
                f"  instance   clean error <= {t.bound:.6g} at excess {t.excess:.6g}: "
                f"{t.below:.4g} of the samples have slack below {t.level:.6g}"
            )
        if self.sample is not None:
            s = self.sample
            lines.append(
                f"  samples    with probability {s.confidence:g}: clean error <= constant x (mean noisy loss on {s.samples} "
                f"held-out labels - {s.least_risk:.6g} + {s.deviation:.6g}), {s.models} model{'s' * (s.models > 1)}"
            )
        if self.logits is not None:
            g = self.logits
            ratio = "" if g.ratio is None else f"; beta / alpha >= {g.ratio:.6g} is necessary"
            ratio = "; no beta / alpha is enough" if g.ratio == math.inf else ratio
            verdict = "is a local minimum" if g.holds else "is not a local minimum"
            lines.append(f"  logits     within {g.spread:g} of each other: the point nearest to e_m {verdict}{ratio}")
        return lines


def guarantee(
    loss: Loss | str,
    noise: NoiseModel | Sequence[Number],
    *,
    excess: float | None = None,
    samples: int | None = None,
    models: int = 1,
    confidence: float = 0.95,
    logits: float | None = None,
    **parameters: Scalar,
) -> Guarantee:
    """What ``loss`` guarantees on a noise model, on posteriors, or on one vector of weights, in numbers.

    ``excess``: a noisy excess risk (per sample, W = 1), for the trade-off over instances (each row of the noise counts as one
    sample). ``samples``, ``models``, ``confidence``: the bound that held-out noisy labels give. ``logits``: the largest
    difference of two logits. Raises InputError for values outside their range.

        >>> from asymtheory import symmetric
        >>> guarantee("amse", symmetric(10, 0.4), a=30).asymmetric
        True

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    model = noise if isinstance(noise, NoiseModel) else from_weights(noise)
    _check_options(excess, samples, models, confidence, logits)
    form = _Form(loss, model.classes)
    rows = _Rows.of(model)
    slacks = form.slacks(rows)
    index = int(slacks.argmin()) if slacks is not None else int(model.worst)
    row = model.rows[index]
    condition = _condition(loss, model, form, slacks)
    slack = None if slacks is None else float(form.slack(row))
    constant, reason = form.constant(row, rows) if condition.asymmetric else (None, condition.reason)
    relative = None if slack is None else form.relative(slack)
    return Guarantee(
        loss=str(loss),
        asymmetric=condition.asymmetric,
        slack=slack,
        constant=constant,
        sharp=form.sharp(rows),
        span=form.span,
        relative=relative,
        radius=form.radius(row) if condition.asymmetric else None,
        keeps_argmax=form.keeps_argmax and all(rows.dominant) if form.keeps_argmax is not None else None,
        binding_class=index,
        margin=float(row.margin),
        reason=reason,
        names=model.names,
        trade=None if excess is None or slacks is None else trade_off(slacks, excess),
        sample=None
        if samples is None or not condition.asymmetric
        else form.sample_bound(rows, samples, models, confidence),
        logits=None if logits is None else form.finite_logits(model.rows, logits),
    )


def relative_constant(loss: Loss, noise: NoiseModel) -> Number | None:
    """Span over slack on the binding row of a noise model, a Fraction as sharp as 100 bits where it can be; inf where the slack is
    not positive or the loss not bounded, None where its form has no slack or its phi_k are neither convex nor concave."""
    form = _Form(loss, noise.classes)
    slacks = form.slacks(_Rows.of(noise))
    if slacks is None:
        return None
    row = noise.rows[int(slacks.argmin())]
    total = Fraction(row.total)
    slack = form.slack_at(Fraction(row.top) / total, Fraction(row.second) / total)
    if form.span is None or not slack > 0:
        return math.inf
    return form.dropped / slack if isinstance(form.dropped, Fraction) else float(form.dropped) / float(slack)


def tolerance(loss: Loss, noise: NoiseModel) -> Tolerance:
    """Constant and radius of a loss that is asymmetric on a noise model; the verdict itself is not checked."""
    form, rows = _Form(loss, noise.classes), _Rows.of(noise)
    slacks = form.slacks(rows)
    row = noise.rows[int(slacks.argmin()) if slacks is not None else noise.worst]
    return Tolerance(form.constant(row, rows)[0], form.radius(row))


def trade_off(slacks: ArrayLike, excess: float) -> Trade:
    """The least of ``P(slack < t) + (2 / t) excess`` over t > 0, for the slacks of a sample (N,) and an excess risk >= 0.

    Valid for every t: where the slack is at least t an error costs t/2 of excess risk, and elsewhere the excess is not
    negative. The least is at one of the slacks, because the share only changes there.
    """
    values = np.sort(np.asarray(slacks, dtype=float))
    positive = values[values > 0]
    if positive.size == 0:
        return Trade(excess, math.inf, 1.0, 1.0)
    levels, first = np.unique(values, return_index=True)
    below = first[levels > 0] / values.size
    bounds = below + 2 * excess / levels[levels > 0]
    best = int(bounds.argmin())
    if bounds[best] >= 1:
        return Trade(excess, math.inf, 1.0, 1.0)
    return Trade(excess, float(levels[levels > 0][best]), float(below[best]), float(bounds[best]))


# ------------------------------------------------------------------------------------------------------------ the rows


@dataclass(frozen=True)
class _Rows:
    """The two shares of every row that decide: ``top`` = w_m / W and ``second`` = w_n / W, as floats (N,)."""

    top: Array
    second: Array
    model: NoiseModel

    @classmethod
    def of(cls, model: NoiseModel) -> _Rows:
        if isinstance(model, Posteriors):
            array = np.asarray(model.array, dtype=float)
            pair = np.partition(array, array.shape[1] - 2, axis=1)[:, -2:] / array.sum(axis=1, keepdims=True)
            return cls(pair[:, 1], pair[:, 0], model)
        top, second = np.array([(float(row.top / row.total), float(row.second / row.total)) for row in model.rows]).T
        return cls(top, second, model)

    @cached_property
    def uniform(self) -> bool:
        """Is the rest of every row uniform?"""
        return all(row.uniform_rest for row in self.model.rows)

    @property
    def dominant(self) -> NDArray[np.bool_]:
        return self.top > self.second


class _Form:
    """A loss on K classes, seen as what its form allows: end values, end slopes, the shape of its separable part."""

    def __init__(self, loss: Loss, K: int) -> None:
        self.loss, self.K = loss, K
        self.profile = profile = Profile.of(loss, K)
        self.shape = profile.shape()
        self.keeps_argmax = keeps_order(profile)
        self.bounded = [(float(c), atom) for c, atom in profile.normalised if not endless(atom)]
        # a normalised term with g(0) = inf is least in the limit at e_m and adds nothing to any bound, or is felt by two classes
        felt = K == 2 and any(felt_by_two(atom) for _, atom in profile.normalised if endless(atom))
        self.separable = bool(profile.separable) and not (self.bounded or felt or profile.negative or profile.clipped)
        self.active0, self.active1 = (_value(profile, "active", end) for end in (0, 1))
        self.passive0, self.passive1 = (_value(profile, "passive", end) for end in (0, 1))
        self.line = _line(profile) if self.separable and self.shape == CONVEX else None

    @cached_property
    def dropped(self) -> Number:
        """``L(e_k, y) - L(e_y, y)`` of the separable part, what a confident mistake costs: a Fraction where it is finite."""
        zero, one = Fraction(0), Fraction(1)
        return _difference(self.profile, "active", zero, one) + _difference(self.profile, "passive", one, zero)

    @property
    def drop(self) -> float:
        """The same in floats."""
        return float(self.dropped)

    @property
    def span(self) -> float | None:
        """The drop where it bounds the loss; None for a loss that is not bounded or not separable."""
        return self.drop if self.separable and not self.profile.normalised and math.isfinite(self.drop) else None

    def relative(self, slack: float) -> float | None:
        """Span over slack; None where one of them is missing or the slack is not positive."""
        return self.span / slack if self.span is not None and slack > 0 else None

    def slack(self, row: Row) -> Number:
        """The slack of one row, exact where the slopes are rational."""
        return self.slack_at(row.top / row.total, row.second / row.total)

    def slack_at(self, top: Number, second: Number) -> Number:
        """The slack for the shares w_m / W and w_n / W."""
        if self.line is None:
            return (top - second) * self.dropped
        own, other, rest, exact = self.line
        fallen: Number = other * second if second else 0
        risen: Number = own * top
        slack = risen - fallen + rest
        size = abs(float(risen)) + abs(float(fallen)) + abs(float(rest))
        return 0 if not exact and abs(float(slack)) <= EQUAL * size < math.inf else slack

    def slacks(self, rows: _Rows) -> Array | None:
        """The slack of every row (N,); None where the form of the loss has none."""
        if not self.separable or self.shape == MIXED:
            return None
        if self.line is None:
            return np.asarray((rows.top - rows.second) * self.drop)
        own, other, rest = map(float, self.line[:3])
        if math.isinf(own) or math.isinf(rest):  # a passive part of infinite slope at 1
            return None
        with np.errstate(invalid="ignore"):
            fallen = np.where(rows.second > 0, other * rows.second, 0.0)
        return np.asarray(own * rows.top - fallen + rest)

    def constant(self, row: Row, rows: _Rows) -> tuple[float | None, str]:
        """The constant of the tolerance bound on all rows of an asymmetric loss, of which ``row`` binds, and why."""
        least, reason = self._least_excess(row, rows)
        if least is None or not least > 0:
            return None, reason
        return 1 / least, reason

    def _least_excess(self, row: Row, rows: _Rows) -> tuple[float | None, str]:
        """A lower bound on F(u) - inf F where another class than m has the largest entry, on every row."""
        margin = float(row.margin)
        if self.profile.negative:
            ((weight, _), *_) = self.profile.negative
            settled = not self.profile.separable or self.shape in (LINEAR, CONCAVE)
            if settled and (not self.profile.normalised or rows.uniform):
                return float(weight) * margin / 2, "a wrong argmax leaves h_m at most half of the sum of all h_k"
            return None, NOT_SEPARABLE
        if self.bounded:
            return self._least_bounded(row, rows)
        if not self.separable:
            return None, NOT_SEPARABLE
        if self.shape == MIXED:
            return None, NEITHER
        if self.shape == CONVEX:
            slack = float(self.slack(row))
            return slack / 2, "every phi_k is convex: the tangents at e_m bound the risk" if slack > 0 else EQUALITY
        return self._least_concave(rows), "every phi_k is concave or linear: the risk is least at an extreme point"

    def _least_concave(self, rows: _Rows) -> float:
        """The exact least excess: at e_n, or half-way between e_m and e_n (the extreme points of u_n >= u_m), on any row.

        Half-way it is not a function of the margin, so a row other than that of least margin may have it.
        """
        half, own, other = Fraction(1, 2), rows.top, rows.second
        ends = [(side, Fraction(end)) for side in ("active", "passive") for end in (0, 1)]
        active0, active1, passive0, passive1 = (float(_difference(self.profile, side, half, end)) for side, end in ends)
        middle = own * active1 + (1 - own) * passive1 + other * active0 + (1 - other) * passive0
        return float(np.minimum(middle, (own - other) * self.drop).min())

    def _least_bounded(self, row: Row, rows: _Rows) -> tuple[float | None, str]:
        """NGCE and its sums where the rest is uniform: L(u, m) is at least g(1/2) / (2 g(1/2) + (K - 2) g(0))."""
        if not rows.uniform or (self.profile.separable and self.shape == MIXED):
            return None, NOT_SEPARABLE
        if self.profile.separable and self.shape == CONVEX:
            slack = float(self.profile.slopes(FLOAT).slack(*_shares(row), 1.0))
            if slack < 0:  # the convex terms alone fall: what the normalised ones rise by at first order is left
                slack += float(row.margin) * float(self.profile.pull(FLOAT)) if self._rises else 0.0
                return slack / 2, BESIDE if slack > 0 else EQUALITY
        least = 0.0
        for weight, atom in self.bounded:
            zero, half = (atom.base.on(FLOAT).active(u, math.log(u) if u else -math.inf, FLOAT) for u in (0.0, 0.5))
            least += weight * float(row.margin) * float(half) / float(2 * half + (self.K - 2) * zero)
        if self.profile.separable and self.shape == CONVEX:
            least += slack / 2
        elif self.profile.separable:
            least += self._least_concave(rows)
        return least, "the rest is uniform: the risk grows with the loss on the largest class"

    @property
    def _rises(self) -> bool:
        """Are the bases of all finite normalised terms convex?"""
        return all(atom.base.curvature()[0] == CONVEX for _, atom in self.bounded)

    def radius(self, row: Row) -> Radius | None:
        """How far the row may move: mass from m to n lowers the slack fastest."""
        if self.separable and self.line is not None:
            own, other = map(float, self.line[:2])
            reach = 0.0 if math.isinf(other) or math.isinf(own) else float(self.slack(row)) / (own + other)
        elif (self.separable and self.shape in (LINEAR, CONCAVE)) or self._only_negative:
            reach = float(row.margin) / 2
        elif self.bounded and not self.profile.separable and not self.profile.negative and (self.K == 2 or self._steep):
            reach = float(row.margin) / 2 if self.K == 2 else 0.0  # else a uniform rest is needed
        else:
            return None
        return Radius(2 * reach, reach, reach)

    @property
    def _steep(self) -> bool:
        """Do all finite normalised terms fall at an infinite rate where mass begins to go to another class?"""
        return all(leaves_steeply(atom) for _, atom in self.bounded)

    @property
    def _only_negative(self) -> bool:
        p = self.profile
        return bool(p.negative) and not p.separable and not p.normalised

    def sharp(self, rows: _Rows) -> float | None:
        """The best constant on all rows, numerically; None where phi_k is neither convex nor concave, some m does not win, the
        least excess is lost in the rounding of the risk, or too many rows of convex phi_k differ."""
        if not self.keeps_argmax or not rows.dominant.all() or self.shape == MIXED:
            return None
        least = self._least_concave(rows) if self.shape != CONVEX else self._least_of_an_error(rows.model)
        return 1 / least if 0 < least < math.inf else None

    def _least_of_an_error(self, model: NoiseModel) -> float:
        """The least excess of convex phi_k where m does not win; NaN where it is not known.

        It is at least half of the slack, so rows of more slack than twice the least so far are left out.
        """
        found = [row for _, row in distinct_rows(model)] if len(model.rows) <= MOST_ROWS else []
        least = math.inf if found else math.nan
        for count, row in enumerate(sorted(found, key=lambda row: float(self.slack(row)))):
            if not float(self.slack(row)) < 2 * least:
                break
            if count == MOST_DISTINCT:
                return math.nan
            weights = np.array([float(w / row.total) for w in row.weights])
            risk = float(minimise(self.loss, weights).value)
            excess = least_risk_of_an_error(self.profile, weights, row.target, row.runner_up) - risk
            if not max(KNOWN * abs(risk), self.noise) < excess:
                return math.nan
            least = min(least, excess)
        return least

    @cached_property
    def noise(self) -> float:
        """What floats lose of a risk where the terms of the loss cancel, as seen at some points, times a million."""
        zero = Fraction(0)
        lost = (
            abs(
                float(self.profile.jet(side, float(u), FLOAT)[0] - self.profile.jet(side, 0.0, FLOAT)[0]) - float(exact)
            )
            for side in ("active", "passive")
            for u in LOOKED_AT
            if not math.isinf(exact := _difference(self.profile, side, u, zero))
        )
        return 1e6 * self.K * max(lost, default=0.0)

    def sample_bound(self, rows: _Rows, samples: int, models: int, confidence: float) -> SampleBound | None:
        """Hoeffding over held-out labels; None where the loss is not bounded or its pointwise minimum is not the vertex."""
        if self.span is None or self.shape == MIXED:
            return None
        rest = 0.0
        if self.profile.curvature()[1] == CONCAVE:
            spread_out = float(self.profile.jet("passive", FLOAT.number(Fraction(1, self.K - 1)), FLOAT)[0])
            rest = (self.K - 1) * (spread_out - self.passive0) - (self.passive1 - self.passive0)
        spread = self.drop + max(0.0, rest)
        deviation = spread * math.sqrt(math.log(models / (1 - confidence)) / (2 * samples))
        own = self.active1 + (self.K - 1) * self.passive0
        least = float(own + (1 - rows.top.max()) * self.drop)
        return SampleBound(samples, models, confidence, spread, deviation, least)

    def finite_logits(self, rows: Iterable[Row], spread: float) -> FiniteLogits:
        """The first-order condition at the point nearest to e_m whose logits differ by at most ``spread``."""
        holds, least, most = True, 0.0, math.inf
        for row in rows:
            separable, normalised = self._pulls(row, spread)
            total = separable + normalised
            holds = holds and bool((total >= 0).all())
            for s, n in zip(separable, normalised, strict=True):
                if n < 0:
                    least = max(least, float(-n / s) if s > 0 else math.inf)
                elif s < 0:
                    most = min(most, float(n / -s))
        least = least if least <= most else math.inf
        return FiniteLogits(spread, holds, None if self.balance is None else least * self.balance)

    @property
    def balance(self) -> float | None:
        """beta / alpha of ``alpha N + beta S``, N normalised and S separable; None for any other sum."""
        terms = list(self.loss.terms())
        if len(terms) != 2 or not (self.profile.normalised and self.profile.separable):
            return None
        (alpha, _), (beta, _) = sorted(terms, key=lambda term: not isinstance(term[1], Normalised))
        return float(beta / alpha)

    def _pulls(self, row: Row, spread: float) -> tuple[Array, Array]:
        """Slopes of the risk in the logit of every other class, of the separable and of the normalised part (K - 1,)."""
        if self.profile.negative or self.profile.clipped:
            raise InputError(f"{self.loss}: finite logits are judged for separable and normalised losses only")
        low = math.exp(-spread) / (1 + (self.K - 1) * math.exp(-spread))
        weights = np.array([float(w / row.total) for w in row.weights])
        u = np.full(self.K, low)
        u[row.target] = 1 - (self.K - 1) * low
        xp = numpy_()
        active = np.zeros(self.K) + self.profile.jet("active", u, xp)[1]
        passive = np.zeros(self.K) + self.profile.jet("passive", u, xp)[1]
        separable = weights * active + (1 - weights) * passive
        normalised = np.zeros(self.K)
        for weight, atom in self.profile.normalised:
            x = xp.variable(u)
            g = atom.base.on(xp).active(x, xp.log(x), xp)
            mean = float(weights @ g.value / g.value.sum())
            normalised += float(weight) * g.slope * (weights - mean) / g.value.sum()
        others = np.arange(self.K) != row.target
        return tuple((u * (part - u @ part))[others] for part in (separable, normalised))


def _value(profile: Profile, side: str, end: int) -> Number:
    """The value of ``active`` or ``passive`` at 0 or 1: a Fraction where it is rational."""
    near = float(profile.jet(side, FLOAT.number(end), FLOAT)[0])
    found = None if math.isinf(near) else _rational(profile.jet(side, POLY.number(Fraction(end)), POLY)[0])
    return near if found is None else found


def _difference(profile: Profile, side: str, one: Fraction, two: Fraction) -> Number:
    """The value of one side at ``one`` less that at ``two``: a Fraction where both are finite, for in floats they may cancel."""
    near = [float(profile.jet(side, FLOAT.number(u), FLOAT)[0]) for u in (one, two)]
    if not any(map(math.isinf, near)):
        exact = [_rational(profile.jet(side, POLY.number(u), POLY)[0]) for u in (one, two)]
        if exact[0] is not None and exact[1] is not None:
            return exact[0] - exact[1]

        def ball(xp: Backend) -> Scalar:
            first, second = (profile.jet(side, xp.number(u), xp)[0] for u in (one, two))
            return first - second

        if (found := _to_many_bits(ball)) is not None:
            return found
    return near[0] - near[1]


def _line(profile: Profile) -> tuple[Number, Number, Number, bool]:
    """(alpha, beta, gamma, exact) with ``slack = alpha w_m - beta w_n + gamma`` for W = 1; Fractions where the slopes are finite.

    ``exact``: are all slopes rational, so that nothing is rounded?
    """
    ends = [(side, end) for side in ("active", "passive") for end in (0, 1)]
    floats, exact = profile.slopes(FLOAT), profile.slopes(POLY)
    rational = [_rational(getattr(exact, f"{side}{end}")) for side, end in ends]

    def value(side: str, end: int, found: Fraction | None) -> Number:
        near = getattr(floats, f"{side}{end}")
        if math.isinf(near):
            return float(near)
        if found is None:
            found = _to_many_bits(lambda xp: profile.jet(side, xp.number(Fraction(end)), xp)[1])
        return near if found is None else found

    active0, active1, passive0, passive1 = (value(*end, found) for end, found in zip(ends, rational, strict=True))
    return passive1 - active1, passive0 - active0, passive0 - passive1, None not in rational


def _rational(exact: Scalar) -> Fraction | None:
    """The number where it is rational and known to be."""
    return POLY.number(exact).rational() if not isinstance(exact, float) else None


def _to_many_bits(value: Callable[[Backend], Scalar]) -> Fraction | None:
    """A value in Arb, as sharp as ENOUGH bits; None where it has none there (0 times infinity) or is beyond the floats."""
    xp = arb_()
    for bits in MANY:
        with ctx.workprec(bits):
            ball = xp.number(value(xp))
            if not ball.is_finite() or not abs(ball) < LARGEST:
                return None
            if ball.rel_accuracy_bits() >= ENOUGH:
                mantissa, exponent = (int(part) for part in ball.mid().man_exp())
                return Fraction(mantissa) * Fraction(2) ** exponent
    return None


def _shares(row: Row) -> tuple[float, float]:
    return float(row.top / row.total), float(row.second / row.total)


def _condition(loss: Loss, model: NoiseModel, form: _Form, slacks: Array | None) -> Condition:
    """The verdict; of many posteriors of a convex loss from the slacks, for speed, unless one is too close to 0."""
    if len(model.rows) > 2000 and slacks is not None and form.line is not None and abs(slacks).min() > 1e-9:
        worst = int(slacks.argmin())
        return check(loss, from_weights(model.rows[worst].weights))
    return check(loss, model)


# --------------------------------------------------------------------------------------- the least risk of an error


TRIED = 33
"""Multipliers that are tried at once; each round keeps the two around the one whose minimisers have mass 1."""
ROUNDS = 9


def least_risk_of_an_error(profile: Profile, weights: Array, target: int, rival: int) -> float:
    """A lower bound, tight for convex phi_k, on the weighted risk of points with ``u_rival >= u_target``.

    Lagrangian dual in the one multiplier of sum u = 1: at the least risk both entries are equal (swapping them otherwise
    lowers it), so they count as one variable t in [0, 1/2]. Two classes leave t = 1/2. Weights (K,) of total 1.
    """
    kinds, counts = np.unique(np.delete(weights, [target, rival]), return_counts=True)
    pair = weights[[target, rival]]
    if not len(kinds):
        return float(_phi(profile, pair, np.full(2, 0.5))[0].sum())

    def dual(multipliers: Array) -> tuple[Array, Array]:
        """The dual function at multipliers (M,), and the mass that its minimisers take: (M,) each."""
        u = _least_at(profile, kinds[:, None], multipliers, 1.0)
        t = _least_at(profile, pair[None, :], multipliers, 0.5)[:, 0]
        own = _phi(profile, kinds, u)[0] - multipliers[:, None] * u
        both = _phi(profile, pair, t[:, None])[0].sum(1) - 2 * multipliers * t
        return multipliers + own @ counts + both, u @ counts + 2 * t

    reach = 1.0
    while reach < 1e12 and not (dual(np.array([-reach]))[1] < 1 < dual(np.array([reach]))[1]):
        reach *= 8
    multipliers, best = np.linspace(-reach, reach, TRIED), -math.inf
    for _ in range(ROUNDS):
        values, mass = dual(multipliers)
        best = max(best, float(values.max()))
        above = min(max(int(np.searchsorted(mass, 1.0)), 1), TRIED - 1)
        multipliers = np.linspace(multipliers[above - 1], multipliers[above], TRIED)
    return best


def _phi(profile: Profile, weights: Array, u: Array) -> tuple[Array, Array]:
    """Value and slope of phi_k for weights of total 1, elementwise; a weight 0 removes an infinite term."""
    xp = numpy_()
    with np.errstate(all="ignore"):
        active = [np.where(weights > 0, weights * x, 0.0) for x in profile.jet("active", u, xp)[:2]]
        passive = [np.where(weights < 1, (1 - weights) * x, 0.0) for x in profile.jet("passive", u, xp)[:2]]
    return active[0] + passive[0], active[1] + passive[1]


def _least_at(profile: Profile, weights: Array, multipliers: Array, top: float) -> Array:
    """Where ``sum_j phi_j(u) - multiplier u`` is least on [0, top]: rows of weights (B, J), multipliers (M,), points (M, B)."""
    low = np.zeros((len(multipliers), len(weights)))
    high = np.full_like(low, top)
    for _ in range(54):
        u = (low + high) / 2
        falls = (_phi(profile, weights, u[..., None])[1] - multipliers[:, None, None]).sum(-1) < 0
        low, high = np.where(falls, u, low), np.where(falls, high, u)
    return np.asarray((low + high) / 2)


def _check_options(
    excess: float | None, samples: int | None, models: int, confidence: float, logits: float | None
) -> None:
    if excess is not None and not 0 <= excess < math.inf:
        raise InputError(f"excess {excess}: a noisy excess risk is a finite number >= 0")
    if samples is not None and samples < 1:
        raise InputError(f"samples {samples}: at least 1 held-out label is needed")
    if models < 1:
        raise InputError(f"models {models}: at least 1 model is judged")
    if not 0 < confidence < 1:
        raise InputError(f"confidence {confidence}: must be inside (0, 1)")
    if logits is not None and not 0 < logits <= 700:
        raise InputError(f"logits {logits}: the largest difference of two logits must be in (0, 700]")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
