"""HTML from what the core says: text with its mathematics set, tables, and SVG files as parts of a page."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence
from html import escape
from xml.etree import ElementTree

from ..style import lightness

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ", "lambda": "λ",
    "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ",
    "psi": "ψ", "omega": "ω", "ell": "ℓ",
}  # fmt: skip
_TEX = {
    **_GREEK, "geq": "≥", "ge": "≥", "leq": "≤", "le": "≤", "neq": "≠", "ne": "≠", "to": "→", "infty": "∞", "times": "×",
    "cdot": "·", "pm": "±", "in": "∈", "sum": "Σ", "max": "max", "min": "min", "log": "log", "exp": "exp", "quad": " ",
}  # fmt: skip
# names of Greek letters that the core's texts use as such; alpha to tau are also names of parameters, typed like that
_LETTERS = re.compile(r"\b(eta|phi|psi|alpha|beta|gamma|tau|mu|nu|xi|rho)(?=\b|_)")
_TENS = re.compile(r"\b1e([-+]?)0*(\d+)\b")  # 1e-07
_SIGNS = (("&lt;=", "≤"), ("&gt;=", "≥"), ("!=", "≠"), ("-&gt; ", "→ "), (" - ", " − "), ("= -", "= −"))
_NORM = re.compile(r"\|\|_(\w)")
_POWER = re.compile(r"\^\(([^()]*)\)|\^(-?\w+(?:\.\d+)?|[-+*])")
_BASE = r"\b(sum|lim|inf|sup|max|min|log|prod|[A-Za-zα-ω]{1,2})_"
_INDEX = re.compile(_BASE + r"(?:\(([^()]*)\)|([A-Za-z0-9]{1,7}\b))")
_OPERATORS = {"sum": "Σ", "prod": "Π"}
_BRACED = re.compile(_BASE + r"\{([^{}]*)\}")


def typeset(text: str) -> str:
    """A text of the core as HTML: ``w_m >= 2^(q-1)`` with its index, sign and power set."""
    result = escape(text, quote=False).replace("**", "^")
    for written, sign in _SIGNS:
        result = result.replace(written, sign)
    result = _TENS.sub(lambda match: f"10<sup>{'−' * (match[1] == '-')}{match[2]}</sup>", result)
    result = _LETTERS.sub(lambda match: _GREEK[match[1]], result)
    result = _NORM.sub(r"||<sub>\1</sub>", _INDEX.sub(_indexed, result))
    result = _BRACED.sub(lambda match: f"{_OPERATORS.get(match[1], match[1])}<sub>{match[2]}</sub>", result)
    return _POWER.sub(lambda match: f"<sup>{match[1] or match[2]}</sup>", result)


def _indexed(match: re.Match[str]) -> str:
    index = match[3] or match[2].replace(" ", "")
    return f"{_OPERATORS.get(match[1], match[1])}<sub>{_GREEK.get(index, index)}</sub>"


def from_mathtext(text: str) -> str:
    """A title or caption in matplotlib's ``$...$`` notation as HTML."""
    parts = text.split("$")
    return "".join(escape(part, quote=False) if i % 2 == 0 else _mathematics(part) for i, part in enumerate(parts))


def _mathematics(tex: str) -> str:
    plain = re.sub(r"\\(?:mathrm|mathit|text|operatorname)\{([^{}]*)\}", r"\1", tex)
    plain = re.sub(r"\\([A-Za-z]+)", lambda match: _TEX.get(match[1], match[1]), plain)
    plain = escape(re.sub(r"\\[,;!: ]", " ", plain), quote=False)
    for mark, tag in (("_", "sub"), ("^", "sup")):
        plain = re.sub(rf"{re.escape(mark)}(?:\{{([^{{}}]*)\}}|(\w|\*|\+|−|-))", rf"<{tag}>\1\2</{tag}>", plain)
    return plain.replace("{", "").replace("}", "")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str, name: str) -> str:
    """A sortable table in a box of its own that scrolls sideways. Cells are HTML; the first of a row is its heading.

    A cell that begins with ``<!--KEY-->`` is sorted by KEY, as a number if it is one.
    """
    heads = "".join(f'<th scope="col"><button type="button">{cell}</button></th>' for cell in head)
    body = []
    for first, *others in rows:
        cells = "".join(
            f'<td{_key(cell)} data-label="{_bare(label)}">{_without_key(cell)}</td>'
            for label, cell in zip(head[1:], others, strict=True)
        )
        body.append(f'<tr><th scope="row"{_key(first)}>{_without_key(first)}</th>{cells}</tr>')
    return (
        f'<div class="sideways" role="region" tabindex="0" aria-labelledby="{name}-caption">'
        f'<table class="sortable" id="{name}"><caption id="{name}-caption">{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n" + "\n".join(body) + "\n</tbody></table></div>"
    )


def _bare(html: str) -> str:
    return escape(re.sub(r"<[^>]+>", "", html), quote=True)


def keyed(key: object, cell: str) -> str:
    """A cell sorted by ``key``, whatever its text is: escaped, it cannot end the comment that carries it."""
    return f"<!--{escape(str(key)).replace('--', '&#45;&#45;')}-->{cell}"


_KEY = re.compile(r"<!--([^<>]*?)-->")


def _key(cell: str) -> str:
    match = _KEY.match(cell)
    return f' data-key="{match[1]}"' if match else ""  # escaped by ``keyed``


def _without_key(cell: str) -> str:
    return _KEY.sub("", cell, count=1) if _KEY.match(cell) else cell


# ------------------------------------------------------------------------------------------------------ svg

_LONG = re.compile(r"-?\d+\.\d{3,}")
_HERE = re.compile(r"url\(#([^)]+)\)")


def inline_svg(source: bytes, name: str, title: str, description: str) -> str:
    """An SVG file of matplotlib as an element of a page.

    Its ids get ``name`` as a prefix (two figures share the ids of their glyphs), those that nothing points to go, like
    metadata, and style sheets, which would reach the whole page; coordinates keep a hundredth of a point. ``title`` and
    ``description`` are for screen readers.
    """
    root = ElementTree.fromstring(source)
    _for_both_themes(root)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    used = _targets(root)
    for node in root.iter():
        old = node.attrib.pop("id", None)
        if old in used:
            node.set("id", f"{name}-{old}")
        href = node.attrib.pop(f"{{{XLINK}}}href", None)
        if href is not None:
            node.set("href", f"#{name}-{href[1:]}" if href.startswith("#") else href)
        for key, value in node.attrib.items():
            if "url(#" in value:
                node.set(key, _HERE.sub(rf"url(#{name}-\1)", value))
            elif key in ("d", "x", "y", "points"):
                node.set(key, _LONG.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), value))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-description")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(
            f"{{{SVG}}}{tag}", {"id": f"{name}-{'title' if tag == 'title' else 'description'}"}
        )
        element.text = text
        root.insert(position, element)
    ElementTree.register_namespace("", SVG)
    return re.sub(r"\s*\n\s*", " ", ElementTree.tostring(root, encoding="unicode"))


_COLOUR = re.compile(r"(?<=[: ])(#[0-9a-f]{6})\b")
_MAPS = ("QuadContourSet", "QuadMesh", "image", "PolyCollection", "FillBetweenPolyCollection")


def _for_both_themes(root: ElementTree.Element) -> None:
    """Give every colour its twin for dark pages; colour maps, their legends, and black or white signs on them, keep theirs."""
    maps = [node for node in root.iter() if node.attrib.get("id", "").startswith(_MAPS[:3])]
    shades = {
        colour for each in maps for part in each.iter() for colour in _COLOUR.findall(part.attrib.get("style", ""))
    }
    shades -= {"#000000", "#ffffff"}  # of lines and texts
    for child in root:
        _recolour(child, on_map=False)
    for legend in (node for node in root.iter() if node.attrib.get("id", "").startswith("legend")):
        for part in legend.iter():
            for colour in shades:
                if kept := part.attrib.get("style"):
                    part.set("style", kept.replace(f"light-dark({colour}, {in_the_dark(colour)})", colour))


def _recolour(node: ElementTree.Element, on_map: bool) -> None:
    name = node.attrib.get("id", "")
    if name.startswith(_MAPS):
        return
    if name.startswith("axes"):
        on_map = any(each.attrib.get("id", "").startswith(_MAPS[:3]) for each in node)
    elif name.startswith("matplotlib.axis"):
        on_map = False

    def twin(match: re.Match[str]) -> str:
        colour = match[1]
        if on_map and colour in ("#000000", "#ffffff"):
            return colour
        return f"light-dark({colour}, {in_the_dark(colour)})"

    if "style" in node.attrib:
        node.set("style", _COLOUR.sub(twin, node.attrib["style"]))
    elif node.tag == f"{{{SVG}}}g" and name.startswith("text") and not on_map:
        node.set("style", f"fill: light-dark(#000000, {in_the_dark('#000000')})")  # SVG's own default is black
    for child in node:
        _recolour(child, on_map)


def in_the_dark(colour: str) -> str:
    """The twin of a colour for a dark page: its hue with the lightness turned over, lines and text at least 3:1 against #141414.

    What is near white on paper (backgrounds, grids, shades) becomes near black.
    """
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    level = lightness(colour)
    wanted = 98 - 0.45 * level if level <= 75 else 64 - 57 * (level - 75) / 25
    low, high = 0.0, 1.0
    for _ in range(24):  # the lightness of the model that has the L* asked for
        light = (low + high) / 2
        made = colorsys.hls_to_rgb(hue, light, saturation)
        if lightness(made) < wanted:
            low = light
        else:
            high = light
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, light, saturation))


def _targets(root: ElementTree.Element) -> set[str]:
    found = set()
    for node in root.iter():
        for key, value in node.attrib.items():
            found.update(_HERE.findall(value))
            if key.endswith("href") and value.startswith("#"):
                found.add(value[1:])
    return found


def natural_width(source: bytes) -> float:
    """Points across of an SVG file."""
    return float(ElementTree.fromstring(source).attrib["viewBox"].split()[2])
