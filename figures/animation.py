"""The figure ``path`` in motion: the exact minimiser runs to its vertex as the parameter grows, trained networks beside it.

Every artist of a frame is drawn once and has a name; a moment of the animation is which of them are visible. So a gif, a video and
an svg show the same, and the svg is one drawing with a style sheet: it does not move for readers who ask for reduced motion.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from tqdm import tqdm

from asymtheory import Loss, build
from asymtheory.errors import InputError
from asymtheory.numbers.text import plain
from asymtheory.writing import write_file

from . import style
from .gallery import check_folder
from .results import FOLDER, Floats, Measurement, NothingMeasured, load
from .theory.landscape import CORNERS, plane
from .theory.path import LINES, MinimiserPath, path_data, read_weights

FORMATS = ("gif", "svg", "mp4")
FRAMES, SMALL_FRAMES = 60, 24
DPI, SMALL_DPI = 130, 75
SECONDS, HOLD = 5.0, 1.5  # of the motion, and of the last frame
COLOURS = 48  # of a gif's palette
DATASET = "digits"


@dataclass(frozen=True)
class Film:
    """A figure whose artists appear at a moment: ``once`` are seen at one frame only, ``stay`` from it to the end."""

    figure: Figure
    frames: int
    once: tuple[tuple[int, Artist], ...]
    stay: tuple[tuple[int, Artist], ...]

    def show(self, frame: int) -> None:
        """Make visible what belongs to a frame."""
        for at, artist in self.once:
            artist.set_visible(at == frame)
        for at, artist in self.stay:
            artist.set_visible(at <= frame)


def networks(loss: Loss, weights: str, results: str = FOLDER) -> list[Measurement]:
    """The rows of ``asymtheory confirm`` on digits with labels that are redrawn from this noise, by the value of the parameter;
    empty where none was measured."""
    try:
        rows = load(results).rows
    except NothingMeasured:
        return []
    others = {name: value for name, value in loss.parameters.items() if name != loss.main}
    kept = [
        row
        for row in rows
        if (row["regime"], row["dataset"], row["noise"], row["loss"]) == ("population", DATASET, weights, loss.name)
        and row["vectors"] is not None
        and {name: Fraction(str(value)) for name, value in row["fixed"].items()} == others
    ]
    return sorted(kept, key=lambda row: float(row["value"]))


def film(
    width: float = 6.75, *, loss: Loss | None = None, weights: str = "cifar10n-worse", results: str = FOLDER,
    frames: int = FRAMES,
) -> Film:  # fmt: skip
    """Left, the minimiser on the triangle of the clean class, its runner-up and the rest; right, its entries over the parameter.

    Circles are networks: the mean softmax vector of the training images of that class of digits, at the values trained.
    """
    if not 2 <= frames <= 400:
        raise InputError(f"--option frames={frames}: a whole number from 2 to 400 is needed")
    drawn_loss, row = build("amse", q=2) if loss is None else loss, read_weights(weights)
    data = path_data(drawn_loss, row, frames)
    data = _thinned(data, frames)
    rows = networks(drawn_loss, weights, results)
    measured = [(float(r["value"]), _three(np.array(r["vectors"]["measured"])[data.order[0]], data)) for r in rows]
    measured = [(value, point) for value, point in measured if data.values[0] <= value <= data.values[-1]]
    with style.context():
        narrow = width < 4.5
        drawn = style.canvas(width, 4.9 if narrow else 3.1)
        axes = drawn.subplots(2, 1) if narrow else drawn.subplots(1, 2, width_ratios=(1, 1.25))
        left, right = axes
        once, stay = _triangle(left, data, measured)
        more = _lines(right, data, measured)
        others = [f"${style.symbol(p)}={plain(v)}$" for p, v in drawn_loss.parameters.items() if p != drawn_loss.main]
        name = ", ".join([drawn_loss.title, *others])
        beside = f", and networks on {DATASET} (toy size)" if measured else ""
        style.title(
            drawn, f"{name} on {weights}: the exact minimiser as ${style.symbol(data.parameter)}$ grows{beside}"
        )
        style.legend(drawn, _handles(bool(measured)))
    made = Film(drawn, len(data.values), tuple(once + more[0]), tuple(stay + more[1]))
    for i, (_, artist) in enumerate((*made.once, *made.stay)):
        artist.set_gid(f"moment-{i}")
    return made


def _thinned(data: MinimiserPath, frames: int) -> MinimiserPath:
    """As many values as there are frames, the threshold among them."""
    if len(data.values) <= frames:
        return data
    keep = np.unique(
        np.append(
            np.rint(np.linspace(0, len(data.values) - 1, frames)).astype(int),
            int(np.argmin(abs(data.values - data.threshold))),
        )
    )
    return MinimiserPath(
        data.loss, data.parameter, data.values[keep], data.points[keep], data.threshold, data.inside, data.order
    )


def _three(vector: Floats, data: MinimiserPath) -> Floats:
    """(clean class, runner-up, the rest) of a probability vector."""
    m, n = data.order[:2]
    return np.array([vector[m], vector[n], vector.sum() - vector[m] - vector[n]])


_STAR: style.Keywords = {**style.HERE, "zorder": 6, "clip_on": False}
_RING: style.Keywords = {
    "linestyle": "none", "marker": "o", "markersize": 5, "markerfacecolor": "white", "markeredgecolor": style.INK,
    "zorder": 4, "clip_on": False,
}  # fmt: skip

Moments = list[tuple[int, Artist]]


def _frame_of(value: float, data: MinimiserPath) -> int:
    """The first frame at which the parameter has come to a value."""
    return min(int(np.searchsorted(data.values, value)), len(data.values) - 1)


def _triangle(axes: Axes, data: MinimiserPath, measured: Sequence[tuple[float, Floats]]) -> tuple[Moments, Moments]:
    axes.plot(*plane(np.eye(3)[[0, 1, 2, 0]]).T, color=style.INK, linewidth=0.8)
    x, y = plane(np.stack([data.top, data.second, data.rest], 1)).T
    sign = style.symbol(data.parameter)
    once: Moments = []
    stay: Moments = []
    for i, value in enumerate(data.values):
        if i:
            (step,) = axes.plot(x[i - 1 : i + 1], y[i - 1 : i + 1], color=style.HERE["markerfacecolor"], linewidth=2)
            stay.append((i, step))
        once.append((i, axes.plot(x[i], y[i], **_STAR)[0]))
        side = (
            "asymmetric"
            if (value >= data.threshold) == (data.inside == "above") or value == data.threshold
            else "not asymmetric"
        )
        once.append((i, axes.text(-0.1, 0.86, f"${sign}={value:.4g}$\n{side}", fontsize=8, color=style.INK, va="top")))
    for value, point in measured:
        place = plane(point)
        stay.append((_frame_of(value, data), axes.plot(*place, **_RING)[0]))
    names = ("clean class", "runner-up", "the rest")
    for k, (name, (across, shift)) in enumerate(
        zip(names, (("left", (7, 0)), ("left", (-6, -5)), ("right", (6, -5))), strict=True)
    ):
        axes.annotate(
            f"$e_{k + 1}$: {name}", (CORNERS[k, 0], CORNERS[k, 1]), xytext=shift, textcoords="offset points", ha=across,
            va="center" if k == 0 else "top", fontsize=7, annotation_clip=False,
        )  # fmt: skip
    axes.set(aspect="equal", xlim=(-0.12, 1.12), ylim=(-0.1, np.sqrt(0.75) + 0.04))
    axes.set_axis_off()
    return once, stay


def _lines(axes: Axes, data: MinimiserPath, measured: Sequence[tuple[float, Floats]]) -> tuple[Moments, Moments]:
    once: Moments = []
    stay: Moments = []
    for (line, _), values in zip(LINES, (data.top, data.second, data.rest), strict=True):
        axes.plot(data.values, values, **{**line, "linewidth": 0.6})
        for i in range(len(data.values)):
            if i:
                step = {**line, "linestyle": "-", "linewidth": 2}
                stay.append((i, axes.plot(data.values[i - 1 : i + 1], values[i - 1 : i + 1], **step)[0]))
            once.append(
                (i, axes.plot(data.values[i], values[i], marker="o", markersize=4, color=line["color"], zorder=5)[0])
            )
    for value, point in measured:
        for (line, _), share in zip(LINES, point, strict=True):
            ring = {**_RING, "markeredgecolor": line["color"]}
            stay.append((_frame_of(value, data), axes.plot(value, share, **ring)[0]))
    sign = style.symbol(data.parameter)
    style.threshold(axes, data.threshold, f"${sign}^*={data.threshold:.4g}$", height=0.45)
    axes.set(xlabel=f"${sign}$", ylabel="probability", ylim=(-0.03, 1.04), xlim=(data.values[0], data.values[-1]))
    style.log_ticks(axes, "x")
    return once, stay


def _handles(measured: bool) -> list[Artist]:
    handles: list[Artist] = [Line2D([], [], **line, label=label) for line, label in LINES]
    handles.append(Line2D([], [], **style.HERE, label="exact minimiser"))
    handles.append(Line2D([], [], **style.THRESHOLD, label="exact threshold"))
    if measured:
        handles.append(Line2D([], [], **_RING, label=f"networks, {DATASET}"))
    return handles


# ------------------------------------------------------------------------------------------------------------- files


def save(made: Film, path: Path, form: str, dpi: int = DPI) -> Path:
    """Write the film as a gif, svg or mp4 file, whole or not at all.

    Raises InputError for another format, a folder that cannot be written to, and for mp4 where there is no ffmpeg.
    """
    check(form)
    check_folder(path.parent)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.{form}")
    made.figure.draw_without_rendering()  # one layout for all frames
    made.figure.set_layout_engine("none")
    try:
        with style.context():
            {"gif": _gif, "svg": _svg, "mp4": _mp4}[form](made, part, dpi)
        part.replace(path)
    except OSError as error:
        raise InputError(f"--out {path.parent}: cannot be written to ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return path


def check(form: str) -> None:
    """Is it a format that can be written here? Else InputError."""
    if form not in FORMATS:
        raise InputError(f"--animate {form!r}: one of {', '.join(FORMATS)} is needed")
    if form == "mp4" and shutil.which("ffmpeg") is None:
        raise InputError("--animate mp4 needs the program ffmpeg, which is not on the PATH; gif and svg need nothing")


def _pictures(made: Film, dpi: int) -> Iterator[Image.Image]:
    """Frame by frame, with even sides, as videos need them."""
    made.figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(made.figure)
    for frame in tqdm(range(made.frames), desc="frames", unit="frame", leave=False):
        made.show(frame)
        canvas.draw()
        picture = np.asarray(canvas.buffer_rgba())[:, :, :3]
        high, wide = (side - side % 2 for side in picture.shape[:2])
        yield Image.fromarray(np.ascontiguousarray(picture[:high, :wide]))


def _gif(made: Film, path: Path, dpi: int) -> None:
    pictures = list(_pictures(made, dpi))
    palette = pictures[-1].quantize(COLOURS, dither=Image.Dither.NONE)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    each = round(1000 * SECONDS / made.frames)
    times = [each] * (made.frames - 1) + [round(1000 * HOLD)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)


def _mp4(made: Film, path: Path, dpi: int) -> None:
    rate = f"{made.frames / SECONDS:g}"
    process: subprocess.Popen[bytes] | None = None
    picture = b""
    try:
        for image in _pictures(made, dpi):
            if process is None:
                given = [
                    "-f",
                    "rawvideo",
                    "-pix_fmt",
                    "rgb24",
                    "-s",
                    f"{image.width}x{image.height}",
                    "-r",
                    rate,
                    "-i",
                    "-",
                ]
                made_as = ["-an", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)]
                process = subprocess.Popen(
                    ["ffmpeg", "-y", "-loglevel", "error", *given, *made_as],
                    stdin=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            assert process.stdin is not None
            picture = image.tobytes()
            process.stdin.write(picture)
        assert process is not None
        last = picture * round(HOLD * made.frames / SECONDS)
        _, said = process.communicate(last)
    except BrokenPipeError:
        assert process is not None
        _, said = process.communicate()
    finally:
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        line = (said.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise InputError(f"--animate mp4: ffmpeg failed: {line[:200]}")


def _svg(made: Film, path: Path, dpi: int) -> None:
    """One drawing with every moment in it; a style sheet says which is seen when."""
    for _, artist in (*made.once, *made.stay):
        artist.set_visible(True)
    drawn = BytesIO()
    made.figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": "asymtheory"})
    head, mark, rest = drawn.getvalue().decode().partition("<defs>")
    write_file(path, f"{head}<style>{_sheet(made)}</style>{mark}{rest}", "--animate")


def _sheet(made: Film) -> str:
    """Without motion the last frame is seen."""
    step, length = SECONDS / made.frames, SECONDS + HOLD
    last = made.frames - 1
    still = [f"#{artist.get_gid()}" for at, artist in made.once if at != last]
    moving = [f"@keyframes once{{0%{{visibility:visible}}{100 * step / length:.3f}%,100%{{visibility:hidden}}}}"]
    moving.append(
        f"@keyframes end{{0%{{visibility:visible}}{100 * (step + HOLD) / length:.3f}%,100%{{visibility:hidden}}}}"
    )
    for at, artist in made.once:
        name = "end" if at == last else "once"
        moving.append(
            f"#{artist.get_gid()}{{animation:{name} {length:g}s step-end {at * step - length:.3f}s infinite}}"
        )
    for at in sorted({at for at, _ in made.stay if at}):
        ids = ",".join(f"#{artist.get_gid()}" for when, artist in made.stay if when == at)
        share = 100 * at * step / length
        moving.append(f"@keyframes from{at}{{0%{{visibility:hidden}}{share:.3f}%,100%{{visibility:visible}}}}")
        moving.append(f"{ids}{{animation:from{at} {length:g}s step-end infinite}}")
    return f"{','.join(still)}{{visibility:hidden}}@media (prefers-reduced-motion:no-preference){{{''.join(moving)}}}"
