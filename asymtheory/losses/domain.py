"""Parameters of a loss: exact values in an interval that validates itself."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..errors import InputError
from ..numbers.scalar import Scalar
from ..numbers.text import exact, plain


@dataclass(frozen=True)
class Domain:
    """An interval of allowed values. ``None``: unbounded on that side; ``integer`` admits whole numbers only."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_closed: bool = True
    high_closed: bool = True
    integer: bool = False

    def __contains__(self, value: Scalar) -> bool:
        if self.low is not None and (value < self.low or (value == self.low and not self.low_closed)):
            return False
        if self.high is not None and (value > self.high or (value == self.high and not self.high_closed)):
            return False
        return not self.integer or value == int(value)

    def __str__(self) -> str:
        left = "(-inf" if self.low is None else ("[" if self.low_closed else "(") + plain(self.low)
        right = "inf)" if self.high is None else plain(self.high) + ("]" if self.high_closed else ")")
        return f"{left}, {right}" + (", whole numbers" if self.integer else "")

    def tried(self) -> list[float]:
        """Values to try: geometric towards a finite end and towards infinity."""
        steps = [2.0**k for k in range(-30, 31)]
        low, high = self.low, self.high
        if low is not None and high is not None:
            width = float(high - low)
            shares = {
                *(s for s in steps if s < 0.5),
                *(1 - s for s in steps if s < 0.5),
                *(j / 40 for j in range(1, 40)),
            }
            return [x for x in sorted(float(low) + width * s for s in shares) if low < x < high]
        if low is not None:
            return sorted(x for x in {float(low) + s for s in steps} if x > low)
        if high is not None:
            return sorted(x for x in {float(high) - s for s in steps} if x < high)
        return sorted({0.0, *steps, *(-s for s in steps)})

    def check(self, owner: str, name: str, value: Scalar) -> Scalar:
        """The exact value, or InputError naming the parameter, the value and the domain."""
        try:
            number = exact(value)
        except InputError as error:
            raise InputError(f"{owner}: {name}: {error}; its domain is {self}") from None
        if isinstance(number, Fraction) and number not in self:
            raise InputError(f"{owner}: {name} = {plain(number)} is outside its domain {self}")
        return number


def at_least(low: Scalar, *, integer: bool = False) -> Domain:
    return Domain(low=Fraction(low), integer=integer)


def above(low: Scalar) -> Domain:
    return Domain(low=Fraction(low), low_closed=False)


def between(low: Scalar, high: Scalar, *, low_closed: bool, high_closed: bool) -> Domain:
    return Domain(Fraction(low), Fraction(high), low_closed, high_closed)


def below(high: Scalar) -> Domain:
    return Domain(high=Fraction(high), high_closed=False)


DEFAULT_DOMAIN = above(0)
"""Of a parameter of a user's formula."""


def own_value(domain: Domain, name: str, value: Scalar) -> Scalar:
    """The exact value of a parameter of a user's formula; InputError where it is outside its domain."""
    try:
        return domain.check("formula", name, value)
    except InputError as error:
        hint = f" (--domain {name}=LOW:HIGH allows others)" if domain == DEFAULT_DOMAIN else ""
        raise InputError(f"{error}{hint}") from None
