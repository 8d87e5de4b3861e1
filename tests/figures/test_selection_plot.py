"""The plot of ``asymtheory select``."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")

from asymtheory_figures.theory import selection

from asymtheory import from_weights, select, solve
from asymtheory.noise import named


def test_the_plot_of_a_selection_steps_at_the_exact_thresholds() -> None:
    found = select(noise=named("cifar10n-worse"), losses=["amse", "phuber-ce"])
    for candidate in found.candidates:
        at, shares = selection.steps(candidate, found.estimate)
        rows = [solve(candidate.loss, from_weights(row.weights)) for row in found.estimate.noise.rows]
        ends = [answer.end.value for answer in rows if answer.end is not None]
        assert set(ends) <= set(at)
        for value, share in zip(at[:-1], shares[:-1], strict=True):
            inside = [answer.feasible for answer in rows]
            wanted = sum(value * (1 + 1e-9) in piece for piece in inside if piece is not None) / len(rows)
            assert share == pytest.approx(wanted)
