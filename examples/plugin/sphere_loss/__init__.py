"""A loss in a package of its own: found by ``asymtheory bound --loss sphere`` once it is installed."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from asymtheory.losses import CONVEX, LINEAR, Curvature, Separable, above
from asymtheory.numbers.backends import Backend
from asymtheory.numbers.scalar import Scalar


class Sphere(Separable):
    """(1 + a - u_y)^2, a > 0; c >= (1+a)/a. Source: an example."""

    name, title = "sphere", "sphere"
    formula = "(1 + a - u_y)^2"
    source = "an example of a contributed loss"
    domains: ClassVar = {"a": above(0)}
    defaults: ClassVar = {"a": Fraction(1)}
    main = "a"
    a: Scalar

    def active(self, p: Scalar, logp: Scalar, xp: Backend) -> Scalar:
        return (1 - p + self.a) ** 2

    def curvature(self) -> Curvature:
        return CONVEX, LINEAR  # l'' = 2
