"""Noise models: weights, clean level, margin and dominance, from names, tables, labels and files."""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
import zipfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asymtheory import noise
from asymtheory.errors import InputError
from asymtheory.noise import Row, models

F = Fraction
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "noisy-labels"

fractions = st.fractions(min_value=0, max_value=1, max_denominator=1000)


@st.composite
def weight_rows(draw, classes=None, largest=50):
    """K non-negative whole numbers, not all zero; small ones, so that ties are frequent."""
    K = draw(st.integers(2, 7)) if classes is None else classes
    return draw(st.lists(st.integers(0, largest), min_size=K, max_size=K).filter(any))


@st.composite
def stochastic_matrices(draw):
    K = draw(st.integers(2, 6))
    rows = [draw(weight_rows(K, largest=20)) for _ in range(K)]
    return [[F(value, sum(row)) for value in row] for row in rows]


def brute(row, target):
    """top, second, margin, clean level of one row, the slow and obvious way."""
    others = [w for i, w in enumerate(row) if i != target]
    top, second = row[target], max(others)
    return top, second, (F(top) - F(second)) / sum(map(F, row)), F(top) / F(second) if second else math.inf


# ----------------------------------------------------------------------------------------------------------------- Row
@given(weight_rows(), st.data())
def test_row_agrees_with_brute_force(weights, data):
    target = data.draw(st.integers(0, len(weights) - 1))
    row = Row(tuple(weights), target)
    top, second, margin, clean = brute(weights, target)
    assert (row.top, row.second, row.margin, row.clean_level, row.total) == (top, second, margin, clean, sum(weights))
    assert isinstance(row.margin, Fraction)
    assert weights[row.runner_up] == second
    assert row.runner_up != target
    assert row.runner_up == min(i for i, w in enumerate(weights) if i != target and w == second)
    assert row.dominant == (top > second)
    assert row.uniform_rest == (len({w for i, w in enumerate(weights) if i != target}) == 1)


def test_row_shares_of_one_object_and_copies_agree():
    shared, target = F(1, 7), 2
    row = Row((shared,) * 5, target)
    assert (row.runner_up, row.second, row.total, row.uniform_rest) == (0, shared, F(5, 7), True)
    assert Row((shared,) * 5, 0).runner_up == 1
    copies = Row(tuple(F(1, 7) for _ in range(5)), target)
    assert (copies.runner_up, copies.total, copies.uniform_rest) == (0, F(5, 7), True)


def test_row_of_floats_and_scale():
    row = Row((0.5, 0.25, 0.25), 0)
    assert (row.margin, row.clean_level, row.total) == (0.25, 2.0, 1.0)
    assert Row((50, 25, 25), 0).margin == F(1, 4)
    assert Row((1, 0, 0), 0).clean_level == math.inf


@pytest.mark.parametrize(
    ("weights", "target", "message"),
    [
        ((1,), 0, r"^1 weight given; at least 2 classes are needed$"),
        ((), 0, r"^0 weights given; at least 2 classes"),
        ((1, 2), 2, r"^target 2 is outside 0\.\.1$"),
        ((1, F(-1, 10)), 0, r"^weight 1 is -0\.1; weights must be >= 0$"),
        ((1.0, math.nan), 0, r"^weight 1 is nan; weights must be finite"),
        ((1.0, math.inf), 0, r"^weight 1 is inf; weights must be finite"),
        ((0, 0.0, F(0)), 0, r"^all weights are 0; at least one must be positive$"),
        ((1e308, 1e308), 0, r"^the sum of the weights is too large"),
    ],
)
def test_bad_rows(weights, target, message):
    with pytest.raises(InputError, match=message):
        Row(weights, target)


# ------------------------------------------------------------------------------------------------------ named families
def test_symmetric_is_exact():
    model = noise.symmetric(10, F(4, 5))
    assert (model.clean_level, model.margin, model.rate) == (F(9, 4), F(1, 9), F(4, 5))
    assert model.rows == (Row((F(1, 5), *(F(4, 45),) * 9), 0),)
    assert model.representative
    assert model.dominant
    assert model.failures == ()


def test_symmetric_boundary_is_a_tie():
    model = noise.symmetric(10, F(9, 10))
    assert (model.clean_level, model.margin, model.dominant, model.failures) == (1, 0, False, ((0, 1),))
    beyond = noise.symmetric(10, F(1))
    assert (beyond.clean_level, beyond.margin) == (0, F(-1, 9))


@given(st.integers(2, 30), fractions)
def test_uniform_is_symmetric_at_its_own_rate(K, eta):
    uniform = noise.uniform(K, eta)
    assert uniform.rate == eta * F(K - 1, K)
    assert uniform.rows == noise.symmetric(K, uniform.rate).rows
    assert uniform.margin == 1 - eta


@pytest.mark.parametrize("kind", ["symmetric", "uniform", "pair"])
@given(K=st.integers(2, 12), eta=fractions)
def test_representative_rows_against_the_full_matrix(kind, K, eta):
    if kind == "symmetric":
        full = [[1 - eta if i == j else eta / (K - 1) for j in range(K)] for i in range(K)]
    elif kind == "uniform":
        full = [[(1 - eta) * (i == j) + eta / K for j in range(K)] for i in range(K)]
    else:
        full = [[(1 - eta) * (i == j) + eta * (j == (i + 1) % K) for j in range(K)] for i in range(K)]
    model, matrix = noise.resolve(kind, K, eta), noise.from_matrix(full)
    assert model.rows[0] == matrix.rows[0]
    for name in ("clean_level", "margin", "rate", "dominant", "classes"):
        assert getattr(model, name) == getattr(matrix, name)


def test_many_classes_stay_cheap():
    model = noise.symmetric(10**5, F(4, 5))
    assert len(model.rows) == 1
    assert len(model.rows[0]._runs) == 2  # two numbers are looked at, not 10^5
    assert model.clean_level == F(1, 5) / (F(4, 5) / (10**5 - 1))
    assert model.rows[0].total == 1


PAPER_MAPS = {
    "mnist": {7: 1, 2: 7, 5: 6, 6: 5, 3: 8},
    "cifar10": {9: 1, 2: 0, 3: 5, 5: 3, 4: 7},
}


@pytest.mark.parametrize("kind", ["mnist", "cifar10"])
def test_paper_maps(kind):
    model = noise.resolve(kind, None, F(2, 5))
    for i, row in enumerate(model.rows):
        expected = [F(0)] * 10
        expected[i] = F(1)
        if i in PAPER_MAPS[kind]:
            expected[i], expected[PAPER_MAPS[kind][i]] = F(3, 5), F(2, 5)
        assert row == Row(tuple(expected), i)
    assert (model.clean_level, model.margin, model.rate) == (F(3, 2), F(1, 5), F(1, 5))
    assert model.dominant
    assert noise.resolve(kind, 10, F(1, 2)).failures == tuple(sorted(PAPER_MAPS[kind].items()))


def test_cifar10_map_by_name():
    names = noise.cifar10(F(1, 4)).names
    flips = {names[i]: names[j] for i, j in PAPER_MAPS["cifar10"].items()}
    assert flips == {"truck": "automobile", "bird": "airplane", "cat": "dog", "dog": "cat", "deer": "horse"}


def flips_of(model):
    return {i: row.runner_up for i, row in enumerate(model.rows) if row.second}


def test_superclasses_partition_the_hundred_classes():
    groups = noise.cifar100_superclasses()
    assert len(groups) == 20
    assert {len(group) for group in groups.values()} == {5}
    names = noise.cifar100_names()
    assert len(set(names)) == 100
    assert names == sorted(names)
    assert (names[0], names[4], names[23], names[99]) == ("apple", "beaver", "cloud", "worm")


def test_superclasses_are_those_of_the_official_labels():
    path = SHARED / "cifar100n_labels.npz"
    if not path.exists():
        pytest.skip("the shared data is not here")
    with np.load(path) as data:
        fine, coarse = data["clean_label"], data["clean_coarse_label"]
    names = noise.cifar100_names()
    for k, group in enumerate(noise.cifar100_superclasses().values()):
        assert sorted(names[i] for i in np.unique(fine[coarse == k])) == sorted(group)


def test_cifar100_map_is_circular_within_superclasses():
    model = noise.cifar100(F(2, 5))
    flips = flips_of(model)
    assert (model.rate, model.margin, len(flips)) == (F(2, 5), F(1, 5), 100)
    assert sorted(flips.values()) == list(range(100))
    for group in noise.cifar100_superclasses().values():
        members = sorted(model.names.index(name) for name in group)
        assert [flips[i] for i in members] == [*members[1:], members[0]]
    index = model.names.index
    assert flips[index("beaver")] == index("dolphin")
    assert flips[index("whale")] == index("beaver")


def test_cifar100_blocks_are_not_superclasses():
    flips = flips_of(noise.cifar100_blocks(F(2, 5)))
    assert [flips[i] for i in (0, 3, 4, 5, 99)] == [1, 4, 0, 6, 95]
    assert sorted(flips.values()) == list(range(100))
    same = sum(flips[i] == j for i, j in flips_of(noise.cifar100(F(2, 5))).items())
    assert same < 10


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({0: 3}, r"^class map 0->3: 3 is not a class in 0\.\.2$"),
        ({-1: 0}, r"^class map -1->0: -1 is not a class"),
        ({0: 1.0}, r"1\.0 is not a class"),
        ({1: 1}, r"^class map 1->1: a class cannot be mapped to itself; leave it out$"),
    ],
)
def test_bad_class_maps(mapping, message):
    with pytest.raises(InputError, match=message):
        noise.class_map(mapping, 3, F(1, 5))


@pytest.mark.parametrize("build", [noise.symmetric, noise.uniform, noise.pair])
def test_bad_classes_and_rates(build):
    for K, text in ((1, "1: the number of classes must be >= 2"), (2.5, "2.5: .* whole number"), (True, "whole")):
        with pytest.raises(InputError, match=f"^K {'True' if K is True else ''}.*{text}"):
            build(K, F(1, 5))
    with pytest.raises(InputError, match=r"^K 1000000000: the number of classes must be <= 10000000$"):
        build(10**9, F(1, 5))
    assert build(10, "1/5").rate == build(10, F(1, 5)).rate  # text, as on the command line
    with pytest.raises(InputError, match=r"^eta 'much' is not a finite number"):
        build(10, "much")
    for eta in (F(3, 2), -0.1, math.nan, math.inf, "1.2", None):
        with pytest.raises(InputError, match=r"^eta .*: the noise rate must be in \[0, 1\]$"):
            build(10, eta)
    with pytest.raises(InputError, match=r"^eta 1\.0000001: "):
        build(10, F(10000001, 10000000))


def test_whole_rates_are_exact():
    for eta in (0, 1):
        model = noise.symmetric(3, eta)
        assert isinstance(model.margin, Fraction)
        assert isinstance(noise.worst_weights("symmetric", 3, eta)[1], Fraction)
    assert noise.pair(3, 0).clean_level == math.inf


@pytest.mark.parametrize("kind", noise.FAMILIES)
@given(eta=fractions, K=st.integers(2, 9))
@settings(max_examples=20, deadline=None)
def test_worst_weights_are_those_of_the_worst_row(kind, eta, K):
    K = noise.FIXED_CLASSES.get(kind, K)
    model = noise.family(kind, K)(eta)
    top, second, total = noise.worst_weights(kind, K, eta)
    assert model.margin == (top - second) / total
    if kind in noise.FIXED_CLASSES and eta == 0:
        assert second == 0
    else:
        row = model.worst_row()
        assert (row.top, row.second, row.total) == (top, second, total)
    assert model.rate == noise.resolve(kind, K, eta).rate


def test_worst_weights_of_symbols_and_decimals():
    import sympy

    K, eta = sympy.symbols("K eta", positive=True)
    top, second, total = noise.worst_weights("symmetric", K, eta)
    assert sympy.simplify((top - second) / total - (1 - eta * K / (K - 1))) == 0
    assert noise.worst_weights("uniform", K, eta)[0].subs({K: 10, eta: F(1, 2)}) == sympy.Rational(11, 20)
    assert noise.worst_weights("pair", None, Decimal("0.4"))[:2] == (Decimal("0.6"), Decimal("0.4"))
    assert noise.worst_weights("mnist", None, 0.25) == (0.75, 0.25, 1)


def test_family_errors():
    with pytest.raises(InputError, match=r"^unknown noise 'symetric'; allowed: .*; did you mean 'symmetric'\?$"):
        noise.family("symetric", 10)
    with pytest.raises(InputError, match=r"'cifar10n-worse' is measured: it has no rate to set; allowed: symmetric"):
        noise.worst_weights("cifar10n-worse", 10, F(1, 5))
    with pytest.raises(InputError, match=r"^noise 'pair' needs K"):
        noise.family("pair")
    with pytest.raises(InputError, match=r"^K 10: noise 'cifar100' has 100 classes$"):
        noise.family("cifar100", 10)
    with pytest.raises(InputError, match=r"^K 1: "):
        noise.worst_weights("symmetric", 1, F(1, 5))


# ------------------------------------------------------------------------------------------------- matrices and counts
@given(stochastic_matrices())
def test_matrix_agrees_with_brute_force(matrix):
    K = len(matrix)
    model = noise.from_matrix(matrix)
    facts = [brute(row, i) for i, row in enumerate(matrix)]
    assert model.margin == min(fact[2] for fact in facts)
    assert model.clean_level == min(fact[3] for fact in facts)
    assert facts[model.worst][2] == model.margin
    assert facts[model.worst_clean][3] == model.clean_level
    assert model.worst_row() == model.rows[model.worst]
    assert [i for i, _ in model.failures] == [i for i, fact in enumerate(facts) if fact[0] <= fact[1]]
    assert all(matrix[i][j] == facts[i][1] and j != i for i, j in model.failures)
    assert model.dominant == (not model.failures)
    assert model.rate == 1 - sum(matrix[i][i] for i in range(K)) / K


@given(stochastic_matrices())
def test_float_matrix_agrees_with_exact(matrix):
    exact = noise.from_matrix(matrix)
    for given_ in (np.array(matrix, dtype=float), [list(map(float, row)) for row in matrix]):
        model = noise.from_matrix(given_)
        assert model.margin == pytest.approx(float(exact.margin), abs=1e-12)
        assert model.rate == pytest.approx(float(exact.rate), abs=1e-12)
        assert all(type(w) is float for row in model.rows for w in row.weights)


def test_matrix_tolerance():
    noise.from_matrix([[0.9 + 9e-7, 0.1], [0.2, 0.8]])
    with pytest.raises(InputError, match=r"^row 0 sums to 1\.000002; every row must sum to 1 \(within 1e-6\)$"):
        noise.from_matrix([[0.9 + 2e-6, 0.1], [0.2, 0.8]])
    noise.from_matrix(np.full((3, 3), 1 / 3, dtype=np.float32))


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.4]], r"^row 1 sums to 0\.9; every row must sum to 1"),
        ([[0.5, 0.5], [1.2, -0.2]], r"^row 1, column 1 is -0\.2; entries must be >= 0$"),
        ([[0.5, 0.5], [math.nan, 1]], r"^row 1, column 0 is nan; weights must be finite numbers$"),
        ([[0.5, 0.5], [math.inf, 1]], r"^row 1, column 0 is inf"),
        ([[0.5, 0.5], [1]], r"^ragged table: row 1 has 1 entries, row 0 has 2 \(rows count from 0\)$"),
        ([[1, 0, 0], [0, 1, 0]], r"^a transition matrix must be square, got 2 rows and 3 columns$"),
        ([[1]], r"^1 column; at least 2 classes are needed$"),
        ([], r"^the table is empty$"),
        (np.zeros((0, 0)), r"^the table is empty$"),
        ([[], []], r"^0 columns; at least 2 classes"),
        ([0.5, 0.5], r"^row 0 is '0\.5', not a row of numbers"),
        (np.ones(3), r"^row 0 is '1\.0', not a row"),
        (["ab", "cd"], r"^row 0 is 'ab', not a row"),
        ("abc", r"^a table \(a sequence of rows of numbers\) is needed, got str$"),
        (3, r"is needed, got int$"),
        ([["a", 1], [0, 1]], r"^row 0, column 0 is 'a', not a number$"),
        ([[True, 0], [0, 1]], r"^row 0, column 0 is True, not a number$"),
        ([[None, 0], [0, 1]], r"^row 0, column 0 is 'None', not a number$"),
        ([[Decimal("NaN"), 0], [0, 1]], r"^row 0, column 0 is NaN; weights must be finite"),
        ([[10**400, 0.5], [0, 1]], r"^row 0, column 0 is too large; at most 1e300"),
        (np.array([["a", "b"], ["c", "d"]]), r"^array of <U1; numbers are needed$"),
        (np.eye(2, dtype=bool), r"^array of bool; numbers are needed$"),
        (np.ones((2, 2, 2)), r"^row 0, column 0 is .* not a number"),
    ],
)
def test_bad_matrices(matrix, message):
    with pytest.raises(InputError, match=message):
        noise.from_matrix(matrix)


def test_matrix_names_and_source_in_errors():
    with pytest.raises(InputError, match=r"^T\.csv: row 1 \(dog\) sums to 0\.9;"):
        noise.from_matrix([[1, 0], [F(1, 2), F(2, 5)]], names=["cat", "dog"], source="T.csv")
    with pytest.raises(InputError, match=r"^3 class names given for 2 classes$"):
        noise.from_matrix([[1, 0], [0, 1]], names=["a", "b", "c"])
    with pytest.raises(InputError, match=r"^2 class names given for 2 classes|^3 class names"):
        noise.from_matrix([[1, 0], [0, 1]], names="abc")


@pytest.mark.parametrize("value", [Decimal("0.25"), np.float64(0.25), np.float32(0.25), F(1, 4)])
def test_number_types_are_taken(value):
    model = noise.from_matrix([[1 - value, value], [0, np.int64(1)]])
    assert model.margin == F(1, 2)
    json.dumps(model.to_dict())


def test_counts_are_exact_and_weigh_classes():
    model = noise.from_counts([[2, 1, 0], [0, 5, 1], [30, 30, 40]])
    assert model.rows[0].weights == (F(2, 3), F(1, 3), F(0))
    assert model.rate == 1 - F(47, 109)
    assert (model.worst, model.margin, model.clean_level) == (2, F(1, 10), F(4, 3))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1, 0], [0, 0]], r"^class 1 has no sample; every class 0\.\.1 needs at least one$"),
        ([[1, 0.5], [0, 1]], r"^row 0, column 1 is 0\.5; counts must be whole$"),
        ([[1, -1], [0, 1]], r"^row 0, column 1 is -1; entries must be >= 0$"),
        ([[1, 1, 1], [1, 1, 1]], r"^a table of counts must be square"),
    ],
)
def test_bad_counts(counts, message):
    with pytest.raises(InputError, match=message):
        noise.from_counts(counts)


# -------------------------------------------------------------------------------------------------------------- labels
@st.composite
def label_pairs(draw):
    K = draw(st.integers(2, 5))
    clean = list(range(K)) + draw(st.lists(st.integers(0, K - 1), max_size=30))
    noisy = draw(st.lists(st.integers(0, K - 1), min_size=len(clean), max_size=len(clean)))
    return K, clean, noisy


@given(label_pairs(), st.sampled_from([np.uint8, np.int32, np.int64, np.uint64]))
def test_labels_are_counted_as_numpy_counts_them(pair, dtype):
    K, clean, noisy = pair
    expected = np.zeros((K, K), dtype=int)
    np.add.at(expected, (clean, noisy), 1)
    listed = noise.from_labels(clean, noisy, K)
    assert listed == noise.from_labels(np.array(clean, dtype=dtype), np.array(noisy, dtype=dtype), K)
    assert listed == noise.from_labels(np.array(clean, dtype=dtype), noisy)
    assert listed == noise.from_labels(clean, noisy)
    assert listed == noise.from_counts(expected)
    np.testing.assert_allclose(
        [[float(w) for w in row.weights] for row in listed.rows], expected / expected.sum(axis=1, keepdims=True)
    )
    assert float(listed.rate) == pytest.approx(np.mean(np.array(clean) != np.array(noisy)), abs=1e-12)


def test_a_million_labels():
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 200, 10**6, dtype=np.uint8)  # 200 * 200 overflows uint8: the cell index must not
    noisy = np.where(rng.random(10**6) < 0.3, rng.integers(0, 200, 10**6, dtype=np.uint8), clean)
    model = noise.from_labels(clean, noisy)
    assert model.classes == 200
    assert model.rate == 1 - F(int((clean == noisy).sum()), 10**6)
    in_class = noisy[clean == 199]
    assert model.rows[199].weights[7] == F(int((in_class == 7).sum()), len(in_class))


@pytest.mark.parametrize("wrap", [list, np.array], ids=["list", "array"])
@pytest.mark.parametrize(
    ("clean", "noisy", "K", "message"),
    [
        ([0, 1, 2], [0, 1, 1], 2, r"^clean labels: label 2 at position 2 is outside 0\.\.1$"),
        ([0, 1, 1], [0, 1, 5], 2, r"^noisy labels: label 5 at position 2 is outside 0\.\.1$"),
        ([0, 1, 1], [0, -1, 1], 2, r"^noisy labels: position 1 has no label \(1 in all\)$"),
        ([0, -2, 1], [0, 1, 1], None, r"^clean labels: label -2 at position 1 is below 0$"),
        ([0, 1], [0, 1, 1], None, r"^clean labels has 2 labels, noisy labels 3; they must be of the same samples"),
        ([0, 2], [0, 1], None, r"^class 1 has no sample; every class 0\.\.2 needs at least one$"),
        ([0, 1], [0, 1], 3, r"^class 2 has no sample"),
        ([0, 0], [0, 0], None, r"^noisy labels: all labels are 0; at least 2 classes are needed$"),
        ([], [], None, r"^noisy labels: no labels given$"),
        ([0, 10**9], [0, 1], None, r"^labels of 1000000001 classes; at most 5000 are counted"),
        ([0, 1], [0, 1], 1, r"^K 1: "),
    ],
)
def test_bad_labels(wrap, clean, noisy, K, message):
    with pytest.raises(InputError, match=message):
        noise.from_labels(wrap(clean), wrap(noisy), K)


@pytest.mark.parametrize(
    ("clean", "message"),
    [
        ([0, 1.5], r"^clean labels: 1\.5 is not a label; whole numbers or class names are needed$"),
        ([0, True], r"^clean labels: True is not a label"),
        (["a", "b"], r"^mixed labels: clean labels holds class names, noisy labels whole numbers$"),
        ("01", r"^clean labels: a list or array of labels or rows is needed, got str$"),
        (5, r"^clean labels: a list or array of labels or rows is needed, got int$"),
        (np.array([0.0, 1.5]), r"^clean labels: 1\.5 at position 1 is not a whole number$"),
        (np.array([True, False]), r"^clean labels: labels are of type bool; whole"),
        (np.zeros((2, 1), dtype=int), r"^clean labels: labels have shape \(2, 1\); one axis is needed$"),
    ],
)
def test_labels_of_wrong_types(clean, message):
    with pytest.raises(InputError, match=message):
        noise.from_labels(clean, [0, 1])
    with pytest.raises(InputError, match=r"^clean labels: labels have shape \(2, '\.\.\.'\); one axis is needed$"):
        noise.from_labels([[0], [1, 2]], np.array([0, 1]))


# ---------------------------------------------------------------------------------------------------------- posteriors
@given(st.integers(2, 5).flatmap(lambda K: st.lists(weight_rows(K, largest=9), min_size=1, max_size=12)))
def test_posteriors_agree_between_array_and_sequence(rows):
    exact = noise.from_posteriors(rows)
    facts = [brute(row, row.index(max(row))) for row in rows]
    assert exact.margin == min(fact[2] for fact in facts)
    assert exact.clean_level == min(fact[3] for fact in facts)
    assert exact.rate is None
    for dtype in (np.int64, np.uint8, np.float64, np.float16):
        model = noise.from_posteriors(np.array(rows, dtype=dtype))
        assert model.margin == pytest.approx(float(exact.margin), abs=1e-12)
        assert float(model.clean_level) == pytest.approx(float(exact.clean_level))
        assert model.failures == exact.failures
        assert model.dominant == exact.dominant
        assert model.rows[model.worst].margin == model.margin
        assert [row.target for row in model.rows] == [row.target for row in exact.rows]
        assert (len(model.rows), model.classes, model.kind) == (len(rows), len(rows[0]), "posteriors")
        if np.issubdtype(dtype, np.integer):
            assert model.margin == exact.margin  # exact again, through the worst row
        json.dumps(model.to_dict(), allow_nan=False)
        assert "posteriors" in str(model)


def test_posteriors_stay_an_array():
    rng = np.random.default_rng(1)
    array = rng.dirichlet(np.ones(10), 10**5)
    model = noise.from_posteriors(array)
    ordered = np.sort(array, axis=1)
    assert model.margin == pytest.approx((ordered[:, -1] - ordered[:, -2]).min(), abs=1e-12)
    assert model.clean_level == pytest.approx((ordered[:, -1] / ordered[:, -2]).min())
    assert isinstance(model, noise.Posteriors)
    array[:] = 1  # the model holds its own copy
    assert model.dominant
    assert len(model.rows[2:5]) == 3
    with pytest.raises(ValueError, match="read-only"):
        model.array[0, 0] = 1


def test_posterior_ties_are_counted_not_raised():
    model = noise.from_posteriors(np.array([[0.5, 0.5, 0], [0.2, 0.7, 0.1], [0.1, 0.45, 0.45]]))
    assert model.failures == ((0, 1), (2, 2))
    assert not model.dominant
    large = 2**60
    assert noise.from_posteriors(np.array([[large, large + 1]])).dominant  # equal as floats, not as integers


def test_long_sequences_of_posteriors_become_an_array():
    rows = [[F(3, 4), F(1, 4)]] * (models.EXACT_CELLS // 2 + 1)
    assert isinstance(noise.from_posteriors(rows), noise.Posteriors)
    assert not isinstance(noise.from_posteriors(rows[:-1]), noise.Posteriors)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3), r"^posteriors have shape \(3,\); two axes"),
        (np.ones((3, 1)), r"^posteriors have 1 columns; at least 2 classes"),
        (np.ones((0, 3)), r"^the table is empty$"),
        (np.array([[1, np.nan]]), r"^row 0, column 1 is nan; weights must be finite numbers$"),
        (np.array([[1, -0.5]]), r"^row 0, column 1 is -0\.5; entries must be >= 0$"),
        (np.array([[1, 0], [0, 0]]), r"^row 1: all weights are 0"),
        (np.array([[1e308, 1e308]]), r"^the sum of the weights is too large"),
        (np.array([["a", "b"]]), r"^array of <U1; numbers are needed$"),
        ([[1, 0], [0, 0]], r"^row 1: all weights are 0"),
        ([[1, 0], [1]], r"^ragged table: row 1 has 1 entries"),
    ],
)
def test_bad_posteriors(array, message):
    with pytest.raises(InputError, match=message):
        noise.from_posteriors(array)


# ------------------------------------------------------------------------------------------------------------- weights
@given(weight_rows())
def test_weights_need_a_unique_largest(weights):
    target = weights.index(max(weights))
    if weights.count(max(weights)) > 1:
        with pytest.raises(InputError, match=r"^no unique largest weight: weights \d+ and \d+ are both \d+;"):
            noise.from_weights(weights)
    else:
        model = noise.from_weights(weights)
        assert model.rows == (Row(tuple(weights), target),)
        assert (model.kind, model.rate, model.classes) == ("weights", None, len(weights))
        assert model.margin == brute(weights, target)[2]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], r"^0 weights given; at least 2 classes"),
        ([1], r"^1 weight given; at least 2 classes"),
        ([0, 0], r"^all weights are 0"),
        ([1, F(-1, 5)], r"^weight 1 is -0\.2; weights must be >= 0$"),
        ([1, math.nan], r"^weight 1 is nan; weights must be finite"),
        ([1, "a"], r"^weight 1 is 'a', not a number$"),
        ("123", r"^weights must be a sequence of numbers$"),
        (5, r"^weights must be a sequence of numbers$"),
        ([F(2, 5), F(2, 5), F(1, 5)], r"^no unique largest weight: weights 0 and 1 are both 0\.4; the true class must"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(InputError, match=message):
        noise.from_weights(weights)


# ----------------------------------------------------------------------------------------------------------- CIFAR-10N
def test_cifar10n_worse():
    model = noise.named("cifar10n-worse")
    assert (model.margin, model.rate) == (F("0.2686"), F("0.40208"))
    row = model.worst_row()
    assert (row.top, row.second) == (F("0.5506"), F("0.282"))
    assert (model.names[row.target], model.names[row.runner_up]) == ("truck", "automobile")
    assert model.worst == model.worst_clean == 9
    assert model.clean_level == F(5506, 2820)
    assert model.dominant
    assert "Wei et al. 2022" in model.source
    assert "CC BY-NC 4.0" in model.source


@pytest.mark.parametrize("name", noise.MEASURED)
def test_embedded_counts_are_those_of_the_labels(name):
    path = SHARED / "cifar10n_labels.npz"
    if not path.exists():
        pytest.skip("the shared data is not here")
    short = name.removeprefix("cifar10n-")
    key = f"random_label{short[-1]}" if short.startswith("random") else f"{short}_label"
    with np.load(path) as data:
        counted = noise.from_labels(data["clean_label"], data[key], 10)
    assert counted.rows == noise.named(name).rows
    assert counted.rate == noise.named(name).rate
    table = json.loads((SHARED / "cifar10n_transition.json").read_text())["sets"][key]
    assert float(counted.rate) == pytest.approx(table["noise_rate"], abs=1e-12)
    np.testing.assert_allclose([[float(w) for w in row.weights] for row in counted.rows], table["T"], atol=1e-12)


def test_the_five_embedded_matrices_differ():
    rates = {name: float(noise.named(name).rate) for name in noise.MEASURED}
    assert len(set(rates.values())) == 5
    assert rates["cifar10n-aggre"] == pytest.approx(0.0901, abs=1e-4)
    assert rates["cifar10n-random1"] == pytest.approx(0.1723, abs=1e-4)
    with pytest.raises(InputError, match=r"^unknown noise 'cifar10n-worst'; .*did you mean 'cifar10n-worse'\?$"):
        noise.named("cifar10n-worst")


# ---------------------------------------------------------------------------------------------------------- text, JSON
def test_to_dict_is_json_and_names_the_binding_rows():
    facts = noise.named("cifar10n-worse").to_dict()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["exact"] == {"rate": "2513/6250", "clean_level": "2753/1410", "margin": "1343/5000"}
    assert facts["worst"] == {
        "row": 9, "target": 9, "runner_up": 1, "target_name": "truck", "runner_up_name": "automobile",
        "top": 0.5506, "second": 0.282, "total": 1.0,
    }  # fmt: skip
    assert facts["failures"] == []
    clean = noise.symmetric(3, 0).to_dict()
    assert (clean["clean_level"], clean["margin"]) == (None, 1.0)
    json.dumps(clean, allow_nan=False)
    tied = noise.pair(4, F(1, 2)).to_dict()
    assert (tied["failures"], tied["dominant"], tied["clean_level"]) == ([[0, 1]], False, 1.0)


def test_tables_for_people():
    text = str(noise.named("cifar10n-worse"))
    assert "10 classes, noise rate 0.40208" in text
    assert "class 9 (truck) against 1 (automobile)" in text
    assert len(text.splitlines()) == 16
    assert "every class" in str(noise.symmetric(10, F(4, 5)))
    large = str(noise.cifar100(F(1, 2)))
    assert "the 20 rows of least margin:" in large
    assert "no: class 0 (apple) against 53 (orange)" not in large  # apple goes to mushroom, the next in its superclass
    assert "no: class 0 (apple) against 51 (mushroom) and 99 more" in large
    assert "class 2 against 0" in str(noise.from_weights([1, 0, 3]))
    assert all(line == line.rstrip() for line in (text + large).splitlines())


def test_kinds_describe_every_name():
    for kind in noise.KINDS:
        model = (
            noise.resolve(kind, None, None)
            if kind in noise.MEASURED
            else noise.family(kind, 10 if kind in ("symmetric", "uniform", "pair") else None)(F(1, 5))
        )
        assert model.kind == kind
        assert noise.KINDS[kind]


# ------------------------------------------------------------------------------------------------------------- numbers
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.8", F(4, 5)), ("4/5", F(4, 5)), ("1e-3", F(1, 1000)), (" .5 ", F(1, 2)), ("5.", F(5)), ("-2", F(-2)),
        ("+1E2", F(100)), ("0.1/3", F(1, 30)), ("1e300", F(10**300)), ("0", F(0)),
    ],
)  # fmt: skip
def test_numbers_are_exact(text, value):
    assert noise.parse_number(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^--eta '' is not a finite number; write it like 0\.8, 4/5 or 1e-3$"),
        ("nan", r"^--eta 'nan' is not a finite number"),
        ("inf", r"^--eta 'inf' is not a finite"),
        ("-Infinity", r"not a finite"),
        ("0,8", r"not a finite"),
        ("1_000", r"not a finite"),
        ("٣", r"not a finite"),
        ("1/0", r"^--eta '1/0' divides by zero"),
        ("1/2/3", r"not a finite"),
        ("1e999999999", r"^--eta '1e999999999' has an exponent outside -300\.\.300$"),
        ("1e-301", r"exponent outside"),
        ("1e" + "9" * 500, r"exponent outside"),
        ("9" * 400, r"is too large; at most 1e300 is allowed$"),
        ("1" * 5000, r"^--eta '1{37}\.\.\.' is not a finite number"),
    ],
)
def test_bad_numbers(text, message):
    with pytest.raises(InputError, match=message):
        noise.parse_number(text, "--eta")


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_an_input_error(text):
    value = one_line_or(noise.parse_number, text)
    if value is not None and "/" not in text:
        assert float(value) == float(text)


# ------------------------------------------------------------------------------------------------------------- resolve
def test_resolve_families():
    assert noise.resolve("symmetric", 10, F(4, 5)).clean_level == F(9, 4)
    assert noise.resolve(" Pair ", 10, F(2, 5)).kind == "pair"
    assert noise.resolve("mnist", None, F(2, 5)).classes == 10
    assert noise.resolve("cifar100", 100, F(2, 5)).classes == 100
    assert noise.resolve("cifar10n-worse", 10).classes == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("symmetric", None, F(1, 5)), r"^--noise symmetric needs --K \(the number of classes, a whole number >= 2\)$"),
        (("pair", 10, None), r"^--noise pair needs --eta \(the noise rate, in \[0, 1\]\)$"),
        (("mnist", None, None), r"^--noise mnist needs --eta"),
        (("uniform", 1, F(1, 5)), r"^--K 1: the number of classes must be >= 2$"),
        (("symmetric", 10, F(3, 2)), r"^--eta 1\.5: the noise rate must be in \[0, 1\]$"),
        (("symmetric", 10, F(-1, 10)), r"^--eta -0\.1: the noise rate"),
        (("symmetric", 10, math.nan), r"^--eta nan: the noise rate"),
        (("cifar100", 10, F(1, 5)), r"^--K 10: noise 'cifar100' has 100 classes$"),
        (("cifar10n-worse", 100, None), r"^--K 100: noise 'cifar10n-worse' has 10 classes$"),
        (
            ("cifar10n-worse", None, F(1, 5)),
            r"^--eta 0\.2: noise 'cifar10n-worse' is measured and has its own noise rat",
        ),
        (
            ("symetric", 10, F(1, 5)),
            r"^--noise 'symetric': unknown noise; did you mean 'symmetric'\?; allowed: symmetric",
        ),
        (("", 10, F(1, 5)), r"^--noise '': unknown noise"),
        (("no/such.csv", None, None), r"^no/such\.csv: no such file$"),
        (("missing.npy", None, None), r"^missing\.npy: no such file$"),
    ],
)
def test_bad_noise_options(arguments, message):
    with pytest.raises(InputError, match=message):
        noise.resolve(*arguments)


def test_resolve_files(tmp_path):
    path = tmp_path / "T.csv"
    path.write_text("0.9,0.1\n0.2,0.8\n")
    assert noise.resolve(str(path), 2).margin == F(3, 5)
    with pytest.raises(InputError, match=r"^--K 3: noise '.*T\.csv' has 2 classes$"):
        noise.resolve(str(path), 3)
    with pytest.raises(InputError, match=r"^--eta 0\.2: noise '.*T\.csv' comes from a file and has its own noise rate"):
        noise.resolve(str(path), None, F(1, 5))


# --------------------------------------------------------------------------------------------------------------- files
def one_line_or(function, argument):
    """function(argument), or None where it raises InputError with a one-line message; anything else fails."""
    message = "one line"
    try:
        return function(argument)
    except InputError as error:
        message = str(error)
        return None
    finally:
        assert "\n" not in message
        assert len(message) < 400


def write(tmp_path, name, content):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8")
    return path


T2 = [[F(9, 10), F(1, 10)], [F(1, 5), F(4, 5)]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("T.csv", "0.9,0.1\n0.2,0.8\n"),
        ("T.csv", "0.9; 0.1\r\n\r\n0.2; 0.8"),
        ("T.csv", "# a comment\n0.9\t0.1\n1/5\t4/5\n"),
        ("T.CSV", "\ufeff0.9,0.1\n2e-1,.8\n"),
        ("T.json", "[[0.9, 0.1], [0.2, 0.8]]"),
        ("T.json", '{"T": [[0.9, 0.1], [0.2, 0.8]], "classes": 2}'),
        ("T.json", '{"matrix": [[0.9, 0.1], [0.2, 0.8]], "note": "x"}'),
    ],
)
def test_text_files_are_exact(tmp_path, name, content):
    path = write(tmp_path, name, content)
    model = noise.load(path)
    assert [list(row.weights) for row in model.rows] == T2
    assert (model.kind, model.names, model.source, model.margin) == ("matrix", None, str(path), F(3, 5))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("T.csv", "cat,dog\n0.9,0.1\n0.2,0.8\n"),
        ("T.csv", ",cat,dog\ncat,0.9,0.1\ndog,0.2,0.8\n"),
        ("T.json", '{"T": [[0.9, 0.1], [0.2, 0.8]], "classes": ["cat", "dog"]}'),
        ("T.json", '{"transition": [[0.9, 0.1], [0.2, 0.8]], "names": ["cat", "dog"]}'),
    ],
)
def test_class_names_from_files(tmp_path, name, content):
    model = noise.load(write(tmp_path, name, content))
    assert model.names == ("cat", "dog")
    assert [list(row.weights) for row in model.rows] == T2


def test_pandas_headers_are_not_samples(tmp_path):
    rows = "0.8,0.1,0.1\n0,1,0\n0,0,1\n"
    for text in ("0,1,2\n" + rows, ",0,1,2\n" + "".join(f"{i},{r}\n" for i, r in enumerate(rows.split()))):
        model = noise.load(write(tmp_path, "T.csv", text))
        assert (model.kind, model.classes, len(model.rows), model.margin) == ("matrix", 3, 3, F(7, 10))
    two = noise.load(write(tmp_path, "P.csv", ",0,1\n0,0.5,0.2\n1,0.1,0.9\n2,0.3,0.7\n"))
    assert (two.kind, len(two.rows)) == ("posteriors", 3)
    votes = write(tmp_path, "P.csv", "0,1,2\n3,1,1\n")  # not a header: two samples
    assert len(noise.load(f"votes:{votes}").rows) == 2
    with pytest.raises(
        InputError, match=r"may be votes for 3 classes or the labels of 3 annotators; write votes:.* or ann"
    ):
        noise.load(votes)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("C.csv", "9,1\n2,8\n"),
        ("C.csv", "9.0,1.0\n2.0,8.0\n"),
        ("C.json", "[[9, 1], [2, 8]]"),
        ("C.json", '{"T": [[0, 1], [1, 0]], "counts": [[9, 1], [2, 8]]}'),
        ("C.csv", "clean,noisy\n" + "0,0\n" * 9 + "0,1\n1,0\n1,0\n" + "1,1\n" * 8),
        ("C.csv", "noisy,clean\n" + "0,0\n" * 9 + "1,0\n0,1\n0,1\n" + "1,1\n" * 8),
        ("C.json", json.dumps({"clean": [0] * 10 + [1] * 10, "noisy": [0] * 9 + [1] + [0] * 2 + [1] * 8})),
    ],
)
def test_counts_and_label_pairs_from_text(tmp_path, name, content):
    model = noise.load(write(tmp_path, name, content))
    assert [list(row.weights) for row in model.rows] == T2
    assert (model.kind, model.rate) == ("labels", F(3, 20))


def test_votes_of_annotators_are_posteriors(tmp_path):
    """A table named counts with more rows than columns, as CIFAR-10H has it; with fewer it is a mistake."""
    model = noise.load(write(tmp_path, "V.json", '{"counts": [[5, 1], [0, 6], [3, 4]]}'))
    assert model.kind == "posteriors"
    assert [row.margin for row in model.rows] == [F(2, 3), F(1), F(1, 7)]
    with pytest.raises(InputError, match="a table of counts must be square"):
        noise.load(write(tmp_path, "W.json", '{"counts": [[5, 1, 0], [0, 6, 0]]}'))


def test_a_permutation_is_a_matrix_and_not_counts(tmp_path):
    assert noise.load(write(tmp_path, "I.csv", "1,0\n0,1\n")).kind == "matrix"


def test_posteriors_from_text(tmp_path):
    model = noise.load(write(tmp_path, "P.csv", "0.5,0.3,0.2\n0.1,0.6,0.3\n"))
    assert (model.kind, model.margin, model.classes, model.rate) == ("posteriors", F(1, 5), 3, None)
    square = noise.load(write(tmp_path, "P.json", '{"posteriors": [[0.5, 0.3], [0.9, 0.3]]}'))
    assert (square.kind, square.margin) == ("posteriors", F(1, 4))
    lines = ["0.5,0.3,0.2"] * (models.EXACT_CELLS // 3 + 1)
    large = noise.load(write(tmp_path, "L.csv", "\n".join(lines)))
    assert isinstance(large, noise.Posteriors)
    assert large.margin == pytest.approx(0.2)
    lines[5000] = "0.5,inf,0.2"
    with pytest.raises(InputError, match=r"row 5000, column 1 is inf"):
        noise.load(write(tmp_path, "L.csv", "\n".join(lines)))
    lines[5000] = "0.5,x,0.2"
    with pytest.raises(InputError, match=r"line 5001, column 2: 'x' is not a finite number"):
        noise.load(write(tmp_path, "L.csv", "\n".join(lines)))


def test_arrays_from_files(tmp_path):
    matrix = np.array([[0.75, 0.25], [0.5, 0.5]])
    np.save(tmp_path / "T.npy", matrix)
    assert noise.load(tmp_path / "T.npy").rows == noise.from_matrix(matrix).rows
    np.save(tmp_path / "C.npy", np.array([[3, 1], [1, 1]], dtype=np.uint8))
    assert noise.load(tmp_path / "C.npy").kind == "labels"
    np.save(tmp_path / "votes.npy", np.array([[3, 1], [1, 2], [0, 1]], dtype=np.uint8))
    assert noise.load(tmp_path / "votes.npy").margin == F(1, 3)
    np.save(tmp_path / "P.npy", np.array([[3, 1], [1, 2], [0, 1]], dtype=np.uint8))
    with pytest.raises(InputError, match=r"may be label pairs or votes for two classes; write pairs:.* or votes:"):
        noise.load(tmp_path / "P.npy")
    np.savez(tmp_path / "one.npz", anything=matrix)
    assert noise.load(tmp_path / "one.npz").margin == 0
    np.savez_compressed(tmp_path / "T.npz", other=np.ones(3), T=matrix, classes=np.array(["cat", "dog"]))
    assert noise.load(tmp_path / "T.npz").names == ("cat", "dog")
    np.savez(tmp_path / "K.npz", counts=np.array([[1, 0], [0, 1]]))
    assert noise.load(tmp_path / "K.npz").kind == "labels"
    np.savez(tmp_path / "Q.npz", posteriors=np.array([[5.0, 3], [9, 3]]))
    assert noise.load(tmp_path / "Q.npz").kind == "posteriors"
    for keys in (("clean", "noisy"), ("clean_label", "noisy_label")):
        pair = dict(zip(keys, (np.array([0, 0, 1]), np.array([0, 1, 1])), strict=True))
        np.savez(tmp_path / "L.npz", **pair, coarse=np.ones(3))
        assert noise.load(tmp_path / "L.npz").rate == F(1, 3)
    cifar100n = SHARED / "cifar100n_labels.npz"
    if cifar100n.exists():
        assert float(noise.load(cifar100n).rate) == pytest.approx(0.402, abs=1e-3)


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickles_are_refused_and_not_run(tmp_path):
    fired = tmp_path / "fired"
    bomb = np.array([Bomb(fired)], dtype=object)
    np.save(tmp_path / "a.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "b.npz", T=bomb)
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Bomb(fired)))
    (tmp_path / "d.npz").write_bytes(pickle.dumps(Bomb(fired)))
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive:
        archive.writestr("T.npy", pickle.dumps(Bomb(fired)))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(
            InputError, match=r"\.np[yz]: holds pickled objects, which are never loaded; save a plain array"
        ):
            noise.load(tmp_path / name)
    for name in ("c.npy", "d.npz"):
        with pytest.raises(
            InputError, match=r"is not a \.npy or \.npz file \(arrays only; pickles are never loaded\)$"
        ):
            noise.load(tmp_path / name)
    with pytest.raises(InputError, match=r"e\.npz: entry 'T' is not an array$"):
        noise.load(tmp_path / "e.npz")
    assert not fired.exists()
    pickle.loads(pickle.dumps(Bomb(fired))).close()
    assert fired.exists()  # the bomb does work


def test_damaged_arrays(tmp_path):
    np.save(tmp_path / "T.npy", np.eye(50))
    whole = (tmp_path / "T.npy").read_bytes()
    np.savez(tmp_path / "T.npz", np.eye(50))
    zipped = (tmp_path / "T.npz").read_bytes()
    for name, content in (
        ("t.npy", whole[:300]),
        ("u.npy", whole[:20]),
        ("z.npz", zipped[:300]),
        ("y.npz", zipped[:-30]),
    ):
        with pytest.raises(InputError, match=rf"{name}: is damaged \(\w+\)$"):
            noise.load(write(tmp_path, name, content))
    huge = whole[:10] + whole[10:128].replace(b"(50, 50), }", b"(1000000, 1000000), }"[:11] + b"}")
    with pytest.raises(InputError, match=r"h\.npy: "):
        noise.load(write(tmp_path, "h.npy", huge))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(4), r"array of shape \(4,\); two axes are needed"),
        (np.ones((2, 2, 2)), r"array of shape \(2, 2, 2\)"),
        (np.array([["a", "b"], ["c", "d"]]), r"array of <U1; numbers are needed"),
        (np.eye(2, dtype=complex), r"array of complex128; numbers"),
        (np.zeros(3, dtype=[("a", float)]), r"array of \[\('a', '<f8'\)\]; numbers"),
        (np.array([[0.5, 0.5], [np.nan, 1]]), r"row 1, column 0 is nan"),
        (np.array([[0.5, 0.5], [0.5, 0.4]]), r"row 1 sums to 0\.9"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, array, message):
    np.save(tmp_path / "T.npy", array)
    with pytest.raises(InputError, match=rf"T\.npy: {message}"):
        noise.load(tmp_path / "T.npy")


def test_archives_that_do_not_fit(tmp_path):
    np.savez(tmp_path / "a.npz", clean_label=np.arange(3), worse=np.arange(3), aggre=np.arange(3))
    with pytest.raises(
        InputError, match=r"a\.npz: holds clean_label, worse, aggre; needed is one of counts, T, .*clean and no"
    ):
        noise.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz")
    with pytest.raises(InputError, match=r"b\.npz: holds nothing; needed is one of"):
        noise.load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", clean=np.arange(3))
    with pytest.raises(InputError, match=r"c\.npz: holds clean; needed is one of"):
        noise.load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", clean=np.arange(3), noisy=np.array([0, 1, 7]), names=np.array(["a", "b", "c"]))
    with pytest.raises(InputError, match=r"d\.npz: `noisy`: label 7 at position 2 is outside 0\.\.2$"):
        noise.load(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("T.csv", "", r"the file is empty$"),
        ("T.npy", b"", r"the file is empty$"),
        ("T.csv", "\n \n", r"holds no numbers and no labels$"),
        ("T.csv", "a,b\n", r"holds a header line but no numbers and no labels below it$"),
        ("T.csv", "0.9,0.1\n0.2\n", r"ragged table: line 2 has 1 entries, line 1 has 2$"),
        ("T.csv", "a,b\n0.9,0.1,0\n", r"ragged table: line 2 has 3 entries, line 1 has 2$"),
        ("T.csv", "0.9,x\n0.2,0.8\n", r"line 1, column 2: 'x' is not a finite number; write it like 0\.8"),
        ("T.csv", "0.9,0.1\n\n0.2,nan\n", r"line 3, column 2: 'nan' is not a finite number"),
        ("T.csv", "0.9,0.1\n0.2,\n", r"line 2, column 2: '' is not a finite number"),
        ("T.csv", "0.9,0.1\n0.2,1e999999\n", r"line 2, column 2: '1e999999' is not a finite number"),
        ("T.csv", ",0.1\n0.2,0.8\n", r"line 1, column 1: '' is not"),
        ("T.csv", "0.9,0.1\n0.2,0.7\n", r"row 1 sums to 0\.9; every row must sum to 1"),
        ("T.csv", "cat,dog\n0.9,0.1\n0.2,0.7\n", r"row 1 \(dog\) sums to 0\.9"),
        ("T.csv", "1.1,-0.1\n0.2,0.8\n", r"row 0, column 1 is -0\.1; entries must be >= 0$"),
        ("T.csv", "0.5\n0.5\n", r"1 column; at least 2 classes are needed$"),
        ("T.csv", "5,0\n0,0\n", r"class 1 has no sample"),
        (
            "T.csv",
            "clean,noisy\n0,0\n1,1.5\n",
            r"noisy: '1\.5' is not a label; whole numbers or class names are needed$",
        ),
        (
            "T.csv",
            b"\xff\xfe0\x00",
            r"is UTF-16 text \(byte-order mark at its first byte\), not UTF-8; save it as UTF-8$",
        ),
        ("T.csv", '0.9,"0.1\n', r"line \d is not CSV \(unexpected end of data\)$"),
        ("T.json", "{", r"is not JSON \(.*\)$"),
        ("T.json", "[[0.5, NaN], [0, 1]]", r"NaN is not a finite number$"),
        ("T.json", "[[0.5, 1e999999999], [0, 1]]", r"'1e999999999' has an exponent outside -300\.\.300$"),
        ("T.json", "[" * 100000, r"is nested too deeply|is not JSON"),
        ("T.json", "[[" + "1" * 5000 + ", 1], [0, 1]]", r"Exceeds the limit"),
        ("T.json", "[[" + "1" * 400 + ", 0.5], [0, 1]]", r"row 0, column 0 is too large"),
        ("T.json", "3", r"a list of rows or an object is needed, got int$"),
        ("T.json", "[]", r"the table is empty$"),
        ("T.json", "[1, 2]", r"row 0 is '1', not a row of numbers"),
        ("T.json", '[["a", "b"], ["c", "d"]]', r"row 0, column 0 is 'a', not a number$"),
        ("T.json", "[[true, false], [false, true]]", r"row 0, column 0 is True, not a number$"),
        ("T.json", "[[0.5, 0.5], [1]]", r"ragged table: row 1 has 1 entries, row 0 has 2"),
        (
            "T.json",
            '{"a": 1, "b": 2}',
            r"holds a, b; needed is one of counts, T, transition, matrix, posteriors, .* or both",
        ),
        ("T.json", '{"T": 3}', r"T must be a list of rows, got int$"),
        ("T.json", '{"T": [[1, 0], [0, 1]], "names": ["a"]}', r"1 class names given for 2 classes$"),
        (
            "T.json",
            '{"clean": [0, 1], "noisy": [0, 1.5]}',
            r"noisy: 3/2 is not a label; whole numbers or class names are needed$",
        ),
        ("T.json", b"\xff\xfe", r"is UTF-16 text"),
        ("T.doc", "1,0\n0,1\n", r"unknown file type \.doc; allowed: \.csv, \.tsv, \.txt, \.json, .*\.pth$"),
        ("T", "1,0\n0,1\n", r"unknown file type without suffix"),
        ("T.npy", "0.9,0.1\n", r"is not a \.npy or \.npz file \(arrays only; pickles are never loaded\)$"),
    ],
)
def test_bad_files(tmp_path, name, content, message):
    path = write(tmp_path, name, content)
    with pytest.raises(InputError, match=message) as caught:
        noise.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_directory_unreadable(tmp_path):
    for name in ("T.csv", "T.json", "T.npy", "T.npz"):
        with pytest.raises(InputError, match=rf"{name}: no such file$"):
            noise.load(tmp_path / name)
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputError, match=r"d\.csv: is a directory; a file \(\.csv, \.tsv, .*\.pth\) is needed$"):
        noise.load(tmp_path / "d.csv")
    with pytest.raises(InputError, match=r": is a directory"):
        noise.resolve(str(tmp_path))
    path = write(tmp_path, "T.csv", "1,0\n0,1\n")
    path.chmod(0)
    if not os.access(path, os.R_OK):  # root reads everything
        with pytest.raises(InputError, match=r"T\.csv: cannot be read \(Permission denied\)$"):
            noise.load(path)
    with pytest.raises(InputError, match=r"cannot be read \(Not a directory\)$"):
        noise.load(path / "x.csv")


@given(st.text(alphabet='0123456789.,;-e/\n\tnai"# ', max_size=60))
@settings(deadline=None)
def test_any_csv_is_noise_or_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text)
    model = one_line_or(noise.load, path)
    if model is not None:
        assert model.classes >= 2
        json.dumps(model.to_dict(), allow_nan=False)
        assert str(model)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2), st.lists, max_leaves=9)
)
@settings(deadline=None, max_examples=25)
def test_any_json_is_noise_or_one_line(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.json"
    for content in (value, [value, value], {"counts": value}, {"clean": value, "noisy": value}):
        path.write_text(json.dumps(content))
        model = one_line_or(noise.load, path)
        if model is not None:
            json.dumps(model.to_dict(), allow_nan=False)


# ------------------------------------------------------------------------------------------------------------ start-up
def test_no_array_library_on_the_way_to_a_bound(tmp_path):
    path = write(tmp_path, "T.csv", "0.9,0.1\n0.2,0.8\n")
    program = (
        "import sys; from fractions import Fraction; from asymtheory import noise\n"
        "noise.resolve('symmetric', 10, Fraction(4, 5)).to_dict(); noise.resolve('cifar10n-worse').to_dict()\n"
        f"str(noise.resolve('cifar100', None, Fraction(1, 5))); noise.resolve({str(path)!r}).to_dict()\n"
        "from asymtheory.cli import main\n"
        "for loss in ('amse', 'agce --set q=0.5', 'jal-ce'):\n"
        "    main(f'bound --loss {loss} --K 10 --eta 0.8'.split())\n"
        "loaded = {'numpy', 'scipy', 'sympy', 'flint', 'importlib.metadata'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(noise.__file__).parents[2])
