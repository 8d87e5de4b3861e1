"""Figures drawn from the core."""
