"""README.md and the pages with console blocks are executed: every command must print what is shown, every Python block must run.

A line ``...`` stands for lines of an output that are left out.

``python tests/test_readme.py`` rewrites the outputs.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from asymtheory.cli import main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TUTORIAL = ("tutorial.md", "fair.md", "theorem.md")  # which test_tutorial.py runs, for they train
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.S | re.M)
WRITTEN = (README, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
PAGES = tuple(
    page
    for page in WRITTEN
    if page.name not in TUTORIAL
    and any(not line.startswith("$ ") for block in BLOCK.findall(page.read_text()) for line in block.splitlines())
)
"""Every page that shows what a command prints."""
REGRET = ROOT / "docs" / "regret.md"  # written from results/, which tests/training compare
RULES = (
    "CE, raw",
    "GCE 0.7, raw",
    "JAL-CE, raw",
    "**`select`**, the noise alone",
    "**`select`**, with the size",
    "**`tune`**, budget 20",
    "Optuna (TPE), 80 trials",
)
SIZED = RULES[4]
UNSEEN = {
    "CE, raw": "CE", "**`select`**, with the size": "`select` with the size", "**`tune`**, budget 20": "`tune` (20)",
    "Optuna (TPE), 80 trials": "Optuna (80)",
}  # fmt: skip
TABLE = re.compile(r"^\| rule \| runs \|.*?in the median of \d+ tasks\.\n", re.M | re.S)


def run(command: str) -> str:
    """Output of one ``asymtheory ...`` command, run in this process."""
    program, *arguments = shlex.split(command)
    assert program == "asymtheory"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(arguments)
    return out.getvalue()


def executed(block: str) -> str:
    """A console block with the outputs it should have; a command without one is not run here."""
    parts = re.findall(r"^\$ ([^\n]*)\n(.*?)(?=^\$ |\Z)", block, re.S | re.M)
    return "".join(f"$ {command}\n{shown and shortened(run(command), shown)}" for command, shown in parts)


def shortened(output: str, shown: str) -> str:
    """What is shown, if it is the output but for whole lines that a line ``...`` stands for; else all of the output."""
    pieces = [re.escape(piece) for piece in re.split(r"^\.\.\.\n", shown, flags=re.M)]
    return shown if re.fullmatch(r"(?:[^\n]*\n)+?".join(pieces), output) else output


def regret() -> str:
    """README's table of regret: some rows of docs/regret.md, medians and worst."""
    page, _, unseen = REGRET.read_text().partition("## Data sets that nobody had seen")
    cells, fresh = map(table, (page, unseen))
    rows = {row[0]: row for row in cells if len(row) == 8}
    lines = ["| rule | runs | set aside: median | worst | others: median | worst |", "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(rows[rule][i] for i in (0, 1, 2, 4, 5, 7)) + " |" for rule in RULES]
    (human,) = (row for row in cells if row[0] == "human worse")
    ce, select, tune = (human[i].split(",")[0].replace("-0.0", "0.0") for i in (2, 5, 6))
    new = {row[0]: row for row in fresh if len(row) == 8}
    found = ", ".join(f"{name} {new[rule][2]} and {new[rule][4]}" for rule, name in UNSEEN.items())
    said = f"CE {ce} points, `select` with the size {select}, `tune` (20) {tune}, in the median of {human[1]} tasks."
    told = ["On three data sets that nobody had seen, median and worst:", f"{found}."]
    return "\n".join([*lines, "", *told, "On the human labels above, which were set aside:", said, ""])


def table(text: str) -> list[list[str]]:
    """The cells of its lines."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_other_pages_say_the_same_of_the_regret() -> None:
    page, _, unseen = REGRET.read_text().partition("## Data sets that nobody had seen")
    (size,), (alone,) = (
        [row for row in table(page) if row[0] == rule] for rule in (SIZED, "**`select`**, the noise alone")
    )
    new = {row[0]: row for row in table(unseen) if len(row) == 8}
    long, rate = next((row[3], row[2]) for row in table(unseen) if row[0] == "mean, worst")
    said = " ".join((ROOT / "docs" / "selection" / "features.md").read_text().split())
    for shown in (
        f"left out {size[5]}, {size[6]} and {size[7]}, by the noise alone {alone[5]}, {alone[6]} and {alone[7]};",
        f"set aside first {size[2]}, {size[3]} and {size[4]} ({alone[2]}, {alone[3]} and {alone[4]});",
        f"nobody had seen {new[SIZED][2]}, {new[SIZED][3]} and {new[SIZED][4]} (",
        f"20 short runs: {new[RULES[5]][2]}, {new[RULES[5]][3]} and {new[RULES[5]][4]} on the last",
        "was {} points below the best on average, in the worst task {};".format(*long.split(", ")),
        "the rate itself {} and {}.".format(*rate.split(", ")),
    ):
        assert shown in said


def test_the_regret_is_that_of_its_page() -> None:
    assert TABLE.findall(README.read_text()) == [regret()]


def test_lines_that_are_left_out_leave_the_others_compared() -> None:
    output = "a 1\nb 2\nc 3\nd 4\n"
    for shown in (output, "a 1\n...\nd 4\n", "a 1\n...\n", "...\nc 3\nd 4\n", "a 1\n...\nc 3\n...\n"):
        assert shortened(output, shown) == shown
    for shown in ("", "a 1\n", "a 1\nd 4\n", "a 2\n...\n", "a 1\n...\nc 4\nd 4\n", "a 1\n...\n 4\n", output + "...\n"):
        assert shortened(output, shown) == output


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_console_blocks_show_real_output(path: Path) -> None:
    blocks = BLOCK.findall(path.read_text())
    assert blocks
    for block in blocks:
        assert block == executed(block)


def test_every_page_with_output_is_compared() -> None:
    assert {"README.md", "start.md", "commands.md", "own-loss.md"} <= {page.name for page in PAGES}


def test_python_blocks_run_and_comments_are_true() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.S | re.M)
    assert len(blocks) == 2
    checked = 0
    for block in blocks:
        names: dict[str, object] = {}
        exec(block, names)
        for line in block.splitlines():
            code, _, comment = line.partition("  # ")
            if comment.strip() and re.match(r"'|True|False|\d", comment.strip()):
                assert eval(code, names) == eval(comment.strip()), line
                checked += 1
    assert checked == 2


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(TABLE.sub(lambda match: regret(), page.read_text()))
        page.write_text(BLOCK.sub(lambda match: f"```console\n{executed(match.group(1))}```", page.read_text()))
