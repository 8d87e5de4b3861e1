"""What the theory says of each draw of a descent: verdicts, thresholds inside a sweep, exact minimisers."""

from __future__ import annotations

import numpy as np

from ..asymmetry.risk import minimise
from ..asymmetry.rules import Rule, is_pointed, rule
from ..losses.base import Loss
from ..losses.profile import Profile
from ..numbers.backends import FLOAT, Backend, numpy_
from .engines import Array
from .recipe import Recipe


def asymmetric(loss: Loss, w: Array) -> Array:
    """Is e_m the only minimiser for each row of w: 1 yes, 0 no, -1 where no rule says."""
    what = rule(loss, w.shape[-1], uniform_rest=w.shape[-1] == 2)
    if what.inequality:
        return np.where(_slack(what, w) >= 0, 1, -1 if what.sufficient_only else 0).astype(np.int8)
    return np.full(len(w), {True: 1, False: 0, None: -1}[what.verdict], dtype=np.int8)


def _slack(what: Rule, w: Array, xp: Backend = FLOAT) -> Array:
    """The slack of the deciding inequality for each row of w; NaN (inf - inf) where it fails at an infinite slope."""
    two = np.partition(w, -2, axis=-1)[:, -2:]
    with np.errstate(all="ignore"):
        return np.asarray(what.slack(two[:, 1], two[:, 0], w.sum(-1), xp), dtype=float)


def thresholds(recipe: Recipe, w: Array, verdicts: Array) -> Array:
    """Where the answer of ``asymmetric`` changes between two values of the sweep, bisected for all draws at once.

    NaN where it never changes, or changes more than once. The bisection may cross a kink (AGCE's at q = 1): where every
    phi_k is concave and e_m therefore the minimiser, the inequality holds too. Whole-number parameters get the value of
    the sweep on the side that holds.
    """
    found = np.full(len(w), np.nan)
    name, values = recipe.parameter, [float(v) for v in recipe.values]
    if name is None or len(values) < 2 or (verdicts < 0).any():
        return found
    changes = verdicts[1:] != verdicts[:-1]
    draws = np.flatnonzero(changes.sum(0) == 1)
    step = changes[:, draws].argmax(0)
    ends = np.array(values)
    low, high, holds_high = ends[step], ends[step + 1], verdicts[step + 1, draws] == 1
    if recipe.loss.domains[name].integer:
        found[draws] = np.where(holds_high, high, low)
        return found
    rules = (rule(loss, w.shape[-1], uniform_rest=w.shape[-1] == 2) for loss in recipe.losses)
    deciding = next((what for what in rules if what.inequality), None)
    if deciding is None:
        return found
    for _ in range(60):
        middle = 0.5 * (low + high)
        if not len(middle):
            break
        holds = _slack(deciding.at(**{name: middle}), w[draws], numpy_()) >= 0
        low, high = np.where(holds == holds_high, low, middle), np.where(holds == holds_high, middle, high)
    found[draws] = 0.5 * (low + high)
    return found


def minimisers(loss: Loss, w: Array, verdicts: Array) -> Array:
    """Exact minimisers (D, K) for rows of w; NaN rows where only a search could find one, or where there is none."""
    points = np.full_like(w, np.nan)
    profile = Profile.of(loss, w.shape[-1])
    if profile.clipped or not is_pointed(loss):
        return points
    known = verdicts == 1 if profile.normalised or profile.negative else verdicts >= 0
    if known.any():
        solution = minimise(loss, w[known])
        if solution.exact or (verdicts[known] == 1).all():
            points[known] = solution.point
    return points
