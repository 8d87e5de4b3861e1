"""Losses that the field has published beside the four papers, each defined once.

Sources are named as they are known here: where a paper's text was not at hand, ``source`` says so, and the formula was
derived or taken from public code. Curvature is what the comment beside it proves.
"""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from ..errors import InputError
from ..numbers.backends import Backend
from ..numbers.scalar import Scalar
from ..numbers.text import plain
from .base import CONCAVE, CONVEX, LINEAR, MIXED, Curvature, Loss, Separable, Term, class_count, sign_of_factor, total
from .domain import above, at_least, below, between
from .papers import AEL, CE, GCE, Unhinged

OPEN_UNIT = between(0, 1, low_closed=False, high_closed=False)

# ------------------------------------------------------------------------------------------------ between CE and MAE


class JS(Separable):
    """Jensen-Shannon: (H(m) - (1-pi1) H(u)) / Z, m = pi1 e_y + (1-pi1) u, 0 < pi1 < 1. Source: Englesson & Azizpour
    2021.

    H is the entropy and Z = -(1-pi1) log(1-pi1). It tends to CE as pi1 -> 0 and to MAE/2 as pi1 -> 1, each up to a
    factor. The terms
    of the other classes are 1 - u_y on the simplex, so the loss depends on u_y alone.
    """

    name, title = "js", "JS"
    formula = "1 - u_y + ((1-pi1) u_y log u_y - m log m) / Z, m = pi1 + (1-pi1) u_y, Z = -(1-pi1) log(1-pi1)"
    source = "Englesson & Azizpour, NeurIPS 2021 (text not at hand; derived from the definition)"
    note = "slope -inf at u_y = 0 for every pi1: asymmetric on no noise with w_n > 0, however near to MAE it is"
    domains: ClassVar = {"pi1": OPEN_UNIT}
    defaults: ClassVar = {"pi1": Fraction(1, 2)}
    main = "pi1"
    pi1: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        rest = 1 - self.pi1
        mixed = p * rest + self.pi1
        entropy = xp.xlogx(p, logp) * rest - mixed * xp.log(mixed)
        return 1 - p - entropy / (xp.log(rest) * rest)

    @property
    def steep_at_zero(self) -> bool:
        """Yes: the entropy of the mixture has a term u log u."""
        return True

    def curvature(self) -> Curvature:
        # l'' Z = rest/u - rest^2/(pi1 + rest u) = rest pi1 / (u (pi1 + rest u)) > 0, rest = 1 - pi1
        return CONVEX, LINEAR


class BiTempered(Separable):
    """Bi-tempered logistic: -log_t u_y - (1 - sum_k u_k^(2-t))/(2-t), 0 <= t < 1. Source: Amid et al. 2019.

    ``log_t x = (x^(1-t) - 1)/(1-t)``; t is t1 of the paper. The tempered softmax (t2) gives another u, but the
    simplex stays the domain,
    so verdicts do not depend on t2. t = 0 is MSE up to a factor, t -> 1 is CE.
    """

    name, title = "bi-tempered", "bi-tempered"
    formula = "(1 - u_y^(1-t))/(1-t) + (sum_k u_k^(2-t) - 1)/(2-t)"
    source = "Amid et al., NeurIPS 2019 (text not at hand; from public code)"
    note = "its slope in u_y is 0 at u_y = 1, so it is asymmetric on no noise with w_n > 0"
    domains: ClassVar = {"t": between(0, 1, low_closed=True, high_closed=False)}
    defaults: ClassVar = {"t": Fraction(4, 5)}
    main = "t"
    t: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return (1 - p ** (1 - self.t)) / (1 - self.t) + (p ** (2 - self.t) - 1) / (2 - self.t)

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p ** (2 - self.t) / (2 - self.t)

    @property
    def steep_at_zero(self) -> bool:
        """Is t > 0? The slope is 1 - u^-t next to 0, up to a factor."""
        return bool(self.t != 0)

    def curvature(self) -> Curvature:
        # active'' = t u^(-1-t) + (1-t) u^(-t) > 0, passive'' = (1-t) u^(-t) > 0
        return CONVEX, CONVEX


class AlphaLoss(Separable):
    """alpha-loss: order/(order-1) (1 - u_y^((order-1)/order)), order > 1. Source: Sypherd et al. 2022.

    It is GCE at q = 1 - 1/order; order is their alpha, a name that is taken here by coefficients. order -> 1 is CE,
    order -> inf unhinged.
    """

    name, title = "alpha-loss", "alpha-loss"
    formula = "(1 - u_y^q) / q, q = 1 - 1/order"
    source = "Sypherd et al. 2022 (text not at hand; GCE by its definition)"
    domains: ClassVar = {"order": above(1)}
    defaults: ClassVar = {"order": Fraction(2)}
    main = "order"
    order: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        q = 1 - 1 / self.order
        return (1 - p**q) / q

    @property
    def steep_at_zero(self) -> bool:
        """Yes: the slope is -u^(-1/order)."""
        return True

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR  # that of GCE at 0 < q < 1


class FisherRao(Separable):
    """Squared Fisher-Rao distance of u to e_y, up to a factor 4: arccos(sqrt u_y)^2.

    With u_y = cos(t)^2 it is t^2, and its slope is -2t/sin(2t): from -1 at u_y = 1 (that of CE and of 1 - u_y) to -inf at
    u_y = 0, where CE's is steeper still.
    """

    name, title = "fisher-rao", "Fisher-Rao"
    formula = "arccos(sqrt u_y)^2"
    source = "a Fisher-Rao loss for label noise (only an abstract was at hand; derived from the distance)"
    note = "slope -inf at u_y = 0, as CE: asymmetric on no noise with w_n > 0"

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        half = xp.number(Fraction(1, 2))
        return (
            xp.apply("atan", (1 - p) ** half / (p**half + 1)) ** 2 * 4
        )  # tan(t/2) = sin t / (1 + cos t): finite at both ends

    def curvature(self) -> Curvature:
        # l' = -2t/sin(2t) with u = cos(t)^2: x/sin x increases on (0, pi), and t falls as u grows, so l' increases
        return CONVEX, LINEAR


# ------------------------------------------------------------------------------------------------ with a threshold


class VCE(Separable):
    """AGCE in the limit q -> 0: log((1+a)/(u_y+a)), a > 0; c >= (1+a)/a. Source: VBL's VCE looks like it; ALF Cor. 1."""

    name, title = "vce", "VCE"
    formula = "log((1+a) / (u_y+a))"
    source = "the limit q -> 0 of AGCE (ALF Cor. 1); VCE of VBL, AAAI 2026, from a review (text not at hand)"
    domains: ClassVar = {"a": above(0)}
    defaults: ClassVar = {"a": Fraction(1)}
    main = "a"
    a: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return xp.log(self.a + 1) - xp.log(p + self.a)

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR  # l'' = (u+a)^-2


class VEL(AEL):
    """exp(-u_y/a), a > 0: the form of AEL; c >= exp(1/a), one over the ratio, which VBL calls the variation ratio."""

    name, title = "vel", "VEL"
    source = "VEL of VBL, AAAI 2026, from a review (text not at hand): the form of AEL (ALF Cor. 3)"


class VSL(Separable):
    """(a-u_y)^2 - (a-1)^2, a >= 1: the square loss made of bounded variation; c >= a/(a-1). AUL at p = 2, twice."""

    name, title = "vsl", "VSL"
    formula = "(a-u_y)^2 - (a-1)^2"
    source = "VSL of VBL, AAAI 2026 (text not at hand): the square loss with bounded slopes, AUL at p = 2 (ALF Cor. 2)"
    domains: ClassVar = {"a": at_least(1)}
    defaults: ClassVar = {"a": Fraction(2)}
    main = "a"
    a: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return (self.a - p) ** 2 - xp.power(self.a - 1, 2)

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR  # l'' = 2


class LogMixture(Separable):
    """-log(a + (1-a) u_y), 0 <= a < 1; c >= 1/a. At K = 2 a loss of preferences, -log((e^m + a)/(e^m + 1)) of the
    margin m.

    It is VCE at a/(1-a), less a constant: on flips of two answers at rate eta it needs a >= eta/(1-eta). a = 0 is CE
    (DPO).
    """

    name, title = "log-mixture", "log-mixture"
    formula = "-log(a + (1-a) u_y)"
    source = "Unbiased Alignment, ICML 2026 (text not at hand)"
    domains: ClassVar = {"a": between(0, 1, low_closed=True, high_closed=False)}
    defaults: ClassVar = {"a": Fraction(1, 2)}
    main = "a"
    a: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return -xp.log(p * (1 - self.a) + self.a)

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR  # l'' = (1-a)^2 / (a + (1-a) u)^2


class DAL(GCE):
    """GCE beyond q = 1: (1 - u_y^q)/q, q > 0; concave and asymmetric on all noises for q > 1. Source: DAL, its GCE
    part.

    DAL moves q from 0.6 to 1.5 over the epochs and bootstraps when q > 1; this is the loss at one q.
    """

    name, title = "dal", "DAL"
    source = "DAL, arXiv 2303.11562: its GCE part at one q (text not at hand)"
    domains: ClassVar = {"q": above(0)}
    defaults: ClassVar = {"q": Fraction(3, 2)}


class ClippedCE(Separable):
    """CE above a probability p0, its tangent below, 0 < p0 <= 1: PHuber-CE at tau = 1/p0. Source: OGC at a fixed threshold."""

    name, title = "ogc-ce", "OGC-CE"
    formula = "-log u_y if u_y > p0 else 1 - log p0 - u_y/p0"
    source = "OGC, AAAI 2025, at a fixed threshold (from public code, whose linear branch is this for CE)"
    domains: ClassVar = {"p0": between(0, 1, low_closed=False, high_closed=True)}
    defaults: ClassVar = {"p0": Fraction(1, 2)}
    main = "p0"
    kinks: ClassVar = {"p0": (1,)}
    p0: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return xp.split(p, self.p0, 1 - xp.log(self.p0) - p / self.p0, -logp)

    def curvature(self) -> Curvature:
        return sign_of_factor(1 - self.p0), LINEAR  # linear up to p0, CE above, the slope continuous


class ClippedGCE(Separable):
    """GCE above a probability p0, its tangent below, 0 < p0 <= 1, 0 < q < 1; c >= p0^(q-1). Source: OGC at a fixed
    threshold.

    Published code has the branch 1 - u/p0 + l(p0), which jumps in slope for GCE; the tangent here does not.
    """

    name, title = "ogc-gce", "OGC-GCE"
    formula = "(1 - u_y^q)/q if u_y > p0 else (1 - p0^q)/q - p0^(q-1) (u_y - p0)"
    source = "OGC, AAAI 2025, at a fixed threshold, with the tangent (published code's branch is not it)"
    domains: ClassVar = {"p0": between(0, 1, low_closed=False, high_closed=True), "q": OPEN_UNIT}
    defaults: ClassVar = {"p0": Fraction(1, 2), "q": Fraction(7, 10)}
    main = "p0"
    kinks: ClassVar = {"p0": (1,)}
    p0: Scalar
    q: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        start = xp.deficit(self.p0, xp.log(self.p0), self.q)
        tangent = start - (p - self.p0) * self.p0 ** (self.q - 1)
        return xp.split(p, self.p0, tangent, xp.deficit(p, logp, self.q))

    def curvature(self) -> Curvature:
        return sign_of_factor(1 - self.p0), LINEAR


class ClippedFL(Separable):
    """Focal loss above a probability p0, its tangent below, 0 < p0 < 1, gamma >= 0. Source: OGC at a fixed threshold.

    Published code has another linear branch, which jumps in slope; the tangent here does not. gamma = 0 is OGC-CE.
    """

    name, title = "ogc-fl", "OGC-FL"
    formula = "-(1-u_y)^gamma log u_y if u_y > p0 else its tangent at p0"
    source = "OGC, AAAI 2025, at a fixed threshold, with the tangent (published code's branch is not it)"
    note = "its slope at u_y = 1 is 0 for gamma > 0, so clipping alone makes it asymmetric on no noise with w_n > 0"
    domains: ClassVar = {"p0": OPEN_UNIT, "gamma": at_least(0)}
    defaults: ClassVar = {"p0": Fraction(1, 2), "gamma": Fraction(1, 2)}
    p0: Scalar
    gamma: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        rest, log = 1 - self.p0, xp.log(self.p0)
        slope = xp.power(rest, self.gamma - 1) * log * self.gamma - rest**self.gamma / self.p0
        tangent = (p - self.p0) * slope - rest**self.gamma * log
        return xp.split(p, self.p0, tangent, -((1 - p) ** self.gamma * logp))

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR  # linear up to p0, the focal loss above, the slope continuous


class TruncatedGCE(Separable):
    """GCE cut off at a probability k: (1 - max(u_y, k)^q)/q, 0 < k < 1, 0 < q <= 1. Source: Zhang & Sabuncu 2018,
    Sec. 3.3.

    The paper weighs and prunes samples besides: ``reduction="none"`` gives the values to weigh.
    """

    name, title = "truncated-gce", "truncated GCE"
    formula = "(1 - max(u_y, k)^q) / q"
    source = "Zhang & Sabuncu, NeurIPS 2018 (text not at hand)"
    note = "flat up to k, so neither convex nor concave"
    domains: ClassVar = {"k": OPEN_UNIT, "q": between(0, 1, low_closed=False, high_closed=True)}
    defaults: ClassVar = {"k": Fraction(1, 2), "q": Fraction(7, 10)}
    kinks: ClassVar = {"k": (Fraction(1, 2),)}
    k: Scalar
    q: Scalar

    @property
    def gentle_at_vertex(self) -> bool:
        return True  # the slope at 1 is -1

    @property
    def least_at_vertex(self) -> bool:
        """From k = 1/2 on one entry at most exceeds k, and gains most at 1 and for the largest weight."""
        return bool(self.k >= Fraction(1, 2))

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        flat = xp.deficit(self.k, xp.log(self.k), self.q)
        return xp.split(p, self.k, p * 0 + flat, xp.deficit(p, logp, self.q))

    def curvature(self) -> Curvature:
        return MIXED, LINEAR  # the slope falls from 0 to -k^(q-1) at k, and rises after it


class LogitBiasMAE(Separable):
    """MAE with eps >= 0 added to the label's logit: 2 (1-u_y)/(1 + (e^eps - 1) u_y); c >= exp(2 eps). Source: Staats et al."""

    name, title = "logit-bias-mae", "MAE + logit bias"
    formula = "2 (1 - u_y) / (1 + (e^eps - 1) u_y)"
    source = "Staats et al., AAAI 2025 (arXiv 2306.05497; only an abstract was at hand)"
    domains: ClassVar = {"eps": at_least(0)}
    defaults: ClassVar = {"eps": Fraction(1)}
    main = "eps"
    kinks: ClassVar = {"eps": (0,)}
    eps: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return (1 - p) * 2 / (p * (xp.exp(self.eps) - 1) + 1)

    def curvature(self) -> Curvature:
        return sign_of_factor(self.eps), LINEAR  # l'' = 4 c (1+c) / (1 + c u)^3, c = e^eps - 1


class LogitBiasCE(Separable):
    """CE with eps added to the label's logit: log(1 + (e^eps - 1) u_y) - eps - log u_y, eps >= 0. Source: Staats et al. 2025."""

    name, title = "logit-bias-ce", "CE + logit bias"
    formula = "log(1 + (e^eps - 1) u_y) - eps - log u_y"
    source = "Staats et al., AAAI 2025 (arXiv 2306.05497; only an abstract was at hand)"
    note = "slope -inf at u_y = 0, as CE: asymmetric on no noise with w_n > 0"
    domains: ClassVar = {"eps": at_least(0)}
    defaults: ClassVar = {"eps": Fraction(1)}
    main = "eps"
    eps: Scalar
    pole: ClassVar = (1, 0)

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        least = xp.exp(-self.eps)  # log(1 + (e^eps - 1) p) - eps, without two large numbers that cancel
        return xp.log(p * (1 - least) + least) - logp

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR  # l'' = 1/u^2 - c^2/(1 + c u)^2 > 0, as 1 + c u > c u, c = e^eps - 1 >= 0

    def without_pole(self) -> Separable:
        return _BiasOfLogit(self.eps)


class _BiasOfLogit(Separable):
    """What is left of CE with a biased logit without its -log u_y; it rises with u_y."""

    name, title = "logit-bias-ce-without-log", "CE + logit bias - CE"
    formula = "log(1 + (e^eps - 1) u_y) - eps"
    source = "Staats et al. 2025"
    domains: ClassVar = {"eps": at_least(0)}
    defaults: ClassVar = {"eps": Fraction(1)}
    eps: Scalar

    def __init__(self, eps: Scalar) -> None:
        self._set({"eps": eps})

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        least = xp.exp(-self.eps)
        return xp.log(p * (1 - least) + least)

    def curvature(self) -> Curvature:
        return sign_of_factor(-self.eps), LINEAR


class DFT(Unhinged):
    """-sg(u_y) log u_y of language models (sg stops the gradient): its gradient is that of 1 - u_y, half of MAE's.

    As a loss it is the unhinged loss; the value that code reports, -u log u, is not what is minimised.
    """

    name, title = "dft", "DFT"
    formula = "1 - u_y (its gradient; reported as -u_y log u_y)"
    source = '`loss_type="dft"` of TRL (read in its source): sg(u) (-log u) has the gradient -du, that of MAE/2'


# ------------------------------------------------------------------------------------------------ with every class


class SR(Separable):
    """CE plus lam ||u||_p^p, 0 < p < 1, lam p <= 1, of sharpened probabilities u = softmax(z/tau). Source: Zhou et
    al. 2021.

    Sharpening by tau changes u, not the simplex, so verdicts do not depend on it. The paper lets lam grow by the epoch.
    """

    name, title = "sr", "SR"
    formula = "-log u_y + lam sum_k u_k^p"
    source = "Sparse Regularization, ICCV 2021 (from public code)"
    domains: ClassVar = {"lam": above(0), "p": OPEN_UNIT}
    defaults: ClassVar = {"lam": Fraction(11, 10), "p": Fraction(1, 10)}
    main = "lam"
    lam: Scalar
    p: Scalar
    pole: ClassVar = (1, 0)

    def __init__(self, **parameters: Scalar) -> None:
        super().__init__(**parameters)
        if self.lam * self.p > 1:
            raise InputError(
                f"sr: lam p = {plain(self.lam * self.p)} is above 1: the loss would increase in u_y next to 1"
            )

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p**self.p * self.lam - logp

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p**self.p * self.lam

    def curvature(self) -> Curvature:
        # active'' u^2 = 1 - lam p (1-p) u^p > 0 where lam p (1-p) < 1; passive'' = -lam p (1-p) u^(p-2) < 0
        return (CONVEX if sign_of_factor(1 - self.lam * self.p * (1 - self.p)) == 1 else MIXED), CONCAVE

    def without_pole(self) -> Separable:
        """The p-norm alone, concave."""
        return Sparsity()._with(lam=self.lam, p=self.p)


class Sparsity(Separable):
    """lam sum_k u_k^p, 0 < p < 1: the same for every label. A part of SR, not a loss by itself."""

    name, title = "sparsity", "sparsity"
    formula = "lam sum_k u_k^p"
    source = "a part of SR"
    domains: ClassVar = {"lam": above(0), "p": OPEN_UNIT}
    defaults: ClassVar = {"lam": Fraction(11, 10), "p": Fraction(1, 10)}
    lam: Scalar
    p: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p**self.p * self.lam

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return p**self.p * self.lam

    def curvature(self) -> Curvature:
        return CONCAVE, CONCAVE


class Spread(Separable):
    """-sum_k log u_k: the cross entropy of all classes. A part of label smoothing, not a loss by itself."""

    name, title = "spread", "spread"
    formula = "-sum_k log u_k"
    source = "a part of label smoothing"
    pole: ClassVar = (1, 1)

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return -logp

    def passive(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return -logp

    def curvature(self) -> Curvature:
        return CONVEX, CONVEX


class Logarithms(Loss):
    """``own(K) CE(u, y) + every(K) sum_k CE(u, k)``: label smoothing and the two-sided losses of preferences."""

    def shares(self, K: Scalar) -> tuple[Scalar, Scalar]:
        """(own, every): the coefficients on K classes, in the numbers of the parameters."""
        raise NotImplementedError(f"{type(self).__name__} does not define shares()")

    def parts(self, K: Scalar) -> tuple[Term, ...]:
        own, every = self.shares(K)
        return tuple((c, atom) for c, atom in ((own, CE()), (every, Spread())) if not _is_nothing(c))

    def labels(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        own, every = self.shares(class_count(p))
        return -(logp * own) - total(logp) * every


def _is_nothing(coefficient: Scalar) -> bool:
    return isinstance(coefficient, (int, float, Fraction)) and coefficient == 0


class LabelSmoothing(Logarithms):
    """Label smoothing: (1-r) CE(u, y) + (r/K) sum_k CE(u, k), r < 1; negative r is NLS. Source: Szegedy et al.
    2016; Wei et al. 2022.

    For r > 0 the minimiser lies inside the simplex, without any noise. For r < 0 the loss is unbounded below as some
    u_k -> 0.
    """

    name, title = "label-smoothing", "label smoothing"
    formula = "(1-r) CE(u, y) + (r/K) sum_k CE(u, k)"
    source = "Szegedy et al. 2016; r < 0: Wei et al. 2022 (texts not at hand)"
    domains: ClassVar = {"r": below(1)}
    defaults: ClassVar = {"r": Fraction(1, 10)}
    main = "r"
    kinks: ClassVar = {"r": (0,)}
    r: Scalar

    def shares(self, K: Scalar) -> tuple[Scalar, Scalar]:
        return 1 - self.r, self.r / K


class ConservativeDPO(Logarithms):
    """(1-e) CE(u, y) + e/(K-1) sum_{k != y} CE(u, k), 0 <= e < 1/2; at K = 2 conservative DPO: label smoothing at r = e K/(K-1)."""

    name, title = "cdpo", "cDPO"
    formula = "(1-e) CE(u, y) + e/(K-1) sum_{k != y} CE(u, k)"
    source = "conservative DPO (K = 2), from public code; u is the sigmoid of the margin of the rewards"
    domains: ClassVar = {"e": between(0, Fraction(1, 2), low_closed=True, high_closed=False)}
    defaults: ClassVar = {"e": Fraction(1, 10)}
    main = "e"
    e: Scalar

    def shares(self, K: Scalar) -> tuple[Scalar, Scalar]:
        every = self.e / (K - 1)
        return 1 - self.e - every, every


class RobustDPO(Logarithms):
    """(CE(u, y) - e/(K-1) sum_k CE(u, k)) / (1 - e K/(K-1)), 0 <= e < 1/2; at K = 2 robust DPO.

    It is CE corrected backwards for symmetric noise at rate e: on that noise its risk is the clean risk of CE. It is
    unbounded below, at K = 2 as u_y -> 1.
    """

    name, title = "rdpo", "rDPO"
    formula = "(CE(u, y) - e/(K-1) sum_k CE(u, k)) / (1 - e K/(K-1))"
    source = "robust DPO (K = 2), from public code; backward correction of CE: Patrini et al. 2017"
    note = "unbounded below: at K = 2 as u_y -> 1, so its minimising sequences tend to e_m exactly where e >= eta"
    domains: ClassVar = {"e": between(0, Fraction(1, 2), low_closed=True, high_closed=False)}
    defaults: ClassVar = {"e": Fraction(1, 10)}
    main = "e"
    e: Scalar

    def shares(self, K: Scalar) -> tuple[Scalar, Scalar]:
        every = self.e / (K - 1)
        whole = 1 - self.e - every
        return 1 / whole, -every / whole


NEWER: tuple[type[Loss], ...] = (
    JS, BiTempered, AlphaLoss, FisherRao, VCE, VEL, VSL, LogMixture, DAL, ClippedCE, ClippedGCE, ClippedFL, TruncatedGCE,
    LogitBiasMAE, LogitBiasCE, DFT, SR, LabelSmoothing, ConservativeDPO, RobustDPO,
)  # fmt: skip

# What people ask for by name and is not a loss L(u, y) of one prediction and one label, with what it is.
ELSEWHERE: dict[str, str] = {
    "gjs": "GJS compares predictions for several views with the label (in torch: build_loss('gjs')); js is its loss of one view",
    "elr": "ELR adds a penalty towards a running average of the network's own past predictions: a procedure over epochs",
    "co-teaching": "co-teaching trains two networks that select samples for each other: a procedure with any loss",
    "dividemix": "DivideMix splits the samples by a mixture model and trains semi-supervised: a procedure",
    "divide-mix": "DivideMix splits the samples by a mixture model and trains semi-supervised: a procedure",
    "coteaching": "co-teaching trains two networks that select samples for each other: a procedure with any loss",
    "co-teaching+": "co-teaching+ trains two networks on samples on which they disagree: a procedure with any loss",
    "jocor": "JoCoR trains two networks that agree, and selects samples: a procedure with any loss",
    "mixup": "mixup averages two samples and their labels: a procedure with any loss of the mixed label",
    "sop": "SOP learns a sparse term for every sample's label: a procedure over the training set",
    "cores": "CORES selects samples epoch by epoch with a regulariser of confidence: a procedure",
    "volminnet": "VolMinNet learns a transition matrix of least volume together with the network: a procedure",
    "peer": "peer loss subtracts the loss of an independently drawn pair: it compares two samples, not one with its label",
    "simpo": "SimPO changes the margin (length-normalised, with a target); its loss of the margin is ce at K = 2",
    "ipo": "IPO asks for one margin, (m - 1/(2 beta))^2: it does not decrease in u, so its minimiser is never a vertex",
    "mentornet": "MentorNet weighs samples by a second network: a procedure with any loss",
    "forward": "forward correction multiplies u by a transition matrix before CE: it depends on the matrix, not on a parameter",
    "backward": "backward correction of CE for symmetric noise is rdpo here (any K); another matrix leaves no parameter",
    "t-revision": "T-revision learns a transition matrix together with the network: a procedure",
    "f-divergence": "f-divergence losses are variational, a maximum over a second function; total variation is unhinged",
    "ce-truncated": "loss truncation drops samples by the quantile of their loss in a batch: a selection of samples",
    "lc": "logit clipping is logitclip-ce here",
    "phuber": "the partially Huberised loss is phuber-ce here",
    "fcl": "FCL is defined by a fractional derivative whose order is learned (only an abstract was at hand)",
}
