"""Widgets for notebooks (extra ``notebook``): ``Panel``, the report's panel with its triangle to drag.

    from asymtheory.widgets import Panel
    panel = Panel("amse", noise="cifar10n-worse", a=9)   # a cell's last line shows it
    panel.check()                                        # the core's verdict on what is set in it

The widgets themselves belong to ``asymtheory_figures``, which this package never imports by name: they are found in the
entry-point group ``asymtheory.widgets``.
"""

from importlib import metadata
from typing import Any

from .errors import InputError

WIDGETS = "asymtheory.widgets"
"""The entry-point group of widgets."""
INSTALL = "widgets need an extra: pip install 'asymtheory[notebook]'"


def __getattr__(name: str) -> Any:
    """A widget by its name, loaded when it is asked for; InputError, with the line that installs it, where an extra is missing."""
    if name.startswith("_"):
        raise AttributeError(name)
    found = {entry.name: entry for entry in metadata.entry_points(group=WIDGETS)}
    if found and name not in found:
        raise AttributeError(f"asymtheory.widgets has {', '.join(sorted(found))}, not {name}")
    if not found:
        raise InputError(INSTALL)
    try:
        return found[name].load()
    except ImportError as error:
        raise InputError(f"{INSTALL} ({error})") from error
