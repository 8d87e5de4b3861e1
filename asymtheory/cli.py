"""The command line: ``asymtheory bound | ratio | check | noise | losses | select | study | experiment | verify``.

Exit status: 0 answered, 1 no parameter works (or a check failed), 2 bad input, which gets one line on standard error.
Other packages add commands through the entry-point group ``asymtheory.commands``; they are looked up only when named.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module

from . import __version__
from .commands.options import ANSWERED, BAD_INPUT, Parser, examples, join_formulas
from .errors import InputError, nearest


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments[0] if arguments and not arguments[0].startswith("-") else None
    try:
        if command is not None and command not in COMMANDS:
            return _plugin(command, arguments[1:])
        if (
            argv is None
        ):  # a process of its own: what it imports is no garbage and lives to its end, so it is not looked through
            gc.disable()
        parser = _parser(command)
        if argv is None:
            gc.freeze()
            gc.enable()
        options = parser.parse_args(join_formulas(arguments))
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


def _parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; for a named command with that one alone, and with the usage text spelt out, for start-up time."""
    parser = Parser(
        prog="asymtheory",
        description="Which hyper-parameters make a noise-robust loss asymmetric (hence noise-tolerant), exactly.",
        epilog=f"{_further()}\n\n{examples(*FIRST)}".strip() if command is None else None,
    )
    parser.add_argument("--version", action="version", version=f"asymtheory {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser, prog=parser.prog)
    for name, summary in COMMANDS.items():
        if command not in (None, name):
            continue
        sub = commands.add_parser(name, help=summary, description=summary, epilog=examples(*EXAMPLES[name]))
        if name == command:
            module = import_module(f".commands.{name}", __package__)
            module.options(sub)
            sub.add_argument("--json", action="store_true", help="the same facts as JSON")
            sub.set_defaults(run=module.run)
    return parser


COMMANDS = {
    "bound": "the parameter values (or noise rates) that make a loss asymmetric on a noise model",
    "ratio": "the asymmetry ratio r and its upper bound r_u, as enclosures",
    "check": "is this loss asymmetric on these weights: verdict, minimiser, slack",
    "guarantee": "what a loss guarantees in numbers: clean error for a noisy excess risk, how wrong the noise may be",
    "noise": "a noise model: rate, clean level, margin, dominance",
    "losses": "the atlas of losses",
    "select": "losses and hyper-parameters for a noise, before training",
    "study": "from one loss or formula to the paper: theorem, table, figures, torch module, plan, references",
    "experiment": "weighted-risk: what gradient descent on softmax logits reaches",
    "verify": "the ledger: every claim of the four papers, judged by computation",
}
"""The commands of the core: their summaries. The module of a command in :mod:`.commands` is imported when it is named."""
FIRST = (
    "select --noise cifar10n-worse",
    "bound --loss amse --K 10 --eta 0.8",
    "verify --claim jal-thm41",
)
"""What to try first."""
EXAMPLES = {
    "bound": (
        "bound --loss amse --K 10 --eta 0.8",
        "bound --loss agce --solve q --set a=0.5 --K 10 --eta 0.2,0.4,0.8",
        "bound --formula '((a+1)**q-(a+u)**q)/q' --set q=0.5 --K 10 --eta 0.8",
    ),
    "ratio": ("ratio --loss aul --set a=6.3 p=1.5", "ratio --formula '(1-u)**2'"),
    "check": (
        "check --loss amse --set a=3 --weights 0.5,0.3,0.2",
        "check --loss jal-ce --set a=5 --noise cifar10n-worse",
    ),
    "guarantee": ("guarantee --loss amse --set a=30 --K 10 --eta 0.4",),
    "noise": ("noise symmetric --K 10 --eta 0.8", "noise cifar10n-worse"),
    "losses": ("losses", "losses gce"),
    "select": (
        "select --noise cifar10n-worse",
        "select --K 10 --eta 0.4 --write-config run.toml",
        "select --labels noisy.csv --clean clean.csv --plot frontier.pdf",
        "select --K 10 --eta 0.4 --formula '(a-u)**2'",
    ),
    "study": (
        "study --formula '((a+1)**q-(a+u)**q)/q' --set q=0.5 --out agce",
        "study --loss jal-ce --noise cifar10n-worse --out jal",
    ),
    "experiment": ("experiment weighted-risk --loss agce --set q=0.5 --sweep a=0.05:20:9:log",),
    "verify": ("verify --claim jal-thm41", "verify --paper jal --quick"),
}
"""Examples at the end of each command's help."""
