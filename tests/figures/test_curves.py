"""Figures of training runs, from made-up lines of results: what is taken, what is left out, what is said, how it looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from asymtheory_figures import gallery, results, style
from asymtheory_figures.measured import curve_panels, curves, printed, runs, series
from asymtheory_figures.report.collect import default_figures
from matplotlib.collections import PolyCollection

from asymtheory.cli import main
from asymtheory.errors import InputError

from .figure_checks import every_axes, outside, overlaps, unlabelled

pytestmark = pytest.mark.xdist_group("curves")

SYM_6, SYM_8 = ("symmetric", 0.6), ("symmetric", 0.8)
EPOCHS = 4
RISING = (0.1, 0.4, 0.6, 0.7)
FALLING = (0.1, 0.7, 0.6, 0.5)


def line(
    loss: str | None,
    test: Sequence[float] = RISING,
    *,
    seed: int = 0,
    noise: tuple[str, float | None] = SYM_6,
    mode: str = "exact",
    penalty: tuple[str, float] = ("l2", 1e-4),
    count: int = 1000,
    others: Mapping[str, Sequence[float]] | None = None,
    parameters: Mapping[str, float | str] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """A line as ``sweep`` writes it, with what figures read."""
    config = {
        "dataset": "digits", "loss": loss, "formula": None, "labels": None, "column": None, "model": "mlp", "width": 1.0,
        "epochs": len(test), "rate": 0.02, "regularisation": penalty[0], "strength": penalty[1], "seed": seed,
        "parameters": dict(parameters or {}),
        "noise": {"kind": noise[0], "eta": noise[1], "mode": mode, "seed": seed}, **settings,
    }  # fmt: skip
    measured = {"test": test, **(others or {})}
    curve = [{"epoch": i + 1, **{name: values[i] for name, values in measured.items()}} for i in range(len(test))]
    best = max(curve, key=lambda epoch: epoch["test"])
    return {"config": config, "seed": seed, "labels": {"count": count}, "last": curve[-1], "best": best, "curve": curve}


def written(folder: Path, lines: Sequence[Mapping[str, Any]], name: str = "results") -> str:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return str(folder)


def labels(shown: series.Shown) -> list[str]:
    return [each.label for each in shown.lines]


# ---------------------------------------------------------------------------------------------------- what is taken


def test_means_over_seeds_and_what_is_missing(tmp_path: Path) -> None:
    lines = [line("ce", (0.2, 0.4), seed=0), line("ce", (0.4, 0.8), seed=1), line("nce", (0.1, 0.3))]
    again = line("ce", (0.4, 0.6), seed=1)  # the last line of a seed counts
    pair, *rest = curves.data("apl-fig2", written(tmp_path, [*lines, again, line("mae", (0.1, 0.1))]))
    ce, nce = pair.lines
    np.testing.assert_allclose([ce.epochs, ce.mean, ce.low, ce.high], [[1, 2], [0.3, 0.5], [0.2, 0.4], [0.4, 0.6]])
    assert [len(each.runs) for each in (ce, nce)] == [2, 1]
    assert (ce.last, ce.best, nce.last) == (0.5, 0.5, 0.3)
    assert str(pair.where) == "digits, 1,000 images, mlp, 2 epochs"
    (mae,) = rest  # no panels of FL and RCE, no line of NMAE
    assert (labels(mae), mae.missing) == (["MAE"], ("NMAE",))
    spec = next(spec for spec in curves.SPECS if spec.name == "apl-fig2")
    said = curves.caption(spec, [pair, mae])
    assert "Measured on digits, 1,000 images, mlp, 2 epochs: symmetric noise 0.6 (1 to 2 seeds)." in said
    assert "Not measured: NMAE (MAE, NMAE), FL, NFL, RCE, NRCE." in said
    assert "Penalties: l2 0.0001." in said


def test_a_line_is_a_loss_with_the_papers_parameters(tmp_path: Path) -> None:
    on = {"noise": SYM_8, "parameters": {"alpha": 5, "beta": 5}}
    other = line(
        "anl-ce", (0.9, 0.9), noise=SYM_8, parameters={"alpha": 5, "beta": 5, "p_min": 1e-5}, penalty=("l1", 5e-5)
    )
    lines = [line("anl-ce", penalty=("l2", 1e-4), **on), line("anl-ce", penalty=("l1", 1e-6), **on), other]
    lines += [line("anl-ce", FALLING, penalty=("l1", 5e-5), **on), line("anl-ce", penalty=("l1", 1e-7), **on)]
    lines += [line("nce+rce", noise=SYM_8, parameters={"alpha": 10, "beta": 0.1})]  # those for CIFAR-100
    every = [{**each, "last": {}} for each in lines]
    for each in every:
        for epoch in each["curve"]:
            epoch |= {"clean": 0.5, "memorised": 0.1}
    l2, l1 = curves.data("anl-fig2", written(tmp_path, every))
    assert [l2.title, l1.title] == ["ANL-CE, L2", "ANL-CE, L1"]
    assert [each.series.what for each in l1.lines] == ["clean", "memorised", "test"]
    assert l1.lines[2].runs[0].penalty == ("l1", 5e-5)  # of three strengths the printed one
    assert l1.lines[2].last == FALLING[-1]
    np.testing.assert_array_equal(l1.lines[1].mean, [0.1] * EPOCHS)
    assert l2.lines[2].runs[0].penalty == ("l2", 1e-4)


def test_on_another_data_set_the_papers_own_parameters_go_first(tmp_path: Path) -> None:
    place = {"dataset": "cifar100", "noise": SYM_6, "others": {"clean": RISING, "memorised": RISING}}
    lines = [line("nce+rce", RISING, **place), line("nce+rce", FALLING, parameters={"alpha": 10, "beta": 0.1}, **place)]
    (panel,) = curves.data("anl-fig2", written(tmp_path, lines))
    assert panel.lines[2].last == FALLING[-1]
    assert panel.noise == SYM_6 or panel.noise == ("symmetric", "0.6")
    (panel,) = curves.data("anl-fig2", written(tmp_path, lines[:1]))
    assert panel.lines[2].last == RISING[-1]


def test_sums_are_compared_by_what_they_are(tmp_path: Path) -> None:
    weights = {"alpha": 0.5, "beta": 10}
    lines = [
        line("nce+nnce", noise=SYM_8, parameters=weights),
        line("anl-ce", noise=SYM_8, parameters={"alpha": 1, "beta": 1}),
    ]
    lines += [
        line("nce+mae", noise=SYM_8, parameters=weights),
        line("nce+nnce", noise=SYM_8, parameters={"p_min": 1e-5}),
    ]
    (panel,) = curves.data("anl-fig5", written(tmp_path, lines))
    assert [each.values for each in panel.lines] == [(Fraction(1, 2), 10), (1, 1)]

    scaled = [line("nce"), line("nce", parameters={"alpha": 2}), line("nce+nce", parameters={"alpha": 7, "beta": 3})]
    scaled += [line("nce+mae", parameters={"alpha": 5, "beta": 5}), line("rce", parameters={"A": -8})]
    (panel,) = curves.data("apl-fig3", written(tmp_path, scaled))
    assert labels(panel) == ["NCE", "2 NCE", "10 NCE"]


def test_formulas_and_labels_drawn_anew_are_in_no_papers_figure(tmp_path: Path) -> None:
    formula = line(None, formula="-log(u)")
    noises: list[tuple[str, float | None]] = [SYM_8, ("none", None), ("pair", 0.6)]
    folder = written(tmp_path, [formula, line("ce", mode="redrawn"), *(line("ce", noise=noise) for noise in noises)])
    with pytest.raises(results.NothingMeasured, match=r"no runs for this figure; run `asymtheory sweep apl-fig2`"):
        curves.data("apl-fig2", folder)


def test_the_largest_size_unless_most_of_it_is_missing(tmp_path: Path) -> None:
    small = [line(loss, count=100) for loss in ("ce", "nce", "fl", "nfl", "mae")]
    large = [line(loss, FALLING, count=900) for loss in ("ce", "nce")]
    shown = curves.data("apl-fig2", written(tmp_path, [*small, *large]))
    assert {panel.where.images for panel in shown} == {100}
    shown = curves.data("apl-fig2", written(tmp_path, [*small, *large, line("fl", count=900)]))
    assert {panel.where.images for panel in shown} == {900}
    assert [labels(panel) for panel in shown] == [["CE", "NCE"], ["FL"]]
    faster = [line("ce", count=900, rate=0.5), line("nce", count=900, rate=0.5), *large[:1]]  # trained in another way
    (panel,) = curves.data("apl-fig2", written(tmp_path, faster))
    assert [run.config["rate"] for each in panel.lines for run in each.runs] == [0.5, 0.5]


def test_values_of_a_map_count_as_lines(tmp_path: Path) -> None:
    cells = [line("nce+rce", parameters={"alpha": a, "beta": b}, count=80) for a in (0.1, 1) for b in (0.1, 1)]
    (panel,) = curves.data("apl-fig5", written(tmp_path, [*cells, line("nce+rce", count=100)]))
    assert (panel.where.images, len(panel.lines)) == (80, 4)


def test_data_sets(tmp_path: Path) -> None:
    lines = [line(loss, dataset=name) for loss in ("nce+mae", "mae+rce") for name in ("digits", "cifar10", "cifar100")]
    folder = written(tmp_path, [*lines, line("nce+mae", dataset="mnist", count=60_000)])
    assert [panel.title for panel in curves.data("apl-fig4", folder)] == ["cifar10", "cifar100"]
    (panel,) = curves.data("apl-fig4", folder, "mnist")
    assert (panel.title, panel.where.dataset, panel.missing[0]) == ("", "mnist", "NCE+RCE")
    with pytest.raises(
        results.NothingMeasured, match=r"nothing on 'cifar' .*measured: .*mnist.*did you mean 'cifar10'"
    ):
        curves.data("apl-fig4", folder, "cifar")
    (panel,) = curves.data("apl-fig4", written(tmp_path, [line("mae+rce"), line("mae+rce", dataset="mnist", count=5)]))
    assert panel.where.dataset == "digits"  # no data set of the paper: the largest


def test_class_dependent_noise_is_whichever_map_was_used(tmp_path: Path) -> None:
    lines = [line("amse", noise=("cifar10", 0.4), parameters={"a": 20}), line("amse", noise=("uniform", 0.4))]
    lines += [line("nnce", noise=SYM_8, parameters={"alpha": 5}), line("amse", noise=("cifar10", 0.3))]
    symmetric, flips = curves.data("jal-fig2", written(tmp_path, lines))
    assert (labels(symmetric), labels(flips)) == (["5 NNCE"], ["AMSE, $a = 20$"])
    said = curve_panels.measured([symmetric, flips])
    assert "4 epochs: symmetric noise 0.8 (1 seed), class-dependent noise 0.4 of the cifar10 map (1 seed). " in said


def test_maps_of_classes_are_not_mixed_in_a_panel(tmp_path: Path) -> None:
    lines = [line("amse", noise=("cifar10", 0.4), parameters={"a": a}) for a in (10, 20)]
    lines += [line("amse", noise=("pair", 0.4), parameters={"a": a}, seed=seed) for a in (20,) for seed in (0, 1)]
    lines += [line("nnce", noise=("cifar10", 0.4)), line("nnce", noise=("pair", 0.4), seed=0)]
    (panel,) = curves.data("jal-fig2", written(tmp_path, lines))  # of one and the other three runs: by name
    assert panel.noise == ("pair", "0.4")
    assert [len(each.runs) for each in panel.lines] == [2, 1]
    more = line("amse", noise=("cifar10", 0.4), parameters={"a": 30})
    (panel,) = curves.data("jal-fig2", written(tmp_path, [*lines, more]))
    assert {run.noise[0] for each in panel.lines for run in each.runs} == {"cifar10"}
    assert labels(panel) == ["AMSE, $a = 10$", "AMSE, $a = 20$", "AMSE, $a = 30$", "NNCE"]


def test_labels_of_a_file_are_no_clean_labels(tmp_path: Path) -> None:
    panel = series.Panel("clean", (series.Series("CE", "ce"),), ("none", "0"))
    runs = [line("ce", FALLING, noise=("none", None), labels="human.npz"), line("ce", noise=("none", None))]
    found = [results.Run(each) for each in runs]
    assert [series._on(panel, run) for run in found] == [False, True]


def test_sides_of_the_threshold(tmp_path: Path) -> None:
    """By hand, for symmetric noise of 0.8 on ten classes: c = 9/4, r of AGCE (a / (a+1))^(1-q), of AUL ((a-1) / a)^(p-1)."""
    agce = [line("agce", noise=SYM_8, parameters={"a": a, "q": 0.5}) for a in (0.1, 0.3, 4)]
    exact = line("agce", noise=SYM_8, parameters={"a": "16/65", "q": 0.5})
    aul = [line("aul", noise=SYM_8, parameters={"a": a, "p": p}) for a in (1.5, 2) for p in (2, 0.5)]
    shown = curves.data("alf-fig3", written(tmp_path, [*agce, exact, *aul]))
    levels = {panel.title: [each.level for each in panel.lines] for panel in shown}
    first = levels["AGCE, $q = 1/2$"]
    assert [level.asymmetric for level in first if level] == [False, True, True, True]
    wanted = [9 / 4 * (a / (a + 1)) ** 0.5 for a in (0.1, 16 / 65, 0.3, 4)]
    assert [level.product for level in first if level] == pytest.approx(wanted)
    second = [(x.asymmetric, x.product) for x in levels["AUL, $p = 2$"] if x]
    assert second == [(False, pytest.approx(0.75)), (True, pytest.approx(1.125))]
    assert [x.asymmetric for x in levels["AUL, $p = 1/2$"] if x] == [True, True]
    assert [curve_panels._title(panel) for panel in shown] == [
        r"AGCE, $q = 1/2$: $a^\ast = 16/65$",
        r"AUL, $p = 2$: $a^\ast = 1.8$",
        "AUL, $p = 1/2$: any $a$",
    ]
    assert curve_panels._label(shown[0], shown[0].lines[1]) == "$16/65$ (1)"


def test_where_the_noise_is_unknown_to_the_core_nothing_is_said_of_thresholds(tmp_path: Path) -> None:
    (panel,) = curves.data("alf-fig3", written(tmp_path, [line("ael", noise=SYM_8, dataset="my-set")]))
    assert (panel.threshold, panel.lines[0].level) == (None, None)


def test_numbers_in_legends() -> None:
    texts = {
        "1e-7": "10^{-7}",
        "2.5e-5": r"2.5 \times 10^{-5}",
        "16/65": "16/65",
        "1/3": "1/3",
        "0.1": "0.1",
        "30": "30",
    }
    assert {text: series.short(Fraction(text)) for text in texts} == texts
    assert series.short(Fraction("123/1001")) == "0.1229"


# ---------------------------------------------------------------------------------------------------- what is said


def shown(*lines: series.Line, title: str = "") -> list[series.Shown]:
    return [series.Shown(title, results.Where("digits", "mlp", 1.0, 1000, EPOCHS), ("symmetric", "0.6"), lines, ())]


def drawn(
    label: str, test: Sequence[float], values: tuple[int, ...] = (), below: bool = False, second: float = 0
) -> series.Line:
    """A line with one seed, or with another that is better or worse by ``second``."""
    pair = [line("ce", test, seed=0)] + [line("ce", [x + second for x in test], seed=1)] * bool(second)
    own = series.Series(label if not values else "S", "ce", over=("a",) * len(values))
    made = series.line_of(label, own, tuple(map(Fraction, values)), [results.Run(each) for each in pair])
    assert made is not None
    level = series.Level(False, 0.5) if below else series.Level(True, 2.0)
    return series.Line(**{**vars(made), "level": level})


A, B = (0.1, 0.5, 0.6, 0.6), (0.1, 0.3, 0.4, 0.4)
FALL = (0.1, 0.6, 0.5, 0.4)
NOT = ", S, 2 falls by 0.0 points"
SAME_OR_MORE = "S, 1 falls by 20.0 points, y falls by 10.0 points"


@pytest.mark.parametrize(
    ("judge", "lines", "found"),
    [
        (printed.above(("x",), ("y",)), [drawn("x", A), drawn("y", B)], ""),
        (printed.above(("x",), ("y",)), [drawn("x", B), drawn("y", A)], "x 40.0 %, y 60.0 %"),
        (printed.above(("x",), ("y",)), [drawn("x", A)], None),
        # every seed: one of x ends below y
        (
            printed.above(("x",), ("y",)),
            [drawn("x", A, second=-0.3), drawn("y", B)],
            "x 45.0 % (30.0 to 60.0), y 40.0 %",
        ),
        (printed.above(("S",), ("y",)), [drawn("1", A, (1,)), drawn("2", B, (2,)), drawn("y", B)], "S, 2 40.0 %, y 40.0 %"),
        (printed.above(("x",), ("y", "z")), [drawn("x", A), drawn("y", B)], None),  # z is missing
        (printed.above(("x",), ("y",), "other"), [drawn("x", A), drawn("y", B)], None),
        (printed.best_above("S", ("y",)), [drawn("1", A, (1,)), drawn("2", B, (2,)), drawn("y", B)], ""),
        (printed.best_above("S", ("y",)), [drawn("1", B, (1,)), drawn("y", A)], "S, 1 40.0 %, y 60.0 %"),
        (printed.best_above("S", ("y", "z")), [drawn("1", A, (1,)), drawn("y", B)], None),
        (printed.milder("S", "y"), [drawn("1", A, (1,)), drawn("2", FALL, (2,)), drawn("y", FALL)], ""),
        (printed.milder("S", "y"), [drawn("1", B, (1,)), drawn("y", A)], "S, 1 falls by 0.0 points, y falls by 0.0 points"),
        (printed.milder("S", "y"), [drawn("1", FALL, (1,)), drawn("y", (0.1, 0.7, 0.6, 0.4))], ""),
        (printed.milder("S", "y"), [drawn("1", FALLING, (1,)), drawn("y", (0.1, 0.5, 0.4, 0.4))], SAME_OR_MORE),
        (printed.fails(("x",), "y"), [drawn("x", (0.1, 0.2, 0.2, 0.2)), drawn("y", FALL)], ""),
        (printed.fails(("x",), "y"), [drawn("x", B), drawn("y", FALL)], "x reaches 40.0 %, y reaches 60.0 %"),
        (printed.fails(("x",), "y"), [drawn("x", B)], None),
        (printed.falls("x"), [drawn("x", FALL)], ""),
        (printed.falls("x"), [drawn("x", A)], "x falls by 0.0 points"),
        (printed.falls("x"), [drawn("y", A)], None),
        (printed.stays("x"), [drawn("x", A)], ""),
        (printed.stays("x", "y"), [drawn("x", FALL), drawn("y", A)], "x falls by 20.0 points"),
        (printed.stays("x", "y"), [drawn("x", A)], None),
        (printed.falls_below_threshold("S"), [drawn("1", FALL, (1,), below=True), drawn("2", A, (2,))], ""),
        (printed.falls_below_threshold("S"), [drawn("1", A, (1,), below=True)], "S, 1 falls by 0.0 points"),
        (printed.falls_below_threshold("S"), [drawn("1", A, (1,))], None),
        (printed.steadier("S"), [drawn("1", FALL, (1,)), drawn("2", A, (2,))], ""),
        (printed.steadier("S"), [drawn("1", A, (1,)), drawn("2", A, (2,))], f"S, 1 falls by 0.0 points{NOT}"),
        (printed.steadier("S"), [drawn("1", (0.51, 0.5), (1,)), drawn("2", A, (2,))], f"S, 1 falls by 1.0 points{NOT}"),
        (
            printed.steadier("S"),
            [drawn("1", (0.4, 0.3), (1,)), drawn("2", FALL, (2,)), drawn("3", A, (3,))],
            "S, 1 falls by 10.0 points, S, 2 falls by 20.0 points",
        ),
        (printed.steadier("S"), [drawn("1", FALL, (1,))], None),
        (printed.rises("S"), [drawn("1", B, (1,)), drawn("2", A, (2,))], ""),
        (printed.rises("S"), [drawn("10", B, (10,)), drawn("9", A, (9,))], "S, 9 60.0 %, S, 10 40.0 %"),
        (  # the ends are in order, a step between them is not
            printed.rises("S"),
            [drawn("1", B, (1,)), drawn("2", (0.1, 0.9), (2,)), drawn("3", A, (3,))],
            "S, 2 90.0 %, S, 3 60.0 %",
        ),
        (printed.gains("S"), [drawn("1", B, (1,)), drawn("2", A, (2,)), drawn("3", (0.1, 0.5), (3,))], ""),
        (printed.gains("S"), [drawn("1", B, (1,)), drawn("2", A, (2,)), drawn("3", B, (3,))], "S, 3 40.0 %, S, 1 40.0 %"),
        (printed.gains("S"), [drawn("1", B, (1,))], None),
        (printed.gains_nothing("S"), [drawn("1", A, (1,)), drawn("2", B, (2,)), drawn("3", (0.61,) * 2, (3,))], ""),
        (printed.gains_nothing("S"), [drawn("1", B, (1,)), drawn("2", A, (2,))], "S, 2 60.0 %, S, 1 40.0 %"),
        (printed.rises("S", "other"), [drawn("1", B, (1,)), drawn("2", A, (2,))], None),
        (printed.even("S"), [drawn("1", B, (1,)), drawn("2", (0.41,) * EPOCHS, (2,))], ""),
        (printed.even("S"), [drawn("1", B, (1,)), drawn("2", A, (2,))], "S, 1 40.0 %, S, 2 60.0 %"),
        (printed.even("S"), [drawn("1", B, (1,))], None),
        (printed.grows("S"), [drawn("1, 1", B, (1, 1)), drawn("1, 2", A, (1, 2))], ""),
        (printed.grows("S"), [drawn("1, 1", A, (1, 1)), drawn("1, 2", B, (1, 2))], "S, 1, 1 60.0 %, S, 1, 2 40.0 %"),
        (printed.grows("S"), [drawn("1, 1", B, (1, 1)), drawn("2, 2", A, (2, 2))], None),
        (printed.best_at("S", {"cifar10": ("2", "1")}), [drawn("1", B, (1, 1)), drawn("2", A, (2, 1))], ""),
        (printed.best_at("S", {"cifar10": ("1", "1")}), [drawn("1", B, (1, 1)), drawn("2", A, (2, 1))], "S, 2 60.0 %, S, 1 40.0 %"),
        (printed.best_at("S", {"cifar10": ("3", "1")}), [drawn("1", B, (1, 1)), drawn("2", A, (2, 1))], None),
    ],
)  # fmt: skip
def test_printed_statements_are_checked(judge: printed.Judge, lines: Sequence[series.Line], found: str | None) -> None:
    assert judge(shown(*lines)) == found


def test_statements_are_of_test_accuracy() -> None:
    clean = drawn("x", FALL)
    other = series.Series("x", "ce", what="clean")
    assert printed.falls("x")(shown(series.Line(**{**vars(clean), "series": other}))) is None


def test_the_caption_has_both_kinds_of_statements() -> None:
    claims = [printed.Statement(text, judge) for text, judge in (("X", printed.falls("x")), ("Y", printed.stays("x")))]
    claims.append(printed.Statement("Z", printed.stays("z")))  # nothing to say
    said = printed.judged(claims, shown(drawn("x", FALL)))
    assert said == "Printed, but not seen here: Y (here: x falls by 20.0 points). Printed and seen here too: X."
    assert printed.judged(claims[2:], shown(drawn("x", FALL))) == ""


def test_statements_name_lines_that_there_are(everything: str) -> None:
    """Every claim has something to say where all lines are there: a label that is misspelled would be silent."""
    for spec in curves.SPECS:
        panels = curves.data(spec.name, everything)
        assert not any(panel.missing for panel in panels)
        assert [claim.says for claim in spec.claims if claim.judge(panels) is None] == []


# --------------------------------------------------------------------------------------------------- how it looks


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two seeds of every line of every figure, on digits; of a series over values three or four values."""
    values: dict[str, tuple[float, ...]] = {
        "agce": (0.1, 1, 10), "aul": (1.1, 2, 10), "ael": (0.1, 2, 10), "amse": (5, 10, 20, 30, 40), "p_min": (1e-5, 1e-7, 1e-9),
        series.SCALE: (1, 2, 20), series.STRENGTH: (1e-6, 1e-4),
    }  # fmt: skip
    lines: dict[str, dict[str, Any]] = {}
    for spec in curves.SPECS:
        for panel in spec.panels:
            kind, rate = panel.noise
            for each in panel.series:
                grid: list[dict[str, Any]] = [{}]
                for name in each.over:
                    few = values.get(each.loss if name == "a" else name, (0.1, 1, 10))
                    grid = [{**point, name: x} for point in grid for x in few]
                for point in grid:
                    strength = point.pop(series.STRENGTH, 5e-5 if each.penalty == "l1" else 1e-4)
                    norm = each.penalty or "l2"
                    if series.SCALE in point:
                        point["alpha"] = point.pop(series.SCALE)
                    for seed in (0, 1):
                        top = 0.2 + 0.7 * ((len(lines) * 37) % 100) / 100
                        test = [top * share for share in (0.2, 0.7, 1, 0.9 + 0.1 * (len(lines) % 2))]
                        made = line(
                            each.loss,
                            test,
                            seed=seed,
                            parameters={**each.parameters, **point},
                            noise=("cifar10" if kind == series.ASYMMETRIC else kind, float(rate)),
                            penalty=(norm, 0.0 if norm == "none" else strength),
                            others={"clean": test, "memorised": [x / 3 for x in test], "loss": [2.0, 1.0, 0.5, 0.2]},
                        )
                        lines.setdefault(json.dumps([made["config"]]), made)
    return written(tmp_path_factory.mktemp("results"), list(lines.values()))


@pytest.mark.parametrize(
    ("name", "width"),
    [
        (spec.name, "icml")
        for spec in curves.SPECS
        if spec.name not in ("apl-fig1", "apl-fig3", "anl-fig6", "anl-fig7", "jal-fig2")
    ]
    + [(name, "column") for name in ("alf-fig3", "apl-fig4", "anl-fig3", "anl-fig5", "jal-fig2", "curves")],
)
def test_figures_are_labelled_and_nothing_overlaps(everything: str, name: str, width: str) -> None:
    figure = gallery.make(name, width=width, results=everything)
    assert figure.get_figwidth() == style.WIDTHS[width]
    assert figure.get_figheight() <= 8.5 or name == "curves"  # a page of a column; of any runs there may be many panels
    with style.context():
        assert overlaps(figure) == []
        assert outside(figure) == []
        assert unlabelled(figure) == []
    assert "digits" in figure.get_suptitle().replace("\n", " ")
    assert "2 seeds" in figure.get_suptitle().replace("\n", " ")
    assert "Measured on digits, 1,000 images, mlp, 4 epochs" in gallery.recipe(figure).caption
    for panel in every_axes(figure):  # a band for each curve; maps have cells
        if name not in ("anl-fig3", "anl-fig6", "apl-fig5", "anl-fig5"):
            assert len(panel.lines) == sum(isinstance(each, PolyCollection) for each in panel.collections) > 0


def test_bands_reach_from_the_lowest_to_the_highest_seed(tmp_path: Path) -> None:
    lines = [line("ce", [x + 0.02 * seed for x in RISING], seed=seed) for seed in (0, 1, 2)] + [line("nce")]
    panel = gallery.make("apl-fig2", results=written(tmp_path, lines)).axes[0]
    (band,) = panel.collections  # one seed has none
    low, high = (getattr(band.get_paths()[0].vertices[:, 1], end)() for end in ("min", "max"))
    assert (low, high) == (pytest.approx(10), pytest.approx(74))
    np.testing.assert_allclose(panel.lines[0].get_ydata(), [100 * (x + 0.02) for x in RISING])


def test_dashes_tell_the_sides_of_a_threshold(everything: str) -> None:
    figure = gallery.make("jal-fig4", results=everything, width="icml")
    sides = [[each.get_linestyle() for each in panel.lines] for panel in figure.axes]
    assert sides == [["-"] * 5, ["--", "-", "-", "-", "-"], ["-"] * 5]  # any a; a >= 9; a >= 4.74
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["asymmetric on this noise", "not asymmetric"]


def looks(panels: Sequence[series.Shown]) -> list[dict[str, tuple[Any, Any]]]:
    """Colour and dashes of each line of each panel, by label."""
    found = zip(panels, curve_panels._looks(panels), strict=True)
    return [
        {each.label: (look["color"], look["linestyle"]) for each, look in zip(panel.lines, own, strict=True)}
        for panel, own in found
    ]


def test_one_value_looks_the_same_in_all_panels(tmp_path: Path) -> None:
    flips = ("cifar10", 0.4)
    lines = [line("amse", noise=SYM_8, parameters={"a": a}) for a in (2, 10, 20)]
    lines += [line("amse", noise=flips, parameters={"a": a}) for a in (40, 20, 10, 5)]
    lines += [line("nnce", noise=noise) for noise in (SYM_8, flips)]
    first, second = looks(curves.data("jal-fig2", written(tmp_path, lines)))
    shared = {f"AMSE, $a = {a}$" for a in (10, 20)} | {"NNCE"}
    assert shared == first.keys() & second.keys()
    assert {label: first[label] for label in shared} == {label: second[label] for label in shared}
    both = {**first, **second}
    assert len(both) == len({colour for colour, _ in both.values()}) == len(set(both.values())) == 6
    tones = [style.lightness(both[f"AMSE, $a = {a}$"][0]) for a in (2, 5, 10, 20, 40)]
    assert tones == sorted(tones)
    assert both["NNCE"][0] == style.FAMILIES["anl"].colour  # alone in its family


def test_any_runs_of_one_label_look_the_same_in_all_panels(tmp_path: Path) -> None:
    lines = [line("agce", noise=SYM_8, parameters={"a": a}) for a in (1, 2)]
    lines += [line("agce", noise=SYM_6, parameters={"a": a}) for a in (2, 3)]
    first, second = looks(runs.curves_data(written(tmp_path, lines))[0])
    (label,) = first.keys() & second.keys()
    assert label == "AGCE: $a = 2$"
    assert first[label] == second[label]
    assert len({*first.values(), *second.values()}) == 3


def test_a_factor_looks_the_same_for_all_losses_of_a_family(tmp_path: Path) -> None:
    lines = [line(loss, parameters={"alpha": x}) for loss, x in (("nce", 1), ("nce", 5), ("nfl", 5), ("nfl", 20))]
    nce, nfl = looks(curves.data("apl-fig3", written(tmp_path, lines)))
    assert nce["5 NCE"] == nfl["5 NFL"]
    assert len({*nce.values(), *nfl.values()}) == 3


def test_a_loss_keeps_its_look_where_another_is_missing(tmp_path: Path) -> None:
    names = ("nce+mae", "nce+rce", "nfl+mae")
    lines = [line(loss, dataset="cifar10") for loss in names] + [line(loss, dataset="cifar100") for loss in names[1:]]
    ten, hundred = looks(curves.data("apl-fig4", written(tmp_path, lines)))
    assert hundred == {label: ten[label] for label in ("NCE+RCE", "NFL+MAE")}
    assert len(set(ten.values())) == 3


def test_lines_of_one_panel_that_share_a_value_look_different() -> None:
    pair = [drawn("1", A, (1,)), drawn("1", B, (1,))]
    (found,) = curve_panels._looks(shown(*pair))
    assert found[0]["color"] != found[1]["color"]


def test_cells_of_a_map(tmp_path: Path) -> None:
    lines = [
        line("nce+rce", (0.1, last), parameters={"alpha": a, "beta": b})
        for a, b, last in ((1, 1, 0.9), (1, 10, 1), (10, 1, 0.5))
    ]
    panel, bar = gallery.make("apl-fig5", results=written(tmp_path, lines)).axes
    assert bar.get_xlabel() == "test accuracy (%)"
    assert [text.get_text() for text in panel.texts] == ["90.0", "100", "50.0", "-"]  # from below: alpha = 1, then 10
    np.testing.assert_array_equal(panel.images[0].get_array(), [[90, 100], [50, np.nan]])
    assert [label.get_text() for label in panel.get_yticklabels()] == ["1", "10"]


def test_points_over_strengths(tmp_path: Path) -> None:
    norms = [("l1", 1e-6), ("l1", 1e-5), ("none", 0.0)]
    lines = [
        line("anl-ce", [x - i / 10 for x in FALLING], noise=SYM_8, penalty=norm, parameters={"alpha": 5, "beta": 5})
        for i, norm in enumerate(norms)
    ]
    figure = gallery.make("anl-fig3", results=written(tmp_path, lines))
    (panel,) = figure.axes
    last, best, level = panel.lines
    np.testing.assert_allclose(last.get_ydata(), [50, 40])
    np.testing.assert_allclose(best.get_xydata(), [[x, y] for x, y in zip(last.get_xdata(), (70, 60), strict=True)])
    np.testing.assert_allclose(last.get_xdata(), [1e-6, 1e-5], rtol=0.05)  # beside the other norms
    np.testing.assert_allclose(level.get_ydata(), [30, 30])
    assert "Not measured: L2, Jacobian." in gallery.recipe(figure).caption


# -------------------------------------------------------------------------------------------------- any runs: curves


def test_panels_and_labels_of_any_runs(tmp_path: Path) -> None:
    lines = [line("agce", noise=SYM_8, parameters={"a": a}) for a in (1, 2)]
    lines += [
        line("agce", noise=SYM_8, parameters={"a": 2}, rate=0.5),
        line("ce", noise=SYM_8),
        line("ce", noise=SYM_8, seed=1),
    ]
    lines += [
        line("ce", noise=("none", None)),
        line("ce", mode="redrawn"),
        line("ce", dataset="mnist", count=9, epochs=1),
    ]
    lines += [line(None, formula="-log(u)", noise=("cifar10", 0.4)), line("lid", noise=("cifar10", 0.4))]
    found, left = runs.curves_data(written(tmp_path, lines))
    assert [panel.title for panel in found] == [
        "clean labels",
        "cifar10 map 0.4",
        "symmetric 0.6, redrawn",
        "symmetric 0.8",
    ]
    assert left == 0
    assert labels(found[-1]) == [
        "AGCE: $a = 1$, rate 0.02",
        "AGCE: $a = 2$, rate 0.02",
        "AGCE: $a = 2$, rate 0.5",
        "CE",
    ]
    assert [len(each.runs) for each in found[-1].lines] == [1, 1, 1, 2]
    assert sorted(labels(found[1])) == ["-log(u)", "lid"]
    found, _ = runs.curves_data(str(tmp_path), dataset="mnist")
    assert [panel.where.images for panel in found] == [9]


def test_measures_and_losses_are_chosen(tmp_path: Path) -> None:
    lines = [line("ce", others={"loss": (4, 3, 2, 1)}), line("mae")]
    folder = written(tmp_path, lines)
    (panel,), _ = runs.curves_data(folder, what="loss")
    assert labels(panel) == ["CE"]
    np.testing.assert_array_equal(panel.lines[0].mean, [4, 3, 2, 1])
    (axes,) = gallery.make("curves", results=folder, what="loss").axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [4, 3, 2, 1])  # no percent
    (panel,), _ = runs.curves_data(folder, losses="mae, rce")
    assert labels(panel) == ["MAE"]
    with pytest.raises(InputError, match=r"option what = 'tset': one of test, .* is needed; did you mean 'test'"):
        runs.curves_data(folder, what="tset")
    with pytest.raises(results.NothingMeasured, match=r"no run with memorised of every epoch .*losses: ce, mae"):
        runs.curves_data(folder, what="memorised")


def test_the_best_experiments_find_room(tmp_path: Path) -> None:
    lines = [line("agce", (0.1, last / 100), parameters={"a": last}) for last in range(1, runs.MOST + 4)]
    (panel,), left = runs.curves_data(written(tmp_path, lines))
    assert (len(panel.lines), left) == (runs.MOST, 3)
    assert min(each.last for each in panel.lines) == pytest.approx(0.04)
    caption = gallery.recipe(gallery.make("curves", results=str(tmp_path))).caption
    assert caption.endswith("3 more experiments end lower in their panels and are not drawn.")


def test_labels_of_a_file_are_a_noise_of_their_own(tmp_path: Path) -> None:
    lines = [
        line("ce", noise=("none", None), labels="data/human.pt", column="worse_label"),
        line("ce", noise=("none", None)),
    ]
    found, _ = runs.curves_data(written(tmp_path, lines))
    assert sorted(panel.title for panel in found) == ["clean labels", "human.pt worse_label"]


# ------------------------------------------------------------------------------------------------------ the command


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["figure", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_all_leaves_out_what_was_not_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gallery, "names", lambda: ["anl-fig1", "apl-fig1", "apl-fig4"])
    monkeypatch.setattr("asymtheory_figures.workers.os.cpu_count", lambda: 1)  # no processes for three figures
    status, out, err = command(capsys, "--all", "--out", "out", "--format", "svg")
    assert (status, out.split()) == (0, [str(Path("out", "anl-fig1.svg"))])
    assert [text.split(": ")[:2] for text in err.splitlines()] == [
        ["asymtheory figure", f"{name} is left out"] for name in ("apl-fig1", "apl-fig4")
    ]
    folder = written(tmp_path / "mine", [line("ce"), line("nce")])
    status, out, err = command(capsys, "--all", "--out", "out", "--format", "svg", "--option", f"results={folder}")
    assert (status, len(out.split())) == (0, 2)  # anl-fig1 has no option of that name, which is all right with --all
    assert "apl-fig4 is left out: " in err
    assert "asymtheory sweep apl-fig4" in err
    status, out, err = command(capsys, "--all", "--option", "resluts=x")
    assert (status, err) == (
        2,
        "asymtheory figure: --option resluts: none of the figures has it; did you mean 'results'?\n",
    )


def test_a_figure_that_is_named_must_have_something_to_show(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = command(capsys, "apl-fig1", "--out", str(tmp_path), "--option", f"results={tmp_path}")
    assert (status, out) == (2, "")
    assert err == (
        f"asymtheory figure: results {tmp_path}: no *.jsonl there; name a folder or file with results=PATH; "
        "`asymtheory sweep apl-fig1` makes the runs\n"
    )


def test_the_list_marks_them_and_reports_leave_them_out(capsys: pytest.CaptureFixture[str]) -> None:
    out = command(capsys, "--list")[1]
    entries = [text for text in out.replace("\n ", " ").splitlines() if "needs results of training" in text]
    assert {spec.name for spec in curves.SPECS} | {"curves"} <= {text.split()[0] for text in entries}
    assert not {"alf-fig1", "phase"} & {text.split()[0] for text in entries}
    kept = default_figures()
    assert "alf-fig1" in kept
    assert not {"curves", "apl-fig1"} & set(kept)


# ------------------------------------------------------------------------------------------------- plans and figures


@pytest.mark.parametrize("settings", ["", "dataset=digits epochs=30"])
def test_the_plans_make_every_line_of_their_figures(
    tmp_path: Path, settings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each plan's configurations, as lines with a made-up curve."""
    pytest.importorskip("torch")
    monkeypatch.setattr("asymtheory_training.sweep.plan.build_model", lambda *_, **__: None)  # nothing is trained here
    from asymtheory_training.sweep.grammar import parse_settings
    from asymtheory_training.sweep.plan import read_plan
    from asymtheory_training.sweep.shipped import find

    for spec in curves.SPECS:
        plan = read_plan(find(spec.name), parse_settings(settings.split()))
        lines = []
        for point in plan.points:
            made = line("ce", others={"clean": RISING, "memorised": RISING})
            lines.append({**made, "config": point.config.to_dict(), "seed": point.config.seed})
        panels = curves.data(spec.name, written(tmp_path, lines))
        assert [(panel.title, panel.missing) for panel in panels if panel.missing] == []
        assert len(panels) == len(spec.panels) * (1 if settings else len(spec.papers))
        used = {id(run.line) for panel in panels for each in panel.lines for run in each.runs}
        assert len(used) >= len(lines) * (0.5 if settings else 1)  # moved, two data sets may become one
        assert {len(each.runs) for panel in panels for each in panel.lines} == {3}
