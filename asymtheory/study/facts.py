"""What a study says of a loss: ratios, thresholds over noises, the condition in symbols, the rule and its slopes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..asymmetry.binding import distinct_rows
from ..asymmetry.condition import Condition, check
from ..asymmetry.ratio import Ratio, asymmetry_ratio
from ..asymmetry.rules import Rule, rule
from ..asymmetry.rules.symbols import end_slopes
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import Loss
from ..losses.mathematics import definition, symbol
from ..losses.profile import Profile, Slopes
from ..losses.registry import as_loss
from ..noise.models import MEASURED, named, pair, symmetric
from ..noise.rows import NoiseModel
from ..numbers.scalar import Scalar
from ..numbers.text import number, show
from ..threshold.pieces import Threshold
from ..threshold.solve import solve, solve_rate
from ..threshold.symbolic import CLEAN, Symbolic, VerificationError, derive

RATES = tuple(Fraction(k, 10) for k in (2, 4, 6, 8))
PAIRS = tuple(Fraction(k, 10) for k in (1, 2, 3, 4))
CLASSES = (2, 10, 100)
HUMAN = MEASURED
FEWEST = 3
"""Classes from which on a rule does not change with more."""
MOST_SEARCHED = 16
"""A loss that needs a search on every row is searched on noises of at most that many different rows."""


@dataclass(frozen=True)
class Line:
    """One noise of the table: what the loss needs there, and whether it is asymmetric with the parameters that it has."""

    noise: str
    K: int
    rate: Scalar
    clean_level: Scalar
    margin: Scalar
    answer: str
    asymmetric: bool | None  # with the parameters that the loss has
    works: bool | None  # with some value of the parameter

    def to_dict(self) -> Json:
        return {
            "noise": self.noise,
            "classes": self.K,
            "rate": None if self.rate is None else float(self.rate),
            "clean_level": number(self.clean_level),
            "margin": number(self.margin),
            "answer": self.answer,
            "asymmetric": self.asymmetric,
        }


@dataclass(frozen=True)
class Facts:
    """All that a study says of one loss. ``unknown`` says of a fact that is missing why it is."""

    loss: Loss
    parameter: str | None
    noise: NoiseModel
    definition: str  # LaTeX of L(u, y)
    rule: Rule  # for weights of any shape
    slopes: Slopes | None
    ratio: Ratio | None
    threshold: Threshold
    verdict: Condition
    lines: tuple[Line, ...]
    tolerated: tuple[tuple[str, int, str], ...]  # noise, K, the rates that the loss tolerates as it is
    by_level: Symbolic | None  # the condition in w_m / w_n
    by_rate: Symbolic | None  # on symmetric noise, with K and the rate open
    searched: str  # what holds of the loss for other values of the parameter, as far as a search found
    unknown: dict[str, str]

    def to_dict(self) -> Json:
        """The facts as JSON: ``facts.json`` of a study."""
        return {
            "loss": self.loss.name,
            "title": self.loss.title,
            "parameters": {name: number(value) for name, value in self.loss.parameters.items()},
            "parameter": self.parameter,
            "definition": self.definition,
            "rule": self.rule.reason,
            "ratio": None if self.ratio is None else self.ratio.to_dict(),
            "condition": None if self.by_level is None else self.by_level.to_dict(),
            "symmetric": None if self.by_rate is None else self.by_rate.to_dict(),
            "verdict": self.verdict.to_dict(),
            "threshold": self.threshold.to_dict(),
            "noises": [line.to_dict() for line in self.lines],
            "tolerated": [{"noise": kind, "classes": K, "rates": text} for kind, K, text in self.tolerated],
            "unknown": self.unknown,
        }


def steps() -> int:
    """How many times ``facts`` says that it went on."""
    return len(HUMAN) + 5


def facts(
    loss: Loss | str, noise: NoiseModel, parameter: str | None = None, told: Callable[[str], None] = lambda what: None
) -> Facts:
    """Compute everything. ``parameter`` (default: the loss's main one) is what thresholds are for; ``told`` hears of progress.

    Raises InputError for a parameter that the loss does not have.
    """
    loss = as_loss(loss)
    parameter = loss.main if parameter is None else parameter
    unknown: dict[str, str] = {}
    found = _solved(loss, noise, parameter)  # first: it refuses a parameter that is not there
    told("threshold")
    general = rule(loss, max(noise.classes, FEWEST), False)
    ratio = _or_reason(lambda: asymmetry_ratio(loss, noise.classes), "ratio", unknown)
    told("ratio")
    by_level = _or_reason(lambda: derive(loss, parameter, open=(CLEAN,)), "condition", unknown)
    told("condition")
    by_rate = _or_reason(lambda: derive(loss, parameter), "symmetric", unknown)
    told("symmetric noise")
    lines = [_line(loss, model, label, parameter) for label, model in _synthetic(noise)]
    told("synthetic noise")
    for name in HUMAN:
        if noise.kind != name:
            lines.append(_line(loss, named(name), name, parameter))
        told(name)
    alike = [line for line in lines if line.noise == "symmetric"]
    by_level = _consistent(by_level, [found, *lines], "condition", unknown)
    by_rate = _consistent(by_rate, [*alike, *([found] if noise.kind == "symmetric" else [])], "symmetric", unknown)
    shown, slopes = definition(loss, letters(loss, parameter)), _slopes(loss, parameter, unknown)
    return Facts(
        loss, parameter, noise, shown, general, slopes, ratio, found, check(loss, noise),
        tuple(lines), _tolerated(loss), by_level, by_rate,
        loss.prepared(parameter).searched if parameter else "", unknown,
    )  # fmt: skip


def _or_reason(compute: Callable[[], Any], what: str, unknown: dict[str, str]) -> Any:
    """The result, or None with the reason noted."""
    try:
        return compute()
    except (InputError, VerificationError) as error:
        unknown[what] = str(error).removeprefix("--symbolic: ")
        return None


def _synthetic(noise: NoiseModel) -> list[tuple[str, NoiseModel]]:
    """The given noise, then symmetric and pair noise."""
    models = [(noise.kind, noise)]
    models += [("symmetric", symmetric(K, eta)) for K in CLASSES for eta in RATES if eta < 1 - Fraction(1, K)]
    models += [("pair", pair(10, eta)) for eta in PAIRS]
    return [
        (label, model)
        for i, (label, model) in enumerate(models)
        if i == 0 or (label, model.classes, model.rate) != (noise.kind, noise.classes, noise.rate)
    ]


def _solved(loss: Loss, model: NoiseModel, parameter: str | None) -> Threshold:
    """``solve``, but not for a search on many different rows, which would take too long."""
    general = rule(loss, model.classes, False)
    searched = general.searched and not all(row.uniform_rest for row in model.rows)
    if searched and len(distinct_rows(model)) > MOST_SEARCHED:
        why = f"{general.reason}; not searched on {len(model.rows)} rows (asymtheory check does)"
        return Threshold(loss, parameter, "undecided", (), model, model.worst, why, "no search")
    return solve(loss, model, parameter)


def _line(loss: Loss, model: NoiseModel, label: str, parameter: str | None) -> Line:
    found = _solved(loss, model, parameter)
    row = model.rows[found.binding_row]
    if parameter is None:
        holds: bool | None = {"always": True, "never": False}.get(found.status)
        answer = {"always": "asymmetric", "never": "not asymmetric"}.get(found.status, found.answer)
    else:
        value = loss.parameters[parameter]
        holds = None if found.status == "undecided" else any(value in piece for piece in found.pieces)
        answer = found.answer
    return Line(label, model.classes, model.rate, row.clean_level, row.margin, answer, holds, _says(found))


def _tolerated(loss: Loss) -> tuple[tuple[str, int, str], ...]:
    """The rates that the loss tolerates with the parameters that it has."""
    asked = [("symmetric", K) for K in CLASSES] + [("pair", 10)]
    return tuple((kind, K, _rates(loss, kind, K)) for kind, K in asked)


def _rates(loss: Loss, kind: str, K: int) -> str:
    try:
        found = solve_rate(loss, kind, K)
    except InputError:  # of a formula with a sum over classes inside
        return "undecided"
    if found.status in ("never", "undecided"):
        return {"never": "none"}.get(found.status, found.status)
    return "any rate" if found.status == "always" else found.answer


def _slopes(loss: Loss, parameter: str | None, unknown: dict[str, str]) -> Slopes | None:
    """The end slopes with K and the parameter that is solved for as letters; limits where the formula has none."""
    opened = letters(loss, parameter)
    try:
        if not Profile.of(loss, FEWEST).separable:
            unknown["slopes"] = "no term of the form active(u_y) + sum of passive(u_k)"
            return None
        return end_slopes(Profile.of(loss._with(**{p: symbol(p) for p in opened}), symbol("K")))
    except (InputError, ArithmeticError, ValueError, TypeError, NotImplementedError) as error:
        unknown["slopes"] = f"no symbolic slopes ({error})"
        return None


def letters(loss: Loss, parameter: str | None) -> tuple[str, ...]:
    """What stays a letter in the symbols of a study: the parameter that is solved for, unless it counts terms."""
    return () if parameter is None or loss.domains[parameter].integer else (parameter,)


def _consistent(
    symbolic: Symbolic | None, answers: Iterable[Threshold | Line], what: str, unknown: dict[str, str]
) -> Symbolic | None:
    """The symbols, unless they say "always" or "never" of every value where a number says something else."""
    if symbolic is None or symbolic.relation not in ("always", "never"):
        return symbolic
    opposite = {"always": False, "never": True}[symbolic.relation]
    if any(_says(answer) is opposite for answer in answers):
        unknown[what] = "isolated values work on some noises only; the table has them"
        return None
    return symbolic


def _says(answer: Threshold | Line) -> bool | None:
    """Does some value work (for a line: do its answer and verdict say so)?"""
    if isinstance(answer, Threshold):
        return {"threshold": True, "always": True, "never": False}.get(answer.status)
    return answer.works


def given(line: Line) -> str:
    """``symmetric, K = 10, rate 0.4``."""
    rate = "" if line.rate is None else f", rate {show(line.rate)}"
    return f"{line.noise}, K = {line.K}{rate}"
