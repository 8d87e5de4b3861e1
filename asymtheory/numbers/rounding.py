"""Sums, products and quotients of float arrays, rounded upwards: upper bounds of the exact results, and exact where floats are.

The processor rounds upwards when it is told to (``fesetround`` of the C library, IEEE 754), and only while one array operation
runs. Whether NumPy's loops obey is tried out once, on lengths that reach all of them; where they do not, or there is no
``fesetround``, a result is moved to the next float above unless it is seen to be exact. A lower bound is minus an upper bound.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEAREST = 0
UPWARD = {"x86_64": 0x800, "AMD64": 0x800, "aarch64": 0x400000, "arm64": 0x400000}  # FE_UPWARD by kind of processor
LENGTHS = (*range(1, 18), 33, 1000)


def sum_up(x: Array, y: Array) -> Array:
    """``x + y``, rounded upwards."""
    return _rounded()(np.add, x, y)


def product_up(x: Array, y: Array) -> Array:
    """``x y``, rounded upwards."""
    return _rounded()(np.multiply, x, y)


def quotient_up(x: Array, y: Array) -> Array:
    """``x / y``, rounded upwards."""
    return _rounded()(np.divide, x, y)


Rounded = Callable[[np.ufunc, Array, Array], Array]


@cache
def _rounded() -> Rounded:
    """How results are rounded upwards here."""
    by_processor = processor()
    return by_processor if by_processor is not None and obeyed(by_processor) else software


def processor() -> Rounded | None:
    """The rounding of the processor, if this system lets it be set."""
    try:
        switch, upward = ctypes.PyDLL(None).fesetround, UPWARD[platform.machine()]
    except (AttributeError, KeyError, OSError, TypeError):
        return None

    def rounded(operation: np.ufunc, x: Array, y: Array) -> Array:
        try:
            switch(upward)
            result: Array = operation(x, y)
        finally:
            switch(NEAREST)
        return result

    return rounded


def obeyed(rounded: Rounded) -> bool:
    """Do sums, products and quotients of arrays of many lengths and layouts come out above, and those after it to nearest again?"""
    tiny, more, third = 2.0**-60, 1 + 2.0**-52, np.nextafter(1 / 3, 1)
    for n in LENGTHS:
        one, many = np.ones(1), np.ones(n)
        for x in (many, np.ones((n, 2))[:, 1], one):
            good = (
                (rounded(np.add, x, many * tiny) > 1).all()
                and (rounded(np.add, -x, many * tiny) > -1).all()
                and (rounded(np.multiply, x * more, many * more) > more * more).all()
                and (rounded(np.multiply, x * 2.0**-1074, many / 2) > 0).all()
                and (rounded(np.divide, x, many * 3) == third).all()
                and (rounded(np.divide, -x, many * 3) == -1 / 3).all()
            )
            if not good or not (x + tiny == 1).all():
                return False
    return True


def software(operation: np.ufunc, x: Array, y: Array) -> Array:
    """The next float above what is rounded to nearest; the result itself where a sum has no error above, or one operand is 0."""
    found: Array = operation(x, y)
    if operation is np.add:
        part = found - x
        exact = (x - (found - part)) + (y - part) <= 0  # not so where something is infinite
    else:
        exact = (x == 0) | (y == 0)
    return np.where(exact, found, np.nextafter(found, np.inf))
