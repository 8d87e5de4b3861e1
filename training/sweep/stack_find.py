"""Which runs of a sweep are one stacked batch: perceptrons and linear heads, alike but for seeds and one parameter of their loss.

A stack of an earlier sweep that was stopped is found again as it was, by the list of its runs beside its checkpoint: the last
digits of a stacked model depend on the models beside it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from pathlib import Path

import torch

from asymtheory.errors import InputError
from asymtheory.losses import Loss
from asymtheory.reading.documents import parse_json, read_text
from asymtheory.shapes import has_shape

from ..data.sets import IN_FILES
from ..losses.registry import baseline
from ..run import checkpoint
from ..run.config import TrainConfig
from ..run.models import STACKED
from ..run.schedule import Ramp, Schedule
from .flow import place_of
from .plan import PlannedRun

LARGEST = 64  # runs in one batch: more gain nothing and hold everything up that is waiting for their lines
BESIDE = ("seed", "parameters")  # settings in which the runs of a stack may differ
STACK = "stack"  # folder in that of the last run, which is recorded when all others are
MEMBERS = "members.json"  # keys of all runs

Stack = tuple[PlannedRun, ...]
Where = tuple[int, int]  # seed of a run, seed of its labels


def family_of(config: TrainConfig) -> tuple[Loss, str | None] | None:
    """The loss of a run that can be stacked and the parameter that may vary in the stack; None for other runs."""
    if (
        config.model not in STACKED or config.dataset in IN_FILES or config.formula is not None or config.probe
        or config.balanced is not None or config.pretrained or config.measure != "running" or config.compile != "off"
        or config.regularisation == "jacobian"
    ):  # fmt: skip
        return None
    on_gpu = config.device != "cpu" and torch.cuda.is_available()
    bfloat16 = config.precision == "bfloat16" or (config.precision == "auto" and on_gpu)  # which a stack does not have
    assert config.loss is not None
    if bfloat16 or baseline(config.loss) is not None:
        return None
    loss = config.core_loss()
    varies = loss.main is not None and not loss.domains[loss.main].integer
    way = Schedule.parse(config.schedule).way
    if way is not None and way.signal is not None:
        return None  # it comes to each run at a time of its own
    if isinstance(way, Ramp) and not (varies and way.parameter == loss.main):
        return None
    return loss, loss.main if varies else None


def stacks(points: Sequence[PlannedRun], folder: Path, jobs: int, plan: Sequence[PlannedRun] = ()) -> list[Stack]:
    """Runs that are trained together, each once: every seed with every value, the values of a seed side by side.

    Runs that have a checkpoint of their own in ``folder`` go on alone. There are as many stacks as ``jobs`` where there are runs
    enough. A stack that was stopped is as it was, runs of the ``plan`` that are recorded already included.
    """
    found = _stopped(points, folder, plan)
    again = {point.key for stack in found for point in stack}
    alike: dict[str, dict[Hashable, dict[Where, PlannedRun]]] = {}
    for point in points:
        config = point.config
        family = family_of(config)
        if family is None or point.key in again or (place_of(folder, point.key) / checkpoint.NAME).exists():
            continue
        loss, main = family
        facts = {name: value for name, value in config.to_dict().items() if name not in BESIDE}
        facts["noise"] = {name: value for name, value in facts["noise"].items() if name != "seed"}
        rest = {name: str(value) for name, value in loss.parameters.items() if name != main}
        value = None if main is None else loss.parameters[main]
        by_value = alike.setdefault(json.dumps([facts, rest], sort_keys=True), {})
        by_value.setdefault(value, {})[config.seed, config.noise.seed] = point
    blocks = []
    for by_value in alike.values():
        shared: dict[tuple[Where, ...], list[Hashable]] = {}  # values that have the same seeds
        for value, by_seed in by_value.items():
            shared.setdefault(tuple(sorted(by_seed)), []).append(value)
        blocks += [
            [[by_value[value][where] for value in values] for where in seeds] for seeds, values in shared.items()
        ]
    wanted = -(-jobs // max(1, len(blocks) + len(found)))
    return found + [stack for block in blocks for stack in _cut(block, wanted) if len(stack) > 1]


def _stopped(points: Sequence[PlannedRun], folder: Path, plan: Sequence[PlannedRun]) -> list[Stack]:
    """Stacks of which a run is left, all of them runs of the plan."""
    known = {point.key: point for point in (*plan, *points)}
    found = []
    for point in points:
        try:
            keys = parse_json(read_text(place_of(folder, point.key) / STACK / MEMBERS, "stack"), "stack")
        except InputError:
            continue
        if has_shape(keys, [str]) and known.keys() >= set(keys) and len(keys) == len(set(keys)) > 1:
            found.append(tuple(known[key] for key in keys))
    return found


def _cut(block: list[list[PlannedRun]], wanted: int) -> list[Stack]:
    """A block (seeds, values) in ``wanted`` parts, or more where it is large: by seeds (they share images), then by values."""
    seeds, values = len(block), len(block[0])
    rows = max(1, min(-(-seeds // min(wanted, seeds)), LARGEST // values))
    columns = min(LARGEST // rows, -(-values // -(-wanted // seeds)))
    return [
        tuple(point for row in block[i : i + rows] for point in row[j : j + columns])
        for i in range(0, seeds, rows)
        for j in range(0, values, columns)
    ]


def ordered(points: Sequence[PlannedRun], found: Sequence[Stack]) -> list[PlannedRun]:
    """The runs in their order, those of a stack side by side at the place of the first of them."""
    left = {point.key for point in points}
    of = {point.key: stack for stack in found for point in stack}
    together = (each for point in points for each in of.get(point.key, (point,)) if each.key in left)
    return list({each.key: each for each in together}.values())
