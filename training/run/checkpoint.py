"""Checkpoints that survive anything: written under another name, flushed to the disk, then put in place in one step.

A checkpoint is taken between two epochs and holds tensors and plain values only, so it is read without executing what it says.
Nothing else is needed to go on: the order of the images, augmentation, redrawn labels and dropout of an epoch come from
generators seeded by (seed, epoch), never from what ran before.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.reading.limits import check_regular, check_unpacked
from asymtheory.shapes import Shape, check_shape
from asymtheory.writing import replace_file

from .record import EPOCH, Epoch

FORMAT = 1
NAME = "checkpoint.pt"
TRAINING: Shape = {"epoch": int, "model": dict, "optimiser": {"state": dict}}
"""What every checkpoint has: a state between two epochs."""
ONE: Shape = {**TRAINING, "loss": dict, "curve": [EPOCH]}
"""That of one network."""
RUN: Shape = {
    **ONE, "config": {"labels": (str, None)}, "labels": str, "K": int, "shape": [int], "started": str, "seconds": float,
}  # fmt: skip
"""That of a run in a folder of its own."""


def save(path: Path, content: Mapping[str, JsonValue]) -> None:
    """Write a checkpoint; InputError in one line if it cannot be written, and then the previous one is intact.

    What a process that was killed while it wrote has left beside it is removed: one run at a time writes into a folder.
    """
    buffer = io.BytesIO()  # torch's own writer hides a full disk in a RuntimeError
    torch.save({"format": FORMAT, **content}, buffer)
    try:
        for left in path.parent.glob(f".{path.name}.*.part"):
            left.unlink(missing_ok=True)
        replace_file(path, buffer.getbuffer())
    except OSError as error:
        kept = "the previous checkpoint is intact" if path.exists() else "there is none yet"
        raise InputError(
            f"--out {path.parent}: the checkpoint after epoch {content.get('epoch')} cannot be written "
            f"({error.strerror or error}); {kept}, --resume goes on from it once there is room"
        ) from None


def load(path: Path, shape: Shape = TRAINING) -> Json:
    """Read a checkpoint; InputError for a file that is missing, damaged, of another format, or without a part of ``shape``."""
    try:
        check_regular(os.fspath(path), "--resume: " + os.fspath(path))
        # torch does not look at the checksums: a flipped bit would be trained on
        with zipfile.ZipFile(path) as archive:
            check_unpacked(f"--resume: {path}", path.stat().st_size, sum(each.file_size for each in archive.infolist()))
            if archive.testzip() is not None:
                raise zipfile.BadZipFile
        found = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        if not path.exists():
            raise InputError(f"--resume: {path.parent} holds no {path.name}") from None
        raise
    except OSError as error:
        raise InputError(f"--resume: {path} cannot be read ({error.strerror or error})") from None
    except Exception:  # torch, pickle, zipfile and zlib each have errors of their own
        raise InputError(f"--resume: {path} is damaged or not a checkpoint; delete it to start again") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"--resume: {path} is not a checkpoint of this version; delete it to start again")
    try:
        check_shape(found, shape, f"--resume: {path}")
    except InputError as error:
        raise InputError(f"{error}; the checkpoint is damaged: delete it to start again") from None
    return found


@contextmanager
def restoring(epoch: JsonValue, epochs: int) -> Iterator[None]:
    """Around what puts a state in place: what does not fit this network or this run is an InputError in one line."""
    if not 0 <= epoch <= epochs:
        raise InputError(
            f"--resume: the checkpoint is of epoch {epoch} of {epochs}; it is damaged: delete it to start again"
        )
    try:
        yield
    except InputError:
        raise
    except (RuntimeError, KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        what = str(error).strip().replace("\n", " ")
        raise InputError(f"--resume: the checkpoint does not fit this run ({what}); delete it to start again") from None


def check_curve(curve: Sequence[Epoch], epoch: int) -> None:
    """ValueError where the curve is not that of the epochs 1..``epoch``."""
    if [each.epoch for each in curve] != list(range(1, epoch + 1)):
        raise ValueError(f"its curve has {len(curve)} epochs, its weights are of epoch {epoch}")


def check_optimiser(kept: Mapping[str, JsonValue], own: Mapping[str, JsonValue]) -> None:
    """ValueError where the velocities are not those of the weights here."""
    if kept["state"].keys() != own["state"].keys():
        raise ValueError(f"it has the velocities of {len(kept['state'])} weights, not of {len(own['state'])}")


def differences(before: Mapping[str, JsonValue], now: Mapping[str, JsonValue], prefix: str = "") -> list[str]:
    """``epochs 50 there, 120 here`` for every setting that differs; tables are compared entry by entry."""
    found = []
    for name in {**now, **before}:
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} {_word(old)} there, {_word(new)} here")
    return found


def _word(value: object) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
