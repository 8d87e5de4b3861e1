"""The papers' networks: their published sizes and initialisation, seeds, widths, and the hooks to other libraries."""

from __future__ import annotations

import math
import re
import types
from typing import Any

import pytest
import torch
from asymtheory_training.run import models
from asymtheory_training.run.models import Network, build_model, parameters
from torch import nn

from asymtheory.errors import InputError

SIZES = [
    ("cnn4", 10, (1, 28, 28), 422_090),
    ("cnn8", 10, (3, 32, 32), 1_639_794),
    ("resnet34", 10, (3, 32, 32), 21_282_122),
    ("resnet34", 100, (3, 32, 32), 21_328_292),
    ("mlp", 10, (1, 28, 28), 784 * 256 + 256 + 256 * 256 + 256 + 2570),
]
OWN = ("cnn4", "cnn8", "resnet34", "mlp")


@pytest.mark.parametrize(("name", "K", "shape", "count"), SIZES)
def test_sizes_are_the_published_ones(name: str, K: int, shape: tuple[int, int, int], count: int) -> None:
    assert parameters(build_model(name, K, shape)) == count


@pytest.mark.parametrize("name", OWN)
def test_features_are_the_input_of_the_last_linear_layer(name: str) -> None:
    model = build_model(name, 7, (3, 12, 10), width=0.125, seed=0).eval()
    x = torch.randn(5, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    features = model.features(x)
    assert features.ndim == 2
    assert model(x).shape == (5, 7)
    torch.testing.assert_close(model(x), features @ model.classifier.weight.T + model.classifier.bias)
    assert not torch.equal(features[0], features[1])


@pytest.mark.parametrize("name", OWN)
def test_initialisation_is_the_published_one(name: str) -> None:
    model = build_model(name, 10, (3, 32, 32), width=0.5, seed=1)
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    for layer in layers:
        fan_in = layer.weight[0].numel()
        if isinstance(layer, nn.Conv2d):
            bound = math.sqrt(6 / fan_in)  # Kaiming uniform, fan in, ReLU
        else:
            bound = math.sqrt(6 / (layer.in_features + layer.out_features))  # Xavier uniform
        largest = layer.weight.abs().max().item()
        assert 0.9 * bound < largest <= bound
        if layer.bias is not None:  # as torch makes them
            assert 0 < layer.bias.abs().max().item() <= 1 / math.sqrt(fan_in)
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())


def test_the_seed_fixes_the_weights_and_leaves_the_callers_generator_alone() -> None:
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    one = build_model("cnn4", 10, (1, 8, 8), 0.25, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    two, other = (build_model("cnn4", 10, (1, 8, 8), 0.25, seed=seed) for seed in (3, 4))
    for a, b, c in zip(one.state_dict().values(), two.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)
        assert a.ndim < 2 or not torch.equal(a, c)
    torch.manual_seed(7)
    free = build_model("mlp", 10, (1, 8, 8))
    torch.manual_seed(7)
    again = build_model("mlp", 10, (1, 8, 8))
    assert torch.equal(free.classifier.weight, again.classifier.weight)


@pytest.mark.parametrize("name", OWN)
def test_width_multiplies_the_hidden_widths(name: str) -> None:
    full, half = (build_model(name, 10, (1, 16, 16), width) for width in (1, 0.5))
    assert half.classifier.in_features == full.classifier.in_features // 2
    assert 2.5 < parameters(full) / parameters(half) < 4
    assert build_model(name, 10, (1, 16, 16), 1e-9).classifier.in_features == 1


def test_the_resnet_keeps_resolution_in_its_stem() -> None:
    body = build_model("resnet34", 10, (3, 32, 32), 1 / 16).body
    assert isinstance(body, nn.Sequential)
    assert body[:3](torch.zeros(2, 3, 32, 32)).shape == (2, 4, 32, 32)
    assert body[:-2](torch.zeros(2, 3, 32, 32)).shape == (2, 32, 4, 4)  # where the published code averages 4x4
    assert sum(isinstance(module, models.BasicBlock) for module in body) == 3 + 4 + 6 + 3


BAD: list[tuple[tuple[Any, ...], str]] = [
    (("cnn9", 10, (1, 8, 8)), "--model 'cnn9': not a model .*did you mean 'cnn"),
    (("cnn8", 10, (3, 7, 32)), "images of 7x32 are too small, at least 8x8"),
    (("mlp", 1, (1, 8, 8)), "K 1: .*>= 2"),
    (("mlp", 10, (8, 8)), r"shape \(8, 8\): \(channels, height, width\)"),
    (("mlp", 10, (1, 8, 8), 0.0), "--width 0.0: a finite number > 0"),
    (("mlp", 10, (1, 8, 8), math.inf), "--width inf: a finite number > 0"),
    (("resnet50", 10, (3, 64, 64), 0.5), "--width 0.5: resnet50 comes from a library"),
    (("resnet50", 10, (1, 64, 64)), "images of 1 channels; 3 are needed"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_named(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build_model(*arguments)
    assert "\n" not in str(caught.value)


# -------------------------------------------------------------------------------------------------- other libraries


class FakeResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(3, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.fc(self.pool(x).flatten(1))
        return out


class FakeVGG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(2)
        layers = [nn.Linear(12, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()]
        self.classifier = nn.Sequential(*layers, nn.Linear(4096, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.classifier(self.pool(x).flatten(1))
        return out


def library(monkeypatch: pytest.MonkeyPatch, **known: Any) -> None:
    def import_module(name: str) -> Any:
        if name.replace(".", "_") not in known:
            raise ImportError(name)
        return known[name.replace(".", "_")]

    monkeypatch.setattr(models, "import_module", import_module)


@pytest.mark.parametrize(("name", "size"), [("resnet50", 3), ("vgg19-bn", 4096)])
def test_torchvision_networks_get_a_last_layer_of_their_own(
    monkeypatch: pytest.MonkeyPatch, name: str, size: int
) -> None:
    made = types.SimpleNamespace(resnet50=lambda weights: FakeResNet(), vgg19_bn=lambda weights: FakeVGG())
    library(monkeypatch, torchvision_models=made)
    model = build_model(name, 50, (3, 32, 32), seed=0).eval()
    assert isinstance(model, Network)
    x = torch.randn(2, 3, 32, 32)
    assert model.features(x).shape == (2, size)
    assert model(x).shape == (2, 50)


def test_timm_is_asked_where_torchvision_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def create_model(name: str, pretrained: bool, num_classes: int) -> nn.Module:
        asked.append((name, pretrained, num_classes))
        body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        body.num_features = 3  # type: ignore[assignment]
        return body

    library(monkeypatch, timm=types.SimpleNamespace(create_model=create_model))
    assert build_model("vgg19-bn", 10, (3, 64, 64))(torch.zeros(2, 3, 64, 64)).shape == (2, 10)
    assert asked == [("vgg19_bn", False, 0)]


def test_without_either_library_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch)
    with pytest.raises(InputError, match=re.escape("pip install torchvision (or timm)")):
        build_model("resnet50", 14, (3, 224, 224))
