"""The wide part of ``fused`` in C++, where a user asks for it: ``use_native()`` builds it once with the machine's compiler.

Each row is read twice, in cache, and nothing of the size of the logits is written but the gradient. What is said of rows and
labels stays in Python, in ``fused`` and ``terms``. Losses, targets and tensors that it does not know go the usual way.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from shutil import which

import torch
from torch import Tensor

from asymtheory.errors import InputError

from . import fused
from .fused import Labels, separable
from .parts import FusedPlan
from .terms import Curve, Focal, LabelProbabilities, Scratch, plus

SOURCE = Path(__file__).with_name("fused.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
NONE, POWER = 0, 4
FOCAL = {0.5: 1, 1.0: 2, 2.0: 3}  # by gamma
HEIGHTS, ABOVE, DETACH = 1, 2, 4
SMALLEST = 2**14  # logits; with fewer the calls themselves take longer than what they save


def use_native(on: bool = True) -> None:
    """Compute losses on the CPU in C++ from now on (or, with ``on=False``, no longer).

    The first call builds it, in seconds, with ``$CXX`` or g++, into the user's cache; later processes find it there. It
    takes integer labels and every registered loss but AMSE with q != 2, the focal losses with a gamma that is not 0.5, 1 or 2,
    and sums of normalised losses on several bases; those, small batches and ``torch.compile`` go the usual way.
    Raises InputError where it cannot be built; losses are then computed as before.
    """
    if on:
        library()
    fused.NATIVE = native_block if on else None


@cache
def library() -> ctypes.CDLL:
    compiler = os.environ.get("CXX") or which("g++")
    if compiler is None:
        raise InputError("use_native() needs a C++ compiler: install g++, or name one in CXX")
    key = hashlib.sha256(SOURCE.read_bytes() + " ".join((compiler, *FLAGS, platform.node())).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asymtheory"
    built = folder / f"fused-{key}.so"
    if not built.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:
            made = Path(own) / built.name
            try:
                subprocess.run([compiler, *FLAGS, SOURCE, "-o", made], check=True, capture_output=True, text=True)
            except (OSError, subprocess.CalledProcessError) as error:
                said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
                raise InputError(
                    f"use_native(): {compiler} cannot build {SOURCE.name}: {said[0] if said else error}"
                ) from error
            made.replace(built)  # at once, for processes that build it at the same time
    return ctypes.CDLL(str(built))


def native_block(
    plan: FusedPlan, logits: Tensor, labels: Labels, gradient: bool, out: Tensor | None, scratch: Scratch
) -> tuple[Tensor, Tensor] | None:
    """What ``fused.block`` gives, or None where this is not for C++."""
    known = known_base(plan)
    if (
        known is None
        or logits.numel() <= SMALLEST
        or labels.soft
        or not logits.is_cpu
        or type(logits) is not Tensor
        or logits.stride(-1) != 1
    ):
        return None
    kind, exponent = known
    n, K = logits.shape
    top = plan.negatives[0].top if plan.negatives else 0.0
    flags = HEIGHTS * bool(plan.ratios) | ABOVE * bool(plan.negatives) | DETACH * plan.detach
    at_label = logits.gather(-1, labels.given)  # which refuses a label out of range
    z = logits
    if out is None:
        out = torch.empty_like(logits, memory_format=torch.contiguous_format)
    elif out.data_ptr() == logits.data_ptr() and flags & (HEIGHTS | ABOVE):
        assert scratch[0] is not None
        z = scratch[0].copy_(logits)
    told = out.new_empty(n, 7)
    name = "float" if logits.dtype == torch.float32 else "double"
    threads = min(torch.get_num_threads(), n)
    shape = ctypes.c_int64(n), ctypes.c_int64(K), ctypes.c_double(top), ctypes.c_double(exponent)
    rows = ctypes.c_void_p(z.data_ptr()), ctypes.c_int64(z.stride(0)), ctypes.c_void_p(out.data_ptr())
    calls = library()
    calls[f"read_{name}"](*rows, ctypes.c_void_p(told.data_ptr()), *shape, kind, flags, threads)
    value, own = _rows(plan, labels, at_label, told, kind)
    if gradient:
        given = torch.cat([*own, torch.ones_like(value) if labels.rows is None else labels.rows], -1)
        label = labels.given.contiguous()
        pointers = (ctypes.c_void_p(x.data_ptr()) for x in (told, given, label))
        calls[f"write_{name}"](*rows, *pointers, *shape, kind, flags, threads)
    return value, out


def known_base(plan: FusedPlan) -> tuple[int, float] | None:
    """(kind of base, its exponent), or None where the loss has parts that C++ does not know."""
    bases = {part.base for part in plan.ratios} | {part.base for part in plan.negatives}
    if plan.passive or len(bases) > 1:
        return None
    if not plan.bases:
        return NONE, 1.0
    (base,) = plan.bases
    if isinstance(base, Focal):
        return (FOCAL[base.gamma], 1.0) if base.gamma in FOCAL else None
    if isinstance(base, Curve) and base.shift == 0 and not isinstance(base.f, str) and base.scale == 1:
        usual = abs(base.factor * base.f - 1) < 1e-12 and abs(base.constant + base.factor) < 1e-12
        return (POWER, base.f) if usual else None
    return None


def _rows(plan: FusedPlan, labels: Labels, at_label: Tensor, told: Tensor, kind: int) -> tuple[Tensor, list[Tensor]]:
    """Losses (n, 1), and by row: square, inner, ratio, negative, and the slope at the label, each (n, 1)."""
    total, _, squares, heights, slopes, over, steep = told.split(1, -1)
    at = LabelProbabilities(at_label - total)
    sums = separable(plan, at, labels.unit)
    height, own = (at.logu, 1.0) if kind == NONE else plan.bases[0].at(at)
    zero = torch.zeros_like(total)
    square, ratios, negative, through = zero, zero, zero, zero
    value, slope = plus(sums.value, zero), plus(sums.slope, zero)
    if plan.square:
        square = zero + 2 * plan.square * labels.unit
        value, through = value + plan.square * squares, square * squares
    for ratio in plan.ratios:
        inside = heights.reciprocal()
        share = height * inside
        inside = inside * (ratio.weight * labels.unit)
        value, slope = value + ratio.weight * share, slope + inside * own
        ratios = ratios + share * inside
    for cut in plan.negatives:
        inside = over.reciprocal()
        share = (height + cut.top).clamp(min=0) * inside
        inside = inside * (-cut.weight * labels.unit)
        here = height + cut.top > 0
        value = value - cut.weight * share
        slope = slope + inside * torch.where(here, own, -cut.slope if plan.inward else 0.0)
        negative = share * inside
    through = through + slope
    if plan.ratios:
        through = through - ratios * slopes
    if plan.negatives:
        through = through - negative * steep
    return value, [square, -through, ratios, negative, slope]
