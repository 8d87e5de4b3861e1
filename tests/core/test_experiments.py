"""The weighted-risk experiment: its gradient, what descent reaches, determinism, resuming, and bad input."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asymtheory.asymmetry.risk import minimise, weighted_risk
from asymtheory.cli import main
from asymtheory.errors import InputError
from asymtheory.experiments import descent
from asymtheory.experiments import weighted_risk as experiments
from asymtheory.experiments.descent import Objective
from asymtheory.experiments.result import MINIMISER, MOVING, OTHER, OUTCOMES, VERTEX
from asymtheory.experiments.runner import Runner
from asymtheory.experiments.sweep import parse_sweep
from asymtheory.experiments.weighted_risk import WeightedRiskExperiment
from asymtheory.losses import build, names
from asymtheory.losses.formula import from_formula
from asymtheory.noise import from_weights
from asymtheory.numbers.backends import sympy_
from asymtheory.threshold import solve

SETTINGS: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in names()] + [
    ("agce", {"q": 3, "a": "0.01"}), ("agce", {"q": "0.5"}), ("agce", {"q": "2.5"}), ("aul", {"p": "0.5", "a": 2}),
    ("aul", {"p": 2}), ("amse", {"q": "1.5"}), ("gce", {"q": "0.5"}), ("logitclip-ce", {"tau": "0.7"}), ("taylor-ce", {"t": 5}),
]  # fmt: skip
IDS = [f"{name} {settings}" if settings else name for name, settings in SETTINGS]


def make(name: str, settings: dict[str, Any]) -> Any:
    return build(name, **{p: Fraction(v) for p, v in settings.items()})


def sample(K: int, count: int, seed: int = 5) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return 1 - random.random((K, count)), 1.5 * random.standard_normal((K, count))


# ------------------------------------------------------------------------------------------------- gradient


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_gradient_is_the_finite_difference_of_the_risk(name: str, settings: dict[str, Any]) -> None:
    loss, (w, z), h = make(name, settings), sample(6, 5), 1e-5
    objective = Objective(loss, 6)
    p, _, slope = objective.gradient(z, w, w.sum(0))
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-12)
    np.testing.assert_allclose(objective(z, w), [weighted_risk(loss, w[:, b], p[:, b]) for b in range(5)], rtol=1e-9)
    for k in range(6):
        step = np.zeros_like(z)
        step[k] = h
        difference = (objective(z + step, w) - objective(z - step, w)) / (2 * h)
        np.testing.assert_allclose(slope[k], difference, rtol=1e-6, atol=1e-8 * np.abs(objective(z, w)).max())


def test_gradient_of_a_formula() -> None:
    loss = from_formula("max(1 - u - a/8, exp(-a*u) - abs(u - 1/3)/4)", "u**b", a=2, b=Fraction(3, 2))
    (w, z), h = sample(4, 50), 1e-6
    objective = Objective(loss, 4)
    slope = objective.gradient(z, w, w.sum(0))[2]
    for k in range(4):
        step = np.eye(4)[k][:, None] * h
        difference = (objective(z + step, w) - objective(z - step, w)) / (2 * h)
        np.testing.assert_allclose(slope[k], difference, rtol=1e-5, atol=1e-7)


def symbolic_slopes(loss: Any, w: Any, p: Any) -> Any:
    """dF/du_k at p (K,) by sympy, from the labels of the definition."""
    import sympy as sp

    u = np.array(sp.symbols(f"u:{len(p)}", positive=True), dtype=object)
    labels = loss.on(sympy_()).labels(u, np.array([sp.log(x) for x in u], dtype=object), sympy_())
    objective = sum(sp.Float(float(weight), 30) * label for weight, label in zip(w, labels, strict=True))
    point = dict(zip(u, (sp.Float(float(x), 30) for x in p), strict=True))
    return np.array([float(sp.diff(objective, x).subs(point).evalf()) for x in u])


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_slopes_are_those_of_sympy(name: str, settings: dict[str, Any]) -> None:
    loss, (w, z) = make(name, settings), sample(3, 2)
    objective = Objective(loss, 3)
    u, g, slope = objective.gradient(z, w, w.sum(0))
    wanted, p = symbolic_slopes(loss, w[:, 0], u[:, 0]), (u[:, 0] - objective.floor) / objective.room
    centred = wanted - p @ wanted
    np.testing.assert_allclose(g[:, 0] - p @ g[:, 0], centred, rtol=1e-9, atol=1e-12 * np.abs(wanted).max())
    if name != "logitclip-ce":  # its chain rule is in the test above
        assert (objective.floor > 0) == any("p_min" in key for key in loss.parameters)
        np.testing.assert_allclose(
            slope[:, 0], objective.room * p * centred, rtol=1e-9, atol=1e-12 * np.abs(wanted).max()
        )


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_gradient_stays_finite_when_softmax_saturates(name: str, settings: dict[str, Any]) -> None:
    z = np.array([[900.0, 60, -700, 0], [0, 0, 0, -900], [-3, -50, -800, -900], [5, -1, -1, -800]])
    w = np.full_like(z, 0.25) + np.arange(4)[:, None] / 10
    with np.errstate(all="ignore"):
        assert np.isfinite(Objective(make(name, settings), 4).gradient(z, w, w.sum(0))[2]).all()


# ------------------------------------------------------------------------------------------ what is reached


CONVEX: list[tuple[str, dict[str, Any], str | None, tuple[Any, ...]]] = [
    ("agce", {"q": "0.5"}, "a", (Fraction(1, 10), 1, 20)), ("aul", {"p": 2}, "a", (Fraction(3, 2), 6)),
    ("ael", {}, "a", (Fraction(1, 2), 4)), ("amse", {}, "a", (2, 30)), ("ce", {}, None, ()),
    ("taylor-ce", {}, "t", (2, 6)), ("phuber-ce", {}, "tau", (2,)), ("mse", {}, None, ()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings", "parameter", "values"), CONVEX, ids=[c[0] for c in CONVEX])
def test_convex_losses_reach_the_exact_minimiser(name: str, settings: Any, parameter: Any, values: Any) -> None:
    result = WeightedRiskExperiment(make(name, settings), parameter, values, draws=25, starts=4).run()
    inside = result.exact < 1 - 1e-3
    reached = np.where(inside[..., None], result.outcome == MINIMISER, result.outcome == VERTEX)
    near = np.abs(result.exact - (1 - 1e-3)) < 1e-3
    assert (reached | near[..., None]).mean() >= (0.95 if name == "phuber-ce" else 0.995)  # flat pieces are slow
    assert not (result.outcome == OTHER).any()
    for index, loss in enumerate(result.experiment.losses):
        np.testing.assert_array_equal(result.exact[index], minimise(loss, result.weights).point[range(25), result.top])
        np.testing.assert_allclose(
            np.median(result.reached[index], -1)[inside[index]], result.exact[index][inside[index]], atol=2e-3
        )


THRESHOLDS: list[tuple[str, dict[str, Any], str, Any, Any]] = [
    ("agce", {"q": "0.5"}, "a", 0, 8),
    ("aul", {"p": 2}, "a", 1, 16),
    ("ael", {}, "a", Fraction(1, 10), 16),
    ("amse", {}, "a", 1, 60),
    ("agce", {"a": "0.5"}, "q", Fraction(1, 10), 1),
]


@pytest.mark.parametrize(("name", "settings", "parameter", "low", "high"), THRESHOLDS)
def test_below_and_above_the_threshold(name: str, settings: Any, parameter: str, low: Any, high: Any) -> None:
    loss = make(name, settings)
    sweep = WeightedRiskExperiment(
        loss, parameter, (low, (low + high) / Fraction(2), high), draws=30, starts=2, steps=1
    )
    found = sweep.run()
    draws = np.flatnonzero((found.threshold < 0.9 * float(high)) & (found.threshold > 1.2 * float(low)))[:4]
    assert len(draws) >= 3
    for d in draws:
        at = found.threshold[d]
        below, above = (Fraction(f"{float(low) + (at - float(low)) * f:.9g}") for f in (0.9, 1.1))
        assert from_weights(found.weights[d].tolist()).rows[0].dominant
        pair = WeightedRiskExperiment(loss, parameter, (below, above), draws=30, starts=2).run()
        assert pair.asymmetric[:, d].tolist() == [0, 1]
        assert pair.exact[0, d] < 1
        assert pair.exact[1, d] == 1
        assert (pair.outcome[1, d] == VERTEX).all()
        np.testing.assert_allclose(pair.reached[0, d], pair.exact[0, d], atol=2e-3)


def test_threshold_is_that_of_the_solver() -> None:
    loss = build("amse")
    found = WeightedRiskExperiment(loss, "a", (1, 20, 300), draws=40, starts=1, steps=1).run()
    draws = np.flatnonzero(found.threshold == found.threshold)
    assert len(draws) > 30
    margins = np.sort(found.weights, -1)
    closed = margins.sum(-1) / (margins[:, -1] - margins[:, -2])
    np.testing.assert_allclose(found.threshold[draws], closed[draws], rtol=1e-12)
    end = solve(loss, from_weights(found.weights[draws[0]].tolist()), "a").end
    assert end is not None
    assert end.value == pytest.approx(found.threshold[draws[0]], rel=1e-12)


def test_threshold_across_a_kink_and_of_whole_numbers() -> None:
    across = WeightedRiskExperiment(
        build("agce", a=Fraction(1, 2)), "q", (Fraction(1, 10), 2), draws=20, starts=1, steps=1
    )
    found = across.run()
    assert ((found.threshold > 0.1) & (found.threshold <= 1)).all()  # q > 1 is completely asymmetric
    counts = WeightedRiskExperiment(build("taylor-ce"), "t", tuple(range(1, 8)), draws=20, starts=1, steps=1).run()
    held = counts.threshold[counts.threshold == counts.threshold]
    assert set(held) <= set(range(1, 8))
    assert len(held) > 0


def test_concave_losses_end_at_other_vertices_too() -> None:
    result = WeightedRiskExperiment(build("agce", q=3, a=Fraction(1, 100)), draws=40, starts=8).run()
    assert (result.exact == 1).all()
    assert (result.asymmetric == 1).all()
    row = result.row(0)
    assert row["other_vertex"] > 0.1
    assert row["vertex"] > 0.1
    assert row["other_vertex"] + row["vertex"] > 0.99
    other = result.outcome[0] == OTHER
    assert (result.largest[0][other] != np.repeat(result.top[:, None], 8, 1)[other]).all()
    assert (
        result.largest[0][result.outcome[0] == VERTEX]
        == np.repeat(result.top[:, None], 8, 1)[result.outcome[0] == VERTEX]
    ).all()


def test_plain_descent_is_slow_next_to_a_vertex_and_says_so() -> None:
    result = WeightedRiskExperiment(build("mae"), draws=20, starts=4, optimiser="gd", steps=60).run()
    moving = result.outcome == MOVING
    assert moving.any()
    assert (result.gradient[moving] > 0).all()
    longer = WeightedRiskExperiment(build("mae"), draws=20, starts=4, optimiser="gd", steps=3000).run()
    assert (longer.outcome == VERTEX).mean() > (result.outcome == VERTEX).mean()
    stuck = (longer.reached < 0.001) & (longer.gradient < 1e-3)  # next to a wrong vertex, which does not attract
    assert stuck.any()
    assert (longer.outcome[stuck] == MOVING).all()
    assert not (longer.outcome == OTHER).any()
    assert "gd" in str(result)
    assert result.row(0)["gradient_moving"]["median"] > 0


def test_losses_without_an_exact_minimiser_are_reported_without_one() -> None:
    for name in ("nce", "anl-ce", "ngce", "logitclip-ce"):
        result = WeightedRiskExperiment(build(name), draws=5, starts=2, steps=40).run()
        assert np.isnan(result.exact).all()
        assert result.row(0)["p_m_exact"] is None
        assert sum(result.row(0)[outcome] for outcome in OUTCOMES) == pytest.approx(1)
    certain = WeightedRiskExperiment(build("nnce"), draws=5, starts=2, steps=40).run()
    np.testing.assert_allclose(certain.exact, 1 - 9e-7, rtol=1e-12)


# ---------------------------------------------------------------------------------------------- determinism


def equal(one: Any, two: Any) -> None:
    """The runs agree to the bit; the exact minimiser is solved a block at a time and may round differently."""
    for name, array in one.arrays().items():
        other = two.arrays()[name]
        if name == "exact":
            np.testing.assert_allclose(array, other, rtol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(array, other, err_msg=name)


@pytest.mark.parametrize("optimiser", ["adam", "gd"])
def test_results_do_not_depend_on_blocks_or_threads(monkeypatch: pytest.MonkeyPatch, optimiser: str) -> None:
    recipe = WeightedRiskExperiment(
        build("agce", q=Fraction(3, 5)), "a", (1, 9), draws=9, starts=3, optimiser=optimiser, steps=250
    )
    whole = recipe.run(workers=1)
    assert len(np.unique(whole.steps)) > 1 or optimiser == "gd"  # some left early
    for block, workers in ((1, 2), (4 * 30, 1), (5 * 30, 2)):
        monkeypatch.setattr(descent, "BLOCK", block)
        equal(whole, recipe.run(workers=workers))
    alone = WeightedRiskExperiment(
        build("agce", q=Fraction(3, 5)), "a", (9,), draws=1, starts=1, optimiser=optimiser, steps=250
    ).run()
    assert alone.reached[0, 0, 0] == whole.reached[1, 0, 0]  # more draws and starts add to the first ones
    other = WeightedRiskExperiment(build("agce"), draws=9, starts=3, seed=1, steps=1).run()
    assert (other.weights != whole.weights).all()


def test_dirichlet_weights() -> None:
    result = WeightedRiskExperiment(build("mae"), draws=30, starts=1, steps=1, weights="dirichlet").run()
    np.testing.assert_allclose(result.weights.sum(-1), 1)
    assert (result.weights[range(30), result.top] > result.weights[range(30), result.second]).all()


# ------------------------------------------------------------------------------------------------- resuming


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_resuming_after_an_interruption_gives_identical_files(tmp_path: Path) -> None:
    recipe = WeightedRiskExperiment(build("ael"), "a", (1, 2, 3, 4, 5), draws=6, starts=2, steps=60)
    recipe.run(folder=tmp_path / "whole")
    assert set(files(tmp_path / "whole")) == {"experiment.json", "rows.jsonl", "arrays.npz"}

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recipe.run(stop, tmp_path / "parts", workers=1)
    lines = (tmp_path / "parts" / "rows.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert {json.loads(line)["value"] for line in lines} < {1, 2, 3, 4, 5}
    seen: list[int] = []
    result = recipe.run(lambda done, total: seen.append(done), tmp_path / "parts", resume=True)
    assert seen == [2, 3, 4, 5]
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    equal(result, recipe.run())
    again = recipe.run(folder=tmp_path / "whole", resume=True)  # nothing left to do
    equal(result, again)
    with np.load(tmp_path / "whole" / "arrays.npz") as arrays:
        assert arrays["reached"].shape == (5, 6, 2)


def test_resuming_another_recipe_names_what_differs(tmp_path: Path) -> None:
    WeightedRiskExperiment(build("ael"), "a", (1, 2), draws=2, starts=1, steps=2).run(folder=tmp_path)
    other = WeightedRiskExperiment(build("ael"), "a", (1, 2), draws=3, starts=1, steps=2, seed=4)
    with pytest.raises(InputError, match=r"another recipe: draws 2 there, 3 here, seed 0 there, 4 here$"):
        other.run(folder=tmp_path, resume=True)
    same = WeightedRiskExperiment(build("ael"), "a", (1, 2), draws=2, starts=1, steps=2)
    with pytest.raises(InputError, match="holds results already"):
        same.run(folder=tmp_path)
    (tmp_path / "arrays.npz").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match="cannot be read"):
        same.run(folder=tmp_path, resume=True)
    (tmp_path / "experiment.json").write_text("[]")
    with pytest.raises(InputError, match="not the recipe"):
        same.run(folder=tmp_path, resume=True)


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--loss", "mse", "--draws", "40", "--starts", "4", "--steps", "200", "--json"]
    line = ["experiment", "weighted-risk", "--loss", "amse", "--sweep", "a=1:30:200", *options[2:], "--out"]
    code = "import sys; from asymtheory.cli import main; sys.exit(main(sys.argv[1:]))"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, *line, str(tmp_path / "cut")]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "cut" / "arrays.npz").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    if process.returncode == 0:
        pytest.skip("the run was over before the signal came")
    assert process.returncode == 130, errors
    assert "--resume goes on" in errors
    assert "Traceback" not in errors
    kept = (tmp_path / "cut" / "rows.jsonl").read_text().splitlines()
    assert 0 < len(kept) < 200
    assert main([*line, str(tmp_path / "cut"), "--resume"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["rows"]) == 200
    assert all(json.loads(row) in facts["rows"] for row in kept)


# --------------------------------------------------------------------------------------------- command line


def test_command_prints_a_table_and_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = "experiment weighted-risk --loss agce --set q=0.5 --sweep a=0.05:2:4 --draws 6 --starts 2 --steps 80"
    assert main(line.split()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "AGCE (q = 0.5), K = 10: 6 draws x 2 starts, seed 0" in out
    assert [row.split()[0] for row in out.splitlines()[4:8]] == ["0.05", "0.7", "1.35", "2"]
    assert main([*line.split(), "--json", "--out", str(tmp_path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["recipe"]["values"] == ["1/20", "7/10", "27/20", "2"]
    assert facts["recipe"]["optimiser"]["name"] == "adam"
    rows = [json.loads(row) for row in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert rows == facts["rows"]
    assert json.loads((tmp_path / "experiment.json").read_text())["recipe"] == facts["recipe"]


def test_sweeps() -> None:
    assert parse_sweep("a=0.05:2:40")[1][1] == Fraction(1, 10)
    assert parse_sweep("q=1:1:1") == ("q", (1,))
    name, values = parse_sweep("a=0.01:1:3:log")
    assert (name, values) == ("a", (Fraction(1, 100), Fraction(1, 10), 1))


BAD = [
    (
        "weighted-risks --loss mae",
        "'weighted-risks' is not an experiment (known: weighted-risk); did you mean 'weighted-risk'?",
    ),
    ("weighted-risks", "is not an experiment"),
    ("weighted-risk --loss agce --sweep a=0:1:0", "--sweep 'a=0:1:0': a sweep with no points; COUNT must be >= 1"),
    ("weighted-risk --loss agce --sweep a=1:0:3", "LOW < HIGH is needed"),
    ("weighted-risk --loss agce --sweep a=0:1", "NAME=LOW:HIGH:COUNT is needed"),
    ("weighted-risk --loss agce --sweep a=0:1:2.5", "COUNT must be a whole number"),
    ("weighted-risk --loss agce --sweep a=0:x:2", "--sweep a"),
    ("weighted-risk --loss agce --sweep a=0:1:3:log", "a geometric sweep needs LOW > 0"),
    ("weighted-risk --loss agce --sweep a=0:1:3:lin", "NAME=LOW:HIGH:COUNT is needed"),
    ("weighted-risk --loss agce --sweep a=-1:1:3", "a = -1 is outside its domain [0, inf)"),
    ("weighted-risk --loss agce --sweep b=0:1:3", "agce has no parameter 'b'"),
    ("weighted-risk --loss agce --set a=1 --sweep a=0:1:3", "--set a: leave it out"),
    ("weighted-risk --loss taylor-ce --sweep t=1:2:3", "whole numbers"),
    ("weighted-risk --loss mae --draws 0", "--draws 0: a whole number >= 1 is needed"),
    ("weighted-risk --loss mae --optimiser adm", "did you mean 'adam'?"),
    ("weighted-risk --loss mae --draw-from flat", "one of uniform, dirichlet is needed"),
    ("weighted-risk --loss mae --engine numy", "engine 'numy': one of numpy"),
    ("weighted-risk --loss mae --step-size 0", "rate 0.0: a finite number > 0 is needed"),
    ("weighted-risk --loss nnce --set p_min=0.2", "leaves no room for 10 classes"),
    ("weighted-risk --loss mae --draws 100000000", "at most 50000000 is allowed"),
    ("weighted-risk --loss mae --workers 0", "--workers 0"),
    ("weighted-risk --loss mae --resume", "--resume goes with --out"),
    ("weighted-risk --loss mae --out {file}/x", "cannot be used"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[b[0] for b in BAD])
def test_bad_input_gets_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "file").write_text("")
    assert main(["experiment", *line.replace("{file}", str(tmp_path / "file")).split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err


def test_engine_whose_extra_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [metadata.EntryPoint("torch", "no_such_package.engine", "asymtheory.engines")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: found)
    with pytest.raises(InputError, match=r"engine 'torch' needs an extra: pip install 'asymtheory\[training\]'"):
        WeightedRiskExperiment(build("mae"), engine="torch")


def test_threads_are_used_where_arrays_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    runner = experiments.Runner

    def counted(*arguments: Any) -> Runner:
        asked.append(arguments[-1])
        return runner(*arguments)

    monkeypatch.setattr(experiments, "Runner", counted)
    monkeypatch.setattr(experiments.os, "cpu_count", lambda: 3)
    recipe = WeightedRiskExperiment(build("mae"), draws=4, starts=2, steps=1)
    recipe.run()
    recipe.run(workers=2)
    monkeypatch.setattr(experiments, "THREADED", 4 * 2 * 10)
    recipe.run()
    assert asked == [1, 2, 3]
