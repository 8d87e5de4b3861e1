"""The losses of the papers, each defined once."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Self

from ..numbers.backends import Backend
from ..numbers.harmonic import geometric_sum, harmonic, power_sum, summed
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar
from .base import CONVEX, LINEAR, Curvature, Loss, Normalised, NormalisedNegative, Separable, sign_of_factor
from .domain import above, at_least, below, between


class CE(Separable):
    """Cross entropy: -log u_y. Domain: u_y in (0, 1]. Source: ANL Sec. 2.2, APL Sec. 3.1."""

    name, title = "ce", "CE"
    formula = "-log u_y"
    source = "APL Sec. 3.1"
    pole: ClassVar = (1, 0)

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
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
    gamma: Scalar
    pole: ClassVar = (1, 0)

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
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
    q: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return (1 - p**self.q) / self.q

    def curvature(self) -> Curvature:
        return sign_of_factor(1 - self.q), LINEAR


class AGCE(Separable):
    """Asymmetric GCE: ((a+1)^q - (a+u_y)^q)/q, a >= 0, q > 0. Source: ALF Cor. 1 (there a > 0; a = 0 is GCE)."""

    name, title = "agce", "AGCE"
    formula = "((a+1)^q - (a+u_y)^q) / q"
    source = "ALF Cor. 1"
    domains: ClassVar = {"a": at_least(0), "q": above(0)}
    defaults: ClassVar = {"a": Fraction(3, 5), "q": Fraction(3, 5)}
    main = "a"
    kinks: ClassVar = {"q": (1,)}
    a: Scalar
    q: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return (xp.power(self.a + 1, self.q) - (self.a + p) ** self.q) / self.q

    @property
    def gentle_at_vertex(self) -> bool:
        return True  # the slope at 1 is -(a + 1)^(q - 1)

    def curvature(self) -> Curvature:
        return sign_of_factor(1 - self.q), LINEAR


class AUL(Separable):
    """Asymmetric unhinged loss: ((a-u_y)^p - (a-1)^p)/p, a >= 1, p > 0. Source: ALF Cor. 2 (there a > 1)."""

    name, title = "aul", "AUL"
    formula = "((a-u_y)^p - (a-1)^p) / p"
    source = "ALF Cor. 2"
    domains: ClassVar = {"a": at_least(1), "p": above(0)}
    defaults: ClassVar = {"a": Fraction(11, 2), "p": Fraction(3)}
    main = "a"
    kinks: ClassVar = {"p": (1,)}
    a: Scalar
    p: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return ((self.a - p) ** self.p - xp.power(self.a - 1, self.p)) / self.p

    @property
    def gentle_at_vertex(self) -> bool:
        return bool(self.a > 1 or self.p >= 1)  # the slope at 1 is -(a - 1)^(p - 1)

    def curvature(self) -> Curvature:
        return sign_of_factor(self.p - 1), LINEAR


class AEL(Separable):
    """Asymmetric exponential loss: exp(-u_y/a), a > 0. Not shifted to 0 at u_y = 1. Source: ALF Cor. 3."""

    name, title = "ael", "AEL"
    formula = "exp(-u_y / a)"
    source = "ALF Cor. 3"
    domains: ClassVar = {"a": above(0)}
    defaults: ClassVar = {"a": Fraction(5, 2)}
    main = "a"
    a: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return xp.exp(-p / self.a)

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR


class Unhinged(Separable):
    """Unhinged loss on the simplex: 1 - u_y. Source: van Rooyen et al. 2015; ALF Sec. 3.4 (AUL at a = p = 1)."""

    name, title = "unhinged", "unhinged"
    formula = "1 - u_y"
    source = "van Rooyen et al. 2015; ALF Sec. 3.4"

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return 1 - p

    def curvature(self) -> Curvature:
        return LINEAR, LINEAR


FEW = 8  # terms, which are summed one by one in every number system


def _is(x: Scalar, number: int) -> bool:
    """Is this an exact number, or a float or interval that holds it alone?"""
    rest = x - number
    return rest == 0.0 if isinstance(rest, float) else getattr(rest, "known", True) and getattr(rest, "sign", None) == 0


class TaylorCE(Separable):
    """Taylor cross entropy: sum_{j=1}^t (1-u_y)^j / j, whole t >= 1. Source: Feng et al. 2020; ANL Table 5."""

    name, title = "taylor-ce", "Taylor-CE"
    formula = "sum_{j=1..t} (1-u_y)^j / j"
    source = "Feng et al. 2020; ANL App. D"
    domains: ClassVar = {"t": at_least(1, integer=True)}
    defaults: ClassVar = {"t": Fraction(2)}
    main = "t"
    kinks: ClassVar = {"t": (1,)}
    t: Scalar

    def on(self, xp: Backend) -> Self:
        return self  # t counts terms: it is not a number of the backend

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        x = 1 - p
        if not isinstance(self.t, (int, Fraction)):
            return xp.series(lambda j: x**j / j, self.t)  # t left open: the sum stays a sum
        n, term, result = int(self.t), x, x
        if isinstance(x, Jet) and _is(x.value, 1):
            bend = None if x.curvature is None else x.slope * x.slope * (n * (n - 1) // 2) + x.curvature * n
            return Jet(x.xp, xp.number(harmonic(n)), x.slope * n, bend)
        if isinstance(x, Jet) and _is(x.value, 0):
            n = min(n, 2)  # x^3 and what follows has no value, slope or curvature there
        part, bent = (x.value, x.curvature) if isinstance(x, Jet) else (x, None)
        if n > FEW and bent is None and summed(part):
            value = power_sum(part, n)
            return Jet(x.xp, value, geometric_sum(part, n) * x.slope) if isinstance(x, Jet) else value
        for j in range(2, n + 1):
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
    tau: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return xp.split(p, 1 / self.tau, 1 + xp.log(self.tau) - p * self.tau, -logp)

    def curvature(self) -> Curvature:
        return (LINEAR if self.tau == 1 else CONVEX), LINEAR


class MAE(Separable):
    """Mean absolute error: ||e_y - u||_1 = 2(1 - u_y). Symmetric, constant 2K-2. Source: ALF Sec. 2.3, APL Sec. 3.1."""

    name, title = "mae", "MAE"
    formula = "sum_k |e_yk - u_k| = 2 (1 - u_y)"
    source = "Ghosh et al. 2017; ALF Sec. 2.3"

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return 1 - p

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
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
    A: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p * 0

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return -(p * self.A)

    def curvature(self) -> Curvature:
        return LINEAR, LINEAR


class NRCE(Separable):
    """Normalised RCE: (1 - u_y)/(K-1), free of A. Source: APL Eq. 4."""

    name, title = "nrce", "NRCE"
    formula = "RCE / sum_k RCE_k = (1 - u_y) / (K-1)"
    source = "APL Eq. 4"

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p * 0

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
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
    a: Scalar
    q: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return (self.a - p) ** self.q

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p**self.q

    def scale(self, K: int) -> Fraction:
        return Fraction(1) / K

    def curvature(self) -> Curvature:
        sign = sign_of_factor(self.q - 1)
        return sign, sign


class MSE(Separable):
    """Mean square error: (1/K) ||e_y - u||_2^2. Source: JAL Eq. 7 at a = 1."""

    name, title = "mse", "MSE"
    formula = "(1/K) ((1 - u_y)^2 + sum_{k != y} u_k^2)"
    source = "JAL Eq. 7"

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return (1 - p) ** 2

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p**2

    def scale(self, K: int) -> Fraction:
        return Fraction(1) / K

    def curvature(self) -> Curvature:
        return CONVEX, CONVEX


class NCE(Normalised):
    """Normalised cross entropy: log u_y / sum_k log u_k. Source: APL Eq. 2, ANL Eq. 3."""

    name, title = "nce", "NCE"
    formula = "log u_y / sum_k log u_k"
    source = "APL Eq. 2"

    @property
    def base(self) -> Separable:
        return CE()


class NFL(Normalised):
    """Normalised focal loss, gamma >= 0. Source: APL Eq. 5."""

    name, title = "nfl", "NFL"
    formula = "FL(u_y) / sum_k FL(u_k)"
    source = "APL Eq. 5"
    domains: ClassVar = FL.domains
    defaults: ClassVar = FL.defaults
    gamma: Scalar

    @property
    def base(self) -> Separable:
        return FL()._with(gamma=self.gamma)


class NGCE(Normalised):
    """Normalised generalised cross entropy: (1 - u_y^q) / (K - sum_k u_k^q), 0 < q <= 1. Source: APL Sec. 5.3."""

    name, title = "ngce", "NGCE"
    formula = "(1 - u_y^q) / (K - sum_k u_k^q)"
    source = "APL Sec. 5.3"
    domains: ClassVar = GCE.domains
    defaults: ClassVar = GCE.defaults
    q: Scalar

    @property
    def base(self) -> Separable:
        return GCE()._with(q=self.q)


_P_MIN = between(0, 1, low_closed=False, high_closed=False)


class NNCE(NormalisedNegative):
    """Normalised negative cross entropy, p_min = 1e-7. Source: ANL Eq. 9."""

    name, title = "nnce", "NNCE"
    formula = "1 - (B + log u_y) / sum_k (B + log u_k), B = -log p_min"
    source = "ANL Eq. 9"
    domains: ClassVar = {"p_min": _P_MIN}
    defaults: ClassVar = {"p_min": Fraction(1, 10**7)}

    @property
    def base(self) -> Separable:
        return CE()


class NNFL(NormalisedNegative):
    """Normalised negative focal loss, gamma >= 0, p_min = 1e-7. Source: ANL Eq. 10."""

    name, title = "nnfl", "NNFL"
    formula = "1 - (B - FL(u_y)) / sum_k (B - FL(u_k)), B = FL(p_min)"
    source = "ANL Eq. 10"
    domains: ClassVar = {"gamma": at_least(0), "p_min": _P_MIN}
    defaults: ClassVar = {"gamma": Fraction(1, 2), "p_min": Fraction(1, 10**7)}
    gamma: Scalar

    @property
    def base(self) -> Separable:
        return FL()._with(gamma=self.gamma)


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
    tau: Scalar

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return -logp
