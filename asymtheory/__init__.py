"""Asymmetric loss functions for learning with noisy labels: which hyper-parameters are noise-tolerant, and why.

    >>> from fractions import Fraction
    >>> from asymtheory import build, solve, symmetric
    >>> solve(build("amse"), symmetric(10, Fraction("0.8"))).answer
    'a >= 9'

Names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "errors": ("InputError",),
    "losses": (
        "AEL", "AGCE", "AMSE", "AUL", "CE", "FL", "GCE", "LogitClipCE", "Loss", "MAE", "MSE", "NCE", "NFL", "NGCE", "NMAE",
        "NNCE", "NNFL", "NRCE", "PHuberCE", "RCE", "Separable", "Sum", "TaylorCE", "Unhinged", "build", "register",
    ),
    "noise": (
        "NoiseModel", "Row", "class_map", "from_counts", "from_labels", "from_matrix", "from_posteriors", "from_weights",
        "load", "named", "pair", "resolve", "symmetric", "uniform",
    ),
    "losses.formula": ("Formula", "from_formula"),
    "asymmetry.fitting": ("FittingSlope", "fitting_slope"),
    "losses.published": ("Setting", "published_settings"),
    "asymmetry.ratio": ("Ratio", "asymmetry_ratio"),
    "asymmetry.risk": ("Minimiser", "minimise", "weighted_risk"),
    "asymmetry.guarantees": ("Guarantee", "guarantee"),
    "asymmetry.condition": ("Condition", "check"),
    "threshold": ("Threshold", "solve", "solve_rate"),
    "threshold.many": ("solve_many",),
    "threshold.symbolic": ("Symbolic", "derive"),
    "noise.estimate": ("NoiseEstimate",),
    "selection.candidates": ("Candidate",),
    "selection.select": ("Selection", "select"),
    "selection.estimator": ("AsymmetricLossSelector",),
    "experiments.result": ("WeightedRiskResult",),
    "experiments.weighted_risk": ("WeightedRiskExperiment",),
    "asymmetry.calibration": ("Calibration", "calibrate", "excess_risk_bound"),
}  # fmt: skip
_WHERE = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'asymtheory' has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
