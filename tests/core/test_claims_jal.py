"""The ledger of the JAL paper: ids, controls, verdicts under two seeds, and each counterexample by plain arithmetic."""

from __future__ import annotations

from fractions import Fraction as F
from math import log
from pathlib import Path

import numpy as np
import pytest

from asymtheory.claims import jal
from asymtheory.claims.ledger import PROVED, REFUTED, Effort
from asymtheory.losses import AMSE
from asymtheory.losses.published import published_settings
from asymtheory.noise import cifar100_names, from_labels

from .claim_checks import catalogued, check_control, check_finding, falsified, printed, registered

pytestmark = pytest.mark.xdist_group("claims_jal")

SHARED = Path(__file__).parents[3] / "shared"
VERDICTS = {
    "jal-eq7": PROVED,
    "jal-passive": PROVED,
    "jal-thm41": PROVED,
    "jal-proof-sup": PROVED,
    "jal-a9": PROVED,
    "jal-a473": REFUTED,
    "jal-q1": PROVED,
    "jal-gradient": PROVED,
    "jal-tolerance": REFUTED,
    "jal-table8": REFUTED,
    "jal-no-passive": REFUTED,
    "jal-nce-agce": PROVED,
    "jal-thm41-concave": REFUTED,
    "jal-thm41-derivative": REFUTED,
    "jal-larger-a": REFUTED,
    "jal-clean-weight": REFUTED,
}


def amse_risk(w, u, a, q=2):
    """(1/K) sum_k w_k ((a - u_k)^q + sum_{j != k} u_j^q), in whatever numbers come in."""
    powers = [x**q for x in u]
    return sum(x * ((a - y) ** q + sum(powers) - y**q) for x, y in zip(w, u, strict=True)) / len(u)


def vertex(K):
    return [F(k == 0) for k in range(K)]


def test_every_claim_of_the_catalogue_is_registered():
    assert registered("jal") == set(VERDICTS)
    assert catalogued("jal") == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict_control_and_correction(name):
    for effort in (Effort(True, 0), Effort(False, 1)):
        check_finding(printed(name, effort), VERDICTS[name], 170)
    for seed in (0, 1):
        check_control(name, Effort(True, seed))


def test_473_by_hand():
    shown = printed("jal-a473").counterexample
    a = F(shown["a"])
    assert (a**2 + 9) / (a - 1) ** 2 == F(shown["needed"]) > F(9, 4)
    w = [F(1, 5), *[F(4, 45)] * 9]
    t = F(shown["u"][1])
    u = [1 - 9 * t, *[t] * 9]
    assert u[0] == F(shown["u"][0])
    difference = amse_risk(w, u, a, 3) - amse_risk(w, vertex(10), a, 3)
    assert difference == F(shown["risk minus risk at e_m"]) < 0
    a = F("4.74")
    assert (a**2 + 9) / (a - 1) ** 2 <= F(9, 4)


def test_the_premise_of_jal_by_hand():
    shown = printed("jal-tolerance").counterexample
    for point, value in (("p", "risk at p"), ("p2", "risk at p2")):
        logs = [log(x) for x in shown[point]]
        assert sum(w * x for w, x in zip(shown["w"], logs, strict=True)) / sum(logs) == pytest.approx(shown[value])
    assert shown["risk at p2"] < shown["risk at p"]
    assert shown["p"][0] > 0.9
    assert shown["p2"][1] > shown["p2"][0]  # less risk, and class 2 is predicted


def test_95_percent_of_the_threshold_by_hand():
    shown = falsified("jal-tolerance").counterexample
    w, a, u = [F(1, 5), *[F(4, 45)] * 9], F(shown["a"]), [F(x) for x in shown["u"]]
    assert sum(u) == 1
    assert u[-1] == 0  # where NCE tends to its infimum
    assert amse_risk(w, u, a) - amse_risk(w, vertex(10), a) == F(shown["AMSE risk minus that at e_m"]) < 0


def test_theorem_control_by_hand():
    shown = falsified("jal-thm41").counterexample
    w, a, q = shown["weights"], shown["a"], float(F(shown["q"]))
    assert shown["claimed"] is True  # the falsified threshold is met, and yet:
    assert len(shown["at"]) == len(w)
    here, there = amse_risk(w, shown["at"], a, q), amse_risk(w, [1.0, *[0.0] * (len(w) - 1)], a, q)
    assert here == pytest.approx(shown["least risk"], rel=1e-9)
    assert there == pytest.approx(shown["risk at e_m"], rel=1e-9)
    assert here < there * (1 - 1e-6)


def test_table_8_by_hand():
    finding = printed("jal-table8")
    shown = finding.counterexample
    assert shown["kept"] < shown["labelled as rival"]
    for dataset, a in jal.PRINTED_A.items():
        assert {s.parameters["a"] for name in ("jal-ce", "jal-fl") for s in published_settings(name, dataset)} == {a}
    needs = {name: F(jal.IMAGES, kept - rival) for name, (kept, _, rival) in jal.CIFAR100N.items() if kept > rival}
    assert {name: round(float(x), 2) for name, x in needs.items()} == {
        "flatfish": 83.33,
        "porcupine": 41.67,
        "beaver": 27.78,
    }
    assert min(needs.values()) > jal.PRINTED_A["cifar100"]
    assert "9 (symmetric 0.8)" in finding.corrected.evidence
    assert "5.211" in finding.corrected.evidence  # 1/(0.2 - 0.8/99)


def test_the_counts_of_cifar100n():
    folder = SHARED / "data" / "noisy-labels"
    if not folder.exists():
        pytest.skip("the labels are not beside this checkout")
    names = cifar100_names()
    with np.load(folder / "cifar100n_labels.npz") as data:
        model = from_labels(data["clean_label"].astype(int), data["noisy_label"].astype(int), 100)
    failing = {}
    for row in model.rows:
        if row.margin * 20 < 1:
            counts = row.top * jal.IMAGES, names[row.runner_up], row.second * jal.IMAGES
            failing[names[row.target]] = counts
    assert failing == jal.CIFAR100N
    with np.load(folder / "cifar10n_labels.npz") as clean, np.load(folder / "cifar10_idn_labels.npz") as noisy:
        idn = from_labels(clean["clean_label"].astype(int), noisy["idn_0_6"].astype(int), 10)
    assert float(idn.margin) == pytest.approx(0.1544)


def test_the_step_of_the_printed_proof_that_fails():
    assert "57/4 < 117/8" in jal._chain()
    f, cut = [F(1, 2), F(1, 4), F(1, 4)], [F(1, 2), F(1, 4), F(0)]
    assert [amse_risk([3, 2, 1], u, F(3)) for u in (f, cut)] == [F(57, 4), F(117, 8)]


def test_a_broken_core_is_refuted(monkeypatch):
    right = AMSE.passive
    monkeypatch.setattr(AMSE, "passive", lambda self, p, logp, xp: right(self, p, logp, xp) * xp.number(F(11, 10)))
    jal._core_threshold.cache_clear()
    try:
        for name in ("jal-thm41", "jal-eq7", "jal-a9"):
            assert printed(name).verdict is REFUTED
    finally:
        jal._core_threshold.cache_clear()
