"""Runs of a sweep trained as one batch: the lines that they have one by one, and what becomes of a stack that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asymtheory_training.commands.sweep import sweep as command
from asymtheory_training.run import checkpoint
from asymtheory_training.sweep import flow as sweeping
from asymtheory_training.sweep import stacks as sweep_stack
from asymtheory_training.sweep.arrange import arrange
from asymtheory_training.sweep.estimate import estimate
from asymtheory_training.sweep.flow import Outcome, Store, Task, execute, owner, pending, sweep
from asymtheory_training.sweep.plan import Plan, read_plan
from asymtheory_training.sweep.stack_find import LARGEST, stacks
from asymtheory_training.sweep.stack_run import execute_stack
from asymtheory_training.sweep.stacks import StackingEngine
from asymtheory_training.sweep.table import Table

from asymtheory.jsonlines import read

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
    monkeypatch.setattr("asymtheory_training.run.record._rounded", lambda value: value)
    for outcome, task in zip(execute_stack(*found), found, strict=True):
        alone = execute(task)
        assert outcome.line is not None
        assert alone.line is not None
        for mine, theirs in zip(outcome.line["curve"], alone.line["curve"], strict=True):
            assert [mine[n] for n in ("train", "clean", "test")] == [theirs[n] for n in ("train", "clean", "test")]
            assert mine["gradient"] == pytest.approx(theirs["gradient"], rel=1e-12)
            assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-12)


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
    monkeypatch.setattr(sweeping, "processes", Threads)


@pytest.mark.usefixtures("threads")
def test_runs_of_a_stack_that_dies_are_trained_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*found: Task) -> list[Outcome]:
        raise BrokenExecutor("killed")  # what the pool says of a process that is gone

    plan = planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 3\n[[runs]]\nloss = "ce"\nepochs = 2\n')
    monkeypatch.setattr(sweep_stack, "execute_stack", die)
    with Store.hold(tmp_path / "out") as store:
        work = arrange(plan.points, store.folder, 1, stack=True)
        assert (work.stacked, len(work.units), work.jobs) == (3, 2, 1)
        sweep(work.points, store, work.engine(), Table(plan, store, 4, live=False))
        assert pending(plan, store, False) == []
    assert [line["device"].get("stacked") for line in store.lines.values()] == [None] * 4
    assert store.failures == {}


EPOCHS = 150
LONG = (
    f'[defaults]\ndataset = "digits"\nsubset = 60\nwidth = 0.05\nbatch = 20\nepochs = {EPOCHS}\nevaluate = 50\n'
    '[[runs]]\nloss = "amse"\nparameters = { a = [2, 3] }\nseeds = 2\nnoise = { kind = "pair", eta = 0.2, mode = "redrawn" }\n'
)


@pytest.mark.skipif(os.name != "posix", reason="a process group is killed")
@pytest.mark.slow
def test_a_stack_that_is_killed_goes_on_and_ends_with_the_same_bits(tmp_path: Path) -> None:
    """First its process is killed, then by kill -9 the sweep and everything else; the next sweep has other ideas of stacks."""
    plan, out = planned(tmp_path, LONG), tmp_path / "killed"
    sweep_it = [sys.executable, "-m", "asymtheory_training", "sweep", "plan.toml", "--jobs"]
    place = out / "runs" / plan.points[-1].key[:16] / "stack" / "checkpoint.pt"
    process = subprocess.Popen(
        [*sweep_it, "1", "--out", "killed"], stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=tmp_path
    )

    def seen(not_of: int = 0) -> int:
        """The process that trains, once there is a checkpoint."""
        end = time.monotonic() + 120
        while True:
            found = [json.loads(path.read_text()) for path in out.glob("runs/*/progress.json")]
            pids = {each["pid"] for each in found} - {not_of}
            if pids and place.exists():
                return int(pids.pop())
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)

    try:
        first = seen()
        os.kill(first, signal.SIGKILL)
        seen(not_of=first)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert said.count("its process ended early; it goes on from its last checkpoint") == 4
    state = checkpoint.load(place)
    assert 0 < state["epoch"] < EPOCHS
    assert sorted(state["members"]) == sorted(point.key for point in plan.points)
    assert not (out / "results.jsonl").exists()

    (stack,) = stacks(plan.points, out, 4, plan.points)  # as it was, not in four parts
    assert [point.key for point in stack] == state["members"]
    subprocess.run([*sweep_it, "1", "--out", "killed"], cwd=tmp_path, check=True, capture_output=True)
    lines = {line.pop("key"): line for line in read(out / "results.jsonl")}
    assert {line["started"] for line in lines.values()} == {state["started"]}
    assert {len(line["curve"]) for line in lines.values()} == {EPOCHS}
    undisturbed = tasks(plan, tmp_path / "whole")
    for task, outcome in zip(undisturbed, execute_stack(*undisturbed), strict=True):
        assert without_clocks(lines.pop(task.key)) == without_clocks(outcome.line)
    assert lines == {}
    assert list((out / "runs").iterdir()) == []


def without_clocks(value: Any) -> Any:
    if isinstance(value, dict):
        clocks = ("seconds", "images_per_second", "started")
        return {name: without_clocks(each) for name, each in value.items() if name not in clocks}
    return [without_clocks(each) for each in value] if isinstance(value, list) else value


def test_a_sweep_killed_while_it_wrote_the_lines_of_a_stack_writes_the_others(tmp_path: Path) -> None:
    """The runs that have a line already are trained beside the rest once more, from the last checkpoint: no epoch is left."""
    plan = planned(tmp_path, f'{TINY}[[runs]]\nloss = "amse"\nparameters = {{ a = [2, 3] }}\nseeds = 2\n')
    found = tasks(plan, tmp_path)
    whole = execute_stack(*found)
    (stack,) = stacks(plan.points, tmp_path, 1)
    assert stacks(stack[2:], tmp_path, 1, plan.points) == [stack]
    again = execute_stack(*found)
    assert [without_clocks(each.line) for each in again] == [without_clocks(each.line) for each in whole]
    assert {each.line["started"] for each in again if each.line} == {whole[0].line["started"]}  # type: ignore[index]
    with Store.hold(tmp_path) as store:
        for point, outcome in zip(stack[:2], whole[:2], strict=True):
            assert outcome.line is not None
            store.add(point, outcome.line, keep=False)
        work = arrange(pending(plan, store, False), tmp_path, 1, stack=True, plan=plan.points)
        assert (work.stacked, work.points) == (2, list(stack[2:]))
        engine = work.engine()
        assert isinstance(engine, StackingEngine)
        assert engine.flights[0].wanted == 2
    other = planned(tmp_path, f'{TINY}[[runs]]\nloss = "amse"\nparameters = {{ a = [3] }}\nseeds = 2\n')
    assert groups(other, tmp_path) == [2]  # a plan that does not have all of them stacks anew


def test_a_checkpoint_of_other_runs_or_a_damaged_one_is_left(tmp_path: Path) -> None:
    plan = planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 3\n')
    found = tasks(plan, tmp_path)
    whole = execute_stack(*found)
    place = found[-1].place / "stack" / "checkpoint.pt"
    two = execute_stack(*found[1:])  # the last of them is the same
    assert checkpoint.load(place)["members"] == [task.key for task in found[1:]]
    assert all(each.line is not None and each.line["device"]["stacked"] == 2 for each in two)
    place.write_bytes(b"damaged")
    assert [without_clocks(each.line) for each in execute_stack(*found)] == [without_clocks(e.line) for e in whole]


def test_a_diverged_run_of_a_stack_is_remembered(tmp_path: Path) -> None:
    text = f'{EXACT}rate = 0.1\n[[runs]]\nloss = "amse"\nparameters = {{ a = [2, 1e200] }}\nseed = 0\n'
    found = tasks(planned(tmp_path, text), tmp_path)
    first, again = (execute_stack(*found)[1] for _ in range(2))
    assert (again.error, again.message) == (first.error, first.message)
    assert again.error == "DivergedError"


@pytest.mark.usefixtures("threads")
def test_networks_that_are_kept_are_not_stacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 2\n')
    assert command(["plan.toml", "--jobs", "1", "--out", "kept", "--keep"]) == 0
    for point in plan.points:
        assert checkpoint.load(tmp_path / "kept" / "runs" / point.key[:16] / "checkpoint.pt")["epoch"] == 3


@pytest.mark.usefixtures("threads")
def test_a_stack_takes_the_place_of_one_run(tmp_path: Path) -> None:
    plan = planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 3\n')
    with Store.hold(tmp_path / "out") as store:
        owner(store.folder, "me").touch()
        work = arrange(plan.points, store.folder, 1, stack=True)
        engine, points = work.engine(), work.points
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
    assert "4 small runs in 1 stack\n" in capsys.readouterr().err
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


def test_the_dry_run_counts_stacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    planned(
        tmp_path, f'{TINY}[[runs]]\nloss = "ael"\nparameters = {{ a = [1, 2] }}\nseeds = 2\n[[runs]]\nloss = "ce"\n'
    )
    for more, first, rest in (
        (
            [],
            "5 runs, 5 to do, 4 of them in 1 stack: about ",
            ["s an epoch for 4 runs in a stack, measured now", "s an epoch, "],
        ),
        (["--no-stack"], "5 runs, 5 to do: about ", ["s an epoch, measured now"]),
    ):
        assert command(["plan.toml", "--dry-run", "--jobs", "1", *more]) == 0
        said = capsys.readouterr().out.splitlines()[5:]
        assert said[0].startswith(first)
        assert len(said) == 1 + len(rest)
        for line, part in zip(said[1:], rest, strict=True):
            assert part in line
    assert command(["plan.toml", "--dry-run", "--json"]) == 0
    (stack,) = json.loads(capsys.readouterr().out)["stacks"]
    assert len(stack) == 4


def test_what_runs_took_in_a_stack_says_nothing_of_one_alone(tmp_path: Path) -> None:
    plan = planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 4\n')
    config = plan.points[0].config.to_dict()
    lines = [
        {"config": config, "seconds": seconds, "device": {"type": "cpu", **beside}}
        for seconds, beside in ((30.0, {}), (3.0, {"stacked": 4}), (6.0, {"stacked": 2}))
    ]
    assert estimate([plan.points], lines, 1, 1).seconds == pytest.approx(4 * 3.0)
    assert estimate([plan.points[:2]], lines, 1, 1).seconds == pytest.approx(2 * 6.0)
    assert estimate([plan.points[:1]], lines, 1, 1).seconds == pytest.approx(30.0)
    assert estimate([plan.points], [], 1, 1).seconds > 0  # measured now
