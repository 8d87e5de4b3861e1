"""Selection on large data: python benchmarks/selection.py [--scale 0.1]

A million labels of 100 classes with clean ones, and a million posteriors over 100 classes streamed from a memory-mapped .npy.
Each runs in a process of its own, so that its memory is its own; the rival in the same run is a plain reading of the input:
counting with a dictionary, and summing the array's rows once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _timing import ROOT, Table, show

N, K = 10**6, 100
SCRIPT = """
import json, resource, sys, time
sys.path.insert(0, {root!r})
import numpy as np
import scipy.special
from asymtheory import select
start = time.perf_counter()
found = select({arguments})
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([seconds, peak, str(found.best.loss), len(found.candidates)]))
"""


def labels(folder: Path, n: int) -> str:
    """Noisy and clean labels as .npy: 40 % redrawn."""
    generator = np.random.default_rng(0)
    clean = generator.integers(0, K, n)
    np.save(folder / "clean.npy", clean)
    np.save(folder / "noisy.npy", np.where(generator.random(n) < 0.4, generator.integers(0, K, n), clean))
    return f"labels={str(folder / 'noisy.npy')!r}, clean={str(folder / 'clean.npy')!r}"


def posteriors(folder: Path, n: int) -> str:
    """Posteriors with one large entry, float32, as .npy."""
    generator = np.random.default_rng(0)
    table = np.lib.format.open_memmap(folder / "p.npy", mode="w+", dtype=np.float32, shape=(n, K))
    for start in range(0, n, 50_000):
        part = generator.exponential(size=(min(50_000, n - start), K)).astype(np.float32) ** 3
        part[np.arange(len(part)), generator.integers(0, K, len(part))] += 60
        table[start : start + len(part)] = part / part.sum(1, keepdims=True)
    table.flush()
    return f"posteriors={str(folder / 'p.npy')!r}"


def count_by_dictionary(folder: Path) -> None:
    """The rival on labels."""
    counts: dict[tuple[int, int], int] = {}
    pairs = zip(np.load(folder / "clean.npy").tolist(), np.load(folder / "noisy.npy").tolist(), strict=True)
    for pair in pairs:
        counts[pair] = counts.get(pair, 0) + 1


def sum_of_rows(folder: Path) -> None:
    """The rival on posteriors: reads all of the file once."""
    np.load(folder / "p.npy", mmap_mode="r").sum(axis=1)


def measure(scale: float = 1.0) -> Table:
    rows = []
    n = int(N * scale)
    for name, make, rival, target in (
        ("labels and clean labels", labels, count_by_dictionary, "2 s, 1 GB"),
        ("posteriors, memory-mapped", posteriors, sum_of_rows, "10 s"),
    ):
        with tempfile.TemporaryDirectory() as path:
            folder = Path(path)
            code = SCRIPT.format(root=str(ROOT), arguments=make(folder, n))
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            seconds, peak, best, candidates = json.loads(done.stdout)
            start = time.perf_counter()
            rival(folder)
            other = time.perf_counter() - start
        rows.append(
            (
                f"{n:,} x {K} {name}", show(seconds), f"{peak / 2**20:.0f} MiB", target, show(other),
                f"{seconds / other:.1f}", f"{best} of {candidates}",
            )
        )  # fmt: skip
    return Table(
        "Selection on large data",
        "as in the table; the rival only reads the same input (a dictionary of counts; the sum of each row)",
        ("input", "select", "peak memory", "target", "rival", "ratio", "best"),
        tuple(rows),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of the million")
    print(measure(parser.parse_args().scale))
