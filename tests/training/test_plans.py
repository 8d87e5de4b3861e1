"""The plans of the papers' figures and tables, and settings from outside that take them to other data."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from asymtheory_training.commands.sweep import sweep as command
from asymtheory_training.losses.registry import BASELINES
from asymtheory_training.run.config import TrainConfig
from asymtheory_training.run.recipes import Recipe
from asymtheory_training.sweep.grammar import parse_settings
from asymtheory_training.sweep.plan import Plan, read_plan, size
from asymtheory_training.sweep.shipped import find, shipped

from asymtheory import build
from asymtheory.errors import InputError

RUNS = {
    "alf-fig3": 5 * 6 * 3, "alf-fig5": 2 * 5, "alf-table1": (10 + 13 + 10) * 5 * 3, "alf-table2": (10 + 13 + 10) * 4 * 3,
    "anl-fig2": 10 * 3, "anl-fig3": (3 * 7 + 1) * 3, "anl-fig4": 2 * 3, "anl-fig5": 25 * 3, "anl-fig6": (3 * 7 + 1) * 3,
    "anl-fig7": 10 * 3, "anl-table2": 27 * 7 * 3, "apl-fig1": 8 * 3, "apl-fig2": 8 * 3, "apl-fig3": 20 * 3, "apl-fig4": 12 * 3,
    "apl-fig5": 24 * 3, "apl-table2": 27 * 5 * 3, "apl-table3": 27 * 4 * 3, "jal-fig1": 4, "jal-fig2": 5 * 2 * 3,
    "jal-fig3": 2 * 3, "jal-fig4": 21 * 3, "jal-table3": (26 * 9 + 2 * 7) * 3, "jal-table4": 20 * 3 * 3, "jal-table5": 10 * 4 * 3,
}  # fmt: skip
EXPLICIT = {"alpha", "beta", "a", "p", "q", "gamma", "A", "tau"}


def planned(folder: Path, text: str, settings: str = "", only: str = "") -> Plan:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return read_plan(path, parse_settings(settings.split()), parse_settings(only.split(), "--only"))


def values(plan: Plan, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(point.settings.get(name) for name in names) for point in plan.points]


def paper(name: str, settings: str = "", only: str = "") -> list[TrainConfig]:
    plan = read_plan(find(name), parse_settings(settings.split()), parse_settings(only.split(), "--only"))
    return [point.config for point in plan.points]


# ------------------------------------------------------------------------------------------------ the papers' plans


def test_the_plans_of_the_papers_are_in_the_package() -> None:
    assert {plan.name: size(plan.path) for plan in shipped()} == RUNS
    for plan in shipped():
        paper, kind, number = plan.name[:3].upper(), plan.name[4:7], plan.name[-1]
        assert plan.title.startswith(f"{paper} {'Fig.' if kind == 'fig' else 'Table'} {number}: ")
    assert files("asymtheory_training").joinpath("sweep/plans/apl-fig1.toml").is_file()


@pytest.mark.parametrize("name", RUNS)
def test_every_plan_expands_at_full_size_with_its_own_parameters(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for data in ("CIFAR-10", "CIFAR-100"):  # of jal-table5, whose names and bytes alone are looked at here
        (tmp_path / f"{data}_human.pt").write_bytes(b"labels")
    monkeypatch.setattr(Recipe, "setting", lambda self, loss: None)  # nothing comes from the papers' tables unsaid
    plan = read_plan(find(name))
    assert (len(plan.points), plan.repeated) == (RUNS[name], 0)
    for config in (point.config for point in plan.points):
        assert (config.dataset, config.model, config.epochs) in (
            ("mnist", "cnn4", 50),
            ("cifar10", "cnn8", 120),
            ("cifar100", "resnet34", 200),
        )
        assert (config.subset is None) == (name != "apl-fig5")
        if config.loss == "lt-apl":
            assert set(config.parameters) == set(BASELINES["lt-apl"].defaults)
        if config.loss in BASELINES:
            continue
        core = config.core_loss()
        own = {parameter for parameter in core.parameters if "." not in parameter} & EXPLICIT
        if "amse" in {atom.name for _, atom in core.terms()} and core.name != "amse":
            own.discard("q")  # JAL is AMSE with q = 2
        assert own <= set(config.parameters), core


def test_what_single_plans_mean() -> None:
    (scaled,) = [c for c in paper("apl-fig3") if (c.loss, c.parameters["alpha"], c.seed) == ("nce", 20, 0)]
    assert scaled.core_loss() == 20 * build("nce")
    penalties = {c.loss: (c.regularisation, c.strength) for c in paper("jal-table3", only="dataset=cifar10")}
    assert penalties["jal-ce"] == penalties["anl-fl"] == ("l1", 5e-5)
    assert penalties["nce+agce"] == penalties["ce"] == ("l2", 1e-4)
    below = [c for c in paper("alf-fig3") if c.loss == "agce" and c.parameters["q"] == Fraction(1, 2) and c.seed == 0]
    assert [c.parameters["a"] < Fraction(16, 65) for c in below] == [True, False, False, False, False, False]
    assert {c.noise.seed - c.seed for c in paper("apl-table2")} == {0}
    assert {c.noise.seed for c in paper("alf-table1")} == {0}
    assert {(c.regularisation, c.strength) for c in paper("anl-fig3") if c.strength < 5e-7} == {
        ("none", 0),
        ("l1", 1e-7),
        ("l2", 1e-7),
        ("jacobian", 1e-7),
    }


# ------------------------------------------------------------------------------------- values that belong together


def test_losses_with_parameters_and_noises_with_rates_are_values_of_a_grid(tmp_path: Path) -> None:
    plan = planned(
        tmp_path,
        """
[defaults]
noise = [{ kind = "none" }, { kind = "symmetric", eta = [0.2, 0.4] }]
[[runs]]
loss = ["ce", "nce+rce:alpha=2, A=-9.5", "anl-ce:p_min=1e-5"]
""",
    )
    assert len(plan.points) == 9
    assert {point.config.loss: dict(point.config.parameters) for point in plan.points} == {
        "ce": {},
        "nce+rce": {"alpha": 2, "A": Fraction(-19, 2)},
        "anl-ce": {"p_min": Fraction(1, 10**5)},
    }
    assert set(values(plan, "noise.kind", "noise.eta")) == {("none", None), ("symmetric", 0.2), ("symmetric", 0.4)}


def test_a_list_of_noises_goes_before_kind_and_rate_and_leaves_the_rest(tmp_path: Path) -> None:
    defaults = '[defaults]\nloss = "ce"\n[defaults.noise]\nkind = "pair"\neta = 0.1\nmode = "iid"\nseed = 3\n'
    plan = planned(
        tmp_path, f'{defaults}[[runs]]\nnoise = [{{ kind = "none" }}, {{ kind = "symmetric", eta = 0.2 }}]\n'
    )
    names = ("noise.kind", "noise.eta", "noise.mode", "noise.seed")
    assert values(plan, *names) == [("none", None, "iid", 3), ("symmetric", 0.2, "iid", 3)]
    lists = '[defaults]\nloss = "ce"\nnoise = [{ kind = "none" }, { kind = "symmetric", eta = 0.2 }]\n'
    plan = planned(tmp_path, f'{lists}[[runs]]\nnoise = {{ kind = "pair", eta = 0.3 }}\n')
    assert values(plan, "noise.kind", "noise.eta") == [("pair", 0.3)]
    plan = planned(tmp_path, f"{lists}[[runs]]\nnoise = {{ seed = 7 }}\n")
    assert values(plan, "noise.kind", "noise.seed") == [("none", 7), ("symmetric", 7)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('loss = "gce:q"', "line 2: loss 'gce:q': NAME:PARAMETER=VALUE,... is needed"),
        ('loss = "gce:q=0.5,q=0.6"', "each parameter once"),
        ('loss = "gce:q=x"', "line 2: parameters.q 'x'"),
        ('loss = "gce:q=2"', "line 1: gce: q = 2 is outside its domain"),
        ('loss = "gce:r=1"', "gce has no parameter 'r'"),
        ("loss = [[]]", "line 2: loss []: a text in quotes is needed"),
        ("noise = []", "noise = []: an empty list makes no runs"),
        ("noise = [{ eta = 0.2 }]", "noise: a list of tables is needed"),
        ('noise = [{ kind = "symmetric", rate = 0.2 }]', "'rate' is not a setting of noise"),
        ('noise = [{ kind = "symmetric", eta = 1.2 }]', "noise.eta 1.2"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, line: str, said: str) -> None:
    loss = "" if "loss" in line else 'loss = "ce"\n'
    with pytest.raises(InputError) as caught:
        planned(tmp_path, f"[[runs]]\n{line}\n{loss}")
    assert said in str(caught.value)
    assert "line " in str(caught.value)


# --------------------------------------------------------------------------------------------- settings from outside


def test_a_plan_of_a_paper_runs_on_small_data() -> None:
    plan = paper("apl-fig2", "dataset=digits model=mlp epochs=40 seeds=1 noise.eta=[0.2,0.6]")
    assert {(c.dataset, c.model, c.epochs, c.seed, c.recipe, c.rate) for c in plan} == {
        ("digits", "mlp", 40, 0, None, 0.02)
    }
    assert [(c.loss, c.noise.eta) for c in plan][:4] == [
        ("ce", Fraction(1, 5)),
        ("ce", Fraction(3, 5)),
        ("nce", Fraction(1, 5)),
        ("nce", Fraction(3, 5)),
    ]
    assert {(c.recipe, c.dataset) for c in paper("apl-fig2", "recipe=digits")} == {("digits", "digits")}
    assert {c.subset for c in paper("apl-fig5", "dataset=digits")} == {None}  # 40,000 images are of another set
    assert {c.subset for c in paper("apl-fig5", "dataset=digits subset=500")} == {500}
    assert {c.recipe for c in paper("apl-fig2", "dataset=cifar10 epochs=3")} == {"apl-cifar10"}


def test_a_run_that_moves_keeps_the_papers_loss_and_penalty(tmp_path: Path) -> None:
    text = '[[runs]]\nrecipe = "anl-cifar100"\nregularisation = "published"\nloss = ["anl-ce", "ce"]\n'
    moved = planned(tmp_path, text, "dataset=digits")
    assert [(p.config.loss, p.config.regularisation, p.config.strength) for p in moved.points] == [
        ("anl-ce", "l1", 5e-7),
        ("ce", "l2", 1e-5),
    ]
    assert moved.points[0].config.parameters == {"alpha": 10, "beta": 1, "p_min": Fraction(1, 10**7)}
    only_recipe = planned(tmp_path, '[[runs]]\nrecipe = "jal-cifar10"\n', "dataset=digits")
    assert (only_recipe.points[0].config.loss, only_recipe.points[0].config.parameters["a"]) == ("jal-ce", 30)
    threshold = (
        '[[runs]]\nrecipe = "jal-cifar10"\nloss = "amse"\nnoise = { kind = "symmetric", eta = 0.8 }\n'
        "parameters = { a = { times_threshold = 2 } }\n"
    )
    assert planned(tmp_path, threshold, "dataset=digits").points[0].config.parameters["a"] == 18


def test_settings_from_outside_go_before_the_entries(tmp_path: Path) -> None:
    text = """
[defaults]
epochs = 3
noise = [{ kind = "none" }, { kind = "symmetric", eta = [0.2, 0.4] }]
seeds = 2
[[runs]]
loss = "gce:q=0.5"
epochs = [4, 5]
[[runs]]
formula = "1-u**a"
parameters = { a = 2 }
"""
    assert len(planned(tmp_path, text).points) == 18
    plan = planned(tmp_path, text, "epochs=9 noise.eta=0.3 noise.mode=iid seed=7")
    assert set(values(plan, "epochs", "seed")) == {(9, 7)}
    assert set(values(plan, "noise.kind", "noise.eta", "noise.mode")) == {  # clean runs stay clean
        ("none", None, "iid"),
        ("symmetric", 0.3, "iid"),
    }
    other = planned(tmp_path, text, "loss=amse:a=3 seeds=1")
    assert {p.config.formula for p in other.points} == {None}
    assert {str(p.config.core_loss()) for p in other.points} == {str(build("amse", a=3))}
    swept = planned(tmp_path, text, "loss=[ce,gce] seeds=1 epochs=1 noise.kind=pair")
    assert set(values(swept, "loss", "noise.kind")) == {(n, k) for n in ("ce", "gce") for k in ("none", "pair")}


def test_only_some_of_the_runs() -> None:
    small = paper("alf-table2", "dataset=digits noise.eta=0.4 seeds=1", "recipe=alf-cifar10 loss=[ce,agce]")
    assert [(c.loss, c.noise.kind) for c in small] == [("ce", "cifar10"), ("agce", "cifar10")]
    by_data = paper("jal-table3", only="dataset=cifar10 noise.kind=symmetric noise.eta=[0.2,0.8] seed=1")
    assert len(by_data) == 14 * 2
    assert {c.seed for c in by_data} == {1}
    student = paper("jal-table3", only="loss=lt-apl noise.kind=symmetric seed=0")
    settings = [(c.dataset, c.noise.eta, c.parameters["margin"], c.parameters["centre"]) for c in student]
    assert [tuple(map(str, each)) for each in settings] == [  # docs/baselines.md
        *(("cifar10", rate, "1/10", "1/20") for rate in ("1/5", "2/5", "3/5")),
        ("cifar10", "4/5", "1/100", "1/1000"),
        *(("cifar100", rate, "1/20", "1/20") for rate in ("1/5", "2/5")),
        *(("cifar100", rate, "1/100", "1/1000") for rate in ("3/5", "4/5")),
    ]
    with pytest.raises(
        InputError, match=r"--only: none of the runs of plan .*apl-fig1.toml has dataset = mnist or cifar10"
    ):
        paper("apl-fig1", only="dataset=[mnist,cifar10]")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("epocs=3", "--set 'epocs' is not a setting; did you mean 'epochs'?"),
        ("epochs=0", "--set epochs 0: a whole number >= 1 is needed"),
        ("epochs", "--set 'epochs': KEY=VALUE is needed"),
        ("epochs=", "--set 'epochs=': KEY=VALUE is needed"),
        ("epochs=1 epochs=2", "--set epochs: given twice"),
        ("noise=3", "--set noise is a table, written noise.KEY=VALUE"),
        ("noise.kin=pair", "--set 'kin' is not a setting of noise"),
        ("noise.eta=2", "--set noise.eta 2: a noise rate in [0, 1] is needed"),
        ("dataset.x=1", "--set dataset {'x': 1}: a text in quotes is needed"),
        ("epochs=1 epochs.x=1", "--set epochs.x: epochs is given a value already"),
        ("loss=amze", "'amze' is not a known loss; did you mean 'amse'?"),
        ("seed=1 seeds=2", "--set seed is given too"),
        ("parameters.a=3", "ce has no parameter 'a'"),
    ],
)
def test_settings_that_cannot_be_meant(given: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        paper("apl-fig2", given)
    assert said in str(caught.value)


# -------------------------------------------------------------------------------------------------------- the command


def test_a_plan_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("apl-fig2").mkdir()  # the folder of its results is not a plan
    assert find("apl-fig2") == find("APL-fig2.toml") == shipped()[sorted(RUNS).index("apl-fig2")].path
    Path("apl-fig2.toml").write_text("")
    assert find("apl-fig2.toml") == Path("apl-fig2.toml")
    said = r"plan apl-fg2: neither a file nor a plan of that name exists.*did you mean 'apl-fig[1-5]'\?"
    with pytest.raises(InputError, match=said):
        find("apl-fg2")


@pytest.mark.slow
def test_the_command_lists_plans_and_takes_one_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["--list"]) == 0
    assert "apl-fig2      24 runs  APL Fig. 2: test accuracy" in capsys.readouterr().out
    assert command(["--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {"name": "alf-fig3", "runs": 90, "title": shipped()[0].title}
    words = "apl-fig2 --only loss=[ce,mae] --set dataset=digits subset=60 width=0.05 epochs=1 seeds=1 --jobs 1 --json"
    assert command([*words.split()]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 2
    assert len(Path("apl-fig2/results.jsonl").read_text().splitlines()) == 2
    with pytest.raises(InputError, match="a plan is needed: a file, or a name of asymtheory sweep --list"):
        command([])
