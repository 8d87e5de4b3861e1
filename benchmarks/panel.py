"""What a frame of the report's panel costs: python benchmarks/panel.py [--frames N]

The page is opened in headless Chromium, the weights are dragged around the triangle, and the parameter is played through its
threshold. For every frame: the time in the page's own callbacks, and the processor time of the browser's main thread, which has
styles, layout and painting in it as well, and does not depend on what else the machine does. Target: 60 frames a second, of which
the page takes less than 8 ms. Needs the extra ``dev`` and Chromium.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from asymtheory_figures.report.collect import collect
from asymtheory_figures.report.page import page as written
from playwright.sync_api import sync_playwright

from asymtheory.noise import symmetric

LOSSES = ("amse", "agce", "ael", "aul", "ce", "gce", "jal-ce", "phuber-ce")
WATCH = """
  window.times = new Map(); // of a frame, by its time stamp
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = callback => ask(now => {
    const began = performance.now();
    callback(now);
    window.times.set(now, (window.times.get(now) ?? 0) + performance.now() - began);
  });
"""


def quantiles(values: list[float]) -> tuple[float, float]:
    """Median and 95 % quantile."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[math.ceil(0.95 * len(ordered)) - 1]


class Tab:
    """The page in a tab, with the clocks of its main thread."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy(self) -> float:
        """Processor time of the main thread so far, ms."""
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")

    def frame(self) -> None:
        """Until the next frame is drawn."""
        self.session.send(
            "Runtime.evaluate",
            {"expression": "new Promise(done => setTimeout(done, 34))", "awaitPromise": True},
        )

    def frames(self, move: Callable[[int], None], count: int) -> tuple[list[float], list[float]]:
        """Milliseconds of every frame: of the page's callbacks, and of the whole main thread."""
        self.page.evaluate("window.times.clear()")
        whole = []
        for i in range(count):
            before = self.busy()
            move(i)
            self.frame()
            whole.append(self.busy() - before)
        return [float(t) for t in self.page.evaluate("[...window.times.values()]")], whole


def dragged(tab: Tab, count: int) -> tuple[list[float], list[float]]:
    """The handle goes around the triangle once."""
    box = tab.page.locator("#overlay").bounding_box()
    x, y, radius = box["x"] + box["width"] / 2, box["y"] + 0.6 * box["height"], 0.2 * box["width"]
    tab.page.mouse.move(x + radius, y)
    tab.page.mouse.down()

    def move(i: int) -> None:
        angle = 2 * math.pi * (i + 1) / count
        tab.page.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle))

    found = tab.frames(move, count)
    tab.page.mouse.up()
    return found


def slid(tab: Tab, count: int) -> tuple[list[float], list[float]]:
    """The first slider goes from one end to the other; ``play`` draws the same frames."""
    slide = """i => { const slider = document.querySelector("#parameters input[type=range]");
      slider.value = Number(slider.min) + (slider.max - slider.min) * i;
      slider.dispatchEvent(new Event("input")); }"""
    return tab.frames(lambda i: tab.page.evaluate(slide, (i + 1) / count), count)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60, help="of each loss and movement (default 60)")
    frames = parser.parse_args().frames
    made = collect(symmetric(10, Fraction(4, 5)), "--noise symmetric --K 10 --eta 0.8", figures=[], workers=1)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        file = Path(folder, "report.html")
        file.write_text(written(made), encoding="utf-8")
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH)
        page.goto(file.as_uri())
        page.locator("#overlay").scroll_into_view_if_needed()
        tab = Tab(page)
        _, nothing = tab.frames(lambda _: None, frames)
        print(f"a frame in which nothing moves: {quantiles(nothing)[0]:.1f} ms of the main thread\n")
        print("| loss | movement | script: median | 95 % | main thread, processor time: median | 95 % |")
        print("|---|---|---|---|---|---|")
        for name in LOSSES:
            page.select_option("#loss", name)
            tab.frame()
            for movement, made_of in (("drag", dragged), ("slide", slid)):
                if movement == "slide" and not page.locator("#parameters input[type=range]").count():
                    continue
                script, whole = made_of(tab, frames)
                cells = [f"{value:.1f} ms" for value in (*quantiles(script), *quantiles(whole))]
                print(f"| {name} | {movement} | {' | '.join(cells)} |", flush=True)
        page.select_option("#loss", "agce")
        page.evaluate("window.times.clear()")
        page.click("#play")
        page.locator("#play[aria-pressed=false]").wait_for(timeout=60_000)
        script = [float(t) for t in page.evaluate("[...window.times.values()]")]
        middle, most = quantiles(script)
        print(f"\nplay of agce, 5 s: {len(script) / 5:.0f} frames a second, script {middle:.1f} ms, 95 % {most:.1f} ms")
        browser.close()


if __name__ == "__main__":
    main()
