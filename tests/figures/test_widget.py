"""The panel in a notebook: its state without a browser, and once in Chromium that a reader's moves come back to Python."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from importlib import metadata
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("anywidget", reason="the extra notebook is not installed")

from asymtheory_figures.widget import Panel

from asymtheory import build, named, symmetric
from asymtheory.cli import main
from asymtheory.errors import InputError


def test_the_state_is_that_of_the_core_and_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    panel = Panel("amse", a=9)
    assert panel.state == "loss=amse;a=9;q=2;noise=symmetric;K=10;eta=0.8"
    assert (panel.loss, panel.noise.kind, panel.weights) == (build("amse", a=9), "symmetric", None)
    assert panel.noise.rows[0].weights == symmetric(10, Fraction(4, 5)).rows[0].weights
    assert panel.check().asymmetric is True
    panel.state = "loss=amse;a=8.9;q=2;noise=symmetric;K=10;eta=0.8;w=0.5,0.3,0.2"  # as the page sets it
    assert panel.check().asymmetric is False
    assert panel.weights == (0.5, 0.3, 0.2)
    assert panel.command == "asymtheory check --loss amse --set a=8.9 q=2 --noise symmetric --K 10 --eta 0.8"
    main(panel.command.split()[1:])
    assert "not asymmetric" in capsys.readouterr().out


def test_a_matrix_has_its_rows() -> None:
    panel = Panel("agce", "cifar10n-worse", a=1, q=0.5)
    assert panel.state == "loss=agce;a=1;q=0.5;noise=given"
    assert panel.noise.kind == named("cifar10n-worse").kind
    row = named("cifar10n-worse").rows[3]
    panel.state = "loss=agce;a=1;q=0.5;noise=row;row=3"
    assert panel.noise.rows[0].weights == tuple(w / row.total for w in row.weights)
    assert panel.command.startswith("asymtheory check --loss agce --set a=1 q=0.5 --weights ")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": "nce"}, "the panel has no NCE: no unique minimiser by itself"),
        ({"loss": "amze"}, "amze"),
        ({"loss": "amse", "b": 2}, "no parameter 'b'"),
        ({"noise": "symmetric", "K": 10, "eta": 2}, "eta"),
        ({"noise": "nothing.csv"}, "nothing.csv"),
    ],
)
def test_what_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Panel(**given)


def test_the_package_hands_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from asymtheory import widgets

    assert widgets.Panel is Panel
    with pytest.raises(AttributeError, match=r"asymtheory\.widgets has Panel, not Panell"):
        _ = widgets.Panell
    monkeypatch.setattr(metadata, "entry_points", lambda group: ())
    with pytest.raises(InputError, match=r"pip install 'asymtheory\[notebook\]'"):
        _ = widgets.Panel


HOST = """<!doctype html><meta charset=utf-8><body><div id=one></div><div id=two></div><script type=module>
import widget from "data:text/javascript;base64,{module}";
const model = state => {{ const heard = []; const values = {{state}};
  return {{get: name => values[name], set: (name, to) => {{ values[name] = to; }}, save_changes() {{ this.saved = values.state; }},
    on: (_, f) => heard.push(f), off() {{}}, say(to) {{ values.state = to; heard.forEach(f => f()); }}}}; }};
window.models = {states}.map(model);
models.forEach((model, i) => widget.render({{model, el: document.body.children[i]}}));
window.done = true;
</script>"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")
def test_two_panels_in_a_page(tmp_path: Path) -> None:
    import base64

    sync = pytest.importorskip("playwright.sync_api")
    panels = [Panel("amse", a=9), Panel("amse", a=2, K=10, eta=0.8)]
    module = base64.b64encode(panels[0]._esm.encode()).decode()
    states = json.dumps([panel.state for panel in panels])
    (tmp_path / "page.html").write_text(HOST.format(module=module, states=states), encoding="utf-8")
    errors: list[str] = []
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 1200})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_function("window.done")
        one, two = page.locator("#one"), page.locator("#two")
        assert one.locator("#verdict").inner_text() == "As set: asymmetric"
        assert two.locator("#verdict").inner_text() == "As set: not asymmetric"
        one.locator("#p-a-box").fill("3.5")
        page.wait_for_function("models[0].saved")
        panels[0].state = page.evaluate("models[0].saved")
        handle = two.locator(".handle")
        handle.focus()
        page.keyboard.press("ArrowUp")
        page.wait_for_function("(models[1].saved ?? '').includes('w=')")
        panels[1].state = page.evaluate("models[1].saved")
        page.evaluate("models[0].say('loss=ael;a=0.5;noise=pair;K=10;eta=0.3')")  # Python sets it
        assert one.locator("#loss").input_value() == "ael"
        page.screenshot(path=str(tmp_path / "widget.png"), full_page=True)
        browser.close()
    assert errors == []
    assert panels[0].loss == build("amse", a=Fraction(7, 2))
    assert panels[0].check().asymmetric is False
    assert sum(panels[1].weights or ()) == pytest.approx(1, abs=1e-3)
