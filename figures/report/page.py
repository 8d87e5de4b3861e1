"""``asymtheory report``: one HTML file that needs nothing else, for one noise model.

``collect`` computes (thresholds of all losses beside the published settings, the ledger, the atlas, the figures), ``page``
writes what was found into report.html; the panel's mathematics is in panel.py and panel.js. Same input, same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from fractions import Fraction
from html import escape
from pathlib import Path
from string import Template

from asymtheory import __version__
from asymtheory.atlas import Atlas
from asymtheory.claims.ledger import REFUTED, TITLES, Row, Verdict
from asymtheory.claims.report import plain_values
from asymtheory.claims.theorems import coq_theorems
from asymtheory.noise import KINDS, NoiseModel, show
from asymtheory.numbers.text import Number, plain

from . import panel
from .collect import DEFAULT_NOISE, Picture, Published, Report, Verdicts, _binding
from .markup import keyed, table, typeset

HERE = Path(__file__).parent

# nothing is loaded or sent; scripts are named by their hash; styles are inline because figures bring their own
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

CHECK, CROSS, OPEN = "✓", "✗", "?"


def page(report: Report) -> str:
    """The whole HTML file."""
    noise, headline = report.noise, _headline(report.noise)
    style = (HERE / "report.css").read_text(encoding="utf-8")
    scripts = [(HERE / "page.js").read_text(encoding="utf-8")]
    family, start = _panel_start(report)
    scripts.append(panel.script(None if family else noise) + (HERE / "panel.js").read_text(encoding="utf-8"))
    bodies = [f'\n"use strict";\n(() => {{\n{script}}})();\n' for script in scripts]
    hashes = " ".join(f"'sha256-{_digest(body)}'" for body in bodies)
    policy = f"{POLICY}; script-src {hashes}"
    return Template((HERE / "report.html").read_text(encoding="utf-8")).substitute(
        policy=policy,
        title=escape(f"Losses on {headline}"),
        headline=typeset(headline[0].upper() + headline[1:] if noise.kind in panel.NOISES else headline),
        style=style,
        page_script=bodies[0],
        panel_script=bodies[1],
        panel_start=start,
        panel_without=_panel_without(),
        description=_description(noise),
        facts=_facts(noise),
        thresholds=_thresholds(report),
        figures=_figures(report.pictures),
        figure_count=len(report.pictures),
        atlas=_atlas(report.atlas),
        classes=noise.classes,
        ledger_counts=_counts(report.ledger),
        ledger_filters=_filters(report.ledger),
        ledger=_ledger(report.ledger),
        claim_count=len(report.ledger),
        command=escape(report.command),
        version=__version__,
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _headline(noise: NoiseModel) -> str:
    rate = "" if noise.rate is None else f", rate {show(noise.rate)}"
    return f"{noise.kind} noise, {noise.classes} classes{rate}"


def _facts(noise: NoiseModel) -> str:
    """What the noise model is, as a list of terms."""
    worst, clean = noise.worst_row(), noise.rows[noise.worst_clean]
    level = f"least w<sub>m</sub>/w<sub>n</sub>{_of(noise, noise.worst_clean)}"
    margin = f"least (w<sub>m</sub> − w<sub>n</sub>)/W{_of(noise, noise.worst)}"
    facts = [
        ("Classes", f"K = {noise.classes}"),
        ("Noise rate", "not known" if noise.rate is None else show(noise.rate)),
        ("Clean level", f"c = {show(clean.clean_level)}<small>{level}</small>"),
        ("Margin", f"{show(worst.margin)}<small>{margin}</small>"),
        ("Clean labels dominate", _dominance(noise)),
    ]
    return "".join(f"<div><dt>{term}</dt><dd>{text}</dd></div>" for term, text in facts)


def _description(noise: NoiseModel) -> str:
    """One line on what happens to the labels, and where the numbers are from."""
    what = KINDS.get(noise.kind, "")
    parts = [what[:1].upper() + what[1:], noise.source or ""]
    return typeset(". ".join(part for part in parts if part))


def _of(noise: NoiseModel, index: int) -> str:
    return "" if noise.representative else f": {escape(_binding(noise, index))}"


def _dominance(noise: NoiseModel) -> str:
    if noise.dominant:
        return "yes<small>the true class has the unique largest weight</small>"
    row, other = noise.failures[0]
    more = f" and {len(noise.failures) - 1} more" if len(noise.failures) > 1 else ""
    against = f"{noise.row_name(row)} against {noise.class_name(other)}{more}"
    return f"no<small>{escape(against)}: no loss is tolerant there</small>"


def _thresholds(report: Report) -> str:
    """The table of thresholds with the reasons below it, each named by a letter."""
    reasons = {found.reason: "" for found in report.losses}
    for i, reason in enumerate(reasons):
        reasons[reason] = _letter(i)
    one_row = report.noise.representative or len(report.noise.rows) == 1
    head = ["Loss", "Asymmetric for", *([] if one_row else ["Binding row"]), "Published settings", "Why"]
    rows = []
    for found in report.losses:
        letter = reasons[found.reason]
        rows.append([
            f"{escape(found.loss.title)} <code>{escape(found.loss.name)}</code>",
            keyed(found.order, f'<span class="answer" data-status="{found.status}">{typeset(found.answer)}</span>'
                               f"{_fixed(found)}"),
            *([] if one_row else [keyed(found.binding, escape(found.binding or "–"))]),
            _settings_cell(found.published),
            f'<a href="#why-{letter}">{letter}</a>',
        ])  # fmt: skip
    caption = f"Thresholds of {len(rows)} losses on {typeset(_headline(report.noise))}"
    if one_row and report.noise.rows:
        row = report.noise.rows[0]
        caption += (
            f". Every class binds alike: w<sub>m</sub> = {show(row.top)}, w<sub>n</sub> = {show(row.second)}"
            if report.noise.representative
            else ""
        )
    because = "".join(
        f'<li id="why-{letter}"><b>{letter}</b> {typeset(reason)}</li>' for reason, letter in reasons.items()
    )
    return table(head, rows, caption, "thresholds-table") + f'<ul class="reasons">{because}</ul>'


def _letter(i: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[i] if i < 26 else f"z{i - 25}"


def _fixed(found: Verdicts) -> str:
    """The parameters that the threshold is for."""
    others = [
        f"{name} = {plain(value)}"
        for name, value in found.loss.parameters.items()
        if name != found.loss.main and name not in ("alpha", "beta")
    ]
    return f" <small>with {typeset(', '.join(others))}</small>" if others else ""


def _settings_cell(published: Sequence[Published]) -> str:
    if not published:
        return keyed(-1, "none")
    good = sum(p.holds is True for p in published)
    items = "".join(
        f'<li><span class="mark" data-holds="{str(p.holds).lower()}">{_mark(p.holds)}</span> {typeset(p.parameters)} '
        f"<small>{escape('; '.join(p.sources))}</small></li>"
        for p in published
    )
    summary = f"{good} of {len(published)} satisfy it"
    return keyed(good / len(published), f"<details><summary>{summary}</summary><ul>{items}</ul></details>")


def _mark(holds: bool | None) -> str:
    sign, word = {True: (CHECK, "satisfies it"), False: (CROSS, "does not"), None: (OPEN, "undecided")}[holds]
    return f'<span aria-hidden="true">{sign}</span><span class="unseen">{word}:</span>'


def _panel_start(report: Report) -> tuple[bool, str]:
    """Does one of the panel's families describe the noise? And the panel's first state, as attributes."""
    noise, rate = report.noise, _family_rate(report.noise)
    kind, K = DEFAULT_NOISE[:2]
    eta: Number = DEFAULT_NOISE[2]
    family = rate is not None and noise.classes <= 1000
    if rate is not None and family:
        kind, K, eta = noise.kind, noise.classes, rate
    if not family and panel.fits(noise):
        kind = "given"
    given = escape(report.given, quote=True)
    return family, f'data-loss="amse" data-noise="{kind}" data-k="{K}" data-eta="{float(eta)!r}" data-given="{given}"'


def _family_rate(noise: NoiseModel) -> Number | None:
    """The rate as it was typed: for uniform noise it is not the realised one."""
    if noise.kind not in panel.NOISES or noise.rate is None:
        return None
    return noise.rate * Fraction(noise.classes, noise.classes - 1) if noise.kind == "uniform" else noise.rate


def _panel_without() -> str:
    parts = [f"{', '.join(titles)} ({reason})" for reason, titles in panel.left_out().items()]
    return typeset("; ".join(parts))


def _figures(pictures: Sequence[Picture]) -> str:
    return "\n".join(
        f'<figure id="show-{p.name}" style="--natural: {p.width:.0f}">{p.svg}<figcaption><b>{p.title}</b> '
        f"<small>{escape(p.source)}</small><br>{p.caption} <code>asymtheory figure {p.name}</code></figcaption></figure>"
        for p in pictures
    )


def _atlas(found: Atlas) -> str:
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
    return table(head, rows, f"The atlas: {len(rows)} losses at their default parameters", "atlas-table")


def _counts(rows: Sequence[Row]) -> str:
    """How many of each verdict, how many corrections, how the controls came out."""
    tally = [(verdict, sum(row.finding.verdict is verdict for row in rows)) for verdict in Verdict]
    parts = [
        f'<li><b>{count}</b> <span class="verdict" data-verdict="{v}">{v}</span></li>' for v, count in tally if count
    ]
    corrected = sum(row.finding.corrected is not None for row in rows)
    controls = sum(row.control is REFUTED for row in rows)
    parts.append(f"<li><b>{corrected}</b> with a corrected statement</li>")
    parts.append(
        f"<li><b>{controls}</b> of {len(rows)} controls (the same check on a falsified statement) refuted</li>"
    )
    return "".join(parts)


def _filters(rows: Sequence[Row]) -> str:
    verdicts = [v for v in Verdict if any(row.finding.verdict is v for row in rows)]
    papers = list(dict.fromkeys(row.claim.paper for row in rows))

    def options(values: Sequence[object], texts: Sequence[str]) -> str:
        return "".join(f'<option value="{v}">{escape(t)}</option>' for v, t in zip(values, texts, strict=True))

    return (
        f'<label>Verdict <select id="by-verdict"><option value="">all</option>{options(verdicts, verdicts)}</select></label>'
        f'<label>Paper <select id="by-paper"><option value="">all</option>'
        f"{options(papers, [TITLES[p] for p in papers])}</select></label>"
        '<label><input type="checkbox" id="by-correction"> with a corrected statement</label>'
    )


def _ledger(rows: Sequence[Row]) -> str:
    blocks = []
    for paper in dict.fromkeys(row.claim.paper for row in rows):
        claims = "\n".join(_claim(row) for row in rows if row.claim.paper == paper)
        blocks.append(f'<section class="paper" data-paper="{paper}"><h3>{escape(TITLES[paper])}</h3>{claims}</section>')
    return "\n".join(blocks)


def _claim(row: Row) -> str:
    """One claim, its evidence folded."""
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
    if behind := coq_theorems(claim.id):
        parts.append(("Coq", ", ".join(f"<code>{escape(name)}</code>" for name in behind)))
    parts.append(("Control", f"{typeset(claim.falsification)} {_verdict(row.control)}"))
    grouped: list[tuple[str, list[str]]] = []
    for term, text in parts:
        if term:
            grouped.append((term, [text]))
        else:
            grouped[-1][1].append(text)
    body = "".join(f"<dt>{term}</dt>" + "".join(f"<dd>{text}</dd>" for text in texts) for term, texts in grouped)
    corrected = " data-corrected" if finding.corrected is not None else ""
    return (
        f'<details class="claim" id="{claim.id}" data-verdict="{finding.verdict}" data-paper="{claim.paper}"{corrected}>'
        f'<summary>{_verdict(finding.verdict)} <span class="where">{escape(claim.where)}</span> '
        f'<span class="says">{typeset(claim.statement)}</span> <code>{claim.id}</code></summary><dl>{body}</dl></details>'
    )


def _verdict(verdict: Verdict) -> str:
    return f'<span class="verdict" data-verdict="{verdict}">{verdict}</span>'
