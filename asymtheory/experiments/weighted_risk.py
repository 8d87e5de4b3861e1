"""The weighted-risk experiment of ALF Sec. 4.1 (Fig. 2): what gradient descent on softmax logits reaches.

Draw positive weights w in R^K and logits z, and minimise ``F(z) = sum_i w_i L(softmax(z), i)``. Where the loss is
asymmetric on w the only minimiser is the vertex e_m of the largest weight, so p_m should tend to 1; elsewhere it should
tend to the exact minimiser that ``risk`` finds without any descent. Losses whose phi_k are concave have other vertices as
local minima, and softmax saturates next to every vertex: each start is therefore counted by what became of it.

All starts of all draws at one parameter value are one array program, run by an engine: ``descent`` (numpy), or a module
that a package registers as an entry point in the group ``asymtheory.engines`` (``torch``, of asymtheory[training]). What
is drawn, counted and kept is the same for all.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ..errors import InputError
from .recipe import Recipe
from .result import WeightedRiskResult
from .runner import Progress, Runner
from .storage import Store

EXPERIMENTS = {"weighted-risk": "minimise sum_i w_i L(softmax(z), i) from random logits (ALF Sec. 4.1, Fig. 2)"}
THREADED = 2**17  # numbers at one parameter value from which on threads save time


@dataclass(frozen=True)
class WeightedRiskExperiment(Recipe):
    """What is run; with the same fields the numbers are the same, whatever the chunks and threads.

    ``parameter`` of ``loss`` takes the ``values`` (none: the loss as it is, one value). ``draws`` weight vectors on ``K``
    classes, each with ``starts`` logit vectors z ~ N(0, scale^2 I). ``optimiser``: "adam" (step size falling along a
    cosine to 0) or "gd" (plain descent, constant step size ``rate``). ``weights``: "uniform" on (0, 1] each, or
    "dirichlet"; a draw whose two largest weights tie is drawn again. ``engine``: "numpy", or "torch" where
    asymtheory[training] is installed (on the GPU if there is one). Raises InputError for what is out of range.
    """

    def run(
        self,
        progress: Progress | None = None,
        folder: str | os.PathLike[str] | None = None,
        resume: bool = False,
        workers: int | None = None,
    ) -> WeightedRiskResult:
        """Run it on ``workers`` threads; ``progress(done, total)`` counts parameter values.

        The default is one thread a core where the arrays are long (``THREADED`` numbers at each value), else one: threads
        hand the interpreter over at each operation of numpy, and on short arrays that takes longer than it saves.

        With a ``folder`` the results so far are kept there (see ``Store``) and ``resume`` goes on with them. Raises
        InputError for a folder that cannot be written, that holds results already, or another recipe's results.
        """
        if workers is not None and workers < 1:
            raise InputError(f"workers {workers}: a whole number >= 1 is needed")
        store = None if folder is None else Store(Path(folder))
        w, z = self.sample()
        result = WeightedRiskResult.empty(self, w)
        if store is not None:
            store.open(result, resume)
        threads = (os.cpu_count() or 1) if z.size >= THREADED else 1
        Runner(result, z, store, progress, workers or threads).run()
        return result


def with_progress(
    experiment: WeightedRiskExperiment, folder: str | None, resume: bool, workers: int | None
) -> WeightedRiskResult:
    """``experiment.run`` with a progress bar on standard error when a person watches."""
    if not sys.stderr.isatty():
        return experiment.run(None, folder, resume, workers)
    with tqdm(total=len(experiment.losses), unit="value", leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.update(done - bar.n)

        return experiment.run(progress, folder, resume, workers)
