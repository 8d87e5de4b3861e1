"""Coverage: on which share of images is a loss asymmetric, image by image?

The class weights of an image are the posterior of its label: the votes of the people who labelled it, noisy or not. AMSE
with q = 2 is asymmetric on it iff its margin (w_m - w_n) / W is at least 1/a; other losses have their own condition.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import asymtheory
from asymtheory import Loss, NoiseModel, build, load, published_settings, resolve
from asymtheory.asymmetry.rules import rule
from asymtheory.errors import InputError
from asymtheory.noise import worst_weights
from asymtheory.numbers.backends import numpy_
from asymtheory.numbers.text import plain

from .. import style
from ..gallery import figure
from ..results import Floats

EMBEDDED = Path(asymtheory.__file__).parent / "noise" / "data" / "cifar10h.json"
LOSSES = (
    build("amse", q=2), build("agce", q=Fraction(1, 2)), build("aul", p=Fraction(3, 2)), build("aul", p=3), build("ael"),
)  # fmt: skip
RATES = (Fraction(0), Fraction(1, 5), Fraction(2, 5), Fraction(3, 5), Fraction(4, 5))  # of symmetric noise
LEAST = 1.5  # inches of a panel
SUM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Votes:
    """Images by their largest and second largest class weight and the total, (N,); each row represents ``count`` images.

    ``weights`` (N, K) is there where the whole posterior is known; ``top`` is then the weight of class ``label`` (N,), which
    noise may leave below ``second``.
    """

    top: Floats
    second: Floats
    total: Floats
    count: Floats
    K: int
    source: str
    weights: Floats | None = None
    label: Floats | None = None

    @property
    def margin(self) -> Floats:
        """(w_m - w_n) / W, negative where noise has made another class the most frequent one."""
        return (self.top - self.second) / self.total

    def symmetric(self, eta: float | Fraction) -> Votes:
        """The posteriors after symmetric noise: w' = w T, so each weight is ``(1 - eta) w_k + eta (W - w_k) / (K - 1)``."""
        kept, other, _ = (float(x) for x in worst_weights("symmetric", self.K, Fraction(eta)))
        top, second = (kept * w + other * (self.total - w) for w in (self.top, self.second))
        mixed = None if self.weights is None else kept * self.weights + other * (self.total[:, None] - self.weights)
        return replace(self, top=top, second=second, weights=mixed)

    def through(self, noise: NoiseModel) -> Votes:
        """The posteriors after class-dependent noise: w' = w T for its transition matrix. Whole posteriors are needed."""
        if self.weights is None or self.label is None:
            raise InputError(
                f"noise {noise.kind}: whole posteriors are needed (posteriors=PATH); of {self.source} only the two largest "
                "weights of an image are here"
            )
        if noise.classes != self.K or noise.representative or len(noise.rows) != self.K:
            raise InputError(f"noise {noise.kind}: a transition matrix of {self.K} classes is needed")
        matrix = np.array([[float(w) for w in row.weights] for row in noise.rows])
        return _by_label(self.weights @ (matrix / matrix.sum(1, keepdims=True)), self.label, self.source)


def _by_label(weights: Floats, label: Floats, source: str) -> Votes:
    rows = np.arange(len(weights))
    others = weights.copy()
    others[rows, label] = -np.inf
    ones = np.ones(len(weights))
    return Votes(weights[rows, label], others.max(1), weights.sum(1), ones, weights.shape[1], source, weights, label)


def embedded() -> Votes:
    """CIFAR-10H: for the 10,000 test images of CIFAR-10 how many people voted, and for the two classes that most chose."""
    with EMBEDDED.open(encoding="utf-8") as file:
        table = json.load(file)
    total, top, second, count = np.array(table["rows"], dtype=float).T
    return Votes(top, second, total, count, table["classes"], "CIFAR-10H")


def read(path: str) -> Votes:
    """Posteriors or votes, one image a row, from a .csv, .json, .npy or .npz file.

    Rows of whole numbers are votes; any other row must sum to 1, else InputError names the first that does not.
    """
    model = load(path)
    array = getattr(model, "array", None)
    weights = np.array([[float(w) for w in row.weights] for row in model.rows] if array is None else array, dtype=float)
    total = weights.sum(1)
    wrong = (np.abs(total - 1) > SUM_TOLERANCE) & (weights != np.rint(weights)).any(1)
    if wrong.any():
        row = int(wrong.argmax())
        more = f" (and {wrong.sum() - 1} more)" if wrong.sum() > 1 else ""
        raise InputError(
            f"{path}: row {row} sums to {total[row]:.9g}{more}; a posterior must sum to 1, votes must be whole"
        )
    return _by_label(weights, weights.argmax(1), Path(path).name)


def share(loss: Loss, votes: Votes, values: Sequence[float] | Floats) -> Floats:
    """The share of images on which ``loss`` is asymmetric for each value of its main parameter, (len(values),).

    The condition is that of ``rules``: KKT where every phi_k is convex, a unique largest weight where every one is concave.
    Raises InputError for losses that another rule decides, or two rules on the range of the values.
    """
    theta = np.asarray(values, dtype=float)
    if not len(theta):
        return theta
    assert loss.main is not None
    ends = [rule(loss.replace(**{loss.main: float(v)}), votes.K, False) for v in (theta.min(), theta.max())]
    if len({type(end) for end in ends}) > 1 or any(end.sufficient_only for end in ends):
        plane = None
    else:
        with np.errstate(all="ignore"):
            plane = ends[0].at(**{loss.main: theta[:, None]}).half_plane(numpy_())
    if plane is None:
        kinds = ", ".join(dict.fromkeys(end.name for end in ends))
        raise InputError(f"{loss}: coverage needs a loss that KKT or dominance decides for all values, not {kinds}")
    top, second = votes.top / votes.total, votes.second / votes.total
    holds = (top > second) & (plane.holds(top, second) | (second == 0))
    return np.asarray(np.broadcast_to(holds, (len(theta), len(top))) @ votes.count / votes.count.sum())


def default_values(loss: Loss, points: int = 200) -> Floats:
    """Values of the main parameter from the end of its domain (or 0.02) to 200, evenly in logarithms."""
    assert loss.main is not None
    low = float(loss.domains[loss.main].low or 0)
    return low + np.geomspace(0.02 if low == 0 else 0.005, 200 - low, points)


@figure(
    "coverage",
    "Coverage: on which share of images is a loss asymmetric?",
    "conditions of this package on CIFAR-10H (Peterson et al., ICCV 2019, CC BY-NC-SA 4.0) or on the posteriors given",
)
def coverage(*, width: float = 6.75, posteriors: str = "", noise: str = "") -> Figure:
    """The share of images whose label posterior (the votes of about 51 people an image in CIFAR-10H, unless a file is given)
    is such that the loss is asymmetric, as its parameter grows. (a) AMSE, where the condition is a margin of at least 1/a, on
    the votes as they are and after symmetric noise, and after a measured one if it is named; (b) other losses with the
    votes as they are and (c) after symmetric noise 0.4. Dots are the papers' settings for CIFAR-10. The ordinate is stretched
    towards 1, which is not reached where votes are tied (three images of CIFAR-10H).
    """
    votes = read(posteriors) if posteriors else embedded()
    measured = votes.through(resolve(noise, votes.K)) if noise else None
    drawn, axes = style.grid(width, 3, aspect=0.85, least=LEAST, extra=0.85, sharey=True)
    amse = LOSSES[0]
    mixtures = [(votes.symmetric(eta), _ETA[eta], f"AMSE, $\\eta={float(eta):g}$") for eta in RATES]
    if measured is not None:
        mixtures.append((measured, _MEASURED, f"AMSE, {noise}"))
    for mixed, line, _ in mixtures:
        _draw(axes[0], amse, mixed, line)
    axes[0].set_title("AMSE after noise")
    for panel, eta in zip(axes[1:], (Fraction(0), Fraction(2, 5)), strict=True):
        for loss in LOSSES:
            _draw(panel, loss, votes.symmetric(eta), _line(loss))
        panel.set_title("votes as they are" if eta == 0 else f"symmetric noise, $\\eta={float(eta):g}$")
    for panel in axes:
        panel.set(xscale="log", xlim=(0.02, 200), xlabel="$a$")
        panel.set_yscale("function", functions=(_stretch, _shrink))
        panel.set(ylim=(-0.1, 0.99995))
        panel.set_yticks(_SHARES, [f"{tick:g}" for tick in _SHARES])
        panel.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        if axes.index(panel) % style.columns(3, width, LEAST) == 0:
            panel.set_ylabel("share of images")
    axes[0].set_xlim(1, 200)
    axes[0].set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    style.letters(axes)
    style.title(drawn, f"Coverage of {votes.source}: on which share of images is a loss asymmetric?")
    handles = [Line2D([], [], **line, label=label) for _, line, label in mixtures]
    handles += [Line2D([], [], **_line(loss), label=_title(loss)) for loss in LOSSES]
    handles.append(Line2D([], [], color=style.INK, marker="o", linestyle="", label="setting for CIFAR-10"))
    style.legend(drawn, handles)
    return drawn


_SHARES = (0, 0.7, 0.9, 0.99, 0.999)
_REST = 1e-4


def _stretch(share: Floats) -> Floats:
    """The axis of shares: each step towards 1 is a tenth of what is left."""
    return -np.log10(1 + _REST - np.minimum(share, 1))


def _shrink(height: Floats) -> Floats:
    return 1 + _REST - 10.0 ** -np.asarray(height)


# lighter and more broken with more noise
_ETA: dict[Fraction, style.Keywords] = {
    eta: {"color": colour, "linestyle": dashes, "linewidth": 1.2}
    for eta, colour, dashes in zip(
        RATES,
        ("#000000", "#2b3a67", "#5b6c5d", "#8a6d2c", "#b1772a"),
        ("-", (0, (6, 1)), (0, (4, 1.5)), (0, (2.5, 1.5)), (0, (1, 1))),
        strict=True,
    )
}
_MEASURED: style.Keywords = {"color": "#cf5002", "linestyle": (0, (6, 1.5, 1, 1.5)), "linewidth": 1.2}


def _title(loss: Loss) -> str:
    others = [f"${name}={plain(value)}$" for name, value in loss.parameters.items() if name != loss.main]
    return ", ".join([loss.title, *others])


def _line(loss: Loss) -> style.Keywords:
    """The look of the family; the second of the same name is thinner."""
    same = [other for other in LOSSES if other.name == loss.name]
    return style.look(loss.name).line(linewidth=1.3 - 0.6 * same.index(loss))


def settings(loss: Loss) -> list[float]:
    """Values of the main parameter that the papers set on CIFAR-10 for this loss, its other parameters being the same."""
    found = set()
    for setting in published_settings(dataset="cifar10"):
        for _, atom in setting.build().terms():
            if (
                atom.name == loss.name
                and loss.main is not None
                and atom.replace(**{loss.main: loss.parameters[loss.main]}) == loss
            ):
                found.add(float(atom.parameters[loss.main]))
    return sorted(found)


def _draw(panel: Axes, loss: Loss, votes: Votes, line: style.Keywords) -> None:
    values = default_values(loss)
    panel.plot(values, share(loss, votes, values), **line)
    used = settings(loss)
    panel.plot(used, share(loss, votes, used), color=line["color"], marker="o", linestyle="", zorder=3)
