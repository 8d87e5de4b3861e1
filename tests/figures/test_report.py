"""The report: what the file holds, and the page in headless Chromium with its panel held against the core."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import re
import shutil
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asymtheory import cli
from asymtheory.asymmetry.condition import check
from asymtheory.asymmetry.risk import minimise
from asymtheory.claims.ledger import catalogue, recorded
from asymtheory.losses import ATOMS, build, names
from asymtheory.losses.profile import Profile
from asymtheory.losses.published import published_settings
from asymtheory.noise import NoiseModel, from_matrix, from_posteriors, from_weights, resolve, symmetric
from asymtheory.numbers.backends import numpy_
from asymtheory.numbers.text import plain
from asymtheory.selection.select import Selection
from asymtheory.threshold import solve, solve_rate

pytest.importorskip("matplotlib", reason="the report needs the extra 'figures'")

from asymtheory_figures import gallery, style, workers
from asymtheory_figures.report import answer, command, ledger, markup, panel, thresholds
from asymtheory_figures.report import collect as collecting
from asymtheory_figures.report import page as report

pytestmark = pytest.mark.xdist_group("report")

FIGURES = ("alf-fig1", "alf-fig4")  # two that are drawn fast and share glyphs
NOISE = symmetric(10, Fraction(4, 5))
MATRIX = [[0.6, 0.3, 0.1], [0.25, 0.5, 0.25], [0.05, 0.15, 0.8]]
HUMAN = from_matrix(MATRIX)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One quick report, for all tests of the whole page."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    found = collecting.collect(NOISE, "--noise symmetric --K 10 --eta 0.8", quick=True, figures=FIGURES, workers=1)
    file.write_text(report.page(found), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def text(built: Path) -> str:
    return built.read_text(encoding="utf-8")


atlas = cache(collecting.atlas)


@cache
def judged(noise: NoiseModel) -> tuple[Selection, tuple[collecting.Verdicts, ...]]:
    """What is recommended on the noise, and what is known of every loss: computed once a process."""
    chosen = collecting.choose(noise=noise)
    return chosen, tuple(collecting.losses_on(noise, chosen))


def bare(noise: NoiseModel, given: str = "--noise x") -> str:
    """A page without ledger and figures, for what depends on the noise alone."""
    chosen, found = judged(noise)
    losses = collecting.ranked(found, chosen)
    return report.page(collecting.Report(noise, given, "x", losses, chosen, (), atlas(3), (), ()))


def data_of(text: str, name: str) -> str:
    """What a page holds in a block of data."""
    (found,) = re.findall(rf'<script type="[a-z/]+" id="{name}">(.*?)</script>', text, re.S)
    return str(found)


def gallery_of(text: str) -> str:
    """The figures that the page unfolds."""
    return zlib.decompress(base64.b64decode(data_of(text, "gallery-data"))).decode()


# ------------------------------------------------------------------------------------------------- the file


class Reader(HTMLParser):
    """Checks that tags are balanced, and collects attributes and the text of scripts."""

    VOID = frozenset({"meta", "link", "br", "input", "img", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        counts = Counter(name for name, _ in attrs)
        assert max(counts.values(), default=1) == 1, f"<{tag}> has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        self.running = tag == "script" and "type" not in dict(attrs)  # the others are data
        if self.running:
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}> at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script" and self.running:
            self.scripts[-1] += data

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


def test_html_is_well_formed_and_every_reference_has_its_target(text: str) -> None:
    page = Reader(text.replace('id="gallery">', 'id="gallery">' + gallery_of(text)))
    assert text.startswith("<!doctype html>\n<html lang=")
    ids = Counter(page.values("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    pointed = [href[1:] for href in page.values("href") if href.startswith("#")]
    pointed += re.findall(r"url\(#([^)]+)\)", text + gallery_of(text))
    pointed += [
        name for at in ("for", "aria-labelledby", "aria-describedby") for v in page.values(at) for name in v.split()
    ]
    assert len(pointed) > 100
    assert set(pointed) <= set(ids)
    headings = [tag for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    assert set(headings) == {"h1", "h2"}


def test_file_holds_everything_itself_and_forbids_the_network(text: str) -> None:
    page = Reader(text)
    loaded = [v for at in ("src", "srcset", "data", "action", "href", "xlink:href") for v in page.values(at)]
    assert [v for v in loaded if not v.startswith(("#", "data:"))] == []
    assert not re.search(r"@import|url\((?!#|data:)", text)
    assert "link" not in {tag for tag, _ in page.tags}
    (policy,) = (a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in page.scripts]
    assert len(digests) == 2
    (script_rule,) = re.findall(r"script-src ([^;]*)", policy)
    assert script_rule.split() == [f"'sha256-{digest}'" for digest in digests]
    assert len(text.encode()) < 1_500_000


def test_every_figure_is_named_for_screen_readers_and_its_ids_are_its_own(text: str) -> None:
    drawn = re.findall(r"<svg .*?</svg>", gallery_of(text), re.S)
    assert len(drawn) == len(FIGURES)
    assert len(re.findall(r'<svg [^>]*aria-labelledby="own-(?:path|phase)-title', text)) == 2
    for name, svg in zip(FIGURES, drawn, strict=True):
        entry = gallery.find(name)
        assert f'<title id="figure-{name}-title">{collecting._bare(markup.from_mathtext(entry.title))}</title>' in svg
        assert f'aria-labelledby="figure-{name}-title figure-{name}-description"' in svg
        assert 'role="img"' in svg
        assert "<metadata" not in svg
        assert "<style" not in svg
        assert all(name_.startswith(f"figure-{name}-") for name_ in re.findall(r' id="([^"]+)"', svg))
        assert len(re.findall(r'<use [^>]*href="#', svg)) > 20


def test_ledger_has_every_claim_with_its_verdict_on_record(text: str) -> None:
    lines = {line["id"]: line for line in json.loads(data_of(text, "ledger-data"))}
    assert list(lines) == [name for name in catalogue() if name in recorded()]
    for name, line in lines.items():
        assert line["verdict"] == recorded()[name]
        assert line["says"] == markup.typeset(catalogue()[name].statement)
        assert ["Control", markup.typeset(catalogue()[name].falsification)] in line["parts"]
    counted = re.findall(r"<li><b>(\d+)</b> <span class=\"verdict\" data-verdict=\"(\w+)\">", text)
    assert sum(int(n) for n, _ in counted) == len(lines)


def test_a_judged_ledger_has_its_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "select", lambda: ["alf-cor3", "jal-a473"])
    judged = [collecting._claim_judged(name, True) for name in ("alf-cor3", "jal-a473")]
    lines = collecting._ledger(["alf-cor3", "jal-a473"], judged)
    for line, found in zip(lines, json.loads(ledger.data(lines)), strict=True):
        terms = [term for term, _ in found["parts"]]
        assert {"Method", "Evidence", "Control"} <= set(terms)
        assert ("Counterexample" in terms) == (found["verdict"] == "refuted")
        assert 'data-verdict="refuted"' in found["parts"][-1][1]  # the control
        assert found["verdict"] == str(line.row.finding.verdict)
    assert "2</b> of 2 controls" in ledger.counts(lines)


@pytest.mark.parametrize(
    "noise", [NOISE, resolve("pair", 3, Fraction(1, 10)), HUMAN], ids=["symmetric", "pair", "matrix"]
)
def test_thresholds_and_published_settings_are_those_of_the_core(noise: Any) -> None:
    found = {v.loss.name: v for v in judged(noise)[1]}
    assert list(found) == list(names())
    for name, verdicts in found.items():
        answer = solve(build(name), noise)
        assert verdicts.status == answer.status
        if answer.status == "threshold":
            assert verdicts.answer == answer.answer
            assert verdicts.order == answer.end.value if answer.end else True
            row = noise.rows[answer.binding_row]
            assert verdicts.binding == f"{noise.row_name(answer.binding_row)} against {noise.class_name(row.runner_up)}"
        for published in verdicts.published:
            dataset, source = re.fullmatch(r"(\w+)(?: \[|, )(.*?)\]?", published.sources[0]).groups()
            (setting,) = {
                json.dumps(s.to_dict()["parameters"]): s
                for s in published_settings(name, dataset)
                if s.source == source
                and ", ".join(f"{k} = {v}" for k, v in s.to_dict()["parameters"].items()) in (published.parameters, "")
            }.values()
            assert published.holds == check(setting.build(), noise).asymmetric
    assert sum(len(p.sources) for v in found.values() for p in v.published) == len(published_settings())


def test_noise_without_dominance_says_that_no_loss_tolerates_it() -> None:
    html = bare(symmetric(4, Fraction(9, 10)))
    assert "No loss tolerates this noise" in html
    assert "no loss tolerates that" in html
    assert set(re.findall(r'<span class="answer" data-status="(\w+)"', html)) == {"never"}
    assert "no unique largest weight on the clean label" in html


def test_a_sentence_has_a_capital_and_a_file_keeps_its_name() -> None:
    assert answer.description(NOISE)[:1].isupper()
    assert answer.description(from_matrix(MATRIX, source="m.csv")).endswith("m.csv")
    assert answer.description(from_posteriors(MATRIX, source="post.csv")) == "post.csv"
    assert not re.search(r"\.description[^{]*\{[^}]*text-transform", (report.HERE / "report.css").read_text("utf-8"))


def test_thousands_of_posteriors_are_reduced_to_the_rows_that_bind() -> None:
    rng = np.random.default_rng(0)
    array = rng.dirichlet(np.full(4, 0.4), 120)
    noise = from_posteriors(array[np.ptp(np.sort(array)[:, -2:], axis=1) > 0.2])
    found = {v.loss.name: v for v in collecting.losses_on(noise)}
    for name in ("amse", "agce", "jal-ce", "mae", "taylor-ce"):
        answer = solve(build(name), noise)
        assert (found[name].status, found[name].binding) == (
            answer.status,
            f"sample {answer.binding_row} against {noise.rows[answer.binding_row].runner_up}"
            if answer.status == "threshold"
            else "",
        )
    assert found["anl-ce"].answer == "not searched"


def test_same_input_gives_the_same_bytes(text: str) -> None:
    told: list[str] = []
    given = "--noise symmetric --K 10 --eta 0.8"
    again = collecting.collect(NOISE, given, quick=True, figures=FIGURES, workers=1, progress=told.append)
    assert report.page(again) == text
    assert len(told) == collecting.steps(FIGURES)


def test_without_figures_no_section_is_empty(text: str) -> None:
    html = bare(NOISE)
    assert 'id="figures"' not in html
    assert 'href="#figures"' not in html
    assert 'id="figures"' in text
    assert re.findall(r'<details class="section" id="(\w+)"', text) == ["figures", "atlas", "ledger"]


def test_the_answer_is_what_select_recommends() -> None:
    noise = resolve("cifar10n-worse", None, None)
    best = (chosen := judged(noise)[0]).best
    html = bare(noise, "--noise cifar10n-worse")
    value = plain(best.loss.parameters[best.parameter])
    assert f"Use <strong>{best.loss.title}</strong> with {best.parameter} = {value}" in html
    order = re.findall(
        r'<tr><th scope="row"[^>]*>[^<]* <code>([^<]+)</code>', html.partition('id="thresholds-table"')[2]
    )
    assert order[: len(chosen.candidates)] == [candidate.loss.name for candidate in chosen.candidates]
    binding = re.findall(r'<tr class="binding"><th scope="row"><button type="button" data-row="(\d+)"', html)
    assert binding == [str(best.threshold.binding_row)]
    for candidate in chosen.candidates:
        for setting in candidate.published:
            if setting.holds is False:
                assert (
                    candidate.loss.title in html.partition("Published settings that fail here")[2].partition("</dd>")[0]
                )


@pytest.mark.parametrize("colour", ["#000000", "#2a3479", "#f49cc3", "#888a87", "#ffffff", "#e4e4e4"])
def test_colours_have_a_twin_that_is_seen_in_the_dark(colour: str) -> None:
    twin = markup.in_the_dark(colour)
    light, paper = (style.lightness(c) for c in (twin, "#141414"))
    luminance = [((level + 16) / 116) ** 3 if level > 8 else level / 903.3 for level in (light, paper)]
    ratio = (max(luminance) + 0.05) / (min(luminance) + 0.05)
    assert ratio >= 3 if style.lightness(colour) <= 75 else ratio < 3


def test_the_legend_of_a_map_keeps_its_colours_in_the_dark() -> None:
    drawn = gallery.make("phase", width=3.4, loss=build("ael"), here="10,0.4")
    svg = markup.inline_svg(gallery.render(drawn, "svg"), "p", "t", "d")
    assert svg.count("#fee838") >= 2  # the yellow that asks most, on the map and in the legend
    assert "light-dark(#fee838" not in svg
    assert "light-dark(#000000" in svg  # texts turn over


def test_bars_show_what_works_and_what_is_published() -> None:
    for found in judged(NOISE)[1]:
        drawn = thresholds.bar(found, None)
        used = {(p.value, p.holds) for p in found.published if p.value is not None}
        if found.loss.main is None:
            assert drawn == "–"
            continue
        assert drawn.count('class="holds"') == sum(holds is not False for _, holds in used)
        assert drawn.count('class="fails"') == sum(holds is False for _, holds in used)
        assert (
            drawn.count('class="works"') == (len(found.pieces) if used or found.status == "threshold" else 1)
            or not found.pieces
        )


def test_panel_starts_where_the_report_is() -> None:
    start = re.compile(r'data-noise="(\w+)" data-k="(\d+)" data-eta="([^"]+)"')
    assert start.findall(bare(resolve("uniform", 5, Fraction(1, 2)))) == [
        ("uniform", "5", "0.5")
    ]  # its realised rate is 2/5
    assert start.findall(bare(resolve("cifar10", None, Fraction(2, 5)))) == [("given", "10", "0.8")]
    assert start.findall(bare(symmetric(5000, Fraction(1, 2)))) == [
        ("symmetric", "10", "0.8")
    ]  # too many classes to draw


@pytest.mark.parametrize(
    ("written", "html"),
    [
        ("w_m >= 2 w_n", "w<sub>m</sub> ≥ 2 w<sub>n</sub>"),
        ("a**(q - 1) <= 1e-07", "a<sup>q − 1</sup> ≤ 10<sup>−7</sup>"),
        ("sum_(k != y) p_k -> 0", "Σ<sub>k≠y</sub> p<sub>k</sub> → 0"),
        ("eta_jk < 1 & rho", "η<sub>jk</sub> &lt; 1 &amp; ρ"),
        ("pine_tree, beta-carotene", "pine_tree, β-carotene"),
        ("A = -4 - 1", "A = −4 − 1"),
        ("H^-(eta) and p^2", "H<sup>-</sup>(η) and p<sup>2</sup>"),
        ("log_{prod_k p_k} p_y", "log<sub>Π<sub>k</sub> p<sub>k</sub></sub> p<sub>y</sub>"),
        ("<script>", "&lt;script&gt;"),
    ],
)
def test_text_of_the_core_is_typeset(written: str, html: str) -> None:
    assert markup.typeset(written) == html


def test_mathtext_of_titles_becomes_html() -> None:
    assert markup.from_mathtext(r"$p_m = 1$ from $a^*$, $\eta \geq 1/2$ & $H^-$") == (
        "p<sub>m</sub> = 1 from a<sup>*</sup>, η ≥ 1/2 &amp; H<sup>-</sup>"
    )


# ----------------------------------------------------------------------------------------------- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = cli.main(["report", *arguments])
    return status, capsys.readouterr().err


def test_command_writes_the_file_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(command, "collect", lambda *args, **options: seen.append((args, options)))
    monkeypatch.setattr(command, "page", lambda _: "<!doctype html>ü")
    out = tmp_path / "r.html"
    assert run(capsys, "--out", str(out), "--noise", "pair", "--K", "5", "--eta", "0.4", "--quick") == (0, "")
    (((noise, given), options),) = seen
    assert (noise.kind, noise.classes, noise.rate, given) == ("pair", 5, Fraction(2, 5), "--noise pair --K 5 --eta 0.4")
    assert options["quick"] is True
    assert options["figures"] is None
    assert out.read_text(encoding="utf-8") == "<!doctype html>ü"
    assert list(tmp_path.iterdir()) == [out]
    assert run(capsys, "--out", str(out), "--figures", "none") == (0, "")
    assert seen[1][0][1] == "--noise symmetric --K 10 --eta 0.8"
    assert seen[1][1]["figures"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "."], "--out .: is a folder; name a file"),
        (["--out", "missing/report.html"], "--out missing/report.html: there is no folder missing; create it first"),
        (["--out", "file/report.html"], "--out file/report.html: cannot be written (Not a directory)"),
        (["--noise", "symetric"], "did you mean 'symmetric'?"),
        (["--noise", "symmetric"], "--noise symmetric needs --K"),
        (["--eta", "1.5"], "--eta 1.5: the noise rate must be in [0, 1]"),
        (["--eta", "0.1,0.2"], "--eta 0.1,0.2: one noise rate is needed here"),
        (["--K", "1"], "--K 1: the number of classes must be >= 2"),
        (["--noise", "no.csv"], "no.csv"),
        (["--figures", "alf-fig"], "--figures: 'alf-fig' is not a figure; near: alf-fig"),
        (["--nose", "pair"], "unrecognized arguments: --nose pair"),
    ],
)
def test_bad_input_is_one_line_before_any_work(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "collect", lambda *_, **__: pytest.fail("work began"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    status, error = run(capsys, *arguments)
    assert status == 2
    assert said in error
    assert error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("raised", "status"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 2)]
)
def test_an_interrupted_report_leaves_the_old_file_and_nothing_else(
    raised: BaseException,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise raised

    monkeypatch.setattr(command, "collect", stop)
    out = tmp_path / "r.html"
    out.write_text("old")
    found, error = run(capsys, "--out", str(out))
    assert found == status
    assert error.count("\n") == 1
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("r.html", "old")]


def test_tasks_come_back_by_position_and_errors_come_through() -> None:
    assert sorted(workers.run([(math.sqrt, (4,)), (len, ("abc",))], workers=2)) == [(0, 2.0), (1, 3)]
    assert list(workers.run([(len, ("ab",))])) == [(0, 2)]
    with pytest.raises(ValueError, match="math domain error"):
        list(workers.run([(math.sqrt, (-1,)), (time.sleep, (0.01,))], workers=2))


# ---------------------------------------------------------------------------------------------- the browser

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the page is tested with playwright, which is missing"
    )
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("the page is tested in chromium, which is missing (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        launched.close()


class Visit:
    """The page in a tab of its own; whatever it complains about or asks for is kept."""

    def __init__(self, browser: Any, file: Path, width: int = 1200, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.left: list[str] = []  # what got as far as the network
        self.context.route(re.compile(r"^(?!file:)"), self._leaves)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri())
        self.file = file

    def _leaves(self, route: Any) -> None:
        self.left.append(route.request.url)
        route.abort()

    def settle(self) -> None:
        """Until what was set is drawn."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def text(self, selector: str) -> str:
        self.settle()
        return str(self.page.text_content(selector)).strip()

    def choose(self, selector: str, value: str) -> None:
        self.page.select_option(selector, value)

    def type(self, selector: str, value: Any) -> None:
        self.page.fill(selector, str(value))


@pytest.fixture
def visit(browser: Any, built: Path) -> Iterator[Visit]:
    """The whole page."""
    yield from visiting(browser, built)


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("lean") / "page.html"
    file.write_text(bare(NOISE, "--noise symmetric --K 10 --eta 0.8"), encoding="utf-8")
    return file


@pytest.fixture
def tried(browser: Any, lean: Path) -> Iterator[Visit]:
    """The page without ledger and figures, for the panel: it is laid out in a tenth of the time."""
    for opened in visiting(browser, lean):
        opened.choose("#loss", "amse")
        yield opened


def visiting(browser: Any, file: Path) -> Iterator[Visit]:
    opened = Visit(browser, file)
    yield opened
    assert opened.complaints == []
    assert opened.requests == [file.as_uri()]
    opened.context.close()


def open_page(browser: Any, html: str, folder: Path) -> Visit:
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    return Visit(browser, file)


def in_panel() -> list[str]:
    return [name for name in names() if not panel.why_not(build(name))]


def test_panel_has_every_loss_that_it_can_solve(tried: Visit) -> None:
    offered = tried.page.eval_on_selector_all("#loss option", "all => all.map(o => o.value)")
    assert offered == in_panel()
    assert {"amse", "agce", "aul", "ael", "jal-ce", "nce+agce", "phuber-ce", "taylor-ce", "sce"} <= set(offered)
    without = {part.strip() for part in re.split(r"[,;:(]", tried.text("#try .aside"))}
    assert {build(name).title for name in names() if name not in offered} <= without


def test_javascript_terms_are_those_of_the_core(tried: Visit) -> None:
    grid = np.array([0.0, 1e-6, 0.2, 0.5, 0.9, 1.0])
    rng = np.random.default_rng(1)
    for name in [n for n in in_panel() if n in ATOMS]:
        atom = build(name)
        values = [{}, {p: Fraction(round(float(rng.uniform(1.1, 4)), 2)) for p, d in atom.domains.items() if 3 in d}]
        for more in values:
            loss = build(name, **{p: int(v) if atom.domains[p].integer else v for p, v in more.items()})
            profile = Profile.of(loss, 7)
            with np.errstate(all="ignore"):
                jets = [profile.jet(side, grid, numpy_())[i] for side in ("active", "passive") for i in (0, 1)]
                wanted = np.array([np.broadcast_to(part, grid.shape) for part in jets], dtype=float)
            found = tried.page.evaluate(
                """([name, parameters, grid]) => {
                  const loss = asymtheory.profile(name, parameters, 7);
                  return ["active", "passive"].flatMap(s => [grid.map(loss.value[s]), grid.map(loss.slope[s])])
                    .map(row => row.map(x => Number.isFinite(x) ? x : String(x)));
                }""",
                [name, {p: float(v) for p, v in loss.parameters.items()}, grid.tolist()],
            )
            ours = np.array([[float(str(x).replace("Infinity", "inf")) for x in row] for row in found])
            np.testing.assert_allclose(ours, wanted, rtol=1e-12, atol=1e-300, err_msg=str(loss))


SETTINGS = [("symmetric", 10, "0.8"), ("pair", 10, "0.4"), ("uniform", 3, "0.5"), ("symmetric", 100, "0.2")]


def pieces_of(answer: Any) -> list[list[Any]]:
    return [
        [p.low and p.low.value, p.high and p.high.value, p.low is not None and p.low.closed, p.high is not None and p.high.closed]
        for p in answer.pieces
    ]  # fmt: skip


def assert_same_pieces(found: list[list[Any]], wanted: list[list[Any]], what: Any) -> None:
    assert len(found) == len(wanted), (what, found, wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        for i in (0, 1):
            assert (ours[i] is None) == (theirs[i] is None), (what, found, wanted)
            if ours[i] is not None:
                assert ours[i] == pytest.approx(theirs[i], rel=1e-6, abs=1e-15), (what, found, wanted)
                assert ours[i + 2] == theirs[i + 2], (what, found, wanted)


@pytest.mark.slow
def test_thresholds_in_the_page_are_those_of_solve(tried: Visit) -> None:
    cases, wanted = [], []
    for name in in_panel():
        loss = build(name)
        parameters = {p["name"]: float(Fraction(p["default"])) for p in panel._parameters(loss, len(loss.terms()) > 1)}
        for parameter in (fact["name"] for fact in panel._facts(loss)["parameters"]):
            if name.startswith("jal") and parameter == "q":
                continue  # the same numbers as amse's, which take the core long
            settings = SETTINGS if (name, parameter) in (("amse", "a"), ("agce", "a"), ("agce", "q")) else SETTINGS[:1]
            for kind, K, eta in settings:
                cases.append([name, parameters, parameter, kind, K, float(eta)])
                wanted.append(pieces_of(solve(loss, resolve(kind, K, Fraction(eta)), parameter)))
    found = tried.page.evaluate(
        "cases => cases.map(([name, parameters, parameter, kind, K, eta]) =>"
        " asymtheory.threshold(name, parameters, parameter, [asymtheory.familyRow(kind, K, eta)]))",
        cases,
    )
    assert len(cases) >= 30
    for case, ours, theirs in zip(cases, found, wanted, strict=True):
        assert_same_pieces(ours, theirs, case)


def test_noise_rates_in_the_page_are_those_of_solve_rate(tried: Visit) -> None:
    cases, wanted = [], []
    for name, (kind, K, _) in itertools.product(in_panel(), SETTINGS[:3]):
        loss = build(name)
        parameters = {p["name"]: float(Fraction(p["default"])) for p in panel._facts(loss)["parameters"]}
        cases.append([name, parameters, kind, K])
        wanted.append(pieces_of(solve_rate(loss, kind, K)))
    found = tried.page.evaluate("cases => cases.map(c => asymtheory.rates(...c))", cases)
    for case, ours, theirs in zip(cases, found, wanted, strict=True):
        assert_same_pieces(ours, theirs, case)


def test_minimisers_in_the_page_are_those_of_minimise(tried: Visit) -> None:
    rng = np.random.default_rng(0)
    weights = [
        [0.2, *[0.8 / 9] * 9],
        [0.6, 0.4, 0.0, 0.0],
        [0.7, 0.3],
        *(rng.dirichlet(np.ones(k)).tolist() for k in (3, 12)),
    ]
    cases, wanted = [], []
    for name in in_panel():
        facts = panel._facts(build(name))["parameters"]
        defaults = {p["name"]: Fraction(p["default"]) for p in facts}
        changed = [
            {p["name"]: Fraction(str(round(p["slider"][0] + 0.03 * (p["slider"][1] - p["slider"][0]), 3)))}
            for p in facts
            if not p["integer"]
        ]
        for more, w in itertools.product([{}, *changed], weights):
            loss = build(name, **{**defaults, **more})
            wanted.append(minimise(loss, w))
            cases.append([name, {p: float(v) for p, v in {**defaults, **more}.items()}, w])
    found = tried.page.evaluate("cases => cases.map(c => asymtheory.minimise(...c))", cases)
    exact = 0
    for case, ours, theirs in zip(cases, found, wanted, strict=True):
        if theirs.exact:
            exact += 1
            np.testing.assert_allclose(ours["point"], theirs.point, atol=1e-6, err_msg=str(case))
        elif ours["point"] is not None:  # a corner that floats of the core come near to only
            np.testing.assert_allclose(ours["point"], theirs.point, atol=1e-3, err_msg=str(case))
    assert exact > 150
    assert sum(ours["point"] is None for ours in found) > 3


@pytest.mark.parametrize(
    ("loss", "kind", "K", "eta", "set_"),
    [
        ("amse", "symmetric", 10, "0.8", {"a": 3}),
        ("amse", "pair", 7, "0.45", {"a": 30}),
        ("agce", "symmetric", 10, "0.4", {"q": "0.5", "a": "0.1"}),
        ("agce", "uniform", 5, "0.6", {"q": "1.5"}),
        ("aul", "symmetric", 100, "0.6", {"p": "1.8"}),
        ("ael", "pair", 2, "0.25", {"a": "0.5"}),
        ("gce", "symmetric", 10, "0.2", {"q": "0.3"}),
        ("taylor-ce", "symmetric", 10, "0.8", {"t": 6}),
        ("phuber-ce", "pair", 10, "0.3", {"tau": "2.5"}),
        ("jal-ce", "pair", 10, "0.4", {"a": "7.5", "q": 3}),
        ("nce+aul", "symmetric", 10, "0.6", {"p": "2.5"}),
    ],
)
def test_controls_change_what_is_shown_to_what_the_core_says(
    loss: str, kind: str, K: int, eta: str, set_: dict[str, Any], tried: Visit
) -> None:
    tried.choose("#loss", loss)
    tried.choose("#noise", kind)
    tried.type("#p-K-box", K)
    tried.type("#p-eta-box", eta)
    for name, value in set_.items():
        tried.type(f"#p-{name}-box", value)
    noise = resolve(kind, K, Fraction(eta))
    used = build(loss, **{name: Fraction(str(value)) for name, value in set_.items()})
    answer = solve(used, noise)
    assert_shows(tried.text("#threshold"), answer)
    for name in set_:
        assert_shows(tried.text(f"#p-{name}-where").removeprefix("asymmetric for "), solve(used, noise, name))
    verdict = check(used, noise)
    assert tried.text("#verdict") == f"As set: {'asymmetric' if verdict.asymmetric else 'not asymmetric'}"
    minimiser = minimise(used, [float(w) for w in noise.rows[0].weights])
    bars = tried.page.eval_on_selector_all(
        "#minimiser g",
        "all => all.map(g => [g.querySelector('title').textContent, g.querySelector('.bar').height.baseVal.value])",
    )
    assert minimiser.exact
    assert len(bars) == K
    for (said, height), u in zip(bars, minimiser.point, strict=True):
        assert float(said.rsplit(" ", 1)[1].replace("−", "-")) == pytest.approx(u, abs=1e-5)
        assert height == pytest.approx(u * 202, abs=0.01)  # the plot is 202 units high
    assert tried.page.locator("#profile path").count() == (2 if used.terms()[-1][1].name == "amse" else 1)
    command = tried.text("#command")
    assert command.startswith(f"asymtheory check --loss {loss} --set ")
    assert command.endswith(f" --noise {kind} --K {K} --eta {eta}")
    assert cli.main(command.split()[1:]) == (0 if verdict.asymmetric else 1)


def assert_shows(shown: str, answer: Any) -> None:
    """ "a ≥ 9" for pieces that say so."""
    if answer.status != "threshold":
        assert shown.startswith({"always": "any ", "never": "no "}[answer.status])
        return
    ends = [e for p in answer.pieces for e in (p.low, p.high) if e is not None and not e.of_domain]
    numbers = [float(n) for n in re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", shown)]
    assert numbers == pytest.approx(list(dict.fromkeys(e.value for e in ends)), rel=1e-5)
    ascii_ = shown.replace("≥", ">=").replace("≤", "<=")
    assert re.findall(r"[<>]=?|=| or ", ascii_) == re.findall(
        r"[<>]=?|=| or ", re.sub(r"\([^()]*\)", "", answer.answer)
    )


def test_sliders_answer_to_the_keyboard(visit: Visit) -> None:
    visit.choose("#loss", "amse")
    assert visit.text("#threshold") == "a ≥ 9"
    visit.page.focus("#p-eta")
    for _ in range(10):
        visit.page.keyboard.press("ArrowLeft")
    assert visit.page.input_value("#p-eta-box") == "0.7"
    assert_shows(visit.text("#threshold"), solve(build("amse"), symmetric(10, Fraction(7, 10))))
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.id") == "p-eta-box"
    visit.page.focus("#p-K")
    visit.page.keyboard.press("End")
    assert visit.page.input_value("#p-K-box") == "100"
    assert_shows(visit.text("#threshold"), solve(build("amse"), symmetric(100, Fraction(7, 10))))
    visit.page.focus("#loss")
    visit.page.keyboard.type("AGC")
    assert_shows(visit.text("#threshold"), solve(build("agce"), symmetric(100, Fraction(7, 10))))


def test_equality_at_a_threshold_holds_and_just_below_it_does_not(tried: Visit) -> None:
    for value, said in (("9", "asymmetric"), ("8.999", "not asymmetric"), ("9.001", "asymmetric")):
        tried.type("#p-a-box", value)
        assert tried.text("#verdict") == f"As set: {said}"
    tried.choose("#loss", "phuber-ce")
    for value, said in (("2.25", "asymmetric"), ("2.26", "not asymmetric")):
        tried.type("#p-tau-box", value)
        assert tried.text("#verdict") == f"As set: {said}"


def test_a_typed_number_outside_the_domain_is_refused_and_the_last_good_one_stays(tried: Visit) -> None:
    tried.type("#p-a-box", "250")  # farther than the slider goes
    assert "a=250" in tried.text("#command")
    for bad in ("0.5", "", "1e999"):
        tried.type("#p-a-box", bad)
        assert tried.page.get_attribute("#p-a-box", "aria-invalid") is not None
        assert tried.text("#p-a-where") == "a must be in [1, ∞)"
        assert "a=250" in tried.text("#command")
    tried.type("#p-a-box", "12")
    assert tried.page.get_attribute("#p-a-box", "aria-invalid") is None
    tried.type("#p-K-box", "2.5")
    assert tried.text("#p-K-where") == "K must be in [2, 1000], whole numbers"


def test_where_no_exact_minimiser_is_known_the_panel_says_so(tried: Visit) -> None:
    tried.choose("#loss", "jal-ce")
    tried.type("#p-a-box", "2")
    assert not minimise(build("jal-ce", a=2), [float(w) for w in NOISE.rows[0].weights]).exact
    assert tried.text("#point").startswith("No exact minimiser: NCE moves it")
    assert tried.page.locator("#minimiser .bar:visible").count() == 0
    assert tried.text("#threshold") == "a ≥ 9"


@pytest.mark.slow
def test_every_loss_and_noise_is_drawn_at_the_ends_of_its_sliders(tried: Visit) -> None:
    tried.page.evaluate(
        """async () => {
          const fire = (node, value) => {
            node.value = value;
            node.dispatchEvent(new Event(node.tagName === "SELECT" ? "change" : "input"));
          };
          const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
          for (const kind of ["symmetric", "pair"]) {
            fire(document.getElementById("noise"), kind);
            for (const {value} of document.querySelectorAll("#loss option")) {
              fire(document.getElementById("loss"), value);
              for (const end of ["min", "max"]) {
                for (const range of document.querySelectorAll("#panel input[type=range]")) { fire(range, range[end]); }
                await frame();
                const drawn = document.getElementById("panel").innerHTML;
                if (/NaN|undefined|null/.test(drawn)) throw Error(`${kind} ${value} ${end}`);
              }
            }
          }
        }"""
    )


def test_the_reports_own_noise_is_in_the_panel(browser: Any, tmp_path: Path) -> None:
    noise = HUMAN
    opened = open_page(browser, bare(noise, "--noise m.csv"), tmp_path)
    opened.choose("#loss", "amse")
    assert opened.page.input_value("#noise") == "given"
    assert_shows(opened.text("#threshold"), solve(build("amse"), noise))
    assert opened.page.is_hidden("#rates")
    opened.choose("#loss", "agce")
    opened.type("#p-q-box", "0.3")
    opened.type("#p-a-box", "0.2")
    used = build("agce", q=Fraction(3, 10), a=Fraction(1, 5))
    assert_shows(opened.text("#threshold"), solve(used, noise))
    verdict = check(used, noise)
    point = minimise(used, MATRIX[verdict.row]).point
    shown = opened.page.eval_on_selector_all(
        "#minimiser title", "all => all.map(t => Number(t.textContent.split('u = ')[1]))"
    )
    order = [verdict.row, *(k for k in range(3) if k != verdict.row)]
    assert shown == pytest.approx([point[k] for k in order], abs=1e-5)
    assert opened.text("#command").endswith("--noise m.csv")
    opened.choose("#noise", "pair")
    opened.type("#p-eta-box", "0.1")
    opened.type("#p-K-box", "4")
    assert_shows(opened.text("#threshold"), solve(used, resolve("pair", 4, Fraction(1, 10))))
    assert opened.complaints == []
    opened.context.close()


# ------------------------------------------------------------------------------------------- the page around


def column(visit: Visit, table: str, index: int) -> list[str]:
    return visit.page.eval_on_selector_all(
        f"#{table} tbody tr",
        f"all => all.map(r => r.cells[{index}].dataset.key ?? r.cells[{index}].textContent.trim())",
    )


@pytest.mark.parametrize(
    ("table", "index"), [("atlas-table", 0), ("atlas-table", 3), ("atlas-table", 4), ("thresholds-table", 1)]
)
def test_tables_sort_both_ways_by_mouse_and_keyboard(table: str, index: int, visit: Visit) -> None:
    visit.page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
    before = column(visit, table, index)
    head = visit.page.locator(f"#{table} thead th").nth(index)
    key = float if index else str.lower
    filled = sorted((v for v in before if v != ""), key=key)  # type: ignore[arg-type]
    empty = before.count("")
    assert before != filled + [""] * empty
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    up = column(visit, table, index)
    assert [key(v) for v in up if v] == [key(v) for v in filled]
    assert up[len(filled) :] == [""] * empty
    visit.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    down = column(visit, table, index)
    assert [key(v) for v in down if v] == [key(v) for v in filled[::-1]]
    assert down[len(filled) :] == [""] * empty
    assert visit.page.locator(f"#{table} [aria-sort]").count() == 1
    assert sorted(down) == sorted(before)


def test_the_ledger_filters_and_unfolds(visit: Visit) -> None:
    seen = "details.claim:visible"
    total = len(recorded())
    assert visit.page.locator("details.claim").count() == 0  # until the section is opened
    visit.page.click("#ledger > summary")
    assert visit.page.locator(seen).count() == total
    visit.choose("#by-verdict", "refuted")
    refuted = visit.page.locator(seen).count()
    assert 0 < refuted < total
    assert visit.page.locator(f'{seen}:not([data-verdict="refuted"])').count() == 0
    assert visit.text("#shown") == f"{refuted} of {total} claims"
    visit.choose("#by-paper", "jal")
    assert 0 < visit.page.locator(seen).count() < refuted
    assert visit.page.locator("section.paper:visible").count() == 1
    visit.choose("#by-verdict", "")
    assert visit.page.locator(seen).count() == sum(name.startswith("jal-") for name in recorded())
    visit.choose("#by-paper", "")
    visit.type("#by-text", "thm41")
    assert 0 < visit.page.locator(seen).count() < 10
    visit.type("#by-text", "")
    visit.page.click("#unfold")
    assert visit.page.locator("details.claim[open]").count() == total
    assert visit.page.get_attribute("#unfold", "aria-expanded") == "true"
    visit.page.click("#unfold")
    assert visit.page.locator("details.claim[open]").count() == 0
    visit.page.goto(visit.file.as_uri() + "#jal-thm41")
    assert visit.page.locator("#jal-thm41[open]").count() == 1
    visit.requests[:] = visit.requests[:1]


def unfold(opened: Visit) -> None:
    """Open the folded sections and wait until they are filled."""
    opened.page.evaluate("document.querySelectorAll('details.section').forEach(d => d.open = true)")
    opened.page.wait_for_selector("#gallery svg")
    opened.page.wait_for_selector("details.claim")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (800, "dark"), (1600, "light")])
def test_no_page_scrolls_sideways(width: int, scheme: str, browser: Any, built: Path) -> None:
    opened = Visit(browser, built, width, scheme)
    unfold(opened)
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    narrow = "Math.min(...[...document.querySelectorAll('.claim .where')].map(e => e.getBoundingClientRect().width))"
    assert opened.page.evaluate(narrow) >= 60  # a long name beside it leaves room for words
    opened.context.close()


# WCAG 2: contrast of every visible text with the nearest opaque background; those below 4.5
CONTRASTS = """() => {
  const rgb = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const measure = (node, ink, text) => {
    const [a, b] = [light(rgb(ink)), light(behind(node))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (text && node.checkVisibility() && !node.closest("script, style, noscript, svg, option")) {
      measure(node, getComputedStyle(node).color, `${node.tagName}: ${text.slice(0, 40)}`);
    }
  }
  for (const node of document.querySelectorAll("#panel svg text")) measure(node, getComputedStyle(node).fill, node.textContent);
  return [found.length, found.filter(([ratio]) => ratio < 4.5)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(scheme: str, browser: Any, built: Path) -> None:
    opened = Visit(browser, built, 1000, scheme)
    unfold(opened)
    opened.page.click("#unfold")
    for pressed in (False, True):
        count, weak = opened.page.evaluate(CONTRASTS)
        assert count > 1000
        assert weak == []
        paper = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        dark = (scheme == "dark") != pressed
        assert paper == ("rgb(20, 20, 20)" if dark else "rgb(255, 255, 255)")
        assert opened.page.evaluate("getComputedStyle(document.querySelector('.gallery svg')).filter") == "none"
        assert opened.page.get_attribute("#theme", "aria-pressed") == str(dark).lower()
        opened.page.click("#theme")
    opened.context.close()


def test_print_leaves_out_what_is_folded_and_all_controls(visit: Visit) -> None:
    visit.page.emulate_media(media="print")
    visit.settle()
    assert visit.page.locator(".box details:visible").count() == visit.page.locator(".box details[open]").count()
    for control in ("#try", "nav", "#ledger", "#atlas", "#figures"):
        assert visit.page.is_hidden(control)
    visit.page.emulate_media(media="screen")
    visit.settle()
    assert visit.page.locator("details[open]").count() == 0


def test_print_is_under_ten_pages(visit: Visit, tmp_path: Path) -> None:
    visit.page.pdf(path=tmp_path / "r.pdf", prefer_css_page_size=True)
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "r.pdf").read_bytes())) < 10
    visit.page.set_viewport_size(
        {"width": 703, "height": 1000}
    )  # A4 between its margins: narrower than a phone's layout begins
    visit.page.emulate_media(media="print")
    shown = "what => getComputedStyle(document.querySelector(what)).display"
    assert visit.page.evaluate(shown, "#thresholds-table thead") == "table-header-group"
    assert visit.page.evaluate(shown, "#thresholds-table tbody tr") == "table-row"
    assert visit.page.evaluate(shown, "#thresholds-table thead button") == "contents"  # else a repeated head is empty
    assert visit.page.evaluate("document.querySelector('#thresholds-table').scrollWidth <= 703")
    visit.page.emulate_media(media="screen")


def test_the_triangle_is_dragged_played_and_kept_in_the_address(visit: Visit) -> None:
    page = visit.page
    visit.choose("#loss", "amse")
    visit.type("#p-a-box", "2")
    page.locator("#overlay").scroll_into_view_if_needed()
    box = page.locator("#overlay").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.45)
    page.mouse.down()
    page.mouse.up()
    visit.settle()
    weights = [float(x) for x in re.findall(r"= (\d+(?:\.\d+)?)", visit.text("#simplex-says"))][:3]
    assert sum(weights) == pytest.approx(1, abs=2e-3)
    address = re.search(r"w=([\d.,]+)", page.evaluate("decodeURIComponent(location.hash)"))
    assert address is not None  # dragged
    kept = [float(x) for x in address[1].split(",")]
    shown = re.search(r"minimiser is \(([^)]+)\)", visit.text("#simplex-says"))
    assert shown is not None
    found = [float(x) for x in shown[1].split(", ")]
    np.testing.assert_allclose(found, minimise(build("amse", a=2), kept).point, atol=2e-3)
    page.focus(".handle")
    page.keyboard.press("ArrowUp")
    visit.settle()
    assert page.evaluate("document.activeElement.classList.contains('handle')")
    assert float(page.get_attribute(".handle", "aria-valuenow")) > weights[0]
    page.emulate_media(reduced_motion="reduce")
    page.click("#play")
    visit.settle()
    assert "vertex" in visit.text("#simplex-says")  # no movement: the end at once
    address = page.evaluate("location.href")
    page.goto("about:blank")
    page.goto(address)
    visit.settle()
    assert page.input_value("#loss") == "amse"
    assert page.evaluate("location.href") == address
    del visit.requests[1:]


DRAWS = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();  // what was asked for before is drawn
  await frame();
  let drawn = 0, sent = 0;
  const counted = (owner, name, count) => {
    const own = owner[name];
    owner[name] = function (...given) { count(); return own.apply(this, given); };
  };
  counted(CanvasRenderingContext2D.prototype, "putImageData", () => drawn++);
  counted(history, "replaceState", () => sent++);
  const overlay = document.getElementById("overlay"), slider = document.getElementById("p-a"), frames = [];
  const box = overlay.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
  const say = (name, i) => overlay.dispatchEvent(new PointerEvent(name, {bubbles: true, clientX: x + i, clientY: y}));
  say("pointerdown", 0);
  for (let i = 0; i < 8; i++) {
    for (let j = 0; j < 5; j++) say("pointermove", 5 * i + j);
    slider.value = 2 + i;
    slider.dispatchEvent(new Event("input"));
    const before = drawn;
    await frame();
    frames.push(drawn - before);
  }
  const moved = sent;
  say("pointerup", 40);
  await frame();
  return [frames, moved, sent, drawn];
}"""


def test_however_many_moves_a_frame_is_drawn_once(tried: Visit) -> None:
    frames, moved, sent, drawn = tried.page.evaluate(DRAWS)
    assert frames == [1] * 8
    assert (moved, sent, drawn) == (0, 1, 9)  # the address follows when the handle is let go


def test_a_row_of_the_matrix_is_loaded(browser: Any, tmp_path: Path) -> None:
    noise = HUMAN
    opened = open_page(browser, bare(noise, "--noise m.csv"), tmp_path)
    opened.choose("#loss", "amse")
    opened.page.click('[data-row="0"]')
    assert opened.page.input_value("#noise") == "row"
    assert_shows(opened.text("#threshold"), solve(build("amse"), from_weights(MATRIX[0])))
    assert "--weights 0.6,0.3,0.1" in opened.text("#command")
    assert opened.complaints == []
    opened.context.close()


def test_what_overflows_is_said_to_be_undecided_here(tried: Visit) -> None:
    tried.type("#p-a-box", "9")
    tried.type("#p-q-box", "500")  # 8^499 is beyond floating point; the command line is exact
    assert tried.text("#verdict") == "As set: undecided here"
    assert "too large for floating point" in tried.text("#because")
    assert tried.text("#threshold") == "undecided"  # not "no a"
    assert tried.text("#p-a-where") == "beyond floating point: the command decides"


EXTREMES = [("ael", {"a": 1e-4}), ("ael", {"a": 1e6}), ("mse", {})]


@pytest.mark.parametrize(("loss", "set_"), EXTREMES)
def test_extreme_parameters_are_answered_as_on_the_command_line(
    loss: str, set_: dict[str, float], tried: Visit
) -> None:
    tried.choose("#loss", loss)
    tried.choose("#noise", "pair")
    tried.type("#p-eta-box", "0.4")
    for name, value in set_.items():
        tried.type(f"#p-{name}-box", value)
    noise = resolve("pair", 10, Fraction(2, 5))
    used = build(loss, **{name: Fraction(str(value)) for name, value in set_.items()})
    assert tried.text("#verdict") == f"As set: {'asymmetric' if check(used, noise).asymmetric else 'not asymmetric'}"
    assert not re.search(r"e-1[5-9]", tried.text("#because") + tried.text("#point"))
    for found in re.findall(r"([≥≤]) ([\d.]+)", tried.text("#threshold")):
        end = next(e for p in solve(used, noise).pieces for e in (p.low, p.high) if e is not None and not e.of_domain)
        inwards = float(found[1]) - end.value if found[0] == "≥" else end.value - float(found[1])
        assert inwards >= -1e-9 * abs(end.value)  # what is printed works


def test_every_control_has_a_name_and_shows_its_focus(visit: Visit) -> None:
    unnamed = visit.page.evaluate(
        """() => {
          const named = node => node.labels?.length || node.getAttribute("aria-label") || node.textContent.trim() ||
            document.getElementById(node.getAttribute("aria-labelledby")?.split(" ")[0]);
          return [...document.querySelectorAll("input, select, button, [role=region], summary, svg[role=img]")]
            .filter(node => !named(node)).map(node => node.outerHTML.slice(0, 80));
        }"""
    )
    assert unnamed == []
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.className") == "skip"
    assert visit.page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    for _ in range(7):
        visit.page.keyboard.press("Tab")
        outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
    tables = visit.page.locator(".sideways")
    assert tables.evaluate_all("all => all.every(t => t.tabIndex === 0)")


def test_a_script_that_asks_for_the_network_gets_nothing(browser: Any, built: Path) -> None:
    opened = Visit(browser, built)
    refused = opened.page.evaluate(
        "async () => { try { await fetch('https://example.invalid/'); return false; } catch { return true; } }"
    )
    assert refused
    opened.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.invalid/x.png'}))")
    opened.settle()
    assert opened.left == []
    assert len(opened.complaints) >= 2  # the policy says so on the console
    assert all("Content Security Policy" in c or "Content-Security-Policy" in c for c in opened.complaints)
    opened.context.close()


def test_a_sort_key_cannot_leave_its_comment() -> None:
    from asymtheory_figures.report.markup import keyed, table

    hostile = "a--><meta http-equiv=refresh content=0>"
    page = table(["name", "row"], [[keyed(hostile, "x"), keyed("age<5", "y")]], "caption", "t")
    assert "<meta" not in page
    assert "<!--" not in page
    assert 'data-key="age&lt;5"' in page
