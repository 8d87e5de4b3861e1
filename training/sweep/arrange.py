"""How the runs of a sweep are handed out on this machine: in stacks or one by one, how many at once, with how many threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from joblib import cpu_count

from .estimate import Together
from .flow import Engine, LocalEngine, processes
from .memory import Cuda, Gpus, Room, room
from .plan import PlannedRun
from .stack_find import Stack, ordered, stacks
from .stacks import StackingEngine


@dataclass(frozen=True)
class Work:
    """The ``points`` in the order in which they are started, ``jobs`` at once. ``room``: what was measured of the GPUs, if any."""

    points: list[PlannedRun]
    stacks: list[Stack]
    jobs: int
    threads: int
    room: Room | None

    @property
    def stacked(self) -> int:
        """How many of the points are in stacks."""
        inside = {point.key for stack in self.stacks for point in stack}
        return sum(point.key in inside for point in self.points)

    @property
    def units(self) -> list[Together]:
        """What is trained by itself: stacks, and the runs that are in none."""
        return _units(self.points, self.stacks)

    def engine(self) -> Engine:
        local = LocalEngine(self.jobs, self.threads, None if self.room is None else self.room.held(self.jobs))
        return StackingEngine(local, self.stacks, self.points) if self.stacks else local


def arrange(
    points: Sequence[PlannedRun],
    folder: Path,
    jobs: int | None,
    stack: bool,
    plan: Sequence[PlannedRun] = (),
    gpus: Gpus | None = None,
) -> Work:
    """The points that are left of a ``plan``, whose folder tells which stacks were begun.

    ``jobs`` None: one a core, and on GPUs no more than their memory holds.
    """
    cores: int = cpu_count()
    most = jobs or cores
    found = stacks(points, folder, most, plan) if stack else []
    units = _units(points, found)
    most = min(most, max(1, len(units)))
    measured = None
    if jobs is None and most > 1:
        measured = room(units, max(1, cores // most), gpus or Cuda(), partial(processes, 1, max(1, cores // most)))
        if measured is not None:
            most = measured.at_once(most)
    return Work(ordered(points, found), found, most, max(1, cores // most), measured)


def _units(points: Sequence[PlannedRun], found: Sequence[Stack]) -> list[Together]:
    inside = {point.key for stack in found for point in stack}
    return [*found, *((point,) for point in points if point.key not in inside)]
