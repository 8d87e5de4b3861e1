"""Two processes take the steps of one: shares, batch norms, checkpoints, one voice. All on a CPU, with gloo."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from asymtheory_training import distributed
from asymtheory_training.data import workers
from asymtheory_training.distributed import SharedBatchNorm, World, share_batch_norms
from asymtheory_training.run import checkpoint
from asymtheory_training.run.run import run
from torch import nn

from asymtheory.errors import InputError

from .two_processes import Stop, cropped, folder_run, make_folder, stop_after

pytestmark = [pytest.mark.xdist_group("distributed"), pytest.mark.slow]

HERE = Path(__file__).parent
CLOSE = {"rtol": 0, "atol": 1e-12}
WHEN = ("seconds", "images_per_second")


@dataclass(frozen=True)
class Started:
    """A process; what it prints goes to files, which a process of its own that outlives it does not keep open."""

    process: subprocess.Popen[bytes]
    out: Path
    errors: Path

    def ended(self, seconds: float = 280) -> tuple[int, str, str]:
        """(status, stdout, stderr); a process that hangs says where each of its threads is."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(10)
            raise AssertionError(f"still running after {seconds:g} s:\n{self.errors.read_text()}") from None
        return status, self.out.read_text(), self.errors.read_text()


def started(folder: Path, name: str, arguments: list[str], **variables: str) -> Started:
    environment = {
        **os.environ,
        **variables,
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    out, errors = folder / f"{name}.out", folder / f"{name}.err"
    command = [sys.executable, "-X", "faulthandler", *arguments]
    with out.open("w") as stdout, errors.open("w") as stderr:
        return Started(subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr), out, errors)


def same_state(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Weights, running statistics, momentum and every figure of every epoch but the times."""
    assert list(found["model"]) == list(expected["model"])
    for name, value in expected["model"].items():
        torch.testing.assert_close(found["model"][name], value, **CLOSE)
    momenta = [[each["momentum_buffer"] for each in s["optimiser"]["state"].values()] for s in (found, expected)]
    torch.testing.assert_close(*momenta, **CLOSE)
    assert len(found["curve"]) == len(expected["curve"])
    for mine, theirs in zip(found["curve"], expected["curve"], strict=True):
        assert all(mine[name] > 0 for name in WHEN)
        figures = [{k: v for k, v in each.items() if k not in WHEN and v is not None} for each in (mine, theirs)]
        assert figures[0] == pytest.approx(figures[1], rel=1e-12)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, the same with one of them cut off, a run stopped by a kill after two of its four epochs."""
    folder = tmp_path_factory.mktemp("two")
    make_folder(folder / "images")
    shutil.copytree(folder / "images", folder / "damaged")
    for damaged in (folder / "damaged" / "train").glob("*/*.png"):  # in every share
        damaged.write_bytes(damaged.read_bytes()[:60])
    config = folder_run(folder / "images")
    with pytest.raises(Stop):
        run(config, folder / "resumed", on_epoch=stop_after(2))
    shutil.copy(folder / "resumed" / checkpoint.NAME, folder / "half.pt")
    return folder


@pytest.fixture(scope="session")
def whole(place: Path) -> dict[str, Any]:
    """The checkpoint of one process that was never stopped."""
    run(folder_run(place / "images"), place / "whole")
    return checkpoint.load(place / "whole" / checkpoint.NAME)


def free_port() -> int:
    """A port that no connection is given by chance: below those that systems hand out, for a process takes seconds to listen."""
    for port in random.Random(os.getpid()).sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports are taken")


@pytest.fixture(scope="session")
def pair(place: Path) -> Iterator[list[tuple[int, str, str]]]:
    """(status, stdout, stderr) of the two processes of tests/training/two_processes.py."""
    port = str(free_port())
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    script = [str(HERE / "two_processes.py"), str(place)]
    processes = [
        started(place, f"rank{rank}", script, RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in range(2)
    ]
    try:
        yield [each.ended() for each in processes]
    finally:
        for each in processes:
            each.process.kill()


# --------------------------------------------------------------------------------------------------- in one process


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [7, 8, 25, 128])
def test_shares_cut_a_batch_in_order_and_their_weights_restore_its_mean(size: int, count: int) -> None:
    losses = torch.arange(count, dtype=torch.float64).square()
    worlds = [World(rank, size) for rank in range(size)]
    parts = [losses[world.share(count)] for world in worlds]
    assert torch.equal(torch.cat(parts), losses)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    averaged = sum(part.mean() * world.weight(count) for part, world in zip(parts, worlds, strict=True)) / size
    torch.testing.assert_close(averaged, losses.mean())


@pytest.mark.parametrize(
    ("samples", "batch", "size", "fits"),
    [
        (128, 32, 4, True),
        (130, 32, 4, False),
        (132, 32, 4, True),
        (129, 32, 4, True),
        (3, 8, 4, False),
        (9, 2, 3, False),
    ],
)
def test_a_batch_too_small_to_share_is_refused_before_training(samples: int, batch: int, size: int, fits: bool) -> None:
    if fits:
        World(0, size).check_batches(samples, batch)
    else:
        with pytest.raises(InputError, match=rf"--batch {batch}: a batch of \d images .* shared by {size} processes"):
            World(0, size).check_batches(samples, batch)


def test_image_readers_are_forked_from_a_process_alone_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert workers.worker_start(2) == {}
    monkeypatch.setattr(workers, "current", lambda: World(0, 2))
    assert workers.worker_start(0) == {}
    assert workers.worker_start(2)["multiprocessing_context"] == "forkserver"


def test_a_device_number_cannot_be_shared() -> None:
    assert World(1, 2, 1, 2).device(torch.device("cpu")) == torch.device("cpu")
    assert World().device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    with pytest.raises(InputError, match="--device cuda:1: 2 processes cannot share one device"):
        World(1, 2, 1, 2).device(torch.device("cuda", 1))


@pytest.mark.parametrize("shape", [(9, 4), (5, 4, 3, 2)])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_shared_batch_norm_of_one_process_is_torchs(
    shape: tuple[int, ...], momentum: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda tensor: None)
    random = torch.Generator().manual_seed(0)
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    theirs = kind(4, momentum=momentum).double()
    with torch.no_grad():
        theirs.weight.copy_(torch.rand(4, generator=random) + 0.5)
        theirs.bias.copy_(torch.randn(4, generator=random))
    ours = share_batch_norms(nn.Sequential(kind(4, momentum=momentum).double()))[0]
    assert isinstance(ours, SharedBatchNorm)
    ours.load_state_dict(theirs.state_dict())
    for _ in range(2):
        x = torch.randn(shape, generator=random, dtype=torch.float64).mul_(3).add_(5)
        pair = [x.clone().requires_grad_(), x.clone().requires_grad_()]
        values = [norm(each) for norm, each in zip((theirs, ours), pair, strict=True)]
        torch.testing.assert_close(values[1], values[0])
        for value in values:
            value.square().mul(torch.arange(value.numel()).view(shape)).sum().backward()
        torch.testing.assert_close(pair[1].grad, pair[0].grad)
        torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_converting_keeps_the_parameters_themselves_and_their_names() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.BatchNorm1d(4)), nn.BatchNorm1d(4, affine=False))
    before = dict(model.named_parameters())
    names = list(model.state_dict())
    converted = share_batch_norms(model)
    assert all(value is before[name] for name, value in converted.named_parameters())
    assert list(converted.state_dict()) == names


# --------------------------------------------------------------------------------------------------- in two processes


def test_two_processes_go_on_with_a_run_of_one_and_end_where_it_ends(
    place: Path, whole: dict[str, Any], pair: list[tuple[int, str, str]]
) -> None:
    state, half = checkpoint.load(place / "resumed" / checkpoint.NAME), torch.load(place / "half.pt")
    same_state(state, whole)
    assert half["epoch"] in (1, 2)  # a checkpoint is taken after every epoch unless that takes too much of the time
    assert [e["seconds"] for e in state["curve"][: half["epoch"]]] == [e["seconds"] for e in half["curve"]]
    assert sorted(file.name for file in (place / "resumed").iterdir()) == [
        ".lock",
        "checkpoint.pt",
        "config.toml",
        "result.jsonl",
    ]
    (line,) = (place / "resumed" / "result.jsonl").read_text().splitlines()
    result, (expected,) = json.loads(line), (place / "whole" / "result.jsonl").read_text().splitlines()
    assert result["final"] == json.loads(expected)["final"]
    assert result["device"]["processes"] == 2


def test_random_crops_balanced_epochs_and_l1_are_those_of_one_process(
    place: Path, pair: list[tuple[int, str, str]]
) -> None:
    same_state(torch.load(place / "cropped.pt"), cropped())


def test_a_failing_process_ends_all_with_one_line(place: Path, pair: list[tuple[int, str, str]]) -> None:
    (first, out, errors), (second, silent, others) = pair
    assert first in (1, 2)
    assert second in (1, 2)
    assert out == "the second process is not heard\n"
    assert silent == ""
    lines = [line for line in (errors + others).splitlines() if "cannot be read" in line]
    assert len(lines) == 1
    assert str(place / "damaged" / "train") in lines[0]
    assert (errors + others).splitlines() == ["nor is its standard error", lines[0]]
    assert [file.name for file in (place / "failed").iterdir() if "part" in file.name] == []


def test_torchrun_trains_as_one_process_does(place: Path, whole: dict[str, Any], tmp_path: Path) -> None:
    config, out = tmp_path / "run.toml", tmp_path / "out"
    config.write_text(folder_run(place / "images").to_toml())
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [
        *torchrun,
        "-m",
        "asymtheory_training",
        "train",
        "--config",
        str(config),
        "--out",
        str(out),
        "--progress",
    ]
    status, printed, errors = started(tmp_path, "torchrun", command).ended()
    assert status == 0, errors
    assert printed.count("test set") + printed.count("last epoch") == 1
    assert errors.count("  0%|") == 1
    same_state(checkpoint.load(out / checkpoint.NAME), whole)
