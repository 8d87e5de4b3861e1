"""The documentation site: every page is in its navigation, every address in a page leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MADE = {"index.md", "panel.md", "gallery.md", "api.md", "benchmarks.md"}  # by docs/site.py
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    shown = set(re.findall(r": ([\w/-]+\.md)$", nav, re.MULTILINE))
    assert shown == {path.relative_to(ROOT / "docs").as_posix() for path in PAGES} | MADE


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(path: Path) -> None:
    found = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text())
    assert [link for link in found if not (path.parent / link).exists()] == []
