"""What judges of several papers share: losses and risks on exact numbers, proofs of identity, and numbers for a report."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ..losses.base import Loss, Normalised
from ..numbers.backends import Backend, sympy_
from ..numbers.jet import Jet


def labels(loss: Loss, u: Sequence[Any], xp: Backend | None = None, along: int | None = None) -> list[Any]:
    """``L(u, k)`` for every label k from the core, in the number system ``xp`` (None: sympy, exactly).

    ``along = j`` gives jets whose slope is the derivative in u_j; a label whose value u_j does not enter keeps a number.
    """
    import numpy as np

    xp = sympy_() if xp is None else xp
    p, logp = np.empty(len(u), dtype=object), np.empty(len(u), dtype=object)
    for k, x in enumerate(u):
        p[k] = xp.variable(xp.number(x)) if k == along else xp.number(x)
        logp[k] = xp.log(p[k])
    values = np.broadcast_to(loss.on(xp).labels(p, logp, xp), p.shape)
    return [x if isinstance(x, Jet) else xp.number(x) for x in values]


def exact_risk(loss: Loss, weights: Sequence[Any], u: Sequence[Any]) -> Any:
    """``sum_k w_k L(u, k)``, exactly; a weight 0 removes its term."""
    xp = sympy_()
    return sum((xp.number(w) * x for w, x in zip(weights, labels(loss, u), strict=True) if w != 0), start=xp.number(0))


def summand(loss: Loss, own: bool) -> Any:
    """The k-th summand of the loss as the paper writes it, at k = y or k != y; common denominators left out."""
    import sympy as sp

    xp, p = sympy_(), sp.Symbol("p", positive=True)
    base: Any = loss.base if isinstance(loss, Normalised) else loss
    return xp.number((base.on(xp).active if own else base.on(xp).passive)(p, sp.log(p), xp))


def zero(expression: Any) -> bool:
    """Is a sympy expression in positive symbols identically 0? Only a proof counts."""
    import sympy as sp

    return bool(sp.simplify(sp.cancel(sp.together(sp.expand_log(sp.sympify(expression), force=True)))) == 0)


def numbers(values: Sequence[Any]) -> list[float]:
    return [float(x) for x in values]


def rational(u: Sequence[Any]) -> list[str]:
    return [str(Fraction(x)) for x in u]
