"""Writing files: whole or not at all, never through a link, with nothing left behind where the disk is full or the process ends.

A file is written without a name where the system can do that (Linux), so that a process killed half-way leaves none; it gets a
name of its own, and in one step that of the file which it replaces.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import InputError

StrPath = str | os.PathLike[str]


def without_links(path: str, flags: int) -> int:
    """An opener for :func:`open` of files of our own (locks, what is half done): a link under that name is an error (ELOOP)."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o666)


def replace_files(files: Mapping[StrPath, bytes | memoryview]) -> None:
    """Write files whole, and all of them or none, in the order given; OSError as the system raises it, with the file's name.

    Devices, pipes and folders are never replaced.
    """
    parts: dict[Path, Path] = {}
    target = Path()
    try:
        for target, content in ((Path(path), content) for path, content in files.items()):
            _check_target(target)
            parts[target] = _part(target)
            _write(parts[target], content)
        for target, part in parts.items():
            os.replace(part, target)
    except OSError as error:
        error.filename = os.fspath(target)
        raise
    finally:
        for part in parts.values():
            with suppress(OSError):  # renamed
                part.unlink()
    for folder in {target.parent for target in parts}:
        _settle(folder)


def replace_file(path: StrPath, content: bytes | memoryview) -> None:
    """:func:`replace_files` of one file."""
    replace_files({path: content})


def write_files(files: Mapping[StrPath, bytes | memoryview], option: str = "") -> None:
    """The same with an InputError in one line, which names the option that asked for the files, such as ``--out``."""
    try:
        replace_files(files)
    except OSError as error:
        raise _unwritable(error.filename, option, error) from None


def write_file(path: StrPath, content: str | bytes, option: str = "") -> None:
    """:func:`write_files` of one file, of text (UTF-8) or bytes."""
    write_files({path: content.encode() if isinstance(content, str) else content}, option)


def check_writable(path: StrPath, option: str) -> None:
    """InputError where :func:`write_file` could not write: tried before long work begins, without leaving anything."""
    target = Path(path)
    try:
        _check_target(target)
        part = _part(target)
        _write(part, b"")
        part.unlink()
    except OSError as error:
        raise _unwritable(path, option, error) from None


def _unwritable(path: StrPath, option: str, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{option} {path}: there is no folder {Path(path).parent}; create it first".strip())
    if isinstance(error, IsADirectoryError):
        return InputError(f"{option} {path}: is a folder; name a file".strip())
    return InputError(f"{option} {path}: cannot be written ({error.strerror or error})".strip())


def _part(target: Path) -> Path:
    """The temporary name beside a file; a process has one of each."""
    return target.with_name(f".{target.name[:40]}.{os.getpid()}.part")


def _check_target(path: Path) -> None:
    try:
        found = os.stat(path)
    except FileNotFoundError:  # so is a link that leads nowhere: it is replaced, not followed
        return
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error)) from None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file but a device, pipe or socket")


def _write(part: Path, content: bytes | memoryview) -> None:
    """A file under a temporary name, on the disk as a whole."""
    with suppress(FileNotFoundError):
        part.unlink()  # left by a process of this number, or a link put there
    with ExitStack() as stack:
        file = stack.enter_context(_unnamed(part.parent) or _named(part))
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if not part.exists():
            names = os.open("/proc/self/fd", os.O_RDONLY)
            stack.callback(os.close, names)
            os.link(str(file.fileno()), part, src_dir_fd=names)  # follow_symlinks: the file behind the number


def _unnamed(folder: Path) -> BinaryIO | None:
    """A file in the folder that vanishes with the process; None where the system or the disk has no such files."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return open(os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666), "wb")
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            return None  # _named says what is the matter, if anything is
        raise


def _named(part: Path) -> BinaryIO:
    return open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666), "wb")


def _settle(folder: Path) -> None:
    """The new name itself must reach the disk too."""
    if os.name != "posix":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
