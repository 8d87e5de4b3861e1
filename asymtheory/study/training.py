"""What trains the loss of a study: ``loss.py``, a torch module with its check, and ``plan.toml`` for ``asymtheory sweep``."""

from __future__ import annotations

import json
from fractions import Fraction

from ..losses.settings import named
from ..noise.models import FAMILIES, FIXED_CLASSES, MEASURED
from ..numbers.text import plain
from ..threshold.pieces import Threshold
from .facts import Facts

RIVALS = ("ce", "mae", "gce:q=0.7")
DATASETS = {10: "digits", 100: "cifar100"}
MULTIPLES = (1, 2, 4)


def module(found: Facts) -> str:
    """The whole of ``loss.py``."""
    arguments = [f"{name}={json.dumps(text)}" for name, text in named(found.loss).items()]
    if "loss" in named(found.loss):
        arguments = [json.dumps(found.loss.name)]
    values = {name: plain(value) for name, value in found.loss.parameters.items()}
    shown = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())
    return f'''"""{_comment(str(found.loss))} as a torch module, like ``torch.nn.CrossEntropyLoss``: ``loss()(logits, labels)``.

{_comment(_said(found))}

``python loss.py`` checks its gradient against finite differences of the definition in float64.
"""

from asymtheory_training import build_loss
from asymtheory_training.losses.gradient import check_gradient

PARAMETERS = {{{shown}}}


def loss(**options):
    """The module; ``options`` are those of ``build_loss`` (reduction, weight, ignore_index, ...) and other parameters."""
    return build_loss({", ".join(arguments)}, **{{**PARAMETERS, **options}})


if __name__ == "__main__":
    print(check_gradient(loss().loss))
'''


def _said(found: Facts) -> str:
    """The noise in words, and whether the parameters of the module are asymmetric there."""
    model, verdict = (
        found.noise,
        {True: "asymmetric", False: "not asymmetric", None: "undecided"}[found.verdict.asymmetric],
    )
    return (
        f"On {model.kind} noise with K = {model.classes}: {found.threshold.answer}; with these parameters: {verdict}."
    )


def _comment(text: str) -> str:
    """Text that cannot leave a docstring."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split()).encode("ascii", "replace").decode()


def plan(found: Facts) -> str:
    """The whole of ``plan.toml``: the loss at and above its threshold, and rivals, on the noise or one like it."""
    kind, eta, K, note = _noise(found)
    lines = [
        f"# asymtheory sweep plan.toml: {_comment(str(found.loss))} and rivals, three seeds each.",
        *([f"# {note}"] if note else []),
        "[defaults]",
        f"dataset = {json.dumps(DATASETS.get(K, 'digits'))}",
        "seeds = 3",
        "",
        "[defaults.noise]",
        f"kind = {json.dumps(kind)}",
        *([] if eta is None else [f"eta = {_number(eta)}"]),
        "",
        "[[runs]]",
        *(f"{name} = {json.dumps(text)}" for name, text in named(found.loss).items()),
    ]
    if found.loss.parameters:
        moved = found.parameter if _multiplies(found) else None
        lines += ["", "[runs.parameters]"]
        for name, value in found.loss.parameters.items():
            key = name if name.isidentifier() and name.isascii() else json.dumps(name)
            times = f"{{ times_threshold = {list(MULTIPLES)} }}"
            lines.append(f"{key} = {times if name == moved else _number(value)}")
    return "\n".join([*lines, "", "[[runs]]", f"loss = {json.dumps(list(RIVALS))}", ""])


def _noise(found: Facts) -> tuple[str, Fraction | None, int, str]:
    """(kind, rate, K, a note) of a noise that the training data can have; a measured noise has its own rate."""
    model = found.noise
    if model.kind in MEASURED and model.classes in DATASETS:
        return model.kind, None, model.classes, ""
    if model.kind in FAMILIES and model.kind not in FIXED_CLASSES and model.classes in DATASETS and model.rate:
        return model.kind, Fraction(model.rate), model.classes, ""
    rate = Fraction(2, 5) if not model.rate else Fraction(round(100 * Fraction(model.rate)), 100)
    note = f"the study is of {model.kind} noise with K = {model.classes}; this plan has symmetric noise at its rate"
    return "symmetric", rate, 10, _comment(note)


def _multiplies(found: Facts) -> bool:
    """Is the feasible set of the parameter all that lies above one value, so that its multiples are feasible?"""
    if found.parameter is None or found.loss.domains[found.parameter].integer:
        return False
    answer: Threshold = found.threshold
    *_, note = _noise(found)
    piece = answer.feasible
    return (
        not note
        and piece is not None
        and answer.status == "threshold"
        and piece.high is None
        and answer.end is not None
    )


def _number(value: object) -> str:
    text = plain(value)
    return json.dumps(text) if "/" in text else text
