"""A loss as mathematics: LaTeX of its definition, run on symbols. No formula is typed a second time.

``L(u, y) = active(u_y) + sum_{k != y} passive(u_k)`` for separable terms, quotients for normalised ones. Parameters stay symbols
unless they are given values.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

from ..errors import InputError
from ..numbers.backends import sympy_
from ..numbers.scalar import Scalar
from .base import Loss, Normalised, NormalisedNegative, Separable, coefficient_name
from .papers import LogitClipCE

NAMES = {
    "lam": r"\lambda", "eps": r"\varepsilon", "pi1": r"\pi_1", "p_min": r"p_{\min}", "eta": r"\eta", "tau": r"\tau",
    "order": r"\mathrm{order}",
}  # fmt: skip
"""Parameters whose name is not the letter that papers write."""


def symbol(name: str) -> Scalar:
    """A parameter as a positive symbol (``A`` of RCE is negative); the same symbol that ``threshold.symbolic`` shows."""
    import sympy as sp

    return sp.Symbol(name, negative=True) if name == "A" else sp.Symbol(name, positive=True)


def latex(expression: Scalar) -> str:
    """LaTeX of a sympy expression, with the field's letters: natural logarithms are ``\\log``, ``lam`` is ``\\lambda``."""
    import sympy as sp

    names = (
        {s: NAMES[str(s)] for s in expression.free_symbols if str(s) in NAMES}
        if hasattr(expression, "free_symbols")
        else {}
    )
    return str(sp.latex(expression, symbol_names=names))


def parameter_latex(name: str) -> str:
    """LaTeX of a parameter's name."""
    return latex(symbol(name))


Opened: TypeAlias = "Collection[str] | None"
"""Which parameters stay letters; None for all of them."""


def side(atom: Separable, name: str, at: str, opened: Opened = None) -> Scalar:
    """``active`` or ``passive`` of a separable loss as a sympy expression in the symbol ``at`` (``u_y``, ``u_k``)."""
    import sympy as sp

    xp, u = sympy_(), sp.Symbol(at, positive=True)
    on: Any = _with_letters(atom, opened).on(xp)
    return sp.sympify(getattr(on, name)(u, xp.log(u), xp))


def _with_letters(atom: Loss, opened: Opened) -> Loss:
    """The loss with letters for the parameters in ``opened``; a count of terms stays a number."""
    letters = [p for p, d in atom.domains.items() if not d.integer and "." not in p and (opened is None or p in opened)]
    return atom._with(**{p: symbol(p) for p in letters})


def definition(loss: Loss, opened: Opened = None) -> str:
    """LaTeX of ``L(u, y)``; parameters in ``opened`` (all, unless it is given) are letters, others their values."""
    parts = []
    several = len(loss.terms()) > 1
    for i, (coefficient, atom) in enumerate(loss.terms()):
        try:
            text, is_sum = _atom(atom, opened)
        except InputError:  # a sum over classes inside a formula: it stays as it was typed
            text, is_sum = rf"\text{{{plain_text(atom.formula)}}}", True
        name = coefficient_name(i)
        letter = several and (opened is None or name in opened)
        factor = parameter_latex(name) if letter else _factor(coefficient)
        if factor:
            bracket = is_sum or text.startswith(("-", r"\sum"))
            text = rf"{factor} \left[{text}\right]" if bracket else rf"{factor} \cdot {text}"
        parts.append(text)
    return " + ".join(parts)


def _factor(coefficient: Scalar) -> str:
    return "" if coefficient == 1 else latex(sympy_().number(coefficient))


def _atom(atom: Loss, opened: Opened) -> tuple[str, bool]:
    """(LaTeX, is it a sum?) of one term."""

    if isinstance(atom, Normalised):
        own, other = (side(atom.base, "active", at, opened) for at in ("u_y", "u_k"))
        return rf"\frac{{{latex(own)}}}{{\sum_k {_bracketed(other)}}}", False
    if isinstance(atom, NormalisedNegative):
        own, other = (latex(side(atom.base, "active", at, opened)) for at in ("u_y", "u_k"))
        top = latex(side(atom.base, "active", "p_min", opened))
        return (
            rf"1 - \frac{{B - \left({own}\right)}}{{\sum_k \left[B - \left({other}\right)\right]}}, \quad B = {top}",
            True,
        )
    if isinstance(atom, LogitClipCE):
        return rf"-\log u_y \ \text{{on}}\ \{{\mathrm{{softmax}}(z) : \|z\|_2 \leq {parameter_latex('tau')}\}}", False
    return _separable(_with_letters(atom, opened))


def _separable(whole: Loss) -> tuple[str, bool]:
    """(LaTeX, is it a sum?) of ``active(u_y) + sum_{k != y} passive(u_k)``, with K as a letter; InputError for another form."""
    import sympy as sp

    K = sp.Symbol("K", positive=True)
    parts = [(sp.simplify(sp.sympify(sympy_().number(c))), part) for c, part in whole.parts(K)]
    separable = [(c, part) for c, part in parts if isinstance(part, Separable)]
    if len(separable) < len(parts):
        raise InputError(f"{whole.name}: not a sum of functions of one probability each")
    active, passive = (
        sp.sympify(sum(c * side(part, name, at, ()) for c, part in separable))
        for name, at in (("active", "u_y"), ("passive", "u_k"))
    )
    text = "" if active == 0 else latex(active)
    if passive != 0:
        text += (" + " if text else "") + rf"\sum_{{k \neq y}} {_bracketed(passive)}"
    scale = separable[0][1].scale(K) if len(separable) == 1 else 1
    if scale == 1:
        return text, bool(isinstance(active, sp.Add) or (active != 0 and passive != 0))
    return rf"{latex(sp.sympify(scale))} \left[{text}\right]", False


def _bracketed(expression: Scalar) -> str:
    """LaTeX of the terms behind a sum sign."""
    import sympy as sp

    text = latex(expression)
    return rf"\left({text}\right)" if isinstance(expression, sp.Add) or text.startswith("-") else text


ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def plain_text(text: str) -> str:
    """Any text as LaTeX sets it; what is outside ASCII becomes ``?``, for no LaTeX is sure to have it."""
    return "".join(ESCAPES.get(c, c if c.isascii() and c.isprintable() else "?") for c in text)
