"""What every paper's ledger is checked for: its ids, its verdicts, its controls. Numbers by hand are the papers' own tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asymtheory.claims.ledger import CERTIFIED, PROVED, REFUTED, Effort, Finding, Verdict, catalogue

CATALOGUE = Path(__file__).parents[3] / "shared" / "reference" / "claims.md"
QUICK = Effort(quick=True)


def registered(paper: str) -> set[str]:
    """The ids that the ledger has of a paper."""
    return {name for name, entry in catalogue().items() if entry.paper == paper}


def catalogued(paper: str) -> set[str]:
    """The ids that the catalogue has of a paper: first cells of its table, some with several ids."""
    if not CATALOGUE.exists():
        pytest.skip("the catalogue is not beside this checkout")
    cells = re.findall(rf"^\| ({paper}-[^|]*)\|", CATALOGUE.read_text(), re.M)
    return {name for cell in cells for name in re.findall(rf"{paper}-[\w-]+", cell)}


def printed(name: str, effort: Effort = QUICK) -> Finding:
    """What the statement as printed comes out as, judged anew: tests that break the core need it so."""
    entry = catalogue()[name]
    return entry.judge(entry.printed, effort)


def falsified(name: str, effort: Effort = QUICK) -> Finding:
    """What the control comes out as."""
    entry = catalogue()[name]
    return entry.judge(entry.falsified, effort)


@cache
def judged(name: str) -> Finding:
    """The statement as printed at full effort, judged once for whoever looks at it."""
    return printed(name, Effort())


def against(name: str) -> dict[str, Any]:
    """The counterexample to the statement as printed."""
    point = judged(name).counterexample
    assert point is not None, f"{name} has no counterexample"
    return point


def check_finding(
    finding: Finding, verdict: Verdict, longest: int, corrected: Iterable[Verdict] = (PROVED, CERTIFIED)
) -> None:
    """The verdict, evidence of one line, and beside a refutation what holds instead and what still stands."""
    assert finding.verdict is verdict, finding.evidence
    assert len(finding.evidence) <= longest, finding.evidence
    if verdict is REFUTED:
        assert finding.corrected is not None, "a refuted claim without a corrected statement"
        assert finding.corrected.verdict in corrected, finding.corrected
        assert finding.standing, "what still stands without the refuted claim is not said"


def check_quick(name: str, verdict: Verdict, seeds: Iterable[int]) -> None:
    """A tenth of the draws and another seed: the same verdict."""
    for seed in seeds:
        found = printed(name, Effort(quick=True, seed=seed))
        assert found.verdict is verdict, (seed, found.verdict, found.evidence)


def check_control(name: str, effort: Effort) -> None:
    """The falsified statement is refuted, by a counterexample that can be written down."""
    found = falsified(name, effort)
    assert found.verdict is REFUTED, (catalogue()[name].falsification, found.evidence)
    json.dumps(found.counterexample)
