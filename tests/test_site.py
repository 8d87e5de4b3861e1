"""The documentation site: every page is in its navigation, every address in a page leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MADE = {"index.md", "overview.md", "panel.md", "gallery.md", "api.md", "benchmarks.md"}  # by docs/site.py
MADE |= {f"notebooks/{path.stem}.md" for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")}
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    shown = set(re.findall(r": ([\w/-]+\.md)$", nav, re.MULTILINE))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in PAGES} - {
        "start.md"
    }  # which is the first page, index.md
    assert {name for name in shown if not name.startswith("api/")} == pages | MADE


def test_formulas_are_drawn_and_code_stays_code() -> None:
    spec = importlib.util.spec_from_file_location("mathematics", ROOT / "docs" / "mathematics.py")
    assert spec is not None
    pytest.importorskip("latex2mathml", reason="the extra docs is not installed")
    mathematics = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mathematics)
    assert mathematics.tex("w_m (a-1)^(q-1) >= w_n") == r"w_{m} (a-1)^{q-1} \ge  w_{n}"
    assert mathematics.tex("exp(tau sqrt(K/(K-1))) <= c") == r"\exp (\tau  \sqrt{K/(K-1)}) \le  c"
    for code in ("asymtheory ratio", "numbers/spans.py", "--exact", "excess_risk_bound", "check", "slack"):
        assert mathematics.tex(code) is None
    pages = [ROOT / "docs" / "theory.md", *sorted((ROOT / "docs" / "theory").glob("*.md"))]
    page = "".join(mathematics.rendered(path.read_text()) for path in pages)
    assert page.count("<math") > 250
    assert page.count('class="display"') == 3
    assert "`phi" not in page


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(path: Path) -> None:
    found = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text())
    made = MADE if path.name == "start.md" else set()  # the site's first page leads to pages that the site makes
    assert [link for link in found if not (path.parent / link).exists() and link not in made] == []
