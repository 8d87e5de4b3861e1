"""The threshold as a formula: K, the noise rate, the clean level or other parameters of the loss stay open.

``derive`` takes the deciding inequality of ``condition`` (end slopes of the loss's own profile, by jets over symbols),
solves it for one unknown and checks the result against ``threshold.solve`` at random values before it is returned.
No formula is stored. ``exact_end`` uses the same solver to name a numeric threshold that rational and monomial
arithmetic cannot name.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import sympy as sp

from ..answers import Answer
from ..asymmetry.rules import Rule, decide, rule
from ..errors import InputError
from ..jsonlines import Json
from ..losses.base import Loss, unknown_parameter
from ..losses.domain import Domain
from ..losses.registry import as_loss
from ..noise.models import FAMILIES, FIXED_CLASSES, family, from_weights, worst_weights
from ..noise.rows import Row
from ..numbers.backends import sympy_
from ..numbers.scalar import Scalar
from ..numbers.text import plain
from .pieces import RATE, End, Piece
from .ranges import ranges
from .roots import Ratios, ordered, roots, tidy, untidiness
from .solve import solve, solve_rate

CLEAN = "c"  # clean level w_m / w_n

REST = "S"  # sum of the other weights in units of the largest of them

CLASSES = "K"

MOST_CLASSES = 10_000

FEWEST = 3  # classes where K is open: which rule decides does not change with more

FACTORED = 200  # operations up to which an expression is factored

TOLERANCE = 1e-9

INSIDE, DRAWS = 3, 30  # verification: samples with a threshold inside the domain, and draws at most


class VerificationError(RuntimeError):
    """A derived formula that disagrees with the numerical threshold: a defect of this package, never of the input."""


@dataclass(frozen=True)
class Symbolic(Answer):
    """A threshold with open symbols.

    ``relation`` is ``>=``, ``<=``, ``>``, ``<``, ``always``, ``never`` or ``undecided``.
    """

    loss: Loss
    parameter: str | None
    relation: str
    expression: Scalar  # sympy, or None
    condition: Scalar  # sympy inequality in the unknown, or None where the form of the loss decides
    assumptions: str
    reason: str
    solved: bool

    @property
    def text(self) -> str:
        """One line: ``a >= (K - 1)/(K*(1 - eta) - 1)``, or the condition itself where it could not be solved."""
        if self.expression is not None:
            return f"{self.parameter} {self.relation} {self.expression}"
        if self.relation in ("always", "never"):
            return f"{self.relation}: {'any' if self.relation == 'always' else 'no'} {self.parameter or 'parameters'}"
        return str(self.condition) if self.condition is not None else f"undecided: {self.reason}"

    @property
    def latex(self) -> str:
        if self.expression is not None:
            sign = {">=": r"\geq", "<=": r"\leq"}.get(self.relation, self.relation)
            return f"{sp.latex(_plain_symbol(str(self.parameter)))} {sign} {sp.latex(self.expression)}"
        if self.relation not in ("always", "never") and self.condition is not None:
            return str(sp.latex(self.condition))
        return rf"\text{{{self.text}}}"

    def to_dict(self) -> Json:
        return {
            "loss": self.loss.name,
            "parameter": self.parameter,
            "relation": self.relation,
            "expression": None if self.expression is None else str(self.expression),
            "condition": None if self.condition is None else str(self.condition),
            "assumptions": self.assumptions,
            "reason": self.reason,
            "solved": self.solved,
            "text": self.text,
            "latex": self.latex,
        }

    def __str__(self) -> str:
        lines = [f"{self.loss.title}: {self.text}"]
        if self.assumptions:
            lines.append(f"  where     {self.assumptions}")
        if self.condition is not None and self.solved:
            lines.append(f"  from      {self.condition}")
        return "\n".join([*lines, f"  because   {self.reason}"])


def derive(
    loss: Loss | str,
    parameter: str | None = None,
    kind: str = "symmetric",
    open: Iterable[str] = (CLASSES, RATE),
    fixed: Mapping[str, Scalar] | None = None,
    assume: Mapping[str, Domain] | None = None,
    **parameters: Scalar,
) -> Symbolic:
    """The feasible values of ``parameter`` (default: the loss's main one; ``eta`` for the noise rate) as a formula.

    ``open`` names what stays a symbol: ``K`` and ``eta`` of a noise family ``kind``, or the clean level ``c`` (then
    ``S``, the sum of the other weights over the largest of them, stays open too where the loss needs it), and any
    parameters of the loss. ``fixed`` gives values to K, eta and parameters of the loss; parameters named in neither
    keep the loss's own. ``assume`` narrows an open parameter where the curvature depends on it (AGCE:
    ``{"q": Domain(0, 1)}``); without it the range with a threshold is taken and stated in ``assumptions``.

    Raises InputError for names that do not fit, VerificationError if the formula fails its check against
    ``threshold.solve`` (relative 1e-9 at random rational values).

        >>> derive("amse").text
        'a >= (K - 1)/(K*(1 - eta) - 1)'

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    problem = _Problem.of(loss, parameter, kind, tuple(open), dict(fixed or {}), dict(assume or {}))
    what = problem.rule
    if what.searched or what.verdict is False:
        unknown = what.searched or what.at_zero  # a single value may do: numbers find it
        return problem.answer("undecided" if unknown else "never", not unknown)
    if what.verdict and parameter != RATE:
        return problem.checked("always")
    left = problem.condition()
    if isinstance(left, str):
        return problem.checked(left)
    if problem.unknown is None:
        signs = {problem.sign(left, sample) >= 0 for sample in problem.samples(INSIDE)}
        return problem.answer("undecided", False, left) if len(signs) > 1 else problem.checked(_word(signs.pop()), left)
    names = Ratios(lambda ratio: bool(ratio.subs(next(problem.samples(1)).values) > 1))
    return problem.relate(left, roots(left, problem.unknown.symbol, names), names.values)


def _word(holds: bool) -> str:
    return "always" if holds else "never"


@dataclass(frozen=True)
class Open:
    """An open quantity: a positive symbol s with value = start + sign * s, so that sympy knows what is positive."""

    name: str
    start: Fraction
    sign: int
    integer: bool
    piece: Piece  # the range in which the rule applies

    @classmethod
    def on(
        cls, name: str, low: Fraction | None, high: Fraction | None, domain: Domain, open_at: Iterable[Fraction] = ()
    ) -> Open:
        kinks, own = set(open_at), (domain.low, domain.high)

        def end(at: Fraction | None) -> End | None:
            return None if at is None else End.at(at, at in domain and at not in kinks, at in own)

        # exponents such as q - 1 are the reason to measure a bounded range from its upper end
        start, sign = ((low or Fraction(0)), 1) if high is None else (high, -1)
        return cls(name, start, sign, domain.integer, Piece(end(low), end(high)))

    @cached_property
    def symbol(self) -> Scalar:
        return sp.Symbol(f"{self.name}'", positive=True, integer=True if self.integer else None)

    @cached_property
    def value(self) -> Scalar:
        return rational(self.start) + self.sign * self.symbol

    @cached_property
    def shown(self) -> Scalar:
        return _plain_symbol(self.name)

    def back(self) -> tuple[Scalar, Scalar]:
        """The substitution from the internal symbol to the one that people see."""
        return self.symbol, self.sign * (self.shown - rational(self.start))

    def describe(self, closed: Collection[Fraction | None] = ()) -> str:
        """``0 < q < 1``, ``whole t >= 1``; ends in ``closed`` are included."""
        low, high = self.piece.low, self.piece.high
        text = ("" if not self.integer else "whole ") + self.name
        if low is not None:
            equal = "=" if low.closed or low.number in closed else ""
            text = f"{low} <{equal} {text}" if high is not None else f"{text} >{equal} {low}"
        if high is not None:
            text += f" <{'=' if high.closed or high.number in closed else ''} {high}"
        return text


def _plain_symbol(name: str) -> Scalar:
    return sp.Symbol(name, negative=True) if name == "A" else sp.Symbol(name, positive=True)


def rational(value: Scalar) -> Scalar:
    return sympy_().number(Fraction(value))


@dataclass(frozen=True)
class _Sample:
    """Rational values for every open symbol (internal symbols), and what they mean."""

    values: dict[Scalar, Scalar]
    loss: Loss
    K: int
    eta: Fraction | None
    row: Row | None  # None where the unknown is the noise rate


@dataclass(frozen=True)
class _Problem:
    loss: Loss
    parameter: str | None
    kind: str
    by_level: bool
    K: Scalar  # an int, or Open
    eta: Scalar  # a Fraction, Open, or None by level
    opened: dict[str, Open]  # parameters of the loss that stay open
    unknown: Open | None
    rule: Rule
    uniform_rest: bool
    elsewhere: list[str]  # what holds where the curvature is another

    @classmethod
    def of(
        cls,
        loss: Loss,
        parameter: str | None,
        kind: str,
        open: tuple[str, ...],
        fixed: dict[str, Scalar],
        assume: dict[str, Scalar],
    ) -> _Problem:
        by_level = CLEAN in open
        noise = {CLASSES, RATE}
        if by_level and (RATE in open or RATE in fixed or parameter == RATE):
            raise InputError("--symbolic: leave either c or eta open, not both")
        if kind not in FAMILIES and not by_level:
            raise InputError(f"--symbolic: noise {kind!r} has no formula in eta (it may be: {', '.join(FAMILIES)})")
        for name in (*open, *fixed, *assume):
            if name not in noise | {CLEAN, REST} and name not in loss.domains:
                raise InputError("--symbolic: " + unknown_parameter(loss.name, name, loss.domains))
        values = {p: v for p, v in fixed.items() if p not in noise}
        loss = loss.replace(**values) if values else loss
        parameter = loss.main if parameter is None else parameter
        if parameter is not None and parameter != RATE and parameter not in loss.domains:
            raise InputError("--solve: " + unknown_parameter(loss.name, parameter, loss.domains))
        K = _classes(kind, open, fixed, by_level)
        eta = None if by_level else rate_given(open, fixed, parameter)
        wanted = [p for p in open if p in loss.domains]
        if parameter is not None and parameter != RATE and parameter not in wanted:
            wanted.append(parameter)
        opened, what, uniform_rest, elsewhere = _regime(loss, wanted, kind, K, by_level, assume)
        unknown = eta if parameter == RATE else opened.get(parameter or "")
        return cls(loss, parameter, kind, by_level, K, eta, opened, unknown, what, uniform_rest, elsewhere)

    @cached_property
    def clean(self) -> Open:
        return Open.on(CLEAN, Fraction(1), None, Domain(Fraction(1), None, low_closed=False))

    @cached_property
    def rest(self) -> Open:
        return Open.on(REST, Fraction(0), None, Domain(Fraction(1)))

    def symbols(self) -> list[Open]:
        found = [*self.opened.values(), *(x for x in (self.K, self.eta) if isinstance(x, Open))]
        return [*found, self.clean, self.rest] if self.by_level else found

    def weights(self) -> tuple[Scalar, Scalar, Scalar]:
        """(w_m, w_n, W) as sympy expressions."""
        K = self.K.value if isinstance(self.K, Open) else self.K
        if self.by_level:
            # on equal other weights S = K - 1
            return self.clean.value, rational(1), self.clean.value + (K - 1 if self.uniform_rest else self.rest.value)
        eta = self.eta.value if isinstance(self.eta, Open) else rational(self.eta)
        top, second, total = worst_weights(self.kind, K, eta)
        return sympy_().number(top), sympy_().number(second), sympy_().number(total)

    def condition(self) -> Scalar:
        """The left side of ``... >= 0`` without positive factors; "always" or "never" where a slope is infinite."""
        K = self.K.value if isinstance(self.K, Open) else self.K
        left = self.rule.at(K, **{p: o.value for p, o in self.opened.items()}).formula(*self.weights())
        if left in (sp.oo, -sp.oo):
            return _word(left == sp.oo)
        left = _without_positive_factors(left)
        return left if isinstance(left, sp.Expr) and left.free_symbols else _word(bool(left >= 0))

    # ------------------------------------------------------------------------------------------ answers

    def shown(self, expression: Scalar, ratios: Mapping[Scalar, Scalar] | None = None) -> Scalar:
        back, at = self._back()
        form = tidy(expression.subs(back, simultaneous=True), at)
        return form.subs(
            {symbol: tidy(ratio.subs(back, simultaneous=True), at) for symbol, ratio in (ratios or {}).items()}
        )

    def answer(self, relation: str, solved: bool, left: Scalar = None, expression: Scalar = None) -> Symbolic:
        condition = None if left is None else sp.Ge(self.shown_condition(left), 0, evaluate=False)
        return Symbolic(
            self.loss._with(**{p: o.shown for p, o in self.opened.items()}), self.parameter, relation, expression,
            condition, self.assumptions(expression, condition), self.rule.reason, solved,
        )  # fmt: skip

    def _back(self) -> tuple[list[tuple[Scalar, Scalar]], dict[Scalar, Scalar]]:
        """The substitution from internal symbols to shown ones, and values of the latter at one sample."""
        sample = next(self.samples(1))
        at = {o.shown: o.value.subs(sample.values) for o in self.symbols() if o is not self.unknown}
        return [o.back() for o in self.symbols()], at

    def shown_condition(self, left: Scalar) -> Scalar:
        """The left side by powers of the unknown, or of its distance from its limit: what is shorter."""
        back, at = self._back()
        if self.unknown is None:
            return _without_content(self.shown(left))
        forms = [
            ordered(left, self.unknown.symbol, back, at),
            ordered(left.subs(*self.unknown.back()), self.unknown.shown, back, at),
        ]
        return min((_without_content(form) for form in forms), key=lambda form: untidiness(form, at))

    def assumptions(self, expression: Scalar, condition: Scalar) -> str:
        names = {str(s) for e in (expression, condition) if e is not None for s in e.free_symbols}
        parts = [
            f"0 < {name} < 1/K" if _leaves_room(name) and isinstance(self.K, Open) else o.describe()
            for name, o in self.opened.items()
        ]
        if isinstance(self.K, Open) and (CLASSES in names or not self.by_level):
            parts.append(f"whole K >= {self._fewest}")
        if self.by_level:
            parts.append("c = w_m/w_n > 1")
            if REST in names:
                parts.append("S = (sum of w_i over i != m)/w_n >= 1")
            if self.uniform_rest:
                parts.append("all other weights equal")
        elif self.eta is self.unknown or isinstance(self.eta, Open):
            parts.append(f"0 < eta < {self.shown(self.dominance)}")
        given = {p: v for p, v in self.loss.parameters.items() if p not in self.opened}
        parts += [f"{p} = {plain(v)}" for p, v in given.items()]
        if not self.by_level:
            parts += [
                f"{n} = {plain(Fraction(v))}"
                for n, v in ((CLASSES, self.K), (RATE, self.eta))
                if not isinstance(v, Open)
            ]
        if self.rule.sufficient_only:
            parts.append("sufficient only")
        return "; ".join([", ".join(parts), *self.elsewhere])

    @cached_property
    def dominance(self) -> Scalar:
        """The noise rate at which w_m = w_n."""
        K = self.K.value if isinstance(self.K, Open) else self.K
        eta = sp.Dummy()
        top, second, _ = worst_weights(self.kind, K, eta)
        return sp.solve(sp.together(top - second), eta)[0]

    def checked(self, relation: str, left: Scalar = None) -> Symbolic:
        """ "always" or "never", compared with the numerical threshold."""
        expected = "all" if relation == "always" else "none"
        for sample in self.samples(INSIDE):
            found = self.truth(sample)
            if found[0] != expected:
                raise VerificationError(f"{self.loss.name}: {relation} was derived, but {found} at {sample.values}")
        return self.answer(relation, True, left)

    def relate(self, left: Scalar, found: list[Scalar] | None, ratios: Mapping[Scalar, Scalar]) -> Symbolic:
        """Choose the root that is the threshold at every sample, and the side; refuse what no sample supports."""
        assert self.unknown is not None
        if found is None:
            for sample in self.samples(INSIDE):
                self.check_condition(left, sample)
            return self.answer("undecided", False, left)
        found = [self._without_abs(root) for root in found]
        options = {(i, side) for i in range(len(found)) for side in ("low", "high")}
        words, inside = set(), 0
        for sample in self.samples(DRAWS):
            truth = self.truth(sample)
            words.add(truth[0])
            inside += truth[0] in ("low", "high")
            self.check_condition(left, sample)
            if truth[0] != "other":
                fits = {
                    (i, side)
                    for i, root in enumerate(found)
                    for side in ("low", "high")
                    if self.agrees(root.subs(ratios), side, truth, sample)
                }
                if not fits and (found or inside):
                    raise VerificationError(f"{self.loss.name}: {found} was derived, but {truth} at {sample.values}")
                options &= fits
            if inside >= INSIDE:
                break
        if found == [] and words in ({"all"}, {"none"}):
            return self.answer(_word(words == {"all"}), True, left)
        if not options or "other" in words:
            return self.answer("undecided", False, left)
        if words in ({"all"}, {"none"}):
            return self.answer(_word(words == {"all"}), True, left)
        index, side = min(options)
        relation = (">" if side == "low" else "<") + ("=" if self.rule.closed else "")
        expression = self.unknown.value.subs(self.unknown.symbol, found[index])
        return self.answer(relation, True, left, self.shown(expression, ratios))

    # ------------------------------------------------------------------------------------------ verification

    @cached_property
    def _fewest(self) -> int:
        """The least K to which the formula applies: for a fixed noise rate, clean labels must dominate."""
        least = 2 if self.uniform_rest or self.by_level else 3  # with K = 2 there is one other class: symmetric noise
        if not isinstance(self.eta, Fraction):
            return least
        for K in range(least, MOST_CLASSES):
            top, second, _ = worst_weights(self.kind, K, self.eta)
            if top > second:
                return K
        raise InputError(f"--eta {plain(self.eta)}: clean labels do not dominate for any K < {MOST_CLASSES}")

    def samples(self, count: int) -> Iterator[_Sample]:
        """Random rational values inside the assumptions; the same in every run."""
        draw = random.Random(20)
        for _ in range(count):
            K = self._fewest + draw.randint(0, 10) if isinstance(self.K, Open) else self.K
            values, eta, row = {}, None, None
            if isinstance(self.K, Open):
                values[self.K.symbol] = self._internal(self.K, Fraction(K))
            parameters = {}
            for name, opened in self.opened.items():
                parameters[name] = _draw(opened, draw)
                if _leaves_room(name) and isinstance(self.K, Open):
                    parameters[name] *= Fraction(FEWEST, K)  # drawn below 1/FEWEST, needed below 1/K
                if opened is not self.unknown:
                    values[opened.symbol] = self._internal(opened, parameters[name])
            if self.by_level:
                level = 1 + _size(draw)
                others = [Fraction(1 if self.uniform_rest else Fraction(draw.randint(0, 8), 8)) for _ in range(K - 2)]
                row = from_weights([level, 1, *others]).rows[0]
                values[self.clean.symbol] = self._internal(self.clean, level)
                values[self.rest.symbol] = self._internal(self.rest, 1 + sum(others, Fraction(0)))
            elif self.unknown is not self.eta:
                eta = self.eta
                if isinstance(eta, Open):
                    limit = self.dominance
                    if isinstance(self.K, Open):
                        limit = limit.subs(self.K.symbol, K - 1)
                    eta = Fraction(int(limit.p), int(limit.q)) * Fraction(draw.randint(2, 30), 32)
                    values[self.eta.symbol] = self._internal(self.eta, eta)
                row = family(self.kind, K)(eta).worst_row()
            yield _Sample(values, self.loss._with(**parameters), K, eta, row)

    @staticmethod
    def _internal(opened: Open, value: Fraction) -> Scalar:
        return rational((value - opened.start) * opened.sign)

    def truth(self, sample: _Sample) -> tuple[str, float | None]:
        """Numerically: does all, nothing, or what lies above ("low") or below ("high") a value of the range hold?"""
        if self.unknown is None:
            assert sample.row is not None
            return ("all" if decide(sample.loss, sample.row).holds else "none"), None
        if self.unknown is self.eta:
            found = solve_rate(sample.loss, self.kind, sample.K)
        else:
            assert sample.row is not None
            found = solve(sample.loss, from_weights(sample.row.weights), self.parameter)
        if found.status == "always":
            return "all", None
        return _within(found.pieces, self.unknown)

    def agrees(self, root: Scalar, side: str, truth: tuple[str, float | None], sample: _Sample) -> bool:
        assert self.unknown is not None
        value = self.unknown.value.subs(self.unknown.symbol, root).subs(sample.values).evalf(25)
        if not value.is_real or not value.is_finite:
            return False
        at, piece = float(value), self.unknown.piece
        if self.unknown.integer:
            at = float(int(at) if side == "high" else -(-value // 1))
        if truth[1] is not None:
            return truth[0] == side and abs(at - truth[1]) <= TOLERANCE * max(1.0, abs(truth[1]))
        below = piece.low is not None and at <= piece.low.value + TOLERANCE
        above = piece.high is not None and at >= piece.high.value - TOLERANCE
        return {("low", "all"): below, ("low", "none"): above, ("high", "all"): above, ("high", "none"): below}[
            side, truth[0]
        ]

    def _without_abs(self, root: Scalar) -> Scalar:
        """Absolute values opened with the sign at one sample; the check at the other samples follows."""
        values = next(self.samples(1)).values
        return root.replace(sp.Abs, lambda inner: inner if inner.subs(values) >= 0 else -inner)

    def check_condition(self, left: Scalar, sample: _Sample) -> None:
        """The symbolic inequality must have the sign of the numerical verdict at a random value of the unknown."""
        assert self.unknown is not None
        if self.unknown is self.eta:
            return  # the loss is fixed here, and the root itself is compared
        assert sample.row is not None
        at = {self.unknown.symbol: self._internal(self.unknown, sample.loss.parameters[self.unknown.name])}
        sign, holds = self.sign(left, sample, at), decide(sample.loss, sample.row).holds
        if holds is not None and abs(sign) > 1e-20 and (sign > 0) != holds:
            raise VerificationError(
                f"{self.loss.name}: the condition {left} has the wrong sign at {sample.values}, {at}"
            )

    @staticmethod
    def sign(left: Scalar, sample: _Sample, more: Mapping[Scalar, Scalar] | None = None) -> Scalar:
        return left.subs({**sample.values, **(more or {})}).evalf(30)


def _leaves_room(name: str) -> bool:
    """Is this the p_min of a normalised negative loss, which must leave room for K classes?"""
    return name.rpartition(".")[2] == "p_min"


def _classes(kind: str, open: tuple[str, ...], fixed: dict[str, Scalar], by_level: bool) -> Scalar:
    if CLASSES in fixed:
        worst_weights("symmetric" if by_level else kind, int(fixed[CLASSES]), Fraction(0))
        return int(fixed[CLASSES])
    if kind in FIXED_CLASSES and not by_level:
        return FIXED_CLASSES[kind]
    if CLASSES not in open and not by_level:
        raise InputError("--symbolic: K must be open or given")
    return Open.on(CLASSES, Fraction(1), None, Domain(Fraction(2), integer=True))


def rate_given(open: tuple[str, ...], fixed: dict[str, Scalar], parameter: str | None) -> Scalar:
    if RATE in open or parameter == RATE:
        return Open.on(RATE, Fraction(0), None, Domain(Fraction(0), Fraction(1), low_closed=False, high_closed=False))
    if RATE not in fixed:
        raise InputError("--symbolic: eta must be open or given")
    value = Fraction(fixed[RATE])
    if not 0 < value <= 1:
        raise InputError(f"--eta {plain(value)}: a formula needs a noise rate in (0, 1]")
    return value


def _regime(
    loss: Loss, wanted: list[str], kind: str, K: Scalar, by_level: bool, assume: dict[str, Domain]
) -> tuple[dict[str, Open], Rule, bool, list[str]]:
    """One range for each open parameter on which one rule applies, the rule, and what applies elsewhere.

    The curvature of a loss changes only at its ``kinks``, so the rule at one point stands for the range between two.
    """
    classes = FEWEST if isinstance(K, Open) else K
    choices: list[dict[str, Open]] = [{}]
    for name in wanted:
        opened = opened_ranges(loss, name, classes)
        if name in assume:
            opened = [r for r in opened if _holds(r.piece, assume[name])]
            if not opened:
                raise InputError(f"--symbolic: {name} in {assume[name]} is in no range of one curvature of {loss.name}")
        choices = [{**choice, name: r} for choice in choices for r in opened]
    rest = [False, True] if by_level else [kind in ("symmetric", "uniform") or classes == 2]
    ruled = []
    for choice in choices:
        inside = loss._with(**{name: middle_of(opened) for name, opened in choice.items()})
        for uniform in rest:
            what = rule(inside, classes, uniform)
            if what.inequality or what.verdict or uniform == rest[-1]:
                ruled.append((choice, what, uniform))
                break
    with_threshold = [r for r in ruled if r[1].inequality]
    chosen = (with_threshold or ruled)[0]
    always = set()  # kinks next to the chosen range at which the loss is linear
    for name in wanted:
        for k in getattr(loss, "kinks", {}).get(name, ()):
            at = {n: Fraction(k) if n == name else middle_of(opened) for n, opened in chosen[0].items()}
            if chosen[1].inequality and rule(loss._with(**at), classes, chosen[2]).verdict:
                always.add((name, Fraction(k)))
    elsewhere = []
    for choice, what, _ in ruled:
        if choice is not chosen[0]:
            others = [o for n, o in choice.items() if o is not chosen[0][n]]
            closed = {k for n, k in always if what.verdict and any(o.name == n for o in others)}
            elsewhere.append(", ".join(o.describe(closed) for o in others) + f": {_in_a_word(what)}")
            always -= {(n, k) for n, k in always if k in closed}
    elsewhere += [f"{n} = {plain(k)}: always" for n, k in sorted(always)]
    return *chosen, elsewhere


def opened_ranges(loss: Loss, name: str, K: int) -> list[Open]:
    """A parameter left open, once for each range between two kinks."""
    cut = ranges(loss, name, K)
    return [Open.on(name, low, high, cut.domain, cut.kinks) for low, high in cut.intervals]


def _in_a_word(what: Rule) -> str:
    if what.verdict is not None:
        return _word(what.verdict)
    return "another formula" if what.inequality else "undecided"


def _holds(piece: Piece, domain: Domain) -> bool:
    below = piece.low is None or (domain.low is not None and domain.low >= piece.low.key())
    return below and (piece.high is None or (domain.high is not None and domain.high <= piece.high.key()))


def middle_of(opened: Open) -> Fraction:
    low, high = opened.piece.low, opened.piece.high
    if low is not None and high is not None:
        middle: Fraction = (low.key() + high.key()) / 2
        return middle
    return opened.start + opened.sign


def _draw(opened: Open, draw: random.Random) -> Fraction:
    low, high = opened.piece.low, opened.piece.high
    if opened.integer:
        return opened.start + draw.randint(1, 12)
    if low is not None and high is not None:
        value: Fraction = low.key() + (high.key() - low.key()) * Fraction(draw.randint(2, 14), 16)
        return value
    return opened.start + opened.sign * _size(draw)


def _size(draw: random.Random) -> Fraction:
    """A positive number, small as often as large."""
    return Fraction(draw.randint(2, draw.choice((8, 64))), 16)


def _within(pieces: tuple[Piece, ...], opened: Open) -> tuple[str, float | None]:
    """What a set of feasible values is inside the range of an open parameter."""
    low = -float("inf") if opened.piece.low is None else opened.piece.low.value
    high = float("inf") if opened.piece.high is None else opened.piece.high.value
    inside = []
    for piece in pieces:
        left = low if piece.low is None else max(low, piece.low.value)
        right = high if piece.high is None else min(high, piece.high.value)
        if left < right or (opened.integer and left == right):
            inside.append((left, right))
    if not inside:
        return "none", None
    if len(inside) > 1:
        return "other", None
    ((left, right),) = inside
    if left == low:
        return ("all", None) if right == high else ("high", right)
    return ("low", left) if right == high else ("other", None)


def _without_positive_factors(expression: Scalar) -> Scalar:
    """An expression of the same sign: over a common denominator, without the factors that are known to be positive."""
    top, bottom = sp.together(sp.powsimp(expression)).as_numer_denom()
    result = sp.Integer(1)
    top = sp.factor(top) if top.count_ops() < FACTORED else sp.factor_terms(top)
    for factor in sp.Mul.make_args(top) + sp.Mul.make_args(bottom):
        base = factor.base if isinstance(factor, sp.Pow) and factor.exp.is_integer and factor.exp.is_odd else factor
        if base.is_positive:
            continue
        result *= -1 if base.is_negative else base
    return _without_content(result)


def _without_content(expression: Scalar) -> Scalar:
    """Without its positive rational factor; the sign stays, inside a sum where there is one."""
    content, primitive = expression.primitive()
    if content.is_zero or not expression.free_symbols:
        return expression
    leading, rest = primitive.as_coeff_Mul()
    return sp.expand_mul(leading * rest) if leading.is_negative and rest.is_Add else primitive


def derive_for(
    loss: Loss,
    parameter: str | None,
    kind: str,
    K: int | None = None,
    eta: Scalar = None,
    leave_open: list[str] | None = None,
) -> Symbolic:
    """``derive`` with the defaults of the command line: K and eta are open unless they are given."""
    given = {name: value for name, value in ((CLASSES, K), (RATE, eta)) if value is not None}
    wanted = list(leave_open or ())
    for name in wanted:
        if name in given:
            raise InputError(f"--open {name}: --{name} gives it a value; leave one of the two out")
    if CLEAN not in wanted:
        wanted += [name for name in (CLASSES, RATE) if name not in given and name not in wanted]
        if kind in FIXED_CLASSES and CLASSES in wanted:
            wanted.remove(CLASSES)
    if not wanted:
        raise InputError(
            "--symbolic: nothing is left open; leave out --K or --eta, or name what stays open with --open"
        )
    return derive(loss, parameter, kind, tuple(wanted), given)
