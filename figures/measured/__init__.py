"""Figures drawn from training runs."""
