"""Which rows of a noise model have to be looked at."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

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


def binding_rows(model: NoiseModel, by_equality: bool = False) -> list[tuple[int, Row]]:
    """The rows that can bind: one with a larger w_m/W and a smaller w_n/W than another is implied by it.

    Every inequality here depends on these two shares only and is monotone in both (docs/theory.md); rows whose rest is
    uniform are kept apart. Where a search decides, ``rows_by_all_weights`` can bind. ``by_equality``: a yes needs an equality
    in the weights (``rules.by_equality``), which cleaner labels break, too: then no row implies another one.
    """
    if by_equality:
        return distinct_rows(model)
    rows = [(row.top / row.total, row.second / row.total, index, row) for index, row in enumerate(model.rows)]
    rows.sort(key=lambda r: (r[0], -r[1], r[2]))
    kept: list[tuple[int, Row]] = []
    largest: dict[bool, Number] = {True: -1, False: -1}
    for _, second, index, row in rows:
        if second > largest[row.uniform_rest]:
            largest[row.uniform_rest] = second
            kept.append((index, row))
    return sorted(kept, key=lambda r: r[0])


def rows_by_all_weights(model: NoiseModel, ordered: bool) -> list[tuple[int, Row]]:
    """The rows that can bind where the verdict depends on all weights, not on the two largest alone.

    ``ordered``: the excess is ``sum_k w_k f(u_k)`` and what no weight changes, with f decreasing. Then, with total weight 1, a row
    is implied by another that has no larger w_m and for each j no smaller sum of its j largest other weights: at a minimum the
    other entries are ordered as the weights, and Abel summation gives the excess as a sum in which each of these counts down.
    """
    rows = distinct_rows(model)
    if not ordered or len(rows) < 2:
        return rows
    parts = [_top_and_sums(row) for _, row in rows]
    return [
        row
        for i, row in enumerate(rows)
        if not any(j != i and all(a >= b for a, b in zip(parts[j], parts[i], strict=True)) for j in range(len(rows)))
    ]


def _top_and_sums(row: Row) -> list[Fraction]:
    """Minus the share of the largest weight, and the sums of shares of the others, the largest first."""
    exact = [Fraction(w) for w in row.weights]
    total = sum(exact, Fraction(0))
    others = sorted((w / total for k, w in enumerate(exact) if k != row.target), reverse=True)
    return [-exact[row.target] / total, *accumulate(others)]
