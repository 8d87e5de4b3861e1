"""What the rows of :func:`.confirm.confirm` say, computed from the rows alone: numbers and sentences, for one regime.

Nothing here knows how it ought to come out. Where a curve has no transition, where there are too few rows or seeds, and where
the theory is silent, that is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.isotonic import IsotonicRegression

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json, JsonValue

REPLICATES = 400
RISE = 0.05  # a curve that rises by less over the grid has no transition to locate
LEAST = 4  # values in a curve, or pairs in a correlation, below which neither is computed
MOST_MISSED = 0.2  # share of bootstrap replicates without a transition from which on no interval is given

Row = Mapping[str, JsonValue]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Transition:
    """Where a rising curve passes the middle between its ends, as a factor of the threshold (None: it does not rise).

    ``low``, ``high``: 95 % bootstrap interval over seeds, too narrow where these are few (see :func:`.confirm_rows.interval`);
    None with one seed, or where too many replicates have none.
    """

    factor: float | None
    rise: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> Json:
        return {"factor": self.factor, "rise": self.rise, "low": self.low, "high": self.high}

    def __str__(self) -> str:
        if self.factor is None:
            return f"no transition (it rises by {self.rise:.3f} over the grid)"
        around = "" if self.low is None else f" [{self.low:.3g}, {self.high:.3g}]"
        return f"{self.factor:.3g} a*{around}"


def crossing(factors: Sequence[float], values: Sequence[float]) -> tuple[float | None, float]:
    """Isotonic (rising) least squares of values over log factors: where it passes its middle, and how much it rises."""
    x = np.log2(np.asarray(factors, dtype=float))
    fit = IsotonicRegression().fit_transform(x, np.asarray(values, dtype=float))
    rise = float(fit[-1] - fit[0])
    if rise < RISE:
        return None, rise
    middle = (fit[0] + fit[-1]) / 2
    i = int(np.argmax(fit >= middle))  # fit[0] < middle, so i >= 1
    share = (middle - fit[i - 1]) / (fit[i] - fit[i - 1])
    return float(2 ** (x[i - 1] + share * (x[i] - x[i - 1]))), rise


def locate(factors: Sequence[float], by_seed: Floats, seed: int = 0) -> Transition:
    """The transition of the mean over seeds of curves (S, V); an interval from seeds drawn with replacement."""
    where, rise = crossing(factors, by_seed.mean(0))
    if where is None or len(by_seed) < 2:
        return Transition(where, rise)
    random = np.random.default_rng(seed)
    drawn = [
        crossing(factors, by_seed[random.integers(len(by_seed), size=len(by_seed))].mean(0))[0]
        for _ in range(REPLICATES)
    ]
    found = [each for each in drawn if each is not None]
    if len(found) < (1 - MOST_MISSED) * REPLICATES:
        return Transition(where, rise)
    low, high = np.quantile(found, [0.025, 0.975])
    return Transition(where, rise, float(low), float(high))


def transitions(rows: Sequence[Row]) -> Json | None:
    """Where the curves of one loss turn (each a :class:`Transition`): ``measured`` and ``exact`` p in the population regime,
    ``memorised`` (its fall) in the fixed one. None with fewer than four values that were measured around a threshold."""
    if rows[0]["regime"] == "population":
        good = [row for row in rows if row["measured"] is not None]
        factors, curves = curve(good, "measured")
        if len(factors) < LEAST:
            return None
        exact = {float(row["factor"]): float(row["exact"]) for row in good if row["factor"] is not None}
        return {
            "measured": locate(factors, curves).to_dict(),
            "exact": Transition(*crossing(factors, [exact[factor] for factor in factors])).to_dict(),
        }
    factors, curves = curve([row for row in rows if row["last"] is not None], "memorised")
    if len(factors) < LEAST or not np.isfinite(curves).all():
        return None
    return {"memorised": locate(factors, -curves).to_dict()}


def spearman(pairs: Sequence[tuple[float | None, float | None]]) -> Json | None:
    """Rank correlation of the pairs that are whole: rho, their number; None for fewer than four, or where one side is constant."""
    whole = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len(whole) < LEAST or any(len(set(side)) < 2 for side in zip(*whole, strict=True)):
        return None
    first, second = zip(*whole, strict=True)
    return {"rho": float(spearmanr(first, second).statistic), "n": len(whole)}


def summarise(rows: Sequence[Row]) -> Json:
    """Figures (``losses``, ``pooled``) and sentences (``says``) for the rows of one regime."""
    regimes = {row["regime"] for row in rows}
    if len(regimes) != 1:
        raise InputError(f"rows of {' and '.join(sorted(regimes)) or 'no regime'}: one regime at a time")
    (regime,) = regimes
    by_loss: dict[str, list[Row]] = {}
    for row in rows:
        by_loss.setdefault(name_of(row), []).append(row)
    return (_population if regime == "population" else _fixed)(by_loss)


def name_of(row: Row) -> str:
    """``amse (q = 2)``: a loss with the parameters that do not vary."""
    inside = ", ".join(f"{name} = {value}" for name, value in row["fixed"].items())
    return f"{row['loss']}{f' ({inside})' if inside else ''}"


def _population_of(name: str, rows: Sequence[Row]) -> tuple[Json, list[str]]:
    """The runs of one loss in the population regime: figures, and lines for people."""
    good = [row for row in rows if row["measured"] is not None]
    facts: Json = {"status": rows[0]["status"], "threshold": rows[0]["threshold"]}
    facts["rank"] = spearman([(row["exact"], row["measured"]) for row in good])
    facts["deviation"] = _spread([row["deviation"] for row in good])
    below = [row for row in good if row["factor"] is not None and row["factor"] < 1]
    at = [row for row in good if row["factor"] == 1]
    above = [row for row in good if row["factor"] is not None and row["factor"] > 1]
    facts["below"] = _side(below)
    facts["at"] = {"measured": at[0]["measured"], "distance": 1 - at[0]["measured"]} if at else None
    facts["above"] = _side(above)
    says = [f"{name}: {_where(rows[0])}"]
    if below:
        b = facts["below"]
        says.append(
            f"  below a*: measured p deviates from the exact minimiser by {b['mean']:+.4f} on average, at most "
            f"{b['largest']:.4f}; the interval holds 0 at {b['holding']} of {b['n']} values"
        )
    if at:
        p = at[0]["measured"]
        says.append(f"  at a*: p = {p:.4f}, {1 - p:.4f} short of 1 (a softmax reaches 1 in no finite time)")
    if above:
        values, exact = ([row[what] for row in above] for what in ("measured", "exact"))
        says.append(f"  above a*: p from {min(values):.4f} to {max(values):.4f}, exactly {_range(exact)}")
    turns = transitions(rows)
    if turns is not None:
        facts["transition"], facts["exact_transition"] = turns["measured"], turns["exact"]
        says.append(
            f"  half-way up: measured at {Transition(**facts['transition'])}, exact at "
            f"{Transition(**facts['exact_transition'])}"
        )
    facts["lost"] = sum(sum(row["lost"]) for row in good)
    if facts["lost"]:
        says.append(f"  {_lost(good)}")
    if not rows[0]["threshold"]:
        values = [row["measured"] for row in good]
        if values:
            worst = max(good, key=lambda row: abs(row["deviation"]))
            says.append(
                f"  p from {min(values):.4f} to {max(values):.4f}; farthest from the exact minimiser: "
                f"{worst['measured']:.4f} for {worst['exact']:.4f}"
            )
    if any(not row["proved"] for row in rows):
        says.append("  the exact minimiser is found by a search here, not proved")
    says += _failed(rows)
    return facts, says


def _population(by_loss: Mapping[str, Sequence[Row]]) -> Json:
    figures, says = {}, []
    for name, rows in by_loss.items():
        figures[name], lines = _population_of(name, rows)
        says += lines
    pooled = {
        "rank": spearman([(row["exact"], row["measured"]) for rows in by_loss.values() for row in rows]),
        "deviation": _spread(
            [row["deviation"] for rows in by_loss.values() for row in rows if row["measured"] is not None]
        ),
    }
    says.append(
        f"all: {_rank('exact against measured p', pooled['rank'])}; mean deviation {pooled['deviation']['mean']:+.4f}, "
        f"largest {pooled['deviation']['largest']:.4f}"
        if pooled["deviation"]
        else "all: nothing was measured"
    )
    says.append(
        "the theory is silent on: how fast the minimiser is approached, the penalty on the weights, what the network cannot fit"
    )
    return {"regime": "population", "losses": figures, "pooled": pooled, "says": says}


def _fixed(by_loss: Mapping[str, Sequence[Row]]) -> Json:
    figures, says = {}, []
    for name, rows in by_loss.items():
        good = [row for row in rows if row["last"] is not None]
        facts: Json = {"status": rows[0]["status"], "threshold": rows[0]["threshold"]}
        says.append(f"{name}: {_where(rows[0])}")
        for side, kept in (
            ("below", [row for row in good if row["factor"] is not None and row["factor"] < 1]),
            ("at", [row for row in good if row["factor"] == 1]),
            ("above", [row for row in good if row["factor"] is not None and row["factor"] > 1]),
        ):
            facts[side] = (
                {what: _mean([row[what] for row in kept]) for what in ("memorised", "last", "drop", "clean")}
                if kept
                else None
            )
            if kept:
                says.append(f"  {side:<5} a*: {_shares(facts[side])}")
        if not rows[0]["threshold"] and good:
            facts["all"] = {what: _mean([row[what] for row in good]) for what in ("memorised", "last", "drop", "clean")}
            says.append(f"  all values: {_shares(facts['all'])}")
        for what in ("memorised", "last", "drop"):
            facts[f"rank_{what}"] = spearman([(row["level"], row[what]) for row in good])
        if any(facts[f"rank_{what}"] for what in ("memorised", "last", "drop")):
            parts = [_rank(what, facts[f"rank_{what}"]) for what in ("memorised", "last", "drop")]
            says.append(f"  c r (the level) against: {'; '.join(parts)}")
        turns = transitions(rows)
        if turns is not None:
            facts["transition"] = turns["memorised"]
            says.append(f"  memorisation falls half-way at {Transition(**facts['transition'])}")
        says += _failed(rows)
        figures[name] = facts
    every = [row for rows in by_loss.values() for row in rows]
    pooled = {
        f"rank_{what}": spearman([(row["level"], row[what]) for row in every]) for what in ("memorised", "last", "drop")
    }
    parts = [_rank(what, pooled[f"rank_{what}"]) for what in ("memorised", "last", "drop")]
    says.append(f"all losses on one axis, c r against: {'; '.join(parts)}")
    says.append(
        "the theory is silent here: it speaks of the population risk, not of finitely many labels, each seen again and again; "
        "optimisation and capacity decide what is memorised"
    )
    return {"regime": "fixed", "losses": figures, "pooled": pooled, "says": says}


def curve(rows: Sequence[Row], what: str) -> tuple[list[float], Floats]:
    """Factors of the threshold, ascending, and the curves (S, V) of a measurement of every seed over them."""
    kept = sorted((row for row in rows if row["factor"] is not None), key=lambda row: float(row["factor"]))
    values = [[math.nan if x is None else x for x in row["by_seed"][what] or [None] * row["seeds"]] for row in kept]
    return [float(row["factor"]) for row in kept], np.array(values, dtype=float).T


def _where(row: Row) -> str:
    if row["threshold"] is None:
        told = {"always": "asymmetric at every value: no threshold", "never": "asymmetric at no value: no threshold"}
        return told.get(row["status"], f"{row['status']}: no threshold")
    outside = len(row["outside"])
    gone = f"; {outside} of the grid's values lie outside the domain of {row['parameter']}" if outside else ""
    return f"a* = {row['threshold']:.6g} ({row['parameter']}){gone}"


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"


def _side(rows: Sequence[Row]) -> Json | None:
    if not rows:
        return None
    holding = sum(row["deviation_low"] <= 0 <= row["deviation_high"] for row in rows)
    spread = _spread([row["deviation"] for row in rows])
    assert spread is not None
    return {**spread, "holding": holding}


def _lost(rows: Sequence[Row]) -> str:
    """A sentence on the classes that some seed took for another one, and on p without them."""
    sides: dict[str, list[Row]] = {"below": [], "at": [], "above": [], "in all": []}
    for row in rows:
        factor = row["factor"]
        sides["in all" if factor is None else "below" if factor < 1 else "above" if factor > 1 else "at"].append(row)
    parts = []
    for side, kept in sides.items():
        if kept:
            count = sum(sum(row["lost"]) for row in kept)
            every = sum(len(row["lost"]) * row["seeds"] for row in kept)
            mean = _mean([None if row["kept"] is None else row["kept"]["measured"] for row in kept])
            without = "" if mean is None else f" (p without them {mean:.4f})"
            parts.append(f"{side}{'' if side == 'in all' else ' a*'} {count} of {every}{without}")
    return f"classes taken for another one by a seed: {', '.join(parts)}"


def _spread(deviations: Sequence[float]) -> Json | None:
    if not deviations:
        return None
    return {"mean": float(np.mean(deviations)), "largest": float(np.abs(deviations).max()), "n": len(deviations)}


def _mean(values: Sequence[float | None]) -> float | None:
    kept = [value for value in values if value is not None]
    return float(np.mean(kept)) if kept else None


def _shares(facts: Mapping[str, float | None]) -> str:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    return (
        f"memorised {shown(facts['memorised'])}, last {shown(facts['last'])}, drop from the best {shown(facts['drop'])}, "
        f"clean part fitted {shown(facts['clean'])}"
    )


def _rank(what: str, found: Mapping[str, JsonValue] | None) -> str:
    return (
        f"{what}: no rank correlation" if found is None else f"{what}: Spearman {found['rho']:+.2f} (n = {found['n']})"
    )


def _failed(rows: Sequence[Row]) -> list[str]:
    failed = sum(row["diverged"] for row in rows)
    return [f"  {failed} models diverged"] if failed else []
