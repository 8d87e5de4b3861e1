"""Formulas with sums over classes: what separates keeps the exact road, the rest is searched on the simplex, never guessed.

Seen failing: a sign in the chord bound, rounding inward in ``Intervals``, the order of equal classes cut the wrong way round.
"""

from __future__ import annotations

import json
import math
import pickle
from fractions import Fraction as F

import numpy as np
import pytest

from asymtheory import asymmetry_ratio, check, from_formula, minimise
from asymtheory.asymmetry.simplex_search import CERTIFIED, LESS, NUMERIC, SHAPES, SimplexSearch
from asymtheory.cli import main
from asymtheory.errors import InputError
from asymtheory.losses import build
from asymtheory.losses.formula import Formula
from asymtheory.losses.joint import JointFormula, NormalisedFormula
from asymtheory.noise import from_weights, symmetric
from asymtheory.numbers.spans import Span, spans
from asymtheory.threshold import solve

RNG = np.random.default_rng(5)
POINTS = RNG.dirichlet(np.ones(4), 20)


@pytest.mark.parametrize(
    ("text", "values", "same"),
    [
        ("-log(u_y)+lam*sum(u**p)", {"lam": F(11, 10), "p": F(1, 10)}, build("sr")),
        ("norm(u,2)**2 - 2*u_y + 1", {}, 4 * build("mse")),  # MSE here is divided by K = 4
        ("log(u)/sum(log(u))", {}, build("nce")),
        ("2*(1-u_y**0.7)/sum(1-u**0.7)", {}, 2 * build("ngce", q=F(7, 10))),
        ("-log(u_y)/sum(-log(u)) + (1-u_y)", {}, 1 * build("nce") + 1 * build("unhinged")),
        ("1-u_y+0*sum(u)", {}, build("unhinged")),
    ],
)
def test_what_separates_keeps_the_exact_road(text, values, same) -> None:
    loss = from_formula(text, **values)
    assert not loss.joint
    np.testing.assert_allclose(loss(POINTS), same(POINTS), rtol=1e-12)
    for noise in (symmetric(4, F(3, 10)), from_weights([5, 3, 1, 1])):
        mine, known = check(loss, noise), check(same, noise)
        assert (mine.asymmetric, mine.method, mine.reason) == (known.asymmetric, known.method, known.reason)


def test_kinds_and_values() -> None:
    assert isinstance(from_formula("1-u_y+sum(u**2)/K"), Formula)
    assert isinstance(from_formula("log(u)/sum(log(u))"), NormalisedFormula)
    with pytest.raises(
        InputError
    ):  # 0/0 where all are flat: not a normalised loss with its least value at a vertex alone
        from_formula("max(0,0.4-u_y)/sum(max(0,0.4-u))")
    loss = from_formula("1-u_y+c*norm(u,p)+max(u)-min(u)+0.1*sum(u*abs(u-u_y))", c=F(3, 10), p=3)
    assert isinstance(loss, JointFormula)
    assert pickle.loads(pickle.dumps(loss)) == loss != loss.replace(c=1)
    u = POINTS
    known = 1 - u + 0.3 * ((u**3).sum(-1) ** (1 / 3) + 0)[:, None] + (u.max(-1) - u.min(-1))[:, None]
    known = known + 0.1 * (u[:, None, :] * np.abs(u[:, None, :] - u[:, :, None])).sum(-1)
    np.testing.assert_allclose(loss(u), known, rtol=1e-13)
    lead = from_formula("1-(u_y+where(u_y>=max(u),m,0))/(1+m)", m=3)  # epsilon-softmax in MAE/2
    sharp = (u + 3 * (u == u.max(-1, keepdims=True))) / 4
    np.testing.assert_allclose(lead(u), 1 - sharp, rtol=1e-13)
    threshold = solve(from_formula("(a-u_y)**2 + sum(u**2) - u_y**2", solve="a"), symmetric(5, F(1, 5)), "a")
    assert threshold.answer == solve(build("amse"), symmetric(5, F(1, 5)), "a").answer


VERDICTS = [
    ("1-u_y+0.3*norm(u,2)", [9] + [1] * 9, True, SHAPES),
    ("1-u_y+0.3*norm(u,2)", [3, 2, 1], False, LESS),
    ("2-u_y-0.2*norm(u,3)", [9, 5, 4, 3, 3, 2, 2, 1, 1, F(1, 2)], True, SHAPES),
    ("1-u_y+0.2*norm(u,0.5)", [3, 2, 1], True, SHAPES),
    ("1-u_y**2+0.2*norm(u,0.5)", [3, 2, 1], True, SHAPES),
    ("(1-u_y)/(0.5+sum(u**2))", [5, 3, 2, 1], True, CERTIFIED),
    ("(1-u_y)*(1+sum(u**2))", [9, 1, 1, 1, 1], True, CERTIFIED),
    ("exp(-u_y)*sum(u**0.5)", [3, 1, 1], True, CERTIFIED),
    ("sum(max(0,1+u-u_y))", [3, 2, 1], True, CERTIFIED),  # hinge on probabilities
    ("1-u_y/norm(u,2)", [3, 1, 1], False, LESS),
    ("(1-u_y)*(1+sum(u**2))", [5, 1, 1, 1, 1], False, LESS),
    ("-log(u_y)*max(u)", [3, 1, 1], False, LESS),
    ("-log((u_y+where(u_y>=max(u),m,0))/(1+m))", [3, 1, 1], False, LESS),  # CE of epsilon-softmax
    ("1-(u_y+where(u_y>=max(u),m,0))/(1+m)", [3, 1, 1], False, LESS),  # at a tie both classes are raised
    ("(1-u_y)**2/sum((1-u)**2)", [3, 2, 1], False, LESS),
    ("(1-u_y)*(1+sum(u**2))", [30] + [1] * 11, True, NUMERIC),
    ("1-u_y/norm(u,2)", [30] + [1] * 11, False, LESS),
]


@pytest.mark.parametrize(("text", "weights", "verdict", "method"), VERDICTS, ids=range(len(VERDICTS)))
def test_verdicts_agree_with_brute_force(text, weights, verdict, method) -> None:
    loss = from_formula(text, **({"m": 3} if "m," in text else {}))
    found = check(loss, from_weights(weights))
    assert found.asymmetric is verdict
    assert method in found.method
    assert found.numeric is (method == NUMERIC) is ("numeric" in str(found))
    assert found.to_dict()["numeric"] is found.numeric
    w, K = np.array([float(x) for x in weights]), len(weights)
    vertex = (w * np.where(w > 0, loss(np.eye(K)[0]), 0)).sum()
    if verdict is False:
        assert (w * loss(np.array(found.minimiser))).sum() < vertex
        assert K > 5 or not SimplexSearch.of(loss, from_weights(weights).rows[0]).proves()  # whatever the search finds
    if verdict:
        risks = (w * loss(np.vstack([RNG.dirichlet(np.full(K, a), 300) for a in (0.05, 0.3, 1)]))).sum(-1)
        assert (risks > vertex - 1e-12).all()


def test_a_threshold_stays_undecided_and_the_rest_is_refused_in_one_line() -> None:
    """At equality no bound with rounding decides; functions that need one probability at a time say so."""
    assert check(from_formula("(2-u_y)**2+0.5*max(u)"), from_weights([3, 1])).asymmetric is None
    loss = from_formula("(1-u_y)*(1+sum(u**2))")
    for ask in (
        lambda: asymmetry_ratio(loss),
        lambda: solve(from_formula("(1-u_y)*(1+a*sum(u**2))", a=1), symmetric(3, F(1, 5)), "a"),
    ):
        with pytest.raises(InputError, match="does not separate into functions of one probability each"):
            ask()
    for text, message in (
        ("sum(u**2)", "the same for every label"), ("u_y+norm(u,2)", "increases in u_y"),
        ("1/(max(u)-0.5)-u_y*0", "is the same|not finite"), ("log(max(u)-0.6)-u_y", "a real number"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            from_formula(text)
    with pytest.raises(InputError, match="--passive: the formula has sums over classes"):
        from_formula("1-u_y+norm(u,2)", "u")


def test_arrays_of_intervals_hold_the_values_inside() -> None:
    xp = spans()
    low, high = RNG.uniform(0, 0.9, 500), RNG.uniform(0, 0.1, 500)
    high = low + high
    low[:20], high[20:40] = 0.0, 1.0
    box = Span(low, high)
    functions = {
        "a": lambda x, f: (x - 0.5) * (2 - x) / (x + 0.1), "b": lambda x, f: x**0.3 - x**-0.5, "c": lambda x, f: (x - 0.5) ** 3,
        "d": lambda x, f: f("tanh", 3 * x) + f("cosh", x - 0.5) + f("sinh", x) - f("atan", x), "e": lambda x, f: (x - 0.5) ** -2,
        "f": lambda x, f: f("acos", x**0.5) * f("asin", 1 - x), "g": lambda x, f: 2 ** (x * 1),
    }  # fmt: skip
    plain = {"acos": np.arccos, "asin": np.arcsin, "atan": np.arctan}
    for function in functions.values():
        with np.errstate(all="ignore"):
            found = function(box, xp.apply) if function is not functions["g"] else xp.exp(box * xp.log(2))
            for share in (0.0, 0.3, 1.0):
                inside = low + share * (high - low)
                value = function(inside, lambda name, x: plain.get(name, getattr(np, name, None))(x))
            seen = np.isfinite(value)
            assert (found.low[seen] <= value[seen] * (1 + 1e-13 * np.sign(value[seen])) + 1e-13).all()
            assert (found.high[seen] >= value[seen] * (1 - 1e-13 * np.sign(value[seen])) - 1e-13).all()


def test_minimise_is_a_command(capsys) -> None:
    """The same as Python's; several rows; a search says that it is one."""
    assert main(["minimise", "--loss", "agce", "--set", "a=0.2", "--weights", "0.5,0.3,0.2", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    known = minimise(build("agce", a=F(1, 5)), [0.5, 0.3, 0.2])
    assert {key: facts[key] for key in known.to_dict()} == known.to_dict()
    assert facts["weights"] == [0.5, 0.3, 0.2]
    assert main(["minimise", "--formula", "1-u_y+3*norm(u,2)", "--weights", "3,2,1", "1,0,0"]) == 0
    out, err = capsys.readouterr()
    assert out.count("minimiser  (") == 2
    assert "exactness  numeric: the best point that a search found, not proved" in out
    assert "search over the simplex" in err
    for weights in (["1,x"], ["1,2", "1,2,3"], ["0,0"], ["5"]):
        assert main(["minimise", "--loss", "ce", "--weights", *weights]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not math.isnan(facts["value"])


def test_ratios_of_a_sigmoid_are_enclosed() -> None:
    """Neither convex nor concave: r and r_upper are the ratio of the end slopes, which boxes of slopes alone did not show."""
    found = asymmetry_ratio(from_formula("1/(1+exp(8*(u-0.4)))"))
    slopes = [math.exp(z) / (1 + math.exp(z)) ** 2 for z in (-3.2, 4.8)]
    for part in (found.r, found.r_upper):
        assert part.high - part.low <= 1e-9
        assert part.low <= slopes[1] / slopes[0] + 1e-12
        assert part.high >= slopes[1] / slopes[0] - 1e-12
