"""Human noise: the measured confusion of CIFAR-10N, the pair of classes that binds, and the least parameter it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from asymtheory import Loss, NoiseModel, Threshold, build, named, solve
from asymtheory.noise import MEASURED
from asymtheory.numbers.text import plain

from .. import style
from ..gallery import figure
from ..results import Floats

LOSSES = (
    build("amse", q=2), build("aul", p=3), build("aul", p=Fraction(3, 2)), build("ael"), build("agce", q=Fraction(1, 2)),
)  # fmt: skip


@dataclass(frozen=True)
class Human:
    """One measured noise: its matrix (K, K), rows the true class, and for every loss of LOSSES its threshold."""

    noise: NoiseModel
    matrix: Floats
    thresholds: tuple[Threshold, ...]

    @property
    def pair(self) -> tuple[int, int]:
        """(true class, rival) that binds AMSE: the least margin."""
        row = self.thresholds[0].binding_row
        return row, self.noise.rows[row].runner_up

    @property
    def title(self) -> str:
        """``worse``: the name after ``cifar10n-``."""
        return self.noise.kind.removeprefix("cifar10n-")


@cache
def human_data() -> tuple[Human, ...]:
    """The matrices of CIFAR-10N, the least noisy first, with the thresholds of each loss."""
    models = sorted((named(kind) for kind in MEASURED), key=lambda model: model.rate)
    return tuple(
        Human(
            model,
            np.array([[float(w) for w in row.weights] for row in model.rows]),
            tuple(solve(loss, model) for loss in LOSSES),
        )
        for model in models
    )


@figure(
    "human-noise",
    "Human label noise: CIFAR-10N, the pair of classes that binds, and the least $a$ of AMSE for it",
    "CIFAR-10N (Wei et al., ICLR 2022, CC BY-NC 4.0); thresholds of this package",
)
def human_noise(*, width: float = 6.75) -> Figure:
    """Share of the training images of a true class (row) that people labelled as each class (column), least noisy matrix first.
    Boxes mark the binding pair: the class with the least margin w_m - w_n, which sets the least a of AMSE (q = 2), and its
    most frequent wrong label. Last panel: the least parameter of each loss on each matrix.
    """
    data = human_data()
    across = style.columns(len(data) + 1, width, 1.6)
    rows = -(-(len(data) + 1) // across)
    drawn = style.canvas(width, rows * (width / across + 0.3) + 0.75)
    axes = drawn.subplots(rows, across, squeeze=False).ravel().tolist()
    norm = PowerNorm(0.4, 0, 1)  # small shares stay visible
    for panel, human in zip(axes, data, strict=False):
        _draw_matrix(panel, human, norm)
        if axes.index(panel) % across == 0:
            panel.set_ylabel("true class", fontsize=7)
    _draw_thresholds(axes[len(data)], data)
    style.letters(axes)
    bar = drawn.colorbar(
        ScalarMappable(norm, "cividis"), ax=axes, location="bottom", aspect=50, fraction=0.03, pad=0.01, shrink=0.7
    )
    bar.set_label("share of the true class that people labelled so")
    bar.set_ticks(
        [0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1],
        labels=["0", "0.01", "0.05", "0.1", "0.2", "0.4", "0.6", "0.8", "1"],
    )
    bar.ax.grid(False)
    style.legend(drawn, _handles())
    return drawn


_BOX: style.Keywords = {"facecolor": "none", "edgecolor": "white", "linewidth": 1.3}


def _draw_matrix(panel: Axes, human: Human, norm: Any) -> None:
    panel.imshow(human.matrix, norm=norm, cmap="cividis")
    true, rival = human.pair
    for column in (true, rival):
        box = Rectangle(
            (column - 0.5, true - 0.5), 1, 1, **_BOX, path_effects=[withStroke(linewidth=2.4, foreground="black")]
        )
        panel.add_patch(box).set_clip_on(False)
    names = [_short(name) for name in human.noise.names or ()]
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    panel.set_yticks(range(len(names)), names, fontsize=6)
    panel.tick_params(length=0)
    panel.grid(False)
    end = human.thresholds[0].end
    panel.set_title(f"{human.title}: $a\\geq{end.value:.4g}$" if end else human.title, fontsize=7)
    panel.set_xlabel(rf"given label ($\eta={float(human.noise.rate or 0):.3f}$)", fontsize=7)


def _short(name: str) -> str:
    """Class names that fit beside a cell."""
    return {"airplane": "plane", "automobile": "auto"}.get(name, name)


def _draw_thresholds(panel: Axes, data: Sequence[Human]) -> None:
    """Least parameters, a line a loss, over the matrices."""
    for i, loss in enumerate(LOSSES):
        values = [end.value if (end := human.thresholds[i].end) is not None else np.nan for human in data]
        panel.plot(range(len(data)), values, **_line(loss), marker=style.look(loss.name).marker)
    panel.set_xticks(range(len(data)), [human.title for human in data], rotation=90, fontsize=6)
    panel.set(ylabel="least $a$", xlim=(-0.4, len(data) - 0.6))
    style.log_ticks(panel, "y")
    panel.set_xlabel("labels", fontsize=7)
    panel.set_title("least $a$ of each loss", fontsize=7)


def _line(loss: Loss) -> style.Keywords:
    """The look of the family; the second of the same name is thinner."""
    same = [other for other in LOSSES if other.name == loss.name]
    return style.look(loss.name).line(linewidth=1.3 - 0.6 * same.index(loss))


def _handles() -> list[Artist]:
    handles: list[Artist] = []
    for loss in LOSSES:
        others = [f"${name}={plain(value)}$" for name, value in loss.parameters.items() if name != loss.main]
        title = ", ".join([loss.title, *others])
        handles.append(Line2D([], [], **_line(loss), marker=style.look(loss.name).marker, label=title))
    return handles
