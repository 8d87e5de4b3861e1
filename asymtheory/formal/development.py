"""The Coq development of proofs/: where it is, compiling it, and what its theorems assume."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

from ..errors import InputError

INSTALL = "apt-get install --no-install-recommends coq libcoq-coquelicot libcoq-interval"
LISTED = "_CoqProject"  # names the files in the order of their imports
PRINTS = "Assumptions.v"
LOGIC = "Asymtheory"
MACHINE_NUMBERS = ("PrimInt63.", "Uint63.", "PrimFloat.", "FloatAxioms.")


class ProofRefused(Exception):
    """Coq refused a file; the message holds its name and what Coq said."""


def prover() -> str:
    """The path of coqc. Raises InputError with what to install where there is none."""
    found = shutil.which("coqc")
    if found is None:
        raise InputError(f"coqc is not installed: {INSTALL}")
    return found


def sources() -> dict[str, str]:
    """The files of the development by name, in the order in which they compile."""
    with as_file(files("asymtheory_proofs")) as folder:
        names = re.findall(r"^\S+\.v$", (folder / LISTED).read_text(), re.MULTILINE)
        return {name: (folder / name).read_text() for name in names}


def compiled(progress: bool = True) -> tuple[Path, dict[str, tuple[str, ...]]]:
    """Compile the development, or find it compiled: its folder, and what each main theorem assumes.

    The folder is in the user's cache (``XDG_CACHE_HOME``, else ``~/.cache``) under the hash of the sources and of the prover's
    version. Raises InputError without coqc, ProofRefused where Coq refuses a file.
    """
    coqc, texts = prover(), sources()
    version = subprocess.run([coqc, "--version"], capture_output=True, text=True, check=True).stdout
    key = hashlib.sha256("\0".join([version, *texts, *texts.values()]).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asymtheory"
    folder = cache / f"proofs-{key}"
    printed = folder / "assumptions.txt"
    if not printed.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            text = _build(coqc, Path(scratch), texts, progress)
            (Path(scratch) / printed.name).write_text(text)
            shutil.copytree(scratch, folder, dirs_exist_ok=True)
    return folder, assumptions(printed.read_text())


def _build(coqc: str, folder: Path, texts: dict[str, str], progress: bool) -> str:
    """Compile every file in turn; what the last one prints."""
    for name, text in texts.items():
        (folder / name).write_text(text)
    output = ""
    for name in _with_progress(list(texts), progress):
        output = coq(coqc, folder / name, folder)
    return output


def coq(coqc: str, path: Path, folder: Path) -> str:
    """Compile one file against the development in ``folder``; what Coq prints. Raises ProofRefused."""
    done = subprocess.run(
        [coqc, "-q", "-w", "-ambiguous-paths", "-Q", str(folder), LOGIC, str(path)], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ProofRefused(f"{path.name}: {' '.join(done.stderr.split())[:300]}")
    return done.stdout


def _with_progress(names: list[str], progress: bool) -> Iterator[str]:
    if not (progress and sys.stderr.isatty()):
        yield from names
        return
    from tqdm import tqdm  # late: nothing else here needs it

    with tqdm(total=len(names), unit="file", leave=False) as bar:
        for name in names:
            bar.set_postfix_str(name)
            yield name
            bar.update()


def assumptions(printed: str) -> dict[str, tuple[str, ...]]:
    """The axioms behind each theorem, from the output of Assumptions.v (``Check`` and ``Print Assumptions`` in turn)."""
    found: dict[str, tuple[str, ...]] = {}
    theorem, axioms, inside = None, [], False
    for line in printed.splitlines():
        name = re.match(r"^([\w.]+)\s*(:|$)", line)
        if line.startswith("Axioms:"):
            inside = True
        elif name is None:
            continue
        elif inside and ("." in name[1] or name[2] == ":"):
            axioms.append(name[1])
        else:
            if theorem is not None:
                found[theorem] = tuple(axioms)
            theorem, axioms, inside = name[1], [], False
    if theorem is not None:
        found[theorem] = tuple(axioms)
    return found
