"""A formula with sums over classes, taken apart: what separates in truth keeps the exact road.

``f(u_y) + c sum(g(u))`` is the separable loss with active part f + c g and passive part c g; ``c g(u_y) / sum(g(u))`` is a
normalised one. Both are found in the syntax tree, and written as formulas again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from ..numbers.backends import FLOAT
from .expressions import CLASSES, LABELLED, PROBABILITY, Env, choose, parse

NORMALISED = "normalised"
"""In place of a passive part: the active part is the base of a normalised loss."""

Factors = tuple[tuple[str, ast.expr], ...]  # what multiplies ("*") or divides ("/") a term, free of u
Summand = tuple[Factors, ast.expr]


@lru_cache(256)
def separated(text: str) -> tuple[str, str | None] | None:
    """(active, passive) of a formula that is ``f(u_y) + c sum(g(u))``; None for another form."""
    own: list[str] = []
    every: list[str] = []
    for factors, node in summands(parse(text).tree, ()):
        inner = summed(node)
        if inner is not None and not _has(inner, LABELLED):
            every.append(written(factors, inner))
        elif not any(is_over_classes(child) for child in ast.walk(node)):
            own.append(written(factors, at_label(node)))
        else:
            return None
    return "+".join([*own, *every]), "+".join(every) or None


@lru_cache(256)
def normalised_terms(text: str) -> list[tuple[Fraction, str, str | None]] | None:
    """(coefficient, active, passive) of each term, passive ``NORMALISED`` for ``g(u_y)/sum(g(u))``; None for another form."""
    found: list[tuple[Fraction, str, str | None]] = []
    rest: list[Summand] = []
    for factors, node in summands(parse(text).tree, ()):
        term = _normalised(factors, node)
        if term is None:
            rest.append((factors, node))
        else:
            found.append((*term, NORMALISED))
    if not found:
        return None
    if rest:
        own: list[str] = []
        every: list[str] = []
        for factors, node in rest:
            inner = summed(node)
            if inner is not None and not _has(inner, LABELLED):
                every.append(written(factors, inner))
            elif any(is_over_classes(child) for child in ast.walk(node)):
                return None
            else:
                own.append(written(factors, at_label(node)))
        found.append((Fraction(1), "+".join([*own, *every]), "+".join(every) or None))
    return found


def _normalised(factors: Factors, node: ast.expr) -> tuple[Fraction, str] | None:
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
        return None
    bottom = list(summands(node.right))
    if len(bottom) != 1:
        return None
    below, denominator = bottom[0]
    inner = summed(denominator)
    above, numerator = _peeled(node.left, inner)
    if inner is None or _has(inner, LABELLED) or ast.dump(at_label(numerator)) != ast.dump(inner):
        return None
    inverse = tuple(("/" if operator == "*" else "*", factor) for operator, factor in below)
    coefficient = _constant((*factors, *above, *inverse))
    if coefficient is None or coefficient <= 0:
        return None
    base = ast.unparse(inner)
    sign = "-" if _is_negative_at_half(base) else ""
    return coefficient, f"{sign}({base})"


def _peeled(node: ast.expr, inner: ast.expr | None) -> Summand:
    """Constant factors of a numerator, taken off until what is summed below is left."""
    factors: Factors = ()
    while inner is None or ast.dump(at_label(node)) != ast.dump(inner):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            factors, node = (*factors, ("*", MINUS)), node.operand
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and _is_free(node.left):
            factors, node = (*factors, ("*", node.left)), node.right
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div) and _is_free(node.right):
            operator = "*" if isinstance(node.op, ast.Mult) else "/"
            factors, node = (*factors, (operator, node.right)), node.left
        else:
            break
    return factors, node


def _is_negative_at_half(text: str) -> bool:
    """Is the base below 0 at u = 1/2 with all parameters 1? Only a first choice of sign: what is built is checked."""
    compiled = parse(text)
    values = dict.fromkeys((*compiled.parameters, CLASSES), 1.0)
    return bool(compiled.run(Env(0.5, FLOAT.log(0.5), FLOAT, values, choose)) < 0)


def _constant(factors: Factors) -> Fraction | None:
    result = Fraction(1)
    for operator, factor in factors:
        negative = isinstance(factor, ast.UnaryOp) and isinstance(factor.op, ast.USub)
        number = factor.operand if isinstance(factor, ast.UnaryOp) and negative else factor
        if not isinstance(number, ast.Constant):
            return None
        value = Fraction(str(number.value)) * (-1 if negative else 1)
        if value == 0:
            return None
        result = result * value if operator == "*" else result / value
    return result


MINUS = ast.UnaryOp(ast.USub(), ast.Constant(1))


def summands(node: ast.expr, factors: Factors = ()) -> Iterator[Summand]:
    """The terms of a sum, each with what multiplies or divides it."""
    if isinstance(node, ast.UnaryOp):
        yield from summands(node.operand, (*factors, ("*", MINUS)) if isinstance(node.op, ast.USub) else factors)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield from summands(node.left, factors)
        yield from summands(node.right, (*factors, ("*", MINUS)) if isinstance(node.op, ast.Sub) else factors)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and _is_free(node.left):
        yield from summands(node.right, (*factors, ("*", node.left)))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and _is_free(node.right):
        yield from summands(node.left, (*factors, ("*", node.right)))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _is_free(node.right):
        yield from summands(node.left, (*factors, ("/", node.right)))
    else:
        yield factors, node


def written(factors: Factors, node: ast.expr) -> str:
    """A term as text."""
    text = f"({ast.unparse(node)})"
    for operator, factor in factors:
        text += f"{operator}({ast.unparse(factor)})"
    return text


def summed(node: ast.expr) -> ast.expr | None:
    """What is summed in ``sum(g)``, ``norm(x, 1)`` and ``norm(x, p)**p``; None for another term."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "sum":
        return node.args[0]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "norm" and ast.unparse(node.args[1]) == "1":
        return node.args[0]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        inside = node.left
        if isinstance(inside, ast.Call) and getattr(inside.func, "id", "") == "norm":
            if ast.dump(inside.args[1]) == ast.dump(node.right):
                return ast.BinOp(inside.args[0], ast.Pow(), node.right)
    return None


def is_over_classes(node: ast.AST) -> bool:
    """Is it a sum over classes?"""
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "id", "")
    return name in ("sum", "norm") or (name in ("max", "min") and len(node.args) == 1)


def _has(node: ast.expr, name: str) -> bool:
    return any(isinstance(child, ast.Name) and child.id == name for child in ast.walk(node))


def _is_free(node: ast.expr) -> bool:
    return not _has(node, PROBABILITY) and not _has(node, LABELLED)


class _AtLabel(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(PROBABILITY, node.ctx) if node.id == LABELLED else node


def at_label(node: ast.expr) -> ast.expr:
    """The term of the labelled class in u alone; the tree itself is not changed."""
    copied: ast.expr = ast.parse(ast.unparse(node), mode="eval").body
    visited: ast.expr = _AtLabel().visit(copied)
    return visited
