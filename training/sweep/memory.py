"""How many runs at once the memory of the GPUs allows: measured, in processes that end before the sweep begins.

A process takes memory of a GPU in two ways. Its context (kernels, handles of libraries) stays as long as it lives, and any process
of the pool may use any GPU. Tensors are the other part: torch's peak over a few steps and an evaluation of the run. So
N processes fit where every GPU has room for N contexts and, together, for the tensors of N of the largest runs.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from asymtheory.errors import InputError

from ..run.config import TrainConfig
from .estimate import Together, measure, shape_of
from .flow import ANY

SPARE = 0.05  # of what is free: for what an allocator cannot use, and for what a few steps did not show


class Gpus(Protocol):
    """What is asked of the GPUs, each time in another process than the sweep's."""

    def names(self) -> list[str]:
        """``cuda:0``, ``cuda:1``, ... of those that there are."""

    def free(self) -> dict[str, int]:
        """Bytes that nobody has taken."""

    def peak(self, configs: Sequence[TrainConfig], threads: int) -> int:
        """Bytes of tensors while these runs are trained together for a few steps, and evaluated."""


class Cuda:
    """The GPUs of this machine, as torch sees them."""

    def names(self) -> list[str]:
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]

    def free(self) -> dict[str, int]:
        return {name: torch.cuda.mem_get_info(name)[0] for name in self.names()}

    def peak(self, configs: Sequence[TrainConfig], threads: int) -> int:
        device = configs[0].device
        torch.cuda.reset_peak_memory_stats(device)
        measure(configs, threads)
        return torch.cuda.max_memory_reserved(device)


@dataclass(frozen=True)
class Room:
    """Bytes: ``free`` on every GPU, ``context`` of a process on one, ``tensors`` of the largest run."""

    free: Mapping[str, int]
    context: int
    tensors: int

    def __str__(self) -> str:
        free = " and ".join(f"{bytes_ / 2**30:.1f}" for bytes_ in self.free.values())
        return f"{free} GiB free, {self.context / 2**30:.2f} of a process and {self.tensors / 2**30:.2f} of the largest run"

    def held(self, processes: int) -> dict[str, int]:
        """How many runs every GPU holds when each of so many processes has its context there; one more would not fit."""
        return {
            name: max(0, int((bytes_ * (1 - SPARE) - processes * self.context) // max(1, self.tensors)))
            for name, bytes_ in self.free.items()
        }

    def at_once(self, jobs: int) -> int:
        """The largest number of processes up to ``jobs`` that fit; 1 where none does, for then trying is all that is left."""
        fitting = (count for count in range(jobs, 0, -1) if sum(self.held(count).values()) >= count)
        return next(fitting, 1)


def room(work: Sequence[Together], threads: int, gpus: Gpus, process: Any) -> Room | None:
    """Measured with the largest of the runs and stacks; None without a GPU that they would use.

    ``process`` makes an executor of one process. Its memory is counted from another one, for a process has its context
    already when it asks. A shape whose data are not there counts for nothing: that is said when it is trained.
    """
    names = gpus.names()
    shapes = {
        shape_of(points[0].config.to_dict(), len(points)): [point.config for point in points]
        for points in work
        if points[0].config.device in (*ANY, *names)
    }
    if not names or not shapes:
        return None
    with process() as observer, process() as trainee:
        free = observer.submit(gpus.free).result()
        tensors = 0
        for configs in shapes.values():
            there = [replace(config, device=names[0] if config.device in ANY else config.device) for config in configs]
            tensors = max(tensors, trainee.submit(_peak, gpus, there, threads, max(free.values())).result())
        after = observer.submit(gpus.free).result()
    return Room(free, max(0, *(free[name] - after[name] for name in names)), tensors)


def _peak(gpus: Gpus, configs: Sequence[TrainConfig], threads: int, most: int) -> int:
    """The peak in the process that trains. What does not fit takes ``most``: all that there is."""
    try:
        return gpus.peak(configs, threads)
    except InputError:
        return 0
    except torch.OutOfMemoryError:
        return most
    finally:
        gc.collect()
        torch.cuda.empty_cache()  # nothing without CUDA
