"""Losses and weights whose verdicts Coq is asked to confirm: at random, at thresholds, and just beside them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from asymtheory.losses.base import Loss
from asymtheory.losses.papers import AEL, AGCE, AMSE, AUL
from asymtheory.noise.rows import Row

EACH = 40
BESIDE = Fraction(1, 1000)


def weights(rng: np.random.Generator) -> Row:
    """Two to six whole weights with a unique largest one, somewhere; the second largest is positive."""
    K = int(rng.integers(2, 7))
    largest = int(rng.integers(4, 12))
    row = [int(x) for x in rng.integers(0, largest, K)]
    target = int(rng.integers(K))
    row[target] = largest
    row[(target + 1) % K] = int(rng.integers(1, largest))
    return Row(tuple(map(Fraction, row)), target)


def fraction(rng: np.random.Generator, low: int, high: int) -> Fraction:
    """A positive number between the two, in eighths."""
    return Fraction(int(rng.integers(8 * low + 1, 8 * high)), 8)


def _agce(rng: np.random.Generator, row: Row) -> AGCE:
    return AGCE(a=fraction(rng, 0, 4), q=fraction(rng, 0, 2))


def _agce_at(rng: np.random.Generator, row: Row) -> AGCE:  # ((a+1)/a)^(1/2) = c, or (...)^(1/3) = c
    root = int(rng.integers(2, 4))
    c = Fraction(row.top) / Fraction(row.second)
    return AGCE(a=1 / (c**root - 1), q=1 - Fraction(1, root))


def _aul(rng: np.random.Generator, row: Row) -> AUL:
    return AUL(a=1 + fraction(rng, 0, 4), p=fraction(rng, 0, 4))


def _aul_at(rng: np.random.Generator, row: Row) -> AUL:  # (a/(a-1))^(p-1) = c with p = 2 or 3/2
    root = int(rng.integers(1, 3))
    c = (Fraction(row.top) / Fraction(row.second)) ** root
    return AUL(a=c / (c - 1), p=1 + Fraction(1, root))


def _ael(rng: np.random.Generator, row: Row) -> AEL:
    return AEL(a=fraction(rng, 0, 4))


def _ael_at(rng: np.random.Generator, row: Row) -> AEL:  # exp(1/a) is never rational: the nearest sixteenth digit
    return AEL(a=Fraction(str(round(1 / np.log(float(row.top / row.second)), 9))))


def _amse(rng: np.random.Generator, row: Row) -> AMSE:
    return AMSE(a=1 + fraction(rng, 0, 12), q=fraction(rng, 0, 4))


def _amse_at(rng: np.random.Generator, row: Row) -> AMSE:
    return AMSE(a=Fraction(row.total) / (Fraction(row.top) - Fraction(row.second)), q=2)


Maker = Callable[[np.random.Generator, Row], Loss]
MAKERS: dict[str, tuple[Maker, Maker, Fraction]] = {  # at random, at the threshold in a, least a of the domain
    "agce": (_agce, _agce_at, Fraction(0)),
    "aul": (_aul, _aul_at, Fraction(1)),
    "ael": (_ael, _ael_at, Fraction(0)),
    "amse": (_amse, _amse_at, Fraction(1)),
}


def cases(name: str) -> list[tuple[Loss, Row]]:
    """40 of a loss: 20 at random, 10 at a threshold, 5 a thousandth above and 5 a thousandth below one."""
    rng = np.random.default_rng(sorted(MAKERS).index(name))
    free, at, least = MAKERS[name]
    found: list[tuple[Loss, Row]] = []
    while len(found) < EACH:
        row = weights(rng)
        i = len(found)
        loss = free(rng, row) if i < 20 else at(rng, row)
        if i >= 30:
            a = loss.parameters["a"] * (1 + (BESIDE if i % 2 else -BESIDE))
            if a < least:
                continue
            loss = loss.replace(a=a)
        found.append((loss, row))
    return found
