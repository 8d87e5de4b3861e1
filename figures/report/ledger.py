"""The ledger of the report: every claim as a line of JSON that the page turns into HTML when it is opened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from html import escape

from asymtheory.claims.ledger import REFUTED, TITLES, Row, Verdict
from asymtheory.claims.report import plain_values
from asymtheory.claims.theorems import coq_theorems

from .collect import Judged
from .markup import typeset


def data(lines: Sequence[Judged]) -> str:
    """JSON for the page: id, paper, verdict, what is claimed where, and the evidence as (term, HTML) where it was judged."""
    found = [
        {
            "id": line.claim.id,
            "paper": line.claim.paper,
            "verdict": line.verdict,
            "where": escape(line.claim.where),
            "says": typeset(line.claim.statement),
            "corrected": line.row is not None and line.row.finding.corrected is not None,
            "parts": _recorded(line) if line.row is None else _evidence(line.row),
        }
        for line in lines
    ]
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def counts(lines: Sequence[Judged]) -> str:
    """How many of each verdict; of claims that were judged for this report, how the controls came out."""
    tally = Counter(line.verdict for line in lines)
    parts = [
        f'<li><b>{tally[v]}</b> <span class="verdict" data-verdict="{v}">{v}</span></li>' for v in Verdict if tally[v]
    ]
    rows = [line.row for line in lines if line.row is not None]
    if rows:
        corrected = sum(row.finding.corrected is not None for row in rows)
        refuted = sum(row.control is REFUTED for row in rows)
        parts.append(f"<li><b>{corrected}</b> with a corrected statement</li>")
        parts.append(
            f"<li><b>{refuted}</b> of {len(rows)} controls (the same check on a falsified statement) refuted</li>"
        )
    return "".join(parts)


def source(lines: Sequence[Judged]) -> str:
    """Where the verdicts are from."""
    if any(line.row is not None for line in lines):
        return "Judged by computation for this report."
    return (
        "These are the verdicts on record; <code>asymtheory verify --claim ID</code> judges one again and prints its evidence, "
        "<code>asymtheory report --ledger</code> judges all of them into the report."
    )


def filters(lines: Sequence[Judged]) -> str:
    """Two lists to filter by."""
    verdicts = [v for v in Verdict if any(line.verdict == v for line in lines)]
    papers = list(dict.fromkeys(line.claim.paper for line in lines))
    by_verdict = "".join(f'<option value="{v}">{v}</option>' for v in verdicts)
    by_paper = "".join(f'<option value="{p}">{escape(TITLES[p])}</option>' for p in papers)
    return (
        f'<label>Verdict <select id="by-verdict"><option value="">all</option>{by_verdict}</select></label>'
        f'<label>Paper <select id="by-paper"><option value="">all</option>{by_paper}</select></label>'
        '<label>Search <input type="search" id="by-text"></label>'
    )


def titles() -> str:
    """Paper -> title, for the page."""
    return json.dumps({str(paper): escape(title) for paper, title in TITLES.items()}, ensure_ascii=False)


def _recorded(line: Judged) -> list[tuple[str, str]]:
    command = f"asymtheory verify --claim {line.claim.id}"
    control = ("Control", typeset(line.claim.falsification))
    return [*_theorems(line.claim.id), control, ("Evidence", f"<code>{escape(command)}</code>")]


def _theorems(claim: str) -> list[tuple[str, str]]:
    """The theorems of the Coq development behind a claim."""
    names = ", ".join(f"<code>{escape(name)}</code>" for name in coq_theorems(claim))
    return [("Coq", names)] if names else []


def _evidence(row: Row) -> list[tuple[str, str]]:
    """What a judgement found, as terms and HTML; a detail has an empty term."""
    finding, claim = row.finding, row.claim
    parts = [("Method", typeset(finding.method)), ("Evidence", typeset(finding.evidence))]
    parts += [("", typeset(detail)) for detail in finding.details]
    if finding.counterexample is not None:
        numbers = "; ".join(f"{key} = {plain_values(value)}" for key, value in finding.counterexample.items())
        parts.append(("Counterexample", typeset(numbers)))
    if finding.corrected is not None:
        right = finding.corrected
        parts.append(("Corrected", f"{typeset(right.statement)} {_verdict(right.verdict)} {typeset(right.evidence)}"))
    if finding.standing:
        parts.append(("Still true", typeset(finding.standing)))
    parts += _theorems(claim.id)
    parts.append(("Control", f"{typeset(claim.falsification)} {_verdict(row.control)}"))
    return parts


def _verdict(verdict: Verdict) -> str:
    return f'<span class="verdict" data-verdict="{verdict}">{verdict}</span>'
