"""The command ``asymtheory features``: images through a frozen network once, into a file that all other commands read."""

from __future__ import annotations

import argparse
import sys

from joblib import cpu_count
from tqdm import tqdm

from asymtheory.commands.options import ANSWERED, MOST_PROCESSES, Parser, count_given, print_json
from asymtheory.errors import printable

from ..data.sets import load_dataset
from ..run.backbones import LITE, open_backbone
from ..run.extract import BATCH, extract

STOPPED = 130


def features(arguments: list[str]) -> int:
    """``asymtheory features``; returns the exit status (130 for Ctrl-C)."""
    options = build_parser().parse_args(arguments)
    size = None if options.size is None else count_given(options.size, "--size", 8)
    batch, threads = (
        count_given(options.batch, "--batch", 1),
        count_given(options.threads or str(cpu_count()), "--threads", 1, MOST_PROCESSES),
    )
    dataset = load_dataset(options.dataset, options.data_dir, options.download)
    if options.subset is not None:
        dataset = dataset.subset(count_given(options.subset, "--subset", 2))
    backbone = open_backbone(options.backbone, size, options.download)
    bar: tqdm[object] | None = None

    def begin(total: int, done: int) -> None:
        nonlocal bar
        if options.progress or sys.stderr.isatty():
            bar = tqdm(total=total, initial=done, unit="image", leave=False, dynamic_ncols=True)

    where = printable(options.out, 300)
    try:
        recipe = extract(
            dataset, backbone, options.out, batch=batch, threads=threads, begin=begin,
            tick=lambda images: bar.update(images) if bar is not None else None,
        )  # fmt: skip
    except KeyboardInterrupt:
        print(
            f"asymtheory features: stopped; the same command goes on with what is in {where}.part",
            file=sys.stderr,
        )
        return STOPPED
    finally:
        if bar is not None:
            bar.close()
    if options.json:
        print_json({"file": options.out, **recipe})
        return ANSWERED
    print(
        f"{where}: {recipe['features']} features of {recipe['images']} training and {recipe['test_images']} test images"
    )
    print(f"  {dataset.name} at {backbone.size} pixels through {backbone.name} ({backbone.weights[:60]})")
    print(f"  train on them: asymtheory train --data {where} --noise symmetric --eta 0.4 --loss amse")
    return ANSWERED


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = Parser(
        prog="asymtheory features",
        description="Features of all images of a data set by a frozen network, written once to a file: `asymtheory train --data "
        "FILE` (likewise sweep and confirm) then trains linear and one-layer heads on them in seconds.",
    )
    parser.add_argument(
        "--dataset",
        default="cifar10",
        metavar="NAME",
        help="digits, mnist, fashion-mnist, cifar10 (default) or cifar100",
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="the folder of the data set's files (default: $ASYMTHEORY_DATA, or a cache)"
    )
    parser.add_argument("--download", action="store_true", help="fetch what is missing: data, or a library's weights")
    parser.add_argument("--subset", metavar="N", help="the first training images of every class only, N in all")
    parser.add_argument(
        "--backbone",
        default=LITE,
        metavar="NAME",
        help=f"{LITE} (default; extra features), timm:NAME, torchvision:NAME or transformers:NAME",
    )
    parser.add_argument("--size", metavar="N", help="side of its inputs in pixels (default: 128, or the library's own)")
    parser.add_argument(
        "--batch", default=str(BATCH), metavar="N", help=f"images at once on each thread (default {BATCH})"
    )
    parser.add_argument("--threads", metavar="N", help="of the CPU (default: one a core)")
    parser.add_argument(
        "--out", metavar="FILE", required=True, help="where to: a .npz file; FILE.part while it is made"
    )
    parser.add_argument(
        "--progress", action="store_true", help="a progress bar even where standard error is not a terminal"
    )
    parser.add_argument("--json", action="store_true", help="the recipe as JSON")
    return parser
