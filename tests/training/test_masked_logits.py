"""Logits of -inf (classes that are not there), one class alone, huge logits; formulas with a pole; multi-hot targets.

Every registered loss, on every road: the single pass, torch's derivative of the definition, the last layer fused, stacked models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from shutil import which
from typing import Any

import mpmath as mp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import BinaryLoss, build_loss, linear_loss, preference_loss, use_native  # noqa: E402
from asymtheory_training.losses import fused  # noqa: E402
from asymtheory_training.losses.reference import given_losses  # noqa: E402
from asymtheory_training.losses.registry import BASELINES  # noqa: E402
from torch.nn.functional import one_hot  # noqa: E402

from asymtheory import InputError, build  # noqa: E402
from asymtheory.losses import LogitClipCE, Loss, Normalised, NormalisedNegative, Separable, names  # noqa: E402
from asymtheory.numbers.backends import Backend  # noqa: E402

X = -torch.inf
ROWS = [
    ([1.0, 0.0, -1.0, 0.5], 0), ([1.0, 0.0, X, 0.5], 0), ([0.0, 2.0, X, X], 1), ([1.0, 0.0, X, 0.5], 2), ([X, 2.0, X, X], 1),
    ([X, 2.0, X, X], 3), ([X, X, X, X], 0), ([1e4, -1e4, 0.0, 5.0], 0), ([1e4, -1e4, 0.0, X], 1), ([200.0, 0.0, 90.0, -100.0], 3),
    ([6e4, -6e4, X, 0.0], 1),
]  # fmt: skip
HUGE = [([1e30, -1e30, 0.0, 1e30], 1), ([1e30, -1e30, X, 5.0], 2)]  # beyond float16
FORMULAS = ["1/u", "1/u**3 - 1", "(1/u - 1)**0.5", "-log(u)", "1/u - 1 + u**2 - 1 + 2*(1-u)", "log(u)**2"]


def table(dtype: Any) -> tuple[Any, Any]:
    rows = ROWS if dtype == torch.float16 else [*ROWS, *HUGE]
    return torch.tensor([z for z, _ in rows], dtype=dtype, requires_grad=True), torch.tensor([y for _, y in rows])


def check(losses: Any, z: Any) -> None:
    (slope,) = torch.autograd.grad(losses.sum(), z)
    assert losses.isfinite().all()
    assert slope.isfinite().all()
    assert (slope[z == X] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_every_loss_is_finite(dtype: Any) -> None:
    z, y = table(dtype)
    soft = one_hot(y, 4).to(torch.float32)
    spread = 0.6 * soft + 0.1
    for name in names():
        for on in (True, False):
            module = build_loss(name, reduction="none", fused=on)
            for target in (y, soft, spread):
                check(module(z, target), z)
        if dtype.itemsize > 2:
            check(given_losses(build(name), z, y), z)
    check(build_loss("gjs", reduction="none")(torch.stack([z, z.flip(1)]), y), z)
    margin = torch.tensor([X, -X, 1e4, -6e4, 0.0], dtype=dtype, requires_grad=True)
    for name in ("agce", "nce", "ce", "jal-fl"):
        for losses in (preference_loss(margin, loss=name, reduction="none"), BinaryLoss(name)(margin, torch.ones(5))):
            (slope,) = torch.autograd.grad(losses.sum(), margin)
            assert losses.isfinite().all()
            assert slope.isfinite().all()
    for name in set(BASELINES) - {"lt-apl", "lt-apl-student", "gjs"}:
        other = build_loss(name, **({"reduction": "none"} if BASELINES[name].options else {}))
        if hasattr(other, "begin"):  # it follows its samples
            other.begin(0, 3, y)
            check(other(z, y, torch.arange(len(y)))[None], z)
        else:
            check(other(z, y), z)


@pytest.mark.parametrize("name", [*names(), *FORMULAS])
def test_last_layer_with_a_bias_of_minus_infinity(name: str) -> None:
    """Absent classes as people write them where the layer is fused: in its bias."""
    what = {"formula": name} if name in FORMULAS else {"loss": name}
    for row, label in (ROWS[1], ROWS[3], ROWS[5], ROWS[8]):
        hidden, bias = torch.zeros(1, 4, requires_grad=True), torch.tensor(row, requires_grad=True)
        value = linear_loss(hidden, torch.eye(4), torch.tensor([label]), **{"loss": None, **what}, bias=bias)
        slopes = torch.autograd.grad(value, [hidden, bias])
        assert value.isfinite(), row
        assert all(slope.isfinite().all() for slope in slopes), row
        assert (slopes[1][bias == X] == 0).all(), row


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_stay_among_the_numbers(formula: str) -> None:
    """1/u at u = e^-1000: held where its slope is the largest that can be squared; the label is still pulled back."""
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        z, y = table(dtype)
        for on in (True, False):
            check(build_loss(formula=formula, reduction="none", fused=on)(z, y), z)
        for target in (torch.tensor([1]), torch.tensor([[0.0, 1.0]])):
            found = []
            for on in (True, False):
                far = torch.tensor([[1000.0, 0.0]], dtype=dtype, requires_grad=True)
                value = build_loss(formula=formula, fused=on)(far, target)
                found += [value.detach(), *torch.autograd.grad(value, far)]
                assert found[-1][0, 1] < 0 < found[-1][0, 0]
            torch.testing.assert_close(found[0], found[2], rtol=1e-5, atol=0)
            torch.testing.assert_close(found[1], found[3], rtol=1e-5, atol=0)


def test_formula_with_a_pole_is_exact_up_to_its_end() -> None:
    z = torch.tensor([[30.0, 0.0]], dtype=torch.float64, requires_grad=True)
    value = build_loss(formula="1/u")(z, torch.tensor([1]))
    (slope,) = torch.autograd.grad(value, z)
    power = torch.exp(torch.tensor(30.0, dtype=torch.float64))  # L = 1 + e^30, dL/dz = (e^30, -e^30)
    torch.testing.assert_close(value, 1 + power)
    torch.testing.assert_close(slope, torch.stack([power, -power])[None])


# ------------------------------------------------------------------------------------------ the limits, in 300 digits

MP = Backend(
    "mp", lambda x: mp.mpf(x.numerator) / x.denominator, mp.log, mp.exp, lambda x, e: x**e, functions={"atan": mp.atan},
    split=lambda x, cut, below, above: below if x <= cut else above, xlogx=lambda x, logx: x * logx,
)  # fmt: skip


def softmax(z: Sequence[Any]) -> list[Any]:
    odds = [mp.exp(x - max(z)) for x in z]
    return [x / sum(odds) for x in odds]


def defined(loss: Loss, z: Sequence[Any], y: int) -> Any:
    """The definition at finite logits."""
    whole = mp.mpf(0)
    for coefficient, atom in loss.terms():
        u, on = softmax(z), atom.on(MP)
        if isinstance(atom, LogitClipCE):
            value = -mp.log(softmax([x * min(1, on.tau / mp.sqrt(sum(t * t for t in z))) for x in z])[y])
        elif isinstance(atom, Separable):
            value = on.active(u[y], mp.log(u[y]), MP)
            value += sum(on.passive(p, mp.log(p), MP) for k, p in enumerate(u) if k != y)
            value *= MP.number(atom.scale(len(z)))
        elif isinstance(atom, Normalised):
            base = on.base.on(MP)
            each = [base.active(p, mp.log(p), MP) for p in u]
            value = each[y] / sum(each)
        elif not isinstance(atom, NormalisedNegative):  # label smoothing and its like, which are linear in log u
            value = on.labels(np.array(u), np.array([mp.log(p) for p in u]), MP)[y]
        else:
            base, floor = atom.base.on(MP), MP.number(atom.p_min)
            heights = [base.active(max(p, floor), mp.log(max(p, floor)), MP) for p in u]
            top = base.active(floor, mp.log(floor), MP)
            value = 1 - (top - heights[y]) / sum(top - height for height in heights)
        whole += MP.number(coefficient) * value
    return whole


@contextmanager
def digits(count: int) -> Iterator[None]:
    before, mp.mp.dps = mp.mp.dps, count
    try:
        yield
    finally:
        mp.mp.dps = before


@pytest.mark.parametrize("name", sorted(names()))
def test_gradient_is_the_limit_of_the_definition(name: str) -> None:
    """At -inf: the gradient that the definition has in the other logits as that logit falls without end."""
    row = [0.75, -0.5, X, 1.25]
    with digits(120):
        finite = [mp.mpf(x) if x > X else mp.mpf(-(10**30)) for x in row]
        wanted, step = [mp.mpf(0)] * 4, mp.mpf(10) ** -40
        for k in (0, 1, 3):
            ends = [
                defined(build(name), [x + (i == k) * sign * step for i, x in enumerate(finite)], 0) for sign in (1, -1)
            ]
            wanted[k] = (ends[0] - ends[1]) / (2 * step)
        slopes = torch.tensor([[float(x) for x in wanted]], dtype=torch.float64)
    for on in (True, False):
        z = torch.tensor([row], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(build_loss(name, fused=on)(z, torch.tensor([0])), z)
        torch.testing.assert_close(slope, slopes, rtol=1e-9, atol=1e-15)


def test_other_rows_are_as_if_alone() -> None:
    """A masked row changes no bit of the others, and no look is taken twice: one tensor of the size of the logits."""
    z, y = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)), torch.arange(7) % 5
    masked = z.clone()
    masked[3, 1:3] = X
    for name in names():
        plain, other = (build_loss(name, reduction="none")(x, y) for x in (z, masked))
        keep = torch.arange(7) != 3
        assert torch.equal(plain[keep], other[keep]), name
    assert fused.absent_classes(z) is None
    assert torch.equal(fused.absent_classes(masked), masked == X)


@pytest.mark.parametrize(
    "native", [False, pytest.param(True, marks=pytest.mark.skipif(which("g++") is None, reason="needs g++"))]
)
def test_rows_with_holes_on_both_roads(native: bool) -> None:
    """Random classes left out, a row of none, of one, of huge logits: the single pass, and C++, against the definition."""
    random = torch.Generator().manual_seed(0)
    z, y = 3 * torch.randn(200, 100, generator=random), torch.randint(100, (200,), generator=random)
    z[torch.rand(200, 100, generator=random) < 0.3] = X
    z[5:7] = X
    z[6, 3] = 1
    z[7] *= 1e4
    for name in names():
        own, exact = z.clone().requires_grad_(), z.double().requires_grad_()
        use_native(native)
        try:
            losses = build_loss(name, reduction="none")(own, y)
            check(losses, own)
            (slope,) = torch.autograd.grad(build_loss(name, reduction="sum")(own, y), own)
        finally:
            use_native(False)
        wanted = build_loss(name, reduction="none", fused=False)(exact, y)
        (steep,) = torch.autograd.grad(wanted.sum(), exact)
        torch.testing.assert_close(losses.double(), wanted, rtol=2e-4, atol=1e-5)
        torch.testing.assert_close(slope.double(), steep, rtol=1e-3, atol=1e-5)


# ------------------------------------------------------------------------------------------------------- multi-hot

MULTI = "several labels a sample"


@pytest.mark.parametrize(
    ("logits", "target"),
    [
        ((3, 4), torch.tensor([[0.0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])),
        ((3, 4), torch.tensor([[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])),
        ((3, 4), torch.tensor([[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]).bool()),
        ((4,), torch.tensor([0.5, 0.2, 0, 0])),
        ((2, 4, 3), torch.ones(2, 4, 3)),
        ((1, 4), torch.zeros(1, 4)),
        ((1, 4), torch.full((1, 4), torch.nan)),
    ],
    ids=str,
)
def test_multi_hot_targets_are_refused(logits: Any, target: Any) -> None:
    for name in ("jal-ce", "ce", "ls", "ece"):
        with pytest.raises(InputError, match=MULTI):
            build_loss(name)(torch.zeros(logits), target)
    if len(logits) == 2:
        with pytest.raises(InputError, match=MULTI if target.is_floating_point() else "integer labels"):
            linear_loss(torch.zeros(len(target), 2), torch.zeros(4, 2), target, "ce")


def test_rows_that_count_for_nothing_may_be_empty() -> None:
    target = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    linear_loss(torch.zeros(2, 3), torch.zeros(2, 3), target, "ce", token_weight=torch.tensor([1.0, 0.0]))
    half = torch.softmax(torch.randn(50, 1000), -1)
    for dtype in (torch.float16, torch.bfloat16):
        build_loss("ce")(torch.zeros(50, 1000), half.to(dtype))
