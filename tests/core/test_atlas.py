"""The atlas says of each loss what the core computes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from asymtheory.atlas import atlas, describe, kind, page, symmetric_constant
from asymtheory.cli import main
from asymtheory.losses import LogitClipCE, build, names

PASSIVE = {
    "mae",
    "mse",
    "rce",
    "nmae",
    "nrce",
    "nnce",
    "nnfl",
    "amse",
    "sce",
    "anl-ce",
    "anl-fl",
    "jal-ce",
    "jal-fl",
} | {
    "bi-tempered",
    "sr",
    "label-smoothing",
    "cdpo",
    "rdpo",
}


@pytest.mark.parametrize("name", list(names()))
@pytest.mark.parametrize("K", [2, 5, 10])
def test_the_symmetric_constant_is_the_sum_over_labels(name: str, K: int) -> None:
    loss = build(name)
    sums = loss(np.random.default_rng(0).dirichlet(np.ones(K), size=50) * (1 - K * 1e-6) + 1e-6).sum(-1)
    constant = symmetric_constant(loss, K)
    if constant is None:
        # the two labels of a coin can hide it, three cannot; what is not constant must be seen to vary
        assert K == 2 or np.ptp(sums) > 1e-6 * abs(sums).max()
    else:
        np.testing.assert_allclose(sums, float(constant), rtol=1e-9)


def test_active_and_passive_follow_the_definitions() -> None:
    for name in names():
        expected = name in PASSIVE or name.endswith(("+mae", "+rce"))
        assert (kind(build(name)) == "passive") == expected, name


@pytest.mark.parametrize(
    ("name", "parameters", "text"),
    [
        ("agce", {"a": 1, "q": 0.5}, "c >= 1.414"),
        ("aul", {"a": 2, "p": 2}, "c >= 2"),
        ("ael", {"a": 1}, "c >= 2.718"),
        ("amse", {"a": 20}, "margin >= 0.05"),
        ("amse", {"a": 3, "q": 3}, "0.5556 w_m - w_n >= 0.1111 W"),
        ("agce", {"a": 1, "q": 2}, "completely"),
        ("nnce", {}, "completely"),
        ("ngce", {}, "rest uniform"),
        ("nce", {}, "never (no unique minimiser)"),
        ("ce", {}, "never"),
        ("jal-ce", {"a": 20}, "margin >= 0.05"),
        ("logitclip-ce", {}, "rest uniform, tight clip"),
    ],
)
def test_where_a_loss_is_asymmetric(name: str, parameters: dict[str, float], text: str) -> None:
    assert describe(build(name, **parameters), 10).asymmetric == text


def test_pages_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert "JAL Table 8" in str(page("jal-ce"))
    assert main(["losses", "--json", "--K", "4"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["classes"] == 4
    assert [loss["name"] for loss in facts["losses"]] == list(names())
    assert main(["losses", "--K", "4"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(facts["losses"]) + 4
    assert main(["losses", "amze"]) == 2
    assert "did you mean 'amse'" in capsys.readouterr().err


def test_every_loss_has_a_ratio_or_a_reason() -> None:
    without = {entry.loss.name for entry in atlas(3).entries if entry.ratio is None}
    assert LogitClipCE.name in without
    assert not without & {"ce", "mae", "gce", "agce", "aul", "ael", "taylor-ce", "phuber-ce", "unhinged", "sce"}
