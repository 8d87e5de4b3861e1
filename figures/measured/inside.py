"""Inside trained networks (the ``probe`` of a run): features in the plane, histograms of p, gradients of NNCE.

ALF Fig. 5 and JAL Fig. 1 show t-SNE embeddings of features, JAL Fig. 3 the probability of the given label on clean and corrupted
images, ANL Fig. 4 the largest derivative of NNCE by the probability of another class, on the same two parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from asymtheory.jsonlines import Json

from .. import style
from ..gallery import figure, remark
from ..results import CLEAN, FOLDER, Floats, Results, Run, load
from .curve_panels import label_rows, measured, noise_words, seeds
from .series import Noise, Panel, Series, Shown, gather

SYM_4: Noise = ("symmetric", "0.4")
PARTS = ("clean", "corrupted")
# filled and light against outlined and dark: apart in grey as well
COLOURS = {"clean": style.FAMILIES["anl"].colour, "corrupted": style.FAMILIES["amse"].colour}
CLASSES = 10  # that can be told apart
CELL = 0.95  # inches below which a small panel says nothing


def _probed(results: str, has: Callable[[Json], bool]) -> Results:
    """The results reduced to runs that were probed and whose probe has what is asked for."""
    found = load(results)
    return replace(found, runs=tuple(run for run in found.runs if has(run.line.get("probe") or {})))


def _seeds(shown: Sequence[Shown]) -> str:
    return seeds([line for panel in shown for line in panel.lines])


def _heading(title: str, *parts: str) -> str:
    return f"{title}: {'; '.join(part for part in parts if part)}"


# ------------------------------------------------------------------------------------------------------- features


@dataclass(frozen=True, eq=False)
class Embedding:
    """Features of test images in the plane. ``alike``: share of points whose nearest other point is of their class."""

    shown: Shown
    seed: int
    labels: npt.NDArray[np.int64]  # (n,)
    points: Floats  # (n, 2)
    alike: float
    accuracy: float  # of the whole test set, last epoch

    @property
    def loss(self) -> str:
        return self.shown.lines[0].series.label


def _embedding(panel: Shown) -> Embedding:
    """The embedding of the first seed: an embedding has no mean."""
    run: Run = panel.lines[0].runs[0]
    found = run.line["probe"]["embedding"]
    labels, points = np.array(found["labels"]), np.array(found["points"], dtype=float)
    squares = (points**2).sum(1)
    distance = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(distance, np.inf)
    return Embedding(panel, run.seed, labels, points, float((labels[distance.argmin(1)] == labels).mean()), run.last())


def embeddings(
    panels: Sequence[Panel], results: str, dataset: str | None, papers: Sequence[str], plan: str
) -> list[Embedding]:
    """The panels for which there is a run with an embedding."""
    found = _probed(results, lambda probe: probe.get("embedding") is not None)
    return [_embedding(each) for each in gather(panels, found, papers=papers, dataset=dataset, plan=plan)]


def _scatter(panel: Axes, data: Embedding, size: float) -> None:
    """Points by class; the axes of t-SNE mean nothing, so they have no ticks."""
    looks = list(style.FAMILIES.values())
    for label, look in enumerate(looks[: int(data.labels.max()) + 1]):
        x, y = data.points[data.labels == label].T
        edge = 0.5 if look.marker == "x" else 0.0
        panel.plot(x, y, look.marker, color=look.colour, markersize=size, markeredgewidth=edge)
    panel.set(xticks=[], yticks=[])
    panel.grid(False)
    for spine in panel.spines.values():
        spine.set_visible(True)
    panel.margins(0.04)
    panel.set_box_aspect(1)


def _classes(data: Sequence[Embedding]) -> list[Artist]:
    count = min(CLASSES, 1 + max(int(each.labels.max()) for each in data))
    looks = list(style.FAMILIES.values())[:count]
    return [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle="none", label=f"class {label}" if not label else str(label))
        for label, look in enumerate(looks)
    ]  # fmt: skip


ALF_LOSSES = (Series("GCE", "gce", {"q": "0.7"}), Series("AGCE", "agce", {"a": "4", "q": "0.2"}))
ALF_RATES = ("0", "0.2", "0.4", "0.6", "0.8")
ALF_PANELS = tuple(
    Panel(f"{series.label} at {rate}", (series,), ("symmetric" if float(rate) else CLEAN, rate))
    for series in ALF_LOSSES
    for rate in ALF_RATES
)


def alf_fig5_data(results: str = FOLDER, dataset: str | None = None) -> list[Embedding]:
    """Embeddings of GCE and AGCE for the noise rates that were run."""
    return embeddings(ALF_PANELS, results, dataset, ("mnist",), "alf-fig5")


@figure(
    "alf-fig5",
    "Features of GCE and AGCE",
    "ALF Fig. 5",
    note="t-SNE preserves neighbours, not distances; it says nothing of the classifier that reads the features.",
)
def alf_fig5(*, width: float = 6.75, results: str = FOLDER, dataset: str | None = None) -> Figure:
    """Features of test images (the last layer's input) in the plane by t-SNE, under symmetric noise. Percentages: points whose
    nearest point is of their own class.
    """
    data = alf_fig5_data(results, dataset)
    by_cell = {(each.loss, each.shown.noise[1]): each for each in data}
    losses = [series.label for series in ALF_LOSSES if any(series.label == loss for loss, _ in by_cell)]
    rates = [rate for rate in ALF_RATES if any(rate == each for _, each in by_cell)]
    across = width / len(rates) >= CELL + 0.25  # else the rates go down the page
    rows, columns = (losses, rates) if across else (rates, losses)
    cell = min((width - 0.3) / len(columns), 1.6 if across else 1.2)
    drawn = style.canvas(width, len(rows) * (cell + 0.13) + 0.65)
    axes = drawn.subplots(len(rows), len(columns), squeeze=False)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            loss, rate = (row, column) if across else (column, row)
            panel = axes[i, j]
            if (loss, rate) not in by_cell:
                panel.set_axis_off()
                continue
            each = by_cell[loss, rate]
            _scatter(panel, each, _size(cell, len(each.labels)))
            panel.set_title(
                rf"$\eta = {rate}$: {100 * each.alike:.0f} %" if across else f"{loss}: {100 * each.alike:.0f} %"
            )
            if j == 0:
                panel.set_ylabel(loss if across else rf"$\eta = {rate}$")
    style.legend(drawn, _classes(data))
    _finish(drawn, "Features of GCE and AGCE", data, ALF_PANELS)
    return drawn


def _size(cell: float, count: int) -> float:
    """The size of a marker in points: smaller for many points in a small panel."""
    return float(np.clip(50 * cell / np.sqrt(count), 1.0, 3.0))


def _finish(drawn: Figure, title: str, data: Sequence[Embedding], panels: Sequence[Panel], noise: str = "") -> None:
    style.title(drawn, _heading(title, noise, data[0].shown.where.heading))
    parts = [measured([each.shown for each in data], panels)]
    used = ", ".join(map(str, sorted({each.seed for each in data})))
    parts.append(f"Shown: {len(data[0].labels):,} test images of seed {used}.")
    if any(each.labels.max() >= CLASSES for each in data):
        parts.append(f"Only the first {CLASSES} classes are drawn.")
    remark(drawn, " ".join(parts))


JAL_LOSSES = (
    Series("CE", "ce"),
    Series("NCE+RCE", "nce+rce", {"alpha": "1", "beta": "1", "A": "-4"}),
    Series("ANL-CE", "anl-ce", {"alpha": "5", "beta": "5"}),
    Series("JAL-CE", "jal-ce", {"alpha": "1", "beta": "1", "a": "30"}),
)
JAL_PANELS = tuple(Panel(series.label, (series,), SYM_4) for series in JAL_LOSSES)


def jal_fig1_data(results: str = FOLDER, dataset: str | None = None) -> list[Embedding]:
    """Embeddings of the losses that were run under symmetric noise of 0.4."""
    return embeddings(JAL_PANELS, results, dataset, ("cifar10",), "jal-fig1")


@figure(
    "jal-fig1",
    "Features under symmetric noise of 0.4",
    "JAL Fig. 1",
    note="The text does not say which losses are shown beside JAL; t-SNE preserves neighbours, not distances.",
)
def jal_fig1(*, width: float = 6.75, results: str = FOLDER, dataset: str | None = None) -> Figure:
    """Features of test images (the last layer's input) in the plane by t-SNE. Percentages: points whose nearest point is of
    their own class, and test accuracy.
    """
    data = jal_fig1_data(results, dataset)
    across = style.columns(len(data), width, 1.45)
    cell = min(width / across, 2.4)
    drawn, axes = style.grid(width, len(data), aspect=(cell + 0.12) * across / width, least=1.45, extra=0.6)
    for panel, each in zip(axes, data, strict=True):
        _scatter(panel, each, _size(cell, len(each.labels)))
        panel.set_title(f"{each.loss}: {100 * each.alike:.0f} % (test {100 * each.accuracy:.1f} %)")
    style.legend(drawn, _classes(data))
    _finish(drawn, "Features", data, JAL_PANELS, noise_words(SYM_4))
    return drawn


# ------------------------------------------------------------------------------------------------------- histograms


@dataclass(frozen=True, eq=False)
class Histograms:
    """p of the given label over all seeds, as shares of the part's images in equal bins of [0, 1]."""

    shown: Shown
    epochs: tuple[int, ...]
    shares: Mapping[str, Floats]  # by part: (E, bins)

    @property
    def loss(self) -> str:
        return self.shown.lines[0].series.label

    def above_half(self, part: str) -> float:
        """Share of a part whose given label has p >= 1/2 at the last moment."""
        last = self.shares[part][-1]
        return float(last[len(last) // 2 :].sum())


FIG3_PANELS = tuple(panel for panel in JAL_PANELS if panel.title in ("CE", "JAL-CE"))


def jal_fig3_data(results: str = FOLDER, dataset: str | None = None) -> list[Histograms]:
    """Histograms of CE and JAL-CE, seeds pooled, at the moments that all of them have."""
    found = _probed(results, lambda probe: bool(probe) and None not in probe["histograms"].values())
    return [
        _histograms(each) for each in gather(FIG3_PANELS, found, papers=("cifar10",), dataset=dataset, plan="jal-fig3")
    ]


def _moments(shown: Shown, what: str) -> tuple[tuple[int, ...], dict[str, Floats]]:
    """Epochs, and what was seen at them by part: (seeds, epochs, values)."""
    probes = [run.line["probe"] for run in shown.lines[0].runs]
    epochs = sorted(set.intersection(*(set(probe["epochs"]) for probe in probes)))
    return tuple(epochs), {
        part: np.array([[probe[what][part][probe["epochs"].index(e)] for e in epochs] for probe in probes], dtype=float)
        for part in PARTS
    }


def _histograms(shown: Shown) -> Histograms:
    epochs, counts = _moments(shown, "histograms")
    pooled = {part: each.sum(0) for part, each in counts.items()}
    return Histograms(shown, epochs, {part: each / each.sum(1, keepdims=True) for part, each in pooled.items()})


def _spread(count: int, most: int) -> list[int]:
    """Places of at most ``most`` (2 at least) of ``count`` moments: the first, the last, and some between."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


@figure(
    "jal-fig3",
    "Probability of the given label",
    "JAL Fig. 3",
    note="The training images are those of the probe (at most 2,000), without augmentation.",
)
def jal_fig3(*, width: float = 6.75, results: str = FOLDER, dataset: str | None = None) -> Figure:
    """Histograms of p(given label) on training images of all seeds, as shares of the clean images (filled) and of the corrupted
    ones (outlined), after some epochs. A network that memorises has its corrupted images at the right.
    """
    data = jal_fig3_data(results, dataset)
    most = max(2, int((width - 0.35) / CELL))
    kept = [_spread(len(each.epochs), most) for each in data]
    columns = max(map(len, kept))
    drawn = style.canvas(width, len(data) * 1.3 + 0.75)
    axes = drawn.subplots(len(data), columns, squeeze=False, sharex=True, sharey=True)
    for row, each, places in zip(axes, data, kept, strict=True):
        for panel in row[len(places) :]:
            panel.set_axis_off()
        for panel, place in zip(row, places, strict=False):
            _bars(panel, {part: each.shares[part][place] for part in PARTS})
            panel.set_title(
                f"{each.loss}: epoch {each.epochs[place]}" if place == places[0] else f"epoch {each.epochs[place]}"
            )
        row[0].set_ylabel("share of images")
    for panel in axes[-1]:
        panel.set_xlabel("$p$ of the label")
    style.legend(drawn, _parts())
    shown = [each.shown for each in data]
    style.title(
        drawn, _heading("Probability of the given label", noise_words(SYM_4), shown[0].where.heading, _seeds(shown))
    )
    at_end = "; ".join(f"{each.loss}: {100 * each.above_half('corrupted'):.1f} %" for each in data)
    remark(
        drawn,
        f"{measured(shown, FIG3_PANELS)} Corrupted images whose wrong label has p of at least 1/2 at the end: {at_end}.",
    )
    return drawn


def _bars(panel: Axes, shares: Mapping[str, Floats]) -> None:
    edges = np.linspace(0, 1, len(shares["clean"]) + 1)
    panel.stairs(shares["clean"], edges, fill=True, color=COLOURS["clean"])
    panel.stairs(shares["corrupted"], edges, color=COLOURS["corrupted"], linewidth=1.1)
    panel.set(xlim=(-0.02, 1.02), xticks=[0, 0.5, 1], ylim=(0, 1.03))
    panel.set_xticklabels(["0", "0.5", "1"])


def _parts() -> list[Artist]:
    return [
        Patch(facecolor=COLOURS["clean"], label="label is true"),
        Patch(facecolor="none", edgecolor=COLOURS["corrupted"], linewidth=1.1, label="label is wrong"),
    ]


# ------------------------------------------------------------------------------------------------------- gradients


@dataclass(frozen=True, eq=False)
class Boxes:
    """Quantiles 5, 25, 50, 75 and 95 % and the mean of max_{j != y} dNNCE/dp_j, each the mean over seeds."""

    shown: Shown
    epochs: tuple[int, ...]
    values: Mapping[str, Floats]  # by part: (E, 6)


FIG4_PANELS = tuple(
    Panel(
        f"symmetric noise {rate}",
        (Series("ANL-CE", "anl-ce", {"alpha": "5", "beta": "5"}, elsewhere={"cifar100": {"alpha": "10", "beta": "1"}}),),
        ("symmetric", rate),
    )
    for rate in ("0.6", "0.8")
)  # fmt: skip


def anl_fig4_data(results: str = FOLDER, dataset: str | None = None) -> list[Boxes]:
    """Boxes of ANL-CE for the noise rates that were run."""
    found = _probed(results, lambda probe: bool(probe) and None not in probe["gradients"].values())
    shown = gather(FIG4_PANELS, found, papers=("cifar10",), dataset=dataset, plan="anl-fig4")
    boxes = []
    for each in shown:
        epochs, values = _moments(each, "gradients")
        boxes.append(Boxes(each, epochs, {part: of_part.mean(0) for part, of_part in values.items()}))
    return boxes


@figure(
    "anl-fig4",
    "Gradients of NNCE on clean and corrupted images",
    "ANL Fig. 4, App. D.1",
    note="The derivative is that of the definition of NNCE (before the softmax, y the given label), 0 for classes below p_min.",
)
def anl_fig4(*, width: float = 6.75, results: str = FOLDER, dataset: str | None = None) -> Figure:
    """The largest derivative of NNCE by the probability of a class other than the given label, in training with ANL-CE. Boxes:
    quartiles and median; whiskers: 5 and 95 %; triangles: means; each is the mean over seeds; what is drawn on the axis goes down
    to 0. Left, filled: images whose label is true; right: is wrong.
    """
    data = anl_fig4_data(results, dataset)
    drawn, axes = style.grid(width, len(data), aspect=0.72, least=2.6, extra=0.75, sharey=True)
    floor = _floor(data)
    for panel, each in zip(axes, data, strict=True):
        for part, shift in zip(PARTS, (-0.19, 0.19), strict=True):
            _boxes(panel, np.maximum(each.values[part], floor), shift, part)
        panel.set_xticks(range(len(each.epochs)), list(map(str, each.epochs)))
        panel.set(xlim=(-0.6, len(each.epochs) - 0.4), xlabel="epoch")
        panel.set_title(each.shown.title)
        panel.set_yscale("log")
        panel.set_ylim(bottom=floor)
    label_rows(axes, r"$\max_{j \neq y}\ \partial L_{\mathrm{NNCE}} / \partial p_j$")
    style.legend(drawn, _parts())
    shown = [each.shown for each in data]
    style.title(drawn, _heading("Gradients of NNCE, ANL-CE", shown[0].where.heading, _seeds(shown)))
    medians = "; ".join(
        f"{each.shown.title}: "
        + ", ".join(f"{part} {v[0, 2]:.2g} to {v[-1, 2]:.2g}" for part, v in each.values.items())
        for each in data
    )
    remark(drawn, f"{measured(shown, FIG4_PANELS)} Medians from the first moment to the last: {medians}.")
    return drawn


def _floor(data: Sequence[Boxes]) -> float:
    """The bottom of the logarithmic axis: half the least positive end of a box, or mean; whiskers may end below."""
    values = np.concatenate([each.values[part][:, 1:].ravel() for each in data for part in PARTS])
    positive = values[values > 0]
    return float(positive.min() / 2) if len(positive) else 1e-3


def _boxes(panel: Axes, values: Floats, shift: float, part: str) -> None:
    """A box for every row of quantiles 5, 25, 50, 75, 95 % and mean."""
    colour = COLOURS[part]
    stats = [
        {"whislo": v[0], "q1": v[1], "med": v[2], "q3": v[3], "whishi": v[4], "mean": v[5], "fliers": []}
        for v in values
    ]
    line = {"color": colour, "linewidth": 0.9}
    panel.bxp(
        stats, positions=[i + shift for i in range(len(values))], widths=0.32, showmeans=True, showfliers=False,
        patch_artist=True, manage_ticks=False, whiskerprops=line, capprops=line,
        boxprops={"facecolor": colour if part == "clean" else "white", "edgecolor": colour, "linewidth": 0.9},
        medianprops={"color": "white" if part == "clean" else colour, "linewidth": 1.2},
        meanprops={
            "marker": "^", "markersize": 3.6, "markerfacecolor": colour, "markeredgecolor": style.INK, "markeredgewidth": 0.4
        },
    )  # fmt: skip
