"""The command ``asymtheory sweep``: train all runs of a plan, each once, and go on where it was stopped."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from asymtheory.commands.options import ANSWERED, MOST_PROCESSES, NO, Parser, count_given, print_json, say
from asymtheory.errors import InputError
from asymtheory.numbers.text import plural

from .options import say_readings

if TYPE_CHECKING:
    from ..sweep.arrange import Work
    from ..sweep.flow import Store
    from ..sweep.plan import Plan, PlannedRun

# Modules that load torch are imported by the functions that need them: torch takes seconds, and --help should not wait.

STOPPED = 130


def sweep(arguments: list[str]) -> int:
    """``asymtheory sweep``; returns the exit status: 0 all runs are in the results, 1 some failed, 130 stopped."""
    options = build_parser().parse_args(arguments)
    if options.list:
        return _list(options)
    if options.plan is None:
        raise InputError("a plan is needed: a file, or a name of asymtheory sweep --list")
    if options.scheduler is not None and options.jobs is not None:
        raise InputError("--jobs is of this machine; with --scheduler its workers are as many as were started")
    if options.resources is not None and options.scheduler is None:
        raise InputError("--resources goes with --scheduler")
    jobs = None if options.jobs is None else count_given(options.jobs, "--jobs", 1, MOST_PROCESSES)
    from ..sweep.flow import Store, pending
    from ..sweep.grammar import ONLY, SET, parse_settings
    from ..sweep.plan import read_plan
    from ..sweep.shipped import find, results_of

    path = find(options.plan)
    say_readings("sweep")
    plan = read_plan(path, parse_settings(options.set, SET), parse_settings(options.only, ONLY))
    folder = results_of(options.plan, path) if options.out is None else Path(options.out)
    if options.dry_run:
        return _dry_run(plan, Store.look(folder), jobs, options)
    with _terminated_as_interrupted(), Store.hold(folder) as store:
        points = pending(plan, store, options.retry)
        try:
            _train(plan, points, store, jobs, options)
        except KeyboardInterrupt:
            left = len(pending(plan, store, True))
            rest = "1 run is left" if left == 1 else f"{left} runs are left"
            _say(f"stopped; {rest}, the same command goes on")
            return STOPPED
        return _report(plan, store, len(points), options)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(
        prog="asymtheory sweep",
        description="Train all runs of a plan (TOML: [defaults] and [[runs]] with grids; see docs/sweeps.md). Runs that are in "
        "DIR/results.jsonl already are left out, runs that were stopped go on from their checkpoints.",
    )
    parser.add_argument("plan", nargs="?", metavar="PLAN", help="the plan: a TOML file, or a name of --list")
    parser.add_argument("--list", action="store_true", help="list the plans of the papers' figures and tables")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings of all runs that go before those of the plan, such as dataset=digits epochs=40 noise.eta=[0.2,0.4]",
    )
    parser.add_argument(
        "--only", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="only the runs to which the plan gives these values, such as dataset=cifar10",
    )  # fmt: skip
    parser.add_argument("--out", metavar="DIR", help="results.jsonl, failures.jsonl and runs/ (default: PLAN)")
    parser.add_argument("--dry-run", action="store_true", help="list the runs and estimate the time; train nothing")
    parser.add_argument(
        "--jobs",
        metavar="N",
        help="runs at once on this machine (default: one a core; on GPUs as many of these as their memory holds)",
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="train on the workers of a dask.distributed scheduler")
    parser.add_argument("--resources", metavar="NAME=X", help="with --scheduler: what a run takes, such as GPU=1")
    parser.add_argument("--retry", action="store_true", help="train runs again that failed in an earlier sweep")
    parser.add_argument(
        "--keep", action="store_true", help="keep the checkpoints (networks) of finished runs; without stacks"
    )
    parser.add_argument(
        "--no-stack",
        action="store_true",
        help="train perceptrons that differ in seed and one loss parameter one by one, not as one batch",
    )
    parser.add_argument("--json", action="store_true", help="the list, or the summary, as JSON")
    return parser


def _list(options: argparse.Namespace) -> int:
    from ..sweep.plan import size
    from ..sweep.shipped import shipped

    found = [(plan.name, size(plan.path), plan.title) for plan in shipped()]
    if options.json:
        print_json([{"name": name, "runs": runs, "title": title} for name, runs, title in found])
    else:
        width = max(len(name) for name, _, _ in found)
        say("\n".join(f"{name:<{width}}  {runs:>4} runs  {title}" for name, runs, title in found))
    return ANSWERED


def _train(
    plan: Plan, points: Sequence[PlannedRun], store: Store, jobs: int | None, options: argparse.Namespace
) -> None:
    from ..sweep.flow import Engine, sweep
    from ..sweep.table import Table

    already = sum(point.key in store.lines for point in plan.points)
    failed = len(plan.points) - already - len(points)
    facts = [f"{plural(len(plan.points), 'run')} in {store.folder}", *([f"{already} done before"] if already else [])]
    facts += [f"{failed} failed before (--retry trains them again)"] if failed else []
    facts += [f"{plan.repeated} named twice"] if plan.repeated else []
    _say(", ".join(facts))
    if not points:
        return
    engine: Engine
    if options.scheduler is not None:
        from ..sweep.cluster import ClusterEngine, parse_resources

        resources = None if options.resources is None else parse_resources(options.resources)
        engine = cluster = ClusterEngine(options.scheduler, resources)
        if not cluster.workers():
            _say("the scheduler has no workers yet; waiting for them")
    else:
        check_data(points)
        work = _arranged(plan, points, store, jobs, options)
        engine, points = work.engine(), work.points
        if work.stacks:
            _say(f"{plural(work.stacked, 'small run')} in {plural(len(work.stacks), 'stack')}")
        if work.room is not None:
            _say(f"{work.jobs} at once, by the memory of {plural(len(work.room.free), 'GPU')}: {work.room}")
    table = Table(plan, store, len(points), live=sys.stderr.isatty())
    try:
        sweep(points, store, engine, table, options.keep)
    finally:
        table.close()


def _say(text: str) -> None:
    print(f"asymtheory sweep: {text}", file=sys.stderr)


def _arranged(
    plan: Plan, points: Sequence[PlannedRun], store: Store, jobs: int | None, options: argparse.Namespace
) -> Work:
    """Networks that are kept are trained one by one: a stack leaves none behind. Nor does a worker of a cluster stack."""
    from ..sweep.arrange import arrange

    stack = not (options.no_stack or options.keep or options.scheduler)
    return arrange(points, store.folder, jobs, stack, plan.points)


def check_data(points: Sequence[PlannedRun]) -> None:
    """Refuse before the first run what would fail in all: data that are not there, a subset of more than there is."""
    from ..sweep.plan import images_of

    tried = set()
    for config in (point.config for point in points):
        data = (config.dataset, config.data_dir, config.download, config.subset)
        if data not in tried:
            images_of(config)
            tried.add(data)


def _report(plan: Plan, store: Store, trained: int, options: argparse.Namespace) -> int:
    from ..sweep.table import first_line, groups, summary

    failures = [store.failures[point.key] for point in plan.points if point.key in store.failures]
    rows = groups(plan, store)
    if options.json:
        done = sum(point.key in store.lines for point in plan.points)
        facts = {"folder": str(store.folder), "runs": len(plan.points), "done": done, "handed_out": trained}
        print_json({**facts, "failures": failures, "groups": rows})
    else:
        say(lambda: summary(rows))
        for failure in failures:
            print(f"failed: {failure['key'][:8]} {failure['error']}: {first_line(failure['message'])}")
    return NO if failures else ANSWERED


def _dry_run(plan: Plan, store: Store, jobs: int | None, options: argparse.Namespace) -> int:
    from ..sweep.estimate import estimate
    from ..sweep.flow import pending

    todo = pending(plan, store, options.retry)
    work = _arranged(plan, todo, store, jobs, options)
    found = estimate(work.units, store.lines.values(), work.jobs, work.threads)

    def state(point: PlannedRun) -> str:
        return "done" if point.key in store.lines else "failed" if point.key in store.failures else "to do"

    if options.json:
        runs = [
            {"key": point.key, "state": state(point), "run": plan.label(point), "config": point.config.to_dict()}
            for point in plan.points
        ]
        facts = {
            "folder": str(store.folder),
            "runs": runs,
            "seconds": found.seconds if found.costs or not todo else None,
        }
        print_json({**facts, "jobs": work.jobs, "stacks": [[point.key for point in stack] for stack in work.stacks]})
        return ANSWERED
    for point in plan.points:
        print(f"{point.key[:8]}  {state(point):<6}  {plan.label(point)}")
    repeated = f" ({plan.repeated} named twice)" if plan.repeated else ""
    stacked = f", {work.stacked} of them in {plural(len(work.stacks), 'stack')}" if work.stacks else ""
    print(f"{plural(len(plan.points), 'run')}{repeated}, {len(todo)} to do{stacked}" + (f": {found}" if todo else ""))
    return ANSWERED


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM (a batch system at its time limit) stops as Ctrl-C does, here in the main thread."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
