"""The condition of a study as a LaTeX proposition with the skeleton of its proof: which rule decides, and the two slopes."""

from __future__ import annotations

from ..asymmetry.rules.dominance import Dominance
from ..asymmetry.rules.kkt import KKT
from ..losses.base import CONCAVE, CONVEX, LINEAR
from ..losses.formula import Formula
from ..losses.mathematics import latex, parameter_latex, plain_text
from ..losses.profile import Slopes
from ..numbers.scalar import Scalar
from ..numbers.text import plain, show
from ..threshold.symbolic import Symbolic
from .facts import Facts, letters

WORDS = {CONVEX: "convex", LINEAR: "linear", CONCAVE: "concave"}
VERDICTS = {True: "is asymmetric", False: "is not asymmetric", None: "is undecided"}


def proposition(found: Facts) -> str:
    """The whole of ``proposition.tex``: it needs ``amsmath``, ``amssymb``, ``amsthm`` and a theorem environment ``proposition``."""
    return "\n".join([
        "% Written by asymtheory study. Needs amsmath, amssymb, amsthm, and \\newtheorem{proposition}{Proposition}.",
        *_setting(found), "", r"\begin{proposition}", *_statement(found), r"\end{proposition}", "",
        r"\begin{proof}[Proof skeleton]", *_proof(found), r"\end{proof}", "", *_remarks(found), "",
    ])  # fmt: skip


def _setting(found: Facts) -> list[str]:
    lines = [
        r"Let $u$ be a point of the simplex of $K$ classes, $w_1, \dots, w_K \geq 0$ class weights with "
        r"$W = \sum_k w_k$, $w_m > w_n = \max_{k \neq m} w_k$, and",
        r"\[",
        rf"  L(u, y) = {found.definition}.",
        r"\]",
    ]
    if found.parameter is not None:
        domain = _interval(str(found.loss.domains[found.parameter]))
        name = parameter_latex(found.parameter)
        here = (
            ""
            if letters(found.loss, found.parameter)
            else f", here ${name} = {plain(found.loss.parameters[found.parameter])}$"
        )
        lines.append(rf"Its parameter ${name}$ is in ${domain}${here}.")
    lines.append(
        r"$L$ is \emph{asymmetric} on $w$ if $F_w(u) = \sum_k w_k L(u, k)$ has its minimum at the vertex $e_m$ "
        r"and nowhere else~\cite{zhou2021asymmetric}."
    )
    return lines


def _interval(text: str) -> str:
    return text.replace("inf", r"\infty").replace(", whole numbers", r" \cap \mathbb{Z}")


def _statement(found: Facts) -> list[str]:
    slopes = found.slopes
    if isinstance(found.rule, KKT) and not found.rule.sufficient_only and slopes is not None:
        lines = [
            r"$L$ is asymmetric on $w$ if and only if",
            r"\begin{equation}\label{eq:condition}",
            rf"  {_condition(slopes)}.",
            r"\end{equation}",
        ]
        if _endless(slopes):
            lines = [r"$L$ is asymmetric on no $w$ with $w_n > 0$."]
        return lines + _solved(found)
    if isinstance(found.rule, Dominance):
        return [r"$L$ is asymmetric on every $w$ with a unique largest weight $w_m$.", *_solved(found)]
    text = plain_text(found.verdict.reason)
    at = f" with {_values(found)}" if found.loss.parameters else ""
    return [
        f"On {plain_text(_noise(found))} $L${at} {VERDICTS[found.verdict.asymmetric]}: {text} ({_method(found)}).",
        *_solved(found),
    ]


def _endless(slopes: Slopes) -> bool:
    """Is the slope of active at 0 minus infinity, so that no w_n > 0 is tolerated?"""
    return bool(str(slopes.active0) == "-oo" and "oo" not in str(slopes.active1))


def _condition(slopes: Slopes) -> str:
    """``w_n a'(0) + (W - w_n) b'(0) >= w_m a'(1) + (W - w_m) b'(1)`` with the slopes put in, terms of 0 left out."""
    left = _side(slopes.active0, "w_n", slopes.passive0, "W - w_n")
    right = _side(slopes.active1, "w_m", slopes.passive1, "W - w_m")
    return rf"{left} \geq {right}"


def _side(active: Scalar, weight: str, passive: Scalar, rest: str) -> str:
    parts = []
    if active != 0:
        parts.append(rf"{weight} \cdot \left({latex(active)}\right)")
    if passive != 0:
        parts.append(rf"\left({rest}\right) \cdot \left({latex(passive)}\right)")
    return " + ".join(parts) or "0"


def _solved(found: Facts) -> list[str]:
    """The condition solved for the parameter: in the clean level, and on symmetric noise."""
    lines = []
    if _worth(found.by_level):
        assert found.by_level is not None
        where = r"$c = w_m / w_n > 1$" + (
            r" and $S$ the sum of the weights other than $w_m$, in units of $w_n$" if "S" in found.by_level.text else ""
        )
        lines.append(rf"With {where} this is \[ {found.by_level.latex}. \]")
        lines.append(f"(For {relations(found.by_level.assumptions)}.)")
    if _worth(found.by_rate):
        assert found.by_rate is not None
        lines.append(rf"On symmetric noise of rate $\eta < 1 - 1/K$ it is \[ {found.by_rate.latex}. \]")
    return lines


def _worth(symbolic: Symbolic | None) -> bool:
    return symbolic is not None and symbolic.relation not in ("always", "never", "undecided")


def relations(text: str) -> str:
    """A line such as ``1/2 <= a, q = 0.5`` as LaTeX."""
    signs = {r"\textgreater{}=": r"$\geq$", r"\textless{}=": r"$\leq$", r"\textgreater{}": "$>$", r"\textless{}": "$<$"}
    text = plain_text(text)
    for sign, sets in signs.items():
        text = text.replace(sign, sets)
    return text


def _method(found: Facts) -> str:
    return plain_text(found.verdict.method)


def _values(found: Facts) -> str:
    return plain_text(", ".join(f"{name} = {plain(value)}" for name, value in found.loss.parameters.items()))


def _proof(found: Facts) -> list[str]:
    rule, slopes = found.rule, found.slopes
    if slopes is None or not isinstance(rule, KKT | Dominance) or rule.profile.shape() is None:
        return [
            f"The rule that decides: {plain_text(found.verdict.reason)}. The verdict on {plain_text(_noise(found))} was found by: "
            f"{plain_text(found.verdict.method)}."
        ]
    profile = rule.profile
    shape = WORDS[profile.shape()]  # type: ignore[index]
    own, other = profile.curvature()
    lines = [
        r"\emph{(1) The risk separates.} Write $a$ for the term of the labelled class and $b$ for that of each other class. "
        r"Then $F_w(u) = \sum_k \varphi_k(u_k)$ with $\varphi_k = w_k a + (W - w_k) b$"
        + (r", up to the normalised terms, which are least in the limit at $e_m$." if profile.normalised else "."),
        "",
        rf"\emph{{(2) Shape.}} On $[0, 1]$, $a$ is {WORDS.get(own, 'of neither shape')} and $b$ is "  # type: ignore[arg-type]
        rf"{WORDS.get(other, 'of neither shape')}{_how(found)}, so every $\varphi_k$ is {shape}.",  # type: ignore[arg-type]
        "",
    ]
    if found.searched:
        lines[-1:] = [f"({plain_text(found.searched)}.)", ""]
    return lines + (_by_slopes(slopes) if isinstance(rule, KKT) else _by_vertices(shape))


def _how(found: Facts) -> str:
    own = any(isinstance(atom, Formula) for _, atom in found.loss.terms())
    return " (certified by enclosures of the second derivative at the stated parameters)" if own else ""


def _by_slopes(slopes: Slopes) -> list[str]:
    return [
        r"\emph{(3) Which rule decides.} A convex function on the simplex has its minimum at $e_m$ if and only if "
        r"$\varphi_m'(1) \leq \varphi_k'(0)$ for all $k \neq m$ (Karush, Kuhn, Tucker). Since $a'(0) \leq 0 \leq b'(0)$, "
        r"$\varphi_k'(0) = w_k (a'(0) - b'(0)) + W b'(0)$ is least for the largest of the other weights, $w_n$.",
        "",
        r"\emph{(4) The two slopes.}",
        r"\begin{align*}",
        rf"  \varphi_n'(0) &= {_side(slopes.active0, 'w_n', slopes.passive0, 'W - w_n')}, \\",
        rf"  \varphi_m'(1) &= {_side(slopes.active1, 'w_m', slopes.passive1, 'W - w_m')}.",
        r"\end{align*}",
        r"The first is $-\infty$ for every $w_n > 0$, the second is finite."
        if _endless(slopes)
        else r"At equality $e_m$ is still the only minimiser: $\varphi_m$ is strictly convex next to $1$.",
    ]


def _by_vertices(shape: str) -> list[str]:
    return [
        rf"\emph{{(3) Which rule decides.}} $F_w$ is {shape} on the simplex, so it has its minimum at a vertex, and between "
        r"vertices $F_w(e_j) - F_w(e_m) = (w_m - w_j) \left[a(0) - a(1) + b(1) - b(0)\right] > 0$, for $a$ decreases and $b$ "
        r"increases, one of them strictly: the largest weight alone has the least value.",
    ]


def _remarks(found: Facts) -> list[str]:
    lines = []
    if found.by_level is not None and found.by_level.assumptions:
        lines.append(f"% The condition in symbols holds where: {_comment(found.by_level.assumptions)}")
    if found.by_rate is not None and found.by_rate.assumptions:
        lines.append(f"% On symmetric noise: {_comment(found.by_rate.assumptions)}")
    values = ", ".join(f"{name} = {plain(value)}" for name, value in found.loss.parameters.items())
    lines.append(
        f"% Symbols were checked against thresholds at random rational values. Parameters not open: {_comment(values)}"
    )
    lines += [f"% Not in symbols: {what}: {_comment(why)}" for what, why in found.unknown.items()]
    if found.loss.note:
        lines.append(f"% {_comment(found.loss.note)}")
    return lines


def _comment(text: str) -> str:
    """The text on one line, so that nothing leaves the comment."""
    return " ".join(text.split()).encode("ascii", "replace").decode()


def _noise(found: Facts) -> str:
    model = found.noise
    rate = "" if model.rate is None else f" and rate {show(model.rate)}"
    return f"{model.kind} noise with K = {model.classes}{rate}"
