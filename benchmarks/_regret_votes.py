"""What the arms of ``tune`` say of every held-out sample after every epoch, for scores that need more than accuracies."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _regret_rules import Task as Measured
from _regret_rules import arms_of
from _regret_runs import Candidate, candidates, train
from _regret_tasks import Sources, Task, prepare
from asymtheory_training.data.labels import transition
from asymtheory_training.tune.halving import rungs
from asymtheory_training.tune.soundness import soundness

from asymtheory.noise import from_matrix
from asymtheory.writing import replace_file

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Votes:
    """The arms of ``tune`` on a task, in its order.

    ``classes``: what each says of the held-out samples after every epoch (M, E, H); ``given``: their noisy labels (H,); ``T``: the
    matrix of the noise, rows true; ``first``, ``second``: clean accuracies on the two halves of the test samples (M,).
    """

    data: str
    noise: str
    seed: int
    labels: list[str]
    classes: npt.NDArray[np.uint8]
    given: npt.NDArray[np.int64]
    T: Floats
    first: Floats
    second: Floats

    def save(self, path: Path) -> None:
        """All of it in one file."""
        content = io.BytesIO()
        np.savez_compressed(content, **vars(self))
        replace_file(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> Votes:
        """What ``save`` kept."""
        with np.load(path) as kept:
            return cls(
                str(kept["data"]), str(kept["noise"]), int(kept["seed"]), list(map(str, kept["labels"])), kept["classes"],
                kept["given"], kept["T"], kept["first"], kept["second"],
            )  # fmt: skip

    def judged(self) -> dict[str, object]:
        """What the matrix's inverse says of the arms: a line of the results (see ``_regret_rules.Judged``)."""
        noise = from_matrix(self.T.tolist())
        worth, epochs = soundness(noise, len(self.given), drawn=True), self.classes.shape[1]
        ends = sorted({rung.until for arms in range(1, len(self.labels) + 1) for rung in rungs(arms, epochs)})
        found = [worth.scores(self.classes[:, end - 1], self.given) for end in ends]
        return {
            "data": self.data, "noise": self.noise, "seed": self.seed, "candidates": self.labels, "epochs": ends,
            "scores": np.round([scores for scores, _ in found], 5).T.tolist(), "errors": np.round(found[-1][1], 5).tolist(),
            "second": np.round(self.second, 5).tolist(),
        }  # fmt: skip


def facts_of(candidate: Candidate) -> dict[str, object]:
    """What a line of the results says of a candidate."""
    return {
        "candidate": candidate.label, "kind": candidate.kind, "loss": candidate.name,
        "parameters": {k: float(v) for k, v in candidate.loss.parameters.items()},
        "factor": None if candidate.factor is None else float(candidate.factor), "rate": candidate.rate,
        "until": candidate.until,
    }  # fmt: skip


def votes_of(task: Task, sources: Sources, seed: int) -> Votes:
    """Train the arms of ``tune`` on a task."""
    prepared = prepare(task, sources, seed)
    everything = [each for part in ("all", "ramps") for each in candidates(prepared.noise, part)]
    known = Measured(task.data, task.noise, seed, task.aside, [facts_of(each) for each in everything])
    arms = [everything[place] for place in arms_of(known, ramps=True)]
    found = train(task, prepared, seed, arms)
    place = {candidate.label: index for index, candidate in enumerate(found.candidates)}
    order = [place[arm.label] for arm in arms]
    return Votes(
        task.data, task.noise, seed, [arm.label for arm in arms], found.votes[order], prepared.given[prepared.held],
        transition(prepared.noise), found.right[order, ::2].mean(1), found.right[order, 1::2].mean(1),
    )  # fmt: skip


def kept(folder: Path) -> Iterator[Votes]:
    """All that is in a folder."""
    yield from map(Votes.load, sorted(folder.glob("*.npz")))
