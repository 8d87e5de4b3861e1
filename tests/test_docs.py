"""Every code block of every page is tried: Python runs, TOML is read, commands are understood, and those that take seconds run.

A block that cannot run here says why in a comment before it: ``<!-- not run: it needs a cluster -->``. Blocks with output
are compared with it in test_readme.py (``console``) and test_tutorial.py.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import runpy
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from asymtheory.cli import main
from asymtheory.commands.options import join_formulas
from asymtheory.commands.parsers import whole

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
ELSEWHERE = {
    "README.md": "test_readme.py",
    "tutorial.md": "test_tutorial.py",
}  # whose Python runs there, with its comments
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]*?) -->\n\n?)?"
    r"(?:^```(?P<kind>\w*)\n(?P<fenced>.*?)^```$|(?<=\n\n)(?P<plain>(?:    [^\n]*\n(?:[ ]*\n)*)+))",
    re.S | re.M,
)
QUICK = ("bound", "ratio", "check", "guarantee", "noise", "losses")
"""Commands that answer in seconds. The others train, draw, or need files that are not here: they are read, not run."""


@dataclass(frozen=True)
class Block:
    """A code block: the line that it starts on, its kind, its code, and why it is not run."""

    page: Path
    line: int
    kind: str
    code: str
    reason: str | None


def blocks(page: Path) -> Iterator[Block]:
    """The code blocks of a page, fenced or indented."""
    text = page.read_text(encoding="utf-8") + "\n"
    for found in BLOCK.finditer(text):
        code = found["fenced"] if found["plain"] is None else textwrap.dedent(found["plain"])
        yield Block(page, text.count("\n", 0, found.start()) + 1, found["kind"] or kind_of(code), code, found["reason"])


def kind_of(code: str) -> str:
    """What an indented block holds."""
    if re.match(r"(from |import |class |def |@)", code):
        return "python"
    if re.search(r"^\[+[\w.\"]+\]+", code, re.M) and "=" in code:
        return "toml"
    return "sh" if re.match(r"(asymtheory|pip|python\S*|apt-get|torchrun|dask) ", code) else "text"


ALL = [block for page in PAGES for block in blocks(page)]
NAMES = [page for page in PAGES if any(b.kind == "python" for b in blocks(page)) and page.name not in ELSEWHERE]


def commands(block: Block) -> Iterator[list[str]]:
    """The ``asymtheory`` commands of a block, without comments, prompts and what follows a pipe or a redirection."""
    for line in block.code.replace("\\\n", " ").splitlines():
        for part in line.removeprefix("$ ").split(" && "):
            if re.match(r"asymtheory [\w-]+( |$)", part):
                words = shlex.split(part, comments=True)
                yield words[1 : next((i for i, w in enumerate(words) if w in (">", "|", "2>")), None)]


def test_every_command_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser, ran, wrong = whole(), 0, []
    monkeypatch.chdir(tmp_path)
    for block in ALL:
        if block.kind not in ("sh", "console", "text"):
            continue
        for words in commands(block):
            where = f"{block.page.name}:{block.line}: {shlex.join(words)}"
            if words[:2] == ["labels", "inspect"]:
                continue
            try:
                parser.parse_args(join_formulas(words))
                shows = any(not line.startswith("$ ") for line in block.code.splitlines())
                compared = block.kind == "console" and shows  # in test_readme.py or test_tutorial.py
                if words[0] in QUICK and not compared and not re.search(r"\.(npz|npy|csv)\b", shlex.join(words)):
                    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                        status = main(words)
                    ran += 1
                    if status == 2:
                        wrong.append(f"{where}: refused")
            except (SystemExit, Exception) as error:
                wrong.append(f"{where}: {error}")
    assert wrong == []
    assert ran >= 1


def test_toml_is_read() -> None:
    found = [block for block in ALL if block.kind == "toml"]
    assert len(found) >= 3
    for block in found:
        assert tomllib.loads(block.code), f"{block.page.name}:{block.line}"


@pytest.mark.parametrize("page", NAMES, ids=lambda page: page.name)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the extra training is not installed")
    pytest.importorskip("matplotlib", reason="the extra figures is not installed")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page):
        if block.kind == "toml" and page.name == "sweeps.md":
            (tmp_path / "plan.toml").write_text(block.code)
        if block.kind == "python" and block.reason is None:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.code, f"{page.name}:{block.line}", "exec"), names)
                assert untrue(block, names) == []


def untrue(block: Block, names: dict[str, object]) -> list[str]:
    """Lines of a block that has run whose comment is a value, ``1 + 1  # 2``, and whose code has another one."""
    wrong = []
    for line in block.code.splitlines():
        code, _, comment = line.partition("  # ")
        with contextlib.suppress(ValueError, SyntaxError):
            value = ast.literal_eval(comment.strip())
            found = eval(compile(code, f"{block.page.name}:{block.line}", "eval"), names)
            if found != value:
                wrong.append(f"{line}: {found!r}")
    return wrong


def test_a_comment_that_is_untrue_is_seen() -> None:
    block = Block(ROOT / "README.md", 1, "python", "1 + 1  # 2\nx = 3  # 4\n2 * 3  # 7\n'a'  # text\n", None)
    assert untrue(block, {}) == ["2 * 3  # 7: 6"]


def test_what_is_not_run_says_why() -> None:
    reasons = [block for block in ALL if block.reason is not None]
    assert all(len(block.reason or "") > 10 for block in reasons)
    assert len(reasons) < 12


def test_the_page_of_benchmarks_names_every_command():
    folder = ROOT / "benchmarks"
    own = runpy.run_path(str(folder / "run_all.py"))
    head, page = own["HEAD"].strip(), (folder / "README.md").read_text(encoding="utf-8")
    assert page.startswith(head + "\n\n")
    commands = (
        {path.name for path in folder.glob("[!_]*.py")} - {"run_all.py"} - {f"{name}.py" for name in own["BENCHMARKS"]}
    )
    assert [name for name in sorted(commands) if f"`{name}`" not in head] == []
