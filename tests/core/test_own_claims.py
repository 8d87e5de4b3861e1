"""A reader's own file of claims: numbers in TOML, judges in Python, the worked example, and files that are wrong.

Seen failing: with a control that keeps the value, with `<=` for `==` at exact ends, and with a file's text printed as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asymtheory.claims import files, ledger
from asymtheory.claims.ledger import CERTIFIED, REFUTED, Effort, judge_claim
from asymtheory.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "preference_claims.toml"
ROBUST = 'loss = "amse"\nset = { q = "2" }\nK = 10\neta = "0.8"\n'


def judged(path: Path, text: str) -> list[ledger.Row]:
    path.write_text(text)
    return [judge_claim(claim, Effort()) for claim in files.load(path)]


def test_the_worked_example_holds_and_every_control_is_refuted() -> None:
    rows = [judge_claim(claim, Effort()) for claim in files.load(EXAMPLE)]
    assert [row.claim.id for row in rows] == ["log-mixture", "agce-limit", "same-loss", "plain-dpo"]
    assert all(row.finding.verdict is CERTIFIED and row.control is REFUTED for row in rows)
    assert "2/3" in rows[0].finding.evidence


@pytest.mark.parametrize(
    ("says", "verdict"),
    [
        ('at_least = "9"', CERTIFIED),
        ('at_least = "1/(1-eta*K/(K-1))"', CERTIFIED),
        ('at_least = "9.0000000001"', REFUTED),
        ('at_most = "9"', REFUTED),
        ("never = true", REFUTED),
        ('ratio = "0.5"', None),
    ],
)
def test_a_threshold_is_judged_exactly(tmp_path: Path, says: str, verdict: ledger.Verdict | None) -> None:
    if verdict is None:
        with pytest.raises(ledger.InputError):  # AMSE is not an l(u_y)
            judged(tmp_path / "c.toml", f"[[claim]]\n{ROBUST}{says}\n")
        return
    (row,) = judged(tmp_path / "c.toml", f"[[claim]]\n{ROBUST}{says}\n")
    assert row.finding.verdict is verdict
    assert verdict is CERTIFIED or row.finding.counterexample


def test_irrational_thresholds_ratios_and_verdicts(tmp_path: Path) -> None:
    text = """
    [[claim]]
    loss = "ael"
    K = 10
    eta = "0.8"
    at_least = "1/log(9/4)"
    [[claim]]
    loss = "agce"
    set = { a = "1", q = "1/2" }
    ratio = "1/sqrt(2)"
    [[claim]]
    loss = "mae"
    weights = ["3", "2", "0"]
    asymmetric = true
    """
    rows = judged(tmp_path / "c.toml", text)
    assert [(row.finding.verdict, row.control) for row in rows] == [(CERTIFIED, REFUTED)] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no \[\[claim\]\]"),
        ("x = [", "not a TOML file"),
        (f"[[claim]]\n{ROBUST}", "exactly one of at_least"),
        (f'[[claim]]\n{ROBUST}at_leest = "9"', "'at_leest' is not a key.*did you mean 'at_least'"),
        ('[[claim]]\nloss = "amze"\nK = 10\neta = "0.8"\nat_least = "9"', "'amze' is not a known loss"),
        ('[[claim]]\nloss = "amse"\nK = 10\neta = 0.8\nat_least = "9"', "write decimals as text"),
        ('[[claim]]\nloss = "amse"\nK = 10\neta = "0.8"\nat_least = "__import__"', "not allowed|name"),
        ('[[claim]]\nloss = "mae"\nweights = ["3", "1"]\neta = "0.1"\nasymmetric = true', "goes without noise"),
    ],
)
def test_wrong_files_get_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    assert main(["verify", "--file", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err)


def test_a_python_file_registers_judges_and_leaves_the_ledger_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from asymtheory.claims.ledger import CERTIFIED, REFUTED, Finding, claim\n"
        "@claim('two', 'Sec. 1', '1 + 1 = 2', printed=2, falsified=3, falsification='3')\n"
        "def two(claimed, effort):\n"
        "    return Finding(CERTIFIED if claimed == 2 else REFUTED, 'sum', str(1 + 1), counterexample={'sum': 2})\n"
    )
    before = set(ledger.catalogue())
    assert main(["verify", "--file", str(path)]) == 0
    assert "certified" in capsys.readouterr().out
    assert set(ledger.catalogue()) == before
    assert main(["verify", "--file", str(path)]) == 0  # and again
    path.write_text("1/0")
    assert main(["verify", "--file", str(path)]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err
    path.write_text("x = 1")
    assert main(["verify", "--file", str(path)]) == 2


def test_text_of_a_file_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        f'paper = "\\u001b[31m"\n[[claim]]\nid = "\\u001b]0;x"\nstatement = "\\u001b[2J"\n{ROBUST}at_least = "9"\n'
    )
    assert main(["verify", "--file", str(path), "--claim", "\ufffd]0;x"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_options_of_the_ledger_do_not_go_with_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--file", str(EXAMPLE), "--paper", "alf"]) == 2
    assert "leave it out with --file" in capsys.readouterr().err
    assert main(["verify", "--file", "nowhere.toml"]) == 2
    assert main(["verify", "--file", str(EXAMPLE), "--claim", "log"]) == 2
