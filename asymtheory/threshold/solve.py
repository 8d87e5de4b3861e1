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
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

from ..asymmetry.condition import check
from ..asymmetry.rules import CLIP, DOMINANCE, KKT, SEARCH, Decision, Rule, binding_rows, decide, gap, rule
from ..errors import InputError
from ..losses.base import Loss, unknown_parameter
from ..losses.domain import Domain
from ..losses.profile import Profile
from ..noise.models import FAMILIES, family, worst_weights
from ..noise.rows import NoiseModel, Row
from ..numbers.backends import FLOAT, POLY
from ..numbers.exact import Poly
from ..numbers.text import plain, show
from .isolate import FARTHER, LARGEST, SMALLEST, Inequality, _run, _segments, _sign_at
from .names import _rational_end, _root
from .pieces import RATE, End, Piece, Threshold, _inside, _intersect, _name_domain, _outer, _start, _whole, _with_point
from .ranges import _domain

LEAST_RATE = 2.0**-48  # of noise: 1 - eta loses smaller ones

LARGEST_COUNT = 4096  # whole-number parameters are tried up to here,

MOST_COUNT = 65536  # and further while they are feasible


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
