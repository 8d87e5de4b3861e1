"""The command ``asymtheory labels``: write noisy labels of a data set, and inspect a file of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asymtheory.commands.options import ANSWERED, Parser, classes_given, count_given, print_json, rate_given, say
from asymtheory.errors import InputError, nearest, printable
from asymtheory.reading.labels import Column, align, read_labels

from ..data.fetch import descriptions
from ..data.instance_noise import INSTANCE
from ..data.labels import MODES, NoisyLabels, make_labels
from ..data.sets import DATASETS, load_dataset
from .options import say_readings

SHOWN_CLASSES = 20
"""The matrix is printed for up to this many classes."""


def labels(arguments: list[str]) -> int:
    """``asymtheory labels [inspect FILE] ...``; returns the exit status."""
    if arguments and arguments[0] == "inspect":
        return _inspect(arguments[1:])
    return _write(arguments)


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(
        prog="asymtheory labels",
        description="Noisy labels of a data set's training part, from (data set, K, rate, seed) alone. "
        "`asymtheory labels inspect FILE` says what a file of labels holds.",
    )
    _clean_options(parser)
    parser.add_argument(
        "--noise",
        metavar="KIND",
        help=f"anything `asymtheory noise` knows, a matrix file, {' or '.join(INSTANCE)} (default symmetric)",
    )
    parser.add_argument("--eta", metavar="X", help="noise rate in [0, 1]; decimals are exact (0.4 is 2/5)")
    parser.add_argument("--mode", metavar="MODE", help="exact counts in every class (default), or iid")
    parser.add_argument("--seed", metavar="N", help="default 0")
    parser.add_argument(
        "--human", metavar="FILE", help="human labels (CIFAR-N's .pt, .npz, .npy, .csv), instead of --noise"
    )
    parser.add_argument("--column", metavar="NAME", help="with --human: which labels, such as worse or aggre")
    parser.add_argument(
        "--out", metavar="FILE", required=True, help="where to: .npy (recipe in FILE.json), .npz or .csv"
    )
    parser.add_argument("--json", action="store_true", help="the facts as JSON")
    return parser


def _write(arguments: Sequence[str]) -> int:
    options = build_parser().parse_args(list(arguments))
    if Path(options.out).suffix.lower() not in (".npy", ".npz", ".csv"):
        raise InputError(f"--out {options.out}: labels are written to .npy, .npz or .csv")
    say_readings("labels")
    made = _human(options) if options.human is not None else _drawn(options)
    made.save(options.out)
    if options.json:
        print_json({"file": options.out, **made.to_dict()})
    else:
        say(f"{printable(options.out, 300)}: {_summary(made)}")
        _say(made)
    return ANSWERED


def _say(found: NoisyLabels) -> None:
    """How a file was read, where one was."""
    if found.reading:
        print(f"  read as      {printable(found.reading, 300)}")


def _human(options: argparse.Namespace) -> NoisyLabels:
    """The labels of --human, beside the clean ones."""
    for name in ("noise", "eta", "mode", "seed"):
        if getattr(options, name) is not None:
            given = f"--{name} {getattr(options, name)}"
            raise InputError(f"{given}: human labels are taken as they are; leave it out, or leave --human out")
    clean, K, _, _ = _clean(options, classes_given(options.K))
    names = _names(options.dataset)
    return NoisyLabels.load(options.human, clean, K=K, column=options.column, name=options.dataset or "", names=names)


def _drawn(options: argparse.Namespace) -> NoisyLabels:
    """Labels from a noise model."""
    noise = "symmetric" if options.noise is None else options.noise
    mode = "exact" if options.mode is None else options.mode
    if mode not in MODES:
        raise InputError(f"--mode {mode}: unknown ({', '.join(MODES)}){nearest(mode, MODES)}")
    if options.column is not None:
        raise InputError(f"--column {options.column}: goes with --human")
    eta, seed = rate_given(options.eta), count_given("0" if options.seed is None else options.seed, "--seed", least=0)
    clean, K, _, dataset = _clean(options, classes_given(options.K))
    if isinstance(clean, Column):
        (clean,), K, _, _ = align((clean,), K, None)
    if noise in INSTANCE and dataset is None:
        raise InputError(f"--noise {noise}: needs the images of a --dataset")
    images = dataset.train_images if dataset is not None and noise in INSTANCE else None
    return make_labels(clean, noise, K=K, eta=eta, seed=seed, mode=mode, images=images, name=options.dataset or "")


def _inspect(arguments: Sequence[str]) -> int:
    parser = Parser(prog="asymtheory labels inspect", description="What a file of noisy labels holds.")
    parser.add_argument("file", metavar="FILE", help=".csv, .tsv, .txt, .json, .jsonl, .npy, .npz, .parquet or .pt")
    _clean_options(parser)
    parser.add_argument("--column", metavar="NAME", help="which labels, where the file has several")
    parser.add_argument("--json", action="store_true", help="the facts as JSON")
    options = parser.parse_args(list(arguments))
    K = classes_given(options.K)
    clean, K, names, _ = _clean(options, K)
    found = NoisyLabels.load(options.file, clean, K=K, column=options.column, name=options.dataset or "", names=names)
    names = names or _names(found.recipe.get("dataset"))
    missing = np.flatnonzero(found.counts.sum(axis=1) == 0)
    model = None if len(missing) else found.model(names)
    if options.json:
        print_json({"file": options.file, **found.to_dict(), "noise": None if model is None else model.to_dict()})
        return ANSWERED
    say(f"{printable(options.file, 300)}: {_summary(found)}")
    _say(found)
    if found.recipe:
        print(
            "  recipe       " + ", ".join(f"{key} {value}" for key, value in found.recipe.items() if _worth(key, value))
        )
    if model is None:
        print(f"  no sample of class {', '.join(map(str, missing[:10]))}: without it, no noise model")
    else:
        binding = model.worst
        print(f"  binding      {model.row_name(binding)}, against {model.class_name(model.rows[binding].runner_up)}")
        say(lambda: "\n".join(str(model).splitlines()[1:]))
    if found.K <= SHOWN_CLASSES:
        print(_matrix(found, names))
    return ANSWERED


def _clean_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset", metavar="NAME", help=f"whose training labels are the clean ones: {', '.join(DATASETS)}"
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="the folder of its files (default: $ASYMTHEORY_DATA, or a cache)"
    )
    parser.add_argument("--download", action="store_true", help="fetch what is missing there")
    parser.add_argument("--clean", metavar="FILE", help="a file of clean labels, instead of --dataset")
    parser.add_argument("--K", metavar="N", help="number of classes, with --clean")


def _clean(options: argparse.Namespace, K: int | None) -> tuple[Any, int | None, Any, Any]:
    """Clean labels, K, class names and the data set that the options name; None for what they do not say."""
    if options.dataset is not None and options.clean is not None:
        raise InputError(f"--clean {options.clean}: leave it out when --dataset is given")
    for flag in ("data_dir", "download"):
        if getattr(options, flag) and options.dataset is None:
            raise InputError(f"--{flag.replace('_', '-')} goes with --dataset")
    if options.dataset is not None:
        dataset = load_dataset(options.dataset, options.data_dir, options.download)
        if K is not None and K != dataset.K:
            raise InputError(f"--K {K}: {options.dataset} has {dataset.K} classes")
        return dataset.train_labels, dataset.K, _names(options.dataset), dataset
    if options.clean is not None:
        return read_labels(options.clean, "--clean", "clean"), K, None, None
    if not hasattr(options, "file") and options.human is None:
        raise InputError(f"--dataset ({', '.join(DATASETS)}) or --clean FILE is needed")
    return None, K, None, None


def _names(dataset: object) -> tuple[str, ...] | None:
    """The class names of a data set that has some; digits are their own."""
    known = descriptions().get(dataset) if isinstance(dataset, str) else None
    return None if known is None or known.classes[0] == "0" else known.classes


def _summary(found: NoisyLabels) -> str:
    return (
        f"{len(found.labels)} labels of {found.K} classes, noise rate {found.rate:.6g} "
        f"({int(found.corrupted.sum())} wrong), checksum {found.checksum}"
    )


def _worth(key: str, value: object) -> bool:
    return value not in (None, "") and key not in ("checksum", "clean_checksum", "samples", "K")


def _matrix(found: NoisyLabels, names: Sequence[str] | None) -> str:
    """The realised matrix, one row a true class."""
    heads = [f"{k} {names[k]}" if names else str(k) for k in range(found.K)]
    width = max(map(len, heads))
    lines = ["  realised matrix (rows: true class; columns: label)"]
    lines.append(" " * (width + 4) + "".join(f"{k:>8}" for k in range(found.K)))
    for head, row in zip(heads, found.matrix, strict=True):
        lines.append(f"  {head:<{width}}  " + "".join(f"{value:>8.4f}" for value in row))
    return "\n".join(lines)
