"""A whole `asymtheory bound` process against an empty Python process: python benchmarks/startup.py

Both run in a fresh virtual environment that holds nothing but a copy of the package, compiled and with the script that an
installer writes. In a development environment the rival would be slow: `.pth` files (an editable install has a finder
among them) run in every process, which flatters a ratio. What the commands need beyond the standard library is not there,
so that they fail if they ask for it.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import tempfile
import venv
from pathlib import Path

from _timing import ROOT, Table, interleaved

COMMANDS = (
    "bound --loss amse --K 10 --eta 0.8",
    "bound --loss agce --set q=0.5 --K 10 --eta 0.8",
    "bound --loss amse --noise cifar10n-worse",
    "bound --loss jal-ce --K 10 --noise pair --eta 0.4",
)
REPEAT = 25
SCRIPT = "#!{python}\nimport sys\nfrom asymtheory.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"


def install(folder: Path) -> Path:
    """The package alone in a new virtual environment, as `pip install` would leave it; its folder of programs."""
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    packages = next(folder.glob("lib/python*/site-packages"), folder / "Lib" / "site-packages")
    shutil.copytree(ROOT / "asymtheory", packages / "asymtheory", ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(packages, quiet=1)
    script = programs / "asymtheory"
    script.write_text(SCRIPT.format(python=programs / "python"), encoding="utf-8")
    script.chmod(0o755)
    return programs


def measure(repeat: int = REPEAT) -> Table:
    """Ratios to an empty process of the same interpreter, in turns."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as folder:
        programs = install(Path(folder))

        def process(program: str, *arguments: str) -> None:
            command = [str(programs / program), *arguments]
            done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")

        empty = "python -c pass"
        runs = {empty: lambda: process("python", "-c", "pass")} | {
            command: lambda command=command: process("asymtheory", *command.split()) for command in COMMANDS
        }
        times = interleaved(runs, repeat)
    base = times[empty]
    rows = [
        (f"`{name}`", str(t), f"{t.best / base.best:.2f}", f"{t.median / base.median:.2f}") for name, t in times.items()
    ]
    return Table(
        f"Start-up: whole processes, {repeat} each, in an environment with nothing else",
        "at most 6 times `python -c pass`",
        ("process", "time", "ratio of best", "ratio of medians"),
        tuple(rows),
    )


if __name__ == "__main__":
    print(measure())
