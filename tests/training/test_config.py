"""Settings of a run: what resolves to what, the TOML file both ways, and every refusal with its line."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asymtheory_training.data.labels import make_labels
from asymtheory_training.data.sets import load_dataset
from asymtheory_training.run.config import CHECKS, ORDER, TABLES, Noise, Settings, TrainConfig, read_toml
from asymtheory_training.run.recipes import DEFAULTS, RECIPES, recipe, table
from asymtheory_training.run.schedule import Schedule
from asymtheory_training.sweep import shipped
from asymtheory_training.sweep.plan import read_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from asymtheory import cli
from asymtheory.errors import InputError
from asymtheory.losses.published import published_settings


def written(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


# ---------------------------------------------------------------------------------------------------------- the file

EXAMPLE = """
dataset = "cifar10"
loss = "jal-ce"
recipe = "jal-cifar10"

[parameters]
a = 30
"beta" = "3/5"

[noise]
kind = "symmetric"
eta = 0.4
"""


def test_the_file_of_the_design_reads(tmp_path: Path) -> None:
    config = TrainConfig.from_toml(written(tmp_path, EXAMPLE))
    assert (config.dataset, config.loss, config.recipe, config.model) == ("cifar10", "jal-ce", "jal-cifar10", "cnn8")
    assert config.parameters == {"a": 30, "beta": Fraction(3, 5), "alpha": 1, "q": 2}
    assert config.noise == Noise("symmetric", Fraction(2, 5), "exact", 0)
    assert (config.epochs, config.rate, config.clip, config.schedule) == (120, 0.01, 5.0, "cosine")
    assert (config.regularisation, config.strength) == ("l2", 1e-4)


PRINTABLE = st.characters(exclude_categories=("C", "Z"), include_characters=" ")  # control characters are refused
TEXT = st.text(PRINTABLE, min_size=1, max_size=12).filter(lambda t: t.strip() != "")
FRACTIONS = st.fractions(0, 50, max_denominator=997)


@settings(max_examples=60, deadline=None)
@given(
    parameters=st.dictionaries(st.sampled_from(["a", "q", "agce.a", "über x"]), FRACTIONS, max_size=3),
    eta=st.one_of(st.none(), st.fractions(0, 1, max_denominator=999)),
    clip=st.one_of(st.just(math.inf), st.floats(1e-300, 1e300)),
    rate=st.floats(1e-12, 10),
    data_dir=TEXT,
    nesterov=st.booleans(),
    threads=st.one_of(st.none(), st.integers(1, 64)),
)
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, eta: Any, **values: Any) -> None:
    config = TrainConfig(
        loss="agce", noise=Noise("symmetric", eta, "iid", 3), regularisation="l1", strength=5e-7, **values
    )
    folder = tmp_path_factory.mktemp("toml")
    back = TrainConfig.from_toml(written(folder, config.to_toml(folder)))
    same = os.path.abspath(os.path.expanduser(str(config.data_dir)))
    assert os.path.abspath(str(back.data_dir)) == same
    assert replace(back, data_dir=config.data_dir) == config
    facts = json.loads(json.dumps(config.to_dict(), allow_nan=False))
    assert TrainConfig.resolve(facts) == config


def test_every_setting_is_written_and_checked() -> None:
    config = TrainConfig(loss="ce")
    assert set(config.to_dict()) == set(ORDER) == set(TrainConfig.__dataclass_fields__)
    assert set(ORDER) - set(TABLES) == {name for name in CHECKS if "." not in name}
    labelled = TrainConfig(loss="ce", labels="noisy.npy", column="worse")
    assert "[noise]" not in labelled.to_toml()


REFUSED = [
    ("epoch = 3", ", line 1: 'epoch' is not a setting; did you mean 'epochs'?"),
    (
        "\n[noise]\netta = 0.4",
        ", line 3: 'etta' is not a setting of [noise] (kind, eta, mode, seed); did you mean 'eta'?",
    ),
    ("loss = 'ce'\n# epochs = 1\nepochs = 0", ", line 3: epochs 0: a whole number >= 1 is needed"),
    ("epochs = 2.5", ", line 1: epochs 2.5: a whole number >= 1 is needed"),
    ("epochs = '5'", ", line 1: epochs '5': a whole number >= 1 is needed"),
    ("epochs = true", ", line 1: epochs true: a whole number >= 1 is needed"),
    ("batch = 1", ", line 1: batch 1: a whole number >= 2 is needed"),
    ("rate = nan", ", line 1: rate NaN: a number > 0 is needed"),
    ("rate = inf", ", line 1: rate Infinity: a number > 0 is needed"),
    ("momentum = 1.0", ", line 1: momentum 1.0: a number >= 0 and < 1 is needed"),
    (
        "schedule = 'cosin'",
        "line 1: schedule 'cosin': cosine, constant, step:EPOCHS:FACTOR or drop:FACTOR:SHARE,... is needed",
    ),
    ("precision = 'float16'", "one of auto, float32, float64, bfloat16 is needed; did you mean 'bfloat16'?"),
    ("nesterov = 1", ", line 1: nesterov 1: true or false is needed"),
    ("download = 'yes'", ", line 1: download 'yes': true or false is needed"),
    ("dataset = 3", ", line 1: dataset 3: a text in quotes is needed"),
    ("model = ''", ", line 1: model '': a text in quotes is needed"),
    ('labels = "a\\u0000"', ", line 1: labels 'a\\x00': a text in quotes is needed"),
    ("[parameters]\na = 'x'", ", line 2: parameters.a 'x': 'x' is not a finite number"),
    ("[parameters]\na = [1]", ", line 2: parameters.a [1]: a number is needed"),
    ("[noise]\nkind = 'symmetric'\neta = 1.5", ", line 3: noise.eta 1.5: a noise rate in [0, 1] is needed"),
    ("seed = 1\n[noise]\nkind = 'none'\nseed = -1", ", line 4: noise.seed -1: a whole number >= 0 is needed"),
    ("[noise]\neta = 0.4", ", line 2: noise.eta 0.4: noise.kind must name a noise"),
    ("noise = 'symmetric'", ", line 1: noise is a table, written [noise]"),
    ("regularisation = 'l1'", ", line 1: regularisation 'l1': strength must be a number > 0 as well"),
    ("regularisation = 'none'\nstrength = 1", ', line 2: strength 1: regularisation is "none"'),
    ("regularisation = 'published'", ", line 1: regularisation 'published': a recipe is needed"),
    ("recipe = 'jal-mnist'", "recipe 'jal-mnist': not a recipe ("),
    ("loss = 'ce'\nformula = '1-u'", "line 1: loss 'ce': name a loss or a formula, one of the two (both are given)"),
    ("loss = 'ce'\npassive = 'u'", ", line 2: passive 'u': it goes with formula"),
    ("labels = 'x.npy'\n[noise]\nkind = 'pair'\neta = 0.4", "x.npy': noise pair 0.4 is given too"),
    ("column = 'worse'", ", line 1: column 'worse': it goes with labels"),
    ("nesterov = true\nmomentum = 0", ", line 1: nesterov true: momentum must be > 0"),
    ("epochs = ", "Invalid value (at end of document)"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refusals_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        TrainConfig.from_toml(path)
    said = str(caught.value)
    assert said.startswith(f"--config {path}")
    assert message in said
    assert "\n" not in said


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.toml: cannot be read \(No such file"):
        read_toml(tmp_path / "absent.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_toml(tmp_path / "bytes.toml")


def test_dotted_parameters_need_no_quotes(tmp_path: Path) -> None:
    text = "loss = 'nce+agce'\n[parameters]\nagce.a = 2\nagce.q = '1/3'\n"
    assert TrainConfig.from_toml(written(tmp_path, text)).parameters == {"agce.a": 2, "agce.q": Fraction(1, 3)}


# ------------------------------------------------------------------------------------------------------- paths in files


def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with noisy labels and a matrix in ``data``, and the current folder beside it."""
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    make_labels(load_dataset("digits").train_labels, "pair", K=10, eta=0.2).save(tmp_path / "project/data/noisy.npy")
    np.save(tmp_path / "project" / "data" / "matrix.npy", np.eye(10))
    return tmp_path / "project"


def test_paths_in_a_file_are_relative_to_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path, monkeypatch)
    text = "labels = 'data/noisy.npy'\ndata_dir = '../sets'\nilsvrc_dir = '/val'\n"
    found = TrainConfig.from_toml(written(folder, text))
    assert (found.labels, found.data_dir, found.ilsvrc_dir) == ("../project/data/noisy.npy", "../sets", "/val")
    assert TrainConfig.from_toml(written(tmp_path / "here", text)).labels == "data/noisy.npy"  # as it stands
    monkeypatch.setenv("HOME", "/home/me")
    assert TrainConfig.from_toml(written(folder, "labels = '~/a.npy'")).labels == "/home/me/a.npy"
    for kind, expected in (("data/matrix.npy", "../project/data/matrix.npy"), ("symmetric", "symmetric")):
        assert TrainConfig.from_toml(written(folder, f"[noise]\nkind = '{kind}'")).noise.kind == expected
    os.symlink(folder / "data", tmp_path / "here" / "link")  # .. of a link is above the folder it leads to
    assert TrainConfig.from_toml(written(folder / "data", "labels = '../x.npy'")).labels == "../project/x.npy"
    assert TrainConfig.from_toml(tmp_path / "here" / "link" / "run.toml").labels == "../project/x.npy"


def test_a_dry_run_refuses_what_the_run_would(capsys: Any) -> None:
    assert cli.main(["train", "--dataset", "x", "--dry-run"]) == 2
    assert "dataset 'x': unknown (digits, " in capsys.readouterr().err
    assert cli.main(["train", "--device", "abacus", "--dry-run"]) == 2
    assert "--device abacus: cannot be used: not a device" in capsys.readouterr().err
    assert cli.main(["train", "--device", "cuda:7", "--dry-run"]) == 0  # another machine may have it


def test_written_paths_are_relative_to_the_written_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = project(tmp_path, monkeypatch)
    given = ["--labels", "../project/data/noisy.npy", "--data-dir", "../sets", "--write-config"]
    assert cli.main(["train", *given, str(folder / "run.toml"), "--dry-run"]) == 0
    assert (
        'labels = "../project/data/noisy.npy"' in capsys.readouterr().out
    )  # printed: for a file in the current folder
    assert 'labels = "data/noisy.npy"' in (folder / "run.toml").read_text()
    assert 'data_dir = "../sets"' in (folder / "run.toml").read_text()
    matrix = TrainConfig(loss="ce", noise=Noise("../project/data/matrix.npy"))
    assert 'kind = "data/matrix.npy"' in matrix.to_toml(folder)
    assert cli.main(["train", "--config", str(folder / "run.toml"), "--dry-run"]) == 0
    assert 'labels = "../project/data/noisy.npy"' in capsys.readouterr().out
    np.save("clean.npy", load_dataset("digits").train_labels.numpy())
    chosen = ["select", "--labels", "../project/data/noisy.npy", "--clean", "clean.npy", "--dataset", "digits"]
    assert cli.main([*chosen, "--write-config", str(folder / "chosen.toml")]) == 0
    assert TrainConfig.from_toml(folder / "chosen.toml").labels == "../project/data/noisy.npy"


def test_a_run_is_resumed_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    folder = project(tmp_path, monkeypatch)
    (folder / "run.toml").write_text("labels = 'data/noisy.npy'\nepochs = 2\nsubset = 40\n")
    assert cli.main(["train", "--config", str(folder / "run.toml"), "--out", "runs/a", "--device", "cpu"]) == 0
    assert 'labels = "../../../project/data/noisy.npy"' in Path("runs/a/config.toml").read_text()
    monkeypatch.chdir(folder)
    capsys.readouterr()
    assert cli.main(["train", "--resume", "--out", "../here/runs/a"]) == 0, capsys.readouterr().err


def test_paths_in_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path, monkeypatch)
    path = folder / "plan.toml"
    path.write_text("[[runs]]\nlabels = 'data/noisy.npy'\n[[runs]]\nnoise = { kind = 'data/matrix.npy' }\n")
    labels, matrix = (point.config for point in read_plan(path).points)
    assert (labels.labels, matrix.noise.kind) == ("../project/data/noisy.npy", "../project/data/matrix.npy")
    (only,) = read_plan(path, {}, {"labels": "../project/data/noisy.npy"}).points
    assert only.config == labels
    np.save("here.npy", np.zeros(1442, int))  # what the command line names lies in the current folder
    assert {point.config.labels for point in read_plan(path, {"labels": "here.npy"}).points} == {"here.npy"}
    for name in ("CIFAR-10_human.pt", "CIFAR-100_human.pt"):  # and so does what a plan of the package names
        Path(name).write_bytes(b"only its digest is taken")
    found = {point.config.labels for point in read_plan(shipped.find("jal-table5")).points}
    assert found == {"CIFAR-10_human.pt", "CIFAR-100_human.pt"}


# -------------------------------------------------------------------------------------------------------- resolution


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_a_data_set_has_settings_of_its_own(name: str) -> None:
    config = TrainConfig.resolve({"dataset": name, **({"data": "x.npz"} if name == "features" else {})})
    assert {key: getattr(config, key) for key in DEFAULTS[name]} == dict(DEFAULTS[name])
    assert (config.loss, config.recipe, config.noise.kind) == ("ce", None, "none")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_resolves_with_every_loss_its_papers_print(name: str) -> None:
    chosen = RECIPES[name]
    assert TrainConfig.resolve({"recipe": name}).dataset == chosen.dataset
    for setting in published_settings(dataset=chosen.dataset) if chosen.papers else ():
        if setting.source.split()[0] not in chosen.papers:
            continue
        config = TrainConfig.resolve({"recipe": name, "loss": setting.loss})
        assert config.core_loss() == config.core_loss().replace(**config.parameters)
        assert (config.regularisation, config.strength) == ("l2", chosen.values["strength"])
    assert name in table()
    assert json.loads(json.dumps(chosen.to_dict()))["name"] == name


PUBLISHED = [
    ("jal-cifar10", "jal-ce", ("l1", 5e-5)),
    ("jal-cifar10", "amse", ("l1", 5e-5)),
    ("jal-cifar10", "anl-fl", ("l1", 5e-5)),
    ("jal-cifar10", "nce+agce", ("l2", 1e-4)),
    ("jal-cifar100", "jal-fl", ("l1", 5e-6)),
    ("jal-cifar100", "anl-ce", ("l1", 5e-7)),
    ("jal-cifar100", "ce", ("l2", 1e-5)),
    ("anl-mnist", "anl-ce", ("l1", 1e-6)),
    ("anl-mnist", "mae", ("l2", 1e-3)),
    ("anl-cifar100", "anl-fl", ("l1", 5e-7)),
    ("alf-cifar10", "jal-ce", ("l2", 1e-4)),
]


@pytest.mark.parametrize(("name", "loss", "penalty"), PUBLISHED)
def test_the_published_penalty_depends_on_the_loss(name: str, loss: str, penalty: tuple[str, float]) -> None:
    config = TrainConfig.resolve({"recipe": name, "loss": loss, "regularisation": "published"})
    assert (config.regularisation, config.strength) == penalty


def test_anl_penalties_are_those_of_its_table() -> None:
    for name in ("mnist", "cifar10", "cifar100"):
        (printed,) = (s for s in published_settings("anl-ce", name) if s.source == "ANL Table 4")
        config = TrainConfig.resolve({"recipe": f"anl-{name}", "regularisation": "published"})
        assert config.strength == float(printed.regularisation["L1"])
        assert {k: v for k, v in config.parameters.items() if k in printed.parameters} == printed.parameters


def test_terms_that_a_paper_switches_off_are_left_out() -> None:
    config = TrainConfig.resolve({"recipe": "alf-mnist"})  # NCE+AGCE with alpha = 0
    assert config.loss == "agce"
    assert config.parameters == {"a": 4, "q": Fraction(1, 5)}


def test_what_is_given_goes_before_the_recipe() -> None:
    given = {"recipe": "jal-cifar10", "epochs": 3, "dataset": "digits", "model": "mlp", "parameters": {"a": 5}}
    config = TrainConfig.resolve({**given, "regularisation": "none"})
    assert (config.epochs, config.dataset, config.model, config.strength) == (3, "digits", "mlp", 0.0)
    assert config.parameters["a"] == 5
    assert config.parameters["alpha"] == 1
    with pytest.raises(InputError, match="strength must be a number > 0"):
        TrainConfig.resolve({"recipe": "jal-cifar10", "regularisation": "l1"})


def test_the_key_is_of_what_the_run_is_and_not_of_where(tmp_path: Path) -> None:
    base = TrainConfig(loss="ce")
    for same in ({"device": "cpu"}, {"data_dir": "elsewhere"}, {"download": True}, {"threads": 2}):
        assert TrainConfig(loss="ce", **same).key() == base.key()  # type: ignore[arg-type]
    for other in (
        {"seed": 1},
        {"noise": Noise("pair", Fraction(1, 5))},
        {"parameters": {"q": 1}},
        {"precision": "float64"},
    ):
        assert TrainConfig(loss="ce", **other).key() != base.key()  # type: ignore[arg-type]


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(InputError, match="did you mean 'jal-cifar10'"):
        recipe("jal-cifar-10")


# ---------------------------------------------------------------------------------------------------------- schedules


def torch_rates(epochs: int, make: Any) -> list[float]:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    scheduler = make(optimiser)
    rates = []
    for _ in range(epochs):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("text", "make"),
    [
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20)),
        ("constant", lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: 1.0)),
        ("step:1:0.97", lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.97)),
        ("step:5:0.1", lambda o: torch.optim.lr_scheduler.StepLR(o, 5, 0.1)),
        ("drop:0.2:0.5,0.75", lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [10, 15], 0.2)),
    ],
)
def test_schedules_are_torchs(text: str, make: Any) -> None:
    ours = Settings(epochs=20, rate=0.4, schedule=text)
    assert [ours.rate_in(epoch) for epoch in range(20)] == pytest.approx(torch_rates(20, make), abs=1e-12)
    assert Schedule.parse(text).text == text


@pytest.mark.parametrize("text", ["", "cosine:1", "step:0:0.5", "step:1", "step:1:0", "drop:0.5:2", "drop:x:0.5", 3])
def test_no_schedule(text: Any) -> None:
    with pytest.raises(InputError, match="is needed"):
        Schedule.parse(text)
