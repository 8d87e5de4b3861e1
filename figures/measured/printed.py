"""What the papers say of their figures of training runs, each with a check of the lines that were measured here.

A check compares test accuracies: all seeds at the last epoch, or how far their mean fell from its best epoch to the last one. It
has no say where a line that it is about is missing. The caption says which printed statements the runs at hand show too, and
which not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product

from .series import Line, Shown

TOLD = 0.02
"""Accuracies (shares) that differ by less are called equal; a curve that falls by more has overfitted."""
LEARNED = 0.5
"""A loss that never reaches this share of another one's best accuracy has failed to learn."""

Pair = tuple[Line, Line]
Judge = Callable[[Sequence[Shown]], "str | None"]
"""\"\" where the lines agree, what they show instead where they do not, None where lines are missing."""


@dataclass(frozen=True)
class Statement:
    """What a paper says of a printed figure, and the check of it."""

    says: str
    judge: Judge


def judged(claims: Iterable[Statement], shown: Sequence[Shown]) -> str:
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


# ------------------------------------------------------------------------------------------------ lines of a statement


def _places(shown: Sequence[Shown], labels: Sequence[str], panel: str) -> Iterator[dict[str, list[Line]]]:
    """The test accuracies of each label, on one set of labels after another; not of those where one has none.

    A label is that of a line, or of a series for all of its lines. ``panel`` is part of the titles that count.
    """
    places: dict[object, list[Line]] = {}
    for each in shown:
        if panel in each.title:
            places.setdefault((each.where, each.noise), []).extend(each.lines)
    for lines in places.values():
        tests = [line for line in lines if line.series.what == "test"]
        found = {label: [line for line in tests if label in (line.label, line.series.label)] for label in labels}
        if all(found.values()):
            yield found


def _series(shown: Sequence[Shown], label: str, panel: str) -> list[list[Line]]:
    """The lines of a series by value, in each panel that has several; ``panel`` is part of the titles that count."""
    found = [each.over(label) for each in shown if panel in each.title]
    return [lines for lines in found if len(lines) > 1]


def _highest(lines: Sequence[Line]) -> Line:
    return max(lines, key=lambda line: line.last)


def _higher(one: Line, two: Line) -> bool:
    """Whether every seed of one line ends above every seed of the other."""
    return bool(one.low[-1] > two.high[-1])


def _said(lines: Iterable[Line], of: Callable[[Line], str]) -> str:
    return ", ".join(f"{line.name} {of(line)}" for line in lines)


def _pairs(wrong: Iterable[Pair], of: Callable[[Line], str]) -> str:
    return "; ".join(dict.fromkeys(_said(pair, of) for pair in wrong))


def _last(line: Line) -> str:
    """The mean of the last epoch, and what the seeds reach."""
    said = f"{100 * line.last:.1f} %"
    return said if len(line.runs) == 1 else f"{said} ({100 * line.low[-1]:.1f} to {100 * line.high[-1]:.1f})"


def _best(line: Line) -> str:
    return f"reaches {100 * line.best:.1f} %"


def _fall(line: Line) -> str:
    return f"falls by {100 * line.drop:.1f} points"


# ------------------------------------------------------------------------------------------ one loss against another


def above(higher: Sequence[str], lower: Sequence[str], panel: str = "") -> Judge:
    """Every line of ``higher`` ends above every line of ``lower`` on the same labels, with every seed."""

    def judge(shown: Sequence[Shown]) -> str | None:
        pairs = [
            pair
            for found in _places(shown, (*higher, *lower), panel)
            for one, two in product(higher, lower)
            for pair in product(found[one], found[two])
        ]
        return _pairs((pair for pair in pairs if not _higher(*pair)), _last) if pairs else None

    return judge


def best_above(higher: str, lower: Sequence[str]) -> Judge:
    """The best value of one series ends above the best value of each of the others, with every seed."""

    def judge(shown: Sequence[Shown]) -> str | None:
        places = _places(shown, (higher, *lower), "")
        pairs = [(_highest(found[higher]), _highest(found[other])) for found in places for other in lower]
        return _pairs((pair for pair in pairs if not _higher(*pair)), _last) if pairs else None

    return judge


def milder(label: str, other: str) -> Judge:
    """One loss overfits, and the best value of a series does so less."""

    def judge(shown: Sequence[Shown]) -> str | None:
        pairs = [(_highest(found[label]), _highest(found[other])) for found in _places(shown, (label, other), "")]
        wrong = (pair for pair in pairs if not (pair[1].drop > TOLD and pair[1].drop > pair[0].drop))
        return _pairs(wrong, _fall) if pairs else None

    return judge


def fails(labels: Sequence[str], beside: str) -> Judge:
    """At no epoch do the losses reach half of what the one beside them reaches at its best."""

    def judge(shown: Sequence[Shown]) -> str | None:
        places = _places(shown, (*labels, beside), "")
        pairs = [pair for found in places for label in labels for pair in product(found[label], found[beside])]
        return _pairs((pair for pair in pairs if pair[0].best >= LEARNED * pair[1].best), _best) if pairs else None

    return judge


# ------------------------------------------------------------------------------------------------------- overfitting


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
        places = _places(shown, labels, "")
        lines = [line for found in places for label in labels for line in found[label] if which(line)]
        return _said((line for line in lines if not expected(line)), _fall) if lines else None

    return judge


# ------------------------------------------------------------------------------------------- over a series' values


def _ordered(
    lines: Sequence[Line], steps: Callable[[Line, Line], bool], ends: Callable[[Line, Line], bool]
) -> list[Pair]:
    """What contradicts an order: neighbours that do not keep it, and the ends if they are not apart."""
    wrong = [pair for pair in pairwise(lines) if not steps(*pair)]
    return wrong if ends(lines[0], lines[-1]) else [*wrong, (lines[0], lines[-1])]


def _not_rising(lines: Sequence[Line]) -> list[Pair]:
    return _ordered(lines, lambda one, two: one.last - two.last <= TOLD, lambda first, last: _higher(last, first))


def rises(label: str, panel: str = "") -> Judge:
    """The larger the value of a series, the higher it ends: no step down, and the largest above the least with every seed."""

    def judge(shown: Sequence[Shown]) -> str | None:
        found = _series(shown, label, panel)
        return _pairs((pair for lines in found for pair in _not_rising(lines)), _last) if found else None

    return judge


def grows(label: str) -> Judge:
    """Over two values: for each of the first, the larger the second one the higher the end, as in :func:`rises`."""

    def judge(shown: Sequence[Shown]) -> str | None:
        rows: dict[tuple[str, Fraction], list[Line]] = {}
        for panel in shown:
            for line in panel.over(label):
                rows.setdefault((panel.title, line.values[0]), []).append(line)
        found = [lines for lines in rows.values() if len(lines) > 1]
        return _pairs((pair for lines in found for pair in _not_rising(lines)), _last) if found else None

    return judge


def steadier(label: str, panel: str = "") -> Judge:
    """The least value of a series overfits, and the larger the value the less: the papers' "more robust"."""

    def steps(one: Line, two: Line) -> bool:
        return two.drop - one.drop <= TOLD

    def ends(first: Line, last: Line) -> bool:
        return first.drop > TOLD and first.drop > last.drop

    def judge(shown: Sequence[Shown]) -> str | None:
        found = _series(shown, label, panel)
        return _pairs((pair for lines in found for pair in _ordered(lines, steps, ends)), _fall) if found else None

    return judge


def gains(label: str) -> Judge:
    """Every larger value of a series ends above the least one, with every seed."""

    def judge(shown: Sequence[Shown]) -> str | None:
        pairs = [(line, lines[0]) for lines in _series(shown, label, "") for line in lines[1:]]
        return _pairs((pair for pair in pairs if not _higher(*pair)), _last) if pairs else None

    return judge


def gains_nothing(label: str) -> Judge:
    """No larger value of a series ends higher than the least one."""

    def judge(shown: Sequence[Shown]) -> str | None:
        pairs = [(line, lines[0]) for lines in _series(shown, label, "") for line in lines[1:]]
        return _pairs((pair for pair in pairs if pair[0].last - pair[1].last > TOLD), _last) if pairs else None

    return judge


def even(label: str, panel: str = "") -> Judge:
    """All values of a series end alike."""

    def judge(shown: Sequence[Shown]) -> str | None:
        found = _series(shown, label, panel)
        spans = [(min(lines, key=lambda line: line.last), _highest(lines)) for lines in found]
        return _pairs((span for span in spans if span[1].last - span[0].last > TOLD), _last) if spans else None

    return judge


def best_at(label: str, at: Mapping[str, Sequence[str]]) -> Judge:
    """No values of a series end higher than those that the paper chose for the data set (on others: for CIFAR-10)."""

    def judge(shown: Sequence[Shown]) -> str | None:
        pairs = []
        for panel in shown:
            lines = panel.over(label)
            wanted = tuple(map(Fraction, at.get(panel.where.dataset, at["cifar10"])))
            pairs += [(_highest(lines), line) for line in lines if line.values == wanted and len(lines) > 1]
        return _pairs((pair for pair in pairs if pair[0].last - pair[1].last > TOLD), _last) if pairs else None

    return judge
