"""Exact arithmetic without sympy: just enough to settle equality at a threshold.

``Exact`` holds one monomial ``s * prod_i b_i ** e_i`` whose bases are primes, the number e, or logarithms of rationals and
whose exponents are rational; equality of two of them is decidable by comparing the exponents. ``Poly`` holds a polynomial in
one unknown with rational coefficients. What neither can hold (the sum of unlike monomials, an irrational power of a
polynomial, ...) becomes unknown and spreads like NaN, so that a result that is not unknown is true.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import TypeAlias

from .jet import yields_to_jets
from .scalar import Scalar

TRIAL_LIMIT = 2000  # larger prime factors stay together as one opaque base: equality may go unseen, never be invented

MOST_BITS = 10**6  # rationals with larger powers are not written out

Base: TypeAlias = int | str | tuple[str, Fraction]
"""A prime, the text "e", or ("log", r): what a monomial has powers of."""


def factorise(n: int) -> dict[int, int]:
    """n >= 1 as a product of powers: primes up to the trial limit, and at most one cofactor free of them."""
    factors: dict[int, int] = {}
    p = 2
    while p * p <= n and p <= TRIAL_LIMIT:
        while n % p == 0:
            factors[p] = factors.get(p, 0) + 1
            n //= p
        p += 1 if p == 2 else 2
    if n > 1:
        root = isqrt(n)
        base, power = (root, 2) if root * root == n else (n, 1)
        factors[base] = factors.get(base, 0) + power
    return factors


class Exact:
    """``sign * prod base ** exponent``; sign 0 is zero, ``factors=None`` is unknown."""

    __slots__ = ("factors", "sign")

    def __init__(self, sign: int, factors: dict[Base, Fraction] | None) -> None:
        self.sign = sign
        self.factors = factors

    @classmethod
    def of(cls, x: Scalar) -> Exact:
        """A rational as a monomial (other Exacts pass through; floats are taken as the exact binary number)."""
        if isinstance(x, Exact):
            return x
        value = Fraction(x)
        if value == 0:
            return ZERO
        factors: dict[Base, Fraction] = {p: Fraction(n) for p, n in factorise(abs(value.numerator)).items()}
        for p, n in factorise(value.denominator).items():
            factors[p] = factors.get(p, Fraction(0)) - n
        return cls(1 if value > 0 else -1, factors)

    @classmethod
    def log_of(cls, x: Fraction) -> Exact:
        """log(x) of a rational x > 0 as an atom: ``exp`` of a rational multiple of it is a power of x again."""
        if x == 1:
            return ZERO
        # log(1/x) = -log(x): one atom for both, so that equal numbers are equal here
        return cls(1, {("log", x): Fraction(1)}) if x > 1 else cls(-1, {("log", 1 / x): Fraction(1)})

    @classmethod
    def unknown(cls) -> Exact:
        return UNKNOWN

    @property
    def known(self) -> bool:
        return self.factors is not None

    def rational(self) -> Fraction | None:
        """The value when it is rational, known and not too large to write out, else None."""
        if self.factors is None:
            return None
        value = Fraction(self.sign)
        for base, exponent in self.factors.items():
            if exponent == 0:
                continue
            if not isinstance(base, int) or exponent.denominator != 1 or abs(exponent) * base.bit_length() > MOST_BITS:
                return None
            value *= Fraction(base) ** int(exponent)
        return value

    def __repr__(self) -> str:
        return "Exact(unknown)" if self.factors is None else f"Exact({self.sign}, {self.factors})"

    def __neg__(self) -> Exact:
        return Exact(-self.sign, self.factors)

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Exact:
        o = Exact.of(other)
        if self.factors is None or o.factors is None:
            return UNKNOWN
        if self.sign == 0 or o.sign == 0:
            return ZERO
        factors = dict(self.factors)
        for base, exponent in o.factors.items():
            factors[base] = factors.get(base, Fraction(0)) + exponent
        return Exact(self.sign * o.sign, factors)

    __rmul__ = __mul__

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Exact:
        return self * Exact.of(other) ** -1

    def __rtruediv__(self, other: Scalar) -> Exact:
        return Exact.of(other) / self

    @yields_to_jets
    def __pow__(self, exponent: Scalar) -> Exact:
        e = exponent.rational() if isinstance(exponent, Exact) else Fraction(exponent)
        if self.factors is None or e is None or (self.sign == 0 and e < 0) or (self.sign < 0 and e.denominator != 1):
            return UNKNOWN
        if e == 0:
            return Exact(1, {})
        if self.sign == 0:
            return ZERO
        sign = -1 if self.sign < 0 and e.numerator % 2 else 1
        return Exact(sign, {base: power * e for base, power in self.factors.items()})

    @yields_to_jets
    def __add__(self, other: Scalar) -> Exact:
        o = Exact.of(other)
        if self.factors is None or o.factors is None:
            return UNKNOWN
        if o.sign == 0:
            return self
        if self.sign == 0:
            return o
        ratio = (self / o).rational()
        return UNKNOWN if ratio is None else o * (ratio + 1)

    __radd__ = __add__

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Exact:
        return self + -Exact.of(other)

    def __rsub__(self, other: Scalar) -> Exact:
        return Exact.of(other) - self

    def exp(self) -> Exact:
        """e ** x: a power of e for rational x, a power of r for a rational multiple of log(r)."""
        if self.factors is None:
            return UNKNOWN
        value = self.rational()
        if value is not None:
            return Exact(1, {"e": value} if value else {})
        logs = [base for base, exponent in self.factors.items() if isinstance(base, tuple) and exponent]
        if len(logs) == 1 and self.factors[logs[0]] == 1:
            multiple = (self / Exact(1, {logs[0]: Fraction(1)})).rational()
            if multiple is not None:
                return Exact.of(logs[0][1]) ** multiple
        return UNKNOWN

    def log(self) -> Exact:
        value = self.rational()
        return UNKNOWN if value is None or value <= 0 else Exact.log_of(value)

    def equals(self, other: Exact) -> bool:
        """True when both are known and equal; False says nothing."""
        return (self - other).factors is not None and (self - other).sign == 0


ZERO = Exact(0, {})
UNKNOWN = Exact(1, None)


class Poly:
    """A polynomial in one unknown, coefficients from the constant term up; ``None`` is unknown."""

    __slots__ = ("coefficients",)

    def __init__(self, coefficients: tuple[Fraction, ...] | None) -> None:
        if coefficients is not None:
            while coefficients and coefficients[-1] == 0:
                coefficients = coefficients[:-1]
        self.coefficients = coefficients

    @classmethod
    def of(cls, x: Scalar) -> Poly:
        return x if isinstance(x, Poly) else cls((Fraction(x),))

    @classmethod
    def unknown(cls) -> Poly:
        return NOT_A_POLYNOMIAL

    @classmethod
    def variable(cls) -> Poly:
        """The polynomial t."""
        return cls((Fraction(0), Fraction(1)))

    def __repr__(self) -> str:
        return f"Poly({self.coefficients})"

    @property
    def degree(self) -> int:
        return len(self.coefficients or ()) - 1

    def rational(self) -> Fraction | None:
        """The value when it does not depend on the unknown, else None."""
        if self.coefficients is None or self.degree > 0:
            return None
        return self.coefficients[0] if self.coefficients else Fraction(0)

    def __call__(self, t: Fraction) -> Fraction:
        if self.coefficients is None:
            raise ValueError("an unknown polynomial has no value")
        result = Fraction(0)
        for c in reversed(self.coefficients):
            result = result * t + c
        return result

    def __neg__(self) -> Poly:
        return self * -1

    @yields_to_jets
    def __add__(self, other: Scalar) -> Poly:
        a, b = self.coefficients, Poly.of(other).coefficients
        if a is None or b is None:
            return NOT_A_POLYNOMIAL
        width = max(len(a), len(b))
        pad = [*a, *[Fraction(0)] * (width - len(a))], [*b, *[Fraction(0)] * (width - len(b))]
        return Poly(tuple(x + y for x, y in zip(*pad, strict=True)))

    __radd__ = __add__

    @yields_to_jets
    def __sub__(self, other: Scalar) -> Poly:
        return self + -Poly.of(other)

    def __rsub__(self, other: Scalar) -> Poly:
        return Poly.of(other) - self

    @yields_to_jets
    def __mul__(self, other: Scalar) -> Poly:
        a, b = self.coefficients, Poly.of(other).coefficients
        if a is None or b is None:
            return NOT_A_POLYNOMIAL
        product = [Fraction(0)] * max(0, len(a) + len(b) - 1)
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                product[i + j] += x * y
        return Poly(tuple(product))

    __rmul__ = __mul__

    @yields_to_jets
    def __truediv__(self, other: Scalar) -> Poly:
        divisor = Poly.of(other).rational()
        return NOT_A_POLYNOMIAL if not divisor else self * (1 / divisor)

    def __rtruediv__(self, other: Scalar) -> Poly:
        return Poly.of(other) / self

    @yields_to_jets
    def __pow__(self, exponent: Scalar) -> Poly:
        e = Poly.of(exponent).rational()
        if e is None or e.denominator != 1 or self.coefficients is None:
            return NOT_A_POLYNOMIAL
        if e < 0:
            value = self.rational()
            if not value or -e * max(abs(value.numerator), value.denominator).bit_length() > MOST_BITS:
                return NOT_A_POLYNOMIAL
            return Poly((value ** int(e),))
        if e > 64:
            return NOT_A_POLYNOMIAL
        result = Poly((Fraction(1),))
        for _ in range(int(e)):
            result = result * self
        return result

    def exp(self) -> Poly:
        return Poly((Fraction(1),)) if self.rational() == 0 else NOT_A_POLYNOMIAL

    def log(self) -> Poly:
        return Poly((Fraction(0),)) if self.rational() == 1 else NOT_A_POLYNOMIAL


NOT_A_POLYNOMIAL = Poly(None)


def square_root(x: Fraction) -> tuple[Fraction, int]:
    """x >= 0 as ``(s, d)`` with sqrt(x) = s * sqrt(d), d free of small squares."""
    if x == 0:
        return x, 1
    outside, inside = 1, 1
    for p, k in factorise(x.numerator * x.denominator).items():
        outside *= p ** (k // 2)
        inside *= p ** (k % 2)
    return Fraction(outside, x.denominator), inside


def simplest(low: Fraction, high: Fraction, slack: Fraction = Fraction(0)) -> Fraction:
    """The fraction of least denominator in [low, high], widened by the relative slack (Stern-Brocot)."""
    low, high = low - abs(low) * slack, high + abs(high) * slack
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -simplest(-high, -low)
    terms = []
    while True:  # Euclid's algorithm on the ends: the denominators fall
        whole = low.numerator // low.denominator
        if Fraction(whole) == low or whole + 1 <= high:
            terms.append(whole if Fraction(whole) == low else whole + 1)
            break
        terms.append(whole)
        low, high = 1 / (high - whole), 1 / (low - whole)
    value = Fraction(terms[-1])
    for term in reversed(terms[:-1]):
        value = term + 1 / value
    return value
