"""Data sets from official files, their checks, downloads, and augmentation on whole batches."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import http.server
import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from asymtheory_training.data import augment as augmentation  # noqa: E402
from asymtheory_training.data import fetch, formats  # noqa: E402
from asymtheory_training.data import sets as data  # noqa: E402
from asymtheory_training.data.augment import augment, normalise  # noqa: E402
from asymtheory_training.data.fetch import Description, OfficialFile, Version  # noqa: E402
from asymtheory_training.data.sets import DATASETS, Dataset, load_dataset, subset_indices  # noqa: E402

from asymtheory.errors import InputError  # noqa: E402
from asymtheory.reading import unpickle  # noqa: E402

SHARED = Path(__file__).parents[3] / "shared" / "data"
RNG = np.random.default_rng(5)


# ------------------------------------------------------------------------------------------- files in official formats
def python2_batch(images: np.ndarray, labels: list[int], key: bytes) -> bytes:
    """A CIFAR python batch as Python 2 wrote it: byte strings (opcodes U and T), numpy's old names, protocol 2."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<I", len(value)) + value

    def number(value: int) -> bytes:
        return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)

    def items(values: list[bytes]) -> bytes:
        return b"(" + b"".join(values) + b"t"

    kind = b"cnumpy\ndtype\n" + items([text(b"u1"), number(0), number(1)]) + b"R"
    kind += items([number(3), text(b"|"), b"NNN", number(-1), number(-1), number(0)]) + b"b"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n" + items([b"cnumpy\nndarray\n", items([number(0)]), text(b"b")]) + b"R"
    )
    shape = items([number(n) for n in images.shape])
    array += items([number(1), shape, kind, b"\x89", text(images.tobytes())]) + b"b"
    listed = b"](" + b"".join(map(number, labels)) + b"e"
    pairs = text(b"batch_label") + text(b"training batch 1 of 5") + text(key) + listed + text(b"data") + array
    return b"\x80\x02}(" + pairs + b"u."


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def official(folder: Path, contents: dict[str, bytes], md5: bool = True) -> tuple[OfficialFile, ...]:
    """Write the files; what the description would say of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(
        OfficialFile(name, hashlib.md5(content).hexdigest() if md5 else None, len(content))
        for name, content in contents.items()
    )


def tiny(kind: str, folder: Path, count: int = 7, K: int = 10) -> tuple[Description, dict[str, np.ndarray]]:
    """A small data set in the format `kind` below `folder`, its description, and what reading it must give."""
    shape = (1, 6, 5) if kind == "idx" else (3, 32, 32)
    truth: dict[str, np.ndarray] = {}
    files: dict[str, tuple[OfficialFile, ...]] = {}
    for split, parts in (("train", 2), ("test", 1)):
        images = RNG.integers(0, 256, (parts * count, *shape), dtype=np.uint8)
        labels = RNG.integers(0, K, parts * count)
        truth |= {f"{split}_images": images, f"{split}_labels": labels}
        contents: dict[str, bytes] = {}
        if kind == "idx":
            contents = {f"{split}-images": idx(images[:, 0]), f"{split}-labels": idx(labels.astype(np.uint8))}
        for part in range(0 if kind == "idx" else parts):
            chosen = slice(part * count, (part + 1) * count)
            flat, given = images[chosen].reshape(count, -1), labels[chosen]
            if kind == "cifar-binary":
                table = np.concatenate([given[:, None] // 5, given[:, None], flat], axis=1)
                contents[f"{split}_{part}.bin"] = table.astype(np.uint8).tobytes()
            else:
                contents[f"{split}_{part}"] = python2_batch(flat, given.tolist(), b"fine_labels")
        files[split] = official(folder / "inner", contents)
    options = {"label_bytes": 2, "label_key": "fine_labels"}
    version = Version(kind, ("inner",), (), None, files["train"], files["test"], options)
    names = tuple(f"class {k}" for k in range(K))
    facts = Description("tiny", "Tiny", "here", shape, names, (0.5,) * shape[0], (0.2,) * shape[0], "none", (version,))
    return facts, truth


def read(facts: Description, folder: Path) -> Dataset:
    return data.read(facts, *fetch.find(facts, folder))


@pytest.mark.parametrize("kind", ["cifar-binary", "cifar-python", "idx"])
@pytest.mark.parametrize("inner", [False, True], ids=["above", "inside"])
def test_official_formats_are_read(kind: str, inner: bool, tmp_path: Path) -> None:
    facts, truth = tiny(kind, tmp_path)
    found = read(facts, tmp_path / "inner" if inner else tmp_path)
    for name, expected in truth.items():
        np.testing.assert_array_equal(getattr(found, name).numpy(), expected)
    assert found.train_images.dtype == torch.uint8
    assert found.train_labels.dtype == found.test_labels.dtype == torch.int64
    assert (found.K, found.shape, found.class_names[3]) == (10, facts.shape, "class 3")


@pytest.mark.parametrize("kind", ["cifar-binary", "cifar-python", "idx"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "empty"])
def test_damaged_files_are_named_with_md5_and_size(kind: str, damage: str, tmp_path: Path) -> None:
    facts, _ = tiny(kind, tmp_path)
    file = facts.versions[0].train[1]
    path = tmp_path / "inner" / file.name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
        with pytest.raises(InputError, match=f"inner lacks {file.name}; give --data-dir"):
            read(facts, tmp_path)
        return
    changed = {"truncated": content[:-9], "flipped": content[:-9] + b"?" + content[-8:], "empty": b""}[damage]
    path.write_bytes(changed)
    with pytest.raises(InputError) as caught:
        read(facts, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{path}: is {'not the official file' if damage == 'flipped' else 'truncated'}")
    assert f"found {len(changed)} bytes, MD5 {hashlib.md5(changed).hexdigest()}" in message
    assert f"expected {len(content)} bytes, MD5 {file.md5}" in message
    assert "\n" not in message


def test_labels_outside_the_classes_are_refused(tmp_path: Path) -> None:
    facts, _ = tiny("cifar-binary", tmp_path, K=12)
    facts = replace(facts, classes=facts.classes[:3])
    with pytest.raises(InputError, match=r"train_0\.bin.*label \d+ at position \d+; labels must be in 0\.\.2"):
        read(facts, tmp_path)


def test_without_a_published_md5_the_size_is_checked(tmp_path: Path) -> None:
    facts, _ = tiny("cifar-binary", tmp_path)
    version = facts.versions[0]
    first = replace(version.train[0], md5=None)
    facts = replace(facts, versions=(replace(version, train=(first, *version.train[1:])),))
    assert len(read(facts, tmp_path).train_images) == 14
    path = tmp_path / "inner" / first.name
    path.write_bytes(path.read_bytes()[:-3074])
    with pytest.raises(InputError, match=r"truncated: found 18444 bytes.*expected 21518 bytes;"):
        read(facts, tmp_path)


def test_idx_files_packed_with_gzip(tmp_path: Path) -> None:
    facts, truth = tiny("idx", tmp_path)
    version, folder = facts.versions[0], tmp_path / "inner"
    packed = []
    for file in version.files:
        content = gzip.compress((folder / file.name).read_bytes(), mtime=0)
        (folder / file.name).unlink()
        (folder / f"{file.name}.gz").write_bytes(content)
        packed.append(replace(file, gz=OfficialFile(f"{file.name}.gz", hashlib.md5(content).hexdigest(), len(content))))
    facts = replace(facts, versions=(replace(version, train=tuple(packed[:2]), test=tuple(packed[2:])),))
    np.testing.assert_array_equal(read(facts, tmp_path).train_images, truth["train_images"])

    again = folder / f"{packed[0].name}.gz"  # the official contents, packed by somebody else
    again.write_bytes(gzip.compress(gzip.decompress(again.read_bytes()), compresslevel=1, mtime=7))
    np.testing.assert_array_equal(read(facts, tmp_path).train_images, truth["train_images"])

    again.write_bytes(again.read_bytes()[:-20])
    with pytest.raises(
        InputError, match=rf"train-images\.gz: is truncated.*expected \d+ bytes, MD5 {packed[0].gz.md5}"
    ):
        read(facts, tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01x", "is not an idx file"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03ab", "has 10 bytes; its header .3,. asks for 11"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03abcd", "has 12 bytes; its header .3,. asks for 11"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "has 16 bytes; its header .* asks for 79228162458924105385300197391"),
    ],
)
def test_bad_idx_files(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"images: {reason}"):
        formats.read_idx(path)


def test_bad_cifar_files(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    path.write_bytes(bytes(3073 * 2 - 1))
    with pytest.raises(InputError, match="has 6145 bytes; expected records of 3073 bytes"):
        formats.read_cifar_binary(path, 1)
    path.write_bytes(bytes(3073 * 2))
    with pytest.raises(InputError, match=r"has 6146 bytes; expected 9219 bytes \(3 records\)"):
        formats.read_cifar_binary(path, 1, records=3)
    for held, reason in (
        ([1], "holds a list; a CIFAR batch is a dict"),
        ({"data": np.zeros((2, 3072), np.uint8)}, "holds data; data and labels are needed"),
        ({"data": np.zeros((2, 3071), np.uint8), "labels": [0, 1]}, r"uint8 \(2, 3071\); uint8 of shape \(N, 3072\)"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}, "1 labels for 2 samples"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0, -1]}, "label -1 at position 1"),
        ({"data": "?", "labels": [0]}, "data is str"),
    ):
        path.write_bytes(pickle.dumps(held))
        with pytest.raises(InputError, match=reason):
            formats.read_cifar_python(path, "labels")


# ------------------------------------------------------------------------------------------------------------- pickles
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_arrays_and_text_are_read(protocol: int) -> None:
    arrays = [
        RNG.integers(0, 9, (2, 3)),
        np.asfortranarray(RNG.random((3, 2))),
        np.array([True]),
        np.zeros((0, 4), ">i2"),
    ]
    held = {"arrays": arrays, b"raw": b"\x00\xff\x80", "text": "é", "more": (None, True, 1, -(2**70), 0.5, [], {})}
    found = unpickle.loads(pickle.dumps(held, protocol=protocol))
    assert {key: found[key] for key in found if key != "arrays"} == {k: v for k, v in held.items() if k != "arrays"}
    for array, expected in zip(found["arrays"], arrays, strict=True):
        assert array.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(array, expected)
        array[...] = 0  # its own memory, writable


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_malicious_pickles_run_nothing(protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "was here"
    for evil, name in (
        (Calls(os.system, f"touch '{mark}'"), "system"),
        (Calls(eval, f"open({str(mark)!r}, 'w')"), "eval"),
        (Calls(http.client.HTTPConnection, "localhost"), "HTTPConnection"),
        (Calls(getattr, "text", "upper"), "getattr"),
        (Calls(np.fromfile, "/etc/hostname"), "fromfile"),
        (Calls(__import__, "antigravity"), "__import__"),
        (np.float64(1.0), "scalar"),
        (Path("/"), "Path"),
        ({1, 2}, "set"),
    ):
        with pytest.raises(InputError, match=rf"batch: the pickle asks for .*{name}.*; only arrays"):
            unpickle.loads(pickle.dumps({"data": [evil]}, protocol=protocol), "batch")
    with pytest.raises(InputError, match="only arrays of numbers"):
        unpickle.loads(pickle.dumps(np.array([Calls(os.system, f"touch '{mark}'")], dtype=object), protocol=protocol))
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(Calls(os.system, f"touch '{mark}'"), protocol=protocol))
    with pytest.raises(InputError, match=r"data_batch_1: the pickle asks for \w+\.system"):
        formats.read_cifar_python(path, "labels")
    assert not mark.exists()


def test_pickles_that_abuse_the_admitted_names() -> None:
    dtype = b"cnumpy\ndtype\n(U\x02%bK\x00K\x01tR"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    for opcodes, reason in (
        (dtype % b"O8", "an array of type 'O8'"),
        (dtype % b"V8", "an array of type 'V8'"),
        (dtype % b"u1", "a bare type"),
        (array, "a bare array"),
        (b"cnumpy\nndarray\n", "a bare ndarrayclass"),
        (b"cnumpy\nndarray\n}b", "a state for _NdarrayClass"),
        (b"cnumpy\ndtype\n}U\x04codeU\x01xsb", "a state for _Dtype"),
        (dtype % b"u1" + b"(K\x03U\x01|(U\x01ftNNNNtb", None),
        (dtype % b"u1" + b"(K\x03U\x01xtb", ".* or an unknown byte order"),
        (array + b"(K\x01(K\x05t" + dtype % b"u1" + b"\x89U\x04abcdtb", r"an array of shape \(5,\) made of 4 bytes"),
        (array + b"(K\x01(J\xff\xff\xff\xfft" + dtype % b"u1" + b"\x89U\x00tb", "an array without a shape"),
        (array + b"(K\x01(K\x01t" + dtype % b"u1" + b"\x89]tb", "an array of objects"),
        (b"Pname\n", "an object stored elsewhere"),
    ):
        with pytest.raises(InputError, match=f"the pickle asks for {reason or ''}"):
            unpickle.loads(b"\x80\x02" + opcodes + b".")


def test_names_in_a_pickle_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"asks for a\?\[2Jb\.c;") as caught:
        unpickle.loads(b"\x80\x04\x8c\x06a\x1b[2Jb\x8c\x01c\x93.")
    assert str(caught.value).isprintable()
    with pytest.raises(InputError, match=r"asks for x{65}\.\.\.x{30}\.c;"):
        unpickle.loads(b"\x80\x04\x8c\xc8" + b"x" * 200 + b"\x8c\x01c\x93.")
    (tmp_path / "batch").write_bytes(pickle.dumps({"a\x1b\n": 1}))
    with pytest.raises(InputError, match=r"holds a\?\?; data and labels are needed"):
        formats.read_cifar_python(tmp_path / "batch", "labels")


def test_pickles_that_hold_themselves_or_swell_end_at_once() -> None:
    circle: list[Any] = []
    circle.append({"again": circle})
    with pytest.raises(InputError, match="a container that holds itself"):
        unpickle.loads(pickle.dumps(circle))
    laughs: list[Any] = [1]
    for _ in range(64):
        laughs = [laughs, laughs]
    found = unpickle.loads(pickle.dumps(laughs))
    assert found[0] is found[1]  # 2^64 numbers if they were copied


@pytest.mark.parametrize("content", [b"", b"\x80", b"not a pickle", b"\x80\x02]q", b"\x80\x02(K\x01", b"\xff" * 40])
def test_damaged_pickles(content: bytes) -> None:
    with pytest.raises(InputError, match="batch: is not a readable pickle"):
        unpickle.loads(content, "batch")


# ------------------------------------------------------------------------------------------------- archives, downloads
def packed(facts: Description, folder: Path, place: Path) -> Description:
    """The files of a tiny set moved into an archive, with things in it that nobody asked for."""
    archive = place / "tiny.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder / "inner", "inner")
        for name in ("../outside", "inner/extra"):
            member = tarfile.TarInfo(name)
            member.size = 4
            file.addfile(member, io.BytesIO(b"evil"))
    for path in (folder / "inner").iterdir():
        path.unlink()
    (folder / "inner").rmdir()
    content = archive.read_bytes()
    known = OfficialFile(archive.name, hashlib.md5(content).hexdigest(), len(content))
    return replace(facts, versions=(replace(facts.versions[0], archive=known),))


def test_an_archive_is_unpacked_file_by_file(tmp_path: Path) -> None:
    facts, truth = tiny("cifar-binary", tmp_path)
    facts = packed(facts, tmp_path, tmp_path)
    np.testing.assert_array_equal(read(facts, tmp_path).train_images, truth["train_images"])
    inner = {file.name for file in facts.versions[0].files}
    assert {path.name for path in (tmp_path / "inner").iterdir()} == inner
    assert not (tmp_path.parent / "outside").exists()


def test_a_damaged_archive_unpacks_nothing(tmp_path: Path) -> None:
    facts, _ = tiny("cifar-binary", tmp_path)
    facts = packed(facts, tmp_path, tmp_path)
    archive = tmp_path / "tiny.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(
        InputError, match=r"tiny\.tar\.gz: is truncated: found \d+ bytes, MD5 \w+; expected \d+ bytes, MD5"
    ):
        read(facts, tmp_path)
    assert not (tmp_path / "inner").exists()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a local web server, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, directory=str(folder), **options)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/", folder
        running.shutdown()
        thread.join()


def test_downloads_are_checked_and_kept(server: tuple[str, Path], tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url, served = server
    facts, truth = tiny("cifar-binary", tmp_path)
    facts = packed(facts, tmp_path, served)
    dead = "http://127.0.0.1:9/"  # nobody listens there: the second address is tried
    facts = replace(facts, versions=(replace(facts.versions[0], urls=(dead, url)),))
    with pytest.raises(
        InputError, match=r"home: no such folder; give --data-dir a folder with tiny\.tar\.gz, or --download"
    ):
        fetch.find(facts, tmp_path / "home")
    monkeypatch.setenv(fetch.DATA_FOLDER, str(tmp_path / "home"))
    found = data.read(facts, *fetch.find(facts, None, download=True))
    np.testing.assert_array_equal(found.test_images, truth["test_images"])
    assert (tmp_path / "home" / "tiny.tar.gz").is_file()
    (served / "tiny.tar.gz").unlink()  # now from the folder, without a network
    assert len(data.read(facts, *fetch.find(facts, None, download=True)).train_images) == 14


def test_downloads_that_fail(server: tuple[str, Path], tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url, served = server
    facts, _ = tiny("idx", tmp_path)
    version = facts.versions[0]
    for file in version.files[:-1]:
        (served / file.name).write_bytes((tmp_path / "inner" / file.name).read_bytes())
    facts = replace(facts, versions=(replace(version, urls=(url,)),))
    home = tmp_path / "home"
    with pytest.raises(InputError, match=r"test-labels could not be downloaded \(http://127.*404.*--data-dir"):
        fetch.find(facts, home, download=True)
    (served / "test-labels").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"test-labels could not be downloaded .*MD5 hash.*does not match") as caught:
        fetch.find(facts, home, download=True)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in (home / "inner").iterdir()) == ["test-images", "train-images", "train-labels"]


# ------------------------------------------------------------------------------------------------------- the real ones
@pytest.mark.parametrize("name", ["cifar10", "mnist"])
@pytest.mark.slow
def test_official_files(name: str, tmp_path: Path) -> None:
    if not (SHARED / "unpack.py").is_file():
        pytest.skip("../shared/data/unpack.py is not here: no official files to read")
    pytest.importorskip("PIL")
    command = [sys.executable, str(SHARED / "unpack.py"), name, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    found = load_dataset(name, tmp_path)
    shapes = {"cifar10": (50000, 10000, (3, 32, 32)), "mnist": (60000, 10000, (1, 28, 28))}
    assert (len(found.train_images), len(found.test_images), found.shape) == shapes[name]
    if name == "cifar10":
        assert found.train_labels.bincount().tolist() == [5000] * 10
        assert found.class_names[int(found.train_labels[0])] == "frog"  # the first image is famous
    part = found.train_images[::7].float() / 255
    np.testing.assert_allclose(part.mean((0, 2, 3)), found.mean, atol=5e-3)
    np.testing.assert_allclose(part.std((0, 2, 3)), found.std, atol=5e-3)
    path = next(tmp_path.rglob("data_batch_1.bin" if name == "cifar10" else "train-images-idx3-ubyte"))
    with open(path, "r+b") as file:
        file.seek(12345)
        file.write(b"?!")
    official = {"cifar10": "5dd7e06a14cb22eb9f671a540d1b7c25", "mnist": "6bbc9ace898e44ae57da46a324031adb"}[name]
    with pytest.raises(
        InputError, match=rf"{path.name}: is not the official file: .*MD5 {official}; delete it and fetch"
    ):
        load_dataset(name, tmp_path)


def test_descriptions_are_complete() -> None:
    assert set(fetch.descriptions()) == set(DATASETS) - {"digits"}
    for name, facts in fetch.descriptions().items():
        assert len(facts.classes) == (100 if name == "cifar100" else 10)
        assert len(facts.mean) == len(facts.std) == facts.shape[0]
        assert facts.augmentation in augmentation.KINDS
        for version in facts.versions:
            digests = [f.md5 for file in version.files for f in (file, file.gz) if f and f.md5]
            assert all(len(digest) == 32 and set(digest) <= set("0123456789abcdef") for digest in digests)
            assert len(set(digests)) == len(digests) >= (0 if version.options.get("label_bytes") == 2 else 2)
            assert len(version.train) == (5 if name == "cifar10" else 2 if version.format == "idx" else 1)


# --------------------------------------------------------------------------------------------------- digits, one Dataset
def test_digits_are_embedded_and_split_without_a_seed() -> None:
    from sklearn.datasets import load_digits

    found = load_dataset("digits")
    assert (found.shape, found.K, len(found.train_images), len(found.test_images)) == ((1, 8, 8), 10, 1442, 355)
    assert found.test_labels.bincount().min() >= 34
    every = load_digits()
    zeros = np.flatnonzero(every.target == 0)
    pixels = torch.from_numpy(every.images[zeros[4]]).float() * 255 / 16
    np.testing.assert_array_equal(found.test_images[found.test_labels == 0][0, 0], pixels.round())
    part = found.train_images.float() / 255
    np.testing.assert_allclose([part.mean(), part.std()], [found.mean[0], found.std[0]], atol=1e-4)
    assert torch.equal(found.train_images, load_dataset("digits").train_images)


def test_names_and_subsets() -> None:
    with pytest.raises(InputError, match=r"dataset 'cifar-10': unknown \(digits, .*did you mean 'cifar10'"):
        load_dataset("cifar-10")
    digits = load_dataset("digits")
    part = digits.subset(100)
    assert len(part.train_images) == len(part.train_labels) == 100
    sizes, kept = digits.train_labels.bincount(), part.train_labels.bincount()
    assert (abs(kept - sizes * 100 / 1442) < 1).all()
    assert kept.tolist() == [10] * 10
    expected = torch.cat([torch.nonzero(digits.train_labels == k)[:10, 0] for k in range(10)]).sort().values
    assert torch.equal(part.train_images, digits.train_images[expected])
    assert subset_indices(np.array([0, 0, 0, 0, 0, 1, 1, 1]), 2, 3).tolist() == [0, 1, 5]
    assert subset_indices(np.array([0, 0, 0, 0, 0, 1, 1, 1]), 2, 5).tolist() == [0, 1, 2, 5, 6]  # 3.125 and 1.875
    assert len(digits.subset(1442).train_images) == 1442
    for samples in (9, 1443):
        with pytest.raises(InputError, match=rf"subset {samples}: a whole number in 10\.\.1442"):
            digits.subset(samples)


# -------------------------------------------------------------------------------------------------------- augmentation
def seeded(seed: int) -> Any:
    return torch.Generator().manual_seed(seed)


def pictures(count: int, C: int = 3, H: int = 32, W: int = 32) -> Any:
    return torch.from_numpy(np.random.default_rng(1).integers(1, 256, (count, C, H, W), dtype=np.uint8))


def windows(image: np.ndarray) -> dict[bytes, tuple[int, int, bool]]:
    """Every result that crop and flip can have, by its bytes."""
    _, H, W = image.shape
    padded = np.pad(image, ((0, 0), (4, 4), (4, 4)))
    cut = {(dy, dx): padded[:, dy : dy + H, dx : dx + W] for dy in range(9) for dx in range(9)}
    return {
        np.ascontiguousarray(part[:, :, :: -1 if flip else 1]).tobytes(): (*at, flip)
        for at, part in cut.items()
        for flip in (False, True)
    }


def test_crop_and_flip_have_every_outcome_equally_often() -> None:
    image = pictures(1, H=9, W=7)
    known = windows(image[0].numpy())
    assert len(known) == 162
    outcomes = augment(image.expand(8100, -1, -1, -1), "crop-flip", seeded(3)).numpy()
    found = [known[outcome.tobytes()] for outcome in outcomes]  # KeyError: no crop of the image
    times = np.array([found.count(at) for at in known.values()])
    chi2 = ((times - 50) ** 2 / 50).sum()
    assert 161 - 4 * 18 < chi2 < 161 + 4 * 18  # four standard deviations, sqrt(2 * 161)


def test_rotation_is_that_of_pillow() -> None:
    Image = pytest.importorskip("PIL.Image")
    images = pictures(40)
    for H, W in ((32, 32), (24, 33)):
        shown = images[:, :, :H, :W] if W <= 32 else pictures(40, H=H, W=W)
        angles = torch.linspace(-20, 20, 40)
        ours = augmentation._turned(shown, torch.deg2rad(angles).view(-1, 1, 1)).permute(0, 2, 3, 1).numpy()
        theirs = np.stack(
            [
                np.asarray(Image.fromarray(image).rotate(angle, resample=Image.Resampling.NEAREST))
                for image, angle in zip(shown.permute(0, 2, 3, 1).numpy(), angles.tolist(), strict=True)
            ]
        )
        # Pillow computes coordinates in 16-bit fixed point: a few on the edge of a pixel fall to the other side
        assert (ours != theirs).any(axis=3).mean() < 2e-3
        assert (ours == 0).all(axis=3).mean() > 0.01


def test_rotation_comes_after_crop_and_flip_with_its_own_angles() -> None:
    images = pictures(300)
    both = augment(images, "crop-flip-rotate", seeded(9))
    draws = torch.rand((4, 300, 1, 1), generator=seeded(9))
    cropped = augment(images, "crop-flip", seeded(9))
    assert torch.equal(both, augmentation._turned(cropped, torch.deg2rad(40 * draws[3] - 20)))
    assert 0.5 < (both != cropped).float().mean() < 0.999


@pytest.mark.parametrize("kind", ["crop-flip", "crop-flip-rotate"])
def test_augmentation_is_deterministic_and_has_its_own_numbers(kind: str) -> None:
    images = pictures(50)
    kept = images.clone()
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = augment(images, kind, seeded(1))
    assert first.dtype == torch.uint8
    assert torch.equal(first, augment(images, kind, seeded(1)))
    assert not torch.equal(first, augment(images, kind, seeded(2)))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(images, kept)
    assert torch.equal(augment(images.float(), kind, seeded(1)), first.float())
    assert not torch.equal(first, augment(images, kind))  # the global generator
    assert augment(images[:0], kind).shape == (0, 3, 32, 32)


def test_augmentation_of_nothing_and_bad_input() -> None:
    images = pictures(3)
    assert augment(images, "none") is images
    with pytest.raises(InputError, match=r"augmentation 'crop_flip': unknown .*did you mean 'crop-flip'"):
        augment(images, "crop_flip")
    with pytest.raises(InputError, match=r"images of shape \(3, 32, 32\); four axes"):
        augment(images[0], "crop-flip")


def test_normalise() -> None:
    images = pictures(5, H=4, W=6)
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    expected = (images.numpy() / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(normalise(images, mean, std), expected, atol=1e-6)
    last = normalise(images, mean, std, torch.bfloat16, channels_last=True)
    assert last.dtype == torch.bfloat16
    assert last.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(last.float(), expected, rtol=2**-8, atol=1e-6)
    floats = images.float()
    np.testing.assert_allclose(normalise(floats, mean, std), expected, atol=1e-6)
    assert torch.equal(floats, images.float())  # no input is changed
    with pytest.raises(InputError, match="mean and std have 1 and 3 entries for images of 3 channels"):
        normalise(images, (0.5,), std)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", ["crop-flip", "crop-flip-rotate"])
def test_a_cpu_generator_gives_the_same_images_on_a_gpu(kind: str) -> None:
    images = pictures(64)
    here, there = augment(images, kind, seeded(4)), augment(images.cuda(), kind, seeded(4))
    assert (here != there.cpu()).float().mean() < 1e-3
