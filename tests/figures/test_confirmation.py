"""Figures of ``asymtheory confirm``: the rows that are drawn, the exact curves beside them, and what is refused."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asymtheory_figures import gallery
from asymtheory_figures.measured import confirmation, memorisation, studies
from asymtheory_figures.measured.curve_panels import PAGE
from asymtheory_figures.results import NothingMeasured, Results, load
from asymtheory_training.commands.confirm import confirm

from asymtheory.errors import InputError

from .figure_checks import outside, overlaps, unlabelled

pytestmark = pytest.mark.xdist_group("confirmation")

NAMES = (
    "confirm-population", "confirm-classes", "confirm-memorised", "confirm-collapse", "confirm-histograms", "confirm-curves"
)  # fmt: skip
SMALL = "--subset 100 --epochs 2 --width 0.05 --seeds 2 --values 5 --noise pair --eta 0.4"
LOSSES = "amse agce:q=1/2 agce:q=3/2 ce mae"
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows as the command writes them, of both regimes, in one folder."""
    folder = tmp_path_factory.mktemp("confirm-rows")
    for regime in ("population", "fixed"):
        out = tmp_path_factory.mktemp(regime)
        assert confirm(f"{SMALL} --loss {LOSSES} --regime {regime} --out {out}".split()) == 0
        (folder / f"{regime}.jsonl").write_text((out / "rows.jsonl").read_text())
    return folder


@pytest.fixture
def found(measured: Path) -> Results:
    """A copy that a test may change."""
    results = load(str(measured))
    return Results(results.folder, results.runs, tuple(deepcopy(results.rows)))


def write(folder: Path, rows: Any) -> str:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder)


def the(results: Results, regime: str, loss: str) -> Any:
    """Of several of one name, the first."""
    return next(each for each in studies.studies(results, regime)[0].subjects if each.name == loss)


def line(axes: Any, colour: str) -> Any:
    (kept,) = (each for each in axes.lines if each.get_color() == colour and len(each.get_xdata()) > 2)
    return kept


# ------------------------------------------------------------------------------------------------------------- studies


def test_a_study_holds_one_regime_and_its_losses(found: Results) -> None:
    for regime in ("population", "fixed"):
        (study,) = studies.studies(found, regime)
        assert {row["regime"] for subject in study.subjects for row in subject.rows} == {regime}
        assert [each.title for each in study.subjects] == [
            "AMSE, $q = 2$",
            "AGCE, $q = 0.5$",
            "AGCE, $q = 1.5$",
            "CE",
            "MAE",
        ]
        assert [each.name for each in study.around] == ["amse", "agce"]
        assert [each.title for each in study.always] == ["AGCE, $q = 1.5$"]
        assert [each.name for each in study.ends] == ["ce", "mae"]
        assert (study.K, study.noise, study.seeds) == (10, "pair 0.4", {2})
    amse = the(found, "fixed", "amse")
    assert list(amse.factors) == sorted(amse.factors)
    assert amse.nearest(1)["factor"] == 1
    assert amse.nearest(4)["factor"] == pytest.approx(8**0.5, rel=1e-5)
    np.testing.assert_allclose(amse.by_seed("memorised").mean(1), amse.read("memorised"), rtol=1e-5)


def test_two_of_a_family_are_told_apart(found: Results) -> None:
    (study,) = studies.studies(found, "fixed")
    _, half, more, *_ = study.subjects
    assert half.line()["color"] != more.line()["color"]
    assert half.mark().get("markerfacecolor") is None
    assert more.mark()["markerfacecolor"] == "white"


def test_weights_of_a_sum_are_said_where_the_title_needs_them(found: Results) -> None:
    row = dict(found.rows[0], loss="jal-ce", fixed={"alpha": "1", "beta": "1/2", "q": "2"})
    assert studies.title_of(row) == "JAL-CE, $q = 2$"
    other = dict(row, fixed={"alpha": "1", "beta": "2", "q": "2"})
    (study,) = studies.studies(Results("", (), (row, other)), row["regime"])
    assert len({each.title for each in study.subjects}) == 2
    assert "beta = 0.5" in study.subjects[0].title


def test_what_was_measured_most_is_shown_and_a_noise_each(found: Results) -> None:
    fixed = [row for row in found.rows if row["regime"] == "fixed"]
    symmetric = [dict(row, noise="symmetric 0.4") for row in fixed]
    other = [dict(row, dataset="mnist", images=8000) for row in fixed[:3]]
    every = Results("r", (), (*other, *fixed, *symmetric))
    shown = studies.studies(every, "fixed")
    assert [(study.where.dataset, study.noise) for study in shown] == [
        ("digits", "symmetric 0.4"),
        ("digits", "pair 0.4"),
    ]
    assert studies.fullest(shown) is shown[0]  # as many rows: the first
    assert studies.fullest(studies.studies(replace(every, rows=every.rows[:-1]), "fixed")).noise == "pair 0.4"
    assert studies.also(every, shown) == "Also measured: mnist pair 0.4."
    (mnist,) = studies.studies(every, "fixed", "mnist")
    assert mnist.where.images == 8000
    (pair,) = studies.studies(every, "fixed", None, "pair 0.4")
    assert pair.where.dataset == "digits"
    rates = Results("r", (), (*(dict(row, rate=0.03) for row in fixed), *(dict(row, rate=0.003) for row in fixed[1:])))
    (study,) = studies.studies(rates, "fixed")  # rates are studies of their own
    assert {row["rate"] for each in study.subjects for row in each.rows} == {0.03}
    unequal = Results("r", (), (*(dict(row, equalised=False) for row in fixed), *fixed[:4]))
    (study,) = studies.studies(unequal, "fixed")
    assert not study.equalised
    assert [row["equalised"] for each in study.subjects for row in each.rows] == [False] * len(fixed)


def test_of_one_value_the_rows_with_more_seeds_count(found: Results) -> None:
    row = next(row for row in found.rows if row["regime"] == "fixed" and row["loss"] == "mae")
    less, more = dict(row, seeds=1, last=0.1), dict(row, seeds=5, last=0.2)
    for order in ((less, more), (more, less)):
        (study,) = studies.studies(Results("", (), order), "fixed")
        assert [each["last"] for each in study.subjects[0].rows] == [0.2]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"dataset": "digit"}, "'digit' was not measured .*did you mean 'digits'"),
        ({"noise": "pair 0.3"}, "measured: pair 0.4"),
        ({"results": "nowhere"}, "nowhere"),
    ],
)
def test_what_was_not_measured_is_said(measured: Path, given: dict[str, str], says: str) -> None:
    with pytest.raises(NothingMeasured, match=says):
        gallery.make("confirm-memorised", **{"results": str(measured), **given})


def test_without_rows_the_command_is_named(measured: Path, tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text((measured / "fixed.jsonl").read_text())
    with pytest.raises(NothingMeasured, match="confirm --regime population"):
        gallery.make("confirm-population", results=str(tmp_path))
    rows = [dict(row, vectors=None) for row in load(str(measured)).rows]
    with pytest.raises(NothingMeasured, match="--noise pair"):
        gallery.make("confirm-classes", results=write(tmp_path, rows))


# ------------------------------------------------------------------------------------------------------------- numbers


def test_the_exact_curve_is_the_minimiser(found: Results) -> None:
    """AMSE, q = 2, pair flips of 0.4: u_m - u_n = a (w_m - w_n) and the rest 0 from a = 1 on."""
    (study,) = studies.studies(found, "population")
    amse = the(found, "population", "amse")
    factors, exact = confirmation.exact_curve(study, amse)
    assert len(factors) > 80
    np.testing.assert_allclose(exact, np.minimum((1 + factors) / 2, 1), atol=1e-7)
    np.testing.assert_allclose(np.interp(amse.factors, factors, exact), amse.read("exact"), atol=1e-5)
    aul = [
        dict(row, loss="aul", fixed={"p": "2"}, threshold=1.8, value=v, factor=round(v / 1.8, 6))
        for v, row in zip((1.0, 1.8, 14.4), amse.rows, strict=False)
    ]
    factors, _ = confirmation.exact_curve(
        study, studies.Subject("AUL", tuple(aul))
    )  # 0.555556 * 1.8 is outside the domain
    assert factors[0] == 1 / 1.8
    rows = [dict(row, noise="cifar10n-worse") for row in found.rows]
    (human,) = studies.studies(Results("", (), tuple(rows)), "population")
    factors, exact = confirmation.exact_curve(human, human.subjects[0])
    np.testing.assert_array_equal(exact, human.subjects[0].read("exact"))


def test_population_draws_means_intervals_and_deviations(found: Results, measured: Path) -> None:
    drawn = gallery.make("confirm-population", results=str(measured), width="full")
    amse = the(found, "population", "amse")
    (upper,) = (axes for axes in drawn.axes if "AMSE" in axes.get_title(loc="left"))
    lower = drawn.axes[drawn.axes.index(upper) + 1]
    bars = upper.containers[0]
    np.testing.assert_allclose(bars.lines[0].get_ydata(), amse.read("measured"))
    ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, np.stack([amse.read("low"), amse.read("high")], 1))
    np.testing.assert_allclose(lower.containers[0].lines[0].get_ydata(), amse.read("deviation"))
    assert any(np.array_equal(each.get_ydata(), amse.read("test", "measured")) for each in upper.lines)
    assert any(np.array_equal(each.get_ydata(), amse.read("median")) for each in upper.lines)
    (circles,) = (each for each in upper.lines if each.get_marker() == "o")
    lost = [row for row in amse.rows if sum(row["lost"])]
    assert lost
    np.testing.assert_array_equal(circles.get_xdata(), [row["factor"] for row in lost])
    kept = [np.nan if row["kept"] is None else row["kept"]["measured"] for row in lost]
    np.testing.assert_array_equal(circles.get_ydata(), kept)


def test_memorised_draws_all_losses_on_one_axis_and_where_they_turn(found: Results, tmp_path: Path) -> None:
    rows = [row for row in found.rows if row["regime"] == "fixed"]
    for row in rows:
        if row["loss"] == "amse":
            row["by_seed"]["memorised"] = [1 / (1 + row["factor"]), 0.9 / (1 + row["factor"])]
            row["transition"] = {"memorised": {"factor": 1.5, "rise": 0.4, "low": 1.2, "high": 1.9}}
        elif row["transition"] is not None:
            row["transition"] = {"memorised": {"factor": None, "rise": 0.01, "low": None, "high": None}}
    drawn = gallery.make("confirm-memorised", results=write(tmp_path, rows), width="full")
    left, right = drawn.axes
    amse = the(Results("", (), tuple(rows)), "fixed", "amse")
    over = line(left, amse.line()["color"])
    np.testing.assert_allclose(over.get_xdata(), amse.factors)
    np.testing.assert_allclose(
        over.get_ydata(), 100 * np.array([np.mean(r["by_seed"]["memorised"]) for r in amse.rows])
    )
    big = [each for each in left.lines if each.get_markersize() > 6]
    assert [each.get_xdata()[0] for each in big] == [1.5]
    at = np.interp(np.log(1.5), np.log(amse.factors), over.get_ydata())
    assert big[0].get_ydata()[0] == pytest.approx(at)
    assert any(list(each.get_xdata()) == [1.2, 1.9] for each in left.lines)
    levels = line(right, amse.line()["color"])
    every = sorted(amse.read("level"))
    np.testing.assert_allclose(
        levels.get_xdata(), [level for level in every if level >= memorisation.FLOOR]
    )  # the axis is logarithmic
    assert every[0] == 0
    (study,) = studies.studies(found, "fixed")
    zero = memorisation.zero_at(study)
    assert any(bars.lines[0].get_xdata()[0] == zero for bars in right.containers)
    assert right.get_xscale() == "log"
    assert right.get_xticklabels()[0].get_text() in ("0", "<1/32")
    assert right.get_xticks()[-1] == max(each.read("level").max() for each in study.subjects)
    legend = [text.get_text() for text in drawn.legends[0].get_texts()]
    signs = ["halfway, 95 % interval", "range of the seeds", "threshold", "at an edge: no parameter"]
    assert legend == ["AMSE, $q = 2$", "AGCE, $q = 0.5$", "AGCE, $q = 1.5$", "CE", "MAE", *signs]


def test_a_panel_for_each_noise(found: Results, tmp_path: Path) -> None:
    fixed = [row for row in found.rows if row["regime"] == "fixed"]
    little = {"memorised": [0.01, 0.02]}
    both = [*fixed, *(dict(row, noise="symmetric 0.4", by_seed={**row["by_seed"], **little}) for row in fixed)]
    drawn = gallery.make("confirm-memorised", results=write(tmp_path, both), width="full")
    assert [axes.get_title(loc="left") for axes in drawn.axes] == [
        "(a) symmetric 0.4",
        "(b) symmetric 0.4",
        "(c) pair 0.4",
        "(d) pair 0.4",
    ]
    assert len({axes.get_ylim() for axes in drawn.axes}) == 1
    assert overlaps(drawn) == []


def test_rank_correlation_is_over_all_losses(found: Results) -> None:
    for row in found.rows:
        if row["regime"] == "fixed" and row["level"] is not None:
            row["by_seed"]["memorised"] = [-row["level"], -row["level"]]
    (study,) = studies.studies(found, "fixed")
    count = sum(len(each.rows) for each in study.subjects)
    assert memorisation.rank(study, "memorised") == (pytest.approx(-1), count)
    assert memorisation.explained(study, "memorised") == pytest.approx(1)
    assert memorisation.explained(study, "drop") < 0.9
    few = Results("", (), tuple(row for row in found.rows if row["loss"] in ("ce", "mae")))
    assert memorisation.rank(studies.studies(few, "fixed")[0], "memorised") is None


def test_collapse_draws_every_value(measured: Path, found: Results) -> None:
    drawn = gallery.make("confirm-collapse", results=str(measured), width="full")
    (study,) = studies.studies(found, "fixed")
    zero = memorisation.zero_at(study)
    share = round(100 * memorisation.explained(study, "drop"))
    assert f"{share} % of its drop" in drawn.get_suptitle().replace("\n", " ")
    for axes, what in zip(drawn.axes, memorisation.MEASURES, strict=True):
        points = {(x, y) for bars in axes.containers for x, y in zip(*map(list, bars.lines[0].get_data()), strict=True)}
        expected = {
            (row["level"] if row["level"] >= memorisation.FLOOR else zero, 100 * float(np.mean(row["by_seed"][what])))
            for each in study.subjects
            for row in each.rows
        }
        assert {(x, round(float(y), 9)) for x, y in points} == {(x, round(y, 9)) for x, y in expected}


def test_classes_are_compared_entry_by_entry_up_to_the_threshold(measured: Path, found: Results) -> None:
    drawn = gallery.make("confirm-classes", results=str(measured), width="full")
    (upper,) = (axes for axes in drawn.axes if "AMSE" in axes.get_title(loc="left"))
    amse = the(found, "population", "amse")
    below = [row for row in amse.rows if row["factor"] <= 1]
    assert 0 < len(below) < len(amse.rows)
    others, true = upper.lines[1::2], upper.lines[2::2]
    assert len(others) == len(true) == len(below)
    for row, dots, own in zip(below, others, true, strict=True):
        vectors = row["vectors"]
        np.testing.assert_array_equal(own.get_ydata(), np.diag(vectors["measured"]))
        np.testing.assert_array_equal(own.get_xdata(), np.diag(vectors["exact"]))
        assert len(dots.get_xdata()) == 90


def test_histograms_are_shares_of_their_part(found: Results, tmp_path: Path) -> None:
    rows = [row for row in found.rows if row["regime"] == "fixed"]
    where = write(tmp_path, [*rows, dict(rows[0], dataset="mnist")])
    drawn = gallery.make("confirm-histograms", results=where, width="full", loss="amse")
    assert gallery.recipe(drawn).caption.endswith("Also measured: mnist pair 0.4.")
    assert len(drawn.axes) == 3
    amse = the(found, "fixed", "amse")
    for axes, side in zip(drawn.axes, memorisation.SIDES, strict=True):
        row = amse.nearest(side)
        for stairs, part in zip(axes.patches, ("clean", "corrupted"), strict=True):
            counts = np.array(row["histograms"][part])
            np.testing.assert_allclose(stairs.get_data().values, counts / counts.sum())
    with pytest.raises(InputError, match=r"measured with a threshold: agce, amse.*did you mean 'amse'"):
        gallery.make("confirm-histograms", results=str(tmp_path), loss="amze")
    condensed = [row | {"histograms": None, "dataset": "cifar10"} for row in rows]  # first of all studies
    assert len(gallery.make("confirm-histograms", results=write(tmp_path, [*condensed, *rows]), loss="amse").axes) == 3
    with pytest.raises(NothingMeasured, match="histograms"):
        gallery.make("confirm-histograms", results=write(tmp_path, condensed))
    ends = [row for row in rows if row["loss"] in ("ce", "mae")]
    with pytest.raises(NothingMeasured, match="threshold"):
        gallery.make("confirm-curves", results=write(tmp_path, ends))


def test_curves_are_those_of_the_rows(measured: Path, found: Results) -> None:
    drawn = gallery.make("confirm-curves", results=str(measured), width="full")
    amse = the(found, "fixed", "amse")
    (panel,) = (axes for axes in drawn.axes if "AMSE" in axes.get_title(loc="left"))
    for drawn_line, row in zip(panel.lines, amse.rows, strict=True):
        np.testing.assert_allclose(drawn_line.get_ydata(), 100 * np.array(row["curve"]["test"]))
        assert list(drawn_line.get_xdata()) == row["curve"]["epochs"]
        assert drawn_line.is_dashed() == (row["factor"] < 1)
        assert (drawn_line.get_linewidth() > 1.5) == (row["factor"] == 1)


# --------------------------------------------------------------------------------------------------------------- looks


def test_many_losses_and_many_noises_keep_to_a_page(found: Results, tmp_path: Path) -> None:
    """Six losses without a threshold have their names apart; five noises fit on a page, or one is shown in a column."""
    population = [row for row in found.rows if row["regime"] == "population"]
    end = next(row for row in population if row["loss"] == "mae")
    more = [dict(end, loss=name) for name in ("nce", "rce", "nce+mae", "nce+rce")]
    drawn = gallery.make("confirm-population", results=write(tmp_path, [*population, *more]), width="full")
    assert overlaps(drawn) == []
    fixed = [row for row in found.rows if row["regime"] == "fixed"]
    where = write(tmp_path, [dict(row, noise=f"symmetric 0.{i}") for i in range(1, 6) for row in fixed])
    for name, width in (("confirm-memorised", "full"), ("confirm-memorised", "column"), ("confirm-collapse", "full")):
        drawn = gallery.make(name, results=where, width=width)
        assert drawn.get_figheight() <= PAGE + 0.1
        assert overlaps(drawn) == []
    drawn = gallery.make("confirm-collapse", results=where, width="column")
    assert len(drawn.axes) == 3
    assert "Also measured: digits symmetric 0.2, " in gallery.recipe(drawn).caption


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", ["full", "column"])
def test_nothing_overlaps(measured: Path, name: str, width: str) -> None:
    drawn = gallery.make(name, results=str(measured), width=width)
    assert overlaps(drawn) == []
    assert outside(drawn) == []
    assert unlabelled(drawn) == []
    caption = gallery.recipe(drawn).caption
    assert "digits, 100 images, mlp (width 0.05), 2 epochs" in caption
    assert "2 seeds" in caption
    assert "(digits, pair 0.4 noise)" in drawn.get_suptitle().replace("\n", " ")
