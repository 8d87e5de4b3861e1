"""Noise estimates: do their intervals hold what they say, and does bad input get one clear line?"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from asymtheory import InputError, build, from_posteriors, load, named, solve, symmetric
from asymtheory.noise import estimate
from asymtheory.noise.estimate import (
    Boxes,
    clopper_pearson,
    from_clean_labels,
    from_predictions,
    from_sample_posteriors,
    from_transition,
    hull,
    known,
)
from asymtheory.reading import arrays, limits, probabilities
from asymtheory.reading.probabilities import read_probabilities

TRUE = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.15, 0.6]])
MARGIN, LEVEL = 0.35, 2.4  # of class 2 against 0


def draw(generator: np.random.Generator, n: int, matrix: np.ndarray = TRUE) -> tuple[np.ndarray, np.ndarray]:
    """(clean, noisy) labels of a known matrix, classes alike."""
    clean = np.arange(n) % len(matrix)
    noisy = (generator.random(n)[:, None] > matrix[clean].cumsum(1)).sum(1)
    return clean, np.minimum(noisy, len(matrix) - 1)


def at_least(hits: int, trials: int, confidence: float) -> bool:
    """Is the count of intervals that hold what is true compatible with the confidence? (one-sided, 1 in 10^4)"""
    return bool(binom.cdf(hits, trials, confidence) > 1e-4)


# ------------------------------------------------------------------------------------------ clean labels


def test_clopper_pearson_is_scipys() -> None:
    successes, trials = np.array([0, 1, 17, 50]), np.array([50, 50, 50, 50])
    low, high = clopper_pearson(successes, trials, 0.01)
    for i, k in enumerate(successes.tolist()):
        exact = binomtest(k, 50).proportion_ci(0.98, "exact")
        np.testing.assert_allclose([low[i], high[i]], [exact.low, exact.high], atol=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.9])
def test_intervals_hold_the_true_noise_as_often_as_they_say(confidence: float) -> None:
    seeds, hits = 250, 0
    for seed in range(seeds):
        clean, noisy = draw(np.random.default_rng(seed), 150)
        found = from_clean_labels(noisy, clean, confidence)
        assert found.rate is not None
        ranges = ((found.margin, MARGIN), (found.clean_level, LEVEL), (found.rate, 0.3))
        hits += all(r.low <= true <= r.high for r, true in ranges)  # type: ignore[operator]
    assert at_least(hits, seeds, confidence)
    assert hits < seeds or confidence > 0.5  # intervals that never miss would be no intervals at 0.5


def test_intervals_are_not_needlessly_wide() -> None:
    clean, noisy = draw(np.random.default_rng(0), 60_000)
    found = from_clean_labels(noisy, clean, 0.95)
    assert found.margin.low is not None
    assert found.margin.high is not None
    assert 0.325 < found.margin.low < MARGIN < found.margin.high < 0.37


def test_the_point_estimate_is_the_counted_matrix() -> None:
    clean, noisy = draw(np.random.default_rng(1), 900)
    found = from_clean_labels(noisy.tolist(), clean.tolist())
    counts = np.zeros((3, 3))
    np.add.at(counts, (clean, noisy), 1)
    share = counts / counts.sum(1, keepdims=True)
    np.testing.assert_allclose(found.top, share.diagonal())
    np.testing.assert_allclose(found.second, np.sort(share - 2 * np.diag(share.diagonal()), axis=1)[:, -1])
    np.testing.assert_allclose([float(w) for w in found.noise.rows[2].weights], share[2])
    assert found.samples == (300, 300, 300)
    assert found.row_name(found.binding) == "class 2"


def test_some_clean_labels_are_enough_and_the_others_are_not_counted() -> None:
    clean, noisy = draw(np.random.default_rng(2), 600)
    some = clean.astype(float)
    some[200:] = np.nan
    found, cut = from_clean_labels(noisy, some), from_clean_labels(noisy[:200], clean[:200])
    np.testing.assert_array_equal(found.top, cut.top)
    assert found.margin == cut.margin
    assert "200 samples with a clean label (of 600)" in found.method
    assert "few samples" in found.warnings[0]


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_the_worst_corner_is_worse_than_every_matrix_in_the_box(seed: int) -> None:
    generator = np.random.default_rng(seed)
    K = int(generator.integers(2, 6))
    rows = generator.dirichlet(np.ones(K), 20) * 0.5 + 0.5 * np.eye(K)[0]
    top, second = rows[:, 0], rows[:, 1:].max(axis=1)
    box = Boxes(
        top[:1] * 0 + top.min(), top[:1] * 0 + top.max(), top[:1] * 0 + second.min(), top[:1] * 0 + second.max()
    )
    for A, B in ((1.0, 1.0), (1.0, 3.0), (4.0, 1.0), (1.0, 0.0), (0.0, 1.0)):
        worst, best = ((A * t - B * s)[0] for t, s in (box.corner(K, True), box.corner(K, False)))
        assert worst <= (A * top - B * second).min() + 1e-12
        assert best >= (A * top - B * second).max() - 1e-12
    for t, s in (box.corner(K, True), box.corner(K, False)):
        assert t[0] + s[0] <= 1 + 1e-12
        assert t[0] + (K - 1) * s[0] >= 1 - 1e-12


def test_a_corner_is_a_row_of_shares() -> None:
    box = Boxes(*(np.array([x]) for x in (0.1, 0.95, 0.1, 0.15)))
    np.testing.assert_allclose(box.corner(3, worst=True), [[0.7], [0.15]])  # the other two shares are at most 0.15 each
    np.testing.assert_allclose(box.corner(3, worst=False), [[0.9], [0.1]])
    low = Boxes(*(np.array([x]) for x in (0.2, 0.4, 0.1, 0.9)))
    np.testing.assert_allclose(low.corner(3, worst=True), [[0.2], [0.8]])
    np.testing.assert_allclose(low.corner(3, worst=False), [[0.4], [0.3]])


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_the_hull_implies_every_row(points: list[tuple[int, int]]) -> None:
    top, second = np.array(points, dtype=float).T
    kept = hull(top, second)
    for A, B in ((1, 1), (1, 2), (3, 1), (1, 0), (0, 1), (1, 17), (19, 1)):
        assert (A * top - B * second)[kept].min() == (A * top - B * second).min()


def test_the_hull_is_small() -> None:
    generator = np.random.default_rng(0)
    second = generator.uniform(0, 0.5, 10**5)
    assert len(hull(second + generator.exponential(0.1, 10**5), second)) < 100


# --------------------------------------------------------------------------------------- as it is given


def test_a_given_model_has_no_interval() -> None:
    found = known(named("cifar10n-worse"))
    assert found.boxes is None
    assert found.given
    assert found.margin.to_dict() == {"value": 0.2686}
    assert found.row_name(found.binding) == "truck"
    assert found.class_name(int(found.rival[found.binding])) == "automobile"
    assert known(symmetric(10, Fraction(4, 5))).row_name(0) == "every class"


def test_a_table_of_counts_is_an_estimate_and_a_matrix_is_not(tmp_path: Path) -> None:
    counts = [[70, 20, 10], [10, 80, 10], [25, 15, 60]]
    found = from_transition(counts)
    assert found.samples == (100, 100, 100)
    assert found.margin.low is not None
    assert found.margin.low < MARGIN
    np.testing.assert_allclose(found.margin.value, MARGIN)
    assert from_transition(TRUE).boxes is None
    (tmp_path / "counts.csv").write_text("a,b,c\n70,20,10\n10,80,10\n25,15,60\n")
    assert from_transition(str(tmp_path / "counts.csv")).margin == found.margin
    with pytest.raises(InputError, match="use --posteriors"):
        from_transition([[0.5, 0.5, 0.0], [0.2, 0.2, 0.6]])


def test_streamed_posteriors_say_what_the_model_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probabilities, "CHUNK_CELLS", 64)  # many pieces
    table = np.random.default_rng(0).dirichlet(np.ones(5), 203)
    model = from_posteriors(table)
    np.save(tmp_path / "p.npy", table)
    read = read_probabilities(tmp_path / "p.npy", "--posteriors")
    mapped, names, source = read.table, read.names, read.source
    assert isinstance(mapped, np.memmap)
    assert names is None
    found = from_sample_posteriors(mapped, names, source)
    np.testing.assert_allclose([found.margin.value, found.clean_level.value], [model.margin, model.clean_level])
    assert found.binding == model.worst
    assert int(found.rival[found.binding]) == model.worst_row().runner_up
    np.testing.assert_allclose(found.rate.value if found.rate else None, 1 - table.max(1).mean())


def test_votes_need_not_sum_to_one() -> None:
    found = from_sample_posteriors(np.array([[40, 8, 2], [0, 25, 25]]))
    np.testing.assert_allclose(found.top, [0.8, 0.5])
    assert found.failures == (1,)
    with pytest.raises(InputError, match="row 1 is all 0"):
        from_sample_posteriors(np.array([[1, 0], [0, 0]]))


# ----------------------------------------------------------------------------------- confident learning


def predictions(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(clean, noisy, probabilities of the noisy label) of a classifier that knows the class: here the method is unbiased."""
    clean, noisy = draw(np.random.default_rng(seed), n)
    return clean, noisy, TRUE[clean]


def test_confident_learning_finds_a_matrix_that_it_can_find() -> None:
    pytest.importorskip("cleanlab", reason="the extra 'estimate' is not installed")
    clean, noisy, p = predictions(0, 3000)
    found, counted = from_predictions(noisy, p, replicates=20), from_clean_labels(noisy, clean)
    np.testing.assert_allclose(found.top, counted.top, atol=1e-3)
    np.testing.assert_allclose(found.mass, counted.mass, atol=1e-3)
    assert found.margin.low is not None
    assert found.margin.low < MARGIN < found.margin.high
    below, above = found.margin.value - found.margin.low, found.margin.high - found.margin.value  # type: ignore[operator]
    error = np.sqrt((0.6 + 0.25 - MARGIN**2) / 1000)  # of the margin of class 2, if its 1000 samples are counted
    assert 1.5 * error < below < 6 * error
    assert below == pytest.approx(above, rel=1e-6)
    assert "bias" in found.warnings[0]
    again = from_predictions(noisy, p, replicates=20)
    assert again.margin == found.margin


def test_bootstrap_intervals_hold_the_true_noise_as_often_as_they_say() -> None:
    pytest.importorskip("cleanlab", reason="the extra 'estimate' is not installed")
    seeds, hits = 12, 0
    for seed in range(seeds):
        _, noisy, p = predictions(seed, 450)
        found = from_predictions(noisy, p, 0.9, replicates=40, seed=seed)
        hits += bool(found.margin.low <= MARGIN <= found.margin.high)  # type: ignore[operator]
    assert at_least(hits, seeds, 0.9)


def test_a_smaller_draw_has_the_same_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cleanlab", reason="the extra 'estimate' is not installed")
    _, noisy, p = predictions(3, 6000)
    whole = from_predictions(noisy, p, replicates=50)
    monkeypatch.setattr(estimate, "BOOTSTRAP_CELLS", 3 * 1500)
    part = from_predictions(noisy, p, replicates=50)
    widths = [r.high - r.low for r in (whole.margin, part.margin)]  # type: ignore[operator]
    assert 0.5 < widths[1] / widths[0] < 2


def test_without_cleanlab_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(estimate, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install 'asymtheory\[estimate\]'"):
        from_predictions([0, 1, 2], np.eye(3) * 0.7 + 0.1)


# ------------------------------------------------------------------------------------------------ files


def test_labels_from_every_file_are_the_same(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    clean, noisy = draw(np.random.default_rng(4), 90)
    wanted = from_clean_labels(noisy, clean).margin
    words = np.array(["cat", "dog", "eel"])
    np.save(tmp_path / "noisy.npy", noisy)
    np.save(tmp_path / "clean.npy", clean)
    np.savez(tmp_path / "both.npz", clean_label=clean, worse_label=noisy, classes=words)
    parquet.write_table(pa.table({"clean": words[clean], "given": words[noisy]}), tmp_path / "both.parquet")
    (tmp_path / "both.json").write_text(json.dumps({"clean": clean.tolist(), "noisy": noisy.tolist()}))
    lines = "\n".join(f"{words[a]};{words[b]}" for a, b in zip(clean, noisy, strict=True))
    (tmp_path / "both.csv").write_text(f"# a comment\nclean;noisy\n{lines}\n")
    (tmp_path / "noisy.txt").write_text("\n".join(map(str, noisy)) + "\n")
    pairs = (
        ("noisy.npy", "clean.npy"), ("both.npz:worse_label", "both.npz:clean_label"), ("both.npz:worse_label", "both.npz"),
        ("both.parquet", "both.parquet"), ("both.json", "both.json"), ("both.csv", "both.csv:clean"),
        ("noisy.txt", "clean.npy"),
    )  # fmt: skip
    for first, second in pairs:
        found = from_clean_labels(str(tmp_path / first), str(tmp_path / second))
        assert found.margin == wanted, first
        named_file = first.split(":")[0] in ("both.npz", "both.parquet", "both.csv")
        assert found.noise.names == (("cat", "dog", "eel") if named_file else None)


def test_columns_of_pandas_polars_and_pyarrow() -> None:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    clean, noisy = draw(np.random.default_rng(5), 90)
    wanted = from_clean_labels(noisy, clean).margin
    words = [f"c{i}" for i in noisy]
    for kind in (pd.Series, pl.Series, pa.array, pa.chunked_array):
        given = [kind([words]) if kind is pa.chunked_array else kind(words)][0]
        assert from_clean_labels(given, pd.Series([f"c{i}" for i in clean])).margin == wanted
    for dtype in (None, "Int64", object):
        gaps = pd.Series([*clean[:60].tolist(), *[None] * 30], dtype=dtype)
        assert "60 samples" in from_clean_labels(pl.Series(noisy), gaps).method
    frame = pd.DataFrame(np.eye(3) * 0.7 + 0.1, columns=["x", "y", "z"])
    read = read_probabilities(frame, "--probs")
    table, names = read.table, read.names
    assert names == ("x", "y", "z")
    assert table.shape == (3, 3)
    assert read_probabilities(pl.DataFrame({"x": [0.5], "y": [0.5]}), "--probs").names == ("x", "y")


def test_a_clean_file_of_index_and_label(tmp_path: Path) -> None:
    clean, noisy = draw(np.random.default_rng(6), 60)
    chosen = list(range(0, 60, 2))
    (tmp_path / "some.csv").write_text("index,label\n" + "\n".join(f"{i},{clean[i]}" for i in reversed(chosen)))
    found = from_clean_labels(noisy, tmp_path / "some.csv")
    assert found.margin == from_clean_labels(noisy[chosen], clean[chosen]).margin
    (tmp_path / "far.csv").write_text("index,label\n60,1\n")
    with pytest.raises(InputError, match=r"index 60 is outside 0\.\.59"):
        from_clean_labels(noisy, tmp_path / "far.csv")


def test_noise_in_parquet_files(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.table({name: TRUE[:, i] for i, name in enumerate("abc")}), tmp_path / "T.parquet")
    model = load(tmp_path / "T.parquet")
    assert model.names == ("a", "b", "c")
    assert model.rows[2].weights == (0.25, 0.15, 0.6)
    parquet.write_table(pa.table({"noisy": [0, 1, 1], "clean": [0, 1, 0]}), tmp_path / "pair.parquet")
    assert load(tmp_path / "pair.parquet").samples == (2, 1)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="is not a Parquet file"):
        load(tmp_path / "bad.parquet")


def test_without_pyarrow_the_install_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(arrays, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install 'asymtheory\[tables\]'"):
        load(tmp_path / "a.parquet")


def test_counts_keep_the_sizes_of_their_rows() -> None:
    assert named("cifar10n-worse").samples == (5000,) * 10
    assert symmetric(10, Fraction(1, 5)).samples is None


# -------------------------------------------------------------------------------------------- bad input

OK = [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("noisy", "clean", "line"),
    [
        (OK, OK[:5], "--clean has 5 labels, --labels 6; they must be of the same samples"),
        ([0, 1, 0, 0, 1, 1], OK, "label 2 never occurs among the noisy labels"),
        (OK, [0, 1, 0, 0, 1, None], "class 2 has no clean sample"),
        ([0, 1, "cat", 0, 1, 2], OK, "--labels: mixed labels: 0 at position 0 is a number, 'cat' at 2 a name"),
        (["a", "b", "c"], [0, 1, 2], "mixed labels: --labels holds class names, --clean whole numbers"),
        (["a", "b", "c"], ["a", "b", "d"], "label d .* never occurs|label 3 .d. never occurs"),
        ([0, 1, float("nan")], [0, 1, 1], "--labels: label -1 at position 2 is below 0|position 2 has no label"),
        ([0, 1.5, 2], [0, 1, 2], "--labels: '?1.5'? (at position 1 )?is not a (whole number|label)"),
        ([0, 1, -3], [0, 1, 2], "--labels: label -3 at position 2 is below 0"),
        ([True, False], [0, 1], "is not a label"),
        ([[0, 1], [1, 0]], [0, 1], "one axis is needed|is not a label"),
        ([], [], "no labels given"),
        ([0, 0], [0, 0], "all labels are 0"),
        (OK, [None] * 6, "holds no clean label|labels given|no label"),
        ("nowhere.csv", OK, "--labels nowhere.csv: no such file"),
        ("labels.pkl", OK, "pickles are programs and are not loaded"),
        ("labels.xlsx", OK, "unknown file type .xlsx; allowed: .csv"),
    ],
)
def test_bad_labels_get_one_line(noisy: object, clean: object, line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        from_clean_labels(noisy, clean)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0\ncat\n1\n", "mixed labels"),
        ("a,b\n0,1\n0\n", "ragged table: line 3 has 1 entries, line 1 has 2"),
        ("0,1\n1,0\n", "without a header line"),
        ("a,b\n0,1\n", "holds a, b: say which is meant, --labels .*:NAME"),
        ("label\n", "--clean has 2 labels, .* 1; they must"),
        ("\n\n", "holds no numbers and no labels"),
        ("noisy\n0\n\n1\n", "position 1 has no label"),
    ],
)
def test_bad_label_files_get_one_line(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(InputError, match=line) as caught:
        from_clean_labels(str(tmp_path / "l.csv"), [0, 1])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ([[0.5, 0.5], [0.5, 0.4]], "row 1 sums to 0.9; .* must sum to 1 in every row"),
        ([[0.5, 0.5], [np.nan, 0.4]], "row 1, column 0 is nan; .* must be finite"),
        ([[0.5, 0.5], [1.5, -0.5]], "row 1, column 1 is -0.5; .* must be >= 0"),
        ([[1.0], [1.0]], "at least 2 classes"),
        ([0.5, 0.5], "two axes"),
        ([[0.5, 0.5], [1.0]], "ragged table"),
        ([["a", "b"]], "numbers are needed"),
        (np.zeros((0, 3)), "the table is empty"),
    ],
)
def test_bad_probabilities_get_one_line(table: object, line: str) -> None:
    def both() -> None:
        found = read_probabilities(table, "--posteriors")
        from_sample_posteriors(found.table, found.names, found.source)

    with pytest.raises(InputError, match=line) as caught:
        both()
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=line):
        from_predictions([0, 1], table)


def test_lengths_and_classes_of_predictions() -> None:
    p = np.eye(3) * 0.7 + 0.1
    with pytest.raises(InputError, match="--probs has 3 rows, --labels 2 labels"):
        from_predictions([0, 1], p)
    with pytest.raises(InputError, match="label 2 never occurs"):
        from_predictions([0, 1, 1], p)
    with pytest.raises(InputError, match=r"label 3 at position 2 is outside 0\.\.2"):
        from_predictions([0, 1, 3], p)
    with pytest.raises(InputError, match="--K 4: --probs has 3 columns"):
        from_predictions([0, 1, 2], p, K=4)


def test_files_over_memory_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.csv").write_text("0.5,0.5\n" * 100)
    np.savez(tmp_path / "p.npz", probs=np.full((100, 2), 0.5))
    np.save(tmp_path / "p.npy", np.full((100, 2), 0.5))
    np.save(tmp_path / "l.npy", np.arange(100) % 2)
    monkeypatch.setattr(limits, "available_memory", lambda: 500.0)
    for name in ("p.csv", "p.npz"):
        with pytest.raises(InputError, match=r"needs about .* GiB of memory, .* save probabilities as .npy"):
            read_probabilities(tmp_path / name, "--probs")
    with pytest.raises(InputError, match="needs about"):
        from_clean_labels(str(tmp_path / "l.npy"), [0, 1])
    with pytest.raises(InputError, match="needs about"):
        from_predictions(np.arange(100) % 2, str(tmp_path / "p.npy"))
    table = read_probabilities(tmp_path / "p.npy", "--posteriors").table  # mapped, not read
    assert from_sample_posteriors(table).margin.value == 0


@pytest.mark.parametrize("confidence", [0, 1, 1.5, float("nan"), True, "0.9"])
def test_a_confidence_is_between_0_and_1(confidence: object) -> None:
    with pytest.raises(InputError, match=r"--confidence .*: must be in \(0, 1\)"):
        from_clean_labels(OK, OK, confidence)  # type: ignore[arg-type]


def test_the_threshold_of_the_estimate_is_that_of_the_counts() -> None:
    clean, noisy = draw(np.random.default_rng(7), 600)
    found = from_clean_labels(noisy, clean)
    end = solve(build("amse"), found.noise).end
    assert end is not None
    np.testing.assert_allclose(end.value, 1 / found.margin.value)


# --------------------------------------------------------------------------------------------------- measured on human labels
@pytest.mark.parametrize("file", ["real-labels", "real-labels-features"])
def test_the_tables_of_human_labels_are_those_that_were_measured(file: str) -> None:
    docs = Path(__file__).parents[2] / "docs"
    shown = [
        line.split(" | ")
        for line in (docs / "selection" / "human-labels.md").read_text().splitlines()
        if line.startswith("| CIFAR-10")
    ]
    for row in json.loads((docs / f"{file}.json").read_text()):
        ends = [[each["value"] for each in row[key]] for key in ("margin", "amse", "agce", "ael")]
        name = row["set"].replace("aggre", "aggregate")
        own = [line for line in shown if line[0] == f"| {name}" and line[1] == f"{row['accuracy']:.3f}"]
        assert len(own) == 1, row["set"]
        cells = [cell.strip(" |").split(" / ") for cell in (own[0][2], own[0][3], *own[0][5:])]
        for printed, measured in zip(cells, [row["rate"], *ends], strict=True):
            for text, value in zip(printed, measured, strict=True):
                assert abs(float(text) - value) <= 0.51 * 10.0 ** -len(text.partition(".")[2]), row["set"]
        assert own[0][4] == " / ".join(f"{a}->{b}" for a, b in row["binding"])
