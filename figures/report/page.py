"""``asymtheory report``: one HTML file that needs nothing else, for one noise model.

``collect`` computes (recommendation, thresholds of all losses beside the published settings, ledger, atlas, figures); ``page``
writes what was found into report.html: the answer first (answer.py), the table of thresholds (thresholds.py), the panel (panel.py,
panel.js, simplex.js, field.js), then, folded away, the gallery, the atlas and the ledger (ledger.py). Same input, same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from asymtheory import __version__
from asymtheory.atlas import Atlas
from asymtheory.numbers.text import plain

from . import answer, ledger, panel
from .collect import Picture, Report
from .markup import keyed, table, typeset
from .thresholds import thresholds

HERE = Path(__file__).parent

# nothing is loaded or sent; scripts are named by their hash; styles are inline because figures bring their own
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(report: Report) -> str:
    """The whole HTML file."""
    noise, headline = report.noise, answer.headline(report.noise)
    family, start = _panel_start(report)
    definitions = panel.script(None if family else noise, panel.rows(noise) if answer.matrix(report) else ())
    scripts = [_read("page.js"), definitions + panel.code()]
    bodies = [f'\n"use strict";\n(() => {{\n{script}}})();\n' for script in scripts]
    hashes = " ".join(f"'sha256-{_digest(body)}'" for body in bodies)
    return Template(_read("report.html")).substitute(
        policy=f"{POLICY}; script-src {hashes}",
        title=escape(f"Losses on {headline}"),
        headline=typeset(
            headline[0].upper() + headline[1:] if noise.kind in (*panel.NOISES, *answer.OWN) else headline
        ),
        style=_read("report.css"),
        page_script=bodies[0],
        panel_script=bodies[1],
        panel_start=start,
        panel_without=_panel_without(),
        description=answer.description(noise),
        recommendation=answer.recommendation(report),
        facts=answer.facts(noise),
        matrix=answer.matrix(report),
        own="\n".join(
            f'<figure style="--natural: {p.width:.0f}">{p.svg}<figcaption>{p.caption}</figcaption></figure>'
            for p in report.own
        ),
        thresholds=thresholds(report),
        links="".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _sections(report)),
        gallery=_folded(
            "figures", "Figures", _gallery(report.pictures), f"{len(report.pictures)} figures of the theory"
        ),
        atlas=_folded("atlas", "Atlas", _atlas(report.atlas), f"{len(report.atlas.entries)} losses at their defaults"),
        ledger=_folded("ledger", "Ledger", _ledger(report), f"{len(report.ledger)} claims of the papers"),
        command=escape(report.command),
        version=__version__,
    )


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sections(report: Report) -> list[tuple[str, str]]:
    """The sections that have something in them, for the navigation."""
    found = [("answer", "Answer"), ("thresholds", "Thresholds"), ("try", "Panel")]
    found += [("figures", "Figures")] * bool(report.pictures)
    return [*found, ("atlas", "Atlas"), *([("ledger", "Ledger")] if report.ledger else [])]


def _folded(name: str, title: str, body: str, summary: str) -> str:
    """A section that is opened by its heading; nothing where it would be empty."""
    if not body:
        return ""
    return f'<details class="section" id="{name}"><summary><h2>{title}</h2> <span>{summary}</span></summary>\n{body}\n</details>'


def _panel_start(report: Report) -> tuple[bool, str]:
    """Does one of the panel's families describe the noise? And the panel's first state, as attributes."""
    best = report.best
    loss, value = ("amse", "") if best is None or panel.why_not(best.loss) else (best.loss.name, best.parameter)
    said = f"{float(best.loss.parameters[value])!r}" if best is not None and value else ""
    return panel.is_family(report.noise), panel.start(report.noise, loss, said, report.given)


def _panel_without() -> str:
    parts = [f"{', '.join(titles)} ({reason})" for reason, titles in panel.left_out().items()]
    return typeset("; ".join(parts))


def _figures(pictures: Sequence[Picture]) -> str:
    return "\n".join(
        f'<figure style="--natural: {p.width:.0f}">{p.svg}<figcaption><b>{p.title}</b> '
        f"<small>{escape(p.source)}</small><br>{p.caption} <code>asymtheory figure {p.name}</code></figcaption></figure>"
        for p in pictures
    )


def _gallery(pictures: Sequence[Picture]) -> str:
    """The figures of the theory, compressed: the page unfolds them when they are asked for."""
    if not pictures:
        return ""
    packed = base64.b64encode(zlib.compress(_figures(pictures).encode(), 9)).decode()
    names = ", ".join(p.name for p in pictures)
    return (
        f"<noscript><p>Without JavaScript: <code>asymtheory figure NAME</code> draws them ({names}).</p></noscript>"
        f'<div class="gallery" id="gallery"></div><script type="text/plain" id="gallery-data">{packed}</script>'
    )


def _ledger(report: Report) -> str:
    """The ledger's head; its lines are in JSON until it is opened."""
    lines = report.ledger
    if not lines:
        return ""
    return (
        f"<p>Every checkable statement of the four papers. {ledger.source(lines)} <em>Proved</em>: symbolic. <em>Certified</em>: "
        "rigorous enclosure over the whole domain. <em>Supported</em>: searched, nothing found. <em>Refuted</em>: as printed, with "
        "a counterexample that anyone can re-evaluate.</p>"
        f'<ul class="counts">{ledger.counts(lines)}</ul>'
        f'<div class="filters" role="group" aria-label="Filter the claims" hidden>{ledger.filters(lines)}'
        '<button type="button" id="unfold" aria-expanded="false">Unfold all</button>'
        f'<span id="shown" role="status" data-all="{len(lines)}"></span></div>'
        '<noscript><p>The claims are listed by <code>asymtheory verify</code>.</p></noscript><div id="claims"></div>'
        f'<script type="application/json" id="papers">{ledger.titles()}</script>'
        f'<script type="application/json" id="ledger-data">{ledger.data(lines)}</script>'
    )


def _atlas(found: Atlas) -> str:
    """The atlas with the sentence above it."""
    head = [
        "Loss", "Parameters", "Type", f"Labels sum to (K = {found.K})", "r", "r, Def. 3", "r<sub>u</sub>", "Asymmetric",
        "Symmetric noise", "Formula",
    ]  # fmt: skip
    rows = []
    for entry in found.entries:
        loss, ratio = entry.loss, entry.ratio
        three = [None] * 3 if ratio is None else [ratio.r, ratio.r_pointwise, ratio.r_upper]
        rows.append([
            f"{escape(loss.title)} <code>{escape(loss.name)}</code>",
            typeset(", ".join(f"{p} = {plain(v)}" for p, v in loss.parameters.items())) or "none",
            entry.kind,
            keyed("", "not constant") if entry.symmetric is None else keyed(float(entry.symmetric), plain(entry.symmetric)),
            *(keyed("", "–") if x is None else keyed(x.high, f"{x.high:.4g}") for x in three),
            typeset(entry.asymmetric),
            typeset(entry.tolerates),
            f'<span class="formula">{typeset(loss.formula)}</span>',
        ])  # fmt: skip
    says = (
        "<p>Every registered loss, computed from its one definition. r is the asymmetry ratio by whole transfer, Def. 3 as ALF "
        "prints it, r<sub>u</sub> the upper bound of its Eq. 8; c = w<sub>m</sub>/w<sub>n</sub>, "
        "margin = (w<sub>m</sub> − w<sub>n</sub>)/W. "
        f"Symmetric noise: the rates η that the loss tolerates with {found.K} classes.</p>"
    )
    return says + table(head, rows, f"The atlas: {len(rows)} losses at their default parameters", "atlas-table")
