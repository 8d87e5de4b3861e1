"""The report's panel as a widget for notebooks: the same elements, the same JavaScript, its state shared with Python.

The state is the text that the report keeps in its address (``loss=amse;a=9;noise=symmetric;K=10;eta=0.8``), so a panel in a
notebook, an address and a command say the same. The panel is in a shadow root: several fit on one page.
"""

from __future__ import annotations

import shlex
from fractions import Fraction

import anywidget
import traitlets

from asymtheory import Condition, Loss, NoiseModel, build, check, from_weights, named
from asymtheory.errors import InputError
from asymtheory.noise import KINDS, MEASURED, resolve
from asymtheory.numbers.text import Number, plain

from .report import panel

_RENDER = """
function render({model, el}) {
  const host = el.appendChild(globalThis.document.createElement("div")), root = host.attachShadow({mode: "open"});
  const page = {
    getElementById: id => root.getElementById(id),
    querySelectorAll: what => root.querySelectorAll(what),
    createElement: tag => globalThis.document.createElement(tag),
    createElementNS: (space, tag) => globalThis.document.createElementNS(space, tag),
    get activeElement() { return root.activeElement; },
    documentElement: host,
  };
  const jupyter = globalThis.document.body.dataset.jpThemeLight; // its own theme, where the page is JupyterLab's
  if (jupyter) host.dataset.theme = jupyter === "false" ? "dark" : "light";
  let own = null;
  const show = () => {
    if (model.get("state") === own) return;
    root.innerHTML = `<style>${STYLE}</style>${FORM}`;
    const history = {replaceState(_, __, hash) {
      own = decodeURIComponent(hash.slice("#panel:".length));
      model.set("state", own);
      model.save_changes();
    }};
    start(page, {}, {hash: `#panel:${model.get("state")}`}, history);
  };
  show();
  model.on("change:state", show);
  return () => model.off("change:state", show);
}
export default {render};
"""


class Panel(anywidget.AnyWidget):
    """The interactive panel: choose a loss and a noise, drag the weights of three classes, play the parameter.

    Arguments: ``loss``, a name of the registry or a loss of the core that the panel has, with its ``parameters``; ``noise``, as
    ``--noise`` reads it (a family with ``K`` and ``eta``, a measured noise, a file) or a noise model. Raises InputError for what
    they do not allow, with the losses that the panel lacks and why.

    What the reader does in the panel is in ``state`` (text, synchronised), and as objects of the core in ``loss``, ``noise`` and
    ``weights``; ``check()`` decides for them, exactly where the page computes in floats; ``command`` is the same in a shell.

    >>> panel = Panel("amse", a=9)
    >>> panel.check().asymmetric
    True
    """

    state = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        loss: str | Loss = "amse",
        noise: str | NoiseModel = "symmetric",
        K: int | None = None,
        eta: Number | None = None,
        **parameters: Number,
    ) -> None:
        chosen = build(loss, **parameters) if isinstance(loss, str) else loss
        if reason := panel.why_not(chosen):
            raise InputError(f"the panel has no {chosen.title}: {reason}")
        model = noise if isinstance(noise, NoiseModel) else _resolved(noise, K, eta)
        if not (panel.is_family(model) or panel.fits(model)):
            raise InputError(
                f"noise {model.kind}: a panel needs a dominant true class, and at most {panel.MOST_CELLS} cells"
            )
        self._model = model
        family = panel.is_family(model)
        shown = panel.rows(model) if not family and model.classes**2 <= panel.MOST_CELLS else []
        form = panel.form(panel.start(model, chosen.name, "", f"--noise {shlex.quote(model.kind)}"))
        script = panel.script(None if family else model, shown) + panel.code()
        constants = f"const FORM = {panel.constant(form)}, STYLE = {panel.constant(_style())};\n"
        run = f"function start(document, window, location, history) {{\n{script}\n}}\n"
        state = [f"loss={chosen.name}", *(f"{name}={_number(value)}" for name, value in _shown(chosen).items())]
        if family:
            rate = float(panel.family_rate(model) or 0)
            state += [f"noise={model.kind}", f"K={model.classes}", f"eta={rate!r}"]
        else:
            state.append("noise=given")
        super().__init__(state=";".join(state), _esm=constants + run + _RENDER)

    def _said(self) -> dict[str, str]:
        return dict(part.split("=", 1) for part in self.state.split(";") if "=" in part)

    @property
    def loss(self) -> Loss:
        """The loss as it is set in the panel."""
        said = self._said()
        first = build(said["loss"])
        return first.replace(**{name: Fraction(said[name]) for name in _shown(first) if name in said})

    @property
    def noise(self) -> NoiseModel:
        """The noise as it is set in the panel: a family, the noise that was given, or one of its rows."""
        said = self._said()
        if said["noise"] == "row":
            row = self._model.rows[int(said["row"])]
            return from_weights([w / row.total for w in row.weights])
        if said["noise"] == "given":
            return self._model
        return resolve(said["noise"], int(said["K"]), Fraction(said["eta"]))

    @property
    def weights(self) -> tuple[float, float, float] | None:
        """The weights of three classes that the reader dragged; None before."""
        if "w" not in self._said():
            return None
        first, second, third = (float(part) for part in self._said()["w"].split(","))
        return first, second, third

    @property
    def command(self) -> str:
        """What answers the same in a shell."""
        said, loss = self._said(), self.loss
        settings = " ".join(f"{name}={said[name]}" for name in _shown(loss) if name in said)
        if said["noise"] == "row":
            noise = f"--weights {','.join(plain(w) for w in self.noise.rows[0].weights)}"
        elif said["noise"] == "given":
            noise = f"--noise {shlex.quote(self._model.kind)}"
        else:
            noise = f"--noise {said['noise']} --K {said['K']} --eta {said['eta']}"
        return " ".join(filter(None, [f"asymtheory check --loss {loss.name}", settings and f"--set {settings}", noise]))

    def check(self) -> Condition:
        """Is the loss asymmetric on the noise, both as they are set in the panel? Decided by the core, not by the page."""
        return check(self.loss, self.noise)


def _resolved(kind: str, K: int | None, eta: Number | None) -> NoiseModel:
    if kind in MEASURED:
        return named(kind)
    if kind in KINDS and K is None and eta is None and kind in panel.NOISES:
        _, K, eta = panel.DEFAULT_NOISE
    return resolve(kind, K, eta)


def _shown(loss: Loss) -> dict[str, Number]:
    """The parameters that the panel has sliders for."""
    names = panel.parameter_names(loss)
    return {name: value for name, value in loss.parameters.items() if name in names}


def _number(value: Number) -> str:
    return repr(float(value)) if float(value) != int(value) else str(int(value))


def _style() -> str:
    """The report's style sheet, whose root is the widget's own."""
    sheet = (panel.HERE / "report.css").read_text(encoding="utf-8")
    sheet = sheet.replace(':root[data-theme="light"]', ':host([data-theme="light"])')
    sheet = sheet.replace(':root[data-theme="dark"]', ':host([data-theme="dark"])').replace(":root", ":host")
    return f"{sheet}\n:host {{ display: block; color: var(--ink); background: var(--paper); padding: 0.5rem; }}"
