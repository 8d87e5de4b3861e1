"""The plans that come with the package: one for every figure and table of the papers that shows trained networks.

They lie in ``plans/NAME.toml``, full size, and say in their comments what the papers leave open; those of ``asymtheory confirm``
lie in ``designs/NAME.toml``. :func:`find` takes a file of the user's own first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from asymtheory.errors import InputError, nearest

PLANS = Path(__file__).parent / "plans"
DESIGNS = Path(__file__).parents[1] / "confirm" / "designs"


@dataclass(frozen=True)
class Shipped:
    """A plan of the package: its name, and what its first line says."""

    name: str
    path: Path

    @property
    def title(self) -> str:
        with self.path.open(encoding="utf-8") as file:
            return file.readline().removeprefix("#").strip()


def shipped(folder: Path = PLANS) -> tuple[Shipped, ...]:
    """All plans, by name."""
    return tuple(Shipped(path.stem, path) for path in sorted(folder.glob("*.toml")))


def find(name: str | os.PathLike[str], folder: Path = PLANS) -> Path:
    """The file of that name, else the shipped plan; InputError, with the nearest name, when there is neither."""
    path = Path(name)
    if path.is_file():
        return path
    plans = {plan.name: plan.path for plan in shipped(folder)}
    key = os.fspath(name).strip().lower().removesuffix(".toml")
    if key not in plans:
        command = "asymtheory sweep --list shows those that come" if folder == PLANS else f"{', '.join(plans)} come"
        known = f"{command} with the package"
        raise InputError(f"plan {name}: neither a file nor a plan of that name exists ({known}){nearest(key, plans)}")
    return plans[key]


def results_of(name: str | os.PathLike[str], path: Path) -> Path:
    """Where the results of a plan go unless that is said: a folder beside a file, here for a plan of the package."""
    return path.with_suffix("") if path == Path(name) else Path(path.stem)
