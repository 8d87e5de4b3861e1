"""Many runs from one plan, each done once."""

from .plan import read_plan

__all__ = ["read_plan"]
