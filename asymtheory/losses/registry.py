"""Losses by name: the papers' atoms and sums, losses of other packages, and any ``x+y``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from ..errors import InputError, nearest
from ..numbers.scalar import Scalar
from ..numbers.text import parse_number
from .base import COEFFICIENTS, Loss, Sum
from .newer import ELSEWHERE, NEWER
from .papers import (
    AEL,
    AGCE,
    AMSE,
    AUL,
    CE,
    FL,
    GCE,
    MAE,
    MSE,
    NCE,
    NFL,
    NGCE,
    NMAE,
    NNCE,
    NNFL,
    NRCE,
    RCE,
    LogitClipCE,
    PHuberCE,
    TaylorCE,
    Unhinged,
)

_ATOMS: tuple[type[Loss], ...] = (
    CE, FL, MAE, MSE, RCE, GCE, NCE, NFL, NMAE, NRCE, NGCE, NNCE, NNFL,
    AGCE, AUL, AEL, AMSE, Unhinged, TaylorCE, PHuberCE, LogitClipCE, *NEWER,
)  # fmt: skip
ATOMS: dict[str, type[Loss]] = {loss.name: loss for loss in _ATOMS}

# name -> (title, source, terms with their CIFAR-10 coefficients and parameters)
_SUMS: dict[str, tuple[str, str, tuple[tuple[Scalar, str, dict[str, Scalar]], ...]]] = {
    "sce": ("SCE", "Wang et al. 2019; APL Sec. 5.2", ((Fraction(1, 10), "ce", {}), (1, "rce", {}))),
    "nce+mae": ("NCE+MAE", "APL Sec. 4.1", ((1, "nce", {}), (1, "mae", {}))),
    "nce+rce": ("NCE+RCE", "APL Sec. 4.1", ((1, "nce", {}), (1, "rce", {}))),
    "nfl+mae": ("NFL+MAE", "APL Sec. 4.1", ((1, "nfl", {}), (1, "mae", {}))),
    "nfl+rce": ("NFL+RCE", "APL Sec. 4.1", ((1, "nfl", {}), (1, "rce", {}))),
    "ngce+mae": ("NGCE+MAE", "APL Sec. 5.3", ((1, "ngce", {}), (1, "mae", {}))),
    "ngce+rce": ("NGCE+RCE", "APL Sec. 5.3", ((1, "ngce", {}), (1, "rce", {}))),
    "nce+agce": ("NCE+AGCE", "ALF Sec. 4.2", ((1, "nce", {}), (4, "agce", {"a": 6, "q": Fraction(3, 2)}))),
    "nce+aul": ("NCE+AUL", "ALF Sec. 4.2", ((1, "nce", {}), (4, "aul", {"a": Fraction(63, 10), "p": Fraction(3, 2)}))),
    "nce+ael": ("NCE+AEL", "ALF Sec. 4.2", ((1, "nce", {}), (4, "ael", {"a": 5}))),
    "anl-ce": ("ANL-CE", "ANL Eq. 12", ((5, "nce", {}), (5, "nnce", {}))),
    "anl-fl": ("ANL-FL", "ANL Eq. 13", ((5, "nfl", {}), (5, "nnfl", {}))),
    "jal-ce": ("JAL-CE", "JAL Eq. 8", ((1, "nce", {}), (1, "amse", {}))),
    "jal-fl": ("JAL-FL", "JAL Eq. 9", ((1, "nfl", {}), (1, "amse", {}))),
}

# sums that the field has published since
_NEWER_SUMS: dict[str, tuple[str, str, tuple[tuple[Scalar, str, dict[str, Scalar]], ...]]] = {
    "ropo": (
        "ROPO",
        "ROPO's two terms, DPO's CE and the sigmoid of the margin, with free coefficients (K = 2; text not at hand)",
        ((1, "ce", {}), (1, "unhinged", {})),
    ),
}
_SUMS |= _NEWER_SUMS

_COMPARED = ("vce", "vsl", "dal", "ogc-gce", "logit-bias-mae")

_registered: dict[str, type[Loss]] = {}


def register(loss: type[Loss]) -> type[Loss]:
    """Add a loss class to the registry under its ``name`` (usable as a decorator). A taken name is refused."""
    key = _key(loss.name)
    if key in ATOMS or key in _SUMS or key in _registered:
        raise InputError(f"a loss named {key!r} is already registered")
    _registered[key] = loss
    return loss


def _third_party() -> None:
    """Losses that installed packages offer by the entry-point group ``asymtheory.losses``; looked up on a miss only."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="asymtheory.losses"):
        if _key(entry.name) not in _registered:
            _registered[_key(entry.name)] = entry.load()


def names() -> Iterator[str]:
    """Registered names, atoms first."""
    yield from ATOMS
    yield from _SUMS
    yield from _registered


def names_of_papers() -> Iterator[str]:
    """The names of the four papers' losses, and of registered ones: what is compared unless losses are named."""
    newer = {loss.name for loss in NEWER} | set(_NEWER_SUMS)
    yield from (name for name in names() if name not in newer)


def names_compared() -> Iterator[str]:
    """What ``select`` ranks unless losses are named: the papers' losses, and of the newer ones those with a threshold.

    A newer loss is among them where it tolerates some noise for some value of its parameter and is not the form of another
    one. Left out: forms under another name (alpha-loss is GCE, VEL is AEL, OGC-CE is PHuber-CE, DFT is unhinged, log-mixture
    is VCE), losses without a tolerant value on more than two classes (JS, bi-tempered, Fisher-Rao, label smoothing, ...), and
    those that only a search decides (truncated GCE, SR).
    """
    yield from names_of_papers()
    yield from _COMPARED


def build(name: str, **parameters: Scalar) -> Loss:
    """A loss by its registered name, or a sum of two by ``"x+y"``; parameters not given keep their CIFAR-10 defaults.

        >>> build("amse", a=3) == build("amse:a=3")
        True
        >>> str(build("nce+agce:alpha=10,a=6"))
        'NCE+AGCE(alpha=10, beta=4, a=6, q=1.5)'

    ``alpha`` scales a loss that is not a sum: ``build("nce", alpha=10)`` is ``10 * NCE()`` (APL Fig. 3).
    Raises InputError for an unknown name (with the nearest one), an unknown parameter or a value outside its domain.
    """
    name, _, settings = name.partition(":")
    parameters = {**_written(settings), **parameters}
    loss = _find(_key(name))
    if COEFFICIENTS[0] in parameters and COEFFICIENTS[0] not in loss.domains:
        loss = 1 * loss
    return loss.replace(**parameters) if parameters else loss


def as_loss(loss: Loss | str, parameters: Mapping[str, Scalar] | None = None) -> Loss:
    """The loss itself, or the one of that name, with parameters set: what every function of the package does with its ``loss``."""
    if isinstance(loss, str):
        return build(loss, **(parameters or {}))
    if not isinstance(loss, Loss):
        raise InputError(f"loss: a loss or a name such as 'amse' is needed, got {type(loss).__name__}")
    return loss.replace(**parameters) if parameters else loss


def _written(settings: str) -> dict[str, Scalar]:
    """The parameters in ``a=3,q=2``."""
    found: dict[str, Scalar] = {}
    for setting in settings.split(",") if settings else ():
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--loss: {setting!r}: NAME=VALUE is needed, as in amse:a=3,q=2")
        found[name.strip()] = parse_number(value, f"--loss: {name.strip()}")
    return found


def _key(name: str) -> str:
    return "+".join(part.strip() for part in name.lower().replace("_", "-").split("+"))


def _find(key: str) -> Loss:
    if key in ATOMS:
        return ATOMS[key]()
    if key in _SUMS:
        title, source, parts = _SUMS[key]
        loss = Sum(tuple((c, ATOMS[atom](**values)) for c, atom, values in parts), key, title)
        object.__setattr__(loss, "source", source)
        return loss
    if key not in _registered:
        _third_party()
    if key in _registered:
        return _registered[key]()
    if key in ELSEWHERE:
        raise InputError(f"--loss {key!r} is not a loss of one prediction and one label: {ELSEWHERE[key]}")
    if "+" in key and all(key.split("+")):
        atoms = [_find(part) for part in key.split("+")]
        return Sum(tuple(term for atom in atoms for term in atom.terms()))
    raise InputError(f"--loss {key!r} is not a known loss{nearest(key, names())} (asymtheory losses lists them)")
