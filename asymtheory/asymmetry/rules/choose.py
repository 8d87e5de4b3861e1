"""Which rule decides for a loss."""

from __future__ import annotations

import math
from fractions import Fraction

from ...errors import InputError
from ...losses.base import CONVEX, LINEAR, MIXED, Curvature, Loss, NormalisedNegative
from ...losses.newer import Spread
from ...losses.papers import CE, LogitClipCE
from ...losses.profile import Profile
from ...noise.rows import Row
from ...numbers.backends import FLOAT
from ...numbers.text import plain
from .base import Decision, Rule, endless, felt_by_two, leaves_steeply, unbounded
from .beside import Beside
from .clip import Clip, ClipApart
from .cutoff import CutOff
from .dominance import Dominance
from .joint import NOT_SEPARABLE, Joint
from .kkt import KKT
from .logarithms import INSIDE, LIMIT, LIMIT_OF_SUM, Logarithms, TwoLogarithms, applies
from .never import Never, NoMinimiser
from .search import Search

TWO_CLASSES = "with two classes the risk is w_n + (w_m - w_n) L(u, m): every minimising sequence tends to e_m"
BESIDE = "the other weights are equal and all terms convex: e_m is the minimiser iff the risk does not fall there to first order"
BELOW = "the risk is unbounded below as u_k -> 0 for another class, since the part of each other class is"
CUT_OFF_CONVEX = "the cut-off vertex is the minimiser if phi_m'(1) <= phi_n'(0), else a search decides"
LEAST = "each term is least at e_m by itself, being concave, linear, or cut off where one entry at most exceeds the cut"
NEITHER = "phi_k is neither convex nor concave"


def rule(loss: Loss, K: int, uniform_rest: bool) -> Rule:
    """The rule for a loss on K classes; ``uniform_rest``: all weights but the largest are equal.

    Raises InputError for a p_min that leaves no room for K classes, and for a formula that does not separate beside a loss with
    a domain of its own.
    """
    if loss.joint:
        _check_domain(loss)
        return Joint(loss, K, NOT_SEPARABLE)
    profile = Profile.of(loss, K)
    if profile.clipped:
        if uniform_rest:
            return Clip(loss, K, "on the clipped domain the gap of the logits is at most tau sqrt(K/(K-1))")
        return ClipApart(loss, K, "the other weights differ, so the minimiser's other logits differ")
    if profile.negative:
        return _negative(loss, profile, uniform_rest)
    if applies(profile):
        alone = not profile.normalised and all(type(atom) in (CE, Spread) for _, atom in profile.separable)
        return TwoLogarithms(loss, K, LIMIT if alone else LIMIT_OF_SUM) if K == 2 else Logarithms(loss, K, INSIDE)
    if unbounded(profile):
        return Never(loss, K, BELOW)
    if not all(endless(atom) for _, atom in profile.normalised):
        return _finite_normalised(loss, profile, uniform_rest)
    if profile.normalised and not profile.separable:
        if K == 2:
            return Dominance(loss, K, TWO_CLASSES)
        why = "the risk of a normalised loss has the same infimum wherever some u_k -> 0: no unique minimiser"
        return NoMinimiser(loss, K, why)
    if K == 2 and not profile.least_at_vertex and any(felt_by_two(atom) for _, atom in profile.normalised):
        return Search(
            loss,
            K,
            "with two classes the normalised term may rise from e_m as fast as the mass that leaves it, or faster",
        )
    suffix = "; the normalised term is least in the limit at e_m and changes nothing" if profile.normalised else ""
    return _separable(loss, profile, suffix)


def decide(loss: Loss, row: Row) -> Decision:
    """Settle one row without a search, by the rule for it (``Rule.decide``)."""
    return rule(loss, len(row.weights), row.uniform_rest).decide(row)


def _separable(loss: Loss, profile: Profile, suffix: str) -> Rule:
    shape, K = profile.shape(), profile.K
    if shape == CONVEX:
        return KKT(loss, K, "every phi_k is convex: e_m is the minimiser iff phi_m'(1) <= phi_n'(0)" + suffix)
    if shape is MIXED and profile.least_at_vertex:
        return Dominance(loss, K, LEAST + suffix)
    if shape is MIXED:
        return Search(loss, K, NEITHER + suffix, necessary=True, shapes=_shapes(profile))
    word = "linear" if shape == LINEAR else "concave"
    return Dominance(loss, K, f"every phi_k is {word}: a unique largest weight suffices" + suffix)


def _negative(loss: Loss, profile: Profile, uniform_rest: bool) -> Rule:
    _check_room(profile)
    shape, K, domain = profile.shape(), profile.K, "on its domain u_k >= p_min "
    if profile.normalised and not uniform_rest:
        why = "the two normalised terms pull apart where the other weights differ: no closed rule"
        return Search(loss, K, domain + why)
    if not profile.separable or profile.least_at_vertex:
        return CutOff(loss, K, domain + "every term has its unique minimum at the cut-off vertex of the largest weight")
    if shape == CONVEX:
        return KKT(loss, K, domain + CUT_OFF_CONVEX, sufficient_only=True)
    return Search(loss, K, domain + NEITHER)


def _finite_normalised(loss: Loss, profile: Profile, uniform_rest: bool) -> Rule:
    shape, K = profile.shape(), profile.K
    if not uniform_rest:
        if profile.separable and not _falls_faster(profile):
            return Search(loss, K, "the normalised term falls towards another class no faster than another term rises")
        if not all(leaves_steeply(atom) for _, atom in profile.normalised):
            return Joint(loss, K, "the normalised term leaves e_m with a finite slope, and the other weights differ")
        why = "some other weight exceeds the mean of the others, and the normalised term falls towards it at rate -inf"
        return Never(loss, K, why)
    if not profile.separable or profile.least_at_vertex:
        return Dominance(loss, K, "the other weights are equal: the risk increases with the loss on the largest")
    convex = all(atom.base.curvature()[0] == CONVEX for _, atom in profile.normalised)
    if shape == CONVEX and convex:
        return Beside(loss, K, BESIDE)
    return Search(loss, K, NEITHER, necessary=True, shapes=_shapes(profile), finite=True, rises=convex)


def _shapes(profile: Profile) -> tuple[Curvature, ...] | None:
    """The shapes of all separable terms; None where one has none."""
    found = tuple(profile.shapes())
    return None if any(MIXED in shape for shape in found) else found


def _falls_faster(profile: Profile) -> bool:
    """Does a normalised term leave the vertex with a smaller power of the mass than every rise of the separable part?

    It falls like x^q where x goes to the runner-up; the separable part rises like the powers of active at u_m = 1 and of
    passive at u_n = 0. Where the exponents are not found, slopes that are finite settle it. NCE and NFL do not fall: e_m has
    their infimum.
    """
    bases = [Profile(profile.K, ((c, atom.base),), (), (), ()) for c, atom in profile.normalised if not endless(atom)]
    try:
        falls = min(_power(base, "active", 0) for base in bases)
        return falls < min(_power(profile, "active", 1), _power(profile, "passive", 0))
    except ArithmeticError:
        slopes = profile.slopes(FLOAT)
        return math.inf not in (abs(slopes.active1), abs(slopes.passive0))


def _power(profile: Profile, side: str, end: int) -> Fraction:
    """The exponent with which one side leaves its value at u = 0 or 1; 1 for a constant. Raises NoGerm where none is found."""
    germ = profile.germ(side, end)
    return Fraction(1) if germ.constant else germ.r


def _check_domain(loss: Loss) -> None:
    for _, atom in loss.terms():
        if isinstance(atom, (NormalisedNegative, LogitClipCE)):
            raise InputError(
                f"{atom.name} lives on its own domain and cannot be summed with a formula that does not separate"
            )


def _check_room(profile: Profile) -> None:
    ((_, atom), *_) = profile.negative
    if isinstance(atom.p_min, Fraction) and atom.p_min * profile.K >= 1:
        raise InputError(
            f"{atom.name}: p_min = {plain(atom.p_min)} is outside (0, 1/{profile.K}): "
            f"there must be room for {profile.K} classes with u_k >= p_min"
        )
