"""The page docs/training/vertices.md and its figure: exact pulls and minimisers, and where images were over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _ways_page import paragraph
from asymtheory_figures import style
from asymtheory_training.losses.pull import bounded, pull, reversal
from matplotlib.patches import Patch

from asymtheory.asymmetry.condition import check
from asymtheory.losses import Loss, build
from asymtheory.noise import resolve

Line = Mapping[str, Any]
PAIR = (Fraction(3, 5), Fraction(2, 5), *[Fraction(0)] * 8)
"""Weights of the labels of one class under pair noise 0.4, or of a class that the map 0.4 changes."""
SYMMETRIC = (Fraction(3, 5), *[Fraction(2, 45)] * 9)
"""Those under symmetric noise 0.4."""
EXACT: tuple[tuple[str, Loss], ...] = (
    ("CE", build("ce")), ("MAE", build("mae")), ("AMSE, 8 a*", build("amse", a=40)), ("AMSE, a*", build("amse", a=5)),
    ("AMSE, a = 1 (MSE)", build("mse")), ("NCE", build("nce")), ("NCE+RCE", build("nce+rce")),
    ("JAL-CE, 8 a*", build("jal-ce", a=40)), ("ANL-CE", build("anl-ce")),
)  # fmt: skip
GAPS = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0)
SPREADS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
SHARES = (0.1, 0.3, 1.0)


def written(lines: Sequence[Line]) -> str:
    """The whole page."""
    return (
        "\n".join([*_opening(lines), "", *_pulls(), "", *_settled(), "", *_trained(lines), "", *_changed(lines)]) + "\n"
    )


def _title() -> list[str]:
    return [
        "# Normalised and negative terms: the threshold or the way?",
        "",
        *paragraph(
            "Written by `python benchmarks/vertices.py page` from the losses themselves and `results/vertices.jsonl.gz`. APL "
            "adds a normalised term to one like MAE, ANL and JAL a negative or an asymmetric one. Do they make a network robust "
            "by what they tolerate, or by the way on which they lead it?"
        ),
        "",
    ]


def _opening(lines: Sequence[Line]) -> list[str]:
    found = {(line["noise"], line["rate"], line["loss"]): line for line in lines}

    def ends(loss: str, noise: str = "pair", rate: float = 0.002) -> str:
        line = found[noise, rate, loss]
        return f"{100 * line['test']:.1f} %" + (f" ({line['lost']} lost)" if line["lost"] else "")

    def wrong(loss: str, share: float, noise: str = "pair", rate: float = 0.002) -> str:
        return f"{100 * at(found[noise, rate, loss], share)[1]:.0f} %"

    where = {name: reversal(loss, PAIR) for name, loss in EXACT}
    gentle = max(a for a in np.arange(1, 3, 0.05) if not reversal(build("amse", a=Fraction(str(round(a, 2)))), PAIR))
    assert not reversal(build("mae"), SYMMETRIC)
    return [
        *_title(),
        *paragraph(
            "**By the way.** (In brackets: classes that are given to another one.) MAE, AMSE at 8 a*, NCE+RCE, JAL-CE and ANL-CE "
            "all tolerate pair noise 0.4, so no threshold tells them apart; trained at a rate of 0.002 they end at "
            f"{ends('MAE')}, {ends('AMSE 8 a*')}, {ends('NCE+RCE')}, {ends('JAL-CE 8 a*')} and {ends('ANL-CE')}. A sample whose "
            "labels are confused with *one* other class is pulled the wrong way by MAE as soon as that class's logit is ahead by "
            f"{where['MAE'][0][0]:.2f}, though its risk is least at the right vertex; under symmetric noise 0.4, where the wrong "
            "labels are spread, it never is. NCE never pulls the wrong way, ANL-CE only where the wrong class is ahead by "
            f"{where['ANL-CE'][0][0]:.1f} or more; NCE+RCE does between {where['NCE+RCE'][0][0]:.2f} and "
            f"{where['NCE+RCE'][0][1]:.2f} and pulls back beyond. AMSE never does up to a = {gentle:.2f}, and a ramp starts below."
        ),
        "",
        *paragraph(
            f"The runs show it (pair noise, rate 0.002). After 10 % of the steps MAE has {wrong('MAE', 0.1)} of the images at the "
            f"wrong vertex and in the end {wrong('MAE', 1)}; NCE+RCE {wrong('NCE+RCE', 0.1)} and {wrong('NCE+RCE', 1)}; ANL-CE "
            f"{wrong('ANL-CE', 0.1)} and {wrong('ANL-CE', 1)}; AMSE led from a = 1 to 8 a*, without any such term, "
            f"{wrong('AMSE led to 8 a*', 0.1)} and {wrong('AMSE led to 8 a*', 1)} ({ends('AMSE led to 8 a*')}). NCE for 30 % of "
            f"the steps and MAE alone for the rest ends at {ends('NCE, then MAE')}. Which term helps late is what the pull says: "
            f"at a gap of 8 it is {_pull('NCE+RCE')[4]:+.2f} for NCE+RCE and {_pull('ANL-CE')[4]:+.2f} for ANL-CE. MAE for 30 % "
            f"of the steps and NCE+RCE for the rest ends at {ends('MAE, then NCE+RCE')}, hardly better than MAE; with ANL-CE for "
            f"the rest at {ends('MAE, then ANL-CE')}, and at a rate of 0.008 at {ends('MAE, then ANL-CE', rate=0.008)} where MAE "
            f"has {ends('MAE', rate=0.008)}."
        ),
        "",
        *paragraph(
            f"On the class map MAE ends at {ends('MAE', 'map')} and {ends('MAE', 'map', 0.008)} at the two rates, NCE and then "
            f"MAE at {ends('NCE, then MAE', 'map')} and {ends('NCE, then MAE', 'map', 0.008)}, MAE and then NCE+RCE at "
            f"{ends('MAE, then NCE+RCE', 'map')} and {ends('MAE, then NCE+RCE', 'map', 0.008)}, MAE and then ANL-CE at "
            f"{ends('MAE, then ANL-CE', 'map')} and {ends('MAE, then ANL-CE', 'map', 0.008)}."
        ),
        "",
        *paragraph(
            "The terms do not lead along the path of minimisers that AMSE takes as a grows (`asymtheory.experiments.path`). With "
            "bounded logits (second table) NCE+RCE goes from undecided to near the vertex almost as abruptly as MAE, and then "
            "back from it as the bound grows; ANL-CE stays undecided between the two classes at every bound shown. They lose "
            "fewer images because they fetch them back: on the class map at 0.008 NCE+RCE has "
            f"{wrong('NCE+RCE', 0.1, 'map', 0.008)} at the wrong vertex after 10 % of the steps and "
            f"{wrong('NCE+RCE', 1, 'map', 0.008)} in the end, ANL-CE {wrong('ANL-CE', 0.1, 'map', 0.008)} and "
            f"{wrong('ANL-CE', 1, 'map', 0.008)}, MAE {wrong('MAE', 0.1, 'map', 0.008)} and {wrong('MAE', 1, 'map', 0.008)}. That "
            f"takes steps: at 0.002 NCE+RCE still has {wrong('NCE+RCE', 1, 'map')} there, and ends at {ends('NCE+RCE', 'map')}."
        ),
        "",
    ]


@cache
def _pull(name: str) -> list[float]:
    return pull(dict(EXACT)[name], PAIR, GAPS)


def _pulls() -> list[str]:
    noise = resolve("pair", 10, Fraction(2, 5))
    lines = [
        "## The pull at a wrong vertex",
        "",
        *paragraph(
            "One sample whose labels have the weights 0.6 (its class m), 0.4 (n) and 0 (the other eight): pair noise 0.4 with ten "
            "classes. The logit of n is ahead of all others by a gap. The pull, `(-dF/dz_m) - (-dF/dz_n)` at the initial slope of "
            "CE, says how fast m gains on n; where it is negative the sample is driven on to the wrong vertex "
            "(`asymtheory_training.losses.pull`)."
        ),
        "",
        f"| loss | tolerates the noise | {' | '.join(f'gap {gap:g}' for gap in GAPS)} | negative at gaps |",
        f"|---|---|{'---|' * len(GAPS)}---|",
    ]
    for name, loss in EXACT:
        verdict = {True: "yes", False: "no", None: "undecided"}[check(loss, noise).asymmetric]
        where = ", ".join(
            f"{start:.2f} to {end:.2f}" if end < 14 else f"from {start:.2f} on" for start, end in reversal(loss, PAIR)
        )
        lines.append(f"| {name} | {verdict} | {' | '.join(map(_short, _pull(name)))} | {where or 'none'} |")
    return lines


def _short(value: float) -> str:
    return f"{value:+.2f}" if abs(value) >= 0.005 else f"{value:+.0e}"


def _settled() -> list[str]:
    lines = [
        "## Where a network that is not certain would settle",
        "",
        *paragraph(
            "The minimiser of the same risk among logits in [0, t]. The logit of m is t and that of the other eight 0 in every "
            "case shown; the table has the logit of n as a share of t: 1 is undecided between the two classes, 0 is the vertex."
        ),
        "",
        f"| loss | {' | '.join(f't = {spread:g}' for spread in SPREADS)} |",
        f"|---|{'---|' * len(SPREADS)}",
    ]
    for name, loss in EXACT:
        found = bounded(loss, PAIR, SPREADS)
        lines.append(f"| {name} | {' | '.join(f'{second:.2f}' for _, second in found)} |")
    return lines


def at(line: Line, share: float) -> tuple[float, float, float]:
    """Shares near the own vertex, near that of the confused class, and near none, at the last moment up to a share of the steps."""
    place = max(index for index, step in enumerate(line["at"]) if step <= share * line["steps"])
    own, wrong, other = line["near"][place]
    return own, wrong, 1 - own - wrong - other


def _trained(lines: Sequence[Line]) -> list[str]:
    found = [
        "## Where images are over the steps",
        "",
        *paragraph(
            "10,000 CIFAR-10 features (256 principal components), one hidden layer of 256, 20 epochs, cosine rate, equal initial "
            "slope, one seed: 2,000 training images of classes whose labels are noisy. *Own* and *wrong*: in percent, with "
            "probability 0.9 or more for their own class, and for the class that their labels are confused with, after 10 %, 30 % "
            "and all of the steps. Accuracy is that of the last epoch on the clean test set; a class is lost when its test images "
            "are most often given to another one."
        ),
        "",
        "![The pull at a gap; shares of images near vertices over the steps (class map 0.4, rate 0.008)](vertices.png)",
        "",
        "| noise | rate | loss | own, wrong at 10 % | at 30 % | in the end | accuracy | lost |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return found + [_row(line) for line in lines if "then" not in line["loss"]]


def _row(line: Line) -> str:
    cells = " | ".join(f"{100 * own:.0f}, {100 * wrong:.0f}" for own, wrong, _ in (at(line, share) for share in SHARES))
    return f"| {line['noise']} 0.4 | {line['rate']:g} | {line['loss']} | {cells} | {100 * line['test']:.1f} | {line['lost']} |"


def _changed(lines: Sequence[Line]) -> list[str]:
    found = [
        "## The loss changed on the way",
        "",
        *paragraph(
            "The loss is another one after 30 % of the steps, at once, at the same initial slope; the rate goes on as it was."
        ),
        "",
        "| noise | rate | loss | own, wrong at 10 % | at 30 % | in the end | accuracy | lost |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return found + [_row(line) for line in lines if "then" in line["loss"]]


# --------------------------------------------------------------------------------------------------------- the figure


DRAWN = ("MAE", "AMSE 8 a*", "NCE+RCE", "JAL-CE 8 a*", "ANL-CE")
NOISE, RATE = "map", 0.008
COLOURS = {"own": "#2a3479", "none": "#e9eef4", "another": "#b9b9b9", "wrong": "#cf5002"}
CURVES = (
    ("CE", "#000000"),
    ("MAE", "#cf5002"),
    ("AMSE, 8 a*", "#8a6bb0"),
    ("NCE", "#3b7d4f"),
    ("NCE+RCE", "#2a3479"),
    ("ANL-CE", "#777777"),
)


def figure(lines: Sequence[Line], path: Path) -> None:
    """The pull at a gap, then for five losses the shares of images near vertices over the steps."""
    shown = {line["loss"]: line for line in lines if line["noise"] == NOISE and line["rate"] == RATE}
    with style.context():
        drawn, axes = style.grid(6.75, 1 + len(DRAWN), aspect=0.8, least=2.1, extra=0.5)
        first, *rest = axes
        gaps = np.linspace(0, 12, 121)
        for name, colour in CURVES:
            first.plot(gaps, pull(dict(EXACT)[name], PAIR, gaps.tolist()), color=colour, label=name, linewidth=1.2)
        first.axhline(0, color="#444444", linewidth=0.8)
        first.set(
            xlabel="gap of the wrong class's logit", ylabel="pull to the own class", title="the pull", ylim=(-0.7, 1.3)
        )
        first.legend(fontsize=6, loc=(0.3, 0.52), ncols=2)
        for panel, name in zip(rest, DRAWN, strict=True):
            line = shown[name]
            own, wrong, other = np.array(line["near"]).T
            parts = {"own": own, "none": 1 - own - wrong - other, "another": other, "wrong": wrong}
            panel.stackplot(line["at"], *parts.values(), colors=[COLOURS[each] for each in parts], linewidth=0)
            panel.set_xscale("log")
            panel.set(xlim=(line["at"][0], line["at"][-1]), ylim=(0, 1), xlabel="step", title=name)
            if panel in (rest[0], rest[2]):
                panel.set_ylabel("share of the images")
        said = {
            "own": "near the own vertex",
            "none": "near none",
            "another": "near another",
            "wrong": "near the wrong vertex",
        }
        handles = [
            Patch(facecolor=COLOURS[each], edgecolor="#777777", linewidth=0.4, label=said[each]) for each in COLOURS
        ]
        style.legend(drawn, handles)
        drawn.savefig(path, dpi=200)
