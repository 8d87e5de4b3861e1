"""Losses fused with the last linear layer against what one would write without: python benchmarks/linear_loss.py [--quick]

Forward and backward in float32 from hidden states (N, d) to the gradients of states and layer, in turns. Times are seconds of
the processor, all threads together, so that others on the machine disturb less. Each ratio is the median, over the turns, of the
ratio in one turn, with the smallest and the largest. Rivals:

* products: the three matrix products of the same chunks and nothing else, the least that any way takes;
* chunked cross entropy: ``F.linear`` and ``F.cross_entropy`` on the same chunks, backward chunk by chunk;
* whole logits: ``F.linear`` and ``build_loss`` of the same loss on all rows at once.

Memory is the growth of a process of its own while the loss is computed and differentiated, less the gradients themselves.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from _timing import Table, show

LOSSES = ("ce", "agce", "jal-ce", "anl-ce", "anl-fl")
TURNS = 5
CHUNKED, WHOLE, PRODUCTS = "chunked cross entropy", "whole logits", "products"


class Shape(NamedTuple):
    """Rows, width of the states, classes."""

    n: int
    d: int
    K: int

    def __str__(self) -> str:
        return f"N = {self.n:,}, d = {self.d}, K = {self.K:,}"

    @property
    def gradients(self) -> int:
        """Bytes of those of states and layer."""
        return 4 * self.d * (self.n + self.K)


SHAPE, QUICK, LARGE = Shape(2048, 512, 50_000), Shape(512, 256, 20_000), Shape(2048, 512, 256_000)


def _run(rival: str, shape: Shape) -> Callable[[], None]:
    """One forward and backward pass of a rival, ``"products"``, ``"fused NAME"``, ``"whole logits NAME"``, ..."""
    import torch
    from asymtheory_training import RobustLinearLoss, build_loss
    from asymtheory_training.losses.chunks import chunk_rows
    from torch.nn.functional import cross_entropy, linear

    n, d, K = shape
    torch.manual_seed(0)
    hidden, weight = torch.randn(n, d, requires_grad=True), torch.randn(K, d).div_(d**0.5).requires_grad_()
    labels = torch.randint(0, K, (n,))
    rows = chunk_rows(n, d, K, 4, hidden.device)
    kind, _, name = rival.rpartition(" ")

    def products() -> None:
        h, w = hidden.detach(), weight.detach()
        logits, of_hidden, of_weight = torch.empty(rows, K), torch.empty(n, d), torch.empty(K, d)
        for start in range(0, n, rows):
            part = slice(start, min(start + rows, n))
            z = torch.mm(h[part], w.t(), out=logits[: part.stop - start])
            torch.mm(z, w, out=of_hidden[part])
            torch.addmm(of_weight, z.t(), h[part], beta=int(start > 0), out=of_weight)

    def chunked() -> None:
        for start in range(0, n, rows):
            part = slice(start, min(start + rows, n))
            (cross_entropy(linear(hidden[part], weight), labels[part], reduction="sum") / n).backward()

    if kind == "fused":
        fused = RobustLinearLoss(name)
        step = lambda: fused(hidden, weight, labels).backward()  # noqa: E731
    elif kind == WHOLE:
        whole = build_loss(name)
        step = lambda: whole(linear(hidden, weight), labels).backward()  # noqa: E731
    else:
        step = products if rival == PRODUCTS else chunked

    def once() -> None:
        hidden.grad = weight.grad = None
        step()

    return once


def times(shape: Shape, losses: tuple[str, ...], turns: int, threads: int | None) -> dict[str, list[float]]:
    """Seconds of the processor for each rival in each turn; the first turn is not counted."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    rivals = [PRODUCTS, CHUNKED, *(f"{kind} {name}" for name in losses for kind in ("fused", WHOLE))]
    runs = {rival: _run(rival, shape) for rival in rivals}
    taken: dict[str, list[float]] = {rival: [] for rival in runs}
    for turn in range(turns + 1):
        for rival, run in runs.items():
            start = time.process_time()
            run()
            if turn:
                taken[rival].append(time.process_time() - start)
    return taken


def memory(rival: str, shape: Shape) -> int:
    """Bytes by which this process grows, less the gradients; meant for a fresh process."""
    import torch

    torch.set_num_threads(1)
    _run(rival, Shape(64, 32, 1000))()  # libraries load here
    run = _run(rival, shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 - shape.gradients


def _in_a_process(*arguments: str) -> list[int]:
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return [int(x) for x in done.stdout.split()]


def _ratio(own: list[float], other: list[float]) -> str:
    each = [x / y for x, y in zip(own, other, strict=True)]
    return f"{median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def measure(quick: bool, threads: int | None) -> list[Table]:
    shape, losses = (QUICK, LOSSES[:2]) if quick else (SHAPE, LOSSES)
    megabytes = {
        rival: _in_a_process("--memory", rival, *map(str, shape))[0] / 1e6
        for rival in (CHUNKED, *(f"{kind} {name}" for name in losses for kind in ("fused", WHOLE)))
    }
    # before this process grows: a child's peak starts at that of its parent
    grown, peak = (0, 0) if quick else _in_a_process("--memory", "fused agce", *map(str, LARGE), "--whole")
    taken = times(shape, losses, 2 if quick else TURNS, threads)
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    rows = []
    for name in losses:
        own, whole = f"fused {name}", f"{WHOLE} {name}"
        beyond = median(x - y for x, y in zip(taken[own], taken[PRODUCTS], strict=True))
        least = [median(x / y for x, y in zip(taken[own], taken[other], strict=True)) for other in (CHUNKED, whole)]
        share = megabytes[own] / megabytes[whole]
        met = "yes" if max(least) <= 1.05 and share <= 1 / 8 else "no"
        rows.append(
            (name, show(median(taken[own])), _ratio(taken[own], taken[CHUNKED]), _ratio(taken[own], taken[whole]),
             show(max(beyond, 1e-9)), f"{megabytes[own]:.0f} MB", f"1/{1 / share:.1f}", met)
        )  # fmt: skip
    others = f"products {show(median(taken[PRODUCTS]))}, {CHUNKED} {show(median(taken[CHUNKED]))}, {megabytes[CHUNKED]:.0f} MB"
    tables = [
        Table(
            f"Losses fused with the linear layer: {shape} ({others}; {threads or os.cpu_count()} threads, load {load})",
            "at most 1.05 of either rival's time, and 1/8 of the memory of whole logits beyond the gradients",
            (
                "loss",
                "time",
                f"ratio to {CHUNKED}",
                f"ratio to {WHOLE}",
                "beyond the products",
                "memory",
                "of that",
                "met",
            ),
            tuple(rows),
        )
    ]
    if not quick:
        met = "yes" if peak <= 2e9 else "no"
        tables.append(
            Table(
                f"A vocabulary of {LARGE.K:,} (d = {LARGE.d}, N = {LARGE.n:,}), AGCE",
                "2 GB for the whole process: torch, the layer, its gradient and all else",
                ("beyond the gradients", "whole process", "met"),
                ((f"{grown / 1e6:.0f} MB", f"{peak / 1e6:.0f} MB", met),),
            )
        )
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small layer and two losses")
    parser.add_argument("--threads", type=int, help="of torch; with 1, waiting for a busy core is not counted")
    parser.add_argument("--memory", nargs=4, metavar=("RIVAL", "N", "D", "K"), help="print bytes beyond the gradients")
    parser.add_argument("--whole", action="store_true", help="with --memory: the peak of the whole process, too")
    options = parser.parse_args()
    if options.memory:
        rival, *shape = options.memory
        print(memory(rival, Shape(*map(int, shape))))
        if options.whole:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    print("\n\n".join(map(str, measure(options.quick, options.threads))))


if __name__ == "__main__":
    main()
