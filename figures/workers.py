"""Independent tasks on a process a core, which end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from asymtheory.errors import InputError
from asymtheory.processes import end_with_parent

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Task = tuple[Callable[..., Any], tuple[Any, ...]]  # a function of a module, and its arguments


def run(tasks: Sequence[Task], workers: int | None = None) -> Generator[tuple[int, Any], None, None]:
    """(position, result) of each task as it finishes, in ``workers`` processes (default: one a core; 1: in this one).

    A task's exception is raised here; then, at Ctrl-C, and when the caller closes it, the processes are ended at once.
    """
    count = min(workers or os.cpu_count() or 1, len(tasks))
    with beside(tasks, count if count > 1 else 0) as results:
        yield from results


@contextmanager
def beside(tasks: Sequence[Task], processes: int) -> Iterator[Iterator[tuple[int, Any]]]:
    """The same, begun at once, while the caller works on; 0 processes: in this one, when the results are asked for."""
    if not (processes and tasks):
        yield ((position, function(*arguments)) for position, (function, arguments) in enumerate(tasks))
        return
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # a process a core: more threads would only get in the way
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), end_with_parent, (os.getpid(),))
    others = set(multiprocessing.active_children())
    finished = False
    try:
        with _interrupts_held():
            waiting = {pool.submit(function, *arguments): i for i, (function, arguments) in enumerate(tasks)}
        yield ((waiting[future], future.result()) for future in as_completed(waiting))
        finished = True
    except BrokenProcessPool:
        raise InputError("a process was killed (out of memory?); ask for fewer things at once") from None
    finally:
        if not finished:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
                process.join()
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold SIGINT back for a moment: processes that start meanwhile never see it, for Ctrl-C is for the parent alone."""
    if (
        not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread()
    ):  # or Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it would let signals through
    held: list[
        int
    ] = []  # the mask is for this thread; another one may still be told, and Python would interrupt this one
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if held and callable(handler):
        handler(held[0], None)
