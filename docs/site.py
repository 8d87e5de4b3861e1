"""Build the documentation site: python docs/site.py [--fast]

Copies the pages, draws the gallery, writes the panel and the reference, and lets MkDocs build it strictly into build/site, which
opens from disk. ``--fast`` leaves the pictures of the gallery out. Needs the extra ``docs``.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from asymtheory_figures import gallery
from asymtheory_figures.report.collect import collect
from asymtheory_figures.report.page import page
from mathematics import rendered  # beside this file

from asymtheory.noise import resolve

ROOT = Path(__file__).parents[1]
PAGES, SITE = ROOT / "build" / "pages", ROOT / "build" / "site"
PANEL_NOISE = "cifar10n-worse"
FILTER = """<p class="filter"><label>Show the claims with
<input id="words" type="search" placeholder="refuted AGCE" size="24"></label>
<output id="shown"></output></p>
<script>
(() => {
  const box = document.getElementById("words"), rows = () => [...document.querySelectorAll("article tbody tr")];
  const show = () => {
    const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows()) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += !row.hidden;
    }
    document.getElementById("shown").textContent = words.length ? `${count} of ${rows().length}` : "";
  };
  box.addEventListener("input", show);
})();
</script>
"""
"""Above the ledger: rows that lack a word are hidden; static, like all of the site."""
# what people import, module by module; a page each
MODULES = {
    "Losses": ("asymtheory.losses.papers", "asymtheory.losses.registry"),
    "Noise": ("asymtheory.noise.models", "asymtheory.noise.estimate"),
    "Thresholds": ("asymtheory.threshold.solve", "asymtheory.threshold.pieces", "asymtheory.threshold.many"),
    "Verdicts, minimisers, guarantees": (
        "asymtheory.asymmetry.condition",
        "asymtheory.asymmetry.risk",
        "asymtheory.asymmetry.ratio",
        "asymtheory.asymmetry.guarantees",
    ),
    "Selection": ("asymtheory.selection.select", "asymtheory.noise.relabel", "asymtheory.noise.flow"),
    "Figures": ("figures.gallery", "figures.style"),
    "Training": ("training.run.fit", "training.run.classifier", "training.losses.build", "training.losses.module"),
    "Training by noisy labels": ("training.tune.tune", "training.data.labels"),
}


def copy_pages() -> None:
    """The pages of docs/, start.md as the first one; links to files outside the site become plain text with their path."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (PAGES / "start.md").rename(PAGES / "index.md")
    (PAGES / "overview.md").write_text((ROOT / "README.md").read_text(encoding="utf-8").replace("(docs/", "("))
    for theory in (PAGES / "theory.md", *(PAGES / "theory").glob("*.md")):
        theory.write_text(rendered(theory.read_text(encoding="utf-8")), encoding="utf-8")
    ledger = PAGES / "claims.md"
    ledger.write_text(ledger.read_text(encoding="utf-8").replace("\n## ", f"\n{FILTER}\n## ", 1), encoding="utf-8")
    (PAGES / "benchmarks.md").write_text((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8"))
    for path in PAGES.rglob("*.md"):
        path.write_text(inside(path.read_text(encoding="utf-8"), path.parent), encoding="utf-8")


def inside(text: str, folder: Path) -> str:
    """A page whose links stay inside the site: benchmarks have their page, other files of the repository lose their link."""
    up = "../" * len(folder.relative_to(PAGES).parts)
    text = re.sub(r"\((?:\.\./)*benchmarks/README\.md(#[^)]*)?\)", f"({up}benchmarks.md)", text)

    def kept(match: re.Match[str]) -> str:
        target = folder / match[2].partition("#")[0]
        return match[0] if target.exists() and target.resolve().is_relative_to(PAGES) else match[1]

    return re.sub(r"\[([^\]]+)\]\(((?:\.\./|CONTRIBUTING|CITATION|examples/)[^)]*)\)", kept, text)


def write_notebooks() -> None:
    """A page of each notebook: its text, its code, and what the code printed and drew."""
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        parts = []
        for i, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                parts.append(source)
                continue
            parts.append(f"```python\n{source}\n```")
            for output in cell["outputs"]:
                data = output.get("data", {})
                if picture := data.get("image/png"):
                    (PAGES / "notebooks" / f"{path.stem}-{i}.png").write_bytes(base64.b64decode(picture))
                    parts.append(f"![what the cell draws]({path.stem}-{i}.png)")
                elif said := "".join(output.get("text") or data.get("text/plain", "")):
                    parts.append(f"```text\n{said.rstrip()}\n```")
        parts.append(f"[The notebook itself]({path.name}), to run and to change.")
        (PAGES / "notebooks" / f"{path.stem}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def write_panel() -> None:
    """The panel, live on a page: a report without figures, shown in a frame; static files, no server."""
    made = collect(resolve(PANEL_NOISE, None, None), f"--noise {PANEL_NOISE}", figures=[], workers=1)
    (PAGES / "report.html").write_text(page(made), encoding="utf-8")
    (PAGES / "panel.md").write_text(
        "# Panel\n\nMove a parameter and watch the exact minimiser; `asymtheory report` writes this page for your noise. "
        "[Open it by itself](report.html).\n\n"
        '<iframe src="report.html#try" title="panel" style="width:100%;height:60rem;border:1px solid #8886;border-radius:6px">'
        "</iframe>\n",
        encoding="utf-8",
    )


def write_gallery(pictures: bool) -> None:
    """A thumbnail, the command and the caption of every figure that needs nothing but the core."""
    parts = [
        "# Gallery\n\nEvery figure is drawn from the core by the command below it; [what each shows](figures.md).\n"
    ]
    folder = PAGES / "gallery"
    folder.mkdir(exist_ok=True)
    shown = {name: entry for name, entry in gallery.entries().items() if not entry.measured}
    if pictures:
        parts.append('<p class="thumbnails">')
        parts += [
            f'<a href="#{name}"><img src="gallery/{name}.png" alt="{name}" loading="lazy"><span>{name}</span></a>'
            for name in shown
        ]
        parts.append("</p>\n")
    for name, entry in shown.items():
        parts.append(f"\n## {gallery.plain_text(entry.title)} {{: #{name} }}\n")
        if pictures:
            quick = {key: value for key, value in {"draws": 20, "starts": 4}.items() if key in entry.parameters}
            drawn = gallery.make(name, width="neurips", **quick)
            (folder / f"{name}.png").write_bytes(gallery.render(drawn, "png", dpi=110))
            parts.append(f"[![{name}](gallery/{name}.png)](gallery/{name}.png)\n")
        code = f'from asymtheory_figures import make, save\n\nsave(make({name!r}), {name!r}, ("pdf",))'
        parts.append(
            f"{gallery.plain_text(entry.caption)}\n\n```sh\nasymtheory figure {name}\n```\n\n```python\n{code}\n```\n"
        )
    (PAGES / "gallery.md").write_text("\n".join(parts), encoding="utf-8")


def write_reference() -> None:
    """A page for every group of public modules, from their docstrings, and one that lists them."""
    parts = [
        "# Python\n\n`import asymtheory` hands on all of the core's names, `import asymtheory_training` those of "
        "training; a module is imported when a name is first used.\n"
    ]
    (PAGES / "api").mkdir(exist_ok=True)
    for title, modules in MODULES.items():
        parts.append(f"* [{title}](api/{slug(title)}.md): {', '.join(f'`{module}`' for module in modules)}")
        text = f"# {title}\n" + "".join(f"\n::: {module}\n" for module in modules)
        (PAGES / "api" / f"{slug(title)}.md").write_text(text, encoding="utf-8")
    (PAGES / "api.md").write_text("\n".join(parts) + "\n", encoding="utf-8")


def slug(title: str) -> str:
    """The name of the page of a title."""
    return re.sub(r"\W+", "-", title.lower())


def load_nothing() -> None:
    """Take the theme's helper for a search from disk from the site itself; anything else from a network ends the build."""
    for path in SITE.rglob("*.html"):
        helper = "../" * (len(path.relative_to(SITE).parts) - 1) + "assets/iframe-worker.js"
        text = re.sub(r'https://[^"]*/iframe-worker/shim', helper, path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
        if role := re.search(r":(?:mod|class|func|data|meth|attr):<code>", text):
            raise SystemExit(f"{path.relative_to(SITE)} shows a docstring's role as it is written: {role[0]}...")
        if found := re.findall(r'<(?:script|link|img|iframe)[^>]* (?:src|href)="(https?://[^"]*)"', text):
            raise SystemExit(f"{path.relative_to(SITE)} loads {found[0]} from a network")


def main() -> int:
    """Build; the exit status is that of MkDocs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="without the pictures of the gallery")
    options = parser.parse_args()
    copy_pages()
    write_notebooks()
    write_panel()
    write_gallery(not options.fast)
    write_reference()
    status = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict"], cwd=ROOT).returncode
    if status == 0:
        load_nothing()
    return status


if __name__ == "__main__":
    sys.exit(main())
