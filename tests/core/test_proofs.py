"""The Coq development and the certificates. What compiles it runs with ASYMTHEORY_PROOFS=1, as ``.ci/run`` does."""

from __future__ import annotations

import os
import re
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from asymtheory.claims.ledger import catalogue
from asymtheory.claims.theorems import THEOREMS
from asymtheory.cli import main
from asymtheory.errors import InputError
from asymtheory.formal import development
from asymtheory.formal.certificate import certificate, coq_file, theorem, threshold_certificate
from asymtheory.formal.development import MACHINE_NUMBERS, ProofRefused, assumptions, compiled, coq, prover, sources
from asymtheory.formal.terms import NoCertificate, rational, real
from asymtheory.losses.base import Loss
from asymtheory.losses.papers import (
    AEL,
    AGCE,
    AMSE,
    AUL,
    CE,
    GCE,
    MAE,
    MSE,
    NCE,
    NFL,
    NGCE,
    NNCE,
    NNFL,
    LogitClipCE,
    PHuberCE,
    TaylorCE,
)
from asymtheory.losses.registry import build
from asymtheory.noise.resolve import resolve
from asymtheory.threshold.solve import solve

from .proof_cases import EACH, MAKERS, cases

ROOT = Path(__file__).parents[2]
Q = Fraction
SYMMETRIC_80 = [9, *[4] * 9]

compiles = pytest.mark.skipif(
    shutil.which("coqc") is None or os.environ.get("ASYMTHEORY_PROOFS") != "1",
    reason=f"compiles the Coq development for a minute or two: ASYMTHEORY_PROOFS=1, and {development.INSTALL}",
)

# ----------------------------------------------------------------------------------------------- without a prover


def statements() -> dict[str, set[str]]:
    """The names of the theorems and lemmas of each file."""
    named = re.compile(r"^(?:Theorem|Lemma) (\w+)", re.MULTILINE)
    return {name.removesuffix(".v"): set(named.findall(text)) for name, text in sources().items()}


def test_every_theorem_that_the_ledger_names_is_there() -> None:
    known = statements()
    named = {each for names in THEOREMS.values() for each in names}
    assert {each for each in named if each.split(".")[1] not in known[each.split(".")[0]]} == set()
    assert set(THEOREMS) <= set(catalogue())


def test_nothing_is_admitted_and_no_axiom_is_our_own() -> None:
    shortcut = re.compile(r"\b(Admitted|admit|Axiom|Parameter|Conjecture|Abort)\b")
    assert {name: shortcut.findall(text) for name, text in sources().items() if shortcut.search(text)} == {}
    assert set(sources()) == {path.name for path in (ROOT / "proofs").glob("*.v")}


def test_the_page_names_every_theorem_that_the_build_prints() -> None:
    page = (ROOT / "docs" / "proofs.md").read_text()
    printed = re.findall(r"^Print Assumptions (\w+)\.", sources()[development.PRINTS], re.MULTILINE)
    assert len(printed) > 50
    assert [name for name in printed if f"`{name}`" not in page] == []
    assert [each for names in THEOREMS.values() for each in names if f"`{each.split('.')[1]}`" not in page] == []


def test_assumptions_are_read_from_what_coq_prints() -> None:
    printed = (
        "theorem_5\n     : forall K : nat,\n       asymmetric K\nAxioms:\nClassical_Prop.classic : forall P : Prop, P \\/ ~ P\n"
        "Uint63.add_spec\n  : forall x y : PrimInt63.int,\n    x = y\nlemma_1\n     : True\nClosed under the global context\n"
    )
    assert assumptions(printed) == {"theorem_5": ("Classical_Prop.classic", "Uint63.add_spec"), "lemma_1": ()}


def test_numbers_are_written_exactly() -> None:
    assert [real(x) for x in (Q(3, 5), Q(-3, 5), Q(30), Q(-4))] == ["(3 / 5)", "(-3 / 5)", "30", "(-4)"]
    assert [rational(x) for x in (Q(3, 5), Q(-3, 5))] == ["3#5", "(-3)#5"]


def test_a_certificate_states_the_verdict_on_these_numbers() -> None:
    text = certificate(AGCE(a=1, q=Q("0.5")), [Q(3, 5), Q(2, 5), Q(1, 10)])
    assert "Theorem verdict : asymmetric 3 (active_loss (agce 1 (1 / 2))) (row ws_verdict) 0." in text
    assert "Definition ws_verdict : list Q := [3#5; 2#5; 1#10]%Q." in text
    text = certificate(AMSE(a=8), SYMMETRIC_80)
    assert "Theorem verdict : ~ asymmetric 10 (amse 10 8 2) (row ws_verdict) 0." in text
    assert "Definition better_verdict" in text


def test_a_title_cannot_leave_its_comment() -> None:
    assert coq_file('x *) Axiom a : False. (* "', []).count("*)") == 1


def test_a_threshold_is_certified_from_both_sides() -> None:
    answer = solve(AMSE(), resolve("symmetric", 10, Q(4, 5)), "a")
    text = threshold_certificate(answer)
    values = [
        Q(x.replace(" ", "")) for x in re.findall(r"^Theorem .*\(amse 10 \((\d+ / \d+)\) 2\)", text, re.MULTILINE)
    ]
    assert 9 < values[0] < 9 + Q(1, 10**4)
    assert 9 - Q(1, 10**4) < values[1] < 9
    assert "Theorem feasible : asymmetric" in text
    assert "Theorem infeasible : ~ asymmetric" in text


@pytest.mark.parametrize(
    ("loss", "weights", "why"),
    [
        (AGCE(a=1, q=Q(3, 2)) + AMSE(a=30), [3, 2, 1], "rests on a search"),
        (NGCE(), [3, 1, 1], "over CE and FL only"),
        (PHuberCE(), [3, 1, 1], "phuber-ce: .* no definition"),
        (LogitClipCE(), [3, 1, 1], "clipped logits"),
        (5 * NCE() + 5 * NNCE(), [3, 1, 1], "a normalised negative loss alone only"),
    ],
)
def test_where_no_certificate_exists_it_says_why(loss: Loss, weights: list[int], why: str) -> None:
    with pytest.raises(NoCertificate, match=why):
        certificate(loss, weights)


def test_the_command_writes_the_file_and_keeps_its_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "verdict.v"
    assert main(["check", "--loss", "mse", "--weights", "3,2,1", "--certificate", str(out)]) == 1
    assert out.read_text() == certificate(MSE(), [3, 2, 1])
    assert "coqc -Q proofs Asymtheory" in capsys.readouterr().err
    assert main(["bound", "--loss", "ael", "--K", "10", "--eta", "0.8", "--certificate", str(out)]) == 0
    assert "Theorem infeasible" in out.read_text()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("check --loss mse --weights 3,2,1 --certificate out.txt", "Coq needs a name such as verdict.v"),
        ("check --loss mse --weights 3,2,1 --certificate nowhere/out.v", "there is no folder nowhere; create it first"),
        ("check --loss phuber-ce --weights 3,1,1 --certificate out.v", "no definition of this loss"),
        ("bound --loss mae --K 10 --eta 0.4 --solve eta --certificate out.v", ""),
        ("bound --loss amse --K 10 --eta 0.2,0.4 --certificate out.v", "one noise rate"),
        ("bound --loss amse --symbolic --certificate out.v", "leave out --symbolic"),
    ],
)
def test_a_certificate_that_cannot_be_written_is_one_line(
    command: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_coqc_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["verify", "--proofs", "--claim", "alf-cor1"]) == 2
    assert "apt-get install --no-install-recommends coq libcoq-coquelicot libcoq-interval" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------- with the prover


@pytest.fixture(scope="module")
def built() -> Path:
    return compiled(progress=False)[0]


@compiles
def test_the_development_compiles_and_assumes_the_real_numbers_only(built: Path) -> None:
    _, assumed = compiled(progress=False)
    reals = {
        "ClassicalDedekindReals.sig_forall_dec",
        "ClassicalDedekindReals.sig_not_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "Classical_Prop.classic",
    }
    foreign = {name: set(axioms) - reals for name, axioms in assumed.items()}
    evaluated = {name for name, axioms in foreign.items() if axioms}
    assert evaluated <= {"a_473_exact", "anl_tolerance"}  # the two printed ones that evaluate numbers
    assert all(axiom.startswith(MACHINE_NUMBERS) for axioms in foreign.values() for axiom in axioms)
    assert {"corollary_1", "corollary_2", "corollary_3", "theorem_4_1", "jal_ce_threshold"} <= set(assumed)


@compiles
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_coq_agrees_with_check_on_forty_instances(name: str, built: Path, tmp_path: Path) -> None:
    blocks = [theorem(loss, row, f"verdict_{i}") for i, (loss, row) in enumerate(cases(name))]
    assert len(blocks) == EACH
    assert 5 < sum(": ~ asymmetric" in block for block in blocks) < 35  # both answers
    path = tmp_path / f"{name}.v"
    path.write_text(coq_file(name, blocks))
    coq(prover(), path, built)


OTHERS = [
    *((loss, weights) for loss in (CE(), GCE(), MSE(), MAE(), NCE(), NFL(), NNCE(), NNFL()) for weights in ([3, 2, 1],)),
    *((TaylorCE(t=3), weights) for weights in ([4, 1, 1], [3, 1, 1], [2, 1, 1])),
    *((build(name), [3, 2, 1]) for name in ("sce", "rce", "nmae", "unhinged", "nce+rce", "nce+agce", "nce+ael")),
    *((build(name), [3, 2, 1]) for name in ("jal-ce", "jal-fl")),
    (build("jal-ce", a=2), [3, 2, 1]),
    (build("agce+mae"), [3, 2, 1]),
    (AGCE(a=1, q=Q(1, 2)) + AUL(a=2, p=2) + 3 * MAE(), [3, 2, 1]),
    (AGCE(a=0, q=Q(1, 2)), [3, 2, 1]),
    (AEL(a=1), [1, *[0] * 8, 2]),
]  # fmt: skip


@compiles
def test_coq_confirms_the_other_losses(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "others.v"
    blocks = []
    for i, (loss, weights) in enumerate(OTHERS):
        text = certificate(loss, list(map(Q, weights)))
        blocks.append(
            re.sub(r"\b(verdict|ws_verdict|row_verdict|better_verdict)\b", rf"\1_{i}", text).split(
                "Open Scope R_scope.\n", 1
            )[1]
        )
    path.write_text(coq_file("others", blocks))
    coq(prover(), path, built)


@compiles
def test_a_whole_noise_model_and_a_threshold_are_confirmed(built: Path, tmp_path: Path) -> None:
    model = resolve("cifar10", None, Q(2, 5))
    text = certificate(AUL(a=4, p=2), model)
    assert text.count("Theorem ") == 2  # the classes that are flipped, and those that are not
    path = tmp_path / "model.v"
    path.write_text(text)
    coq(prover(), path, built)
    for loss, parameter in ((AMSE(), "a"), (AEL(), "a"), (AGCE(q=Q(1, 2)), "a"), (AUL(a=3), "p")):
        path = tmp_path / "threshold.v"
        path.write_text(threshold_certificate(solve(loss, resolve("symmetric", 10, Q(4, 5)), parameter)))
        coq(prover(), path, built)


@compiles
@pytest.mark.parametrize(
    ("old", "new"), [("[9#1; 4#1;", "[9#1; 5#1;"), ("Theorem verdict : asymmetric", "Theorem verdict : ~ asymmetric")]
)
def test_a_changed_certificate_is_refused(old: str, new: str, built: Path, tmp_path: Path) -> None:
    text = certificate(AMSE(a=9), SYMMETRIC_80)
    assert old in text
    path = tmp_path / "changed.v"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ProofRefused, match=r"changed\.v"):
        coq(prover(), path, built)


@compiles
def test_weights_past_the_threshold_are_refused_where_all_else_is_adjusted(built: Path, tmp_path: Path) -> None:
    """Not the bookkeeping but the inequality fails: w_n = 4.001 of 9, with every total in the file made to fit."""
    text = certificate(AMSE(a=9), SYMMETRIC_80)
    changed = text.replace("4#1", "4001#1000").replace("(45#1)", "(45009#1000)")
    assert changed != text
    path = tmp_path / "past.v"
    path.write_text(changed)
    with pytest.raises(ProofRefused, match="Cannot find witness"):
        coq(prover(), path, built)


@compiles
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("Ael.v", "w n * exp (1 / a) <= w m).", "w n * exp (2 / a) <= w m)."),
        ("Amse.v", "total K w / (w m - w n) <= a).", "total K w / (w m - w n) < a)."),
        ("Ratio.v", "rp <= r <= ru.", "rp <= ru <= r."),
        ("Refuted.v", "(9 + 6 * sqrt 6) / 5 <= a).", "(9 + 5 * sqrt 6) / 5 <= a)."),
    ],
)
def test_a_falsified_theorem_does_not_compile(file: str, old: str, new: str, built: Path, tmp_path: Path) -> None:
    text = sources()[file]
    assert old in text
    path = tmp_path / file
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ProofRefused, match=file):
        coq(prover(), path, built)


@compiles
def test_a_file_that_coq_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    texts = {"Simplex.v": sources()["Simplex.v"].replace("(0 < K)", "(1 < K)").replace("u k <= 1.", "u k <= 0.")}
    monkeypatch.setattr(development, "sources", lambda: texts)
    assert main(["verify", "--proofs", "--claim", "alf-cor1", "--quick"]) == 1
    assert "Coq refused Simplex.v" in capsys.readouterr().err


def test_negative_numbers_have_no_certificate_by_accident() -> None:
    with pytest.raises(InputError):
        certificate(MAE(), [1, 1, 0])  # no unique largest weight
