"""The ledger: all claims of the catalogue, controls refuted, verdicts on record, output formats, bad input."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

from asymtheory.claims import ledger, report
from asymtheory.claims.ledger import CERTIFIED, REFUTED, Claim, Corrected, Effort, Finding, Row, Verdict
from asymtheory.cli import main

pytestmark = pytest.mark.xdist_group("ledger")

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "reference" / "claims.md"


def test_the_catalogue_is_complete() -> None:
    if not SHARED.exists():
        pytest.skip("the catalogue of claims lies outside the repository, in ../shared")
    text = SHARED.read_text()
    wanted = set(re.findall(r"\b(?:alf|apl|anl|jal)-[a-z0-9-]+", text)) - {"alf-icml2021", "apl-icml2020"}
    assert set(ledger.catalogue()) == wanted


def test_every_claim_has_a_statement_and_a_control() -> None:
    for claim in ledger.catalogue().values():
        assert claim.statement
        assert claim.falsification
        assert claim.where
        assert claim.falsified != claim.printed


def test_a_judge_reads_in_25_lines() -> None:
    for claim in ledger.catalogue().values():
        lines = inspect.getsource(claim.judge).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("def "))
        assert len(lines) - start <= 25, claim.id


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """Every claim and its control judged at full effort, in two processes."""
    return list(ledger.verify(ledger.select(), Effort(), workers=2))


def test_verdicts_are_the_recorded_ones_and_every_control_is_refuted(rows: list[Row]) -> None:
    assert ledger.changed(rows) == []
    assert set(ledger.recorded()) == set(ledger.catalogue())


@pytest.mark.slow
def test_verdicts_do_not_depend_on_effort_seed_or_workers(rows: list[Row]) -> None:
    again = list(ledger.verify(ledger.select(), Effort(quick=True, seed=7), workers=1))
    assert [(r.claim.id, r.finding.verdict, r.control) for r in again] == [
        (r.claim.id, r.finding.verdict, r.control) for r in rows
    ]


def test_docs_are_what_the_ledger_writes(rows: list[Row]) -> None:
    assert (ROOT / "docs" / "claims.md").read_text() == report.render(rows, "markdown") + "\n"


def _row(verdict: Verdict = CERTIFIED, control: Verdict = REFUTED) -> Row:
    claim = Claim("alf-cor1", "Cor. 1", "a_b | c & 5 %", lambda c, e: finding, None, 1, "five per cent off")
    finding = Finding(
        verdict, "boxes", "held on 12 boxes", ("more",), {"a": 0.5, "w": [0.5, 0.3]} if verdict is REFUTED else None,
        Corrected("a <= b", CERTIFIED, "because") if verdict is REFUTED else None, "Theorem 4" if verdict is REFUTED else "",
    )  # fmt: skip
    return Row(claim, finding, control, 0.25)


def test_a_changed_verdict_or_a_control_that_passes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "recorded", lambda: {"alf-cor1": "certified"})
    assert ledger.changed([_row()]) == []
    assert ledger.changed([_row(REFUTED)]) == ["alf-cor1: refuted, on record certified"]
    assert "came out certified, not refuted" in ledger.changed([_row(control=CERTIFIED)])[0]
    monkeypatch.setattr(ledger, "recorded", dict)
    assert ledger.changed([_row()]) == ["alf-cor1: certified, on record nothing"]


def test_formats() -> None:
    rows = [_row(), _row(REFUTED)]
    (first, second) = json.loads(report.render(rows, "json"))
    assert {
        "id", "paper", "where", "statement", "verdict", "method", "evidence", "counterexample", "corrected", "control", "seconds",
    } <= set(first)  # fmt: skip
    assert first["corrected"] is None
    assert second["corrected"]["statement"] == "a <= b"
    assert second["counterexample"] == {"a": 0.5, "w": [0.5, 0.3]}
    assert r"a_b \| c" in report.render(rows, "markdown")
    assert "alf-cor1 &" in report.render(rows, "latex")
    assert r"\%" in report.latex([_with_evidence("5 % & more_")])
    table = report.render(rows, "table")
    assert "2 claims: 1 certified, 1 refuted" in table
    full = report.render(rows, "table", full=True)
    for word in ("against", "instead", "stands", "control", "(0.5, 0.3)"):
        assert word in full


def _with_evidence(text: str) -> Row:
    row = _row()
    return Row(row.claim, Finding(CERTIFIED, "boxes", text), REFUTED, 0.1)


def test_a_refutation_needs_numbers() -> None:
    with pytest.raises(ValueError, match="counterexample"):
        Finding(REFUTED, "search", "no")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("verify --paper alff", r"--paper 'alff'.*did you mean 'alf'"),
        ("verify --claim alf-cor9", r"--claim 'alf-cor9'.*did you mean 'alf-cor"),
        ("verify --format pdf", r"--format 'pdf'"),
        ("verify --workers 0", r"--workers 0"),
        ("verify --seed x", r"--seed x"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], line: str, message: str) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err)


def test_one_claim_by_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("verify --claim jal-a473 --quick".split()) == 0
    assert "4.73" in capsys.readouterr().out


def test_the_command_names_a_changed_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ledger, "recorded", lambda: {"jal-a9": "refuted"})
    assert main("verify --claim jal-a9 --quick".split()) == 1
    assert "jal-a9" in capsys.readouterr().err
