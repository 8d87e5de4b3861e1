"""Formulas of the pages as MathML, which browsers draw without a script: ``phi_m'(1) <= phi_n'(0)`` in code becomes mathematics.

The pages stay plain Markdown. A code span is taken for a formula where all its words are known symbols and functions; the others
(commands, names of files and of Python) stay code.
"""

from __future__ import annotations

import re
from html import escape

from latex2mathml.converter import convert

GREEK = ("alpha", "beta", "gamma", "delta", "lambda", "rho", "tau", "phi", "eta", "nu")
FUNCTIONS = ("sum", "max", "min", "log", "exp")
NAMES = (
    "softmax",
    "slack",
    "margin",
    "range",
    "relative",
    "mean",
    "loss",
    "const",
    "for",
    "some",
    "own",
    "other",
    "rest",
    "spread",
    "tip",
)
SYMBOLS = {
    "<=": r"\le ", ">=": r"\ge ", "!=": r"\ne ", "->": r"\to ", "||": r"\Vert ", "*": r"\cdot ", "|": r"\vert ", "∎": "",
}  # fmt: skip
WORD = re.compile(r"(?<![A-Za-z_])[A-Za-z]{2,}")
DIFFERENTIALS = {"dF": "dF", "du": "du", "dz": "dz"}


def tex(code: str) -> str | None:
    """LaTeX of a formula in plain text; None for what is not one."""
    words = [word for word in WORD.findall(code) if word not in DIFFERENTIALS]
    known = {*GREEK, *FUNCTIONS, *NAMES, "sqrt", "floor", "inf", "in", "eps"}
    if not set(words) <= known or "inf_" in code or re.search(r"[./]\w*py|--|`|\\|\w\.\w", code):
        return None
    if words and code.strip() in NAMES:  # a name by itself is a field of an answer
        return None
    return _tex(code)


def _tex(text: str) -> str:
    out, i = "", 0
    while i < len(text):
        rest = text[i:]
        if found := re.match(r"sqrt\(|\^\(|floor\(", rest):
            end = _closing(text, i + len(found[0]) - 1)
            inner = _tex(text[i + len(found[0]) : end])
            out += {"s": rf"\sqrt{{{inner}}}", "^": f"^{{{inner}}}", "f": rf"\lfloor {inner}\rfloor "}[rest[0]]
            i = end + 1
        elif found := re.match(r"[_^]\{", rest):
            end = text.index("}", i)
            out += f"{rest[0]}{{{_tex(text[i + 2 : end])}}}"
            i = end + 1
        elif found := re.match(r"([_^])(-?[A-Za-z]+|-?\d+)", rest):
            inner = (
                found[2]
                if len(found[2].lstrip("-")) == 1 or found[2].lstrip("-").isdigit()
                else rf"\mathrm{{{found[2]}}}"
            )
            out += f"{found[1]}{{{inner}}}"
            i += len(found[0])
        elif found := re.match(r"[A-Za-z]{2,}", rest):
            out += _word(found[0])
            i += len(found[0])
        elif rest[:2] in SYMBOLS or rest[0] in SYMBOLS:
            sign = rest[:2] if rest[:2] in SYMBOLS else rest[0]
            out += SYMBOLS[sign]
            i += len(sign)
        else:
            out += {"{": r"\{", "}": r"\}", "%": r"\%"}.get(rest[0], rest[0])
            i += 1
    return out


def _word(word: str) -> str:
    if word in GREEK or word in FUNCTIONS:
        return rf"\{word} "
    if word in ("in", "eps", "inf"):
        return {"in": r"\in ", "eps": r"\varepsilon ", "inf": r"\infty "}[word]
    return word if word in DIFFERENTIALS else rf"\mathrm{{{word}}}\ "


def _closing(text: str, opened: int) -> int:
    """The place of the bracket that closes the one at ``opened``."""
    depth = 0
    for i in range(opened, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    raise ValueError(f"a bracket stays open in {text!r}")


def mathml(code: str, display: str = "inline") -> str | None:
    """The formula as MathML, with its plain text as a title; None for what is not one."""
    found = tex(code)
    if found is None:
        return None
    made = convert(found, display=display).replace("<math ", f'<math title="{escape(code, quote=True)}" ', 1)
    for sign in "|*_":  # which mean something in Markdown
        made = made.replace(sign, f"&#{ord(sign)};")
    return (
        made if display == "block" else f'<span class="formula">{made}</span>'
    )  # a line that starts with <math> would be a block of its own


def rendered(page: str) -> str:
    """A page with the formulas of its code spans and displayed lines drawn."""

    def span(match: re.Match[str]) -> str:
        return mathml(" ".join(match[1].split())) or match[0]

    def line(match: re.Match[str]) -> str:
        text, number = re.fullmatch(r"(.*?)(?:\s{4,}(\(\d+\)))?\s*", match[1]).groups()  # type: ignore[union-attr]
        parts = [mathml(part.strip(" ,."), "block") for part in re.split(r",\s{3,}|\.$", text) if part.strip(" ,.")]
        if None in parts:
            return match[0]
        label = f'<span class="number">{number}</span>' if number else ""
        return f'<div class="display">{"".join(str(part) for part in parts)}{label}</div>\n'

    page = re.sub(r"(?<=\n\n)    ([^\n]+)\n(?=\n)", line, page)
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", span, page)
