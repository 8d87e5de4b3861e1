"""How the processes begin that read samples for a DataLoader."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from typing import TypedDict

from asymtheory.processes import end_with

from ..distributed import current


class WorkerStart(TypedDict, total=False):
    """Arguments of a DataLoader."""

    multiprocessing_context: str
    worker_init_fn: Callable[[int], None]


def worker_start(workers: int) -> WorkerStart:
    """The arguments for so many workers; none where torch's own choice is right.

    A process that shares its training has threads and sockets that no fork survives: its copy may wait for a lock for ever (torch,
    DistributedDataParallel). There a server starts the workers, and each of them watches this process itself.
    """
    if not workers or current().size == 1 or "forkserver" not in multiprocessing.get_all_start_methods():
        return {}
    return {"multiprocessing_context": "forkserver", "worker_init_fn": partial(_end_with, os.getpid())}


def _end_with(process: int, worker: int) -> None:
    end_with(process)
