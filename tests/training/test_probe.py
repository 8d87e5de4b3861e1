"""Looking inside a network in training: what is seen is right, and the run is what it would have been without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asymtheory_figures.theory.gradients import by_probability
from asymtheory_training.data.augment import normalise
from asymtheory_training.run import checkpoint, probe, record
from asymtheory_training.run.config import TrainConfig
from asymtheory_training.run.probe import embedded, first_of_each, moments, pulls
from asymtheory_training.run.record import Epoch
from asymtheory_training.run.run import Prepared, loss_of, run, trained_model
from PIL import Image

from asymtheory import build
from asymtheory.cli import main
from asymtheory.errors import InputError

from .two_processes import folder_run, make_folder

pytestmark = pytest.mark.xdist_group("probe")

TINY: dict[str, Any] = {
    "dataset": "digits", "loss": "ce", "model": "cnn4", "width": 0.2, "epochs": 8, "subset": 150, "batch": 32, "probe": True,
    "threads": 1, "device": "cpu", "noise": {"kind": "symmetric", "eta": Fraction(2, 5)},
}  # fmt: skip


def tiny(**changed: Any) -> TrainConfig:
    return TrainConfig.resolve({**TINY, **changed})


@pytest.fixture(autouse=True)
def few_test_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """t-SNE of 40 points takes a tenth of a second."""
    monkeypatch.setattr(probe, "TEST", 40)


# ----------------------------------------------------------------------------------------------------- what is measured


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 5, 6)), (50, (1, 10, 20, 30, 40, 50)), (120, (1, 24, 48, 72, 96, 120))],
)
def test_moments_are_the_first_epoch_the_last_and_fifths_between(epochs: int, expected: tuple[int, ...]) -> None:
    assert moments(epochs) == expected


def simplex(samples: int, K: int, sharp: float) -> np.ndarray[Any, Any]:
    z = sharp * np.random.default_rng(K).normal(size=(samples, K))
    u: np.ndarray[Any, Any] = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return u


@pytest.mark.parametrize("K", [2, 5, 10])
def test_the_pull_is_the_derivative_of_the_cores_definition(K: int) -> None:
    u = simplex(60, K, 2)
    assert u.min() > 1e-7
    y = np.arange(60) % K
    found = pulls(torch.from_numpy(u), torch.from_numpy(y)).numpy()
    for p, label, value in zip(u, y, found, strict=True):
        slopes = by_probability(build("nnce"), p, label)
        assert value == pytest.approx(np.delete(slopes, label).max(), rel=1e-10)
        H = (7 * np.log(10) + np.log(p)).sum()  # ANL Eq. 15, first line
        assert value == pytest.approx((7 * np.log(10) + np.log(p[label])) / H**2 / np.delete(p, label).min(), rel=1e-10)


def test_below_the_end_of_its_domain_nnce_is_flat() -> None:
    u = simplex(80, 6, 9)
    y = np.arange(80) % 6
    below = u < 1e-7
    assert below.any(1).mean() > 0.5
    found = pulls(torch.from_numpy(u), torch.from_numpy(y)).numpy()
    nnce = build("nnce")
    for p, label, value in zip(u, y, found, strict=True):
        slopes = []
        for j in set(range(6)) - {label}:  # differences of the value, which below 1e-7 is that at 1e-7
            step = 1e-6 * p[j]
            high, low = (nnce(np.maximum(p + sign * step * np.eye(6)[j], 1e-7))[label] for sign in (1, -1))
            slopes.append((high - low) / (2 * step))
        assert value == pytest.approx(max(slopes), rel=1e-4, abs=1e-7)
        assert value >= 0
    assert (found == 0).any()  # the label itself, or every other class, is below
    assert (found > 0).any()
    assert pulls(torch.full((1, 3), float("nan")).nan_to_num(0.0), torch.zeros(1, dtype=torch.int64)).item() == 0


def test_bins_are_closed_at_one() -> None:
    p = torch.tensor([0.0, 0.049, 0.051, 0.949, 0.951, 1.0], dtype=torch.float64)
    assert probe._histogram(p) == [2, 1, *[0] * 16, 1, 2]


def test_a_network_that_has_broken_down_is_looked_at_without_failing() -> None:
    config = tiny(epochs=1)
    trainer = Prepared.of(config).trainer(loss_of(config))
    looked = probe.Probe(trainer)
    with torch.no_grad():
        for weight in trainer.model.parameters():
            weight.fill_(torch.nan)
    trainer.done = 1
    looked.after()
    seen = json.loads(json.dumps(looked.result(), allow_nan=False))
    assert seen["histograms"]["clean"] == [[90, *[0] * 19]]
    assert seen["gradients"]["corrupted"] == [[0] * 6]
    assert seen["embedding"] is None


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a run that was looked into, with the features that were embedded, and the run's line."""
    folder = tmp_path_factory.mktemp("probe")

    def kept(features: np.ndarray[Any, Any]) -> list[list[float]] | None:
        np.save(folder / "features.npy", features)
        return embedded(features)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "TEST", 40)
        patch.setattr(probe, "embedded", kept)
        run(tiny(), folder / "whole")
    (line,) = record.read(folder / "whole/result.jsonl")
    return folder, line


def test_the_last_moment_is_what_the_trained_network_gives(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, line = finished
    seen = line["probe"]
    assert seen["epochs"] == [1, 2, 3, 5, 6, 8]
    model, config = trained_model(folder / "whole")
    prepared = Prepared.of(config)
    data, dataset = prepared.data, prepared.dataset
    assert data.true is not None
    x = normalise(dataset.train_images, dataset.mean, dataset.std, torch.float32)  # type: ignore[union-attr,arg-type]
    with torch.no_grad():
        p = torch.softmax(model(x), -1).double().numpy()
    given = data.given.numpy()
    corrupted = given != data.true.numpy()
    assert corrupted.sum() == 60
    rest = np.where(np.arange(10) == given[:, None], np.inf, p).min(1)
    A = 7 * np.log(10)
    own = p[np.arange(150), given]
    assert p.min() > 1e-7
    slopes = (A + np.log(own)) / (A + np.log(p)).sum(1) ** 2 / rest
    for name, part in (("clean", ~corrupted), ("corrupted", corrupted)):
        assert len(seen["histograms"][name]) == len(seen["gradients"][name]) == 6
        counts = [np.histogram(own[part], 20, (0, 1))[0].tolist(), seen["histograms"][name][-1]]
        assert np.abs(np.subtract(*counts)).sum() <= 2  # one image may stand on the edge of a bin
        assert all(sum(each) == part.sum() for each in seen["histograms"][name])
        box = [*np.quantile(slopes[part], [0.05, 0.25, 0.5, 0.75, 0.95]), slopes[part].mean()]
        assert seen["gradients"][name][-1] == pytest.approx(box, rel=1e-4)
    assert seen["histograms"]["clean"][0] != seen["histograms"]["clean"][-1]
    # features of the test images: the first four of each class
    labels = dataset.test_labels.numpy()
    chosen = np.sort(np.concatenate([np.flatnonzero(labels == k)[:4] for k in range(10)]))
    assert seen["embedding"]["labels"] == labels[chosen].tolist()
    x = normalise(dataset.test_images, dataset.mean, dataset.std, torch.float32)[chosen]  # type: ignore[union-attr,arg-type]
    with torch.no_grad():
        features = model.features(x).double().numpy()
    kept = np.load(folder / "features.npy")
    np.testing.assert_allclose(kept, features, rtol=1e-3, atol=1e-5)
    assert seen["embedding"]["points"] == embedded(kept)


def test_points_of_a_class_lie_together(finished: tuple[Path, dict[str, Any]]) -> None:
    points = np.array(finished[1]["probe"]["embedding"]["points"])
    labels = np.array(finished[1]["probe"]["embedding"]["labels"])
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    alike = labels[:, None] == labels
    assert distance[alike & (distance > 0)].mean() < 0.8 * distance[~alike].mean()
    for text in map(str, points.ravel().tolist()):
        assert len(text.strip("-0.").replace(".", "").replace("e-0", "")) <= 4  # three digits


# ------------------------------------------------------------------------------------------- the run is left as it was


def test_nothing_of_the_run_changes(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, line = finished
    numpy_state, torch_state = np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index, union-attr] # noqa: NPY002
    run(tiny(probe=False), tmp_path / "off")
    run(tiny(), tmp_path / "again")
    assert np.random.get_state()[1].tolist() == numpy_state  # type: ignore[index, union-attr] # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)
    a, b = (checkpoint.load(path / "checkpoint.pt")["model"] for path in (folder / "whole", tmp_path / "off"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    (off,), (again,) = (record.read(tmp_path / name / "result.jsonl") for name in ("off", "again"))
    assert "probe" not in off
    assert again["probe"] == line["probe"]
    clock = ("seconds", "images_per_second")
    curves = [[{k: v for k, v in e.items() if k not in clock} for e in each["curve"]] for each in (line, off)]
    assert curves[0] == curves[1]


def test_without_it_a_run_keeps_its_key() -> None:
    assert TrainConfig(loss="ce").key() == "932c77ee1027fb57"  # as before the setting was there
    assert TrainConfig(loss="ce", probe=True).key() != TrainConfig(loss="ce").key()


@pytest.mark.slow
def test_killed_and_resumed_it_has_seen_the_same(tmp_path: Path) -> None:
    config = tiny(epochs=250, width=0.1, subset=64, evaluate=250)
    run(config, tmp_path / "whole")
    kept = tmp_path / "killed/checkpoint.pt"
    (tmp_path / "run.toml").write_text(config.to_toml())
    command = [sys.executable, "-m", "asymtheory_training", "train", "--config", "run.toml", "--out", "killed"]
    child = subprocess.Popen(command, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not kept.exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    state = checkpoint.load(kept)
    assert state["epoch"] < config.epochs
    assert [each["epoch"] for each in state["probe"]] == [e for e in moments(config.epochs) if e <= state["epoch"]]
    seen: list[int] = []
    run(config, tmp_path / "killed", resume=True, on_epoch=lambda epoch: seen.append(epoch.epoch))
    assert seen[0] == state["epoch"] + 1 > 1
    (whole,), (killed,) = (record.read(tmp_path / name / "result.jsonl") for name in ("whole", "killed"))
    assert killed["probe"] == whole["probe"]
    assert killed["probe"]["epochs"] == list(moments(config.epochs))


def stop(epoch: Epoch) -> None:
    raise KeyboardInterrupt


def test_a_checkpoint_goes_on_with_the_setting_it_was_made_with(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tiny(probe=False), tmp_path, on_epoch=stop)
    with pytest.raises(InputError, match=r"--resume: .*: probe False there, True here"):
        run(tiny(), tmp_path, resume=True)
    state = checkpoint.load(tmp_path / checkpoint.NAME)
    del state["config"]["probe"]  # as older versions wrote it
    checkpoint.save(tmp_path / checkpoint.NAME, state)
    assert run(tiny(probe=False), tmp_path, resume=True).probe is None


# ------------------------------------------------------------------------------------------- labels and sets of all kinds


@pytest.mark.parametrize("noise", [{"kind": "symmetric", "eta": Fraction(2, 5), "mode": "redrawn"}, {}])
def test_without_wrong_labels_there_is_no_corrupted_part(noise: dict[str, Any]) -> None:
    result = run(tiny(noise=noise, epochs=2))
    seen = json.loads(json.dumps(result.to_dict(), allow_nan=False))["probe"]
    for what in ("gradients", "histograms"):
        assert seen[what]["corrupted"] is None
        assert len(seen[what]["clean"]) == 2
    assert sum(seen["histograms"]["clean"][0]) == 150


def test_of_many_images_a_fixed_choice_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TRAINING", 50)
    chosen = []
    for seed in (0, 0, 1):
        config = tiny(seed=seed)
        chosen.append(probe.Probe(Prepared.of(config).trainer(loss_of(config))).chosen.tolist())
    assert chosen[0] == chosen[1] == sorted(set(chosen[0]))
    assert chosen[2] != chosen[0]
    assert len(chosen[0]) == len(chosen[2]) == 50
    assert min(chosen[0]) >= 0
    assert max(chosen[0]) < 150


def test_images_in_files_are_looked_at_too(tmp_path: Path) -> None:
    seen = run(folder_run(make_folder(tmp_path / "images"), probe=True, epochs=1)).probe
    assert seen is not None
    assert [sum(seen["histograms"][name][0]) for name in ("clean", "corrupted")] == [18, 9]
    assert seen["embedding"]["labels"] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_where_nobody_knows_which_labels_are_wrong_it_is_refused(tmp_path: Path) -> None:
    for part in ("training", "testing"):
        (tmp_path / part).mkdir()
        for label in range(10):
            Image.new("RGB", (8, 8)).save(tmp_path / part / f"{label}_0.png")
    with pytest.raises(InputError, match=r"--probe: which labels of animal10n are wrong is not known; leave it out"):
        run(tiny(dataset="animal10n", data_dir=str(tmp_path), noise={}, subset=None))


# ------------------------------------------------------------------------------------------------------- the embedding


def test_an_embedding_keeps_clusters_apart_and_is_the_same_each_time() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = random.normal(size=(60, 12)) + 30 * np.eye(12)[labels]
    found = embedded(features)
    assert found == embedded(features)
    points = np.array(found)
    centres = np.stack([points[labels == k].mean(0) for k in range(3)])
    nearest = np.linalg.norm(points[:, None] - centres, axis=-1).argmin(1)
    assert (nearest == labels).all()
    assert all(float(f"{x:.3g}") == x for x in points.ravel())


@pytest.mark.parametrize(
    ("features", "count"),
    [
        (np.zeros((12, 5)), 12),  # a network that has collapsed
        (np.arange(12.0)[:, None], 12),  # one feature
        (np.ones((3, 4)), None),
        (np.full((12, 5), np.nan), None),
    ],
)
def test_features_that_have_no_axes(features: np.ndarray[Any, Any], count: int | None) -> None:
    found = embedded(features)
    if count is None:
        assert found is None
    else:
        assert found is not None
        assert np.isfinite(found).all()
        assert found == embedded(features)
        assert len({tuple(point) for point in found}) == count == len(found)


def test_the_first_images_of_every_class() -> None:
    labels = torch.tensor([2, 0, 1, 1, 1, 0, 0, 2, 2, 0])
    assert first_of_each(labels, 10).tolist() == list(range(10))
    assert first_of_each(labels, 9).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert first_of_each(labels, 6).tolist() == [0, 1, 2, 3, 5, 7]
    assert first_of_each(labels, 3).tolist() == [0, 1, 2]
    assert first_of_each(labels, 2).tolist() == [0, 1]  # fewer than classes: the first of them


# --------------------------------------------------------------------------------------------------------- the settings


def test_the_option_and_the_line_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--probe", "--dry-run"]) == 0
    assert "\nprobe = true\n" in capsys.readouterr().out
    path = tmp_path / "run.toml"
    path.write_text("probe = true\n")
    assert TrainConfig.from_toml(path).probe
    path.write_text("probe = 1\n")
    with pytest.raises(InputError, match="line 1: probe 1: true or false is needed"):
        TrainConfig.from_toml(path)
