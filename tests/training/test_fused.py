"""The fused losses against the core's definition differentiated by torch: values, gradients, second derivatives, numerics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import build_loss  # noqa: E402
from asymtheory_training.losses.fused import _MEMORY, Labels, _Memory, row_losses  # noqa: E402
from asymtheory_training.losses.parts import FusedPlan  # noqa: E402
from asymtheory_training.losses.reference import label_losses, probabilities  # noqa: E402
from torch.autograd import gradcheck, gradgradcheck  # noqa: E402

from asymtheory import InputError, build, from_formula  # noqa: E402
from asymtheory.losses import Loss, Normalised, names  # noqa: E402

ATOMS_AND_SUMS = sorted(names())
# parameters at kinks and corners of their domains, polynomial and fractional powers, sums that share and mix all forms
VARIED = {
    "fl gamma 0": build("fl", gamma=0),
    "fl gamma 2": build("fl", gamma=2),
    "fl gamma 0.3": build("fl", gamma=0.3),
    "gce q 1": build("gce", q=1),
    "gce q 0.05": build("gce", q=0.05),
    "agce a 0": build("agce", a=0, q=0.5),
    "agce q 2": build("agce", a=1.5, q=2),
    "agce webvision": build("agce", a=1e-5, q=0.5),
    "aul q 2": build("aul", a=2, p=2),
    "aul a 1": build("aul", a=1, p=2.5),
    "aul corner": build("aul", a=1, p=0.1),
    "aul next to the corner": build("aul", a=1.0001, p=0.5),
    "taylor 6": build("taylor-ce", t=6),
    "phuber 10": build("phuber-ce", tau=10),
    "amse q 1": build("amse", a=3, q=1),
    "amse q 0.5": build("amse", a=3, q=0.5),
    "amse q 1.5": build("amse", a=1, q=1.5),
    "amse q 3": build("amse", a=2, q=3),
    "amse q 7": build("amse", a=2, q=7),
    "nfl gamma 2": build("nfl", gamma=2),
    "nnfl gamma 0": build("nnfl", gamma=0),
    "nnce p_min 0.01": build("nnce", p_min=0.001),
    "anl-fl gamma 1.7": build("anl-fl", gamma=1.7, alpha=0.3, beta=2),
    "ngce q 1": build("ngce", q=1),
    "nfl+amse": build("nfl+amse"),
    "nce+nfl": build("nce+nfl"),
    "nnce+nfl": build("nnce+nfl"),
    "ngce+nnfl+nce": build("ngce+nnfl+nce"),
    "amse+nnce": build("amse+nnce"),
    "nnce+mse+nce+fl": build("nnce+mse+nce+fl"),
    "gce+aul+rce+taylor": build("gce+aul+rce+taylor-ce"),
    "amse q 1.5 + nnfl": build("amse+nnfl", q=1.5),
    "formula": from_formula("((a+1)**q-(a+u)**q)/q", a=2, q=0.5),
    "formula with passive": from_formula("(1-u)**2", "u**1.5 + u**2"),
    "formula with a kink": from_formula("max(0, 3/4-u) + (1-u)/4"),
}
EVERY = {**{name: build(name) for name in ATOMS_AND_SUMS}, **VARIED}


def logits(n: int, K: int, spread: float, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, K, generator=generator, dtype=torch.float64) * spread).requires_grad_()


def targets(n: int, K: int) -> list[Any]:
    generator = torch.Generator().manual_seed(1)
    soft = torch.softmax(2 * torch.randn(n, K, generator=generator, dtype=torch.float64), -1)
    return [torch.randint(0, K, (n,), generator=generator), soft]


def value_and_gradient(module: Any, z: Any, target: Any) -> tuple[Any, Any]:
    value = module(z, target)
    (gradient,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), gradient


# ------------------------------------------------------------------------------------------------ fused = reference


@pytest.mark.parametrize("case", EVERY)
def test_fused_equals_the_definition(case: str) -> None:
    options: list[dict[str, Any]] = [{}]
    if "fl" in case:
        options.append({"detach_modulation": True})
    if "nn" in case or "anl" in case:
        options.append({"floor": "flat"})
    for K in (2, 3, 10, 100):
        for spread in (1, 6, 40):
            z = logits(12, K, spread)
            for target in targets(12, K):
                for option in options:
                    fused, plain = (
                        value_and_gradient(build_loss(EVERY[case], reduction="none", fused=fused, **option), z, target)
                        for fused in (True, False)
                    )
                    torch.testing.assert_close(fused, plain, rtol=1e-10, atol=1e-11)


def test_all_but_infinite_slopes_at_one_are_fused() -> None:
    """Otherwise the test above compares the reference with itself."""
    without = [case for case, loss in EVERY.items() if FusedPlan.of(loss, 10) is None]
    assert without == ["aul corner"]


@pytest.mark.parametrize("name", ["jal-ce", "anl-fl", "nnce", "ngce+rce", "gce"])
def test_blocks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    z, weight = logits(37, 7, 3), torch.linspace(0.5, 2, 7, dtype=torch.float64)
    for target in targets(37, 7):
        for module in (build_loss(name), build_loss(name, weight=weight)):
            whole = value_and_gradient(module, z, target)
            monkeypatch.setattr("asymtheory_training.losses.fused.BLOCK", 40)
            monkeypatch.setattr(_Memory, "SMALLEST", 1)  # so few elements would be one block
            torch.testing.assert_close(value_and_gradient(module, z, target), whole, rtol=1e-13, atol=1e-15)
            monkeypatch.undo()


@pytest.mark.parametrize(("blocks", "share"), [(40, 0.25), (2, 1.0)])
def test_temporaries_are_no_larger_than_a_batch(blocks: int, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more rows than one block holds, one (N, K) tensor is made and all else is at most a share of it."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        made: list[int]

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and not result._is_view():
                inputs = {x.data_ptr() for x in (*args, *(kwargs or {}).values()) if isinstance(x, torch.Tensor)}
                if result.data_ptr() not in inputs:
                    self.made.append(result.numel())
            return result

    z, y = torch.randn(2000, 100), torch.zeros(2000, 1, dtype=torch.int64)
    monkeypatch.setattr("asymtheory_training.losses.fused.BLOCK", z.numel() // blocks // torch.get_num_threads())
    for name in ("jal-ce", "anl-fl", "gce"):
        monkeypatch.setattr(_MEMORY, "free", {torch.float32: [], torch.float64: []})
        plan = FusedPlan.of(build(name), 100)
        assert plan is not None
        with Largest() as seen:
            seen.made = []
            row_losses(plan, z, Labels(y, False), True)
        seen.made.remove(z.numel())
        assert max(seen.made) <= share * z.numel() * 1.01  # blocks are of whole rows


# ----------------------------------------------------------------------- memory that one call leaves to the next


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nothing left by other tests, and blocks of any size use it."""
    monkeypatch.setattr(_Memory, "SMALLEST", 1)
    monkeypatch.setattr(_MEMORY, "free", {torch.float32: [], torch.float64: []})
    return _MEMORY


@pytest.mark.parametrize("name", ["jal-ce", "anl-fl", "nnce", "ngce", "nfl+amse"])
def test_memory_is_used_again_and_nothing_of_it_escapes(name: str, memory: Any) -> None:
    """Results of a call outlive the next one, of another size and in inference mode; the second call makes no buffer."""
    module, (z, other) = build_loss(name, reduction="none"), (logits(9, 7, 3), logits(20, 7, 3, seed=1))
    y, soft = targets(9, 7)
    wanted = value_and_gradient(build_loss(name, reduction="none", fused=False), z, y)
    with torch.inference_mode():
        module(z.detach().clone(), y)
    found = value_and_gradient(module, z, y)
    (buffer,) = memory.free[torch.float64]
    value_and_gradient(module, z.detach()[:5].requires_grad_(), y[:5])
    value_and_gradient(module, z, soft)
    assert memory.free[torch.float64][0] is buffer
    value_and_gradient(module, other, targets(20, 7)[0])
    assert [len(x) >= other.numel() for x in memory.free[torch.float64]] == [True]
    memory.free[torch.float64][0].fill_(math.nan)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-11)


def test_calls_inside_each_other_share_no_memory(memory: Any) -> None:
    """As calls of several threads: a buffer that is taken is out of reach until it is given back; few are kept, none too large."""
    buffers = [memory.take(torch.float32, 10) for _ in range(4)]
    assert len({buffer.data_ptr() for buffer in buffers}) == 4
    for buffer in buffers:
        memory.give_back(buffer)
    assert len(memory.free[torch.float32]) == memory.COUNT
    memory.free[torch.float32].clear()
    memory.give_back(torch.empty(memory.LARGEST + 1))
    assert memory.free[torch.float32] == []


def test_a_refused_label_leaves_no_buffer_in_use(memory: Any) -> None:
    z = logits(4, 3, 1)
    with pytest.raises(InputError, match="label 3 at position 1"):
        build_loss("jal-ce")(z, torch.tensor([0, 3, 1, 2]))
    assert memory.free[torch.float64] == []


# ------------------------------------------------------------------------------------- the definition on torch


@pytest.mark.parametrize("case", [case for case in EVERY if "logitclip" not in case])
def test_reference_is_the_core(case: str) -> None:
    """On the domain of NNCE, u_k >= p_min, where the core is defined."""
    for K in (2, 3, 10):
        z = logits(20, K, 1.0).detach()
        u = torch.softmax(z, -1).numpy()
        np.testing.assert_allclose(label_losses(EVERY[case], z).numpy(), EVERY[case](u), rtol=1e-9, atol=1e-12)


def test_probabilities_keep_their_precision() -> None:
    """log u and log (1 - u) against 60 digits, where softmax in float64 has lost one of them."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(600):
        for row in ([0.0, 0.0], [40.0, 0.0, -3.0], [1000.0, 0.0, 1.0], [3.0, 3.0, 2.9], [-700.0, 0.0, 500.0]):
            total = sum(mpmath.exp(x) for x in row)
            u = [mpmath.exp(x) / total for x in row]
            found = probabilities(torch.tensor([row], dtype=torch.float64))
            np.testing.assert_allclose(found.logu[0], [float(mpmath.log(x)) for x in u], rtol=1e-13, atol=1e-300)
            rest = [float(mpmath.log(1 - x)) for x in u]
            np.testing.assert_allclose(found.log_rest[0], rest, rtol=1e-13, atol=1e-300)


def test_logit_clip_is_cross_entropy_of_clipped_logits() -> None:
    z = logits(30, 5, 2)
    norm = z.norm(dim=-1, keepdim=True)
    assert bool((norm > 2.5).any())
    assert bool((norm < 2.5).any())
    y = targets(30, 5)[0]
    wanted = torch.nn.functional.cross_entropy(z * (2.5 / norm).clamp(max=1), y)
    (slope,) = torch.autograd.grad(wanted, z)
    torch.testing.assert_close(value_and_gradient(build_loss("logitclip-ce"), z, y), (wanted.detach(), slope))


# ------------------------------------------------------------------------------------------------ derivatives


@pytest.mark.parametrize("case", [case for case in EVERY if "kink" not in case])
def test_first_and_second_derivatives(case: str) -> None:
    z = logits(3, 4, 1.0)
    y, soft = targets(3, 4)
    module = build_loss(EVERY[case], reduction="none")
    for target in (y, soft):
        assert gradcheck(lambda z, t=target: module(z, t), (z,))
        assert gradgradcheck(lambda z, t=target: module(z, t), (z,))


def test_probability_targets_have_a_gradient() -> None:
    z, (_, soft) = logits(4, 5, 1.0), targets(4, 5)
    soft.requires_grad_()
    for name in ("jal-ce", "anl-fl"):
        assert gradcheck(build_loss(name), (z, soft))


def test_backward_twice() -> None:
    """The first backward gives the kept gradient away; a second one computes it again."""
    z, y = logits(6, 5, 2), targets(6, 5)[0]
    for name in ("jal-ce", "nfl"):
        value = build_loss(name)(z, y)
        (first,) = torch.autograd.grad(value, z, retain_graph=True)
        kept = first.clone()
        (second,) = torch.autograd.grad(2 * value, z)
        assert torch.equal(first, kept)
        torch.testing.assert_close(second, 2 * first)


def test_detached_modulation_is_the_published_gradient() -> None:
    """FL: the gradient of (1 - u_y)^gamma taken for a constant, times that of -log u_y."""
    z, y = logits(8, 5, 1.5), targets(8, 5)[0]
    value, slope = value_and_gradient(build_loss("fl", gamma=2, detach_modulation=True, reduction="none"), z, y)
    logp = torch.log_softmax(z, -1)
    own = logp.gather(1, y[:, None])[:, 0]
    wanted = -((1 - own.exp()) ** 2).detach() * own
    torch.testing.assert_close(value, wanted.detach())
    torch.testing.assert_close(slope, torch.autograd.grad(wanted.sum(), z)[0])
    assert float((slope - value_and_gradient(build_loss("fl", gamma=2, reduction="none"), z, y)[1]).abs().max()) > 0.01


# --------------------------------------------------------------------------------------------------- numerics


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("case", EVERY)
def test_nothing_is_infinite_at_extreme_logits(case: str, fused: bool) -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for K in (2, 100):
            basis = [torch.zeros(K), torch.full((K,), 1e4), torch.full((K,), -1e4)]
            for size in (5.0, 17.0, 89.0, 104.0, 1e3, 1e4):
                for sign in (1, -1):
                    row = torch.zeros(K)
                    row[0] = sign * size
                    basis += [row, row + 30, torch.linspace(-size, size, K)]
            z = torch.stack(basis).clamp(-1e4, 1e4).to(dtype).requires_grad_()
            for y in (0, 1, K - 1):
                module = build_loss(EVERY[case], reduction="none", fused=fused)
                value, slope = value_and_gradient(module, z, torch.full((len(z),), y))
                assert value.dtype == torch.float32
                assert slope.dtype == dtype
                assert bool(value.isfinite().all())
                assert bool(slope.isfinite().all())


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("case", EVERY)
def test_nothing_is_infinite_with_weights_ignored_labels_and_probabilities(case: str, fused: bool) -> None:
    weight = torch.tensor([0.0, 2.0, 0.5])
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        z = torch.tensor([[1e4, 0, -1e4], [-1e4, 1e4, 1e4], [0, 104, 17], [-89, 0, 30]]).to(dtype).requires_grad_()
        for target in (torch.tensor([0, -100, 1, 2]), torch.softmax(z.detach().float().flip(0) / 50, -1)):
            value, slope = value_and_gradient(build_loss(EVERY[case], weight=weight, fused=fused), z, target)
            assert (value.dtype, slope.dtype) == (torch.float32, dtype)
            assert bool(value.isfinite())
            assert bool(slope.isfinite().all())


@pytest.mark.parametrize(
    ("case", "margin"),
    [
        ("ce", 1e4), ("nce", 1e4), ("nnce", 1e4), ("nnfl", 1e4), ("anl-ce", 1e4), ("jal-ce", 1e4), ("sce", 1e4), ("fl", 1e4),
        ("gce", 100.0), ("gce q 0.05", 1000.0), ("agce a 0", 100.0), ("agce", 60.0), ("mae", 60.0), ("amse", 60.0),
    ],
)  # fmt: skip
def test_no_dead_zone_where_the_definition_has_none(case: str, margin: float) -> None:
    """A label at which the model is wrong by ``margin`` in the logits still pulls, in float32."""
    z = torch.tensor([[0.0, margin, 0.0, -1.0]], requires_grad=True)
    for fused in (True, False):
        _, slope = value_and_gradient(build_loss(EVERY[case], fused=fused), z, torch.tensor([0]))
        assert float(slope[0, 0]) < 0


def test_infinite_slope_times_probability_is_its_limit() -> None:
    """AGCE at a = 0 (GCE): u dL/du = -u^q = -e^(-100 q), where 0 * inf is NaN in published code."""
    z = torch.tensor([[0.0, 200.0]], requires_grad=True)
    for fused in (True, False):
        _, slope = value_and_gradient(build_loss("agce", a=0, q=0.25, fused=fused), z, torch.tensor([0]))
        torch.testing.assert_close(slope, torch.tensor([[-math.exp(-50), math.exp(-50)]]), rtol=1e-5, atol=0)
    # AUL at a = 1, p < 1: the slope is infinite at u_y = 1, times 1 - u_y it is e^(-40 p)
    z = torch.tensor([[40.0, 0.0]], requires_grad=True)
    _, slope = value_and_gradient(build_loss("aul", a=1, p=0.1), z, torch.tensor([0]))
    torch.testing.assert_close(slope, torch.tensor([[-math.exp(-4), math.exp(-4)]]), rtol=1e-5, atol=0)


def test_below_p_min_the_label_is_pulled_back_or_left() -> None:
    """NNCE below p_min: the value of p_min (1), and the slope there (-1 / sum of B + log u_k) or published code's 0."""
    z = torch.tensor([[0.0, 30.0]], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0])
    value, slope = value_and_gradient(build_loss("nnce"), z, y)
    B = -math.log(1e-7)
    torch.testing.assert_close(value, torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(slope, torch.tensor([[-1 / B, 1 / B]], dtype=torch.float64))
    _, flat = value_and_gradient(build_loss("nnce", floor="flat"), z, y)
    torch.testing.assert_close(flat, torch.zeros_like(flat), rtol=0, atol=1e-15)
    # just above p_min both have the slope that "inward" keeps below it
    z = torch.tensor([[0.0, 16.1]], dtype=torch.float64, requires_grad=True)
    for floor in ("inward", "flat"):
        _, slope = value_and_gradient(build_loss("nnce", floor=floor), z, y)
        assert abs(float(slope[0, 0]) * B + 1) < 0.01
    # the right label is at the minimum there, with nothing left to pull
    z = torch.tensor([[30.0, 0.0]], dtype=torch.float64, requires_grad=True)
    value, slope = value_and_gradient(build_loss("nnce"), z, y)
    assert abs(float(value)) < 1e-12
    assert float(slope.abs().max()) < 1e-12


def test_nce_at_a_vertex_depends_on_the_direction() -> None:
    """Towards the vertex of the label NCE tends to 0 along u_k equal, and to any value in (0, 1) on the way u_k = u_y^s."""
    module = build_loss("nce")
    y = torch.tensor([0])
    assert float(module(torch.tensor([[1e4, 0.0, 0.0]]), y)) == 0
    far = module(torch.tensor([[0.0, 1e4, -1e4]]), y)
    torch.testing.assert_close(far, torch.tensor(1 / 3))  # log u = (-1, 0, -2) * 1e4


@pytest.mark.parametrize("name", [name for name in ATOMS_AND_SUMS if "logitclip" not in name])
def test_float32_is_close_to_float64(name: str) -> None:
    for K, spread in ((10, 3.0), (1000, 2.0)):
        z = logits(16, K, spread)
        y = targets(16, K)[0]
        exact = value_and_gradient(build_loss(name, reduction="none"), z, y)
        short = z.detach().float().requires_grad_()
        exact_short = value_and_gradient(
            build_loss(name, reduction="none"), short.detach().double().requires_grad_(), y
        )
        found = value_and_gradient(build_loss(name, reduction="none"), short, y)
        scale = float(exact[1].abs().max())
        torch.testing.assert_close(found[0].double(), exact_short[0], rtol=2e-5, atol=2e-6)
        torch.testing.assert_close(found[1].double(), exact_short[1], rtol=1e-4, atol=3e-6 * max(scale, 1e-3))


def test_sums_of_logits_do_not_overflow_in_float16() -> None:
    """Published NCE adds log u over 100 classes in float16: 1e6 is infinite there."""
    z = torch.linspace(-1e4, 1e4, 100).to(torch.float16)[None].requires_grad_()
    value, slope = value_and_gradient(build_loss("nce"), z, torch.tensor([0]))
    torch.testing.assert_close(value, torch.tensor(2e4 / (1e4 * 100)), rtol=1e-3, atol=0)
    assert bool(slope.isfinite().all())


def test_constant_sums_over_labels() -> None:
    """The identities of the papers, on every label at once: NCE 1, NNCE K - 1, MAE 2K - 2."""
    z = logits(9, 6, 2).detach()
    for name, constant in (("nce", 1), ("nfl", 1), ("ngce", 1), ("nnce", 5), ("nnfl", 5), ("mae", 10), ("nrce", 1)):
        loss: Loss = build(name)
        assert isinstance(loss, Normalised) == (name in ("nce", "nfl", "ngce"))
        each = build_loss(name)(z, torch.full_like(z, 1 / 6))
        torch.testing.assert_close(each, torch.tensor(constant / 6, dtype=torch.float64))
