"""Which samples to have relabelled: those that `select --relabel` chooses against as many at random, on human labels.

    python benchmarks/relabel.py LABELS --features cifar10.npz [--draws 20] [--cache FOLDER]

LABELS and the features are those of real_labels.py. Relabelling is simulated by the true labels. Writes docs/selection/relabel.md.
How a sample's posterior is formed was chosen on the aggregate and the first random labels; worse decided nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from real_labels import frozen, out_of_sample

from asymtheory.noise.estimate import NoiseEstimate, Predicted, from_clean_labels, from_predicted, read_predicted
from asymtheory.noise.relabel import Relabelled, Relabelling, drawn, with_relabelled

PAGE = Path(__file__).parents[1] / "docs" / "selection" / "relabel.md"
SETS = {"worse_label": "worse", "random_label1": "random 1", "aggre_label": "aggregate"}
SIZES = (200, 500, 1000, 2000)
CONFIDENCE = 0.95
Labels = npt.NDArray[np.int64]
HEAD = """# Which samples to have relabelled

```console
$ asymtheory select --labels noisy.csv --probs p.npy --relabel 500 --write-relabel ask.csv    # index,label,row,weight
$ asymtheory select --labels noisy.csv --probs p.npy --clean ask.csv                          # with labels filled in
```

`--features x.npz` stands for `--probs` in both ([with features](features.md)).

An estimate without clean labels has a bias that no resampling shows ([human labels](human-labels.md)), and the binding row
decides. `--relabel N` draws the N samples whose clean label says most of that row, by the posterior q of each sample's class: in
proportion to `|c| sqrt(q (1 - q))`, c being how the margin moves with the sample, and a tenth with equal chances. Fill labels in,
all or some. Beside `--probs` the file gives the row by the difference estimator, which is right on average however wrong the
probabilities are. Its interval is Clopper and Pearson's at the effective number of samples (Korn and Graubard 1998), an
approximation. Other rows stay as they were: run it again for the next. In Python: `asymtheory.noise.relabel.relabelling` and
`from_relabelled`.

CIFAR-10N's 50,000 training images, out-of-sample probabilities of softmax regression on frozen features; relabelling is simulated
by the true labels, {draws} draws. Error: root mean square of the binding row's margin; expected: what `--relabel` said; width:
median half-width of the margin's interval at {confidence:g}, and how often the true margin was inside; AMSE: the a that the row's
margin asks for (1 / margin), median. Random: as many samples drawn at random and counted.

| labels | relabelled | error: chosen | expected | random | width: chosen | expected | random | AMSE a >=: true | chosen | random |
|---|---|---|---|---|---|---|---|---|---|---|
"""
SPLIT = """
A tenth of the random samples is of the binding class. Random draws in which a class is missing are left out.

## Several rows at once

The same number of samples, split evenly over the binding row and those that come next, by how far their margins are above its
own against the widths of their intervals: root mean square error of the least margin of all rows, median half-width of its
interval, and how often the true least margin was inside. One row alone is nearer at every size and its interval is the
narrowest, so `--relabel` does not split; in Python `relabelling(..., row=r)` draws for another row.

| labels | relabelled | error: 1 row | 2 rows | 3 rows | width: 1 row | 2 rows | 3 rows |
|---|---|---|---|---|---|---|---|
"""
TAIL = """
Made by `python benchmarks/relabel.py LABELS --features cifar10.npz`. Two shares, in the posterior and in the draw (UNSURE and EVEN
in `asymtheory/noise/relabel.py`), and the interval of rare entries were chosen on aggregate and random 1; worse decided nothing.
"""


def margins(found: NoiseEstimate, row: int) -> tuple[float, float, float]:
    """(margin, low, high) of a row."""
    boxes = found.boxes
    assert boxes is not None
    low, high = boxes.top_low[row] - boxes.second_high[row], boxes.top_high[row] - boxes.second_low[row]
    return float(found.top[row] - found.second[row]), float(low), float(high)


def chosen(found: NoiseEstimate, both: Predicted, clean: Labels, plan: Relabelling) -> tuple[float, float, float]:
    """The margin of the binding row after relabelling."""
    places = np.array(plan.places)
    back = Relabelled(places, clean[places], np.full(len(places), plan.row), np.array(plan.weights))
    return margins(with_relabelled(found, both, back, CONFIDENCE), plan.row)


def at_random(noisy: Labels, clean: Labels, row: int, size: int, seed: int) -> tuple[float, float, float] | None:
    """The margin of a row that is counted on a random part; None where some class is not in it."""
    places = np.random.default_rng([7, seed]).permutation(len(noisy))[:size]
    if len(np.unique(clean[places])) < 10 or len(np.unique(noisy[places])) < 10 or (clean[places] == row).sum() < 2:
        return None
    return margins(from_clean_labels(noisy[places], clean[places], CONFIDENCE), row)


def rows(name: str, noisy: Labels, clean: Labels, p: npt.NDArray[np.float64], draws: int) -> list[str]:
    """The lines of a set of labels."""
    both = read_predicted(noisy, p)
    found, true = from_predicted(both, (1 + CONFIDENCE) / 2), from_clean_labels(noisy, clean)
    row = found.binding
    truth = margins(true, row)[0]
    margin, low, high = margins(found, row)
    width = f"{(high - low) / 2:.3f} ({'inside' if low <= truth <= high else 'outside'})"
    first = (f"{name}, {found.row_name(row)}", "0 (as estimated)", f"{abs(margin - truth):.3f}", "", "", width, "", "")
    lines = [f"| {' | '.join((*first, f'{1 / truth:.2f}', f'{1 / margin:.2f}', ''))} |"]
    for size in SIZES:
        plans = [drawn(found, both, size, seed) for seed in range(draws)]
        ours = [chosen(found, both, clean, plan) for plan in plans]
        others = [at_random(noisy, clean, row, size, seed) for seed in range(draws)]
        (error, width, amse), (error2, width2, amse2) = (_summary(each, truth) for each in (ours, others))
        after = f"{plans[0].after:.3f}"
        cells = (
            f"{size:,}",
            error,
            f"{plans[0].expected:.3f}",
            error2,
            width,
            after,
            width2,
            f"{1 / truth:.2f}",
            amse,
            amse2,
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def several(name: str, noisy: Labels, clean: Labels, p: npt.NDArray[np.float64], draws: int) -> list[str]:
    """The lines of a set of labels where samples are split over rows."""
    both = read_predicted(noisy, p)
    found, true = from_predicted(both, (1 + CONFIDENCE) / 2), from_clean_labels(noisy, clean)
    truth = float((true.top - true.second).min())
    each = [margins(found, row) for row in range(found.K)]
    least = each[found.binding][0]
    order = sorted(range(found.K), key=lambda row: (each[row][0] - least) / (each[row][2] - each[row][1]))
    lines = []
    for size in SIZES:
        cells: list[tuple[str, str]] = []
        for count in (1, 2, 3):
            made = []
            for seed in range(draws):
                plans = [drawn(found, both, size // count, seed, row) for row in order[:count]]
                places, weights = (
                    np.concatenate([getattr(plan, of) for plan in plans]) for of in ("places", "weights")
                )
                rows = np.repeat([plan.row for plan in plans], [len(plan.places) for plan in plans])
                after = with_relabelled(found, both, Relabelled(places, clean[places], rows, weights), CONFIDENCE)
                made.append(tuple(float(x) for x in np.array([margins(after, row) for row in range(found.K)]).min(0)))
            cells.append(_summary(made, truth)[:2])  # type: ignore[arg-type]
        errors, widths = zip(*cells, strict=True)
        lines.append(f"| {name} | {size:,} | {' | '.join((*errors, *widths))} |")
    return lines


def _summary(found: Sequence[tuple[float, float, float] | None], truth: float) -> tuple[str, str, str]:
    known = [each for each in found if each is not None]
    if not known:
        return "-", "-", "-"
    margin, low, high = (np.array(column) for column in zip(*known, strict=True))
    inside = int(((low <= truth) & (truth <= high)).sum())
    middle = float(np.median(margin))
    return (
        f"{np.sqrt(((margin - truth) ** 2).mean()):.3f}",
        f"{np.median(high - low) / 2:.3f} ({inside} of {len(known)})",
        f"{1 / middle:.2f}" if middle > 0 else "none",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--cache", type=Path, help="keep the probabilities in this folder, or take them from there")
    parser.add_argument("--only", choices=tuple(SETS), help="print the lines of one set, and write nothing")
    options = parser.parse_args()
    human = np.load(options.labels / "cifar10n_labels.npz")
    clean = human["clean_label"].astype(np.int64)
    lines, split = [], []
    features = None
    for key, name in SETS.items():
        if options.only not in (None, key):
            continue
        noisy = human[key].astype(np.int64)
        kept = None if options.cache is None else options.cache / f"p_{key}.npy"
        if kept is not None and kept.exists():
            p = np.load(kept).astype(np.float64)
        else:
            features = frozen(options.features)[0][: len(noisy)] if features is None else features
            p = out_of_sample(features, noisy, 10)
            if kept is not None:
                np.save(kept, p.astype(np.float32))
        found = rows(name, noisy, clean, p, options.draws)
        shared = several(name, noisy, clean, p, options.draws)
        print("\n".join([*found, *shared]), flush=True)
        lines += found
        split += shared
    if options.only is None:
        lines += [SPLIT.rstrip("\n"), *split]
        head = HEAD.replace("{draws}", str(options.draws)).replace("{confidence:g}", f"{CONFIDENCE:g}")
        PAGE.write_text(head + "\n".join(lines) + "\n" + TAIL, encoding="utf-8")
        print(PAGE.name)


if __name__ == "__main__":
    main()
