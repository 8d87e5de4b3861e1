"""The table of a study, thresholds over noises and the ratios, in LaTeX and in Markdown, and the index of its files."""

from __future__ import annotations

from ..asymmetry.ratio import Ratio
from ..losses.mathematics import definition, parameter_latex, plain_text
from ..numbers.text import plain, show
from .facts import Facts, Line
from .proposition import relations

HEAD = ("noise", "K", "rate", "clean level", "margin", "asymmetric for", "as it is")
WORDS = {True: "yes", False: "no", None: "undecided"}


def cells(line: Line) -> tuple[str, ...]:
    """One line of the table as text."""
    rate = "" if line.rate is None else show(line.rate)
    return (
        line.noise, str(line.K), rate, show(line.clean_level), show(line.margin), line.answer, WORDS[line.asymmetric]
    )  # fmt: skip


def latex_table(found: Facts) -> str:
    """The whole of ``table.tex``: a ``table`` for ``booktabs``."""
    head = [r"noise", "$K$", r"$\eta$", r"$w_m/w_n$", "margin", "asymmetric for", "as it is"]
    rows = [" & ".join(map(relations, cells(line))) + r" \\" for line in found.lines]
    values = ", ".join(
        f"${parameter_latex(name)} = {plain(value)}$"
        for name, value in found.loss.parameters.items()
        if "." not in name
    )
    return "\n".join([
        "% Written by asymtheory study. Needs booktabs and amsmath.",
        r"\begin{table}", r"  \centering\small",
        rf"  \caption{{Where $L(u, y) = {definition(found.loss, _letters(found))}$ is asymmetric"
        + (rf"; as it is: {values}" if values else "") + ".}",
        r"  \begin{tabular}{lrrrrll}", r"    \toprule", f"    {' & '.join(head)} \\\\", r"    \midrule",
        *(f"    {row}" for row in rows),
        r"    \bottomrule", r"  \end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


def _letters(found: Facts) -> tuple[str, ...]:
    return () if found.parameter is None else (found.parameter,)


def markdown_table(found: Facts) -> str:
    """The whole of ``table.md``."""
    return "\n".join([*_markdown(HEAD, [cells(line) for line in found.lines]), ""])


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [
        "| " + " | ".join(map(inert, head)) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(map(inert, row)) + " |" for row in rows),
    ]


def inert(text: str) -> str:
    """Text that Markdown shows as it is, in a cell of a table too."""
    return "".join("\\" + c if c in "\\`*_[]<>|#&~" else c for c in text if c.isprintable())


def index(found: Facts, written: list[tuple[str, str]], missing: list[tuple[str, str]], gradient: str) -> str:
    """``README.md`` of a study: the loss, its facts in a few lines, the files and what is not among them."""
    lines = [
        f"# {inert(str(found.loss))}",
        "",
        f"`{_code(found.loss.formula)}`",
        "",
        f"Source: {inert(found.loss.source)}.",
        "",
    ]
    lines += [f"* {inert(name)}: {inert(text)}" for name, text in _facts(found)]
    if gradient:
        lines.append(f"* gradient of the torch module: {inert(gradient)}")
    lines += ["", "## Files", "", *_markdown(("file", "what"), [(f"[{name}]({name})", what) for name, what in written])]
    lines = [line.replace("\\[", "[").replace("\\]", "]") if line.startswith("| \\[") else line for line in lines]
    if missing:
        lines += ["", "## Not here", "", *(f"* {inert(name)}: {inert(why)}" for name, why in missing)]
    return "\n".join([*lines, "", *_how(found), ""])


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def _facts(found: Facts) -> list[tuple[str, str]]:
    model = found.noise
    rate = "" if model.rate is None else f", rate {show(model.rate)}"
    on = f"{model.kind}, K = {model.classes}{rate}"
    lines = [
        (f"on {on}", found.threshold.answer),
        (
            "as it is",
            f"{ {True: 'asymmetric', False: 'not asymmetric', None: 'undecided'}[found.verdict.asymmetric] } there",
        ),
        ("why", found.verdict.reason),
    ]
    if found.by_level is not None:
        lines.append(("in symbols", f"{found.by_level.text}; {found.by_level.assumptions}"))
    if found.by_rate is not None:
        lines.append(("on symmetric noise", found.by_rate.text))
    lines += [(f"tolerates, {kind} noise, K = {K}", rates) for kind, K, rates in found.tolerated]
    lines += [] if found.ratio is None else _ratios(found.ratio)
    return lines + [(f"no {what}", why) for what, why in found.unknown.items()]


def _ratios(ratio: Ratio) -> list[tuple[str, str]]:
    three = (("r", ratio.r), ("r_u", ratio.r_upper), ("r_pointwise", ratio.r_pointwise))
    return [(name, f"{value} ({value.method})") for name, value in three]


def _how(found: Facts) -> list[str]:
    return [
        "## Use",
        "",
        "`\\input{proposition}` and `\\input{table}` in a document with amsmath, amssymb, amsthm and booktabs (`main.tex` is one),",
        "and `\\bibliography{references}`. `asymtheory sweep plan.toml` trains; `python loss.py` checks the gradient again.",
    ]


def document(found: Facts, figures: list[str]) -> str:
    """``main.tex``: a document that holds all of it, ready for pdflatex and bibtex."""
    shown = [
        line
        for name in figures
        for line in (
            r"\begin{figure}",
            r"  \centering",
            rf"  \includegraphics[width=\linewidth]{{{name}}}",
            r"\end{figure}",
        )
    ]
    return "\n".join([
        r"\documentclass{article}", r"\usepackage{amsmath,amssymb,amsthm,booktabs,graphicx}",
        r"\newtheorem{proposition}{Proposition}", r"\begin{document}",
        rf"\section*{{{plain_text(found.loss.title)}}}", r"\input{proposition}", r"\input{table}", *shown,
        r"\nocite{*}", r"\bibliographystyle{plain}", r"\bibliography{references}", r"\end{document}", "",
    ])  # fmt: skip
