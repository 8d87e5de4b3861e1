"""Thresholds for arrays of pairs, against ``solve`` and ``decide`` one by one."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from asymtheory import InputError, build, pair, solve, symmetric, uniform
from asymtheory.asymmetry.rules import decide
from asymtheory.losses import CE, Separable
from asymtheory.threshold.many import CHUNK, solve_many

NOISE = {"symmetric": symmetric, "uniform": uniform, "pair": pair}
LEAST = [
    ("agce", {"q": "0.5"}, "a"), ("agce", {"q": "0.9"}, "a"), ("agce", {"a": "1"}, "q"), ("aul", {"p": "1.5"}, "a"),
    ("aul", {"p": "4"}, "a"), ("ael", {}, "a"), ("amse", {}, "a"), ("amse", {"q": "1.5"}, "a"),
    ("amse", {"q": "3.7"}, "a"), ("jal-ce", {}, "a"), ("nce+agce", {"q": "0.5"}, "a"), ("amse+mae", {}, "a"),
]  # fmt: skip
GREATEST = [("aul", {"a": "6.3"}, "p"), ("phuber-ce", {}, "tau"), ("taylor-ce", {}, "t")]


def made(name: str, fixed: dict[str, str]) -> Separable:
    return build(name, **{p: Fraction(v) for p, v in fixed.items()})


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize(("name", "fixed", "parameter"), LEAST + GREATEST)
def test_agrees_with_solve(name, fixed, parameter, kind):
    loss = made(name, fixed)
    K, eta = [3, 10], ["0.2", "0.45"]
    found = solve_many(loss, K, [float(x) for x in eta], parameter, kind)
    for value, k, x in zip(found, K, eta, strict=True):
        answer = solve(loss, NOISE[kind](k, Fraction(x)), parameter)
        if answer.status == "always":
            expected = _domain_end(loss, parameter, value)
        elif answer.status == "never":
            expected = math.nan
        else:
            assert answer.end is not None
            expected = answer.end.value
        assert_allclose(value, expected, rtol=1e-9)


def _domain_end(loss, parameter, value):
    """The end of the domain, where every value works."""
    domain = loss.domains[parameter]
    ends = [
        -math.inf if domain.low is None else float(domain.low),
        math.inf if domain.high is None else float(domain.high),
    ]
    assert value in ends
    return value


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(LEAST + GREATEST[:2]), st.integers(2, 1000), st.integers(1, 999), st.sampled_from(sorted(NOISE)))
def test_the_condition_changes_there(case, K, thousandths, kind):
    """Just on the easy side of the threshold the loss is asymmetric, just on the other side it is not."""
    name, fixed, parameter = case
    loss, model = made(name, fixed), NOISE[kind](K, Fraction(thousandths, 1000))
    value = float(solve_many(loss, K, thousandths / 1000, parameter, kind))
    if not model.dominant:
        assert math.isnan(value)
        return
    domain = loss.domains[parameter]
    if math.isnan(value) or value in (math.inf, domain.low):
        return
    step = Fraction(1, 10**8) * (1 if case in LEAST else -1) * Fraction(value)
    row = model.worst_row()
    assert domain.low is not None
    assert decide(loss.replace(**{parameter: Fraction(value) + step}), row).holds
    assert not decide(loss.replace(**{parameter: max(Fraction(value) - step, domain.low)}), row).holds


def test_shapes_broadcast():
    loss = build("amse")
    K, eta = np.arange(2, 7)[:, None], np.array([0.0, 0.1, 0.2])
    found = solve_many(loss, K, eta)
    assert found.shape == (5, 3)
    assert_array_equal(found[3], solve_many(loss, 5, eta))
    assert solve_many(loss, 10, 0.8).shape == ()
    assert_allclose(solve_many(loss, 10, 0.8), 9, rtol=1e-12)
    assert solve_many(loss, [], []).shape == (0,)


@pytest.mark.parametrize(("name", "parameter"), [("amse", "a"), ("agce", "a"), ("taylor-ce", "t"), ("amse+mae", "a")])
def test_order_and_chunks_do_not_matter(name, parameter):
    generator = np.random.default_rng(0)
    K = generator.integers(2, 6, 2 * CHUNK + 17)
    eta = generator.uniform(0, 1, len(K))
    found = solve_many(build(name), K, eta, parameter)
    some = generator.integers(0, len(K), 50)
    assert_allclose([solve_many(build(name), K[i], eta[i], parameter) for i in some], found[some], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "fixed", "parameter", "K", "eta", "expected"),
    [
        ("agce", {"q": "0.5"}, "a", 10, 0.0, 0.0),  # clean labels: any a
        ("amse", {}, "a", 10, 0.0, 1.0),
        ("aul", {"a": "6.3"}, "p", 10, 0.0, math.inf),
        ("taylor-ce", {}, "t", 10, 0.0, math.inf),
        ("agce", {"q": "1.5"}, "a", 10, 0.8, 0.0),  # concave: any a
        ("agce", {"a": "0"}, "q", 10, 0.5, 1.0),  # a = 0 is GCE: q = 1 and above
        ("gce", {}, "q", 10, 0.5, 1.0),
        ("gce", {}, "q", 10, 0.0, 0.0),
        ("agce", {"a": "1"}, "q", 10, 0.01, 0.0),  # c = 891 > 2: any q
        ("aul", {"a": "1"}, "p", 10, 0.5, 1.0),
        ("taylor-ce", {}, "t", 10, 0.2, 36.0),  # c = 36 exactly: rounding must not lose it
        ("phuber-ce", {}, "tau", 3, 0.5, 2.0),
        ("fl", {}, "gamma", 10, 0.5, math.nan),  # infinite slope at 0: none
        ("nfl", {}, "gamma", 10, 0.0, math.nan),  # no unique minimiser even on clean labels
        ("amse", {}, "a", 10, 0.9, math.nan),  # a tie
        ("amse", {}, "a", 10, 0.95, math.nan),
        ("rce", {}, "A", 10, 0.5, -math.inf),  # linear: any A
    ],
)
def test_ends(name, fixed, parameter, K, eta, expected):
    assert_allclose(solve_many(made(name, fixed), K, eta, parameter), expected, rtol=1e-12)


def test_class_maps_have_one_rival():
    assert_allclose(
        solve_many(build("amse"), 10, [0.1, 0.4], kind="cifar10"),
        solve_many(build("amse"), 10, [0.1, 0.4], kind="pair"),
    )
    with pytest.raises(InputError, match="10 classes"):
        solve_many(build("amse"), [10, 100], 0.4, kind="cifar10")


def test_classes_count_where_a_finite_normalised_term_does() -> None:
    """The slope of NGCE at the vertex is q/(K - 1), so one table of clean levels does not serve several K."""
    loss = build("ngce+amse", beta=Fraction(3))
    found = solve_many(loss, [3, 10], 0.2, "a")
    ends = [solve(loss, symmetric(K, Fraction(1, 5)), "a").end for K in (3, 10)]
    assert_allclose(found, [end.value for end in ends if end is not None], rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((build("amse"), 1, 0.5), "K = 1: whole numbers >= 2"),
        ((build("amse"), [10, 2.5], 0.5), "K = 2.5: whole numbers >= 2"),
        ((build("amse"), [10, math.inf], 0.5), "K = inf"),
        ((build("amse"), math.nan, 0.5), "K = nan"),
        ((build("amse"), 10, [0.5, -0.1]), r"eta = -0.1: noise rates in \[0, 1\]"),
        ((build("amse"), 10, math.nan), "eta = nan"),
        ((build("amse"), "ten", 0.5), "K of type"),
        ((build("amse"), 10, 0.5, "b"), "no parameter 'b'"),
        ((build("amse"), 10, 0.5, "a", "fog"), "unknown noise 'fog'"),
        ((CE(), 10, 0.5), "no parameter to solve for"),
        ((build("amse"), 10, 0.5, "q"), "between two thresholds"),
        ((build("logitclip-ce"), 10, 0.5), "no vectorised threshold"),
        ((build("truncated-gce"), 10, 0.2, "k"), "no vectorised threshold"),
        ((build("ngce+aul"), 10, 0.2, "a"), "between two thresholds"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        solve_many(*arguments)


def test_each_pair_is_solved_by_itself_whatever_its_neighbours() -> None:
    """Orders of magnitude in K and eta in one call: the sort, and the parts of the tables that it reaches."""
    random = np.random.default_rng(2)
    K = np.concatenate([random.integers(2, 30, 60), [2, 2, 1000, 65000, 10**6, 10**7, 10**7]])
    eta = random.uniform(0, 1, len(K)) * (K - 1) / K
    eta[-9:] = 0, 1e-9, 0.5, 0.998, 0.9, 0.99, 1 - 1e-9, 0.5, 0.999
    for name, fixed in (("amse", {}), ("amse", {"q": Fraction(3, 2)}), ("agce", {"q": Fraction(1, 2)})):
        loss = build(name, **fixed)
        together = solve_many(loss, K, eta)
        alone = [float(solve_many(loss, int(k), float(rate))) for k, rate in zip(K, eta, strict=True)]
        assert_allclose(together, alone, rtol=1e-9)
        assert np.isfinite(together).mean() > 0.9
        assert_array_equal(solve_many(loss, K[::-1], eta[::-1]), together[::-1])
