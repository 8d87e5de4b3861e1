"""Tuning on noisy labels: the rungs, what noisy validation is worth, and the search itself."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from asymtheory_training import build_loss, fit  # noqa: E402
from asymtheory_training.data.inputs import Data, Images  # noqa: E402
from asymtheory_training.data.labels import make_labels, transition  # noqa: E402
from asymtheory_training.run.config import Settings, TrainConfig  # noqa: E402
from asymtheory_training.run.loop import Trainer  # noqa: E402
from asymtheory_training.run.models import build_model  # noqa: E402
from asymtheory_training.run.stack import is_perceptron  # noqa: E402
from asymtheory_training.tune import tune  # noqa: E402
from asymtheory_training.tune.halving import afforded, best, cost, rungs  # noqa: E402
from asymtheory_training.tune.settle import beforehand, deficits, order  # noqa: E402
from asymtheory_training.tune.soundness import soundness  # noqa: E402
from asymtheory_training.tune.space import Arm, arms  # noqa: E402
from asymtheory_training.tune.tune import Search  # noqa: E402

from asymtheory import cli  # noqa: E402
from asymtheory.asymmetry.condition import check  # noqa: E402
from asymtheory.errors import InputError  # noqa: E402
from asymtheory.losses import build  # noqa: E402
from asymtheory.noise import from_matrix, resolve  # noqa: E402
from asymtheory.selection.advice import Run, advise  # noqa: E402

LOSSES = ("amse", "agce:q=1/2")
RATES = (0.02, 0.1)


# ------------------------------------------------------------------------------------------------------------ the rungs
@given(st.integers(1, 500), st.integers(1, 200), st.integers(2, 4))
def test_every_rung_keeps_a_share_and_trains_it_longer(count: int, epochs: int, factor: int) -> None:
    plan = rungs(count, epochs, factor)
    assert plan[0].arms == count
    assert plan[-1].until == epochs
    for before, after in pairwise(plan):
        assert after.arms == -(-count // factor ** (plan.index(after)))
        assert before.until <= after.until // factor
    assert cost(plan) <= count * epochs


def test_a_budget_takes_as_many_arms_as_it_pays_for() -> None:
    assert cost(rungs(80, 10)) == 80 * 1 + 27 * 2 + 9 * 7
    for budget in (200, 100, 40):
        plan = afforded(80, 10, budget)
        assert cost(plan) <= budget < cost(rungs(plan[0].arms + 4, 10))
    assert afforded(80, 10, 1)[0].arms == 1  # one run is trained in any case


def test_nan_is_the_worst_score() -> None:
    assert best([float("nan"), 0.2, 0.9, 0.2], 4) == [2, 1, 3, 0]


# -------------------------------------------------------------------------------------------------- noisy validation
def test_under_symmetric_noise_noisy_accuracy_is_affine_in_the_clean_one() -> None:
    found = soundness(resolve("symmetric", 10, Fraction(2, 5)), 400)
    assert found.reward == pytest.approx(0, abs=1e-12)
    assert found.slope == pytest.approx(1 - 0.4 - 0.4 / 9)
    assert "affine" in str(found)
    labels = np.arange(400) % 10
    half = np.where(np.arange(400) < 200, labels, (labels + 1) % 10)  # noisy accuracy 1/2
    (score,), (error,) = found.scores(half[None], labels)
    assert score == pytest.approx((0.5 - 0.4 / 9) / found.slope)
    assert found.in_clean(error) == pytest.approx(0.025 / found.slope)


@pytest.mark.parametrize("kind", ["symmetric", "pair", "cifar10"])
def test_the_score_is_the_clean_accuracy_where_the_labels_are_those_of_the_matrix(kind: str) -> None:
    """Every class has its labels in the shares of its row; what a network says depends on the class alone."""
    noise = resolve(kind, 10, Fraction(9, 25))
    true = np.repeat(np.arange(10), 100)
    labels = np.concatenate([np.repeat(np.arange(10), np.rint(100 * row).astype(int)) for row in transition(noise)])
    lost, wrong = np.where(true == 3, 5, true), np.where(true == 3, 8, true)  # 5 is what the map makes of 3
    both = np.where(true < 2, true + 1, true)  # two classes whose mistakes are the labels' own under pair noise
    scores, errors = soundness(noise, 1000).scores(np.stack([true, lost, wrong, both]), labels)
    assert scores == pytest.approx([1, 0.9, 0.9, 0.8], abs=1e-9)
    assert all(error > 0.01 for error in errors)
    if kind == "pair":  # the worse network agrees with more of the noisy labels
        assert [(said == labels).mean() for said in (wrong, both)] == pytest.approx([0.576, 0.584])


def test_networks_that_earn_the_same_tie() -> None:
    found, random = soundness(resolve("pair", 10, Fraction(2, 5)), 500), np.random.default_rng(0)
    labels, said = random.integers(0, 10, (2, 500))
    for turn in (random.permutation(500) for _ in range(5)):
        assert found.scores(said[None], labels)[0] == found.scores(said[None, turn], labels[turn])[0]


@pytest.mark.parametrize("kind", ["pair", "cifar10", "random"])
def test_the_bound_holds_for_every_network(kind: str) -> None:
    """Of two random networks the noisy difference is at least slope * clean difference - reward * the wrong answers."""
    random = np.random.default_rng(0)
    table = np.eye(10) * 2 + random.random((10, 10))
    noise = (
        from_matrix((table / table.sum(1, keepdims=True)).tolist())
        if kind == "random"
        else resolve(kind, 10, Fraction(2, 5))
    )
    T, found = transition(noise), soundness(noise, 100, drawn=True)
    says = random.dirichlet(np.full(10, 0.3), (300, 10))
    clean = np.einsum("nii->n", says) / 10
    noisy = np.einsum("nij,ij->n", says, T) / 10
    wrong = 1 - np.diagonal(says, axis1=1, axis2=2)
    low = (np.diagonal(says, axis1=1, axis2=2) * np.diag(T)).mean(1) + (wrong * _others(T).min(1)).mean(1)
    assert (noisy >= low - 1e-12).all()
    assert (noisy <= low + found.reward * (1 - clean) + 1e-12).all()
    assert "up to" in str(replace(found, inverse=None))
    assert "right on average" in str(found)


def _others(T: np.ndarray) -> np.ndarray:
    return np.array([np.delete(row, i) for i, row in enumerate(T)])


def test_a_noise_that_is_not_dominant_is_warned_of() -> None:
    found = soundness(resolve("pair", 3, Fraction(3, 5)), 100)
    assert found.slope < 0
    assert "in some class the true label is not the most frequent one" in str(found)
    assert "not sound" in str(replace(found, inverse=None))


def test_a_matrix_of_given_labels_is_not_inverted() -> None:
    """It is the mean of what the labels depend on; drawn from it they depend on the class alone."""
    T = from_matrix([[0.7, 0.3], [0.1, 0.9]])
    assert soundness(T, 100).says == "noisy accuracy"
    assert soundness(T, 100, drawn=True).says == soundness(resolve("pair", 2, Fraction(1, 4)), 100).says
    tried, settings = arms(T, 2), Settings(epochs=2)
    images, labels = Images(torch.ones(40, 1)), torch.arange(40) % 2
    for drawn in (False, True):
        found = Search(lambda: torch.nn.Linear(1, 2), images, labels, tried, settings, 2, T, drawn=drawn)
        assert (found.soundness.inverse is not None) is drawn


def test_without_an_inverse_noisy_accuracy_is_left() -> None:
    found, labels = soundness(resolve("pair", 4, Fraction(1, 2)), 100), np.arange(100) % 4
    assert (found.inverse, found.says) == (None, "noisy accuracy")
    assert found.checksum != soundness(resolve("pair", 4, Fraction(1, 4)), 100).checksum
    (score,), (error,) = found.scores(np.where(np.arange(100) < 60, labels, (labels + 2) % 4)[None], labels)
    assert (score, error) == pytest.approx((0.6, (0.24 / 100) ** 0.5))
    assert found.in_clean(error) == float("inf")
    assert "not sound" in str(found)


# ---------------------------------------------------------------------------------------------------- the last choice
def test_held_out_labels_decide_where_they_tell_and_what_was_measured_where_they_do_not() -> None:
    held, expected = [0.50, 0.52, 0.49], [2.0, 30.0, 5.0]
    assert order(held, expected, slope=0.5, error=0.001) == [1, 0, 2]  # 4 clean points, known to a tenth of one
    assert (
        order(held, expected, slope=0.5, error=0.1)[0] == 0
    )  # 4 points of 10: 28 points of what is expected weigh more
    assert order(held, [None] * 3, slope=0.5, error=0.1) == [1, 0, 2]
    assert order(held, expected, slope=0.0, error=float("inf")) == [1, 0, 2]
    assert order([float("nan"), *held], [0.0, *expected], slope=0.5, error=0.1)[-1] == 0
    assert order([0.5] * 3, [2.0, None, 5.0], slope=0.5, error=0.1) == [0, 1, 2]  # counts as the mean, 3.5
    assert deficits(held, expected, slope=0.5, error=0.018) == pytest.approx(
        [4.2, 3.0, 6.5]
    )  # a tenth of what is expected
    assert beforehand([2.0, None, 5.0, 3.0]) == [0, 3, 1, 2]


def test_on_clean_labels_ce_stands_unless_another_loss_is_better_by_more_than_chance() -> None:
    held, none = [0.90, 0.92, 0.88], [None] * 3
    assert order(held, none, 1.0, 0.03, usual_ones=[0, 2]) == [0, 1, 2]
    assert order(held, none, 1.0, 0.01, usual_ones=[0, 2]) == [1, 0, 2]
    assert best(held, 1, one_of=[0, 2]) == [0]
    assert best(held, 2, one_of=[2]) == [1, 2]
    found = arms(None, 10)
    assert [arm.loss.name for arm in found[:4]] == ["ce"] * 4
    assert {arm.rate for arm in found[:4]} == {0.002, 0.008, 0.032, 0.128}
    images, labels = clouds()
    for noise, first in ((None, "ce"), (resolve("symmetric", 3, Fraction(2, 5)), "mae")):
        made = Search(model, Images(images), labels, arms(noise, 3, ("mae",), (0.1,)), Settings(epochs=1), 3, noise)
        made.arms = [replace(arm, expected=None) for arm in made.arms]
        for arm, course in zip(made.arms, made.courses, strict=True):
            course.held, course.errors = [0.90 if arm.loss.name == "ce" else 0.92], [0.05]
        assert made.arms[made._order(range(len(made.arms)))[0]].loss.name == first


def test_an_arm_knows_what_is_expected_of_it() -> None:
    noise = resolve("symmetric", 10, Fraction(2, 5))
    by_recipe = {(each.loss, each.recipe.rate, each.recipe.until): each.deficit for each in advise(noise).ranked}
    found = arms(noise, 10)
    known = [arm for arm in found if arm.expected is not None]
    assert len(known) > len(found) / 2
    assert all(by_recipe[arm.loss, arm.rate, arm.until] == arm.expected for arm in known if arm.until)
    assert {arm.expected for arm in arms(None, 10)} == {None}
    usual = sum(arm.expected for arm in known if arm.expected is not None) / len(known)
    worth = [usual if arm.expected is None else arm.expected for arm in found]
    assert worth == sorted(worth)  # the best first
    longer = arms(noise, 10, run=Run(inputs=16, epochs=40, samples=10_000))  # four times as long: a fourth of the rates
    short = {(arm.loss, arm.rate, arm.until): arm.expected for arm in arms(noise, 10, run=Run(inputs=16))}
    moved = [arm for arm in longer if arm.expected is not None]
    assert moved
    assert all(arm.expected == short[arm.loss, 4 * arm.rate, arm.until] for arm in moved)
    assert {arm.expected for arm in longer if arm.rate == 0.128} == {None}  # nothing was measured at four times that


# -------------------------------------------------------------------------------------------------------------- space
def test_arms_tolerate_the_noise_and_ce_is_among_them() -> None:
    noise = resolve("pair", 10, Fraction(2, 5))
    found = arms(noise, 10)
    for arm in found:
        assert arm.loss.name == "ce" or check(arm.loss, noise).asymmetric is not False
    assert {arm.loss.name for arm in found} >= {"ce", "amse", "agce", "aul", "ael"}
    amse = sorted({arm.loss.parameters["a"] for arm in found if arm.loss.name == "amse"})
    assert amse == [5, 15, 40]  # one over the margin 1/5, and multiples of it
    assert {(arm.until > 0, arm.loss.parameters["a"]) for arm in found if arm.loss.name == "amse"} == {
        (False, 5),
        (False, 15),
        (True, 15),
        (True, 40),
    }
    led = next(arm for arm in found if arm.until)
    assert led.settings(Settings(schedule="constant"), 10).schedule.startswith("constant+ramp:a:1::0.3")
    first = {str(arm).rpartition(" at rate ")[0] for arm in found if arm.rate == 0.032}
    assert first == {str(arm).rpartition(" at rate ")[0] for arm in found if arm.rate == 0.002}
    assert len(first) * 4 == len(found)


@pytest.mark.parametrize(("clip", "rtol"), [(float("inf"), 1e-9), (0.5, 1e-4)])
def test_an_arm_is_the_run_of_the_scaled_loss(clip: float, rtol: float) -> None:
    """The unscaled loss at the arm's settings takes the steps of the scaled one at its rate; clipping adds 1e-6 to every norm."""
    random = torch.Generator().manual_seed(0)
    images, labels = torch.randn(60, 1, 4, 4, generator=random, dtype=torch.float64), torch.arange(60) % 3
    base = Settings(epochs=3, batch=10, clip=clip, regularisation="l2", strength=0.01, precision="float64")
    arm = Arm(build("amse", a=6), 0.1, "")
    found = []
    for loss, settings in (
        (build_loss(arm.loss), arm.settings(base, 3)),
        (build_loss(Fraction(arm.scale(3)) * arm.loss), replace(base, rate=0.1)),
    ):
        trainer = Trainer(build_model("mlp", 3, (1, 4, 4), 0.05, seed=1), loss, Data(Images(images), labels), settings)
        for _ in trainer.remaining():
            trainer.epoch()
        found.append([weight.detach().clone() for weight in trainer.model.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=rtol, atol=1e-9)


# ------------------------------------------------------------------------------------------------------------- search
def clouds(samples: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Three clouds in the plane, and symmetric noise of rate 0.4."""
    random = np.random.default_rng(0)
    true = np.arange(samples) % 3
    x = np.array([[0, 2], [2, -1], [-2, -1]])[true] + random.normal(0, 0.7, (samples, 2))
    given = make_labels(true, "symmetric", K=3, eta=Fraction(2, 5), seed=0).labels
    return torch.tensor(x, dtype=torch.float32), torch.tensor(given)


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))


def search(**options: object):
    images, labels = clouds()
    given = {"noise": "symmetric", "eta": Fraction(2, 5), "epochs": 4, "batch": 30, "losses": LOSSES, "rates": RATES}
    return tune(model, images, labels, **{**given, **options})  # type: ignore[arg-type]


def test_the_choice_is_the_best_finalist_and_can_be_trained() -> None:
    found = search(budget=40)
    assert found.epochs <= 40
    finalists = [found.courses[place].score for place in found.order]
    assert finalists == sorted(finalists, reverse=True)
    assert max(len(course.held) for course in found.courses) == 4
    images, labels = clouds()
    history = fit(model(), build_loss(found.best.loss), images, labels, **found.settings)
    assert history.final.train > 0.5
    assert "noisy validation is sound" in str(found)
    json.dumps(found.to_dict())


def test_a_time_is_a_budget_too() -> None:
    assert 1 <= search(seconds=0.05).epochs <= 60


class Stop(Exception):
    """Raised in the middle of a search."""


@pytest.mark.parametrize("stack", [True, False])
def test_a_stopped_search_goes_on_to_the_same_end(stack: bool, tmp_path: Path) -> None:
    whole = search(stack=stack)
    calls = [0]

    def failing() -> torch.nn.Module:
        calls[0] += 1
        if calls[0] == (len(whole.arms) + 2 if stack else 6):  # of a batch all models are made first
            raise Stop
        return model()

    images, labels = clouds()
    given = {"noise": "symmetric", "eta": Fraction(2, 5), "epochs": 4, "batch": 30, "losses": LOSSES, "rates": RATES}
    with pytest.raises(Stop):
        tune(failing, images, labels, out=tmp_path, stack=stack, **given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="holds a search already"):
        search(out=tmp_path)
    with pytest.raises(InputError, match="is another one"):
        search(out=tmp_path, resume=True, batch=60)
    again = search(out=tmp_path, resume=True, stack=stack)
    assert [course.held for course in again.courses] == [course.held for course in whole.courses]
    assert again.order == whole.order
    (tmp_path / "tune.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        search(out=tmp_path, resume=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"clip": 0.5, "momentum": 0.5, "nesterov": True},
        {"regularisation": "l2", "strength": 0.01},
        {"regularisation": "l1", "strength": 0.01, "clip": 0.5, "momentum": 0.0},
    ],
    ids=str,
)
def test_arms_in_one_batch_end_as_each_does_alone(changed: dict[str, object]) -> None:
    """Two rungs, in float64: the second goes on from the states of the first, with fewer arms."""
    images, labels = clouds(90)
    settings = Settings(epochs=4, batch=20, precision="float64", **changed)  # type: ignore[arg-type]
    tried = arms(resolve("symmetric", 3, Fraction(2, 5)), 3, ("amse", "agce:q=1/2", "mae", "nce+rce"), RATES)
    found = []
    for stack in (True, False):
        made = Search(model, Images(images.double()), labels, tried, settings, 3, None, stack=stack)
        for rung in ((range(len(tried)), 2), (range(0, len(tried), 2), 4)):
            made._advance(*rung, None)
        found.append(made)
    one, other = found
    assert [course.held for course in one.courses] == [course.held for course in other.courses]
    for place in range(0, len(tried), 2):
        if one.courses[place].stopped:
            continue
        states = [each.states[place] for each in found]
        assert states[0]["epoch"] == states[1]["epoch"] == 4
        for name, weight in states[1]["model"].items():
            torch.testing.assert_close(states[0]["model"][name], weight, rtol=0, atol=1e-9)
        for kept in zip(*(each["optimiser"]["state"].values() for each in states), strict=True):
            torch.testing.assert_close(kept[0]["momentum_buffer"], kept[1]["momentum_buffer"], rtol=0, atol=1e-9)
        for epochs in zip(*(each["curve"] for each in states), strict=True):
            timed = ("seconds", "images_per_second")
            pairs = [(epochs[0][k], v) for k, v in epochs[1].items() if k not in timed and v is not None]
            assert [mine for mine, _ in pairs] == pytest.approx([v for _, v in pairs], abs=1e-9)


def test_a_search_that_began_in_batches_goes_on_alone(tmp_path: Path) -> None:
    whole = search(precision="float64")
    made = Search(
        model, Images(clouds()[0]), clouds()[1], whole.arms, Settings(epochs=4, batch=30, precision="float64"), 3,
        resolve("symmetric", 3, Fraction(2, 5)), out=tmp_path,
    )  # fmt: skip
    made._advance(range(len(whole.arms)), whole.plan[0].until, None)
    again = search(precision="float64", out=tmp_path, resume=True, stack=False)
    assert [course.held for course in again.courses] == [course.held for course in whole.courses]
    assert again.order == whole.order


def test_only_perceptrons_are_one_batch() -> None:
    layers = torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3)
    assert is_perceptron(torch.nn.Sequential(*layers))
    assert is_perceptron(build_model("mlp", 3, (1, 4, 4), 0.05))
    assert is_perceptron(torch.nn.Sequential(torch.nn.Flatten(), layers[0]))
    for other in (
        torch.nn.Sequential(layers[0], layers[2]),
        torch.nn.Sequential(*layers, torch.nn.ReLU()),
        torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[2]),
        torch.nn.Sequential(layers[0], torch.nn.ReLU(), torch.nn.Linear(4, 3, bias=False)),
        build_model("cnn4", 3, (1, 4, 4), 0.05),
    ):
        assert not is_perceptron(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates": [0]}, "rates: at least one, each a number > 0"),
        ({"held_out": 1.5}, r"held_out 1.5: a share in \(0, 1\)"),
        ({"losses": ["amze"]}, "amze"),
        ({"epoch": 3}, "tune has no setting 'epoch'.*did you mean 'epochs'"),
        ({"K": 4, "noise": resolve("symmetric", 3, Fraction(1, 5)), "eta": None}, "classes"),
    ],
)
def test_bad_input_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        search(**options)


# ------------------------------------------------------------------------------------------------------------ command
COMMAND = "tune --dataset digits --noise symmetric --eta 0.4 --width 0.05 --epochs 2 --losses amse --rates 0.02,0.1 --budget 8"


def test_the_command_writes_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*COMMAND.split(), "--out", str(tmp_path / "search")]) == 0
    out = capsys.readouterr().out
    assert "choice: " in out
    config = TrainConfig.from_toml(tmp_path / "search" / "run.toml")
    assert config.loss in ("ce", "amse")
    assert config.noise.kind == "symmetric"


@pytest.mark.parametrize(
    ("noise", "score"), [("pair", "clean accuracy, estimated"), ("idn", "noisy accuracy")], ids=["pair", "idn"]
)
def test_labels_that_depend_on_the_image_are_judged_by_noisy_accuracy(
    noise: str, score: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(COMMAND.replace("symmetric", noise).replace("--budget 8", "--budget 2 --json").split()) == 0
    assert json.loads(capsys.readouterr().out)["soundness"]["score"] == score


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (f"{COMMAND} --resume", "--resume goes with --out"),
        (COMMAND.replace("--budget 8", "--budget 0s"), "--budget 0s: a time > 0 is needed"),
        (COMMAND.replace("--budget 8", "--budget x"), "--budget"),
        (f"{COMMAND} --noise-mode redrawn", "unrecognized arguments"),
        (f"{COMMAND} --expect pair:0.2", "--expect goes with --labels"),
        ("tune --dataset digits --labels nowhere.csv", "nowhere.csv"),
    ],
)
def test_the_command_refuses_in_one_line(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = cli.main(arguments.split())
    except SystemExit as error:
        status = int(error.code or 0)
    assert status == 2
    assert message in capsys.readouterr().err
