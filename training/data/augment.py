"""Augmentation and normalisation of whole batches on the device that holds them.

Crop and flip are one gather of bytes, a rotation is a second: for every pixel of the result an index says which pixel of
the image, with a black margin around it, it is taken from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch

from asymtheory.errors import InputError, nearest

KINDS: dict[str, str] = {
    "none": "images as they are",
    "crop-flip": "random crop after padding by 4 black pixels, horizontal flip with probability 1/2 (CIFAR-10)",
    "crop-flip-rotate": "the same, then a rotation by an angle uniform in [-20, 20] degrees (CIFAR-100)",
}
"""Every kind of augmentation, with one line about it."""

PADDING = 4
DEGREES = 20.0


def augment(images: torch.Tensor, kind: str, generator: torch.Generator | None = None) -> torch.Tensor:
    """Randomly changed copies of `images` (N, C, H, W), of the same type, on the same device.

    kind              as published training has it (torchvision's RandomCrop, RandomHorizontalFlip, RandomRotation)
    none              `images` itself
    crop-flip         offsets (dy, dx) uniform in {-4, .., 4}^2, pixels from outside are 0; then flipped left-right
                      with probability 1/2
    crop-flip-rotate  then turned about the centre by an angle uniform in [-20, 20] degrees, nearest pixel, outside 0

    Every image has its own numbers, drawn from `generator` on the generator's own device (default: the images' device and
    torch's global generator): the same state gives the same images, and a generator on the CPU gives the same images on
    every device up to the rounding of a rotated coordinate. An unknown kind or not four axes raise InputError.
    """
    if kind not in KINDS:
        raise InputError(f"augmentation {kind!r}: unknown ({', '.join(KINDS)}){nearest(kind, KINDS)}")
    if images.ndim != 4:
        raise InputError(f"images of shape {tuple(images.shape)}; four axes (N, C, H, W) are needed")
    if kind == "none" or not len(images):
        return images
    device, source = images.device, images.device if generator is None else generator.device
    draws = torch.rand((4, len(images), 1, 1), generator=generator, device=source).to(device)
    # offsets 0..8: nine times the largest float32 below 1 rounds to less than 9
    dy, dx = ((2 * PADDING + 1) * draws[:2]).to(torch.int64)
    images = _cropped(images, dy, dx, draws[2] < 0.5)
    if kind == "crop-flip-rotate":
        images = _turned(images, math.radians(DEGREES) * (2 * draws[3] - 1))
    return images


def _cropped(images: torch.Tensor, dy: torch.Tensor, dx: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
    """Windows at (dy, dx) of the padded images, mirrored where `flipped`; all three of shape (N, 1, 1)."""
    _, _, H, W = images.shape
    row = torch.arange(H, device=images.device).view(1, H, 1) + dy
    column = torch.arange(W, device=images.device).view(1, 1, W)
    column = torch.where(flipped, W - 1 - column, column) + dx
    return _read(images, PADDING, row * (W + 2 * PADDING) + column)


def _turned(images: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Images turned counter-clockwise about their centre by `angle` (N, 1, 1), at most DEGREES.

    Pixel centres lie at half-integers; the pixel that holds the turned centre is taken, as Pillow does. The margin holds
    every coordinate that such an angle can ask for, so that none has to be clamped or masked.
    """
    _, _, H, W = images.shape
    margin = math.ceil(max(H, W) / 2 * math.sin(math.radians(DEGREES))) + 1
    y = torch.arange(H, device=images.device).view(1, H, 1) + 0.5 - H / 2
    x = torch.arange(W, device=images.device).view(1, 1, W) + 0.5 - W / 2
    cos, sin = torch.cos(angle), torch.sin(angle)
    row = ((cos * y + (H / 2 + margin)) + sin * x).floor_()
    column = ((cos * x + (W / 2 + margin)) - sin * y).floor_()
    # whole numbers below 2^24 are exact in float32: images of up to about 3,000 x 3,000 pixels
    return _read(images, margin, row.mul_(W + 2 * margin).add_(column).to(torch.int64))


def _read(images: torch.Tensor, margin: int, index: torch.Tensor) -> torch.Tensor:
    """The pixels at `index` (N, H, W) of the images with a black margin, the same for every channel."""
    N, C, H, W = images.shape
    padded = torch.nn.functional.pad(images, (margin,) * 4).flatten(2)
    return padded.gather(2, index.view(N, 1, H * W).expand(N, C, H * W)).view(N, C, H, W)


def normalise(
    images: torch.Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
) -> torch.Tensor:
    """``(images / 255 - mean) / std`` per channel, for uint8 `images` (N, C, H, W); computed in float32, returned in `dtype`.

    `channels_last` lays the result out with the channel index fastest, which convolutions on a GPU like. Lengths of
    `mean` and `std` that are not C raise InputError.
    """
    C = images.shape[1]
    if len(mean) != C or len(std) != C:
        raise InputError(f"mean and std have {len(mean)} and {len(std)} entries for images of {C} channels")
    layout = torch.channels_last if channels_last else torch.contiguous_format
    factor, shift = _affine(tuple(mean), tuple(std), images.device)
    return images.to(torch.float32, memory_format=layout, copy=True).mul_(factor).sub_(shift).to(dtype)


@lru_cache(maxsize=64)
def _affine(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """``1 / (255 std)`` and ``mean / std`` on the device, (C, 1, 1): copied there once, not for every batch."""
    factor = torch.tensor([1 / (255 * s) for s in std], dtype=torch.float32, device=device)
    shift = torch.tensor([m / s for m, s in zip(mean, std, strict=True)], dtype=torch.float32, device=device)
    return factor.view(-1, 1, 1), shift.view(-1, 1, 1)
