"""A reader's own file of claims, for ``asymtheory verify --file``: a TOML of numbers that the core can decide, or Python.

A TOML file asserts thresholds, ratios and verdicts; no code runs. Each ``[[claim]]`` names a loss and what is said of it:

    paper = "Title (venue)"

    [[claim]]
    id = "threshold"                          # any name; where and statement are for people
    statement = "..."
    loss = "amse"                             # or formula = "-log(a + (1-a)*u)", with passive = "..."
    set = { q = "2" }                         # parameters; text or whole numbers, both exact
    noise = "symmetric"                       # what --noise takes, with K and eta (one rate or a list); or weights = ["3", "1"]
    K = 10
    eta = ["0.2", "0.8"]
    solve = "a"
    at_least = "1/(1-eta*K/(K-1))"            # or at_most, always = true, never = true; ratio, ratio_upper; asymmetric = true

``eta`` and ``K`` in a claimed value stand for the rate and the number of classes. Every claim gets a control: the value 5 % off, or
the opposite verdict, which must be refuted.

A Python file registers judges with ``@claim``, as the ledger's own modules do. It is run as code: give only files that you trust.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

from ..asymmetry.condition import check
from ..asymmetry.ratio import asymmetry_ratio
from ..errors import InputError, nearest
from ..losses.base import Loss
from ..losses.expressions import Env, choose, parse
from ..losses.formula import from_formula, parse_domain
from ..losses.registry import build
from ..noise.models import from_weights
from ..noise.resolve import resolve
from ..noise.rows import NoiseModel
from ..numbers.backends import EXACT, arb_
from ..numbers.scalar import Scalar
from ..numbers.text import parse_number
from ..reading.documents import NotTOML, parse_toml, read_text
from ..threshold.pieces import End, Threshold
from ..threshold.solve import solve
from .ledger import CERTIFIED, REFUTED, SUPPORTED, UNDECIDED, Claim, Effort, Evidence, Finding, registered_by

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value]"  # of a TOML file

ABOUT = (
    "id",
    "where",
    "statement",
    "loss",
    "formula",
    "passive",
    "set",
    "domain",
    "noise",
    "K",
    "eta",
    "weights",
    "solve",
)
ENDS, FLAGS, RATIOS = ("at_least", "at_most"), ("always", "never"), ("ratio", "ratio_pointwise", "ratio_upper")
SAYS = (*ENDS, *FLAGS, *RATIOS, "asymmetric")
CLOSE = 1e-9  # relative width below which an unnamed enclosure settles a number, as said in the verdict


def load(path: Path) -> list[Claim]:
    """The claims of a file. InputError names the claim and the key that is wrong."""
    if not path.is_file():
        raise InputError(f"--file {str(path)!r}: there is no such file")
    if path.suffix == ".py":
        return _python(path)
    if path.suffix != ".toml":
        raise InputError(f"--file {str(path)!r}: a .toml file of claims, or a .py file that registers them, is needed")
    text = read_text(path, "--file")
    try:
        content = parse_toml(text, f"--file {path}")
    except NotTOML as error:
        raise InputError(f"{error}: not a TOML file") from None
    entries = content.get("claim", [])
    if not isinstance(entries, list) or not entries:
        raise InputError(f"--file {str(path)!r}: it has no [[claim]]")
    source = str(content.get("paper", path.stem))
    claims = [_claim(entry, i, source) for i, entry in enumerate(entries, 1)]
    twice = {claim.id for claim in claims if sum(other.id == claim.id for other in claims) > 1}
    if twice:
        raise InputError(f"--file: two claims have the id {min(twice)!r}")
    return claims


def _python(path: Path) -> list[Claim]:
    spec = importlib.util.spec_from_file_location(f"asymtheory_claims_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"--file {str(path)!r}: Python cannot import it")
    module = importlib.util.module_from_spec(spec)
    try:
        found = registered_by(lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]  # checked above
    except Exception as error:  # the user's own code: whatever it raises is shown in one line
        raise InputError(f"--file {str(path)!r}: it fails with {type(error).__name__}: {error}") from error
    if not found:
        raise InputError(f"--file {str(path)!r}: it registers no claim (see `claim` in asymtheory.claims.ledger)")
    return [replace(claim, source=path.stem) for claim in found]


# ------------------------------------------------------------------------------------------------ a claim of a TOML file


@dataclass(frozen=True)
class Assertion:
    """What is said: the kind (a key of SAYS) and the value, scaled by ``factor`` in a control (an opposite verdict by -1)."""

    kind: str
    value: str | bool
    factor: Fraction = Fraction(1)


def _claim(entry: Value, number: int, source: str) -> Claim:
    where = f"--file: claim {number}"
    if not isinstance(entry, dict):
        raise InputError(f"{where}: a table is needed")
    identifier = str(entry.get("id", f"claim-{number}"))
    where = f"--file: claim {identifier!r}"
    for key in entry:
        if key not in (*ABOUT, *SAYS):
            raise InputError(
                f"{where}: {key!r} is not a key{nearest(key, (*ABOUT, *SAYS))} ({', '.join((*ABOUT, *SAYS))})"
            )
    kinds = [key for key in SAYS if key in entry]
    if len(kinds) != 1:
        raise InputError(f"{where}: exactly one of {', '.join(SAYS)} is needed, got {', '.join(kinds) or 'none'}")
    kind = kinds[0]
    value = entry[kind]
    if kind in (*FLAGS, "asymmetric"):
        if not isinstance(value, bool) or (kind in FLAGS and not value):
            raise InputError(f"{where}: {kind} = true is needed" + (" (or false)" if kind == "asymmetric" else ""))
        said, control, change = Assertion(kind, value), Assertion(kind, value, Fraction(-1)), "the opposite verdict"
    else:
        said, control = (Assertion(kind, str(value), factor) for factor in (Fraction(1), Fraction(21, 20)))
        change = f"{kind.replace('_', ' ')} 5 % larger"
    loss, cases = _loss(entry, kind, where), _cases(entry, kind, where)
    solved = str(entry["solve"]) if "solve" in entry else loss.main

    def judge(claimed: Assertion, effort: Effort) -> Finding:
        if claimed.kind in RATIOS:
            return _judge_ratio(loss, claimed, where)
        found = [_judge_on(loss, solved, model, claimed, where) for model in cases]
        worst = min(found, key=lambda finding: (REFUTED, UNDECIDED, SUPPORTED, CERTIFIED).index(finding.verdict))
        evidence = worst.evidence if worst.verdict in (REFUTED, UNDECIDED) else "; ".join(f.evidence for f in found)
        return replace(worst, evidence=evidence)

    about = _printable(entry.get("where", ""))
    says = _printable(entry.get("statement", f"{loss.title}: {kind} {value}"))
    return Claim(_printable(identifier), about, says, judge, said, control, change, _printable(source))


def _printable(text: Value) -> str:
    """Text for a terminal: what is not printable becomes U+FFFD."""
    return "".join(character if character.isprintable() else "\ufffd" for character in str(text))


def _exactly(value: Value, where: str) -> Fraction:
    if isinstance(value, float | Decimal):
        raise InputError(f'{where}: write decimals as text, such as "0.8", so that they are exact')
    return parse_number(str(value), where)


def _loss(entry: Mapping[str, Value], kind: str, where: str) -> Loss:
    given = entry.get("set", {})
    if not isinstance(given, dict):
        raise InputError(f'{where}: set = {{ name = "value" }} is needed')
    values = {name: _exactly(value, f"{where}: set {name}") for name, value in given.items()}
    if ("loss" in entry) == ("formula" in entry):
        raise InputError(f"{where}: one of loss and formula is needed")
    try:
        if "loss" in entry:
            return build(str(entry["loss"]), **values)
        domains = entry.get("domain", {})
        if not isinstance(domains, dict):
            raise InputError('domain = { a = "1:inf" } is needed')
        ranges = dict(parse_domain(f"{name}={text}") for name, text in domains.items())
        passive = entry.get("passive")
        free = str(entry["solve"]) if "solve" in entry else None
        return from_formula(
            str(entry["formula"]), None if passive is None else str(passive), solve=free, domains=ranges, **values
        )
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _cases(entry: Mapping[str, Value], kind: str, where: str) -> list[NoiseModel]:
    """The noise models that a claim is about: none for a ratio, one for each rate."""
    if kind in RATIOS:
        return []
    weights = entry.get("weights")
    if weights is not None:
        if not isinstance(weights, list) or "noise" in entry or "eta" in entry:
            raise InputError(f'{where}: weights = ["3", "1"] is a list, and goes without noise and eta')
        return [from_weights([_exactly(w, f"{where}: weights") for w in weights])]
    classes = entry.get("K")
    if classes is not None and (isinstance(classes, bool) or not isinstance(classes, int)):
        raise InputError(f"{where}: K = {classes!r}: a whole number is needed")
    rates = entry.get("eta")
    listed: Sequence[Value | None] = rates if isinstance(rates, list) else [rates]
    try:
        return [
            resolve(str(entry.get("noise", "symmetric")), classes, None if r is None else _exactly(r, f"{where}: eta"))
            for r in listed
        ]
    except InputError as error:
        raise InputError(f"{where}: {error}" if not str(error).startswith(where) else str(error)) from None


def claimed_number(text: str, model: NoiseModel | None, where: str) -> Iterator[Scalar]:
    """A claimed value, exactly (Exact or a fraction) and as a ball; ``eta`` and ``K`` stand for those of the noise."""
    if model is not None:
        for name, value in (("eta", model.rate), ("K", Fraction(model.classes))):
            if re.search(rf"\b{name}\b", text):
                if value is None:
                    raise InputError(f"{where}: {text!r}: this noise has no {name}")
                exact = Fraction(value)
                text = re.sub(rf"\b{name}\b", f"({exact.numerator}/{exact.denominator})", text)
    compiled = parse(text, where)
    if compiled.uses_u or compiled.parameters:
        raise InputError(f"{where}: {text!r}: a number is needed, in eta and K at most")
    for xp in (EXACT, arb_()):
        yield xp.number(compiled.run(Env(xp.number(1), xp.number(0), xp, {}, choose)))


# ------------------------------------------------------------------------------------------------ judging


def _judge_ratio(loss: Loss, claimed: Assertion, where: str) -> Finding:
    names = {"ratio": "r", "ratio_pointwise": "r_pointwise", "ratio_upper": "r_upper"}
    found = getattr(asymmetry_ratio(loss), names[claimed.kind])
    *_, ball = claimed_number(str(claimed.value), None, where)
    value = float(ball) * float(claimed.factor) if float(ball) else float(claimed.factor - 1)
    text = f"{claimed.kind.replace('_', ' ')} in [{found.low:.12g}, {found.high:.12g}], claimed {value:.12g}"
    if not found.low * (1 - 1e-14) <= value <= found.high * (1 + 1e-14):
        return Finding(REFUTED, "Arb", text, counterexample={"enclosure": [found.low, found.high], "claimed": value})
    narrow = found.high - found.low <= CLOSE * max(found.high, CLOSE)
    return Finding(CERTIFIED if narrow else UNDECIDED, f"Arb, to within {found.high - found.low:.1g}", text)


def _judge_on(loss: Loss, solved: str | None, model: NoiseModel, claimed: Assertion, where: str) -> Finding:
    if claimed.kind == "asymmetric":
        return _judge_verdict(loss, model, bool(claimed.value) is (claimed.factor > 0))
    if solved is None:
        raise InputError(f'{where}: {loss.title} has no parameter to solve for; name one by solve = "..."')
    answer = solve(loss, model, solved)
    if claimed.kind in FLAGS:
        wanted = claimed.kind if claimed.factor > 0 else {"always": "never", "never": "always"}[claimed.kind]
        if answer.status == "undecided":
            return Finding(UNDECIDED, "thresholds", f"{_on(model)}: undecided")
        verdict = CERTIFIED if answer.status == wanted else REFUTED
        return Finding(verdict, answer.method, f"{_on(model)}: {answer.answer}", counterexample=_shown(answer, model))
    return _judge_end(answer, model, claimed, where)


def _judge_verdict(loss: Loss, model: NoiseModel, wanted: bool) -> Finding:
    answer = check(loss, model)
    text = (
        f"{_on(model)}: "
        f"{'undecided' if answer.asymmetric is None else 'asymmetric' if answer.asymmetric else 'not asymmetric'}"
    )
    if answer.asymmetric is None:
        return Finding(UNDECIDED, answer.method, text)
    verdict = CERTIFIED if answer.asymmetric is wanted else REFUTED
    return Finding(
        verdict,
        answer.method,
        text,
        (answer.reason,),
        {"asymmetric": answer.asymmetric, "minimiser": list(answer.minimiser or ())},
    )


def _judge_end(answer: Threshold, model: NoiseModel, claimed: Assertion, where: str) -> Finding:
    end = _end(answer, claimed.kind)
    exact, ball = claimed_number(str(claimed.value), model, where)
    rational = exact.rational() if hasattr(exact, "rational") else Fraction(exact)
    shift = Fraction(0) if float(ball) else claimed.factor - 1
    value = float(ball) * float(claimed.factor) + float(shift)
    sign = ">=" if claimed.kind == "at_least" else "<="
    if end is None:
        return Finding(REFUTED, answer.method, f"{_on(model)}: {answer.answer}, not {answer.parameter} {sign} {value:.6g}",
                       counterexample=_shown(answer, model))  # fmt: skip
    text = f"{_on(model)}: {answer.parameter} {sign} {end}"
    if rational is not None and end.number is not None:
        same, how = rational * claimed.factor + shift == end.number, "exactly"
    else:
        same = end.low * (1 - 1e-14) <= value <= end.high * (1 + 1e-14) and end.high - end.low <= CLOSE * abs(end.value)
        how = f"to within {max(end.high - end.low, 1e-14 * abs(end.value)):.1g}"
    if same:
        return Finding(CERTIFIED, f"{answer.method}; equal {how}", text)
    between = (value + end.value) / 2
    point = {
        **_shown(answer, model),
        "claimed": value,
        "a value between": between,
        "asymmetric there": any(between in piece for piece in answer.pieces),
    }
    return Finding(REFUTED, answer.method, f"{text}, claimed {value:.10g}", counterexample=point)


def _end(answer: Threshold, kind: str) -> End | None:
    """The one end that a claim names: the lower end of the last piece, or the upper end of the first."""
    if answer.status != "threshold" or len(answer.pieces) != 1:
        return None
    end = answer.pieces[0].low if kind == "at_least" else answer.pieces[0].high
    return None if end is None or end.of_domain else end


def _shown(answer: Threshold, model: NoiseModel) -> Evidence:
    return {"noise": _on(model), "parameter": answer.parameter, "found": answer.answer}


def _on(model: NoiseModel) -> str:
    rate = "" if model.rate is None else f" {Fraction(model.rate)}"
    return f"{model.kind}{rate}, K = {model.classes}"
