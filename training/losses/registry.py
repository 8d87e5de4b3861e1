"""The methods of the papers' tables by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from inspect import signature

from torch import Tensor, nn

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import JsonValue
from asymtheory.losses import build, names, unknown_parameter
from asymtheory.losses.domain import Domain, below
from asymtheory.numbers.scalar import Scalar

from .baselines import _ANY, NLNL, BaselineLoss, EpsilonSoftmax, LabelSmoothing, WeightedSum
from .module import RobustLoss
from .pruned import PrunedGCE
from .student import StudentHead, StudentLoss
from .views import GJS


@dataclass(frozen=True)
class Baseline:
    """A baseline by name: parameters with defaults, and what makes the module of them and of options of RobustLoss.

    ``head``: for one that needs a last layer of its own, what makes it of the numbers of features and of classes.
    """

    name: str
    title: str
    formula: str
    source: str
    defaults: Mapping[str, JsonValue]
    make: Callable[..., BaselineLoss]
    options: bool = True  # does it take weight, ignore_index, reduction, ...?
    head: Callable[[int, int], nn.Module] | None = None

    def build(self, parameters: Mapping[str, JsonValue], options: Mapping[str, JsonValue]) -> BaselineLoss:
        """The module. ``options`` are those of :class:`RobustLoss`. InputError for a parameter or an option it does not have."""
        for parameter in parameters:
            if parameter not in self.defaults:
                raise InputError(unknown_parameter(self.name, parameter, dict.fromkeys(self.defaults, Domain())))
        chosen = {name: x for name, x in options.items() if isinstance(x, Tensor) or x != _USUAL[name]}
        if chosen and not self.options:
            raise InputError(f"{self.name} has no option {next(iter(chosen))}: it is a mean over samples")
        return self.make(**{**self.defaults, **parameters}, **chosen)


def _smoothing(name: str, domain: Domain) -> Callable[..., BaselineLoss]:
    return lambda r, **options: LabelSmoothing(domain.check(name, "r", r), **options)


def _ece(m: Scalar, **options: Scalar) -> BaselineLoss:
    return EpsilonSoftmax(RobustLoss(build("ce"), **options), m)


def _with_mae(name: str, title: str) -> Callable[..., BaselineLoss]:
    def make(alpha: Scalar, beta: Scalar, m: Scalar, **rest: Scalar) -> BaselineLoss:
        parameters = {"gamma": rest.pop("gamma")} if name == "fl" else {}
        sharp = EpsilonSoftmax(RobustLoss(build(name, **parameters), **rest), m)
        return WeightedSum(sharp, RobustLoss(build("mae"), **rest), alpha, beta, title)

    return make


def _lt_apl(name: str) -> Callable[..., BaselineLoss]:
    def make(margin: Scalar, centre: Scalar, **parameters: Scalar) -> BaselineLoss:
        return StudentLoss(RobustLoss(build("nce+rce", **parameters)), margin, centre, name=name)

    return make


def _gjs(pi1: Scalar, **options: Scalar) -> BaselineLoss:
    for option in options:
        if option not in ("reduction", "ignore_index"):
            raise InputError(f"gjs has no option {option} (it has: ignore_index, reduction)")
    return GJS(pi1, **options)


def _student_head(density: str) -> Callable[[int, int], nn.Module]:
    def make(features: int, classes: int) -> nn.Module:
        return StudentHead(features, classes, density)

    return make


_USUAL = {option.name: option.default for option in signature(RobustLoss).parameters.values()}

_EPSILON = {"alpha": Fraction(1, 100), "beta": 5, "m": 10**5}

_THIRDS = {"selnl": Fraction(1, 3), "selpl": Fraction(2, 3)}

_LT_APL = {"margin": Fraction(1, 10), "centre": Fraction(1, 20), "alpha": 1, "beta": 10, "A": Fraction("-9.21034")}

BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        Baseline(
            "nlnl", "NLNL", "-log(1 - u_c), then -log u_y of the samples that are trusted", "Kim et al. 2019",
            {"complements": 1, "gamma": Fraction(1, 2), "history": 10, **_THIRDS}, NLNL, options=False,
        ),
        Baseline(
            "pruned-gce", "pruned GCE", "GCE of the samples with u_y >= k, chosen anew every few epochs",
            "Zhang & Sabuncu 2018", {"q": Fraction(7, 10), "k": Fraction(1, 2), "start": Fraction(1, 3), "every": 10},
            PrunedGCE, options=False,
        ),
        Baseline(
            "gjs", "GJS", "Jensen-Shannon divergence of the label and the predictions for several views",
            "Englesson & Azizpour 2021", {"pi1": Fraction(1, 2)}, _gjs,
        ),
        Baseline(
            "ls", "label smoothing", "(1 - r) CE(u, y) + (r/K) sum_k CE(u, k), r <= 1", "Wei et al. 2022",
            {"r": Fraction(1, 10)}, _smoothing("ls", _ANY),
        ),
        Baseline(
            "nls", "NLS", "(1 - r) CE(u, y) + (r/K) sum_k CE(u, k), r < 0", "Wei et al. 2022",
            {"r": Fraction(-1, 5)}, _smoothing("nls", below(0)),
        ),
        Baseline(
            "ece", "ECE", "CE((u + m e_t)/(1 + m), y), t = argmax u", "Wang et al. 2024", {"m": 10**5}, _ece,
        ),
        Baseline(
            "ece+mae", "ECE+MAE", "alpha ECE + beta MAE", "Wang et al. 2024", _EPSILON, _with_mae("ce", "ECE+MAE"),
        ),
        Baseline(
            "efl+mae", "EFL+MAE", "alpha FL((u + m e_t)/(1 + m), y) + beta MAE", "Wang et al. 2024",
            {**_EPSILON, "gamma": Fraction(1, 10)}, _with_mae("fl", "EFL+MAE"),
        ),
        Baseline(
            "lt-apl", "LT-APL", "alpha NCE + beta RCE on Student features, as published code has them", "Zhang et al. 2024",
            _LT_APL, _lt_apl("lt-apl"), options=False, head=_student_head("published"),
        ),
        Baseline(
            "lt-apl-student", "LT-APL (Student density)", "alpha NCE + beta RCE on the posterior of Student distributions",
            "Zhang et al. 2024", _LT_APL, _lt_apl("lt-apl-student"), options=False, head=_student_head("student"),
        ),
    )
}  # fmt: skip
"""The baselines by name; the other losses of the papers' tables are the core's."""


def baseline(name: str) -> Baseline | None:
    """The baseline of that name; None for any other name."""
    return BASELINES.get(name.strip().lower().replace("_", "-"))


def head_of(name: str | None) -> Callable[[int, int], nn.Module] | None:
    """What makes the last layer that the loss of that name needs; None for the linear one of all others."""
    found = None if name is None else baseline(name)
    return None if found is None else found.head


def check_spelling(name: str) -> None:
    """InputError for an unknown name, where a baseline is nearer than the losses that the core would suggest."""
    try:
        build(name)
    except InputError:
        hint = nearest(name, [*names(), *BASELINES])
        if any(repr(known) in hint for known in BASELINES):
            raise InputError(f"--loss {name!r} is not a known loss{hint} (docs/baselines.md lists them)") from None
