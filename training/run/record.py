"""What a run leaves behind: its curve, its result, and one JSON line in a results file.

``results/*.jsonl`` is all that figures and tables read. A line is appended under a lock and in one write, so that many runs can
share a file; a torn last line (a killed machine, a full disk) is repaired before the next one is written. Accuracies and
shares are in [0, 1], losses are means over samples.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from numbers import Real
from pathlib import Path
from typing import BinaryIO

from asymtheory import layout
from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.jsonlines import read as read  # the other half of append: a torn last line is left out
from asymtheory.numbers.text import plain
from asymtheory.reading.documents import parse_json
from asymtheory.shapes import Shape
from asymtheory.writing import without_links

from .config import TrainConfig

try:
    import fcntl
except ImportError:  # Windows: appending stays one write, two runs in one folder are not noticed
    fcntl = None  # type: ignore[assignment]

DIGITS = 6  # significant, of the floats in a line


@dataclass(frozen=True)
class Fitted:
    """Accuracy on the training set, whole and in its two parts; None where there are no true labels, or no such part.

    ``train`` and ``true``: all samples against their given and their true label. ``clean``: samples whose given label is
    true. ``memorised`` and ``recovered``: corrupted samples that the model gives their (wrong) given label, and their true
    label. A model that memorises noise has ``memorised`` near 1, a robust one has ``recovered`` near ``clean``.
    """

    train: float
    true: float | None = None
    clean: float | None = None
    memorised: float | None = None
    recovered: float | None = None


@dataclass(frozen=True)
class Epoch:
    """One epoch, counted from 1. ``fitted`` as ``measure`` says: while it ran, or frozen after it.

    ``gradient``: mean norm of the steps' gradients before clipping; ``clipped``: share of steps that were clipped.
    ``seconds`` and ``images_per_second`` are of the training steps alone, without evaluation and checkpoints. ``second``: accuracy
    on a second test set, where there is one.
    """

    epoch: int
    rate: float
    loss: float
    fitted: Fitted
    test: float | None
    gradient: float
    clipped: float
    seconds: float
    images_per_second: float
    second: float | None = None

    def facts(self) -> Json:
        """Flat: the five accuracies are among the others. Exact, and read back by :meth:`from_dict`."""
        found = asdict(self)
        found.update(found.pop("fitted"))
        return found

    def to_dict(self) -> Json:
        """The same for a line of a results file: six digits."""
        rounded: Json = _rounded(self.facts())
        return rounded

    @classmethod
    def from_dict(cls, facts: Mapping[str, JsonValue]) -> Epoch:
        names = [each.name for each in fields(Fitted)]
        own = {name: value for name, value in facts.items() if name not in names}
        return cls(fitted=Fitted(**{name: facts[name] for name in names}), **own)


EPOCH: Shape = {
    **{each.name: (Real, None) for each in (*fields(Epoch), *fields(Fitted)) if each.name not in ("fitted", "second")},
    "epoch": int,
}
"""What :meth:`Epoch.facts` has; figures of a run that diverged may be NaN."""


@dataclass(frozen=True)
class History:
    """The epochs of one training run. ``final`` is the training set under the last weights, frozen and not augmented.

    ``reading``: how labels were read, where there is something to say (class names and their numbers); ``classes``: these names
    in the order of the model's outputs.
    """

    curve: tuple[Epoch, ...]
    final: Fitted
    reading: str = ""
    classes: tuple[str, ...] | None = None

    @property
    def last(self) -> Epoch:
        """The last epoch: what the papers report."""
        return self.curve[-1]

    @property
    def best(self) -> Epoch:
        """The epoch of the highest test accuracy, the first of several; the last one where there is no test set.

        It is chosen by the test labels, so it is not an estimate of accuracy; the drop from it to ``last`` shows overfitting.
        """
        return max((e for e in self.curve if e.test is not None), key=lambda e: e.test or 0.0, default=self.last)

    @property
    def images_per_second(self) -> float:
        """The speed of all training steps together."""
        seconds = sum(epoch.seconds for epoch in self.curve)
        images = sum(epoch.seconds * epoch.images_per_second for epoch in self.curve)
        return images / seconds if seconds else 0.0

    def to_dict(self) -> Json:
        return {
            "last": self.last.to_dict(),
            "best": self.best.to_dict(),
            "final": _rounded(asdict(self.final)),
            "images_per_second": _rounded(self.images_per_second),
            "curve": [epoch.to_dict() for epoch in self.curve],
        }

    def __str__(self) -> str:
        return table(self.curve) + (f"\nlabels: {self.reading}" if self.reading else "")


@dataclass(frozen=True)
class RunResult:
    """A finished run. ``str()`` is the table for people, ``to_dict()`` the line of a results file.

    ``id`` is the key of the configuration: two runs with one id differ in nothing that they were asked for. ``labels``: how
    many there are, how many are wrong, the realised rate and the checksum; ``theory``: the core's verdict on this loss and noise.
    ``probe``: what :mod:`.probe` saw, where it looked; a line without it has no such entry.
    """

    config: TrainConfig
    history: History
    labels: Mapping[str, JsonValue]
    theory: Mapping[str, JsonValue] | None
    device: Mapping[str, JsonValue]
    parameters: int
    started: str
    seconds: float
    versions: Mapping[str, str]
    git: str | None
    probe: Mapping[str, JsonValue] | None = None

    @property
    def id(self) -> str:
        return self.config.key()

    @property
    def last(self) -> Epoch:
        return self.history.last

    @property
    def best(self) -> Epoch:
        return self.history.best

    def to_dict(self) -> Json:
        return {
            "id": self.id,
            "config": self.config.to_dict(),
            "seed": self.config.seed,
            "labels": _rounded(dict(self.labels)),
            "theory": None if self.theory is None else _rounded(dict(self.theory)),
            "parameters": self.parameters,
            "started": self.started,
            "seconds": _rounded(self.seconds),
            "device": dict(self.device),
            "versions": dict(self.versions),
            "git": self.git,
            **({} if self.probe is None else {"probe": _rounded(dict(self.probe))}),
            **self.history.to_dict(),
        }

    def __str__(self) -> str:
        config, labels, last, best, final = self.config, self.labels, self.last, self.best, self.history.final
        lines = [
            f"{describe(config)} on {config.dataset}: {config.model}, {config.epochs} epochs, seed {config.seed}",
            table(self.history.curve, most=8),
        ]
        wrong = "" if labels.get("wrong") is None else f", {labels['wrong']} wrong"
        noise = f"labels of {config.labels}" if config.labels else labels.get("kind") or str(config.noise)
        lines.append(f"  noise       {noise}: {labels['count']} labels{wrong}, checksum {labels['checksum']}")
        norm = "none" if config.regularisation == "none" else f"{config.regularisation} {config.strength:g}"
        lines.append(f"  penalty     {norm} on the weights")
        if last.test is not None:
            assert best.test is not None
            lines.append(
                f"  test        {percent(last.test)} % last epoch, {percent(best.test)} % best (epoch {best.epoch})"
            )
        if last.second is not None:
            lines.append(f"              {percent(last.second)} % on the second test set ({config.ilsvrc_dir})")
        lines.append(f"  training    {percent(final.train)} % of the given labels fitted in the end")
        if final.memorised is not None:
            lines.append(
                f"              clean part {percent(final.clean)} %; corrupted part: {percent(final.memorised)} % memorised, "
                f"{percent(final.recovered)} % given their true label"
            )
        if self.theory is not None:
            lines += [f"  {'theory' if not i else '':<10}  {text}" for i, text in enumerate(self.theory["says"])]
        speed = f"{self.history.images_per_second:,.0f} images/s on {self.device['name']}, {self.seconds:.1f} s in all"
        return "\n".join([*lines, f"  speed       {speed}"])


def describe(config: TrainConfig) -> str:
    """The loss with its parameters."""
    if config.loss is None:
        inside = ", ".join(f"{name} = {plain(value)}" for name, value in config.parameters.items())
        return f"{config.formula}{f' ({inside})' if inside else ''}"
    try:
        loss = config.core_loss()
    except InputError:  # a baseline that the core does not have
        name, values = config.loss, config.parameters
    else:
        name, values = loss.title, loss.parameters
    inside = ", ".join(f"{parameter} = {plain(value)}" for parameter, value in values.items())
    return f"{name}{f' ({inside})' if inside else ''}"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def table(curve: tuple[Epoch, ...], most: int | None = None) -> str:
    """The curve for people, ``most`` rows of it evenly spread, first and last among them."""
    count = len(curve)
    if most is None or count <= most:
        rows = list(range(count))
    else:
        rows = sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
    cells: list[tuple[str, ...]] = [
        ("epoch", "rate", "loss", "train", "clean", "memorised", "recovered", "test", "gradient")
    ]
    for epoch in (curve[i] for i in rows):
        f = epoch.fitted
        shares = tuple(percent(share) for share in (f.train, f.clean, f.memorised, f.recovered, epoch.test))
        cells.append((str(epoch.epoch), f"{epoch.rate:.3g}", f"{epoch.loss:.4g}", *shares, f"{epoch.gradient:.3g}"))
    return "\n".join(
        layout.table(cells, right=frozenset(range(9)), indent="  ", drop=("gradient", "recovered", "rate"))
    )


def _rounded(value: JsonValue) -> JsonValue:
    """Floats to six significant digits, inside lists and tables too."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value


# ------------------------------------------------------------------------------------------- the file of results


def append(path: str | os.PathLike[str], facts: Mapping[str, JsonValue]) -> None:
    """Add one JSON line to a file, made if need be; other processes may do so at the same time.

    A last line without its newline is completed if it is whole, else removed, with a word on standard error. Raises InputError
    when the file cannot be written, which then is as it was.
    """
    line = (json.dumps(facts, allow_nan=False) + "\n").encode()
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b", buffering=0) as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
            _repair(file, path)
            size = file.seek(0, os.SEEK_END)
            try:
                if file.write(line) != len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise InputError(f"results {path}: the line cannot be written ({error.strerror or error})") from None


def repair(path: str | os.PathLike[str]) -> None:
    """Complete or remove a last line without its newline, as :func:`append` does; a file that is not there stays so."""
    if not Path(path).exists():
        return
    try:
        with open(path, "r+b", buffering=0) as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            _repair(file, path)
    except OSError as error:
        raise InputError(f"results {path}: cannot be repaired ({error.strerror or error})") from None


def _repair(file: BinaryIO, path: str | os.PathLike[str]) -> None:
    size = file.seek(0, os.SEEK_END)
    if not size:
        return
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    content = file.read()
    start = content.rfind(b"\n") + 1
    try:
        parse_json(content[start:], "line", most=size)
    except InputError:
        file.truncate(start)
        print(f"asymtheory: {path}: a torn last line ({size - start} bytes) is removed", file=sys.stderr)
    else:
        file.write(b"\n")


@contextmanager
def locked(folder: Path, what: str = "run") -> Iterator[None]:
    """Hold a folder for one run (``what`` else); InputError when another one holds it. A killed process lets go of it."""
    path = folder / ".lock"
    try:  # a link is not followed, and nothing is truncated: the lock of a stranger's folder may be anything
        descriptor = without_links(os.fspath(path), os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise InputError(f"--out {folder}: {path} cannot be used as a lock ({error.strerror or error})") from None
    try:
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(
                    f"--out {folder}: another {what} is writing there; wait for it or name another"
                ) from None
        yield
    finally:
        os.close(descriptor)


# ------------------------------------------------------------------------------------------- where it was made


@cache
def versions() -> dict[str, str]:
    """Python and the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for package in ("asymtheory", "torch", "numpy"):
        with suppress(PackageNotFoundError):  # run from a checkout
            found[package] = version(package)
    return found


@cache
def revision() -> str | None:
    """The git revision of this code, with ``+`` when the checkout has changes; None for an installed copy."""
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    tracked = git("ls-files", "--error-unmatch", Path(__file__).name)  # a venv inside someone's repository is not it
    commit = git("rev-parse", "--short=12", "HEAD") if tracked else None
    if commit is None:
        return None
    return commit + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
