"""The command line: ``asymtheory bound | ratio | check | noise | losses | select | experiment | verify``.

Exit status: 0 answered, 1 no parameter works (or a check failed), 2 bad input, which gets one line on standard error.
Other packages add commands through the entry-point group ``asymtheory.commands``; they are looked up only when named.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .errors import InputError, nearest

ANSWERED, NO, BAD_INPUT = 0, 1, 2
NOISE_HELP = (
    "symmetric (default), uniform, pair, mnist, cifar10, cifar100, cifar100-blocks, cifar10n-worse, ..., or a file"
)


class _Formatter(argparse.HelpFormatter):
    """The terminal's width without importing shutil, for start-up time: argparse makes a formatter for every option."""

    def __init__(self, prog: str) -> None:
        try:
            columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
        except (OSError, ValueError):
            columns = 80
        super().__init__(prog, width=columns - 2)


class _Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Formatter, **options)

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments[0] if arguments and not arguments[0].startswith("-") else None
    try:
        if command is not None and command not in COMMANDS:
            return _plugin(command, arguments[1:])
        parser = _parser(command)
        options = parser.parse_args(_with_formulas(arguments))
        if command is None:
            parser.print_help()
            return ANSWERED if not arguments else BAD_INPUT
        return int(options.run(options))
    except InputError as error:
        print(f"asymtheory{f' {command}' if command else ''}: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return ANSWERED
    except KeyboardInterrupt:
        print("asymtheory: stopped", file=sys.stderr)
        return 130


def _with_formulas(arguments: list[str]) -> list[str]:
    """``--formula -log(u)`` as ``--formula=-log(u)``: argparse takes what starts with a minus sign for an option."""
    joined: list[str] = []
    for argument in arguments:
        negative = argument.startswith("-") and not argument.startswith("--")
        if negative and joined and joined[-1] in ("--formula", "--passive"):
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


def _plugin(command: str, arguments: list[str]) -> int:
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group="asymtheory.commands")}
    if command not in found:
        raise InputError(
            f"{command!r} is not a command{nearest(command, [*COMMANDS, *found])} (asymtheory --help lists them)"
        )
    try:  # the command, too: what an extra brings may be imported at its first use
        return int(found[command].load()(arguments) or ANSWERED)
    except ImportError as error:
        extra = _extra(found[command].value)
        raise InputError(f"{command} needs an extra: pip install 'asymtheory[{extra}]' ({error})") from error


def _extra(target: str) -> str:
    """The extra that brings an entry point's module: ``training`` for ``asymtheory_training.cli:train``."""
    return target.split(":")[0].split(".")[0].removeprefix("asymtheory_")


def _further() -> str:
    """The commands that extras bring, for the help text: ``figure, report (extra figures)``."""
    from importlib.metadata import entry_points

    by_extra: dict[str, list[str]] = {}
    for entry in sorted(entry_points(group="asymtheory.commands"), key=lambda entry: entry.name):
        by_extra.setdefault(_extra(entry.value), []).append(entry.name)
    listed = "; ".join(f"{', '.join(names)} (extra {extra})" for extra, names in sorted(by_extra.items()))
    return f"further commands: {listed}" if listed else ""


# ---------------------------------------------------------------------------------------------- parsers


def _parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; for a named command with that one alone, and with the usage text spelt out, for start-up time."""
    parser = _Parser(
        prog="asymtheory",
        description="Which hyper-parameters make a noise-robust loss asymmetric (hence noise-tolerant), exactly.",
        epilog=_further() if command is None else None,
    )
    from . import __version__

    parser.add_argument("--version", action="version", version=f"asymtheory {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser, prog=parser.prog)
    for name, (summary, build, run) in COMMANDS.items():
        if command not in (None, name):
            continue
        sub = commands.add_parser(name, help=summary, description=summary)
        if name == command:
            build(sub)
            sub.add_argument("--json", action="store_true", help="the same facts as JSON")
            sub.set_defaults(run=run)
    return parser


def _loss_options(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--loss", metavar="NAME", help="a name from `asymtheory losses`, or a sum x+y")
    which.add_argument(
        "--formula", metavar="TEXT", help="your own loss in u and named parameters: + - * / ** exp log sqrt abs min max"
    )
    parser.add_argument("--passive", metavar="TEXT", help="with --formula: the term of each other class, such as u**2")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="parameters; decimals are exact"
    )
    parser.add_argument(
        "--domain", nargs="+", action="extend", default=[], metavar="NAME=LOW:HIGH",
        help="with --formula: the values of a parameter, such as a=1:inf; default (0, inf)",
    )  # fmt: skip


def _noise_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--noise", default="symmetric", metavar="KIND", help=NOISE_HELP)
    parser.add_argument("--K", metavar="N", help="number of classes")
    parser.add_argument("--eta", metavar="X[,Y...]", help="noise rate in [0, 1]; decimals are exact (0.8 is 4/5)")


def _bound_options(parser: argparse.ArgumentParser) -> None:
    _loss_options(parser)
    _noise_options(parser)
    parser.add_argument(
        "--solve", metavar="NAME", help="the parameter to solve for, or eta; default: the loss's main one"
    )
    parser.add_argument("--exact", action="store_true", help="look harder for an exact form (loads sympy)")
    parser.add_argument("--symbolic", action="store_true", help="leave K and eta (or c) open: answer with a formula")
    parser.add_argument(
        "--open", nargs="+", metavar="NAME", help="what --symbolic leaves open: K, eta, c, or parameters of the loss"
    )
    parser.add_argument("--latex", action="store_true", help="with --symbolic: LaTeX")


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


# --------------------------------------------------------------------------------------------- commands


def _loss(options: argparse.Namespace) -> Any:
    from .losses import build
    from .noise import parse_number

    for flag in ("passive", "domain"):
        if options.formula is None and getattr(options, flag):
            raise InputError(f"--{flag} goes with --formula")
    parameters = {}
    for setting in options.set:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise InputError(f"--set {setting!r}: NAME=VALUE is needed")
        if name in parameters:
            raise InputError(f"--set {name} is given twice")
        parameters[name] = parse_number(value, f"--set {name}")
    try:
        if options.formula is not None:
            return _formula(options, parameters), set(parameters)
        return build(options.loss, **parameters), set(parameters)
    except InputError as error:
        prefix = "" if str(error).startswith("--") else "--set: "
        raise InputError(prefix + str(error)) from None


def _formula(options: argparse.Namespace, parameters: dict[str, Any]) -> Any:
    """The loss of --formula; what could not be proved of it is said on standard error."""
    from .formula import formula_parameters, from_formula, parse_domain

    domains = dict(parse_domain(setting) for setting in options.domain)
    known = formula_parameters(options.formula, options.passive)
    for flag, names in (("set", parameters), ("domain", domains)):
        for name in names:
            if name not in known:
                has = ", ".join(known) or "none"
                raise InputError(f"--{flag} {name}: the formula has no parameter {name!r} (it has: {has})")
    solve = getattr(options, "solve", None)
    missing = [name for name in known if name not in parameters]
    if hasattr(options, "solve") and solve is None and len(missing) == 1:
        (solve,) = missing
    loss = from_formula(
        options.formula, options.passive, solve=None if solve == "eta" else solve, domains=domains, **parameters
    )
    if loss.note:
        print(f"asymtheory: note: {loss.note}", file=sys.stderr)
    return loss


def _classes(text: str | None) -> int | None:
    if text is None:
        return None
    from .noise import check_classes, parse_number

    value = parse_number(text, "--K")
    if value.denominator != 1:
        raise InputError(f"--K {text}: the number of classes must be a whole number >= 2")
    return check_classes(int(value), "--K")


def _rates(text: str | None) -> list[Any]:
    """The rates of a comma list; one None when the option is absent."""
    if text is None:
        return [None]
    from .noise import check_rate, parse_number

    return [check_rate(parse_number(part, "--eta"), "--eta") for part in text.split(",")]


def _one_rate(text: str | None) -> Any:
    rates = _rates(text)
    if len(rates) > 1:
        raise InputError(f"--eta {text}: one noise rate is needed here")
    return rates[0]


def _print_json(facts: Any) -> None:
    import json

    print(json.dumps(facts, indent=2))


def _bound(options: argparse.Namespace) -> int:
    loss, given = _loss(options)
    K = _classes(options.K)
    if options.symbolic:
        return _bound_symbolic(options, loss, given, K)
    for flag in ("open", "latex"):
        if getattr(options, flag):
            raise InputError(f"--{flag} goes with --symbolic")
    from .noise import resolve
    from .threshold import RATE, solve, solve_rate

    if options.solve == RATE:
        if options.eta is not None:
            raise InputError(f"--eta {options.eta}: leave it out when --solve eta asks for it")
        results = [solve_rate(loss, options.noise.strip().lower(), K)]
    else:
        parameter = options.solve or _free_parameter(loss, given)
        results = [solve(loss, resolve(options.noise, K, rate), parameter) for rate in _rates(options.eta)]
    if options.exact:
        from .symbolic import name_ends

        results = [name_ends(result) for result in results]
    if options.json:
        facts = [result.to_dict() for result in results]
        _print_json(facts if options.eta is not None and "," in options.eta else facts[0])
    elif len(results) == 1:
        print(results[0])
    else:
        print(_rate_table(results))
    return ANSWERED if any(result.status in ("threshold", "always") for result in results) else NO


def _free_parameter(loss: Any, given: set[str]) -> str | None:
    """The main parameter, unless --set fixed it and exactly one other could be solved for."""
    if loss.main is None or loss.main not in given:
        return loss.main
    free = [name for name in loss.domains if name not in given and name not in ("alpha", "beta") and "." not in name]
    if len(free) == 1:
        return free[0]
    raise InputError(
        f"--set {loss.main}: the parameter to solve for is fixed; name another with --solve ({', '.join(free) or 'eta'})"
    )


def _rate_table(results: Sequence[Any]) -> str:
    from .domain import plain
    from .noise import show

    first = results[0]
    others = ", ".join(f"{p} = {plain(v)}" for p, v in first.fixed().items())
    lines = [f"{first.loss.title}{f' ({others})' if others else ''} on {first.noise.kind}, K = {first.noise.classes}"]
    cells = [("eta", "clean level", "margin", "asymmetric")]
    for result in results:
        row = result.noise.rows[result.binding_row]
        cells.append((show(result.noise.rate), show(row.clean_level), show(row.margin), result.answer))
    widths = [max(len(row[i]) for row in cells) for i in range(3)]
    lines += ["  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=False)) + f"  {row[3]}" for row in cells]
    return "\n".join([*lines, f"  because {first.condition}"])


def _bound_symbolic(options: argparse.Namespace, loss: Any, given: set[str], K: int | None) -> int:
    from .symbolic import derive_for

    answer = derive_for(
        loss, options.solve or _free_parameter(loss, given), options.noise.strip().lower(),
        K=K, eta=_one_rate(options.eta), leave_open=options.open,
    )  # fmt: skip
    if options.json:
        _print_json(answer.to_dict())
    else:
        print(answer.latex if options.latex else answer)
    return ANSWERED


def _ratio(options: argparse.Namespace) -> int:
    from .ratio import asymmetry_ratio

    answer = asymmetry_ratio(_loss(options)[0])
    if options.json:
        _print_json(answer.to_dict())
    else:
        print(answer)
    return ANSWERED


def _check(options: argparse.Namespace) -> int:
    from .condition import check
    from .noise import from_weights, parse_number, resolve

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
    from .noise import KINDS, resolve

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
    from .atlas import atlas, page

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
    from .claims.ledger import Effort, changed, record, select, verify
    from .claims.report import FORMATS, render, with_progress

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


def _select_options(parser: argparse.ArgumentParser) -> None:
    from .select_command import options

    options(parser)


def _select(options: argparse.Namespace) -> int:
    from .select_command import run

    return run(options)


def _experiment_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=_experiment_name, help="weighted-risk (ALF Sec. 4.1, Fig. 2)")
    _loss_options(parser)
    parser.add_argument("--sweep", metavar="NAME=LOW:HIGH:COUNT[:log]", help="parameter values: even, or geometric")
    parser.add_argument("--K", metavar="N", default="10", help="number of classes (default 10)")
    parser.add_argument("--draws", metavar="N", default="200", help="weight vectors (default 200)")
    parser.add_argument("--starts", metavar="N", default="8", help="logit vectors for each (default 8)")
    parser.add_argument("--seed", metavar="N", default="0", help="of weights and logits")
    parser.add_argument(
        "--optimiser", metavar="NAME", default="adam", help="adam (default), gd: plain gradient descent"
    )
    parser.add_argument("--steps", metavar="N", default="250", help="at most (default 250)")
    parser.add_argument("--rate", metavar="X", help="step size (default: adam 0.2, gd 0.5)")
    parser.add_argument("--weights", metavar="NAME", default="uniform", help="each uniform on (0, 1], or dirichlet")
    parser.add_argument("--scale", metavar="X", default="1", help="z ~ N(0, X^2 I) (default 1)")
    parser.add_argument("--out", metavar="DIR", help="keep experiment.json, rows.jsonl and arrays.npz there")
    parser.add_argument("--resume", action="store_true", help="go on with what DIR holds")
    parser.add_argument("--workers", metavar="N", help="threads (default: one a core where that saves time)")
    parser.add_argument("--engine", metavar="NAME", default="numpy", help="numpy (default), or torch if installed")


def _experiment_name(name: str) -> str:
    from .experiments import EXPERIMENTS

    if name not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        hint = nearest(name, EXPERIMENTS)
        raise argparse.ArgumentTypeError(f"{name!r} is not an experiment (known: {known}){hint}")
    return name


def _experiment(options: argparse.Namespace) -> int:
    from .experiments import WeightedRiskExperiment, parse_sweep, with_progress
    from .noise import parse_number

    if options.resume and options.out is None:
        raise InputError("--resume goes with --out")
    options.solve, values = (None, ()) if options.sweep is None else parse_sweep(options.sweep)
    loss, given = _loss(options)
    if options.solve in given:
        raise InputError(f"--set {options.solve}: leave it out when --sweep {options.solve} asks for it")
    counts: dict[str, Any] = {
        name: _count(getattr(options, name), f"--{name}", 0 if name == "seed" else 1) for name in _COUNTS
    }
    rate = None if options.rate is None else float(parse_number(options.rate, "--rate"))
    recipe = WeightedRiskExperiment(
        loss, options.solve, values, K=_classes(options.K) or 10, optimiser=options.optimiser, rate=rate,
        weights=options.weights, scale=float(parse_number(options.scale, "--scale")), engine=options.engine, **counts,
    )  # fmt: skip
    workers = None if options.workers is None else _count(options.workers, "--workers", least=1)
    try:
        result = with_progress(recipe, options.out, options.resume, workers)
    except KeyboardInterrupt:
        kept = "" if options.out is None else f"; what is done is kept in {options.out}, --resume goes on with it"
        print(f"asymtheory experiment: stopped{kept}", file=sys.stderr)
        return 130
    if options.json:
        _print_json(result.to_dict())
    else:
        print(result)
    return ANSWERED


_COUNTS = ("draws", "starts", "seed", "steps")


def _count(text: str, option: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise InputError(f"{option} {text}: a whole number >= {least} is needed")
    return int(text)


COMMANDS = {
    "bound": (
        "the parameter values (or noise rates) that make a loss asymmetric on a noise model",
        _bound_options,
        _bound,
    ),
    "ratio": ("the asymmetry ratio r and its upper bound r_u, as enclosures", _ratio_options, _ratio),
    "check": ("is this loss asymmetric on these weights: verdict, minimiser, slack", _check_options, _check),
    "noise": ("a noise model: rate, clean level, margin, dominance", _noise_command_options, _noise),
    "losses": ("the atlas of losses", _losses_options, _losses),
    "select": ("losses and hyper-parameters for a noise, before training", _select_options, _select),
    "experiment": ("weighted-risk: what gradient descent on softmax logits reaches", _experiment_options, _experiment),
    "verify": ("the ledger: every claim of the four papers, judged by computation", _verify_options, _verify),
}
