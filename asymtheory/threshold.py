"""Which parameter values (or noise rates) make a loss asymmetric on a noise model.

``solve`` never uses a paper's closed form. For each row of weights it splits the parameter's domain where the curvature
of the loss changes, applies the rule of ``condition`` to each piece, and isolates the sign changes of the deciding
inequality by interval arithmetic over the whole piece (between 2^-60 and 2^60, and farther if the sign changes there).
Each end is then named exactly, if it can be: the inequality is re-run on polynomials, or on exact monomials at the
simplest number inside the enclosure, and the name is given only when equality holds exactly. Rows of floats get no
exact names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import Any

from .backends import DUAL, EXACT, FLOAT, INTERVAL, POLY, arb_
from .condition import check
from .domain import Domain, plain
from .errors import InputError
from .exact import Exact, Poly, square_root
from .interval import Interval
from .jet import Jet
from .losses import Loss, unknown_parameter
from .noise import FAMILIES, NoiseModel, Row, family, show, worst_weights
from .profile import Profile
from .rules import CLIP, DOMINANCE, KKT, SEARCH, Decision, Rule, binding_rows, decide, gap, rule

SMALLEST, LARGEST = 2.0**-60, 2.0**60
FARTHER = (4.0, 8.0, 14.0)  # powers of these two at which a change of sign beyond them is looked for
BUDGET = 2500  # boxes
SAMPLES = 32  # signs taken where the budget ends
SLIVER = 1e-12
LEAST_RATE = 2.0**-48  # of noise: 1 - eta loses smaller ones
NARROW = 2.0**-36  # relative width of an enclosure that needs no more than floats
WIDE = 16.0  # ratio of the ends of a box
WIDTH = 2.0**-46  # relative width at which a sign change counts as isolated
OVERFLOW = 1e300
BITS = 200  # of Arb, where floats do not do
LARGEST_COUNT = 4096  # whole-number parameters are tried up to here,
MOST_COUNT = 65536  # and further while they are feasible
RATE = "eta"


@dataclass(frozen=True)
class End:
    """One end of an interval: a float, the enclosure around the true value, and its exact name where it has one."""

    value: float
    low: float
    high: float
    closed: bool
    exact: str | None = None
    number: Fraction | None = None
    of_domain: bool = False  # the parameter's own limit, not a threshold

    @classmethod
    def at(cls, number: Fraction, closed: bool, of_domain: bool = False) -> End:
        value = float(number)
        return cls(value, value, value, closed, plain(number), number, of_domain)

    def __str__(self) -> str:
        decimal = f"{self.value:.10g}"
        if self.exact is None or self.exact == decimal:
            return decimal
        return f"{self.exact} ({self.value:.6g})" if len(self.exact) <= 40 else decimal

    def key(self) -> Any:
        return self.value if self.number is None else self.number


@dataclass(frozen=True)
class Piece:
    """An interval of feasible values; None is no end."""

    low: End | None
    high: End | None

    def __contains__(self, value: Any) -> bool:
        if self.low is not None and (value < self.low.key() or (value == self.low.key() and not self.low.closed)):
            return False
        return not (
            self.high is not None and (value > self.high.key() or (value == self.high.key() and not self.high.closed))
        )

    def describe(self, name: str) -> str:
        """``a >= 9``, ``1 < p <= 3``, ``q = 1``; the domain's own ends are left out."""
        low = self.low if self.low is not None and not (self.low.of_domain and self.high is not None) else None
        if self.low is not None and self.high is not None and self.low.key() == self.high.key():
            return f"{name} = {self.low}"
        high = self.high if self.high is not None and not (self.high.of_domain and low is not None) else None
        if low is not None and high is not None:
            return f"{low} {'<=' if low.closed else '<'} {name} {'<=' if high.closed else '<'} {high}"
        if low is not None:
            return f"{name} {'>=' if low.closed else '>'} {low}"
        if high is not None:
            return f"{name} {'<=' if high.closed else '<'} {high}"
        return f"any {name}"


@dataclass(frozen=True)
class Threshold:
    """Where a loss is asymmetric: feasible values of one parameter on one noise model."""

    loss: Loss
    parameter: str | None
    status: str  # "threshold", "always", "never", "undecided"
    pieces: tuple[Piece, ...]
    noise: NoiseModel
    binding_row: int
    condition: str
    method: str

    @property
    def feasible(self) -> Piece | None:
        """The piece with the threshold: the widest one, counting no end as infinite."""
        if not self.pieces:
            return None
        return max(self.pieces, key=_width)

    @property
    def end(self) -> End | None:
        """The end that is the threshold: of the feasible piece, the one that is not the domain's own."""
        piece = self.feasible
        if piece is None:
            return None
        ends = [e for e in (piece.low, piece.high) if e is not None and not e.of_domain]
        return ends[0] if ends else None

    def fixed(self) -> dict[str, Any]:
        """The other parameters, exact."""
        return {p: v for p, v in self.loss.parameters.items() if p != self.parameter}

    @property
    def answer(self) -> str:
        """The result in one line: ``a >= 9``."""
        name = self.parameter or "parameters"
        if self.status == "never":
            return f"never: no {name} works" if self.parameter else "never"
        if self.status == "undecided":
            return "undecided: not settled by any proof here"
        if self.status == "always":
            return f"always: any {name}" if self.parameter else "always"
        return " or ".join(piece.describe(name) for piece in self.pieces)

    def to_dict(self) -> dict[str, Any]:
        """The contract of ``bound --json``: ``pieces`` are all feasible intervals, ``feasible`` the main one."""
        end, row = self.end, self.noise.rows[self.binding_row]
        return {
            "loss": self.loss.name,
            "parameter": self.parameter,
            "status": self.status,
            "feasible": _piece_dict(self.feasible),
            "pieces": [_piece_dict(piece) for piece in self.pieces],
            "exact": None if end is None else end.exact,
            "enclosure": None if end is None else [end.low, end.high],
            "fixed": {p: number(v) for p, v in self.fixed().items()},
            "noise": {
                "kind": self.noise.kind,
                "classes": self.noise.classes,
                "rate": None if self.noise.rate is None else float(self.noise.rate),
            },
            "clean_level": _finite(row.clean_level),
            "margin": float(row.margin),
            "binding_class": self.binding_row,
            "rival_class": row.runner_up,
            "condition": self.condition,
            "method": self.method,
        }

    def __str__(self) -> str:
        row = self.noise.rows[self.binding_row]
        others = ", ".join(f"{p} = {plain(v)}" for p, v in self.fixed().items())
        kind = f"{self.noise.kind}, K = {self.noise.classes}"
        if self.noise.rate is not None and self.parameter != RATE:
            kind += f", noise rate {show(self.noise.rate)}"
        lines = [f"{self.loss.title}{f' ({others})' if others else ''} on {kind}", f"  {self.answer}"]
        end = self.end
        if end is not None and end.exact is not None and len(end.exact) > 40:
            lines.append(f"  exactly   {end.exact}")
        if end is not None and end.exact is None:
            lines.append(f"  within    [{end.low:.15g}, {end.high:.15g}]")
        if self.parameter != RATE:
            lines.append(
                f"  binding   {self.noise.row_name(self.binding_row)}: w_m = {show(row.top)}, w_n = {show(row.second)}"
                f"{f' for class {self.noise.class_name(row.runner_up)}' if not self.noise.representative else ''}, "
                f"clean level c = {show(row.clean_level)}, margin {show(row.margin)}"
            )
        lines.append(f"  because   {self.condition}")
        return "\n".join(lines)


def number(value: Any) -> Any:
    """A parameter for JSON: whole numbers as int, else float."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    return value


def _finite(value: Any) -> float | None:
    return None if value == math.inf else float(value)


def _piece_dict(piece: Piece | None) -> dict[str, Any] | None:
    if piece is None:
        return None
    low, high = piece.low, piece.high
    return {
        "low": None if low is None else low.value,
        "high": None if high is None else high.value,
        "low_closed": low is not None and low.closed,
        "high_closed": high is not None and high.closed,
    }


def _width(piece: Piece) -> float:
    if piece.high is None or piece.low is None:
        return math.inf
    return piece.high.value - piece.low.value


# ------------------------------------------------------------------------------------------------ solve


def solve(loss: Loss, noise: NoiseModel, parameter: str | None = None) -> Threshold:
    """All values of ``parameter`` (default: the loss's main one) that make it asymmetric on every row of ``noise``.

    A loss without a free parameter gets status "always" or "never" (or "undecided"). Raises InputError for an unknown
    parameter, and for ``eta``: use ``solve_rate``.
    """
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
    loss = loss.prepared(parameter)
    domain = _domain(loss, parameter, noise.classes)
    pieces: tuple[Piece, ...] = (_whole(domain),)
    binding, settled, used = noise.worst, True, None
    for index, row in binding_rows(noise):
        own, what, certain = _feasible(loss, parameter, domain, row)
        settled = settled and certain
        merged = _intersect(pieces, own)
        if merged != pieces or used is None:
            binding, used = index, what
        pieces = merged
    status = _status(pieces, domain, settled)
    assert used is not None
    hint = "; --domain leaves out values that no proof settles" if loss.searched and status == "undecided" else ""
    why, method = (
        f"{text}; {loss.searched}{hint}" if loss.searched else text for text in (used.reason, _METHODS[used.kind])
    )
    return Threshold(loss, parameter, status, pieces, noise, binding, why, method)


_METHODS = {
    KKT: "sign of the KKT inequality isolated by interval arithmetic over the domain",
    CLIP: "sign of the KKT inequality on the clipped domain isolated by interval arithmetic",
    DOMINANCE: "proof for the form of the loss",
    "never": "proof for the form of the loss",
    SEARCH: "no proof; search only",
}


def solve_rate(loss: Loss, kind: str, K: int | None) -> Threshold:
    """The noise rates of a family ("symmetric", "pair", "cifar10", ...) that the loss with its parameters stands."""
    if kind not in FAMILIES:
        raise InputError(f"--solve eta: noise {kind!r} has no rate to solve for (it may be: {', '.join(FAMILIES)})")
    build = family(kind, K)
    model = build(Fraction(1, 4))
    worst = model.worst_row()
    classes = model.classes
    what = rule(loss, classes, worst.uniform_rest)
    domain = Domain(Fraction(0), Fraction(1))

    def weights(eta: Any) -> tuple[Any, Any, Any]:
        return worst_weights(kind, classes, eta)

    def margin(eta: Any, xp: Any) -> Any:
        top, second, _ = weights(eta)
        return top - second

    dominant, certain = _isolate(margin, domain, closed=False, smallest=LEAST_RATE)
    settled = certain and what.kind != SEARCH and not what.sufficient_only
    pieces = dominant if what.kind in (KKT, CLIP, DOMINANCE) else ()
    if what.kind in (KKT, CLIP):

        def inequality(eta: Any, xp: Any) -> Any:
            top, second, total = weights(eta)
            return gap(loss, what.kind, classes, top, second, total, xp)

        stands, certain = _isolate(inequality, domain, what.closed, smallest=LEAST_RATE)
        pieces, settled = _intersect(dominant, stands), settled and certain
    zero = decide(loss, build(Fraction(0)).worst_row()).holds
    pieces = _with_point(pieces, Fraction(0), bool(zero), domain)
    status = _status(pieces, domain, settled)
    end = max((p.high.value for p in pieces if p.high is not None), default=0.0)
    shown = build(Fraction(end) if 0 <= end <= 1 else Fraction(0))
    return Threshold(loss, RATE, status, pieces, shown, shown.worst, what.reason, _METHODS[what.kind])


def _status(pieces: tuple[Piece, ...], domain: Domain, settled: bool) -> str:
    if pieces == (_whole(domain),):
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
    found = [(index, decide(loss, row)) for index, row in binding_rows(noise)]
    index, worst = min(found, key=lambda f: {False: 0, None: 1, True: 2}[f[1].holds])
    holds, why, method = worst.holds, worst.rule.reason, _METHODS[worst.rule.kind]
    if holds is None:  # nothing to solve for: the verdict of a certified search is the answer
        searched = check(loss, noise)
        index, holds, method = searched.row, searched.asymmetric, searched.method
        why = f"{why}; {method}"
    status = {True: "always", False: "never", None: "undecided"}[holds]
    return Threshold(loss, None, status, (), noise, index, why, method)


def _domain(loss: Loss, parameter: str, K: int) -> Domain:
    """The values that every term allows which has the parameter; p_min leaves room for K classes."""
    owner, _, own = parameter.rpartition(".")
    limits = [_whole(loss.domains[parameter])]
    for _, atom in loss.terms():
        if owner in ("", atom.name) and own in atom.domains:
            limits = list(_intersect(tuple(limits), (_whole(atom.domains[own]),)))
    if own == "p_min":
        limits = list(_intersect(tuple(limits), (Piece(None, End.at(Fraction(1, K), False)),)))
    if not limits:
        raise InputError(f"--solve {parameter}: no value lies in the domains of all terms")
    low, high = limits[0].low, limits[0].high
    return Domain(
        None if low is None else low.number, None if high is None else high.number,
        low is None or low.closed, high is None or high.closed, loss.domains[parameter].integer,
    )  # fmt: skip


def _whole(domain: Domain) -> Piece:
    low = None if domain.low is None else End.at(domain.low, domain.low_closed, of_domain=True)
    high = None if domain.high is None else End.at(domain.high, domain.high_closed, of_domain=True)
    return Piece(low, high)


def _feasible(loss: Loss, parameter: str, domain: Domain, row: Row) -> tuple[tuple[Piece, ...], Rule, bool]:
    """Feasible values on one row, the rule that applied (the last one with a threshold), and whether all is settled."""
    if row.second == 0:
        holds = decide(loss, row)
        return ((_whole(domain),) if holds.holds else ()), holds.rule, holds.holds is not None
    if domain.integer:
        return _feasible_whole_numbers(loss, parameter, domain, row)
    K = len(row.weights)
    named = not any(isinstance(w, float) for w in (row.top, row.second, row.total))  # rounded weights: no exact name
    cuts = sorted({Fraction(k) for k in getattr(loss, "kinks", {}).get(parameter.rpartition(".")[2], ())})
    inner = [k for k in cuts if (domain.low is None or k > domain.low) and (domain.high is None or k < domain.high)]
    edges: list[Fraction | None] = [domain.low, *inner, domain.high]
    pieces: tuple[Piece, ...] = ()
    settled, used = True, None
    weights = cache(lambda xp: tuple(xp.number(Fraction(w)) for w in (row.top, row.second, row.total)))
    for left, right in pairwise(edges):
        open_piece = Domain(left, right, low_closed=False, high_closed=False)
        inside = loss._with(**{parameter: _inside(left, right)})
        what = rule(inside, K, row.uniform_rest)
        own: tuple[Piece, ...] = ()
        if used is None or what.kind in (KKT, CLIP):
            used = what
        if what.kind == KKT and _unmoved(inside, loss._with(**{parameter: _inside(left, _inside(left, right))}), K):
            verdict = decide(inside, row).holds
            own, settled = (_whole(open_piece),) if verdict else (), settled and verdict is not None
        elif what.kind == DOMINANCE:
            own = (_whole(open_piece),)
        elif what.kind in (KKT, CLIP):

            def inequality(value: Any, xp: Any, kind: str = what.kind) -> Any:
                top, second, total = weights(xp)
                return gap(loss._with(**{parameter: value}), kind, K, top, second, total, xp)

            own, certain = _isolate(inequality, open_piece, what.closed, named)
            settled = settled and certain
        settled = settled and what.kind != SEARCH and not (what.sufficient_only and own != (_whole(open_piece),))
        pieces += own
    for point in [p for p in {*inner, domain.low, domain.high} if p is not None and p in domain]:
        holds_at = decide(loss._with(**{parameter: point}), row).holds
        settled = settled and holds_at is not None
        pieces = _with_point(pieces, point, bool(holds_at), domain)
    assert used is not None
    return tuple(sorted((_name_domain(p, domain) for p in pieces), key=_start)), used, settled


def _unmoved(loss: Loss, other: Loss, K: int) -> bool:
    """Do two values of a parameter give the same separable part, up to a factor? Then none moves the KKT inequality.

    So it is for the weight and the parameters of a normalised term, and for the weight of the only separable one.
    """
    one, two = (Profile.of(each, K).separable for each in (loss, other))
    return one == two or (len(one) == len(two) == 1 and one[0][1] == two[0][1])


def _start(piece: Piece) -> float:
    return -math.inf if piece.low is None else piece.low.value


def _inside(left: Fraction | None, right: Fraction | None) -> Fraction:
    """A value strictly between two ends."""
    if left is None:
        return Fraction(-1) if right is None else right - 1
    return left + 1 if right is None else (left + right) / 2


def _name_domain(piece: Piece, domain: Domain) -> Piece:
    """Mark ends that are the domain's own (kinks inside it are not)."""
    low, high = piece.low, piece.high
    if low is not None:
        low = replace(low, of_domain=low.number is not None and low.number == domain.low)
    if high is not None:
        high = replace(high, of_domain=high.number is not None and high.number == domain.high)
    return Piece(low, high)


def _with_point(pieces: tuple[Piece, ...], point: Fraction, feasible: bool, domain: Domain) -> tuple[Piece, ...]:
    """Add one point (closing ends and joining neighbours that meet there), or remove it."""
    touching_left = [p for p in pieces if p.high is not None and p.high.number == point]
    touching_right = [p for p in pieces if p.low is not None and p.low.number == point]
    apart = tuple(p for p in pieces if p not in touching_left and p not in touching_right)
    here = End.at(point, feasible, of_domain=point in (domain.low, domain.high))
    if not feasible:
        left = tuple(Piece(p.low, here) for p in touching_left if p.low is None or p.low.number != point)
        right = tuple(Piece(here, p.high) for p in touching_right if p.high is None or p.high.number != point)
        return tuple(sorted((*apart, *left, *right), key=_start))
    if any(point in p for p in apart):
        return pieces
    low = touching_left[0].low if touching_left else here
    high = touching_right[0].high if touching_right else here
    return tuple(sorted((*apart, Piece(low, high)), key=_start))


def _intersect(a: tuple[Piece, ...], b: tuple[Piece, ...]) -> tuple[Piece, ...]:
    found = []
    for p in a:
        for q in b:
            low = _tighter(p.low, q.low, larger=True)
            high = _tighter(p.high, q.high, larger=False)
            if low is not None and high is not None:
                if low.key() > high.key() or (low.key() == high.key() and not (low.closed and high.closed)):
                    continue
            found.append(Piece(low, high))
    return tuple(sorted(found, key=_start))


def _tighter(p: End | None, q: End | None, *, larger: bool) -> End | None:
    if p is None or q is None:
        return q if p is None else p
    if p.key() == q.key():
        return p if not p.closed else q
    return p if (p.key() > q.key()) == larger else q


def _feasible_whole_numbers(
    loss: Loss, parameter: str, domain: Domain, row: Row
) -> tuple[tuple[Piece, ...], Rule, bool]:
    """Runs of feasible whole numbers, assuming at most one change between tried powers of two.

    Tried up to LARGEST_COUNT, and further while feasible; what is still feasible at MOST_COUNT stays unsettled.
    """
    assert domain.low is not None
    verdicts: dict[int, Any] = {}

    def holds(n: int) -> bool:
        if n not in verdicts:
            verdicts[n] = _at_count(loss._with(**{parameter: Fraction(n)}), row)
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
    known = all(v.holds is not None for v in verdicts.values())
    return pieces, verdicts[min(first + 1, tried[-1])].rule, known and ended


def _at_count(loss: Loss, row: Row) -> Decision:
    """``decide``, with floats where the sides of the inequality differ by far more than rounding can (long sums)."""
    what = rule(loss, len(row.weights), row.uniform_rest)
    if what.kind == KKT and not what.sufficient_only:
        slopes = Profile.of(loss, len(row.weights)).slopes(FLOAT)
        top, second, total = (float(w) for w in (row.top, row.second, row.total))
        slack = slopes.slack(top, second, total)
        size = second * abs(slopes.active0) + top * abs(slopes.active1) + total * (slopes.passive0 + slopes.passive1)
        if 1e-9 * size < abs(slack) < math.inf:
            return Decision(slack > 0, slack / total, what)
    return decide(loss, row)


# --------------------------------------------------------------------------------- isolating sign changes


Inequality = Callable[[Any, Any], Any]
Point = Callable[[float], int | None]
Estimate = Callable[[float], float]
Ends = tuple[int | None, int | None]
Segment = tuple[int | None, float, float]  # sign (None: changes or unknown), low, high


def _isolate(
    inequality: Inequality, domain: Domain, closed: bool, named: bool = True, smallest: float = SMALLEST
) -> tuple[tuple[Piece, ...], bool]:
    """Where ``inequality(value, xp) >= 0`` (> 0 unless closed) on an open domain, by certified signs.

    Beyond LARGEST and below SMALLEST (for a domain that starts at 0) a change of sign is looked for at a few points
    farther out; else, and where floats overflow, the last sign continues.
    The second result says whether every value got a sign. Ends get exact names if ``named``.
    """
    polynomial = _run(inequality, Poly.variable(), POLY)
    if isinstance(polynomial, Poly) and polynomial.coefficients == ():  # identically zero: there is no sign to isolate
        return ((Piece(_outer(domain.low), _outer(domain.high)),) if closed else ()), True
    if isinstance(polynomial, Poly) and polynomial.degree == 1:
        return _linear(polynomial, domain, closed, named), True
    # the inequality may jump at an end of the open domain (AMSE at q = 1): start next to it
    start = -LARGEST if domain.low is None else math.nextafter(float(domain.low), math.inf) if domain.low else smallest
    stop = LARGEST if domain.high is None else math.nextafter(float(domain.high), -math.inf)
    if start == SMALLEST:
        start = _farthest(inequality, start)
    if stop == LARGEST:
        stop = _farthest(inequality, stop)
    segments = _segments(inequality, start, stop)
    pieces = []
    for i, (sign, left, right) in enumerate(segments):
        if sign != 1:
            continue
        low, high = _outer(domain.low), _outer(domain.high)
        if i > 0:
            before = segments[i - 1]
            low = _root(inequality, before[1] if before[0] is None else left, left, closed, named)
        if i < len(segments) - 1:
            after = segments[i + 1]
            high = _root(inequality, right, after[2] if after[0] is None else right, closed, named)
        pieces.append(Piece(low, high))
    around = [None, *(sign for sign, _, _ in segments), None]
    lost = (
        here is None and high - low > (1e-3 if before and before == -(after or 0) else 1e-9) * max(abs(low), abs(high))
        for before, after, (here, low, high) in zip(around, around[2:], segments, strict=False)
    )
    return tuple(pieces), not any(lost)


def _linear(polynomial: Poly, domain: Domain, closed: bool, named: bool) -> tuple[Piece, ...]:
    """``_isolate`` for a polynomial of degree 1: its one root is a fraction, and no interval is needed."""
    constant, slope = polynomial.coefficients or ()
    root, whole = -constant / slope, Piece(_outer(domain.low), _outer(domain.high))
    if domain.low is not None and root <= domain.low:
        return (whole,) if slope > 0 else ()
    if domain.high is not None and root >= domain.high:
        return (whole,) if slope < 0 else ()
    end = _rational_end(root, closed, plain(root) if named else None)
    return (Piece(end, whole.high) if slope > 0 else Piece(whole.low, end),)


def _farthest(inequality: Inequality, limit: float) -> float:
    """The limit, or a power of it at which the sign is another one."""
    own = _sign_at(inequality, limit)
    return next((x for x in (limit**k for k in FARTHER) if own and _sign_at(inequality, x) == -own), limit)


def _outer(limit: Fraction | None) -> End | None:
    return None if limit is None else End.at(limit, False)


def _segments(inequality: Inequality, start: float, stop: float) -> list[Segment]:
    """[start, stop] in order: segments of certified sign, between them narrow ones that hold the sign changes.

    Where a sign is lost to rounding in a sliver (next to an open end, where the inequality tends to 0, or between two
    segments of the same sign) the neighbours' sign stands.
    """
    found = _merged(_signs(inequality, start, stop))
    for i, (sign, low, high) in enumerate(found):
        around = {found[k][0] for k in (i - 1, i + 1) if 0 <= k < len(found)}
        if sign is None and len(around) == 1 and None not in around and high - low <= SLIVER * (1 + abs(low)):
            found[i] = (around.pop(), low, high)
    for end, neighbour, x in ((0, 1, start), (-1, -2, stop)):
        if len(found) > 1 and found[end][0] is None and _overflows(_at(inequality, x)):
            found[end] = (found[neighbour][0], *found[end][1:])
    return _merged(found)


def _merged(segments: Iterable[Segment]) -> list[Segment]:
    result: list[Segment] = []
    for sign, low, high in segments:
        if result and result[-1][0] == sign:
            result[-1] = (sign, result[-1][1], high)
        else:
            result.append((sign, low, high))
    return result


def _signs(inequality: Inequality, start: float, stop: float) -> list[Segment]:
    """Boxes in order with their certified sign; None where a box is no wider than WIDTH (relative) and undecided.

    A box is settled by an enclosure of the inequality over it, or by a derivative of one sign and the signs at its ends
    (then it holds at most one change, which bisection isolates); else it is split, the widest first. What the budget
    leaves unsettled (a threshold that falls on an open end of the domain) gets the certified signs at sampled points.
    """

    rough = cache(lambda x: _at(inequality, x).sign)  # in floats: next to a root it is lost, which bisection can bear
    point = cache(lambda x: rough(x) or _sign_at(inequality, x))

    def estimate(x: float) -> float:
        try:
            return float(inequality(x, FLOAT))
        except OverflowError:
            return math.nan

    settled: list[Segment] = []
    left: list[Segment] = []
    queue = [(-1.0, start, stop)]
    for spent in count():
        if not queue:
            break
        _, low, high = heappop(queue)
        if spent >= BUDGET:
            left.append((None, low, high))
            continue
        value, slope = Interval.of(inequality(Interval(low, high), INTERVAL)), None
        wide = 0 < low and high > WIDE * low
        # a slope has a sign on the whole range or on narrow boxes; in between it costs more than it settles
        if not value.sign and (not spent or low <= 0 or high <= 4 * low):
            slope = getattr(inequality(Jet(INTERVAL, Interval(low, high), Interval(1.0, 1.0)), DUAL), "slope", None)
        ends = (point(low), point(high)) if slope is not None and slope.sign and not value.sign else (None, None)
        middle = _between(low, high)
        if value.sign:
            settled.append((value.sign, low, high))
        elif None not in ends:
            settled += [(ends[0], low, high)] if ends[0] == ends[1] else _bisected(rough, estimate, low, high, ends)
        elif high - low <= WIDTH * max(abs(low), abs(high)) or not low < middle < high:
            settled.append((None, low, high))
        elif _overflows(value) and _overflows(_at(inequality, low)):
            left.append((None, low, high))
        else:
            for part in pairwise(_geometric(low, high) if wide else (low, middle, high)):
                heappush(queue, (-(part[1] - part[0]) / max(abs(part[0]), abs(part[1])), *part))
    for _, low, high in _joined(left):
        settled += _sampled(point, estimate, low, high)
    return sorted(settled, key=lambda segment: segment[1])


def _joined(boxes: list[Segment]) -> list[Segment]:
    """Boxes that touch, as one."""
    result: list[Segment] = []
    for _, low, high in sorted(boxes, key=lambda box: box[1]):
        if result and result[-1][2] == low:
            result[-1] = (None, result[-1][1], high)
        else:
            result.append((None, low, high))
    return result


def _between(low: float, high: float) -> float:
    return math.sqrt(low) * math.sqrt(high) if 0 < low and high > 4 * low else (low + high) / 2


def _geometric(low: float, high: float) -> list[float]:
    """low, ..., high in equal steps of at most WIDE."""
    steps = math.ceil(math.log(high / low, WIDE))
    return [low, *(low * (high / low) ** (k / steps) for k in range(1, steps)), high]


def _sampled(point: Point, estimate: Estimate, low: float, high: float) -> list[Segment]:
    """The box by its sampled signs (lost ones aside): one segment where they agree, two around one change."""
    steps = [k / SAMPLES for k in range(1, SAMPLES)]
    inner = [low + (high - low) * t if low <= 0 or high <= 4 * low else _power_mean(low, high, t) for t in steps]
    signs = [sign for sign in map(point, (low, *inner, high)) if sign is not None]
    if point(low) and point(high) and sum(a != b for a, b in pairwise(signs)) == 1:
        return _bisected(point, estimate, low, high, (point(low), point(high)))
    return [(signs[0] if len(set(signs)) == 1 else None, low, high)]


def _power_mean(low: float, high: float, t: float) -> float:
    return math.exp((1 - t) * math.log(low) + t * math.log(high))


def _overflows(result: Interval) -> bool:
    return result.low <= -OVERFLOW or result.high >= OVERFLOW


def _bisected(point: Point, estimate: Estimate, low: float, high: float, ends: Ends) -> list[Segment]:
    """A monotone inequality on [low, high] with different signs at its ends, split at its one sign change.

    Floats find the change many times as fast; then the certified signs next to it are all that is needed.
    """
    guess, (left, right) = _estimated(estimate, low, high, ends[0] or 0), (low, high)
    for width in (2.0**-48, 2.0**-45, 2.0**-42, 2.0**-20):
        aside = guess - width * abs(guess), guess + width * abs(guess)
        left = aside[0] if left < aside[0] and point(aside[0]) == ends[0] else left
        right = aside[1] if aside[1] < right and point(aside[1]) == ends[1] else right
    while right - left > WIDTH * max(abs(left), abs(right)):
        # a sign is lost only next to the root: then points aside of it still narrow the box
        tries = (_between(left, right), left + 0.25 * (right - left), left + 0.75 * (right - left))
        middle = next((x for x in tries if left < x < right and point(x) is not None), None)
        if middle is None:
            break
        left, right = (middle, right) if point(middle) == ends[0] else (left, middle)
    return [(ends[0], low, left), (None, left, right), (ends[1], right, high)]


def _estimated(estimate: Estimate, low: float, high: float, first: int) -> float:
    """Where floats change sign, from ``first`` at low: false position (Illinois), with a bisection every third step."""
    ends, values, last = [low, high], [estimate(low), estimate(high)], None
    for step in count():
        low, high = ends
        guess = _between(low, high)
        if not low < guess < high or high - low <= 2.0**-51 * max(abs(low), abs(high)):
            break
        if step % 3 and values[0] * values[1] < 0:
            between = low + (high - low) * (values[0] / (values[0] - values[1]))
            guess = between if low < between < high else guess
        value = estimate(guess)
        if value == 0:
            break
        side = 0 if value * first > 0 else 1
        if side == last:
            values[1 - side] *= 0.5
        ends[side], values[side], last = guess, value, side
    return guess


def _at(inequality: Inequality, x: float) -> Interval:
    return Interval.of(inequality(Interval(x, x), INTERVAL))


def _sign_at(inequality: Inequality, x: float) -> int | None:
    sign = _at(inequality, x).sign
    return _ball_sign(inequality, x) if sign is None else sign


def _ball_sign(inequality: Inequality, x: float) -> int | None:
    """The sign at x in Arb, where floats overflow or cancel; None at a root and where Arb has no value either."""
    from flint import ctx

    xp = arb_()
    with ctx.workprec(BITS):
        value = xp.number(inequality(xp.number(Fraction(x)), xp))
        return 1 if value > 0 else -1 if value < 0 else None


def _refined(inequality: Inequality, low: float, high: float) -> tuple[float, float]:
    """An enclosure that floats leave wide (they cancel where two weights are nearly equal), bisected in Arb."""
    if high - low <= NARROW * max(abs(low), abs(high)):
        return low, high
    first, last = _ball_sign(inequality, low), _ball_sign(inequality, high)
    while first and last and first != last and high - low > WIDTH * max(abs(low), abs(high)):
        middle = _between(low, high)
        here = _ball_sign(inequality, middle)
        if here is None:
            break
        low, high = (middle, high) if here == first else (low, middle)
    return low, high


def _root(inequality: Inequality, low: float, high: float, closed: bool, named: bool) -> End:
    """The end inside [low, high], named exactly if it can be."""
    low, high = _refined(inequality, low, high)
    name = _exact_root(inequality, low, high) if named else None
    text, rational = name if name is not None else (None, None)
    if rational is None:
        return End((low + high) / 2, low, high, closed, text)
    return _rational_end(rational, closed, text)


def _rational_end(rational: Fraction, closed: bool, text: str | None) -> End:
    value = float(rational)
    if text is not None and Fraction(value) == rational:
        return End.at(rational, closed)
    low, high = math.nextafter(value, -math.inf), math.nextafter(value, math.inf)
    return End(value, low, high, closed, text, None if text is None else rational)


def _exact_root(inequality: Inequality, low: float, high: float) -> tuple[str, Fraction | None] | None:
    polynomial = _run(inequality, Poly.variable(), POLY)
    if isinstance(polynomial, Poly) and polynomial.coefficients:
        return _root_of_polynomial(polynomial, low, high)
    for text, candidate, rational in _candidates(low, high):
        value = _run(inequality, candidate, EXACT)
        if isinstance(value, Exact) and value.known and value.sign == 0:
            return text, rational
    return None


def _run(inequality: Inequality, value: Any, xp: Any) -> Any:
    try:
        return xp.number(inequality(value, xp))
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _candidates(low: float, high: float) -> Iterator[tuple[str, Any, Fraction | None]]:
    """The simplest numbers of each form inside the enclosure; the caller verifies them."""
    rational = simplest(Fraction(low), Fraction(high))
    yield plain(rational), EXACT.number(rational), rational
    if low > 0 and 1 / low < 700:
        base = simplest(Fraction(math.exp(1 / high)), Fraction(math.exp(1 / low)), slack=Fraction(1, 2**48))
        if base > 1:
            yield f"1/log({base})", 1 / Exact.log_of(base), None
    if 0 < low and high < 700:
        base = simplest(Fraction(math.exp(low)), Fraction(math.exp(high)), slack=Fraction(1, 2**48))
        if base > 1:
            yield f"log({base})", Exact.log_of(base), None


def simplest(low: Fraction, high: Fraction, slack: Fraction = Fraction(0)) -> Fraction:
    """The fraction of least denominator in [low, high], widened by the relative slack (Stern-Brocot)."""
    low, high = low - abs(low) * slack, high + abs(high) * slack
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -simplest(-high, -low)
    terms = []
    while True:
        whole = low.numerator // low.denominator
        if Fraction(whole) == low or whole + 1 <= high:
            terms.append(whole if Fraction(whole) == low else whole + 1)
            break
        terms.append(whole)
        low, high = 1 / (high - whole), 1 / (low - whole)
    value = Fraction(terms[-1])
    for term in reversed(terms[:-1]):
        value = term + 1 / value
    return value


def _root_of_polynomial(polynomial: Poly, low: float, high: float) -> tuple[str, Fraction | None] | None:
    coefficients = polynomial.coefficients or ()
    if polynomial.degree == 1:
        root = -coefficients[0] / coefficients[1]
        return plain(root), root
    rational = simplest(Fraction(low), Fraction(high))
    if polynomial(rational) == 0:
        return plain(rational), rational
    scale = math.lcm(*(c.denominator for c in coefficients))
    whole = [int(c * scale) for c in coefficients]
    whole = [c // math.gcd(*whole) * (1 if whole[-1] > 0 else -1) for c in whole]
    if polynomial.degree == 2:
        c, b, a = (Fraction(x) for x in whole)
        outside, inside = square_root(b * b - 4 * a * c)
        centre, spread = -b / (2 * a), outside / (2 * a)
        for sign in (1, -1):
            if low * (1 - 1e-9) <= float(centre) + sign * float(spread) * math.sqrt(inside) <= high * (1 + 1e-9):
                return _surd(centre, sign * spread, inside), None
    return "root of " + _written(whole) + " = 0", None


def _surd(centre: Fraction, spread: Fraction, inside: int) -> str:
    """``centre + spread sqrt(inside)`` over one denominator."""
    bottom = math.lcm(centre.denominator, spread.denominator)
    p, s = int(centre * bottom), int(spread * bottom)
    root = f"sqrt({inside})" if abs(s) == 1 else f"{abs(s)}*sqrt({inside})"
    top = (f"{p} {'+' if s > 0 else '-'} {root}") if p else ("" if s > 0 else "-") + root
    return top if bottom == 1 else f"({top})/{bottom}"


def _written(whole: list[int]) -> str:
    parts: list[str] = []
    for power in range(len(whole) - 1, -1, -1):
        c = whole[power]
        if not c:
            continue
        factor = "" if power == 0 else "t" if power == 1 else f"t^{power}"
        size = str(abs(c)) if abs(c) != 1 or not factor else ""
        sign = "-" if c < 0 else "+"
        parts.append((f"{sign} " if parts else "-" if c < 0 else "") + "*".join(x for x in (size, factor) if x))
    return " ".join(parts)
