"""The ledger of the APL paper: ids, controls, verdicts under two seeds, and each counterexample by plain arithmetic."""

from __future__ import annotations

from fractions import Fraction as F
from math import log, prod

import pytest

from asymtheory.claims.ledger import PROVED, REFUTED, Effort, catalogue
from asymtheory.losses import CE, NRCE, Normalised

from .claim_checks import catalogued, check_control, check_finding, falsified, printed, registered

pytestmark = pytest.mark.xdist_group("claims_apl")

VERDICTS = {
    "apl-eq1": PROVED,
    "apl-eq2": PROVED,
    "apl-eq3": PROVED,
    "apl-eq4": REFUTED,
    "apl-eq5": REFUTED,
    "apl-lemma1": PROVED,
    "apl-lemma2": PROVED,
    "apl-lemma2-condition": REFUTED,
    "apl-lemma3": REFUTED,
    "apl-table1": PROVED,
    "apl-q-term": REFUTED,
    "apl-gce-limits": PROVED,
    "apl-nlnl": REFUTED,
    "apl-headline": REFUTED,
    "apl-majority": REFUTED,
    "apl-mae-rce-similar": REFUTED,
    "apl-passive-q": REFUTED,
    "apl-mae-decomposes": PROVED,
    "apl-sce": PROVED,
    "apl-gce-nce-mae": PROVED,
    "apl-scaling": REFUTED,
}


def test_every_claim_of_the_catalogue_is_registered():
    assert registered("apl") == set(VERDICTS)
    assert catalogued("apl") == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict_control_and_correction(name):
    for effort in (Effort(True, 0), Effort(False, 1)):
        check_finding(printed(name, effort), VERDICTS[name], 170, corrected=(PROVED,))
    for seed in (0, 1):
        check_control(name, Effort(True, seed))


def test_nrce_by_hand():
    against = printed("apl-eq4").counterexample
    rce = 4 * (1 - F(against["p_y"]))  # -A (1 - p_y)
    assert rce == F(against["loss"])
    assert rce * F(1, -4 * 9) == F(against["printed"]) == F(-1, 18)
    assert (1 - F(against["p_y"])) / 9 == F(against["true"]) == F(1, 18)


def test_nfl_by_hand():
    against = printed("apl-eq5").counterexample
    p, gamma = [0.8, 0.2], 2
    focal = [-((1 - x) ** gamma) * log(x) for x in p]
    assert focal[0] / sum(focal) == pytest.approx(against["true"])
    inside = [(1 - x) ** gamma * x for x in p]
    assert log(inside[0]) / log(prod(inside)) == pytest.approx(against["printed"])
    assert abs(against["true"] - against["printed"]) > 0.5


def test_the_share_bound_by_hand():
    against = printed("apl-lemma2-condition").counterexample
    logs = [-log(F(x)) for x in against["p"]]
    assert logs[0] / sum(logs) == pytest.approx(against["L_norm"])
    assert against["L_norm"] > against["bound"] == 1 / (against["K"] - 1)


def test_the_sum_of_tolerant_losses_by_hand():
    against = printed("apl-lemma3").counterexample
    points = [[F(x) for x in against[key]] for key in ("p", "p'")]
    coefficients = [F(against["alpha"]), F(against["beta"])]
    assert min(coefficients) > 0

    def risks(u, weights):
        mse = [sum((F(j == k) - x) ** 2 for j, x in enumerate(u)) / 3 for k in range(3)]
        return [
            sum(w * (1 - x) for w, x in zip(weights, u, strict=True)),
            sum(w * x for w, x in zip(weights, mse, strict=True)),
        ]

    order = {}
    for kind, weights in (("clean", [F(1), F(0), F(0)]), ("noisy", [F(x) for x in against["w"]])):
        one, two = (risks(u, weights) for u in points)
        total = [sum(c * x for c, x in zip(coefficients, values, strict=True)) for values in (one, two)]
        order[kind] = (one[0] < two[0], one[1] < two[1], total[0] < total[1])
    assert order["clean"][:2] == order["noisy"][:2]  # each loss alone is tolerant on {p, p'}
    assert (order["clean"][2], order["noisy"][2]) == (True, False)


def test_the_q_term_by_hand():
    against = printed("apl-q-term").counterexample
    assert against["equal"] == pytest.approx(-2 * log(0.25))
    assert against["at (0.49, 0.01)"] == pytest.approx(-log(0.49) - log(0.01))
    assert against["at (0.49, 0.01)"] > against["equal"]


def test_nlnl_by_hand():
    against = printed("apl-nlnl").counterexample
    p = [float(F(x)) for x in against["p"]]
    mean = -(log(1 - p[1]) + log(1 - p[2])) / 2
    assert against["mean over complementary labels; RCE: label y; CE, printed"] == pytest.approx([mean, -log(p[0]) / 2])
    assert against["one label; CE, printed"] == pytest.approx([-log(1 - p[1]), -log(1 - p[1]) / 2])


def test_controls_by_hand():
    entry = catalogue()["apl-lemma2"]
    against = falsified(entry.id).counterexample
    w, best, other = ([F(x) for x in against[key]] for key in ("weights", "f*", "f"))
    assert sum(best) == sum(other) == 1
    assert best[0] == other[0] == 0
    assert max(other) <= entry.falsified(3)
    assert sum(a * b for a, b in zip(w, other, strict=True)) < sum(a * b for a, b in zip(w, best, strict=True))
    entry = catalogue()["apl-lemma1"]
    against = falsified(entry.id).counterexample
    eta = F(against["eta"])
    assert eta < entry.falsified(F(10))
    assert [(1 - eta) * k + eta / 9 * (8 + (1 - k)) for k in (0, 1)] == [
        9 * F(x) for x in against["noisy risk at e_y, e_k"]
    ]


def test_a_broken_core_is_refuted(monkeypatch):
    right = Normalised.labels
    monkeypatch.setattr(
        Normalised, "labels", lambda self, p, logp, xp: right(self, p, logp, xp) * xp.number(F(101, 100))
    )
    assert printed("apl-eq1").verdict is REFUTED
    assert printed("apl-eq2").verdict is REFUTED
    monkeypatch.undo()
    monkeypatch.setattr(NRCE, "scale", lambda self, K: F(1) / K)
    assert "fails" in printed("apl-eq4").details[0]
    monkeypatch.undo()
    monkeypatch.setattr(CE, "active", lambda self, p, logp, xp: -logp * p)
    assert printed("apl-gce-limits").verdict is REFUTED
