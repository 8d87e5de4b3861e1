"""Studies of thresholds from a file: which designs it means, how much work they are, and that it goes on where it was stopped."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from asymtheory_training.commands.confirm import confirm as command
from asymtheory_training.confirm import study as confirming
from asymtheory_training.confirm.design import LOSSES, losses
from asymtheory_training.confirm.plan import Study, loads, read_studies
from asymtheory_training.sweep.grammar import parse_settings
from asymtheory_training.sweep.shipped import DESIGNS, find, shipped

from asymtheory import build
from asymtheory.errors import InputError

TINY = '[defaults]\ndataset = "digits"\nsubset = 100\nwidth = 0.05\nepochs = 2\nseeds = 2\nvalues = 3\n'
TWO = f'{TINY}loss = ["amse", "ce"]\n[[designs]]\nregime = ["population", "fixed"]\nnoise = {{ kind = "pair", eta = 0.2 }}\n'


def studied(folder: Path, text: str, settings: str = "", only: str = "") -> list[Study]:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return read_studies(path, parse_settings(settings.split()), parse_settings(only.split(), "--only"))


def rows_of(folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "rows.jsonl").read_text().splitlines()]


def test_the_whole_grid_is_a_plan_of_the_package() -> None:
    assert [plan.name for plan in shipped(DESIGNS)] == ["confirm-cifar-cpu", "confirm-features", "confirm-grid"]
    studies = read_studies(find("confirm-grid", DESIGNS))
    assert [(s.design.regime, str(s.design.config.noise)) for s in studies] == [
        (regime, noise)
        for regime in ("population", "fixed")
        for noise in ("symmetric 0.4", "symmetric 0.6", "symmetric 0.8", "pair 0.4", "cifar10n-worse")
    ]
    assert len({study.name for study in studies}) == 10
    for study in studies:
        config = study.design.config
        assert (config.dataset, config.model, config.width, config.subset, config.epochs) == (
            "cifar10",
            "cnn8",
            1,
            None,
            120,
        )
        assert (study.design.seeds, study.design.count, study.design.equalise) == ((0, 1, 2), 9, True)
        assert config.regularisation == ("none" if study.design.regime == "population" else "l2")
        assert list(study.losses) == losses(LOSSES)
    (grid,) = [
        group.grid for group in studies[2].groups() if group.grid.loss == build("amse") and group.values == (4,)
    ][:1]
    assert (grid.threshold, grid.values[4]) == (9, 9)


def test_its_work_is_counted_without_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYMTHEORY_DATA", str(tmp_path))
    found = loads(read_studies(find("confirm-grid", DESIGNS)), tmp_path, 1)
    assert [load.models for load in found] == 2 * [246, 252, 264, 270, 258]
    assert {(load.seconds, load.done) for load in found} == {(None, 0)}
    assert str(tmp_path) in found[0].unknown


def test_designs_are_grids_and_losses_and_seeds_are_not(tmp_path: Path) -> None:
    text = f"""{TINY}
[[designs]]
loss = ["amse:q=3", "all"]
noise = [{{ kind = "symmetric", eta = [0.2, 0.4] }}, {{ kind = "pair", eta = 0.1 }}]
[[designs]]
regime = "fixed"
equalise = false
"""
    studies = studied(tmp_path, text)
    assert [(s.design.regime, str(s.design.config.noise), s.design.equalise) for s in studies] == [
        ("population", "symmetric 0.2", True),
        ("population", "symmetric 0.4", True),
        ("population", "pair 0.1", True),
        ("fixed", "symmetric 0.4", False),
    ]
    assert [len(s.losses) for s in studies] == [12, 12, 12, 1]  # one of all is named twice
    assert {s.design.seeds for s in studies} == {(0, 1)}
    changed = studied(
        tmp_path, text, "loss=agce:q=0.5 seeds=1 epochs=[1,3] noise.eta=0.3", "regime=population noise.kind=pair"
    )
    assert [(s.design.config.epochs, str(s.design.config.noise), s.design.seeds) for s in changed] == [
        (1, "pair 0.3", (0,)),
        (3, "pair 0.3", (0,)),
    ]
    assert changed[0].losses == (build("agce", q=Fraction(1, 2)),)
    assert {s.design.seeds for s in studied(tmp_path, text, "seed=[4,7]")} == {(4, 7)}
    only = studied(tmp_path, text, only="loss=[mae,amse:q=3] noise.eta=0.4")
    assert [[str(loss) for loss in s.losses] for s in only] == [[str(build("amse", q=3))]]


def test_a_design_that_two_entries_mean_is_there_once(tmp_path: Path) -> None:
    entry = '[[designs]]\nnoise = { kind = "pair", eta = 0.2 }\n'
    names = [study.name for study in studied(tmp_path, f"{TINY}{entry}{entry}{entry.replace('0.2', '0.3')}")]
    assert len(names) == len(set(names)) == 2


def test_a_name_depends_on_all_but_losses_and_seeds(tmp_path: Path) -> None:
    first, second = studied(tmp_path, TWO)
    assert first.name.startswith("digits-population-pair-0.2-")
    assert second.name.startswith("digits-fixed-pair-0.2-")
    assert [s.name for s in studied(tmp_path, TWO, "loss=mae seeds=5")] == [first.name, second.name]
    assert first.name not in {s.name for s in studied(tmp_path, TWO, "epochs=3")}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'regime = "populaton"',
            "line 9: regime 'populaton': one of population, fixed is needed; did you mean 'population'?",
        ),
        ("valus = 3", "line 9: 'valus' is not a setting; did you mean 'values'?"),
        ("values = 4", "line 8: --values 4: an odd number >= 3 is needed"),
        ("parameters = { a = 3 }", "line 8: parameters.a is not a setting of a design"),
        ('labels = "x.pt"', "these are fixed; in the population regime labels are drawn from a noise"),
        ('noise = { kind = "none" }', "there is nothing to confirm on clean labels"),
        ('noise = { kind = "pair", seed = 1 }', "line 8: noise.seed is not a setting of a design"),
        ('regime = "fixed"\nexpected = [true, false]', "the design expected = True: --expected goes with"),
        ('loss = "amze"', "'amze' is not a known loss"),
        ("[runs]", "'runs' is neither [defaults] nor [[designs]]"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        studied(tmp_path, f"{TINY}[[designs]]\n{line}\n")
    assert said in str(caught.value)


def test_the_command_trains_counts_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = studied(tmp_path, TWO)
    assert command(["--plan", "study.toml", "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["models"], facts["done"], facts["folder"]) == (2 * (3 + 1) * 2, 0, "study")
    assert facts["seconds"] > 0
    assert not Path("study").exists()

    trained: list[Any] = []
    real = confirming.train

    def one(together, *rest):  # type: ignore[no-untyped-def]
        if len(trained) == 3:
            raise KeyboardInterrupt
        one_more(together)
        return real(together, *rest)

    def one_more(together):  # type: ignore[no-untyped-def]
        trained.extend(group.key for group in together)

    monkeypatch.setattr(confirming, "STACK", 1)  # one group after the other
    monkeypatch.setattr(confirming, "train", one)
    assert command(["--plan", "study.toml"]) == 130
    said = capsys.readouterr()
    assert said.err == "asymtheory confirm: stopped; the same command goes on with what is in study\n"
    assert first.name in said.out
    assert {row["regime"] for row in rows_of("study")} == {"population"}
    assert command(["--plan", "study.toml", "--dry-run"]) == 0
    assert "2 designs, 16 models, 2 to train, about " in capsys.readouterr().out

    monkeypatch.setattr(confirming, "train", lambda together, *rest: one_more(together) or real(together, *rest))
    assert command(["--plan", "study.toml", "--json"]) == 0
    assert len(trained) == len(set(trained)) == 4
    facts = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in facts["designs"]] == [first.name, second.name]
    rows = rows_of("study")
    assert sorted(rows, key=str) == sorted((row for each in facts["designs"] for row in each["rows"]), key=str)
    assert command(["--plan", "study.toml", "--dry-run"]) == 0
    assert "2 designs, 16 models, 0 to train\n" in capsys.readouterr().out


def test_rows_of_parts_trained_one_after_another_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (study, _) = studied(tmp_path, TWO)
    for part in ("amse", "ce", "amse"):
        asked = f"--plan study.toml --only regime=population loss={part} --out runs --results few.jsonl.gz"
        assert command(asked.split()) == 0
    rows = rows_of(f"runs/{study.name}")
    assert [row["loss"] for row in rows] == ["ce", "amse", "amse", "amse"]
    assert {(row["batch"], row["rate"]) for row in rows} == {(study.design.config.batch, study.design.config.rate)}
    kept = [json.loads(line) for line in gzip.decompress(Path("few.jsonl.gz").read_bytes()).splitlines()]
    assert kept == [{**row, "histograms": None} for row in rows]
    assert command("--plan study.toml --only regime=fixed --out runs --results few.jsonl".split()) == 0
    kept = [json.loads(line) for line in Path("few.jsonl").read_text().splitlines()]
    assert len(kept) == 8
    assert sum(row["histograms"] is not None for row in rows_of("runs")) == 4
    assert all(row["histograms"] is None for row in kept)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "--plan confirm-gird",
            "(confirm-cifar-cpu, confirm-features, confirm-grid come with the package); did you mean 'confirm-grid'?",
        ),
        ("--plan confirm-grid --epochs 3", "--epochs: --plan has it in its file; --set KEY=VALUE changes that"),
        ("--plan confirm-grid --no-equalise", "--no-equalise: --plan has it in its file"),
        ("--plan confirm-grid --only noise.eta=0.1", "--only: none of the designs of plan"),
        ("--dry-run", "--dry-run goes with --plan"),
        ("--results rows.jsonl", "--results goes with --plan"),
        ("--plan confirm-grid --results missing/rows.jsonl", "--results missing/rows.jsonl: "),
        ("--set epochs=3", "--set goes with --plan"),
    ],
)
def test_options_that_cannot_be_meant(words: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        command(words.split())
    assert said in str(caught.value)
