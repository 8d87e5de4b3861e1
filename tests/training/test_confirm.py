"""The design, its measurements against hand-made ones, resumption, the sentences, and what the command refuses."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asymtheory_training.commands import confirm as confirm_command
from asymtheory_training.commands.confirm import confirm as command
from asymtheory_training.confirm import level as level_module
from asymtheory_training.confirm import study as engine
from asymtheory_training.confirm import summary as confirm_summary
from asymtheory_training.confirm.design import Design, Grid, groups, losses
from asymtheory_training.confirm.level import amplified, level
from asymtheory_training.confirm.models import Trained, measured
from asymtheory_training.confirm.rows import Truth, _lost, interval, rounded
from asymtheory_training.confirm.study import confirm
from asymtheory_training.confirm.summary import crossing, locate, spearman, summarise
from asymtheory_training.data.inputs import Data, Images
from asymtheory_training.data.sets import load_dataset
from asymtheory_training.run.config import Noise, TrainConfig
from asymtheory_training.run.loop import Trainer

from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.errors import InputError
from asymtheory.losses import build
from asymtheory.noise import family, from_matrix, named, pair, symmetric
from asymtheory.threshold import solve_rate

pytestmark = pytest.mark.xdist_group("confirm")

KEYS = (
    "loss", "parameter", "value", "threshold", "regime", "exact", "measured", "low", "high", "memorised", "last", "best", "seeds"
)  # fmt: skip


def config(**given: Any) -> TrainConfig:
    base = {
        "dataset": "digits", "model": "mlp", "width": 0.125, "epochs": 6, "rate": 0.05, "subset": 200, "strength": 0.0,
        "regularisation": "none", "threads": 1, "noise": {"kind": "symmetric", "eta": "0.4"},
    }  # fmt: skip
    return TrainConfig.resolve({**base, **given})


def design(regime: str = "population", **given: Any) -> Design:
    own = {name: given.pop(name) for name in ("seeds", "expected", "equalise", "count") if name in given}
    return Design(**{"config": config(**given), "regime": regime, "seeds": (0, 1), "count": 3, **own})


@pytest.fixture(scope="module")
def population() -> list[dict[str, Any]]:
    return confirm(design(), losses([("amse", {}), ("ce", {})]))


@pytest.fixture(scope="module")
def fixed() -> list[dict[str, Any]]:
    return confirm(design("fixed"), losses([("agce", {"q": "1/2"}), ("mae", {})]))


# ---------------------------------------------------------------------------------------------------------------- grid


def test_the_grid_holds_the_threshold_itself_and_reaches_eight_times_as_far() -> None:
    grid = Grid.of(build("agce", q=Fraction(1, 2)), pair(10, Fraction(2, 5)), 9)
    # c = 3/2, so sqrt((a+1)/a) = 3/2 at a = 4/5
    assert grid.threshold == Fraction(4, 5)
    assert len(grid.values) == 9
    assert grid.values[4] == Fraction(4, 5)
    assert (grid.values[0], grid.values[8]) == (Fraction(1, 10), Fraction(32, 5))
    ratios = [float(b / a) for a, b in zip(grid.values, grid.values[1:], strict=False)]
    np.testing.assert_allclose(ratios, 8**0.25, rtol=1e-5)


def test_an_irrational_threshold_is_taken_from_the_feasible_side() -> None:
    loss, noise = build("ael"), symmetric(10, Fraction(2, 5))
    grid = Grid.of(loss, noise, 3)
    assert grid.threshold is not None
    assert float(grid.threshold) == pytest.approx(1 / math.log(13.5), rel=1e-12)
    assert level(loss.replace(a=grid.threshold), noise) == pytest.approx(1, abs=1e-9)


def test_values_outside_the_domain_are_said_and_the_least_one_taken() -> None:
    grid = Grid.of(build("amse"), symmetric(10, Fraction(2, 5)), 9)
    assert grid.threshold == Fraction(9, 5)
    assert grid.values[0] == 1
    assert all(value < 1 for value in grid.outside)
    assert len(grid.outside) == 3
    assert len(grid.values) == 7


def test_without_a_threshold_the_grid_stands_around_the_loss_s_own_value() -> None:
    grid = Grid.of(build("agce", a=2, q=Fraction(3, 2)), symmetric(10, Fraction(2, 5)), 3)
    assert (grid.threshold, grid.status) == (None, "always")
    assert grid.values == (Fraction(1, 4), 2, 16)
    ends = Grid.of(build("ce"), symmetric(10, Fraction(2, 5)), 3)
    assert (ends.parameter, ends.values, len(ends.members)) == (None, (), 1)


STANDS = [
    (build("agce", a=1, q=Fraction(1, 2)), pair(10, Fraction(2, 5)), 1.5 / math.sqrt(2)),  # c r, r = sqrt(a/(a+1))
    (build("mae"), symmetric(10, Fraction(4, 5)), 2.25),
    (build("ce"), symmetric(10, Fraction(4, 5)), 0.0),
    # AMSE, q = 2, stands a margin of 1/a: of a pair flip 1 - 2 s eta, so s* eta = (1 - 1/a)/2 and c there (a + 1)/(a - 1)
    (build("amse", a=5), pair(10, Fraction(2, 5)), 1.0),
    (build("amse", a=20), pair(10, Fraction(2, 5)), 1.5 * 19 / 21),
    (build("amse", a=20), from_matrix([[0.6, 0.4], [0.1, 0.9]]), 1.5 * 19 / 21),
    (build("amse", a=1), pair(10, Fraction(2, 5)), 0.0),
    # 1 - s (eta_9 + T_91) = 1/a; the trucks bind there too, c = (1 - s eta_9) / (s T_91)
    (
        build("amse", a=8),
        named("cifar10n-worse"),
        1.95248227 * (0.875 / 0.7314 * 0.282) / (1 - 0.875 / 0.7314 * 0.4494),
    ),
    (build("amse", a=5000), from_matrix([[0.4, 0.6], [0.1, 0.9]]), 2 / 3 * 4999 / 5001),  # the noise wins
    (build("amse", a=5), from_matrix([[1, 0], [0, 1]]), None),  # there is none
]


@pytest.mark.parametrize(("loss", "noise", "expected"), STANDS)
def test_the_level_is_the_clean_level_over_the_least_that_is_tolerated(
    loss: Any, noise: Any, expected: float | None
) -> None:
    assert level(loss, noise) == (None if expected is None else pytest.approx(expected, rel=1e-8))


def test_the_level_of_a_searched_loss_is_on_the_side_of_its_verdict() -> None:
    loss, noise = build("anl-ce"), pair(10, Fraction(2, 5))
    found = level(loss, noise)
    assert found is not None
    assert (found > 1) == check(loss, noise).asymmetric


@pytest.mark.parametrize("name", ["agce", "amse", "nce+agce"])
@pytest.mark.parametrize("kind", ["symmetric", "uniform", "mnist"])
def test_the_level_agrees_with_the_highest_rate_that_is_tolerated(name: str, kind: str) -> None:
    """On a family T(s) has the rate s eta, so s* eta is the end of solve_rate."""
    loss, noise = build(name), family(kind, 10)(Fraction(2, 5))
    (piece,) = solve_rate(loss, kind, 10).pieces
    assert piece.high is not None
    worst = family(kind, 10)(Fraction(min(piece.high.value, 1)))
    assert level(loss, noise) == pytest.approx(float(noise.clean_level / worst.clean_level), rel=1e-8)


@pytest.mark.parametrize("name", ["mae", "aul", "ael"])
def test_both_ways_to_the_level_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """c r of a loss l(u_y) against the search, which is for the others."""
    loss, noise = build(name), named("cifar10n-worse")
    expected = level(loss, noise)

    def none(*given: Any) -> Any:
        raise InputError("no ratio")

    monkeypatch.setattr(level_module, "asymmetry_ratio", none)
    assert level(loss, noise) == pytest.approx(expected, rel=1e-8)


def test_more_of_the_same_noise() -> None:
    noise = amplified(named("cifar10n-worse"), Fraction(3, 2))
    known = [[Fraction(w) for w in row.weights] for row in named("cifar10n-worse").rows]
    for i, row in enumerate(noise.rows):
        assert row.total == 1
        for k, w in enumerate(row.weights):
            assert w == (1 - Fraction(3, 2) * (1 - known[i][i]) if k == i else Fraction(3, 2) * known[i][k])
    assert amplified(symmetric(10, Fraction(2, 5)), Fraction(2)).rows[0] == symmetric(10, Fraction(4, 5)).rows[0]


# ------------------------------------------------------------------------------------------------------------ measuring


def test_rows_have_the_agreed_keys_in_order(population: list[dict[str, Any]], fixed: list[dict[str, Any]]) -> None:
    for row in (*population, *fixed):
        assert tuple(row)[: len(KEYS)] == KEYS
        json.dumps(row, allow_nan=False)
    assert [row["value"] for row in population] == [1, 1.8, 14.4, None]
    assert {row["memorised"] for row in population} == {None}
    assert {row["vectors"] for row in population} == {None}  # of symmetric noise
    assert all(0 <= row["memorised"] <= 1 for row in fixed)


def test_rows_have_the_whole_curve(fixed: list[dict[str, Any]], population: list[dict[str, Any]]) -> None:
    for row in (*population, *fixed):
        curve = row["curve"]
        assert curve["epochs"] == [1, 2, 3, 4, 5, 6]
        by_seed = np.array(curve["by_seed"])
        assert by_seed.shape == (2, 6)
        np.testing.assert_allclose(curve["test"], by_seed.mean(0), atol=1e-5)
        np.testing.assert_allclose(by_seed[:, -1], row["by_seed"]["last"])
        assert row["last"] == pytest.approx(curve["test"][-1])
        assert row["best"] == pytest.approx(by_seed.max(1).mean(), abs=1e-5)
        np.testing.assert_allclose(row["by_seed"]["drop"], by_seed.max(1) - by_seed[:, -1], atol=1e-6)
    assert len({tuple(row["curve"]["test"]) for row in fixed}) == len(fixed)


def test_rows_of_a_loss_share_where_it_turns() -> None:
    rows = confirm(design(count=5, epochs=4), losses([("ael", {}), ("mae", {})]))
    assert rows[-1]["transition"] is None
    assert all(row["transition"] == rows[0]["transition"] for row in rows[:5])
    facts = summarise(rows)["losses"]["ael"]
    assert rows[0]["transition"] == rounded({"measured": facts["transition"], "exact": facts["exact_transition"]})
    assert facts["exact_transition"]["factor"] == pytest.approx(0.5, abs=0.3)


def test_exact_is_u_m_of_the_minimiser(population: list[dict[str, Any]]) -> None:
    """AMSE, q = 2: the projection of a w on the simplex; at a = 1 it is w itself. CE: w."""
    assert [row["exact"] for row in population] == pytest.approx([0.6, 1, 1, 0.6], abs=1e-6)


def test_the_scale_equalises_the_initial_slope(population: list[dict[str, Any]]) -> None:
    for row in population:
        loss = build(row["loss"]) if row["value"] is None else build(row["loss"], a=Fraction(str(row["value"])))
        assert row["scale"] * fitting_slope(loss, 10).unfitted == pytest.approx(10, rel=1e-5)
    assert design(equalise=False).scale(build("mae")) == 1


def test_equalisation_reaches_the_training() -> None:
    """Two losses that differ by a factor train alike when equalised, and do not otherwise."""
    chosen = [build("mae"), build("unhinged")]
    one, two = confirm(design(seeds=(0,)), chosen)
    assert one["measured"] == pytest.approx(two["measured"], abs=1e-5)
    one, two = confirm(design(seeds=(0,), equalise=False), chosen)
    assert abs(one["measured"] - two["measured"]) > 1e-3


def test_p_is_measured_against_a_network_by_hand() -> None:
    """Softmax of the true class, mean vectors, shares and histograms from logits that are given."""
    random = np.random.default_rng(0)
    true = torch.tensor([0, 1, 2, 0, 1, 2])
    given = torch.tensor([[0, 1, 0, 0, 2, 2], [1, 1, 2, 0, 1, 2]])
    data = Data(Images(torch.zeros(6, 2)), given[0], true, None, Images(torch.zeros(6, 2)), true)
    z = torch.from_numpy(random.normal(size=(4, 6, 3)))

    def logits(images: Any) -> Any:
        yield slice(0, 4), z[:, :4]
        yield slice(4, 6), z[:, 4:]

    found = measured(logits, data, given, 3, (2, 2))
    u = torch.softmax(z, -1).numpy().reshape(2, 2, 6, 3)
    for s in range(2):
        for v in range(2):
            each = u[s, v]
            np.testing.assert_allclose(found["train"][s, v], [each[i, true[i]] for i in range(6)])
            np.testing.assert_allclose(found["vectors"][s, v, 1], (each[1] + each[4]) / 2)
            wrong = (given[s] != true).numpy()
            q = np.array([each[i, given[s, i]] for i in range(6)])
            for part, kept in enumerate((~wrong, wrong)):
                np.testing.assert_array_equal(found["histograms"][s, v, part], np.histogram(q[kept], 20, (0, 1))[0])
            hit = each.argmax(-1) == given[s].numpy()
            assert found["shares"][s, v, 0] == hit[~wrong].mean()
            assert found["shares"][s, v, 1] == hit[wrong].mean()


def test_the_interval_covers_seeds_and_images() -> None:
    random = np.random.default_rng(0)
    images = random.normal(size=(1, 2, 400))
    low, high = interval(images)[0]
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.2)  # of a mean of 400 images
    assert low < images[0, 0].mean() < high
    seeds = np.linspace(-1, 1, 5)[:, None, None] + np.zeros((5, 1, 50))
    ((low, high),) = interval(seeds)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.5 / 5), rel=0.15)


def test_of_three_seeds_the_interval_covers_two_times_in_three() -> None:
    """As it is documented: 5,000 experiments whose images are alike and whose seeds are normal around 0."""
    seeds = np.random.default_rng(1).normal(size=(3, 5000, 1)) + np.zeros((1, 1, 2))
    low, high = interval(seeds).T
    assert ((low <= 0) & (high >= 0)).mean() == pytest.approx(2 / 3, abs=0.03)


def test_expected_losses_are_the_mean_of_many_redrawn_ones() -> None:
    """No label is drawn: the seed of the noise makes no difference, and nothing is memorised."""
    (row,) = confirm(design(expected=True, seeds=(0,)), [build("ce")])
    assert (row["labels"], row["memorised"], row["exact"]) == ("expected", None, pytest.approx(0.6))
    assert confirm(design(expected=True, seeds=(0,)), [build("ce")])[0] == row


def test_ce_on_the_population_risk_finds_the_noise_row() -> None:
    """With the expected loss and some training the softmax is the row of the noise, on a class map too, vector by vector."""
    noise = {"kind": "pair", "eta": "0.4"}
    (row,) = confirm(
        design(expected=True, seeds=(0,), epochs=100, rate=0.1, noise=noise, schedule="cosine"), [build("ce")]
    )
    assert row["measured"] == pytest.approx(0.6, abs=0.02)
    assert row["distance"] < 0.05
    np.testing.assert_allclose(row["vectors"]["exact"], 0.6 * np.eye(10) + 0.4 * np.roll(np.eye(10), 1, 1), atol=1e-6)
    assert np.abs(np.subtract(row["vectors"]["measured"], row["vectors"]["exact"])).max() < 0.1
    assert abs(row["deviation"] - (row["measured"] - row["exact"])) < 1e-5


def test_class_maps_are_compared_vector_by_vector() -> None:
    (row,) = confirm(design(seeds=(0,), noise={"kind": "mnist", "eta": "0.3"}), [build("ce")])
    assert np.shape(row["vectors"]["exact"]) == np.shape(row["vectors"]["measured"]) == (10, 10)
    np.testing.assert_allclose(np.sum(row["vectors"]["measured"], 1), 1, rtol=1e-4)
    np.testing.assert_allclose(row["classes"]["exact"], np.diag(row["vectors"]["exact"]))
    assert len(set(row["classes"]["exact"])) > 1
    counts = np.bincount(load_dataset("digits").subset(200).train_labels.numpy())
    assert row["exact"] == pytest.approx(np.average(row["classes"]["exact"], weights=counts), abs=1e-5)


def test_other_networks_are_trained_one_by_one_with_the_same_measurements() -> None:
    """The loop's own trainer in the place of the stack: same seeds, same labels, same numbers."""
    plan = design("fixed", seeds=(0, 2))
    apart = replace(plan, config=replace(plan.config, precision="float64"))
    chosen = losses([("ael", {})])
    together = confirm(apart, chosen)

    class Single(Design):
        stacks = property(lambda self: False)  # type: ignore[assignment]

    single = Single(config=apart.config, regime="fixed", seeds=(0, 2), count=3)
    assert len(groups(single, [Grid.of(chosen[0], single.noise, 3)])) == 6
    for one, other in zip(together, confirm(single, chosen), strict=True):
        assert one == other


def test_a_convolutional_network_is_confirmed_too() -> None:
    plan = design("fixed", model="cnn4", width=0.125, epochs=1, subset=100, seeds=(0,))
    rows = confirm(plan, [build("mae")])
    assert (rows[0]["model"], rows[0]["seeds"]) == ("cnn4", 1)
    with pytest.raises(InputError, match="--expected"):
        confirm(design(model="cnn4", width=0.125, seeds=(0,), expected=True), [build("mae")])


# ----------------------------------------------------------------------------------------------------------- resumption


def test_groups_that_are_kept_are_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = losses([("ael", {}), ("mae", {})])
    plan = design("fixed", seeds=(0,), epochs=2)
    whole = confirm(plan, chosen)
    trained: list[str] = []
    train = engine.train
    monkeypatch.setattr(engine, "STACK", 1)  # one group after the other

    def stopped(together: Any, tick: Any, out: Any) -> Any:
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.extend(group.key for group in together)
        return train(together, tick)

    monkeypatch.setattr(engine, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        confirm(plan, chosen, tmp_path)
    assert len((tmp_path / engine.GROUPS).read_text().splitlines()) == 1
    with open(tmp_path / engine.GROUPS, "a") as file:
        file.write('{"key": "torn')

    def second(together: Any, tick: Any, out: Any) -> Any:
        trained.extend(group.key for group in together)
        return train(together, tick)

    monkeypatch.setattr(engine, "train", second)
    rows = confirm(plan, chosen, tmp_path)
    assert len(trained) == len(set(trained)) == 2
    for row, expected in zip(rows, whole, strict=True):
        assert row["measured"] == pytest.approx(expected["measured"], abs=1e-6)
        assert {k: row[k] for k in ("memorised", "last", "best")} == {
            k: expected[k] for k in ("memorised", "last", "best")
        }
    # another design is another key, another place to run is not
    confirm(replace(plan, equalise=False), chosen, tmp_path)
    assert len(trained) == 4
    confirm(replace(plan, config=replace(plan.config, threads=2)), chosen, tmp_path)
    assert len(trained) == 4


@pytest.mark.parametrize(
    ("regime", "given", "keys"),
    [
        ("fixed", {}, ["3d06764a0009386f"]),
        ("population", {"expected": True, "equalise": False}, ["0163b6543bb3f5ef"]),
        (
            "fixed",
            {"model": "cnn4", "noise": {"kind": "pair", "eta": "0.3"}, "seeds": (4,)},
            ["efe5abbc9b55ff72", "4ae2fefe96956964", "b3ed9100ff203dfa"],
        ),
    ],
)
def test_keys_stay_as_they_are(regime: str, given: dict[str, Any], keys: list[str]) -> None:
    """Folders of evidence were trained for hours under these names: a setting that is added must not change them."""
    plan = design(regime, **given)
    assert [group.key for group in groups(plan, [Grid.of(build("amse"), plan.noise, 3)])] == keys


KILLED = """
import os, signal, sys
from pathlib import Path
from asymtheory_training.run import run as runs
from asymtheory_training.confirm.study import confirm
from asymtheory_training.confirm.design import losses
from tests.training.test_confirm import one_by_one

runs.SHARE = 0  # a checkpoint after every epoch
epochs = []

def tick(count):
    epochs.append(count)
    if len(epochs) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

confirm(one_by_one(), losses([("mae", {})]), Path(sys.argv[1]), tick)
"""


def one_by_one() -> Design:
    return design("fixed", model="cnn4", width=0.125, epochs=4, subset=100, seeds=(0,))


def test_a_killed_network_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL after the second epoch; what is trained then has the same arrays to the last bit."""
    chosen = losses([("mae", {})])
    (whole,) = confirm(one_by_one(), chosen, tmp_path / "whole")
    there = tmp_path / "killed"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(there)], env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    (folder,) = (each for each in there.iterdir() if each.is_dir())
    assert list(there.glob("*.npz")) == []
    trained: list[int] = []
    epoch = Trainer.epoch
    monkeypatch.setattr(Trainer, "epoch", lambda self: trained.append(self.done) or epoch(self))  # type: ignore[func-returns-value]
    ticks: list[int] = []
    (row,) = confirm(one_by_one(), chosen, there, ticks.append)
    assert trained == [2, 3]
    assert ticks == [2, 1, 1]
    assert row == whole
    (one,), (other,) = (list(each.glob("*.npz")) for each in (tmp_path / "whole", there))
    assert one.name == other.name
    with np.load(one) as first, np.load(other) as second:
        for name in Trained.ARRAYS:
            np.testing.assert_array_equal(first[name], second[name])
    assert not folder.exists()


# -------------------------------------------------------------------------------------------------------------- summary


def test_a_step_is_located_where_it_is() -> None:
    factors = [2.0**e for e in range(-4, 5)]
    where, rise = crossing(factors, [1 / (1 + math.exp(-4 * (math.log2(f) - 1))) for f in factors])
    assert where == pytest.approx(2, rel=0.01)
    assert rise == pytest.approx(1, abs=0.01)
    assert crossing(factors, [0.5 - 0.1 * f for f in factors])[0] is None  # it falls
    assert crossing(factors, [0.5] * 9)[0] is None


def test_the_interval_of_a_transition_is_over_seeds() -> None:
    factors = [2.0**e for e in range(-4, 5)]
    steps = np.array([[float(e >= shift) for e in range(-4, 5)] for shift in (-1, 0, 1, 2)])
    found = locate(factors, steps)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.factor < found.high  # type: ignore[operator]
    assert 0.25 <= found.low
    assert found.high <= 4
    assert locate(factors, steps[:1]).low is None


def test_rank_correlation_needs_pairs() -> None:
    assert spearman([(1, 2), (2, 1), (3, 0.5), (4, -1.0), (None, 3)]) == {"rho": pytest.approx(-1), "n": 4}
    assert spearman([(1, 1), (2, 2), (3, 3)]) is None
    assert spearman([(1, 1), (1, 2), (1, 3), (1, 4)]) is None


def made(factor: float, exact: float, measured: float, **more: Any) -> dict[str, Any]:
    row = {
        "loss": "amse", "fixed": {"q": "2"}, "parameter": "a", "value": 2 * factor, "threshold": 2.0, "regime": "population",
        "exact": exact, "measured": measured, "status": "threshold", "factor": factor, "deviation": measured - exact,
        "deviation_low": measured - exact - 0.01, "deviation_high": measured - exact + 0.01, "proved": True, "diverged": 0,
        "outside": [], "level": factor, "seeds": 2, "by_seed": {"measured": [measured, measured]},
        "lost": [0] * 10, "kept": {"exact": exact, "measured": measured},
    }  # fmt: skip
    return {**row, **more}


def test_the_population_summary_says_what_was_measured() -> None:
    rows = [made(0.25, 0.3, 0.305), made(0.5, 0.6, 0.5), made(1, 1, 0.9), made(2, 1, 0.95), made(4, 1, 0.99)]
    found = summarise(rows)
    facts = found["losses"]["amse (q = 2)"]
    assert facts["below"] == {"mean": pytest.approx(-0.0475), "largest": pytest.approx(0.1), "n": 2, "holding": 1}
    assert facts["at"] == {"measured": 0.9, "distance": pytest.approx(0.1)}
    assert facts["above"]["largest"] == pytest.approx(0.05)
    assert facts["transition"]["factor"] > facts["exact_transition"]["factor"]
    assert any("0.1000 short of 1" in line for line in found["says"])
    assert "  above a*: p from 0.9500 to 0.9900, exactly 1" in found["says"]
    other = summarise([*rows[:-1], made(4, 0.875, 0.99)])["says"]
    assert "  above a*: p from 0.9500 to 0.9900, exactly 0.875 to 1" in other
    assert "silent" in found["says"][-1]


def test_lost_classes_are_counted_and_p_without_them_said() -> None:
    """Two seeds, three classes of two images; the second seed takes class 2 for class 0."""
    vectors = np.tile(0.8 * np.eye(3) + 0.1, (2, 1, 1))
    vectors[1, 2] = [0.7, 0.1, 0.2]
    p = np.array([[0.9, 0.9, 0.9, 0.9, 0.9, 0.9], [0.9, 0.9, 0.9, 0.6, 0.1, 0.3]])
    truth = Truth(np.array([0, 0, 1, 1, 2, 2]), np.array([[1, 1, 1, 1, 0.5, 0.5]]))
    found = rounded(_lost(vectors, p, truth, 0))
    assert found["lost"] == [0, 0, 1]
    assert found["kept"] == {"exact": 0.9, "measured": 0.87}
    vectors[:] = 1 - np.eye(3)
    assert _lost(vectors, p, truth, 0)["kept"] is None
    row = made(1, 1, 0.6, lost=[0, 4, 0], kept={"exact": 1, "measured": 0.97})
    (says,) = (line for line in summarise([row, made(2, 1, 0.9)])["says"] if "taken for another" in line)
    assert says.endswith("at a* 4 of 6 (p without them 0.9700), above a* 0 of 20 (p without them 0.9000)")


def test_the_fixed_summary_does_not_find_what_is_not_there() -> None:
    def fixed_row(factor: float, memorised: float) -> dict[str, Any]:
        each = {"memorised": [memorised] * 2, "measured": [0.5] * 2}
        return made(factor, 1, 0.5, regime="fixed", memorised=memorised, last=0.9, drop=0.1, clean=1.0, by_seed=each)

    flat = summarise([fixed_row(f, 0.3) for f in (0.25, 0.5, 1, 2, 4)])["losses"]["amse (q = 2)"]
    assert flat["transition"]["factor"] is None
    assert flat["rank_memorised"] is None
    falling = summarise([fixed_row(f, 0.9 if f < 1.5 else 0.1) for f in (0.25, 0.5, 1, 2, 4)])["losses"]["amse (q = 2)"]
    assert 1 < falling["transition"]["factor"] < 2
    assert falling["rank_memorised"]["rho"] < -0.8
    rising = summarise([fixed_row(f, 0.1 * f) for f in (0.25, 0.5, 1, 2, 4)])["losses"]["amse (q = 2)"]
    assert rising["transition"]["factor"] is None
    assert rising["rank_memorised"]["rho"] == pytest.approx(1)


def test_regimes_are_never_mixed(population: list[dict[str, Any]], fixed: list[dict[str, Any]]) -> None:
    with pytest.raises(InputError, match="one regime"):
        summarise([*population, *fixed])
    assert summarise(population)["regime"] == "population"
    assert summarise(fixed)["regime"] == "fixed"


# -------------------------------------------------------------------------------------------------------------- command

SMALL = "--subset 100 --epochs 1 --width 0.05 --seeds 1 --values 3"


def test_the_command_prints_rows_and_sentences(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = f"{SMALL} --loss amse agce:q=1/2 mae amse --regime fixed --out {tmp_path} --json"
    assert command(given.split()) == 0
    found = json.loads(capsys.readouterr().out)
    assert {json.loads(line)["device"] for line in (tmp_path / engine.GROUPS).read_text().splitlines()} == {"cpu"}
    assert [row["loss"] for row in found["rows"]] == ["amse"] * 3 + ["agce"] * 3 + ["mae"]
    assert found["rows"][4]["fixed"] == {"q": "0.5"}
    lines = (tmp_path / confirm_command.ROWS).read_text().splitlines()
    assert [json.loads(line) for line in lines] == found["rows"]
    assert command(f"{SMALL} --loss amse --out {tmp_path}".split()) == 0
    text = capsys.readouterr().out
    assert "population regime (redrawn labels)" in text
    assert "a* = 1.8" in text
    assert "1 of the grid's values lie outside the domain of a" in text


def test_ctrl_c_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(group: Any, tick: Any, out: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "train", stopped)
    assert command(f"{SMALL} --out {tmp_path}".split()) == 130
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--regime both", "--regime 'both'"),
        ("--loss amze", "amse"),
        ("--loss amse:q", "NAME:PARAMETER=VALUE"),
        ("--loss amse:b=2", "'b'"),
        ("--eta 1.4", "--eta 1.4"),
        ("--noise none", "clean labels|leave|must name"),
        ("--values 4", "odd"),
        ("--seeds 0", "--seeds 0"),
        ("--seeds x", "--seeds"),
        ("--regime fixed --expected", "--expected"),
        ("--dataset digit", "digits"),
        ("--regularisation l2 --strength 0", "strength"),
        ("--precision bfloat16", "bfloat16"),
        ("--noise cifar10n-wors", "cifar10n-worse"),
        ("--epochs 0", "--epochs 0"),
        ("--frobnicate", "frobnicate"),
    ],
)
def test_bad_input_is_one_line(given: str, says: str) -> None:
    pairs = zip(SMALL.split()[::2], SMALL.split()[1::2], strict=True)
    with pytest.raises(InputError, match=says) as caught:
        command([word for pair in pairs if pair[0] not in given for word in pair] + given.split())
    assert "\n" not in str(caught.value)


def test_noise_is_named_for_people() -> None:
    assert str(Noise("symmetric", Fraction(2, 5))) == "symmetric 0.4"
    assert confirm_summary.name_of({"loss": "aul", "fixed": {"p": "1/2"}}) == "aul (p = 1/2)"
