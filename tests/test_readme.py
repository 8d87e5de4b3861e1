"""README.md and the pages with console blocks are executed: every command must print what is shown, every Python block must run.

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
PAGES = (README, ROOT / "docs" / "commands.md", ROOT / "docs" / "own-loss.md")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.S | re.M)


def run(command: str) -> str:
    """Output of one ``asymtheory ...`` command, run in this process."""
    program, *arguments = shlex.split(command)
    assert program == "asymtheory"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(arguments)
    return out.getvalue()


def executed(block: str) -> str:
    """A console block with the outputs it should have."""
    return "".join(f"{line}\n{run(line[2:])}" for line in block.splitlines() if line.startswith("$ "))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_console_blocks_show_real_output(path: Path) -> None:
    blocks = BLOCK.findall(path.read_text())
    assert blocks
    for block in blocks:
        assert block == executed(block)


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
        page.write_text(BLOCK.sub(lambda match: f"```console\n{executed(match.group(1))}```", page.read_text()))
