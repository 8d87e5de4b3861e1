"""The papers' tables: what was transcribed is in the papers' texts, and what was measured is where it belongs."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from asymtheory_figures.results import Results, Run
from asymtheory_figures.tables.accuracies import Accuracy, Cell, Method, Section, Table
from asymtheory_figures.tables.command import table as command
from asymtheory_figures.tables.compare import compare
from asymtheory_figures.tables.formats import show
from asymtheory_figures.tables.published import find, names, published

from asymtheory.errors import InputError
from asymtheory.losses.published import published_settings

PAPERS = Path(__file__).parents[3] / "shared" / "papers"
PLANS = Path(__file__).parents[2] / "training" / "sweep" / "plans"
DOCS = Path(__file__).parents[2] / "docs" / "tables.md"
IMAGES = {"mnist": 60_000, "cifar10": 50_000, "cifar100": 50_000}
PLUS_MINUS = re.compile(r"(\d+\.\d+)\s*(?:±|\$\\pm\$|<math>\\pm</math>)\s*(\d+\.\d+)")


# --------------------------------------------------------------------------------------------------- what was printed


def printed() -> Iterator[tuple[str, str, str, tuple[str, str | None], str]]:
    """(table, data set, method, column, text) of every printed figure."""
    for name, table in published()["tables"].items():
        for section in table["sections"]:
            for row in section["rows"]:
                for (kind, rate), text in zip(section["columns"], row["cells"], strict=True):
                    if text is not None:
                        yield name, section["dataset"], row["method"].rstrip("†"), (kind, rate), text


def by_cell(*tables: str) -> dict[tuple[str, str, tuple[str, str | None]], str]:
    """Text by (data set, method, column); a cell that several of the tables print has to be the same in all of them."""
    found: dict[Any, str] = {}
    for name, dataset, method, column, text in printed():
        if name in tables:
            assert found.setdefault((dataset, method, column), text) == text, (name, dataset, method, column)
    return found


@pytest.mark.parametrize("name", names())
def test_every_figure_stands_in_its_papers_text(name: str) -> None:
    if not PAPERS.exists():
        pytest.skip("the texts of the papers are not here (../shared/papers)")
    table = published()["tables"][name]
    lines = (PAPERS / published()["papers"][table["paper"]]["text"]).read_text(encoding="utf-8").splitlines()
    cells = [[f"{mean} ± {std}" for mean, std in PLUS_MINUS.findall(line)] for line in lines]
    number = table["source"].removeprefix("Table ")
    captions = [i for i, line in enumerate(lines) if re.search(rf"Table {number}[.:] .*[Tt]est", line)]
    near = [i for i in range(len(lines)) if any(abs(i - caption) < 75 for caption in captions)]
    for section in table["sections"]:
        last = -1
        for row in section["rows"]:
            own = [
                text
                for i, text in enumerate(row["cells"])
                if text is not None and str(i) not in row.get("elsewhere", {})
            ]
            if not own:
                assert row["note"], "a row without figures says why"
                continue
            at = next(i for i in near if i > last and _has(lines[i], row["method"]) and _run_of(own, cells[i]))
            last = at


def _has(line: str, method: str) -> bool:
    plain = re.sub(r"</?b>|\*\*", "", line)
    return re.search(rf"(^|[\s|]){re.escape(method)}(\s|\||$)", plain) is not None


def _run_of(own: list[str], line: list[str]) -> bool:
    return any(line[i : i + len(own)] == own for i in range(len(line)))


def test_printed_figures_are_accuracies_with_two_decimals() -> None:
    for name, dataset, method, _, text in printed():
        assert re.fullmatch(r"\d{1,2}\.\d\d ± \d\.\d\d", text), (name, dataset, method, text)
    count = sum(1 for _ in printed())
    assert f"{len(names())} tables, {count:,} printed figures" in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "tables", [("anl-table2", "anl-table6", "anl-table7", "anl-table8", "anl-table9"), ("jal-table2", "jal-table3")]
)
def test_tables_of_one_paper_agree(tables: tuple[str, ...]) -> None:
    count = sum(name in tables for name, *_ in printed())
    assert len(by_cell(*tables)) < count, "they have figures in common"


def test_rows_that_a_paper_took_from_another_are_what_the_notes_say() -> None:
    alf, apl = by_cell("alf-table1", "alf-table2"), by_cell("apl-table2", "apl-table3")
    anl = by_cell("anl-table6", "anl-table7", "anl-table8", "anl-table9")
    human, joint = by_cell("jal-table5"), by_cell("jal-table3")
    nlnl = {key for key in alf if key[1] == "NLNL"}
    assert len(nlnl) == 27
    assert all(anl[key] == alf[key] for key in nlnl)
    same = {key for key in nlnl if apl[key] == alf[key]}
    assert same == {key for key in nlnl if key[0] == "cifar100" or (key[0] == "cifar10" and key[2][0] == "asymmetric")}
    gap = max(_mean(apl[key]) - _mean(alf[key]) for key in nlnl if key[0] == "cifar10")
    assert 22 <= gap < 23
    copied = {key[1] for key in human if key[0] == "cifar10" and key in anl and anl[key] == human[key]}
    assert copied == {"CE", "SCE", "NCE+RCE", "NCE+AGCE", "ANL-CE"}
    assert {key[1] for key in human if key[0] == "cifar100" and anl.get(key) == human[key]} == copied | {"GCE"}
    agce = {key: text for key, text in by_cell("jal-table1").items() if key[1] == "AGCE"}
    assert len(agce) == 4
    assert all(alf[key] == text for key, text in agce.items())
    gce = {column: text for (dataset, method, column), text in joint.items() if (dataset, method) == ("cifar10", "GCE")}
    assert gce["symmetric", "0.2"] == gce["none", None]
    apart = {column: _mean(text) - _mean(anl["cifar10", "GCE", column]) for column, text in gce.items()}
    assert {column for column, gap in apart.items() if abs(gap) > 1} == {("symmetric", "0.2"), ("symmetric", "0.8")}
    assert 21 <= apart["symmetric", "0.8"] < 21.5


def test_disagreements_in_the_docs_are_those_of_the_figures() -> None:
    told = DOCS.read_text(encoding="utf-8")
    alf, apl, anl, joint = (
        by_cell(f"{paper}-table{n}") for paper, n in (("alf", 1), ("apl", 2), ("anl", 6), ("jal", 3))
    )
    named = {
        ("mnist", "CE", "0.6"): (apl, alf, anl), ("mnist", "GCE", "0.8"): (apl, alf, anl), ("mnist", "NLNL", "0.8"): (apl, alf),
        ("cifar100", "NCE+MAE", "0.8"): (apl, anl), ("cifar100", "NCE+AEL", "0.8"): (alf, anl),
        ("cifar100", "NCE+AUL", "0.8"): (alf, anl), ("cifar10", "GCE", "0.8"): (joint, anl),
        ("cifar10", "NCE+AGCE", "0.8"): (alf, anl, joint),
    }  # fmt: skip
    for (dataset, method, rate), papers in named.items():
        values = [paper[dataset, method, ("symmetric", rate)].split()[0] for paper in papers]
        assert all(value in told for value in values), (method, values)
        assert max(map(float, values)) - min(map(float, values)) > 9.5
    clean = [paper["cifar10", "NLNL", ("none", None)] for paper in (alf, apl)]
    assert clean == ["90.73 ± 0.20", "91.93 ± 0.20"]


def _mean(text: str) -> float:
    return float(text.split()[0])


def test_settings_are_those_of_their_source() -> None:
    """A row that names a paper's table or section has the parameters that the core has from there."""
    checked = 0
    for table in published()["tables"].values():
        for section in table["sections"]:
            for row in section["rows"]:
                known = {} if row["loss"] in published()["baselines"] else {
                    s.source: s for s in published_settings(row["loss"], section["dataset"]) if not s.note.startswith("Adam")
                }  # fmt: skip
                if row["settings"] in known:
                    given = {name: Fraction(text) for name, text in row["parameters"].items()}
                    assert given == known[row["settings"]].parameters, (table["source"], row)
                    checked += 1
                elif row["settings"] is None:
                    assert not row["parameters"]
                else:
                    assert row["settings"].split()[0] in ("ALF's", "JAL's", "JAL", "Student-Loss's"), row
    assert checked > 150


def test_defaults_of_baselines_are_those_of_training() -> None:
    from asymtheory_training.losses.registry import BASELINES

    used = {row["loss"] for table in published()["tables"].values() for s in table["sections"] for row in s["rows"]}
    assert set(published()["baselines"]) == used & set(BASELINES)
    for name, texts in published()["baselines"].items():
        assert {key: Fraction(text) for key, text in texts.items()} == BASELINES[name].defaults


def test_set_ups_are_those_of_the_recipes() -> None:
    """What training does for a paper and what a table says that the paper did are written twice; they agree."""
    from asymtheory_training.run.recipes import RECIPES

    for paper, setups in published()["setups"].items():
        for dataset, setup in setups["datasets"].items():
            recipe = RECIPES[f"{paper.lower()}-{dataset}"]
            values = {**recipe.values}
            penalties = [{"with": sorted(atoms), "norm": norm, "strength": s} for atoms, (norm, s) in recipe.exceptions]
            penalties.append({"norm": values.pop("regularisation"), "strength": values.pop("strength")})
            assert setup["penalties"] == penalties
            assert {name: setup[name] for name in values} == values
            assert setup["images"] == IMAGES[dataset]


@pytest.mark.parametrize("name", [name for name in names() if published()["tables"][name]["plan"]])
def test_a_tables_plan_fills_all_of_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run of the plan has its cell, and every cell its runs; where the plan differs from the paper is known."""
    from asymtheory_training.sweep.plan import read_plan

    monkeypatch.chdir(tmp_path)
    for file in ("CIFAR-10_human.pt", "CIFAR-100_human.pt"):
        Path(file).write_bytes(b"labels")  # plans read the bytes of a label file for its key alone
    plan = read_plan(PLANS / f"{published()['tables'][name]['plan']}.toml", {"seeds": 2})
    runs = [_line(point.config.to_dict(), 0.5) for point in plan.points]
    table = compare(name, _results(*runs))
    assert not [(row.method, cell.column) for _, row, cell in _cells(table) if cell.published and not cell.measured]
    assert sum(cell.measured.last.runs for _, _, cell in _cells(table) if cell.measured) == len(runs)
    assert not table.places
    assert not table.deviations


# -------------------------------------------------------------------------------------------------- what was measured


def _line(config: dict[str, Any], test: float | None, best: float | None = None, **more: Any) -> Run:
    """A run as a line of a results file has it, as far as a table reads it."""
    last, top = {"epoch": 9, "test": test}, {"epoch": 3, "test": test if best is None else best}
    count = more.pop("images", IMAGES.get(config["dataset"], 1442))
    line = {"config": config, "seed": config["seed"], "labels": {"count": count}, "device": {"precision": "float32"}}
    return Run({**line, "last": last, "best": top, "curve": [top, last], **more})


def _run(loss: str, noise: tuple[str, Any], test: float | None, seed: int = 0, **changes: Any) -> Run:
    """A run of JAL's set-up on CIFAR-10, with changes of the configuration."""
    more = {name: changes.pop(name) for name in ("best", "images", "device") if name in changes}
    mode, label_seed = changes.pop("mode", "exact"), changes.pop("label_seed", seed)
    config = {
        "dataset": "cifar10", "loss": loss, "formula": None, "labels": None, "column": None, "model": "cnn8", "width": 1.0,
        "epochs": 120, "batch": 128, "rate": 0.01, "momentum": 0.9, "nesterov": False, "schedule": "cosine", "clip": 5.0,
        "regularisation": "l2", "strength": 1e-4, "seed": seed, "parameters": {},
        "noise": {"kind": noise[0], "eta": noise[1], "mode": mode, "seed": label_seed}, **changes,
    }  # fmt: skip
    return _line(config, test, **more)


def _results(*runs: Run) -> Results:
    return Results("made_up", runs, ())


def _cells(table: Table) -> Iterator[tuple[Section, Method, Cell]]:
    for section in table.sections:
        for row in section.rows:
            for cell in row.cells:
                yield section, row, cell


def _cell(table: Table, method: str, kind: str, rate: str | None, dataset: str = "cifar10") -> Cell:
    (found,) = [
        cell
        for section, row, cell in _cells(table)
        if (section.dataset, row.method, cell.column) == (dataset, method, (kind, rate))
    ]
    return found


SYMMETRIC = ("symmetric", 0.8)
SYMMETRIC_TEXT = ("symmetric", "0.8")
JAL = {"parameters": {"alpha": 1, "beta": 1, "a": 30}, "regularisation": "l1", "strength": 5e-5}


def test_measured_stands_beside_published_with_its_difference() -> None:
    runs = [_run("jal-ce", SYMMETRIC, test, seed, best=0.7, **JAL) for seed, test in enumerate((0.64, 0.65, 0.66))]
    table = compare("JAL Table 3", _results(*runs))
    cell = _cell(table, "JAL-CE", "symmetric", "0.8")
    assert cell.published == Accuracy(65.43, 0.99, 3)
    assert cell.measured is not None
    last = cell.measured.last
    assert (last.mean, last.std, last.runs) == (pytest.approx(65.0), pytest.approx(1.0), 3)  # n - 1: not 0.816
    assert cell.measured.best.mean == pytest.approx(70.0)
    assert cell.difference == pytest.approx(-0.43)
    assert cell.units == pytest.approx(-0.43 / ((0.99**2 + 1.0**2) / 2) ** 0.5)
    others = [found for _, _, found in _cells(table) if found is not cell]
    assert all(found.measured is None and not found.elsewhere and found.difference is None for found in others)
    assert not table.deviations


def test_pooled_units_weigh_the_runs_and_need_two_of_both() -> None:
    assert Accuracy(10, 2, 5).units(Accuracy(8, 1, 3)) == pytest.approx(2 / ((4 * 4 + 2 * 1) / 6) ** 0.5)
    assert Accuracy(10, None, 1).units(Accuracy(8, 1, 3)) is None
    assert Accuracy(10, 1, 3).units(Accuracy(8, 1, 1)) is None
    assert Accuracy(10, 0, 3).units(Accuracy(8, 0, 3)) is None
    one = _cell(compare("jal-table3", _results(_run("jal-ce", SYMMETRIC, 0.65, **JAL))), "JAL-CE", "symmetric", "0.8")
    assert one.measured is not None
    assert one.measured.last.std is None
    assert one.difference == pytest.approx(-0.43)
    assert one.units is None


@pytest.mark.parametrize(
    "change",
    [{"dataset": "digits", "model": "mlp"}, {"images": 8000}, {"width": 0.5}, {"epochs": 20}, {"model": "resnet34"}],
)
def test_another_set_or_size_is_no_reproduction(change: dict[str, Any]) -> None:
    table = compare("jal-table3", _results(_run("jal-ce", SYMMETRIC, 0.65, **{**JAL, **change})))
    cell = _cell(table, "JAL-CE", "symmetric", "0.8")
    assert cell.measured is None
    assert cell.difference is None
    ((where, found),) = cell.elsewhere.items()
    assert found.last.mean == pytest.approx(65.0)
    assert table.places == (where,)
    said = {"images": "images", "width": "network", "epochs": "epochs", "model": "network", "dataset": "data set"}
    assert {said[name] for name in change} <= {each.setting for each in table.deviations}
    assert where != table.sections[0].home


@pytest.mark.parametrize(
    "run",
    [
        _run("jal-ce", SYMMETRIC, 0.65, **{**JAL, "parameters": {"alpha": 1, "beta": 1, "a": 20}}),
        _run("jal-ce", SYMMETRIC, 0.65, mode="redrawn", **JAL),
        _run("jal-ce", SYMMETRIC, None, **JAL),
        _run("jal-ce", ("symmetric", 0.7), 0.65, **JAL),
        _run("jal-ce", ("uniform", 0.8), 0.65, **JAL),
        _run("jal-ce", ("none", None), 0.65, labels="mine.npy", **JAL),
        _run("nce", SYMMETRIC, 0.65),
    ],
    ids=["parameters", "redrawn", "no test", "rate", "noise", "file of labels", "loss"],
)
def test_a_run_of_something_else_is_not_in_the_row(run: Run) -> None:
    table = compare("jal-table3", _results(run))
    assert not any(row.measured for section in table.sections for row in section.rows if row.method == "JAL-CE")


def test_runs_with_other_parameters_are_named() -> None:
    table = compare("jal-table3", _results(_run("gce", SYMMETRIC, 0.3, parameters={"q": 0.7})))
    assert table.left_out == ("cifar10, GCE: runs with q = 0.7 (the table's: q = 0.9)",)


STUDENT = {"margin": 0.1, "centre": 0.05, "alpha": 1, "beta": 10, "A": -9.21034}
LOW = {"margin": 0.01, "centre": 0.001}


def test_parameters_may_differ_by_cell() -> None:
    """LT-APL has other ones where noise is strong: every cell finds the run of its own, and no other."""
    usual = [_run("lt-apl", noise, 0.8, parameters=STUDENT) for noise in (("symmetric", 0.6), SYMMETRIC)]
    low = [_run("lt-apl", noise, 0.4, parameters={**STUDENT, **LOW}) for noise in (("symmetric", 0.6), SYMMETRIC)]
    table = compare("jal-table3", _results(*usual, *low))
    found = {
        (section.dataset, row.method, cell.column): cell.measured.last.mean
        for section, row, cell in _cells(table)
        if cell.measured
    }
    at = ("cifar10", "LT-APL")
    assert found == {(*at, ("symmetric", "0.6")): pytest.approx(80), (*at, SYMMETRIC_TEXT): pytest.approx(40)}
    assert _cell(table, "LT-APL", *SYMMETRIC_TEXT).parameters["margin"] == "0.01"
    assert _cell(table, "LT-APL", "symmetric", "0.6").parameters["margin"] == "0.1"
    assert table.left_out == ()
    csv_lines = list(csv.DictReader(io.StringIO(show(table, "csv"))))
    given = {(line["noise"], line["rate"]): line["parameters"] for line in csv_lines if line["mean"]}
    assert given["symmetric", "0.8"] == "margin=0.01 centre=0.001 alpha=1 beta=10 A=-9.21034"
    assert given["symmetric", "0.6"] == "margin=0.1 centre=0.05 alpha=1 beta=10 A=-9.21034"


def test_cells_with_other_parameters_are_named_by_their_noise() -> None:
    table = compare("jal-table3", _results(*(_run("lt-apl", ("symmetric", x), 0.8) for x in (0.4, 0.8))))
    assert [cell.column for _, _, cell in _cells(table) if cell.measured] == [("symmetric", "0.4")]
    assert table.left_out == (
        "cifar10, LT-APL on symmetric 0.8: runs with margin = 0.1, centre = 0.05, alpha = 1, beta = 10, A = -9.21034 "
        "(the table's: margin = 0.01, centre = 0.001, alpha = 1, beta = 10, A = -9.21034)",
    )


def test_defaults_of_a_baseline_need_not_be_named() -> None:
    said = {"margin": 0.1, "centre": 0.05}
    for parameters, found in (({}, True), (said, True), (STUDENT, True), ({**said, "beta": 5}, False)):
        table = compare("jal-table3", _results(_run("lt-apl", ("symmetric", 0.6), 0.8, parameters=parameters)))
        assert (_cell(table, "LT-APL", "symmetric", "0.6").measured is not None) == found


def test_a_rate_of_zero_is_clean_and_digits_are_not_a_hundred_classes() -> None:
    for kind, rate in (("symmetric", 0), ("none", 0), ("none", None)):
        table = compare("jal-table3", _results(_run("ce", (kind, rate), 0.9)))
        assert [cell.column for _, _, cell in _cells(table) if cell.measured] == [("none", None)]
    table = compare("jal-table3", _results(_run("ce", ("none", None), 0.9, dataset="digits")))
    assert [section.dataset for section in table.sections if section.places] == ["cifar10"]
    table = compare("alf-table1", _results(_run("ce", ("none", None), 0.9)))
    assert [section.dataset for section in table.sections if any(row.measured for row in section.rows)] == ["cifar10"]


def test_human_labels_go_by_their_column() -> None:
    named = _run("ce", ("none", None), 0.6, labels="CIFAR-10_human.pt", column="worse_label")
    table = compare("jal-table5", _results(named))
    assert [cell.column for _, _, cell in _cells(table) if cell.measured] == [("human", "worse")]
    for name in ("random1", "random_label1"):
        table = compare("anl-table8", _results(_run("ce", ("none", None), 0.6, labels="human.npz", column=name)))
        assert [cell.column for _, _, cell in _cells(table) if cell.measured] == [("human", "random1")]


def test_deviations_come_from_the_lines() -> None:
    runs = [_run("jal-ce", SYMMETRIC, 0.65, seed, label_seed=0, **{**JAL, "regularisation": "l2"}) for seed in range(2)]
    runs += [_run("ce", SYMMETRIC, 0.2, seed, label_seed=0, clip=None, rate=0.05) for seed in range(2)]
    runs += [_run("nce", SYMMETRIC, 0.4, rate=0.05, device={"precision": "bfloat16"})]
    table = compare("jal-table3", _results(*runs))
    assert {(d.setting, d.here, d.paper, d.methods) for d in table.deviations} == {
        ("rate", "0.05", "0.01", ("CE", "NCE")),
        ("clip", "none", "5", ("CE",)),
        ("precision", "bfloat16", "float32", ("NCE",)),
        ("penalty", "l2 5e-05", "l1 5e-05", ("JAL-CE",)),
        ("noisy labels", "shared", "by seed", ("CE", "JAL-CE")),
    }
    all_alike = compare("jal-table3", _results(_run("ce", SYMMETRIC, 0.2, rate=0.05)))
    assert [str(each) for each in all_alike.deviations] == ["rate 0.05 (paper: 0.01)"]
    shipped = [_run("ce", ("idn-jal", 0.2), 0.7, seed, label_seed=0) for seed in range(2)]
    assert not compare("jal-table4", _results(*shipped)).deviations  # its code comes with the noisy labels
    (noise,) = compare("jal-table4", _results(_run("ce", ("idn", 0.2), 0.7))).deviations
    assert (noise.setting, noise.here, noise.paper) == ("noise", "idn", "idn-jal")
    superclass = _run(
        "ce", ("cifar100", 0.2), 0.6, dataset="cifar100", model="resnet34", epochs=200, rate=0.1, strength=1e-5
    )
    (noise,) = compare("jal-table3", _results(superclass)).deviations
    assert (noise.setting, noise.here, noise.paper) == ("noise", "cifar100", "cifar100-blocks")


def test_of_several_experiments_the_nearest_to_the_paper_stands() -> None:
    near = [_run("jal-ce", SYMMETRIC, 0.65, seed, **JAL) for seed in range(2)]
    far = [_run("jal-ce", SYMMETRIC, 0.5, seed, rate=0.05, **JAL) for seed in range(3)]
    for runs in ([*near, *far], [*far, *near]):
        table = compare("jal-table3", _results(*runs))
        cell = _cell(table, "JAL-CE", "symmetric", "0.8")
        assert cell.measured is not None
        assert cell.measured.last.mean == pytest.approx(65.0)
        assert len(table.left_out) == 1
    fewer = [_run("jal-ce", SYMMETRIC, 0.6, 0, batch=64, **JAL)]
    cell = _cell(compare("jal-table3", _results(*fewer, *far)), "JAL-CE", "symmetric", "0.8")
    assert cell.measured is not None
    assert cell.measured.last.runs == 3


def test_data_sets_are_chosen() -> None:
    runs = [_run("ce", SYMMETRIC, 0.2, images=1000 * n) for n in range(1, 6)]
    runs += [_run("ce", SYMMETRIC, 0.3, dataset="digits", model="mlp"), _run("ce", SYMMETRIC, 0.2)]
    runs += [_run("ce", SYMMETRIC, 0.3, dataset="fashion-mnist", images=60_000)]
    table = compare("jal-table3", _results(*runs))
    assert [where.images for where in table.places] == [5000, 4000, 3000]
    assert any("4 further places" in line for line in table.left_out)
    (section,) = compare("jal-table3", _results(*runs), "cifar10").sections
    assert section.dataset == "cifar10"
    table = compare("jal-table3", _results(*runs), "digits")
    assert [section.dataset for section in table.sections] == ["cifar10", "cifar100"]
    assert [where.dataset for where in table.places] == ["digits"]
    assert table.sections[0].measured
    with pytest.raises(
        InputError, match=r"jal-table3 has cifar10, cifar100; measured beside it: digits, fashion-mnist; did you mean"
    ):
        compare("jal-table3", _results(*runs), "digit")


# ------------------------------------------------------------------------------------------------------------- formats


@pytest.fixture
def both() -> Table:
    """Measured in the paper's set-up and on digits."""
    runs = [_run("jal-ce", SYMMETRIC, test, seed, best=0.7, **JAL) for seed, test in enumerate((0.64, 0.65, 0.66))]
    runs += [_run("jal-ce", ("cifar10", 0.4), 0.8, 0, best=0.9, **JAL)]
    runs += [_run("jal-ce", SYMMETRIC, 0.9, seed, **{**JAL, "dataset": "digits", "model": "mlp"}) for seed in range(2)]
    runs += [
        _run("jal-ce", ("cifar10", 0.1), 0.85, seed, **{**JAL, "dataset": "digits", "model": "mlp"})
        for seed in range(2)
    ]
    return compare("jal-table3", _results(*runs), "cifar10")


def _block(shown: str, method: str) -> list[str]:
    """A method's lines."""
    lines = shown.splitlines()
    start = next(i for i, line in enumerate(lines) if re.match(rf"\W*{re.escape(method)}\W", line))
    return lines[start : start + 6]


@pytest.mark.parametrize(("form", "gap"), [("text", r" {2,}"), ("markdown", r" \| "), ("latex", r" & ")])
def test_grids_have_a_line_for_each_place(both: Table, form: str, gap: str) -> None:
    block = [re.split(gap, line.strip(" |\\&")) for line in _block(show(both, form).replace(r"$\pm$", "±"), "JAL-CE")]
    block = [[cell for cell in line if cell] for line in block]
    assert block[0][:3] == ["JAL-CE", "JAL", "91.63 ± 0.21"]
    assert block[1] == ["measured", *["-"] * 4, "65.00 ± 1.00 (3)", *["-"] * 3, "80.00 (1)"]
    assert block[2] == ["difference", *["-"] * 4, "-0.43 (-0.4 s)", *["-"] * 3, "+0.46"]
    assert block[3] == ["[a] (n = 2)", *["-"] * 4, "90.00 ± 0.00", "85.00 ± 0.00", *["-"] * 3]
    assert block[4][0] == "JAL-FL"
    assert "[a] digits, 1,442 images, mlp, 120 epochs" in show(both, form)
    with_best = show(both, form, best=True)
    assert "measured, best epoch" in with_best
    assert "best epoch" not in show(both, form)


def test_text_says_what_deviates_and_what_is_known(both: Table) -> None:
    shown = show(both, "text")
    assert "cifar10, [a]: data set digits (paper: cifar10)" in shown
    assert "JAL's code has q = 0.7, its Table 8 prints 0.9" in shown
    assert "measured: " not in shown.split("Deviations")[1]  # nothing of the paper's own place deviates
    assert "not in the text that was transcribed" in show(compare("jal-table3"), "text")
    assert "asymtheory sweep jal-table3" in show(compare("jal-table3"), "text")
    assert "which are not those of AGCE+MAE" in show(compare("jal-table1"), "text")
    assert "to the digit: trained with" not in shown
    assert "to the digit: trained with" in show(compare("jal-table5"), "text")
    assert "taken from ANL Table 7" in show(compare("anl-table2"), "text")


def test_csv_has_a_line_for_each_cell_and_place(both: Table) -> None:
    lines = list(csv.DictReader(io.StringIO(show(both, "csv"))))
    assert len(lines) == 14 * 9 + 1
    mine = [line for line in lines if line["method"] == "JAL-CE" and line["rate"] == "0.8"]
    assert [(line["as_published"], line["mean"], line["runs"]) for line in mine] == [
        ("yes", "65.0000", "3"),
        ("no", "90.0000", "2"),
    ]
    assert [line["difference"] for line in mine] == ["-0.4300", ""]
    assert [line["published_mean"] for line in mine] == ["65.43", "65.43"]
    empty = [line for line in lines if line["method"] == "CE" and line["rate"] == "0.8"]
    assert [(line["where"], line["mean"], line["std"], line["units"]) for line in empty] == [("", "", "", "")]
    assert all(None not in line and None not in line.values() for line in lines)


def test_json_holds_everything(both: Table) -> None:
    found = json.loads(show(both, "json"))
    assert found == both.to_dict()
    rows = {row["method"]: row for row in found["sections"][0]["rows"]}
    cell = rows["JAL-CE"]["cells"][4]
    assert (cell["noise"], cell["rate"], cell["published"]["mean"], cell["measured"]["last"]["runs"]) == (
        "symmetric",
        "0.8",
        65.43,
        3,
    )
    assert cell["elsewhere"][0]["where"].startswith("digits")
    assert rows["LT-APL"]["cells"][0]["published"] is None


@pytest.mark.parametrize("name", ["alf-table1", "jal-table1", "jal-table3"])
def test_latex_is_balanced_and_escaped(name: str) -> None:
    runs = [_run("ce", SYMMETRIC, 0.2, dataset="digits", model="a_b%c")]
    shown = show(compare(name, _results(*runs)), "latex")
    code = "\n".join(line for line in shown.splitlines() if not line.startswith("%"))
    assert code.count("{") == code.count("}")
    assert code.count(r"\begin{") == code.count(r"\end{")
    assert not re.search(r"(?<!\\)[%_#]", re.sub(r"\\label\{.*?\}", "", code))
    assert code.count("$") % 2 == 0
    assert code.isascii()
    for tabular in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", code, re.DOTALL):
        for line in tabular[1].splitlines():
            if "&" in line:
                assert line.count(" & ") == len(tabular[0]) - 1


# ------------------------------------------------------------------------------------------------------------- command


def test_the_command_reads_results_and_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["jal-table2"]) == 0
    assert "Nothing of it was measured yet" in capsys.readouterr().out
    Path("results").mkdir()
    lines = [json.dumps({**_run("nce", SYMMETRIC, 0.4, seed).line}) for seed in range(2)]
    Path("results", "mine.jsonl.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    for arguments in (["jal-table2"], ["jal-table2", "--results", "results/mine.jsonl.gz", "--best"]):
        assert command(arguments) == 0
        shown = capsys.readouterr().out
        assert "40.00 ± 0.00" in shown
        assert ("best epoch" in shown) == ("--best" in arguments)
    assert command(["jal-table2", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["table"] == "jal-table2"
    assert command(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == names()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "one table's name is needed; asymtheory table --list"),
        (["jal-tabel3"], "did you mean 'jal-table3'"),
        (["--list", "jal-table3"], "--list goes without names"),
        (["jal-table3", "jal-table4"], "one table's name is needed (given: jal-table3, jal-table4)"),
        (["jal-table3", "--format", "pdf"], "invalid choice: 'pdf'"),
        (["jal-table3", "--dataset", "mnist"], "jal-table3 has cifar10, cifar100"),
        (["jal-table3", "--results", "nowhere"], "results nowhere"),
    ],
)
def test_bad_input_is_named(arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(says)):
        command(arguments)


def test_tables_are_found_as_they_are_cited() -> None:
    assert find("ALF Table 1") == find("alf_table1") == find("alf-table-1") == "alf-table1"


def test_the_command_is_registered() -> None:
    from importlib.metadata import entry_points

    (entry,) = [each for each in entry_points(group="asymtheory.commands") if each.name == "table"]
    run: Callable[[list[str]], int] = entry.load()
    assert run(["--list"]) == 0
