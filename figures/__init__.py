"""The papers' figures, and the ones they should have had: drawn from the core, publication-ready.

>>> from asymtheory_figures import make, names, save
>>> save("alf-fig1", "figures", ("pdf", "svg"), width="icml")  # doctest: +SKIP
"""

from .gallery import make, names, render, save

__all__ = ["make", "names", "render", "save"]


def __dir__() -> list[str]:
    return sorted(__all__)
