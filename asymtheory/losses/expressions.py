"""From the text of a formula to a closure over a namespace: tokens, then the syntax tree, each against a list of what is allowed.

The text is never evaluated as Python. Its characters and tokens are checked first (so that a bomb never reaches a parser),
then every node of its syntax tree; constants are folded exactly. What is left runs on any namespace ``xp`` (see ``backends``);
``abs``, ``min``, ``max``, ``where`` and ``piecewise`` choose by a *fork*, which the caller may replace to follow one branch.

``u`` is the probability of the labelled class, which may also be called ``u_y``. In ``sum(...)``, ``norm(..., p)``, and ``max`` and
``min`` of one argument, ``u`` is the probability of each class in turn: these are *sums over classes*, which ``joint`` runs.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial, reduce
from keyword import iskeyword
from typing import NoReturn

from ..errors import InputError, nearest
from ..numbers.backends import ELEMENTARY, FLOAT, Backend
from ..numbers.exact import Exact, Poly
from ..numbers.interval import Interval
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar

LONGEST = 1000  # characters
DEEPEST = 50  # levels of brackets, calls and powers
MOST_NODES = 300
BOXES = "span"  # the number system whose branches are chosen by its split alone
LONGEST_NUMBER = 40  # characters
LARGEST_NUMBER = 1e100  # of a constant part
LARGEST_EXPONENT = 100
LARGEST_DEGREE = 1000  # product of nested constant exponents
LONGEST_NAME = 30
PROBABILITY, LABELLED, CLASSES = "u", "u_y", "K"
RESERVED = {"eta": "the noise rate"} | dict.fromkeys(("active", "passive", "solve", "domains"), "a word of the library")
ARITY = {
    "exp": (1, 1), "log": (1, 1), "sqrt": (1, 1), "abs": (1, 1), "min": (1, 9), "max": (1, 9),
    **{name: (1, 1) for name in ELEMENTARY}, "where": (3, 3), "piecewise": (3, 9), "sum": (1, 1), "norm": (2, 2),
}  # fmt: skip
ALLOWED = f"a formula in u and named parameters has + - * / ** and {' '.join(ARITY)}"

# --------------------------------------------------------------------------------------------- the text

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<operator>\*\*|//|<=|>=|[-+*/<>])|(?P<bracket>[(),])",
    re.ASCII,
)
_HINTS = {
    "^": "powers are written **", "'": "no text", '"': "no text", "#": "no comments", "\n": "one line is needed",
    "=": "conditions are written with < <= > >=", "[": "u_y is the labelled class, brackets are ( )",
}  # fmt: skip


def _refuse(flag: str, column: int, what: str) -> NoReturn:
    raise InputError(f"{flag}: column {column}: {what}")


def _numbers(flag: str, text: str) -> dict[int, Fraction]:
    """Check characters and tokens before any parser sees the text; the exact numbers in it, by offset."""
    if len(text) > LONGEST:
        _refuse(flag, LONGEST + 1, f"the formula has {len(text)} characters, more than {LONGEST}")
    if not text.strip(" \t"):
        raise InputError(f"{flag}: the formula is empty; {ALLOWED}")
    numbers: dict[int, Fraction] = {}
    at, opened, tokens, operand = 0, [], 0, True  # operand: a number, a name or '(' comes next, not an operator
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            character = text[at]
            shown = character if character.isascii() and character.isprintable() else f"U+{ord(character):04X}"
            _refuse(flag, at + 1, f"{shown!r} is not allowed: {_HINTS.get(character, ALLOWED)}")
        kind, value, column = token.lastgroup, token.group(), at + 1
        following = text[token.end() : token.end() + 1]
        tokens += kind != "space"
        if tokens > 2 * MOST_NODES:
            _refuse(flag, column, f"the formula has more than {2 * MOST_NODES} symbols")
        if value == "//":
            _refuse(flag, column, "'//' is not allowed: division is written /")
        if kind == "number":
            if following and (following.isalnum() or following in "_."):
                _refuse(flag, column, f"{value + following!r} is not a number (2u is written 2*u)")
            numbers[at] = _number(flag, column, value)
        elif kind == "name":
            called = text[token.end() :].lstrip(" \t")[:1] == "("
            _check_name(flag, column, value, called)
        elif value == "(":
            opened.append(column)
            if len(opened) > DEEPEST:
                _refuse(flag, column, f"brackets are nested more than {DEEPEST} deep")
        elif value == ")":
            if not opened:
                _refuse(flag, column, "')' closes nothing")
            opened.pop()
        if kind != "space":
            opens = kind in ("number", "name") or value == "("
            if opens and not operand:
                _refuse(flag, column, f"an operator is missing before {value!r}")
            if not opens and operand and value not in ("-", "+"):
                _refuse(flag, column, f"a number, a name or a bracket is missing before {value!r}")
            operand = kind == "operator" or value in ("(", ",") or value in ARITY
        at = token.end()
    if opened:
        _refuse(flag, opened[-1], "'(' is never closed")
    if operand:
        _refuse(flag, len(text.rstrip(" \t")) + 1, "the formula breaks off")
    return numbers


def _number(flag: str, column: int, text: str) -> Fraction:
    exponent = text.lower().partition("e")[2]
    if re.match(r"0\d", text):
        _refuse(flag, column, f"{text[:12]!r} is not a number: it starts with a zero too many")
    if len(text) > LONGEST_NUMBER or (exponent and abs(int(exponent)) > LARGEST_EXPONENT):
        shown = text if len(text) <= 12 else text[:9] + "..."
        _refuse(flag, column, f"the number {shown} is too long or too large")
    return Fraction(text)


def _check_name(flag: str, column: int, name: str, called: bool) -> None:
    shown = repr(name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "...")
    if iskeyword(name):
        _refuse(flag, column, f"the word {shown} is not allowed: {ALLOWED}")
    if called and name not in ARITY:
        there = f"there are {' '.join(ARITY)}{nearest(name[:40], ARITY)}"
        _refuse(flag, column, f"{shown} is not a function: {'a product has a *' if name == PROBABILITY else there}")
    if not called and name in ARITY:
        _refuse(flag, column, f"the function {shown} needs its argument in brackets")
    if name.startswith("_") or len(name) > LONGEST_NAME:
        _refuse(flag, column, f"{shown} is not a name: a letter first, at most {LONGEST_NAME} in all")
    if name in RESERVED:
        _refuse(flag, column, f"{shown} is {RESERVED[name]}, not a parameter of a loss: choose another name")


# --------------------------------------------------------------------------------------------- the tree

Fork = Callable[
    ["Env", Scalar, Scalar, Scalar], Scalar
]  # (environment, difference, value where it is <= 0, value elsewhere)
Run = Callable[["Env"], Scalar]


class Env:
    """What a compiled formula runs on: u, log u, the namespace, the parameters, and how abs, min and max choose."""

    __slots__ = ("fork", "logp", "own", "p", "sums", "values", "xp")

    def __init__(
        self,
        p: Scalar,
        logp: Scalar,
        xp: Backend,
        values: Mapping[str, Scalar],
        fork: Fork,
        own: tuple[Scalar, Scalar] | None = None,
        sums: Sequence[Scalar] = (),
    ) -> None:
        self.p, self.logp, self.xp, self.values, self.fork = p, logp, xp, values, fork
        self.own = own or (p, logp)  # u_y and its logarithm, where u is another class's
        self.sums = sums  # the values of the sums over classes


@dataclass(frozen=True)
class _Term:
    """A checked part of a formula: how it runs, the rational it is (if folded), and what bounds its size."""

    run: Run
    names: frozenset[str]
    value: Fraction | None = None
    size: float | None = None  # of a part without names
    degree: Fraction = Fraction(1)
    forks: int = 0
    wheres: int = 0

    def number(self, env: Env) -> Scalar:
        """The value as a number of the namespace, where an int would not do."""
        result = self.run(env)
        return env.xp.number(result) if isinstance(result, int) else result


@dataclass(frozen=True)
class OverClasses:
    """A sum over classes: ``sum``, ``norm``, ``max`` or ``min`` of what ``run`` gives at each class; ``lead``: u_y less the
    greatest other u, by which ``u_y >= max(u)`` is decided."""

    kind: str
    run: Run
    exponent: Run | None  # of a norm
    labelled: bool  # does it depend on u_y?


@dataclass(frozen=True)
class Compiled:
    """A parsed formula: its text and tree, the parameters in it, the sums over classes, and the closure that runs it."""

    text: str
    tree: ast.expr
    parameters: tuple[str, ...]
    uses_u: bool
    forks: int
    run: Run
    jumps: bool  # does it have a where, whose branches need not meet?
    by_classes: bool  # does K occur in it?
    sums: tuple[OverClasses, ...]


def parse(text: str, flag: str = "--formula") -> Compiled:
    """Check a formula and compile it; InputError names the column (from 1) of what is not allowed."""
    if not isinstance(text, str):
        raise InputError(f"{flag}: a formula in quotes is needed, got {type(text).__name__}")
    return _parsed(text, flag)


@lru_cache(maxsize=1024)
def _parsed(text: str, flag: str) -> Compiled:
    numbers = _numbers(flag, text)
    start = len(text) - len(text.lstrip(" \t"))
    try:
        tree = ast.parse(text.strip(" \t"), mode="eval")
    except SyntaxError as error:
        raise InputError(f"{flag}: column {max(1, error.offset or 1) + start}: this is not a formula") from None
    except (ValueError, MemoryError, RecursionError):
        raise InputError(f"{flag}: column {start + 1}: the formula is nested too deep") from None
    compiler = _Compiler(flag, numbers, start)
    term = compiler.term(tree.body, 0)
    named = [token.group() for token in _TOKEN.finditer(text) if token.lastgroup == "name"]
    known = {PROBABILITY, LABELLED, CLASSES}
    parameters = tuple(dict.fromkeys(name for name in named if name in term.names and name not in known))
    uses_u = bool({PROBABILITY, LABELLED} & term.names)
    run = term.run if uses_u else lambda env: env.p * 0 + term.number(env)
    return Compiled(
        text.strip(" \t"), tree.body, parameters, uses_u, term.forks, run,
        term.wheres > 0, CLASSES in term.names, tuple(compiler.sums),
    )  # fmt: skip


class _Compiler:
    """One walk over the syntax tree: every node is on the list or refused."""

    def __init__(self, flag: str, numbers: dict[int, Fraction], start: int) -> None:
        self.flag, self.numbers, self.start, self.nodes = flag, numbers, start, 0
        self.sums: list[OverClasses] = []
        self.inside = False  # a sum over classes

    def refuse(self, node: ast.AST, what: str) -> NoReturn:
        _refuse(self.flag, getattr(node, "col_offset", 0) + 1 + self.start, what)

    def term(self, node: ast.AST, depth: int) -> _Term:
        self.nodes += 1
        if depth > DEEPEST:
            self.refuse(node, f"the formula is nested more than {DEEPEST} deep")
        if self.nodes > MOST_NODES:
            self.refuse(node, f"the formula has more than {MOST_NODES} parts")
        term = self.kind(node, depth)
        if not term.names and not abs(term.size or 0.0) <= LARGEST_NUMBER:
            self.refuse(node, "this constant is too large or has no value")
        return term

    def kind(self, node: ast.AST, depth: int) -> _Term:
        if isinstance(node, ast.Constant) and node.col_offset + self.start in self.numbers:
            return _constant(self.numbers[node.col_offset + self.start])
        if isinstance(node, ast.Name):
            name = node.id
            if name == PROBABILITY:
                return _Term(lambda env: env.p, frozenset([name]))
            if name == LABELLED:
                return _Term(lambda env: env.own[0], frozenset([name]))
            return _Term(lambda env: env.values[name], frozenset([name]))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.term(node.operand, depth + 1)
            return inner if isinstance(node.op, ast.UAdd) else self.negative(inner)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            if (entropy := self.entropy(node, depth)) is not None:
                return entropy
            power = isinstance(node.op, ast.Pow)
            left = self.term(node.left, depth + power)  # a sum of many terms is not nested deeply
            right = self.term(node.right, depth + 1)
            return self.power(node, left, right) if power else self.operation(node, left, right)
        if isinstance(node, ast.Call) and not node.keywords:
            name = getattr(node.func, "id", "")
            if name in ARITY:
                return self.call(node, name, depth)
        if isinstance(node, ast.Compare):
            self.refuse(node, "a comparison is allowed as the condition of where(condition, a, b) only")
        self.refuse(node, f"{_WORDS.get(type(node), type(node).__name__)} is not allowed: {ALLOWED}")

    def negative(self, inner: _Term) -> _Term:
        if inner.value is not None:
            return _constant(-inner.value)
        return _joined(lambda env: -inner.run(env), [inner], lambda x: -x)

    def entropy(self, node: ast.BinOp, depth: int) -> _Term | None:
        """A product that ends with ``x * log(x)`` or ``log(x) * x``, which has the value 0 at x = 0; None for any other."""
        if not isinstance(node.op, ast.Mult):
            return None
        before, x = node.left, node.right
        chained = isinstance(before, ast.BinOp) and isinstance(before.op, ast.Mult)
        factor = before.right if isinstance(before, ast.BinOp) and chained else before
        sign = isinstance(factor, ast.UnaryOp) and isinstance(factor.op, ast.USub) and not chained
        y = factor.operand if isinstance(factor, ast.UnaryOp) and sign else factor
        if not any(_is_log_of(one, two) for one, two in ((x, y), (y, x))):
            return None
        inner = self.term(y if _is_log_of(x, y) else x, depth + 1)
        log = self.term(x if _is_log_of(x, y) else y, depth + 1)
        if inner.value is not None:
            return None
        found = _joined(lambda env: env.xp.xlogx(inner.number(env), log.number(env)), [inner, log], operator.mul)
        if isinstance(before, ast.BinOp) and chained:
            return self.operation(node, self.term(before.left, depth), found)
        return self.negative(found) if sign else found

    def operation(self, node: ast.BinOp, left: _Term, right: _Term) -> _Term:
        function = _OPERATORS[type(node.op)]
        divides = isinstance(node.op, ast.Div)
        if divides and right.value == 0:
            self.refuse(node.right, "division by zero")
        if left.value is not None and right.value is not None:
            value = function(left.value, right.value)
            if max(abs(value.numerator), value.denominator).bit_length() > 1024:
                self.refuse(node, "this constant has too many digits")
            return _constant(value)
        if divides:
            return _joined(lambda env: _divide(env, left, right), [left, right], FLOAT._divide)
        return _joined(lambda env: function(left.run(env), right.run(env)), [left, right], function)

    def power(self, node: ast.BinOp | ast.Call, base: _Term, exponent: _Term) -> _Term:
        at = node.right if isinstance(node, ast.BinOp) else node
        if not exponent.names and abs(exponent.size or 0.0) > LARGEST_EXPONENT:
            self.refuse(at, f"the exponent is larger than {LARGEST_EXPONENT}")
        if exponent.value == 0:
            return _constant(Fraction(1))
        size = max(Fraction(1), abs(exponent.value or Fraction(1)))
        run = lambda env: _power(env.xp, base.number(env), exponent.run(env))  # noqa: E731
        joined = _joined(run, [base, exponent], FLOAT._power)
        degree = joined.degree * size
        if degree > LARGEST_DEGREE:
            self.refuse(at, f"powers of powers have an exponent above {LARGEST_DEGREE}")
        return replace(joined, degree=degree)

    def call(self, node: ast.Call, name: str, depth: int) -> _Term:
        least, most = ARITY[name]
        if not least <= len(node.args) <= most:
            wanted = "one argument" if most == 1 else f"{least} to {most} arguments"
            self.refuse(node, f"{name} takes {wanted}, got {len(node.args)}")
        if name in ("where", "piecewise"):
            return self.piecewise(node, name, node.args, depth)
        if name in ("sum", "norm") or (name in ("max", "min") and len(node.args) == 1):
            return self.over_classes(node, name, depth)
        terms = [self.term(argument, depth + 1) for argument in node.args]
        first = terms[0]
        if name == "sqrt":
            return self.power(node, first, _constant(Fraction(1, 2)))
        if name == "exp":
            return _joined(lambda env: env.xp.exp(first.number(env)), terms, FLOAT._exp)
        if name == "log":
            return self.logarithm(node.args[0], first)
        if name in ELEMENTARY:
            apply = partial(FLOAT.apply, name)
            return _joined(lambda env: _elementary(env, name, first.number(env)), terms, apply)
        if name == "abs":
            return _joined(lambda env: _absolute(env, first.number(env)), terms, abs, 1)
        choose, pick = (_least, min) if name == "min" else (_greatest, max)

        def run(env: Env) -> Scalar:
            return reduce(lambda x, y: choose(env, x, y), (t.number(env) for t in terms))

        return _joined(run, terms, pick, len(terms) - 1)

    def logarithm(self, argument: ast.expr, inner: _Term) -> _Term:
        if isinstance(argument, ast.Name) and argument.id in (PROBABILITY, LABELLED):
            if argument.id == PROBABILITY:
                return _Term(lambda env: env.logp, inner.names)
            return _Term(lambda env: env.own[1], inner.names)
        return _joined(lambda env: env.xp.log(inner.number(env)), [inner], FLOAT._log)

    def piecewise(self, node: ast.Call, name: str, arguments: Sequence[ast.expr], depth: int) -> _Term:
        """``where(condition, a, b)``; ``piecewise(c1, a1, c2, a2, ..., otherwise)`` is a chain of them."""
        if len(arguments) % 2 == 0:
            self.refuse(node, f"{name} takes conditions and values in turn, and a last value for all else")
        condition, chosen = arguments[0], self.term(arguments[1], depth + 1)
        if len(arguments) == 3:
            other = self.term(arguments[2], depth + 1)
        else:
            other = self.piecewise(node, name, arguments[2:], depth + 1)
        if not isinstance(condition, ast.Compare):
            self.refuse(condition, f"{name} needs a condition here, such as u < 0.5")
        if (leads := self.leads(condition)) is not None:
            return self.choice(leads[0], leads[1], _constant(Fraction(0)), chosen, other)
        sides = [self.term(side, depth + 1) for side in (condition.left, *condition.comparators)]
        result = chosen
        for left, comparison, right in reversed([*zip(sides, condition.ops, sides[1:], strict=False)]):
            result = self.choice(left, comparison, right, result, other)
        return result

    def leads(self, condition: ast.Compare) -> tuple[_Term, ast.cmpop] | None:
        """``u_y >= max(u)`` and ``u_y < max(u)``, either way round, as the lead of u_y and what it is compared with 0 by."""
        if len(condition.ops) != 1 or self.inside:
            return None
        left, right, comparison = condition.left, condition.comparators[0], condition.ops[0]
        if isinstance(left, ast.Call):
            left, right = right, left
            comparison = {ast.LtE: ast.GtE, ast.Gt: ast.Lt}.get(type(comparison), ast.Eq)()
        fits = isinstance(comparison, ast.GtE | ast.Lt) and ast.unparse(right) == f"max({PROBABILITY})"
        if not fits or not (isinstance(left, ast.Name) and left.id in (PROBABILITY, LABELLED)):
            return None
        at = len(self.sums)
        self.sums.append(OverClasses("lead", lambda env: env.p, None, False))
        return _Term(lambda env: env.sums[at], frozenset([PROBABILITY])), comparison

    def choice(self, left: _Term, comparison: ast.cmpop, right: _Term, chosen: _Term, other: _Term) -> _Term:
        if isinstance(comparison, ast.Gt | ast.GtE):
            left, right = right, left
        strict = isinstance(comparison, ast.Lt | ast.Gt)  # left < right is not (right - left <= 0)

        def run(env: Env) -> Scalar:
            difference = left.number(env) - right.number(env)
            yes, no = _branch(env, chosen), _branch(env, other)
            for branch in (yes, no):  # a condition without u between branches with it
                if isinstance(branch, Jet) and branch.xp is env.xp and not isinstance(difference, Jet):
                    zero = env.xp.number(0)
                    difference = Jet(env.xp, difference, zero, None if branch.curvature is None else zero)
            return env.fork(env, -difference, no, yes) if strict else env.fork(env, difference, yes, no)

        def size(x: float, y: float, a: float, b: float) -> float:
            return a if (x < y if strict else x <= y) else b

        joined = _joined(run, [left, right, chosen, other], size, 1)
        return replace(joined, wheres=joined.wheres + 1)

    def over_classes(self, node: ast.Call, name: str, depth: int) -> _Term:
        """A sum over classes; its value is found before the formula runs, and read by its place in ``Env.sums``."""
        if self.inside:
            self.refuse(node, f"{name} is inside another sum over classes, which is not allowed")
        self.inside = True
        inner = self.term(node.args[0], depth + 1)
        self.inside = False
        exponent = self.term(node.args[1], depth + 1) if name == "norm" else None
        if PROBABILITY not in inner.names:
            self.refuse(node, f"{name} over the classes needs u in its argument: what is summed does not change")
        if exponent is not None and {PROBABILITY, LABELLED} & exponent.names:
            self.refuse(node.args[1], "the exponent of a norm may not depend on u")
        if exponent is not None and exponent.value is not None and exponent.value <= 0:
            self.refuse(node.args[1], "the exponent of a norm must be above 0")
        at = len(self.sums)
        self.sums.append(
            OverClasses(name, inner.number, None if exponent is None else exponent.number, LABELLED in inner.names)
        )
        names = inner.names | (exponent.names if exponent else frozenset())
        return _Term(lambda env: env.sums[at], names, None, None, inner.degree, inner.forks, inner.wheres)


def _is_log_of(node: ast.expr, x: ast.expr) -> bool:
    """Is it ``log(x)``?"""
    named = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "log" and len(node.args) == 1
    return isinstance(node, ast.Call) and named and ast.dump(node.args[0]) == ast.dump(x)


_OPERATORS: dict[type[ast.AST], Callable[[Scalar, Scalar], Scalar]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_WORDS: dict[type[ast.AST], str] = {
    ast.Tuple: "a list with commas",
    ast.Call: "a call of what is not a function",
}


def _constant(value: Fraction) -> _Term:
    size = float(value) if abs(value.numerator).bit_length() - value.denominator.bit_length() < 1000 else math.inf
    if value.denominator == 1:
        whole = int(value)  # a plain int: an exact zero in jets stays one
        return _Term(lambda env: whole, frozenset(), value, size)
    return _Term(lambda env: env.xp.number(value), frozenset(), value, size)


def _joined(run: Run, terms: list[_Term], size: Callable[..., float], forks: int = 0) -> _Term:
    names = frozenset[str]().union(*(t.names for t in terms))
    here = None if names else float(size(*(t.size for t in terms)))
    return _Term(
        run, names, None, here, max(t.degree for t in terms),
        forks + sum(t.forks for t in terms), sum(t.wheres for t in terms),
    )  # fmt: skip


def _elementwise(function: Callable[[Scalar, Scalar], Scalar], x: Scalar, y: Scalar) -> Scalar:
    """Apply a scalar function to scalars, or to each entry of object arrays."""
    if object in (getattr(x, "dtype", None), getattr(y, "dtype", None)):
        import numpy as np

        return np.frompyfunc(function, 2, 1)(x, y)
    return function(x, y)


def _power(xp: Scalar, x: Scalar, exponent: Scalar) -> Scalar:
    if isinstance(x, Jet) or isinstance(exponent, Jet):
        return x**exponent
    return _elementwise(getattr(xp, "_power", operator.pow), x, exponent)


def _divide(env: Env, left: _Term, right: _Term) -> Scalar:
    x, y = left.run(env), right.number(env)
    if isinstance(x, Jet) or isinstance(y, Jet):
        return x / y
    return _elementwise(getattr(env.xp, "_divide", operator.truediv), env.xp.number(x) if isinstance(x, int) else x, y)


def _elementary(env: Env, name: str, x: Scalar) -> Scalar:
    return env.xp.apply(name, x)


def _branch(env: Env, term: _Term) -> Scalar:
    """A branch of where, which need not have a value where it is not taken."""
    try:
        return term.number(env)
    except ArithmeticError:  # a germ or a sum that does not exist: neither its value nor its slope is known
        unknown = env.xp.number(1) / env.xp.number(0)
        if not isinstance(env.p, Jet):
            return unknown
        return Jet(env.xp, unknown, unknown, None if env.p.curvature is None else unknown)


def _absolute(env: Env, x: Scalar) -> Scalar:
    return _if_both_are_real(env, env.fork(env, x, -x, x), x)


def _least(env: Env, x: Scalar, y: Scalar) -> Scalar:
    return _if_both_are_real(env, env.fork(env, x - y, x, y), x, y)


def _greatest(env: Env, x: Scalar, y: Scalar) -> Scalar:
    return _if_both_are_real(env, env.fork(env, x - y, y, x), x, y)


def choose(env: Env, difference: Scalar, below: Scalar, above_: Scalar) -> Scalar:
    """``xp.split`` at 0; where the difference is exactly 0 at an end of [0, 1], the branch inside, for its slope."""
    if isinstance(difference, Jet) and difference.xp is env.xp and isinstance(env.p, Jet) and env.xp.name != BOXES:
        value, u, slope = difference.value, env.p.value, difference.slope
        if hasattr(value, "shape") or hasattr(u, "shape"):
            inside = (value == 0) & (((u == 1) & (slope < 0)) | ((u == 0) & (slope > 0)))
            difference = Jet(env.xp, value + inside, slope, difference.curvature)
        elif sign_of(value) == 0:
            end = _end(u)
            direction = 0 if end is None else sign_of(-slope if end else slope)
            if direction is None and env.xp is not FLOAT:
                return _both(env, below, above_)
            if direction == 1:
                difference = Jet(env.xp, env.xp.number(1), slope, difference.curvature)
    return env.xp.split(difference, 0, below, above_)


def _if_both_are_real(env: Env, chosen: Scalar, *branches: Scalar) -> Scalar:
    """``chosen``, but NaN where a branch is: ``min(log(u)**u, 1)`` is not a real number, though 1 is.

    The other number systems do so by themselves, for a difference without a value has no sign.
    """
    if env.xp.name not in ("float", "numpy"):
        return chosen
    missing: Scalar = False
    for branch in branches:
        value = branch.value if isinstance(branch, Jet) else branch
        missing = missing | (value != value)
    if env.xp is FLOAT:
        return chosen + math.nan if missing else chosen
    import numpy as np

    return chosen + np.where(missing, math.nan, 0.0) if np.any(missing) else chosen


def _both(env: Env, below: Scalar, above_: Scalar) -> Scalar:
    """Either branch: their union where the numbers have one, unknown where not."""
    if env.xp.name in ("exact", "polynomial"):
        kind = Exact if env.xp.name == "exact" else Poly
        return Jet(env.xp, kind.unknown(), kind.unknown(), kind.unknown())
    wide = Interval(-1.0, 1.0) if "interval" in env.xp.name else env.xp.number(-1).union(env.xp.number(1))
    return env.xp.split(Jet(env.xp, wide, wide, None if env.p.curvature is None else wide), 0, below, above_)


def sign_of(x: Scalar) -> int | None:
    """Sign of a number of any kind; None where it is not certain."""
    if isinstance(x, Poly):
        x = x.rational()
    if isinstance(x, Exact | Interval):
        return x.sign if getattr(x, "known", True) else None
    if x is None or isinstance(x, Jet):
        return None
    return 1 if x > 0 else -1 if x < 0 else 0 if x == 0 else None


def _end(u: Scalar) -> int | None:
    return 0 if sign_of(u) == 0 else 1 if not isinstance(u, Jet) and sign_of(u - 1) == 0 else None
