"""``select`` in the manner of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

try:
    from sklearn.base import BaseEstimator
except ImportError as error:  # an optional package: the selection itself needs none
    raise ImportError("AsymmetricLossSelector needs scikit-learn: pip install 'asymtheory[estimate]'") from error

from ..errors import InputError
from ..losses.base import Loss
from .select import Selection, select


class AsymmetricLossSelector(BaseEstimator):
    """``select`` as an estimator of scikit-learn: parameters in the constructor, ``fit``, results with a trailing underscore.

        selector = AsymmetricLossSelector(confidence=0.95).fit(noisy_labels, pred_probs)
        selector.loss_           # the best candidate's loss, with its parameters
        selector.selection_      # everything

    It learns from labels, not from a table of features: ``fit`` takes noisy labels (N,) where other estimators take X, and there
    is nothing to predict. Parameters are those of :func:`.select.select`, ``random_state`` its seed.
    """

    selection_: Selection
    loss_: Loss

    def __init__(self, confidence: float = 0.95, losses: Sequence[str] | None = None, random_state: int = 0) -> None:
        self.confidence = confidence
        self.losses = losses
        self.random_state = random_state

    def fit(self, noisy_labels: Any, pred_probs: Any = None, clean_labels: Any = None) -> Self:
        """Noisy labels (N,), and out-of-sample probabilities (N, K) or clean labels (N,), which may have gaps. InputError."""
        if pred_probs is None and clean_labels is None:
            raise InputError(
                "fit needs pred_probs (out-of-sample probabilities) or clean_labels beside the noisy labels"
            )
        self.selection_ = select(
            labels=noisy_labels, probs=pred_probs, clean=clean_labels, confidence=self.confidence,
            losses=self.losses, seed=self.random_state,
        )  # fmt: skip
        self.loss_ = self.selection_.best.loss
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.categorical = tags.input_tags.string = tags.input_tags.allow_nan = True
        return tags
