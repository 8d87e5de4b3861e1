"""Lines of results that were edited, and names in them that mean something to a figure."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from asymtheory_figures import gallery, style
from matplotlib.figure import Figure

from asymtheory.cli import main
from asymtheory.escapes import mathtext

RESULTS = Path(__file__).parents[2] / "results"
HOSTILE = r"$\frac{ a$b\ $$ _^{"
TABLE, FIGURE = ["table", "jal-table3", "--results"], ["figure", "curves", "--out"]


@pytest.fixture(scope="module")
def line() -> dict[str, Any]:
    with gzip.open(RESULTS / "digits.jsonl.gz", "rt") as lines:
        found: dict[str, Any] = json.loads(next(lines))
    return found


EDITS: dict[str, tuple[Any, str | None]] = {
    "missing": (lambda line: line["config"].pop("dataset"), "dataset"),
    "text for a number": (lambda line: line["last"].update(test="much"), "test"),
    "NaN": (lambda line: line["curve"][0].update(test=float("nan")), "NaN"),
    "unknown": (lambda line: line.update(surplus=1), None),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("command", ["table", "figure"])
def test_an_edited_line_is_refused_or_read(
    edit: str, command: str, line: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = json.loads(json.dumps(line))
    change, named = EDITS[edit]
    change(edited)
    file = tmp_path / "results.jsonl"
    file.write_text(json.dumps(edited) + "\n")
    given = [*TABLE, str(file)] if command == "table" else [*FIGURE, str(tmp_path), "--option", f"results={file}"]
    status = main(given)
    said = capsys.readouterr()
    if named is None:
        assert status == 0, said.err
    else:
        assert (status, said.out, said.err.count("\n")) == (2, "", 1)
        assert f"{file}:1" in said.err or "line 1" in said.err
        assert named in said.err


def test_hostile_names_are_drawn_as_they_are(line: dict[str, Any], tmp_path: Path) -> None:
    edited = json.loads(json.dumps(line))
    edited["config"] |= {"dataset": HOSTILE, "model": HOSTILE, "labels": HOSTILE, "column": HOSTILE}
    other = json.loads(json.dumps(edited))
    other["config"]["schedule"] = HOSTILE  # a setting that differs is in the legend
    file = tmp_path / "results.jsonl"
    file.write_text(json.dumps(edited) + "\n" + json.dumps(other) + "\n")
    drawn = gallery.make("curves", results=str(file), width="full")
    assert b"<svg" in gallery.render(drawn, "svg")
    assert mathtext(HOSTILE) in drawn.axes[0].get_title(loc="left")


@pytest.mark.parametrize("name", ["a", "p_min", "a_b_c", "_a", "a$", "\\x", HOSTILE])
def test_a_parameter_of_any_name_can_be_set_as_mathematics(name: str) -> None:
    drawn = Figure()
    drawn.suptitle(f"${style.symbol(name)} = 1$")
    drawn.draw_without_rendering()
