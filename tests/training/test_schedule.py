"""A loss that is led to its end while a network trains: along a ramp, from another loss, until a signal."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import build_loss, fit  # noqa: E402
from asymtheory_training.data.inputs import Data, Images, stream  # noqa: E402
from asymtheory_training.losses.moving import MovingLoss, StartedLoss  # noqa: E402
from asymtheory_training.run.config import Settings, TrainConfig  # noqa: E402
from asymtheory_training.run.lead import NEAR, PATIENCE, Watch, at_vertices  # noqa: E402
from asymtheory_training.run.loop import Trainer  # noqa: E402
from asymtheory_training.run.models import build_model  # noqa: E402
from asymtheory_training.run.schedule import Ramp, Schedule, Start  # noqa: E402
from asymtheory_training.run.stack import Family, StackedTrainer  # noqa: E402
from asymtheory_training.sweep.plan import read_plan  # noqa: E402
from asymtheory_training.sweep.stack_find import family_of  # noqa: E402

from asymtheory.errors import InputError  # noqa: E402
from asymtheory.losses import build  # noqa: E402

RAMP = {"parameter": "a", "from": 1, "to": 24, "until": Fraction(1, 2)}
START = {"loss": "ce", "until": Fraction(1, 2)}


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


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (START, "cosine+start:ce:0.5"),
        ("start:CE:1/2", "cosine+start:ce:0.5"),
        ("constant+start:nce+rce:0.1", "constant+start:nce+rce:0.1"),
        ({**START, "signal": "vertices", "rate": "constant"}, "constant+start:ce:0.5:vertices"),
        ({**RAMP, "signal": "held-out"}, "cosine+ramp:a:1:24:0.5:held-out"),
        ("ramp:a:1::1:Held-Out", "cosine+ramp:a:1::1:held-out"),
    ],
)
def test_starts_and_signals_are_read_and_read_back(given: object, text: str) -> None:
    assert Schedule.parse(given).text == text
    assert Schedule.parse(text).text == text


def test_the_rate_is_that_of_the_data_set_unless_it_is_named() -> None:
    def of(schedule: object) -> str:
        return TrainConfig.resolve({"dataset": "animal10n", "loss": "amse", "schedule": schedule}).schedule

    assert of("ramp:a:1:24:0.5") == of(RAMP) == "drop:0.2:0.5,0.75+ramp:a:1:24:0.5"
    assert of("constant+ramp:a:1::0.5") == of({**RAMP, "to": "", "rate": "constant"}) == "constant+ramp:a:1::0.5"
    assert (
        of("start:ce:0.5:vertices") == of({**START, "signal": "vertices"}) == "drop:0.2:0.5,0.75+start:ce:0.5:vertices"
    )
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


def test_a_start_from_mse_is_a_ramp_of_amse() -> None:
    """The mixture is AMSE at 1 / (1 - s + s / a), up to the factor (1 - s) a + s: by hand, from the two definitions."""
    a, K = 8.0, 5
    mixed = StartedLoss(build_loss("amse", a=a), build("mse"))
    logits = torch.randn(6, K, dtype=torch.float64, requires_grad=True)
    for s in (0.0, 0.25, 0.7, 1.0):
        mixed.move(s, K)
        assert float(mixed.scale) == pytest.approx(a, rel=1e-12)
        other = build_loss("amse", a=1 / (1 - s + s / a))
        found, expected = (torch.autograd.grad(loss(logits, torch.arange(6) % K), logits)[0] for loss in (mixed, other))
        torch.testing.assert_close(found, ((1 - s) * a + s) * expected, rtol=1e-10, atol=1e-14)


def test_a_start_has_one_initial_slope_and_ends_as_the_loss_itself() -> None:
    own = build_loss("nce+agce", weight=torch.tensor([1.0, 2.0, 0.5]), reduction="sum")
    mixed = StartedLoss(own, build("ce"))
    labels = torch.arange(6) % 3
    found = []
    for s in (0.0, 0.3, 1.0):
        mixed.move(s, 3)
        logits = torch.zeros(6, 3, dtype=torch.float64, requires_grad=True)
        found.append(torch.autograd.grad(mixed(logits, labels), logits)[0])
    torch.testing.assert_close(found[0], found[2], rtol=1e-12, atol=0)
    torch.testing.assert_close(found[1], found[2], rtol=1e-12, atol=0)
    logits = torch.randn(6, 3)
    assert torch.equal(mixed(logits, labels), own(logits, labels))
    mixed.move(0.0, 3)
    first = build_loss("ce", weight=own.weight, reduction="sum")
    torch.testing.assert_close(mixed(logits, labels), float(mixed.scale) * first(logits, labels))


def test_the_weight_of_the_first_loss_falls_evenly() -> None:
    training, seen = trainer(START), []
    for _ in training.remaining():
        training.epoch(lambda: seen.append(float(training.loss.part)))
    assert seen == pytest.approx([min(1, t / len(seen) / 0.5) for t in range(len(seen))], rel=1e-12)


def test_a_signal_comes_when_it_should() -> None:
    held = Watch("held-out")
    for value in (0.2, 0.4, 0.3, 0.5, *[0.5] * (PATIENCE - 1)):
        held.see(value)
    assert not held.ended
    held.see(0.49)
    assert held.ended
    held.see(0.9)
    assert held.ended  # for good
    vertices = Watch("vertices")
    vertices.see(0.49)
    assert not vertices.ended
    vertices.see(0.5)
    assert vertices.ended
    near = torch.tensor([[NEAR, 1 - NEAR], [NEAR - 0.01, 1.01 - NEAR], [1e-4, 1 - 1e-4]]).log()
    assert float(at_vertices(near)) == pytest.approx(2 / 3)
    assert at_vertices(near.expand(2, 3, 2), -1).tolist() == pytest.approx([2 / 3] * 2)


@pytest.mark.parametrize("signal", ["held-out", "vertices"])
def test_a_signal_ends_the_way_at_once(signal: str) -> None:
    """A large rate makes the network certain within a few steps; held-out labels that were not seen stop rising as soon."""
    training = trainer({**RAMP, "until": 1, "signal": signal}, rate=1.0, clip=1e6)
    assert training.lead is not None
    assert training.lead.watch is not None
    watch, seen = training.lead.watch, []
    for _ in training.remaining():
        training.epoch(lambda: seen.append((watch.ended, float(training.loss.value))))
    assert not seen[0][0]
    assert seen[0][1] == 1
    after = [value for ended, value in seen if ended]
    assert 1 < len(after) < len(seen)
    assert after[1:] == [24.0] * (len(after) - 1)


def test_samples_that_are_held_out_are_never_trained_on() -> None:
    training = trainer({**RAMP, "signal": "held-out"})
    data = training.data
    assert data.held is not None
    assert len(data.held) == 6
    assert training.steps == 6  # of 54 samples
    orders = [data.order(0, epoch) for epoch in range(3)]
    for order in orders:
        assert sorted([*order.tolist(), *data.held.tolist()]) == list(range(60))
    assert not torch.equal(orders[0], orders[1])


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize(
    "schedule",
    [RAMP, START, {**START, "until": 1, "signal": "held-out"}, {**RAMP, "until": 1, "signal": "vertices"}],
    ids=["ramp", "start", "held-out", "vertices"],
)
def test_a_resumed_run_is_the_same_to_the_last_bit(schedule: object, stop: int) -> None:
    whole, part, rest = (trainer(schedule, rate=1.0, clip=1e6) for _ in range(3))
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
    state, again = whole.state()["loss"], rest.state()["loss"]
    assert str(state) == str(again)  # the signal's too
    assert state.get("watch._extra_state", {"ended": True})["ended"]


def test_fit_takes_the_table() -> None:
    images, labels = torch.randn(40, 5), torch.arange(40) % 2
    history = fit(torch.nn.Linear(5, 2), build_loss("agce"), images, labels, epochs=2, schedule={**RAMP, "until": 1})
    assert len(history.curve) == 2
    history = fit(torch.nn.Linear(5, 2), "nce+rce", images, labels, epochs=2, schedule={**START, "signal": "held-out"})
    assert len(history.curve) == 2
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), 20)
    with pytest.raises(InputError, match="give a data set or arrays, not a loader"):
        fit(torch.nn.Linear(5, 2), "nce+rce", loader, epochs=2, schedule={**START, "signal": "held-out"})


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
        ("start:cee:0.5", "a loss of the core to start from is needed; did you mean 'ce'"),
        ({**START, "parameter": "a"}, "or it has loss and until"),
        ({**START, "until": 0}, "a share of the steps"),
        ({**START, "signal": "heldout"}, "a signal is held-out or vertices; did you mean 'held-out'"),
        ("start:ce:0.5+cosine", "the rate comes first"),
    ],
)
def test_a_schedule_that_cannot_be(schedule: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trainer(schedule)


def test_losses_that_cannot_move_are_refused() -> None:
    images, labels = torch.randn(40, 5), torch.arange(40) % 2
    with pytest.raises(InputError, match="no parameter of the core that could move"):
        fit(torch.nn.Linear(5, 2), torch.nn.CrossEntropyLoss(), images, labels, epochs=1, schedule=RAMP)
    with pytest.raises(InputError, match="the loss is not one of the core"):
        fit(torch.nn.Linear(5, 2), torch.nn.CrossEntropyLoss(), images, labels, epochs=1, schedule=START)
    with pytest.raises(InputError, match="whole number, which cannot move"):
        MovingLoss(build_loss("taylor-ce"), "t")


@pytest.mark.parametrize("schedule", [{**RAMP, "to": ""}, START, {**START, "loss": "mse"}], ids=["ramp", "ce", "mse"])
def test_a_stack_moves_every_value_as_it_would_move_alone(schedule: object) -> None:
    images, labels = torch.randn(60, 1, 4, 4, dtype=torch.float64), torch.arange(60) % 3
    settings = Settings(epochs=3, batch=10, schedule=schedule, precision="float64", clip=2.0)  # type: ignore[arg-type]
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


def test_expected_losses_of_a_stack_start_from_the_other_loss_too() -> None:
    """Losses of every label and of one label say the same on the way."""
    family = Family(build("amse"), "a", [8, 3], [1.0, 0.5])
    logits, labels = torch.randn(2, 6, 3, dtype=torch.float64), torch.arange(6).expand(2, -1) % 3
    family.move(Start("ce", 0.5), 0.2, logits)
    torch.testing.assert_close(family(logits).gather(-1, labels[..., None])[..., 0], family.at(logits, labels))


def test_a_signal_comes_to_each_model_alone() -> None:
    def stacked(schedule: object) -> bool:
        return family_of(TrainConfig.resolve({"loss": "amse", "schedule": schedule, "device": "cpu"})) is not None

    assert stacked(START)
    assert not stacked({**START, "signal": "vertices"})  # a sweep trains it by itself
    images, labels = torch.randn(60, 1, 4, 4), torch.arange(60) % 3
    settings = Settings(epochs=1, batch=10, schedule={**START, "signal": "vertices"})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="train them one by one"):
        StackedTrainer(Family(build("amse"), "a", [8]), Data(Images(images), labels), settings, [0], K=3, width=0.05)
    with pytest.raises(InputError, match="no place for samples that are held out"):
        Data(Images(images), labels, balanced=10).holding_out(0)


def test_a_family_without_the_parameter_cannot_move() -> None:
    images, labels = torch.randn(60, 1, 4, 4), torch.arange(60) % 3
    settings = Settings(epochs=1, batch=10, schedule=RAMP)  # type: ignore[arg-type]
    stack = StackedTrainer(Family(build("ce"), None), Data(Images(images), labels), settings, [0], K=3, width=0.05)
    with pytest.raises(InputError, match="ce has no values of a here"):
        stack.epoch()
