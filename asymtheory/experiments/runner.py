"""Running a weighted-risk experiment: blocks of draws on threads, an interrupt that keeps what is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from time import monotonic

import numpy as np

from ..asymmetry.newton import hold_memory
from .descent import FLAT
from .engines import Array, engine
from .recipe import NEAR
from .result import MINIMISER, MOVING, OTHER, STATIONARY, VERTEX, WeightedRiskResult
from .storage import Store
from .verdicts import minimisers

Progress = Callable[[int, int], None]

SAVE_EVERY = 1.0  # seconds


class Runner:
    """Blocks of draws of one parameter value, on threads (numpy lets go of the interpreter while it computes)."""

    def __init__(
        self, result: WeightedRiskResult, z: Array, store: Store | None, progress: Progress | None, workers: int
    ) -> None:
        self.result, self.z, self.store, self.progress, self.workers = result, z, store, progress, workers
        self.experiment = result.experiment
        self.engine = engine(result.experiment.engine)
        self.stop = threading.Event()

    def run(self) -> None:
        """Fill in the values that are not done; on an interrupt, what is done is kept."""
        hold_memory()
        e, result = self.experiment, self.result
        block = max(1, self.engine.BLOCK // (e.K * e.starts))
        starts = range(0, e.draws, block)
        todo = [index for index in range(len(result.done)) if not result.done[index]]
        left = dict.fromkeys(todo, len(starts))
        self._report()
        saved, pending = monotonic(), set[Future[int | None]]()
        units = iter([(index, slice(d, d + block)) for index in todo for d in starts])
        pool = ThreadPoolExecutor(self.workers)
        try:
            while True:  # the units run out
                while len(pending) < 2 * self.workers and (unit := next(units, None)) is not None:
                    pending.add(pool.submit(self._block, *unit))
                if not pending:
                    break
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for index in (future.result() for future in finished):
                    assert index is not None  # blocks are given up on an interrupt only
                    left[index] -= 1
                    if not left[index]:
                        result.done[index] = True
                        self._report()
                if self.store is not None and monotonic() - saved >= SAVE_EVERY:
                    self.store.save(result)
                    saved = monotonic()
        finally:
            self.stop.set()
            pool.shutdown(cancel_futures=True)
            if self.store is not None:
                self.store.save(result)

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(int(self.result.done.sum()), len(self.result.done))

    def _block(self, index: int, draws: slice) -> int | None:
        result, S = self.result, self.experiment.starts
        loss, w = self.experiment.losses[index], result.weights[draws]
        exact = minimisers(loss, w, result.asymmetric[index, draws])
        K = w.shape[1]
        columns = np.ascontiguousarray(np.repeat(w, S, axis=0).T)
        z = np.ascontiguousarray(self.z[draws].reshape(-1, K).T)
        found = self.engine.descend(loss, columns, z, self.experiment.descent, self.stop.is_set)
        if found is None:
            return None
        points, norms, made, drawn = found
        shape = (len(w), S)
        at, top = np.arange(len(w)), result.top[draws]
        m = np.repeat(top, S)
        p_m, largest = points[m, np.arange(len(m))], points.argmax(axis=0)
        with np.errstate(invalid="ignore"):
            distance = np.abs(points - np.repeat(exact, S, axis=0).T).max(axis=0)
        outcome = np.select(
            [p_m >= 1 - NEAR, distance <= NEAR, (points.max(axis=0) >= 1 - NEAR) & drawn, norms <= FLAT],
            [VERTEX, MINIMISER, OTHER, STATIONARY],
            MOVING,
        )
        result.exact[index, draws] = exact[at, top]
        result.reached[index, draws] = p_m.reshape(shape)
        result.largest[index, draws] = largest.reshape(shape)
        result.gradient[index, draws] = norms.reshape(shape)
        result.outcome[index, draws] = outcome.reshape(shape)
        result.steps[index, draws] = made.reshape(shape)
        return index
