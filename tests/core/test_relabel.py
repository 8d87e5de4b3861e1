"""Which samples are relabelled, and the row that comes of their labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asymtheory import cli, select
from asymtheory.errors import InputError
from asymtheory.noise.estimate import NoiseEstimate, Predicted, from_predicted, read_predicted
from asymtheory.noise.relabel import Relabelled, chances, drawn, posterior, relabelling, with_relabelled

pytest.importorskip("cleanlab")
Array = np.ndarray[Any, np.dtype[Any]]
K, ROW, RIVAL = 3, 2, 0


def made(samples: int = 3000) -> tuple[Array, Array, Array]:
    """(labels, probabilities, true classes): class 2 binds, and its hard samples are the ones that are mislabelled."""
    random = np.random.default_rng(0)
    true = np.arange(samples) % K
    hard = random.random(samples)
    wrong = random.random(samples) < np.where(true == ROW, 0.7, 0.3) * hard
    labels = np.where(wrong, np.where(true == ROW, RIVAL, ROW), true)
    score = np.eye(K)[true] * 3 * (1 - hard)[:, None] + random.normal(0, 0.7, (samples, K))
    p = np.exp(score) @ (np.eye(K) * 0.8 + 0.2 / K)
    return labels, p / p.sum(1, keepdims=True), true


@pytest.fixture(scope="module")
def known() -> tuple[NoiseEstimate, Predicted, Array]:
    labels, p, true = made()
    both = read_predicted(labels, p)
    return from_predicted(both, replicates=20), both, true


def back(found: NoiseEstimate, both: Predicted, true: Array, count: int, seed: int) -> Relabelled:
    plan = drawn(found, both, count, seed)
    places = np.array(plan.places)
    return Relabelled(places, true[places], np.full(count, plan.row), np.array(plan.weights))


def row_of(labels: Array, true: Array, row: int) -> Array:
    return np.bincount(labels[true == row], minlength=K) / (true == row).sum()


@given(st.lists(st.floats(1e-6, 1e3), min_size=30, max_size=60), st.integers(1, 29))
def test_chances_sum_to_the_count_and_follow_the_doubt(doubt: list[float], count: int) -> None:
    found = chances(np.array(doubt), count)
    assert found.sum() == pytest.approx(count)
    assert ((found > 0) & (found <= 1)).all()
    order = np.argsort(doubt)
    assert (np.diff(found[order]) >= -1e-12).all()


def test_the_row_is_right_on_average_though_hard_samples_are_mislabelled(
    known: tuple[NoiseEstimate, Predicted, Array],
) -> None:
    """Over 200 draws the mean is the true row; counting what was drawn would be far off, and random samples twice as uncertain."""
    found, both, true = known
    expected = row_of(both.labels, true, ROW)
    rows, plain, widths, inside = [], [], [], 0
    assert found.binding == ROW
    for seed in range(200):
        got = back(found, both, true, 150, seed)
        made = with_relabelled(found, both, got, 0.95)
        rows.append([float(w) for w in made.noise.rows[ROW].weights])
        mine = got.clean == ROW
        plain.append(np.bincount(both.labels[got.places[mine]], minlength=K) / mine.sum())
        assert made.boxes is not None
        widths.append(
            (made.boxes.top_high - made.boxes.top_low + made.boxes.second_high - made.boxes.second_low)[ROW] / 2
        )
        inside += made.boxes.top_low[ROW] <= expected[ROW] <= made.boxes.top_high[ROW]
    error = np.std(rows, axis=0) / 200**0.5
    assert (np.abs(np.mean(rows, axis=0) - expected) < 4 * error + 0.002).all()
    assert np.abs(np.mean(plain, axis=0) - expected).max() > 0.05
    assert inside >= 190
    margins = np.array(rows)[:, ROW] - np.array(rows)[:, RIVAL]
    plan = drawn(found, both, 150)
    assert margins.std() < 0.6 * plan.random
    assert margins.std() == pytest.approx(plan.expected, rel=0.5)
    assert np.median(widths) == pytest.approx(plan.after, rel=0.5)


def test_other_rows_stay_as_they_were(known: tuple[NoiseEstimate, Predicted, Array]) -> None:
    found, both, true = known
    after = with_relabelled(found, both, back(found, both, true, 100, 0), 0.95)
    others = [row for row in range(K) if row != ROW]
    assert after.top[others] == pytest.approx(found.top[others], abs=1e-12)
    assert after.top[ROW] != found.top[ROW]
    assert "class 2" in after.method
    assert after.noise.reading == found.noise.reading


def test_the_choice_is_expected_to_gain_on_equal_chances(known: tuple[NoiseEstimate, Predicted, Array]) -> None:
    found, both, _ = known
    q = posterior(found, both.labels, both.table, ROW)
    assert ((q >= 0) & (q <= 1)).all()
    plan = drawn(found, both, 200)
    slope = (both.labels == ROW) * 1.0 - (both.labels == RIVAL) - plan.margin
    even = ((len(q) / 200 - 1) * slope**2 * q * (1 - q)).sum() ** 0.5 / q.sum()
    assert plan.expected < 0.9 * even < 0.9 * plan.random


def test_another_row_can_be_asked_for(known: tuple[NoiseEstimate, Predicted, Array]) -> None:
    found, both, true = known
    plan = drawn(found, both, 200, row=1)
    assert (plan.row, plan.names[0]) == (1, "class 1")
    places = np.array(plan.places)
    got = Relabelled(places, true[places], np.full(200, 1), np.array(plan.weights))
    row = [float(w) for w in with_relabelled(found, both, got, 0.95).noise.rows[1].weights]
    assert row == pytest.approx(row_of(both.labels, true, 1), abs=0.05)
    with pytest.raises(InputError, match=r"row 3: a class in 0\.\.2 is needed"):
        drawn(found, both, 200, row=3)


def test_nothing_is_left_to_chance_where_every_sample_is_relabelled(
    known: tuple[NoiseEstimate, Predicted, Array],
) -> None:
    found, both, _ = known
    plan = drawn(found, both, len(both.labels))
    assert plan.expected == pytest.approx(0, abs=1e-9)
    assert set(plan.weights) == {1.0}


def test_the_command_chooses_and_takes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A person fills in three quarters of the labels, by name."""
    labels, p, true = made(600)
    names = ("cat", "dog", "truck")
    (tmp_path / "noisy.csv").write_text("label\n" + "\n".join(names[y] for y in labels) + "\n")
    (tmp_path / "p.csv").write_text(",".join(names) + "\n" + "\n".join(",".join(f"{x:.9f}" for x in row) for row in p))
    ask = tmp_path / "ask.csv"
    given = ["--labels", str(tmp_path / "noisy.csv"), "--probs", str(tmp_path / "p.csv"), "--losses", "amse,ce"]
    assert cli.main(["select", *given, "--relabel", "200", "--write-relabel", str(ask)]) in (0, 1)
    out = capsys.readouterr().out
    assert "200 of 600 samples, for truck against cat" in out
    lines = [line.split(",") for line in ask.read_text().splitlines()]
    assert lines[0] == ["index", "label", "row", "weight"]
    assert all(label == "" and row == "2" for _, label, row, _ in lines[1:])
    filled = [[i, names[true[int(i)]] if place % 4 else "", row, w] for place, (i, _, row, w) in enumerate(lines[1:])]
    ask.write_text("\n".join(",".join(line) for line in [lines[0], *filled]) + "\n")
    assert cli.main(["select", *given, "--clean", str(ask), "--json"]) in (0, 1)
    facts = json.loads(capsys.readouterr().out)
    assert "the row of truck by 150 relabelled samples" in facts["noise"]["method"]
    want = row_of(labels, true, ROW)
    assert facts["margin"]["low"] < want[ROW] - want[RIVAL] < facts["margin"]["high"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("index,label\n0,1\n", "one of them, not both, unless --clean is a table index,label,row,weight"),
        ("index,label,row,weight\n0,,2,1\n", "no label is filled in"),
        ("index,label,row,weight\n9999,1,2,1\n", "index 9999 is not in 0..299"),
        ("index,label,row,weight\n0,1,7,1\n", "row 7 is not in 0..2"),
        ("index,label,row,weight\n0,1,2,-1\n", "the weight '-1' is not a number > 0"),
        ("index,label,row,weight\n0,1,2,1\n0,1,2,1\n", "an index is given twice"),
        ("index,label,row,weight\n0,1,2,1\n", "1 clean labels for class 2; at least 20 are needed"),
    ],
)
def test_tables_that_cannot_be_are_refused(table: str, message: str, tmp_path: Path) -> None:
    labels, p, _ = made(300)
    (tmp_path / "back.csv").write_text(table)
    with pytest.raises(InputError, match=message):
        select(labels=labels, probs=p, clean=str(tmp_path / "back.csv"), losses=["ce"], replicates=5)


def test_options_that_do_not_go_together_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        ("--K 10 --eta 0.4 --relabel 30", "--relabel goes with --labels and --probs"),
        ("--K 10 --eta 0.4 --write-relabel x.csv", "--write-relabel goes with --relabel"),
        ("--labels x.csv --probs p.csv --relabel 3", "--relabel 3: a whole number >= 20"),
    ):
        assert cli.main(["select", *arguments.split()]) == 2
        assert message in capsys.readouterr().err
    labels, p, _ = made(300)
    with pytest.raises(InputError, match=r"--relabel 301: a number in 20\.\.300"):
        relabelling(labels, p, 301)
