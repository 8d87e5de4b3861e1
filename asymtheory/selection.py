"""Hyper-parameters before training: from what is known of the label noise to losses that tolerate it, and their price.

For every registered loss ``select`` finds the feasible interval of its main parameter (``threshold.solve`` on the worst row,
at the worst corner of what an estimate leaves open), what it covers where nothing covers everything (``coverage``), and the
price (``slopes``: how much less an asymmetric loss pulls on samples that are not fitted yet). Within the feasible values the
least robust one is recommended, for it fits best; candidates are ranked by what they cover, then by that fitting ratio. The
ratio orders losses by a property of their gradients, not by accuracy: the last word has training.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from . import columns, estimate
from .coverage import Point, Share, curve, missed, share
from .domain import plain
from .errors import InputError
from .estimate import NoiseEstimate, Range
from .losses import CE, FL, Loss, Normalised, NormalisedNegative, build, names
from .noise import NoiseModel, check_classes, check_rate, resolve
from .rows import show
from .rules import SEARCH, distinct_rows, rule
from .scan import feasible
from .settings import Setting, published_settings
from .slopes import FITTED, FittingSlope, fitting_slope, led_by_nce
from .threshold import Piece, Threshold, number, solve

SHORT_LIST = 8
ENOUGH = 0.95
"""Where no value covers all rows: of the values that cover this part of the most that any does, the one that fits best."""
MOST_SEARCHED = 16
"""A loss that needs a search on every row is searched on at most that many different rows."""
LEDGER = os.path.join(os.path.dirname(__file__), "claims", "recorded.json")

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

    def to_dict(self, unit: str) -> dict[str, Any]:
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
    curve: tuple[Point, ...]
    published: tuple[Published, ...]
    reason: str
    notes: tuple[str, ...]

    @property
    def led(self) -> bool:
        """Does an NCE term lead (see ``slopes.led_by_nce``)?"""
        return led_by_nce(self.loss, self.slope.K)

    @property
    def feasible(self) -> bool:
        """Asymmetric on all rows (at the confidence) with the recommended parameters."""
        return self.threshold.status in ("threshold", "always")

    def to_dict(self, unit: str) -> dict[str, Any]:
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
            "reason": self.reason,
            "notes": list(self.notes),
            "published": [setting.to_dict(unit) for setting in self.published],
            "curve": [point.to_dict(unit) for point in self.curve],
        }


@dataclass(frozen=True)
class Selection:
    """The noise, the ranked candidates, and what to beware of. Prints as a short list; ``to_dict`` for JSON."""

    estimate: NoiseEstimate
    candidates: tuple[Candidate, ...]
    warnings: tuple[str, ...]
    origin: dict[str, Any]  # what was given, for a run's configuration

    @property
    def best(self) -> Candidate:
        return self.candidates[0]

    @property
    def short_list(self) -> tuple[Candidate, ...]:
        return self.candidates[:SHORT_LIST]

    def to_dict(self) -> dict[str, Any]:
        """The contract of ``select --json``."""
        known, row = self.estimate, self.estimate.binding
        pair = [int(known.target[row]), int(known.rival[row])]
        return {
            "noise": known.to_dict(),
            "noise_rate": None if known.rate is None else known.rate.to_dict(),
            "clean_level": known.clean_level.to_dict(),
            "margin": known.margin.to_dict(),
            "dominant": known.dominant,
            "binding": pair,
            "binding_names": None if known.noise.names is None else [known.noise.names[k] for k in pair],
            "candidates": [candidate.to_dict(known.unit) for candidate in self.candidates],
            "warnings": list(self.warnings),
        }

    def _head(self) -> list[tuple[str, str]]:
        known, row = self.estimate, self.estimate.binding
        against = known.class_name(int(known.rival[row]))
        source = f" ({known.noise.source})" if known.noise.source else ""
        lost = len(known.failures)
        facts = [
            ("noise", f"{known.noise.kind}, K = {known.K}{source}"),
            ("method", known.method),
            ("noise rate", "-" if known.rate is None else str(known.rate)),
            ("clean level", f"{known.clean_level}  least w_m / w_n"),
            ("margin", f"{known.margin}  least (w_m - w_n) / W"),
            ("dominant", "yes" if known.dominant else f"no: not in {lost} of {len(known.top)} rows"),
            ("binding", f"{known.row_name(row)} against {against}"),
        ]
        if known.noise.representative:
            facts[-1] = ("binding", "every class alike")
        return facts

    def _cells(self, candidates: Iterable[Candidate]) -> list[tuple[str, ...]]:
        cells: list[tuple[str, ...]] = [("", "loss", "parameters", "feasible", "covers", "fitting", "papers' settings")]
        for place, candidate in enumerate(candidates, 1):
            parameters = ", ".join(f"{p} = {plain(v)}" for p, v in candidate.loss.parameters.items()) or "-"
            answer = candidate.threshold.answer.split(":")[0]
            cells.append(
                (
                    str(place), candidate.loss.title, parameters, answer, _percent(candidate.coverage.guaranteed),
                    show(candidate.slope.ratio, 3), _papers(candidate),
                )
            )  # fmt: skip
        return cells

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self._head())
        lines = [f"{name:<{width}}  {text}" for name, text in self._head()]
        lines += ["", *_columns(self._cells(self.short_list)), ""]
        lines += [f"{place}. {c.loss.title}: {c.reason}" for place, c in enumerate(self.short_list, 1)]
        lines += [
            "",
            "covers: share of "
            + {"class": "classes", "sample": "samples"}[self.estimate.unit]
            + " on which it is asymmetric"
            + (f" (at {self.estimate.confidence:g})" if self.estimate.boxes is not None else "")
            + "; fitting: slope at u_y = 1/K over slope at 0.99 (CE: 0.99 K, MAE: 1).",
        ]
        return "\n".join(lines + [f"warning: {text}" for text in self.warnings])

    def markdown(self) -> str:
        """The same facts as a Markdown document, with all candidates."""
        lines = ["# Losses for this noise", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {text} |" for name, text in self._head()]
        cells = self._cells(self.candidates)
        lines += ["", "| " + " | ".join(cells[0]) + " |", "|" + "---|" * len(cells[0])]
        lines += ["| " + " | ".join(line) + " |" for line in cells[1:]]
        lines += ["", "## Why", ""]
        lines += [f"{place}. **{c.loss.title}**: {c.reason}" for place, c in enumerate(self.candidates, 1)]
        if self.warnings:
            lines += ["", "## Warnings", "", *(f"* {text}" for text in self.warnings)]
        return "\n".join(lines)

    def config(self, candidate: Candidate | None = None, dataset: str | None = None) -> str:
        """A run's configuration in TOML, for ``asymtheory train --config``: the best candidate unless told otherwise.

        Raises InputError where nothing says which labels to train on (posteriors), or which data set.
        """
        chosen = self.best if candidate is None else candidate
        dataset = dataset or _dataset(self.estimate.noise.kind, self.origin.get("labels"), self.estimate.K)
        if dataset is None:
            raise InputError(f"--write-config: no known data set has {self.estimate.K} classes; name it with --dataset")
        lines = [
            f"# asymtheory select: {chosen.reason}",
            f"dataset = {_quoted(dataset)}",
            f"loss = {_quoted(chosen.loss.name)}",
        ]
        table: list[str] = []
        if "labels" in self.origin:
            path, column = columns.split_spec(self.origin["labels"])
            lines.append(f"labels = {_quoted(path)}")
            lines += [] if column is None else [f"column = {_quoted(column)}"]
        elif "kind" in self.origin:
            table = ["", "[noise]", f"kind = {_quoted(self.origin['kind'])}"]
            table += [f"eta = {_toml(self.origin['eta'])}"] if self.origin.get("eta") is not None else []
        else:
            raise InputError("--write-config: a run needs labels or a noise model, which this input does not name")
        if chosen.loss.parameters:
            lines += ["", "[parameters]"]
            lines += [f"{_key(name)} = {_toml(value)}" for name, value in chosen.loss.parameters.items()]
        return "\n".join([*lines, *table]) + "\n"


def _quoted(text: Any) -> str:
    return json.dumps(str(text))  # TOML's basic strings take JSON's escapes


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else _quoted(name)


def _toml(value: Any) -> str:
    """Whole numbers and decimals that end as numbers, other fractions as text ("16/65"), so that all stay exact."""
    text = plain(Fraction(value) if isinstance(value, int) else value)
    return _quoted(text) if "/" in text else text


def _dataset(kind: str, labels: Any, K: int) -> str | None:
    known = {"mnist": "mnist", "cifar10": "cifar10", "cifar100": "cifar100", "cifar100-blocks": "cifar100"}
    named = "cifar10n" in kind or "cifar10n" in os.path.basename(str(labels or "")).lower()
    return "cifar10" if named else known.get(kind) or {10: "digits", 100: "cifar100"}.get(K)


def _percent(value: float | None) -> str:
    if value is None:
        return "?"
    return "all" if value == 1 else f"{math.floor(1000 * value) / 10:g} %"


def _papers(candidate: Candidate) -> str:
    """The papers' values of the parameter by verdict: ``a = 5, 30 hold; a = 1.1 fails``."""
    parts = []
    for verdict, one, many in (
        (True, "holds", "hold"),
        (False, "fails", "fail"),
        (None, "not searched", "not searched"),
    ):
        settings = [setting for setting in candidate.published if setting.holds is verdict]
        given = {setting.parameters.get(candidate.parameter or "") for setting in settings}
        values = [plain(value) for value in sorted(value for value in given if value is not None)]
        count = len(values) or len(settings)
        if count:
            what = f"{candidate.parameter} = {', '.join(values)}" if values else f"{count} setting{'s' * (count > 1)}"
            parts.append(f"{what} {one if count == 1 else many}")
    return "; ".join(parts) or "-"


def _columns(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells]


# ------------------------------------------------------------------------------------------------ select


def select(
    noise: str | NoiseModel | None = None,
    *,
    K: int | None = None,
    eta: Any = None,
    transition: Any = None,
    labels: Any = None,
    clean: Any = None,
    probs: Any = None,
    posteriors: Any = None,
    confidence: float = 0.95,
    losses: Iterable[str | Loss] | None = None,
    replicates: int = estimate.REPLICATES,
    seed: int = 0,
) -> Selection:
    """Losses and hyper-parameters for a noise that is described in one of these ways:

    * ``K`` and ``eta`` (and ``noise``, "symmetric" unless given), a measured noise such as ``noise="cifar10n-worse"``, or a
      NoiseModel: taken as given;
    * ``transition``: a row-stochastic matrix, or a file with one: taken as given; a table of counts is an estimate;
    * ``labels`` and ``clean``: noisy labels and, for all or some of the samples, clean ones;
    * ``labels`` and ``probs``: noisy labels and out-of-sample predicted probabilities (N, K); needs cleanlab;
    * ``posteriors``: class weights of every sample (N, K).

    Labels and tables are lists, arrays, pandas or polars columns, or files (see ``columns``). ``confidence`` is that of the
    intervals where the noise is estimated; ``losses`` restricts the candidates; ``replicates`` and ``seed`` are of the
    bootstrap. Raises InputError.
    """
    estimate.check_confidence(confidence)
    known, origin = _read(noise, K, eta, transition, labels, clean, probs, posteriors, confidence, replicates, seed)
    chosen = [build(loss) if isinstance(loss, str) else loss for loss in (names() if losses is None else losses)]
    if not chosen:
        raise InputError("losses: at least one is needed")
    found, left_out = [], []
    for loss in chosen:
        try:
            found.append(_candidate(loss, known))
        except InputError as error:  # such as no room for K classes above p_min
            if losses is not None:
                raise
            left_out.append(f"left out: {error}")
    most = max((_covered(candidate.coverage) for candidate in found), default=0.0)
    found.sort(key=lambda candidate: _rank(candidate, most))
    return Selection(known, tuple(found), (*_warnings(known, found), *left_out), origin)


def _read(
    noise: Any, K: Any, eta: Any, transition: Any, labels: Any, clean: Any, probs: Any, posteriors: Any,
    confidence: float, replicates: int, seed: int,
) -> tuple[NoiseEstimate, dict[str, Any]]:  # fmt: skip
    """The estimate that one way of describing the noise gives, and what a run's configuration needs of it."""
    K = None if K is None else check_classes(K, "--K")
    ways = {"--transition": transition, "--labels": labels, "--posteriors": posteriors}
    given = [name for name, value in ways.items() if value is not None]
    if noise is not None or eta is not None:
        given.append("--noise" if noise is not None else "--eta")
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} both describe the noise; give one of them")
    for name, value in (("--clean", clean), ("--probs", probs)):
        if value is not None and labels is None:
            raise InputError(f"{name} goes with --labels (the noisy labels of the same samples)")
    if labels is not None:
        if (clean is None) == (probs is None):
            both = "one of them, not both" if clean is not None else "one of them"
            raise InputError(f"--labels needs --clean (clean labels) or --probs (out-of-sample probabilities): {both}")
        origin = {"labels": os.fspath(labels)} if isinstance(labels, str | os.PathLike) else {}
        if clean is not None:
            return estimate.from_clean_labels(labels, clean, confidence, K), origin
        return estimate.from_predictions(labels, probs, confidence, K, replicates, seed), origin
    if posteriors is not None:
        table, heads, source = columns.read_probabilities(posteriors, "--posteriors")
        _check_count(K, table.shape[1], source)
        return estimate.from_sample_posteriors(table, heads, source), {}
    if transition is not None:
        known = estimate.from_transition(transition, confidence)
        _check_count(K, known.K, "--transition")
        return known, {"kind": os.fspath(transition)} if isinstance(transition, str | os.PathLike) else {}
    if isinstance(noise, NoiseModel):
        return estimate.known(noise), {}
    if noise is None and eta is None:
        raise InputError(
            "say what is known of the noise: --K and --eta, --noise, --transition, --labels with --clean or --probs, or "
            "--posteriors"
        )
    rate = None if eta is None else check_rate(eta, "--eta")
    model = resolve(noise or "symmetric", K, rate)
    return estimate.known(model), {"kind": noise or "symmetric", "eta": rate}


def _check_count(K: Any, found: int, source: str) -> None:
    if K is not None and K != found:
        raise InputError(f"--K {K}: {source} has {found} classes")


# --------------------------------------------------------------------------------------------- candidates


def _candidate(loss: Loss, known: NoiseEstimate) -> Candidate:
    """One loss judged: its feasible values, the recommended one, what it covers and costs."""
    parameter = loss.main
    loss = loss if parameter is None else loss.prepared(parameter)
    if known.given:
        at = worst = best = _solved(loss, parameter, known.noise)
    else:
        at, worst, best = (feasible(loss, parameter, known.noise, *pair, known.uniform) for pair in known.deciding)
    settings = _published(loss, known)
    points: tuple[Point, ...] = ()
    if parameter is not None:
        ends = [end for answer in (worst, at, best) for piece in answer.pieces for end in (piece.low, piece.high)]
        asked = {Fraction(e.value) for e in ends if e is not None and Fraction(e.value) in loss.domains[parameter]}
        asked |= {s.parameters[parameter] for s in settings if parameter in s.parameters}
        asked |= {value for piece in worst.pieces for value in _inside(piece)}
        points = curve(loss, parameter, known, asked | {loss.parameters[parameter]})
    chosen = _recommended(loss, parameter, worst, known, points)
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
    return replace(candidate, reason=_reason(candidate, known))


def _solved(loss: Loss, parameter: str | None, model: NoiseModel) -> Threshold:
    """``solve``, but for losses that would be searched for too long."""
    general = rule(loss, model.classes, False)
    searched = general.kind == SEARCH and not all(row.uniform_rest for row in model.rows)
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
    loss: Loss, parameter: str | None, found: Threshold, known: NoiseEstimate, points: Sequence[Point]
) -> Loss:
    """The loss with the feasible value that fits best; where none is feasible, the one that covers most."""
    if parameter is None:
        return loss
    domain = loss.domains[parameter]
    if found.pieces and known.unit == "class":
        values = {value for piece in found.pieces for value in _inside(piece)}
        if not values or any(loss.parameters[parameter] in piece for piece in found.pieces):
            values.add(loss.parameters[parameter])
        return _best([loss._with(**{parameter: value}) for value in sorted(values)], known.K)
    most = max((_covered(point.share) for point in points), default=0.0)
    if most == 0:
        return loss
    enough = [loss._with(**{parameter: p.exact}) for p in points if _covered(p.share) >= ENOUGH * most]
    best = _best(enough, known.K).parameters[parameter]
    tries = [_round(best, digits, up) for digits in (2, 3) for up in (True, False)]
    losses = [loss._with(**{parameter: value}) for value in tries if value in domain]
    good = [each for each in losses if _covered(share(each, known)) >= ENOUGH * most]
    return good[0] if good else loss._with(**{parameter: best})


def _best(losses: Sequence[Loss], K: int) -> Loss:
    """The one that fits best, of those whose asymmetric part outweighs an NCE term where there are such."""
    anchored = [loss for loss in losses if not led_by_nce(loss, K)]
    return max(anchored or losses, key=lambda loss: fitting_slope(loss, K).ratio)


def _covered(found: Share) -> float:
    """What ranks a loss: its share at the confidence, else (nothing is certain anywhere) a hundredth of the estimate's."""
    return found.guaranteed or (found.rows or 0.0) / 100


def _inside(piece: Piece) -> list[Fraction]:
    """The ends of a feasible piece that are thresholds, rounded into it: two digits, or as many as it takes."""
    found = []
    for end, up in ((piece.low, True), (piece.high, False)):
        if end is None or (end.of_domain and not _alone(piece)):
            continue
        outer = Fraction(end.high if up else end.low) if end.number is None else end.number
        tries = (_round(outer, digits, up) for digits in (2, 3, 4, 6, 9, 12))
        value = next((value for value in tries if value in piece and (end.closed or value != outer)), None)
        if value is not None:
            found.append(value)
    return found


def _alone(piece: Piece) -> bool:
    """Is the piece one point?"""
    return piece.low is not None and piece.high is not None and piece.low.key() == piece.high.key()


def _round(value: Fraction, digits: int, up: bool) -> Fraction:
    """The next decimal of so many significant digits, upwards or downwards."""
    if value == 0:
        return value
    unit = Fraction(10) ** (math.floor(math.log10(abs(value))) - digits + 1)
    return (math.ceil(value / unit) if up else math.floor(value / unit)) * unit


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


# ----------------------------------------------------------------------------------------------- in words


def _rank(candidate: Candidate, most: float) -> tuple[Any, ...]:
    """What covers everything, then what covers nearly the most, by fitting ratio; then the others by what they cover.

    A sum that its NCE term leads is among the others: its ratio is that of NCE.
    """
    covered, slope = _covered(candidate.coverage), candidate.slope.ratio
    enough = candidate.coverage.complete or (covered > 0 and covered >= ENOUGH * most)
    enough = enough and not candidate.led
    group = 2 if not enough else 1 if most < 1 or not candidate.coverage.complete else 0
    undecided = candidate.coverage.guaranteed is None
    fit = -slope if math.isfinite(slope) else math.inf
    return (group, undecided, 0.0 if group < 2 else -covered, fit, candidate.loss.name)


def _reason(candidate: Candidate, known: NoiseEstimate) -> str:
    """One line: what is guaranteed and why this value, or what is missing."""
    found, loss = candidate.threshold, candidate.loss
    at = "" if known.boxes is None else f" at {known.confidence:g}"
    value = f"{candidate.parameter} = {plain(loss.parameters[candidate.parameter])}" if candidate.parameter else ""
    price = f"fitting ratio {show(candidate.slope.ratio, 3)}"
    extra = "".join(f"; {note.split(':')[0]}" for note in candidate.notes)
    if found.status == "always" and candidate.parameter is None:
        return f"asymmetric on every row{at}; {price}{extra}"
    if found.status == "always":
        return f"asymmetric with any {candidate.parameter}{at}; {value} has {price}{extra}"
    if found.status == "threshold":
        row = candidate.at.binding_row if known.unit == "class" else known.binding
        binding = "" if known.noise.representative else f", set by {known.row_name(row)}"
        best = f"{value} pulls most on unfitted samples ({price})"
        return f"needs {found.answer}{at}{binding}; {best}{extra}"
    if found.status == "undecided":
        return f"undecided: {found.condition}; {price}{extra}"
    if not known.dominant or candidate.coverage.rows:
        rows = candidate.coverage.rows or 0.0
        lost = missed(loss, known)
        places = ", ".join(known.row_name(i) for i in lost[:3]) + (", ..." if len(lost) > 3 else "")
        what = f"covers {_percent(rows)} of the rows by the estimate" if known.boxes is not None else ""
        what = what or f"covers {_percent(rows)} of the rows"
        without = f", not {places}" if lost else f", but not for certain{at}"
        return f"{what}{f' at {value}' if value else ''}{without}; {price}{extra}"
    return f"never asymmetric here: {found.condition}{extra}"


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
    if led_by_nce(loss, known.K):
        return (f"its NCE term leads, so the limit in which it is asymmetric is far: {_ledger('nce')}",)
    if normalised:
        only = (
            "alone it has no unique minimiser" if len(atoms) == 1 else "its NCE term is least there in the limit only"
        )
        return (f"{only}: {_ledger('nce')}",)
    return ()


def _ledger(form: str) -> str:
    id, what = NORMALISED_CLAIMS[form]
    return f"{what} is {_recorded().get(id, 'not on record')} in the ledger ({id})"


@cache
def _recorded() -> dict[str, str]:
    with open(LEDGER, encoding="utf-8") as file:
        return dict(json.load(file))


def _warnings(known: NoiseEstimate, found: Sequence[Candidate]) -> tuple[str, ...]:
    lines = []
    if not known.dominant:
        lost = known.failures
        mass = float(known.mass[list(lost)].sum())
        where = ", ".join(
            f"{known.row_name(i)} (against {known.class_name(int(known.rival[i]))})" for i in lost[:5]
        ) + (", ..." if len(lost) > 5 else "")
        rows = {"class": "classes", "sample": "samples"}[known.unit]
        lines.append(
            f"not dominant: in {len(lost)} of {len(known.top)} {rows} ({100 * mass:.3g} % of the data) another label is at "
            f"least as frequent as the true one, and no loss is tolerant there: {where}"
        )
    elif known.boxes is not None and known.margin.low is not None and known.margin.low <= 0:
        lines.append(
            f"not known to be dominant at {known.confidence:g}: the margin may be as low as {show(known.margin.low, 3)} "
            f"({known.row_name(known.binding)}); more clean labels of that class narrow it"
        )
    if not known.uniform and any(candidate.notes for candidate in found):
        lines.append(
            "outside symmetric noise the tolerance that papers claim for normalised losses (NCE, NFL, NGCE, ANL) does not "
            f"hold in general: {', '.join(f'{i} is {_recorded().get(i)}' for i, _ in NORMALISED_CLAIMS.values())} in "
            "`asymtheory verify`; sums with an asymmetric loss have the threshold of that loss"
        )
    return (*lines, *known.warnings)


# ------------------------------------------------------------------------------------- scikit-learn style


class AsymmetricLossSelector:
    """``select`` as an estimator: parameters in the constructor, ``fit``, results with a trailing underscore.

    selector = AsymmetricLossSelector(confidence=0.95).fit(noisy_labels, pred_probs)
    selector.loss_           # the best candidate's loss, with its parameters
    selector.selection_      # everything
    """

    def __init__(self, confidence: float = 0.95, losses: Sequence[str] | None = None, random_state: int = 0) -> None:
        self.confidence = confidence
        self.losses = losses
        self.random_state = random_state

    selection_: Selection
    loss_: Loss

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's parameters, as scikit-learn asks for them (``deep`` changes nothing)."""
        return {"confidence": self.confidence, "losses": self.losses, "random_state": self.random_state}

    def set_params(self, **parameters: Any) -> AsymmetricLossSelector:
        """Change parameters; an unknown one raises InputError."""
        for name, value in parameters.items():
            if name not in self.get_params():
                raise InputError(f"{name!r} is no parameter (there are: {', '.join(self.get_params())})")
            setattr(self, name, value)
        return self

    def fit(self, noisy_labels: Any, pred_probs: Any = None, clean_labels: Any = None) -> AsymmetricLossSelector:
        """Noisy labels (N,), and out-of-sample probabilities (N, K) or clean labels (N,), which may have gaps."""
        self.selection_ = select(
            labels=noisy_labels, probs=pred_probs, clean=clean_labels, confidence=self.confidence,
            losses=self.losses, seed=self.random_state,
        )  # fmt: skip
        self.loss_ = self.selection_.best.loss
        return self
