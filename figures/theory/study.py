"""The figures of one loss for ``asymtheory study``: phase, path, landscape and calibration, as pdf and png."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from asymtheory.errors import InputError
from asymtheory.losses import Loss
from asymtheory.noise import NoiseModel
from asymtheory.numbers.text import plain

from .. import gallery

FORMATS = ("pdf", "png")
LANDSCAPE = 3  # classes of its triangle


def plot(loss: Loss, noise: NoiseModel, folder: Path) -> Iterator[tuple[str, list[Path] | str]]:
    """Draw them, one after the other: the name with its files, or with the reason why there is no such figure of this loss."""
    worst = noise.rows[noise.worst]
    weights = ",".join(plain(w) for w in worst.weights)
    three = sorted(worst.weights, reverse=True)
    while len(three) < LANDSCAPE:
        three.append(three[-1] * 0)
    total = sum(three[:LANDSCAPE])
    corner = ",".join(plain(w / total) for w in three[:LANDSCAPE])
    here = (
        {} if noise.rate is None or not noise.representative else {"here": f"{noise.classes},{float(noise.rate):.12g}"}
    )
    for name, options in (
        ("phase", here if noise.kind == "symmetric" else {}),
        ("path", {"weights": weights}),
        ("landscape", {"weights": corner}),
        ("calibration", {}),
    ):
        try:
            drawn = gallery.make(name, width="full", loss=loss, **options)
            yield (
                name,
                [path.replace(path.with_name(f"{name}{path.suffix}")) for path in gallery.save(drawn, folder, FORMATS)],
            )
        except InputError as error:
            yield name, str(error)
