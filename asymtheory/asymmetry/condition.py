"""Is this loss asymmetric on these weights? The verdict, with the minimiser of the weighted risk as witness and the slack."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..answers import Answer
from ..losses.base import Loss
from ..losses.profile import Profile
from ..losses.registry import as_loss
from ..noise.models import from_weights
from ..noise.rows import NoiseModel, Row
from ..numbers.scalar import Scalar
from .binding import binding_rows, distinct_rows
from .ordering import keeps_order
from .rules import Decision, by_equality, decide, endless
from .rules.base import CUT_OFF, EXACT_VERTEX

if TYPE_CHECKING:
    from ..jsonlines import Json


IN_THE_LIMIT = "as logits grow without bound; for logits within B of each other ask `guarantee --logits B`"


@dataclass(frozen=True)
class Condition(Answer):
    """Is ``loss`` asymmetric on ``noise``? Printed as a small table; ``to_dict`` for JSON."""

    loss: str
    asymmetric: bool | None  # None: undecided by the search
    minimiser: tuple[float, ...] | None  # of the weighted risk on the deciding row
    slack: float | None  # of the deciding inequality, per unit of total weight; >= 0 where it holds
    method: str
    reason: str
    row: int  # the deciding row (true class)
    rival: int  # the class of the second largest weight there
    classes: int
    names: tuple[str, ...] | None = None
    keeps_argmax: bool | None = None  # not asymmetric, and yet the minimiser's largest entry is the clean class
    in_the_limit: bool = False  # the verdict is about sequences towards the boundary, which no finite softmax reaches
    numeric: bool = False  # a yes that a search did not refute, and that nothing proves

    def to_dict(self) -> Json:
        return {
            "loss": self.loss,
            "asymmetric": self.asymmetric,
            "minimiser": None if self.minimiser is None else list(self.minimiser),
            "slack": None if self.slack is None or math.isinf(self.slack) else self.slack,  # JSON has no infinity
            "method": self.method,
            "reason": self.reason,
            "row": self.row,
            "rival": self.rival,
            "classes": self.classes,
            "keeps_argmax": self.keeps_argmax,
            "in_the_limit": self.in_the_limit,
            "numeric": self.numeric,
        }

    def __str__(self) -> str:
        answer = {True: "asymmetric", False: "not asymmetric", None: "undecided"}[self.asymmetric]
        lines = [f"{self.loss}: {answer}{' (numeric, not proved)' if self.numeric else ''}"]
        if self.minimiser is not None:
            shown = ", ".join(f"{x:.6g}" for x in self.minimiser[:10]) + (", ..." if len(self.minimiser) > 10 else "")
            lines.append(f"  minimiser  ({shown})")
        if self.slack is not None:
            lines.append(f"  slack      {self.slack:.6g}")
        if self.keeps_argmax:
            lines.append("  argmax     kept: the minimiser is not the vertex, but its largest entry is the clean class")
        if self.in_the_limit:
            lines.append(f"  limit      {IN_THE_LIMIT}")
        lines += [f"  method     {self.method}", f"  why        {self.reason}"]
        return "\n".join(lines)


def check(loss: Loss | str, noise: NoiseModel | Iterable[Scalar], **parameters: Scalar) -> Condition:
    """Decide whether ``loss`` is asymmetric on every row of a noise model (or on one vector of weights).

    The row reported is one that fails (of those the rules settle, the one with least slack), else an undecided one,
    else the one with least slack. Raises InputError for weights without a unique largest one.

        >>> check("amse", [5, 3, 2], a=3).asymmetric
        False
        >>> check("amse:a=5", [5, 3, 2]).asymmetric
        True

    ``loss`` may be a name (``"amse"``, ``"amse:a=3"``), whose parameters are keywords.
    """
    loss = as_loss(loss, parameters)
    from .certificates import search  # late: numpy is not on the start-up path of `bound`

    model = noise if isinstance(noise, NoiseModel) else from_weights(noise)
    found = [(index, row, decide(loss, row)) for index, row in binding_rows(model, by_equality(loss, model.classes))]
    index, row, decision = min(found, key=lambda f: _order(f[2], f[1]))
    point, method = None, ""
    if decision.holds is None:  # a search depends on all weights, not on the largest two only
        searched = []
        for index, row in distinct_rows(model):
            decision = decide(loss, row)
            searched.append(
                (index, row, *(search(loss, row, decision) if decision.holds is None else (decision, None, "")))
            )
            if searched[-1][2].holds is False:
                break
        index, row, decision, point, method = min(searched, key=lambda f: _order(f[2], f[1]))
    if point is None:
        point, found_by = _witness(loss, row, decision)
        method = method or found_by
    return Condition(
        str(loss), decision.holds, None if point is None else tuple(float(x) for x in point), decision.gap, method,
        decision.reason, index, row.runner_up, len(row.weights), model.names,
        keeps_order(Profile.of(loss, len(row.weights))) if decision.holds is False and row.dominant and not loss.joint else None,
        not loss.joint and _in_the_limit(Profile.of(loss, len(row.weights)), decision),
        method.startswith("numeric"),
    )  # fmt: skip


def _witness(loss: Loss, row: Row, decision: Decision) -> tuple[Scalar, str]:
    """The minimiser of the weighted risk on a settled row: the (cut-off) vertex itself where the verdict is yes."""
    from .risk import minimise  # late: numpy is not on the start-up path of `bound`

    rule, by_inequality = decision.rule, decision.gap is not None
    vertex = rule.vertex(row.target) if decision.holds else None
    if vertex is not None:
        return vertex, CUT_OFF if rule.floor else rule.at_vertex if by_inequality else EXACT_VERTEX
    solution = minimise(loss, [float(w) for w in row.weights])
    if rule.searched and by_inequality and decision.holds is False:
        return solution.point, "certified: the first-order condition at the vertex fails"
    if not math.isfinite(solution.value) and by_inequality:
        return None, "the inequality, in Arb; the risk itself is too large for floats"
    return solution.point, solution.method


def _in_the_limit(profile: Profile, decision: Decision) -> bool:
    """Is the verdict one about minimising sequences? NCE and NFL have no value at the boundary, and F may be unbounded below."""
    if profile.negative or decision.holds is None:
        return False
    unbounded = decision.holds and decision.rule.at_zero and decision.gap not in (None, 0.0)
    return unbounded or any(endless(atom) for _, atom in profile.normalised)


def _order(decision: Decision, row: Row) -> tuple[int, float, float]:
    """What binds comes first: by the verdict, then by the slack, then by the margin."""
    gap = math.inf if decision.gap is None else decision.gap
    return {False: 0, None: 1, True: 2}[decision.holds], gap, float(row.margin)
