"""The domain of a parameter, cut at the kinks: one writing that every threshold asks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from asymtheory.errors import InputError
from asymtheory.losses import AGCE, AMSE, GCE, NCE, NNCE, Loss, TaylorCE, at_least
from asymtheory.noise import symmetric
from asymtheory.selection.floats import feasible
from asymtheory.threshold import solve
from asymtheory.threshold.ranges import ranges

F = Fraction


@pytest.mark.parametrize(
    ("loss", "parameter", "intervals", "points"),
    [
        (AGCE(), "q", [(0, 1), (1, None)], [1]),
        (GCE(), "q", [(0, 1)], [1]),
        (AMSE(), "a", [(1, None)], [1]),
        (AMSE() + GCE(), "q", [(0, 1)], [1]),  # q is shared: GCE allows q <= 1 only
        (AMSE() + GCE(), "amse.q", [(0, 1), (1, None)], [1]),
        (TaylorCE(), "t", [(1, None)], [1]),
        (NNCE(), "p_min", [(0, F(1, 10))], []),
        (NCE() + AGCE(), "alpha", [(0, None)], []),
    ],
)
def test_domains_are_cut_at_the_kinks(
    loss: Loss, parameter: str, intervals: list[tuple[object, object]], points: list[object]
) -> None:
    found = ranges(loss, parameter, 10)
    assert found.intervals == intervals
    assert found.points == points


def test_no_common_value_is_refused() -> None:
    class Steep(GCE):
        domains = {"q": at_least(2)}  # noqa: RUF012

    with pytest.raises(InputError, match="no value lies in the domains of all terms"):
        ranges(GCE() + Steep(q=3), "q", 10)


def test_floats_leave_room_for_all_classes_as_the_exact_threshold_does() -> None:
    """p_min < 1/K: the float path once searched up to 1."""
    model = symmetric(10, F(2, 5))
    row = model.rows[0]
    top, second = np.array([float(row.top / row.total)]), np.array([float(row.second / row.total)])
    found, exact = feasible(NNCE(), "p_min", model, top, second, True), solve(NNCE(), model, "p_min")
    assert found.status == exact.status == "always"
    (piece,), (true,) = found.pieces, exact.pieces
    assert piece.high is not None
    assert true.high is not None
    assert piece.high.number == true.high.number == F(1, 10)
