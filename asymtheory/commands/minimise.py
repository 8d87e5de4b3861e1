"""``asymtheory minimise``: the minimiser of the weighted risk, how exact it is, and the bound on what is left."""

from __future__ import annotations

import argparse

from ..asymmetry.risk import Minimiser, minimise
from ..errors import InputError
from ..losses.base import Loss
from ..numbers.text import parse_number
from .options import ANSWERED, loss_given, loss_options, print_json

MOST = 10  # entries of a point that are printed


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    loss_options(parser)
    parser.add_argument(
        "--weights",
        nargs="+",
        required=True,
        metavar="W1,W2,...",
        help="class weights; several rows at once are allowed",
    )


def run(given: argparse.Namespace) -> int:
    """Print the minimiser of ``sum_k w_k L(u, k)`` for every row of weights."""
    loss, _ = loss_given(given)
    rows = [[parse_number(part, "--weights") for part in row.split(",")] for row in given.weights]
    if len({len(row) for row in rows}) > 1:
        raise InputError(
            f"--weights: rows of {', '.join(str(len(row)) for row in rows)} classes; they need the same number"
        )
    weights = [[float(w) for w in row] for row in rows]
    found = minimise(loss, weights[0] if len(weights) == 1 else weights)
    if given.json:
        print_json({"loss": str(loss), "weights": weights[0] if len(weights) == 1 else weights, **found.to_dict()})
    else:
        print(_table(loss, weights, found))
    return ANSWERED


def _table(loss: Loss, weights: list[list[float]], found: Minimiser) -> str:
    lines = [f"{loss}: minimiser of the weighted risk"]
    points, values, gaps = ([x] if len(weights) == 1 else x for x in (found.point, found.value, found.gap))
    for i, row in enumerate(weights):
        if len(weights) > 1:
            lines.append(f"  weights    ({_shown(row)})")
        lines += [f"  minimiser  ({_shown(points[i].tolist())})", f"  value      {values[i]:.10g}"]
        if gaps is not None and gaps[i] is not None:
            lines.append(f"  gap        at most {gaps[i]:.3g} above the minimum")
    exact = "exact, up to rounding" if found.exact else "numeric: the best point that a search found, not proved"
    return "\n".join([*lines, f"  exactness  {exact}", f"  method     {found.method}"])


def _shown(values: list[float]) -> str:
    return ", ".join(f"{x:.6g}" for x in values[:MOST]) + (", ..." if len(values) > MOST else "")
