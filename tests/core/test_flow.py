"""What a linear model makes of noisy labels with their features."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from asymtheory import cli
from asymtheory.errors import InputError
from asymtheory.noise.flow import FOLDS, TIMES, linear_flow
from asymtheory.selection.select import select

Floats = npt.NDArray[np.float64]


def clouds(count: int = 400, weak: float = 1.0, flipped: float = 0.2) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Three classes told apart by the first two of six numbers, which are ``weak`` times as large as the others."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(count, 6)), random.integers(0, 3, count)
    x[:, :2] = (np.array([[3, 0], [-2, 2], [-2, -2]])[y] + 0.5 * random.normal(size=(count, 2))) * weak
    return x, np.where(random.random(count) < flipped, (y + random.integers(1, 3, count)) % 3, y)


def test_the_closed_form_is_gradient_descent_in_small_steps() -> None:
    """Of one fold: small steps of gradient descent to the found time, on the training folds alone, predict what the flow does."""
    x, y = clouds(100)
    found = linear_flow(x, y)
    fold = np.random.default_rng(0).permutation(len(y)) % FOLDS
    for k in range(FOLDS):
        inside, held = x[fold != k], x[fold == k]
        centre = inside.mean(0)
        scale = np.sqrt(np.mean((inside - centre) ** 2))
        inside, held = (inside - centre) / scale, (held - centre) / scale
        one_hot = np.eye(3)[y[fold != k]]
        W, steps = np.zeros((6, 3)), 4000
        for _ in range(steps):
            W -= found.time / steps * inside.T @ (inside @ W - (one_hot - one_hot.mean(0))) / len(inside)
        said = np.maximum(held @ W + one_hot.mean(0), 1e-4)
        said /= said.sum(1, keepdims=True)
        np.testing.assert_allclose(found.probabilities[fold == k], said, atol=2e-3)


def test_probabilities_are_out_of_sample_and_no_time_is_better() -> None:
    x, y = clouds()
    found = linear_flow(x, y)
    np.testing.assert_allclose(found.probabilities.sum(1), 1)
    assert found.right == pytest.approx((found.probabilities.argmax(1) == y).mean())
    assert 0.7 < found.right < 0.85  # a fifth of the labels is wrong, and nothing tells which
    assert found.time in TIMES
    noise = np.random.default_rng(1).normal(size=(60, 50))
    assert linear_flow(noise, np.arange(60) % 2).right < 0.75  # 50 numbers fit 48 labels, but not those held out


def test_weak_directions_take_longer_and_units_do_not_matter() -> None:
    slow, fast = (linear_flow(*clouds(weak=weak)).time for weak in (0.03, 1.0))
    assert slow > 8 * fast
    x, y = clouds()
    assert linear_flow(1000 * x + 7, y).time == fast


def test_features_tell_how_many_numbers_a_sample_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = clouds()
    np.savez(tmp_path / "x.npz", train=x, other=x[:3])
    np.save(tmp_path / "y.npy", y)
    files = ["--labels", str(tmp_path / "y.npy"), "--features", str(tmp_path / "x.npz"), "--epochs", "50"]
    assert cli.main(["select", *files, "--json", "--losses", "amse"]) == 0
    said = json.loads(capsys.readouterr().out)["advice"]
    assert (said["inputs"], said["longer"]) == (6, 1.0)  # 50 epochs, but 200 steps
    assert cli.main(["select", *files, "--inputs", "6"]) == 2
    assert "--inputs goes without --features" in capsys.readouterr().err
    chosen = select(labels=y, features=x, losses=["amse"])
    assert chosen.estimate.noise.source == "a linear model of --features"
    assert abs(chosen.estimate.margin.value - 0.7) < 0.15  # 0.8 right, 0.1 and 0.1 wrong


def test_features_choose_what_to_relabel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = clouds()
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    files = {"labels": str(tmp_path / "y.npy"), "features": str(tmp_path / "x.npy")}
    given = [f"--{name}={path}" for name, path in files.items()]
    asked = tmp_path / "ask.csv"
    assert cli.main(["select", *given, "--losses", "amse", "--relabel", "60", "--write-relabel", str(asked)]) == 0
    assert "relabel      60 of 400 samples" in capsys.readouterr().out
    lines = asked.read_text().splitlines()
    filled = [lines[0], *(f"{i},{y[int(i)]},{row},{w}" for i, _, row, w in (line.split(",") for line in lines[1:]))]
    asked.write_text("\n".join(filled) + "\n")
    assert "by 60 relabelled samples" in select(**files, clean=str(asked), losses=["amse"]).estimate.method
    clean = select(labels=y, clean=y, features=x, losses=["amse"])  # clean labels, and features for their number alone
    assert clean.flow is not None
    assert clean.estimate.margin.value == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"features": [[1.0, 2.0]]}, "--features goes with --labels"),
        ({"features": [[1.0, 2.0]] * 60, "labels": [0, 1]}, r"array of shape \(60, 2\) for 2 labels"),
        ({"features": [[1.0, 2.0]] * 10, "labels": [0, 1] * 5}, "10 samples of float32; at least 50"),
        ({"features": [[1.0, 2.0]] * 60, "labels": [0, 1] * 30}, "all features are constant"),
        ({"features": [[1.0, float("nan")]] * 60, "labels": [0, 1] * 30}, "not finite"),
        ({"features": [[1.0], [2.0]] * 30, "labels": [1] * 60}, "one class"),
        ({"features": np.zeros((60, 5000)), "labels": [0, 1] * 30}, "at most 4,096"),
        ({"features": [1.0, 2.0], "labels": [0, 1]}, "a table"),
        ({"features": [["a"], ["b"]], "labels": [0, 1]}, "not a table of numbers"),
        ({"features": [[1.0, 2.0]] * 60, "labels": [0, None] * 30}, "position 1 has no label"),
    ],
)
def test_features_that_do_not_fit_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        select(**given)  # type: ignore[arg-type]


def test_what_memory_has_no_room_for_is_refused() -> None:
    with pytest.raises(InputError, match="5,000 samples of 5,000 classes are too many at once; at most 4,000"):
        linear_flow(np.arange(5000.0)[:, None], np.arange(5000))
