"""A formula at a parameter that is 0, where only its limit exists: ``((a+1)**q-(a+u)**q)/q`` is ``log((a+1)/(a+u))`` at q = 0.

The limit is taken in symbols (sympy) and written as a formula again, so that every number system runs it. It is compared with
the formula next to 0 before it is used.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from ..errors import InputError
from ..numbers.backends import numpy_, sympy_
from ..numbers.scalar import Scalar
from .expressions import CLASSES, PROBABILITY, Compiled, Env, choose, parse

if TYPE_CHECKING:
    import sympy as sp

FORKS = ("abs", "min", "max", "where", "piecewise")
STEP = 1e-4  # how far from 0 the limit is compared with the formula
AGREES = 1e-2  # relative; a wrong limit is off by far more


@lru_cache(256)
def limit_text(text: str, parameter: str) -> str | None:
    """The formula's limit as a parameter tends to 0 from above and from below, as a formula; None where none is found."""
    try:
        tree = parse(text).tree
        return parse(ast.unparse(_limit(tree, parameter))).text
    except (InputError, NotImplementedError, ValueError, TypeError, ArithmeticError, RecursionError, AttributeError):
        return None


def agrees(limit: Compiled, formula: Compiled, parameter: str, values: Mapping[str, Scalar]) -> bool:
    """Is the limit near to the formula at small values of the parameter (0 < u < 1, floats)?"""
    import numpy as np

    xp, u = numpy_(), np.linspace(0.05, 0.95, 19)
    floats = {name: float(value) for name, value in values.items()}
    with np.errstate(all="ignore"):
        at_zero = np.asarray(limit.run(Env(u, np.log(u), xp, floats, choose)), dtype=float)
        near = [
            np.asarray(formula.run(Env(u, np.log(u), xp, {**floats, parameter: step}, choose)), dtype=float)
            for step in (STEP, -STEP)
        ]
    return bool(
        any(np.allclose(at_zero, value, rtol=AGREES, atol=AGREES) for value in near)
        and all(np.allclose(at_zero, value, rtol=AGREES, atol=AGREES) for value in near if np.isfinite(value).all())
    )


def _limit(node: ast.expr, parameter: str) -> ast.expr:
    inside = [child for child in ast.walk(node) if isinstance(child, ast.Call)]
    if not any(getattr(call.func, "id", "") in FORKS for call in inside):
        return _smooth_limit(node, parameter)
    if isinstance(node, ast.BinOp):
        return ast.BinOp(_limit(node.left, parameter), node.op, _limit(node.right, parameter))
    if isinstance(node, ast.UnaryOp):
        return ast.UnaryOp(node.op, _limit(node.operand, parameter))
    if isinstance(node, ast.Call):
        return ast.Call(node.func, [_limit(argument, parameter) for argument in node.args], [])
    if isinstance(node, ast.Compare):
        return ast.Compare(_limit(node.left, parameter), node.ops, [_limit(c, parameter) for c in node.comparators])
    raise NotImplementedError(ast.dump(node))


def _smooth_limit(node: ast.expr, parameter: str) -> ast.expr:
    import sympy as sp

    compiled = parse(ast.unparse(node))
    if parameter not in compiled.parameters:
        return node
    u, q = sp.Symbol(PROBABILITY, positive=True), sp.Symbol(parameter, real=True)
    values = {name: sp.Symbol(name, positive=True) for name in (*compiled.parameters, CLASSES)} | {parameter: q}
    expression = compiled.run(Env(u, sp.log(u), sympy_(), values, choose))
    sides = [sp.limit(expression, q, 0, side) for side in ("+", "-")]
    if sp.simplify(sides[0] - sides[1]) != 0 or sides[0].has(sp.oo, sp.zoo, sp.nan, sp.Limit):
        raise NotImplementedError("no limit, or two")
    return ast.parse(_written(sides[0]), mode="eval").body


def _written(expression: sp.Expr) -> str:
    """An expression as a formula of the grammar."""
    import sympy as sp
    from sympy.printing.str import StrPrinter

    constants = {sp.E: sp.Symbol("exp(1)"), sp.pi: sp.Symbol("(4*atan(1))")}
    return cast(str, StrPrinter().doprint(expression.xreplace(constants)))
