"""Torch losses against torch's cross entropy: python benchmarks/torch_losses.py [--quick]

Forward and backward in float32, in turns; each figure is the median, over the turns, of the ratio to
``torch.nn.functional.cross_entropy`` timed in the same turn. Memory is the largest growth of the process while one loss is
computed and differentiated, beyond the logits, in tensors of their size; it is measured in a process of its own. Vocabulary-sized
logits are taken again by losses under ``torch.compile``, where its C++ compiler is at hand.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from shutil import which
from statistics import median
from typing import Any, NamedTuple

import torch
from _timing import Table, show
from asymtheory_training import build_loss

SINGLE = ("ce", "mae", "gce", "agce", "aul", "ael", "amse", "nce", "nnce", "taylor-ce", "phuber-ce")
SUMS = ("jal-ce", "anl-ce", "nce+rce", "nce+agce")
FOCAL = ("fl", "nfl", "nnfl", "jal-fl", "anl-fl", "ngce")  # NGCE too takes a power of every entry
Group = tuple[tuple[str, ...], float]  # losses, and the ratio that each should keep to


class Case(NamedTuple):
    """Losses that are timed in turns on logits of one shape."""

    shape: tuple[int, int]
    groups: tuple[Group, ...]
    spread: float = 1.0  # standard deviation of the logits; at 8 many entries are below NNCE's p_min
    compiled: bool = False

    def __str__(self) -> str:
        wide = f", spread {self.spread:g}" if self.spread != 1 else ""
        return f"{self.shape[0]} x {self.shape[1]}{wide}{', compiled' if self.compiled else ''}"


CASES = (
    Case((128, 10), ((SINGLE, 3.0), (SUMS, 4.0), (FOCAL, 5.0))),
    Case((256, 1000), ((SINGLE, 1.25), (SUMS, 1.6), (FOCAL, 2.0))),
    Case((256, 1000), ((("nnce",), 1.25), (("anl-ce",), 1.6), (("nnfl", "anl-fl"), 2.0)), spread=8.0),
    Case((4096, 1000), ((SINGLE, 1.25), (SUMS, 1.5), (FOCAL, 2.0))),
    Case((1024, 50000), ((("nce", "agce"), 1.0), (("jal-ce",), 1.0), (("anl-fl",), 1.0))),
    Case((1024, 50000), ((("nce", "agce", "jal-ce", "anl-fl"), 1.0),), compiled=True),
)
REPEATS = {(128, 10): (60, 40), (256, 1000): (40, 6), (4096, 1000): (9, 1), (1024, 50000): (3, 1)}
# glibc: tensors of a megabyte come from fresh pages at each call, or not, as the process has freed larger ones before. That decides
# what cross_entropy takes at 256 x 1000 (270 to 710 us here), so a second process, which keeps all memory, measures them again.
KEEPING = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**28),
}
MEMORY = ("cross_entropy", "jal-ce", "anl-fl", "gce")


def _loss(name: str) -> Callable[[Any, Any], Any]:
    return torch.nn.functional.cross_entropy if name == "cross_entropy" else build_loss(name)


def ratios(case: Case, share: float) -> tuple[float, dict[str, float]]:
    """Seconds of cross entropy (median), and the median ratio of each loss to it."""
    turns, runs = REPEATS[case.shape]
    logits = (torch.randn(case.shape) * case.spread).requires_grad_()
    labels = torch.randint(0, case.shape[1], case.shape[:1])
    losses = {name: _loss(name) for group, _ in case.groups for name in group}
    if case.compiled:
        losses = {name: torch.compile(loss) for name, loss in losses.items()}
    losses["cross_entropy"] = _loss("cross_entropy")
    taken: dict[str, list[float]] = {name: [] for name in losses}
    for turn in range(max(2, round(turns * share)) + 1):
        for name, loss in losses.items():
            start = time.perf_counter()
            for _ in range(runs):
                logits.grad = None
                loss(logits, labels).backward()
            if turn:
                taken[name].append((time.perf_counter() - start) / runs)
    base = taken["cross_entropy"]
    return median(base), {name: median(own / ce for own, ce in zip(taken[name], base, strict=True)) for name in losses}


def memory(name: str, shape: tuple[int, int] = (4096, 1000)) -> float:
    """Peak growth of this process in tensors of the logits' size; meant for a fresh process."""
    torch.set_num_threads(1)
    loss = _loss(name)
    small = torch.randn(64, shape[1], requires_grad=True)
    loss(small, torch.zeros(64, dtype=torch.int64)).backward()  # libraries load here
    logits = torch.randn(shape, requires_grad=True)
    labels = torch.zeros(shape[0], dtype=torch.int64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loss(logits, labels).backward()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return grown * 1024 / (4 * shape[0] * shape[1])


def measure(quick: bool = False, native: bool = False) -> Table:
    kept = []
    for name in () if native else MEMORY:  # first: a child's peak starts at that of its parent, which is small now
        command = [sys.executable, __file__, "--memory", name]
        grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        met = "-" if name == "cross_entropy" else "yes" if grown <= 2 else "no"
        kept.append(("4096 x 1000", "", f"{name}: peak memory", f"{grown:.2f}", "2", met))
    if native:
        from asymtheory_training import use_native

        use_native()
    rows = []
    for case in CASES:
        if (quick and case.shape[1] > 1000) or (case.compiled and (native or not which("g++"))):
            continue
        absolute, found = ratios(case, 0.3 if quick else 1.0)
        for group, target in case.groups:
            own = ", ".join(f"{name} {found[name]:.2f}" for name in group)
            worst = max(found[name] for name in group)
            met = "yes" if worst <= target else "no"
            rows.append((str(case), show(absolute), own, f"{worst:.2f}", f"{target:g}", met))
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    where = ", losses in C++ (use_native)" if native else ""
    where += " where the allocator keeps all memory" if os.environ.items() >= KEEPING.items() else ""
    return Table(
        f"Torch losses, forward + backward, ratio to cross_entropy{where} (load {load})",
        "single, sums, focal as in the column; at most 2 tensors of memory",
        ("logits", "cross_entropy", "ratio", "largest", "target", "met"),
        (*rows, *kept),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a third of the turns, no vocabulary-sized logits")
    parser.add_argument("--native", action="store_true", help="losses in C++, which needs a compiler")
    parser.add_argument("--memory", metavar="LOSS", help="print the peak memory of one loss and nothing else")
    options = parser.parse_args()
    if options.memory:
        print(memory(options.memory))
        return
    print(measure(options.quick, options.native))
    if sys.platform == "linux" and not os.environ.items() >= KEEPING.items():
        command = [sys.executable, __file__, *(["--quick"] if options.quick else [])]
        others = [["--native"]] if options.native else [[], ["--native"]] if which("g++") else [[]]
        for more in others:
            run = [*command, *more]
            again = subprocess.run(run, check=True, capture_output=True, text=True, env={**os.environ, **KEEPING})
            print(f"\n{again.stdout.strip()}")


if __name__ == "__main__":
    main()
