"""RobustLoss as a torch module: the semantics of cross_entropy, bad input, warnings, compile, autocast, torch.func."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
import warnings
from fractions import Fraction
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from asymtheory_training import BelowThreshold, RobustLoss, build_loss  # noqa: E402

from asymtheory import InputError, build, pair, symmetric  # noqa: E402
from asymtheory.losses import names  # noqa: E402


def logits(*shape: int, seed: int = 0) -> Any:
    return (2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))).requires_grad_()


def labels(K: int, *shape: int, seed: int = 1) -> Any:
    return torch.randint(0, K, shape, generator=torch.Generator().manual_seed(seed))


def gradient(value: Any, z: Any) -> Any:
    return torch.autograd.grad(value.sum(), z)[0]


# ------------------------------------------------------------------------------------------- as cross_entropy

SHAPES = [((7, 5), (7,)), ((3, 5, 4), (3, 4)), ((2, 5, 3, 4), (2, 3, 4)), ((5,), ()), ((0, 5), (0,))]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_everything_that_cross_entropy_does(shape: Any, reduction: str, fused: bool) -> None:
    """Loss "ce" against torch's own, for labels and probabilities, with weights and ignored labels; gradients too."""
    z, y = logits(*shape[0]), labels(5, *shape[1])
    classes = 0 if len(shape[0]) == 1 else 1
    soft = torch.softmax(logits(*shape[0], seed=3).detach(), classes)
    weight = torch.tensor([0.5, 2.0, 0.0, 1.0, 3.0])
    for target in (y, y.to(torch.int32).long(), soft):
        for options in ({}, {"weight": weight}, {"ignore_index": 3}, {"ignore_index": 3, "weight": weight}):
            if target.is_floating_point() and "ignore_index" in options:
                continue
            wanted = F.cross_entropy(z, target, reduction=reduction, **options)
            found = build_loss("ce", reduction=reduction, fused=fused, **options)(z, target)
            torch.testing.assert_close(found, wanted, equal_nan=True)
            assert found.shape == wanted.shape
            torch.testing.assert_close(gradient(found, z), gradient(wanted, z), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["jal-ce", "anl-fl", "gce"])
def test_labels_are_one_hot_probabilities(name: str) -> None:
    z, y = logits(6, 5, 3), labels(5, 6, 3)
    hot = F.one_hot(y, 5).movedim(-1, 1).float()
    module = build_loss(name, reduction="none")
    torch.testing.assert_close(module(z, y), module(z, hot))
    torch.testing.assert_close(gradient(module(z, y), z), gradient(module(z, hot), z), rtol=1e-5, atol=1e-7)
    by_row = build_loss(name, reduction="none")(z.movedim(1, -1).reshape(-1, 5), y.reshape(-1))
    torch.testing.assert_close(module(z, y).reshape(-1), by_row)


@pytest.mark.parametrize("fused", [True, False])
def test_only_ignored_labels(fused: bool) -> None:
    """As cross_entropy: the mean over nothing is NaN, its gradient 0; ignored rows of a batch have gradient 0."""
    z = logits(3, 4)
    value = build_loss("jal-ce", fused=fused)(z, torch.full((3,), -100))
    assert math.isnan(value.item())
    assert bool((gradient(value, z) == 0).all())
    slope = gradient(build_loss("jal-ce", fused=fused)(z, torch.tensor([1, -100, 2])), z)
    assert bool((slope[1] == 0).all())
    assert bool((slope[0] != 0).all())
    assert float(build_loss("jal-ce", reduction="sum")(z, torch.full((3,), -100)).detach()) == 0


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_results_do_not_depend_on_labels_seen_before(reduction: str) -> None:
    """Labels to be ignored are looked for once one was seen; the first comes as a surprise."""
    z, y = logits(6, 5), labels(5, 6)
    some = y.clone()
    some[2] = -100
    module, fresh = build_loss("jal-ce", reduction=reduction), build_loss("jal-ce", reduction=reduction)
    before, surprised = (module(z, target) for target in (y, some))
    again, expected = (module(z, target) for target in (y, some))
    for one, other in ((before, again), (surprised, expected), (expected, fresh(z, some))):
        assert torch.equal(one, other)
        assert torch.equal(*(torch.autograd.grad(x.sum(), z, retain_graph=True)[0] for x in (one, other)))
    kept = torch.arange(6) != 2
    wanted = build_loss("jal-ce", reduction=reduction)(z[kept], y[kept])
    torch.testing.assert_close(expected[kept] if reduction == "none" else expected, wanted)


@pytest.mark.parametrize("name", sorted(names()))
def test_an_empty_batch(name: str) -> None:
    """As cross_entropy: nothing, a sum of 0, a mean of NaN."""
    z = torch.zeros(0, 3, requires_grad=True)
    for target in (torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3)):
        each, total, mean = (build_loss(name, reduction=kind)(z, target) for kind in ("none", "sum", "mean"))
        assert each.shape == (0,)
        assert float(total.detach()) == 0
        assert math.isnan(float(mean.detach()))
        assert torch.autograd.grad(mean, z)[0].shape == (0, 3)


@pytest.mark.parametrize("name", ["nnce+nnce", "anl-ce+nnce", "nnfl+nfl+nnfl", "anl-fl+anl-fl"])
def test_a_normalised_negative_loss_twice(name: str) -> None:
    z, y = logits(6, 5).detach().double().requires_grad_(), labels(5, 6)
    fused, plain = (build_loss(name, fused=fused)(z, y) for fused in (True, False))
    torch.testing.assert_close(fused, plain)
    torch.testing.assert_close(torch.autograd.grad(fused, z), torch.autograd.grad(plain, z))


@pytest.mark.parametrize("reduction", ["none", "sum"])
@pytest.mark.parametrize("name", ["jal-ce", "anl-fl"])
def test_many_gradients_at_once(name: str, reduction: str) -> None:
    z, y = logits(6, 5).detach().double(), labels(5, 6)
    fused, plain = (
        torch.autograd.functional.jacobian(
            partial(build_loss(name, reduction=reduction, fused=way), target=y), z, vectorize=True
        )
        for way in (True, False)
    )
    torch.testing.assert_close(fused, plain)


def test_weights_of_another_precision() -> None:
    z, y = logits(6, 5), labels(5, 6)
    module = build_loss("jal-ce", weight=torch.ones(5, dtype=torch.float64))
    for target in (y, torch.nn.functional.one_hot(y, 5).float()):
        assert module(z, target).dtype == torch.float32


def test_narrow_labels_out_of_range_are_named() -> None:
    """-100 is 156 in eight bits."""
    with pytest.raises(InputError, match="label 156 at position 0"):
        build_loss("jal-ce")(torch.zeros(2, 100), torch.tensor([156, 3], dtype=torch.uint8))


def test_strided_logits_and_other_integer_labels() -> None:
    z, y = logits(5, 6), labels(5, 6)
    module = build_loss("anl-ce")
    torch.testing.assert_close(module(z.T, y), module(z.T.contiguous(), y))
    assert torch.equal(module(z.T, y.to(torch.uint8)), module(z.T, y))


def test_evaluation_keeps_no_gradient() -> None:
    z, y = logits(4, 3), labels(3, 4)
    module = build_loss("jal-ce")
    with torch.no_grad():
        value = module(z, y)
    assert value.grad_fn is None
    assert torch.equal(value, module(z, y).detach())
    assert module(z.detach(), y).grad_fn is None


# ------------------------------------------------------------------------------------------------- building


def test_names_sums_losses_and_formulas() -> None:
    assert build_loss("JAL_CE", a=20).loss == build("jal-ce", a=20)
    assert build_loss("nce+agce", a=0.5).loss == build("nce+agce", a=0.5)
    core = 2 * build("gce") + build("mae")
    assert build_loss(core).loss == core
    assert build_loss(core, q=0.5).loss == core.replace(q=0.5)
    z, y = logits(6, 5), labels(5, 6)
    formula = build_loss(formula="((a+1)**q-(a+u)**q)/q", a=1, q=0.5)
    torch.testing.assert_close(formula(z, y), build_loss("agce", a=1, q=0.5)(z, y))
    u = torch.softmax(z, 1).gather(1, y[:, None])
    for fused in (True, False):
        quotient = build_loss(formula="(1-u)/u**0.5", fused=fused)
        torch.testing.assert_close(quotient(z, y), ((1 - u) / u.sqrt()).mean())
    with_passive = build_loss(formula="(1-u)**2", passive="u**2")
    torch.testing.assert_close(with_passive(z, y) / 5, build_loss("mse")(z, y))


def test_defaults_are_the_core_s() -> None:
    """Which are the papers' CIFAR-10 settings: a test of the core holds that."""
    for name in ("nce+agce", "jal-ce", "anl-ce", "gce", "aul"):
        assert build_loss(name).loss == build(name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("jalce",), r"'jalce' is not a known loss; did you mean 'jal-ce'"),
        (("jal-ce", {"b": 3}), r"jal-ce has no parameter 'b' \(it has: alpha, beta, a, q\)"),
        (("amse", {"a": 0.5}), r"amse: a = 0.5 is outside its domain \[1, inf\)"),
        (("ce", {"reduction": "avg"}), r"reduction 'avg' is not one of none, mean, sum"),
        (("nnce", {"floor": "zero"}), r"floor 'zero' is not one of inward, flat"),
        (("ce", {"weight": torch.ones(2, 2)}), r"weight: .* \(K,\) is needed, got float32 \(2, 2\)"),
        (("ce", {"weight": torch.tensor([1, 2])}), r"weight: .* got int64 \(2,\)"),
        (("ce", {"formula": "1-u"}), r"one of them"),
        (("ce", {"passive": "u"}), r"belong to a formula"),
        ((None,), r"a loss is needed"),
        ((3,), r"a loss is a name or a Loss of asymtheory, got int"),
        (("logitclip-ce+mae",), r"cannot be summed"),
        ((None, {"formula": "u"}), r"increases in u"),
    ],
)
def test_bad_losses_are_refused(arguments: Any, message: str) -> None:
    name, *options = arguments
    with pytest.raises(InputError, match=message) as error:
        build_loss(name, **(options[0] if options else {}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("z", "y", "message"),
    [
        (torch.zeros(4, 3), torch.tensor([0, 1, 3, 5]), r"label 3 at position 2 is outside 0..2 \(2 such labels; ignore_index"),
        (torch.zeros(4, 3), torch.tensor([0, 1, 2, -1]), r"label -1 at position 3"),
        (torch.zeros(2, 3, 2), torch.tensor([[0, 1], [2, 7]]), r"label 7 at position \(1, 1\)"),
        (torch.zeros(3), torch.tensor(4), r"label 4 is outside 0..2"),
        (torch.zeros(4, 3), torch.zeros(4, 1, dtype=torch.int64), r"need integer labels \(4,\) .* got int64 \(4, 1\)"),
        (torch.zeros(4, 3), torch.zeros(4), r"or probabilities \(4, 3\), got float32 \(4,\)"),
        (torch.zeros(4, 3), torch.zeros(4, 3, dtype=torch.int64), r"integer labels \(4,\)"),
        (torch.zeros(4, 3), torch.zeros(4, dtype=torch.bool), r"got bool \(4,\)"),
        (torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64), r"have K = 1 classes; at least 2"),
        (torch.zeros(4, 3, dtype=torch.int64), torch.zeros(4, dtype=torch.int64), r"floating-point logits .* got int64 \(4, 3\)"),
        (torch.tensor(1.0), torch.tensor(0), r"floating-point logits"),
    ],
)  # fmt: skip
def test_bad_batches_are_refused(z: Any, y: Any, message: str, fused: bool) -> None:
    with pytest.raises(InputError, match=message) as error:
        build_loss("jal-ce", fused=fused)(z.requires_grad_(z.is_floating_point()), y)
    assert "\n" not in str(error.value)


def test_class_counts_must_agree() -> None:
    with pytest.raises(InputError, match=r"K = 4 classes, weight has 3 entries"):
        build_loss("ce", weight=torch.ones(3))(logits(2, 4), labels(4, 2))
    with pytest.raises(InputError, match=r"K = 4 classes; the loss was built for 10"):
        build_loss("mae", noise=symmetric(10, Fraction(1, 5)))(logits(2, 4), labels(4, 2))
    with pytest.raises(InputError, match=r"weight has 3 entries, but there are 10 classes"):
        build_loss("mae", noise=symmetric(10, Fraction(1, 5)), weight=torch.ones(3))
    with pytest.raises(InputError, match=r"p_min = 0.4 is not below 1/K = 0.333333"):
        build_loss("nnce", p_min=0.4)(logits(2, 3), labels(3, 2))


# ------------------------------------------------------------------------------------------------ the theory


def test_asymmetric_on_asks_the_core() -> None:
    noise = symmetric(10, Fraction(4, 5))
    assert build_loss("amse", a=9).asymmetric_on(noise).asymmetric is True
    assert build_loss("amse", a=8.9).asymmetric_on(noise).asymmetric is False
    assert build_loss("gce", q=0.7).asymmetric_on([5, 4]).asymmetric is False


def test_below_the_threshold_warns_once_and_names_it() -> None:
    noise = symmetric(10, Fraction(4, 5))
    with pytest.warns(
        BelowThreshold, match=r"jal-ce with a = 5 is not asymmetric on this noise; it is for: a >= 9"
    ) as seen:
        module = build_loss("jal-ce", a=5, noise=noise)
    assert len(seen) == 1
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module(logits(2, 10), labels(10, 2))
        build_loss("jal-ce", a=9, noise=noise)
        build_loss("ce", noise=noise)  # it has no parameter to choose
    with pytest.warns(BelowThreshold, match="for: a >= "):
        build_loss("agce", a=Fraction(1, 10), q=0.5, noise=pair(3, Fraction(2, 5)))
    with pytest.warns(BelowThreshold):
        build_loss("amse", a=2, noise=[3, 2, 1])


# ------------------------------------------------------------------------------------------- as an nn.Module


def test_module_habits() -> None:
    module = build_loss("jal-ce", a=20, weight=torch.ones(10), reduction="sum", detach_modulation=True)
    assert repr(module) == (
        "RobustLoss(JAL-CE(alpha=1, beta=1, a=20, q=2), weight=(10,), reduction='sum', detach_modulation=True)"
    )
    assert repr(build_loss("ce")) == "RobustLoss(CE)"
    assert list(module.state_dict()) == []
    assert list(module.parameters()) == []
    z, y = logits(4, 10), labels(10, 4)
    unused = pickle.dumps(module)
    value = module(z, y)
    assert pickle.dumps(module) == unused  # what was worked out for K = 10 stays out
    for twin in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert isinstance(twin, RobustLoss)
        assert repr(twin) == repr(module)
        assert torch.equal(twin(z, y), value)
    assert module.double().weight.dtype == torch.float64
    assert module.to("meta").weight.device.type == "meta"
    assert torch.equal(torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())(value), value)


def test_the_package_imports_no_torch_until_asked() -> None:
    code = "import sys, asymtheory_training as t; assert 'torch' not in sys.modules; assert 'build_loss' in dir(t)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_logits_are_computed_in_float32(dtype: Any) -> None:
    z, y = logits(8, 50), labels(50, 8)
    half = z.detach().to(dtype).requires_grad_()
    full = half.detach().float().requires_grad_()
    for name in ("jal-ce", "anl-fl", "agce"):
        module = build_loss(name)
        value, wanted = module(half, y), module(full, y)
        assert value.dtype == torch.float32
        assert torch.equal(value, wanted)
        slope = gradient(value, half)
        assert slope.dtype == dtype
        torch.testing.assert_close(slope, gradient(wanted, full).to(dtype))
    soft = torch.softmax(z.detach(), -1).to(dtype)
    torch.testing.assert_close(build_loss("mae")(half, soft), build_loss("mae")(full, soft.float()))


def test_autocast_changes_nothing() -> None:
    model = torch.nn.Linear(6, 10)
    x, y = logits(8, 6).detach(), labels(10, 8)
    for name in ("jal-ce", "anl-fl", "ngce", "logitclip-ce"):
        for fused in (True, False):
            module = build_loss(name, fused=fused)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                z = model(x)
                value = module(z, y)
            assert z.dtype == torch.bfloat16
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, module(z, y))
            value.backward()
    assert bool(model.weight.grad.isfinite().all())


def test_it_trains() -> None:
    """Plain torch, 30 % symmetric noise on separable data: the noisy labels do not decide."""
    torch.manual_seed(0)
    clean = labels(4, 400)
    x = torch.nn.functional.one_hot(clean, 4) + 0.3 * torch.randn(400, 4)
    noisy = torch.where(torch.rand(400) < 0.3, (clean + torch.randint(1, 4, (400,))) % 4, clean)
    model, module = torch.nn.Linear(4, 4), build_loss("jal-ce", a=5, noise=symmetric(4, Fraction(3, 10)))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    for _ in range(100):
        optimiser.zero_grad()
        module(model(x), noisy).backward()
        optimiser.step()
    assert float((model(x).argmax(1) == clean).float().mean()) > 0.94


# ------------------------------------------------------------------------------------- compile and torch.func


@pytest.mark.filterwarnings("ignore")  # of torch's own compiler
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("jal-ce", {}),
        ("anl-fl", {}),
        ("phuber-ce", {}),
        ("ngce", {}),
        ("amse", {"q": 1.5}),
        ("aul", {"a": 1, "p": 0.1}),
    ],
)
def test_compile_takes_a_loss_in_one_graph(name: str, options: Any) -> None:
    compare_compiled(build_loss(name, **options))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("formula", "parameters"),
    [
        ("((a+1)**q-(a+u)**q)/q", {"a": 1, "q": 0.5}),  # one curve
        ("max(0, 3/4-u) + (1-u)/4", {}),  # two, with a kink
        ("-log(u)*(1-u)**q", {"q": 0.5}),
    ],
)
def test_compile_takes_a_formula_in_one_graph(formula: str, parameters: Any) -> None:
    compare_compiled(build_loss(formula=formula, **parameters))


def compare_compiled(module: Any) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    z, y = logits(6, 5), labels(5, 6)
    torch.testing.assert_close(compiled(z, y), module(z, y))
    torch.testing.assert_close(gradient(compiled(z, y), z), gradient(module(z, y), z))


def test_a_loss_does_not_import_the_compiler() -> None:
    """Which takes about as long as torch itself."""
    code = "import sys, torch; from asymtheory_training import build_loss\nz = torch.zeros(2, 3, requires_grad=True)\n"
    code += "build_loss('phuber-ce')(z, torch.tensor([0, 1])).backward()\nassert 'torch._dynamo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forward mode in torch itself
def test_torch_func() -> None:
    z, y = logits(6, 5), labels(5, 6)
    for name in ("jal-ce", "anl-fl", "agce"):
        module = build_loss(name, reduction="sum")
        slope = gradient(module(z, y), z)
        z0 = z.detach()
        torch.testing.assert_close(torch.func.grad(module)(z0, y), slope, rtol=1e-5, atol=1e-6)
        each = torch.func.vmap(torch.func.grad(lambda z, y, m=module: m(z[None], y[None])))(z0, y)
        torch.testing.assert_close(each, slope, rtol=1e-5, atol=1e-6)
        assert torch.func.vmap(module)(torch.stack([z0, 2 * z0]), torch.stack([y, y])).shape == (2,)
        hessian = torch.func.hessian(module)(z0[:1], y[:1])
        torch.testing.assert_close(hessian.reshape(5, 5), hessian.reshape(5, 5).T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("formula", "parameters"),
    [
        ("1-u_y+c*norm(u,p)", {"c": 0.3, "p": 0.5}),
        ("-log((u_y+where(u_y>=max(u),m,0))/(1+m))", {"m": 3}),
        ("sum(max(0,1+u-u_y))/K", {}),
        ("(1-u)**2/sum((1-u)**2)", {}),
        ("log(u_y)/sum(log(u))+acos(sqrt(u_y))", {}),
        ("where(u<0.5,0.75-u,(1-u)**2)/K", {}),
    ],
)
def test_formulas_of_all_probabilities(formula: str, parameters: dict[str, float]) -> None:
    """Values of the core, gradients by differences, finite ones at huge logits; fused or not."""
    torch.manual_seed(0)
    z = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 1, 2, 3])
    u = torch.softmax(z, -1).detach().numpy()
    extreme = torch.tensor([[0.0, 1, 2], [100, -100, 0], [-1000, 0, 3], [1000, 0, 0]])
    for fused in (True, False):
        module = build_loss(formula=formula, fused=fused, reduction="none", **parameters)
        known = module.loss(u)[range(4), y.numpy()]
        torch.testing.assert_close(module(z, y).detach().numpy(), known, rtol=1e-12, atol=1e-14)
        assert torch.autograd.gradcheck(lambda z, module=module: module(z, y), z)
        logits = extreme.clone().requires_grad_()
        value = module(logits, torch.tensor([0, 1, 0, 0])).sum()
        value.backward()
        assert value.isfinite()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
