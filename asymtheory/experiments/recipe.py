"""The recipe of a weighted-risk experiment: what is drawn and how it descends; equal recipes give equal numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError, nearest
from ..jsonlines import Json
from ..losses.base import Loss, unknown_parameter
from ..losses.registry import as_loss
from ..noise.models import check_classes
from ..numbers.text import Number
from ..reading.limits import at_most, most
from .descent import BETAS, CHECK, EPSILON, FLAT, SETTLED, Descent, Objective
from .engines import NUMPY, Array, engine

OPTIMISERS = {"adam": 0.2, "gd": 0.5}  # with their default step sizes
DISTRIBUTIONS = {"uniform": "w_i uniform on (0, 1]", "dirichlet": "w uniform on the simplex: Dirichlet(1, ..., 1)"}

NEAR = 1e-3  # distance (largest entry) at which a vertex or the minimiser counts as reached
MOST = 5 * 10**7  # numbers in one array of starts or of results


@dataclass(frozen=True)
class Recipe:
    """What is run; with the same fields the numbers are the same, whatever the chunks and threads.

    ``parameter`` of ``loss`` takes the ``values`` (none: the loss as it is, one value). ``draws`` weight vectors on ``K``
    classes, each with ``starts`` logit vectors z ~ N(0, scale^2 I). ``optimiser``: "adam" (step size falling along a
    cosine to 0) or "gd" (plain descent, constant step size ``rate``). ``weights``: "uniform" on (0, 1] each, or
    "dirichlet"; a draw whose two largest weights tie is drawn again. ``engine``: "numpy", or "torch" where
    asymtheory[training] is installed (on the GPU if there is one). Raises InputError for what is out of range.
    """

    loss: Loss
    parameter: str | None = None
    values: tuple[Number, ...] = ()
    draws: int = 200
    starts: int = 8
    K: int = 10
    seed: int = 0
    optimiser: str = "adam"
    steps: int = 250
    rate: float | None = None
    weights: str = "uniform"
    scale: float = 1.0
    engine: str = NUMPY

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", as_loss(self.loss))  # a name is taken too
        for name, least in (("draws", 1), ("starts", 1), ("seed", 0), ("steps", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} {value}: a whole number >= {least} is needed")
        check_classes(self.K)
        for name, allowed in (("optimiser", OPTIMISERS), ("weights", DISTRIBUTIONS)):
            if getattr(self, name) not in allowed:
                given = str(getattr(self, name))
                raise InputError(f"{name} {given!r}: one of {', '.join(allowed)} is needed{nearest(given, allowed)}")
        engine(self.engine)
        if self.rate is None:
            object.__setattr__(self, "rate", OPTIMISERS[self.optimiser])
        for name in ("rate", "scale"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise InputError(f"{name} {value}: a finite number > 0 is needed")
        if self.parameter is not None and self.parameter not in self.loss.domains:
            raise InputError("--sweep: " + unknown_parameter(self.loss.name, self.parameter, self.loss.domains))
        if (self.parameter is None) != (len(self.values) == 0):
            raise InputError("--sweep: a parameter and at least one value are needed")
        if self.draws * self.starts * max(self.K, len(self.values)) > most(MOST):
            raise InputError(f"draws x starts x (K or values) is too much for memory: {at_most(MOST)}")
        losses = [self.loss] if self.parameter is None else [self._at(value) for value in self.values]
        for loss in losses:
            Objective(loss, self.K)  # refuses what the number of classes has no room for
        object.__setattr__(self, "losses", tuple(losses))
        if self.parameter is not None:
            object.__setattr__(self, "values", tuple(loss.parameters[self.parameter] for loss in losses))

    losses: tuple[Loss, ...] = field(init=False, repr=False)  # one a value

    def _at(self, value: Number) -> Loss:
        assert self.parameter is not None
        try:
            return self.loss.replace(**{self.parameter: value})
        except InputError as error:
            raise InputError(f"--sweep: {error}") from None

    def to_dict(self) -> Json:
        """The recipe; two runs with the same one have the same results."""
        fixed = {p: str(v) for p, v in self.loss.parameters.items() if p != self.parameter}
        adam = {"betas": list(BETAS), "epsilon": EPSILON, "schedule": "cosine to 0"}
        return {
            "loss": self.loss.name,
            "formula": self.loss.formula,
            "fixed": fixed,
            "parameter": self.parameter,
            "values": [str(value) for value in self.values],
            "K": self.K,
            "draws": self.draws,
            "starts": self.starts,
            "seed": self.seed,
            "weights": DISTRIBUTIONS[self.weights],
            "start": f"z ~ N(0, {self.scale:g}^2 I)",
            "optimiser": {"name": self.optimiser, **(adam if self.optimiser == "adam" else {"schedule": "constant"})},
            "rate": self.rate,
            "steps": self.steps,
            "engine": self.engine,
            "stops": {"vertex": SETTLED, "gradient": FLAT, "every": CHECK},
            "tolerance": NEAR,
        }

    @property
    def descent(self) -> Descent:
        """How each start descends."""
        assert self.rate is not None
        return Descent(self.optimiser, self.rate, self.steps)

    def sample(self) -> tuple[Array, Array]:
        """Weights (draws, K) and starts (draws, starts, K). Each draw has its own random stream."""
        w, z = np.empty((self.draws, self.K)), np.empty((self.draws, self.starts, self.K))
        for d in range(self.draws):
            random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(d,)))
            while True:  # drawn again where two weights tie, which happens once in 2^50 draws
                w[d] = random.dirichlet(np.ones(self.K)) if self.weights == "dirichlet" else 1 - random.random(self.K)
                if (w[d] == w[d].max()).sum() == 1:
                    break
            z[d] = self.scale * random.standard_normal((self.starts, self.K))
        return w, z
