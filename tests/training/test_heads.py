"""Linear and one-layer heads as stacks, several losses in one batch, and losses at one label against those at all labels."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from asymtheory_training.confirm.rows import REPLICATES, interval
from asymtheory_training.data.inputs import Data, Images, stream
from asymtheory_training.losses.module import RobustLoss
from asymtheory_training.losses.reference import given_losses, label_losses
from asymtheory_training.run.config import Settings
from asymtheory_training.run.loop import Trainer
from asymtheory_training.run.models import build_model
from asymtheory_training.run.stack import Families, Family, StackedMLP, StackedTrainer

from asymtheory.errors import InputError
from asymtheory.losses import build, names

K, D, SEEDS = 4, 24, (0, 3)
SETTINGS = Settings(epochs=3, batch=32, rate=0.1, precision="float64", threads=1)
LOSSES = [build("amse", a=3), build("agce", q=Fraction(1, 2)), build("anl-ce"), build("mae")]


def features(seed: int = 0) -> Data:
    """65 vectors of four classes, one of which is left over from the second batch; every fifth label is wrong."""
    random = np.random.default_rng(seed)
    true = torch.arange(65) % K
    given = torch.where(torch.arange(65) % 5 == 0, (true + 1) % K, true)
    vectors = torch.from_numpy(random.normal(size=(65, D, 1, 1)))
    vectors[torch.arange(65), true] += 2
    return Data(Images(vectors), given, true, None, Images(vectors), true)


def alone(loss: object, model: str, seed: int) -> dict[str, torch.Tensor]:
    """The weights that the loop gives one head."""
    head = build_model(model, K, (D, 1, 1), 1 / 32, stream(seed, 0, "weights"))
    trainer = Trainer(head, RobustLoss(loss), features(), replace(SETTINGS, seed=seed))
    for _ in trainer.remaining():
        trainer.epoch()
    return head.state_dict()


@pytest.mark.parametrize("model", ["linear", "mlp1"])
def test_heads_of_several_losses_have_the_weights_that_each_has_alone(model: str) -> None:
    families = [Family(LOSSES[0], "a", [1, 3]), *(Family(loss, None) for loss in LOSSES[1:])]
    both = Families(families)
    trainer = StackedTrainer(both, features(), SETTINGS, SEEDS, K=K, model=model, width=1 / 32)
    for _ in trainer.remaining():
        trainer.epoch()
    for index, (seed, loss) in enumerate((seed, loss) for seed in SEEDS for loss in both.members):
        expected = alone(loss, model, seed)
        found = trainer.model.member(index)
        assert list(found) == list(expected)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-12)


def test_families_side_by_side_are_each_what_they_are_alone() -> None:
    families = [Family(LOSSES[0], "a", [1, 2, 5], [1, 2, 3]), Family(LOSSES[1], None)]
    both, z, y = Families(families), torch.randn(2 * 4, 6, K, dtype=torch.float64), torch.randint(K, (2 * 4, 6))

    def own(tensor: torch.Tensor, part: slice) -> torch.Tensor:
        return tensor.unflatten(0, (2, 4))[:, part].flatten(0, 1)

    pairs = list(zip(families, (slice(3), slice(3, 4)), strict=True))
    for whole, parts in (
        (both(z), [family(own(z, part)) for family, part in pairs]),
        (both.at(z, y), [family.at(own(z, part), own(y, part)) for family, part in pairs]),
    ):
        assert torch.equal(whole, torch.cat([part.unflatten(0, (2, -1)) for part in parts], 1).flatten(0, 1))


@pytest.mark.parametrize("name", list(names()))
@pytest.mark.parametrize("size", [1, 40])
def test_a_loss_at_one_label_is_that_at_all_labels(name: str, size: float) -> None:
    """Values and gradients, of mild logits and of such that softmax is 1 to the last digit."""
    random = torch.Generator().manual_seed(0)
    z = (torch.randn(50, 5, generator=random, dtype=torch.float64) * size).requires_grad_()
    y = torch.randint(5, (50,), generator=random)
    losses = (given_losses(build(name), z, y), label_losses(build(name), z).gather(-1, y[:, None])[:, 0])
    found, expected = (torch.autograd.grad(loss.sum(), z)[0] for loss in losses)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_inputs_that_are_shared_are_those_that_are_not() -> None:
    heads = [build_model("mlp1", K, (D, 1, 1), 1 / 32, seed) for seed in (0, 1, 2, 3)]
    stack, x = StackedMLP(heads), torch.randn(2, 7, D)
    with torch.no_grad():
        expected = torch.stack([head(x[index // 2]) for index, head in enumerate(heads)])
        torch.testing.assert_close(stack(x), expected)
        torch.testing.assert_close(stack(x.repeat_interleave(2, 0)), expected)
        torch.testing.assert_close(stack(x[0]), torch.stack([head(x[0]) for head in heads]))


def test_the_interval_is_that_of_one_replicate_after_the_other() -> None:
    random = np.random.default_rng(1)
    p, exact = random.random((3, 2, 40)), random.random((2, 40))
    drawn = np.random.default_rng(0)
    means = []
    for _ in range(REPLICATES):
        images = np.bincount(drawn.integers(40, size=40), minlength=40) / 40
        seeds = np.bincount(drawn.integers(3, size=3), minlength=3) / 3
        means.append(seeds @ ((p - exact) @ images))
    np.testing.assert_allclose(interval(p, exact), np.quantile(means, [0.025, 0.975], axis=0).T, atol=1e-12)


def test_bad_input_is_one_line() -> None:
    with pytest.raises(InputError, match="at least one is needed"):
        Families([])
    with pytest.raises(InputError, match="only linear, mlp1, mlp are trained as one batch"):
        StackedTrainer(Family(build("ce"), None), features(), SETTINGS, [0], K=K, model="cnn4")
