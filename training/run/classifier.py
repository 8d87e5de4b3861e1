"""A classifier for noisy labels in the manner of scikit-learn: ``RobustClassifier(loss="jal-ce", noise="symmetric", eta=0.4)``.

It is written on :func:`.fit.fit`, not on skorch: skorch 1.4 fails 42 of the 55 checks of scikit-learn 1.9's ``check_estimator``
(its arrays must already be float32, and labels int64), which this class passes, and it would bring a second training loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
from torch import nn

from asymtheory.errors import InputError, printable
from asymtheory.losses import Loss
from asymtheory.noise import NoiseModel
from asymtheory.numbers.scalar import Scalar
from asymtheory.numbers.text import Number

from ..data.given import inputs_of
from ..data.inputs import mapped
from ..losses.module import MULTI_HOT
from .calls import Call
from .choose import chosen_loss
from .config import Settings
from .fit import fit
from .optimiser import MakeOptimiser
from .record import History

HIDDEN = 100
"""Units of the network that is taken where none is given: one hidden layer, as scikit-learn's MLPClassifier has it."""


class RobustClassifier(ClassifierMixin, BaseEstimator):
    """A network trained with a robust loss on labels of which some are wrong.

    ``loss``, ``parameters``, ``noise`` and ``eta`` are those of :func:`.fit.fit`: with a noise and without parameters the loss gets
    those that ``asymtheory select`` recommends on it. ``module`` is the network: an ``nn.Module`` that takes X and returns logits,
    one a class, which is copied; or what makes one of the numbers of features and of classes; None for one hidden layer of 100
    units. The other parameters are those of ``fit``; ``random_state`` is its seed, and that of the weights a factory draws.

    X (N, d), or (N, ...) for a module of one's own, is floats; whole numbers stay such where it is an instance with an
    ``nn.Embedding``. Scale X first, in a Pipeline. Labels are of any kind; their values are sorted, as everywhere in scikit-learn,
    so -1 is a class. There is no ``sample_weight``: a weight of 2 would have to be worth two samples, which it is not in steps on
    batches.

    After ``fit``: ``classes_``, ``module_``, ``loss_`` (with its parameters), ``history_``, ``n_features_in_``, ``n_iter_``
    (epochs).
    """

    classes_: NDArray[Any]
    module_: nn.Module
    loss_: nn.Module
    history_: History
    n_features_in_: int
    n_iter_: int

    def __init__(
        self,
        loss: str | Loss | nn.Module = "jal-ce",
        *,
        parameters: Mapping[str, Scalar] | None = None,
        noise: str | NoiseModel | Iterable[Scalar] | None = None,
        eta: Number | None = None,
        module: nn.Module | Callable[[int, int], nn.Module] | None = None,
        optimiser: MakeOptimiser | None = None,
        epochs: int = 60,
        batch: int = 32,
        rate: float = 0.01,
        momentum: float = 0.9,
        schedule: str = "cosine",
        clip: float = 5.0,
        regularisation: str = "none",
        strength: float = 0.0,
        device: str = "auto",
        threads: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.loss = loss
        self.parameters = parameters
        self.noise = noise
        self.eta = eta
        self.module = module
        self.optimiser = optimiser
        self.epochs = epochs
        self.batch = batch
        self.rate = rate
        self.momentum = momentum
        self.schedule = schedule
        self.clip = clip
        self.regularisation = regularisation
        self.strength = strength
        self.device = device
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train anew. InputError (a ValueError) for what :func:`.fit.fit` refuses, and for labels of one class alone."""
        X, y = self._checked(X, y, first=True)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._begin()
        self._train(X, codes, self.epochs, self.schedule)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """One epoch more, at the rate itself, on these samples. The first call needs the ``classes`` of all that will come."""
        first = not hasattr(self, "module_")
        if first and classes is None:
            raise InputError("partial_fit: the first call needs classes, all labels that will ever come")
        X, y = self._checked(X, y, first)
        if first:
            self.classes_ = np.unique(np.asarray(classes))
            self._begin()
        elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            raise InputError("partial_fit: classes are not those of the first call")
        strangers = np.setdiff1d(y, self.classes_)
        if len(strangers):
            raise InputError(f"partial_fit: label {printable(str(strangers[0]), 40)!r} is not among the classes")
        self._train(X, np.searchsorted(self.classes_, y), 1, "constant")
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (N, K) of the classes, in the order of ``classes_``."""
        check_is_fitted(self, "module_")
        inputs = inputs_of(validate_data(self, X, reset=False, **self._kinds()), "X")
        weights = next(self.module_.parameters())
        call, parts = Call.of(self.module_), torch.arange(len(inputs)).split(inputs.evaluation)
        self.module_.eval()
        with torch.no_grad():
            batches = (mapped(lambda x: x.to(weights.device), x) for x in inputs.visits(parts, weights.dtype))
            logits = [call(self.module_, x).double().cpu() for x in batches]
        return torch.softmax(torch.cat(logits), -1).numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each sample (N,), as it was given."""
        likeliest = self.predict_proba(X).argmax(1)
        return self.classes_[likeliest]

    def _kinds(self) -> dict[str, Any]:
        """How arrays are checked: floats, but tokens for a module that embeds them; of any shape for a module of one's own."""
        layers = self.module.modules() if isinstance(self.module, nn.Module) else ()
        embeds = any(isinstance(each, nn.Embedding) for each in layers)
        return {"dtype": "numeric" if embeds else (np.float64, np.float32), "allow_nd": self.module is not None}

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        shape = np.asarray(y).shape
        if len(shape) == 2 and shape[1] > 1:
            raise InputError(f"y should be a 1d array of labels, got an array of shape {shape}: {MULTI_HOT}")
        X, y = validate_data(self, X, y, reset=first, ensure_min_samples=2, **self._kinds())
        y = column_or_1d(y)
        check_classification_targets(y)
        return X, y

    def _begin(self) -> None:
        """A fresh network and its loss."""
        K = len(self.classes_)
        if self.module is not None and not callable(self.module):
            raise InputError(
                f"module {self.module!r}: an nn.Module, or what makes one of the numbers of features and classes"
            )
        if K < 2:
            raise InputError(
                f"y has one class alone, {printable(str(self.classes_[0]), 40)!r}; at least 2 classes are needed"
            )
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.n_iter_ = 0
        with torch.random.fork_rng():
            torch.manual_seed(self._seed)
            if isinstance(self.module, nn.Module):
                self.module_ = deepcopy(self.module)
            else:
                self.module_ = (_network if self.module is None else self.module)(self.n_features_in_, K)
        self.loss_ = deepcopy(chosen_loss(self.loss, K, self.parameters, noise=self.noise, eta=self.eta))

    def _train(self, X: NDArray[Any], codes: NDArray[Any], epochs: int, schedule: str) -> None:
        of_sgd = self if self.optimiser is None else Settings  # rate and momentum are the optimiser's own business
        self.history_ = fit(
            self.module_, self.loss_, X, codes, optimiser=self.optimiser, epochs=epochs, batch=self.batch,
            schedule=schedule, clip=self.clip, regularisation=self.regularisation, strength=self.strength,
            device=self.device, threads=self.threads, seed=self._seed + self.n_iter_, rate=of_sgd.rate, momentum=of_sgd.momentum,
        )  # fmt: skip
        self.n_iter_ += epochs


def _network(features: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))
