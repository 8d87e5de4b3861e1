"""What people see of a sweep: a table that redraws itself on a terminal, plain lines elsewhere, and the summary in the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from time import monotonic
from typing import TextIO

from asymtheory import layout
from asymtheory.errors import LONGEST, printable
from asymtheory.jsonlines import Json, JsonValue

from ..run.record import percent
from .estimate import duration
from .flow import Outcome, Store
from .grammar import SEEDS
from .plan import Plan, PlannedRun

ROWS = 20  # of running runs that are shown at most


class Table:
    """Follows a sweep on a stream: every end of a run gets a line; ``live``: what is running is redrawn below them."""

    def __init__(self, plan: Plan, store: Store, total: int, live: bool, stream: TextIO | None = None) -> None:
        self.plan, self.store, self.total, self.live = plan, store, total, live
        self.stream = sys.stderr if stream is None else stream
        self.finished = self.failures = self.drawn = 0
        self.since = monotonic()

    def done(self, point: PlannedRun, line: Mapping[str, JsonValue]) -> None:
        self.finished += 1
        last, best = line["last"]["test"], line["best"]["test"]
        test = "" if last is None else f"test {percent(last)} % (best {percent(best)} %), "
        self.say(f"{self._count()} {self.plan.label(point)}: {test}{duration(line['seconds'])}")

    def failed(self, point: PlannedRun, outcome: Outcome) -> None:
        self.finished += 1
        self.failures += 1
        self.say(f"{self._count()} {self.plan.label(point)}: failed: {outcome.error}: {first_line(outcome.message)}")

    def died(self, points: Sequence[PlannedRun]) -> None:
        for point in points:
            self.say(f"{self.plan.label(point)}: its process ended early; it goes on from its last checkpoint")

    def look(self, running: Sequence[PlannedRun], waiting: int) -> None:
        if not self.live:
            return
        self._clear()
        size = _size()
        rows = []
        parts = float(self.finished)  # of runs that are trained so far
        for point in running:
            progress = self.store.progress(point)
            if progress is not None:
                parts += progress["epoch"] / progress["epochs"]
                test = "" if progress["test"] is None else f"  test {percent(progress['test'])} %"
                rows.append(f"  {self.plan.label(point)}  epoch {progress['epoch']}/{progress['epochs']}{test}")
        most = max(1, min(ROWS, size.lines - 3))
        if len(rows) > most:
            rows[most - 1 :] = [f"  and {len(rows) - most + 1} more"]
        left = ""
        if parts:
            rest = (monotonic() - self.since) / parts * (self.total - parts)
            left = f", about {duration(rest)} left"
        failed = f", {self.failures} failed" if self.failures else ""
        rows.append(f"{self.finished} of {self.total} done{failed}, {len(running)} running, {waiting} waiting{left}")
        self.stream.write("".join(f"{row[: size.columns - 1]}\n" for row in rows))
        self.stream.flush()
        self.drawn = len(rows)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Take the redrawn part away."""
        self._clear()
        self.stream.flush()

    def _clear(self) -> None:
        if self.drawn:
            self.stream.write(f"\x1b[{self.drawn}A\x1b[J")
            self.drawn = 0

    def _count(self) -> str:
        width = len(str(self.total))
        return f"[{self.finished:>{width}}/{self.total}]"


def first_line(message: str) -> str:
    """The text of a row; the whole message of a failure is in the file."""
    return printable(message.partition("\n")[0], LONGEST)


def _size() -> os.terminal_size:
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        size = os.terminal_size((0, 0))
    return size if size.columns and size.lines else os.terminal_size((80, 24))


# ----------------------------------------------------------------------------------------------------------- in the end


def groups(plan: Plan, store: Store) -> list[Json]:
    """The finished runs of a plan, those that differ in the seed alone together.

    ``last``: test accuracies after the last epoch; ``mean`` and ``std`` (of a sample; None for one run) are theirs, in [0, 1].
    """
    names = [name for name in plan.varied if name not in SEEDS]
    found: dict[tuple[str, ...], tuple[str, list[Mapping[str, JsonValue]]]] = {}
    for point in plan.points:
        settings = tuple(str(point.settings.get(name)) for name in names)  # a label has six digits of a number
        _, lines = found.setdefault(settings, (plan.label(point, seed=False), []))
        if point.key in store.lines:
            lines.append(store.lines[point.key])
    rows = []
    for label, lines in found.values():
        last = [line["last"]["test"] for line in lines if line["last"]["test"] is not None]
        memorised = [line["final"]["memorised"] for line in lines if line["final"]["memorised"] is not None]
        rows.append(
            {
                "run": label,
                "seeds": len(lines),
                "last": last,
                "mean": fmean(last) if last else None,
                "std": stdev(last) if len(last) > 1 else None,
                "memorised": fmean(memorised) if memorised else None,
            }
        )
    return rows


def summary(rows: Sequence[Mapping[str, JsonValue]]) -> str:
    """The groups as a table: test accuracy of the last epoch and memorised share of the wrong labels, in percent."""
    cells = [("run", "seeds", "test, last epoch", "memorised")]
    for row in rows:
        spread = "" if row["std"] is None else f" ± {percent(row['std'])}"
        cells.append((row["run"], str(row["seeds"]), f"{percent(row['mean'])}{spread}", percent(row["memorised"])))
    return "\n".join(layout.table(cells, right=frozenset({1, 2, 3})))
