"""What a loss is, and every loss of the papers, defined once.

Most losses are separable: ``L(u, y) = scale(K) * (active(u_y) + sum_{k != y} passive(u_k))``. Their classes write ``active``
and ``passive`` in plain operators over a namespace ``xp`` (see ``backends``); everything else (arrays, jets, symbols, balls,
torch) follows from those two lines. ``logp`` is passed beside ``p`` so that logits stay stable; nothing is clamped here.
The other forms are a ratio of separable ones (``Normalised``, ``NormalisedNegative``), cross entropy on a clipped domain
(``LogitClipCE``) and sums, written ``alpha * NCE() + beta * AMSE(a=30)``.

Parameters are exact: ``GCE(q=0.7)`` holds 7/10. Defaults are the papers' CIFAR-10 settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from ..errors import InputError, nearest
from ..numbers.backends import Backend, numpy_
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from ..numbers.text import exact, plain
from .domain import Domain, above

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Curvature: TypeAlias = tuple[int | None, int | None]
Term: TypeAlias = "tuple[Scalar, Loss]"  # coefficient and atom of a sum

LINEAR, CONVEX, CONCAVE, MIXED = 0, 1, -1, None


class Loss:
    """A loss ``L(u, y)`` on the probability simplex, decreasing in ``u_y``.

    Instances are immutable; equality is by class and parameters. Subclasses say what they are in class attributes:
    ``name`` (registry key), ``title``, ``formula``, ``source``, ``note``, ``domains`` and ``defaults``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    note: ClassVar[str] = ""
    domains: ClassVar[Mapping[str, Domain]] = {}
    defaults: ClassVar[Mapping[str, Scalar]] = {}
    main: ClassVar[str | None] = None  # the parameter that `bound` solves for unless told otherwise
    searched: ClassVar[str] = ""  # what `prepared` found by a search and not by a proof
    joint: bool = False  # is it a formula of all probabilities at once, so that only a search decides?
    branches: bool = False  # has a formula some (where), which may jump in a parameter?
    jumps: bool = False  # may it jump inside the simplex (a where in a formula of all probabilities)?
    by_classes: bool = False  # is the number of classes in its formula, so that it is checked when K is known?

    def __init__(self, **parameters: Any) -> None:
        unknown = [p for p in parameters if p not in self.domains]
        if unknown:
            raise InputError(unknown_parameter(self.name, unknown[0], self.domains))
        values = {**self.defaults, **parameters}
        self._set({p: domain.check(self.name, p, values[p]) for p, domain in self.domains.items()})

    def _set(self, values: Mapping[str, Scalar]) -> None:
        object.__setattr__(self, "parameters", dict(values))
        for parameter, value in values.items():
            object.__setattr__(self, parameter, value)

    def __setattr__(self, key: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; use replace({key}=...)")

    parameters: dict[str, Scalar]

    def _with(self, **values: Scalar) -> Self:
        """A copy with parameters set without validation: symbols, intervals and polynomials pass through here."""
        copy = object.__new__(type(self))
        copy._set({**self.parameters, **values})
        return copy

    def replace(self, **parameters: Scalar) -> Self:
        """A copy with some parameters changed (validated)."""
        return type(self)(**{**self.parameters, **parameters})

    def prepared(self, parameter: str) -> Self:
        """The loss as a threshold in ``parameter`` needs it; a formula searches for its domain and kinks here."""
        return self

    def on(self, xp: Backend) -> Self:
        """The same loss with its parameters in the number system of ``xp``."""
        return self._with(**{p: xp.number(v) if isinstance(v, Fraction) else v for p, v in self.parameters.items()})

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((type(self), tuple(sorted(self.parameters.items()))))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{p}={plain(v)}' for p, v in self.parameters.items())})"

    def __str__(self) -> str:
        inside = ", ".join(f"{p}={plain(v)}" for p, v in self.parameters.items())
        return f"{self.title}({inside})" if inside else self.title

    # ------------------------------------------------------------------------------------------ algebra

    def terms(self) -> tuple[Term, ...]:
        """The loss as ``sum coefficient * atom``; an atom is not a sum."""
        return ((Fraction(1), self),)

    def at(self, K: Scalar) -> Loss:
        """The loss on K classes, where its formula has K in it; else itself."""
        return self

    def parts(self, K: Scalar) -> tuple[Term, ...]:
        """An atom on K classes as ``sum coefficient * part`` of the forms that a profile knows; K may be a symbol."""
        return ((Fraction(1), self),)

    def __mul__(self, coefficient: Scalar) -> Sum:
        if isinstance(coefficient, Loss):
            return NotImplemented
        factor = exact(coefficient)  # before multiplying, so that 0.1 * (0.7 * CE()) is 7/100
        return Sum(tuple((factor * c, atom) for c, atom in self.terms()))

    __rmul__ = __mul__

    def __add__(self, other: Loss) -> Sum:
        if not isinstance(other, Loss):
            return NotImplemented
        return Sum((*self.terms(), *other.terms()))

    # --------------------------------------------------------------------------------------- evaluation

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        """``L(p, k)`` for every label k: array (..., K) of the kind of ``p``; parameters must already be on ``xp``."""
        raise NotImplementedError(f"{type(self).__name__} does not define labels()")

    def __call__(self, u: ArrayLike) -> NDArray[np.float64]:
        """``L(u, k)`` for every label k in float64: array-like (..., K) in, array (..., K) out.

        Points on the boundary get their limit where there is one (CE at 0 is inf) and NaN where there is none.
        """
        import numpy as np  # late: this module is on the start-up path

        p = np.asarray(u, dtype=float)
        with np.errstate(all="ignore"):
            return np.asarray(self.on(numpy_()).labels(p, np.log(p), numpy_()))


class Separable(Loss):
    """``L(u, y) = scale(K) * (active(u_y) + sum_{k != y} passive(u_k))``."""

    kinks: ClassVar[
        Mapping[str, tuple[int | Fraction, ...]]
    ] = {}  # parameter values at which the curvature changes sign
    pole: ClassVar[tuple[int, int]] = (0, 0)  # what -log u is multiplied by in (active, passive) next to u = 0

    @property
    def steep_at_zero(self) -> bool:
        """Is the slope of the active part at u = 0 known to be -inf for every value of the parameters between two kinks?"""
        return self.pole[0] > 0

    @property
    def gentle_at_vertex(self) -> bool:
        """Are the slopes of active at 1 and of passive at 0 known to be finite for all parameters between two kinks?"""
        return all(shape in (CONVEX, LINEAR) for shape in self.curvature())

    @property
    def least_at_vertex(self) -> bool:
        """Is the weighted risk of this loss known to be least at the vertex of a unique largest weight, though it has no shape?"""
        return False

    def without_pole(self) -> Separable | None:
        """What is left without that multiple of -log u; None where no shape is known of it."""
        return self if self.pole == (0, 0) else None

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        """The term of the labelled class."""
        raise NotImplementedError(f"{type(self).__name__} does not define active()")

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        """The term of each other class; 0 for an active loss."""
        return 0

    def scale(self, K: int) -> Fraction:
        """Factor of the whole loss that depends on the class count; K may be a symbol."""
        return Fraction(1)

    def curvature(self) -> Curvature:
        """Shape of (active, passive) on [0, 1]: 1 convex and strictly so next to u = 1, 0 linear, -1 concave, None neither."""
        raise NotImplementedError(f"{type(self).__name__} does not define curvature()")

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        own, other = self.active(p, logp, xp), self.passive(p, logp, xp)
        alone = isinstance(other, int | float | Fraction)  # the same at every class
        K = class_count(p)
        rest = other * (K - 1) if alone else total(other) - other
        return (own + rest) * xp.number(self.scale(K))


def class_count(p: Scalar) -> int:
    """K of probabilities (..., K): arrays, tensors, spans, or jets of these."""
    return int((p.value if isinstance(p, Jet) else p).shape[-1])


def total(x: Scalar) -> Scalar:
    """Sum over the last axis, kept as an axis of length one (numpy and torch alike)."""
    return x.sum(-1, keepdims=True)


class Normalised(Loss):
    """``L(u, y) = base(u_y) / sum_k base(u_k)`` for an active base loss (APL Eq. 1); the labels sum to 1.

    At a vertex NCE and NFL have no value: the limit depends on the direction (see docs/theory.md).
    """

    @property
    def base(self) -> Separable:
        """The loss that is normalised, with the parameters that they share."""
        raise NotImplementedError(f"{type(self).__name__} does not define base")

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        each = self.base.on(xp).active(p, logp, xp)
        return each / total(each)


class NormalisedNegative(Loss):
    """``L(u, y) = 1 - (B - base(u_y)) / sum_k (B - base(u_k))`` with B = base(p_min), on u_k >= p_min (ANL Eq. 8).

    The labels sum to K - 1. Its domain is the simplex cut off at p_min; its minimiser for label y is the cut-off vertex
    with u_k = p_min for k != y.
    """

    p_min: Scalar

    @property
    def base(self) -> Separable:
        """The loss whose flipped values are normalised, with the parameters that they share."""
        raise NotImplementedError(f"{type(self).__name__} does not define base")

    def flipped(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        """``B - base(u_k) >= 0`` (ANL Eq. 6, vertical flipping)."""
        base = self.base.on(xp)
        floor = xp.number(self.p_min) if isinstance(self.p_min, Fraction) else self.p_min
        return base.active(floor, xp.log(floor), xp) - base.active(p, logp, xp)

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        each = self.flipped(p, logp, xp)
        return 1 - each / total(each)


COEFFICIENTS = ("alpha", "beta")


class Sum(Loss):
    """``sum_i coefficient_i * term_i`` with positive coefficients, named alpha, beta, c3, c4, ...

    A parameter is addressed by its name; a name that several terms share sets all of them (gamma of ANL-FL),
    ``term.name`` sets one (``agce.a``).
    """

    name: str  # type: ignore[misc]
    title: str  # type: ignore[misc]
    source = "APL Eq. 6"

    def __init__(self, terms: tuple[Term, ...], name: str | None = None, title: str | None = None) -> None:
        label, positive = name or "+".join(atom.name for _, atom in terms), above(0)
        checked = ((positive.check(label, coefficient_name(i), c), atom) for i, (c, atom) in enumerate(terms))
        self._set_terms(tuple(checked), name, title)

    def _set_terms(self, checked: tuple[Term, ...], name: str | None, title: str | None) -> None:
        set_ = object.__setattr__
        set_(self, "_terms", checked)
        set_(self, "name", name or "+".join(atom.name for _, atom in checked))
        set_(self, "title", title or "+".join(atom.title for _, atom in checked))
        set_(self, "_named", (name, title))
        values = {coefficient_name(i): c for i, (c, _) in enumerate(checked)}
        for _, atom in checked:
            for parameter, value in atom.parameters.items():
                shared = values.setdefault(parameter, value)
                if shared is not value and (hasattr(value, "shape") or hasattr(shared, "shape") or shared != value):
                    values[f"{atom.name}.{parameter}"] = value
        set_(self, "parameters", values)

    _terms: tuple[Term, ...]
    _named: tuple[str | None, str | None]

    @property
    def formula(self) -> str:  # type: ignore[override]
        return " + ".join(f"{coefficient_name(i)} {atom.title}" for i, (_, atom) in enumerate(self._terms))

    @property
    def domains(self) -> Mapping[str, Domain]:  # type: ignore[override]
        found = {coefficient_name(i): above(0) for i in range(len(self._terms))}
        for _, atom in self._terms:
            for parameter, domain in atom.domains.items():
                found.setdefault(parameter, domain)
                found[f"{atom.name}.{parameter}"] = domain
        return found

    @property
    def main(self) -> str | None:  # type: ignore[override]
        return next((atom.main for _, atom in self._terms if atom.main), None)

    @property
    def kinks(self) -> Mapping[str, tuple[int | Fraction, ...]]:
        merged: dict[str, tuple[int, ...]] = {}
        for _, atom in self._terms:
            for parameter, points in getattr(atom, "kinks", {}).items():
                merged[parameter] = (*merged.get(parameter, ()), *points)
        return merged

    def terms(self) -> tuple[Term, ...]:
        return self._terms

    def _rebuild(self, values: Mapping[str, Scalar], change: Callable[[Loss, dict[str, Scalar]], Loss]) -> Self:
        terms = []
        for i, (coefficient, atom) in enumerate(self._terms):
            own = {}
            for parameter in atom.parameters:
                for key in (parameter, f"{atom.name}.{parameter}"):
                    if key in values:
                        own[parameter] = values[key]
            terms.append((values.get(coefficient_name(i), coefficient), change(atom, own) if own else atom))
        return type(self)(tuple(terms), *self._named)

    def _with(self, **values: Scalar) -> Self:
        return self._rebuild(values, lambda atom, own: atom._with(**own))

    def replace(self, **parameters: Scalar) -> Self:
        known = self.domains
        for parameter in parameters:
            if parameter not in known:
                raise InputError(unknown_parameter(self.name, parameter, known))
        return self._rebuild(parameters, lambda atom, own: atom.replace(**own))

    @property
    def by_classes(self) -> bool:  # type: ignore[override]
        return any(atom.by_classes for _, atom in self._terms)

    @property
    def joint(self) -> bool:  # type: ignore[override]
        return any(atom.joint for _, atom in self._terms)

    @property
    def jumps(self) -> bool:  # type: ignore[override]
        return any(atom.jumps for _, atom in self._terms)

    @property
    def searched(self) -> str:  # type: ignore[override]
        return "; ".join(atom.searched for _, atom in self._terms if atom.searched)

    def prepared(self, parameter: str) -> Self:
        owner, _, own = parameter.rpartition(".")
        terms = ((c, atom.prepared(own) if owner in ("", atom.name) else atom) for c, atom in self._terms)
        return type(self)(tuple(terms), *self._named)

    def at(self, K: Scalar) -> Self:
        return type(self)(tuple((c, atom.at(K)) for c, atom in self._terms), *self._named)

    def on(self, xp: Backend) -> Self:
        copy = object.__new__(type(self))  # no validation: it would turn the numbers of xp back into fractions
        terms = ((xp.number(c) if isinstance(c, Fraction) else c, atom.on(xp)) for c, atom in self._terms)
        copy._set_terms(tuple(terms), *self._named)
        return copy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and self._terms == other._terms

    def __hash__(self) -> int:
        return hash(self._terms)

    def __repr__(self) -> str:
        return " + ".join(f"{plain(c)} * {atom!r}" for c, atom in self._terms)

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        result: Scalar = 0
        for coefficient, atom in self._terms:
            result = result + coefficient * atom.labels(p, logp, xp)
        return result


def is_coefficient(name: str) -> bool:
    """Is this the name of a term's weight in a sum (alpha, beta, c3, ...)?"""
    return name in COEFFICIENTS or (name[:1] == "c" and name[1:].isdigit())


def coefficient_name(i: int) -> str:
    return COEFFICIENTS[i] if i < len(COEFFICIENTS) else f"c{i + 1}"


def sign_of_factor(x: Scalar) -> int | None:
    """Sign of a curvature factor; None for a symbol or an interval that straddles 0."""
    sign = getattr(x, "sign", None) if getattr(x, "known", True) else None
    if sign is not None or not isinstance(x, (int, float, Fraction)):
        return sign if isinstance(sign, int) else None
    return (x > 0) - (x < 0)


def unknown_parameter(owner: str, name: str, known: Mapping[str, Domain]) -> str:
    allowed = ", ".join(p for p in known if "." not in p) or "none"
    return f"{owner} has no parameter {name!r} (it has: {allowed}){nearest(name, known)}"
