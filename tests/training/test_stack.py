"""Stacked models against the same models trained alone, in float64; losses against the core; what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from asymtheory_training.data.inputs import Data, Images, stream
from asymtheory_training.data.labels import Redrawn, make_labels
from asymtheory_training.losses.module import RobustLoss
from asymtheory_training.run.config import Settings
from asymtheory_training.run.loop import Trainer
from asymtheory_training.run.models import build_model
from asymtheory_training.run.stack import Family, StackedMLP, StackedTrainer
from torch import Tensor

from asymtheory.errors import InputError
from asymtheory.losses import build

K, SHAPE, SEEDS = 4, (1, 4, 4), (0, 3)
SETTINGS = Settings(epochs=3, batch=32, rate=0.1, precision="float64", threads=1)


def data(redrawn: bool = False, seed: int = 0) -> Data:
    """65 uint8 images of four classes, one of which is left over from the second batch; a fifth of the labels is wrong."""
    random = np.random.default_rng(seed)
    true = np.arange(65) % K
    pixels = random.integers(0, 120, (65, *SHAPE), dtype=np.uint8)
    pixels[np.arange(65), 0, true] += 100
    noisy = make_labels(true, "symmetric", K=K, eta=0.2)
    images = Images(torch.from_numpy(pixels), (0.5,), (0.25,))
    redraw = Redrawn("symmetric", K, 0.4) if redrawn else None
    labels = torch.from_numpy(true)
    return Data(images, torch.tensor(noisy.labels), labels, redraw, images, labels)


def stacked(family: Family, settings: Settings = SETTINGS, **options: Any) -> StackedTrainer:
    trainer = StackedTrainer(
        family, options.pop("data", None) or data(), settings, options.pop("seeds", SEEDS), K=K, width=1 / 32, **options
    )
    for _ in trainer.remaining():
        trainer.epoch()
    return trainer


def alone(loss: Any, settings: Settings, seed: int, kept: Data) -> dict[str, Tensor]:
    """The weights that the loop gives one model."""
    model = build_model("mlp", K, SHAPE, 1 / 32, stream(seed, 0, "weights"))
    before = model.classifier.weight.detach().double().clone()
    trainer = Trainer(model, RobustLoss(loss), kept, replace(settings, seed=seed))
    for _ in trainer.remaining():
        trainer.epoch()
    assert (model.classifier.weight - before).abs().max() > 1e-4  # else the comparison says nothing
    return model.state_dict()


def assert_same(trainer: StackedTrainer, losses: list[Any], settings: Settings, kept: Data) -> None:
    for index, (seed, loss) in enumerate((seed, loss) for seed in trainer.seeds for loss in losses):
        expected = alone(loss, settings, seed, kept)
        found = trainer.model.member(index)
        assert list(found) == list(expected)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-12)


FAMILIES = [
    ("amse", "a", ["1", "9/5", "30"], {"q": 2}),
    ("amse", "a", ["1", "3"], {"q": 3}),
    ("agce", "a", ["1/1000", "1/5", "3"], {"q": Fraction(1, 2)}),
    ("agce", "a", ["1/5", "3"], {"q": Fraction(3, 2)}),
    ("aul", "a", ["1", "3/2", "6"], {"p": 2}),
    ("aul", "a", ["9/8", "6"], {"p": Fraction(1, 2)}),
    ("ael", "a", ["1/20", "1/2", "3"], {}),
    ("jal-ce", "a", ["1", "9/5"], {}),
    ("nce+agce", "a", ["1/10", "6"], {}),
    ("agce", "q", ["1/2", "3/2"], {}),
]


@pytest.mark.parametrize(("name", "parameter", "values", "fixed"), FAMILIES)
def test_a_stacked_model_has_the_weights_of_the_same_model_alone(
    name: str, parameter: str, values: list[str], fixed: dict[str, Any]
) -> None:
    loss, numbers = build(name, **fixed), [Fraction(value) for value in values]
    trainer = stacked(Family(loss, parameter, numbers))
    assert_same(trainer, [loss.replace(**{parameter: value}) for value in numbers], SETTINGS, data())


@pytest.mark.parametrize(
    "changed",
    [
        {"clip": 0.05},
        {"regularisation": "l2", "strength": 0.01},
        {"regularisation": "l1", "strength": 0.01, "clip": 0.2},
        {"momentum": 0.5, "nesterov": True, "schedule": "step:1:0.5"},
    ],
    ids=str,
)
def test_clip_penalty_and_schedule_are_those_of_the_loop(changed: dict[str, Any]) -> None:
    settings = replace(SETTINGS, **changed)
    losses = [Fraction(3, 2) * build("ael", a=a) for a in (Fraction(1, 5), Fraction(2))]
    trainer = stacked(Family(build("ael"), "a", [Fraction(1, 5), 2], [1.5, 1.5]), settings)
    assert_same(trainer, losses, settings, data())


def test_the_loss_of_an_epoch_is_that_of_the_loop() -> None:
    """The batches differ in size, so that a mean of batches is not the mean of images."""
    loss, kept = build("amse", a=5), data()
    trainer = StackedTrainer(Family(loss, "a", [5]), kept, SETTINGS, SEEDS, K=K, width=1 / 32)
    means = torch.stack([trainer.epoch() for _ in trainer.remaining()], 1)
    for seed, mean in zip(SEEDS, means, strict=True):
        model = build_model("mlp", K, SHAPE, 1 / 32, stream(seed, 0, "weights"))
        single = Trainer(model, RobustLoss(loss), kept, replace(SETTINGS, seed=seed))
        assert mean.tolist() == pytest.approx([single.epoch().loss for _ in single.remaining()], rel=1e-12)


def test_what_is_seen_of_an_epoch_is_what_the_loop_sees() -> None:
    settings, kept = replace(SETTINGS, clip=0.5, rate=0.5), data()
    trainer = StackedTrainer(Family(build("ce"), None), kept, settings, SEEDS, K=K, width=1 / 32)
    singles = [
        Trainer(build_model("mlp", K, SHAPE, 1 / 32, stream(seed, 0, "weights")), RobustLoss(build("ce")), kept, own)
        for seed in SEEDS
        for own in [replace(settings, seed=seed)]
    ]
    shares: set[float] = set()
    for _ in trainer.remaining():
        means = torch.stack(trainer.watched().means(settings.clip), 1)
        found = [single.epoch() for single in singles]
        expected = [[each.loss, each.gradient, each.clipped] for each in found]
        np.testing.assert_allclose(means.numpy(), expected, rtol=1e-12)
        shares |= {each.clipped for each in found}
    assert 0.5 in shares  # one step of two was clipped


def test_redrawn_labels_are_those_of_the_loop() -> None:
    kept = data(redrawn=True)
    trainer = stacked(Family(build("ce"), None), data=kept)
    assert_same(trainer, [build("ce")], SETTINGS, kept)


def test_every_seed_has_its_own_labels() -> None:
    first = data()
    other = torch.tensor(make_labels(first.true.numpy(), "pair", K=K, eta=0.4).labels)  # type: ignore[union-attr]
    trainer = stacked(Family(build("mae"), None), given=torch.stack([first.given, other]))
    one = alone(build("mae"), SETTINGS, 3, Data(first.images, other, first.true))
    torch.testing.assert_close(
        trainer.model.member(1)["classifier.weight"], one["classifier.weight"], rtol=0, atol=1e-12
    )


def test_the_expected_loss_is_the_mean_over_labels() -> None:
    """One step on the rows of the noise is the step on the average of all labels, weighted by the row."""
    rows = torch.tensor(Redrawn("pair", K, 0.4).matrix)
    trainer = StackedTrainer(Family(build("amse"), "a", [2, 5]), data(), SETTINGS, [0], K=K, width=1 / 32, rows=rows)
    x = torch.randn(2, 8, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    true = torch.arange(8) % K
    logits = trainer.model(x)
    each = trainer.family(logits)
    by_hand = sum(rows[true, k] * each[:, torch.arange(8), k] for k in range(K)).mean(1)  # type: ignore[union-attr]
    torch.testing.assert_close(trainer.step(x, rows[true].expand(2, 8, K)), by_hand.detach(), rtol=1e-13, atol=0)


def test_the_expected_loss_draws_no_label() -> None:
    """Trained on expected losses, two different given labels make no difference; on labels they do."""
    rows = torch.tensor(Redrawn("symmetric", K, 0.4).matrix)
    kept = data()
    other = Data(kept.images, (kept.given + 1) % K, kept.true)
    one, two = (stacked(Family(build("ce"), None), data=each, rows=rows).model.member(0) for each in (kept, other))
    assert all(torch.equal(one[name], two[name]) for name in one)
    one, two = (stacked(Family(build("ce"), None), data=each).model.member(0) for each in (kept, other))
    assert not any(torch.equal(one[name], two[name]) for name in one)


def test_a_model_that_diverges_leaves_the_others_alone() -> None:
    family = Family(build("mae"), None, scales=[1.0])
    calm = stacked(family, replace(SETTINGS, clip=float("inf")), seeds=[0])
    wild = StackedTrainer(
        Family(build("ael"), "a", [1, 2], [1.0, float("nan")]), data(), SETTINGS, [0], K=K, width=1 / 32
    )
    for _ in wild.remaining():
        wild.epoch()
    assert wild.diverged == [False, True]
    assert calm.diverged == [False]
    single = stacked(Family(build("ael"), "a", [1]), seeds=[0])
    torch.testing.assert_close(wild.model.member(0), single.model.member(0), rtol=0, atol=1e-14)


def test_accuracy_is_that_of_the_network() -> None:
    trainer = stacked(Family(build("ce"), None), replace(SETTINGS, epochs=20, rate=0.5))
    kept = data()
    found = []
    for index in range(len(trainer)):
        model = build_model("mlp", K, SHAPE, 1 / 32, 0).double()
        model.load_state_dict(trainer.model.member(index))
        x = kept.images.to(torch.device("cpu"), torch.float64).batch(slice(0, 65), torch.float64)
        found.append(float((model(x).argmax(-1) == kept.true).double().mean()))
    assert trainer.test() == pytest.approx(found, abs=1e-12)
    assert min(found) > 0.3


def test_a_family_of_scaled_losses_is_the_core_s() -> None:
    values, scales = [Fraction(6, 5), Fraction(2), Fraction(9)], [1.0, 0.25, 3.0]
    family = Family(build("amse"), "a", values, scales)
    logits = torch.randn(6, 5, K, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = family(logits)
    for model in range(6):
        u = torch.softmax(logits[model], -1).numpy()
        expected = scales[model % 3] * build("amse", a=values[model % 3])(u)
        np.testing.assert_allclose(found[model].numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Family(build("amse"), "b", [1]), "'b'"),
        (lambda: Family(build("amse"), "a", [Fraction(1, 2)]), "1/2|0.5"),
        (lambda: Family(build("amse"), "a", []), "go together"),
        (lambda: Family(build("ce"), None, scales=[1.0, 2.0]), "2 scales for 1"),
        (lambda: StackedMLP([build_model("cnn4", K, (1, 8, 8), 1 / 16)]), "Conv2d cannot be stacked"),
        (lambda: stacked(Family(build("ce"), None), seeds=[]), "at least one"),
        (lambda: stacked(Family(build("ce"), None), data=replace(data(), balanced=3)), "--balanced 3: stacked"),
        (lambda: stacked(Family(build("ce"), None), replace(SETTINGS, precision="bfloat16")), "bfloat16"),
        (lambda: stacked(Family(build("ce"), None), given=torch.zeros(1, 65, dtype=torch.int64)), r"\(2, 65\)"),
        (lambda: stacked(Family(build("ce"), None), rows=torch.eye(3)), r"\(4, 4\)"),
    ],
)
def test_bad_input_is_one_line(make: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
