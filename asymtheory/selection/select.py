"""Hyper-parameters before training: from what is known of the label noise to losses that tolerate it, and their price.

For every registered loss ``select`` finds the feasible interval of its main parameter (``threshold.solve`` on the worst row,
at the worst corner of what an estimate leaves open), what it covers where nothing covers everything (``coverage``), and the
price (``fitting``: how much less an asymmetric loss pulls on samples that are not fitted yet). Of the feasible values that bear
half of the error in the noise that any loss can, the one that fits best is recommended (``recommended``); candidates are ranked by
what they cover, then by that fitting ratio. The ratio orders losses by a property of their gradients, not by accuracy: the last
word has training.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ..answers import Answer
from ..errors import InputError, printable
from ..escapes import markdown, one_line
from ..jsonlines import Json
from ..layout import table
from ..losses.base import Loss
from ..losses.registry import build, names_compared
from ..losses.settings import named
from ..noise import annotators as crowd
from ..noise import estimate, relabel
from ..noise.estimate import NoiseEstimate
from ..noise.flow import LinearFlow, flow_of
from ..noise.models import check_classes, check_rate
from ..noise.resolve import resolve
from ..noise.rows import NoiseModel
from ..numbers.text import plain, show
from ..reading.annotators import read_annotators
from ..reading.files import split_spec
from ..reading.probabilities import as_votes, read_probabilities
from .candidates import NORMALISED_CLAIMS, Candidate, covered_share, judge, percent, rank, recorded

SHORT_LIST = 8


@dataclass(frozen=True)
class Selection(Answer):
    """The noise, the ranked candidates, and what to beware of. Prints as a short list; ``to_dict`` for JSON."""

    estimate: NoiseEstimate
    candidates: tuple[Candidate, ...]
    warnings: tuple[str, ...]
    origin: dict[str, Any]  # what was given, for a run's configuration
    also: tuple[Loss, ...] = ()  # one's own losses, which are shown wherever they rank
    flow: LinearFlow | None = None  # what a linear model makes of the labels, where their features were given

    @property
    def best(self) -> Candidate:
        return self.candidates[0]

    @property
    def short_list(self) -> tuple[Candidate, ...]:
        return self.candidates[:SHORT_LIST]

    def to_dict(self) -> Json:
        """The contract of ``select --json``."""
        known, row = self.estimate, self.estimate.binding
        pair = [int(known.target[row]), int(known.rival[row])]
        return {
            "noise": known.to_dict(),
            "noise_rate": None if known.rate is None else known.rate.to_dict(),
            "clean_level": known.clean_level.to_dict(),
            "margin": known.margin.to_dict(),
            "dominant": known.dominant,
            "binding": pair,
            "binding_names": None if known.noise.names is None else [known.noise.names[k] for k in pair],
            "candidates": [candidate.to_dict(known.unit) for candidate in self.candidates],
            "warnings": list(self.warnings),
        }

    def _head(self) -> list[tuple[str, str]]:
        known, row = self.estimate, self.estimate.binding
        against = known.class_name(int(known.rival[row]))
        source = f" ({printable(known.noise.source, 200)})" if known.noise.source else ""
        lost = len(known.failures)
        facts = [
            ("noise", f"{known.noise.kind}, K = {known.K}{source}"),
            ("method", known.method),
            ("noise rate", known.noise.rate_text if known.noise.eta is not None else str(known.rate or "-")),
            ("clean level", f"{known.clean_level}  least w_m / w_n"),
            ("margin", f"{known.margin}  least (w_m - w_n) / W"),
            ("dominant", "yes" if known.dominant else f"no: not in {lost} of {len(known.top)} rows"),
            ("binding", f"{known.row_name(row)} against {against}"),
        ]
        if known.noise.representative:
            facts[-1] = ("binding", "every class alike")
        if known.noise.reading:
            facts.append(("read as", printable(known.noise.reading, 300)))
        return facts

    def _shown(self) -> list[tuple[int, Candidate]]:
        """What prints, with its place: the short list, and one's own losses."""
        own = {_identity(loss) for loss in self.also}
        return [
            (place, c) for place, c in enumerate(self.candidates, 1) if place <= SHORT_LIST or _identity(c.loss) in own
        ]

    def _cells(self, candidates: Iterable[tuple[int, Candidate]]) -> list[tuple[str, ...]]:
        cells: list[tuple[str, ...]] = [("", "loss", "parameters", "feasible", "covers", "fitting", "papers' settings")]
        for place, candidate in candidates:
            parameters = ", ".join(f"{p} = {plain(v)}" for p, v in candidate.loss.parameters.items()) or "-"
            answer = candidate.threshold.answer.split(":")[0]
            cells.append(
                (
                    str(place), candidate.loss.title, parameters, answer, percent(candidate.coverage.guaranteed),
                    show(candidate.slope.ratio, 3), _papers(candidate),
                )
            )  # fmt: skip
        return cells

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self._head())
        lines = [f"{name:<{width}}  {text}" for name, text in self._head()]
        lines += ["", *table(self._cells(self._shown()), drop=("papers' settings", "covers")), ""]
        lines += [f"{place}. {c.loss.title}: {c.reason}" for place, c in self._shown()]
        if self.best.tolerance is not None:
            lines += ["", f"guarantee of {self.best.loss.title}: {self.best.tolerance}"]
        lines += [
            "",
            "covers: share of "
            + {"class": "classes", "sample": "samples"}[self.estimate.unit]
            + " on which it is asymmetric"
            + (f" (at {self.estimate.confidence:g})" if self.estimate.boxes is not None else "")
            + "; fitting: slope at u_y = 1/K over slope at 0.99 (CE: 0.99 K, MAE: 1).",
        ]
        return "\n".join(lines + [f"warning: {text}" for text in self.warnings])

    def markdown(self) -> str:
        """The same facts as a Markdown document, with all candidates."""
        lines = ["# Losses for this noise", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {markdown(text, formulas=True)} |" for name, text in self._head()]
        cells = self._cells(enumerate(self.candidates, 1))
        lines += ["", "| " + " | ".join(cells[0]) + " |", "|" + "---|" * len(cells[0])]
        lines += ["| " + " | ".join(markdown(cell, formulas=True) for cell in line) + " |" for line in cells[1:]]
        lines += ["", "## Why", ""]
        lines += [
            f"{place}. **{c.loss.title}**: {markdown(c.reason, formulas=True)}"
            for place, c in enumerate(self.candidates, 1)
        ]
        if self.warnings:
            lines += ["", "## Warnings", "", *(f"* {markdown(text, formulas=True)}" for text in self.warnings)]
        return "\n".join(lines)

    def config(self, candidate: Candidate | None = None, dataset: str | None = None, folder: str = "") -> str:
        """A run's configuration in TOML, for ``asymtheory train --config``: the best candidate unless told otherwise.

        `folder`: where the file will be, for paths in it are relative to that (default: the current one). Raises InputError
        where nothing says which labels to train on (posteriors), or which data set.
        """
        chosen = self.best if candidate is None else candidate
        dataset = dataset or _dataset(self.estimate.noise.kind, self.origin.get("labels"), self.estimate.K)
        if dataset is None:
            raise InputError(f"--write-config: no known data set has {self.estimate.K} classes; name it with --dataset")
        lines = [
            f"# asymtheory select: {one_line(chosen.reason)}",
            f"dataset = {_quoted(dataset)}",
            *(f"{name} = {_quoted(text)}" for name, text in named(chosen.loss).items()),
        ]
        table: list[str] = []
        if "labels" in self.origin:
            path, column = split_spec(self.origin["labels"])
            lines.append(f"labels = {_quoted(_seen_from(folder, path))}")
            lines += [] if column is None else [f"column = {_quoted(column)}"]
        elif "kind" in self.origin:
            kind = self.origin["kind"]
            table = ["", "[noise]", f"kind = {_quoted(_seen_from(folder, kind) if os.path.isfile(kind) else kind)}"]
            table += [f"eta = {_toml(self.origin['eta'])}"] if self.origin.get("eta") is not None else []
        else:
            raise InputError("--write-config: a run needs labels or a noise model, which this input does not name")
        if chosen.loss.parameters:
            lines += ["", "[parameters]"]
            lines += [f"{_key(name)} = {_toml(value)}" for name, value in chosen.loss.parameters.items()]
        return "\n".join([*lines, *table]) + "\n"


def _identity(loss: Loss) -> tuple[str, ...]:
    """A loss whatever the values of its parameters are."""
    return (loss.name, loss.title, *loss.domains)


def _seen_from(folder: str, path: str) -> str:
    """A path as the files of a folder name it."""
    if not folder or os.path.isabs(path):
        return path
    return os.path.relpath(os.path.abspath(path), os.path.realpath(folder))


def _quoted(text: Any) -> str:
    return json.dumps(str(text))  # TOML's basic strings take JSON's escapes


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else _quoted(name)


def _toml(value: Any) -> str:
    """Whole numbers and decimals that end as numbers, other fractions as text ("16/65"), so that all stay exact."""
    text = plain(Fraction(value) if isinstance(value, int) else value)
    return _quoted(text) if "/" in text else text


def _dataset(kind: str, labels: Any, K: int) -> str | None:
    known = {"mnist": "mnist", "cifar10": "cifar10", "cifar100": "cifar100", "cifar100-blocks": "cifar100"}
    named = "cifar10n" in kind or "cifar10n" in os.path.basename(str(labels or "")).lower()
    return "cifar10" if named else known.get(kind) or {10: "digits", 100: "cifar100"}.get(K)


def _papers(candidate: Candidate) -> str:
    """The papers' values of the parameter by verdict: ``a = 5, 30 hold; a = 1.1 fails``."""
    parts = []
    for verdict, one, many in (
        (True, "holds", "hold"),
        (False, "fails", "fail"),
        (None, "not searched", "not searched"),
    ):
        settings = [setting for setting in candidate.published if setting.holds is verdict]
        given = {setting.parameters.get(candidate.parameter or "") for setting in settings}
        values = [plain(value) for value in sorted(value for value in given if value is not None)]
        count = len(values) or len(settings)
        if count:
            what = f"{candidate.parameter} = {', '.join(values)}" if values else f"{count} setting{'s' * (count > 1)}"
            parts.append(f"{what} {one if count == 1 else many}")
    return "; ".join(parts) or "-"


# ------------------------------------------------------------------------------------------------ select


def select(
    noise: str | NoiseModel | None = None,
    *,
    K: int | None = None,
    eta: Any = None,
    transition: Any = None,
    labels: Any = None,
    clean: Any = None,
    probs: Any = None,
    features: Any = None,
    posteriors: Any = None,
    annotators: Any = None,
    aggregate: str = "votes",
    annotator: str | None = None,
    confidence: float = 0.95,
    losses: Iterable[str | Loss] | None = None,
    also: Iterable[str | Loss] = (),
    replicates: int = estimate.REPLICATES,
    seed: int = 0,
) -> Selection:
    """Losses and hyper-parameters for a noise that is described in one of these ways:

    * ``K`` and ``eta`` (and ``noise``, "symmetric" unless given), a measured noise such as ``noise="cifar10n-worse"``, or a
      NoiseModel: taken as given;
    * ``transition``: a row-stochastic matrix, or a file with one: taken as given; a table of counts is an estimate;
    * ``labels`` and ``clean``: noisy labels and, for all or some of the samples, clean ones;
    * ``labels`` and ``probs``: noisy labels and out-of-sample predicted probabilities (N, K); needs cleanlab. With ``clean``
      too, the table of :func:`asymtheory.noise.relabel.relabelling` with labels filled in, from which some rows are taken;
    * ``labels`` and ``features`` (N, d), numbers of every sample as the network gets them: the probabilities are those of
      :func:`asymtheory.noise.flow.linear_flow`, unless ``clean`` or ``probs`` is given, too;
    * ``posteriors``: class weights of every sample (N, K), or votes;
    * ``annotators``: the labels of several annotators, a column each or lines item, annotator, label. ``aggregate`` makes
      class weights of every item from them: "votes" (shares of the annotators), "majority" (one class, ties left out) or
      "dawid-skene" (needs crowd-kit); with ``annotator``, one of them by name, the noise is that annotator's matrix.

    Labels and tables are lists, arrays, tensors, pandas, polars or pyarrow frames, or files (see
    :mod:`asymtheory.reading`); how they were read is ``estimate.noise.reading``. ``confidence`` is that of the
    intervals where the noise is estimated; ``losses`` restricts the candidates, to names or losses of one's own (unless
    given: ``asymtheory.losses.registry.names_compared``); ``also`` ranks more beside them; ``replicates`` and ``seed`` are of the
    bootstrap. Raises InputError.

        >>> found = select(K=10, eta=0.4, losses=["amse", "ce"])
        >>> [(c.loss.name, c.threshold.answer) for c in found.candidates]
        [('amse', 'a >= 1.8'), ('ce', 'never')]
    """
    estimate.check_confidence(confidence)
    origin: dict[str, Any] = {}
    flow = _flow(features, labels, K)
    used = probs if flow is None else _stand_in(flow, probs, clean)
    if annotators is not None:
        _alone("--annotators", (noise, eta, transition, labels, clean, probs, posteriors))
        known = crowd.estimated(read_annotators(annotators, K=K), aggregate, annotator, confidence)
    else:
        for option, value in (("--annotator", annotator), ("--aggregate", None if aggregate == "votes" else aggregate)):
            if value is not None:
                raise InputError(f"{option} {value}: goes with --annotators")
        known, origin = _read(noise, K, eta, transition, labels, clean, used, posteriors, confidence, replicates, seed)
    if used is not probs:
        known = replace(known, noise=replace(known.noise, source="a linear model of --features"))
    return _ranked(known, origin, losses, tuple(also), flow)


def _flow(features: Any, labels: Any, K: int | None) -> LinearFlow | None:
    """What a linear model makes of the labels with their features, where these are given."""
    if features is None:
        return None
    if labels is None:
        raise InputError("--features goes with --labels (the noisy labels of the same samples)")
    return flow_of(features, labels, K)


def _stand_in(flow: LinearFlow, probs: Any, clean: Any) -> Any:
    """Its probabilities, where neither others nor clean labels of somebody else's choice are given."""
    return flow.probabilities if probs is None and (clean is None or relabel.is_relabelled(clean)) else probs


def _ranked(
    known: NoiseEstimate,
    origin: dict[str, Any],
    losses: Iterable[str | Loss] | None,
    also: tuple[str | Loss, ...],
    flow: LinearFlow | None,
) -> Selection:
    """The losses judged on the noise, best first."""
    wanted = [*(names_compared() if losses is None else losses), *also]
    chosen = [build(loss) if isinstance(loss, str) else loss for loss in wanted]
    if not chosen:
        raise InputError("losses: at least one is needed")
    own = tuple(chosen[len(chosen) - len(also) :])
    found, left_out = _judged(chosen, known, own if losses is None else chosen)
    most = max((covered_share(candidate.coverage) for candidate in found), default=0.0)
    found.sort(key=lambda candidate: rank(candidate, most))
    return Selection(known, tuple(found), (*_warnings(known, found), *left_out), origin, own, flow)


def _judged(chosen: Iterable[Loss], known: NoiseEstimate, named: Sequence[Loss]) -> tuple[list[Candidate], list[str]]:
    """The candidates, and why losses that nobody named are left out."""
    found, left_out = [], []
    for loss in chosen:
        try:
            found.append(judge(loss, known))
        except InputError as error:  # such as no room for K classes above p_min
            if loss in named:
                raise
            left_out.append(f"left out: {error}")
    return found, left_out


def _alone(option: str, others: Iterable[Any]) -> None:
    if any(value is not None for value in others):
        raise InputError(f"{option} and another option both describe the noise; give one of them")


def _read(
    noise: Any, K: Any, eta: Any, transition: Any, labels: Any, clean: Any, probs: Any, posteriors: Any,
    confidence: float, replicates: int, seed: int,
) -> tuple[NoiseEstimate, dict[str, Any]]:  # fmt: skip
    """The estimate that one way of describing the noise gives, and what a run's configuration needs of it."""
    K = None if K is None else check_classes(K, "--K")
    ways = {"--transition": transition, "--labels": labels, "--posteriors": posteriors}
    given = [name for name, value in ways.items() if value is not None]
    if noise is not None or eta is not None:
        given.append("--noise" if noise is not None else "--eta")
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} both describe the noise; give one of them")
    for name, value in (("--clean", clean), ("--probs", probs)):
        if value is not None and labels is None:
            raise InputError(f"{name} goes with --labels (the noisy labels of the same samples)")
    if labels is not None:
        if clean is None and probs is None:
            raise InputError(
                "--labels needs --clean (clean labels), --features or --probs (out-of-sample probabilities): one of them"
            )
        origin = {"labels": os.fspath(labels)} if isinstance(labels, str | os.PathLike) else {}
        if clean is not None and probs is not None:
            return relabel.from_relabelled(labels, probs, clean, confidence, K, replicates, seed), origin
        if clean is not None:
            return estimate.from_clean_labels(labels, clean, confidence, K), origin
        return estimate.from_predictions(labels, probs, confidence, K, replicates, seed), origin
    if posteriors is not None:
        found = as_votes(read_probabilities(posteriors, "--posteriors"))
        _check_count(K, found.table.shape[1], found.source)
        return estimate.from_sample_posteriors(found.table, found.names, found.source, found.reading), {}
    if transition is not None:
        known = estimate.from_transition(transition, confidence)
        _check_count(K, known.K, "--transition")
        return known, {"kind": os.fspath(transition)} if isinstance(transition, str | os.PathLike) else {}
    if isinstance(noise, NoiseModel):
        return estimate.known(noise), {}
    if noise is None and eta is None:
        raise InputError(
            "say what is known of the noise: --K and --eta, --noise, --transition, --labels with --clean, --probs or --features, "
            "--posteriors, or --annotators"
        )
    rate = None if eta is None else check_rate(eta, "--eta")
    model = resolve(noise or "symmetric", K, rate)
    return estimate.known(model), {"kind": noise or "symmetric", "eta": rate}


def _check_count(K: Any, found: int, source: str) -> None:
    if K is not None and K != found:
        raise InputError(f"--K {K}: {source} has {found} classes")


def _warnings(known: NoiseEstimate, found: Sequence[Candidate]) -> tuple[str, ...]:
    lines = []
    if not known.dominant:
        lost = known.failures
        mass = float(known.mass[list(lost)].sum())
        where = ", ".join(
            f"{known.row_name(i)} (against {known.class_name(int(known.rival[i]))})" for i in lost[:5]
        ) + (", ..." if len(lost) > 5 else "")
        rows = {"class": "classes", "sample": "samples"}[known.unit]
        lines.append(
            f"not dominant: in {len(lost)} of {len(known.top)} {rows} ({100 * mass:.3g} % of the data) another label is at "
            f"least as frequent as the true one, and no loss is tolerant there: {where}"
        )
    elif known.boxes is not None and known.margin.low is not None and known.margin.low <= 0:
        lines.append(
            f"not known to be dominant at {known.confidence:g}: the margin may be as low as {show(known.margin.low, 3)} "
            f"({known.row_name(known.binding)}); more clean labels of that class narrow it"
        )
    if not known.uniform and any(candidate.notes for candidate in found):
        lines.append(
            "outside symmetric noise the tolerance that papers claim for normalised losses (NCE, NFL, NGCE, ANL) does not "
            f"hold in general: {', '.join(f'{i} is {recorded().get(i)}' for i, _ in NORMALISED_CLAIMS.values())} in "
            "`asymtheory verify`; sums with an asymmetric loss have the threshold of that loss"
        )
    return (*lines, *known.warnings)
