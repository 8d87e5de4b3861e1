"""Many runs, one folder: each run once, whatever happens to the machine.

    DIR/results.jsonl      one line a finished run, with the run's `key` (see :func:`.plan.run_key`)
    DIR/failures.jsonl     one line a failure: `key`, `error`, `message`, `config`, `time`
    DIR/runs/KEY/          checkpoint and progress of a run that is not finished; gone with its line unless it is kept

One process, the sweep, writes the two files, under a lock on the folder; runs are trained by others, that an engine starts:
:class:`LocalEngine` here, :mod:`.cluster` on many machines. A run whose key is in the results is never trained again. What stops
half-way (Ctrl-C, a killed process, a lost machine) goes on from its last checkpoint.

Failures are of two kinds. An error that a run *raises* (a loss that became NaN, a missing file) would only come again: it is
recorded at once and left out of later sweeps until ``retry``. A process that *dies*, or runs out of memory, takes others with it
or falls because of others: its runs are started again, after two such ends one at a time, and a third, alone, is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol
from uuid import uuid4

import torch
from joblib.externals.loky import ProcessPoolExecutor

from asymtheory.contract import check_run
from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue, numbered
from asymtheory.processes import end_with_parent
from asymtheory.reading.documents import parse_json, read_text
from asymtheory.shapes import Shape, check_shape, has_shape
from asymtheory.writing import without_links

from ..run import checkpoint
from ..run.config import TrainConfig
from ..run.record import Epoch, append, locked, repair
from ..run.run import run
from .plan import Plan, PlannedRun

RESULTS, FAILURES, RUNS, PROGRESS, OWNER = "results.jsonl", "failures.jsonl", "runs", "progress.json", ".sweep"
RESULT: Shape = {
    "last": {"test": (float, None)}, "best": {"test": (float, None)}, "final": {"memorised": (float, None)}, "seconds": float,
}  # fmt: skip
"""What the table of a sweep shows of a run."""
FAILURE: Shape = {"key": str, "error": str, "message": str}
"""A line of the failures, as far as it is read."""
NAME = 16  # hexadecimal digits of a key in the name of its folder
DEATHS = 3  # ends of its process after which a run is a failure, the last of them alone
TICK = 0.5  # seconds between two looks at what goes on
PATIENCE = 600.0  # seconds that a run waits for a process that still holds its folder
IDLE = 60.0  # seconds after which a process without work ends
CROWDED = ("OutOfMemoryError", "MemoryError")  # errors that a run may have because of the others
ANY = ("auto", "cuda")  # devices of a run that may use any GPU

# ------------------------------------------------------------------------------------------- in the process of a run


@dataclass(frozen=True)
class Task:
    """What a process is given: a run, the folder of the sweep, and this sweep's own name."""

    key: str
    config: TrainConfig
    folder: str
    owner: str

    @property
    def place(self) -> Path:
        return place_of(Path(self.folder), self.key)


def place_of(folder: Path, key: str) -> Path:
    """The folder of a run that is not finished."""
    return folder / RUNS / key[:NAME]


@dataclass(frozen=True)
class Outcome:
    """What came of a task: the line of the results, or the error's type and message."""

    line: Mapping[str, JsonValue] | None = None
    error: str = ""
    message: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Outcome:
        return cls(error=type(error).__name__, message=str(error) or repr(error))


class AbandonedError(Exception):
    """The sweep that asked for this run is gone."""


ONE = threading.Lock()
"""Torch's random state and threads belong to the process: it trains one run at a time."""


def execute(task: Task) -> Outcome:
    """Train a run to its end, from its checkpoint if there is one. An error comes back as an outcome.

    Where the folder of the sweep cannot be seen (a machine without shared files) there is no checkpoint, and a run that
    dies starts again.
    """
    with ONE:
        try:
            if not task.place.parent.is_dir():
                return Outcome(run(task.config).to_dict())
            task.place.mkdir(exist_ok=True)
            with held(task.place):
                intact(task.place / checkpoint.NAME)
            return Outcome(run(task.config, task.place, resume=True, on_epoch=Reporter(task)).to_dict())
        except Exception as error:  # many errors cannot be pickled, and none may end the sweep
            return Outcome.of(error)
        finally:
            let_go()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder, once no other process does: one that was given up may be in its last epoch."""
    end = monotonic() + PATIENCE
    with ExitStack() as stack:
        while True:  # until PATIENCE is over
            try:
                stack.enter_context(locked(folder))
                break
            except InputError:
                if monotonic() > end:
                    raise
                sleep(TICK / 2)
        yield


def intact(path: Path, shape: Shape = checkpoint.RUN) -> Json | None:
    """The checkpoint, if there is one; one that cannot be read is worth nothing and is removed: the run starts again."""
    if not path.exists():
        return None
    try:
        return checkpoint.load(path, shape)
    except InputError:
        path.unlink()
        return None


def let_go() -> None:
    """Memory of a GPU that torch keeps for later is for the other processes there."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


class Reporter:
    """After every epoch: is the sweep still there, and where is this run? Written at most twice a second."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.next = 0.0

    def __call__(self, epoch: Epoch) -> None:
        if not owner(Path(self.task.folder), self.task.owner).exists():
            raise AbandonedError("another sweep has begun, or this one was stopped")
        if monotonic() < self.next:
            return
        self.next = monotonic() + TICK
        facts = {"epoch": epoch.epoch, "epochs": self.task.config.epochs, "test": epoch.test, "pid": os.getpid()}
        part = self.task.place / f"{PROGRESS}.part"
        with suppress(OSError):  # only for the eyes
            with open(part, "w", encoding="utf-8", opener=without_links) as file:
                file.write(json.dumps(facts))
            os.replace(part, self.task.place / PROGRESS)


def owner(folder: Path, name: str) -> Path:
    """The file that is there while a sweep is."""
    return folder / f"{OWNER}-{name}"


# ---------------------------------------------------------------------------------------------------- the folder


@dataclass(frozen=True, eq=False)
class Store:
    """The files of a sweep: ``lines`` of finished runs and last ``failures`` by key."""

    folder: Path
    lines: dict[str, Json]
    failures: dict[str, Json]

    @classmethod
    def look(cls, folder: Path) -> Store:
        """What a folder holds; nothing, if there is none. Raises InputError for a file with a line that is not JSON."""
        found: list[dict[str, Json]] = []
        for name in (RESULTS, FAILURES):
            lines = numbered(folder / name) if (folder / name).exists() else []
            kept = {}
            for where, line in lines:
                if "key" not in line:  # of another command, such as train
                    continue
                check_shape(line, FAILURE if name == FAILURES else {"key": str}, where)
                if name == RESULTS:
                    check_run(line, where)
                    check_shape(line, RESULT, where)
                kept[line["key"]] = line
            found.append(kept)
        done, failed = found
        return cls(folder, done, {key: line for key, line in failed.items() if key not in done})

    @classmethod
    @contextmanager
    def hold(cls, folder: Path) -> Iterator[Store]:
        """The same for one sweep alone; torn last lines are repaired. InputError when another sweep has the folder."""
        try:
            (folder / RUNS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--out {folder}: cannot be used ({error.strerror or error})") from None
        with locked(folder, "sweep"):
            for old in folder.glob(f"{OWNER}-*"):  # of a sweep that was killed: runs that outlived it stop
                try:
                    old.unlink()
                except OSError as error:
                    raise InputError(
                        f"--out {folder}: {old.name} is not a sweep's mark and cannot be removed ({error.strerror}); move it away"
                    ) from None
            for name in (RESULTS, FAILURES):
                repair(folder / name)
            yield cls.look(folder)

    def add(self, point: PlannedRun, line: Mapping[str, JsonValue], keep: bool) -> None:
        """A finished run; its folder goes unless it is kept."""
        if point.key not in self.lines:
            multiples = {name: float(factor) for name, factor in point.multiples.items()}
            facts = {"key": point.key, **({"times_threshold": multiples} if multiples else {}), **line}
            append(self.folder / RESULTS, facts)
            self.lines[point.key] = facts
            self.failures.pop(point.key, None)
        if not keep:
            shutil.rmtree(place_of(self.folder, point.key), ignore_errors=True)

    def fail(self, point: PlannedRun, outcome: Outcome) -> None:
        """A failed run; its checkpoint stays."""
        facts = {
            "key": point.key,
            "error": outcome.error,
            "message": outcome.message,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "config": point.config.to_dict(),
        }
        append(self.folder / FAILURES, facts)
        self.failures[point.key] = facts

    def progress(self, point: PlannedRun) -> Json | None:
        """Where a run is that is being trained; None before its first epoch, or where that cannot be seen."""
        try:
            found = parse_json(read_text(place_of(self.folder, point.key) / PROGRESS, "progress"), "progress")
        except InputError:
            return None
        shape = {"epoch": int, "epochs": int, "test": (float, None)}
        return found if has_shape(found, shape) and 0 < found["epoch"] <= found["epochs"] else None


# ---------------------------------------------------------------------------------------------------- the engines


class Engine(Protocol):
    """Where runs are trained. ``slots``: how many are handed out at once, None for all."""

    @property
    def slots(self) -> int | None: ...

    def submit(self, task: Task) -> Future[Outcome]: ...

    def renew(self) -> None:
        """After a process died and took the others with it."""

    def close(self, now: bool) -> None:
        """Let go; ``now``: what is still being trained is given up."""


class LocalEngine:
    """Processes on this machine, ``jobs`` of them, each with its share of the cores.

    With several GPUs a run that may use any of them gets the one with the fewest runs, or with the most ``room`` (how many each
    of them holds) where that is known.
    """

    def __init__(self, jobs: int, threads: int, room: Mapping[str, int] | None = None) -> None:
        self.slots = jobs
        self.threads = threads
        self.room = room or {}
        self.load = Counter({f"cuda:{i}": 0 for i in range(torch.cuda.device_count())})
        self.executor = processes(jobs, threads)

    def submit(self, task: Task) -> Future[Outcome]:
        return self.call(execute, task)

    def call(self, work: Callable[..., object], *tasks: Task) -> Future[Any]:
        """Have ``work(*tasks)`` done in one of the processes."""
        device = tasks[0].config.device
        if len(self.load) > 1 and device in ANY:
            device = max(self.load, key=lambda name: self.room.get(name, 0) - self.load[name])
            tasks = tuple(replace(task, config=replace(task.config, device=device)) for task in tasks)
        with _interrupts_held():
            future: Future[Any] = self.executor.submit(work, *tasks)
        if device in self.load:
            self.load[device] += 1
            future.add_done_callback(lambda _: self.load.subtract([device]))
        return future

    def renew(self) -> None:
        self.executor.shutdown(wait=True, kill_workers=True)
        self.executor = processes(self.slots, self.threads)

    def close(self, now: bool) -> None:
        with _interrupts_held():
            self.executor.shutdown(wait=True, kill_workers=now)


def processes(count: int, threads: int) -> ProcessPoolExecutor:
    """An executor of so many processes (joblib's loky), each with so many threads."""
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return ProcessPoolExecutor(
        count,
        timeout=IDLE,
        initializer=_begin,
        initargs=(threads, os.getpid()),
        env=dict.fromkeys(variables, str(threads)),
    )


def _begin(threads: int, parent: int) -> None:
    end_with_parent(parent)
    torch.set_num_threads(threads)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits inside, and never reaches a process that is started inside: the sweep alone answers it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ------------------------------------------------------------------------------------------------------ the sweep


class View(Protocol):
    """Who watches a sweep."""

    def done(self, point: PlannedRun, line: Mapping[str, JsonValue]) -> None: ...

    def failed(self, point: PlannedRun, outcome: Outcome) -> None: ...

    def died(self, points: Sequence[PlannedRun]) -> None: ...

    def look(self, running: Sequence[PlannedRun], waiting: int) -> None: ...


def pending(plan: Plan, store: Store, retry: bool) -> list[PlannedRun]:
    """The runs of a plan that are still to be trained."""
    return [
        point for point in plan.points if point.key not in store.lines and (retry or point.key not in store.failures)
    ]


def sweep(points: Sequence[PlannedRun], store: Store, engine: Engine, view: View, keep: bool = False) -> None:
    """Train the points and record each; the engine is closed in the end.

    After KeyboardInterrupt, or any other exception, what has finished is recorded and the rest can go on later.
    """
    mine = uuid4().hex
    owner(store.folder, mine).touch()
    flow = _Flow(points, store, engine, view, keep, mine)
    finished = False
    try:
        flow.run()
        finished = True
    finally:
        with suppress(OSError):
            owner(store.folder, mine).unlink()  # tells runs that cannot be killed from here to stop after their epoch
        flow.gather()
        engine.close(now=not finished)


class _Flow:
    """Runs on their way: ``waiting`` to start, ``flying``, and those to be trained ``alone``."""

    def __init__(
        self, points: Sequence[PlannedRun], store: Store, engine: Engine, view: View, keep: bool, mine: str
    ) -> None:
        self.store, self.engine, self.view, self.keep, self.mine = store, engine, view, keep, mine
        self.waiting, self.alone = deque(points), deque[PlannedRun]()
        self.flying: dict[Future[Outcome], PlannedRun] = {}
        self.deaths: Counter[str] = Counter()

    def run(self) -> None:
        while self.waiting or self.alone or self.flying:  # a run comes back DEATHS times at most
            self.hand_out()
            self.view.look(list(self.flying.values()), len(self.waiting) + len(self.alone))
            done, _ = wait(self.flying, timeout=TICK, return_when=FIRST_COMPLETED)
            dead: list[PlannedRun] = []
            for future in [each for each in self.flying if each in done]:  # in the order of their start
                self.finish(future, dead)
            if dead:  # the executor is broken: what it still holds fails with the same error
                for future in list(self.flying):
                    with suppress(Exception):
                        future.exception(timeout=20 * TICK)
                    if future.done():
                        self.finish(future, dead)
                self.bury(dead)

    def hand_out(self) -> None:
        while self.waiting and (self.engine.slots is None or len(self.flying) < self.engine.slots):
            self.start(self.waiting)
        if self.alone and not self.flying and not self.waiting:
            self.start(self.alone)

    def start(self, queue: deque[PlannedRun]) -> None:
        point = queue[0]
        task = Task(point.key, point.config, str(self.store.folder.resolve()), self.mine)
        try:
            future = self.engine.submit(task)
        except BrokenExecutor:  # it broke just now; the runs in flight are about to say so
            if self.flying:
                return
            self.engine.renew()
            future = self.engine.submit(task)
        self.flying[future] = queue.popleft()

    def finish(self, future: Future[Outcome], dead: list[PlannedRun]) -> None:
        """Take a future that is done: record it, or add it to ``dead`` where its worker died."""
        point = self.flying.pop(future)
        try:
            outcome = future.result()
        except BrokenExecutor:
            dead.append(point)
            return
        except CancelledError:
            raise InputError("the scheduler is gone; what has finished is kept, start again to go on") from None
        except Exception as error:
            outcome = Outcome.of(error)
        if outcome.line is not None:
            self.store.add(point, outcome.line, self.keep)
            self.view.done(point, outcome.line)
        elif outcome.error in CROWDED and self.again(point):
            self.view.died([point])
        else:
            self.store.fail(point, outcome)
            self.view.failed(point, outcome)

    def bury(self, dead: Sequence[PlannedRun]) -> None:
        """Processes died: their runs start again in new ones."""
        self.engine.renew()
        for point in dead:
            if not self.again(point):
                outcome = Outcome(error="ProcessDied", message=f"its process was killed or crashed, {DEATHS} times")
                self.store.fail(point, outcome)
                self.view.failed(point, outcome)
        self.view.died([point for point in dead if point.key not in self.store.failures])

    def again(self, point: PlannedRun) -> bool:
        """Put a run back that may have been the victim of others; False when it has had its chances."""
        self.deaths[point.key] += 1
        if self.deaths[point.key] >= DEATHS:
            return False
        (self.alone if self.deaths[point.key] == DEATHS - 1 else self.waiting).append(point)
        return True

    def gather(self) -> None:
        """Record what had finished when the sweep was stopped."""
        for future, point in list(self.flying.items()):
            if future.done() and not future.cancelled() and future.exception() is None:
                line = future.result().line
                if line is not None:
                    self.store.add(point, line, self.keep)
