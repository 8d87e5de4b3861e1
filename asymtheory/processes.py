"""Processes that end with the one that started them, or another one, also where that was killed."""

from __future__ import annotations

import os
import threading
from time import sleep

LOOK = 1.0  # seconds between two looks at the other process


def end_with_parent(parent: int) -> None:
    """First call in a process of a pool (its initializer): from now on it ends within a second of the process ``parent``.

    A process that waits for work would not notice: its queue stays open as long as its neighbours hold it. Where the system
    gives no new parent to orphans (Windows) nothing is done.
    """
    if os.name == "posix":
        threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent").start()


def end_with(process: int) -> None:
    """From now on this process ends within a second of ``process``, another one of the same user that need not be its parent.

    On Windows nothing is done.
    """
    if os.name == "posix":
        threading.Thread(target=_watch_other, args=(process,), daemon=True, name="other").start()


def _watch_other(process: int) -> None:
    while True:  # without end: the thread ends with its process, or ends it
        try:
            os.kill(process, 0)  # nothing is sent
        except ProcessLookupError:
            os._exit(1)
        sleep(LOOK)


def _watch(parent: int) -> None:
    while os.getppid() == parent:  # without end: the thread ends with its process, or ends it
        sleep(LOOK)
    os._exit(1)  # nobody is left who would gather what is under way
