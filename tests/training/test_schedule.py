"""A parameter of the loss that moves while a network trains."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import build_loss, fit  # noqa: E402
from asymtheory_training.data.inputs import Data, Images, stream  # noqa: E402
from asymtheory_training.losses.moving import MovingLoss  # noqa: E402
from asymtheory_training.run.config import Settings, TrainConfig  # noqa: E402
from asymtheory_training.run.loop import Trainer  # noqa: E402
from asymtheory_training.run.models import build_model  # noqa: E402
from asymtheory_training.run.schedule import Ramp, Schedule  # noqa: E402
from asymtheory_training.run.stack import Family, StackedTrainer  # noqa: E402
from asymtheory_training.sweep.plan import read_plan  # noqa: E402

from asymtheory.errors import InputError  # noqa: E402
from asymtheory.losses import build  # noqa: E402

RAMP = {"parameter": "a", "from": 1, "to": 24, "until": Fraction(1, 2)}


def trainer(schedule: object = RAMP, **settings: object) -> Trainer:
    random = torch.Generator().manual_seed(0)
    images, labels = torch.randn(60, 1, 4, 4, generator=random), torch.arange(60) % 3
    model = build_model("mlp", 3, (1, 4, 4), 0.05, seed=1)
    chosen = Settings(epochs=4, batch=10, schedule=schedule, **settings)  # type: ignore[arg-type]
    return Trainer(model, build_loss("amse", a=8), Data(Images(images), labels, labels), chosen)


def test_the_value_rises_geometrically_and_stays() -> None:
    ramp = Ramp("a", Fraction(2), None, 0.5)
    assert [ramp.at(share, 32.0) for share in (0, 0.125, 0.25, 0.5, 0.9)] == pytest.approx([2, 4, 8, 32, 32], rel=1e-12)
    assert Ramp("a", Fraction(0), None, 0.5).at(0.25, 4.0) == 2  # no geometric way leads from 0


@pytest.mark.parametrize(
    "given",
    [RAMP, "ramp:a:1:24:0.5", "cosine+ramp:a:1:24:1/2", {**RAMP, "rate": "cosine"}],
)
def test_the_table_and_the_text_say_the_same(given: object) -> None:
    assert Schedule.parse(given).text == "cosine+ramp:a:1:24:0.5"


def test_the_rate_is_that_of_the_data_set_unless_it_is_named() -> None:
    def of(schedule: object) -> str:
        return TrainConfig.resolve({"dataset": "animal10n", "loss": "amse", "schedule": schedule}).schedule

    assert of("ramp:a:1:24:0.5") == of(RAMP) == "drop:0.2:0.5,0.75+ramp:a:1:24:0.5"
    assert of("constant+ramp:a:1::0.5") == of({**RAMP, "to": "", "rate": "constant"}) == "constant+ramp:a:1::0.5"
    assert of("cosine") == "cosine"


def test_a_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('loss = "amse"\nschedule = { parameter = "a", from = 1, to = 24, until = 0.3 }\n')
    config = TrainConfig.from_toml(path)
    again = tmp_path / "again.toml"
    again.write_text(config.to_toml())
    assert TrainConfig.from_toml(again) == config
    assert config.key() != replace(config, schedule="cosine").key()


def test_a_sweep_varies_the_schedule(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        '[[runs]]\nloss = "amse"\nepochs = 1\nschedule = ["cosine", { parameter = "a", from = 1, until = 0.3 }]\n'
    )
    assert [point.config.schedule for point in read_plan(path).points] == ["cosine", "cosine+ramp:a:1::0.3"]


def test_the_parameter_goes_where_the_ramp_says() -> None:
    training = trainer()
    seen = []
    for _ in training.remaining():
        training.epoch(lambda: seen.append((float(training.loss.value), float(training.loss.scale))))
    steps = len(seen)
    assert [value for value, _ in seen] == pytest.approx(
        [24 ** min(1, t / steps / 0.5) for t in range(steps)], rel=1e-12
    )
    assert [scale for _, scale in seen][steps // 2 :] == [1.0] * (steps // 2)


def test_an_untrained_network_has_the_same_gradient_at_every_value() -> None:
    """At the uniform prediction of zero logits; without the scale the two differ by a factor 9."""
    loss = MovingLoss(build_loss("amse", a=24), "a")
    found = []
    for value in (1.0, 5.0, 24.0):
        logits = torch.zeros(6, 3, dtype=torch.float64, requires_grad=True)
        loss.move(value, 24.0, 3)
        loss(logits, torch.arange(6) % 3).backward()
        found.append(logits.grad)
    torch.testing.assert_close(found[0], found[2], rtol=1e-12, atol=0)
    torch.testing.assert_close(found[1], found[2], rtol=1e-12, atol=0)


def test_at_its_end_it_is_the_loss_itself() -> None:
    own = build_loss("nce+agce", weight=torch.tensor([1.0, 2.0, 0.5]))
    moving = MovingLoss(own, "a")
    logits, labels = torch.randn(7, 3, dtype=torch.float64), torch.tensor([0, 1, 2, -100, 1, 0, 2])
    torch.testing.assert_close(moving(logits, labels), own(logits, labels))


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_is_the_same_to_the_last_bit(stop: int) -> None:
    whole, part, rest = trainer(), trainer(), trainer()
    for _ in range(4):
        whole.epoch()
    for _ in range(stop):
        part.epoch()
    rest.restore(part.state())
    for _ in range(4 - stop):
        rest.epoch()
    for one, other in zip(whole.model.parameters(), rest.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert [epoch.loss for epoch in whole.curve] == [epoch.loss for epoch in rest.curve]


def test_fit_takes_the_table() -> None:
    images, labels = torch.randn(40, 5), torch.arange(40) % 2
    history = fit(torch.nn.Linear(5, 2), build_loss("agce"), images, labels, epochs=2, schedule={**RAMP, "until": 1})
    assert len(history.curve) == 2


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({**RAMP, "parameter": "q2"}, "amse has no parameter 'q2'"),
        ({**RAMP, "from": -1}, "a = -1"),
        ({**RAMP, "until": 2}, r"schedule 2: a ramp ends at a share of the steps in \(0, 1\]"),
        ({"parameter": "a", "untill": 1}, "did you mean 'until'"),
        ("cosine+a:1", r"after \+ a ramp is needed"),
        ("ramp:a:1:2:0.5+cosine", "the rate comes first"),
        ("ramp:a:x:2:0.5", "schedule"),
    ],
)
def test_a_schedule_that_cannot_be(schedule: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trainer(schedule)


def test_losses_that_cannot_move_are_refused() -> None:
    images, labels = torch.randn(40, 5), torch.arange(40) % 2
    with pytest.raises(InputError, match="no parameter of the core that could move"):
        fit(torch.nn.Linear(5, 2), torch.nn.CrossEntropyLoss(), images, labels, epochs=1, schedule=RAMP)
    with pytest.raises(InputError, match="whole number, which cannot move"):
        MovingLoss(build_loss("taylor-ce"), "t")


def test_a_stack_moves_every_value_as_it_would_move_alone() -> None:
    images, labels = torch.randn(60, 1, 4, 4, dtype=torch.float64), torch.arange(60) % 3
    settings = Settings(epochs=3, batch=10, schedule={**RAMP, "to": ""}, precision="float64", clip=2.0)  # type: ignore[arg-type]
    data = Data(Images(images), labels, labels)
    family = Family(build("amse"), "a", [8, 3], [1.0, 0.5])
    stack = StackedTrainer(family, data, settings, [5], K=3, width=0.05)
    for _ in stack.remaining():
        stack.epoch()
    model = build_model("mlp", 3, (1, 4, 4), 0.05, stream(5, 0, "weights"))
    alone = Trainer(model, build_loss("amse", a=8), data, replace(settings, seed=5))
    for _ in alone.remaining():
        alone.epoch()
    for name, weight in alone.model.state_dict().items():
        torch.testing.assert_close(stack.model.member(0)[name], weight, rtol=1e-9, atol=1e-10)


def test_a_family_without_the_parameter_cannot_move() -> None:
    images, labels = torch.randn(60, 1, 4, 4), torch.arange(60) % 3
    settings = Settings(epochs=1, batch=10, schedule=RAMP)  # type: ignore[arg-type]
    stack = StackedTrainer(Family(build("ce"), None), Data(Images(images), labels), settings, [0], K=3, width=0.05)
    with pytest.raises(InputError, match="ce has no values of a here"):
        stack.epoch()
