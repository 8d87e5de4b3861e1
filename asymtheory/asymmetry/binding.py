"""Which rows of a noise model have to be looked at."""

from __future__ import annotations

from ..noise.rows import NoiseModel, Row
from ..numbers.scalar import Scalar
from ..numbers.text import Number


def distinct_rows(model: NoiseModel) -> list[tuple[int, Row]]:
    """The rows of a model that differ by more than the order and the scale of their weights."""
    seen: dict[tuple[Scalar, ...], tuple[int, Row]] = {}
    for index, row in enumerate(model.rows):
        others = sorted(w for k, w in enumerate(row.weights) if k != row.target)
        seen.setdefault((row.top / row.total, *(w / row.total for w in others)), (index, row))
    return list(seen.values())


def binding_rows(model: NoiseModel) -> list[tuple[int, Row]]:
    """The rows that can bind: one with a larger w_m/W and a smaller w_n/W than another is implied by it.

    Every rule here depends on these two shares only and is monotone in both (docs/theory.md); rows whose rest is
    uniform are kept apart.
    """
    rows = [(row.top / row.total, row.second / row.total, index, row) for index, row in enumerate(model.rows)]
    rows.sort(key=lambda r: (r[0], -r[1], r[2]))
    kept: list[tuple[int, Row]] = []
    largest: dict[bool, Number] = {True: -1, False: -1}
    for _, second, index, row in rows:
        if second > largest[row.uniform_rest]:
            largest[row.uniform_rest] = second
            kept.append((index, row))
    return sorted(kept, key=lambda r: r[0])
