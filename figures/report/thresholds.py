"""The table of thresholds: every loss in the order of the recommendation, with a bar of what works and what is used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

from asymtheory.numbers.text import plain
from asymtheory.selection.candidates import Candidate

from .collect import Published, Report, Verdicts
from .markup import keyed, table, typeset

CHECK, CROSS, OPEN = "✓", "✗", "?"
WIDTH, HEIGHT, MIDDLE, EDGE = 220, 30, 15, 8  # units of a bar


def thresholds(report: Report) -> str:
    """The table with the reasons below it, each named by a letter."""
    reasons = {found.reason: "" for found in report.losses}
    for i, reason in enumerate(reasons):
        reasons[reason] = _letter(i)
    advised = {candidate.loss.name: candidate for candidate in report.selection.candidates if candidate.feasible}
    one_row = report.noise.representative or len(report.noise.rows) == 1
    head = ["Loss", "Asymmetric for", "Threshold, papers, advice", *([] if one_row else ["Binding row"]),
            "Published settings", "Why"]  # fmt: skip
    rows = []
    for place, found in enumerate(report.losses, 1):
        letter = reasons[found.reason]
        value = _advised(advised.get(found.loss.name))
        rows.append([
            keyed(place, f"{escape(found.loss.title)} <code>{escape(found.loss.name)}</code>"),
            keyed(found.order, f'<span class="answer" data-status="{found.status}">{typeset(found.answer)}</span>'
                               f"{_fixed(found)}"),
            keyed(place, bar(found, value)),
            *([] if one_row else [keyed(found.binding, escape(found.binding or "–"))]),
            _settings(found.published),
            f'<a href="#why-{letter}">{letter}</a>',
        ])  # fmt: skip
    caption = (
        f"{len(rows)} losses, ranked as <code>asymtheory select</code> ranks them: what works everywhere first, "
        "then by how well it fits"
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


def _advised(candidate: Candidate | None) -> float | None:
    """The recommended value of the main parameter."""
    if candidate is None or candidate.parameter is None:
        return None
    return float(candidate.loss.parameters[candidate.parameter])


def _settings(published: Sequence[Published]) -> str:
    if not published:
        return keyed(-1, "none")
    good = sum(p.holds is True for p in published)
    items = "".join(
        f'<li><span class="mark" data-holds="{str(p.holds).lower()}">{mark(p.holds)}</span> {typeset(p.parameters)} '
        f"<small>{escape('; '.join(p.sources))}</small></li>"
        for p in published
    )
    summary = f"{good} of {len(published)} satisfy it"
    return keyed(good / len(published), f"<details><summary>{summary}</summary><ul>{items}</ul></details>")


def mark(holds: bool | None) -> str:
    """A sign, with its word for screen readers."""
    sign, word = {True: (CHECK, "satisfies it"), False: (CROSS, "does not"), None: (OPEN, "undecided")}[holds]
    return f'<span aria-hidden="true">{sign}</span><span class="unseen">{word}:</span>'


# --------------------------------------------------------------------------------------------------------- bars


def bar(found: Verdicts, advised: float | None) -> str:
    """A bar of the main parameter on a logarithmic axis: the feasible part thick, published values and the advised one marked."""
    used = sorted({(p.value, p.holds) for p in found.published if p.value is not None}, key=str)
    ends = [
        end.value for piece in found.pieces for end in (piece.low, piece.high) if end is not None and not end.of_domain
    ]
    values = [*ends, *(value for value, _ in used), *([] if advised is None else [advised])]
    if found.loss.main is None or not values:
        return (
            "–"
            if found.loss.main is None
            else _drawn([_span(EDGE, WIDTH - EDGE)] * (found.status == "always"), _words(found, used, advised))
        )
    across = _axis(values, _start(found))
    drawn = []
    for piece in found.pieces:
        low = EDGE if piece.low is None or piece.low.of_domain else across(piece.low.value)
        high = WIDTH - EDGE if piece.high is None or piece.high.of_domain else across(piece.high.value)
        drawn.append(_span(low, high))
        drawn += [
            f'<line class="end" x1="{x:.1f}" x2="{x:.1f}" y1="{MIDDLE - 8}" y2="{MIDDLE + 8}"/>'
            for x, end in ((low, piece.low), (high, piece.high))
            if end is not None and not end.of_domain
        ]
    for value, holds in used:
        drawn.append(_used(across(value), holds, f"{found.loss.main} = {value:g}"))
    if advised is not None:
        x = across(advised)
        drawn.append(
            f'<path class="advised" d="M{x:.1f} {MIDDLE - 7}l5 7l-5 7l-5 -7z"><title>advised: {advised:g}</title></path>'
        )
    return _drawn(drawn, _words(found, used, advised))


def _start(found: Verdicts) -> float:
    """Where the logarithmic axis starts: the domain's lower end."""
    assert found.loss.main is not None
    low = found.loss.domains[found.loss.main].low
    return float("-inf") if low is None else float(low)


def _axis(values: Iterable[float], start: float) -> Callable[[float], float]:
    """Value -> units across, logarithmic from the domain's start; linear where there is none."""
    found = sorted(set(values))
    if math.isinf(start):
        low, high = found[0] - 1, found[-1] + 1
        return lambda x: EDGE + (WIDTH - 2 * EDGE) * (x - low) / (high - low)
    away = [x - start for x in found if x > start]
    low, high = (math.log(min(away) / 2.5), math.log(max(away) * 2.5)) if away else (0.0, 1.0)
    return lambda x: EDGE if x <= start else EDGE + (WIDTH - 2 * EDGE) * (math.log(x - start) - low) / (high - low)


def _span(low: float, high: float) -> str:
    return f'<line class="works" x1="{low:.1f}" x2="{high:.1f}" y1="{MIDDLE}" y2="{MIDDLE}"/>'


def _used(x: float, holds: bool | None, text: str) -> str:
    """A published value: a ring where it satisfies the condition, a cross where it does not."""
    title = (
        f"<title>published: {escape(text)}, {'holds' if holds else 'fails' if holds is False else 'undecided'}</title>"
    )
    if holds is False:
        return f'<path class="fails" d="M{x - 4:.1f} {MIDDLE - 4}l8 8m0 -8l-8 8">{title}</path>'
    return f'<circle class="holds" cx="{x:.1f}" cy="{MIDDLE}" r="4">{title}</circle>'


def _words(found: Verdicts, used: Sequence[tuple[float, bool | None]], advised: float | None) -> str:
    """The bar for screen readers."""
    parts = [f"asymmetric for {found.answer}"]
    parts += [f"published {value:g} {'holds' if holds else 'fails'}" for value, holds in used]
    parts += [] if advised is None else [f"advised {advised:g}"]
    return "; ".join(parts)


def _drawn(parts: Sequence[str], words: str) -> str:
    axis = f'<line class="axis" x1="{EDGE}" x2="{WIDTH - EDGE}" y1="{MIDDLE}" y2="{MIDDLE}"/>'
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}"'
    return f'<svg class="bar-of" {size}>{axis}{"".join(parts)}</svg>'
