"""The number systems: intervals are sound, exact numbers are true, decimals stay decimals."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import inf

import mpmath
import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from asymtheory.errors import InputError, nearest
from asymtheory.losses.domain import Domain, above, at_least, below, between
from asymtheory.numbers.exact import UNKNOWN, ZERO, Exact, Poly, factorise, square_root
from asymtheory.numbers.germ import ball as ball_of
from asymtheory.numbers.germ import germs
from asymtheory.numbers.harmonic import geometric_sum, power_sum
from asymtheory.numbers.interval import Interval
from asymtheory.numbers.spans import Span
from asymtheory.numbers.text import exact, plain

mpmath = mpmath.mp.clone()  # a context of our own: the global one belongs to everyone
mpmath.prec = 240
FEW = settings(max_examples=80, deadline=None)
MANY = settings(max_examples=250, deadline=None)
LARGEST = 1.7976931348623157e308

# ------------------------------------------------------------------------------------------- intervals

finite = st.floats(allow_nan=False, allow_infinity=False)
tame = st.floats(-1e6, 1e6)
any_float = st.one_of(
    tame, finite, st.sampled_from([0.0, 1.0, -1.0, 5e-324, -5e-324, 1e-200, 1e200, LARGEST, -LARGEST])
)
fractions = st.fractions(max_denominator=1000, min_value=-50, max_value=50)


@st.composite
def interval_and_members(
    draw: st.DrawFn, floats: st.SearchStrategy[float] = any_float
) -> tuple[Interval, list[Fraction]]:
    """An interval with finite ends and exact members of it: both ends and some inside."""
    low, high = sorted((draw(floats), draw(floats)))
    if draw(st.booleans()):
        high = low
    a, b = Fraction(low), Fraction(high)
    return Interval(low, high), [a, b, *(a + (b - a) * t for t in draw(st.lists(st.fractions(0, 1), max_size=2)))]


def encloses(interval: Interval, x: Fraction | mpmath.mpf) -> bool:
    """Exact comparison of a rational or a 240-bit number with float ends."""
    if isinstance(x, Fraction):
        return (interval.low == -inf or Fraction(interval.low) <= x) and (
            interval.high == inf or x <= Fraction(interval.high)
        )
    return bool(mpmath.mpf(interval.low) <= x <= mpmath.mpf(interval.high))


def mp(x: Fraction) -> mpmath.mpf:
    return mpmath.mpf(x.numerator) / x.denominator


@MANY
@given(interval_and_members(), interval_and_members())
@example((Interval(1e-200, 1e-200), [Fraction(1e-200)]), (Interval(1e-200, 1e-200), [Fraction(1e-200)]))
@example((Interval(1e200, 1e200), [Fraction(1e200)]), (Interval(1e200, 1e200), [Fraction(1e200)]))
@example((Interval(5e-324, 5e-324), [Fraction(5e-324)]), (Interval(0.7, 0.7), [Fraction(0.7)]))
@example((Interval(LARGEST, LARGEST), [Fraction(LARGEST)]), (Interval(LARGEST, LARGEST), [Fraction(LARGEST)]))
@example((Interval(0.0, 1.0), [Fraction(0), Fraction(1)]), (Interval(0.0, 1.0), [Fraction(1, 10**9), Fraction(1)]))
@example((Interval(1e-200, 1e-200), [Fraction(1e-200)]), (Interval(1e200, 1e200), [Fraction(1e200)]))
def test_interval_arithmetic_encloses_every_result(left, right):
    (x, xs), (y, ys) = left, right
    for a, b in product(xs, ys):
        assert encloses(x + y, a + b)
        assert encloses(x - y, a - b)
        assert encloses(x * y, a * b)
        if b:
            assert encloses(x / y, a / b)
    assert encloses(-x, -xs[0])
    assert all(encloses(x.union(y), m) for m in xs + ys)


@FEW
@given(interval_and_members(tame), fractions)
def test_interval_mixes_with_exact_numbers_from_both_sides(left, number):
    x, xs = left
    for a in xs:
        assert encloses(x + number, a + number)
        assert encloses(number + x, a + number)
        assert encloses(x - number, a - number)
        assert encloses(number - x, number - a)
        assert encloses(number * x, a * number)
        if number:
            assert encloses(x / number, a / number)
        if a:
            assert encloses(number / x, number / a)


@MANY
@given(interval_and_members(st.one_of(st.floats(0, 50), st.floats(0, 1e300))), st.fractions(-6, 6, max_denominator=40))
@example((Interval(1e-200, 1e-200), [Fraction(1e-200)]), Fraction(2))
@example((Interval(1e200, 1e300), [Fraction(1e200), Fraction(1e300)]), Fraction(3))
@example((Interval(0.0, 0.5), [Fraction(0), Fraction(1, 2), Fraction(1, 10**30)]), Fraction(-1, 2))
def test_interval_power_of_a_nonnegative_base(base, exponent):
    x, xs = base
    result = x.power(exponent)
    for a in xs:
        if a == 0 and exponent < 0:
            assert result.high == inf
        else:
            assert encloses(result, mp(a) ** mp(exponent) if a or exponent else mpmath.mpf(1))


@FEW
@given(interval_and_members(st.floats(0, 1e4)), interval_and_members(st.floats(-4, 4)))
def test_interval_power_with_an_interval_exponent(base, exponent):
    (x, xs), (e, es) = base, exponent
    for a, b in product(xs, es):
        if a > 0:
            assert encloses(x**e, mp(a) ** mp(b))


@FEW
@given(interval_and_members(st.floats(-1e3, 1e3)), st.integers(-5, 7))
def test_interval_integer_power_of_any_base(base, n):
    x, xs = base
    for a in xs:
        if a or n >= 0:
            assert encloses(x.power(n), a**n)
    if n >= 0 and n % 2 == 0:
        assert x.power(n).low >= 0


def test_interval_power_without_a_value_is_the_whole_line():
    assert (Interval(-1.0, 2.0).power(Fraction(1, 2)).low, Interval(-1.0, 2.0).power(Fraction(1, 2)).high) == (
        -inf,
        inf,
    )


@MANY
@given(interval_and_members(st.one_of(st.floats(-20, 20), st.floats(-1000, 1000))))
@example((Interval(-800.0, -750.0), [Fraction(-800), Fraction(-750)]))
@example((Interval(700.0, 800.0), [Fraction(700), Fraction(800)]))
def test_interval_exp(box):
    x, xs = box
    for a in xs:
        assert encloses(x.exp(), mpmath.exp(mp(a)))
    assert x.exp().low >= 0


@MANY
@given(interval_and_members(st.one_of(st.floats(0, 4), st.floats(0, LARGEST))))
@example((Interval(5e-324, 1.0), [Fraction(5e-324), Fraction(1)]))
def test_interval_log(box):
    x, xs = box
    for a in xs:
        assert encloses(x.log(), mpmath.log(mp(a))) if a else x.log().low == -inf


@FEW
@given(
    fractions
    | st.integers(-(10**30), 10**30)
    | tame
    | st.sampled_from([Fraction(1, 10**400), Fraction(10**400), -(10**400)])
)
def test_interval_of_a_number_holds_the_number(number):
    interval = Interval.of(number)
    assert encloses(interval, Fraction(number))
    if Fraction(1, 10**300) < abs(Fraction(number)) < 10**300:
        assert interval.high - interval.low <= 1e-15 * abs(float(number))


def ends(x: Interval) -> tuple[float, float]:
    return x.low, x.high


def test_interval_infinities_and_zeros():
    zero, one, endless, line = Interval(0.0, 0.0), Interval(1.0, 1.0), Interval(inf, inf), (-inf, inf)
    assert ends(zero.log()) == (-inf, -inf)
    assert ends((-endless).exp()) == (0.0, 0.0)
    assert ends(endless.exp()) == (inf, inf)
    assert ends(endless + one) == (inf, inf)
    assert ends(endless - endless) == line
    assert ends(zero * endless) == line
    assert ends(endless * Interval(0.0, 1.0)) == line
    assert ends(endless / endless) == line
    assert ends(one / zero) == line
    assert ends(zero / zero) == line
    assert ends(one / endless) == (0.0, 0.0)
    assert ends(zero.power(Fraction(-1, 2))) == (inf, inf)
    assert ends(zero.power(Fraction(1, 2))) == (0.0, 0.0)
    assert ends(zero.power(0)) == (1.0, 1.0)
    assert ends(one - one) == (0.0, 0.0)
    assert ends(zero * Interval(-inf, inf)) == (0.0, 0.0)  # ends bound finite members
    assert ends(Interval(-1.0, 1.0).log()) == line
    above_one = one / Interval(0.0, 1.0)
    assert above_one.high == inf
    assert 1 - 1e-15 <= above_one.low <= 1
    assert (one / Interval(-0.0, 2.0)).low > 0.49
    assert (-one / Interval(0.0, 2.0)).high < -0.49


@pytest.mark.parametrize(
    ("interval", "sign"),
    [
        ((1e-300, 2.0), 1),
        ((-2.0, -1e-300), -1),
        ((0.0, 0.0), 0),
        ((0.0, 1.0), None),
        ((-1.0, 1.0), None),
        ((math.nan,) * 2, None),
    ],
)
def test_interval_sign(interval, sign):
    assert Interval(*interval).sign == sign


def test_interval_underflow_and_overflow_do_not_pass_for_exact():
    small, large = Interval(1e-200, 1e-200), Interval(1e200, 1e200)
    assert (small * small).sign != 0
    assert (small / large).high > 0
    assert (large * large).low < inf
    assert (-large * large).high > -inf
    assert large.power(2).low < inf
    assert Interval(800.0, 800.0).exp().low < inf


# -------------------------------------------------------------------------------------------- monomials


def mp_value(x: Exact) -> mpmath.mpf:
    """A monomial to 70 digits, by mpmath from its factors."""
    assert x.factors is not None
    result = mpmath.mpf(x.sign)
    for base, exponent in x.factors.items():
        atom = mpmath.e if base == "e" else mpmath.log(mp(base[1])) if isinstance(base, tuple) else mpmath.mpf(base)
        result *= mpmath.power(atom, mp(exponent))
    return result


def near(a: mpmath.mpf, b: mpmath.mpf) -> bool:
    return bool(abs(a - b) <= mpmath.mpf(10) ** -50 * (abs(a) + abs(b)))


positive = st.fractions(Fraction(1, 40), 40, max_denominator=60)
exponents = st.fractions(-4, 4, max_denominator=6)


@st.composite
def monomials(draw: st.DrawFn) -> tuple[Exact, mpmath.mpf]:
    """A known monomial with its value computed on the side."""
    exact_, value = Exact.of(1), mpmath.mpf(1)
    for kind in draw(st.lists(st.sampled_from("rpel"), min_size=1, max_size=3)):
        x, e = draw(positive), draw(exponents)
        if kind == "r":
            exact_, value = exact_ * -x, value * -mp(x)
        elif kind == "p":
            exact_, value = exact_ * Exact.of(x) ** e, value * mp(x) ** mp(e)
        elif kind == "e":
            exact_, value = exact_ * Exact.of(e).exp(), value * mpmath.exp(mp(e))
        elif x != 1:
            exact_, value = exact_ * Exact.of(x).log(), value * mpmath.log(mp(x))
    return exact_, value


@MANY
@given(monomials(), monomials(), exponents)
@pytest.mark.slow
def test_monomials_follow_the_reals(left, right, e):
    (x, a), (y, b) = left, right
    assert near(mp_value(x), a)
    assert near(mp_value(x * y), a * b)
    assert near(mp_value(x / y), a / b)
    assert near(mp_value(-x), -a)
    for result, value in ((x + y, a + b), (x - y, a - b), (y - x, b - a)):
        assert (
            not result.known
            or near(mp_value(result), value)
            or (result.sign == 0 and abs(value) < mpmath.mpf(10) ** -50)
        )
    power = x**e
    assert power.known == (a > 0 or e.denominator == 1)
    if power.known:
        assert near(mp_value(power), a ** mp(e))
    for result, value in (
        (x.exp(), mpmath.exp(a) if abs(a) < 1e4 else None),
        (x.log(), mpmath.log(a) if a > 0 else None),
    ):
        if result.known and value is not None:
            assert near(mp_value(result), value)
    if x.rational() is not None:
        assert near(mp(x.rational()), a)
    if x.equals(y):
        assert near(a, b)
    assert x.equals(x * y / y)


@MANY
@given(fractions, fractions, st.integers(-4, 4))
def test_rational_monomials_are_the_rationals(a, b, n):
    x, y = Exact.of(a), Exact.of(b)
    assert (x + y).rational() == a + b
    assert (x - y).rational() == a - b
    assert (a - y).rational() == a - b
    assert (x * y).rational() == (a * y).rational() == a * b
    assert (x / y).rational() == (a / b if b else None)
    assert (a / y).rational() == (a / b if b else None)
    assert (x**n).rational() == (a**n if a or n >= 0 else None)
    assert x.equals(y) == (a == b)


def test_monomial_identities():
    two, three, half = Exact.of(2), Exact.of(3), Fraction(1, 2)
    assert (two**half * three**half).equals(Exact.of(6) ** half)
    assert (Exact.of(Fraction(16, 81)) ** Fraction(1, 4)).rational() == Fraction(2, 3)
    assert (Exact.of(Fraction(9, 4)).log() * half).exp().rational() == Fraction(3, 2)
    assert (-Exact.of(Fraction(9, 4)).log()).exp().rational() == Fraction(4, 9)
    assert Exact.of(Fraction(4, 9)).log().equals(-Exact.of(Fraction(9, 4)).log())
    assert (Exact.of(1).exp() * Exact.of(-1).exp()).rational() == 1
    assert (1 / Exact.of(Fraction(9, 4)).log()).known
    assert (two**half + two**half).equals(Exact.of(8) ** half)
    assert (two**half - two**half).rational() == 0
    assert Exact.of(1).log().rational() == 0
    assert (ZERO**0).rational() == 1


def test_different_monomials_are_never_equal():
    close = [
        Exact.of(Fraction(3, 2)), Exact.of(2) ** Fraction(1, 2), Exact.of(3) ** Fraction(1, 2), Exact.of(1).exp(),
        Exact.of(2).log(), Exact.of(3).log(), Exact.of(4).log(), Exact.of(2).log() ** 2, ZERO, UNKNOWN, Exact.of(-1),
        Exact.of(2003 * 2011), Exact.of(2003**2), Exact.of(2003), Exact.of(10**40 + 1), Exact.of(10**40 + 3),
    ]  # fmt: skip
    for i, x in enumerate(close):
        for j, y in enumerate(close):
            assert x.equals(y) == (i == j and x is not UNKNOWN), (x, y)


def test_unknown_monomials_spread():
    u, one = UNKNOWN, Exact.of(1)
    unknown = [
        u + 1, 1 + u, u - 1, 1 - u, u * 2, u * ZERO, ZERO * u, u / 2, 2 / u, -u, u**2, u**0, one**u, u.exp(), u.log(),
        one / 0, ZERO.log(), Exact.of(-2).log(), Exact.of(-2) ** Fraction(1, 2), ZERO**-1,
        one + Exact.of(2) ** Fraction(1, 2), Exact.of(2) ** Exact.of(2).log(), (Exact.of(2) ** Fraction(1, 2)).exp(),
        Exact.of(2).log() + Exact.of(3).log(),
    ]  # fmt: skip
    for i, x in enumerate(unknown):
        assert not x.known, i
        assert x.rational() is None, i
        assert not x.equals(x), i
    assert repr(u) == "Exact(unknown)"


# ------------------------------------------------------------------------------------------- polynomials

polys = st.lists(fractions, max_size=4).map(lambda c: Poly(tuple(c)))


@MANY
@given(polys, polys, fractions, st.integers(0, 4))
def test_polynomials_follow_the_rationals(f, g, t, n):
    a, b = f(t), g(t)
    assert (f + g)(t) == a + b
    assert (f - g)(t) == a - b
    assert (f * g)(t) == a * b
    assert (-f)(t) == -a
    assert (f**n)(t) == a**n
    assert (t - f)(t) == t - a
    assert (3 + 2 * f)(t) == 3 + 2 * a
    if t:
        assert (f / t)(t) == a / t
    constant = f.rational()
    assert constant is None or constant == a == f(t + 1)
    assert f.degree == (len(f.coefficients) - 1)
    assert (f * g).degree == (f.degree + g.degree if f.degree >= 0 <= g.degree else -1)


def test_polynomial_corners():
    t, five = Poly.variable(), Poly.of(5)
    assert (five**-1).rational() == Fraction(1, 5)
    assert (2 / five).rational() == Fraction(2, 5)
    assert Poly.of(0).exp().rational() == 1
    assert Poly.of(1).log().rational() == 0
    assert (t - t).rational() == 0
    assert (t - t).degree == -1
    assert (t**2 - 1).coefficients == (-1, 0, 1)


def test_unknown_polynomials_spread_and_have_no_value():
    t, u = Poly.variable(), Poly.unknown()
    unknown = [
        u + 1, 1 - u, u * 0, 0 * u, u / 2, 2 / u, -u, u**2, t**u, u.exp(), u.log(), t.exp(), t.log(), 1 / t, t / 0,
        t**-1, t ** Fraction(1, 2), t**65, Poly.of(2).log(), Poly.of(0) ** -1, Poly.of(1).exp(),
    ]  # fmt: skip
    for i, x in enumerate(unknown):
        assert x.coefficients is None, i
        assert x.rational() is None, i
        with pytest.raises(ValueError, match="no value"):
            x(Fraction(1))


# --------------------------------------------------------------------------------- factors and square roots


@MANY
@given(st.integers(1, 10**6) | st.integers(1, 10**40))
@example(1)
@example(2003**2)
@example(2003 * 2011)
@example(2**200)
def test_factorise(n):
    factors = factorise(n)
    assert math.prod(p**k for p, k in factors.items()) == n
    assert all(p > 1 and k > 0 for p, k in factors.items())
    small = [p for p in factors if p <= 2000]
    assert all(all(p % d for d in range(2, math.isqrt(p) + 1)) for p in small)
    assert sum(p > 2000 for p in factors) <= 1  # at most one opaque cofactor
    assert all(math.gcd(p, q) == 1 for p in factors for q in factors if p != q)


@MANY
@given(st.fractions(0, 10**4, max_denominator=500), st.fractions(0, 50, max_denominator=40))
@example(Fraction(0), Fraction(0))
@example(Fraction(1, 8), Fraction(3, 2))
def test_square_root(x, s):
    outside, inside = square_root(x)
    assert outside >= 0
    assert outside**2 * inside == x
    assert isinstance(inside, int)
    assert all(inside % (d * d) for d in range(2, min(math.isqrt(inside), 2000) + 1))
    assert square_root(s * s) == (s, 1)


# ------------------------------------------------------------------------------------ decimals and domains


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (0.7, Fraction(7, 10)), (0.1, Fraction(1, 10)), (1e-7, Fraction(1, 10**7)), (3, Fraction(3)),
        (-2.5, Fraction(-5, 2)),
        (Fraction(16, 65), Fraction(16, 65)), (Decimal("0.70"), Fraction(7, 10)), (0.0, Fraction(0)),
        (1e22, Fraction(10**22)),
    ],
)  # fmt: skip
def test_exact_takes_a_number_as_typed(typed, value):
    assert exact(typed) == value
    assert isinstance(exact(typed), Fraction)


@FEW
@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 12))
def test_every_typed_decimal_is_exact(digits, places):
    assert exact(float(f"{digits}e-{places}")) == Fraction(digits, 10**places)


def test_exact_takes_other_libraries_numbers():
    import numpy as np
    import sympy as sp

    assert exact(np.float64(0.7)) == Fraction(7, 10)
    assert exact(np.int64(3)) == 3
    assert exact(sp.Rational(16, 65)) == Fraction(16, 65)
    symbol, interval = sp.Symbol("a"), Interval(0.0, 1.0)
    assert exact(symbol) is symbol
    assert exact(interval) is interval


@pytest.mark.parametrize("bad", [math.nan, inf, -inf, Decimal("NaN"), Decimal("Infinity")])
def test_exact_refuses_what_is_not_finite(bad):
    with pytest.raises(InputError, match=r"a finite number is needed, got (nan|-?inf|NaN|Infinity)$"):
        exact(bad)


@pytest.mark.parametrize("bad", [True, False, None, "0.7", b"1", 1j])
def test_exact_refuses_what_is_no_number(bad):
    with pytest.raises(InputError, match="a number is needed, got"):
        exact(bad)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 2), "0.5"), (Fraction(30), "30"), (Fraction(1, 10**7), "1e-07"), (Fraction(16, 65), "16/65"),
        (Fraction(-4), "-4"), (Fraction(10**16 + 1), "10000000000000001"), (Fraction(10**400), str(10**400)),
        (Fraction(1, 3**700), f"1/{3**700}"), (0.25, "0.25"), ("a", "a"), (Fraction(0), "0"), (None, "None"),
    ],
)  # fmt: skip
def test_plain(value, text):
    assert plain(value) == text


@FEW
@given(fractions | st.fractions())
def test_plain_loses_nothing(x):
    assert Fraction(plain(x)) == x


@pytest.mark.parametrize(
    ("domain", "text", "inside", "outside"),
    [
        (at_least(1), "[1, inf)", [1, 2, Fraction(10**9)], [0, Fraction(999, 1000)]),
        (above(0), "(0, inf)", [Fraction(1, 10**9), 5], [0, -1]),
        (below(0), "(-inf, 0)", [-1], [0, 1]),
        (between(0, 1, low_closed=False, high_closed=True), "(0, 1]", [Fraction(1, 2), 1], [0, Fraction(1001, 1000)]),
        (between(0, 1, low_closed=True, high_closed=False), "[0, 1)", [0, Fraction(1, 2)], [1]),
        (at_least(1, integer=True), "[1, inf), whole numbers", [1, 7], [0, Fraction(3, 2)]),
        (Domain(), "(-inf, inf)", [-(10**9), 0], []),
    ],
)
def test_domains(domain, text, inside, outside):
    assert str(domain) == text
    for x in inside:
        assert domain.check("loss", "x", x) == x
    for x in outside:
        with pytest.raises(InputError) as error:
            domain.check("loss", "x", x)
        assert str(error.value) == f"loss: x = {plain(Fraction(x))} is outside its domain {text}"
    with pytest.raises(
        InputError, match=f"^loss: x: a finite number is needed, got nan; its domain is {re.escape(text)}$"
    ):
        domain.check("loss", "x", math.nan)


def test_nearest():
    assert nearest("agcee", ["gce", "agce", "mae"]) == "; did you mean 'agce'?"
    assert nearest("a", ["A"]) == "; did you mean 'A'?"
    assert nearest("AGCE", ["agce"]) == "; did you mean 'agce'?"
    assert nearest("zzzz", ["agce"]) == ""


@FEW
@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_intervals_stay_narrow(x, y):
    """Soundness alone is met by the whole line: the widening is a few units in the last place."""
    assume(abs(x - y) > 0.01)
    a, b = Interval(x, x), Interval(y, y)
    for result in (a + b, a - b, a * b, a / b, a**y, a.exp(), a.log()):
        assert result.high - result.low <= 2e-14 * max(abs(result.low), abs(result.high), 1e-2)


@pytest.mark.parametrize("n", [1, 9, 40, 1000])
def test_sums_of_powers_hold_the_exact_ones(n: int) -> None:
    """At points of [0, 1], in spans, balls and, next to an inner point and to 1, in germs; spans and balls are narrow."""
    for x in (Fraction(0), Fraction(1, 1024), Fraction(1, 2), Fraction(1023, 1024), Fraction(1)):
        powers = [x**j for j in range(n + 1)]
        wanted = [sum((powers[j] / j for j in range(1, n + 1)), Fraction(0)), sum(powers[:n], Fraction(0))]
        for function, want in zip((power_sum, geometric_sum), wanted, strict=True):
            with np.errstate(all="ignore"):
                span = function(Span.of(np.array([float(x)])), n)
            ball = function(arb(fmpq(x.numerator, x.denominator)), n)
            assert span.low[0] <= want <= span.high[0]
            assert float(span.high[0] - span.low[0]) <= 1e-12 * float(want) + 1e-300
            assert ball.overlaps(arb(fmpq(want.numerator, want.denominator)))
            assert float(ball.rad()) <= 1e-12 * float(want)
    wide = power_sum(Span(np.array([0.25]), np.array([0.75])), n)
    assert wide.low[0] <= power_sum(Span.of(np.array([0.25])), n).high[0]
    assert wide.high[0] >= power_sum(Span.of(np.array([0.75])), n).low[0]
    step = Fraction(1, 2**12)
    for point, side in ((Fraction(1), -1), (Fraction(3, 4), 1)):
        germ = germs(10).near(point, side).power_sum(n)
        x = point + side * step
        want = sum((x**j / j for j in range(1, n + 1)), Fraction(0))
        held = ball_of(germ.x0) + germ.c * ball_of(step)
        assert held.overlaps(arb(fmpq(want.numerator, want.denominator)))
