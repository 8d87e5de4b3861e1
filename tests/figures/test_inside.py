"""Figures of what is inside trained networks: the numbers behind them, what is left out, and that they can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from asymtheory_figures import gallery, style
from asymtheory_figures.measured import inside
from asymtheory_figures.results import NothingMeasured
from asymtheory_figures.style import lightness
from matplotlib.figure import Figure

from asymtheory.cli import main
from asymtheory.errors import InputError

from .figure_checks import outside, overlaps, unlabelled

pytestmark = pytest.mark.xdist_group("inside")

EPOCHS = [1, 10, 20, 30, 40, 50]
NAMES = ("alf-fig5", "jal-fig1", "jal-fig3", "anl-fig4")


def histogram(centre: int, count: int) -> list[int]:
    bins = [0] * 20
    bins[centre] = count - count // 4
    bins[min(centre + 1, 19)] += count // 4
    return bins


def probe(loss: str, seed: int, wrong: bool) -> dict[str, Any]:
    """Histograms that move to the right (the corrupted part only for CE), boxes that grow, and ten clusters."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(10), 12)
    spread = 0.5 if loss != "gce" else 6.0
    points = 10 * np.stack([np.cos(labels * 0.6283), np.sin(labels * 0.6283)], 1) + spread * random.normal(
        size=(120, 2)
    )
    boxes = {
        part: [[s * 10.0**i * q for q in (0 if i else 1e-3, 1, 2, 3, 9, 4)] for i in range(6)]
        for part, s in (("clean", 2 + seed), ("corrupted", 1))
    }
    bins = {
        "clean": [histogram(4 + 3 * i, 90) for i in range(6)],
        "corrupted": [histogram(1 + seed + (3 * i if loss == "ce" else 0), 60 + 4 * seed) for i in range(6)],
    }
    if not wrong:
        boxes["corrupted"] = bins["corrupted"] = None  # type: ignore[assignment]
    return {
        "epochs": EPOCHS,
        "gradients": boxes,
        "histograms": bins,
        "embedding": {"labels": labels.tolist(), "points": points.round(2).tolist()},
    }


def line(
    loss: str,
    rate: float | None,
    seed: int = 0,
    *,
    dataset: str = "digits",
    given: Mapping[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    noise = {"kind": "none" if rate is None else "symmetric", "eta": rate, "mode": "exact", "seed": 0}
    config = {
        "dataset": dataset, "loss": loss, "formula": None, "model": "mlp", "width": 1.0, "epochs": 50, "regularisation": "l2",
        "strength": 1e-4, "seed": seed, "noise": noise, "parameters": dict(given or {}), "probe": True,
    }  # fmt: skip
    curve = [{"epoch": e, "test": 0.5 + e / 200} for e in EPOCHS]
    found = {
        "id": f"{loss}{rate}{seed}", "config": config, "seed": seed, "labels": {"count": 1442}, "last": curve[-1],
        "best": curve[-1], "curve": curve, "probe": probe(loss, seed, rate is not None),
    }  # fmt: skip
    found.update(changes)
    return found


ANL = {"alpha": 5, "beta": 5}
JAL = {"alpha": 1, "beta": 1, "a": 30}
AGCE = {"a": 4, "q": 0.2}
LINES = [
    *(line("ce", 0.4, seed) for seed in (0, 1)),
    *(line("jal-ce", 0.4, seed, given=JAL) for seed in (0, 1)),
    line("nce+rce", 0.4),
    *(line("anl-ce", rate, seed, given=ANL) for rate in (0.4, 0.6, 0.8) for seed in (0, 2)),
    *(line("gce", rate, given={"q": 0.7}) for rate in (None, 0.2, 0.4, 0.6, 0.8)),
    *(line("agce", rate, given=AGCE) for rate in (None, 0.2, 0.4, 0.6, 0.8)),
]


def written(folder: Path, lines: list[dict[str, Any]]) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "runs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    return str(folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("results"), LINES)


class Made(dict[tuple[str, str], Figure]):
    """Figures by name and width, drawn when they are first looked at."""

    def __init__(self, results: str) -> None:
        super().__init__()
        self.results = results

    def __missing__(self, key: tuple[str, str]) -> Figure:
        self[key] = gallery.make(key[0], width=key[1], results=self.results)
        return self[key]


@pytest.fixture(scope="module")
def made(results: str) -> Made:
    return Made(results)


# ----------------------------------------------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("width", ["column", "icml"])
@pytest.mark.parametrize("name", NAMES)
def test_they_are_labelled_and_nothing_overlaps(made: Made, name: str, width: str) -> None:
    figure = made[name, width]
    assert figure.get_figwidth() == style.WIDTHS[width]
    with style.context():
        assert overlaps(figure) == []
        assert outside(figure) == []
        assert unlabelled(figure) == []
    assert "digits, 1,442 images, mlp, 50 epochs" in figure.get_suptitle().replace("\n", " ")


def test_embeddings_are_those_of_the_runs(results: str) -> None:
    found = inside.jal_fig1_data(results)
    assert [each.loss for each in found] == ["CE", "NCE+RCE", "ANL-CE", "JAL-CE"]
    first = LINES[0]["probe"]["embedding"]
    np.testing.assert_array_equal(found[0].points, first["points"])
    assert found[0].labels.tolist() == first["labels"]
    assert (found[0].seed, found[0].accuracy) == (0, 0.75)
    rows = inside.alf_fig5_data(results)
    assert [(each.loss, each.shown.noise[1]) for each in rows] == [
        (loss, rate) for loss in ("GCE", "AGCE") for rate in ("0", "0.2", "0.4", "0.6", "0.8")
    ]
    for each in (rows[0], rows[-1]):  # the share of nearest neighbours of the same class, point by point
        alike = []
        for i, point in enumerate(each.points):
            others = [float(np.hypot(*(point - other))) if j != i else np.inf for j, other in enumerate(each.points)]
            alike.append(each.labels[int(np.argmin(others))] == each.labels[i])
        assert each.alike == pytest.approx(np.mean(alike))
    assert rows[0].alike < 0.5 < 0.95 < rows[-1].alike


def test_gce_stands_above_agce_and_every_point_is_drawn(made: Made) -> None:
    wide = made["alf-fig5", "icml"].axes
    assert [panel.get_ylabel() for panel in wide[::5]] == ["GCE", "AGCE"]
    assert [panel.get_title("left").split(":")[0] for panel in wide[:5]] == [
        rf"$\eta = {rate}$" for rate in ("0", "0.2", "0.4", "0.6", "0.8")
    ]
    narrow = made["alf-fig5", "column"].axes
    assert [panel.get_title("left").split(":")[0] for panel in narrow[:2]] == ["GCE", "AGCE"]
    for panel in (*wide, *narrow):
        assert len(panel.lines) == 10
        assert sum(len(each.get_xdata()) for each in panel.lines) == 120  # type: ignore[arg-type]
        assert len({(each.get_color(), each.get_marker()) for each in panel.lines}) == 10
        assert len({each.get_marker() for each in panel.lines}) == 10
    alike = inside.alf_fig5_data(gallery.recipe(made["alf-fig5", "icml"]).options["results"])[0].alike
    assert wide[0].get_title("left").endswith(f": {100 * alike:.0f} %")


def test_histograms_pool_the_seeds(results: str) -> None:
    ce, jal = inside.jal_fig3_data(results)
    assert (ce.loss, jal.loss) == ("CE", "JAL-CE")
    assert ce.epochs == tuple(EPOCHS)
    corrupted = np.array(LINES[0]["probe"]["histograms"]["corrupted"]) + LINES[1]["probe"]["histograms"]["corrupted"]
    np.testing.assert_allclose(ce.shares["corrupted"], corrupted / 124)
    np.testing.assert_allclose(jal.shares["clean"].sum(1), 1)
    assert ce.above_half("corrupted") == 1  # bins 16 to 18
    assert jal.above_half("corrupted") == 0


def test_histograms_show_the_first_and_the_last_epoch(made: Made) -> None:
    titles = [[panel.get_title("left") for panel in made["jal-fig3", width].axes] for width in ("column", "icml")]
    assert titles[1] == [
        f"{name}epoch {e}" for loss in ("CE: ", "JAL-CE: ") for e in EPOCHS for name in [loss if e == 1 else ""]
    ]
    assert titles[0] == ["CE: epoch 1", "epoch 20", "epoch 50", "JAL-CE: epoch 1", "epoch 20", "epoch 50"]
    panel = made["jal-fig3", "icml"].axes[5]
    clean, corrupted = (patch.get_data() for patch in panel.patches)  # type: ignore[attr-defined]
    np.testing.assert_allclose(clean.values, np.array(histogram(19, 90)) / 90)
    np.testing.assert_allclose(corrupted.values[16:19], np.array([45, 15 + 48, 16]) / 124)
    np.testing.assert_allclose(clean.edges, np.linspace(0, 1, 21))
    assert "CE: 100.0 %; JAL-CE: 0.0 %" in gallery.recipe(made["jal-fig3", "icml"]).caption


def test_boxes_are_means_over_the_seeds(results: str, made: Made) -> None:
    found = inside.anl_fig4_data(results)
    assert [each.shown.noise[1] for each in found] == ["0.6", "0.8"]
    np.testing.assert_allclose(
        found[0].values["clean"][2], np.array([0, 1, 2, 3, 9, 4]) * 3 * 100
    )  # seeds 0 and 2: 2 and 4
    np.testing.assert_allclose(found[0].values["corrupted"][5], np.array([0, 1, 2, 3, 9, 4]) * 1e5)
    panel = made["anl-fig4", "icml"].axes[0]
    assert panel.get_yscale() == "log"
    boxes = [patch.get_path().vertices for patch in panel.patches]
    assert len(boxes) == 12
    ends = [(box[:, 1].min(), box[:, 1].max()) for box in boxes]  # type: ignore[index, call-overload]
    np.testing.assert_allclose(ends[:6], [(3 * 10.0**i, 9 * 10.0**i) for i in range(6)])
    np.testing.assert_allclose(ends[6:], [(10.0**i, 3 * 10.0**i) for i in range(6)])
    assert panel.get_ylim()[0] == pytest.approx(0.5)  # half the least quartile: whiskers may end below, and at 0
    means = [float(each.get_ydata()[0]) for each in panel.lines if each.get_marker() == "^"]  # type: ignore[index]
    np.testing.assert_allclose(means, [s * 4 * 10.0**i for s in (3, 1) for i in range(6)])
    assert "clean 6 to 6e+05, corrupted 2 to 2e+05" in gallery.recipe(made["anl-fig4", "icml"]).caption


def test_clean_and_corrupted_are_apart_in_grey() -> None:
    clean, corrupted = (lightness(colour) for colour in inside.COLOURS.values())
    assert clean - corrupted > 25


# ---------------------------------------------------------------------------------------------------- what is missing


def test_what_was_not_measured_is_left_out_and_said(tmp_path: Path) -> None:
    few = written(
        tmp_path / "few",
        [line("jal-ce", 0.4, given=JAL), line("agce", 0.2, given=AGCE), line("agce", None, given=AGCE)],
    )
    assert [each.loss for each in inside.jal_fig3_data(few)] == ["JAL-CE"]
    drawn = gallery.make("jal-fig3", results=few)
    assert "Not measured: CE." in gallery.recipe(drawn).caption
    drawn = gallery.make("alf-fig5", results=few, width="icml")
    assert len(drawn.axes) == 2
    missing = [f"GCE at {rate}" for rate in inside.ALF_RATES] + [f"AGCE at {rate}" for rate in ("0.4", "0.6", "0.8")]
    assert f"Not measured: {', '.join(missing)}." in gallery.recipe(drawn).caption


def test_nothing_measured_names_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = [{k: v for k, v in each.items() if k != "probe"} for each in LINES]  # runs that were not looked into
    folder = written(tmp_path / "plain", plain)
    for name in NAMES:
        with pytest.raises(NothingMeasured, match=f"asymtheory sweep {name}"):
            gallery.make(name, results=folder)
    assert main(["figure", "jal-fig1", "--option", f"results={folder}", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    redrawn = [line("jal-ce", 0.4, given=JAL, probe=probe("jal-ce", 0, False))]  # no corrupted part, no embedding
    redrawn[0]["probe"]["embedding"] = None
    folder = written(tmp_path / "redrawn", redrawn)
    for name in ("jal-fig3", "jal-fig1"):
        with pytest.raises(NothingMeasured):
            gallery.make(name, results=folder)


def test_the_papers_data_set_comes_first_and_another_may_be_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "two", [line("ce", 0.4), line("ce", 0.4, dataset="cifar10", labels={"count": 500})])
    assert [each.shown.where.dataset for each in inside.jal_fig3_data(folder)] == ["cifar10"]
    assert [each.shown.where.dataset for each in inside.jal_fig3_data(folder, "digits")] == ["digits"]
    with pytest.raises(InputError, match=r"'digit'.*did you mean 'digits'"):
        inside.jal_fig3_data(folder, "digit")


def test_of_many_classes_the_first_ten_are_drawn(tmp_path: Path) -> None:
    many = line("ce", 0.4)
    many["probe"]["embedding"]["labels"] = [i % 12 for i in range(120)]
    drawn = gallery.make("jal-fig1", results=written(tmp_path / "many", [many]))
    assert sum(len(each.get_xdata()) for each in drawn.axes[0].lines) == 100  # type: ignore[arg-type]
    assert "Only the first 10 classes are drawn." in gallery.recipe(drawn).caption
