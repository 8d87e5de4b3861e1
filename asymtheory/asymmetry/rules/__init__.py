"""What decides, for each form of loss, whether it is asymmetric on a row of weights.

``rule`` names what decides, ``decide`` settles a row without a search; proofs are in docs/theory.md:

* every phi_k convex: KKT at the vertex e_m, ``phi_m'(1) <= phi_n'(0)``;
* every phi_k linear or concave: the minimum is at a vertex, so a unique largest weight suffices;
* NCE or NFL added to a separable loss: their term has its least value in the limit at e_m, so they change nothing;
  alone they have no unique minimiser;
* normalised negative losses: the cut-off vertex, for any unique largest weight;
* NGCE: only where all other weights are equal, or not at all;
* cross entropy with clipped logits: only where all other weights are equal and the clip is tight enough;
* anything else: a certified search (``certificates.search``), which may stay undecided but never guesses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ...errors import InputError
from ...losses.base import CONVEX, LINEAR, MIXED, Loss
from ...losses.profile import Profile
from ...noise.rows import NoiseModel, Row
from ...numbers.backends import EXACT, FLOAT, INTERVAL, POLY, Backend, arb_
from ...numbers.text import plain

KKT, DOMINANCE, NEVER, CLIP, SEARCH = "kkt", "dominance", "never", "clip", "search"


@dataclass(frozen=True)
class Rule:
    """What decides for one form of loss: the kind, whether equality still holds, and the reason in one sentence."""

    kind: str
    closed: bool
    reason: str
    sufficient_only: bool = False  # the margin settles "yes" but a negative one says nothing


def rule(loss: Loss, K: int, uniform_rest: bool) -> Rule:
    """The rule for a loss on K classes; ``uniform_rest``: all weights but the largest are equal."""
    profile = Profile.of(loss, K)
    shape = profile.shape()
    if profile.clipped:
        if uniform_rest:
            return Rule(CLIP, True, "on the clipped domain the gap of the logits is at most tau sqrt(K/(K-1))")
        return Rule(NEVER, False, "the other weights differ, so the minimiser's other logits differ")
    if profile.negative:
        _check_room(profile)
        return _rule_negative(profile, shape, uniform_rest)
    unbounded = [term for term in profile.normalised if endless(term[1])]
    if len(unbounded) < len(profile.normalised):
        return _rule_finite_normalised(profile, shape, uniform_rest)
    if profile.normalised and not profile.separable:
        return Rule(
            NEVER,
            False,
            "the risk of a normalised loss has the same infimum wherever some u_k -> 0: no unique minimiser",
        )
    suffix = "; the normalised term is least in the limit at e_m and changes nothing" if profile.normalised else ""
    return _rule_separable(shape, suffix)


def _rule_separable(shape: int | None, suffix: str = "") -> Rule:
    if shape == CONVEX:
        return Rule(KKT, True, "every phi_k is convex: e_m is the minimiser iff phi_m'(1) <= phi_n'(0)" + suffix)
    if shape == MIXED:
        return Rule(SEARCH, False, "phi_k is neither convex nor concave" + suffix)
    word = "linear" if shape == LINEAR else "concave"
    return Rule(DOMINANCE, False, f"every phi_k is {word}: a unique largest weight suffices" + suffix)


def _rule_negative(profile: Profile, shape: int | None, uniform_rest: bool) -> Rule:
    domain = "on its domain u_k >= p_min "
    if profile.normalised and not uniform_rest:
        return Rule(
            SEARCH, False, domain + "the two normalised terms pull apart where the other weights differ: no closed rule"
        )
    if not profile.separable or shape in (LINEAR, -1):
        return Rule(
            DOMINANCE, False, domain + "every term has its unique minimum at the cut-off vertex of the largest weight"
        )
    if shape == CONVEX:
        return Rule(KKT, True, domain + "every term has its minimum at the cut-off vertex", sufficient_only=True)
    return Rule(SEARCH, False, domain + "phi_k is neither convex nor concave")


def _rule_finite_normalised(profile: Profile, shape: int | None, uniform_rest: bool) -> Rule:
    if not uniform_rest:
        slopes = profile.slopes(FLOAT)
        if profile.separable and math.inf in (abs(slopes.active0), abs(slopes.passive0)):
            return Rule(SEARCH, False, "infinite slopes compete at u_n = 0")
        return Rule(
            NEVER,
            False,
            "some other weight exceeds the mean of the others, and the normalised term falls towards it at rate -inf",
        )
    if not profile.separable or shape in (LINEAR, -1):
        return Rule(DOMINANCE, False, "the other weights are equal: the risk increases with the loss on the largest")
    if shape == CONVEX:
        return Rule(KKT, True, "every term has its minimum at e_m", sufficient_only=True)
    return Rule(SEARCH, False, "phi_k is neither convex nor concave")


def _check_room(profile: Profile) -> None:
    ((_, atom), *_) = profile.negative
    if isinstance(atom.p_min, Fraction) and atom.p_min * profile.K >= 1:
        raise InputError(
            f"{atom.name}: p_min = {plain(atom.p_min)} is outside (0, 1/{profile.K}): "
            f"there must be room for {profile.K} classes with u_k >= p_min"
        )


def endless(atom: Any) -> bool:
    """Is the base of a normalised term infinite at 0 (NCE, NFL)? Its limit at the boundary then depends on the path."""
    zero = FLOAT.variable(0.0)
    return bool(atom.base.on(FLOAT).active(zero, FLOAT.log(zero), FLOAT).value == math.inf)


# --------------------------------------------------------------------------------------------- deciding


def gap(loss: Loss, kind: str, K: int, top: Any, second: Any, total: Any, xp: Backend) -> Any:
    """The quantity whose sign decides under a rule; weights and result in the number system of ``xp``."""
    if kind == KKT:
        return Profile.of(loss, K).slopes(xp).slack(top, second, total)
    if kind == CLIP:
        ((_, atom),) = loss.terms()
        return top - second * xp.exp(atom.on(xp).tau * xp.number(1 + Fraction(1) / (K - 1)) ** Fraction(1, 2))  # type: ignore[attr-defined]
    return top - second


@dataclass(frozen=True)
class Decision:
    """Verdict on one row of weights: ``holds`` is None where a search would be needed."""

    holds: bool | None
    gap: float | None  # divided by the total weight
    rule: Rule


def decide(loss: Loss, row: Row) -> Decision:
    """Settle one row without a search, exactly at the boundary where exact arithmetic reaches it."""
    if not row.dominant:
        return Decision(False, float((row.top - row.second) / row.total), _NOT_DOMINANT)
    if row.second == 0 and is_pointed(loss):
        return Decision(True, None, _CLEAN)
    what = rule(loss, len(row.weights), row.uniform_rest)
    if what.kind in (NEVER, SEARCH):
        return Decision(False if what.kind == NEVER else None, None, what)
    sign, value = _sign(loss, what.kind, row)
    holds = None if sign is None else sign > 0 or (sign == 0 and what.closed)
    if what.sufficient_only and not holds:
        holds = None
    return Decision(holds, value, what)


_NOT_DOMINANT = Rule(NEVER, False, "the clean label has not the unique largest weight")
_CLEAN = Rule(DOMINANCE, False, "all other weights are 0: the risk is a multiple of the loss itself")


def is_pointed(loss: Loss) -> bool:
    """Does L(., y) have a single minimiser? NCE and NFL alone do not: they vanish wherever another u_k -> 0."""
    profile = Profile.of(loss, 3)
    return bool(profile.separable or profile.negative or profile.clipped) or not all(
        endless(atom) for _, atom in profile.normalised
    )


def _sign(loss: Loss, kind: str, row: Row) -> tuple[int | None, float]:
    K, top, second, total = len(row.weights), row.top, row.second, row.total
    ball = gap(loss, kind, K, top, second, total, INTERVAL)
    low, high = (ball.low, ball.high) if hasattr(ball, "low") else (float(ball), float(ball))
    value = (low + high) / 2 if math.inf not in (abs(low), abs(high)) else (low if abs(low) == math.inf else high)
    sign = 1 if low > 0 else -1 if high < 0 else 0 if low == high == 0 else None
    if sign is None:
        top, second, total = Fraction(top), Fraction(second), Fraction(total)
        rational = POLY.number(gap(loss, kind, K, top, second, total, POLY)).rational()  # plain fractions, fast
        exact = EXACT.number(gap(loss, kind, K, top, second, total, EXACT) if rational is None else rational)
        sign = exact.sign if exact.known else _ball_sign(loss, kind, row)
        if sign is not None:
            value = abs(value) * sign  # so that what is shown does not deny the verdict by rounding or overflow
    return sign, value / float(row.total)


# ------------------------------------------------------------------------------------------ rows that bind


def _ball_sign(loss: Loss, kind: str, row: Row) -> int | None:
    """The sign in Arb, where floats overflow or cancel and no exact form is at hand; None next to 0."""
    from flint import ctx

    xp = arb_()
    with ctx.workprec(200):
        top, second, total = (xp.number(Fraction(w)) for w in (row.top, row.second, row.total))
        value = xp.number(gap(loss, kind, len(row.weights), top, second, total, xp))
        return 1 if value > 0 else -1 if value < 0 else None


def distinct_rows(model: NoiseModel) -> list[tuple[int, Row]]:
    """The rows of a model that differ by more than the order and the scale of their weights."""
    seen: dict[tuple[Any, ...], tuple[int, Row]] = {}
    for index, row in enumerate(model.rows):
        others = sorted(w for k, w in enumerate(row.weights) if k != row.target)
        seen.setdefault((row.top / row.total, *(w / row.total for w in others)), (index, row))
    return list(seen.values())


def binding_rows(model: NoiseModel) -> list[tuple[int, Row]]:
    """The rows that can bind: one with a larger w_m/W and a smaller w_n/W than another is implied by it.

    Every rule here depends on these two shares only and is monotone in both (docs/theory.md); rows whose rest is
    uniform are kept apart.
    """
    rows = [(row.top / row.total, row.second / row.total, index, row) for index, row in enumerate(model.rows)]
    rows.sort(key=lambda r: (r[0], -r[1], r[2]))
    kept: list[tuple[int, Row]] = []
    largest: dict[bool, Any] = {True: -1, False: -1}
    for _, second, index, row in rows:
        if second > largest[row.uniform_rest]:
            largest[row.uniform_rest] = second
            kept.append((index, row))
    return sorted(kept, key=lambda r: r[0])
