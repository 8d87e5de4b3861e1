"""The figure ``curves``: any training runs, what was measured of them over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from matplotlib.figure import Figure

from asymtheory.errors import InputError, nearest
from asymtheory.escapes import mathtext
from asymtheory.losses import build

from .. import style
from ..gallery import figure, remark
from ..results import CLEAN, FOLDER, NothingMeasured, Run, load, repetitions
from .curve_panels import MEASURES, epochs, measured, seeds
from .series import MAPS, Line, Series, Shown, line_of, short

MOST = 12
"""Lines of a panel; of more experiments those that end highest are drawn."""


def curves_data(
    results: str = FOLDER, dataset: str | None = None, what: str = "test", losses: str | None = None
) -> tuple[list[Shown], int]:
    """A panel for each noise with a line for each experiment, and how many lines did not find room.

    All are from one data set, network and size: the largest (of ``dataset``). ``losses``: names, separated by commas. Raises
    InputError for an unknown measure, NothingMeasured where no run has it.
    """
    if what not in MEASURES:
        raise InputError(f"option what = {what!r}: one of {', '.join(MEASURES)} is needed{nearest(what, MEASURES)}")
    found = load(results)
    wanted = None if losses is None else {name.strip().lower() for name in losses.split(",")}
    runs = [run for run in found.runs if wanted is None or run.loss in wanted]
    runs = [run for run in runs if dataset in (None, run.dataset) and len(run.curve(what)[0])]
    if not runs:
        asked = [f"{what} of every epoch", *(name for name in (losses, dataset) if name is not None)]
        sets, names = ({run.dataset for run in found.runs}, {run.loss for run in found.runs})
        raise NothingMeasured(
            f"results {results}: no run with {', '.join(asked)} (data sets: {', '.join(sorted(sets)) or 'none'}; "
            f"losses: {', '.join(sorted(names)) or 'none'}); `asymtheory train` and `asymtheory sweep` make some"
        )
    place = found.places(runs)[0]
    panels: dict[str, list[Run]] = {}
    for run in runs:
        if run.where == place:
            panels.setdefault(noise_title(run), []).append(run)
    groups = {title: repetitions(panel) for title, panel in panels.items()}
    every = [group for panel in groups.values() for group in panel]
    legend = iter(labels([group[0] for group in every]))
    made = {title: [_line(next(legend), group, what) for group in panel] for title, panel in groups.items()}
    shown, left = [], 0
    for title in sorted(made, key=lambda title: _order(panels[title][0])):
        lines = sorted((line for line in made[title] if line is not None), key=lambda line: -line.last)
        kept = sorted(lines[:MOST], key=lambda line: (line.series.loss, line.values))
        left += len(lines) - len(kept)
        shown.append(Shown(title, place, (title, ""), tuple(kept), ()))
    return shown, left


def _line(label: str, group: Sequence[Run], what: str) -> Line | None:
    run = group[0]
    return line_of(label, Series(label, run.loss, what=what), tuple(run.parameters.values()), group)


def _order(run: Run) -> tuple[bool, str, Fraction]:
    kind, rate = run.noise
    return kind != CLEAN, kind, rate or Fraction(0)


def noise_title(run: Run) -> str:
    """The title of a panel: the noise, its rate and how the labels were drawn, or the file that they are from."""
    if run.config.get("labels"):
        return mathtext(" ".join(filter(None, [Path(run.config["labels"]).name, run.config.get("column")])))
    kind, rate = run.noise
    if kind == CLEAN:
        return "clean labels"
    mode = run.config["noise"]["mode"]
    name = f"{kind} map" if kind in MAPS else Path(kind).name
    said = "" if rate is None else f" {short(rate)}"
    return mathtext(name) + said + ("" if mode == "exact" else f", {mathtext(mode)}")


def labels(runs: Sequence[Run]) -> list[str]:
    """The loss of each run, and what tells it apart from the others of that loss: parameters, penalty, other settings."""
    titles = [_title(run) for run in runs]
    facts = [_facts(run) for run in runs]
    found = []
    for title, own in zip(titles, facts, strict=True):
        same = [other for name, other in zip(titles, facts, strict=True) if name == title]
        apart = [text for key, text in own.items() if len({other.get(key) for other in same}) > 1]
        found.append(f"{title}: {', '.join(apart)}" if apart else title)
    return found


def _title(run: Run) -> str:
    if run.config["loss"] is None:
        return mathtext(run.loss if len(run.loss) <= 24 else f"{run.loss[:21]}...")
    try:
        return build(run.loss, **run.parameters).title
    except InputError:  # a baseline that the core does not have
        return mathtext(run.loss)


def _facts(run: Run) -> dict[str, str]:
    """What may tell a run apart, as text for a legend."""
    norm, strength = run.penalty
    return {
        **{name: f"${style.symbol(name)} = {short(value)}$" for name, value in run.parameters.items()},
        "penalty": "no penalty" if norm == "none" else f"{mathtext(norm)} {strength:g}",
        **{f"setting {name}": mathtext(f"{name} {value}") for name, value in run.settings.items()},
    }


@figure("curves", "Training runs", "not in the papers")
def curves(
    *,
    width: float = 6.75,
    results: str = FOLDER,
    dataset: str | None = None,
    what: str = "test",
    losses: str | None = None,
) -> Figure:
    """What was measured over the epochs of training runs (test accuracy unless another measure is named), a panel for each
    label noise and a line for each experiment; the legend names the settings that differ.
    """
    shown, left = curves_data(results, dataset, what, losses)
    drawn = epochs(shown, width, style.PANEL)
    every = [line for panel in shown for line in panel.lines]
    style.title(
        drawn, f"{MEASURES[what][1].removesuffix(' (%)').capitalize()}: {shown[0].where.heading}; {seeds(every)}"
    )
    remark(drawn, measured(shown, kind="epochs"))
    if left:
        remark(drawn, f"{left} more experiments end lower in their panels and are not drawn.")
    return drawn
