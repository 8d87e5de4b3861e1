"""A whole `asymtheory bound` process against an empty Python process: python benchmarks/startup.py"""

from __future__ import annotations

import os
import subprocess
import sys

from _timing import ROOT, Table, interleaved

COMMANDS = (
    "bound --loss amse --K 10 --eta 0.8",
    "bound --loss agce --set q=0.5 --K 10 --eta 0.8",
    "bound --loss amse --noise cifar10n-worse",
    "bound --loss jal-ce --K 10 --noise pair --eta 0.4",
)
REPEAT = 15
SCRIPT = "import sys; from asymtheory.cli import main; sys.exit(main())"  # what the installed `asymtheory` runs


def measure(repeat: int = REPEAT) -> Table:
    """Children may write .pyc files (the first, uncounted round does), as in any installed copy."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": str(ROOT)}

    def process(*arguments: str) -> None:
        done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)}: exit status {done.returncode}\n{done.stderr}")

    empty = "python -c pass"
    runs = {empty: lambda: process("-c", "pass")} | {
        command: lambda command=command: process("-c", SCRIPT, *command.split()) for command in COMMANDS
    }
    times = interleaved(runs, repeat)
    base = times[empty]
    rows = [
        (f"`{name}`", str(t), f"{t.best / base.best:.2f}", f"{t.median / base.median:.2f}") for name, t in times.items()
    ]
    return Table(
        f"Start-up: whole processes, {repeat} each",
        "at most 6 times `python -c pass`",
        ("process", "time", "ratio of best", "ratio of medians"),
        tuple(rows),
    )


if __name__ == "__main__":
    print(measure())
