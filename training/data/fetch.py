"""Official files: where a data set's files are, that they are the official ones, and how they are downloaded.

What is official is in ``datasets.json``: names, sizes, MD5s and addresses.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import JsonValue
from asymtheory.noise import cifar100_names
from asymtheory.writing import write_file

from .formats import read_bytes

DATA_FOLDER = "ASYMTHEORY_DATA"
"""Environment variable: the folder of data sets when none is named."""


@dataclass(frozen=True)
class OfficialFile:
    """One file: its name, MD5 and size in bytes (None where none is published), and the same of its gzip form."""

    name: str
    md5: str | None = None
    bytes: int | None = None
    gz: OfficialFile | None = None

    @classmethod
    def of(cls, facts: Mapping[str, JsonValue]) -> OfficialFile:
        packed = facts.get("gz")
        gz = cls(f"{facts['name']}.gz", packed["md5"], packed.get("bytes")) if packed else None
        return cls(facts["name"], facts.get("md5"), facts.get("bytes"), gz)

    @property
    def expected(self) -> str:
        """What is known of it, for messages."""
        size = f"{self.bytes} bytes" if self.bytes is not None else ""
        digest = f"MD5 {self.md5}" if self.md5 else ""
        return ", ".join(filter(None, (size, digest)))


@dataclass(frozen=True)
class Version:
    """One official version of a data set: files of one format, in a folder, at an address, perhaps in an archive.

    `folders` are the usual names of the folder; `urls` the addresses in the order in which they are tried; `options`
    what the reader of the `format` is told.
    """

    format: str
    folders: tuple[str, ...]
    urls: tuple[str, ...]
    archive: OfficialFile | None
    train: tuple[OfficialFile, ...]
    test: tuple[OfficialFile, ...]
    options: Mapping[str, JsonValue]

    @classmethod
    def of(cls, facts: Mapping[str, JsonValue]) -> Version:
        train, test = (tuple(map(OfficialFile.of, facts[split])) for split in ("train", "test"))
        archive = OfficialFile.of(facts["archive"]) if facts.get("archive") else None
        options = {key: facts[key] for key in ("label_bytes", "label_key") if key in facts}
        return cls(facts["format"], tuple(facts["folders"]), tuple(facts["urls"]), archive, train, test, options)

    @property
    def files(self) -> tuple[OfficialFile, ...]:
        return (*self.train, *self.test)


@dataclass(frozen=True)
class Description:
    """What is known of a data set before a file of it is read. `mean` and `std` are of the training images in [0, 1]."""

    name: str
    title: str
    source: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: str
    versions: tuple[Version, ...]


@cache
def descriptions() -> Mapping[str, Description]:
    """Every data set of ``datasets.json`` by name."""
    content = json.loads((Path(__file__).with_name("datasets.json")).read_text(encoding="utf-8"))
    found = {}
    for name, facts in content.items():
        if name == "about":
            continue
        found[name] = Description(
            name, facts["title"], facts["source"], tuple(facts["shape"]), tuple(facts["classes"] or cifar100_names()),
            tuple(facts["mean"]), tuple(facts["std"]), facts["augmentation"], tuple(map(Version.of, facts["versions"])),
        )  # fmt: skip
    return found


def describe(name: str) -> Description:
    """The description of data set `name`; an unknown name raises InputError."""
    if name not in descriptions():
        raise InputError(f"{name!r} is not a data set ({', '.join(descriptions())}){nearest(name, descriptions())}")
    return descriptions()[name]


# ------------------------------------------------------------------------------------------------------------- checking
def md5_of(path: str | os.PathLike[str]) -> str:
    """The MD5 of a file, as 32 hexadecimal digits."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot be read ({error.strerror or error})") from error


def verify(path: str | os.PathLike[str], file: OfficialFile) -> None:
    """Raise InputError, with expected and found MD5 and size, unless `path` is the official `file`.

    A ``.gz`` file that somebody packed anew passes if what is in it is the official file.
    """
    source = Path(path)
    packed = source.suffix == ".gz" and file.gz is not None
    official = file.gz if packed and file.gz is not None else file
    found, size = md5_of(source), source.stat().st_size
    if official.md5 == found or (official.md5 is None and official.bytes in (None, size)):
        return
    if packed and file.md5 is not None:
        try:
            if hashlib.md5(read_bytes(source), usedforsecurity=False).hexdigest() == file.md5:
                return
        except InputError:
            pass  # damaged; the sizes and MD5s below say more than where unpacking stopped
    short = official.bytes is not None and size < official.bytes
    raise InputError(
        f"{source}: is {'truncated' if short else 'not the official file'}: found {size} bytes, MD5 {found}; "
        f"expected {official.expected}; delete it and fetch it again"
    )


# -------------------------------------------------------------------------------------------------------------- finding
def data_folder(data_dir: str | os.PathLike[str] | None) -> Path:
    """`data_dir`, else the folder that ASYMTHEORY_DATA names, else a folder in the user's cache."""
    if data_dir is not None:
        return Path(data_dir).expanduser()
    if os.environ.get(DATA_FOLDER):
        return Path(os.environ[DATA_FOLDER]).expanduser()
    import pooch  # only what is fetched needs it

    return Path(pooch.os_cache("asymtheory"))


def find(
    description: Description, data_dir: str | os.PathLike[str] | None = None, download: bool = False
) -> tuple[Version, dict[str, Path]]:
    """The first version of a data set that is in the folder, and the path of each of its files by name.

    Files may lie in the folder itself, in one of the version's usual folders below it, or in the official archive, which
    is then unpacked beside itself. With `download` what is missing is fetched (the first version). Every file is checked
    (:func:`verify`). Files that are missing or wrong raise InputError.
    """
    folder = data_folder(data_dir)
    if not folder.is_dir() and not download:
        raise InputError(f"{folder}: no such folder; {_advice(description)}")
    partial: list[str] = []
    for version in description.versions:
        for place in (*(folder / name for name in version.folders), folder):
            paths = {file.name: _one_of(place, file) for file in version.files}
            found = {name: path for name, path in paths.items() if path is not None}
            if len(found) == len(paths):
                return version, _verified(version, found)
            if found:
                missing = ", ".join(name for name, path in paths.items() if path is None)
                partial.append(f"{place} lacks {missing}")
    for version in description.versions:
        if version.archive is not None and (folder / version.archive.name).is_file():
            return version, _unpack(folder / version.archive.name, version)
    if not download:
        where = "; ".join(partial) or f"{folder} holds no files of {description.title}"
        raise InputError(f"{where}; {_advice(description)}")
    return description.versions[0], _download(description.versions[0], folder)


def _advice(description: Description) -> str:
    names = ", ".join(dict.fromkeys(v.archive.name if v.archive else v.folders[0] for v in description.versions))
    return f"give --data-dir a folder with {names}, or --download where there is a network"


def _one_of(place: Path, file: OfficialFile) -> Path | None:
    candidates = [place / file.name] + ([place / file.gz.name] if file.gz else [])
    return next((path for path in candidates if path.is_file()), None)


def _verified(version: Version, paths: dict[str, Path]) -> dict[str, Path]:
    for file in version.files:
        verify(paths[file.name], file)
    return paths


def _unpack(path: Path, version: Version) -> dict[str, Path]:
    """The files of the version, taken out of its archive by name: nothing else in the archive is written."""
    assert version.archive is not None
    verify(path, version.archive)
    target = path.parent / version.folders[0]
    paths = {file.name: target / file.name for file in version.files}
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path) as archive:
            for name, place in paths.items():
                member = archive.extractfile(f"{version.folders[0]}/{name}")
                if member is None:
                    raise InputError(f"{path}: {version.folders[0]}/{name} is not a file in it")
                write_file(place, member.read())
    except (KeyError, tarfile.TarError, EOFError) as error:
        raise InputError(f"{path}: cannot be unpacked ({error})") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be unpacked ({error.strerror or error})") from error
    return _verified(version, paths)


# ---------------------------------------------------------------------------------------------------------- downloading
def _download(version: Version, folder: Path) -> dict[str, Path]:
    """Fetch the version's archive, or its files one by one, into the folder."""
    if version.archive is not None:
        return _unpack(fetch(version.archive, version.urls, folder), version)
    target = folder / version.folders[0]
    paths = {file.name: fetch(file.gz or file, version.urls, target) for file in version.files}
    return _verified(version, paths)


def fetch(file: OfficialFile, urls: Sequence[str], folder: Path) -> Path:
    """Download one file with its checksum and, on a terminal, a progress bar; the addresses are tried in turn.

    Nothing that fails its checksum is kept. Every address failing raises InputError with the last reason.
    """
    import pooch  # only what is fetched needs it

    reason = "no address is known"
    for url in urls:
        try:
            known = f"md5:{file.md5}" if file.md5 else None
            bar = sys.stderr.isatty()
            return Path(pooch.retrieve(url + file.name, known, fname=file.name, path=folder, progressbar=bar))
        except ValueError as error:  # what pooch raises for a wrong checksum
            reason = f"{url}{file.name}: {str(error).splitlines()[0]}"
        except OSError as error:  # network errors of requests are OSErrors too
            reason = f"{url}{file.name}: {_network(error)}"
    raise InputError(f"{file.name} could not be downloaded ({reason}); fetch it by hand and give --data-dir its folder")


def _network(error: OSError) -> str:
    """One line without the nested objects that requests prints."""
    if isinstance(error, PermissionError) or error.filename is not None:
        return f"{error.filename or ''} {error.strerror or ''}".strip()
    inner: BaseException = error
    for _ in range(20):  # deep enough; a chain of causes may be a ring
        inner = inner.__cause__ or inner.__context__ or inner
    return " ".join(str(inner).split())[:120] or type(error).__name__
