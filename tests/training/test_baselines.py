"""Baselines of the papers' tables: values in closed form, gradients, what they are there for, and reached by name.

Seen failing with: a threshold of SelNL at 2/K, the record written one epoch late, complementary labels that may be the given
one, phases that start an epoch late, weights of SelPL left out of its mean, clipping by the norm over the batch, epsilon-softmax
on the least likely class, smoothing with r/(K-1), ignored labels counted, another generator, a record that is not saved, ...
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from asymtheory.errors import InputError
from asymtheory.losses import build
from asymtheory.numbers.text import plain

torch = pytest.importorskip("torch", reason="the baselines need asymtheory[training]")
from asymtheory_training import build_loss, fit  # noqa: E402
from asymtheory_training.data.augment import normalise  # noqa: E402
from asymtheory_training.data.labels import Redrawn, make_labels  # noqa: E402
from asymtheory_training.data.sets import load_dataset  # noqa: E402
from asymtheory_training.losses.baselines import NLNL, BaselineLoss, EpsilonSoftmax, LabelSmoothing, LogitClip  # noqa: E402
from asymtheory_training.losses.module import RobustLoss  # noqa: E402
from asymtheory_training.losses.registry import BASELINES, head_of  # noqa: E402
from asymtheory_training.losses.student import StudentLoss  # noqa: E402
from asymtheory_training.run.config import TrainConfig  # noqa: E402
from asymtheory_training.run.models import build_model  # noqa: E402
from asymtheory_training.run.run import run  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.autograd import gradcheck  # noqa: E402
from torch.nn import functional as F  # noqa: E402

pytestmark = pytest.mark.xdist_group("baselines")

# every method of the results tables of APL (2, 3), ALF (1, 2), ANL (2, 3, 5) and JAL (3, 4) -> its name here
TABLES = {
    "CE": "ce", "FL": "fl", "MAE": "mae", "GCE": "gce", "SCE": "sce", "NLNL": "nlnl", "NCE": "nce", "NFL+MAE": "nfl+mae",
    "NFL+RCE": "nfl+rce", "NCE+MAE": "nce+mae", "NCE+RCE": "nce+rce", "AUL": "aul", "AGCE": "agce", "AEL": "ael",
    "NCE+AUL": "nce+aul", "NCE+AGCE": "nce+agce", "NCE+AEL": "nce+ael", "PHuber-CE": "phuber-ce", "Taylor-CE": "taylor-ce",
    "ANL-CE": "anl-ce", "ANL-FL": "anl-fl", "CE+LC": "logitclip-ce", "JAL-CE": "jal-ce", "JAL-FL": "jal-fl", "LT-APL": "lt-apl",
}  # fmt: skip
ON_LABELS = [  # called like torch.nn.CrossEntropyLoss, on any logits; test_training_student.py has those with a head
    name for name, baseline in BASELINES.items() if name not in ("nlnl", "pruned-gce", "gjs") and baseline.head is None
]


def sample(n: int = 7, K: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(n, K, generator=random, dtype=torch.float64), torch.randint(K, (n,), generator=random)


# ------------------------------------------------------------------------------------------------------------ by name


@pytest.mark.parametrize(("title", "name"), [*TABLES.items(), *((b.title, b.name) for b in BASELINES.values())])
def test_every_method_of_the_tables_has_a_name(title: str, name: str) -> None:
    loss = build_loss(name)
    known = {name: baseline.title for name, baseline in BASELINES.items()}
    if name in known:
        assert isinstance(loss, BaselineLoss)
        assert known[name] == title
    else:
        assert isinstance(loss, RobustLoss)
        assert build(name).title == {"CE+LC": "CE+LogitClip"}.get(title, title)


def test_the_documentation_has_every_method_with_its_defaults() -> None:
    text = (Path(__file__).parents[2] / "docs" / "baselines.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    assert {row[0].strip("`") for row in rows} == {*TABLES.values(), *BASELINES}
    for row in rows:
        name = row[0].strip("`")
        defaults = BASELINES[name].defaults if name in BASELINES else build(name).parameters
        assert row[2] == ", ".join(f"{parameter} = {plain(value)}" for parameter, value in defaults.items()), name


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("nls", {"r": 0.1}, r"nls: r = 0.1 is outside its domain \(-inf, 0\)"),
        ("ls", {"r": 2}, r"r = 2 is outside"),
        ("ece", {"n": 1}, r"ece has no parameter 'n' \(it has: m\)"),
        ("ece+mae", {"alpha": 0}, "alpha = 0 is outside"),
        ("nlnl", {"complements": 1.5}, "whole numbers"),
        ("nlnl", {"selnl": "x"}, "selnl: a number is needed"),
        ("nlnl", {"selnl": 0.5, "selpl": 0.4}, "SelNL comes before SelPL"),
        ("nlnl", {"reduction": "sum"}, "nlnl has no option reduction"),
        ("nls", {"reduction": "total"}, "'total' is not one of"),
        ("nls", {"noise": [3, 2, 1]}, "no threshold"),
        ("nlnk", {}, r"did you mean 'nlnl'\?.*docs/baselines.md"),
        ("gces", {}, r"did you mean 'gce'\?.*asymtheory losses"),
        ("mse+mae", {"b": 1}, "has no parameter 'b'"),
    ],
)
def test_bad_input_is_refused_in_one_line(name: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build_loss(name, **parameters)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BASELINES)
def test_the_core_is_not_asked_about_them(name: str) -> None:
    with pytest.raises(InputError, match="is not a loss on the simplex"):
        build_loss(name).asymmetric_on([3, 2, 1])


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """400 digits, a fifth of their labels wrong, and the test set."""
    whole = load_dataset("digits")
    few = whole.subset(400)
    noisy = make_labels(few.train_labels.numpy(), "symmetric", K=10, eta=0.2)
    x, test = (normalise(images, few.mean, few.std, torch.float32) for images in (few.train_images, few.test_images))
    assert few.test_labels is not None
    return x, torch.tensor(noisy.labels), (test, few.test_labels)


@pytest.mark.parametrize("name", [*dict.fromkeys([*TABLES.values(), *ON_LABELS])])
def test_every_method_trains_digits_above_chance(name: str, digits: Any) -> None:
    """Chance is 0.1. NLNL would take hundreds of epochs with one complementary label at a visit."""
    x, labels, test = digits
    model = build_model("mlp", 10, (1, 8, 8), seed=0, head=head_of(name))
    loss = build_loss(name, **({"complements": 9} if name == "nlnl" else {}))
    if isinstance(loss, StudentLoss):
        loss.bind(model)
    how = {"epochs": 8, "rate": 0.02, "batch": 20, "device": "cpu", "threads": 1, "evaluate": 8}
    history = fit(model, loss, x, labels, test=test, **how)
    assert history.curve[-1].test is not None
    assert history.curve[-1].test > 0.4


# ------------------------------------------------------------------------------------------- LogitClip


@pytest.mark.parametrize("tau", [0.5, 2.5, 40])
def test_logitclip_is_the_loss_of_the_core(tau: float) -> None:
    z, y = sample()
    for logits in (z, 100 * z):
        a, b = (logits.clone().requires_grad_() for _ in range(2))
        ours = LogitClip(build_loss("ce"), tau)(a, y)
        theirs = build_loss("logitclip-ce", tau=tau)(b, y)
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(*torch.autograd.grad(ours, a), *torch.autograd.grad(theirs, b))


def test_logitclip_bounds_any_loss() -> None:
    """-log u_y <= log(1 + (K-1) exp(tau sqrt(K/(K-1)))) on ||z|| <= tau: the label at one end, all others at the other."""
    K, tau = 5, 1.5
    z = -1e4 * torch.eye(K, dtype=torch.float64)[:1] + 1e4 / K
    bound = math.log(1 + (K - 1) * math.exp(tau * math.sqrt(K / (K - 1))))
    assert LogitClip(nn.CrossEntropyLoss(), tau)(z, torch.tensor([0])).item() == pytest.approx(bound)
    gce = LogitClip(build_loss("gce", q=0.5), tau)(z, torch.tensor([0])).item()
    assert gce == pytest.approx((1 - math.exp(-bound) ** 0.5) / 0.5)


def test_logitclip_is_of_each_pixel() -> None:
    z = torch.randn(2, 5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    y = torch.randint(5, (2, 3, 4), generator=torch.Generator().manual_seed(2))
    whole = LogitClip(build_loss("ce", reduction="none"), 1)(z, y)
    alone = [LogitClip(build_loss("ce"), 1)(z[i, :, j, k], y[i, j, k]) for i, j, k in ((0, 0, 0), (1, 2, 3), (0, 1, 2))]
    torch.testing.assert_close(torch.stack(alone), torch.stack([whole[0, 0, 0], whole[1, 2, 3], whole[0, 1, 2]]))


# ------------------------------------------------------------------------------------- label smoothing, epsilon-softmax


@pytest.mark.parametrize(
    "options", [{}, {"weight": [1.0, 2.0, 0.5, 3.0, 1.5]}, {"ignore_index": 2}, {"reduction": "sum"}]
)
def test_label_smoothing_is_that_of_torch(options: dict[str, Any]) -> None:
    if "weight" in options:
        options = {"weight": torch.tensor(options["weight"], dtype=torch.float64)}
    z, y = sample(40)
    for logits, target in ((z, y), (z.reshape(4, 10, 5).movedim(2, 1), y.reshape(4, 10)), (z[0], y[0])):
        for r in (0.0, 0.1, 0.7, 1.0):
            theirs = F.cross_entropy(logits, target, label_smoothing=r, **options)
            torch.testing.assert_close(build_loss("ls", r=r, **options)(logits, target), theirs)
    soft = torch.softmax(sample(40, seed=3)[0], 1)
    if "ignore_index" not in options:
        theirs = F.cross_entropy(z, soft, label_smoothing=0.3, **options)
        torch.testing.assert_close(build_loss("ls", r=0.3, **options)(z, soft), theirs)


def test_negative_label_smoothing_in_closed_form() -> None:
    """With r = -1 and K = 5 a label counts 2 - 1/5 and each other class -1/5."""
    z, y = sample()
    logu = torch.log_softmax(z, 1)
    expected = -(2 * logu[range(7), y] - logu.mean(1))
    torch.testing.assert_close(build_loss("nls", r=-1, reduction="none")(z, y), expected)
    z.requires_grad_()
    (slope,) = torch.autograd.grad(build_loss("nls", r=-1, reduction="sum")(z, y), z)
    target = 2 * F.one_hot(y, 5).double() - 1 / 5
    torch.testing.assert_close(slope, torch.softmax(z, 1) - target)


def test_labels_out_of_range_are_named() -> None:
    with pytest.raises(InputError, match=r"label 9 at position 2 is outside 0\.\.4"):
        build_loss("nls")(torch.zeros(3, 5), torch.tensor([0, -100, 9]))


def test_epsilon_softmax_in_closed_form() -> None:
    z, y = sample(50)
    u = torch.softmax(z, 1)
    for m in (0, 3, 1e5):
        sharp = (u + m * F.one_hot(z.argmax(1), 5)) / (1 + m)
        torch.testing.assert_close(build_loss("ece", m=m, reduction="none")(z, y), -sharp[range(50), y].log())
        mae = 2 * (1 - u[range(50), y])
        both = build_loss("ece+mae", m=m, alpha=0.5, beta=3)(z, y)
        torch.testing.assert_close(both, (-0.5 * sharp[range(50), y].log() + 3 * mae).mean())
        focal = -((1 - sharp[range(50), y]) ** 2) * sharp[range(50), y].log()
        both = build_loss("efl+mae", m=m, alpha=0.5, beta=3, gamma=2)(z, y)
        torch.testing.assert_close(both, (0.5 * focal + 3 * mae).mean())
        assert ((sharp - F.one_hot(z.argmax(1), 5)).norm(dim=1) <= math.sqrt(2) / (1 + m)).all()


def test_epsilon_softmax_has_no_dead_zone() -> None:
    """Published code clamps at 1e-8, so a label below (1 + m) 1e-8 gets no gradient; the definition's is 1 in z_y."""
    z = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(build_loss("ece")(z, torch.tensor([1])), z)
    torch.testing.assert_close(slope, torch.tensor([[1.0, -1.0, 0.0]]))


@pytest.mark.parametrize("name", [*ON_LABELS, "logitclip"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    z, y = sample()
    loss = LogitClip(build_loss("gce"), 1) if name == "logitclip" else build_loss(name)
    assert gradcheck(lambda x: loss(x, y), (z.requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ON_LABELS)
def test_extreme_logits_stay_finite(name: str, dtype: torch.dtype) -> None:
    z = torch.tensor([[1e4, -1e4, 0], [0, 0, 0], [-1e4, 1e4, 1e4]]).to(dtype).requires_grad_()
    for label in range(3):
        value = build_loss(name)(z, torch.full((3,), label))
        (slope,) = torch.autograd.grad(value, z)
        assert value.isfinite()
        assert slope.isfinite().all()


# ----------------------------------------------------------------------------------------------------------------- NLNL


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def nlnl_by_hand(logits: Tensor, y: Tensor, weight: Tensor, kept: Tensor, phase: str, draws: Tensor) -> Tensor:
    """The sum written out sample by sample."""
    total, count = torch.zeros((), dtype=logits.dtype), torch.zeros((), dtype=logits.dtype)
    for z, label, keep, each in zip(logits, y, kept, draws, strict=True):
        if not keep:
            continue
        u = torch.softmax(z, 0)
        if phase == "SelPL":
            total, count = total - weight[label] * u[label].log(), count + weight[label]
        else:
            for c in each:
                total = total - weight[label] * (1 - u[c]).log()
            count = count + 1
    return total / count


@pytest.mark.parametrize("phase", ["NL", "SelNL", "SelPL"])
def test_nlnl_is_the_sum_over_samples(phase: str) -> None:
    N, K, complements = 30, 4, 3
    y = torch.cat([torch.arange(4), torch.zeros(20, dtype=torch.int64), torch.full((6,), 2)])  # unbalanced
    z = torch.randn(N, K, generator=random(), dtype=torch.float64).requires_grad_()
    weight = y.bincount().max() / y.bincount()
    loss = NLNL(complements=complements, gamma=0.4, history=3)
    confidence = torch.linspace(0, 0.8, N)
    loss.follow(y)
    loss.record[:] = confidence[:, None] + torch.tensor([0.1, 0.0, -0.1])
    epoch = {"NL": 29, "SelNL": 30, "SelPL": 60}[phase]
    loss.begin(epoch, 90, y, random(5))
    assert loss.phase == phase
    part = torch.randperm(N, generator=random(1))[:17]
    value = loss(z[part], y[part], part)
    draws = (y[part][:, None] + torch.randint(1, K, (17, complements), generator=random(5))) % K
    least = {"NL": -1.0, "SelNL": 1 / K, "SelPL": 0.4}[phase]
    kept = confidence[part] >= least
    assert phase == "NL" or 0 < kept.sum() < 17
    expected = nlnl_by_hand(z[part], y[part], weight, kept, phase, draws)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(*torch.autograd.grad(value, z), *torch.autograd.grad(expected, z))
    shown = torch.softmax(z, 1)[part, y[part]].float().detach()
    torch.testing.assert_close(loss.record[part, epoch % 3], shown)
    others = torch.ones(N, dtype=torch.bool)
    others[part] = False
    torch.testing.assert_close(loss.record[others].mean(1), confidence[others])  # and nothing else is written


def test_nlnl_averages_over_the_epochs_that_there_were() -> None:
    """Two epochs of probability 0.6 and 0.2 make 0.4, before the history of ten is full."""
    y = torch.zeros(2, dtype=torch.int64)
    for gamma, kept in ((0.39, True), (0.41, False)):
        loss = NLNL(gamma=gamma, selnl=0.5, selpl=0.5)
        for epoch, u in enumerate((0.6, 0.2)):
            loss.begin(epoch, 4, y)
            loss(torch.tensor([[u, 1 - u]] * 2).log(), y, torch.arange(2))
        loss.begin(2, 4, y)
        value = loss(torch.tensor([[0.5, 0.5]] * 2).log(), y, torch.arange(2))
        assert value.item() == pytest.approx(math.log(2) if kept else 0)


def test_nlnl_averages_over_a_samples_own_visits() -> None:
    """Seen once in three epochs is known by that once, seen never is kept; another training starts from nothing."""
    y = torch.zeros(3, dtype=torch.int64)
    loss = NLNL(gamma=0.5, selnl=0.75, selpl=0.75)
    for _ in range(2):
        for epoch, seen in enumerate(([0, 1], [0], [0])):
            loss.begin(epoch, 4, y)
            u = torch.tensor([0.9, 0.4] if epoch == 0 else [0.6])[: len(seen)]
            loss(torch.stack([u, 1 - u], 1).log(), y[seen], torch.tensor(seen))
        loss.begin(3, 4, y)
        torch.testing.assert_close(loss.record.nanmean(1), torch.tensor([0.7, 0.4, math.nan]), equal_nan=True)
        kept = [loss(torch.zeros(1, 2), y[:1], torch.tensor([i])).item() > 0 for i in range(3)]
        assert kept == [True, False, True]


def test_nlnl_never_says_the_given_label_is_wrong() -> None:
    """Each other class is drawn about equally often, the given one never."""
    K, n = 5, 4000
    y = torch.randint(K, (n,), generator=random(1))
    loss = NLNL()
    loss.begin(0, 3, y, random(2))
    z = torch.zeros(n, K, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(z, y, torch.arange(n)), z)
    drawn = (slope > 0.5 * slope.max()).int()  # d/dz_c of -log(1 - u_c) is u_c, of the others -u_c u_k / (1 - u_c)
    assert drawn.sum() == n
    assert not drawn[torch.arange(n), y].any()
    apart = (drawn.argmax(1) - y) % K
    counts = apart.bincount(minlength=K)[1:]
    assert (counts - n / 4).abs().max() < 5 * math.sqrt(n * 3 / 16)


def test_nlnl_is_finite_where_published_code_is_nan() -> None:
    z = torch.tensor([[1e4, -1e4, 0.0], [0.0, 0.0, 0.0], [-1e4, 1e4, 1e4]], requires_grad=True)
    y = torch.tensor([1, 0, 2])
    published = F.cross_entropy(z, y * 0 - 100) * 0.0
    assert published.isnan()  # the mean over no samples, times 0
    loss = NLNL(complements=4, selnl=0.2, selpl=0.4)
    for epoch in range(10):
        loss.begin(epoch, 10, y, random(epoch))
        value = loss(z, y, torch.arange(3))
        (slope,) = torch.autograd.grad(value, z)
        assert value.isfinite()
        assert slope.isfinite().all()


def test_nlnl_pushes_a_class_down_however_sure_the_network_is() -> None:
    """d/dz_c of -log(1 - u_c) is u_c; the published clamp at 1e-5 makes it 0 where u_c is near 1."""
    y = torch.tensor([1])
    loss = NLNL()
    loss.begin(0, 3, y)
    z = torch.tensor([[40.0, 0.0]], requires_grad=True)  # two classes: the complementary one is 0
    (slope,) = torch.autograd.grad(loss(z, y, torch.arange(1)), z)
    torch.testing.assert_close(slope, torch.tensor([[1.0, -1.0]]))


@pytest.mark.parametrize("options", [{"selpl": 1}, {"selnl": 0.5, "selpl": 0.5}], ids=["SelNL", "SelPL"])
def test_a_batch_without_anyone_to_trust_has_no_gradient(options: dict[str, Any]) -> None:
    y = torch.tensor([0, 1])
    loss = NLNL(**options)
    loss.begin(0, 2, y)
    loss(4 * (y[:, None] != torch.arange(2)).float(), y, torch.arange(2))  # sure of the other class
    loss.begin(1, 2, y)
    z = torch.randn(2, 2, generator=random(), requires_grad=True)
    value = loss(z, y, torch.arange(2))
    (slope,) = torch.autograd.grad(value, z)
    assert value == 0
    assert not slope.any()


@pytest.mark.parametrize(
    ("shares", "phases"),
    [
        ({}, "NNNSSSPPP"),
        ({"selnl": 1, "selpl": 1}, "NNNNNNNNN"),
        ({"selnl": "1/9", "selpl": "1/9"}, "NPPPPPPPP"),
        ({"selpl": 1}, "NNNSSSSSS"),
        ({"selnl": "2/5", "selpl": "1/2"}, "NNNNSPPPP"),
    ],
)
def test_phases_begin_at_their_shares(shares: dict[str, Any], phases: str) -> None:
    loss = NLNL(**{name: Fraction(share) for name, share in shares.items()})
    found = ""
    for epoch in range(9):
        loss.begin(epoch, 9, torch.zeros(1, dtype=torch.int64))
        found += {"NL": "N", "SelNL": "S", "SelPL": "P"}[loss.phase]
    assert found == phases


def test_nlnl_says_how_it_is_called() -> None:
    loss, y = NLNL(), torch.tensor([0, 1])
    with pytest.raises(InputError, match=r"begin.*comes before"):
        loss(torch.zeros(2, 3), y, y)
    loss.begin(0, 3, y)
    with pytest.raises(InputError, match=r"got \(2, 3\), \(2,\), \(1,\)"):
        loss(torch.zeros(2, 3), y, y[:1])
    with pytest.raises(InputError, match="integer labels"):
        NLNL().begin(0, 3, torch.zeros(2, 3))


# ------------------------------------------------------------------------------------------------------ NLNL in the loop

NOISY: dict[str, Any] = {
    "loss": "nlnl", "parameters": {"complements": 9}, "epochs": 30, "rate": 0.1, "schedule": "constant", "threads": 1,
    "noise": {"kind": "symmetric", "eta": "0.4"}, "device": "cpu",
}  # fmt: skip


def test_nlnl_trusts_the_right_labels() -> None:
    """At 40 % noise digits are learnt, and next to none of the wrong labels are."""
    result = run(TrainConfig.resolve(NOISY))
    last = result.history.curve[-1]
    assert last.test is not None
    assert last.test > 0.93
    assert result.history.final.memorised is not None
    assert result.history.final.memorised < 0.05
    assert result.theory is None
    assert "nlnl (complements = 9)" in str(result)


def test_nlnl_is_the_same_by_seed_and_after_a_stop(tmp_path: Any) -> None:
    config = TrainConfig.resolve({**NOISY, "epochs": 9, "subset": 300})
    whole = run(config, tmp_path / "whole")
    again = run(config)
    assert again.history.curve[-1].loss == whole.history.curve[-1].loss
    for stop in (2, 5, 8):

        def halt(epoch: Any, stop: int = stop) -> None:
            if epoch.epoch == stop:
                raise KeyboardInterrupt

        out = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            run(config, out, on_epoch=halt)
        resumed = run(config, out, resume=True)
        assert [e.loss for e in resumed.history.curve] == [e.loss for e in whole.history.curve]
    ours, theirs = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "5"))
    assert all(torch.equal(a, b) for a, b in zip(ours["model"].values(), theirs["model"].values(), strict=True))
    assert ours["loss"]["record"].shape == (300, 10)
    other = run(TrainConfig.resolve({**NOISY, "epochs": 9, "subset": 300, "seed": 1}))
    assert other.history.curve[-1].loss != whole.history.curve[-1].loss


def test_labels_that_change_at_every_visit_cannot_be_followed() -> None:
    x, y = torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])
    with pytest.raises(InputError, match=r"labels changed.*redrawn"):
        fit(nn.Linear(3, 2), NLNL(), x, None, true=y, redraw=Redrawn("symmetric", 2, 1), epochs=1)


def test_a_baseline_gets_the_penalty_that_the_paper_gave_baselines() -> None:
    config = TrainConfig.resolve({"recipe": "anl-cifar10", "loss": "nlnl", "regularisation": "published"})
    assert (config.regularisation, config.strength) == ("l2", 1e-4)
    with pytest.raises(InputError, match="not a known loss"):
        TrainConfig.resolve({"recipe": "anl-cifar10", "loss": "nnll", "regularisation": "published"})


def test_wrappers_show_what_they_are() -> None:
    assert repr(LogitClip(nn.CrossEntropyLoss(), 1)).startswith("LogitClip(\n  tau=1\n")
    assert "m=3" in repr(EpsilonSoftmax(nn.CrossEntropyLoss(), 3))
    assert "r=-0.5" in repr(LabelSmoothing(-0.5))
    assert "selpl=2/3" in repr(NLNL())
