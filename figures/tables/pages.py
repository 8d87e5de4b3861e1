"""Tables of measurements in the pages of the documentation, written from the rows in ``results/``.

    python -m asymtheory_figures.tables.pages docs/confirmation.md docs/confirmation/*.md            # write them anew
    python -m asymtheory_figures.tables.pages --check docs/confirmation.md docs/confirmation/*.md    # do they agree?

A page says what belongs where, and the lines between are replaced:

    <!-- rows: population dataset=mnist noise="symmetric 0.8" loss=amse,agce,aul,ael -->
    <!-- end -->

``population`` and ``fixed`` are grids (multiples of a* by losses), ``both`` a line for each value, ``lost`` sums over the grid,
``ratios`` sums by the fitting ratio, ``ends`` losses without a threshold over noises, ``answers`` a line for each data set and
noise, ``turns`` half-way points, noises by losses. Filters are fields of a row, values separated by commas; a loss may name a
parameter, as in amse:q=2.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from asymtheory.errors import InputError, nearest
from asymtheory.losses import build
from asymtheory.losses.profile import Profile
from asymtheory.numbers.text import plain
from asymtheory.writing import write_file

from ..results import FOLDER, Measurement, load

BLOCK = re.compile(r"(<!-- rows: (?P<asked>[^\n]*?) -->\n)(?P<held>.*?)(<!-- end -->)", re.DOTALL)
EMPTY = "–"
_WEIGHTS = ("alpha", "beta", "A", "p_min")  # of a sum's terms, and constants, that tell no two losses of a page apart

Rows = Sequence[Measurement]
Grid = list[list[str]]


def written(page: str, rows: Rows) -> str:
    """The text of a page with all its tables made anew; InputError for a block that asks for nothing that is there."""

    ordered = sorted(rows, key=lambda row: _rank(row["noise"]))

    def made(found: re.Match[str]) -> str:
        kind, *words = shlex.split(found["asked"])
        if kind not in KINDS:
            raise InputError(f"rows: {kind} is not a table ({', '.join(KINDS)}){nearest(kind, KINDS)}")
        kept = _kept(ordered, words)
        if not kept:
            raise InputError(f"rows: {found['asked']}: nothing like it was measured")
        head, *body = KINDS[kind](kept)
        lines = [_line(head), "|" + "---|" * len(head), *map(_line, body)]
        return found[1] + "\n" + "\n".join(lines) + "\n\n" + found[4]

    return BLOCK.sub(made, page)


def _rank(noise: str) -> tuple[int, str]:
    """Noises in the order of their kinds: models, class maps, measured matrices, and labels as they are."""
    kinds = ("symmetric", "pair", "cifar10 ", "cifar10n", "labels")
    return next((place for place, kind in enumerate(kinds) if noise.startswith(kind)), len(kinds)), noise


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _kept(rows: Rows, words: Sequence[str]) -> list[Measurement]:
    """Rows that agree with all filters, those of a list in its order; the last list counts first."""
    kept = list(rows)
    for word in words:
        name, _, values = word.partition("=")
        allowed = values.split(",")
        agrees = _is if name == "loss" else partial(_has, name=name)
        kept = [row for value in allowed for row in kept if agrees(row, value)]
    return kept


def _has(row: Measurement, value: str, name: str) -> bool:
    return str(row.get(name)) == value


def _is(row: Measurement, named: str) -> bool:
    name, _, setting = named.partition(":")
    parameter, _, value = setting.partition("=")
    return row["loss"] == name and (not setting or Fraction(str(row["fixed"].get(parameter, "-1"))) == Fraction(value))


def _title(row: Measurement) -> str:
    given = {name: Fraction(str(value)) for name, value in row["fixed"].items()}
    shown = ", ".join(f"{name} = {plain(value)}" for name, value in given.items() if name not in _WEIGHTS)
    title = build(row["loss"], **given).title
    return f"{title} ({shown})" if shown else title


def _factor(factor: float) -> str:
    return "1/8" if factor == 0.125 else f"{factor:.2f}".rstrip("0").rstrip(".")


def _by(rows: Rows, of: Callable[[Measurement], str]) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for row in rows:
        found.setdefault(of(row), []).append(row)
    return found


def _lost(row: Measurement) -> str:
    count = sum(row["lost"])
    return f", {count} lost" if count else ""


def _percent(value: float | None, digits: int = 0) -> str:
    return EMPTY if value is None else f"{100 * value:.{digits}f} %"


# ------------------------------------------------------------------------------------------------------------- the tables


def _grid(rows: Rows, cell: Callable[[Measurement], str]) -> Grid:
    """Multiples of the threshold (lines) by losses (columns)."""
    columns = _by([row for row in rows if row["factor"] is not None], _title)
    factors = sorted({round(row["factor"], 2) for own in columns.values() for row in own})
    cells = {(title, round(row["factor"], 2)): row for title, own in columns.items() for row in own}
    body = [
        [
            _factor(0.125 if factor == 0.12 else factor),
            *(cell(cells[title, factor]) if (title, factor) in cells else "" for title in columns),
        ]
        for factor in factors
    ]
    return [["a / a*", *columns], *body]


def population(rows: Rows) -> Grid:
    """Exact p: measured p [95 % interval], classes lost."""
    return _grid([row for row in rows if row["regime"] == "population"], _probability)


def _probability(row: Measurement) -> str:
    return f"{row['exact']:.3f}: {row['measured']:.3f} [{row['low']:.3f}, {row['high']:.3f}]{_lost(row)}"


def fixed(rows: Rows) -> Grid:
    """Share of corrupted images that end with their wrong label, last test accuracy (drop from the best epoch in points)."""
    return _grid([row for row in rows if row["regime"] == "fixed"], _accuracy)


def _accuracy(row: Measurement) -> str:
    drop = EMPTY if row["drop"] is None else f"{100 * row['drop']:.0f}"
    return f"{_percent(row['memorised'])}, {_percent(row['last'], 1)} ({drop}){_lost(row)}"


def both(rows: Rows) -> Grid:
    """The two regimes beside each other, a line for each value."""
    pairs: dict[tuple[str, float], dict[str, Measurement]] = {}
    for row in rows:
        pairs.setdefault((_title(row), row["factor"]), {})[row["regime"]] = row
    body = [
        [
            title, _factor(factor), f"{one['population']['exact']:.3f}", _probability(one["population"]).partition(": ")[2],
            _percent(one["fixed"]["memorised"], 1), _percent(one["fixed"]["last"], 1), f"{100 * one['fixed']['drop']:.1f}",
        ]
        for (title, factor), one in pairs.items()
        if len(one) == 2
    ]  # fmt: skip
    return [["loss", "a / a*", "exact p", "p, redrawn labels", "fixed labels: memorised", "last", "drop"], *body]


def lost(rows: Rows) -> Grid:
    """Mean distance |measured - exact| of p, and classes lost (of seeds x values x classes), by noise."""
    body = []
    drawn = [row for row in rows if row["regime"] == "population"]
    for noise, own in _by(drawn, lambda row: str(row["noise"])).items():
        sides = [
            [row for row in own if row["factor"] is not None and row["factor"] < 1],
            [row for row in own if row["factor"] == 1],
            [row for row in own if row["factor"] is not None and row["factor"] > 1],
            [row for row in own if row["factor"] is None and row["parameter"] is not None],
        ]
        body.append([noise, *map(_distance, sides)])
    return [["noise", "below a*", "at a*", "above a*", "no threshold"], *body]


def _distance(rows: Rows) -> str:
    if not rows:
        return EMPTY
    count, every = _counted(rows)
    return f"{fmean(abs(row['deviation']) for row in rows):.3f}, {count} of {every:,}"


def _counted(rows: Rows) -> tuple[int, int]:
    """Classes lost, and all (of seeds x values x classes)."""
    return sum(sum(row["lost"]) for row in rows), sum(len(row["lost"]) * row["seeds"] for row in rows)


_BOUNDS = (0.6, 0.85, 1.05, 1.5, 3.0)  # of the fitting ratio


def ratios(rows: Rows) -> Grid:
    """Classes lost by the fitting ratio s(1/K) / s(0.99), a line for each data set, network and kind of loss."""
    heads = [f"< {_BOUNDS[0]}", *(f"{a} to {b}" for a, b in pairwise(_BOUNDS)), f">= {_BOUNDS[-1]}"]
    body = []
    for place, own in _by(rows, lambda row: f"{row['dataset']}, {row['model']}").items():
        for kind, rest in sorted(_by(own, _form).items()):
            by_ratio = _by(rest, lambda row: heads[_bin(row["slope_ratio"])])
            body.append([place, kind, *(_share_lost(by_ratio.get(head, [])) for head in heads)])
    return [["trained", "loss", *heads], *body]


def _bin(ratio: float | None) -> int:
    """None where the ratio is infinite."""
    return len(_BOUNDS) if ratio is None else sum(ratio >= bound for bound in _BOUNDS)


def _share_lost(rows: Rows) -> str:
    if not rows:
        return ""
    count, every = _counted(rows)
    return f"{count} of {every:,}" + (f" ({100 * count / every:.1f} %)" if count else "")


def _form(row: Measurement) -> str:
    """What the loss consists of."""
    given = {name: Fraction(str(value)) for name, value in row["fixed"].items()}
    if row["parameter"] is not None:
        given[row["parameter"]] = Fraction(row["value"])
    profile = Profile.of(build(row["loss"], **given), len(row["lost"]))
    if profile.negative:
        return "with a negative term"
    return "of each class by itself" if profile.is_separable else "with a normalised term"


def ends(rows: Rows) -> Grid:
    """Losses without a parameter: a line for each noise."""
    kept = [row for row in rows if row["parameter"] is None]
    columns = list(_by(kept, _title))
    cell = _probability if kept[0]["regime"] == "population" else _accuracy
    body = []
    for noise, own in _by(kept, lambda row: str(row["noise"])).items():
        cells = {_title(row): cell(row) for row in own}
        body.append([noise, *(cells.get(title, EMPTY) for title in columns)])
    return [["noise", *columns], *body]


def answers(rows: Rows) -> Grid:
    """One loss, a line for each data set, network and noise: what is asked of a threshold."""
    body = []
    for place, own in _by(rows, lambda row: f"{row['dataset']}, {row['model']}, {row['images']:,} images").items():
        for noise, rest in _by(own, lambda row: _noise(row["noise"])).items():
            body.append([place, noise, *_answered(rest)])
    return [
        [
            "trained", "noise", "below a*: p - u_m", "half-way up, in a* (exact)", "p at a* (median)",
            "classes lost below, at, above a*",
            "fixed labels: memorised below, at, above", "half-way down, in a*",
        ],
        *body,
    ]  # fmt: skip


def turns(rows: Rows) -> Grid:
    """Half-way points, noises by losses, in multiples of a*: up with p (exact in brackets), or down with what is memorised."""
    kept = [row for row in rows if row["factor"] is not None]
    columns = list(_by(kept, _title))
    body = []
    for noise, own in _by(kept, lambda row: str(row["noise"])).items():
        cells = {_title(row): _half_way(row) for row in own}
        body.append([noise, *(cells.get(title, "") for title in columns)])
    return [["noise", *columns], *body]


def _half_way(row: Measurement) -> str:
    turn = row["transition"]
    if turn is None:
        return EMPTY
    if row["regime"] == "fixed":
        return _turn(turn["memorised"])
    return f"{_turn(turn['measured'])} ({_turn(turn['exact'])})"


def _noise(noise: str) -> str:
    """Human labels and their matrix are one noise here."""
    names = {"worse_label": "worse", "aggre_label": "aggre", "random_label1": "random1"}
    label = noise.removeprefix("labels ")
    return f"cifar10n-{names[label]}" if label in names else label


def _answered(rows: Rows) -> Iterator[str]:
    drawn = [row for row in rows if row["regime"] == "population" and row["factor"] is not None]
    given = [row for row in rows if row["regime"] == "fixed" and row["factor"] is not None]
    given = [
        row for row in given if row["noise"].startswith("labels ")
    ] or given  # rather than a draw from their matrix
    below, at, above = ([row for row in drawn if side(row["factor"])] for side in _SIDES)
    yield f"{fmean(row['deviation'] for row in below):+.3f}" if below else EMPTY
    turn = drawn[0]["transition"] if drawn else None
    yield EMPTY if turn is None else f"{_turn(turn['measured'])} ({_turn(turn['exact'])})"
    yield f"{at[0]['measured']:.3f} ({at[0]['median']:.3f})" if at else EMPTY
    counts = [
        (sum(sum(row["lost"]) for row in side), sum(len(row["lost"]) * row["seeds"] for row in side))
        for side in (below, at, above)
    ]
    yield ", ".join(f"{count} of {every}" for count, every in counts) if drawn else EMPTY
    shares = [[row["memorised"] for row in given if side(row["factor"])] for side in _SIDES]
    yield ", ".join(_percent(fmean(side)) if side else EMPTY for side in shares) if given else EMPTY
    turn = given[0]["transition"] if given else None
    yield EMPTY if turn is None else _turn(turn["memorised"])


_SIDES: tuple[Callable[[float], bool], ...] = (lambda f: f < 1, lambda f: f == 1, lambda f: f > 1)


def _turn(facts: Measurement) -> str:
    return "none" if facts["factor"] is None else f"{facts['factor']:.2f}"


KINDS: dict[str, Callable[[Rows], Grid]] = {
    "population": population, "fixed": fixed, "both": both, "lost": lost, "ratios": ratios, "ends": ends, "answers": answers,
    "turns": turns,
}  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Write the tables of the pages named, or with ``--check`` say which pages differ from ``results/`` (status 1)."""
    rows, differing = load(FOLDER).rows, 0
    for name in (name for name in arguments if name != "--check"):
        path = Path(name)
        old = path.read_text(encoding="utf-8")
        new = written(old, rows)
        if old == new:
            continue
        differing += 1
        print(f"{name}: {'differs from results/' if '--check' in arguments else 'written'}")
        if "--check" not in arguments:
            write_file(path, new)
    return int("--check" in arguments and differing > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
