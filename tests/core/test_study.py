"""A study: what its files say against the core, LaTeX that is well formed, and input that is hostile.

Seen failing: with the slopes at 0 and 1 swapped in the condition, with a figure that is missing left out of the index, and with a
formula's quotes unescaped in ``loss.py``.
"""

from __future__ import annotations

import json
import re
import tomllib
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

from asymtheory import from_formula, named, solve, symmetric
from asymtheory.cli import main
from asymtheory.losses import Loss, build, names
from asymtheory.losses.mathematics import definition
from asymtheory.study import facts, files
from asymtheory.study.bibliography import bibtex
from asymtheory.study.facts import Facts
from asymtheory.study.proposition import proposition
from asymtheory.study.tables import latex_table, markdown_table

NOISE = symmetric(10, F(2, 5))
AGCE = from_formula("((a+1)**q-(a+u)**q)/q", solve="a", q=F(1, 2))


@pytest.fixture(scope="session")
def agce() -> Facts:
    return facts(AGCE, NOISE)


def well_formed(text: str) -> None:
    """Braces, dollars, environments and \\left-\\right pairs close in the order in which they open; only ASCII."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert body.isascii()
    stack: list[str] = []
    for token in re.findall(
        r"\\begin\{[a-z*]+\}|\\end\{[a-z*]+\}|\\left(?![a-z])|\\right(?![a-z])|\\[\[\]]|\\.|[{}$]", body
    ):
        if token.startswith(r"\begin") or token in ("{", r"\left", r"\["):
            stack.append(token)
        elif token.startswith(r"\end"):
            assert stack.pop() == token.replace("end", "begin"), token
        elif token in ("}", r"\right", r"\]"):
            assert stack.pop() == {"}": "{", r"\right": r"\left", r"\]": r"\["}[token], token
        elif token == "$":
            stack.pop() if stack and stack[-1] == "$" else stack.append("$")
    assert stack == []


def test_the_condition_is_that_of_the_solver(agce: Facts) -> None:
    assert agce.by_level is not None
    assert agce.by_level.text == "a >= 1/(c**2 - 1)"
    a = sp.Symbol("a", positive=True)
    assert agce.slopes is not None
    assert sp.simplify(agce.slopes.active0 + a ** sp.Rational(-1, 2)) == 0
    assert sp.simplify(agce.slopes.active1 + (a + 1) ** sp.Rational(-1, 2)) == 0
    for line in agce.lines:
        if line.noise == "symmetric":
            assert line.answer == solve(AGCE, symmetric(line.K, line.rate), "a").answer
    assert {line.noise for line in agce.lines} >= {"symmetric", "pair", "cifar10n-worse"}
    text = proposition(agce)
    assert r"w_n \cdot \left(- \frac{1}{\sqrt{a}}\right) \geq w_m \cdot \left(- \frac{1}{\sqrt{a + 1}}\right)" in text
    assert r"a \geq \frac{1}{c^{2} - 1}" in text


@pytest.mark.parametrize("name", ["mse", "fl", "nce+mae", "ngce+mae", "rdpo", "logitclip-ce"])
def test_every_kind_of_rule_gets_its_statement(name: str) -> None:
    found = facts(build(name), NOISE, told=lambda what: None)
    text = proposition(found)
    for each in (text, latex_table(found)):
        well_formed(each)
    if name in ("fl", "mse"):
        assert "asymmetric on no $w$" in text or "if and only if" in text
    assert ("every $w$ with a unique largest weight" in text) == (
        name == "nce+mae"
    )  # NGCE+MAE only where the rest is uniform
    assert bibtex(found).count("@") == len(re.findall(r"^  title +=", bibtex(found), re.M))


def test_definitions_of_all_losses_are_well_formed() -> None:
    for name in names():
        text = definition(build(name), ())
        well_formed(f"${text}$")
        assert "nan" not in text, name
    assert definition(from_formula("(1-u)*K")) == r"K \left(1 - u_{y}\right)"
    assert (
        definition(from_formula("1-u+a*sum(u**2)", a=F(1, 4)))
        == r"a u_{y}^{2} - u_{y} + 1 + \sum_{k \neq y} a u_{k}^{2}"
    )
    assert definition(from_formula("(1-u**q)/(K-sum(u**q))", q=1)).startswith(r"\text{")  # as it was typed


@pytest.fixture
def without_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.metadata, "entry_points", lambda group: [])


def test_a_folder_holds_all_and_says_what_is_missing(tmp_path: Path, without_plugins: None, capsys: Any) -> None:
    out = tmp_path / "deep" / "study"
    assert (
        main(["study", "--formula", "exp(-u/a)", "--noise", "pair", "--K", "10", "--eta", "0.3", "--out", str(out)])
        == 0
    )
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert str(out) in printed
    index = (out / "README.md").read_text()
    present = {path.name for path in out.iterdir()}
    assert present - {"README.md"} == set(re.findall(r"^\| \[([^\]]+)\]", index, re.M))
    assert "asymtheory[figures]" in index.replace("\\", "")
    found = json.loads((out / "facts.json").read_text())
    assert found["threshold"]["feasible"]["low"] == pytest.approx(1.1802, abs=1e-4)  # 1/log(7/3)
    plan = tomllib.loads((out / "plan.toml").read_text())
    assert plan["defaults"]["noise"] == {"kind": "pair", "eta": 0.3}
    assert plan["runs"][0] == {"formula": "exp(-u/a)", "parameters": {"a": {"times_threshold": [1, 2, 4]}}}
    measured = tomllib.loads(files.training.plan(facts(build("amse"), named("cifar10n-worse"))))
    assert measured["defaults"]["noise"] == {"kind": "cifar10n-worse"}  # it has its own rate
    compile((out / "loss.py").read_text(), "loss.py", "exec")
    for name in ("proposition.tex", "table.tex", "main.tex"):
        well_formed((out / name).read_text())


class Hostile(Loss):
    """A loss whose words try to leave every file."""

    name, title = "hostile", r'"""\n% \end{document} | <script> $x$ ~'
    formula, source = "`x` | # \\input{/etc/passwd}", "<b>&\n# heading"

    def terms(self) -> Any:
        return build("ael").terms()

    def __str__(self) -> str:
        return self.title


def test_words_cannot_leave_their_file() -> None:
    found = facts(Hostile(), NOISE)
    for text in (proposition(found), latex_table(found), files.tables.document(found, [])):
        well_formed(text)
    assert r"\end{document} |" not in files.tables.document(found, [])
    compile(files.training.module(found), "loss.py", "exec")
    tomllib.loads(files.training.plan(found))
    index = files.tables.index(found, [], [], "")
    assert "<script>" not in index.replace("\\<", "")
    assert "\n# heading" not in index
    assert "<" not in markdown_table(found).replace("\\<", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--loss", "amse"], "--out"),
        (["--loss", "amse", "--out", "/dev/null/x"], "--out /dev/null/x: cannot be a folder"),
        (["--loss", "amse", "--solve", "b", "--out", "x"], "no parameter 'b'"),
        (["--loss", "amse", "--K", "10", "--out", "x"], "needs --eta"),
        (["--formula", "u", "--out", "x"], "increases in u"),
    ],
)
def test_bad_input_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
