"""Losses of margins: known cases, the thresholds for flipped preferences against the expected loss itself, bad input.

Seen failing: with margin and 0 swapped, and with a preference read as that of the second answer.
"""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import BelowThreshold, PreferenceLoss, preference_loss, preference_threshold  # noqa: E402
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid  # noqa: E402

from asymtheory import InputError, build  # noqa: E402

MARGINS = torch.tensor([[-3.0, 0.0, 0.5], [4.0, 40.0, -200.0]], dtype=torch.float64)


def test_known_cases() -> None:
    """DPO, conservative DPO, and the losses that are linear in sigmoid(margin)."""
    m = MARGINS.clone().requires_grad_()
    each = preference_loss(m, loss="ce", reduction="none")
    torch.testing.assert_close(each, -logsigmoid(m))
    assert torch.autograd.gradcheck(PreferenceLoss("agce"), (m,))
    torch.testing.assert_close(preference_loss(m, loss="mae"), (2 * torch.sigmoid(-m)).mean())
    wanted = binary_cross_entropy_with_logits(m, torch.full_like(m, 0.9))
    torch.testing.assert_close(preference_loss(m, 0.9, loss="ce"), wanted)
    certain = torch.tensor([[1.0, 0.0, 0.5], [0.2, 1.0, 0.0]])
    wanted = binary_cross_entropy_with_logits(m, certain.double(), reduction="sum")
    torch.testing.assert_close(preference_loss(m, certain, loss="ce", reduction="sum"), wanted, rtol=1e-6, atol=0)


def test_shapes_and_types() -> None:
    for shape in ((), (4,), (2, 3)):
        m = torch.zeros(shape, dtype=torch.bfloat16, requires_grad=True)
        each = preference_loss(m, reduction="none")
        assert (each.shape, each.dtype) == (shape, torch.float32)
        (slope,) = torch.autograd.grad(each.sum(), m)
        assert slope.dtype == torch.bfloat16
        assert bool((slope < 0).all())


@pytest.mark.parametrize(("loss", "fixed"), [("agce", {"q": 0.6}), ("amse", {}), ("jal-ce", {}), ("aul", {"p": 1.5})])
@pytest.mark.parametrize("eta", [0.1, 0.3, Fraction(9, 20)])
def test_thresholds_are_where_more_margin_stops_to_cost(loss: str, fixed: dict[str, Any], eta: Any) -> None:
    """Above the threshold the expected loss is least at the largest margin, below it in between, where training stops."""
    threshold = preference_threshold(loss, eta, **fixed)
    assert threshold.status == "threshold"
    least = float(threshold.end.value)
    margins = torch.linspace(-40, 40, 4001, dtype=torch.float64)
    for factor, at_end in ((0.9, False), (1.1, True)):
        if loss == "aul" and least * factor <= 1:
            continue  # outside the domain of a
        expected = preference_loss(margins, 1 - float(eta), loss=loss, reduction="none", a=least * factor, **fixed)
        assert (float(expected.min()) >= float(expected[-1]) - 1e-12) == at_end


def test_eta_warns_below_the_threshold() -> None:
    with pytest.warns(
        BelowThreshold, match=r"agce with a = 0.1 is not asymmetric on this noise; it is for: a >= 0.136676"
    ):
        PreferenceLoss("agce", a=0.1, q=0.6, eta=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PreferenceLoss(build("agce", a=0.2, q=0.6), eta=0.3)
        PreferenceLoss("agce", eta=0)


@pytest.mark.parametrize("eta", [0.5, 0.7, -0.1, float("nan")])
def test_eta_is_a_share_below_one_half(eta: float) -> None:
    for call in (lambda: preference_threshold("agce", eta), lambda: PreferenceLoss("agce", eta=eta)):
        with pytest.raises(InputError, match="eta"):
            call()


def test_bad_input() -> None:
    with pytest.raises(InputError, match="margin: a floating-point"):
        preference_loss(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(InputError, match=r"preference: a number or a tensor \(2, 3\)"):
        preference_loss(MARGINS, torch.zeros(3))
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        preference_loss(MARGINS, 1.2)
    with pytest.raises(InputError, match="not one of a margin"):
        preference_loss(MARGINS, loss="nlnl")
    with pytest.raises(InputError, match="agcee"):
        preference_threshold("agcee", 0.2)
