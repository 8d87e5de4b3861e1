"""The Student loss, "LT" (Zhang et al. 2024): classes as Student distributions around learned means, with a margin for the label.

A :class:`StudentHead` replaces the last linear layer of a network. Features f are scaled to unit norm; the logit of class k
is the logarithm of a density around its mean mu_k with nu_k degrees of freedom, both learned. With D_k = ||f - mu_k||^2:

    z_k = c_k - h_k log(1 + D_k / nu_k)

The largest logit is the prediction, so no label is needed. :class:`StudentLoss` goes around any loss on logits: it multiplies the
label's D_y by 1 + margin before the loss sees it and adds centre / 2 times the mean of D_y. Both are functions of z_y alone, for
D_y = nu_y (e^t - 1) with t = (c_y - z_y) / h_y, and so e^t - 1 = D_y / nu_y:

    z_y  becomes  z_y - h_y log(1 + margin D_y / (nu_y + D_y))

``density`` tells two readings apart. "student" is the density of the d-dimensional Student distribution, h = (nu + d) / 2, and
softmax(z) the posterior of equally frequent classes. "published" is what the authors' code computes: log d where that has d, no
power of pi, and the loss gets the densities themselves, scaled to Euclidean norm 1, as its logits. docs/baselines.md has more.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError, nearest
from asymtheory.losses.domain import at_least
from asymtheory.numbers.scalar import Scalar

from .baselines import BaselineLoss
from .reference import precision, wide

DENSITIES = ("published", "student")
LEAST_DEGREES = 0.1  # of freedom, under the learned square; as in the authors' code


class StudentHead(nn.Module):
    """Log densities (N, K) of features (N, d) around the means of K classes; ``density`` is "published" or "student".

    They are computed in float32 at least, in and out of autocast. Means and degrees of freedom start at random as in the authors'
    code: Xavier uniform. Raises InputError for another density, sizes that are not whole numbers, and features of another d.
    Source: Zhang et al. 2024 (TPAMI), and its code.
    """

    def __init__(self, features: int, classes: int, density: str = "published") -> None:
        super().__init__()
        for name, value, least in (("features", features, 1), ("classes", classes, 2)):
            if not isinstance(value, int) or value < least:
                raise InputError(f"StudentHead: {name} = {value!r}: a whole number >= {least} is needed")
        if density not in DENSITIES:
            hint = nearest(str(density), DENSITIES)
            raise InputError(f"StudentHead: density {density!r} is not one of {', '.join(DENSITIES)}{hint}")
        self.density = density
        self.means = nn.Parameter(nn.init.xavier_uniform_(torch.empty(classes, features)))
        self.raw_degrees = nn.Parameter(nn.init.xavier_uniform_(torch.empty(classes, 1))[:, 0])

    def forward(self, features: Tensor) -> Tensor:
        d = self.means.shape[1]
        if features.dim() != 2 or features.shape[1] != d:
            raise InputError(f"StudentHead: features (N, {d}) are needed, got {tuple(features.shape)}")
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 would lose distances below 0.01
            f, means = _directions(wide(features)), _directions(wide(self.means))
            distances = f.square().sum(1, keepdim=True) - 2 * f @ means.T + means.square().sum(1)
            nu, h, c = self.constants()
            return c - h * torch.log1p(distances / nu)

    def constants(self) -> tuple[Tensor, Tensor, Tensor]:
        """The constants of every class, each (K,): degrees of freedom nu, exponent h, and c, the log density at the mean."""
        nu = self.raw_degrees.double().square() + LEAST_DEGREES  # in float64: for large nu the terms of c nearly cancel
        d = self.means.shape[1]
        size = d if self.density == "student" else math.log(d)
        h = (nu + size) / 2
        c = torch.lgamma(h) - torch.lgamma(nu / 2) - size / 2 * nu.log()
        if self.density == "student":
            c = c - d / 2 * math.log(math.pi)
        dtype = precision(self.means)
        return nu.to(dtype), h.to(dtype), c.to(dtype)

    def scores(self, logits: Tensor) -> Tensor:
        """What a loss takes for logits: the log densities (N, K), or for "published" the densities, scaled to norm 1."""
        if self.density == "student":
            return logits
        return torch.exp(logits - torch.logsumexp(2 * logits, 1, keepdim=True) / 2)

    def extra_repr(self) -> str:
        classes, features = self.means.shape
        return f"features={features}, classes={classes}, density={self.density!r}"


def _directions(x: Tensor) -> Tensor:
    """Rows of unit norm. Zeros stay, with a gradient of ordinary size; a least norm of 1e-12 would make it 1e12 times that."""
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / torch.where(norm > 0, norm, 1.0)


class StudentLoss(BaselineLoss):
    """Any loss on the logits of a :class:`StudentHead`, with a margin for the label and a pull to the label's mean.

    ``loss``: a module that takes logits (N, K) and labels (N,) and gives a mean over them. ``margin`` >= 0 and ``centre`` >= 0 are
    alpha and lambda in the authors' code. In a network of your own::

        head = StudentHead(features=64, classes=10)
        model = nn.Sequential(body, head)
        loss = StudentLoss(build_loss("nce+rce", beta=10), margin=0.1, centre=0.05, head=head)
        loss(model(x), y).backward()

    ``bind(model)`` finds the head of a network. It stays the network's: the loss has no parameters. Raises InputError for
    parameters below 0, logits that cannot be the head's, and labels out of range (on the CPU).
    """

    title = "the Student loss"

    def __init__(
        self, loss: nn.Module, margin: Scalar = 0, centre: Scalar = 0, head: StudentHead | None = None, name: str = "lt"
    ) -> None:
        super().__init__()
        self.loss = loss
        self.margin = float(at_least(0).check(name, "margin", margin))
        self.centre = float(at_least(0).check(name, "centre", centre))
        self.name = name
        # in a tuple, and so no submodule: else the optimiser had its parameters twice
        self._head: tuple[StudentHead, ...] = () if head is None else (head,)

    def bind(self, model: nn.Module) -> StudentLoss:
        """Take the head of this network; returns the loss. InputError unless the network has exactly one."""
        found = tuple(module for module in model.modules() if isinstance(module, StudentHead))
        if len(found) != 1:
            raise InputError(
                f"{self.name}: a network with one StudentHead, its last layer, is needed; this one has {len(found)}"
            )
        self._head = found
        return self

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        if not self._head:
            raise InputError(f"{self.name}: the head of the network is not known; call loss.bind(model) first")
        (head,) = self._head
        K = len(head.means)
        if logits.dim() != 2 or logits.shape[1] != K or target.shape != logits.shape[:1] or target.is_floating_point():
            got = f"{tuple(logits.shape)} and {target.dtype} {tuple(target.shape)}"
            raise InputError(f"{self.name}: logits (N, {K}) of the head and integer labels (N,) are needed, got {got}")
        z, y = wide(logits), target.long()
        try:
            own = z.gather(1, y[:, None])[:, 0]
        except RuntimeError:  # a label out of range
            at = next(i for i, label in enumerate(y.tolist()) if not 0 <= label < K)
            raise InputError(f"{self.name}: label {y[at].item()} at position {at} is outside 0..{K - 1}") from None
        nu, h, c = (each[y] for each in head.constants())
        t = (c - own) / h  # log(1 + D/nu)
        moved = own - h * torch.log1p(-self.margin * torch.expm1(-t))  # D/(nu + D) = 1 - e^-t
        value: Tensor = self.loss(head.scores(z.scatter(1, y[:, None], moved[:, None])), y)
        return value + self.centre / 2 * (nu * torch.expm1(t)).mean() if self.centre else value

    def extra_repr(self) -> str:
        return f"margin={self.margin:g}, centre={self.centre:g}"
