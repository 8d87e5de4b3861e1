"""Imports of the core go one way, start-up loads no array library, and no check in the repository is dead.

Everything is read from the syntax trees, so that imports inside functions count too.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "asymtheory"

INSTALLED = {"asymtheory": "asymtheory", "training": "asymtheory_training", "figures": "asymtheory_figures"}

# The rooms of each package, floor by floor: a room imports from the floors below it alone. A folder is one room, whose files
# may import each other as long as no circle comes of it.
FLOORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "asymtheory": (
        ("answers", "errors"),
        ("escapes", "layout", "numbers", "processes", "shapes", "writing"),
        ("reading",),
        ("jsonlines",),
        ("contract",),
        ("losses", "noise"),
        ("asymmetry",),
        ("threshold",),
        ("atlas", "claims", "experiments", "formal", "selection", "study"),
        ("__init__",),
        ("commands", "widgets"),
        ("cli",),
        ("__main__",),
    ),
    "training": (
        ("distributed", "losses"),
        ("data", "weighted_risk"),
        ("run",),
        ("sweep", "tune"),
        ("confirm",),
        ("__init__",),
        ("commands",),
        ("__main__",),
    ),
    "figures": (
        ("results", "style", "workers"),
        ("gallery", "options"),
        ("measured", "tables", "theory"),
        ("animation", "report"),
        ("widget",),
        ("__init__",),
        ("cli",),
    ),
}

NEVER = {"torch", "matplotlib", "asymtheory_figures", "asymtheory_training"}
# what the other two packages never import: both rest on the core, neither on the other
NEVER_IN = {
    "figures": {"torch", "asymtheory_training", "training"},
    "training": {"matplotlib", "asymtheory_figures", "figures"},
}
SLOW = {"numpy", "scipy", "sympy", "flint", "importlib.metadata"}
# what a plain `asymtheory bound` runs; whatever these import at their top is on the start-up path too
START_UP = ("__init__", "__main__", "cli", "asymmetry.condition", "commands.bound", "noise.resolve", "threshold.solve")


@dataclass(frozen=True)
class Import:
    """One import: the module it is in, what it names, the line, and whether it runs when the module is imported.

    ``target`` is the imported module by absolute name, ``names`` what is taken from it (nothing where the module itself is
    imported), ``called`` the name it goes by here.
    """

    module: str
    target: str
    names: tuple[str, ...]
    called: str
    line: int
    at_import: bool

    def of(self, forbidden: set[str]) -> bool:
        """Whether it imports one of these packages or modules."""
        return any(self.target == name or self.target.startswith(name + ".") for name in forbidden)

    def inside(self, package: str) -> str | None:
        """The imported module below the package, ``__init__`` for the package itself; None for another package."""
        head, _, rest = self.target.partition(".")
        return None if head != package else rest or "__init__"


def room(module: str) -> str:
    """The room of a module: its folder, or itself where it lies in none."""
    return module.partition(".")[0]


def modules(package: Path) -> dict[str, Path]:
    """Dotted name below the package -> file; a folder's ``__init__`` goes by the folder's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        *folders, stem = path.relative_to(package).with_suffix("").parts
        found[".".join([*folders, *([] if folders and stem == "__init__" else [stem])])] = path
    return found


def imports(package: Path, installed: str = PACKAGE) -> list[Import]:
    """Every import in the package, by absolute name; ``from . import x`` names the module x if there is one."""
    known = modules(package)
    found = []
    for module, path in known.items():
        parts = [part for part in module.split(".") if part != "__init__"]
        folder = parts if path.name == "__init__.py" else parts[:-1]
        for node, at_import in walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [
                    Import(module, alias.name, (), alias.asname or alias.name, node.lineno, at_import)
                    for alias in node.names
                ]
                continue
            base = node.module.split(".") if node.module else []
            if node.level:
                base = [installed, *folder[: len(folder) - (node.level - 1)], *base]
            for alias in node.names:
                full = ".".join([*base, alias.name])
                is_module = (base[0] == installed and ".".join([*base[1:], alias.name]) in known) or full in SLOW
                target, names = (full, ()) if is_module else (".".join(base), (alias.name,))
                found.append(Import(module, target, names, alias.asname or alias.name, node.lineno, at_import))
    return found


def walk(node: ast.AST, at_import: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Imports below a node, and whether they run on import: not in functions nor under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_import
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from walk(child, False)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from walk(ast.Module(child.body, []), False)
            yield from walk(ast.Module(child.orelse, []), at_import)
        else:
            yield from walk(child, at_import)


def forbidden(package: Path, never: set[str] = NEVER) -> list[str]:
    """Imports of what a package never imports."""
    return [f"{i.module}:{i.line} imports {i.target}" for i in imports(package) if i.of(never)]


def slow_start(package: Path) -> list[str]:
    """Slow imports that run when a start-up module, or one that it imports at once, is imported."""
    immediate = [i for i in imports(package) if i.at_import]
    known = modules(package)
    reached: set[str] = set()
    waiting = sorted({name for module in START_UP for name in (room(module), module)} & set(known))
    while waiting:
        module = waiting.pop()
        reached.add(module)
        inside = {i.inside(PACKAGE) for i in immediate if i.module == module} - {None}
        # importing a.b.c runs a.b and a as well
        above = {".".join(name.split(".")[:n]) for name in inside if name for n in range(1, name.count(".") + 2)}
        waiting += sorted((above & set(known)) - reached)
    return [f"{i.module}:{i.line} imports {i.target}" for i in immediate if i.module in reached and i.of(SLOW)]


def against_the_arrows(package: Path, floors: tuple[tuple[str, ...], ...], installed: str = PACKAGE) -> list[str]:
    """Imports from the same floor or a higher one, rooms that are on no floor, and circles inside a folder."""
    rank = {name: floor for floor, names in enumerate(floors) for name in names}
    known = modules(package)
    wrong = [f"{name} is on no floor" for name in sorted({room(module) for module in known}) if name not in rank]
    inner: dict[str, set[str]] = {module: set() for module in known}
    for i in imports(package, installed):
        target = i.inside(installed)
        if target is None or room(i.module) not in rank:
            continue
        source, above = room(i.module), room(target)
        if source == above:
            inner[i.module] |= {target} & set(known) - {i.module}
        elif above not in rank:
            wrong.append(f"{i.module}:{i.line} imports {above}, which is on no floor")
        elif rank[above] >= rank[source]:
            wrong.append(f"{i.module}:{i.line} imports {target}, which is not below it")
    try:
        list(TopologicalSorter(inner).static_order())
    except CycleError as error:
        wrong.append(f"a circle: {' <- '.join(error.args[1])}")
    return wrong


def private_across_rooms(package: Path, installed: str = PACKAGE) -> list[str]:
    """Names with an underscore that are imported from another room, or reached through a module of one."""
    wrong = []
    rooms: dict[str, set[str]] = {}
    for i in imports(package, installed):
        inside = i.inside(installed)
        if i.target.partition(".")[0] not in INSTALLED.values() or (inside and room(inside) == room(i.module)):
            continue
        wrong += [f"{i.module}:{i.line} imports {name}" for name in i.names if private(name)]
        if not i.names:
            rooms.setdefault(i.module, set()).add(i.called)
    for module, names in rooms.items():
        for node in ast.walk(ast.parse(modules(package)[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and private(node.attr) and ast.unparse(node.value) in names:
                wrong.append(f"{module}:{node.lineno} takes {ast.unparse(node)}")
    return wrong


def private(name: str) -> bool:
    """Whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


VERDICTS = {"allclose", "isclose", "array_equal", "array_equiv", "all", "any"}


def dead_checks(source: str) -> list[int]:
    """Lines whose comparison decides nothing: bare ones, a bare ``allclose(...)``, ``abs(x - y < tolerance)``."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr):
            value = node.value
            if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
                value = value.operand
            if isinstance(value, ast.Compare | ast.BoolOp) or called(value) in VERDICTS:
                lines.append(node.lineno)
        elif (
            called(node) == "abs" and isinstance(node, ast.Call) and any(isinstance(a, ast.Compare) for a in node.args)
        ):
            lines.append(node.lineno)
        elif isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple | ast.Constant):
            lines.append(node.lineno)
    return sorted(lines)


def called(node: ast.AST) -> str | None:
    """Last part of the name of a called function."""
    if not isinstance(node, ast.Call):
        return None
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)


# ------------------------------------------------------------------------------------------------ the repository

CORE = ROOT / PACKAGE


def test_the_core_never_imports_torch_or_matplotlib() -> None:
    assert forbidden(CORE) == []


@pytest.mark.parametrize("room", sorted(NEVER_IN))
def test_figures_and_training_stand_on_the_core_alone(room: str) -> None:
    assert modules(ROOT / room)
    assert forbidden(ROOT / room, NEVER_IN[room]) == []


def test_start_up_modules_import_no_array_library() -> None:
    assert slow_start(CORE) == []


@pytest.mark.parametrize("folder", sorted(FLOORS))
def test_imports_go_one_way(folder: str) -> None:
    assert against_the_arrows(ROOT / folder, FLOORS[folder], INSTALLED[folder]) == []


@pytest.mark.parametrize("folder", sorted(FLOORS))
def test_no_underscored_name_crosses_a_room(folder: str) -> None:
    assert private_across_rooms(ROOT / folder, INSTALLED[folder]) == []


@pytest.mark.parametrize("folder", [PACKAGE, "figures", "training", "tests"])
def test_no_dead_checks(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {str(path.relative_to(ROOT)): dead_checks(path.read_text(encoding="utf-8")) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_map_of_the_house_names_every_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = [name for floor in FLOORS["asymtheory"] for name in floor if not name.startswith("__")]
    assert [name for name in rooms if f"{name}/`" not in text and f"{name}`" not in text] == []


def long_functions(source: str, most: int = 60) -> list[str]:
    """Functions of more than ``most`` lines, docstring and signature included."""
    functions = (x for x in ast.walk(ast.parse(source)) if isinstance(x, ast.FunctionDef | ast.AsyncFunctionDef))
    return [x.name for x in functions if x.end_lineno is not None and x.end_lineno - x.lineno >= most]


@pytest.mark.parametrize("folder", [*sorted(FLOORS), "benchmarks", "tests"])
def test_no_function_is_longer_than_sixty_lines(folder: str) -> None:
    assert {str(f): found for f in (ROOT / folder).rglob("*.py") if (found := long_functions(f.read_text()))} == {}
    assert long_functions("def f():\n" + "    x = 1\n" * 60) == ["f"]


def timed(source: str) -> list[int]:
    """Lines that read a clock to measure by; a deadline of ``time.monotonic`` ends a wait and measures nothing."""
    clocks = {"perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "time_ns"}
    return sorted(node.lineno for node in ast.walk(ast.parse(source)) if called(node) in clocks)


def test_no_test_measures_time() -> None:
    found = {str(path.relative_to(ROOT)): timed(path.read_text()) for path in (ROOT / "tests").rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}  # benchmarks/ does
    assert timed("start = time.perf_counter()\nend = time.monotonic() + 60\nx = process_time()\n") == [1, 3]


def unexplained_loops(source: str) -> list[int]:
    """Lines of ``while True`` and of ``count()`` without a comment that says why they end."""
    lines = source.splitlines()
    endless = [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.While) and isinstance(node.test, ast.Constant))
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"count", "cycle"})
    ]
    return sorted(line for line in endless if not any("#" in text for text in lines[max(line - 2, 0) : line]))


def test_loops_without_a_condition_say_why_they_end() -> None:
    found = {
        str(f): lines
        for room in FLOORS
        for f in (ROOT / room).rglob("*.py")
        if (lines := unexplained_loops(f.read_text()))
    }
    assert found == {}
    assert unexplained_loops("while True:\n    pass\nwhile x:\n    pass\nfor i in count():\n    pass\n") == [1, 5]
    assert unexplained_loops("while True:  # the queue runs out\n    pass\n") == []


LOADED = """
import json, runpy, sys
try:
    if {argv!r}:
        sys.argv = {argv!r}
        runpy.run_module("asymtheory", run_name="__main__", alter_sys=True)
    else:
        import asymtheory.cli
except SystemExit as stop:
    assert not stop.code, stop.code
print(json.dumps(sorted(name for name in {names!r} if name in sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", ["", "bound --loss amse --K 10 --eta 0.8"], ids=["import", "bound"])
def test_the_command_line_loads_no_array_library(arguments: str) -> None:
    argv = ["asymtheory", *arguments.split()] if arguments else []
    code = LOADED.format(argv=argv, names=sorted(NEVER | SLOW))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == []
    if arguments:
        assert "a >= 9" in done.stdout


# ------------------------------------------------------------------------------------------------ each check, broken


def package(folder: Path, **sources: str) -> Path:
    """A package made of the given modules (``noise__rows`` is noise/rows.py)."""
    for module, source in sources.items():
        path = folder / PACKAGE / (module if module.startswith("__") else module.replace("__", "/", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(source, encoding="utf-8")
        if path.parent != folder / PACKAGE and not (path.parent / "__init__.py").exists():
            (path.parent / "__init__.py").write_text("")
    return folder / PACKAGE


def test_torch_in_a_function_is_seen(tmp_path: Path) -> None:
    broken = package(tmp_path, numbers__jet="def f():\n    import torch.nn\n", cli="import torchlike\n")
    assert forbidden(broken) == ["numbers.jet:2 imports torch.nn"]


def test_one_package_importing_the_other_is_seen(tmp_path: Path) -> None:
    broken = package(
        tmp_path, report="def f():\n    from asymtheory_training import losses\n", style="import matplotlib\n"
    )
    assert forbidden(broken, NEVER_IN["figures"]) == ["report:2 imports asymtheory_training"]
    assert forbidden(broken, NEVER_IN["training"]) == ["style:1 imports matplotlib"]


def test_slow_import_is_seen_directly_and_through_another_module(tmp_path: Path) -> None:
    broken = package(
        tmp_path,
        cli="from importlib import metadata\n",
        numbers__jet="def f():\n    import numpy\n",
        noise__resolve="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy\n",
        asymmetry__condition="from . import risk\n",
        asymmetry__risk="try:\n    from scipy.optimize import brentq\nexcept ImportError:\n    pass\n",
        asymmetry__ratio="import flint\n",
    )
    assert slow_start(broken) == ["asymmetry.risk:2 imports scipy.optimize", "cli:1 imports importlib.metadata"]


def test_import_in_a_folders_init_is_on_the_start_up_path(tmp_path: Path) -> None:
    broken = package(
        tmp_path, threshold__solve="", threshold____init__="from .many import f\n", threshold__many="import numpy\n"
    )
    assert slow_start(broken) == ["threshold.many:1 imports numpy"]


def test_import_against_the_arrows_is_seen(tmp_path: Path) -> None:
    broken = package(
        tmp_path,
        errors="from .losses.base import CE\n",
        losses__base="def f():\n    from asymtheory.threshold import solve\n",
        asymmetry__ratio="import asymtheory.atlas\n",
        threshold__solve="from ..losses import base\nfrom .. import __version__\n",
        newcomer="",
        claims__jal="from . import ledger\nfrom .. import cli\nfrom ..losses.base import CE\n",
        claims__ledger="",
        cli="from .claims.jal import claim\nfrom . import __version__\n",
        atlas="",
        __init__="__version__ = '0'\n",
    )
    assert against_the_arrows(broken, FLOORS[PACKAGE]) == [
        "newcomer is on no floor",
        "asymmetry.ratio:1 imports atlas, which is not below it",
        "claims.jal:2 imports cli, which is not below it",
        "errors:1 imports losses.base, which is not below it",
        "losses.base:2 imports threshold.solve, which is not below it",
        "threshold.solve:2 imports __init__, which is not below it",
    ]


def test_a_circle_inside_a_folder_is_seen(tmp_path: Path) -> None:
    broken = package(
        tmp_path, noise__files="from . import rows\n", noise__rows="def f():\n    from .files import read\n"
    )
    (wrong,) = against_the_arrows(broken, FLOORS[PACKAGE])
    assert wrong.startswith("a circle: ")
    assert {"noise.files", "noise.rows"} <= set(wrong.removeprefix("a circle: ").split(" <- "))


def test_an_underscored_name_of_another_room_is_seen(tmp_path: Path) -> None:
    broken = package(
        tmp_path,
        noise__rows="_cell = 1\n",
        noise__files="from .rows import _cell\nfrom . import rows\nrows._cell\n",
        threshold__solve="from ..noise.rows import _cell, cell\nfrom ..noise import rows as table\ntable._cell\n",
    )
    assert private_across_rooms(broken) == ["threshold.solve:1 imports _cell", "threshold.solve:3 takes table._cell"]


def test_dead_checks_are_seen() -> None:
    dead = "x == y\nnp.allclose(x, y)\nisclose(x, y)\nnot np.array_equal(x, y)\n"
    assert dead_checks(dead) == [1, 2, 3, 4]
    assert dead_checks("assert abs(x - y < 1e-2)\nassert (x == y, 'm')\nx < y < z or z\n") == [1, 2, 3]
    alive = "assert x == y\nassert np.allclose(x, y)\nok = isclose(x, y)\nassert abs(x - y) < 1e-2\nf(x)\n"
    assert dead_checks(alive) == []


def test_every_file_beside_the_code_is_shipped() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {}
    for package in setup["packages"]:
        top, *below = package.split(".")
        folders[package] = ROOT.joinpath(setup["package-dir"][top], *below)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    shipped = {
        path
        for package, patterns in setup["package-data"].items()
        for pattern in patterns
        for path in folders[package].glob(pattern)
    }
    rooms = tuple(str(folder.relative_to(ROOT)) + "/" for folder in folders.values())
    beside = {ROOT / path for path in tracked if path.startswith(rooms) and not path.endswith(".py")}
    assert beside - shipped == set()
