"""Do networks do what the theory says of their loss? Models over a grid of parameters around the exact threshold, measured.

Two regimes, never in one table:

* *population*: the noisy label is drawn anew at every visit of an image (or the loss is its expectation over the labels:
  ``expected``). This is the risk that the theory speaks of. It predicts the whole softmax vector at an image of class i: the
  exact minimiser of the risk weighted by row i of the noise (:func:`asymtheory.minimise`), a vertex from the threshold on.
* *fixed*: one noisy label an image, as everyone trains. The theory says nothing of finite samples; what is measured is
  memorisation, the drop from the best to the last test accuracy, and the probabilities of clean and corrupted samples.

Losses are scaled (``equalise``) such that each has the slope of cross entropy, K, at the uniform prediction of an untrained
network: ``scale = K / s(1/K)`` (:mod:`asymtheory.asymmetry.fitting`). The minimiser of a risk does not depend on the scale of the
loss, but the speed of training does: without it a large parameter trains slower or faster, and that is what one would see.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, numbered
from asymtheory.losses import Loss
from asymtheory.shapes import Shape, check_shape

from ..run.device import find_device
from ..run.record import append, locked, revision, versions
from .design import Design, Grid, Group, groups
from .models import Trained, train
from .rows import rounded, rows

GROUPS = "groups.jsonl"
LINE: Shape = {"key": str, "tested": [int], "seconds": float}
"""What every line there has."""
STACK = 48  # models that are trained together: their weights and what belongs to them stay in the cache


def confirm(
    design: Design,
    chosen: Sequence[Loss],
    out: Path | None = None,
    bar: Callable[[int], object] = lambda models: None,
    begin: Callable[[list[Group], int], object] = lambda all_groups, done: None,
) -> list[Json]:
    """Train what is not in ``out`` yet and return the rows.

    ``out``: a folder with one line a trained group in ``groups.jsonl``, its arrays in KEY.npz; groups that are there are not
    trained again, and of those that were stopped a single model goes on from its checkpoint in KEY/ (a stack starts again).
    ``begin`` gets all groups and the units of progress that lie in ``out``; ``bar`` is called with further units.
    """
    grids = [Grid.of(loss, design.noise, design.count) for loss in dict.fromkeys(chosen)]
    todo = groups(design, grids)
    with ExitStack() as stack:
        kept: dict[str, Json] = {}
        if out is not None:
            try:
                out.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(out))
            except OSError as error:
                raise InputError(f"--out {out}: cannot be used ({error.strerror or error})") from None
            kept = lines_of(out)
        have = {group.key for group in todo if group.key in kept and _whole(out, group, kept[group.key])}
        begin(todo, sum(group.steps for group in todo if group.key in have))
        trained: dict[str, Trained] = {}
        for batch in _batches([group for group in todo if group.key not in have]):
            for group, outcome in zip(batch, train(batch, bar, out), strict=True):
                if out is None:
                    trained[group.key] = outcome
                    continue
                checksum = outcome.save(
                    out / f"{group.key}.npz"
                )  # the arrays first: a line promises that they are there
                kept[group.key] = _line(group, outcome, checksum)
                append(out / GROUPS, kept[group.key])
                rmtree(out / group.key, ignore_errors=True)  # its checkpoint
        found: list[Json] = []
        for grid in grids:
            own = [group for group in todo if group.grid is grid]
            outcomes = [(group, trained.get(group.key) or _read(out, group, kept[group.key])) for group in own]
            found += rows(grid, design, outcomes)
    return found


def _batches(todo: Sequence[Group]) -> Iterator[list[Group]]:
    """The groups in their order, neighbours that make no large stack together."""
    batch: list[Group] = []
    for group in todo:
        models = sum(len(each.values) * len(each.seeds) for each in (*batch, group))
        if batch and (models > STACK or not group.design.stacks):
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch


def lines_of(out: Path) -> dict[str, Json]:
    """The lines of the groups that a folder has, by their keys. InputError, with its number, for one that is not such a line."""
    if not (out / GROUPS).exists():
        return {}
    found = {}
    for where, line in numbered(out / GROUPS, "groups"):
        check_shape(line, LINE, where)
        found[line["key"]] = line
    return found


def _read(out: Path | None, group: Group, line: Json) -> Trained:
    """The outcome of a group as the folder has it: so the rows of a finished folder are always the same."""
    assert out is not None
    return Trained.load(out / f"{group.key}.npz", group, line)


def _whole(out: Path | None, group: Group, line: Json) -> bool:
    """Are the arrays of a line there, as they were written? If they are damaged, that is said."""
    if out is None or not (out / f"{group.key}.npz").exists():
        return False
    try:
        _read(out, group, line)
    except InputError as error:
        print(f"asymtheory confirm: {error}; its group is trained again", file=sys.stderr)
        return False
    return True


def _line(group: Group, outcome: Trained, checksum: str) -> Json:
    facts: Json = rounded(
        {
            "key": group.key,
            "checksum": checksum,
            **group.facts(),
            "tested": outcome.epochs,
            "seconds": outcome.seconds,
            "device": find_device(group.design.config.device).type,
            "versions": versions(),
            "git": revision(),
        }
    )
    return facts
