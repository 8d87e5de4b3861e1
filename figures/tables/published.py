"""What the papers print: their tables of accuracies, as ``published.json`` holds them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json

DATA = Path(__file__).with_name("published.json")
HUMAN = "human"

Column = tuple[str, str | None]
"""(kind, rate) of the noise as a table names it: none, symmetric, asymmetric, instance with a rate; human with a column's name."""


@cache
def published() -> Json:
    """All of ``published.json``: papers, set-ups, tables."""
    with DATA.open(encoding="utf-8") as file:
        found: Json = json.load(file)
    return found


def names() -> list[str]:
    """The tables by name, ``alf-table1`` and so on."""
    return list(published()["tables"])


def find(name: str) -> str:
    """The table of that name, also as it is cited ("ALF Table 1"); InputError with the nearest name otherwise."""
    key = "".join(each for each in name.lower() if each.isalnum())
    for known in names():
        if key == known.replace("-", ""):
            return known
    raise InputError(f"{name!r} is not a table{nearest(name.lower(), names())} (asymtheory table --list shows them)")
