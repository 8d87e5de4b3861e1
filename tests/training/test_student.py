"""The Student loss: densities, margin and centre term against their definitions, the network with its head, runs by name.

Seen failing with: log d for d in the exponent and the reverse, a power of pi too many, degrees without their square or in float32,
a margin of the wrong sign, on the wrong class, a centre term without its half or without its gradient, distances in bfloat16,
densities scaled to sum 1, a head registered in the loss, a least norm of features, sizes of 0.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from scipy.special import gamma
from scipy.stats import multivariate_t

from asymtheory.errors import InputError

torch = pytest.importorskip("torch", reason="the Student loss needs asymtheory[training]")
from asymtheory_training import build_loss, build_model, fit  # noqa: E402
from asymtheory_training.losses.registry import head_of  # noqa: E402
from asymtheory_training.losses.student import DENSITIES, StudentHead, StudentLoss  # noqa: E402
from asymtheory_training.run.config import TrainConfig  # noqa: E402
from asymtheory_training.run.run import Prepared, loss_of, run, trained_model  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.autograd import gradcheck, gradgradcheck  # noqa: E402

N, D, K = 9, 6, 4


def made(density: str, features: int = D, classes: int = K, seed: int = 0) -> StudentHead:
    """A head in float64 whose classes differ in their degrees of freedom."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = StudentHead(features, classes, density).double()
        nn.init.uniform_(head.raw_degrees, -2, 2)
    return head


def sample(scale: float = 1.0, features: int = D, n: int = N) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    x = scale * torch.randn(n, features, generator=random, dtype=torch.float64)
    return x, torch.randint(K, (n,), generator=random)


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


def spaces(head: StudentHead, x: Tensor) -> tuple[Any, Any, Any]:
    """(distances (N, K), degrees (K,), means (K, d)) in numpy, each from its definition."""
    f, means = unit(x).detach().numpy(), unit(head.means).detach().numpy()
    distances = ((f[:, None] - means[None]) ** 2).sum(2)
    return distances, head.raw_degrees.detach().numpy() ** 2 + 0.1, means


# ------------------------------------------------------------------------------------------------------------ the head


def test_logits_are_the_log_densities_of_scipy() -> None:
    x, _ = sample()
    head = made("student")
    _, degrees, means = spaces(head, x)
    expected = [
        multivariate_t.logpdf(unit(x).numpy(), mean, np.eye(D), nu) for mean, nu in zip(means, degrees, strict=True)
    ]
    np.testing.assert_allclose(head(x).detach(), np.stack(expected, 1), rtol=1e-12)


def by_the_code(head: StudentHead, x: Tensor, margin: float = 0.0, labels: Tensor | None = None) -> Any:
    """Published code in numpy: densities with log d, scaled to norm 1; the label's distance enlarged."""
    distances, nu, means = spaces(head, x)
    d = math.log(means.shape[1])
    if labels is not None:
        distances[range(len(labels)), labels] *= 1 + margin
    at_mean = gamma((nu + d) / 2) / (gamma(nu / 2) * nu ** (d / 2))
    density = at_mean * (1 + distances / nu + 1e-8) ** (-(nu + d) / 2)
    return density / np.linalg.norm(density, axis=1, keepdims=True)


def test_published_scores_are_those_of_the_code() -> None:
    x, _ = sample()
    head = made("published")
    scores = head.scores(head(x)).detach().numpy()
    np.testing.assert_allclose(scores, by_the_code(head, x), rtol=1e-6)
    assert (scores.argmax(1) == head(x).argmax(1).numpy()).all()


def test_many_degrees_of_freedom_make_a_gaussian() -> None:
    x, _ = sample()
    head = made("student")
    with torch.no_grad():
        head.raw_degrees.fill_(3e3)  # nu = 9e6
    distances = spaces(head, x)[0]
    gaussian = -D / 2 * math.log(2 * math.pi) - distances / 2
    np.testing.assert_allclose(head(x).detach(), gaussian, atol=1e-5)
    single = deepcopy(head).float()  # the constants are of size nu log nu = 1e8
    np.testing.assert_allclose(single(x.float()).detach(), gaussian, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("density", DENSITIES)
def test_extremes_stay_finite(density: str, dtype: torch.dtype) -> None:
    """Features of size 1e4 and of 0, means that a feature hits exactly, degrees from 0.1 to 1e12, d = 4096."""
    d = 4096
    head = made(density, d).float()
    loss = StudentLoss(build_loss("nce+rce"), 0.3, 0.05, head)
    for raw in (0.0, 1.0, 1e6):
        head.raw_degrees.data.fill_(raw)
        x = torch.zeros(6, d)
        x[0], x[1], x[2:4] = 1e4, -1e4, head.means.data[:2]
        x = x.to(dtype).requires_grad_()
        for label in range(K):
            value = loss(head(x), torch.full((6,), label))
            slopes = torch.autograd.grad(value, [x, *head.parameters()])
            assert value.isfinite()
            assert all(slope.isfinite().all() for slope in slopes)


def test_autocast_leaves_the_head_in_float32() -> None:
    x, _ = sample(features=256, n=32)
    head = made("student", 256).float()
    plain = head(x.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = head(x.float())
    assert cast.dtype == torch.float32
    torch.testing.assert_close(cast, plain, rtol=0, atol=0)
    exact = deepcopy(head).double()(x)
    torch.testing.assert_close(plain.double(), exact, rtol=1e-5, atol=0)


def test_single_precision_is_enough_for_the_margin() -> None:
    """The distance read back from a float32 logit is right to a few units of the last place of 1 + D/nu."""
    x, y = sample(features=512, n=64)
    for density in DENSITIES:
        head = made(density, 512)
        loss = StudentLoss(build_loss("nce+rce"), 0.3, 0.05, head)
        exact = loss(head(x), y)
        single = deepcopy(head).float()
        found = StudentLoss(build_loss("nce+rce"), 0.3, 0.05, single)(single(x.float()), y)
        torch.testing.assert_close(found.double(), exact, rtol=2e-5, atol=0)


# ------------------------------------------------------------------------------------------------------------ the loss


class Given(nn.Module):
    """A loss that keeps the logits it is given and says 0."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        self.logits = logits
        return logits.sum() * 0


def test_the_margin_is_that_of_enlarged_distances() -> None:
    x, y = sample()
    for margin in (0.0, 0.1, 3.0):
        head, seen = made("student"), Given()
        StudentLoss(seen, margin, 0, head)(head(x), y)
        distances, nu, _ = spaces(head, x)
        distances[range(N), y] *= 1 + margin
        c = np.array([multivariate_t.logpdf(np.zeros(D), np.zeros(D), np.eye(D), each) for each in nu])
        np.testing.assert_allclose(seen.logits.detach(), c - (nu + D) / 2 * np.log1p(distances / nu), rtol=1e-10)


def test_the_published_margin_is_that_of_the_code() -> None:
    x, y = sample()
    head, seen = made("published"), Given()
    StudentLoss(seen, 0.3, 0, head)(head(x), y)
    expected = by_the_code(head, x, 0.3, y)
    np.testing.assert_allclose(seen.logits.detach(), expected, rtol=1e-6)
    assert np.abs(expected - by_the_code(head, x)).max() > 0.01


@pytest.mark.parametrize("density", DENSITIES)
def test_the_centre_term_is_half_the_mean_distance_to_the_labels_mean(density: str) -> None:
    x, y = sample()
    head = made(density)
    whole, bare = (StudentLoss(build_loss("gce"), 0.2, centre, head)(head(x), y) for centre in (0.7, 0))
    distances = spaces(head, x)[0]
    assert (whole - bare).item() == pytest.approx(0.35 * distances[range(N), y].mean(), rel=1e-10)


@pytest.mark.parametrize("density", DENSITIES)
def test_gradients_are_those_of_finite_differences(density: str) -> None:
    x, y = sample()
    head = made(density)
    loss = StudentLoss(build_loss("nce+rce"), 0.3, 0.5, head)

    def value(features: Tensor, means: Tensor, raw: Tensor) -> Tensor:
        head._parameters.update(means=means, raw_degrees=raw)  # type: ignore[call-overload]
        return loss(head(features), y)

    inputs = (x.requires_grad_(), head.means, head.raw_degrees)
    assert gradcheck(value, inputs)
    assert gradgradcheck(lambda features: value(features, *inputs[1:]), inputs[:1])  # as a Jacobian penalty needs


def test_any_loss_goes_inside() -> None:
    x, y = sample()
    head = made("student")
    posterior = torch.softmax(head(x), 1)
    found = StudentLoss(nn.CrossEntropyLoss(), head=head)(head(x), y)
    torch.testing.assert_close(found, -posterior[range(N), y].log().mean())
    assert StudentLoss(build_loss("mae"), head=head)(head(x), y).item() == pytest.approx(
        2 * (1 - posterior[range(N), y]).mean().item()
    )


def test_the_head_is_the_networks_alone() -> None:
    head = StudentHead(D, K)
    loss = StudentLoss(build_loss("ce"), 0.1, 0.1, head)
    assert not list(loss.parameters())
    assert not loss.state_dict()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda: StudentHead(0, 3), "features = 0: a whole number >= 1"),
        (lambda: StudentHead(4, 1), "classes = 1: a whole number >= 2"),
        (lambda: StudentHead(4, 3, "studant"), r"'studant' is not one of published, student.*did you mean 'student'\?"),
        (lambda: StudentHead(4, 3)(torch.zeros(2, 5)), r"features \(N, 4\) are needed, got \(2, 5\)"),
        (lambda: build_loss("lt-apl", margin=-1), r"lt-apl: margin = -1 is outside its domain \[0, inf\)"),
        (lambda: build_loss("lt-apl", centre="x"), "lt-apl: centre: a number is needed"),
        (lambda: build_loss("lt-apl", beta=0), "beta = 0 is outside"),
        (lambda: build_loss("lt-apl", lambda_=1), r"lt-apl has no parameter 'lambda_' \(it has: margin, centre, alpha, beta, A\)"),
        (lambda: build_loss("lt-apl", reduction="sum"), "lt-apl has no option reduction"),
        (lambda: build_loss("lt-apl")(torch.zeros(2, 3), torch.tensor([0, 1])), r"call loss.bind\(model\) first"),
        (lambda: build_loss("lt-apl").bind(nn.Linear(3, 2)), "one StudentHead, its last layer, is needed; this one has 0"),
        (lambda: bound()(torch.zeros(2, 4), torch.tensor([0, 1])), r"logits \(N, 3\) of the head.*got \(2, 4\)"),
        (lambda: bound()(torch.zeros(2, 3), torch.zeros(2, 3)), "integer labels"),
        (lambda: bound()(torch.zeros(2, 3), torch.tensor([0, -1])), r"label -1 at position 1 is outside 0\.\.2"),
        (lambda: bound()(torch.zeros(2, 3), torch.tensor([3, 0])), r"label 3 at position 0 is outside 0\.\.2"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(what: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        what()
    assert "\n" not in str(caught.value)


def bound() -> StudentLoss:
    return StudentLoss(build_loss("ce"), head=StudentHead(4, 3))


# ------------------------------------------------------------------------------------------------- networks and runs


def test_a_head_changes_no_other_weight() -> None:
    for name in ("mlp", "cnn4", "resnet34"):
        plain = build_model(name, 10, (1, 8, 8), 1 / 16, seed=3)
        other = build_model(name, 10, (1, 8, 8), 1 / 16, seed=3, head=head_of("lt-apl"))
        assert isinstance(other.classifier, StudentHead)
        assert other.classifier.density == "published"
        pairs = zip(plain.body.state_dict().values(), other.body.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        again = build_model(name, 10, (1, 8, 8), 1 / 16, seed=3, head=head_of("LT_APL"))
        assert torch.equal(again.classifier.means, other.classifier.means)
        x = torch.rand(5, 1, 8, 8)
        torch.testing.assert_close(other(x), other.classifier(other.features(x)))
    assert head_of("lt-apl-student")(4, 3).density == "student"
    assert head_of("ce") is head_of(None) is None


def configured(**given: Any) -> TrainConfig:
    noise = {"kind": "symmetric", "eta": "0.4"}
    return TrainConfig.resolve({"loss": "lt-apl", "noise": noise, "device": "cpu", "threads": 1, **given})


def test_a_run_by_name_learns_and_does_not_memorise() -> None:
    result = run(configured(epochs=20, rate=0.05))
    assert result.history.curve[-1].test is not None
    assert result.history.curve[-1].test > 0.93
    assert result.history.final.memorised is not None
    assert result.history.final.memorised < 0.1
    assert result.theory is None
    assert "lt-apl on digits" in str(result)


@pytest.mark.parametrize(
    "given", [{}, {"loss": "lt-apl-student"}, {"model": "cnn4", "width": 0.1}], ids=["", "student", "cnn4"]
)
def test_a_stopped_run_goes_on_bit_by_bit(given: dict[str, Any], tmp_path: Any) -> None:
    config = configured(epochs=4, subset=200, **given)
    whole = run(config, tmp_path / "whole")

    def halt(epoch: Any) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "part", on_epoch=halt)
    resumed = run(config, tmp_path / "part", resume=True)
    assert [e.loss for e in resumed.history.curve] == [e.loss for e in whole.history.curve]
    (ours, _), (theirs, _) = (trained_model(tmp_path / name) for name in ("whole", "part"))
    assert isinstance(ours.classifier, StudentHead)
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))
    prepared = Prepared.of(config)
    before = prepared.model().classifier
    assert not torch.equal(ours.classifier.raw_degrees, before.raw_degrees)  # degrees of freedom are learned
    assert not torch.equal(ours.classifier.means, before.means)
    test = prepared.data.to(torch.device("cpu"), torch.float32)
    hit = ours(test.test.batch(slice(None), torch.float32)).argmax(1) == test.test_labels
    assert hit.double().mean().item() == whole.history.curve[-1].test


@pytest.mark.parametrize(
    "given",
    [
        {"noise": {"kind": "symmetric", "eta": "0.4", "mode": "redrawn"}},
        {"regularisation": "jacobian", "strength": 0.001},
        {"precision": "bfloat16"},
        {"probe": True},
        {"parameters": {"margin": "0.3", "centre": "0"}},
    ],
    ids=["redrawn", "jacobian", "bfloat16", "probe", "parameters"],
)
def test_it_goes_with_the_other_settings(given: dict[str, Any]) -> None:
    result = run(configured(epochs=2, subset=100, **given))
    assert all(math.isfinite(epoch.loss) for epoch in result.history.curve)
    assert result.history.curve[0].loss != result.history.curve[1].loss


def test_every_weight_is_trained_once() -> None:
    prepared = Prepared.of(configured(subset=100))
    trainer = prepared.trainer(loss_of(prepared.config))
    assert isinstance(trainer.loss, StudentLoss)
    assert len({id(weight) for weight in trainer.weights}) == len(trainer.weights) == 6


def test_a_network_of_your_own() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(300, 5, generator=random)
    y = x[:, :3].argmax(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = StudentHead(features=16, classes=3)
        model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), head)
    for loss in (
        StudentLoss(build_loss("nce+rce", beta=10), margin=0.1, centre=0.05, head=head),
        build_loss("lt-apl").bind(model),
    ):
        history = fit(model, loss, x, y, test=(x, y), epochs=20, batch=20, rate=0.05, device="cpu")
        assert history.curve[-1].test is not None
        assert history.curve[-1].test > 0.9
