"""Noisy labels: exact counts, independence of everything but the seed, files, human labels, redrawing, the command."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from asymtheory_training.data import instance_noise  # noqa: E402
from asymtheory_training.data import labels as module  # noqa: E402
from asymtheory_training.data.labels import NoisyLabels, Redrawn, apportion, make_labels, transition, uniforms  # noqa: E402
from asymtheory_training.data.sets import load_dataset  # noqa: E402

from asymtheory import cli, noise  # noqa: E402
from asymtheory.errors import InputError  # noqa: E402

SHARED = Path(__file__).parents[3] / "shared" / "data" / "noisy-labels"
CLEAN = np.random.default_rng(0).permutation(np.arange(5000) % 10)

weights = st.one_of(st.integers(0, 9), st.fractions(0, 3, max_denominator=12), st.floats(0, 5, allow_subnormal=False))
rows: st.SearchStrategy[list[Any]] = st.lists(weights, min_size=2, max_size=8).filter(
    lambda row: sum(map(Fraction, row)) > 0
)


# -------------------------------------------------------------------------------------------------------- exact counts
@given(rows, st.integers(0, 10**6), st.integers(0, 7))
def test_apportion_rounds_by_largest_remainder(row: list[Any], samples: int, first: int) -> None:
    parts = apportion(row, samples, first)
    quotas = [samples * Fraction(w) / sum(map(Fraction, row)) for w in row]
    assert sum(parts) == samples
    assert all(int(quota) <= part <= -(-quota // 1) for part, quota in zip(parts, quotas, strict=True))
    rests = [quota - int(quota) for quota in quotas]
    up = [rest for rest, part, quota in zip(rests, parts, quotas, strict=True) if part > quota]
    down = [rest for rest, part, quota in zip(rests, parts, quotas, strict=True) if part < quota]
    assert not up or not down or min(up) >= max(down)


def test_ties_go_round() -> None:
    assert apportion([3, 1, 1, 1], 8, first=1) == [4, 2, 1, 1]
    assert apportion([3, 1, 1, 1], 8, first=3) == [4, 1, 1, 2]
    assert apportion([1, 1, 1], 2, first=2) == [1, 0, 1]


@settings(max_examples=60)
@given(st.integers(2, 7), st.data())
def test_exact_labels_have_the_counts_of_the_matrix(K: int, data: st.DataObject) -> None:
    row = st.lists(st.integers(0, 20), min_size=K, max_size=K).filter(any)
    table = [[Fraction(w, sum(r)) for w in r] for r in data.draw(st.lists(row, min_size=K, max_size=K))]
    clean = np.array(data.draw(st.lists(st.integers(0, K - 1), min_size=1, max_size=60)))
    made = make_labels(clean, table, seed=data.draw(st.integers(0, 2**70)))
    assert made.K == K
    np.testing.assert_array_equal(made.clean, clean)
    sizes = np.bincount(clean, minlength=K)
    for i in range(K):
        assert made.counts[i].tolist() == apportion(table[i], int(sizes[i]), (i + 1) % K)
    assert made.rate == np.mean(made.labels != clean)


@pytest.mark.parametrize(
    ("kind", "eta", "rate"),
    [
        ("symmetric", 0.4, 0.4),
        ("symmetric", Fraction(4, 5), 0.8),  # published code: 0.7992
        ("uniform", 0.5, 0.45),
        ("pair", 0.3, 0.3),
        ("cifar10", 0.4, 0.2),  # five of ten classes; published in-place code: 0.184
        ("mnist", 0.2, 0.1),
        ("cifar10n-worse", None, 0.40208),
    ],
)
def test_the_rate_asked_for_is_the_rate_realised(kind: str, eta: Any, rate: float) -> None:
    clean = np.repeat(CLEAN, 10)
    made = make_labels(clean, kind, K=10, eta=eta)
    assert made.rate == rate
    model = noise.resolve(kind, 10, None if eta is None else module.exact_rate(eta))
    np.testing.assert_allclose(made.matrix, transition(model), atol=1 / 5000 + 1e-12)
    np.testing.assert_allclose(made.matrix.sum(axis=1), 1)
    if kind == "cifar10":
        assert made.counts[3, 5] == made.counts[5, 3] == made.counts[9, 1] == 2000


@pytest.mark.parametrize("eta", [0.2, 0.4, 0.6, 0.8])
def test_a_hundred_classes(eta: float) -> None:
    clean = np.arange(50000) % 100
    assert make_labels(clean, "symmetric", K=100, eta=eta).rate == eta  # published code: 0.198, 0.396, 0.594, 0.792
    real, blocks = (make_labels(clean, kind, eta=eta) for kind in ("cifar100", "cifar100-blocks"))
    assert real.rate == blocks.rate == eta
    names = noise.cifar100_names()
    families = noise.cifar100_superclasses().values()
    i, j = np.nonzero(real.counts - np.diag(np.diag(real.counts)))
    assert len(i) == 100
    assert all(any({names[a], names[b]} <= set(group) for group in families) for a, b in zip(i, j, strict=True))
    np.testing.assert_array_equal(np.nonzero(blocks.counts - np.diag(np.diag(blocks.counts)))[1][:5], [1, 2, 3, 4, 0])


def test_flips_are_spread_over_the_samples_and_targets() -> None:
    made = make_labels(np.zeros(90000, int), "symmetric", K=10, eta=0.9)
    assert made.counts[0].tolist() == [9000] * 10
    thirds = made.labels.reshape(10, 9000)
    assert all(abs(np.bincount(part, minlength=10) - 900).max() < 5 * 30 for part in thirds)


def test_a_higher_rate_flips_a_superset() -> None:
    low, high = (make_labels(CLEAN, "symmetric", K=10, eta=eta).corrupted for eta in (0.2, 0.6))
    assert high[low].all()
    assert high.sum() == 3000


# ------------------------------------------------------------------------------------------- iid, and what it depends on
def test_iid_labels_follow_the_matrix() -> None:
    clean = np.repeat(CLEAN, 20)
    made = make_labels(clean, "cifar10n-worse", mode="iid", seed=3)
    expected = transition(noise.named("cifar10n-worse")) * 10000
    chi2 = ((made.counts - expected) ** 2 / expected).sum()
    assert 90 - 4 * 13.5 < chi2 < 90 + 4 * 13.5  # ten rows of nine degrees of freedom
    assert made.rate != make_labels(clean, "cifar10n-worse", mode="iid", seed=4).rate


def test_iid_label_of_a_sample_depends_on_nothing_after_it() -> None:
    whole = make_labels(CLEAN, "symmetric", K=10, eta=0.5, mode="iid").labels
    for count in (1, 2, 3, 1000):
        np.testing.assert_array_equal(
            make_labels(CLEAN[:count], "symmetric", K=10, eta=0.5, mode="iid").labels, whole[:count]
        )
    other = CLEAN.copy()
    other[:10] = 9 - other[:10]
    np.testing.assert_array_equal(make_labels(other, "symmetric", K=10, eta=0.5, mode="iid").labels[10:], whole[10:])


def test_uniforms_are_those_of_philox() -> None:
    found = uniforms(7, "symmetric", "label", 100000)
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_array_equal(uniforms(7, "symmetric", "label", 5), found[:5])
    for other in (
        uniforms(8, "symmetric", "label", 5),
        uniforms(7, "pair", "label", 5),
        uniforms(7, "symmetric", "flip", 5),
    ):
        assert not np.isin(other, found[:5]).any()
    assert abs(found.mean() - 0.5) < 4 / np.sqrt(12e5)
    # on every platform, for ever: labels of old runs can be made again
    np.testing.assert_array_equal(found[:3], [0.6884828246955832, 0.8918633315080302, 0.500122629710555])


def instance_labels(kind: str, mode: str = "exact", **options: Any) -> NoisyLabels:
    images = np.random.default_rng(1).integers(0, 256, (5000, 3, 5, 4), dtype=np.uint8)
    return make_labels(
        CLEAN,
        kind,
        **{"K": 10, "eta": 0.4, "mode": mode, "images": images, "mean": [0.5] * 3, "std": [0.3] * 3} | options,
    )


@pytest.mark.parametrize("kind", ["symmetric", "cifar10", "idn", "idn-jal"])
@pytest.mark.parametrize("mode", ["exact", "iid"])
def test_labels_come_from_the_seed_alone(kind: str, mode: str) -> None:
    first = instance_labels(kind, mode, seed=11)
    np.random.seed(99)  # noqa: NPY002 - the global state must not matter
    torch.manual_seed(99)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    make_labels(CLEAN, "pair", K=10, eta=0.1)
    found: list[NoisyLabels] = []
    threads = [threading.Thread(target=lambda: found.append(instance_labels(kind, mode, seed=11))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.checksum for other in found] == [first.checksum] * 2
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert first.checksum != instance_labels(kind, mode, seed=12).checksum
    assert first.recipe["seed"] == 11
    assert first.recipe["eta"] == "2/5"


def test_a_process_with_several_threads_makes_the_same_labels(tmp_path: Path) -> None:
    code = (
        "from tests.training.test_labels import instance_labels as make\n"
        "print(*(make(kind, mode, seed=5).checksum for kind in ('symmetric', 'idn', 'idn-jal') for mode in ('exact', 'iid')))"
    )
    here = [instance_labels(k, m, seed=5).checksum for k in ("symmetric", "idn", "idn-jal") for m in ("exact", "iid")]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "4")
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | threads | {"PYTHONHASHSEED": "1"}, capture_output=True, text=True,
        check=False, timeout=120, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.split() == here, done.stderr


def test_posteriors_are_drawn_sample_by_sample() -> None:
    table = np.zeros((400, 3))
    table[np.arange(400), np.arange(400) % 3] = 1
    table[:2] = [0.5, 0.5, 0]
    made = make_labels(np.zeros(400, int), noise.from_posteriors(table), mode="iid")
    np.testing.assert_array_equal(made.labels[2:], np.arange(2, 400) % 3)
    assert made.labels[:2].max() <= 1
    with pytest.raises(InputError, match="posteriors of 400 samples for 3 labels"):
        make_labels([0, 1, 2], noise.from_posteriors(table), mode="iid")
    with pytest.raises(InputError, match="a distribution of its own: draw from them with mode iid"):
        make_labels(np.zeros(400, int), noise.from_posteriors(table))


# ------------------------------------------------------------------------------------------- instance-dependent labels
def by_hand(kind: str, images: np.ndarray, mean: float, std: float) -> tuple[np.ndarray, np.ndarray]:
    """Flip decisions at rate 0.4 and targets of `instance_dependent`, one image at a time, as the paper writes them."""
    from scipy.stats import norm, truncnorm

    N, C, H, W = images.shape
    u, v, r = (uniforms(0, kind, stream, N) for stream in ("flip", "target", "rate"))
    q = truncnorm((0 - 0.4) / 0.1, (1 - 0.4) / 0.1, loc=0.4, scale=0.1).ppf(r) if kind == "idn" else np.full(N, 0.4)
    targets = np.empty(N, int)
    for i in range(N):
        y = CLEAN[i]
        weights = norm.ppf(uniforms(0, kind, f"weights of class {y}", C * H * W * 10)).reshape(-1, 10)
        scores = ((images[i] / 255 - mean) / std).ravel() @ weights
        scores[y] = -np.inf
        p = np.exp(scores - scores.max())
        targets[i] = np.searchsorted(np.cumsum(p / p.sum()), v[i])
    return u < q, targets


@pytest.mark.parametrize("kind", ["idn", "idn-jal"])
def test_instance_dependent_labels_are_those_of_the_paper(kind: str) -> None:
    images = np.random.default_rng(1).integers(0, 256, (120, 2, 3, 3), dtype=np.uint8)
    made = make_labels(CLEAN[:120], kind, K=10, eta=0.4, mode="iid", images=images, mean=[0.5] * 2, std=[0.3] * 2)
    flipped, targets = by_hand(kind, images, 0.5, 0.3)
    np.testing.assert_array_equal(made.labels, np.where(flipped, targets, CLEAN[:120]))
    assert 25 < made.corrupted.sum() < 75


@pytest.mark.parametrize("kind", ["idn", "idn-jal"])
def test_instance_dependent_rates(kind: str) -> None:
    exact, iid = instance_labels(kind), instance_labels(kind, "iid")
    assert exact.rate == 0.4  # exactly 2,000
    assert abs(iid.rate - 0.4) < 4 * np.sqrt(0.24 / 5000)
    assert (exact.corrupted != iid.corrupted).mean() < 0.03  # the same numbers decide
    both = exact.corrupted & iid.corrupted
    np.testing.assert_array_equal(exact.labels[both], iid.labels[both])
    low = instance_labels(kind, eta=0.2)
    assert low.rate == 0.2
    if kind == "idn-jal":
        assert exact.corrupted[low.corrupted].all()
    assert instance_labels(kind, eta=0).rate == 0
    assert instance_labels(kind, eta=Fraction(1, 10000)).corrupted.sum() == 1  # half of one is one
    assert instance_labels(kind, eta=1).rate == 1


def test_flip_rates_are_truncated_normal() -> None:
    from scipy.stats import kstest, truncnorm

    for eta in (0.05, 0.4, 0.95):
        rates = instance_noise._flip_rates(eta, uniforms(0, "idn", "rate", 20000))
        expected = truncnorm((0 - eta) / 0.1, (1 - eta) / 0.1, loc=eta, scale=0.1)
        assert kstest(rates, expected.cdf).pvalue > 1e-3
        assert 0 < rates.min() < rates.max() <= 1


def test_scores_are_exact_in_any_order() -> None:
    weights = instance_noise._class_weights(3, partial(uniforms, 0, "idn"), 3072, 10)
    whole = weights * 2**20
    np.testing.assert_array_equal(whole, np.rint(whole))
    assert abs(whole).max() < 2**24
    assert abs(weights.mean()) < 4 / np.sqrt(30720)
    assert abs(weights.std() - 1) < 0.02
    pixels = np.random.default_rng(0).integers(0, 256, 3072)
    exact = pixels @ whole.astype(np.int64)
    for order in (np.arange(3072), np.argsort(pixels), np.arange(3072)[::-1]):
        np.testing.assert_array_equal(pixels[order].astype(float) @ weights[order] * 2**20, exact)


def test_the_same_image_gets_the_same_distribution() -> None:
    images = np.repeat(np.random.default_rng(2).integers(0, 256, (1, 1, 4, 4), dtype=np.uint8), 4000, axis=0)
    clean = np.zeros(4000, int)
    made = make_labels(clean, "idn", K=4, eta=0.5, images=images, mean=[0.5], std=[2.0])
    _, targets = made.counts[0, 1:], made.labels[made.corrupted]
    weights = module.uniforms(0, "idn", "weights of class 0", 64)
    from scipy.stats import norm

    p = np.exp(((images[0] / 255 - 0.5) / 2).ravel() @ norm.ppf(weights).reshape(16, 4))[1:]
    expected = 2000 * p / p.sum()
    assert ((np.bincount(targets, minlength=4)[1:] - expected) ** 2 / expected).sum() < 20


def test_images_that_instance_dependent_noise_cannot_use() -> None:
    for images, message in (
        (None, "needs images"),
        (np.zeros((5000, 3, 4, 4), np.float32), "images are float32 of shape .5000, 3, 4, 4.; uint8"),
        (np.zeros((4999, 3, 4, 4), np.uint8), "uint8 of shape .5000, C, H, W. is needed"),
        (np.zeros((5000, 1, 4, 4), np.uint8), "3 and 3 entries for images of 1 channels"),
    ):
        with pytest.raises(InputError, match=message):
            instance_labels("idn", images=images)
    with pytest.raises(InputError, match="needs the mean and std"):
        instance_labels("idn", mean=None)
    with pytest.raises(InputError, match="'idn' needs eta"):
        instance_labels("idn", eta=None)
    digits = load_dataset("digits")
    named = make_labels(digits.train_labels, "idn", eta=0.3, images=digits.train_images, name="digits")
    spelt = make_labels(
        digits.train_labels, "idn", eta=0.3, images=digits.train_images.numpy(), mean=digits.mean, std=digits.std
    )
    assert named.checksum == spelt.checksum


# ------------------------------------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": "symetric", "eta": 0.1}, "noise 'symetric': unknown .*did you mean 'symmetric'"),
        ({"noise": "symmetric"}, "needs eta"),
        ({"eta": 1.5}, r"eta 1\.5: the noise rate must be in \[0, 1\]"),
        ({"eta": 0.1, "mode": "idd"}, "mode 'idd': unknown .*did you mean 'iid'"),
        ({"eta": 0.1, "seed": -1}, "seed -1: a whole number >= 0"),
        ({"eta": 0.1, "seed": 1.5}, r"seed 1\.5: a whole number"),
        ({"eta": 0.1, "K": 9}, r"clean labels: label 9 at position \d+; labels must be in 0..8"),
        ({"noise": "cifar100", "eta": 0.1}, "noise 'cifar100' has 100 classes, the labels have 10"),
        ({"noise": np.eye(9)}, "the noise has 9 classes, the labels have 10"),
        ({"noise": np.eye(10), "eta": 0.1}, "leave eta out"),
        ({"noise": "nowhere.csv"}, "nowhere.csv: no such file"),
        ({"eta": 0.1, "clean": [0, 1, -1]}, "label -1 at position 2"),
        ({"eta": 0.1, "clean": [0.0, 1.0]}, "float64 of shape .2,.; one axis of whole numbers"),
        ({"eta": 0.1, "clean": []}, "whole numbers is needed"),
        ({"eta": 0.1, "clean": np.zeros(0, int)}, "no labels given"),
        ({"eta": 0.1, "clean": [[0], [1, 2]]}, "not a flat list"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments: dict[str, Any], message: str) -> None:
    given = {"clean": CLEAN, "noise": "symmetric", "K": 10} | arguments
    with pytest.raises(InputError, match=message) as caught:
        make_labels(given.pop("clean"), given.pop("noise"), **given)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------------- files
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_labels_are_saved_with_their_recipe(suffix: str, tmp_path: Path) -> None:
    made = make_labels(CLEAN, "symmetric", K=10, eta=0.4, name="digits")
    path = tmp_path / f"noisy{suffix}"
    made.save(path)
    found = NoisyLabels.load(path, CLEAN if suffix == ".npy" else None)
    np.testing.assert_array_equal(found.labels, made.labels)
    np.testing.assert_array_equal(found.clean, CLEAN)
    assert found.K == 10
    assert found.checksum == made.checksum == found.recipe["checksum"]
    assert {**found.recipe, **made.recipe} == found.recipe
    assert sorted(tmp_path.iterdir()) == sorted({path, *([tmp_path / "noisy.npy.json"] if suffix == ".npy" else [])})
    if suffix == ".npy":
        np.testing.assert_array_equal(np.load(path), made.labels)
        with pytest.raises(InputError, match="holds noisy labels only; the clean ones are needed"):
            NoisyLabels.load(path)
    else:
        assert noise.load(path).rate == Fraction(2, 5)  # the core reads them as a label pair
    with pytest.raises(InputError, match=r"5000 labels for 4999 samples"):
        NoisyLabels.load(path, CLEAN[:-1])
    other = CLEAN.copy()
    other[17] = 9 - other[17]
    with pytest.raises(
        InputError, match="clean labels are not those of the recipe" if suffix == ".npy" else "at position 17"
    ):
        NoisyLabels.load(path, other)
    assert not made.labels.flags.writeable


def test_labels_changed_after_saving_are_noticed(tmp_path: Path) -> None:
    made = make_labels(CLEAN, "symmetric", K=10, eta=0.4)
    made.save(tmp_path / "noisy.npy")
    changed = made.labels.copy()
    changed[0] = 9 - changed[0]
    np.save(tmp_path / "noisy.npy", changed)
    with pytest.raises(InputError, match=r"noisy\.npy: the labels are not those of the recipe"):
        NoisyLabels.load(tmp_path / "noisy.npy", CLEAN)


def test_nothing_half_written(tmp_path: Path, monkeypatch: Any) -> None:
    made = make_labels(CLEAN, "symmetric", K=10, eta=0.4)
    path = tmp_path / "noisy.csv"
    path.write_text("before")

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"noisy\.csv: cannot be written \(No space left on device\)"):
        made.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["noisy.csv"]
    assert path.read_text() == "before"
    monkeypatch.undo()
    made.save(tmp_path / "pair.npy")
    before = [(tmp_path / name).read_bytes() for name in ("pair.npy.json", "pair.npy")]
    first = os.fsync
    calls: list[int] = []

    def full_later(file: int) -> None:  # room for the recipe, none for the labels
        calls.append(file)
        full(file) if len(calls) == 2 else first(file)

    monkeypatch.setattr(os, "fsync", full_later)
    with pytest.raises(InputError, match=r"pair\.npy: cannot be written"):
        make_labels(CLEAN, "pair", K=10, eta=0.4).save(tmp_path / "pair.npy")
    assert [(tmp_path / name).read_bytes() for name in ("pair.npy.json", "pair.npy")] == before
    assert len(list(tmp_path.iterdir())) == 3
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(InputError, match=r"folder\.npy: is a folder; name a file"):
        made.save(tmp_path / "folder.npy")
    assert not (tmp_path / "folder.npy.json").exists()
    with pytest.raises(InputError, match="there is no folder"):
        made.save(tmp_path / "none" / "noisy.npz")
    with pytest.raises(InputError, match=r"written to \.npy, \.npz or \.csv, not '\.txt'"):
        made.save(tmp_path / "noisy.txt")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.doc", b"0", r"unknown file type \.doc; allowed: \.csv"),
        ("a.npy", b"\x93NUMPY\x01\x00", "is damaged"),
        ("a.npz", b"PK\x03\x04", "is damaged"),
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"0\n1\n2.5\n", "'2.5' is not a label"),
        ("a.csv", b"clean,noisy\n0,1\n1\n", "ragged table: line 3 has 1 entries, line 1 has 2"),
        ("a.csv", b"\xff\xfe\x00", "is UTF-16 text"),
        ("a.csv", b"0\n-1\n1\n", "position 1 has no label"),
        ("a.csv", b"p,q\n0,1\n", "holds p, q: say which is meant, --column"),
        ("a.csv", b"label\n", "1 labels for 3 samples"),
        ("a.csv", b"clean,noisy,noisy\n0,1,1\n", "two columns are named 'noisy'"),
        ("a.csv", b"0\n1_0\n1\n", "mixed labels: '0' at position 0 is a number, '1_0' at 1 a name"),
        ("a.csv", b"0\n%s\n1\n" % (b"9" * 30), "'9{30}' is not a label"),
        ("a.csv", b"0\n%s\n1\n" % (b"9" * 200_000), "mixed labels"),
        ("a.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '(      \n", "damaged .(TokenError|SyntaxError|ValueError)"),
        ("a.json", b"[0, 1", "is not JSON"),
        ("a.json", b"[0, 1.5]", "3/2 is not a label"),
        ("a.json", b'{"K": 3}', "holds no labels"),
        ("a.pt", b"nothing", "is not a readable pickle"),
        ("a.pt", b"PK\x03\x04", "is not a readable archive of torch"),
    ],
)
def test_bad_label_files(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        NoisyLabels.load(tmp_path / name, [0, 1, 1], K=3)


def test_files_of_labels_that_are_not_there_or_name_nonsense(tmp_path: Path, capsys: Any) -> None:
    for suffix in (".npy", ".npz", ".csv", ".json", ".pt"):
        with pytest.raises(InputError, match=rf"^{tmp_path}/none{suffix}: no such file$"):
            NoisyLabels.load(tmp_path / f"none{suffix}")
    path = tmp_path / "a.csv"
    for recipe, message in (('{"K": "x"}', "a.csv: the recipe's K x: .* a whole number"), ('{"K": 1}', "K 1: .* >= 2")):
        path.write_text(f"# {recipe}\nclean,noisy\n0,1\n1,0\n")
        with pytest.raises(InputError, match=message):
            NoisyLabels.load(path)
    path.write_text('# {"dataset": ["cifar10"]}\nclean,noisy\n0,1\n1,0\n')
    assert run(capsys, "inspect", str(path))[0] == 0
    path.write_text("clean,noisy\n0,99999\n1,0\n")
    with pytest.raises(InputError, match="K 100000: a table of K x K counts is made for K <= 10000"):
        _ = NoisyLabels.load(path).counts
    made = make_labels(CLEAN, "pair", K=10, eta=0.4)
    made.save(tmp_path / "A.NPY")  # as it is read
    assert NoisyLabels.load(tmp_path / "A.NPY", CLEAN).checksum == made.checksum


@pytest.mark.parametrize("content", ["0\n2\n1\n", "label\n0\n2\n1\n", "# made by hand\n0\n2\n1\n"])
def test_plain_lists_of_labels(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    (tmp_path / "a.json").write_text("[0, 2, 1]")
    for name in ("a.csv", "a.json"):
        found = NoisyLabels.load(tmp_path / name, [0, 1, 1], K=3, name="mine")
        assert found.labels.tolist() == [0, 2, 1]
        assert found.recipe["dataset"] == "mine"
        assert found.counts.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
        assert np.isnan(found.matrix[2]).all()
        assert found.take(np.array([2, 0])).labels.tolist() == [1, 0]
    with pytest.raises(InputError, match=r"a\.csv: .*label 2 at position 1 is outside 0\.\.1"):
        NoisyLabels.load(tmp_path / "a.csv", [0, 1, 1], K=2)


# --------------------------------------------------------------------------------------------------------- human labels
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_cifar_n_files_of_torch(zipped: bool, tmp_path: Path) -> None:
    columns = {"clean_label": CLEAN, "worse_label": (CLEAN + 1) % 10, "random_label1": CLEAN}
    path = tmp_path / "CIFAR-10_human.pt"
    torch.save(columns, path, _use_new_zipfile_serialization=zipped)
    found = NoisyLabels.load(path, CLEAN, column="worse")
    np.testing.assert_array_equal(found.labels, columns["worse_label"])
    assert NoisyLabels.load(path, column="random1").rate == 0
    with pytest.raises(InputError, match="holds clean_label, worse_label, random_label1: say which is meant, --column"):
        NoisyLabels.load(path, CLEAN)
    with pytest.raises(InputError, match="has no column 'best'"):
        NoisyLabels.load(path, CLEAN, column="best")
    other = CLEAN.copy()
    other[500:] = (other[500:] + 1) % 10
    with pytest.raises(InputError, match=r"4500 of its clean labels are not the data set's .*in another order"):
        NoisyLabels.load(path, other, column="worse")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_torch_files_that_hold_more_than_arrays(zipped: bool, tmp_path: Path) -> None:
    mark = tmp_path / "was here"

    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch '{mark}'",)

    torch.save({"clean_label": CLEAN, "x": Evil()}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"a\.pt: the pickle asks for posix\.system; only arrays"):
        NoisyLabels.load(tmp_path / "a.pt")
    torch.save({"x": torch.tensor([0, 1]), "y": Evil()}, tmp_path / "b.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"b\.pt: the pickle asks for "):
        NoisyLabels.load(tmp_path / "b.pt")
    torch.save(OrderedDict(noisy_label=torch.tensor([0, 1])), tmp_path / "b.pt", _use_new_zipfile_serialization=zipped)
    assert NoisyLabels.load(tmp_path / "b.pt", [1, 1]).labels.tolist() == [0, 1]
    np.save(tmp_path / "c.npy", {"clean_label": Evil()}, allow_pickle=True)
    with pytest.raises(InputError, match="holds pickled objects, which are never loaded"):
        NoisyLabels.load(tmp_path / "c.npy")
    assert not mark.exists()


def test_the_real_human_labels() -> None:
    path = SHARED / "cifar10n_labels.npz"
    if not path.is_file():
        pytest.skip("../shared/data/noisy-labels is not here")
    for column in ("aggre", "random1", "random2", "random3", "worse"):
        found = NoisyLabels.load(path, column=column, K=10)
        assert found.rate == float(noise.named(f"cifar10n-{column}").rate or 0)
    fine = NoisyLabels.load(SHARED / "cifar100n_labels.npz", K=100)
    assert fine.rate == pytest.approx(0.402, abs=1e-3)
    coarse = NoisyLabels.load(SHARED / "cifar100n_labels.npz", column="noisy_coarse_label", K=20)
    assert coarse.clean.max() == 19
    with pytest.raises(InputError, match="in another order"):
        NoisyLabels.load(SHARED / "cifar100n_labels.npz", fine.clean % 20, column="noisy_coarse_label", K=20)


# -------------------------------------------------------------------------------------------------------------- redrawn
def test_redrawn_labels_follow_the_matrix_at_every_visit() -> None:
    redrawn = Redrawn("cifar10n-worse")
    np.testing.assert_allclose(redrawn.matrix.sum(axis=1), 1)
    generator = torch.Generator().manual_seed(1)
    clean = torch.arange(10).repeat(1000)
    counts = torch.zeros(100, dtype=torch.int64)
    visits = [redrawn.draw(clean, generator) for _ in range(10)]
    for labels in visits:
        assert labels.dtype == torch.int64
        counts += torch.bincount(clean * 10 + labels, minlength=100)
    expected = redrawn.matrix.ravel() * 10000
    chi2 = ((counts.numpy() - expected) ** 2 / expected).sum()
    assert 90 - 4 * 13.5 < chi2 < 90 + 4 * 13.5
    assert not torch.equal(visits[0], visits[1])
    again = redrawn.draw(clean, torch.Generator().manual_seed(1))
    assert torch.equal(visits[0], again)


def test_redrawn_never_draws_a_class_of_probability_zero(monkeypatch: Any) -> None:
    table = [[Fraction(1, 3), Fraction(2, 3), 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0.1, 0, 0.9, 0]]
    redrawn = Redrawn(table)
    clean = torch.arange(4).repeat(20000)
    labels = redrawn.draw(clean, torch.Generator().manual_seed(0))
    found = torch.bincount(clean * 4 + labels, minlength=16).view(4, 4) > 0
    assert found.tolist() == [[True, True, False, False], [False, True, False, False], [False, False, False, True],
                              [True, False, True, False]]  # fmt: skip
    tenths = Redrawn([[Fraction(1, 10)] * 10 + [0], *np.eye(11)[1:].tolist()])  # in floats ten tenths are less than one
    for number, row, expected in ((0.0, 2, 3), (1 - 2**-53, 0, 1)):
        monkeypatch.setattr(
            torch, "rand", lambda n, number=number, **options: torch.full((n,), number, dtype=torch.float64)
        )
        assert redrawn.draw(torch.tensor([row])).tolist() == [expected]
    assert tenths.draw(torch.tensor([0])).tolist() == [9]
    assert Redrawn("symmetric", K=3, eta=0.3).matrix.tolist() == [
        [0.7, 0.15, 0.15],
        [0.15, 0.7, 0.15],
        [0.15, 0.15, 0.7],
    ]
    assert Redrawn("pair", K=3, eta=0.5).matrix.tolist() == [[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]
    with pytest.raises(InputError, match="no row for every class"):
        Redrawn(noise.from_weights([2, 1]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_redrawn_on_a_gpu_with_a_cpu_generator() -> None:
    clean = torch.arange(10).repeat(100)
    here, there = (
        Redrawn("symmetric", 10, 0.5).draw(clean.to(device), torch.Generator().manual_seed(0))
        for device in ("cpu", "cuda")
    )
    assert torch.equal(here, there.cpu())


# ---------------------------------------------------------------------------------------------------------- the command
def run(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["labels", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_the_command_writes_and_inspects(suffix: str, tmp_path: Path, capsys: Any) -> None:
    path = str(tmp_path / f"noisy{suffix}")
    status, out, err = run(capsys, *f"--dataset digits --noise symmetric --eta 0.4 --seed 3 --out {path}".split())
    assert (status, err) == (0, "")
    digits = load_dataset("digits")
    made = make_labels(digits.train_labels, "symmetric", K=10, eta=Fraction(2, 5), seed=3, name="digits")
    assert out == f"{path}: 1442 labels of 10 classes, noise rate 0.400139 (577 wrong), checksum {made.checksum}\n"

    status, out, err = run(capsys, "inspect", path, "--dataset", "digits")
    assert (status, err) == (0, "")
    assert "recipe       dataset digits, noise symmetric, eta 2/5, seed 3, mode exact" in out
    assert "binding      class 7, against 0" in out
    assert " ".join(out.splitlines()[-1].split()) == " ".join(["9", *(f"{x:.4f}" for x in made.matrix[9])])

    status, out, err = run(capsys, "inspect", path, "--dataset", "digits", "--json")
    facts = json.loads(out)
    assert facts["file"] == path
    assert facts["checksum"] == made.checksum
    assert facts["counts"] == made.counts.tolist()
    assert facts["noise"]["worst"]["target"] == 7


def test_the_command_reads_human_labels_and_clean_files(tmp_path: Path, capsys: Any) -> None:
    np.savez(tmp_path / "human.npz", clean_label=CLEAN, worse_label=(CLEAN + 1) % 10, aggre_label=CLEAN)
    np.save(tmp_path / "clean.npy", CLEAN)
    out_file = str(tmp_path / "out.npz")
    human = str(tmp_path / "human.npz")
    status, out, err = run(capsys, "--human", human, "--column", "worse", "--out", out_file, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["rate"] == 1
    assert json.loads(out)["recipe"]["column"] == "worse_label"
    clean = str(tmp_path / "clean.npy")
    assert run(capsys, "--clean", clean, "--K", "10", "--noise", "pair", "--eta", "1/2", "--out", out_file)[0] == 0
    assert NoisyLabels.load(out_file).rate == 0.5
    status, out, _ = run(capsys, "inspect", human, "--column", "aggre", "--clean", clean, "--json")
    assert json.loads(out)["rate"] == 0
    np.savez(tmp_path / "hole.npz", clean=[0, 2], noisy=[1, 2])
    status, out, _ = run(capsys, "inspect", str(tmp_path / "hole.npz"))
    assert status == 0
    assert "no sample of class 1: without it, no noise model" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--dataset digits --eta 0.4", "the following arguments are required: --out"),
        ("--dataset digits --eta 0.4 --out a.txt", "--out a.txt: labels are written to"),
        ("--dataset digits --eta 2 --out a.npy", "--eta 2: the noise rate must be in [0, 1]"),
        ("--dataset digits --out a.npy", "noise 'symmetric' needs eta"),
        ("--dataset digits --eta 0.4 --mode all --out a.npy", "--mode all: unknown (exact, iid)"),
        ("--dataset digits --eta 0.4 --seed x --out a.npy", "--seed x: a whole number >= 0"),
        ("--dataset digits --K 9 --eta 0.4 --out a.npy", "--K 9: digits has 10 classes"),
        ("--dataset digit --eta 0.4 --out a.npy", "did you mean 'digits'?"),
        ("--eta 0.4 --out a.npy", "or --clean FILE is needed"),
        ("--clean a.npy --data-dir b --eta 0.4 --out a.npy", "--data-dir goes with --dataset"),
        ("--clean a.npy --dataset digits --eta 0.4 --out a.npy", "leave it out when --dataset is given"),
        ("--clean a.npy --noise idn --eta 0.4 --out b.npy", "a.npy: no such file"),
        ("--dataset digits --column worse --eta 0.4 --out b.npy", "--column worse: goes with --human"),
        ("--dataset digits --human a.pt --eta 0.4 --out b.npy", "--eta 0.4: human labels are taken as they are"),
        ("--dataset digits --human a.pt --noise pair --out b.npy", "--noise pair: human labels are taken as they are"),
        ("--dataset digits --human a.pt --seed 0 --out b.npy", "--seed 0: human labels are taken as they are"),
        ("--dataset digits --human a.pt --mode exact --out b.npy", "--mode exact: human labels are taken as they are"),
        ("--dataset digits --eta 0.4 --seed=x --out a.npy", "--seed x: a whole number >= 0"),
        ("--dataset cifar10 --data-dir . --eta 0.4 --out b.npy", ". holds no files of CIFAR-10; give --data-dir"),
        ("inspect", "the following arguments are required: FILE"),
        ("inspect none.npy", "none.npy: no such file"),
    ],
)
def test_the_command_refuses_in_one_line(
    arguments: str, message: str, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith("asymtheory labels: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
