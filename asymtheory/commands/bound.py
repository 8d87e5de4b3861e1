"""``asymtheory bound``: the parameter values for which a loss is asymmetric.

The start-up path of the command line: what one form of the command alone needs (names of roots, symbols) is imported there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import InputError
from ..layout import table
from ..losses.base import Loss
from ..noise.resolve import resolve
from ..numbers.text import Number, parse_number, plain, show
from ..threshold.pieces import RATE, Threshold
from ..threshold.solve import solve, solve_rate
from .options import (
    ANSWERED,
    NO,
    certificate_option,
    classes_given,
    loss_given,
    loss_options,
    noise_options,
    print_json,
    rate_given,
    rates_given,
    say,
    say_reading,
    write_certificate,
)
from .words import explained

if TYPE_CHECKING:
    from ..threshold.tolerance import Guaranteed


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    loss_options(parser)
    noise_options(parser)
    parser.add_argument(
        "--solve", metavar="NAME", help="the parameter to solve for, or eta; default: the loss's main one"
    )
    parser.add_argument("--exact", action="store_true", help="look harder for an exact form (loads sympy)")
    parser.add_argument("--symbolic", action="store_true", help="leave K and eta (or c) open: answer with a formula")
    parser.add_argument(
        "--open", nargs="+", metavar="NAME", help="what --symbolic leaves open: K, eta, c, or parameters of the loss"
    )
    parser.add_argument("--latex", action="store_true", help="with --symbolic: LaTeX")
    parser.add_argument(
        "--guarantee", action="store_true", help="what a value above the threshold guarantees in numbers"
    )
    parser.add_argument("--at", metavar="X", help="with --guarantee: at this value of the parameter")
    certificate_option(parser, "the threshold")


def run(given: argparse.Namespace) -> int:
    """Print the thresholds; 1 where no value makes the loss asymmetric."""
    loss, parameters = loss_given(given)
    K = classes_given(given.K)
    if given.at is not None and not given.guarantee:
        raise InputError("--at goes with --guarantee")
    if given.symbolic:
        if given.guarantee:
            raise InputError("--guarantee goes with numbers: leave out --symbolic")
        if given.certificate is not None:
            raise InputError("--certificate goes with numbers: leave out --symbolic")
        return _bound_symbolic(given, loss, parameters, K)
    for flag in ("open", "latex"):
        if getattr(given, flag):
            raise InputError(f"--{flag} goes with --symbolic")
    rates: Sequence[Number | None] = []
    if given.solve == RATE:
        if given.eta is not None:
            raise InputError(f"--eta {given.eta}: leave it out when --solve eta asks for it")
        results = [solve_rate(loss, given.noise.strip().lower(), K)]
    else:
        parameter = given.solve or _free_parameter(loss, parameters)
        rates = rates_given(given.eta)
        models = [resolve(given.noise, K, rate) for rate in rates]
        say_reading("bound", models[0])
        results = [solve(loss, model, parameter) for model in models]
    if given.exact:
        from ..threshold.closed_form import name_ends

        results = [name_ends(result) for result in results]
    numbers = _guarantees(given, results)
    if given.json:
        facts = [result.to_dict() for result in results]
        for fact, found in zip(facts, numbers, strict=False):
            fact["guarantee"] = None if found is None else found.to_dict()
        print_json(facts if given.eta is not None and "," in given.eta else facts[0])
    elif len(results) == 1:
        said = [str(results[0]), *(str(found) for found in numbers if found is not None)]
        say(lambda: explained("\n".join(said)))
    else:
        say(lambda: explained(_rate_table(results, rates)))
    if given.certificate is not None:
        if len(results) > 1:
            raise InputError("--certificate goes with one noise rate: leave one in --eta")
        from ..formal.certificate import threshold_certificate  # late: numpy and flint are for this option alone

        write_certificate(given.certificate, lambda: threshold_certificate(results[0]))
    return ANSWERED if any(result.status in ("threshold", "always") for result in results) else NO


def _guarantees(given: argparse.Namespace, results: Sequence[Threshold]) -> list[Guaranteed | None]:
    """With --guarantee the numbers for each threshold (None where no value works), else nothing."""
    if not given.guarantee:
        return []
    if given.solve == RATE or (len(results) > 1 and not given.json):
        raise InputError("--guarantee goes with a parameter of the loss and one noise rate (several with --json)")
    from ..threshold.tolerance import guaranteed  # late: numpy and scipy are for this option alone

    at = None if given.at is None else parse_number(given.at, "--at")
    return [guaranteed(result, at) for result in results]


def _free_parameter(loss: Loss, given: set[str]) -> str | None:
    """The main parameter, unless --set fixed it and exactly one other could be solved for."""
    if loss.main is None or loss.main not in given:
        return loss.main
    free = [name for name in loss.domains if name not in given and name not in ("alpha", "beta") and "." not in name]
    if len(free) == 1:
        return free[0]
    raise InputError(
        f"--set {loss.main}: the parameter to solve for is fixed; name another with --solve ({', '.join(free) or 'eta'})"
    )


def _rate_table(results: Sequence[Threshold], rates: Sequence[Number | None]) -> str:
    """One line a rate as it was given; beside it the realised average where that is another (class maps)."""
    first = results[0]
    others = ", ".join(f"{p} = {plain(v)}" for p, v in first.fixed().items())
    lines = [f"{first.loss.title}{f' ({others})' if others else ''} on {first.noise.kind}, K = {first.noise.classes}"]
    average = any(result.noise.rate != rate for result, rate in zip(results, rates, strict=True))
    cells = [["eta", *(["average"] if average else []), "clean level", "margin", "asymmetric"]]
    for result, rate in zip(results, rates, strict=True):
        row = result.noise.rows[result.binding_row]
        realised = [show(result.noise.rate)] if average else []
        cells.append([show(rate), *realised, show(row.clean_level), show(row.margin), result.answer])
    lines += table(cells, right=frozenset(range(len(cells[0]) - 1)), indent="  ", drop=("margin",))
    return "\n".join([*lines, f"  because {first.condition}"])


def _bound_symbolic(options: argparse.Namespace, loss: Loss, given: set[str], K: int | None) -> int:
    from ..threshold.symbolic import derive_for

    answer = derive_for(
        loss, options.solve or _free_parameter(loss, given), options.noise.strip().lower(),
        K=K, eta=rate_given(options.eta), leave_open=options.open,
    )  # fmt: skip
    if options.json:
        print_json(answer.to_dict())
    else:
        print(answer.latex) if options.latex else say(lambda: explained(str(answer)))
    return ANSWERED
