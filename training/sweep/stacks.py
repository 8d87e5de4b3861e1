"""The engine of a sweep that trains runs in stacks: :mod:`.sweep_stack_find` says which ones, :mod:`.sweep_stack_run` how."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass, field, replace

from .flow import LocalEngine, Outcome, Task
from .plan import PlannedRun
from .stack_find import Stack
from .stack_run import execute_stack

LIVES = 2  # times that a stack is started; when it has died so often its runs are trained one by one


@dataclass(eq=False)
class _Flight:
    """A stack and, once it is on its way, the futures of its runs; ``handed``: those that the sweep has."""

    points: Stack
    wanted: int  # how many of its runs are not recorded yet
    lives: int = LIVES
    futures: dict[str, Future[Outcome]] = field(default_factory=dict)
    handed: set[str] = field(default_factory=set)

    @property
    def over(self) -> bool:
        return all(future.done() for future in self.futures.values())

    @property
    def dead(self) -> bool:
        """Did its process end before it did?"""
        return self.over and any(
            not future.cancelled() and isinstance(future.exception(), BrokenExecutor)
            for future in self.futures.values()
        )

    def start(self, engine: LocalEngine, task: Task) -> None:
        """Submit the runs of the stack to the engine as one task."""
        tasks = [replace(task, key=point.key, config=point.config) for point in self.points]
        started = engine.call(execute_stack, *tasks)
        self.lives -= 1
        self.futures, self.handed = {each.key: Future() for each in tasks}, set()
        started.add_done_callback(self.share)

    def share(self, done: Future[list[Outcome]]) -> None:
        """What came of the stack, to the futures of its runs."""
        error = None if done.cancelled() else done.exception()
        for place, future in enumerate(self.futures.values()):
            if done.cancelled():
                future.cancel()
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result()[place])


class StackingEngine:
    """A :class:`.sweep.LocalEngine` that trains the runs of a stack together when the first of those ``left`` is submitted.

    When their process dies they are started again together, from their checkpoint; a run that is submitted once more, or
    was out of memory, is trained alone.
    """

    def __init__(self, engine: LocalEngine, found: Sequence[Stack], left: Sequence[PlannedRun]) -> None:
        self.engine = engine
        keys = {point.key for point in left}
        self.flights = [_Flight(points, sum(point.key in keys for point in points)) for points in found]
        self.of = {point.key: flight for flight in self.flights for point in flight.points}

    @property
    def slots(self) -> int | None:
        """A stack takes the place of one run."""
        assert self.engine.slots is not None
        return self.engine.slots + sum(flight.wanted - 1 for flight in self.flights if not flight.over)

    def submit(self, task: Task) -> Future[Outcome]:
        flight = self.of.get(task.key)
        if flight is None:
            return self.engine.submit(task)
        if not flight.futures or (task.key in flight.handed and flight.dead and flight.lives):
            flight.start(self.engine, task)
        if task.key in flight.handed:
            return self.engine.submit(task)
        flight.handed.add(task.key)
        return flight.futures[task.key]

    def renew(self) -> None:
        self.engine.renew()

    def close(self, now: bool) -> None:
        self.engine.close(now)
