"""As many runs at once as the memory of GPUs holds: the arithmetic, and a whole sweep on GPUs that are pretended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from asymtheory_training.commands.sweep import sweep as command
from asymtheory_training.run.config import TrainConfig
from asymtheory_training.sweep import arrange as sweep_work
from asymtheory_training.sweep import memory as sweep_memory
from asymtheory_training.sweep.arrange import arrange
from asymtheory_training.sweep.estimate import measure
from asymtheory_training.sweep.flow import LocalEngine, Task
from asymtheory_training.sweep.memory import Room, room
from asymtheory_training.sweep.plan import Plan, PlannedRun, read_plan
from asymtheory_training.sweep.table import Table

from asymtheory.jsonlines import read

TINY = '[defaults]\ndataset = "digits"\nsubset = 60\nwidth = 0.05\nbatch = 20\nepochs = 2\n'
SIX = f'{TINY}[[runs]]\nloss = "ce"\nmeasure = "frozen"\nseeds = 6\n'  # which is not stacked


def planned(folder: Path, text: str) -> Plan:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return read_plan(path)


class Pretended:
    """One GPU whose name is that of the CPU, so that runs train on it: 1000 bytes, of which a process takes 50 when it has trained.

    A run takes 300, a stack 100 for each of its models.
    """

    def names(self) -> list[str]:
        return ["cpu"]

    def free(self) -> dict[str, int]:
        return {"cpu": 1000 - 50 * self.used()}

    def used(self) -> bool:
        """The trainee says so in a file, for it is another process."""
        return Path("trained").exists()

    def peak(self, configs: Sequence[TrainConfig], threads: int) -> int:
        assert {config.device for config in configs} == {"cpu"}
        assert measure(configs, threads).epoch > 0
        Path("trained").touch()
        return 100 * len(configs) if len(configs) > 1 else 300


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("asymtheory_training.sweep.arrange.cpu_count", lambda: 8)
    monkeypatch.chdir(tmp_path)


def thread() -> Any:
    return ThreadPoolExecutor(1)


def test_processes_share_out_contexts_and_tensors() -> None:
    found = Room({"cuda:0": 1000}, context=50, tensors=200)  # 950 are counted on
    assert [found.at_once(jobs) for jobs in (1, 2, 3, 4, 16)] == [1, 2, 3, 3, 3]
    assert found.held(3) == {"cuda:0": 4}
    assert Room({"cuda:0": 1000, "cuda:1": 400}, 50, 100).at_once(16) == 6  # 950 - 300 and 380 - 300: six and none
    assert Room({"cuda:0": 100}, 50, 200).at_once(4) == 1  # none fits; it is tried
    assert Room({"cuda:0": 1000}, 0, 0).at_once(4) == 4


@pytest.mark.usefixtures("cores")
def test_the_largest_run_decides(tmp_path: Path) -> None:
    plan = planned(tmp_path, SIX)
    single = [(point,) for point in plan.points]
    found = room(single, 1, Pretended(), thread)
    assert found == Room({"cpu": 1000}, 50, 300)
    assert str(found) == "0.0 GiB free, 0.00 of a process and 0.00 of the largest run"
    os.unlink("trained")
    stacked = planned(tmp_path, f'{TINY}[[runs]]\nloss = "ce"\nseeds = 5\n').points
    found = room([*single, stacked], 1, Pretended(), thread)
    assert found is not None
    assert found.tensors == 500


@pytest.mark.usefixtures("cores")
def test_what_does_not_fit_takes_all_and_what_is_not_there_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> Any:
        raise torch.OutOfMemoryError

    units = [(point,) for point in planned(tmp_path, SIX).points]
    missing = planned(tmp_path, f'[[runs]]\nloss = "ce"\ndataset = "mnist"\ndata_dir = "{tmp_path}"\n').points
    assert room([missing], 1, Pretended(), thread) == Room({"cpu": 1000}, 0, 0)
    monkeypatch.setitem(globals(), "measure", full)
    found = room(units, 1, Pretended(), thread)
    assert found is not None
    assert (found.tensors, found.at_once(8)) == (1000, 1)
    monkeypatch.setattr(Pretended, "names", lambda self: [])
    assert room(units, 1, Pretended(), thread) is None
    monkeypatch.setattr(Pretended, "names", lambda self: ["cuda:0"])
    on_cpu = planned(tmp_path, SIX.replace("epochs = 2", 'epochs = 2\ndevice = "cpu"')).points
    assert room([on_cpu[:1]], 1, Pretended(), thread) is None


@pytest.mark.usefixtures("cores")
def test_a_number_that_is_given_is_taken(tmp_path: Path) -> None:
    points = planned(tmp_path, SIX).points
    assert (arrange(points, tmp_path, 5, stack=True).jobs, arrange(points, tmp_path, 20, stack=True).jobs) == (5, 6)
    assert arrange(points, tmp_path, None, stack=True).jobs == 6  # a machine without a GPU: eight cores, six runs
    assert not Path("trained").exists()


@pytest.mark.usefixtures("cores")
@pytest.mark.slow
def test_a_sweep_on_a_pretended_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it, in processes as on a GPU: measured, two at once instead of six, and every run trained."""
    planned(tmp_path, SIX)
    monkeypatch.setattr(sweep_work, "Cuda", Pretended)
    running: list[int] = []
    look = Table.look

    def watched(self: Table, points: Sequence[PlannedRun], waiting: int) -> None:
        running.append(len(points))
        look(self, points, waiting)

    monkeypatch.setattr(Table, "look", watched)
    assert command(["plan.toml", "--out", "out"]) == 0
    assert "asymtheory sweep: 2 at once, by the memory of 1 GPU: 0.0 GiB free" in capsys.readouterr().err
    assert max(running) == 2
    assert len(read(tmp_path / "out" / "results.jsonl")) == 6


def test_runs_go_where_most_room_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    class Pool:
        def submit(self, function: Any, task: Task) -> Future[Any]:
            given.append(task.config.device)
            return Future()  # in flight for ever

    monkeypatch.setattr("asymtheory_training.sweep.flow.processes", lambda jobs, threads: Pool())
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    engine = LocalEngine(4, 1, {"cuda:0": 1, "cuda:1": 3})
    for seed in range(4):
        engine.submit(Task(str(seed), TrainConfig(loss="ce", device="auto"), str(tmp_path), "mine"))
    assert sorted(given) == ["cuda:0", "cuda:1", "cuda:1", "cuda:1"]


def test_what_torch_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda name: (10 if name == "cuda:0" else 20, 99))
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", lambda name: None)
    monkeypatch.setattr("torch.cuda.max_memory_reserved", lambda name: {"cuda:1": 7}[name])
    monkeypatch.setattr(sweep_memory, "measure", lambda configs, threads: None)
    gpus = sweep_memory.Cuda()
    assert gpus.names() == ["cuda:0", "cuda:1"]
    assert gpus.free() == {"cuda:0": 10, "cuda:1": 20}
    assert gpus.peak([TrainConfig(loss="ce", device="cuda:1")], 1) == 7
