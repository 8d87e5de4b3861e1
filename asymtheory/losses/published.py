"""The hyper-parameters that the papers print, by loss and data set, each with the table or section it is from.

Values are as printed and exact. Where two papers disagree both entries are kept: ``published_settings("nce+agce", "cifar10")``
gives alpha = 1 (ANL Table 4) and alpha = 10 (JAL Table 8). A parameter that a table does not print (mostly A of RCE and
gamma of NFL) is not in the entry and keeps the default of the registry. A dash for a data set has no entry.

Left out, for the registry does not have them: NLNL, LT-APL (the Student loss) and eps-softmax; docs/baselines.md has
their names for training and LT-APL's settings. The text of the four papers sets nothing for CE+LogitClip, nor for AGCE, AUL
and AEL by themselves (ALF leaves that to its supplement).

CIFAR-10N and CIFAR-100N have no entries: ANL App. D.5 takes those of CIFAR-10 and CIFAR-100.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InputError, nearest
from ..numbers.text import plain
from .base import Loss, Sum
from .registry import build

DATA = Path(__file__).with_name("published.json")
COEFFICIENTS = ("alpha", "beta")


@dataclass(frozen=True)
class Setting:
    """What one paper set for one loss on one data set.

    ``parameters`` go to the loss. ``regularisation`` does not: it weighs the L1 or L2 norm of the network's weights,
    which is added to the loss (delta in the ANL paper), and is given where the source gives it.
    """

    loss: str
    dataset: str
    parameters: dict[str, Fraction] = field(hash=False)
    regularisation: dict[str, Fraction] = field(hash=False)
    source: str
    note: str = ""

    def build(self) -> Loss:
        """The loss with these parameters, without the terms that the setting switches off by a coefficient of 0.

        Raises InputError for a value outside the domain of its parameter.
        """
        off = [name for name in COEFFICIENTS if self.parameters.get(name) == 0]
        if not off:
            return build(self.loss, **self.parameters)
        whole = build(self.loss, **{name: value for name, value in self.parameters.items() if name not in off})
        kept = tuple(term for name, term in zip(COEFFICIENTS, whole.terms(), strict=True) if name not in off)
        if not kept:
            raise InputError(f"{self.source}, {self.loss} on {self.dataset}: every term has coefficient 0")
        (coefficient, atom), *others = kept
        return atom if coefficient == 1 and not others else Sum(kept)

    def to_dict(self) -> dict[str, Any]:
        """The entry with its numbers as decimal text."""
        return {
            "loss": self.loss,
            "dataset": self.dataset,
            "parameters": {name: plain(value) for name, value in self.parameters.items()},
            "regularisation": {norm: plain(value) for norm, value in self.regularisation.items()},
            "source": self.source,
            "note": self.note,
        }

    def __str__(self) -> str:
        values = ", ".join(f"{name}={plain(value)}" for name, value in self.parameters.items())
        values += "".join(f" + {plain(value)} {norm}" for norm, value in self.regularisation.items())
        note = f"; {self.note}" if self.note else ""
        return f"{self.loss} on {self.dataset}: {values or 'no parameters'} ({self.source}{note})"


def read(path: Path) -> tuple[Setting, ...]:
    """The settings in a JSON file of the form of ``data/settings.json``."""
    import json

    def exact(values: dict[str, str]) -> dict[str, Fraction]:
        return {name: Fraction(text) for name, text in values.items()}

    with path.open(encoding="utf-8") as file:
        rows = json.load(file)
    return tuple(
        Setting(**{**row, "parameters": exact(row["parameters"]), "regularisation": exact(row["regularisation"])})
        for row in rows
    )


@cache
def _published() -> tuple[Setting, ...]:
    return read(DATA)


def published_settings(loss: str | None = None, dataset: str | None = None) -> tuple[Setting, ...]:
    """The published settings of a loss, on a data set, or all of them: by paper, in the order of its tables.

    ``dataset`` is one of mnist, cifar10, cifar100, webvision, clothing1m and animal10n (``CIFAR-10`` is understood). A
    loss of the registry for which nothing is published gives ``()``. Raises InputError for an unknown loss or data set.

        >>> [str(setting) for setting in published_settings("gce", "clothing1m")]
        ['gce on clothing1m: q=0.6 + 0.001 L2 (ANL App. D.5)', 'gce on clothing1m: q=0.6 (JAL Table 8)']
    """
    found = _published()
    if loss is not None:
        loss = loss.strip().lower().replace("_", "-")
        found = tuple(setting for setting in found if setting.loss == loss)
        if not found:
            build(loss)  # an unknown name is refused in the registry's words
    if dataset is not None:
        known = sorted({setting.dataset for setting in _published()})
        key = dataset.strip().lower().replace("-", "").replace("_", "")
        if key not in known:
            allowed = ", ".join(known)
            raise InputError(f"dataset {dataset!r} has no published settings (known: {allowed}){nearest(key, known)}")
        found = tuple(setting for setting in found if setting.dataset == key)
    return found
