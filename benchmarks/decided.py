"""How many verdicts and thresholds are decided, how long they take, and whether brute force contradicts one.

    python benchmarks/decided.py [--count 400] [--seed 0] [--show]

From a seed come random registered losses and two-term sums, smooth formulas, parameters and weights (ties, zeros, ratios to 1e12,
2 to 50 classes). Of each kind it prints the share that stays undecided and the median and worst time. Every yes is attacked: by
transfers between classes, random points and local descent from several starts, in floats. A point whose risk is less than at the
vertex by more than rounding is a contradiction (unless Arb says the contrary at parameters of 1e12 and more, which cancel). A
multistart that finds nothing proves nothing: it counts for neither side.
Thresholds are attacked a thousandth below and above each of their ends (a value that is always, or never, allowed where there is
none): on the allowed side nothing may be found, on the other side something should be; how often it is, is printed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from _timing import show
from flint import ctx
from numpy.typing import NDArray

from asymtheory import Loss, build, check, from_formula, solve
from asymtheory.asymmetry.binding import binding_rows
from asymtheory.asymmetry.certificates import excesses
from asymtheory.asymmetry.rules import rule
from asymtheory.errors import InputError
from asymtheory.losses import Sum, names
from asymtheory.losses.base import NormalisedNegative
from asymtheory.losses.domain import Domain, at_least
from asymtheory.noise import from_weights, pair, symmetric
from asymtheory.noise.rows import NoiseModel
from asymtheory.threshold.pieces import Threshold

COUNT, SEED = 400, 0
STARTS = 24
BITS = 400  # of Arb

# --------------------------------------------------------------------------------------------------- what is drawn

PLAIN = ("0.3", "0.5", "0.7", "1", "1.5", "2", "3", "5.5", "10", "30")


def number(rng: np.random.Generator, domain: Domain) -> Fraction:
    """A value of a parameter: a plain decimal half of the time, else spread over magnitudes."""
    low, high = domain.low, domain.high
    if domain.integer:
        return Fraction(int(low or 0) + int(rng.integers(0, 6)))
    for _ in range(100):
        if rng.random() < 0.5:
            value = Fraction(str(rng.choice(PLAIN)))
        elif low is not None and high is not None:
            value = low + (high - low) * Fraction(f"{rng.uniform(0.01, 0.99):.3g}")
        else:
            value = Fraction(f"{10 ** rng.uniform(-2, 2):.3g}")
            value = (low + value) if low is not None else (high - value if high is not None else value)
        if value in domain:
            return value
    raise AssertionError(f"no value drawn in {domain}")


def atom(rng: np.random.Generator, K: int) -> Loss:
    """One registered loss that is not a sum, with random parameters."""
    while True:
        loss = build(str(rng.choice([name for name in names() if not isinstance(build(name), Sum)])))
        values = {p: number(rng, d) for p, d in loss.domains.items() if p not in ("p_min", "A")}
        try:
            loss = loss.replace(**values)
        except InputError:  # values that are allowed one by one, not together
            continue
        if isinstance(loss, NormalisedNegative) and Fraction(str(loss.parameters["p_min"])) * K >= 1:
            continue
        return loss


def random_loss(rng: np.random.Generator, K: int) -> Loss:
    """A registered loss or a sum of two with random coefficients."""
    if rng.random() < 0.25:
        return atom(rng, K)
    while True:
        one, two = atom(rng, K), atom(rng, K)
        try:
            found = (
                Fraction(f"{10 ** rng.uniform(-1.5, 1.5):.2g}") * one
                + Fraction(f"{10 ** rng.uniform(-1.5, 1.5):.2g}") * two
            )
            check(found, [1] + [0] * (K - 1))
        except InputError:  # clipped logits or two different negative losses cannot be summed
            continue
        return found


FORMULAS: tuple[tuple[str, Callable[[np.random.Generator], dict[str, float]]], ...] = (
    ("-log(b+u)", lambda rng: {"b": 10 ** rng.uniform(-2, 1)}),
    ("(1-u)**p", lambda rng: {"p": rng.uniform(0.2, 4)}),
    ("(1-u**q)/q", lambda rng: {"q": rng.uniform(0.2, 3)}),
    ("exp(-c*u)", lambda rng: {"c": 10 ** rng.uniform(-1, 1.3)}),
    ("1/(1+exp(s*(u-h)))", lambda rng: {"s": rng.uniform(1, 20), "h": rng.uniform(0.1, 0.9)}),
    ("log(1+e*(1-u)**2)", lambda rng: {"e": 10 ** rng.uniform(-1, 2)}),
    ("sqrt(d+(1-u)**2)", lambda rng: {"d": 10 ** rng.uniform(-2, 1)}),
    ("u*log(u)-(1+u)*log(1+u)", lambda rng: {}),
    ("1/(f+u)", lambda rng: {"f": 10 ** rng.uniform(-1, 1)}),
    ("(1-u)/(1+g*u)", lambda rng: {"g": rng.uniform(0, 5)}),
    ("log(1+exp(-r*u))", lambda rng: {"r": rng.uniform(0.5, 10)}),
    ("-u-t*u**3", lambda rng: {"t": rng.uniform(0.1, 3)}),
)


SUMS: tuple[tuple[str, Callable[[np.random.Generator], dict[str, float]]], ...] = (
    ("1-u_y+a*norm(u,p)", lambda rng: {"a": 10 ** rng.uniform(-2, 0.3), "p": rng.uniform(1, 5)}),
    ("2-u_y-a*norm(u,p)", lambda rng: {"a": rng.uniform(0.02, 0.5), "p": rng.uniform(1, 5)}),
    ("1-u_y+a*norm(u,p)", lambda rng: {"a": 10 ** rng.uniform(-2, 0), "p": rng.uniform(0.3, 1)}),
    ("(b-u_y)**2+a*max(u)", lambda rng: {"a": 10 ** rng.uniform(-2, 0.3), "b": rng.uniform(1, 6)}),
    ("(1-u_y**q)/q*(1+a*sum(u**2))", lambda rng: {"q": rng.uniform(0.3, 2), "a": 10 ** rng.uniform(-1, 1)}),
    ("(1-u_y)**b/(c+sum(u**2))", lambda rng: {"b": rng.uniform(0.5, 2.5), "c": rng.uniform(0.1, 3)}),
    ("(1-u_y**q)/sum(1-u**q)", lambda rng: {"q": rng.uniform(0.3, 3)}),
    ("log(b+u_y)/sum(log(b+u))", lambda rng: {"b": rng.uniform(0.01, 0.9)}),
    ("log(u)/sum(log(u))+a*(1-u)**b", lambda rng: {"a": rng.uniform(0.1, 5), "b": rng.uniform(0.4, 3)}),
    ("-log(b+u_y)*max(u)+2*log(1+b)", lambda rng: {"b": rng.uniform(0.1, 3)}),
    ("1-u_y/norm(u,p)", lambda rng: {"p": rng.uniform(1.2, 6)}),
    ("exp(-c*u_y)*sum(u**q)", lambda rng: {"c": rng.uniform(0.3, 4), "q": rng.uniform(0.3, 3)}),
    ("sum(max(0,h+u-u_y))", lambda rng: {"h": rng.uniform(0.1, 2)}),
    ("sqrt(sum((u-u_y)**2))+c*(1-u_y)", lambda rng: {"c": rng.uniform(0.5, 4)}),
    (
        "-log((u_y+where(u_y>=max(u),m,0))/(1+m))+c*(1-u_y)",
        lambda rng: {"m": 10 ** rng.uniform(-1, 2), "c": rng.uniform(0, 5)},
    ),
    ("-log(u_y)+lam*sum(u**q)", lambda rng: {"lam": rng.uniform(0.1, 1), "q": rng.uniform(0.1, 0.9)}),
    ("(b-u_y)**2+c*(sum(u**2)-u_y**2)", lambda rng: {"b": rng.uniform(1, 10), "c": rng.uniform(0.2, 2)}),
    ("1-tanh(s*u_y)+a*sum(u**2)/K", lambda rng: {"s": rng.uniform(0.3, 4), "a": rng.uniform(0.1, 3)}),
    ("acos(sqrt(u_y))**2+a*(1-u_y)", lambda rng: {"a": rng.uniform(0, 5)}),
    ("where(u_y<h,1+h-2*u_y,1-u_y)", lambda rng: {"h": rng.uniform(0.1, 0.9)}),
)
"""Formulas with sums over classes, with K, and with the further functions."""


def random_sum(rng: np.random.Generator) -> Loss:
    """A formula of ``SUMS`` with random parameters."""
    while True:
        text, draw = SUMS[int(rng.integers(len(SUMS)))]
        parameters = {name: Fraction(f"{value:.3g}") for name, value in draw(rng).items()}
        try:
            return from_formula(text, domains={p: at_least(0) for p in parameters}, **parameters)
        except InputError:
            continue


def formulas(count: int, seed: int, attack: bool = True) -> Tally:
    """Half of them separable by their form, half of ``SUMS``, on at most 10 classes; a no must have less risk in floats, too."""
    rng = np.random.default_rng([seed, 4])
    tally = Tally("formulas of every kind: verdicts")
    for index in range(count):
        weights = random_weights(rng)
        while len(weights) > 10:
            weights = random_weights(rng)
        loss = random_sum(rng) if index % 2 else random_formula(rng)
        try:
            said, seconds = timed(lambda loss=loss, weights=weights: check(loss, weights))  # type: ignore[misc]
        except InputError:  # K makes it increase
            continue
        what = f"{loss!r} on {[str(w) for w in weights]}: {said.reason}; {said.method}"
        tally.add({True: "yes", False: "no", None: "undecided"}[said.asymmetric], seconds, what)
        vertex = np.eye(len(weights))[int(np.argmax([float(w) for w in weights]))]
        less = attacked(loss, weights, vertex, rng) if attack and said.asymmetric is not None else None
        if said.asymmetric and less is not None:
            tally.contradictions.append(f"{what}: {less:.3g}")
        if attack and said.asymmetric is False and less is None and said.minimiser is not None:
            at = float(excess(loss, weights, vertex, np.array(said.minimiser)[None])[0])
            tally.unseen += np.isfinite(at) and not at < 0  # the risk may be infinite at the vertex
    return tally


def random_formula(rng: np.random.Generator) -> Loss:
    """A smooth decreasing formula: one or two terms, half of the time with a passive part."""
    while True:
        picked = rng.choice(len(FORMULAS), size=int(rng.integers(1, 3)), replace=False)
        texts: list[str] = []
        parameters: dict[str, Fraction] = {}
        for i in picked:
            text, draw = FORMULAS[i]
            weight = "" if len(picked) == 1 else f"{10 ** rng.uniform(-1, 1):.2g}*"
            texts.append(f"{weight}({text})")
            parameters |= {name: Fraction(f"{value:.3g}") for name, value in draw(rng).items()}
        passive = str(rng.choice(("u", "u**2", "2*u", "u**0.5", "u+u**3"))) if rng.random() < 0.3 else None
        try:
            return from_formula("+".join(texts), passive, **parameters)
        except InputError:
            continue


def random_weights(rng: np.random.Generator) -> list[Fraction]:
    """Weights with one largest: plain, with ties, with zeros, with a uniform rest, or over twelve magnitudes."""
    K = int(rng.choice((2, 3, 3, 4, 5, 10, 10, 20, 50)))
    kind = rng.integers(0, 6)
    if kind == 0:
        rest = [Fraction(1)] * (K - 1)
    elif kind == 1:
        rest = [Fraction(f"{10 ** rng.uniform(-12, 0):.3g}") for _ in range(K - 1)]
    elif kind == 2:
        rest = [Fraction(int(x)) for x in rng.integers(0, 4, K - 1)]
    elif kind == 3:
        rest = [Fraction(1)] + [Fraction(0)] * (K - 2)
    else:
        rest = [Fraction(f"{x:.3g}") for x in rng.uniform(0.01, 1, K - 1)]
    if max(rest) == 0:
        rest[0] = Fraction(1)
    margin = Fraction(f"{10 ** rng.uniform(-2, 1.5):.3g}")
    weights = [max(rest) * (1 + margin), *rest]
    order = rng.permutation(K)
    return [weights[i] for i in order]


def random_model(rng: np.random.Generator, weights: list[Fraction]) -> NoiseModel:
    """One row, or a symmetric or pair noise that clean labels dominate."""
    K, kind = len(weights), rng.integers(0, 3)
    if kind == 0:
        return from_weights(weights)
    if kind == 1:
        return symmetric(K, Fraction(f"{rng.uniform(0.02, 0.98) * (K - 1) / K:.3g}"))
    return pair(K, Fraction(f"{rng.uniform(0.01, 0.49):.3g}"))


# ---------------------------------------------------------------------------------------------------- brute force


def excess(
    loss: Loss, weights: list[Fraction], vertex: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``F(u) - F(vertex)`` in floats for points (N, K)."""
    w = np.array([float(x) for x in weights])
    with np.errstate(all="ignore"):
        rows = np.where(w == 0, 0.0, loss(np.vstack([vertex, points])) * w)
        risk = rows.sum(-1)
        return risk[1:] - risk[0]


def attacked(
    loss: Loss, weights: list[Fraction], vertex: NDArray[np.float64], rng: np.random.Generator
) -> float | None:
    """The least excess over the vertex that a search finds beyond rounding, None for none below 0."""
    from scipy.optimize import minimize

    K, floor = len(weights), float(vertex.min())
    top = int(vertex.argmax())
    w = np.array([float(x) for x in weights])
    order = np.argsort(-w)
    others = [int(k) for k in order if k != top]
    shares = np.concatenate([np.geomspace(1e-12, 1e-3, 40), np.linspace(1e-3, 1, 200)])
    points = []
    for count in sorted({1, 2, 3, min(5, K - 1), K - 1}):
        if count > K - 1:
            continue
        move = np.zeros((len(shares), K))
        move[:, top] = 1 - shares
        move[:, others[:count]] = (shares / count)[:, None]
        points.append(move)
    points.append(rng.dirichlet(np.full(K, 0.3), 400))
    points.append(rng.dirichlet(np.full(K, 0.03), 400))
    u = floor + (1 - K * floor) * np.vstack(points)
    found = excess(loss, weights, vertex, u)
    found = np.where(np.isfinite(found), found, np.inf)
    best = [u[i] for i in np.argsort(found)[:4]]
    if K <= 20:
        starts = [np.log(np.maximum(b, 1e-12)) for b in best[:2]] + [rng.normal(0, 3, K) for _ in range(STARTS // 4)]

        def objective(z: NDArray[np.float64]) -> float:
            e = np.exp(z - z.max())
            value = float(excess(loss, weights, vertex, floor + (1 - K * floor) * (e / e.sum())[None])[0])
            return value if np.isfinite(value) else 1e300

        for start in starts:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                z = minimize(objective, start, method="L-BFGS-B", options={"maxiter": 60}).x
            e = np.exp(z - z.max())
            best.append(floor + (1 - K * floor) * e / e.sum())
    return _certain(loss, weights, vertex, best)


def _certain(
    loss: Loss, weights: list[Fraction], vertex: NDArray[np.float64], points: list[NDArray[np.float64]]
) -> float | None:
    """The least excess below 0 by more than rounding; None for none."""
    least = None
    scale = float(np.abs(np.nan_to_num(loss(vertex), posinf=0, neginf=0)).max()) + 1.0
    for u in points:
        rough = float(excess(loss, weights, vertex, u[None])[0])
        if not rough < -1e-13 * scale * float(sum(weights)) or _refuted(loss, weights, u):
            continue
        least = rough if least is None else min(least, rough)
    return least


def _refuted(loss: Loss, weights: list[Fraction], point: NDArray[np.float64]) -> bool:
    """Is the risk not less there in Arb? Immense parameters cancel in floats."""
    if max((abs(float(v)) for _, atom in loss.terms() for v in atom.parameters.values()), default=0.0) < 1e12:
        return False
    with ctx.workprec(BITS):
        found = list(excesses(loss, from_weights(weights).rows[0], point))
        return bool(found) and all(bool(each >= 0) for each in found)


# -------------------------------------------------------------------------------------------------------- measuring


@dataclass
class Tally:
    """What came out for one kind of question."""

    name: str
    seconds: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    undecided: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    unseen: int = 0  # a no whose point of less risk floats do not show
    seen: Counter[bool] = field(default_factory=Counter)  # values said to fail: does the search find less risk there?

    def add(self, answer: str, seconds: float, what: str) -> None:
        self.answers[answer] += 1
        self.seconds.append(seconds)
        if answer == "undecided":
            self.undecided.append(what)


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the processor time that it took: other work on the machine does not count."""
    start = time.process_time()
    found = run()
    return found, time.process_time() - start


def checks(count: int, seed: int, formulas: bool, attack: bool = True) -> Tally:
    rng = np.random.default_rng([seed, 1 + formulas])
    tally = Tally("formulas: verdicts" if formulas else "losses and sums: verdicts")
    for _ in range(count):
        weights = random_weights(rng)
        loss = random_formula(rng) if formulas else random_loss(rng, len(weights))
        said, seconds = timed(lambda loss=loss, weights=weights: check(loss, weights))  # type: ignore[misc]
        what = f"{loss!r} on {[str(w) for w in weights[:12]]}: {said.reason}; {said.method}"
        tally.add({True: "yes", False: "no", None: "undecided"}[said.asymmetric], seconds, what)
        if attack and said.asymmetric and said.minimiser is not None:
            vertex = np.array(said.minimiser)
            less = attacked(loss, weights, vertex, rng)
            if less is not None:
                tally.contradictions.append(f"{what}: {less:.3g}")
    return tally


ASIDE = Fraction(1, 1000)  # how far from an end its two sides are attacked


def sides(found: Threshold) -> list[Fraction]:
    """Values on both sides of every end of a threshold, inside the parameter's domain; one value where there is none."""
    assert found.parameter is not None
    domain = found.loss.domains[found.parameter]
    ends = [e for p in found.pieces for e in (p.low, p.high) if e is not None and not e.of_domain]
    values = [] if ends else [found.loss.parameters[found.parameter]]
    for end in ends:
        for edge, sign in ((end.low, -1), (end.high, 1)):
            width = max(abs(Fraction(edge)), Fraction(1, 10**6)) * ASIDE
            values.append(Fraction(edge) + sign * width)
    values = [Fraction(round(v)) if domain.integer else v for v in values]
    return [v for v in dict.fromkeys(values) if v in domain]


def attack_threshold(found: Threshold, tally: Tally, rng: np.random.Generator, what: str) -> None:
    """The search against a threshold: a contradiction where it finds less risk at a value that is said to work."""
    assert found.parameter is not None
    for value in sides(found):
        try:
            loss = found.loss.replace(**{found.parameter: value})
        except InputError:  # values that are allowed one by one, not together
            continue
        holds = found.status == "always" or any(value in piece for piece in found.pieces)
        rows = [found.noise.rows[found.binding_row]] if not holds else [row for _, row in binding_rows(found.noise)][:2]
        lowest = None
        for row in rows:
            vertex = rule(loss, found.noise.classes, row.uniform_rest).vertex(row.target)
            if vertex is not None:
                lowest = attacked(loss, [Fraction(w) for w in row.weights], np.array(vertex), rng)
            if lowest is not None:
                break
        if holds and lowest is not None:
            tally.contradictions.append(f"{what} at {float(value):.9g}: {lowest:.3g}")
        if not holds:
            tally.seen[lowest is not None] += 1


def thresholds(count: int, seed: int, attack: bool = True) -> Tally:
    rng = np.random.default_rng([seed, 3])
    own = np.random.default_rng([seed, 4])  # of the attack, so that it does not change the questions
    tally = Tally("losses and sums: thresholds")
    while sum(tally.answers.values()) < count:
        weights = random_weights(rng)
        loss = random_loss(rng, len(weights))
        model = random_model(rng, weights)
        parameters = [p for p in loss.domains if p in loss.parameters]
        if not parameters:
            continue
        parameter = str(rng.choice(parameters))
        try:
            found, seconds = timed(lambda: solve(loss, model, parameter))  # noqa: B023
        except InputError:
            continue
        row = [str(w) for w in model.rows[found.binding_row].weights[:6]]
        what = f"{loss!r} for {parameter} on {model.kind} K={model.classes} {row}: {found.condition}"
        tally.add(found.status, seconds, what)
        if attack and found.status != "undecided":
            attack_threshold(found, tally, own, f"{what}; {found.answer}")
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="questions of each kind")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--formulas", type=int, metavar="N", help="N formulas of every kind instead, also with sums over classes"
    )
    parser.add_argument("--show", action="store_true", help="list what stays undecided")
    given = parser.parse_args()
    tallies = (
        [formulas(given.formulas, given.seed)]
        if given.formulas
        else [
            checks(given.count, given.seed, False),
            thresholds(given.count, given.seed),
            checks(given.count, given.seed, True),
        ]
    )
    for tally in tallies:
        n = sum(tally.answers.values())
        print(
            tally.name,
            dict(tally.answers),
            f"undecided {100 * tally.answers['undecided'] / n:.2f} %",
            f"median {show(float(np.median(tally.seconds)))}, worst {show(max(tally.seconds))}",
            f"contradictions {len(tally.contradictions)}",
            *([f"noes that floats do not show {tally.unseen}"] if given.formulas else []),
            *(
                [f"values that fail: less risk seen at {tally.seen[True]} of {tally.seen.total()}"]
                if tally.seen
                else []
            ),
        )
        for line in tally.contradictions:
            print("  CONTRADICTION", line)
        if given.show:
            for line in tally.undecided:
                print("  ", line)


if __name__ == "__main__":
    main()
