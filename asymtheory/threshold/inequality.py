"""Where an inequality in one parameter holds: pieces of an open interval, their ends enclosed and named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from ..losses.domain import Domain
from ..numbers.backends import INTERVAL, POLY
from ..numbers.exact import Poly
from ..numbers.interval import Interval
from ..numbers.text import plain
from .isolate import LARGEST, SMALLEST, Inequality, Segment, run, segments, sign_at
from .names import rational_end, root
from .pieces import End, Piece, open_end

LEAST_RATE = 2.0**-48  # of noise: 1 - eta loses smaller ones


class Isolated(NamedTuple):
    """Where an inequality holds, whether every value got a sign, and what is to be said of it (what is not known or assumed)."""

    pieces: tuple[Piece, ...]
    settled: bool
    note: str = ""
    sampled: bool = False  # are signs assumed among the values that were scanned?


def isolate(
    inequality: Inequality,
    domain: Domain,
    closed: bool,
    named: bool = True,
    smallest: float = SMALLEST,
    monotone: bool = False,
) -> Isolated:
    """Where ``inequality(value, xp) >= 0`` (> 0 unless closed) on an open domain, by certified signs.

    Between SMALLEST and LARGEST (or next to a finite end) by enclosures of boxes; beyond these by the leading term there and by
    stretches that are divided until each has a sign (``beyond``). Where no leading term is found the last sign is taken to
    continue, and the note says so. ``monotone``: the caller knows that the inequality is monotone, so that two signs leave
    one change between them. Ends get exact names if ``named``.
    """
    polynomial = run(inequality, Poly.variable(), POLY)
    if isinstance(polynomial, Poly) and polynomial.coefficients == ():  # identically zero: there is no sign to isolate
        return Isolated(((Piece(open_end(domain.low), open_end(domain.high)),) if closed else ()), True)
    if isinstance(polynomial, Poly) and polynomial.degree == 1:
        return Isolated(_linear(polynomial, domain, closed, named), True)
    start, stop = scanned(domain, smallest)
    early, late = (
        _beyond(inequality, limit, scanned, upwards, monotone)
        for limit, scanned, upwards in ((domain.low, start, False), (domain.high, stop, True))
    )
    early, late = _apart(early, late, domain)
    places: list[tuple[float, float]] = []
    scans = segments(inequality, early.scanned, late.scanned, places)
    found = [*early.segments[::-1], *scans, *late.segments]
    far = {**early.far, **late.far}

    def end(i: int, side: int) -> End | None:
        """The end of the segment i on one side; None where the domain ends there."""
        if not 0 <= i + side < len(found):
            return None
        place = next((found[k][1] for k in (i, i + 2 * side) if 0 <= k < len(found) and found[k][1] in far), None)
        if place is not None:
            return replace(far[place], closed=closed)
        (sign, low, high), (_, start, stop) = found[i + side], found[i]
        if side < 0:
            return root(inequality, low if sign is None else start, start, closed, named)
        return root(inequality, stop, high if sign is None else stop, closed, named)

    pieces = tuple(
        Piece(end(i, -1) or open_end(domain.low), end(i, 1) or open_end(domain.high))
        for i, (sign, _, _) in enumerate(found)
        if sign == 1
    )
    lost = _lost(found, monotone)
    missing = lost and f"no sign is certified between {lost[1]:.6g} and {lost[2]:.6g}"
    guessed = [f"{_place(*place)} its sign is assumed to be that next to it, or of samples" for place in places]
    notes = dict.fromkeys(filter(None, (early.missing, late.missing, missing, early.assumed, late.assumed, *guessed)))
    return Isolated(pieces, not (early.missing or late.missing or lost), "; ".join(notes), bool(places))


def _apart(early: Outside, late: Outside, domain: Domain) -> tuple[Outside, Outside]:
    """Both tails, with some room between them, inside of the domain, where one settles more than there is."""
    if early.scanned < late.scanned:
        return early, late
    if domain.low == 0:
        return early._replace(scanned=late.scanned / 2), late
    if domain.high == 0:
        return early, late._replace(scanned=early.scanned / 2)
    if domain.high is None:
        return early, late._replace(scanned=early.scanned + max(1.0, abs(early.scanned)))
    return early._replace(scanned=late.scanned - max(1.0, abs(late.scanned))), late


def _place(low: float, high: float) -> str:
    return f"next to {high:.6g}" if f"{low:.6g}" == f"{high:.6g}" else f"between {low:.6g} and {high:.6g}"


def scanned(domain: Domain, smallest: float = SMALLEST) -> tuple[float, float]:
    """Between which values an inequality is looked at box by box. It may jump at an end of the open domain (AMSE at q = 1)."""
    start = -LARGEST if domain.low is None else math.nextafter(float(domain.low), math.inf) if domain.low else smallest
    return start, LARGEST if domain.high is None else math.nextafter(float(domain.high), -math.inf)


def _lost(found: list[Segment], monotone: bool) -> Segment | None:
    """A stretch without a sign that is wider than an enclosure of one change may be."""
    around = [None, *(sign for sign, _, _ in found), None]
    lost = (
        segment
        for before, after, segment in zip(around, around[2:], found, strict=False)
        for here, low, high in [segment]
        if here is None
        and not (monotone and before and before == -(after or 0))
        and high - low > (1e-3 if before and before == -(after or 0) else 1e-9) * max(abs(low), abs(high))
    )
    return next(lost, None)


class Outside(NamedTuple):
    """What is known beyond the values that are scanned, at one end of an open domain."""

    scanned: float  # where to scan from or to
    segments: Sequence[Segment] = ()  # outwards; one beyond the floats is at a place of ``far``
    far: Mapping[float, End] = MappingProxyType({})  # ends beyond the floats
    missing: str = ""  # what is not known
    assumed: str = ""


def _beyond(inequality: Inequality, end: Fraction | None, scanned: float, upwards: bool, monotone: bool) -> Outside:
    """What is outside of the values scanned up to ``scanned``, towards an end."""
    if scanned == LEAST_RATE and end == 0:  # of a noise rate: 1 - eta loses smaller ones
        return Outside(scanned)
    here = sign_at(inequality, scanned)
    if here is not None and Interval.of(inequality(_outside(end, scanned, upwards), INTERVAL)).sign == here:
        return Outside(scanned)  # one enclosure of all of it
    from .beyond import FARTHEST, changes, sign_beyond  # late: the start-up of a linear `bound` has no need of germs

    side = "beyond" if end != 0 else "below"
    tail = sign_beyond(inequality, end, upwards)
    if tail is None:
        place = f"{side} {scanned:.3g}" if here is not None else "" if end is not None else "where floats overflow"
        return Outside(scanned, assumed=place and f"{place} its sign is taken to continue: assumed, not proved")
    if tail.bits < math.log2(LARGEST) and end in (None, 0):  # what the tail settles need not be scanned
        return Outside(math.copysign(2.0 ** (tail.bits if end is None else -tail.bits), scanned))
    distance = abs(scanned) if end is None else 1 / abs(float(Fraction(scanned) - end))
    near = math.log2(distance) * (1 - 1e-15)
    if monotone and here == tail.sign:
        return Outside(scanned)
    if monotone and end in (None, 0) and near < tail.bits <= FARTHEST:  # the one change is where signs of values say
        return Outside(
            _power_beyond(inequality, scanned, tail.sign, math.ceil(near), tail.bits, 1 if end is None else -1)
        )
    found = changes(inequality, end, upwards, near, tail) if tail.bits > near else []
    if not found:
        return Outside(scanned)
    if end is not None and end != 0:  # between an end and the float next to it
        low, high = sorted((float(end), scanned))
        last = [(None, low, high), (tail.sign, float(end), float(end))]
        note = "" if len(found) == 1 and found[0].single else f"its sign changes more than once next to {plain(end)}"
        return Outside(scanned, last, missing=note)
    inner = [change for change in found if change.near < FARTHEST]
    if inner:  # floats reach it: it is scanned, too
        power = min(float(FARTHEST), math.floor(inner[-1].far) + 1.0)
        scanned = math.copysign(2.0 ** (power if end is None else -power), scanned)
    outer = found[len(inner) :]
    if not outer:
        return Outside(scanned)
    place = f"{side} 2^{FARTHEST if end is None else -FARTHEST}"
    if len(outer) > 1 or not outer[0].single:
        return Outside(scanned, missing=f"its sign changes {place}, and where is not settled")
    mark = math.copysign(math.inf if end is None else 0.0, scanned)
    bits = (outer[0].near, outer[0].far) if end is None else (-outer[0].far, -outer[0].near)
    return Outside(scanned, [(None, scanned, scanned), (tail.sign, mark, mark)], {mark: End.beyond(*bits, scanned < 0)})


def _power_beyond(inequality: Inequality, scanned: float, sign: int, near: int, far: int, side: int) -> float:
    """The first power of 2 beyond ``scanned`` from which on a monotone inequality has the ``sign`` it has at ``far`` (bits)."""
    while far - near > 1:
        middle = (near + far) // 2
        settled = sign_at(inequality, math.copysign(2.0 ** (side * middle), scanned)) == sign
        near, far = (near, middle) if settled else (middle, far)
    return math.copysign(2.0 ** (side * far), scanned)


def _outside(end: Fraction | None, scanned: float, upwards: bool) -> Interval:
    """All values between the last one scanned and an end."""
    if end is None:
        return Interval(scanned, math.inf) if upwards else Interval(-math.inf, scanned)
    around = Interval.of(end)
    return Interval(scanned, around.high) if upwards else Interval(around.low, scanned)


def _linear(polynomial: Poly, domain: Domain, closed: bool, named: bool) -> tuple[Piece, ...]:
    """``isolate`` for a polynomial of degree 1: its one root is a fraction, and no interval is needed."""
    constant, slope = polynomial.coefficients or ()
    value, whole = -constant / slope, Piece(open_end(domain.low), open_end(domain.high))
    if domain.low is not None and value <= domain.low:
        return (whole,) if slope > 0 else ()
    if domain.high is not None and value >= domain.high:
        return (whole,) if slope < 0 else ()
    end = rational_end(value, closed, plain(value) if named else None)
    return (Piece(end, whole.high) if slope > 0 else Piece(whole.low, end),)
