"""Inside a network in training, for the papers' figures: how sure it is of its labels, NNCE's pull, and its features.

At a few moments of a run (:func:`moments`), on at most 2,000 training images that are the same each time and not augmented,
separately for those whose given label is true and those whose label is wrong:

* a histogram of the probability of the given label (JAL Fig. 3);
* how ``max_{j != y} dL_NNCE/dp_j`` is spread, y the given label (ANL Fig. 4, Appendix D.1).

At the end the features of at most 1,000 test images, embedded in the plane by t-SNE (ALF Fig. 5, JAL Fig. 1).

Looking changes nothing: no random number of the run is drawn, and no weight or running statistic moves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asymtheory.jsonlines import Json, JsonValue
from asymtheory.losses import NNCE

from ..data.inputs import Inputs, generator
from ..losses.reference import TORCH
from .device import using
from .loop import Trainer
from .models import Network

MOMENTS = 6
TRAINING, TEST = 2000, 1000  # images at most
BINS = 20  # of the histograms of p in [0, 1]
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)  # quantiles: the whiskers, the box and the median
PARTS = ("clean", "corrupted")
PERPLEXITY = 30.0
DIGITS = 3  # significant, of points in the plane


def moments(epochs: int) -> tuple[int, ...]:
    """The epochs, counted from 1, after which a run is looked into: the first, fifths of the run, the last."""
    fifths = MOMENTS - 1
    return tuple(sorted({max(1, (2 * epochs * i + fifths) // (2 * fifths)) for i in range(MOMENTS)}))


def pulls(p: Tensor, y: Tensor) -> Tensor:
    """``max_{j != y} dL_NNCE(p, y)/dp_j`` of probabilities (n, K) and labels (n,), in float64: (n,), all >= 0.

    The derivative of the definition, with the p_k as free variables (before the softmax). Below p_min, the end of NNCE's
    domain, a probability counts as p_min, as in published code; the loss is flat there and the derivative 0.
    """
    nnce: Any = NNCE().on(TORCH)
    with torch.enable_grad():
        free = p.detach().double().clamp(min=nnce.p_min).requires_grad_()
        (slopes,) = torch.autograd.grad(nnce.labels(free, free.log(), TORCH).gather(1, y[:, None]).sum(), free)
    return torch.where(p >= nnce.p_min, slopes, 0.0).amax(1)  # the label's own is <= 0, those of the others are >= 0


class Probe:
    """Looks into the network of a trainer: :meth:`after` every epoch, and :meth:`result` at the end."""

    def __init__(self, trainer: Trainer) -> None:
        data, seed = trainer.data, trainer.settings.seed
        assert data.true is not None  # else nobody knows which labels are wrong
        self.trainer = trainer
        self.moments = moments(trainer.settings.epochs)
        chosen = torch.randperm(len(data.images), generator=generator(seed, 0, "probe"))[:TRAINING].sort().values
        self.chosen = chosen.to(data.given.device)
        self.given = data.given[self.chosen]
        wrong = self.given != data.true[self.chosen]
        self.parts = {"clean": ~wrong, "corrupted": wrong}
        self.seen: list[Json] = []

    def state(self) -> list[Json]:
        """What was seen so far, for a checkpoint."""
        return list(self.seen)

    def restore(self, state: list[Json]) -> None:
        """Go back to a :meth:`state`. ValueError for one of other moments."""
        past = [moment for moment in self.moments if moment <= self.trainer.done]
        if [each["epoch"] for each in state] != past:
            raise ValueError(f"it looked into the network after other epochs than {past}")
        self.seen = list(state)

    def after(self) -> None:
        """Look, if the epoch that has just ended is one of the moments."""
        if self.trainer.done in self.moments:
            self.seen.append({"epoch": self.trainer.done, **self._look()})

    def _look(self) -> dict[str, dict[str, list[JsonValue] | None]]:
        logits = self._outputs(self.trainer.data.images, self.chosen, features=False)
        p = torch.softmax(logits, -1).nan_to_num(0.0)  # a network that has just broken down ends its run later
        pull, own = pulls(p, self.given), p.gather(1, self.given[:, None])[:, 0]
        return {
            "gradients": {name: _box(pull[part]) for name, part in self.parts.items()},
            "histograms": {name: _histogram(own[part]) for name, part in self.parts.items()},
        }

    def result(self) -> Json:
        """What was seen at all moments, and the features of test images now, for a line of a results file.

        ``gradients``: for every moment the quantiles 5, 25, 50, 75 and 95 % and the mean; ``histograms``: counts in 20 bins of
        [0, 1]; either is null for a part that has no images (``corrupted`` where labels are redrawn or clean).
        """
        return {
            "epochs": [each["epoch"] for each in self.seen],
            "gradients": {name: self._course("gradients", name) for name in PARTS},
            "histograms": {name: self._course("histograms", name) for name in PARTS},
            "embedding": self._embedding(),
        }

    def _course(self, what: str, part: str) -> list[JsonValue] | None:
        return [each[what][part] for each in self.seen] if bool(self.parts[part].any()) else None

    def _embedding(self) -> Json | None:
        images, labels = self.trainer.data.test, self.trainer.data.test_labels
        if images is None or labels is None:
            return None
        chosen = first_of_each(labels, TEST)
        features = self._outputs(images, chosen, features=True).cpu().double().numpy()
        points = embedded(features)
        return None if points is None else {"labels": labels[chosen].tolist(), "points": points}

    def _outputs(self, images: Inputs, which: Tensor, features: bool) -> Tensor:
        """Logits, or features, of some images in evaluation mode, in float64; the model's mode is restored."""
        model, setup = cast(Network, self.trainer.model), self.trainer.setup
        through: Callable[..., Tensor] = model.features if features else model
        training = model.training
        model.eval()
        try:
            with torch.no_grad(), using(setup.threads), setup.computing():
                parts = list(which.split(images.evaluation))
                found = [through(setup.inputs(x)) for x in images.visits(parts, setup.dtype)]
        finally:
            model.train(training)
        return torch.cat(found).double()


def _box(values: Tensor) -> list[float] | None:
    """Five quantiles and the mean."""
    if not len(values):
        return None
    return [*torch.quantile(values, values.new_tensor(SHARES)).tolist(), values.mean().item()]


def _histogram(p: Tensor) -> list[int] | None:
    """Counts in 20 bins of [0, 1]; 1 is in the last one."""
    if not len(p):
        return None
    counts: list[int] = torch.bincount((p * BINS).long().clamp(max=BINS - 1), minlength=BINS).tolist()
    return counts


def first_of_each(labels: Tensor, most: int) -> Tensor:
    """Ascending places of at most ``most`` samples: all of them, or the first of every class, as many of each."""
    if len(labels) <= most:
        return torch.arange(len(labels), device=labels.device)
    each = most // (int(labels.max()) + 1)
    by_class = labels.argsort(stable=True)
    ascending = labels[by_class]
    place = torch.arange(len(labels), device=labels.device) - torch.searchsorted(ascending, ascending)
    return by_class[place < max(1, each)].sort().values[:most]


def embedded(features: npt.NDArray[np.float64]) -> list[list[float]] | None:
    """Points (n, 2) of features (n, D) by t-SNE, three digits each; None for fewer than four of them or for NaN.

    One thread and one seed: the same features give the same points.
    """
    # scikit-learn is loaded for the picture at the end of a probed run alone
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    count = len(features)
    if count < 4 or not np.isfinite(features).all():
        return None
    spread = min(features.shape) >= 2 and np.ptp(features, 0).max() > 0  # else there are no main axes to start from
    start, perplexity = "pca" if spread else "random", min(PERPLEXITY, (count - 1) / 3)
    with threadpool_limits(1):
        points = TSNE(2, perplexity=perplexity, init=start, random_state=0).fit_transform(features)
    return [[float(f"{x:.{DIGITS}g}") for x in point] for point in points]
