"""Gradient descent on weighted risks, beside the exact minimisers."""
