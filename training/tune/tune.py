"""Successive halving, on clean accuracy estimated from held-out noisy labels, over the arms that the theory leaves.

    found = tune(lambda: Net(), images, labels, noise="symmetric", eta=0.4, epochs=30, budget=300)
    print(found)                       # the table of arms, the choice, and how far the estimate can be trusted
    fit(Net(), build_loss(found.best.loss), images, labels, **found.settings)

No clean label is looked at. One tenth of the samples is held out with its noisy labels, which tell the clean accuracy of an arm
(:mod:`.soundness`); arms are trained on the others, rung by rung (:mod:`.halving`), each as a part of one whole run. An arm whose
score has fallen by two standard errors below its best is memorising and is trained no longer. Arms with perceptrons or linear heads
are trained as one batch (:mod:`.together`). With ``out`` everything is kept after every arm or batch, and ``resume`` goes on.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn
from tqdm import tqdm

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.noise import NoiseModel, Number
from asymtheory.numbers.text import plural
from asymtheory.reading.documents import parse_json, read_text
from asymtheory.selection.advice import Run
from asymtheory.shapes import check_shape
from asymtheory.writing import replace_file

from ..data.inputs import HELD_OUT, Data, Images, generator
from ..data.labels import noise_model
from ..losses.build import build_loss
from ..run import checkpoint
from ..run.config import Settings
from ..run.loop import DivergedError, Trainer
from .halving import FACTOR, Rung, afforded, best, cost
from .settle import deficits, order
from .soundness import Soundness, soundness, without_noise
from .space import CE, FAMILIES, RATES, Arm, arms
from .together import Together, batches_of, can_stack

JOURNAL = "tune.json"
TIMED = 8
"""Arms whose first epoch tells how many a time pays for."""


@dataclass
class Course:
    """What an arm did: its score on the held-out labels after each of its epochs, and whether it was stopped for falling.

    ``held``: the scores, ``errors``: their standard errors (:class:`.soundness.Soundness`).
    """

    held: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    stopped: bool = False

    @property
    def score(self) -> float:
        """The last one; NaN where the loss diverged in its first epoch."""
        return self.held[-1] if self.held else math.nan

    @property
    def error(self) -> float:
        """The standard error of the last score."""
        return self.errors[-1] if self.errors else math.nan


@dataclass(frozen=True)
class Tuned:
    """The chosen arm, the settings of its run, the courses of all, and what their scores are worth on this noise.

    ``clean``: are the labels said to be clean?
    """

    arms: list[Arm]
    courses: list[Course]
    plan: list[Rung]
    order: list[int]  # the finalists, best first
    settings: dict[str, JsonValue]
    soundness: Soundness
    clean: bool
    seconds: float

    @property
    def best(self) -> Arm:
        """The likeliest best arm, by its score after a whole run and by what was measured elsewhere (:mod:`.settle`)."""
        return self.arms[self.order[0]]

    @property
    def epochs(self) -> int:
        """How many epochs were trained in all."""
        return sum(len(course.held) for course in self.courses)

    def to_dict(self) -> Json:
        """The facts for JSON."""
        return {
            "best": {
                "loss": self.best.loss.name,
                "parameters": {k: str(v) for k, v in self.best.loss.parameters.items()},
            },
            "settings": self.settings,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 2),
            "rungs": [asdict(rung) for rung in self.plan],
            "soundness": None if self.clean else self.soundness.to_dict(),
            "arms": [
                {
                    "arm": str(arm),
                    "because": arm.because,
                    "expected": arm.expected,
                    "held": course.held,
                    "error": course.error if course.errors else None,
                    "stopped": course.stopped,
                }
                for arm, course in zip(self.arms, self.courses, strict=True)
            ],
        }

    def __str__(self) -> str:
        says = "accuracy, held out" if self.clean else self.soundness.says
        lines = [f"{'arm':<46} epochs   {says:>25}   expected below best"]
        for place in self.order[:8]:
            course = self.courses[place]
            mark = "  stopped: it fell" if course.stopped else ""
            expected = self.arms[place].expected
            known = "-" if expected is None else f"{expected:.1f} points"
            held = f"{100 * course.score:.1f} +- {100 * course.error:.1f} %"
            lines.append(f"{str(self.arms[place])[:46]:<46} {len(course.held):>6}   {held:>25}   {known:>19}{mark}")
        others = len(self.arms) - min(8, len(self.order))
        lines += [f"and {plural(others, 'arm')} that had a lower one earlier"] if others else []
        lines += [
            "",
            f"choice: {self.best}, because it {self._because()}",
            f"trained: {plural(self.epochs, 'epoch')} in all",
        ]
        if not self.clean:
            lines.append(str(self.soundness))
        if self.soundness.inverse is None and self.soundness.worth > 0:
            error = 100 * self.soundness.in_clean(self.courses[self.order[0]].error)
            lines.append(f"one standard error of the noisy accuracy is {error:.1f} clean points")
        return "\n".join(lines)

    def _because(self) -> str:
        top = max(self.order, key=lambda place: self.courses[place].score)
        if top == self.order[0]:
            return f"is best by the held-out labels ({self.best.because})"
        lost = 100 * (self.courses[top].score - self.courses[self.order[0]].score)
        if self.clean:
            return (
                f"is CE, and on clean labels another loss must be better by more than chance: {lost:.1f} points are not"
            )
        return (
            f"trained best on other data, and is {lost:.1f} points below the best by the held-out labels, which tell no more here "
            f"({self.best.because})"
        )


def tune(
    model: Callable[[], nn.Module],
    images: Tensor,
    labels: Tensor,
    *,
    noise: str | NoiseModel | None,
    eta: Number | None = None,
    K: int | None = None,
    epochs: int = 30,
    budget: int | None = None,
    seconds: float | None = None,
    losses: Iterable[str] = FAMILIES,
    rates: Sequence[float] = RATES,
    held_out: float = HELD_OUT,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = False,
    stack: bool = True,
    **settings: JsonValue,
) -> Tuned:
    """Choose loss, parameter and learning rate for your own model and tensors, from noisy labels alone.

    ``model`` makes a fresh model each time; ``images`` (N, ...) and ``labels`` int64 (N,) are what ``fit`` takes. ``noise``: what
    is known of the noise, by name (with ``eta``) or as a model; None for labels that are clean. ``epochs`` is the length of a whole
    run; ``budget`` (epochs of all arms together) or ``seconds`` limits the search. A model of classes (symmetric, uniform, pair, a
    class map) turns the held-out labels into clean accuracy, by the inverse of its matrix; where there is none, or a matrix is
    given, noisy accuracy decides, and the result says so. ``settings``: others of a run, such as ``batch``. ``stack``: train arms
    as one batch where the model allows it (linear layers with ReLU between them), with the answers that they have one by one.
    Returns the choice; ``settings`` in it go to ``fit``. Raises InputError.
    """
    unknown = [name for name in settings if name not in Settings.__dataclass_fields__]
    if unknown:
        raise InputError(f"tune has no setting {unknown[0]!r}{nearest(unknown[0], Settings.__dataclass_fields__)}")
    if len(labels) < 20 or int(labels.min()) < 0:
        raise InputError(f"{len(labels)} labels, the least {int(labels.min())}: at least 20, each >= 0, are needed")
    classes = int(labels.max()) + 1 if K is None else K
    known = None if noise is None else noise_model(noise, classes, eta)
    chosen = Settings(epochs=epochs, **settings)
    run = Run(images[0].numel(), epochs, round((1 - held_out) * len(labels)))
    search = Search(
        model, Images(images), labels, arms(known, classes, losses, rates, run), chosen, classes, known, held_out,
        None if out is None else Path(out), stack,
    )  # fmt: skip
    return search.run(budget, seconds, resume, progress)


class Search:
    """The arms of one search over one set of images, and how far it is."""

    def __init__(
        self,
        model: Callable[[], nn.Module],
        images: Images,
        labels: Tensor,
        found: list[Arm],
        settings: Settings,
        K: int,
        noise: NoiseModel | None,
        held_out: float = HELD_OUT,
        out: Path | None = None,
        stack: bool = True,
        drawn: bool = False,
    ) -> None:
        if not 0 < held_out < 1:
            raise InputError(f"held_out {held_out:g}: a share in (0, 1) is needed")
        self.model, self.arms, self.settings, self.K, self.out = model, found, settings, K, out
        self.stack = stack
        mixed = torch.randperm(len(labels), generator=generator(settings.seed, 0, "held out"))
        count = max(1, round(held_out * len(labels)))
        held, train = mixed[:count].sort().values, mixed[count:].sort().values
        outside = replace(images, tensor=images.tensor[held], kind="none")
        inside = replace(images, tensor=images.tensor[train])
        self.data = Data(inside, labels[train], None, None, outside, labels[held])
        self.clean = noise is None
        self.soundness = without_noise(K, count) if noise is None else soundness(noise, count, drawn)
        self.labels = labels[held].cpu().numpy()
        self.usual = [place for place, arm in enumerate(found) if noise is None and arm.loss.name == CE]
        self.courses = [Course() for _ in found]
        self.states: dict[int, Json] = {}

    def run(self, budget: int | None, seconds: float | None, resume: bool, progress: bool) -> Tuned:
        """Train rung by rung. Raises InputError where there is a search in the folder that is another one."""
        start = perf_counter()
        if self.out is not None:
            self._open(resume)
        if seconds is not None:
            budget = self._epochs_in(seconds)
        plan = afforded(len(self.arms), self.settings.epochs, budget, FACTOR)
        places = list(range(plan[0].arms))
        bar = tqdm(total=cost(plan), unit="epoch", disable=not progress, leave=False, dynamic_ncols=True)
        with bar:
            for rung in plan:
                if rung is not plan[0]:
                    usual = [index for index, place in enumerate(places) if place in self.usual]
                    lost = deficits(*self._judged(places))
                    places = [places[index] for index in best([-each for each in lost], rung.arms, usual)]
                self._advance(places, rung.until, bar)
        finalists = self._order(places)
        chosen = self.arms[finalists[0]].settings(self.settings, self.K)
        own = {each.name: getattr(chosen, each.name) for each in fields(Settings)}
        return Tuned(self.arms, self.courses, plan, finalists, own, self.soundness, self.clean, perf_counter() - start)

    def _order(self, places: Sequence[int]) -> list[int]:
        """The finalists, the likeliest best first."""
        usual = [index for index, place in enumerate(places) if place in self.usual]
        return [places[index] for index in order(*self._judged(places), usual)]

    def _judged(self, places: Sequence[int]) -> tuple[list[float], list[float | None], float, float]:
        """Of arms: their scores, what is expected of them, what a point of a score is worth, and the best one's standard error."""
        courses = [self.courses[place] for place in places]
        top = max((course for course in courses if course.held), key=lambda course: course.score, default=courses[0])
        scores, expected = [course.score for course in courses], [self.arms[place].expected for place in places]
        return scores, expected, self.soundness.worth, self.soundness.in_clean(top.error)

    def _epochs_in(self, seconds: float) -> int:
        """How many epochs a time pays for, by the first arms' next one, which is trained now."""
        start, before = perf_counter(), sum(len(course.held) for course in self.courses)
        self._advance(range(min(TIMED, len(self.arms))), len(self.courses[0].held) + 1, None)
        trained = sum(len(course.held) for course in self.courses) - before
        return max(1, int(max(1, trained) * seconds / max(perf_counter() - start, 1e-6)))

    def _advance(self, places: Sequence[int], until: int, bar: tqdm[JsonValue] | None) -> None:
        """Train arms until an epoch of their runs, in batches where their networks can be stacked."""
        done = [len(course.held) for course in self.courses]
        todo = [place for place in places if not self.courses[place].stopped and done[place] < until]
        if not todo:
            return
        first = self.model()
        if not (self.stack and len(todo) > 1 and can_stack(first, self.data, self.settings)):
            for place in todo:
                self._train(place, first if place == todo[0] else self.model(), until, bar)
            return
        networks = {place: first if place == todo[0] else self.model() for place in todo}
        for batch in batches_of(todo, self.arms, done):
            self._train_together(batch, [networks.pop(place) for place in batch], until, bar)

    def _train(self, place: int, network: nn.Module, until: int, bar: tqdm[JsonValue] | None) -> None:
        """One arm until an epoch of its run, or until it falls or diverges."""
        arm, course = self.arms[place], self.courses[place]
        settings = replace(
            arm.settings(self.settings, self.K), evaluate=self.settings.epochs
        )  # the classes are asked for below
        trainer = Trainer(network, build_loss(arm.loss), self.data, settings)
        state = self._kept(place)
        if state is not None:
            trainer.restore(state)
        while trainer.done < until and not course.stopped:
            try:
                trainer.epoch()
            except DivergedError:
                course.stopped = True
                break
            self._seen([place], trainer.classes()[None], bar)
        self._keep({place: {name: _copied(value) for name, value in trainer.state().items()}})

    def _train_together(
        self, places: Sequence[int], networks: Sequence[nn.Module], until: int, bar: tqdm[JsonValue] | None
    ) -> None:
        """Arms of one batch; one that falls or diverges is not looked at any more."""
        courses = [self.courses[place] for place in places]
        states = [self._kept(place) for place in places]
        training = Together([self.arms[place] for place in places], networks, states, self.data, self.settings, self.K)
        while training.done < until and not all(course.stopped for course in courses):
            classes, finite = training.epoch()
            for course, good in zip(courses, finite, strict=True):
                course.stopped |= not good
            going = [index for index, course in enumerate(courses) if not course.stopped]
            self._seen([places[index] for index in going], classes[going], bar)
        going = [index for index, course in enumerate(courses) if not course.stopped]
        self._keep({places[index]: training.state(index) for index in going})

    def _seen(self, places: Sequence[int], classes: Tensor, bar: tqdm[JsonValue] | None) -> None:
        """What arms say of the held-out samples after an epoch, (M, N)."""
        found = self.soundness.scores(classes.cpu().numpy(), self.labels)
        for place, score, error in zip(places, *found, strict=True):
            course = self.courses[place]
            course.held.append(score)
            course.errors.append(error)
            course.stopped = max(course.held) - score > 2 * self.soundness.largest
            if bar is not None:
                bar.update()
                bar.set_postfix_str(f"{str(self.arms[place])[:40]} {self.soundness.says} {100 * score:.1f} %")

    def _kept(self, place: int) -> Json | None:
        """The state that an arm goes on from, None at its start."""
        if not self.courses[place].held:
            return None
        if self.out is None or place in self.states:
            return self.states.get(place)
        return checkpoint.load(self._path(place), checkpoint.ONE)

    def _keep(self, states: dict[int, Json]) -> None:
        """Keep the states of arms, and what all have done."""
        if self.out is None:
            self.states.update(states)
            return
        for place, state in states.items():
            checkpoint.save(self._path(place), state)
        self._note()

    # ---------------------------------------------------------------------------------------------- the folder

    def _path(self, place: int) -> Path:
        assert self.out is not None
        return self.out / f"arm-{place}.pt"

    def _facts(self) -> Json:
        """What a search is: it goes on only with the same."""
        own = {each.name: getattr(self.settings, each.name) for each in fields(Settings)}
        facts = {
            "arms": [str(arm) for arm in self.arms], "settings": own, "labels": [len(self.data.given), int(self.labels.sum())],
            "score": [self.soundness.says, self.soundness.checksum],
        }  # fmt: skip
        return json.loads(json.dumps(facts, default=str))

    def _open(self, resume: bool) -> None:
        assert self.out is not None
        path = self.out / JOURNAL
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--out {self.out}: cannot be used ({error.strerror or error})") from None
        if not path.exists():
            return
        if not resume:
            raise InputError(f"--out {self.out}: holds a search already; go on with --resume, or name another folder")
        try:
            kept = parse_json(read_text(path, "--resume:"), f"--resume: {path}")
            check_shape(
                kept,
                {"facts": dict, "courses": [{"held": [float], "errors": [float], "stopped": bool}]},
                f"--resume: {path}",
            )
        except InputError as error:
            raise InputError(f"{error}; it is damaged: delete it to start again") from None
        courses = [
            Course(list(map(float, each["held"])), list(map(float, each["errors"])), each["stopped"])
            for each in kept["courses"]
        ]
        if kept["facts"] != self._facts() or len(courses) != len(self.arms):
            raise InputError(f"--resume: the search in {self.out} is another one: arms, settings or labels differ")
        self.courses = courses

    def _note(self) -> None:
        assert self.out is not None
        content = {"facts": self._facts(), "courses": [asdict(course) for course in self.courses]}
        replace_file(self.out / JOURNAL, json.dumps(content).encode())


def _copied(value: JsonValue) -> JsonValue:
    """A state without views of the trainer that it was taken from."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
