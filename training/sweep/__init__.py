"""Many runs from one plan, each done once."""

from .plan import read_plan

__all__ = ["read_plan"]


def __dir__() -> list[str]:
    return sorted(__all__)
