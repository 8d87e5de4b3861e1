"""Files of labels and tables as people have them: read the same in every command, and the reading is said.

The small files in ``cases/`` are what pandas, numpy and annotation tools write; a row of a table below is an input, the command
and what it has to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from asymtheory import InputError, build, check, from_counts, from_labels, from_matrix, load, select
from asymtheory.cli import main
from asymtheory.noise.annotators import dawid_skene
from asymtheory.reading.annotators import read_annotators
from asymtheory.reading.kinds import read_noise_file

CASES = Path(__file__).parent / "cases"


@pytest.fixture(autouse=True)
def two_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here is how files are read: ``select`` ranks two losses instead of all of them."""
    monkeypatch.setattr("asymtheory.selection.select.names_compared", lambda: ("mae", "amse"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, out, err


def rate_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> float:
    status, out, err = run(capsys, *arguments, "--json")
    assert status in (0, 1), err
    facts = json.loads(out)
    return float(facts["rate"] if "rate" in facts else facts["noise_rate"]["value"])


# ------------------------------------------------------------------------------------------- inputs x commands: pairs


PAIRS = [
    ("train_label_files/float.csv", 1 / 3), ("train_label_files/semicolon.csv", 1 / 3), ("train_label_files/names.csv", 1 / 3),
    ("pair_headers/good.csv", 2 / 7), ("pair_headers/zerobased.csv", 2 / 7), ("pair_headers/id.csv", 2 / 7),
    ("pair_headers/onebased.csv", 2 / 7), ("same_column/f.csv", 0.2), ("none_class/pair.csv", 0.2),
]  # fmt: skip


@pytest.mark.parametrize(("path", "rate"), PAIRS)
def test_a_label_pair_has_one_rate_in_every_command(
    path: str, rate: float, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(CASES / path)
    assert rate_of(capsys, "noise", file) == pytest.approx(rate)
    assert rate_of(capsys, "select", "--labels", file, "--clean", file) == pytest.approx(rate)
    assert rate_of(capsys, "select", "--noise", file) == pytest.approx(rate)
    assert float(load(file).rate or 0) == pytest.approx(rate)
    pytest.importorskip("torch")
    out = str(tmp_path / "out.npy")
    assert rate_of(capsys, "labels", "--human", file, "--clean", file, "--out", out) == pytest.approx(rate)


READINGS = [
    ("pair_headers/good.csv", "label pairs: noisy = column 2 `noisy`, clean = column 1 `clean`, 3 classes"),
    ("pair_headers/id.csv", "label pairs: noisy = column 3 `noisy`, clean = column 2 `clean`, 3 classes"),
    ("pair_headers/onebased.csv", "labels 1..3 are 3 classes (0 never occurs)"),
    ("crosstab_margins/margins.csv", "totals left out (column `All` and row `All`)"),
    ("crosstab_margins/nonsquare.csv", "class dog is never given"),
    ("csv_index/probs.csv", "the index column left out, posteriors, 24 samples, 3 classes"),
    ("csv_index/votes.csv", "votes, 3 samples, 3 classes"),
    ("annotators/annotators.csv", "labels of 3 annotators (a column each), 5 items, 3 classes"),
    ("none_class/pair.csv", "`none` is a class, for it occurs on both sides"),
]


@pytest.mark.parametrize(("path", "said"), READINGS)
def test_the_reading_is_said_in_every_command(path: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(CASES / path)
    assert said in run(capsys, "noise", file)[1]
    assert said in run(capsys, "bound", "--loss", "amse", "--noise", file)[2]
    assert said in run(capsys, "check", "--loss", "mae", "--noise", file)[2]
    assert said in run(capsys, "select", "--noise", file)[1]


@pytest.mark.parametrize(
    ("path", "rate"),
    [("good", 21 / 171), ("margins", 21 / 171), ("named_corner", 21 / 171), ("nonsquare", 22 / 132)],
)
def test_crosstabs_are_matched_by_name(path: str, rate: float, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(CASES / "crosstab_margins" / f"{path}.csv")
    assert rate_of(capsys, "noise", file) == pytest.approx(rate)
    assert rate_of(capsys, "select", "--transition", file) == pytest.approx(rate)


def test_a_crosstab_in_another_order_or_over_noisy_rows_is_put_right(tmp_path: Path) -> None:
    wanted = load(CASES / "crosstab_margins" / "good.csv").rows
    file = tmp_path / "table.csv"
    file.write_text(",cat,bird,dog\ndog,5,1,40\nbird,3,50,2\ncat,60,4,6\n")
    found = load(file)
    assert found.names == ("cat", "bird", "dog")
    assert found.rate == load(CASES / "crosstab_margins" / "good.csv").rate
    file.write_text("noisy,bird,cat,dog\nbird,50,4,1\ncat,3,60,5\ndog,2,6,40\n")
    assert load(file).rows == wanted
    assert "transposed" in str(load(file).reading)


def test_frames_are_never_transposed() -> None:
    rows = [[0.7, 0.3], [0.1, 0.9]]
    wanted = from_matrix(rows).rows
    for frame in (pd.DataFrame(rows), pl.DataFrame(rows, orient="row"), pa.table({"a": [0.7, 0.1], "b": [0.3, 0.9]})):
        known = select(transition=frame).estimate
        assert [float(value) for value in known.noise.rows[0].weights] == [0.7, 0.3]
    assert from_matrix(pd.DataFrame(rows)).rows == from_matrix(pl.DataFrame(rows, orient="row")).rows == wanted
    with pytest.raises(InputError, match="its columns do: transpose it, rows are the true classes"):
        from_matrix([[0.7, 0.1], [0.3, 0.9]])


# ------------------------------------------------------------------------------------------------- labels and headers


@pytest.mark.parametrize("head", ["label", "class"])
def test_a_header_over_names(head: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(CASES / "header_word" / f"{side}_{head}.csv") for side in ("noisy", "clean")]
    found = json.loads(run(capsys, "select", "--labels", files[0], "--clean", files[1], "--json")[1])
    assert found["noise"]["classes"] == 3
    assert found["noise_rate"]["value"] == pytest.approx(0.2)


def test_a_first_line_that_may_be_either_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "l.csv"
    file.write_text("sort\ncat\ndog\nbird\ncat\n")
    with pytest.raises(
        InputError, match=r"may be a header or a label.*Write .*:sort if it is the column.s name, .*:1 if"
    ):
        select(labels=str(file), clean=["cat", "dog", "bird", "cat"])
    found = select(labels=f"{file}:sort", clean=["cat", "dog", "bird", "cat"])
    assert found.estimate.K == 3


def test_lists_of_images_are_matched_by_their_paths(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    noisy, clean = (CASES / "list_file" / f"{side}.txt" for side in ("noisy", "clean"))
    assert rate_of(capsys, "select", "--labels", str(noisy), "--clean", str(clean)) == pytest.approx(8 / 30)
    turned = tmp_path / "clean.txt"
    turned.write_text("\n".join(reversed(clean.read_text().splitlines())))
    assert rate_of(capsys, "select", "--labels", str(noisy), "--clean", str(turned)) == pytest.approx(8 / 30)
    status, _, err = run(capsys, "noise", str(noisy))
    assert status == 2
    assert "lines PATH LABEL" in err
    assert "select --labels" in err


COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "noise": lambda file: ["noise", file],
    "bound": lambda file: ["bound", "--loss", "amse", "--noise", file],
    "check": lambda file: ["check", "--loss", "mae", "--noise", file],
    "select": lambda file: ["select", "--labels", file, "--clean", file],
    "posteriors": lambda file: ["select", "--posteriors", file],
    "annotators": lambda file: ["select", "--annotators", file],
    "labels": lambda file: ["labels", "--human", file, "--clean", file, "--out", "out.npy"],
}

REFUSED: list[tuple[str, bytes, str]] = [
    ("cp1252.csv", (CASES / "encoding" / "cp1252.csv").read_bytes(), "byte 0xe4 at line 2, column 2 (in cp1252 it is"),
    ("utf16.csv", (CASES / "encoding" / "utf16.csv").read_bytes(), "is UTF-16 text"),
    ("utf16.txt", "0\n1\n".encode("utf-16-le"), "UTF-16 text without a byte-order mark"),
    ("nul.csv", b"a,b\n\0,1\n", "holds a zero byte"),
    ("empty.csv", b"", "the file is empty"),
    ("deep.json", b"[" * 100_000, "nested too deeply"),
    ("digits.json", b"[[" + b"1" * 5000 + b", 1], [0, 1]]", "Exceeds the limit"),
    (
        "wide.csv",
        b"1," * 200_000 + b"1\n",
        "a line holds 200001 cells; at most 100000 is allowed (set ASYMTHEORY_COUNTS=N to allow more)",
    ),
    ("table.doc", b"1,2\n", "unknown file type .doc; allowed: .csv, .tsv"),
    ("bad.npz", b"PK\3\4", "is damaged"),
    ("bad.pt", b"nothing", "is not a readable pickle"),
    ("bad.parquet", b"nothing", "is not a Parquet file"),
    ("bad.pkl", b"nothing", "pickles are programs and are not loaded"),
]


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize(("name", "content", "line"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_what_cannot_be_read_gets_one_line_in_every_command(
    command: str, name: str, content: bytes, line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if command == "labels":
        pytest.importorskip("torch")
    (tmp_path / name).write_bytes(content)
    status, out, err = run(capsys, *COMMANDS[command](str(tmp_path / name)))
    assert (status, out) == (2, "")
    assert line in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("option", ["--clean", "--probs", "--features"])
def test_an_array_without_a_name_has_no_columns_to_ask_for(
    option: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    labels, table = tmp_path / "y.npy", tmp_path / "x.npy"
    np.save(labels, np.arange(30) % 3)
    np.save(table, np.eye(3)[np.arange(30) % 3])
    status, _, err = run(capsys, "select", "--labels", f"{labels}:1", option, f"{table}:foo")
    assert status == 2
    assert err.endswith(f"{option} {table}: holds one array, which has no name: give the file without :foo\n")


OPEN: list[tuple[str, str, str]] = [
    ("two.csv", "0,1\n1,1\n0,0\n", "may be label pairs or votes for two classes"),
    ("named.csv", "x,y1\n0,1\n1,1\n0,0\n", "may be label pairs or votes for two classes"),
    ("three.csv", "0,1,2\n1,1,1\n0,0,0\n2,1,2\n2,2,2\n", "may be votes for 3 classes or the labels of 3 annotators"),
    ("words.csv", "left,right\ncat,dog\ndog,dog\n", "which are the noisy and the clean labels is not said"),
    ("labels.csv", "label\n0\n1\n", "1 column; at least 2 classes are needed"),
]


@pytest.mark.parametrize(("name", "text", "line"), OPEN)
def test_two_readings_are_both_named_and_none_is_taken(name: str, text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=line):
        load(tmp_path / name)


def test_a_prefix_says_which_reading_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("0,1,2\n1,1,1\n1,0,0\n2,1,2\n2,2,2\n")
    assert read_noise_file(f"votes:{file}").kind == "votes"
    assert load(f"annotators:{file}").reading is not None
    file.write_text("3,1\n1,3\n")
    assert load(f"counts:{file}").kind == "labels"
    with pytest.raises(InputError, match="row 0 sums to 4"):
        load(f"matrix:{file}")


# ----------------------------------------------------------------------------------------------------- every format


def test_every_format_gives_the_same_pair(tmp_path: Path) -> None:
    clean, noisy = [0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 2, 0, 2]
    frame = pd.DataFrame({"Gold": clean, "Observed": noisy})
    wanted = from_labels(clean, noisy).rows
    records = [{"gold": c, "observed": n} for c, n in zip(clean, noisy, strict=True)]
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.csv")
    frame.to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    frame.to_csv(tmp_path / "d.txt", sep=" ", index=False)
    (tmp_path / "e.csv").write_bytes(frame.to_csv(sep=";", index=False, lineterminator="\r\n").encode("utf-8-sig"))
    (tmp_path / "f.csv").write_text(frame.to_csv(index=False, quoting=1))
    (tmp_path / "g.csv").write_text(frame.astype(float).to_csv(index=False, float_format="%.3e"))
    (tmp_path / "h.json").write_text(json.dumps(records))
    (tmp_path / "i.jsonl").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "j.json").write_text(json.dumps({"clean": clean, "noisy": noisy}))
    np.savez(tmp_path / "k.npz", clean_label=clean, noisy_label=noisy)
    pyarrow.parquet.write_table(pa.table({"clean": clean, "noisy": noisy}), tmp_path / "l.parquet")
    for path in sorted(tmp_path.iterdir()):
        assert load(path).rows == wanted, path.name
        assert select(labels=str(path), clean=str(path)).estimate.noise.rows == wanted, path.name
    torch = pytest.importorskip("torch")
    for tensor in (torch.tensor, np.array):
        torch.save({"clean": tensor(clean), "noisy": tensor(noisy)}, tmp_path / "m.pt")
        assert load(tmp_path / "m.pt").rows == wanted
    for kind in (list, np.array, pd.Series, pl.Series, pa.array, torch.tensor):
        assert from_labels(kind(clean), kind(noisy)).rows == wanted
    assert from_labels([str(c) for c in clean], np.array(noisy, dtype=float)).rows == wanted


def test_tensors_are_taken_where_arrays_are() -> None:
    torch = pytest.importorskip("torch")
    noisy, clean = torch.tensor([0, 1, 1, 1, 2, 2, 2, 0] * 8), torch.tensor([0, 0, 1, 1, 2, 2, 2, 0] * 8)
    p = torch.full((64, 3), 0.1)
    p[range(64), clean] = 0.8
    wanted = select(labels=noisy.numpy(), clean=clean.numpy()).estimate.margin
    assert select(labels=noisy, clean=clean).estimate.margin == wanted
    assert check(build("amse", a=5), torch.tensor([0.5, 0.3, 0.2])) is not None
    assert from_counts(torch.tensor([[3, 1], [0, 4]])).rows == from_counts([[3, 1], [0, 4]]).rows
    for probs in (p.clone().requires_grad_(), p.bfloat16()):
        assert select(labels=noisy, probs=probs, losses=["mae"], replicates=5).estimate.K == 3


# ------------------------------------------------------------------------------------------ probabilities, annotators


def test_another_order_of_classes_is_pointed_out() -> None:
    rng = np.random.default_rng(0)
    names = np.array(["bird", "cat", "dog"])
    clean = rng.integers(0, 3, 600)
    noisy = np.where(rng.random(600) < 0.2, rng.integers(0, 3, 600), clean)
    p = np.full((600, 3), 0.1)
    p[np.arange(600), np.array([2, 0, 1])[clean]] = 0.8  # columns cat, dog, bird
    found = select(labels=names[noisy], probs=p, losses=["mae"], replicates=5)
    assert "row order cat, dog, bird looks likelier: rate 0." in found.warnings[-2 if len(found.warnings) > 2 else 0]
    named = select(
        labels=names[noisy], probs=pd.DataFrame(p, columns=["cat", "dog", "bird"]), losses=["mae"], replicates=5
    )
    assert not any("looks likelier" in line for line in named.warnings)
    assert named.estimate.noise.names == ("cat", "dog", "bird")


def test_annotators_wide_and_long_say_the_same(tmp_path: Path) -> None:
    wide = read_annotators(CASES / "annotators" / "annotators.csv")
    assert wide.labels.tolist() == [[0, 0, 1], [2, 2, 2], [1, 1, 1], [0, 2, 0], [1, 1, 0]]
    assert wide.majority.tolist() == [0, 2, 1, 0, 1]
    lines = [f"{i},{wide.annotators[j]},{wide.labels[i, j] + 1}" for j in range(3) for i in reversed(range(5))]
    (tmp_path / "long.csv").write_text("\n".join(["item,annotator,label", *lines]))
    long = read_annotators(str(tmp_path / "long.csv"))
    np.testing.assert_array_equal(long.labels, wide.labels)
    np.testing.assert_array_equal(long.votes, wide.votes)
    assert long.annotators == wide.annotators


def test_dawid_skene_finds_the_annotators(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("crowdkit")
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 900)
    rates = (0.05, 0.2, 0.4, 0.1)
    columns: dict[str, Any] = {
        f"annotator_{j}": np.where(rng.random(900) < rate, (truth + rng.integers(1, 3, 900)) % 3, truth)
        for j, rate in enumerate(rates)
    }
    pd.DataFrame(columns).to_csv(tmp_path / "a.csv", index=False)
    given = read_annotators(str(tmp_path / "a.csv"))
    found = dawid_skene(given)
    assert (found.posteriors.argmax(1) == truth).mean() > 0.95
    np.testing.assert_allclose([1 - m.trace() / 3 for m in found.matrices], rates, atol=0.05)
    np.testing.assert_allclose(found.matrices.sum(2), 1)
    for extra in ([], ["--aggregate", "majority"], ["--aggregate", "dawid-skene"], ["--annotator", "annotator_2"]):
        status, out, _ = run(capsys, "select", "--annotators", str(tmp_path / "a.csv"), *extra)
        assert status in (0, 1)
        assert "labels of 4 annotators" in out
    rate = rate_of(
        capsys, "select", "--annotators", str(tmp_path / "a.csv"), "--annotator", "3", "--aggregate", "dawid-skene"
    )
    assert rate == pytest.approx(0.4, abs=0.05)
