"""What a threshold is: pieces of a parameter's domain, their ends, and the answer that prints them."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING

from ..answers import Answer
from ..losses.base import Loss
from ..losses.domain import Domain
from ..noise.rows import NoiseModel
from ..numbers.interval import TINY
from ..numbers.scalar import Scalar
from ..numbers.text import as_float, number, plain, show

if TYPE_CHECKING:
    from ..jsonlines import Json

RATE = "eta"
SHARP = 1e-3  # relative width of a certified end that counts as known, where no inequality decides


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
    log10: tuple[float, float] | None = None  # of an end beyond the floats: an enclosure of log10 of its size

    @classmethod
    def beyond(cls, low: float, high: float, negative: bool) -> End:
        """An end beyond the floats, of size 2^low to 2^high: ``value`` is the float next to it."""
        sign, large = -1.0 if negative else 1.0, low > 0
        limits = (sys.float_info.max, math.inf) if large else (0.0, TINY)
        ends = sorted(sign * limit for limit in limits)
        size = (_below(low * math.log10(2)), -_below(-high * math.log10(2)))
        return cls(sign * (limits[0] if large else limits[1]), ends[0], ends[1], False, log10=size)

    @classmethod
    def at(cls, number: Fraction, closed: bool, of_domain: bool = False) -> End:
        value = float(number)
        return cls(value, value, value, closed, plain(number), number, of_domain)

    def __str__(self) -> str:
        if self.log10 is not None:
            digits = max(0, math.floor(-math.log10(self.log10[1] - self.log10[0])))
            return f"{'-' if self.value < 0 else ''}10^{sum(self.log10) / 2:.{min(digits, 6)}f}"
        width = self.high - self.low
        if self.exact is None and width > 1e-10 * abs(self.value):  # no more digits than the enclosure has
            return f"{self.value:.{max(2, math.floor(-math.log10(width / abs(self.value))))}g}"
        decimal = f"{self.value:.10g}"
        if self.exact is None and float(decimal) == self.low < self.high:  # next to an end that does not belong to it
            decimal = repr(self.high)
        if self.exact is None or self.exact == decimal:
            return decimal
        return f"{self.exact} ({self.value:.6g})" if len(self.exact) <= 40 else decimal

    def key(self) -> Scalar:
        """The exact value where there is one, else the float; beyond the floats a fraction inside the enclosure."""
        if self.log10 is not None:
            power = sum(self.log10) / 2 / math.log10(2)
            size = Fraction(2) ** math.floor(power) * Fraction(2 ** (power - math.floor(power)))
            return -size if self.value < 0 else size
        return self.value if self.number is None else self.number


@dataclass(frozen=True)
class Piece:
    """An interval of feasible values; None means that it has no end on that side."""

    low: End | None
    high: End | None

    def __contains__(self, value: Scalar) -> bool:
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
class Threshold(Answer):
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

    def fixed(self) -> Json:
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

    def to_dict(self) -> Json:
        """The contract of ``bound --json``: ``pieces`` are all feasible intervals, ``feasible`` the main one.

        ``enclosures``: of each piece those of its low and of its high end (what is between is not known); null for no end, or one
        that is beyond the floats. ``enclosure`` is that of the end that the answer is about.
        ``log10``: of an end beyond the floats, the enclosure of log10 of its size; ``low`` or ``high`` is then the nearest float.
        """
        end, row = self.end, self.noise.rows[self.binding_row]
        return {
            "loss": self.loss.name,
            "parameter": self.parameter,
            "status": self.status,
            "feasible": _piece_dict(self.feasible),
            "pieces": [_piece_dict(piece) for piece in self.pieces],
            "enclosures": [[_enclosure(end) for end in (piece.low, piece.high)] for piece in self.pieces],
            "exact": None if end is None else end.exact,
            "enclosure": _enclosure(end),
            "log10": None if end is None or end.log10 is None else list(end.log10),
            "fixed": {p: number(v) for p, v in self.fixed().items()},
            "noise": {
                "kind": self.noise.kind,
                "classes": self.noise.classes,
                "rate": None if self.noise.rate is None else float(self.noise.rate),
            },
            "clean_level": as_float(row.clean_level),
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
            kind += f", noise rate {self.noise.rate_text}"
        lines = [f"{self.loss.title}{f' ({others})' if others else ''} on {kind}", f"  {self.answer}"]
        end = self.end
        if end is not None and end.exact is not None and len(end.exact) > 40:
            lines.append(f"  exactly   {end.exact}")
        if end is not None and end.exact is None:
            power = "10^" if end.log10 is not None else ""
            low, high = end.log10 or (end.low, end.high)
            ends = [outward(low, ROUND_FLOOR), outward(high, ROUND_CEILING)]
            if f"{low:.15g}" == f"{high:.15g}":
                ends = [repr(low), repr(high)]  # all digits where 15 do not tell them apart
            lines.append(f"  within    {power}[{', '.join(ends)}]")
        if self.parameter != RATE:
            lines.append(
                f"  binding   {self.noise.row_name(self.binding_row)}: w_m = {show(row.top)}, w_n = {show(row.second)}"
                f"{f' for class {self.noise.class_name(row.runner_up)}' if not self.noise.representative else ''}, "
                f"clean level c = {show(row.clean_level)}, margin {show(row.margin)}"
            )
        lines.append(f"  because   {self.condition}")
        return "\n".join(lines)


def outward(x: float, rounding: str) -> str:
    """A float to 15 digits, rounded down or up (``decimal``), so that an enclosure still holds what it holds."""
    if not math.isfinite(x):
        return repr(x)
    exact = Decimal(x)
    digits = Decimal(1).scaleb(exact.adjusted() - 14) if exact else Decimal(1)
    with localcontext() as context:
        context.prec = 1200  # of all digits of a float
        rounded = exact.quantize(digits, rounding=rounding)
    text = f"{float(rounded):.15g}"
    return text if Decimal(text) == rounded else str(rounded)


def _below(x: float) -> float:
    """A float below a product that was rounded to x."""
    return math.nextafter(math.nextafter(x, -math.inf), -math.inf)


def _enclosure(end: End | None) -> list[float] | None:
    return None if end is None or end.log10 is not None else [end.low, end.high]


def _piece_dict(piece: Piece | None) -> Json | None:
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


def whole_domain(domain: Domain) -> Piece:
    """A domain as one piece; its ends are marked as its own."""
    low = None if domain.low is None else End.at(domain.low, domain.low_closed, of_domain=True)
    high = None if domain.high is None else End.at(domain.high, domain.high_closed, of_domain=True)
    return Piece(low, high)


def start_of(piece: Piece) -> float:
    """Where a piece begins, to sort by."""
    return -math.inf if piece.low is None else piece.low.value


def value_between(left: Fraction | None, right: Fraction | None) -> Fraction:
    """A value strictly between two ends."""
    if left is None:
        return Fraction(-1) if right is None else right - 1
    return left + 1 if right is None else (left + right) / 2


def name_domain(piece: Piece, domain: Domain) -> Piece:
    """Mark ends that are the domain's own (kinks inside it are not)."""
    low, high = piece.low, piece.high
    if low is not None:
        low = replace(low, of_domain=low.number is not None and low.number == domain.low)
    if high is not None:
        high = replace(high, of_domain=high.number is not None and high.number == domain.high)
    return Piece(low, high)


def with_point(pieces: tuple[Piece, ...], point: Fraction, feasible: bool, domain: Domain) -> tuple[Piece, ...]:
    """Add one point (closing ends and joining neighbours that meet there), or remove it."""
    touching_left = [p for p in pieces if p.high is not None and p.high.number == point]
    touching_right = [p for p in pieces if p.low is not None and p.low.number == point]
    apart = tuple(p for p in pieces if p not in touching_left and p not in touching_right)
    here = End.at(point, feasible, of_domain=point in (domain.low, domain.high))
    if not feasible:
        left = tuple(Piece(p.low, here) for p in touching_left if p.low is None or p.low.number != point)
        right = tuple(Piece(here, p.high) for p in touching_right if p.high is None or p.high.number != point)
        return tuple(sorted((*apart, *left, *right), key=start_of))
    if any(point in p for p in apart):
        return pieces
    low = touching_left[0].low if touching_left else here
    high = touching_right[0].high if touching_right else here
    return tuple(sorted((*apart, Piece(low, high)), key=start_of))


def intersect(a: tuple[Piece, ...], b: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """What lies in a piece of both sets, in order."""
    found = []
    for p in a:
        for q in b:
            low = _tighter(p.low, q.low, larger=True)
            high = _tighter(p.high, q.high, larger=False)
            if low is not None and high is not None:
                if low.key() > high.key() or (low.key() == high.key() and not (low.closed and high.closed)):
                    continue
            found.append(Piece(low, high))
    return tuple(sorted(found, key=start_of))


def _tighter(p: End | None, q: End | None, *, larger: bool) -> End | None:
    if p is None or q is None:
        return q if p is None else p
    if p.key() == q.key():
        return p if not p.closed else q
    return p if (p.key() > q.key()) == larger else q


def open_end(limit: Fraction | None) -> End | None:
    """A limit that does not belong to the interval; None where there is none."""
    return None if limit is None else End.at(limit, False)
