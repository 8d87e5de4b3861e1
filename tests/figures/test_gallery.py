"""The gallery: every figure is made, labelled, free of overlaps, saved with its recipe; and what the command refuses."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib
from asymtheory_figures import gallery, style, workers
from asymtheory_figures.theory import alf, anl, calibration, jal
from matplotlib.figure import Figure
from PIL import Image

from asymtheory import __version__, build
from asymtheory.cli import main
from asymtheory.errors import InputError
from asymtheory.losses import names as loss_names

from .figure_checks import fig2_data, fig2_exponents_data, outside, overlaps, unlabelled

pytestmark = pytest.mark.xdist_group("gallery")

PAPERS = {module.__name__ for module in (alf, anl, jal, calibration)}
QUICK: dict[str, dict[str, Any]] = {
    "alf-fig2": {"draws": 24, "starts": 2},
    "alf-fig2-exponents": {"draws": 24, "starts": 2},
}
NAMES = [name for name, entry in gallery.entries().items() if entry.make.__module__ in PAPERS]


@pytest.fixture(scope="module")
def made() -> Iterator[dict[tuple[str, str], Figure]]:
    """Figures made so far; the experiments behind them are run once for all widths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alf, "alf_fig2_data", fig2_data)
        patch.setattr(alf, "alf_fig2_exponents_data", fig2_exponents_data)
        yield {}


def drawn(made: dict[tuple[str, str], Figure], name: str, width: str) -> Figure:
    if (name, width) not in made:
        made[name, width] = gallery.make(name, width=width, **QUICK.get(name, {}))
    return made[name, width]


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["figure", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


# ------------------------------------------------------------------------------------------------ every figure


def test_the_papers_figures_are_there() -> None:
    wanted = [
        "alf-fig1",
        "alf-fig2",
        "alf-fig2-exponents",
        "alf-fig4",
        "anl-fig1",
        "anl-gradients",
        "jal-gradients",
        "calibration",
    ]
    assert NAMES == wanted
    assert gallery.names()[: len(NAMES)] == NAMES


@pytest.mark.parametrize("width", ["column", "icml"])
@pytest.mark.parametrize("name", NAMES)
def test_figures_are_labelled_and_nothing_overlaps(made: dict[tuple[str, str], Figure], name: str, width: str) -> None:
    figure = drawn(made, name, width)
    assert figure.get_figwidth() == style.WIDTHS[width]
    with style.context():
        assert overlaps(figure) == []
        assert outside(figure) == []
        assert unlabelled(figure) == []


@pytest.mark.parametrize("name", NAMES)
def test_files_carry_their_recipe(made: dict[tuple[str, str], Figure], name: str, tmp_path: Path) -> None:
    entry, figure = gallery.find(name), drawn(made, name, "column")
    formats = ("pdf", "svg", "png") if name == "alf-fig1" else ("pdf", "svg")  # a png has the same recipe and no fonts
    paths = gallery.save(figure, tmp_path, formats)
    assert [path.name for path in paths] == [f"{name}.{form}" for form in formats]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    recipe = gallery.recipe(figure).to_dict()
    assert recipe["figure"] == name
    assert (recipe["asymtheory"], recipe["source"], recipe["width_in"]) == (__version__, entry.source, 3.25)
    assert recipe["options"] == {option: str(value) for option, value in QUICK.get(name, {}).items()}
    title = gallery.plain_text(entry.title)

    pdf = paths[0].read_bytes()
    assert f"/Title ({escaped(title)})".encode() in pdf
    assert f"/Keywords ({escaped(json.dumps(recipe, sort_keys=True))})".encode() in pdf
    assert f"/Subject ({escaped(entry.source)}".encode() in pdf
    assert b"/FontFile2" in pdf  # embedded TrueType
    assert b"/Type3" not in pdf
    assert b"Date" not in pdf

    svg = ET.fromstring(paths[1].read_text(encoding="utf-8"))
    dc = "{http://purl.org/dc/elements/1.1/}"
    assert [e.text for e in svg.iter(f"{dc}title")] == [title, f"asymtheory {__version__}"]  # the second: its creator
    (description,) = (e.text for e in svg.iter(f"{dc}description"))
    assert description is not None
    assert json.dumps(recipe, sort_keys=True) in description
    assert not list(svg.iter("{http://www.w3.org/2000/svg}text"))  # text as outlines: no fonts are needed

    for path in paths[2:]:
        with Image.open(path) as png:
            assert png.size[0] == round(3.25 * 300)
            assert png.text["Title"] == title
            assert json.loads(png.text["Recipe"]) == recipe
            assert np.asarray(png.convert("L")).std() > 10  # something is drawn


def escaped(text: str) -> str:
    return re.sub(r"([\\()])", r"\\\1", text)


def test_captions_say_what_is_shown() -> None:
    for entry in gallery.entries().values():
        assert len(entry.caption) > 60
        assert "\n" not in entry.caption
        assert entry.title
        assert entry.source


# ------------------------------------------------------------------------------------------------ the checks, broken


def broken(what: str) -> Figure:
    figure = style.canvas(3.25, 2.5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label="line")
    axes.set(xlabel="$x$", ylabel="$y$")
    figure.suptitle("Title")
    if what == "text on text":
        axes.text(0.2, 0.8, "one two")
        axes.text(0.25, 0.8, "three")
    elif what == "line through text":
        axes.text(0.45, 0.47, "a label")
    elif what == "legend on the line":
        axes.legend(loc="center")
    elif what == "tick labels":
        axes.set_xticks(np.linspace(0, 1, 60))
    elif what == "sticks out":
        axes.text(1.0, 0.2, "a text that is too long for the page", clip_on=False)
        figure.set_layout_engine("none")
    elif what == "no label":
        axes.set_xlabel("")
    elif what == "no title":
        figure.suptitle("")
    return figure


@pytest.mark.parametrize("what", ["text on text", "line through text", "legend on the line", "tick labels"])
def test_overlaps_are_seen(what: str) -> None:
    with style.context():
        assert overlaps(broken("nothing")) == []
        assert overlaps(broken(what)) != []


def test_what_sticks_out_or_lacks_is_seen() -> None:
    with style.context():
        assert outside(broken("nothing")) == unlabelled(broken("nothing")) == []
        assert any("too long" in name for name in outside(broken("sticks out")))
        assert unlabelled(broken("no label")) == ["x label"]
        assert unlabelled(broken("no title")) == ["title"]


# ------------------------------------------------------------------------------------------------ files


def test_the_same_call_gives_the_same_bytes_whatever_the_user_set(tmp_path: Path) -> None:
    figure = gallery.make("anl-fig1", width="iccv")
    layout, places = figure.get_layout_engine(), []
    first = {}
    for form in gallery.FORMATS:
        first[form] = gallery.render(figure, form)
        places.append([panel.get_position().bounds for panel in figure.axes])
    assert places[0] == places[1] == places[2]  # the layout is the same in each format
    assert figure.get_layout_engine() is layout
    with matplotlib.rc_context(
        {"font.size": 20, "xtick.direction": "in", "svg.hashsalt": None, "axes.grid": False, "savefig.dpi": 50}
    ):
        paths = gallery.save("anl-fig1", tmp_path, gallery.FORMATS[::-1], width="iccv")
    files = {path.suffix[1:]: path.read_bytes() for path in paths}
    assert files == first  # all at once as one by one, in any order
    figure.set_layout_engine("none")
    assert gallery.render(figure, "svg") == gallery.render(figure, "svg")


def test_the_user_s_settings_stay(tmp_path: Path) -> None:
    with matplotlib.rc_context({"font.size": 13.5}):
        before = dict(matplotlib.rcParams)
        gallery.save("anl-fig1", tmp_path, ("svg",))
        assert dict(matplotlib.rcParams) == before


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"--out .*: cannot be written \(No space left on device\)"):
        gallery.save("anl-fig1", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_drawn_or_made_for_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "make", None)
    for formats, dpi in ((("pdf", "jpg"), 300), (("pdf",), 5)):
        with pytest.raises(InputError, match="is needed"):
            gallery.save("anl-fig1", tmp_path / "new", formats, dpi=dpi)
    assert not (tmp_path / "new").exists()


def test_file_names_tell_losses_apart() -> None:
    one, two = (gallery.recipe(gallery.make("calibration", loss=x)) for x in (build("agce", a=1, q=2), build("ce")))
    assert (one.stem, two.stem) == ("calibration-agce-a-1-q-2", "calibration-ce")
    assert two.options == {"loss": "CE"}


def test_only_figures_of_the_gallery_have_a_recipe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was not made by the gallery"):
        gallery.save(Figure(), tmp_path)


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(ValueError, match="two figures are named 'alf-fig1'"):
        gallery.figure("alf-fig1", "Another", "nowhere")(lambda *, width=1.0: Figure())


# ------------------------------------------------------------------------------------------------ the command


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = command(capsys, "--list")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == gallery.names()
    at = lines.index("calibration         Classification calibration")
    assert lines[at + 1].endswith("Bartlett et al. 2006; options: loss, points")
    assert max(map(len, lines)) <= 120
    assert "$" not in out
    assert command(capsys, "--list", "phase")[2] == "asymtheory figure: --list goes without names (given: phase)\n"
    facts = json.loads(command(capsys, "--list", "--json")[1])
    assert [fact["name"] for fact in facts] == gallery.names()
    assert set(facts[0]) == {"name", "title", "source", "caption", "options"}


def test_the_document_has_every_figure_and_width() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = "".join((docs / name).read_text(encoding="utf-8") for name in ("figures.md", "figures/runs.md"))
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE) == gallery.names()
    assert [name for name in style.WIDTHS if f"`{name}`" not in text] == []


def test_figures_load_no_pyplot() -> None:
    code = (
        "import sys; from asymtheory.cli import main; assert main(['figure', '--list']) == 0\n"
        "from asymtheory_figures import make; make('anl-fig1'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_one_figure_with_a_loss(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = (
        "calibration",
        "--loss",
        "agce",
        "--set",
        "a=1",
        "q=2",
        "--out",
        str(tmp_path / "new"),
        "--format",
        "svg,PNG",
    )
    status, out, err = command(capsys, *given, "--width", "4.5", "--dpi", "100", "--option", "points=51")
    assert (status, err) == (0, "")
    assert out.split() == [str(tmp_path / "new" / f"calibration-agce-a-1-q-2.{form}") for form in ("svg", "png")]
    with Image.open(out.split()[1]) as png:
        assert png.size[0] == 450
        assert json.loads(png.text["Recipe"])["options"] == {"loss": "AGCE(a=1, q=2)", "points": "51"}


def test_one_figure_with_a_formula(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = command(
        capsys, "calibration", "--formula", "(1-u)**2", "--out", str(tmp_path), "--format", "svg"
    )
    assert (status, err) == (0, "")
    assert Path(out.strip()).is_file()


REFUSED = [
    (("alf-fig",), "'alf-fig' is not a figure; near: alf-fig"),
    (("alf-fig1", "zzz"), "'zzz' is not a figure ("),
    ((), "a figure's name or --all is needed"),
    (("--all", "alf-fig1"), "--all goes without names (given: alf-fig1)"),
    (("alf-fig1", "--format", "pdf,jpg"), "--format 'jpg': one of pdf, png, svg is needed"),
    (("alf-fig1", "--width", "icml-colum"), "did you mean 'icml-column'?"),
    (("alf-fig1", "--width", "1"), "--width 1: between 3 and 20 inches are needed"),
    (("alf-fig1", "--width", "nan"), "--width nan: between 3 and 20 inches are needed"),
    (("alf-fig1", "--dpi", "10"), "--dpi 10: a whole number from 50 to 1200 is needed"),
    (("alf-fig1", "--dpi", "x"), "argument --dpi: invalid int value: 'x'"),
    (("alf-fig1", "--loss", "ce"), "alf-fig1 is not a figure of one loss; --loss goes with"),
    (("alf-fig1", "--set", "a=1"), "--set 'a=1' goes with --loss or --formula"),
    (("calibration", "--loss", "agcee"), "did you mean 'agce'?"),
    (("calibration", "--loss", "nce"), "calibration needs a loss of the form l(u_y)"),
    (("calibration", "--loss", "agce", "--set", "b=1"), "agce has no parameter 'b'"),
    (("calibration", "--option", "point=9"), "did you mean 'points'?"),
    (("calibration", "--option", "points=9.5"), "option points = '9.5': a whole number is needed"),
    (("calibration", "--option", "points=1"), "option points = 1: a whole number from 3 to 100000 is needed"),
    (("calibration", "--option", "points"), "--option 'points': NAME=VALUE is needed"),
    (("calibration", "--option", "points=9", "points=8"), "--option points is given twice"),
    (("anl-fig1", "--option", "p_min=0"), "option p_min = 0: between 0 and 1/2 is needed"),
    (("anl-fig1", "--option", "p_min=1/0"), "option p_min = '1/0': a number is needed"),
    (("alf-fig1", "--colour"), "unrecognized arguments: --colour"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_input_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    status, out, err = command(capsys, *arguments, "--out", str(tmp_path / "out"))
    assert (status, out) == (2, "")
    assert err.startswith("asymtheory figure: ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("arguments", [("figure", "alf-fig1"), ("figure", "--all"), ("report",)])
def test_a_missing_extra_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith(("asymtheory_figures", "matplotlib."))]:
        monkeypatch.delitem(sys.modules, name)  # they are imported anew, and again after the test
    status = main([*arguments, "--out", str(tmp_path / "out")])
    err = capsys.readouterr().err
    assert status == 2
    assert f"{arguments[0]} needs an extra: pip install 'asymtheory[figures]' (" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    status, _, err = command(capsys, "alf-fig1", "--out", str(tmp_path / "file"))
    assert status == 2
    assert re.fullmatch(r"asymtheory figure: --out .*file: cannot be written to \(File exists\)\n", err)


@pytest.mark.slow
def test_several_figures_in_processes(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    status = main(["figure", "anl-fig1", "calibration", "anl-fig1", "--out", str(tmp_path), "--format", "pdf"])
    out, err = capfd.readouterr()
    assert (status, err) == (0, "")
    assert sorted(out.split()) == [str(tmp_path / name) for name in ("anl-fig1.pdf", "calibration.pdf")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["anl-fig1.pdf", "calibration.pdf"]
    assert (tmp_path / "anl-fig1.pdf").read_bytes() == gallery.render(gallery.make("anl-fig1"), "pdf")
    assert dict(os.environ) == before


deaf = pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="Ctrl-C is ignored here (started in the background)"
)


@deaf
@pytest.mark.slow
def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    """alf-fig2 with many draws takes minutes; it is interrupted when the other file is there."""
    given = ["alf-fig2", "alf-fig2-exponents", "--option", "draws=20000", "starts=8", "--out", str(tmp_path)]
    code = "import sys; from asymtheory.cli import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, "figure", *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            (tmp_path / "kept.pdf").touch()
            children = list(waited_for_children(process.pid))
            assert children
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
            out, err = process.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its own session: whatever is left of it
    assert (process.returncode, out, err) == (130, "", "asymtheory: stopped\n")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.pdf"]
    deadline = time.monotonic() + 20  # the workers are gone; multiprocessing's own helper follows the parent at once
    while any(map(alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, children))


@deaf
def test_interrupts_are_for_the_parent_alone_and_not_lost() -> None:
    child = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"

    def interrupted() -> None:
        with workers._interrupts_held():
            done = subprocess.run(
                [sys.executable, "-c", child], capture_output=True, text=True, check=False, timeout=60
            )
            assert (done.stdout, done.stderr) == ("alive\n", "")
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def waited_for_children(pid: int) -> Iterator[int]:
    """The processes below one, once there is a worker beside multiprocessing's own helper, on Linux."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("needs /proc")
    for _ in range(600):
        children = [int(child) for child in path.read_text().split()]
        if len(children) >= 2:
            yield from children
            return
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


# ------------------------------------------------------------------------------------------------ style

SIGHT = {  # Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB
    "normal": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colours: list[str], sight: str) -> np.ndarray:
    rgb = np.array([matplotlib.colors.to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.asarray(SIGHT[sight]).T, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=-1)


@pytest.mark.parametrize("sight", SIGHT)
def test_families_are_told_apart_by_every_eye_and_in_grey(sight: str) -> None:
    colours = [look.colour for look in style.FAMILIES.values()]
    points = lab(colours, sight)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e3 * np.eye(len(points))
    assert distance.min() > 16
    if sight == "normal":
        assert np.diff(np.sort(points[:, 0])).min() > 4.4
        assert points[:, 0].max() < 75  # dark enough on white
        np.testing.assert_allclose([style.lightness(colour) for colour in colours], points[:, 0], atol=0.1)


def test_each_family_has_its_own_dashes_and_marker() -> None:
    looks = list(style.FAMILIES.values())
    assert len({look.marker for look in looks}) == len(looks)
    assert len({str(look.dashes) for look in looks if look.dashes != "-"}) == sum(look.dashes != "-" for look in looks)


def test_every_loss_has_a_look() -> None:
    found = {name: style.family(name) for name in loss_names()}
    assert set(found.values()) == set(style.FAMILIES)
    wanted = {
        "ce": "ce", "fl": "ce", "nce+agce": "agce", "jal-ce": "jal", "anl-fl": "anl", "sce": "ce", "nce+mae": "mae",
        "rce": "mae", "mse": "amse", "nnfl": "anl", "ngce": "nce", "phuber-ce": "ce",
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted


def test_shades_go_from_dark_to_light() -> None:
    for look in style.FAMILIES.values():
        tones = [style.lightness(matplotlib.colors.to_hex(tone)) for tone in style.shades(look.colour, 4)]
        assert tones == sorted(tones)
        assert min(np.diff(tones)) > 6
        assert tones[-1] < 92


def test_panels_go_below_each_other_where_they_do_not_fit() -> None:
    assert [style.columns(3, width) for width in (3.25, 5.5, 6.75)] == [1, 3, 3]
    assert [style.columns(4, width) for width in (3.25, 5.5, 6.75, 8)] == [1, 2, 2, 4]


def test_titles_are_broken_between_words_and_outside_of_formulas() -> None:
    text = r"one two $a + b + c$ three four"
    wide = style.text_width("one two", 9) + 0.05
    lines = style.wrapped(text, wide, 9).split("\n")
    assert " ".join(lines) == text
    assert len(lines) > 2
    assert all(line.count("$") % 2 == 0 for line in lines)
    assert style.wrapped(text, 50, 9) == text


def test_files_hold_their_width() -> None:
    for width, inches in (("iccv", 6.875), (4.0, 4.0)):
        pdf = gallery.render(gallery.make("anl-fig1", width=width), "pdf")
        box = re.search(rb"/MediaBox \[ ?0 0 ([0-9.]+) ", pdf)
        assert box is not None
        assert float(box[1]) == pytest.approx(72 * inches, abs=0.01)
        assert io.BytesIO(pdf).read(5) == b"%PDF-"
