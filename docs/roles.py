"""References in docstrings as links of the site: ``:func:`.select``` becomes the name, and leads to its entry where there is one.

An extension of Griffe, which mkdocstrings reads docstrings with (mkdocs.yml names it).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe

API = Path(__file__).parents[1] / "build" / "pages" / "api"  # the pages that docs/site.py writes
ROLE = re.compile(r":(?:mod|class|func|data|meth|attr):`(?P<text>[^`<]*?)(?:\s*<(?P<target>[^`>]+)>)?`")
INSTALLED = {"asymtheory_training": "training", "asymtheory_figures": "figures"}  # a package and its folder


class Roles(griffe.Extension):
    """Docstrings without roles."""

    def __init__(self) -> None:
        self.pages = frozenset(
            name for page in API.glob("*.md") for name in re.findall(r"^::: (\S+)", page.read_text(), re.M)
        )

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replace the roles of one docstring."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(lambda role: self.written(role, obj), obj.docstring.value)

    def written(self, role: re.Match[str], at: griffe.Object) -> str:
        """A role in Markdown: a link to what has an entry in the reference, else code."""
        target = (role["target"] or role["text"]).lstrip("~.")
        text = role["text"].strip().removeprefix("~").lstrip(".")
        found = self.entry(target, at)
        shown = target.rpartition(".")[2] if found or role["text"].startswith("~") else text
        return f"[`{shown}`][{found.path}]" if found else f"`{shown}`"

    def entry(self, name: str, at: griffe.Object) -> griffe.Object | None:
        """What a name means in an object, if the reference has it: a name of its class or module, or a path from a package on."""
        first, _, rest = name.partition(".")
        name = f"{INSTALLED.get(first, first)}.{rest}" if rest else name
        for place in (at, *parents(at)):
            try:
                found = (
                    at.modules_collection[name]
                    if place is at and name.split(".")[0] in at.modules_collection
                    else place[name]
                )
                found = found.final_target if found.is_alias else found
            except (KeyError, ValueError, griffe.GriffeError):
                continue
            return found if self.has(found) else None
        return None

    def has(self, found: griffe.Object) -> bool:
        """Is it on a page?"""
        whole = all(each.is_public and each.has_docstring for each in (found, *parents(found)) if not each.is_module)
        return whole and found.module.path in self.pages


def parents(at: griffe.Object) -> list[griffe.Object]:
    """The class, module and packages that an object is in, from the inside out."""
    found = []
    while at.parent is not None:
        at = at.parent
        found.append(at)
    return found
