"""The domain of a parameter, cut where the loss changes its shape."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from ..errors import InputError
from ..losses.base import Loss
from ..losses.domain import Domain
from .pieces import End, Piece, intersect, whole_domain


class Ranges(NamedTuple):
    """The domain of one parameter and the kinks of the loss in it (or at its ends): between two of them one rule decides."""

    domain: Domain
    kinks: tuple[Fraction, ...]

    @property
    def intervals(self) -> list[tuple[Fraction | None, Fraction | None]]:
        """The open intervals between the kinks; None means that there is no end on that side."""
        ends = (self.domain.low, self.domain.high)
        return list(pairwise([ends[0], *(k for k in self.kinks if k not in ends), ends[1]]))

    @property
    def points(self) -> list[Fraction]:
        """The values between them: the kinks, and the ends that belong to the domain."""
        found = {*self.kinks, self.domain.low, self.domain.high}
        return sorted(value for value in found if value is not None and value in self.domain)


def ranges(loss: Loss, parameter: str, K: int) -> Ranges:
    """The values that every term allows which has the parameter, cut at the kinks; p_min leaves room for K classes.

    Raises InputError where no value is left.
    """
    owner, _, own = parameter.rpartition(".")
    limits = [whole_domain(loss.domains[parameter])]
    for _, atom in loss.terms():
        if owner in ("", atom.name) and own in atom.domains:
            limits = list(intersect(tuple(limits), (whole_domain(atom.domains[own]),)))
    if own == "p_min":
        limits = list(intersect(tuple(limits), (Piece(None, End.at(Fraction(1, K), False)),)))
    if not limits:
        raise InputError(f"--solve {parameter}: no value lies in the domains of all terms")
    low, high = limits[0].low, limits[0].high
    domain = Domain(
        None if low is None else low.number,
        None if high is None else high.number,
        low is None or low.closed,
        high is None or high.closed,
        loss.domains[parameter].integer,
    )
    found = {Fraction(k) for k in getattr(loss, "kinks", {}).get(own, ())}  # where the curvature changes its sign
    return Ranges(domain, tuple(k for k in sorted(found) if _inside(k, domain)))


def _inside(value: Fraction, domain: Domain) -> bool:
    return (domain.low is None or value >= domain.low) and (domain.high is None or value <= domain.high)
