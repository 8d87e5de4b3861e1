"""A loss as the settings of a run name it: by its name, or by its formula."""

from __future__ import annotations

from .base import Loss
from .formula import Formula


def named(loss: Loss) -> dict[str, str]:
    """``{"loss": "amse"}``, or ``{"formula": ..., "passive": ...}`` for a loss from a formula; parameters are beside it."""
    if not isinstance(loss, Formula):
        return {"loss": loss.name}
    active, passive = loss.texts
    return {"formula": active} | ({} if passive is None else {"passive": passive})
