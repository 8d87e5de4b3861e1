"""A table of accuracies as text, Markdown, LaTeX, CSV and JSON.

Text, Markdown and LaTeX have the papers' grid: a method's published figures, and below them what was measured in the paper's
set-up with the difference, then every other place in a line of its own under a letter that the legend explains. CSV has one line
for each cell and place.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from textwrap import wrap

from asymtheory import layout
from asymtheory.escapes import latex as latex_of
from asymtheory.escapes import markdown as markdown_of
from asymtheory.escapes import one_line, spreadsheet

from ..results import Where
from .accuracies import Accuracy, Cell, Deviation, Measured, Method, Section, Table
from .published import Column

MISSING = "-"
WIDTH = 130  # of remarks in text; the grid is as wide as its columns
_NOISE = {"none": "clean", "human": "", "instance": "instance"}
_HUMAN = {"aggre": "aggregate", "random1": "random 1", "random2": "random 2", "random3": "random 3", "worse": "worst"}


def show(table: Table, form: str, best: bool = False) -> str:
    """The table in one of :data:`FORMATS`; ``best`` adds the best epoch to the last one (CSV and JSON have both anyway)."""
    return FORMATS[form](table, best)


def text(table: Table, best: bool = False) -> str:
    """The table for people, in columns."""
    grids = [_grid(table, section, best) for section in table.sections]
    lines = [table.title, *wrap(f"Published: {table.runs} runs each. {_counted(table)}", WIDTH)]
    for section, grid in zip(table.sections, grids, strict=True):
        lines += ["", f"{section.dataset}: {_setup(section)}", *layout.table(grid, indent="  ")]
    for heading, remarks in _below(table):
        lines += ["", heading]
        for remark in remarks:
            lines += wrap(remark, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines) + "\n"


def markdown(table: Table, best: bool = False) -> str:
    """A pipe table for each data set."""
    lines = [
        f"**{markdown_of(table.title)}**",
        "",
        f"Published: {table.runs} runs each. {markdown_of(_counted(table))}",
    ]
    for section in table.sections:
        head, *rows = _grid(table, section, best)
        lines += ["", f"{markdown_of(section.dataset)}: {markdown_of(_setup(section))}", ""]
        lines += ["| " + " | ".join(map(markdown_of, row)) + " |" for row in (head, *rows)]
        lines.insert(len(lines) - len(rows), "|" + "---|" * len(head))
    for heading, remarks in _below(table):
        lines += ["", f"{markdown_of(heading)}:", "", *(f"* {markdown_of(remark)}" for remark in remarks)]
    return "\n".join(lines) + "\n"


def latex(table: Table, best: bool = False) -> str:
    """A ``table`` environment that needs no package; the remarks are comments below it."""
    lines = [f"% {table.title}".replace("±", "+-"), r"\begin{table}", r"\centering"]
    lines.append(
        rf"\caption{{{latex_of(table.title)}. Published: {table.runs} runs each. {latex_of(_counted(table))}}}"
    )
    lines.append(rf"\label{{tab:{table.name}}}")
    for section in table.sections:
        head, *rows = _grid(table, section, best)
        lines += ["", rf"\begin{{tabular}}{{ll{'c' * len(section.columns)}}}", r"\hline"]
        lines.append(
            rf"\multicolumn{{{len(head)}}}{{l}}{{{latex_of(section.dataset)}: {latex_of(_setup(section))}}} \\"
        )
        lines += [" & ".join(map(latex_of, head)) + r" \\", r"\hline"]
        lines += [" & ".join(map(latex_of, row)) + r" \\" for row in rows]
        lines += [r"\hline", r"\end{tabular}"]
    lines.append(r"\end{table}")
    for heading, remarks in _below(table):
        lines += [f"% {heading}", *(f"%   {one_line(remark)}" for remark in remarks)]
    return "\n".join(lines) + "\n"


CSV_COLUMNS = (
    "table", "dataset", "method", "loss", "parameters", "noise", "rate", "published_mean", "published_std", "published_runs",
    "source", "where", "as_published", "mean", "std", "runs", "best_mean", "best_std", "difference", "units",
)  # fmt: skip


def as_csv(table: Table, best: bool = False) -> str:
    """One line for each cell and place; ``as_published`` is yes for the paper's data set, network, size and epochs."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for section in table.sections:
        for row in section.rows:
            for cell in row.cells:
                for found in [cell.measured, *cell.elsewhere.values()]:
                    if found is not None or not cell.elsewhere:
                        writer.writerow(map(spreadsheet, _csv_row(table, section, row, cell, found)))
    return buffer.getvalue()


def as_json(table: Table, best: bool = False) -> str:
    """All of the table."""
    return json.dumps(table.to_dict(), indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Table, bool], str]] = {
    "text": text,
    "markdown": markdown,
    "latex": latex,
    "csv": as_csv,
    "json": as_json,
}


# ------------------------------------------------------------------------------------------------------------- parts


def _grid(table: Table, section: Section, best: bool) -> list[list[str]]:
    """Head and lines: method, whose figures, a cell for each noise."""
    grid = [["method", "", *map(_column, section.columns)]]
    letters = _letters(table)
    for row in section.rows:
        lines = [_Line(table.paper, [_accuracy(cell.published) for cell in row.cells])]
        lines += _lines("measured", [cell.measured for cell in row.cells], best)
        if any(cell.difference is not None for cell in row.cells):
            lines.append(_Line("difference", [_difference(cell) for cell in row.cells]))
        for where in section.places:
            lines += _lines(letters[where], [cell.elsewhere.get(where) for cell in row.cells], best)
        grid += [["" if i else row.method, line.label, *line.cells] for i, line in enumerate(lines)]
    return grid


@dataclass(frozen=True)
class _Line:
    label: str
    cells: list[str]


def _lines(label: str, found: Sequence[Measured | None], best: bool) -> Iterator[_Line]:
    """The last epoch and, if asked for, the best one. The number of seeds is said once if all cells share it."""
    counts = {each.last.runs for each in found if each is not None}
    if not counts:
        return
    once = f" (n = {min(counts)})" if len(counts) == 1 else ""

    def cells(pick: Callable[[Measured], Accuracy]) -> list[str]:
        return [MISSING if each is None else f"{pick(each)}{'' if once else f' ({each.last.runs})'}" for each in found]

    yield _Line(label + once, cells(lambda each: each.last))
    if best:
        yield _Line(f"{label}, best epoch", cells(lambda each: each.best))


def _accuracy(found: Accuracy | None) -> str:
    return MISSING if found is None else str(found)


def _difference(cell: Cell) -> str:
    if cell.difference is None:
        return MISSING
    return f"{cell.difference:+.2f}" + ("" if cell.units is None else f" ({cell.units:+.1f} s)")


def _column(column: Column) -> str:
    kind, rate = column
    if kind == "human":
        return _HUMAN.get(str(rate), str(rate))
    return _NOISE.get(kind, kind) + ("" if rate is None else f" {rate}")


def _letters(table: Table) -> dict[Where, str]:
    return {where: f"[{ascii_lowercase[i]}]" for i, where in enumerate(table.places)}


def _counted(table: Table) -> str:
    """Where the measured figures are from."""
    if not table.measured:
        plan = f"; asymtheory sweep {table.plan} would" if table.plan else ""
        return f"Nothing of it was measured{f' in {table.folder}' if table.folder else ' yet'}{plan}."
    return (
        f"Measured: {table.folder}, n seeds, std with n - 1; differences in points, and in pooled standard deviations s. "
        f"What has no line below the published figures was not measured."
    )


def _setup(section: Section) -> str:
    """The paper's set-up in a line."""
    setup = section.setup
    penalties = [
        f"{each['norm']} {each['strength']:g}" + (f" with {', '.join(each['with'])}" if "with" in each else "")
        for each in setup["penalties"]
    ]
    return (
        f"{setup['model']}, {setup['epochs']} epochs, {setup['images']:,} images, batches of {setup['batch']}, "
        f"rate {setup['rate']:g} ({setup['schedule']}), {'; else '.join(penalties)}"
    )


def _below(table: Table) -> Iterator[tuple[str, list[str]]]:
    """What is printed below a table: the legend of places, deviations, notes."""
    if table.places:
        yield "Measured elsewhere", [f"{letter} {where}" for where, letter in _letters(table).items()]
    if table.deviations:
        yield f"Deviations from the paper's set-up ({table.setup_source})", _deviations(table)
    if table.notes:
        yield "Known of the published figures", list(table.notes)
    if table.left_out:
        yield "Measured, but not shown", list(table.left_out)


def _deviations(table: Table) -> list[str]:
    """One line for each data set and place."""
    letters = _letters(table)
    found: dict[tuple[str, str], list[Deviation]] = {}
    for each in table.deviations:
        found.setdefault((each.dataset, letters.get(each.where, "measured")), []).append(each)
    return [f"{dataset}, {who}: {'; '.join(map(str, several))}" for (dataset, who), several in found.items()]


def _csv_row(
    table: Table, section: Section, row: Method, cell: Cell, found: Measured | None
) -> list[str | float | None]:
    printed, own = cell.published, found is cell.measured
    parameters = " ".join(f"{name}={value}" for name, value in cell.parameters.items())
    return [
        table.name, section.dataset, row.method, row.loss, parameters, cell.column[0], cell.column[1],
        *((None, None, None) if printed is None else (printed.mean, printed.std, printed.runs)), cell.source,
        *(() if found is not None else (None,) * 7),
        *(() if found is None else (
            str(found.where), "yes" if own else "no", f"{found.last.mean:.4f}", _digits(found.last.std), found.last.runs,
            f"{found.best.mean:.4f}", _digits(found.best.std),
        )),
        _digits(cell.difference if own else None), _digits(cell.units if own else None),
    ]  # fmt: skip


def _digits(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"
