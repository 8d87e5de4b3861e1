"""Losses fused with the linear layer against the definition on whole logits: values, gradients, memory, what torch does with them.

Seen failing: with rows' weights left out of one product, with a chunk's sums begun anew, with labels shifted the other way, with
ignored rows multiplied, and with sums over chunks in bfloat16.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import RobustLinearLoss, build_loss, linear_loss  # noqa: E402
from asymtheory_training.losses.chunks import LEAST_ROWS, chunk_rows  # noqa: E402
from torch.autograd import gradcheck, gradgradcheck  # noqa: E402
from torch.nn.functional import linear  # noqa: E402

from asymtheory import InputError, build  # noqa: E402
from asymtheory.losses import names  # noqa: E402
from asymtheory.noise import symmetric  # noqa: E402

K, WIDTH = 11, 5
# one of each road: numbers by row, squares, entries of their own, powers of entries, slopes that torch must take, clipped logits
ROADS: dict[str, tuple[Any, dict[str, Any]]] = {
    "agce": ("agce", {}),
    "amse": ("amse", {}),
    "amse q 1.5": (build("amse", a=3, q=1.5), {}),
    "nnce inward": ("nnce", {}),
    "nnce flat": ("nnce", {"floor": "flat"}),
    "anl-fl": ("anl-fl", {}),
    "fl as published": ("fl", {"detach_modulation": True}),
    "ngce": ("ngce", {}),
    "aul corner": (build("aul", a=1, p=0.5), {}),
    "logitclip-ce": ("logitclip-ce", {}),
}
EVERY = {**{name: (name, {}) for name in sorted(names())}, **ROADS}


def drawn(shape: tuple[int, ...], seed: int, spread: float = 1.0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * spread).requires_grad_()


def batch(spread: float = 1.0) -> tuple[tuple[Any, Any, Any], Any, Any]:
    """(hidden, weight, bias), labels of which two are ignored, and token weights."""
    inputs = drawn((3, 7, WIDTH), 0, spread), drawn((K, WIDTH), 1), drawn((K,), 2)
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(0, K, (3, 7), generator=generator)
    labels[0, 2] = labels[2, 6] = -100
    return inputs, labels, torch.rand(3, 7, generator=generator, dtype=torch.float64)


def soft_labels() -> Any:
    return torch.softmax(drawn((3, 7, K), 4).detach(), -1)


def by_definition(case: str, inputs: Any, labels: Any, reduction: str, scale: Any = None, shift: int = 0) -> Any:
    """From whole logits of the positions that have a label, with torch's derivative of the core's line."""
    loss, options = EVERY[case]
    hidden, weight, bias = inputs
    soft = labels.is_floating_point()
    logits = linear(hidden, weight, bias)[:, : hidden.shape[1] - shift]
    labels = labels[:, shift:]
    target = labels.reshape(-1, K) if soft else labels.reshape(-1)
    each = build_loss(loss, reduction="none", fused=False, **options)(logits.reshape(-1, K), target)
    weights = torch.ones(labels.shape[:2], dtype=torch.float64) if scale is None else scale[:, shift:]
    weights = weights if soft else weights * (labels != -100)
    each = each.reshape(labels.shape[:2]) * weights
    if reduction == "none":
        return torch.cat([each, torch.zeros(len(each), shift, dtype=torch.float64)], 1)
    return each.sum() if reduction == "sum" else each.sum() / weights.sum()


def value_and_gradients(value: Any, inputs: Any) -> Any:
    upstream = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
    return value.detach(), torch.autograd.grad(value, inputs, upstream)


# ------------------------------------------------------------------------------------------- equal to the definition


@pytest.mark.parametrize("case", EVERY)
def test_fused_equals_whole_logits(case: str) -> None:
    loss, options = EVERY[case]
    for spread in (1.0, 12.0):
        inputs, labels, scale = batch(spread)
        for target in (labels, soft_labels())[: 2 if spread == 1 else 1]:
            for reduction, shift, given, chunk in (
                ("mean", 0, None, 4),
                ("mean", 1, scale, 4),
                ("sum", 0, scale, None),
                ("none", 2, scale, 4),
            ):
                module = RobustLinearLoss(loss, reduction=reduction, shift=shift, chunk=chunk, **options)
                found = module(*inputs[:2], target, inputs[2], given)
                wanted = by_definition(case, inputs, target, reduction, given, shift)
                torch.testing.assert_close(
                    value_and_gradients(found, inputs), value_and_gradients(wanted, inputs), rtol=1e-9, atol=1e-10
                )


@pytest.mark.parametrize("case", [case for case in ROADS if case not in ("nnce flat", "fl as published")])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_derivatives(case: str, reduction: str) -> None:
    loss, options = ROADS[case]
    inputs, labels, scale = batch(0.3)  # above p_min, below which the gradient of NNCE is not that of its value
    module = RobustLinearLoss(loss, reduction=reduction, shift=True, chunk=4, **options)

    few = inputs[0][:1, :6, :2], inputs[1][:4, :2], inputs[2][:4]
    few = tuple(x.detach().clone().requires_grad_() for x in few)
    labels = torch.where(labels < 0, labels, labels % 4)[:1, :6]

    def of(hidden: Any, weight: Any, bias: Any) -> Any:
        return module(hidden, weight, labels, bias, scale[:1, :6])

    assert gradcheck(of, few)
    if case in ("agce", "anl-fl", "aul corner"):
        assert gradgradcheck(of, few)


@pytest.mark.parametrize("case", ["agce", "anl-fl"])
def test_soft_labels_have_derivatives(case: str) -> None:
    inputs, _, scale = batch(0.3)
    inputs, scale = (inputs[0][:1].detach().requires_grad_(), *inputs[1:]), scale[:1]
    module, target = RobustLinearLoss(case, chunk=4), soft_labels()[:1]
    assert gradcheck(lambda *inputs: module(*inputs[:2], target, inputs[2], scale), inputs)
    target.requires_grad_()  # then whole logits are made
    assert gradcheck(lambda target: module(*inputs[:2], target), (target,))


def test_shapes_of_states_and_labels() -> None:
    """(N, d), (B, T, d), and one row (d,); the function is the module."""
    inputs, labels, _ = batch()
    hidden, weight, bias = inputs
    wanted = by_definition("agce", inputs, labels, "none")
    found = linear_loss(hidden, weight, labels, "agce", bias=bias, reduction="none")
    torch.testing.assert_close(found, wanted)
    flat = linear_loss(hidden.reshape(-1, WIDTH), weight, labels.reshape(-1), "agce", bias=bias, reduction="none")
    torch.testing.assert_close(flat, wanted.reshape(-1))
    one = linear_loss(hidden[1, 1], weight, labels[1, 1], "agce", bias=bias)
    torch.testing.assert_close(one, wanted[1, 1])
    none = linear_loss(hidden[:0], weight, labels[:0], "agce", reduction="sum")
    assert float(none.detach()) == 0


# ------------------------------------------------------------------------------------------------ what counts


def test_ignored_rows_are_never_multiplied() -> None:
    """States of a prompt or padding may be anything, NaN even."""
    (hidden, weight, bias), labels, _ = batch()
    wanted = value_and_gradients(linear_loss(hidden, weight, labels, "agce", bias=bias), (hidden, weight, bias))
    spoilt = torch.where((labels == -100).unsqueeze(-1), math.nan, hidden.detach()).requires_grad_()
    found = value_and_gradients(linear_loss(spoilt, weight, labels, "agce", bias=bias), (spoilt, weight, bias))
    torch.testing.assert_close(found, wanted)
    assert bool((found[1][0][labels == -100] == 0).all())


def test_no_label_counts() -> None:
    inputs, labels, _ = batch()
    labels = torch.full_like(labels, 7)
    for reduction, value in (("mean", math.nan), ("sum", 0.0)):
        found = linear_loss(*inputs[:2], labels, "agce", bias=inputs[2], ignore_index=7, reduction=reduction)
        torch.testing.assert_close(found, torch.tensor(value, dtype=torch.float64), equal_nan=True)
        assert all(bool((x == 0).all()) for x in torch.autograd.grad(found, inputs))


def test_statistics() -> None:
    inputs, labels, scale = batch()
    u = torch.softmax(linear(*inputs), -1).detach()
    counts = labels[:, 1:] != -100
    module = RobustLinearLoss("jal-ce", statistics=True, shift=True, chunk=4)
    value, told = module(*inputs[:2], labels, inputs[2], scale)
    torch.testing.assert_close(value, by_definition("jal-ce", inputs, labels, "mean", scale, 1))
    own = u[:, :-1].gather(-1, labels[:, 1:, None].clamp(min=0))[..., 0]
    entropy = -(u * u.log()).sum(-1)[:, :-1]
    each = by_definition("jal-ce", inputs, labels, "none", None, 1)[:, :-1].detach()
    for found, wanted in ((told.probability, own), (told.entropy, entropy), (told.loss, each)):
        assert not found.requires_grad
        assert bool(found[:, -1].isnan().all())
        torch.testing.assert_close(found[:, :-1], torch.where(counts, wanted, math.nan), equal_nan=True)
    target = soft_labels()
    _, told = RobustLinearLoss("jal-ce", statistics=True)(*inputs[:2], target, inputs[2])
    torch.testing.assert_close(told.probability, (target * u).sum(-1))


def test_gradients_of_parts_of_a_batch_add_up() -> None:
    """As with gradient accumulation: sums of parts over the number of labels of all are the mean of the whole."""
    inputs, labels, _ = batch()
    value_and_gradients(linear_loss(*inputs[:2], labels, "agce", bias=inputs[2]), inputs)
    whole = torch.autograd.grad(linear_loss(*inputs[:2], labels, "agce", bias=inputs[2]), inputs)
    number = int((labels != -100).sum())
    for part in (slice(0, 1), slice(1, 3)):
        value = linear_loss(inputs[0][part], inputs[1], labels[part], "agce", bias=inputs[2], reduction="sum")
        (value / number).backward()
    torch.testing.assert_close(tuple(x.grad for x in inputs), whole)


def test_a_second_backward() -> None:
    inputs, labels, _ = batch()
    for reduction in ("mean", "none"):
        value = linear_loss(*inputs[:2], labels, "anl-fl", bias=inputs[2], reduction=reduction).sum()
        first = torch.autograd.grad(value, inputs, retain_graph=True)
        kept = tuple(x.clone() for x in first)
        second = torch.autograd.grad(value * 2, inputs)
        torch.testing.assert_close(second, tuple(2 * x for x in kept))
        torch.testing.assert_close(first, kept, rtol=0, atol=0)


# ------------------------------------------------------------------------------------------------- memory


def peak(run: Callable[[], Any]) -> int:
    """Most bytes of tensors alive at a time, beyond those before, as torch's allocator reports each of its steps."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


@pytest.mark.parametrize("case", ["agce", "jal-ce", "nnce inward", "anl-fl", "amse q 1.5", "logitclip-ce"])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_extra_memory_is_a_chunk(case: str, kind: torch.dtype) -> None:
    """At most 1.2 chunks of logits beyond the gradients asked for. A 16-bit layer's gradient is summed in float32."""
    loss, options = EVERY[case]
    n, d, classes, chunk = 1000, 32, 3000, 200
    hidden, weight = (torch.randn(x, d, dtype=kind, requires_grad=True) for x in (n, classes))
    labels = torch.randint(0, classes, (n,))
    logits = 4 * chunk * classes
    wide = 4 * classes * d if kind != torch.float32 else 0
    for frozen in (False, True):
        weight.requires_grad_(not frozen)
        gradients = n * d * kind.itemsize + (0 if frozen else classes * d * kind.itemsize + wide)
        module = RobustLinearLoss(loss, chunk=chunk, **options)
        module(hidden[:9], weight, labels[:9]).backward()
        hidden.grad = weight.grad = None
        most = peak(lambda module=module: module(hidden, weight, labels).backward())
        assert logits < most - gradients <= 1.2 * logits


def test_rows_of_a_chunk() -> None:
    cpu = torch.device("cpu")
    assert chunk_rows(2048, 512, 50_000, 4, cpu) == 256
    assert chunk_rows(100, 512, 50_000, 4, cpu) == 100
    assert chunk_rows(300, 64, 1000, 4, cpu) <= LEAST_ROWS
    assert chunk_rows(2**20, 2**14, 2**40, 4, cpu) == 1  # no room for more
    assert chunk_rows(0, 512, 50_000, 4, cpu) == 1


# ---------------------------------------------------------------------------------- half precision and autocast


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", ["agce", "anl-ce", "nfl"])
def test_half_precision_outside_float32_inside(case: str, kind: torch.dtype) -> None:
    """The result is that of float64 on the same numbers; only gradients are rounded to the 16 bits of their tensor."""
    inputs, labels, scale = batch()
    short = [x.detach().to(kind).requires_grad_() for x in inputs]
    exact = [x.detach().double().requires_grad_() for x in short]
    found, wanted = (linear_loss(*x[:2], labels, case, bias=x[2], token_weight=scale, chunk=4) for x in (short, exact))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wanted, rtol=1e-6, atol=1e-6)
    for own, other in zip(torch.autograd.grad(found, short), torch.autograd.grad(wanted, exact), strict=True):
        assert own.dtype == kind
        torch.testing.assert_close(own.double(), other, rtol=2 * torch.finfo(kind).eps, atol=2e-6)


def test_a_loss_scale_reaches_float16_before_it_is_rounded() -> None:
    inputs, labels, _ = batch()
    hidden, weight = (x.detach().to(torch.float16).requires_grad_() for x in inputs[:2])
    value = linear_loss(hidden, weight, labels, "agce") * 1e-7
    assert all(bool((x == 0).any()) for x in torch.autograd.grad(value, (hidden, weight), retain_graph=True))
    plain = torch.autograd.grad(linear_loss(hidden, weight, labels, "agce"), (hidden, weight))
    scaled = torch.autograd.grad(value * 1e7, (hidden, weight))
    torch.testing.assert_close(scaled, plain, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_autocast_multiplies_in_its_type(reduction: str) -> None:
    inputs, labels, _ = batch()
    inputs = tuple(x.detach().float().requires_grad_() for x in inputs)
    exact = linear_loss(*inputs[:2], labels, "agce", bias=inputs[2], chunk=4, reduction=reduction)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = linear_loss(*inputs[:2], labels, "agce", bias=inputs[2], chunk=4, reduction=reduction)
        inside = linear_loss(*(x.bfloat16() for x in inputs[:2]), labels, "agce", bias=inputs[2], reduction=reduction)
    assert found.dtype == inside.dtype == torch.float32
    assert 0 < float((found - exact).detach().abs().max()) < 0.02
    torch.testing.assert_close(inside, found, rtol=1e-5, atol=1e-5)
    for own, other in zip(
        torch.autograd.grad(found.sum(), inputs), torch.autograd.grad(exact.sum(), inputs), strict=True
    ):
        assert own.dtype == torch.float32
        torch.testing.assert_close(own, other, rtol=0.05, atol=0.02)


def test_sums_over_chunks_are_float32() -> None:
    """A thousand chunks whose gradients are each below half a unit of bfloat16 in the last place of their sum."""
    n = 4000
    hidden, weight = torch.ones(n, 1, dtype=torch.bfloat16), torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    labels = torch.zeros(n, dtype=torch.int64)
    for context in (torch.autocast("cpu", enabled=False), torch.autocast("cpu", dtype=torch.bfloat16)):
        with context:
            value = linear_loss(hidden, weight, labels, "ce", chunk=4, reduction="sum")
        (slope,) = torch.autograd.grad(value, weight)
        torch.testing.assert_close(slope.float(), torch.tensor([[-n / 2], [n / 2]]), rtol=0.005, atol=0)


# ------------------------------------------------------------------------------------------------ torch around it


@pytest.mark.filterwarnings("ignore")  # of torch's own compiler
@pytest.mark.parametrize(("case", "reduction"), [("agce", "mean"), ("anl-fl", "none")])
def test_compiled_in_one_graph(case: str, reduction: str) -> None:
    inputs, labels, scale = batch()
    loss, options = EVERY[case]
    module = RobustLinearLoss(loss, reduction=reduction, shift=True, statistics=True, chunk=4, **options)
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    for rows in (2, 3):
        leaves = inputs[0][:rows].detach().requires_grad_(), *inputs[1:]
        given = leaves[0], leaves[1], labels[:rows], leaves[2], scale[:rows]
        (wanted, told), (found, other) = module(*given), compiled(*given)
        torch.testing.assert_close(value_and_gradients(found, leaves), value_and_gradients(wanted, leaves))
        torch.testing.assert_close(other, told, equal_nan=True)


def test_transforms_of_torch_func() -> None:
    inputs, labels, _ = batch()
    module = RobustLinearLoss("jal-ce")
    wanted = torch.autograd.grad(module(*inputs[:2], labels), inputs[1])[0]
    found = torch.func.grad(lambda weight: module(inputs[0], weight, labels))(inputs[1])
    torch.testing.assert_close(found, wanted)
    each = torch.func.vmap(lambda h, y: module(h, inputs[1], y))(inputs[0], labels)
    torch.testing.assert_close(
        each, torch.stack([module(h, inputs[1], y) for h, y in zip(inputs[0], labels, strict=True)])
    )


def test_many_upstream_gradients_at_once() -> None:
    inputs, labels, _ = batch()
    for reduction in ("sum", "none"):
        value = linear_loss(*inputs[:2], labels, "agce", reduction=reduction).reshape(-1)[:2]
        upstream = torch.eye(len(value), dtype=torch.float64)
        (found,) = torch.autograd.grad(value, inputs[1], upstream, is_grads_batched=True, retain_graph=True)
        wanted = torch.stack([torch.autograd.grad(value, inputs[1], x, retain_graph=True)[0] for x in upstream])
        torch.testing.assert_close(found, wanted)


def test_the_module_is_copied_and_described() -> None:
    inputs, labels, _ = batch()
    module = RobustLinearLoss("agce", shift=2, chunk=8)
    wanted = module(*inputs[:2], labels)
    torch.testing.assert_close(copy.deepcopy(module)(*inputs[:2], labels), wanted)
    assert "shift=2, chunk=8" in repr(module)
    assert list(module.parameters()) == []


# -------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": torch.ones(3, 7, WIDTH, dtype=torch.int64)}, "floating-point states"),
        ({"weight": torch.ones(K, WIDTH + 1, dtype=torch.float64)}, rf"weight: floating-point \(K, {WIDTH}\)"),
        ({"weight": torch.ones(1, WIDTH, dtype=torch.float64)}, "at least 2"),
        ({"weight": torch.ones(K, WIDTH)}, "in one precision"),
        ({"bias": torch.ones(K + 1, dtype=torch.float64)}, "bias: floating-point"),
        ({"labels": torch.zeros(3, 6, dtype=torch.int64)}, r"integer labels \(3, 7\) or probabilities \(3, 7, 11\)"),
        ({"labels": torch.zeros(3, 7, dtype=torch.bool)}, "integer labels"),
        ({"labels": torch.full((3, 7), K)}, r"label 11 is outside 0..10 \(21 such labels; ignore_index is -100\)"),
        ({"token_weight": torch.ones(3)}, r"token_weight: \(3, 7\)"),
        ({"token_weight": torch.ones(3, 7, requires_grad=True)}, "token_weight gets no gradient"),
    ],
)
def test_refused_tensors(change: dict[str, Any], message: str) -> None:
    inputs, labels, _ = batch()
    given = {"hidden": inputs[0], "weight": inputs[1], "bias": inputs[2], "labels": labels, **change}
    with pytest.raises(InputError, match=message):
        RobustLinearLoss("agce")(**given)


def test_a_loss_for_other_classes_is_refused() -> None:
    inputs, labels, _ = batch()
    with pytest.raises(InputError, match="K = 11 classes; the loss was built for 10"):
        RobustLinearLoss("agce", a=5, noise=symmetric(10, 0.3))(*inputs[:2], labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "nlnl"}, "cannot be fused with a linear layer"),
        ({"loss": "agcee"}, "agcee"),
        ({"loss": "agce", "a": -1}, "a"),
        ({"shift": -1}, "shift -1"),
        ({"chunk": 0}, "chunk 0"),
        ({"reduction": "average"}, "reduction 'average'"),
        ({"weight": torch.ones(K)}, "give token_weight="),
    ],
)
def test_refused_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RobustLinearLoss(**options)
