"""How the papers trained, by name: ``--recipe jal-cifar10``.

A recipe is a data set, a network, and the settings of the optimiser; where its paper prints parameters for the chosen loss on
that data set they are taken as well (:mod:`asymtheory.losses.published`). Weight decay deserves its own word. The papers compare
losses under *different* penalties: ANL trains its own losses with an L1 norm and every baseline with L2, and JAL's code picks the
norm by the name of the loss. Here every loss gets the paper's L2 unless another ``regularisation`` is asked for;
``regularisation = "published"`` does what the paper did for that loss.

All four trained with SGD and momentum 0.9; MNIST and CIFAR with a cosine schedule to 0, batches of 128 and gradients clipped to
norm 5. The large sets, whose images a user brings (:mod:`.folders`), have settings of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json, JsonValue
from asymtheory.losses import Loss
from asymtheory.losses.published import Setting, published_settings
from asymtheory.numbers.text import plain

Penalty = tuple[str, float]


@dataclass(frozen=True)
class Recipe:
    """Settings by name.

    ``values`` are fields of :class:`~asymtheory_training.run.config.TrainConfig`. ``exceptions`` are the losses that the paper
    penalised in another way than by ``values``: (one of these atoms is in the loss, the penalty), the first match counts.
    ``papers`` are the papers whose printed loss parameters it takes, in order.
    """

    name: str
    dataset: str
    values: Mapping[str, JsonValue] = field(hash=False)
    loss: str = "ce"
    papers: tuple[str, ...] = ()
    exceptions: tuple[tuple[frozenset[str], Penalty], ...] = ()
    note: str = ""

    def penalty(self, loss: Loss | None) -> Penalty:
        """(norm, strength) of the weights' penalty that the paper trained this loss with; None: a baseline outside the core."""
        atoms = set() if loss is None else {atom.name for _, atom in loss.terms()}
        for names, penalty in self.exceptions:
            if atoms & names:
                return penalty
        return str(self.values["regularisation"]), float(self.values["strength"])

    def setting(self, loss: str) -> Setting | None:
        """What its papers print for this loss on its data set; None where they print nothing."""
        if (loss, self.dataset) in _ALF_CODE and "ALF" in self.papers:
            values = {name: Fraction(text) for name, text in _ALF_CODE[loss, self.dataset].items()}
            return Setting(loss, self.dataset, values, {}, "ALF's code")
        try:
            found = published_settings(loss, self.dataset)
        except InputError:  # a sum that no paper has, or a loss outside the core
            return None
        by_paper = (setting for paper in self.papers for setting in found if setting.source.split()[0] == paper)
        return next((setting for setting in by_paper if "Adam" not in setting.note), None)

    def to_dict(self) -> Json:
        return {
            "name": self.name,
            "dataset": self.dataset,
            "loss": self.loss,
            "values": dict(self.values),
            "exceptions": [{"with": sorted(names), "penalty": list(penalty)} for names, penalty in self.exceptions],
            "note": self.note,
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.dataset}, loss {self.loss} unless another is named"]
        shown = {k: plain(v) if isinstance(v, float) else v for k, v in self.values.items()}
        lines.append("  " + ", ".join(f"{name} {value}" for name, value in shown.items()))
        for names, (norm, strength) in self.exceptions:
            lines.append(f'  regularisation = "published": {norm} {strength:g} with {", ".join(sorted(names))}')
        return "\n".join([*lines, *([f"  note: {self.note}"] if self.note else [])])


# ALF leaves its parameters to a supplement; these are lnl/config.py of its repository. The sums agree with ANL Table 4.
_ALF_CODE: dict[tuple[str, str], Mapping[str, str]] = {
    ("agce", "mnist"): {"a": "4", "q": "0.2"},
    ("aul", "mnist"): {"a": "3", "p": "0.1"},
    ("ael", "mnist"): {"a": "3.5"},
    **{("agce", name): {"a": "0.6", "q": "0.6"} for name in ("cifar10", "cifar100")},
    **{("aul", name): {"a": "5.5", "p": "3"} for name in ("cifar10", "cifar100")},
    **{("ael", name): {"a": "2.5"} for name in ("cifar10", "cifar100")},
}

_SHARED = {"batch": 128, "momentum": 0.9, "nesterov": False, "schedule": "cosine", "clip": 5.0, "regularisation": "l2"}
_TRAINED: dict[str, Json] = {
    "mnist": {"model": "cnn4", "epochs": 50, "rate": 0.01, **_SHARED, "strength": 1e-3},
    "cifar10": {"model": "cnn8", "epochs": 120, "rate": 0.01, **_SHARED, "strength": 1e-4},
    "cifar100": {"model": "resnet34", "epochs": 200, "rate": 0.1, **_SHARED, "strength": 1e-5},
}
_LARGE: dict[str, Json] = {
    "webvision": {
        "model": "resnet50", "epochs": 250, "batch": 512, "rate": 0.4, "momentum": 0.9, "nesterov": True,
        "schedule": "step:1:0.97", "clip": 5.0, "regularisation": "l2", "strength": 3e-5,
    },
    "clothing1m": {
        "model": "resnet50", "pretrained": True, "epochs": 10, "batch": 256, "rate": 5e-3, "momentum": 0.9,
        "nesterov": False, "schedule": "step:5:0.1", "clip": math.inf, "regularisation": "l2", "strength": 1e-3,
    },
    "animal10n": {
        "model": "vgg19-bn", "epochs": 100, "batch": 128, "rate": 0.1, "momentum": 0.9, "nesterov": False,
        "schedule": "drop:0.2:0.5,0.75", "clip": math.inf, "regularisation": "l2", "strength": 1e-3,
    },
}  # fmt: skip
_FOLDER = {
    **_LARGE["webvision"],
    "epochs": 90,
    "batch": 256,
    "rate": 0.1,
    "schedule": "cosine",
    "strength": 1e-4,
}  # ours
_FEATURES = {
    **_SHARED,
    "model": "linear",
    "epochs": 10,
    "rate": 0.01,
    "regularisation": "none",
    "strength": 0.0,
}  # ours
_ANL_LOSSES = frozenset({"nnce", "nnfl"})
_SAME_LABELS = "ALF's three trials share one set of noisy labels (noise.seed stays while seed changes)"

_ALL = (
    Recipe(
        "digits", "digits", {"model": "mlp", "epochs": 100, "rate": 0.02, **_SHARED, "strength": 1e-4}, "jal-ce",
        note="ours, chosen once for all losses: scikit-learn's 8x8 digits in seconds on two cores",
    ),
    *(
        Recipe(
            f"apl-{name}", name, _TRAINED[name], "nce+rce", ("APL", "ANL"),
            note={
                "mnist": "APL's code differs from its paper: weight decay 1e-2, nesterov, a final rate of 1e-3",
                "cifar10": "",
                "cifar100": "APL's configurations train a ResNet-50, its paper says ResNet-34",
            }[name],
        )
        for name in _TRAINED
    ),
    *(Recipe(f"alf-{name}", name, _TRAINED[name], "nce+agce", ("ALF", "ANL"), note=_SAME_LABELS) for name in _TRAINED),
    *(
        Recipe(
            f"anl-{name}", name, _TRAINED[name], "anl-ce", ("ANL",), ((_ANL_LOSSES, ("l1", delta)),),
            "ANL trained its own losses with an L1 norm and the baselines with L2",
        )
        for name, delta in (("mnist", 1e-6), ("cifar10", 5e-5), ("cifar100", 5e-7))
    ),
    Recipe(
        "jal-cifar10", "cifar10", _TRAINED["cifar10"], "jal-ce", ("JAL",),
        ((frozenset({"amse"}) | _ANL_LOSSES, ("l1", 5e-5)),),
        "JAL's code trains JAL and ANL losses with an L1 norm and the other losses with L2",
    ),
    Recipe(
        "jal-cifar100", "cifar100", _TRAINED["cifar100"], "jal-ce", ("JAL",),
        ((frozenset({"amse"}), ("l1", 5e-6)), (_ANL_LOSSES, ("l1", 5e-7))),
        "JAL's code trains JAL losses with L1 5e-6, ANL losses with L1 5e-7 and the other losses with L2",
    ),
    Recipe("apl-webvision", "webvision", _LARGE["webvision"], "nce+rce", ("APL", "ANL")),
    Recipe(
        "anl-webvision", "webvision", _LARGE["webvision"], "anl-ce", ("ANL",), ((_ANL_LOSSES, ("l1", 6e-6)),),
        "its own losses with L1 (6e-6 in Table 4, 5e-6 in its code), the baselines with L2",
    ),
    Recipe(
        "jal-webvision", "webvision", {**_LARGE["webvision"], "batch": 256}, "jal-ce", ("JAL", "ANL"), (),
        "all losses with L2; its code trains on 4 GPUs with batch norms of 64 images each, here they see all 256",
    ),
    Recipe(
        "anl-clothing1m", "clothing1m", {**_LARGE["clothing1m"], "batch": 32, "rate": 1e-3}, "anl-ce", ("ANL",), (),
        "all losses with L2; the paper names no clipping",
    ),
    Recipe("jal-clothing1m", "clothing1m", _LARGE["clothing1m"], "jal-ce", ("JAL",), (), "all losses with L2, no clipping"),
    Recipe(
        "anl-animal10n", "animal10n", _LARGE["animal10n"], "anl-ce", ("ANL",),
        ((frozenset({"gce"}), ("l2", 1e-4)), (_ANL_LOSSES, ("l1", 1e-6))),
        "strengths tuned for each loss; the paper names neither momentum nor clipping: 0.9 and none are ours",
    ),
)  # fmt: skip

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}

DEFAULTS: dict[str, Mapping[str, JsonValue]] = {
    **_TRAINED,
    **_LARGE,
    "folder": _FOLDER,
    "features": _FEATURES,
    "fashion-mnist": _TRAINED["mnist"],
    "digits": RECIPES["digits"].values,
}
"""The settings of a data set when no recipe is named: what all papers share for it."""


def recipe(name: str) -> Recipe:
    """The recipe of that name; InputError with the nearest name otherwise."""
    key = name.strip().lower().replace("_", "-")
    if key not in RECIPES:
        raise InputError(f"recipe {name!r}: not a recipe ({', '.join(RECIPES)}){nearest(key, RECIPES)}")
    return RECIPES[key]


def table(recipes: Iterable[Recipe] = _ALL) -> str:
    """All recipes, for ``--recipe list``."""
    return "\n".join(map(str, recipes))
