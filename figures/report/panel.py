"""The definitions that the report's panel runs on, as JavaScript written from the core: no formula is typed twice.

Each separable loss of the registry is run on symbols (the sympy backend), with a jet for the slopes, and printed with
sympy's JavaScript printer: active and passive terms, their derivatives, the factor in K, the shapes between the kinks
of its parameters, and the weights of the noise families. ``panel.js`` solves with them, without knowing any loss.

A sum with a normalised term that is infinite at 0 (NCE, NFL) is given by its separable part: that part alone has the
thresholds (docs/theory.md, section 3). Other normalised losses, and clipped logits, are left out with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from html import escape
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import sympy as sp
from sympy.printing.jscode import JavascriptCodePrinter

from asymtheory.asymmetry.binding import binding_rows
from asymtheory.asymmetry.rules import endless
from asymtheory.losses import JS, MIXED, ClippedFL, Loss, Separable, build, coefficient_name, names
from asymtheory.losses.domain import Domain
from asymtheory.losses.newer import Logarithms
from asymtheory.losses.profile import Profile
from asymtheory.losses.published import published_settings
from asymtheory.noise import KINDS, NoiseModel, worst_weights
from asymtheory.numbers.backends import sympy_
from asymtheory.numbers.text import Number, plain

from .markup import typeset

HERE = Path(__file__).parent
DEFAULT_NOISE: tuple[str, int, Number] = ("symmetric", 10, Fraction(4, 5))
NOISES = ("symmetric", "uniform", "pair")  # families whose rate and class count are open
MOST_CELLS = 4000  # of a measured noise: rows times classes that go into the page
STEPS = 150  # of a slider, about


def code() -> str:
    """What runs on these constants: the solver, the panel and its triangle. It expects the elements of :func:`form`."""
    return "".join(
        (HERE / name).read_text(encoding="utf-8") for name in ("solve.js", "panel.js", "field.js", "simplex.js")
    )


def form(started: str) -> str:
    """The panel's elements, as report.html has them; ``started``: from :func:`start`."""
    whole = (HERE / "report.html").read_text(encoding="utf-8")
    first, end = whole.index('<form id="panel"'), "</form>"
    return whole[first : whole.index(end, first) + len(end)].replace("$panel_start", started)


def script(noise: NoiseModel | None = None, rows: Sequence[dict[str, object]] = ()) -> str:
    """The constants ATOMS, LOSSES, NOISES, NOISE_TEXT, GIVEN and ROWS for panel.js.

    ``noise``: one that no family describes; ``rows``: those that the reader can load one by one.
    """
    kept = {name: loss for name in names() if not why_not(loss := build(name))}
    used = {atom.name: atom for loss in kept.values() for _, atom in loss.terms() if isinstance(atom, Separable)}
    atoms = ",\n".join(f"{constant(name)}: {definition(atom)}" for name, atom in used.items())
    losses = ",\n".join(f"{constant(name)}: {constant(_facts(loss))}" for name, loss in kept.items())
    families = ",\n".join(f"{constant(kind)}: {_family(kind)}" for kind in NOISES)
    given = None if noise is None else _given(noise)
    return (
        f"const ATOMS = {{\n{atoms}\n}};\nconst LOSSES = {{\n{losses}\n}};\nconst NOISES = {{\n{families}\n}};\n"
        f"const NOISE_TEXT = {constant({kind: typeset(KINDS[kind]) for kind in NOISES})};\nconst GIVEN = {constant(given)};\n"
        f"const ROWS = {constant(list(rows))};\n"
    )


def constant(value: Any) -> str:
    """A constant for JavaScript: JSON that is safe inside <script>."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


# ---------------------------------------------------------------------------------------------- expressions


def expression(value: Any) -> str:
    """A sympy expression as a JavaScript one; a sum over a symbol becomes ``sum(first, last, j => ...)``."""

    class Printer(JavascriptCodePrinter):
        def _print_Sum(self, sum_: Any) -> str:
            (index, first, last), inner = sum_.limits[0], sum_.function
            return f"sum({self._print(first)}, {self._print(last)}, {index} => {self._print(inner)})"

    text = " ".join(Printer().doprint(value).split())
    if "Not supported" in text:
        raise ValueError(f"{value} has no JavaScript form")
    return text


def _symbol(name: str, domain: Domain) -> Any:
    low = domain.low
    if low is None:
        return sp.Symbol(name, real=True)
    if low > 0 or (low == 0 and not domain.low_closed):
        return sp.Symbol(name, positive=True, integer=domain.integer or None)
    return sp.Symbol(name, nonnegative=True, integer=domain.integer or None)


def definition(atom: Separable) -> str:
    """One separable loss as a JavaScript object: terms, slopes, scale and shapes."""
    xp, u, K = sympy_(), sp.Symbol("u", nonnegative=True), sp.Symbol("K", integer=True, positive=True)
    open_ = {name: _symbol(name, domain) for name, domain in atom.domains.items()}
    on: Any = atom._with(**open_).on(xp)
    jet = xp.variable(u)
    head = f"(u, {{{', '.join(atom.domains)}}}) =>"

    def side(name: str) -> str:
        term = getattr(on, name)(jet, xp.log(jet), xp)
        value, slope = (term, 0) if isinstance(term, int) else (term.value, term.slope)
        return f"{{value: {head} {expression(sp.sympify(value))}, slope: {head} {expression(sp.sympify(slope))}}}"

    shapes = ", ".join(
        f"{{where: {constant(where)}, shape: {constant(list(shape))}}}" for where, shape in _shapes(atom)
    )
    scale = expression(sp.sympify(atom.scale(K)))
    return f"{{active: {side('active')}, passive: {side('passive')}, scale: K => {scale}, shapes: [{shapes}]}}"


def _shapes(atom: Separable) -> Iterable[tuple[dict[str, list[Any]], Any]]:
    """The curvature of (active, passive) at and between the kinks: parameter -> [low, high, is a point]."""
    pieces: dict[str, list[list[Any]]] = {}
    for name, points in atom.kinks.items():
        domain = atom.domains[name]
        inner = [Fraction(p) for p in sorted(points) if p in domain]
        edges = [domain.low, *(p for p in inner if p != domain.low), domain.high]
        edges = [e for i, e in enumerate(edges) if i == 0 or e is None or e != edges[i - 1]]
        pieces[name] = [[p, p, True] for p in inner]
        pieces[name] += [[low, high, False] for low, high in pairwise(edges)]
    for choice in product(*pieces.values()):
        where = dict(zip(pieces, choice, strict=True))
        sample = {name: _inside(low, high) for name, (low, high, _) in where.items()}
        shape = atom._with(**sample).curvature()
        yield {name: [_number(low), _number(high), point] for name, (low, high, point) in where.items()}, shape


def _inside(low: Fraction | None, high: Fraction | None) -> Fraction:
    if low is None:
        return Fraction(-1) if high is None else high - 1
    return low + 1 if high is None else (low + high) / 2


def _number(value: Fraction | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value.denominator == 1 else float(value)


# --------------------------------------------------------------------------------------------------- losses


def _facts(loss: Loss) -> dict[str, Any]:
    """A loss of the panel: its separable terms by name, the parameters that matter, what is printed about it."""
    profile = Profile.of(loss, 3)
    several = len(profile.separable) > 1
    return {
        "title": loss.title,
        "formula": typeset(loss.formula),
        "main": loss.main,
        "normalised": [atom.title for _, atom in profile.normalised],
        "fixed": [] if several else [coefficient_name(i) for i in range(len(loss.terms())) if len(loss.terms()) > 1],
        "terms": [
            {"atom": atom.name, "name": coefficient_name(i) if several else None, "coefficient": _number(coefficient)}
            for i, (coefficient, atom) in enumerate(loss.terms())
            if isinstance(atom, Separable)
        ],
        "parameters": _parameters(loss, several),
    }


def why_not(loss: Loss) -> str:
    """Why a loss is not in the panel; empty if it is."""
    profile = Profile.of(loss, 3)
    if profile.clipped:
        return "on clipped logits, not on the simplex"
    if any(isinstance(atom, Logarithms) for _, atom in loss.terms()):
        return "logarithms of every class, for which another rule decides"
    if any(isinstance(atom, JS) for _, atom in loss.terms()):
        return "u log u has no value at u = 0 in JavaScript"
    if any(isinstance(atom, ClippedFL) for _, atom in loss.terms()):
        return "its slope at u = 1 is 0 * inf in JavaScript, and decides"
    if profile.shape() is MIXED:
        return "neither convex nor concave, so searched for"
    if profile.negative:
        return "functions of all class probabilities at once"
    if any(not endless(atom) for _, atom in profile.normalised):
        return "a normalised term that is finite at 0 moves the minimiser"
    if not profile.separable:
        return "no unique minimiser by itself"
    return ""


def left_out() -> dict[str, list[str]]:
    """Reason -> titles of the registry's losses that the panel does not have."""
    found: dict[str, list[str]] = {}
    for name in names():
        loss = build(name)
        if reason := why_not(loss):
            found.setdefault(reason, []).append(loss.title)
    return found


def _parameters(loss: Loss, several: bool) -> list[dict[str, Any]]:
    """The parameters that matter to the separable part, each with its domain, default, kinks and slider."""
    found: dict[str, tuple[Domain, Fraction]] = {}
    for i, (coefficient, atom) in enumerate(loss.terms()):
        if not isinstance(atom, Separable):
            continue
        if several:
            found[coefficient_name(i)] = (loss.domains[coefficient_name(i)], coefficient)
        for name, domain in atom.domains.items():
            found.setdefault(name, (domain, atom.parameters[name]))
    kinks: Mapping[str, tuple[int, ...]] = getattr(loss, "kinks", {})
    return [
        {
            "name": name,
            "low": _number(domain.low),
            "high": _number(domain.high),
            "lowClosed": domain.low_closed,
            "highClosed": domain.high_closed,
            "integer": domain.integer,
            "text": str(domain),
            "default": plain(default),
            "cuts": [k for k in kinks.get(name, ()) if k in domain],
            "slider": _slider(loss, name, domain, default),
        }
        for name, (domain, default) in found.items()
    ]


def parameter_names(loss: Loss) -> list[str]:
    """The parameters that have a slider."""
    return [str(each["name"]) for each in _parameters(loss, len(Profile.of(loss, 3).separable) > 1)]


def _slider(loss: Loss, name: str, domain: Domain, default: Fraction) -> list[float]:
    """(least, greatest, step): three times as far as the default and everything published, in round steps."""
    used = [default, *(s.parameters[name] for s in published_settings(loss.name) if s.parameters.get(name))]
    if domain.low is None:  # A of RCE, below 0
        far = -_round_up(-3 * min(used))
        step = _round_step(-far / STEPS)
        return [float(far), float(-step), float(step)]
    high = domain.high if domain.high is not None else _round_up(3 * max(used))
    step = Fraction(1) if domain.integer else _round_step((high - domain.low) / STEPS)
    if not domain.low_closed:
        step = min(step, _round_step(min(used) - domain.low))
    return [float(domain.low if domain.low_closed else domain.low + step), float(high), float(step)]


def _round_step(value: Fraction) -> Fraction:
    """The largest of 1, 2, 5 times a power of ten that is at most ``value``."""
    power = Fraction(1)
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return max(power * k for k in (1, 2, 5) if power * k <= value)


def _round_up(value: Fraction) -> Fraction:
    step = _round_step(value)
    return step if step == value else next(step * k for k in (2, Fraction(5, 2), 5) if step * k >= value)


# ---------------------------------------------------------------------------------------------------- noise


def is_family(noise: NoiseModel) -> bool:
    """Does one of the panel's families, with its sliders, describe the noise?"""
    return family_rate(noise) is not None and noise.classes <= 1000


def start(noise: NoiseModel, loss: str, value: str, given: str) -> str:
    """The panel's first state, as the attributes of its form; ``given``: the noise as options of the command line."""
    rate, (kind, K, eta) = family_rate(noise), DEFAULT_NOISE
    if rate is not None and is_family(noise):
        kind, K, eta = noise.kind, noise.classes, rate
    elif fits(noise):
        kind = "given"
    attributes = {"loss": loss, "value": value, "noise": kind, "k": str(K), "eta": f"{float(eta)!r}", "given": given}
    return " ".join(f'data-{name}="{escape(text, quote=True)}"' for name, text in attributes.items())


def family_rate(noise: NoiseModel) -> Number | None:
    """The rate as it was typed: for uniform noise it is not the realised one."""
    if noise.kind not in NOISES or noise.rate is None:
        return None
    return noise.rate * Fraction(noise.classes, noise.classes - 1) if noise.kind == "uniform" else noise.rate


def rows(noise: NoiseModel) -> list[dict[str, object]]:
    """Every row of a matrix, for the panel: its name, its true class, its weights that sum to 1."""
    return [
        {"name": noise.row_name(i), "target": row.target, "weights": [float(w / row.total) for w in row.weights]}
        for i, row in enumerate(noise.rows)
    ]


def _family(kind: str) -> str:
    """(w_m, w_n, W) of a family as a JavaScript function of K and the noise rate."""
    K, eta = sp.symbols("K eta", positive=True)
    weights = ", ".join(expression(sp.sympify(w)) for w in worst_weights(kind, K, eta))
    return f"(K, eta) => [{weights}]"


def fits(noise: NoiseModel) -> bool:
    """Do the rows of a noise that can bind go into a page?"""
    return noise.dominant and len(binding_rows(noise)) * noise.classes <= MOST_CELLS


def _given(noise: NoiseModel) -> dict[str, Any] | None:
    """The rows that can bind, of a noise without a rate to slide; None if they are too many for the page."""
    if not fits(noise):
        return None
    return {
        "kind": noise.kind,
        "classes": noise.classes,
        "names": None if noise.names is None else list(noise.names),
        "rows": [
            {"name": noise.row_name(i), "target": row.target, "weights": [float(w / row.total) for w in row.weights]}
            for i, row in binding_rows(noise)
        ],
    }
