"""A user's own loss from a formula string, in the same machinery as the losses of the papers.

``from_formula("((a+1)**q-(a+u)**q)/q", a=1, q=0.5)`` is a loss: a formula in ``u`` (the probability of the labelled
class), named parameters and the number of classes ``K``, with ``+ - * / **`` and ``exp log sqrt abs min max``, ``sinh cosh tanh
asin acos atan``, ``where`` and ``piecewise``; decimals are exact. A passive part, the term of each other class, is a second
formula; or one formula says it all in ``u_y`` and sums over classes (``joint``). ``expressions`` reads the text.

What a class of ``losses`` declares is found out here: that the loss is finite, continuous and decreases, its curvature
(certified by Arb, piece by piece between the kinks of abs, min, max and where), and, for a parameter to solve for, where the
curvature changes (a search).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from ..errors import InputError
from ..numbers.backends import EXACT, FLOAT, Backend, arb_, numpy_
from ..numbers.boxes import Curve
from ..numbers.exact import Exact, simplest
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.text import parse_number, plain
from .base import CONCAVE, CONVEX, LINEAR, MIXED, Curvature, Loss, Separable, Sum, Term, class_count, unknown_parameter
from .curvature import certify_curvature
from .domain import DEFAULT_DOMAIN, Domain, own_value
from .expressions import CLASSES, LONGEST, Compiled, Env, Fork, choose, parse, sign_of
from .joint import NormalisedFormula, is_endless, joint_formula, keeps_form
from .limits import agrees, limit_text
from .separation import NORMALISED, normalised_terms, separated

# --------------------------------------------------------------------------------------------- the loss

SOMEWHERE = Fraction(3, 2)  # what stands for a parameter without a value where a limit is tried
F = TypeVar("F", bound="Formula")
Side = Callable[[Scalar, Scalar, Backend], Scalar]  # one part of a loss: (u, log u, xp) -> value


class Formula(Separable):
    """A loss from one or two formulas, built by ``from_formula``; parameters are in (0, inf) unless told otherwise."""

    name, title, formula = "formula", "formula", ""
    source = "the user's own"
    # set in every instance
    texts: tuple[str, str | None]
    _sides: tuple[Compiled, Compiled | None]
    domains: ClassVar[Mapping[str, Domain]] = {}
    note: ClassVar[str] = ""  # what was not proved of the loss
    classes: Scalar = None  # K, where the formula has it and it is known
    zeros: tuple[str, ...] = ()  # parameters that are 0 where the formula has a limit only

    def __init__(
        self,
        active: str,
        passive: str | None = None,
        *,
        parameters: Mapping[str, Scalar],
        domains: Mapping[str, Domain] | None = None,
        main: str | None = None,
    ) -> None:
        formulas = _parse_sides(active, passive)
        known = {p: (domains or {}).get(p, DEFAULT_DOMAIN) for f in formulas if f for p in f.parameters}
        for given in (parameters, domains or {}):
            for p in given:
                if p not in known:
                    raise InputError(unknown_parameter("formula", p, known))
        title = formulas[0].text + (f" [passive {formulas[1].text}]" if formulas[1] else "")
        self.__dict__.update(
            texts=(active, passive), _sides=formulas, domains=known, main=main, title=title, formula=title
        )
        self._set({p: own_value(domain, p, parameters[p]) for p, domain in known.items()})

    def _set(self, values: Mapping[str, Scalar]) -> None:
        self.__dict__["parameters"] = dict(values)  # not as attributes: a parameter may be called `title`

    def _changed(self, **attributes: Any) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, **attributes)
        return copy

    def _with(self, **values: Scalar) -> Self:
        return self._changed(parameters={**self.parameters, **values})._at_zero()

    def on(self, xp: Backend) -> Self:
        K = xp.number(self.classes) if isinstance(self.classes, Fraction) else self.classes
        values = {p: xp.number(v) if isinstance(v, Fraction) else v for p, v in self.parameters.items()}
        return self._changed(parameters=values, classes=K)

    def _at_zero(self) -> Self:
        """The loss with its limit where a parameter is 0 and the formula has no value there."""
        zeros = tuple(p for p, v in self.parameters.items() if isinstance(v, Fraction) and v == 0)
        plain_loss = self._changed(_sides=_parse_sides(*self.texts), zeros=()) if self.zeros else self
        if not zeros or (self.by_classes and self.classes is None):
            return plain_loss
        values = {p: v if isinstance(v, Fraction) else SOMEWHERE for p, v in plain_loss._values.items()}
        probe = plain_loss._changed(parameters=values)
        sides = list(plain_loss._sides)
        for i, side in enumerate(("active", "passive")):
            compiled = plain_loss._side(side)
            if compiled is None or np.isfinite(_sampled(probe, side, np.array(_SAMPLES[::8]))[0]).all():
                continue
            for p in (p for p in zeros if p in compiled.parameters):
                found = limit_text(compiled.text, p)
                limit = None if found is None else parse(found)
                if limit is not None and agrees(limit, compiled, p, values):
                    sides[i] = compiled = limit
        if all(now is before for now, before in zip(sides, plain_loss._sides, strict=True)):
            return plain_loss
        return plain_loss._changed(_sides=tuple(sides), zeros=zeros)

    @property
    def has_arcs(self) -> bool:
        """Does asin or acos occur, whose slope is infinite at an end?"""
        return any(side is not None and ("asin" in side.text or "acos" in side.text) for side in self._sides)

    # ------------------------------------------------------------------------------------ the number of classes

    @property
    def by_classes(self) -> bool:  # type: ignore[override]
        """Does the formula have K in it?"""
        return any(side is not None and side.by_classes for side in self._sides)

    def at(self, K: Scalar) -> Self:
        """The loss on K classes; InputError where the formula is not a loss there. K may be a symbol, which is not checked."""
        if not self.by_classes or self.classes == K:
            return self
        if not isinstance(K, int):
            return self._changed(classes=K)
        return _at_classes(self, K)

    def parts(self, K: Scalar) -> tuple[Term, ...]:
        return ((Fraction(1), self.at(K)),)

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        here = self._changed(classes=class_count(p)) if self.by_classes and self.classes is None else self
        return Separable.labels(here, p, logp, xp)

    def replace(self, **parameters: Scalar) -> Self:
        for p in parameters:
            if p not in self.domains:
                raise InputError(unknown_parameter("formula", p, self.domains))
        values = {p: own_value(self.domains[p], p, value) for p, value in parameters.items()}
        return _validated(self._with(**values))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Formula)
            and (self.texts, self.classes) == (other.texts, other.classes)
            and self.parameters == other.parameters
        )

    def __hash__(self) -> int:
        return hash((self.texts, tuple(sorted(self.parameters.items()))))

    def __repr__(self) -> str:
        active, passive = self.texts
        parts = [repr(active), *([] if passive is None else [f"passive={passive!r}"])]
        return f"from_formula({', '.join(parts + [f'{p}={plain(v)}' for p, v in self.parameters.items()])})"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_sides"}  # closures: made anew

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "zeros": ()}, _sides=_parse_sides(*state["texts"]))
        self.__dict__.update(self._at_zero().__dict__)

    @property
    def branches(self) -> bool:  # type: ignore[override]
        """Has the formula some, which may jump in a parameter?"""
        return any(side is not None and side.jumps for side in self._sides)

    def _side(self, side: str) -> Compiled | None:
        return self._sides[side == "passive"]

    @property
    def _values(self) -> dict[str, Scalar]:
        """The parameters, and K where it is known."""
        return self.parameters if self.classes is None else {**self.parameters, CLASSES: self.classes}

    def run(self, side: str, p: Scalar, logp: Scalar, xp: Backend, fork: Fork = choose) -> Scalar:
        """The value of one side; the caller may choose the branches of abs, min, max and where by ``fork``."""
        compiled = self._side(side)
        if compiled is None:
            return 0
        if compiled.by_classes and self.classes is None:
            raise InputError("the formula has K in it, and the number of classes is not known here")
        return compiled.run(Env(p, logp, xp, self._values, fork))

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return self.run("active", p, logp, xp)

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return self.run("passive", p, logp, xp)

    def curvature(self) -> Curvature:
        """Certified for exact parameters, else unknown."""
        if not all(isinstance(v, Fraction) for v in self.parameters.values()):
            return MIXED, MIXED
        return _facts(self, "active").shape, _facts(self, "passive").shape

    @property
    def kinks(self) -> Mapping[str, tuple[Fraction, ...]]:  # type: ignore[override]
        """Parameter values at which the curvature changes, as far as a search finds them."""
        return _Kinks(self)

    def prepared(self, parameter: str) -> Self:
        """The loss with the domain of a parameter cut to where the formula decreases; says what was searched for."""
        if parameter not in self.domains:
            return self
        found = _scan(self, parameter)
        said = [f"curvature in {parameter} changes at {', '.join(map(_shown, found.kinks))}"] if found.kinks else []
        if found.domain != self.domains[parameter]:
            said.append(f"the formula is a decreasing loss for {parameter} in {found.domain}")
        said = said or [f"the curvature is the same for all {parameter}"]
        text = f"found by search from 2^-30 to 2^30: {'; '.join(said)}"
        domains = {**self.domains, parameter: found.domain}
        return self._changed(domains=domains, searched=text)


def _parse_sides(active: str, passive: str | None) -> tuple[Compiled, Compiled | None]:
    sides = parse(active), None if passive is None else parse(passive, "--passive")
    for side, flag in zip(sides, ("--formula", "--passive"), strict=True):
        if side is not None and side.sums:
            raise InputError(
                f"{flag}: a sum over classes is not allowed here: the loss is active(u_y) + sum passive(u_k)"
            )
    return sides


class _Kinks(Mapping[str, tuple[Fraction, ...]]):
    """Change points for each parameter, searched for when asked."""

    def __init__(self, loss: Formula) -> None:
        self.loss = loss

    def __getitem__(self, parameter: str) -> tuple[Fraction, ...]:
        if parameter not in self.loss.domains:
            raise KeyError(parameter)
        return _scan(self.loss, parameter).kinks

    def __iter__(self) -> Iterator[str]:
        return iter(self.loss.domains)

    def __len__(self) -> int:
        return len(self.loss.domains)


def formula_parameters(active: str, passive: str | None = None) -> list[str]:
    """Names of the parameters in a formula and its passive part, in the order of the text."""
    formulas = [parse(active)] + ([] if passive is None else [parse(passive, "--passive")])
    return list(dict.fromkeys(p for f in formulas if f for p in f.parameters))


def from_formula(
    active: str,
    passive: str | None = None,
    *,
    solve: str | None = None,
    domains: Mapping[str, Domain] | None = None,
    **parameters: Any,
) -> Loss:
    """A loss from the formula of its active and, optionally, of its passive part; or from one formula in ``u_y`` and sums
    over classes (``sum``, ``norm``, ``max``, ``min`` of an expression in ``u``), which is taken apart where it separates.

    Every named parameter needs a value, except the one to ``solve`` for, which may be left out; a start for it is then
    searched for in its domain. ``domains`` replaces the default domain (0, inf) of a parameter. Raises InputError, with
    the column where there is one, for text that is not a formula and for a formula that is not a loss: not finite on (0, 1],
    increasing in u (active) or decreasing (passive), constant.
    """
    needed = formula_parameters(active, passive)
    missing = [p for p in needed if p not in parameters]
    if solve is not None and solve not in needed:
        known = {p: DEFAULT_DOMAIN for p in needed}
        raise InputError("--solve: " + unknown_parameter("formula", solve, known))
    for p in missing:
        if p != solve:
            raise InputError(f"--formula: parameter {p} has no value (--set {p}=...)")
    known_domains = {p: (domains or {}).get(p, DEFAULT_DOMAIN) for p in missing}
    values = {**parameters, **{p: _some(domain) for p, domain in known_domains.items()}}
    main = solve if solve in missing else None
    if parse(active).sums:
        if passive is not None:
            raise InputError("--passive: the formula has sums over classes: it says what each other class adds itself")
        return _over_classes(active, values, domains, main)
    return _checked(active, passive, values, domains, main)


def _checked(
    active: str, passive: str | None, values: Mapping[str, Any], domains: Mapping[str, Domain] | None, main: str | None
) -> Formula:
    loss = Formula(active, passive, parameters=values, domains=domains, main=main)
    if loss.by_classes:  # checked when K is known
        return loss
    loss = loss._at_zero()
    return _validated(loss if loss.main is None else _started(loss, loss.main))


def _over_classes(text: str, values: Mapping[str, Any], domains: Mapping[str, Domain] | None, main: str | None) -> Loss:
    """A formula with sums over classes in the form that most is known of: separable, normalised, or neither."""
    given = (values, domains or {})
    sides = separated(text)
    if sides is not None and all(LONGEST >= len(side or "") for side in sides):
        try:
            own, own_domains = _named(formula_parameters(*sides), given)
            found = _checked(*sides, own, own_domains, main)
            found.at(3)  # with K in it, it is not checked before K is known
            return found._changed(title=text.strip(), formula=text.strip())
        except InputError as error:
            if "column" in str(error) or "outside its domain" in str(error):
                raise
    terms = normalised_terms(text)
    if terms is not None:
        try:
            return _normalised(text.strip(), terms, given, main)
        except InputError:
            pass
    return joint_formula(text, parameters=values, domains=domains, main=main)


def _named(names: Sequence[str], given: tuple[Mapping[str, Any], ...]) -> list[dict[str, Any]]:
    return [{name: each[name] for name in names if name in each} for each in given]


def _normalised(
    text: str, terms: Sequence[tuple[Fraction, str, str | None]], given: tuple[Mapping[str, Any], ...], main: str | None
) -> Loss:
    """``sum coefficient * g(u_y) / sum_k g(u_k)`` with g infinite at 0, and a separable rest. InputError for another form."""
    found: list[Term] = []
    for coefficient, active, passive in terms:
        parameters, domains = _named(formula_parameters(active, passive), given)
        own = main if main in parameters else None
        if passive != NORMALISED:
            found.append((coefficient, _checked(active, passive, parameters, domains, own)))
            continue
        base = _checked(active, None, parameters, domains, own)
        here = base.at(3)
        if is_endless(here) is None or (own and not keeps_form(here, own)):
            raise InputError("not a normalised loss of the known form")
        found.append((coefficient, NormalisedFormula(base, text if len(terms) == 1 else active)))
    if len(found) == 1 and found[0][0] == 1:
        return found[0][1]
    return Sum(tuple(found), title=text)


def _started(loss: F, parameter: str) -> F:
    """The loss at a value of the parameter where it is one, as far as a search finds it."""
    start = _scan(loss, parameter).start
    return loss if start is None else loss._with(**{parameter: start})


@lru_cache(maxsize=256)
def _at_classes(loss: F, K: int) -> F:
    here = loss._changed(classes=Fraction(K))._at_zero()
    try:
        return _validated(here if here.main is None else _started(here, here.main))
    except InputError as error:
        raise InputError(f"{error} (with K = {K})") from None


def parse_domain(setting: str) -> tuple[str, Domain]:
    """``a=1:inf`` as (name, interval). Finite ends belong to it, except 0, which does where it has a bracket: ``q=[0:1``."""
    name, equals, text = setting.partition("=")
    low, colon, high = text.partition(":")
    with_low, with_high = low.strip().startswith("["), high.strip().endswith("]")
    low, high = low.strip().removeprefix("["), high.strip().removesuffix("]")
    if not (name and equals and colon):
        raise InputError(f"--domain {setting!r}: NAME=LOW:HIGH is needed, such as a=1:inf")
    start = None if low.strip().lower() in ("-inf", "") else parse_number(low, f"--domain {name}")
    stop = None if high.strip().lower() in ("inf", "+inf", "") else parse_number(high, f"--domain {name}")
    if start is not None and stop is not None and start >= stop:
        raise InputError(f"--domain {setting!r}: LOW must be less than HIGH")
    return name, Domain(start, stop, low_closed=start != 0 or with_low, high_closed=stop != 0 or with_high)


def _some(domain: Domain) -> Fraction:
    """A value inside a domain."""
    if domain.low is None:
        return Fraction(0) if domain.high is None else domain.high - 1
    return domain.low + 1 if domain.high is None else (domain.low + domain.high) / 2


def _shown(number: Fraction) -> str:
    return plain(number) if abs(number.numerator) * number.denominator <= SIMPLE**2 else f"{float(number):.12g}"


# ------------------------------------------------------------------------------- is it a loss? samples, then proof

_ENDS = (*(2.0**-k for k in range(1, 41)), *(1 - 2.0**-k for k in range(2, 30)))
_SAMPLES = tuple(sorted({*_ENDS, *(j / 1000 for j in range(1, 1001))}))


def _sampled(loss: Formula, side: str, u: Any) -> tuple[Any, Any, Any]:
    """(value, slope, curvature) in float64 at an array of u."""
    xp = numpy_()
    with np.errstate(all="ignore"):
        x = xp.variable(u, 2)
        found = loss.on(xp).run(side, x, xp.log(x), xp)
        parts = (found.value, found.slope, found.curvature) if isinstance(found, Jet) else (found, 0, 0)
        return tuple(np.broadcast_to(np.asarray(part, dtype=float), u.shape) for part in parts)  # type: ignore[return-value]


def _no_value(loss: Formula, side: str, u: float) -> bool:
    """Is the value at u undefined or infinite (and not only too large for floats)?"""
    xp = arb_()
    ball = xp.number(Fraction(u))
    try:
        return not loss.on(xp).run(side, ball, xp.log(ball), xp).is_finite()
    except (ArithmeticError, ValueError):
        return True


def _validated(loss: F) -> F:
    """The loss, with a note where monotonicity was only sampled; InputError when it is none."""
    u = np.array(_SAMPLES)
    varies = False
    unproved = []
    for side, flag, sign in (("active", "--formula", 1), ("passive", "--passive", -1)):
        if loss._side(side) is None:
            continue
        at = ", ".join(f"{p} = {plain(v)}" for p, v in loss.parameters.items())
        where = f" (at {at})" if at else ""
        value, slope, _ = _sampled(loss, side, u)
        for i in np.flatnonzero(~np.isfinite(value)):
            if side == "passive" and u[i] == 1 and value[i] == math.inf:
                continue  # log(1 - u) may be infinite where another class has everything
            if _no_value(loss, side, u[i]):
                what = "is not finite" if np.isinf(value[i]) else "is not a real number"
                raise InputError(
                    f"{flag}: {what} at u = {u[i]:.3g}{where}: a loss must have a value for every u in (0, 1]"
                )
        _refuse_jumps(loss, side, flag, where)
        tolerance = 1e-9 * (np.max(np.abs(slope[np.isfinite(slope)]), initial=0.0))
        wrong = np.flatnonzero(slope * sign > tolerance)
        if not len(wrong):
            with np.errstate(invalid="ignore", over="ignore"):
                rising = np.diff(value) * sign > 2e-9 * np.maximum(5e-4, np.fmax(np.abs(value[1:]), np.abs(value[:-1])))
            wrong = np.flatnonzero(rising)
        if len(wrong):
            does, must = (
                ("increases", "a loss must decrease") if sign > 0 else ("decreases", "a passive part must increase")
            )
            near = u[wrong[len(wrong) // 2]]
            raise InputError(f"{flag}: {does} in u near u = {near:.3g}{where}: {must} in u")
        facts = _facts(loss, side)
        if facts.wrong_way:
            raise InputError(f"{flag}: is not monotone in u{where}: a loss must decrease in u, a passive part increase")
        varies = varies or not facts.constant
        if not facts.monotone:
            unproved.append(side)
    if not varies:
        raise InputError("--formula: is constant in u: a loss must decrease in u")
    notes = []
    if unproved:
        sides = " and ".join(unproved)
        notes.append(f"that the {sides} part is monotone was checked at {len(u)} points, not proved")
    if not all(_meets(loss, side) for side in ("active", "passive")):
        notes.append("that the branches of where meet was checked in floats, not proved")
    return loss._changed(note="; ".join(notes)) if notes else loss


def _refuse_jumps(loss: Formula, side: str, flag: str, where: str) -> None:
    """InputError where the branches of a where do not meet, as far as floats show it: a loss is continuous."""
    compiled = loss._side(side)
    if compiled is None or not compiled.jumps:
        return
    grid = np.linspace(0, 1, 1001)[1:-1]
    here = loss.on(FLOAT)
    with np.errstate(all="ignore"):
        differences = [np.broadcast_to(d, grid.shape) for d in _differences(loss, side, grid, numpy_())]
    for index, values in enumerate(differences):
        for i in np.flatnonzero(np.sign(values[1:]) != np.sign(values[:-1])):
            low, high = _narrowed(loss, side, index, float(grid[i]), float(grid[i + 1]))
            before, after = (here.run(side, x, math.log(x), FLOAT) for x in (low, high))
            if not abs(after - before) <= 1e-7 * (1 + abs(before)):
                raise InputError(
                    f"{flag}: jumps at u = {low:.6g}{where}: the branches of where must meet, for a loss is continuous in u"
                )


def _meets(loss: Formula, side: str) -> bool:
    """Is it proved that the branches of a where meet?"""
    compiled = loss._side(side)
    if compiled is None or not compiled.jumps:
        return True
    parts = _parts(loss, side)
    if parts is None:
        return False
    for left, right in pairwise(parts):
        u = Exact.of(left.high)
        values = [
            EXACT.number(loss.on(EXACT).run(side, u, EXACT.log(u), EXACT, _fixed(part.branches)))
            for part in (left, right)
        ]
        if not values[0].equals(values[1]):
            return False
    return True


# ------------------------------------------------------------------------------------- certificates on [0, 1]

MOST_FORKS = 8  # abs, min and max in one formula; the work grows with the square


@dataclass(frozen=True)
class _Facts:
    """What is proved of one side on [0, 1]."""

    shape: int | None
    monotone: bool  # the right way
    wrong_way: bool
    constant: bool


@dataclass(frozen=True)
class _Part:
    """[low, high] on which no abs, min or max changes its branch."""

    low: Fraction
    high: Fraction
    branches: tuple[bool, ...]  # True: the branch of a positive difference


def _facts(loss: Formula, side: str) -> _Facts:
    return _certified(loss.texts, side, tuple(loss.parameters.items()), loss.classes)


@lru_cache(maxsize=4096)
def _certified(
    texts: tuple[str, str | None], side: str, values: tuple[tuple[str, Fraction], ...], classes: Scalar
) -> _Facts:
    loss = _bare(texts, values, classes)
    if loss._side(side) is None:
        return _Facts(LINEAR, True, False, True)
    sign = 1 if side == "active" else -1
    parts = _parts(loss, side)
    if parts is None:
        slopes = Curve(lambda xp: getattr(loss.on(xp), side)).signs(1)
        return _Facts(MIXED, slopes.never(sign), sign in slopes.proved, False)
    curves = [Curve(lambda xp, part=part: _stretched(loss, side, part, xp)) for part in parts]  # type: ignore[misc]
    shapes = [certify_curvature(curve) for curve in curves]
    bends = [_bend(loss, side, left, right) for left, right in pairwise(parts)]
    shape = _joint_shape(shapes, bends)
    slopes_of = [curve.signs(1) for curve in curves]
    constant = all(s.complete and s.proved <= {0} and not s.weak for s in slopes_of)
    monotone = all(s.never(sign) for s in slopes_of)
    if not monotone and shape is not MIXED:  # one end decides for a slope that itself is monotone
        last = (shape == CONVEX) == (side == "active")
        end = _slope_sign(loss, side, parts[-1 if last else 0], Fraction(int(last)))
        monotone = end is not None and end * sign <= 0
    return _Facts(shape, monotone, not monotone and any(sign in s.proved for s in slopes_of), constant)


def _bare(texts: tuple[str, str | None], values: tuple[tuple[str, Scalar], ...], classes: Scalar) -> Formula:
    """A formula without checks of its parameters."""
    loss = object.__new__(Formula)
    domains = {p: DEFAULT_DOMAIN for p, _ in values}
    loss.__dict__.update(
        texts=texts, _sides=_parse_sides(*texts), parameters=dict(values), domains=domains, main=None, classes=classes
    )
    return loss._at_zero()


def _joint_shape(shapes: list[int | None], bends: list[int | None]) -> int | None:
    every = {*shapes, *bends}
    if None in every or {1, -1} <= every:
        return MIXED
    if every <= {0}:
        return LINEAR
    if 1 in every:
        return CONVEX if shapes[-1] == CONVEX else MIXED  # linear next to u = 1: no strictness there
    return CONCAVE


def _stretched(loss: Formula, side: str, part: _Part, xp: Backend) -> Side:
    """One part as a function on [0, 1], its branches fixed."""
    here = loss.on(xp)
    low, width = xp.number(part.low), xp.number(part.high - part.low)
    whole = part.low == 0 and part.high == 1

    def formula(t: Scalar, logt: Scalar, xp: Backend) -> Scalar:
        u = t if whole else t * width + low
        return here.run(side, u, logt if whole else xp.log(u), xp, _fixed(part.branches))

    return formula


def _fixed(branches: tuple[bool, ...]) -> Fork:
    order = iter(branches)
    return lambda env, difference, below, above_: above_ if next(order) else below


def _differences(
    loss: Formula, side: str, u: Scalar, xp: Backend, branches: tuple[bool, ...] | None = None
) -> list[Scalar]:
    """The arguments by whose sign abs, min and max choose, in the order of evaluation."""
    found: list[Scalar] = []
    fixed = None if branches is None else _fixed(branches)

    def fork(env: Env, difference: Scalar, below: Scalar, above_: Scalar) -> Scalar:
        found.append(difference)
        return (fixed or choose)(env, difference, below, above_)

    here = loss.on(xp)
    here.run(side, u, xp.log(u), xp, fork)
    return found


def _parts(loss: Formula, side: str) -> list[_Part] | None:
    """[0, 1] cut where an abs, min or max changes its branch; None where the cuts are not exact or not all proved."""
    compiled = loss._side(side)
    if compiled is None or not compiled.forks:
        return [_Part(Fraction(0), Fraction(1), ())]
    if compiled.forks > MOST_FORKS:
        return None
    grid = np.linspace(0, 1, 1001)[1:-1]
    with np.errstate(all="ignore"):
        found = _differences(loss, side, grid, numpy_())
        differences = [np.broadcast_to(np.asarray(d, dtype=float), grid.shape) for d in found]
    cuts: set[Fraction] = set()
    for index, values in enumerate(differences):
        if not np.isfinite(values).all():
            return None
        for i in np.flatnonzero((np.sign(values[1:]) != np.sign(values[:-1])) & (values[:-1] != 0)):
            cut = _cut(loss, side, index, float(grid[i]), float(grid[i + 1]))
            if cut is None:
                return None
            cuts.add(cut)
    edges = [Fraction(0), *sorted(cuts), Fraction(1)]
    parts = []
    for low, high in pairwise(edges):
        branches = tuple(bool(d > 0) for d in _differences(loss, side, float((low + high) / 2), FLOAT))
        part = _Part(low, high, branches)
        if not all(_keeps_sign(loss, side, part, index) for index in range(len(branches))):
            return None
        parts.append(part)
    return parts


def _cut(loss: Formula, side: str, index: int, low: float, high: float) -> Fraction | None:
    """The rational u in [low, high] at which a difference is exactly 0, if there is one."""

    low, high = _narrowed(loss, side, index, low, high)
    cut = simplest(Fraction(low), Fraction(high), slack=Fraction(1, 10**12))
    return cut if _vanishes(loss, side, index, cut) else None


def _narrowed(loss: Formula, side: str, index: int, low: float, high: float) -> tuple[float, float]:
    """Two neighbouring floats between which a difference changes its sign."""

    def sign(u: float) -> int:
        d = float(_differences(loss, side, u, FLOAT)[index])
        return (d > 0) - (d < 0)

    start = sign(low)
    for _ in range(60):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if sign(middle) == start else (low, middle)
    return low, high


def _vanishes(loss: Formula, side: str, index: int, u: Fraction, branches: tuple[bool, ...] | None = None) -> bool:
    difference = EXACT.number(_differences(loss, side, Exact.of(u), EXACT, branches)[index])
    return bool(difference.known) and difference.sign == 0


def _keeps_sign(loss: Formula, side: str, part: _Part, index: int) -> bool:
    """Is it proved that a difference has the sign of its branch inside a part (its ends may be zeros)?"""

    def on(xp: Backend) -> Side:
        here = loss.on(xp)
        low, width = xp.number(part.low), xp.number(part.high - part.low)
        return lambda t, logt, xp: t * 0 + _differences(here, side, t * width + low, xp, part.branches)[index]

    curve = Curve(on)
    sign = 1 if part.branches[index] else -1
    values = curve.signs(0)
    if values.never(-sign) and 0 not in values.proved:
        return True
    slope = curve.signs(1)
    if not slope.complete or len(slope.proved - {0} | slope.weak) > 1:
        return False
    ends = [
        sign if _vanishes(loss, side, index, end, part.branches) else curve.box(float(t), float(t))[0].sign
        for t, end in ((0, part.low), (1, part.high))
    ]
    return ends == [sign, sign]


def _slope(loss: Formula, side: str, part: _Part, u: Fraction, xp: Backend) -> Scalar:
    here = loss.on(xp)
    x = xp.variable(xp.number(u))
    found = here.run(side, x, xp.log(x), xp, _fixed(part.branches))
    return found.slope if isinstance(found, Jet) else xp.number(0)


def _slope_sign(loss: Formula, side: str, part: _Part, u: Fraction) -> int | None:
    exact = sign_of(EXACT.number(_slope(loss, side, part, u, EXACT)))
    return exact if exact is not None else sign_of(_slope(loss, side, part, u, arb_()))


def _bend(loss: Formula, side: str, left: _Part, right: _Part) -> int | None:
    """Sign of the jump of the slope between two parts: 1 convex, 0 none, -1 concave."""
    u = left.high
    exact = EXACT.number(_slope(loss, side, right, u, EXACT)) - EXACT.number(_slope(loss, side, left, u, EXACT))
    sign = sign_of(exact)
    if sign is not None:
        return sign
    return sign_of(_slope(loss, side, right, u, arb_()) - _slope(loss, side, left, u, arb_()))


# --------------------------------------------------------------------- where the curvature changes in a parameter

SIMPLE = 1000  # a change point is taken for a fraction when its numerator times denominator stay below this, squared
MOST_KINKS = 12
FAR = 2**12
NEAR_ZERO = 2.0**-100
"""A change of kind this near to 0 is at 0: bisection by relative width would not end there."""
State = tuple[int | None, int | None] | None  # signs of the curvatures; None: no loss there


@dataclass(frozen=True)
class _Scan:
    """What a search over one parameter found: where the formula is a loss, a value there, the change points inside."""

    domain: Domain
    start: Fraction | None
    kinks: tuple[Fraction, ...]


def _scan(loss: Formula, parameter: str) -> _Scan:
    others = tuple((p, v) for p, v in loss.parameters.items() if p != parameter)
    now = loss.parameters[parameter]
    known = now if isinstance(now, Fraction) else None
    return _scanned(loss.texts, parameter, others, loss.domains[parameter], known, loss.classes)


@lru_cache(maxsize=256)
def _scanned(
    texts: tuple[str, str | None],
    parameter: str,
    others: tuple[tuple[str, Scalar], ...],
    domain: Domain,
    now: Fraction | None,
    classes: Scalar,
) -> _Scan:
    loss = _bare(texts, ((parameter, Fraction(1)), *others), classes)

    @cache
    def state(x: float) -> State | str:
        here = loss._with(**{parameter: Fraction(x)})
        found = _state(here)
        if not isinstance(found, tuple) or 0 not in found:
            return found
        sides = zip(found, ("active", "passive"), strict=True)  # linear to rounding: is it?
        return tuple(_facts(here, side).shape if sign == 0 else sign for sign, side in sides)  # type: ignore[return-value]

    def refused(x: float) -> bool:
        here = loss._with(**{parameter: Fraction(x)})
        return any(_facts(here, side).wrong_way for side in ("active", "passive"))

    grid = [x for x in domain.tried() if state(x) != "overflow"]
    if not grid:
        return _Scan(domain, None, ())
    changes: list[Fraction] = []
    pieces = [(state(grid[0]), [grid[0]])]
    for low, high in pairwise(grid):
        for _ in range(4):
            if state(low) == state(high) or len(changes) >= MOST_KINKS:
                break
            left, right = low, high
            # a change at 0 is never near by its relative width: there the absolute one decides
            while right - left > max(2.0**-44 * max(abs(left), abs(right)), NEAR_ZERO):
                middle = math.sqrt(left * right) if 0 < left and right > 4 * left else (left + right) / 2
                if not left < middle < right:
                    break
                left, right = (middle, right) if state(middle) == state(low) else (left, middle)
            if state(left) is None and isinstance(state(right), tuple):
                left, right = _past(refused, right, high) or (left, right)
            elif state(right) is None and isinstance(state(left), tuple):
                left, right = _past(refused, left, low) or (left, right)
            changes.append(_snapped(left, right))
            pieces.append((state(right), []))
            low = right
        pieces[-1][1].append(high)

    def proved(x: float) -> Curvature:
        here = loss._with(**{parameter: Fraction(x)})
        return _facts(here, "active").shape, _facts(here, "passive").shape

    found = _run_of_losses(domain, pieces, changes, now, state, proved)
    zero = Fraction(0)
    if zero in found.domain and zero not in found.kinks and loss._with(**{parameter: zero}).zeros:
        return replace(found, kinks=tuple(sorted((*found.kinks, zero))))  # a value of its own, by a limit
    return found


def _past(refused: Callable[[float], bool], wrong: float, right: float) -> tuple[float, float] | None:
    """Between two values that samples take for a loss, of which a proof refuses the first alone: where that changes."""
    if not refused(wrong) or refused(right):
        return None
    while abs(right - wrong) > 2.0**-34 * max(abs(wrong), abs(right), 2.0**-30):
        middle = wrong + (right - wrong) / 2
        wrong, right = (middle, right) if refused(middle) else (wrong, middle)
    return min(wrong, right), max(wrong, right)


def _run_of_losses(
    domain: Domain,
    pieces: list[tuple[Any, list[float]]],
    changes: list[Fraction],
    now: Fraction | None,
    state: Callable[[float], Any],
    proved: Callable[[float], Curvature],
) -> _Scan:
    """The run of pieces on which the formula is a loss: the one around ``now``, else the one of most values.

    Far from 1 a change of the sampled curvature is none where the same is proved on both sides: floats lose a curvature that
    all but vanishes.
    """
    edges = [domain.low, *changes, domain.high]
    runs: list[list[int]] = []
    for i, (what, _) in enumerate(pieces):
        if what is not None:
            if runs and runs[-1][-1] == i - 1:
                runs[-1].append(i)
            else:
                runs.append([i])
    if not runs:
        return _Scan(domain, None, ())

    def around(run: list[int]) -> bool:
        low, high = edges[run[0]], edges[run[-1] + 1]
        return now is not None and (low is None or low <= now) and (high is None or now <= high)

    run = max(runs, key=lambda run: (around(run), sum(len(pieces[i][1]) for i in run)))
    low, high = edges[run[0]], edges[run[-1] + 1]

    def closed(end: Fraction | None, own: bool, of_domain: bool) -> bool:
        return end is None or ((own or not of_domain) and state(float(end)) not in (None, "overflow"))

    low_closed = closed(low, domain.low_closed, low == domain.low)
    cut = Domain(low, high, low_closed, closed(high, domain.high_closed, high == domain.high))

    def differs(i: int) -> bool:
        left, right = pieces[i - 1][1], pieces[i][1]
        far = changes[i - 1] != 0 and not 1 / FAR < abs(changes[i - 1]) < FAR
        return not (far and left and right) or proved(left[-1]) != proved(right[0])

    kinks = tuple(sorted({changes[i - 1] for i in run[1:] if changes[i - 1] not in (low, high) and differs(i)}))
    inside = [x for i in run for x in pieces[i][1]]
    start = Fraction(inside[len(inside) // 2]) if inside else None
    if start is not None and Fraction(1) in cut and state(1.0) not in (None, "overflow"):
        start = Fraction(1)
    return _Scan(_same(cut, domain), start, kinks)


def _same(cut: Domain, domain: Domain) -> Domain:
    """The domain itself when only the flags of absent ends differ."""
    a, b = (
        (d.low, d.high, d.low is not None and d.low_closed, d.high is not None and d.high_closed) for d in (cut, domain)
    )
    return domain if a == b else cut


def _state(loss: Formula) -> State | str:
    """Signs of the curvatures on samples, None where the formula is not a loss, "overflow" where floats do not reach."""
    u = np.array((*_SAMPLES[::4], 1.0))
    signs: list[int | None] = [0, 0]
    varies = False
    for i, side, way in ((0, "active", 1), (1, "passive", -1)):
        if loss._side(side) is None:
            continue
        value, slope, curve = _sampled(loss, side, u)
        if side == "passive" and value[-1] == math.inf:
            u, value, slope, curve = u[:-1], value[:-1], slope[:-1], curve[:-1]
        if not np.isfinite(value).all():
            bad = [x for x in u[~np.isfinite(value)]]
            return None if _no_value(loss, side, bad[0]) or _no_value(loss, side, bad[-1]) else "overflow"
        steepest = np.max(np.abs(slope[np.isfinite(slope)]), initial=0.0)
        varies = varies or steepest > 0
        if (slope * way > 1e-12 * steepest).any():
            return None
        known = np.isfinite(slope) & np.isfinite(curve)
        slope, curve = slope[known], curve[known]
        jumps = np.diff(slope) / np.maximum(np.abs(slope[1:]) + np.abs(slope[:-1]), 1e-300)  # kinks have no curvature
        with np.errstate(over="ignore"):  # a slope that vanishes at an end: infinitely bent, by its sign
            bends = np.concatenate([curve / np.maximum(np.abs(slope), 1e-300) * 1e4, jumps])
        up, down = bool((bends > 1e-9).any()), bool((bends < -1e-9).any())
        signs[i] = None if up and down else int(up) - int(down)
    return (signs[0], signs[1]) if varies else None  # constant in u: not a loss


def _snapped(low: float, high: float) -> Fraction:
    """A simple fraction at a change point, else the middle."""
    for slack, size in ((10**10, SIMPLE**2), (10**7, SIMPLE)):  # coarsely where a kink enters at an end of [0, 1]
        found = simplest(Fraction(low), Fraction(high), slack=Fraction(1, slack))
        if abs(found.numerator) * found.denominator <= size:
            return found
    return Fraction((low + high) / 2)
