"""``asymtheory report``: one HTML file that needs nothing else, for one noise model.

``collect`` computes (thresholds of all losses beside the published settings, the ledger, the atlas, the figures), ``page``
writes what was found into report.html; the panel's mathematics is in panel.py and panel.js. Same input, same bytes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import math
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from html import escape, unescape
from pathlib import Path
from string import Template
from typing import Any

from asymtheory import __version__
from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.rules import binding_rows, decide, distinct_rows
from asymtheory.atlas import Atlas, atlas
from asymtheory.claims.ledger import REFUTED, TITLES, Effort, Finding, Row, Verdict, catalogue, judge, select
from asymtheory.claims.report import _plain as plain_values
from asymtheory.commands.options import ANSWERED, NOISE_HELP, _classes, _one_rate, _Parser
from asymtheory.errors import InputError
from asymtheory.losses import Loss, build, names
from asymtheory.losses.published import published_settings
from asymtheory.noise import KINDS, NoiseModel, resolve, show
from asymtheory.numbers.text import plain
from asymtheory.threshold import Threshold, solve

from . import gallery, panel
from . import workers as workers_
from .markup import from_mathtext, inline_svg, keyed, natural_width, table, typeset

HERE = Path(__file__).parent
DEFAULT_NOISE = ("symmetric", 10, Fraction(4, 5))  # when none is named
MOST_SEARCHED = 50  # rows: more are not searched one by one for losses that no rule decides
MOST_SEARCHED_CLASSES = 200
FIGURE_WIDTH = 4.2  # inches: two panels side by side, and text that a telephone can still show
QUICK_OPTIONS = {"draws": 20, "starts": 4}  # of figures that have them
# nothing is loaded or sent; scripts are named by their hash; styles are inline because figures bring their own
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
CHECK, CROSS, OPEN = "✓", "✗", "?"

Progress = Callable[[str], None]


# ------------------------------------------------------------------------------------------------ collecting


@dataclass(frozen=True)
class Published:
    """One published setting of a loss: its parameters, where it is printed, and whether it satisfies the condition."""

    parameters: str
    sources: tuple[str, ...]
    holds: bool | None


@dataclass(frozen=True)
class Verdicts:
    """One loss on the noise: the threshold of its main parameter, the row that binds, and the published settings."""

    loss: Loss
    answer: str
    status: str
    order: float  # where the row stands when the table is sorted by the answer
    binding: str
    reason: str
    published: tuple[Published, ...]


@dataclass(frozen=True)
class Picture:
    """One figure of the gallery, ready to be put into the page."""

    name: str
    title: str
    source: str
    caption: str
    svg: str
    width: float  # points


@dataclass(frozen=True)
class Report:
    """All that the page says."""

    noise: NoiseModel
    given: str  # the noise as on the command line
    command: str
    losses: tuple[Verdicts, ...]
    ledger: tuple[Row, ...]
    atlas: Atlas
    pictures: tuple[Picture, ...]


def collect(
    noise: NoiseModel,
    given: str,
    *,
    quick: bool = False,
    figures: Sequence[str] | None = None,
    workers: int | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Compute everything. ``quick``: a tenth of the ledger's searches, fewer draws in the figures that have draws.

    ``given``: the options that name the noise; ``figures``: names (default: all but those of results); ``workers``: processes
    (default: one a core); ``progress`` is told what is done, ``steps(figures)`` times.
    """
    shown = _default_figures() if figures is None else list(figures)
    claims = select()
    tasks: list[workers_.Task] = [(_picture, (name, quick)) for name in shown]
    tasks += [(_claim_judged, (name, quick)) for name in claims]
    done: list[Any] = [None] * len(tasks)
    for position, result in workers_.run(tasks, workers):
        done[position] = result
        progress((shown + claims)[position])
    known = catalogue()
    ledger = tuple(Row(known[name], *judged) for name, judged in zip(claims, done[len(shown) :], strict=True))
    verdicts = []
    for found in losses_on(noise):
        verdicts.append(found)
        progress(found.loss.name)
    options = [given, *["--quick"] * quick, *[f"--figures {','.join(shown) or 'none'}"] * (figures is not None)]
    command = f"asymtheory report {' '.join(options)}"
    return Report(noise, given, command, tuple(verdicts), ledger, atlas(noise.classes), tuple(done[: len(shown)]))


def steps(figures: Sequence[str] | None) -> int:
    """How often ``collect`` reports progress."""
    return len(select()) + len(_default_figures() if figures is None else figures) + len(list(names()))


def _default_figures() -> list[str]:
    """What needs nothing but the core; figures of training runs are there when they are named."""
    return [name for name, entry in gallery.entries().items() if not entry.measured]


def _claim_judged(identifier: str, quick: bool) -> tuple[Finding, Verdict, float]:
    """What a row of the ledger is made of; the claim itself holds functions, which do not travel between processes."""
    row = judge(identifier, Effort(quick=quick))
    return row.finding, row.control, row.seconds


def _picture(name: str, quick: bool) -> Picture:
    entry = gallery.find(name)
    options = {key: value for key, value in QUICK_OPTIONS.items() if quick and key in entry.parameters}
    drawn = gallery.make(name, width=FIGURE_WIDTH, **options)
    source = gallery.render(drawn, "svg")
    title, caption = from_mathtext(entry.title), typeset(gallery.recipe(drawn).caption)
    svg = inline_svg(source, f"figure-{name}", _bare(title), _bare(caption))
    return Picture(name, title, entry.source, caption, svg, natural_width(source))


def _bare(html: str) -> str:
    """HTML without tags, for titles and screen readers."""
    return unescape(re.sub(r"<[^>]+>", "", html))


def losses_on(noise: NoiseModel) -> Iterator[Verdicts]:
    """Every registered loss on the noise. The rows that can bind are found once: a file may have many thousands."""
    binding = binding_rows(noise)
    reduced = replace(NoiseModel(noise.kind, (), noise.classes, noise.rate), rows=tuple(row for _, row in binding))
    searched = _may_search(noise)
    for name in names():
        loss = build(name)
        needed = loss.main is None and any(decide(loss, row).holds is None for row in reduced.rows)
        used = tuple(_published(loss, noise, reduced, searched))
        if needed and searched:
            found = check(loss, noise)
            status = {True: "always", False: "never", None: "undecided"}[found.asymmetric]
            yield Verdicts(
                loss,
                _answers(status),
                status,
                _order(status, None),
                _bound_by(noise, status, found.row),
                found.reason,
                used,
            )
        elif needed:
            yield Verdicts(loss, "not searched", "undecided", math.inf, "", _TOO_MANY, used)
        else:
            answer = solve(loss, reduced)
            at = _bound_by(noise, answer.status, binding[answer.binding_row][0])
            yield Verdicts(
                loss, _answer(answer), answer.status, _order(answer.status, answer), at, answer.condition, used
            )


_TOO_MANY = "no rule decides, and the rows are too many to search each: asymtheory check does it for one row of weights"


def _may_search(noise: NoiseModel) -> bool:
    """Is the noise small enough for a search of each of its rows?"""
    if noise.classes > MOST_SEARCHED_CLASSES or len(noise.rows) > 20 * MOST_SEARCHED:
        return False
    return len(distinct_rows(noise)) <= MOST_SEARCHED


def _answers(status: str) -> str:
    return {"always": "always", "never": "never"}.get(status, "undecided")


def _answer(found: Threshold) -> str:
    """The answer without the name of the parameter where there is no threshold."""
    return found.answer if found.status == "threshold" else _answers(found.status)


def _order(status: str, found: Threshold | None) -> float:
    """Always first, then by the threshold, never last."""
    if status == "threshold" and found is not None and found.end is not None:
        return found.end.value
    return {"always": -1.0, "threshold": 1e300, "undecided": 1e301}.get(status, 1e302)


def _bound_by(noise: NoiseModel, status: str, index: int) -> str:
    """The row that the threshold is from; none has one where there is none."""
    return _binding(noise, index) if status == "threshold" or not noise.dominant else ""


def _binding(noise: NoiseModel, index: int) -> str:
    row = noise.rows[index]
    return f"{noise.row_name(index)} against {noise.class_name(row.runner_up)}"


def _published(loss: Loss, noise: NoiseModel, reduced: NoiseModel, searched: bool) -> Iterator[Published]:
    """The settings that the papers print for a loss, equal ones together."""
    same: dict[tuple[Any, ...], list[Any]] = {}
    for setting in published_settings(loss.name):
        same.setdefault(tuple(setting.parameters.items()), []).append(setting)
    for parameters, settings in same.items():
        used = settings[0].build()
        verdicts = [decide(used, row).holds for row in reduced.rows]
        holds = False if False in verdicts else None if None in verdicts else True
        if holds is None and searched:
            holds = check(used, noise).asymmetric
        text = ", ".join(f"{name} = {plain(value)}" for name, value in parameters) or "no parameters"
        yield Published(text, tuple(f"{s.dataset}, {s.source}" for s in settings), holds)


# --------------------------------------------------------------------------------------------------- the page


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


# ------------------------------------------------------------------------------------------------- thresholds


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


# ------------------------------------------------------------------------------------------------------ panel


def _panel_start(report: Report) -> tuple[bool, str]:
    """Does one of the panel's families describe the noise? And the panel's first state, as attributes."""
    noise, rate = report.noise, _family_rate(report.noise)
    family = rate is not None and noise.classes <= 1000
    kind, K, eta = (noise.kind, noise.classes, rate) if family else DEFAULT_NOISE
    if not family and panel.fits(noise):
        kind = "given"
    given = escape(report.given, quote=True)
    return family, f'data-loss="amse" data-noise="{kind}" data-k="{K}" data-eta="{float(eta)!r}" data-given="{given}"'


def _family_rate(noise: NoiseModel) -> Any:
    """The rate as it was typed: for uniform noise it is not the realised one."""
    if noise.kind not in panel.NOISES or noise.rate is None:
        return None
    return noise.rate * Fraction(noise.classes, noise.classes - 1) if noise.kind == "uniform" else noise.rate


def _panel_without() -> str:
    parts = [f"{', '.join(titles)} ({reason})" for reason, titles in panel.left_out().items()]
    return typeset("; ".join(parts))


# ---------------------------------------------------------------------------------------------------- figures


def _figures(pictures: Sequence[Picture]) -> str:
    return "\n".join(
        f'<figure id="show-{p.name}" style="--natural: {p.width:.0f}">{p.svg}<figcaption><b>{p.title}</b> '
        f"<small>{escape(p.source)}</small><br>{p.caption} <code>asymtheory figure {p.name}</code></figcaption></figure>"
        for p in pictures
    )


# ------------------------------------------------------------------------------------------------------ atlas


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
            typeset(entry.stands),
            f'<span class="formula">{typeset(loss.formula)}</span>',
        ])  # fmt: skip
    return table(head, rows, f"The atlas: {len(rows)} losses at their default parameters", "atlas-table")


# ----------------------------------------------------------------------------------------------------- ledger


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

    def options(values: Sequence[Any], texts: Sequence[str]) -> str:
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
        parts.append(("Still stands", typeset(finding.standing)))
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


# ---------------------------------------------------------------------------------------------------- command


def report(arguments: list[str]) -> int:
    """``asymtheory report``: write the HTML report."""
    parser = _Parser(prog="asymtheory report", description="Write one self-contained HTML report for a noise model.")
    parser.add_argument("--out", default="report.html", metavar="FILE", help="the file to write (default report.html)")
    parser.add_argument("--noise", metavar="KIND", help=NOISE_HELP + "; with no option at all: K = 10, eta = 0.8")
    parser.add_argument("--K", metavar="N", help="number of classes")
    parser.add_argument("--eta", metavar="X", help="noise rate in [0, 1]; decimals are exact (0.8 is 4/5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the ledger's searches, figures of few draws")
    parser.add_argument("--figures", metavar="NAME[,NAME...]", help="these figures alone, or none (default: all)")
    options = parser.parse_args(arguments)
    import matplotlib  # noqa: F401  # if it is missing, that is said before a file is made

    out, figures = Path(options.out), _names(options.figures)
    noise, given = _noise(options)
    with _writing(out) as write, _bar(steps(figures)) as progress:
        write(page(collect(noise, given, quick=options.quick, figures=figures, progress=progress)))
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB)")
    return ANSWERED


def _noise(options: argparse.Namespace) -> tuple[NoiseModel, str]:
    """The noise model, and the options that name it."""
    K, eta = _classes(options.K), _one_rate(options.eta)
    kind = options.noise or "symmetric"
    if options.noise is None and K is None and eta is None:
        kind, K, eta = DEFAULT_NOISE
    parts = [f"--noise {shlex.quote(kind)}"]
    parts += [f"--K {K}"] * (K is not None) + [f"--eta {plain(eta)}"] * (eta is not None)
    return resolve(kind, K, eta), " ".join(parts)


def _names(text: str | None) -> list[str] | None:
    """The figures asked for; None for all."""
    if text is None:
        return None
    found = [] if text.strip() == "none" else list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in found:
        try:
            gallery.find(name)
        except InputError as error:
            raise InputError(f"--figures: {error}") from None
    return found


@contextmanager
def _writing(out: Path) -> Iterator[Callable[[str], None]]:
    """A function that writes the file as a whole; whether it can be written is tried before the work begins."""
    if out.is_dir():
        raise InputError(f"--out {out}: is a folder; name the file to write, such as {out / 'report.html'}")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")

    def write(text: str) -> None:
        part.write_text(text, encoding="utf-8")
        part.replace(out)

    try:
        part.touch()
        yield write
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written to ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def _bar(total: int) -> Iterator[Progress]:
    """A progress bar on standard error when a person watches."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="step", leave=False) as bar:

        def progress(done: str) -> None:
            bar.set_postfix_str(done)
            bar.update()

        yield progress
