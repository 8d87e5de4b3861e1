"""Tables in the pages are those of results/: every page is written anew and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from asymtheory.errors import InputError

pytest.importorskip("matplotlib", reason="figures need their extra")

from asymtheory_figures.results import load
from asymtheory_figures.tables.pages import BLOCK, main, written

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "confirmation.md", *sorted((ROOT / "docs" / "confirmation").glob("*.md"))]
ROWS = load(str(ROOT / "results")).rows


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_numbers_of_a_page_are_those_of_the_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert written(text, ROWS) == text, f"run python -m asymtheory_figures.tables.pages docs/confirmation.md {page}"


def test_there_are_tables() -> None:
    """Else the comparison above says nothing."""
    assert sum(len(BLOCK.findall(page.read_text(encoding="utf-8"))) for page in PAGES) >= 10


def test_a_number_that_was_changed_by_hand_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        'a\n<!-- rows: population dataset=mnist noise="symmetric 0.8" loss=amse -->\n<!-- end -->\nb\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(ROOT)
    assert main([str(page)]) == 0
    good = page.read_text(encoding="utf-8")
    assert good.startswith("a\n<!--")
    assert good.endswith("<!-- end -->\nb\n")
    assert main(["--check", str(page)]) == 0
    page.write_text(good.replace("0.928", "0.999"), encoding="utf-8")
    assert main(["--check", str(page)]) == 1
    assert main([str(page)]) == 0
    assert page.read_text(encoding="utf-8") == good


def test_cells_are_those_of_the_rows() -> None:
    """One cell of each kind, from rows written down here."""
    row = {
        "loss": "amse", "parameter": "a", "fixed": {"q": 2}, "value": 9.0, "threshold": 9.0, "factor": 1, "dataset": "x",
        "model": "mlp", "images": 1000, "noise": "pair 0.4", "seeds": 2, "lost": [1, 0], "slope_ratio": 0.7, "exact": 1.0,
        "measured": 0.9, "low": 0.85, "high": 0.95, "median": 0.99, "deviation": -0.1,
        "memorised": 0.255, "last": 0.5, "drop": 0.043,
        "transition": {"measured": {"factor": 0.4}, "exact": {"factor": 0.5}, "memorised": {"factor": None}},
    }  # fmt: skip
    rows = [
        {**row, "regime": "population"},
        {**row, "regime": "fixed"},
        {**row, "regime": "population", "factor": 2, "lost": [0, 0]},
    ]
    cells = {
        "population": "| 1 | 1.000: 0.900 [0.850, 0.950], 1 lost |",
        "fixed": "| 1 | 26 %, 50.0 % (4), 1 lost |",
        "both": "| AMSE (q = 2) | 1 | 1.000 | 0.900 [0.850, 0.950], 1 lost | 25.5 % | 50.0 % | 4.3 |",
        "lost": "| pair 0.4 | – | 0.100, 1 of 4 | 0.100, 0 of 4 | – |",
        "turns": "| pair 0.4 | 0.40 (0.50) |",
        "ratios": "| x, mlp | of each class by itself |  | 2 of 12 (16.7 %) |  |  |  |  |",
        "answers": "| x, mlp, 1,000 images | pair 0.4 | – | 0.40 (0.50) | 0.900 (0.990) | 0 of 0, 1 of 4, 0 of 4 | –, 26 %, – "
        "| none |",
    }
    for kind, line in cells.items():
        assert line in written(f"<!-- rows: {kind} -->\n<!-- end -->", rows).splitlines()


@pytest.mark.parametrize(("asked", "says"), [("populations", "population"), ("fixed dataset=mnits", "nothing like it")])
def test_a_block_that_asks_for_nothing_is_named(asked: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        written(f"<!-- rows: {asked} -->\n<!-- end -->", ROWS)
