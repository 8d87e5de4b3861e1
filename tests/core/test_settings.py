"""Published hyper-parameters: every entry is a valid loss, and the values are those of the tables."""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from asymtheory import losses
from asymtheory.errors import InputError
from asymtheory.losses import published as settings
from asymtheory.losses.published import DATA, Setting

ALL = settings.published_settings()
PAPERS = Path(__file__).parents[3] / "shared" / "papers"

# (source, loss) -> values row by row as the table prints them; None is a dash
ROWS: dict[tuple[str, str], list[str | None]] = {
    ("JAL Table 8", "gce"): ["q", "0.9", "0.7", "0.7", "0.6"],
    ("JAL Table 8", "sce"): ["alpha beta A", "0.1, 1, -4", "6, 1, -4", "10, 1, -4", "10, 1, -4"],
    ("JAL Table 8", "nce+rce"): ["alpha beta A", "1, 1, -4", "10, 0.1, -4", "50, 0.1, -4", "10, 1, -4"],
    ("JAL Table 8", "nce+aul"): ["alpha beta a p", "1, 3, 6.3, 1.5", "10, 0.015, 6, 3", None, None],
    ("JAL Table 8", "nce+agce"): [
        "alpha beta a q", "10, 4, 6, 1.5", "10, 0.1, 1.8, 3", "50, 0.1, 2.5, 3", "50, 0.1, 2.5, 3",
    ],
    ("JAL Table 8", "jal-ce"): ["alpha beta a", "1, 1, 30", "5, 1, 20", "50, 1, 30", "5, 0.1, 5"],
    ("JAL Table 8", "jal-fl"): [
        "alpha beta a gamma", "1, 1, 30, 0.5", "5, 1, 20, 0.5", "50, 1, 30, 0.5", "5, 0.1, 5, 0.5",
    ],
    ("ANL Table 4", "sce"): ["alpha beta", "0.01, 1.0", "0.1, 1.0", "6.0, 0.1", "10.0, 1.0"],
    ("ANL Table 4", "nfl+rce"): ["alpha beta gamma", "1.0, 10.0, 0.5", "1.0, 1.0, 0.5", "10.0, 0.1, 0.5", None],
    ("ANL Table 4", "nce+ael"): ["alpha beta a", "0.0, 1.0, 3.5", "1.0, 4.0, 5.0", "10.0, 0.1, 1.5", None],
    ("ANL Table 4", "nce+agce"): [
        "alpha beta a q", "0.0, 1.0, 4.0, 0.2", "1.0, 4.0, 6.0, 1.5", "10.0, 0.1, 1.8, 3.0", "50.0, 0.1, 2.5, 3.0",
    ],
    ("ANL Table 4", "nce+aul"): [
        "alpha beta a p", "0.0, 1.0, 3.0, 0.1", "1.0, 4.0, 6.3, 1.5", "10.0, 0.015, 6.0, 3.0", None,
    ],
    ("ANL Table 4", "anl-ce"): [
        "alpha beta L1", "1.0, 1.0, 1e-6", "5.0, 5.0, 5e-5", "10.0, 1.0, 5e-7", "20.0, 1.0, 6e-6",
    ],
    ("APL Sec. 5.2", "sce"): ["alpha beta A", "0.01, 1.0, -4", "0.1, 1.0, -4", "6.0, 0.1, -4"],
    ("APL Sec. 5.2", "nfl+mae"): ["alpha beta", "1, 100", "1, 1", "10, 0.1"],
    ("APL Sec. 5.2", "nce+rce"): ["alpha beta", "1, 100", "1, 1", "10, 0.1"],
}  # fmt: skip
COLUMNS = {
    "JAL Table 8": ("cifar10", "cifar100", "webvision", "clothing1m"),
    "ANL Table 4": ("mnist", "cifar10", "cifar100", "webvision"),
    "APL Sec. 5.2": ("mnist", "cifar10", "cifar100"),
}


def row(source: str, loss: str, entries: tuple[Setting, ...] = ALL) -> list[dict[str, Fraction] | None]:
    """The values of one row of a table, one item a column."""
    found = {s.dataset: {**s.parameters, **s.regularisation} for s in entries if (s.source, s.loss) == (source, loss)}
    assert set(found) <= set(COLUMNS[source])
    return [found.get(dataset) for dataset in COLUMNS[source]]


def printed(names: str, cells: list[str | None]) -> list[dict[str, Fraction] | None]:
    return [
        None if cell is None else dict(zip(names.split(), map(Fraction, cell.split(", ")), strict=True))
        for cell in cells
    ]


@pytest.mark.parametrize("entry", ALL, ids=lambda s: f"{s.source}-{s.loss}-{s.dataset}".replace(" ", ""))
def test_entry_builds_what_it_says(entry: Setting) -> None:
    loss = entry.build()
    assert loss.name in entry.loss.split("+") if "switched off" in entry.note else loss.name == entry.loss
    for name, value in entry.parameters.items():
        if value == 0:
            assert name not in loss.parameters
            continue
        if name == "beta" and "beta" not in loss.parameters:  # what is left of a sum, with coefficient 1
            assert value == 1
            continue
        assert loss.parameters[name] == value
        assert value in loss.domains[name]
    assert all(norm in ("L1", "L2") and 0 < weight < 1 for norm, weight in entry.regularisation.items())


@pytest.mark.parametrize(("source", "loss"), ROWS)
def test_values_are_those_of_the_table(source: str, loss: str) -> None:
    names, *cells = ROWS[source, loss]
    assert names is not None
    assert row(source, loss) == printed(names, cells)


@pytest.mark.parametrize(
    ("source", "file"), [("JAL Table 8", "jal-iccv2025.md"), ("ANL Table 4", "anl-neurips2023.md")]
)
def test_every_row_against_the_text_of_the_paper(source: str, file: str) -> None:
    if not (PAPERS / file).is_file():
        pytest.skip("the papers are not part of the repository")
    checked = 0
    for line in (PAPERS / file).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"[|\t]", line.strip("|"))]
        cells[1:] = [re.sub(r"\$\s*(\d) \\times 10\^\{(-\d)\}\s*\$", r"\1e\2", cell) for cell in cells[1:]]
        head = re.fullmatch(r"([A-Z][A-Za-z+-]+) \((.+)\)", cells[0])
        if head is None or len(cells) != 5 or head[2] == "-" or "=" in head[2]:
            continue
        names = [name.strip(" $\\") for name in head[2].split(",")]
        names = [{"α": "alpha", "β": "beta", "γ": "gamma", "delta": "L1"}.get(name, name) for name in names]
        values = [
            None if cell in ("-", "(-)") else cell.strip("() ").replace(" ", "").replace(",", ", ")
            for cell in cells[1:]
        ]
        assert row(source, head[1].lower()) == printed(" ".join(names), values), line
        checked += 1
    assert checked == {"JAL Table 8": 10, "ANL Table 4": 11}[source]


def test_a_changed_value_is_seen(tmp_path: Path) -> None:
    text = DATA.read_text(encoding="utf-8")
    old = '"loss": "jal-ce", "dataset": "cifar10", "parameters": {"alpha": "1", "beta": "1", "a": "30"}'
    assert text.count(old) == 1
    changed = tmp_path / "settings.json"

    changed.write_text(text.replace(old, old.replace("30", "20")), encoding="utf-8")
    names, *cells = ROWS["JAL Table 8", "jal-ce"]
    assert names is not None
    assert row("JAL Table 8", "jal-ce", settings.read(changed)) != printed(names, cells)

    changed.write_text(text.replace(old, old.replace("30", "0.5")), encoding="utf-8")
    with pytest.raises(InputError, match=r"amse: a = 0\.5 is outside its domain \[1, inf\)"):
        [entry.build() for entry in settings.read(changed)]


def test_no_entry_twice_and_numbers_as_text() -> None:
    keys = Counter((s.loss, s.dataset, s.source) for s in ALL)
    assert max(keys.values()) == 1
    for entry in json.loads(DATA.read_text(encoding="utf-8")):
        values = [*entry["parameters"].values(), *entry["regularisation"].values()]
        assert all(isinstance(value, str) for value in values)


def test_term_with_coefficient_zero_is_not_in_the_loss() -> None:
    (entry,) = settings.published_settings("nce+agce", "mnist")
    assert entry.parameters["alpha"] == 0
    assert entry.note == "alpha = 0 in the table: NCE is switched off"
    assert entry.build() == losses.AGCE(a=4, q=Fraction(1, 5))
    twice = Setting("nce+agce", "mnist", {**entry.parameters, "beta": Fraction(2)}, {}, "none")
    assert twice.build() == 2 * losses.AGCE(a=4, q=Fraction(1, 5))
    nothing = Setting("nce+agce", "mnist", {"alpha": Fraction(0), "beta": Fraction(0)}, {}, "none")
    with pytest.raises(InputError, match="every term has coefficient 0"):
        nothing.build()


def test_papers_that_disagree_are_both_kept() -> None:
    alphas = {s.source: s.parameters["alpha"] for s in settings.published_settings("nce+agce", "CIFAR-10")}
    assert alphas == {"ANL Table 4": 1, "JAL Table 8": 10}


def test_lookup() -> None:
    assert len({s.dataset for s in ALL}) == 6
    assert settings.published_settings("NCE+RCE", "cifar_10") == settings.published_settings("nce+rce", "cifar10")
    assert settings.published_settings("ael") == ()  # known, nothing published for it alone
    with pytest.raises(InputError, match=r"not a known loss; did you mean 'jal-ce'\?"):
        settings.published_settings("jal-cee")
    with pytest.raises(InputError, match=r"dataset 'cifar11' has no published settings .*did you mean 'cifar1"):
        settings.published_settings(dataset="cifar11")


def test_an_entry_prints_and_serialises() -> None:
    (entry,) = (s for s in settings.published_settings("anl-ce", "cifar10") if s.source == "ANL Table 4")
    assert str(entry) == "anl-ce on cifar10: alpha=5, beta=5 + 5e-05 L1 (ANL Table 4)"
    again = entry.to_dict()
    assert json.loads(json.dumps(again)) == again
    assert again["regularisation"] == {"L1": "5e-05"}
    assert {entry: 1}[entry] == 1
