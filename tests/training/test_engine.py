"""The torch engine of the weighted-risk experiment: the gradient, the steps and the outcomes of the numpy engine.

Seen failing: without the floor of NNCE, without the clip, with another beta, and with the cut of the batch one row off.
"""

from __future__ import annotations

from fractions import Fraction
from importlib import metadata
from typing import Any

import numpy as np
import pytest

from asymtheory.cli import main
from asymtheory.errors import InputError
from asymtheory.experiments import descent
from asymtheory.experiments.descent import Descent, Objective
from asymtheory.experiments.weighted_risk import WeightedRiskExperiment
from asymtheory.losses import build, names
from asymtheory.losses.formula import from_formula

torch = pytest.importorskip("torch", reason="the torch engine needs asymtheory[training]")
engine: Any = pytest.importorskip("asymtheory_training.weighted_risk")

SETTINGS: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in names()] + [
    ("agce", {"q": "0.5"}), ("aul", {"p": 2}), ("amse", {"q": "1.5"}), ("logitclip-ce", {"tau": "0.7"}), ("taylor-ce", {"t": 5}),
]  # fmt: skip
IDS = [f"{name} {settings}" if settings else name for name, settings in SETTINGS]


def make(name: str, settings: dict[str, Any]) -> Any:
    return build(name, **{p: Fraction(v) for p, v in settings.items()})


def sample(K: int, count: int) -> tuple[Any, Any]:
    random = np.random.default_rng(5)
    return 1 - random.random((K, count)), 1.5 * random.standard_normal((K, count))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point, also where the package was installed before it had one."""
    found = [metadata.EntryPoint("torch", "asymtheory_training.weighted_risk", "asymtheory.engines")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: found if group == "asymtheory.engines" else [])


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=IDS)
def test_autograd_gives_the_gradient_written_by_hand(name: str, settings: dict[str, Any]) -> None:
    loss, (w, z) = make(name, settings), sample(4, 6)
    with np.errstate(all="ignore"):
        u, g, slope = Objective(loss, 4).gradient(z, w, w.sum(0))
    found = engine.Risk(loss, 4).gradient(torch.tensor(z.T), torch.tensor(w.T))
    scale = np.abs(slope).max()
    np.testing.assert_allclose(found[0].numpy().T, u, rtol=1e-12)
    np.testing.assert_allclose(found[2].numpy().T, slope, rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(
        np.diff(found[1].numpy().T, axis=0), np.diff(g, axis=0), rtol=1e-8, atol=1e-9 * np.abs(g).max()
    )


@pytest.mark.parametrize("optimiser", ["adam", "gd"])
def test_the_steps_are_those_of_numpy(optimiser: str) -> None:
    w, z = sample(5, 40)
    how = Descent(optimiser, 0.5, 150)
    for loss in (build("agce", a=9, q=Fraction(1, 2)), from_formula("exp(-u/a)", a=2), build("anl-ce")):
        one, two = (module.descend(loss, w, z, how, lambda: False) for module in (descent, engine))
        np.testing.assert_allclose(one[0], two[0], atol=1e-7)
        np.testing.assert_allclose(one[1], two[1], rtol=1e-4, atol=1e-9)
        assert (one[2] == two[2]).mean() > 0.95
        assert (one[3] == two[3]).mean() > 0.95
        if loss.name == "agce" and optimiser == "adam":
            assert len(np.unique(two[2])) > 2  # the batch was cut on the way


@pytest.mark.usefixtures("installed")
def test_experiment_by_name_gives_the_same_outcomes(tmp_path: Any) -> None:
    recipe = {"draws": 12, "starts": 3, "K": 5}
    results = [
        WeightedRiskExperiment(build("agce", q=Fraction(1, 2)), "a", (Fraction(1, 10), 8), engine=name, **recipe)
        for name in ("numpy", "torch")
    ]
    a, b = (experiment.run(folder=tmp_path / experiment.engine) for experiment in results)
    assert (a.outcome == b.outcome).mean() > 0.98
    np.testing.assert_allclose(a.reached, b.reached, atol=1e-6)
    assert '"engine": "torch"' in (tmp_path / "torch" / "experiment.json").read_text()
    assert f'"torch": "{torch.__version__}"' in (tmp_path / "torch" / "experiment.json").read_text()
    with pytest.raises(InputError, match="engine numpy there, torch here"):
        results[1].run(folder=tmp_path / "numpy", resume=True)


@pytest.mark.usefixtures("installed")
def test_engines_by_name_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = "experiment weighted-risk --loss mae --draws 2 --starts 1 --steps 1 --engine".split()
    assert main([*line, "torch"]) == 0
    assert "engine torch" in capsys.readouterr().out
    assert main([*line, "troch"]) == 2
    assert capsys.readouterr().err == (
        "asymtheory experiment: engine 'troch': one of numpy, torch is needed; did you mean 'torch'?\n"
    )


def test_interrupted_between_steps() -> None:
    w, z = sample(3, 2)
    assert engine.descend(build("ce"), w, z, Descent("gd", 0.1, 50), lambda: True) is None
