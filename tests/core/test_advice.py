"""What to train with before any training, by what was measured."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from asymtheory import cli
from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.errors import InputError
from asymtheory.noise import from_matrix, resolve
from asymtheory.selection.advice import NEAR, Run, advise, recorded, spread
from asymtheory.selection.recommended import share_left
from asymtheory.threshold import solve


@pytest.mark.parametrize(
    ("kind", "K", "expected"),
    [("symmetric", 10, 0), ("pair", 10, 1), ("pair", 2, 0), ("uniform", 5, 0), ("cifar10", 10, 1)],
)
def test_the_spread_is_0_for_even_noise_and_1_for_one_wrong_class(kind: str, K: int, expected: float) -> None:
    assert spread(resolve(kind, K, Fraction(2, 5))) == pytest.approx(expected, abs=1e-12)


def test_the_spread_of_a_matrix_is_that_of_its_worst_row() -> None:
    third = Fraction(1, 10)
    noise = from_matrix([[1 - 2 * third, third, third], [3 * third, 1 - 4 * third, third], [0, 0, 1]])
    assert spread(noise) == pytest.approx(0.5)  # (0.3 - 0.1) / 0.4 in the second row


def test_values_stand_at_their_multiple_of_the_threshold_and_rates_at_one_slope() -> None:
    noise = resolve("pair", 10, Fraction(2, 5))
    advice = advise(noise)
    assert [each.rank for each in advice.ranked] == sorted(each.rank for each in advice.ranked)
    checked = 0
    for each in advice.ranked:
        slope = fitting_slope(each.loss, 10).unfitted
        assert each.raw_rate * slope == pytest.approx(each.recipe.rate * 10)
        end = solve(each.loss, noise).end if each.recipe.factor and each.loss.name in ("amse", "jal-ce") else None
        if end is not None and end.number is not None and each.loss.main is not None:
            assert each.loss.parameters[each.loss.main] == Fraction(str(each.recipe.factor)) * Fraction(end.number)
            checked += 1
    assert checked > 20


def test_the_two_answers_are_what_they_say() -> None:
    advice = advise(resolve("symmetric", 10, Fraction(2, 5)))
    caution = recorded()[1]["caution"]
    assert advice.safest is min(advice.ranked, key=lambda each: each.recipe.line(0) + caution * each.recipe.worst)
    assert advice.safest.deficit == max(0, advice.safest.recipe.base)
    assert advice.fastest is not None
    assert advice.fastest.feasible
    noise = resolve("symmetric", 10, Fraction(2, 5))
    plain = [each for each in advice.ranked if each.feasible and not each.recipe.until]
    plain = [each for each in plain if (share_left(each.loss, noise) or 0) >= 0.5]  # none at its threshold
    within = [each for each in plain if each.deficit <= plain[0].deficit + NEAR]
    assert advice.fastest.fitting == max(each.fitting for each in within)


def test_what_lies_beyond_the_measured_lengths_is_said() -> None:
    noise = resolve("symmetric", 10, Fraction(2, 5))
    assert "1/4 of the measured rates);" in advise(noise, Run(epochs=40)).answers()
    assert "1/20 of the measured rates; beyond 1/4 nothing was measured);" in advise(noise, Run(epochs=200)).answers()


def test_nothing_was_learnt_from_what_was_set_aside() -> None:
    _, facts = recorded()
    assert not {"mnist", "letter", "fashion", "speakers", "vehicle"} & set(facts["sets"])


def test_the_size_of_a_sample_tells_the_rate() -> None:
    noise = resolve("symmetric", 3, Fraction(1, 5))
    low, high = recorded()[1]["sizes"]
    advice = [advise(noise, Run(inputs=inputs)) for inputs in (1, low, high, 3072)]
    assert advice[0].ranked == advice[1].ranked  # the nearest that was measured
    assert advice[2].ranked == advice[3].ranked
    few, many = ([each.rate for each in found.ranked[:10]] for found in advice[1:3])
    assert sum(few) > 2 * sum(many)  # a step moves samples of many numbers further
    for found in advice:
        assert [each.rank for each in found.ranked] == sorted(each.recipe.line(0, found.size) for each in found.ranked)
        assert found.safest is found.ranked[0]
        assert found.answers().startswith("expected     ")


@pytest.mark.parametrize(
    ("run", "longer"),
    [
        (Run(), 1),
        (Run(epochs=5, samples=10**6), 1),  # few visits
        (Run(epochs=40, samples=640), 1),  # 40 visits in 200 steps
        (Run(epochs=40, samples=4500), 4),
        (Run(epochs=40, samples=3150), 4),
        (Run(epochs=20, samples=1920), Fraction(6, 5)),  # 300 steps
        (Run(epochs=40), 4),
    ],
)
def test_longer_runs_have_lower_rates(run: Run, longer: Fraction) -> None:
    """Longer is what has more of both, visits of a sample and steps."""
    assert run.longer == pytest.approx(float(longer))
    noise = resolve("symmetric", 10, Fraction(2, 5))
    usual, found = advise(noise).safest, advise(noise, run).safest
    assert (found.loss, found.rate, found.raw_rate) == (
        usual.loss,
        pytest.approx(usual.rate / float(longer)),
        pytest.approx(usual.raw_rate / float(longer)),
    )


def test_the_command_prints_it_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main("select --K 10 --eta 0.4".split()) == 0
    short = capsys.readouterr().out
    assert short.startswith("safest ")
    assert cli.main("select --K 10 --eta 0.4 --advice".split()) == 0
    assert "expected points below the best" in capsys.readouterr().out.replace(short.split("\n\n")[0], "", 1)
    assert cli.main("select --K 10 --eta 0.4 --advice --format json".split()) == 0
    assert json.loads(capsys.readouterr().out)["advice"]["safest"]["rate"] > 0


def test_a_noise_without_a_most_frequent_true_label_is_refused() -> None:
    with pytest.raises(InputError, match="no advice"):
        advise(resolve("pair", 3, Fraction(3, 5)))


def test_on_clean_labels_it_is_ce() -> None:
    advice = advise(resolve("symmetric", 10, 0))
    assert (
        advise(resolve("symmetric", 10, 0), Run(inputs=10, epochs=100)).ranked == advice.ranked
    )  # nothing can be memorised
    assert advice.safest.loss.name == "ce"
    assert advice.safest.deficit == min(each.deficit for each in advice.ranked if each.loss.name == "ce")
    assert advice.fastest is None
    assert "without noise" in str(advice)
    assert "spread" in str(advise(resolve("symmetric", 10, Fraction(1, 10))))
