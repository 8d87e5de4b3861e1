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
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "asymtheory"

# A module may import from earlier lines only. `claims` is a package of that layer, whose modules may import each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("jet", "jsonlines"),
    ("exact", "interval"),
    ("backends",),
    ("domain",),
    ("losses", "rows"),
    ("columns",),
    ("settings", "noise", "readers"),
    ("profile",),
    ("bounds", "descent", "estimate", "rules", "slopes"),
    ("ratio", "risk"),
    ("certificates",),
    ("condition",),
    ("threshold",),
    ("calibration", "coverage", "roots", "thresholds"),
    ("expressions", "symbolic"),
    ("scan",),
    ("candidates",),
    ("selection",),
    ("formula",),
    ("atlas", "experiments"),
    ("claims",),
    ("__init__",),
    ("select_command",),
    ("cli",),
    ("__main__",),
)
# noise.load() reads a file with readers, which builds its answer with noise: one room in two files
WITHIN_A_LAYER = {("noise", "readers"), ("readers", "noise")}
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}

NEVER = {"torch", "matplotlib", "asymtheory_figures", "asymtheory_training"}
# what the other two rooms never import: both stand on the core, neither on the other
NEVER_IN = {
    "figures": {"torch", "asymtheory_training", "training"},
    "training": {"matplotlib", "asymtheory_figures", "figures"},
}
SLOW = {"numpy", "scipy", "sympy", "flint", "importlib.metadata"}
START_UP = (
    "__init__", "__main__", "errors", "exact", "interval", "jet", "backends", "domain", "losses", "settings", "noise",
    "profile", "rules", "condition", "threshold", "cli",
)  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One import: the module it is in, what it names, the line, and whether it runs when the module is imported."""

    module: str
    target: str
    line: int
    at_import: bool

    @property
    def room(self) -> str | None:
        """The module of the package that is imported (``claims`` for anything in it), None for other packages."""
        head, _, rest = self.target.partition(".")
        return None if head != PACKAGE else rest.split(".")[0] or "__init__"

    def names(self, forbidden: set[str]) -> bool:
        return any(self.target == name or self.target.startswith(name + ".") for name in forbidden)


def modules(package: Path) -> dict[str, Path]:
    """Dotted name below the package -> file."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        *folders, stem = path.relative_to(package).with_suffix("").parts
        found[".".join([*folders, *([] if folders and stem == "__init__" else [stem])])] = path
    return found


def imports(package: Path) -> list[Import]:
    """Every import in the package, by absolute name; ``from . import x`` names the module x if there is one."""
    known = modules(package)
    found = []
    for module, path in known.items():
        folder = (
            module.split(".")[:-1] if path.name != "__init__.py" else [p for p in module.split(".") if p != "__init__"]
        )
        for node, at_import in walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                base = node.module.split(".") if node.module else []
                if node.level:
                    base = [PACKAGE, *folder[: len(folder) - (node.level - 1)], *base]
                inside = base[1:] if base[0] == PACKAGE else None
                names = [alias.name for alias in node.names]
                targets = [
                    ".".join([*base, name])
                    if (inside is not None and ".".join([*inside, name]) in known) or ".".join([*base, name]) in SLOW
                    else ".".join(base)
                    for name in names
                ]
            found += [Import(module, target, node.lineno, at_import) for target in targets]
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
    """Imports of what a room never imports."""
    return [f"{i.module}:{i.line} imports {i.target}" for i in imports(package) if i.names(never)]


def slow_start(package: Path) -> list[str]:
    """Slow imports that run when a start-up module, or one that it imports at once, is imported."""
    immediate = [i for i in imports(package) if i.at_import]
    reached, waiting = set(), [module for module in START_UP if module in modules(package)]
    while waiting:
        module = waiting.pop()
        reached.add(module)
        rooms = {i.target.partition(".")[2] for i in immediate if i.module == module and i.room}
        waiting += sorted(rooms & set(modules(package)) - reached)
    return [f"{i.module}:{i.line} imports {i.target}" for i in immediate if i.module in reached and i.names(SLOW)]


def against_the_arrows(package: Path) -> list[str]:
    """Imports from the same or a later layer, and modules that are in no layer."""
    wrong = [f"{module} is in no layer" for module in modules(package) if module.split(".")[0] not in RANK]
    for i in imports(package):
        source, target = i.module.split(".")[0], i.room
        if target is None or source not in RANK or source == target:
            continue
        if target not in RANK:
            wrong.append(f"{i.module}:{i.line} imports {target}, which is in no layer")
        elif RANK[target] >= RANK[source] and (source, target) not in WITHIN_A_LAYER:
            wrong.append(f"{i.module}:{i.line} imports {target}, which is not below it")
    return wrong


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


def test_imports_go_one_way() -> None:
    assert against_the_arrows(CORE) == []


@pytest.mark.parametrize("folder", [PACKAGE, "figures", "training", "tests"])
def test_no_dead_checks(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {str(path.relative_to(ROOT)): dead_checks(path.read_text(encoding="utf-8")) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


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
    if not (CORE / "cli.py").is_file():
        pytest.skip("asymtheory/cli.py does not exist yet")
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
    """A package made of the given modules (``claims__jal`` is claims/jal.py)."""
    for module, source in sources.items():
        path = folder / PACKAGE / (module.replace("__", "/") if module.startswith("claims") else module)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(source, encoding="utf-8")
    return folder / PACKAGE


def test_torch_in_a_function_is_seen(tmp_path: Path) -> None:
    broken = package(tmp_path, backends="def f():\n    import torch.nn\n", risk="import torchlike\n")
    assert forbidden(broken) == ["backends:2 imports torch.nn"]


def test_one_room_importing_the_other_is_seen(tmp_path: Path) -> None:
    broken = package(
        tmp_path, report="def f():\n    from asymtheory_training import losses\n", style="import matplotlib\n"
    )
    assert forbidden(broken, NEVER_IN["figures"]) == ["report:2 imports asymtheory_training"]
    assert forbidden(broken, NEVER_IN["training"]) == ["style:1 imports matplotlib"]


def test_slow_import_is_seen_directly_and_through_another_module(tmp_path: Path) -> None:
    broken = package(
        tmp_path,
        losses="from importlib import metadata\n",
        jet="def f():\n    import numpy\n",
        noise="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy\n",
        condition="from . import risk\n",
        risk="try:\n    from scipy.optimize import brentq\nexcept ImportError:\n    pass\n",
        ratio="import flint\n",
    )
    assert slow_start(broken) == ["losses:1 imports importlib.metadata", "risk:2 imports scipy.optimize"]


def test_import_against_the_arrows_is_seen(tmp_path: Path) -> None:
    broken = package(
        tmp_path,
        errors="from .losses import CE\n",
        losses="def f():\n    from asymtheory import threshold\n",
        noise="from .readers import read\n",
        ratio="import asymtheory.risk\n",
        readers="from . import noise\nfrom .errors import InputError\n",
        risk="",
        threshold="from . import losses, __version__\n",
        newcomer="",
        claims__jal="from . import ledger\nfrom .. import cli\nfrom ..losses import CE\n",
        claims__ledger="",
        cli="from .claims.jal import claim\nfrom . import __version__\n",
        __init__="__version__ = '0'\n",
    )
    assert against_the_arrows(broken) == [
        "newcomer is in no layer",
        "claims.jal:2 imports cli, which is not below it",
        "errors:1 imports losses, which is not below it",
        "losses:2 imports threshold, which is not below it",
        "ratio:1 imports risk, which is not below it",
        "threshold:1 imports __init__, which is not below it",
    ]


def test_dead_checks_are_seen() -> None:
    dead = "x == y\nnp.allclose(x, y)\nisclose(x, y)\nnot np.array_equal(x, y)\n"
    assert dead_checks(dead) == [1, 2, 3, 4]
    assert dead_checks("assert abs(x - y < 1e-2)\nassert (x == y, 'm')\nx < y < z or z\n") == [1, 2, 3]
    alive = "assert x == y\nassert np.allclose(x, y)\nok = isclose(x, y)\nassert abs(x - y) < 1e-2\nf(x)\n"
    assert dead_checks(alive) == []


def test_every_file_beside_the_code_is_shipped() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        package: ROOT / setup["package-dir"].get(package, package.replace(".", "/")) for package in setup["packages"]
    }
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
