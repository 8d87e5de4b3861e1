"""Losses in Coq: how each one is written there, and which lemma of proofs/Parts.v says what the theorem needs of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from ..errors import InputError
from ..losses.base import Normalised, NormalisedNegative, Separable
from ..losses.papers import (
    AEL,
    AGCE,
    AMSE,
    AUL,
    CE,
    FL,
    GCE,
    MAE,
    MSE,
    NCE,
    NFL,
    NMAE,
    NNCE,
    NNFL,
    NRCE,
    RCE,
    TaylorCE,
    Unhinged,
)

LRA = "ltac:(lra)"


class NoCertificate(InputError):
    """No certificate of this kind exists; the message says why."""


def real(x: Fraction) -> str:
    """A rational number as a Coq real: ``(3 / 5)``, ``30``, ``(-4)``."""
    if x.denominator != 1:
        return f"({x.numerator} / {x.denominator})"
    return str(x.numerator) if x >= 0 else f"({x.numerator})"


def rational(x: Fraction) -> str:
    """A rational number as Coq's Q: ``3#5``."""
    return f"{x.numerator}#{x.denominator}" if x >= 0 else f"(-{-x.numerator})#{x.denominator}"


@dataclass(frozen=True)
class Power:
    """The power ``base ** exponent`` of an end slope, with its text in the goal."""

    base: Fraction
    exponent: Fraction
    text: str


@dataclass(frozen=True)
class Term:
    """A separable loss: its two parts, and proofs that they are convex (or concave) with their end slopes.

    ``powers`` are those that the slopes hold, the one at u = 1 first; ``named`` is the whole loss under its own name.
    """

    active: str
    passive: str = "zero"
    convex: str | None = None
    concave: str | None = None
    strict: str | None = None
    powers: tuple[Power, ...] = ()
    named: str | None = None


def term(atom: Separable) -> Term:
    """The Coq form of a separable loss. Raises NoCertificate where the development has none."""
    for kind, write in _WRITERS.items():
        if type(atom) is kind:
            return write(atom)
    raise NoCertificate(f"{atom.name}: the Coq development has no definition of this loss")


def unbounded_base(atom: object) -> tuple[str, str, str] | None:
    """(function, proof that it is an unbounded base, proof that it is flat at 1) of CE and FL."""
    if type(atom) is CE:
        return "cross_entropy", "cross_entropy_base", "cross_entropy_flat"
    if type(atom) is FL:
        gamma = real(Fraction(atom.gamma))
        return f"(focal {gamma})", f"(focal_base {gamma} {LRA})", f"(focal_flat {gamma} {LRA})"
    return None


def normalised_base(atom: Normalised | NormalisedNegative) -> tuple[str, str, str]:
    """The base of NCE, NFL, NNCE or NNFL as `unbounded_base` gives it. Raises NoCertificate for other normalised losses."""
    found = unbounded_base(atom.base) if type(atom) in (NCE, NFL, NNCE, NNFL) else None
    if found is None:
        raise NoCertificate(f"{atom.name}: the Coq development treats normalised losses over CE and FL only")
    return found


# ------------------------------------------------------------------------------------------------ one writer a loss


def _agce(loss: AGCE) -> Term:
    a, q = Fraction(loss.a), Fraction(loss.q)
    ar, qr = real(a), real(q)
    convex = f"(agce_convex_parts {ar} {qr} {LRA} {LRA})" if a > 0 and q <= 1 else None
    return Term(
        f"agce {ar} {qr}",
        convex=convex,
        concave=f"(agce_concave_parts {ar} {qr} {LRA} {LRA})" if q >= 1 else None,
        strict=f"(agce_strictly_convex {ar} {qr} {LRA} {LRA} {LRA})" if q < 1 else None,
        powers=(
            Power(a + 1, q - 1, f"power ({ar} + 1) ({qr} - 1)"),
            Power(a, q - 1, f"power {ar} ({qr} - 1)"),
        )
        if convex
        else (),
        named=f"active_loss (agce {ar} {qr})",
    )


def _gce(loss: GCE) -> Term:
    q = real(Fraction(loss.q))
    return Term(f"gce {q}", named=f"active_loss (gce {q})")


def _aul(loss: AUL) -> Term:
    a, p = Fraction(loss.a), Fraction(loss.p)
    ar, pr = real(a), real(p)
    return Term(
        f"aul {ar} {pr}",
        convex=f"(aul_convex_parts {ar} {pr} {LRA} {LRA})" if p > 1 else None,
        concave=f"(aul_concave_parts {ar} {pr} {LRA} {LRA})" if p <= 1 else None,
        strict=f"(aul_strictly_convex {ar} {pr} {LRA} {LRA} {LRA})" if p > 1 else None,
        powers=(Power(a - 1, p - 1, f"power ({ar} - 1) ({pr} - 1)"), Power(a, p - 1, f"power {ar} ({pr} - 1)")),
        named=f"active_loss (aul {ar} {pr})",
    )


def _ael(loss: AEL) -> Term:
    a = real(Fraction(loss.a))
    return Term(
        f"ael {a}",
        convex=f"(ael_convex_parts {a} {LRA})",
        strict=f"(ael_strictly_convex {a} {LRA})",
        named=f"active_loss (ael {a})",
    )


def _amse(loss: AMSE | MSE) -> Term:
    a, q = (Fraction(loss.a), Fraction(loss.q)) if isinstance(loss, AMSE) else (Fraction(1), Fraction(2))
    ar, qr = real(a), real(q)
    return Term(
        f"amse_active {ar} {qr}",
        f"amse_passive {qr}",
        convex=f"(amse_convex_parts {ar} {qr} {LRA} {LRA})" if q > 1 else None,
        concave=f"(amse_concave_parts {ar} {qr} {LRA} {LRA})" if q <= 1 else None,
        strict=f"(amse_strict {ar} {qr} {LRA} {LRA})" if q > 1 else None,
        powers=(Power(a - 1, q - 1, f"power ({ar} - 1) ({qr} - 1)"), Power(a, q - 1, f"power {ar} ({qr} - 1)")),
        named=f"amse {{K}} {ar} {qr}",
    )


def _taylor(loss: TaylorCE) -> Term:
    t = int(Fraction(loss.t))
    return Term(
        f"taylor_ce {t}",
        convex=f"(taylor_convex_parts {t} ltac:(lia))",
        strict=f"(taylor_strict {t} ltac:(lia))" if t > 1 else None,
        named=f"active_loss (taylor_ce {t})",
    )


def _linear(falling: Fraction, rising: Fraction) -> Term:
    b, c = real(falling), real(rising)
    return Term(
        f"falling {b}",
        f"rising {c}",
        convex=f"(linear_convex_parts {b} {c} {LRA} {LRA})",
        concave=f"(linear_concave_parts {b} {c} {LRA} {LRA} {LRA})",
    )


_WRITERS: dict[type[Separable], Callable[..., Term]] = {
    AGCE: _agce,
    GCE: _gce,
    AUL: _aul,
    AEL: _ael,
    AMSE: _amse,
    MSE: _amse,
    TaylorCE: _taylor,
    Unhinged: lambda loss: _linear(Fraction(1), Fraction(0)),
    MAE: lambda loss: _linear(Fraction(1), Fraction(1)),
    NMAE: lambda loss: _linear(Fraction(1), Fraction(1)),
    RCE: lambda loss: _linear(Fraction(0), -Fraction(loss.A)),
    NRCE: lambda loss: _linear(Fraction(0), Fraction(1)),
}
