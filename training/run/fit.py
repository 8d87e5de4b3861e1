"""Training your own model on your own data, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from asymtheory.errors import InputError, printable
from asymtheory.jsonlines import JsonValue
from asymtheory.noise import NoiseModel
from asymtheory.numbers.scalar import Scalar
from asymtheory.numbers.text import Number

from ..data.given import Indexed, Labelling, batch_of, inputs_of, joined, on_device, source_of, split, test_of
from ..data.inputs import Batch, Data, Redraw, mapped
from .calls import Call
from .choose import AnyLoss, chosen_loss
from .config import Settings
from .device import find_device
from .loop import Trainer
from .optimiser import MakeOptimiser, MakeScheduler, OwnOptimiser
from .progress import Progress
from .record import Epoch, History
from .stream import StreamTrainer

OF_SGD = ("rate", "momentum", "nesterov")
"""Settings of the optimiser that the loop has itself."""


def fit(
    model: nn.Module, loss: AnyLoss | None, images: object, labels: object = None, *, true: object = None,
    test: object = None, classes: Sequence[str] | None = None, ignore_index: int | None = None,
    parameters: Mapping[str, Scalar] | None = None, formula: str | None = None, passive: str | None = None,
    noise: str | NoiseModel | Iterable[Scalar] | None = None, eta: Number | None = None, redraw: Redraw | None = None,
    optimiser: MakeOptimiser | None = None, scheduler: MakeScheduler | None = None, scheduler_every: str = "epoch",
    epochs: int = 60, batch: int = 128, rate: float = 0.01, momentum: float = 0.9, nesterov: bool = False,
    schedule: str | Mapping[str, JsonValue] = "cosine", clip: float = 5.0, regularisation: str = "none", strength: float = 0.0,
    seed: int = 0, device: str = "auto", precision: str = "auto", channels_last: str = "auto", compile: str = "off",
    evaluate: int = 1, measure: str = "running", threads: int | None = None, workers: int = 0, progress: bool = False,
    on_epoch: Callable[[Epoch], object] | None = None,
) -> History:  # fmt: skip
    """Train your own model on your own data, in place; the model is then on the device and in evaluation mode.

    **Loss.** A module or a function of logits and labels, a name ("jal-ce", "nce+agce") with ``parameters``, a loss of the core, or
    None with ``formula`` (and ``passive``). ``noise`` (a kind that `asymtheory noise` knows, of the rate ``eta``; a noise model;
    a matrix; the class weights of a row) chooses the parameters of a name where none are given: those that ``asymtheory select``
    recommends. Where the loss with its parameters is not asymmetric on that noise, a BelowThreshold warning names the threshold.

    **Data.** ``images`` (N, ...) with ``labels``, a tuple or a mapping of several inputs, a data set, or an iterable of batches
    such as a DataLoader: every kind that :mod:`.given <asymtheory_training.data.given>` lists. Labels are whole numbers 0..K-1 (or
    1..K, where the model has K outputs), class names, numbered in sorted order or as ``classes`` has them, probabilities (N, K)
    whose rows sum to 1, or one label a place (N, d1, ...) for logits (N, K, d1, ...). None, NaN, -1 and ``ignore_index`` (that of
    the loss, else -100) are not labels: they are left out of the loss and of every measure, and a batch of them is skipped.
    ``history.reading`` says how labels were read. ``true`` labels, where you know them, tell the clean part from the corrupted;
    ``test`` is (inputs, labels), a data set or a loader. ``redraw`` gives a fresh noisy label at every visit.

    **Optimiser.** SGD as the papers have it, with ``rate``, ``momentum``, ``nesterov`` and ``schedule``, or your own: an instance,
    or what makes one of the weights (``torch.optim.AdamW``), with a ``scheduler`` (an instance, or what makes one of the
    optimiser) that steps after every epoch, or every step with ``scheduler_every="step"``. ``clip`` holds for both.

    The other settings are those of the command (:class:`.config.Settings`). ``workers``: processes that read a data set.
    ``on_epoch`` is called with every :class:`.record.Epoch`; ``progress`` shows a bar. Raises InputError for what does not fit
    together and :class:`.loop.DivergedError` when the loss is no longer finite.
    """
    settings = Settings(
        epochs=epochs, batch=batch, rate=rate, momentum=momentum, nesterov=nesterov, schedule=schedule,  # type: ignore[arg-type]
        clip=clip, regularisation=regularisation, strength=strength, seed=seed, device=device, precision=precision,
        channels_last=channels_last, compile=compile, evaluate=evaluate, measure=measure, threads=threads,
    )  # fmt: skip
    make = _optimiser(settings, optimiser, scheduler, scheduler_every)
    source, given = source_of(images, true if labels is None and redraw is not None else labels, workers)
    first = _first(source, given)
    call, shape = _tried(model, *first, settings)
    module = chosen_loss(loss, shape[1], parameters, formula, passive, noise, eta, ignore_index)
    labelling = Labelling(shape, _ignored(module, ignore_index), None if classes is None else tuple(map(str, classes)))
    sets = _Sets(source, first, given, true, test_of(test), redraw)
    trainer, labelling, said = _trainer(model, module, sets, settings, labelling, call, make)
    _train(trainer, progress, on_epoch)
    return replace(trainer.history(), reading=said, classes=labelling.classes)


def _train(trainer: Trainer, progress: bool, on_epoch: Callable[[Epoch], object] | None) -> None:
    """All epochs that remain; the model is then in evaluation mode."""
    with Progress(trainer, progress) as bar:
        for _ in trainer.remaining():
            epoch = trainer.epoch(bar.tick)
            bar.show(epoch)
            if on_epoch is not None:
                on_epoch(epoch)
    trainer.model.eval()


Make = Callable[[Sequence[Tensor]], OwnOptimiser]


def _optimiser(
    settings: Settings, optimiser: MakeOptimiser | None, scheduler: MakeScheduler | None, every: str
) -> Make | None:
    """What makes the user's optimiser of the weights; None for the loop's own."""
    if every not in ("epoch", "step"):
        raise InputError(f'scheduler_every {every!r}: "epoch" or "step" is needed')
    if optimiser is None:
        if scheduler is not None:
            raise InputError("scheduler goes with optimiser; the rate of the loop's own SGD follows schedule")
        return None
    usual = Settings()
    for name in OF_SGD:
        if getattr(settings, name) != getattr(usual, name):
            raise InputError(f"{name} is of the loop's own SGD; give it to your optimiser")
    if settings.schedule.split("+")[0] not in ("cosine", "constant"):
        raise InputError(f"schedule {settings.schedule}: the rate of your own optimiser follows scheduler")
    if settings.regularisation in ("l1", "l2"):
        raise InputError(
            f'regularisation "{settings.regularisation}" is of the loop\'s own SGD; give weight_decay to your optimiser'
        )
    return lambda weights: OwnOptimiser(weights, optimiser, scheduler, every)


def _ignored(module: nn.Module, ignore_index: int | None) -> int:
    """The label that is none: the user's, that of the loss, or -100."""
    own = getattr(module, "ignore_index", None)
    if ignore_index is None:
        return -100 if own is None else int(own)
    return ignore_index


def _first(source: Indexed | Iterable[Any], given: Any) -> tuple[Batch, Any]:
    """The first two samples with all labels, or the first batch with its own."""
    if isinstance(source, Indexed):
        if len(source) < 2:
            raise InputError(f"{len(source)} training images: at least 2 are needed")
        return source.batch(slice(0, 2), torch.float32), given
    try:
        batch = next(iter(source), None)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"the loader cannot make a batch: {printable(str(error), 200)}") from None
    if batch is None:
        raise InputError("the loader has no batch")
    x, labels = batch_of(batch)
    return on_device(x, torch.device("cpu"), torch.float32), labels


@torch.no_grad()
def _tried(model: nn.Module, x: Batch, labels: Any, settings: Settings) -> tuple[Call, tuple[int, ...]]:
    """How the model is called, and the shape (n, K, d1, ...) of its logits, from a call with the first samples."""
    if not isinstance(model, nn.Module):
        raise InputError(f"the model is {type(model).__name__}; an nn.Module is needed")
    first = next((each for each in model.parameters()), None)
    if first is None:
        raise InputError("the model has no parameters to train")
    find_device(settings.device)
    x = mapped(lambda part: part.to(first.device, first.dtype if part.is_floating_point() else None), x)
    call, training = Call.of(model), model.training
    model.eval()
    try:
        logits = call(model, x)
    except InputError:
        raise
    except Exception as error:  # whatever a model says of inputs that it does not take
        raise InputError(
            f"the model cannot be called with {_described(x)}: {type(error).__name__}: {printable(str(error), 200)}"
        ) from error
    finally:
        model.train(training)
    if logits.ndim < 2 or not logits.is_floating_point() or logits.shape[1] < 2:
        raise InputError(
            f"the model returned {logits.dtype} of shape {tuple(logits.shape)} for {_described(x)}: logits (N, K) are needed, "
            "K >= 2 (two classes are two outputs)"
        )
    if logits.ndim > 2:
        places = (
            tuple(torch.as_tensor(labels).shape[1:]) if isinstance(labels, Tensor) or hasattr(labels, "shape") else ()
        )
        if places == tuple(logits.shape[1:-1]) and (places != tuple(logits.shape[2:]) or not isinstance(x, Tensor)):
            call = replace(call, last=True)
            logits = logits.movedim(-1, 1)
    return call, tuple(logits.shape)


def _described(x: Batch) -> str:
    if isinstance(x, Tensor):
        return f"{str(x.dtype).removeprefix('torch.')} inputs {tuple(x.shape)}"
    parts = x.items() if isinstance(x, Mapping) else enumerate(x)
    return "inputs " + ", ".join(f"{name}: {_described(each).replace('inputs ', '')}" for name, each in parts)


@dataclass(frozen=True)
class _Sets:
    """What there is to train on and to test on: inputs by number or batches, the first of them, labels as they were given."""

    source: Indexed | Iterable[Any]
    first: tuple[Batch, Any]
    given: Any
    true: Any
    test: tuple[Indexed, Any] | None
    redraw: Redraw | None


def _trainer(
    model: nn.Module,
    module: nn.Module,
    sets: _Sets,
    settings: Settings,
    labelling: Labelling,
    call: Call,
    make: Make | None,
) -> tuple[Trainer, Labelling, str]:
    """The trainer, with all labels as class numbers; the labelling with the names that were found, and what it says of them."""
    source, true, redraw = sets.source, sets.true, sets.redraw
    stream = not isinstance(source, Indexed)
    if stream and (true is not None or redraw is not None):
        raise InputError(
            "true labels and redraw need samples in a fixed order: give a data set or arrays, not a loader"
        )
    if sets.given is None and not stream:
        raise InputError("labels are needed (or true ones, with redraw)")
    test, test_labels = (None, None) if sets.test is None else sets.test
    given = sets.given if isinstance(source, Indexed) else _names_in(source, sets.first[1], labelling)
    columns = {"labels": given, "true labels": true, "test labels": test_labels}
    read, labelling, said = labelling.read({what: each for what, each in columns.items() if each is not None})
    known = read.get("test labels")
    if not isinstance(source, Indexed):
        x, y = sets.first[0], labelling.of_batch(sets.first[1])
        _refuse_places(module, labelling, y)
        two = inputs_of(
            mapped(lambda part: torch.stack([part[0], part[0]]), x)
        )  # they stand for batches, which have no places
        data = Data(two, torch.stack([y[0], y[0]]), test=test, test_labels=known)
        return (
            StreamTrainer(model, module, source, labelling, data, settings, call=call, optimiser=make),
            labelling,
            said,
        )
    _refuse_places(module, labelling, read["labels"])
    gaps = any(bool((each == labelling.ignore).any()) for each in read.values() if not each.is_floating_point())
    ignore = labelling.ignore if gaps else None
    data = Data(source, read["labels"], read.get("true labels"), redraw, test, known, ignore=ignore)
    return Trainer(model, module, data, settings, call=call, optimiser=make), labelling, said


def _names_in(batches: Iterable[Any], first: Any, labelling: Labelling) -> list[str] | None:
    """The class names in the batches of a loader, which are gone through once for them; None where labels are numbers."""
    if isinstance(first, Tensor) or not any(isinstance(each, str) for each in first):
        return None
    return list(labelling.classes) if labelling.classes is not None else joined([split(batch)[1] for batch in batches])


def _refuse_places(module: nn.Module, labelling: Labelling, labels: Tensor) -> None:
    """InputError where labels are one a place and the loss leaves out others than the loop."""
    own = getattr(module, "ignore_index", None)
    if labels.ndim > 1 and not labels.is_floating_point() and own != labelling.ignore:
        if own is None and not bool((labels == labelling.ignore).any()):
            return
        raise InputError(f"ignore_index {labelling.ignore}: the loss leaves out {own}; give it the same ignore_index")
