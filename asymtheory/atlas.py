"""The atlas: what each registered loss is, computed from its definition.

For every loss at its default parameters: formula, domains, active or passive (APL Definitions 1-2), the constant of the
symmetric condition, the three asymmetry ratios, the clean level from which on it is asymmetric, and the symmetric noise that
it tolerates.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .answers import Answer
from .asymmetry.ratio import Ratio, asymmetry_ratio
from .asymmetry.rules import rule
from .errors import InputError
from .jsonlines import Json
from .layout import table
from .losses.base import LINEAR, Loss, Normalised, NormalisedNegative, Separable
from .losses.published import Setting, published_settings
from .losses.registry import build, names
from .numbers.backends import EXACT, FLOAT
from .numbers.text import plain
from .threshold.solve import solve_rate


@dataclass(frozen=True)
class Entry:
    """One line of the atlas."""

    loss: Loss
    K: int
    kind: str  # "active" or "passive"
    symmetric: Fraction | None  # sum_k L(u, k) where it is constant
    ratio: Ratio | None
    asymmetric: str  # "always", "c >= ...", "never", ...
    tolerates: str  # the symmetric noise rates on which it is asymmetric

    def to_dict(self) -> Json:
        return {
            "name": self.loss.name,
            "title": self.loss.title,
            "formula": self.loss.formula,
            "source": self.loss.source,
            "domains": {p: str(d) for p, d in self.loss.domains.items() if "." not in p},
            "parameters": {p: float(v) for p, v in self.loss.parameters.items()},
            "kind": self.kind,
            "symmetric": self.symmetric is not None,
            "constant": None if self.symmetric is None else float(self.symmetric),
            "ratio": None if self.ratio is None else self.ratio.to_dict(),
            "asymmetric": self.asymmetric,
            "classes": self.K,
            "symmetric_noise": self.tolerates,
        }


@dataclass(frozen=True)
class Atlas(Answer):
    """All registered losses at their default parameters, for K classes."""

    K: int
    entries: tuple[Entry, ...]

    def to_dict(self) -> Json:
        return {"classes": self.K, "losses": [entry.to_dict() for entry in self.entries]}

    def __str__(self) -> str:
        head = (
            "loss",
            "parameters",
            "type",
            f"sum (K={self.K})",
            "r",
            "r Def.3",
            "r_u",
            "asymmetric",
            "symmetric noise",
        )
        cells: list[tuple[str, ...]] = [head]
        for entry in self.entries:
            given = ", ".join(f"{p}={plain(v)}" for p, v in entry.loss.parameters.items())
            constant = "no" if entry.symmetric is None else plain(entry.symmetric)
            r = entry.ratio
            three = ("-", "-", "-") if r is None else tuple(f"{x.high:.4g}" for x in (r.r, r.r_pointwise, r.r_upper))
            cells.append((entry.loss.name, given, entry.kind, constant, *three, entry.asymmetric, entry.tolerates))
        return "\n".join(table(cells, drop=("r Def.3", "r_u", head[3], "type", "parameters", "r"))) + (
            "\nsum: sum_k L(u, k) where it is constant (symmetric losses). r: whole transfer; Def. 3 of ALF as printed; r_u: Eq. 8."
            "\nasymmetric: on which weights, c = w_m / w_n, margin = (w_m - w_n) / W."
            "\n`asymtheory losses NAME` shows formula, domain, source and settings."
        )


@dataclass(frozen=True)
class Page(Answer):
    """One loss: its entry, formula, domains, source and the papers' settings."""

    entry: Entry
    settings: tuple[Setting, ...]

    def to_dict(self) -> Json:
        used = [
            {"dataset": s.dataset, "parameters": {p: float(v) for p, v in s.parameters.items()}, "source": s.source}
            for s in self.settings
        ]
        return {**self.entry.to_dict(), "settings": used}

    def __str__(self) -> str:
        entry, loss = self.entry, self.entry.loss
        lines = [f"{loss.title} ({loss.name}): {loss.formula}", f"  source     {loss.source}"]
        for parameter, domain in loss.domains.items():
            if "." not in parameter:
                lines.append(f"  {parameter:<9}  in {domain}, default {plain(loss.parameters[parameter])}")
        lines.append(f"  type       {entry.kind}")
        constant = (
            "no" if entry.symmetric is None else f"yes, the labels sum to {plain(entry.symmetric)} for K = {entry.K}"
        )
        lines += [
            f"  symmetric  {constant}",
            f"  asymmetric {entry.asymmetric}",
            f"  tolerates  {entry.tolerates} (symmetric noise, K = {entry.K})",
        ]
        if entry.ratio is not None:
            three = (("r", entry.ratio.r), ("r Def. 3", entry.ratio.r_pointwise), ("r_u", entry.ratio.r_upper))
            lines += [f"  {label:<9}  {x.low:.12g} .. {x.high:.12g}" for label, x in three]
        for used in self.settings:
            values = ", ".join(f"{p} = {plain(v)}" for p, v in used.parameters.items()) or "no parameters"
            lines.append(f"  {used.dataset:<12} {values}  [{used.source}]")
        return "\n".join(lines)


def atlas(K: int = 10) -> Atlas:
    """Every registered loss at its defaults."""
    return Atlas(K, tuple(describe(build(name), K) for name in names()))


def page(name: str, K: int = 10) -> Page:
    """One loss with the papers' settings for it."""
    loss = build(name)
    return Page(describe(loss, K), published_settings(loss.name))


def describe(loss: Loss, K: int) -> Entry:
    """Compute the entry of a loss."""
    try:
        ratios = asymmetry_ratio(loss)
    except InputError:
        ratios = None
    found = solve_rate(loss, "symmetric", K)
    shown = {"never": "none", "undecided": "undecided"}.get(found.status) or _rates(found.answer, found.status)
    return Entry(loss, K, kind(loss), symmetric_constant(loss, K), ratios, asymmetric_on(loss, ratios), shown)


def _rates(answer: str, status: str) -> str:
    return "any rate" if status == "always" else "none" if answer == "eta = 0" else answer


def kind(loss: Loss) -> str:
    """Passive if some term of a class other than the label is not 0 (APL Def. 1-2); a normaliser counts for no class."""
    return "passive" if any(_passive(part) for _, atom in loss.terms() for _, part in atom.parts(3)) else "active"


def _passive(atom: Loss) -> bool:
    if isinstance(atom, NormalisedNegative):
        return True
    base = atom.base if isinstance(atom, Normalised) else atom
    return isinstance(base, Separable) and not isinstance(base.on(FLOAT).passive(0.5, -0.693, FLOAT), int)


def symmetric_constant(loss: Loss, K: int) -> Fraction | None:
    """``sum_k L(u, k)`` where it does not depend on u, else None.

    A separable loss sums to ``sum_k [active(u_k) + (K-1) passive(u_k)]``, constant on the simplex iff the bracket is affine:
    its shape says so, and its values at 0 and 1 give the constant. Normalised losses sum to 1, normalised negative ones to K-1.
    """
    total = Fraction(0)
    for coefficient, atom in loss.terms():
        if isinstance(atom, Normalised):
            total += coefficient
        elif isinstance(atom, NormalisedNegative):
            total += coefficient * (K - 1)
        elif isinstance(atom, Separable) and atom.curvature() == (LINEAR, LINEAR):
            ends = [_affine(atom, u, K) for u in (Fraction(0), Fraction(1))]
            total += coefficient * atom.scale(K) * ((K - 1) * ends[0] + ends[1])
        else:
            return None
    return total


def _affine(atom: Separable, u: Fraction, K: int) -> Fraction:
    """``active(u) + (K-1) passive(u)`` of an affine profile, exactly."""
    on: Any = atom.on(EXACT)
    x, unused = EXACT.number(u), EXACT.number(0)
    own, other = (EXACT.number(side(x, unused, EXACT)) for side in (on.active, on.passive))  # no logarithm is affine
    value = own + (K - 1) * other
    exact = value.rational()
    assert exact is not None
    return exact


def asymmetric_on(loss: Loss, ratios: Ratio | None) -> str:
    """On which weights: all with a unique maximum, from which clean level on, only where the rest is uniform, or none."""
    uniform, general = rule(loss, 5, True), rule(loss, 5, False)
    if general.verdict:
        return "completely"
    if not general.inequality and uniform.verdict:
        return "rest uniform; else searched" if general.searched else "rest uniform"
    if general.verdict is False:
        return "rest uniform, tight clip" if uniform.inequality else "never (no unique minimiser)"
    plane = general.half_plane(FLOAT)
    if plane is None:
        return "searched"
    top, second, rest = plane.top, plane.second, plane.total
    if second == float("inf"):
        return "never"
    if rest == 0:
        return f"c >= {second / top:.4g}" if top else "never"
    if abs(top - second) <= 1e-12 * second:
        return f"margin >= {rest / second:.4g}"
    return f"{top / second:.4g} w_m - w_n >= {rest / second:.4g} W"
