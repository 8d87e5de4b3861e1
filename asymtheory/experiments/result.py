"""The result of a weighted-risk experiment: arrays by parameter value, draw and start, its rows and its table."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..answers import Answer
from ..jsonlines import Json
from ..layout import table
from ..numbers.text import plain
from .descent import FLAT
from .engines import NUMPY, Array
from .recipe import DISTRIBUTIONS, NEAR, Recipe
from .verdicts import asymmetric, thresholds

OUTCOMES = ("vertex", "minimiser", "other_vertex", "stationary", "moving")
VERTEX, MINIMISER, OTHER, STATIONARY, MOVING = range(5)


@dataclass(frozen=True, eq=False)
class WeightedRiskResult(Answer):
    """Arrays over P parameter values, D draws, S starts; ``str()`` is the table, ``to_dict()`` the rows and the recipe."""

    experiment: Recipe
    weights: Array  # (D, K)
    top: Array  # (D,) the class m of the largest weight
    second: Array  # (D,) the class n of the next one
    threshold: Array  # (D,) the value inside the sweep at which the loss becomes or stops being asymmetric; NaN: none
    asymmetric: Array  # (P, D) 1 yes, 0 no, -1 no rule of `condition` says
    exact: Array  # (P, D) p_m of the exact minimiser; NaN where only a search could find it
    done: Array  # (P,) bool
    reached: Array  # (P, D, S) p_m at the end
    largest: Array  # (P, D, S) the class of the largest probability at the end
    gradient: Array  # (P, D, S) Euclidean norm of dF/dz at the end, per unit of total weight
    outcome: Array  # (P, D, S) index into OUTCOMES
    steps: Array  # (P, D, S) steps made

    @classmethod
    def empty(cls, experiment: Recipe, w: Array) -> WeightedRiskResult:
        P, D, S = len(experiment.losses), experiment.draws, experiment.starts
        order = np.argsort(-w, axis=-1, kind="stable")
        verdicts = np.stack([asymmetric(loss, w) for loss in experiment.losses])
        return cls(
            experiment, w, order[:, 0], order[:, 1], thresholds(experiment, w, verdicts), verdicts,
            np.full((P, D), np.nan), np.zeros(P, dtype=bool), np.full((P, D, S), np.nan),
            np.full((P, D, S), -1, dtype=np.int32), np.full((P, D, S), np.nan),
            np.full((P, D, S), -1, dtype=np.int8), np.zeros((P, D, S), dtype=np.int32),
        )  # fmt: skip

    def arrays(self) -> dict[str, Array]:
        """All arrays by name, the parameter values as floats among them."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "experiment"}
        return {"values": np.array([float(v) for v in self.experiment.values]), **own}

    def row(self, index: int) -> Json:
        """One parameter value: shares of starts by outcome, quantiles of p_m, the exact minimiser beside them."""
        experiment = self.experiment
        value = experiment.values[index] if experiment.values else None
        reached, outcome, known = self.reached[index], self.outcome[index], self.asymmetric[index] >= 0
        exact, gradient = self.exact[index], self.gradient[index]
        moving = gradient[outcome == MOVING]
        return {
            "parameter": experiment.parameter,
            "value": None if value is None else float(value),
            "exact_value": None if value is None else str(value),
            "asymmetric": float((self.asymmetric[index][known] == 1).mean()) if known.any() else None,
            "p_m": _quantiles(reached),
            "p_m_exact": _quantiles(exact[exact == exact]),
            "distance": float(np.nanmedian(np.abs(reached - exact[:, None]))) if (exact == exact).any() else None,
            **{name: float((outcome == code).mean()) for code, name in enumerate(OUTCOMES)},
            "gradient": _quantiles(gradient),
            "gradient_moving": _quantiles(moving),
            "steps": float(self.steps[index].mean()),
        }

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the values that are done."""
        return [self.row(index) for index in range(len(self.done)) if self.done[index]]

    def to_dict(self) -> Json:
        inside = self.threshold[self.threshold == self.threshold]
        return {
            "experiment": "weighted-risk",
            "recipe": self.experiment.to_dict(),
            "threshold": {"draws": len(inside), **(_quantiles(inside) or {})},
            "rows": self.rows(),
        }

    def __str__(self) -> str:
        e = self.experiment
        fixed = ", ".join(f"{p} = {plain(v)}" for p, v in e.loss.parameters.items() if p != e.parameter)
        step = f"step size {e.rate:g}{' falling to 0' if e.optimiser == 'adam' else ''}"
        lines = [
            f"{e.loss.title}{f' ({fixed})' if fixed else ''}, K = {e.K}: {e.draws} draws x {e.starts} starts, seed {e.seed}",
            f"  {DISTRIBUTIONS[e.weights]}; z ~ N(0, {e.scale:g}^2 I); {e.optimiser}, {e.steps} steps, {step}"
            f"{'' if e.engine == NUMPY else f'; engine {e.engine}'}",
            "",
        ]
        cells: list[tuple[str, ...]] = [
            (e.parameter or "", "asymmetric", "exact p_m", "p_m", "10 %", "90 %", "e_m", "minimiser", "other", "flat",
             "moving", "|grad|"),
        ]  # fmt: skip
        for row in self.rows():
            p, exact, moving = row["p_m"] or {}, row["p_m_exact"], row["gradient_moving"]
            cells.append((
                "" if row["value"] is None else f"{row['value']:.6g}", _percent(row["asymmetric"]),
                "-" if exact is None else f"{exact['median']:.4f}",
                *(f"{p.get(q, math.nan):.4f}" for q in ("median", "low", "high")),
                *(_percent(row[name]) for name in OUTCOMES), "-" if moving is None else f"{moving['median']:.1e}",
            ))  # fmt: skip
        lines += table(
            cells, right=frozenset(range(len(cells[0]))), drop=("10 %", "90 %", "|grad|", "flat", "moving", "other")
        )
        lines += [
            "",
            "asymmetric: share of draws on which e_m is the only minimiser. p_m: median over draws and starts, and quantiles.",
            f"Shares of starts: at e_m (p_m >= {1 - NEAR:g}), at the exact minimiser (inside), at another vertex that attracts,",
            f"flat elsewhere (gradient norm <= {FLAT:g} per unit of weight), still moving: steps ran out, for softmax saturates",
            "next to a vertex or the minimum lies far; |grad| is their median gradient norm.",
        ]
        inside = self.threshold[self.threshold == self.threshold]
        if len(inside):
            q = _quantiles(inside)
            assert q is not None
            lines.append(
                f"Threshold of {e.parameter} inside the sweep for {len(inside)} of {e.draws} draws: median {q['median']:.6g}, "
                f"10 % {q['low']:.6g}, 90 % {q['high']:.6g}."
            )
        if not self.done.all():
            lines.append(f"{int(self.done.sum())} of {len(self.done)} values are done.")
        return "\n".join(lines)


def _quantiles(x: Array) -> dict[str, float] | None:
    """Median, 10 % and 90 % quantile, least and largest; None for no numbers."""
    x = x[np.isfinite(x)]  # a start that overflowed counts as still moving
    if x.size == 0:
        return None
    at = np.quantile(x, [0.5, 0.1, 0.9, 0.0, 1.0])
    return dict(zip(("median", "low", "high", "least", "largest"), at.tolist(), strict=True))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%" if share else "0"
