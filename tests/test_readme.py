"""README.md is executed: every console command must print what stands below it, every Python block must run.

``python tests/test_readme.py`` rewrites the outputs.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

from asymtheory.cli import main

README = Path(__file__).parents[1] / "README.md"
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


def test_console_blocks_show_real_output() -> None:
    blocks = BLOCK.findall(README.read_text())
    assert len(blocks) >= 3
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
    text = README.read_text()
    README.write_text(BLOCK.sub(lambda match: f"```console\n{executed(match.group(1))}```", text))
