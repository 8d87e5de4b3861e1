"""What the benchmarks share: timings of rivals interleaved in one run, and a table of results."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # this checkout, not an installed copy


@dataclass(frozen=True)
class Time:
    """Seconds: the best run says what the code costs, the median what a user waits on this machine."""

    best: float
    median: float

    def __str__(self) -> str:
        return f"{show(self.best)} (median {show(self.median)})"


def interleaved(runs: Mapping[str, Callable[[], Any]], repeat: int) -> dict[str, Time]:
    """Time each run ``repeat`` times, in turns, so that a busy moment hits all alike. One round before is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeat + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: Time(min(seconds), median(seconds)) for name, seconds in taken.items()}


def once(run: Callable[[], Any]) -> tuple[Any, float]:
    """Result and seconds of a single run, for rivals too slow to repeat."""
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def show(seconds: float) -> str:
    """Three digits with the unit that fits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


@dataclass(frozen=True)
class Table:
    """One benchmark's results; ``target`` says what the project asks for."""

    title: str
    target: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        widths = [max(len(row[i]) for row in (self.head, *self.rows)) for i in range(len(self.head))]
        lines = [
            "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
            for row in (self.head, *self.rows)
        ]
        lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
        return "\n".join([f"### {self.title}", "", f"Target: {self.target}.", "", *lines])
