"""The core's definition of every loss on torch tensors, in log-softmax space: what the fused versions are held to.

A loss of the core is written in plain operators over a namespace and receives ``p`` beside ``log p``. Here ``p`` is a
``Monomial``: ``c u^a (1 - u)^b`` kept as numbers and exponents, evaluated from ``log u`` and ``log (1 - u)`` when it
must be. So ``p ** 0.7`` at ``p = e^-200`` is ``e^-140``, the slope of ``(1 - p) ** 0.1`` at ``p = 1 - e^-200`` is finite, and no
clamp is needed: the gradient of every loss at every finite logit is the limit that the definition has.

Torch differentiates these lines, any number of times. ``fused`` computes the same by hand.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from numbers import Real

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from asymtheory.losses import FL, LogitClipCE, Loss, Normalised, NormalisedNegative, Separable, total
from asymtheory.losses.formula import Formula
from asymtheory.numbers.backends import ELEMENTARY, Backend
from asymtheory.numbers.scalar import Scalar

ABSENT = -1e30
"""The logit of a class that is not there: sums over all classes of a vocabulary stay finite in float32."""
STEEPEST = {torch.float32: 1e18, torch.float64: 1e150}
"""The largest slope of a formula at an entry: squares of it, as in the norm of a gradient, are finite."""


class Probabilities:
    """A tensor of probabilities ``u``, held as ``log u`` and ``log (1 - u)``."""

    def __init__(self, logu: Tensor, log_rest: Tensor) -> None:
        self.logu = logu
        self.log_rest = log_rest

    def power(self, exponent: float) -> Tensor:
        """``u ** exponent``."""
        return torch.exp(self.logu * exponent)

    def rest_power(self, exponent: float) -> Tensor:
        """``(1 - u) ** exponent``."""
        return torch.exp(self.log_rest * exponent)

    def log(self, a: float, b: float) -> Tensor:
        """``a log u + b log (1 - u)``."""
        return self.logu * a + self.log_rest * b if b else self.logu * a


class Monomial:
    """``c u^a (1 - u)^b`` at the probabilities u of a point; arithmetic that leaves this form gives tensors.

    Products, quotients and powers add exponents, ``1 - u`` and ``1 - (1 - u)`` are recognised, and ``a - u`` for a little
    above 1 is ``(a - 1) + (1 - u)``, so nothing cancels next to u = 1.
    """

    __slots__ = ("_value", "a", "at", "b", "c")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, at: Probabilities, c: float = 1.0, a: float = 1.0, b: float = 0.0) -> None:
        self.at, self.c, self.a, self.b = at, c, a, b
        self._value: Tensor | None = None

    def tensor(self) -> Tensor:
        """The values."""
        if self._value is None:
            if self.a:
                value = self.at.power(self.a)
                if self.b:
                    value = value * self.at.rest_power(self.b)
            elif self.b:
                value = self.at.rest_power(self.b)
            else:
                value = torch.ones_like(self.at.logu)
            self._value = value if self.c == 1 else value * self.c
        return self._value

    def log(self) -> Tensor:
        if self.c <= 0:
            return torch.log(self.tensor())
        log = self.at.log(self.a, self.b)
        return log if self.c == 1 else log + math.log(self.c)

    @property
    def shape(self) -> torch.Size:
        return self.at.logu.shape

    def sum(self, *arguments: Scalar, **options: Scalar) -> Tensor:
        return self.tensor().sum(*arguments, **options)

    def __neg__(self) -> Monomial:
        return Monomial(self.at, -self.c, self.a, self.b)

    def __mul__(self, other: Scalar) -> Scalar:
        if isinstance(other, Monomial):
            return Monomial(self.at, self.c * other.c, self.a + other.a, self.b + other.b)
        if isinstance(other, Real):
            if other == 1:
                return self
            scaled = Monomial(self.at, self.c * float(other), self.a, self.b)
            if self._value is not None:  # powers are dear, a factor is not
                scaled._value = self._value * float(other)
            return scaled
        return self.tensor() * other if isinstance(other, Tensor) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: Scalar) -> Scalar:
        if isinstance(other, Monomial):
            return self * other._inverse()
        if isinstance(other, Real):
            return Monomial(self.at, self.c / float(other), self.a, self.b)
        return self.tensor() / other if isinstance(other, Tensor) else NotImplemented

    def __rtruediv__(self, other: Scalar) -> Scalar:
        return self._inverse() * other

    def _inverse(self) -> Monomial:
        return Monomial(self.at, 1 / self.c, -self.a, -self.b)

    def __pow__(self, exponent: Scalar) -> Scalar:
        if isinstance(exponent, Real) and self.c > 0:
            e = float(exponent)
            return Monomial(self.at, self.c**e, self.a * e, self.b * e)
        return (
            self.tensor() ** as_tensor(exponent) if isinstance(exponent, Tensor | Monomial | Real) else NotImplemented
        )

    def __rpow__(self, base: Scalar) -> Tensor:
        return base ** self.tensor()

    def __add__(self, other: Scalar) -> Scalar:
        if isinstance(other, Real):
            if other == 0:
                return self
            if self.c < 0 and (self.a, self.b) in ((1, 0), (0, 1)) and -self.c <= float(other) < -2 * self.c:
                rest = Monomial(self.at, -self.c, self.b, self.a)  # x - c u = (x - c) + c (1 - u)
                return rest if other == -self.c else rest.tensor() + (float(other) + self.c)
            return self.tensor() + float(other)
        return self.tensor() + as_tensor(other) if isinstance(other, Tensor | Monomial) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Scalar) -> Scalar:
        return self + (-other)

    def __rsub__(self, other: Scalar) -> Scalar:
        return (-self) + other

    def __eq__(self, other: Scalar) -> Scalar:
        return self.tensor() == as_tensor(other)

    def __le__(self, other: Scalar) -> Scalar:
        return self.tensor() <= as_tensor(other)

    def __lt__(self, other: Scalar) -> Scalar:
        return self.tensor() < as_tensor(other)

    def __ge__(self, other: Scalar) -> Scalar:
        return self.tensor() >= as_tensor(other)

    def __gt__(self, other: Scalar) -> Scalar:
        return self.tensor() > as_tensor(other)


def as_tensor(x: Scalar) -> Scalar:
    """A monomial's values; tensors and numbers pass."""
    return x.tensor() if isinstance(x, Monomial) else x


def _log(x: Scalar) -> Scalar:
    if isinstance(x, Monomial):
        return x.log()
    if isinstance(x, Tensor):
        return torch.log(x)
    return math.log(x) if x > 0 else -math.inf


def _exp(x: Scalar) -> Scalar:
    x = as_tensor(x)
    return torch.exp(x) if isinstance(x, Tensor) else math.exp(x)


def _elementary(name: str, x: Scalar) -> Scalar:
    """sinh, cosh, tanh, asin, acos, atan of a tensor or number."""
    if name in ("asin", "acos"):
        return _angle(name, x)
    x = as_tensor(x)
    return getattr(torch, name)(x) if isinstance(x, Tensor) else getattr(math, name)(x)


def _angle(name: str, x: Scalar) -> Scalar:
    """asin or acos, with the gradient that it has next to u = 0 and 1, where its slope is infinite and that of u vanishes."""
    if isinstance(x, Monomial) and (x.c, x.a, x.b) in ((1, 0.5, 0), (1, 0, 0.5)):  # sqrt(u), sqrt(1 - u)
        side, base = Monomial(x.at, 1.0, x.b, x.a).tensor(), x.tensor()
        return torch.atan2(side, base) if name == "acos" else torch.atan2(base, side)
    if isinstance(x, Monomial) and (x.c, x.a, x.b) in ((1, 1, 0), (1, 0, 1)):  # acos(1 - t) = 2 asin(sqrt(t/2))
        angle = 2 * torch.asin((Monomial(x.at, 1.0, x.b, x.a) ** 0.5).tensor() * math.sqrt(0.5))
        return angle if name == "acos" else math.pi / 2 - angle
    x = as_tensor(x)
    if not isinstance(x, Tensor):
        return getattr(math, name)(x)
    function = getattr(torch, name)
    least = 1 - torch.finfo(x.dtype).eps
    inside = function(x.clamp(-least, least))
    return inside + (function(x) - inside).detach()


def _power(x: Scalar, exponent: Scalar) -> Scalar:
    return x**exponent


def _split(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
    return torch.where(as_tensor(x) <= as_tensor(cut), as_tensor(below), as_tensor(above))


# Numbers of a loss are Python floats, so a loss on this namespace lives on every device.
TORCH = Backend(
    "torch",
    float,
    _log,
    _exp,
    _power,
    split=_split,
    functions={name: partial(_elementary, name) for name in ELEMENTARY},
    xlogx=lambda x, logx: x * logx,
)


def precision(logits: Tensor) -> torch.dtype:
    """The type that a loss is computed in: float64 for float64 logits, else float32."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def wide(logits: Tensor) -> Tensor:
    """Logits in the type that a loss is computed in."""
    return logits.to(precision(logits))


def present(logits: Tensor) -> Tensor:
    """Logits whose -inf, the mark of a class that is not there, is a number so low that losses have their limits.

    The gradient is 0 there. A row of -inf alone is uniform.
    """
    return torch.where(logits == -math.inf, ABSENT, logits)


def probabilities(logits: Tensor) -> Probabilities:
    """Softmax over the last axis as ``log u`` and ``log (1 - u)``, both to full relative precision, for K >= 2.

    The likeliest class is the only one whose ``1 - u`` can be lost to rounding, so it is taken from the other classes.
    """
    logits = present(logits)
    top = logits.argmax(-1, keepdim=True)
    shifted = logits - logits.gather(-1, top)  # first: a sum with logits of 1e30 would lose the others
    odds = torch.logsumexp(
        shifted.scatter(-1, top, -math.inf), -1, keepdim=True
    )  # log odds against the likeliest class
    logu = shifted - softplus(odds)
    is_top = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, top, True)
    at_most_half = torch.where(is_top, -1.0, logu)  # where() differentiates both branches: keep log(0) out
    log_rest = torch.where(is_top, logsigmoid(odds), torch.log1p(-torch.exp(at_most_half)))
    return Probabilities(logu, log_rest)


def clipped(logits: Tensor, tau: float) -> Tensor:
    """Logits scaled to a Euclidean norm of at most ``tau``: the domain of ``logitclip-ce``."""
    z = present(logits)
    unit = unit_of(z)
    z = z / unit
    squares = (z * z).sum(-1, keepdim=True)
    return z * (tau * torch.rsqrt(squares.clamp_min((tau / unit) ** 2)))


def unit_of(logits: Tensor) -> Tensor:
    """What rows (n, K) are divided by before they are squared, (n, 1): 1, or the largest entry where its square may overflow."""
    largest = logits.detach().abs().amax(-1, keepdim=True)
    return torch.where(largest > 1e15, largest, 1.0)


def is_focal(loss: Loss) -> bool:
    """Is the loss FL, or a normalised loss on it, so that it has a modulating factor?"""
    return isinstance(loss, FL) or isinstance(getattr(loss, "base", None), FL)


# ----------------------------------------------------------------------------------- formulas that leave the numbers


def held(at: Probabilities, atom: Loss) -> Probabilities:
    """Probabilities at which a formula is computed: beyond its :func:`ends` they stay there, and keep the slope of log u.

    So ``1/u`` at u = e^-1000 has the value and the slope that it has where they are the largest that can be used.
    """
    if not may_leave(atom):
        return at
    low, high = ends(atom, at.logu.dtype)
    logu, log_rest = at.logu, at.log_rest
    if low > -math.inf:
        logu = torch.where(at.logu < low, _slanted(low, at.logu), logu)
    if high > -math.inf:
        beyond = at.log_rest < high
        logu = torch.where(beyond, _slanted(math.log1p(-math.exp(high)), at.logu), logu)
        log_rest = torch.where(beyond, _slanted(high, at.log_rest), log_rest)
    return Probabilities(logu, log_rest)


def _floored_at_tiny(at: Probabilities) -> Probabilities:
    """Probabilities that are no less than the smallest float, with the slope that they have there: sums of them keep one."""
    low = 0.9 * math.log(torch.finfo(at.logu.dtype).tiny)
    return Probabilities(torch.where(at.logu < low, _slanted(low, at.logu), at.logu), at.log_rest)


def _slanted(value: float, x: Tensor) -> Tensor:
    """A constant with the slope of x."""
    return value + (x - x.detach())


def may_leave(atom: Loss) -> bool:
    """Is the atom a formula of a user's? The registered losses are finite, and have finite slopes, at all floats."""
    return isinstance(atom, Formula) and not any(isinstance(x, Tensor) for x in atom.parameters.values())


@lru_cache(maxsize=256)
def ends(atom: Formula, dtype: torch.dtype) -> tuple[float, float]:
    """The least log u and log (1 - u) to which the values of a formula are finite and its slopes at most STEEPEST; else -inf."""
    return _end(atom, dtype, False), _end(atom, dtype, True)


def _end(atom: Formula, dtype: torch.dtype, at_one: bool) -> float:
    with torch.inference_mode(False), torch.enable_grad():
        depth = torch.cat([torch.arange(0.25, 2000, 0.25), torch.logspace(3.5, 30, 300)]).to(dtype)
        log = (-depth).requires_grad_()
        other = torch.log(-torch.expm1(log))
        at = Probabilities(other, log) if at_one else Probabilities(log, other)
        usable = torch.ones_like(depth, dtype=torch.bool)
        for side in (atom.on(TORCH).active, atom.on(TORCH).passive):
            value = as_tensor(side(Monomial(at), at.logu, TORCH))
            if isinstance(value, Tensor) and value.requires_grad:
                (slope,) = torch.autograd.grad(value.sum(), log, retain_graph=True)
                usable &= value.isfinite() & (slope.abs() <= STEEPEST[dtype])  # False for NaN
    if bool(usable.all()):
        return -math.inf
    return -float(depth[max(int(usable.int().argmin()) - 1, 0)])


def label_losses(loss: Loss, logits: Tensor, *, detach_modulation: bool = False, inward: bool = True) -> Tensor:
    """``L(softmax(logits), k)`` for every label k: (..., K) in, (..., K) out, float32 at least, differentiable.

    ``detach_modulation`` takes the factor ``(1 - u)^gamma`` of FL, NFL and NNFL for a constant in the gradient. ``inward``
    is explained in ``_floored``.
    """
    z = wide(logits)
    at = probabilities(z)
    result: Scalar = 0
    for coefficient, each in loss.at(z.shape[-1]).terms():
        atom = each.on(TORCH)
        if isinstance(atom, LogitClipCE):
            value = atom.labels(None, probabilities(clipped(z, atom.tau)).logu, TORCH)
        elif isinstance(atom, NormalisedNegative):
            value = _floored(atom, at, detach_modulation and is_focal(atom), inward)
        else:
            own = _floored_at_tiny(at) if each.joint else held(at, each)
            value = atom.labels(_probability(own, detach_modulation and is_focal(atom)), own.logu, TORCH)
        result = result + as_tensor(value) * float(coefficient)
    return result


class _Softmax(Probabilities):
    """Softmax over the last axis, or at one entry of it, whose ``log (1 - u)`` is computed where a term asks for it.

    Written out, for torch's own softmax is slow where the last axis is short, or is not the one that lies together in memory.
    """

    def __init__(self, logits: Tensor, labels: Tensor | None = None) -> None:
        self.logits, self.labels = logits, labels
        shifted = logits - logits.detach().amax(-1, keepdim=True)
        self.logu = shifted - shifted.exp().sum(-1, keepdim=True).log()

    def at(self, labels: Tensor) -> _Softmax:
        """The entries at labels (..., 1)."""
        found = object.__new__(_Softmax)
        found.logits, found.labels, found.logu = self.logits, labels, self.logu.gather(-1, labels)
        return found

    @property
    def log_rest(self) -> Tensor:  # type: ignore[override]
        if self.labels is None:
            return probabilities(self.logits).log_rest
        others = self.logits.scatter(-1, self.labels, -math.inf)
        return torch.logsumexp(others, -1, keepdim=True) - torch.logsumexp(self.logits, -1, keepdim=True)


def given_losses(loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """``L(softmax(logits), labels)``: (..., K) and int64 (...) in, (...) out, differentiable in the logits.

    The losses of :func:`label_losses` at one label each. A term of u_y alone is computed there alone, so this takes a fraction of
    the operations.
    """
    z, y = present(wide(logits)), labels[..., None]
    every = _Softmax(z)
    own = every.at(y)
    result: Scalar = 0
    for coefficient, atom in loss.at(z.shape[-1]).terms():
        here = atom.on(TORCH)
        if isinstance(here, Separable) and not may_leave(atom):
            value = here.active(Monomial(own), own.logu, TORCH)
            other = here.passive(Monomial(every), every.logu, TORCH)
            if not isinstance(other, int):
                value = as_tensor(value) + total(other) - as_tensor(here.passive(Monomial(own), own.logu, TORCH))
            value = as_tensor(value) * float(here.scale(z.shape[-1]))
        elif isinstance(here, Normalised):
            base = here.base.on(TORCH)
            assert isinstance(base, Separable)
            whole = total(base.active(Monomial(every), every.logu, TORCH))
            value = as_tensor(base.active(Monomial(own), own.logu, TORCH)) / whole
        else:
            value = label_losses(atom, z).gather(-1, y)
        result = result + as_tensor(value) * float(coefficient)
    return result[..., 0]


def _probability(at: Probabilities, constant: bool) -> Monomial:
    return Monomial(Probabilities(at.logu.detach(), at.log_rest.detach()) if constant else at)


def _floored(atom: NormalisedNegative, at: Probabilities, constant: bool, inward: bool) -> Tensor:
    """NNCE and NNFL on the whole simplex: below ``p_min``, the end of their domain, a probability counts as ``p_min``.

    The value there is the limit at p_min, and so flat. With ``inward`` the label's own entry keeps the slope that it has
    at p_min: a label that the model finds impossible is still pulled back to the domain, where published code (the clamp,
    ``inward=False``) has an exactly zero gradient.
    """
    p_min = float(atom.p_min)
    floor = math.log(p_min)
    below = at.logu < floor
    flat = Probabilities(at.logu.masked_fill(below, floor), at.log_rest.masked_fill(below, math.log1p(-p_min)))
    each = atom.flipped(_probability(flat, constant), flat.logu, TORCH)
    own = each
    if inward:
        edge = _slanted(floor, at.logu)
        logu = torch.where(below, edge, at.logu)
        slanted = Probabilities(logu, torch.where(below, torch.log1p(-torch.exp(edge)), at.log_rest))
        own = atom.flipped(_probability(slanted, constant), slanted.logu, TORCH)
    return 1 - own / total(each)
