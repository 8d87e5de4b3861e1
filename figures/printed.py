"""What the papers say of their figures of training runs, each with a check of the lines that were measured here.

A check compares test accuracies: all seeds at the last epoch, or how far their mean fell from its best epoch to the last one. It
has no say where lines are missing. The caption says which printed statements the runs at hand show too, and which not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .series import Line, Shown

TOLD = 0.02
"""Accuracies (shares) that differ by less are called equal; a curve that falls by more has overfitted."""

Judge = Callable[[Sequence[Shown]], "str | None"]
"""\"\" where the lines agree, what they show instead where they do not, None where lines are missing."""


@dataclass(frozen=True)
class Claim:
    """What a paper says of a printed figure, and the check of it."""

    says: str
    judge: Judge


def judged(claims: Iterable[Claim], shown: Sequence[Shown]) -> str:
    """Sentences for the caption; "" where nothing could be checked."""
    same, other = [], []
    for claim in claims:
        found = claim.judge(shown)
        if found == "":
            same.append(claim.says)
        elif found is not None:
            other.append(f"{claim.says} (here: {found})")
    parts = [f"Printed, but not seen here: {'; '.join(other)}."] * bool(other)
    parts += [f"Printed and seen here too: {'; '.join(same)}."] * bool(same)
    return " ".join(parts)


def _labelled(shown: Sequence[Shown], labels: Sequence[str]) -> list[tuple[Shown, Line]]:
    """The test accuracies of lines by their own label, or of all lines of a series by its label."""
    return [
        (panel, line)
        for label in labels
        for panel in shown
        for line in panel.lines
        if label in (line.label, line.series.label) and line.series.what == "test"
    ]


def _ends(shown: Sequence[Shown], label: str, panel: str) -> list[tuple[Line, Line]]:
    """The lines of the least and of the largest value of a series, in each panel whose title has ``panel`` in it."""
    found = [each.over(label) for each in shown if panel in each.title]
    return [(lines[0], lines[-1]) for lines in found if len(lines) > 1]


def _said(lines: Iterable[Line], of: Callable[[Line], str]) -> str:
    return ", ".join(f"{line.label} {of(line)}" for line in lines)


def _last(line: Line) -> str:
    """The mean of the last epoch, and what the seeds reach."""
    said = f"{100 * line.last:.1f} %"
    return said if len(line.runs) == 1 else f"{said} ({100 * line.low[-1]:.1f} to {100 * line.high[-1]:.1f})"


def _higher(one: Line, two: Line) -> bool:
    """Whether every seed of one line ends above every seed of the other."""
    return bool(one.low[-1] > two.high[-1])


def _fall(line: Line) -> str:
    return f"falls by {100 * line.drop:.1f} points"


def above(higher: Sequence[str], lower: Sequence[str]) -> Judge:
    """Every line of ``higher`` ends above every line of ``lower`` on the same data, with every seed."""

    def judge(shown: Sequence[Shown]) -> str | None:
        pairs = [
            (one, two)
            for place, one in _labelled(shown, higher)
            for other, two in _labelled(shown, lower)
            if (place.where, place.noise) == (other.where, other.noise)
        ]
        wrong = [pair for pair in pairs if not _higher(*pair)]
        return "; ".join(dict.fromkeys(_said(pair, _last) for pair in wrong)) if pairs else None

    return judge


def best_above(higher: str, lower: Sequence[str]) -> Judge:
    """The best value of one series ends above the best value of each of the others."""

    def judge(shown: Sequence[Shown]) -> str | None:
        pairs = []
        for panel in shown:
            own = panel.over(higher)
            pairs += [(_highest(own), _highest(other)) for name in lower if own and (other := panel.over(name))]
        wrong = [pair for pair in pairs if not _higher(*pair)]
        return "; ".join(_said(pair, _last) for pair in wrong) if pairs else None

    return judge


def _highest(lines: Sequence[Line]) -> Line:
    return max(lines, key=lambda line: line.last)


def falls(*labels: str) -> Judge:
    """Test accuracy ends below its best epoch: overfitting."""
    return _drops(labels, lambda line: line.drop > TOLD)


def stays(*labels: str) -> Judge:
    """Test accuracy ends at its best."""
    return _drops(labels, lambda line: line.drop <= TOLD)


def falls_below_threshold(label: str) -> Judge:
    """The lines of a series whose loss is not asymmetric on the noise overfit."""
    return _drops(
        (label,), lambda line: line.drop > TOLD, lambda line: line.level is not None and line.level.asymmetric is False
    )


def _drops(
    labels: Sequence[str], expected: Callable[[Line], bool], which: Callable[[Line], bool] = lambda _: True
) -> Judge:
    def judge(shown: Sequence[Shown]) -> str | None:
        lines = [line for _, line in _labelled(shown, labels) if which(line)]
        return _said((line for line in lines if not expected(line)), _fall) if lines else None

    return judge


def steadier(label: str, panel: str = "") -> Judge:
    """The least value of a series overfits and the largest one does so less: the papers' "more robust"."""

    def judge(shown: Sequence[Shown]) -> str | None:
        ends = _ends(shown, label, panel)
        wrong = [pair for pair in ends if not (pair[0].drop > TOLD and pair[0].drop > pair[1].drop)]
        return "; ".join(_said(pair, _fall) for pair in wrong) if ends else None

    return judge


def rises(label: str, panel: str = "") -> Judge:
    """The largest value of a series ends above the least one."""

    def judge(shown: Sequence[Shown]) -> str | None:
        ends = _ends(shown, label, panel)
        return "; ".join(_said(pair, _last) for pair in ends if not _higher(pair[1], pair[0])) if ends else None

    return judge


def grows(label: str) -> Judge:
    """Over two values: for each of the first, the largest second one ends above the least."""

    def judge(shown: Sequence[Shown]) -> str | None:
        rows: dict[tuple[str, Fraction], list[Line]] = {}
        for panel in shown:
            for line in panel.over(label):
                rows.setdefault((panel.title, line.values[0]), []).append(line)
        ends = [(lines[0], lines[-1]) for lines in rows.values() if len(lines) > 1]
        return "; ".join(_said(pair, _last) for pair in ends if not _higher(pair[1], pair[0])) if ends else None

    return judge


def even(label: str, panel: str = "") -> Judge:
    """All values of a series end alike."""

    def judge(shown: Sequence[Shown]) -> str | None:
        found = [each.over(label) for each in shown if panel in each.title]
        spans = [(min(lines, key=lambda line: line.last), _highest(lines)) for lines in found if len(lines) > 1]
        return "; ".join(_said(span, _last) for span in spans if span[1].last - span[0].last > TOLD) if spans else None

    return judge


def best_at(label: str, at: Mapping[str, Sequence[str]]) -> Judge:
    """No values of a series end higher than those that the paper chose for the data set (on others: for CIFAR-10)."""

    def judge(shown: Sequence[Shown]) -> str | None:
        pairs = []
        for panel in shown:
            lines = panel.over(label)
            wanted = tuple(map(Fraction, at.get(panel.where.dataset, at["cifar10"])))
            pairs += [(_highest(lines), line) for line in lines if line.values == wanted and len(lines) > 1]
        return "; ".join(_said(pair, _last) for pair in pairs if pair[0].last - pair[1].last > TOLD) if pairs else None

    return judge
