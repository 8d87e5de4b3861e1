"""The path of exact minimisers: where it goes, how fast, and whether it turns back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy

from asymtheory.asymmetry.risk import minimise
from asymtheory.errors import InputError
from asymtheory.experiments.path import _nonnegative, minimiser_path, rises
from asymtheory.losses import Loss, build

HALF = Fraction(1, 2)
WEIGHTS = [0.5, 0.3, 0.15, 0.05]


def test_amse_moves_along_straight_lines_to_the_vertex() -> None:
    """By hand: u = projection of a w on the simplex; on its support S the speed is w_k - mean_S w."""
    path = minimiser_path(build("amse"), WEIGHTS, [1, 2, 4, 5, 6])
    np.testing.assert_allclose(
        path.points, [[0.5, 0.3, 0.15, 0.05], [0.7, 0.3, 0, 0], [0.9, 0.1, 0, 0], *[[1, 0, 0, 0]] * 2], atol=1e-12
    )
    np.testing.assert_allclose(path.speed[:3], [[0.25, 0.05, -0.1, -0.2], *[[0.1, -0.1, 0, 0]] * 2], atol=1e-12)
    assert not path.speed[3:].any()
    assert path.arrival == 5  # one over the margin


@pytest.mark.parametrize(
    ("loss", "value"),
    [(build("amse", q=Fraction(3, 2)), 1.7), (build("agce", q=HALF), 0.4), (build("ael"), 0.4), (build("gce"), 0.3)],
    ids=str,
)
def test_the_speed_is_the_difference_of_neighbours(loss: Loss, value: float) -> None:
    step = 1e-4
    path = minimiser_path(loss, WEIGHTS, [value - step, value, value + step])
    np.testing.assert_allclose(path.speed[1], (path.points[2] - path.points[0]) / (2 * step), atol=1e-6)
    assert abs(path.speed[1].sum()) < 1e-12


@pytest.mark.parametrize(
    "loss",
    [
        build("amse"),
        build("amse", q=Fraction(3, 2)),
        build("agce", q=HALF),
        build("aul", p=2),
        build("ael"),
        build("gce"),
    ],
    ids=str,
)
def test_the_likeliest_class_gains_all_the_way(loss: Loss) -> None:
    """Proved, and seen on weights that the proof has not looked at."""
    assert rises(loss).verdict == "proved"
    assert loss.main is not None
    domain, random = loss.domains[loss.main], np.random.default_rng(3)
    values = [each for each in (Fraction(k, 10) for k in range(1, 40)) if each in domain]
    for w in random.dirichlet(np.full(5, 0.5), 10):
        top = [minimise(loss.replace(**{loss.main: value}), w).point[w.argmax()] for value in values]
        assert np.diff(top).min() > -1e-9


@pytest.mark.parametrize(("loss", "parameter"), [(build("amse", a=3), "q"), (build("phuber-ce"), "tau")], ids=str)
def test_a_path_that_turns_back_is_shown_to(loss: Loss, parameter: str) -> None:
    """The counterexample is evaluated anew."""
    found = rises(loss, parameter)
    assert found.verdict == "refuted"
    assert found.counterexample is not None
    w, *between = found.counterexample
    first, second = (minimise(loss.replace(**{parameter: each}), w).point[int(np.argmax(w))] for each in between)
    assert second < first - 1e-4


def test_a_sign_that_is_not_certain_proves_nothing() -> None:
    u, a = sympy.symbols("u a", positive=True)
    assert _nonnegative(1 / (a + u) ** 2, u, a, sympy.Integer(0))
    assert not _nonnegative(u - a, u, a, sympy.Integer(0))
    assert not _nonnegative(sympy.Piecewise((1, u < 1 / a), (2, True)), u, a, sympy.Integer(0))


def test_what_has_no_path_is_refused() -> None:
    with pytest.raises(InputError, match="separable losses of one term"):
        minimiser_path(build("jal-ce"), WEIGHTS, [1, 2])
    with pytest.raises(InputError, match="no parameter 'b'"):
        minimiser_path(build("amse"), WEIGHTS, [1, 2], "b")


def test_a_concave_loss_stays_at_the_vertex() -> None:
    path = minimiser_path(build("agce", q=Fraction(3, 2)), WEIGHTS, [1, 2])
    assert path.points.tolist() == [[1, 0, 0, 0]] * 2
    assert not path.speed.any()
