"""Options, parsers and printing that the commands share.

The command line imports this module at start-up; what the core computes with is therefore imported in the functions.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import LONGEST, InputError, printable
from ..layout import columns, wrap
from ..layout import say as say  # the commands of extras take it from here, too
from .catalogue import examples_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from ..losses.base import Loss
    from ..losses.domain import Domain
    from ..noise.rows import NoiseModel
    from ..numbers.text import Number

ANSWERED, NO, BAD_INPUT = 0, 1, 2

NOISE_HELP = (
    "symmetric (default), uniform, pair, mnist, cifar10, cifar100, cifar100-blocks, cifar10n-worse, ..., or a file"
)


class Formatter(argparse.HelpFormatter):
    """The terminal's width without importing shutil, for start-up time: argparse makes a formatter for every option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=(columns() or 80) - 2)

    def add_argument(self, action: argparse.Action) -> None:
        """Names of commands are indented once more than argparse counts, so the longest would get a line of their own."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += 2

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """A text of several lines keeps its lines; examples stay whole, so that they can be copied."""
        if "\n" not in text:
            return super()._fill_text(text, width, indent)
        lines = [indent + line for line in text.splitlines()]
        return "\n".join(
            part for line in lines for part in ([line] if line.startswith("  asymtheory ") else wrap(line, width, 14))
        )


class StoreOnce(argparse._StoreAction):
    """Keeps the value of an option that is given once, and not empty: of two the last would count, and an empty one none."""

    given = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if self.given and option_string is not None:
            raise InputError(f"{option_string} is given twice")
        if values == "" and option_string is not None:
            raise InputError(f"{option_string}: the value is empty")
        self.given = True
        super().__call__(parser, namespace, values, option_string)


class Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage text; the help ends with the command's examples. An option is given once."""

    def __init__(self, **options: Any) -> None:
        if options.get("epilog") is None:
            options["epilog"] = examples_of(options.get("prog") or "")
        super().__init__(formatter_class=Formatter, **options)
        for name in (None, "store"):
            self.register("action", name, StoreOnce)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse has it; no option counts as given at first."""
        for action in self._actions:
            if isinstance(action, StoreOnce):
                action.given = False
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def join_formulas(arguments: list[str]) -> list[str]:
    """``--formula -log(u)`` as ``--formula=-log(u)``: argparse takes what starts with a minus sign for an option."""
    joined: list[str] = []
    for argument in arguments:
        negative = argument.startswith("-") and not argument.startswith("--")
        if negative and joined and joined[-1] in ("--formula", "--passive"):
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


def loss_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a loss, its parameters and their domains."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--loss", metavar="NAME", help="a name from `asymtheory losses`, or a sum x+y")
    formula_options(parser, which)


def formula_options(parser: argparse.ArgumentParser, which: argparse._ActionsContainer | None = None) -> None:
    """Add the options of a loss from a formula; ``which`` holds --formula where it excludes another option."""
    (parser if which is None else which).add_argument(
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


def noise_options(parser: argparse.ArgumentParser) -> None:
    """Add --noise, --K and --eta."""
    parser.add_argument("--noise", default="symmetric", metavar="KIND", help=NOISE_HELP)
    parser.add_argument("--K", metavar="N", help="number of classes")
    parser.add_argument("--eta", metavar="X[,Y...]", help="noise rate in [0, 1]; decimals are exact (0.8 is 4/5)")


def loss_given(options: argparse.Namespace) -> tuple[Loss, set[str]]:
    """The loss of --loss or --formula with the parameters of --set, and which parameters those are."""
    from ..losses.registry import build
    from ..numbers.text import parse_number

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
            return formula_given(options, parameters), set(parameters)
        return build(options.loss, **parameters), set(parameters)
    except InputError as error:
        prefix = "" if str(error).startswith("--") else "--set: "
        raise InputError(prefix + str(error)) from None


def formula_given(options: argparse.Namespace, parameters: dict[str, Fraction]) -> Loss:
    """The loss of --formula; what could not be proved of it is said on standard error."""
    from ..losses.formula import formula_parameters, from_formula, parse_domain

    domains: dict[str, Domain] = {}
    for name, domain in map(parse_domain, options.domain):
        if name in domains:
            raise InputError(f"--domain {name} is given twice")
        domains[name] = domain
    known = formula_parameters(options.formula, options.passive)
    for flag, names in (("set", parameters), ("domain", domains)):
        for name in names:
            if name not in known:
                has = ", ".join(known) or "none"
                raise InputError(f"--{flag} {name}: the formula has no parameter {name!r} (it has: {has})")
    solve = getattr(options, "solve", None) or getattr(options, "over", None)  # of bound, and of guarantee
    missing = [name for name in known if name not in parameters]
    if hasattr(options, "solve") and solve is None and len(missing) == 1:
        (solve,) = missing
    loss = from_formula(
        options.formula, options.passive, solve=None if solve == "eta" else solve, domains=domains, **parameters
    )
    if loss.note:
        print(f"asymtheory: note: {loss.note}", file=sys.stderr)
    return loss


def classes_given(text: str | None) -> int | None:
    """The K of --K, a whole number >= 2; None when the option is absent."""
    if text is None:
        return None
    from ..noise.models import check_classes
    from ..numbers.text import parse_number

    value = parse_number(text, "--K")
    if value.denominator != 1:
        raise InputError(f"--K {text}: the number of classes must be a whole number >= 2")
    return check_classes(int(value), "--K")


def rates_given(text: str | None) -> list[Number | None]:
    """The rates of a comma list; one None when the option is absent."""
    if text is None:
        return [None]
    from ..noise.models import check_rate
    from ..numbers.text import parse_number

    return [check_rate(parse_number(part, "--eta"), "--eta") for part in text.split(",")]


def rate_given(text: str | None) -> Number | None:
    """The one rate of --eta; None when the option is absent."""
    rates = rates_given(text)
    if len(rates) > 1:
        raise InputError(f"--eta {text}: one noise rate is needed here")
    return rates[0]


def say_reading(command: str, model: NoiseModel) -> None:
    """Say on standard error how the file of a noise was read, where it came from one."""
    if model.reading:
        print(printable(f"asymtheory {command}: {model.source} read as {model.reading}", LONGEST), file=sys.stderr)


def print_json(facts: object) -> None:
    """The facts of an answer as indented JSON."""
    import json

    print(json.dumps(facts, indent=2))


def certificate_option(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--certificate FILE``."""
    parser.add_argument("--certificate", metavar="FILE.v", help=f"write {what} as a file that Coq checks")


def write_certificate(name: str, text: Callable[[], str]) -> None:
    """Write a Coq file, whole or not at all, and say how to check it. InputError names the file where it cannot be."""
    from pathlib import Path

    from ..writing import check_writable, write_file

    path = Path(name)
    if path.suffix != ".v" or not path.stem.isidentifier():
        raise InputError(f"--certificate {name}: Coq needs a name such as verdict.v (letters, digits and _, then .v)")
    check_writable(path, "--certificate")
    try:
        written = text()
    except InputError as error:
        raise InputError(f"--certificate {name}: {error}") from error
    write_file(path, written, "--certificate")
    print(f"wrote {name}; to check it: make -C proofs && coqc -Q proofs Asymtheory {name}", file=sys.stderr)


MOST_PROCESSES = 4096
"""Processes and threads."""


def count_given(text: str, option: str, least: int, usual: int = 10**12) -> int:
    """The whole number >= `least` that an option was given, `usual` at most; InputError names the option."""
    from ..reading.limits import at_most, most

    if not text.isascii() or not text.isdigit() or int(text[:20]) < least:
        raise InputError(f"{option} {text}: a whole number >= {least} is needed")
    if len(text) > 18 or int(text) > most(usual):
        raise InputError(f"{option} {text}: {at_most(usual)}")
    return int(text)
