"""The lines of a figure of training runs: which runs each one means, and where they were made.

A figure is declared as panels of :class:`Series`; :func:`gather` finds the runs in ``results/*.jsonl``. Nothing is filled in: a
series without runs is a name in :attr:`Shown.missing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import Any

from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.ratio import asymmetry_ratio
from asymtheory.errors import InputError, nearest
from asymtheory.escapes import mathtext
from asymtheory.losses import Loss, build
from asymtheory.noise import NoiseModel, resolve
from asymtheory.numbers.text import plain
from asymtheory.threshold import Threshold, solve

from .. import style
from ..results import CLASSES, CLEAN, Floats, NothingMeasured, Results, Run, Where, mean, repetitions

SCALE, STRENGTH = "scale", "strength"
"""What a series can be over beside its loss's parameters: the factor of the whole loss, the weight of the penalty."""
ASYMMETRIC = "asymmetric"
"""The papers' word for flips between certain classes, whichever map was used."""
MAPS = ("cifar10", "cifar100", "cifar100-blocks", "mnist")
"""The kinds of noise that flip the classes of one data set."""
FLIPS = (*MAPS, "pair")

# the strengths that the papers print for their data sets (APL Sec. 5.2, ANL App. D.2), which are preferred among several
_PRINTED = {
    ("l2", "mnist"): 1e-3, ("l2", "cifar10"): 1e-4, ("l2", "cifar100"): 1e-5,
    ("l1", "mnist"): 1e-6, ("l1", "cifar10"): 5e-5, ("l1", "cifar100"): 5e-7,
}  # fmt: skip
# runs of a larger size are shown before more lines of a smaller one, unless more than this share of the lines would be missing
_ENOUGH = 0.5

Noise = tuple[str, str]
Values = tuple[Fraction, ...]
Meant = dict[tuple[int, int], list[tuple[Run, Values]]]  # by panel and series: the runs, and their values of `over`


@dataclass(frozen=True)
class Series:
    """One line of a panel, or one for each value of ``over`` that was run.

    Parameters that are not given have the core's defaults; ``elsewhere`` gives those that a paper took on another data set,
    by its name. ``penalty``: none, l1, l2 or jacobian; without it any will do, ``prefer`` before others. ``look``: a family
    of :mod:`.style` other than the loss's own, where several lines of one family meet.
    """

    label: str
    loss: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    what: str = "test"
    over: tuple[str, ...] = ()
    penalty: str | None = None
    look: str = ""
    elsewhere: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prefer: str = "l2"

    def values(self, run: Run) -> Values | None:
        """What ``over`` is in a run; None if the run is none of this series."""
        if self.penalty is not None and run.penalty[0] != self.penalty:
            return None
        return next(
            (found for given in self._choices(run.dataset) if (found := self._read(run, given)) is not None), None
        )

    def _choices(self, dataset: str) -> list[Mapping[str, str]]:
        """The parameters of this data set if there are any, else, as elsewhere, those of CIFAR-10."""
        return [self.elsewhere[dataset], self.parameters] if dataset in self.elsewhere else [self.parameters]

    def rank(self, run: Run) -> int:
        """The rank of a run: 0 for the parameters that the paper took on the run's data set, 1 for those of CIFAR-10."""
        return next(i for i, given in enumerate(self._choices(run.dataset)) if self._read(run, given) is not None)

    def _read(self, run: Run, given: Mapping[str, str]) -> Values | None:
        values: list[Fraction] = []
        wanted: dict[str, Fraction] = {name: Fraction(text) for name, text in given.items()}
        for name in self.over:
            if name == STRENGTH:
                values.append(Fraction(str(run.penalty[1])))
            elif name != SCALE:
                if name not in run.parameters:
                    return None
                wanted[name] = run.parameters[name]
                values.append(wanted[name])
        made = None if run.config["loss"] is None else atoms(run.loss, tuple(run.parameters.items()))
        asked = atoms(self.loss, tuple(wanted.items()))
        if made is None or asked is None:
            return None
        if SCALE in self.over:
            (made_of, *others), (asked_for, *more) = made, asked
            same = not others and not more and made_of[0] == asked_for[0]
            return (made_of[1], *values) if same else None
        return tuple(values) if made == asked else None


@cache
def atoms(loss: str, parameters: tuple[tuple[str, Fraction], ...]) -> frozenset[tuple[Loss, Fraction]] | None:
    """A loss as atoms with their coefficients, so that NCE+NCE is 2 NCE; None for what the core cannot build."""
    try:
        built = build(loss, **dict(parameters))
    except InputError:
        return None
    found: dict[Loss, Fraction] = {}
    for coefficient, atom in built.terms():
        found[atom] = found.get(atom, Fraction(0)) + coefficient
    return frozenset(found.items())


@dataclass(frozen=True)
class Panel:
    """``noise``: (kind, rate), the rate of clean labels is not looked at; ``theory``: name the threshold of the first series'
    parameter, and each line's side of it."""

    title: str
    series: tuple[Series, ...]
    noise: Noise
    elsewhere: Mapping[str, Noise] = field(default_factory=dict)
    theory: bool = False

    def noise_on(self, dataset: str) -> Noise:
        return self.elsewhere.get(dataset, self.noise)


@dataclass(frozen=True, eq=False)
class Line:
    """What is drawn of one experiment: a figure over epochs, mean and lowest and highest of its seeds."""

    label: str
    series: Series
    values: Values
    runs: tuple[Run, ...]
    epochs: Floats
    mean: Floats
    low: Floats
    high: Floats
    level: Level | None = None

    @property
    def name(self) -> str:
        """The label with that of the series, for where other series are near."""
        return self.label if self.series.label in self.label else f"{self.series.label}, {self.label}"

    @property
    def last(self) -> float:
        return float(self.mean[-1])

    @property
    def best(self) -> float:
        """The best value of the mean curve; it is chosen by the test labels, so it is not an estimate of accuracy."""
        return float(self.mean.max())

    @property
    def drop(self) -> float:
        """The loss of accuracy from the best epoch to the last one."""
        return self.best - self.last


@dataclass(frozen=True)
class Level:
    """What the core says of a loss on the noise: asymmetric or not, and c r where the loss has an asymmetry ratio."""

    asymmetric: bool | None
    product: float | None


@dataclass(frozen=True, eq=False)
class Shown:
    """A panel as it can be drawn. ``noise``: as it was, class-dependent noise by its map. ``missing``: labels of series without
    runs. ``threshold``: of the parameter, where asked.
    """

    title: str
    where: Where
    noise: Noise
    lines: tuple[Line, ...]
    missing: tuple[str, ...]
    threshold: Threshold | None = None

    def over(self, label: str) -> list[Line]:
        """The lines of one series, by value."""
        return sorted((line for line in self.lines if line.series.label == label), key=lambda line: line.values)


# ------------------------------------------------------------------------------------------------------- gathering


def gather(
    panels: Sequence[Panel], results: Results, *, papers: Sequence[str], dataset: str | None, plan: str
) -> list[Shown]:
    """The panels that have lines, on ``dataset``, else on each of the papers' data sets that was measured, else on the largest.

    All lines of a data set come from runs that were trained alike (:attr:`Run.setting`), at the largest size at which no more
    than half of the lines are missing. Raises NothingMeasured where there is no line at all.
    """
    fixed = [run for run in results.runs if run.config["noise"]["mode"] != "redrawn"]
    meant: Meant = {}
    for i, panel in enumerate(panels):
        for j, series in enumerate(panel.series):
            values = ((run, series.values(run)) for run in fixed if _on(panel, run))
            meant[i, j] = [(run, value) for run, value in values if value is not None]
    every = [run for runs in meant.values() for run, _ in runs]
    measured = list(dict.fromkeys(where.dataset for where in results.places(every)))
    if dataset is not None:
        datasets = [dataset] if dataset in measured else []
    else:
        datasets = [name for name in papers if name in measured] or measured[:1]
    if not datasets:
        raise _nothing(results, dataset, measured, plan)
    shown = []
    for name in datasets:
        setting = _setting(name, meant, results)
        for i, panel in enumerate(panels):
            alike = [[run for run, _ in meant[i, j] if run.setting == setting] for j in range(len(panel.series))]
            if any(alike):
                found = _of_one_kind(alike)
                shown.append(_shown(panel, found, len(datasets) > 1))
    shown = [panel for panel in shown if panel.lines]  # runs there may be of which this was not measured
    if not shown:
        raise _nothing(results, dataset, measured, plan)
    return shown


def _nothing(results: Results, dataset: str | None, measured: Sequence[str], plan: str) -> NothingMeasured:
    run = f"run `asymtheory sweep {plan}` and put its results.jsonl there"
    if dataset is not None and measured:
        known = ", ".join(measured)
        return NothingMeasured(
            f"results {results.folder}: nothing on {dataset!r} for this figure (measured: {known})"
            f"{nearest(dataset, measured)}; {run}"
        )
    return NothingMeasured(
        f"results {results.folder}: no runs for this figure; {run}, or name another place with results=PATH"
    )


def _on(panel: Panel, run: Run) -> bool:
    """Whether the run had the panel's noise; labels of a file are another one, whatever they are."""
    kind, rate = panel.noise_on(run.dataset)
    if run.config.get("labels"):
        return False
    wanted = None if kind == CLEAN else Fraction(rate)
    return run.noise[0] in (FLIPS if kind == ASYMMETRIC else (kind,)) and run.noise[1] == wanted


def _of_one_kind(found: Sequence[Sequence[Run]]) -> list[list[Run]]:
    """The runs of a panel on the kind of noise that most of them have: maps of classes are not to be mixed."""
    kinds = Counter(run.noise[0] for runs in found for run in runs)
    most = max(kinds, key=lambda kind: (kinds[kind], kind))
    return [[run for run in runs if run.noise[0] == most] for runs in found]


def _setting(dataset: str, meant: Meant, results: Results) -> str:
    """The way of training that is shown of a data set."""
    there = [(place, run, values) for place, runs in meant.items() for run, values in runs if run.dataset == dataset]
    lines = Counter(setting for setting, *_ in {(run.setting, place, values) for place, run, values in there})
    enough = max(lines.values()) * _ENOUGH
    kept = [run for _, run, _ in there if lines[run.setting] >= enough]
    largest = results.places(kept)[0]
    return max((run.setting for run in kept if run.where == largest), key=lambda setting: lines[setting])


def _shown(panel: Panel, found: Sequence[Sequence[Run]], several: bool) -> Shown:
    usual = Counter(run.penalty for runs in found for run in runs)
    lines, missing = [], []
    for series, runs in zip(panel.series, found, strict=True):
        made = _lines(series, runs, usual, alone=len(panel.series) == 1)
        lines += made
        if not made:
            missing.append(series.label)
    run = next(run for runs in found for run in runs)
    title = ": ".join(part for part in (mathtext(run.dataset) if several else "", panel.title) if part)
    noise = (run.noise[0], panel.noise_on(run.dataset)[1])
    if not panel.theory:
        return Shown(title, run.where, noise, tuple(lines), tuple(missing))
    model = noise_model(run)
    judged = tuple(_judged(line, model) for line in lines)
    first = panel.series[0]
    threshold = None
    if model is not None and first.over[0] not in (SCALE, STRENGTH):
        given = {name: Fraction(text) for name, text in first.parameters.items()}
        threshold = solve(build(first.loss, **given), model, first.over[0])
    return Shown(title, run.where, noise, judged, tuple(missing), threshold)


def _lines(series: Series, runs: Sequence[Run], usual: Mapping[tuple[str, float], int], alone: bool) -> list[Line]:
    """One line, or one for each value; of several experiments that fit, the one that is nearest to the paper's."""
    by_value: dict[Values, list[list[Run]]] = {}
    for group in repetitions(runs):
        values = series.values(group[0])
        assert values is not None
        by_value.setdefault(values, []).append(group)
    lines = []
    for values in sorted(by_value):
        group = max(by_value[values], key=lambda group: _nearness(series, group, usual))
        line = line_of(value_label(series, values, alone), series, values, group)
        if line is not None:
            lines.append(line)
    return lines


def _nearness(series: Series, group: Sequence[Run], usual: Mapping[tuple[str, float], int]) -> tuple[float, ...]:
    """How near an experiment is to the paper's: its parameters, its penalty, else the penalty that most runs have, seeds."""
    norm, strength = group[0].penalty
    printed = _PRINTED.get((norm, group[0].dataset), _PRINTED.get((norm, "cifar10"), 0.0))
    own = norm == (series.penalty or series.prefer)
    return -series.rank(group[0]), own and strength == printed, usual[norm, strength], len(group)


def line_of(label: str, series: Series, values: Values, group: Sequence[Run]) -> Line | None:
    """The line of repetitions of one experiment; None where the figure was not measured."""
    epochs, middle, low, high = mean(group, series.what)
    return Line(label, series, values, tuple(group), epochs, middle, low, high) if len(epochs) else None


def value_label(series: Series, values: Sequence[Fraction], alone: bool) -> str:
    """``AMSE, $a = 10$``; ``$a = 10$`` where the series is alone in its panel; ``10 NCE`` for a scaled loss."""
    if not series.over:
        return series.label
    if series.over == (SCALE,):
        return series.label if values[0] == 1 else f"{plain(values[0])} {series.label}"
    inside = ", ".join(
        f"{style.symbol(name)} = {short(value)}" for name, value in zip(series.over, values, strict=True)
    )
    return f"${inside}$" if alone else f"{series.label}, ${inside}$"


def short(value: Fraction) -> str:
    """A number for mathematical text: powers of ten below a thousandth as such, other decimals with four digits."""
    number = float(value)
    if 0 < abs(number) < 1e-3:
        mantissa, exponent = f"{number:.3e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        power = f"10^{{{int(exponent)}}}"
        return power if mantissa == "1" else rf"{mantissa} \times {power}"
    text = plain(value)
    return text if len(text) <= 6 else f"{number:.4g}"


def noise_model(run: Run) -> NoiseModel | None:
    """The noise of a run as the core knows it; None for labels from a file and for data sets whose classes it does not know."""
    kind, rate = run.noise
    if kind == CLEAN or rate is None:
        return None
    try:
        return resolve(kind, None if kind in MAPS else CLASSES.get(run.dataset), rate)
    except InputError:
        return None


def _judged(line: Line, model: NoiseModel | None) -> Line:
    if model is None:
        return line
    run = line.runs[0]
    loss = build(run.loss, **run.parameters)
    try:
        # c of the worst row, at which the condition binds: the clean label's weight over the largest other one
        ratio = asymmetry_ratio(loss).r
        product = min(_clean_level(row.weights, row.target) for row in model.rows) * (ratio.low + ratio.high) / 2
    except InputError:
        product = None
    return replace(line, level=Level(check(loss, model).asymmetric, product))


def _clean_level(weights: Sequence[Any], target: int) -> float:
    return float(weights[target]) / max(float(w) for k, w in enumerate(weights) if k != target)
