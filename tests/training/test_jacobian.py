"""Jacobian regularisation: the estimate against the exact Jacobian, training against a plain torch loop."""

from __future__ import annotations

import pytest
import torch
from asymtheory_training import fit
from asymtheory_training.data.inputs import Data, Images, batches, generator, shuffled
from asymtheory_training.distributed import World
from asymtheory_training.run.config import Settings, TrainConfig
from asymtheory_training.run.jacobian import directions, squared_norm, watched
from asymtheory_training.run.loop import Trainer
from asymtheory_training.run.stack import Family, StackedTrainer
from torch import Tensor, nn
from torch.nn import functional as F

from asymtheory import build
from asymtheory.errors import InputError

PENALTY = {"regularisation": "jacobian", "strength": 0.3}


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 4)
        ).double()


def images(count: int = 30) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(count, 1, 4, 4, generator=random, dtype=torch.float64), torch.arange(count) % 4


def exact(model: nn.Module, x: Tensor) -> Tensor:
    """Every image's Jacobian, (N, K, inputs), one image at a time."""
    return torch.stack(
        [torch.autograd.functional.jacobian(model, image[None], create_graph=True).reshape(4, -1) for image in x]
    )


def test_over_all_axes_the_estimate_is_the_exact_squared_norm() -> None:
    model, (x, _) = network(), images(7)
    wanted = exact(model, x).square().sum((1, 2)).mean()
    inputs = watched(x)
    logits = model(inputs)
    found = torch.stack([squared_norm(logits, inputs, axis.expand(7, 4)) for axis in torch.eye(4, dtype=x.dtype)])
    torch.testing.assert_close(found.mean(), wanted, rtol=1e-12, atol=0)


def test_directions_are_uniform_on_the_sphere_so_that_the_mean_is_exact_too() -> None:
    random = torch.Generator().manual_seed(0)
    drawn = directions(torch.zeros(40_000, 4, dtype=torch.float64), random)
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(40_000, dtype=torch.float64))
    torch.testing.assert_close(4 * drawn.T @ drawn / 40_000, torch.eye(4, dtype=torch.float64), rtol=0, atol=0.03)
    assert drawn.mean(0).abs().max() < 0.01


def test_training_is_that_of_a_plain_loop_with_the_jacobian_written_out() -> None:
    x, y = images()
    settings = Settings(epochs=3, batch=8, rate=0.1, clip=0.5, precision="float64", device="cpu", seed=5, **PENALTY)
    ours = network()
    trainer = Trainer(ours, nn.CrossEntropyLoss(), Data(Images(x), y), settings)
    losses = [trainer.epoch().loss for _ in trainer.remaining()]
    plain = network()
    optimiser = torch.optim.SGD(plain.parameters(), 0.1, 0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 3)
    for epoch in range(3):
        random, total = generator(5, epoch, "jacobian"), 0.0
        for part in batches(shuffled(30, 5, epoch), 8):
            along = torch.randn(len(part), 4, generator=random, dtype=torch.float64)
            along = along / along.norm(dim=1, keepdim=True)
            rows = torch.einsum("nk,nki->ni", along, exact(plain, x[part]))
            value = F.cross_entropy(plain(x[part]), y[part])
            optimiser.zero_grad()
            (value + 0.3 / 2 * 4 * rows.square().sum(1).mean()).backward()
            nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
            optimiser.step()
            total += value.item() * len(part)
        schedule.step()
        assert losses[epoch] == pytest.approx(total / 30, rel=1e-6)  # the loss alone, without its penalty
    for found, wanted in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_an_interrupted_run_draws_the_same_directions() -> None:
    x, y = images()
    settings = Settings(epochs=3, batch=8, rate=0.1, device="cpu", precision="float64", **PENALTY)
    data = Data(Images(x), y)
    whole = Trainer(network(), nn.CrossEntropyLoss(), data, settings)
    whole.epoch()
    state = whole.state()
    resumed = Trainer(network(3), nn.CrossEntropyLoss(), data, settings)
    resumed.restore(state)
    assert whole.epoch().loss == resumed.epoch().loss


def test_a_strong_penalty_flattens_the_network() -> None:
    x, y = images()
    norms = []
    for options in ({}, {"regularisation": "jacobian", "strength": 5.0}):
        model = network()
        fit(
            model,
            nn.CrossEntropyLoss(),
            x,
            y,
            epochs=15,
            batch=8,
            rate=0.05,
            precision="float64",
            device="cpu",
            **options,
        )
        norms.append(exact(model, x).square().sum((1, 2)).mean().item())
    assert norms[1] < norms[0] / 20


def test_what_cannot_be_differentiated_twice_is_refused() -> None:
    x, y = images()
    with pytest.raises(InputError, match="compile 'on': regularisation \"jacobian\" differentiates twice"):
        Settings(compile="on", **PENALTY)
    tokens = torch.zeros(4, 3, dtype=torch.int64)
    with pytest.raises(InputError, match=r"inputs of torch.int64 have no derivative"):
        fit(nn.Sequential(nn.Embedding(2, 3), nn.Flatten(), nn.Linear(9, 2)), nn.CrossEntropyLoss(), tokens,
            torch.tensor([0, 1, 0, 1]), epochs=1, **PENALTY)  # fmt: skip
    with pytest.raises(InputError, match="trained in one process only"):
        Trainer(network(), nn.CrossEntropyLoss(), Data(Images(x), y), Settings(device="cpu", **PENALTY), World(0, 2))
    with pytest.raises(InputError, match="stacked models are trained with none, l1 or l2"):
        StackedTrainer(Family(build("ce"), None), Data(Images(x), y), Settings(**PENALTY), [0], K=4)


def test_the_penalty_is_a_setting_that_needs_its_strength() -> None:
    config = TrainConfig.resolve({"regularisation": "jacobian", "strength": 1e-4})
    assert (config.regularisation, config.strength) == ("jacobian", 1e-4)
    with pytest.raises(InputError, match="strength must be a number > 0 as well"):
        TrainConfig.resolve({"regularisation": "jacobian"})
