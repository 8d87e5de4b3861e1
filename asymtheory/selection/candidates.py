"""One loss judged on a noise: its feasible values, the recommended one, what it covers, what it costs, and why.

Within the feasible values the one that fits best (``fitting``) of those that leave half of the error that any loss can bear is
recommended (``recommended``); where nothing covers all, a value that covers nearly the most that any does.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from ..asymmetry.binding import distinct_rows
from ..asymmetry.fitting import FITTED, FittingSlope, fitting_slope, led_by_nce
from ..asymmetry.guarantees import Tolerance, tolerance
from ..asymmetry.rules import rule
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import Loss, Normalised, NormalisedNegative
from ..losses.papers import CE, FL
from ..losses.published import Setting, published_settings
from ..noise.estimate import NoiseEstimate, Range
from ..noise.rows import NoiseModel
from ..numbers.text import number, plain, show
from ..threshold.pieces import Threshold
from ..threshold.solve import solve
from .coverage import CurvePoint, Share, curve, missed, share
from .floats import feasible
from .recommended import ENOUGH as ENOUGH_LEFT
from .recommended import leaves_enough, rounded, share_left, values_inside

ENOUGH = 0.95
"""Where no value covers all rows: of the values that cover this part of the most that any does, the one that fits best."""
MOST_SEARCHED = 16
"""A loss that needs a search on every row is searched on at most that many different rows."""
LEDGER = os.path.join(os.path.dirname(__file__), os.pardir, "claims", "recorded.json")

# what the ledger has on normalised losses where the other classes' weights differ, by the form of the loss
NORMALISED_CLAIMS = {
    "nce": ("apl-lemma2-condition", "APL's condition for tolerance to such noise (0 <= L <= 1/(K-1))"),
    "ngce": ("alf-thm3", "ALF Theorem 3, by which it would be asymmetric"),
    "negative": ("anl-tolerance", "the tolerance that ANL claims"),
}


@dataclass(frozen=True)
class Published:
    """A setting that papers print, on this noise. None: decided by a search that was not made."""

    parameters: dict[str, Fraction]
    sources: tuple[str, ...]  # "cifar10 [JAL Table 8]"
    share: Share

    @property
    def holds(self) -> bool | None:
        """Asymmetric on every row, at the confidence where the noise is estimated."""
        return None if self.share.guaranteed is None else self.share.complete

    def to_dict(self, unit: str) -> Json:
        return {
            "parameters": {name: number(value) for name, value in self.parameters.items()},
            "sources": list(self.sources),
            "asymmetric": self.holds,
            "coverage": self.share.to_dict(unit),
        }

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {plain(value)}" for name, value in self.parameters.items()) or "no parameters"
        verdict = {True: "holds", False: f"covers {show(self.share.rows, 3)}", None: "not searched"}[self.holds]
        return f"{values} ({', '.join(self.sources)}): {verdict}"


@dataclass(frozen=True)
class Candidate:
    """One loss on this noise.

    ``loss`` has the recommended parameters. ``threshold`` is the answer at the confidence (at the worst corner), ``at``
    that of the point estimate; where the noise is taken as given they are the same. ``end`` is the threshold itself with
    the interval that the estimate leaves open.
    """

    loss: Loss
    parameter: str | None
    threshold: Threshold
    at: Threshold
    end: Range | None
    coverage: Share
    slope: FittingSlope
    curve: tuple[CurvePoint, ...]
    published: tuple[Published, ...]
    reason: str
    notes: tuple[str, ...]
    # what the recommended value guarantees on the point estimate (None where infeasible), and its radius as a share of the
    # most that any loss can bear (None where the form of the loss has none)
    tolerance: Tolerance | None = None
    left: float | None = None

    @property
    def led(self) -> bool:
        """Does an NCE term lead (see ``slopes.led_by_nce``)?"""
        return led_by_nce(self.loss, self.slope.K)

    @property
    def bears(self) -> bool:
        """Does the recommended value bear enough of an error in the noise, as far as such an error is asked for?"""
        return self.tolerance is None or (self.left is not None and self.left >= ENOUGH_LEFT)

    @property
    def feasible(self) -> bool:
        """Asymmetric on all rows (at the confidence) with the recommended parameters."""
        return self.threshold.status in ("threshold", "always")

    def to_dict(self, unit: str) -> Json:
        found = self.threshold.to_dict()
        return {
            "loss": self.loss.name,
            "parameters": {name: number(value) for name, value in self.loss.parameters.items()},
            "parameter": self.parameter,
            "status": self.threshold.status,
            "feasible": found["feasible"],
            "pieces": found["pieces"],
            "answer": self.threshold.answer,
            "estimate": self.at.answer,
            "threshold": None if self.end is None else self.end.to_dict(),
            "coverage": self.coverage.to_dict(unit),
            "slope": self.slope.to_dict(),
            "guarantee": None if self.tolerance is None else {**self.tolerance.to_dict(), "share": self.left},
            "reason": self.reason,
            "notes": list(self.notes),
            "published": [setting.to_dict(unit) for setting in self.published],
            "curve": [point.to_dict(unit) for point in self.curve],
        }


# ----------------------------------------------------------------------------------------------- judging


def judge(loss: Loss, known: NoiseEstimate) -> Candidate:
    """One loss judged: its feasible values, the recommended one, what it covers and costs."""
    parameter = loss.main
    loss = loss if parameter is None else loss.prepared(parameter)
    if known.given:
        at = worst = best = _solved(loss, parameter, known.noise)
    else:
        at, worst, best = (feasible(loss, parameter, known.noise, *pair, known.uniform) for pair in known.deciding)
    settings = _published(loss, known)
    points: tuple[CurvePoint, ...] = ()
    inside: set[Fraction] = set()
    if parameter is not None:
        margin_of = known.noise if known.unit == "class" else None
        inside = {value for piece in worst.pieces for value in values_inside(loss, parameter, piece, margin_of)}
        ends = [end for answer in (worst, at, best) for piece in answer.pieces for end in (piece.low, piece.high)]
        asked = {Fraction(e.value) for e in ends if e is not None and Fraction(e.value) in loss.domains[parameter]}
        asked |= {s.parameters[parameter] for s in settings if parameter in s.parameters}
        points = curve(loss, parameter, known, asked | inside | {loss.parameters[parameter]})
    chosen = _recommended(loss, parameter, worst, known, points, inside)
    covered = share(chosen, known)
    if worst.status in ("threshold", "always") and (parameter is None or known.unit == "class"):
        covered = Share(1.0, 1.0, 1.0)  # by the threshold, which floats may miss by their last bit
    elif worst.status == "never" and covered.rows is None:
        covered = Share(0.0, 0.0, 0.0)
    slope = fitting_slope(chosen, known.K)
    notes = _notes(chosen, slope, known)
    candidate = Candidate(
        chosen, parameter, worst, at, _end(at, worst, best), covered, slope, points, settings, "", notes
    )
    if candidate.feasible and known.unit == "class":
        numbers, left = tolerance(chosen, known.noise), share_left(chosen, known.noise)
        candidate = replace(candidate, tolerance=numbers, left=left)
    return replace(candidate, reason=_reason(candidate, known))


def _solved(loss: Loss, parameter: str | None, model: NoiseModel) -> Threshold:
    """``solve``, but for losses that would be searched for too long."""
    general = rule(loss, model.classes, False)
    searched = general.searched and not all(row.uniform_rest for row in model.rows)
    if model.dominant and searched and len(distinct_rows(model)) > MOST_SEARCHED:
        why = f"{general.reason}; not searched on {len(model.rows)} rows (`asymtheory check` does)"
        return Threshold(loss, parameter, "undecided", (), model, model.worst, why, "no search")
    return solve(loss, model, parameter)


def _end(at: Threshold, worst: Threshold, best: Threshold) -> Range | None:
    """The threshold with the interval that the estimate leaves open; infinite where the worst (best) corner has none."""
    if at.end is None:
        return None
    if worst is at:
        return Range(at.end.value)
    grows = at.feasible is not None and at.feasible.low is at.end  # feasible above the threshold
    hard, easy = (math.inf, -math.inf) if grows else (-math.inf, math.inf)
    far = worst.end.value if worst.end is not None else hard
    near = best.end.value if best.end is not None else easy
    return Range(at.end.value, min(far, near), max(far, near))


def _recommended(
    loss: Loss, parameter: str | None, found: Threshold, known: NoiseEstimate,
    points: Sequence[CurvePoint], inside: set[Fraction],
) -> Loss:  # fmt: skip
    """The loss with the feasible value that fits best and leaves enough; where none is feasible, the one that covers most."""
    if parameter is None:
        return loss
    domain = loss.domains[parameter]
    if found.pieces and known.unit == "class":
        values = set(inside)
        if not values or any(loss.parameters[parameter] in piece for piece in found.pieces):
            values.add(loss.parameters[parameter])
        losses = [loss._with(**{parameter: value}) for value in sorted(values)]
        return _best([each for each in losses if leaves_enough(each, known.noise)] or losses, known.K)
    most = max((covered_share(point.share) for point in points), default=0.0)
    if most == 0:
        return loss
    enough = [loss._with(**{parameter: p.exact}) for p in points if covered_share(p.share) >= ENOUGH * most]
    best = _best(enough, known.K).parameters[parameter]
    tries = [rounded(best, digits, up) for digits in (2, 3) for up in (True, False)]
    losses = [loss._with(**{parameter: value}) for value in tries if value in domain]
    good = [each for each in losses if covered_share(share(each, known)) >= ENOUGH * most]
    return good[0] if good else loss._with(**{parameter: best})


def _best(losses: Sequence[Loss], K: int) -> Loss:
    """The one that fits best, of those whose asymmetric part outweighs an NCE term where there are such."""
    anchored = [loss for loss in losses if not led_by_nce(loss, K)]
    return max(anchored or losses, key=lambda loss: fitting_slope(loss, K).ratio)


def covered_share(found: Share) -> float:
    """What ranks a loss: its share at the confidence, else (nothing is certain anywhere) a hundredth of the estimate's."""
    return found.guaranteed or (found.rows or 0.0) / 100


def _published(loss: Loss, known: NoiseEstimate) -> tuple[Published, ...]:
    """The papers' settings for a loss, equal ones together."""
    try:
        settings = published_settings(loss.name)
    except InputError:  # a loss of the user's own
        return ()
    together: dict[tuple[Any, ...], list[Setting]] = {}
    for setting in settings:
        together.setdefault(tuple(sorted(setting.parameters.items())), []).append(setting)
    found = []
    for same in together.values():
        sources = tuple(dict.fromkeys(f"{setting.dataset} [{setting.source}]" for setting in same))
        found.append(Published(same[0].parameters, sources, share(same[0].build(), known)))
    return tuple(found)


def rank(candidate: Candidate, most: float) -> tuple[Any, ...]:
    """What covers everything, then what covers nearly the most, by fitting ratio; then the others by what they cover.

    A sum that its NCE term leads is among the others: its ratio is that of NCE. So is a loss that bears no error in the noise, or
    of which no such number is known.
    """
    covered, slope = covered_share(candidate.coverage), candidate.slope.ratio
    enough = candidate.coverage.complete or (covered > 0 and covered >= ENOUGH * most)
    enough = enough and candidate.bears and not candidate.led
    group = 2 if not enough else 1 if most < 1 or not candidate.coverage.complete else 0
    undecided = candidate.coverage.guaranteed is None
    fit = -slope if math.isfinite(slope) else math.inf
    return (group, undecided, 0.0 if group < 2 else -covered, fit, candidate.loss.name)


# ----------------------------------------------------------------------------------------------- in words


def _reason(candidate: Candidate, known: NoiseEstimate) -> str:
    """One line: what is guaranteed and why this value, or what is missing."""
    found, loss = candidate.threshold, candidate.loss
    at = "" if known.boxes is None else f" at {known.confidence:g}"
    value = f"{candidate.parameter} = {plain(loss.parameters[candidate.parameter])}" if candidate.parameter else ""
    price = f"fitting ratio {show(candidate.slope.ratio, 3)}"
    if candidate.tolerance is not None:
        price = f"{_borne(candidate.left)}; {price}"
    extra = "".join(f"; {note.split(':')[0]}" for note in candidate.notes)
    if found.status == "always" and candidate.parameter is None:
        return f"asymmetric on every row{at}; {price}{extra}"
    if found.status == "always":
        return f"asymmetric with any {candidate.parameter}{at}; {value} {price}{extra}"
    if found.status == "threshold":
        row = candidate.at.binding_row if known.unit == "class" else known.binding
        binding = "" if known.noise.representative else f", set by {known.row_name(row)}"
        return f"needs {found.answer}{at}{binding}; {value} {price}{extra}"
    if found.status == "undecided":
        return f"undecided: {found.condition}; {price}{extra}"
    if not known.dominant or candidate.coverage.rows:
        rows = candidate.coverage.rows or 0.0
        lost = missed(loss, known)
        places = ", ".join(known.row_name(i) for i in lost[:3]) + (", ..." if len(lost) > 3 else "")
        what = f"covers {percent(rows)} of the rows by the estimate" if known.boxes is not None else ""
        what = what or f"covers {percent(rows)} of the rows"
        without = f", not {places}" if lost else f", but not for certain{at}"
        return f"{what}{f' at {value}' if value else ''}{without}; {price}{extra}"
    return f"never asymmetric here: {found.condition}{extra}"


def _borne(left: float | None) -> str:
    """How much of the error in the noise that any loss can bear is borne."""
    if left is None:
        return "bears an error in the noise of unknown size"
    if left == 0:
        return "bears no error in the noise"
    share = "all" if left >= 1 else percent(left)
    return f"bears {share} of the largest error in the noise that any loss can"


def _notes(loss: Loss, slope: FittingSlope, known: NoiseEstimate) -> tuple[str, ...]:
    """What to know of a loss on this noise; of normalised ones what the ledger says."""
    if slope.fitted_at < FITTED:
        return (f"its predictions stay below u_y = {show(slope.fitted_at, 3)}",)
    if known.uniform or known.K == 2:
        return ()
    atoms = [atom for _, atom in loss.terms()]
    if any(isinstance(atom, NormalisedNegative) for atom in atoms) and any(isinstance(a, Normalised) for a in atoms):
        return (f"two normalised terms: {_ledger('negative')}",)
    normalised = [atom for atom in atoms if isinstance(atom, Normalised)]
    if any(not isinstance(atom.base, CE | FL) for atom in normalised):
        return (f"normalised: {_ledger('ngce')}",)
    term = "NFL" if normalised and isinstance(normalised[0].base, FL) else "NCE"
    if led_by_nce(loss, known.K):
        return (f"its {term} term leads, so the limit in which it is asymmetric is far: {_ledger('nce')}",)
    if normalised:
        limit = f"its {term} term is least there in the limit only"
        only = "alone it has no unique minimiser" if len(atoms) == 1 else limit
        return (f"{only}: {_ledger('nce')}",)
    return ()


def _ledger(form: str) -> str:
    id, what = NORMALISED_CLAIMS[form]
    return f"{what} is {recorded().get(id, 'not on record')} in the ledger ({id})"


@cache
def recorded() -> dict[str, str]:
    with open(LEDGER, encoding="utf-8") as file:
        return dict(json.load(file))


def percent(value: float | None) -> str:
    if value is None:
        return "?"
    return "all" if value == 1 else f"{math.floor(1000 * value) / 10:g} %"
