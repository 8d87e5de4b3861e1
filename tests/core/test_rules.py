"""A rule's answers agree with each other: slack, half-plane, clean level, formula, verdict, vertex and minimiser."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from asymtheory.asymmetry.risk import minimise
from asymtheory.asymmetry.rules import rule
from asymtheory.losses import AEL, AGCE, AMSE, AUL, CE, MAE, NCE, NNCE, LogitClipCE, Loss, TaylorCE, build, names
from asymtheory.noise import from_weights
from asymtheory.numbers.backends import EXACT, FLOAT, INTERVAL, numpy_
from asymtheory.numbers.interval import Interval

F = Fraction
WITH_SLACK = [
    AGCE(), AUL(), AEL(), AMSE(a=3), AMSE(a=2, q=3), TaylorCE(t=3), NCE() + AMSE(a=4), LogitClipCE(tau=F(1, 2)),
]  # fmt: skip
ROWS = [[5, 3, 3], [9, 1, 1], [4, 3, 3], [20, 3, 3], [2, 1, 1]]


@pytest.mark.parametrize("loss", WITH_SLACK, ids=str)
def test_slack_half_plane_level_and_formula_say_the_same(loss: Loss) -> None:
    what = rule(loss, 3, uniform_rest=True)
    plane, levels = what.half_plane(FLOAT), what.levels(FLOAT)
    assert what.inequality
    assert what.closed
    assert what.verdict is None
    assert plane is not None
    for weights in ROWS:
        top, second, total = weights[0], weights[1], sum(weights)
        slack = what.slack(top, second, total, FLOAT)
        assert plane.top * top - plane.second * second - plane.total * total == pytest.approx(slack)
        if levels is not None:
            base, spread = levels
            assert (top / second >= base + spread * (total - top) / second) == (slack >= 0)
        assert float(what.formula(sp.Integer(top), sp.Integer(second), sp.Integer(total))) == pytest.approx(slack)
        assert what.decide(from_weights(weights).rows[0]).holds == (slack >= 0)
        shares = np.array([top / total]), np.array([second / total])
        assert plane.holds(*shares).tolist() == [slack >= 0]


def test_the_slack_is_a_function_of_the_parameter_on_every_number_system() -> None:
    what = rule(AMSE(), 10, uniform_rest=True)
    a = sp.Symbol("a", positive=True)
    left = what.at(a=a).formula(sp.Rational(1, 5), sp.Rational(4, 45), 1)
    assert sp.solve(left, a) == [9]
    assert EXACT.number(what.at(a=EXACT.number(F(9))).slack(F(1, 5), F(4, 45), F(1), EXACT)).sign == 0
    box = what.at(a=Interval(8.0, 10.0)).slack(F(1, 5), F(4, 45), F(1), INTERVAL)
    assert box.low < 0 < box.high
    with np.errstate(all="ignore"):
        many = what.at(a=np.array([8.0, 9.5])).slack(0.2, 4 / 45, 1.0, numpy_())
    assert (many > 0).tolist() == [False, True]
    assert what.loss == AMSE()  # the rule itself is unchanged


def test_what_moves_nothing_is_said_to_move_nothing() -> None:
    jal = rule(build("jal-ce"), 10, uniform_rest=True)
    assert jal.same_sign(alpha=F(7))
    assert jal.same_sign(beta=F(7))
    assert not jal.same_sign(a=F(7))


@pytest.mark.parametrize("name", list(names()))
@pytest.mark.parametrize("uniform", [True, False])
def test_every_rule_answers_every_question(name: str, uniform: bool) -> None:
    loss = build(name)
    what = rule(loss, 3, uniform)
    assert what.reason
    assert what.method
    weights = [20, 3, 3] if uniform else [20, 4, 3]
    decision = what.decide(from_weights(weights).rows[0])
    if what.verdict is not None:
        assert decision.holds is what.verdict
        assert not what.inequality
    if what.searched:
        assert decision.holds is None
        assert what.half_plane(FLOAT) is None
    found = what.minimiser(np.array([weights]) / sum(weights))
    assert found.points.shape == (1, 3)
    assert found.points.sum() == pytest.approx(1)
    assert found.exact is minimise(loss, weights).exact
    vertex = what.vertex(0)
    if decision.holds and vertex is not None:
        assert vertex == pytest.approx(found.points[0].tolist(), abs=1e-12)


def test_the_point_that_a_yes_is_about() -> None:
    assert rule(MAE(), 3, False).vertex(1) == [0, 1, 0]
    assert rule(NNCE(p_min=F(1, 100)), 3, False).vertex(0) == pytest.approx([0.98, 0.01, 0.01])
    assert rule(LogitClipCE(), 3, True).vertex(0) is None


def test_a_tie_and_clean_labels_need_no_rule() -> None:
    tie, clean = from_weights([5, 3, 2]).rows[0], from_weights([1, 0, 0]).rows[0]
    tie = type(tie)((3, 3, 2), 0)
    assert rule(MAE(), 3, False).decide(tie).holds is False
    assert "unique largest weight" in rule(MAE(), 3, False).decide(tie).reason
    found = rule(CE(), 3, True).decide(clean)
    assert found.holds is True
    assert found.gap is None
    assert rule(NCE(), 3, True).decide(clean).holds is False
