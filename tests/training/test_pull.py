"""Which way a loss pulls a sample whose wrong class is ahead."""

from __future__ import annotations

import gzip
import json
import math
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from asymtheory_training.losses.pull import bounded, pull, reversal  # noqa: E402

from asymtheory.losses import build  # noqa: E402

PAIR = [0.6, 0.4, *[0.0] * 8]


def test_the_pull_of_mae_and_ce_by_hand() -> None:
    """-dF/dz_j is 2 u_j (w_j - w.u) for MAE, whose slope is 2 where that of CE is K; it is w_j - u_j for CE."""
    for gap, mae, ce in zip((0.0, 1.5, 4.0), *(pull(build(x), PAIR, [0, 1.5, 4]) for x in ("mae", "ce")), strict=True):
        ahead = math.exp(gap) / (math.exp(gap) + 9)
        other = (1 - ahead) / 9
        mean = 0.4 * ahead + 0.6 * other
        assert mae == pytest.approx(10 * (other * (0.6 - mean) - ahead * (0.4 - mean)), rel=1e-12)
        assert ce == pytest.approx(0.2 + ahead - other, rel=1e-12)


def test_a_loss_may_pull_to_the_wrong_vertex_though_its_minimiser_is_the_right_one() -> None:
    """NCE never does; added to MAE it turns the pull round again at a large gap, which MAE alone never does."""
    assert not reversal(build("ce"), PAIR)
    assert not reversal(build("nce"), PAIR)
    ((start, end),) = reversal(build("mae"), PAIR)
    assert start < 1
    assert end == 14
    ((start, end),) = reversal(build("nce+mae"), PAIR)
    assert start < 1
    assert 4 < end < 8


def test_what_a_bounded_network_settles_for() -> None:
    """AMSE at its threshold comes near the vertex; CE stays at the weights, log 1.5 apart; MAE jumps."""
    ((top, second),) = bounded(build("amse", a=5), PAIR, [12])
    assert top == 1
    assert second < 0.2
    ((top, second),) = bounded(build("ce"), PAIR, [12])
    assert (top, second) == (1, pytest.approx(1 - math.log(1.5) / 12, abs=1 / 40))
    assert bounded(build("mae"), PAIR, [2, 3]) == [(1, 1), (1, 0)]  # from undecided to the vertex at once


def test_the_page_of_vertices_is_that_of_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setattr(sys, "path", [str(root / "benchmarks"), *sys.path])
    from _vertices_page import written  # beside the benchmarks only

    results = gzip.decompress((root / "results" / "vertices.jsonl.gz").read_bytes())
    assert (root / "docs" / "training" / "vertices.md").read_text() == written(
        list(map(json.loads, results.splitlines()))
    )
