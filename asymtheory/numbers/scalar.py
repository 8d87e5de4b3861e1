"""One name for a number of any backend."""

from __future__ import annotations

from typing import Any, TypeAlias

Scalar: TypeAlias = Any
"""A float, Fraction, Exact, Poly, Interval, Jet, numpy array, Arb ball or sympy expression: whatever a formula runs on."""
