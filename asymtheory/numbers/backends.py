"""The number systems on which one definition of a loss runs.

A loss writes its profile once, in plain operators plus ``xp.log``, ``xp.exp``, ``xp.apply`` (``ELEMENTARY`` functions),
``xp.xlogx`` and ``xp.split``. The same line then runs on

* ``FLOAT``     Python floats in the extended reals (``0 ** -0.5 = inf``), for start-up without numpy;
* ``INTERVAL``  float intervals with outward rounding, for certificates without numpy;
* ``DUAL``      the same with a derivative in a parameter of the loss;
* ``EXACT``     rationals times rational powers, ``e`` powers and logarithms, for equality at a threshold;
* ``POLY``      polynomials in one unknown with rational coefficients, for thresholds that are roots;
* ``numpy_()``, ``arb_()``, ``sympy_()``: arrays, rigorous balls (Arb), symbols. Each is imported when first asked
  for: this module is on the start-up path of ``asymtheory bound``, which loads neither numpy nor sympy nor flint.

Derivatives come from ``Jet``: truncated Taylor arithmetic (value, first, second derivative in u) over any of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, lru_cache, partial

from .exact import Exact, Poly
from .interval import TINY, Interval
from .jet import Jet
from .scalar import Scalar

ELEMENTARY = ("sinh", "cosh", "tanh", "asin", "acos", "atan")
"""What ``Backend.apply`` knows beside log and exp."""


class Backend:
    """A namespace a formula runs on. ``number`` brings an exact parameter over; the rest are elementwise functions."""

    def __init__(
        self,
        name: str,
        number: Callable[[Scalar], Scalar],
        log: Callable[[Scalar], Scalar],
        exp: Callable[[Scalar], Scalar],
        power: Callable[[Scalar, Scalar], Scalar],
        divide: Callable[[Scalar, Scalar], Scalar] | None = None,
        split: Callable[[Scalar, Scalar, Scalar, Scalar], Scalar] | None = None,
        level: int = 0,
        *,
        functions: Mapping[str, Callable[[Scalar], Scalar]] | None = None,
        one_less_square: Callable[[Scalar], Scalar] | None = None,
        xlogx: Callable[[Scalar, Scalar], Scalar] | None = None,
        deficit: Callable[[Scalar, Scalar, Scalar], Scalar] | None = None,
    ) -> None:
        self.name = name
        self.level = level  # 1 where the numbers are themselves jets
        self.number = number
        self._log = log
        self._exp = exp
        self._power = power
        self._divide = divide or (lambda x, y: x / y)
        self._split = split or _split_by_comparison
        self._functions = functions or {}
        self._one_less_square = one_less_square or (lambda x: 1 - x * x)
        self._xlogx = xlogx or _product_off_zero
        self._deficit = deficit or plain_deficit

    def __repr__(self) -> str:
        return f"<backend {self.name}>"

    def variable(self, u: Scalar, order: int = 1) -> Jet:
        """u as the independent variable of a jet: value u, slope 1, curvature 0."""
        one = self.number(1)
        return Jet(self, u, one, self.number(0) if order > 1 else None)

    def log(self, x: Scalar) -> Scalar:
        """Natural logarithm; -inf at 0."""
        return x.log() if isinstance(x, Jet) and x.xp is self else _elementwise(self._log, x)

    def exp(self, x: Scalar) -> Scalar:
        """Exponential."""
        return x.exp() if isinstance(x, Jet) and x.xp is self else _elementwise(self._exp, x)

    @staticmethod
    def power(x: Scalar, e: Scalar) -> Scalar:
        """``x ** e`` of parameters alone: Python floats raise where it is infinite, and here it is inf, as of arrays."""
        try:
            return x**e
        except (OverflowError, ZeroDivisionError):
            return math.inf

    def apply(self, name: str, x: Scalar) -> Scalar:
        """One of the ``ELEMENTARY`` functions: sinh, cosh, tanh, asin, acos, atan. asin and acos are for -1 <= x <= 1."""
        return x.apply(name) if isinstance(x, Jet) and x.xp is self else _elementwise(partial(self._apply, name), x)

    def _apply(self, name: str, x: Scalar) -> Scalar:
        function = self._functions.get(name)
        if function is None:
            raise TypeError(f"this number system does not have {name}")
        return function(x)

    def xlogx(self, x: Scalar, logx: Scalar) -> Scalar:
        """``x log x``, 0 at x = 0 and with slope -inf there; ``logx`` is passed beside ``x`` as to a loss."""
        if isinstance(x, Jet) and x.xp is self:
            log = logx.value
            curvature = None
            if x.curvature is not None:
                steep = self._divide(x.slope * x.slope, x.value)
                curvature = steep if _is_zero(x.curvature) else (log + 1) * x.curvature + steep
            return Jet(self, self._xlogx(x.value, log), (log + 1) * x.slope, curvature)
        if str(getattr(x, "dtype", "")) == "object":
            import numpy as np

            return np.frompyfunc(self._xlogx, 2, 1)(x, logx)
        return self._xlogx(x, logx)

    def deficit(self, p: Scalar, logp: Scalar, q: Scalar) -> Scalar:
        """``(1 - p^q) / q`` for q > 0, which tends to -log p as q -> 0; floats do not cancel there."""
        return self._deficit(p, logp, q)

    def series(self, term: Callable[[Scalar], Scalar], last: Scalar) -> Scalar:
        """``term(1) + ... + term(last)``: an unevaluated sum for a symbol, partial sums for an array of whole numbers."""
        if self.name == "numpy":
            return _partial_sums(self, term, last)
        import sympy as sp

        index = sp.Symbol("j", integer=True, positive=True)
        each = term(index)
        if not isinstance(each, Jet):
            return sp.Sum(each, (index, 1, last))
        return Jet(self, *(None if part is None else sp.Sum(part, (index, 1, last)) for part in _parts(each, each)))

    def split(self, x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        """``below`` where x <= cut, ``above`` elsewhere (both already evaluated)."""
        jet = next((part for part in (x, below, above) if isinstance(part, Jet) and part.xp is self), None)
        if jet is not None:  # x alone may be none: a condition on a parameter
            at = x.value if isinstance(x, Jet) and x.xp is self else x
            return Jet(
                self,
                *(
                    None if b is None else self._split(at, cut, b, a)
                    for b, a in zip(_parts(below, jet), _parts(above, jet), strict=True)
                ),
            )
        if str(getattr(x, "dtype", "")) == "object":
            import numpy as np

            return np.frompyfunc(self._split, 4, 1)(x, cut, below, above)
        return self._split(x, cut, below, above)


def plain_deficit(p: Scalar, _: Scalar, q: Scalar) -> Scalar:
    """``(1 - p^q) / q`` by its formula."""
    return (1 - p**q) / q


def _partial_sums(xp: Backend, term: Callable[[Scalar], Scalar], last: Scalar) -> Scalar:
    import numpy as np

    each = term(np.arange(1, int(np.max(last)) + 1))
    if not isinstance(each, Jet):
        return np.cumsum(each)[last - 1]
    return Jet(xp, *(None if part is None else np.cumsum(part)[last - 1] for part in _parts(each, each)))


def _elementwise(function: Callable[[Scalar], Scalar], x: Scalar) -> Scalar:
    """Apply a scalar function to a scalar, or to each entry of an object array (symbols, balls, exact numbers)."""
    if str(getattr(x, "dtype", "")) == "object":
        import numpy as np

        return np.frompyfunc(function, 1, 1)(x)
    return function(x)


def _parts(branch: Scalar, like: Jet) -> tuple[Scalar, Scalar, Scalar]:
    """(value, slope, curvature) of a branch, which may be a constant."""
    if isinstance(branch, Jet) and branch.xp is like.xp:
        return branch.value, branch.slope, branch.curvature
    zero = like.value * 0
    return zero + branch, zero, None if like.curvature is None else zero


def _is_zero(x: Scalar) -> bool:
    """Is a number (not an array) certainly 0, so that it removes an infinite factor?"""
    if isinstance(x, Interval):
        return x.low == x.high == 0
    return not hasattr(x, "shape") and (bool(x.known and x.sign == 0) if isinstance(x, Exact) else bool(x == 0))


def _product_off_zero(x: Scalar, logx: Scalar) -> Scalar:
    return x * 0 if x == 0 else x * logx


def _split_by_comparison(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
    return below if x <= cut else above


# ---------------------------------------------------------------------------------------------- floats


def _float_log(x: float) -> float:
    return math.log(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def _float_exp(x: float) -> float:
    return math.inf if x >= 709.78 else math.exp(x)


def _float_power(x: float, e: float) -> float:
    if x < 0 and e != int(e):
        return math.nan
    if x == 0 and e < 0:
        return math.inf
    try:
        return float(x**e)
    except OverflowError:
        return math.inf


def _float_divide(x: float, y: float) -> float:
    if y == 0:
        return math.nan if x == 0 or x != x else math.copysign(math.inf, x)
    return x / y


def _float_function(function: Callable[[float], float]) -> Callable[[float], float]:
    def extended(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.copysign(math.inf, function(math.copysign(1.0, x)))
        except ValueError:
            return math.nan

    return extended


FLOAT = Backend(
    "float",
    float,
    _float_log,
    _float_exp,
    _float_power,
    _float_divide,
    functions={name: _float_function(getattr(math, name)) for name in ELEMENTARY},
)


# ------------------------------------------------------------------------------------- exact and intervals


def _interval_number(x: Scalar) -> Interval:
    if isinstance(x, Interval):
        return x
    return _fraction_enclosed(x) if isinstance(x, Fraction) else Interval.of(x)


@lru_cache(4096)
def _fraction_enclosed(x: Fraction) -> Interval:
    return Interval.of(x)  # exact parameters are met again and again, and comparing fractions is slow


def _interval_divide(x: Scalar, y: Scalar) -> Interval:
    """Quotient; at y = 0 the limit y -> 0+, for what vanishes in a profile (u, 1 - u, a - 1) vanishes from above."""
    divisor = _interval_number(y)
    if divisor.low == divisor.high == 0:
        divisor = Interval(0.0, TINY)
        quotient = _interval_number(x) / divisor
        return Interval(
            quotient.low if quotient.low <= 0 else math.inf, quotient.high if quotient.high >= 0 else -math.inf
        )
    return _interval_number(x) / divisor


def _interval_split(x: Interval, cut: Interval, below: Interval, above: Interval) -> Interval:
    below, above = _interval_number(below), _interval_number(above)
    if x.high <= _interval_number(cut).low:
        return below
    if x.low > _interval_number(cut).high:
        return above
    return below.union(above)


INTERVAL = Backend(
    "interval",
    _interval_number,
    Interval.log,
    Interval.exp,
    lambda x, e: _interval_number(x).power(e),
    _interval_divide,
    _interval_split,
    functions={name: partial(lambda name, x: _interval_number(x).apply(name), name) for name in ELEMENTARY},
    one_less_square=lambda x: _interval_number(x).one_less_square(),
    xlogx=lambda x, _: x.xlogx(),
)


def _dual_power(x: Scalar, e: Scalar) -> Scalar:
    exponent = e.value if isinstance(e, Jet) else Interval.of(e)
    if isinstance(x, Interval) and x.low == x.high == 0 and exponent.low > 0:
        return x  # 0 ** e = 0 for every e > 0: the derivative in e is 0 too
    return x**e if isinstance(x, Jet) or isinstance(e, Jet) else x.power(e)


def _dual_split(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
    """Branches by the values; where both are possible, the union of values and of slopes."""
    parts = [
        b if isinstance(b, Jet) else Jet(INTERVAL, Interval.of(b), Interval(0.0, 0.0)) for b in (x, cut, below, above)
    ]
    at, edge, low, high = parts
    value = _interval_split(at.value, edge.value, low.value, high.value)
    if at.value.high > edge.value.low and at.value.low <= edge.value.high:
        return Jet(INTERVAL, value, Interval(-math.inf, math.inf))  # a kink in the parameter may lie inside
    return Jet(INTERVAL, value, _interval_split(at.value, edge.value, low.slope, high.slope))


# Intervals with a derivative in a parameter: numbers are Intervals or jets over INTERVAL. It certifies that a condition is
# monotone in the parameter, hence that its sign changes once.
DUAL = Backend(
    "interval with parameter slope",
    lambda x: x if isinstance(x, Jet) else _interval_number(x),
    lambda x: x.log(),
    lambda x: x.exp(),
    _dual_power,
    lambda x, y: x / y if isinstance(x, Jet) or isinstance(y, Jet) else _interval_divide(x, y),
    _dual_split,
    level=1,
    functions={name: partial(lambda name, x: x.apply(name), name) for name in ELEMENTARY},
    one_less_square=lambda x: x * x * -1 + 1 if isinstance(x, Jet) else x.one_less_square(),
    xlogx=lambda x, logx: INTERVAL.xlogx(x, logx) if isinstance(x, Jet) else x.xlogx(),
)


def _exact_functions(kind: Scalar) -> dict[str, Callable[[Scalar], Scalar]]:
    """The elementary functions where their value is rational: at 0, and acos at 1; unknown elsewhere."""

    def at(argument: int, value: int, x: Scalar) -> Scalar:
        return kind.of(value) if kind.of(x).rational() == argument else kind.unknown()

    places = {"sinh": (0, 0), "cosh": (0, 1), "tanh": (0, 0), "asin": (0, 0), "acos": (1, 0), "atan": (0, 0)}
    return {name: partial(at, *place) for name, place in places.items()}


def _exact_split(kind: Scalar) -> Callable[[Scalar, Scalar, Scalar, Scalar], Scalar]:
    def split(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        at, edge = kind.of(x).rational(), kind.of(cut).rational()
        if at is None or edge is None:
            return kind.unknown()
        return kind.of(below if at <= edge else above)

    return split


EXACT = Backend(
    "exact",
    Exact.of,
    Exact.log,
    Exact.exp,
    lambda x, e: Exact.of(x) ** e,
    lambda x, y: Exact.of(x) / y,
    _exact_split(Exact),
    functions=_exact_functions(Exact),
    xlogx=lambda x, logx: Exact.of(x) * (0 if Exact.of(x).sign == 0 and Exact.of(x).known else logx),
)

POLY = Backend(
    "polynomial",
    Poly.of,
    Poly.log,
    Poly.exp,
    lambda x, e: Poly.of(x) ** e,
    lambda x, y: Poly.of(x) / y,
    _exact_split(Poly),
    functions=_exact_functions(Poly),
)


# ------------------------------------------------------------------------------- loaded when first asked for


def _array_power(x: Scalar, e: Scalar) -> Scalar:
    import numpy as np

    if isinstance(e, float) and e in (0.0, 1.0, 2.0, 3.0):  # products are many times as fast as the general power
        return 1.0 if e == 0 else x if e == 1 else x * x if e == 2 else x * x * x
    return np.power(x, e)


@cache
def numpy_() -> Backend:
    """float64 arrays; infinities and NaN are values here, so callers wrap evaluation in ``numpy.errstate``."""
    import numpy as np

    def xlogx(x: Scalar, logx: Scalar) -> Scalar:
        return np.where(x == 0, 0.0, x * logx)

    def split(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        return np.where(x <= cut, below, above)

    def deficit(p: Scalar, logp: Scalar, q: Scalar) -> Scalar:
        if isinstance(p, Jet) or isinstance(q, Jet):
            return plain_deficit(p, logp, q)
        x = np.asarray(q * logp, dtype=float)
        grown = np.divide(np.expm1(x), x, out=np.ones_like(x), where=x != 0)
        return np.where(np.isfinite(logp), -logp * grown, plain_deficit(p, logp, q))

    functions = {name: getattr(np, name.replace("a", "arc", 1) if name[0] == "a" else name) for name in ELEMENTARY}
    return Backend(
        "numpy", float, np.log, np.exp, _array_power, np.divide, split, functions=functions, xlogx=xlogx, deficit=deficit
    )  # fmt: skip


@cache
def sympy_() -> Backend:
    """Symbols. Exact parameters become sympy rationals."""
    import sympy as sp

    def number(x: Scalar) -> Scalar:
        return sp.Rational(x.numerator, x.denominator) if isinstance(x, Fraction) else sp.sympify(x)

    def split(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        return sp.Piecewise((below, x <= cut), (above, True))

    functions = {name: getattr(sp, name) for name in ELEMENTARY}
    return Backend("sympy", number, sp.log, sp.exp, sp.Pow, None, split, functions=functions)


@cache
def arb_() -> Backend:
    """Arb balls (python-flint): every result encloses the true value."""
    from flint import arb, fmpq

    def number(x: Scalar) -> Scalar:
        if isinstance(x, Fraction):
            return arb(fmpq(x.numerator, x.denominator))
        return x if isinstance(x, arb) else arb(x)

    def power(x: Scalar, e: Scalar) -> Scalar:
        exponent = number(e)
        if exponent == 0:
            return arb(1)
        if x == 0 and exponent > 0:
            return arb(0)
        if exponent.is_exact() and exponent.is_integer() and abs(exponent) < 2**53:
            return x ** int(float(exponent))
        # monotone, and Arb's pow is not defined across 0; a radius is rounded up, and what reaches below 0 by that alone is 0
        if x.contains(0) and x.upper() > 0 and -x.lower() * 2**24 <= x.upper() and exponent > 0:
            return arb(0).union(x.upper() ** exponent)
        return x**exponent

    def split(x: Scalar, cut: Scalar, below: Scalar, above: Scalar) -> Scalar:
        if x <= cut:
            return number(below)
        if x > cut:
            return number(above)
        return number(below).union(number(above))

    def xlogx(x: Scalar, logx: Scalar) -> Scalar:
        if x.lower() > 0:
            return x * logx
        top = x.upper()  # a ball around 0: x log x is 0 there, least at 1/e and convex
        if not top > 0:
            return arb(0)
        low = arb(-1).exp()
        reached = arb(0).union(top * top.log())
        return reached if top < low else reached.union(-low)

    def inverse(name: str, x: Scalar) -> Scalar:
        x = arb(x)
        if abs(x) <= 1:
            return getattr(x, name)()
        low, high = (max(arb(-1), min(arb(1), end)) for end in (x.lower(), x.upper()))  # a radius is rounded up
        if not x.overlaps(low.union(high)) or x.upper() > 1 + 2**-24 or x.lower() < -1 - 2**-24:
            return arb("nan")
        return getattr(low, name)().union(getattr(high, name)())

    functions = {
        name: partial(inverse, name)
        if name in ("asin", "acos")
        else partial(lambda name, x: getattr(arb(x), name)(), name)
        for name in ELEMENTARY
    }
    return Backend(
        "arb", number, lambda x: arb(x).log(), lambda x: arb(x).exp(), power, None, split, functions=functions, xlogx=xlogx
    )  # fmt: skip
