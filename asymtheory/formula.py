"""A user's own loss from a formula string, in the same machinery as the losses of the papers.

``from_formula("((a+1)**q-(a+u)**q)/q", a=1, q=0.5)`` is a loss: a formula in ``u`` (the probability of the labelled
class) and named parameters, with ``+ - * / **`` and ``exp log sqrt abs min max``; decimals are exact. A passive part,
the term of each other class, is a second formula. The text is never evaluated as Python. Its characters and tokens are
checked first (so that a bomb never reaches a parser), then every node of its syntax tree, against lists of what is
allowed; what is left becomes one closure over a namespace ``xp`` (see ``backends``).

What a class of ``losses`` declares is found out here: that the loss is finite and decreases, its curvature (certified
by Arb, piece by piece between the kinks of abs, min and max), and, for a parameter to solve for, where the curvature
changes (a search).
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, reduce
from itertools import pairwise
from keyword import iskeyword
from typing import Any, ClassVar, NoReturn

from .backends import EXACT, FLOAT, Backend, arb_, numpy_
from .domain import Domain, above, plain
from .errors import InputError, nearest
from .exact import Exact, Poly
from .interval import Interval
from .jet import Jet
from .losses import CONCAVE, CONVEX, LINEAR, MIXED, Curvature, Separable, unknown_parameter

LONGEST = 1000  # characters
DEEPEST = 50  # levels of brackets, calls and powers
MOST_NODES = 300
LONGEST_NUMBER = 40  # characters
LARGEST_NUMBER = 1e100  # of a constant part
LARGEST_EXPONENT = 100
LARGEST_DEGREE = 1000  # product of nested constant exponents
LONGEST_NAME = 30
PROBABILITY = "u"
RESERVED = {"eta": "the noise rate", "K": "the number of classes"} | dict.fromkeys(
    ("active", "passive", "solve", "domains"), "a word of the library"
)
ARITY = {"exp": (1, 1), "log": (1, 1), "sqrt": (1, 1), "abs": (1, 1), "min": (2, 9), "max": (2, 9)}
ALLOWED = f"a formula in u and named parameters has + - * / ** and {' '.join(ARITY)}"

# --------------------------------------------------------------------------------------------- the text

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<operator>\*\*|//|[-+*/])|(?P<bracket>[(),])",
    re.ASCII,
)
_HINTS = {"^": "powers are written **", "'": "no text", '"': "no text", "#": "no comments", "\n": "one line is needed"}


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
                _refuse(flag, column, f"{value + following!r} is no number (2u is written 2*u)")
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
        _refuse(flag, column, f"{text[:12]!r} is no number: it starts with a zero too many")
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
        _refuse(flag, column, f"{shown} is no function: {'a product has a *' if name == PROBABILITY else there}")
    if not called and name in ARITY:
        _refuse(flag, column, f"the function {shown} needs its argument in brackets")
    if name.startswith("_") or len(name) > LONGEST_NAME:
        _refuse(flag, column, f"{shown} is no name: a letter first, at most {LONGEST_NAME} in all")
    if name in RESERVED:
        _refuse(flag, column, f"{shown} is {RESERVED[name]}, not a parameter of a loss: choose another name")


# --------------------------------------------------------------------------------------------- the tree

Fork = Callable[["_Env", Any, Any, Any], Any]  # (environment, difference, value where it is <= 0, value elsewhere)
Run = Callable[["_Env"], Any]


class _Env:
    """What a compiled formula runs on: u, log u, the namespace, the parameters, and how abs, min and max choose."""

    __slots__ = ("fork", "logp", "p", "values", "xp")

    def __init__(self, p: Any, logp: Any, xp: Backend, values: Mapping[str, Any], fork: Fork) -> None:
        self.p, self.logp, self.xp, self.values, self.fork = p, logp, xp, values, fork


@dataclass(frozen=True)
class _Term:
    """A checked part of a formula: how it runs, the rational it is (if folded), and what bounds its size."""

    run: Run
    names: frozenset[str]
    value: Fraction | None = None
    size: float | None = None  # of a part without names
    degree: Fraction = Fraction(1)
    forks: int = 0

    def number(self, env: _Env) -> Any:
        """The value as a number of the namespace, where an int would not do."""
        result = self.run(env)
        return env.xp.number(result) if isinstance(result, int) else result


@dataclass(frozen=True)
class Compiled:
    """A parsed formula: its text, the parameters in it, and the closure that runs it."""

    text: str
    parameters: tuple[str, ...]
    uses_u: bool
    forks: int
    run: Run


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
        raise InputError(f"{flag}: column {max(1, error.offset or 1) + start}: this is no formula") from None
    except (ValueError, MemoryError, RecursionError):
        raise InputError(f"{flag}: column {start + 1}: the formula is nested too deep") from None
    term = _Compiler(flag, numbers, start).term(tree.body, 0)
    named = [token.group() for token in _TOKEN.finditer(text) if token.lastgroup == "name"]
    parameters = tuple(dict.fromkeys(name for name in named if name in term.names and name != PROBABILITY))
    uses_u = PROBABILITY in term.names
    run = term.run if uses_u else lambda env: env.p * 0 + term.number(env)
    return Compiled(text.strip(" \t"), parameters, uses_u, term.forks, run)


class _Compiler:
    """One walk over the syntax tree: every node is on the list or refused."""

    def __init__(self, flag: str, numbers: dict[int, Fraction], start: int) -> None:
        self.flag, self.numbers, self.start, self.nodes = flag, numbers, start, 0

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
            return _Term(lambda env: env.values[name], frozenset([name]))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.term(node.operand, depth + 1)
            return inner if isinstance(node.op, ast.UAdd) else self.negative(inner)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            power = isinstance(node.op, ast.Pow)
            left = self.term(node.left, depth + power)  # a sum of many terms is no deep nesting
            right = self.term(node.right, depth + 1)
            return self.power(node, left, right) if power else self.operation(node, left, right)
        if isinstance(node, ast.Call) and not node.keywords:
            name = getattr(node.func, "id", "")
            if name in ARITY:
                return self.call(node, name, depth)
        self.refuse(node, f"{_WORDS.get(type(node), type(node).__name__)} is not allowed: {ALLOWED}")

    def negative(self, inner: _Term) -> _Term:
        if inner.value is not None:
            return _constant(-inner.value)
        return _joined(lambda env: -inner.run(env), [inner], lambda x: -x)

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
            self.refuse(at, f"powers of powers come to an exponent above {LARGEST_DEGREE}")
        return _Term(joined.run, joined.names, None, joined.size, degree, joined.forks)

    def call(self, node: ast.Call, name: str, depth: int) -> _Term:
        least, most = ARITY[name]
        if not least <= len(node.args) <= most:
            wanted = "one argument" if most == 1 else f"{least} to {most} arguments"
            self.refuse(node, f"{name} takes {wanted}, got {len(node.args)}")
        terms = [self.term(argument, depth + 1) for argument in node.args]
        first = terms[0]
        if name == "sqrt":
            return self.power(node, first, _constant(Fraction(1, 2)))
        if name == "exp":
            return _joined(lambda env: env.xp.exp(first.number(env)), terms, FLOAT._exp)
        if name == "log":
            if isinstance(node.args[0], ast.Name) and node.args[0].id == PROBABILITY:
                return _Term(lambda env: env.logp, first.names)
            return _joined(lambda env: env.xp.log(first.number(env)), terms, FLOAT._log)
        if name == "abs":
            return _joined(lambda env: _absolute(env, first.number(env)), terms, abs, 1)
        choose, pick = (_least, min) if name == "min" else (_greatest, max)

        def run(env: _Env) -> Any:
            return reduce(lambda x, y: choose(env, x, y), (t.number(env) for t in terms))

        return _joined(run, terms, pick, len(terms) - 1)


_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip
_WORDS: dict[type[ast.AST], str] = {
    ast.Tuple: "a list with commas", ast.Call: "a call of what is no function",
}  # fmt: skip


def _constant(value: Fraction) -> _Term:
    size = float(value) if abs(value.numerator).bit_length() - value.denominator.bit_length() < 1000 else math.inf
    if value.denominator == 1:
        whole = int(value)  # a plain int: an exact zero in jets stays one
        return _Term(lambda env: whole, frozenset(), value, size)
    return _Term(lambda env: env.xp.number(value), frozenset(), value, size)


def _joined(run: Run, terms: list[_Term], size: Callable[..., float], forks: int = 0) -> _Term:
    names = frozenset[str]().union(*(t.names for t in terms))
    here = None if names else float(size(*(t.size for t in terms)))
    return _Term(run, names, None, here, max(t.degree for t in terms), forks + sum(t.forks for t in terms))


def _elementwise(function: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
    """Apply a scalar function to scalars, or to each entry of object arrays."""
    if object in (getattr(x, "dtype", None), getattr(y, "dtype", None)):
        import numpy as np

        return np.frompyfunc(function, 2, 1)(x, y)
    return function(x, y)


def _power(xp: Any, x: Any, exponent: Any) -> Any:
    if isinstance(x, Jet) or isinstance(exponent, Jet):
        return x**exponent
    return _elementwise(getattr(xp, "_power", operator.pow), x, exponent)


def _divide(env: _Env, left: _Term, right: _Term) -> Any:
    x, y = left.run(env), right.number(env)
    if isinstance(x, Jet) or isinstance(y, Jet):
        return x / y
    return _elementwise(getattr(env.xp, "_divide", operator.truediv), env.xp.number(x) if isinstance(x, int) else x, y)


def _absolute(env: _Env, x: Any) -> Any:
    return env.fork(env, x, -x, x)


def _least(env: _Env, x: Any, y: Any) -> Any:
    return env.fork(env, x - y, x, y)


def _greatest(env: _Env, x: Any, y: Any) -> Any:
    return env.fork(env, x - y, y, x)


def _choose(env: _Env, difference: Any, below: Any, above_: Any) -> Any:
    """``xp.split`` at 0; where the difference is exactly 0 at an end of [0, 1], the branch inside, for its slope."""
    if isinstance(difference, Jet) and difference.xp is env.xp and isinstance(env.p, Jet):
        value, u, slope = difference.value, env.p.value, difference.slope
        if hasattr(value, "shape") or hasattr(u, "shape"):
            inside = (value == 0) & (((u == 1) & (slope < 0)) | ((u == 0) & (slope > 0)))
            difference = Jet(env.xp, value + inside, slope, difference.curvature)
        elif _sign(value) == 0:
            end = _end(u)
            direction = 0 if end is None else _sign(-slope if end else slope)
            if direction is None and env.xp is not FLOAT:
                return _both(env, below, above_)
            if direction == 1:
                difference = Jet(env.xp, env.xp.number(1), slope, difference.curvature)
    return _if_both_are_real(env, env.xp.split(difference, 0, below, above_), below, above_)


def _if_both_are_real(env: _Env, chosen: Any, *branches: Any) -> Any:
    """``chosen``, but NaN where a branch is: ``min(log(u)**u, 1)`` is no real number, though 1 is.

    The other number systems do so by themselves, for a difference without a value has no sign.
    """
    if env.xp.name not in ("float", "numpy"):
        return chosen
    missing: Any = False
    for branch in branches:
        value = branch.value if isinstance(branch, Jet) else branch
        missing = missing | (value != value)
    if env.xp is FLOAT:
        return chosen + math.nan if missing else chosen
    import numpy as np

    return chosen + np.where(missing, math.nan, 0.0) if np.any(missing) else chosen


def _both(env: _Env, below: Any, above_: Any) -> Any:
    """Either branch: their union where the numbers have one, unknown where not."""
    if env.xp.name in ("exact", "polynomial"):
        kind = Exact if env.xp.name == "exact" else Poly
        return Jet(env.xp, kind.unknown(), kind.unknown(), kind.unknown())
    wide = Interval(-1.0, 1.0) if "interval" in env.xp.name else env.xp.number(-1).union(env.xp.number(1))
    return env.xp.split(Jet(env.xp, wide, wide, wide), 0, below, above_)


def _sign(x: Any) -> int | None:
    """Sign of a number of any kind; None where it is not certain."""
    if isinstance(x, Poly):
        x = x.rational()
    if isinstance(x, Exact | Interval):
        return x.sign if getattr(x, "known", True) else None
    if x is None or isinstance(x, Jet):
        return None
    return 1 if x > 0 else -1 if x < 0 else 0 if x == 0 else None


def _end(u: Any) -> int | None:
    return 0 if _sign(u) == 0 else 1 if not isinstance(u, Jet) and _sign(u - 1) == 0 else None


# --------------------------------------------------------------------------------------------- the loss

DEFAULT_DOMAIN = above(0)


class Formula(Separable):
    """A loss from one or two formulas, built by ``from_formula``; parameters are in (0, inf) unless told otherwise."""

    name, title, formula = "formula", "formula", ""
    source = "the user's own"
    # set in every instance
    texts: tuple[str, str | None]
    domains: ClassVar[Mapping[str, Domain]] = {}
    note: ClassVar[str] = ""  # what was not proved of the loss

    def __init__(
        self,
        active: str,
        passive: str | None = None,
        *,
        parameters: Mapping[str, Any],
        domains: Mapping[str, Domain] | None = None,
        main: str | None = None,
    ) -> None:
        formulas = [parse(active)] + ([] if passive is None else [parse(passive, "--passive")])
        known = {p: (domains or {}).get(p, DEFAULT_DOMAIN) for f in formulas for p in f.parameters}
        for given in (parameters, domains or {}):
            for p in given:
                if p not in known:
                    raise InputError(unknown_parameter("formula", p, known))
        title = formulas[0].text + (f" [passive {formulas[1].text}]" if passive is not None else "")
        self.__dict__.update(texts=(active, passive), domains=known, main=main, title=title, formula=title)
        self._set({p: _in_domain(domain, p, parameters[p]) for p, domain in known.items()})

    def _set(self, values: Mapping[str, Any]) -> None:
        self.__dict__["parameters"] = dict(values)  # not as attributes: a parameter may be called `title`

    def _changed(self, **attributes: Any) -> Formula:
        copy = object.__new__(Formula)
        copy.__dict__.update(self.__dict__, **attributes)
        return copy

    def _with(self, **values: Any) -> Formula:
        return self._changed(parameters={**self.parameters, **values})

    def replace(self, **parameters: Any) -> Formula:
        for p in parameters:
            if p not in self.domains:
                raise InputError(unknown_parameter("formula", p, self.domains))
        values = {p: _in_domain(self.domains[p], p, value) for p, value in parameters.items()}
        return _validated(self._with(**values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.texts == other.texts and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((self.texts, tuple(sorted(self.parameters.items()))))

    def __repr__(self) -> str:
        active, passive = self.texts
        parts = [repr(active), *([] if passive is None else [f"passive={passive!r}"])]
        return f"from_formula({', '.join(parts + [f'{p}={plain(v)}' for p, v in self.parameters.items()])})"

    def _side(self, side: str) -> Compiled | None:
        if side == "active":
            return parse(self.texts[0])
        return None if self.texts[1] is None else parse(self.texts[1], "--passive")

    def _run(self, side: str, p: Any, logp: Any, xp: Backend, fork: Fork = _choose) -> Any:
        compiled = self._side(side)
        return 0 if compiled is None else compiled.run(_Env(p, logp, xp, self.parameters, fork))

    def active(self, p: Any, logp: Any, xp: Backend) -> Any:
        return self._run("active", p, logp, xp)

    def passive(self, p: Any, logp: Any, xp: Backend) -> Any:
        return self._run("passive", p, logp, xp)

    def curvature(self) -> Curvature:
        """Certified for exact parameters, else unknown."""
        if not all(isinstance(v, Fraction) for v in self.parameters.values()):
            return MIXED, MIXED
        return _facts(self, "active").shape, _facts(self, "passive").shape

    @property
    def kinks(self) -> Mapping[str, tuple[Fraction, ...]]:  # type: ignore[override]
        """Parameter values at which the curvature changes, as far as a search finds them."""
        return _Kinks(self)

    def prepared(self, parameter: str) -> Formula:
        """The loss with the domain of a parameter cut to where the formula decreases; says what was searched for."""
        if parameter not in self.domains:
            return self
        found = _scan(self, parameter)
        said = [f"curvature in {parameter} changes at {', '.join(map(_shown, found.kinks))}"] if found.kinks else []
        if found.domain != self.domains[parameter]:
            said.append(f"the formula is a decreasing loss for {parameter} in {found.domain}")
        said = said or [f"the curvature is the same for all {parameter}"]
        text = f"found by search from 2^-30 to 2^30: {'; '.join(said)}"
        domains = {**self.domains, parameter: found.domain}
        return self._changed(domains=domains, searched=text)


def _in_domain(domain: Domain, name: str, value: Any) -> Any:
    try:
        return domain.check("formula", name, value)
    except InputError as error:
        hint = f" (--domain {name}=LOW:HIGH allows others)" if domain == DEFAULT_DOMAIN else ""
        raise InputError(f"{error}{hint}") from None


class _Kinks(Mapping[str, tuple[Fraction, ...]]):
    """Change points for each parameter, searched for when asked."""

    def __init__(self, loss: Formula) -> None:
        self.loss = loss

    def __getitem__(self, parameter: str) -> tuple[Fraction, ...]:
        if parameter not in self.loss.domains:
            raise KeyError(parameter)
        return _scan(self.loss, parameter).kinks

    def __iter__(self) -> Iterator[str]:
        return iter(self.loss.domains)

    def __len__(self) -> int:
        return len(self.loss.domains)


def formula_parameters(active: str, passive: str | None = None) -> list[str]:
    """Names of the parameters in a formula and its passive part, in the order of the text."""
    formulas = [parse(active)] + ([] if passive is None else [parse(passive, "--passive")])
    return list(dict.fromkeys(p for f in formulas for p in f.parameters))


def from_formula(
    active: str,
    passive: str | None = None,
    *,
    solve: str | None = None,
    domains: Mapping[str, Domain] | None = None,
    **parameters: Any,
) -> Formula:
    """A loss from the formula of its active and, optionally, of its passive part.

    Every named parameter needs a value, except the one to ``solve`` for, which may be left out; a start for it is then
    searched for in its domain. ``domains`` replaces the default domain (0, inf) of a parameter. Raises InputError, with
    the column where there is one, for text that is no formula and for a formula that is no loss: not finite on (0, 1],
    increasing in u (active) or decreasing (passive), constant.
    """
    needed = formula_parameters(active, passive)
    missing = [p for p in needed if p not in parameters]
    if solve is not None and solve not in needed:
        known = {p: DEFAULT_DOMAIN for p in needed}
        raise InputError("--solve: " + unknown_parameter("formula", solve, known))
    for p in missing:
        if p != solve:
            raise InputError(f"--formula: parameter {p} has no value (--set {p}=...)")
    known_domains = {p: (domains or {}).get(p, DEFAULT_DOMAIN) for p in missing}
    values = {**parameters, **{p: _some(domain) for p, domain in known_domains.items()}}
    loss = Formula(active, passive, parameters=values, domains=domains, main=solve if solve in missing else None)
    if loss.main is None:
        return _validated(loss)
    start = _scan(loss, loss.main).start
    return _validated(loss if start is None else loss._with(**{loss.main: start}))


def parse_domain(setting: str) -> tuple[str, Domain]:
    """``a=1:inf`` as (name, interval); finite ends belong to it, except 0."""
    from .noise import parse_number

    name, equals, text = setting.partition("=")
    low, colon, high = text.partition(":")
    if not (name and equals and colon):
        raise InputError(f"--domain {setting!r}: NAME=LOW:HIGH is needed, such as a=1:inf")
    start = None if low.strip().lower() in ("-inf", "") else parse_number(low, f"--domain {name}")
    stop = None if high.strip().lower() in ("inf", "+inf", "") else parse_number(high, f"--domain {name}")
    if start is not None and stop is not None and start >= stop:
        raise InputError(f"--domain {setting!r}: LOW must be less than HIGH")
    return name, Domain(start, stop, low_closed=start != 0, high_closed=stop != 0)


def _some(domain: Domain) -> Fraction:
    """A value inside a domain."""
    if domain.low is None:
        return Fraction(0) if domain.high is None else domain.high - 1
    return domain.low + 1 if domain.high is None else (domain.low + domain.high) / 2


def _shown(number: Fraction) -> str:
    return plain(number) if abs(number.numerator) * number.denominator <= SIMPLE**2 else f"{float(number):.12g}"


# ------------------------------------------------------------------------------- is it a loss? samples, then proof

_ENDS = (*(2.0**-k for k in range(1, 41)), *(1 - 2.0**-k for k in range(2, 30)))
_SAMPLES = tuple(sorted({*_ENDS, *(j / 1000 for j in range(1, 1001))}))


def _sampled(loss: Formula, side: str, u: Any) -> tuple[Any, Any, Any]:
    """(value, slope, curvature) in float64 at an array of u."""
    import numpy as np

    xp = numpy_()
    with np.errstate(all="ignore"):
        x = xp.variable(u, 2)
        found = loss.on(xp)._run(side, x, xp.log(x), xp)  # type: ignore[attr-defined]
        parts = (found.value, found.slope, found.curvature) if isinstance(found, Jet) else (found, 0, 0)
        return tuple(np.broadcast_to(np.asarray(part, dtype=float), u.shape) for part in parts)  # type: ignore[return-value]


def _no_value(loss: Formula, side: str, u: float) -> bool:
    """Is the value at u undefined or infinite (and not only too large for floats)?"""
    xp = arb_()
    ball = xp.number(Fraction(u))
    try:
        return not loss.on(xp)._run(side, ball, xp.log(ball), xp).is_finite()  # type: ignore[attr-defined]
    except (ArithmeticError, ValueError):
        return True


def _validated(loss: Formula) -> Formula:
    """The loss, with a note where monotonicity was only sampled; InputError when it is none."""
    import numpy as np

    u = np.array(_SAMPLES)
    varies = False
    unproved = []
    for side, flag, sign in (("active", "--formula", 1), ("passive", "--passive", -1)):
        if loss._side(side) is None:
            continue
        at = ", ".join(f"{p} = {plain(v)}" for p, v in loss.parameters.items())
        where = f" (at {at})" if at else ""
        value, slope, _ = _sampled(loss, side, u)
        for i in np.flatnonzero(~np.isfinite(value)):
            if _no_value(loss, side, u[i]):
                what = "is not finite" if np.isinf(value[i]) else "is no real number"
                raise InputError(
                    f"{flag}: {what} at u = {u[i]:.3g}{where}: a loss must have a value for every u in (0, 1]"
                )
        tolerance = 1e-9 * (np.max(np.abs(slope[np.isfinite(slope)]), initial=0.0))
        wrong = np.flatnonzero(slope * sign > tolerance)
        if not len(wrong):
            with np.errstate(invalid="ignore", over="ignore"):
                rising = np.diff(value) * sign > 2e-9 * np.maximum(5e-4, np.fmax(np.abs(value[1:]), np.abs(value[:-1])))
            wrong = np.flatnonzero(rising)
        if len(wrong):
            does, must = (
                ("increases", "a loss must decrease") if sign > 0 else ("decreases", "a passive part must increase")
            )
            near = u[wrong[len(wrong) // 2]]
            raise InputError(f"{flag}: {does} in u near u = {near:.3g}{where}: {must} in u")
        facts = _facts(loss, side)
        if facts.wrong_way:
            raise InputError(f"{flag}: is not monotone in u{where}: a loss must decrease in u, a passive part increase")
        varies = varies or not facts.constant
        if not facts.monotone:
            unproved.append(side)
    if not varies:
        raise InputError("--formula: is constant in u: a loss must decrease in u")
    if unproved:
        sides = " and ".join(unproved)
        return loss._changed(note=f"that the {sides} part is monotone was checked at {len(u)} points, not proved")
    return loss


# ------------------------------------------------------------------------------------- certificates on [0, 1]

MOST_FORKS = 8  # abs, min and max in one formula; the work grows with the square


@dataclass(frozen=True)
class _Facts:
    """What is proved of one side on [0, 1]."""

    shape: int | None
    monotone: bool  # the right way
    wrong_way: bool
    constant: bool


@dataclass(frozen=True)
class _Part:
    """[low, high] on which no abs, min or max changes its branch."""

    low: Fraction
    high: Fraction
    branches: tuple[bool, ...]  # True: the branch of a positive difference


def _facts(loss: Formula, side: str) -> _Facts:
    return _certified(loss.texts, side, tuple(loss.parameters.items()))


@lru_cache(maxsize=4096)
def _certified(texts: tuple[str, str | None], side: str, values: tuple[tuple[str, Fraction], ...]) -> _Facts:
    loss = _bare(texts, values)
    if loss._side(side) is None:
        return _Facts(LINEAR, True, False, True)
    from .bounds import Curve

    sign = 1 if side == "active" else -1
    parts = _parts(loss, side)
    if parts is None:
        slopes = Curve(lambda xp: getattr(loss.on(xp), side)).signs(1)
        return _Facts(MIXED, slopes.never(sign), sign in slopes.proved, False)
    from .ratio import certify_curvature

    curves = [Curve(lambda xp, part=part: _stretched(loss, side, part, xp)) for part in parts]  # type: ignore[misc]
    shapes = [certify_curvature(curve) for curve in curves]
    bends = [_bend(loss, side, left, right) for left, right in pairwise(parts)]
    shape = _joint_shape(shapes, bends)
    slopes_of = [curve.signs(1) for curve in curves]
    constant = all(s.complete and s.proved <= {0} and not s.weak for s in slopes_of)
    monotone = all(s.never(sign) for s in slopes_of)
    if not monotone and shape is not MIXED:  # one end decides for a slope that itself is monotone
        last = (shape == CONVEX) == (side == "active")
        end = _slope_sign(loss, side, parts[-1 if last else 0], Fraction(int(last)))
        monotone = end is not None and end * sign <= 0
    return _Facts(shape, monotone, not monotone and any(sign in s.proved for s in slopes_of), constant)


def _bare(texts: tuple[str, str | None], values: tuple[tuple[str, Any], ...]) -> Formula:
    """A formula without checks of its parameters."""
    loss = object.__new__(Formula)
    domains = {p: DEFAULT_DOMAIN for p, _ in values}
    loss.__dict__.update(texts=texts, parameters=dict(values), domains=domains, main=None)
    return loss


def _joint_shape(shapes: list[int | None], bends: list[int | None]) -> int | None:
    every = {*shapes, *bends}
    if None in every or {1, -1} <= every:
        return MIXED
    if every <= {0}:
        return LINEAR
    if 1 in every:
        return CONVEX if shapes[-1] == CONVEX else MIXED  # linear next to u = 1: no strictness there
    return CONCAVE


def _stretched(loss: Formula, side: str, part: _Part, xp: Backend) -> Callable[[Any, Any, Backend], Any]:
    """One part as a function on [0, 1], its branches fixed."""
    here: Any = loss.on(xp)
    low, width = xp.number(part.low), xp.number(part.high - part.low)
    whole = part.low == 0 and part.high == 1

    def formula(t: Any, logt: Any, xp: Backend) -> Any:
        u = t if whole else t * width + low
        return here._run(side, u, logt if whole else xp.log(u), xp, _fixed(part.branches))

    return formula


def _fixed(branches: tuple[bool, ...]) -> Fork:
    order = iter(branches)
    return lambda env, difference, below, above_: above_ if next(order) else below


def _differences(loss: Formula, side: str, u: Any, xp: Backend, branches: tuple[bool, ...] | None = None) -> list[Any]:
    """The arguments by whose sign abs, min and max choose, in the order of evaluation."""
    found: list[Any] = []
    fixed = None if branches is None else _fixed(branches)

    def fork(env: _Env, difference: Any, below: Any, above_: Any) -> Any:
        found.append(difference)
        return (fixed or _choose)(env, difference, below, above_)

    here: Any = loss.on(xp)
    here._run(side, u, xp.log(u), xp, fork)
    return found


def _parts(loss: Formula, side: str) -> list[_Part] | None:
    """[0, 1] cut where an abs, min or max changes its branch; None where the cuts are not exact or not all proved."""
    compiled = loss._side(side)
    if compiled is None or not compiled.forks:
        return [_Part(Fraction(0), Fraction(1), ())]
    if compiled.forks > MOST_FORKS:
        return None
    import numpy as np

    grid = np.linspace(0, 1, 1001)[1:-1]
    with np.errstate(all="ignore"):
        found = _differences(loss, side, grid, numpy_())
        differences = [np.broadcast_to(np.asarray(d, dtype=float), grid.shape) for d in found]
    cuts: set[Fraction] = set()
    for index, values in enumerate(differences):
        if not np.isfinite(values).all():
            return None
        for i in np.flatnonzero((np.sign(values[1:]) != np.sign(values[:-1])) & (values[:-1] != 0)):
            cut = _cut(loss, side, index, float(grid[i]), float(grid[i + 1]))
            if cut is None:
                return None
            cuts.add(cut)
    edges = [Fraction(0), *sorted(cuts), Fraction(1)]
    parts = []
    for low, high in pairwise(edges):
        branches = tuple(bool(d > 0) for d in _differences(loss, side, float((low + high) / 2), FLOAT))
        part = _Part(low, high, branches)
        if not all(_keeps_sign(loss, side, part, index) for index in range(len(branches))):
            return None
        parts.append(part)
    return parts


def _cut(loss: Formula, side: str, index: int, low: float, high: float) -> Fraction | None:
    """The rational u in [low, high] at which a difference is exactly 0, if there is one."""
    from .threshold import simplest

    def sign(u: float) -> int:
        d = float(_differences(loss, side, u, FLOAT)[index])
        return (d > 0) - (d < 0)

    start = sign(low)
    for _ in range(60):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if sign(middle) == start else (low, middle)
    cut = simplest(Fraction(low), Fraction(high), slack=Fraction(1, 10**12))
    return cut if _vanishes(loss, side, index, cut) else None


def _vanishes(loss: Formula, side: str, index: int, u: Fraction, branches: tuple[bool, ...] | None = None) -> bool:
    difference = EXACT.number(_differences(loss, side, Exact.of(u), EXACT, branches)[index])
    return bool(difference.known) and difference.sign == 0


def _keeps_sign(loss: Formula, side: str, part: _Part, index: int) -> bool:
    """Is it proved that a difference has the sign of its branch inside a part (its ends may be zeros)?"""
    from .bounds import Curve

    def on(xp: Backend) -> Callable[[Any, Any, Backend], Any]:
        here: Any = loss.on(xp)
        low, width = xp.number(part.low), xp.number(part.high - part.low)
        return lambda t, logt, xp: t * 0 + _differences(here, side, t * width + low, xp, part.branches)[index]

    curve = Curve(on)
    sign = 1 if part.branches[index] else -1
    values = curve.signs(0)
    if values.never(-sign) and 0 not in values.proved:
        return True
    slope = curve.signs(1)
    if not slope.complete or len(slope.proved - {0} | slope.weak) > 1:
        return False
    ends = [
        sign if _vanishes(loss, side, index, end, part.branches) else curve.box(float(t), float(t))[0].sign
        for t, end in ((0, part.low), (1, part.high))
    ]
    return ends == [sign, sign]


def _slope(loss: Formula, side: str, part: _Part, u: Fraction, xp: Backend) -> Any:
    here: Any = loss.on(xp)
    x = xp.variable(xp.number(u))
    found = here._run(side, x, xp.log(x), xp, _fixed(part.branches))
    return found.slope if isinstance(found, Jet) else xp.number(0)


def _slope_sign(loss: Formula, side: str, part: _Part, u: Fraction) -> int | None:
    exact = _sign(EXACT.number(_slope(loss, side, part, u, EXACT)))
    return exact if exact is not None else _sign(_slope(loss, side, part, u, arb_()))


def _bend(loss: Formula, side: str, left: _Part, right: _Part) -> int | None:
    """Sign of the jump of the slope between two parts: 1 convex, 0 none, -1 concave."""
    u = left.high
    exact = EXACT.number(_slope(loss, side, right, u, EXACT)) - EXACT.number(_slope(loss, side, left, u, EXACT))
    sign = _sign(exact)
    if sign is not None:
        return sign
    return _sign(_slope(loss, side, right, u, arb_()) - _slope(loss, side, left, u, arb_()))


# --------------------------------------------------------------------- where the curvature changes in a parameter

SIMPLE = 1000  # a change point is taken for a fraction when its numerator times denominator stay below this, squared
MOST_KINKS = 12
State = tuple[int | None, int | None] | None  # signs of the curvatures; None: no loss there


@dataclass(frozen=True)
class _Scan:
    """What a search over one parameter found: where the formula is a loss, a value there, the change points inside."""

    domain: Domain
    start: Fraction | None
    kinks: tuple[Fraction, ...]


def _scan(loss: Formula, parameter: str) -> _Scan:
    others = tuple((p, v) for p, v in loss.parameters.items() if p != parameter)
    now = loss.parameters[parameter]
    return _scanned(loss.texts, parameter, others, loss.domains[parameter], now if isinstance(now, Fraction) else None)


@lru_cache(maxsize=256)
def _scanned(
    texts: tuple[str, str | None],
    parameter: str,
    others: tuple[tuple[str, Any], ...],
    domain: Domain,
    now: Fraction | None,
) -> _Scan:
    loss = _bare(texts, ((parameter, Fraction(1)), *others))

    @cache
    def state(x: float) -> State | str:
        return _state(loss._with(**{parameter: Fraction(x)}))

    grid = [x for x in _grid(domain) if state(x) != "overflow"]
    if not grid:
        return _Scan(domain, None, ())
    changes: list[Fraction] = []
    pieces = [(state(grid[0]), [grid[0]])]
    for low, high in pairwise(grid):
        for _ in range(4):
            if state(low) == state(high) or len(changes) >= MOST_KINKS:
                break
            left, right = low, high
            while right - left > 2.0**-44 * max(abs(left), abs(right)):
                middle = math.sqrt(left * right) if 0 < left and right > 4 * left else (left + right) / 2
                left, right = (middle, right) if state(middle) == state(low) else (left, middle)
            changes.append(_snapped(left, right))
            pieces.append((state(right), []))
            low = right
        pieces[-1][1].append(high)
    return _run_of_losses(domain, pieces, changes, now, state)


def _run_of_losses(
    domain: Domain,
    pieces: list[tuple[Any, list[float]]],
    changes: list[Fraction],
    now: Fraction | None,
    state: Callable[[float], Any],
) -> _Scan:
    """Of the runs of pieces on which the formula is a loss, the one around ``now``, else the one of most values."""
    edges = [domain.low, *changes, domain.high]
    runs: list[list[int]] = []
    for i, (what, _) in enumerate(pieces):
        if what is not None:
            if runs and runs[-1][-1] == i - 1:
                runs[-1].append(i)
            else:
                runs.append([i])
    if not runs:
        return _Scan(domain, None, ())

    def around(run: list[int]) -> bool:
        low, high = edges[run[0]], edges[run[-1] + 1]
        return now is not None and (low is None or low <= now) and (high is None or now <= high)

    run = max(runs, key=lambda run: (around(run), sum(len(pieces[i][1]) for i in run)))
    low, high = edges[run[0]], edges[run[-1] + 1]

    def closed(end: Fraction | None, own: bool, of_domain: bool) -> bool:
        return end is None or ((own or not of_domain) and state(float(end)) not in (None, "overflow"))

    low_closed = closed(low, domain.low_closed, low == domain.low)
    cut = Domain(low, high, low_closed, closed(high, domain.high_closed, high == domain.high))
    kinks = tuple(sorted({changes[i - 1] for i in run[1:] if changes[i - 1] not in (low, high)}))
    inside = [x for i in run for x in pieces[i][1]]
    start = Fraction(inside[len(inside) // 2]) if inside else None
    if start is not None and Fraction(1) in cut and state(1.0) not in (None, "overflow"):
        start = Fraction(1)
    return _Scan(_same(cut, domain), start, kinks)


def _same(cut: Domain, domain: Domain) -> Domain:
    """The domain itself when only the flags of absent ends differ."""
    a, b = (
        (d.low, d.high, d.low is not None and d.low_closed, d.high is not None and d.high_closed) for d in (cut, domain)
    )
    return domain if a == b else cut


def _grid(domain: Domain) -> list[float]:
    """Values of a parameter to try: geometric towards a finite end and towards infinity."""
    steps = [2.0**k for k in range(-30, 31)]
    low, high = domain.low, domain.high
    if low is not None and high is not None:
        width = float(high - low)
        shares = {*(s for s in steps if s < 0.5), *(1 - s for s in steps if s < 0.5), *(j / 40 for j in range(1, 40))}
        return [x for x in sorted(float(low) + width * s for s in shares) if low < x < high]
    if low is not None:
        return sorted(x for x in {float(low) + s for s in steps} if x > low)
    if high is not None:
        return sorted(x for x in {float(high) - s for s in steps} if x < high)
    return sorted({0.0, *steps, *(-s for s in steps)})


def _state(loss: Formula) -> State | str:
    """Signs of the curvatures on samples, None where the formula is no loss, "overflow" where floats do not reach."""
    import numpy as np

    u = np.array((*_SAMPLES[::4], 1.0))
    signs: list[int | None] = [0, 0]
    for i, side, way in ((0, "active", 1), (1, "passive", -1)):
        if loss._side(side) is None:
            continue
        value, slope, curve = _sampled(loss, side, u)
        if not np.isfinite(value).all():
            bad = [x for x in u[~np.isfinite(value)]]
            return None if _no_value(loss, side, bad[0]) or _no_value(loss, side, bad[-1]) else "overflow"
        steepest = np.max(np.abs(slope[np.isfinite(slope)]), initial=0.0)
        if (slope * way > 1e-12 * steepest).any():
            return None
        known = np.isfinite(slope) & np.isfinite(curve)
        slope, curve = slope[known], curve[known]
        jumps = np.diff(slope) / np.maximum(np.abs(slope[1:]) + np.abs(slope[:-1]), 1e-300)  # kinks have no curvature
        bends = np.concatenate([curve / np.maximum(np.abs(slope), 1e-300) * 1e4, jumps])
        up, down = bool((bends > 1e-9).any()), bool((bends < -1e-9).any())
        signs[i] = None if up and down else int(up) - int(down)
    return signs[0], signs[1]


def _snapped(low: float, high: float) -> Fraction:
    """A simple fraction at a change point, else the middle."""
    from .threshold import simplest

    for slack, size in ((10**10, SIMPLE**2), (10**7, SIMPLE)):  # coarsely where a kink enters at an end of [0, 1]
        found = simplest(Fraction(low), Fraction(high), slack=Fraction(1, slack))
        if abs(found.numerator) * found.denominator <= size:
            return found
    return Fraction((low + high) / 2)
