"""A formula with sums over classes as a sum of convex and of concave parts, where the rules of their composition show it.

Convex in u on the simplex: a convex f(u_y), ``sum(g(u))`` and ``max(g(u))`` of a convex g, ``norm(u, p)`` with p >= 1. Concave:
the same of concave ones, ``min(g(u))`` of a concave g, and ``norm(u, p)`` with p <= 1 (the reverse Minkowski inequality). A
negative factor turns a part over.
"""

from __future__ import annotations

import ast
from fractions import Fraction

from ..numbers.backends import INTERVAL, Backend
from ..numbers.boxes import Curve
from ..numbers.boxes import Formula as Function
from ..numbers.scalar import Scalar
from .base import CONCAVE, CONVEX, LINEAR, MIXED
from .curvature import certify_curvature
from .expressions import CLASSES, Env, choose, parse
from .joint import JointFormula
from .separation import at_label, is_over_classes, summands, summed, written


def convex_and_concave(loss: JointFormula, K: int) -> tuple[JointFormula | None, JointFormula | None] | None:
    """(convex part, concave part), each None where there is nothing of it; None where a part has no shape that is known."""
    parts: dict[int, list[str]] = {CONVEX: [], CONCAVE: []}
    for factors, node in summands(loss.compiled.tree):
        sign = _sign(written(factors, ast.Constant(1)), loss, K)
        shape = _shape(node, loss, K)
        if sign is None or shape is MIXED:
            return None
        if sign != 0:
            parts[CONCAVE if shape * sign < 0 else CONVEX].append(written(factors, node))
    convex, concave = (loss.part("+".join(parts[shape])) if parts[shape] else None for shape in (CONVEX, CONCAVE))
    return convex, concave


def _shape(node: ast.expr, loss: JointFormula, K: int) -> int | None:
    if not any(is_over_classes(child) for child in ast.walk(node)):
        return _curvature(at_label(node), loss, K)
    inner = summed(node)
    if inner is not None:
        return _curvature(inner, loss, K)
    if not (isinstance(node, ast.Call) and is_over_classes(node)):
        return MIXED
    name = getattr(node.func, "id", "")
    if name == "norm":
        below = _sign(f"({ast.unparse(node.args[1])})-1", loss, K)
        return MIXED if below is None or ast.unparse(node.args[0]) != "u" else below
    shape = _curvature(node.args[0], loss, K)
    fits = (LINEAR, CONVEX) if name == "max" else (LINEAR, CONCAVE)
    return MIXED if shape not in fits else CONVEX if name == "max" else CONCAVE


def _curvature(node: ast.expr, loss: JointFormula, K: int) -> int | None:
    """The certified shape of a function of one probability on [0, 1]; MIXED for one of two."""
    text = ast.unparse(node)
    compiled = parse(text)
    if compiled.sums or "u_y" in text:
        return MIXED
    if compiled.jumps:
        return MIXED

    def on(xp: Backend) -> Function:
        values = _values(loss, K, xp)

        def function(u: Scalar, logu: Scalar, xp: Backend) -> Scalar:
            return compiled.run(Env(u, logu, xp, values, choose))

        return function

    try:
        curve = Curve(on)
        signs = curve.signs(2)
        if signs.complete and signs.never(-1):
            return CONVEX if signs.proved & {1} or signs.weak else LINEAR
        return CONCAVE if signs.complete and signs.never(1) else certify_curvature(curve)
    except (ArithmeticError, TypeError, ValueError):
        return MIXED


def _values(loss: JointFormula, K: int, xp: Backend) -> dict[str, Scalar]:
    return {name: xp.number(value) for name, value in {**loss.parameters, CLASSES: Fraction(K)}.items()}


def _sign(text: str, loss: JointFormula, K: int) -> int | None:
    """The certain sign of a constant."""
    one = INTERVAL.number(1)
    found = INTERVAL.number(parse(text).run(Env(one, one * 0, INTERVAL, _values(loss, K, INTERVAL), choose)))
    sign: int | None = found.sign
    return sign
