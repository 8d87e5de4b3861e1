"""``check``, ``ratio``, ``noise``, ``losses`` and ``verify``: facts about a loss, a noise or a claim."""

from __future__ import annotations

import argparse
import sys

from ..errors import InputError, nearest
from .options import (
    ANSWERED,
    NO,
    NOISE_HELP,
    _classes,
    _count,
    _loss,
    _loss_options,
    _noise_options,
    _one_rate,
    _print_json,
)


def _ratio_options(parser: argparse.ArgumentParser) -> None:
    _loss_options(parser)


def _check_options(parser: argparse.ArgumentParser) -> None:
    _loss_options(parser)
    _noise_options(parser)
    parser.add_argument("--weights", metavar="W1,W2,...", help="class weights, instead of a noise model")


def _noise_command_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME|FILE", help=NOISE_HELP + "; without it: the list")
    parser.add_argument("--K", metavar="N", help="number of classes")
    parser.add_argument("--eta", metavar="X", help="noise rate in [0, 1]")


def _losses_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="one loss with its settings in the papers; without it: all"
    )
    parser.add_argument(
        "--K", metavar="N", default="10", help="number of classes for the K-dependent columns (default 10)"
    )


def _ratio(options: argparse.Namespace) -> int:
    from ..asymmetry.ratio import asymmetry_ratio

    answer = asymmetry_ratio(_loss(options)[0])
    if options.json:
        _print_json(answer.to_dict())
    else:
        print(answer)
    return ANSWERED


def _check(options: argparse.Namespace) -> int:
    from ..asymmetry.condition import check
    from ..noise.models import from_weights
    from ..noise.resolve import resolve
    from ..numbers.text import parse_number

    loss, _ = _loss(options)
    if options.weights is not None:
        for flag in ("K", "eta"):
            if getattr(options, flag) is not None:
                raise InputError(f"--{flag} {getattr(options, flag)}: leave it out when --weights is given")
        model = from_weights([parse_number(part, "--weights") for part in options.weights.split(",")])
    else:
        model = resolve(options.noise, _classes(options.K), _one_rate(options.eta))
    answer = check(loss, model)
    if options.json:
        _print_json(answer.to_dict())
    else:
        print(answer)
    return ANSWERED if answer.asymmetric else NO


def _noise(options: argparse.Namespace) -> int:
    from ..noise.models import KINDS
    from ..noise.resolve import resolve

    if options.name is None:
        if options.json:
            _print_json(KINDS)
        else:
            width = max(map(len, KINDS))
            print("\n".join(f"{kind:<{width}}  {text}" for kind, text in KINDS.items()))
        return ANSWERED
    model = resolve(options.name, _classes(options.K), _one_rate(options.eta))
    if options.json:
        _print_json(model.to_dict())
    else:
        print(model)
    return ANSWERED


def _losses(options: argparse.Namespace) -> int:
    from ..atlas import atlas, page

    K = _classes(options.K)
    assert K is not None
    answer = atlas(K) if options.name is None else page(options.name, K)
    if options.json:
        _print_json(answer.to_dict())
    else:
        print(answer)
    return ANSWERED


def _verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--paper", nargs="+", default=[], metavar="P", help="alf, apl, anl or jal")
    parser.add_argument("--claim", nargs="+", default=[], metavar="ID", help="single claims, with their full evidence")
    parser.add_argument("--quick", action="store_true", help="a tenth of the searches")
    parser.add_argument("--format", default=None, metavar="F", help="table (default), json, markdown, latex")
    parser.add_argument("--seed", default="0", metavar="N", help="of the searches; verdicts do not depend on it")
    parser.add_argument("--workers", default=None, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--record", action="store_true", help="put these verdicts on record")


def _verify(options: argparse.Namespace) -> int:
    from ..claims.ledger import Effort, changed, record, select, verify
    from ..claims.report import FORMATS, render, with_progress

    form = options.format or ("json" if options.json else "table")
    if form not in FORMATS:
        raise InputError(f"--format {form!r}: not a format ({', '.join(FORMATS)}){nearest(form, FORMATS)}")
    workers = _count(options.workers, "--workers", least=1) if options.workers is not None else None
    ids = select(options.paper, options.claim)
    effort = Effort(quick=options.quick, seed=_count(options.seed, "--seed", least=0))
    rows = list(with_progress(verify(ids, effort, workers), len(ids)))
    print(render(rows, form, full=bool(options.claim)))
    if options.record:
        record(rows)
        return ANSWERED
    lines = changed(rows)
    for line in lines:
        print(f"asymtheory verify: changed: {line}", file=sys.stderr)
    return NO if lines else ANSWERED
