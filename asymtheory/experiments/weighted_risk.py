"""The weighted-risk experiment of ALF Sec. 4.1 (Fig. 2): what gradient descent on softmax logits reaches.

Draw positive weights w in R^K and logits z, and minimise ``F(z) = sum_i w_i L(softmax(z), i)``. Where the loss is
asymmetric on w the only minimiser is the vertex e_m of the largest weight, so p_m should tend to 1; elsewhere it should
tend to the exact minimiser that ``risk`` finds without any descent. Losses whose phi_k are concave have other vertices as
local minima, and softmax saturates next to every vertex: each start is therefore counted by what became of it.

All starts of all draws at one parameter value are one array program, run by an engine: ``descent`` (numpy), or a module
that a package registers as an entry point in the group ``asymtheory.engines`` (``torch``, of asymtheory[training]). What
is drawn, counted and kept is the same for all.
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, fields
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from time import monotonic
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from ..asymmetry.newton import hold_memory
from ..asymmetry.risk import minimise
from ..asymmetry.rules import Rule, is_pointed, rule
from ..errors import InputError, nearest
from ..jsonlines import Json
from ..losses.base import Loss, unknown_parameter
from ..losses.profile import Profile
from ..noise.models import check_classes
from ..numbers.backends import FLOAT, Backend, numpy_
from ..numbers.text import Number, parse_number, plain
from . import descent
from .descent import BETAS, CHECK, EPSILON, FLAT, SETTLED, Descent, Objective

Array = np.ndarray[Any, Any]

Progress = Callable[[int, int], None]


class Engine(Protocol):
    """A module that descends: ``descent`` (numpy) says what each of these is and returns."""

    BLOCK: int

    def descend(
        self, loss: Loss, w: Array, z: Array, how: Descent, stopped: Callable[[], bool]
    ) -> tuple[Array, Array, Array, Array] | None: ...

    def made_with(self) -> dict[str, str]: ...


EXPERIMENTS = {"weighted-risk": "minimise sum_i w_i L(softmax(z), i) from random logits (ALF Sec. 4.1, Fig. 2)"}
NUMPY, ENGINES = "numpy", "asymtheory.engines"  # the engine that is always there; where packages register others
OPTIMISERS = {"adam": 0.2, "gd": 0.5}  # with their default step sizes
DISTRIBUTIONS = {"uniform": "w_i uniform on (0, 1]", "dirichlet": "w uniform on the simplex: Dirichlet(1, ..., 1)"}
OUTCOMES = ("vertex", "minimiser", "other_vertex", "stationary", "moving")
VERTEX, MINIMISER, OTHER, STATIONARY, MOVING = range(5)

NEAR = 1e-3  # distance (largest entry) at which a vertex or the minimiser counts as reached
MOST = 5 * 10**7  # numbers in one array of starts or of results
THREADED = 2**17  # numbers at one parameter value from which on threads save time
SAVE_EVERY = 1.0  # seconds


def engine(name: str) -> Engine:
    """The engine of that name. Raises InputError for an unknown one, and where its package is not installed."""
    if name == NUMPY:
        return descent
    found = {entry.name: entry for entry in metadata.entry_points(group=ENGINES)}
    if name not in found:
        known = [NUMPY, *found]
        raise InputError(f"engine {name!r}: one of {', '.join(known)} is needed{nearest(name, known)}")
    try:
        loaded: Engine = found[name].load()
    except ImportError as error:
        raise InputError(f"engine {name!r} needs an extra: pip install 'asymtheory[training]' ({error})") from error
    return loaded


# ---------------------------------------------------------------------------------------------- the recipe


@dataclass(frozen=True)
class WeightedRiskExperiment:
    """What is run; with the same fields the numbers are the same, whatever the chunks and threads.

    ``parameter`` of ``loss`` takes the ``values`` (none: the loss as it is, one value). ``draws`` weight vectors on ``K``
    classes, each with ``starts`` logit vectors z ~ N(0, scale^2 I). ``optimiser``: "adam" (step size falling along a
    cosine to 0) or "gd" (plain descent, constant step size ``rate``). ``weights``: "uniform" on (0, 1] each, or
    "dirichlet"; a draw whose two largest weights tie is drawn again. ``engine``: "numpy", or "torch" where
    asymtheory[training] is installed (on the GPU if there is one). Raises InputError for what is out of range.
    """

    loss: Loss
    parameter: str | None = None
    values: tuple[Number, ...] = ()
    draws: int = 200
    starts: int = 8
    K: int = 10
    seed: int = 0
    optimiser: str = "adam"
    steps: int = 250
    rate: float | None = None
    weights: str = "uniform"
    scale: float = 1.0
    engine: str = NUMPY

    def __post_init__(self) -> None:
        for name, least in (("draws", 1), ("starts", 1), ("seed", 0), ("steps", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} {value}: a whole number >= {least} is needed")
        check_classes(self.K)
        for name, allowed in (("optimiser", OPTIMISERS), ("weights", DISTRIBUTIONS)):
            if getattr(self, name) not in allowed:
                given = str(getattr(self, name))
                raise InputError(f"{name} {given!r}: one of {', '.join(allowed)} is needed{nearest(given, allowed)}")
        engine(self.engine)
        if self.rate is None:
            object.__setattr__(self, "rate", OPTIMISERS[self.optimiser])
        for name in ("rate", "scale"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise InputError(f"{name} {value}: a finite number > 0 is needed")
        if self.parameter is not None and self.parameter not in self.loss.domains:
            raise InputError("--sweep: " + unknown_parameter(self.loss.name, self.parameter, self.loss.domains))
        if (self.parameter is None) != (len(self.values) == 0):
            raise InputError("--sweep: a parameter and at least one value are needed")
        if self.draws * self.starts * max(self.K, len(self.values)) > MOST:
            raise InputError(f"draws x starts x (K or values) is more than {MOST}: too much for memory")
        losses = [self.loss] if self.parameter is None else [self._at(value) for value in self.values]
        for loss in losses:
            Objective(loss, self.K)  # refuses what the number of classes has no room for
        object.__setattr__(self, "losses", tuple(losses))
        if self.parameter is not None:
            object.__setattr__(self, "values", tuple(loss.parameters[self.parameter] for loss in losses))

    losses: tuple[Loss, ...] = field(init=False, repr=False)  # one a value

    def _at(self, value: Number) -> Loss:
        assert self.parameter is not None
        try:
            return self.loss.replace(**{self.parameter: value})
        except InputError as error:
            raise InputError(f"--sweep: {error}") from None

    def to_dict(self) -> Json:
        """The recipe; two runs with the same one have the same results."""
        fixed = {p: str(v) for p, v in self.loss.parameters.items() if p != self.parameter}
        adam = {"betas": list(BETAS), "epsilon": EPSILON, "schedule": "cosine to 0"}
        return {
            "loss": self.loss.name,
            "formula": self.loss.formula,
            "fixed": fixed,
            "parameter": self.parameter,
            "values": [str(value) for value in self.values],
            "K": self.K,
            "draws": self.draws,
            "starts": self.starts,
            "seed": self.seed,
            "weights": DISTRIBUTIONS[self.weights],
            "start": f"z ~ N(0, {self.scale:g}^2 I)",
            "optimiser": {"name": self.optimiser, **(adam if self.optimiser == "adam" else {"schedule": "constant"})},
            "rate": self.rate,
            "steps": self.steps,
            "engine": self.engine,
            "stops": {"vertex": SETTLED, "gradient": FLAT, "every": CHECK},
            "tolerance": NEAR,
        }

    @property
    def descent(self) -> Descent:
        """How each start descends."""
        assert self.rate is not None
        return Descent(self.optimiser, self.rate, self.steps)

    def sample(self) -> tuple[Array, Array]:
        """Weights (draws, K) and starts (draws, starts, K). Each draw has its own random stream."""
        w, z = np.empty((self.draws, self.K)), np.empty((self.draws, self.starts, self.K))
        for d in range(self.draws):
            random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(d,)))
            while True:
                w[d] = random.dirichlet(np.ones(self.K)) if self.weights == "dirichlet" else 1 - random.random(self.K)
                if (w[d] == w[d].max()).sum() == 1:
                    break
            z[d] = self.scale * random.standard_normal((self.starts, self.K))
        return w, z

    def run(
        self,
        progress: Progress | None = None,
        folder: str | os.PathLike[str] | None = None,
        resume: bool = False,
        workers: int | None = None,
    ) -> WeightedRiskResult:
        """Run it on ``workers`` threads; ``progress(done, total)`` counts parameter values.

        The default is one thread a core where the arrays are long (``THREADED`` numbers at each value), else one: threads
        hand the interpreter over at each operation of numpy, and on short arrays that takes longer than it saves.

        With a ``folder`` the results so far are kept there (see ``Store``) and ``resume`` goes on with them. Raises
        InputError for a folder that cannot be written, that holds results already, or another recipe's results.
        """
        if workers is not None and workers < 1:
            raise InputError(f"workers {workers}: a whole number >= 1 is needed")
        store = None if folder is None else Store(Path(folder))
        w, z = self.sample()
        result = WeightedRiskResult.empty(self, w)
        if store is not None:
            store.open(result, resume)
        threads = (os.cpu_count() or 1) if z.size >= THREADED else 1
        _Runner(result, z, store, progress, workers or threads).run()
        return result


# ---------------------------------------------------------------------------------------------- the result


@dataclass(frozen=True, eq=False)
class WeightedRiskResult:
    """Arrays over P parameter values, D draws, S starts; ``str()`` is the table, ``to_dict()`` the rows and the recipe."""

    experiment: WeightedRiskExperiment
    weights: Array  # (D, K)
    top: Array  # (D,) the class m of the largest weight
    second: Array  # (D,) the class n of the next one
    threshold: Array  # (D,) the value inside the sweep at which the loss becomes or stops being asymmetric; NaN: none
    asymmetric: Array  # (P, D) 1 yes, 0 no, -1 no rule of `condition` says
    exact: Array  # (P, D) p_m of the exact minimiser; NaN where only a search could find it
    done: Array  # (P,) bool
    reached: Array  # (P, D, S) p_m at the end
    largest: Array  # (P, D, S) the class of the largest probability at the end
    gradient: Array  # (P, D, S) Euclidean norm of dF/dz at the end, per unit of total weight
    outcome: Array  # (P, D, S) index into OUTCOMES
    steps: Array  # (P, D, S) steps made

    @classmethod
    def empty(cls, experiment: WeightedRiskExperiment, w: Array) -> WeightedRiskResult:
        P, D, S = len(experiment.losses), experiment.draws, experiment.starts
        order = np.argsort(-w, axis=-1, kind="stable")
        asymmetric = np.stack([_asymmetric(loss, w) for loss in experiment.losses])
        return cls(
            experiment, w, order[:, 0], order[:, 1], _thresholds(experiment, w, asymmetric), asymmetric,
            np.full((P, D), np.nan), np.zeros(P, dtype=bool), np.full((P, D, S), np.nan),
            np.full((P, D, S), -1, dtype=np.int32), np.full((P, D, S), np.nan),
            np.full((P, D, S), -1, dtype=np.int8), np.zeros((P, D, S), dtype=np.int32),
        )  # fmt: skip

    def arrays(self) -> dict[str, Array]:
        """All arrays by name, the parameter values as floats among them."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "experiment"}
        return {"values": np.array([float(v) for v in self.experiment.values]), **own}

    def row(self, index: int) -> Json:
        """One parameter value: shares of starts by outcome, quantiles of p_m, the exact minimiser beside them."""
        experiment = self.experiment
        value = experiment.values[index] if experiment.values else None
        reached, outcome, known = self.reached[index], self.outcome[index], self.asymmetric[index] >= 0
        exact, gradient = self.exact[index], self.gradient[index]
        moving = gradient[outcome == MOVING]
        return {
            "parameter": experiment.parameter,
            "value": None if value is None else float(value),
            "exact_value": None if value is None else str(value),
            "asymmetric": float((self.asymmetric[index][known] == 1).mean()) if known.any() else None,
            "p_m": _quantiles(reached),
            "p_m_exact": _quantiles(exact[exact == exact]),
            "distance": float(np.nanmedian(np.abs(reached - exact[:, None]))) if (exact == exact).any() else None,
            **{name: float((outcome == code).mean()) for code, name in enumerate(OUTCOMES)},
            "gradient": _quantiles(gradient),
            "gradient_moving": _quantiles(moving),
            "steps": float(self.steps[index].mean()),
        }

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the values that are done."""
        return [self.row(index) for index in range(len(self.done)) if self.done[index]]

    def to_dict(self) -> Json:
        inside = self.threshold[self.threshold == self.threshold]
        return {
            "experiment": "weighted-risk",
            "recipe": self.experiment.to_dict(),
            "threshold": {"draws": len(inside), **(_quantiles(inside) or {})},
            "rows": self.rows(),
        }

    def __str__(self) -> str:
        e = self.experiment
        fixed = ", ".join(f"{p} = {plain(v)}" for p, v in e.loss.parameters.items() if p != e.parameter)
        step = f"step size {e.rate:g}{' falling to 0' if e.optimiser == 'adam' else ''}"
        lines = [
            f"{e.loss.title}{f' ({fixed})' if fixed else ''}, K = {e.K}: {e.draws} draws x {e.starts} starts, seed {e.seed}",
            f"  {DISTRIBUTIONS[e.weights]}; z ~ N(0, {e.scale:g}^2 I); {e.optimiser}, {e.steps} steps, {step}"
            f"{'' if e.engine == NUMPY else f'; engine {e.engine}'}",
            "",
        ]
        cells: list[tuple[str, ...]] = [
            (e.parameter or "", "asymmetric", "exact p_m", "p_m", "10 %", "90 %", "e_m", "minimiser", "other", "flat",
             "moving", "|grad|"),
        ]  # fmt: skip
        for row in self.rows():
            p, exact, moving = row["p_m"] or {}, row["p_m_exact"], row["gradient_moving"]
            cells.append((
                "" if row["value"] is None else f"{row['value']:.6g}", _percent(row["asymmetric"]),
                "-" if exact is None else f"{exact['median']:.4f}",
                *(f"{p.get(q, math.nan):.4f}" for q in ("median", "low", "high")),
                *(_percent(row[name]) for name in OUTCOMES), "-" if moving is None else f"{moving['median']:.1e}",
            ))  # fmt: skip
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += ["  ".join(c.rjust(n) for c, n in zip(line, widths, strict=True)) for line in cells]
        lines += [
            "",
            "asymmetric: share of draws on which e_m is the only minimiser. p_m: median over draws and starts, and quantiles.",
            f"Shares of starts: at e_m (p_m >= {1 - NEAR:g}), at the exact minimiser (inside), at another vertex that attracts,",
            f"flat elsewhere (gradient norm <= {FLAT:g} per unit of weight), still moving: steps ran out, for softmax saturates",
            "next to a vertex or the minimum lies far; |grad| is their median gradient norm.",
        ]
        inside = self.threshold[self.threshold == self.threshold]
        if len(inside):
            q = _quantiles(inside)
            assert q is not None
            lines.append(
                f"Threshold of {e.parameter} inside the sweep for {len(inside)} of {e.draws} draws: median {q['median']:.6g}, "
                f"10 % {q['low']:.6g}, 90 % {q['high']:.6g}."
            )
        if not self.done.all():
            lines.append(f"{int(self.done.sum())} of {len(self.done)} values are done.")
        return "\n".join(lines)


def _quantiles(x: Array) -> dict[str, float] | None:
    """Median, 10 % and 90 % quantile, least and largest; None for no numbers."""
    x = x[np.isfinite(x)]  # a start that overflowed counts as still moving
    if x.size == 0:
        return None
    at = np.quantile(x, [0.5, 0.1, 0.9, 0.0, 1.0])
    return dict(zip(("median", "low", "high", "least", "largest"), at.tolist(), strict=True))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%" if share else "0"


# ------------------------------------------------------------------------------ what theory says of each draw


def _asymmetric(loss: Loss, w: Array) -> Array:
    """Is e_m the only minimiser for each row of w: 1 yes, 0 no, -1 where no rule says."""
    what = rule(loss, w.shape[-1], uniform_rest=w.shape[-1] == 2)
    if what.inequality:
        return np.where(_slack(what, w) >= 0, 1, -1 if what.sufficient_only else 0).astype(np.int8)
    return np.full(len(w), {True: 1, False: 0, None: -1}[what.verdict], dtype=np.int8)


def _slack(what: Rule, w: Array, xp: Backend = FLOAT) -> Array:
    """The slack of the deciding inequality for each row of w; NaN (inf - inf) where it fails at an infinite slope."""
    two = np.partition(w, -2, axis=-1)[:, -2:]
    with np.errstate(all="ignore"):
        return np.asarray(what.slack(two[:, 1], two[:, 0], w.sum(-1), xp), dtype=float)


def _thresholds(experiment: WeightedRiskExperiment, w: Array, asymmetric: Array) -> Array:
    """Where the answer of ``_asymmetric`` changes between two values of the sweep, bisected for all draws at once.

    NaN where it never changes, or changes more than once. The bisection may cross a kink (AGCE's at q = 1): where every
    phi_k is concave and e_m therefore the minimiser, the inequality holds too. Whole-number parameters get the value of
    the sweep on the side that holds.
    """
    found = np.full(len(w), np.nan)
    name, values = experiment.parameter, [float(v) for v in experiment.values]
    if name is None or len(values) < 2 or (asymmetric < 0).any():
        return found
    changes = asymmetric[1:] != asymmetric[:-1]
    draws = np.flatnonzero(changes.sum(0) == 1)
    step = changes[:, draws].argmax(0)
    ends = np.array(values)
    low, high, holds_high = ends[step], ends[step + 1], asymmetric[step + 1, draws] == 1
    if experiment.loss.domains[name].integer:
        found[draws] = np.where(holds_high, high, low)
        return found
    rules = (rule(loss, w.shape[-1], uniform_rest=w.shape[-1] == 2) for loss in experiment.losses)
    deciding = next((what for what in rules if what.inequality), None)
    if deciding is None:
        return found
    for _ in range(60):
        middle = 0.5 * (low + high)
        if not len(middle):
            break
        holds = _slack(deciding.at(**{name: middle}), w[draws], numpy_()) >= 0
        low, high = np.where(holds == holds_high, low, middle), np.where(holds == holds_high, middle, high)
    found[draws] = 0.5 * (low + high)
    return found


def _minimisers(loss: Loss, w: Array, asymmetric: Array) -> Array:
    """Exact minimisers (D, K) for rows of w; NaN rows where only a search could find one, or where there is none."""
    points = np.full_like(w, np.nan)
    profile = Profile.of(loss, w.shape[-1])
    if profile.clipped or not is_pointed(loss):
        return points
    known = asymmetric == 1 if profile.normalised or profile.negative else asymmetric >= 0
    if known.any():
        solution = minimise(loss, w[known])
        if solution.exact or (asymmetric[known] == 1).all():
            points[known] = solution.point
    return points


# ------------------------------------------------------------------------------------------------ running


class _Runner:
    """Blocks of draws of one parameter value, on threads (numpy lets go of the interpreter while it computes)."""

    def __init__(
        self, result: WeightedRiskResult, z: Array, store: Store | None, progress: Progress | None, workers: int
    ) -> None:
        self.result, self.z, self.store, self.progress, self.workers = result, z, store, progress, workers
        self.experiment = result.experiment
        self.engine = engine(result.experiment.engine)
        self.stop = threading.Event()

    def run(self) -> None:
        """Fill in the values that are not done; on an interrupt, what is done is kept."""
        hold_memory()
        e, result = self.experiment, self.result
        block = max(1, self.engine.BLOCK // (e.K * e.starts))
        starts = range(0, e.draws, block)
        todo = [index for index in range(len(result.done)) if not result.done[index]]
        left = dict.fromkeys(todo, len(starts))
        self._report()
        saved, pending = monotonic(), set[Future[int | None]]()
        units = iter([(index, slice(d, d + block)) for index in todo for d in starts])
        pool = ThreadPoolExecutor(self.workers)
        try:
            while True:
                while len(pending) < 2 * self.workers and (unit := next(units, None)) is not None:
                    pending.add(pool.submit(self._block, *unit))
                if not pending:
                    break
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for index in (future.result() for future in finished):
                    assert index is not None  # blocks are given up on an interrupt only
                    left[index] -= 1
                    if not left[index]:
                        result.done[index] = True
                        self._report()
                if self.store is not None and monotonic() - saved >= SAVE_EVERY:
                    self.store.save(result)
                    saved = monotonic()
        finally:
            self.stop.set()
            pool.shutdown(cancel_futures=True)
            if self.store is not None:
                self.store.save(result)

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(int(self.result.done.sum()), len(self.result.done))

    def _block(self, index: int, draws: slice) -> int | None:
        result, S = self.result, self.experiment.starts
        loss, w = self.experiment.losses[index], result.weights[draws]
        exact = _minimisers(loss, w, result.asymmetric[index, draws])
        K = w.shape[1]
        columns = np.ascontiguousarray(np.repeat(w, S, axis=0).T)
        z = np.ascontiguousarray(self.z[draws].reshape(-1, K).T)
        found = self.engine.descend(loss, columns, z, self.experiment.descent, self.stop.is_set)
        if found is None:
            return None
        points, norms, made, drawn = found
        shape = (len(w), S)
        at, top = np.arange(len(w)), result.top[draws]
        m = np.repeat(top, S)
        p_m, largest = points[m, np.arange(len(m))], points.argmax(axis=0)
        with np.errstate(invalid="ignore"):
            distance = np.abs(points - np.repeat(exact, S, axis=0).T).max(axis=0)
        outcome = np.select(
            [p_m >= 1 - NEAR, distance <= NEAR, (points.max(axis=0) >= 1 - NEAR) & drawn, norms <= FLAT],
            [VERTEX, MINIMISER, OTHER, STATIONARY],
            MOVING,
        )
        result.exact[index, draws] = exact[at, top]
        result.reached[index, draws] = p_m.reshape(shape)
        result.largest[index, draws] = largest.reshape(shape)
        result.gradient[index, draws] = norms.reshape(shape)
        result.outcome[index, draws] = outcome.reshape(shape)
        result.steps[index, draws] = made.reshape(shape)
        return index


# ------------------------------------------------------------------------------------------------- storage


class Store:
    """A folder with ``experiment.json`` (the recipe), ``arrays.npz`` and ``rows.jsonl`` (a line a parameter value).

    Files are replaced whole, so that a reader or a crash never meets half a file; the arrays are what ``--resume`` reads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe, self.arrays, self.lines = (folder / n for n in ("experiment.json", "arrays.npz", "rows.jsonl"))

    def open(self, result: WeightedRiskResult, resume: bool) -> None:
        """Make the folder and write the recipe, or read what is done of the same recipe into ``result``."""
        recipe = result.experiment.to_dict()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.recipe.exists():
                if not resume:
                    raise InputError(
                        f"--out {self.folder}: holds results already; go on with --resume, or name another folder"
                    )
                self._read(result, recipe)
            elif self.arrays.exists() or self.lines.exists():
                raise InputError(f"--out {self.folder}: holds other files of these names; name another folder")
            else:
                facts = {"experiment": "weighted-risk", "recipe": recipe, "made_with": _made_with(result)}
                self._replace(self.recipe, json.dumps(facts, indent=2).encode() + b"\n")
        except OSError as error:
            raise InputError(f"--out {self.folder}: cannot be used ({error.strerror or error})") from None

    def _read(self, result: WeightedRiskResult, recipe: Mapping[str, Any]) -> None:
        try:
            before = json.loads(self.recipe.read_text(encoding="utf-8"))["recipe"]
        except (ValueError, KeyError, TypeError):
            raise InputError(f"--resume: {self.recipe} is not the recipe of an experiment") from None
        differing = [name for name in {**recipe, **before} if recipe.get(name) != before.get(name)]
        if differing:
            what = ", ".join(f"{n} {_short(before.get(n))} there, {_short(recipe.get(n))} here" for n in differing)
            raise InputError(f"--resume: {self.folder} has another recipe: {what}")
        if not self.arrays.exists():
            return
        try:
            with np.load(self.arrays, allow_pickle=False) as kept:
                for name in ("exact", "done", "reached", "largest", "gradient", "outcome", "steps"):
                    getattr(result, name)[...] = kept[name]
        except (ValueError, KeyError, EOFError, BadZipFile):
            raise InputError(f"--resume: {self.arrays} cannot be read; delete the folder to start again") from None

    def save(self, result: WeightedRiskResult) -> None:
        """Write the values that are done."""
        buffer = io.BytesIO()
        write: Any = np.savez  # its stub takes every name for an option
        write(buffer, **result.arrays())
        try:
            self._replace(self.arrays, buffer.getvalue())
            self._replace(self.lines, "".join(json.dumps(row) + "\n" for row in result.rows()).encode())
        except OSError as error:
            raise InputError(f"--out {self.folder}: cannot be written ({error.strerror or error})") from None

    def _replace(self, path: Path, content: bytes) -> None:
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(content)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _made_with(result: WeightedRiskResult) -> dict[str, str]:
    found = {}
    with suppress(metadata.PackageNotFoundError):  # run from a checkout
        found["asymtheory"] = metadata.version("asymtheory")
    return found | engine(result.experiment.engine).made_with()


# ------------------------------------------------------------------------------------------ the command line


def parse_sweep(text: str) -> tuple[str, tuple[Fraction, ...]]:
    """``NAME=LOW:HIGH:COUNT`` (evenly spaced, exact) or with ``:log`` (geometric) as (name, values).

    Raises InputError for another syntax, no points, LOW > HIGH, or ends that are not positive on a geometric sweep.
    """
    name, equals, given = text.partition("=")
    parts = given.split(":")
    if not (name and equals) or len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise InputError(f"--sweep {text!r}: NAME=LOW:HIGH:COUNT is needed, or NAME=LOW:HIGH:COUNT:log")
    low, high = (parse_number(part, f"--sweep {name}") for part in parts[:2])
    if not parts[2].isascii() or not parts[2].isdigit():
        raise InputError(f"--sweep {text!r}: COUNT must be a whole number >= 1")
    count = int(parts[2])
    if count == 0:
        raise InputError(f"--sweep {text!r}: a sweep with no points; COUNT must be >= 1")
    if count > 100_000:
        raise InputError(f"--sweep {text!r}: COUNT must be <= 100000")
    if low > high or (low == high and count > 1) or (low < high and count == 1):
        raise InputError(f"--sweep {text!r}: LOW < HIGH is needed, or LOW = HIGH with COUNT = 1")
    if len(parts) == 3:
        return name, tuple(low + (high - low) * Fraction(i, max(count - 1, 1)) for i in range(count))
    if low <= 0:
        raise InputError(f"--sweep {text!r}: a geometric sweep needs LOW > 0")
    growth = (float(high) / float(low)) ** (1 / max(count - 1, 1))
    inner = [Fraction(f"{float(low) * growth**i:.12g}") for i in range(1, count - 1)]
    return name, (low, *inner, *([high] if count > 1 else []))


def with_progress(
    experiment: WeightedRiskExperiment, folder: str | None, resume: bool, workers: int | None
) -> WeightedRiskResult:
    """``experiment.run`` with a progress bar on standard error when a person watches."""
    if not sys.stderr.isatty():
        return experiment.run(None, folder, resume, workers)
    with tqdm(total=len(experiment.losses), unit="value", leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.update(done - bar.n)

        return experiment.run(progress, folder, resume, workers)
