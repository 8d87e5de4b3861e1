"""Files of results as figures and tables read them: whole, compressed, torn, broken, twice, or not there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from asymtheory_figures.results import NothingMeasured, load, mean, repetitions

from asymtheory import jsonlines
from asymtheory.errors import InputError

from .test_curves import line

ROW = next(each for each in jsonlines.read(Path(__file__).parents[2] / "results" / "mnist.jsonl") if "regime" in each)


def text(*lines: dict[str, Any]) -> str:
    return "".join(json.dumps(each) + "\n" for each in lines)


def test_runs_and_rows_of_all_files_are_taken_once(tmp_path: Path) -> None:
    first, second = line("ce", seed=0), line("ce", seed=1)
    (tmp_path / "a.jsonl").write_text(text(first, ROW, {"key": "a group of confirm"}))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(text(first, second).encode()))
    (tmp_path / "c.json").write_text("not a file of results")
    found = load(str(tmp_path))
    assert [run.seed for run in found.runs] == [0, 1]
    assert found.rows == (ROW,)
    assert [run.seed for run in load(str(tmp_path / "b.jsonl.gz")).runs] == [0, 1]


def test_a_torn_last_line_is_left_out_and_a_broken_one_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(text(ROW) + '{"regime": ')
    assert load(str(file)).rows == (ROW,)
    file.write_text('{"regime": \n' + text(ROW))
    with pytest.raises(InputError, match=r"a\.jsonl, line 1: is not JSON"):
        load(str(file))


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    whole = gzip.compress(text(*[line("ce", seed=seed) for seed in range(9)]).encode())
    for content in (b"no archive", whole[: len(whole) // 2], whole[:40] + bytes(40) + whole[80:]):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"results .*a\.jsonl\.gz: cannot be read"):
            load(str(file))


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingMeasured, match=r"no \*\.jsonl there"):
        load(str(tmp_path))


def test_what_was_left_at_its_default_is_the_same_experiment(tmp_path: Path) -> None:
    lines = [
        line("amse", seed=0),
        line("amse", seed=1, parameters={"a": 30}),
        line("amse", seed=2, parameters={"a": 9}),
    ]
    (tmp_path / "a.jsonl").write_text(text(*lines))
    found = load(str(tmp_path))
    assert [[run.seed for run in group] for group in repetitions(found.runs)] == [[0, 1], [2]]
    assert [run.seed for run in found.select(loss="amse", a=30, noise=("symmetric", "3/5"))] == [0, 1]
    assert found.select(loss="amse", noise=("symmetric", "0.8")) == []


def test_a_mean_is_taken_where_all_runs_were_measured(tmp_path: Path) -> None:
    short, whole = line("ce", (0.2, 0.4, 0.6), seed=0), line("ce", (0.4, 0.8, 1.0), seed=1)
    short["curve"][1]["test"] = None
    (tmp_path / "a.jsonl").write_text(text(short, whole))
    epochs, middle, low, high = mean(load(str(tmp_path)).runs, "test")
    np.testing.assert_allclose([epochs, middle, low, high], [[1, 3], [0.3, 0.8], [0.2, 0.6], [0.4, 1.0]])
    assert all(len(each) == 0 for each in mean(load(str(tmp_path)).runs, "nothing"))
