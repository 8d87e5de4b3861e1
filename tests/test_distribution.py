"""The wheel and the source distribution: built once, compared with the repository, and the wheel installed and used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = [pytest.mark.xdist_group("distribution"), pytest.mark.slow]

ROOT = Path(__file__).parents[1]
FOLDERS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
# what a build reads; a copy keeps the repository free of build folders
SOURCES = ("asymtheory", "figures", "proofs", "training", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What a command prints; its error text where it fails."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP"))} | environment
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source distribution, as ``python -m build`` makes them, without a network."""
    folder = tmp_path_factory.mktemp("distribution")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, source / name)
    out = folder / "dist"
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".", cwd=source)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def data_files() -> set[str]:
    """Every tracked file beside the code, by its name in the wheel."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    found = set()
    for installed, folder in FOLDERS.items():
        for path in tracked:
            if path.startswith(folder + "/") and not path.endswith(".py"):
                found.add(installed + path.removeprefix(folder))
    return found


def test_wheel_and_source_hold_every_module_and_data_file(built: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {
        str(Path(installed, path.relative_to(ROOT / folder)))
        for installed, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    needed = data_files() | modules
    assert {"asymtheory/noise/data/cifar10h.json", "asymtheory_training/sweep/plans/apl-fig2.toml"} <= needed
    assert needed - names == set()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {
        "asymtheory",
        "asymtheory_figures",
        "asymtheory_proofs",
        "asymtheory_training",
    }
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "asymtheory/noise/data/cifar10h.json"} <= inside
    assert {"figures/report/report.css", "training/sweep/plans/apl-fig2.toml"} <= inside


def test_an_index_would_take_both_files(built: Path) -> None:
    assert (
        run(sys.executable, "-m", "twine", "check", "--strict", *sorted(built.iterdir()), cwd=built).count("PASSED")
        == 2
    )


def test_the_metadata_is_what_an_index_shows(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        facts = Parser().parsestr(archive.read(path).decode())
        entries = archive.read(path.replace("METADATA", "entry_points.txt")).decode()
    assert (facts["Name"], facts["License-Expression"]) == ("asymtheory", "MIT")
    assert facts["Description-Content-Type"] == "text/markdown"
    assert {"figures", "training"} <= set(facts.get_all("Provides-Extra") or ())
    groups = ConfigParser()
    groups.read_string(entries)
    assert {"figure", "report", "table", "train"} <= set(groups["asymtheory.commands"])


def test_the_installed_wheel_answers(wheel: Path, tmp_path: Path) -> None:
    """In a new environment, outside the repository; what the package depends on is taken from this one."""
    venv.create(tmp_path / "new", with_pip=False, symlinks=os.name != "nt")
    programs = tmp_path / "new" / ("Scripts" if os.name == "nt" else "bin")
    run(
        sys.executable, "-m", "pip", "--python", programs / "python", "install", "--no-deps", "--no-index", "--quiet",
        "--disable-pip-version-check", wheel, cwd=tmp_path,
    )  # fmt: skip
    command = programs / "asymtheory"
    assert "a >= 9" in run(command, "bound", "--loss", "amse", "--K", "10", "--eta", "0.8", cwd=tmp_path)
    assert "a >= 5000/1343" in run(command, "bound", "--loss", "amse", "--noise", "cifar10n-worse", cwd=tmp_path)
    (site,) = (tmp_path / "new").glob("lib/python*/site-packages")
    others = [path for path in map(Path, sys.path) if path.name == "site-packages"]
    (site / "others.pth").write_text("\n".join(map(str, others)))
    seen = (
        "import asymtheory, asymtheory_figures, asymtheory_training, importlib.metadata as m\n"
        "from asymtheory_figures import gallery\n"
        "from asymtheory_figures.tables.published import names\n"
        "from asymtheory_training.sweep.shipped import find\n"
        "for package in (asymtheory, asymtheory_figures, asymtheory_training): print(package.__file__)\n"
        "groups = ('commands', 'plots', 'engines', 'checks', 'widgets')\n"
        "found = [e for group in groups for e in m.entry_points(group='asymtheory.' + group)]\n"
        "print(len({e.name for e in found if e.load()}), len(gallery.names()), len(names()), find('apl-fig2') is not None)"
    )
    *files, counts = run(programs / "python", "-c", seen, cwd=tmp_path).splitlines()
    assert all(Path(file).is_relative_to(site) for file in files), files
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    commands, figures, tables, plan = counts.split()
    assert int(commands) == sum(map(len, entries.values()))
    assert int(figures) > 30
    assert int(tables) > 5
    assert plan == "True"
