"""From one formula to the paper: everything that is computed of one loss, as files for a paper and for training."""

from .facts import Facts, Line, facts
from .files import Written, write

__all__ = ["Facts", "Line", "Written", "facts", "write"]


def __dir__() -> list[str]:
    return sorted(__all__)
