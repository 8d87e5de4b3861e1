"""Runs of a sweep trained as one batch: the lines that they have one by one, and what becomes of a stack that dies."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asymtheory_training import sweep_stack
from asymtheory_training.plan import Plan, read_plan
from asymtheory_training.sweep import LocalEngine, Outcome, Store, Task, execute, owner, pending, sweep
from asymtheory_training.sweep_command import sweep as command
from asymtheory_training.sweep_stack import LARGEST, StackingEngine, execute_stack, stacks, with_stacks
from asymtheory_training.sweep_table import Table

TINY = '[defaults]\ndataset = "digits"\nsubset = 90\nwidth = 0.05\nbatch = 32\nepochs = 3\nevaluate = 2\n'
EXACT = f'{TINY}precision = "float64"\ndevice = "cpu"\nclip = 0.5\n'


def planned(folder: Path, text: str) -> Plan:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return read_plan(path)


def groups(plan: Plan, folder: Path, jobs: int = 1) -> list[int]:
    return [len(stack) for stack in stacks(plan.points, folder, jobs)]


def tasks(plan: Plan, folder: Path) -> list[Task]:
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    owner(folder, "me").touch()
    (found,) = stacks(plan.points, folder, 1)
    return [Task(point.key, point.config, str(folder), "me") for point in found]


@pytest.mark.parametrize(
    "entry",
    [
        'loss = "amse:q=3"\nparameters = { a = [1.5, 2, 30] }\nnoise = { kind = "symmetric", eta = 0.4, seed = "seed" }',
        'loss = "jal-ce"\nparameters = { a = [3, 30] }\nregularisation = "l1"\nstrength = 1e-3\nclip = inf',
        'loss = "anl-ce"\nnoise = { kind = "pair", eta = 0.2, mode = "redrawn" }',
        'loss = "ce"\nregularisation = "l2"\nstrength = 0.01\nnesterov = true\nclip = 1.4',
    ],
)
def test_a_stacked_run_has_the_line_that_it_has_alone(tmp_path: Path, entry: str) -> None:
    if "jal" in entry:
        entry += '\nnoise = { kind = "pair", eta = 0.2 }'
    found = tasks(
        planned(
            tmp_path, f"{EXACT.replace('clip = 0.5', '') if 'clip' in entry else EXACT}[[runs]]\nseeds = 2\n{entry}\n"
        ),
        tmp_path,
    )
    together = execute_stack(*found)
    for task, outcome in zip(found, together, strict=True):
        alone = execute(task)
        assert outcome.line is not None
        assert alone.line is not None
        same(outcome.line, alone.line)
        if "1.4" in entry:  # clips some steps and not others
            assert any(0 < epoch["clipped"] < 1 for epoch in outcome.line["curve"])
        assert outcome.line["device"]["stacked"] == len(found)
        assert outcome.line["config"] == json.loads(json.dumps(task.config.to_dict()))


BESIDE = ("seconds", "images_per_second", "started", "device", "config")


def same(line: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """All figures but times: counted ones exactly, computed ones (written to six digits) to their last."""
    assert line.keys() == other.keys()
    for name, value in line.items():
        if name in BESIDE:
            continue
        if isinstance(value, Mapping):
            same(value, other[name])
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            assert len(value) == len(other[name])
            for mine, theirs in zip(value, other[name], strict=True):
                same(mine, theirs)
        elif name in ("loss", "gradient"):
            assert value == pytest.approx(other[name], rel=3e-6)
        else:
            assert value == other[name], name


def test_a_stack_is_as_exact_as_float64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures before they are written to six digits."""
    found = tasks(
        planned(tmp_path, f'{EXACT}[[runs]]\nloss = "ael"\nparameters = {{ a = [0.5, 2] }}\nseeds = 2\n'), tmp_path
    )
    monkeypatch.setattr("asymtheory_training.record._rounded", lambda value: value)
    for outcome, task in zip(execute_stack(*found), found, strict=True):
        alone = execute(task)
        assert outcome.line is not None
        assert alone.line is not None
        for mine, theirs in zip(outcome.line["curve"], alone.line["curve"], strict=True):
            assert [mine[n] for n in ("train", "clean", "test")] == [theirs[n] for n in ("train", "clean", "test")]
            assert mine["gradient"] == pytest.approx(theirs["gradient"], rel=1e-7)  # both are means in float32
            assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-7)


def test_which_runs_are_stacked(tmp_path: Path) -> None:
    def of(entry: str, jobs: int = 1) -> list[int]:
        return groups(planned(tmp_path, f"{TINY}[[runs]]\n{entry}\n"), tmp_path, jobs)

    assert of('loss = "amse"\nseeds = 3\nparameters = { a = [2, 3], q = [1, 2] }') == [
        6,
        6,
    ]  # the main parameter varies
    assert of('loss = ["ce", "mae"]\nseeds = 3\nnoise = { kind = "pair", eta = [0.1, 0.2] }') == [3, 3, 3, 3]
    assert of('loss = "ce"\nseeds = 3\nnoise = { kind = "pair", eta = 0.1, seed = "seed" }') == [3]
    assert of('loss = "ce"') == []
    for alone in (
        'loss = "nlnl"', 'formula = "1-u"', 'loss = "ce"\nprobe = true\nnoise = { kind = "pair", eta = 0.1 }',
        'loss = "ce"\nmeasure = "frozen"', 'loss = "ce"\nregularisation = "jacobian"\nstrength = 1',
        'loss = "ce"\nprecision = "bfloat16"', 'loss = "ce"\nbalanced = 5',
        'loss = "taylor-ce"\nparameters = { t = [2, 3] }\nseed = 0',
    ):  # fmt: skip
        assert of(alone if "seed = 0" in alone else f"{alone}\nseeds = 2") == []
    for jobs, sizes in ((1, [30]), (2, [18, 12]), (3, [12, 12, 6]), (5, [6] * 5), (10, [3] * 10), (100, [])):
        assert of('loss = "amse"\nseeds = 5\nparameters = { a = [2, 3, 4, 5, 6, 7] }', jobs) == sizes
    many = of(f'loss = "amse"\nseeds = {LARGEST}\nparameters = {{ a = [2, 3, 4] }}')
    assert sum(many) == 3 * LARGEST
    assert max(many) <= LARGEST


def test_runs_with_other_seeds_or_a_checkpoint_are_stacked_apart(tmp_path: Path) -> None:
    text = f'{TINY}[[runs]]\nloss = "amse"\nparameters = {{ a = [2, 3] }}\nseeds = 3\n[[runs]]\nloss = "amse:a=4"\nseed = [0, 7]\n'
    plan = planned(tmp_path, text)
    assert sorted(groups(plan, tmp_path)) == [2, 6]
    own = tmp_path / "runs" / plan.points[0].key[:16]
    own.mkdir(parents=True)
    (own / "checkpoint.pt").touch()
    assert plan.points[0].key not in {point.key for stack in stacks(plan.points, tmp_path, 1) for point in stack}


def test_a_loss_that_diverges_is_the_failure_of_its_run_alone(tmp_path: Path) -> None:
    text = f'{EXACT}rate = 0.1\n[[runs]]\nloss = "amse"\nparameters = {{ a = [2, 1e200] }}\nseed = 0\n'
    good, bad = execute_stack(*tasks(planned(tmp_path, text), tmp_path))
    assert good.line is not None
    assert (bad.line, bad.error) == (None, "DivergedError")
    assert "the loss is " in bad.message
    assert "in epoch " in bad.message


def test_a_stack_ends_with_its_sweep(tmp_path: Path) -> None:
    found = tasks(planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 2\n'), tmp_path)
    owner(tmp_path, "me").unlink()
    assert [outcome.error for outcome in execute_stack(*found)] == ["AbandonedError"] * 2


class Threads(ThreadPoolExecutor):
    """One thread in the place of processes, which take seconds to start."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__(1)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False, kill_workers: bool = False) -> None:
        super().shutdown(wait, cancel_futures=kill_workers)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalEngine, "_start", Threads)


@pytest.mark.usefixtures("threads")
def test_runs_of_a_stack_that_dies_are_trained_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*found: Task) -> list[Outcome]:
        raise BrokenExecutor("killed")  # what the pool says of a process that is gone

    plan = planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 3\n[[runs]]\nloss = "ce"\nepochs = 2\n')
    monkeypatch.setattr(sweep_stack, "execute_stack", die)
    with Store.hold(tmp_path / "out") as store:
        engine, points, together = with_stacks(LocalEngine(1, 1), plan.points, store.folder)
        assert (together, engine.slots) == (3, 1)
        sweep(points, store, engine, Table(plan, store, 4, live=False))
        assert pending(plan, store, False) == []
    assert [line["device"].get("stacked") for line in store.lines.values()] == [None] * 4
    assert store.failures == {}


@pytest.mark.usefixtures("threads")
def test_a_stack_takes_the_place_of_one_run(tmp_path: Path) -> None:
    plan = planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 3\n')
    with Store.hold(tmp_path / "out") as store:
        owner(store.folder, "me").touch()
        engine, points, _ = with_stacks(LocalEngine(1, 1), plan.points, store.folder)
        assert isinstance(engine, StackingEngine)
        one = threading.Event()
        engine.engine.executor.submit(one.wait)  # the stack waits behind this
        futures = [engine.submit(Task(p.key, p.config, str(store.folder), "me")) for p in points]
        assert engine.slots == 1 + 3 - 1
        one.set()
        lines = [future.result(120).line for future in futures]
        assert engine.slots == 1
        assert [line["device"]["stacked"] for line in lines if line is not None] == [3, 3, 3]
        again = engine.submit(Task(points[0].key, points[0].config, str(store.folder), "me")).result(120).line
        assert again is not None
        assert "stacked" not in again["device"]
        engine.close(now=True)


@pytest.mark.usefixtures("threads")
def test_the_command_stacks_unless_it_is_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    planned(
        tmp_path, f'{TINY}[[runs]]\nloss = "ael"\nparameters = {{ a = [1, 2] }}\nseeds = 2\n[[runs]]\nloss = "ce"\n'
    )
    assert command(["plan.toml", "--jobs", "1", "--out", "stacked"]) == 0
    assert "4 small runs in stacks" in capsys.readouterr().err
    assert command(["plan.toml", "--jobs", "1", "--out", "single", "--no-stack"]) == 0
    assert "stacks" not in capsys.readouterr().err
    lines = [
        {line["key"]: line for line in map(json.loads, Path(folder, "results.jsonl").read_text().splitlines())}
        for folder in ("stacked", "single")
    ]
    assert lines[0].keys() == lines[1].keys()
    assert sorted(line["device"].get("stacked", 0) for line in lines[0].values()) == [0, 4, 4, 4, 4]
    assert {line["device"].get("stacked", 0) for line in lines[1].values()} == {0}
    for key, line in lines[0].items():  # float32: up to rounding
        assert line["last"]["loss"] == pytest.approx(lines[1][key]["last"]["loss"], rel=1e-3)
