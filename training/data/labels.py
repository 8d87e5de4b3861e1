"""Noisy labels: made from a noise model, read from files, or drawn anew at every visit.

    >>> import numpy as np
    >>> from asymtheory_training.labels import make_labels
    >>> noisy = make_labels(np.arange(1000) % 10, "symmetric", K=10, eta=0.4)
    >>> noisy.rate, noisy.counts[0].tolist()
    (0.4, [60, 5, 5, 5, 5, 4, 4, 4, 4, 4])

Random numbers come from numpy's counter-based Philox generator, keyed by the kind of noise and the seed: sample i always
gets the i-th number, whatever was drawn before, in whatever process, with however many threads.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from asymtheory import __version__
from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import Json
from asymtheory.noise import (
    FAMILIES,
    FIXED_CLASSES,
    KINDS,
    NoiseModel,
    Posteriors,
    check_classes,
    check_rate,
    from_counts,
    from_matrix,
    resolve,
)
from asymtheory.numbers.scalar import Scalar
from asymtheory.numbers.text import Number, parse_number
from asymtheory.reading.documents import parse_json, read_text
from asymtheory.reading.files import read_file
from asymtheory.reading.labels import Column, align, choose, column_of, pair
from asymtheory.reading.roles import find
from asymtheory.reading.table import Table
from asymtheory.writing import write_file, write_files

from .formats import Labels, label_array
from .instance_noise import INSTANCE, instance_dependent
from .sets import normalisation

Floats = npt.NDArray[np.float64]

MODES = ("exact", "iid")
MOST_COUNTED = 10_000
"""Classes of a realised matrix, at most: its table then takes 800 MB."""


# ------------------------------------------------------------------------------------------------------------ the result
@dataclass(frozen=True, eq=False)
class NoisyLabels:
    """Given labels beside the true ones.

    `labels`: int64 (N,), what training sees; `clean`: int64 (N,), the true classes; both in 0..K-1 and unwritable.
    `recipe`: how they were made, for JSON. `reading`: how a file of them was read, in one line.
    """

    labels: Labels
    clean: Labels
    K: int
    recipe: Json = field(default_factory=dict)
    reading: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "K", check_classes(self.K))
        for name in ("clean", "labels"):
            length = None if name == "clean" else len(self.clean)
            array = label_array(
                getattr(self, name), "noisy labels" if name == "labels" else "clean labels", K=self.K, length=length
            )
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not len(self.labels):
            raise InputError("no labels given")

    @cached_property
    def counts(self) -> Labels:
        """(K, K): ``counts[i, j]`` samples of true class i have label j. InputError for more classes than a table can have."""
        if self.K > MOST_COUNTED:
            raise InputError(f"K {self.K}: a table of K x K counts is made for K <= {MOST_COUNTED} only")
        return np.bincount(self.clean * self.K + self.labels, minlength=self.K**2).reshape(self.K, self.K)

    @cached_property
    def matrix(self) -> Floats:
        """(K, K): the realised transition matrix, ``counts`` over their row sums; NaN in the row of an absent class."""
        with np.errstate(invalid="ignore"):
            return self.counts / self.counts.sum(axis=1, keepdims=True)

    @cached_property
    def corrupted(self) -> npt.NDArray[np.bool_]:
        """(N,): where the label is not the true class."""
        return self.labels != self.clean

    @property
    def rate(self) -> float:
        """The realised noise rate, the share of wrong labels."""
        return float(self.corrupted.mean())

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the labels as little-endian 64-bit integers, in hexadecimal."""
        return checksum(self.labels)

    def model(self, names: Sequence[str] | None = None) -> NoiseModel:
        """The realised noise as a noise model of the core; a class without a sample raises InputError."""
        dataset = self.recipe.get("dataset")
        return from_counts(self.counts, names, dataset if isinstance(dataset, str) and dataset else None)

    def take(self, indices: npt.NDArray[np.int64]) -> NoisyLabels:
        """The labels at `indices` only."""
        recipe = {**self.recipe, "taken_from": self.checksum, "samples": len(indices)}
        return NoisyLabels(self.labels[indices], self.clean[indices], self.K, recipe)

    def to_dict(self) -> Json:
        """The facts for JSON, without the labels themselves."""
        return {
            "samples": len(self.labels),
            "K": self.K,
            "rate": self.rate,
            "checksum": self.checksum,
            "counts": self.counts.tolist(),
            "recipe": self.recipe,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the labels with their recipe, whole or not at all.

        ``.npy``  the noisy labels; the recipe goes into FILE.json beside it
        ``.npz``  arrays ``noisy``, ``clean`` and ``recipe`` (JSON text)
        ``.csv``  the recipe in a first line ``# {...}``, then columns clean,noisy

        ``asymtheory noise FILE`` reads the .npz and the .csv as a label pair. Another suffix, or a path that cannot be
        written, raises InputError.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        recipe = json.dumps({**self.recipe, "checksum": self.checksum, "clean_checksum": checksum(self.clean)})
        if suffix == ".npy":
            file = io.BytesIO()
            np.save(file, self.labels)
            write_files({f"{target}.json": recipe.encode() + b"\n", target: file.getvalue()})
        elif suffix == ".npz":
            file = io.BytesIO()
            np.savez_compressed(file, noisy=self.labels, clean=self.clean, recipe=np.array(recipe))
            write_file(target, file.getvalue())
        elif suffix == ".csv":
            pairs = "".join(f"{i},{j}\n" for i, j in zip(self.clean.tolist(), self.labels.tolist(), strict=True))
            write_file(target, f"# {recipe}\nclean,noisy\n{pairs}")
        else:
            raise InputError(
                f"{target}: labels are written to .npy, .npz or .csv, not {target.suffix or 'without suffix'!r}"
            )

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        clean: npt.ArrayLike | Column | None = None,
        *,
        K: int | None = None,
        column: str | None = None,
        name: str = "",
        names: Sequence[str] | None = None,
    ) -> NoisyLabels:
        """Labels from a file: what :meth:`save` wrote, CIFAR-N's files, or any other that :mod:`asymtheory.reading` reads.

        `clean`: the true labels, needed where the file has none; where it has them, both must agree. `K`: the number of
        classes, by default the recipe's, else the largest label plus one. `column`: which column, where a file has
        several (``worse`` or ``worse_label``; also FILE:NAME). `name`: of the data set, for the recipe; `names`: of its
        classes, for labels that are class names. Labels that are too many or too few, outside 0..K-1, of another order than
        `clean`, or changed since they were saved raise InputError.
        """
        table, spec = read_file(path)
        recipe = _recipe(table)
        head = choose(table, column or spec, "--column", "noisy")
        given, own = column_of(table, head, "--column", "noisy"), _own_clean(table, head)
        if clean is None and own is None:
            raise InputError(
                f"{table.source}: holds noisy labels only; the clean ones are needed too (--dataset or --clean)"
            )
        if K is None and recipe is not None and "K" in recipe:
            K = check_classes(recipe["K"], f"{table.source}: the recipe's K")
        true = own if clean is None else _true(clean, table.source)
        assert true is not None
        given = _by_number(given, true, names)
        if len(given.codes) != len(true.codes) and (given.keys is None or true.keys is None):
            raise InputError(
                f"{given.where}: {len(given.codes)} labels for {len(true.codes)} samples; there must be one label a sample"
            )
        found = pair(given, true, K if K is None else check_classes(K), None if not given.named else names)
        if (found.clean < 0).any():
            raise InputError(
                f"{true.where}: position {int((found.clean < 0).argmax())} has no clean label; all are needed here"
            )
        if own is not None and clean is not None:
            _check_same(table.source, own, true)
        facts = recipe or {"noise": "file", "source": Path(table.source).name, "column": head or "noisy"}
        made = cls(found.noisy, found.clean, found.K, facts, found.reading)
        _check_recipe(made, recipe, table.source)
        if name and recipe is None:
            made.recipe["dataset"] = name
        return made


LOG = logging.getLogger("asymtheory")
"""Says how files of noise were read (level INFO)."""

_CLEAN = {"noisy_coarse_label": "clean_coarse_label"}  # CIFAR-100N has two label pairs


def _recipe(table: Table) -> Json | None:
    """The recipe that :meth:`NoisyLabels.save` put into the file, or beside a .npy file."""
    recipe = table.recipe
    beside = f"{table.source}.json"
    if table.source.lower().endswith(".npy") and os.path.exists(beside):
        recipe = parse_json(read_text(beside, ""), beside)
    if recipe is not None and not isinstance(recipe, dict):
        raise InputError(f"{table.source}: its recipe is not a JSON object")
    return recipe


def _own_clean(table: Table, head: str) -> Column | None:
    """The clean labels beside the noisy ones in a file, if there are any."""
    wanted = _CLEAN.get(head, "clean_label")
    found = [wanted] if wanted in table.columns else find(table.columns, "clean") if table.headed else []
    return column_of(table, found[0], "--column", "clean") if len(found) == 1 and found[0] != head else None


def _true(clean: npt.ArrayLike | Column, source: str) -> Column:
    """Clean labels as a column."""
    if isinstance(clean, Column):
        return clean
    codes = label_array(clean, f"{source}: clean labels")
    return Column(codes, range(int(codes.max(initial=0)) + 1), "the data set", "the column")


def _by_number(given: Column, true: Column, names: Sequence[str] | None) -> Column:
    """Labels that are class names as the numbers that a data set has for them."""
    if not given.named or true.named or names is None:
        return given
    (codes,), K, _, _ = align((given,), None, names)
    return replace(given, codes=codes, values=range(K), doubtful=frozenset())


def _check_same(source: str, own: Column, true: Column) -> None:
    """InputError where the clean labels of the file are not those that were given."""
    if (
        own.named != true.named
        or len(own.codes) != len(true.codes)
        or (own.source, own.place) == (true.source, true.place)
    ):
        return
    there, here = (np.array([*column.values, -1], dtype=object)[column.codes] for column in (own, true))
    if (differs := there != here).any():
        i = int(differs.argmax())
        raise InputError(
            f"{source}: {int(differs.sum())} of its clean labels are not the data set's (the first at position {i}: "
            f"{there[i]}, not {here[i]}); the file is of another set, or in another order"
        )


def _check_recipe(made: NoisyLabels, recipe: Json | None, source: str) -> None:
    """InputError where labels were changed since they were saved."""
    for kept, now in (("checksum", made.labels), ("clean_checksum", made.clean)):
        if recipe and recipe.get(kept, checksum(now)) != checksum(now):
            what = "labels" if kept == "checksum" else "clean labels"
            where = f" in {source}.json" if source.lower().endswith(".npy") else ""
            raise InputError(
                f"{source}: the {what} are not those of the recipe{where} ({kept} {str(recipe[kept])[:12]}...)"
            )


def checksum(labels: Labels) -> str:
    """SHA-256 of labels as little-endian 64-bit integers, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(labels, dtype="<i8").tobytes()).hexdigest()


# ------------------------------------------------------------------------------------------------------- random numbers
def uniforms(seed: int, kind: str, stream: str, count: int) -> Floats:
    """`count` numbers in (0, 1) for samples 0, 1, ...: ``(r + 1/2) 2^-53``, r the upper 53 bits of Philox4x64-10.

    The key is the first 16 bytes of the SHA-256 of `kind`, `seed` and `stream`; number i is that of counter i alone.
    """
    digest = hashlib.sha256(f"asymtheory labels|{kind}|{seed}|{stream}".encode()).digest()
    raw = np.random.Philox(key=int.from_bytes(digest[:16], "little")).random_raw(count)
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


# -------------------------------------------------------------------------------------------------------- noise to labels
def make_labels(
    clean: npt.ArrayLike,
    noise: str | NoiseModel | npt.ArrayLike,
    *,
    K: int | None = None,
    eta: Number | None = None,
    seed: int = 0,
    mode: str = "exact",
    images: npt.ArrayLike | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    name: str = "",
) -> NoisyLabels:
    """Noisy labels from (data set, K, rate, seed) alone.

    `clean`: true labels (N,), integers in 0..K-1. `noise`: a name or file that ``asymtheory noise`` knows (with `eta` in
    [0, 1] where it has a rate), ``idn``, ``idn-jal``, a noise model of the core, or a transition matrix. `name`: of the data
    set, for the recipe.

    mode ``exact``: in every class as many samples of each label as its row of the matrix says, rounded by largest remainder
    (a class of 5,000 under symmetric noise 0.4 keeps exactly 3,000; published code truncates). Which samples is decided by
    their random numbers, so a higher rate with the same seed flips a superset.
    mode ``iid``: every sample draws its label by itself; label i depends on sample i, its index and the seed only.

    Instance-dependent noise needs `images`, uint8 (N, C, H, W) without augmentation, and the normalisation `mean`, `std`
    (default: that of the data set `name`): :func:`instance_dependent`.

    Bad labels, an unknown noise, a rate outside [0, 1], a K that disagrees and a seed < 0 raise InputError.
    """
    if mode not in MODES:
        raise InputError(f"mode {mode!r}: unknown ({', '.join(MODES)}){nearest(str(mode), MODES)}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed {seed}: a whole number >= 0 is needed")
    rate = None if eta is None else exact_rate(eta)
    true = label_array(clean, "clean labels", K=None if K is None else check_classes(K))
    if not len(true):
        raise InputError("no labels given")
    recipe: Json = {"dataset": name, "noise": "", "eta": None if rate is None else str(rate)}
    if isinstance(noise, str) and noise in INSTANCE:
        if rate is None:
            raise InputError(f"noise {noise!r} needs eta (the noise rate, in [0, 1])")
        K = check_classes(int(true.max()) + 1) if K is None else int(K)
        kind, source = noise, None
        draw = partial(uniforms, int(seed), noise)
        labels = instance_dependent(true, K, rate, noise, mode, images, *_normalisation(name, mean, std), draw)
    else:
        model = noise_model(noise, K, rate)
        if model.kind == "posteriors" and mode == "exact":
            raise InputError("posteriors give every sample a distribution of its own: draw from them with mode iid")
        K, kind, source = model.classes, model.kind, model.source
        true = label_array(true, "clean labels", K=K)
        numbers = uniforms(int(seed), kind, "label", len(true))
        labels = (_exact if mode == "exact" else _iid)(true, model, numbers)
    recipe |= {"noise": kind, "K": K, "seed": int(seed), "mode": mode, "samples": len(true), "source": source}
    return NoisyLabels(labels, true, K, recipe | {"asymtheory": __version__})


def exact_rate(eta: Scalar) -> Number:
    """A rate as the exact number a person means: the float 0.4 is 2/5. Outside [0, 1] raises InputError."""
    rate = check_rate(eta)
    return parse_number(repr(rate)) if isinstance(rate, float) else rate


def noise_model(noise: str | NoiseModel | npt.ArrayLike, K: int | None = None, eta: Number | None = None) -> NoiseModel:
    """What `noise` means as a model of the core: a name or file with `K` and `eta`, a model, or a transition matrix."""
    if isinstance(noise, str):
        known = noise.strip().lower()
        if known in FIXED_CLASSES and K is not None and K != FIXED_CLASSES[known]:
            raise InputError(f"noise {noise!r} has {FIXED_CLASSES[known]} classes, the labels have {K}")
        if known not in KINDS and "." not in noise and "/" not in noise and not os.path.exists(noise):
            allowed = [*KINDS, *INSTANCE]
            raise InputError(f"noise {noise!r}: unknown ({', '.join(allowed)}, or a file){nearest(noise, allowed)}")
        if known in FAMILIES and eta is None:
            raise InputError(f"noise {noise!r} needs eta (the noise rate, in [0, 1])")
        model = resolve(noise, K, eta)
        if model.reading:
            LOG.info("%s read as %s", noise, model.reading)
        return model
    if eta is not None:
        raise InputError(f"eta {eta}: a noise model or matrix has its own noise rate; leave eta out")
    if hasattr(noise, "detach"):
        noise = noise.detach().cpu().numpy()
    model = noise if isinstance(noise, NoiseModel) else from_matrix(noise)
    if K is not None and K != model.classes:
        raise InputError(f"the noise has {model.classes} classes, the labels have {K}")
    return model


def class_weights(model: NoiseModel, i: int) -> tuple[Number, ...]:
    """Row i of a class-dependent noise: the weights of the labels 0..K-1 for true class i, of any scale."""
    if model.kind in ("posteriors", "weights"):
        raise InputError(f"noise of kind {model.kind!r} has no row for every class; a transition matrix is needed")
    if not model.representative:
        return model.rows[i].weights
    first = model.rows[0].weights
    return first[-i:] + first[:-i] if i else first


def transition(model: NoiseModel) -> Floats:
    """(K, K): row-stochastic matrix of a class-dependent noise."""
    rows = [np.array([float(w) for w in class_weights(model, i)]) for i in range(model.classes)]
    return np.stack([row / row.sum() for row in rows])


def apportion(weights: Sequence[Number], samples: int, first: int = 0) -> list[int]:
    """`samples` shared out in proportion to `weights` >= 0 by largest remainder: whole numbers of that sum.

    Each is its quota ``samples * w / W`` rounded down or up, and exact where the quota is whole. Equal remainders are
    served in the order first, first + 1, ... (modulo K), so that no label is favoured over all classes together.
    """
    K, count = len(weights), Counter(weights)
    total = sum(Fraction(w) * n for w, n in count.items())
    shared = {w: divmod(samples * Fraction(w) / total, 1) for w in count}
    parts = [int(shared[w][0]) for w in weights]
    place = {rest: n for n, rest in enumerate(sorted({rest for _, rest in shared.values()}, reverse=True))}
    order = sorted(range(K), key=lambda j: (place[shared[weights[j]][1]], (j - first) % K))
    for j in order[: samples - sum(parts)]:
        parts[j] += 1
    return parts


def _exact(clean: Labels, model: NoiseModel, numbers: Floats) -> Labels:
    """Exact counts per class: the samples with the smallest numbers are flipped, to the other classes in turn."""
    labels, K = clean.copy(), model.classes
    known: dict[int, list[int]] = {}  # by class size, where all rows are one row rolled
    for i in range(K):
        members = np.flatnonzero(clean == i)
        if not model.representative:
            parts = apportion(class_weights(model, i), len(members), first=(i + 1) % K)
        else:
            if len(members) not in known:
                known[len(members)] = apportion(model.rows[0].weights, len(members), first=1)
            parts = known[len(members)][K - i :] + known[len(members)][: K - i]
        others = np.repeat(np.delete(np.arange(K), i), np.delete(parts, i))
        order = members[np.argsort(numbers[members], kind="stable")]
        labels[order[: len(others)]] = others
    return labels


def _iid(clean: Labels, model: NoiseModel, numbers: Floats) -> Labels:
    """One draw a sample, by inverting the cumulative weights of its row."""
    labels = np.empty_like(clean)
    if isinstance(model, Posteriors) or model.kind == "posteriors":
        if len(model.rows) != len(clean):
            raise InputError(f"posteriors of {len(model.rows)} samples for {len(clean)} labels")
        for i, row in enumerate(model.rows):
            labels[i] = np.searchsorted(_cumulative(row.weights), numbers[i], side="right")
        return labels
    for i in range(model.classes):
        members = np.flatnonzero(clean == i)
        labels[members] = np.searchsorted(_cumulative(class_weights(model, i)), numbers[members], side="right")
    return labels


def _cumulative(weights: Sequence[Number]) -> Floats:
    """``c_j = (w_0 + ... + w_j) / W``; the last positive weight and all after it have 1, so that none of these is drawn."""
    sums = np.cumsum([float(w) for w in weights])
    return sums / sums[-1]


def _normalisation(
    name: str, mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[Sequence[float], Sequence[float]]:
    if mean is not None and std is not None:
        return mean, std
    known = normalisation(name)
    if known is None:
        raise InputError(
            "instance-dependent noise needs the mean and std of the images in [0, 1], or a known data set's name"
        )
    return known


# --------------------------------------------------------------------------------------------------- at every visit anew
class Redrawn:
    """A fresh noisy label at every visit: the population regime of the theory, where no noisy label can be memorised.

    `noise`, `K`, `eta` as in :func:`make_labels` (class-dependent noise only). `matrix`: its transition matrix (K, K).
    """

    def __init__(
        self, noise: str | NoiseModel | npt.ArrayLike, K: int | None = None, eta: Number | None = None
    ) -> None:
        self.model = noise_model(noise, K, None if eta is None else exact_rate(eta))
        self.K = self.model.classes
        self.matrix = transition(self.model)
        sums = np.cumsum(self.matrix, axis=1)
        self._host = torch.from_numpy(sums / sums[:, -1:])
        self._on: dict[torch.device, torch.Tensor] = {}

    def draw(self, clean: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Labels int64 (N,) for true classes `clean` (N,), on the device of `clean`.

        One uniform number a sample from `generator`, on the generator's own device (default: that of `clean`): a CPU
        generator draws the same labels for every device. `clean` must be in 0..K-1 (not checked: it would stop a GPU).
        """
        source = clean.device if generator is None else generator.device
        if clean.device not in self._on:
            kind = torch.float32 if clean.device.type == "mps" else torch.float64  # Apple's has no float64
            self._on[clean.device] = self._host.to(clean.device, kind)
        table = self._on[clean.device]
        numbers = torch.rand(len(clean), generator=generator, device=source, dtype=table.dtype).to(clean.device)
        return torch.searchsorted(table[clean], numbers[:, None], right=True)[:, 0]
