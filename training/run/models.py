"""The networks of the papers, for any number of classes and any image size they have room for.

Sizes and initialisation are those of the published code (ALF, APL, ANL and JAL share them): convolutions Kaiming uniform for
ReLU, linear layers Xavier uniform, biases as torch makes them; no dropout. ``width`` multiplies every hidden width, so that a
small machine can train the same shape. Every model is a :class:`Network`: ``features`` and a ``classifier``, which is one linear
layer unless another head is asked for.

Published code seeds the CUDA generator only and builds its models on the CPU, so its initial weights differ from run to run;
``build_model(..., seed=0)`` draws them from the CPU generator at that seed and leaves the caller's random state alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asymtheory.errors import InputError, nearest

Shape = tuple[int, int, int]
INSTALL = "pip install torchvision (or timm)"


class Network(nn.Module):
    """``body`` maps images (N, C, H, W) to features (N, D), ``classifier`` those to logits (N, K)."""

    def __init__(self, body: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.classifier = classifier

    def features(self, x: Tensor) -> Tensor:
        """The input of the last layer, (N, D): what the papers' t-SNE figures show."""
        found: Tensor = self.body(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x))
        return logits


def build_model(
    name: str,
    K: int,
    shape: Sequence[int],
    width: float = 1.0,
    seed: int | None = None,
    pretrained: bool = False,
    download: bool = False,
    head: Callable[[int, int], nn.Module] | None = None,
) -> Network:
    """A network by name for K classes of images of ``shape`` (C, H, W), in float32 on the CPU.

    ``cnn4`` (the papers' 4-layer CNN of MNIST: 422,090 parameters at K = 10, 1x28x28), ``cnn8`` (their 8-layer CNN of
    CIFAR-10: 1,639,794), ``resnet34`` (CIFAR stem), ``mlp`` (two hidden layers of 256), ``mlp1`` (one), ``linear`` (none), and
    ``resnet50`` and ``vgg19-bn`` from torchvision or timm, at width 1 only. With ``seed`` the weights are a function of the
    arguments; without, they come
    from torch's generator as it stands. ``pretrained`` starts those two from the library's ImageNet weights (all but the last
    layer), which are on this machine already unless ``download`` may fetch them. ``head`` makes another last layer of the numbers
    of features and classes; all other weights are those that the network has without it.
    Raises InputError for an unknown name, images too small, a width that is not
    positive and a library that is not installed.
    """
    key = name.strip().lower().replace("_", "-")
    if pretrained and key in MODELS:
        raise InputError(f"--pretrained: goes with --model {' or '.join(LIBRARY)}, not with {key}")
    if key not in NAMES:
        raise InputError(f"--model {name!r}: not a model ({', '.join(NAMES)}){nearest(key, NAMES)}")
    if not isinstance(K, int) or K < 2:
        raise InputError(f"K {K}: the number of classes must be a whole number >= 2")
    if not 0 < width < float("inf"):
        raise InputError(f"--width {width}: a finite number > 0 is needed")
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"images of shape {tuple(shape)}: (channels, height, width) is needed")
    channels, height, breadth = shape
    if min(height, breadth) < LEAST[key]:
        least = LEAST[key]
        raise InputError(
            f"--model {key}: images of {height}x{breadth} are too small, at least {least}x{least} is needed"
        )
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.random.default_generator.manual_seed(seed)
        if key in LIBRARY:
            network = _library_model(key, K, (channels, height, breadth), width, pretrained, download)
        else:
            network = MODELS[key](K, (channels, height, breadth), width)
        if head is not None:
            assert isinstance(network.classifier, nn.Linear)
            network.classifier = head(network.classifier.in_features, K)
    return network


def parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def initialise(model: nn.Module) -> None:
    """Draw the weights again as published code does (ALF ``lnl/models.py``); biases and batch norms are left alone."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)


def scaled(size: int, width: float) -> int:
    """A hidden width, multiplied; at least 1."""
    return max(1, round(size * width))


# --------------------------------------------------------------------------------------------------- plain networks


def _conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]


def _cnn(blocks: Sequence[Sequence[int]], hidden: int, K: int, shape: Shape, width: float) -> Network:
    """Blocks of 3x3 convolutions, each halved by a max pool, then one hidden linear layer."""
    inputs, height, breadth = shape
    layers: list[nn.Module] = []
    for block in blocks:
        for size in block:
            layers += _conv(inputs, scaled(size, width))
            inputs = scaled(size, width)
        layers.append(nn.MaxPool2d(2))
        height, breadth = height // 2, breadth // 2
    wide = scaled(hidden, width)
    layers += [nn.Flatten(), nn.Linear(inputs * height * breadth, wide), nn.BatchNorm1d(wide), nn.ReLU()]
    model = Network(nn.Sequential(*layers), nn.Linear(wide, K))
    initialise(model)
    return model


def _cnn4(K: int, shape: Shape, width: float) -> Network:
    return _cnn(((32,), (64,)), 128, K, shape, width)


def _cnn8(K: int, shape: Shape, width: float) -> Network:
    return _cnn(((64, 64), (128, 128), (196, 196)), 256, K, shape, width)  # 196, not 192, in all four repositories


def _perceptron(depth: int) -> Callable[[int, Shape, float], Network]:
    """A perceptron of ``depth`` hidden layers of 256; with none it is a linear classifier."""

    def build(K: int, shape: Shape, width: float) -> Network:
        size = math.prod(shape)
        layers: list[nn.Module] = [nn.Flatten()]
        for _ in range(depth):
            layers += [nn.Linear(size, scaled(256, width)), nn.ReLU()]
            size = scaled(256, width)
        model = Network(nn.Sequential(*layers), nn.Linear(size, K))
        initialise(model)
        return model

    return build


# ----------------------------------------------------------------------------------------------------------- ResNet


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


def _resnet34(K: int, shape: Shape, width: float) -> Network:
    """The CIFAR form: a 3x3 stem of stride 1 and no max pool; at 32x32 the average pool is the published 4x4 one."""
    size = scaled(64, width)
    layers: list[nn.Module] = [nn.Conv2d(shape[0], size, 3, padding=1, bias=False), nn.BatchNorm2d(size), nn.ReLU()]
    for stage, (outputs, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            layers.append(BasicBlock(size, scaled(outputs, width), stride))
            size = scaled(outputs, width)
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model = Network(nn.Sequential(*layers), nn.Linear(size, K))
    initialise(model)
    return model


# ------------------------------------------------------------------------------------- from torchvision or timm


def _library_model(name: str, K: int, shape: Shape, width: float, pretrained: bool, download: bool) -> Network:
    """The library's own network and initialisation or weights, its last layer replaced by one for K classes."""
    if width != 1:
        raise InputError(f"--width {width:g}: {name} comes from a library and has one width; leave --width out")
    if shape[0] != 3:
        raise InputError(f"--model {name}: images of {shape[0]} channels; 3 are needed")
    body, size = (
        _from_torchvision(name, pretrained, download) or _from_timm(name, pretrained, download) or _missing(name)
    )
    return Network(body, nn.Linear(size, K))


def _from_torchvision(name: str, pretrained: bool, download: bool) -> tuple[nn.Module, int] | None:
    try:
        library = import_module("torchvision.models")
    except (ImportError, RuntimeError):  # RuntimeError: an installed torchvision that does not fit this torch
        return None
    key = name.replace("-", "_")
    model: nn.Module = getattr(library, key)(weights=None)
    if pretrained:
        model.load_state_dict(torchvision_weights(library.get_model_weights(key).DEFAULT, download))
    holder: nn.Module = model if name == "resnet50" else model.get_submodule("classifier")
    place = "fc" if name == "resnet50" else "6"
    last = holder.get_submodule(place)
    assert isinstance(last, nn.Linear)
    setattr(holder, place, nn.Identity())
    return model, last.in_features


def torchvision_weights(weights: Any, download: bool) -> Any:
    """The weights from torch's cache, where torchvision keeps them; fetched into it only if asked."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if not path.exists() and not download:
        raise InputError(
            f"--pretrained: {path} is missing; put torchvision's file of that name there, or say --download"
        )
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise InputError(f"--pretrained: {path} cannot be had ({brief(error)})") from None


def _from_timm(name: str, pretrained: bool, download: bool) -> tuple[nn.Module, int] | None:
    try:
        library = import_module("timm")
    except (ImportError, RuntimeError):
        return None
    if pretrained and not download and not os.environ.get("HF_HUB_OFFLINE"):
        raise InputError(
            "--pretrained: timm would ask the network; say --download, or HF_HUB_OFFLINE=1 for what it has"
        )
    try:
        model = library.create_model(name.replace("-", "_"), pretrained=pretrained, num_classes=0)
    except Exception as error:  # whatever the client of timm's hub raises for a file that it does not find
        if not pretrained:
            raise
        raise InputError(f"--pretrained: timm has no weights of {name} here ({brief(error)})") from None
    return model, int(getattr(model, "head_hidden_size", None) or model.num_features)


def brief(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]


def _missing(name: str) -> tuple[nn.Module, int]:
    raise InputError(f"--model {name} is built by torchvision or timm, and neither can be imported: {INSTALL}")


MODELS: dict[str, Callable[[int, Shape, float], Network]] = {
    "linear": _perceptron(0),
    "mlp1": _perceptron(1),
    "cnn4": _cnn4,
    "cnn8": _cnn8,
    "resnet34": _resnet34,
    "mlp": _perceptron(2),
}
LIBRARY = ("resnet50", "vgg19-bn")
NAMES = (*MODELS, *LIBRARY)
STACKED = ("linear", "mlp1", "mlp")
"""Networks of which many are trained as one batch (:mod:`.stack`)."""
LEAST = {"linear": 1, "mlp1": 1, "mlp": 1, "cnn4": 4, "cnn8": 8, "resnet34": 1, "resnet50": 32, "vgg19-bn": 32}
"""The least height and width of an image: below it a pool would leave nothing."""
