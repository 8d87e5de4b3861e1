"""Checkpoints that survive anything: written under another name, flushed to the disk, then put in place in one step.

A checkpoint is taken between two epochs and holds tensors and plain values only, so it is read without executing what it says.
Nothing else is needed to go on: the order of the images, augmentation, redrawn labels and dropout of an epoch come from
generators seeded by (seed, epoch), never from what ran before.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue

FORMAT = 1
NAME = "checkpoint.pt"


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write a whole file or leave the one that is there; OSError as the system raises it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        # never through a link that lies under the temporary name
        fresh = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(part, fresh, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
    if os.name == "posix":  # the new name itself must reach the disk too
        with suppress(OSError):
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def save(path: Path, content: Mapping[str, JsonValue]) -> None:
    """Write a checkpoint; InputError in one line if it cannot be written, and then the previous one is intact.

    What a process that was killed while it wrote has left beside it is removed: one run at a time writes into a folder.
    """
    buffer = io.BytesIO()  # torch's own writer hides a full disk in a RuntimeError
    torch.save({"format": FORMAT, **content}, buffer)
    try:
        for left in path.parent.glob(f"{path.name}.*.part"):
            left.unlink(missing_ok=True)
        replace_file(path, buffer.getbuffer())
    except OSError as error:
        kept = "the previous checkpoint is intact" if path.exists() else "there is none yet"
        raise InputError(
            f"--out {path.parent}: the checkpoint after epoch {content.get('epoch')} cannot be written "
            f"({error.strerror or error}); {kept}, --resume goes on from it once there is room"
        ) from None


def load(path: Path) -> Json:
    """Read a checkpoint; InputError for a file that is missing, damaged or of another format."""
    try:
        # torch does not look at the checksums: a flipped bit would be trained on
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise zipfile.BadZipFile
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"--resume: {path.parent} holds no {path.name}") from None
    except OSError as error:
        raise InputError(f"--resume: {path} cannot be read ({error.strerror or error})") from None
    except (RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile, zlib.error):
        raise InputError(f"--resume: {path} is damaged or not a checkpoint; delete it to start again") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"--resume: {path} is not a checkpoint of this version; delete it to start again")
    return found


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
