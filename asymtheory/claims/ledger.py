"""The ledger: claims of the papers, each judged by one function, each with a control that must be refuted.

A claim is registered with the statement as printed and a falsified twin. Its judge takes either (as ``claimed``) and decides
by computation; what the paper prints is an input, never the source of a verdict.

    @claim("alf-cor1", "Cor. 1", "AGCE is asymmetric iff ...", printed=..., falsified=..., falsification="threshold times 1.05")
    def agce_threshold(claimed, effort):
        ...
        return Finding(CERTIFIED, "how it was decided", "one line of evidence")
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import InputError, nearest
from ..processes import end_with_parent
from ..writing import replace_file
from .theorems import coq_theorems

if TYPE_CHECKING:
    import numpy as np

PAPERS = ("alf", "apl", "anl", "jal")
# in the order of their claims
MODULES = ("alf", "alf_ratio", "alf_remarks", "apl", "apl_remarks", "anl", "anl_remarks", "jal", "jal_remarks")
TITLES = {
    "alf": "ALF: Asymmetric Loss Functions (ICML 2021)",
    "apl": "APL: Normalized Loss Functions (ICML 2020)",
    "anl": "ANL: Active Negative Loss (NeurIPS 2023)",
    "jal": "JAL: Joint Asymmetric Loss (ICCV 2025)",
}
Evidence: TypeAlias = dict[str, Any]  # plain data under names for people: numbers, text, and lists of them
RECORD = Path(__file__).with_name("recorded.json")


class Verdict(StrEnum):
    """How much is known. ``proved`` and ``certified`` are never given for sampling."""

    PROVED = "proved"  # symbolic
    CERTIFIED = "certified"  # rigorous enclosure over the whole domain
    SUPPORTED = "supported"  # searched, nothing found
    REFUTED = "refuted"  # a counterexample that anyone can re-evaluate
    UNDECIDED = "undecided"


PROVED, CERTIFIED, SUPPORTED, REFUTED, UNDECIDED = Verdict


@dataclass(frozen=True)
class Effort:
    """How hard a judge looks: the seed of its searches, and ``quick`` for a tenth of the draws."""

    quick: bool = False
    seed: int = 0

    def draws(self, full: int) -> int:
        """Number of random draws: ``full``, or a tenth of it (at least 10) when quick."""
        return max(10, full // 10) if self.quick else full

    def rng(self) -> np.random.Generator:
        import numpy as np

        return np.random.default_rng(self.seed)


@dataclass(frozen=True)
class Corrected:
    """The nearest statement that holds, with its own verdict and evidence."""

    statement: str
    verdict: Verdict
    evidence: str

    def to_dict(self) -> Evidence:
        return {"statement": self.statement, "verdict": str(self.verdict), "evidence": self.evidence}


@dataclass(frozen=True)
class Finding:
    """What a judge found: verdict, method, one line of evidence, and all that a reader needs to check it."""

    verdict: Verdict
    method: str
    evidence: str
    details: tuple[str, ...] = ()
    counterexample: Evidence | None = None  # numbers to re-evaluate by hand
    corrected: Corrected | None = None
    standing: str = ""  # what of the paper still stands without a refuted statement

    def __post_init__(self) -> None:
        if self.verdict is REFUTED and self.counterexample is None:
            raise ValueError("a refutation needs a counterexample")


Judge = Callable[[Any, Effort], Finding]  # takes the statement as printed or falsified, whatever it is written in


@dataclass(frozen=True)
class Claim:
    """One catalogued statement with its judge and its control."""

    id: str
    where: str
    statement: str
    judge: Judge
    printed: Any
    falsified: Any
    falsification: str  # what was changed in the control
    source: str = ""  # the paper, where it is not one of the four that an id begins with

    @property
    def paper(self) -> str:
        """The group of the claim: one of PAPERS, or what its file says."""
        return self.source or self.id.split("-")[0]

    @property
    def title(self) -> str:
        """The paper as it is printed above its claims."""
        return TITLES.get(self.paper, self.paper)


_claims: dict[str, Claim] = {}


def claim(
    id: str, where: str, statement: str, *, printed: Any = None, falsified: Any, falsification: str
) -> Callable[[Judge], Judge]:
    """Register the decorated judge; ``judge(falsified, effort)`` must come out refuted."""

    def register(judge: Judge) -> Judge:
        if id in _claims:
            raise ValueError(f"claim {id} is registered twice")
        _claims[id] = Claim(id, where, statement, judge, printed, falsified, falsification)
        return judge

    return register


def registered_by(run: Callable[[], None]) -> list[Claim]:
    """The claims that ``run`` registers; they are taken out of the registry again, which holds the papers' alone."""
    before = set(catalogue())
    try:
        run()
    finally:
        found = [_claims.pop(name) for name in list(_claims) if name not in before]
    return found


@cache
def catalogue() -> dict[str, Claim]:
    """All claims by id, paper by paper."""
    for module in MODULES:
        import_module(f".{module}", __package__)
    order = {paper: i for i, paper in enumerate(PAPERS)}
    return dict(sorted(_claims.items(), key=lambda item: order[item[1].paper]))


@dataclass(frozen=True)
class Row:
    """One judged claim."""

    claim: Claim
    finding: Finding
    control: Verdict
    seconds: float

    def to_dict(self) -> Evidence:
        """A row of ``asymtheory verify --json``."""
        return {
            "id": self.claim.id,
            "paper": self.claim.paper,
            "where": self.claim.where,
            "statement": self.claim.statement,
            "verdict": str(self.finding.verdict),
            "method": self.finding.method,
            "evidence": self.finding.evidence,
            "details": list(self.finding.details),
            "counterexample": self.finding.counterexample,
            "corrected": None if self.finding.corrected is None else self.finding.corrected.to_dict(),
            "standing": self.finding.standing,
            "coq": list(coq_theorems(self.claim.id)),
            "control": str(self.control),
            "falsification": self.claim.falsification,
            "seconds": round(self.seconds, 3),
        }


def judge(identifier: str, effort: Effort) -> Row:
    """Judge one claim of the papers and its control."""
    return judge_claim(catalogue()[identifier], effort)


def judge_claim(entry: Claim, effort: Effort) -> Row:
    """Judge a claim and its control."""
    start = time.perf_counter()
    finding = entry.judge(entry.printed, effort)
    control = entry.judge(entry.falsified, effort).verdict
    return Row(entry, finding, control, time.perf_counter() - start)


def select(papers: Iterable[str] = (), ids: Iterable[str] = ()) -> list[str]:
    """Claim ids of some papers and some single ids (all when both are empty). InputError names the nearest known one."""
    known = catalogue()
    for paper in papers:
        if paper not in PAPERS:
            raise InputError(f"--paper {paper!r}: not a paper here ({', '.join(PAPERS)}){nearest(paper, PAPERS)}")
    for identifier in ids:
        if identifier not in known:
            raise InputError(f"--claim {identifier!r}: no such claim{nearest(identifier, known)}")
    wanted = {*ids, *(name for name, entry in known.items() if entry.paper in set(papers))}
    return [name for name in known if not wanted or name in wanted]


def verify(ids: list[str], effort: Effort, workers: int | None = None) -> Iterator[Row]:
    """Judge claims in ``workers`` processes (default: one a core); rows come in catalogue order whatever the number."""
    if workers is None:
        workers = os.cpu_count() or 1
    if workers <= 1 or len(ids) <= 1:
        for identifier in ids:
            yield judge(identifier, effort)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(workers, len(ids)), get_context("spawn"), end_with_parent, (os.getpid(),)) as pool:
        futures = [pool.submit(_judge_plain, identifier, effort) for identifier in ids]
        try:
            for identifier, future in zip(ids, futures, strict=True):
                finding, control, seconds = future.result()
                yield Row(catalogue()[identifier], finding, control, seconds)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise


def _judge_plain(identifier: str, effort: Effort) -> tuple[Finding, Verdict, float]:
    row = judge(identifier, effort)  # a Claim holds functions that do not pickle
    return row.finding, row.control, row.seconds


def recorded() -> dict[str, str]:
    """The verdicts on record, by id."""
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def record(rows: Iterable[Row]) -> None:
    """Put the verdicts of these rows on record; other claims keep theirs."""
    verdicts = {**recorded(), **{row.claim.id: str(row.finding.verdict) for row in rows}}
    text = json.dumps({name: verdicts[name] for name in catalogue() if name in verdicts}, indent=2) + "\n"
    replace_file(RECORD, text.encode())


def changed(rows: Iterable[Row]) -> list[str]:
    """Lines for verdicts that differ from the record, or controls that were not refuted."""
    before = recorded()
    lines = []
    for row in rows:
        old = before.get(row.claim.id)
        if old != row.finding.verdict:
            lines.append(f"{row.claim.id}: {row.finding.verdict}, on record {old or 'nothing'}")
        if row.control is not REFUTED:
            lines.append(f"{row.claim.id}: its control ({row.claim.falsification}) came out {row.control}, not refuted")
    return lines
