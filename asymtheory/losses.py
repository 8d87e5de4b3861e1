"""What a loss is, and every loss of the papers, defined once.

Most losses are separable: ``L(u, y) = scale(K) * (active(u_y) + sum_{k != y} passive(u_k))``. Their classes write ``active``
and ``passive`` in plain operators over a namespace ``xp`` (see ``backends``); everything else (arrays, jets, symbols, balls,
torch) follows from those two lines. ``logp`` is passed beside ``p`` so that logits stay stable; nothing is clamped here.
The other forms are a ratio of separable ones (``Normalised``, ``NormalisedNegative``), cross entropy on a clipped domain
(``LogitClipCE``) and sums, written ``alpha * NCE() + beta * AMSE(a=30)``.

Parameters are exact: ``GCE(q=0.7)`` holds 7/10. Defaults are the papers' CIFAR-10 settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, ClassVar

from .backends import Backend
from .domain import Domain, above, at_least, below, between, exact, plain
from .errors import InputError, nearest

Curvature = tuple[int | None, int | None]

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
    defaults: ClassVar[Mapping[str, Any]] = {}
    main: ClassVar[str | None] = None  # the parameter that `bound` solves for unless told otherwise
    searched: ClassVar[str] = ""  # what `prepared` found by a search and not by a proof

    def __init__(self, **parameters: Any) -> None:
        unknown = [p for p in parameters if p not in self.domains]
        if unknown:
            raise InputError(unknown_parameter(self.name, unknown[0], self.domains))
        values = {**self.defaults, **parameters}
        self._set({p: domain.check(self.name, p, values[p]) for p, domain in self.domains.items()})

    def _set(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "parameters", dict(values))
        for parameter, value in values.items():
            object.__setattr__(self, parameter, value)

    def __setattr__(self, key: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; use replace({key}=...)")

    parameters: dict[str, Any]

    def _with(self, **values: Any) -> Loss:
        """A copy with parameters set without validation: symbols, intervals and polynomials pass through here."""
        copy = object.__new__(type(self))
        copy._set({**self.parameters, **values})
        return copy

    def replace(self, **parameters: Any) -> Loss:
        """A copy with some parameters changed (validated)."""
        return type(self)(**{**self.parameters, **parameters})

    def prepared(self, parameter: str) -> Loss:
        """The loss as a threshold in ``parameter`` needs it; a formula searches for its domain and kinks here."""
        return self

    def on(self, xp: Backend) -> Loss:
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

    def terms(self) -> tuple[tuple[Any, Loss], ...]:
        """The loss as ``sum coefficient * atom``; an atom is no sum."""
        return ((Fraction(1), self),)

    def __mul__(self, coefficient: Any) -> Sum:
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

    def labels(self, p: Any, logp: Any, xp: Backend) -> Any:
        """``L(p, k)`` for every label k: array (..., K) of the kind of ``p``; parameters must already be on ``xp``."""
        raise NotImplementedError(f"{type(self).__name__} does not define labels()")

    def __call__(self, u: Any) -> Any:
        """``L(u, k)`` for every label k in float64: array-like (..., K) in, array (..., K) out.

        Points on the boundary get their limit where there is one (CE at 0 is inf) and NaN where there is none.
        """
        import numpy as np

        from .backends import numpy_

        p = np.asarray(u, dtype=float)
        with np.errstate(all="ignore"):
            return np.asarray(self.on(numpy_()).labels(p, np.log(p), numpy_()))


class Separable(Loss):
    """``L(u, y) = scale(K) * (active(u_y) + sum_{k != y} passive(u_k))``."""

    kinks: ClassVar[Mapping[str, tuple[int, ...]]] = {}  # parameter values at which the curvature changes sign

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        """The term of the labelled class."""
        raise NotImplementedError(f"{type(self).__name__} does not define active()")

    def passive(self, p: Any, logp: Any, xp: Backend) -> Any:
        """The term of each other class; 0 for an active loss."""
        return 0

    def scale(self, K: int) -> Fraction:
        """Factor of the whole loss that depends on the class count; K may be a symbol."""
        return Fraction(1)

    def curvature(self) -> Curvature:
        """Shape of (active, passive) on [0, 1]: 1 convex and strictly so next to u = 1, 0 linear, -1 concave, None neither."""
        raise NotImplementedError(f"{type(self).__name__} does not define curvature()")

    def labels(self, p: Any, logp: Any, xp: Backend) -> Any:
        own, other = self.active(p, logp, xp), self.passive(p, logp, xp)
        rest = other if isinstance(other, int) else total(other) - other
        return (own + rest) * xp.number(self.scale(p.shape[-1]))


def total(x: Any) -> Any:
    """Sum over the last axis, kept as an axis of length one (numpy and torch alike)."""
    return x.sum(-1, keepdims=True)


# ----------------------------------------------------------------------------------------- active losses


class CE(Separable):
    """Cross entropy: -log u_y. Domain: u_y in (0, 1]. Source: ANL Sec. 2.2, APL Sec. 3.1."""

    name, title = "ce", "CE"
    formula = "-log u_y"
    source = "APL Sec. 3.1"

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return -logp

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR


class FL(Separable):
    """Focal loss: -(1 - u_y)^gamma log u_y, gamma >= 0. Source: Lin et al. 2017; APL Sec. 3.1.

    Note: published code treats the modulating factor as a constant in the gradient; the formula here does not.
    """

    name, title = "fl", "FL"
    formula = "-(1 - u_y)^gamma log u_y"
    source = "APL Sec. 3.1"
    domains: ClassVar = {"gamma": at_least(0)}
    defaults: ClassVar = {"gamma": Fraction(1, 2)}
    gamma: Any

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return -((1 - p) ** self.gamma * logp)

    def curvature(self) -> Curvature:
        # f'' (1-u)^(2-gamma) = gamma (1-gamma) log u + 2 gamma (1-u)/u + ((1-u)/u)^2 >= 0, for |log u| <= (1-u)/u
        return CONVEX, LINEAR


class GCE(Separable):
    """Generalised cross entropy: (1 - u_y^q)/q, 0 < q <= 1. Source: Zhang & Sabuncu 2018; APL Sec. 5.3 (q is rho there)."""

    name, title = "gce", "GCE"
    formula = "(1 - u_y^q) / q"
    source = "Zhang & Sabuncu 2018; ALF Sec. 3.4"
    domains: ClassVar = {"q": between(0, 1, low_closed=False, high_closed=True)}
    defaults: ClassVar = {"q": Fraction(7, 10)}
    main = "q"
    kinks: ClassVar = {"q": (1,)}
    q: Any

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return (1 - p**self.q) / self.q

    def curvature(self) -> Curvature:
        return _sign(1 - self.q), LINEAR


class AGCE(Separable):
    """Asymmetric GCE: ((a+1)^q - (a+u_y)^q)/q, a >= 0, q > 0. Source: ALF Cor. 1 (there a > 0; a = 0 is GCE)."""

    name, title = "agce", "AGCE"
    formula = "((a+1)^q - (a+u_y)^q) / q"
    source = "ALF Cor. 1"
    domains: ClassVar = {"a": at_least(0), "q": above(0)}
    defaults: ClassVar = {"a": Fraction(3, 5), "q": Fraction(3, 5)}
    main = "a"
    kinks: ClassVar = {"q": (1,)}
    a: Any
    q: Any

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return ((self.a + 1) ** self.q - (self.a + p) ** self.q) / self.q

    def curvature(self) -> Curvature:
        return _sign(1 - self.q), LINEAR


class AUL(Separable):
    """Asymmetric unhinged loss: ((a-u_y)^p - (a-1)^p)/p, a >= 1, p > 0. Source: ALF Cor. 2 (there a > 1)."""

    name, title = "aul", "AUL"
    formula = "((a-u_y)^p - (a-1)^p) / p"
    source = "ALF Cor. 2"
    domains: ClassVar = {"a": at_least(1), "p": above(0)}
    defaults: ClassVar = {"a": Fraction(11, 2), "p": Fraction(3)}
    main = "a"
    kinks: ClassVar = {"p": (1,)}
    a: Any
    p: Any

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return ((self.a - p) ** self.p - (self.a - 1) ** self.p) / self.p

    def curvature(self) -> Curvature:
        return _sign(self.p - 1), LINEAR


class AEL(Separable):
    """Asymmetric exponential loss: exp(-u_y/a), a > 0. Not shifted to 0 at u_y = 1. Source: ALF Cor. 3."""

    name, title = "ael", "AEL"
    formula = "exp(-u_y / a)"
    source = "ALF Cor. 3"
    domains: ClassVar = {"a": above(0)}
    defaults: ClassVar = {"a": Fraction(5, 2)}
    main = "a"
    a: Any

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return xp.exp(-p / self.a)

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR


class Unhinged(Separable):
    """Unhinged loss on the simplex: 1 - u_y. Source: van Rooyen et al. 2015; ALF Sec. 3.4 (AUL at a = p = 1)."""

    name, title = "unhinged", "unhinged"
    formula = "1 - u_y"
    source = "van Rooyen et al. 2015; ALF Sec. 3.4"

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return 1 - p

    def curvature(self) -> Curvature:
        return LINEAR, LINEAR


class TaylorCE(Separable):
    """Taylor cross entropy: sum_{j=1}^t (1-u_y)^j / j, whole t >= 1. Source: Feng et al. 2020; ANL Table 5."""

    name, title = "taylor-ce", "Taylor-CE"
    formula = "sum_{j=1..t} (1-u_y)^j / j"
    source = "Feng et al. 2020; ANL App. D"
    domains: ClassVar = {"t": at_least(1, integer=True)}
    defaults: ClassVar = {"t": Fraction(2)}
    main = "t"
    kinks: ClassVar = {"t": (1,)}
    t: Any

    def on(self, xp: Backend) -> Loss:
        return self  # t counts terms: it is no number of the backend

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        x = 1 - p
        if not isinstance(self.t, (int, Fraction)):
            return xp.series(lambda j: x**j / j, self.t)  # t left open: the sum stays a sum
        term, result = x, x
        for j in range(2, int(self.t) + 1):
            term = term * x
            result = result + term / xp.number(Fraction(j))
        return result

    def curvature(self) -> Curvature:
        return (LINEAR if self.t == 1 else CONVEX), LINEAR


class PHuberCE(Separable):
    """Partially Huberised cross entropy: -log u_y above u_y = 1/tau, its tangent below; tau >= 1.

    Source: Menon et al. 2020; ANL App. D. The tangent is 1 + log tau - tau u_y.
    """

    name, title = "phuber-ce", "PHuber-CE"
    formula = "-log u_y if u_y > 1/tau else 1 + log tau - tau u_y"
    source = "Menon et al. 2020; ANL App. D"
    domains: ClassVar = {"tau": at_least(1)}
    defaults: ClassVar = {"tau": Fraction(2)}
    main = "tau"
    kinks: ClassVar = {"tau": (1,)}
    tau: Any

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return xp.split(p, 1 / self.tau, 1 + xp.log(self.tau) - p * self.tau, -logp)

    def curvature(self) -> Curvature:
        return (LINEAR if self.tau == 1 else CONVEX), LINEAR


# ---------------------------------------------------------------------------------------- passive losses


class MAE(Separable):
    """Mean absolute error: ||e_y - u||_1 = 2(1 - u_y). Symmetric, constant 2K-2. Source: ALF Sec. 2.3, APL Sec. 3.1."""

    name, title = "mae", "MAE"
    formula = "sum_k |e_yk - u_k| = 2 (1 - u_y)"
    source = "Ghosh et al. 2017; ALF Sec. 2.3"

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return 1 - p

    def passive(self, p: Any, logp: Any, xp: Backend) -> Any:
        return p

    def curvature(self) -> Curvature:
        return LINEAR, LINEAR


class NMAE(MAE):
    """Normalised MAE: MAE / (2(K-1)) = (1 - u_y)/(K-1). Source: APL Eq. 3."""

    name, title = "nmae", "NMAE"
    formula = "MAE / sum_k MAE_k = (1 - u_y) / (K-1)"
    source = "APL Eq. 3"

    def scale(self, K: int) -> Fraction:
        return Fraction(1) / (2 * (K - 1))


class RCE(Separable):
    """Reverse cross entropy: -A sum_{k != y} u_k = -A (1 - u_y), A = log 0 := -4 < 0. Source: APL Sec. 3.1.

    Note: published code has the natural logarithm of 1e-4, A = -9.21.
    """

    name, title = "rce", "RCE"
    formula = "-A sum_{k != y} u_k = -A (1 - u_y)"
    source = "Wang et al. 2019; APL Sec. 3.1"
    domains: ClassVar = {"A": below(0)}
    defaults: ClassVar = {"A": Fraction(-4)}
    A: Any

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return p * 0

    def passive(self, p: Any, logp: Any, xp: Backend) -> Any:
        return -(p * self.A)

    def curvature(self) -> Curvature:
        return LINEAR, LINEAR


class NRCE(Separable):
    """Normalised RCE: (1 - u_y)/(K-1), free of A. Source: APL Eq. 4."""

    name, title = "nrce", "NRCE"
    formula = "RCE / sum_k RCE_k = (1 - u_y) / (K-1)"
    source = "APL Eq. 4"

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return p * 0

    def passive(self, p: Any, logp: Any, xp: Backend) -> Any:
        return p

    def scale(self, K: int) -> Fraction:
        return Fraction(1) / (K - 1)

    def curvature(self) -> Curvature:
        return LINEAR, LINEAR


class AMSE(Separable):
    """Asymmetric mean square error: (1/K) ||a e_y - u||_q^q, a >= 1, q > 0. Source: JAL Eq. 7 (q = 2) and Thm 4.1."""

    name, title = "amse", "AMSE"
    formula = "(1/K) (|a - u_y|^q + sum_{k != y} u_k^q)"
    source = "JAL Eq. 7, Thm 4.1"
    domains: ClassVar = {"a": at_least(1), "q": above(0)}
    defaults: ClassVar = {"a": Fraction(30), "q": Fraction(2)}
    main = "a"
    kinks: ClassVar = {"q": (1,)}
    a: Any
    q: Any

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return (self.a - p) ** self.q

    def passive(self, p: Any, logp: Any, xp: Backend) -> Any:
        return p**self.q

    def scale(self, K: int) -> Fraction:
        return Fraction(1) / K

    def curvature(self) -> Curvature:
        sign = _sign(self.q - 1)
        return sign, sign


class MSE(Separable):
    """Mean square error: (1/K) ||e_y - u||_2^2. Source: JAL Eq. 7 at a = 1."""

    name, title = "mse", "MSE"
    formula = "(1/K) ((1 - u_y)^2 + sum_{k != y} u_k^2)"
    source = "JAL Eq. 7"

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return (1 - p) ** 2

    def passive(self, p: Any, logp: Any, xp: Backend) -> Any:
        return p**2

    def scale(self, K: int) -> Fraction:
        return Fraction(1) / K

    def curvature(self) -> Curvature:
        return CONVEX, CONVEX


# ------------------------------------------------------------------------------------- normalised losses


class Normalised(Loss):
    """``L(u, y) = base(u_y) / sum_k base(u_k)`` for an active base loss (APL Eq. 1); the labels sum to 1.

    At a vertex NCE and NFL have no value: the limit depends on the direction (see docs/theory.md).
    """

    base: Separable

    def labels(self, p: Any, logp: Any, xp: Backend) -> Any:
        each = self.base.on(xp).active(p, logp, xp)  # type: ignore[attr-defined]
        return each / total(each)


class NCE(Normalised):
    """Normalised cross entropy: log u_y / sum_k log u_k. Source: APL Eq. 2, ANL Eq. 3."""

    name, title = "nce", "NCE"
    formula = "log u_y / sum_k log u_k"
    source = "APL Eq. 2"

    @property
    def base(self) -> Separable:  # type: ignore[override]
        return CE()


class NFL(Normalised):
    """Normalised focal loss, gamma >= 0. Source: APL Eq. 5."""

    name, title = "nfl", "NFL"
    formula = "FL(u_y) / sum_k FL(u_k)"
    source = "APL Eq. 5"
    domains: ClassVar = FL.domains
    defaults: ClassVar = FL.defaults
    gamma: Any

    @property
    def base(self) -> Separable:  # type: ignore[override]
        return FL()._with(gamma=self.gamma)  # type: ignore[return-value]


class NGCE(Normalised):
    """Normalised generalised cross entropy: (1 - u_y^q) / (K - sum_k u_k^q), 0 < q <= 1. Source: APL Sec. 5.3."""

    name, title = "ngce", "NGCE"
    formula = "(1 - u_y^q) / (K - sum_k u_k^q)"
    source = "APL Sec. 5.3"
    domains: ClassVar = GCE.domains
    defaults: ClassVar = GCE.defaults
    q: Any

    @property
    def base(self) -> Separable:  # type: ignore[override]
        return GCE()._with(q=self.q)  # type: ignore[return-value]


class NormalisedNegative(Loss):
    """``L(u, y) = 1 - (B - base(u_y)) / sum_k (B - base(u_k))`` with B = base(p_min), on u_k >= p_min (ANL Eq. 8).

    The labels sum to K - 1. Its domain is the simplex cut off at p_min; its minimiser for label y is the cut-off vertex
    with u_k = p_min for k != y.
    """

    base: Separable
    p_min: Any

    def flipped(self, p: Any, logp: Any, xp: Backend) -> Any:
        """``B - base(u_k) >= 0`` (ANL Eq. 6, vertical flipping)."""
        base: Any = self.base.on(xp)
        floor = xp.number(self.p_min) if isinstance(self.p_min, Fraction) else self.p_min
        return base.active(floor, xp.log(floor), xp) - base.active(p, logp, xp)

    def labels(self, p: Any, logp: Any, xp: Backend) -> Any:
        each = self.flipped(p, logp, xp)
        return 1 - each / total(each)


_P_MIN = between(0, 1, low_closed=False, high_closed=False)


class NNCE(NormalisedNegative):
    """Normalised negative cross entropy, p_min = 1e-7. Source: ANL Eq. 9."""

    name, title = "nnce", "NNCE"
    formula = "1 - (B + log u_y) / sum_k (B + log u_k), B = -log p_min"
    source = "ANL Eq. 9"
    domains: ClassVar = {"p_min": _P_MIN}
    defaults: ClassVar = {"p_min": Fraction(1, 10**7)}

    @property
    def base(self) -> Separable:  # type: ignore[override]
        return CE()


class NNFL(NormalisedNegative):
    """Normalised negative focal loss, gamma >= 0, p_min = 1e-7. Source: ANL Eq. 10."""

    name, title = "nnfl", "NNFL"
    formula = "1 - (B - FL(u_y)) / sum_k (B - FL(u_k)), B = FL(p_min)"
    source = "ANL Eq. 10"
    domains: ClassVar = {"gamma": at_least(0), "p_min": _P_MIN}
    defaults: ClassVar = {"gamma": Fraction(1, 2), "p_min": Fraction(1, 10**7)}
    gamma: Any

    @property
    def base(self) -> Separable:  # type: ignore[override]
        return FL()._with(gamma=self.gamma)  # type: ignore[return-value]


class LogitClipCE(Loss):
    """Cross entropy of clipped logits: -log u_y for u = softmax(z), ||z||_2 <= tau. Source: Wei et al. 2023; JAL Sec. 5.1.

    Its domain is not the simplex but the compact set {softmax(z): ||z||_2 <= tau}, which holds no vertex.
    """

    name, title = "logitclip-ce", "CE+LogitClip"
    formula = "-log u_y on {softmax(z): ||z||_2 <= tau}"
    source = "Wei et al. 2023; JAL Sec. 5.1"
    domains: ClassVar = {"tau": above(0)}
    defaults: ClassVar = {"tau": Fraction(5, 2)}
    main = "tau"
    tau: Any

    def labels(self, p: Any, logp: Any, xp: Backend) -> Any:
        return -logp


# ------------------------------------------------------------------------------------------------- sums

COEFFICIENTS = ("alpha", "beta")


class Sum(Loss):
    """``sum_i coefficient_i * term_i`` with positive coefficients, named alpha, beta, c3, c4, ...

    A parameter is addressed by its name; a name that several terms share sets all of them (gamma of ANL-FL),
    ``term.name`` sets one (``agce.a``).
    """

    name: str  # type: ignore[misc]
    title: str  # type: ignore[misc]
    source = "APL Eq. 6"

    def __init__(self, terms: tuple[tuple[Any, Loss], ...], name: str | None = None, title: str | None = None) -> None:
        label, positive = name or "+".join(atom.name for _, atom in terms), above(0)
        checked = ((positive.check(label, coefficient_name(i), c), atom) for i, (c, atom) in enumerate(terms))
        self._set_terms(tuple(checked), name, title)

    def _set_terms(self, checked: tuple[tuple[Any, Loss], ...], name: str | None, title: str | None) -> None:
        set_ = object.__setattr__
        set_(self, "_terms", checked)
        set_(self, "name", name or "+".join(atom.name for _, atom in checked))
        set_(self, "title", title or "+".join(atom.title for _, atom in checked))
        set_(self, "_named", (name, title))
        values = {coefficient_name(i): c for i, (c, _) in enumerate(checked)}
        for _, atom in checked:
            for parameter, value in atom.parameters.items():
                shared = values.setdefault(parameter, value)
                if shared is not value and shared != value:
                    values[f"{atom.name}.{parameter}"] = value
        set_(self, "parameters", values)

    _terms: tuple[tuple[Any, Loss], ...]
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
    def kinks(self) -> Mapping[str, tuple[int, ...]]:
        merged: dict[str, tuple[int, ...]] = {}
        for _, atom in self._terms:
            for parameter, points in getattr(atom, "kinks", {}).items():
                merged[parameter] = (*merged.get(parameter, ()), *points)
        return merged

    def terms(self) -> tuple[tuple[Any, Loss], ...]:
        return self._terms

    def _rebuild(self, values: Mapping[str, Any], change: Any) -> Sum:
        terms = []
        for i, (coefficient, atom) in enumerate(self._terms):
            own = {}
            for parameter in atom.parameters:
                for key in (parameter, f"{atom.name}.{parameter}"):
                    if key in values:
                        own[parameter] = values[key]
            terms.append((values.get(coefficient_name(i), coefficient), change(atom, own) if own else atom))
        return Sum(tuple(terms), *self._named)

    def _with(self, **values: Any) -> Loss:
        return self._rebuild(values, lambda atom, own: atom._with(**own))

    def replace(self, **parameters: Any) -> Loss:
        known = self.domains
        for parameter in parameters:
            if parameter not in known:
                raise InputError(unknown_parameter(self.name, parameter, known))
        return self._rebuild(parameters, lambda atom, own: atom.replace(**own))

    @property
    def searched(self) -> str:  # type: ignore[override]
        return "; ".join(atom.searched for _, atom in self._terms if atom.searched)

    def prepared(self, parameter: str) -> Loss:
        owner, _, own = parameter.rpartition(".")
        terms = ((c, atom.prepared(own) if owner in ("", atom.name) else atom) for c, atom in self._terms)
        return Sum(tuple(terms), *self._named)

    def on(self, xp: Backend) -> Loss:
        copy = object.__new__(Sum)  # no validation: it would turn the numbers of xp back into fractions
        terms = ((xp.number(c) if isinstance(c, Fraction) else c, atom.on(xp)) for c, atom in self._terms)
        copy._set_terms(tuple(terms), *self._named)
        return copy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and self._terms == other._terms

    def __hash__(self) -> int:
        return hash(self._terms)

    def __repr__(self) -> str:
        return " + ".join(f"{plain(c)} * {atom!r}" for c, atom in self._terms)

    def labels(self, p: Any, logp: Any, xp: Backend) -> Any:
        result: Any = 0
        for coefficient, atom in self._terms:
            result = result + coefficient * atom.labels(p, logp, xp)
        return result


def coefficient_name(i: int) -> str:
    return COEFFICIENTS[i] if i < len(COEFFICIENTS) else f"c{i + 1}"


def _sign(x: Any) -> int | None:
    """Sign of a curvature factor; None for a symbol or an interval that straddles 0."""
    sign = getattr(x, "sign", None) if getattr(x, "known", True) else None
    if sign is not None or not isinstance(x, (int, float, Fraction)):
        return sign if isinstance(sign, int) else None
    return (x > 0) - (x < 0)


def unknown_parameter(owner: str, name: str, known: Mapping[str, Domain]) -> str:
    allowed = ", ".join(p for p in known if "." not in p) or "none"
    return f"{owner} has no parameter {name!r} (it has: {allowed}){nearest(name, known)}"


# --------------------------------------------------------------------------------------------- registry

ATOMS: dict[str, type[Loss]] = {
    cls.name: cls
    for cls in (
        CE, FL, MAE, MSE, RCE, GCE, NCE, NFL, NMAE, NRCE, NGCE, NNCE, NNFL,
        AGCE, AUL, AEL, AMSE, Unhinged, TaylorCE, PHuberCE, LogitClipCE,
    )
}  # fmt: skip

# name -> (title, source, terms with their CIFAR-10 coefficients and parameters)
_SUMS: dict[str, tuple[str, str, tuple[tuple[Any, str, dict[str, Any]], ...]]] = {
    "sce": ("SCE", "Wang et al. 2019; APL Sec. 5.2", ((Fraction(1, 10), "ce", {}), (1, "rce", {}))),
    "nce+mae": ("NCE+MAE", "APL Sec. 4.1", ((1, "nce", {}), (1, "mae", {}))),
    "nce+rce": ("NCE+RCE", "APL Sec. 4.1", ((1, "nce", {}), (1, "rce", {}))),
    "nfl+mae": ("NFL+MAE", "APL Sec. 4.1", ((1, "nfl", {}), (1, "mae", {}))),
    "nfl+rce": ("NFL+RCE", "APL Sec. 4.1", ((1, "nfl", {}), (1, "rce", {}))),
    "ngce+mae": ("NGCE+MAE", "APL Sec. 5.3", ((1, "ngce", {}), (1, "mae", {}))),
    "ngce+rce": ("NGCE+RCE", "APL Sec. 5.3", ((1, "ngce", {}), (1, "rce", {}))),
    "nce+agce": ("NCE+AGCE", "ALF Sec. 4.2", ((1, "nce", {}), (4, "agce", {"a": 6, "q": Fraction(3, 2)}))),
    "nce+aul": ("NCE+AUL", "ALF Sec. 4.2", ((1, "nce", {}), (4, "aul", {"a": Fraction(63, 10), "p": Fraction(3, 2)}))),
    "nce+ael": ("NCE+AEL", "ALF Sec. 4.2", ((1, "nce", {}), (4, "ael", {"a": 5}))),
    "anl-ce": ("ANL-CE", "ANL Eq. 12", ((5, "nce", {}), (5, "nnce", {}))),
    "anl-fl": ("ANL-FL", "ANL Eq. 13", ((5, "nfl", {}), (5, "nnfl", {}))),
    "jal-ce": ("JAL-CE", "JAL Eq. 8", ((1, "nce", {}), (1, "amse", {}))),
    "jal-fl": ("JAL-FL", "JAL Eq. 9", ((1, "nfl", {}), (1, "amse", {}))),
}

_registered: dict[str, type[Loss]] = {}


def register(loss: type[Loss]) -> type[Loss]:
    """Add a loss class to the registry under its ``name`` (usable as a decorator). A taken name is refused."""
    key = _key(loss.name)
    if key in ATOMS or key in _SUMS or key in _registered:
        raise InputError(f"a loss named {key!r} is already registered")
    _registered[key] = loss
    return loss


def _third_party() -> None:
    """Losses that installed packages offer by the entry-point group ``asymtheory.losses``; looked up on a miss only."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="asymtheory.losses"):
        if _key(entry.name) not in _registered:
            _registered[_key(entry.name)] = entry.load()


def names() -> Iterator[str]:
    """Registered names, atoms first."""
    yield from ATOMS
    yield from _SUMS
    yield from _registered


def build(name: str, **parameters: Any) -> Loss:
    """A loss by its registered name, or a sum of two by ``"x+y"``; parameters not given keep their CIFAR-10 defaults.

    ``alpha`` scales a loss that is no sum: ``build("nce", alpha=10)`` is ``10 * NCE()`` (APL Fig. 3).
    Raises InputError for an unknown name (with the nearest one), an unknown parameter or a value outside its domain.
    """
    loss = _find(_key(name))
    if COEFFICIENTS[0] in parameters and COEFFICIENTS[0] not in loss.domains:
        loss = 1 * loss
    return loss.replace(**parameters) if parameters else loss


def _key(name: str) -> str:
    return "+".join(part.strip() for part in name.lower().replace("_", "-").split("+"))


def _find(key: str) -> Loss:
    if key in ATOMS:
        return ATOMS[key]()
    if key in _SUMS:
        title, source, parts = _SUMS[key]
        loss = Sum(tuple((c, ATOMS[atom](**values)) for c, atom, values in parts), key, title)
        object.__setattr__(loss, "source", source)
        return loss
    if key not in _registered:
        _third_party()
    if key in _registered:
        return _registered[key]()
    if "+" in key and all(key.split("+")):
        atoms = [_find(part) for part in key.split("+")]
        return Sum(tuple(term for atom in atoms for term in atom.terms()))
    raise InputError(f"--loss {key!r} is not a known loss{nearest(key, names())} (asymtheory losses lists them)")
