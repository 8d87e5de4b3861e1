"""The domain of a parameter, cut where the loss changes its shape."""

from __future__ import annotations

from fractions import Fraction

from ..errors import InputError
from ..losses.base import Loss
from ..losses.domain import Domain
from .pieces import End, Piece, _intersect, _whole


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
