"""The top of the report: what to use, what that guarantees, which published settings fail here, and the noise as a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from asymtheory.asymmetry.fitting import fitting_slope
from asymtheory.asymmetry.guarantees import guarantee
from asymtheory.losses import build
from asymtheory.noise import KINDS, NoiseModel, show
from asymtheory.numbers.text import plain
from asymtheory.selection.candidates import Candidate

from .collect import Report, binding_text
from .markup import typeset

MOST_SHOWN = 30  # classes of a matrix that is drawn whole
MOST_NUMBERS = 12  # classes of a matrix whose cells hold their numbers
OWN = ("labels", "posteriors")  # kinds of noise that are the reader's data
FIRST_FAILING = 6  # losses whose failing settings are listed before the fold


def headline(noise: NoiseModel) -> str:
    """``symmetric noise, 10 classes, rate 0.8``; ``the noise of your labels, ...`` of a file."""
    rate = "" if noise.rate is None else f", rate {show(noise.rate)}"
    what = f"the noise of your {noise.kind}" if noise.kind in OWN else f"{noise.kind} noise"
    return f"{what}, {noise.classes} classes{rate}"


def description(noise: NoiseModel) -> str:
    """One line on what happens to the labels, and where the numbers are from."""
    what = KINDS.get(noise.kind, "")
    parts = [what[:1].upper() + what[1:], noise.source or ""]
    return typeset(". ".join(part for part in parts if part))


def facts(noise: NoiseModel) -> str:
    """What the noise model is, as a list of terms."""
    worst, clean = noise.worst_row(), noise.rows[noise.worst_clean]
    level = f"least w<sub>m</sub>/w<sub>n</sub>{_of(noise, noise.worst_clean)}"
    margin = f"least (w<sub>m</sub> − w<sub>n</sub>)/W{_of(noise, noise.worst)}"
    terms = [
        ("Classes", f"K = {noise.classes}"),
        ("Noise rate", "not known" if noise.rate is None else show(noise.rate)),
        ("Clean level", f"c = {show(clean.clean_level)}<small>{level}</small>"),
        ("Margin", f"{show(worst.margin)}<small>{margin}</small>"),
        ("Clean labels dominate", _dominance(noise)),
    ]
    return "".join(f"<div><dt>{term}</dt><dd>{text}</dd></div>" for term, text in terms)


def _of(noise: NoiseModel, index: int) -> str:
    return "" if noise.representative else f": {escape(binding_text(noise, index))}"


def _dominance(noise: NoiseModel) -> str:
    if noise.dominant:
        return "yes<small>the true class has the unique largest weight</small>"
    row, other = noise.failures[0]
    more = f" and {len(noise.failures) - 1} more" if len(noise.failures) > 1 else ""
    against = f"{noise.row_name(row)} against {noise.class_name(other)}{more}"
    return f"no<small>{escape(against)}: no loss tolerates that</small>"


# ------------------------------------------------------------------------------------------------- recommendation


def recommendation(report: Report) -> str:
    """The box at the top: loss, value, scale, why, guarantee, and the published settings that fail on this noise."""
    best = report.best
    if best is None:
        return _nothing(report)
    loss, parameter = best.loss, best.parameter
    value = f" with {typeset(parameter)} = {plain(loss.parameters[parameter])}" if parameter else ""
    rest = [f"{name} = {plain(number)}" for name, number in loss.parameters.items() if name != parameter]
    others = f"<small>{typeset(', '.join(rest))}</small>" if rest else ""
    terms = [
        ("Why", _sentence(best.reason)),
        ("It guarantees", _guarantee(report, best)),
        ("Its scale", _scale(best, report.noise.classes)),
        ("Published settings that fail here", _failing(report)),
    ]
    warnings = "".join(f'<p class="aside">{_sentence(text)}</p>' for text in report.selection.warnings)
    body = "".join(f"<div><dt>{term}</dt><dd>{text}</dd></div>" for term, text in terms)
    start = f"asymtheory select {report.given} --write-config run.toml"
    measured = report.selection.estimate.unit == "class"
    also = (
        ". It also names recipes, with learning rates, that trained best on measured noise like this."
        if measured
        else ""
    )
    return (
        f'<p class="use">Use <strong>{escape(loss.title)}</strong>{value} {others}</p><dl>{body}</dl>{warnings}'
        f'<p class="aside">The next step: <code>{escape(start)}</code>{also}</p>'
    )


def _sentence(text: str) -> str:
    """A text of the core as a sentence, commands in it set as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", typeset(text[:1].upper() + text[1:])) + "."


def _nothing(report: Report) -> str:
    """What to say where no loss is asymmetric on all of the noise."""
    if not report.noise.dominant:
        row, other = report.noise.failures[0]
        against = f"{report.noise.row_name(row)} against {report.noise.class_name(other)}"
        return (
            f'<p class="use">No loss tolerates this noise</p><p>In {len(report.noise.failures)} row'
            f"{'s' * (len(report.noise.failures) != 1)} a wrong label is at least as frequent as the true one "
            f"({escape(against)}). Minimising any noisy risk then prefers the wrong class there.</p>"
        )
    return (
        f'<p class="use">No registered loss is asymmetric on all rows</p><p>{typeset(report.selection.best.reason)}</p>'
    )


def _guarantee(report: Report, best: Candidate) -> str:
    """The guarantee in numbers: what is minimised where, what an excess of risk costs, how wrong the matrix may be."""
    noise = report.noise
    which = "every class" if noise.representative or len(noise.rows) == 1 else f"each of the {len(noise.rows)} rows"
    found = guarantee(best.loss, noise)
    parts = [f"On {which} the vertex of the true class is the only minimiser of the noisy risk."]
    if found.constant is not None:
        slack = "" if found.slack is None else f" (slack {found.slack:.3g} on the binding row)"
        parts.append(f"Clean error ≤ {found.constant:.4g} × excess of the noisy risk{slack}.")
    if found.radius is not None and found.radius.tv == 0:
        parts.append("The value is exactly at the threshold: a larger margin needs a value further inside.")
    elif found.radius is not None:
        r = found.radius
        parts.append(f"The binding row may be wrong by {r.entry:.3g} in an entry, {r.tv:.3g} in total variation.")
    return typeset(" ".join(parts))


def _scale(best: Candidate, K: int) -> str:
    """How large its slope is where training starts, beside cross entropy's."""
    ours, ce = best.slope.unfitted, fitting_slope(build("ce"), K).unfitted
    return (
        f"Where training starts (u = 1/K) its slope is {ours:.3g}, that of cross entropy {ce:.3g}: first gradients are "
        f"{ours / ce:.3g} times as large, which a learning rate or a factor before the loss makes up for."
    )


def _failing(report: Report) -> str:
    """The published settings that do not satisfy the condition on this noise, loss by loss."""
    lines = []
    for found in report.losses:
        failing = [p for p in found.published if p.holds is False]
        if failing:
            texts = "; ".join(f"{p.parameters} ({_from(p.sources)})" for p in failing)
            lines.append(f"<li><b>{escape(found.loss.title)}</b> {typeset(texts)}</li>")
    if not lines:
        return "None: every published setting of a registered loss satisfies the condition."
    first, more = lines[:FIRST_FAILING], lines[FIRST_FAILING:]
    folded = f"<details><summary>{len(more)} more losses</summary><ul>{''.join(more)}</ul></details>" if more else ""
    return f'<ul class="failing">{"".join(first)}</ul>{folded}'


def _from(sources: Sequence[str]) -> str:
    """The papers of some settings, each once: ``cifar10, JAL Table 8`` is JAL."""
    return ", ".join(dict.fromkeys(source.rpartition(", ")[2].partition(" ")[0] for source in sources))


# ---------------------------------------------------------------------------------------------------------- matrix


def binding_of(report: Report) -> int:
    """The row that the recommended loss's threshold is from."""
    best = report.selection.best
    if best.threshold.status == "threshold" and best.threshold.binding_row < len(report.noise.rows):
        return best.threshold.binding_row
    return report.noise.worst


def matrix(report: Report) -> str:
    """The noise as a heat map: a row a true class, a column a label; empty where there are too many classes."""
    noise = report.noise
    K = noise.classes
    if K > MOST_SHOWN or len(noise.rows) != K or any(row.target != i for i, row in enumerate(noise.rows)):
        return ""
    binds = set(range(K)) if noise.representative else {binding_of(report)}
    names = [noise.class_name(i) for i in range(K)]
    heads = "".join(f'<th scope="col"><span>{escape(_short(name))}</span></th>' for name in names)
    body = []
    for i, row in enumerate(noise.rows):
        cells = "".join(
            _cell(float(w / row.total), j == row.target, j == row.runner_up, K) for j, w in enumerate(row.weights)
        )
        bound = ' class="binding"' if i in binds else ""
        sign = '<span class="unseen">, binding</span>' if i in binds else ""
        body.append(
            f'<tr{bound}><th scope="row"><button type="button" data-row="{i}" title="load this row into the panel">'
            f"{escape(_short(names[i]))}{sign}</button></th>{cells}</tr>"
        )
    says = (
        "every row binds alike"
        if noise.representative
        else f"the outlined row binds: {binding_text(noise, binding_of(report))}"
    )
    return (
        f'<figure class="noise"><div class="sideways"><table class="matrix" style="--classes: {K}"><caption>The noise: share of '
        f"each label (columns) in each true class (rows); {escape(says)}. Press a row to load its weights into the panel.</caption>"
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div></figure>"
    )


def _short(name: str) -> str:
    """``truck`` of ``class 9 (truck)``."""
    return name.partition("(")[2].rstrip(")") or name.removeprefix("class ")


def _cell(share: float, true: bool, second: bool, K: int) -> str:
    kind = "true" if true else "second" if second else ""
    text = f"{share:.2f}".removeprefix("0") if K <= MOST_NUMBERS and share >= 0.005 else ""
    dark = " dark" if share > 0.45 else ""
    return f'<td class="{kind}{dark}" style="--share: {share:.4f}" title="{share:.4g}">{text}</td>'
