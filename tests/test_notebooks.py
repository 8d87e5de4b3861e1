"""The notebooks of the three roads are executed: what they show is what their cells give. A step of its own in .ci/run.

``python tests/test_notebooks.py`` rewrites the outputs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"
NAMES = ("noisy-labels", "new-loss", "review-a-paper")
LARGEST = 100_000  # bytes of a notebook with its outputs
KEPT = ("text/plain", "image/png")  # of an output; a widget's view is made anew, with an identifier of its own
CHANGES = "changes"
"""The tag of cells whose output holds times, or the advice of the day, and is not compared."""


def executed(name: str) -> Any:
    """The notebook with fresh outputs."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    NotebookClient(
        book,
        timeout=100,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    ).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # times
        for output in cell.get("outputs", ()):
            if "data" in output:
                output.data = {kind: value for kind, value in output.data.items() if kind in KEPT}
                if (
                    "widget" in output.data.get("text/plain", "").lower()
                    or output.data.get("text/plain", "")[:6] == "Panel("
                ):
                    output.data["text/plain"] = "the panel (run the notebook to use it)"
    book.metadata = {key: book.metadata[key] for key in ("kernelspec", "language_info")}
    book.metadata.language_info = {"name": "python"}
    return book


def said(cell: Any) -> list[str]:
    """The text of a cell's outputs."""
    return [output.get("text") or output["data"].get("text/plain", "") for output in cell.get("outputs", ())]


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_small_executed_and_whole(name: str) -> None:
    nbformat = pytest.importorskip("nbformat")
    path = NOTEBOOKS / f"{name}.ipynb"
    assert path.stat().st_size < LARGEST
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert any("Panel(" in cell.source for cell in code)
    assert str(Path.home()) not in path.read_text(encoding="utf-8")


@pytest.mark.skipif(not os.environ.get("ASYMTHEORY_NOTEBOOKS"), reason="a step of its own: ASYMTHEORY_NOTEBOOKS=1")
@pytest.mark.parametrize("name", NAMES)
def test_notebooks_show_real_output(name: str) -> None:
    import nbformat

    stored = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for before, after in zip(stored.cells, executed(name).cells, strict=True):
        if CHANGES not in after.metadata.get("tags", ()):
            assert said(before) == said(after), after.source


if __name__ == "__main__":
    import nbformat

    for each in NAMES:
        nbformat.write(executed(each), NOTEBOOKS / f"{each}.ipynb")
