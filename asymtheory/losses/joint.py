"""Losses from a formula with sums over classes that do not separate: ``u_y`` beside ``sum``, ``norm``, ``max`` and ``min``.

``JointFormula`` runs on arrays (numpy, torch, arrays of intervals and jets over them): the sums over classes first, then the
formula at every label. ``NormalisedFormula`` is ``g(u_y) / sum_k g(u_k)`` for a g of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import inf
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from ..errors import InputError
from ..numbers.backends import FLOAT, INTERVAL, Backend, arb_
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.text import plain
from .base import Loss, Normalised, Separable, Term, unknown_parameter
from .domain import DEFAULT_DOMAIN, Domain, own_value
from .expressions import CLASSES, Compiled, Env, OverClasses, choose, parse

J = TypeVar("J", bound="JointFormula")
NEXT_TO_ONE, BITS = 1 - Fraction(1, 2**40), 200
TRIED = (2, 3, 10)  # numbers of classes on which a new formula is tried


class JointFormula(Loss):
    """A loss whose formula has sums over classes and does not separate, built by ``from_formula``."""

    name, title, formula = "formula", "formula", ""
    source = "the user's own"
    note = "it is not a sum of functions of one probability each: verdicts are by a search over the simplex"
    domains: ClassVar[Mapping[str, Domain]] = {}
    joint = True
    # set in every instance
    text: str
    compiled: Compiled

    def __init__(
        self, text: str, *, parameters: Mapping[str, Scalar], domains: Mapping[str, Domain] | None, main: str | None
    ) -> None:
        compiled = parse(text)
        known = {p: (domains or {}).get(p, DEFAULT_DOMAIN) for p in compiled.parameters}
        for p in (*parameters, *(domains or {})):
            if p not in known:
                raise InputError(unknown_parameter("formula", p, known))
        self.__dict__.update(
            text=text, compiled=compiled, domains=known, main=main, title=compiled.text, formula=compiled.text,
            parameters={p: own_value(domain, p, parameters[p]) for p, domain in known.items()},
        )  # fmt: skip

    @property
    def jumps(self) -> bool:  # type: ignore[override]
        return self.compiled.jumps

    def _with(self, **values: Scalar) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, parameters={**self.parameters, **values})
        return copy

    def replace(self, **parameters: Scalar) -> Self:
        for p in parameters:
            if p not in self.domains:
                raise InputError(unknown_parameter("formula", p, self.domains))
        return _tried(self._with(**{p: own_value(self.domains[p], p, value) for p, value in parameters.items()}))

    def part(self, text: str) -> JointFormula:
        """Some terms of the formula, with its parameters, unchecked."""
        names = parse(text).parameters
        values = {p: v for p, v in self.parameters.items() if p in names}
        domains = {p: d for p, d in self.domains.items() if p in names}
        return JointFormula(text, parameters=values, domains=domains, main=None)

    def parts(self, K: Scalar) -> tuple[Term, ...]:
        raise InputError(
            f"{self.title}: a sum over classes inside the formula does not separate into functions of one probability each; "
            "check, minimise and torch modules take such a loss, this does not"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JointFormula) and (self.text, self.parameters) == (other.text, other.parameters)

    def __hash__(self) -> int:
        return hash((self.text, tuple(sorted(self.parameters.items()))))

    def __repr__(self) -> str:
        return f"from_formula({', '.join([repr(self.text), *(f'{p}={plain(v)}' for p, v in self.parameters.items())])})"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "compiled"}  # closures: made anew

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, compiled=parse(state["text"]))

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        values = {**self.parameters, CLASSES: xp.number(Fraction(_shape(p)[-1]))}
        sums = [_over_classes(each, p, logp, xp, values) for each in self.compiled.sums]
        found = self.compiled.run(Env(p, logp, xp, values, choose, sums=sums))
        return found if _shape(found)[-1] == _shape(p)[-1] else p * 0 + found  # the same for every label


def joint_formula(
    text: str, *, parameters: Mapping[str, Scalar], domains: Mapping[str, Domain] | None, main: str | None
) -> JointFormula:
    """The loss of a formula that does not separate; InputError where it has no finite values inside the simplex."""
    return _tried(JointFormula(text, parameters=parameters, domains=domains, main=main))


def _tried(loss: J) -> J:
    """The loss, if it is finite inside the simplex, depends on the label and, as far as tried, falls as u_y grows."""
    rng = np.random.default_rng(0)
    at = ", ".join(f"{p} = {plain(v)}" for p, v in loss.parameters.items())
    where = f" (at {at})" if at else ""
    varies = False
    for K in TRIED:
        points = np.vstack([rng.dirichlet(np.full(K, scale), 100) for scale in (0.3, 1.0, 5.0)])
        inside = points[(points > 1e-12).all(-1)]
        with np.errstate(all="ignore"):
            values = loss(inside)
        wrong = ~np.isfinite(values).all(-1)
        if wrong.any():
            shown = ", ".join(f"{x:.3g}" for x in inside[wrong.argmax()])
            what = "is not finite" if np.isinf(values[wrong.argmax()]).any() else "is not a real number"
            raise InputError(f"--formula: {what} at u = ({shown}){where}: a loss must have a value inside the simplex")
        varies = varies or bool((np.ptp(values, axis=-1) > 1e-12 * (1 + np.abs(values).max(-1))).any())
        rises = float(np.corrcoef(inside[:, 0], values[:, 0])[0, 1]) if np.ptp(values[:, 0]) > 0 else 0.0
        if rises > 0.5 and values[inside[:, 0].argmax(), 0] > values[inside[:, 0].argmin(), 0]:
            raise InputError(f"--formula: increases in u_y{where}, with K = {K}: a loss must decrease in u_y")
    if not varies:
        raise InputError("--formula: is the same for every label: a loss must decrease in u_y")
    return loss


def _shape(p: Scalar) -> tuple[int, ...]:
    return tuple((p.value if isinstance(p, Jet) else p).shape)


def _plain(x: Scalar) -> Scalar:
    """A tensor of a probability that is held as logarithms (``training.losses.reference``); others pass."""
    tensor = getattr(x, "tensor", None)
    return tensor() if callable(tensor) else x


def _spread(x: Scalar, at_label: bool) -> Scalar:
    """(..., K) as (..., label, class): the value of the label, or of every class."""
    if isinstance(x, Jet):
        return Jet(
            x.xp, *(None if part is None else _spread(part, at_label) for part in (x.value, x.slope, x.curvature))
        )
    return _plain(x)[..., :, None] if at_label else _plain(x)[..., None, :]


def _over_classes(each: OverClasses, p: Scalar, logp: Scalar, xp: Backend, values: Mapping[str, Scalar]) -> Scalar:
    """The value of a sum over classes: (..., 1), or (..., K) where it depends on the label."""
    if each.labelled:
        own = _spread(p, True), _spread(logp, True)
        env = Env(_spread(p, False), _spread(logp, False), xp, values, choose, own)
    else:
        env = Env(p, logp, xp, values, choose)
    inner = each.run(env)
    if each.exponent is not None:
        exponent = each.exponent(env)  # before it is a tensor: a power of a probability is taken of its logarithm
        whole = xp._power(inner, exponent) if not isinstance(inner, Jet) else inner**exponent
        whole = _plain(whole).sum(-1, keepdims=True)
        result = whole ** (1 / exponent) if isinstance(whole, Jet) else xp._power(whole, 1 / exponent)
    elif each.kind == "lead":
        return _lead(_plain(inner))
    elif each.kind == "sum":
        result = _plain(inner).sum(-1, keepdims=True)
    else:
        inner = _plain(inner)
        result = _greatest(inner) if each.kind == "max" else -_greatest(-inner)
    return _last(result) if each.labelled else result


def _last(x: Scalar) -> Scalar:
    if isinstance(x, Jet):
        return Jet(x.xp, *(None if part is None else part[..., 0] for part in (x.value, x.slope, x.curvature)))
    return x[..., 0]


def _greatest(x: Scalar) -> Scalar:
    """The maximum over the last axis, kept; for jets of intervals with every slope that may be its own."""
    if isinstance(x, Jet):
        value = x.value.greatest()
        able = x.value.high >= value.low
        slope = type(x.value)(
            np.where(able, x.slope.low, np.inf).min(-1, keepdims=True),
            np.where(able, x.slope.high, -np.inf).max(-1, keepdims=True),
        )
        return Jet(x.xp, value, slope)
    if hasattr(x, "greatest"):
        return x.greatest()
    return x.amax(-1, keepdim=True) if hasattr(x, "amax") else x.max(-1, keepdims=True)


def _lead(x: Scalar) -> Scalar:
    """Each entry less the greatest other one; of jets the value alone, for it only chooses branches."""
    if isinstance(x, Jet):
        lead = _lead(x.value)
        return Jet(x.xp, lead, lead * 0)
    if hasattr(x, "greatest"):
        return x - type(x)(_greatest_other(x.low), _greatest_other(x.high))
    if hasattr(x, "topk"):
        most, at = x.topk(2, -1)
        return x - most[..., :1].expand_as(x).scatter(-1, at[..., :1], most[..., 1:])
    return x - _greatest_other(x)


def _greatest_other(x: Any) -> Any:
    ranked = np.sort(x, axis=-1)
    is_top = np.arange(x.shape[-1]) == x.argmax(-1)[..., None]
    return np.where(is_top, ranked[..., -2:-1], ranked[..., -1:])


FORM = "its base is not infinite at u = 0 and not negative, or 0 at u = 1 alone,"


def is_endless(base: Separable) -> bool | None:
    """Is a decreasing base infinite at 0 (and not negative), or 0 at 1 alone (False)? None where it is neither."""
    from flint import ctx  # late, as wherever balls are asked for

    one, zero = base.on(FLOAT).active(1.0, 0.0, FLOAT), INTERVAL.number(Fraction(0))
    if INTERVAL.number(base.on(INTERVAL).active(zero, INTERVAL.log(zero), INTERVAL)).low == inf:
        return True if one >= 0 else None
    with ctx.workprec(BITS):
        xp = arb_()
        before = xp.number(NEXT_TO_ONE)
        falls = xp.number(base.on(xp).active(before, xp.log(before), xp)) > 0
    return False if one == 0 and falls else None


def keeps_form(base: Separable, parameter: str) -> bool:
    """Is it the same for all values of a parameter that are tried?"""
    values = (base._with(**{parameter: Fraction(x)}) for x in base.domains[parameter].tried())
    return len({is_endless(each) for each in (base, *values)}) == 1


class NormalisedFormula(Normalised):
    """``g(u_y) / sum_k g(u_k)`` for a formula g that is infinite at 0, as NCE's -log u, or 0 at 1, as NGCE's 1 - u^q."""

    name, title, formula = "formula", "formula", ""
    source = "the user's own"

    def __init__(self, base: Separable, text: str) -> None:
        self.__dict__.update(
            _base=base, title=text, formula=text, domains=base.domains, main=base.main, parameters=base.parameters
        )

    @property
    def base(self) -> Separable:
        base: Separable = self.__dict__["_base"]
        return base

    def _rebuilt(self, base: Separable) -> Self:
        return type(self)(base, self.title)

    def _with(self, **values: Scalar) -> Self:
        return self._rebuilt(self.base._with(**values))

    def on(self, xp: Backend) -> Self:
        return self._rebuilt(self.base.on(xp))

    def at(self, K: Scalar) -> Self:
        base = self.base.at(K)
        assert isinstance(base, Separable)
        return self._rebuilt(base)

    def replace(self, **parameters: Scalar) -> Self:
        found = self._rebuilt(self.base.replace(**parameters))
        if is_endless(found.base) is None:
            at = ", ".join(f"{p} = {plain(v)}" for p, v in found.parameters.items())
            raise InputError(f"{self.title}: {FORM} at {at}; from_formula with these values is another kind of loss")
        return found

    @property
    def kinks(self) -> Mapping[str, tuple[Fraction, ...]]:
        """Parameter values at which the curvature of g changes, as far as a search finds them."""
        return getattr(self.base, "kinks", {})

    @property
    def searched(self) -> str:  # type: ignore[override]
        return self.base.searched

    @property
    def branches(self) -> bool:  # type: ignore[override]
        return self.base.branches

    def prepared(self, parameter: str) -> Self:
        """The loss with the domain of a parameter cut to where g decreases; InputError where the form is not kept on all of it."""
        if parameter not in self.domains:
            return self
        base = self.base.prepared(parameter)
        if not keeps_form(base, parameter):
            raise InputError(
                f"--solve {parameter}: {self.title}: {FORM} for every {parameter} in {base.domains[parameter]}; "
                f"--domain {parameter}=LOW:HIGH leaves values out, and check takes single ones"
            )
        return self._rebuilt(base)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NormalisedFormula) and self.base == other.base

    def __hash__(self) -> int:
        return hash((NormalisedFormula, self.base))

    def __repr__(self) -> str:
        inside = [repr(self.title), *(f"{p}={plain(v)}" for p, v in self.parameters.items())]
        return f"from_formula({', '.join(inside)})"
