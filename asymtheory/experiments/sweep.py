"""The values of a parameter on the command line: ``NAME=LOW:HIGH:COUNT``."""

from __future__ import annotations

from fractions import Fraction

from ..errors import InputError
from ..numbers.text import parse_number
from ..reading.limits import at_most, most

MOST_VALUES = 100_000


def parse_sweep(text: str) -> tuple[str, tuple[Fraction, ...]]:
    """``NAME=LOW:HIGH:COUNT`` (evenly spaced, exact) or with ``:log`` (geometric) as (name, values).

    Raises InputError for another syntax, no points, LOW > HIGH, or ends that are not positive on a geometric sweep.
    """
    name, equals, given = text.partition("=")
    parts = given.split(":")
    if not (name and equals) or len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise InputError(f"--sweep {text!r}: NAME=LOW:HIGH:COUNT is needed, or NAME=LOW:HIGH:COUNT:log")
    low, high = (parse_number(part, f"--sweep {name}") for part in parts[:2])
    if not parts[2].isascii() or not parts[2].isdigit():
        raise InputError(f"--sweep {text!r}: COUNT must be a whole number >= 1")
    count = int(parts[2][:20])
    if count == 0:
        raise InputError(f"--sweep {text!r}: a sweep with no points; COUNT must be >= 1")
    if count > most(MOST_VALUES):
        raise InputError(f"--sweep {text!r}: COUNT: {at_most(MOST_VALUES)}")
    if low > high or (low == high and count > 1) or (low < high and count == 1):
        raise InputError(f"--sweep {text!r}: LOW < HIGH is needed, or LOW = HIGH with COUNT = 1")
    if len(parts) == 3:
        return name, tuple(low + (high - low) * Fraction(i, max(count - 1, 1)) for i in range(count))
    if low <= 0:
        raise InputError(f"--sweep {text!r}: a geometric sweep needs LOW > 0")
    growth = (float(high) / float(low)) ** (1 / max(count - 1, 1))
    inner = [Fraction(f"{float(low) * growth**i:.12g}") for i in range(1, count - 1)]
    return name, (low, *inner, *([high] if count > 1 else []))
