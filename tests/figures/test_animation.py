"""The path in motion: what is seen at which moment, the three formats, and what is refused."""

from __future__ import annotations

import os
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from asymtheory_figures import animation
from asymtheory_figures.theory.landscape import plane
from PIL import Image

from asymtheory import build, minimise, named
from asymtheory.cli import main
from asymtheory.errors import InputError

from .figure_checks import outside

RESULTS = str(Path(__file__).parents[2] / "results" / "digits-confirm.jsonl.gz")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def film() -> animation.Film:
    return animation.film(6.75, results=RESULTS, frames=8)


def test_the_star_is_at_the_exact_minimiser_and_networks_appear_when_the_parameter_reaches_them(
    film: animation.Film,
) -> None:
    row = named("cifar10n-worse").worst_row()
    stars = [artist for _, artist in film.once if getattr(artist, "get_marker", str)() == "*"]
    says = [artist.get_text() for _, artist in film.once if hasattr(artist, "get_text")]
    assert len(stars) == len(says) == film.frames
    for star, text in zip(stars, says, strict=True):
        a = float(text.split("$")[1].split("=")[1])
        u = minimise(build("amse", q=2, a=a), [float(w) for w in row.weights]).point
        top, second = u[row.target], np.sort(np.delete(u, row.target))[-1]
        at = plane([top, second, 1 - top - second])
        np.testing.assert_allclose(np.ravel(star.get_data()), at, atol=1e-3)  # the text has four digits
        assert text.endswith("\nasymmetric") == (top > 1 - 1e-3)
    rings = [(at, artist) for at, artist in film.stay if getattr(artist, "get_markersize", int)() == 5]
    rows = animation.networks(build("amse", q=2), "cifar10n-worse", RESULTS)
    assert len(rows) == 8
    inside = [row for row in rows if row["factor"] < 6]
    assert len(rings) == 4 * (len(inside) - (rows[0]["value"] < 1.01))  # one in the triangle, three over the parameter
    film.show(0)
    assert sum(artist.get_visible() for _, artist in film.once) == 5  # star, words, three dots
    film.show(film.frames - 1)
    assert all(artist.get_visible() for _, artist in film.stay)
    assert outside(film.figure) == []
    assert "toy size" in film.figure.get_suptitle()
    assert animation.networks(build("amse", q=5), "cifar10n-worse", RESULTS) == []


def test_gif_and_svg(film: animation.Film, tmp_path: Path) -> None:
    gif = animation.save(film, tmp_path / "path.gif", "gif", 60)
    with Image.open(gif) as picture:
        assert (picture.n_frames, picture.info["loop"]) == (film.frames, 0)
        assert picture.size == (404, 186)
    svg = ET.fromstring(animation.save(film, tmp_path / "path.svg", "svg").read_text(encoding="utf-8"))
    (sheet,) = (each.text for each in svg.iter(f"{SVG}style") if "reduced-motion" in (each.text or ""))
    ids = {each.get("id") for each in svg.iter(f"{SVG}g")}
    named_ids = {artist.get_gid() for _, artist in (*film.once, *film.stay)}
    assert named_ids <= ids
    assert all(f"#{artist.get_gid()}" in sheet for at, artist in film.once)
    still = sheet.partition("{")[0].split(",")  # without motion: all but the last moment are hidden
    assert set(still) == {f"#{artist.get_gid()}" for at, artist in film.once if at < film.frames - 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["path.gif", "path.svg"]


def test_mp4_goes_through_ffmpeg(film: animation.Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        InputError, match="needs the program ffmpeg, which is not on the PATH; gif and svg need nothing"
    ):
        animation.save(film, tmp_path / "path.mp4", "mp4")
    program = tmp_path / "ffmpeg"
    program.write_text(
        f"#!{sys.executable}\nimport sys\ndata = sys.stdin.buffer.read()\n"
        "size = sys.argv[sys.argv.index('-s') + 1]\nopen(sys.argv[-1], 'w').write(f'{size} {len(data)}')\n"
    )
    os.chmod(program, 0o755)
    wide, high, count = map(
        int, animation.save(film, tmp_path / "path.mp4", "mp4", 60).read_text().replace("x", " ").split()
    )
    assert (wide % 2, high % 2) == (0, 0)
    hold = round(animation.HOLD * film.frames / animation.SECONDS)
    assert count == 3 * wide * high * (film.frames + hold)
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.buffer.read()\nsys.exit('Unknown encoder')\n")
    with pytest.raises(InputError, match="ffmpeg failed: Unknown encoder"):
        animation.save(film, tmp_path / "other.mp4", "mp4", 60)
    assert not (tmp_path / "other.mp4").exists()
    assert shutil.which("ffmpeg") == str(program)


REFUSED = [
    (("path", "--animate", "webm"), "--animate 'webm': one of gif, svg, mp4 is needed"),
    (("phase", "--animate", "gif"), "--animate goes with the figure path alone"),
    (("path", "--small"), "--small goes with --animate"),
    (("path", "--animate", "gif", "--option", "frames=1"), "frames=1: a whole number from 2 to 400 is needed"),
    (("path", "--animate", "gif", "--option", "frames=x"), "frames=x: a whole number is needed"),
    (("path", "--animate", "gif", "--option", "here=3"), "--animate has no option 'here'"),
    (("path", "--animate", "gif", "--loss", "mae"), "a path needs a threshold to cross"),
    (("path", "--animate", "gif", "--option", "frames"), "NAME=VALUE is needed"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_is_refused(
    given: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["figure", *given, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--loss", "agce", "--set", "q=0.5", "--small", "--option", "frames=3", f"results={RESULTS}")
    assert main(["figure", "path", "--animate", "svg", *given, "--out", str(tmp_path)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "path-agce.svg"
    assert path.stat().st_size < 200_000
