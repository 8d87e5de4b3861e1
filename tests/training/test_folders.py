"""Sets in files: transforms against their definitions, official lists and what can be wrong with them, workers, recipes."""

from __future__ import annotations

import colorsys
import importlib
import io
import json
import math
import re
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asymtheory_training.data import folders
from asymtheory_training.data import photographs as transforms
from asymtheory_training.data.folders import FOLDERS, load_folders
from asymtheory_training.data.inputs import Data, Images
from asymtheory_training.distributed import World
from asymtheory_training.run import models
from asymtheory_training.run.config import TrainConfig
from asymtheory_training.run.recipes import RECIPES
from asymtheory_training.run.run import Prepared, run, trained_model
from PIL import Image
from torch import nn

from asymtheory.cli import main
from asymtheory.errors import InputError

forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python >= 3.12


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def array(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image).astype(np.float64)


def save(path: Path, label: int = 0, size: tuple[int, int] = (12, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise(*size, seed=label + sum(map(ord, path.name))).save(path)


# ------------------------------------------------------------------------------------------------------- transforms

GREY = np.array([299, 587, 114]) / 1000


@pytest.mark.parametrize("factor", [0.6, 0.85, 1.0, 1.4])
def test_colours_follow_their_definitions(factor: float) -> None:
    image = noise(31, 17)
    x = array(image)
    grey = x @ GREY
    whole = np.broadcast_to(np.round(grey.round().mean()), x.shape)
    definitions = {"brightness": 0 * x, "contrast": whole, "saturation": np.repeat(grey[..., None].round(), 3, -1)}
    for name, other in definitions.items():
        expected = np.clip(other + factor * (x - other), 0, 255)
        # Pillow cuts the fraction off, and greys are rounded: one step, and the grey's own half step
        np.testing.assert_allclose(array(transforms.ADJUST[name](image, factor)), expected, atol=1.3, err_msg=name)


@pytest.mark.parametrize("shift", [-0.2, -0.07, 0.0, 0.2])
def test_hue_turns_the_colour_circle_and_keeps_saturation_and_value(shift: float) -> None:
    """Against colorsys; Pillow keeps hue in bytes, so a colour may be off by some steps of 255."""
    image = noise(20, 20)
    turned = []
    for pixel in array(image).reshape(-1, 3) / 255:
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        turned.append(colorsys.hsv_to_rgb((h + shift) % 1, s, v))
    expected = 255 * np.array(turned).reshape(20, 20, 3)
    np.testing.assert_allclose(array(transforms.hue(image, shift)), expected, atol=12)
    np.testing.assert_allclose(array(transforms.hue(image, shift)).max(-1), array(image).max(-1), atol=1)


def test_jitter_draws_four_changes_in_random_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[tuple[str, float]]] = []

    def noted(name: str) -> Any:
        def change(image: Image.Image, amount: float) -> Image.Image:
            seen[-1].append((name, amount))
            return image

        return change

    monkeypatch.setattr(transforms, "ADJUST", {name: noted(name) for name in transforms.JITTER})
    for index in range(2000):
        seen.append([])
        transforms.jitter(noise(1, 1), transforms.numbers(0, 0, index))
    orders = Counter(tuple(name for name, _ in each) for each in seen)
    assert len(orders) == 24
    assert max(orders.values()) < 2 * min(orders.values())
    for name, (low, high) in {"brightness": (0.6, 1.4), "saturation": (0.6, 1.4), "hue": (-0.2, 0.2)}.items():
        amounts = np.sort([amount for each in seen for key, amount in each if key == name])
        uniform = low + (high - low) * (np.arange(2000) + 0.5) / 2000
        assert np.abs(amounts - uniform).max() < 0.05 * (high - low), name  # Kolmogorov-Smirnov: 0.05 is far out


def test_boxes_have_uniform_area_and_log_uniform_ratio_and_lie_anywhere() -> None:
    boxes = np.array([transforms.random_box(1000, 1000, transforms.numbers(3, 1, i)) for i in range(3000)])
    left, top, right, bottom = boxes.T
    assert left.min() >= 0
    assert top.min() >= 0
    assert right.max() <= 1000
    assert bottom.max() <= 1000
    width, height = right - left, bottom - top
    share, ratio = width * height / 1e6, np.log(width / height) / math.log(4 / 3)
    assert 0.08 <= share.min() + 1e-3
    assert np.abs(ratio).max() <= 1 + 0.01
    small = share < 0.5  # these always fit, so their numbers are as drawn
    assert np.abs(np.sort(share[small]) - np.linspace(0.08, 0.5, small.sum())).max() < 0.02
    assert np.abs(np.sort(ratio[small]) - np.linspace(-1, 1, small.sum())).max() < 0.08
    free = left[small] / (1000 - width[small])
    assert np.abs(np.sort(free) - np.linspace(0, 1, small.sum())).max() < 0.05


@pytest.mark.parametrize(("size", "box"), [((10, 1000), (0, 493, 10, 506)), ((1000, 10), (493, 0, 506, 10))])
def test_an_image_that_no_box_fits_gives_its_middle(size: tuple[int, int], box: tuple[int, ...]) -> None:
    never = types.SimpleNamespace(random=lambda: 0.999)  # areas of almost the whole image, ratios of 4/3
    found = transforms.random_box(*size, never)  # type: ignore[arg-type]
    assert found == box


def test_sizes_before_and_after_the_crop() -> None:
    assert transforms.larger(224) == 256
    assert transforms.resize_shorter(noise(300, 500), 256).size == (256, 426)
    assert transforms.resize_shorter(noise(500, 300), 256).size == (426, 256)
    x = np.asarray(noise(13, 9))
    np.testing.assert_array_equal(np.asarray(transforms.centre_crop(noise(13, 9), 6)), x[2:8, 4:10])
    for kind in transforms.KINDS:
        for size in ((50, 30), (20, 20), (9, 40)):
            assert transforms.for_testing(noise(*size), kind, 16).size == (16, 16)
            assert transforms.for_training(noise(*size), kind, 16, transforms.numbers(0, 0, 0)).size == (16, 16)


def test_flips_and_crops_are_even() -> None:
    """A ramp shows which way round and from where an image was taken; at 14 nothing is resized to (16, 16) from (16, 16)."""
    ramp = Image.fromarray(np.repeat(np.arange(16, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2))
    flipped, offsets = 0, Counter[int]()
    for index in range(1500):
        row = array(transforms.for_training(ramp, "square-crop-flip", 14, transforms.numbers(0, 5, index)))[0, :, 0]
        flipped += row[0] > row[-1]
        offsets[int(row.min())] += 1
    assert abs(flipped - 750) < 5 * math.sqrt(1500) / 2
    assert set(offsets) == {0, 1, 2}
    assert max(abs(count - 500) for count in offsets.values()) < 5 * math.sqrt(1500 * 2 / 9)
    assert transforms.for_training(ramp, "flip", 16, transforms.numbers(0, 0, 0)).getextrema()[0] == (0, 15)


def test_numbers_depend_on_seed_epoch_and_index_only() -> None:
    drawn = {
        key: transforms.numbers(*key).random()
        for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 11, 1), (0, 1, 11)]
    }
    assert len(set(drawn.values())) == 6
    assert transforms.numbers(0, 11, 1).random() == drawn[0, 11, 1]


def test_they_are_torchvisions_transforms_pixel_for_pixel() -> None:
    try:
        torchvision = importlib.import_module("torchvision.transforms")
        functional = importlib.import_module("torchvision.transforms.functional")
    except (ImportError, RuntimeError):
        pytest.skip("torchvision is not installed, or does not fit this torch")
    for seed, (width, height) in enumerate([(40, 90), (120, 33), (64, 64)]):
        image, random = noise(width, height, seed), transforms.numbers(0, 0, seed)
        left, top, right, bottom = transforms.random_box(width, height, random)
        pairs = [
            (change(image, 0.17), getattr(functional, f"adjust_{name}")(image, 0.17))
            for name, change in transforms.ADJUST.items()
        ]
        pairs += [
            (transforms.for_testing(image, "resized-crop-flip", 28),
             torchvision.CenterCrop(28)(torchvision.Resize(32)(image))),
            (transforms.for_testing(image, "square-crop-flip", 28),
             torchvision.CenterCrop(28)(torchvision.Resize((32, 32))(image))),
            (transforms.resize(image.crop((left, top, right, bottom)), 28, 28),
             functional.resized_crop(image, top, left, bottom - top, right - left, [28, 28])),
        ]  # fmt: skip
        for ours, theirs in pairs:
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


# ------------------------------------------------------------------------------------------------------------ layouts


@pytest.fixture
def webvision(tmp_path: Path) -> Path:
    """Three training images of the first classes and one of a later class that is left out; two validation images."""
    root = tmp_path / "webvision"
    (root / "info").mkdir(parents=True)
    train = [
        ("google/q0001/b.jpg", 0),
        ("google/q0051/x.jpg", 50),
        ("google/q0002/a.jpg", 1),
        ("google/q0001/c.jpg", 0),
    ]
    for name, label in train:
        if label < 50:
            save(root / name, label)
    for name in ("val000001.jpg", "val000002.jpg"):
        save(root / "val_images_256" / name)
    (root / "info" / "train_filelist_google.txt").write_text("".join(f"{name} {label}\n" for name, label in train))
    (root / "info" / "val_filelist.txt").write_text("val000001.jpg 49\nval000009.jpg 300\nval000002.jpg 1\n")
    synsets = "".join(f"n{1440764 + i:08d} name {i}, other\n" for i in range(1000))
    (root / "info" / "synsets.txt").write_text(synsets)
    return root


@pytest.fixture
def ilsvrc(tmp_path: Path) -> Path:
    """One image in the folder of every class, two in that of class 3."""
    root = tmp_path / "ilsvrc"
    for i in range(52):
        save(root / f"n{1440764 + i:08d}" / f"ILSVRC2012_val_{i:08d}.JPEG", i)
    save(root / f"n{1440764 + 3:08d}" / "ILSVRC2012_val_00000999.JPEG")
    return root


@pytest.fixture
def clothing1m(tmp_path: Path) -> Path:
    root = tmp_path / "clothing1m"
    notes = root / "annotations"
    notes.mkdir(parents=True)
    keys = [f"images/{i}/{i}7/{i},1.jpg" for i in range(5)]
    for key in keys:
        save(root / key)
    (notes / "noisy_train_key_list.txt").write_text("\n".join([keys[2], keys[0], keys[1]]) + "\n")
    (notes / "noisy_label_kv.txt").write_text("".join(f"{key} {13 - i}\n" for i, key in enumerate(keys)))
    (notes / "clean_test_key_list.txt").write_text(f"{keys[4]}\n{keys[3]}\n")
    (notes / "clean_label_kv.txt").write_text("".join(f"{key} {i}\n" for i, key in enumerate(keys)))
    return root


@pytest.fixture
def animal10n(tmp_path: Path) -> Path:
    root = tmp_path / "animal10n"
    for name in ("training/3_00017.jpg", "training/0_2.jpg", "training/9_00001.jpg", "testing/7_5.jpg"):
        save(root / name, size=(64, 64))
    (root / "training" / "Thumbs.db").write_text("no image")
    return root


def names(images: folders.FolderImages) -> list[str]:
    return [Path(images.path(i)).relative_to(images.root).as_posix() for i in range(len(images))]


def test_webvision_keeps_the_first_fifty_classes_of_its_lists(webvision: Path, ilsvrc: Path) -> None:
    found = load_folders("webvision", webvision, ilsvrc_dir=ilsvrc, workers=0)
    assert (found.K, found.shape, found.trusted) == (50, (3, 224, 224), False)
    assert found.class_names[:2] == ("name 0, other", "name 1, other")
    assert names(found.train) == ["google/q0001/b.jpg", "google/q0002/a.jpg", "google/q0001/c.jpg"]
    assert found.train_labels.tolist() == [0, 1, 0]
    assert names(found.test) == ["val_images_256/val000001.jpg", "val_images_256/val000002.jpg"]
    assert found.test_labels.tolist() == [49, 1]
    assert found.second is not None
    assert found.second_labels is not None
    assert found.second_labels.tolist() == sorted([*range(50), 3])
    assert names(found.second)[3:5] == [f"n01440767/ILSVRC2012_val_{i:08d}.JPEG" for i in (3, 999)]


def test_ilsvrc_folders_may_be_numbered_and_must_be_there(webvision: Path, tmp_path: Path) -> None:
    (webvision / "info" / "synsets.txt").unlink()
    for label in range(50):
        save(tmp_path / "numbered" / str(label) / "a.png")
    found = load_folders("webvision", webvision, ilsvrc_dir=tmp_path / "numbered", workers=0)
    assert found.class_names == tuple(map(str, range(50)))
    assert found.second_labels is not None
    assert found.second_labels.tolist() == list(range(50))
    (tmp_path / "numbered" / "7" / "a.png").unlink()
    (tmp_path / "numbered" / "7").rmdir()
    with pytest.raises(InputError, match=r"--ilsvrc-dir \S*numbered: holds no folder 7; one folder for every class"):
        load_folders("webvision", webvision, ilsvrc_dir=tmp_path / "numbered", workers=0)


def test_clothing1m_takes_noisy_labels_for_training_and_clean_ones_for_testing(clothing1m: Path) -> None:
    found = load_folders("clothing1m", clothing1m, workers=0)
    assert (found.K, found.class_names[13]) == (14, "Underwear")
    assert names(found.train) == [f"images/{i}/{i}7/{i},1.jpg" for i in (2, 0, 1)]
    assert found.train_labels.tolist() == [11, 13, 12]
    assert names(found.test) == [f"images/{i}/{i}7/{i},1.jpg" for i in (4, 3)]
    assert found.test_labels.tolist() == [4, 3]
    for file in (clothing1m / "annotations").iterdir():  # the lists may lie beside the images too
        file.rename(clothing1m / file.name)
    (clothing1m / "annotations").rmdir()
    assert load_folders("clothing1m", clothing1m, workers=0).train_labels.tolist() == [11, 13, 12]


def test_animal10n_has_its_labels_in_the_file_names(animal10n: Path) -> None:
    found = load_folders("animal10n", animal10n.parent, workers=0)  # the folder of its name inside is found
    assert (found.K, found.shape) == (10, (3, 64, 64))
    assert names(found.train) == ["training/0_2.jpg", "training/3_00017.jpg", "training/9_00001.jpg"]
    assert found.train_labels.tolist() == [0, 3, 9]
    assert found.test_labels.tolist() == [7]
    pixels = found.test.batch(slice(0, 1), torch.float64)
    mean, std = (torch.tensor(each, dtype=torch.float64) for each in FOLDERS["animal10n"].scale)
    image = torch.tensor(array(Image.open(animal10n / "testing" / "7_5.jpg")) / 255)
    torch.testing.assert_close(pixels[0].permute(1, 2, 0), (image - mean) / std, rtol=0, atol=1e-5)


LISTS = [
    ("webvision", "info/train_filelist_google.txt", "google/q0001/b.jpg\n", ", line 1: 'google/q0001/b.jpg' is not a file name"),
    ("webvision", "info/train_filelist_google.txt", "a.jpg 0\n\nb.jpg one\n", ", line 3: 'b.jpg one' is not a file name, a space"),
    ("webvision", "info/val_filelist.txt", "val000001.jpg 1000\n", ", line 1: class 1000 of val000001.jpg is outside 0..999"),
    ("webvision", "info/val_filelist.txt", "val000001.jpg 51\n", ": lists no image of the classes that are used"),
    ("webvision", "info/val_filelist.txt", None, ": no such file"),
    ("webvision", "info/synsets.txt", "n01440764 tench\n", ": 1 classes; the first 50 are needed"),
    ("webvision", "info/synsets.txt", "tench n01440764\n", ", line 1: 'tench' is not a WordNet id"),
    ("webvision", "info/val_filelist.txt", "val000001.jpg 0\nval000003.jpg 2\nval7.jpg 3\n",
     ", line 2: val_images_256/val000003.jpg: there is no such image in .* (2 of 3 are missing)"),
    ("clothing1m", "annotations/noisy_label_kv.txt", "images/2/27/2,1.jpg 14\n", ", line 1: class 14 of images/2/27/2,1.jpg is"),
    ("clothing1m", "annotations/clean_label_kv.txt", "images/4/47/4,1.jpg 4\n",
     "clean_test_key_list.txt, line 2: images/3/37/3,1.jpg has no label in clean_label_kv.txt"),
    ("clothing1m", "annotations/clean_test_key_list.txt", "images/3/37/3,1.jpg\nimages/4/47/none.jpg\n",
     ", line 2: images/4/47/none.jpg has no label"),
    ("animal10n", "training/10_1.jpg", "x", ": its name does not begin with a class 0..9"),
    ("animal10n", "testing/cat.jpg", "x", ": its name does not begin with a class 0..9"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "content", "message"), LISTS)
def test_what_is_wrong_with_a_list_is_named_with_its_line(
    name: str, file: str, content: str | None, message: str, request: pytest.FixtureRequest
) -> None:
    root: Path = request.getfixturevalue(name)
    if content is None:
        (root / file).unlink()
    else:
        (root / file).write_text(content)
    with pytest.raises(InputError) as caught:
        load_folders(name, root, workers=0)
    said = str(caught.value)
    assert re.search(re.escape(message).replace(r"\.\*", ".*"), said), said
    assert "\n" not in said
    if not message[0].isalpha():
        assert str(root / file) in said


def test_folders_that_are_none_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, webvision: Path) -> None:
    monkeypatch.delenv("ASYMTHEORY_DATA", raising=False)
    with pytest.raises(InputError, match=r"--data-dir DIR with info/train_filelist_google\.txt in it"):
        load_folders("webvision")
    with pytest.raises(
        InputError, match=r"holds no annotations/.* and no noisy_train_key_list.txt, so it is not clothing1m"
    ):
        load_folders("clothing1m", tmp_path)
    with pytest.raises(InputError, match=r"'webvison': unknown .* did you mean 'webvision'"):
        load_folders("webvison", tmp_path)
    with pytest.raises(InputError, match=r"--ilsvrc-dir .*: goes with --dataset webvision, not with animal10n"):
        load_folders("animal10n", tmp_path, ilsvrc_dir=tmp_path)
    monkeypatch.setenv("ASYMTHEORY_DATA", str(tmp_path))
    assert len(load_folders("webvision", workers=0).train) == 3
    monkeypatch.setenv("HOME", str(webvision.parent))
    assert len(load_folders("webvision", f"~/{webvision.name}", workers=0).train) == 3  # as a TOML file may say it


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no such image in"),
        (b"not an image", "is not an image that Pillow knows"),
        ("cut", "cannot be read as an image ("),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
@forks
def test_an_image_that_cannot_be_read_is_named_with_its_line(
    webvision: Path, content: Any, reason: str, workers: int
) -> None:
    found = load_folders("webvision", webvision, image_size=16, workers=workers)
    file = webvision / "google" / "q0002" / "a.jpg"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:300] if content == "cut" else content)
    with pytest.raises(InputError) as caught:
        list(found.train.visits([torch.tensor([0, 1])], torch.float32, (0, 0)))
    said = str(caught.value)
    assert said.startswith(f"{webvision / 'info' / 'train_filelist_google.txt'}, line 3: google/q0002/a.jpg: "), said
    assert reason in said
    assert "\n" not in said


# ---------------------------------------------------------------------------------------------- images for the loop


@forks
def test_images_do_not_depend_on_who_decodes_them(webvision: Path) -> None:
    """Batches of one process without workers, of one with two workers, and of two processes."""
    found = load_folders("webvision", webvision, image_size=16, workers=0)
    parts = [torch.tensor([2, 0, 1]), torch.tensor([1, 1])]
    before = torch.random.get_rng_state()
    alone = list(found.train.visits(parts, torch.float32, (7, 3)))
    helped = load_folders("webvision", webvision, image_size=16, workers=2).train
    for a, b in zip(alone, helped.visits(parts, torch.float32, (7, 3)), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(torch.random.get_rng_state(), before)
    shared = [list(found.train.visits(parts, torch.float32, (7, 3), World(rank, 2))) for rank in range(2)]
    for whole, *halves in zip(alone, *shared, strict=True):
        assert torch.equal(torch.cat(halves), whole)
    assert torch.equal(alone[1][0], alone[1][1])
    assert torch.equal(alone[0][2], alone[1][0])
    later = next(found.train.visits(parts, torch.float32, (7, 4)))
    assert not torch.equal(later, alone[0])
    twice = found.train.take(np.array([1, 1]))  # one file at two places of the list: two different crops
    assert twice.where(0).endswith("google.txt, line 3: google/q0002/a.jpg")
    first, second = next(twice.visits([torch.tensor([0, 1])], torch.float32, (7, 3)))
    assert not torch.equal(first, second)
    plain = next(found.train.visits(parts, torch.float32))
    assert torch.equal(plain, found.train.batch(parts[0], torch.float32))


def test_balanced_epochs_hold_every_class_equally_and_differ() -> None:
    labels = torch.tensor([0] * 20 + [1] * 5 + [2] * 9)
    data = Data(Images(torch.zeros(34, 1)), labels, balanced=4)
    assert data.visited == 12
    orders = [data.order(0, epoch) for epoch in range(200)]
    assert all(torch.bincount(labels[order]).tolist() == [4, 4, 4] for order in orders)
    assert torch.equal(orders[3], data.order(0, 3))
    counts = torch.bincount(torch.cat(orders), minlength=34)
    for label, size in enumerate((20, 5, 9)):
        mean = 200 * 4 / size
        assert (counts[labels == label] - mean).abs().max() < 5 * math.sqrt(mean)
    first = torch.stack([labels[order[0]] for order in orders])
    assert torch.bincount(first, minlength=3).min() > 40  # the classes are mixed, not one after the other
    with pytest.raises(InputError, match="--balanced 6: class 1 has 5 images only"):
        Data(Images(torch.zeros(34, 1)), labels, balanced=6)


def test_a_run_on_webvision_reports_both_test_sets(webvision: Path, ilsvrc: Path, tmp_path: Path) -> None:
    settings = {
        "dataset": "webvision", "data_dir": str(webvision), "ilsvrc_dir": str(ilsvrc), "loss": "jal-ce",
        "parameters": {"a": 30}, "model": "mlp", "width": 0.1, "image_size": 8, "epochs": 2, "batch": 2, "workers": 0,
        "device": "cpu", "balanced": 1, "rate": 0.01, "nesterov": True, "schedule": "step:1:0.97",
    }  # fmt: skip
    (webvision / "info" / "train_filelist_google.txt").write_text(
        "google/q0001/b.jpg 0\ngoogle/q0002/a.jpg 1\ngoogle/q0001/c.jpg 0\n"
    )
    (webvision / "info" / "val_filelist.txt").write_text("val000001.jpg 49\nval000002.jpg 1\n")
    result = run(TrainConfig.resolve(settings), tmp_path / "out")
    line = json.loads((tmp_path / "out" / "result.jsonl").read_text())
    assert result.last.test in (0, 0.5, 1)
    assert result.last.second is not None
    assert line["last"]["second"] == pytest.approx(result.last.second, rel=1e-5)
    assert line["labels"] == {
        "count": 3,
        "wrong": None,
        "rate": None,
        "checksum": line["labels"]["checksum"],
        "kind": "as collected",
    }
    assert line["last"]["rate"] == pytest.approx(0.01 * 0.97)
    assert "on the second test set" in str(result)
    assert "as collected: 3 labels, checksum" in str(result)
    data = Prepared.of(TrainConfig.resolve(settings)).data
    assert [len(each) for each in (data.images, data.test, data.second) if each is not None] == [3, 2, 51]
    assert data.second is not None
    assert data.second_labels is not None
    assert data.second_labels.tolist() == sorted([*range(50), 3])
    model, _ = trained_model(tmp_path / "out")
    found = model(data.second.batch(slice(None), torch.float32)).argmax(1)
    assert result.last.second == pytest.approx((found == data.second_labels).double().mean().item())
    assert result.last.second not in (0, result.last.test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--dataset", "webvision", "--noise", "symmetric", "--eta", "0.2"],
            "--noise symmetric: the labels of webvision are noisy",
        ),
        (["--image-size", "16"], "--image-size 16: goes with the sets in files"),
        (["--workers", "2"], "--workers 2: goes with the sets in files"),
        (["--ilsvrc-dir", "x"], "--ilsvrc-dir x: goes with the sets in files"),
        (["--balanced", "1000"], "--balanced 1000: class 8 has 140 images only"),
        (["--pretrained"], "--pretrained: goes with --model resnet50 or vgg19-bn, not with mlp"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(
    options: list[str], message: str, webvision: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *options, "--data-dir", str(webvision), "--model", "mlp"]) == 2
    assert message in capsys.readouterr().err


def test_noise_goes_onto_trusted_labels_only_and_needs_no_pixels(tmp_path: Path) -> None:
    for part in ("train", "val"):
        for label in ("ant", "bee"):
            for i in range(4):
                save(tmp_path / part / label / f"{i}.png")
    settings = {
        "dataset": "folder",
        "data_dir": str(tmp_path),
        "model": "mlp",
        "image_size": 8,
        "workers": 0,
        "loss": "ce",
    }
    noisy = TrainConfig.resolve({**settings, "noise": {"kind": "symmetric", "eta": "1/4"}})
    prepared = Prepared.of(noisy)
    assert prepared.dataset.class_names == ("ant", "bee")
    assert prepared.facts["wrong"] == 2
    with pytest.raises(InputError, match="--noise idn: needs the pixels of all images; those of folder are in files"):
        Prepared.of(TrainConfig.resolve({**settings, "noise": {"kind": "idn", "eta": "1/4"}}))
    (tmp_path / "val" / "cow").mkdir()
    with pytest.raises(InputError, match=r"train and val hold different classes \(cow\)"):
        Prepared.of(noisy)


# ---------------------------------------------------------------------------------------------- recipes, weights

PRINTED = {
    "apl-webvision": ("resnet50", 250, 512, 0.4, 3e-5, 5.0, "step:1:0.97"),  # APL Sec. 5.4
    "anl-webvision": ("resnet50", 250, 512, 0.4, 3e-5, 5.0, "step:1:0.97"),  # ANL App. D.3
    "jal-webvision": ("resnet50", 250, 256, 0.4, 3e-5, 5.0, "step:1:0.97"),  # JAL App. B.2
    "anl-clothing1m": ("resnet50", 10, 32, 1e-3, 1e-3, math.inf, "step:5:0.1"),  # ANL App. D.5
    "jal-clothing1m": ("resnet50", 10, 256, 5e-3, 1e-3, math.inf, "step:5:0.1"),  # JAL App. B.2
    "anl-animal10n": ("vgg19-bn", 100, 128, 0.1, 1e-3, math.inf, "drop:0.2:0.5,0.75"),  # ANL App. D.5
}


@pytest.mark.parametrize("name", PRINTED)
def test_recipes_are_what_the_papers_print(name: str) -> None:
    config = TrainConfig.resolve({"recipe": name})
    printed = (config.model, config.epochs, config.batch, config.rate, config.strength, config.clip, config.schedule)
    assert printed == PRINTED[name]
    assert config.dataset == name.split("-")[1]
    assert config.nesterov == (config.dataset == "webvision")
    assert config.pretrained == (config.dataset == "clothing1m")
    assert RECIPES[name].setting(config.loss or "") is not None


def test_published_penalties_of_the_large_sets() -> None:
    def penalty(name: str, loss: str) -> tuple[str, float]:
        config = TrainConfig.resolve({"recipe": name, "loss": loss, "regularisation": "published"})
        return config.regularisation, config.strength

    assert penalty("anl-webvision", "anl-ce") == ("l1", 6e-6)
    assert penalty("anl-webvision", "gce") == ("l2", 3e-5)
    assert penalty("jal-webvision", "jal-ce") == ("l2", 3e-5)
    assert penalty("anl-animal10n", "gce") == ("l2", 1e-4)
    assert penalty("anl-animal10n", "anl-ce") == ("l1", 1e-6)
    assert penalty("anl-animal10n", "ce") == ("l2", 1e-3)


class Tiny(nn.Module):
    """Stands in for torchvision's network: a body and a last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 2, 3)
        self.fc = nn.Linear(2, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.fc(self.body(x).mean((2, 3)))
        return features


def test_pretrained_weights_come_from_torchs_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    trained = Tiny().state_dict()

    def get_state_dict(**options: Any) -> dict[str, torch.Tensor]:
        asked.append(options)
        if not (tmp_path / "checkpoints" / "resnet50-11ad3fa6.pth").exists():
            raise OSError("no route to host")
        return trained

    weights = types.SimpleNamespace(url="somewhere/resnet50-11ad3fa6.pth", get_state_dict=get_state_dict)
    module = types.SimpleNamespace(
        resnet50=lambda weights: Tiny(), get_model_weights=lambda name: types.SimpleNamespace(DEFAULT=weights)
    )
    monkeypatch.setitem(sys.modules, "torchvision", types.SimpleNamespace(models=module))
    monkeypatch.setitem(sys.modules, "torchvision.models", module)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=r"--pretrained: \S*resnet50-11ad3fa6.pth is missing; put torchvision's file"):
        models.build_model("resnet50", 14, (3, 32, 32), pretrained=True)
    assert not asked
    with pytest.raises(InputError, match=r"cannot be had \(no route to host\)"):
        models.build_model("resnet50", 14, (3, 32, 32), pretrained=True, download=True)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet50-11ad3fa6.pth").write_bytes(io.BytesIO().getvalue())
    model = models.build_model("resnet50", 14, (3, 32, 32), seed=0, pretrained=True)
    assert torch.equal(model.state_dict()["body.body.weight"], trained["body.weight"])
    assert model.classifier.weight.shape == (14, 2)


def test_timm_is_not_let_onto_the_network_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_model(name: str, pretrained: bool, num_classes: int) -> nn.Module:
        raise RuntimeError("hub: cannot be reached\nand more")

    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    monkeypatch.setitem(sys.modules, "timm", types.SimpleNamespace(create_model=create_model))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(InputError, match="timm would ask the network; say --download, or HF_HUB_OFFLINE=1"):
        models.build_model("resnet50", 14, (3, 32, 32), pretrained=True)
    with pytest.raises(InputError, match=r"timm has no weights of resnet50 here \(hub: cannot be reached\)"):
        models.build_model("resnet50", 14, (3, 32, 32), pretrained=True, download=True)
