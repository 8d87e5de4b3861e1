"""The ledger in print: table, markdown, LaTeX, JSON, and the full evidence of one claim."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from tqdm import tqdm

from .. import escapes, layout
from ..numbers.scalar import Scalar
from .ledger import CERTIFIED, PROVED, Row
from .theorems import coq_theorems

PREAMBLE = (
    "Every checkable statement of the four papers, judged by computation. Written by `asymtheory verify --format "
    "markdown`; `asymtheory verify --claim ID` shows the full evidence of one.\n\n*proved*: symbolic. *certified*: "
    "rigorous enclosure over the whole domain. *supported*: searched, nothing found. *refuted*: as printed, with a "
    "counterexample to re-evaluate. Each check was also run on a falsified statement and refuted it.\n\n*Coq*: a "
    "theorem of `proofs/` states the claim, for all parameters of its domain, or refutes it at the counterexample. "
    "`asymtheory verify --proofs` compiles them; [proofs.md](proofs.md) says how to read them."
)
FORMATS = ("table", "json", "markdown", "latex")
FULL = 140
"""The columns of the table where no terminal says how many there are."""


def with_progress(rows: Iterable[Row], total: int) -> Iterator[Row]:
    """Pass rows through, with a progress bar on standard error when a person watches."""
    if not sys.stderr.isatty():
        yield from rows
        return
    with tqdm(total=total, unit="claim", leave=False) as bar:
        for row in rows:
            bar.set_postfix_str(row.claim.id)
            bar.update()
            yield row


def render(rows: Sequence[Row], form: str, full: bool = False) -> str:
    """All rows in one of FORMATS; ``full`` prints the whole evidence of each instead of a line."""
    if form == "json":
        return json.dumps([row.to_dict() for row in rows], indent=2)
    if form == "markdown":
        return markdown(rows)
    if form == "latex":
        return latex(rows)
    return "\n\n".join(map(evidence, rows)) if full else table(rows)


def _papers(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """The rows paper by paper, with the title of each."""
    return [(title, list(group)) for title, group in groupby(rows, key=lambda row: row.claim.title)]


def tally(rows: Sequence[Row]) -> str:
    """``61 claims: 20 proved, 18 certified, ...``."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row.finding.verdict)] = counts.get(str(row.finding.verdict), 0) + 1
    return f"{len(rows)} claim{'s' * (len(rows) != 1)}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items())


def table(rows: Sequence[Row], width: int | None = None) -> str:
    """A table a paper: id, where, verdict, one line of evidence, time."""
    width = width or layout.WIDTH.get() or FULL
    blocks = []
    for title, group in _papers(rows):
        cells = [("claim", "where", "verdict", "seconds", "evidence")]
        cells += [
            (row.claim.id, row.claim.where, _verdict(row), f"{row.seconds:.2f}", row.finding.evidence) for row in group
        ]
        lines = layout.table(cells, right=frozenset({3}), indent="  ", drop=("seconds", "where"), width=width)
        blocks.append("\n".join([title, *lines]))
    return "\n\n".join([*blocks, tally(rows)])


def _behind(row: Row) -> str:
    """The kind of proof behind a verdict, in a word: Coq, symbols or a rigorous enclosure; empty for other verdicts."""
    if coq_theorems(row.claim.id):
        return "Coq"
    return {PROVED: "symbolic", CERTIFIED: "enclosure"}.get(row.finding.verdict, "")


def _verdict(row: Row) -> str:
    """``proved (Coq)``, ``proved (symbolic)``, ``certified (enclosure)``, ``supported``."""
    by = _behind(row)
    return f"{row.finding.verdict} ({by})" if by else str(row.finding.verdict)


def evidence(row: Row) -> str:
    """Everything about one claim."""
    finding = row.finding
    parts: list[tuple[str, str]] = [
        ("says", row.claim.statement),
        ("verdict", str(finding.verdict)),
        ("method", finding.method),
        *((("coq", ", ".join(behind)),) if (behind := coq_theorems(row.claim.id)) else ()),
        ("evidence", finding.evidence),
        *(("", detail) for detail in finding.details),
    ]
    if finding.counterexample is not None:
        parts.append(
            ("against", "; ".join(f"{key} = {plain_values(value)}" for key, value in finding.counterexample.items()))
        )
    if finding.corrected is not None:
        parts.append(
            ("instead", f"{finding.corrected.statement} [{finding.corrected.verdict}: {finding.corrected.evidence}]")
        )
    if finding.standing:
        parts.append(("stands", finding.standing))
    parts.append(("control", f"{row.claim.falsification}: {row.control}"))
    lines = [f"{row.claim.id} ({row.claim.title}, {row.claim.where})"]
    for label, text in parts:
        lines += textwrap.wrap(text, 118, initial_indent=f"  {label:<9} ", subsequent_indent=" " * 12)
    return "\n".join(lines)


def plain_values(value: Scalar) -> str:
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(map(plain_values, value)) + ")"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return escapes.markdown(text, formulas=True)


def _verdict_cell(row: Row) -> str:
    """The verdict and the kind of proof behind it: ``**proved** (Coq: `Agce.corollary_1`)``, ``**proved** (symbolic)``."""
    by, theorems = _behind(row), ", ".join(f"`{name}`" for name in coq_theorems(row.claim.id))
    return f"**{row.finding.verdict}**" + (f" ({by}: {theorems})" if theorems else f" ({by})" if by else "")


def markdown(rows: Sequence[Row]) -> str:
    """A section a paper, a row a claim, and below it what is refuted with its numbers and correction."""
    lines = ["# The ledger", "", PREAMBLE, ""]
    for title, group in _papers(rows):
        lines += [f"## {title}", "", "| claim | where | says | verdict | evidence |", "|---|---|---|---|---|"]
        lines += [
            f"| {row.claim.id} | {_cell(row.claim.where)} | {_cell(row.claim.statement)} | {_verdict_cell(row)} | "
            f"{_cell(row.finding.evidence)} |"
            for row in group
        ]
        lines.append("")
        for row in group:
            finding = row.finding
            if finding.counterexample is None and finding.corrected is None and not finding.standing:
                continue
            lines.append(f"**{row.claim.id}**")
            lines.append("")
            if finding.counterexample is not None:
                values = "; ".join(f"{key} = {plain_values(value)}" for key, value in finding.counterexample.items())
                lines.append(f"- counterexample: {_cell(values)}")
            if finding.corrected is not None:
                lines.append(
                    f"- corrected ({finding.corrected.verdict}): {_cell(finding.corrected.statement)}. "
                    f"{_cell(finding.corrected.evidence)}"
                )
            if finding.standing:
                lines.append(f"- still stands: {_cell(finding.standing)}")
            lines.append("")
    return "\n".join([*lines, tally(rows) + "."])


def latex(rows: Sequence[Row]) -> str:
    """A booktabs table a paper."""
    blocks = []
    for title, group in _papers(rows):
        body = [
            " & ".join(
                map(escapes.latex, (row.claim.id, row.claim.where, str(row.finding.verdict), row.finding.evidence))
            )
            + r" \\"
            for row in group
        ]
        blocks.append("\n".join([
            r"\begin{tabular}{lllp{0.5\linewidth}}", r"\toprule", r"claim & where & verdict & evidence \\", r"\midrule",
            *body, r"\bottomrule", r"\end{tabular}", f"% {title}",
        ]))  # fmt: skip
    return "\n\n".join(blocks)
