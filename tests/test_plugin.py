"""A loss of another package is installed, found by name by its entry point, and solved for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PLUGIN = Path(__file__).parents[1] / "examples" / "plugin"


def test_a_loss_of_an_installed_package_is_found_by_name(tmp_path: Path) -> None:
    source, target = tmp_path / "plugin", tmp_path / "installed"
    shutil.copytree(PLUGIN, source)
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*install, "--target", target, source], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    bound = [sys.executable, "-m", "asymtheory", "bound", "--loss", "sphere", "--K", "10", "--eta", "0.8"]
    without = subprocess.run(bound, capture_output=True, text=True, timeout=60)
    assert without.returncode == 2
    assert "'sphere' is not a known loss" in without.stderr
    found = subprocess.run(
        bound, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(target)}
    )
    assert found.returncode == 0, found.stderr
    assert "a >= 0.8" in found.stdout  # c = 9/4 >= (1+a)/a
