"""How a photograph becomes a square of pixels: the published pipelines of the large sets, image by image, with Pillow.

Papers and their code use torchvision's transforms on Pillow images; these are the same operations, written on Pillow alone.
Random numbers come from a generator keyed by (seed, epoch, index of the image), so an image looks the same in an epoch
whichever process decodes it, and however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from PIL import Image, ImageEnhance

KINDS: dict[str, str] = {
    "resized-crop-flip-jitter": "a part of 8 to 100 % of the area, resized; flip; colours changed (WebVision)",
    "resized-crop-flip": "a part of 8 to 100 % of the area, resized; flip (ImageNet)",
    "square-crop-flip": "resized to a square, cropped at random; flip (Clothing1M)",
    "flip": "resized to a square; flip (Animal-10N)",
}
"""Every kind of augmentation, with one line about it; flips are left-right, with probability 1/2."""

MARGIN = 256 / 224  # a side before cropping over the side after it
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.2}  # WebVision, in all papers
Random = np.random.Generator


def numbers(seed: int, epoch: int, index: int) -> Random:
    """The random numbers of one visit of one image."""
    key = blake2b(f"image/{seed}/{epoch}/{index}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def for_training(image: Image.Image, kind: str, size: int, random: Random) -> Image.Image:
    """An RGB image of size x size, randomly changed as `kind` says."""
    if kind.startswith("resized-crop"):
        image = random_resized_crop(image, size, random)
    elif kind == "square-crop-flip":
        image = random_crop(resize(image, larger(size), larger(size)), size, random)
    else:
        image = resize(image, size, size)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return jitter(image, random) if kind.endswith("jitter") else image


def for_testing(image: Image.Image, kind: str, size: int) -> Image.Image:
    """The same image without chance: the middle size x size of what the kind resizes to."""
    if kind == "flip":
        return resize(image, size, size)
    if kind == "square-crop-flip":
        return centre_crop(resize(image, larger(size), larger(size)), size)
    return centre_crop(resize_shorter(image, larger(size)), size)


def larger(size: int) -> int:
    """The side before cropping: 256 for 224."""
    return round(size * MARGIN)


# ----------------------------------------------------------------------------------------------- geometry


def resize(image: Image.Image, width: int, height: int) -> Image.Image:
    """Bilinear, with the filter widened where it shrinks (Pillow's way, and torchvision's on Pillow images)."""
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BILINEAR)


def resize_shorter(image: Image.Image, size: int) -> Image.Image:
    """The shorter side becomes `size`, the longer one ``int(size * longer / shorter)``."""
    width, height = image.size
    if width <= height:
        return resize(image, size, int(size * height / width))
    return resize(image, int(size * width / height), size)


def centre_crop(image: Image.Image, size: int) -> Image.Image:
    """The middle; half pixels are rounded to the even number."""
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def random_crop(image: Image.Image, size: int, random: Random) -> Image.Image:
    """Every position equally likely."""
    left, top = below(image.width - size + 1, random), below(image.height - size + 1, random)
    return image.crop((left, top, left + size, top + size))


def random_resized_crop(image: Image.Image, size: int, random: Random) -> Image.Image:
    """A random part, resized to size x size (Szegedy et al. 2015, as torchvision has it): see :func:`random_box`."""
    return resize(image.crop(random_box(image.width, image.height, random)), size, size)


def random_box(width: int, height: int, random: Random) -> tuple[int, int, int, int]:
    """(left, top, right, bottom): share of the area uniform in [0.08, 1], log of width / height uniform in +-log(4/3).

    Ten draws at most that do not fit; then the largest part in the middle whose ratio is within those bounds.
    """
    low, high = 3 / 4, 4 / 3
    for _ in range(10):
        area = width * height * (0.08 + 0.92 * random.random())
        ratio = math.exp(math.log(low) + (math.log(high) - math.log(low)) * random.random())
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = below(width - w + 1, random), below(height - h + 1, random)
            return left, top, left + w, top + h
    w, h = width, height
    if width / height < low:
        h = round(width / low)
    elif width / height > high:
        w = round(height * high)
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def below(count: int, random: Random) -> int:
    """A whole number in 0..count-1."""
    return int(count * random.random())


# ------------------------------------------------------------------------------------------------ colours


def jitter(image: Image.Image, random: Random) -> Image.Image:
    """Brightness, contrast and saturation times factors uniform in [0.6, 1.4], hue shifted by at most a fifth of the circle.

    The four come in random order, as torchvision's ColorJitter(0.4, 0.4, 0.4, 0.2) does it.
    """
    order = np.argsort(random.random(len(JITTER)))
    amounts = [strength * (2 * random.random() - 1) for strength in JITTER.values()]
    for which in order:
        name = list(JITTER)[which]
        amount = amounts[which] if name == "hue" else 1 + amounts[which]
        image = ADJUST[name](image, amount)
    return image


def brightness(image: Image.Image, factor: float) -> Image.Image:
    """Every value times `factor`, cut at 255."""
    return ImageEnhance.Brightness(image).enhance(factor)


def contrast(image: Image.Image, factor: float) -> Image.Image:
    """``m + factor * (value - m)``, m the mean grey of the image, rounded."""
    return ImageEnhance.Contrast(image).enhance(factor)


def saturation(image: Image.Image, factor: float) -> Image.Image:
    """``g + factor * (value - g)``, g the grey of the pixel: 0.299 red + 0.587 green + 0.114 blue."""
    return ImageEnhance.Color(image).enhance(factor)


def hue(image: Image.Image, shift: float) -> Image.Image:
    """Hue (of hue, saturation, value in bytes) plus `shift` in [-1/2, 1/2] of the circle, modulo 256 steps."""
    h, s, v = image.convert("HSV").split()
    steps = int(shift * 255) % 256
    turned = h.point([(value + steps) % 256 for value in range(256)])
    return Image.merge("HSV", (turned, s, v)).convert("RGB")


ADJUST: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "hue": hue,
}
