"""The plans that come with the package: one for every figure and table of the papers that shows trained networks.

They lie in ``plans/NAME.toml``, full size, and say in their comments what the papers leave open; :func:`find` takes a file of the
user's own first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from asymtheory.errors import InputError, nearest

FOLDER = Path(__file__).parent / "plans"


@dataclass(frozen=True)
class Shipped:
    """A plan of the package: its name, and what its first line says."""

    name: str
    path: Path

    @property
    def title(self) -> str:
        with self.path.open(encoding="utf-8") as file:
            return file.readline().removeprefix("#").strip()


def shipped() -> tuple[Shipped, ...]:
    """All plans, by name."""
    return tuple(Shipped(path.stem, path) for path in sorted(FOLDER.glob("*.toml")))


def find(name: str | os.PathLike[str]) -> Path:
    """The file of that name, else the shipped plan; InputError, with the nearest name, when there is neither."""
    path = Path(name)
    if path.is_file():
        return path
    plans = {plan.name: plan.path for plan in shipped()}
    key = os.fspath(name).strip().lower().removesuffix(".toml")
    if key not in plans:
        known = "asymtheory sweep --list shows those that come with the package"
        raise InputError(f"plan {name}: there is no such file, and no such plan ({known}){nearest(key, plans)}")
    return plans[key]
