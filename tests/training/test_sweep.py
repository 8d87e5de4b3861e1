"""Sweeps: what a plan means and what it may not mean, each run once whatever dies, and the same on a cluster."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asymtheory_training.commands.sweep import sweep as command
from asymtheory_training.run import checkpoint
from asymtheory_training.run.config import TrainConfig
from asymtheory_training.run.record import append, locked
from asymtheory_training.run.run import run, trained_model
from asymtheory_training.sweep import arrange as sweep_work
from asymtheory_training.sweep import flow as sweeping
from asymtheory_training.sweep.estimate import duration, estimate
from asymtheory_training.sweep.flow import DEATHS, LocalEngine, Outcome, Store, Task, execute, pending, sweep
from asymtheory_training.sweep.plan import Plan, PlannedRun, read_plan, run_key
from asymtheory_training.sweep.table import Table, groups, summary

from asymtheory import build, pair, solve, symmetric
from asymtheory.errors import InputError
from asymtheory.jsonlines import read

TINY = 'dataset = "digits"\nsubset = 60\nwidth = 0.05\nbatch = 20\n'
NOISY = 'noise = { kind = "symmetric", eta = 0.4 }\n'
THREE = f'[defaults]\n{TINY}epochs = 2\n{NOISY}[[runs]]\nloss = "amse"\nseeds = 3\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def planned(folder: Path, text: str) -> Plan:
    return read_plan(written(folder, text))


# ---------------------------------------------------------------------------------------------------- what a plan means


def test_grids_multiply_and_entries_go_before_defaults(tmp_path: Path) -> None:
    plan = planned(
        tmp_path,
        """
[defaults]
epochs = [2, 3]
rate = 0.5
[defaults.noise]
kind = "symmetric"
eta = 0.4

[[runs]]
loss = ["amse", "ce"]
seeds = 2
noise.eta = ["1/5", 0.6]

[[runs]]
loss = "gce"
epochs = 9
seed = 7
[runs.parameters]
q = [0.5, "7/10"]
""",
    )
    found = [
        (p.config.loss, p.config.epochs, p.config.noise.eta, p.config.seed, p.config.parameters) for p in plan.points
    ]
    first: list[tuple[Any, ...]] = [
        (loss, epochs, Fraction(eta), seed, {})
        for epochs in (2, 3)
        for eta in ("1/5", "3/5")
        for loss in ("amse", "ce")
        for seed in (0, 1)
    ]
    last = [("gce", 9, Fraction(2, 5), 7, {"q": Fraction(q)}) for q in ("1/2", "7/10")]
    assert sorted(found, key=str) == sorted(first + last, key=str)
    assert {p.config.rate for p in plan.points} == {0.5}
    assert {p.config.noise.kind for p in plan.points} == {"symmetric"}
    assert plan.varied[-1] == "seed"
    assert plan.label(plan.points[-1]) == "gce, q 0.7, eta 0.4, epochs 9, seed 7"


def test_multiples_of_the_threshold_are_those_of_the_core(tmp_path: Path) -> None:
    plan = planned(
        tmp_path,
        """
[defaults]
seeds = 2
[[runs]]
loss = ["amse", "ael"]
noise = { kind = ["symmetric", "pair"], eta = "2/5" }
parameters = { a = { times_threshold = [1, "5/2"] } }
""",
    )
    assert len(plan.points) == 16
    for point in plan.points:
        assert point.config.loss is not None
        noise = {"symmetric": symmetric, "pair": pair}[point.config.noise.kind](10, Fraction(2, 5))
        end = solve(build(point.config.loss), noise).end
        assert end is not None
        factor = point.multiples["a"]
        value = point.config.parameters["a"]
        if end.number is not None:
            assert value == end.number * factor
        else:  # on the asymmetric side of an end that has no exact number
            assert end.value * factor <= float(value) <= end.value * float(factor) * (1 + 1e-9)
    assert {p.config.parameters["a"] for p in plan.points if p.config.loss == "amse"} == {
        Fraction(9, 5),
        Fraction(9, 2),
        Fraction(5),
        Fraction(25, 2),
    }


def test_the_threshold_of_a_formula(tmp_path: Path) -> None:
    text = '[[runs]]\nformula = "exp(-u/a)"\nnoise = { kind = "symmetric", eta = 0.4 }\n'
    (point,) = planned(tmp_path, f"{text}parameters.a = {{ times_threshold = 2 }}\n").points
    end = solve(build("ael"), symmetric(10, Fraction(2, 5))).end
    assert end is not None
    assert float(point.config.parameters["a"]) == pytest.approx(2 * end.value, rel=1e-9)


def test_what_excludes_a_default_takes_its_place(tmp_path: Path) -> None:
    labels = tmp_path / "labels.npy"
    labels.write_bytes(b"not read by a plan")
    plan = planned(
        tmp_path,
        f"""
[defaults]
loss = "amse"
seeds = 5
[defaults.noise]
kind = "symmetric"
eta = 0.2
seed = "seed"
[[runs]]
formula = "1-u"
seed = 3
[[runs]]
labels = "{labels}"
seeds = 1
""",
    )
    first, second = (point.config for point in plan.points)
    assert (first.loss, first.formula, first.seed, first.noise.seed) == (None, "1-u", 3, 3)
    assert (second.loss, second.labels, second.noise.kind, second.seed) == ("amse", str(labels), "none", 0)


def test_the_plan_of_the_documentation(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    plan = planned(tmp_path, text)
    assert len(plan.points) == 36 + 12
    with pytest.raises(InputError) as caught:
        planned(tmp_path, text.replace("[1, 2, 4]", '["1/2", 1]'))
    assert str(caught.value).replace(f"{tmp_path}/", "") in page


def test_a_run_named_twice_is_one_run(tmp_path: Path) -> None:
    plan = planned(tmp_path, '[[runs]]\nloss = "ce"\nseeds = 2\n[[runs]]\nloss = ["ce", "mae"]\nseed = [1, 2]\n')
    assert (len(plan.points), plan.repeated) == (5, 1)


def test_the_key_is_of_all_that_a_result_depends_on(tmp_path: Path) -> None:
    labels, moved = tmp_path / "a.npy", tmp_path / "b.npy"
    for path in (labels, moved):
        path.write_bytes(b"same")
    base = TrainConfig(loss="ce")
    assert run_key(base) == run_key(TrainConfig(loss="ce", device="cpu", threads=3, data_dir="x"))
    given = run_key(TrainConfig(loss="ce", labels=str(labels)))
    assert given == run_key(TrainConfig(loss="ce", labels=str(moved)))
    labels.write_bytes(b"other")
    keys = {
        run_key(each)
        for each in (
            base, TrainConfig(loss="mae"), TrainConfig(loss="ce", seed=1), TrainConfig(loss="ce", rate=0.02),
            TrainConfig(loss="agce", parameters={"a": Fraction(1)}), TrainConfig(loss="ce", labels=str(labels)),
        )
    }  # fmt: skip
    assert len(keys | {given}) == 7
    assert all(len(key) == 64 for key in keys)


def test_a_key_outlives_the_version_that_made_it() -> None:
    """A change here makes users train everything again: raise SCHEMA knowingly, never by accident."""
    config = TrainConfig(loss="agce", parameters={"a": Fraction(1, 3)}, clip=float("inf"))
    assert run_key(config) == KEY


KEY = "f524b8838cafb38c35bc7d77beced57154c84c69e4d043ba83cb9d4c9522bd93"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[default]\n[[runs]]\n", "plan.toml, line 1: 'default' is neither [defaults] nor [[runs]]; did you mean 'defaults'?"),
        ("[defaults]\nepochs = 2\n", "it has no runs; add a [[runs]] table"),
        ("runs = []\n", "it has no runs"),
        ("[runs]\nloss = 'ce'\n", "line 1: runs is a list of tables, each written [[runs]]"),
        ("[[runs]]\nloss = 'ce'\n\n[[runs]]\nepoch = 3\n", "line 5: 'epoch' is not a setting; did you mean 'epochs'?"),
        ("[defaults]\n[defaults.noise]\nrat = 1\n[[runs]]\n", "line 3: 'rat' is not a setting of noise"),
        ("[[runs]]\nloss = 'ce'\nepochs = [3, 0]\n", "line 3: epochs 0: a whole number >= 1 is needed"),
        ("[[runs]]\nloss = []\n", "line 2: loss = []: an empty list makes no runs"),
        ("[[runs]]\nseeds = 0\n", "line 2: seeds 0: a whole number >= 1 is needed"),
        ("[[runs]]\nseeds = 2\nseed = 1\n", "line 2: seed is given too"),
        ("[[runs]]\nloss = ['ce', 'cee']\n", "the run loss = cee: "),
        ("[[runs]]\n[runs.noise]\nkind = ['symmetric', 'pear']\neta = 0.1\n", "the run noise.kind = pear: noise 'pear': unknown"),
        (
            "[[runs]]\nloss = 'amse'\n[runs.noise]\nkind = ['none', 'pair']\neta = 0.4\n",
            "line 5: the run noise.kind = none: noise.eta 0.4: noise.kind must name a noise",
        ),
        ("[[runs]]\nmodel = 'cnn9'\n", "--model 'cnn9': not a model"),
        ("[[runs]]\nlabels = '/nowhere.npy'\n", "line 1: labels /nowhere.npy: cannot be read (No such file or directory)"),
        (
            "[[runs]]\nloss = 'amse'\nnoise = { kind = 'symmetric', eta = 0.4 }\nparameters.a = { times_threshold = [2, '1/2'] }\n",
            "the run parameters.a = 0.5 x threshold: amse: a = 0.9 is outside its domain",
        ),
        (
            "[[runs]]\nloss = 'amse'\nnoise = { kind = 'pair', eta = 0.6 }\nparameters.a.times_threshold = 1\n",
            "parameters.a: has no threshold on this noise (never",
        ),
        ("[[runs]]\nloss = 'amse'\nparameters.a.times_threshold = 1\n", "clean labels have no threshold; name a noise"),
        ("[[runs]]\nparameters.a.times_treshold = 1\n", "line 2: parameters.a: 'times_treshold' is not known here; did you mean"),
        ("[[runs]]\nparameters.a.times_threshold = [0, 1]\n", "line 2: parameters.a: multiples of the threshold must be > 0"),
        (
            "[[runs]]\nparameters = { a.times_threshold = 1, q.times_threshold = 1 }\n",
            "parameters.a and parameters.q: only one parameter of a run",
        ),
        ("[[runs]]\nseeds = 100001\n", "line 2: seeds 100001: at most 10000 is allowed"),
        ("[[runs]\n", "plan.toml: "),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_meant(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(tmp_path, text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"plan {tmp_path}")
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------ each run once


class Here:
    """An engine in this process; ``before`` may raise in place of a run, as a dead process would."""

    def __init__(self, before: Callable[[Task], None] = lambda task: None, slots: int = 1) -> None:
        self.slots: int | None = slots
        self.before = before
        self.trained: list[int] = []
        self.renewed = 0
        self.closed: bool | None = None

    def submit(self, task: Task) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        try:
            self.before(task)
            self.trained.append(task.config.seed)
            future.set_result(execute(task))
        except Exception as error:
            future.set_exception(error)
        return future

    def call(self, work: Callable[..., Any], *tasks: Task) -> Future[Any]:
        future: Future[Any] = Future()
        self.trained += [task.config.seed for task in tasks]
        future.set_result(work(*tasks))
        return future

    def renew(self) -> None:
        self.renewed += 1

    def close(self, now: bool) -> None:
        self.closed = now


class Watcher(Table):
    """A table of plain lines that runs a function at every look."""

    def __init__(
        self, plan: Plan, store: Store, at: Callable[[Sequence[PlannedRun]], None] = lambda running: None
    ) -> None:
        super().__init__(plan, store, len(plan.points), live=False, stream=StringIO())
        self.at = at

    def look(self, running: Sequence[PlannedRun], waiting: int) -> None:
        self.at(running)

    @property
    def text(self) -> str:
        assert isinstance(self.stream, StringIO)
        return self.stream.getvalue()


def trained(plan: Plan, folder: Path, engine: Any, retry: bool = False, keep: bool = False) -> str:
    with Store.hold(folder) as store:
        view = Watcher(plan, store)
        sweep(pending(plan, store, retry), store, engine, view, keep)
    return view.text


def seeds(folder: Path) -> list[int]:
    return [line["seed"] for line in read(folder / "results.jsonl")]


def test_each_run_has_one_line_and_is_never_trained_again(tmp_path: Path) -> None:
    plan, out, engine = planned(tmp_path, THREE), tmp_path / "out", Here()
    said = trained(plan, out, engine)
    assert (engine.trained, seeds(out), engine.closed) == ([0, 1, 2], [0, 1, 2], False)
    assert "[1/3] seed 0: test" in said
    assert list((out / "runs").iterdir()) == []
    assert [line["key"] for line in read(out / "results.jsonl")] == [point.key for point in plan.points]
    line = read(out / "results.jsonl")[1]
    assert line["last"]["test"] == pytest.approx(run(plan.points[1].config).last.test, abs=1e-6)
    more = planned(tmp_path, THREE.replace("seeds = 3", "seeds = 4"))
    again = Here()
    trained(more, out, again)
    assert (again.trained, seeds(out)) == ([3], [0, 1, 2, 3])


def test_what_is_kept_of_a_finished_run(tmp_path: Path) -> None:
    plan, out = planned(tmp_path, THREE.replace("seeds = 3", "seeds = 1")), tmp_path / "out"
    trained(plan, out, Here(), keep=True)
    model, config = trained_model(out / "runs" / plan.points[0].key[:16])
    assert (config.loss, sum(p.numel() for p in model.parameters()) > 0) == ("amse", True)


def test_a_folder_that_another_process_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (point, *_) = planned(tmp_path, THREE).points
    task = Task(point.key, point.config, str(tmp_path), "mine")
    task.place.mkdir(parents=True)
    (tmp_path / ".sweep-mine").touch()
    monkeypatch.setattr(sweeping, "TICK", 0.02)
    with ThreadPoolExecutor(1) as pool:
        with locked(task.place):
            future = pool.submit(execute, task)
            time.sleep(0.2)
            assert not future.done()
        assert future.result().line is not None
        monkeypatch.setattr(sweeping, "PATIENCE", 0.1)
        with locked(task.place):
            assert "another run is writing there" in pool.submit(execute, task).result().message


def test_runs_are_spread_over_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, Future[Outcome]]] = []

    class Pool:
        def submit(self, function: Any, task: Task) -> Future[Outcome]:
            given.append((task.config.device, Future()))
            return given[-1][1]

    monkeypatch.setattr(sweeping, "processes", lambda jobs, threads: Pool())
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    engine = LocalEngine(4, 1)

    def submit(device: str) -> None:
        config = TrainConfig(loss="ce", device=device)
        engine.submit(Task(run_key(config), config, str(tmp_path), "mine"))

    for device in ("auto", "cuda", "auto", "cpu", "cuda:1"):
        submit(device)
    assert [device for device, _ in given] == ["cuda:0", "cuda:1", "cuda:0", "cpu", "cuda:1"]
    given[1][1].set_result(Outcome())
    submit("auto")
    assert given[-1][0] == "cuda:1"
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    engine = LocalEngine(4, 1)
    submit("auto")
    assert given[-1][0] == "auto"


def test_a_torn_line_is_repaired_and_its_run_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, out = planned(tmp_path, THREE), tmp_path / "out"
    trained(plan, out, Here())
    content = (out / "results.jsonl").read_bytes()
    (out / "results.jsonl").write_bytes(content[:-40])
    with Store.hold(out) as store:  # at once, not only when a line is added
        assert (out / "results.jsonl").read_bytes() == b"".join(content.splitlines(keepends=True)[:2])
        assert list(store.lines) == [point.key for point in plan.points[:2]]
    engine = Here()
    trained(plan, out, engine)
    assert "a torn last line" in capsys.readouterr().err
    assert (engine.trained, seeds(out)) == ([2], [0, 1, 2])
    (out / "results.jsonl").write_bytes(b"{torn}\n" + content)
    with pytest.raises(InputError, match=r"results\.jsonl, line 1: is not JSON"):
        trained(plan, out, Here())


def test_two_sweeps_never_write_into_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, out = written(tmp_path, THREE), tmp_path / "out"
    with (
        Store.hold(out),
        pytest.raises(InputError, match=f"--out {out}: another sweep is writing there; wait for it or name another"),
    ):
        command([str(plan), "--out", str(out)])
    with Store.hold(out):
        pass


def test_a_failure_is_recorded_and_trained_again_on_demand(tmp_path: Path) -> None:
    text = THREE.replace("seeds = 3", 'rate = [0.01, 1e30]\nclip = inf\nmomentum = 0\nformula = "(1-u)*1000"')
    plan, out, engine = planned(tmp_path, text.replace('loss = "amse"\n', "")), tmp_path / "out", Here()
    text = trained(plan, out, engine)
    bad = plan.points[1]
    (failure,) = read(out / "failures.jsonl")
    assert (failure["key"], failure["error"]) == (bad.key, "DivergedError")
    assert failure["message"].startswith("the loss is nan in epoch 1")
    assert failure["config"]["rate"] == 1e30
    assert "failed: DivergedError: the loss is nan" in text
    assert [line["key"] for line in read(out / "results.jsonl")] == [plan.points[0].key]
    again = Here()
    trained(plan, out, again)
    assert again.trained == []
    trained(plan, out, again, retry=True)
    assert again.trained == [0]
    assert len(read(out / "failures.jsonl")) == 2
    append(out / "results.jsonl", {**read(out / "results.jsonl")[0], "key": bad.key})
    assert Store.look(out).failures == {}  # a run that came to its end has not failed


def test_a_deadly_run_is_found_and_the_others_are_not_blamed(tmp_path: Path) -> None:
    plan, out = planned(tmp_path, THREE.replace("seeds = 3", "seeds = 4")), tmp_path / "out"

    class Shared(Here):
        """Two runs at once; the one of seed 0 kills its process and the other that is there."""

        def submit(self, task: Task) -> Future[Outcome]:
            self.held = [*getattr(self, "held", []), (task, Future())]
            return self.held[-1][1]

        def end(self) -> None:
            held, self.held = self.held, []
            deadly = any(task.config.seed == 0 for task, _ in held)
            self.seen.append(sorted(task.config.seed for task, _ in held))
            for task, future in held:
                if deadly:
                    future.set_exception(BrokenExecutor("killed"))
                else:
                    future.set_result(execute(task))

        seen: list[list[int]] = []  # noqa: RUF012

    engine = Shared(slots=2)
    with Store.hold(out) as store:
        view = Watcher(plan, store, lambda running: engine.end())
        sweep(plan.points, store, engine, view)
    assert engine.seen == [[0, 1], [2, 3], [0, 1], [0], [1]]
    (failure,) = read(out / "failures.jsonl")
    assert (failure["error"], failure["config"]["seed"]) == ("ProcessDied", 0)
    assert sorted(seeds(out)) == [1, 2, 3]
    assert engine.renewed == DEATHS


def test_a_run_that_is_out_of_memory_has_another_chance_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, out = planned(tmp_path, THREE), tmp_path / "out"
    short = iter([True, False, False, True])
    real = run

    def crowded(config: TrainConfig, *rest: Any, **options: Any) -> Any:
        if next(short, False):
            raise MemoryError
        return real(config, *rest, **options)

    monkeypatch.setattr(sweeping, "run", crowded)
    engine = Here()
    trained(plan, out, engine)
    assert engine.trained == [0, 1, 2, 0, 0]
    assert sorted(seeds(out)) == [0, 1, 2]
    assert not (out / "failures.jsonl").exists()


def test_an_interrupted_sweep_keeps_what_is_done_and_goes_on(tmp_path: Path) -> None:
    plan, out = planned(tmp_path, THREE), tmp_path / "out"

    def interrupt(task: Task) -> None:
        if task.config.seed == 2:
            raise_in_view.append(True)

    raise_in_view: list[bool] = []

    def look(running: Sequence[PlannedRun]) -> None:
        if raise_in_view:
            raise KeyboardInterrupt

    engine = Here(interrupt)
    with Store.hold(out) as store, pytest.raises(KeyboardInterrupt):
        sweep(plan.points, store, engine, Watcher(plan, store, look))
    assert engine.closed is True
    assert seeds(out) == [0, 1, 2]  # the last had just finished
    assert list(out.glob(".sweep-*")) == []


def test_a_run_that_nobody_waits_for_stops_after_its_epoch(tmp_path: Path) -> None:
    (point, *_) = planned(tmp_path, THREE).points
    (tmp_path / "runs").mkdir()
    task = Task(point.key, point.config, str(tmp_path), "gone")
    outcome = execute(task)
    assert (outcome.line, outcome.error) == (None, "AbandonedError")
    assert (task.place / "checkpoint.pt").exists()
    (task.place / "checkpoint.pt").write_bytes(b"damaged")
    (tmp_path / ".sweep-gone").touch()
    assert execute(task).line is not None
    with Store.hold(tmp_path):  # another sweep begins
        assert not (tmp_path / ".sweep-gone").exists()


def test_a_worker_without_the_folder_trains_without_checkpoints(tmp_path: Path) -> None:
    (point, *_) = planned(tmp_path, THREE).points
    assert execute(Task(point.key, point.config, str(tmp_path / "elsewhere"), "mine")).line is not None
    assert not (tmp_path / "elsewhere").exists()


# ------------------------------------------------------------------------------------------------------ real processes

LONG = f'[defaults]\n{TINY}epochs = %d\nbatch = 60\nevaluate = 50\n{NOISY}[[runs]]\nloss = "amse"\nseeds = %d\n'
LONG = LONG.replace("batch = 20\n", "")


def progress(out: Path, not_of: int = 0) -> dict[str, Any] | None:
    """Of a run that another process than ``not_of`` trains."""
    for path in out.glob("runs/*/progress.json"):
        found: dict[str, Any] = json.loads(path.read_text())
        if found["pid"] != not_of:
            return found
    return None


needs_distributed = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None,
    reason="dask.distributed is missing: pip install 'asymtheory[cluster]'",
)


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C reaches a process group on POSIX only")
@pytest.mark.slow
def test_a_killed_process_then_ctrl_c_then_the_end(tmp_path: Path) -> None:
    path, out = written(tmp_path, LONG % (1500, 1)), tmp_path / "out"
    arguments = [sys.executable, "-m", "asymtheory_training", "sweep", str(path), "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=tmp_path)

    def seen(not_of: int = 0) -> int:
        end = time.monotonic() + 120
        while (found := progress(out, not_of)) is None:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        return int(found["pid"])

    try:
        first = seen()
        os.kill(first, signal.SIGKILL)
        seen(not_of=first)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 130
    assert said.splitlines()[1:] == [
        "AMSE (a = 30, q = 2): its process ended early; it goes on from its last checkpoint",
        "asymtheory sweep: stopped; 1 run is left, the same command goes on",
    ]
    plan = read_plan(path)
    (place,) = out.glob("runs/*/checkpoint.pt")
    started = checkpoint.load(place)["started"]
    trained(plan, out, Here())
    (line,) = read(out / "results.jsonl")
    assert line["started"] == started
    assert [epoch["epoch"] for epoch in line["curve"]] == list(range(1, 1501))


@needs_distributed
@pytest.mark.slow
def test_a_cluster_loses_nothing_when_a_worker_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asymtheory_training.sweep.cluster import ClusterEngine
    from distributed import LocalCluster

    monkeypatch.setattr(sweeping, "TICK", 0.02)
    plan, out = planned(tmp_path, LONG % (300, 3)), tmp_path / "out"
    killed: dict[str, str] = {}

    def kill(running: Sequence[PlannedRun]) -> None:
        for point in running:
            found = store.progress(point)
            if found is not None and not killed:
                os.kill(found["pid"], signal.SIGKILL)
                killed[point.key] = checkpoint.load(out / "runs" / point.key[:16] / "checkpoint.pt")["started"]

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50,
            local_directory=str(tmp_path), resources={"GPU": 1},
        ) as cluster,
        Store.hold(out) as store,
    ):  # fmt: skip
        engine = ClusterEngine(cluster.scheduler_address, {"GPU": 1})
        assert len(engine.workers()) == 2
        view = Watcher(plan, store, kill)
        sweep(plan.points, store, engine, view)
    lines = {line["key"]: line for line in read(out / "results.jsonl")}
    assert len(read(out / "results.jsonl")) == 3, view.text
    assert set(lines) == {point.key for point in plan.points}
    for key, started in killed.items():
        assert lines[key]["started"] == started
    for line in lines.values():
        assert [epoch["epoch"] for epoch in line["curve"]] == list(range(1, 301))
    assert killed
    assert not (out / "failures.jsonl").exists()


@needs_distributed
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:9", "--scheduler tcp://127.0.0.1:9: no scheduler answers there ("),
        ("nonsense", "--scheduler nonsense: tcp://HOST:PORT is needed (missing port number"),
    ],
)
def test_where_no_scheduler_is(monkeypatch: pytest.MonkeyPatch, address: str, said: str) -> None:
    from asymtheory_training.sweep import cluster

    monkeypatch.setattr(cluster, "TIMEOUT", 0.3)
    with pytest.raises(InputError) as caught:
        cluster.ClusterEngine(address)
    assert str(caught.value).startswith(said)


@needs_distributed
def test_workers_of_several_threads_are_refused(tmp_path: Path) -> None:
    from asymtheory_training.sweep.cluster import ClusterEngine
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", dashboard_address=None, silence_logs=50,
        local_directory=str(tmp_path),
    ) as cluster:  # fmt: skip
        with pytest.raises(InputError, match=r"has 2 threads; start workers with --nthreads 1"):
            ClusterEngine(cluster.scheduler_address)


def test_resources_of_a_run() -> None:
    from asymtheory_training.sweep.cluster import parse_resources

    assert parse_resources("GPU=1, MEMORY=2e9") == {"GPU": 1.0, "MEMORY": 2e9}
    for text in ("GPU", "GPU=", "=1", "GPU=-1", "GPU=inf", "GPU=nan", ""):
        with pytest.raises(InputError, match="NAME=AMOUNT is needed"):
            parse_resources(text)


# ------------------------------------------------------------------------------------------------------ the command


def test_the_command_trains_reports_and_leaves_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_work, "LocalEngine", lambda jobs, threads, room: Here(slots=jobs))
    text = THREE.replace("seeds = 3", "seeds = 2\nparameters.a = { times_threshold = [1, 2] }")
    path = written(tmp_path, text)
    assert command([str(path)]) == 0
    first = capsys.readouterr()
    assert first.err.splitlines()[0] == f"asymtheory sweep: 4 runs in {tmp_path / 'plan'}"
    rows = first.out.splitlines()
    assert rows[0].split() == ["run", "seeds", "test,", "last", "epoch", "memorised"]
    assert [row.split()[:3] for row in rows[1:]] == [["a", "1.8", "2"], ["a", "3.6", "2"]]
    assert all(" ± " in row for row in rows[1:])
    lines = read(tmp_path / "plan" / "results.jsonl")
    assert sorted(line["times_threshold"]["a"] for line in lines) == [1.0, 1.0, 2.0, 2.0]
    assert command([str(path), "--json"]) == 0
    second = capsys.readouterr()
    assert second.err == f"asymtheory sweep: 4 runs in {tmp_path / 'plan'}, 4 done before\n"
    facts = json.loads(second.out)
    assert (facts["runs"], facts["done"], facts["handed_out"], facts["failures"]) == (4, 4, 0, [])
    last = [line["last"]["test"] for line in lines if line["times_threshold"]["a"] == 1]
    assert facts["groups"][0]["mean"] == pytest.approx(sum(last) / 2)
    assert facts["groups"][0]["std"] == pytest.approx(abs(last[0] - last[1]) / 2**0.5)


def test_a_failure_is_said_in_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(task: Task) -> None:
        raise RuntimeError("no such luck\nwith details")

    monkeypatch.setattr(sweep_work, "LocalEngine", lambda jobs, threads, room: Here(fail))
    path = written(tmp_path, THREE.replace("seeds = 3", ""))
    assert command([str(path), "--out", str(tmp_path / "x")]) == 1
    found = capsys.readouterr()
    assert found.out.splitlines()[-1].endswith("RuntimeError: no such luck")
    assert command([str(path), "--out", str(tmp_path / "x")]) == 1
    assert "1 failed before (--retry trains them again)" in capsys.readouterr().err
    for more, left in (([], 0), (["--retry"], 1)):
        assert command([str(path), "--out", str(tmp_path / "x"), "--dry-run", *more]) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0].split()[1] == "failed"
        assert said[1].startswith(f"1 run, {left} to do")
    monkeypatch.setattr(sweep_work, "LocalEngine", lambda jobs, threads, room: Here())
    assert command([str(path), "--out", str(tmp_path / "x"), "--retry"]) == 0
    assert "failed" not in capsys.readouterr().out


def test_the_dry_run_trains_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, THREE)
    assert command([str(path), "--dry-run", "--jobs", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    plan = read_plan(path)
    assert said[:3] == [f"{point.key[:8]}  to do   seed {seed}" for seed, point in enumerate(plan.points)]
    assert said[3].startswith("3 runs, 3 to do, 3 of them in 1 stack: about ")
    assert said[3].endswith(" with 1 at once")
    assert said[4].startswith("  digits mlp: ")
    assert said[4].endswith("measured now")
    assert list(tmp_path.iterdir()) == [path]
    assert command([str(path), "--dry-run", "--json"]) == 0
    assert [each["state"] for each in json.loads(capsys.readouterr().out)["runs"]] == ["to do"] * 3


def test_the_estimate_uses_what_was_measured_before(tmp_path: Path) -> None:
    plan = planned(tmp_path, THREE)
    config = plan.points[0].config.to_dict()
    lines = [
        {"config": config, "seconds": seconds, "device": {"type": kind}}
        for seconds, kind in ((10.0, "cpu"), (30.0, "cpu"), (20.0, "cpu"), (0.1, "tpu"))
    ]
    work = [(point,) for point in plan.points]
    found = estimate(work, lines, 2, 1)
    assert found.seconds == pytest.approx(3 * 20 / 2)  # median 20 s for 2 epochs
    assert "10 s an epoch, from 3 finished runs" in str(found)
    assert estimate(work, lines, 8, 1).seconds == pytest.approx(20)  # no faster than its longest run
    assert estimate(work[:1], [], 1, 1).seconds > 0  # measured now


def test_what_cannot_be_measured_is_said_once(tmp_path: Path) -> None:
    text = f'[defaults]\ndataset = "mnist"\ndata_dir = "{tmp_path}"\n[[runs]]\nloss = "ce"\nbatch = [32, 64]\n'
    found = estimate([(point,) for point in planned(tmp_path, text).points], [], 1, 1)
    assert str(found).startswith("no estimate\n  mnist cnn4: not measured: ")
    assert len(found.unknown) == 1


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (12000, "3 h 20 min"), (2e5, "2 d 7 h")]
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "a plan is needed: a file, or a name of asymtheory sweep --list"),
        (["nowhere.toml"], "plan nowhere.toml: neither a file nor a plan of that name exists"),
        (["plan.toml", "--jobs", "0"], "--jobs 0: a whole number >= 1 is needed"),
        (["plan.toml", "--jobs", "2", "--scheduler", "tcp://x"], "--jobs is of this machine"),
        (["plan.toml", "--resources", "GPU=1"], "--resources goes with --scheduler"),
        (
            ["plan.toml", "--scheduler", "tcp://127.0.0.1:9", "--resources", "GPU"],
            "--resources GPU: NAME=AMOUNT is needed",
        ),
    ],
)
def test_options_that_cannot_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, THREE)
    with pytest.raises(InputError) as caught:
        command(arguments)
    assert said in str(caught.value)


def test_data_that_are_not_there_are_said_before_the_first_run(tmp_path: Path) -> None:
    path = written(tmp_path, f'[[runs]]\nloss = "ce"\ndataset = "mnist"\ndata_dir = "{tmp_path}"\n')
    with pytest.raises(InputError, match="MNIST"):
        command([str(path), "--jobs", "1"])
    path = written(tmp_path, '[[runs]]\nloss = "ce"\nsubset = [60, 9000]\n')
    with pytest.raises(InputError, match="subset 9000"):
        command([str(path), "--jobs", "1"])


def test_without_the_extra_the_line_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'asymtheory\[cluster\]'"):
        command([str(written(tmp_path, THREE)), "--scheduler", "tcp://127.0.0.1:9"])


# ------------------------------------------------------------------------------------------------------ the live table


def test_the_live_table_redraws_what_is_running(tmp_path: Path) -> None:
    plan, stream = planned(tmp_path, THREE), StringIO()
    with Store.hold(tmp_path / "out") as store:
        place = tmp_path / "out" / "runs" / plan.points[1].key[:16]
        place.mkdir()
        (place / "progress.json").write_text('{"epoch": 1, "epochs": 2, "test": 0.5, "pid": 1}')
        table = Table(plan, store, 3, live=True, stream=stream)
        table.look(plan.points[:2], 1)
        first = stream.getvalue()
        shown = (
            re.escape("  seed 1  epoch 1/2  test 50.00 %\n0 of 3 done, 2 running, 1 waiting, about ")
            + "[0-9]+ s left\n"
        )
        assert re.fullmatch(shown, first)
        table.failed(plan.points[0], Outcome(error="E", message="m"))
        table.look(plan.points[1:2], 1)
        table.close()
    after = stream.getvalue().removeprefix(first)
    assert after.startswith("\x1b[2A\x1b[J[1/3] seed 0: failed: E: m\n  seed 1  epoch 1/2")
    assert "1 of 3 done, 1 failed, 1 running, 1 waiting, about " in after
    assert after.endswith("\x1b[2A\x1b[J")


def test_runs_whose_values_are_shown_alike_are_not_of_one_group(tmp_path: Path) -> None:
    plan = planned(tmp_path, '[[runs]]\nloss = "amse"\nparameters = { a = [3.3333331, 3.3333332] }\nseeds = 2\n')
    assert [row["run"] for row in groups(plan, Store.look(tmp_path / "out"))] == ["a 3.33333", "a 3.33333"]


def test_groups_without_results_say_so(tmp_path: Path) -> None:
    plan = planned(tmp_path, THREE)
    rows = groups(plan, Store.look(tmp_path / "out"))
    assert rows == [
        {
            "run": plan.label(plan.points[0], seed=False),
            "seeds": 0,
            "last": [],
            "mean": None,
            "std": None,
            "memorised": None,
        }
    ]
    assert summary(rows).splitlines()[1].split()[-2:] == ["-", "-"]
