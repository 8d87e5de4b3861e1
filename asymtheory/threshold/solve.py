"""Which parameter values (or noise rates) make a loss asymmetric on a noise model.

``solve`` never uses a paper's closed form. For each row of weights it splits the parameter's domain where the curvature
of the loss changes, asks the rule for each piece, and isolates the sign changes of the deciding inequality by interval
arithmetic over the whole piece (between 2^-60 and 2^60, and farther if the sign changes there).
Each end is then named exactly, if it can be: the inequality is re-run on polynomials, or on exact monomials at the
simplest number inside the enclosure, and the name is given only when equality holds exactly. Rows of floats get no
exact names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from typing import NamedTuple, TypeAlias

from ..asymmetry.binding import binding_rows, rows_by_all_weights
from ..asymmetry.condition import check
from ..asymmetry.rules import Decision, Rule, by_equality, decide, endless, rule
from ..asymmetry.rules.base import AnyRule, Slack
from ..asymmetry.rules.cutoff import first_order
from ..asymmetry.rules.search import Search
from ..errors import InputError
from ..losses.base import (
    CONCAVE,
    Loss,
    Normalised,
    NormalisedNegative,
    Sum,
    Term,
    is_coefficient,
    unknown_parameter,
)
from ..losses.domain import Domain
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..noise.models import FAMILIES, family, worst_weights
from ..noise.rows import NoiseModel, Row
from ..numbers.backends import EXACT, FLOAT, INTERVAL, Backend
from ..numbers.exact import simplest
from ..numbers.interval import Interval
from ..numbers.scalar import Scalar
from ..numbers.text import plain, show
from .inequality import LEAST_RATE, Isolated, isolate, scanned
from .isolate import Inequality
from .pieces import (
    RATE,
    End,
    Piece,
    Threshold,
    intersect,
    name_domain,
    open_end,
    start_of,
    value_between,
    whole_domain,
    with_point,
)
from .ranges import Ranges, ranges

MOST_SEARCHED, MOST_COMPARED = (
    40,
    400,
)  # rows that are searched beside those of the two largest weights, or compared for it

LARGEST_COUNT = 4096  # whole-number parameters are tried up to here,

MOST_COUNT = 65536  # and further while they are feasible

LONG_SUM = 64  # terms, beyond which floats are asked before exact numbers

SAMPLED = 60  # bits: how far out floats are asked first

LEAST_JUMP = 1e-9  # of a slack, for total weight 1

ONE_CHANGE = "between the whole numbers tried one change of the verdict at most is assumed, not proved"
STEEP = "a term has an infinite slope towards another class and no other one outweighs it: the risk falls there for every value"

Pieces: TypeAlias = tuple[Piece, ...]


class Feasible(NamedTuple):
    """The feasible values on one row, what decided (the last rule with a threshold), and whether every value is settled.

    ``searched``: does it depend on all weights, for some value?
    """

    pieces: tuple[Piece, ...]
    by: Rule | Decision
    settled: bool
    note: str = ""
    searched: bool = False


def solve(loss: Loss | str, noise: NoiseModel, parameter: str | None = None, **parameters: Scalar) -> Threshold:
    """All values of ``parameter`` (default: the loss's main one) that make it asymmetric on every row of ``noise``.

    A loss without a free parameter gets status "always" or "never" (or "undecided"). Raises InputError for an unknown
    parameter, and for ``eta``: use ``solve_rate``.

        >>> from fractions import Fraction
        >>> from asymtheory import symmetric
        >>> solve("agce", symmetric(10, Fraction(4, 5)), q=0.5).answer
        'a >= 16/65 (0.246154)'

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    if parameter is None:
        parameter = loss.main
    if parameter == RATE:
        raise InputError("--solve eta needs a noise kind with a rate: solve_rate(loss, kind, K)")
    if parameter is not None and parameter not in loss.domains:
        raise InputError("--solve: " + unknown_parameter(loss.name, parameter, loss.domains))
    if not noise.dominant:
        return _not_dominant(loss, noise, parameter)
    if parameter is None:
        return _without_parameter(loss, noise)
    loss = loss.at(noise.classes).prepared(parameter)
    cut = ranges(loss, parameter, noise.classes)
    pieces: tuple[Piece, ...] = (whole_domain(cut.domain),)
    binding, settled, used, note = noise.worst, True, None, ""
    rows, more = binding_rows(noise, by_equality(loss, noise.classes)), None
    for index, row in rows:
        own = _feasible(loss, parameter, cut, row)
        if own.searched and more is None:
            known = {i for i, _ in rows}
            more = [each for each in _searched_rows(loss, noise) if each[0] not in known]
            rows += more if len(more) <= MOST_SEARCHED else []
        settled, note = settled and own.settled, note or own.note
        merged = intersect(pieces, own.pieces)
        if merged != pieces or used is None:
            binding, used = index, own.by
        pieces = merged
    if more and len(more) > MOST_SEARCHED and pieces:
        settled, note = False, f"{len(more)} rows that differ in smaller weights are too many to search"
    status = _status(pieces, cut.domain, settled)
    assert used is not None
    hint = "; --domain leaves out values that no proof settles" if loss.searched and status == "undecided" else ""
    why, method = (f"{text}; {loss.searched}{hint}" if loss.searched else text for text in (used.reason, used.method))
    why += f"; {note}" if note else ""
    return Threshold(loss, parameter, status, pieces, noise, binding, why, method)


def solve_rate(loss: Loss | str, kind: str, K: int | None, **parameters: Scalar) -> Threshold:
    """The noise rates of a family ("symmetric", "pair", "cifar10", ...) that the loss with its parameters tolerates.

    Raises InputError for a noise without a rate.

        >>> solve_rate("amse", "symmetric", 10, a=9).answer
        'eta <= 0.8'

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    if kind not in FAMILIES:
        raise InputError(f"--solve eta: noise {kind!r} has no rate to solve for (it may be: {', '.join(FAMILIES)})")
    build = family(kind, K)
    model = build(Fraction(1, 4))
    worst = model.worst_row()
    classes = model.classes
    what = rule(loss, classes, worst.uniform_rest)
    domain = Domain(Fraction(0), Fraction(1))

    def margin(eta: Scalar, xp: Backend) -> Scalar:
        top, second, _ = worst_weights(kind, classes, eta)
        return top - second

    def inequality(eta: Scalar, xp: Backend) -> Scalar:
        return what.slack(*worst_weights(kind, classes, eta), xp)

    dominant = isolate(margin, domain, closed=False, smallest=LEAST_RATE)
    zero = decide(loss, build(Fraction(0)).worst_row()).holds
    if what.searched or what.sufficient_only:
        found, zero = _searched_rates(loss, build, dominant)
    elif what.at_zero and (what.inequality or worst.uniform_rest):
        opened = Domain(domain.low, domain.high, low_closed=False, high_closed=False)
        found = _at_zeros(what, inequality, opened, lambda eta: decide(loss, build(eta).worst_row()))
    elif what.inequality:
        found = isolate(inequality, domain, what.closed, smallest=LEAST_RATE)
    else:
        found = Isolated(dominant.pieces if what.verdict else (), True)
    pieces, settled = intersect(dominant.pieces, found.pieces), dominant.settled and found.settled
    pieces = with_point(pieces, Fraction(0), bool(zero), domain)
    status = _status(pieces, domain, settled)
    end = max((p.high.value for p in pieces if p.high is not None), default=0.0)
    shown = build(Fraction(end) if 0 <= end <= 1 else Fraction(0))
    why = what.reason + (f"; {found.note}" if found.note else "")
    return Threshold(loss, RATE, status, pieces, shown, shown.worst, why, what.method)


def _searched_rates(
    loss: Loss, build: Callable[[Fraction], NoiseModel], dominant: Isolated
) -> tuple[Isolated, bool | None]:
    """The rates that work where no rule decides, and whether 0 does; of formulas that do not separate nothing is said."""
    if loss.joint or len(dominant.pieces) != 1:
        return Isolated((), False), decide(loss, build(Fraction(0)).worst_row()).holds
    from .rates import Rates  # late: numpy is not on the start-up path of the simplest `bound`

    end = dominant.pieces[0].high
    rates = Rates(loss, build, Fraction(1) if end is None or end.number is None else end.number)
    return rates.solve(), rates.holds(0.0)


def _status(pieces: tuple[Piece, ...], domain: Domain, settled: bool) -> str:
    if pieces == (whole_domain(domain),):
        return "always"
    if not settled:
        return "undecided"
    return "threshold" if pieces else "never"


def _not_dominant(loss: Loss, noise: NoiseModel, parameter: str | None) -> Threshold:
    row, other = noise.failures[0]
    why = (
        f"{noise.row_name(row)}: w = {show(noise.rows[row].top)} for the clean label, "
        f"{show(noise.rows[row].second)} for {noise.class_name(other)}: "
        "no unique largest weight on the clean label, so no loss is tolerant there"
    )
    return Threshold(loss, parameter, "never", (), noise, row, why, "clean labels do not dominate")


def _without_parameter(loss: Loss, noise: NoiseModel) -> Threshold:
    rows = binding_rows(noise, by_equality(loss, noise.classes))
    found = [(index, row, decide(loss, row)) for index, row in rows]
    index, _, worst = min(found, key=lambda f: ({False: 0, None: 1, True: 2}[f[2].holds], f[1].margin))
    holds, why, method = worst.holds, worst.reason, worst.method
    if holds is None:  # nothing to solve for: the verdict of a certified search is the answer
        searched = check(loss, noise)
        index, holds, method = searched.row, searched.asymmetric, searched.method
        why = f"{why}; {method}"
    status = {True: "always", False: "never", None: "undecided"}[holds]
    return Threshold(loss, None, status, (), noise, index, why, method)


def _searched_rows(loss: Loss, noise: NoiseModel) -> list[tuple[int, Row]]:
    """The rows that can bind where a search decides; all that differ where they are too many to be compared."""
    profile = Profile.of(loss, noise.classes)
    averages = [atom for _, atom in profile.normalised if profile.negative or not endless(atom)]
    return rows_by_all_weights(noise, ordered=not averages and len(noise.rows) <= MOST_COMPARED)


def _feasible(loss: Loss, parameter: str, cut: Ranges, row: Row) -> Feasible:
    domain = cut.domain
    if row.second == 0 and not rule(loss, len(row.weights), row.uniform_rest).at_zero:
        found = decide(loss, row)
        return Feasible((whole_domain(domain),) if found.holds else (), found, found.holds is not None)
    if domain.integer:
        return _feasible_whole_numbers(loss, parameter, domain, row)
    pieces: tuple[Piece, ...] = ()
    settled, used, note, searched = True, None, "", False
    for left, right in cut.intervals:
        middle = value_between(left, right)
        what = rule(loss._with(**{parameter: middle}), len(row.weights), row.uniform_rest)
        searched = searched or what.searched or what.sufficient_only
        if used is None or what.inequality:
            used = what
        own = _between_kinks(what, parameter, Domain(left, right, low_closed=False, high_closed=False), row)
        settled = settled and own.settled
        note = note or own.note
        pieces += _at_jumps(own.pieces, what, parameter, row)
    for point in cut.points:
        at = loss._with(**{parameter: point})
        holds = decide(at, row).holds
        if holds is None:
            from .mixing import settled as certified  # late: numpy is not on the start-up path of the simplest `bound`

            holds = certified(at, row)
        note = note or (f"{parameter} = {plain(point)} itself is not settled" if holds is None else "")
        settled = settled and holds is not None
        pieces = with_point(pieces, point, bool(holds), domain)
    assert used is not None
    ordered = tuple(sorted((name_domain(p, domain) for p in pieces), key=start_of))
    return Feasible(ordered, used, settled, note, searched)


def _at_jumps(pieces: Pieces, what: Rule, parameter: str, row: Row) -> Pieces:
    """Pieces whose ends may be where a formula jumps in the parameter: what holds there is asked at the simplest value.

    Where the slack is 0 but for the width of the end, nothing jumps.
    """
    if not any(atom.branches for _, atom in what.loss.terms()):
        return pieces

    def asked(end: End | None) -> End | None:
        if end is None or end.number is not None or end.log10 is not None:
            return end
        value = simplest(Fraction(end.low), Fraction(end.high))
        found = decide(what.loss._with(**{parameter: value}), row)
        if found.holds is None or found.gap is None or abs(found.gap) < LEAST_JUMP:
            return end
        return replace(end, value=float(value), closed=found.holds)

    return tuple(Piece(asked(piece.low), asked(piece.high)) for piece in pieces)


def _between_kinks(what: Rule, parameter: str, opened: Domain, row: Row) -> Isolated:
    """Feasible values on an open interval where one rule decides."""
    everything: Pieces = (Piece(open_end(opened.low), open_end(opened.high)),)
    if what.at_zero:
        if not (what.inequality or row.uniform_rest):
            return Isolated((), True)  # the coefficients of two different weights do not vanish at once
        top, second, total = (Fraction(w) for w in (row.top, row.second, row.total))

        def coefficient(value: Scalar, xp: Backend) -> Scalar:
            return what.at(**{parameter: value}).slack(xp.number(top), xp.number(second), xp.number(total), xp)

        return _at_zeros(
            what,
            coefficient,
            opened,
            lambda value: decide(what.loss._with(**{parameter: value}), row),
        )
    if what.verdict is not None:
        return Isolated(everything if what.verdict else (), True)
    affine = isinstance(what.loss, Sum) and is_coefficient(parameter)
    if _infinite(what if affine else what.at(**{parameter: _box(opened)})):
        return Isolated((), True, "the risk is infinite at e_m, for L(e_m, n) is, and finite inside")
    other = value_between(opened.low, value_between(opened.low, opened.high))
    if (what.inequality or what.necessary) and _steep(what, parameter, other):
        return Isolated((), True, STEEP)
    if what.inequality and what.same_sign(**{parameter: other}):
        verdict = what.decide(row).holds
        if verdict is not None:
            return Isolated(everything if verdict else (), True)
    known: Pieces | None = None
    possible: Pieces | None = None
    # ends that come of rounded weights get no exact name
    named = not any(isinstance(w, float) for w in (row.top, row.second, row.total))
    slack = _slack_of(what, lambda at: at.slack, parameter, row)
    if what.inequality:
        found = isolate(slack, opened, what.closed, named, monotone=affine)
        if not what.sufficient_only:
            return found
        if found.settled and found.pieces == everything:
            return found
        known = _certain(found, opened)
    elif isinstance(what, Search):
        if what.necessary and not _always(math.inf, slack, opened):
            found = isolate(slack, opened, True, named, monotone=affine)
            if found.settled and not found.pieces:
                return found
            possible = _certain(found, opened) if not found.note else None
        if what.shapes is not None:
            found, known = _by_lines(what, parameter, opened, row, affine)
            if found.settled and found.pieces == everything:
                return found
    if what.profile.negative and not what.profile.normalised:
        slack = _first_order(what, parameter, row)
        if _ever_below(slack, opened):  # else it says nothing
            found = isolate(slack, opened, True, named, monotone=affine)
            if found.settled and not found.pieces:
                return found
            possible = _certain(found, opened)
    return _searched(what, parameter, opened, row, known, possible)


def _first_order(what: Rule, parameter: str, row: Row) -> Inequality:
    """How fast the risk rises from the cut-off vertex, as a function of the parameter."""
    return _slack_of(what, lambda at: partial(first_order, at.profile), parameter, row)


def _ever_below(slack: Inequality, opened: Domain) -> bool:
    """Do floats see a slack that is not positive at one of some values, which are denser towards the ends?"""
    return not all(value > 0 for value in _sampled(slack, opened))


def _always(value: float, slack: Inequality, opened: Domain) -> bool:
    """Do floats see a slack of this infinite value wherever they see one? Then it says nothing that is worth isolating."""
    seen = False
    for x in _sampled(slack, opened):
        if x != value and not math.isnan(x):
            return False
        seen = seen or x == value
    return seen


def _sampled(slack: Inequality, opened: Domain) -> Iterator[float]:
    """A slack in floats (NaN where there is none) at some values, which are denser towards the ends."""
    powers = [2.0**k for k in range(-SAMPLED, SAMPLED + 1, 4)]
    if opened.low is None and opened.high is None:
        values = [*powers, *(-x for x in powers)]
    elif opened.low is None or opened.high is None:
        edge, side = (opened.high, -1) if opened.low is None else (opened.low, 1)
        values = [float(edge) + side * x for x in powers] if edge is not None else []
    else:
        low, width = float(opened.low), float(opened.high - opened.low)
        near = [x for x in powers if x < 1]
        values = [*(low + width * x for x in near), *(low + width * (1 - x) for x in near)]
    for x in values:
        if (opened.low is None or x > opened.low) and (opened.high is None or x < opened.high):
            try:
                yield float(slack(x, FLOAT))
            except (ArithmeticError, ValueError):
                yield math.nan


def _slack_of(what: AnyRule, slack: Callable[[AnyRule], Slack], parameter: str, row: Row) -> Inequality:
    """A slack of a rule on one row, as a function of the parameter."""
    exact = [Fraction(w) for w in (row.top, row.second, row.total)]

    @cache
    def weights(xp: Backend) -> tuple[Scalar, Scalar, Scalar]:
        return xp.number(exact[0]), xp.number(exact[1]), xp.number(exact[2])

    def inequality(value: Scalar, xp: Backend) -> Scalar:
        return slack(what.at(**{parameter: value}))(*weights(xp), xp)

    return inequality


def _by_lines(what: Search, parameter: str, opened: Domain, row: Row, monotone: bool) -> tuple[Isolated, Pieces | None]:
    """Where lines below all terms prove a yes, and what of that is certain.

    The steeper lines of concave terms come first: they are quick, and reach far out, where leading powers cancel in chords.
    """

    def where(slack: Callable[[Search], Slack], domain: Domain) -> Isolated:
        inequality = _slack_of(what, slack, parameter, row)
        if _always(-math.inf, inequality, domain):
            return Isolated((), False)
        return isolate(inequality, domain, False, False, monotone=monotone)

    if what.shapes is None or not any(CONCAVE in shape for shape in what.shapes):
        found = where(lambda at: at.enough, opened)
        return found, _certain(found, opened)
    steeper = _certain(where(lambda at: at.steeper, opened), opened) or ()
    low, high = opened.low, opened.high
    for piece in steeper:  # what reaches to an end needs no chords; the two overlap
        if piece.low is not None and piece.high == open_end(opened.high):
            high = Fraction(math.nextafter(piece.low.high, math.inf))
        if piece.high is not None and piece.low == open_end(opened.low):
            low = Fraction(math.nextafter(piece.high.low, -math.inf))
    everything = (Piece(open_end(opened.low), open_end(opened.high)),)
    if steeper == everything:
        return Isolated(everything, True), everything
    rest = Domain(low, high, low_closed=False, high_closed=False)
    found = where(lambda at: at.enough, rest)
    known = _certain(found, rest) or ()
    if known == (Piece(open_end(low), open_end(high)),) and (low, high) != (opened.low, opened.high):
        return Isolated(everything, True), everything
    return found if rest == opened else found._replace(pieces=(), settled=False), (*known, *steeper) or None


def _certain(found: Isolated, opened: Domain) -> Pieces | None:
    """The pieces, where nothing of them is assumed: where something is, as far as values were scanned."""
    if not found.settled or found.sampled:
        return None
    if not found.note:
        return found.pieces
    low, high = (End.at(Fraction(x), True) for x in scanned(opened))
    return intersect(found.pieces, (Piece(low, high),))


def _searched(
    what: Rule, parameter: str, opened: Domain, row: Row, known: Pieces | None, possible: Pieces | None
) -> Isolated:
    """Feasible values where no inequality decides: certified boxes of the parameter, and for a weight what is affine in it.

    ``known``: where an inequality holds that is sufficient; ``possible``: where one holds that is necessary.
    """
    from ..asymmetry.sweep import Sweep  # late: numpy and flint are not on the start-up path of the simplest `bound`
    from .mixing import Mixing
    from .sweeping import either, ends_of, swept, within

    fixed = _beside_endless(what.loss)
    if fixed and fixed == _beside_endless(what.loss._with(**{parameter: value_between(opened.low, opened.high)})):
        other = what.loss._with(**{parameter: value_between(opened.low, value_between(opened.low, opened.high))})
        if fixed == _beside_endless(other) and Sweep.of(Sum(fixed), row).point():
            # NCE and NFL are least in the limit at e_m, whatever their parameters and weights
            return Isolated((Piece(open_end(opened.low), open_end(opened.high)),), True)
    if isinstance(what.loss, Sum) and is_coefficient(parameter):
        mixed = Mixing(what.loss, parameter, row, possible or ()).solve()
        if mixed is not None:
            return mixed
    verdicts = within(known or (), 1, 0)
    if possible is not None:
        verdicts = either(verdicts, within(possible, 0, -1))
    affine = isinstance(what.loss, Sum) and is_coefficient(parameter)
    ends = ends_of((*(known or ()), *(possible or ())))
    return swept(Sweep.of(what.loss, row, parameter), opened, verdicts, ends, affine)


def _beside_endless(loss: Loss) -> tuple[Term, ...]:
    """The terms beside NCE and NFL; none where there is no such term, or where another one makes a domain of its own."""
    terms = tuple(loss.terms())
    found = tuple(term for term in terms if not (isinstance(term[1], Normalised) and endless(term[1])))
    return () if len(found) == len(terms) or any(isinstance(atom, NormalisedNegative) for _, atom in found) else found


def _at_zeros(what: Rule, inequality: Inequality, opened: Domain, at: Callable[[Fraction], Decision]) -> Isolated:
    """Feasible values of a rule that says nothing where its slack is exactly 0: ``at`` is asked there.

    Without ``inequality`` these values are the only ones at which the rule may say yes.
    """
    middle = value_between(opened.low, opened.high)
    if all(EXACT.number(inequality(x, EXACT)).sign == 0 for x in (middle, value_between(opened.low, middle))):
        return Isolated((), False, "the coefficients of all other classes vanish at every value")
    found = isolate(inequality, opened, closed=True)
    pieces, settled = found.pieces if what.inequality else (), found.settled
    for end in (end for piece in found.pieces for end in (piece.low, piece.high) if end is not None):
        if end.number is None and getattr(what, "alone", False):
            pieces = pieces if what.inequality else (*pieces, Piece(end, end))
        elif end.number is None:
            settled = settled and not end.low < end.high
        elif end.number not in (opened.low, opened.high):
            holds = at(end.number).holds
            settled = settled and holds is not None
            pieces = with_point(pieces, end.number, bool(holds), opened)
    return Isolated(pieces, settled, found.note)


def _box(opened: Domain) -> Interval:
    """An interval around all values."""
    low = -math.inf if opened.low is None else INTERVAL.number(opened.low).low
    return Interval(low, math.inf if opened.high is None else INTERVAL.number(opened.high).high)


def _infinite(what: Rule) -> bool:
    """Is the risk infinite at e_m, since L(e_m, n) is (for one term, and none is infinite downwards)? It is finite inside."""
    profile = what.profile
    if profile.negative:
        return False
    nothing = Interval(0.0, 0.0)
    terms = [Profile(what.K, ((Fraction(1), atom),), (), (), ()) for _, atom in profile.separable]
    active, passive = (
        [INTERVAL.number(term.jet(side, nothing, INTERVAL)[0]).low for term in terms] for side in ("active", "passive")
    )
    return math.inf in active and all(low > -math.inf for low in passive)


def _steep(what: Rule, parameter: str, other: Fraction) -> bool:
    """Is the first-order slack -inf for every value, by a term that the parameter does not change, or that is ``steep`` at each?

    Such a term has the slope -inf at u = 0 (or a passive part of slope inf at 1). Nothing outweighs it if the slopes of the active
    parts at 1 and of the passive ones at 0 are finite: those of a convex term are (or of a ``gentle`` one), and of a fixed one they
    are looked at.
    """
    if what.profile.negative:  # the domain ends before 0
        return False
    at, here = what.at(**{parameter: other}).profile, what.profile.separable
    there, steep = at.separable, False
    for (_, term), (_, moved) in zip(what.profile.normalised, at.normalised, strict=True):
        slope = INTERVAL.number(Profile(what.K, ((Fraction(1), term.base),), (), (), ()).slopes(INTERVAL).active1)
        if not (term == moved and -math.inf < slope.low) and not (
            term.base.gentle_at_vertex and moved.base.gentle_at_vertex
        ):
            return False  # such a term may rise as steeply
    for (_, atom), (_, same) in zip(here, there, strict=True):
        slopes = Profile(what.K, ((Fraction(1), atom),), (), (), ()).slopes(INTERVAL)
        ends = [INTERVAL.number(x) for x in (slopes.active0, slopes.passive1, slopes.active1, slopes.passive0)]
        fixed = atom == same
        steep = steep or atom.steep_at_zero or (fixed and (ends[0].high == -math.inf or ends[1].low == math.inf))
        known = fixed and all(-math.inf < end.low <= end.high < math.inf for end in ends[2:])
        if not known and not (atom.gentle_at_vertex and same.gentle_at_vertex):
            return False
    return steep


def _feasible_whole_numbers(loss: Loss, parameter: str, domain: Domain, row: Row) -> Feasible:
    """Runs of feasible whole numbers, with at most one change between tried powers of two.

    Where an inequality decides that is so: the end slopes of Taylor-CE are -n and -1, so the slack is affine in n. Elsewhere it
    is assumed, and the answer says so. Tried up to LARGEST_COUNT, and further while feasible; what is still feasible at
    MOST_COUNT stays unsettled.
    """
    assert domain.low is not None
    verdicts: dict[int, Decision] = {}

    def holds(n: int) -> bool:
        if n not in verdicts:
            at = loss._with(**{parameter: Fraction(n)})
            verdicts[n] = _at_count(at, row, n)
            if verdicts[n].holds is None:
                verdicts[n] = verdicts[n]._replace(holds=_certified_count(at, row, n, verdicts[n]))
        return bool(verdicts[n].holds)

    first = int(domain.low)
    limit = MOST_COUNT if domain.high is None else int(domain.high)
    tried = sorted({*range(first, first + 16), *(first + 2**k for k in range(4, 17)), limit})
    tried = [n for n in tried if n <= limit]
    runs: list[list[int]] = []
    previous = None
    for n in tried:
        if n > LARGEST_COUNT + first and previous is not None and not holds(previous):
            break
        if previous is not None and holds(previous) != holds(n):
            low, high = previous, n
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if holds(middle) == holds(low) else (low, middle)
            if holds(previous):
                runs[-1][1] = low
            else:
                runs.append([high, n])
        elif holds(n):
            if runs and runs[-1][1] == previous:
                runs[-1][1] = n
            else:
                runs.append([n, n])
        if holds(n) and runs:
            runs[-1][1] = max(runs[-1][1], n)
        previous = n
    pieces = tuple(
        Piece(End.at(Fraction(a), True, of_domain=a == first), End.at(Fraction(b), True, of_domain=b == domain.high))
        for a, b in runs
    )
    ended = domain.high is not None or not (runs and runs[-1][1] == tried[-1])
    affine = all(
        v.rule.verdict is not None or (v.rule.inequality and not v.rule.sufficient_only) for v in verdicts.values()
    )
    found = verdicts[min(first + 1, tried[-1])]
    unknown = next((n for n, v in verdicts.items() if v.holds is None), None)
    note = "" if affine else ONE_CHANGE
    note = (
        f"it is feasible still at {parameter} = {MOST_COUNT}, and beyond that nothing is tried" if not ended else note
    )
    note = note if unknown is None else f"{parameter} = {unknown} itself is not settled"
    return Feasible(pieces, found, unknown is None and ended, note, not affine)


def _certified_count(loss: Loss, row: Row, n: int, decision: Decision) -> bool | None:
    """Asymmetric with this whole number? By boxes of floats where there are many terms, whose exact values grow with them."""
    from ..asymmetry.certificates import search  # late: numpy is not on the start-up path of the simplest `bound`
    from ..asymmetry.sweep import Sweep

    found = Sweep.of(loss, row).point() if n > LONG_SUM else None
    return search(loss, row, decision)[0].holds if found is None else found


def _at_count(loss: Loss, row: Row, n: int) -> Decision:
    """``decide``, with floats where the sides of the inequality differ by far more than rounding can (long sums)."""
    what = rule(loss, len(row.weights), row.uniform_rest)
    plane = what.half_plane(FLOAT) if what.inequality and not what.sufficient_only else None
    if plane is not None:
        top, second, total = (float(w) for w in (row.top, row.second, row.total))
        slack = what.slack(top, second, total, FLOAT)
        size = abs(plane.top) * top + abs(plane.second) * second + abs(plane.total) * total
        if 1e-9 * size < abs(slack) < math.inf:
            return Decision(slack > 0, slack / total, what)
    if isinstance(what, Search) and n > LONG_SUM:
        return Decision(None, None, what)
    return what.decide(row)
