"""The command line: answers, JSON contracts, exit statuses, and one line for bad input."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asymtheory.cli import main
from asymtheory.commands.catalogue import FURTHER

Output = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], line: str) -> Output:
    status = main(line.split())
    captured = capsys.readouterr()
    return status, captured.out, captured.err


ANSWERS = [
    ("bound --loss amse --K 10 --eta 0.8", "a >= 9"),
    ("bound --loss agce --set q=0.5 --K 10 --eta 0.8", "a >= 16/65"),
    ("bound --loss aul --set p=2 --K 10 --eta 0.8", "a >= 1.8"),
    ("bound --loss ael --K 10 --eta 0.8", "a >= 1/log(9/4)"),
    ("bound --loss amse --set a=20 --solve eta --K 100", "eta <= 0.9405"),
    ("bound --loss amse --noise cifar10n-worse", "a >= 5000/1343"),
    ("bound --loss jal-ce --K 10 --noise pair --eta 0.4", "a >= 5"),
    ("bound --loss jal-fl --K 10 --eta 4/5", "a >= 9"),
    ("bound --loss mae --K 10 --eta 0.8", "always"),
    ("bound --loss agce --set a=1 q=2 --K 10 --eta 0.8 --solve a", "always"),
    ("bound --loss gce --K 10 --eta 0.8", "q = 1"),
    ("check --loss amse --set a=20 --weights 0.5,0.3,0.2", "asymmetric"),
    ("noise cifar10n-worse", "0.2686"),
    ("noise", "cifar100-blocks"),
]


@pytest.mark.parametrize(("line", "text"), ANSWERS)
def test_answers(capsys: pytest.CaptureFixture[str], line: str, text: str) -> None:
    status, out, err = run(capsys, line)
    assert (status, err) == (0, "")
    assert text in out


def test_bound_json_contract(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "bound --loss agce --set q=0.5 --K 10 --eta 0.8 --json")
    facts = json.loads(out)
    wanted = {
        "loss", "parameter", "status", "feasible", "exact", "enclosure", "fixed", "noise", "clean_level", "margin",
        "binding_class", "condition",
    }  # fmt: skip
    assert wanted <= set(facts)
    assert facts["loss"] == "agce"
    assert facts["parameter"] == "a"
    assert facts["status"] == "threshold"
    assert facts["exact"] == "16/65"
    assert facts["enclosure"][0] <= 16 / 65 <= facts["enclosure"][1]
    assert facts["feasible"] == {"low": pytest.approx(16 / 65), "high": None, "low_closed": True, "high_closed": False}
    assert facts["fixed"] == {"q": 0.5}
    assert facts["noise"] == {"kind": "symmetric", "classes": 10, "rate": 0.8}
    assert facts["clean_level"] == 2.25
    assert facts["margin"] == pytest.approx(1 / 9)


def test_a_comma_list_of_rates_is_a_table_and_a_json_list(capsys: pytest.CaptureFixture[str]) -> None:
    line = "bound --loss agce --solve q --set a=0.25 --K 10 --eta 0.2,0.4,0.6,0.8"
    status, out, _ = run(capsys, line)
    assert status == 0
    assert [row.split()[0] for row in out.splitlines()[2:6]] == ["0.2", "0.4", "0.6", "0.8"]
    _, out, _ = run(capsys, line + " --json")
    lows = [facts["feasible"]["low"] for facts in json.loads(out)]
    c = [(1 - eta) * 9 / eta for eta in (0.2, 0.4, 0.6, 0.8)]
    np.testing.assert_allclose(lows, [max(0, 1 - np.log(x) / np.log(5)) for x in c], atol=1e-12)


@pytest.mark.parametrize("command", ["ratio --loss aul --set a=6.3 p=1.5", "ratio --loss agce --set a=1 q=1.5"])
def test_ratio_json_contract(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, command + " --json")
    assert status == 0
    facts = json.loads(out)
    for name in ("r", "r_pointwise", "r_upper"):
        assert set(facts[name]) >= {"low", "high", "at", "method"}
        assert facts[name]["low"] <= facts[name]["high"] <= facts[name]["low"] + 1e-10


def test_check_json_contract(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "check --loss amse --set a=3 --weights 0.5,0.3,0.2 --json")
    facts = json.loads(out)
    assert status == 1
    assert facts["asymmetric"] is False
    np.testing.assert_allclose(facts["minimiser"], [0.8, 0.2, 0], atol=1e-12)
    assert facts["slack"] < 0
    assert facts["method"]


@pytest.mark.parametrize(
    "line",
    [
        "bound --loss ce --K 10 --eta 0.8",
        "bound --loss nce --K 10 --eta 0.4",
        "bound --loss mse --K 10 --eta 0.4",
        "bound --loss amse --K 10 --eta 0.95",
        "check --loss ce --weights 0.5,0.3,0.2",
    ],
)
def test_no_parameter_works(capsys: pytest.CaptureFixture[str], line: str) -> None:
    status, out, err = run(capsys, line)
    assert (status, err) == (1, "")
    assert "never" in out or "not asymmetric" in out


BAD = [
    ("bound --loss amse --K 1 --eta 0.8", r"--K 1: .*>= 2"),
    ("bound --loss amse --K 2.5 --eta 0.8", r"--K 2.5: .*whole number"),
    ("bound --loss amse --K ten --eta 0.8", r"--K.*ten"),
    ("bound --loss amse --K 10 --eta 1.8", r"--eta 1.8: .*\[0, 1\]"),
    ("bound --loss amse --K 10 --eta=-0.1", r"--eta -0.1: .*\[0, 1\]"),
    ("bound --loss amse --K 10 --eta nan", r"--eta.*nan"),
    ("bound --loss amse --K 10", r"--eta"),
    ("bound --loss amse --eta 0.8", r"--K"),
    ("bound --loss amze --K 10 --eta 0.8", r"'amze'.*did you mean 'amse'"),
    ("bound --loss amse --set b=3 --K 10 --eta 0.8", r"no parameter 'b' .*a, q"),
    ("bound --loss amse --set q --K 10 --eta 0.8", r"--set 'q': NAME=VALUE"),
    ("bound --loss amse --set q=2 q=3 --K 10 --eta 0.8", r"--set q is given twice"),
    ("bound --loss amse --K 10 --eta 0.8 --eta 0.2", r"--eta is given twice"),
    ("bound --loss amse --loss agce --K 10 --eta 0.8", r"--loss is given twice"),
    ("bound --formula (1-u)**a --domain a=1:2 --domain a=1:3 --K 3 --eta 0.2", r"--domain a is given twice"),
    ("bound --loss amse --set q=nan --K 10 --eta 0.8", r"--set q.*nan"),
    ("bound --loss amse --set a=0.5 --solve q --K 10 --eta 0.8", r"a = 0.5 is outside its domain \[1, inf\)"),
    ("bound --loss amse --solve b --K 10 --eta 0.8", r"--solve.*no parameter 'b'"),
    ("bound --loss amse --noise symetric --K 10 --eta 0.8", r"'symetric'.*did you mean 'symmetric'"),
    ("bound --loss amse --noise nowhere.csv", r"nowhere.csv"),
    ("bound --loss amse --noise cifar10n-worse --eta 0.2", r"--eta 0.2: .*measured"),
    ("bound --loss amse --noise cifar10n-worse --K 7", r"--K 7: .*10 classes"),
    ("bound --loss amse --K 10 --eta 0.8 --latex", r"--latex goes with --symbolic"),
    ("check --loss amse --weights 0.5,0.5", r"no unique largest weight"),
    ("check --loss amse --weights 0.5,-0.1,0.2", r"-0.1"),
    ("check --loss amse --weights 0.5", r"2"),
    ("check --loss amse --weights 0.5,0.2 --K 2", r"--K 2: leave it out"),
    ("ratio --loss nce", r"nce|NCE"),
    ("boond --loss amse", r"'boond' is not a command; did you mean 'bound'"),
    ("bound --loss", r"--loss"),
    ("bound", r"--loss"),
    ("bound --loss amse --K 10 --eta 0.8 --fast", r"--fast"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_bad_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], line: str, message: str) -> None:
    status, out, err = run(capsys, line)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("asymtheory")
    import re

    assert re.search(message, err), err


class _Bomb:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def test_files_that_lie(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    np.save(tmp_path / "bomb.npy", np.array([_Bomb(str(marker))], dtype=object), allow_pickle=True)
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(_Bomb(str(marker))))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "ragged.csv").write_text("0.9,0.1\n0.1,0.8,0.1\n")
    (tmp_path / "sum.csv").write_text("0.9,0.1\n0.3,0.8\n")
    (tmp_path / "negative.json").write_text("[[1.1, -0.1], [0.2, 0.8]]")
    for name, message in {
        "bomb.npy": "", "raw.npy": "", "empty.csv": "empty", "ragged.csv": "line 2", "sum.csv": "1.1", "negative.json": "-0.1",
        ".": "",
    }.items():  # fmt: skip
        status, out, err = run(capsys, f"bound --loss amse --noise {tmp_path / name}")
        assert (status, out, err.count("\n")) == (2, "", 1), name
        assert message in err
    assert not marker.exists()


def test_a_matrix_file_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("0.7,0.2,0.1\n0.1,0.6,0.3\n0.05,0.05,0.9\n")
    status, out, _ = run(capsys, f"bound --loss amse --noise {tmp_path / 't.csv'} --json")
    facts = json.loads(out)
    assert status == 0
    assert facts["exact"] == "10/3"
    assert facts["binding_class"] == 1
    assert facts["rival_class"] == 2


def test_plugins_are_looked_up_by_name_and_name_their_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from importlib import metadata

    found = [
        metadata.EntryPoint("figure", "asymtheory_figures.cli:figure", "asymtheory.commands"),
        metadata.EntryPoint("dump", "json:dumps", "asymtheory.commands"),
    ]
    for module in ("asymtheory_figures", "asymtheory_figures.cli"):  # as where the extra is not installed
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(metadata, "entry_points", lambda group: found if group == "asymtheory.commands" else [])
    status, _, err = run(capsys, "figure --all")
    assert status == 2
    assert "pip install 'asymtheory[figures]'" in err
    assert run(capsys, "figur")[2].rstrip().endswith("did you mean 'figure'? (asymtheory --help lists them)")


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("--help", "bound --help", "--version"):
        with pytest.raises(SystemExit) as stop:
            main(line.split())
        assert stop.value.code == 0
        assert capsys.readouterr().out


def test_help_names_the_commands_of_extras(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    found = [
        metadata.EntryPoint(name, f"asymtheory_{room}.cli:{name}", "asymtheory.commands")
        for name, room in (("train", "training"), ("report", "figures"), ("figure", "figures"))
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda group: found if group == "asymtheory.commands" else [])
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, extra in (("train", "training"), ("report", "figures"), ("figure", "figures")):
        part = shown[shown.index(f"with the extra {extra}:") :]
        assert f" {name} {FURTHER[name]} " in part


def test_module_entry_point_and_closed_pipe() -> None:
    line = f"{sys.executable} -m asymtheory noise cifar100 --eta 0.4 | head -1"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("cifar100")
    assert result.stderr == ""


def test_public_names_load_and_no_module_hides_one() -> None:
    code = (
        "import importlib, asymtheory, pkgutil\n"
        "for module in pkgutil.iter_modules(asymtheory.__path__):\n"
        "    if module.name != '__main__': importlib.import_module(f'asymtheory.{module.name}')\n"
        "for name in asymtheory.__all__:\n"
        "    assert callable(getattr(asymtheory, name)), name\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=Path(__file__).parents[2])
